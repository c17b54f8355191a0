"""RoundTrip.fix: the narrowest rules that open a way, and nothing but the way."""

from __future__ import annotations

import copy
import itertools
import json
import shlex
from ipaddress import ip_address, ip_network

import pytest
from describe import (
    CLIENT,
    EVERYTHING,
    NEIGHBOUR,
    OPEN,
    SERVER,
    STRANGER,
    VPCS,
    acl,
    both_acls,
    client_and_server,
    eni,
    entry,
    flat,
    group,
    network,
    permission,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_worlds import ADDRESSES, ADDRESSES6, OUTSIDE, documents_of, worlds

import flowlens as fl
from flowlens.rules import Header, Outcome, Request, round_trip
from flowlens.simulate import ICMP, ICMPV6, TCP, UDP

ALLOW, DENY, UNKNOWN = Outcome.ALLOW, Outcome.DENY, Outcome.UNKNOWN
BESIDE_THE_ARGUMENTS = {"cli", "terraform", "affects", "why"}


def arguments(fix):
    return [{key: value for key, value in call.items() if key not in BESIDE_THE_ARGUMENTS} for call in fix.calls]


def only(fix):
    (call,) = fix.calls
    return call


# Security groups


def test_inside_one_vpc_a_security_group_is_opened_to_the_group_of_the_far_end():
    trip = client_and_server(into=[]).evaluate(CLIENT, SERVER, dst_port=443)
    call = only(trip.fix())
    assert arguments(trip.fix()) == [
        {
            "api": "authorize-security-group-ingress",
            "GroupId": "sg-s",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-c"}]}
            ],
        }
    ]
    assert call["affects"] == {"interfaces": ["eni-2", "eni-3"], "subnets": []}
    words = shlex.split(call["cli"])
    assert words[:5] == ["aws", "ec2", "authorize-security-group-ingress", "--group-id", "sg-s"]
    assert json.loads(words[6]) == call["IpPermissions"]
    assert call["terraform"] == (
        'resource "aws_vpc_security_group_ingress_rule" "flowlens" {\n'
        '  security_group_id            = "sg-s"\n'
        '  ip_protocol                  = "tcp"\n'
        "  from_port                    = 443\n"
        "  to_port                      = 443\n"
        '  referenced_security_group_id = "sg-c"\n'
        "}"
    )


def test_what_may_leave_is_opened_to_the_group_of_who_answers():
    assert arguments(client_and_server(out=[]).evaluate(CLIENT, SERVER, dst_port="https").fix()) == [
        {
            "api": "authorize-security-group-egress",
            "GroupId": "sg-c",
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": "sg-s"}]}
            ],
        }
    ]


def test_an_end_outside_is_let_in_by_its_address_alone():
    topology = client_and_server(into=[])
    assert only(topology.evaluate(STRANGER, SERVER, dst_port=443).fix())["IpPermissions"] == [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "203.0.113.9/32"}]}
    ]
    topology = network([eni(2, "2001:db8:0:2::4", "sg-s", subnet="subnet-b")], [group("sg-s")])
    call = only(topology.evaluate("2001:DB8:FFFF::7", "eni-2", dst_port=443).fix())
    assert call["IpPermissions"][0]["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8:ffff::7/128"}]
    assert 'cidr_ipv6         = "2001:db8:ffff::7/128"' in call["terraform"]


def test_between_vpcs_addresses_are_opened_and_not_groups():
    topology = network(
        [eni(1, "10.5.0.4", "sg-c", vpc="vpc-b", subnet="subnet-x"), eni(2, SERVER, "sg-s", subnet="subnet-b")],
        [group("sg-c", egress=EVERYTHING, vpc="vpc-b"), group("sg-s")],
        acls=[acl("acl-open", ["subnet-b", "subnet-x"], *OPEN)],
        Vpcs=[*VPCS, {"VpcId": "vpc-b", "CidrBlock": "10.5.0.0/16"}],
    )
    call = only(topology.evaluate("10.5.0.4", SERVER, dst_port=443).fix())
    assert call["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.5.0.4/32"}]


