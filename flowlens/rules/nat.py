"""NAT gateways that may be on the way to the internet: what the network ACL of their subnet would say.

A topology has no route tables, so that it does not tell which gateway traffic takes, if any. A NAT gateway carries no
security group; the network ACL of its subnet sees the traffic on all four sides, towards the internet with ports of the
gateway: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from flowlens.cidr import PRIVATE
from flowlens.rules.addresses import block_of, is_ipv6, number_of
from flowlens.rules.clients import ClientPorts, ports_of_client
from flowlens.rules.ends import End
from flowlens.rules.packets import Header, Outcome
from flowlens.rules.walk import Request
from flowlens.topology.parts import Interface

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["goes_out_through_another", "refusals_of_gateways"]


def goes_out_through_another(source: End, target: End) -> bool:
    """Tell whether IPv4 traffic to the internet leaves an interface that has no public address itself."""
    number = number_of(target.address)
    is_internet = target.is_outside and not is_ipv6(number)
    is_private = any(low <= number <= high for low, high in map(block_of, PRIVATE))
    return is_internet and not is_private and source.interface is not None and source.public_address is None


def refusals_of_gateways(
    topology: Topology, request: Request, source: End, target: End, ports: ClientPorts | None
) -> tuple[str, ...]:
    """Say which NAT gateways of the VPC would stop a connection that goes through them."""
    if not goes_out_through_another(source, target):
        return ()
    # One in the same subnet is none of them: the route table of its subnet leads to the internet gateway.
    gateways = [
        each
        for each in topology.interfaces.values()
        if each.kind == "NAT gateway"
        and each.vpc == source.vpc
        and each.subnet != source.subnet
        and each.public_addresses
    ]
    return tuple(sentence for each in gateways for sentence in _refusals(topology, each, request, source, ports))


def _refusals(
    topology: Topology, gateway: Interface, request: Request, source: End, ports: ClientPorts | None
) -> Iterator[str]:
    for packet, egress, header in _sides(gateway, request, source, ports):
        decision = topology.rules.of_acl(gateway.subnet, egress=egress, header=header)
        if decision.outcome is Outcome.ALLOW:
            continue
        way = "leaving" if egress else "entering"
        where = f"If it goes through NAT gateway {gateway.id}, the {packet} {way} its subnet"
        if decision.outcome is Outcome.DENY:
            yield f"{where} is refused by rule {decision.rule_number} ({decision.rule}) of {decision.network_acl}."
        else:
            yield f"{where} may be refused. {' '.join(decision.unknown)}"


def _sides(
    gateway: Interface, request: Request, source: End, ports: ClientPorts | None
) -> Iterator[tuple[str, bool, Header]]:
    # Towards the internet the gateway asks from a port of its own.
    outside = replace(request, src_port=None)
    own_ports = None if ports is None else ports_of_client(gateway, is_outside=False)
    yield "request", False, request.going_to(source.address)
    yield "request", True, request.going_to(request.dst)
    if request.has_reply:
        yield "reply", False, outside.answered_to(request.dst, own_ports)
        yield "reply", True, request.answered_to(source.address, ports)
