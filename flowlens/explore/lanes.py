"""What there is of each of some kind over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from flowlens.explore.crossfilter import Categories, Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Choose, Panel, Picks, View
from flowlens.explore.words import edges_of, length, ticks, width_of
from flowlens.plot.contents import LanesData
from flowlens.selection import Selection

__all__ = ["LanesPanel"]


class LanesPanel(Panel[LanesData]):
    """One lane for each of the largest, and the same as a list to read and to pick from."""

    def __init__(
        self, cross: Crossfilter, choose: Choose, categories: Categories, *, title: str, picks: Picks,
        looks: Looks,
    ) -> None:  # fmt: skip
        super().__init__(cross, choose)
        self.own, self.title = picks.own, title
        self._categories, self._picks = categories, picks
        begin, end = cross.span() or (0, 1)
        self.edges = edges_of(begin, end, width_of(begin, end))
        self._bins = cross.bins(int(self.edges[0]), int(self.edges[1] - self.edges[0]), len(self.edges) - 1)
        self.shown = looks.shown()
        self.list = looks.picked(6, f"{title}: pick one or several")
        self.twin = looks.twin()
        self.list.observe(self._picked, "value")
        self.widget = looks.below([self.shown.widget, self.list, self.twin])

    def _shown(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the largest in the order of their names, and the sums of all."""
        sums = self.cross.sums(self._categories, view.measure, self.others(view.filter))
        largest = np.argsort(-sums, kind="stable")[: LanesData.most]
        return np.sort(largest[sums[largest] > 0]), sums

    def _by_bin(self, places: np.ndarray, clauses: Mapping[str, Any], measure: str) -> np.ndarray:
        bins = len(self.edges) - 1
        ranks = np.full(self._categories.count + 1, len(places), np.int32)
        ranks[places] = np.arange(len(places))
        codes = ranks[self._categories.codes] * (bins + 1) + self._bins
        return self.cross.summed(codes, (len(places) + 1) * (bins + 1), measure, clauses).reshape(-1, bins + 1)[
            : len(places), :bins
        ]

    def look(self, view: View) -> tuple[LanesData, tuple[np.ndarray, np.ndarray]]:
        """Return what to draw, the places of the lanes, and the sums of all."""
        places, sums = self._shown(view)
        others = self.others(view.filter)
        lost = {**others, "status": ("SKIPDATA",)}
        has_status = "status" not in others and self.cross.has("log_status")
        picked = set(self._picked_places(view.filter))
        data = LanesData(
            names=[str(self._categories.names[place]) for place in places],
            edges=self.edges.astype(float),
            present=self._by_bin(places, others, view.measure),
            lost=self._by_bin(places, lost, view.measure)
            if has_status
            else np.zeros((len(places), len(self.edges) - 1)),
            chosen=[place in picked for place in places],
            title=f"{self.title}: {view.measure} per {length(int(self.edges[1] - self.edges[0]))}, {view.zone}",
            ticks=ticks(self.edges, view.zone),
        )
        return data, (places, sums)

    def _picked_places(self, selection: Selection) -> list[int]:
        return self._categories.places(self._picks.names(selection))

    def _show_controls(self, data: LanesData, more: tuple[np.ndarray, np.ndarray], view: View) -> None:
        places, sums = more
        silent = (data.present == 0).sum(axis=1)
        options = [
            (
                f"{name} · {sums[place]:,.0f} {view.measure} · nothing in {empty} of {len(self.edges) - 1} bins",
                int(place),
            )
            for name, place, empty in zip(data.names, places, silent, strict=True)
        ]
        if tuple(self.list.options) != tuple(options):
            self.list.options = options
        self.list.value = tuple(int(place) for place, chosen in zip(places, data.chosen, strict=True) if chosen)

    def said(self, data: LanesData, more: tuple[np.ndarray, np.ndarray], view: View) -> str:  # noqa: ARG002
        """Say in words what is drawn."""
        places, sums = more
        lost = int(np.count_nonzero(data.lost))
        skipped = f"; SKIPDATA in {lost:,} of their bins" if lost else ""
        return f"{self.title}: {len(places):,} of {np.count_nonzero(sums):,}{skipped}."

    def _picked(self, change: Mapping[str, Any]) -> None:
        self.choose(self._picks.clauses([self._categories.names[place] for place in change["new"]]))
