"""What `read` makes of sound input: forms, layouts, sources, and the frame contract."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import os
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import (
    ALL_TGW,
    ALL_VPC,
    DEFAULT,
    DTYPES,
    NUMBERS,
    START,
    TIMES,
    as_read,
    check,
    columns,
    gz,
    log_format,
    nodata,
    parquet,
    parquet_of,
    read,
    record,
    rows,
    text,
    tuples,
)

import flowlens as fl

TWO = [
    record(),
    record(
        srcaddr="10.0.1.9",
        dstaddr="10.0.0.5",
        srcport=443,
        dstport=49152,
        packets=12,
        bytes=9999,
        start=START + 3,
        end=START + 61,
        action="REJECT",
    ),
]
V3 = [record(version=3, vpc_id="vpc-1", tcp_flags=2, type="IPv4", start=START + 100, end=START + 150)]


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- Forms of one file ---

FORMS = {
    "plain": text(TWO),
    "no final newline": text(TWO)[:-1],
    "gzip": gz(text(TWO)),
    "gzip with a name and a time inside": gzip.compress(text(TWO), mtime=START),
    "gzip of several members": gz(text(TWO)[:70]) + gz(text(TWO)[70:-5]) + gz(text(TWO)[-5:]),
    "gzip of two members of one size": gz(text(TWO[:1])) + gz(text(TWO[1:], header=False).rjust(len(text(TWO[:1])))),
    "gzip with an empty member first": gz(b"") + gz(text(TWO)),
    "gzip padded with zeros": gz(text(TWO)) + bytes(512),
    "gzip stored without compression": gzip.compress(text(TWO), compresslevel=0),
    "byte order mark": b"\xef\xbb\xbf" + text(TWO),
    "byte order mark in gzip": gz(b"\xef\xbb\xbf" + text(TWO)),
    "CRLF": text(TWO, end="\r\n"),
    "CR": text(TWO, end="\r"),
    "blank lines": b"\n\n" + text(TWO, end="\n\n") + b"\n",
    "lines of spaces": b"  \n" + text(TWO, end="\n   \n"),
    "comment lines": b"# made by hand\n" + text(TWO, end="\n# in between\n"),
    "comment lines as long as a record": text(TWO, end="\n# 2 3 4 5 6 7 8 9 10 11 12 13 14\n"),
    "trailing comments": text([], DEFAULT) + text(TWO, header=False, end=" # said by hand\n"),
    "trailing space": text(TWO, end=" \n"),
    "trailing tab": text(TWO, end="\t\n"),
    "leading space": b" " + text(TWO, end="\n ").rstrip(b" "),
    "double spaces": text(TWO).replace(b" ", b"  "),
    "tabs": text(TWO).replace(b" ", b"\t"),
    "the header once more in the middle": text(TWO[:1]) + text(TWO[1:]),
    "the header once more at the end": text(TWO) + text([], DEFAULT),
    "no header": text(TWO, header=False),
    "no header but comments": b"# eni-1-all\n\n" + text(TWO, header=False),
    "Parquet": parquet(TWO),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_reads_to_the_same_records(form):
    df = read(FORMS[form])
    assert rows(df) == TWO
    assert list(df.columns) == DEFAULT


@pytest.mark.parametrize("form", FORMS)
def test_a_sound_file_has_no_bad_lines(form):
    bad = check(FORMS[form])
    assert bad.empty
    assert list(bad.columns) == ["file", "line", "text", "reason"]
    assert bad["line"].dtype == "int64"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wanted", [["account_id"], ["log_status", "interface_id"], ["end", "bytes", "srcaddr"]])
def test_every_form_of_a_file_reads_to_the_same_records_when_only_some_columns_are_read(form, wanted):
    df = read(FORMS[form], columns=wanted)
    assert rows(df) == [{name: rec[name] for name in wanted} for rec in TWO]


@pytest.mark.parametrize("name", ["flows.log", "flows.txt", "flows.parquet", "flows.gz", "flows"])
@pytest.mark.parametrize("form", ["plain", "gzip", "Parquet"])
def test_the_form_is_recognised_from_the_content_and_not_from_the_name(tmp_path, name, form):
    assert rows(fl.read(write(tmp_path / name, FORMS[form]))) == TWO


@pytest.mark.parametrize(
    "data", [text([], DEFAULT), text([], DEFAULT)[:-1], gz(text([], DEFAULT)), parquet([], DEFAULT)], ids=range(4)
)
def test_a_file_with_a_header_and_no_record_gives_an_empty_frame_with_its_columns_and_dtypes(data):
    df = read(data)
    assert len(df) == 0
    pd.testing.assert_series_equal(df.dtypes.map(str), read(text(TWO)).dtypes.map(str))


@pytest.mark.parametrize("data", [b"", gz(b""), b"\n", b"\n \n", b"# nothing\n", b"\xef\xbb\xbf"], ids=range(6))
def test_an_empty_file_gives_an_empty_frame_in_the_default_format(data):
    df = read(data)
    assert len(df) == 0
    assert list(df.columns) == DEFAULT
    pd.testing.assert_series_equal(df.dtypes.map(str), read(text(TWO)).dtypes.map(str))
    assert check(data).empty


def test_an_empty_file_gives_an_empty_frame_in_the_format_that_was_asked_for():
    assert list(read(b"", fields="srcaddr dstaddr").columns) == ["srcaddr", "dstaddr"]


def test_empty_frames_hold_categories_of_the_type_that_full_frames_hold():
    full = read(text(TWO))
    for data in (b"", text([], DEFAULT)):
        empty = read(data)
        for name in ("srcaddr", "account_id", "action"):
            assert empty[name].cat.categories.dtype == full[name].cat.categories.dtype, name


# --- Layouts ---


@pytest.mark.parametrize("seed", range(4))
def test_a_header_in_any_order_is_obeyed(seed):
    names = random.Random(seed).sample(DEFAULT, len(DEFAULT))
    df = read(text(TWO, names))
    assert list(df.columns) == names
    assert rows(df[DEFAULT]) == TWO


def test_the_same_records_in_logical_and_alphabetical_order_give_equal_frames():
    everything = columns(ALL_VPC)[:29]
    records = [
        record(
            version=5,
            vpc_id="vpc-1",
            region="eu-west-1",
            tcp_flags=19,
            traffic_path=8,
            flow_direction="egress",
            pkt_srcaddr="10.0.0.5",
            type="IPv4",
        )
    ]
    logical, alphabetical = read(text(records, everything)), read(text(records, sorted(everything)))
    assert list(alphabetical.columns) == sorted(everything)
    pd.testing.assert_frame_equal(logical, alphabetical[everything])


def test_without_a_header_the_alphabetical_order_is_refused_and_not_read_into_wrong_columns():
    with pytest.raises(fl.ParseError, match="fields="):
        read(text(TWO, sorted(DEFAULT), header=False))


def test_all_54_fields_and_a_future_one_are_read():
    values = {name: 1 if name in NUMBERS else START if name in TIMES else f"{name}%20x" for name in ALL_VPC}
    values |= dict.fromkeys(("srcaddr", "pkt_srcaddr"), "2001:db8::1")
    values |= dict.fromkeys(("dstaddr", "pkt_dstaddr"), "192.0.2.1")
    values |= {"action": "REJECT", "log_status": "OK", "flow_direction": "egress", "quantum_state": "up"}
    df = read(text([values, dict.fromkeys(values)]))
    assert rows(df) == [as_read(values), dict.fromkeys(values)]
    for name in values:
        kind = "datetime64[s, UTC]" if name in TIMES else DTYPES[NUMBERS[name]] if name in NUMBERS else "category"
        assert df[name].dtype == kind, name


TAGGED = [
    record(instance_tag="my%2Dapp%20%C3%A9", asg_tag_2="100%25"),
    record(instance_tag=None, asg_tag_2="%2D"),
    record(instance_tag="my-app%20%C3%A9", asg_tag_2="%FF"),
]


@pytest.mark.parametrize("form", [text, parquet])
def test_tag_values_are_decoded_but_for_what_would_look_missing_or_is_no_text(form):
    df = read(form(TAGGED))
    assert tuples(df, "instance_tag", "asg_tag_2") == [("my-app é", "100%"), (None, "%2D"), ("my-app é", "%FF")]


def test_tag_keys_name_the_columns_of_tags():
    df = read(text(TAGGED), tag_keys={"instance-tag": "team", "asg_tag_2": "cost-center"})
    assert list(df.columns) == [*DEFAULT, "team", "cost-center"]
    assert tuples(df, "team") == [("my-app é",), (None,), ("my-app é",)]
    picked = read(text(TAGGED), tag_keys={"instance-tag": "team"}, columns=["team", "dstport"])
    assert tuples(picked) == [("my-app é", 443), (None, 443), ("my-app é", 443)]


@pytest.mark.parametrize(
    ("tag_keys", "message"),
    [
        ({"team": "instance-tag"}, "'team', which is no tag field; there are instance-tag, instance-tag-2"),
        ({"instance-tag": "team", "asg-tag": "team"}, "one name to two columns"),
        ({"instance-tag": "srcaddr"}, "'srcaddr', which is the name of a field"),
    ],
)
def test_tag_keys_that_cannot_be_are_refused(tag_keys, message):
    with pytest.raises(ValueError, match=message):
        read(text(TAGGED), tag_keys=tag_keys)


@pytest.mark.parametrize(
    "value", ["up", "007", "1.5", "True", "NaN", "null", "N/A", '"quoted"', "'", ",", "a#b", "NULL"]
)
def test_unknown_fields_and_other_text_stay_the_text_that_was_logged(value):
    df = read(text([record(hop_count=value, vpc_id=value), record(hop_count=None, vpc_id=None)]))
    assert [(row["hop_count"], row["vpc_id"]) for row in rows(df)] == [(value, value), (None, None)]
    assert df["hop_count"].dtype == "category"


@pytest.mark.parametrize(
    "fields",
    [
        log_format(DEFAULT),
        " ".join(DEFAULT),
        "default",
        DEFAULT,
        tuple(DEFAULT),
        [n.replace("_", "-") for n in DEFAULT],
    ],
    ids=["LogFormat", "names in one text", "word", "list of columns", "tuple", "list of fields"],
)
def test_fields_can_be_given_in_several_ways(fields):
    assert rows(read(text(TWO, header=False), fields=fields)) == TWO


@pytest.mark.parametrize("fields", ["tgw", log_format(ALL_TGW), ALL_TGW], ids=["word", "LogFormat", "list"])
def test_a_transit_gateway_log_without_header_is_read_by_its_fields(fields):
    values = {name: 7 if name in NUMBERS else f"{name}-1" for name in ALL_TGW}
    values |= {"srcaddr": "10.0.0.1", "dstaddr": "10.9.0.1", "start": START, "end": START + 60}
    values |= {"log_status": "OK", "flow_direction": "ingress"}
    df = read(text([values], ALL_TGW, header=False), fields=fields)
    assert rows(df) == [values]
    assert list(df.columns) == ALL_TGW
    assert "action" not in df


def test_a_header_counts_more_than_fields():
    names = sorted(DEFAULT)
    assert rows(read(text(TWO, names), fields="default")[DEFAULT]) == TWO


def test_fields_apply_to_the_lines_before_a_header_in_the_middle():
    names = ["srcaddr", "dstaddr", "bytes"]
    data = text(TWO[:1], names, header=False) + text(TWO[1:], ["dstaddr", "srcaddr", "bytes"])
    assert rows(read(data, fields=names)) == [{name: rec[name] for name in names} for rec in TWO]


@pytest.mark.parametrize(
    "fields",
    ["", "   ", [], "${version} ${srcaddr} ${srcaddr}", "srcaddr dst.addr", ["srcaddr", 5], "${}", "srcaddr srcaddr"],
)
def test_fields_that_name_no_format_are_refused(fields):
    with pytest.raises(ValueError, match="fields"):
        read(text(TWO, header=False), fields=fields)


def test_another_format_in_the_middle_of_a_file_is_obeyed():
    names = sorted(DEFAULT)
    df = read(text(TWO[:1]) + text(TWO[1:], names) + text(V3))
    assert rows(df[DEFAULT]) == [{name: rec[name] for name in DEFAULT} for rec in (*TWO, *V3)]
    assert rows(df[["vpc_id"]]) == [{"vpc_id": None}, {"vpc_id": None}, {"vpc_id": "vpc-1"}]


def test_a_header_in_the_middle_gives_its_columns_even_where_no_record_follows():
    df = read(text(TWO) + text([], [*DEFAULT, "vpc-id"]))
    assert list(df.columns) == [*DEFAULT, "vpc_id"]
    assert len(df) == 2


def test_another_order_in_the_middle_of_a_file_is_obeyed_even_when_only_text_is_read():
    data = text(TWO[:1]) + text(TWO[1:], sorted(DEFAULT))
    wanted = ["account_id", "log_status", "interface_id"]
    assert rows(read(data, columns=wanted)) == [{name: rec[name] for name in wanted} for rec in TWO]


def test_a_repeated_header_of_text_fields_is_no_record():
    records = [{"vpc_id": "vpc-1", "subnet_id": "subnet-1"}, {"vpc_id": "vpc-2", "subnet_id": None}]
    assert rows(read(text(records[:1]) + text(records[1:]))) == records


def test_a_comment_is_no_record_where_all_fields_are_text():
    records = [{"vpc_id": "vpc-1", "subnet_id": "subnet-1"}]
    assert rows(read(text(records) + b"#two words\n")) == records


@pytest.mark.parametrize("between", ["", "# a comment\r", "\r", "  \r"])
def test_old_mac_line_ends_keep_header_and_records_apart_whatever_the_values_look_like(between):
    records = [{"vpc_id": "vpc-1", "subnet_id": "s"}, {"vpc_id": "default", "subnet_id": "public"}]
    header, _, lines = text(records, end="\r").decode().partition("\r")
    assert rows(read(f"{header}\r{between}{lines}".encode())) == records


@pytest.mark.parametrize("space", ["\t", " ", "  ", " \t "])
def test_white_space_after_the_last_value_is_no_part_of_it(space):
    records = [{"srcaddr": "10.0.0.1", "vpc_id": "vpc-1"}, {"srcaddr": "10.0.0.2", "vpc_id": "vpc-2"}]
    assert rows(read(text(records, end=f"{space}\n"))) == records


def test_one_line_is_enough_without_header():
    assert rows(read(text(TWO[:1], header=False)[:-1])) == TWO[:1]


def test_a_default_file_without_header_may_begin_with_nodata_records():
    records = [nodata(start=START + second) for second in range(5)] + TWO
    assert rows(read(text(records, header=False))) == records


# --- Several files ---


def test_two_formats_in_one_call_give_the_columns_of_both_and_missing_values_in_the_others(tmp_path):
    files = [write(tmp_path / "a.log", text(TWO)), write(tmp_path / "b.log.gz", gz(text(V3)))]
    df = fl.read(files)
    assert list(df.columns) == [*DEFAULT, "vpc_id", "tcp_flags", "type"]
    assert rows(df) == [{"vpc_id": None, "tcp_flags": None, "type": None} | rec for rec in TWO] + V3
    assert df["tcp_flags"].dtype == "UInt8"
    assert list(df.index) == [0, 1, 2]


def test_text_and_parquet_read_together(tmp_path):
    df = fl.read(
        [write(tmp_path / "a", parquet(V3)), write(tmp_path / "b", text(TWO)), write(tmp_path / "c", parquet(TWO))]
    )
    assert rows(df[DEFAULT]) == [{name: rec[name] for name in DEFAULT} for rec in (*V3, *TWO, *TWO)]
    assert list(df["srcaddr"].cat.categories) == ["10.0.0.5", "10.0.1.9"]


def test_an_empty_file_among_others_adds_nothing(tmp_path):
    for empty in (b"", gz(b""), text([], DEFAULT)):
        files = [write(tmp_path / "a", empty), write(tmp_path / "b", text(V3)), write(tmp_path / "c", empty)]
        assert rows(fl.read(files)[list(V3[0])]) == V3


def test_many_files_keep_their_order(tmp_path):
    records = [record(bytes=number) for number in range(300)]
    for place in range(0, 300, 3):
        write(tmp_path / f"{place:03}.log.gz", gz(text(records[place : place + 3])))
    assert fl.read(tmp_path)["bytes"].tolist() == list(range(300))


@pytest.mark.parametrize("odd", ["a bad record", "other columns", "another order", "a damaged file", "a foreign file"])
def test_one_odd_parquet_file_among_many_changes_nothing_for_the_others(tmp_path, odd):
    records = [record(bytes=number) for number in range(40)]
    for place in range(0, 40, 2):
        write(tmp_path / f"{place:03}.parquet", parquet(records[place : place + 2]))
    bad = {"a bad record": 1, "a damaged file": 2, "a foreign file": 2}.get(odd, 0)
    if odd == "a bad record":
        table = pq.read_table(io.BytesIO(parquet(records[10:12])))
        ports = pa.array([70_000, 443], pa.int32())
        odd_file = parquet_of(table.set_column(table.column_names.index("srcport"), "srcport", ports))
    elif odd == "other columns":
        odd_file = parquet([rec | {"vpc_id": "vpc-1"} for rec in records[10:12]])
    elif odd == "another order":
        odd_file = parquet([dict(reversed(rec.items())) for rec in records[10:12]])
    else:
        odd_file = (
            parquet(records[10:12])[:-9] if odd == "a damaged file" else parquet_of(pa.table({"a": [1], "b": [2]}))
        )
    write(tmp_path / "010.parquet", odd_file)
    left_out = {0: (), 1: (10,), 2: (10, 11)}[bad]
    df = fl.read(tmp_path, on_bad_lines="skip")
    assert df["bytes"].tolist() == [number for number in range(40) if number not in left_out]
    found = fl.check(tmp_path)
    assert found["file"].tolist() == [str(tmp_path / "010.parquet")] * min(bad, 1)


def test_a_folder_is_read_with_all_below_it_but_for_hidden_files_and_bookkeeping(tmp_path):
    hive = "AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/year=2026/month=03/day=10"
    write(tmp_path / hive / "b.log.gz", gz(text(TWO[1:])))
    write(tmp_path / "AWSLogs" / "a.log", text(TWO[:1]))
    for ignored in (".DS_Store", "_SUCCESS", f"{hive}/_metadata", ".hidden/x.log", "_temporary/x.log"):
        write(tmp_path / ignored, b"\0 no flow log")
    assert rows(fl.read(tmp_path)) == TWO
    assert rows(fl.read(str(tmp_path))) == TWO
    assert fl.check(tmp_path).empty


def test_a_hidden_folder_is_read_when_it_is_what_the_user_names(tmp_path):
    write(tmp_path / ".cache" / "a.log", text(TWO))
    assert rows(fl.read(tmp_path / ".cache")) == TWO


@pytest.mark.parametrize("pattern", ["*.log", "logs/**/*.log", "logs/2026/[ab].log", "logs/2026/?.log", "logs/2026"])
def test_globs_are_expanded_in_order_of_name(tmp_path, pattern, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "logs" / "2026"):
        write(folder / "b.log", text(TWO[1:]))
        write(folder / "a.log", text(TWO[:1]))
    assert rows(fl.read(pattern)) == TWO


def test_a_file_whose_name_looks_like_a_glob_is_read(tmp_path):
    assert rows(fl.read(write(tmp_path / "a[1]*.log", text(TWO)))) == TWO


def test_a_list_may_hold_paths_globs_folders_and_open_files(tmp_path):
    first, folder = write(tmp_path / "a.log", text(TWO[:1])), write(tmp_path / "d" / "b.log", text(TWO[1:])).parent
    write(tmp_path / "e" / "c.log", text(TWO[1:]))
    sources = [str(first), folder, f"{tmp_path}/e/*.log", io.BytesIO(text(V3))]
    df = fl.read(sources)
    assert df["start"].tolist() == [pd.Timestamp(START + s, unit="s", tz="UTC") for s in (0, 3, 3, 100)]


def test_a_generator_of_paths_is_read(tmp_path):
    paths = [write(tmp_path / name, text(TWO)) for name in ("a.log", "b.log")]
    assert rows(fl.read(path for path in paths)) == TWO * 2


def test_a_file_that_is_reached_in_several_ways_is_read_once(tmp_path):
    path = write(tmp_path / "day1" / "a.log", text(TWO))
    (tmp_path / "latest").symlink_to(tmp_path / "day1", target_is_directory=True)
    (tmp_path / "day1" / "around").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b.log").symlink_to(path)
    for source in (tmp_path, [path, path], [tmp_path, path], f"{tmp_path}/*/*.log", tmp_path / "latest" / "a.log"):
        assert rows(fl.read(source)) == TWO
    assert len(fl.read([io.BytesIO(text(TWO)), io.BytesIO(text(TWO))])) == 4


def test_a_file_that_vanishes_while_others_are_read_hides_no_other(tmp_path, monkeypatch):
    paths = [write(tmp_path / name, text(TWO)) for name in ("a.log", "b.log")]
    read_bytes = Path.read_bytes
    gone = {paths[0]: FileNotFoundError(2, "No such file or directory")}

    def read_or_not(path):
        if path in gone:
            raise gone[path]
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read_or_not)
    assert rows(fl.read(tmp_path, on_bad_lines="skip")) == TWO
    bad = fl.check(tmp_path)
    assert bad["file"].tolist() == [str(paths[0])]
    assert bad["reason"].tolist() == ["the file cannot be opened: No such file or directory"]


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (b"2 1", TypeError, "io.BytesIO"),
        (pd.DataFrame({"srcaddr": []}), TypeError, "fl.from_frame"),
        ("version srcaddr\n2 10.0.0.1\n", FileNotFoundError, "io.BytesIO"),
        ("s3://logs/x", fl.FlowlensError, "aws s3 sync s3://logs/x logs/"),
        ("https://example.com/x.gz", fl.FlowlensError, "curl --remote-name https://example.com/x.gz"),
        ([], FileNotFoundError, "empty"),
    ],
)
def test_what_is_no_source_is_refused_with_what_to_do(source, error, words):
    with pytest.raises(error, match=re.escape(words)):
        fl.read(source)


def test_a_mistyped_column_or_field_is_named_with_what_was_meant():
    with pytest.raises(fl.MissingFieldError, match="'srcadr'; did you mean 'srcaddr'"):
        read(text(TWO), columns=["dstaddr", "srcadr"])
    with pytest.raises(TypeError, match="pass a list"):
        read(text(TWO), columns="srcaddr")
    with pytest.raises(ValueError, match="'srcadr', which is no field; did you mean 'srcaddr'"):
        read(text(TWO, header=False), fields=["srcadr" if name == "srcaddr" else name for name in DEFAULT])
    # Fields that AWS may add are like others.
    names = ["srcaddr", "dstaddr", "pkt_dstaddr", "pkt_dstaddrs"]
    assert list(read(b"10.0.0.1 10.0.0.2 10.0.0.2 x\n", fields=names).columns) == names


def test_an_open_binary_file_is_read_from_where_it_stands(tmp_path):
    path = write(tmp_path / "a.log", gz(text(TWO)))
    with path.open("rb") as file:
        assert rows(fl.read(file)) == TWO
    stream = io.BytesIO(b"noise\n" + text(TWO))
    stream.seek(6)
    assert rows(fl.read(stream)) == TWO


@pytest.mark.parametrize("data", [text(TWO).decode(), ""])
def test_a_file_open_as_text_is_refused_with_the_way_to_open_it(tmp_path, data):
    path = tmp_path / "a.log"
    path.write_text(data)
    with path.open() as file, pytest.raises(TypeError, match=r"'rb'"):
        fl.read(file)
    with pytest.raises(TypeError, match="binary"):
        fl.read(io.StringIO(data))


@pytest.mark.parametrize("source", ["no/such/file.log", "no/such/*.log", [], "."])
def test_nothing_to_read_is_an_error_that_says_so(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    for function in (fl.read, fl.check):
        with pytest.raises(FileNotFoundError):
            function(source)


@pytest.mark.parametrize("source", [5, None, 1.5])
def test_what_is_no_source_is_a_type_error(source):
    with pytest.raises(TypeError):
        fl.read(source)


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "a.log", text(TWO))
    assert rows(fl.read(os.path.join("~", "a.log"))) == TWO  # noqa: PTH118


# --- Options ---


def test_columns_picks_columns_in_the_order_asked_for_by_either_name():
    df = read(text(TWO), columns=["bytes", "log-status", "srcaddr"])
    assert list(df.columns) == ["bytes", "log_status", "srcaddr"]
    assert rows(df) == [{name: rec[name] for name in df.columns} for rec in TWO]


@pytest.mark.parametrize("form", ["plain", "Parquet", "double spaces"])
def test_no_columns_still_count_the_records(form):
    df = read(FORMS[form], columns=[])
    assert df.shape == (2, 0)


def test_columns_that_only_some_files_have_are_missing_in_the_others(tmp_path):
    files = [write(tmp_path / "a", text(TWO)), write(tmp_path / "b", text(V3)), write(tmp_path / "c", parquet(TWO))]
    df = fl.read(files, columns=["tcp_flags", "bytes"])
    assert [row["tcp_flags"] for row in rows(df)] == [None, None, 2, None, None]
    assert df["bytes"].tolist() == [840, 9999, 840, 840, 9999]


def test_a_column_that_no_file_has_is_an_error_that_names_it():
    with pytest.raises(fl.MissingFieldError, match="vpc_id"):
        read(text(TWO), columns=["srcaddr", "vpc_id"])


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        ((START, START + 1), [0]),
        ((START, START + 3), [0]),
        ((START, START + 4), [0, 1]),
        ((START + 1, START + 3), []),
        ((START + 3, None), [1]),
        ((None, START + 3), [0]),
        ((None, None), [0, 1]),
        ((START, START), []),
    ],
)
@pytest.mark.parametrize("form", ["plain", "Parquet", "double spaces"])
def test_time_keeps_records_that_start_in_the_half_open_span(form, span, kept):
    moments = tuple(None if t is None else pd.Timestamp(t, unit="s", tz="UTC") for t in span)
    assert rows(read(FORMS[form], time=moments)) == [TWO[place] for place in kept]


@pytest.mark.parametrize(
    "start",
    [
        "2026-03-10 14:00:03",
        "2026-03-10T14:00:03Z",
        "2026-03-10 16:00:03+02:00",
        dt.datetime(2026, 3, 10, 14, 0, 3),  # noqa: DTZ001
        dt.datetime(2026, 3, 10, 14, 0, 3, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 10, 9, 0, 3, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        np.datetime64("2026-03-10T14:00:03"),
        pd.Timestamp("2026-03-10 14:00:03"),
        pd.Timestamp("2026-03-10 14:00:02.5"),
    ],
)
def test_times_may_be_text_or_objects_and_are_utc_where_they_say_nothing(start):
    assert rows(read(text(TWO), time=(start, None))) == TWO[1:]
    assert rows(read(text(TWO), time=(None, start))) == TWO[:1]


def test_time_works_when_start_is_not_among_the_columns():
    df = read(text(TWO), columns=["bytes"], time=(pd.Timestamp(START + 1, unit="s"), None))
    assert rows(df) == [{"bytes": 9999}]


def test_two_copies_of_a_gzip_file_behind_each_other_are_both_read():
    assert rows(read(gz(text(TWO)) * 2)) == TWO + TWO


@pytest.mark.parametrize("sizes", [(1, 400, 3), (400, 1, 3), (1, 1, 1, 1, 5000), (0, 7, 0), (3,)])
def test_files_read_one_by_one_give_the_records_of_all_whatever_their_sizes(sizes, monkeypatch):
    # Files of a megabyte are read by themselves; here every file is.
    monkeypatch.setattr("flowlens.stream._BATCH_BYTES", 0)
    files, expected = [], []
    for place, size in enumerate(sizes):
        records = [record(bytes=1000 * place + number, start=START + number % 60) for number in range(size)]
        if place % 2:
            # Every other file has no counter, and a field that the others lack.
            records = [{**rec, "bytes": None, "tcp_flags": number % 7} for number, rec in enumerate(records)]
            names = [*(name for name in DEFAULT if name != "bytes"), "tcp_flags"]
        else:
            names = DEFAULT
        files.append(io.BytesIO(text(records, names)))
        expected += [{"tcp_flags": None, **rec} if len(sizes) > 1 else rec for rec in records]
    found = fl.read(files)
    assert rows(found) == expected
    assert found["bytes"].sum() == sum(rec["bytes"] or 0 for rec in expected)


def test_time_needs_start():
    with pytest.raises(fl.MissingFieldError, match="start"):
        read(b"srcaddr dstaddr\n10.0.0.1 10.0.0.2\n", time=("2026-01-01", None))


def test_time_leaves_out_records_without_start():
    assert rows(read(text([record(start=None), *TWO]), time=(None, None))) == TWO


@pytest.mark.parametrize(
    "span", ["2026-03-10", ("2026-03-10",), ("2026-03-11", "2026-03-10"), ("yesterday evening", None), (1, 2, 3)]
)
def test_a_span_of_time_that_is_none_is_refused(span):
    with pytest.raises((ValueError, TypeError)):
        read(text(TWO), time=span)


def test_millisecond_times_are_read_as_times():
    records = [record(start=1418530010123, end=1418530070999), record(start=1418530010, end=1418530070)]
    for data in (text(records), parquet(records), text(records, end=" \n")):
        df = read(data)
        assert rows(df[["start", "end"]]) == [{"start": 1418530010, "end": 1418530070}] * 2
        assert len(read(data, time=("2014-12-14 04:06:50", "2014-12-14 04:06:51"))) == 2
        assert len(read(data, time=("2014-12-14 04:06:51", None))) == 0


@pytest.mark.parametrize(
    ("logged", "second"), [(10**11, 10**8), (10**11 + 999, 10**8), (10**12, 10**9), (10**11 - 1, 10**11 - 1), (0, 0)]
)
def test_times_are_milliseconds_from_the_year_5138_on_and_seconds_before(logged, second):
    for form in (text, parquet):
        assert rows(read(form([record(start=logged, end=logged)]))[["start", "end"]]) == [
            {"start": second, "end": second}
        ]


@pytest.mark.parametrize(("part", "second"), [(".0", 3), (".001", 4), (".5", 4), (".999999999", 4)])
def test_a_bound_inside_a_second_leaves_out_the_records_of_that_second(part, second):
    bound = f"2026-03-10 14:00:03{part}"
    assert rows(read(text(TWO), time=(bound, None))) == [rec for rec in TWO if rec["start"] >= START + second]
    assert rows(read(text(TWO), time=(None, bound))) == [rec for rec in TWO if rec["start"] < START + second]


@pytest.mark.parametrize("option", ["warn", "skip", "error"])
def test_on_bad_lines_changes_nothing_on_a_sound_file(option):
    assert rows(read(text(TWO), on_bad_lines=option)) == TWO


@pytest.mark.parametrize("option", ["ignore", "", None, True])
def test_another_word_for_on_bad_lines_is_refused(option):
    with pytest.raises(ValueError, match="on_bad_lines"):
        read(text(TWO), on_bad_lines=option)


@pytest.mark.parametrize("progress", [None, True, False])
def test_a_progress_bar_changes_nothing(progress, capsys):
    assert rows(read(text(TWO), progress=progress)) == TWO
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("reading" in shown.err) == (progress is True)


# --- The frame contract ---


def test_default_format_names_and_dtypes():
    df = read(text(TWO))
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "version": "UInt8",
        "account_id": "category",
        "interface_id": "category",
        "srcaddr": "category",
        "dstaddr": "category",
        "srcport": "UInt16",
        "dstport": "UInt16",
        "protocol": "UInt8",
        "packets": "Int64",
        "bytes": "Int64",
        "start": "datetime64[s, UTC]",
        "end": "datetime64[s, UTC]",
        "action": "category",
        "log_status": "category",
    }
    assert isinstance(df.index, pd.RangeIndex)


@pytest.mark.parametrize("data", [text(TWO), parquet(TWO), text(TWO, end=" \n")], ids=["text", "Parquet", "by line"])
def test_categories_are_sorted_text_without_the_dash(data):
    df = read(data)
    for name in ("account_id", "interface_id", "srcaddr", "dstaddr", "action", "log_status"):
        words = df[name].cat.categories
        assert all(type(word) is str for word in words), name
        assert list(words) == sorted(words), name
        assert "-" not in words, name
        assert not df[name].cat.ordered, name


def test_addresses_of_all_columns_compare_as_they_share_one_set_of_categories():
    df = read(text([record(srcaddr="10.0.0.1", dstaddr="10.0.0.1"), record(srcaddr="10.0.0.2", dstaddr="::1")]))
    assert (df["srcaddr"] == df["dstaddr"]).tolist() == [True, False]


@pytest.mark.parametrize("account", ["051856882135", "000000000000", "unknown", "123456789010"])
@pytest.mark.parametrize("form", [text, parquet])
def test_an_account_id_is_text_with_its_zeros(account, form):
    assert rows(read(form([record(account_id=account)])))[0]["account_id"] == account


@pytest.mark.parametrize("form", [text, parquet])
def test_zero_is_a_value_and_a_dash_is_none(form):
    zero = record(srcport=0, dstport=0, protocol=0, packets=0, bytes=0, tcp_flags=0, start=0, end=0)
    none = dict.fromkeys(zero)
    df = read(form([zero, none]))
    assert rows(df) == [zero, none]
    assert df["srcport"].isna().tolist() == [False, True]


@pytest.mark.parametrize("form", [text, parquet])
def test_nodata_and_skipdata_records_are_rows(form):
    records = [record(), nodata(), nodata(log_status="SKIPDATA"), record()]
    df = read(form(records))
    assert rows(df) == records
    assert df["log_status"].tolist() == ["OK", "NODATA", "SKIPDATA", "OK"]


@pytest.mark.parametrize("form", [text, parquet])
def test_the_largest_values_fit(form):
    largest = record(
        srcport=65535, dstport=65535, protocol=255, packets=2**63 - 1, bytes=2**63 - 1, start=10**11 - 1, end=10**11 - 1
    )
    assert rows(read(form([largest]))) == [largest]


def test_ipv6_addresses_stay_as_logged():
    addresses = ["::", "::1", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "::ffff:10.0.0.1", "fe80::1"]
    assert [row["srcaddr"] for row in rows(read(text([record(srcaddr=a) for a in addresses])))] == addresses


def test_a_block_public_access_reject_without_bytes_and_a_regional_nat_gateway_are_records():
    records = [
        record(version=8, action="REJECT", bytes=None, reject_reason="BPA", resource_id=None),
        record(version=9, interface_id=None, reject_reason="Accepted", resource_id="nat-0c50d5961bcb2d47b"),
    ]
    assert rows(read(text(records))) == records


def test_a_row_takes_at_most_64_bytes_in_the_default_format():
    count = 200_000
    rng = np.random.default_rng(1)
    hosts = np.array([f"10.{a}.{b}.{c}" for a, b, c in rng.integers(0, 255, (5000, 3))])
    enis = np.array([f"eni-{number:017x}" for number in range(400)])
    table = pd.DataFrame(
        {
            "version": 2,
            "account_id": "123456789010",
            "interface_id": rng.choice(enis, count),
            "srcaddr": rng.choice(hosts, count),
            "dstaddr": rng.choice(hosts, count),
            "srcport": rng.integers(1024, 65535, count),
            "dstport": rng.choice([22, 53, 443], count),
            "protocol": 6,
            "packets": rng.integers(1, 1000, count),
            "bytes": rng.integers(40, 10**9, count),
            "start": START,
            "end": START + 59,
            "action": rng.choice(["ACCEPT", "REJECT"], count),
            "log_status": "OK",
        }
    )
    df = read(table.to_csv(sep=" ", index=False, header=False).encode())
    assert len(df) == count
    assert df["bytes"].sum() == table["bytes"].sum()
    assert (df["srcaddr"].astype(str).to_numpy() == table["srcaddr"].to_numpy(str)).all()
    assert df.memory_usage(deep=True).sum() / count <= 64


# --- Parquet ---


def test_parquet_as_aws_writes_it_has_dashes_in_text_and_null_in_numbers():
    table = pa.table(
        {
            "version": pa.array([5, 5], pa.int32()),
            "instance_id": ["-", "i-1"],
            "srcaddr": ["10.0.0.1", "-"],
            "dstaddr": ["10.0.0.2", "-"],
            "srcport": pa.array([0, None], pa.int32()),
            "protocol": pa.array([6, None], pa.int32()),
            "traffic_path": pa.array([None, 8], pa.int32()),
            "bytes": pa.array([2**40, None], pa.int64()),
            "start": pa.array([START, START], pa.int64()),
            "log_status": ["OK", "NODATA"],
        }
    )
    df = read(parquet_of(table))
    assert rows(df) == [
        {"version": 5, "instance_id": None, "srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "srcport": 0, "protocol": 6,
         "traffic_path": None, "bytes": 2**40, "start": START, "log_status": "OK"},
        {"version": 5, "instance_id": "i-1", "srcaddr": None, "dstaddr": None, "srcport": None, "protocol": None,
         "traffic_path": 8, "bytes": None, "start": START, "log_status": "NODATA"},
    ]  # fmt: skip
    assert df["protocol"].dtype == "UInt8"
    assert "-" not in df["instance_id"].cat.categories


def test_transit_gateway_parquet_with_a_64_bit_protocol_joins_a_vpc_one_with_32(tmp_path):
    tgw = {name: 7 if name in NUMBERS else "10.0.0.1" if "addr" in name else None for name in ALL_TGW}
    tgw |= {"protocol": 17, "start": START, "end": START}
    first = write(tmp_path / "a.log.parquet", parquet([tgw], ALL_TGW, protocol=pa.int64()))
    second = write(tmp_path / "b.log.parquet", parquet(TWO, protocol=pa.int32()))
    df = fl.read([first, second])
    assert df["protocol"].tolist() == [17, 6, 6]
    assert df["protocol"].dtype == "UInt8"


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_parquet_text_of_any_arrow_type_is_read(kind):
    names = [name for name in DEFAULT if name not in NUMBERS and name not in TIMES]
    full = pa.table({name: pa.array([rec[name] or "-" for rec in [*TWO, nodata()]], pa.string()) for name in names})
    table = pa.table({name: full[name].combine_chunks().cast(kind) for name in names})
    expected = [{name: rec[name] for name in names} for rec in [*TWO, nodata()]]
    assert rows(read(parquet_of(table))) == expected


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64()], ids=str)
def test_parquet_numbers_of_any_width_are_read(kind):
    table = pa.table({"srcaddr": ["::1"] * 2, "dstaddr": ["::2"] * 2, "srcport": pa.array([100, None], kind)})
    assert [row["srcport"] for row in rows(read(parquet_of(table)))] == [100, None]


@pytest.mark.parametrize(
    "numbers",
    [["443", "0", "-"], ["443", "0", None], [443.0, 0.0, None], ["443.0", "0.0", "-"]],
    ids=["text", "text and null", "floats", "floats as text"],
)
def test_parquet_that_pandas_made_with_ports_as_text_or_floats_is_read(numbers):
    made = pd.DataFrame({"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "srcport": numbers, "dstport": numbers})
    df = read(parquet_of(made))
    assert [row["srcport"] for row in rows(df[["srcport"]])] == [443, 0, None]
    assert df["srcport"].dtype == "UInt16"


@pytest.mark.parametrize("number", [0, 1, 999, 10**6, 1_566_848_875, 10**10, 10**12 + 1, 2**52, 2**53])
def test_parquet_floats_of_any_size_are_whole_numbers_again(number):
    made = pd.DataFrame({"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "bytes": [float(number), None]})
    assert [row["bytes"] for row in rows(read(parquet_of(made))[["bytes"]])] == [number, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Vienna"])
def test_parquet_timestamps_are_the_same_moments(unit, zone):
    moments = pa.array([START, None], pa.timestamp("s", "UTC")).cast(pa.timestamp(unit, zone))
    table = pa.table({"srcaddr": ["::1"] * 2, "dstaddr": ["::2"] * 2, "start": moments})
    df = read(parquet_of(table))
    assert [row["start"] for row in rows(df)] == [START, None]
    assert df["start"].dtype == "datetime64[s, UTC]"


def test_a_frame_written_by_pandas_and_read_again_is_the_same(tmp_path):
    df = read(text([*TWO, nodata()]))
    df.to_parquet(tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(fl.read(tmp_path / "again.parquet"), df)


def test_an_unknown_parquet_column_is_kept_as_text():
    table = pa.table({"srcaddr": ["::1"], "dstaddr": ["::2"], "hop_count": pa.array([3], pa.int32()), "ok": ["-"]})
    assert rows(read(parquet_of(table))) == [{"srcaddr": "::1", "dstaddr": "::2", "hop_count": "3", "ok": None}]


def test_hyphenated_parquet_names_are_read_as_columns():
    table = pa.table({"srcaddr": ["::1"], "dstaddr": ["::2"], "log-status": ["OK"]})
    assert rows(read(parquet_of(table)))[0]["log_status"] == "OK"
