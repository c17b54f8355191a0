"""The network of a fixed size around each address."""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from functools import reduce
from ipaddress import IPv6Address
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.columns import typed
from flowlens.enrich.categories import categorical_of, per_category
from flowlens.enrichment import Enrichment
from flowlens.errors import EngineError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Networks"]

_WORD = 64
_DIGIT = 4


class Networks(Enrichment):
    """Columns ``src_network`` and ``dst_network``."""

    verb = "add_networks"
    inputs = {"src_network": ("srcaddr",), "dst_network": ("dstaddr",)}  # noqa: RUF012 - nobody changes it

    def __init__(self, prefixlen: int, prefixlen6: int) -> None:
        self._length, self._length6 = _length("prefixlen", prefixlen, 32), _length("prefixlen6", prefixlen6, 128)

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        columns = {}
        for added, (address,) in self.inputs.items():
            column = categorical_of(typed(df, address))
            codes, words = self._networks(Addresses.parse(column.categories))
            columns[added] = per_category(column, codes, words)
        return columns

    def _networks(self, addresses: Addresses) -> tuple[np.ndarray, list[str]]:
        """Return for each address the code of its network, and the networks in the order of their text."""
        codes: np.ndarray = np.full(len(addresses.family), -1)
        texts: list[str] = []
        for family, networks in ((4, self._ipv4_networks), (6, self._ipv6_networks)):
            of_family = addresses.family == family
            found, places = networks(addresses.upper[of_family], addresses.lower[of_family])
            codes[of_family] = places + len(texts)
            texts += found
        order = sorted(range(len(texts)), key=texts.__getitem__)
        ranks = np.append(np.argsort(order), -1)  # of what is no address there is no network
        return ranks[codes], [texts[place] for place in order]

    def _ipv4_networks(self, _: np.ndarray, lower: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Return the networks of addresses as text, and for each address the place of its own."""
        numbers, places = np.unique(lower & _mask(self._length, bits=32), return_inverse=True)
        dotted = (socket.inet_ntop(socket.AF_INET, number) for number in numbers.astype(">u4").view("V4").tolist())
        return [f"{text}/{self._length}" for text in dotted], places

    def _ipv6_networks(self, upper: np.ndarray, lower: np.ndarray) -> tuple[list[str], np.ndarray]:
        halves = upper & _mask(min(self._length6, _WORD)), lower & _mask(max(self._length6 - _WORD, 0))
        # Halves as one: 16 bytes sort as the addresses do.
        whole = np.ascontiguousarray(np.column_stack(halves).astype(">u8")).view("S16").ravel()
        numbers, places = np.unique(whole, return_inverse=True)
        # Bytes of numpy lack the zeros at their end.
        addresses = (IPv6Address(number.ljust(16, b"\0")) for number in numbers.tolist())
        return [f"{address}/{self._length6}" for address in addresses], places

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        import ibis

        from flowlens.enrich.addresses import with_parts

        for added, (address,) in self.inputs.items():
            if added not in wanted:
                continue
            ipv4, ipv6 = f"{address}_ipv4", f"{address}_ipv6"
            t = with_parts(with_parts(table, address, 4, ipv4), address, 6, ipv6)
            name = ibis.cases((t[ipv4].notnull(), self._ipv4(t[ipv4])), (t[ipv6].notnull(), self._ipv6(t[ipv6])))
            table = t.mutate(**{added: name}).drop(ipv4, ipv6)
        return table

    def _ipv4(self, whole: ir.StringColumn) -> ir.StringValue:
        from flowlens.enrich.addresses import parts_of

        kept, bits = divmod(self._length, 8)
        octets = parts_of(whole, 4)
        texts: list[str | ir.StringValue] = [*octets[:kept], *["0"] * (4 - kept)]
        if bits:
            octet = octets[kept].try_cast("int64")
            texts[kept] = (octet - octet % (1 << 8 - bits)).cast("string")
        return _joined(texts, ".") + f"/{self._length}"

    def _ipv6(self, whole: ir.StringColumn) -> ir.StringValue:
        """Return a network as text: the groups from its first to that of bit 64, without zeros at the end, and '::'.

        The four groups that follow are zeros, more than any others in a row, so that they are what '::' stands for.
        """
        if self._length6 > _WORD:
            raise EngineError(
                self.verb,
                "an engine that has addresses as text",
                f"way to write IPv6 networks of /{self._length6}; it has one for /{_WORD} and shorter",
                "Use a shorter prefix, or add the networks to a frame.",
            )
        from flowlens.enrich.addresses import parts_of

        kept, bits = divmod(self._length6, 16)
        groups = parts_of(whole, 6)
        texts: list[str | ir.StringValue] = [*groups[:kept], *["0"] * (4 - kept)]
        if bits:
            texts[kept] = _first_bits(groups[kept], bits)
        text = (_joined(texts, ":") + ":0:").re_replace("(:0)+:$", "::").re_replace("^0::$", "::")
        network: ir.StringValue = text + f"/{self._length6}"
        return network


def _length(name: str, given: int, bits: int) -> int:
    # True is an integer to Python, and numpy's integers are none.
    if isinstance(given, Integral) and not isinstance(given, bool) and 0 <= given <= bits:
        return int(given)
    raise ValueError(f"{name}={given!r} is no length of a prefix; give one from 0 to {bits}")


def _joined(texts: Sequence[str | ir.StringValue], between: str) -> ir.StringValue:
    import ibis

    joined: ir.StringValue = reduce(lambda one, other: one + between + other, texts[1:], ibis.literal("") + texts[0])
    return joined


def _first_bits(group: ir.StringValue, bits: int) -> ir.StringValue:
    """Return a group of which only the first bits are left."""
    import ibis

    whole, rest = divmod(bits, _DIGIT)
    padded = (ibis.literal("0000") + group).right(4)
    kept = padded.left(whole) + (_cut(padded.substr(whole, 1), rest) if rest else "")
    zeros = "0" * (4 - whole - bool(rest))
    left: ir.StringValue = (kept + zeros).re_replace("^0{1,3}", "")
    return left


def _cut(digit: ir.StringValue, bits: int) -> ir.StringValue:
    """Return a hexadecimal digit of which only the first bits are left."""
    letters = "0123456789abcdef"
    step = 1 << _DIGIT - bits
    cut: ir.StringValue = digit.cases(*((word, letters[at - at % step]) for at, word in enumerate(letters)), else_="0")
    return cut


def _mask(length: int, bits: int = _WORD) -> np.uint64:
    return np.uint64((1 << bits) - (1 << bits - length))
