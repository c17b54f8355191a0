"""Rules of a topology: every rule of the filters by hand, and the simulator's own evaluator on random networks."""

from __future__ import annotations

import itertools

import pytest
from describe import OPEN, VPCS, acl, eni, entry, flat, group, network, permission
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_worlds import (
    ADDRESSES,
    ADDRESSES6,
    CODES,
    ESP,
    OUTSIDE,
    PORTS,
    TYPES,
    documents_of,
    incomplete,
    topology_of,
    worlds,
)

import flowlens as fl
from flowlens.rules import Header, Outcome
from flowlens.simulate import ICMP, ICMPV6, TCP, UDP
from flowlens.simulate.filters import Filters
from flowlens.simulate.filters import Header as SimulatedHeader

ALLOW, DENY, UNKNOWN = Outcome.ALLOW, Outcome.DENY, Outcome.UNKNOWN


def of_groups(rules_in, header, *, egress=False, others=(), groups=(), **more):
    """Ask eni-1, which carries sg-1 with some rules, about a packet."""
    mine = group("sg-1", () if egress else rules_in, rules_in if egress else ())
    topology = network([eni(1, "10.0.1.4", "sg-1"), *others], [mine, *groups], **more)
    return topology.rules.of_groups(topology.interfaces["eni-1"], egress=egress, header=header)


def of_acl(entries, header, *, egress=False):
    topology = network([eni(1, "10.0.1.4")], acls=[acl("acl-1", ["subnet-a"], *entries)])
    return topology.rules.of_acl("subnet-a", egress=egress, header=header)


# Security groups


@pytest.mark.parametrize(
    ("rule", "header", "outcome"),
    [
        # a span of ports has both its ends, and no more
        (permission("tcp", 8000, 8100, cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 8000), ALLOW),
        (permission("tcp", 8000, 8100, cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 8100), ALLOW),
        (permission("tcp", 8000, 8100, cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 7999), DENY),
        (permission("tcp", 8000, 8100, cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 8101), DENY),
        # so has a range of addresses
        (permission("tcp", 22, cidr="10.9.0.0/24"), Header(TCP, "10.9.0.0", 22), ALLOW),
        (permission("tcp", 22, cidr="10.9.0.0/24"), Header(TCP, "10.9.0.255", 22), ALLOW),
        (permission("tcp", 22, cidr="10.9.0.0/24"), Header(TCP, "10.9.1.0", 22), DENY),
        (permission("tcp", 22, cidr="10.9.0.0/24"), Header(TCP, "10.8.255.255", 22), DENY),
        (permission("tcp", 22, cidr="203.0.113.9/32"), Header(TCP, "203.0.113.9", 22), ALLOW),
        (permission("tcp", 22, cidr="203.0.113.9/32"), Header(TCP, "203.0.113.8", 22), DENY),
        # one protocol is not another
        (permission("udp", 53, cidr="0.0.0.0/0"), Header(TCP, "10.9.0.1", 53), DENY),
        (permission("udp", 53, cidr="0.0.0.0/0"), Header(UDP, "10.9.0.1", 53), ALLOW),
        (permission("6", 53, cidr="0.0.0.0/0"), Header(TCP, "10.9.0.1", 53), ALLOW),
        # port 0 is a port
        (permission("tcp", 0, 65535, cidr="0.0.0.0/0"), Header(TCP, "10.9.0.1", 0), ALLOW),
        (permission("tcp", 0, cidr="0.0.0.0/0"), Header(TCP, "10.9.0.1", 1), DENY),
        # all protocols, and the ports that do not count then
        (permission("-1", cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 22), ALLOW),
        (permission("-1", 22, cidr="10.9.0.0/16"), Header(UDP, "10.9.0.1", 53), ALLOW),
        (permission("-1", cidr="10.9.0.0/16"), Header(ESP, "10.9.0.1"), ALLOW),
        # a protocol without ports has none to differ in
        (permission("50", cidr="10.9.0.0/16"), Header(ESP, "10.9.0.1"), ALLOW),
        (permission("50", 7, 9, cidr="10.9.0.0/16"), Header(ESP, "10.9.0.1"), ALLOW),
        (permission("51", cidr="10.9.0.0/16"), Header(ESP, "10.9.0.1"), DENY),
        # ICMP: the first port is the type, the last the code
        (permission("icmp", 8, 0, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 8, 0), ALLOW),
        (permission("icmp", 8, 0, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 0, 0), DENY),
        (permission("icmp", 3, 4, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 3, 4), ALLOW),
        (permission("icmp", 3, 4, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 3, 1), DENY),
        (permission("icmp", 3, -1, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 3, 13), ALLOW),
        (permission("icmp", -1, -1, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 11, 0), ALLOW),
        (permission("icmp", -1, -1, cidr="0.0.0.0/0"), Header(ICMPV6, "2001:db8::9", None, 128, 0), DENY),
        (permission("icmpv6", cidr="::/0"), Header(ICMPV6, "2001:db8::9", None, 135, 0), ALLOW),
        (permission("58", 128, 0, cidr="::/0"), Header(ICMPV6, "2001:db8::9", None, 129, 0), DENY),
        # the families never mix
        (permission("tcp", 22, cidr="0.0.0.0/0"), Header(TCP, "2001:db8::9", 22), DENY),
        (permission("tcp", 22, cidr="::/0"), Header(TCP, "10.9.0.1", 22), DENY),
        (permission("tcp", 22, cidr="2001:DB8::/32"), Header(TCP, "2001:db8:ffff::1", 22), ALLOW),
    ],
)  # fmt: skip
def test_a_rule_of_a_group_is_about_its_protocol_ports_and_addresses(rule, header, outcome):
    assert of_groups([rule], header).outcome is outcome
    assert of_groups([rule], header, egress=True).outcome is outcome


