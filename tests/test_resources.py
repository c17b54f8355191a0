"""add_resources: what each address belongs to, also where VPCs have the same addresses."""

from __future__ import annotations

import pandas as pd
import pytest
from formats import frame, nodata, record
from pandas.testing import assert_frame_equal

import flowlens as fl


def instance(number, address, vpc="vpc-1", *, public=None, **more):
    """An instance's interface, as describe-network-interfaces prints it."""
    association = {"Association": {"PublicIp": public}} if public else {}
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "VpcId": vpc,
        "InterfaceType": "interface",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": address, **association}],
        "Attachment": {"InstanceId": f"i-{number}"},
        "TagSet": [{"Key": "Name", "Value": f"host-{number}"}],
        **more,
    }


def topology_of(*interfaces):
    return fl.Topology.from_describe({"NetworkInterfaces": list(interfaces)})


def labels(df: pd.DataFrame) -> list[tuple[str | None, str | None]]:
    pairs = df[["src_resource", "dst_resource"]].astype(object)
    return list(pairs.where(pairs.notna(), None).itertuples(index=False, name=None))


def both_ways(df: pd.DataFrame, topology: fl.Topology, folder) -> list[tuple[str | None, str | None]]:
    """Return the labels of a frame, which are those of a scan of the same."""
    df.flow.to_parquet(folder, partition_by=())
    here, there = df.flow.add_resources(topology), fl.scan(folder).add_resources(topology)
    assert labels(there.collect()) == labels(here)
    keys = ("src_resource", "dst_resource")
    assert_frame_equal(there.pairs(keys=keys), here.flow.pairs(keys=keys))
    return labels(here)


def test_private_public_ipv6_and_delegated_addresses_have_an_owner(tmp_path):
    topology = topology_of(
        instance(1, "10.0.0.5", public="203.0.113.9", Ipv6Addresses=[{"Ipv6Address": "2001:db8::5"}]),
        instance(2, "10.0.0.6", Ipv4Prefixes=[{"Ipv4Prefix": "10.0.9.0/28"}]),
    )
    df = frame(
        record(srcaddr="10.0.0.5", dstaddr="10.0.0.6"),
        record(srcaddr="203.0.113.9", dstaddr="2001:db8::5"),
        record(srcaddr="10.0.9.15", dstaddr="10.0.9.16"),
        nodata(),
    )
    assert both_ways(df, topology, tmp_path) == [
        ("EC2 host-1", "EC2 host-2"),
        ("EC2 host-1", "EC2 host-1"),
        ("EC2 host-2", None),
        (None, None),
    ]


def test_unknown_stays_unknown(tmp_path):
    nobody_knows = {**instance(1, "10.0.0.5"), "Attachment": {}, "RequesterManaged": True, "RequesterId": "123"}
    df = frame(record(srcaddr="10.0.0.5", dstaddr="10.0.0.77"))
    assert both_ways(df, topology_of(nobody_knows), tmp_path) == [(None, None)]


OVERLAPPING = topology_of(
    instance(1, "10.0.0.5", "vpc-1"),
    instance(2, "10.0.0.5", "vpc-2"),
    instance(3, "10.0.0.7", "vpc-2"),
    instance(4, "10.9.0.1", "vpc-3"),
)


def test_of_vpcs_with_the_same_addresses_that_of_the_record_is_meant(tmp_path):
    ends = {"srcaddr": "10.0.0.5", "dstaddr": "10.0.0.7"}
    df = frame(*(record(**ends, vpc_id=vpc) for vpc in ("vpc-1", "vpc-2", "vpc-9", None)))
    assert both_ways(df, OVERLAPPING, tmp_path) == [
        ("EC2 host-1", "EC2 host-3"),
        ("EC2 host-2", "EC2 host-3"),
        (None, "EC2 host-3"),
        (None, "EC2 host-3"),
    ]