def test_of_several_groups_the_one_with_rules_for_the_port_is_changed_else_the_one_on_fewest_interfaces():
    def changed(*rules_of_wide):
        topology = network(
            [
                eni(1, CLIENT, "sg-c"),
                eni(2, SERVER, "sg-wide", "sg-own", subnet="subnet-b"),
                eni(3, NEIGHBOUR, "sg-wide"),
            ],
            [group("sg-c", egress=EVERYTHING), group("sg-wide", rules_of_wide), group("sg-own")],
        )
        return only(topology.evaluate(CLIENT, SERVER, dst_port=443).fix())["GroupId"]

    assert changed() == "sg-own"
    assert changed(permission("tcp", 22, cidr="10.9.0.0/16")) == "sg-own"
    assert changed(permission("tcp", 443, cidr="10.9.0.0/16")) == "sg-wide"


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("udp", {"IpProtocol": "udp", "FromPort": 443, "ToPort": 443}),
        ("icmp", {"IpProtocol": "icmp", "FromPort": 8, "ToPort": 0}),
        ("esp", {"IpProtocol": "50"}),
    ],
)
def test_a_rule_is_for_one_protocol(protocol, expected):
    call = only(client_and_server(into=[]).evaluate(CLIENT, SERVER, dst_port=443, protocol=protocol).fix())
    assert call["IpPermissions"] == [expected | {"UserIdGroupPairs": [{"GroupId": "sg-c"}]}]


def test_groups_of_which_only_the_rules_were_described_can_be_opened():
    topology = client_and_server(
        SecurityGroups=[group("sg-c", egress=EVERYTHING)],
        SecurityGroupRules=[flat("sgr-1", "sg-s", "tcp", 80, CidrIpv4="0.0.0.0/0")],
    )
    trip = topology.evaluate(CLIENT, SERVER, dst_port=443)
    assert only(trip.fix())["GroupId"] == "sg-s"


# Network ACLs


def test_an_entry_is_put_behind_the_others_for_one_address_and_port():
    entries = [entry(205, "allow", "17", "0.0.0.0/0", (53, 53)), entry(100, "deny", "6", "0.0.0.0/0", (22, 22))]
    entries += [each for each in OPEN if each["Egress"]]
    trip = client_and_server(acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443)
    assert arguments(trip.fix()) == [
        {
            "api": "create-network-acl-entry",
            "NetworkAclId": "acl-b",
            "RuleNumber": 210,
            "Egress": False,
            "Protocol": "6",
            "RuleAction": "allow",
            "CidrBlock": "10.0.1.4/32",
            "PortRange": {"From": 443, "To": 443},
        }
    ]
    call = only(trip.fix())
    assert call["affects"] == {"interfaces": ["eni-2"], "subnets": ["subnet-b"]}
    assert call["cli"] == (
        "aws ec2 create-network-acl-entry --network-acl-id acl-b --rule-number 210 --ingress --protocol 6 "
        "--rule-action allow --cidr-block 10.0.1.4/32 --port-range From=443,To=443"
    )
    assert call["terraform"] == (
        'resource "aws_network_acl_rule" "flowlens" {\n'
        '  network_acl_id = "acl-b"\n'
        "  rule_number    = 210\n"
        "  egress         = false\n"
        '  protocol       = "6"\n'
        '  rule_action    = "allow"\n'
        '  cidr_block     = "10.0.1.4/32"\n'
        "  from_port      = 443\n"
        "  to_port        = 443\n"
        "}"
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], 100),
        ([1], 10),
        ([100], 110),
        ([109], 110),
        ([110, 101], 120),
        ([32_766], 32_765),
        ([32_766, 32_765], 32_764),
    ],
)
def test_numbers_leave_room_and_collide_with_none(numbers, expected):
    entries = [entry(number, "allow", "17", "0.0.0.0/0", (53, 53)) for number in numbers]
    entries += [each for each in OPEN if each["Egress"]]
    trip = client_and_server(acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443)
    assert only(trip.fix())["RuleNumber"] == expected


@pytest.mark.parametrize(
    ("client", "src_port", "dst_port", "expected"),
    [
        ({}, 40_000, 443, (32_768, 60_999)),  # Linux
        ({}, 60_999, 443, (32_768, 60_999)),
        ({}, 61_000, 443, (49_152, 65_535)),  # Windows
        ({}, 1025, 443, (1024, 65_535)),
        ({}, None, 443, (1024, 65_535)),  # Linux and Windows
        ({"InterfaceType": "lambda"}, 40_000, 443, (1024, 65_535)),
        ({"InterfaceType": "nat_gateway"}, 40_000, 443, (1024, 65_535)),
        ({"Description": "ELB app/shop/50dc6c495c0c9188"}, 61_000, 443, (1024, 65_535)),
        # who asks from a low port, or from the port of the server, does so the next time
        ({}, 123, 123, (123, 123)),
        ({}, 5060, 5060, (5060, 5060)),
        ({}, 1023, 443, (1023, 1023)),
    ],
)
def test_replies_get_the_ports_that_such_a_client_asks_from(client, src_port, dst_port, expected):
    entries = [each for each in OPEN if not each["Egress"]]
    topology = client_and_server(into=EVERYTHING, client=client, acls=both_acls(OPEN, entries))
    trip = topology.evaluate(CLIENT, SERVER, dst_port=dst_port, src_port=src_port, protocol="udp")
    call = only(trip.fix())
    assert (call["Egress"], call["CidrBlock"]) == (True, "10.0.1.4/32")
    assert (call["PortRange"]["From"], call["PortRange"]["To"]) == expected