def test_a_group_without_a_rule_refuses_and_a_rule_for_one_direction_says_nothing_of_the_other():
    refused = of_groups([], Header(TCP, "10.9.0.1", 22))
    assert (refused.outcome, refused.has_rules, refused.rules) == (DENY, False, ())
    topology = network([eni(1, "10.0.1.4", "sg-1")], [group("sg-1", egress=[permission("-1", cidr="0.0.0.0/0")])])
    interface, header = topology.interfaces["eni-1"], Header(TCP, "10.9.0.1", 22)
    assert topology.rules.of_groups(interface, egress=False, header=header).outcome is DENY
    assert topology.rules.of_groups(interface, egress=True, header=header).outcome is ALLOW


def test_the_rules_of_all_groups_count_together_and_all_that_allow_are_named():
    topology = network(
        [eni(1, "10.0.1.4", "sg-1", "sg-2")],
        [
            group("sg-1", [permission("tcp", 443, cidr="10.9.0.0/16"), permission("tcp", 22, cidr="10.9.0.0/16")]),
            group("sg-2", [permission("-1", cidr="10.9.0.1/32"), permission("udp", 53, cidr="10.9.0.0/16")]),
        ],
    )
    ask = topology.rules.of_groups
    interface = topology.interfaces["eni-1"]
    both = ask(interface, egress=False, header=Header(TCP, "10.9.0.1", 22))
    assert [rule.name for rule in both.rules] == ["sg-1, inbound rule 2", "sg-2, inbound rule 1"]
    assert ask(interface, egress=False, header=Header(UDP, "10.9.0.2", 53)).outcome is ALLOW
    assert ask(interface, egress=False, header=Header(UDP, "10.9.0.2", 54)).outcome is DENY


def test_one_permission_may_have_several_peers():
    several = permission("tcp", 22, cidr="10.9.0.0/16") | {
        "IpRanges": [{"CidrIp": "10.9.0.0/16"}, {"CidrIp": "10.8.0.0/16"}],
        "Ipv6Ranges": [{"CidrIpv6": "2001:db8:9::/48"}],
    }
    for address, outcome in [("10.8.0.1", ALLOW), ("10.9.0.1", ALLOW), ("2001:db8:9::1", ALLOW), ("10.7.0.1", DENY)]:
        assert of_groups([several], Header(TCP, address, 22)).outcome is outcome


def test_an_interface_without_groups_is_not_filtered_there():
    topology = network([eni(1, "10.0.1.4")])
    decision = topology.rules.of_groups(topology.interfaces["eni-1"], egress=False, header=Header(TCP, "1.2.3.4", 22))
    assert decision.outcome is ALLOW
    assert decision.no_groups


