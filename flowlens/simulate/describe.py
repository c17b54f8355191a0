"""A world as the documents that the AWS CLI prints: ``aws ec2 describe-network-interfaces`` and its like.

Shapes and names: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pandas as pd

from flowlens.simulate.filters import IMPLICIT_DENY_IPV4, IMPLICIT_DENY_IPV6
from flowlens.simulate.lines import interface_type
from flowlens.simulate.world import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Interface,
    NetworkAcl,
    Rule,
    SecurityGroup,
    Subnet,
    World,
)

__all__ = ["describe"]

Document = dict[str, Any]

_PROTOCOL_NAMES = {ALL: "-1", TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
_REQUESTERS = {
    "load_balancer": "amazon-elb",
    "nat_gateway": "amazon-nat-gateway",
    "database": "amazon-rds",
    "endpoint": "amazon-vpc-endpoint",
}
_DEFAULT_TCP_TIMEOUT = 432_000


def describe(world: World, *, fields: tuple[str, ...], interval: int, began: pd.Timestamp) -> dict[str, Document]:
    """Return the describe-* documents of a world by the name of the call."""
    subnets = {s.id: s for s in world.subnets}
    names = {g.id: g.name for g in world.security_groups}
    return {
        "vpcs": {"Vpcs": [_vpc(world)]},
        "subnets": {"Subnets": [_subnet(world, s) for s in world.subnets]},
        "network-interfaces": {
            "NetworkInterfaces": [_interface(world, i, subnets[i.subnet], names) for i in world.interfaces]
        },
        "security-groups": {"SecurityGroups": [_group(world, g) for g in world.security_groups]},
        "security-group-rules": {"SecurityGroupRules": _group_rules(world)},
        "network-acls": {"NetworkAcls": [_acl(world, a) for a in world.network_acls]},
        "flow-logs": {"FlowLogs": [_flow_log(world, fields, interval, began)]},
    }


def _made_up_id(prefix: str, *parts: object) -> str:
    return f"{prefix}-0{sha256(repr(parts).encode()).hexdigest()[:16]}"


def _tags(name: str) -> list[Document]:
    return [{"Key": "Name", "Value": name}]


def _ipv6_blocks(cidr6: str | None, state: str, prefix: str) -> list[Document]:
    if cidr6 is None:
        return []
    return [{"AssociationId": _made_up_id(prefix, cidr6), "Ipv6CidrBlock": cidr6, state: {"State": "associated"}}]


def _vpc(world: World) -> Document:
    return {
        "VpcId": world.vpc,
        "OwnerId": world.account,
        "CidrBlock": world.cidr,
        "CidrBlockAssociationSet": [
            {
                "AssociationId": _made_up_id("vpc-cidr-assoc", world.cidr),
                "CidrBlock": world.cidr,
                "CidrBlockState": {"State": "associated"},
            }
        ],
        "Ipv6CidrBlockAssociationSet": _ipv6_blocks(world.cidr6, "Ipv6CidrBlockState", "vpc-cidr-assoc"),
        "InstanceTenancy": "default",
        "IsDefault": False,
        "State": "available",
    }


def _subnet(world: World, subnet: Subnet) -> Document:
    return {
        "SubnetId": subnet.id,
        "VpcId": world.vpc,
        "OwnerId": world.account,
        "AvailabilityZone": subnet.az,
        "AvailabilityZoneId": subnet.az_id,
        "CidrBlock": subnet.cidr,
        "Ipv6CidrBlockAssociationSet": _ipv6_blocks(subnet.cidr6, "Ipv6CidrBlockState", "subnet-cidr-assoc"),
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "State": "available",
        "Tags": _tags(subnet.name),
    }


def _interface(world: World, interface: Interface, subnet: Subnet, group_names: dict[str, str]) -> Document:
    public = (
        {"Association": {"PublicIp": interface.public_address, "IpOwnerId": world.account}}
        if interface.public_address
        else {}
    )
    requester = _REQUESTERS.get(interface.kind)
    attachment: Document = {"Status": "attached", "DeviceIndex": 0 if interface.instance else 1}
    if interface.instance:
        attachment |= {"InstanceId": interface.instance, "InstanceOwnerId": world.account}
    document: Document = {
        "NetworkInterfaceId": interface.id,
        "VpcId": world.vpc,
        "SubnetId": interface.subnet,
        "AvailabilityZone": subnet.az,
        "OwnerId": world.account,
        "InterfaceType": interface_type(interface),
        "Description": interface.description or interface.name,
        "RequesterManaged": requester is not None,
        "PrivateIpAddress": interface.address,
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": interface.address, **public}],
        "Ipv6Addresses": [{"Ipv6Address": interface.address6}] if interface.address6 else [],
        "Groups": [{"GroupId": g, "GroupName": group_names[g]} for g in interface.security_groups],
        "SourceDestCheck": interface.kind != "nat_gateway",
        "Status": "in-use",
        "Attachment": attachment,
        "TagSet": _tags(interface.name),
        **public,
    }
    if requester is not None:
        document["RequesterId"] = requester
    if interface.tcp_idle_timeout != _DEFAULT_TCP_TIMEOUT:
        document["ConnectionTrackingConfiguration"] = {"TcpEstablishedTimeout": interface.tcp_idle_timeout}
    return document


def _group(world: World, group: SecurityGroup) -> Document:
    return {
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.name,
        "VpcId": world.vpc,
        "OwnerId": world.account,
        "IpPermissions": [_permission(world, r) for r in group.ingress],
        "IpPermissionsEgress": [_permission(world, r) for r in group.egress],
    }


def _permission(world: World, rule: Rule) -> Document:
    text = {"Description": rule.description} if rule.description else {}
    permission: Document = {
        "IpProtocol": _PROTOCOL_NAMES.get(rule.protocol, str(rule.protocol)),
        "IpRanges": [],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }
    permission |= _rule_ports(rule)
    if rule.peer.startswith("sg-"):
        permission["UserIdGroupPairs"] = [{"GroupId": rule.peer, "UserId": world.account, **text}]
    elif ":" in rule.peer:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule.peer, **text}]
    else:
        permission["IpRanges"] = [{"CidrIp": rule.peer, **text}]
    return permission


def _rule_ports(rule: Rule) -> dict[str, int]:
    # Absent for "all protocols"; "all ports" of TCP and UDP are written out, "all types" of ICMP are -1.
    if rule.protocol == ALL:
        return {}
    everything = (0, 65_535) if rule.protocol in {TCP, UDP} else (-1, -1)
    first, last = rule.ports or everything
    return {"FromPort": first, "ToPort": last}


def _group_rules(world: World) -> list[Document]:
    rules = []
    for group in world.security_groups:
        for is_egress, direction in ((False, group.ingress), (True, group.egress)):
            for rule in direction:
                # The call prints -1 for the ports of "all protocols", unlike describe-security-groups.
                ports = _rule_ports(rule) or {"FromPort": -1, "ToPort": -1}
                document: Document = {
                    "SecurityGroupRuleId": _made_up_id("sgr", group.id, is_egress, rule),
                    "GroupId": group.id,
                    "GroupOwnerId": world.account,
                    "IsEgress": is_egress,
                    "IpProtocol": _PROTOCOL_NAMES.get(rule.protocol, str(rule.protocol)),
                    **ports,
                    "Description": rule.description,
                    "Tags": [],
                }
                if rule.peer.startswith("sg-"):
                    document["ReferencedGroupInfo"] = {"GroupId": rule.peer, "UserId": world.account}
                else:
                    document["CidrIpv6" if ":" in rule.peer else "CidrIpv4"] = rule.peer
                rules.append(document)
    return rules


def _acl(world: World, acl: NetworkAcl) -> Document:
    entries = [_entry(e, egress=egress) for egress, found in ((True, acl.egress), (False, acl.ingress)) for e in found]
    for egress in (True, False):
        entries.append(_entry(_implicit(IMPLICIT_DENY_IPV4, "0.0.0.0/0"), egress=egress))
        if world.cidr6 is not None:
            entries.append(_entry(_implicit(IMPLICIT_DENY_IPV6, "::/0"), egress=egress))
    return {
        "NetworkAclId": acl.id,
        "VpcId": world.vpc,
        "OwnerId": world.account,
        "IsDefault": False,
        "Associations": [
            {
                "NetworkAclAssociationId": _made_up_id("aclassoc", s.id),
                "NetworkAclId": acl.id,
                "SubnetId": s.id,
            }
            for s in world.subnets
            if s.network_acl == acl.id
        ],
        "Entries": entries,
        "Tags": _tags(acl.name),
    }


def _implicit(number: int, cidr: str) -> AclEntry:
    return AclEntry(number=number, action="deny", protocol=ALL, cidr=cidr)


def _entry(entry: AclEntry, *, egress: bool) -> Document:
    document: Document = {
        "RuleNumber": entry.number,
        "Egress": egress,
        "Protocol": str(entry.protocol),
        "RuleAction": entry.action,
        "Ipv6CidrBlock" if ":" in entry.cidr else "CidrBlock": entry.cidr,
    }
    if entry.protocol in {TCP, UDP}:
        first, last = entry.ports or (0, 65_535)
        document["PortRange"] = {"From": first, "To": last}
    elif entry.protocol in {ICMP, ICMPV6}:
        icmp_type, code = entry.ports or (-1, -1)
        document["IcmpTypeCode"] = {"Type": icmp_type, "Code": code}
    return document


def _flow_log(world: World, fields: tuple[str, ...], interval: int, began: pd.Timestamp) -> Document:
    return {
        "FlowLogId": world.flow_log,
        "ResourceId": world.vpc,
        "TrafficType": world.traffic_type,
        "LogFormat": " ".join(f"${{{name}}}" for name in fields),
        "MaxAggregationInterval": interval,
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::example-flow-logs",
        "DestinationOptions": {
            "FileFormat": "plain-text",
            "HiveCompatiblePartitions": False,
            "PerHourPartition": False,
        },
        "FlowLogStatus": "ACTIVE",
        "DeliverLogsStatus": "SUCCESS",
        "CreationTime": (began - pd.Timedelta(days=30)).isoformat(),
        "Tags": _tags("vpc-flow-log"),
    }
