"""What proposed EC2 API calls do to a world of the simulator, and which of its packets they are about.

Nothing here asks flowlens: the calls are read as AWS would read them, and the simulator plays the world again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from flowlens.simulate import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Conversation,
    Interface,
    Rule,
    Simulation,
    World,
)
from flowlens.simulate.actors import conversations
from flowlens.simulate.filters import Filters
from flowlens.simulate.routes import Hop, Routes

__all__ = ["after", "arguments", "blockers", "covers", "planned", "refused_by_rules", "routes"]

BESIDE_THE_ARGUMENTS = {"cli", "terraform", "affects", "why"}
_NUMBERS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmpv6": ICMPV6, "-1": ALL}
_SIDES = {"authorize-security-group-ingress": "ingress", "authorize-security-group-egress": "egress"}

Call = dict[str, Any]


def arguments(calls: Iterable[Call]) -> list[Call]:
    """The calls without what stands beside their arguments."""
    return [{key: value for key, value in call.items() if key not in BESIDE_THE_ARGUMENTS} for call in calls]


def after(world: World, calls: Iterable[Call]) -> World:
    """The world as it is after some calls; one that AWS would refuse raises an error."""
    for call in calls:
        side = _SIDES.get(call["api"])
        if side is not None:
            (old,) = (group for group in world.security_groups if group.id == call["GroupId"])
            new = replace(old, **{side: (*getattr(old, side), *_rules(call))})
            groups = tuple(new if group is old else group for group in world.security_groups)
            world = replace(world, security_groups=groups)
            continue
        assert call["api"] == "create-network-acl-entry", call["api"]
        side = "egress" if call["Egress"] else "ingress"
        (old,) = (acl for acl in world.network_acls if acl.id == call["NetworkAclId"])
        assert 1 <= call["RuleNumber"] <= 32_766
        new = replace(old, **{side: (*getattr(old, side), _entry(call))})  # the world refuses a number twice
        world = replace(world, network_acls=tuple(new if acl is old else acl for acl in world.network_acls))
    return world


def _rules(call: Call) -> Iterator[Rule]:
    for permission in call["IpPermissions"]:
        protocol = _protocol(permission["IpProtocol"])
        ports = (permission["FromPort"], permission["ToPort"]) if "FromPort" in permission else None
        peers = [
            *(each["CidrIp"] for each in permission.get("IpRanges", ())),
            *(each["CidrIpv6"] for each in permission.get("Ipv6Ranges", ())),
            *(each["GroupId"] for each in permission.get("UserIdGroupPairs", ())),
        ]
        assert peers, permission
        for peer in peers:
            yield Rule(protocol=protocol, peer=peer, ports=ports)


def _entry(call: Call) -> AclEntry:
    ports, icmp = call.get("PortRange"), call.get("IcmpTypeCode")
    return AclEntry(
        number=call["RuleNumber"],
        action=call["RuleAction"],
        protocol=_protocol(call["Protocol"]),
        cidr=call["CidrBlock"] if "CidrBlock" in call else call["Ipv6CidrBlock"],
        ports=(ports["From"], ports["To"]) if ports else (icmp["Type"], icmp["Code"]) if icmp else None,
    )


def _protocol(name: str) -> int:
    return _NUMBERS[name] if name in _NUMBERS else int(name)


def planned(sim: Simulation, *, seed: int, hours: float) -> list[Conversation]:
    """The conversations in the order of the truth."""
    return list(conversations(sim.world.traffic, seed=seed, seconds=hours * 3_600))


def routes(sim: Simulation, *, seed: int, hours: float) -> list[tuple[tuple[Hop, ...], tuple[Hop, ...]]]:
    """The hops of each conversation there and back, in the order of the truth."""
    found = Routes(sim.world)
    ways = [found.between(plan, number) for number, plan in enumerate(planned(sim, seed=seed, hours=hours))]
    return [(way.forward, way.reverse) for way in ways]


def blockers(world: World, forward: Iterable[Hop], reverse: Iterable[Hop]) -> list[tuple[str, str, int | None]]:
    """What refuses a connection of its own on its way there and back: layer, id and number of the deciding entry.

    Security groups let replies pass.
    """
    filters = Filters(world)
    found = []
    for hop in (*forward, *reverse):
        side = "OUT" if hop.key.egress else "IN"
        acl = filters.acl_decides(hop.subnet.network_acl, egress=hop.key.egress, header=hop.header)
        refused_by_group = (
            hop.is_request
            and bool(hop.interface.security_groups)
            and not filters.groups_allow(hop.interface, egress=hop.key.egress, header=hop.header)
        )
        here = [(f"SG_{side}", hop.interface.id, None)] if refused_by_group else []
        if hop.crosses_subnet and not acl.allowed:
            here.append((f"NACL_{side}", hop.subnet.id, acl.number))
        found += here if hop.key.egress else here[::-1]
    return found


def refused_by_rules(sim: Simulation) -> dict[int, tuple[str, str]]:
    """The first filter whose rules refused each conversation that was."""
    found: dict[int, tuple[str, str]] = {}
    for refused in sim.refusals:
        if refused.refusal.cause == "rules":
            found.setdefault(refused.conversation, (refused.refusal.layer, refused.refusal.filter_at))
    return found


def covers(call: Call, hop: Hop, world: World) -> bool:
    """Whether a packet at an interface is one that the rule of a call is about."""
    ingress = not (call["Egress"] if "Egress" in call else call["api"].endswith("egress"))
    if hop.key.egress is ingress:
        return False
    if "NetworkAclId" in call:
        entry = _entry(call)
        here = hop.crosses_subnet and hop.subnet.network_acl == call["NetworkAclId"]
        return here and _is_about(entry.protocol, entry.ports, hop) and _is_in(hop.header.remote, entry.cidr, ())
    here = call["GroupId"] in hop.interface.security_groups
    return here and any(
        _is_about(rule.protocol, rule.ports, hop) and _is_in(hop.header.remote, rule.peer, world.interfaces)
        for rule in _rules(call)
    )


def _is_about(protocol: int, ports: tuple[int, int] | None, hop: Hop) -> bool:
    header = hop.header
    if protocol != header.protocol:
        return False
    if protocol in {TCP, UDP}:
        return ports is not None and ports[0] <= header.port <= ports[1]
    if protocol in {ICMP, ICMPV6}:
        return ports is not None and ports[0] == header.port and ports[1] in {-1, header.code}
    return True


def _is_in(address: str, peer: str, interfaces: Iterable[Interface]) -> bool:
    if peer.startswith("sg-"):
        members = (each for each in interfaces if peer in each.security_groups)
        return any(address in {each.address, each.address6} for each in members)
    return ip_address(address) in ip_network(peer)


def is_narrow(call: Call, forward: Iterable[Hop], reverse: Iterable[Hop], world: World) -> bool:
    """Whether a call opens one filter on a way for one far end, one protocol and one port, or the ports of a client."""
    hops = [(hop, True) for hop in forward] + [(hop, False) for hop in reverse]
    return any(covers(call, hop, world) and _fits(call, hop, world, asks=asks) for hop, asks in hops)


def _fits(call: Call, hop: Hop, world: World, *, asks: bool) -> bool:
    (rule,) = (_entry(call),) if "NetworkAclId" in call else _rules(call)
    peer = rule.cidr if isinstance(rule, AclEntry) else rule.peer
    if peer.startswith("sg-"):
        carriers = (each for each in world.interfaces if hop.header.remote in {each.address, each.address6})
        alone = any(peer in each.security_groups for each in carriers)
    else:
        alone = ip_network(peer).num_addresses == 1
    if hop.header.protocol not in {TCP, UDP} or not alone or rule.ports is None:
        return alone and (hop.header.protocol not in {TCP, UDP} or rule.ports is not None)
    first, last = rule.ports
    if asks or hop.header.port < 1_024 or hop.key.srcport == hop.key.dstport:
        return (first, last) == (hop.header.port, hop.header.port)
    return 1_024 <= first <= hop.header.port <= last
