"""The analyses as SQL text instead of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from flowlens.enriching import Enriching
from flowlens.narrowing import Narrowing
from flowlens.partitions import COLUMNS, Partition, within
from flowlens.reductions import Measure, Reductions
from flowlens.selection import Selection
from flowlens.timespan import time_span

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from flowlens.engine import Step
    from flowlens.enrichment import Enrichment

__all__ = ["SqlText"]


@dataclass(frozen=True, kw_only=True, repr=False)
class SqlText(Narrowing["SqlText"], Enriching["SqlText"], Reductions[str]):
    """The analyses as SQL text, for the console of another engine.

    Attributes
    ----------
    columns, table
        The columns of the table there, and its name.
    dialect
        The engine.
    partition
        How its table is partitioned, where queries have to say which partitions they mean.
    steps
        The selections that the records pass, and the columns that are added to them.
    find_interval, find_meetings
        Return the aggregation interval, and which addresses meet at which interface: few analyses ask for them, and
        finding them runs over all records.
    """

    columns: Sequence[str]
    table: str
    dialect: str
    partition: Partition | None
    steps: tuple[Step, ...]
    find_interval: Callable[[], int]
    find_meetings: Callable[[str], pd.DataFrame]

    def __repr__(self) -> str:
        return f"<SQL for {self.dialect}: call an analysis, for example .top_talkers()>"

    def records(self) -> str:
        """Show the records themselves.

        Returns
        -------
        str
            The text of a query that returns the columns of the log, and those that were added.
        """
        return self._reduce("records", lambda flows: flows)

    def matrix(self, rows: str = "src_group", cols: str = "dst_group", *, values: Measure = "bytes") -> str:
        """Cross two columns, one row a cell: SQL cannot make columns of values.

        Parameters
        ----------
        rows, cols : str
            The columns to cross.
        values : {"bytes", "packets", "flows"}
            What to count.

        Returns
        -------
        str
            The text of a query that returns `rows`, `cols` and `values`.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        """
        from flowlens.reduce import summary

        return self._reduce("matrix", lambda flows: summary.matrix(flows, rows=rows, cols=cols, values=values))

    def _where(self, any_of: Sequence[Selection]) -> SqlText:
        return replace(self, steps=(*self.steps, tuple(any_of)))

    def _with(self, enrichment: Enrichment) -> SqlText:
        from flowlens.engine import columns_after

        enrichment.check(columns_after(self.columns, self.steps))
        return replace(self, steps=(*self.steps, enrichment))

    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> str:
        from flowlens.engine import columns_after, flows_of_words, lacks, prepared, sql, used_columns

        with lacks(verb, self.dialect):
            wanted = used_columns(reduction(flows_of_words(columns_after(self.columns, self.steps))))
            return sql(reduction(prepared(self._records(), self.steps, wanted)), self.dialect)

    def _records(self) -> ir.Table:
        """Return the table, less the partitions that no selected time lies in."""
        from flowlens.engine import flows_of_words

        # Where other records tell about this one, those of other times have to be looked at, too.
        alone = takewhile(lambda step: isinstance(step, tuple) or step.of_one_record, self.steps)
        times = [
            step[0].time for step in alone if isinstance(step, tuple) and len(step) == 1 and step[0].time is not None
        ]
        if self.partition is None or not times:
            return flows_of_words(self.columns, name=self.table)
        partitions = [column for column in COLUMNS[self.partition] if column not in self.columns]
        table = flows_of_words([*self.columns, *partitions], name=self.table)
        for time in times:
            bounds = (None if side is None else moment for side, moment in zip(time, time_span(time), strict=True))
            predicate = within(table, self.partition, *bounds)
            table = table if predicate is None else table.filter(predicate)
        return table.select(*self.columns)

    def _interval(self) -> int:
        return self.find_interval()

    def _meetings(self, verb: str) -> pd.DataFrame:
        return self.find_meetings(verb)
