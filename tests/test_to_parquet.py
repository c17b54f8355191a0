"""`df.flow.to_parquet`: what it writes reads back the same, reads elsewhere as AWS's files do, and harms nothing."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import ALL_TGW, ALL_VPC, NUMBERS, START, TIMES, columns, frame, nodata, read, record, rows, text
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, logs

import flowlens as fl

HOUR, DAY = 3600, 86400
EVERY = ("year", "month", "day", "hour")
TAGS = columns("instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2")
NO_TIME = "__HIVE_DEFAULT_PARTITION__"


def folders(files: list[Path], target: Path) -> list[str]:
    return [file.parent.relative_to(target).as_posix() for file in files]


def everything_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def the_same_again(df: pd.DataFrame, target: Path, **options: object) -> None:
    df.flow.to_parquet(target, **options)
    pd.testing.assert_frame_equal(fl.read(target), df)


def stored(target: Path) -> pa.Table:
    """Return what the one file below a folder holds, as Arrow reads it without help."""
    (file,) = target.rglob("*.parquet")
    return pq.ParquetFile(file).read()


# --- Folders ---


def test_records_go_to_the_folder_of_their_day_in_utc(tmp_path):
    # 2026-03-10 14:00 is START; the last second of that day and the first of the next are ten hours later
    midnight = START + 10 * HOUR
    df = frame(record(start=START), record(start=midnight - 1), record(start=midnight), record(start=START + 22 * DAY))
    files = df.flow.to_parquet(tmp_path)
    assert folders(files, tmp_path) == [
        "year=2026/month=03/day=10", "year=2026/month=03/day=11", "year=2026/month=04/day=01",
    ]  # fmt: skip
    assert all(file.suffix == ".parquet" and file.is_file() for file in files)
    assert [len(fl.read(file)) for file in files] == [2, 1, 1]


@pytest.mark.parametrize(
    ("partition_by", "folder"),
    [
        (("year", "month", "day"), "year=2026/month=03/day=10"),
        (("year", "month", "day", "hour"), "year=2026/month=03/day=10/hour=14"),
        (("year",), "year=2026"),
        (("hour", "day"), "hour=14/day=10"),
        (["month"], "month=03"),
        ((), "."),
    ],
)
def test_folders_are_those_asked_for_from_the_outermost(tmp_path, partition_by, folder):
    files = frame(record(), record(start=START + HOUR - 1)).flow.to_parquet(tmp_path, partition_by=partition_by)
    assert folders(files, tmp_path) == [folder]


def test_one_hour_of_several_days_is_one_folder_in_their_order(tmp_path):
    df = frame(*(record(start=START + hours * HOUR, srcport=hours) for hours in (24, 1, 0, 25, 48)))
    files = df.flow.to_parquet(tmp_path, partition_by=("hour",))
    assert folders(files, tmp_path) == ["hour=14", "hour=15"]
    assert [fl.read(file)["srcport"].tolist() for file in files] == [[24, 0, 48], [1, 25]]


@pytest.mark.parametrize("partition_by", [None, "day", ("week",), ("day", "day"), ("year", 3), (None,), "", 7])
def test_other_folders_are_refused_with_a_list_of_those_there_are(tmp_path, partition_by):
    with pytest.raises(ValueError, match=r"'year', 'month', 'day', 'hour'.* at most once"):
        frame(record()).flow.to_parquet(tmp_path, partition_by=partition_by)
    assert not everything_below(tmp_path)


def test_records_keep_their_order_within_a_folder(tmp_path):
    days = [1, 0, 1, 2, 0, 1]
    df = frame(*(record(start=START + day * DAY, srcport=place) for place, day in enumerate(days)))
    files = df.flow.to_parquet(tmp_path)
    assert [fl.read(file)["srcport"].tolist() for file in files] == [[1, 4], [0, 2, 5], [3]]


def test_records_without_a_time_go_to_the_folder_that_hive_has_for_them_and_come_last(tmp_path):
    df = frame(record(start=None, srcport=1), record(srcport=2), record(start=None, srcport=3))
    files = df.flow.to_parquet(tmp_path, partition_by=("year", "month"))
    assert folders(files, tmp_path) == ["year=2026/month=03", f"year={NO_TIME}/month={NO_TIME}"]
    assert fl.read(tmp_path)["srcport"].tolist() == [2, 1, 3]


def test_a_log_without_times_is_written_without_folders_only(tmp_path):
    df = read(b"srcaddr dstaddr\n10.0.0.1 10.0.0.2\n")
    with pytest.raises(fl.MissingFieldError, match=r"year, month, day \(partition_by=\(\).*\$\{start\}"):
        df.flow.to_parquet(tmp_path)
    assert not everything_below(tmp_path)
    the_same_again(df, tmp_path, partition_by=())


# --- Back again ---

EDGES = {
    "NODATA and SKIPDATA": [record(), nodata(), nodata(log_status="SKIPDATA"), record(srcport=1)],
    "only NODATA": [nodata()],
    "port 0 and flags 0": [record(srcport=0, dstport=0, protocol=1, tcp_flags=0), record(tcp_flags=None)],
    "the largest values": [record(**NUMBERS, start=10**11 - 1, end=10**11 - 1)],
    "the epoch": [record(start=0, end=0)],
    "IPv6": [record(srcaddr="2001:db8::1", dstaddr="::ffff:10.0.0.1"), record(dstaddr="2001:db8::1")],
    "accounts": [record(account_id="051856882135"), record(account_id="unknown"), record(account_id=None)],
    "fields AWS may invent": [record(hop_count="7", tls="1.3"), record(hop_count=None, tls="x")],
    "columns without a value": [record(reject_reason=None, traffic_path=None, hop_count=None, instance_tag=None)],
    "no times": [record(start=None, end=None)],
    "ids that look like other things": [record(vpc_id="NaN", subnet_id="null", instance_id="None", region="1e5")],
}


@pytest.mark.parametrize("partition_by", [("year", "month", "day"), EVERY, ()])
@pytest.mark.parametrize("records", EDGES.values(), ids=EDGES)
def test_a_log_reads_back_as_it_was(tmp_path, records, partition_by):
    df = frame(*records)
    assert rows(df) == [{name: rec.get(name) for name in df.columns} for rec in records]
    the_same_again(df, tmp_path, partition_by=partition_by)


def test_every_field_of_both_kinds_of_log_reads_back_as_it_was(tmp_path):
    for kind, names in {"vpc": ALL_VPC, "tgw": ALL_TGW}.items():
        values = dict.fromkeys(names, "x") | {"srcaddr": "10.0.0.1", "dstaddr": "::1", "pkt_srcaddr": "10.0.0.2"}
        values |= {name: largest for name, largest in NUMBERS.items() if name in names} | dict.fromkeys(TIMES, START)
        values |= {"pkt_dstaddr": None, "action": "REJECT", "log_status": "OK", "flow_direction": "ingress"}
        records = [{name: values[name] for name in names}, dict.fromkeys(names) | {"start": START, "log_status": "OK"}]
        df = read(text(records, names))
        assert list(df.columns) == names
        the_same_again(df, tmp_path / kind)


def test_the_sample_reads_back_as_it_was(tmp_path):
    df = fl.sample()
    df.flow.to_parquet(tmp_path)
    again = fl.read(tmp_path)
    assert again.equals(df)  # assert_frame_equal takes ten seconds
    assert again.dtypes.equals(df.dtypes)


@pytest.mark.parametrize("partition_by", [("year", "month", "day"), ()])
def test_a_frame_without_records_is_one_file_that_holds_the_columns(tmp_path, partition_by):
    df = frame(record(hop_count="7")).iloc[:0]
    files = df.flow.to_parquet(tmp_path, partition_by=partition_by)
    assert folders(files, tmp_path) == ["."]
    again = fl.read(tmp_path)
    assert again.empty
    assert list(again.columns) == list(df.columns)
    the_same_again(again, tmp_path / "again", partition_by=partition_by)


def test_a_frame_without_records_adds_nothing_to_a_table(tmp_path):
    df = frame(record())
    df.flow.to_parquet(tmp_path)
    there = everything_below(tmp_path)
    assert df.iloc[:0].flow.to_parquet(tmp_path) == []
    assert everything_below(tmp_path) == there


#: Layouts that `df.flow` works on
FLOWS = LAYOUTS.map(lambda layout: list(dict.fromkeys([*layout, "srcaddr", "dstaddr"])))


@given(log=logs(FLOWS), partition_by=st.lists(st.sampled_from(EVERY), unique=True).map(tuple))
def test_any_log_reads_back_as_it_was_in_the_order_of_its_folders(tmp_path_factory, log, partition_by):
    layout, records = log
    df, target = read(text(records, layout)), tmp_path_factory.mktemp("out")
    if "start" not in layout:
        partition_by = ()

    def place(row: dict[str, object]) -> list[str]:
        if row.get("start") is None:
            return [NO_TIME for _ in partition_by]  # letters sort after digits
        when = dt.datetime.fromtimestamp(row["start"], dt.UTC)
        return [f"{getattr(when, key):02}" for key in partition_by]

    df.flow.to_parquet(target, partition_by=partition_by)

    again, in_order = fl.read(target), sorted(rows(df), key=place)
    assert rows(again) == in_order
    if in_order == rows(df):
        pd.testing.assert_frame_equal(again, df)


def test_a_frame_of_plain_columns_makes_the_same_file(tmp_path):
    df = frame(*EDGES["NODATA and SKIPDATA"], *EDGES["accounts"], record(hop_count="7", tcp_flags=18))
    plain = df.astype({name: "object" for name in df.columns if df[name].dtype == "category"})
    as_logged = pd.DataFrame(
        [["-" if value is None else str(value) for value in row.values()] for row in rows(df)], columns=df.columns
    )
    for name, other in {"typed": df, "plain": plain, "as logged": as_logged}.items():
        other.flow.to_parquet(tmp_path / name)
    for name in ("plain", "as logged"):
        assert stored(tmp_path / name).equals(stored(tmp_path / "typed"))
        pd.testing.assert_frame_equal(fl.read(tmp_path / name), df)


def test_names_as_in_a_log_format_become_those_of_parquet(tmp_path):
    df = frame(record(tcp_flags=2))
    hyphens = df.rename(columns={name: name.replace("_", "-") for name in df.columns})
    the_same_again(df, tmp_path / "a")
    hyphens.flow.to_parquet(tmp_path / "b")
    assert stored(tmp_path / "b").equals(stored(tmp_path / "a"))


def test_the_frame_is_not_changed_and_its_index_is_not_stored(tmp_path):
    df = frame(record(), record(srcport=1)).set_index(pd.Index(["b", "a"], name="label"))
    before = df.copy(deep=True)
    df.flow.to_parquet(tmp_path)
    pd.testing.assert_frame_equal(df, before)
    assert stored(tmp_path).column_names == list(df.columns)


# --- Tags ---

#: A tag value, and how AWS logs it: UTF-8 in which only letters and digits of ASCII stand for themselves.
#: A lone dash is not decoded by `read`, or it would look like a missing value.
ENCODED = {
    "web1": "web1",
    "my-app": "my%2Dapp",
    "--": "%2D%2D",
    "two words": "two%20words",
    "a_b.c~d": "a%5Fb%2Ec%7Ed",
    "100%": "100%25",
    "%2D": "%2D",
    "%2d": "%252d",
    "été": "%C3%A9t%C3%A9",
    "中🙂": "%E4%B8%AD%F0%9F%99%82",
}


@pytest.mark.parametrize("name", TAGS)
def test_values_of_tags_are_stored_as_aws_logs_them(tmp_path, name):
    tags = [*ENCODED, None]
    df = frame(*(record() for _ in tags)).assign(**{name: pd.Categorical(tags)})
    df.flow.to_parquet(tmp_path)
    assert stored(tmp_path)[name].to_pylist() == [*ENCODED.values(), None]


def test_values_of_tags_read_back_as_they_were(tmp_path):
    the_same_again(frame(*(record(instance_tag=tag, asg_tag_2=tag) for tag in (*ENCODED.values(), None))), tmp_path)


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_a_dash_is_a_missing_tag_as_it_is_a_missing_value_everywhere(tmp_path, dtype):
    df = frame(record(), record()).assign(interface_tag=pd.Series(["-", "a-b"], dtype=dtype))
    df.flow.to_parquet(tmp_path)
    assert stored(tmp_path)["interface_tag"].to_pylist() == [None, "a%2Db"]


# --- Types, as in AWS's table definitions for Athena: int, bigint, string ---

INT = {"version", "srcport", "dstport", "protocol", "tcp_flags", "traffic_path", "encryption_status"}
BIGINT = {
    "packets", "bytes", "start", "end", "packets_lost_no_route", "packets_lost_blackhole", "packets_lost_mtu_exceeded",
    "packets_lost_ttl_expired",
}  # fmt: skip


def test_types_are_those_of_athenas_tables(tmp_path):
    names = list(dict.fromkeys([*ALL_VPC, *ALL_TGW, "hop_count"]))
    some = record(**dict.fromkeys(set(names) & (INT | BIGINT), 7), hop_count="7")
    read(text([some, nodata(), dict.fromkeys(names)], names)).flow.to_parquet(tmp_path, partition_by=())
    (file,) = tmp_path.iterdir()
    for column in (pq.ParquetFile(file).schema.column(place) for place in range(len(names))):
        expected = "INT32" if column.name in INT else "INT64" if column.name in BIGINT else "BYTE_ARRAY"
        assert column.physical_type == expected, column.name
        # Athena's int and bigint are signed, and 8 or 16 bits would be tinyint and smallint.
        assert column.logical_type.type == ("STRING" if expected == "BYTE_ARRAY" else "NONE"), column.name


def test_no_reader_is_told_of_pandas_or_arrow(tmp_path):
    frame(record()).flow.to_parquet(tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    parquet = pq.ParquetFile(file)
    assert parquet.metadata.metadata is None
    assert parquet.schema_arrow.field("action").type == pa.string()
    again = pd.read_parquet(file)
    assert again["account_id"].tolist() == ["123456789010"]
    assert again["start"].tolist() == [START]


def test_words_are_stored_once_each_and_missing_values_as_null(tmp_path):
    df = frame(*[record(interface_id=eni) for eni in ("eni-1", "eni-2", None)] * 1000)
    (file,) = df.flow.to_parquet(tmp_path)
    column = next(
        part
        for part in map(pq.ParquetFile(file).metadata.row_group(0).column, range(len(df.columns)))
        if part.path_in_schema == "interface_id"
    )
    assert column.has_dictionary_page
    assert column.compression == "ZSTD"
    assert column.statistics.null_count == 1000
    assert (column.statistics.min, column.statistics.max) == ("eni-1", "eni-2")


def test_a_file_holds_no_word_of_other_records(tmp_path):
    secret = "eni-0123456789abcdef0"
    df = frame(record(interface_id=secret), *[record(start=START + DAY)] * 30)
    the_day, the_next = df.flow.to_parquet(tmp_path / "days")
    (filtered,) = df.flow.select(time=("2026-03-11", None)).flow.to_parquet(tmp_path / "filtered")
    unpacked = {}
    for file in (the_day, the_next, filtered):
        data = pq.ParquetFile(file, read_dictionary=["interface_id"]).read()["interface_id"].chunk(0)
        unpacked[file] = data.dictionary.to_pylist()
    assert unpacked == {
        the_day: [secret],
        the_next: ["eni-1235b8ca123456789"],
        filtered: ["eni-1235b8ca123456789"],
    }


def test_columns_of_the_user_keep_numbers_truth_values_and_times(tmp_path):
    df = frame(record(), record()).assign(
        score=[0.5, np.nan],
        half=np.array([0.5, 1], "f2"),
        hits=[1, 2],
        maybe=pd.array([3, None], dtype="Int16"),
        odd=[True, False],
        unsure=pd.Series([True, None], dtype=object),
        seen=pd.to_datetime(["2026-03-10 14:00", None]).tz_localize("Europe/Berlin"),
        exact=pd.to_datetime(["2026-03-10 14:00:00.123456789", None]).astype("datetime64[ns]"),
        when=pd.to_datetime(["2026-03-10", None]).astype("datetime64[ns]"),
        on=[dt.date(2026, 3, 10), None],
        note=pd.Series(["x", "-"], dtype=object),
        label=pd.Categorical(["b", None]),
        level=pd.Categorical([2, None]),
        mixed=[1, "a"],
        many=[[1, 2], None],
        took=pd.to_timedelta([90, None], unit="s"),
        huge=[2**70, None],
    )
    df.flow.to_parquet(tmp_path)
    table = stored(tmp_path)
    us, ns = pa.timestamp("us"), pa.timestamp("ns")
    assert {name: table.schema.field(name).type for name in table.column_names[14:]} == {
        "score": pa.float64(), "half": pa.float32(), "hits": pa.int64(), "maybe": pa.int16(), "odd": pa.bool_(),
        "unsure": pa.bool_(), "seen": pa.timestamp("us", "UTC"), "exact": ns, "when": us, "on": pa.date32(),
        "note": pa.string(), "label": pa.string(), "level": pa.int64(), "mixed": pa.string(), "many": pa.string(),
        "took": pa.string(), "huge": pa.string(),
    }  # fmt: skip
    assert table.slice(0, 1).drop_columns(["seen", "exact", "when", "on"]).to_pylist()[0].items() >= {
        "score": 0.5, "half": 0.5, "hits": 1, "maybe": 3, "odd": True, "unsure": True, "note": "x", "label": "b",
        "level": 2, "mixed": "1", "many": "[1, 2]", "took": "0 days 00:01:30", "huge": str(2**70),
    }.items()  # fmt: skip
    assert table["seen"][0].as_py() == dt.datetime(2026, 3, 10, 13, tzinfo=dt.UTC)
    missing = {name for name in table.column_names[14:] if table[name][1].as_py() is None}
    assert missing == {
        "score", "maybe", "unsure", "seen", "exact", "when", "on", "note", "label", "level", "many", "took", "huge",
    }  # fmt: skip


def test_a_table_has_one_schema_in_all_its_files(tmp_path):
    # On the second day everything is missing that tells the type of a column.
    df = frame(record(hop_count="7"), nodata(start=START + DAY, hop_count=None)).assign(
        seen=pd.to_datetime(["2026-03-10", None]), kind=pd.Series([True, None], dtype=object)
    )
    schemas = [pq.read_schema(file) for file in df.flow.to_parquet(tmp_path)]
    assert schemas[0].equals(schemas[1])


# --- Columns that cannot be written ---


def test_two_columns_of_one_name_are_refused(tmp_path):
    df = frame(record())
    twice = pd.concat([df, df[["action"]]], axis="columns")
    with pytest.raises(ValueError, match="more than one column would be named 'action'"):
        twice.flow.to_parquet(tmp_path)
    with pytest.raises(ValueError, match="more than one column would be named 'log_status'"):
        df.assign(**{"log-status": "OK"}).flow.to_parquet(tmp_path)


def test_a_column_whose_name_is_no_text_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"7 is no text.*df\.rename\(columns=\{7: "):
        frame(record()).assign(x=1).rename(columns={"x": 7}).flow.to_parquet(tmp_path)


def test_a_column_with_the_name_of_a_folder_is_refused(tmp_path):
    df = frame(record()).assign(month=3)
    with pytest.raises(ValueError, match="'month'; drop or rename it, or leave 'month' out"):
        df.flow.to_parquet(tmp_path)
    df.flow.to_parquet(tmp_path, partition_by=("year", "day"))
    assert stored(tmp_path)["month"].to_pylist() == [3]


def test_a_value_that_cannot_be_in_its_field_is_reported_before_anything_is_written(tmp_path):
    with pytest.raises(fl.ParseError, match="dstport is 'https', not a number"):
        frame(record()).assign(dstport="https").flow.to_parquet(tmp_path / "out")
    assert not everything_below(tmp_path)


# --- Where to ---


def test_a_target_is_a_folder_by_text_or_path_and_made_when_it_is_not_there(tmp_path, monkeypatch):
    df = frame(record())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (first,) = df.flow.to_parquet(str(tmp_path / "a" / "b"))
    (second,) = df.flow.to_parquet("~/c")
    (third,) = df.flow.to_parquet(Path("d"))
    assert first.is_relative_to(tmp_path / "a" / "b")
    assert second.is_relative_to(tmp_path / "c")
    assert third.resolve().is_relative_to(tmp_path / "d")
    assert all(len(fl.read(file)) == 1 for file in (first, second, third))


@pytest.mark.parametrize("target", ["s3://bucket/logs", Path("s3://bucket/logs"), "abfss://box@x/y", "file:///tmp/x"])
def test_a_url_is_refused_with_what_to_do(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fl.FlowlensError, match=r"URLs cannot be written yet.*aws s3 sync"):
        frame(record()).flow.to_parquet(target)
    assert not everything_below(tmp_path)


def test_a_target_that_is_a_file_is_refused(tmp_path):
    file = tmp_path / "logs.parquet"
    file.write_bytes(b"mine")
    with pytest.raises(NotADirectoryError, match=r"logs\.parquet is a file; to_parquet needs a folder"):
        frame(record()).flow.to_parquet(file)
    assert file.read_bytes() == b"mine"


# --- Nothing doubles, nothing is lost ---


def test_days_can_be_added_one_by_one(tmp_path):
    days = [frame(record(start=START + day * DAY, srcport=day)) for day in range(3)]
    for day in (1, 0, 2):
        days[day].flow.to_parquet(tmp_path)
    pd.testing.assert_frame_equal(fl.read(tmp_path), frame(*(rows(day)[0] for day in days)))


def test_what_is_written_twice_is_refused_before_anything_is_written(tmp_path):
    df = frame(record(), record(start=START + DAY))
    df.flow.select(time=("2026-03-11", None)).flow.to_parquet(tmp_path)
    there = everything_below(tmp_path)
    with pytest.raises(FileExistsError, match=r"day=11 already holds data \(flow-logs-.*Delete that folder"):
        df.flow.to_parquet(tmp_path)
    assert everything_below(tmp_path) == there


@pytest.mark.parametrize("name", ["old.parquet", "123_vpcflowlogs.log.gz", "hour=14/old.parquet", "sub/folder/x"])
def test_a_folder_that_holds_data_of_others_is_refused(tmp_path, name):
    file = tmp_path / "year=2026/month=03/day=10" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"data")
    with pytest.raises(FileExistsError, match="day=10 already holds data"):
        frame(record()).flow.to_parquet(tmp_path)


@pytest.mark.parametrize("name", ["_SUCCESS", ".part.crc", "_temporary/0/x.parquet"])
def test_bookkeeping_of_other_tools_is_no_data(tmp_path, name):
    file = tmp_path / "year=2026/month=03/day=10" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    frame(record()).flow.to_parquet(tmp_path)
    assert len(fl.read(tmp_path)) == 1


def test_one_file_goes_to_a_folder_without_data_only(tmp_path):
    df = frame(record())
    (tmp_path / "empty").mkdir()
    df.flow.to_parquet(tmp_path, partition_by=())
    with pytest.raises(FileExistsError, match="already holds data"):
        df.flow.to_parquet(tmp_path, partition_by=())
    with pytest.raises(FileExistsError, match="already holds data"):
        df.iloc[:0].flow.to_parquet(tmp_path, partition_by=())


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((), ("year", "month", "day")),
        (("year", "month"), ("year", "month", "day")),
        (("year", "month", "day"), ("year", "month")),
        (("year", "month", "day"), ("day",)),
        (("year", "month", "day"), ("year", "day")),
        (("year", "month", "day"), ()),
    ],
)
def test_a_table_is_not_written_into_one_with_other_folders(tmp_path, first, then):
    # The records would be there twice, and engines cannot read such a mix.
    df = frame(record())
    df.flow.to_parquet(tmp_path, partition_by=first)
    there = everything_below(tmp_path)
    with pytest.raises(FileExistsError, match="already holds"):
        df.flow.to_parquet(tmp_path, partition_by=then)
    assert everything_below(tmp_path) == there


def test_other_things_beside_the_folders_are_none_of_our_business(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "AWSLogs").mkdir()
    (tmp_path / "AWSLogs" / "x.log.gz").write_bytes(b"")
    (tmp_path / "day=10").mkdir()
    assert len(frame(record()).flow.to_parquet(tmp_path)) == 1


def test_folders_of_two_tables_can_be_copied_into_one(tmp_path):
    for name in ("a", "b"):
        frame(record(account_id=name)).flow.to_parquet(tmp_path / name)
        shutil.copytree(tmp_path / name, tmp_path / "both", dirs_exist_ok=True)
    assert sorted(fl.read(tmp_path / "both")["account_id"]) == ["a", "b"]


class _Failing:
    """Fails at the second call, and looks at what there is to see at that time."""

    def __init__(self, function: object, error: BaseException, target: Path) -> None:
        self.function, self.error, self.target = function, error, target
        self.calls, self.seen = 0, []

    def __get__(self, instance: object, owner: type) -> object:
        return lambda *arguments, **options: self(instance, *arguments, **options)

    def __call__(self, *arguments: object, **options: object) -> object:
        self.calls += 1
        if self.calls == 2:
            self.seen = [path.name for path in self.target.rglob("*") if path.is_file()]
            raise self.error
        return self.function(*arguments, **options)


@pytest.mark.parametrize("error", [OSError("no space left on device"), KeyboardInterrupt()], ids=["full", "stopped"])
@pytest.mark.parametrize("step", [(pq.ParquetWriter, "write_table"), (Path, "rename")], ids=["write", "rename"])
def test_nothing_is_left_when_writing_fails_or_is_interrupted(tmp_path, monkeypatch, step, error):
    df = frame(*(record(start=START + day * DAY) for day in range(5)))
    target = tmp_path / "table"
    df.iloc[:1].flow.to_parquet(target)
    there = everything_below(tmp_path)
    failing = _Failing(getattr(*step), error, target)
    monkeypatch.setattr(*step, failing)
    for days, folder in ((df.iloc[1:], target), (df, tmp_path / "new" / "table")):
        failing.calls = 0
        with pytest.raises(type(error)):
            days.flow.to_parquet(folder)
    assert everything_below(tmp_path) == there

    monkeypatch.undo()
    df.iloc[1:].flow.to_parquet(target)
    assert len(fl.read(target)) == 5


def test_no_reader_sees_a_file_that_is_not_complete(tmp_path, monkeypatch):
    df = frame(record(), record(start=START + DAY))
    failing = _Failing(pq.ParquetWriter.write_table, OSError("disk full"), tmp_path)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", failing)
    with pytest.raises(OSError, match="disk full"):
        df.flow.to_parquet(tmp_path)
    assert failing.seen
    # DuckDB's globs match names that begin with a dot.
    assert all(name.startswith(".") and not name.endswith(".parquet") for name in failing.seen)


# --- Elsewhere ---


def test_duckdb_reads_folders_and_types(tmp_path):
    records = [record(dstport=0), record(start=START + DAY, account_id="051856882135"), nodata(start=START + 2 * DAY)]
    df = frame(*records)
    df.flow.to_parquet(tmp_path)
    table = duckdb.sql(f"FROM read_parquet('{tmp_path}/**/*.parquet', hive_partitioning=true)")
    types = dict(zip(table.columns, map(str, table.types), strict=True))
    assert {name: types[name] for name in ("srcport", "version", "bytes", "start", "srcaddr", "account_id")} == {
        "srcport": "INTEGER", "version": "INTEGER", "bytes": "BIGINT", "start": "BIGINT", "srcaddr": "VARCHAR",
        "account_id": "VARCHAR",
    }  # fmt: skip
    the_day = table.filter("year = 2026 AND month = 3 AND day = 11")
    assert the_day.select("account_id, year::INT, month::INT, day::INT").fetchall() == [("051856882135", 2026, 3, 11)]
    assert table.filter("srcaddr IS NULL").select("log_status, day::INT").fetchall() == [("NODATA", 12)]
    assert table.order("day").select("dstport").fetchall() == [(0,), (443,), (None,)]


def test_duckdb_reads_records_without_a_time_as_of_no_day(tmp_path):
    frame(record(), record(start=None, srcport=7)).flow.to_parquet(tmp_path)
    table = duckdb.sql(f"FROM read_parquet('{tmp_path}/**/*.parquet', hive_partitioning=true)")
    # DuckDB 1.1 took the name of that folder for a word.
    assert table.filter("srcport = 7").select("year, day").fetchall() in ([(None, None)], [(NO_TIME, NO_TIME)])
    assert table.filter("srcport = 49152").select("year::INT, day::INT").fetchall() == [(2026, 10)]


def test_analyses_print_as_sql_that_runs_on_the_files(tmp_path):
    df = fl.sample().flow.select(src_port=443)
    df.flow.to_parquet(tmp_path, partition_by=())
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW flows AS FROM read_parquet('{tmp_path}/*.parquet')")
    answer = connection.sql(df.flow.sql("duckdb").top_talkers(5)).fetchall()
    assert [row[0] for row in answer] == df.flow.top_talkers(5)["srcaddr"].tolist()


def test_a_file_is_cut_into_groups_of_rows_that_read_back_in_order(tmp_path):
    df = frame(record())[["srcaddr", "dstaddr", "start"]].iloc[np.zeros(1_000_001, int)].reset_index(drop=True)
    df["bytes"] = pd.array(np.arange(len(df)), dtype="Int64")
    df["interface_id"] = pd.Categorical.from_codes(np.arange(len(df)) // 500_001, ["eni-1", "eni-2"])
    (file,) = df.flow.to_parquet(tmp_path)
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(place).num_rows for place in range(groups.num_row_groups)] == [1_000_000, 1]
    assert fl.read(file).equals(df)
