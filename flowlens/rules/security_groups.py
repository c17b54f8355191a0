"""The rules of security groups as values, from describe-security-groups and describe-security-group-rules.

Shapes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroup.html and API_SecurityGroupRule.html.
The first has all rules of a group, without ids; the second has their ids, but says nothing of groups without rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from flowlens.errors import TopologyError
from flowlens.rules.ports import ALL, HAS_PORTS, HAS_TYPES, Ports, icmp, protocol_of, span
from flowlens.topology.items import Item

__all__ = ["GroupRule", "flat_rules", "rules_of_group"]

Peer = Literal["address", "prefix list", "security group"]

_DIRECTION = {False: "IpPermissions", True: "IpPermissionsEgress"}


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One rule of a security group: what it allows.

    Attributes
    ----------
    security_group
        Id of the group that has the rule.
    egress
        Whether it is about what leaves.
    ports
        Protocol and destination ports.
    peer, peer_kind
        A CIDR, the id of a prefix list or the id of a group, and which of these.
    place
        Its place among the rules of the group in this direction, from 0.
    id
        Like ``sgr-0123456789abcdef0``; None where describe-security-group-rules was not given.
    """

    security_group: str
    egress: bool
    ports: Ports
    peer: str
    peer_kind: Peer
    place: int
    id: str | None = None

    @property
    def name(self) -> str:
        """The id, or where the rule stands."""
        return self.id or f"{self.security_group}, {'outbound' if self.egress else 'inbound'} rule {self.place + 1}"

    def __str__(self) -> str:
        return f"{self.ports} {'to' if self.egress else 'from'} {self.peer}"


def rules_of_group(
    group: str, document: Mapping[str, Any] | None, flat: tuple[GroupRule, ...], *, egress: bool
) -> tuple[GroupRule, ...] | None:
    """Return the rules of a group in one direction, or None where no document has them.

    Parameters
    ----------
    group
        Its id.
    document
        What describe-security-groups says of it; that counts where both are there.
    flat
        Its rules from describe-security-group-rules.
    egress
        The direction.

    Raises
    ------
    TopologyError
        If a rule cannot be read; the text says which.
    """
    in_direction = tuple(replace(rule, place=place) for place, rule in enumerate(r for r in flat if r.egress == egress))
    if document is None or document.get(_DIRECTION[egress]) is None:
        return in_direction if flat else None
    ids = {(rule.ports, rule.peer): rule.id for rule in in_direction}
    permissions = Item.of(document, f"Security group {group}").parts(_DIRECTION[egress])
    found = [
        GroupRule(group, egress, ports, peer, kind, 0)
        for permission in permissions
        for ports in [_ports(permission)]
        for peer, kind in _peers(permission)
    ]
    return tuple(replace(rule, place=n, id=ids.get((rule.ports, rule.peer))) for n, rule in enumerate(found))


def flat_rules(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[GroupRule, ...]]:
    """Read what describe-security-group-rules lists, by the group that has the rule.

    Raises
    ------
    TopologyError
        If a rule cannot be read; the text says which.
    """
    found: dict[str, list[GroupRule]] = {}
    for id_, document in documents.items():
        item = Item.of(document, f"Security group rule {id_}")
        group, egress = item.identity("GroupId"), item.flag("IsEgress")
        if egress is None:
            raise TopologyError(f"{item.where} has no IsEgress.")
        peer, kind = _flat_peer(item)
        found.setdefault(group, []).append(GroupRule(group, egress, _ports(item), peer, kind, 0, id_))
    return {group: tuple(rules) for group, rules in found.items()}


def _ports(item: Item) -> Ports:
    protocol = protocol_of(item, "IpProtocol")
    if protocol in HAS_PORTS:
        return span(item, protocol, "FromPort", "ToPort")
    if protocol in HAS_TYPES:
        return icmp(item, protocol, "FromPort", "ToPort")
    # "all traffic is allowed, regardless of any ports you specify", of all protocols and of those without ports
    return Ports(ALL if protocol == ALL else protocol, 0, 65_535, -1)


def _peers(permission: Item) -> Iterator[tuple[str, Peer]]:
    for key, cidr_key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for part in permission.parts(key):
            yield _cidr(part, cidr_key), "address"
    for part in permission.parts("PrefixListIds"):
        yield part.identity("PrefixListId"), "prefix list"
    for part in permission.parts("UserIdGroupPairs"):
        yield part.identity("GroupId"), "security group"


def _flat_peer(item: Item) -> tuple[str, Peer]:
    for key in ("CidrIpv4", "CidrIpv6"):
        if item.text(key) is not None:
            return _cidr(item, key), "address"
    prefix_list = item.text("PrefixListId")
    if prefix_list is not None:
        return prefix_list, "prefix list"
    return item.part("ReferencedGroupInfo").identity("GroupId"), "security group"


def _cidr(item: Item, key: str) -> str:
    cidr = item.prefix(key)
    if cidr is None:
        raise TopologyError(f"{item.where} has no {key}.")
    return cidr
