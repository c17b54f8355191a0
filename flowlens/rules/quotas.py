"""How many rules AWS allows: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlens.rules.addresses import block_of, is_ipv6
from flowlens.rules.calls import Call
from flowlens.rules.security_groups import GroupRule

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["quota_warning"]

_RULES_OF_GROUP, _RULES_OF_ACL, _MOST_RULES_OF_ACL = 60, 20, 40


def quota_warning(topology: Topology, call: Call) -> list[str]:
    """Say which default quota is exceeded after a call that has been made in a topology."""
    if call["api"] != "create-network-acl-entry":
        return _of_group(topology, call)
    egress, ipv6 = call["Egress"], "Ipv6CidrBlock" in call
    entries = topology.rules.acls[call["NetworkAclId"]].entries(egress=egress)
    # The implicit deny counts, too.
    count = 1 + sum(is_ipv6(entry.low) == ipv6 for entry in entries)
    if count <= _RULES_OF_ACL:
        return []
    rules = f"{count} {_way(egress)} rules for IPv{6 if ipv6 else 4}"
    quota = f"the quota is {_RULES_OF_ACL}, and {_MOST_RULES_OF_ACL} at most"
    return [f"{call['NetworkAclId']} would have {rules}: {quota}."]


def _of_group(topology: Topology, call: Call) -> list[str]:
    egress = call["api"].endswith("egress")
    rules = topology.rules.of_group(call["GroupId"], egress=egress) or ()
    permission = call["IpPermissions"][0]
    # A reference to a group counts for both families.
    families = [False] if "IpRanges" in permission else [True] if "Ipv6Ranges" in permission else [False, True]
    count = max(sum(_weight(topology, rule, ipv6=ipv6) for rule in rules) for ipv6 in families)
    if count <= _RULES_OF_GROUP:
        return []
    return [f"{call['GroupId']} would have {count} {_way(egress)} rules: the quota is {_RULES_OF_GROUP}."]


def _weight(topology: Topology, rule: GroupRule, *, ipv6: bool) -> int:
    """Return how many rules one counts as: that with a prefix list as many as the list may have entries."""
    if rule.peer_kind == "prefix list":
        return max(1, len(topology.prefix_lists.get(rule.peer, ())))
    return int(rule.peer_kind == "security group" or is_ipv6(block_of(rule.peer)[0]) == ipv6)


def _way(egress: bool) -> str:
    return "outbound" if egress else "inbound"
