"""The fields of VPC and transit gateway flow log records, as data.

Names, versions, types and values follow the AWS tables
https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (VPC, 54 fields of versions 2 to 11) and
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html (transit gateway, 36 fields).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "ALIASES",
    "BY_COLUMN",
    "BY_NAME",
    "DEFAULT_FIELDS",
    "TAG_COLUMNS",
    "TGW_FIELDS",
    "VOCABULARIES",
    "VPC_FIELDS",
    "Field",
    "field_for",
]

Kind = Literal["text", "address", "uint8", "uint16", "int64", "time"]

_DTYPES: dict[Kind, str] = {
    "text": "category",
    "address": "category",
    "uint8": "UInt8",
    "uint16": "UInt16",
    "int64": "Int64",
    "time": "datetime64[s, UTC]",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a flow log record.

    Attributes
    ----------
    name
        The AWS name, as in a LogFormat: ``log-status``.
    kind
        What the values are: text, an IP address, an unsigned integer of a size, or Unix seconds.
    version
        The record version that introduced the field.
    meaning
        One line for the user.
    values
        Known values and what they mean. Empty where any value may stand.
    closed
        True where AWS lists every value there can be, so that another one is an error and not news.
    """

    name: str
    kind: Kind
    version: int
    meaning: str
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    closed: bool = False

    @property
    def column(self) -> str:
        """The name of the column in a flowlens frame and in AWS Parquet: ``log_status``."""
        return self.name.replace("-", "_")

    @property
    def dtype(self) -> str:
        """The pandas dtype of the column."""
        return _DTYPES[self.kind]


_TCP_FLAGS = {
    "0": "none of the recorded flags: packets in the middle of a connection",
    "1": "FIN",
    "2": "SYN",
    "4": "RST",
    "18": "SYN-ACK",
    "3": "SYN and FIN: a short connection, seen from the side that opened it",
    "19": "SYN-ACK and FIN: a short connection, seen from the side that answered",
}

_TRAFFIC_PATH = {
    "1": "another resource in the same VPC, or the Outposts local gateway",
    "2": "internet gateway or gateway VPC endpoint",
    "3": "virtual private gateway",
    "4": "VPC peering within the region",
    "5": "VPC peering between regions",
    "6": "local gateway, Local Zone or Wavelength Zone",
    "7": "gateway VPC endpoint (Nitro instances)",
    "8": "internet gateway (Nitro instances)",
}

_ENCRYPTION = {
    "0": "not encrypted",
    "1": "encrypted by the Nitro system",
    "2": "encrypted by the application",
    "3": "encrypted by both",
}

_NEXT_HOP = "of the interface the traffic goes to (egress) or comes from (ingress)"

