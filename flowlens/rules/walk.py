"""The way of a request and its reply through the filters, in the order in which they meet them.

https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html: what leaves meets the security groups and
then the network ACL, what arrives the network ACL and then the security groups. Network ACLs are at the edge of a
subnet, so they see nothing of what stays inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from flowlens.rules.clients import ClientPorts
from flowlens.rules.ends import End
from flowlens.rules.hops import Hop
from flowlens.rules.packets import Header, Outcome
from flowlens.topology.parts import Interface

if TYPE_CHECKING:
    from flowlens.rules.evaluate import Rules

__all__ = ["Leg", "Request", "hops", "is_classic_balancer"]

# https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
_NO_RULE_APPLIES, _NO_RULES = "ENI_SG_RULES_MISMATCH", "SG_HAS_NO_RULES"
_ACL, _ACL_OF_CLASSIC_BALANCER = "SUBNET_ACL_RESTRICTION", "ELB_ACL_RESTRICTION"

# Echo and the like; every other type has no reply. https://www.iana.org/assignments/icmp-parameters, icmpv6-parameters
_REPLY_TYPE = {1: {8: 0, 13: 14, 15: 16, 17: 18}, 58: {128: 129}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked about: the first packet of a connection.

    Attributes
    ----------
    src, dst
        Addresses.
    protocol
        IANA number.
    dst_port, src_port
        None where they are not known, or the protocol has none.
    icmp_type, icmp_code
        None where they are not known.
    """

    src: str
    dst: str
    protocol: int
    dst_port: int | None = None
    src_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    @property
    def has_reply(self) -> bool:
        """Whether anything answers it."""
        types = _REPLY_TYPE.get(self.protocol)
        return types is None or self.icmp_type is None or self.icmp_type in types

    def going_to(self, remote: str) -> Header:
        """Return what the filters see of the request, `remote` being the far end."""
        return Header(self.protocol, remote, self.dst_port, self.icmp_type, self.icmp_code)

    def answered_to(self, remote: str, ports: ClientPorts | None) -> Header:
        """Return what the filters see of the reply, which goes to the port that the client asked from."""
        kind = None if self.icmp_type is None else _REPLY_TYPE[self.protocol][self.icmp_type]
        code = None if kind is None else 0
        port = self.src_port if self.src_port is not None or ports is None else (ports.first, ports.last)
        return Header(self.protocol, remote, port, kind, code)


@dataclass(frozen=True, slots=True)
class Leg:
    """One end on the way: whose filters, the address that they see at the far end, and whether the NACL is passed.

    Attributes
    ----------
    end
        Whose filters.
    remote
        None where it is not known.
    acls
        The packets that the network ACL sees.
    missing
        Why the address is not known.
    is_same_subnet, may_be_same_subnet
        Whether both ends are in one subnet, and whether they may be, as far as is known.
    """

    end: End
    remote: str | None
    acls: frozenset[Literal["request", "reply"]]
    missing: str = ""
    is_same_subnet: bool = False
    may_be_same_subnet: bool = False


def hops(rules: Rules, request: Request, source: Leg, target: Leg, ports: ClientPorts | None) -> tuple[Hop, ...]:
    """Ask every filter on the way there and back."""
    found: list[Hop] = []
    for packet in ("request", "reply") if request.has_reply else ("request",):
        there = packet == "request"
        for leg, leaves in ((source, True), (target, False)) if there else ((target, True), (source, False)):
            if not leg.end.is_outside:
                found += _stop(rules, request, leg, packet, ports, leaves=leaves)
    return tuple(replace(hop, position=place) for place, hop in enumerate(found, start=1))


def is_classic_balancer(end: End) -> bool:
    """Tell whether an end is a Classic Load Balancer."""
    interface = end.interface
    return interface is not None and interface.kind == "ELB" and (interface.name or "").endswith("(classic)")


def _stop(
    rules: Rules,
    request: Request,
    leg: Leg,
    packet: Literal["request", "reply"],
    ports: ClientPorts | None,
    *,
    leaves: bool,
) -> list[Hop]:
    header = None
    if leg.remote is not None:
        header = request.going_to(leg.remote) if packet == "request" else request.answered_to(leg.remote, ports)
    end = leg.end
    blank = Hop(
        position=0,
        packet=packet,
        layer="security_group",
        direction="egress" if leaves else "ingress",
        interface=None if end.interface is None else end.interface.id,
        subnet=end.subnet,
        security_groups=() if end.interface is None else end.interface.security_groups,
        outcome=Outcome.UNKNOWN,
        unknown=(leg.missing,) if leg.missing else (),
        header=header,
    )
    found = [_of_groups(rules, blank, leg)]
    if packet in leg.acls:
        found.append(_of_acl(rules, blank, leg))
    return found if leaves else found[::-1]


def _of_groups(rules: Rules, hop: Hop, leg: Leg) -> Hop:
    interface = leg.end.interface
    if hop.packet == "reply":
        # Where the request was let through, the connection is tracked, or a rule that is open to all allows the reply.
        rule = "no groups" if interface is not None and _carries_none(interface) else "tracked"
        return replace(hop, outcome=Outcome.ALLOW, rule=rule, unknown=())
    if interface is None:
        missing = f"The security groups at {leg.end.address}: no interface of the topology has this address."
        return replace(hop, unknown=(missing,))
    if _carries_none(interface):
        return replace(hop, outcome=Outcome.ALLOW, rule="no groups", unknown=())
    if hop.header is None:
        return hop
    decision = rules.of_groups(interface, egress=hop.direction == "egress", header=hop.header)
    denied = decision.outcome is Outcome.DENY
    return replace(
        hop,
        outcome=decision.outcome,
        rule={Outcome.ALLOW: "allow", Outcome.DENY: "missing"}.get(decision.outcome),
        rules=tuple(rule.name for rule in decision.rules),
        near_misses=decision.near_misses,
        unknown=decision.unknown,
        aws_code=(_NO_RULE_APPLIES if decision.has_rules else _NO_RULES) if denied else None,
    )


def _of_acl(rules: Rules, hop: Hop, leg: Leg) -> Hop:
    hop = replace(hop, layer="network_acl", security_groups=())
    if hop.header is None:
        return hop
    decision = rules.of_acl(hop.subnet, egress=hop.direction == "egress", header=hop.header)
    if leg.may_be_same_subnet and decision.outcome is not Outcome.ALLOW:
        missing = (
            "Whether both ends are in one subnet, whose network ACL would not see the traffic: describe the subnets."
        )
        return replace(hop, network_acl=decision.network_acl, unknown=(missing, *decision.unknown))
    code = _ACL_OF_CLASSIC_BALANCER if leg.is_same_subnet else _ACL
    return replace(
        hop,
        network_acl=decision.network_acl,
        outcome=decision.outcome,
        rule=decision.rule,
        rule_number=decision.rule_number,
        near_misses=decision.near_misses,
        unknown=decision.unknown,
        parts=decision.parts,
        aws_code=code if decision.outcome is Outcome.DENY else None,
    )


def _carries_none(interface: Interface) -> bool:
    return interface.lists_groups and not interface.security_groups
