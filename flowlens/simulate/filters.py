"""What security groups and network ACLs say about one packet, apart from any state.

Semantics: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html and
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import cache, lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from flowlens.simulate.world import ALL, ICMP, ICMPV6, TCP, UDP, AclEntry, Interface, Rule, World

__all__ = ["IMPLICIT_DENY_IPV4", "IMPLICIT_DENY_IPV6", "AclDecision", "Filters", "FiltersInTime", "Header"]

# The numbers under which AWS shows the entry "*" of a network ACL.
IMPLICIT_DENY_IPV4, IMPLICIT_DENY_IPV6 = 32767, 32768

_ANYWHERE = {"0.0.0.0/0", "::/0"}
_ALL_PORTS = {None, (0, 65_535)}


class Header(NamedTuple):
    """All that a filter looks at: neither the source port nor the local address is part of it.

    ``port`` is the destination port, or the ICMP type; ``code`` is the ICMP code.
    """

    protocol: int
    remote: str
    port: int
    code: int = 0


class AclDecision(NamedTuple):
    allowed: bool
    number: int


class Filters:
    """The filters of one world. Every answer depends on its arguments alone, so each is worked out once."""

    def __init__(self, world: World) -> None:
        self._groups = {g.id: g for g in world.security_groups}
        self._acls = {a.id: {False: _ordered(a.ingress), True: _ordered(a.egress)} for a in world.network_acls}
        self._members: dict[str, set[str]] = {g.id: set() for g in world.security_groups}
        for interface in world.interfaces:
            for group in interface.security_groups:
                # The addresses of members are the private ones; AWS says nothing about IPv6, which works in practice.
                self._members[group].update(a for a in (interface.address, interface.address6) if a)
        self._group_answers: dict[tuple[str, bool, Header], bool] = {}
        self._untracked_answers: dict[tuple[str, bool, Header], bool] = {}
        self._acl_answers: dict[tuple[str, bool, Header], AclDecision] = {}

    def groups_allow(self, interface: Interface, *, egress: bool, header: Header) -> bool:
        """Whether the rules of all groups at an interface, taken together, allow a packet without state."""
        key = (interface.id, egress, header)
        answer = self._group_answers.get(key)
        if answer is None:
            answer = self._group_answers[key] = any(self._allows(r, header) for r in self._rules(interface, egress))
        return answer

    def groups_let_pass_untracked(self, interface: Interface, *, egress: bool, request: Header) -> bool:
        """Whether requests of this kind and their answers are open to all, so that no state is kept for them.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
        """
        if request.protocol not in {TCP, UDP}:
            return False
        key = (interface.id, egress, request)
        answer = self._untracked_answers.get(key)
        if answer is None:
            there = (r for r in self._rules(interface, egress) if r.peer in _ANYWHERE and self._allows(r, request))
            back = (r for r in self._rules(interface, not egress) if _allows_every_port(r, request))
            answer = self._untracked_answers[key] = any(there) and any(back)
        return answer

    def acl_decides(self, acl: str, *, egress: bool, header: Header) -> AclDecision:
        """Which entry of a network ACL decides, and how; its number is that of the implicit deny when none matches."""
        key = (acl, egress, header)
        answer = self._acl_answers.get(key)
        if answer is None:
            implicit = IMPLICIT_DENY_IPV6 if ":" in header.remote else IMPLICIT_DENY_IPV4
            matching = (e for e in self._acls[acl][egress] if _covers(e.protocol, e.ports, header))
            entry = next((e for e in matching if _holds(e.cidr, header.remote)), None)
            answer = (
                AclDecision(False, implicit) if entry is None else AclDecision(entry.action == "allow", entry.number)
            )
            self._acl_answers[key] = answer
        return answer

    def _rules(self, interface: Interface, egress: bool) -> tuple[Rule, ...]:
        groups = (self._groups[g] for g in interface.security_groups)
        return tuple(r for g in groups for r in (g.egress if egress else g.ingress))

    def _allows(self, rule: Rule, header: Header) -> bool:
        if not _covers(rule.protocol, rule.ports, header):
            return False
        if rule.peer.startswith("sg-"):
            return header.remote in self._members.get(rule.peer, ())
        return _holds(rule.peer, header.remote)


class FiltersInTime:
    """The filters of a world as they are at any second of it."""

    def __init__(self, world: World) -> None:
        changes = sorted(world.changes, key=lambda change: change.at)
        self.edits = tuple(change.at for change in changes)
        self._filters = [Filters(world)]
        for change in changes:
            group, acl = change.security_group, change.network_acl
            groups = tuple(group if group and g.id == group.id else g for g in world.security_groups)
            acls = tuple(acl if acl and a.id == acl.id else a for a in world.network_acls)
            world = replace(world, security_groups=groups, network_acls=acls)
            self._filters.append(Filters(world))

    def at(self, second: float) -> Filters:
        """Return the filters that a packet of this second meets."""
        return self._filters[bisect_right(self.edits, second)]


def _allows_every_port(rule: Rule, header: Header) -> bool:
    anybody = rule.peer in _ANYWHERE and (":" in rule.peer) == (":" in header.remote)
    return anybody and (rule.protocol == ALL or (rule.protocol == header.protocol and rule.ports in _ALL_PORTS))


def _ordered(entries: tuple[AclEntry, ...]) -> tuple[AclEntry, ...]:
    return tuple(sorted(entries, key=lambda e: e.number))


def _covers(protocol: int, ports: tuple[int, int] | None, header: Header) -> bool:
    if protocol == ALL:
        return True
    if protocol != header.protocol:
        return False
    if ports is None:
        return True
    if protocol in {TCP, UDP}:
        return ports[0] <= header.port <= ports[1]
    if protocol in {ICMP, ICMPV6}:
        icmp_type, code = ports
        return icmp_type in {-1, header.port} and code in {-1, header.code}
    # The EC2 API ignores ports for every other protocol.
    return True


@cache
def _bounds(cidr: str) -> tuple[int, int, int]:
    network = ip_network(cidr)
    return network.version, int(network[0]), int(network[-1])


@lru_cache(maxsize=100_000)
def _number(address: str) -> tuple[int, int]:
    parsed = ip_address(address)
    return parsed.version, int(parsed)


def _holds(cidr: str, address: str) -> bool:
    """Whether an address is in a CIDR block; never so for two address families."""
    version, low, high = _bounds(cidr)
    family, number = _number(address)
    return version == family and low <= number <= high
