"""The SQL text of each analysis: every dialect parses it, and DuckDB, given the text alone, returns the same table."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from formats import DEFAULT, NUMBERS, START, TIMES, columns, frame, names_of, nodata, read, record, rows, text
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from strategies import TRAFFIC

import flowlens as fl
from flowlens.sqltext import SqlText

VERBS = {
    "top_talkers": lambda to: to.top_talkers(3),
    "top_talkers by flows of interfaces": lambda to: to.top_talkers(None, by="flows", key="interface_id"),
    "timeline": lambda to: to.timeline("5min"),
    "timeline without split": lambda to: to.timeline("1h", by=None),
    "pairs": lambda to: to.pairs(),
    "pairs by other keys": lambda to: to.pairs(4, by="packets", keys=("interface_id", "dstport", "action")),
    "ports": lambda to: to.ports(),
    "fan_out": lambda to: to.fan_out(),
    "fan_in": lambda to: to.fan_out(key="dstaddr"),
    "rejected_by_port": lambda to: to.rejected_by_port(),
    "rejected by ports": lambda to: to.rejected_by_port(["0-50", 443], freq="1min", threshold=1),
    "top_contributors": lambda to: to.top_contributors(n=2),
    "top contributors of each minute": lambda to: to.top_contributors(
        ("interface_id", "dstport"), n=1, by="flows", freq="1min"
    ),
    "conversations": lambda to: to.conversations(),
    "conversations with timeout": lambda to: to.conversations(timeout=90),
    "coverage": lambda to: to.coverage(),
    "gaps": lambda to: to.gaps(),
    "pairs of a prefix": lambda to: narrow(to, src="10.0.0.0/20").pairs(),
    "ports of prefixes of both families": lambda to: narrow(to, host=["10.0.0.0/23", "2001:db8::/33"]).ports(),
    "selected by all there is": lambda to: narrow(
        to, protocol="tcp", dst_port=["443", "20-30"], src_port="1024-65535", action="REJECT", status="OK"
    ).top_talkers(),
    "of some time": lambda to: narrow(to, time=(START + 30, START + 1000)).conversations(),
    "groups": lambda to: named(to, "add_groups", GROUPS).pairs(keys=("src_group", "dst_group")),
    "records of a group": lambda to: narrow(named(to, "add_groups", GROUPS), group="desk").top_talkers(key="dst_group"),
    "networks": lambda to: named(to, "add_networks", 20, prefixlen6=40).pairs(keys=("src_network", "dst_network")),
    "scopes": lambda to: named(to, "add_scope", internal="198.51.100.0/24").pairs(keys=("src_scope", "dst_scope")),
    "services": lambda to: named(to, "add_services").pairs(keys=("service", "protocol_name", "flags")),
    "directions": lambda to: named(to, "add_direction").pairs(keys=("direction", "local", "remote")),
    "initiators": lambda to: named(to, "add_direction").pairs(keys=("srcaddr", "initiator", "initiator_by")),
    "between": lambda to: (
        to.between("10.0.0.5", "10.0.1.0/24").pairs()
        if isinstance(to, SqlText)
        else to.between("10.0.0.5", "10.0.1.0/24").flow.pairs()
    ),
}


def narrow(to, **clauses):
    """Select, and return that of which verbs can be asked."""
    selected = to.select(**clauses)
    return selected if isinstance(selected, SqlText) else selected.flow


def named(to, verb, *arguments, **more):
    """Add columns, and return that of which verbs can be asked."""
    added = getattr(to, verb)(*arguments, **more)
    return added if isinstance(added, SqlText) else added.flow


GROUPS = {
    "inside": "10.0.0.0/16",
    "desk": ["10.0.0.5", "2001:db8::1"],
    "documentation": ["198.51.100.0/24", "2001:db8::/32"],
}
DIALECTS = ["duckdb", "athena", "spark"]
verbs = pytest.mark.parametrize("verb", VERBS)
dialects = pytest.mark.parametrize("dialect", DIALECTS)

RECORDS = [
    record(tcp_flags=2, packets=3),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, tcp_flags=18, bytes=7000),
    record(tcp_flags=0, start=START + 60, end=START + 119),
    nodata(tcp_flags=None, start=START + 120, end=START + 179),
    nodata(tcp_flags=None, log_status="SKIPDATA", start=START + 180, end=START + 239),
    record(tcp_flags=2, start=START + 2000, end=START + 2059, action="REJECT", bytes=None),
    record(srcaddr="198.51.100.7", dstport=22, action="REJECT", tcp_flags=2, interface_id=None, start=START + 30),
    record(srcaddr="198.51.100.7", dstport=23, action="REJECT", tcp_flags=None, start=START + 40, end=START + 40),
    record(srcaddr="2001:db8::1", dstaddr="2001:db8::2", srcport=0, dstport=0, protocol=58, tcp_flags=0),
    record(srcport=53000, dstport=53, protocol=17, tcp_flags=0, interface_id="eni-2"),
    record(srcport=53000, dstport=53, protocol=17, tcp_flags=0, interface_id="eni-3", packets=9),
]
DF = frame(*RECORDS)


def table_of(records, missing: str | None) -> pa.Table:
    """Return records as a database holds them: words as text, Unix seconds, something for what is missing."""
    return pa.table(
        {
            name: pa.array([rec.get(name) for rec in records], pa.int64())
            if name in NUMBERS or name in TIMES
            else pa.array([missing if rec.get(name) is None else rec[name] for rec in records], pa.string())
            for name in names_of(records)
        }
    )


def run(query: str, table: pa.Table, name: str = "flows") -> list[tuple]:
    with duckdb.connect() as connection:
        connection.register(name, table)
        return connection.sql(query).fetchall()


def same(found: list[tuple], result) -> None:
    """Compare what a database returns with a result of the verb, in the order of both."""
    expected = [tuple(row.values()) for row in rows(result)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == tuple(pytest.approx(value) if isinstance(value, float) else value for value in other)


@verbs
@dialects
def test_the_text_is_one_query_that_the_dialect_parses(verb, dialect):
    query = VERBS[verb](DF.flow.sql(dialect))
    assert isinstance(query, str)
    (statement,) = sqlglot.parse(query, dialect=dialect)
    assert isinstance(statement, exp.Query)
    assert {table.name for table in statement.find_all(exp.Table)} - {
        cte.alias for cte in statement.find_all(exp.CTE)
    } == {"flows"}


@verbs
@pytest.mark.parametrize("missing", ["-", None], ids=["dashes", "nulls"])
def test_duckdb_runs_the_text_on_words_and_seconds_to_the_result_of_the_verb(verb, missing):
    same(run(VERBS[verb](DF.flow.sql("duckdb")), table_of(RECORDS, missing)), VERBS[verb](DF.flow))


@verbs
@pytest.mark.parametrize("dialect", ["athena", "spark"])
def test_the_text_of_other_dialects_means_the_same(verb, dialect):
    (query,) = sqlglot.transpile(VERBS[verb](DF.flow.sql(dialect)), read=dialect, write="duckdb")
    same(run(query, in_folders(RECORDS)), VERBS[verb](DF.flow))


@verbs
@settings(max_examples=5)
@given(records=TRAFFIC, missing=st.sampled_from(["-", None]))
def test_on_random_traffic_the_text_returns_what_the_verb_returns(verb, records, missing):
    df = read(text(records, names_of(records)))
    same(run(VERBS[verb](df.flow.sql("duckdb")), table_of(records, missing)), VERBS[verb](df.flow))


@verbs
def test_the_text_works_on_a_table_without_the_optional_columns(verb):
    records = [{name: rec[name] for name in DEFAULT} for rec in RECORDS]
    df = frame(*records)
    same(run(VERBS[verb](df.flow.sql("duckdb")), table_of(records, "-")), VERBS[verb](df.flow))


@dialects
@pytest.mark.parametrize("name", ["flows", "vpc_flow_logs", "Flow Logs", "select", "log-table"])
def test_the_name_of_the_table_is_that_which_is_asked_for(dialect, name):
    query = DF.flow.sql(dialect, table=name).pairs(3)
    assert name in {table.name for table in sqlglot.parse_one(query, dialect=dialect).find_all(exp.Table)}
    if dialect == "duckdb":
        assert len(run(query, table_of(RECORDS, "-"), name)) == 3


@pytest.mark.parametrize("name", ["end", "start", "bytes", "action", "type", "region"])
@dialects
def test_columns_with_names_that_sql_reserves_are_quoted(dialect, name):
    df = frame(*[dict(rec, type="IPv4", region="eu-west-1") for rec in RECORDS])
    query = df.flow.sql(dialect).pairs(keys=(name,)) if name != "bytes" else df.flow.sql(dialect).pairs()
    assert name in {column.name for column in sqlglot.parse_one(query, dialect=dialect).find_all(exp.Column)}


def test_a_column_of_the_user_may_be_a_key():
    df = DF.assign(team=["a", "b"] * 5 + ["a"])
    query = df.flow.sql("duckdb").pairs(keys=("team",), by="flows")
    table = table_of(RECORDS, "-").append_column("team", pa.array(["a", "b"] * 5 + ["a"]))
    same(run(query, table), df.flow.pairs(keys=("team",), by="flows"))


def test_the_text_knows_the_log_only_by_its_columns_and_its_interval():
    few, many = frame(*RECORDS[:3]), frame(*RECORDS[:3], *RECORDS[:3])
    for name in ("top_talkers", "timeline", "coverage", "gaps"):
        assert VERBS[name](few.flow.sql("athena")) == VERBS[name](many.flow.sql("athena"))
    long = frame(*[dict(rec, end=rec["start"] + 599) for rec in RECORDS[:3]])
    assert long.flow.sql("duckdb").gaps() != few.flow.sql("duckdb").gaps()


def test_the_text_of_an_empty_frame_is_a_query_too():
    same(run(DF.iloc[:0].flow.sql().pairs(), table_of(RECORDS, "-")), DF.flow.pairs())


def test_duckdb_is_what_is_printed_unless_asked_otherwise():
    assert DF.flow.sql().ports() == DF.flow.sql("duckdb").ports()


@pytest.mark.parametrize("dialect", ["oracle9", "", "Athena2", "compilers", "__name__"])
def test_a_dialect_that_is_none_is_refused_with_those_there_are(dialect):
    with pytest.raises(ValueError, match="athena"):
        DF.flow.sql(dialect).pairs()


def test_a_missing_field_is_named_before_any_text_is_printed():
    with pytest.raises(fl.MissingFieldError, match="interface-id"):
        DF.drop(columns="interface_id").flow.sql("athena").gaps()
    with pytest.raises(ValueError, match="flows, packets, bytes"):
        DF.flow.sql("athena").pairs(by="cost")


def test_the_sql_object_says_what_it_is_for():
    assert "athena" in repr(DF.flow.sql("athena"))


def test_no_text_asks_for_columns_it_does_not_use():
    query = sqlglot.parse_one(DF.flow.sql("athena").pairs(5), dialect="athena")
    assert {column.name for column in query.find_all(exp.Column)} <= set(columns("srcaddr dstaddr packets bytes flows"))


@pytest.mark.parametrize("field", ["packets", "bytes", "start", "dstport"])
def test_parquet_and_text_tables_of_athena_have_32_bit_and_64_bit_numbers(field):
    narrow = table_of(RECORDS, "-")
    place = narrow.schema.get_field_index(field)
    narrow = narrow.set_column(place, field, narrow[field].cast(pa.int32()))
    same(run(DF.flow.sql("duckdb").conversations(), narrow), DF.flow.conversations())


@dialects
def test_a_log_without_times_prints_what_needs_none(dialect):
    # AWS's own example of a NAT gateway logs no times.
    df = read(b"srcaddr dstaddr packets bytes dstport\n10.0.0.1 10.0.0.2 1 60 443\n")
    assert "SUM" in df.flow.sql(dialect).top_talkers()
    assert "COUNT" in df.flow.sql(dialect).fan_out()
    with pytest.raises(fl.MissingFieldError, match="start"):
        df.flow.sql(dialect).gaps()


# --- Partitions of Athena ---

DAY = 86400


def in_folders(records, late: int = 0) -> pa.Table:
    """Return records as Athena sees them in AWS's folders: with the day of the five minutes in which each ends."""
    times = [None if rec["end"] is None else datetime.fromtimestamp(rec["end"] + late, UTC) for rec in records]
    table = table_of(records, "-")
    for name, part in (("day", "%Y/%m/%d"), ("year", "%Y"), ("month", "%m"), ("mday", "%d")):
        words = ["1970/01/01" if time is None else time.strftime(part) for time in times]
        table = table.append_column(name, pa.array(words, pa.string()))
    return table


