"""Words that are made into pixels once look as those that matplotlib sets."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from flowlens.plot.words import Words


def drawn(make, text, **given):
    """Return how much ink is where: what is drawn at the middle of a small picture."""
    figure = Figure(figsize=(3, 1), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    make(axes, text, **given)
    encoded = BytesIO()
    figure.savefig(encoded)
    with Image.open(encoded) as image:
        return 255 - np.asarray(image.convert("L"), float)


def ours(axes, text, **given):
    axes.add_artist(Words(0.5, 0.5, text, transform=axes.transData, **given))


def theirs(axes, text, **given):
    axes.text(0.5, 0.5, text, va="center", parse_math=False, **given)


def middle(ink):
    rows, columns = np.indices(ink.shape)
    return np.array([(rows * ink).sum(), (columns * ink).sum()]) / ink.sum()


@pytest.mark.parametrize("text", ["7", "L7", "10.20.30.4", "eni-0a1b…9f", "Größe $x$", "多 hosts", "two\nlines"])
@pytest.mark.parametrize(
    "given", [{"ha": "left"}, {"ha": "right", "fontweight": "bold"}, {"ha": "center", "fontsize": 8}]
)
def test_they_stand_where_others_stand_and_look_alike(text, given, recwarn):
    mine, other = drawn(ours, text, **given), drawn(theirs, text, **given)
    assert mine.sum() == pytest.approx(other.sum(), rel=0.2)
    assert np.abs(middle(mine) - middle(other)).max() < 2.5
    halves = [ink[: round(middle(other)[0])].sum() / ink.sum() for ink in (mine, other)]
    assert halves[0] == pytest.approx(halves[1], abs=0.15)
    assert {str(warning.message).split(" ")[0] for warning in recwarn} <= {"Glyph"}


def test_a_seven_is_heavy_above():
    ink = drawn(ours, "77777", ha="center", fontsize=30)
    rows = np.flatnonzero(ink.sum(axis=1))
    upper, lower = np.array_split(ink[rows[0] : rows[-1] + 1].sum(axis=1), 2)
    assert upper.sum() > 1.3 * lower.sum()


def test_they_have_their_colour():
    figure = Figure(figsize=(1, 1), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    ours(axes, "M", ha="center", color="#D55E00", fontsize=40)
    encoded = BytesIO()
    figure.savefig(encoded)
    with Image.open(encoded) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == (0xD5, 0x5E, 0x00)).all(axis=2).any()


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_where_there_are_no_pixels_they_are_text(kind):
    figure = Figure(figsize=(1, 1))
    axes = figure.add_axes((0, 0, 1, 1))
    ours(axes, "10.0.0.1", ha="center")
    encoded = BytesIO()
    figure.savefig(encoded, format=kind)
    assert b"<image" not in encoded.getvalue()
    assert b"/Subtype /Image" not in encoded.getvalue()
