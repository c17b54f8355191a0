"""What is written below and beside pictures that are drawn again and again stands where an axis would write it."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from flowlens.plot.contents import StackData
from flowlens.plot.panels import Picture, figure_of
from flowlens.plot.scales import below, beside

TICKS = {"below": [(0.0, "07:00"), (0.5, "08:00"), (1.0, "09:00")], "beside": [(0.0, "0"), (1.0, "1.5 GB")]}


def canvas():
    figure = Figure(figsize=(4, 3), dpi=100)
    ax = figure.add_axes((0.25, 0.25, 0.6, 0.6))
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return FigureCanvasAgg(figure), ax


def ink(draw):
    """Return how dark each pixel outside the axes is, once it is drawn."""
    with mpl.rc_context({"font.size": 9}):  # as in the explorers
        shown, ax = canvas()
        draw(ax)
        shown.draw()
    dark = 255 - np.asarray(shown.buffer_rgba())[..., :3].mean(axis=2)
    dark[: round(0.75 * 300) + 1, round(0.25 * 400) - 1 :] = 0
    return dark


def ours(side):
    return lambda ax: ({"below": below, "beside": beside}[side](ax).write(TICKS[side]), other(ax, side))


def theirs(side):
    def draw(ax):
        set_ticks = ax.set_xticks if side == "below" else ax.set_yticks
        set_ticks([place for place, _ in TICKS[side]], [text for _, text in TICKS[side]])
        other(ax, side)

    return draw


def other(ax, side):
    (ax.yaxis if side == "below" else ax.xaxis).set_visible(False)


@pytest.mark.parametrize("side", ["below", "beside"])
def test_words_and_marks_stand_where_those_of_an_axis_do(side):
    mine, axis = ink(ours(side)), ink(theirs(side))
    for along in (0, 1):
        places = [np.flatnonzero(dark.sum(axis=1 - along) > 200) for dark in (mine, axis)]
        assert abs(places[0].min() - places[1].min()) <= 3
        assert abs(places[0].max() - places[1].max()) <= 3
    assert mine.sum() == pytest.approx(axis.sum(), rel=0.25)


def stack(ticks, top=8.0):
    return StackData(
        edges=np.array([0.0, 1.0, 2.0]), series={"all": np.array([top, top / 2])}, names=["all"], ghost=None,
        chosen=None, title="flows per hour", ticks=ticks, amount=lambda value: f"{value:.0f} in all",
    )  # fmt: skip


def said(figure):
    return {text.get_text() for text in figure.axes[0].texts} - {""}


def test_what_was_written_before_is_gone():
    many, few = [(0.0, "07:00"), (1.0, "08:00"), (2.0, "09:00")], [(0.0, "noon")]
    picture = Picture(StackData)
    picture.draw(stack(many))
    assert said(picture._figure) == {"07:00", "08:00", "09:00", "0", "8 in all"}
    picture.draw(stack(few, top=3.0))
    assert said(picture._figure) == {"noon", "0", "3 in all"}
    again = Picture(StackData)
    again.draw(stack(few, top=3.0))
    assert (np.asarray(picture.drawn()) == np.asarray(again.drawn())).all()


def test_nothing_is_written_beside_nothing():
    assert said(figure_of([stack([], top=0.0)], "")) == {"nothing here"}