def of_partitions(table: pa.Table, partition: str) -> pa.Table:
    if partition == "hive":
        table = table.drop_columns("day").rename_columns(
            [n if n != "mday" else "day" for n in table.column_names if n != "day"]
        )
    return table


@pytest.mark.parametrize(
    ("partition", "time", "conditions"),
    [
        ("projection", ("2026-03-10 14:00", "2026-03-10 15:00"), ["day = '2026/03/10'"]),
        ("projection", ("2026-03-10", "2026-03-12"), ["day >= '2026/03/10'", "day <= '2026/03/12'"]),
        ("projection", ("2026-12-31 23:50", None), ["day >= '2026/12/31'"]),
        ("projection", (None, "2027-01-01"), ["day <= '2027/01/01'"]),
        ("hive", ("2026-03-10 14:00", "2026-03-10 15:00"), ["year = '2026'", "month = '03'", "day = '10'"]),
        ("hive", ("2026-03-10", "2026-03-12"), ["month = '03'", "day >= '10'", "day <= '12'"]),
    ],
)
def test_a_time_names_the_partitions_that_can_hold_it(partition, time, conditions):
    query = DF.flow.sql("athena", table="logs", time=time, partition=partition).pairs()
    assert query == DF.flow.sql("athena", table="logs", partition=partition).select(time=time).pairs()
    for condition in conditions:
        assert condition in query.replace('"t0".', "").replace('"', "")


