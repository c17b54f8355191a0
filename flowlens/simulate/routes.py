"""The way of a packet between two hosts: which interfaces it passes and what stands in the records there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flowlens.errors import TopologyError
from flowlens.simulate.capture import FlowKey
from flowlens.simulate.filters import Header
from flowlens.simulate.world import ICMP, ICMPV6, TCP, UDP, Conversation, Interface, Subnet, World

__all__ = ["Hop", "Packet", "Route", "Routes", "StateKey"]

# The values of the field traffic-path, for Nitro instances.
_SAME_VPC, _GATEWAY_ENDPOINT, _INTERNET_GATEWAY = 1, 7, 8

_ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}  # types of request and reply
_FIRST_EPHEMERAL, _EPHEMERAL_PORTS = 32_768, 28_232  # Linux: 32768 to 60999
_FIRST_NAT_PORT, _NAT_PORTS = 1_024, 64_512  # NAT gateway: 1024 to 65535
# Steps through all ports of either range before one comes back: a prime that divides neither.
_PORT_STRIDE = 7_919

#: Interface, protocol, local address and port, remote address and port.
StateKey = tuple[str, int, str, int, str, int]


class Packet(NamedTuple):
    """Addresses and ports as they stand in the packet on one leg of its way."""

    src: str
    dst: str
    srcport: int
    dstport: int

    def answer(self) -> Packet:
        """Addresses and ports of the packet that answers this one."""
        return Packet(self.dst, self.src, self.dstport, self.srcport)


@dataclass(frozen=True, slots=True)
class Hop:
    """A packet passing one interface: what the filters there look at and what the record will say.

    ``state`` has the local side first, so that both directions of a connection share one key. ``always_tracked``: what
    goes through a NAT gateway is, whatever the rules are.
    """

    interface: Interface
    subnet: Subnet
    key: FlowKey
    header: Header
    crosses_subnet: bool
    state: StateKey
    is_request: bool
    always_tracked: bool

    @property
    def request_header(self) -> Header:
        """What the filters here look at, or looked at, in the request."""
        return self.header if self.is_request else self.header._replace(port=self.key.srcport)


class Route(NamedTuple):
    """The hops of a request in order, and those of its answer.

    ``translated`` says that a NAT gateway is on the way, ``dropped`` that the responder is one and never answers.
    """

    request: Packet
    forward: tuple[Hop, ...]
    reverse: tuple[Hop, ...]
    translated: bool
    dropped: bool


# A leg runs between two interfaces; None is the world outside the VPC.
_Leg = tuple[Interface | None, Interface | None, Packet]


class Routes:
    """The routes of one world, and the ports that its hosts have taken."""

    def __init__(self, world: World) -> None:
        self._interfaces = {i.id: i for i in world.interfaces}
        self._subnets = {s.id: s for s in world.subnets}
        self._services = {h.address: h.aws_service for h in world.hosts}
        self._ports_taken: dict[str, int] = {}

    def between(self, conversation: Conversation, number: int) -> Route:
        """Find the way between the two hosts of a conversation, there and back."""
        source = self._interfaces.get(conversation.initiator)
        target = self._interfaces.get(conversation.responder)
        ipv6 = conversation.ipv6 or ":" in conversation.initiator + conversation.responder
        src = _address(conversation.initiator, source, ipv6=ipv6)
        dst = _address(conversation.responder, target, ipv6=ipv6)
        if conversation.protocol not in {TCP, UDP}:
            # Without ports: groups know a conversation of such a protocol by its two addresses alone.
            request = Packet(src, dst, 0, 0)
        else:
            own = conversation.initiator_port or self._next_port(
                conversation.initiator, _FIRST_EPHEMERAL, _EPHEMERAL_PORTS
            )
            request = Packet(src, dst, own, conversation.responder_port)
        legs = self._legs(source, target, request)
        protocol = conversation.protocol
        forward = [hop for a, b, p in legs for hop in self._hops(a, b, p, protocol, number, is_request=True)]
        if conversation.reply_from is not None:
            legs[-1] = (legs[-1][0], self._second_interface(conversation.reply_from, target), legs[-1][2])
        reverse = [
            hop
            for a, b, p in reversed(legs)
            for hop in self._hops(b, a, p.answer(), protocol, number, is_request=False)
        ]
        # A NAT gateway has no use for packets that come without being asked for: they are logged, then dropped.
        dropped = target is not None and target.kind == "nat_gateway"
        return Route(request, tuple(forward), tuple(reverse), len(legs) > 1, dropped)

    def _second_interface(self, interface: str, target: Interface | None) -> Interface:
        found = self._interfaces.get(interface)
        if found is None or target is None:
            raise TopologyError(
                f"Replies from {interface!r} need a responder in the VPC, and that interface in the world"
            )
        return found

    def _next_port(self, host: str, first: int, count: int) -> int:
        taken = self._ports_taken[host] = self._ports_taken.get(host, sum(host.encode())) + 1
        return first + taken * _PORT_STRIDE % count

    def _legs(self, source: Interface | None, target: Interface | None, packet: Packet) -> list[_Leg]:
        if source is None:
            if target is None:
                raise TopologyError(
                    f"Neither {packet.src} nor {packet.dst} is an interface of the VPC; no interface would see them. "
                    "Hosts inside are named by the id of their interface, such as 'eni-1', not by name or address."
                )
            public = ":" in packet.dst or target.public_address
            if not public or self._subnets[target.subnet].nat_gateway:
                raise TopologyError(f"{target.id} cannot be reached from the internet: it has no public address")
            return [(None, target, packet)]
        if target is not None:
            return [(source, target, packet)]
        home = self._subnets[source.subnet]
        if ":" in packet.dst or self._services.get(packet.dst) in home.gateway_endpoints:
            return [(source, None, packet)]
        if home.nat_gateway is None:
            if source.public_address is None:
                raise TopologyError(f"{source.id} cannot reach the internet: no public address and no NAT gateway")
            return [(source, None, packet)]
        nat = self._interfaces[home.nat_gateway]
        port = packet.srcport and self._next_port(nat.id, _FIRST_NAT_PORT, _NAT_PORTS)
        return [(source, nat, packet), (nat, None, packet._replace(src=nat.address, srcport=port))]

    def _hops(
        self,
        sender: Interface | None,
        receiver: Interface | None,
        packet: Packet,
        protocol: int,
        number: int,
        *,
        is_request: bool,
    ) -> list[Hop]:
        crosses = sender is None or receiver is None or sender.subnet != receiver.subnet
        echo = _ECHO.get(protocol)
        # Security groups keep pings apart by the ICMP identifier, which no record shows: the conversation's number.
        srcport, dstport = (number, number) if echo else (packet.srcport, packet.dstport)
        port = echo[0 if is_request else 1] if echo else packet.dstport
        tracked = any(end is not None and end.kind == "nat_gateway" for end in (sender, receiver))
        hops = []
        if sender is not None:
            state = (sender.id, protocol, packet.src, srcport, packet.dst, dstport)
            path = _SAME_VPC if receiver is not None else self._way_out(sender, packet.dst)
            key = _flow(sender, packet, protocol, path, egress=True)
            home = self._subnets[sender.subnet]
            header = Header(protocol, packet.dst, port)
            hops.append(Hop(sender, home, key, header, crosses, state, is_request, tracked))
        if receiver is not None:
            state = (receiver.id, protocol, packet.dst, dstport, packet.src, srcport)
            key = _flow(receiver, packet, protocol, None, egress=False)
            home = self._subnets[receiver.subnet]
            header = Header(protocol, packet.src, port)
            hops.append(Hop(receiver, home, key, header, crosses, state, is_request, tracked))
        return hops

    def _way_out(self, sender: Interface, address: str) -> int:
        service = self._services.get(address)
        endpoint = service is not None and service in self._subnets[sender.subnet].gateway_endpoints
        return _GATEWAY_ENDPOINT if endpoint else _INTERNET_GATEWAY


def _flow(interface: Interface, packet: Packet, protocol: int, path: int | None, *, egress: bool) -> FlowKey:
    """Fill in the addresses of a record: the near one is the interface's own, the packet's stay beside them.

    They differ at a NAT gateway: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    """
    own = interface.address6 if ":" in packet.src else interface.address
    src, dst = (own or packet.src, packet.dst) if egress else (packet.src, own or packet.dst)
    ports = packet.srcport, packet.dstport
    return FlowKey(interface.id, egress, src, dst, *ports, protocol, packet.src, packet.dst, path)


def _address(end: str, interface: Interface | None, *, ipv6: bool) -> str:
    if interface is None:
        if end.startswith("eni-"):
            raise TopologyError(f"A conversation names the interface {end!r}, which the world does not define")
        return end
    address = interface.address6 if ipv6 else interface.address
    if address is None:
        raise TopologyError(f"A conversation needs an IPv6 address of {end}, which has none")
    return address
