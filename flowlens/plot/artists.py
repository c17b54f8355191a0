"""What the panels of the explorers draw: artists that are made once and then get other values.

A panel that is made anew takes twice as long as one whose artists get new values.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from flowlens.plot.colours import BLUE, GHOST, INK, ORANGE
from flowlens.plot.contents import CellsData, DotsData, LanesData, StackData
from flowlens.plot.scales import below, beside
from flowlens.plot.words import shortened, written

__all__ = ["Artists", "Cells", "Dots", "Lanes", "Stack"]

Data_contra = TypeVar("Data_contra", contravariant=True)


class Artists(Protocol[Data_contra]):
    """Artists on one pair of axes."""

    #: Width and height in inches, and left, right, top and bottom of the axes in it.
    size: ClassVar[tuple[float, float]]
    margins: ClassVar[tuple[float, float, float, float]]

    def __init__(self, ax: Axes) -> None:
        """Take the axes to draw on."""

    def update(self, data: Data_contra) -> None:
        """Show other values."""


class Stack:
    """Stacked steps over time."""

    size: ClassVar = (13.2, 2.0)
    margins: ClassVar = (0.06, 0.965, 0.88, 0.14)

    def __init__(self, ax: Axes) -> None:
        self._ax = ax
        self._steps: dict[str, object] = {}
        self._explained: list[str] = []
        self._ghost = ax.stairs([0.0], [0.0, 1.0], color=GHOST, linewidth=1.2, zorder=3)
        self._outside = [ax.axvspan(0, 0, color=INK, alpha=0.18, linewidth=0, zorder=2) for _ in range(2)]
        self._below, self._beside = below(ax), beside(ax)
        self._said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center")

    def update(self, data: StackData) -> None:
        """Show other values."""
        ax, floor = self._ax, np.zeros(len(data.edges) - 1)
        for name in self._steps.keys() - data.series.keys():
            self._steps.pop(name).remove()  # type: ignore[attr-defined]
        for name, amounts in data.series.items():
            if name not in self._steps:
                colour, hatch = data.look_of(name)
                self._steps[name] = ax.stairs(
                    [0.0], [0.0, 1.0], baseline=0.0, fill=True, facecolor=colour, hatch=hatch, edgecolor="white",
                    linewidth=0, label=name, zorder=1,
                )  # fmt: skip
            self._steps[name].set_data(floor + amounts, data.edges, floor)  # type: ignore[attr-defined]
            floor = floor + amounts
        ghost = np.zeros(len(floor)) if data.ghost is None else data.ghost
        self._ghost.set_data(ghost, data.edges, 0)
        self._ghost.set_visible(data.ghost is not None)
        first, last = data.edges[0], data.edges[-1]
        chosen = (first, last) if data.chosen is None else tuple(data.edges[list(data.chosen)])
        for span, (begin, end) in zip(self._outside, ((first, chosen[0]), (chosen[1], last)), strict=True):
            span.set_x(begin)
            span.set_width(end - begin)
        top = max(floor.max(initial=0.0), ghost.max(initial=0.0))
        ax.set_xlim(first, last)
        ax.set_ylim(0, top * 1.05 or 1)
        self._below.write(data.ticks)
        self._beside.write([(0, "0"), (top, data.amount(top))] if top else [])
        ax.set_title(data.title)
        self._said.set_text("" if top else "nothing here")
        self._explain(list(data.series) if len(data.names) > 1 else [])

    def _explain(self, names: list[str]) -> None:
        """Say which look is whose, anew only where that changes."""
        if names == self._explained:
            return
        self._explained = names
        shown = [self._steps[name] for name in names]
        legend = self._ax.legend(
            handles=shown, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=max(len(shown), 1), frameon=False,
            fontsize=8, borderpad=0,
        )  # fmt: skip
        legend.set_visible(bool(shown))


class Cells:
    """A heat map with the amounts in its cells, on a logarithmic scale."""

    size: ClassVar = (8.8, 3.4)
    margins: ClassVar = (0.2, 0.99, 0.93, 0.2)

    def __init__(self, ax: Axes) -> None:
        self._ax, places = ax, CellsData.most
        empty = np.ma.masked_all((places, places))
        self._colours = ax.imshow(empty, cmap="cividis_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        self._texts = [
            [written(ax, column, row, ha="center", fontsize=8) for column in range(places)] for row in range(places)
        ]
        self._frames = [Rectangle((0, 0), 1, 1, fill=False, edgecolor=ORANGE, linewidth=2.5) for _ in range(places)]
        for frame in self._frames:
            ax.add_patch(frame)
        self._said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center")
        ax.tick_params(length=0)
        ax.spines[["bottom", "left"]].set_visible(False)

    def update(self, data: CellsData) -> None:
        """Show other values."""
        ax, (rows, columns) = self._ax, data.amounts.shape
        amounts = np.zeros((CellsData.most, CellsData.most))
        amounts[:rows, :columns] = data.amounts
        shade = np.log1p(amounts)
        shade /= shade.max() or 1.0
        self._colours.set_data(np.ma.masked_where(amounts == 0, shade))
        for (row, column), amount in np.ndenumerate(amounts):
            text = self._texts[row][column]
            text.set_text(data.amount(amount) if amount else "")
            text.set_color("white" if shade[row, column] > 0.55 else "black")  # more is darker
        for place, frame in enumerate(self._frames):
            there = place < len(data.chosen)
            frame.set_visible(there)
            if there:
                row, column = data.chosen[place]
                frame.set_xy((column - 0.5, row - 0.5))
        ax.set(xlim=(-0.5, max(columns, 1) - 0.5), ylim=(max(rows, 1) - 0.5, -0.5))
        ax.set_xticks(range(columns), [shortened(name, 18) for name in data.columns], rotation=25, ha="right")
        ax.set_yticks(range(rows), [shortened(name, 20) for name in data.rows])
        left, right, *_ = self.margins
        ax.set_title(data.title, x=(0.01 - left) / (right - left))
        self._said.set_text("" if amounts.any() else "nothing here")


class Lanes:
    """One lane a name: filled where there are records, marked where some were lost, empty where there is nothing."""

    size: ClassVar = (13.2, 3.4)
    margins: ClassVar = (0.17, 0.965, 0.92, 0.09)

    def __init__(self, ax: Axes) -> None:
        self._ax, places = ax, LanesData.most
        colours = LinearSegmentedColormap.from_list("presence", ["#9ecae1", BLUE])
        self._image = ax.imshow(
            np.ma.masked_all((places, 1)), cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest",
            extent=(0, 1, places - 0.5, -0.5),
        )  # fmt: skip
        self._below = below(ax)
        (self._marks,) = ax.plot([], [], "x", color=ORANGE, markersize=5, label="SKIPDATA: records were lost")
        self._said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False, fontsize=8, borderpad=0)
        ax.tick_params(axis="y", length=0)

    def update(self, data: LanesData) -> None:
        """Show other values."""
        ax, lanes = self._ax, len(data.names)
        shade = np.log1p(data.present)
        shade /= shade.max(initial=0.0) or 1.0
        shown = np.ma.masked_where(data.present == 0, shade) if lanes else np.ma.masked_all((1, 1))
        self._image.set_data(shown)
        self._image.set_extent((data.edges[0], data.edges[-1], max(lanes, 1) - 0.5, -0.5))
        row, column = np.nonzero(data.lost)
        middles = (data.edges[:-1] + data.edges[1:]) / 2
        self._marks.set_data(middles[column], row)
        ax.set_xlim(data.edges[0], data.edges[-1])
        ax.set_ylim(max(lanes, 1) - 0.5, -0.5)
        ax.set_yticks(range(lanes), [shortened(name) for name in data.names])
        for label, chosen in zip(ax.get_yticklabels(), data.chosen, strict=False):
            label.set_fontweight("bold" if chosen else "normal")
        self._below.write(data.ticks)
        left, right, *_ = self.margins
        ax.set_title(data.title, x=(0.01 - left) / (right - left))
        self._said.set_text("" if lanes else "nothing here")


class Dots:
    """A dot for each event."""

    size: ClassVar = (13.2, 2.4)
    margins: ClassVar = (0.14, 0.965, 0.88, 0.14)

    def __init__(self, ax: Axes) -> None:
        self._ax = ax
        self._below = below(ax)
        (self._dots,) = ax.plot([], [], "o", color=BLUE, markersize=4, alpha=0.7)
        self._said = ax.text(0.5, 0.5, "", transform=ax.transAxes, ha="center", va="center")

    def update(self, data: DotsData) -> None:
        """Show other values."""
        ax = self._ax
        self._dots.set_data(data.times, data.heights)
        low, high = (data.heights.min(), data.heights.max()) if len(data.heights) else (0.0, 1.0)
        room = (high - low) * 0.08 or 1.0
        ax.set_xlim(*data.span)
        ax.set_ylim(low - room, high + room)
        self._below.write(data.ticks)
        if data.levels:
            ax.set_yticks([place for place, _ in data.levels], [shortened(text) for _, text in data.levels])
        else:
            ax.yaxis.set_major_locator(MaxNLocator(4))
            ax.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        ax.set_title(data.title)
        self._said.set_text("" if len(data.times) else "nothing here")
