"""How every benchmark here measures: contenders take turns, each round gives one ratio, and the median of them counts.

Machines differ and are shared, so no time is judged by itself. What is measured becomes rows of one kind of table, some
of them with a bound.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

__all__ = [
    "FLOWLENS", "TABLE_HEAD", "Row", "Seconds", "check_same", "fastest", "growth_row", "in_new_process", "peak_memory",
    "row_of", "say", "say_table", "take_turns",
]  # fmt: skip

FLOWLENS = "flowlens"

#: Linear means that ten times the records take ten times as long; this much more is noise and cache.
_LINEAR = 1.2

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio, its range over the rounds, that of the best times, and what it may be."""

    what: str
    against: str
    ratio: float
    low: float
    high: float
    of_best: float | None = None
    bound: float | None = None
    note: str = ""

    @property
    def over(self) -> bool:
        return self.bound is not None and self.ratio > self.bound

    def __str__(self) -> str:
        verdict = "" if self.bound is None else "**over**" if self.over else "ok"
        bound = "" if self.bound is None else f"≤ {self.bound:g}"
        spread = "" if self.low == self.high else f"{self.low:.2f} to {self.high:.2f}"
        of_best = "" if self.of_best is None else f"{self.of_best:.2f}"
        cells = (self.what, self.against, f"{self.ratio:.2f}", spread, of_best, bound, verdict, self.note)
        return f"| {' | '.join(cells)} |"


TABLE_HEAD = """\
| what | against | ratio | min to max | of best times | bound | | best times |
|---|---|--:|---|--:|---|---|---|"""


def say(line: object) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


def say_table(rows: Iterable[Row], *, too_few_for: int | None = None) -> None:
    """Print rows as they come, and which are over their bound, unless the records are `too_few_for` the bounds."""
    over = []
    for number, row in enumerate(rows):
        if number == 0:  # with the first row: while that is measured there may be something else to say
            say(TABLE_HEAD)
        say(row)
        over += [row] if row.over else []
    if too_few_for:
        few = "So few records show that everything runs."
        say(f"\n{few} The bounds are meant for {too_few_for:,}: below, fixed costs count.")
    else:
        names = "; ".join(f"{row.what} {row.ratio:.2f}" + (row.against and f" ({row.against})") for row in over)
        say(f"\nOver the bound: {names or 'nothing'}.")


# --- Time ---


def take_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int, *, warm: bool = False) -> Seconds:
    """Return the seconds of each contender in each round, after a round that does not count unless all are `warm`."""
    seconds: Seconds = {name: [] for name in contenders}
    for number in range(warm, rounds + 1):
        for name, call in contenders.items():
            gc.collect()
            begin = time.perf_counter()
            result = call()
            end = time.perf_counter()
            del result  # outside the clock
            if number:
                seconds[name].append(end - begin)
    return seconds


def row_of(what: str, against: str, seconds: Seconds, bound: float | None = None) -> Row:
    mine, theirs = seconds[FLOWLENS], seconds[against]
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    note = f"{min(mine):.3f} s to {min(theirs):.3f} s"
    return Row(what, against, median(ratios), min(ratios), max(ratios), min(mine) / min(theirs), bound, note)


def growth_row(what: str, few: list[float], many: list[float], records: tuple[int, int]) -> Row:
    """Tell how much longer more records take, as a share of how many more they are."""
    more = records[1] / records[0]
    ratios = [b / a / more for a, b in zip(few, many, strict=True)]
    of_best = min(many) / min(few) / more
    against = f"{records[0]:,} to {records[1]:,} records"
    note = f"{min(few):.3f} s, {min(many):.3f} s"
    return Row(f"growth of {what}", against, median(ratios), min(ratios), max(ratios), of_best, _LINEAR, note)


def fastest(seconds: Seconds, names: Iterable[str]) -> str:
    return min(names, key=lambda name: min(seconds[name]))


# --- Memory ---


# VmHWM is the peak of this program alone; getrusage() would count what the parent held when it forked.
_PEAKS = """
from pathlib import Path

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

{prepare}
before = peak()
result = {work}
print(before, peak())
"""


def peak_memory(prepare: str, work: str) -> tuple[int, int] | None:
    """Return the peak resident bytes of a new process, before and after its work; None where no system tells."""
    if not Path("/proc/self/status").exists():
        return None
    before, after = in_new_process(_PEAKS.format(prepare=prepare, work=work)).split()
    return int(before), int(after)


def in_new_process(code: str) -> str:
    """Run Python code and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


# --- Checking: what gives another answer is no contender ---


def check_same(mine: pd.DataFrame, theirs: pd.DataFrame, contender: str, analysis: str) -> None:
    """Compare the values of two answers, whatever their types.

    Raises
    ------
    AssertionError
        If they differ.
    """
    try:
        pd.testing.assert_frame_equal(_plain(mine), _plain(theirs)[list(mine)], check_dtype=False)
    except (AssertionError, KeyError) as error:
        raise AssertionError(f"{contender} gives another answer for {analysis}") from error


def _plain(answer: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as they are, times as seconds and words as text, so that only values are compared."""
    columns = {}
    for name, series in answer.reset_index(drop=True).items():
        if isinstance(series.dtype, pd.DatetimeTZDtype):
            columns[name] = series.dt.as_unit("s").dt.tz_convert("UTC")
        elif isinstance(series.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(series.dtype):
            columns[name] = series.astype("str")
        else:
            columns[name] = series.astype("float64" if pd.api.types.is_float_dtype(series.dtype) else "int64")
    return pd.DataFrame(columns)
