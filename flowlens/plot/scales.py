"""What is written below and beside a picture that is drawn again and again.

An axis of matplotlib lays its ticks out anew each time: that is half of what it takes to draw a time line.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.transforms import ScaledTranslation

from flowlens.plot.words import Words

__all__ = ["Scale", "below", "beside"]

#: How far words are from the axes, in inches: their middle below, their end beside.
_DOWN, _LEFT = 0.125, 0.07


class Scale:
    """Marks and words along one side of the axes."""

    def __init__(self, ax: Axes, *, level: bool) -> None:
        self._ax, self._level = ax, level
        (ax.xaxis if level else ax.yaxis).set_visible(False)
        along = ax.get_xaxis_transform() if level else ax.get_yaxis_transform()
        away = (0.0, -_DOWN) if level else (-_LEFT, 0.0)
        self._placed = along + ScaledTranslation(*away, ax.figure.dpi_scale_trans)
        (self._marks,) = ax.plot(
            [], [], linestyle="", marker=TICKDOWN if level else TICKLEFT, markersize=3.5, transform=along,
            color=mpl.rcParams["axes.edgecolor"], clip_on=False,
        )  # fmt: skip
        self._words: list[Words] = []

    def write(self, ticks: Sequence[tuple[float, str]]) -> None:
        """Write each at its place."""
        places, nought = [place for place, _ in ticks], [0.0] * len(ticks)
        self._marks.set_data(*((places, nought) if self._level else (nought, places)))
        for words in self._words[len(ticks) :]:
            words.set_text("")
        for number, (place, text) in enumerate(ticks):
            if number == len(self._words):
                self._words.append(Words(0, 0, transform=self._placed, ha="center" if self._level else "right"))
                self._ax.add_artist(self._words[-1])
            self._words[number].set_position((place, 0) if self._level else (0, place))
            self._words[number].set_text(text)


def below(ax: Axes) -> Scale:
    """Return room for words below the axes."""
    return Scale(ax, level=True)


def beside(ax: Axes) -> Scale:
    """Return room for words on the left of the axes."""
    return Scale(ax, level=False)