def test_a_group_stands_for_the_private_addresses_of_its_members():
    member = eni(
        2, "10.0.2.9", "sg-2", subnet="subnet-b",
        PrivateIpAddresses=[
            {"PrivateIpAddress": "10.0.2.9", "Primary": True, "Association": {"PublicIp": "198.51.100.9"}},
            {"PrivateIpAddress": "10.0.2.10", "Primary": False},
        ],
        Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:2::9"}],
        Ipv4Prefixes=[{"Ipv4Prefix": "10.0.2.64/28"}],
    )  # fmt: skip
    stranger = eni(3, "10.0.2.11", "sg-3", subnet="subnet-b")
    answers = {
        address: of_groups(
            [permission("tcp", 22, group="sg-2")],
            Header(TCP, address, 22),
            others=[member, stranger],
            groups=[group("sg-2"), group("sg-3")],
        ).outcome
        for address in (
            "10.0.2.9", "10.0.2.10", "2001:db8:0:2::9", "10.0.2.79", "198.51.100.9", "10.0.2.11", "10.0.1.4", "8.8.8.8",
        )
    }  # fmt: skip
    assert answers == {
        "10.0.2.9": ALLOW,
        "10.0.2.10": ALLOW,
        "2001:db8:0:2::9": ALLOW,
        "10.0.2.79": ALLOW,
        "198.51.100.9": DENY,  # a public address is none of its members'
        "10.0.2.11": DENY,
        "10.0.1.4": DENY,
        "8.8.8.8": DENY,
    }


def test_a_reference_to_the_own_group_lets_its_members_reach_each_other_and_nobody_else():
    rules = [permission("-1", group="sg-1")]
    others = [eni(2, "10.0.1.5", "sg-1"), eni(3, "10.0.1.6", "sg-11")]
    groups = [group("sg-11")]
    for address, outcome in [("10.0.1.5", ALLOW), ("10.0.1.6", DENY)]:
        assert of_groups(rules, Header(TCP, address, 22), others=others, groups=groups).outcome is outcome


def test_an_address_of_the_vpc_that_nobody_is_known_to_have_may_be_a_member():
    decision = of_groups([permission("tcp", 22, group="sg-2")], Header(TCP, "10.0.2.77", 22), groups=[group("sg-2")])
    assert decision.outcome is UNKNOWN
    assert "no interface of the topology has its address" in decision.unknown[0]
    # On another port nothing depends on that.
    decided = of_groups([permission("tcp", 22, group="sg-2")], Header(TCP, "10.0.2.77", 23), groups=[group("sg-2")])
    assert decided.outcome is DENY


def test_a_reference_to_a_group_that_is_not_in_the_topology_is_unknown_unless_another_rule_allows():
    reference = permission("tcp", 22, group="sg-9")
    decision = of_groups([reference], Header(TCP, "8.8.8.8", 22))
    assert decision.outcome is UNKNOWN
    assert decision.unknown == ("Security group sg-9 and its members: it is not in the topology.",)
    assert of_groups([reference, permission("tcp", 22, cidr="8.8.0.0/16")], Header(TCP, "8.8.8.8", 22)).outcome is ALLOW


def test_a_group_of_another_vpc_counts_over_peering_and_perhaps_over_a_transit_gateway():
    peer = {"VpcId": "vpc-b", "CidrBlock": "10.5.0.0/16"}
    more = {"Vpcs": [*VPCS, peer], "others": [eni(2, "10.5.0.9", "sg-b", subnet="subnet-x", vpc="vpc-b")]}
    groups = [group("sg-b", vpc="vpc-b")]
    rule = [permission("tcp", 22, group="sg-b")]
    for address, outcome in [("10.5.0.9", UNKNOWN), ("10.5.0.10", UNKNOWN), ("10.0.1.4", DENY)]:
        assert of_groups(rule, Header(TCP, address, 22), groups=groups, **more).outcome is outcome
    assert "transit gateway" in of_groups(rule, Header(TCP, "10.5.0.9", 22), groups=groups, **more).unknown[0]


def test_an_interface_that_was_described_without_its_groups_may_carry_any():
    topology = network([{**eni(1, "10.0.1.4"), "Groups": None}], [])
    decision = topology.rules.of_groups(topology.interfaces["eni-1"], egress=False, header=Header(TCP, "8.8.8.8", 22))
    assert decision.outcome is UNKNOWN
    assert "eni-1" in decision.unknown[0]
    gateway = network([{**eni(1, "10.0.1.4"), "Groups": None, "InterfaceType": "nat_gateway"}], [])
    interface = gateway.interfaces["eni-1"]
    assert gateway.rules.of_groups(interface, egress=False, header=Header(TCP, "8.8.8.8", 22)).outcome is ALLOW