def test_without_a_time_or_without_partitions_no_partition_is_named():
    assert '"day"' not in DF.flow.sql("athena").pairs()
    assert '"day"' not in DF.flow.sql("athena", time=(START, None), partition=None).pairs()
    assert '"day"' not in DF.flow.sql("duckdb", time=(START, None)).pairs()
    assert '"start"' in DF.flow.sql("duckdb", time=(START, None)).pairs()
    with pytest.raises(ValueError, match="'projection', 'hive', or None"):
        DF.flow.sql("athena", partition="hourly")


MOMENTS = st.integers(START - 40 * DAY, START + 40 * DAY)


@settings(max_examples=60)
@given(
    starts=st.lists(MOMENTS, min_size=1, max_size=8),
    length=st.sampled_from([0, 59, 600]),
    late=st.integers(0, 500),
    span=st.tuples(st.one_of(st.none(), MOMENTS), st.one_of(st.none(), MOMENTS)),
    partition=st.sampled_from(["projection", "hive"]),
)
def test_no_record_of_a_time_lies_in_a_partition_that_is_not_read(starts, length, late, span, partition):
    if None not in span:
        span = tuple(sorted(span))
    near = [moment for moment in span if moment is not None]
    records = [record(start=start, end=start + length) for start in [*starts, *near, *(moment - 1 for moment in near)]]
    df = read(text(records))
    query = df.flow.sql("athena", time=span, partition=partition).top_talkers()
    (there,) = sqlglot.transpile(query, read="athena", write="duckdb")
    same(run(there, of_partitions(in_folders(records, late), partition)), df.flow.select(time=span).flow.top_talkers())


