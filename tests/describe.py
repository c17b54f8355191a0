"""Describe-* documents as short as they may be, for tests that say by hand what filters have to answer."""

from __future__ import annotations

import flowlens as fl

VPC = "vpc-a"


def eni(number, address, *groups, subnet="subnet-a", vpc=VPC, **fields):
    address_key = {"Ipv6Addresses": [{"Ipv6Address": address}]} if ":" in address else {"PrivateIpAddress": address}
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "VpcId": vpc,
        "SubnetId": subnet,
        "Groups": [{"GroupId": group} for group in groups],
        **address_key,
        **fields,
    }


def permission(protocol, first=None, last=None, *, cidr=None, group=None, prefix_list=None):
    """One entry of IpPermissions with one peer, as describe-security-groups prints it."""
    found = {"IpProtocol": protocol, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    if first is not None:
        found |= {"FromPort": first, "ToPort": first if last is None else last}
    if cidr is not None and ":" in cidr:
        found["Ipv6Ranges"] = [{"CidrIpv6": cidr}]
    elif cidr is not None:
        found["IpRanges"] = [{"CidrIp": cidr}]
    if group is not None:
        found["UserIdGroupPairs"] = [{"GroupId": group, "UserId": "111122223333"}]
    if prefix_list is not None:
        found["PrefixListIds"] = [{"PrefixListId": prefix_list}]
    return found


def flat(id_, group, protocol, first=-1, last=None, *, egress=False, **peer):
    """One rule as describe-security-group-rules prints it."""
    ports = {"FromPort": first, "ToPort": first if last is None else last}
    return {
        "SecurityGroupRuleId": id_,
        "GroupId": group,
        "IsEgress": egress,
        "IpProtocol": protocol,
        **ports,
        **peer,
    }


def group(id_, ingress=(), egress=(), vpc=VPC):
    return {"GroupId": id_, "VpcId": vpc, "IpPermissions": list(ingress), "IpPermissionsEgress": list(egress)}


def entry(number, action, protocol, cidr, ports=None, icmp=None, *, egress=False):
    """One entry of a network ACL; protocols are numbers as text there."""
    found = {"RuleNumber": number, "Egress": egress, "Protocol": protocol, "RuleAction": action}
    found["Ipv6CidrBlock" if ":" in cidr else "CidrBlock"] = cidr
    if ports is not None:
        found["PortRange"] = {"From": ports[0], "To": ports[1]}
    if icmp is not None:
        found["IcmpTypeCode"] = {"Type": icmp[0], "Code": icmp[1]}
    return found


def acl(id_, subnets, *entries):
    return {
        "NetworkAclId": id_,
        "VpcId": VPC,
        "Associations": [{"NetworkAclId": id_, "SubnetId": subnet} for subnet in subnets],
        "Entries": list(entries),
    }


OPEN = [entry(100, "allow", "-1", cidr, egress=egress) for cidr in ("0.0.0.0/0",) for egress in (False, True)]
OPEN += [entry(101, "allow", "-1", "::/0", egress=egress) for egress in (False, True)]


def subnet(id_, cidr, vpc=VPC, cidr6=None):
    blocks = [{"Ipv6CidrBlock": cidr6, "Ipv6CidrBlockState": {"State": "associated"}}] if cidr6 else []
    return {"SubnetId": id_, "VpcId": vpc, "CidrBlock": cidr, "Ipv6CidrBlockAssociationSet": blocks}


VPCS = [
    {
        "VpcId": VPC,
        "CidrBlock": "10.0.0.0/16",
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
    }
]
SUBNETS = [
    subnet("subnet-a", "10.0.1.0/24", cidr6="2001:db8:0:1::/64"),
    subnet("subnet-b", "10.0.2.0/24", cidr6="2001:db8:0:2::/64"),
]


def network(interfaces, groups=(), acls=None, **more):
    """The topology of a VPC 10.0.0.0/16 with the subnets a and b, whose network ACLs are open unless given."""
    return fl.Topology.from_describe(
        {
            "Vpcs": VPCS,
            "Subnets": SUBNETS,
            "NetworkInterfaces": list(interfaces),
            "SecurityGroups": list(groups),
            "NetworkAcls": [acl("acl-open", ["subnet-a", "subnet-b"], *OPEN)] if acls is None else list(acls),
        }
        | more
    )


CLIENT, SERVER, NEIGHBOUR, STRANGER = "10.0.1.4", "10.0.2.4", "10.0.1.5", "203.0.113.9"
EVERYTHING = [permission("-1", cidr="0.0.0.0/0"), permission("-1", cidr="::/0")]
HTTPS = [permission("tcp", 443, cidr="0.0.0.0/0")]


def client_and_server(*, out=EVERYTHING, into=HTTPS, acls=None, client=None, **more):
    """eni-1 in subnet a asks eni-2 in subnet b; eni-3 sits beside eni-1."""
    return network(
        [
            eni(1, CLIENT, "sg-c", **(client or {})),
            eni(2, SERVER, "sg-s", subnet="subnet-b"),
            eni(3, NEIGHBOUR, "sg-s"),
        ],
        [group("sg-c", egress=out), group("sg-s", into)],
        acls,
        **more,
    )


def both_acls(a, b):
    return [acl("acl-a", ["subnet-a"], *a), acl("acl-b", ["subnet-b"], *b)]
