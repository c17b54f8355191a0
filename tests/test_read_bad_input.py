"""What `read` and `check` say of input that cannot be right: nothing is lost in silence, nothing is guessed."""

from __future__ import annotations

import io
import json
import warnings
import zlib

import pandas as pd
import pyarrow as pa
import pytest
from formats import (
    ALL_TGW,
    DEFAULT,
    NUMBERS,
    START,
    check,
    gz,
    line,
    names_of,
    nodata,
    parquet,
    parquet_of,
    read,
    record,
    rows,
    text,
)

import flowlens as fl

GOOD = [record(bytes=number, srcport=1000 + number) for number in range(5)]
LINES = text(GOOD).decode().splitlines()
BAD = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 one 2 6 3 4 1418530010 1418530070 ACCEPT OK"


def with_line(bad: str, place: int, end: str = "\n") -> bytes:
    """Return the good lines with a bad one at a place: 1 is right after the header."""
    return end.join([*LINES[:place], bad, *LINES[place:], ""]).encode()


def refused(data: bytes, **options: object) -> fl.ParseError:
    with pytest.raises(fl.ParseError) as caught:
        read(data, **options)
    return caught.value


# --- One bad value ---

WRONG = {
    "srcport": ["http", "65536", "-1", "0x50", "0X50", "80.0", "8 0", "1e3", "+80", "", "٣", "99999999999999999999999"],
    "protocol": ["tcp", "256", "-6", "6.0", "0x6"],
    "tcp_flags": ["SYN", "256", "-2"],
    "packets": ["many", "-1", "1.5", "9223372036854775808", "0xff", "1,000", "0b1"],
    "bytes": ["-840", "inf", "nan", "NULL", "0x10", "9" * 40],
    "start": ["2026-03-10T25:00:00Z", "1969-12-31T23:59:59Z", "-1", "noon", "100000000000000", "1.7e9"],
    "srcaddr": ["10.0.0.256", "1.2.3", "010.0.0.1", "10.0.0.01", "10.0.0.1/32", "host", "10.0.0.1.2",
                "2001:db8::1::2", "2001:db8:", "12345::", "fe80::1%eth0", "10.0.0.-1", "10.0.0.1:80", "0x0a.0.0.1"],
    "pkt_dstaddr": ["300.1.1.1", "nowhere"],
    "action": ["accept", "ALLOW", "ACCEPTED", "REJECT,", "6"],
    "log_status": ["ok", "NO-DATA", "FINE"],
    "flow_direction": ["inbound", "INGRESS"],
}  # fmt: skip
EXTENDED = [*DEFAULT, "tcp_flags", "pkt_dstaddr", "flow_direction"]


@pytest.mark.parametrize(("column", "value"), [(column, value) for column, values in WRONG.items() for value in values])
def test_a_value_that_cannot_be_is_reported_with_its_line_text_and_field(column, value):
    records = [dict(rec, tcp_flags=2, pkt_dstaddr="10.0.0.9", flow_direction="egress") for rec in GOOD]
    records.insert(2, dict(records[0], **{column: value}))
    data = text(records, EXTENDED)
    error = refused(data)
    assert (error.file, error.line) == ("<open file>", 4)
    assert error.text == line(records[2], EXTENDED)
    if value and " " not in value:
        name = column.replace("_", "-")
        assert name in error.reason
        assert repr(value) in error.reason
    assert len(error.bad_lines) == 1
    assert str(error).startswith(f"<open file>, line 4: {error.reason}")
    assert rows(read(data, on_bad_lines="skip")) == [rec for rec in records if rec is not records[2]]


@pytest.mark.parametrize("column", ["srcport", "protocol", "bytes", "srcaddr", "action", "log_status", "start"])
def test_a_value_of_a_column_that_is_not_read_is_not_checked(column):
    records = [record(), record(**{column: "1.5.x"})]
    kept = [name for name in ("version", "interface_id", "dstaddr") if name != column]
    assert rows(read(text(records), columns=kept)) == [{name: rec[name] for name in kept} for rec in records]


