"""Topology.evaluate: every filter on the way there and back, by hand, against simulated traffic, and with gaps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from describe import (
    CLIENT,
    EVERYTHING,
    HTTPS,
    NEIGHBOUR,
    OPEN,
    SERVER,
    STRANGER,
    SUBNETS,
    VPCS,
    acl,
    both_acls,
    client_and_server,
    eni,
    entry,
    group,
    network,
    permission,
    subnet,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_worlds import ADDRESSES, documents_of, incomplete, topology_of, worlds

import flowlens as fl
from flowlens.rules import Outcome, Request, round_trip
from flowlens.simulate import ICMP, TCP, UDP, Conversation, simulate

ALLOW, DENY, UNKNOWN = Outcome.ALLOW, Outcome.DENY, Outcome.UNKNOWN
NAMES = {
    ("security_group", "ingress"): "SG_IN",
    ("security_group", "egress"): "SG_OUT",
    ("network_acl", "ingress"): "NACL_IN",
    ("network_acl", "egress"): "NACL_OUT",
}


def steps(trip):
    return [(hop.packet, NAMES[hop.layer, hop.direction], hop.interface) for hop in trip.hops]


def test_the_filters_are_asked_in_the_order_in_which_the_packets_meet_them():
    trip = client_and_server().evaluate(CLIENT, SERVER, dst_port=443)
    assert steps(trip) == [
        ("request", "SG_OUT", "eni-1"),
        ("request", "NACL_OUT", "eni-1"),
        ("request", "NACL_IN", "eni-2"),
        ("request", "SG_IN", "eni-2"),
        ("reply", "SG_OUT", "eni-2"),
        ("reply", "NACL_OUT", "eni-2"),
        ("reply", "NACL_IN", "eni-1"),
        ("reply", "SG_IN", "eni-1"),
    ]
    assert [hop.position for hop in trip.hops] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert trip.outcome is ALLOW
    assert (trip.blocked_by, trip.surfaces_after_fix, trip.unknown, trip.aws_code) == ([], [], (), None)


def test_all_that_refuse_are_listed_those_of_the_first_stop_apart():
    topology = client_and_server(out=[], into=[permission("tcp", 80, cidr="0.0.0.0/0")], acls=both_acls([], OPEN))
    trip = topology.evaluate(CLIENT, SERVER, dst_port=443, src_port=40_000)
    assert trip.outcome is DENY
    assert trip.blocked_by == [
        {
            "layer": "security_group",
            "direction": "egress",
            "eni": "eni-1",
            "security_groups": ["sg-c"],
            "rule": "missing",
            "near_misses": [],
        },
        {
            "layer": "network_acl",
            "direction": "egress",
            "subnet": "subnet-a",
            "network_acl": "acl-a",
            "rule_number": 32_767,
            "rule": "implicit deny",
        },
    ]
    assert trip.surfaces_after_fix == [
        {
            "layer": "security_group",
            "direction": "ingress",
            "eni": "eni-2",
            "security_groups": ["sg-s"],
            "rule": "missing",
            "near_misses": [
                {
                    "security_group": "sg-s",
                    "rule": "sg-s, inbound rule 1",
                    "text": "TCP 80 from 0.0.0.0/0",
                    "differs_in": "port",
                }
            ],
        },
        {
            "layer": "network_acl",
            "direction": "ingress",
            "subnet": "subnet-a",
            "network_acl": "acl-a",
            "rule_number": 32_767,
            "rule": "implicit deny",
        },
    ]


def test_what_arrives_meets_the_network_acl_first():
    acls = both_acls(OPEN, [entry(50, "deny", "6", "10.0.0.0/16", (443, 443)), *OPEN])
    trip = client_and_server(into=[], acls=acls).evaluate(CLIENT, SERVER, dst_port=443)
    assert [each["layer"] for each in trip.blocked_by] == ["network_acl", "security_group"]
    assert (trip.blocked_by[0]["rule_number"], trip.blocked_by[0]["rule"]) == (50, "explicit deny")
    assert trip.surfaces_after_fix == []


def test_inside_one_subnet_the_network_acl_sees_nothing():
    topology = client_and_server(acls=both_acls([], []))
    trip = topology.evaluate(CLIENT, NEIGHBOUR, dst_port=443)
    assert steps(trip) == [
        ("request", "SG_OUT", "eni-1"),
        ("request", "SG_IN", "eni-3"),
        ("reply", "SG_OUT", "eni-3"),
        ("reply", "SG_IN", "eni-1"),
    ]
    assert trip.outcome is ALLOW
    assert any("stays inside subnet-a" in sentence for sentence in trip.assumptions)


def test_of_a_classic_load_balancer_the_network_acl_sees_what_leaves_it_even_inside_one_subnet():
    balancer = {"Description": "ELB shop", "RequesterId": "amazon-elb", "RequesterManaged": True}
    application = balancer | {"Description": "ELB app/shop/50dc6c495c0c9188"}
    closed = both_acls([], OPEN)
    trip = client_and_server(client=balancer, acls=closed).evaluate(CLIENT, NEIGHBOUR, dst_port=443)
    assert [(each["layer"], each["direction"]) for each in trip.blocked_by] == [("network_acl", "egress")]
    assert trip.aws_code == "ELB_ACL_RESTRICTION"
    assert client_and_server(client=application, acls=closed).evaluate(CLIENT, NEIGHBOUR, dst_port=443).outcome is ALLOW


@pytest.mark.parametrize(
    ("topology", "code"),
    [
        (client_and_server(into=[]), "SG_HAS_NO_RULES"),
        (client_and_server(into=[permission("udp", 443, cidr="0.0.0.0/0")]), "ENI_SG_RULES_MISMATCH"),
        (client_and_server(acls=both_acls(OPEN, [])), "SUBNET_ACL_RESTRICTION"),
        (client_and_server(), None),
    ],
)
def test_refusals_have_the_names_of_the_reachability_analyzer(topology, code):
    assert topology.evaluate(CLIENT, SERVER, dst_port=443).aws_code == code


def test_an_interface_without_groups_is_filtered_by_its_network_acl_alone():
    topology = network([eni(1, CLIENT), eni(2, SERVER, subnet="subnet-b")])
    trip = topology.evaluate(CLIENT, SERVER, dst_port=443)
    assert {hop.rule for hop in trip.hops if hop.layer == "security_group"} == {"no groups"}
    assert trip.outcome is ALLOW


# Replies


def test_a_security_group_lets_replies_pass_and_a_network_acl_does_not_know_them():
    # Nothing lets port 40000 in or out but tracking; the network ACL of the server allows what it answers from, 443.
    entries = [entry(100, "allow", "6", "0.0.0.0/0", (443, 443), egress=egress) for egress in (False, True)]
    trip = client_and_server(acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443, src_port=40_000)
    assert [(each["layer"], each["direction"], each["subnet"]) for each in trip.blocked_by] == [
        ("network_acl", "egress", "subnet-b")
    ]
    assert [hop.rule for hop in trip.hops if hop.packet == "reply" and hop.layer == "security_group"] == ["tracked"] * 2
    assert trip.arrives is ALLOW


@pytest.mark.parametrize(
    ("client", "first", "last"),
    [
        ({}, 32_768, 65_535),  # Linux and Windows
        ({"InterfaceType": "lambda"}, 1024, 65_535),
        ({"InterfaceType": "nat_gateway"}, 1024, 65_535),
        ({"Description": "ELB app/shop/50dc6c495c0c9188"}, 1024, 65_535),
    ],
)
def test_without_a_port_of_the_client_all_that_it_may_use_are_asked_about(client, first, last):
    def outcome(low, high):
        entries = [entry(100, "allow", "6", "0.0.0.0/0", (443, 443))]
        entries += [entry(100, "allow", "6", "0.0.0.0/0", (low, high), egress=True)]
        trip = client_and_server(client=client, acls=both_acls(OPEN, entries)).evaluate(CLIENT, SERVER, dst_port=443)
        return trip.outcome, trip.unknown, trip.assumptions

    known, _, assumptions = outcome(first, last)
    assert known is ALLOW
    assert f"ports {first}-{last}" in assumptions[0]
    for low, high in [(first + 1, last), (first, last - 1)]:
        partly, unknown, _ = outcome(low, high)
        assert partly is UNKNOWN
        assert "depends on the port" in unknown[0]
        assert "rule 32767 (implicit deny)" in unknown[0]
    assert outcome(1, first - 1)[0] is DENY


def test_clients_outside_ask_from_any_port():
    trip = client_and_server().evaluate(STRANGER, SERVER, dst_port=443)
    assert any("ports 1024-65535" in sentence for sentence in trip.assumptions)


def test_connections_that_are_not_tracked_are_said_to_be_cut_with_the_rule():
    topology = network(
        [eni(1, CLIENT, "sg-c"), eni(2, SERVER, "sg-s", subnet="subnet-b")],
        [group("sg-c", egress=EVERYTHING), group("sg-s", HTTPS, EVERYTHING)],
    )
    trip = topology.evaluate(CLIENT, SERVER, dst_port=443)
    untracked = [sentence for sentence in trip.assumptions if "does not track" in sentence]
    # The client's group has no inbound rule that would let the reply in, so that it has to track the connection.
    assert len(untracked) == 1
    assert untracked[0].startswith("eni-2 ")
    assert "sg-s, inbound rule 1" in untracked[0]
    assert "sg-s, outbound rule 1" in untracked[0]
    assert not any(
        "does not track" in each for each in topology.evaluate(CLIENT, SERVER, dst_port=443, protocol=1).assumptions
    )


# Protocols


def test_of_icmp_a_ping_is_asked_about_and_its_reply_has_another_type():
    entries = [entry(100, "allow", "1", "0.0.0.0/0", icmp=(8, -1))]
    entries += [entry(100, "allow", "1", "0.0.0.0/0", icmp=(0, -1), egress=True)]
    topology = client_and_server(into=[permission("icmp", 8, 0, cidr="10.0.0.0/16")], acls=both_acls(OPEN, entries))
    assert topology.evaluate(CLIENT, SERVER, dst_port=None, protocol="icmp").outcome is ALLOW
    wrong = [entry(100, "allow", "1", "0.0.0.0/0", icmp=(8, -1), egress=egress) for egress in (False, True)]
    topology = client_and_server(into=[permission("icmp", 8, 0, cidr="10.0.0.0/16")], acls=both_acls(OPEN, wrong))
    trip = topology.evaluate(CLIENT, SERVER, dst_port=None, protocol="icmp")
    assert [(each["layer"], each["direction"]) for each in trip.blocked_by] == [("network_acl", "egress")]


def test_icmp_messages_that_nobody_answers_go_one_way():
    topology = client_and_server(into=[permission("icmp", 3, 4, cidr="0.0.0.0/0")], acls=both_acls(OPEN, OPEN))
    too_big = Request(src=CLIENT, dst=SERVER, protocol=ICMP, icmp_type=3, icmp_code=4)
    trip = round_trip(topology, too_big)
    assert trip.outcome is ALLOW
    assert {hop.packet for hop in trip.hops} == {"request"}
    unreachable = round_trip(topology, Request(src=CLIENT, dst=SERVER, protocol=ICMP, icmp_type=3, icmp_code=1))
    assert [each["layer"] for each in unreachable.blocked_by] == ["security_group"]
    unknown = round_trip(topology, Request(src=CLIENT, dst=SERVER, protocol=ICMP))
    assert unknown.outcome is UNKNOWN
    assert "depends on the ICMP type" in unknown.unknown[0]


def test_ipv6_has_rules_of_its_own():
    topology = network(
        [
            eni(1, CLIENT, "sg-c", Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:1::4"}]),
            eni(2, SERVER, "sg-s", subnet="subnet-b", Ipv6Addresses=[{"Ipv6Address": "2001:db8:0:2::4"}]),
        ],
        [group("sg-c", egress=EVERYTHING), group("sg-s", HTTPS)],
        both_acls(OPEN, [each for each in OPEN if "CidrBlock" in each]),
    )
    assert topology.evaluate("eni-1", "eni-2", dst_port=443).outcome is ALLOW
    trip = topology.evaluate("2001:DB8:0:1::4", "eni-2", dst_port=443)
    assert [each.get("rule_number", each["rule"]) for each in trip.blocked_by] == [32_768, "missing"]
    assert [miss["differs_in"] for miss in trip.blocked_by[1]["near_misses"]] == ["family"]
    ping = topology.evaluate("2001:db8:0:1::4", "2001:db8:0:2::4", dst_port=None, protocol="icmpv6")
    assert ping.hops[0].header.icmp_type == 128


def test_protocols_without_ports_have_none():
    topology = client_and_server(into=[permission("50", cidr="10.0.1.0/24")])
    trip = topology.evaluate(CLIENT, SERVER, dst_port=None, protocol="esp")
    assert trip.outcome is ALLOW
    assert topology.evaluate(CLIENT, SERVER, dst_port=None, protocol=51).outcome is DENY


# Ends


def test_an_end_outside_has_no_filter_here():
    topology = client_and_server(acls=both_acls(OPEN, OPEN))
    trip = topology.evaluate(STRANGER, SERVER, dst_port=443)
    assert {hop.interface for hop in trip.hops} == {"eni-2"}
    assert trip.outcome is ALLOW
    assert any("203.0.113.9 is outside the topology" in sentence for sentence in trip.assumptions)
    out = topology.evaluate(CLIENT, "8.8.8.8", dst_port=53, protocol="udp")
    assert {hop.interface for hop in out.hops} == {"eni-1"}
    assert any("NAT gateway" in sentence for sentence in out.assumptions)


def test_an_address_of_a_subnet_without_an_interface_has_a_network_acl_and_unknown_groups():
    topology = client_and_server(acls=both_acls(OPEN, [entry(100, "allow", "-1", "0.0.0.0/0", egress=True)]))
    trip = topology.evaluate(CLIENT, "10.0.2.99", dst_port=443)
    assert [each["network_acl"] for each in trip.blocked_by] == ["acl-b"]
    assert trip.outcome is DENY
    assert trip.unknown == ("The security groups at 10.0.2.99: no interface of the topology has this address.",)


def test_an_address_of_the_vpc_outside_its_subnets_is_not_outside():
    trip = client_and_server().evaluate(CLIENT, "10.0.77.1", dst_port=443)
    assert trip.outcome is UNKNOWN
    # Without describe-vpcs any private address may be one of the VPC; one of the internet is hardly.
    topology = client_and_server(Vpcs=[])
    assert topology.evaluate(CLIENT, "10.1.0.1", dst_port=443).outcome is UNKNOWN
    assert topology.evaluate(CLIENT, "8.8.8.8", dst_port=443).outcome is ALLOW


def test_addresses_that_two_vpcs_have_are_told_apart_by_the_other_end_or_by_id():
    twins = [
        eni(1, CLIENT, "sg-c"),
        eni(2, SERVER, "sg-s", subnet="subnet-b"),
        eni(8, CLIENT, "sg-x", subnet="subnet-x", vpc="vpc-b"),
        eni(9, "10.0.3.9", "sg-x", subnet="subnet-x", vpc="vpc-b"),
    ]
    topology = network(
        twins,
        [group("sg-c", egress=EVERYTHING), group("sg-s", HTTPS), group("sg-x", vpc="vpc-b")],
        Vpcs=[*VPCS, {"VpcId": "vpc-b", "CidrBlock": "10.0.0.0/16"}],
        Subnets=[*SUBNETS, subnet("subnet-x", "10.0.0.0/20", vpc="vpc-b")],
    )
    assert topology.evaluate(CLIENT, SERVER, dst_port=443).hops[0].interface == "eni-1"
    assert topology.evaluate(CLIENT, "10.0.3.9", dst_port=443).hops[0].interface == "eni-8"
    with pytest.raises(fl.TopologyError, match="eni-1 in vpc-a, eni-8 in vpc-b"):
        topology.evaluate(CLIENT, STRANGER, dst_port=443)
    assert topology.evaluate("eni-8", STRANGER, dst_port=443).outcome is DENY
    assert topology.evaluate("eni-1", STRANGER, dst_port=443).outcome is ALLOW
    # Seen from vpc-a, 10.0.3.9 is an address of vpc-a, whoever has it elsewhere.
    mine = round_trip(
        topology,
        Request(src=CLIENT, dst="10.0.3.9", protocol=TCP, dst_port=443),
        source=topology.interfaces["eni-1"],
    )
    assert mine.target.interface is None
    assert mine.outcome is UNKNOWN


def test_to_a_public_address_one_goes_as_whom_one_is_outside():
    server = {
        "PrivateIpAddresses": [
            {"PrivateIpAddress": SERVER, "Primary": True, "Association": {"PublicIp": "198.51.100.2"}}
        ]
    }
    client = {
        "PrivateIpAddresses": [
            {"PrivateIpAddress": CLIENT, "Primary": True, "Association": {"PublicIp": "198.51.100.1"}}
        ]
    }

    def trip(into, to, **of_client):
        topology = network(
            [eni(1, CLIENT, "sg-c", **of_client), eni(2, SERVER, "sg-s", subnet="subnet-b", **server)],
            [group("sg-c", egress=EVERYTHING), group("sg-s", into)],
        )
        return topology.evaluate(CLIENT, to, dst_port=443)

    by_group, by_address = [permission("tcp", 443, group="sg-c")], [permission("tcp", 443, cidr="198.51.100.1/32")]
    assert trip(by_group, SERVER, **client).outcome is ALLOW
    assert trip(by_group, "198.51.100.2", **client).outcome is DENY
    assert trip(by_address, "198.51.100.2", **client).outcome is ALLOW
    # Inside one subnet the public address still leads out of it.
    beside = network(
        [
            eni(1, CLIENT, **client),
            eni(
                2,
                NEIGHBOUR,
                PrivateIpAddresses=[{"PrivateIpAddress": NEIGHBOUR, "Association": {"PublicIp": "198.51.100.2"}}],
            ),
        ],
        acls=[acl("acl-1", ["subnet-a"])],
    )
    assert beside.evaluate(CLIENT, NEIGHBOUR, dst_port=443).outcome is ALLOW
    assert beside.evaluate(CLIENT, "198.51.100.2", dst_port=443).outcome is DENY
    # Who has no public address comes through a NAT gateway, whose address is not known here.
    assert trip(by_address, "198.51.100.2").outcome is UNKNOWN


NAT = {
    "InterfaceType": "nat_gateway",
    "PrivateIpAddresses": [{"PrivateIpAddress": SERVER, "Association": {"PublicIp": "198.51.100.2"}}],
}


@pytest.mark.parametrize(
    ("entries", "doubt"),
    [
        ([], None),
        ([entry(90, "deny", "6", "10.0.1.0/24", (443, 443))], "request entering its subnet is refused by rule 90"),
        (
            [entry(90, "deny", "6", "8.8.8.8/32", (443, 443), egress=True)],
            "request leaving its subnet is refused by rule 90",
        ),
        # the port of the gateway is not that of the client
        ([entry(90, "deny", "6", "8.8.8.8/32", (2000, 2000))], "reply entering its subnet may be refused"),
        ([entry(90, "deny", "6", "10.0.1.0/24", (40_000, 40_000), egress=True)], "reply leaving its subnet is refused"),
        ([entry(90, "deny", "6", "10.0.1.0/24", (2000, 2000), egress=True)], None),
    ],
)
def test_a_nat_gateway_that_would_stop_it_leaves_the_way_out_in_doubt(entries, doubt):
    topology = network(
        [eni(1, CLIENT, "sg-c"), eni(2, SERVER, subnet="subnet-b", **NAT)],
        [group("sg-c", egress=EVERYTHING)],
        both_acls(OPEN, [*entries, *OPEN]),
    )
    trip = topology.evaluate(CLIENT, "8.8.8.8", dst_port=443, src_port=40_000)
    assert trip.blocked_by == []
    assert trip.outcome is (ALLOW if doubt is None else UNKNOWN)
    if doubt is not None:
        assert len(trip.unknown) == 1
        assert trip.unknown[0].startswith("If it goes through NAT gateway eni-2, the ")
        assert doubt in trip.unknown[0]
        assert trip.fix().calls == []


def test_only_public_nat_gateways_of_other_subnets_of_the_vpc_may_be_on_the_way():
    # What a gateway beside the client would have refused, but not the client's own network ACL: the gateway's ports.
    beside = [entry(90, "deny", "6", "8.8.8.8/32", (2000, 2000)), *OPEN]

    def outcome(*groups, **changed):
        gateway = eni(2, SERVER, **({"subnet": "subnet-b"} | NAT | changed))
        topology = network([eni(1, CLIENT, *groups), gateway], [group("sg-c")], acls=both_acls(beside, []))
        return topology.evaluate(CLIENT, "8.8.8.8", dst_port=443, src_port=40_000).outcome

    assert outcome() is UNKNOWN
    assert outcome("sg-c") is DENY
    assert outcome(subnet="subnet-a") is ALLOW
    assert outcome(vpc="vpc-b") is ALLOW
    assert outcome(PrivateIpAddresses=[{"PrivateIpAddress": SERVER}]) is ALLOW
    # Nor is there one on the way to a private address, such as one behind a VPN.
    topology = network([eni(1, CLIENT), eni(2, SERVER, subnet="subnet-b", **NAT)], acls=both_acls(OPEN, []))
    assert topology.evaluate(CLIENT, "192.168.0.9", dst_port=443).outcome is ALLOW


def test_the_resolver_and_the_link_are_not_filtered():
    topology = client_and_server(out=[], acls=both_acls([], []))
    assert topology.evaluate(CLIENT, "10.0.0.2", dst_port=53, protocol="udp").outcome is ALLOW
    assert topology.evaluate(CLIENT, "169.254.169.254", dst_port=80).outcome is ALLOW
    assert topology.evaluate(CLIENT, "10.0.0.2", dst_port=80).outcome is DENY


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"src": "8.8.8.8", "dst": "1.1.1.1"}, fl.TopologyError, "Neither 8.8.8.8 nor 1.1.1.1"),
        ({"src": "10.0.1", "dst": SERVER}, ValueError, "src: '10.0.1' is neither an IP address"),
        ({"src": CLIENT, "dst": "10.0.0.0/8"}, ValueError, "dst: .* is a prefix"),
        ({"src": CLIENT, "dst": "2001:db8::9"}, ValueError, "no packet has addresses of both IP families"),
        ({"src": CLIENT, "dst": "eni-9"}, fl.TopologyError, "eni-9 is not in the topology"),
        ({"src": CLIENT, "dst": CLIENT}, ValueError, "is both ends"),
        ({"src": CLIENT, "dst": SERVER, "dst_port": 70_000}, ValueError, "dst_port: 70000 is no port"),
        ({"src": CLIENT, "dst": SERVER, "dst_port": "htps"}, ValueError, "dst_port: 'htps' is no service"),
        ({"src": CLIENT, "dst": SERVER, "protocol": "tpc"}, ValueError, "protocol: 'tpc' is no protocol"),
        ({"src": "2001:db8::9", "dst": "eni-2"}, fl.TopologyError, "eni-2 has no IPv6 address"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        client_and_server().evaluate(**{"dst_port": 443} | arguments)


def test_ports_may_be_named():
    assert client_and_server().evaluate(CLIENT, SERVER, dst_port="https").request.dst_port == 443


# The answer


def test_an_answer_is_neither_true_nor_false_and_reads_as_text_and_as_a_table():
    trip = client_and_server(into=[]).evaluate(CLIENT, SERVER, dst_port=443, src_port=40_000)
    with pytest.raises(TypeError, match="compare its"):
        bool(trip)
    assert repr(trip) == (
        "<RoundTrip tcp 10.0.1.4 to 10.0.2.4 port 443: DENY\n"
        "  4 request ingress security group sg-s at eni-2: DENY (missing)>"
    )
    table = trip.frame()
    assert table["outcome"].tolist() == ["allow", "allow", "allow", "deny", "allow", "allow", "allow", "allow"]
    assert table["rule_number"].dropna().tolist() == [100] * 4
    nothing = client_and_server().evaluate(CLIENT, "169.254.169.254", dst_port=80).frame()
    assert len(nothing) == 0
    assert nothing.dtypes.to_dict() == table.dtypes.to_dict()


def test_the_missing_document_is_named():
    trip = client_and_server(NetworkAcls=[]).evaluate(CLIENT, SERVER, dst_port=443)
    assert trip.outcome is UNKNOWN
    assert len(trip.unknown) == 2
    assert all("describe-network-acls" in sentence for sentence in trip.unknown)


def test_a_network_acl_is_only_perhaps_on_the_way_where_the_subnet_of_an_end_is_not_known():
    topology = client_and_server(acls=both_acls([], OPEN), Subnets=[])
    trip = topology.evaluate(CLIENT, "10.0.1.99", dst_port=443)
    assert trip.outcome is UNKNOWN
    assert "Whether both ends are in one subnet" in trip.unknown[0]
    # The range of the client's subnet tells that the other end is in another one.
    topology = client_and_server(acls=both_acls([], OPEN), Subnets=SUBNETS[:1])
    assert topology.evaluate(CLIENT, "10.0.2.99", dst_port=443).outcome is DENY


def test_a_refusal_is_known_whatever_else_is_not():
    trip = client_and_server(into=[], NetworkAcls=[]).evaluate(CLIENT, SERVER, dst_port=443)
    assert trip.outcome is DENY
    assert trip.unknown


# Against traffic that was played packet by packet


def conversations(draw):
    return tuple(
        Conversation(
            start=float(n),
            initiator=f"eni-{source}",
            responder=f"eni-{(source + step) % len(ADDRESSES)}",
            protocol=protocol,
            responder_port=0 if protocol == ICMP else port,
            initiator_port=0 if protocol == ICMP else client,
            bytes_up=10,
            bytes_down=10,
            ipv6=ipv6 and protocol != ICMP,
        )
        for n, (source, step, protocol, port, client, ipv6) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        st.integers(0, 3),
                        st.integers(1, 3),
                        st.sampled_from((TCP, UDP, ICMP)),
                        st.sampled_from((22, 443)),
                        st.sampled_from((1024, 32_768, 61_000)),
                        st.booleans(),
                    ),
                    min_size=4,
                    max_size=8,
                    # What one conversation has had tracked is not to help another.
                    unique_by=lambda each: frozenset((each[0], (each[0] + each[1]) % 4)),
                )
            )
        )
    )


@st.composite
def busy_worlds(draw):
    return draw(worlds(traffic=conversations(draw)))


def first_refusal(trip):
    if not trip.blocked_by:
        return None, None, None
    first = trip.blocked_by[0]
    where = first["eni"] if first["layer"] == "security_group" else first["subnet"]
    return NAMES[first["layer"], first["direction"]], where, first.get("rule_number")


def refusals(topology, truth):
    """Yield what the simulator and the evaluator say of each conversation."""
    for row in truth.itertuples():
        has_ports = row.protocol in {TCP, UDP}
        trip = topology.evaluate(
            row.initiator,
            row.responder,
            dst_port=int(row.responder_port) if has_ports else None,
            src_port=int(row.initiator_port) if has_ports else None,
            protocol=int(row.protocol),
        )
        was_refused = row.cause == "rules"
        number = int(row.rule_number) if was_refused and pd.notna(row.rule_number) else None
        expected = (row.blocked_by, row.blocked_at, number) if was_refused else (None, None, None)
        yield trip, expected


@given(busy_worlds())
@settings(max_examples=40)
def test_the_first_refusal_is_the_one_of_the_simulated_packets(world):
    simulation = simulate(world, hours=0.05)
    for trip, expected in refusals(topology_of(world), simulation.truth):
        assert first_refusal(trip) == expected
        assert trip.outcome is (DENY if expected[0] else ALLOW)


def test_every_conversation_of_the_sample_is_refused_where_it_was():
    truth = pd.read_csv(Path(__file__).parent.parent / "sample_data" / "vpc" / "truth.csv")
    ends = ["initiator", "responder", "responder_port", "protocol", "cause"]
    answers = [
        first_refusal(trip) == expected
        for trip, expected in refusals(fl.sample_topology(), truth.drop_duplicates(ends))
    ]
    assert len(answers) > 4_000
    assert all(answers)


@given(st.data(), busy_worlds())
@settings(max_examples=60)
def test_with_less_known_a_trip_has_the_same_outcome_or_an_unknown_one(data, world):
    documents = documents_of(world)
    some = data.draw(incomplete(documents)) | {"Vpcs": documents["Vpcs"]}
    complete, partial = fl.Topology.from_describe(documents), fl.Topology.from_describe(some)
    for address in ADDRESSES[1:]:
        full = complete.evaluate(ADDRESSES[0], address, dst_port=443, src_port=40_000)
        less = partial.evaluate(ADDRESSES[0], address, dst_port=443, src_port=40_000)
        assert less.outcome in {full.outcome, UNKNOWN}
        known = {(hop.packet, hop.direction, hop.layer): hop.outcome for hop in full.hops}
        for hop in less.hops:
            # A filter that is not on the way, as both ends are in one subnet, lets everything pass.
            assert hop.outcome in {known.get((hop.packet, hop.direction, hop.layer), ALLOW), UNKNOWN}
