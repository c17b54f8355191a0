"""Sums of a table under many filters at once: each panel counts what all clauses but its own leave.

The rule is that of Crossfilter and Mosaic (https://idl.uw.edu/mosaic/core/#selections): a panel that were filtered by
its own clause would show what was picked and nothing that could be picked instead.

Rows are put in order of time once, so that a span of time is a slice; what another clause keeps is found once and
remembered. Then a panel is a `numpy.bincount`, which takes about 20 ms for ten million rows.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from flowlens.clauses import time_column
from flowlens.columns import typed
from flowlens.selection import Selection
from flowlens.timespan import time_span

__all__ = ["POOL", "Categories", "Crossfilter"]

#: What leaves Python's lock for long is done here. Twice as many as there are cores, as some wait for what others do.
POOL = ThreadPoolExecutor(2 * (os.cpu_count() or 1), "flowlens-explore")

Value = TypeVar("Value")

#: So many of each are remembered, as undo comes back to them: masks have a byte a row, rows at most eight.
_REMEMBERED = {"mask": 8, "rows": 4, "sums": 64, "column": 8}

#: So many rows are summed up at once, or more where there are many names: they fit into the cache of a core.
_PIECE = 1 << 18

#: Less than this part of the rows is gathered, more is weighed: reading on is faster than picking out.
_FEW = 0.25


class Categories:
    """What the rows of a table have of some kind: a number for each row, and the names behind the numbers.

    They are worked out beside other work, and waited for where they are asked for.
    """

    def __init__(
        self, make: Callable[[], tuple[np.ndarray, pd.Index]], order: Callable[[np.ndarray, pd.Index], np.ndarray]
    ) -> None:
        made = POOL.submit(make)
        self._names = POOL.submit(lambda: made.result()[1])
        self._codes = POOL.submit(lambda: order(*made.result()))

    @property
    def codes(self) -> np.ndarray:
        """By row in order of time, the place of its name; the number of names for none."""
        return self._codes.result()

    @property
    def names(self) -> pd.Index:
        """What there is."""
        return self._names.result()

    @property
    def count(self) -> int:
        """How many names there are."""
        return len(self.names)

    def places(self, names: Sequence[object]) -> list[int]:
        """Return the places of some names, without those that are not there."""
        sought: pd.Series = pd.Series(list(names), dtype=self.names.dtype)
        return [int(place) for place in self.names.get_indexer(pd.Index(sought)) if place >= 0]


@dataclass(frozen=True)
class _Rows:
    """The rows that clauses other than of time keep: their places where they are few, else which they are.

    `amounts` are those of the places, else of all rows; None where rows are counted.
    """

    places: np.ndarray | None
    mask: np.ndarray | None
    amounts: np.ndarray | None


class Crossfilter:
    """A table in order of time, and sums of it.

    Parameters
    ----------
    df
        Flow log records, or a table of `diagnose` or `findings`.
    measures
        The column of each measure; None for the number of rows.
    """

    def __init__(self, df: pd.DataFrame, measures: Mapping[str, str | None]) -> None:
        self._df = df
        self._measures = {name: column for name, column in measures.items() if column is None or column in df.columns}
        column = time_column(df.columns)
        self.timed = column in df.columns
        starts = pd.DatetimeIndex(typed(df, column)).as_unit("s").asi8 if self.timed else np.zeros(len(df), np.int64)
        # Beside what can be done without it.
        self._ordering = POOL.submit(_order, starts)
        self._starts = starts
        self._remembered: dict[str, OrderedDict[Hashable, Future[Any]]] = {kind: OrderedDict() for kind in _REMEMBERED}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._df)

    @property
    def measures(self) -> list[str]:
        """The measures that the table has."""
        return list(self._measures)

    def has(self, column: str) -> bool:
        """Tell whether the table has a column."""
        return column in self._df.columns

    @property
    def _order(self) -> np.ndarray | None:
        return self._ordering.result()

    @cached_property
    def starts(self) -> np.ndarray:
        """When the rows begin, in Unix seconds, in order."""
        return self._ordered(self._starts)

    def _ordered(self, values: np.ndarray) -> np.ndarray:
        return values if self._order is None else values[self._order]

    def categories(self, column: str) -> Categories:
        """Return what the rows have in a column of words."""

        def coded() -> tuple[np.ndarray, pd.Index]:
            words = typed(self._df, column).array
            categorical = words if isinstance(words, pd.Categorical) else pd.Categorical(words)
            return categorical.codes, categorical.categories

        return self.coded(coded)

    def coded(self, make: Callable[[], tuple[np.ndarray, pd.Index]]) -> Categories:
        """Return what the rows have, given what returns numbers by row of the table, -1 for none, and their names."""

        def in_order(codes: np.ndarray, names: pd.Index) -> np.ndarray:
            ordered = self._ordered(codes).astype(np.int32, copy=self._order is None)
            ordered[ordered < 0] = len(names)
            return ordered

        return Categories(make, in_order)

    def span(self) -> tuple[int, int] | None:
        """Return the first time and the last, in Unix seconds; None where no row has one."""
        known = self.starts[np.searchsorted(self.starts, np.iinfo(np.int64).min, side="right") :]
        return (int(known[0]), int(known[-1])) if self.timed and len(known) else None

    def bins(self, begin: int, width: int, count: int) -> np.ndarray:
        """Return for each row which bin it begins in; those without a time are in one more behind the last."""
        edges = np.searchsorted(self.starts, begin + width * np.arange(count + 1))
        in_each = np.diff(edges, prepend=0, append=len(self))
        return np.repeat(np.array([count, *range(count), count], np.int32), in_each)

    def sums(self, categories: Categories, measure: str, clauses: Mapping[str, object]) -> np.ndarray:
        """Sum a measure up by category over the rows that all clauses keep.

        Parameters
        ----------
        categories
            What to sum up by.
        measure
            What to sum up.
        clauses
            Those of a `Selection`, by name.
        """
        key = (categories, measure, tuple(clauses.items()))
        return self._once("sums", key, partial(self.summed, categories.codes, categories.count, measure, clauses))

    def summed(self, codes: np.ndarray, count: int, measure: str, clauses: Mapping[str, object]) -> np.ndarray:
        """Sum up as `sums` does, by numbers from 0 to `count` that are used once; those with `count` belong to none."""
        first, last = self._slice(clauses)
        rows = self._rows(clauses, measure)
        if rows.places is not None:
            first, last = np.searchsorted(rows.places, [first, last])
        total = np.zeros(count + 1)
        # A piece at a time: NumPy makes whole copies of what it sums up by and of weights, which have to be found room
        # for. With more names than rows in a piece it would be slower.
        for piece, weights in _pieces(rows, first, last, max(_PIECE, 4 * count)):
            places = piece if rows.places is None else rows.places[piece]
            total += np.bincount(codes[places], weights, minlength=count + 1)
        return total[:count]

    def total(self, measure: str, clauses: Mapping[str, object]) -> float:
        """Sum a measure up over the rows that all clauses keep."""
        first, last = self._slice(clauses)
        if self._measures[measure] is None:
            mask = self._mask(clauses)
            return float(last - first if mask is None else np.count_nonzero(mask[first:last]))
        rows = self._rows(clauses, measure)
        if rows.places is not None:
            first, last = np.searchsorted(rows.places, [first, last])
        return float(sum(weights.sum() for _, weights in _pieces(rows, first, last, _PIECE) if weights is not None))

    def prepare(self) -> None:
        """Make what other measures need ready, beside what the user does meanwhile."""
        for column in filter(None, self._measures.values()):
            POOL.submit(self._amounts, column)

    def first(self, n: int, clauses: Mapping[str, object]) -> pd.DataFrame:
        """Return the earliest rows that all clauses keep."""
        first, last = self._slice(clauses)
        mask = self._mask(clauses)
        places = np.arange(first, min(first + n, last)) if mask is None else first + _first(mask[first:last], n)
        return self._df.iloc[places if self._order is None else self._order[places]]

    def _slice(self, clauses: Mapping[str, object]) -> tuple[int, int]:
        if "time" not in clauses:
            return 0, len(self)
        if not self.timed:
            Selection(time=clauses["time"]).mask(self._df)  # type: ignore[arg-type]  # raises, and says what is missing
        first, last = np.searchsorted(self.starts, time_span(clauses["time"]))  # type: ignore[arg-type]
        return int(first), int(last)

    def _rows(self, clauses: Mapping[str, object], measure: str) -> _Rows:
        return self._once("rows", (_other_than_time(clauses), measure), partial(self._found, clauses, measure))

    def _found(self, clauses: Mapping[str, object], measure: str) -> _Rows:
        column, mask = self._measures[measure], self._mask(clauses)
        amounts = None if column is None else self._amounts(column)
        if mask is None or np.count_nonzero(mask) >= _FEW * len(mask):
            return _Rows(None, mask, amounts)
        places = np.flatnonzero(mask)
        return _Rows(places, None, None if amounts is None else amounts[places])

    def _mask(self, clauses: Mapping[str, object]) -> np.ndarray | None:
        """Return which rows the clauses other than of time keep, in order of time; None for all."""
        masks: list[np.ndarray] = [
            self._once("mask", clause, partial(self._clause, *clause)) for clause in _other_than_time(clauses)
        ]
        return reduce(np.logical_and, masks) if masks else None

    def _clause(self, name: str, value: object) -> np.ndarray:
        return self._ordered(Selection(**{name: value}).mask(self._df))  # type: ignore[arg-type]

    def _amounts(self, column: str) -> np.ndarray:
        return self._once("column", column, lambda: self._ordered(self._floats(column)))

    def _floats(self, column: str) -> np.ndarray:
        return typed(self._df, column).to_numpy(float, na_value=0.0)

    def _once(self, kind: str, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what was made before by this key; in whatever thread, it is made once."""
        remembered = self._remembered[kind]
        with self._lock:
            mine = key not in remembered
            future = remembered.setdefault(key, Future())
            remembered.move_to_end(key)
            while len(remembered) > _REMEMBERED[kind]:
                remembered.popitem(last=False)
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:  # an interruption, too: whoever asks the next time must not wait for it
                with self._lock:
                    remembered.pop(key, None)
                future.set_exception(error)
        value: Value = future.result()
        return value


