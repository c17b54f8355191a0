"""The explorers, used through their widgets as a notebook's front end does it."""

from __future__ import annotations

import re
from functools import cache
from io import BytesIO

import ipywidgets as widgets
import numpy as np
import pytest
from exploring import (
    EXPLORERS,
    button,
    chips,
    code_in,
    controls,
    evaluated,
    images,
    lists,
    named,
    of_kind,
    pick,
    slider,
    status,
    take_away,
    texts,
    toggles,
    typed,
)
from PIL import Image

import flowlens as fl

DF = fl.sample()

every = pytest.mark.parametrize("name", EXPLORERS)


def made(name: str, **given):
    return EXPLORERS[name](named(), **given)


@cache
def opened(name: str):
    """Return an explorer that nobody touches."""
    return made(name)


@cache
def _shared():
    return made("traffic")


def used():
    """Return an explorer that many tests share, as it is at the beginning."""
    button(_shared(), "Reset").click()
    return _shared()


# --- What every explorer is ---


@every
def test_it_opens_on_everything(name):
    explorer = opened(name)
    assert explorer.filter == fl.Selection()
    assert repr(explorer).startswith(f"<{name} explorer: {len(explorer.selection):,} of {len(explorer.selection):,} ")
    assert evaluated(explorer, named()).equals(explorer.selection)
    assert status(explorer) in repr(explorer)


@every
def test_what_is_shown_is_the_explorer_with_a_picture_for_those_who_have_no_kernel(name):
    bundle = opened(name)._repr_mimebundle_()
    assert {*bundle} == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert bundle["text/plain"].startswith(f"<{name} explorer: ")
    picture = Image.open(BytesIO(bundle["image/png"]))
    assert picture.width > 800
    assert len(bundle["image/png"]) < 96 * 1024  # four thirds of it stand in the notebook


@every
def test_pictures_have_no_background_and_are_small_enough_for_a_message(name):
    for picture in images(opened(name)):
        assert len(picture) < 128 * 1024
        pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGBA"))
        assert (pixels[..., 3] == 0).mean() > 0.1


@every
def test_only_widgets_that_every_front_end_has_are_used_and_no_output(name):
    kinds = {type(one).__name__ for one in controls(opened(name))}
    assert kinds <= {
        "VBox", "HBox", "HTML", "Image", "Button", "ToggleButton", "ToggleButtons", "SelectMultiple", "Select",
        "SelectionRangeSlider", "IntSlider", "Combobox", "Textarea", "Dropdown", "FloatText",
    }  # fmt: skip


@every
def test_every_control_has_words_for_those_who_do_not_see_it(name):
    for one in controls(opened(name)):
        if isinstance(one, widgets.Button | widgets.ToggleButton | widgets.SelectMultiple | widgets.Select):
            assert one.tooltip, one


@every
def test_every_picture_has_a_text_beside_it(name):
    explorer = opened(name)
    said = [text for text in texts(explorer) if re.match(r"^[A-Z][^<]*: .*\.$", text)]
    assert len(said) >= len(explorer._panels)


@every
def test_the_figure_has_the_panels_with_the_numbers_that_are_shown(name):
    explorer = opened(name)
    figure = explorer.figure()
    assert len(figure.axes) == len(explorer._panels)
    assert any(repr(explorer).split(": ", 1)[1][:-1] == text.get_text() for text in figure.texts)
    assert all(ax.get_title(loc="left") for ax in figure.axes)


@every
def test_a_view_can_be_reopened_where_it_was(name):
    explorer = made(name)
    pick(explorer, *PICKS[name][0])
    again = made(name, filter=explorer.filter)
    assert (again.code, repr(again), status(again)) == (explorer.code, repr(explorer), status(explorer))
    assert again.selection.equals(explorer.selection)
    assert images(again) == images(explorer)


@every
def test_a_filter_that_is_none_is_refused(name):
    with pytest.raises(TypeError, match="filter takes an"):
        made(name, filter={"src": "10.0.0.1"})


# --- Picking ---

#: Lists to pick from, and the clauses of their first line.
PICKS = {
    "traffic": [("Sources", 0), ("Destinations", 1), ("Service ports", 0)],
    "rejects": [("Verdicts", 0), ("From (rows) to (columns)", 1)],
    "groups": [("From (rows) to (columns)", 2), ("Sources in no group", 0)],
    "findings": [("Kinds", 0), ("Sources", 0), ("Scores", 3)],
    "coverage": [("Interfaces", 3)],
}
picks = pytest.mark.parametrize(("name", "which"), [(name, which) for name in PICKS for which in PICKS[name]], ids=str)


