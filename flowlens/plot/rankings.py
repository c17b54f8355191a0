"""The largest of something as bars, and who sends how much to whom as a heat map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from flowlens.plot.canvas import (
    amounts_of,
    axes,
    few_ticks,
    is_together,
    others_together,
    say_nothing_here,
    short,
    write_in_cells,
)
from flowlens.plot.colours import BLUE

__all__ = ["draw_bars", "draw_matrix"]

#: Beyond these the numbers in the cells of a matrix could not be read.
_MOST_CELLS_WITH_TEXT = 150


def draw_bars(
    ax: Axes | None, labels: list[str], values: pd.Series, notes: list[str], *, title: str, measure: str
) -> Axes:
    """Draw a bar for each label, the first one on top."""
    ax = axes(ax, 7, 0.6 + 0.28 * max(len(labels), 3))
    places = range(len(labels))
    drawn = ax.barh(places, values, color=BLUE)
    ax.bar_label(drawn, labels=notes, padding=3)
    ax.margins(x=0.1)
    ax.set_yticks(places, labels)
    ax.invert_yaxis()
    if not labels:
        say_nothing_here(ax)
    ax.xaxis.set_major_formatter(amounts_of(measure))
    ax.xaxis.set_major_locator(few_ticks())
    ax.set(title=title, xlabel=measure)
    return ax


def draw_matrix(ax: Axes | None, table: pd.DataFrame, rows: str, cols: str, *, measure: str, n: int) -> Axes:
    """Draw a table of `pairs`: the `n` largest rows and columns, and the others in one more."""
    crossed = _crossed(table, rows, cols, measure, n)
    ax = axes(ax, 2.5 + 0.75 * max(crossed.shape[1], 3), 1.2 + 0.36 * max(crossed.shape[0], 3))
    if crossed.empty:
        say_nothing_here(ax)
    else:
        _draw_cells(ax, crossed, measure)
    ax.set(title=f"{measure.capitalize()} from {rows} (rows) to {cols} (columns)", xlabel=cols, ylabel=rows)
    return ax


def _crossed(table: pd.DataFrame, rows: str, cols: str, measure: str, n: int) -> pd.DataFrame:
    """Cross the two columns of a long table, largest first, what is behind the first `n` in one more at the end.

    Rows and columns have one order, so that what is in both meets on the diagonal.
    """
    named = {column: others_together(table[column], table[measure], n) for column in (rows, cols)}
    amounts = table[measure].groupby([named[rows], named[cols]], observed=True).sum()
    crossed: pd.DataFrame = amounts.unstack(fill_value=0)
    crossed.index, crossed.columns = crossed.index.astype(object), crossed.columns.astype(object)
    size = crossed.sum(axis=1).add(crossed.sum(axis=0), fill_value=0).sort_values(ascending=False, kind="stable")
    order = sorted(size.index, key=is_together)
    return crossed.loc[[name for name in order if name in crossed.index], [name for name in order if name in crossed]]


def _draw_cells(ax: Axes, crossed: pd.DataFrame, measure: str) -> None:
    amounts = crossed.to_numpy(float)
    shown = np.ma.masked_equal(amounts, 0)  # no traffic is no colour
    scale = LogNorm(vmin=max(shown.min(), 1), vmax=max(shown.max(), 10)) if shown.count() else None
    cells = ax.pcolormesh(shown, norm=scale, cmap="cividis_r", edgecolors="white", linewidth=1)
    ax.figure.colorbar(cells, ax=ax, format=amounts_of(measure), label=measure)
    if amounts.size <= _MOST_CELLS_WITH_TEXT:
        write_in_cells(ax, amounts, scale, short(measure), 8)
    ax.set_xticks(np.arange(crossed.shape[1]) + 0.5, [str(name) for name in crossed.columns], rotation=30, ha="right")
    ax.set_yticks(np.arange(crossed.shape[0]) + 0.5, [str(name) for name in crossed.index])
    ax.tick_params(length=0)
    ax.invert_yaxis()
