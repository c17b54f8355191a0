"""The largest of some kind as level bars."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from flowlens.plot.colours import BLUE, GHOST
from flowlens.plot.contents import BarsData
from flowlens.plot.words import shortened, written

__all__ = ["Bars", "WideBars"]


class Bars:
    """Horizontal bars with their names on the left and their amounts behind them."""

    _most_letters = 24

    size: ClassVar = (4.4, 2.3)
    margins: ClassVar = (0.4, 0.86, 0.9, 0.02)

    def __init__(self, ax: Axes) -> None:
        self._ax, places = ax, BarsData.most
        at = range(places)
        # Two artists for all bars, and no axes to lay out.
        self._bars, self._ghosts = PolyCollection([]), PolyCollection([], facecolors="none", edgecolors=GHOST)
        for bars in (self._bars, self._ghosts):
            ax.add_collection(bars, autolim=False)
        self._names = [written(ax, -0.02, place, ha="right") for place in at]
        self._amounts = [written(ax, 0, place, ha="left") for place in at]
        self._said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center")
        ax.set(ylim=(places - 0.4, -0.6), xlim=(0, 1))
        ax.xaxis.set_visible(False)
        ax.yaxis.set_visible(False)
        ax.spines[["bottom", "left"]].set_visible(False)

    def update(self, data: BarsData) -> None:
        """Show other values."""
        most = max(data.amounts.max(initial=0.0), 0.0 if data.ghosts is None else data.ghosts.max(initial=0.0)) or 1.0
        parts = data.amounts / most
        ghosts = np.zeros(len(parts)) if data.ghosts is None else data.ghosts / most
        chosen = [not any(data.chosen) or one for one in data.chosen]
        self._bars.set(verts=_level_bars(parts, 0.72), facecolors=[(BLUE, 1.0 if one else 0.35) for one in chosen])
        self._ghosts.set(verts=_level_bars(ghosts, 0.86)[ghosts > 0])
        for place, (name, amount) in enumerate(zip(self._names, self._amounts, strict=True)):
            there = place < len(data.names)
            name.set_text(shortened(data.names[place], self._most_letters) if there else "")
            name.set_fontweight("bold" if there and data.chosen[place] else "normal")
            amount.set_text(data.amount(data.amounts[place]) if there else "")
            amount.set_x(max(parts[place], ghosts[place]) + 0.015 if there else 0)
        left, right, *_ = self.margins
        self._ax.set_title(data.title, x=(0.02 - left) / (right - left))
        self._said.set_text("" if len(data.names) else "nothing here")


def _level_bars(parts: np.ndarray, height: float) -> np.ndarray:
    """Return the corners of level bars, one below the other."""
    at, zero = np.arange(len(parts)), np.zeros(len(parts))
    upper, lower = at - height / 2, at + height / 2
    return np.stack([[zero, lower], [parts, lower], [parts, upper], [zero, upper]]).transpose(2, 0, 1)


class WideBars(Bars):
    """The same with room for long names."""

    _most_letters = 70
    size: ClassVar = (8.8, 2.3)
    margins: ClassVar = (0.5, 0.93, 0.9, 0.02)
