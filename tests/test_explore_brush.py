"""The brush as the kernel sees it: canvases, and what is marked on them. How that looks is seen in a browser."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import exploring as ui
import numpy as np
import pandas as pd
import pytest

import flowlens as fl
from flowlens.explore import brush

SCRIPT = Path(brush.__file__).with_name("canvas.js")

TITLES = ["Time line", "Sources", "Destinations", "Service ports"]

#: Of the time line of the sample, whose bins are ten minutes wide.
SIX, NOON = 36, 72
MORNING = ("2026-03-10 06:00", "2026-03-10 12:00")


@pytest.fixture
def df():
    return fl.sample()


@pytest.fixture
def explorer(df):
    return df.flow.explore.brush()


def canvas(explorer, title):
    return next(one for one in ui.canvases(explorer) if one.drawn["said"].startswith(title))


def mark(explorer, title, *places, settled=True):
    """Do as the page does: send a running number, edges of bins or keys of bars, and whether it is settled."""
    one = canvas(explorer, title)
    number = (one.marks[0] if one.marks else 0) + 1
    keys = one.drawn.get("keys")
    one.marks = [number, *(places if keys is None else [keys[place] for place in places]), settled]
    assert one.answered == number  # the page goes by this, whether anything was changed or not


def drawn(explorer):
    return [dict(one.drawn) for one in ui.canvases(explorer)]


def test_it_has_a_canvas_for_the_time_line_and_for_each_kind_of_bars(explorer):
    assert [one.drawn["said"].split(":")[0] for one in ui.canvases(explorer)] == TITLES
    assert ui.images(explorer) == []


def test_it_begins_with_what_the_traffic_explorer_shows(df, explorer):
    traffic = df.flow.explore()
    assert ui.texts(explorer) == ui.texts(traffic)
    assert explorer.code == traffic.code
    assert repr(explorer).replace("brush", "traffic") == repr(traffic)


# --- What is drawn ---


def test_the_time_line_is_drawn_as_parts_of_the_highest_bin(df, explorer):
    ui.toggles(explorer, "flows").value = "flows"
    time = canvas(explorer, "Time line").drawn
    counts = df.groupby([df["action"].astype(object), df["start"].dt.floor("10min")]).size()
    highest = df[df["action"].notna()].groupby(df["start"].dt.floor("10min")).size().max()
    by_name = {one["name"]: one for one in time["series"]}
    parts = by_name["REJECT"]["parts"]
    midnight = pd.Timestamp("2026-03-10", tz="UTC")
    assert time["bins"] == len(parts) == 144
    for (action, start), count in counts.items():
        place = int((start - midnight) / pd.Timedelta("10min"))
        assert by_name[action]["parts"][place] == pytest.approx(count / highest, rel=0.05)
    assert sum(map(np.asarray, (one["parts"] for one in time["series"]))).max() == pytest.approx(1, abs=0.001)
    assert time["ticks"][0] == [0, "03-10 00:00"]
    assert (by_name["ACCEPT"]["hatch"], by_name["REJECT"]["hatch"]) == ("", "/")  # never colour alone


def test_bars_are_drawn_with_their_names_and_amounts(df, explorer):
    sources = canvas(explorer, "Sources").drawn
    sums = df.groupby(df["srcaddr"].astype(object))["bytes"].sum().sort_values(ascending=False)
    assert sources["names"] == sums.index[:10].tolist()
    assert sources["parts"] == pytest.approx((sums / sums.iloc[0]).iloc[:10].tolist(), abs=0.0001)
    assert sources["amounts"][0] == f"{sums.iloc[0] / 1e9:.3g} GB"
    assert sources["chosen"] == []


def test_compare_draws_what_there_was(explorer):
    before = canvas(explorer, "Sources").drawn
    ui.button(explorer, "Compare").value = True
    mark(explorer, "Time line", SIX, NOON)
    after, time = canvas(explorer, "Sources").drawn, canvas(explorer, "Time line").drawn
    there = [name for name in after["names"] if name in before["names"]]
    assert there
    for name in there:
        assert after["ghosts"][after["names"].index(name)] > 0
    assert len(time["ghost"]) == time["bins"]


def test_a_message_stays_small(explorer):
    assert max(len(json.dumps(one)) for one in drawn(explorer)) < 16 * 1024


# --- Marks ---


def test_while_a_mark_is_drawn_only_canvases_and_the_status_line_follow(df, explorer):
    before, texts = drawn(explorer), ui.texts(explorer)
    mark(explorer, "Time line", SIX, NOON, settled=False)
    during = drawn(explorer)
    assert during[0] == before[0]  # the page draws the mark itself
    assert all(now != then for now, then in zip(during[1:], before[1:], strict=True))
    count = len(df.flow.select(time=MORNING))
    assert ui.status(explorer).startswith(f"{count:,} of {len(df):,} flows")
    assert ui.texts(explorer)[1:] == texts[1:]
    assert explorer.filter == fl.Selection()
    assert ui.chips(explorer) == []
    assert ui.button(explorer, "Undo").disabled


def test_a_mark_that_is_set_selects(df, explorer):
    mark(explorer, "Time line", SIX, NOON - 3, settled=False)
    mark(explorer, "Time line", SIX, NOON)
    assert explorer.filter == fl.Selection(time=MORNING)
    assert explorer.selection.equals(df.flow.select(time=MORNING))
    assert ui.evaluated(explorer, df).equals(explorer.selection)
    assert canvas(explorer, "Time line").drawn["chosen"] == [SIX, NOON]
    other = df.flow.explore(filter=explorer.filter)
    assert ui.texts(explorer) == ui.texts(other)
    assert {name: one.options for name, one in ui.lists(explorer).items()} == {
        name: one.options for name, one in ui.lists(other).items()
    }
    ui.button(explorer, "Undo").click()
    assert explorer.filter == fl.Selection()
    assert canvas(explorer, "Time line").drawn["chosen"] == []


def test_what_was_shown_on_the_way_is_gone_when_a_mark_goes_back_to_where_it_was(explorer):
    before, texts = drawn(explorer), ui.texts(explorer)
    mark(explorer, "Time line", SIX, NOON, settled=False)
    mark(explorer, "Time line")
    assert (drawn(explorer), ui.texts(explorer)) == (before, texts)
    assert ui.button(explorer, "Undo").disabled


def test_the_whole_time_is_no_clause(explorer):
    mark(explorer, "Time line", SIX, NOON)
    mark(explorer, "Time line", 0, 144)
    assert explorer.filter == fl.Selection()


def test_bars_that_are_marked_are_picked_as_in_the_list(df, explorer):
    names = canvas(explorer, "Destinations").drawn["names"]
    mark(explorer, "Destinations", 0, 2)
    picked = [names[0], names[2]]
    assert explorer.filter == fl.Selection(dst=picked)
    assert explorer.selection.equals(df[df["dstaddr"].isin(picked)])
    shown = canvas(explorer, "Destinations").drawn
    assert shown["chosen"] == [shown["keys"][0], shown["keys"][2]]
    assert [ui.lists(explorer)["Destinations"].options[place][0].split(" ")[0] for place in (0, 2)] == picked
    mark(explorer, "Destinations")
    assert explorer.filter == fl.Selection()


def test_marks_of_two_panels_hold_together(df, explorer):
    mark(explorer, "Service ports", 0)
    mark(explorer, "Time line", SIX, NOON)
    assert canvas(explorer, "Service ports").drawn["names"][0].startswith("443 TCP")
    assert explorer.filter == fl.Selection(port=443, protocol="tcp", time=MORNING)
    assert explorer.selection.equals(df.flow.select(port=443, protocol="tcp", time=MORNING))


def test_of_ports_the_one_that_is_marked_last_is_picked(explorer):
    names = canvas(explorer, "Service ports").drawn["names"]
    mark(explorer, "Service ports", 3)
    mark(explorer, "Service ports", 3, 0)
    assert explorer.filter == fl.Selection(port=443, protocol="tcp")
    assert names[0].startswith("443 TCP")
    mark(explorer, "Service ports", 0, 3)
    assert f"port={names[3].split(' ')[0]}" in explorer.code


def test_a_bar_means_what_it_meant_where_it_was_drawn(explorer):
    bars = canvas(explorer, "Destinations")
    names, keys = bars.drawn["names"], bars.drawn["keys"]
    mark(explorer, "Time line", 0, 6, settled=False)  # a click on the way finds other bars there
    assert bars.drawn["names"] != names
    bars.marks = [1, keys[3], True]
    assert explorer.filter == fl.Selection(dst=names[3])


def test_an_error_is_said_in_the_status_line_and_answered(explorer):
    bars = canvas(explorer, "Destinations")
    bars.marks = [1, 9_999_999, True]
    assert bars.answered == 1
    assert ui.status(explorer).startswith("<b>Not done.</b>")
    assert explorer.filter == fl.Selection()


# --- Readers without a kernel, logs without much, machines without anywidget ---


def test_the_saved_cell_has_the_picture_of_the_traffic_explorer(df, explorer):
    shown = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["image/png"] == df.flow.explore()._repr_mimebundle_()["image/png"]


@pytest.mark.parametrize(
    "rows",
    [slice(0), slice(1), slice(0, None, 500)],
    ids=["empty", "one row", "few"],
)
@pytest.mark.parametrize("lacking", [[], ["action"], ["bytes", "packets"], ["start", "end"], ["srcport", "dstport"]])
def test_it_opens_whatever_there_is(df, rows, lacking):
    log = df.iloc[rows].drop(columns=lacking)
    explorer = log.flow.explore.brush()
    assert f"of {len(log):,} flows" in ui.status(explorer)
    for one in ui.canvases(explorer):
        assert json.loads(json.dumps(dict(one.drawn), allow_nan=False)) == dict(one.drawn)
    assert explorer._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    mark(explorer, "Time line", 0, 1)
    assert explorer.selection.equals(ui.evaluated(explorer, log))
    if "start" in lacking:
        assert ui.status(explorer).startswith("<b>Not done.</b>")
    assert canvas(explorer, "Sources").drawn["empty"] == explorer.selection.empty


def test_without_anywidget_it_says_what_to_install(df, monkeypatch):
    monkeypatch.delitem(sys.modules, "flowlens.explore.brush", raising=False)
    monkeypatch.delitem(sys.modules, "flowlens.explore.canvas", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(fl.MissingExtraError, match=re.escape("pip install 'vpc-flowlens[fast]'")):
        df.flow.explore.brush()
    assert len(df.flow.explore().selection) == len(df)


# --- The script ---


def test_the_script_is_short_and_needs_nothing_from_elsewhere():
    script = SCRIPT.read_text(encoding="utf-8")
    assert len(script.splitlines()) <= 250
    assert not re.search(r"\bimport\b|\brequire\(|https?:|\bfetch\(|\beval\(|innerHTML", script)


def test_the_script_has_room_for_as_many_bars_as_there_are():
    from flowlens.plot.contents import BarsData

    assert re.search(rf"const BARS = {BarsData.most};", SCRIPT.read_text(encoding="utf-8"))