def _pieces(rows: _Rows, first: int, last: int, step: int) -> Iterator[tuple[slice, np.ndarray | None]]:
    """Yield pieces of rows, and until the next piece what each row of it counts; None where each counts one."""
    room = np.empty(0 if rows.mask is None else min(step, last - first))
    for begin in range(first, last, step):
        piece = slice(begin, min(begin + step, last))
        weights = None if rows.amounts is None else rows.amounts[piece]
        if rows.mask is not None:
            kept = rows.mask[piece]
            weights = np.multiply(1.0 if weights is None else weights, kept, out=room[: len(kept)])
        yield piece, weights


def _order(starts: np.ndarray) -> np.ndarray | None:
    """Return the places of the rows in order of time; None where they are in it."""
    return None if bool((starts[1:] >= starts[:-1]).all()) else np.argsort(starts, kind="stable")


def _other_than_time(clauses: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple((name, value) for name, value in clauses.items() if name != "time")


def _first(mask: np.ndarray, n: int) -> np.ndarray:
    """Return the places of the first `n` that hold, without looking at what is behind them."""
    found: list[np.ndarray] = []
    step, missing = 1 << 16, n
    for begin in range(0, len(mask), step):
        places = begin + np.flatnonzero(mask[begin : begin + step])[:missing]
        found.append(places)
        missing -= len(places)
        if not missing:
            break
    return np.concatenate(found) if found else np.empty(0, np.int64)
