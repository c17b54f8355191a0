"""Pictures of what the reductions and judgements return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from flowlens.detect import Beat
from flowlens.diagnose import Course
from flowlens.plot.conversation import draw_conversation
from flowlens.plot.coverage import draw_coverage
from flowlens.plot.heatmap import draw_heatmap, slots_of
from flowlens.plot.hostile import draw_beacon, draw_findings
from flowlens.plot.rankings import draw_bars, draw_matrix
from flowlens.plot.timeline import draw_timeline, width_of_bins
from flowlens.reduce.summary import need_measure, number_of_rows
from flowlens.reductions import Measure
from flowlens.service import protocol_name
from flowlens.timespan import Zone

if TYPE_CHECKING:
    from flowlens.analyses import Analyses

__all__ = ["FlowPlot"]

Row = pd.Series | Mapping[str, Any]


class FlowPlot:
    """Pictures of a frame of flow log records. Each method returns the matplotlib `Axes` it drew on."""

    def __init__(self, flow: Analyses, course: Callable[[Row], Course], beat: Callable[[Row], Beat]) -> None:
        """Take the records, and what finds those that a row of a diagnosis or of `beacons` is about."""
        self._flow, self._course, self._beat = flow, course, beat

    def __call__(self) -> Axes:
        """Draw the time line."""
        return self.timeline()

    def timeline(
        self,
        *,
        freq: str | None = None,
        by: str | None = "action",
        values: Measure = "flows",
        tz: str = "UTC",
        ax: Axes | None = None,
    ) -> Axes:
        """Draw traffic over time, stacked.

        Parameters
        ----------
        freq : str, optional
            Width of the bins: ``"5min"``, ``"1h"``. By default five minutes, or of a long log as much more as it takes
            to tell bins apart; for that a scan reads its files once more.
        by : str, optional
            Column that splits each bin. The seven largest of its values have names, the others are summed up.
        values : {"flows", "packets", "bytes"}
            What to draw.
        tz : str
            Time zone of the axis: an IANA name like ``"Europe/Berlin"``, or ``"local"`` for that of this machine. Bins
            remain those of `timeline`, which begin where they do in UTC.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If `freq` is no fixed width, or so fine that there would be more than 6,000 bars; the message names one that
            fits. If there is no such time zone.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.timeline(freq="1h").get_title()
        'Flows per 1h, UTC'
        """
        need_measure("plot.timeline", "values", values)
        zone = Zone.of(tz)
        freq = width_of_bins(freq, lambda: self._flow.timeline("1h", by=None)["start"])
        return draw_timeline(ax, self._flow.timeline(freq, by=by), freq=freq, by=by, measure=values, zone=zone)

    def heatmap(self, *, values: Measure = "flows", tz: str = "UTC", ax: Axes | None = None) -> Axes:
        """Draw when there is traffic: one row a day, one column an hour of the day.

        It shows what a normal week looks like, and what is not normal: of everything, or of a host or port with
        ``df.flow.host(...).flow.plot.heatmap()``. Colours are on a logarithmic scale. An hour without traffic is blank,
        one before the first or after the last record is hatched, as is one that clocks skip in spring. One that they go
        through twice in autumn is the sum of both.

        Parameters
        ----------
        values : {"flows", "packets", "bytes"}
            What to draw. Records belong to the hour of their `start`.
        tz : str
            Time zone of days and hours: an IANA name like ``"Europe/Berlin"``, or ``"local"`` for that of this machine.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If there is no such measure or time zone.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> ax = df.flow.plot.heatmap(tz="Europe/Berlin")
        >>> [label.get_text() for label in ax.get_yticklabels()]  # a day of UTC lies on two days of Berlin
        ['Tue 2026-03-10', 'Wed 2026-03-11']
        """
        need_measure("plot.heatmap", "values", values)
        zone, window = Zone.of(tz), self._flow.window
        slots = slots_of(window, zone)
        table = self._flow.timeline(slots, by=None)
        return draw_heatmap(ax, table, window, slots=slots, measure=values, zone=zone)

    def coverage(self, *, n: int = 30, tz: str = "UTC", ax: Axes | None = None) -> Axes:
        """Draw what the log covers: from when to when each interface has records, and where there are gaps.

        What is missing from a log with gaps proves nothing. Beside each lane stand its records, those of them that say
        NODATA (nothing happened) and SKIPDATA (records were lost), its gaps with their total time, and its first and
        last time.

        Parameters
        ----------
        n : int
            How many interfaces: those with most records.
        tz : str
            Time zone: an IANA name like ``"Europe/Berlin"``, or ``"local"`` for that of this machine.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If `n` is no number of interfaces, or there is no such time zone.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.coverage(n=5).get_title(loc="left")
        'What the log covers, the 5 busiest of 14 interfaces, UTC'
        """
        zone, number = Zone.of(tz), number_of_rows(n)
        return draw_coverage(ax, self._flow.coverage(), self._flow.gaps(), number, zone)

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
        names = [str(value) for value in table[key]]
        return draw_bars(ax, names, table[by], shares, title=f"Top {key} by {by}", measure=by)

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
        return draw_bars(ax, labels, table[by], [""] * len(table), title=f"Service ports by {by}", measure=by)

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
        number = number_of_rows(n)
        table = self._flow.pairs(keys=(rows, cols), by=values)
        return draw_matrix(ax, table, rows, cols, measure=values, n=number)

    def conversation(self, row: pd.Series | Mapping[str, Any], *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
        """Draw a conversation of a diagnosis on a time line: both directions, at every interface that logged it.

        There is one lane for each place and direction, requests above replies. Each record is a bar from its `start` to
        its `end`, with its packets and, where they are logged, its TCP flags beside it. Of a long conversation the
        records nearest to the refusal are drawn, and the axis says how many more there are.

        Parameters
        ----------
        row : pandas.Series
            A row of `diagnose` or `diagnose_conversation`: ``found.loc[3]``. A row for several conversations between
            the same two hosts at one port is drawn as a whole.
        tz : str
            Time zone of the axis: an IANA name like ``"Europe/Berlin"``, or ``"local"`` for that of this machine.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If it is no such row, if it stands for conversations of several hosts or ports, or if these records have
            nothing of it; if there is no such time zone.
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
        return draw_conversation(self._course(row), Zone.of(tz), ax)

    def beacon(self, row: pd.Series | Mapping[str, Any], *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
        """Draw the rhythm of a beacon: each event by its time and by the silence before it.

        Parameters
        ----------
        row : pandas.Series
            A row of `beacons`, of either mode, or of `findings`: ``beacons.loc[0]``.
        tz : str
            Time zone of the axis: an IANA name like ``"Europe/Berlin"``, or ``"local"`` for that of this machine.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If it is no such row, these records have nothing of it, or there is no such time zone.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.plot.beacon(df.flow.beacons().loc[0]).get_title(loc="left")
        '10.20.11.32 to 203.0.113.250 at 443/tcp, score 0.91'
        """
        return draw_beacon(self._beat(row), Zone.of(tz), ax)

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
