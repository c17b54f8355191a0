"""EC2 API calls that would open the way past one filter, in the argument names of the API.

Narrow throughout: the group of the far end where both ends are in one VPC, else its single address; one protocol and
port, and for replies the ports that such a client uses. Never 0.0.0.0/0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlens.rules.addresses import is_ipv6, number_of
from flowlens.rules.clients import reply_ports
from flowlens.rules.ends import End
from flowlens.rules.hops import Hop
from flowlens.rules.network_acls import LAST_NUMBER, AclEntry
from flowlens.rules.packets import Header
from flowlens.rules.ports import HAS_PORTS, HAS_TYPES, Case
from flowlens.service import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from flowlens.rules.round_trip import RoundTrip

__all__ = ["Call", "call_for", "free_number"]

Call = dict[str, Any]

_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
# The console begins there, and numbers in steps that leave room.
_FIRST_NUMBER, _STEP = 100, 10


def call_for(trip: RoundTrip, hop: Hop) -> Call:
    """Return the call that makes one filter of a trip let its packet through."""
    return _for_group(trip, hop) if hop.layer == "security_group" else _for_acl(trip, hop)


def free_number(entries: tuple[AclEntry, ...]) -> int | None:
    """Return the number of an entry behind all others of its direction, so that it changes nothing that they decide.

    Where there is no such number any more, it is the last free one behind those that deny; None where there is none.
    """
    last = entries[-1].number if entries else _FIRST_NUMBER - _STEP
    number = (last // _STEP + 1) * _STEP
    if number <= LAST_NUMBER:
        return number
    taken = {entry.number for entry in entries}
    last_denying = max((entry.number for entry in entries if not entry.allows), default=0)
    return next((each for each in range(LAST_NUMBER, last_denying, -1) if each not in taken), None)


def _for_group(trip: RoundTrip, hop: Hop) -> Call:
    egress = hop.direction == "egress"
    header = _header(hop)
    peer = trip.target if egress else trip.source
    permission: Call = {"IpProtocol": _NAMES.get(header.protocol, str(header.protocol))}
    if header.protocol in HAS_PORTS:
        permission |= {"FromPort": header.port, "ToPort": header.port}
    elif header.protocol in HAS_TYPES:
        permission |= {"FromPort": header.icmp_type, "ToPort": _code(header)}
    return {
        "api": f"authorize-security-group-{hop.direction}",
        "GroupId": _group_to_change(trip, hop, header),
        "IpPermissions": [permission | _far_end(trip, peer, header.remote)],
    }


def _header(hop: Hop) -> Header:
    if hop.header is None:  # a filter that has refused something was asked about it
        raise ValueError(f"hop {hop.position} has not been asked about anything")
    return hop.header


def _code(header: Header) -> int:
    return -1 if header.icmp_code is None else header.icmp_code


def _far_end(trip: RoundTrip, peer: End, remote: str) -> Call:
    group = _group_of_peer(trip, peer)
    if group is not None:
        return {"UserIdGroupPairs": [{"GroupId": group}]}
    if is_ipv6(number_of(remote)):
        return {"Ipv6Ranges": [{"CidrIpv6": f"{remote}/128"}]}
    return {"IpRanges": [{"CidrIp": f"{remote}/32"}]}


def _group_of_peer(trip: RoundTrip, peer: End) -> str | None:
    """Return the group of the far end that fewest interfaces carry, where a reference to it works: inside one VPC."""
    if peer.interface is None or trip.source.vpc is None or trip.source.vpc != trip.target.vpc:
        return None
    # References stand for private addresses; and what goes to a public one comes back from outside.
    if trip.target.is_translated:
        return None
    known = [group for group in peer.interface.security_groups if group in trip.topology.security_groups]
    return min(known, key=lambda group: (len(trip.topology.members(group)), group), default=None)


def _group_to_change(trip: RoundTrip, hop: Hop, header: Header) -> str:
    """Return the group that has rules for this port already, else the one that fewest interfaces carry."""

    def rank(group: str) -> tuple[bool, int, str]:
        rules = trip.topology.rules.of_group(group, egress=hop.direction == "egress") or ()
        value = header.icmp_type if header.protocol in HAS_TYPES else header.port
        case = Case(value if isinstance(value, int) else 0, 0, _code(header))
        has_some = any(rule.ports.cover(header.protocol, case) for rule in rules)
        return not has_some, len(trip.topology.members(group)), group

    return min(hop.security_groups, key=rank)


def _for_acl(trip: RoundTrip, hop: Hop) -> Call:
    header, egress = _header(hop), hop.direction == "egress"
    acl = trip.topology.rules.acl_of(hop.subnet)
    entries = () if acl is None else acl.entries(egress=egress)
    ipv6 = is_ipv6(number_of(header.remote))
    call: Call = {
        "api": "create-network-acl-entry",
        "NetworkAclId": hop.network_acl,
        "RuleNumber": free_number(entries),
        "Egress": egress,
        "Protocol": str(header.protocol),
        "RuleAction": "allow",
        "Ipv6CidrBlock" if ipv6 else "CidrBlock": f"{header.remote}/{128 if ipv6 else 32}",
    }
    if header.protocol in HAS_TYPES:
        return call | {"IcmpTypeCode": {"Type": header.icmp_type, "Code": _code(header)}}
    if header.protocol not in HAS_PORTS:
        return call
    if hop.packet == "request":
        return call | {"PortRange": {"From": header.port, "To": header.port}}
    client = trip.source
    ports = reply_ports(trip.request.src_port, trip.request.dst_port, client.interface, is_outside=client.is_outside)
    return call | {"PortRange": {"From": ports.first, "To": ports.last}}
