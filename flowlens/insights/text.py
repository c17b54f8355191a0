"""One query for each analysis, written as AWS writes its own queries of flow logs.

Those are in https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-examples.html, the language is in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html and the pages below it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from flowlens.enrichment import Enrichment
from flowlens.errors import EngineError
from flowlens.insights.filters import any_holds
from flowlens.insights.log import ENGINE, Log
from flowlens.narrowing import Narrowing
from flowlens.reductions import Measure, Reductions
from flowlens.selection import Selection
from flowlens.timespan import width_in_seconds

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["InsightsText"]

#: What a query returns at most. One without `limit` returns 10,000 and does not say that there are more.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Limit.html
_MOST_ROWS = 100_000

#: The periods of `bin`, longest first: their unit, its seconds, and how many of it there can be. More are taken for
#: that many, without a word: ``bin(300s)`` counts by minutes.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-datetime
_PERIODS = (("d", 86400, 1), ("h", 3600, 24), ("m", 60, 60), ("s", 1, 60))
_DAY = 86400

#: What an analysis needs and Logs Insights lacks. From row to row it can add up, and no more:
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Accum.html
_LACKING = {
    "losses": "way to make several rows of one record, one for each cause",
    "conversations": "way to tell from one record to the next that a conversation has ended",
    "reject_pairs": "join of the records with themselves",
    "gaps": "running maximum, which tells how far the earlier records of an interface reach",
}


class InsightsText(Narrowing["InsightsText"], Reductions[str]):
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

    def __init__(self, columns: Sequence[str], filters: Sequence[Sequence[Selection] | Enrichment] = ()) -> None:
        self._log = Log(tuple(columns))
        self._filters = tuple(tuple(_selections(any_of)) for any_of in filters)
        # Made now, so that a clause that cannot be had is refused where it is asked for.
        self._conditions = [any_holds(any_of, self._log) for any_of in self._filters]

    def __repr__(self) -> str:
        return f"<queries of {ENGINE}: call an analysis, for example .top_talkers()>"

    def _where(self, any_of: Sequence[Selection]) -> InsightsText:
        return InsightsText(self._log.columns, (*self._filters, any_of))

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
        return self._query(*traffic, _stats(stats, [field]), _sort([by], [field]), _limit("top_talkers", n))

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
        period = _period(width_in_seconds(freq))
        split = [] if by is None else self._fields("timeline", by)
        stats = _stats(self._measures("timeline"), [f"bin({period}) as start", *split])
        return self._query(*self._traffic("timeline"), stats, _sort([], ["start", *split]), _limit("timeline"))

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
        stats = _stats(self._measures("pairs"), found)
        return self._query(*self._traffic("pairs"), stats, _sort([by], found), _limit("pairs", n))

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
        stats = _stats({values: self._measures("matrix")[values]}, crossed)
        return self._query(*self._traffic("matrix"), stats, _sort([], crossed), _limit("matrix"))

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
        stats = _stats(self._measures("ports"), keys)
        return self._query(*self._traffic("ports"), port, stats, _sort([by], keys), _limit("ports", n))

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
            stats["rejected"] = _saying(self._log.field("action", "fan_out"), "REJECT")
        order = _sort(["peers", "flows"], [field])
        return self._query(*self._traffic("fan_out", key), _stats(stats, [field]), order, _limit("fan_out"))

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
            "nodata": _saying(status, "NODATA"),
            "skipdata": _saying(status, "SKIPDATA"),
        }
        return self._query(*self._filter([]), _stats(stats, [interface]), _sort([], [interface]), _limit("coverage"))

    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> NoReturn:  # noqa: ARG002
        # The analyses above are written without it; any other one ends here.
        raise EngineError(
            verb, ENGINE, _LACKING[verb], f"Athena does: df.flow.sql('athena').{verb}() prints the query."
        )

    def _interval(self) -> int:
        return 600  # What asks for it is refused.

    def _fields(self, verb: str, *columns: str) -> list[str]:
        return [self._log.field(column, verb) for column in columns]

    def _measures(self, verb: str) -> dict[str, str]:
        packets, size = self._fields(verb, "packets", "bytes")
        return {"flows": "count(*)", "packets": f"sum({packets})", "bytes": f"sum({size})"}

    def _traffic(self, verb: str, *keys: str) -> list[str]:
        """Return the filters for the records of traffic that are meant and that have these keys."""
        # In NODATA and SKIPDATA records all that is missing is '-', and for `ispresent` that is there.
        return self._filter([f'{field} != "-"' for field in dict.fromkeys(self._fields(verb, "srcaddr", *keys))])

    def _filter(self, conditions: Sequence[str]) -> list[str]:
        meant = [condition for condition in self._conditions if condition]
        return [f"filter {condition}" for condition in (" and ".join(conditions), *meant) if condition]

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

    def _query(self, *commands: str) -> str:
        return "\n| ".join(filter(None, (self._log.parse(), *commands)))


def _stats(stats: Mapping[str, str], keys: Sequence[str]) -> str:
    return f"stats {', '.join(f'{how} as {name}' for name, how in stats.items())}\n    by {', '.join(keys)}"


def _sort(largest: Sequence[str], keys: Sequence[str]) -> str:
    return f"sort {', '.join([*(f'{name} desc' for name in largest), *(f'{key} asc' for key in keys)])}"


def _limit(verb: str, n: int | None = None) -> str:
    from flowlens.reduce.summary import number_of_rows

    rows = _MOST_ROWS if n is None else number_of_rows(n)
    if rows > _MOST_ROWS:
        raise EngineError(verb, ENGINE, f"result of more than {_MOST_ROWS:,} rows", "Ask for fewer.")
    return f"limit {rows}"


def _saying(field: str, word: str) -> str:
    """Return how many records say a word in a field of few words; `strcontains` is 1 or 0."""
    return f'sum(strcontains({field}, "{word}"))'


def _selections(step: Sequence[Selection] | Enrichment) -> Sequence[Selection]:
    if isinstance(step, Enrichment):
        raise EngineError(
            step.verb,
            ENGINE,
            "way to give names to addresses or to look at other records",
            "Take the log as it is, or print sql(...), which adds these columns.",
        )
    return step


def _period(seconds: int) -> str:
    for unit, size, most in _PERIODS:
        # Where bins begin is plain for those that divide a day.
        if seconds % size == 0 and seconds // size <= most and _DAY % seconds == 0:
            return f"{seconds // size}{unit}"
    raise EngineError(
        "timeline",
        ENGINE,
        f"bin() of {seconds:,} seconds",
        "Its bins are up to 60 seconds, 60 minutes or 24 hours; pass such a part of a day: '5min', '1h', '1D'.",
    )
