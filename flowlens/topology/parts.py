"""Interfaces, subnets, VPCs and flow logs as values, read from describe-* items.

Shapes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html and its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowlens.topology.items import Item
from flowlens.topology.kinds import Names, kind_and_name

__all__ = ["WITHOUT_GROUPS", "FlowLog", "Interface", "Subnet", "Vpc", "flow_log", "interface", "subnet", "vpc"]

# eu-west-1a, us-gov-east-1b, and the local zone us-west-2-lax-1a
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+?-\d+")


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface.

    Attributes
    ----------
    id, description, interface_type, requester_id, requester_managed, status, source_dest_check
        As AWS describes it.
    kind, name
        What it belongs to, like ``"ELB"`` and ``"shop (application)"``; None where that is not known.
    vpc, subnet, zone, zone_id, account, region, instance
        Where it is: ids; `zone` is a name like ``eu-west-1a``.
    addresses, addresses6
        Its own private IPv4 addresses, the primary one first, and its IPv6 addresses.
    prefixes
        Prefixes delegated to it, IPv4 and IPv6.
    public_addresses
        Public, carrier and customer-owned IPv4 addresses that are translated to its own.
    translations
        Pairs of an own address, the primary one first, and one of these that is translated to it.
    security_groups
        Ids.
    lists_groups
        Whether its groups are known: an interface that was described without them may carry any.
    tcp_idle_timeout
        Seconds after which an idle TCP connection is no longer tracked, where somebody has set them.
    """

    id: str
    kind: str | None
    name: str | None
    description: str
    interface_type: str
    requester_id: str | None
    requester_managed: bool
    vpc: str | None
    subnet: str | None
    zone: str | None
    zone_id: str | None
    account: str | None
    region: str | None
    instance: str | None
    addresses: tuple[str, ...]
    addresses6: tuple[str, ...]
    prefixes: tuple[str, ...]
    public_addresses: tuple[str, ...]
    translations: tuple[tuple[str, str], ...]
    security_groups: tuple[str, ...]
    lists_groups: bool
    source_dest_check: bool
    status: str | None
    tcp_idle_timeout: int | None


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; `cidrs` are the associated ones, the IPv4 one first. `zone` is a name like ``eu-west-1a``."""

    id: str
    name: str | None
    vpc: str | None
    zone: str | None
    zone_id: str | None
    account: str | None
    region: str | None
    cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC; `cidrs` are the associated ones, the primary IPv4 one first."""

    id: str
    name: str | None
    account: str | None
    region: str | None
    cidrs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlowLog:
    """A flow log: on what (`resource`, an id), of which traffic (ALL, ACCEPT or REJECT), and whether it is active."""

    id: str
    resource: str | None
    traffic_type: str
    log_format: str | None
    interval: int | None
    active: bool


#: Types of interfaces that carry no security group.
#: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html,
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/introduction.html
WITHOUT_GROUPS = {"nat_gateway", "transit_gateway", "gateway_load_balancer", "gateway_load_balancer_endpoint"}

#: What AWS calls an address that is translated to a private one.
_TRANSLATED = ("PublicIp", "CarrierIp", "CustomerOwnedIp")

_NOWHERE = Subnet(id="", name=None, vpc=None, zone=None, zone_id=None, account=None, region=None, cidrs=())