@pytest.mark.parametrize("partition", ["projection", "hive"])
def test_partitions_out_of_the_time_are_not_read(partition):
    records = [record(start=START + day * DAY, end=START + day * DAY) for day in range(-405, 405, 9)]
    query = read(text(records)).flow.sql("athena", time=(START, START + 1), partition=partition).top_talkers()
    wheres = sqlglot.parse_one(query, dialect="athena").find_all(exp.Where)
    columns = {"projection": ["day"], "hive": ["year", "month", "day"]}[partition]
    kept = [
        condition
        for where in wheres
        for condition in where.this.flatten()
        if {column.name for column in condition.find_all(exp.Column)} <= set(columns)
    ]
    assert kept
    condition = " AND ".join(part.sql("duckdb") for part in kept).replace('"t0".', "")
    names = f"SELECT count(*) FROM flows WHERE {condition}"
    assert run(names, of_partitions(in_folders(records), partition)) == [(1,)]


def test_selections_of_flows_are_in_their_text():
    flows = fl.scan(io.BytesIO(text(RECORDS, names_of(RECORDS)))).rejected().select(src="198.51.100.0/24")
    same(run(flows.sql("duckdb").pairs(), table_of(RECORDS, "-")), flows.pairs())
    assert flows.sql("athena").ports() == DF.flow.sql("athena").rejected().select(src="198.51.100.0/24").ports()


@dialects
def test_a_table_of_a_database_is_named_with_it(dialect):
    query = DF.flow.sql(dialect, table="security.flow_logs").pairs(3)
    (table,) = [table for table in sqlglot.parse_one(query, dialect=dialect).find_all(exp.Table) if table.db]
    assert (table.db, table.name) == ("security", "flow_logs")


def test_outside_of_frames_the_records_are_read_once():
    once = ("top_talkers", "fan_out", "timeline", "pairs", "ports", "top_talkers by flows of interfaces")
    for verb in (*once, "rejected_by_port", "top_contributors", "top contributors of each minute"):
        tables = sqlglot.parse_one(VERBS[verb](DF.flow.sql("athena")), dialect="athena").find_all(exp.Table)
        assert [table.name for table in tables] == ["flows"], verb


@pytest.mark.parametrize("table", ["", "a.", "a..b", "a.b.c.d"])
def test_what_is_no_name_of_a_table_is_refused(table):
    with pytest.raises(ValueError, match="is no name of a table"):
        DF.flow.sql("athena", table=table).pairs()
