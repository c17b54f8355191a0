"""Addresses as numbers, and prefixes over them.

Work is done once per distinct address, vectorised; netaddr only reads the prefixes that users write.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import netaddr

__all__ = ["NOWHERE", "PRIVATE", "Addresses", "PrefixTable", "listed", "network"]

_HALF = (1 << 64) - 1
_BITS = {4: 32, 6: 128}

#: RFC 1918, the shared addresses of RFC 6598, which VPCs have as secondary ranges, and RFC 4193.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

#: The place of an address that no prefix holds.
NOWHERE = -1


def network(prefix: str) -> netaddr.IPNetwork:
    """Return the network that a prefix or a single address names.

    Raises
    ------
    ValueError
        If it names none.
    """
    import netaddr

    try:
        return netaddr.IPNetwork(prefix)
    except (netaddr.AddrFormatError, TypeError, ValueError) as error:
        raise ValueError(f"{prefix!r} is neither an IP address nor a CIDR prefix like '10.0.0.0/8'") from error


def listed(prefixes: object) -> list[object]:
    """Return prefixes that are given as one or as several."""
    # A network of ipaddress or netaddr is one prefix, and would yield all its addresses.
    several = isinstance(prefixes, Iterable) and not isinstance(prefixes, str) and not hasattr(prefixes, "prefixlen")
    return list(prefixes) if several else [prefixes]  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Distinct addresses as numbers: family 4, 6 or 0 for what is no address, and the upper and lower 64 bits."""

    family: np.ndarray
    upper: np.ndarray
    lower: np.ndarray

    @classmethod
    def parse(cls, words: pd.Index) -> Addresses:
        """Read addresses from text."""
        texts = pa.array(words, pa.string())
        if isinstance(texts, pa.ChunkedArray):  # as pandas may hold it, in several pieces or in none
            texts = texts.combine_chunks()
        count = len(texts)
        family, upper, lower = np.zeros(count, np.uint8), np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        dotted = _true(pc.equal(pc.count_substring(texts, "."), 3))
        colons = _true(pc.match_substring(texts, ":"))
        dotted &= ~colons
        numbers, valid = _ipv4(texts.filter(pa.array(dotted)))
        family[dotted], lower[dotted] = np.where(valid, 4, 0), np.where(valid, numbers, 0)
        upper[colons], lower[colons], valid = _ipv6(texts.filter(pa.array(colons)))
        family[colons] = np.where(valid, 6, 0)
        return cls(family, upper, lower)

    def take(self, places: np.ndarray) -> Addresses:
        """Return the addresses at some places."""
        return Addresses(self.family[places], self.upper[places], self.lower[places])

    def within(self, prefixes: Iterable[str]) -> np.ndarray:
        """Tell for each address whether one of the prefixes holds it."""
        inside: np.ndarray = np.zeros(len(self.family), bool)
        for prefix in prefixes:
            net = network(prefix)
            inside |= (self.family == net.version) & self._at_least(net.first) & ~self._at_least(net.last + 1)
        return inside

    def _at_least(self, number: int) -> np.ndarray:
        if number >> 128:
            return np.zeros(len(self.family), bool)
        upper, lower = np.uint64(number >> 64), np.uint64(number & _HALF)
        at_least: np.ndarray = (self.upper > upper) | ((self.upper == upper) & (self.lower >= lower))
        return at_least


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """The longest prefix of each address, as a step function over all addresses of a family.

    Prefixes nest or lie apart, so that from one edge of a prefix to the next all addresses have the same longest one.
    Finding it is one binary search among the edges.

    Attributes
    ----------
    edges
        For family 4 and 6: where the steps begin, as numbers in order, the first at 0.
    places
        For each step the place of the longest prefix among those given, or `NOWHERE`.
    around
        For each prefix the place of the next one around it, or `NOWHERE`.
    """

    edges: dict[int, list[int]]
    places: dict[int, np.ndarray]
    around: np.ndarray

    @classmethod
    def of(cls, nets: Sequence[netaddr.IPNetwork]) -> PrefixTable:
        """Make the table of prefixes; of equal ones the last counts."""
        spans: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
        for place, net in enumerate(nets):
            spans[net.version].append((net.first, net.last, place))
        around: np.ndarray = np.full(len(nets), NOWHERE, np.int64)
        steps = {family: _steps(found, _BITS[family], around) for family, found in spans.items()}
        return cls(
            {family: [edge for edge, _ in found] for family, found in steps.items()},
            {family: np.array([place for _, place in found], np.int64) for family, found in steps.items()},
            around,
        )

    def longest(self, addresses: Addresses) -> np.ndarray:
        """Return for each address the place of its longest prefix, or `NOWHERE`."""
        longest: np.ndarray = np.full(len(addresses.family), NOWHERE, np.int64)
        for family, numbers in ((4, addresses.lower), (6, _bytes(addresses.upper, addresses.lower))):
            of_family = addresses.family == family
            if of_family.any():
                edges = self.edges[family]
                sought = (
                    np.array(edges, np.uint64)
                    if family == 4
                    else _bytes(*np.array([divmod(edge, 1 << 64) for edge in edges], np.uint64).T)
                )
                step = np.searchsorted(sought, numbers[of_family], side="right") - 1
                longest[of_family] = self.places[family][step]
        return longest

    def holding(self, addresses: Addresses) -> tuple[np.ndarray, np.ndarray]:
        """Return every address beside every prefix that holds it, as the places of both: by address, the longest first.

        What holds an address is its longest prefix, the next one around that, and so on: as many rounds as prefixes
        lie in one another.
        """
        place = self.longest(addresses)
        address = np.flatnonzero(place != NOWHERE)
        place = place[address]
        rounds = [(address, place)]
        while len(address):
            place = self.around[place]
            held = place != NOWHERE
            address, place = address[held], place[held]
            rounds.append((address, place))
        asked, holding = (np.concatenate(each) for each in zip(*rounds, strict=True))
        by_address = np.argsort(asked, kind="stable")
        return asked[by_address], holding[by_address]


