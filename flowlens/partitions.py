"""Which partitions of an Athena table can hold the records of a span of time, as a predicate.

Athena reads, and charges for, every partition that a query does not rule out by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from flowlens.source.slots import EARLIER

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["COLUMNS", "Partition", "within"]

#: One column of days, which Athena derives by itself, or the folders of Hive. `fl.aws.athena_ddl` makes either.
Partition = Literal["projection", "hive"]

COLUMNS: dict[Partition, tuple[str, ...]] = {"projection": ("day",), "hive": ("year", "month", "day")}
_FORMATS: dict[Partition, tuple[str, ...]] = {"projection": ("%Y/%m/%d",), "hive": ("%Y", "%m", "%d")}


def within(table: ir.Table, partition: Partition, first: int | None, end: int | None) -> ir.BooleanValue | None:
    """Return whether a partition can hold records that start in ``[first, end)``; None where that is any."""
    columns = [table[column] for column in COLUMNS[partition]]
    begin = None if first is None else _values(partition, datetime.fromtimestamp(first, UTC))
    last = None if end is None else _values(partition, datetime.fromtimestamp(end - 1, UTC) + EARLIER)
    if begin is None:
        return None if last is None else _until(columns, last)
    return _from(columns, begin) if last is None else _between(columns, begin, last)


def _values(partition: Partition, moment: datetime) -> tuple[str, ...]:
    return tuple(moment.strftime(part) for part in _FORMATS[partition])


def _between(columns: Sequence[ir.StringColumn], first: Sequence[str], last: Sequence[str]) -> ir.BooleanValue:
    if first[0] != last[0]:
        return _from(columns, first) & _until(columns, last)
    same = columns[0] == first[0]
    return same & _between(columns[1:], first[1:], last[1:]) if columns[1:] else same


def _from(columns: Sequence[ir.StringColumn], first: Sequence[str]) -> ir.BooleanValue:
    column, *inner = columns
    return (column > first[0]) | ((column == first[0]) & _from(inner, first[1:])) if inner else column >= first[0]


def _until(columns: Sequence[ir.StringColumn], last: Sequence[str]) -> ir.BooleanValue:
    column, *inner = columns
    return (column < last[0]) | ((column == last[0]) & _until(inner, last[1:])) if inner else column <= last[0]