@pytest.mark.parametrize("word", ["0", "00", "0080", "65535", "000000000000000000000080"])
def test_odd_spellings_of_a_sound_number_are_read_alike_by_both_ways_of_reading(word):
    data = text([record(srcport=word)])
    assert rows(read(data)) == rows(read(data.replace(b" OK", b"  OK"))) == [record(srcport=int(word))]


@pytest.mark.parametrize("column", ["srcport", "bytes", "start"])
@pytest.mark.parametrize("word", ["-0", "+80", "0x50", "8e1", "80.0", "1_0"])
def test_odd_spellings_that_arrow_or_python_might_take_are_refused_by_both_ways_of_reading(column, word):
    data = text([record(), record(**{column: word})])
    for form in (data, data.replace(b" OK", b"  OK")):
        assert check(form)["line"].tolist() == [3]


# --- Wrong numbers of values ---


@pytest.mark.parametrize("place", [1, 3, 6])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("bad", "count"),
    [
        (LINES[1].rsplit(" ", 1)[0], 13),
        (LINES[1] + " extra", 15),
        ("2", 1),
        ("2 1234", 2),
        (LINES[1] + " " + LINES[2], 28),
        ("eni-1 has no traffic", 4),
    ],
)
def test_a_line_too_short_or_too_long_is_reported_and_the_others_are_read(place, end, bad, count):
    data = with_line(bad, place, end)
    error = refused(data)
    assert (error.line, error.text) == (place + 1, bad)
    assert str(count) in error.reason
    assert "14" in error.reason
    assert rows(read(data, on_bad_lines="skip")) == GOOD


def test_a_value_lost_beside_a_double_space_does_not_shift_the_others():
    data = with_line(LINES[1].replace(" 443 ", "  "), 2)
    assert refused(data).line == 3
    assert rows(read(data, on_bad_lines="skip")) == GOOD


def test_the_last_line_may_be_cut_short():
    data = text(GOOD)[:-12]
    error = refused(data)
    assert error.line == 6
    assert rows(read(data, on_bad_lines="skip")) == GOOD[:4]


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"caf\xe9", b"\xc3"])
@pytest.mark.parametrize("name", ["account_id", "interface_id", "srcport"])
def test_a_line_that_is_not_utf8_is_reported(damage, name):
    data = text([GOOD[0], dict(GOOD[1], **{name: "@@"}), GOOD[2]]).replace(b"@@", damage)
    error = refused(data)
    assert error.line == 3
    assert rows(read(data, on_bad_lines="skip")) == [GOOD[0], GOOD[2]]
    assert check(data)["line"].tolist() == [3]


def test_a_dash_in_a_number_is_missing_and_no_error():
    assert rows(read(text([record(srcport=None)])))[0]["srcport"] is None


# --- Where the trouble is ---


def big(count: int) -> list[str]:
    return [
        f"2 123456789010 eni-{number % 7} 10.0.{number // 250 % 250}.{number % 250} 10.9.0.1 {number % 60000} 443 6 3 "
        f"{number} {START} {START + 59} ACCEPT OK"
        for number in range(count)
    ]


BIG = big(14_000)  # 1.1 MB


@pytest.mark.parametrize("places", [[0], [13_999], [5, 6, 7, 8_000, 8_001, 13_998], list(range(100, 14_000, 1_500))])
@pytest.mark.parametrize(("end", "header"), [("\n", False), ("\r\n", True)])
def test_line_numbers_are_right_deep_inside_a_big_file(places, end, header):
    lines = list(BIG)
    for place in places:
        lines[place] = BAD
    lead = ["# a comment", "", LINES[0]] if header else []
    if not header and places[0] == 0:
        lead = ["# a comment"]
    data = end.join([*lead, *lines, ""]).encode()
    assert len(data) > 1 << 20
    bad = check(data)
    assert bad["line"].tolist() == [place + len(lead) + 1 for place in places]
    assert set(bad["text"]) == {BAD}
    assert set(bad["reason"]) == {"srcport is 'one', not a whole number from 0 to 65535"}
    error = refused(data)
    assert error.line == places[0] + len(lead) + 1
    assert len(error.bad_lines) == len(places)
    by_hand = [row for place, row in enumerate(BIG) if place not in set(places)]
    kept = read(data, on_bad_lines="skip")
    pd.testing.assert_frame_equal(kept, read(end.join([LINES[0], *by_hand, ""]).encode()))


