"""Sums under many filters: each panel counts what all clauses but its own leave, as pandas does by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formats import START, frame, names_of, read, record, text
from hypothesis import given
from hypothesis import strategies as st
from strategies import TRAFFIC
from test_selection_laws import SELECTIONS

import flowlens as fl
from flowlens.explore.crossfilter import Crossfilter
from flowlens.explore.ports import coded_ports

MEASURES = {"flows": None, "bytes": "bytes", "packets": "packets"}


def by_hand(df: pd.DataFrame, column: str, measure: str, clauses: dict) -> dict[str, float]:
    kept = df[fl.Selection(**clauses).mask(df)]
    grouped = kept.groupby(column, observed=True)
    sums = grouped.size() if measure == "flows" else grouped[measure].sum()
    return {str(name): float(value) for name, value in sums.items() if value}


@given(records=TRAFFIC, clauses=SELECTIONS, measure=st.sampled_from(sorted(MEASURES)), order=st.randoms())
def test_sums_are_those_of_the_rows_that_all_clauses_keep(records, clauses, measure, order):
    order.shuffle(records)
    df = read(text([{**rec, "flow_direction": None} for rec in records], [*names_of(records), "flow_direction"]))
    selection = fl.Selection(**clauses)
    cross = Crossfilter(df, MEASURES)
    for column in ("srcaddr", "interface_id", "action"):
        categories = cross.categories(column)
        for _ in range(2):  # worked out, and remembered
            sums = cross.sums(categories, measure, selection.clauses)
            found = {str(name): value for name, value in zip(categories.names, sums, strict=True) if value}
            assert found == by_hand(df, column, measure, clauses)
    kept = df[selection.mask(df)]
    assert cross.total(measure, selection.clauses) == (len(kept) if measure == "flows" else kept[measure].sum())


@given(records=TRAFFIC, clauses=SELECTIONS, n=st.integers(0, 30))
def test_the_first_rows_are_the_earliest_in_the_order_of_the_table(records, clauses, n):
    df = read(text([{**rec, "flow_direction": None} for rec in records], [*names_of(records), "flow_direction"]))
    selection = fl.Selection(**clauses)
    first = Crossfilter(df, MEASURES).first(n, selection.clauses)
    ordered = df[selection.mask(df)].sort_values("start", kind="stable", na_position="first")
    pd.testing.assert_frame_equal(first, ordered.head(n))


def test_rows_that_are_few_and_rows_that_are_many_are_summed_alike():
    df = fl.sample()
    cross = Crossfilter(df, MEASURES)
    categories = cross.categories("dstaddr")
    for clauses in ({"action": ("REJECT",)}, {"action": ("ACCEPT",)}, {"src": ("10.20.0.0/16",)}):
        for time in ({}, {"time": ("2026-03-10 04:00", "2026-03-10 09:30")}):
            sums = cross.sums(categories, "bytes", {**clauses, **time})
            found = {name: value for name, value in zip(categories.names, sums, strict=True) if value}
            assert found == by_hand(df, "dstaddr", "bytes", {**clauses, **time})


@pytest.mark.parametrize("spread", [10, 70_000, 5_000_000, 2**33])
def test_times_that_lie_far_apart_are_put_in_order(spread):
    starts = [START + spread * step for step in (3, 1, 2, 0, 3, 1)]
    df = frame(*[record(start=start, end=start + 1, srcport=place) for place, start in enumerate(starts)])
    assert Crossfilter(df, MEASURES).first(6, {})["srcport"].tolist() == [3, 1, 5, 2, 0, 4]


def test_rows_without_a_time_come_first_and_no_time_holds_them():
    df = frame(record(start=START), record(start=None, end=None), record(start=START + 60))
    cross = Crossfilter(df, MEASURES)
    assert cross.first(3, {}).index.tolist() == [1, 0, 2]
    assert cross.first(3, {"time": (None, None)}).index.tolist() == [0, 2]
    assert cross.span() == (START, START + 60)


def test_rows_are_in_the_bins_that_their_times_lie_in():
    starts = [START, START + 59, START + 60, START - 1, START + 600, None, START + 119]
    df = frame(*[record(start=start, end=start) for start in starts])
    bins = Crossfilter(df, MEASURES).bins(START, 60, 2)
    assert bins.tolist() == [2, 2, 0, 0, 1, 1, 2]  # without a time, before, and in order of time


def test_a_clause_about_a_column_that_is_not_there_says_so():
    cross = Crossfilter(pd.DataFrame({"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.2"]}), MEASURES)
    with pytest.raises(fl.MissingFieldError, match="start"):
        cross.total("flows", {"time": (None, None)})
    for _ in range(2):  # not remembered as an answer
        with pytest.raises(fl.MissingFieldError, match="action"):
            cross.total("flows", {"action": ("ACCEPT",)})


def test_names_are_found_and_others_left_out():
    categories = Crossfilter(fl.sample(), MEASURES).categories("srcaddr")
    places = categories.places(["10.20.0.5", "no address", "10.20.11.40"])
    assert categories.names[places].tolist() == ["10.20.0.5", "10.20.11.40"]
    assert categories.places([]) == []


# --- Service ports ---


#: How `coded_ports` puts a protocol and a port into one number.
PORTS = 65_537


@pytest.mark.parametrize("piece", [1 << 17, 1000], ids=["at once", "in pieces"])
@pytest.mark.parametrize("drop", [[], ["tcp_flags"]], ids=["with flags", "without"])
def test_service_ports_are_those_of_ports(drop, piece, monkeypatch):
    monkeypatch.setattr("flowlens.explore.ports._PIECE", piece)
    df = fl.sample().drop(columns=drop)
    codes, names = coded_ports(df)
    told = df.flow.ports()
    expected = {
        (int(protocol), 0 if pd.isna(port) else int(port)): int(flows)
        for port, protocol, flows in zip(told["port"], told["protocol"], told["flows"], strict=True)
    }
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    assert {divmod(int(name), PORTS): int(n) for name, n in zip(names, counts, strict=True) if n} == expected


@given(records=TRAFFIC)
def test_service_ports_of_random_traffic_are_those_of_ports(records):
    df = read(text(records, names_of(records)))
    codes, names = coded_ports(df)
    told = df.flow.ports()
    found = pd.Series(names[codes[codes >= 0]], dtype=object).value_counts().to_dict()
    expected = {
        int(protocol) * PORTS + (65_536 if pd.isna(port) else int(port)): int(flows)
        for port, protocol, flows in zip(told["port"], told["protocol"], told["flows"], strict=True)
    }
    assert found == expected


def test_service_ports_of_a_transit_gateway_are_those_of_ports():
    both = {"tgw_id": "tgw-1", "resource_type": "TransitGateway"}
    df = frame(
        record(srcport=443, dstport=50000, tcp_flags=18, **both),
        record(srcport=50000, dstport=443, tcp_flags=19, **both),
        record(srcport=50000, dstport=60000, tcp_flags=2, **both),
        record(srcport=70, dstport=None, tcp_flags=0, **both),
    )
    told = df.flow.ports()
    codes, names = coded_ports(df)
    assert sorted(names[codes] % PORTS) == sorted(np.repeat(told["port"], told["flows"]))
