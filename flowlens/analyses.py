"""What can be done with records wherever they are: the analyses computed, printed, drawn, and the records stored."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from flowlens.abilities import Ability, ability
from flowlens.detecting import Detecting
from flowlens.judgements import Judgements
from flowlens.reductions import Measure, Reductions
from flowlens.schema import BY_COLUMN
from flowlens.timespan import TimeSpan

if TYPE_CHECKING:
    from flowlens.engine import Step
    from flowlens.insights import InsightsText
    from flowlens.parse import Fields
    from flowlens.partitions import Partition
    from flowlens.plot.pictures import FlowPlot
    from flowlens.sqltext import SqlText
    from flowlens.topology import Topology

__all__ = ["Analyses"]


class Analyses(Judgements, Detecting, Reductions[pd.DataFrame]):
    """Reductions that give a frame, whatever computes them."""

    #: What is done with the records beyond the table that holds them.
    _steps: tuple[Step, ...] = ()

    @abstractmethod
    def _frames(self) -> Generator[pd.DataFrame]:
        """Yield frames that hold all records together; at least one."""

    def _interval(self) -> int:
        return self.interval or 600

    @abstractmethod
    def _exchange(self, a: str, b: str) -> Analyses:
        """Leave out what can be seen at once not to be between two addresses."""

    def _own(self, verb: str, find_owned: Callable[[], pd.DataFrame]) -> set[str]:
        """Return the addresses of interfaces: as the log says, and where it does not, as can be found."""
        from flowlens.reduce.scenery import own_addresses

        told = set(self._reduce(verb, own_addresses)["address"])
        return told | set(find_owned()["address"]) if "interface_id" in self._columns() else told

    def _meetings(self, verb: str) -> pd.DataFrame:
        from flowlens.reduce.ownership import meetings

        return self._reduce(verb, meetings)

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that are fields of flow log records, in their order."""
        return tuple(column for column in self._columns() if column in BY_COLUMN)

    @property
    def window(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """First `start` and last `end`; NaT where there is no record with a time."""
        from flowlens.reduce.coverage import window

        row = self._reduce("window", window)
        return row["first"].iloc[0], row["last"].iloc[0]

    @property
    def interval(self) -> int | None:
        """The aggregation interval in seconds, 60 or 600, estimated from the length of records; None without records.

        One-minute windows give no records longer than about a minute, ten-minute windows do.
        """
        from flowlens.reduce.coverage import interval_signs

        row = self._reduce("interval", interval_signs)
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
        return ability(verb, self._columns())

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

        table = self._reduce("matrix", lambda flows: summary.matrix(flows, rows=rows, cols=cols, values=values))
        crossed: pd.DataFrame = table.set_index([rows, cols])[values].unstack(fill_value=0)
        return crossed

    def costs(self, prices: pd.DataFrame | None = None, *, topology: Topology | None = None) -> pd.DataFrame:
        """Tell what the traffic costs by the path that it takes, who makes it, and what would be cheaper.

        Each byte counts once on a path, although both interfaces and a gateway on the way logged it. Several paths may
        charge for it: a NAT gateway for processing, the internet egress behind it, the way there from another zone.
        Prices by the hour are not in the log. Where it has SKIPDATA records, the sums are a lower bound.
        Where VPCs have the same addresses, vpc-id tells the zones of what stays within one and is logged at both ends;
        an address that they share has no zone in what else there is.

        Parameters
        ----------
        prices : pandas.DataFrame, optional
            The table of `flowlens.prices`, edited: `path` and `usd_per_gb`, US dollars for 2**30 bytes. By default list
            prices of us-east-1 in the first tier.
        topology : Topology, optional
            Tells which interface is that of a NAT gateway, transit gateway or endpoint, and the zones of addresses.

        Returns
        -------
        pandas.DataFrame
            One row a path, gateway, source and destination, dearest first. Rows of different paths may charge for the
            same bytes, so sum `bytes` within a path only; ``bill.groupby("path")["usd"].sum()`` is the bill by path.

            - `path`: a path of `flowlens.prices`, or *unattributed*, one row a reason,
            - `via`: id of the gateway or of its interface, and its name from the topology; missing where there is none,
            - `source`, `destination`: who. At a NAT gateway the client and the far end, bytes of both directions
              together. AWS services are named where the log tells them, what is behind an address where the topology
              does; other addresses with less than 1 % of the bytes of the path are together as *internet*, *internal*
              or *others in* their zone,
            - `bytes`,
            - `usd` and `usd_per_gb`, missing where there is no price,
            - `why`: how the path is known,
            - `advice`: what would be cheaper, and how much that saves; empty where there is none,
            - `missing`: tuple of the fields, as AWS names them, that would tell more and are not in the log.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If a price is none, or not there; it names the row.

        Examples
        --------
        >>> import flowlens as fl
        >>> bill = fl.sample().flow.costs(topology=fl.sample_topology())
        >>> bill.loc[bill["path"] == "NAT gateway", ["source", "destination", "bytes", "usd"]].head(2)
                       source    destination       bytes       usd
        1           EC2 batch  198.51.100.23  6746859544  0.282758
        5  others in euw1-az1     192.0.2.80    71364095  0.002991
        """
        from flowlens.costs import costs
        from flowlens.prices import checked
        from flowlens.reduce.costs import sightings
        from flowlens.topology import need_topology

        usd_per_gb = checked(prices)
        if topology is not None:
            need_topology(topology, "costs")
        return costs(self._reduce("costs", sightings), usd_per_gb, topology)

    # --- Take it elsewhere, show ---

    def sql(
        self,
        dialect: str = "duckdb",
        *,
        table: str = "flows",
        time: TimeSpan | None = None,
        partition: Partition | None = "projection",
    ) -> SqlText:
        """Print an analysis as SQL instead of running it.

        Parameters
        ----------
        dialect : str
            ``"duckdb"``, ``"athena"``, ``"spark"``, or another that Ibis knows.
        table : str
            The name of the table there, or ``database.table``. Its columns are those of this log, words as text and
            times as Unix seconds, as in AWS's own table definitions and in `flowlens.aws.athena_ddl`.
        time : (start, end), optional
            Records whose `start` lies in ``[start, end)``, as ``select(time=...)`` on what is returned would.
        partition : {"projection", "hive"}, optional
            How the table of Athena is partitioned, as `flowlens.aws.athena_ddl` makes it: queries that select a time
            then read no other days. None where it is not; other engines find their partitions by themselves.

        Returns
        -------
        SqlText
            Has the methods of ``df.flow`` that narrow down, and those that reduce; each of these returns the text.

        Raises
        ------
        ValueError
            If there is no such dialect or partitioning.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> athena = df.flow.sql("athena", table="vpc_flow_logs", time=("2026-03-10 14:00", "2026-03-10 15:00"))
        >>> "= '2026/03/10'" in athena.pairs(10)  # of the column day
        True
        """
        from flowlens.partitions import COLUMNS
        from flowlens.sqltext import SqlText

        if partition is not None and partition not in COLUMNS:
            raise ValueError(f"partition={partition!r} is none of {', '.join(map(repr, COLUMNS))}, or None")
        parted = partition if dialect == "athena" else None
        text = SqlText(
            columns=self._columns(),
            table=table,
            dialect=dialect,
            partition=parted,
            steps=self._steps,
            find_interval=self._interval,
            find_meetings=self._meetings,
        )
        return text if time is None else text.select(time=time)

    def insights(self, *, fields: Fields | None = None) -> InsightsText:
        """Print an analysis as a query of CloudWatch Logs Insights instead of running it.

        Queries take the log as it lies in its log group, so they have to know its format. The columns tell it
        if they are those of the log in their order; columns that you added behind them do not matter. Where some were
        left out or moved, pass `fields`.

        Parameters
        ----------
        fields : str or list of str, optional
            The format of the flow log: its LogFormat, field names, ``"default"`` or ``"tgw"``.

        Returns
        -------
        InsightsText
            Has the methods of ``df.flow`` that select, and those that reduce; each of these returns the text.

        Raises
        ------
        ValueError
            If `fields` is no format, or the columns cannot be one.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> print(df.flow.insights(fields="default").select(action="REJECT", dst_port="ssh").top_talkers(3))
        filter srcAddr != "-"
        | filter dstPort = 22 and action = "REJECT"
        | stats count(*) as flows, sum(packets) as packets, sum(bytes) as bytes, count_distinct(dstAddr) as peers
            by srcAddr
        | sort bytes desc, srcAddr asc
        | limit 3
        >>> df.flow.insights().timeline("1h").splitlines()[-1]
        '| limit 100000'
        """
        from flowlens.insights import InsightsText, fields_of_log
        from flowlens.parse import layout_of

        log = fields_of_log(self._columns()) if fields is None else layout_of(fields)
        return InsightsText(log, self._steps)

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
            The files, one a folder, records in their order; of a scan that goes back and forth between more than 64
            folders, more than one. A frame without records gives one file without folders,
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

        return write_parquet(self._frames(), target, partition_by)

    @property
    def plot(self) -> FlowPlot:
        """Pictures: ``df.flow.plot.timeline()`` and others; ``df.flow.plot()`` is the time line."""
        from flowlens.plot.pictures import FlowPlot

        return FlowPlot(self, self._course, self._beat)