def test_comments_blank_lines_and_headers_in_the_middle_count_as_lines():
    data = "\n".join([*LINES[:3], "# comment", "", LINES[0], LINES[3], BAD, "   ", LINES[4], "# end", BAD]).encode()
    assert check(data)["line"].tolist() == [8, 12]


def test_below_a_header_that_names_a_field_twice_nothing_is_read_until_the_next_header():
    twofold = LINES[0].replace("packets", "version")
    data = "\n".join([*LINES[:2], twofold, "# comment", "", LINES[2], BAD, LINES[0], *LINES[3:]]).encode()
    why = "the header names the field 'version' more than once"
    bad = check(data)
    assert bad["line"].tolist() == [3, 6, 7]
    assert bad["text"].tolist() == [twofold, LINES[2], BAD]
    assert bad["reason"].tolist() == [why, f"{why} (line 3)", f"{why} (line 3)"]
    assert rows(read(data, on_bad_lines="skip")) == [GOOD[0], *GOOD[2:]]


def test_a_first_header_that_names_a_field_twice_hides_no_other_header():
    twofold = LINES[0].replace("packets", "version")
    data = "\n".join(["# comment", twofold, LINES[1], *LINES]).encode()
    assert check(data)["line"].tolist() == [2, 3]
    assert rows(read(data, on_bad_lines="skip")) == GOOD
    alone = check("\n".join(["# comment", twofold, *LINES[1:]]).encode())
    assert alone[["line", "text"]].to_numpy().tolist() == [[2, twofold]]


def test_line_numbers_count_on_behind_a_byte_order_mark_and_old_mac_line_ends():
    assert check(b"\xef\xbb\xbf" + "\r".join([*LINES, BAD]).encode())["line"].tolist() == [7]


def test_every_file_is_named_and_all_bad_lines_are_listed_in_order(tmp_path):
    paths = [tmp_path / name for name in ("a.log", "b.log", "c.log.gz")]
    paths[0].write_bytes(with_line(BAD, 2))
    paths[1].write_bytes(text(GOOD))
    paths[2].write_bytes(gz(with_line("short line", 1)))
    bad = fl.check(tmp_path)
    assert bad[["file", "line", "text"]].to_numpy().tolist() == [
        [str(paths[0]), 3, BAD],
        [str(paths[2]), 2, "short line"],
    ]
    with pytest.raises(fl.ParseError, match="1 more bad line") as caught:
        fl.read(tmp_path)
    assert caught.value.file == str(paths[0])
    assert rows(fl.read(tmp_path, on_bad_lines="skip")) == GOOD * 3


def test_parse_error_is_a_value_error_and_says_what_to_do():
    error = refused(with_line(BAD, 1))
    assert isinstance(error, ValueError)
    assert isinstance(error, fl.FlowlensError)
    assert "on_bad_lines" in str(error)
    assert "fl.check" in str(error)
    assert BAD in str(error)


def test_a_very_long_bad_line_is_kept_whole_and_shown_in_part():
    long = "x" * 5000
    error = refused(with_line(long, 1))
    assert error.text == long
    assert len(str(error)) < 1000


# --- What to do with bad lines ---


@pytest.mark.parametrize("count", [1, 2, 5, 1234])
def test_warn_returns_every_good_line_in_order_and_says_how_many_are_left_out(count):
    data = "\n".join([*LINES[:3], *[BAD] * count, *LINES[3:]]).encode()
    with pytest.warns(UserWarning, match=rf"^{count:,} lines? could not be read") as caught:
        df = read(data, on_bad_lines="warn")
    assert rows(df) == GOOD
    assert len(caught) == 1
    assert "line 4" in str(caught[0].message)
    assert len(str(caught[0].message)) < 2000


def test_the_warning_points_at_the_line_that_called_read():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fl.read(io.BytesIO(with_line(BAD, 1)), on_bad_lines="warn")
    assert [warning.filename for warning in caught] == [__file__]