@picks
def test_a_pick_selects_what_its_code_says_and_undo_or_its_chip_take_it_back(name, which):
    explorer = made(name)
    everything, said, panels = len(explorer.selection), status(explorer), len(explorer._panels)
    own = lists(explorer)[which[0]]
    offered, line = own.options, own.options[which[1]]
    shown = images(explorer)[:panels]
    assert button(explorer, "Undo").disabled
    undo, take = button(explorer, "Undo").click, lambda: [take_away(explorer, chip) for chip in chips(explorer)]
    for back in (undo, take):
        pick(explorer, *which)
        assert explorer.filter.clauses
        assert chips(explorer)
        assert 0 < len(explorer.selection) < everything
        assert evaluated(explorer, named()).equals(explorer.selection)
        assert status(explorer).startswith(f"{len(explorer.selection):,} of {everything:,} ")
        assert own.options == offered  # what could be picked instead stays in sight
        assert line[1] == own.value or line[1] in own.value
        changed = [old != new for old, new in zip(shown, images(explorer), strict=False)]
        assert sum(changed) > panels / 2  # the highest scores are those of all, and an interface has its own lengths
        back()
        assert explorer.filter == fl.Selection()
        assert (status(explorer), chips(explorer), images(explorer)[:panels]) == (said, [], shown)


def test_several_lines_of_a_list_are_picked_together():
    explorer = made("traffic")
    pick(explorer, "Sources", 0, 2)
    assert explorer.code == "df.flow.select(src=['10.20.11.40', '10.20.20.10'])"
    assert chips(explorer) == ["src=['10.20.11.40', '10.20.20.10']"]


def test_what_is_picked_stays_in_its_list_however_small_it_is():
    explorer = made("traffic", filter=fl.Selection(src="198.51.100.77"))
    assert any(label.startswith("198.51.100.77 ·") for label, _ in lists(explorer)["Sources"].options)


def test_the_time_line_is_cut_with_its_slider():
    explorer = made("traffic")
    times = slider(explorer)
    times.index = (24, 30)  # ten minutes each
    assert explorer.code == "df.flow.select(time=('2026-03-10 04:00', '2026-03-10 05:00'))"
    assert "2026-03-10 04:00 to 05:00 UTC" in status(explorer)
    times.index = (0, len(times.options) - 1)
    assert explorer.filter == fl.Selection()


@pytest.mark.parametrize(
    ("press", "clause"),
    [
        (["Later"], ("04:30", "05:30")),
        (["Earlier"], ("03:30", "04:30")),
        (["A shorter time"], ("04:10", "04:50")),
        (["A longer time"], ("03:30", "05:30")),
        (["A longer time"] * 4 + ["Later"] * 9, ("11:30", "2026-03-11 00:00")),
        (["Earlier"] * 10, ("00:00", "01:00")),
        (["A shorter time"] * 9, ("04:20", "04:30")),
        (["A longer time"] * 9, None),
    ],
    ids=str,
)
def test_buttons_move_the_span_of_time(press, clause):
    explorer = made("traffic", filter=fl.Selection(time=("2026-03-10 04:00", "2026-03-10 05:00")))
    for label in press:
        button(explorer, label).click()
    whole = tuple(moment if len(moment) > 5 else f"2026-03-10 {moment}" for moment in clause or ()) or None
    assert explorer.filter.clauses.get("time") == whole


def test_a_time_outside_of_the_log_is_no_span_that_runs_backwards():
    for time in (("2030-01-01", "2030-01-02"), (None, "2020-01-01"), ("2030-01-01", None)):
        explorer = made("traffic", filter=fl.Selection(time=time))
        assert status(explorer) == "0 of 79,072 flows · 0 B of 27.7 GB · none of the time of the log"


def test_a_time_that_lies_between_bins_is_kept_as_it_is():
    between = fl.Selection(time=("2026-03-10 04:03:20", "2026-03-10 04:59"))
    explorer = made("traffic", filter=between)
    assert explorer.filter == between
    assert status(explorer).startswith(f"{len(explorer.selection):,} of 79,072 flows")
    pick(explorer, "Sources", 0)
    assert explorer.filter.time == between.time