def test_clients_outside_get_the_range_their_port_is_from_and_all_where_it_is_not_known():
    entries = [each for each in OPEN if not each["Egress"]]
    topology = client_and_server(acls=both_acls(OPEN, entries))
    for src_port, expected in [(40_000, {"From": 32_768, "To": 60_999}), (None, {"From": 1024, "To": 65_535})]:
        trip = topology.evaluate(STRANGER, SERVER, dst_port=443, src_port=src_port)
        assert only(trip.fix())["PortRange"] == expected


def test_entries_about_ping_have_its_types_and_those_of_other_protocols_no_ports():
    entries = []
    topology = client_and_server(into=EVERYTHING, acls=both_acls(OPEN, entries))
    ping = topology.evaluate(CLIENT, SERVER, dst_port=None, protocol="icmp").fix()
    assert [(call["Egress"], call["Protocol"], call["IcmpTypeCode"]) for call in ping.calls] == [
        (False, "1", {"Type": 8, "Code": 0}),
        (True, "1", {"Type": 0, "Code": 0}),
    ]
    assert ping.calls[0]["cli"].endswith("--icmp-type-code Type=8,Code=0")
    assert "  icmp_type      = 8\n  icmp_code      = 0\n" in ping.calls[0]["terraform"]
    esp = topology.evaluate(CLIENT, SERVER, dst_port=None, protocol="esp").fix()
    assert [set(call) & {"PortRange", "IcmpTypeCode"} for call in esp.calls] == [set(), set()]


# The whole way


def test_everything_that_refuses_is_opened_in_the_order_of_the_packets():
    trip = client_and_server(out=[], into=[], acls=both_acls([], [])).evaluate(
        CLIENT, SERVER, dst_port=443, src_port=40_000
    )
    fix = trip.fix()
    assert [(call["api"], call.get("GroupId") or call["NetworkAclId"], call.get("Egress")) for call in fix.calls] == [
        ("authorize-security-group-egress", "sg-c", None),
        ("create-network-acl-entry", "acl-a", True),
        ("create-network-acl-entry", "acl-b", False),
        ("authorize-security-group-ingress", "sg-s", None),
        ("create-network-acl-entry", "acl-b", True),
        ("create-network-acl-entry", "acl-a", False),
    ]
    assert fix
    assert fix.warnings == []
    assert repr(fix).splitlines() == [call["cli"] for call in fix.calls]


def test_one_network_acl_of_both_subnets_gets_numbers_that_differ():
    topology = client_and_server(acls=[acl("acl-1", ["subnet-a", "subnet-b"])])
    calls = topology.evaluate(CLIENT, SERVER, dst_port=443, src_port=40_000).fix().calls
    assert [(call["Egress"], call["RuleNumber"], call["CidrBlock"]) for call in calls] == [
        (True, 100, "10.0.2.4/32"),
        (False, 100, "10.0.1.4/32"),
        (True, 110, "10.0.1.4/32"),
        (False, 110, "10.0.2.4/32"),
    ]


def test_replies_that_are_refused_in_part_are_opened_with_the_rest():
    entries = [entry(100, "allow", "6", "0.0.0.0/0", (443, 443))]
    entries += [entry(100, "allow", "6", "0.0.0.0/0", (32_768, 60_999), egress=True)]
    trip = client_and_server(into=[], acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443)
    assert [call["api"] for call in trip.fix().calls] == [
        "authorize-security-group-ingress",
        "create-network-acl-entry",
    ]


def test_nothing_of_the_topology_is_changed():
    topology = client_and_server(out=[], into=[], acls=both_acls([], []))
    before = copy.deepcopy({**topology.security_groups, **topology.network_acls})
    assert topology.evaluate(CLIENT, SERVER, dst_port=443).fix()
    assert {**topology.security_groups, **topology.network_acls} == before
    assert topology.evaluate(CLIENT, SERVER, dst_port=443).outcome is DENY


# What is not proposed


