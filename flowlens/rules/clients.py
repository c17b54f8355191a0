"""From which ports clients ask: where replies go.

https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports. AWS gives 32768-61000 for
Linux; the kernel itself stops at 60999.
"""

from __future__ import annotations

from typing import NamedTuple

from flowlens.topology.parts import Interface

__all__ = ["ClientPorts", "ports_of_client", "reply_ports"]


class ClientPorts(NamedTuple):
    """The first and the last port, and whose they are."""

    first: int
    last: int
    whose: str


_LINUX = ClientPorts(32_768, 60_999, "Linux")
_WINDOWS = ClientPorts(49_152, 65_535, "Windows")
_LINUX_OR_WINDOWS = ClientPorts(32_768, 65_535, "Linux and Windows")
_ANY = ClientPorts(1_024, 65_535, "any client")
#: What takes ports from the whole range, by the kind of interface.
_TAKE_ANY = {"ELB", "Lambda", "NAT gateway"}

_LAST_PRIVILEGED = 1_023


def ports_of_client(interface: Interface | None, *, is_outside: bool) -> ClientPorts:
    """Return the ports that a client may ask from, None being a client whose interface is not known."""
    if is_outside:
        return _ANY
    if interface is not None and interface.kind in _TAKE_ANY:
        return ClientPorts(_ANY.first, _ANY.last, f"an interface of {interface.kind}")
    return _LINUX_OR_WINDOWS


def reply_ports(
    src_port: int | None, dst_port: int | None, interface: Interface | None, *, is_outside: bool
) -> ClientPorts:
    """Return the ports to open for replies to a client: the narrowest range that the next connection comes from, too.

    NTP, IKE and SIP ask from the port they ask at, and what asks from a privileged port does so every time: that port
    alone. A port that Linux and Windows both use says nothing of the client; Linux is taken.
    """
    if src_port is not None and (src_port <= _LAST_PRIVILEGED or src_port == dst_port):
        return ClientPorts(src_port, src_port, "this client")
    known = ports_of_client(interface, is_outside=is_outside)
    asked = known if src_port is None else ClientPorts(src_port, src_port, "")
    if interface is not None and interface.kind in _TAKE_ANY:
        asked = known
    return next(
        (each for each in (_LINUX, _WINDOWS, _ANY) if each.first <= asked.first and asked.last <= each.last), _ANY
    )
