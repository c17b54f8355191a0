"""Carries packets from interface to interface, through the filters, and has every interface note what it saw.

Order of the filters, https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html: a packet that
leaves meets the security group and then the network ACL; one that arrives meets the network ACL and then the security
group. A packet that is refused goes no further, so the interfaces behind never see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flowlens.simulate.capture import SYN, Burst, Capture, FlowKey
from flowlens.simulate.filters import FiltersInTime
from flowlens.simulate.routes import Hop, Route, Routes, StateKey
from flowlens.simulate.world import TCP, UDP, Conversation, World

__all__ = ["Link", "Network", "Refusal", "Refused"]

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html, in seconds.
# The page gives no value for ICMP; it is held like the protocols without ports.
_UDP_TIMEOUT, _UDP_STREAM_TIMEOUT, _OTHER_TIMEOUT = 30, 180, 600


class Refusal(NamedTuple):
    """The first filter that refused a packet of a conversation.

    ``cause`` is ``rules``, or why a security group no longer knew the connection: ``expired`` or ``closed``.
    """

    layer: str
    filter_at: str
    interface: str
    cause: str
    rule_number: int | None


class Refused(NamedTuple):
    """Packets that a filter refused: of which conversation, when (Unix time), in which record, and by what."""

    conversation: int
    at: float
    key: FlowKey
    refusal: Refusal


@dataclass(slots=True)
class _Entry:
    """One tracked connection at one interface."""

    created: float
    last: float
    requests: int = 0
    replies: int = 0
    closed: float = float("inf")


class Network:
    """The machinery of one simulation: filters, routes and the connections that security groups remember."""

    def __init__(self, world: World, capture: Capture) -> None:
        self.capture = capture
        self._filters = FiltersInTime(world)
        self._routes = Routes(world)
        self._tracked: dict[StateKey, _Entry] = {}

    @property
    def edits(self) -> tuple[float, ...]:
        """The seconds at which rules change."""
        return self._filters.edits

    def link(self, conversation: Conversation, number: int) -> Link:
        """Find the way between the two hosts of a conversation, there and back."""
        return Link(self, self._routes.between(conversation, number))

    def pass_through(self, hop: Hop, burst: Burst) -> Refusal | None:
        """Apply the filters at one interface; None when all of them let the burst pass."""
        first, second = (self._group, self._acl) if hop.key.egress else (self._acl, self._group)
        return first(hop, burst) or second(hop, burst)

    def close(self, hops: tuple[Hop, ...], at: float) -> None:
        """Forget a connection that its hosts have ended."""
        for hop in hops:
            entry = self._tracked.get(hop.state)
            if entry is not None:
                entry.closed = min(entry.closed, at)

    def _acl(self, hop: Hop, burst: Burst) -> Refusal | None:
        # Network ACLs stand at the edge of the subnet; what stays inside never meets them.
        if not hop.crosses_subnet:
            return None
        acl, egress = hop.subnet.network_acl, hop.key.egress
        decision = self._filters.at(burst.at).acl_decides(acl, egress=egress, header=hop.header)
        if decision.allowed:
            return None
        layer = "NACL_OUT" if egress else "NACL_IN"
        return Refusal(layer, hop.subnet.id, hop.interface.id, "rules", decision.number)

    def _group(self, hop: Hop, burst: Burst) -> Refusal | None:
        if not hop.interface.security_groups:
            return None
        filters, egress = self._filters.at(burst.at), hop.key.egress
        if not hop.always_tracked and filters.groups_let_pass_untracked(
            hop.interface, egress=egress is hop.is_request, request=hop.request_header
        ):
            return None
        entry = self._tracked.get(hop.state)
        if entry is None or not _alive(entry, hop, burst.at):
            if not filters.groups_allow(hop.interface, egress=egress, header=hop.header):
                # A SYN begins a connection of its own, whatever used these ports before.
                if entry is None or burst.flags == SYN:
                    cause = "rules"
                else:
                    cause = "closed" if burst.at >= entry.closed else "expired"
                layer = "SG_OUT" if hop.key.egress else "SG_IN"
                return Refusal(layer, hop.interface.id, hop.interface.id, cause, None)
            if hop.header.protocol == TCP and not burst.flags & SYN:
                # A rule lets it pass; only a SYN makes a connection known.
                return None
            entry = self._tracked[hop.state] = _Entry(burst.at, burst.at)
        entry.last = max(entry.last, burst.at + burst.span)
        if hop.is_request:
            entry.requests += burst.packets
        else:
            entry.replies += burst.packets
        return None


class Link:
    """Two hosts and the way between them. It remembers the refusals on it, and knows when rules change."""

    def __init__(self, network: Network, route: Route) -> None:
        self._network = network
        self.route = route
        self.edits = network.edits
        self.refusals: list[tuple[float, FlowKey, Refusal]] = []

    @property
    def refusal(self) -> Refusal | None:
        """The first refusal."""
        return self.refusals[0][2] if self.refusals else None

    def up(self, burst: Burst) -> bool:
        """Send packets from the initiator to the responder; True when they arrive."""
        return self._send(self.route.forward, burst)

    def down(self, burst: Burst) -> bool:
        """Send packets from the responder to the initiator; True when they arrive."""
        return self._send(self.route.reverse, burst)

    def close(self, at: float) -> None:
        """End the connection: packets that come later belong to none."""
        self._network.close((*self.route.forward, *self.route.reverse), at)

    def _send(self, hops: tuple[Hop, ...], burst: Burst) -> bool:
        for hop in hops:
            refusal = self._network.pass_through(hop, burst)
            self._network.capture.add(hop.key, burst, accepted=refusal is None)
            if refusal is not None:
                self.refusals.append((burst.at, hop.key, refusal))
                return False
        return True


def _alive(entry: _Entry, hop: Hop, at: float) -> bool:
    if hop.header.protocol == TCP:
        timeout = hop.interface.tcp_idle_timeout
    elif hop.header.protocol == UDP:
        is_stream = entry.requests > 1 and entry.replies > 0
        timeout = _UDP_STREAM_TIMEOUT if is_stream else _UDP_TIMEOUT
    else:
        timeout = _OTHER_TIMEOUT
    return entry.created <= at < entry.closed and at - entry.last <= timeout
