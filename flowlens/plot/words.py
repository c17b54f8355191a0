"""Words in pictures that are drawn again and again."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import findfont
from matplotlib.text import Text
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Words", "shortened", "written"]

#: Other letters may need another font, and line ends another layout.
_PLAIN = re.compile(r"[ -~\xa0-\xff…]*")

_PARTS = {"left": 0.0, "center": 0.5, "right": 1.0}


class Words(Text):
    """One level line of text, which is made into pixels once.

    matplotlib 3.11 sets each letter in Python. With this, and bars as one artist, a picture of ten bars takes 14 ms
    instead of 30.
    """

    def __init__(self, x: float, y: float, text: str = "", **given: Any) -> None:  # noqa: ANN401
        # Names are the user's: a $ in them is no formula.
        super().__init__(x, y, text, va="center", parse_math=False, **given)

    def draw(self, renderer: RendererBase) -> None:
        """Draw it: where it cannot be made of pixels, as any other text."""
        text = self.get_text()
        if not text or not self.get_visible():
            return
        if not isinstance(renderer, RendererAgg) or not _PLAIN.fullmatch(text):
            super().draw(renderer)
            return
        properties = self.get_fontproperties()
        shape = _pixels(text, findfont(properties), renderer.points_to_pixels(properties.get_size_in_points()))
        height, width = shape.shape
        x, y = self.get_transform().transform(self.get_position())
        inked = np.empty((height, width, 4), np.uint8)
        inked[..., :3] = np.round(255 * np.array(to_rgb(self.get_color())))
        inked[..., 3] = shape
        renderer.draw_image(
            renderer.new_gc(), round(x - _PARTS[self.get_horizontalalignment()] * width), round(y - height / 2), inked
        )
        self.stale = False


def written(ax: Axes, x: float, y: float, **given: Any) -> Words:  # noqa: ANN401
    """Write something at a place of the axes."""
    words = Words(x, y, transform=ax.transData, **given)
    ax.add_artist(words)
    return words


def shortened(name: str, most: int = 27) -> str:
    """Leave out the middle: both ends of an address or id tell more."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


@lru_cache(maxsize=2048)
def _pixels(text: str, font: str, size: float) -> np.ndarray:
    """Return how much ink is where, from the lowest line up."""
    drawn = _font(font, size)
    ascent, descent = drawn.getmetrics()
    image = Image.new("L", (round(drawn.getlength(text)) + 1, ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=drawn)
    return np.asarray(image)[::-1]


@lru_cache(maxsize=16)
def _font(font: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font, size)
