"""Network ACLs as values, from describe-network-acls.

Shapes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAcl.html. The order in which AWS prints the
entries means nothing, their numbers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flowlens.errors import TopologyError
from flowlens.rules.addresses import block_of, is_ipv6
from flowlens.rules.ports import ALL, HAS_PORTS, Case, Ports, icmp, protocol_of, span
from flowlens.service import ICMP, ICMPV6
from flowlens.topology.items import Item

__all__ = ["IMPLICIT_DENY_IPV4", "IMPLICIT_DENY_IPV6", "LAST_NUMBER", "AclEntry", "NetworkAcl", "network_acl"]

#: The numbers under which the API shows the entry "*", and the last one that users may take:
#: https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
IMPLICIT_DENY_IPV4, IMPLICIT_DENY_IPV6, LAST_NUMBER = 32_767, 32_768, 32_766


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One numbered entry: `low` and `high` are the numbers of the first and last address of `cidr`."""

    number: int
    egress: bool
    allows: bool
    ports: Ports
    cidr: str
    low: int
    high: int

    def matches(self, protocol: int, remote: int, case: Case) -> bool:
        """Tell whether it decides on a packet, if none before it does."""
        return self.low <= remote <= self.high and self.ports.cover(protocol, case)

    @property
    def name(self) -> str:
        """As people call it."""
        return f"rule {self.number}"

    def __str__(self) -> str:
        return f"{'allow' if self.allows else 'deny'} {self.ports} {'to' if self.egress else 'from'} {self.cidr}"


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """A network ACL: its own entries by their numbers, without the implicit last ones, and its subnets."""

    id: str
    ingress: tuple[AclEntry, ...]
    egress: tuple[AclEntry, ...]
    subnets: tuple[str, ...]

    def entries(self, *, egress: bool) -> tuple[AclEntry, ...]:
        """Return the entries of one direction in their order."""
        return self.egress if egress else self.ingress

    def first_match(self, protocol: int, remote: int, case: Case, *, egress: bool) -> AclEntry | None:
        """Return the entry that decides, or None where that is the implicit deny."""
        return next((each for each in self.entries(egress=egress) if each.matches(protocol, remote, case)), None)


def network_acl(id_: str, document: Mapping[str, Any]) -> NetworkAcl:
    """Read a network ACL.

    Raises
    ------
    TopologyError
        If an entry cannot be read, or two of one direction have one number.
    """
    item = Item.of(document, f"Network ACL {id_}")
    if document.get("Entries") is None:
        # A network ACL always has some, the implicit ones at least.
        raise TopologyError(
            f"{item.where} has no Entries. Pass what `aws ec2 describe-network-acls` prints, unchanged."
        )
    entries = [_entry(part) for part in item.parts("Entries")]
    own = [entry for entry in entries if entry.number <= LAST_NUMBER]
    subnets = (part.text("SubnetId") for part in item.parts("Associations"))
    return NetworkAcl(
        id_,
        _in_order(item, (entry for entry in own if not entry.egress)),
        _in_order(item, (entry for entry in own if entry.egress)),
        tuple(subnet for subnet in subnets if subnet is not None),
    )


def _in_order(item: Item, entries: Iterable[AclEntry]) -> tuple[AclEntry, ...]:
    ordered = tuple(sorted(entries, key=lambda entry: entry.number))
    for one, other in pairwise(ordered):
        if one.number == other.number:
            raise TopologyError(
                f"{item.where} has two entries {one.number} of one direction. Their numbers are unique."
            )
    return ordered


def _entry(item: Item) -> AclEntry:
    number, egress, action = item.number("RuleNumber"), item.flag("Egress"), item.text("RuleAction")
    cidr = item.prefix("CidrBlock") or item.prefix("Ipv6CidrBlock")
    if number is None or number < 1 or egress is None or action not in {"allow", "deny"} or cidr is None:
        raise TopologyError(
            f"{item.where} needs a RuleNumber from 1 on, Egress, a RuleAction allow or deny, and a CidrBlock or "
            "Ipv6CidrBlock."
        )
    low, high = block_of(cidr)
    return AclEntry(number, egress, action == "allow", _ports(item, of_ipv6=is_ipv6(low)), cidr, low, high)


def _ports(item: Item, *, of_ipv6: bool) -> Ports:
    protocol = protocol_of(item, "Protocol")
    if protocol in HAS_PORTS:
        return span(item.part("PortRange"), protocol, "From", "To")
    # "If the protocol is 58 and the rule has an IPv4 CIDR block, traffic for all ICMP types and codes is allowed".
    if protocol == ICMP or (protocol == ICMPV6 and of_ipv6):
        return icmp(item.part("IcmpTypeCode"), protocol, "Type", "Code")
    return Ports(ALL if protocol == ALL else protocol, 0, 65_535, -1)