def test_skip_is_silent(recwarn, capsys):
    assert rows(read(with_line(BAD, 4), on_bad_lines="skip")) == GOOD
    assert not recwarn.list
    assert capsys.readouterr() == ("", "")


def test_a_file_of_bad_lines_only_gives_an_empty_frame_where_that_is_wanted():
    data = "\n".join([LINES[0], BAD, BAD]).encode()
    assert refused(data).line == 2
    df = read(data, on_bad_lines="skip")
    assert len(df) == 0
    assert list(df.columns) == DEFAULT
    assert check(data)["line"].tolist() == [2, 3]


def test_time_and_columns_apply_beside_bad_lines():
    data = with_line(BAD, 2)
    df = read(data, on_bad_lines="skip", columns=["srcport", "bytes"], time=(pd.Timestamp(START, unit="s"), None))
    assert rows(df) == [{name: rec[name] for name in ("srcport", "bytes")} for rec in GOOD]


def test_one_file_that_is_no_flow_log_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.log").write_bytes(text(GOOD))
    (tmp_path / "b.json").write_bytes(CLOUDTRAIL)
    (tmp_path / "c.log").write_bytes(text(GOOD))
    with pytest.raises(fl.ParseError) as caught:
        fl.read(tmp_path)
    assert caught.value.file.endswith("b.json")
    with pytest.warns(UserWarning, match=r"b\.json"):
        assert rows(fl.read(tmp_path, on_bad_lines="warn")) == GOOD * 2
    assert fl.check(tmp_path)["file"].tolist() == [str(tmp_path / "b.json")]


# --- No flow log at all ---

CLOUDTRAIL = json.dumps({"Records": [{"eventVersion": "1.08", "sourceIPAddress": "10.0.0.1"}]}).encode()
GCP = json.dumps({"jsonPayload": {"connection": {"src_ip": "10.0.0.1", "dest_ip": "10.0.0.2"}}}).encode()
ELB = (
    b"http 2026-03-10T14:00:00.1Z app/lb/50dc 192.168.131.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "
    b'"GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - -\n'
)
NO_FLOW_LOG = {
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "zip": b"PK\x03\x04\x14\0\0\0\x08\0",
    "zlib": zlib.compress(text(GOOD)),
    "CloudTrail": CLOUDTRAIL,
    "GCP flow log": GCP,
    "JSON lines": GCP + b"\n" + GCP,
    "JSON list": b" [1, 2]",
    "gzip of JSON": gz(CLOUDTRAIL),
    "CSV of something else": b"name,amount\nalice,5\nbob,6\n",
    "CSV with flow log names": b"srcaddr,dstaddr,bytes\n10.0.0.1,10.0.0.2,5\n",
    "prose": b"Dear all,\nplease find the flow logs attached.\n",
    "lower-case prose": b"please find the start and end of the version\nthank you\n",
    "one word": b"version2",
    "load balancer log": ELB,
    "fourteen words": b"a b c d e f g h i j k l m n\n",
    "noise": bytes(range(256)) * 20,
    "HTML": b"<html><body>AccessDenied</body></html>",
    "S3 error": b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
}


