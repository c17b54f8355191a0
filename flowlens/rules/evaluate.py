"""What the security groups and network ACLs of a topology say about packets, apart from tracked connections.

Semantics: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html and
https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html. An answer depends on its arguments alone, so each is
worked out once.
"""

from __future__ import annotations

from functools import cache, cached_property, lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from flowlens.errors import TopologyError
from flowlens.rules.addresses import is_ipv6, number_of
from flowlens.rules.decisions import AclDecision, AclRule, GroupsDecision, Part
from flowlens.rules.misses import near_entries, near_rules
from flowlens.rules.network_acls import IMPLICIT_DENY_IPV4, IMPLICIT_DENY_IPV6, AclEntry, NetworkAcl, network_acl
from flowlens.rules.packets import Header, Outcome
from flowlens.rules.peers import Peer, Peers
from flowlens.rules.ports import ALL, HAS_TYPES, Case, cases
from flowlens.rules.security_groups import GroupRule, flat_rules, rules_of_group
from flowlens.topology.parts import Interface

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["Rules"]

# Some 60 MB at most.
_ANSWERS = 100_000


class _Union(NamedTuple):
    """The rules of several groups in one direction, and the groups of which they are not known."""

    rules: tuple[tuple[GroupRule, Peer], ...]
    unknown: tuple[str, ...]