def test_prefix_lists_count_by_their_entries_and_are_unknown_without():
    rule, header = [permission("tcp", 443, prefix_list="pl-1")], Header(TCP, "52.218.0.9", 443)
    without = of_groups(rule, header)
    assert without.outcome is UNKNOWN
    assert "pl-1" in without.unknown[0]
    for cidr, outcome in [("52.218.0.0/17", ALLOW), ("52.92.0.0/15", DENY)]:
        assert of_groups(rule, header, PrefixLists=[{"PrefixListId": "pl-1", "Cidrs": [cidr]}]).outcome is outcome


def test_a_group_that_is_not_in_the_topology_makes_refusals_unknown():
    topology = network(
        [eni(1, "10.0.1.4", "sg-1", "sg-gone")], [group("sg-1", [permission("tcp", 22, cidr="0.0.0.0/0")])]
    )
    ask, interface = topology.rules.of_groups, topology.interfaces["eni-1"]
    assert ask(interface, egress=False, header=Header(TCP, "8.8.8.8", 22)).outcome is ALLOW
    refused = ask(interface, egress=False, header=Header(TCP, "8.8.8.8", 23))
    assert refused.outcome is UNKNOWN
    assert refused.unknown == ("The rules of security group sg-gone: it is not in the topology.",)


def test_rules_have_their_ids_where_both_calls_were_made():
    rules = [permission("tcp", 22, cidr="10.9.0.0/16"), permission("-1", cidr="10.9.0.0/16")]
    listed = [
        flat("sgr-all", "sg-1", "-1", CidrIpv4="10.9.0.0/16"),
        flat("sgr-out", "sg-1", "tcp", 22, egress=True, CidrIpv4="10.9.0.0/16"),
        flat("sgr-ssh", "sg-1", "tcp", 22, CidrIpv4="10.9.0.0/16"),
    ]
    decision = of_groups(rules, Header(TCP, "10.9.0.1", 22), SecurityGroupRules=listed)
    assert [rule.name for rule in decision.rules] == ["sgr-ssh", "sgr-all"]


def test_describe_security_group_rules_alone_is_enough():
    listed = [
        flat("sgr-1", "sg-1", "tcp", 22, CidrIpv4="10.9.0.0/16"),
        flat("sgr-2", "sg-1", "tcp", 22, CidrIpv6="2001:db8:9::/48"),
        flat("sgr-3", "sg-1", "tcp", 23, ReferencedGroupInfo={"GroupId": "sg-1"}),
        flat("sgr-4", "sg-1", "tcp", 24, PrefixListId="pl-1"),
    ]
    lists = [{"PrefixListId": "pl-1", "Cidrs": ["192.0.2.0/24"]}]
    topology = network([eni(1, "10.0.1.4", "sg-1")], SecurityGroupRules=listed, PrefixLists=lists)
    interface = topology.interfaces["eni-1"]
    for address, port, name in [
        ("10.9.0.1", 22, "sgr-1"),
        ("2001:db8:9::1", 22, "sgr-2"),
        ("10.0.1.4", 23, "sgr-3"),
        ("192.0.2.1", 24, "sgr-4"),
    ]:
        decision = topology.rules.of_groups(interface, egress=False, header=Header(TCP, address, port))
        assert [rule.id for rule in decision.rules] == [name]
    assert topology.rules.of_groups(interface, egress=True, header=Header(TCP, "10.9.0.1", 22)).outcome is DENY


@pytest.mark.parametrize(
    ("rule", "header", "attribute"),
    [
        (permission("tcp", 22, cidr="10.9.0.0/16"), Header(TCP, "10.9.0.1", 23), "port"),
        (permission("tcp", 22, cidr="10.9.0.0/16"), Header(UDP, "10.9.0.1", 22), "protocol"),
        (permission("tcp", 22, cidr="10.9.0.0/16"), Header(TCP, "10.8.0.1", 22), "address"),
        (permission("tcp", 22, cidr="0.0.0.0/0"), Header(TCP, "2001:db8::9", 22), "family"),
        (permission("tcp", 22, group="sg-2"), Header(TCP, "8.8.8.8", 22), "reference"),
        (permission("icmp", 8, 0, cidr="0.0.0.0/0"), Header(ICMP, "10.9.0.1", None, 0, 0), "ICMP type"),
        # two attributes are no near miss
        (permission("tcp", 22, cidr="10.9.0.0/16"), Header(TCP, "10.8.0.1", 23), None),
        (permission("tcp", 22, cidr="10.9.0.0/16"), Header(UDP, "10.9.0.1", 23), None),
        (permission("icmp", 8, 0, cidr="0.0.0.0/0"), Header(TCP, "10.9.0.1", 8), None),
    ],
)
def test_a_rule_that_fails_on_one_attribute_is_a_near_miss(rule, header, attribute):
    decision = of_groups([rule], header, groups=[group("sg-2")])
    assert decision.outcome is DENY
    assert [miss.attribute for miss in decision.near_misses] == ([attribute] if attribute else [])


