"""A file too large to hold is read in pieces, and nobody can tell from the result."""

from __future__ import annotations

import bz2
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq
import pytest
from envelopes import csv_of, filter_log_events, zstd
from formats import DEFAULT, check, gz, line, parquet, read, record, rows, text
from hypothesis import given, settings
from hypothesis import strategies as st

import flowlens as fl
from flowlens.parse import compression, large
from flowlens.parse import parquet as parquet_files

FORMAT = [*DEFAULT, "vpc_id"]
MANY = [
    record(bytes=number * 7919 % 104_729, srcport=number, start=1773151200 + number, vpc_id=f"vpc-{number % 7}")
    for number in range(400)
]
PACKS = {"plain": bytes, "gzip": gz, "zstd": zstd, "bzip2": bz2.compress}
ENDS = {"Unix": b"\n", "Windows": b"\r\n", "old Mac": b"\r"}


@contextmanager
def in_pieces(size: int = 3000) -> Iterator[None]:
    """Take every file for a large one and cut it after so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowlens.stream._LARGE_BYTES", 0)
        patch.setattr(large, "_PIECE", size)
        patch.setattr(parquet_files, "_PIECE", size)
        patch.setattr(compression, "_STEP", max(size // 3, 1))
        patch.setattr(compression, "_SALVAGE_STEP", max(size // 30, 1))
        yield


def grouped(records: list[dict], rows_of_group: int) -> bytes:
    """Write Parquet in row groups of so many records."""
    file = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(parquet(records, FORMAT))), file, row_group_size=rows_of_group)
    return file.getvalue()


def outcome(data: bytes, **options: object) -> tuple[list[str], list[dict], list[tuple]]:
    bad = list(check(data, **options).itertuples(index=False, name=None))
    try:
        df = read(data, on_bad_lines="skip", **options)
    except fl.ParseError:
        return [], [], bad
    return list(df.columns), rows(df), bad


def same_in_pieces(data: bytes, **options: object) -> tuple[list[str], list[dict], list[tuple]]:
    whole = outcome(data, **options)
    with in_pieces():
        assert outcome(data, **options) == whole
    return whole


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_text_with_comments_bad_lines_and_other_headers(pack, end):
    lines = [b"# a comment", b"", *text(MANY, FORMAT).splitlines()]
    lines[100] = b"too short"
    lines[200:200] = [*text(MANY[:90], DEFAULT).splitlines(), lines[2]]
    lines += [b"srcaddr dstaddr srcaddr start", *[b"10.0.0.1 10.0.0.2 10.0.0.3 1"] * 200]
    lines += [*text(MANY[:50], DEFAULT).splitlines(), b"2 no record", b"2 10.0.0.1 \xff"]
    columns, records, bad = same_in_pieces(pack(end.join(lines) + end))
    assert columns == FORMAT
    assert len(records) == 399 + 90 + 50
    assert [number for _, number, *_ in bad] == [101, *range(496, 697), 748, 749]


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
def test_lines_without_a_header(pack):
    data = b"".join(line(rec, FORMAT).encode() + b"\n" for rec in MANY)
    assert same_in_pieces(pack(data), fields=" ".join(FORMAT).replace("_", "-"))[1] == [
        {name: rec[name] for name in FORMAT} for rec in MANY
    ]
    default = b"".join(line(rec, DEFAULT).encode() + b"\n" for rec in MANY)
    assert len(same_in_pieces(pack(default))[1]) == 400
    exported = b"".join(b"2026-03-10T14:00:00.000Z " + row + b"\n" for row in default.splitlines())
    assert len(same_in_pieces(pack(exported))[1]) == 400


@pytest.mark.parametrize(
    "data",
    [b"", b"\n" * 9000, b"# only a comment\n" * 500, b"a b c\n" * 2000, text([], FORMAT), b"<html>" + b"x\n" * 5000],
    ids=["nothing", "blank", "comments", "unknown", "header alone", "HTML"],
)
def test_files_without_records(data):
    same_in_pieces(data)


@pytest.mark.parametrize("pack", [gz, zstd, bz2.compress], ids=["gzip", "zstd", "bzip2"])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.5, 0.77, 0.999])
def test_what_is_cut_short_or_damaged_gives_as_much(pack, part):
    data = pack(text(MANY, FORMAT))
    place = int(len(data) * part)
    whole = outcome(data[:place])
    with in_pieces():
        *kept, bad = outcome(data[:place])
    # Of the line that is cut, a step may give a character more.
    assert (kept, [one[:2] for one in bad]) == (list(whole[:2]), [one[:2] for one in whole[2]])
    broken = bytearray(data)
    broken[place : place + 20] = b"\xff" * 20
    same_in_pieces(bytes(broken))


def test_members_behind_each_other_with_padding_and_rubbish():
    parts = [gz(text(MANY[place : place + 100], FORMAT)) for place in range(0, 400, 100)]
    assert same_in_pieces(b"\0\0".join(parts) + b"\0" * 512)[1] == [
        {name: rec[name] for name in FORMAT} for rec in MANY
    ]
    assert "not gzip" in same_in_pieces(b"".join(parts) + b"rubbish")[2][-1][-1]


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
@pytest.mark.parametrize(
    "data",
    [
        filter_log_events(MANY),
        csv_of(DEFAULT, [[rec[name] for name in DEFAULT] for rec in MANY]),
        text(MANY, FORMAT).decode().encode("utf-16"),
        gz(text(MANY, FORMAT)),
    ],
    ids=["JSON", "CSV", "UTF-16", "gzip inside"],
)
def test_other_forms_are_read_whole(pack, data):
    assert len(same_in_pieces(pack(data))[1]) == 400


def test_parquet_is_read_by_row_groups_and_rows_keep_their_numbers():
    wrong = [*MANY[:250], {**MANY[0], "srcaddr": "10.0.0.256"}, *MANY[250:]]
    for records, group in itertools.product([MANY, wrong, []], [7, 100, 1000]):
        data = grouped(records, group)
        columns, found, bad = same_in_pieces(data)
        assert columns == FORMAT
        assert len(found) == min(len(records), 400)
        assert [number for _, number, *_ in bad] == ([251] if len(records) > 400 else [])


def test_only_the_columns_that_are_asked_for_are_read():
    with in_pieces():
        for data in (grouped(MANY, 50), gz(text(MANY, FORMAT))):
            assert list(read(data, columns=["bytes", "srcaddr"]).columns) == ["bytes", "srcaddr"]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            [line(MANY[0], DEFAULT), line(MANY[3], FORMAT), " ".join(FORMAT).replace("_", "-"), "", "# c", "bad line",
             "srcaddr dstaddr", "10.0.0.1 10.0.0.2", " ".join(DEFAULT).replace("_", "-")]
        ),
        max_size=60,
    ),
    size=st.integers(1, 2000),
)  # fmt: skip
def test_random_texts(lines, size):
    # The layout of lines without a header is told by the first 20, which one piece holds.
    data = (" ".join(DEFAULT).replace("_", "-") + "\n" + "\n".join(lines)).encode()
    whole = outcome(data)
    with in_pieces(size):
        assert outcome(data) == whole


def test_a_source_may_hold_large_and_small_files(tmp_path):
    for number in range(0, 400, 50):
        (tmp_path / f"{number:03}.log.gz").write_bytes(gz(text(MANY[number : number + 50], FORMAT)))
    expected = rows(fl.read(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowlens.stream._LARGE_BYTES", 1500)
        patch.setattr(large, "_PIECE", 500)
        patch.setattr("flowlens.stream._BATCH_BYTES", 3000)
        assert rows(fl.read(tmp_path)) == expected
        assert rows(fl.read([tmp_path / "100.log.gz", io.BytesIO(gz(text(MANY[:3], FORMAT)))])) == (
            expected[100:150] + expected[:3]
        )


def test_a_file_that_is_read_in_pieces_may_be_larger_than_one_that_is_held_whole(monkeypatch):
    monkeypatch.setattr(compression, "_MOST", 2_000)
    monkeypatch.setattr(compression, "_ORDINARY", 2_000)
    for data in (gz(text(MANY, FORMAT)), grouped(MANY, 100)):
        with in_pieces():
            assert len(read(data)) == len(MANY)