class Rules:
    """The rules of a topology, ready to be asked. `Topology.rules` keeps one."""

    def __init__(self, topology: Topology) -> None:
        """Take a topology; its documents are read where they are asked about."""
        self._topology = topology
        self._peers = Peers(topology)
        self._union = cache(self._union_of)
        self._relevant = cache(self._relevant_to)
        self._of_groups = lru_cache(_ANSWERS)(self._ask_groups)
        self._of_acl = lru_cache(_ANSWERS)(self._ask_acl)

    def of_groups(self, interface: Interface, *, egress: bool, header: Header) -> GroupsDecision:
        """Say what the groups of an interface, taken together, make of a packet that belongs to no tracked connection.

        Raises
        ------
        TopologyError
            If a document of one of its groups cannot be read.
        ValueError
            If the remote end of the header is no address.
        """
        if not interface.lists_groups:
            missing = f"The security groups of {interface.id}: it was described without Groups."
            return GroupsDecision(Outcome.UNKNOWN, unknown=(missing,))
        return self._of_groups(interface.security_groups, egress, header)

    def of_acl(self, subnet_id: str | None, *, egress: bool, header: Header) -> AclDecision:
        """Say which entry of the network ACL of a subnet decides on a packet, and how.

        Raises
        ------
        TopologyError
            If a document of a network ACL cannot be read.
        ValueError
            If the remote end of the header is no address.
        """
        return self._of_acl(subnet_id, egress, header)

    def of_group(self, group_id: str, *, egress: bool) -> tuple[GroupRule, ...] | None:
        """Return the rules of a group in one direction, or None where the topology does not hold them.

        Raises
        ------
        TopologyError
            If one cannot be read.
        """
        flat = self._flat.get(group_id, ())
        return rules_of_group(group_id, self._topology.security_groups.get(group_id), flat, egress=egress)

    def acl_of(self, subnet_id: str | None) -> NetworkAcl | None:
        """Return the network ACL of a subnet, or None where the topology does not hold it.

        Raises
        ------
        TopologyError
            If a network ACL cannot be read, or several claim one subnet.
        """
        return self._acls_by_subnet.get(subnet_id or "")

    @cached_property
    def acls(self) -> dict[str, NetworkAcl]:
        """The network ACLs by id."""
        return {id_: network_acl(id_, document) for id_, document in self._topology.network_acls.items()}

    @cached_property
    def _flat(self) -> dict[str, tuple[GroupRule, ...]]:
        return flat_rules(self._topology.security_group_rules)

    @cached_property
    def _acls_by_subnet(self) -> dict[str, NetworkAcl]:
        found: dict[str, NetworkAcl] = {}
        for acl in self.acls.values():
            for subnet in acl.subnets:
                if found.setdefault(subnet, acl) is not acl:
                    raise TopologyError(
                        f"{subnet} is associated with {found[subnet].id} and {acl.id}, and a subnet has one network "
                        "ACL. Keep the newer of the two documents."
                    )
        return found

    def _union_of(self, groups: tuple[str, ...], egress: bool) -> _Union:
        found = {group: self.of_group(group, egress=egress) for group in groups}
        return _Union(
            tuple((rule, self._peers.of(rule)) for rules in found.values() for rule in rules or ()),
            tuple(group for group, rules in found.items() if rules is None),
        )

    def _relevant_to(self, groups: tuple[str, ...], egress: bool, protocol: int) -> tuple[tuple[GroupRule, Peer], ...]:
        return tuple(pair for pair in self._union(groups, egress).rules if pair[0].ports.protocol in (ALL, protocol))

    def _ask_groups(self, groups: tuple[str, ...], egress: bool, header: Header) -> GroupsDecision:
        if not groups:
            return GroupsDecision(Outcome.ALLOW, no_groups=True)
        remote, protocol = number_of(header.remote), header.protocol
        union, relevant = self._union(groups, egress), self._relevant(groups, egress, protocol)
        open_cases = cases(header, (rule.ports for rule, _ in relevant))
        groups_missing = [f"The rules of security group {group}: it is not in the topology." for group in union.unknown]
        allowing: dict[GroupRule, None] = {}
        doubtful: dict[GroupRule, None] = {}
        missing: dict[str, None] = {}
        outcomes = set()
        for case in open_cases:
            found = [(rule, peer, peer.holds(remote)) for rule, peer in relevant if rule.ports.cover(protocol, case)]
            allowed = [rule for rule, _, held in found if held]
            allowing |= dict.fromkeys(allowed)
            doubtful |= dict.fromkeys(rule for rule, _, held in found if held is None)
            doubts = [*(peer.missing for _, peer, held in found if held is None), *groups_missing]
            if not allowed:
                missing |= dict.fromkeys(doubts)
            outcomes.add(Outcome.ALLOW if allowed else Outcome.UNKNOWN if doubts else Outcome.DENY)
        outcome = outcomes.pop() if len(outcomes) == 1 else Outcome.UNKNOWN
        if outcome is Outcome.ALLOW:
            return GroupsDecision(outcome, tuple(allowing), tuple(doubtful))
        if outcome is Outcome.UNKNOWN and len(open_cases) > 1 and allowing:
            missing[_depends(header, [f"{rule.name} ({rule})" for rule in allowing])] = None
        return GroupsDecision(
            outcome,
            tuple(allowing),
            tuple(doubtful),
            tuple(missing),
            has_rules=bool(union.rules or union.unknown),
            find_misses=partial(near_rules, union.rules, protocol, remote, open_cases),
        )

    def _ask_acl(self, subnet_id: str | None, egress: bool, header: Header) -> AclDecision:
        remote = number_of(header.remote)
        acl = self.acl_of(subnet_id)
        if acl is None:
            missing = (
                f"The network ACL of subnet {subnet_id}: pass what describe-network-acls prints, with its Associations."
            )
            if not subnet_id:
                missing = "The subnet of an end, and with it its network ACL: describe its interface, or the subnets."
            return AclDecision(Outcome.UNKNOWN, unknown=(missing,))
        entries = acl.entries(egress=egress)
        open_cases = cases(header, (entry.ports for entry in entries))
        parts = tuple(
            _part(case, acl.first_match(header.protocol, remote, case, egress=egress), remote) for case in open_cases
        )
        allowed = {part.rule == "allow" for part in parts}
        if len(allowed) == 2:
            return AclDecision(Outcome.UNKNOWN, acl.id, unknown=(_depends(header, _named(header, parts)),), parts=parts)
        deciding = parts[0]
        if deciding.rule == "allow":
            return AclDecision(Outcome.ALLOW, acl.id, deciding.rule_number, "allow", parts=parts)
        before = tuple(entry for entry in entries if entry.number < deciding.rule_number)
        misses = partial(near_entries, before, header.protocol, remote, open_cases)
        return AclDecision(Outcome.DENY, acl.id, deciding.rule_number, deciding.rule, parts=parts, find_misses=misses)


def _part(case: Case, entry: AclEntry | None, remote: int) -> Part:
    if entry is None:
        number = IMPLICIT_DENY_IPV6 if is_ipv6(remote) else IMPLICIT_DENY_IPV4
        return Part(case.value, case.last, number, "implicit deny")
    rule: AclRule = "allow" if entry.allows else "explicit deny"
    return Part(case.value, case.last, entry.number, rule)


def _named(header: Header, parts: tuple[Part, ...]) -> list[str]:
    """Name the entries that decide, with the ports they decide on."""
    if header.protocol in HAS_TYPES:
        return [f"rule {number} ({rule})" for number, rule in dict.fromkeys((p.rule_number, p.rule) for p in parts)]
    runs = [list(run) for _, run in groupby(parts, key=lambda part: (part.rule_number, part.rule))]
    return [f"{run[0].first}-{run[-1].last} by rule {run[0].rule_number} ({run[0].rule})" for run in runs]


def _depends(header: Header, deciding: list[str]) -> str:
    what = "ICMP type" if header.protocol in HAS_TYPES else "port"
    if header.icmp_type is not None:
        what = "ICMP code"
    return f"It depends on the {what}: {', '.join(deciding)}."