def interface(item: Item, names: Names, subnets: Mapping[str, Subnet]) -> Interface:
    """Read an interface; what it does not say of its zone, its subnet does."""
    kind, name = kind_and_name(item, names)
    subnet_id = item.text("SubnetId")
    home = subnets.get(subnet_id or "", _NOWHERE)
    zone = item.text("AvailabilityZone") or home.zone
    return Interface(
        id=item.identity("NetworkInterfaceId"),
        kind=kind,
        name=name,
        description=item.text("Description") or "",
        interface_type=item.text("InterfaceType") or "interface",
        requester_id=item.text("RequesterId"),
        requester_managed=item.flag("RequesterManaged") or False,
        vpc=item.text("VpcId") or home.vpc,
        subnet=subnet_id,
        zone=zone,
        zone_id=item.text("AvailabilityZoneId") or home.zone_id,
        account=item.text("OwnerId"),
        region=item.region or _region(zone) or home.region,
        instance=item.part("Attachment").text("InstanceId"),
        addresses=_private_addresses(item),
        addresses6=_distinct(
            [*(a.address("Ipv6Address") for a in item.parts("Ipv6Addresses")), item.address("Ipv6Address")]
        ),
        prefixes=_distinct(
            part.prefix(f"{family}Prefix") for family in ("Ipv4", "Ipv6") for part in item.parts(f"{family}Prefixes")
        ),
        public_addresses=_public_addresses(item),
        translations=_translations(item),
        security_groups=_distinct(group.text("GroupId") for group in item.parts("Groups")),
        lists_groups=item.raw.get("Groups") is not None or item.text("InterfaceType") in WITHOUT_GROUPS,
        source_dest_check=item.flag("SourceDestCheck") is not False,
        status=item.text("Status"),
        tcp_idle_timeout=item.part("ConnectionTrackingConfiguration").number("TcpEstablishedTimeout"),
    )


def subnet(item: Item) -> Subnet:
    """Read a subnet."""
    zone = item.text("AvailabilityZone")
    return Subnet(
        id=item.identity("SubnetId"),
        name=item.tags("Tags").get("Name") or None,
        vpc=item.text("VpcId"),
        zone=zone,
        zone_id=item.text("AvailabilityZoneId"),
        account=item.text("OwnerId"),
        region=item.region or _region(zone),
        cidrs=_distinct([item.prefix("CidrBlock"), *_associated(item, "Ipv6")]),
    )


def vpc(item: Item, subnets: Mapping[str, Subnet]) -> Vpc:
    """Read a VPC; its region is that of its subnets where the item does not know it."""
    id_ = item.identity("VpcId")
    regions = (home.region for home in subnets.values() if home.vpc == id_)
    return Vpc(
        id=id_,
        name=item.tags("Tags").get("Name") or None,
        account=item.text("OwnerId"),
        region=item.region or next((region for region in regions if region), None),
        cidrs=_distinct([item.prefix("CidrBlock"), *_associated(item, ""), *_associated(item, "Ipv6")]),
    )


def flow_log(item: Item) -> FlowLog:
    """Read a flow log."""
    return FlowLog(
        id=item.identity("FlowLogId"),
        resource=item.text("ResourceId"),
        traffic_type=item.text("TrafficType") or "ALL",
        log_format=item.text("LogFormat"),
        interval=item.number("MaxAggregationInterval"),
        active=item.text("FlowLogStatus") in {None, "ACTIVE"},
    )


def _private_addresses(item: Item) -> tuple[str, ...]:
    return _distinct(part.address("PrivateIpAddress") for part in _with_private_address(item))


def _public_addresses(item: Item) -> tuple[str, ...]:
    associations = [part.part("Association") for part in (item, *item.parts("PrivateIpAddresses"))]
    return _distinct(association.address(key) for association in associations for key in _TRANSLATED)


def _translations(item: Item) -> tuple[tuple[str, str], ...]:
    pairs = (
        (part.address("PrivateIpAddress"), part.part("Association").address(key))
        for part in _with_private_address(item)
        for key in _TRANSLATED
    )
    return tuple(dict.fromkeys((own, other) for own, other in pairs if own is not None and other is not None))


def _with_private_address(item: Item) -> list[Item]:
    """Return what has a private address and its association: the interface has those of its primary one, too."""
    own = item.parts("PrivateIpAddresses")
    return [item, *sorted(own, key=lambda part: part.flag("Primary") is not True)]


def _associated(item: Item, family: str) -> Iterable[str | None]:
    """Yield the associated blocks of a family, IPv6 or, for VPCs, IPv4 (which AWS does not write into the keys)."""
    for block in item.parts(f"{family}CidrBlockAssociationSet"):
        cidr, state = block.prefix(f"{family}CidrBlock"), block.part(f"{family}CidrBlockState").text("State")
        if state in {None, "associated"}:
            yield cidr


def _distinct(texts: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text is not None))


def _region(zone: str | None) -> str | None:
    match = _REGION.match(zone or "")
    return match[0] if match else None
