"""What all pictures share: axes, amounts and time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowlens.amounts import in_si
from flowlens.timespan import Zone

__all__ = [
    "NO_NAME", "amounts_of", "axes", "few_ticks", "in_zone", "is_together", "others_together", "say_nothing_here",
    "short", "write_in_cells",
]  # fmt: skip

#: What stands for a value that a record does not have, and for the values behind the largest.
NO_NAME, _OTHERS_OF = "(none)", " others"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw on: those of the user, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    # Explorers draw without it, and it takes a while to load.
    import matplotlib.pyplot as plt

    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    new.spines[["top", "right"]].set_visible(False)
    return new


def in_zone(ax: Axes, zone: Zone) -> None:
    """Write times on the axis below in a zone, whatever the settings say."""
    locator = mdates.AutoDateLocator(tz=zone.info)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone.info))


def say_nothing_here(ax: Axes, why: str = "no traffic in these records") -> None:
    """Say in the middle why nothing is drawn."""
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color="grey")


def amounts_of(measure: str) -> FuncFormatter:
    """Write amounts on an axis with SI prefixes: 12 k flows, 1.5 GB."""
    return FuncFormatter(lambda value, _position=None: in_si(value, _unit(measure), digits=6))


def short(measure: str) -> Callable[[float], str]:
    """Return what writes amounts with three digits at most."""
    return partial(in_si, unit=_unit(measure))


def few_ticks() -> MaxNLocator:
    """Return a locator for a few amounts: there is no half of a flow, packet or byte."""
    return MaxNLocator(6, integer=True)


def _unit(measure: str) -> str:
    return "B" if measure == "bytes" else ""


def others_together(names: pd.Series, amounts: pd.Series, n: int) -> pd.Series:
    """Return names for the values of a column, with one for all behind the `n` that have the largest amounts.

    One alone is as well shown by its name. Equal amounts rank by name. What is returned is a category, as there may be
    millions of rows of a few names.
    """
    codes, values = pd.factorize(names)
    labels = [*values, NO_NAME]
    codes = np.where(codes < 0, len(values), codes)
    sums = np.bincount(codes, weights=amounts.to_numpy(float), minlength=len(labels))
    there = np.bincount(codes, minlength=len(labels)) > 0
    by_name = [*np.argsort(values), len(values)]
    order = [place for place in sorted(by_name, key=lambda place: -sums[place]) if there[place]]
    shown = order if len(order) <= n + 1 else order[:n]
    # Each value has the place of its name among those that are shown, or the one behind them.
    place_of = np.full(len(labels), len(shown))
    place_of[shown] = np.arange(len(shown))
    categories = [*(labels[place] for place in shown), *([f"{len(order) - n:,}{_OTHERS_OF}"] * (len(order) > n + 1))]
    named = pd.Categorical.from_codes(place_of[codes], pd.Index(categories, dtype=object))
    return pd.Series(named, index=names.index)


def is_together(name: object) -> bool:
    """Tell whether a name is that of no value of its own: these come last."""
    return name == NO_NAME or str(name).endswith(_OTHERS_OF)


def write_in_cells(
    ax: Axes, amounts: np.ndarray, scale: LogNorm | None, written: Callable[[float], str], size: float
) -> None:
    """Write into each cell of a heat map what is in it; more is darker."""
    for (row, column), amount in np.ndenumerate(amounts):
        if amount > 0:
            colour = "white" if scale is not None and scale(amount) > 0.5 else "black"
            ax.text(column + 0.5, row + 0.5, written(amount), ha="center", va="center", fontsize=size, color=colour)
