"""One query for each analysis, written as AWS writes its own queries of flow logs.

Those are in https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-examples.html, the language is in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html and the pages below it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from flowlens.errors import EngineError
from flowlens.insights import commands
from flowlens.insights.alarms import AlarmQueries
from flowlens.insights.log import ENGINE
from flowlens.narrowing import Narrowing
from flowlens.reductions import Measure, Reductions
from flowlens.selection import Selection
from flowlens.timespan import width_in_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["InsightsText"]

#: What an analysis needs and Logs Insights lacks. From row to row it can add up, and no more:
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Accum.html
_LACKING = {
    "losses": "way to make several rows of one record, one for each cause",
    "conversations": "way to tell from one record to the next that a conversation has ended",
    "reject_pairs": "join of the records with themselves",
    "gaps": "running maximum, which tells how far the earlier records of an interface reach",
}


class InsightsText(AlarmQueries, Narrowing["InsightsText"], Reductions[str]):
    """The analyses as queries of CloudWatch Logs Insights, for its console or for `start_query`.

    Parameters
    ----------
    columns : sequence of str
        The fields of the log in their order.
    filters : sequence of sequence of Selection
        The records that are meant: for each filter, those that one of its selections holds for. Columns that were added
        to the records are refused.

    Notes
    -----
    A query has its time range beside it; `time` in a selection narrows that further.

    Missing values are the text ``-``, also as a key. Only records of Block Public Access lack `bytes`; AWS does not say
    what a sum makes of that text, here it is taken to add nothing. Values of tags stay percent-encoded. Rows that tie
    come in natural order, ``10.0.0.9`` before ``10.0.0.10``. No result has more than 100,000 rows, also with
    ``n=None``.
    """

    def __repr__(self) -> str:
        return f"<queries of {ENGINE}: call an analysis, for example .top_talkers()>"

    def _where(self, any_of: Sequence[Selection]) -> InsightsText:
        return InsightsText(self._log.columns, (*self._filters, any_of))

    def records(self, n: int | None = 1000) -> str:
        """Show the records themselves, the latest first.

        Parameters
        ----------
        n : int, optional
            How many; as many as there can be where None.

        Returns
        -------
        str
            The text of a query for `@timestamp`, which is the `start` of a record, and the whole record, `@message`.
        """
        latest = ["sort @timestamp desc", commands.limit("records", n)]
        return self._query(*self._filter([]), "display @timestamp, @message", *latest)

    def top_talkers(self, n: int | None = 10, *, by: Measure = "bytes", key: str = "srcaddr") -> str:
        """Rank addresses, or the values of any other field, by how much they send.

        Parameters
        ----------
        n : int, optional
            How many rows; as many as there can be where None.
        by : {"bytes", "packets", "flows"}
            What to rank by. `flows` are records.
        key : str
            The field to rank.

        Returns
        -------
        str
            The text of a query for the key, `flows`, `packets`, `bytes` and `peers` (distinct other ends, about right
            where they are very many). There is no `share`: no row knows the total.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce.summary import need_measure, peer_of

        need_measure("top_talkers", "by", by)
        field, peer = self._fields("top_talkers", key, peer_of(key))
        stats = {**self._measures("top_talkers"), "peers": f"count_distinct({peer})"}
        traffic = self._traffic("top_talkers", key)
        return self._query(
            *traffic, commands.stats(stats, [field]), commands.sort([by], [field]), commands.limit("top_talkers", n)
        )

    def timeline(self, freq: str = "5min", *, by: str | None = "action") -> str:
        """Count traffic over time.

        Parameters
        ----------
        freq : str
            Width of the bins, as pandas writes it: a part of a day, in up to 60 seconds, 60 minutes or 24 hours. A
            record belongs to the bin of its `@timestamp`, which is its `start`.
        by : str, optional
            Field that splits each bin; None for no split, as for a transit gateway, which has no `action`.

        Returns
        -------
        str
            The text of a query for `start` of the bin, the field named in `by`, `flows`, `packets`, `bytes`.

        Raises
        ------
        EngineError
            If Logs Insights has no bins of that width.
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If `freq` is no fixed width of at least a second.
        """
        period = commands.period("timeline", width_in_seconds(freq))
        split = [] if by is None else self._fields("timeline", by)
        stats = commands.stats(self._measures("timeline"), [period, *split])
        return self._query(
            *self._traffic("timeline"), stats, commands.sort([], ["start", *split]), commands.limit("timeline")
        )

    def pairs(
        self, n: int | None = None, *, by: Measure = "bytes", keys: Sequence[str] = ("srcaddr", "dstaddr")
    ) -> str:
        """Rank who sends to whom.

        Parameters
        ----------
        n : int, optional
            How many rows; as many as there can be where None.
        by : {"bytes", "packets", "flows"}
            What to rank by.
        keys : str or sequence of str
            The fields whose combinations are counted.

        Returns
        -------
        str
            The text of a query for the keys, `flows`, `packets`, `bytes`, largest first.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce.summary import need_measure

        need_measure("pairs", "by", by)
        columns = (keys,) if isinstance(keys, str) else tuple(keys)
        if not columns:
            raise ValueError("keys is empty; name the fields whose combinations are to be counted")
        found = self._fields("pairs", *columns)
        stats = commands.stats(self._measures("pairs"), found)
        return self._query(*self._traffic("pairs"), stats, commands.sort([by], found), commands.limit("pairs", n))

    def matrix(self, rows: str = "src_group", cols: str = "dst_group", *, values: Measure = "bytes") -> str:
        """Cross two fields, one row a cell: Logs Insights cannot make columns of values.

        Parameters
        ----------
        rows, cols : str
            The fields to cross.
        values : {"bytes", "packets", "flows"}
            What to count.

        Returns
        -------
        str
            The text of a query for `rows`, `cols` and `values`.

        Raises
        ------
        EngineError
            If a column is no field of a log, as groups are not.
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce.summary import need_measure

        need_measure("matrix", "values", values)
        crossed = self._fields("matrix", rows, cols)
        stats = commands.stats({values: self._measures("matrix")[values]}, crossed)
        return self._query(*self._traffic("matrix"), stats, commands.sort([], crossed), commands.limit("matrix"))

    def ports(self, n: int | None = None, *, by: Measure = "flows") -> str:
        """Rank service ports, both directions of the traffic counted for the port that offers the service.

        Parameters
        ----------
        n : int, optional
            How many rows; as many as there can be where None.
        by : {"flows", "packets", "bytes"}
            What to rank by.

        Returns
        -------
        str
            The text of a query for `port`, `protocol`, `flows`, `packets`, `bytes`, largest first. The port is told as
            by ``df.flow.ports()``.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce.summary import need_measure

        need_measure("ports", "by", by)
        port = f"fields {self._service_port()} as port"
        keys = ["port", *self._fields("ports", "protocol")]
        stats = commands.stats(self._measures("ports"), keys)
        return self._query(*self._traffic("ports"), port, stats, commands.sort([by], keys), commands.limit("ports", n))

    def fan_out(self, *, key: str = "srcaddr") -> str:
        """Count how many peers and ports each address reaches for.

        Parameters
        ----------
        key : str
            The field to count for: ``"srcaddr"`` for fan-out, ``"dstaddr"`` for fan-in.

        Returns
        -------
        str
            The text of a query for the key, `peers` (distinct other ends), `ports` (distinct destination ports),
            `flows`, and `rejected` (flows) where the log has an `action`. Where distinct ones are very many, their
            number is about right.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce.summary import peer_of

        field, peer, port = self._fields("fan_out", key, peer_of(key), "dstport")
        stats = {"peers": f"count_distinct({peer})", "ports": f"count_distinct({port})", "flows": "count(*)"}
        if "action" in self._log.columns:
            stats["rejected"] = commands.saying(self._log.field("action", "fan_out"), "REJECT")
        order = commands.sort(["peers", "flows"], [field])
        return self._query(
            *self._traffic("fan_out", key), commands.stats(stats, [field]), order, commands.limit("fan_out")
        )

    def coverage(self) -> str:
        """Tell for each interface what the log covers.

        Returns
        -------
        str
            The text of a query for `interface_id`, `records`, `first`, `last` (Unix seconds), `nodata` and `skipdata`
            (records). There is no `gap_time`: Logs Insights cannot see gaps.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        interface, start, end, status = self._fields("coverage", "interface_id", "start", "end", "log_status")
        stats = {
            "records": "count(*)",
            "first": f"min({start})",
            "last": f"max({end})",
            "nodata": commands.saying(status, "NODATA"),
            "skipdata": commands.saying(status, "SKIPDATA"),
        }
        return self._query(
            *self._filter([]),
            commands.stats(stats, [interface]),
            commands.sort([], [interface]),
            commands.limit("coverage"),
        )

    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> NoReturn:  # noqa: ARG002
        # The analyses above are written without it; any other one ends here.
        raise EngineError(
            verb, ENGINE, _LACKING[verb], f"Athena does: df.flow.sql('athena').{verb}() prints the query."
        )

    def _interval(self) -> int:
        return 600  # What asks for it is refused.

    def _service_port(self) -> str:
        """Return the port of the side that offers the service, told by SYN and SYN-ACK where logged, else the lower."""
        source, destination = self._fields("ports", "srcport", "dstport")
        lower = f"least({source}, {destination})"
        if "tcp_flags" not in self._log.columns:
            return lower
        # There are no operations on bits, but remainders: that by 4 holds FIN (1) and SYN (2), that by 32 up to ACK.
        flags = self._log.field("tcp_flags", "ports")
        no_syn, no_ack = f'{flags} = "-" or {flags} % 4 < 2', f"{flags} % 32 < 16"
        # Both sides of a connection through a transit gateway may read SYN and ACK; see `reduce.records`.
        answers = lower if self._log.of_gateway else f"toNumber({source})"
        # `least` gives a number and `parse` text; left as they are, a port could be counted in two rows.
        return f"case({no_syn}, {lower}, {no_ack}, toNumber({destination}), {answers})"