@pytest.mark.parametrize("kind", NO_FLOW_LOG)
def test_what_is_no_flow_log_is_refused_and_never_read(kind):
    data = NO_FLOW_LOG[kind]
    error = refused(data)
    assert error.file == "<open file>"
    assert error.reason
    for option in ("skip", "warn"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert len(read(data, on_bad_lines=option)) == 0
        except fl.ParseError:
            pass
    assert len(check(data)) >= 1


CUSTOM = [
    " ".join(sorted(DEFAULT)),
    "version vpc-id subnet-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol bytes packets start end action tcp-flags",
]


@pytest.mark.parametrize("fields", CUSTOM, ids=range(3))
def test_a_custom_format_of_fourteen_fields_without_header_is_refused_and_not_guessed(fields):
    records = [record(version=3, vpc_id="vpc-1", subnet_id="subnet-1", tcp_flags=2, bytes=n) for n in range(30)]
    names = [name.replace("-", "_") for name in fields.split()]
    error = refused(text(records, names, header=False))
    assert "fields=" in str(error)
    assert error.line == 1


@pytest.mark.parametrize("version", [3, 5, 10, 11])
def test_a_version_other_than_2_is_not_the_default_format_even_if_all_values_would_fit(version):
    assert "fields=" in str(refused(text([record(version=version)], header=False)))


def test_a_transit_gateway_log_without_header_is_refused_and_not_guessed():
    values = {name: 6 if name in NUMBERS else "10.0.0.1" if name.endswith("addr") else None for name in ALL_TGW}
    values |= {"start": START, "end": START, "log_status": "OK"}
    assert "fields=" in str(refused(text([values], ALL_TGW, header=False)))


def test_nodata_records_alone_are_still_the_default_format():
    records = [nodata(start=START + number) for number in range(3)]
    assert rows(read(text(records, header=False))) == records


def test_wrong_fields_are_reported_line_by_line():
    error = refused(text(GOOD, header=False), fields="srcaddr dstaddr bytes")
    assert "14 values where the format has 3 fields" in error.reason
    assert len(error.bad_lines) == len(GOOD)


def test_a_header_that_names_a_field_twice_is_refused_with_its_line_and_hides_no_other_file(tmp_path):
    (tmp_path / "a.log").write_bytes(b"# odd\nsrcaddr dstaddr vpc-id vpc-id\n10.0.0.1 10.0.0.2 vpc-1 vpc-2\n")
    (tmp_path / "b.log").write_bytes(text(GOOD))
    with pytest.raises(fl.ParseError, match="vpc-id") as caught:
        fl.read(tmp_path)
    assert (caught.value.line, caught.value.text) == (2, "srcaddr dstaddr vpc-id vpc-id")
    assert rows(fl.read(tmp_path, on_bad_lines="skip")) == GOOD
    assert fl.check(tmp_path)["line"].tolist() == [2]


# --- Damaged gzip ---

ZIPPED = gz(text(GOOD))


@pytest.mark.parametrize("length", range(len(ZIPPED)))
def test_a_truncated_gzip_is_reported_wherever_it_ends_and_whole_lines_are_kept(length):
    data = ZIPPED[:length]
    if length == 0:
        assert len(read(data)) == 0
        return
    error = refused(data)
    assert error.reason
    assert not check(data).empty
    if length > 2:
        assert "truncated" in error.reason
        try:
            kept = rows(read(data, on_bad_lines="skip"))
        except fl.ParseError:
            kept = []
        assert kept == GOOD[: len(kept)]


def test_of_a_gzip_without_its_trailer_every_record_is_kept_and_the_damage_is_reported():
    data = ZIPPED[:-8]
    assert refused(data).line == 7
    assert rows(read(data, on_bad_lines="skip")) == GOOD


@pytest.mark.parametrize("place", range(10, len(ZIPPED), 3))
def test_a_flipped_byte_in_gzip_never_changes_a_record_unnoticed(place):
    data = bytearray(ZIPPED)
    data[place] ^= 0x41
    try:
        df = read(bytes(data))
    except fl.ParseError as error:
        assert error.reason  # noqa: PT017
        assert not check(bytes(data)).empty
    else:
        assert rows(df) == GOOD


def test_damage_in_a_later_member_keeps_the_members_before_it():
    damaged = bytearray(gz(text(GOOD, header=False)))
    damaged[-6] ^= 0xFF
    data = ZIPPED + bytes(damaged)
    error = refused(data)
    assert "gzip" in error.reason
    assert rows(read(data, on_bad_lines="skip"))[:5] == GOOD


def test_bytes_after_the_gzip_stream_are_reported():
    data = ZIPPED + b"and more"
    assert "gzip" in refused(data).reason
    assert rows(read(data, on_bad_lines="skip")) == GOOD


def test_bad_lines_of_a_truncated_gzip_are_reported_beside_the_damage():
    data = gz(with_line(BAD, 2))[:-8]
    assert check(data)["line"].tolist() == [3, 8]


# --- Damaged Parquet ---

COLUMNAR = parquet(GOOD)


@pytest.mark.parametrize(
    "length", [4, 5, 8, 100, len(COLUMNAR) // 2, len(COLUMNAR) - 9, len(COLUMNAR) - 4, len(COLUMNAR) - 1]
)
def test_a_truncated_parquet_file_is_refused(length):
    error = refused(COLUMNAR[:length])
    assert "Parquet" in error.reason
    assert len(check(COLUMNAR[:length])) == 1


@pytest.mark.parametrize("place", range(4, len(COLUMNAR), 97))
def test_a_damaged_parquet_file_is_read_or_refused_and_raises_nothing_else(place):
    data = bytearray(COLUMNAR)
    data[place] ^= 0x5A
    try:
        read(bytes(data), on_bad_lines="skip")
    except fl.ParseError as error:
        assert error.reason  # noqa: PT017


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"name": ["alice"], "amount": [5]}),
        pa.table({"time": [1], "src_endpoint": [{"ip": "10.0.0.1"}], "action": ["Allowed"]}),
        pa.table({"x": pa.array([], pa.int32())}),
    ],
    ids=["sales", "Security Lake", "empty"],
)
def test_parquet_without_flow_log_columns_is_refused(table):
    assert "no columns of a flow log" in refused(parquet_of(table)).reason


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("srcport", pa.array([1, 65536, 3], pa.int32())),
        ("srcport", pa.array([1, -1, 3], pa.int32())),
        ("srcport", ["1", "http", "3"]),
        ("srcport", [1.0, 2.5, 3.0]),
        ("bytes", pa.array([1, 2**64 - 1, 3], pa.uint64())),
        ("protocol", pa.array([6, 300, 6], pa.int64())),
        ("srcaddr", ["10.0.0.1", "10.0.0.256", "10.0.0.3"]),
        ("action", ["ACCEPT", "maybe", "-"]),
        ("start", pa.array([1, -5, None], pa.int64())),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_parquet_value_that_cannot_be_is_reported_with_its_row(column, values):
    table = pa.table({"srcaddr": ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "dstaddr": ["::1"] * 3} | {column: values})
    data = parquet_of(table)
    error = refused(data)
    assert error.line == 2
    assert column.replace("_", "-") in error.reason
    assert [row["srcaddr"] for row in rows(read(data, on_bad_lines="skip"))] == ["10.0.0.1", "10.0.0.3"]
    assert check(data)["line"].tolist() == [2]


