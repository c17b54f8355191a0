"""Panels of the explorers as pictures: each by itself for the widget, all together for those who have none.

Panels have no background, so that they fit into light and dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Generic, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from flowlens.plot.artists import Artists, Cells, Dots, Lanes, Stack
from flowlens.plot.bars import Bars, WideBars
from flowlens.plot.colours import INK
from flowlens.plot.contents import BarsData, CellsData, DotsData, LanesData, StackData, WideBarsData

__all__ = ["Figure", "Picture", "figure_of", "picture_of"]

_STYLE: dict[Any, Any] = {
    "font.size": 9.0, "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
    "ytick.color": INK, "hatch.linewidth": 0.6, "hatch.color": "#ffffff", "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 9.0, "axes.titlelocation": "left",
}  # fmt: skip

#: What has the colour of words.
_INKED: tuple[Any, ...] = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")

_DPI = 100
#: Of a figure of all panels, and of the line above them, in inches.
_WIDTH, _HEAD = 13.4, 0.4

Data = TypeVar("Data")

#: What draws what.
_ARTISTS: dict[type[Any], type[Artists[Any]]] = {
    StackData: Stack, BarsData: Bars, WideBarsData: WideBars, CellsData: Cells, LanesData: Lanes, DotsData: Dots,
}  # fmt: skip


class Picture(Generic[Data]):
    """One panel as a PNG of its own."""

    def __init__(self, kind: type[Data]) -> None:
        panel = _ARTISTS[kind]
        with mpl.rc_context(_STYLE):
            self._figure = Figure(figsize=panel.size, dpi=_DPI, facecolor="none")
            self._canvas = FigureCanvasAgg(self._figure)
            left, right, top, bottom = panel.margins
            self._figure.subplots_adjust(left=left, right=right, top=top, bottom=bottom)
            self._panel: Artists[Data] = panel(self._figure.add_subplot(facecolor="none"))

    def draw(self, data: Data) -> None:
        """Draw these values."""
        with mpl.rc_context(_STYLE):
            self._panel.update(data)
            self._canvas.draw()

    def png(self, data: Data) -> bytes:
        """Draw these values, and return the picture."""
        self.draw(data)
        encoded = BytesIO()
        # Twice as fast as through the figure, which would look for metadata and compress harder.
        self.drawn().save(encoded, "png", compress_level=1)
        return encoded.getvalue()

    def drawn(self) -> Image.Image:
        """Return what was drawn last."""
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba()))


def figure_of(contents: Sequence[object], title: str) -> Figure:
    """Return one figure of several panels: wide ones by themselves, others beside each other."""
    import matplotlib.pyplot as plt

    panels = [(_ARTISTS[type(data)], data) for data in contents]
    rows = _in_rows([panel.size for panel, _ in panels])
    heights = [max(panels[place][0].size[1] for place in row) for row in rows]
    width, height = _WIDTH, sum(heights) + _HEAD
    figure = plt.figure(figsize=(width, height))
    top = height - _HEAD
    with mpl.rc_context({**_STYLE, **dict.fromkeys(_INKED, "#333333")}):
        for row, tall in zip(rows, heights, strict=True):
            left, stretch = 0.0, width / sum(panels[place][0].size[0] for place in row)
            for place in row:
                panel, data = panels[place]
                wide = panel.size[0] * stretch
                _placed(figure, panel, (left / width, (top - tall) / height, wide / width, tall / height)).update(data)
                left += wide
            top -= tall
        figure.text(0.02, 1 - _HEAD / 2 / height, title, va="center")
    return figure


def _in_rows(sizes: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Return the places of panels in rows that are not wider than a figure."""
    rows: list[list[int]] = []
    room = 0.0
    for place, (width, _) in enumerate(sizes):
        if not rows or width > room:
            rows.append([])
            room = _WIDTH
        rows[-1].append(place)
        room -= width
    return rows


def _placed(figure: Figure, panel: type[Artists[Any]], within: tuple[float, float, float, float]) -> Artists[Any]:
    """Return a panel in a part of a figure, which is given by its left lower corner, its width and its height."""
    left, right, top, bottom = panel.margins
    x, y, width, height = within
    return panel(
        figure.add_axes((x + left * width, y + bottom * height, (right - left) * width, (top - bottom) * height))
    )


def picture_of(images: Sequence[Image.Image]) -> bytes:
    """Return one PNG of several panels, laid out as a figure of them."""
    rows = [
        [images[place] for place in row] for row in _in_rows([(one.width / _DPI, one.height / _DPI) for one in images])
    ]
    heights = [max(one.height for one in row) for row in rows]
    whole = Image.new("RGBA", (max(sum(one.width for one in row) for row in rows), sum(heights)))
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for one in row:
            whole.paste(one, (left, top))
            left += one.width
        top += height
    encoded = BytesIO()
    # 64 colours are as many as the panels have, and half of the bytes in the notebook.
    whole.quantize(64, method=Image.Quantize.FASTOCTREE).save(encoded, "png")
    return encoded.getvalue()
