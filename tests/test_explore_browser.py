"""The explorers in JupyterLab and Voila, in a real browser: what is clicked and typed, and what comes of it.

Everything that can be seen without a browser is tested without one. Here is what only a browser tells: that keys reach
the controls, that pictures are replaced without a blank frame, that an error is shown where it was made, what a reader
without a kernel sees. A further explorer is one more line in `EXPLORERS`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass

import numpy as np
import pytest
from browser import chromium, lab_server, missing_chromium, new_page
from explorer_page import ExplorerPage, NotebookPage, VoilaPage
from page_watch import Seen, Watch

import flowlens as fl

# One worker has them all: they share a server and a browser.
pytestmark = pytest.mark.xdist_group("browser")

DATA = "import flowlens as fl\ndf = fl.sample()"
#: The cells of the notebook behind that with the data: the explorer, and what is asked about it.
SHOWN, SCRATCH = 1, 2


@dataclass(frozen=True)
class Pick:
    """A name in the list of a panel, the clauses that it makes, and the rows that it means, in plain pandas."""

    panel: str
    name: str
    clauses: str
    rows: str


@dataclass(frozen=True)
class Case:
    """How an explorer is made, what is picked in it, and a clause to type.

    The picks are of two panels, each with a clause of its own; the first is in a list that takes several.
    """

    make: str
    picks: tuple[Pick, ...]
    typed: str


SCORED = "(f := df.flow.findings())"
FOUND = "(f := df.flow.diagnose(scope='all'))"

EXPLORERS = {
    "traffic": Case(
        make="df.flow.explore()",
        picks=(
            Pick("Sources", "10.20.0.5", "src='10.20.0.5'", "df[df['srcaddr'] == '10.20.0.5']"),
            Pick("Destinations", "10.20.11.40", "dst='10.20.11.40'", "df[df['dstaddr'] == '10.20.11.40']"),
        ),
        typed="action=REJECT",
    ),
    "rejects": Case(
        make="df.flow.explore.rejects()",
        picks=(
            Pick("Verdicts", "NACL_OUT", "verdict='NACL_OUT'", f"{FOUND}[f['verdict'] == 'NACL_OUT']"),
            Pick(
                "From (rows) to (columns)",
                "10.20.11.30 to 10.20.20.10:5432",
                "src='10.20.11.30', dst='10.20.20.10', dst_port=5432",
                f"{FOUND}[(f['srcaddr'] == '10.20.11.30') & (f['dstaddr'] == '10.20.20.10') & (f['dstport'] == 5432)]",
            ),
        ),
        typed="certainty=certain",
    ),
    "groups": Case(
        make="df.flow.explore.groups()",
        picks=(
            Pick("Sources", "10.20.0.5", "src='10.20.0.5'", "df[df['srcaddr'] == '10.20.0.5']"),
            Pick(
                "From (rows) to (columns)",
                "10.20.0.0/16 to 203.0.0.0/16",
                "src='10.20.0.0/16', dst='203.0.0.0/16'",
                "df.flow.select(src='10.20.0.0/16').flow.select(dst='203.0.0.0/16')",
            ),
        ),
        typed="action=REJECT",
    ),
    "findings": Case(
        make="df.flow.explore.findings()",
        picks=(
            Pick("Kinds", "beacon", "kind='beacon'", "(f := df.flow.findings())[f['kind'] == 'beacon']"),
            Pick(
                "Sources",
                "10.20.11.32",
                "src='10.20.11.32'",
                "(f := df.flow.findings())[f['srcaddr'] == '10.20.11.32']",
            ),
        ),
        typed="min_score=0.3",
    ),
    "coverage": Case(
        make="df.flow.explore.coverage()",
        picks=(
            Pick(
                "Interfaces",
                "eni-051600e4597bf2d51",
                "interface='eni-051600e4597bf2d51'",
                "df[df['interface_id'] == 'eni-051600e4597bf2d51']",
            ),
        ),
        typed="status=SKIPDATA",
    ),
}


#: What all explorers have in common is tried in one of them.
in_one_of_them = pytest.mark.parametrize("case", ["traffic"], indirect=True)


# --- One server, one browser, one notebook ---


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    missing = missing_chromium()
    if missing:
        # What CI does not look at nobody has looked at.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    with lab_server(tmp_path_factory.mktemp("lab") / "server") as server:
        yield server


# Not for the session: while the browser runs no other test of this worker could have an event loop.
@pytest.fixture(scope="module")
def browser(lab):  # noqa: ARG001  # the server tells first whether there is a browser
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def notebook(lab, browser):
    lab.write("explorer.ipynb", [DATA, "", ""])
    notebook = NotebookPage(new_page(browser), lab, "explorer.ipynb")
    notebook.run(0)
    return notebook


@pytest.fixture(scope="module", params=EXPLORERS)
def case(request):
    return EXPLORERS[request.param]


@pytest.fixture
def explorer(notebook, case) -> ExplorerPage:
    """An explorer as it is at the beginning."""
    notebook.ask(SHOWN, f"ex = {case.make}\nex")
    explorer = notebook.explorer(SHOWN)
    explorer.wait()
    return explorer


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_behind_the_page(lab, notebook):
    """What is raised in a callback must be in the status line: the console and the log are read by nobody."""
    notebook.errors.clear()
    yield
    assert notebook.errors == []
    assert "Traceback" not in lab.log.read_text()


def rows_of(notebook: NotebookPage, expression: str) -> int:
    return int(notebook.ask(SCRATCH, f"print(len({expression}))"))


def is_selected(notebook: NotebookPage, expression: str) -> bool:
    return notebook.ask(SCRATCH, f"print(ex.selection.equals({expression}))") == "True"


def assert_picked(explorer: ExplorerPage, pick: Pick) -> None:
    assert explorer.chosen(pick.panel) == [pick.name]
    assert ", ".join(explorer.chips) == pick.clauses
    assert pick.clauses in explorer.code


# --- Every explorer: opened, picked from with the mouse and with keys, and asked for what it shows ---


def test_it_is_used_from_opening_to_the_next_cell(case, notebook, explorer):
    rows = rows_of(notebook, "ex.selection")
    assert explorer.counted == (rows, rows)
    assert explorer.chips == []
    assert len(set(explorer.pictures)) == len(explorer.pictures) >= 2
    assert explorer.cut_off == 0

    for pick in case.picks:  # with the mouse
        lines, pictures, offered = explorer.lines, explorer.pictures, explorer.offered(pick.panel)
        explorer.pick(pick.panel, pick.name)
        assert_picked(explorer, pick)
        # The panel itself goes on to show what could be picked instead.
        assert explorer.offered(pick.panel) == offered
        same = [line for line, then in zip(explorer.lines, lines, strict=True) if line == then]
        assert any(line.startswith(pick.panel) for line in same)
        assert len(same) <= len(lines) / 2  # gaps and fields are those of the whole log
        assert sum(now != then for now, then in zip(explorer.pictures, pictures, strict=True)) > len(pictures) / 2
        assert is_selected(notebook, pick.rows)
        assert explorer.counted[0] == rows_of(notebook, pick.rows)
        explorer.press("Reset")

    pick, page = case.picks[0], explorer.page  # with keys alone
    notebook.leave(SHOWN)
    explorer.pick_by_keys(pick.panel, pick.name)
    assert_picked(explorer, pick)
    assert is_selected(notebook, pick.rows)
    notebook.leave(SHOWN)
    explorer.press_by_key("Undo")
    assert explorer.chips == []
    notebook.tab_to(explorer.handle("lower"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    notebook.settle()
    assert explorer.slid[0] == 2
    assert_status_is_that_of_the_slider(explorer)
    explorer.press_by_key("A shorter time")
    assert explorer.slid[0] > 2
    assert_status_is_that_of_the_slider(explorer)
    notebook.tab_to(explorer.words)
    page.keyboard.type(case.typed)
    page.keyboard.press("Enter")
    notebook.settle()
    assert {name_of(chip) for chip in explorer.chips} == {"time", name_of(case.typed)}

    copied = explorer.code  # and in the next cell
    explorer.copy()
    assert notebook.ask_with_paste(SCRATCH, "print((", ").equals(ex.selection))") == "True"
    assert copied in notebook.source(SCRATCH)


# --- Ways back, and other views of the same ---


@in_one_of_them
def test_undo_reset_and_chips_take_back(case, explorer):
    (first, second), whole = case.picks, explorer.status
    explorer.pick(first.panel, first.name)
    of_first = explorer.status
    explorer.pick(second.panel, second.name)
    of_both = explorer.status
    assert explorer.chips == [first.clauses, second.clauses]

    explorer.press("Undo")
    assert explorer.status == of_first
    explorer.pick(second.panel, second.name)
    explorer.press(f"Take away {first.clauses}")
    assert explorer.chips == [second.clauses]
    assert explorer.chosen(first.panel) == []
    explorer.press("Undo")
    assert explorer.status == of_both
    explorer.press("Reset")
    assert (explorer.status, explorer.chips) == (whole, [])


@in_one_of_them
def test_compare_keeps_what_was_there_in_grey(case, explorer):
    pick = case.picks[0]
    explorer.pick(pick.panel, pick.name)
    alone = explorer.pictures
    explorer.press("Undo")
    explorer.press("Compare")
    explorer.pick(pick.panel, pick.name)
    beside = explorer.pictures
    assert all(one != other for one, other in zip(alone, beside, strict=True))
    explorer.press("Compare")
    assert explorer.pictures == alone


@in_one_of_them
def test_another_measure_is_shown_everywhere(explorer):
    before = explorer.status, explorer.pictures
    explorer.press("packets")
    assert all("packets" in line for line in explorer.lines[2:])
    assert explorer.status == before[0]
    assert all(one != other for one, other in zip(explorer.pictures, before[1], strict=True))


@in_one_of_them
def test_each_language_has_its_text(case, explorer):
    explorer.pick(case.picks[0].panel, case.picks[0].name)
    texts = [explorer.code]
    for language in ("DuckDB", "Athena", "Insights"):
        explorer.press(language)
        texts.append(explorer.code)
    assert len(set(texts)) == 4
    assert "SELECT" in texts[1]
    assert "vpc_flow_logs" in texts[2]
    assert "filter" in texts[3]


# --- What goes wrong ---


@in_one_of_them
def test_an_error_is_said_in_the_status_line_and_nowhere_else(notebook, explorer):
    before, code = len(notebook.wire.messages), explorer.code
    explorer.type("src=nonsense")
    assert explorer.status.startswith("Not done.")
    assert "nonsense" in explorer.status
    assert explorer.code == code
    assert not notebook.wire.kinds(before) & {"error", "stream"}
    explorer.type("action=REJECT")
    assert not explorer.status.startswith("Not done.")


# --- Many keys, fast ---


@in_one_of_them
def test_twenty_fast_arrow_keys_never_blank_a_picture_and_never_move_the_page(explorer):
    explorer.handle("lower").focus()
    seen = press_fast(explorer, "ArrowRight")
    assert explorer.slid[0] == 20
    assert_steady(seen)
    assert_status_is_that_of_the_slider(explorer)


@in_one_of_them
def test_twenty_fast_presses_of_a_button_do_neither(notebook, explorer):
    explorer.handle("upper").focus()
    explorer.page.keyboard.press("Home")
    notebook.settle()
    assert explorer.slid == (0, 1)
    explorer.button("Later").focus()
    seen = press_fast(explorer, "Space")
    assert explorer.slid == (20, 21)
    assert_steady(seen)
    assert_status_is_that_of_the_slider(explorer)


@in_one_of_them
def test_a_selection_of_few_rows_does_not_move_the_page(explorer):
    height = explorer.root.bounding_box()["height"]
    explorer.type("port=1")
    assert explorer.counted[0] < 20
    assert explorer.root.bounding_box()["height"] == height


def press_fast(explorer: ExplorerPage, key: str) -> Seen:
    watch = Watch(explorer.root)
    for _ in range(20):
        explorer.page.keyboard.press(key)
        explorer.page.wait_for_timeout(25)
    explorer.within.settle()
    return watch.seen()


def assert_steady(seen: Seen) -> None:
    assert seen.frames > 10
    assert seen.painted > 1
    assert seen.repaints > 0
    assert (seen.missing, seen.blank, seen.jump) == (0, 0, 0)


def assert_status_is_that_of_the_slider(explorer: ExplorerPage) -> None:
    begin, end = explorer.slid_to
    said = re.search(r"\d{4}-\d\d-(\d\d \d\d:\d\d)(?::\d\d)? to (?:\d{4}-\d\d-(\d\d) )?(\d\d:\d\d)", explorer.status)
    assert said[1] == begin
    if explorer.slid[1] < explorer.last_edge:  # else the line says when the last record is
        assert f"{said[2] or said[1][:2]} {said[3]}" == end


def name_of(clause: str) -> str:
    return clause.partition("=")[0]


# --- Themes ---


@in_one_of_them
def test_words_can_be_read_in_light_and_in_dark(notebook, explorer):
    for theme in ("JupyterLab Dark", "JupyterLab Light"):  # the notebook keeps the last
        notebook.use_theme(theme)
        contrasts = explorer.contrasts()
        assert {"status", "line", "table", "code", "list"} <= contrasts.keys()
        assert min(contrasts.values()) >= 4.5, (theme, contrasts)


def test_pictures_take_the_colour_of_the_page(case):
    df = fl.sample()
    shown = eval(case.make, {"df": df, "fl": fl})
    for panel in shown._panels:
        pixels = np.asarray(panel.shown.drawn())
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all()
        assert (pixels[..., 3] > 0).any()


# --- What is kept ---


@in_one_of_them
@pytest.mark.usefixtures("explorer")
def test_a_saved_notebook_has_a_picture_that_is_seen_without_a_kernel(lab, browser, notebook):
    saved = json.loads(notebook.save().read_text())
    (output,) = [one for one in saved["cells"][SHOWN]["outputs"] if "data" in one]
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(output["data"])

    saved["metadata"] = {}  # JupyterLab would start a kernel that is named there
    (lab.notebooks / "reopened.ipynb").write_text(json.dumps(saved))
    page = new_page(browser)
    page.goto(lab.address("reopened.ipynb"))
    picture = page.locator(".jp-OutputArea-output img")
    picture.wait_for()  # behind the question for a kernel, which nobody answers
    assert page.locator(".jp-KernelName").inner_text() == "No Kernel"
    assert picture.evaluate("one => one.naturalWidth") > 500
    assert page.locator(".jp-OutputArea-output .widget-vbox").count() == 0
    page.context.close()


# --- The brush ---

MORNING = "time=('2026-03-10 06:00', '2026-03-10 12:00')"


@pytest.fixture
def brush(notebook) -> ExplorerPage:
    notebook.ask(SHOWN, "ex = df.flow.explore.brush()\nex")
    explorer = notebook.explorer(SHOWN)
    explorer.wait()
    return explorer


def test_the_brush_follows_the_mouse_and_selects_where_it_is_let_go(notebook, brush):
    before, code, size = brush.drawn, brush.code, len(fl.sample())
    assert [said.partition(":")[0] for said in before] == ["Time line", "Sources", "Destinations", "Service ports"]
    let_go = brush.drag("Time line", 36 / 144, 72 / 144)  # ten minutes each
    during = brush.drawn
    assert during[0] == f"{before[0]} Marked: 37 to 72 of 144."
    assert all(now != then for now, then in zip(during[1:], before[1:], strict=True))
    assert (brush.chips, brush.code) == ([], code)
    counted = brush.counted
    let_go()
    assert brush.chips == [MORNING]
    assert brush.counted == counted == (rows_of(notebook, f"df.flow.select({MORNING})"), size)
    assert brush.drawn[1:] == during[1:]
    assert is_selected(notebook, f"df.flow.select({MORNING})")

    brush.drag("Time line", 54 / 144, 60 / 144)()  # what is marked is moved by an hour
    assert brush.chips == [MORNING.replace("12:00", "13:00").replace("06:00", "07:00")]
    brush.drag("Time line", 42 / 144, 30 / 144)()  # its edge by two
    assert brush.chips == [MORNING.replace("12:00", "13:00").replace("06:00", "05:00")]
    moved = list(brush.chips)
    brush.canvas("Time line").click(button="right", position={"x": 64 + 0.3 * 800, "y": 100})
    brush.page.keyboard.press("Escape")  # the menu
    assert brush.chips == moved
    brush.drag("Time line", 0.9, 0.9)()
    assert brush.chips == []
    brush.drag("Time line", 0, 1)()  # all of the time is no mark
    assert brush.chips == []
    assert brush.drawn == before


def test_the_brush_is_used_with_keys_alone(notebook, brush):
    notebook.leave(SHOWN)
    notebook.tab_to(brush.canvas("Time line"))
    keyboard = brush.page.keyboard
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        keyboard.press(key)
        notebook.settle()
    assert brush.chips == ["time=('2026-03-10 00:10', '2026-03-10 00:30')"]
    keyboard.press("Escape")
    notebook.settle()
    assert brush.chips == []
    for _ in range(5):  # faster than the kernel answers
        keyboard.press("ArrowRight")
    notebook.settle()
    assert brush.chips == ["time=('2026-03-10 00:40', '2026-03-10 00:50')"]
    keyboard.press("Escape")
    notebook.settle()

    notebook.tab_to(brush.canvas("Sources"))
    offered = brush.offered("Sources")
    for key in ("ArrowDown", "ArrowDown", "Space"):
        keyboard.press(key)
    notebook.settle()
    assert brush.chosen("Sources") == [offered[1]]
    assert brush.chips == [f"src='{offered[1]}'"]
    assert is_selected(notebook, f"df.flow.select(src='{offered[1]}')")


def test_bars_are_clicked(notebook, brush):
    bars, offered = brush.canvas("Destinations"), brush.offered("Destinations")
    for place in (0, 2, 3, 2):  # faster than the kernel answers
        bars.click(position={"x": 220, "y": 26 + 20 * (place + 0.5)})
    notebook.settle()
    assert brush.chosen("Destinations") == [offered[0], offered[3]]
    assert is_selected(notebook, f"df.flow.select(dst=[{offered[0]!r}, {offered[3]!r}])")


# --- Voila ---


def test_voila_shows_every_explorer_and_plain_arrow_keys_pick(lab, browser):
    cells = [DATA, *(f"ex = {case.make}\nex" for case in EXPLORERS.values())]
    lab.write("board.ipynb", cells)
    board = VoilaPage(new_page(browser), lab, "board.ipynb")
    for place, name in enumerate(EXPLORERS):
        explorer = board.explorer(place)
        assert explorer.counted[0] == explorer.counted[1] > 0, name
        assert len(explorer.pictures) >= 2
    explorer, pick = board.explorer(0), EXPLORERS["traffic"].picks[0]
    before = explorer.pictures
    explorer.pick(pick.panel, pick.name)
    assert_picked(explorer, pick)
    assert all(now != then for now, then in zip(explorer.pictures, before, strict=True))
    offered = explorer.offered(pick.panel)
    below = offered[offered.index(pick.name) + 1]
    explorer.list(pick.panel).focus()
    explorer.page.keyboard.press("ArrowDown")
    board.settle()
    assert explorer.chosen(pick.panel) == [below]
    assert below in explorer.code
    assert board.errors == []
    board.page.context.close()


# --- The wire: last, for it has seen all of the above ---


def test_no_message_was_larger_than_256_kilobytes(notebook):
    assert 10_000 < notebook.wire.largest() <= 256 * 1024


def test_nothing_was_captured_in_an_output_widget(notebook):
    states = [one.content["data"].get("state", {}) for one in notebook.wire.messages if one.kind == "comm_open"]
    models = {state.get("_model_name") for state in states}
    assert "ImageModel" in models
    assert "OutputModel" not in models
