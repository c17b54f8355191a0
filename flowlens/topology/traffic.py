"""The traffic that is_logged is asked about: its arguments, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowlens.service import TCP, UDP, port_number, protocol_number
from flowlens.topology.ranges import ip

if TYPE_CHECKING:
    import netaddr

__all__ = ["Traffic", "traffic_between"]

_DNS = 53


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is asked about; a port or protocol that is not given may be any."""

    src: netaddr.IPAddress
    dst: netaddr.IPAddress
    dst_port: int | None
    protocol: int | None

    @property
    def ends(self) -> tuple[netaddr.IPAddress, netaddr.IPAddress]:
        return self.src, self.dst

    def both_ways(self) -> tuple[tuple[netaddr.IPAddress, netaddr.IPAddress, int | None], ...]:
        """Return each end as the near one, with the far one and the port of the far one, which replies do not tell."""
        return (self.src, self.dst, self.dst_port), (self.dst, self.src, None)

    def may_be(self, *protocols: int) -> bool:
        """Tell whether it may be one of some protocols."""
        return self.protocol is None or self.protocol in protocols

    def may_be_dns(self, port: int | None) -> bool:
        """Tell whether it may be DNS, by the port that `both_ways` gives for the far end."""
        return port in {None, _DNS} and self.may_be(TCP, UDP)


def traffic_between(src: str, dst: str, dst_port: int | str | None, protocol: int | str | None) -> Traffic:
    """Check the arguments of is_logged.

    Raises
    ------
    ValueError
        If one is no address, port or protocol; the text names the argument.
    """
    ends = []
    for name, address in (("src", src), ("dst", dst)):
        try:
            ends.append(ip(address))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if ends[0].version != ends[1].version:
        raise ValueError(f"src is IPv{ends[0].version} and dst IPv{ends[1].version}; no packet has both")
    return Traffic(ends[0], ends[1], _port(dst_port), _protocol(protocol))


def _port(port: int | str | None) -> int | None:
    if port is None:
        return None
    text = str(port)
    try:
        number = int(text) if text.isdecimal() else port_number(text)
    except ValueError as error:
        raise ValueError(f"dst_port: {error}") from error
    if number > 65_535:
        raise ValueError(f"dst_port: {port!r} is no port from 0 to 65535")
    return number


def _protocol(protocol: int | str | None) -> int | None:
    try:
        return None if protocol is None else protocol_number(protocol)
    except ValueError as error:
        raise ValueError(f"protocol: {error}") from error
