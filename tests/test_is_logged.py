"""fl.is_logged: every kind of traffic that flow logs never capture, and what is said of the rest."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowlens as fl


def eni(number, address, vpc="vpc-a", subnet="subnet-a1", **fields):
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "PrivateIpAddress": address,
        "VpcId": vpc,
        "SubnetId": subnet,
        **fields,
    }


# vpc-a: two ranges, two subnets; vpc-b: peered with it, its range begins where no subnet does.
NETWORK = {
    "Vpcs": [
        {
            "VpcId": "vpc-a",
            "CidrBlock": "10.1.0.0/16",
            "CidrBlockAssociationSet": [{"CidrBlock": "10.9.0.0/16"}],
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}],
        },
        {"VpcId": "vpc-b", "CidrBlock": "10.2.0.0/16"},
    ],
    "Subnets": [
        {
            "SubnetId": "subnet-a0",
            "VpcId": "vpc-a",
            "CidrBlock": "10.1.0.0/24",
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:0:0::/64"}],
        },
        {"SubnetId": "subnet-a1", "VpcId": "vpc-a", "CidrBlock": "10.1.1.0/24"},
        {"SubnetId": "subnet-a9", "VpcId": "vpc-a", "CidrBlock": "10.9.0.0/24"},
        {"SubnetId": "subnet-b1", "VpcId": "vpc-b", "CidrBlock": "10.2.1.0/24"},
    ],
    "NetworkInterfaces": [
        eni(
            1,
            "10.1.1.10",
            PrivateIpAddresses=[
                {"PrivateIpAddress": "10.1.1.10", "Primary": True, "Association": {"PublicIp": "198.51.100.10"}},
                {"PrivateIpAddress": "10.1.1.11", "Primary": False},
            ],
            Ipv4Prefixes=[{"Ipv4Prefix": "10.1.1.64/28"}],
            Ipv6Addresses=[{"Ipv6Address": "2001:db8::10"}],
            Attachment={"InstanceId": "i-1"},
            TagSet=[{"Key": "Name", "Value": "web-1"}],
        ),
        eni(2, "10.1.1.20"),
        eni(3, "10.2.1.10", vpc="vpc-b", subnet="subnet-b1"),
        eni(
            4,
            "10.1.0.40",
            subnet="subnet-a0",
            InterfaceType="vpc_endpoint",
            Description="VPC Endpoint Interface vpce-1",
        ),
        eni(5, "10.1.0.50", subnet="subnet-a0", InterfaceType="network_load_balancer", Description="ELB net/inner/1"),
        eni(6, "10.1.0.60", subnet="subnet-a0", Description="ELB app/shop/1"),
        eni(8, "10.1.0.80", subnet="subnet-a0", Description="Interface for NAT Gateway nat-1", SourceDestCheck=False),
    ],
    "FlowLogs": [
        {"FlowLogId": "fl-a", "ResourceId": "vpc-a", "TrafficType": "ALL", "FlowLogStatus": "ACTIVE"},
        {"FlowLogId": "fl-b", "ResourceId": "vpc-b", "TrafficType": "ALL", "FlowLogStatus": "ACTIVE"},
    ],
}
TOPOLOGY = fl.Topology.from_describe(NETWORK)


def without(*keys):
    return fl.Topology.from_describe({key: value for key, value in NETWORK.items() if key not in keys})


def with_flow_logs(*logs):
    return fl.Topology.from_describe({**NETWORK, "FlowLogs": list(logs)})


# Never, whatever the network

ANYWHERE = [
    ("10.1.1.10", "169.254.169.253", {"dst_port": 53}, "Amazon DNS server"),
    ("2001:db8::10", "fd00:ec2::253", {"dst_port": 53, "protocol": "udp"}, "Amazon DNS server"),
    ("10.1.1.10", "169.254.169.250", {"dst_port": 1688, "protocol": "tcp"}, "licence"),
    ("10.1.1.10", "169.254.169.251", {}, "licence"),
    ("2001:db8::10", "fd00:ec2::250", {}, "licence"),
    ("10.1.1.10", "169.254.169.254", {"dst_port": 80}, "metadata"),
    ("2001:db8::10", "FD00:EC2:0::254", {}, "metadata"),
    ("10.1.1.10", "169.254.169.123", {"dst_port": "ntp"}, "Time Sync"),
    ("2001:db8::10", "fd00:ec2::123", {"dst_port": 123}, "Time Sync"),
    ("10.1.1.10", "169.254.170.2", {"dst_port": 80}, "ECS"),
    ("10.1.1.10", "169.254.170.23", {}, "Pod Identity"),
    ("2001:db8::10", "fd00:ec2::23", {}, "Pod Identity"),
    ("10.1.1.10", "169.254.7.7", {}, "link-local"),
    ("fe80::1", "2001:db8::10", {"protocol": 58}, "link-local"),
    ("127.0.0.1", "127.8.0.1", {}, "loopback"),
    ("::1", "2001:db8::10", {}, "loopback"),
    ("10.1.1.10", "10.1.1.10", {"dst_port": 5432}, "itself"),
    ("2001:db8::10", "2001:DB8:0::10", {}, "itself"),
    ("0.0.0.0", "255.255.255.255", {"dst_port": 67, "protocol": "udp"}, "DHCP"),
    ("10.1.1.1", "10.1.1.10", {"dst_port": 68, "protocol": 17}, "DHCP"),
    ("2001:db8::10", "ff02::1:2", {"dst_port": 547}, "DHCP"),
    ("2001:db8::1", "2001:db8::10", {"dst_port": 546, "protocol": "udp"}, "DHCP"),
    ("10.1.1.10", "10.1.1.20", {"protocol": "arp"}, "ARP"),
    ("10.1.1.10", "10.1.1.20", {"protocol": "ARP"}, "ARP"),
]


@pytest.mark.parametrize("topology", [None, TOPOLOGY], ids=["alone", "topology"])
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize(("src", "dst", "more", "word"), ANYWHERE)
def test_what_is_never_captured_anywhere(src, dst, more, word, back, topology):
    if back:
        src, dst = dst, src
    answer = fl.is_logged(src, dst, **more, topology=topology)
    assert not answer
    assert answer.logged is False
    assert word in answer.reason


@pytest.mark.parametrize(
    ("src", "dst", "more"),
    [
        ("10.1.1.10", "10.1.1.20", {"dst_port": 67, "protocol": "tcp"}),  # no DHCP
        ("10.1.1.10", "10.1.1.20", {"dst_port": 547, "protocol": "udp"}),  # DHCPv6 is IPv6
        ("2001:db8::10", "2001:db8::99", {"dst_port": 67, "protocol": "udp"}),
        ("10.1.1.10", "169.253.255.255", {}),
        ("10.1.1.10", "169.255.0.1", {}),
        ("10.1.1.10", "8.8.8.8", {"dst_port": 53, "protocol": "udp"}),  # a DNS server that is not Amazon's
        ("10.1.1.10", "10.1.1.20", {"dst_port": 53}),
        ("10.1.1.10", "10.1.1.20", {"dst_port": 1688}),  # a licence server of one's own
        ("10.1.1.10", "3.33.1.1", {"dst_port": 123, "protocol": "udp"}),  # time.aws.com
        ("2001:db8::10", "fd00:ec2:1::254", {}),
        ("10.1.1.10", "10.1.1.20", {"dst_port": 443}),
    ],
)
@pytest.mark.parametrize("topology", [None, TOPOLOGY], ids=["alone", "topology"])
def test_what_looks_alike_is_captured(src, dst, more, topology):
    assert fl.is_logged(src, dst, **more, topology=topology)
    assert fl.is_logged(dst, src, **more, topology=topology)


# Never, by the network

BY_NETWORK = [
    ("10.1.1.10", "10.1.0.2", {"dst_port": 53, "protocol": "udp"}, "resolver of vpc-a"),
    ("10.1.1.10", "10.1.0.2", {"dst_port": "dns", "protocol": "tcp"}, "resolver of vpc-a"),
    ("10.1.1.10", "10.1.0.2", {}, "resolver of vpc-a"),
    ("10.1.0.2", "10.1.1.10", {"dst_port": 40_000, "protocol": "udp"}, "resolver of vpc-a"),
    ("10.2.1.10", "10.2.0.2", {"dst_port": 53}, "resolver of vpc-b"),
    ("10.1.1.10", "10.1.1.1", {}, "default VPC router of subnet-a1"),
    ("10.1.1.1", "10.1.1.10", {"protocol": "icmp"}, "default VPC router of subnet-a1"),
    ("10.1.1.10", "10.1.1.0", {}, "network address of subnet-a1"),
    ("10.1.1.10", "10.1.1.2", {"dst_port": 53}, "kept for DNS of subnet-a1"),
    ("10.1.1.10", "10.9.0.2", {"dst_port": 53}, "kept for DNS of subnet-a9"),  # no resolver in a secondary range
    ("10.1.1.10", "10.1.1.3", {}, "kept for future use of subnet-a1"),
    ("10.1.1.10", "10.1.1.255", {"dst_port": 137}, "broadcast address of subnet-a1"),
    ("2001:db8::10", "2001:db8::1", {}, "default VPC router of subnet-a0"),
    ("2001:db8::10", "2001:db8::ffff:ffff:ffff:ffff", {}, "last address of subnet-a0"),
    ("10.1.0.40", "10.1.0.50", {"dst_port": 443}, "Network Load Balancer"),
    ("10.1.0.50", "10.1.0.40", {"dst_port": 443}, "Network Load Balancer"),
    ("10.1.1.10", "10.1.1.11", {"dst_port": 80}, "inside one interface"),
    ("10.1.1.65", "10.1.1.79", {}, "inside one interface"),
    ("10.1.1.10", "10.1.1.70", {}, "EC2 web-1 (eni-1)"),
]


@pytest.mark.parametrize(("src", "dst", "more", "words"), BY_NETWORK)
def test_what_is_never_captured_in_this_network(src, dst, more, words):
    answer = fl.is_logged(src, dst, **more, topology=TOPOLOGY)
    assert not answer
    assert words in answer.reason


@pytest.mark.parametrize(
    ("src", "dst", "more"),
    [
        ("10.1.1.10", "10.1.0.2", {"dst_port": 443}),  # the resolver, but no DNS
        ("10.1.1.10", "10.1.0.2", {"protocol": "icmp"}),
        ("10.1.1.10", "10.1.1.4", {}),  # the first address that an interface can have
        ("10.1.1.10", "10.1.1.254", {}),
        ("10.1.0.40", "10.1.0.60", {"dst_port": 443}),  # endpoint and application load balancer
        ("10.1.1.10", "10.1.0.50", {"dst_port": 443}),
        ("10.1.1.10", "10.1.0.40", {"dst_port": 443}),
        ("10.1.1.10", "198.51.100.10", {}),  # to its own public address: out to the internet gateway and back
        ("10.1.1.10", "10.1.1.20", {}),
        ("203.0.113.1", "198.51.100.10", {"dst_port": 443}),
        ("10.1.1.10", "10.2.1.1", {}),  # the router of a subnet of the peer
    ],
)
def test_what_is_captured_in_this_network(src, dst, more):
    assert fl.is_logged(src, dst, **more, topology=TOPOLOGY)


def test_the_resolver_of_another_vpc_does_not_answer_and_the_attempt_is_logged():
    answer = fl.is_logged("10.1.1.10", "10.2.0.2", dst_port=53, protocol="udp", topology=TOPOLOGY)
    assert answer
    assert "10.2.0.2 is the resolver of vpc-b, which answers that VPC only" in answer.reason


def test_an_address_of_overlapping_vpcs_is_not_taken_for_the_resolver_of_one():
    # vpc-c has the range of vpc-a's subnet, and 10.1.1.10 too: there 10.1.0.2 is no resolver.
    overlapping = copy.deepcopy(NETWORK)
    overlapping["Vpcs"].append({"VpcId": "vpc-c", "CidrBlock": "10.1.1.0/24"})
    overlapping["NetworkInterfaces"].append(eni(7, "10.1.1.10", vpc="vpc-c", subnet="subnet-c"))
    answer = fl.is_logged("10.1.1.10", "10.1.0.2", dst_port=53, topology=fl.Topology.from_describe(overlapping))
    assert answer
    assert "10.1.1.10 is on EC2 web-1 (eni-1) and eni-7: which of them is meant is not known" in answer.reason


# What flow logs cover


def test_the_flow_log_that_covers_it_is_named():
    assert fl.is_logged("10.1.1.10", "10.1.1.20", dst_port=80, topology=TOPOLOGY).reason == (
        "fl-a covers EC2 web-1 (eni-1) and eni-2."
    )
    assert fl.is_logged("10.1.1.10", "10.2.1.10", dst_port=80, topology=TOPOLOGY).reason == (
        "fl-a covers EC2 web-1 (eni-1). fl-b covers eni-3."
    )


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("198.51.100.99", "Neither 203.0.113.1 nor 198.51.100.99"),
        ("10.1.1.99", "one would be in subnet-a1, so the interface may be gone"),
        ("10.1.1.99", "what forwards for others could have seen it: NAT gateway nat-1 (eni-8)"),
    ],
)
def test_traffic_of_nobody_may_be_seen_by_what_forwards_it_or_by_an_interface_that_is_gone(end, words):
    answer = fl.is_logged("203.0.113.1", end, topology=TOPOLOGY)
    assert answer
    assert words in answer.reason


def test_traffic_of_nobody_that_nothing_forwards_is_not_logged():
    topology = fl.Topology.from_describe(
        {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.5"}]}
    )
    answer = fl.is_logged("203.0.113.1", "198.51.100.99", topology=topology)
    assert not answer
    assert answer.reason.startswith("Neither 203.0.113.1 nor 198.51.100.99")


def test_what_passes_a_nat_gateway_is_recorded_there_though_the_client_has_no_flow_log():
    topology = with_flow_logs({"FlowLogId": "fl-1", "ResourceId": "eni-8", "FlowLogStatus": "ACTIVE"})
    answer = fl.is_logged("10.1.1.10", "8.8.8.8", topology=topology)
    assert answer
    assert "It is recorded where it passes NAT gateway nat-1 (eni-8), if it does." in answer.reason


@pytest.mark.parametrize("resource", ["eni-1", "subnet-a1", "vpc-a"])
def test_flow_logs_are_on_interfaces_subnets_or_vpcs(resource):
    topology = with_flow_logs({"FlowLogId": "fl-1", "ResourceId": resource, "FlowLogStatus": "ACTIVE"})
    assert fl.is_logged("10.1.1.10", "8.8.8.8", topology=topology)
    answer = fl.is_logged("8.8.8.8", "10.2.1.10", topology=topology)
    assert not answer
    assert answer.reason == "No active flow log of the topology covers eni-3."


def test_an_end_without_flow_log_is_named():
    topology = with_flow_logs({"FlowLogId": "fl-1", "ResourceId": "eni-2"})
    assert fl.is_logged("10.1.1.10", "10.1.1.20", topology=topology).reason == (
        "fl-1 covers eni-2. No active flow log covers EC2 web-1 (eni-1)."
    )


@pytest.mark.parametrize(
    "log",
    [
        {"FlowLogId": "fl-1", "ResourceId": "vpc-a", "FlowLogStatus": "INACTIVE"},
        {"FlowLogId": "fl-1", "ResourceId": "tgw-1", "FlowLogStatus": "ACTIVE"},
        {"FlowLogId": "fl-1"},
    ],
)
def test_without_an_active_flow_log_there_is_no_record(log):
    answer = fl.is_logged("10.1.1.10", "8.8.8.8", topology=with_flow_logs(log))
    assert not answer
    assert "No active flow log" in answer.reason


@pytest.mark.parametrize(("traffic", "word"), [("REJECT", "refused traffic only"), ("ACCEPT", "accepted traffic only")])
def test_a_flow_log_of_a_part_of_the_traffic_says_so(traffic, word):
    log = {"FlowLogId": "fl-1", "ResourceId": "vpc-a", "TrafficType": traffic, "FlowLogStatus": "ACTIVE"}
    answer = fl.is_logged("10.1.1.10", "8.8.8.8", topology=with_flow_logs(log))
    assert answer
    assert word in answer.reason


def test_a_topology_without_flow_logs_cannot_tell_of_them():
    answer = fl.is_logged("10.1.1.10", "8.8.8.8", topology=without("FlowLogs"))
    assert answer
    assert "holds no flow logs" in answer.reason
    assert "eni-1" in answer.reason


@pytest.mark.parametrize("lacking", [("NetworkInterfaces",), ("NetworkInterfaces", "FlowLogs")])
def test_a_topology_without_interfaces_cannot_tell_whose_traffic_it_is(lacking):
    answer = fl.is_logged("203.0.113.1", "198.51.100.99", topology=without(*lacking))
    assert answer
    assert "no interface" in answer.reason


# What remains unknown


def test_without_a_topology_the_resolver_is_only_suspected():
    answer = fl.is_logged("10.0.1.5", "10.0.0.2", dst_port=53)
    assert answer
    assert "10.0.0.2 may be the resolver of its VPC" in answer.reason
    assert "Pass a topology" in answer.reason
    assert "may be the resolver" in fl.is_logged("10.0.0.2", "10.0.1.5", dst_port=40_000).reason
    assert "may be the resolver" in fl.is_logged("10.0.1.5", "172.31.5.178").reason  # 172.31.5.176/28
    assert "resolver of its" not in fl.is_logged("10.0.1.5", "10.0.0.2", dst_port=443).reason
    assert "resolver of its" not in fl.is_logged("10.0.1.5", "10.0.0.4", dst_port=53).reason


def test_without_a_topology_the_router_is_only_suspected():
    answer = fl.is_logged("10.0.1.5", "10.0.1.1")
    assert answer
    assert "10.0.1.1 may be the reserved address of the default router" in answer.reason


def test_without_the_vpc_the_resolver_is_only_suspected():
    answer = fl.is_logged("10.1.1.10", "10.1.0.2", dst_port=53, topology=without("Vpcs", "Subnets"))
    assert answer
    assert "10.1.0.2 may be the resolver of vpc-a" in answer.reason
    assert "describe-vpcs" in answer.reason


@pytest.mark.parametrize("topology", [None, TOPOLOGY], ids=["alone", "topology"])
def test_mirrored_traffic_is_logged_at_its_target_only(topology):
    answer = fl.is_logged("10.1.1.10", "10.1.1.20", dst_port=4789, protocol="udp", topology=topology)
    assert answer
    assert "never at its source" in answer.reason
    assert "mirror" not in fl.is_logged("10.1.1.10", "10.1.1.20", dst_port=4789, protocol="tcp").reason


# The arguments and the result


@pytest.mark.parametrize(
    ("src", "dst", "more", "words"),
    [
        ("10.0.0.0/24", "10.0.0.1", {}, "src: '10.0.0.0/24' is a prefix"),
        ("10.0.0.1", "web-1", {}, "dst: 'web-1' is neither an IP address"),
        ("10.0.0.1", "", {}, "dst: "),
        (None, "10.0.0.1", {}, "src: "),
        ("10.0.0.1", "2001:db8::1", {}, "src is IPv4 and dst IPv6"),
        ("10.0.0.1", "10.0.0.9", {"dst_port": 65_536}, "dst_port: 65536"),
        ("10.0.0.1", "10.0.0.9", {"dst_port": -1}, "dst_port: '-1'"),
        ("10.0.0.1", "10.0.0.9", {"dst_port": "no-such-service"}, "dst_port: 'no-such-service'"),
        ("10.0.0.1", "10.0.0.9", {"protocol": "tcpp"}, "protocol: 'tcpp'"),
        ("10.0.0.1", "10.0.0.9", {"protocol": 256}, "protocol: 256"),
        ("web-1", "10.0.0.9", {"protocol": "arp"}, "src: 'web-1'"),
    ],
)
def test_wrong_arguments_are_named(src, dst, more, words):
    with pytest.raises(ValueError, match="^" + words.replace("(", r"\(")):
        fl.is_logged(src, dst, **more)


def test_values_of_a_frame_can_be_asked_about():
    assert not fl.is_logged("10.1.1.10", "10.1.0.2", dst_port=np.uint16(53), protocol=np.uint8(17), topology=TOPOLOGY)
    assert fl.is_logged("10.1.1.10", "10.1.0.2", dst_port=np.uint16(0), protocol=np.uint8(1), topology=TOPOLOGY)


def test_the_answer_is_frozen_and_reads_as_a_sentence():
    answer = fl.is_logged("10.0.0.9", "169.254.169.254")
    assert repr(answer) == "not logged: 169.254.169.254 is the instance metadata service, which is never captured."
    with pytest.raises(AttributeError):
        answer.logged = True
    assert repr(fl.is_logged("10.0.0.9", "10.0.0.10")).startswith("logged: Nothing")


@given(st.ip_addresses(), st.ip_addresses(), st.none() | st.integers(0, 65_535), st.none() | st.integers(0, 255))
def test_any_addresses_ports_and_protocols_have_an_answer_and_a_reason(src, dst, port, protocol):
    if src.version == dst.version:
        for topology in (None, TOPOLOGY):
            answer = fl.is_logged(str(src), str(dst), dst_port=port, protocol=protocol, topology=topology)
            assert answer.reason.endswith(".")
            assert bool(answer) is answer.logged


def test_what_is_no_topology_is_refused():
    with pytest.raises(TypeError, match="is_logged takes a Topology and not a dict"):
        fl.is_logged("10.0.0.1", "10.0.0.2", topology={"NetworkInterfaces": []})