# Network ACLs


@pytest.mark.parametrize(
    ("entries", "header", "outcome", "number", "rule"),
    [
        # the lowest number decides, wherever it stands
        ([entry(200, "deny", "6", "0.0.0.0/0", (22, 22)), entry(100, "allow", "-1", "0.0.0.0/0")],
         Header(TCP, "8.8.8.8", 22), ALLOW, 100, "allow"),
        ([entry(100, "allow", "-1", "0.0.0.0/0"), entry(80, "deny", "6", "8.8.8.0/24", (22, 22))],
         Header(TCP, "8.8.8.8", 22), DENY, 80, "explicit deny"),
        ([entry(100, "allow", "-1", "0.0.0.0/0"), entry(80, "deny", "6", "8.8.8.0/24", (22, 22))],
         Header(TCP, "8.8.9.8", 22), ALLOW, 100, "allow"),
        # nothing matches: the implicit deny of the family
        ([], Header(TCP, "8.8.8.8", 22), DENY, 32_767, "implicit deny"),
        ([], Header(TCP, "2001:db8::9", 22), DENY, 32_768, "implicit deny"),
        ([entry(32_767, "deny", "-1", "0.0.0.0/0"), entry(32_768, "deny", "-1", "::/0")],
         Header(TCP, "8.8.8.8", 22), DENY, 32_767, "implicit deny"),
        # the last number that users have
        ([entry(32_766, "deny", "-1", "0.0.0.0/0")], Header(TCP, "8.8.8.8", 22), DENY, 32_766, "explicit deny"),
        # both ends of a span of ports
        ([entry(100, "allow", "6", "0.0.0.0/0", (1024, 65_535))], Header(TCP, "8.8.8.8", 65_535), ALLOW, 100, "allow"),
        ([entry(100, "allow", "6", "0.0.0.0/0", (1024, 65_535))], Header(TCP, "8.8.8.8", 1024), ALLOW, 100, "allow"),
        ([entry(100, "allow", "6", "0.0.0.0/0", (1024, 65_535))],
         Header(TCP, "8.8.8.8", 1023), DENY, 32_767, "implicit deny"),
        # UDP is not TCP, and other protocols have no ports
        ([entry(100, "allow", "17", "0.0.0.0/0", (53, 53))], Header(TCP, "8.8.8.8", 53), DENY, 32_767, "implicit deny"),
        ([entry(100, "allow", "50", "0.0.0.0/0", (53, 53))], Header(ESP, "8.8.8.8"), ALLOW, 100, "allow"),
        # ICMP
        ([entry(100, "allow", "1", "0.0.0.0/0", icmp=(8, -1))],
         Header(ICMP, "8.8.8.8", None, 8, 0), ALLOW, 100, "allow"),
        ([entry(100, "allow", "1", "0.0.0.0/0", icmp=(8, -1))],
         Header(ICMP, "8.8.8.8", None, 0, 0), DENY, 32_767, "implicit deny"),
        ([entry(100, "allow", "1", "0.0.0.0/0", icmp=(-1, -1))],
         Header(ICMP, "8.8.8.8", None, 3, 4), ALLOW, 100, "allow"),
        ([entry(100, "allow", "1", "0.0.0.0/0", icmp=(-1, -1)), entry(101, "allow", "1", "::/0", icmp=(-1, -1))],
         Header(ICMPV6, "2001:db8::9", None, 128, 0), DENY, 32_768, "implicit deny"),
        ([entry(100, "allow", "58", "::/0", icmp=(128, 0))],
         Header(ICMPV6, "2001:db8::9", None, 129, 0), DENY, 32_768, "implicit deny"),
        # protocol 58 with an IPv4 block: type and code are ignored
        ([entry(100, "allow", "58", "0.0.0.0/0", icmp=(128, 0))],
         Header(ICMPV6, "8.8.8.8", None, 129, 0), ALLOW, 100, "allow"),
        # the families never mix
        ([entry(100, "deny", "-1", "0.0.0.0/0"), entry(110, "allow", "-1", "::/0")],
         Header(TCP, "2001:db8::9", 22), ALLOW, 110, "allow"),
    ],
)  # fmt: skip
def test_the_first_matching_entry_of_a_network_acl_decides(entries, header, outcome, number, rule):
    decision = of_acl(entries, header)
    assert (decision.outcome, decision.rule_number, decision.rule) == (outcome, number, rule)
    assert decision.network_acl == "acl-1"


