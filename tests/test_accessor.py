"""`df.flow` on every kind of frame: when it is there, what it says of the log, and that it changes nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from formats import START, frame, nodata, record, text, tuples

import flowlens as fl

EVALUATION = Path(__file__).resolve().parents[2] / "shared" / "evaluation"

RECORDS = [
    record(tcp_flags=2, flow_direction="ingress"),
    record(
        srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, tcp_flags=18, flow_direction="egress",
        packets=12, bytes=9999,
    ),
    nodata(start=START + 60, end=START + 119, tcp_flags=None, flow_direction=None),
    record(srcaddr="198.51.100.7", dstport=22, action="REJECT", start=START + 300, end=START + 301, bytes=None),
    nodata(start=START + 400, end=START + 459, log_status="SKIPDATA"),
    record(
        srcaddr="2001:db8::1", dstaddr="2001:db8::2", srcport=0, dstport=0, protocol=58, interface_id="eni-other",
        start=START + 900, end=START + 959, tcp_flags=0, flow_direction="ingress",
    ),
    record(start=START + 960, end=START + 1000, tcp_flags=0),
]  # fmt: skip

VERBS = {
    "top_talkers": lambda flow: flow.top_talkers(None),
    "timeline": lambda flow: flow.timeline("5min"),
    "pairs": lambda flow: flow.pairs(),
    "matrix": lambda flow: flow.matrix("srcaddr", "dstaddr").reset_index(),
    "ports": lambda flow: flow.ports(),
    "fan_out": lambda flow: flow.fan_out(),
    "rejected_by_port": lambda flow: flow.rejected_by_port(),
    "top_contributors": lambda flow: flow.top_contributors(),
    "conversations": lambda flow: flow.conversations(),
    "coverage": lambda flow: flow.coverage(),
    "gaps": lambda flow: flow.gaps(),
}
FILTERS = {
    "accepted": lambda flow: flow.accepted(),
    "rejected": lambda flow: flow.rejected(),
    "between": lambda flow: flow.between("10.0.0.0/24", "10.0.1.9"),
    "host": lambda flow: flow.host(["10.0.0.5", "2001:db8::/32"]),
    "src": lambda flow: flow.select(src="10.0.0.0/16"),
    "port": lambda flow: flow.select(port="https"),
    "source port 0": lambda flow: flow.select(src_port=0),
    "protocol": lambda flow: flow.select(protocol="icmpv6"),
    "time": lambda flow: flow.select(time=("2026-03-10 14:05", "2026-03-10 14:16")),
    "status": lambda flow: flow.select(status="NODATA"),
    "interface": lambda flow: flow.select(interface="eni-other"),
}
#: Places in RECORDS that each filter keeps, by hand
KEPT = {
    "accepted": [0, 1, 5, 6],
    "rejected": [3],
    "between": [0, 1, 6],
    "host": [0, 1, 5, 6],
    "src": [0, 1, 6],
    "port": [0, 1, 6],
    "source port 0": [5],
    "protocol": [5],
    "time": [3, 4, 5],
    "status": [2],
    "interface": [5],
}
OTHERS = {
    "window": lambda flow: flow.window,
    "interval": lambda flow: flow.interval,
    "fields": lambda flow: flow.fields,
    "can": lambda flow: flow.can("diagnose"),
    "sql": lambda flow: flow.sql("athena").pairs(),
    "plot": lambda flow: flow.plot.ports(),
}
verbs = pytest.mark.parametrize("verb", VERBS)
filters = pytest.mark.parametrize("verb", FILTERS)


def answer(df: pd.DataFrame, verb: str) -> list[tuple[object, ...]]:
    return tuples(VERBS[verb](df.flow))


def by_hand(records: list[dict], kind: str) -> pd.DataFrame:
    """Make the frame that a user builds of the same records without flowlens."""
    df = pd.DataFrame(records)
    if kind == "strings":
        return df.map(lambda value: "-" if pd.isna(value) else str(int(value)) if isinstance(value, float) else value)
    times = {name: pd.to_datetime(df[name], unit="s") for name in ("start", "end")}
    if kind == "iso strings":
        times = {name: moments.dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moments in times.items()}
    if kind == "nanoseconds in another zone":
        times = {
            name: moments.astype("datetime64[ns]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
            for name, moments in times.items()
        }
    return df.assign(**times) if kind != "epoch" else df


def round_trip(df: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(df.to_csv(index=False)))


FOREIGN = {
    "strings": lambda: by_hand([{k: None if v is None else str(v) for k, v in r.items()} for r in RECORDS], "strings"),
    "epoch": lambda: by_hand(RECORDS, "epoch"),
    "iso strings": lambda: by_hand(RECORDS, "iso strings"),
    "naive datetimes": lambda: by_hand(RECORDS, "naive datetimes"),
    "nanoseconds in another zone": lambda: by_hand(RECORDS, "nanoseconds in another zone"),
    "csv round trip": lambda: round_trip(frame(*RECORDS)),
    "plain text columns": lambda: frame(*RECORDS).astype({"srcaddr": object, "dstaddr": str, "action": object}),
}

# --- When df.flow is there ---


@pytest.mark.parametrize(
    ("columns", "lacking", "there"),
    [
        (["a", "b"], ["srcaddr", "dstaddr"], []),
        (["srcaddr", "b"], ["dstaddr"], ["srcaddr"]),
        (["dstaddr"], ["srcaddr"], []),
        ([], ["srcaddr", "dstaddr"], []),
        ([0, 1], ["srcaddr", "dstaddr"], []),
    ],
)
def test_a_frame_without_addresses_has_no_flow_and_the_error_names_what_is_missing(columns, lacking, there):
    df = pd.DataFrame(columns=columns)
    assert not hasattr(df, "flow")
    with pytest.raises(fl.NotAFlowFrameError) as caught:
        _ = df.flow
    assert isinstance(caught.value, AttributeError)
    said = str(caught.value).split("lacks")[1].split(" and has ")[0]
    assert all(name in said for name in lacking)
    assert not any(name in said for name in there)
    assert "flowlens.read" in str(caught.value)


@pytest.mark.parametrize(
    "df",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": [1]}),
        pd.DataFrame({("a", "b"): [1], ("srcaddr", "dstaddr"): [2]}),
        pd.DataFrame({1: [2], None: [3]}),
        pd.DataFrame({"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.2"]}),
        frame(*RECORDS),
    ],
    ids=["nothing", "other", "two levels", "odd names", "addresses only", "a log"],
)
def test_dir_works_on_any_frame(df):
    assert "columns" in dir(df)
    assert hasattr(df, "flow") == ("srcaddr" in df.columns and "dstaddr" in df.columns)


def test_repr_tells_records_and_fields_and_does_not_count_own_columns():
    df = frame(*RECORDS).assign(team="a")
    assert "7" in repr(df.flow)
    assert "16 fields" in repr(df.flow)


# --- Odd frames ---


@verbs
@pytest.mark.parametrize("make", ["typed", "header only", "round trip"])
def test_every_verb_of_an_empty_frame_is_an_empty_table(verb, make):
    df = frame(*RECORDS).iloc[:0]
    if make == "header only":
        df = fl.read(io.BytesIO(text([], list(RECORDS[0]))))
    if make == "round trip":
        df = round_trip(df)
    assert len(VERBS[verb](df.flow)) == 0


@filters
def test_every_filter_of_an_empty_frame_is_an_empty_frame_of_the_same_columns(verb):
    df = frame(*RECORDS).iloc[:0]
    pd.testing.assert_frame_equal(FILTERS[verb](df.flow), df)


@pytest.mark.parametrize("make", [lambda df: df, round_trip], ids=["typed", "csv round trip"])
def test_a_frame_of_nodata_records_has_coverage_and_no_traffic(make):
    df = make(frame(*[nodata(start=START + 60 * n, end=START + 60 * n + 59) for n in range(5)]))
    assert tuples(df.flow.coverage()) == [("eni-1235b8ca123456789", 5, START, START + 299, 5, 0, 0)]
    assert df.flow.interval == 60
    for verb in set(VERBS) - {"coverage"}:
        assert answer(df, verb) == [], verb
    assert len(df.flow.host("0.0.0.0/0")) == 0
    assert len(df.flow.rejected()) == 0


@verbs
def test_a_filtered_frame_answers_as_if_it_had_been_numbered_anew(verb):
    part = frame(*RECORDS).iloc[[6, 0, 3, 5]]
    assert answer(part, verb) == answer(frame(*[RECORDS[place] for place in (6, 0, 3, 5)]), verb)


@verbs
def test_a_duplicate_index_counts_every_record(verb):
    df = frame(*RECORDS)
    assert answer(pd.concat([df, df]), verb) == answer(frame(*RECORDS, *RECORDS), verb)


@filters
@pytest.mark.parametrize(
    "labels", [[7, 5, 3, 2, 11, 13, 17], ["x", "x", "y", "x", "y", "z", "z"]], ids=["odd", "duplicate"]
)
def test_filters_keep_the_labels_of_the_records(verb, labels):
    df = frame(*RECORDS).set_axis(labels, axis=0)
    pd.testing.assert_frame_equal(FILTERS[verb](df.flow), df.iloc[KEPT[verb]])


# --- Columns of the user ---

OWN = {
    "text": (["b", "a", "b", "c", "b", "a", "b"], {"a": 2, "b": 2, "c": 1}),
    "text with gaps": (["b", None, "b", "c", "b", None, "b"], {"b": 2, "c": 1, None: 2}),
    "whole numbers": ([30, 4, 30, 5, 30, 4, 30], {4: 2, 5: 1, 30: 2}),
    "fractions": ([0.5, 0.25, 0.5, 9.0, 0.5, 0.25, 0.5], {0.25: 2, 0.5: 2, 9.0: 1}),
    "bool": ([True, False, True, True, True, False, True], {False: 2, True: 3}),
    "bool with gaps": ([True, False, True, None, True, False, True], {False: 2, True: 2, None: 1}),
    "nothing": ([None] * 7, {None: 5}),
}
own = pytest.mark.parametrize(("values", "counts"), OWN.values(), ids=OWN)


@own
def test_pairs_count_by_a_column_of_the_user(values, counts):
    got = frame(*RECORDS).assign(team=values).flow.pairs(keys=("team",), by="flows")
    assert dict(tuples(got, "team", "flows")) == counts


@own
def test_top_talkers_rank_a_column_of_the_user_where_it_has_a_value(values, counts):
    got = frame(*RECORDS).assign(team=values).flow.top_talkers(None, by="flows", key="team")
    assert dict(tuples(got, "team", "flows")) == {key: flows for key, flows in counts.items() if key is not None}
    assert sorted(got["flows"], reverse=True) == list(got["flows"])


@pytest.mark.parametrize("kind", ["text", "whole numbers", "bool"])
@pytest.mark.parametrize(
    "name", ["initiator", "local", "remote", "duration", "first", "last", "flows_of", "port", "number", "my column"]
)
def test_the_name_of_a_column_of_the_user_does_not_change_its_values(name, kind):
    values, counts = OWN[kind]
    got = frame(*RECORDS).assign(**{name: values}).flow.pairs(keys=(name,), by="flows")
    assert dict(zip(got[name].tolist(), got["flows"].tolist(), strict=True)) == counts


@own
def test_timeline_splits_by_a_column_of_the_user(values, counts):
    df = frame(*RECORDS).assign(team=values)
    got = df.flow.timeline("1D", by="team")
    assert dict(tuples(got, "team", "flows")) == counts


def test_columns_whose_names_are_no_strings_do_no_harm():
    df = frame(*RECORDS)
    df[5] = 1
    assert answer(df, "pairs") == answer(frame(*RECORDS), "pairs")
    assert df.flow.sql("duckdb").pairs() == frame(*RECORDS).flow.sql("duckdb").pairs()


# --- Frames that flowlens did not make ---


@pytest.mark.parametrize("kind", FOREIGN)
@verbs
def test_a_frame_from_elsewhere_gives_the_same_answers(kind, verb):
    assert answer(FOREIGN[kind](), verb) == answer(frame(*RECORDS), verb)


@pytest.mark.parametrize("kind", FOREIGN)
@filters
def test_filters_of_a_frame_from_elsewhere_keep_the_same_records(kind, verb):
    df = FOREIGN[kind]()
    pd.testing.assert_frame_equal(FILTERS[verb](df.flow), df.iloc[KEPT[verb]])


@pytest.mark.parametrize("kind", FOREIGN)
def test_window_and_interval_of_a_frame_from_elsewhere_are_the_same(kind):
    first, last = FOREIGN[kind]().flow.window
    assert (first, last) == (pd.Timestamp(START, unit="s", tz="UTC"), pd.Timestamp(START + 1000, unit="s", tz="UTC"))
    assert FOREIGN[kind]().flow.interval == 60


@pytest.mark.parametrize("kind", ["typed", *FOREIGN])
@pytest.mark.parametrize("verb", [*VERBS, *FILTERS, *OTHERS])
def test_no_verb_changes_its_frame(kind, verb):
    df = frame(*RECORDS) if kind == "typed" else FOREIGN[kind]()
    before = df.copy(deep=True)
    {**VERBS, **FILTERS, **OTHERS}[verb](df.flow)
    pd.testing.assert_frame_equal(df, before, check_categorical=True)
    assert list(df.columns) == list(before.columns)


# --- Know what you hold ---


def test_fields_are_the_known_columns_in_their_order():
    df = pd.DataFrame({"dstaddr": ["10.0.0.1"], "team": ["a"], "srcaddr": ["10.0.0.2"], "tcp_flags": [2]})
    assert df.flow.fields == ("dstaddr", "srcaddr", "tcp_flags")


def test_the_window_is_first_start_and_last_end_in_utc():
    first, last = frame(record(start=START + 5, end=START + 500), record(start=START + 9, end=START + 70)).flow.window
    assert first == pd.Timestamp("2026-03-10T14:00:05Z")
    assert last == pd.Timestamp("2026-03-10T14:08:20Z")
    assert str(first.tz) == str(last.tz) == "UTC"


def test_the_window_of_no_records_is_nat_twice_and_the_interval_none():
    empty = frame(*RECORDS).iloc[:0]
    assert [moment is pd.NaT for moment in empty.flow.window] == [True, True]
    assert empty.flow.interval is None


@pytest.mark.parametrize(
    ("lengths", "interval"),
    [([59] * 10, 60), ([60] * 10, 60), ([0, 1, 58, 61], 60), ([599] * 10, 600), ([20, 400, 0, 599], 600), ([600], 600)],
)
def test_the_interval_follows_from_the_length_of_records(lengths, interval):
    records = [record(start=START + 600 * n, end=START + 600 * n + length) for n, length in enumerate(lengths)]
    assert frame(*records).flow.interval == interval


@pytest.mark.parametrize(
    ("folder", "seconds"),
    [
        *((name, 60) for name in ("ctu50-008", "ctu50-010", "droplet", "droplet-72h")),
        *((name, 60) for name in ("iot23-8-1", "iot23-20-1", "iot23-21-1")),
        *((name, 600) for name in ("ctu50-010", "droplet", "iot23-8-1", "iot23-20-1", "iot23-21-1")),
    ],
)
def test_the_interval_of_real_traffic_is_that_of_its_windows(folder, seconds):
    if not EVALUATION.is_dir():
        pytest.skip("the evaluation logs are not beside this checkout")
    log = EVALUATION / folder / f"flows-{seconds}s.log.gz"
    assert fl.read(log, columns=["srcaddr", "dstaddr", "start", "end"], progress=False).flow.interval == seconds


def test_can_is_truthy_where_all_fields_are_there():
    assert frame(*RECORDS).flow.can("diagnose")
    assert frame(*RECORDS).flow.can("diagnose").missing == ()


def test_can_is_falsy_and_names_what_is_missing_where_not():
    ability = frame(*RECORDS).drop(columns=["action", "interface_id"]).flow.can("diagnose")
    assert not ability
    assert set(ability.missing) == {"action", "interface_id"}
    assert "${interface-id}" in repr(ability)
    assert "${action}" in repr(ability)


@pytest.mark.parametrize("verb", ["diagnoze", "", "Diagnose"])
def test_can_refuses_a_verb_that_does_not_exist(verb):
    with pytest.raises(ValueError, match=repr(verb)):
        frame(*RECORDS).flow.can(verb)


NEEDED = [
    ("top_talkers", "bytes", "${bytes}"),
    ("timeline", "start", "${start}"),
    ("timeline", "action", "${action}"),
    ("pairs", "packets", "${packets}"),
    ("matrix", "bytes", "${bytes}"),
    ("ports", "protocol", "${protocol}"),
    ("ports", "srcport", "${srcport}"),
    ("fan_out", "dstport", "${dstport}"),
    ("rejected_by_port", "action", "${action}"),
    ("rejected_by_port", "protocol", "${protocol}"),
    ("rejected_by_port", "start", "${start}"),
    ("top_contributors", "bytes", "${bytes}"),
    ("conversations", "end", "${end}"),
    ("conversations", "srcport", "${srcport}"),
    ("coverage", "log_status", "${log-status}"),
    ("gaps", "interface_id", "${interface-id}"),
    ("accepted", "action", "${action}"),
    ("rejected", "action", "${action}"),
    ("port", "srcport", "${srcport}"),
    ("time", "start", "${start}"),
    ("status", "log_status", "${log-status}"),
    ("interface", "interface_id", "${interface-id}"),
    ("window", "end", "${end}"),
    ("interval", "start", "${start}"),
]


@pytest.mark.parametrize(("verb", "column", "token"), NEEDED)
def test_a_verb_that_lacks_a_field_names_the_column_and_the_token(verb, column, token):
    df = frame(*RECORDS).drop(columns=column)
    with pytest.raises(fl.MissingFieldError) as caught:
        {**VERBS, **FILTERS, **OTHERS}[verb](df.flow)
    assert isinstance(caught.value, KeyError)
    assert column in str(caught.value)
    assert token in str(caught.value)


@pytest.mark.parametrize("verb", sorted({verb for verb, *_ in NEEDED if verb in {*VERBS, "accepted", "window"}}))
def test_can_agrees_with_what_the_verb_then_does(verb):
    everything = {**VERBS, **FILTERS, **OTHERS}
    for column in record():
        if column in {"srcaddr", "dstaddr"}:
            continue
        df = frame(*RECORDS).drop(columns=column)
        if verb == "timeline" and column == "action":
            continue  # only the default of `by` needs it
        if df.flow.can(verb):
            everything[verb](df.flow)
        else:
            assert df.flow.can(verb).missing == (column,)
            with pytest.raises(fl.MissingFieldError):
                everything[verb](df.flow)


@pytest.mark.parametrize("column", ["team", "src_group"])
def test_a_column_that_is_no_field_is_named_without_a_token(column):
    with pytest.raises(fl.MissingFieldError, match=column) as caught:
        frame(*RECORDS).flow.pairs(keys=(column,))
    assert "${" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "values", "verb"),
    [
        ("dstport", ["443", "https", "22"], "fan_out"),
        ("dstport", ["443", "https", "22"], "port"),
        ("dstport", [443, 70000, 22], "ports"),
        ("srcport", [443, -1, 22], "conversations"),
        ("srcport", [443, 1.5, 22], "port"),
        ("protocol", [6, 300, 17], "protocol"),
        ("protocol", ["6", "tcp", "17"], "ports"),
        ("bytes", ["1", "1 kB", "3"], "pairs"),
        ("start", ["2026-03-10T14:00:00Z", "tea time", "2026-03-10T14:00:00Z"], "timeline"),
        ("start", ["2026-03-10T14:00:00Z", "tea time", "2026-03-10T14:00:00Z"], "time"),
    ],
)
def test_a_wrong_value_is_refused_with_column_value_and_row(column, values, verb):
    df = frame(record(), record(), record()).assign(**{column: values})
    with pytest.raises(fl.ParseError) as caught:
        {**VERBS, **FILTERS}[verb](df.flow)
    assert column in str(caught.value)
    assert str(values[1]) in str(caught.value)
    assert caught.value.line == 2
    assert len(caught.value.bad_lines) == 1


def test_a_wrong_value_in_a_column_that_is_not_needed_does_no_harm():
    df = frame(record(), record()).assign(dstport=["443", "https"])
    assert tuples(df.flow.pairs()) == [("10.0.0.5", "10.0.1.9", 2, 20, 1680)]
