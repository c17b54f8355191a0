"""The numbers behind alarms of CloudWatch. What computes them is up to the subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from flowlens.clauses import Ports
from flowlens.timespan import width_in_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Alarming", "Measure"]

Result = TypeVar("Result")
Measure = Literal["flows", "packets", "bytes"]


class Alarming(ABC, Generic[Result]):
    """Analyses that count what a metric filter or a rule of Contributor Insights counts over the same flow log."""

    @abstractmethod
    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> Result:
        """Apply the reduction that a method stands for to the flow records."""

    def rejected_by_port(self, ports: Ports = ("ssh", "rdp"), *, freq: str = "1h", threshold: int = 10) -> Result:
        """Count refused TCP records of a port over time, as a metric filter of CloudWatch does for its alarm.

        Parameters
        ----------
        ports : int, str or list of those
            Destination ports as `select` takes them: a number, a service name, a range ``"8000-8100"``, or several.
            Each one is counted by itself, those of a range too.
        freq : str
            Length of the periods, as in `timeline`; a record belongs to the period of its `start`.
        threshold : int
            How many records in a period are an alarm.

        Returns
        -------
        pandas.DataFrame
            `start` of the period, `port`, `flows` (records, the sum of the metric), `packets`, `sources` and `targets`
            (distinct source and destination addresses), `alarm` (whether `flows` reach the threshold); in order of
            time. Ports that nothing was refused at have no row in that period.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If a port or `freq` cannot be understood, there is no port, or `threshold` is no whole number from 1 on.

        Notes
        -----
        The filter is that of AWS's example, ``destport="22", protocol="6", action="REJECT"``, with a value of 1; there,
        too, ten in an hour are an alarm. It counts records: all packets between the same two ports in an aggregation
        interval are one, those that follow in the next interval, or at a second interface, another.
        https://docs.aws.amazon.com/vpc/latest/userguide/process-records-cwl.html

        Periods begin on the clock, as in dashboards and for alarms with a wall clock window. By default the window of
        an alarm slides, so it may also go off for records on both sides of a full hour.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html

        Examples
        --------
        >>> import flowlens as fl
        >>> hours = fl.sample().flow.rejected_by_port("rdp")
        >>> hours[hours["alarm"]]
                               start  port  flows  packets  sources  targets  alarm
        2  2026-03-10 02:00:00+00:00  3389     10       10       10        4   True
        9  2026-03-10 09:00:00+00:00  3389     11       11       11        3   True
        13 2026-03-10 13:00:00+00:00  3389     10       10       10        4   True
        21 2026-03-10 21:00:00+00:00  3389     10       10       10        4   True
        """
        from flowlens.reduce import alarms

        refused = alarms.tcp_to(ports)
        seconds, least = width_in_seconds(freq), alarms.at_least_one("threshold", threshold)
        return self._reduce(
            "rejected_by_port",
            lambda flows: alarms.rejected_by_port(flows, ports=refused, seconds=seconds, threshold=least),
        )

    def top_contributors(
        self,
        keys: str | Sequence[str] = ("srcaddr",),
        *,
        n: int | None = 10,
        by: Measure = "bytes",
        freq: str | None = None,
    ) -> Result:
        """Rank contributors, as a rule of CloudWatch Contributor Insights does.

        Parameters
        ----------
        keys : str or sequence of str
            One to four columns; each combination of their values is a contributor. `pairs` takes any number.
        n : int, optional
            How many rows, or how many in each period; all where None.
        by : {"bytes", "packets", "flows"}
            What to rank by: `flows` are the records that a rule counts, the others are sums of its `ValueOf`.
        freq : str, optional
            Length of the periods, as in `timeline`, to rank the contributors of each by themselves; None for one
            ranking of all records.

        Returns
        -------
        pandas.DataFrame
            `start` of the period where `freq` is given, the keys, `flows`, `packets`, `bytes`, `share` (of the total of
            `by`, 0 to 1) and `contributors` (how many there are, also beyond `n`: the metric `UniqueContributors`), the
            latter two of the period; in order of time, largest first, ties by keys. Records that lack a key have a row,
            too.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If there are no keys, more than four or one twice, `n` is no whole number from 1 on, `by` none of the above,
            or `freq` no fixed width.

        Notes
        -----
        The filters of a rule are what was selected before. NODATA and SKIPDATA records are no traffic and not counted.
        Values are exact; those of AWS's report approximate.

        In each period, `by` of the first row is the metric `MaxContributorValue`. The report picks those that lead in
        its whole time range and follows them through the periods; here, those that lead in a period are its rows.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetInsightRuleReport.html

        Examples
        --------
        >>> import flowlens as fl
        >>> refused = fl.sample().flow.select(protocol="tcp", action="REJECT")
        >>> refused.flow.top_contributors("srcaddr", n=2, by="flows")
                 srcaddr  flows  packets   bytes     share  contributors
        0  198.51.100.77    900      900   54000  0.193924           324
        1    10.20.11.30    605     2204  132240  0.130360           324
        """
        from flowlens.reduce import alarms

        columns = alarms.contributor_keys(keys, timed=freq is not None)
        most = None if n is None else alarms.at_least_one("n", n)
        seconds = None if freq is None else width_in_seconds(freq)
        return self._reduce(
            "top_contributors",
            lambda flows: alarms.top_contributors(flows, keys=columns, n=most, by=by, seconds=seconds),
        )