def test_inbound_and_outbound_entries_have_numbers_of_their_own():
    entries = [entry(100, "allow", "-1", "0.0.0.0/0"), entry(100, "deny", "-1", "0.0.0.0/0", egress=True)]
    assert of_acl(entries, Header(TCP, "8.8.8.8", 22)).outcome is ALLOW
    assert of_acl(entries, Header(TCP, "8.8.8.8", 22), egress=True).outcome is DENY


def test_a_network_acl_is_unknown_where_no_document_says_which_one_it_is():
    topology = network([eni(1, "10.0.1.4")], acls=[acl("acl-1", ["subnet-b"], *OPEN)])
    decision = topology.rules.of_acl("subnet-a", egress=False, header=Header(TCP, "8.8.8.8", 22))
    assert (decision.outcome, decision.network_acl) == (UNKNOWN, None)
    assert "subnet-a" in decision.unknown[0]
    assert "describe-network-acls" in decision.unknown[0]


def test_near_misses_of_a_network_acl_are_allowing_entries_before_the_one_that_refuses():
    entries = [
        entry(90, "allow", "6", "8.8.8.0/24", (23, 23)),
        entry(95, "deny", "6", "8.8.8.0/24", (24, 24)),
        entry(100, "deny", "6", "8.8.8.8/32", (22, 22)),
        entry(110, "allow", "6", "8.8.9.0/24", (22, 22)),
    ]
    decision = of_acl(entries, Header(TCP, "8.8.8.8", 22))
    assert decision.rule_number == 100
    assert [miss.as_dict() for miss in decision.near_misses] == [
        {"rule": 90, "text": "allow TCP 23 from 8.8.8.0/24", "differs_in": "port"}
    ]
    implicit = of_acl(entries, Header(TCP, "8.8.8.9", 22))
    assert [(miss.rule.number, miss.attribute) for miss in implicit.near_misses] == [(90, "port"), (110, "address")]


# What a header leaves open


def test_an_unknown_icmp_type_matters_only_where_rules_tell_types_apart():
    header = Header(ICMP, "10.9.0.1")
    assert of_groups([permission("icmp", -1, -1, cidr="10.9.0.0/16")], header).outcome is ALLOW
    assert of_groups([permission("tcp", 22, cidr="10.9.0.0/16")], header).outcome is DENY
    partly = of_groups([permission("icmp", 8, 0, cidr="10.9.0.0/16")], header)
    assert partly.outcome is UNKNOWN
    assert partly.unknown == (
        "It depends on the ICMP type: sg-1, inbound rule 1 (ICMP type 8 code 0 from 10.9.0.0/16).",
    )
    entries = [entry(90, "deny", "1", "0.0.0.0/0", icmp=(5, -1)), entry(100, "allow", "1", "0.0.0.0/0", icmp=(-1, -1))]
    decision = of_acl(entries, header)
    assert decision.outcome is UNKNOWN
    assert decision.unknown == ("It depends on the ICMP type: rule 90 (explicit deny), rule 100 (allow).",)


def test_a_range_of_ports_is_known_where_one_rule_covers_all_of_it():
    entries = [
        entry(100, "allow", "6", "0.0.0.0/0", (1024, 50_000)),
        entry(110, "allow", "6", "0.0.0.0/0", (50_001, 65_535)),
    ]
    assert of_acl(entries, Header(TCP, "8.8.8.8", (32_768, 60_999))).outcome is ALLOW
    decision = of_acl(entries[:1], Header(TCP, "8.8.8.8", (32_768, 60_999)))
    assert decision.outcome is UNKNOWN
    assert decision.unknown == (
        "It depends on the port: 32768-50000 by rule 100 (allow), 50001-60999 by rule 32767 (implicit deny).",
    )
    assert of_acl(entries[:1], Header(TCP, "8.8.8.8", (50_001, 60_999))).outcome is DENY


