"""``df.flow``: the analyses on a pandas frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.abilities import Ability, ability
from flowlens.errors import NotAFlowFrameError
from flowlens.flows import Measure, Reductions
from flowlens.schema import BY_COLUMN
from flowlens.selection import Ports, Selection, Words
from flowlens.sqltext import SqlText
from flowlens.timespan import TimeSpan

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from flowlens.plot import FlowPlot

__all__ = ["FlowAccessor"]


class FlowAccessor(Reductions[pd.DataFrame]):
    """Analyses of a frame of flow log records: ``df.flow``.

    Every method returns a new frame; the frame itself is never changed. pandas makes a new accessor at each access, so
    this one keeps nothing but the frame.
    """

    def __init__(self, df: pd.DataFrame) -> None:
        # This runs for every Tab and dir() on any frame: compare names, nothing else.
        missing = {"srcaddr", "dstaddr"}.difference(df.columns)
        if missing:
            raise NotAFlowFrameError(
                f"df.flow needs the columns srcaddr and dstaddr; this frame lacks {' and '.join(sorted(missing))} "
                f"and has {', '.join(map(str, df.columns[:8])) or 'no columns'}. Read flow logs with "
                "flowlens.read(...), or rename the columns: df.rename(columns={'source': 'srcaddr', ...})."
            )
        self._df = df

    def __repr__(self) -> str:
        return f"<flow log records: {len(self._df):,}, {len(self.fields)} fields>"

    def _reduce(self, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:
        from flowlens.engine import flows_of_frame, run

        return run(reduction(flows_of_frame(self._df)), self._df)

    def _interval(self) -> int:
        return self.interval or 600

    # --- Know what you hold ---

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that are fields of flow log records, in their order."""
        return tuple(column for column in self._df.columns if column in BY_COLUMN)

    @property
    def window(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First `start` and last `end`; NaT where there is no record with a time."""
        from flowlens.reduce.coverage import window

        row = self._reduce(window)
        return row["first"].iloc[0], row["last"].iloc[0]

    @property
    def interval(self) -> int | None:
        """The aggregation interval in seconds, 60 or 600, estimated from the length of records; None without records.

        One-minute windows give no records longer than about a minute, ten-minute windows do.
        """
        from flowlens.reduce.coverage import interval_signs

        row = self._reduce(interval_signs)
        records, long = int(row["records"].iloc[0]), int(row["long"].iloc[0])
        if not records:
            return None
        return 600 if long > 0.01 * records else 60

    def can(self, verb: str) -> Ability:
        """Tell whether this log has the fields that an analysis needs.

        Parameters
        ----------
        verb : str
            The name of the analysis: ``"diagnose"``.

        Returns
        -------
        Ability
            True or false, with the fields that are `missing`.

        Raises
        ------
        ValueError
            If there is no such analysis.

        Examples
        --------
        >>> import pandas as pd, flowlens as fl
        >>> df = pd.DataFrame({"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.2"]})
        >>> df.flow.can("accepted")
        accepted: no, add ${action} to the LogFormat
        """
        return ability(verb, self._df.columns)

    # --- Narrow ---

    def select(
        self,
        *,
        src: Words | None = None,
        dst: Words | None = None,
        host: Words | None = None,
        src_port: Ports | None = None,
        dst_port: Ports | None = None,
        port: Ports | None = None,
        protocol: Ports | None = None,
        action: Words | None = None,
        interface: Words | None = None,
        direction: Words | None = None,
        time: TimeSpan | None = None,
        status: Words | None = None,
        group: Words | None = None,
    ) -> pd.DataFrame:
        """Keep the records for which every given clause holds.

        Parameters
        ----------
        src, dst, host : str or list of str
            Source, destination, or either: an address, a CIDR prefix, or several.
        src_port, dst_port, port : int, str or list of those
            Source, destination or either port: a number, a service name, a range ``"8000-8100"``, or several.
        protocol : int, str or list of those
            IANA number or name: ``6`` or ``"tcp"``.
        action : str or list of str
            ``"ACCEPT"`` or ``"REJECT"``.
        interface : str or list of str
            Interface ids.
        direction : str or list of str
            ``"ingress"`` or ``"egress"``, as in `flow_direction`.
        time : (start, end)
            Records whose `start` lies in ``[start, end)``. Times without a zone are UTC.
        status : str or list of str
            ``"OK"``, ``"NODATA"`` or ``"SKIPDATA"``.
        group : str or list of str
            Values of `src_group` or `dst_group`.

        Returns
        -------
        pandas.DataFrame
            The same columns, fewer rows, with their original index.

        Raises
        ------
        MissingFieldError
            If a clause needs a field that the log does not have.
        ValueError
            If an address, port, protocol or time cannot be understood.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.select(src="10.20.0.0/16", dst_port="postgres", action="REJECT"))
        605
        """
        selection = Selection(
            src=src, dst=dst, host=host, src_port=src_port, dst_port=dst_port, port=port, protocol=protocol,
            action=action, interface=interface, direction=direction, time=time, status=status, group=group,
        )  # fmt: skip
        return self._where(selection.mask(self._df))

    def _where(self, mask: np.ndarray) -> pd.DataFrame:
        # Unlike df[mask], this is a frame of its own for pandas 2, which otherwise warns when it is changed.
        return self._df.take(np.flatnonzero(mask))

    def accepted(self) -> pd.DataFrame:
        """Keep the records of traffic that was let through.

        Returns
        -------
        pandas.DataFrame
            The same columns, fewer rows, with their original index.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.accepted())
        67303
        """
        return self.select(action="ACCEPT")

    def rejected(self) -> pd.DataFrame:
        """Keep the records of traffic that was refused.

        Returns
        -------
        pandas.DataFrame
            The same columns, fewer rows, with their original index.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.rejected())
        5144
        """
        return self.select(action="REJECT")

    def between(self, a: Words, b: Words) -> pd.DataFrame:
        """Keep the records between two sides, in both directions.

        Parameters
        ----------
        a, b : str or list of str
            The sides: addresses or CIDR prefixes.

        Returns
        -------
        pandas.DataFrame
            The same columns, fewer rows, with their original index.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.between("10.20.11.30", "10.20.20.0/24"))
        1621
        """
        there = Selection(src=a, dst=b)
        back = Selection(src=there.dst, dst=there.src)
        return self._where(there.mask(self._df) | back.mask(self._df))

    def host(self, x: Words) -> pd.DataFrame:
        """Keep the records from or to an address or prefix.

        Parameters
        ----------
        x : str or list of str
            Addresses or CIDR prefixes.

        Returns
        -------
        pandas.DataFrame
            The same columns, fewer rows, with their original index.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.host("198.51.100.77"))
        902
        """
        return self.select(host=x)

    # --- Reduce, where the answer is not a list of rows ---

    def matrix(self, rows: str = "src_group", cols: str = "dst_group", *, values: Measure = "bytes") -> pd.DataFrame:
        """Cross two columns.

        Parameters
        ----------
        rows, cols : str
            The columns to cross.
        values : {"bytes", "packets", "flows"}
            What to count.

        Returns
        -------
        pandas.DataFrame
            One row a value of `rows`, one column a value of `cols`, 0 where there was no traffic.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> to_batch = df.flow.accepted().flow.select(src="10.20.0.0/24", dst="10.20.11.0/24")
        >>> to_batch.flow.matrix("srcaddr", "dstaddr")
        dstaddr     10.20.11.30  10.20.11.32  10.20.11.40
        srcaddr
        10.20.0.10        68954       834850       148646
        10.20.0.21            0      4856842            0
        10.20.0.5      23990496     21822309    155946184
        """
        from flowlens.reduce import summary

        table = self._reduce(lambda flows: summary.matrix(flows, rows=rows, cols=cols, values=values))
        crossed: pd.DataFrame = table.set_index([rows, cols])[values].unstack(fill_value=0)
        return crossed

    # --- Take it elsewhere, show ---

    def sql(self, dialect: str = "duckdb", *, table: str = "flows") -> SqlText:
        """Print an analysis as SQL instead of running it.

        Parameters
        ----------
        dialect : str
            ``"duckdb"``, ``"athena"``, ``"spark"``, or another that Ibis knows.
        table : str
            The name of the table there. Its columns are those of this frame, words as text and times as Unix
            seconds, as in AWS's own table definitions.

        Returns
        -------
        SqlText
            Has the methods of ``df.flow`` that reduce; each returns the text.

        Raises
        ------
        ValueError
            If there is no such dialect.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.sql("athena", table="vpc_flow_logs").pairs(10).splitlines()[-1]
        'LIMIT 10'
        """
        from flowlens.engine import flows_of_words

        return SqlText(flows_of_words(self._df.columns, name=table), dialect, self._interval)

    def to_parquet(
        self, target: str | os.PathLike[str], *, partition_by: Sequence[str] = ("year", "month", "day")
    ) -> list[Path]:
        """Write the records as Parquet files as AWS delivers them: for Athena, Spark, DuckDB or `flowlens.read`.

        Columns have AWS's names and types: integers of 32 bits, or 64 for counters and for `start` and `end` in Unix
        seconds, and text; null is a missing value, as ``-`` is; tags are percent-encoded. Columns that are no fields
        keep numbers, truth values and times in the file; `flowlens.read` reads them as text. The index is not stored.

        Parameters
        ----------
        target : str or path
            A folder, made when it is not there. Days can be added to it one by one.
        partition_by : tuple of str
            Folders to sort the records into by their `start` in UTC, from the outermost: any of ``"year"``,
            ``"month"``, ``"day"`` and ``"hour"``. ``()`` writes one file without folders.

        Returns
        -------
        list of pathlib.Path
            The files, one a folder, records in their order. A frame without records gives one file without folders,
            which holds the columns, or none where the target already has files.

        Raises
        ------
        FileExistsError
            If a folder to write to already holds files, or the target is laid out otherwise. Nothing is written then.
        MissingFieldError
            If the log has no `start` to make folders of.
        ValueError
            If `partition_by` is none of the above, or a column has no name of its own, or that of a folder.
        ParseError
            If a value cannot be of the type of its field.
        NotADirectoryError
            If `target` is a file.
        FlowlensError
            If `target` is a URL.

        Examples
        --------
        >>> import tempfile
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = df.flow.to_parquet(folder)
        ...     again = fl.read(folder)
        >>> [file.parent.relative_to(folder).as_posix() for file in files]
        ['year=2026/month=03/day=10']
        >>> again.equals(df)
        True
        """
        from flowlens.store import write_parquet

        return write_parquet(self._df, target, partition_by)

    @property
    def plot(self) -> FlowPlot:
        """Pictures: ``df.flow.plot.timeline()`` and others; ``df.flow.plot()`` is the time line."""
        from flowlens.plot import FlowPlot

        return FlowPlot(self)