VPC_FIELDS: tuple[Field, ...] = (
    # Version 2: the default format, in its fixed order.
    Field("version", "uint8", 2, "Version of the record: the highest among the chosen fields"),
    Field("account-id", "text", 2, "Account that owns the interface; 'unknown' for some interfaces made by a service"),
    Field("interface-id", "text", 2, "Network interface that saw the traffic"),
    Field("srcaddr", "address", 2, "Source address; the interface's own private address on egress"),
    Field("dstaddr", "address", 2, "Destination address; the interface's own private address on ingress"),
    Field("srcport", "uint16", 2, "Source port; 0 for protocols without ports"),
    Field("dstport", "uint16", 2, "Destination port; 0 for protocols without ports"),
    Field("protocol", "uint8", 2, "IANA protocol number", {"1": "ICMP", "6": "TCP", "17": "UDP", "58": "ICMPv6"}),
    Field("packets", "int64", 2, "Packets in the aggregation interval"),
    Field("bytes", "int64", 2, "Bytes in the aggregation interval; absent from Block Public Access records"),
    Field("start", "time", 2, "When the first packet of the interval arrived, up to 60 s late"),
    Field("end", "time", 2, "When the last packet of the interval arrived, up to 60 s late"),
    Field(
        "action",
        "text",
        2,
        "Whether the traffic was let through",
        {
            "ACCEPT": "allowed by security groups and network ACLs",
            "REJECT": "refused by a security group or network ACL, or the packets came after the connection was closed",
        },
        closed=True,
    ),
    Field(
        "log-status",
        "text",
        2,
        "Whether logging worked",
        {
            "OK": "logged normally",
            "NODATA": "no traffic at the interface in the interval",
            "SKIPDATA": "records were lost in the interval: capacity limit or internal error",
        },
        closed=True,
    ),
    # Version 3
    Field("vpc-id", "text", 3, "VPC of the interface"),
    Field("subnet-id", "text", 3, "Subnet of the interface"),
    Field("instance-id", "text", 3, "Instance that owns the interface; missing for interfaces of AWS services"),
    Field("tcp-flags", "uint8", 3, "TCP flags seen in the interval, OR-ed", _TCP_FLAGS),
    Field("type", "text", 3, "Kind of traffic", {"IPv4": "IPv4", "IPv6": "IPv6", "EFA": "Elastic Fabric Adapter"}),
    Field("pkt-srcaddr", "address", 3, "Source address in the packet: the real one behind NAT and gateways"),
    Field("pkt-dstaddr", "address", 3, "Destination address in the packet: the real one behind NAT and gateways"),
    # Version 4
    Field("region", "text", 4, "Region of the interface"),
    Field("az-id", "text", 4, "Availability zone id of the interface"),
    Field("sublocation-type", "text", 4, "Kind of sublocation: wavelength, outpost or localzone"),
    Field("sublocation-id", "text", 4, "Id of the sublocation"),
    # Version 5
    Field("pkt-src-aws-service", "text", 5, "AWS service whose address range holds the packet's source"),
    Field("pkt-dst-aws-service", "text", 5, "AWS service whose address range holds the packet's destination"),
    Field(
        "flow-direction",
        "text",
        5,
        "Direction seen from the interface",
        {"ingress": "towards the interface", "egress": "from the interface"},
        closed=True,
    ),
    Field("traffic-path", "uint8", 5, "Path that egress traffic takes", _TRAFFIC_PATH),
    # Version 7 (6 is the transit gateway's)
    Field("ecs-cluster-arn", "text", 7, "ECS cluster of the task"),
    Field("ecs-cluster-name", "text", 7, "Name of the ECS cluster"),
    Field("ecs-container-instance-arn", "text", 7, "ECS container instance; missing on Fargate"),
    Field("ecs-container-instance-id", "text", 7, "Id of the ECS container instance"),
    Field("ecs-container-id", "text", 7, "Runtime id of the task's first container"),
    Field("ecs-second-container-id", "text", 7, "Runtime id of the task's second container"),
    Field("ecs-service-name", "text", 7, "ECS service that started the task"),
    Field("ecs-task-definition-arn", "text", 7, "ECS task definition"),
    Field("ecs-task-arn", "text", 7, "ECS task"),
    Field("ecs-task-id", "text", 7, "Id of the ECS task"),
    # Version 8 to 10
    Field(
        "reject-reason",
        "text",
        8,
        "Why the traffic was refused, beyond security groups and network ACLs",
        {"BPA": "VPC Block Public Access", "EC": "VPC Encryption Controls"},
    ),
    Field("resource-id", "text", 9, "Resource without an interface of yours: a regional NAT gateway"),
    Field("encryption-status", "uint8", 10, "Encryption in transit", _ENCRYPTION),
    # Version 11
    Field("instance-tag", "text", 11, "Value of the chosen tag on the instance"),
    Field("instance-tag-2", "text", 11, "Value of the second chosen tag on the instance"),
    Field("interface-tag", "text", 11, "Value of the chosen tag on the interface"),
    Field("interface-tag-2", "text", 11, "Value of the second chosen tag on the interface"),
    Field("asg-tag", "text", 11, "Value of the chosen tag on the Auto Scaling group"),
    Field("asg-tag-2", "text", 11, "Value of the second chosen tag on the Auto Scaling group"),
    Field("interface-type", "text", 11, "Kind of interface: nat_gateway, network_load_balancer, vpc_endpoint, ..."),
    Field("next-hop-interface-id", "text", 11, "The interface the traffic goes to (egress) or comes from (ingress)"),
    Field("next-hop-subnet-id", "text", 11, f"Subnet {_NEXT_HOP}"),
    Field("next-hop-az-id", "text", 11, f"Availability zone id {_NEXT_HOP}"),
    Field("next-hop-vpc-id", "text", 11, f"VPC {_NEXT_HOP}"),
    Field("next-hop-interface-type", "text", 11, f"Kind {_NEXT_HOP}"),
)

_VPC = {f.name: f for f in VPC_FIELDS}

#: The format AWS uses when none is chosen. It has never grown.
DEFAULT_FIELDS: tuple[Field, ...] = VPC_FIELDS[:14]

