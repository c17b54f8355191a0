"""Random small VPCs of the simulator, whose own evaluator of filters the rules of a topology are compared with."""

from __future__ import annotations

import copy

import pandas as pd
from hypothesis import strategies as st

import flowlens as fl
from flowlens.simulate import (
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
from flowlens.simulate.describe import describe

ESP = 50
GROUPS = ("sg-1", "sg-11", "sg-2")  # one id is the beginning of another
ACLS = ("acl-1", "acl-2")
OUTSIDE = ("203.0.113.7", "203.0.113.8", "2001:db8:ffff::7")
ADDRESSES = ("10.0.1.4", "10.0.1.5", "10.0.2.4", "10.0.2.5")
ADDRESSES6 = ("2001:db8:0:1::4", "2001:db8:0:1::5", "2001:db8:0:2::4", "2001:db8:0:2::5")
CIDRS = (
    "0.0.0.0/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.4/32", "10.0.1.4/31", "203.0.113.0/24", "203.0.113.7/32",
    "::/0", "2001:db8::/56", "2001:db8:0:1::/64", "2001:db8:0:2::4/128", "2001:db8:ffff::/48",
)  # fmt: skip
PORTS = (22, 23, 443, 444, 1024, 32_767, 32_768, 60_999, 61_000, 65_535)
TYPES, CODES = (0, 3, 8, 128, 129), (0, 1, 4)

protocols = st.sampled_from((ALL, TCP, TCP, UDP, ICMP, ICMPV6, ESP))


@st.composite
def spans(draw, protocol):
    if protocol in {TCP, UDP} and draw(st.booleans()):
        return tuple(sorted(draw(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)))))
    if protocol in {ICMP, ICMPV6} and draw(st.booleans()):
        return draw(st.sampled_from(TYPES)), draw(st.sampled_from((-1, *CODES)))
    return None


@st.composite
def rules(draw):
    protocol = draw(protocols)
    return Rule(protocol=protocol, peer=draw(st.sampled_from((*CIDRS, *GROUPS))), ports=draw(spans(protocol)))


@st.composite
def entries(draw, number):
    protocol = draw(protocols)
    return AclEntry(
        number=number,
        action=draw(st.sampled_from(("allow", "allow", "deny"))),
        protocol=protocol,
        cidr=draw(st.sampled_from(CIDRS)),
        ports=draw(spans(protocol)),
    )


@st.composite
def sides(draw):
    """The entries of one direction, not in the order of their numbers."""
    numbers = draw(st.lists(st.integers(1, 32_766), max_size=5, unique=True))
    return tuple(draw(entries(number)) for number in numbers)


def some_rules(most=3):
    return st.lists(rules(), max_size=most, unique=True).map(tuple)


@st.composite
def worlds(draw, traffic=()):
    """A VPC of two subnets and four interfaces, each with one to three groups."""
    carried = st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True).map(tuple)
    return World(
        cidr="10.0.0.0/16",
        cidr6="2001:db8::/56",
        subnets=tuple(
            Subnet(
                id=f"subnet-{n}",
                name=f"subnet-{n}",
                cidr=f"10.0.{n}.0/24",
                cidr6=f"2001:db8:0:{n}::/64",
                network_acl=draw(st.sampled_from(ACLS)),
                az="eu-west-1a",
                az_id="euw1-az1",
            )
            for n in (1, 2)
        ),
        network_acls=tuple(NetworkAcl(id=id_, name=id_, ingress=draw(sides()), egress=draw(sides())) for id_ in ACLS),
        security_groups=tuple(
            SecurityGroup(id=id_, name=id_, ingress=draw(some_rules()), egress=draw(some_rules())) for id_ in GROUPS
        ),
        interfaces=tuple(
            Interface(
                id=f"eni-{n}",
                name=f"host-{n}",
                subnet=f"subnet-{address[5]}",
                address=address,
                address6=address6,
                security_groups=draw(carried),
                public_address=f"198.51.100.{n}",
                instance=f"i-{n}",
            )
            for n, (address, address6) in enumerate(zip(ADDRESSES, ADDRESSES6, strict=True))
        ),
        traffic=traffic,
    )


def documents_of(world):
    """What the CLI prints of a world, all in one document."""
    found = describe(world, fields=("version",), interval=60, began=pd.Timestamp("2026-03-10", tz="UTC"))
    return {section: items for document in found.values() for section, items in document.items()}


def topology_of(world):
    return fl.Topology.from_describe(documents_of(world))


DOCUMENTS = ("Vpcs", "Subnets", "SecurityGroups", "SecurityGroupRules", "NetworkAcls")


@st.composite
def incomplete(draw, documents):
    """Take away whole documents, and groups, network ACLs and interfaces out of others; eni-0 stays."""
    found = copy.deepcopy(documents)
    for section in draw(st.lists(st.sampled_from(DOCUMENTS), unique=True)):
        del found[section]
    for section in ("SecurityGroups", "NetworkAcls", "NetworkInterfaces"):
        keep = draw(st.lists(st.booleans(), min_size=4, max_size=4))
        if section in found:
            found[section] = [
                item
                for item, kept in zip(found[section], keep, strict=False)
                if kept or item.get("NetworkInterfaceId") == "eni-0"
            ]
    return found
