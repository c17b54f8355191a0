"""What every query is made of: the fields of its log, the records that are meant, and commands."""

from __future__ import annotations

from collections.abc import Sequence

from flowlens.enrichment import Enrichment
from flowlens.errors import EngineError
from flowlens.insights.filters import any_holds
from flowlens.insights.log import ENGINE, Log
from flowlens.selection import Selection

__all__ = ["Queries", "kept_records"]


class Queries:
    """Queries of one log, of the records that were selected."""

    def __init__(self, columns: Sequence[str], filters: Sequence[Sequence[Selection] | Enrichment] = ()) -> None:
        self._log = Log(tuple(columns))
        self._filters = tuple(tuple(_selections(any_of)) for any_of in filters)
        # Made now, so that a clause that cannot be had is refused where it is asked for.
        self._conditions = [any_holds(any_of, self._log) for any_of in self._filters]

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

    def _query(self, *written: str) -> str:
        return "\n| ".join(filter(None, (self._log.parse(), *written)))


def kept_records(filters: Sequence[Sequence[Selection]], columns: Sequence[str]) -> str:
    """Return the commands after which only the records are left that are meant; empty where all are."""
    log = Log(tuple(columns))
    conditions = list(filter(None, (any_holds(any_of, log) for any_of in filters)))
    return "\n| ".join(filter(None, (log.parse(), *(f"filter {one}" for one in conditions)))) if conditions else ""


def _selections(step: Sequence[Selection] | Enrichment) -> Sequence[Selection]:
    if isinstance(step, Enrichment):
        raise EngineError(
            step.verb,
            ENGINE,
            "way to give names to addresses or to look at other records",
            "Take the log as it is, or print sql(...), which adds these columns.",
        )
    return step
