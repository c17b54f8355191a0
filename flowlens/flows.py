"""Flow records that no frame could hold: the analyses of ``df.flow``, computed where the records are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

import pandas as pd

from flowlens.analyses import Analyses
from flowlens.columns import need_addresses
from flowlens.enriching import Enriching
from flowlens.narrowing import Narrowing
from flowlens.selection import Selection
from flowlens.timespan import time_span

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from flowlens.engine import Ground, Records, ReductionOfGround, Step
    from flowlens.enrich.scopes import Internal
    from flowlens.enrichment import Enrichment
    from flowlens.topology import Topology

__all__ = ["Flows"]


class Flows(Analyses, Narrowing["Flows"], Enriching["Flows"]):
    """Flow log records in a database, in Spark, in Athena, or in files larger than memory.

    It has the methods of ``df.flow``. Those that narrow down or add columns give another `Flows` and compute nothing;
    those that reduce run where the records are, and give a frame.

    Parameters
    ----------
    table : ibis.Table
        Records in an engine that Ibis speaks to. Columns may have any names and types that flow logs have in other
        tools (``log-status``, ``logStatus``, Unix seconds or timestamps, numbers as text), ``-`` is a missing value,
        and columns that are no fields are kept. `scan` makes the same of files.

    Raises
    ------
    NotAFlowFrameError
        If the table has no source or no destination address.

    Examples
    --------
    >>> import tempfile, ibis, flowlens as fl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = fl.sample().flow.to_parquet(folder, partition_by=())
    ...     fl.Flows(ibis.read_parquet(files)).top_talkers(1)
           srcaddr  flows  packets        bytes  peers     share
    0  10.20.11.40   1517  9662576  14026907218      8  0.506683
    """

    def __init__(self, table: ir.Table | Records) -> None:
        from flowlens.engine import Records, TableRecords

        if not isinstance(table, Records) and not hasattr(table, "get_backend"):
            raise TypeError(
                f"fl.Flows takes a table of Ibis and not a {type(table).__name__}; files are opened by fl.scan(path), "
                "and a frame has the same methods as df.flow"
            )
        records = table if isinstance(table, Records) else TableRecords(table)
        need_addresses(
            records.table.columns, "fl.Flows", "this table", "Rename the columns: table.rename(srcaddr='source', ...)."
        )
        self._records = records
        self._steps: tuple[Step, ...] = ()

    def __repr__(self) -> str:
        done = "".join(
            f", where {' or '.join(map(repr, step))}" if isinstance(step, tuple) else f", {step.verb}"
            for step in self._steps
        )
        return f"<flow log records in {self._records.engine}, {len(self.fields)} fields{done}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name == "explore":
            raise AttributeError(
                "explorers look at a frame: take a part of these records that fits into memory, for example "
                "log.select(time=(..., ...)).collect().flow.explore()"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def flow(self) -> Flows:
        """These records: code that is written for a frame, ``df.flow.host(x).flow.ports()``, runs here as it is.

        Examples
        --------
        >>> import tempfile, flowlens as fl
        >>> def refused(log):
        ...     return log.flow.select(dst_port="postgres").flow.rejected().flow.fan_out()
        >>> df, folder = fl.sample(), tempfile.mkdtemp()
        >>> files = df.flow.to_parquet(folder)
        >>> refused(fl.scan(folder)).equals(refused(df))
        True
        """
        return self

    @cached_property
    def interval(self) -> int | None:
        """The aggregation interval in seconds, as of a frame; it is found once, since that runs over all records."""
        return super().interval

    def count(self) -> int:
        """Count the records.

        Returns
        -------
        int
            How many `collect` would give, those of NODATA and SKIPDATA among them.

        Examples
        --------
        >>> import tempfile, flowlens as fl
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = fl.sample().flow.to_parquet(folder)
        ...     fl.scan(folder).rejected().count()
        5144
        """
        return self._records.count(self._steps)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first records; of files in their order, otherwise any.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        pandas.DataFrame
            A typed frame as `read` returns.

        Examples
        --------
        >>> import tempfile, flowlens as fl
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = fl.sample().flow.to_parquet(folder)
        ...     fl.scan(folder).select(dst_port="ssh").head(2)[["srcaddr", "dstport", "action"]]
                     srcaddr  dstport  action
        0  198.51.100.77       22  ACCEPT
        1     192.0.2.66       22  ACCEPT
        """
        from flowlens.reduce.summary import number_of_rows

        return self._records.frame("head", self._steps, number_of_rows(n))

    def collect(self) -> pd.DataFrame:
        """Return all records as a frame, which has to fit into memory: some 60 bytes a record.

        Returns
        -------
        pandas.DataFrame
            A typed frame as `read` returns, with a new index.

        Examples
        --------
        >>> import tempfile, flowlens as fl
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = fl.sample().flow.to_parquet(folder)
        ...     df = fl.scan(folder).host("198.51.100.77").collect()
        >>> df.flow
        <flow log records: 902, 29 fields>
        """
        return self._records.frame("collect", self._steps)

    def _columns(self) -> Sequence[str]:
        from flowlens.engine import columns_after

        return tuple(columns_after(self._records.table.columns, self._steps))

    def _frames(self) -> Generator[pd.DataFrame]:
        return self._records.frames("to_parquet", self._steps)

    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:
        return self._records.reduce(verb, reduction, self._steps)

    def _judged(self, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:
        from flowlens.engine import in_categories

        return in_categories(self._reduce("diagnose", reduction))

    def _own_addresses(self, verb: str, internal: Internal | None, topology: Topology | None) -> set[str]:
        return self._own(verb, self._owned(verb, internal, topology))

    def _on_ground(
        self, verb: str, ground: Ground, reductions: Mapping[str, ReductionOfGround]
    ) -> dict[str, pd.DataFrame]:
        return self._records.reduce_on_ground(verb, ground, reductions, self._steps)

    def _directed(self, topology: Topology | None) -> Flows:
        return self._with(self._way("diagnose", topology))

    def _exchange(self, a: str, b: str) -> Flows:  # noqa: ARG002 - the engine looks for them
        return self

    def _labels(self) -> None:
        return None

    def _where(self, any_of: Sequence[Selection]) -> Flows:
        # Where other records tell about this one, files of other times have to be looked at, too.
        alone = all(isinstance(step, tuple) or step.of_one_record for step in self._steps)
        time = any_of[0].time if alone and len(any_of) == 1 else None
        records = self._records if time is None else self._records.within(time_span(time))
        return self._after(tuple(any_of), records)

    def _with(self, enrichment: Enrichment) -> Flows:
        enrichment.check(self._columns())
        return self._after(enrichment, self._records)

    def _after(self, step: Step, records: Records) -> Flows:
        flows = Flows(records)
        flows._steps = (*self._steps, step)
        return flows
