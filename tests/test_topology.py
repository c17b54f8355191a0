"""fl.Topology: describe-* output in every shape it comes in, who has which address, and what interfaces belong to."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

import flowlens as fl
from flowlens.topology.calls import _CALLS
from flowlens.topology.kinds import resource

SAMPLE = Path(__file__).parent.parent / "sample_data" / "vpc" / "describe"
UUID = "0eabb672-9699-4752-8738-38b7379f118b"


def interface(**fields):
    """An interface as the CLI prints it, as short as it may be."""
    return {"NetworkInterfaceId": "eni-1", **fields}


def topology_of(*interfaces, **more):
    return fl.Topology.from_describe({"NetworkInterfaces": list(interfaces), **more})


def only(*interfaces, **more):
    (found,) = topology_of(*interfaces, **more).interfaces.values()
    return found


def tags(**values):
    return [{"Key": key, "Value": value} for key, value in values.items()]


NETWORK = {
    "Vpcs": [
        {
            "VpcId": "vpc-a",
            "OwnerId": "111122223333",
            "CidrBlock": "10.0.0.0/16",
            "CidrBlockAssociationSet": [
                {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "10.8.0.0/16", "CidrBlockState": {"State": "disassociated"}},
            ],
            "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": "2001:DB8:0::/56", "Ipv6CidrBlockState": {"State": "associated"}}
            ],
            "Tags": tags(Name="main"),
        },
        {"VpcId": "vpc-b", "CidrBlock": "10.0.0.0/16"},
    ],
    "Subnets": [
        {
            "SubnetId": "subnet-a",
            "VpcId": "vpc-a",
            "OwnerId": "111122223333",
            "CidrBlock": "10.0.1.0/24",
            "AvailabilityZone": "us-west-2-lax-1a",
            "AvailabilityZoneId": "usw2-lax1-az1",
            "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": "2001:db8:0:1::/64", "Ipv6CidrBlockState": {"State": "associated"}},
                {"Ipv6CidrBlock": "2001:db8:0:2::/64", "Ipv6CidrBlockState": {"State": "disassociating"}},
            ],
            "Tags": tags(Name="app"),
        },
        {"SubnetId": "subnet-b", "VpcId": "vpc-b", "CidrBlock": "10.0.1.0/24"},
    ],
    "NetworkInterfaces": [
        interface(
            VpcId="vpc-a",
            SubnetId="subnet-a",
            OwnerId="111122223333",
            PrivateIpAddress="10.0.1.5",
            PrivateIpAddresses=[
                {"Primary": False, "PrivateIpAddress": "10.0.1.6", "Association": {"PublicIp": "198.51.100.6"}},
                {"Primary": True, "PrivateIpAddress": "10.0.1.5", "Association": {"PublicIp": "198.51.100.5"}},
            ],
            Association={"PublicIp": "198.51.100.5"},
            Ipv6Addresses=[{"Ipv6Address": "2001:DB8:0:1:0::5"}],
            Ipv4Prefixes=[{"Ipv4Prefix": "10.0.1.32/28"}],
            Ipv6Prefixes=[{"Ipv6Prefix": "2001:db8:0:1:8000::/80"}],
            Groups=[{"GroupId": "sg-1", "GroupName": "one"}, {"GroupId": "sg-2"}],
            SourceDestCheck=False,
            Status="in-use",
            Attachment={"InstanceId": "i-1", "InstanceOwnerId": "111122223333"},
            ConnectionTrackingConfiguration={"TcpEstablishedTimeout": 350},
        ),
        interface(NetworkInterfaceId="eni-2", VpcId="vpc-b", SubnetId="subnet-b", PrivateIpAddress="10.0.1.5"),
    ],
    "FlowLogs": [
        {
            "FlowLogId": "fl-1",
            "ResourceId": "vpc-a",
            "TrafficType": "REJECT",
            "LogFormat": "${version}",
            "MaxAggregationInterval": 60,
            "FlowLogStatus": "ACTIVE",
        },
        {"FlowLogId": "fl-2", "ResourceId": "vpc-b", "FlowLogStatus": "INACTIVE"},
    ],
}


@pytest.fixture(scope="module")
def network():
    return fl.Topology.from_describe(NETWORK)


# What is read


def test_an_interface_is_read_whole(network):
    eni = network.interfaces["eni-1"]
    assert (eni.kind, eni.name, eni.instance) == ("EC2", "i-1", "i-1")
    assert eni.addresses == ("10.0.1.5", "10.0.1.6")
    assert eni.addresses6 == ("2001:db8:0:1::5",)
    assert eni.prefixes == ("10.0.1.32/28", "2001:db8:0:1:8000::/80")
    assert eni.public_addresses == ("198.51.100.5", "198.51.100.6")
    assert eni.translations == (("10.0.1.5", "198.51.100.5"), ("10.0.1.6", "198.51.100.6"))
    assert eni.security_groups == ("sg-1", "sg-2")
    assert (eni.vpc, eni.subnet, eni.account) == ("vpc-a", "subnet-a", "111122223333")
    assert (eni.zone, eni.zone_id, eni.region) == ("us-west-2-lax-1a", "usw2-lax1-az1", "us-west-2")
    assert (eni.source_dest_check, eni.status, eni.tcp_idle_timeout) == (False, "in-use", 350)


def test_what_an_interface_does_not_say_is_missing_or_the_default():
    eni = only(interface())
    assert (eni.kind, eni.name, eni.vpc, eni.addresses, eni.public_addresses) == (None, None, None, (), ())
    assert (eni.source_dest_check, eni.requester_managed, eni.tcp_idle_timeout) == (True, False, None)
    assert (eni.interface_type, eni.region) == ("interface", None)


def test_subnets_vpcs_and_flow_logs_are_read(network):
    subnet, vpc, flow_log = network.subnets["subnet-a"], network.vpcs["vpc-a"], network.flow_logs["fl-1"]
    assert subnet.cidrs == ("10.0.1.0/24", "2001:db8:0:1::/64")
    assert (subnet.name, subnet.vpc, subnet.region) == ("app", "vpc-a", "us-west-2")
    assert vpc.cidrs == ("10.0.0.0/16", "10.9.0.0/16", "2001:db8::/56")
    assert (vpc.name, vpc.account, vpc.region) == ("main", "111122223333", "us-west-2")
    assert (flow_log.resource, flow_log.traffic_type, flow_log.interval, flow_log.active) == (
        "vpc-a",
        "REJECT",
        60,
        True,
    )
    assert network.flow_logs["fl-2"].active is False


@pytest.mark.parametrize(
    ("zone", "region"),
    [("eu-west-1a", "eu-west-1"), ("us-gov-east-1b", "us-gov-east-1"), ("us-east-1-wl1-bos-wlz-1", "us-east-1")],
)
def test_the_region_is_that_of_the_zone(zone, region):
    assert only(interface(AvailabilityZone=zone)).region == region


def test_values_are_frozen_and_mappings_read_only(network):
    with pytest.raises(AttributeError):
        network.interfaces["eni-1"].vpc = "vpc-x"
    with pytest.raises(TypeError):
        network.interfaces["eni-3"] = network.interfaces["eni-1"]
    with pytest.raises(AttributeError):
        network.subnets = {}


# Who has which address


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.0.1.5", ["eni-1", "eni-2"]),
        ("10.0.1.6", ["eni-1"]),
        ("2001:db8:0:1:0:0:0:5", ["eni-1"]),
        ("198.51.100.6", ["eni-1"]),
        ("10.0.1.32", ["eni-1"]),
        ("10.0.1.47", ["eni-1"]),
        ("10.0.1.31", []),
        ("10.0.1.48", []),
        ("2001:db8:0:1:8000:ffff:ffff:ffff", ["eni-1"]),
        ("2001:db8:0:1:8001::", []),
        ("192.0.2.1", []),
    ],
)
def test_an_address_leads_to_the_interfaces_that_have_it(network, address, found):
    assert [each.id for each in network.at(address)] == found


def test_a_vpc_tells_overlapping_addresses_apart(network):
    assert [each.id for each in network.at("10.0.1.5", vpc="vpc-b")] == ["eni-2"]
    assert network.at("10.0.1.5", vpc="vpc-x") == ()
    assert network.subnet_of("10.0.1.9") is None
    assert network.subnet_of("10.0.1.9", vpc="vpc-b").id == "subnet-b"
    assert [each.id for each in network.subnets_at("10.0.1.9")] == ["subnet-a", "subnet-b"]
    assert network.subnet_of("2001:db8:0:1::9").id == "subnet-a"
    assert network.subnet_of("10.0.2.9") is None


def test_holders_leave_out_public_addresses(network):
    assert network.holders("198.51.100.6") == ()
    assert [each.id for each in network.holders("10.0.1.33")] == ["eni-1"]


@pytest.mark.parametrize("address", ["10.0.1.0/24", "10.0.1", "web-1", ""])
def test_what_is_no_address_is_refused(network, address):
    with pytest.raises(ValueError, match="address"):
        network.at(address)
    with pytest.raises(ValueError, match="address"):
        network.subnet_of(address)


def test_members_of_a_group_and_of_a_subnet(network):
    assert [each.id for each in network.members("sg-2")] == ["eni-1"]
    assert network.members("sg-3") == ()
    assert [each.id for each in network.in_subnet("subnet-b")] == ["eni-2"]
    assert network.in_subnet("subnet-c") == ()


def test_the_frame_has_a_row_an_interface(network):
    frame = network.frame()
    assert list(frame.columns) == [
        "interface_id", "kind", "name", "address", "vpc_id", "subnet_id", "subnet", "az", "az_id", "account_id",
        "region", "instance_id", "interface_type", "security_groups",
    ]  # fmt: skip
    first, second = frame.to_dict("records")
    assert first == {
        "interface_id": "eni-1", "kind": "EC2", "name": "i-1", "address": "10.0.1.5", "vpc_id": "vpc-a",
        "subnet_id": "subnet-a", "subnet": "app", "az": "us-west-2-lax-1a", "az_id": "usw2-lax1-az1",
        "account_id": "111122223333", "region": "us-west-2", "instance_id": "i-1", "interface_type": "interface",
        "security_groups": ("sg-1", "sg-2"),
    }  # fmt: skip
    assert second["security_groups"] == ()
    assert frame["kind"].isna().tolist() == [False, True]


def test_addresses_have_a_row_an_address(network):
    assert network.addresses().values.tolist() == [
        ["10.0.1.5/32", "eni-1", "vpc-a", "primary"],
        ["10.0.1.6/32", "eni-1", "vpc-a", "secondary"],
        ["2001:db8:0:1::5/128", "eni-1", "vpc-a", "ipv6"],
        ["10.0.1.32/28", "eni-1", "vpc-a", "prefix"],
        ["2001:db8:0:1:8000::/80", "eni-1", "vpc-a", "prefix"],
        ["198.51.100.5/32", "eni-1", "vpc-a", "public"],
        ["198.51.100.6/32", "eni-1", "vpc-a", "public"],
        ["10.0.1.5/32", "eni-2", "vpc-b", "primary"],
    ]


def test_tables_of_nothing_have_their_columns():
    nothing = fl.Topology.from_describe({"NetworkInterfaces": []})
    assert (len(nothing.frame()), len(nothing.frame().columns)) == (0, 14)
    assert list(nothing.addresses().columns) == ["cidr", "interface_id", "vpc_id", "role"]


def test_the_repr_counts(network):
    assert repr(network) == (
        "<Topology: 2 interfaces, 2 subnets, 2 VPCs, 0 security groups, 0 network ACLs, 2 flow logs>"
    )


# What interfaces belong to

ATTACHED = {"Attachment": {"InstanceId": "i-0123", "Status": "attached"}}
KINDS = {
    "application load balancer": (
        {"Description": "ELB app/shop/50dc6c495c0c9188", "RequesterId": "amazon-elb", "RequesterManaged": True},
        "ELB shop (application)",
    ),
    "network load balancer": (
        {"Description": "ELB net/inner/50dc6c495c0c9188", "InterfaceType": "network_load_balancer"},
        "ELB inner (network)",
    ),
    "gateway load balancer": (
        {"Description": "ELB gwy/walls/50dc6c495c0c9188", "InterfaceType": "gateway_load_balancer"},
        "ELB walls (gateway)",
    ),
    "classic load balancer": ({"Description": "ELB my-lb", "RequesterId": "amazon-elb"}, "ELB my-lb (classic)"),
    "balancer that says no name": ({"InterfaceType": "network_load_balancer"}, "ELB eni-1 (network)"),
    "balancer by requester": ({"RequesterId": "amazon-elb", "TagSet": tags(Name="lb")}, "ELB lb"),
    "database": ({"Description": "RDSNetworkInterface", "TagSet": tags(Name="orders-db")}, "RDS orders-db"),
    "database without a tag": ({"Description": "RDSNetworkInterface"}, "RDS eni-1"),
    "database by requester": ({"RequesterId": "amazon-rds", "RequesterManaged": True}, "RDS eni-1"),
    "database proxy": ({"Description": "Network interface for DBProxy my-proxy"}, "RDS my-proxy"),
    "cache": ({"Description": "ElastiCache sessions-001"}, "ElastiCache sessions-001"),
    "cache with a tag": ({"Description": "ElastiCache c-1", "TagSet": tags(Name="hot")}, "ElastiCache hot"),
    "cache, other spelling": ({"Description": "ElastiCache+sessions-001"}, "ElastiCache sessions-001"),
    "warehouse": ({"Description": "RedshiftNetworkInterface"}, "Redshift eni-1"),
    "desktop": (
        {"Description": "Created By Amazon Workspaces for AWS Account ID 111122223333", "RequesterManaged": True},
        "WorkSpaces eni-1",
    ),
    "NAT gateway": (
        {"Description": "Interface for NAT Gateway nat-0a1b", "InterfaceType": "nat_gateway"},
        "NAT gateway nat-0a1b",
    ),
    "NAT gateway by type alone": ({"InterfaceType": "natGateway"}, "NAT gateway eni-1"),
    "NAT gateway by description alone": ({"Description": "Interface for NAT Gateway nat-0a1b"}, "NAT gateway nat-0a1b"),
    "transit gateway": (
        {"Description": "Network Interface for Transit Gateway Attachment tgw-attach-0a1b"},
        "transit gateway tgw-attach-0a1b",
    ),
    "function": ({"Description": f"AWS Lambda VPC ENI-my-fn_2-{UUID}", "InterfaceType": "lambda"}, "Lambda my-fn_2"),
    "function without uuid": ({"Description": "AWS Lambda VPC ENI-my-fn"}, "Lambda my-fn"),
    "function of old": ({"Description": f"AWS Lambda VPC ENI: {UUID}", "RequesterId": "AROA:my-fn"}, "Lambda my-fn"),
    "task": ({"Description": f"arn:aws:ecs:eu-west-1:111122223333:attachment/{UUID}"}, f"ECS {UUID}"),
    "task of a service": (
        {
            "Description": f"arn:aws-us-gov:ecs:us-gov-west-1:111122223333:attachment/{UUID}",
            "TagSet": tags(**{"aws:ecs:serviceName": "cart", "Name": "other"}),
            **ATTACHED,
        },
        "ECS cart",
    ),
    "file system": ({"Description": "EFS mount target for fs-0a1b (fsmt-0c2d)"}, "EFS fs-0a1b"),
    "endpoint": (
        {"Description": "VPC Endpoint Interface vpce-0a1b", "InterfaceType": "vpc_endpoint"},
        "endpoint vpce-0a1b",
    ),
    "gateway load balancer endpoint": (
        {"Description": "VPC Endpoint Interface vpce-0a1b", "InterfaceType": "gateway_load_balancer_endpoint"},
        "gateway load balancer endpoint vpce-0a1b",
    ),
    "resolver": ({"Description": "Route 53 Resolver: rslvr-in-0a1b:rni-0c2d"}, "Route 53 Resolver rslvr-in-0a1b"),
    "directory": (
        {"Description": "AWS created network interface for directory d-936700aa11"},
        "Directory Service d-936700aa11",
    ),
    "control plane": ({"Description": "Amazon EKS prod-1", "RequesterManaged": True}, "EKS prod-1"),
    "pod with an interface of its own": (
        {
            "Description": "aws-k8s-branch-eni",
            "InterfaceType": "branch",
            "TagSet": tags(**{"cluster.k8s.amazonaws.com/name": "prod-1"}),
        },
        "EKS prod-1",
    ),
    "pods of a node": ({"Description": "aws-K8S-i-0123", **ATTACHED}, "EC2 i-0123"),
    "pods of a node, not attached yet": ({"Description": "aws-K8S-i-0123"}, "EC2 i-0123"),
    "pods of a node by tags": (
        {
            "TagSet": tags(
                **{"cluster.k8s.amazonaws.com/name": "prod-1", "node.k8s.amazonaws.com/instance_id": "i-0123"}
            )
        },
        "EC2 i-0123",
    ),
    "broker": (
        {
            "Description": "DO NOT DELETE - Amazon MSK network interface for cluster "
            f"arn:aws:kafka:eu-west-2:111122223333:cluster/events/{UUID}-2."
        },
        "MSK events",
    ),
    "replication": ({"Description": "DMSNetworkInterface"}, "DMS eni-1"),
    "accelerator of DynamoDB": ({"Description": "DAX hot-items"}, "DAX hot-items"),
    "job": ({"Description": "Attached to Glue using role: arn:aws:iam::111122223333:role/g"}, "Glue eni-1"),
    "notebook": ({"Description": "[DO NOT DELETE] ENI managed by SageMaker for Studio Domain"}, "SageMaker eni-1"),
    "API": ({"InterfaceType": "api_gateway_managed"}, "API Gateway eni-1"),
    "accelerator": ({"InterfaceType": "global_accelerator_managed"}, "Global Accelerator eni-1"),
    "build": ({"RequesterId": f"AROA:AWSCodeBuild-{UUID}", "RequesterManaged": True}, "CodeBuild eni-1"),
    "search": ({"Description": "ES logs", "RequesterManaged": True}, "OpenSearch logs"),
    "client VPN": (
        {"Description": "ClientVPN Endpoint resource cvpn-endpoint-0a1b"},
        "Client VPN cvpn-endpoint-0a1b",
    ),
    "instance": ({"Description": "", **ATTACHED}, "EC2 i-0123"),
    "instance with a tag": ({"TagSet": tags(Name="web-1"), **ATTACHED}, "EC2 web-1"),
    "instance with a fast adapter": ({"InterfaceType": "efa", **ATTACHED}, "EC2 i-0123"),
    "instance that pretends": ({"Description": "ELB app/fake/1", **ATTACHED}, "EC2 i-0123"),
    "desktop, attached": (
        {"Description": "Created By Amazon Workspaces for AWS Account ID 1", "RequesterManaged": True, **ATTACHED},
        "WorkSpaces eni-1",
    ),
    "type of the future": ({"InterfaceType": "quantum_managed", "Description": "Entangled"}, None),
    "not attached": ({"Description": "spare", "TagSet": tags(Name="spare"), "Status": "available"}, None),
    "managed by who knows": ({"RequesterManaged": True, "RequesterId": "AIDAX", **ATTACHED}, None),
    "search that somebody typed": ({"Description": "ES logs"}, None),
}


@pytest.mark.parametrize(("fields", "label"), KINDS.values(), ids=KINDS)
def test_the_kind_and_name_of_an_interface(fields, label):
    eni = only(interface(**fields))
    assert resource(eni) == label
    if label is not None:
        assert label == f"{eni.kind} {eni.name}"


NAT = {"Description": "Interface for NAT Gateway nat-1", "InterfaceType": "nat_gateway"}
TGW = {"Description": "Network Interface for Transit Gateway Attachment tgw-attach-1"}
VPCE = {"Description": "VPC Endpoint Interface vpce-1", "InterfaceType": "vpc_endpoint"}


@pytest.mark.parametrize(
    ("fields", "more", "label"),
    [
        ({"TagSet": tags(Name="old"), **ATTACHED},
         {"Reservations": [{"Instances": [{"InstanceId": "i-0123", "Tags": tags(Name="web-1")}]}]}, "EC2 web-1"),
        ({"Description": "aws-K8S-i-0123", **ATTACHED},
         {"Reservations": [{"Instances": [{"InstanceId": "i-0123", "Tags": tags(Name="node-1")}]}]}, "EC2 node-1"),
        (NAT, {"NatGateways": [{"NatGatewayId": "nat-1", "Tags": tags(Name="nat-a")}]}, "NAT gateway nat-a"),
        (NAT | {"TagSet": tags(Name="tag")}, {}, "NAT gateway tag"),
        (TGW, {"TransitGatewayAttachments": [{"TransitGatewayAttachmentId": "tgw-attach-1", "Tags": tags(Name="hub")}]},
         "transit gateway hub"),
        (TGW, {"TransitGatewayVpcAttachments": [
            {"TransitGatewayAttachmentId": "tgw-attach-1", "Tags": tags(Name="hub")}]}, "transit gateway hub"),
        (VPCE, {"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "ServiceName": "com.amazonaws.eu-west-1.ssm"}]},
         "endpoint ssm (vpce-1)"),
        (VPCE, {"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "ServiceName": "com.amazonaws.us-gov-west-1.ecr.api",
                                  "Tags": tags(Name="images")}]}, "endpoint ecr.api (images)"),
        (VPCE, {"VpcEndpoints": [{"VpcEndpointId": "vpce-1",
                                  "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1"}]},
         "endpoint vpce-svc-1 (vpce-1)"),
        (VPCE, {"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "ServiceName": "odd"}]}, "endpoint odd (vpce-1)"),
        (VPCE, {"VpcEndpoints": [{"VpcEndpointId": "vpce-1", "Tags": tags(Name="ep")}]}, "endpoint ep"),
    ],
)  # fmt: skip
def test_names_come_from_other_documents(fields, more, label):
    assert resource(only(interface(**fields), **more)) == label


# Every shape of source


def written(folder: Path, name: str, *documents) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(document) for document in documents))
    return path


def test_the_sample_in_every_shape_is_the_same_topology(tmp_path):
    whole = fl.Topology.from_describe(SAMPLE)
    documents = {path.stem: json.loads(path.read_text()) for path in SAMPLE.glob("*.json")}
    merged = {key: value for document in documents.values() for key, value in document.items()}
    nested = tmp_path / "nested"
    for number, (name, document) in enumerate(documents.items()):
        written(nested, f"{number}/{name}.json", document)
    shapes = [
        str(SAMPLE),
        sorted(SAMPLE.glob("*.json")),
        documents,
        list(documents.values()),
        merged,
        [merged, SAMPLE],
        nested,
        written(tmp_path, "one-after-the-other.json", *documents.values()),
        written(tmp_path, "list.json", list(documents.values())),
        {"eu-west-1": documents},
    ]
    assert repr(whole) == "<Topology: 14 interfaces, 6 subnets, 1 VPC, 11 security groups, 4 network ACLs, 1 flow log>"
    assert len(whole.security_group_rules) > 0
    for shape in shapes:
        again = fl.Topology.from_describe(shape)
        for name in (
            "interfaces",
            "subnets",
            "vpcs",
            "flow_logs",
            "security_groups",
            "security_group_rules",
            "network_acls",
        ):
            assert dict(getattr(again, name)) == dict(getattr(whole, name)), (shape, name)


def test_the_sample_shows_what_its_interfaces_are():
    labels = {resource(each) for each in fl.Topology.from_describe(SAMPLE).interfaces.values()}
    assert {"ELB shop (application)", "RDS orders-db", "NAT gateway nat-a", "EC2 web-1", "EC2 bastion"} <= labels
    assert len(labels) == 13


def test_raw_documents_are_kept_by_id():
    sample = json.loads((SAMPLE / "describe-security-groups.json").read_text())["SecurityGroups"]
    groups = fl.Topology.from_describe(SAMPLE).security_groups
    assert groups == {group["GroupId"]: group for group in sample}


def test_pages_are_put_together(tmp_path):
    pages = [
        {"NetworkInterfaces": [interface(NetworkInterfaceId=f"eni-{number}")], "NextToken": "more"}
        for number in range(3)
    ]
    path = written(tmp_path, "pages.json", *pages)
    assert list(fl.Topology.from_describe(path).interfaces) == ["eni-0", "eni-1", "eni-2"]
    assert list(fl.Topology.from_describe(pages).interfaces) == ["eni-0", "eni-1", "eni-2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_any_unicode_encoding_are_read(tmp_path, encoding):
    path = tmp_path / "describe.json"
    path.write_bytes(
        json.dumps({"Vpcs": [{"VpcId": "vpc-1", "Tags": tags(Name="größe")}]}, ensure_ascii=False).encode(encoding)
    )
    assert fl.Topology.from_describe(path).vpcs["vpc-1"].name == "größe"


def test_nulls_unknown_keys_and_empty_lists_are_fine():
    everything_null = dict.fromkeys(NETWORK["NetworkInterfaces"][0])
    found = fl.Topology.from_describe(
        {
            "NetworkInterfaces": [everything_null | {"NetworkInterfaceId": "eni-9", "Novelty": [1, {"a": None}]}],
            "Subnets": None,
            "Vpcs": [],
            "LoadBalancers": [{"LoadBalancerName": "shop"}],
            "ResponseMetadata": {"HTTPStatusCode": 200},
        }
    )
    assert list(found.interfaces) == ["eni-9"]
    assert found.interfaces["eni-9"].addresses == ()


# Managed prefix lists

ENTRIES = {"Entries": [{"Cidr": "10.0.0.0/16", "Description": "a"}, {"Cidr": "10.2.0.0/16"}]}


def test_entries_belong_to_the_list_that_the_file_is_named_after(tmp_path):
    written(tmp_path, "prefix-list-pl-0123abc.json", ENTRIES)
    written(
        tmp_path,
        "describe-managed-prefix-lists.json",
        {"PrefixLists": [{"PrefixListId": "pl-0123abc"}, {"PrefixListId": "pl-9"}]},
    )
    assert fl.Topology.from_describe(tmp_path).prefix_lists == {"pl-0123abc": ("10.0.0.0/16", "10.2.0.0/16")}


@pytest.mark.parametrize(
    "source",
    [{"PrefixListId": "pl-7", **ENTRIES}, {"entries of pl-7": ENTRIES}, [{"PrefixListId": "pl-7", **ENTRIES}] * 2],
)
def test_entries_belong_to_the_list_that_stands_beside_them(source):
    assert fl.Topology.from_describe(source).prefix_lists == {"pl-7": ("10.0.0.0/16", "10.2.0.0/16")}


def test_the_lists_of_gateway_endpoints_bring_their_prefixes():
    found = fl.Topology.from_describe({"PrefixLists": [{"PrefixListId": "pl-s3", "Cidrs": ["52.218.0.0/17"]}]})
    assert found.prefix_lists == {"pl-s3": ("52.218.0.0/17",)}


def test_pages_of_entries_are_put_together():
    pages = [
        {"PrefixListId": "pl-7", "Entries": [{"Cidr": f"10.{number}.0.0/16"}], "NextToken": token}
        for number, token in enumerate(["x", "y", None])
    ]
    assert fl.Topology.from_describe(pages).prefix_lists == {"pl-7": ("10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16")}


# Contradictions and what cannot be used


def test_the_same_item_twice_is_one():
    assert len(fl.Topology.from_describe([NETWORK, copy.deepcopy(NETWORK)]).interfaces) == 2


@pytest.mark.parametrize(
    ("section", "id_", "key", "value"),
    [
        ("NetworkInterfaces", "eni-1", "Status", "available"),
        ("NetworkInterfaces", "eni-1", "Novelty", 1),
        ("Subnets", "subnet-a", "CidrBlock", "10.0.2.0/24"),
        ("Vpcs", "vpc-a", "Tags", []),
        ("FlowLogs", "fl-1", "TrafficType", "ALL"),
    ],
)
def test_an_id_with_two_contents_is_refused_with_both_places(tmp_path, section, id_, key, value):
    other = copy.deepcopy(NETWORK)
    other[section][0][key] = value
    paths = [written(tmp_path, "old.json", NETWORK), written(tmp_path, "new.json", other)]
    with pytest.raises(fl.TopologyError) as refused:
        fl.Topology.from_describe(paths)
    for word in (id_, f"{key} differs", str(paths[0]), str(paths[1]), f"{section}[0]", "Keep the newer"):
        assert word in str(refused.value)


def test_free_addresses_are_counted_at_different_times():
    subnets = [{"Subnets": [{"SubnetId": "subnet-1", "AvailableIpAddressCount": count}]} for count in (250, 249)]
    assert list(fl.Topology.from_describe(subnets).subnets) == ["subnet-1"]


def test_a_prefix_list_with_two_contents_is_refused():
    other = {"PrefixListId": "pl-7", "Entries": [{"Cidr": "10.9.0.0/16"}]}
    with pytest.raises(fl.TopologyError, match=r"pl-7 is described in two ways: Entries differ between element 0"):
        fl.Topology.from_describe([{"PrefixListId": "pl-7", **ENTRIES}, other])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, ["the dict given holds no describe-* output", "NetworkInterfaces", "without --query"]),
        ([], ["An empty list", "Pass a file, a folder, a dict"]),
        (7, ["7 is no describe-* output"]),
        ([7], ["element 0 of the list given"]),
        ({"interfaces": []}, ["the dict given, 'interfaces'"]),
        ({"eni-1": interface()}, ["the dict given, 'eni-1'"]),
        ({"NetworkInterfaces": {}}, ["the dict given: NetworkInterfaces is an object where a list has to be"]),
        ({"NetworkInterfaces": [[]]}, ["NetworkInterfaces[0]", "is a list where an object has to be"]),
        ({"NetworkInterfaces": [{"VpcId": "vpc-1"}]}, ["NetworkInterfaces[0]", "has no NetworkInterfaceId"]),
        ({"Subnets": [{"VpcId": "vpc-1"}]}, ["Subnets[0]", "has no SubnetId"]),
        ({"NetworkInterfaces": [interface(PrivateIpAddress="10.0.0")]}, ["(eni-1)", "PrivateIpAddress", "'10.0.0'"]),
        ({"NetworkInterfaces": [interface(PrivateIpAddress="10.0.0.0/24")]}, ["(eni-1)", "'10.0.0.0/24'", "address"]),
        ({"NetworkInterfaces": [interface(Ipv4Prefixes=[{"Ipv4Prefix": "10.0.0.16"}])]},
         ["(eni-1), Ipv4Prefixes[0]", "a prefix like"]),
        ({"NetworkInterfaces": [interface(Groups="sg-1")]}, ["(eni-1): Groups is 'sg-1' where a list has to be"]),
        ({"NetworkInterfaces": [interface(Attachment=[])]}, ["(eni-1), Attachment is a list"]),
        ({"NetworkInterfaces": [interface(SourceDestCheck="yes")]}, ["SourceDestCheck is 'yes' where true or false"]),
        ({"NetworkInterfaces": [interface(VpcId=["vpc-1"])]}, ["VpcId is a list where text has to be"]),
        ({"NetworkInterfaces": [interface(ConnectionTrackingConfiguration={"TcpEstablishedTimeout": "350"})]},
         ["TcpEstablishedTimeout is '350' where a whole number"]),
        ({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/33"}]}, ["(vpc-1): CidrBlock", "'10.0.0.0/33'"]),
        ({"Reservations": [{"Instances": [{}]}]}, ["Reservations[0], Instances[0]", "has no InstanceId"]),
        ({"SecurityGroups": [{"GroupName": "x"}]}, ["SecurityGroups[0]", "has no GroupId"]),
        (ENTRIES, ["do not say to which prefix list", "PrefixListId"]),
        ({"PrefixListId": "pl-1", "Entries": [{"Cidr": "ten"}]}, ["Entries[0]", "Cidr", "'ten'"]),
        ({"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": "10.0.0.0/8"}]}, ["Cidrs is '10.0.0.0/8' where a list"]),
    ],
)  # fmt: skip
def test_what_is_no_describe_output_is_refused_with_its_place(source, words):
    with pytest.raises(fl.TopologyError) as refused:
        fl.Topology.from_describe(source)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("eni-1\tvpc-1\n", ["is not JSON", "line 1 column 1", "--output json"]),
        ('{"Vpcs": []} }', ["is not JSON"]),
        ("", ["is empty"]),
        ('[{"Vpcs": []}, {"volumes": "none"}]', ["element 1", "holds no describe-* output"]),
        ('{"Vpcs": []}\n{"Vpcs": [1]}', ["document 2", "Vpcs[0]", "is 1 where an object has to be"]),
        ("[" * 100_000, ["nested too deeply"]),
        ("[[[[[[[[{}]]]]]]]]", ["holds no describe-* output"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_name(tmp_path, text, words):
    path = tmp_path / "answer.json"
    path.write_text(text)
    with pytest.raises(fl.TopologyError) as refused:
        fl.Topology.from_describe(tmp_path)
    for word in (str(path), *words):
        assert word in str(refused.value)


def test_a_folder_without_json_is_refused(tmp_path):
    with pytest.raises(fl.TopologyError, match=r"holds no file \*\.json"):
        fl.Topology.from_describe(tmp_path)


def test_a_path_that_is_not_there_is_the_error_of_python(tmp_path):
    with pytest.raises(FileNotFoundError):
        fl.Topology.from_describe(tmp_path / "nowhere.json")


def test_files_out_of_all_bounds_are_not_read(tmp_path, monkeypatch):
    path = written(tmp_path, "a.json", {"Vpcs": []})
    written(tmp_path, "b.json", {"Vpcs": []})
    monkeypatch.setattr("flowlens.topology.documents._MOST_FILES", 1)
    with pytest.raises(fl.TopologyError, match="holds 2 files"):
        fl.Topology.from_describe(tmp_path)
    monkeypatch.setattr("flowlens.topology.documents._LARGEST_FILE", 3)
    with pytest.raises(fl.TopologyError, match="has 12 bytes, more than 3"):
        fl.Topology.from_describe(path)


KEYS = sorted(
    {key for section in NETWORK.values() for item in section for key in item}
    | {"NetworkInterfaces", "Subnets", "Vpcs", "FlowLogs", "Entries", "PrefixLists", "Cidrs", "Cidr", "Reservations",
       "Instances", "SecurityGroups", "NetworkAcls", "GroupId", "Key", "Value", "PublicIp", "NextToken", "InstanceId",
       "Ipv4Prefix", "PrefixListId", "NetworkAclId", "Tags", "State", "VpcEndpoints", "VpcEndpointId", "ServiceName"}
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5),
    st.sampled_from(["eni-1", "10.0.0.1", "10.0.0.0/16", "::1", "ELB app/x/1", "aws-K8S-i-1", "Name", "eu-west-1a"]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_json_it_is_there_is_a_topology_or_a_topology_error(value):
    source = [value] if isinstance(value, str) else value
    if isinstance(source, list) and any(isinstance(part, str) for part in source):
        source = {"Vpcs": source}
    try:
        found = fl.Topology.from_describe(source)
    except fl.TopologyError:
        return
    found.frame()
    found.addresses()
    found.at("10.0.0.1")


def damaged(value, damage):
    """Strategy: the same document with one part of it replaced by something else."""
    if isinstance(value, dict) and value:
        return st.sampled_from(sorted(value)).flatmap(
            lambda key: st.one_of(
                damage.map(lambda new: {**value, key: new}),
                st.just({k: v for k, v in value.items() if k != key}),
                damaged(value[key], damage).map(lambda new: {**value, key: new}),
            )
        )
    if isinstance(value, list) and value:
        return st.integers(0, len(value) - 1).flatmap(
            lambda place: damaged(value[place], damage).map(lambda new: [*value[:place], new, *value[place + 1 :]])
        )
    return damage


@settings(max_examples=300, deadline=None)
@given(damaged(NETWORK, JSON))
def test_a_damaged_document_is_a_topology_or_a_topology_error(source):
    try:
        fl.Topology.from_describe(source).frame()
    except fl.TopologyError:
        return


# The API


@pytest.fixture(scope="module")
def session():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Session(f"http://{host}:{port}")
    server.stop()


class Session:
    """A boto3 session whose clients talk to a server of our own."""

    region_name = "eu-west-1"

    def __init__(self, url: str) -> None:
        self.url = url
        self.inner = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")

    def client(self, service, region_name):
        return self.inner.client(service, region_name=region_name, endpoint_url=self.url)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_api_gives_the_same_topology(session, monkeypatch):
    monkeypatch.setattr("flowlens.topology.calls._PAGE", 5)
    ids = {}
    for region in ("eu-west-1", "us-east-1"):
        ec2 = session.client("ec2", region)
        vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
        for number in range(12):
            ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=f"10.7.1.{10 + number}", Groups=[group])
        entries = [{"Cidr": "10.0.0.0/8"}, {"Cidr": "192.168.0.0/16"}]
        prefix_list = ec2.create_managed_prefix_list(
            PrefixListName="corp", MaxEntries=5, AddressFamily="IPv4", Entries=entries
        )["PrefixList"]["PrefixListId"]
        ids[region] = vpc, subnet, group, prefix_list
    both = fl.Topology.from_boto3(session, regions=["eu-west-1", "us-east-1"])
    for region, (vpc, subnet, group, prefix_list) in ids.items():
        (eni,) = both.at("10.7.1.21", vpc=vpc)
        assert (eni.region, eni.subnet) == (region, subnet)
        assert both.vpcs[vpc].region == region
        assert len(both.members(group)) == len(both.in_subnet(subnet)) == 12
        assert group in both.security_groups
        assert both.prefix_lists[prefix_list] == ("10.0.0.0/8", "192.168.0.0/16")
    assert both.missing == ()
    one = fl.Topology.from_boto3(session)
    assert {each.region for each in one.interfaces.values()} == {"eu-west-1"}
    assert dict(fl.Topology.from_boto3(session, regions="eu-west-1").interfaces) == dict(one.interfaces)


class Refused(Exception):  # noqa: N818
    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code, "Message": "no"}}


class Stub:
    """A session that answers with pages made beforehand and refuses some calls in some regions."""

    region_name = None

    def __init__(self, answers, denied=(), code="UnauthorizedOperation") -> None:
        self.answers, self.denied, self.code = answers, denied, code
        self.asked = []

    def client(self, service, region_name):
        assert service == "ec2"
        return StubClient(self, region_name)


class StubClient:
    def __init__(self, session, region) -> None:
        self.session, self.region = session, region

    def get_paginator(self, name):
        return StubPaginator(self, name)


class StubPaginator:
    def __init__(self, client, name) -> None:
        self.client, self.name = client, name

    def paginate(self, *, PrefixListId=None, PaginationConfig=None):  # noqa: N803
        session, region = self.client.session, self.client.region
        session.asked.append((region, self.name, PrefixListId, PaginationConfig["PageSize"]))
        if self.name in session.denied or (region, self.name) in session.denied:
            raise Refused(session.code)
        return iter(session.answers.get(self.name, []))


ANSWERS = {
    "describe_network_interfaces": [
        {"NetworkInterfaces": [interface()]},
        {"NetworkInterfaces": [interface(NetworkInterfaceId="eni-2")]},
    ],
    "describe_managed_prefix_lists": [{"PrefixLists": [{"PrefixListId": "pl-1"}]}],
    "get_managed_prefix_list_entries": [
        {"Entries": [{"Cidr": "10.0.0.0/8"}], "NextToken": "x"},
        {"Entries": [{"Cidr": "11.0.0.0/8"}]},
    ],
}


def test_all_pages_of_all_calls_are_taken():
    stub = Stub(ANSWERS)
    found = fl.Topology.from_boto3(stub, regions=["eu-west-1"])
    assert list(found.interfaces) == ["eni-1", "eni-2"]
    assert found.prefix_lists == {"pl-1": ("10.0.0.0/8", "11.0.0.0/8")}
    assert {name for _, name, _, _ in stub.asked} == {call.replace("-", "_") for call in _CALLS} | {
        "get_managed_prefix_list_entries"
    }
    assert ("eu-west-1", "get_managed_prefix_list_entries", "pl-1", 100) in stub.asked


@pytest.mark.parametrize(
    "code", ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"]
)
def test_denied_calls_are_remembered(code):
    denied = {"describe_subnets", "get_managed_prefix_list_entries", ("us-east-1", "describe_vpcs")}
    found = fl.Topology.from_boto3(Stub(ANSWERS, denied, code), regions=["eu-west-1", "us-east-1"])
    assert set(found.missing) == {
        "describe-subnets", "get-managed-prefix-list-entries", "describe-vpcs (us-east-1)",
    }  # fmt: skip
    assert list(found.interfaces) == ["eni-1", "eni-2"]


def test_without_interfaces_in_any_region_there_is_no_topology():
    stub = Stub(ANSWERS, {"describe_network_interfaces"})
    with pytest.raises(fl.TopologyError, match=r"eu-west-1.*ec2:DescribeNetworkInterfaces"):
        fl.Topology.from_boto3(stub, regions=["eu-west-1"])
    some = Stub(ANSWERS, {("us-east-1", "describe_network_interfaces")})
    found = fl.Topology.from_boto3(some, regions=["eu-west-1", "us-east-1"])
    assert found.missing == ("describe-network-interfaces (us-east-1)",)
    assert len(found.interfaces) == 2


def test_other_errors_of_the_api_are_not_swallowed():
    with pytest.raises(Refused):
        fl.Topology.from_boto3(Stub(ANSWERS, {"describe_subnets"}, "RequestLimitExceeded"), regions=["eu-west-1"])


def test_without_a_region_there_is_nothing_to_ask():
    with pytest.raises(fl.TopologyError, match="no region"):
        fl.Topology.from_boto3(Stub(ANSWERS))


def test_answers_of_other_calls_in_a_folder_are_left_alone(tmp_path):
    (tmp_path / "describe-route-tables.json").write_text(json.dumps({"RouteTables": [{"RouteTableId": "rtb-1"}]}))
    with pytest.raises(fl.TopologyError, match="no output of the calls that describe interfaces"):
        fl.Topology.from_describe(tmp_path)
    (tmp_path / "describe-network-interfaces.json").write_text(json.dumps({"NetworkInterfaces": [interface()]}))
    assert list(fl.Topology.from_describe(tmp_path).interfaces) == ["eni-1"]
