"""Addresses as numbers, and prefixes over them.

Work is done once per distinct address, vectorised; netaddr only reads the prefixes that users write.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import netaddr

__all__ = ["Addresses", "network"]

_IPV4_SHAPE = r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$"
_HALF = (1 << 64) - 1


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
        count = len(texts)
        family, upper, lower = np.zeros(count, np.uint8), np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        dotted = pc.match_substring_regex(texts, _IPV4_SHAPE).fill_null(False).to_numpy(zero_copy_only=False)
        octets = pc.split_pattern(texts.filter(pa.array(dotted)), ".").flatten().cast(pa.uint16()).to_numpy()
        octets = octets.reshape(-1, 4).astype(np.uint64)
        family[dotted] = np.where((octets <= 255).all(axis=1), 4, 0)
        lower[dotted] = octets @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint64)
        for place in np.flatnonzero(~dotted):
            number = _ipv6(texts[int(place)].as_py())
            if number is not None:
                family[place], upper[place], lower[place] = 6, number >> 64, number & _HALF
        return cls(family, upper, lower)

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


def _ipv6(text: str | None) -> int | None:
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text or ""), "big")
    except (OSError, ValueError):
        return None