#: Transit gateway records in their default order. They have no action and no interface.
TGW_FIELDS: tuple[Field, ...] = (
    _VPC["version"],
    Field(
        "resource-type",
        "text",
        6,
        "What the flow log was made on",
        {"TransitGateway": "a transit gateway", "TransitGatewayAttachment": "one attachment of it"},
    ),
    _VPC["account-id"],
    Field("tgw-id", "text", 6, "Transit gateway"),
    Field("tgw-attachment-id", "text", 6, "Attachment the traffic was recorded at"),
    Field("tgw-src-vpc-account-id", "text", 6, "Account of the source VPC"),
    Field("tgw-dst-vpc-account-id", "text", 6, "Account of the destination VPC"),
    Field("tgw-src-vpc-id", "text", 6, "Source VPC"),
    Field("tgw-dst-vpc-id", "text", 6, "Destination VPC"),
    Field("tgw-src-subnet-id", "text", 6, "Source subnet"),
    Field("tgw-dst-subnet-id", "text", 6, "Destination subnet"),
    Field("tgw-src-eni", "text", 6, "Interface of the source attachment"),
    Field("tgw-dst-eni", "text", 6, "Interface of the destination attachment"),
    Field("tgw-src-az-id", "text", 6, "Availability zone id of the source"),
    Field("tgw-dst-az-id", "text", 6, "Availability zone id of the destination"),
    Field("tgw-pair-attachment-id", "text", 6, "The attachment at the other side"),
    _VPC["srcaddr"],
    _VPC["dstaddr"],
    _VPC["srcport"],
    _VPC["dstport"],
    _VPC["protocol"],
    _VPC["packets"],
    _VPC["bytes"],
    _VPC["start"],
    _VPC["end"],
    _VPC["log-status"],
    _VPC["type"],
    Field("packets-lost-no-route", "int64", 6, "Packets lost for want of a route"),
    Field("packets-lost-blackhole", "int64", 6, "Packets lost to a black hole route"),
    Field("packets-lost-mtu-exceeded", "int64", 6, "Packets lost because they exceeded the MTU"),
    Field("packets-lost-ttl-expired", "int64", 6, "Packets lost because their time to live ran out"),
    _VPC["tcp-flags"],
    _VPC["region"],
    _VPC["flow-direction"],
    _VPC["pkt-src-aws-service"],
    _VPC["pkt-dst-aws-service"],
)

#: Other names under which the same field is met, in lower case without separators: the names of Athena's security
#: analytics bootstrap, CloudWatch Logs Insights, Panther, Tailpipe, Elastic, Zeek and AWS's own metric filters.
ALIASES: dict[str, tuple[str, ...]] = {
    "account-id": ("account", "owner", "interfaceaccountid"),
    "interface-id": ("eni", "interface"),
    "srcaddr": ("srcip", "src", "source", "sourceaddress", "sourceaddr", "sourceip", "idorigh"),
    "dstaddr": (
        "dstip", "dst", "dest", "destip", "destaddr", "destination", "destinationaddress", "destinationaddr",
        "destinationip", "idresph",
    ),
    "srcport": ("sourceport", "sport", "idorigp"),
    "dstport": ("destport", "destinationport", "dport", "idrespp"),
    "protocol": ("proto", "protocolnum", "protocolnumber", "networkiananumber"),
    "packets": ("numpackets", "pkts", "networkpackets"),
    "bytes": ("numbytes", "networkbytes"),
    "start": ("starttime", "windowstart", "eventstart", "ts"),
    "end": ("endtime", "windowend", "eventend"),
    "log-status": ("status", "flowlogstatus"),
    "type": ("traffictype",),
}  # fmt: skip

BY_NAME: dict[str, Field] = {f.name: f for f in (*VPC_FIELDS, *TGW_FIELDS)}
BY_COLUMN: dict[str, Field] = {f.column: f for f in BY_NAME.values()}


#: Columns that hold values of tags; AWS logs them percent-encoded.
TAG_COLUMNS: tuple[str, ...] = tuple(
    f"{kind}_tag{number}" for kind in ("instance", "interface", "asg") for number in ("", "_2")
)

#: Words of fields that can hold no others, in sorted order.
VOCABULARIES: dict[str, tuple[str, ...]] = {f.column: tuple(sorted(f.values)) for f in BY_NAME.values() if f.closed}


def field_for(column: str) -> Field:
    """Return the field behind a column; a name that AWS has not published yet is text of version 0."""
    return BY_COLUMN.get(column) or Field(column.replace("_", "-"), "text", 0, "Not a field flowlens knows")
