"""One decision of one filter on the way of a packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from flowlens.rules.decisions import NearMiss, Part
from flowlens.rules.packets import Header, Outcome

__all__ = ["Hop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What one filter says about a packet that passes it.

    Attributes
    ----------
    position
        Its place on the way there and back, from 1.
    packet
        The request, or the reply to it.
    layer, direction
        Which filter, and which way the packet goes, seen from it.
    interface, subnet
        Ids of where the packet passes; None where that is not known.
    security_groups, network_acl
        Ids of the filter: the one that is meant.
    outcome
        What it says.
    rule
        Of a security group ``"allow"``, ``"missing"`` (no rule allows it), ``"tracked"`` (a reply to what was allowed)
        or ``"no groups"``; of a network ACL ``"allow"``, ``"explicit deny"`` or ``"implicit deny"``; None where the
        outcome is unknown.
    rule_number
        Number of the entry of a network ACL.
    rules
        Names of the rules of security groups that allow it.
    near_misses
        Rules that would allow it but for one attribute.
    unknown
        What is missing, as sentences.
    parts
        Which entry of a network ACL decides on which ports, where several are asked about.
    aws_code
        What the Reachability Analyzer calls a refusal.
    header
        What the filter was asked about; None where that is not known.
    """

    position: int
    packet: Literal["request", "reply"]
    layer: Literal["security_group", "network_acl"]
    direction: Literal["ingress", "egress"]
    interface: str | None
    subnet: str | None
    security_groups: tuple[str, ...] = ()
    network_acl: str | None = None
    outcome: Outcome
    rule: str | None = None
    rule_number: int | None = None
    rules: tuple[str, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    unknown: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    aws_code: str | None = None
    header: Header | None = None

    @property
    def is_denied(self) -> bool:
        """Whether the filter refuses the packet."""
        return self.outcome is Outcome.DENY

    @property
    def is_denied_in_part(self) -> bool:
        """Whether the outcome is unknown only because a network ACL refuses some of the ports asked about."""
        return self.outcome is Outcome.UNKNOWN and len(self.parts) > 1

    @property
    def stop(self) -> tuple[str, str]:
        """Packet and direction, which make one interface: both filters there are passed at once."""
        return self.packet, self.direction

    def as_blocker(self) -> dict[str, Any]:
        """Return it as it stands in `RoundTrip.blocked_by`."""
        if self.layer == "security_group":
            return {
                "layer": self.layer,
                "direction": self.direction,
                "eni": self.interface,
                "security_groups": list(self.security_groups),
                "rule": self.rule,
                "near_misses": [miss.as_dict() for miss in self.near_misses],
            }
        return {
            "layer": self.layer,
            "direction": self.direction,
            "subnet": self.subnet,
            "network_acl": self.network_acl,
            "rule_number": self.rule_number,
            "rule": self.rule,
        }

    def __str__(self) -> str:
        filter_ = self.network_acl if self.layer == "network_acl" else ", ".join(self.security_groups)
        where = self.subnet if self.layer == "network_acl" else self.interface
        rule = f"rule {self.rule_number}, {self.rule}" if self.rule_number else self.rule or " ".join(self.unknown)
        return (
            f"{self.position} {self.packet} {self.direction} {self.layer.replace('_', ' ')} "
            f"{filter_ or 'unknown'} at {where or 'unknown'}: {self.outcome.name} ({rule})"
        )
