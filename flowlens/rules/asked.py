"""What `Topology.evaluate` is asked: its arguments, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from flowlens.errors import TopologyError
from flowlens.rules.addresses import is_ipv6, number_of
from flowlens.rules.ports import HAS_PORTS
from flowlens.rules.round_trip import RoundTrip, round_trip
from flowlens.rules.walk import Request
from flowlens.service import ICMP, ICMPV6, port_number, protocol_number
from flowlens.topology.parts import Interface
from flowlens.topology.ranges import ip

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["evaluate"]

Checked = TypeVar("Checked")

#: Type and code of an echo request, by protocol.
_PING = {ICMP: (8, 0), ICMPV6: (128, 0)}


def evaluate(
    topology: Topology,
    src: str,
    dst: str,
    *,
    dst_port: int | str | None,
    src_port: int | str | None,
    protocol: int | str,
) -> RoundTrip:
    """Check the arguments of `Topology.evaluate` and answer it."""
    source, target = _interface(topology, src), _interface(topology, dst)
    ipv6 = any(_is_ipv6(end) for end, known in ((src, source), (dst, target)) if known is None)
    ends = [
        _address("src", src, source, other=target, ipv6=ipv6),
        _address("dst", dst, target, other=source, ipv6=ipv6),
    ]
    number = _checked("protocol", protocol_number, protocol)
    if is_ipv6(number_of(ends[0])) != is_ipv6(number_of(ends[1])):
        raise ValueError(f"src is {ends[0]} and dst {ends[1]}; no packet has addresses of both IP families")
    has_ports = number in HAS_PORTS
    icmp_type, icmp_code = _PING.get(number, (None, None))
    request = Request(
        src=ends[0],
        dst=ends[1],
        protocol=number,
        dst_port=_checked("dst_port", _port, dst_port) if has_ports else None,
        src_port=_checked("src_port", _port, src_port) if has_ports else None,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
    )
    return round_trip(topology, request, source=source, target=target)


def _interface(topology: Topology, end: str) -> Interface | None:
    if not end.startswith("eni-"):
        return None
    found = topology.interfaces.get(end)
    if found is None:
        raise TopologyError(f"{end} is not in the topology. Describe it, or give an address.")
    return found


def _is_ipv6(address: str) -> bool:
    return ":" in address


def _address(name: str, given: str, interface: Interface | None, *, other: Interface | None, ipv6: bool) -> str:
    """Return the address of an end; of an interface the first one in the family that both ends have."""
    if interface is None:
        return str(_checked(name, ip, given))
    ipv6 = ipv6 or not interface.addresses or (other is not None and not other.addresses)
    found = interface.addresses6 if ipv6 else interface.addresses
    if not found:
        raise TopologyError(f"{name}: {interface.id} has no IPv{6 if ipv6 else 4} address.")
    return found[0]


def _checked(name: str, check: Callable[[Any], Checked], given: object) -> Checked:
    """Name the argument that a check refuses."""
    try:
        return check(given)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _port(port: int | str | None) -> int | None:
    if port is None:
        return None
    text = str(port)
    number = int(text) if text.isdecimal() else port_number(text)
    if number > 65_535:
        raise ValueError(f"{port!r} is no port from 0 to 65535")
    return number
