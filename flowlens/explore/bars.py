"""The largest of some kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from flowlens.explore.crossfilter import Categories, Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Choose, Panel, Picks, View
from flowlens.explore.words import share, short
from flowlens.plot.contents import BarsData
from flowlens.selection import Selection

__all__ = ["BarsPanel", "HistogramPanel"]


@dataclass(frozen=True)
class _Sums:
    """The places of what is shown, the sum of everything, and how many there are with any."""

    places: list[int]
    total: float
    count: int


class BarsPanel(Panel[BarsData]):
    """The largest of some kind as bars, and the same as a list to read and to pick from."""

    def __init__(
        self,
        cross: Crossfilter,
        choose: Choose,
        categories: Categories,
        *,
        title: str,
        picks: Picks,
        looks: Looks,
    ) -> None:
        super().__init__(cross, choose)
        self.own, self.title = picks.own, title
        self._categories, self._picks = categories, picks
        self.shown = looks.markable(self._meant)
        # What cannot be picked is read there all the same.
        self.list = looks.picked(8, f"{title}: pick one or several" if picks.own else title)
        self.twin = looks.twin()
        self.list.observe(self._picked, "value")
        self.widget = looks.below([self.shown.widget, self.list, self.twin], "33%")

    def renew(self, cross: Crossfilter, categories: Categories) -> None:
        """Show another table from now on."""
        self.cross, self._categories = cross, categories
        self.forget()

    def _sums(self, selection: Selection, measure: str) -> np.ndarray:
        return self.cross.sums(self._categories, measure, self.others(selection))

    def look(self, view: View) -> tuple[BarsData, _Sums]:
        """Return what to draw, and the sums behind it."""
        sums = self._sums(view.filter, view.measure)
        places = self._largest(sums, view.filter)
        return self._drawn(sums, places, view), _Sums(places, float(sums.sum()), int(np.count_nonzero(sums)))

    def _largest(self, sums: np.ndarray, selection: Selection) -> list[int]:
        """Return the places of the largest, what is picked among them however small."""
        most = min(BarsData.most, len(sums))
        largest = np.argpartition(sums, len(sums) - most)[len(sums) - most :] if most else np.empty(0, np.int64)
        largest = largest[np.lexsort((largest, -sums[largest]))]
        top = [int(place) for place in largest if sums[place] > 0]
        picked = [place for place in self._picked_places(selection) if place not in top][: BarsData.most]
        return [*top[: BarsData.most - len(picked)], *picked]

    def _picked_places(self, selection: Selection) -> list[int]:
        return self._categories.places(self._picks.names(selection))

    def _drawn(self, sums: np.ndarray, places: list[int], view: View) -> BarsData:
        picked = set(self._picked_places(view.filter))
        return BarsData(
            names=[self._picks.label(self._categories.names[place]) for place in places],
            amounts=sums[places],
            keys=places,
            chosen=[place in picked for place in places],
            ghosts=None if view.compared is None else self._sums(view.compared, view.measure)[places],
            title=f"{self.title}, {view.measure}",
            amount=partial(short, measure=view.measure),
        )

    def _show_controls(self, data: BarsData, more: _Sums, view: View) -> None:
        places = more.places
        shares = [share(value, more.total) for value in data.amounts]
        options = [
            (f"{name} · {short(value, view.measure)} · {part}", place)
            for name, value, part, place in zip(data.names, data.amounts, shares, places, strict=True)
        ]
        if tuple(self.list.options) != tuple(options):
            self.list.options = options
        self.list.value = tuple(place for place, chosen in zip(places, data.chosen, strict=True) if chosen)

    def said(self, data: BarsData, more: _Sums, view: View) -> str:
        """Say in words what is drawn."""
        if not more.places:
            return f"{self.title}: nothing here."
        first = f"first {data.names[0]}, {share(data.amounts[0], more.total)} of {view.measure}"
        return f"{self.title}: {len(more.places):,} of {more.count:,}; {first}."

    def _picked(self, change: Mapping[str, Any]) -> None:
        self.choose(self._meant(change["new"]))

    def _meant(self, places: Sequence[int]) -> Mapping[str, Any]:
        """Return the clauses for some places among the categories."""
        return self._picks.clauses([self._categories.names[place] for place in places])


class HistogramPanel(BarsPanel):
    """All there is of some kind that has an order, in that order."""

    def _largest(self, sums: np.ndarray, selection: Selection) -> list[int]:  # noqa: ARG002
        return [int(place) for place in np.flatnonzero(sums)]