def _steps(spans: list[tuple[int, int, int]], bits: int, around: np.ndarray) -> list[tuple[int, int]]:
    """Return where the longest prefix changes, and to which: those that are open lie in one another.

    Which one each prefix lies in is written into `around`.
    """
    steps = [(0, NOWHERE)]
    opened: list[tuple[int, int]] = []  # the last address and the place, outermost first

    def change(edge: int, place: int) -> None:
        if steps[-1][0] == edge:
            steps.pop()
        if not steps or steps[-1][1] != place:
            steps.append((edge, place))

    def close(before: int | None) -> None:
        while opened and (before is None or opened[-1][0] < before):
            last, _ = opened.pop()
            change(last + 1, opened[-1][1] if opened else NOWHERE)

    for first, last, place in sorted(spans, key=lambda span: (span[0], -span[1])):
        close(before=first)
        around[place] = opened[-1][1] if opened else NOWHERE
        opened.append((last, place))
        change(first, place)
    close(before=None)
    return [step for step in steps if step[0] < 1 << bits]


def _bytes(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return numbers of 128 bits as bytes, which sort as the numbers do."""
    halves = np.column_stack([upper, lower]).astype(">u8")
    joined: np.ndarray = np.ascontiguousarray(halves).view("S16").ravel()
    return joined


def _true(test: pa.BooleanArray) -> np.ndarray:
    passed: np.ndarray = test.fill_null(False).to_numpy(zero_copy_only=False)
    return passed


def _ipv4(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of texts that have three dots, and which of them are IPv4 addresses."""
    letters, begins, ends = _letters(texts)
    # Behind each octet stands a dot or the end of the text.
    dots = np.flatnonzero(letters == ord(".")).reshape(-1, 3).T
    digits = np.concatenate([np.zeros(3, np.uint8), letters - np.uint8(ord("0"))])  # letter 0 is digit 3
    number: np.ndarray = np.zeros(len(texts), np.uint64)
    valid: np.ndarray = np.ones(len(texts), bool)
    for before, behind in zip([begins - 1, *dots], [*dots, ends], strict=True):
        length = behind - before - 1
        ones, tens, hundreds = digits[behind + 2], digits[behind + 1], digits[behind]
        tens[length < 2], hundreds[length < 3] = 0, 0
        octet = ones + tens * np.uint16(10) + hundreds * np.uint16(100)
        valid &= (length > 0) & (length < 4) & (octet <= 255) & (ones < 10) & (tens < 10) & (hundreds < 10)
        number = number << np.uint64(8) | octet
    return number, valid


def _letters(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bytes of some texts, and where each text begins and ends among them."""
    if not len(texts):
        return np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64)
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    letters = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return letters, bounds[:-1] - bounds[0], bounds[1:] - bounds[0]


def _ipv6(texts: pa.StringArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the upper and lower halves of texts that look like IPv6 addresses, and which of them are."""
    words = texts.to_pylist()
    valid = np.ones(len(words), bool)
    try:
        packed = b"".join(map(socket.inet_pton, repeat(socket.AF_INET6), words))
    except (OSError, ValueError):  # one of them is none
        each = [_packed(word) for word in words]
        valid = np.array([address is not None for address in each], bool)
        packed = b"".join(address or bytes(16) for address in each)
    halves = np.frombuffer(packed, ">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 0], halves[:, 1], valid


def _packed(text: str) -> bytes | None:
    try:
        return socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