# Documents that cannot be used


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (permission("tcp", 22, 21, cidr="0.0.0.0/0"), "IpPermissions.0.: FromPort 22 and ToPort 21"),
        (permission("tcp", -1, -1, cidr="0.0.0.0/0"), "FromPort -1 and ToPort -1"),
        (permission("tcp", 0, 65_536, cidr="0.0.0.0/0"), "ToPort 65536"),
        (permission("tcp", 22, cidr="0.0.0.0/0") | {"ToPort": None}, "ToPort None"),
        (permission("tcp", "22", cidr="0.0.0.0/0"), "FromPort is '22' where a whole number"),
        (permission("icmp", -1, 4, cidr="0.0.0.0/0"), "no ICMP type and code"),
        (permission("tpc", 22, cidr="0.0.0.0/0"), "IpProtocol: 'tpc' is no protocol"),
        (permission("tcp", 22) | {"IpProtocol": None}, "has no IpProtocol"),
        (permission("tcp", 22, cidr="10.0.0.0"), "a prefix like"),
        (permission("tcp", 22) | {"IpRanges": [{}]}, r"IpRanges\[0\] has no CidrIp"),
        (permission("tcp", 22) | {"UserIdGroupPairs": [{"GroupName": "web"}]}, "has no GroupId"),
    ],
)
def test_a_rule_of_a_group_that_cannot_be_read_is_named(wrong, message):
    with pytest.raises(fl.TopologyError, match=message) as error:
        of_groups([wrong], Header(TCP, "10.9.0.1", 22))
    assert "sg-1" in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (entry(100, "permit", "-1", "0.0.0.0/0"), "a RuleAction allow or deny"),
        (entry(0, "allow", "-1", "0.0.0.0/0"), "a RuleNumber from 1 on"),
        (entry(100, "allow", "-1", "0.0.0.0/0") | {"CidrBlock": None}, "a CidrBlock"),
        (entry(100, "allow", "6", "0.0.0.0/0", (5, 4)), "From 5 and To 4"),
        (entry(100, "allow", "1", "0.0.0.0/0", icmp=(256, 0)), "Type 256 and Code 0"),
        (entry(100, "allow", "999", "0.0.0.0/0"), "'999' is no protocol"),
    ],
)
def test_an_entry_of_a_network_acl_that_cannot_be_read_is_named(wrong, message):
    with pytest.raises(fl.TopologyError, match=message) as error:
        of_acl([*OPEN, wrong], Header(TCP, "8.8.8.8", 22))
    assert "acl-1" in str(error.value)


def test_documents_that_contradict_themselves_are_refused():
    with pytest.raises(fl.TopologyError, match="two entries 100 of one direction"):
        of_acl([*OPEN, entry(100, "deny", "-1", "10.0.0.0/8")], Header(TCP, "8.8.8.8", 22))
    both = [acl("acl-1", ["subnet-a"], *OPEN), acl("acl-2", ["subnet-a"], *OPEN)]
    with pytest.raises(fl.TopologyError, match="subnet-a is associated with acl-1 and acl-2"):
        network([eni(1, "10.0.1.4")], acls=both).rules.of_acl(
            "subnet-a", egress=False, header=Header(TCP, "8.8.8.8", 22)
        )
    without = acl("acl-1", ["subnet-a"]) | {"Entries": None}
    with pytest.raises(fl.TopologyError, match="acl-1 has no Entries"):
        network([eni(1, "10.0.1.4")], acls=[without]).rules.acl_of("subnet-a")


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"'10\.0\.0' is no IP address"):
        of_acl(OPEN, Header(TCP, "10.0.0", 22))


# Random networks, and the simulator's own evaluator


def every_header():
    """All protocols, addresses, ports and types that the random networks tell apart, each with the simulator's form."""
    for remote in (*ADDRESSES, *ADDRESSES6, *OUTSIDE):
        for protocol, port in itertools.product((TCP, UDP), (*PORTS, 80, 50_000)):
            yield Header(protocol, remote, port), SimulatedHeader(protocol, remote, port)
        for protocol, kind, code in itertools.product((ICMP, ICMPV6), (*TYPES, 5), (*CODES, 2)):
            yield Header(protocol, remote, None, kind, code), SimulatedHeader(protocol, remote, kind, code)
        yield Header(ESP, remote), SimulatedHeader(ESP, remote, 0)


