"""Addresses as numbers that can be compared at once: those of IPv6 are set apart by a bit above their own 128."""

from __future__ import annotations

import socket
from functools import lru_cache

from flowlens.cidr import network

__all__ = ["block_of", "is_ipv6", "number_of"]

_IPV6 = 1 << 128


@lru_cache(maxsize=200_000)
def number_of(address: str) -> int:
    """Return the number of an address.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        if ":" in address:
            return _IPV6 | int.from_bytes(socket.inet_pton(socket.AF_INET6, address))
        return int.from_bytes(socket.inet_pton(socket.AF_INET, address))
    except OSError as error:
        raise ValueError(f"{address!r} is no IP address") from error


@lru_cache(maxsize=50_000)
def block_of(cidr: str) -> tuple[int, int]:
    """Return the numbers of the first and the last address of a prefix, or of a single address."""
    net = network(cidr)
    family = _IPV6 if net.version == 6 else 0
    return family | net.first, family | net.last


def is_ipv6(number: int) -> bool:
    """Tell the family of the number of an address."""
    return number >= _IPV6
