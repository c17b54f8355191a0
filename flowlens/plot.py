"""Pictures of what the reductions return.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/): any colour vision tells them apart, and they are never
the only sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowlens.reduce.summary import need_measure
from flowlens.reductions import Measure
from flowlens.service import protocol_name
from flowlens.timespan import width_in_seconds

if TYPE_CHECKING:
    from flowlens.analyses import Analyses

__all__ = ["FlowPlot"]

_BLUE, _ORANGE = "#0072B2", "#D55E00"
_OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
_ROLES = {"ACCEPT": (_BLUE, ""), "REJECT": (_ORANGE, "///")}


class FlowPlot:
    """Pictures of a frame of flow log records. Each method returns the matplotlib `Axes` it drew on."""

    def __init__(self, flow: Analyses) -> None:
        self._flow = flow

    def __call__(self) -> Axes:
        """Draw the time line."""
        return self.timeline()

    def timeline(
        self, *, freq: str = "5min", by: str | None = "action", values: Measure = "flows", ax: Axes | None = None
    ) -> Axes:
        """Draw traffic over time, stacked.

        Parameters
        ----------
        freq : str
            Width of the bins: ``"5min"``, ``"1h"``.
        by : str, optional
            Column that splits each bin.
        values : {"flows", "packets", "bytes"}
            What to draw.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.timeline(freq="1h").get_title()
        'Flows per 1h, UTC'
        """
        need_measure("plot.timeline", "values", values)
        table = self._flow.timeline(freq, by=by)
        ax = _axes(ax, 9, 2.6)
        if len(table):
            _draw_bins(ax, table, by, values, pd.Timedelta(width_in_seconds(freq), unit="s"))
        else:
            _say_nothing_here(ax)
        locator = mdates.AutoDateLocator(tz="UTC")
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC"))
        ax.yaxis.set_major_formatter(_amounts(values))
        ax.set(title=f"{values.capitalize()} per {freq}, UTC", ylabel=values)
        return ax

    def top_talkers(self, n: int = 10, *, by: Measure = "bytes", key: str = "srcaddr", ax: Axes | None = None) -> Axes:
        """Draw the largest senders as bars.

        Parameters
        ----------
        n : int
            How many.
        by : {"bytes", "packets", "flows"}
            What to rank by.
        key : str
            The column to rank.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.top_talkers(5).get_title()
        'Top srcaddr by bytes'
        """
        table = self._flow.top_talkers(n, by=by, key=key)
        # There is no share of a total of 0, as of the bytes of Block Public Access records.
        shares = ["" if pd.isna(share) else f"{share:.0%}" if share >= 0.005 else "<1%" for share in table["share"]]
        ax = _bars(ax, [str(value) for value in table[key]], table[by], shares)
        return _titled(ax, f"Top {key} by {by}", by)

    def ports(self, n: int = 10, *, by: Measure = "flows", ax: Axes | None = None) -> Axes:
        """Draw the busiest service ports as bars.

        Parameters
        ----------
        n : int
            How many.
        by : {"flows", "packets", "bytes"}
            What to rank by.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.ports(5).get_title()
        'Service ports by flows'
        """
        table = self._flow.ports(n, by=by)
        labels = [
            f"{port} {protocol_name(protocol)}" if port else protocol_name(protocol)
            for port, protocol in zip(table["port"], table["protocol"], strict=True)
        ]
        return _titled(_bars(ax, labels, table[by], [""] * len(table)), f"Service ports by {by}", by)


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    if ax is not None:
        return ax
    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    new.spines[["top", "right"]].set_visible(False)
    return new


def _draw_bins(ax: Axes, table: pd.DataFrame, by: str | None, values: str, width: pd.Timedelta) -> None:
    split = table.set_index(["start", by])[values].unstack() if by else table.set_index("start")[[values]]
    bins = pd.date_range(split.index.min(), split.index.max(), freq=width, unit="s")
    split = split.reindex(bins).fillna(0)
    others = iter(_OTHERS * (len(split.columns) // len(_OTHERS) + 1))
    floor = pd.Series(0.0, index=split.index)
    for name in split.columns:
        colour, hatch = _ROLES.get(str(name), (next(others), "")) if by else (_BLUE, "")
        ax.bar(
            mdates.date2num(split.index), split[name], bottom=floor, width=width / pd.Timedelta("1D"), align="edge",
            color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=str(name),
        )  # fmt: skip
        floor = floor + split[name]
    if by:
        ax.legend(title=by, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _bars(ax: Axes | None, labels: list[str], values: pd.Series, notes: list[str]) -> Axes:
    ax = _axes(ax, 7, 0.6 + 0.28 * max(len(labels), 3))
    places = range(len(labels))
    drawn = ax.barh(places, values, color=_BLUE)
    ax.bar_label(drawn, labels=notes, padding=3)
    ax.margins(x=0.1)
    ax.set_yticks(places, labels)
    ax.invert_yaxis()
    if not labels:
        _say_nothing_here(ax)
    return ax


def _say_nothing_here(ax: Axes) -> None:
    ax.text(0.5, 0.5, "no traffic in these records", transform=ax.transAxes, ha="center", va="center", color="grey")


def _titled(ax: Axes, title: str, measure: str) -> Axes:
    ax.xaxis.set_major_formatter(_amounts(measure))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set(title=title, xlabel=measure)
    return ax


def _amounts(measure: str) -> FuncFormatter:
    """Write amounts with SI prefixes: 12k flows, 1.5 GB."""
    unit = "B" if measure == "bytes" else ""

    def text(value: float, _position: int | None = None) -> str:
        for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
            if abs(value) >= size:
                return f"{value / size:g} {prefix}{unit}".strip()
        return f"{value:g} {unit}".strip()

    return FuncFormatter(text)
