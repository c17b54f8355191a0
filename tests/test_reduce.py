"""The reductions against the same sums in plain Python, on random traffic and on cases worked out by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import pandas as pd
import pytest
from formats import START, frame, names_of, nodata, read, record, rows, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TRAFFIC

MEASURES = ("flows", "packets", "bytes")
quick = settings(max_examples=20)


def traffic(records: Iterable[dict]) -> list[dict]:
    return [rec for rec in records if rec["srcaddr"] is not None]


def measured(records: Iterable[dict], key: Callable[[dict], tuple]) -> list[tuple]:
    """Return keys with flows, packets and bytes, by a loop."""
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    for rec in records:
        group = sums[key(rec)]
        group[0] += 1
        group[1] += rec["packets"] or 0
        group[2] += rec["bytes"] or 0
    return [(*names, *values) for names, values in sums.items()]


def ranked(table: list[tuple], by: str, keys: int) -> list[tuple]:
    """Order by a measure, largest first, ties by the keys."""
    place = keys + MEASURES.index(by)
    return sorted(table, key=lambda row: (-row[place], *[(value is None, value or 0) for value in row[:keys]]))


def df_of(records: list[dict]) -> pd.DataFrame:
    return read(text(records, names_of(records)))


# --- top_talkers ---


@quick
@given(
    records=TRAFFIC,
    n=st.sampled_from([None, 1, 2, 3, 100]),
    by=st.sampled_from(MEASURES),
    key=st.sampled_from(["srcaddr", "dstaddr", "interface_id", "dstport", "protocol"]),
)
def test_top_talkers_are_the_largest_sums(records, n, by, key):
    seen = [rec for rec in traffic(records) if rec[key] is not None]
    other = "srcaddr" if key in {"dstaddr", "dstport"} else "dstaddr"
    expected = ranked(measured(seen, lambda rec: (rec[key],)), by, 1)[:n]
    (everything,) = measured(traffic(records), lambda _: ()) or [(0, 0, 0)]
    total = everything[MEASURES.index(by)]  # also of records without a key
    found = df_of(records).flow.top_talkers(n, by=by, key=key)
    assert tuples(found, key, *MEASURES) == expected
    assert found["peers"].tolist() == [len({rec[other] for rec in seen if rec[key] == row[0]}) for row in expected]
    assert found["share"].tolist() == pytest.approx([row[1 + MEASURES.index(by)] / total for row in expected])
    if n is None and seen and len(seen) == len(traffic(records)):
        assert found["share"].sum() == pytest.approx(1)


def test_top_talkers_shows_ten_rows_by_bytes_unless_asked_otherwise():
    df = frame(*[record(srcaddr=f"10.0.0.{n}", bytes=1000 + n) for n in range(15)])
    assert tuples(df.flow.top_talkers(), "srcaddr", "bytes") == [(f"10.0.0.{n}", 1000 + n) for n in range(14, 4, -1)]
    assert len(df.flow.top_talkers(None)) == 15
    assert df.flow.top_talkers(3)["share"].sum() == pytest.approx(sum((1014, 1013, 1012)) / sum(range(1000, 1015)))


def test_ties_are_broken_by_the_key_whatever_the_order_of_records():
    records = [
        record(srcaddr=address, bytes=100) for address in ("10.0.0.9", "10.0.0.1", "::1", "10.0.0.10", "9.9.9.9")
    ]
    expected = ["10.0.0.1", "10.0.0.10", "10.0.0.9", "9.9.9.9", "::1"]
    for turned in (records, records[::-1]):
        assert df_of(turned).flow.top_talkers(None)["srcaddr"].tolist() == expected
        assert df_of(turned).flow.top_talkers(2)["srcaddr"].tolist() == expected[:2]


def test_top_talkers_counts_records_without_bytes_as_flows_of_no_bytes():
    df = frame(record(bytes=None, packets=3, action="REJECT"), record(bytes=100, packets=1))
    assert tuples(df.flow.top_talkers(), "flows", "packets", "bytes", "share") == [(2, 4, 100, 1.0)]


def test_a_share_of_nothing_is_missing_and_no_error():
    assert frame(record(bytes=0)).flow.top_talkers()["share"].isna().tolist() == [True]


def test_sums_beyond_32_bits_are_exact():
    df = frame(*[record(bytes=2**61 - 1, packets=2**40 + 1)] * 3)
    assert tuples(df.flow.pairs(), "packets", "bytes") == [(3 * (2**40 + 1), 3 * (2**61 - 1))]


# --- timeline ---


@quick
@given(
    records=TRAFFIC,
    freq=st.sampled_from([("1min", 60), ("5min", 300), ("7min", 420), ("1h", 3600), ("90s", 90), ("1D", 86400)]),
    by=st.sampled_from(["action", "protocol", "interface_id", "srcaddr", None]),
)
def test_timeline_counts_bins_aligned_to_midnight(records, freq, by):
    name, width = freq

    def key(rec):
        bin_ = START // 86400 * 86400 + (rec["start"] - START // 86400 * 86400) // width * width
        return (bin_,) if by is None else (bin_, rec[by])

    if 86400 % width:
        return  # widths that do not divide a day are aligned to the epoch, see below
    expected = measured(traffic(records), key)
    found = df_of(records).flow.timeline(name, by=by)
    names = ["start", *([by] if by else []), *MEASURES]
    assert list(found.columns) == names
    assert sorted(tuples(found), key=repr) == sorted(expected, key=repr)
    assert found["start"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("second", "bin_"),
    [(0, 0), (1, 0), (299, 0), (300, 300), (301, 300), (599, 300), (600, 600), (-1, -300), (-300, -300)],
)
def test_a_record_on_the_edge_belongs_to_the_bin_that_it_begins(second, bin_):
    found = frame(record(start=START + second)).flow.timeline("5min")
    assert tuples(found, "start", "flows") == [(START + bin_, 1)]
    assert found["start"].dtype == "datetime64[s, UTC]"


def test_a_record_belongs_to_the_bin_of_its_start_however_long_it_lasts():
    df = frame(record(start=START + 299, end=START + 899))
    assert tuples(df.flow.timeline("5min"), "start", "flows") == [(START, 1)]


@pytest.mark.parametrize(("freq", "width"), [("5min", 300), ("min", 60), ("h", 3600), ("2h", 7200), ("30s", 30)])
def test_widths_are_written_as_in_pandas(freq, width):
    df = frame(record(start=START), record(start=START + width - 1), record(start=START + width))
    assert df.flow.timeline(freq, by=None)["flows"].tolist() == [2, 1]


@pytest.mark.parametrize("freq", ["", "soon", "-5min", "0s", "1500ms", "500us", "1ME", "5 parsecs"])
def test_a_width_that_is_none_is_refused(freq):
    with pytest.raises(ValueError, match="freq"):
        frame(record()).flow.timeline(freq)


def test_timeline_leaves_out_nodata_and_empty_bins():
    df = frame(record(), nodata(), record(start=START + 3600))
    assert tuples(df.flow.timeline("5min"), "start", "action", "flows") == [
        (START, "ACCEPT", 1),
        (START + 3600, "ACCEPT", 1),
    ]


def test_timeline_without_split_needs_no_action():
    df = frame(record(), record()).drop(columns="action")
    assert tuples(df.flow.timeline(by=None), "flows") == [(2,)]


# --- pairs and matrix ---


@quick
@given(
    records=TRAFFIC,
    n=st.sampled_from([None, 1, 4]),
    by=st.sampled_from(MEASURES),
    keys=st.sampled_from(
        [
            ("srcaddr", "dstaddr"),
            ("srcaddr", "dstaddr", "dstport"),
            ("dstport",),
            ("interface_id", "action"),
            ("tcp_flags",),
        ]
    ),
)
def test_pairs_are_the_largest_sums_of_every_combination(records, n, by, keys):
    expected = ranked(measured(traffic(records), lambda rec: tuple(rec[key] for key in keys)), by, len(keys))[:n]
    found = df_of(records).flow.pairs(n, by=by, keys=keys)
    assert list(found.columns) == [*keys, *MEASURES]
    assert tuples(found) == expected


def test_pairs_shows_all_rows_by_bytes_unless_asked_otherwise():
    df = frame(*[record(srcaddr=f"10.0.0.{n}", bytes=n) for n in range(1, 31)])
    assert tuples(df.flow.pairs(), "srcaddr", "bytes") == [(f"10.0.0.{n}", n) for n in range(30, 0, -1)]


@quick
@given(records=TRAFFIC, values=st.sampled_from(MEASURES))
def test_the_matrix_crosses_two_columns_with_zero_where_nothing_flowed(records, values):
    seen = traffic(records)
    sums = {row[:2]: row[2 + MEASURES.index(values)] for row in measured(seen, lambda r: (r["srcaddr"], r["dstaddr"]))}
    found = df_of(records).flow.matrix("srcaddr", "dstaddr", values=values)
    assert found.index.tolist() == sorted({rec["srcaddr"] for rec in seen})
    assert found.columns.tolist() == sorted({rec["dstaddr"] for rec in seen})
    assert (found.index.name, found.columns.name) == ("srcaddr", "dstaddr")
    for src in found.index:
        for dst in found.columns:
            assert found.loc[src, dst] == sums.get((src, dst), 0)


def test_the_matrix_crosses_groups_by_default():
    df = frame(record(bytes=10), record(bytes=5), record(bytes=7, srcaddr="10.0.1.9"))
    df = df.assign(src_group=["web", "web", "db"], dst_group=["db", "web", "db"])
    expected = pd.DataFrame(
        {"db": [7, 10], "web": [0, 5]}, index=pd.Index(["db", "web"], name="src_group")
    ).rename_axis(columns="dst_group")
    pd.testing.assert_frame_equal(df.flow.matrix(), expected, check_index_type=False, check_column_type=False)


# --- ports ---


def service(rec: dict, flags: bool) -> tuple:
    syn, ack = (rec["tcp_flags"] or 0) & 2, (rec["tcp_flags"] or 0) & 16
    if flags and syn:
        return (rec["srcport"] if ack else rec["dstport"], rec["protocol"])
    return (min(rec["srcport"], rec["dstport"]), rec["protocol"])


@quick
@given(records=TRAFFIC, flags=st.booleans(), by=st.sampled_from(MEASURES), n=st.sampled_from([None, 2]))
def test_ports_counts_both_directions_for_the_side_that_answers(records, flags, by, n):
    df = df_of(records) if flags else df_of(records).drop(columns="tcp_flags")
    expected = ranked(measured(traffic(records), lambda rec: service(rec, flags)), by, 2)[:n]
    assert tuples(df.flow.ports(n, by=by)) == expected


@pytest.mark.parametrize(
    ("srcport", "dstport", "flags", "port"),
    [
        (40000, 443, None, 443),
        (443, 40000, None, 443),
        (40000, 443, 0, 443),
        (5001, 43416, 18, 5001),
        (43416, 5001, 2, 5001),
        (1024, 50000, 2, 50000),
        (50000, 1024, 18, 50000),
        (1024, 50000, 19, 1024),
        (22, 50000, 3, 50000),
        (22, 50000, 1, 22),
        (0, 0, None, 0),
    ],
)
def test_the_service_port_is_told_by_flags_before_numbers(srcport, dstport, flags, port):
    df = frame(record(srcport=srcport, dstport=dstport, tcp_flags=flags))
    assert tuples(df.flow.ports(), "port", "flows") == [(port, 1)]


def test_the_same_port_of_two_protocols_is_two_rows():
    df = frame(record(dstport=53, protocol=17), record(dstport=53, protocol=6), record(dstport=53, protocol=17))
    assert tuples(df.flow.ports(), "port", "protocol", "flows") == [(53, 17, 2), (53, 6, 1)]


# --- fan_out ---


@quick
@given(records=TRAFFIC, key=st.sampled_from(["srcaddr", "dstaddr"]))
def test_fan_out_counts_distinct_peers_and_ports(records, key):
    peer = "dstaddr" if key == "srcaddr" else "srcaddr"
    groups: dict[str, list[dict]] = defaultdict(list)
    for rec in traffic(records):
        groups[rec[key]].append(rec)
    expected = sorted(
        (
            address,
            len({rec[peer] for rec in group}),
            len({rec["dstport"] for rec in group}),
            len(group),
            sum(rec["action"] == "REJECT" for rec in group),
        )
        for address, group in groups.items()
    )
    found = df_of(records).flow.fan_out(key=key)
    assert list(found.columns) == [key, "peers", "ports", "flows", "rejected"]
    assert sorted(tuples(found)) == expected
    assert tuples(found) == sorted(expected, key=lambda row: (-row[1], -row[3], row[0]))


def test_fan_out_works_without_action():
    df = frame(record(), record(dstport=22)).drop(columns="action")
    assert tuples(df.flow.fan_out()) == [("10.0.0.5", 1, 2, 2, 0)]


# --- What all of them have in common ---

FULL = frame(
    record(tcp_flags=2),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, tcp_flags=18, start=START + 600),
    nodata(start=START + 1200, tcp_flags=None),
    record(action="REJECT", tcp_flags=None, start=START + 4000, end=START + 4100),
    record(interface_id=None, start=START + 4000, end=START + 4100),
)
TEXT = FULL["srcaddr"].cat.categories.dtype
COUNT = {"flows": "int64", "packets": "int64", "bytes": "int64"}
TIME, LENGTH = "datetime64[s, UTC]", "timedelta64[s]"
RESULTS = {
    "top_talkers": (lambda flow: flow.top_talkers(), {"srcaddr": TEXT, **COUNT, "peers": "int64", "share": "float64"}),
    "top ports": (
        lambda flow: flow.top_talkers(key="dstport"),
        {"dstport": "UInt16", **COUNT, "peers": "int64", "share": "float64"},
    ),
    "timeline": (lambda flow: flow.timeline(), {"start": TIME, "action": TEXT, **COUNT}),
    "plain timeline": (lambda flow: flow.timeline(by=None), {"start": TIME, **COUNT}),
    "pairs": (lambda flow: flow.pairs(), {"srcaddr": TEXT, "dstaddr": TEXT, **COUNT}),
    "pairs by flags": (
        lambda flow: flow.pairs(keys=("protocol", "tcp_flags")), {"protocol": "UInt8", "tcp_flags": "UInt8", **COUNT},
    ),
    "ports": (lambda flow: flow.ports(), {"port": "UInt16", "protocol": "UInt8", **COUNT}),
    "fan_out": (
        lambda flow: flow.fan_out(),
        {"srcaddr": TEXT, "peers": "int64", "ports": "int64", "flows": "int64", "rejected": "int64"},
    ),
    "rejected_by_port": (
        lambda flow: flow.rejected_by_port("https"),
        {"start": TIME, "port": "UInt16", "flows": "int64", "packets": "int64", "sources": "int64", "targets": "int64",
         "alarm": "bool"},
    ),
    "top_contributors": (
        lambda flow: flow.top_contributors(("srcaddr", "dstport")),
        {"srcaddr": TEXT, "dstport": "UInt16", **COUNT, "share": "float64", "contributors": "int64"},
    ),
    "top contributors of each hour": (
        lambda flow: flow.top_contributors(freq="1h"),
        {"start": TIME, "srcaddr": TEXT, **COUNT, "share": "float64", "contributors": "int64"},
    ),
    "conversations": (lambda flow: flow.conversations(), {
        "initiator": TEXT, "responder": TEXT, "initiator_port": "UInt16", "responder_port": "UInt16",
        "protocol": "UInt8", "interface_id": TEXT, "first": TIME, "last": TIME, "records": "int64",
        "packets_out": "int64", "packets_in": "int64", "bytes_out": "int64", "bytes_in": "int64",
        "state": TEXT, "initiator_by": TEXT,
    }),
    "coverage": (lambda flow: flow.coverage(), {
        "interface_id": TEXT, "records": "int64", "first": TIME, "last": TIME, "nodata": "int64", "skipdata": "int64",
        "gap_time": LENGTH,
    }),
    "gaps": (lambda flow: flow.gaps(), {"interface_id": TEXT, "start": TIME, "end": TIME, "duration": LENGTH}),
}  # fmt: skip
results = pytest.mark.parametrize("verb", RESULTS)


@results
def test_results_are_plain_frames_with_the_documented_columns_and_dtypes(verb):
    reduce, dtypes = RESULTS[verb]
    found = reduce(FULL.flow)
    assert type(found) is pd.DataFrame
    assert len(found)
    assert isinstance(found.index, pd.RangeIndex)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {name: str(d) for name, d in dtypes.items()}


EMPTY = {
    "all filtered out": FULL.iloc[:0],
    "header only": read(text([], list(FULL.columns))),
    "NODATA only": frame(nodata(tcp_flags=None)),
    "empty file": read(b"", fields=list(FULL.columns)),
}


@results
@pytest.mark.parametrize("kind", EMPTY)
def test_an_empty_frame_gives_the_same_columns_and_dtypes(verb, kind):
    reduce, dtypes = RESULTS[verb]
    found = reduce(EMPTY[kind].flow)
    assert len(found) == (kind == "NODATA only" and verb == "coverage")
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {name: str(d) for name, d in dtypes.items()}


def test_the_matrix_of_nothing_is_empty_with_its_names():
    found = FULL.iloc[:0].flow.matrix("srcaddr", "dstaddr")
    assert found.shape == (0, 0)
    assert (found.index.name, found.columns.name) == ("srcaddr", "dstaddr")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda flow: flow.top_talkers(by="byte"),
        lambda flow: flow.pairs(by="share"),
        lambda flow: flow.ports(by="peers"),
        lambda flow: flow.matrix("srcaddr", "dstaddr", values="peers"),
        lambda flow: flow.top_contributors(by="share"),
    ],
)
def test_a_measure_that_is_none_is_refused_with_those_there_are(wrong):
    with pytest.raises(ValueError, match="flows, packets, bytes"):
        wrong(FULL.flow)


@pytest.mark.parametrize("n", [-1, 1.5, "3"])
@pytest.mark.parametrize("verb", ["top_talkers", "pairs", "ports"])
def test_a_number_of_rows_that_is_none_is_refused(verb, n):
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(FULL.flow, verb)(n)
    assert "n" in str(caught.value)


@pytest.mark.parametrize("verb", ["top_talkers", "pairs", "ports"])
def test_no_rows_can_be_asked_for(verb):
    assert len(getattr(FULL.flow, verb)(0)) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda flow: flow.pairs(keys=()),
        lambda flow: flow.pairs(keys=("srcaddr", "srcaddr")),
        lambda flow: flow.pairs(keys="srcaddr"),
        lambda flow: flow.matrix("srcaddr", "srcaddr"),
    ],
    ids=["no keys", "a key twice", "a key that is no list", "a column crossed with itself"],
)
def test_keys_that_make_no_sense_give_a_python_error_or_a_sound_answer(call):
    try:
        found = call(FULL.flow)
    except (ValueError, TypeError):
        pass
    else:
        assert found.select_dtypes("number").to_numpy().sum() > 0


def test_a_result_does_not_share_memory_with_the_log():
    df = FULL.copy()
    found = df.flow.pairs()
    found.loc[:, "bytes"] = 0
    found.loc[:, "srcaddr"] = "x"
    pd.testing.assert_frame_equal(df, FULL)


def test_rows_of_the_helper_turn_a_frame_back_into_records():
    assert rows(FULL)[2]["log_status"] == "NODATA"


@pytest.mark.parametrize("others", [["A", "B"], ["ACCEPT", "DROP"], ["Z", "REJECTED"], ["A", "Z"]])
def test_words_that_aws_does_not_write_are_counted_as_such_and_not_taken_for_others(others):
    df = frame(record(), record(), record(action="REJECT")).assign(action=[*others, "REJECT"])
    assert tuples(df.flow.fan_out(), "flows", "rejected") == [(3, 1)]
    assert dict(tuples(df.flow.timeline("1h"), "action", "flows")) == {**dict.fromkeys(others, 1), "REJECT": 1}
    assert tuples(df.iloc[:2].flow.fan_out(), "rejected") == [(0,)]
    assert tuples(df.iloc[:2].flow.conversations(), "state") == [("unanswered",)]