def test_actions_are_picked_beside_the_time_line():
    explorer = made("traffic")
    toggles(explorer, "REJECT").value = "REJECT"
    assert explorer.code == "df.flow.select(action='REJECT')"
    toggles(explorer, "REJECT").value = "all"
    assert explorer.filter == fl.Selection()


def test_the_lines_of_a_list_are_the_sums_of_what_all_other_clauses_keep():
    explorer = made("traffic", filter=fl.Selection(action="REJECT", src="198.51.100.77"))
    toggles(explorer, "flows").value = "flows"
    refused = named().flow.select(action="REJECT")
    expected = refused.flow.top_talkers(10, by="flows")
    assert [label.split(" ")[0] for label, _ in lists(explorer)["Sources"].options] == expected["srcaddr"].tolist()
    targets = named().flow.select(action="REJECT", src="198.51.100.77").flow.top_talkers(by="flows", key="dstaddr")
    found = [label.split(" · ")[:2] for label, _ in lists(explorer)["Destinations"].options]
    assert found == [[name, f"{flows:,}"] for name, flows in zip(targets["dstaddr"], targets["flows"], strict=True)]


# --- Measures, zones, comparing ---


@pytest.mark.parametrize("measure", ["bytes", "packets", "flows"])
def test_the_measure_ranks_the_lists(measure):
    explorer = made("traffic")
    toggles(explorer, "packets").value = measure
    names = [label.split(" ")[0] for label, _ in lists(explorer)["Sources"].options]
    assert names == DF.flow.top_talkers(10, by=measure)["srcaddr"].tolist()
    assert any(f"of {measure}." in text for text in texts(explorer))


def test_local_times_are_written_in_the_zone_of_the_machine(monkeypatch):
    from flowlens.explore import words
    from flowlens.timespan import Zone

    monkeypatch.setitem(words.ZONES, "local", Zone.of("Asia/Kolkata"))
    explorer = made("traffic")
    assert "2026-03-10 00:00 to 23:59:59 UTC" in status(explorer)
    toggles(explorer, "local").value = "local"
    assert "2026-03-10 05:30 to 2026-03-11 05:29:59 IST" in status(explorer)
    slider(explorer).index = (24, 30)
    assert explorer.code == "df.flow.select(time=('2026-03-10 04:00', '2026-03-10 05:00'))"  # code is in UTC
    assert slider(explorer).label == ("10 09:30", "10 10:30")


def test_what_is_compared_stays_behind_as_ghosts():
    explorer = made("traffic", filter=fl.Selection(action="REJECT"))
    toggles(explorer, "flows").value = "flows"
    button(explorer, "Compare").value = True
    plain = explorer._panels[1].data(explorer._view).amounts
    pick(explorer, "Service ports", 0)
    data = explorer._panels[1].data(explorer._view)
    refused = DF.flow.select(action="REJECT").groupby("srcaddr", observed=True).size()
    assert data.ghosts.tolist() == [refused[name] for name in data.names]
    assert (data.amounts <= data.ghosts).all()
    assert explorer._panels[0].data(explorer._view).ghost.sum() > plain.sum()
    button(explorer, "Compare").value = False
    assert explorer._panels[1].data(explorer._view).ghosts is None


def test_reset_goes_back_to_the_beginning_and_can_be_undone():
    start = fl.Selection(action="REJECT")
    explorer = made("traffic", filter=start)
    pick(explorer, "Sources", 1)
    picked = explorer.filter
    button(explorer, "Compare").value = True
    button(explorer, "Reset").click()
    assert explorer.filter == start
    assert not button(explorer, "Compare").value
    button(explorer, "Undo").click()
    assert explorer.filter == picked