@pytest.mark.parametrize(
    ("trip", "why"),
    [
        (client_and_server().evaluate(CLIENT, SERVER, dst_port=443), "nothing to open"),
        (
            client_and_server(acls=both_acls(OPEN, [entry(80, "deny", "6", "10.0.0.0/8", (443, 443)), *OPEN])).evaluate(
                CLIENT, SERVER, dst_port=443
            ),
            "Rule 80 (inbound) of acl-b denies it on purpose: a human has to decide.",
        ),
        # also where it only surfaces later, or refuses some replies
        (
            client_and_server(
                into=[], acls=both_acls([entry(70, "deny", "6", "10.0.2.4/32", (50_000, 50_010)), *OPEN], OPEN)
            ).evaluate(CLIENT, SERVER, dst_port=443),
            "Rule 70 (inbound) of acl-a denies it on purpose: a human has to decide.",
        ),
        (client_and_server(NetworkAcls=[]).evaluate(CLIENT, SERVER, dst_port=443), "What is missing: The network ACL"),
        (
            client_and_server(into=[], NetworkAcls=[]).evaluate(CLIENT, SERVER, dst_port=443),
            "What a change would do cannot be told. What is missing: The network ACL",
        ),
        (client_and_server(into=[]).evaluate(CLIENT, SERVER, dst_port=None), "The destination port is not known"),
        (
            round_trip(client_and_server(into=[]), Request(src=CLIENT, dst=SERVER, protocol=ICMP)),
            "The ICMP type is not known",
        ),
    ],
)  # fmt: skip
def test_where_nothing_should_be_proposed_a_sentence_says_why(trip, why):
    fix = trip.fix()
    assert fix.calls == []
    assert not fix
    assert why in fix.why
    assert repr(fix) == fix.why


def test_no_entry_is_put_before_one_that_denies():
    def fix(last):
        entries = [last, *(each for each in OPEN if each["Egress"])]
        return client_and_server(acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443).fix()

    assert only(fix(entry(32_764, "deny", "6", "0.0.0.0/0", (22, 22))))["RuleNumber"] == 32_766
    none_left = fix(entry(32_766, "deny", "6", "0.0.0.0/0", (22, 22)))
    assert none_left.calls == []
    assert "acl-b has no number left" in none_left.why


def test_quotas_that_would_be_exceeded_are_said():
    rules = [permission("tcp", 8000 + n, cidr="10.9.0.0/16") for n in range(60)]
    full = client_and_server(into=rules).evaluate(CLIENT, SERVER, dst_port=443).fix()
    assert full.warnings == ["sg-s would have 61 inbound rules: the quota is 60."]
    assert client_and_server(into=rules[:59]).evaluate(CLIENT, SERVER, dst_port=443).fix().warnings == []
    # Rules for IPv6 count apart, and an address is of one family.
    six = [permission("tcp", 8000 + n, cidr="2001:db8::/32") for n in range(60)]
    assert client_and_server(into=six).evaluate(STRANGER, SERVER, dst_port=443).fix().warnings == []

    def entries(count):
        return [entry(n + 1, "allow", "17", "0.0.0.0/0", (n, n)) for n in range(count)] + [
            e for e in OPEN if e["Egress"]
        ]

    full = client_and_server(acls=both_acls(OPEN, entries(19))).evaluate(CLIENT, SERVER, dst_port=443).fix()
    assert full.warnings == ["acl-b would have 21 inbound rules for IPv4: the quota is 20, and 40 at most."]
    fits = client_and_server(acls=both_acls(OPEN, entries(18))).evaluate(CLIENT, SERVER, dst_port=443).fix()
    assert fits.warnings == []


# The law: the way is open, and nothing else has changed


def applied(documents, call):
    """Do to documents what the API would do."""
    after = copy.deepcopy(documents)
    if call["api"] == "create-network-acl-entry":
        keys = (
            "RuleNumber",
            "Egress",
            "Protocol",
            "RuleAction",
            "CidrBlock",
            "Ipv6CidrBlock",
            "PortRange",
            "IcmpTypeCode",
        )
        (target,) = (each for each in after["NetworkAcls"] if each["NetworkAclId"] == call["NetworkAclId"])
        assert (call["RuleNumber"], call["Egress"]) not in {(e["RuleNumber"], e["Egress"]) for e in target["Entries"]}
        target["Entries"].append({key: call[key] for key in keys if key in call})
    else:
        (target,) = (each for each in after["SecurityGroups"] if each["GroupId"] == call["GroupId"])
        key = "IpPermissions" if call["api"].endswith("ingress") else "IpPermissionsEgress"
        target[key] += call["IpPermissions"]
    return after


