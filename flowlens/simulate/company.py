"""The VPC of a small company: the world of the shipped sample.

A web shop in two zones behind a load balancer, its databases, a few helpers, and two mistakes that somebody will have
to find. What happens in it in a day is in `flowlens.simulate.company_day`.
"""

from __future__ import annotations

from hashlib import sha256

from flowlens.simulate.company_day import HOSTS, SKIPPED, Places, day
from flowlens.simulate.world import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Interface,
    InterfaceKind,
    NetworkAcl,
    Rule,
    SecurityGroup,
    SkippedWindow,
    Subnet,
    World,
)

__all__ = ["company"]

_VPC, _VPC6 = "10.20.0.0/16", "2001:db8:1234:5600::/56"
_ANYWHERE, _ANYWHERE6 = "0.0.0.0/0", "::/0"
_EPHEMERAL = (1_024, 65_535)


def company() -> World:
    """Return the small company's VPC with the traffic of one day, counted from midnight.

    Examples
    --------
    >>> from flowlens.simulate.company import company
    >>> [subnet.name for subnet in company().subnets]
    ['public-a', 'public-b', 'app-a', 'app-b', 'data-a', 'partner-a']
    """
    interfaces = _interfaces()
    places: Places = {i.name: i.id for i in interfaces}
    return World(
        cidr=_VPC,
        cidr6=_VPC6,
        subnets=_subnets(places["nat-a"]),
        security_groups=_security_groups(),
        network_acls=_network_acls(),
        interfaces=interfaces,
        hosts=HOSTS,
        traffic=day(places),
        skipped=tuple(SkippedWindow(interface=places[name], at=at, share=share) for name, at, share in SKIPPED),
    )


def _id(prefix: str, name: str) -> str:
    return f"{prefix}-0{sha256(f'{prefix} {name}'.encode()).hexdigest()[:16]}"


def _subnets(nat: str) -> tuple[Subnet, ...]:
    def subnet(name: str, number: int, acl: str, *, private: bool = False) -> Subnet:
        zone = name[-1]
        return Subnet(
            id=_id("subnet", name),
            name=name,
            cidr=f"10.20.{number}.0/24",
            cidr6=f"2001:db8:1234:56{number:02x}::/64",
            network_acl=_id("acl", acl),
            az=f"eu-west-1{zone}",
            az_id=f"euw1-az{'ab'.index(zone) + 1}",
            nat_gateway=nat if private else None,
            gateway_endpoints=("S3",) if private else (),
        )

    return (
        subnet("public-a", 0, "public"),
        subnet("public-b", 1, "public"),
        subnet("app-a", 10, "app", private=True),
        subnet("app-b", 11, "app", private=True),
        subnet("data-a", 20, "data", private=True),
        subnet("partner-a", 30, "partner"),
    )


def _interfaces() -> tuple[Interface, ...]:
    def interface(
        name: str,
        subnet: str,
        host: int,
        group: str | None,
        *,
        kind: InterfaceKind = "instance",
        public: str | None = None,
        ipv6: bool = False,
    ) -> Interface:
        balancer = f"ELB app/shop/{_id('app', 'shop')[-16:]}"
        descriptions: dict[InterfaceKind, str] = {
            "load_balancer": balancer,
            "nat_gateway": f"Interface for NAT Gateway {_id('nat', name)}",
            "database": "RDSNetworkInterface",
            "endpoint": f"VPC Endpoint Interface {_id('vpce', name)}",
        }
        number = {"public-a": 0, "public-b": 1, "app-a": 10, "app-b": 11, "data-a": 20, "partner-a": 30}[subnet]
        return Interface(
            id=_id("eni", name),
            name=name,
            subnet=_id("subnet", subnet),
            address=f"10.20.{number}.{host}",
            address6=f"2001:db8:1234:56{number:02x}::{host:x}" if ipv6 else None,
            security_groups=(_id("sg", group),) if group else (),
            kind=kind,
            instance=_id("i", name) if kind == "instance" else None,
            description=descriptions.get(kind, ""),
            public_address=public,
        )

    return (
        interface("alb-a", "public-a", 21, "alb", kind="load_balancer", public="198.51.100.11", ipv6=True),
        interface("alb-b", "public-b", 21, "alb", kind="load_balancer", public="198.51.100.12", ipv6=True),
        interface("nat-a", "public-a", 5, None, kind="nat_gateway", public="198.51.100.13"),
        interface("bastion", "public-a", 10, "bastion", public="198.51.100.14"),
        interface("web-1", "app-a", 31, "web", ipv6=True),
        interface("web-2", "app-b", 32, "web", ipv6=True),
        interface("dns-1", "app-a", 53, "dns"),
        interface("monitor", "app-a", 60, "monitor", ipv6=True),
        interface("batch", "app-b", 40, "batch"),
        interface("reports", "app-b", 30, "reports"),
        interface("orders-db", "data-a", 10, "orders-db", kind="database"),
        interface("analytics-db", "data-a", 11, "analytics-db", kind="database"),
        interface("partner-api", "partner-a", 15, "partner", public="198.51.100.15"),
        interface("ssm-endpoint", "app-a", 99, "endpoint", kind="endpoint"),
    )