# --- Typing ---


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("10.20.0.5", {"host": "10.20.0.5"}),
        ("10.20.0.0/24, 192.0.2.66", {"host": ["10.20.0.0/24", "192.0.2.66"]}),
        ("2001:db8::/32", {"host": "2001:db8::/32"}),
        ("ssh", {"port": 22}),
        ("443", {"port": 443}),
        ("8000-8100", {"port": "8000-8100"}),
        ("REJECT", {"action": "REJECT"}),
        ("eni-01b48cc1fa9697e08", {"interface": "eni-01b48cc1fa9697e08"}),
        ("src=10.20.0.0/16", {"src": "10.20.0.0/16"}),
        ("dst_port = 22, https", {"dst_port": [22, 443]}),
        ("src=['10.20.0.5', '10.20.0.10']", {"src": ["10.20.0.5", "10.20.0.10"]}),
        ("protocol=udp", {"protocol": "udp"}),
        ("time=2026-03-10 04:00..2026-03-10 05:00", {"time": ("2026-03-10 04:00", "2026-03-10 05:00")}),
        ("time=2026-03-10 04:00..", {"time": ("2026-03-10 04:00", None)}),
        ("status=", {}),
    ],
)
def test_clauses_can_be_typed(text, clauses):
    explorer = used()
    typed(explorer, text)
    assert explorer.filter == fl.Selection(**clauses)
    assert of_kind(explorer, widgets.Combobox)[0].value == ""


def test_a_name_without_a_value_takes_the_clause_away():
    explorer = made("traffic", filter=fl.Selection(src="10.20.0.5", action="REJECT"))
    typed(explorer, "src=")
    assert explorer.filter == fl.Selection(action="REJECT")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("src=nonsense", "neither an IP address nor a CIDR prefix"),
        ("nonsense", "write name=value, for example src=nonsense"),
        ("scr=10.0.0.1", "did you mean src?"),
        ("time=yesterday", "has no end"),
        ("port=99999", "is no port"),
        ("verdict=SG_IN", "verdict"),
        ("<script>=1", "&lt;script&gt;"),
    ],
)
def test_what_cannot_be_understood_is_said_in_the_status_line_and_changes_nothing(text, said):
    explorer = used()
    typed(explorer, "REJECT")
    shown = images(explorer)
    typed(explorer, text)
    assert said in status(explorer)
    assert status(explorer).startswith("<b>Not done.</b>")
    assert explorer.filter == fl.Selection(action="REJECT")
    assert images(explorer) == shown
    pick(explorer, "Sources", 0)  # and all goes on
    assert status(explorer).startswith("605 of 79,072 flows")


def test_an_error_in_a_callback_is_shown_and_not_raised(monkeypatch):
    explorer = made("traffic")

    def fail(*_):
        raise RuntimeError("no <memory>")

    monkeypatch.setattr(explorer._cross, "summed", fail)
    pick(explorer, "Sources", 0)
    assert status(explorer) == "<b>Not done.</b> RuntimeError: no &lt;memory&gt;"


# --- Copy as ---


def test_what_is_selected_is_written_in_four_languages():
    explorer = made("traffic", filter=fl.Selection(action="REJECT", dst_port="postgres"))
    assert code_in(explorer, "Python") == "df.flow.select(dst_port=5432, action='REJECT')"
    assert '"dstport" = 5432' in code_in(explorer, "DuckDB")
    assert 'FROM "vpc_flow_logs"' in code_in(explorer, "Athena")
    assert 'filter dstport = 5432 and action = "REJECT"' in code_in(explorer, "Insights")
    pick(explorer, "Sources", 0)
    assert "srcaddr = " in code_in(explorer, "Insights")


def test_the_sql_for_duckdb_returns_what_is_selected(tmp_path):
    import duckdb

    df = DF.iloc[:20_000]
    explorer = df.flow.explore()
    pick(explorer, "Sources", 3)
    df.flow.to_parquet(tmp_path, partition_by=())
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW flows AS SELECT * FROM '{tmp_path}/*.parquet'")
        found = engine.execute(code_in(explorer, "DuckDB")).fetchall()
    assert len(found) == len(explorer.selection) > 0


def test_what_a_language_cannot_say_it_says_why():
    explorer = made("groups", filter=fl.Selection(src_group="app-a"))
    assert code_in(explorer, "Insights").startswith("Insights cannot say this: ")
    assert "app-a" in code_in(explorer, "DuckDB")


def test_verdicts_are_not_sql_and_their_records_are():
    explorer = made("rejects", filter=fl.Selection(verdict="SG_IN", dst_port=5432))
    text = code_in(explorer, "Athena")
    assert text.startswith("-- the refused records that the verdicts are about\nSELECT")
    assert "5432" in text
    assert "SG_IN" not in text
    assert code_in(explorer, "Insights").startswith("# the refused records")
