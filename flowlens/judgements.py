"""What is judged of the records: verdicts, with the evidence beside each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from flowlens.cards.explained import Explanation
    from flowlens.diagnose import Course, Found, Scope
    from flowlens.topology import Topology

__all__ = ["Judgements"]


class Judgements(ABC):
    """Methods that reduce the records and draw conclusions from the small tables they get."""

    @abstractmethod
    def _columns(self) -> Sequence[str]:
        """Return the columns of the records."""

    @abstractmethod
    def _interval(self) -> int:
        """Return the aggregation interval of the log in seconds."""

    @abstractmethod
    def _directed(self, topology: Topology | None) -> Judgements:
        """Return the records with `flow_direction` inferred where it is missing, and their places if in a frame."""

    @abstractmethod
    def _judged(self, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:
        """Apply a reduction for a table that is judged: words are categories."""

    @abstractmethod
    def _exchange(self, a: str, b: str) -> Judgements:
        """Leave out what can be seen at once not to be between two addresses."""

    @abstractmethod
    def _labels(self) -> pd.Index | None:
        """Return the labels of the records; None where they have none, as in files."""

    def diagnose(self, *, topology: Topology | None = None, scope: Scope = "internal") -> pd.DataFrame:
        """Tell of each refused conversation which filter refused it: security group, network ACL, or something else.

        A record does not say which filter refused a packet. What was accepted near it often proves it, and the rules
        always do. Where neither tells, the answer is both filters, and what would decide between them. A certain
        verdict is deduced, never weighed.

        Parameters
        ----------
        topology : Topology, optional
            Interfaces, subnets, security groups and network ACLs as they were at the time of the log. Any part of them
            helps; what is missing is said.
        scope : {"internal", "all"}
            *internal* puts what the internet tried unasked into one row an interface and cause; *all* lists it one by
            one.

        Returns
        -------
        pandas.DataFrame
            One row a refused conversation and interface, in order of time:

            - `interface_id, direction, protocol, srcaddr, srcport, dstaddr, dstport` of the refused packets, as they
              stand in the packet; missing where a row stands for several,
            - `verdict`: SG_IN, SG_OUT, NACL_IN, NACL_OUT (seen from the filter), SG_OR_NACL_IN, SG_OR_NACL_OUT,
              SG_STATE (the group did not know the connection), LATE_PACKET, CONNTRACK_EXPIRED, RULE_CHANGED,
              ASYMMETRIC_PATH, BPA, ENCRYPTION_CONTROL, OTHER_REASON, INSUFFICIENT_DATA; with a topology also
              SG_IN_UNRESOLVED and CONFIG_DISAGREES,
            - `certainty`: *certain* (deduced), *likely* (ranked first), *ambiguous* (the candidates), *none*,
            - `candidates`, `excluded`: tuples of filters, ``SG_IN@eni-...`` or ``NACL_OUT@subnet-...`` (the interface
              where its subnet is not known), most likely first,
            - `why`, and `assumptions` (tuple): the deduction, and what it stands on besides the records,
            - `first`, `last`, `attempts` (retransmissions being one), `packets` (refused),
            - `records`: tuple of the labels of the records behind the verdict; empty where records have no labels, as
              in files.

            With a topology also `blocked_by` (list of dicts: the filters that refuse here, with the entry of the
            network ACL, or the missing rule and its nearest misses), `surfaces_after_fix` (those that refuse further
            on), `fix` (list of dicts: EC2 API calls that open the way, each with `api`, its arguments, `cli`,
            `terraform`, `affects` and `why`; checked on a copy of the rules, applied by nobody; empty where none should
            be proposed) and `aws_code` (the name that the Reachability Analyzer has for it).

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed. More fields prove more: tcp-flags, flow-direction, subnet-id,
            pkt-srcaddr, pkt-dstaddr, reject-reason.
        TopologyError
            If a rule in the topology cannot be read.
        ValueError
            If there is no such scope.

        Notes
        -----
        A network ACL is asked at the edge of the subnet only, keeps no state and sees nothing but direction, protocol,
        remote address and destination port; a security group lets the replies to what it has accepted pass:
        https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> found = df.flow.diagnose(topology=fl.sample_topology())
        >>> found.groupby(["verdict", "certainty"])["attempts"].sum()
        verdict      certainty
        LATE_PACKET  certain        22
        NACL_IN      certain      1394
        NACL_OUT     certain       169
        SG_IN        certain      3344
        SG_OUT       certain         5
        Name: attempts, dtype: int64
        """
        from flowlens.diagnose import diagnose
        from flowlens.reduce import rejects
        from flowlens.topology import need_topology

        self._need("diagnose")
        if topology is not None:
            need_topology(topology, "diagnose")
        if scope not in {"internal", "all"}:
            raise ValueError(f"scope={scope!r} is neither 'internal' nor 'all'")
        records, interval = self._directed(topology), self._interval()
        related = records._judged(lambda flows: rejects.related(flows, interval=interval))
        return diagnose(self._found(records, related, interval), topology=topology, scope=scope, labels=self._labels())

    def diagnose_conversation(
        self,
        src: str,
        dst: str,
        *,
        dst_port: int | str,
        protocol: int | str = "tcp",
        topology: Topology | None = None,
    ) -> pd.DataFrame:
        """Tell why a host does not reach another one at a port, also where nothing was refused.

        Parameters
        ----------
        src, dst : str
            Addresses: of the host that asks and of the one that should answer, as the log has them.
        dst_port : int or str
            The port there, a number or the name of a service; 0 for protocols without ports.
        protocol : int or str
            IANA number or name.
        topology : Topology, optional
            As for `diagnose`; it also tells what is never logged.

        Returns
        -------
        pandas.DataFrame
            The columns of `diagnose`, one row an interface and cause, what was refused first; `attempts` counts the
            conversations. Of what was not refused `verdict` is one of OK, REFUSED (a reset of the host), NO_RESPONSE,
            PATH_LOSS (it left one interface and did not arrive at the other), NOT_LOGGED, UNSOLICITED_AT_NAT and
            INSUFFICIENT_DATA.

        Raises
        ------
        ValueError
            If an argument is no address, port or protocol.
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> why = df.flow.diagnose_conversation("10.20.11.30", "10.20.20.10", dst_port="postgres")
        >>> why[["verdict", "certainty", "attempts"]]
          verdict certainty  attempts
        0   SG_IN   certain       470
        1   SG_IN    likely        81
        """
        from flowlens.diagnose import Question, diagnose_conversation
        from flowlens.reduce import rejects
        from flowlens.topology import need_topology
        from flowlens.topology.traffic import traffic_between

        self._need("diagnose_conversation")
        if topology is not None:
            need_topology(topology, "diagnose_conversation")
        asked = traffic_between(src, dst, dst_port, protocol)
        question = Question(str(asked.src), str(asked.dst), asked.dst_port or 0, asked.protocol or 0)
        records, interval = self._directed(topology), self._interval()
        ends, ports = (question.src, question.dst), (None, question.dst_port or None)
        related = records._exchange(*ends)._judged(
            lambda flows: rejects.course(
                flows, "diagnose_conversation", ends=ends, ports=ports, protocol=question.protocol, interval=interval
            )
        )
        found = self._found(records, related, interval)
        return diagnose_conversation(found, question, topology=topology, labels=self._labels())

    def explain(self, row: pd.Series | Mapping[str, Any]) -> Explanation:
        """Say what a row of a diagnosis or of a detector means: a paragraph to paste in a ticket, a card in a notebook.

        Parameters
        ----------
        row : pandas.Series
            A row of `diagnose` or `diagnose_conversation`, or of `findings`, `matches` or any other detector:
            ``found.loc[3]``.

        Returns
        -------
        Explanation
            Text like any other, which notebooks show as a card with tables.

            Of a diagnosis: what was refused, where and when, the verdict with its reason, what it assumes and rules
            out, what would open the way, and which records tell. Of a finding: what it is and why, its score with the
            terms, the numbers behind, what speaks for a harmless explanation, the nearest technique of ATT&CK, and what
            to do next.

        Raises
        ------
        ValueError
            If it is no such row.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> found = df.flow.diagnose()
        >>> text = df.flow.explain(found[found["verdict"] == "NACL_OUT"].iloc[0])
        >>> text[:105]
        '10.20.30.15:443 to 203.0.113.64:54617 (TCP) was refused on the way out at eni-0cd454b2f9a04fdf3: 1 attemp'
        >>> df.flow.explain(df.flow.beacons().loc[0])[:78]
        'Beacon, score 0.91 of 1: 10.20.11.32 to 203.0.113.250 at 443/tcp: 221 times, e'
        """
        from flowlens.cards.explained import explain

        return explain(row)

    def _course(self, row: pd.Series | Mapping[str, Any]) -> Course:
        """Return all that was logged of the conversation of a row of `diagnose`."""
        from flowlens.diagnose import Asked
        from flowlens.reduce import rejects

        asked, interval = Asked.by(row), self._interval()
        if not asked.was_logged:
            return asked.without_records()
        both = self._directed(None)._judged(
            lambda flows: rejects.course(
                flows,
                "plot.conversation",
                ends=asked.hosts,
                ports=asked.ports,
                protocol=asked.protocol,
                interval=interval,
            )
        )
        return asked.course(both, interval)

    def _need(self, verb: str) -> None:
        """Refuse records that lack a field, before anything is computed."""
        from flowlens.abilities import NEEDS
        from flowlens.columns import need_fields

        need_fields(NEEDS[verb], verb, self._columns())

    def _found(self, records: Judgements, related: pd.DataFrame, interval: int) -> Found:
        """Gather what there is around some conversations."""
        from flowlens.diagnose import Found
        from flowlens.reduce import rejects, surroundings

        return Found(
            related=related,
            alike=records._judged(lambda flows: rejects.accepted_alike(flows, interval=interval)),
            neighbours=records._judged(surroundings.accepted_beside),
            residents=records._judged(surroundings.residents),
            port_uses=records._judged(surroundings.port_uses),
            losses=records._judged(surroundings.losses_at),
            interval=interval,
            logged=self._columns(),
        )
