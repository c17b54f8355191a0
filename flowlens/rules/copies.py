"""A topology as it would be after some EC2 API calls. The one that is given stays as it is, and so does AWS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowlens.rules.calls import Call

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["after"]

_PERMISSIONS = {
    "authorize-security-group-ingress": "IpPermissions",
    "authorize-security-group-egress": "IpPermissionsEgress",
}
#: What a topology keeps of its addresses, whatever the rules.
_OF_ADDRESSES = ("_holders", "_publicly", "_ranges", "_members", "_in_subnet")
_CIDRS = {"IpRanges": ("CidrIp", "CidrIpv4"), "Ipv6Ranges": ("CidrIpv6", "CidrIpv6")}


def after(topology: Topology, call: Call) -> Topology:
    """Return a copy of a topology in which a call has been made."""
    if call["api"] == "create-network-acl-entry":
        acls = dict(topology.network_acls)
        id_ = call["NetworkAclId"]
        entry = {key: value for key, value in call.items() if key not in {"api", "NetworkAclId"}}
        acls[id_] = {**acls[id_], "Entries": [*acls[id_]["Entries"], entry]}
        return _copied(topology, network_acls=acls)
    key, group = _PERMISSIONS[call["api"]], call["GroupId"]
    document = topology.security_groups.get(group)
    if document is None or document.get(key) is None:
        return _copied(topology, security_group_rules=_with_flat_rules(topology, call))
    changed = {**document, key: [*document[key], *call["IpPermissions"]]}
    return _copied(topology, security_groups={**topology.security_groups, group: changed})


def _copied(topology: Topology, **documents: dict[str, Any]) -> Topology:
    """Return a copy with other documents about rules; who has which address stays."""
    copy = replace(topology, **documents)  # type: ignore[arg-type]
    # What was found out about addresses is as true of the copy, and takes longer to find out than to ask.
    found = vars(topology)
    vars(copy).update({name: found[name] for name in _OF_ADDRESSES if name in found})
    return copy


def _with_flat_rules(topology: Topology, call: Call) -> dict[str, Any]:
    """Add the permissions as describe-security-group-rules would list them, where only that was given."""
    rules: dict[str, Any] = dict(topology.security_group_rules)
    for permission in call["IpPermissions"]:
        flat = {key: value for key, value in permission.items() if key in {"IpProtocol", "FromPort", "ToPort"}}
        for key, (cidr, flat_cidr) in _CIDRS.items():
            for part in permission.get(key, ()):
                flat[flat_cidr] = part[cidr]
        for pair in permission.get("UserIdGroupPairs", ()):
            flat["ReferencedGroupInfo"] = pair
        flat |= {"GroupId": call["GroupId"], "IsEgress": call["api"].endswith("egress")}
        rules[f"sgr-proposed-{len(rules)}"] = flat
    return rules
