"""Rules that nearly allow a packet: in which one attribute they fail."""

from __future__ import annotations

from collections.abc import Iterable

from flowlens.rules.addresses import block_of, is_ipv6
from flowlens.rules.decisions import Attribute, NearMiss
from flowlens.rules.network_acls import AclEntry
from flowlens.rules.peers import Peer
from flowlens.rules.ports import HAS_PORTS, HAS_TYPES, Case, Ports
from flowlens.rules.security_groups import GroupRule

__all__ = ["near_entries", "near_rules"]


def near_rules(
    rules: Iterable[tuple[GroupRule, Peer]], protocol: int, remote: int, cases: list[Case]
) -> tuple[NearMiss, ...]:
    """Return the rules of security groups that fail on one attribute."""
    found = []
    for rule, peer in rules:
        of_ports, held = _misfit(rule.ports, protocol, cases), peer.holds(remote)
        if held is False and not of_ports:
            found.append(NearMiss(rule, _misfit_of_peer(rule, remote)))
        elif held and len(of_ports) == 1:
            found.append(NearMiss(rule, of_ports[0]))
    return tuple(found)


def near_entries(entries: Iterable[AclEntry], protocol: int, remote: int, cases: list[Case]) -> tuple[NearMiss, ...]:
    """Return the allowing entries of a network ACL that fail on one attribute."""
    found = []
    for entry in entries:
        wrong = _misfit(entry.ports, protocol, cases)
        if not entry.low <= remote <= entry.high:
            wrong.append("family" if is_ipv6(entry.low) != is_ipv6(remote) else "address")
        if entry.allows and len(wrong) == 1:
            found.append(NearMiss(entry, wrong[0]))
    return tuple(found)


def _misfit(ports: Ports, protocol: int, cases: list[Case]) -> list[Attribute]:
    """Return in what a rule differs from a packet, addresses apart."""
    if any(ports.cover(protocol, case) for case in cases):
        return []
    if ports.protocol == protocol:
        return ["ICMP type" if protocol in HAS_TYPES else "port"]
    # The port of another protocol can be compared; TCP and ICMP have nothing in common.
    if _sort(ports.protocol) != _sort(protocol):
        return ["protocol", "port"]
    same_port = any(ports._replace(protocol=protocol).cover(protocol, case) for case in cases)
    return ["protocol"] if same_port or protocol in HAS_TYPES else ["protocol", "port"]


def _sort(protocol: int) -> str:
    return "ports" if protocol in HAS_PORTS else "types" if protocol in HAS_TYPES else "neither"


def _misfit_of_peer(rule: GroupRule, remote: int) -> Attribute:
    if rule.peer_kind == "security group":
        return "reference"
    if rule.peer_kind == "address" and is_ipv6(block_of(rule.peer)[0]) != is_ipv6(remote):
        return "family"
    return "address"
