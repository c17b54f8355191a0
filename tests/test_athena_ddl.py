"""The table that `fl.aws.athena_ddl` declares: what it says, and that it means the records that flowlens reads.

Athena itself is not here. A parser of its dialect takes the statement apart, and what it declares is applied to the
files by hand, as the pages of Athena say that Athena does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from formats import (
    ALL_TGW,
    ALL_VPC,
    DEFAULT,
    START,
    frame,
    log_format,
    nodata,
    parquet,
    read,
    record,
    rows,
    text,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from strategies import TRAFFIC

import flowlens as fl

FOLDER = "s3://logs/own/AWSLogs/123456789012/vpcflowlogs/eu-west-1/"
HIVE = "s3://logs/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-1/"
FOLDERS = {"projection": FOLDER, "hive": HIVE}

#: The types of AWS's own statements for Athena and of the field tables; all other fields are strings.
#: https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-parquet.html
TYPES = {
    **dict.fromkeys(("version", "srcport", "dstport", "tcp_flags", "traffic_path", "encryption_status"), "INT"),
    **dict.fromkeys(("protocol", "packets", "bytes", "start", "end"), "BIGINT"),
    **dict.fromkeys((name for name in ALL_TGW if name.startswith("packets_lost")), "BIGINT"),
}
PROJECTION = {
    "projection.enabled": "true",
    "projection.day.type": "date",
    "projection.day.range": "2018/08/01,NOW",
    "projection.day.format": "yyyy/MM/dd",
    "projection.day.interval": "1",
    "projection.day.interval.unit": "DAYS",
    "storage.location.template": FOLDER + "${day}/",
}
LAYOUTS = {
    "default": ("default", DEFAULT),
    "tgw": ("tgw", ALL_TGW),
    "all": (log_format(ALL_VPC), ALL_VPC),
    "custom": (
        "${end} ${start} ${srcaddr} ${dstaddr} ${date} ${az-id}",
        ["end", "start", "srcaddr", "dstaddr", "date", "az_id"],
    ),
    "list": (["protocol", "log-status", "region"], ["protocol", "log_status", "region"]),
    "described": ({"FlowLogs": [{"FlowLogId": "fl-1", "LogFormat": "${bytes} ${action}"}]}, ["bytes", "action"]),
}
partitions = pytest.mark.parametrize("partition", ["projection", "hive"])
forms = pytest.mark.parametrize("form", ["text", "parquet"])
layouts = pytest.mark.parametrize(("fields", "names"), LAYOUTS.values(), ids=LAYOUTS)


@dataclass
class Table:
    """What a statement declares."""

    name: str
    columns: dict[str, str]
    days: dict[str, str]
    delimiter: str | None
    null: str | None
    stored_as: str
    location: str
    properties: dict[str, str]


def declared(ddl: str) -> Table:
    (create,) = sqlglot.parse(ddl, dialect="athena")
    assert isinstance(create, exp.Create)  # what the parser does not understand is an exp.Command
    assert create.kind == "TABLE"
    assert create.find(exp.ExternalProperty)
    assert all(identifier.args["quoted"] for identifier in create.find_all(exp.Identifier))
    delimited = create.find(exp.RowFormatDelimitedProperty)
    assert set(delimited.args if delimited else ()) <= {"fields", "null"}
    return Table(
        name=".".join(part.name for part in create.find(exp.Table).parts),
        columns=_columns(create.this),
        days=_columns(create.find(exp.PartitionedByProperty).this),
        delimiter=delimited and delimited.args["fields"].name,
        null=delimited and delimited.args["null"].name,
        stored_as=create.find(exp.FileFormatProperty).name,
        location=create.find(exp.LocationProperty).this.name,
        properties={
            prop.name: prop.args["value"].name
            for prop in create.args["properties"].expressions
            if type(prop) is exp.Property
        },
    )


def _columns(schema: exp.Schema) -> dict[str, str]:
    columns = [(column.name, column.kind.sql("hive")) for column in schema.expressions]
    assert len(dict(columns)) == len(columns)
    return dict(columns)


# --- What the statement says ---


@layouts
@partitions
@forms
def test_the_statement_declares_the_fields_the_days_and_the_files(fields, names, partition, form):
    table = declared(fl.aws.athena_ddl(fields, FOLDERS[partition], partition=partition, format=form))
    days = ["day"] if partition == "projection" else ["year", "month", "day"]
    assert table == Table(
        name="vpc_flow_logs",
        columns={name: TYPES.get(name, "STRING") for name in names},
        days=dict.fromkeys(days, "STRING"),
        delimiter=" " if form == "text" else None,
        null="-" if form == "text" else None,
        stored_as="TEXTFILE" if form == "text" else "PARQUET",
        location=FOLDERS[partition],
        properties={
            **({"skip.header.line.count": "1"} if form == "text" else {}),
            **(PROJECTION if partition == "projection" else {}),
        },
    )
    assert list(table.columns) == list(names)


def test_text_with_projected_days_is_what_is_written_unless_asked_otherwise():
    assert fl.aws.athena_ddl("default", FOLDER) == fl.aws.athena_ddl(
        "default", FOLDER, table="vpc_flow_logs", partition="projection", format="text"
    )


def test_the_types_are_those_of_the_statements_in_the_guide_of_athena():
    # https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-create-table-statement.html
    of_aws = (
        "version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int, dstport int,"
        "protocol bigint, packets bigint, bytes bigint, start bigint, end bigint, action string, log_status string, "
        "vpc_id string, subnet_id string, instance_id string, tcp_flags int, type string, pkt_srcaddr string, "
        "pkt_dstaddr string, region string, az_id string, sublocation_type string, sublocation_id string, "
        "pkt_src_aws_service string, pkt_dst_aws_service string, flow_direction string, traffic_path int"
    )
    types = dict(column.split() for column in of_aws.split(","))
    table = declared(fl.aws.athena_ddl(list(types), FOLDER))
    assert table.columns == {name: kind.upper() for name, kind in types.items()}


@settings(max_examples=50)
@given(names=st.lists(st.sampled_from(sorted({*ALL_VPC, *ALL_TGW})), min_size=1, unique=True))
def test_the_columns_are_the_fields_of_any_format_in_their_order(names):
    assert list(declared(fl.aws.athena_ddl(log_format(names), FOLDER)).columns) == names


@pytest.mark.parametrize("location", [FOLDER, FOLDER.rstrip("/")])
def test_the_slash_at_the_end_is_added_where_it_is_missing(location):
    assert declared(fl.aws.athena_ddl("default", location)).location == FOLDER


@pytest.mark.parametrize(
    "location",
    ["s3://logs/it's/", 's3://logs/a "b" `c`/', "s3://logs/a\\'b/", "s3://logs/');DROP/", "s3://logs/"],
)
@partitions
def test_no_name_of_a_folder_breaks_out_of_the_statement(location, partition):
    table = declared(fl.aws.athena_ddl("default", location, partition=partition))
    assert table.location == location
    if partition == "projection":
        assert table.properties["storage.location.template"] == location + "${day}/"


@pytest.mark.parametrize("name", ["flows", "net.flows", "select", "2026-logs.flow logs", "it's"])
def test_the_table_has_the_name_that_is_asked_for(name):
    assert declared(fl.aws.athena_ddl("default", FOLDER, table=name)).name == name


# --- What it means for text ---


def as_athena_reads(data: bytes, table: Table) -> pa.Table:
    """Return lines of text as the declared table: no name of a field in the file is looked at."""
    lines = data.decode().splitlines()[int(table.properties["skip.header.line.count"]) :]
    cells = [[None if cell == table.null else cell for cell in line.split(table.delimiter)] for line in lines]
    types = {"STRING": (str, pa.string()), "INT": (int, pa.int32()), "BIGINT": (int, pa.int64())}
    arrays = {}
    for place, (name, kind) in enumerate(table.columns.items()):
        cast, arrow = types[kind]
        arrays[name] = pa.array([None if line[place] is None else cast(line[place]) for line in cells], arrow)
    return pa.table(arrays)


RECORDS = [
    record(tcp_flags=2),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, tcp_flags=18, bytes=2**40),
    record(start=START + 60, end=START + 119, tcp_flags=0, account_id="051856882135"),
    nodata(start=START + 120, end=START + 179),
    record(srcaddr="198.51.100.7", dstport=22, action="REJECT", interface_id=None, tcp_flags=2),
    record(srcaddr="2001:db8::1", dstaddr="2001:db8::2", srcport=0, dstport=0, protocol=58, tcp_flags=0),
]
VERBS = {
    "pairs": lambda to: to.pairs(),
    "pairs of interfaces": lambda to: to.pairs(keys=("interface_id", "action", "account_id"), by="flows"),
    "top_talkers": lambda to: to.top_talkers(),
    "timeline": lambda to: to.timeline(),
    "ports": lambda to: to.ports(),
    "fan_out": lambda to: to.fan_out(),
    "conversations": lambda to: to.conversations(),
    "coverage": lambda to: to.coverage(),
}
verbs = pytest.mark.parametrize("verb", VERBS)


def same(query: str, table: pa.Table | duckdb.DuckDBPyRelation, result, name: str = "vpc_flow_logs") -> None:
    with duckdb.connect() as connection:
        connection.register(name, table)
        found = connection.sql(query).fetchall()
    expected = [tuple(row.values()) for row in rows(result)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == tuple(pytest.approx(value) if isinstance(value, float) else value for value in other)


@verbs
@pytest.mark.parametrize("names", [DEFAULT, ALL_VPC, sorted(ALL_VPC)], ids=["default", "all", "alphabetical"])
def test_the_declared_table_of_a_text_holds_what_flowlens_reads(verb, names):
    data = text(RECORDS, names)
    df = read(data)
    table = as_athena_reads(data, declared(fl.aws.athena_ddl(log_format(names), FOLDER)))
    assert [dict(row) for row in table.to_pylist()] == rows(df)
    same(VERBS[verb](df.flow.sql("duckdb", table="vpc_flow_logs")), table, VERBS[verb](df.flow))


@settings(max_examples=10)
@given(records=TRAFFIC)
def test_on_random_traffic_the_declared_table_of_a_text_gives_the_same_pairs(records):
    names = [*DEFAULT, "tcp_flags"]
    data = text(records, names)
    df = read(data)
    table = as_athena_reads(data, declared(fl.aws.athena_ddl(log_format(names), FOLDER)))
    for verb in ("pairs", "conversations"):
        same(VERBS[verb](df.flow.sql("duckdb", table="vpc_flow_logs")), table, VERBS[verb](df.flow))


def test_the_declared_table_of_a_transit_gateway_holds_what_flowlens_reads():
    lost = {"packets_lost_no_route": 3, "packets_lost_blackhole": 0}
    data = text([record(version=6, tgw_id="tgw-1", **lost), record(version=6, bytes=2**40)], ALL_TGW)
    df = read(data)
    table = as_athena_reads(data, declared(fl.aws.athena_ddl("tgw", FOLDER)))
    assert table.to_pylist() == rows(df)
    for verb in (lambda to: to.pairs(), lambda to: to.losses()):
        same(verb(df.flow.sql("duckdb", table="vpc_flow_logs")), table, verb(df.flow))


@verbs
def test_the_queries_for_athena_ask_only_for_declared_columns(verb):
    df = frame(*RECORDS)
    table = declared(fl.aws.athena_ddl(list(df.columns), FOLDER, table="flows"))
    query = sqlglot.parse_one(VERBS[verb](df.flow.sql("athena", table="flows")), dialect="athena")
    from_flows = [scope for scope in query.find_all(exp.Select) if scope.args["from_"].this.name == table.name]
    assert from_flows
    for scope in from_flows:
        assert {column.name for column in scope.find_all(exp.Column) if column.parent_select is scope} <= set(
            table.columns
        )


def test_a_projected_day_is_the_folder_that_aws_writes_that_day():
    table = declared(fl.aws.athena_ddl("default", FOLDER))
    when = datetime(2026, 3, 9, 23, 55, tzinfo=UTC)
    assert table.properties["projection.day.format"] == "yyyy/MM/dd"  # of Java; of Python %Y/%m/%d
    day = f"{when:%Y/%m/%d}"
    folder = table.properties["storage.location.template"].replace("${day}", day)
    key = f"{FOLDER}2026/03/09/123456789012_vpcflowlogs_eu-west-1_fl-1_{when:%Y%m%dT%H%MZ}_ab12.log.gz"
    assert key.startswith(folder)
    assert "2026/02/28" < day < "2026/03/10"  # days in order as text: what a query compares
    first, last = table.properties["projection.day.range"].split(",")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d", first)
    assert first <= "2018/08/08"  # https://aws.amazon.com/about-aws/whats-new/2018/08/, when delivery to S3 began
    assert last == "NOW"


# --- What it means for Parquet ---

#: Physical types that Athena reads as a declared type: the same, or fewer bits.
#: https://docs.aws.amazon.com/athena/latest/ug/updates-changing-column-type.html
READ_AS = {"STRING": {"BYTE_ARRAY"}, "INT": {"INT32"}, "BIGINT": {"INT32", "INT64"}}


def physical_types(file) -> dict[str, str]:
    schema = pq.ParquetFile(file).schema
    return {schema.column(place).name: schema.column(place).physical_type for place in range(len(schema.names))}


@pytest.mark.parametrize("names", [DEFAULT, ALL_VPC, ALL_TGW], ids=["default", "all", "tgw"])
def test_athena_reads_what_to_parquet_writes_as_the_declared_types(names, tmp_path):
    df = read(text(RECORDS, names))
    table = declared(fl.aws.athena_ddl(names, "s3://logs/mine/", partition="hive", format="parquet"))
    for file in df.flow.to_parquet(tmp_path):
        types = physical_types(file)
        assert set(types) == set(table.columns)  # Athena finds columns of Parquet by name
        for name, kind in table.columns.items():
            assert types[name] in READ_AS[kind], name
        folders = file.relative_to(tmp_path).parent.parts
        assert [folder.partition("=")[0] for folder in folders] == list(table.days)


@pytest.mark.parametrize(("names", "protocol"), [(ALL_VPC, pa.int32()), (ALL_TGW, pa.int64())], ids=["vpc", "tgw"])
def test_athena_reads_what_aws_writes_as_the_declared_types(names, protocol):
    file = pa.BufferReader(parquet(RECORDS, names, protocol=protocol))
    table = declared(fl.aws.athena_ddl(names, FOLDER, format="parquet"))
    for name, kind in physical_types(file).items():
        assert kind in READ_AS[table.columns[name]], name


@verbs
def test_the_declared_table_of_written_parquet_gives_the_same_results(verb, tmp_path):
    df = frame(*RECORDS, record(start=START + 86400, end=START + 86459))
    assert len(df.flow.to_parquet(tmp_path)) == 2
    table = declared(fl.aws.athena_ddl(list(df.columns), "s3://logs/mine/", partition="hive", format="parquet"))
    casts = [f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in {**table.columns, **table.days}.items()]
    files = f"read_parquet('{tmp_path}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT {', '.join(casts)} FROM {files}").to_arrow_table()
    assert set(zip(*(found[day].to_pylist() for day in table.days), strict=True)) == {
        ("2026", "03", "10"),
        ("2026", "03", "11"),
    }
    same(VERBS[verb](df.flow.sql("duckdb", table="vpc_flow_logs")), found, VERBS[verb](df.flow))


# --- What is refused ---


@pytest.mark.parametrize(
    "location",
    [
        "", "s3://", "s3:///logs/", "logs/", "/data/logs", "https://logs.s3.amazonaws.com/", "s3a://logs/", "s3:/logs/",
        "arn:aws:s3:::logs/", "S3://logs/", "s3://logs/*/vpcflowlogs/", "s3://logs/a\nb/", "s3://lo'gs/", None,
    ],
)  # fmt: skip
@partitions
def test_what_is_no_folder_in_s3_is_refused_with_one_that_is(location, partition):
    with pytest.raises(
        ValueError, match=r"location=.* is no folder in S3; give one like 's3://bucket/AWSLogs/"
    ) as error:
        fl.aws.athena_ddl("default", location, partition=partition)
    example = re.search("'(s3://bucket.*?)'", str(error.value))[1]
    assert declared(fl.aws.athena_ddl("default", example, partition=partition)).location == example


@pytest.mark.parametrize(
    ("partition", "location"),
    [
        ("projection", FOLDER + "2026"),
        ("projection", FOLDER + "2026/03/"),
        ("projection", FOLDER + "2026/03/10/"),
        ("projection", FOLDER + "2026/03/10/14/"),
        ("projection", FOLDER + "2026/03/10/123456789012_vpcflowlogs_eu-west-1_fl-1_20260310T1400Z_ab.log.gz"),
        ("projection", HIVE),
        ("projection", HIVE + "year=2026/month=03/"),
        ("projection", "s3://logs/mine/year=2026/"),
        ("hive", HIVE + "year=2026/"),
        ("hive", HIVE + "year=2026/month=03/day=10/"),
        ("hive", FOLDER),
    ],
)
def test_a_folder_without_such_days_is_refused_and_not_an_empty_table(partition, location):
    with pytest.raises(ValueError, match=f"partition='{partition}' finds days in; give the folder above the years"):
        fl.aws.athena_ddl("default", location, partition=partition)


@pytest.mark.parametrize(
    ("partition", "location"),
    [
        ("projection", "s3://logs/2026/AWSLogs/123456789012/vpcflowlogs/eu-west-1/"),
        ("projection", "s3://logs/team=net/AWSLogs/o-1/123456789012/vpcflowlogs/eu-west-1/"),
        ("hive", "s3://logs/2026/"),
        ("hive", "s3://logs/vpcflowlogs/parquet/"),
    ],
)
def test_folders_that_only_look_like_days_are_taken(partition, location):
    assert declared(fl.aws.athena_ddl("default", location, partition=partition)).location == location


@pytest.mark.parametrize(("partition", "names"), [("projection", ["day"]), ("hive", ["year", "month", "day"])])
def test_a_field_of_the_name_of_a_partition_is_refused(partition, names):
    for name in names:
        with pytest.raises(ValueError, match=f"has '{name}', which is also a column of the days"):
            fl.aws.athena_ddl(["srcaddr", name], FOLDERS[partition], partition=partition)


def test_the_region_may_be_a_field_as_it_is_no_partition():
    assert "region" in declared(fl.aws.athena_ddl("${region}", FOLDER)).columns


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({"partition": "date"}, "partition='date' is not possible; give one of 'projection', 'hive'"),
        ({"partition": None}, "partition=None is not possible; give one of 'projection', 'hive'"),
        ({"format": "csv"}, "format='csv' is not possible; give one of 'text', 'parquet'"),
        ({"format": "Parquet"}, "format='Parquet' is not possible; give one of 'text', 'parquet'"),
    ],
)
def test_an_unknown_choice_is_refused_with_those_there_are(options, possible):
    with pytest.raises(ValueError, match=re.escape(possible)):
        fl.aws.athena_ddl("default", FOLDER, **options)


@pytest.mark.parametrize("name", ["", "a.b.c", ".flows", "net.", "fl`ows", "``"])
def test_what_is_no_name_of_a_table_is_refused(name):
    with pytest.raises(ValueError, match=r"is no name of a table; give 'table' or 'database\.table'"):
        fl.aws.athena_ddl("default", FOLDER, table=name)


def test_what_names_no_fields_is_refused_as_everywhere():
    with pytest.raises(ValueError, match="names no flow log fields"):
        fl.aws.athena_ddl("", FOLDER)
    with pytest.raises(ValueError, match="did you mean 'srcaddr'"):
        fl.aws.athena_ddl("${srcadr}", FOLDER)
