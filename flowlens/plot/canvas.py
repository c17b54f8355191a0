"""What all pictures share: axes, colours, time.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/): any colour vision tells them apart, and they are never
the only sign.
"""

from __future__ import annotations

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

__all__ = ["BLUE", "OTHERS", "ROLES", "axes", "in_utc", "say_nothing_here"]

BLUE, _ORANGE = "#0072B2", "#D55E00"
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")

#: Colour and hatch of what was accepted and of what was refused.
ROLES = {"ACCEPT": (BLUE, ""), "REJECT": (_ORANGE, "///")}


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes to draw on: those of the user, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    new.spines[["top", "right"]].set_visible(False)
    return new


def in_utc(ax: Axes) -> None:
    """Write times on the axis below in UTC, whatever the machine says."""
    locator = mdates.AutoDateLocator(tz="UTC")
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC"))


def say_nothing_here(ax: Axes, why: str = "no traffic in these records") -> None:
    """Say in the middle why nothing is drawn."""
    ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color="grey")
