"""The highest scores."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from flowlens.explore.crossfilter import Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Choose, Panel, View
from flowlens.plot.contents import WideBarsData

__all__ = ["RankingPanel"]


class RankingPanel(Panel[WideBarsData]):
    """The findings with the highest scores among what is selected, as bars."""

    own = frozenset[str]()

    def __init__(
        self, cross: Crossfilter, choose: Choose, found: pd.DataFrame, *, label: Callable[[pd.Series], str],
        looks: Looks,
    ) -> None:  # fmt: skip
        super().__init__(cross, choose)
        self._found, self._label = found, label
        self.shown = looks.shown()
        self.twin = looks.twin()
        self.widget = looks.below([self.shown.widget, self.twin], "66%")

    def renew(self, cross: Crossfilter, found: pd.DataFrame) -> None:
        """Show other findings from now on."""
        self.cross, self._found = cross, found
        self.forget()

    def look(self, view: View) -> tuple[WideBarsData, None]:
        """Return what to draw."""
        top = self._found[view.filter.mask(self._found)].head(WideBarsData.most)
        data = WideBarsData(
            names=[self._label(row) for _, row in top.iterrows()],
            amounts=top["score"].to_numpy(float),
            keys=range(len(top)),
            chosen=[False] * len(top),
            ghosts=None,
            title="The highest scores",
            amount=lambda score: f"{score:.2f}",
        )
        return data, None

    def said(self, data: WideBarsData, more: None, view: View) -> str:  # noqa: ARG002
        """Say in words what is drawn."""
        first = f"first {data.names[0]} with {data.amounts[0]:.2f}" if len(data.names) else "nothing here"
        return f"The highest scores: {first}."

    def _show_controls(self, data: WideBarsData, more: None, view: View) -> None:
        """There are none: what a finding is about is picked in the other panels."""
