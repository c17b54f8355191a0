"""Logs that have little to show: every explorer opens all the same, and says what is absent."""

from __future__ import annotations

import warnings

import ipywidgets as widgets
import pandas as pd
import pytest
from exploring import EXPLORERS, button, code_in, images, lists, named, slider, status, texts, typed
from formats import frame, nodata, record

import flowlens as fl

every = pytest.mark.parametrize("name", EXPLORERS)


def as_numbers(df: pd.DataFrame) -> pd.DataFrame:
    seconds = {name: df[name].astype("int64") for name in ("start", "end")}
    return df.astype(object).assign(**seconds)


def without(*columns: str) -> pd.DataFrame:
    return fl.sample().iloc[:500].drop(columns=list(columns))


LOGS = {
    "no record": lambda: fl.sample().iloc[:0],
    "one record": lambda: fl.sample().iloc[:1],
    "one refused record": lambda: fl.sample().flow.rejected().iloc[:1],
    "NODATA alone": lambda: frame(nodata()),
    "no times": lambda: frame(record(start=None, end=None), record(start=None, end=None, dstport=22)),
    "ten years": lambda: frame(record(start=1_000_000_000, end=1_000_000_060), record(start=1_320_000_000, end=None)),
    "nothing refused": lambda: fl.sample().iloc[:2000].flow.select(action="ACCEPT"),
    "addresses alone": lambda: without()[["srcaddr", "dstaddr"]],
    "without start": lambda: without("start"),
    "without action": lambda: without("action"),
    "without volume": lambda: without("bytes", "packets"),
    "without ports": lambda: without("srcport", "dstport"),
    "without interface": lambda: without("interface_id"),
    "without status": lambda: without("log_status"),
    "groups that are all missing": lambda: without().assign(src_group=pd.NA, dst_group=pd.NA),
    "one label for all rows": lambda: without().set_axis([7] * 500),
    "a frame of somebody else": lambda: pd.DataFrame(
        {"srcaddr": ["10.0.0.1", None, "-"], "dstaddr": ["192.0.2.1", "10.0.0.1", "no address"], "bytes": [1, 2, None]}
    ),
    # As pandas reads a CSV of Athena: numbers and Unix seconds as they come, dashes for what is missing.
    "a frame without flowlens's types": lambda: pd.DataFrame(
        {
            name: ["-" if pd.isna(value) else value for value in column]
            for name, column in as_numbers(fl.sample().iloc[:300]).items()
        }
    ),
    "IPv6 alone": lambda: frame(record(srcaddr="2001:db8::1", dstaddr="2001:db8::2", action="REJECT")),
}
logs = pytest.mark.parametrize("log", LOGS)


@every
@logs
def test_it_opens(name, log):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explorer = EXPLORERS[name](LOGS[log]())
        assert explorer._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    assert explorer.filter == fl.Selection()
    assert f" of {len(explorer.selection):,} {explorer.noun}" in status(explorer)


@every
@pytest.mark.parametrize("log", ["no record", "a frame of somebody else", "a frame without flowlens's types"])
def test_it_can_be_used(name, log):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explorer = EXPLORERS[name](LOGS[log]())
        assert explorer.figure().axes
        times = slider(explorer)
        times.index = (0, 1)
        button(explorer, "Later").click()
        for one in lists(explorer).values():
            if one.options:
                value = one.options[-1][1]
                one.value = (value,) if isinstance(one, widgets.SelectMultiple) else value
        for language in ("DuckDB", "Athena", "Insights", "Python"):
            assert code_in(explorer, language)
        button(explorer, "Reset").click()
    assert explorer.filter == fl.Selection()
    assert f" of {len(explorer.selection):,} {explorer.noun}" in status(explorer)


@pytest.mark.parametrize(
    ("name", "log", "said"),
    [
        ("traffic", "without start", "no start, so there is no time line"),
        ("traffic", "without action", "no action, so what was refused cannot be told"),
        ("traffic", "without volume", "no bytes, so flows are counted"),
        ("coverage", "without status", "NODATA and SKIPDATA cannot be told"),
        ("coverage", "without interface", "no interface_id"),
        ("rejects", "without action", "${action}"),
        ("rejects", "without ports", "${srcport}"),
        ("findings", "without start", "${start}"),
        ("findings", "addresses alone", "findings needs"),
    ],
)
def test_what_is_absent_is_said_below_the_status(name, log, said):
    explorer = EXPLORERS[name](LOGS[log]())
    assert said in texts(explorer)[1]


@pytest.mark.parametrize("log", ["no record", "nothing refused", "without action"])
def test_where_nothing_was_refused_that_is_said(log):
    explorer = EXPLORERS["rejects"](LOGS[log]())
    assert status(explorer) == "0 of 0 refused conversations"
    assert "<p>There are no refused conversations here.</p>" in texts(explorer)
    assert "Verdicts: nothing here." in texts(explorer)


def test_panels_without_anything_say_so():
    said = texts(EXPLORERS["traffic"](LOGS["no record"]()))
    assert {"Time line: nothing here.", "Sources: nothing here.", "Service ports: nothing here."} <= {*said}


def test_the_fields_that_are_missing_are_listed_with_what_they_disable():
    (table,) = [text for text in texts(EXPLORERS["coverage"](LOGS["without action"]())) if "LogFormat" in text]
    assert "${action}" in table
    assert "diagnose" in table


def test_gaps_are_listed_of_the_interfaces_that_are_selected():
    df = frame(
        *[
            record(start=1_773_151_200 + 60 * n, end=1_773_151_259 + 60 * n, interface_id="eni-1")
            for n in (0, 1, 9, 10)
        ],
        *[record(start=1_773_151_200 + 60 * n, end=1_773_151_259 + 60 * n, interface_id="eni-2") for n in range(11)],
    )
    explorer = EXPLORERS["coverage"](df)
    assert explorer.gaps["interface_id"].tolist() == ["eni-1"]
    assert any("eni-1" in text and "0 days 00:07:01" in text for text in texts(explorer))
    typed(explorer, "interface=eni-2")
    assert explorer.gaps.empty
    assert any("No gaps" in text for text in texts(explorer))


def test_names_out_of_the_log_are_no_markup():
    hostile = "<img src=x onerror=alert(1)>"
    df = named().iloc[:400].assign(src_group=hostile, dst_group=hostile)
    df["interface_id"] = hostile
    for name in EXPLORERS:
        explorer = EXPLORERS[name](
            df, filter=None if name in {"rejects", "findings"} else fl.Selection(interface=hostile)
        )
        assert not any("<img" in text for text in texts(explorer))


@pytest.mark.parametrize("name", ["traffic", "groups", "coverage"])
def test_records_without_times_can_still_be_picked_by_port(name):
    explorer = EXPLORERS[name](LOGS["no times"]())
    typed(explorer, "443")
    assert len(explorer.selection) == 1
    assert images(explorer)


def test_a_scan_says_how_to_explore_a_part_of_it(tmp_path):
    fl.sample().iloc[:50].flow.to_parquet(tmp_path)
    with pytest.raises(AttributeError, match=r"collect\(\)\.flow\.explore\(\)"):
        _ = fl.scan(tmp_path).explore
    with pytest.raises(AttributeError, match="no attribute 'exploer'"):
        _ = fl.scan(tmp_path).exploer
