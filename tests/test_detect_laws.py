"""The laws of the house for detectors, on random hostile traffic and on the sample.

Law 6: order, files and unrelated traffic change no score. Law 8: every score is in 0-1, with the numbers behind it.

What other hosts do at the same port or with the same protocol is not unrelated: it makes a first time less rare
(`new_peers`), as callers of the same destination make a beacon less so. RITA's formula looks at the span of the whole
log, so that records before and after change its scores; its own test is below.
"""

from __future__ import annotations

import inspect
import json

import numpy as np
import pandas as pd
import pytest
from formats import START, frame, names_of, nodata, read, record, text
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import HOSTILE, SENSITIVE, TRAFFIC, UNRELATED_HOSTILE, logs, of_contact

import flowlens as fl
from flowlens.detect.rows import COLUMNS
from flowlens.detecting import Detecting

DAY = 86_400
DTYPES = {
    **dict.fromkeys(
        ("kind", "subject", "srcaddr", "dstaddr", "interface_id", "why", "technique", "guardduty", "caveat"), "str"
    ),
    **dict.fromkeys(("first", "last"), "datetime64[s, UTC]"), **dict.fromkeys(("parts", "evidence"), "object"),
    **dict.fromkeys(("flows", "bytes"), "Int64"), "dstport": "UInt16", "protocol": "UInt8", "score": "float64",
}  # fmt: skip

#: Every detector there is, and RITA's formula.
DETECTORS = {
    name: {} for name, _ in inspect.getmembers(Detecting, inspect.isfunction) if not name.startswith("_")
} | {"rita": {"mode": "rita"}}  # fmt: skip


def found(df: pd.DataFrame, detector: str = "findings", **arguments) -> pd.DataFrame:
    verb = "beacons" if detector == "rita" else detector
    return getattr(df.flow, verb)(**{"thresholds": SENSITIVE, **DETECTORS[detector], **arguments})


def by_unit(findings: pd.DataFrame) -> dict[str, list]:
    """Return the findings by what they are about, numbers to 9 digits, whatever their order."""
    rows = {}
    for _, row in findings.iterrows():
        told = {name: _rounded(row[name]) for name in findings.columns}
        rows.setdefault(str([told[name] for name in ("kind", "subject", "srcaddr", "dstaddr", "dstport")]), []).append(
            json.dumps(told, sort_keys=True, default=str)
        )
    return {unit: sorted(of_unit) for unit, of_unit in rows.items()}


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return round(value, 9) if isinstance(value, float) else value


# --- Law 6 ---


@pytest.mark.parametrize("detector", ["findings", "rita", "host_scores"])
@settings(max_examples=4)
@given(records=HOSTILE, order=st.randoms(use_true_random=False), files=st.integers(1, 3))
def test_order_and_files_change_no_score(tmp_path_factory, detector, records, order, files):
    names, shuffled = names_of(records), order.sample(records, len(records))
    folder = tmp_path_factory.mktemp("files")
    for number in range(files):
        (folder / f"{number}.log").write_bytes(text(shuffled[number::files], names))
    expected = found(read(text(records, names)), detector)
    assert_frame_equal(found(fl.read(folder), detector), expected)
    verb = "beacons" if detector == "rita" else detector
    there = getattr(fl.scan(folder), verb)(thresholds=SENSITIVE, **DETECTORS[detector])
    assert_frame_equal(there, expected)


def _moved(records: list[dict], seconds: int) -> list[dict]:
    return [{**rec, "start": rec["start"] + seconds, "end": rec["end"] + seconds} for rec in records]


@settings(max_examples=8)
@given(
    records=HOSTILE,
    others=UNRELATED_HOSTILE,
    later=st.sampled_from([-2 * DAY, 0, 2 * DAY]),
    order=st.randoms(use_true_random=False),
)
def test_unrelated_traffic_changes_no_score(records, others, later, order):
    names = names_of([*records, *others])
    together = [*records, *_moved(others, later)]
    alone = by_unit(found(read(text(records, names))))
    mixed = by_unit(found(read(text(order.sample(together, len(together)), names))))
    assert {unit: mixed.get(unit) for unit in alone} == alone


