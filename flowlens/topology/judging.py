"""What the rules of a topology decide, as methods. How they are read is up to `flowlens.rules`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.rules import RoundTrip, Rules
    from flowlens.topology.network import Topology

__all__ = ["Judging"]


class Judging:
    """The part of a topology that answers for its security groups and network ACLs."""

    @cached_property
    def rules(self) -> Rules:
        """The security groups and network ACLs, ready to be asked about single packets."""
        from flowlens.rules import Rules

        return Rules(cast("Topology", self))

    def evaluate(
        self,
        src: str,
        dst: str,
        *,
        dst_port: int | str | None,
        src_port: int | str | None = None,
        protocol: int | str = "tcp",
    ) -> RoundTrip:
        """Ask every security group and network ACL between two ends, for the request and for the reply.

        Three answers are possible: what depends on a document that the topology does not hold is unknown, and never
        taken for allowed or refused.

        Parameters
        ----------
        src, dst : str
            Who asks and who answers: an address, or the id of an interface where VPCs have the address twice. One of
            them may be outside the topology.
        dst_port : int or str, optional
            Destination port of the request, a number or the name of a service; None for protocols that have none. Of
            ICMP a ping is asked about.
        src_port : int or str, optional
            Port of the client. Without it the reply is asked about for all ports that such a client may use.
        protocol : int or str
            IANA number or name.

        Returns
        -------
        RoundTrip
            `outcome` (ALLOW, DENY or UNKNOWN), `hops` (every decision in the order of the packets), `blocked_by` (the
            filters that refuse first), `surfaces_after_fix` (those that refuse later on), `unknown` (what is missing),
            `assumptions`, `aws_code` (as in the Reachability Analyzer), `frame()` and `fix()`.

        Raises
        ------
        TopologyError
            If an address may be that of several interfaces, neither is in the topology, or a document cannot be read.
        ValueError
            If an argument is no address, port or protocol.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> trip = topology.evaluate("10.20.11.30", "10.20.20.10", dst_port=5432)
        >>> trip.outcome
        DENY
        >>> [(each["layer"], each["direction"], each["rule"]) for each in trip.blocked_by]
        [('security_group', 'ingress', 'missing')]
        >>> trip.frame()[["packet", "direction", "layer", "outcome", "rule"]].head(4)
            packet direction           layer outcome     rule
        0  request    egress  security_group   allow    allow
        1  request    egress     network_acl   allow    allow
        2  request   ingress     network_acl   allow    allow
        3  request   ingress  security_group    deny  missing
        """
        from flowlens.rules.asked import evaluate

        topology = cast("Topology", self)
        return evaluate(topology, src, dst, dst_port=dst_port, src_port=src_port, protocol=protocol)

    def unused_rules(self, df: pd.DataFrame) -> pd.DataFrame:
        """List the rules of security groups that no accepted request of a log needed.

        Every rule of every group at the interface is compared in full with every accepted request: protocol, port and
        address, real ones behind gateways and balancers. Replies and refused traffic are no use of a rule. A request
        that several rules allow counts for all of them.

        Parameters
        ----------
        df : pandas.DataFrame
            Records as from `read`. They show what happened in their time, which may be shorter than the rhythm of
            the business: no rule is safe to remove for its silence alone.

        Returns
        -------
        pandas.DataFrame
            One row a rule that is not needed as far as the log tells: `security_group, direction, rule, text`, and

            - `status`, *no evidence* (no request needed it), *overlapped* (other rules allow all that it was used for),
              *not logged* (no interface that carries the group is in the log) or *unknown* (it may be used, but the
              topology does not hold the group or prefix list that it names),
            - `caution`, what may need it nevertheless,
            - `requests, active_days, last_seen` of the requests it allowed,
            - `interfaces` that carry the group, those `not_logged`, and the rules it is `overlapped_by`,
            - `window_first, window_last`, the time of the log.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If records were lost (SKIPDATA), or the log holds no accepted traffic.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> morning = fl.sample().flow.select(time=("2026-03-10", "2026-03-10 12:00"))
        >>> unused = topology.unused_rules(morning)
        >>> unused[unused["text"].str.contains("TCP 5432|TCP 80 ")][["text", "status", "requests"]]
                                      text       status  requests
        0  TCP 5432 from sg-08ff4224774701b48  no evidence         0
        1               TCP 80 from 0.0.0.0/0  no evidence         0
        2                    TCP 80 from ::/0  no evidence         0
        """
        from flowlens.advice import unused_rules

        return unused_rules(cast("Topology", self), df)

    def suggest_rules(self, df: pd.DataFrame) -> pd.DataFrame:
        """Suggest narrower rules of security groups, by what a log shows them to be used for.

        Each suggestion allows a part of what the rule allows now. All of them together were tried on a copy of the
        topology: every request that was served still passes, none that the rules refuse passes. Nothing is applied.

        Parameters
        ----------
        df : pandas.DataFrame
            Records as from `read`.

        Returns
        -------
        pandas.DataFrame
            One row a rule that could be narrower: `security_group, direction, rule, text`, and

            - `suggestion`, the rules in its place as texts, and `calls`, the EC2 API calls, first those that add,
            - `allowed_before, allowed_after`, addresses times ports,
            - `requests, peers, active_days, first, last` of the requests that were served,
            - `left_out`, distinct requests that were let in and got no data, as scans do: they would be refused,
            - `interfaces` where it was used, and those `without_evidence` that carry the group, too: a change is in
              force for all of them,
            - `window_first, window_last`, the time of the log.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If records were lost (SKIPDATA), or the log holds no accepted traffic.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> morning = fl.sample().flow.select(time=("2026-03-10", "2026-03-10 12:00"))
        >>> suggested = topology.suggest_rules(morning)
        >>> ssh = suggested[suggested["text"] == "TCP 22 from 0.0.0.0/0"].iloc[0]
        >>> ssh["suggestion"]
        ['TCP 22 from 192.0.2.66/32', 'TCP 22 from 203.0.113.5/32']
        >>> ssh["allowed_before"], ssh["allowed_after"]
        (4294967296, 2)
        """
        from flowlens.advice import suggest_rules

        return suggest_rules(cast("Topology", self), df)