def _security_groups() -> tuple[SecurityGroup, ...]:
    def allow(protocol: int, peer: str, *ports: int) -> Rule:
        is_address = "/" in peer
        span = (ports[0], ports[-1]) if ports else None
        return Rule(protocol=protocol, peer=peer if is_address else _id("sg", peer), ports=span)

    def group(name: str, ingress: tuple[Rule, ...], egress: tuple[Rule, ...]) -> SecurityGroup:
        return SecurityGroup(id=_id("sg", name), name=f"{name}-sg", ingress=ingress, egress=egress)

    everything = (allow(ALL, _ANYWHERE), allow(ALL, _ANYWHERE6))
    ssh, ping, ping6 = allow(TCP, "bastion", 22), allow(ICMP, "monitor"), allow(ICMPV6, "monitor")
    return (
        group(
            "alb",
            (*(allow(TCP, peer, port) for port in (443, 80) for peer in (_ANYWHERE, _ANYWHERE6)),),
            (allow(TCP, "web", 8_080),),
        ),
        group("web", (allow(TCP, "alb", 8_080), ssh, ping, ping6), everything),
        # Open to the world "for a day, until the VPN works". And nobody thought of plain HTTP for package updates.
        group(
            "bastion",
            (allow(TCP, _ANYWHERE, 22), ping),
            (allow(TCP, _VPC, 22), allow(TCP, _ANYWHERE, 443), allow(UDP, _VPC, 53), allow(UDP, _VPC, 514)),
        ),
        group("dns", (allow(UDP, _VPC, 53), allow(TCP, _VPC, 53), ssh, ping), everything),
        group("monitor", (allow(UDP, _VPC, 514), ssh), everything),
        group("batch", (ssh, ping), everything),
        group("reports", (ssh, ping), everything),
        # reports was given the analytics database and forgotten here.
        group("orders-db", (allow(TCP, "web", 5_432), allow(TCP, "batch", 5_432)), ()),
        group("analytics-db", (allow(TCP, "batch", 5_432), allow(TCP, "reports", 5_432)), ()),
        group("partner", (allow(TCP, "203.0.113.0/24", 443), allow(TCP, _VPC, 443), ping), everything),
        group("endpoint", (allow(TCP, _VPC, 443),), everything),
    )


def _network_acls() -> tuple[NetworkAcl, ...]:
    def entry(number: int, protocol: int, cidr: str, *ports: int, deny: bool = False) -> AclEntry:
        span = (ports[0], ports[-1]) if ports else None
        return AclEntry(number=number, action="deny" if deny else "allow", protocol=protocol, cidr=cidr, ports=span)

    def acl(name: str, ingress: tuple[AclEntry, ...], egress: tuple[AclEntry, ...]) -> NetworkAcl:
        return NetworkAcl(id=_id("acl", name), name=f"{name}-acl", ingress=ingress, egress=egress)

    everything = (entry(100, ALL, _ANYWHERE), entry(101, ALL, _ANYWHERE6))
    inside = (entry(100, ALL, _VPC), entry(101, ALL, _VPC6))
    answers = (
        entry(200, TCP, _ANYWHERE, *_EPHEMERAL),
        entry(201, TCP, _ANYWHERE6, *_EPHEMERAL),
        entry(210, UDP, _ANYWHERE, *_EPHEMERAL),
    )
    return (
        acl(
            "public",
            (
                entry(50, ALL, "203.0.113.128/28", deny=True),
                *inside,
                *(entry(110 + n, TCP, _ANYWHERE, port) for n, port in enumerate((443, 80, 22))),
                *(entry(120 + n, TCP, _ANYWHERE6, port) for n, port in enumerate((443, 80))),
                *answers,
                # NTP answers come to port 123 only if the client asks from there; ours does.
                entry(220, UDP, _ANYWHERE, 123),
            ),
            everything,
        ),
        acl("app", (*inside, *answers, entry(220, UDP, _ANYWHERE, 123)), everything),
        acl(
            "data",
            (entry(100, TCP, _VPC, 5_432),),
            (entry(100, TCP, _VPC, *_EPHEMERAL),),
        ),
        # 443 out, as in: yet the partner's own port is an ephemeral one, and no entry lets the answer go there.
        acl(
            "partner",
            (entry(100, ALL, _VPC), entry(110, TCP, "203.0.113.0/24", 443), entry(120, TCP, _ANYWHERE, *_EPHEMERAL)),
            (
                entry(100, TCP, _ANYWHERE, 443),
                entry(110, UDP, _VPC, 514),
                entry(120, UDP, _VPC, 53),
                entry(130, ICMP, _VPC, -1, -1),
            ),
        ),
    )
