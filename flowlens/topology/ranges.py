"""Who has an address: owners found by the prefixes they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from flowlens.cidr import network

if TYPE_CHECKING:
    import netaddr

__all__ = ["Ranges", "grouped", "ip"]

Owner = TypeVar("Owner")
Key = TypeVar("Key")


class Ranges(Generic[Owner]):
    """Owners by prefix, single addresses being the longest ones.

    There are few lengths of prefixes, so an address is looked up once for each.
    """

    def __init__(self, owned: Iterable[tuple[str, Owner]]) -> None:
        """Take pairs of a prefix or address and its owner."""
        owners: dict[tuple[int, int, int], dict[int, Owner]] = defaultdict(dict)
        for cidr, owner in owned:
            net = network(cidr)
            # By the identity of the owner: it may have an address twice, alone and within a prefix.
            owners[net.version, net.prefixlen, net.first][id(owner)] = owner
        self._owners = dict(owners)
        self._lengths = sorted({(version, length) for version, length, _ in owners}, reverse=True)

    def of(self, address: str) -> tuple[Owner, ...]:
        """Return the owners of an address, those of the longest prefix first.

        Raises
        ------
        ValueError
            If it is no address.
        """
        sought = ip(address)
        width = 32 if sought.version == 4 else 128
        found: dict[int, Owner] = {}
        for version, length in self._lengths:
            if version == sought.version:
                first = int(sought) >> (width - length) << (width - length)
                found |= self._owners.get((version, length, first), {})
        return tuple(found.values())


def ip(address: str) -> netaddr.IPAddress:
    """Return an address as a number that knows its family.

    Raises
    ------
    ValueError
        If it is none.
    """
    net = network(address)
    if "/" in str(address):
        raise ValueError(f"{address!r} is a prefix where an address has to be")
    return net.ip


def grouped(pairs: Iterable[tuple[Key, Owner]]) -> dict[Key, tuple[Owner, ...]]:
    """Gather the owners of each key."""
    groups: dict[Key, list[Owner]] = defaultdict(list)
    for key, owner in pairs:
        groups[key].append(owner)
    return {key: tuple(owners) for key, owners in groups.items()}