@settings(max_examples=4)
@given(records=HOSTILE, others=UNRELATED_HOSTILE, later=st.sampled_from([-2 * DAY, 2 * DAY]))
def test_unrelated_traffic_changes_no_score_of_a_host(records, others, later):
    names = names_of([*records, *others])
    alone = found(read(text(records, names)), "host_scores").set_index("address")
    mixed = found(read(text([*records, *_moved(others, later)], names)), "host_scores").set_index("address")
    assert_frame_equal(mixed.loc[alone.index], alone, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def sample():
    return fl.sample()


@pytest.fixture(scope="module")
def of_sample(sample):
    return sample.flow.findings()


def test_in_the_sample_order_changes_no_score(sample, of_sample):
    shuffled = sample.sample(frac=1, random_state=7)
    assert_frame_equal(shuffled.flow.findings(), of_sample)
    assert_frame_equal(shuffled.flow.host_scores(), sample.flow.host_scores())


def test_in_the_sample_unrelated_traffic_changes_no_score(sample, of_sample):
    # Of ten minutes, at interfaces of its own, two days before and after the sample, and within.
    others = [
        rec
        for number, day in enumerate((-2, 0, 2))
        for place in range(40)
        for rec in of_contact(
            f"172.31.{number}.{place % 7 + 1}", "192.0.2.200", 47000 + place, start=START + DAY * day + 600 * place,
            outcome=("refused", "answered", "silent")[place % 3], eni=f"eni-other-{number}", window=600,
        )
    ]  # fmt: skip
    mixed = pd.concat([sample, frame(*others)], ignore_index=True)
    mine = by_unit(of_sample)
    theirs = by_unit(mixed.flow.findings())
    assert len(mine) > 300
    assert {unit: theirs.get(unit) for unit in mine} == mine


def test_ritas_formula_looks_at_the_span_of_the_whole_log():
    calls = [
        rec for place in range(20)
        for rec in of_contact(
            "10.0.0.1", "203.0.113.5", 443, start=START + 300 * place, outcome="answered", sport=50000 + place,
            eni="eni-a",
        )
    ]  # fmt: skip
    later = of_contact("192.168.7.1", "192.0.2.77", 80, start=START + 2 * DAY, outcome="answered", eni="eni-z")
    alone, mixed = (found(frame(*records), "rita").loc[0, "score"] for records in (calls, calls + later))
    assert abs(alone - mixed) > 0.1
    assert "whole span" in fl.Flows.beacons.__doc__
    alone, mixed = (found(frame(*records), "beacons").loc[0, "score"] for records in (calls, calls + later))
    assert alone == mixed


def test_hosts_that_use_the_same_port_make_its_first_use_less_rare():
    def used(host, port, second, eni):
        return of_contact(host, "203.0.113.5", port, start=START + second, outcome="answered", eni=eni)

    mine = used("10.0.0.1", 443, 0, "eni-a") + used("10.0.0.1", 6667, 4 * DAY, "eni-a")
    theirs = used("192.168.7.1", 6667, 0, "eni-z")
    alone, mixed = (frame(*records).flow.new_peers().loc[0] for records in (mine, mine + theirs))
    assert alone["score"] == pytest.approx(2 * mixed["score"])
    assert (alone["evidence"]["hosts"], mixed["evidence"]["hosts"]) == (1, 2)


# --- Law 8 ---


def check(findings: pd.DataFrame) -> None:
    """Check what holds for findings of any kind."""
    assert tuple(findings.columns) == COLUMNS
    assert findings.dtypes.astype(str).to_dict() == DTYPES
    assert findings.index.equals(pd.RangeIndex(len(findings)))
    assert findings["score"].between(0, 1).all()
    assert findings["score"].round(12).is_monotonic_decreasing
    for name in ("kind", "subject", "why", "technique"):
        assert findings[name].str.len().gt(0).all()
    assert findings["technique"].str.fullmatch(r"T\d{4}(\.\d{3})?").all()
    assert findings["caveat"].notna().all()
    assert (findings["first"] <= findings["last"]).all()
    for row in findings.itertuples():
        assert row.parts
        assert row.evidence
        for name, value in row.parts.items():
            assert type(value) is float, (row.kind, name)
            assert 0 <= value <= 1, (row.kind, name)
        for name, value in row.evidence.items():
            assert type(value) in {int, float, bool, str, tuple, type(None)}, (row.kind, name)
        assert json.loads(json.dumps([row.parts, row.evidence], allow_nan=False))


@settings(max_examples=12)
@given(records=HOSTILE)
def test_every_finding_comes_with_the_numbers_behind_it(records):
    df = read(text(records))
    before = df.copy(deep=True)
    check(found(df))
    check(found(df, "rita"))
    assert_frame_equal(df, before)


@settings(max_examples=8)
@given(records=TRAFFIC)
def test_on_plain_traffic_too(records):
    check(found(read(text(records))))
    check(read(text(records)).flow.findings())


CONTACTS = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end"]


@settings(max_examples=8)
@given(
    log=logs(st.sampled_from([CONTACTS, [*CONTACTS, "action", "tcp_flags", "interface_id", "log_status"]]), min_size=1)
)
def test_any_values_and_missing_ones_give_no_error(log):
    layout, records = log
    # Sums of counters near the largest number of 64 bits are none.
    small = [
        {**rec, **{name: rec[name] and rec[name] % 2**40 for name in ("packets", "bytes", "start", "end")}}
        for rec in records
    ]
    small = [
        {**rec, "end": rec["start"] if rec["end"] is None or (rec["start"] or 0) > rec["end"] else rec["end"]}
        for rec in small
    ]
    check(found(read(text(small, layout))))


def test_in_the_sample_every_finding_comes_with_the_numbers_behind_it(sample, of_sample):
    check(of_sample)
    check(sample.flow.beacons(mode="rita"))


@pytest.mark.parametrize("detector", [name for name in DETECTORS if name != "host_scores"])
@pytest.mark.parametrize(
    "df",
    [
        frame(record()).iloc[:0],
        frame(nodata(), nodata(log_status="SKIPDATA")),
        frame(record()),
        frame(record(), record()),
    ],
    ids=["empty", "NODATA", "one record", "one record twice"],
)
def test_what_is_almost_empty_has_the_same_columns(detector, df):
    asked = {"indicators": "203.0.113.0/24"} if detector == "matches" else {}
    for thresholds in (None, SENSITIVE):
        check(found(df, detector, thresholds=thresholds, **asked))


def test_scores_of_hosts_have_the_same_columns_when_there_are_none(of_sample, sample):
    some, none = sample.flow.host_scores(), frame(nodata()).flow.host_scores()
    assert len(none) == 0 < len(some)
    assert_frame_equal(some.iloc[:0], none)
    assert some["score"].between(0, 1).all()
    assert some["score"].round(12).is_monotonic_decreasing
    assert some["address"].is_unique
    # At least what its best finding says.
    best = of_sample[~of_sample["kind"].isin(["probe", "log_gap"])].groupby("srcaddr")["score"].max()
    both = some.set_index("address")["score"]
    assert (both >= best.reindex(both.index) - 1e-12).all()


def test_each_time_the_same_rows_come_in_the_same_order(sample, of_sample):
    assert_frame_equal(sample.flow.findings(), of_sample)
    assert not of_sample.duplicated([name for name in COLUMNS if name not in {"parts", "evidence"}]).any()


def test_the_index_and_further_columns_of_the_frame_do_not_matter(sample, of_sample):
    odd = sample.set_index(pd.Index(np.arange(len(sample)) % 7, name="odd")).assign(made=1, places="x", ground=2.5)
    assert_frame_equal(odd.flow.findings(), of_sample)