HEADERS = list(every_header())


@given(worlds())
@settings(max_examples=20)
def test_groups_answer_as_the_simulator_does(world):
    topology, filters = topology_of(world), Filters(world)
    for interface, egress in itertools.product(world.interfaces, (False, True)):
        for header, simulated in HEADERS:
            decision = topology.rules.of_groups(topology.interfaces[interface.id], egress=egress, header=header)
            allowed = filters.groups_allow(interface, egress=egress, header=simulated)
            assert decision.outcome is (ALLOW if allowed else DENY), (interface.id, egress, header)
            assert bool(decision.rules) == allowed


@given(worlds())
@settings(max_examples=20)
def test_network_acls_answer_as_the_simulator_does(world):
    topology, filters = topology_of(world), Filters(world)
    for subnet, egress in itertools.product(world.subnets, (False, True)):
        for header, simulated in HEADERS:
            if header.protocol == ICMPV6 and ":" not in header.remote:
                continue  # the EC2 API ignores the type there, the simulator does not
            decision = topology.rules.of_acl(subnet.id, egress=egress, header=header)
            expected = filters.acl_decides(subnet.network_acl, egress=egress, header=simulated)
            assert decision.outcome is (ALLOW if expected.allowed else DENY)
            assert decision.rule_number == expected.number


def together(outcomes):
    found = set(outcomes)
    return found.pop() if len(found) == 1 else UNKNOWN


@given(worlds(), st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(sorted), st.booleans())
@settings(max_examples=20)
def test_what_is_left_open_is_known_where_all_of_it_has_one_answer(world, span, egress):
    topology = topology_of(world)
    # The edges of every span of the random rules, and the ports beside them: between those nothing changes.
    ports = sorted({p for edge in PORTS for p in (edge - 1, edge, edge + 1) if span[0] <= p <= span[1]})
    types = list(itertools.product((*TYPES, 5, 200), (*CODES, 2)))
    interface = topology.interfaces["eni-0"]

    def asked(header):
        yield topology.rules.of_groups(interface, egress=egress, header=header).outcome
        yield topology.rules.of_acl(interface.subnet, egress=egress, header=header).outcome

    for remote in (*ADDRESSES[2:], *ADDRESSES6[2:], *OUTSIDE):
        each_port = zip(*(asked(Header(TCP, remote, port)) for port in ports), strict=True)
        assert list(asked(Header(TCP, remote, tuple(span)))) == [together(found) for found in each_port]
        protocol = ICMPV6 if ":" in remote else ICMP
        each_type = zip(*(asked(Header(protocol, remote, None, *kind)) for kind in types), strict=True)
        assert list(asked(Header(protocol, remote))) == [together(found) for found in each_type]


@given(st.data(), worlds())
@settings(max_examples=40)
def test_with_less_known_the_answer_is_the_same_or_unknown(data, world):
    documents = documents_of(world)
    complete = fl.Topology.from_describe(documents)
    partial = fl.Topology.from_describe(data.draw(incomplete(documents)))
    interface = complete.interfaces["eni-0"]
    for egress, (header, _) in itertools.product((False, True), HEADERS[:: data.draw(st.sampled_from((3, 5, 7)))]):
        full = complete.rules.of_groups(interface, egress=egress, header=header).outcome
        less = partial.rules.of_groups(partial.interfaces["eni-0"], egress=egress, header=header)
        assert less.outcome in {full, UNKNOWN}
        assert bool(less.unknown) == (less.outcome is UNKNOWN)
        full = complete.rules.of_acl("subnet-1", egress=egress, header=header).outcome
        less = partial.rules.of_acl("subnet-1", egress=egress, header=header)
        assert less.outcome in {full, UNKNOWN}
        assert bool(less.unknown) == (less.outcome is UNKNOWN)


def test_incomplete_networks_leave_something_to_know_and_something_unknown():
    """The law above would hold of an evaluator that never knows anything."""
    topology = fl.Topology.from_describe({k: v for k, v in fl.simulate(hours=0.1).topology.items() if k != "vpcs"})
    ask = topology.rules.of_groups
    database = next(each for each in topology.interfaces.values() if each.name == "orders-db")
    outcomes = [
        ask(database, egress=False, header=Header(TCP, a, 5432)).outcome
        for a in ("10.20.10.31", "10.20.11.30", "10.20.9.9")
    ]
    assert outcomes == [ALLOW, DENY, UNKNOWN]
