"""A VPC as data: its network, its filters and the traffic planned for it. Nothing here plays anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from flowlens.errors import TopologyError

__all__ = [
    "ALL",
    "ICMP",
    "ICMPV6",
    "TCP",
    "UDP",
    "AclEntry",
    "Conversation",
    "Host",
    "Interface",
    "NetworkAcl",
    "Repeat",
    "Rule",
    "RuleChange",
    "SecurityGroup",
    "SkippedWindow",
    "Step",
    "Subnet",
    "Traffic",
    "Visits",
    "World",
]

#: IANA protocol numbers, and the number AWS uses for "all protocols".
ICMP, TCP, UDP, ICMPV6, ALL = 1, 6, 17, 58, -1

InterfaceKind = Literal["instance", "load_balancer", "nat_gateway", "database", "endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a security group: what it allows. Security groups have no deny.

    Attributes
    ----------
    protocol
        IANA number, or ``ALL``.
    peer
        A CIDR, or the id of the security group whose members are meant.
    ports
        First and last destination port. For ICMP and ICMPv6: type and code, -1 for any. None for all.
        Without meaning for ``ALL`` and for protocols other than TCP, UDP, ICMP and ICMPv6, as in the EC2 API.
    """

    protocol: int
    peer: str
    ports: tuple[int, int] | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A stateful filter at an interface; what no rule allows is refused."""

    id: str
    name: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AclEntry:
    """One numbered entry of a network ACL; the lowest number that matches decides.

    ``protocol`` and ``ports`` are as in `Rule`; ``cidr`` is the source of ingress, the destination of egress traffic.
    """

    number: int
    action: Literal["allow", "deny"]
    protocol: int
    cidr: str
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAcl:
    """A stateless filter at the edge of a subnet; what no entry matches is refused by the implicit last one."""

    id: str
    name: str
    ingress: tuple[AclEntry, ...] = ()
    egress: tuple[AclEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A filter that is edited while the simulation runs: from second ``at`` on it is the given one of the same id.

    Connections that a security group tracks live on without its rules; others and a network ACL's feel it at once.
    """

    at: float
    security_group: SecurityGroup | None = None
    network_acl: NetworkAcl | None = None

    def __post_init__(self) -> None:
        if (self.security_group is None) == (self.network_acl is None):
            raise TopologyError("A rule change replaces one filter: either a security group or a network ACL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet and the routes of its route table.

    Attributes
    ----------
    nat_gateway
        Interface of the NAT gateway that IPv4 traffic to the internet goes through; None for an internet gateway.
    gateway_endpoints
        AWS services reached over a gateway VPC endpoint, as `Host.aws_service` names them.
    """

    id: str
    name: str
    cidr: str
    network_acl: str
    az: str
    az_id: str
    cidr6: str | None = None
    nat_gateway: str | None = None
    gateway_endpoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface and what it belongs to.

    Attributes
    ----------
    security_groups
        Empty only for interfaces that cannot carry one, such as a NAT gateway: no stateful filter there.
    instance
        Id of the instance; None for interfaces that an AWS service manages.
    description
        As the EC2 API has it, which is how services mark their interfaces: ``ELB app/shop/50dc6c495c0c9188``. The name
        where it is empty.
    public_address
        Public IPv4 address. It never shows in the records, which have the private one.
    tcp_idle_timeout
        Seconds after which the security group forgets an idle TCP connection: 432,000 on most instances,
        350 on the sixth Nitro generation.
    """

    id: str
    name: str
    subnet: str
    address: str
    security_groups: tuple[str, ...]
    kind: InterfaceKind = "instance"
    instance: str | None = None
    description: str = ""
    address6: str | None = None
    public_address: str | None = None
    tcp_idle_timeout: int = 432_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host on the internet that is worth a name, or that belongs to an AWS service such as ``S3``."""

    address: str
    name: str
    aws_service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One conversation as its two hosts plan it; the filters decide what becomes of it.

    Attributes
    ----------
    start
        Seconds after the start of the simulation.
    initiator, responder
        Interface id, or an address on the internet.
    responder_port, initiator_port
        Only for TCP and UDP; an initiator port of 0 lets the simulator take the next ephemeral one.
    bytes_up, bytes_down
        Payload towards the responder and back.
    exchanges
        Requests and answers: datagrams of UDP, echo requests of ICMP, the least number of data segments of TCP.
    duration
        Seconds between the first and the last data packet.
    answer
        What the responder does when the first packet reaches it: serve, refuse with a reset, or keep silent.
    close
        How TCP ends: FIN by both sides or a reset by the initiator.
    syn_retries
        How often the initiator repeats a SYN that nobody answers.
    pause
        Seconds of silence in the middle of a TCP conversation, after which the responder speaks first.
    late
        Seconds after the close at which the responder sends a last TCP packet; None for never. A NAT gateway on
        the way would have forgotten the connection, so nothing is sent there.
    ipv6
        Use the IPv6 addresses of two interfaces. An internet address decides by itself.
    reply_from
        Interface through which the responder's packets leave where that is not the one that the requests reach: an
        instance with two interfaces and no source/destination check.
    """

    start: float
    initiator: str
    responder: str
    protocol: int = TCP
    responder_port: int = 0
    initiator_port: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    exchanges: int = 1
    duration: float = 0.2
    answer: Literal["serve", "refuse", "silent"] = "serve"
    close: Literal["fin", "reset"] = "fin"
    syn_retries: int = 6
    pause: float = 0.0
    late: float | None = None
    ipv6: bool = False
    reply_from: str | None = None
    label: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A conversation that comes back from its own start until ``last``.

    ``every`` and ``jitter`` are seconds: each gap is ``every`` plus or minus up to ``jitter``. ``vary`` is the share by
    which bytes, exchanges and duration differ from time to time.
    """

    name: str
    conversation: Conversation
    every: float
    jitter: float = 0.0
    vary: float = 0.0
    last: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One conversation of a visit: the responder of one step is the initiator of the next."""

    responders: tuple[str, ...]
    ports: tuple[int, ...]
    protocol: int = TCP
    bytes_up: int = 600
    bytes_down: int = 6_000
    exchanges: int = 1
    duration: float = 0.5
    answer: Literal["serve", "refuse", "silent"] = "serve"
    syn_retries: int = 6
    late_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Conversations at random times, by initiators drawn from a pool, each causing the next step behind it.

    ``per_hour`` is the expected number of visits, one value or one for each hour counted from the start of the
    simulation (repeated every 24 hours).
    """

    name: str
    initiators: tuple[str, ...]
    steps: tuple[Step, ...]
    per_hour: float | tuple[float, ...]
    label: str | None = None
    note: str = ""


Traffic = Conversation | Repeat | Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedWindow:
    """A capture window whose records AWS lost: the one of ``interface`` that holds second ``at``.

    ``share`` of the records go; 1 loses them all.
    """

    interface: str
    at: float
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A VPC, its filters, the internet around it and the traffic to play.

    Attributes
    ----------
    changes
        What is edited while the simulation runs. The describe-* documents show the filters as they were before.
    traffic_type
        What the flow log captures: accepted packets, refused ones or all.

    Examples
    --------
    One instance that answers to SSH from one address, and somebody else who tries:

    >>> from flowlens.simulate import (
    ...     TCP, AclEntry, ALL, Conversation, Interface, NetworkAcl, Rule, SecurityGroup, Subnet, World, simulate)
    >>> everything = (AclEntry(number=100, action="allow", protocol=ALL, cidr="0.0.0.0/0"),)
    >>> world = World(
    ...     cidr="10.0.0.0/16",
    ...     subnets=(Subnet(id="subnet-1", name="one", cidr="10.0.1.0/24", network_acl="acl-1", az="eu-west-1a",
    ...                     az_id="euw1-az1"),),
    ...     network_acls=(NetworkAcl(id="acl-1", name="open", ingress=everything, egress=everything),),
    ...     security_groups=(SecurityGroup(id="sg-1", name="ssh", ingress=(
    ...         Rule(protocol=TCP, peer="203.0.113.5/32", ports=(22, 22)),)),),
    ...     interfaces=(Interface(id="eni-1", name="server", subnet="subnet-1", address="10.0.1.9",
    ...                           security_groups=("sg-1",), public_address="198.51.100.9"),),
    ...     traffic=(Conversation(start=60.0, initiator="192.0.2.7", responder="eni-1", responder_port=22),),
    ... )
    >>> simulate(world).truth[["blocked_by", "blocked_at"]].to_dict("records")
    [{'blocked_by': 'SG_IN', 'blocked_at': 'eni-1'}]
    """

    cidr: str
    subnets: tuple[Subnet, ...]
    security_groups: tuple[SecurityGroup, ...]
    network_acls: tuple[NetworkAcl, ...]
    interfaces: tuple[Interface, ...]
    traffic: tuple[Traffic, ...] = ()
    hosts: tuple[Host, ...] = ()
    skipped: tuple[SkippedWindow, ...] = ()
    changes: tuple[RuleChange, ...] = ()
    traffic_type: Literal["ALL", "ACCEPT", "REJECT"] = "ALL"
    cidr6: str | None = None
    vpc: str = "vpc-0a1b2c3d4e5f60718"
    account: str = "123456789012"
    region: str = "eu-west-1"
    flow_log: str = "fl-0c0ffee0123456789"

    def __post_init__(self) -> None:
        subnets = {s.id: s for s in self.subnets}
        groups = {g.id for g in self.security_groups}
        acls = {a.id for a in self.network_acls}
        _each_known((s.network_acl for s in self.subnets), acls, "network ACL")
        _each_known((c.security_group.id for c in self.changes if c.security_group), groups, "security group")
        _each_known((c.network_acl.id for c in self.changes if c.network_acl), acls, "network ACL")
        _each_known((i.subnet for i in self.interfaces), set(subnets), "subnet")
        _each_known((g for i in self.interfaces for g in i.security_groups), groups, "security group")
        interfaces = {i.id for i in self.interfaces}
        _each_known((s.nat_gateway for s in self.subnets if s.nat_gateway), interfaces, "NAT gateway interface")
        _each_known((s.interface for s in self.skipped), interfaces, "interface")
        for interface in self.interfaces:
            home = subnets[interface.subnet]
            _inside(interface.address, home.cidr, interface.id)
            if interface.address6 is not None:
                _inside(interface.address6, home.cidr6, interface.id)
        for acl in (*self.network_acls, *(c.network_acl for c in self.changes if c.network_acl)):
            for entries in (acl.ingress, acl.egress):
                if len({e.number for e in entries}) != len(entries):
                    raise TopologyError(f"{acl.id} has two entries of one number and direction; numbers are unique")


def _each_known(wanted: Iterable[str], known: set[str], what: str) -> None:
    missing = sorted(set(wanted) - known)
    if missing:
        raise TopologyError(f"The world names the {what} {missing[0]!r} but does not define it")


def _inside(address: str, cidr: str | None, interface: str) -> None:
    if cidr is None or ip_address(address) not in ip_network(cidr):
        raise TopologyError(f"{interface} has the address {address}, outside its subnet's {cidr or 'missing block'}")
    if str(ip_address(address)) != address:
        raise TopologyError(f"Write the address of {interface} as {ip_address(address)}; records have that form")
