"""Pictures of what the reductions and judgements return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from flowlens.detect import Beat
from flowlens.diagnose import Course
from flowlens.plot.canvas import BLUE, OTHERS, ROLES, axes, in_utc, say_nothing_here
from flowlens.plot.conversation import draw_conversation
from flowlens.plot.hostile import draw_beacon, draw_findings
from flowlens.reduce.summary import need_measure, number_of_rows
from flowlens.reductions import Measure
from flowlens.service import protocol_name
from flowlens.timespan import width_in_seconds

if TYPE_CHECKING:
    from flowlens.analyses import Analyses

__all__ = ["FlowPlot"]

Row = pd.Series | Mapping[str, Any]

_NO_NAME, _OTHERS_OF = "(none)", " others"

#: Beyond these the numbers in the cells of a matrix could not be read.
_MOST_CELLS_WITH_TEXT = 150


class FlowPlot:
    """Pictures of a frame of flow log records. Each method returns the matplotlib `Axes` it drew on."""

    def __init__(self, flow: Analyses, course: Callable[[Row], Course], beat: Callable[[Row], Beat]) -> None:
        """Take the records, and what finds those that a row of a diagnosis or of `beacons` is about."""
        self._flow, self._course, self._beat = flow, course, beat

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
        ax = axes(ax, 9, 2.6)
        if len(table):
            _draw_bins(ax, table, by, values, pd.Timedelta(width_in_seconds(freq), unit="s"))
        else:
            say_nothing_here(ax)
        in_utc(ax)
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

    def matrix(
        self,
        rows: str = "src_group",
        cols: str = "dst_group",
        *,
        values: Measure = "bytes",
        n: int = 20,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw who sends how much to whom as a heat map; the colours are on a logarithmic scale.

        Parameters
        ----------
        rows, cols : str
            The columns to cross.
        values : {"bytes", "packets", "flows"}
            What to draw.
        n : int
            How many rows and columns, the largest, which are the first; the others are summed up in one more.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample().flow.add_groups(fl.groups.subnets(fl.sample_topology()))
        >>> df.flow.plot.matrix().get_title()
        'Bytes from src_group (rows) to dst_group (columns)'
        """
        need_measure("plot.matrix", "values", values)
        number_of_rows(n)
        table = self._flow.pairs(keys=(rows, cols), by=values)
        crossed = _crossed(table, rows, cols, values, n)
        ax = axes(ax, 2.5 + 0.75 * max(crossed.shape[1], 3), 1.2 + 0.36 * max(crossed.shape[0], 3))
        if crossed.empty:
            say_nothing_here(ax)
        else:
            _draw_cells(ax, crossed, values)
        ax.set(title=f"{values.capitalize()} from {rows} (rows) to {cols} (columns)", xlabel=cols, ylabel=rows)
        return ax

    def conversation(self, row: pd.Series | Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
        """Draw a conversation of a diagnosis on a time line: both directions, at every interface that logged it.

        There is one lane for each place and direction, requests above replies. Each record is a bar from its `start` to
        its `end`, with its packets and, where they are logged, its TCP flags beside it. Of a long conversation the
        records nearest to the refusal are drawn, and the axis says how many more there are.

        Parameters
        ----------
        row : pandas.Series
            A row of `diagnose` or `diagnose_conversation`: ``found.loc[3]``. A row for several conversations between
            the same two hosts at one port is drawn as a whole.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If it is no such row, if it stands for conversations of several hosts or ports, or if these records have
            nothing of it.
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> found = df.flow.diagnose()
        >>> ax = df.flow.plot.conversation(found[found["verdict"] == "NACL_OUT"].iloc[0])
        >>> print(ax.get_title(loc="left"))
        203.0.113.64:54617 to 10.20.30.15:443 (TCP, https)
        Certain: the network ACL refused it, outbound (NACL_OUT)
        """
        return draw_conversation(self._course(row), ax)

    def beacon(self, row: pd.Series | Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
        """Draw the rhythm of a beacon: each event by its time and by the silence before it.

        Parameters
        ----------
        row : pandas.Series
            A row of `beacons`, of either mode, or of `findings`: ``beacons.loc[0]``.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If it is no such row, or these records have nothing of it.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.beacon(df.flow.beacons().loc[0]).get_title(loc="left")
        '10.20.11.32 to 203.0.113.250 at 443/tcp, score 0.91'
        """
        return draw_beacon(self._beat(row), ax)

    def findings(self, found: pd.DataFrame | None = None, *, n: int = 15, ax: Axes | None = None) -> Axes:
        """Draw the highest scores as bars.

        Parameters
        ----------
        found : pandas.DataFrame, optional
            What `findings` or a detector returned, or some of its rows; all findings of these records by default.
        n : int
            How many.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.findings(df.flow.findings(min_score=0.7)).get_title(loc="left")
        '6 of 6 findings'
        """
        return draw_findings(self._flow.findings() if found is None else found, number_of_rows(n), ax)


def _draw_bins(ax: Axes, table: pd.DataFrame, by: str | None, values: str, width: pd.Timedelta) -> None:
    split = table.set_index(["start", by])[values].unstack() if by else table.set_index("start")[[values]]
    bins = pd.date_range(split.index.min(), split.index.max(), freq=width, unit="s")
    split = split.reindex(bins).fillna(0)
    others = iter(OTHERS * (len(split.columns) // len(OTHERS) + 1))
    floor = pd.Series(0.0, index=split.index)
    for name in split.columns:
        colour, hatch = ROLES.get(str(name), (next(others), "")) if by else (BLUE, "")
        ax.bar(
            mdates.date2num(split.index), split[name], bottom=floor, width=width / pd.Timedelta("1D"), align="edge",
            color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=str(name),
        )  # fmt: skip
        floor = floor + split[name]
    if by:
        ax.legend(title=by, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _bars(ax: Axes | None, labels: list[str], values: pd.Series, notes: list[str]) -> Axes:
    ax = axes(ax, 7, 0.6 + 0.28 * max(len(labels), 3))
    places = range(len(labels))
    drawn = ax.barh(places, values, color=BLUE)
    ax.bar_label(drawn, labels=notes, padding=3)
    ax.margins(x=0.1)
    ax.set_yticks(places, labels)
    ax.invert_yaxis()
    if not labels:
        say_nothing_here(ax)
    return ax


def _crossed(table: pd.DataFrame, rows: str, cols: str, values: str, n: int) -> pd.DataFrame:
    """Cross the two columns of a long table, largest first, what is behind the first `n` in one more at the end.

    Rows and columns have one order, so that what is in both meets on the diagonal.
    """
    named = {column: table[column].astype(object).where(table[column].notna(), _NO_NAME) for column in (rows, cols)}
    for column, names in named.items():
        largest = table[values].groupby(names).sum().nlargest(n).index
        others = names.nunique() - len(largest)
        if others > 1:  # one alone is as well shown by its name
            named[column] = names.where(names.isin(largest), f"{others:,}{_OTHERS_OF}")
    crossed: pd.DataFrame = table[values].groupby([named[rows], named[cols]]).sum().unstack(fill_value=0)
    size = crossed.sum(axis=1).add(crossed.sum(axis=0), fill_value=0).sort_values(ascending=False, kind="stable")
    order = sorted(size.index, key=lambda name: name == _NO_NAME or str(name).endswith(_OTHERS_OF))
    return crossed.loc[[name for name in order if name in crossed.index], [name for name in order if name in crossed]]


def _draw_cells(ax: Axes, crossed: pd.DataFrame, measure: str) -> None:
    amounts = crossed.to_numpy(float)
    shown = np.ma.masked_equal(amounts, 0)  # no traffic is no colour
    scale = LogNorm(vmin=max(shown.min(), 1), vmax=max(shown.max(), 10)) if shown.count() else None
    cells = ax.pcolormesh(shown, norm=scale, cmap="cividis_r", edgecolors="white", linewidth=1)
    ax.figure.colorbar(cells, ax=ax, format=_amounts(measure))
    if amounts.size <= _MOST_CELLS_WITH_TEXT:
        for (row, column), amount in np.ndenumerate(amounts):
            if amount:
                colour = "white" if scale is not None and scale(amount) > 0.5 else "black"  # more is darker
                text = _short(amount, measure)
                ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(np.arange(crossed.shape[1]) + 0.5, [str(name) for name in crossed.columns], rotation=30, ha="right")
    ax.set_yticks(np.arange(crossed.shape[0]) + 0.5, [str(name) for name in crossed.index])
    ax.tick_params(length=0)
    ax.invert_yaxis()


def _titled(ax: Axes, title: str, measure: str) -> Axes:
    ax.xaxis.set_major_formatter(_amounts(measure))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set(title=title, xlabel=measure)
    return ax


def _amounts(measure: str) -> FuncFormatter:
    """Write amounts with SI prefixes: 12k flows, 1.5 GB."""
    return FuncFormatter(lambda value, _position=None: _amount(value, measure, "{:g}"))


def _short(value: float, measure: str) -> str:
    """Write an amount with three digits at most."""
    return _amount(value, measure, "{:.3g}")


def _amount(value: float, measure: str, digits: str) -> str:
    unit = "B" if measure == "bytes" else ""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{digits.format(value / size)} {prefix}{unit}".strip()
    return f"{digits.format(value)} {unit}".strip()
