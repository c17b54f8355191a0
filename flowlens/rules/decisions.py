"""What a filter says about a packet, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from flowlens.rules.network_acls import AclEntry
from flowlens.rules.packets import Outcome
from flowlens.rules.security_groups import GroupRule

__all__ = ["AclDecision", "AclRule", "Attribute", "GroupsDecision", "NearMiss", "Part"]

Attribute = Literal["protocol", "port", "ICMP type", "address", "family", "reference"]
AclRule = Literal["allow", "explicit deny", "implicit deny"]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that would allow a packet but for one attribute.

    Attributes
    ----------
    rule
        The rule.
    attribute
        In what it differs; ``family`` is an address of the other IP family, ``reference`` a security group of which the
        far end is no member.
    """

    rule: GroupRule | AclEntry
    attribute: Attribute

    def as_dict(self) -> dict[str, Any]:
        """Return it in words: `rule` is the id or number, `text` what the rule says, `differs_in` the attribute."""
        where = {"security_group": self.rule.security_group} if isinstance(self.rule, GroupRule) else {}
        name = self.rule.number if isinstance(self.rule, AclEntry) else self.rule.name
        return {**where, "rule": name, "text": str(self.rule), "differs_in": self.attribute}

    def __str__(self) -> str:
        return f"{self.rule.name} ({self.rule}) differs in {self.attribute}"


FindMisses = Callable[[], tuple[NearMiss, ...]]


@dataclass(frozen=True)
class GroupsDecision:
    """What the security groups of an interface say about a packet, apart from tracked connections.

    Attributes
    ----------
    outcome
        ALLOW where any rule of any group allows it; there is nothing else in a group.
    rules
        All rules that allow it.
    doubtful
        Rules that may allow it: the topology does not tell whose traffic they are about.
    unknown
        What is missing, as sentences; empty where the outcome is known.
    no_groups
        Whether the interface carries no group, so that none filters there.
    has_rules
        Whether there is any rule in this direction.
    find_misses
        Looks for near misses. They cost more than the answer, and most answers are never asked for them.
    """

    outcome: Outcome
    rules: tuple[GroupRule, ...] = ()
    doubtful: tuple[GroupRule, ...] = ()
    unknown: tuple[str, ...] = ()
    no_groups: bool = False
    has_rules: bool = True
    find_misses: FindMisses = field(default=tuple, repr=False, compare=False)

    @cached_property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """Rules that fail on one attribute; none where it is allowed."""
        return self.find_misses()


@dataclass(frozen=True, slots=True)
class Part:
    """The entry that decides on part of the ports, or ICMP types, that a header leaves open.

    Attributes
    ----------
    first, last
        Ports, or an ICMP type.
    rule_number
        Number of the entry.
    rule
        What it is.
    """

    first: int
    last: int
    rule_number: int
    rule: AclRule


@dataclass(frozen=True)
class AclDecision:
    """What the network ACL of a subnet says about a packet.

    Attributes
    ----------
    outcome
        UNKNOWN where the network ACL is not in the topology, and where it depends on what is open in the header.
    network_acl
        Its id; None where it is not in the topology.
    rule_number, rule
        The entry that decides: the first one of `parts` that has the outcome. None where it is unknown.
    unknown
        What is missing, as sentences; empty where the outcome is known.
    parts
        Which entry decides on which of the ports or ICMP types that the header leaves open.
    find_misses
        Looks for near misses.
    """

    outcome: Outcome
    network_acl: str | None = None
    rule_number: int | None = None
    rule: AclRule | None = None
    unknown: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    find_misses: FindMisses = field(default=tuple, repr=False, compare=False)

    @cached_property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """Allowing entries before the one that refuses, which fail on one attribute; none where it is allowed."""
        return self.find_misses()
