"""The highest scores."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import pandas as pd

from flowlens.explore.crossfilter import Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Choose, Panel, View
from flowlens.plot.artists import BarsData, WideBars
from flowlens.plot.panels import Picture

__all__ = ["RankingPanel"]


class RankingPanel(Panel[BarsData]):
    """The findings with the highest scores among what is selected, as bars."""

    artists = WideBars
    own = frozenset[str]()

    def __init__(
        self, cross: Crossfilter, choose: Choose, found: pd.DataFrame, *, label: Callable[[pd.Series], str],
        looks: Looks,
    ) -> None:  # fmt: skip
        super().__init__(cross, choose)
        self._found, self._label = found, label
        self._picture = Picture(WideBars)
        self.image = looks.image()
        self.twin = looks.twin()
        self.widget = looks.below([self.image, self.twin], "66%")

    def renew(self, cross: Crossfilter, found: pd.DataFrame) -> None:
        """Show other findings from now on."""
        self.cross, self._found = cross, found
        self.forget()

    def look(self, view: View) -> tuple[BarsData, None]:
        """Return what to draw."""
        top = self._found[view.filter.mask(self._found)].head(WideBars.most)
        data = BarsData(
            names=[self._label(row) for _, row in top.iterrows()],
            amounts=top["score"].to_numpy(float),
            chosen=[False] * len(top),
            ghosts=None,
            title="The highest scores",
            amount=lambda score: f"{score:.2f}",
        )
        return data, None

    def show(self, data: BarsData, more: None, view: View) -> None:  # noqa: ARG002
        """Bring the widgets up to date."""
        self.image.value = self._picture.png(data)
        first = f"first {data.names[0]} with {data.amounts[0]:.2f}" if len(data.names) else "nothing here"
        self.twin.value = escape(f"The highest scores: {first}.")
