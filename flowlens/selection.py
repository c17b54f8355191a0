"""Selection: one frozen description of which records are meant, and its renderings for all that can filter by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.clauses import Ports, Words, spelled
from flowlens.masks import MASKS
from flowlens.timespan import TimeSpan

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from flowlens.parse import Fields

__all__ = ["Selection"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Selection:
    """One filter: the records for which every clause holds.

    Equal filters are equal however they are written: every clause is kept as a sorted tuple of its values in one
    spelling, times as text in UTC.

    Parameters
    ----------
    src, dst, host : str or list of str
        Source, destination, or either: an address, a CIDR prefix, or several.
    src_port, dst_port, port : int, str or list of those
        Source, destination or either port: a number, a service name, a range ``"8000-8100"``, or several.
    protocol : int, str or list of those
        IANA number or name: ``6`` or ``"tcp"``.
    action, interface, direction, status : str or list of str
        Values of `action`, `interface_id`, `flow_direction` (or, for records that have none, the `direction` that
        `add_direction` adds) and `log_status`.
    time : (start, end)
        Records whose `start` lies in ``[start, end)``; in a table without it, as of `diagnose`, whose `first` does.
        Times without a zone are UTC.
    group, src_group, dst_group : str or list of str
        Values of either group, of `src_group` and of `dst_group`, which `add_groups` adds.
    verdict, certainty : str or list of str
        Values of these columns in a table of `diagnose`.
    kind : str or list of str
        Kinds in a table of `findings`.
    min_score : float
        Rows of such a table with this `score` or more.

    Attributes
    ----------
    clauses
        The clauses that are given, by name.
    code
        The call of ``df.flow.select`` that keeps the same records, as one would write it.

    Examples
    --------
    >>> import flowlens as fl
    >>> chosen = fl.Selection(dst_port="ssh", action="REJECT", src=["10.20.0.0/16", "10.20.0.0/255.255.0.0"])
    >>> chosen
    Selection(src='10.20.0.0/16', dst_port=22, action='REJECT')
    >>> print(chosen.code)
    df.flow.select(src='10.20.0.0/16', dst_port=22, action='REJECT')
    >>> print(chosen.sql("duckdb"))
    "srcaddr" LIKE '10.20.%' AND "dstport" = 22 AND "action" = 'REJECT'
    >>> print(chosen.insights())
    filter isIpv4InSubnet(srcAddr, "10.20.0.0/16") and dstPort = 22 and action = "REJECT"
    """

    src: Words | None = None
    dst: Words | None = None
    host: Words | None = None
    src_port: Ports | None = None
    dst_port: Ports | None = None
    port: Ports | None = None
    protocol: Ports | None = None
    action: Words | None = None
    interface: Words | None = None
    direction: Words | None = None
    time: TimeSpan | None = None
    status: Words | None = None
    group: Words | None = None
    src_group: Words | None = None
    dst_group: Words | None = None
    verdict: Words | None = None
    certainty: Words | None = None
    kind: Words | None = None
    min_score: float | None = None

    def __post_init__(self) -> None:
        """Bring every clause into one form, so that equal filters are equal, and find mistakes at once."""
        for name, value in self.clauses.items():
            object.__setattr__(self, name, spelled(name, value))

    @property
    def clauses(self) -> dict[str, Any]:
        """The clauses that are given, by name."""
        given = ((clause.name, getattr(self, clause.name)) for clause in fields(self))
        return {name: value for name, value in given if value is not None}

    def __repr__(self) -> str:
        return f"Selection({_arguments(self.clauses)})"

    @property
    def code(self) -> str:
        """The call of ``df.flow.select`` that keeps the same records, as one would write it."""
        return f"df.flow.select({_arguments(self.clauses)})"

    def mask(self, df: pd.DataFrame) -> np.ndarray:
        """Tell for each record of a frame whether it is selected.

        Parameters
        ----------
        df : pandas.DataFrame
            Flow log records, or a table of `diagnose` or `findings`.

        Returns
        -------
        numpy.ndarray of bool
            One value a row.

        Raises
        ------
        MissingFieldError
            If a clause needs a field that the frame does not have.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> int(fl.Selection(action="REJECT").mask(df).sum())
        5144
        """
        mask = np.ones(len(df), bool)
        for name, value in self.clauses.items():
            mask &= MASKS[name](df, value)
        return mask

    def predicate(self, table: ir.Table) -> ir.BooleanValue:
        """Return the condition of Ibis by which a table of any engine is filtered.

        Parameters
        ----------
        table : ibis.Table
            Records with the columns of a frame, addresses and other words as text, times as Unix seconds.

        Returns
        -------
        ibis.expr.types.BooleanValue
            For ``table.filter``.

        Raises
        ------
        MissingFieldError
            If a clause needs a column that the table does not have.

        Examples
        --------
        >>> import ibis, flowlens as fl
        >>> table = ibis.memtable({"srcaddr": ["10.0.0.1", "10.0.1.1"]})
        >>> table.filter(fl.Selection(src="10.0.0.0/24").predicate(table)).count().execute()
        1
        """
        from flowlens.predicates import predicate

        return predicate(table, self)

    def sql(self, dialect: str = "duckdb") -> str:
        """Return the condition of SQL, what stands behind WHERE.

        Parameters
        ----------
        dialect : str
            ``"duckdb"``, ``"athena"``, ``"spark"``, or another that Ibis knows.

        Returns
        -------
        str
            A condition on the columns of AWS's table definitions: words are text, `start` is in Unix seconds.

        Raises
        ------
        ValueError
            If there is no such dialect.

        Examples
        --------
        >>> import flowlens as fl
        >>> print(fl.Selection(port="https", time=("2026-03-10 14:00", None)).sql("athena"))
        ("srcport" = 443 OR "dstport" = 443) AND "start" >= 1773151200
        """
        from flowlens.engine import condition

        return condition(self.predicate, dialect)

    def insights(self, *, fields: Fields = "default") -> str:
        """Return the commands of CloudWatch Logs Insights that keep the same records.

        Parameters
        ----------
        fields : str or list of str
            The format of the flow log: its LogFormat, field names, ``"default"`` or ``"tgw"``.

        Returns
        -------
        str
            A ``filter`` command, behind the ``parse`` that a custom format needs; empty where every record is meant.

        Raises
        ------
        EngineError
            If a clause is about something that is not in the log: groups, verdicts, findings.
        MissingFieldError
            If a clause needs a field that is not in the format.

        Examples
        --------
        >>> import flowlens as fl
        >>> print(fl.Selection(action="REJECT").insights(fields="${srcaddr} ${dstaddr} ${action}"))
        parse @message "* * *"
            as srcaddr, dstaddr, action
        | filter action = "REJECT"
        """
        from flowlens.insights import kept_records
        from flowlens.parse import layout_of

        return kept_records([[self]], layout_of(fields))


def _arguments(clauses: Mapping[str, object]) -> str:
    """Write clauses as arguments: one value by itself, several as a list."""
    return ", ".join(f"{name}={_written(name, value)}" for name, value in clauses.items())


def _written(name: str, value: Any) -> str:  # noqa: ANN401
    if name in {"time", "min_score"}:
        return repr(value)
    return repr(value[0]) if len(value) == 1 else repr(list(value))
