"""One filter, whatever renders it: mask, SQL, Ibis, Python code and Logs Insights keep the same records."""

from __future__ import annotations

from dataclasses import fields, replace

import duckdb
import ibis
import numpy as np
import pandas as pd
import pytest
from formats import START, line, names_of, read, record, text
from hypothesis import given, settings
from hypothesis import strategies as st
from logs_insights import run
from strategies import TRAFFIC

import flowlens as fl
from flowlens import Selection

PREFIXES = st.sampled_from(
    ["10.0.0.1", "10.0.0.0/30", "10.0.0.2/32", "10.0.0.0/16", "0.0.0.0/0", "2001:db8::1", "2001:DB8::/32", "::/0",
     "192.0.2.0/24", "10.0.1.0/255.255.255.0"]
)  # fmt: skip
PORTS = st.sampled_from([22, "ssh", 443, "https", "0-1023", "40000-50000", 0, "443-443", np.uint16(50000)])
PROTOCOLS = st.sampled_from([6, "tcp", "TCP", "udp", 17, 1, "icmp", 200, "17"])
MOMENTS = st.sampled_from(
    [START, START + 60, "2026-03-10 14:10", "2026-03-10T15:00:00+01:00", pd.Timestamp(START + 600, unit="s"), None]
)


def several(one: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(one, st.lists(one, max_size=3))


def words(*known: str) -> st.SearchStrategy:
    return several(st.sampled_from([*known, "other", "it's", 'a"b']))


TIMES = st.tuples(MOMENTS, MOMENTS).filter(
    lambda span: None in span or pd.Timestamp(Selection(time=(span[0], None)).time[0])
    <= pd.Timestamp(Selection(time=(span[1], None)).time[0])
)  # fmt: skip

#: What a record of a log can be asked.
CLAUSES = {
    **dict.fromkeys(("src", "dst", "host"), several(PREFIXES)),
    **dict.fromkeys(("src_port", "dst_port", "port"), several(PORTS)),
    "protocol": several(PROTOCOLS),
    "action": words("ACCEPT", "REJECT"),
    "interface": words("eni-10.0.0.1", "eni-10.0.0.2"),
    "direction": words("ingress", "egress"),
    "status": words("OK", "NODATA", "SKIPDATA"),
    "time": TIMES,
}
#: What is asked of columns that are added, and of what is deduced.
OTHERS = {
    **dict.fromkeys(("group", "src_group", "dst_group"), words("web", "db")),
    "verdict": words("SG_IN", "NACL_OUT"),
    "certainty": words("certain", "likely"),
    "kind": words("beacon", "port_scan"),
    "min_score": st.sampled_from([0, 0.5, 1, np.float64(0.25)]),
}


def chosen(clauses: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    """Return selections of up to four clauses, as the arguments that make them."""
    return st.lists(st.sampled_from(sorted(clauses)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: clauses[name] for name in names})
    )


SELECTIONS = chosen(CLAUSES)
ANY = chosen({**CLAUSES, **OTHERS})
LOGS = TRAFFIC.map(lambda records: [{**rec, "flow_direction": ["ingress", "egress", None][n % 3]}
                                    for n, rec in enumerate(records)])  # fmt: skip


def frame_of(records: list[dict]) -> pd.DataFrame:
    return read(text(records, names_of(records)))


def as_aws_stores_it(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as AWS's tables have it: words as text, times as Unix seconds."""
    seconds = {name: df[name].astype("int64").where(df[name].notna(), np.nan) for name in ("start", "end")}
    words = {name: df[name].astype(object).where(df[name].notna(), None) for name in df.select_dtypes("category")}
    return df.assign(**seconds, **words, row=np.arange(len(df)))


def test_every_clause_is_among_those_that_are_tried():
    assert {*CLAUSES, *OTHERS} == {clause.name for clause in fields(Selection)}


# --- Renderings ---


@settings(max_examples=25)
@given(records=LOGS, clauses=SELECTIONS)
def test_sql_keeps_the_records_of_the_mask(records, clauses):
    df, selection = frame_of(records), Selection(**clauses)
    log = as_aws_stores_it(df)
    with duckdb.connect() as engine:
        engine.register("flows", log)
        kept = engine.execute(f"SELECT row FROM flows WHERE {selection.sql('duckdb')} AND true ORDER BY row").fetchall()
    assert [row for (row,) in kept] == np.flatnonzero(selection.mask(df)).tolist()


@given(records=LOGS, clauses=SELECTIONS)
def test_the_predicate_of_ibis_keeps_the_records_of_the_mask(records, clauses):
    df, selection = frame_of(records), Selection(**clauses)
    log = as_aws_stores_it(df)
    types = {name: "string" if log[name].dtype == object else "int64" for name in log}
    table = ibis.memtable(log, schema=ibis.schema(types))
    kept = table.filter(selection.predicate(table)).row.to_pandas()
    assert sorted(kept) == np.flatnonzero(selection.mask(df)).tolist()


@given(records=LOGS, clauses=SELECTIONS)
def test_code_is_the_call_that_keeps_the_records_of_the_mask(records, clauses):
    df, selection = frame_of(records), Selection(**clauses)
    kept = eval(selection.code, {"df": df})
    pd.testing.assert_frame_equal(kept, df[selection.mask(df)])
    pd.testing.assert_frame_equal(df.flow.select(selection), kept)


@given(records=LOGS, clauses=SELECTIONS)
def test_the_filter_of_logs_insights_keeps_the_records_of_the_mask(records, clauses):
    if any(isinstance(value, list | str) and value in ([], "-") for value in clauses.values()):
        return  # Logs Insights has no way to say that nothing is meant; the next test says so
    df, selection, names = frame_of(records), Selection(**clauses), names_of(records)
    query = "\n| ".join(
        filter(None, [selection.insights(fields=names) or f'parse @message "{" ".join("*" * len(names))}" as '
                      + ", ".join(names), "stats count(*) as flows by srcaddr, start"])
    )  # fmt: skip
    lines = [line(rec, names) for rec in records]
    found = run(query, lines, [rec["start"] for rec in records], default_format=False)
    assert sum(int(row["flows"]) for row in found) == selection.mask(df).sum()


def test_logs_insights_refuses_what_selects_nothing_and_what_is_not_in_the_log():
    with pytest.raises(ValueError, match="no record could be selected"):
        Selection(src=[]).insights()
    for clause in ("group", "src_group", "dst_group", "verdict", "certainty", "kind"):
        with pytest.raises(fl.EngineError, match=r"it has no (groups|verdicts|findings)"):
            Selection(**{clause: "x"}).insights()
    with pytest.raises(fl.MissingFieldError, match="flow-direction"):
        Selection(direction="ingress").insights()
    assert Selection().insights() == ""


@pytest.mark.xdist_group("spark")
@pytest.mark.parametrize(
    "clauses",
    [
        {"src": ["10.0.0.0/30", "2001:db8::/32"], "protocol": "tcp"},
        {"port": ["ssh", "40000-50000"], "action": ["ACCEPT", "it's"]},
        {"time": (START + 60, START + 1200), "host": "10.0.0.1"},
        {"interface": 'a"b\\', "status": "OK"},
        {"direction": "ingress", "dst": []},
    ],
    ids=repr,
)
def test_spark_keeps_the_records_of_the_mask(spark, clauses, tmp_path):
    records = [
        record(srcaddr=f"10.0.0.{n % 9}", dstaddr="2001:db8::1" if n % 7 else "10.0.0.1",
               dstport=[22, 443, 45000][n % 3], start=START + 30 * n, action=["ACCEPT", "REJECT"][n % 2],
               flow_direction=[None, "ingress"][n % 2])
        for n in range(60)
    ]  # fmt: skip
    df, selection = frame_of(records), Selection(**clauses)
    log = as_aws_stores_it(df)[["row", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "start", "action",
                                "interface_id", "log_status", "flow_direction"]]  # fmt: skip
    log.astype(dict.fromkeys(("srcport", "dstport", "protocol"), "int64")).to_parquet(tmp_path / "log.parquet")
    session = spark._session
    session.read.parquet(str(tmp_path)).createOrReplaceTempView("selected_from")
    kept = session.sql(f"SELECT row FROM selected_from WHERE {selection.sql('spark')}").collect()
    assert sorted(row.row for row in kept) == np.flatnonzero(selection.mask(df)).tolist()


# --- Selections themselves ---


@given(clauses=ANY)
def test_repr_evaluates_to_the_same_selection(clauses):
    selection = Selection(**clauses)
    again = eval(repr(selection), {"Selection": Selection})
    assert again == selection
    assert hash(again) == hash(selection)
    assert repr(again) == repr(selection)


@given(clauses=ANY)
def test_a_selection_made_of_its_own_clauses_is_the_same(clauses):
    selection = Selection(**clauses)
    assert Selection(**selection.clauses) == selection
    assert replace(selection) == selection


@given(clauses=ANY, order=st.randoms())
def test_the_order_of_clauses_and_of_values_does_not_matter(clauses, order):
    names = list(clauses)
    order.shuffle(names)
    turned = {
        name: clauses[name][::-1] if isinstance(clauses[name], list) and name != "time" else clauses[name]
        for name in names
    }
    assert Selection(**turned) == Selection(**clauses)


@given(records=LOGS, clauses=SELECTIONS)
def test_another_clause_never_selects_more(records, clauses):
    df, given_so_far = frame_of(records), {}
    before = Selection().mask(df)
    for name, value in clauses.items():
        given_so_far[name] = value
        mask = Selection(**given_so_far).mask(df)
        assert not (mask & ~before).any()
        before = mask


@settings(max_examples=30)
@given(records=LOGS, clauses=SELECTIONS)
def test_masks_depend_on_the_value_of_a_clause_and_not_on_its_spelling(records, clauses):
    df = frame_of(records)
    masks = [Selection(**{name: value}).mask(df) for name, value in clauses.items()]
    assert Selection(**clauses).mask(df).tolist() == np.logical_and.reduce(masks, initial=True).tolist() or not masks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"src": "10.0.0.0/8"}, {"src": ["10.1.2.3/8"]}),
        ({"src": "10.0.0.1/32"}, {"src": "10.0.0.1"}),
        ({"host": ["10.0.0.2", "10.0.0.1"]}, {"host": ("10.0.0.1", "10.0.0.2", "10.0.0.1")}),
        ({"dst": "2001:DB8:0:0::1"}, {"dst": "2001:db8::1/128"}),
        ({"dst": "2001:db8:0::/32"}, {"dst": "2001:db8::/32"}),
        ({"dst_port": "https"}, {"dst_port": [443, "443-443"]}),
        ({"protocol": 6}, {"protocol": "TCP"}),
        ({"action": ["REJECT", "ACCEPT"]}, {"action": ["ACCEPT", "REJECT"]}),
        ({"time": (START, None)}, {"time": ("2026-03-10 14:00", None)}),
        ({"time": (START, None)}, {"time": (pd.Timestamp("2026-03-10 15:00", tz="Europe/Vienna"), None)}),
        ({"time": ("2026-03-10 13:59:59.5", None)}, {"time": ("2026-03-10T14:00Z", None)}),
        ({"min_score": 1}, {"min_score": 1.0}),
    ],
    ids=repr,
)
def test_equal_filters_are_equal_in_whatever_spelling(one, other):
    assert Selection(**one) == Selection(**other)
    assert len({Selection(**one), Selection(**other)}) == 1


