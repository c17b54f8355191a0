"""EC2 API calls as a line for the AWS CLI and as a Terraform resource."""

from __future__ import annotations

import json
import shlex
from typing import Any

from flowlens.rules.calls import Call

__all__ = ["cli", "terraform"]


def cli(call: Call) -> str:
    """Return the line that makes a call.

    https://docs.aws.amazon.com/cli/latest/reference/ec2/create-network-acl-entry.html and its neighbours.
    """
    if call["api"] != "create-network-acl-entry":
        permissions = json.dumps(call["IpPermissions"])
        return _line(call["api"], ["--group-id", call["GroupId"], "--ip-permissions", permissions])
    words = ["--network-acl-id", call["NetworkAclId"], "--rule-number", str(call["RuleNumber"])]
    words += ["--egress" if call["Egress"] else "--ingress", "--protocol", call["Protocol"]]
    words += ["--rule-action", call["RuleAction"]]
    for key, option in (("CidrBlock", "--cidr-block"), ("Ipv6CidrBlock", "--ipv6-cidr-block")):
        words += [option, call[key]] if key in call else []
    for key, option in (("PortRange", "--port-range"), ("IcmpTypeCode", "--icmp-type-code")):
        words += [option, ",".join(f"{name}={value}" for name, value in call[key].items())] if key in call else []
    return _line(call["api"], words)


def terraform(call: Call) -> str:
    """Return the resource that stands for a call, one a permission.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/network_acl_rule and
    vpc_security_group_ingress_rule.
    """
    if call["api"] == "create-network-acl-entry":
        return _resource("aws_network_acl_rule", _acl_attributes(call))
    direction = call["api"].removeprefix("authorize-security-group-")
    kind = f"aws_vpc_security_group_{direction}_rule"
    return "\n".join(_resource(kind, _group_attributes(call["GroupId"], each)) for each in call["IpPermissions"])


def _line(api: str, words: list[str]) -> str:
    return shlex.join(["aws", "ec2", api, *words])


def _acl_attributes(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {
        "network_acl_id": call["NetworkAclId"],
        "rule_number": call["RuleNumber"],
        "egress": call["Egress"],
        "protocol": call["Protocol"],
        "rule_action": call["RuleAction"],
    }
    found |= {
        name: call[key]
        for key, name in (("CidrBlock", "cidr_block"), ("Ipv6CidrBlock", "ipv6_cidr_block"))
        if key in call
    }
    if "PortRange" in call:
        found |= {"from_port": call["PortRange"]["From"], "to_port": call["PortRange"]["To"]}
    if "IcmpTypeCode" in call:
        found |= {"icmp_type": call["IcmpTypeCode"]["Type"], "icmp_code": call["IcmpTypeCode"]["Code"]}
    return found


def _group_attributes(group: str, permission: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"security_group_id": group, "ip_protocol": permission["IpProtocol"]}
    if "FromPort" in permission:
        found |= {"from_port": permission["FromPort"], "to_port": permission["ToPort"]}
    names = {
        "UserIdGroupPairs": ("GroupId", "referenced_security_group_id"),
        "IpRanges": ("CidrIp", "cidr_ipv4"),
        "Ipv6Ranges": ("CidrIpv6", "cidr_ipv6"),
    }
    return found | {name: part[key] for peers, (key, name) in names.items() for part in permission.get(peers, ())}


def _resource(kind: str, attributes: dict[str, Any]) -> str:
    width = max(map(len, attributes))
    # JSON writes texts, numbers and booleans as Terraform does.
    lines = [f"  {name.ljust(width)} = {json.dumps(value)}" for name, value in attributes.items()]
    return "\n".join([f'resource "{kind}" "flowlens" {{', *lines, "}"])
