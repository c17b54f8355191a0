"""Flow records that some engine holds, and what can be asked of them whatever that engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa

from flowlens.engine.results import result_frame
from flowlens.engine.sql import NAME, flows_of_words, lacks, used_columns
from flowlens.errors import ParseError
from flowlens.frame import FrameBuilder
from flowlens.parse import Reading, read_table
from flowlens.predicates import matching
from flowlens.schema import BY_COLUMN
from flowlens.selection import Selection

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Filters", "Records", "narrowed"]

#: A record has to be in at least one of the selections of each.
Filters = tuple[tuple[Selection, ...], ...]

_BATCH = 1 << 20  # records
_HALF = 0.5  # of all records there may be so far, where nobody can know


def narrowed(table: ir.Table, filters: Filters) -> ir.Table:
    """Return the records that pass all filters."""
    return reduce(matching, filters, table)


class Records(ABC):
    """Flow records as one table in the names of `schema`, words as strings and times as Unix seconds."""

    #: What the engine is called in messages.
    engine: str

    table: ir.Table

    @abstractmethod
    def within(self, span: tuple[int, int]) -> Records:
        """Leave out what can be seen from outside to hold no record that starts in a span of Unix seconds."""

    @abstractmethod
    def compute(self, expression: ir.Table) -> pa.Table:
        """Run an expression over the table."""

    @abstractmethod
    def stream(self, expression: ir.Table, rows: int) -> Generator[pa.RecordBatch]:
        """Run an expression over the table, and yield its result some rows at a time."""

    def reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table], filters: Filters) -> pd.DataFrame:
        """Compute an analysis of the records that pass the filters.

        Raises
        ------
        EngineError
            If the engine lacks something that the analysis needs.
        """
        with lacks(verb, self.engine):
            result = self.compute(reduction(narrowed(self.table, filters)))
        # The types are those of the same analysis in flowlens's own: most engines have no unsigned integers.
        told = reduction(ibis.table(self._own_types(), name=NAME))
        return result_frame(result.cast(told.schema().to_pyarrow()), made={*told.columns} - {*used_columns(told)})

    def count(self, filters: Filters) -> int:
        """Count the records that pass the filters."""
        counted = self.reduce("count", lambda flows: flows.agg(records=flows.count()), filters)
        return int(counted["records"].iloc[0])

    def _own_types(self) -> dict[str, ibis.expr.datatypes.DataType]:
        columns = self.table.columns
        own, given = flows_of_words(columns).schema(), self.table.schema()
        return {column: own[column] if column in BY_COLUMN else _widest(given[column]) for column in columns}

    def frame(self, verb: str, filters: Filters, limit: int | None = None) -> pd.DataFrame:
        """Return the typed frame of the records that pass the filters, or of so many of them."""
        builder = FrameBuilder()
        with closing(self.tables(verb, filters, limit)) as tables:
            for table in tables:
                builder.add(table, _HALF)
        return builder.frame(self.table.columns)

    def frames(self, verb: str, filters: Filters) -> Generator[pd.DataFrame]:
        """Yield the typed frames of about a million records after others; one without records where there are none."""
        builder, rows, empty = FrameBuilder(), 0, True
        with closing(self.tables(verb, filters, None)) as tables:
            for table in tables:
                builder.add(table, _HALF)
                rows += table.num_rows
                if rows >= _BATCH:
                    yield builder.frame(self.table.columns)
                    builder, rows, empty = FrameBuilder(), 0, False
        if rows or empty:
            yield builder.frame(self.table.columns)

    def tables(self, verb: str, filters: Filters, limit: int | None) -> Generator[pa.Table]:
        """Yield the records that pass the filters as tables of the parser, or so many of them."""
        with lacks(verb, self.engine):
            records = narrowed(self.table, filters).select(*self.table.columns)
            with closing(self.stream(records if limit is None else records.limit(limit), _BATCH)) as batches:
                for batch in batches:
                    parsed = read_table(pa.Table.from_batches([batch]), {}, Reading(self.engine))
                    if parsed.bad_lines:
                        raise ParseError(
                            parsed.bad_lines, "Correct these values in the table, or leave their records out."
                        )
                    yield from parsed.tables


def _widest(dtype: ibis.expr.datatypes.DataType) -> ibis.expr.datatypes.DataType:
    """Return the type in which a frame would have a column that is no field."""
    wide = {"is_integer": "int64", "is_floating": "float64", "is_decimal": "float64"}
    return next((ibis.dtype(name) for test, name in wide.items() if getattr(dtype, test)()), dtype)
