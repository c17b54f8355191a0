"""Narrower rules in the place of a wide one, by the requests that it allowed.

Each allows a part of what the wide one does, so that nothing becomes possible that was not. Who is inside the VPC is
allowed by a group, who is outside by the single address; where these are many, the addresses of the wide rule stay and
only its ports get fewer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from flowlens.rules.addresses import block_of
from flowlens.rules.ports import ALL, HAS_PORTS, HAS_TYPES, Ports
from flowlens.rules.security_groups import GroupRule

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["allowed", "narrower", "permission_of"]

# More rules than these in the place of one would fill the quota of 60 and follow addresses that change every day.
_MOST_PEERS, _MOST_PORTS = 10, 5
_LAST_PORT = 65_535
_NAMES = {ALL: "-1", 6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}


def narrower(topology: Topology, rule: GroupRule, used: pd.DataFrame) -> list[GroupRule]:
    """Return the rules that allow what was used and less than the wide one does; none where it is narrow already.

    Parameters
    ----------
    topology
        Tells who is behind an address.
    rule
        The wide rule.
    used
        The requests it allowed: `protocol, port, remote`.
    """
    found: dict[tuple[Ports, str], GroupRule] = {}
    for ports, remotes in _by_ports(rule, used):
        for peer, kind in _peers(topology, rule, remotes):
            found[ports, peer] = replace(rule, ports=ports, peer=peer, peer_kind=kind, id=None)  # type: ignore[arg-type]
    proposed = [replace(each, place=place) for place, each in enumerate(found.values())]
    return proposed if sum(allowed(topology, each) for each in proposed) < allowed(topology, rule) else []


def allowed(topology: Topology, rule: GroupRule) -> int:
    """Return how much a rule allows: addresses times ports, or ICMP types and codes."""
    return _addresses(topology, rule) * _ports(rule.ports)


def permission_of(rule: GroupRule) -> dict[str, Any]:
    """Return a rule as the API has it."""
    ports = rule.ports
    found: dict[str, Any] = {"IpProtocol": _NAMES.get(ports.protocol, str(ports.protocol))}
    if ports.protocol in HAS_PORTS:
        found |= {"FromPort": ports.first, "ToPort": ports.last}
    elif ports.protocol in HAS_TYPES:
        found |= {"FromPort": ports.first if ports.first == ports.last else -1, "ToPort": ports.code}
    if rule.peer_kind == "security group":
        return found | {"UserIdGroupPairs": [{"GroupId": rule.peer}]}
    if rule.peer_kind == "prefix list":
        return found | {"PrefixListIds": [{"PrefixListId": rule.peer}]}
    if ":" in rule.peer:
        return found | {"Ipv6Ranges": [{"CidrIpv6": rule.peer}]}
    return found | {"IpRanges": [{"CidrIp": rule.peer}]}


def _by_ports(rule: GroupRule, used: pd.DataFrame) -> Iterable[tuple[Ports, list[str]]]:
    for protocol, of_protocol in used.groupby("protocol"):
        number = int(str(protocol))
        ports = sorted(int(port) for port in of_protocol["port"].dropna().unique())
        if number not in HAS_PORTS:
            # The log has neither ICMP types nor anything else to narrow these by.
            whole = Ports(number, 0, _LAST_PORT if number not in HAS_TYPES else 255, -1)
            yield (rule.ports if rule.ports.protocol != ALL else whole), list(of_protocol["remote"].unique())
        elif len(ports) > _MOST_PORTS:
            yield Ports(number, ports[0], ports[-1], -1), list(of_protocol["remote"].unique())
        else:
            for port in ports:
                yield (
                    Ports(number, port, port, -1),
                    list(of_protocol.loc[of_protocol["port"] == port, "remote"].unique()),
                )


def _peers(topology: Topology, rule: GroupRule, remotes: list[str]) -> list[tuple[str, str]]:
    if rule.peer_kind == "security group":
        return [(rule.peer, rule.peer_kind)]
    groups = {remote: _group_within(topology, rule, remote) for remote in remotes}
    alone = sorted(remote for remote, group in groups.items() if group is None)
    peers = sorted({group for group in groups.values() if group is not None})
    if len(peers) + len(alone) > _MOST_PEERS:
        return [(rule.peer, rule.peer_kind)]
    return [
        *((group, "security group") for group in peers),
        *((f"{remote}/{128 if ':' in remote else 32}", "address") for remote in alone),
    ]


def _group_within(topology: Topology, rule: GroupRule, remote: str) -> str | None:
    """Return the smallest group of who has an address, if the wide rule allows all its members."""
    homes = {member.vpc for member in topology.members(rule.security_group)}
    found = [each for each in topology.holders(remote) if each.vpc in homes]
    if len(found) != 1 or rule.peer_kind != "address":
        return None
    within = [
        group
        for group in found[0].security_groups
        if group in topology.security_groups and all(_has(rule.peer, own) for own in _own(topology, group))
    ]
    return min(within, key=lambda group: (len(topology.members(group)), group), default=None)


def _own(topology: Topology, group: str) -> list[tuple[int, int]]:
    """Return the addresses and delegated prefixes of the members of a group, as blocks."""
    members = topology.members(group)
    return [block_of(each) for one in members for each in (*one.addresses, *one.addresses6, *one.prefixes)]


def _has(cidr: str, block: tuple[int, int]) -> bool:
    low, high = block_of(cidr)
    return low <= block[0] and block[1] <= high


def _addresses(topology: Topology, rule: GroupRule) -> int:
    if rule.peer_kind == "security group":
        return sum(high - low + 1 for low, high in _own(topology, rule.peer))
    cidrs = topology.prefix_lists.get(rule.peer, ()) if rule.peer_kind == "prefix list" else (rule.peer,)
    return sum(high - low + 1 for low, high in map(block_of, cidrs))


def _ports(ports: Ports) -> int:
    if ports.protocol == ALL:
        return 256 * (_LAST_PORT + 1)
    codes = 256 if ports.protocol in HAS_TYPES and ports.code == -1 else 1
    return (ports.last - ports.first + 1) * codes if ports.protocol in HAS_PORTS | HAS_TYPES else 1