def test_without_its_vpc_a_record_has_that_of_its_interface(tmp_path):
    ends = {"srcaddr": "10.9.0.1", "dstaddr": "10.0.0.5"}
    df = frame(*(record(**ends, interface_id=interface) for interface in ("eni-1", "eni-3", "eni-77")))
    assert both_ways(df, OVERLAPPING, tmp_path) == [
        ("EC2 host-4", "EC2 host-1"),
        ("EC2 host-4", "EC2 host-2"),
        ("EC2 host-4", None),
    ]


def test_a_log_that_tells_neither_leaves_shared_addresses_unnamed():
    df = frame(record(srcaddr="10.0.0.5", dstaddr="10.0.0.7"))[["srcaddr", "dstaddr"]]
    assert labels(df.flow.add_resources(OVERLAPPING)) == [(None, "EC2 host-3")]


def test_load_balancers_of_several_interfaces_are_one_resource():
    balancer = {"Attachment": {}, "RequesterManaged": True, "RequesterId": "amazon-elb", "TagSet": []}
    topology = topology_of(
        *(
            instance(
                n, f"10.0.{n}.5", **balancer, Description="ELB app/shop/50dc6c495c0c9188", InterfaceType="interface"
            )
            for n in (1, 2)
        )
    )
    df = frame(record(srcaddr="10.0.1.5", dstaddr="10.0.2.5")).flow.add_resources(topology)
    assert labels(df) == [("ELB shop (application)", "ELB shop (application)")]


def test_the_sample_is_named_as_its_story_names_it():
    df = fl.sample().flow.add_resources(fl.sample_topology())
    exfiltration = df.flow.select(dst="198.51.100.23").flow.pairs(1, keys=("src_resource",))
    assert exfiltration["src_resource"].tolist() == ["EC2 batch"]
    to_the_database = df.flow.select(dst="10.20.20.10", dst_port=5432)
    assert set(to_the_database["dst_resource"].dropna()) == {"RDS orders-db"}
    assert {"EC2 web-1", "EC2 web-2", "EC2 batch", "EC2 reports"} == set(to_the_database["src_resource"].dropna())
    assert df["srcaddr"].equals(fl.sample()["srcaddr"])


@pytest.mark.parametrize("wrong", ["describe", {"NetworkInterfaces": []}, None])
def test_what_is_no_topology_is_refused_with_the_way_to_get_one(wrong):
    with pytest.raises(TypeError, match="from_describe"):
        fl.sample().flow.add_resources(wrong)


def test_the_addition_is_in_the_text_of_a_query():
    log = frame(record(vpc_id="vpc-1")).flow.sql("athena").add_resources(OVERLAPPING)
    text = log.pairs(keys=("src_resource",))
    assert "'EC2 host-1'" in text
    assert "'vpc-2'" in text


def test_an_address_of_the_records_vpc_is_not_that_of_another_vpc_with_the_same_range(tmp_path):
    ranges = [{"VpcId": vpc, "CidrBlock": "10.0.0.0/24"} for vpc in ("vpc-a", "vpc-b")]
    elsewhere = [{"VpcId": "vpc-c", "CidrBlock": "10.7.0.0/24"}]
    topology = fl.Topology.from_describe(
        {
            "NetworkInterfaces": [instance(1, "10.0.0.5", "vpc-a"), instance(2, "10.7.0.9", "vpc-c")],
            "Vpcs": ranges + elsewhere,
        }
    )
    ends = {"srcaddr": "10.7.0.9", "dstaddr": "10.0.0.5"}
    df = frame(*(record(**ends, vpc_id=vpc) for vpc in ("vpc-a", "vpc-b", "vpc-c", None)))
    assert both_ways(df, topology, tmp_path) == [
        ("EC2 host-2", "EC2 host-1"),
        ("EC2 host-2", None),
        ("EC2 host-2", "EC2 host-1"),
        ("EC2 host-2", "EC2 host-1"),
    ]
