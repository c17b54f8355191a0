"""Time the traffic explorer as its user does, in JupyterLab in a browser: ``python -m benchmarks.exploring``.

The clock is in the page: it begins with the key or the click, and ends with the frame that shows the last change of a
picture or a line. What kernel, server, browser and this program take from each other on one machine counts, too.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from playwright.sync_api import Browser

import flowlens as fl
from benchmarks.measuring import Row, say, say_table
from benchmarks.records import flow_log_files

# The browser is that of the tests, which are no package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import Lab, chromium, lab_server, missing_chromium, new_page
from explorer_page import ExplorerPage, NotebookPage
from page_watch import Latency, Seen, Watch

#: Seconds that the first view and any control may take, by the number of records.
_BOUNDS = {1_000_000: (1.0, 0.3), 10_000_000: (2.5, 0.4)}
#: Seconds that all panels may take to follow the brush, and which parts of the time are marked meanwhile.
_BRUSHED = {"a quarter": (0.1, 0.18, 0.32), "nearly all": (0.2, 0.85, 0.99)}
_MOST_KILOBYTES = 256

_PAINTS, _TIMES = 5, 20
#: Seconds after which a first view is there.
_LONGEST = 4
_RECORDS_A_FILE = 50_000
_DATA, _SHOWN = 0, 1
_LISTS = ("Sources", "Destinations", "Service ports")
_FAST_KEYS, _BETWEEN_KEYS = 20, 30  # and milliseconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exploring", description=__doc__)
    parser.add_argument("--small", action="store_true", help="200,000 records, each control twice: does it all run?")
    parser.add_argument("--times", type=int, default=_TIMES, help="how often each control is used")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    arguments = parser.parse_args()
    if missing_chromium():
        parser.error(missing_chromium())
    sizes = [200_000] if arguments.small else list(_BOUNDS)
    times, paints = (2, 1) if arguments.small else (arguments.times, _PAINTS)
    say(f"# The traffic explorer of {' and '.join(f'{size:,}' for size in sizes)} records, "
        f"{pa.cpu_count()} cores, flowlens {fl.__version__}\n")  # fmt: skip
    folders = {size: flow_log_files(size, size // _RECORDS_A_FILE, arguments.data) for size in sizes}
    with tempfile.TemporaryDirectory() as place, lab_server(Path(place) / "lab") as lab, chromium() as browser:
        rows = (row for size, folder in folders.items() for row in _rows(lab, browser, size, folder, times, paints))
        say_table(rows, too_few_for=min(_BOUNDS) if arguments.small else None)


def _rows(lab: Lab, browser: Browser, size: int, folder: Path, times: int, paints: int) -> Iterator[Row]:
    first_view, control = _BOUNDS.get(size, _BOUNDS[min(_BOUNDS)])
    records, seconds, again = f"{size:,} records", [], []
    for number in range(paints):
        opened = _Opened(lab, browser, f"{size}-{number}.ipynb", folder)
        seconds.append(opened.paint())
        again.append(opened.paint())
        if number < paints - 1:
            opened.close()
    yield _row_of(f"first view, {records}", seconds, np.median(seconds), first_view, "median; each in a new kernel")
    note = "median; where the kernel has loaded matplotlib"
    yield _row_of(f"next view, {records}", again, np.median(again), first_view, note)
    for name, took in _answers(opened, times).items():
        note = f"95th of 100; median {np.median(took):.3f} s"
        yield _row_of(f"{name}, {records}", took, np.percentile(took, 95), control, note)
    for name, key in (("arrow keys", "ArrowRight"), ("presses of Later", "Space")):
        settled, seen = opened.press_fast(name, key)
        yield from _rows_of_fast(f"{_FAST_KEYS} fast {name}, {records}", settled, seen)
    largest = opened.notebook.wire.largest() / 1024
    yield Row(f"kB of the largest message, {records}", "", largest, largest, largest, None, _MOST_KILOBYTES)
    for part, (bound, least, most) in _BRUSHED.items():
        took = opened.brush(least, most, times)
        note = f"median; 95th of 100 {np.percentile(took, 95):.3f} s"
        yield _row_of(f"a brush over {part} of the time, {records}", took, np.median(took), bound, note)
    opened.close()


def _row_of(what: str, seconds: list[float], shown: float, bound: float, note: str) -> Row:
    return Row(f"seconds of {what}", "", float(shown), min(seconds), max(seconds), min(seconds), bound, note)


def _rows_of_fast(what: str, settled: float, seen: Seen) -> Iterator[Row]:
    note = f"{seen.repaints} pictures replaced in {seen.frames} frames"
    yield Row(f"seconds until all is shown of {what}", "", settled, settled, settled, note=note)
    spoilt = seen.blank + seen.missing
    yield Row(
        f"frames without a picture, {what}", "", spoilt, spoilt, spoilt, bound=0, note=f"{seen.painted} looked at"
    )
    yield Row(f"pixels that the page jumps, {what}", "", seen.jump, seen.jump, seen.jump, bound=0)


class _Opened:
    """A notebook with the records in a kernel of its own, and a stopwatch in its page."""

    def __init__(self, lab: Lab, browser: Browser, name: str, folder: Path) -> None:
        # With its bar, as a user reads: page and kernel have loaded ipywidgets when the explorer is asked for.
        lab.write(name, [f"import flowlens as fl\ndf = fl.read({str(folder)!r})", ""])
        self.notebook = NotebookPage(new_page(browser), lab, name)
        self.notebook.run(_DATA)
        self.page = self.notebook.page
        self._latency = Latency(self.page)

    @property
    def explorer(self) -> ExplorerPage:
        return self.notebook.explorer(_SHOWN)

    def paint(self) -> float:
        """Return the seconds from the key that runs the cell to the first view, all of it."""
        self.notebook.write(_SHOWN, "ex = df.flow.explore()\nex")
        self._latency.arm()
        self.page.keyboard.press("Control+Enter")
        time.sleep(_LONGEST)  # looking on would take from the cores what the others need
        self.notebook.settle()
        return self._latency.seconds()

    def seconds_of(self, act: Callable[[], None]) -> float:
        self._latency.arm()
        act()
        self.notebook.settle()
        return self._latency.seconds()

    def press_fast(self, name: str, key: str) -> tuple[float, Seen]:
        """Press a key again and again; return the seconds from the first to the last change, and what was seen."""
        explorer = self.explorer
        explorer.press("Reset")
        if name == "arrow keys":
            explorer.handle("lower").focus()
        else:
            explorer.handle("upper").focus()
            self.page.keyboard.press("Home")
            self.notebook.settle()
            explorer.button("Later").focus()

        def press() -> None:
            for _ in range(_FAST_KEYS):
                self.page.keyboard.press(key)
                self.page.wait_for_timeout(_BETWEEN_KEYS)

        watch = Watch(explorer.root)
        seconds = self.seconds_of(press)
        return seconds, watch.seen()

    def brush(self, least: float, most: float, times: int) -> list[float]:
        """Mark so much of the time with the mouse; return the seconds until all panels followed each move."""
        self.notebook.write(_SHOWN, "ex = df.flow.explore.brush()\nex")
        self.notebook.run_here()
        explorer = self.explorer
        explorer.wait()
        begin = (1 - most) / 2
        let_go, ends = explorer.drag("Time line", begin, begin + least), begin + np.linspace(least, most, times + 1)[1:]
        seconds = [self.seconds_of(partial(explorer.move_to, "Time line", end)) for end in ends]
        let_go()
        return seconds

    def close(self) -> None:
        """Close the page and end the kernel, which holds all records."""
        self.notebook.command("kernelmenu:shutdown")
        self.page.wait_for_timeout(1000)
        self.page.context.close()


# --- The controls ---


@dataclass(frozen=True)
class _Control:
    """A control: what has to be there before it is used, and how it is used."""

    prepare: Callable[[ExplorerPage, random.Random], None]
    use: Callable[[ExplorerPage, random.Random], None]


def _answers(opened: _Opened, times: int) -> dict[str, list[float]]:
    """Return the seconds of each control, used in random order, half of them after something was picked."""
    dice, explorer = random.Random(1), opened.explorer
    order = [name for name in _CONTROLS for _ in range(times)]
    dice.shuffle(order)
    seconds: dict[str, list[float]] = {name: [] for name in _CONTROLS}
    for name in order:
        control = _CONTROLS[name]
        explorer.press("Reset")
        if dice.random() < 0.5:
            _pick(explorer, dice)
            explorer.within.settle()
        control.prepare(explorer, dice)
        explorer.within.settle()
        seconds[name].append(opened.seconds_of(partial(control.use, explorer, dice)))
    return seconds


def _pick(explorer: ExplorerPage, dice: random.Random) -> None:
    """Click on what is not yet picked in one of the lists."""
    panel = dice.choice(_LISTS)
    there, chosen = explorer.offered(panel), explorer.chosen(panel)
    others = [place for place, name in enumerate(there) if name not in chosen]
    explorer.list(panel).locator("option").nth(dice.choice(others) if others else 0).click()


def _nothing(_: ExplorerPage, __: random.Random) -> None:
    pass


def _focus_handle(explorer: ExplorerPage, _: random.Random) -> None:
    explorer.handle("lower").focus()


def _press_arrow(explorer: ExplorerPage, _: random.Random) -> None:
    explorer.page.keyboard.press("ArrowRight")


def _leave_room(explorer: ExplorerPage, _: random.Random) -> None:
    """Choose the middle half of the time."""
    explorer.press("A shorter time")


def _click(name: str) -> Callable[[ExplorerPage, random.Random], None]:
    return lambda explorer, _: explorer.button(name).click()


def _switch(names: tuple[str, ...]) -> Callable[[ExplorerPage, random.Random], None]:
    """Click on one of some buttons that is not pressed."""

    def use(explorer: ExplorerPage, dice: random.Random) -> None:
        pressed = explorer.root.locator("button.mod-active").all_inner_texts()
        explorer.button(dice.choice([name for name in names if name not in pressed])).click()

    return use


def _type_action(explorer: ExplorerPage, dice: random.Random) -> None:
    """Write all but the Enter: the clock begins with the next key."""
    explorer.words.fill(f"action={dice.choice(('ACCEPT', 'REJECT'))}")
    explorer.words.focus()


def _press_enter(explorer: ExplorerPage, _: random.Random) -> None:
    explorer.page.keyboard.press("Enter")


_CONTROLS = {
    "pick in a list": _Control(_nothing, _pick),
    "arrow key on the slider": _Control(_focus_handle, _press_arrow),
    "Later": _Control(_leave_room, _click("Later")),
    "another measure": _Control(_nothing, _switch(("bytes", "packets", "flows"))),
    "another zone": _Control(_nothing, _switch(("UTC", "local"))),
    "action typed": _Control(_type_action, _press_enter),
    "Undo": _Control(_pick, _click("Undo")),
    "Reset": _Control(_pick, _click("Reset")),
}


if __name__ == "__main__":
    main()
