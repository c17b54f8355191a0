"""What two kinds of things have in common: who with whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from flowlens.explore.crossfilter import Categories, Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Choose, Panel, View
from flowlens.explore.words import share, short
from flowlens.plot.contents import CellsData
from flowlens.selection import Selection

__all__ = ["Crossed", "MatrixPanel"]

_MOST = CellsData.most
_NO_CELL = (-1, -1)


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """What is crossed, and how a cell of it is written as clauses.

    Attributes
    ----------
    rows, columns
        What is crossed.
    clauses
        Returns the clauses that mean a row and a column.
    names
        Returns the row and the column that the clauses of a selection mean, if they mean one of each.
    own
        The names of these clauses.
    """

    rows: Categories
    columns: Categories
    clauses: Callable[[Any, Any], Mapping[str, Any]]
    names: Callable[[Selection], tuple[Any, Any] | None]
    own: frozenset[str]


@dataclass(frozen=True)
class _Top:
    """The largest rows and columns by their places, what they have in common, and the total of all."""

    rows: np.ndarray
    columns: np.ndarray
    cells: np.ndarray
    total: float
    there: tuple[int, int]


class MatrixPanel(Panel[CellsData]):
    """The largest rows and columns as a heat map, and the largest cells as a list to read and to pick from."""

    def __init__(self, cross: Crossfilter, choose: Choose, crossed: Crossed, *, title: str, looks: Looks) -> None:
        super().__init__(cross, choose)
        self.title = title
        self.shown = looks.shown()
        self.list = looks.picked_one(8, f"{title}: pick a pair")
        self.twin = looks.twin()
        self.list.observe(self._picked, "value")
        self.widget = looks.below([self.shown.widget, self.list, self.twin], "66%")
        self.cross_by(crossed)

    def cross_by(self, crossed: Crossed) -> None:
        """Cross other things from now on."""
        self._crossed, self.own = crossed, crossed.own
        self.forget()

    def _top(self, view: View) -> _Top:
        crossed, picked = self._crossed, self._places(view.filter) or (None, None)
        sums = partial(self.cross.summed, measure=view.measure, clauses=self.others(view.filter))
        of_rows = self.cross.sums(crossed.rows, view.measure, self.others(view.filter))
        rows = _largest(of_rows, picked[0])
        row_ranks = _ranks(rows, crossed.rows.count)[crossed.rows.codes]
        # Columns that the rows shown have something in common with: others would be empty.
        of_columns = sums(
            np.where(row_ranks < _MOST, crossed.columns.codes, crossed.columns.count), crossed.columns.count
        )
        columns = _largest(of_columns, picked[1])
        column_ranks = _ranks(columns, crossed.columns.count)[crossed.columns.codes]
        width = _MOST + 1
        cells = sums(row_ranks * width + column_ranks, width * width).reshape(width, width)
        all_columns = self.cross.sums(crossed.columns, view.measure, self.others(view.filter))
        there = (int(np.count_nonzero(of_rows)), int(np.count_nonzero(all_columns)))
        return _Top(rows, columns, cells[: len(rows), : len(columns)], float(of_rows.sum()), there)

    def _places(self, selection: Selection) -> tuple[int, int] | None:
        """Return the places of the row and the column that are chosen."""
        names = self._crossed.names(selection)
        if names is None:
            return None
        places = [*self._crossed.rows.places(names[:1]), *self._crossed.columns.places(names[1:])]
        return (places[0], places[1]) if len(places) == 2 else None

    def look(self, view: View) -> tuple[CellsData, _Top]:
        """Return what to draw, and the sums behind it."""
        top = self._top(view)
        return self._drawn(top, view), top

    def _drawn(self, top: _Top, view: View) -> CellsData:
        picked = self._places(view.filter)
        chosen = [
            (row, column)
            for row, column in np.ndindex(top.cells.shape)
            if (int(top.rows[row]), int(top.columns[column])) == picked
        ]
        return CellsData(
            rows=[str(self._crossed.rows.names[place]) for place in top.rows],
            columns=[str(self._crossed.columns.names[place]) for place in top.columns],
            amounts=top.cells,
            chosen=chosen,
            title=f"{self.title}, {view.measure}",
            amount=partial(short, measure=view.measure),
        )

    def said(self, data: CellsData, more: _Top, view: View) -> str:
        """Say in words what is drawn."""
        cells = _in_order(more.cells)
        first = self._line(data, more, cells[0], view) if cells else "nothing here"
        of_rows, of_columns = more.there
        there = f"{len(more.rows)} of {of_rows:,} rows, {len(more.columns)} of {of_columns:,} columns"
        return f"{self.title}: {there}; first {first}."

    def _show_controls(self, data: CellsData, more: _Top, view: View) -> None:
        top = more
        options = [
            ("all", _NO_CELL),
            *(
                (self._line(data, top, cell, view), (int(top.rows[cell[0]]), int(top.columns[cell[1]])))
                for cell in _in_order(top.cells)
            ),
        ]
        if tuple(self.list.options) != tuple(options):
            self.list.options = options
        picked = self._places(view.filter)
        self.list.value = picked if any(place == picked for _, place in options) else _NO_CELL

    def _line(self, data: CellsData, top: _Top, cell: tuple[int, int], view: View) -> str:
        value = float(top.cells[cell])
        pair = f"{data.rows[cell[0]]} to {data.columns[cell[1]]}"
        return f"{pair} · {short(value, view.measure)} · {share(value, top.total)}"

    def _picked(self, change: Mapping[str, Any]) -> None:
        if change["new"] == _NO_CELL:
            self.choose(dict.fromkeys(self.own))
        elif change["new"] is not None:
            row, column = change["new"]
            self.choose(self._crossed.clauses(self._crossed.rows.names[row], self._crossed.columns.names[column]))


def _in_order(cells: np.ndarray) -> list[tuple[int, int]]:
    """Return the rows and columns of what is not empty, the largest first."""
    order = np.argsort(-cells, axis=None, kind="stable")
    return [divmod(int(place), cells.shape[1]) for place in order if cells.flat[place] > 0]


def _ranks(places: np.ndarray, count: int) -> np.ndarray:
    """Return the rank of every place: of those that are not shown, and of none, the one behind the last."""
    ranks = np.full(count + 1, _MOST, np.int32)
    ranks[places] = np.arange(len(places))
    return ranks


def _largest(sums: np.ndarray, picked: int | None) -> np.ndarray:
    """Return the places of the largest sums, that of what is picked among them."""
    most = min(_MOST, len(sums))
    largest = np.argpartition(sums, len(sums) - most)[len(sums) - most :] if most else np.empty(0, np.int64)
    largest = largest[np.lexsort((largest, -sums[largest]))]
    largest = largest[sums[largest] > 0]
    if picked is None or picked in largest:
        return largest
    return np.append(largest[: _MOST - 1], picked)
