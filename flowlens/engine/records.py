"""Flow records that some engine holds, and what can be asked of them whatever that engine is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa

from flowlens.engine.ground import Ground, ReductionOfGround
from flowlens.engine.results import result_frame
from flowlens.engine.sql import GROUND, NAME, flows_of_words, lacks, named, table_named, used_columns
from flowlens.enrichment import Enrichment
from flowlens.errors import ParseError
from flowlens.frame import FrameBuilder
from flowlens.parse import Reading, read_table
from flowlens.predicates import matching
from flowlens.schema import BY_COLUMN
from flowlens.selection import Selection

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Records", "Reduction", "Step", "columns_after", "prepared"]

#: What is done with records before they are analysed, one after the other: they have to be in at least one of some
#: selections, or columns are added to them.
Step = tuple[Selection, ...] | Enrichment

Reduction = Callable[["ir.Table"], "ir.Table"]

_BATCH = 1 << 20  # records
_HALF = 0.5  # of all records there may be so far, where nobody can know


def columns_after(columns: Collection[str], steps: Sequence[Step]) -> list[str]:
    """Return the columns that records have after some steps."""
    after = list(columns)
    for step in steps:
        if isinstance(step, Enrichment):
            after += [added for added in step.added(after) if added not in after]
    return after


def prepared(table: ir.Table, steps: Sequence[Step], wanted: Collection[str]) -> ir.Table:
    """Return the records after some steps, with the columns that are wanted.

    Nothing is worked out, or read from a file, that these do not need.
    """
    selections = [step for step in steps if not isinstance(step, Enrichment)]
    if len(selections) == len(steps):
        return reduce(matching, selections, table)
    first, *others = _kept(table, steps, wanted)
    table = table.select(*first)
    for step, kept in zip(steps, others, strict=True):
        if isinstance(step, Enrichment):
            added = [column for column in step.added(table.columns) if column in kept]
            table = step.of_table(table, added).select(*kept)
        else:
            table = matching(table, step).select(*kept)
    return table


def _kept(table: ir.Table, steps: Sequence[Step], wanted: Collection[str]) -> list[list[str]]:
    """Return the columns that are needed before the first step and after each: by the next one, or a later one."""
    before = [columns_after(table.columns, steps[:place]) for place in range(len(steps))]
    kept = [list(wanted) or [table.columns[0]]]  # records that are only counted need to have a column
    for step, columns in zip(reversed(steps), reversed(before), strict=True):
        needed = set(kept[0])
        if isinstance(step, Enrichment):
            added = needed & set(step.added(columns))
            needed = (needed - added) | {column for name in added for column in step.takes(name, columns)}
        else:
            needed |= set(used_columns(matching(flows_of_words(columns), step)))
        kept.insert(0, [column for column in columns if column in needed])
    return kept


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
    def compute_on_ground(
        self, flows: ir.Table, ground: Ground, reductions: Mapping[str, ReductionOfGround]
    ) -> dict[str, pa.Table]:
        """Make a ground of records of the table, keep it, and run expressions over both."""

    @abstractmethod
    def stream(self, expression: ir.Table, rows: int) -> Generator[pa.RecordBatch]:
        """Run an expression over the table, and yield its result some rows at a time."""

    def reduce(self, verb: str, reduction: Reduction, steps: Sequence[Step]) -> pd.DataFrame:
        """Compute an analysis of the records after some steps.

        Raises
        ------
        EngineError
            If the engine lacks something that the analysis needs.
        """
        # The types are those of the same analysis in flowlens's own: most engines have no unsigned integers.
        told = reduction(table_named(NAME, self._own_types(steps)))
        with lacks(verb, self.engine):
            result = self.compute(reduction(prepared(self.table, steps, used_columns(told))))
        return result_frame(result.cast(told.schema().to_pyarrow()), made={*told.columns} - {*used_columns(told)})

    def reduce_on_ground(
        self, verb: str, ground: Ground, reductions: Mapping[str, ReductionOfGround], steps: Sequence[Step]
    ) -> dict[str, pd.DataFrame]:
        """Compute several analyses that stand on one table, made of the records after some steps.

        Raises
        ------
        EngineError
            If the engine lacks something that the analyses need.
        """
        own = table_named(NAME, self._own_types(steps))
        located = ground.located(ground.made(own), ground.table_of_places("string"))
        told = {name: reduction(own, named(located, GROUND)) for name, reduction in reductions.items()}
        wanted = {column for one in (located, *told.values()) for column in used_columns(one)}
        with lacks(verb, self.engine):
            flows = prepared(self.table, steps, sorted(wanted))
            results = self.compute_on_ground(flows, ground, reductions)
        return {
            name: result_frame(results[name].cast(one.schema().to_pyarrow()), made={*one.columns} - wanted)
            for name, one in told.items()
        }

    def count(self, steps: Sequence[Step]) -> int:
        """Count the records that are left after some steps."""
        counted = self.reduce("count", lambda flows: flows.agg(records=flows.count()), steps)
        return int(counted["records"].iloc[0])

    def _own_types(self, steps: Sequence[Step]) -> dict[str, ibis.expr.datatypes.DataType]:
        columns, given = columns_after(self.table.columns, steps), self.table.schema()
        own = flows_of_words(columns).schema()
        added = {column for step in steps if isinstance(step, Enrichment) for column in step.added(columns)}
        kept = [column for column in self.table.columns if column not in BY_COLUMN and column not in added]
        foreign = {column: _widest(given[column]) for column in kept}
        return {column: own[column] for column in columns} | foreign

    def frame(self, verb: str, steps: Sequence[Step], limit: int | None = None) -> pd.DataFrame:
        """Return the typed frame of the records that are left after some steps, or of so many of them."""
        builder = FrameBuilder()
        with closing(self.tables(verb, steps, limit)) as tables:
            for table in tables:
                builder.add(table, _HALF)
        return builder.frame(columns_after(self.table.columns, steps))

    def frames(self, verb: str, steps: Sequence[Step]) -> Generator[pd.DataFrame]:
        """Yield the typed frames of about a million records after others; one without records where there are none."""
        columns = columns_after(self.table.columns, steps)
        builder, rows, empty = FrameBuilder(), 0, True
        with closing(self.tables(verb, steps, None)) as tables:
            for table in tables:
                builder.add(table, _HALF)
                rows += table.num_rows
                if rows >= _BATCH:
                    yield builder.frame(columns)
                    builder, rows, empty = FrameBuilder(), 0, False
        if rows or empty:
            yield builder.frame(columns)

    def tables(self, verb: str, steps: Sequence[Step], limit: int | None) -> Generator[pa.Table]:
        """Yield the records that are left after some steps as tables of the parser, or so many of them."""
        columns = columns_after(self.table.columns, steps)
        with lacks(verb, self.engine):
            records = prepared(self.table, steps, columns).select(*columns)
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
