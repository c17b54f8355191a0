"""Queries for the numbers behind alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flowlens.alarming import Alarming, Measure
from flowlens.clauses import Ports
from flowlens.errors import EngineError
from flowlens.insights import commands
from flowlens.insights.filters import any_holds
from flowlens.insights.log import ENGINE
from flowlens.insights.queries import Queries
from flowlens.timespan import width_in_seconds

__all__ = ["AlarmQueries"]


class AlarmQueries(Queries, Alarming[str]):
    """What a metric filter or a rule of Contributor Insights counts, as queries."""

    def rejected_by_port(self, ports: Ports = ("ssh", "rdp"), *, freq: str = "1h", threshold: int = 10) -> str:
        """Count refused TCP records of a port over time, as a metric filter of CloudWatch does for its alarm.

        Parameters
        ----------
        ports : int, str or list of those
            Destination ports as `select` takes them: a number, a service name, a range ``"8000-8100"``, or several.
        freq : str
            Length of the periods, as in `timeline`.
        threshold : int
            How many records in a period are an alarm.

        Returns
        -------
        str
            The text of a query for `start` of the period, `port`, `flows`, `packets`, `sources` and `targets` (distinct
            addresses, about right where they are very many) and `alarm`.

        Raises
        ------
        EngineError
            If Logs Insights has no periods of that length.
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If a port or `freq` cannot be understood, there is no port, or `threshold` is no whole number from 1 on.
        """
        from flowlens.reduce.alarms import at_least_one, tcp_to

        verb = "rejected_by_port"
        source, target, port, packets = self._fields(verb, "srcaddr", "dstaddr", "dstport", "packets")
        self._fields(verb, "protocol", "action")  # so that what is missing is told of this verb
        refused = any_holds([replace(tcp_to(ports), action="REJECT")], self._log)
        counted = {
            "flows": "count(*)",
            "packets": f"sum({packets})",
            "sources": f"count_distinct({source})",
            "targets": f"count_distinct({target})",
        }
        # AWS shows in the same way whether something holds: `display loggingMessage, loggingType = "ERROR" as isError`.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Parse.html
        alarm = f"flows >= {at_least_one('threshold', threshold)} as alarm"
        return self._query(
            *self._traffic(verb),
            f"filter {refused}",
            commands.stats(counted, [commands.period(verb, width_in_seconds(freq)), f"{port} as port"]),
            commands.sort([], ["start", "port"]),
            commands.limit(verb),
            f"display {', '.join(['start', 'port', *counted, alarm])}",
        )

    def top_contributors(
        self,
        keys: str | Sequence[str] = ("srcaddr",),
        *,
        n: int | None = 10,
        by: Measure = "bytes",
        freq: str | None = None,
    ) -> str:
        """Rank contributors, as a rule of CloudWatch Contributor Insights does.

        Parameters
        ----------
        keys : str or sequence of str
            One to four fields; each combination of their values is a contributor.
        n : int, optional
            How many rows; as many as there can be where None, which `freq` needs.
        by : {"bytes", "packets", "flows"}
            What to rank by.
        freq : str, optional
            Length of the periods, as in `timeline`, to rank the contributors of each by themselves.

        Returns
        -------
        str
            The text of a query for `start` of the period where `freq` is given, the keys, `flows`, `packets` and
            `bytes`. There are no `share` and no `contributors`: no row knows of the others.

        Raises
        ------
        EngineError
            If both `freq` and `n` are given, or Logs Insights has no periods of that length.
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If there are no keys, more than four or one twice, `n` is no whole number from 1 on, `by` none of the above,
            or `freq` no fixed width.
        """
        from flowlens.reduce.alarms import at_least_one, contributor_keys
        from flowlens.reduce.summary import need_measure

        verb = "top_contributors"
        need_measure(verb, "by", by)
        found = self._fields(verb, *contributor_keys(keys, timed=freq is not None))
        most = None if n is None else at_least_one("n", n)
        period = [] if freq is None else [commands.period(verb, width_in_seconds(freq))]
        if period and most is not None:
            raise EngineError(
                verb,
                ENGINE,
                "limit for each period",
                "Pass n=None for all contributors of each, or select(time=...) one period and leave freq out.",
            )
        return self._query(
            *self._traffic(verb),
            commands.stats(self._measures(verb), [*period, *found]),
            commands.sort([by], found, within=["start"] if period else []),
            commands.limit(verb, most),
        )
