"""The ways to narrow records down. What holds them is up to the subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from flowlens.clauses import Ports, Words
from flowlens.selection import Selection
from flowlens.timespan import TimeSpan

__all__ = ["Narrowing"]

Result = TypeVar("Result")


class Narrowing(ABC, Generic[Result]):
    """Methods that keep some of the records."""

    @abstractmethod
    def _where(self, any_of: Sequence[Selection]) -> Result:
        """Keep the records that at least one of these selections holds for."""

    def select(
        self,
        selection: Selection | None = None,
        /,
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
        src_group: Words | None = None,
        dst_group: Words | None = None,
        verdict: Words | None = None,
        certainty: Words | None = None,
        kind: Words | None = None,
        min_score: float | None = None,
    ) -> Result:
        """Keep the records for which every given clause holds.

        Tables of `diagnose` and `findings` have addresses, too, and are narrowed down alike:
        ``df.flow.diagnose().flow.select(verdict="NACL_OUT")``.

        Parameters
        ----------
        selection : Selection, optional
            All clauses at once, as an explorer gives them; then none besides.
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
            ``"ingress"`` or ``"egress"``, as in `flow_direction`; where the log has none, in the `direction` that
            `add_direction` adds.
        time : (start, end)
            Records whose `start` lies in ``[start, end)``; in a table without it, whose `first` does. Times without a
            zone are UTC.
        status : str or list of str
            ``"OK"``, ``"NODATA"`` or ``"SKIPDATA"``.
        group, src_group, dst_group : str or list of str
            Values of either group, of `src_group` and of `dst_group`.
        verdict, certainty : str or list of str
            Values of these columns in a table of `diagnose`.
        kind : str or list of str
            Kinds in a table of `findings`: ``"beacon"``.
        min_score : float
            Rows of such a table with this `score` or more.

        Returns
        -------
        pandas.DataFrame, Flows or text
            Of a frame: the same columns, fewer rows, with their original index. Of anything else the same, narrowed
            down, and nothing is computed yet.

        Raises
        ------
        MissingFieldError
            If a clause needs a field that the log does not have.
        TypeError
            If a selection is given and clauses besides.
        ValueError
            If an address, port, protocol or time cannot be understood.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.select(src="10.20.0.0/16", dst_port="postgres", action="REJECT"))
        605
        """
        clauses = Selection(
            src=src, dst=dst, host=host, src_port=src_port, dst_port=dst_port, port=port, protocol=protocol,
            action=action, interface=interface, direction=direction, time=time, status=status, group=group,
            src_group=src_group, dst_group=dst_group, verdict=verdict, certainty=certainty, kind=kind,
            min_score=min_score,
        )  # fmt: skip
        if selection is None:
            return self._where([clauses])
        if not isinstance(selection, Selection):
            raise TypeError(f"select takes clauses by name, like src={selection!r}, or one fl.Selection")
        if clauses.clauses:
            raise TypeError("select takes one fl.Selection or clauses, not both; chain them: .flow.select(...)")
        return self._where([selection])

    def accepted(self) -> Result:
        """Keep the records of traffic that was let through.

        Returns
        -------
        pandas.DataFrame, Flows or text
            Of a frame: the same columns, fewer rows, with their original index. Of anything else the same, narrowed
            down, and nothing is computed yet.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.accepted())
        67303
        """
        return self.select(action="ACCEPT")

    def rejected(self) -> Result:
        """Keep the records of traffic that was refused.

        Returns
        -------
        pandas.DataFrame, Flows or text
            Of a frame: the same columns, fewer rows, with their original index. Of anything else the same, narrowed
            down, and nothing is computed yet.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.rejected())
        5144
        """
        return self.select(action="REJECT")

    def between(self, a: Words, b: Words) -> Result:
        """Keep the records between two sides, in both directions.

        Parameters
        ----------
        a, b : str or list of str
            The sides: addresses or CIDR prefixes.

        Returns
        -------
        pandas.DataFrame, Flows or text
            Of a frame: the same columns, fewer rows, with their original index. Of anything else the same, narrowed
            down, and nothing is computed yet.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.between("10.20.11.30", "10.20.20.0/24"))
        1621
        """
        there = Selection(src=a, dst=b)
        back = Selection(src=there.dst, dst=there.src)
        return self._where([there, back])

    def host(self, x: Words) -> Result:
        """Keep the records from or to an address or prefix.

        Parameters
        ----------
        x : str or list of str
            Addresses or CIDR prefixes.

        Returns
        -------
        pandas.DataFrame, Flows or text
            Of a frame: the same columns, fewer rows, with their original index. Of anything else the same, narrowed
            down, and nothing is computed yet.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> len(df.flow.host("198.51.100.77"))
        902
        """
        return self.select(host=x)
