"""What traffic costs: paths, each byte once, prices, and what cannot be told. The truth is worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from formats import frame, nodata, record
from pandas.testing import assert_frame_equal
from test_transit_gateway import _ORDINARY as AT_A_GATEWAY

import flowlens as fl

GB = 2**30
CLIENT, OTHER, NAT, WEB, S3 = "10.0.1.5", "10.0.2.7", "10.0.0.220", "203.0.113.5", "198.51.100.240"
CLIENT_ENI, OTHER_ENI, NAT_ENI = "eni-client", "eni-other", "eni-nat"
DESCRIBE = "sample_data/vpc/describe"


def seen(src, dst, size, *, eni=CLIENT_ENI, way="egress", pkt=None, **more):
    """Return a record of the fields of version 5: `pkt` are the ends of the packet where they are others."""
    ends = pkt or (src, dst)
    return record(
        **{
            "interface_id": eni,
            "srcaddr": src,
            "dstaddr": dst,
            "bytes": size,
            "pkt_srcaddr": ends[0],
            "pkt_dstaddr": ends[1],
            "flow_direction": way,
            "traffic_path": None,
            "az_id": None,
            "instance_id": None if eni == NAT_ENI else "i-1",
            "pkt_src_aws_service": "S3" if ends[0] == S3 else None,
            "pkt_dst_aws_service": "S3" if ends[1] == S3 else None,
            **more,
        }
    )


def through_nat(client, far, out, back, *, eni=CLIENT_ENI):
    """Return the six records of what a client sends by the NAT gateway and gets back."""
    return [
        seen(client, far, out, eni=eni, traffic_path=1),
        seen(client, NAT, out, eni=NAT_ENI, way="ingress", pkt=(client, far)),
        seen(NAT, far, out, eni=NAT_ENI, traffic_path=8),
        seen(far, NAT, back, eni=NAT_ENI, way="ingress"),
        seen(NAT, client, back, eni=NAT_ENI, pkt=(far, client), traffic_path=1),
        seen(far, client, back, eni=eni, way="ingress"),
    ]


def interface(eni, address, *, zone="use1-az1", kind="interface", public=None):
    described = {
        "NetworkInterfaceId": eni,
        "PrivateIpAddress": address,
        "InterfaceType": kind,
        "VpcId": "vpc-1",
        "AvailabilityZone": "us-east-1a",
        "AvailabilityZoneId": zone,
    }
    return described | ({"Association": {"PublicIp": public}} if public else {})


def topology(*interfaces):
    vpc = {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}
    return fl.Topology.from_describe({"NetworkInterfaces": list(interfaces), "Vpcs": [vpc]})


def costs(records, prices=None, **options):
    return frame(*records).flow.costs(prices, **options)


def told(bill, *columns):
    """Return the rows of a result as a set of tuples: path, ends and bytes."""
    columns = columns or ("path", "source", "destination", "bytes")
    return {
        tuple(None if pd.isna(value) else value for value in row) for row in bill[list(columns)].itertuples(index=False)
    }


WITH_NAT = topology(interface(NAT_ENI, NAT, kind="nat_gateway"))


# --- NAT gateways ---


def test_a_byte_through_a_nat_gateway_counts_once_though_it_is_logged_three_times():
    bill = costs(through_nat(CLIENT, WEB, 3 * GB, 5 * GB), topology=WITH_NAT)
    assert told(bill) == {("NAT gateway", CLIENT, WEB, 8 * GB), ("internet egress", CLIENT, WEB, 3 * GB)}
    nat, egress = (bill[bill["path"] == path].iloc[0] for path in ("NAT gateway", "internet egress"))
    assert nat["via"] == f"NAT gateway {NAT_ENI}"
    assert nat["usd"] == pytest.approx(8 * 0.045)
    assert egress["usd"] == pytest.approx(3 * 0.09)


@pytest.mark.parametrize("logged", [{CLIENT_ENI, NAT_ENI}, {NAT_ENI}], ids=["both", "the gateway alone"])
def test_it_does_not_matter_whether_the_client_is_logged_too(logged):
    records = [rec for rec in through_nat(CLIENT, WEB, 3 * GB, 5 * GB) if rec["interface_id"] in logged]
    whole = costs(through_nat(CLIENT, WEB, 3 * GB, 5 * GB), topology=WITH_NAT)
    assert_frame_equal(costs(records, topology=WITH_NAT), whole)


def test_a_record_that_the_gateway_lost_is_made_up_by_that_of_the_client():
    sent, _, left, *back = through_nat(CLIENT, WEB, 100, 50)
    bill = costs([sent, {**left, "bytes": 60}, *back], topology=WITH_NAT)
    assert told(bill[bill["path"] == "NAT gateway"]) == {("NAT gateway", CLIENT, WEB, 150)}


def test_what_the_gateway_sent_beyond_what_is_known_of_its_clients_is_not_forgotten():
    sent, came, left, *back = through_nat(CLIENT, WEB, 100, 50)
    bill = costs([sent, came, {**left, "bytes": 130}, *back], topology=WITH_NAT)
    assert told(bill[bill["path"] == "internet egress"]) == {
        ("internet egress", CLIENT, WEB, 100),
        ("internet egress", "not in the log", WEB, 30),
    }


def test_s3_by_a_nat_gateway_leaves_no_internet_egress_and_gets_the_advice_of_a_free_endpoint():
    bill = costs(through_nat(CLIENT, S3, 80 * GB, 20 * GB), topology=WITH_NAT)
    assert told(bill) == {("NAT gateway", CLIENT, "S3", 100 * GB)}
    assert "gateway endpoint for S3 is free" in bill["advice"].iloc[0]
    assert "4.50 USD" in bill["advice"].iloc[0]


def test_another_service_gets_the_advice_of_an_interface_endpoint_unless_that_is_dearer():
    records = [
        {**rec, **{f"pkt_{end}_aws_service": "AMAZON" for end in ("src", "dst") if rec[f"pkt_{end}addr"] == WEB}}
        for rec in through_nat(CLIENT, WEB, 80 * GB, 20 * GB)
    ]
    (advice,) = costs(records, topology=WITH_NAT)["advice"]
    assert "for 1.00 USD (0.01 per GB), 3.50 USD less" in advice
    dear = fl.prices()
    dear.loc[dear.path == "interface endpoint", "usd_per_gb"] = 0.05
    assert list(costs(records, dear, topology=WITH_NAT)["advice"]) == [""]


def test_a_client_in_another_zone_pays_for_the_way_to_the_gateway_and_could_have_its_own():
    there = topology(interface(NAT_ENI, NAT, kind="nat_gateway"), interface(CLIENT_ENI, CLIENT, zone="use1-az2"))
    bill = costs(through_nat(CLIENT, WEB, 300 * GB, 200 * GB), topology=there)
    (row,) = bill[bill["path"] == "cross-AZ"].to_dict("records")
    assert row["via"] == f"NAT gateway {NAT_ENI}"
    assert (row["source"], row["destination"], row["bytes"]) == (CLIENT, "NAT gateway", 500 * GB)
    assert row["usd"] == pytest.approx(500 * 0.02)
    assert row["advice"].startswith("A NAT gateway in use1-az2 would save 10.00 USD")


@pytest.mark.parametrize(
    "told_by",
    [{"interface_type": "nat_gateway"}, {}],
    ids=["interface-type", "what it does with addresses"],
)
def test_a_nat_gateway_is_found_without_a_topology(told_by):
    records = [
        {**rec, "interface_type": None, **(told_by if rec["interface_id"] == NAT_ENI else {})}
        for rec in through_nat(CLIENT, WEB, 30, 50)
    ]
    bill = costs(records)
    assert told(bill) == {("NAT gateway", CLIENT, WEB, 80), ("internet egress", CLIENT, WEB, 30)}
    why = bill.loc[bill["path"] == "NAT gateway", "why"].iloc[0]
    assert ("looks like" in why) == (not told_by)


def test_a_next_hop_tells_of_a_gateway_that_is_not_logged():
    hop = {"next_hop_interface_type": "nat_gateway", "next_hop_interface_id": NAT_ENI}
    bill = costs([seen(CLIENT, WEB, 30, traffic_path=1, **hop), seen(WEB, CLIENT, 50, way="ingress", **hop)])
    assert told(bill, "path", "via", "source", "destination", "bytes") == {
        ("NAT gateway", NAT_ENI, CLIENT, WEB, 80),
        ("internet egress", NAT_ENI, CLIENT, WEB, 30),
    }


@pytest.mark.parametrize("gateway", [NAT_ENI, None], ids=["named", "not named"])
def test_the_next_hop_tells_the_zone_of_a_gateway_that_is_not_logged(gateway):
    hop = {
        "next_hop_interface_type": "nat_gateway", "next_hop_interface_id": gateway, "next_hop_az_id": "use1-az2",
    }  # fmt: skip
    bill = costs([seen(CLIENT, WEB, 11 * GB, traffic_path=1, az_id="use1-az1", **hop)])
    assert told(bill) == {
        ("NAT gateway", CLIENT, WEB, 11 * GB),
        ("internet egress", CLIENT, WEB, 11 * GB),
        ("cross-AZ", CLIENT, "NAT gateway", 11 * GB),
    }
    assert bill["usd"].sum() == pytest.approx(11 * (0.045 + 0.09 + 0.02))


def test_a_regional_gateway_has_no_interface_and_shows_the_real_ends():
    def at(src, dst, size, way):
        return seen(src, dst, size, eni=None, way=way, resource_id="nat-1", instance_id=None)

    records = [
        {**seen(CLIENT, WEB, 30, traffic_path=1), "resource_id": None},
        at(CLIENT, WEB, 30, "ingress"),
        at("192.0.2.9", WEB, 30, "egress"),
        at(WEB, "192.0.2.9", 50, "ingress"),
        at(WEB, CLIENT, 50, "egress"),
    ]
    assert told(costs(records), "path", "via", "source", "destination", "bytes") == {
        ("NAT gateway", "nat-1", CLIENT, WEB, 80),
        ("internet egress", "nat-1", CLIENT, WEB, 30),
    }


def test_what_nobody_asked_for_is_dropped_by_the_gateway_and_costs_nothing():
    scan = seen("192.0.2.99", NAT, 7, eni=NAT_ENI, way="ingress")
    bill = costs([*through_nat(CLIENT, WEB, 30, 50), scan], topology=WITH_NAT)
    (row,) = bill[bill["path"] == "unattributed"].to_dict("records")
    assert (row["bytes"], row["missing"]) == (7, ())
    assert math.isnan(row["usd"])
    assert told(bill[bill["path"] == "NAT gateway"]) == {("NAT gateway", CLIENT, WEB, 80)}


# --- The default format ---

DEFAULT = ("version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets",
           "bytes", "start", "end", "action", "log_status")  # fmt: skip


def default_format(records):
    return [{name: rec[name] for name in DEFAULT} for rec in records]


def test_in_the_default_format_the_client_s_own_records_tell_where_it_went():
    bill = costs(default_format(through_nat(CLIENT, WEB, 30, 50)), topology=WITH_NAT)
    assert told(bill) == {("NAT gateway", CLIENT, WEB, 80), ("internet egress", CLIENT, WEB, 30)}
    assert set(bill["missing"].iloc[0]) >= {"pkt-dst-aws-service"}


def test_without_those_the_gateway_tells_who_but_not_where_to():
    records = [rec for rec in through_nat(CLIENT, WEB, 30, 50) if rec["interface_id"] == NAT_ENI]
    bill = costs(default_format(records), topology=WITH_NAT)
    assert told(bill) == {("NAT gateway", CLIENT, "internet", 80), ("internet egress", CLIENT, "internet", 30)}
    assert "pkt-dstaddr" in bill.loc[bill["path"] == "NAT gateway", "missing"].iloc[0]


def test_the_topology_tells_zones_and_public_addresses_to_the_default_format():
    there = topology(interface(CLIENT_ENI, CLIENT, public="192.0.2.1"), interface(OTHER_ENI, OTHER, zone="use1-az2"))
    records = [seen(CLIENT, OTHER, 10), seen(CLIENT, OTHER, 10, eni=OTHER_ENI, way="ingress"), seen(CLIENT, WEB, 20)]
    bill = costs(default_format(records), topology=there)
    assert told(bill) == {("cross-AZ", CLIENT, OTHER, 10), ("internet egress", CLIENT, WEB, 20)}


def test_a_public_address_is_that_of_the_private_one_it_is_associated_with():
    own, secondary = "10.0.0.5", "10.0.0.6"
    described = interface(CLIENT_ENI, own) | {
        "PrivateIpAddresses": [
            {"Primary": True, "PrivateIpAddress": own},
            {"Primary": False, "PrivateIpAddress": secondary, "Association": {"PublicIp": "52.1.1.1"}},
        ]
    }
    bill = costs(default_format([seen(own, WEB, 10), seen(secondary, WEB, 20)]), topology=topology(described))
    assert told(bill) == {("unattributed", None, None, 10), ("internet egress", secondary, WEB, 20)}


def test_alone_the_default_format_says_what_would_tell():
    bill = costs(default_format([*through_nat(CLIENT, WEB, 30, 50), seen(CLIENT, OTHER, 10)]))
    assert set(bill["path"]) == {"unattributed"}
    assert bill["usd"].isna().all()
    assert {field for fields in bill["missing"] for field in fields} >= {"traffic-path", "az-id", "next-hop-az-id"}


# --- Other paths ---


@pytest.mark.parametrize(
    ("number", "far", "path", "usd_per_gb"),
    [
        (2, WEB, "internet egress", 0.09),
        (3, WEB, "virtual private gateway", None),
        (5, "172.16.0.1", "inter-region peering", 0.02),
        (6, WEB, "local gateway or zone", None),
        (7, S3, "gateway endpoint", 0.0),
        (8, WEB, "internet egress", 0.09),
        (8, S3, "AWS service", 0.0),
        (2, S3, "AWS service", 0.0),
    ],
)
def test_traffic_path_tells_the_path_of_what_leaves(number, far, path, usd_per_gb):
    (row,) = costs([seen(CLIENT, far, 2 * GB, traffic_path=number)]).to_dict("records")
    assert (row["path"], row["source"], row["bytes"]) == (path, CLIENT, 2 * GB)
    if usd_per_gb is None:
        assert math.isnan(row["usd"])
        assert math.isnan(row["usd_per_gb"])
    else:
        assert row["usd"] == pytest.approx(2 * usd_per_gb)
    assert ("perhaps" in row["why"]) == (number == 2 and far == S3)


def test_path_2_is_perhaps_an_endpoint_where_services_are_not_logged():
    rec = seen(CLIENT, WEB, GB, traffic_path=2)
    del rec["pkt_src_aws_service"], rec["pkt_dst_aws_service"]
    (row,) = costs([rec]).to_dict("records")
    assert row["path"] == "internet egress"
    assert "perhaps" in row["why"]
    assert row["missing"] == ("pkt-src-aws-service", "pkt-dst-aws-service")


def test_what_comes_from_the_internet_is_free_and_an_endpoint_answers_by_the_way_of_the_request():
    bill = costs([
        seen(CLIENT, WEB, 10, traffic_path=8), seen(WEB, CLIENT, 30, way="ingress"),
        seen(CLIENT, S3, 11, traffic_path=7), seen(S3, CLIENT, 31, way="ingress"),
        seen("192.0.2.50", CLIENT, 5, way="ingress"),
    ])  # fmt: skip
    assert told(bill) == {
        ("internet egress", CLIENT, WEB, 10),
        ("internet ingress", WEB, CLIENT, 30),
        ("internet ingress", "192.0.2.50", CLIENT, 5),
        ("gateway endpoint", CLIENT, "S3", 11),
        ("gateway endpoint", "S3", CLIENT, 31),
    }


def test_the_public_addresses_of_ec2_have_no_price_that_the_log_could_tell():
    (row,) = costs([seen(CLIENT, WEB, 10, traffic_path=8, pkt_dst_aws_service="EC2")]).to_dict("records")
    assert (row["path"], row["missing"]) == ("unattributed", ())
    assert "region" in row["why"]


@pytest.mark.parametrize(
    ("zone", "number", "path"),
    [
        ("use1-az2", 1, "cross-AZ"),
        ("use1-az1", 1, "same zone"),
        ("use1-az2", None, "cross-AZ"),
        ("use1-az2", 4, "VPC peering, cross-AZ"),
        ("use1-az1", 4, "VPC peering, same zone"),
    ],
)
@pytest.mark.parametrize("by", ["both interfaces", "the next hop"])
def test_zones_are_learned_from_the_log_and_both_interfaces_count_once(zone, number, path, by):
    hop = zone if by == "the next hop" else None
    records = [
        seen(CLIENT, OTHER, 4 * GB, traffic_path=number, az_id="use1-az1", next_hop_az_id=hop),
        seen(CLIENT, OTHER, 4 * GB, eni=OTHER_ENI, way="ingress", az_id=zone, next_hop_az_id=None),
    ]
    bill = costs(records[: 1 if hop else 2])
    assert told(bill) == {(path, CLIENT, OTHER, 4 * GB)}
    assert bill["usd"].iloc[0] == pytest.approx(0 if path.endswith("same zone") else 4 * 0.02)


def test_neighbours_in_the_subnet_tell_whose_an_address_is():
    """At eni-b only two internal ends meet; that eni-a of its subnet has 10.0.1.5 tells that 10.0.1.7 is its own."""
    records = [
        seen("10.0.1.5", WEB, 10, eni="eni-a", subnet_id="subnet-1", az_id="use1-az1"),
        seen("10.0.1.7", "172.16.0.9", GB, eni="eni-b", subnet_id="subnet-1", az_id="use1-az1"),
        seen("10.0.1.7", "172.16.0.9", GB, eni="eni-c", subnet_id="subnet-2", az_id="use1-az2"),
    ]
    bill = costs([{**rec, "flow_direction": None} for rec in records])
    assert told(bill[bill["path"] != "unattributed"]) == {("cross-AZ", "10.0.1.7", "172.16.0.9", GB)}


def test_parts_of_a_pair_on_two_paths_are_apart_and_together_all_there_is():
    records = [
        seen(CLIENT, S3, 10, traffic_path=7),
        seen(CLIENT, S3, 25, traffic_path=8, start=1_773_151_300, end=1_773_151_330),
    ]
    assert told(costs(records)) == {("gateway endpoint", CLIENT, "S3", 10), ("AWS service", CLIENT, "S3", 25)}


def test_an_interface_endpoint_is_known_by_the_topology_or_its_type_in_both_directions():
    endpoint = "eni-endpoint"
    there = topology(interface(endpoint, OTHER, zone="use1-az2", kind="vpc_endpoint"))
    records = [seen(CLIENT, OTHER, GB, traffic_path=1), seen(OTHER, CLIENT, GB, way="ingress")]
    bill = costs(records, topology=there)
    assert told(bill, "path", "via", "source", "destination", "bytes", "usd") == {
        ("interface endpoint", f"endpoint {endpoint}", CLIENT, f"endpoint {endpoint}", GB, 0.01),
        ("interface endpoint", f"endpoint {endpoint}", f"endpoint {endpoint}", CLIENT, GB, 0.01),
    }
    typed = [{**rec, "interface_type": None} for rec in records] + [
        seen(CLIENT, OTHER, GB, eni=endpoint, way="ingress", interface_type="vpc_endpoint", instance_id=None)
    ]
    assert told(costs(typed)) == {
        ("interface endpoint", CLIENT, OTHER, GB), ("interface endpoint", OTHER, CLIENT, GB),
    }  # fmt: skip


def test_the_transit_gateway_of_the_example_of_aws_counts_each_direction_once():
    client, server = "10.20.33.164", "10.40.2.236"
    records = [
        seen(client, server, 5 * GB, eni="eni-3"),
        seen(server, client, 7 * GB, eni="eni-3", way="ingress"),
        seen("10.40.1.175", server, 5 * GB, eni="eni-1", pkt=(client, server), instance_id=None),
        seen(server, "10.40.2.31", 7 * GB, eni="eni-2", way="ingress", pkt=(server, client), instance_id=None),
    ]
    bill = costs(records)
    assert told(bill) == {
        ("transit gateway", client, server, 5 * GB),
        ("transit gateway", server, client, 7 * GB),
    }
    assert bill["usd"].sum() == pytest.approx(12 * 0.02)


def test_records_of_a_transit_gateway_count_on_the_way_in():
    def at(attachment, way, size):
        return {**AT_A_GATEWAY, "tgw_attachment_id": attachment, "flow_direction": way, "bytes": size}

    both = [at("tgw-attach-a", "ingress", 3 * GB), at("tgw-attach-b", "egress", 3 * GB)]
    for records in (both, both[:1], both[1:]):
        (row,) = costs(records).to_dict("records")
        assert (row["path"], row["via"], row["bytes"]) == ("transit gateway", "tgw-0123", 3 * GB)
        assert row["usd"] == pytest.approx(3 * 0.02)
    inspected = [*both, at("tgw-attach-i", "egress", 3 * GB), at("tgw-attach-i", "ingress", 3 * GB)]
    assert costs(inspected)["bytes"].tolist() == [6 * GB]


# --- Addresses that several interfaces have ---


def in_vpc(vpc, size, sender="use1-az1", receiver="use1-az2"):
    """Return both records of what 10.0.0.5 sends to 10.0.1.5 in a VPC."""
    return [
        seen("10.0.0.5", "10.0.1.5", size, eni=f"{vpc}-{way}", way=way, traffic_path=path, az_id=zone, vpc_id=vpc)
        for way, path, zone in (("egress", 1, sender), ("ingress", None, receiver))
    ]


def test_vpcs_with_the_same_addresses_add_up():
    bill = costs([*in_vpc("vpc-a", GB), *in_vpc("vpc-b", GB)])
    assert told(bill) == {("cross-AZ", "10.0.0.5", "10.0.1.5", 2 * GB)}
    assert bill["usd"].sum() == pytest.approx(2 * 0.02)


def test_an_address_has_a_zone_in_each_vpc():
    bill = costs([*in_vpc("vpc-a", GB), *in_vpc("vpc-b", 3 * GB, "use1-az4", "use1-az4")])
    assert told(bill) == {
        ("cross-AZ", "10.0.0.5", "10.0.1.5", GB),
        ("same zone", "10.0.0.5", "10.0.1.5", 3 * GB),
    }


def test_between_vpcs_both_records_are_of_one_byte_though_an_address_is_in_three():
    """vpc-c sends to one of the two that have 10.0.1.5; which one its own record does not tell."""
    across = [
        seen("10.9.0.1", "10.0.1.5", 4 * GB, eni="eni-c", traffic_path=4, az_id="use1-az1", vpc_id="vpc-c"),
        seen("10.9.0.1", "10.0.1.5", 4 * GB, eni="vpc-a-ingress", way="ingress", az_id="use1-az2", vpc_id="vpc-a"),
    ]
    bill = costs([*in_vpc("vpc-a", GB), *in_vpc("vpc-b", GB), *across])
    assert bill["bytes"].sum() == 6 * GB


def test_an_address_that_is_used_again_has_the_bytes_of_both_interfaces():
    records = [
        seen("10.0.0.5", OTHER, GB, eni="eni-a", traffic_path=1, az_id="use1-az1", vpc_id="vpc-1"),
        seen("10.0.0.5", OTHER, 2 * GB, eni="eni-c", traffic_path=1, az_id="use1-az1", vpc_id="vpc-1"),
    ]
    received = seen("10.0.0.5", OTHER, 3 * GB, eni=OTHER_ENI, way="ingress", az_id="use1-az2", vpc_id="vpc-1")
    for logged in ([*records, received], records, [received]):
        assert costs(logged)["bytes"].tolist() == [3 * GB]


def test_clients_of_one_address_add_up_behind_a_gateway_that_is_not_logged():
    hop = {"next_hop_interface_type": "nat_gateway", "next_hop_interface_id": NAT_ENI}
    first, second = (seen(CLIENT, WEB, size, eni=f"eni-{size}", traffic_path=1, **hop) for size in (10, 20))
    assert told(costs([first, second])) == {
        ("NAT gateway", CLIENT, WEB, 30),
        ("internet egress", CLIENT, WEB, 30),
    }


def test_clients_of_one_address_in_two_vpcs_are_each_at_their_gateway():
    records = [
        {**rec, "interface_id": f"{rec['interface_id']}-{vpc}", "vpc_id": vpc, "interface_type": kind}
        for vpc in ("vpc-a", "vpc-b")
        for rec in through_nat(CLIENT, WEB, 10, 0)
        for kind in ["nat_gateway" if rec["interface_id"] == NAT_ENI else "interface"]
    ]
    bill = costs(records)
    assert told(bill[bill["path"] == "NAT gateway"], "via", "source", "destination", "bytes") == {
        ("eni-nat-vpc-a", CLIENT, WEB, 10),
        ("eni-nat-vpc-b", CLIENT, WEB, 10),
    }


def test_what_a_gateway_lost_is_made_up_by_the_client_in_its_own_vpc():
    records = [
        {**rec, "interface_id": f"{rec['interface_id']}-{vpc}", "vpc_id": vpc, "interface_type": kind, "bytes": size}
        for vpc, came in (("vpc-a", 100), ("vpc-b", 60))
        for place, rec in enumerate(through_nat(CLIENT, WEB, 100, 50))
        for kind in ["nat_gateway" if rec["interface_id"] == NAT_ENI else "interface"]
        for size in [came if place == 1 else rec["bytes"]]
    ]
    bill = costs(records)
    assert told(bill[bill["path"] == "NAT gateway"], "via", "source", "destination", "bytes") == {
        ("eni-nat-vpc-a", CLIENT, WEB, 150),
        ("eni-nat-vpc-b", CLIENT, WEB, 150),
    }


def test_an_appliance_on_the_way_does_not_add_to_what_the_ends_saw():
    appliance = "10.0.3.3"
    records = [
        seen(CLIENT, OTHER, GB, traffic_path=1),
        seen(CLIENT, appliance, GB, eni="eni-appliance", way="ingress", pkt=(CLIENT, OTHER)),
        seen(appliance, OTHER, GB, eni="eni-appliance", pkt=(CLIENT, OTHER), traffic_path=1),
        seen(CLIENT, OTHER, GB, eni=OTHER_ENI, way="ingress"),
    ]
    assert costs(records)["bytes"].tolist() == [GB]


# --- What does not count, and what does not matter ---


def test_what_was_rejected_or_is_no_traffic_costs_nothing():
    bill = costs([seen(CLIENT, WEB, 10, traffic_path=8, action="REJECT"), nodata(), nodata(log_status="SKIPDATA")])
    assert bill.empty
    assert bill.dtypes.astype(str).to_dict() == {
        **dict.fromkeys(("path", "via", "source", "destination", "why", "advice"), "str"),
        "bytes": "Int64", "usd": "float64", "usd_per_gb": "float64", "missing": "object",
    }  # fmt: skip


def many_records():
    records = [
        rec
        for number in range(30)
        for rec in through_nat(f"10.0.1.{number}", f"203.0.113.{number % 7}", 1000 + number, 10, eni=f"eni-{number}")
    ]
    return [*records, *(seen(CLIENT, OTHER, 9, az_id=f"use1-az{number % 2}") for number in range(4))]


def test_the_order_of_records_and_their_split_do_not_matter():
    records = many_records()
    whole = costs(records, topology=WITH_NAT)
    shuffled = [records[place] for place in np.random.default_rng(1).permutation(len(records))]
    assert_frame_equal(costs(shuffled, topology=WITH_NAT), whole)
    halves = [
        {**rec, "bytes": size} for rec in records for size in (rec["bytes"] // 3, rec["bytes"] - rec["bytes"] // 3)
    ]
    assert_frame_equal(costs(halves, topology=WITH_NAT), whole)


def test_addresses_that_make_little_are_together_and_nothing_is_lost():
    records = [seen(CLIENT, f"203.0.113.{number}", 1, traffic_path=8) for number in range(99)]
    bill = costs([*records, seen(CLIENT, "192.0.2.1", 901, traffic_path=8)])
    assert told(bill) == {
        ("internet egress", CLIENT, "192.0.2.1", 901),
        ("internet egress", CLIENT, "internet", 99),
    }


# --- Prices ---


def test_edited_prices_are_those_that_count():
    prices = fl.prices()
    prices.loc[prices.path == "NAT gateway", "usd_per_gb"] = 0.048
    bill = costs(through_nat(CLIENT, WEB, GB, GB), prices, topology=WITH_NAT)
    assert bill.loc[bill["path"] == "NAT gateway", "usd"].tolist() == [pytest.approx(0.096)]
    assert fl.prices().loc[0, "usd_per_gb"] == 0.045


def test_a_path_without_a_price_has_no_amount_and_advice_without_one():
    prices = fl.prices()
    prices.loc[prices.path == "NAT gateway", "usd_per_gb"] = None
    (row,) = costs(through_nat(CLIENT, S3, GB, GB), prices, topology=WITH_NAT).to_dict("records")
    assert math.isnan(row["usd"])
    assert "free" in row["advice"]


def test_every_price_has_its_page_and_date():
    prices = fl.prices()
    assert list(prices.columns) == ["path", "usd_per_gb", "note", "date", "source"]
    assert prices["path"].is_unique
    assert prices["source"].str.match(r"https://(docs\.)?aws\.amazon\.com/").all()
    assert prices["date"].str.fullmatch(r"\d{4}-\d\d").all()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda p: p[p.path != "cross-AZ"], "no row for 'cross-AZ'"),
        (lambda p: p.drop(columns="usd_per_gb"), "no column 'usd_per_gb'"),
        (lambda p: p.assign(usd_per_gb=p.usd_per_gb.where(p.index != 1, -1)), "row 1: -1.0 for 'internet egress'"),
        (lambda p: p.assign(usd_per_gb=p.usd_per_gb.where(p.index != 1, math.inf)), "row 1: inf"),
        (lambda p: p.assign(usd_per_gb=p.usd_per_gb.astype(object).where(p.index != 4, "free")), "row 4: 'free'"),
        (lambda p: p.assign(path=p.path.where(p.index != 2, "ingres")), "row 2: 'ingres' is no path"),
        (lambda p: pd.concat([p, p[:1]], ignore_index=True), "row 0: 'NAT gateway' is there 2 times"),
    ],
)
def test_a_price_that_is_none_is_named(edit, says):
    with pytest.raises(ValueError, match=says):
        costs([seen(CLIENT, WEB, 1)], edit(fl.prices()))


def test_what_is_no_table_of_prices_is_refused():
    with pytest.raises(TypeError, match=r"fl\.prices"):
        costs([seen(CLIENT, WEB, 1)], {"NAT gateway": 0.048})


# --- What a log has to have ---


def test_a_log_without_bytes_or_places_cannot_tell():
    rec = seen(CLIENT, WEB, 1)
    without_bytes = frame({name: value for name, value in rec.items() if name != "bytes"})
    assert without_bytes.flow.can("costs").missing == ("bytes",)
    with pytest.raises(fl.MissingFieldError, match="bytes"):
        without_bytes.flow.costs()
    nowhere = frame({name: value for name, value in rec.items() if name != "interface_id"})
    assert nowhere.flow.can("costs").missing == ("interface_id", "resource_id")
    with pytest.raises(fl.MissingFieldError, match="interface-id"):
        nowhere.flow.costs()
    assert frame(rec).flow.can("costs")
    assert frame(AT_A_GATEWAY).flow.can("costs")


# --- The sample ---


def test_the_sample_answers_what_makes_the_nat_gateway_expensive():
    df, there = fl.sample(), fl.Topology.from_describe(DESCRIBE)
    bill = df.flow.costs(topology=there)
    first = bill[bill["path"] == "NAT gateway"].iloc[0]
    batch = df[df["interface_id"] == "eni-0b1db60c860546536"]
    exfiltrated = batch[(batch["srcaddr"] == "198.51.100.23") | (batch["dstaddr"] == "198.51.100.23")]
    assert (first["via"], first["source"], first["destination"]) == (
        "NAT gateway nat-a (eni-0fd4d606263ed0392)", "EC2 batch", "198.51.100.23",
    )  # fmt: skip
    assert first["bytes"] == exfiltrated["bytes"].sum() > 6.4e9
    assert not bill["advice"].str.contains("endpoint").any()  # S3 has one already
    assert "S3" in set(bill.loc[bill["path"] == "gateway endpoint", "destination"])
    assert bill["usd"].is_monotonic_decreasing or bill["usd"].dropna().is_monotonic_decreasing


def test_without_a_topology_the_sample_says_nearly_the_same():
    df = fl.sample()
    with_it, without = (df.flow.costs(topology=given) for given in (fl.Topology.from_describe(DESCRIBE), None))
    for path in ("NAT gateway", "gateway endpoint", "cross-AZ"):
        assert (
            without.loc[without["path"] == path, "bytes"].sum() == with_it.loc[with_it["path"] == path, "bytes"].sum()
        )


def test_two_vpcs_with_the_addresses_of_the_sample_cost_twice_as_much():
    one = fl.sample()
    ids = ("vpc_id", "subnet_id", "interface_id", "instance_id")
    other = one.assign(**{column: one[column].astype("str") + "-other" for column in ids})
    both = fl.from_frame(pd.concat([one, other], ignore_index=True))
    single, double = (df.flow.costs().groupby("path")["bytes"].sum() for df in (one, both))
    assert double.to_dict() == (2 * single).to_dict()


def test_a_scan_of_the_sample_costs_the_same(tmp_path):
    df, there = fl.sample(), fl.Topology.from_describe(DESCRIBE)
    df.flow.to_parquet(tmp_path)
    for given in (there, None):
        assert_frame_equal(fl.scan(tmp_path).costs(topology=given), df.flow.costs(topology=given))


def test_interfaces_of_one_resource_are_one_row_and_a_small_part_of_a_path_has_no_name():
    balancer = {"Attachment": {}, "RequesterManaged": True, "Description": "ELB app/shop/50dc6c495c0c9188"}
    there = topology(
        {**interface("eni-a", "10.0.1.1"), **balancer}, {**interface("eni-b", "10.0.1.2"), **balancer},
        {**interface("eni-c", "10.0.1.3"), "Attachment": {"InstanceId": "i-1"}},
    )  # fmt: skip
    out = [("eni-a", "10.0.1.1", 3 * GB), ("eni-b", "10.0.1.2", 4 * GB), ("eni-c", "10.0.1.3", 1000)]
    bill = costs([seen(address, WEB, size, eni=eni, traffic_path=8) for eni, address, size in out], topology=there)
    assert told(bill) == {
        ("internet egress", "ELB shop (application)", WEB, 7 * GB),
        ("internet egress", "others in use1-az1", WEB, 1000),
    }