def covers(call, topology, header):
    """Whether the rule of a call is about a packet, by what it says and nothing of the code under test."""
    if call["api"] == "create-network-acl-entry":
        protocol, cidrs = int(call["Protocol"]), [call.get("CidrBlock") or call["Ipv6CidrBlock"]]
        first, last = (call["PortRange"]["From"], call["PortRange"]["To"]) if "PortRange" in call else (0, 65_535)
        types = tuple(call["IcmpTypeCode"].values()) if "IcmpTypeCode" in call else None
    else:
        (rule,) = call["IpPermissions"]
        protocol = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}.get(rule["IpProtocol"]) or int(rule["IpProtocol"])
        cidrs = [each["CidrIp"] for each in rule.get("IpRanges", ())]
        cidrs += [each["CidrIpv6"] for each in rule.get("Ipv6Ranges", ())]
        members = [one for pair in rule.get("UserIdGroupPairs", ()) for one in topology.members(pair["GroupId"])]
        cidrs += [address for one in members for address in (*one.addresses, *one.addresses6)]
        first, last = rule.get("FromPort", 0), rule.get("ToPort", 65_535)
        types = (first, last) if protocol in {ICMP, ICMPV6} else None
    if protocol != header.protocol or not any(ip_address(header.remote) in ip_network(cidr) for cidr in cidrs):
        return False
    if types is not None:
        return types == (header.icmp_type, header.icmp_code)
    return header.port is None or first <= header.port <= last


REMOTES = (*ADDRESSES, *ADDRESSES6[:2], *OUTSIDE)
GRID = [
    *(
        Header(protocol, remote, port)
        for protocol in (TCP, UDP)
        for remote in REMOTES
        for port in (22, 442, 443, 444, 1023, 1024, 32_767, 32_768, 40_000, 60_999, 61_000, 65_535)
    ),
    *(
        Header(protocol, remote, None, kind, code)
        for protocol in (ICMP, ICMPV6)
        for remote in REMOTES
        for kind, code in itertools.product((0, 3, 8, 128, 129), (0, 4))
    ),
    *(Header(50, remote) for remote in REMOTES),
]


def every_answer(topology):
    """Answers of all filters in both directions on the grid, by filter, direction and header."""
    for egress, header in itertools.product((False, True), GRID):
        for interface in topology.interfaces.values():
            decision = topology.rules.of_groups(interface, egress=egress, header=header)
            yield (interface.id, egress, header), decision.outcome
        for subnet in topology.subnets:
            yield (subnet, egress, header), topology.rules.of_acl(subnet, egress=egress, header=header).outcome


def concerns(call, topology, place, egress):
    if call["api"] == "create-network-acl-entry":
        acl_there = topology.rules.acl_of(place)
        return acl_there is not None and acl_there.id == call["NetworkAclId"] and call["Egress"] == egress
    interface = topology.interfaces.get(place)
    return (
        interface is not None
        and call["GroupId"] in interface.security_groups
        and call["api"].endswith("egress") == egress
    )


@given(
    worlds(),
    st.permutations(range(4)),
    st.sampled_from(((TCP, 443), (UDP, 22), (ICMP, None), (50, None))),
    st.sampled_from((None, 1023, 40_000, 61_000)),
    st.sampled_from((None, "203.0.113.7")),
)
@settings(max_examples=30)
def test_a_fix_opens_the_way_and_changes_nothing_else(world, ends, protocol_and_port, src_port, outside):
    documents = documents_of(world)
    topology = fl.Topology.from_describe(documents)
    protocol, port = protocol_and_port
    question = {"dst_port": port, "src_port": src_port, "protocol": protocol}
    src, dst = outside or ADDRESSES[ends[0]], ADDRESSES[ends[1]]
    trip = topology.evaluate(src, dst, **question)
    fix = trip.fix()
    refuses_on_purpose = any(part.rule == "explicit deny" for hop in trip.hops for part in hop.parts)
    is_full = "no number left" in fix.why
    assert bool(fix) == (trip.outcome is DENY and not refuses_on_purpose and not is_full), fix.why
    assert not is_full or any(entry.number > 32_000 for acl in world.network_acls for entry in acl.ingress + acl.egress)
    after = documents
    for call in fix.calls:
        after = applied(after, call)
        assert "0.0.0.0/0" not in str(call)
        assert "::/0" not in str(call)
    repaired = fl.Topology.from_describe(after)
    if fix:
        assert repaired.evaluate(src, dst, **question).outcome is ALLOW
    then = dict(every_answer(repaired))
    for (place, egress, header), outcome in every_answer(topology):
        if then[place, egress, header] is not outcome:
            assert (outcome, then[place, egress, header]) == (DENY, ALLOW)
            assert any(
                concerns(call, topology, place, egress) and covers(call, topology, header) for call in fix.calls
            ), (place, egress, header, arguments(fix))
