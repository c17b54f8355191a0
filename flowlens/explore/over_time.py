"""A measure over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from flowlens.explore.crossfilter import POOL, Categories, Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.moves import MOVES, Move
from flowlens.explore.panels import Choose, Panel, View
from flowlens.explore.patience import Patience
from flowlens.explore.words import amount, edges_of, in_zone, length, short, span, ticks, touched, width_of
from flowlens.plot.contents import StackData
from flowlens.selection import Selection
from flowlens.timespan import time_span

__all__ = ["TimePanel"]


class TimePanel(Panel[StackData]):
    """A measure over time, with a slider for the span, stacked by something, with buttons to pick of that.

    Parameters
    ----------
    series
        What it is stacked by; None for no stack.
    clause
        The clause of a pick among the series.
    """

    def __init__(
        self, cross: Crossfilter, choose: Choose, series: Categories | None, clause: str, looks: Looks
    ) -> None:
        super().__init__(cross, choose)
        self._clause = clause
        self.own = frozenset({"time", clause} if series is not None else {"time"})
        self.renew(cross, series)
        self.shown = looks.markable(self._between)
        self.slider = widgets.SelectionRangeSlider(
            options=[("", 0), (" ", 1)], description="Time", continuous_update=False,
            layout=widgets.Layout(width="56%"), tooltip="Time: arrow keys move the ends",
        )  # fmt: skip
        self.twin = looks.twin()
        self.slider.observe(self._picked, "index")
        # Keys that reach a button wherever the page is: JupyterLab keeps arrows for itself (ipywidgets issue 3912).
        self._span, self._moving = (0, 1), Patience(self._slide)
        self._buttons = [looks.button(label, tip, partial(self._move, move)) for label, tip, move in MOVES]
        controls = [self.slider, *self._buttons]
        if series is not None:
            self.kinds = looks.choices(["all", *map(str, series.names)], f"Pick by {clause}")
            self.kinds.observe(self._picked_kind, "value")
            controls.append(self.kinds)
        self.widget = looks.below([self.shown.widget, looks.beside(controls), self.twin])

    def _move(self, move: Move, _: widgets.Button) -> None:
        self._span = move(*self._span, len(self.edges) - 1)
        self._moving.ask()

    def _slide(self) -> None:
        self.slider.index = self._span

    def renew(self, cross: Crossfilter, series: Categories | None) -> None:
        """Show another table from now on."""
        self.cross, self._series = cross, series
        self._edges = POOL.submit(_edges, cross)
        self._codes = Categories(self._coded, lambda codes, _: codes)
        self._zone = ""  # the slider has other times, too
        self.forget()

    @property
    def edges(self) -> np.ndarray:
        """Where the bins begin, and where the last one ends, in Unix seconds."""
        return self._edges.result()

    def _coded(self) -> tuple[np.ndarray, pd.Index]:
        """Return for each row its bin and its series in one number."""
        width, count = int(self.edges[1] - self.edges[0]), len(self.edges) - 1
        bins = self.cross.bins(int(self.edges[0]), width, count)
        if self._series is None:
            return bins, pd.RangeIndex(count)
        kinds = self._series.count + 1
        codes: np.ndarray = bins * kinds + self._series.codes
        codes[bins == count] = count * kinds
        return codes, pd.RangeIndex(count * kinds)

    def _sums(self, selection: Selection, measure: str) -> np.ndarray:
        return self.cross.sums(self._codes, measure, self.others(selection)).reshape(len(self.edges) - 1, -1)

    def look(self, view: View) -> tuple[StackData, None]:
        """Return what to draw."""
        sums = self._sums(view.filter, view.measure)
        names = ["all"] if self._series is None else [*map(str, self._series.names), f"no {self._clause}"]
        series = {name: sums[:, place] for place, name in enumerate(names) if sums[:, place].any() or len(names) == 1}
        picked = view.filter.clauses.get(self._clause) if self._series is not None else None
        if picked is not None:
            series = {name: amounts for name, amounts in series.items() if name in picked}
        ghost = None if view.compared is None else self._sums(view.compared, view.measure).sum(axis=1)
        width = int(self.edges[1] - self.edges[0])
        data = StackData(
            edges=self.edges.astype(float),
            series=series,
            names=names,
            ghost=ghost,
            chosen=self._chosen(view.filter),
            title=f"{view.measure} per {length(width)}, {view.zone}",
            ticks=ticks(self.edges, view.zone),
            amount=partial(short, measure=view.measure),
        )
        return data, None

    def _chosen(self, selection: Selection) -> tuple[int, int] | None:
        """Return the bins that the time clause touches."""
        if selection.time is None:
            return None
        return touched(self.edges, *time_span(selection.time))

    def _show_controls(self, data: StackData, more: None, view: View) -> None:  # noqa: ARG002
        if self._zone != view.zone:
            self._zone = view.zone
            form = _form(int(self.edges[1] - self.edges[0]))
            self.slider.options = [(in_zone(edge, view.zone).strftime(form), int(edge)) for edge in self.edges]
        self._span = data.chosen or (0, len(self.edges) - 1)
        self.slider.index = self._span
        if self._series is not None:
            picked = view.filter.clauses.get(self._clause, ("all",))
            self.kinds.value = picked[0] if len(picked) == 1 and picked[0] in self.kinds.options else None

    def said(self, data: StackData, more: None, view: View) -> str:  # noqa: ARG002
        """Say in words what is drawn."""
        stacked = sum(data.series.values(), np.zeros(len(self.edges) - 1))
        if not stacked.any():
            return "Time line: nothing here."
        most = int(stacked.argmax())
        parts = ", ".join(f"{name} {amount(sums.sum(), view.measure)}" for name, sums in data.series.items())
        peak = span(int(self.edges[most]), int(self.edges[most + 1]), view.zone)
        return f"Time line: {parts}; most in {peak} with {amount(stacked[most], view.measure)}."

    def _picked(self, change: Mapping[str, Any]) -> None:
        first, last = change["new"]
        if first == last:  # no time at all: the bin that begins there, or the last one
            first, last = (first, last + 1) if last < len(self.edges) - 1 else (first - 1, last)
        self.choose(self._between([first, last]))

    def _between(self, edges: Sequence[int]) -> Mapping[str, Any]:
        """Return the clauses for the time between two edges, by their numbers; for all of it without any."""
        whole = list(edges) in ([], [0, len(self.edges) - 1])
        return {"time": None if whole else tuple(int(self.edges[place]) for place in edges)}

    def _picked_kind(self, change: Mapping[str, Any]) -> None:
        self.choose({self._clause: None if change["new"] == "all" else change["new"]})


def _edges(cross: Crossfilter) -> np.ndarray:
    begin, end = cross.span() or (0, 1)
    return edges_of(begin, end, width_of(begin, end))


def _form(width: int) -> str:
    """Return how edges of bins are written beside the slider, where there is room for twenty letters."""
    if width < 60:
        return "%H:%M:%S"
    return "%d %H:%M" if width < 86_400 else "%m-%d"
