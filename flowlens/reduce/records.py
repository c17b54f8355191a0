"""What every reduction asks of single records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowlens.columns import missing_field
from flowlens.schema import VOCABULARIES

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["chosen", "says", "total", "traffic"]


def traffic(flows: ir.Table, verb: str, *columns: str, optional: Sequence[str] = ()) -> ir.Table:
    """Return the records of traffic with the columns that an analysis needs, and no others.

    NODATA and SKIPDATA records have no addresses and are no traffic.

    Raises
    ------
    MissingFieldError
        If a column is not there; those in `optional` may be missing.
    """
    there = [column for column in optional if column in flows.columns]
    records = chosen(flows, verb, "srcaddr", *columns, *there)
    return records.filter(records.srcaddr.notnull())


def chosen(flows: ir.Table, verb: str, *columns: str) -> ir.Table:
    """Return the columns that an analysis needs, and no others.

    Raises
    ------
    MissingFieldError
        If a column is not there.
    """
    for column in columns:
        if column not in flows.columns:
            raise missing_field(column, verb)
    return flows.select(**{column: _known(flows, column) for column in columns})


def _known(flows: ir.Table, column: str) -> ir.Value:
    """Return a column in which a missing value is null: AWS's text and Parquet tables have ``-`` in strings for it."""
    value = flows[column]
    return value.nullif("-") if value.type().is_string() else value


def says(flows: ir.Table, column: str, word: str) -> ir.BooleanValue:
    """Tell where a column of known words holds this one; a missing value does not."""
    value = flows[column]
    return (value == (word if value.type().is_string() else VOCABULARIES[column].index(word))).fill_null(False)


def total(flows: ir.Table, column: str) -> ir.IntegerScalar:
    """Return the sum of a counter as 64 bits, 0 where no record has it: those of Block Public Access have no bytes."""
    # DuckDB sums 64-bit integers in 128 bits, which makes sorting by them three times as slow. Ibis takes the sum for
    # 64 bits already and would leave out a cast to that; the '!', for not null, makes it write one.
    return flows[column].sum().fill_null(0).cast("!int64")
