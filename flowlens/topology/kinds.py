"""What a network interface belongs to: kind and name of the resource behind it.

The type of an interface says it for some services; for the others there is the description that the service writes into
the interfaces it makes, which AWS names as the way to tell their purpose:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html. Descriptions are free text, so those of
interfaces that somebody attached to an instance of their own are not believed. What is not known stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowlens.topology.items import Item

if TYPE_CHECKING:
    from flowlens.topology.parts import Interface

__all__ = ["Names", "kind_and_name", "resource"]

_EC2 = "EC2"

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html, interfaceType. The types interface,
# efa, efa-only, trunk, branch and evs say nothing about the owner.
_KIND_OF_TYPE = {
    "api_gateway_managed": "API Gateway",
    "aws_codestar_connections_managed": "CodeStar Connections",
    "ec2_instance_connect_endpoint": "EC2 Instance Connect Endpoint",
    "efs": "EFS",
    "gateway_load_balancer": "ELB",
    "gateway_load_balancer_endpoint": "gateway load balancer endpoint",
    "global_accelerator_managed": "Global Accelerator",
    "iot_rules_managed": "IoT rules",
    "lambda": "Lambda",
    "load_balancer": "ELB",
    "natGateway": "NAT gateway",
    "nat_gateway": "NAT gateway",
    "network_load_balancer": "ELB",
    "quicksight": "QuickSight",
    "regional_nat_gateway": "NAT gateway",
    "transit_gateway": "transit gateway",
    "vpc_endpoint": "endpoint",
}

# Wording as the services' guides give it where a link follows, else as it stands in the output of
# describe-network-interfaces in public repositories, and as their inventories of interfaces read it.
_KIND_OF_DESCRIPTION = (
    # "ELB app/name/id", "ELB net/name/id", "ELB gwy/name/id"; of classic load balancers "ELB name"
    (re.compile(r"ELB \S"), "ELB"),
    # Neptune and DocumentDB use the same word.
    (re.compile(r"RDSNetworkInterface|Network interface for DBProxy "), "RDS"),
    (re.compile(r"ElastiCache[ +]"), "ElastiCache"),
    (re.compile(r"RedshiftNetworkInterface"), "Redshift"),
    # The Terraform provider of AWS looks for this word too, to remove what a deleted instance leaves behind.
    (re.compile(r"DMSNetworkInterface"), "DMS"),
    (re.compile(r"DAX "), "DAX"),
    (re.compile(r"Created By Amazon Work[sS]paces for AWS Account ID"), "WorkSpaces"),
    (re.compile(r"Interface for NAT Gateway "), "NAT gateway"),
    (re.compile(r"Network Interface for Transit Gateway Attachment ", re.IGNORECASE), "transit gateway"),
    # "AWS Lambda VPC ENI-function-uuid"
    (re.compile(r"AWS Lambda VPC ENI"), "Lambda"),
    # In full: EFS mount target for fs-id (fsmt-id)
    (re.compile(r"EFS mount target for "), "EFS"),
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    (re.compile(r"VPC Endpoint Interface "), "endpoint"),
    # In full: Route 53 Resolver: rslvr-in-id:rni-id
    (re.compile(r"Route 53 Resolver: "), "Route 53 Resolver"),
    # The guide of Directory Service: "You can identify all network interfaces ... by their description".
    (re.compile(r"AWS created network interface for (?:directory )?d-"), "Directory Service"),
    # "Amazon EKS cluster" are those of a control plane; those of single pods are named so by
    # https://github.com/aws/amazon-vpc-resource-controller-k8s.
    (re.compile(r"Amazon EKS |aws-k8s-branch-eni"), "EKS"),
    # "DO NOT DELETE - Amazon MSK network interface for cluster" and the ARN of the cluster
    (re.compile(r".*Amazon MSK network interface for cluster "), "MSK"),
    (re.compile(r"Attached to Glue using role"), "Glue"),
    (re.compile(r"\[Do not delete\] .*SageMaker", re.IGNORECASE), "SageMaker"),
    (re.compile(r"ENI managed by APIGateway"), "API Gateway"),
    (re.compile(r"ClientVPN Endpoint resource"), "Client VPN"),
)
# Awsvpc tasks have their own interface also where it is attached to an instance that carries them:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking-awsvpc.html
_ECS = re.compile(r"arn:aws[a-z-]*:ecs:[^:]*:\d*:attachment/(?P<name>[\w-]+)")
# https://github.com/aws/amazon-vpc-cni-k8s: interfaces that a node takes for its pods, with the tag of the node
_POD_INTERFACE = re.compile(r"aws-K8S-(?P<name>i-\w+)")
_POD_CLUSTER_TAG = "cluster.k8s.amazonaws.com/name"
_POD_NODE_TAG = "node.k8s.amazonaws.com/instance_id"

_KIND_OF_REQUESTER = {"amazon-elasticache": "ElastiCache", "amazon-elb": "ELB", "amazon-rds": "RDS"}
# RequesterId is then "role-id:AWSCodeBuild-uuid"; the description of OpenSearch, "ES domain", is too short to go by.
_CODEBUILD_REQUESTER = re.compile(r".*:AWSCodeBuild-")
_OPENSEARCH = re.compile(r"ES (?P<name>\S+)$")

# Where in its description a service names the resource; kinds that are not here name none.
_NAME_IN_DESCRIPTION = {
    "Client VPN": re.compile(r".*?(?P<name>cvpn-endpoint-\w+)"),
    "DAX": re.compile(r"DAX (?P<name>\S+)"),
    "Directory Service": re.compile(r".*?(?P<name>d-\w+)"),
    "EC2 Instance Connect Endpoint": re.compile(r".*?(?P<name>eice-\w+)"),
    "ECS": _ECS,
    "EFS": re.compile(r".*?(?P<name>fs-\w+)"),
    "EKS": re.compile(r"Amazon EKS (?P<name>\S+)"),
    "ElastiCache": re.compile(r"ElastiCache[ +](?P<name>\S+)"),
    # Former functions share an interface "AWS Lambda VPC ENI: uuid", which names none.
    "Lambda": re.compile(r"AWS Lambda VPC ENI-(?P<name>.+?)(?:-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?$"),
    "MSK": re.compile(r".*:cluster/(?P<name>[^/]+)/"),
    "NAT gateway": re.compile(r".*?(?P<name>nat-\w+)"),
    "OpenSearch": _OPENSEARCH,
    "RDS": re.compile(r"Network interface for DBProxy (?P<name>\S+)"),
    "Route 53 Resolver": re.compile(r".*?(?P<name>rslvr-(?:in|out)-\w+)"),
    "endpoint": re.compile(r".*?(?P<name>vpce-\w+)"),
    "gateway load balancer endpoint": re.compile(r".*?(?P<name>vpce-\w+)"),
    "transit gateway": re.compile(r".*?(?P<name>tgw-attach-\w+)"),
}
# What these services write themselves is better than a tag.
_SAYS_ITSELF = {"Directory Service", "EFS", "EKS", "Lambda", "MSK", "Route 53 Resolver"}

_LOAD_BALANCER = re.compile(r"ELB (?:(?P<sort>app|net|gwy)/)?(?P<name>[^/\s]+)")
_SORTS = {"app": "application", "net": "network", "gwy": "gateway", None: "classic"}
_SORT_OF_TYPE = {"gateway_load_balancer": "gateway", "network_load_balancer": "network"}

# com.amazonaws.eu-west-1.ecr.api, com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0
_SERVICE = re.compile(r"(?:[a-z]+\.)+(?:vpce\.)?[a-z]+(?:-[a-z]+)+-\d+\.(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class Names:
    """What other documents tell about resources: their Name tags by id, and the services behind endpoints."""

    tags: Mapping[str, str]
    services: Mapping[str, str]

    @classmethod
    def of(cls, items: Mapping[str, Mapping[str, Item]]) -> Names:
        """Gather the names of instances, gateways, attachments and endpoints."""
        sections = (
            "Instances", "NatGateways", "TransitGatewayAttachments", "TransitGatewayVpcAttachments", "VpcEndpoints",
        )  # fmt: skip
        tags = {id_: item.tags("Tags").get("Name", "") for section in sections for id_, item in items[section].items()}
        services = {id_: item.text("ServiceName") or "" for id_, item in items["VpcEndpoints"].items()}
        return cls(tags, services)


def kind_and_name(item: Item, names: Names) -> tuple[str | None, str | None]:
    """Return the kind of resource behind an interface and its name, as far as they are known."""
    tags = item.tags("TagSet")
    kind = _kind(item, tags)
    description = item.text("Description") or ""
    own = tags.get("Name") or None
    if kind is None:
        return None, own
    if kind == _EC2:
        node = item.part("Attachment").text("InstanceId") or _pod_node(description, tags)
        return kind, names.tags.get(node or "") or own or node or item.identity("NetworkInterfaceId")
    if kind == "ELB":
        return kind, _load_balancer(item, description, own)
    pattern = _NAME_IN_DESCRIPTION.get(kind)
    match = pattern.match(description) if pattern else None
    said = match["name"] if match else None
    if kind == "ECS":
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
        said, own = tags.get("aws:ecs:serviceName") or own or said, None
    if kind == "Lambda" and said is None:
        said = (item.text("RequesterId") or "").partition(":")[2] or None
    if kind == "EKS" and said is None:
        said = tags.get(_POD_CLUSTER_TAG)
    name = names.tags.get(said or "") or (said if kind in _SAYS_ITSELF else None) or own or said
    name = name or item.identity("NetworkInterfaceId")
    service = names.services.get(said or "")
    if service:
        match = _SERVICE.fullmatch(service)
        return kind, f"{match['name'] if match else service} ({name})"
    return kind, name


def resource(interface: Interface) -> str | None:
    """Return the label of what an interface belongs to, kind and name.

    Parameters
    ----------
    interface : Interface
        One of a topology.

    Returns
    -------
    str or None
        Like ``"ELB shop (application)"``, ``"RDS orders-db"`` or ``"EC2 web-1"``; None where the kind is not known.

    Examples
    --------
    >>> import flowlens as fl
    >>> from flowlens.topology.kinds import resource
    >>> topology = fl.Topology.from_describe(fl.simulate(hours=0.1).topology)
    >>> sorted({resource(interface) for interface in topology.interfaces.values()})[-3:]
    ['RDS analytics-db', 'RDS orders-db', 'endpoint ssm-endpoint']
    """
    return None if interface.kind is None else f"{interface.kind} {interface.name}"


def _kind(item: Item, tags: Mapping[str, str]) -> str | None:
    description = item.text("Description") or ""
    managed = item.flag("RequesterManaged")
    attached = item.part("Attachment").text("InstanceId") or _pod_node(description, tags)
    known = _KIND_OF_TYPE.get(item.text("InterfaceType") or "")
    if known is None and _ECS.match(description):
        known = "ECS"
    if known is None and attached and not managed:
        known = _EC2
    if known is None and managed and _OPENSEARCH.match(description):
        known = "OpenSearch"
    return known or _kind_by_words(description, item.text("RequesterId") or "")


def _kind_by_words(description: str, requester: str) -> str | None:
    for pattern, kind in _KIND_OF_DESCRIPTION:
        if pattern.match(description):
            return kind
    return "CodeBuild" if _CODEBUILD_REQUESTER.match(requester) else _KIND_OF_REQUESTER.get(requester)


def _pod_node(description: str, tags: Mapping[str, str]) -> str | None:
    """Return the instance whose pods use an interface, also while it is not attached."""
    match = _POD_INTERFACE.match(description)
    if match:
        return match["name"]
    return tags.get(_POD_NODE_TAG) if _POD_CLUSTER_TAG in tags else None


def _load_balancer(item: Item, description: str, own: str | None) -> str:
    match = _LOAD_BALANCER.match(description)
    if match:
        return f"{match['name']} ({_SORTS[match['sort']]})"
    name = own or item.identity("NetworkInterfaceId")
    sort = _SORT_OF_TYPE.get(item.text("InterfaceType") or "")
    return f"{name} ({sort})" if sort else name