@pytest.mark.parametrize("score", [True, -0.1, 1.1, "high", float("nan")])
def test_what_is_no_score_is_refused(score):
    with pytest.raises(ValueError, match="no score"):
        Selection(min_score=score)


# --- Tables of what is deduced ---


def test_a_table_of_verdicts_is_selected_by_its_own_columns():
    found = fl.sample().flow.diagnose()
    kept = found.flow.select(verdict=["NACL_OUT", "SG_OUT"], certainty="certain", dst_port="1024-65535")
    by_hand = found[found["verdict"].isin(["NACL_OUT", "SG_OUT"]) & (found["certainty"] == "certain")
                    & found["dstport"].between(1024, 65535).fillna(False)]  # fmt: skip
    assert 0 < len(kept) < len(found)
    pd.testing.assert_frame_equal(kept, by_hand)


def test_a_table_of_verdicts_is_selected_by_when_they_began():
    found = fl.sample().flow.diagnose()
    kept = found.flow.select(time=("2026-03-10 12:00", None))
    pd.testing.assert_frame_equal(kept, found[found["first"] >= pd.Timestamp("2026-03-10 12:00", tz="UTC")])


def test_findings_are_selected_by_kind_and_score():
    found = fl.sample().flow.findings()
    kept = found.flow.select(kind=["beacon", "port_scan"], min_score=0.5)
    pd.testing.assert_frame_equal(kept, found[found["kind"].isin(["beacon", "port_scan"]) & (found["score"] >= 0.5)])