def test_a_nested_parquet_column_raises_no_arrow_error():
    table = pa.table({"srcaddr": ["::1"], "dstaddr": ["::2"], "tags": [["a", "b"]]})
    try:
        df = read(parquet_of(table))
    except fl.ParseError as error:
        assert "tags" in error.reason  # noqa: PT017
    else:
        assert rows(df[["srcaddr", "dstaddr"]]) == [{"srcaddr": "::1", "dstaddr": "::2"}]
        assert df["tags"].dtype == "category"


def test_names_of_keeps_the_order_of_the_helper():
    assert names_of([{"b": 1, "a": 2}, {"c": 3}]) == ["b", "a", "c"]


def test_a_comment_may_be_in_any_encoding():
    data = b"# caf\xe9\n" + text(GOOD) + b"# caf\xe9\n"
    assert rows(read(data)) == GOOD
    data = text(GOOD).replace(b"OK\n", b"OK  # caf\xe9\n", 2)
    assert rows(read(data)) == GOOD


@pytest.mark.parametrize("wrap", ["lines", "events"])
@pytest.mark.parametrize("swap", [("packets", "bytes"), ("start", "end")])
def test_a_format_that_differs_from_the_default_in_its_order_only_is_not_taken_for_it(swap, wrap):
    # AWS's own example of a format has bytes before packets.
    order = [{swap[0]: swap[1], swap[1]: swap[0]}.get(name, name) for name in DEFAULT]
    records = [record(packets=20 + number, bytes=4000 + number) for number in range(3)]
    lines_of_log = text(records, order, header=False)
    data = lines_of_log
    if wrap == "events":
        messages = [{"message": message} for message in lines_of_log.decode().splitlines()]
        data = json.dumps({"events": messages}).encode()
    with pytest.raises(fl.ParseError, match="Pass their format"):
        read(data)
    assert rows(read(data, fields=order)) == [{name: rec[name] for name in order} for rec in records]
