"""The analyses as SQL text instead of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowlens.flows import Measure, Reductions

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["SqlText"]


class SqlText(Reductions[str]):
    """The analyses as SQL text, for the console of another engine."""

    def __init__(self, flows: ir.Table, dialect: str, interval: Callable[[], int]) -> None:
        # Few analyses ask for the interval, and finding it runs over all records.
        self._flows, self._dialect, self._find_interval = flows, dialect, interval

    def __repr__(self) -> str:
        return f"<SQL for {self._dialect}: call an analysis, for example .top_talkers()>"

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

        return self._reduce(lambda flows: summary.matrix(flows, rows=rows, cols=cols, values=values))

    def _reduce(self, reduction: Callable[[ir.Table], ir.Table]) -> str:
        from flowlens.engine import sql

        return sql(reduction(self._flows), self._dialect)

    def _interval(self) -> int:
        return self._find_interval()
