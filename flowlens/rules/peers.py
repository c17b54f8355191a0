"""Whose traffic a rule of a security group is about: addresses, the entries of a prefix list, or members of a group.

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html: a group as the source or destination stands
for the private addresses of the interfaces that carry it. That includes their IPv6 addresses and delegated prefixes,
by which the nodes and pods of EKS reach each other, though the page does not name them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from flowlens.rules.addresses import block_of, number_of
from flowlens.rules.security_groups import GroupRule
from flowlens.topology.parts import Interface

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["Peer", "Peers"]

Blocks = tuple[tuple[int, int], ...]


class Peer(Protocol):
    """Whose traffic a rule is about."""

    @property
    def missing(self) -> str:
        """What is missing where it cannot be told, as a sentence."""

    def holds(self, number: int) -> bool | None:
        """Tell whether an address is meant; None where that cannot be told."""


class Peers:
    """The peers of rules, by what a topology knows of prefix lists, interfaces and ranges of VPCs."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.of_group = cache(self._of_group)
        self._occupied = cache(self._occupied_in)

    def of(self, rule: GroupRule) -> Peer:
        """Return the peer of a rule."""
        if rule.peer_kind == "address":
            return _Addresses(*block_of(rule.peer))
        if rule.peer_kind == "prefix list":
            entries = self._topology.prefix_lists.get(rule.peer)
            return _PrefixList(rule.peer, None if entries is None else tuple(map(block_of, entries)))
        members, own = self.of_group(rule.peer), self._home_of(rule.security_group)
        elsewhere = self._home_of(rule.peer)
        if own is None or elsewhere is None or own == elsewhere:
            return members
        return _Elsewhere(rule.peer, members, self._occupied(own))

    def _home_of(self, group: str) -> str | None:
        document = self._topology.security_groups.get(group) or {}
        return document.get("VpcId") or next((each.vpc for each in self._topology.members(group)), None)

    def _of_group(self, group: str) -> _Members:
        members = self._topology.members(group)
        document, home = self._topology.security_groups.get(group), self._home_of(group)
        vpc = self._topology.vpcs.get(home or "")
        return _Members(
            group,
            is_described=document is not None or bool(members),
            occupied=_Occupied.of(members),
            others=self._occupied(home),
            ranges=None if vpc is None or not vpc.cidrs else tuple(map(block_of, vpc.cidrs)),
        )

    def _occupied_in(self, vpc: str | None) -> _Occupied:
        return _Occupied.of(each for each in self._topology.interfaces.values() if each.vpc == vpc)


@dataclass(frozen=True, slots=True)
class _Addresses:
    low: int
    high: int

    @property
    def missing(self) -> str:
        return ""

    def holds(self, number: int) -> bool | None:
        return self.low <= number <= self.high


@dataclass(frozen=True, slots=True)
class _PrefixList:
    id: str
    blocks: Blocks | None

    @property
    def missing(self) -> str:
        return f"The entries of prefix list {self.id}: pass what get-managed-prefix-list-entries prints."

    def holds(self, number: int) -> bool | None:
        return None if self.blocks is None else any(low <= number <= high for low, high in self.blocks)


@dataclass(frozen=True, slots=True)
class _Occupied:
    """The own addresses of some interfaces, and the prefixes delegated to them."""

    addresses: frozenset[int]
    prefixes: Blocks

    @classmethod
    def of(cls, interfaces: Iterable[Interface]) -> _Occupied:
        all_of_them = tuple(interfaces)
        return cls(
            frozenset(number_of(each) for one in all_of_them for each in (*one.addresses, *one.addresses6)),
            tuple(block_of(prefix) for one in all_of_them for prefix in one.prefixes),
        )

    def has(self, number: int) -> bool:
        return number in self.addresses or any(low <= number <= high for low, high in self.prefixes)


@dataclass(frozen=True, slots=True)
class _Members:
    """The members of a group; `others` are all interfaces of its VPC that are known, `ranges` those of the VPC.

    An address is no member's for sure where the group is known and another interface of the VPC has it, or it lies
    outside the VPC. An address inside that nobody is known to have may be a member that was described no more.
    """

    id: str
    is_described: bool
    occupied: _Occupied
    others: _Occupied
    ranges: Blocks | None

    @property
    def missing(self) -> str:
        if not self.is_described:
            return f"Security group {self.id} and its members: it is not in the topology."
        if self.ranges is None:
            return f"The ranges of the VPC of security group {self.id}: pass what describe-vpcs prints."
        return f"Whether the far end carries security group {self.id}: no interface of the topology has its address."

    def holds(self, number: int) -> bool | None:
        if self.occupied.has(number):
            return True
        if not self.is_described:
            return None
        is_outside = self.ranges is not None and not any(low <= number <= high for low, high in self.ranges)
        return False if is_outside or self.others.has(number) else None


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """The members of a group of another VPC: over peering they are meant, over a transit gateway only if told so.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security. An address that
    somebody in the own VPC has is his.
    """

    id: str
    members: _Members
    own: _Occupied

    @property
    def missing(self) -> str:
        return (
            f"Whether security group {self.id} of another VPC counts here: over peering it does, over a transit "
            "gateway only where that supports references."
        )

    def holds(self, number: int) -> bool | None:
        found = self.members.holds(number)
        return found if found is not True else False if self.own.has(number) else None