@pytest.mark.parametrize("clauses", [{"verdict": "SG_IN"}, {"kind": "beacon"}, {"min_score": 0.5}], ids=repr)
def test_records_have_no_verdict_and_no_score_and_the_error_says_so(clauses):
    with pytest.raises(fl.MissingFieldError, match=next(iter(clauses)).removeprefix("min_")):
        fl.sample().flow.select(**clauses)


def test_select_takes_one_selection_or_clauses_and_not_both():
    df = fl.sample()
    with pytest.raises(TypeError, match="not both"):
        df.flow.select(Selection(action="REJECT"), dst_port=22)
    with pytest.raises(TypeError, match="like src='10"):
        df.flow.select("10.0.0.1")
    assert len(df.flow.select(Selection())) == len(df)


def test_a_scan_takes_a_selection_too(tmp_path):
    df = fl.sample()
    df.flow.to_parquet(tmp_path)
    chosen_here = Selection(action="REJECT", dst_port="postgres")
    assert fl.scan(tmp_path).select(chosen_here).count() == len(df.flow.select(chosen_here)) > 0


def test_a_condition_can_be_put_beside_others():
    assert (
        Selection(src=["10.0.0.0/24", "192.0.2.1"]).sql()
        == "(\"srcaddr\" = '192.0.2.1' OR \"srcaddr\" LIKE '10.0.0.%')"
    )
    assert Selection().sql() == "TRUE"
