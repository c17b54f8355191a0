"""The protocol and the ports that a rule is about; of ICMP the type and the code.

Where ports mean something: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html and
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flowlens.errors import TopologyError
from flowlens.rules.packets import Header
from flowlens.service import ICMP, ICMPV6, TCP, UDP, protocol_name, protocol_number
from flowlens.topology.items import Item

__all__ = ["ALL", "HAS_PORTS", "HAS_TYPES", "Case", "Ports", "cases", "icmp", "protocol_of", "span"]

#: What AWS writes for "all protocols".
ALL = -1
HAS_PORTS = frozenset({TCP, UDP})
HAS_TYPES = frozenset({ICMP, ICMPV6})

_ANY_CODE = -1
_LAST_PORT, _LAST_TYPE = 65_535, 255


class Case(NamedTuple):
    """One port, and the last one for which all rules say the same; or one ICMP type and code."""

    value: int
    last: int
    code: int


class Ports(NamedTuple):
    """A protocol, the first and the last of its ports or ICMP types, and the ICMP code; -1 stands for any."""

    protocol: int
    first: int
    last: int
    code: int

    def cover(self, protocol: int, case: Case) -> bool:
        """Tell whether a rule with these is about a packet."""
        return self.protocol == ALL or (
            self.protocol == protocol and self.first <= case.value <= self.last and self.code in (_ANY_CODE, case.code)
        )

    @property
    def are_all(self) -> bool:
        """Whether all ports of the protocol are meant."""
        return self.protocol == ALL or (self.first == 0 and self.last >= _LAST_TYPE and self.code == _ANY_CODE)

    def __str__(self) -> str:
        if self.protocol == ALL:
            return "all traffic"
        name = protocol_name(self.protocol)
        if self.protocol in HAS_TYPES:
            types = "all types" if self.last > self.first else f"type {self.first}"
            return f"{name} {types}" + ("" if self.code == _ANY_CODE else f" code {self.code}")
        if self.protocol not in HAS_PORTS:
            return name
        if self.first == self.last:
            return f"{name} {self.first}"
        return f"{name} all ports" if self.are_all else f"{name} {self.first}-{self.last}"


def protocol_of(item: Item, key: str) -> int:
    """Read the protocol of a rule, a name or a number; it has to be there.

    Raises
    ------
    TopologyError
        If it is none.
    """
    text = item.identity(key)
    if text in {"-1", "all"}:
        return ALL
    try:
        return protocol_number(text)
    except ValueError as error:
        raise TopologyError(f"{item.where}: {key}: {error}") from error


def span(item: Item, protocol: int, first: str, last: str) -> Ports:
    """Read the ports of a rule of a protocol that has ports; all of them where there are none.

    Raises
    ------
    TopologyError
        If they are no span of ports.
    """
    low, high = item.number(first), item.number(last)
    if low is None and high is None:
        return Ports(protocol, 0, _LAST_PORT, _ANY_CODE)
    if low is None or high is None or not 0 <= low <= high <= _LAST_PORT:
        raise TopologyError(f"{item.where}: {first} {low} and {last} {high} are no ports from 0 to {_LAST_PORT:,}.")
    return Ports(protocol, low, high, _ANY_CODE)


def icmp(item: Item, protocol: int, type_key: str, code_key: str) -> Ports:
    """Read the type and the code of a rule about ICMP; all of them where there are none.

    Raises
    ------
    TopologyError
        If they are no type and code, or there is a code without a type.
    """
    kind, code = item.number(type_key), item.number(code_key)
    kind, code = -1 if kind is None else kind, -1 if code is None else code
    if not (-1 <= kind <= _LAST_TYPE and -1 <= code <= _LAST_TYPE) or (kind == -1 and code != -1):
        raise TopologyError(f"{item.where}: {type_key} {kind} and {code_key} {code} are no ICMP type and code.")
    first, last = (0, _LAST_TYPE) if kind == -1 else (kind, kind)
    return Ports(protocol, first, last, code)


def cases(header: Header, rules: Iterable[Ports]) -> list[Case]:
    """Return the cases that rules may tell apart, of what is left open in a header: ports, ICMP type and code.

    A header without anything open is one case.
    """
    if header.protocol in HAS_PORTS:
        return _ports(header.port, rules, header.protocol)
    if header.protocol in HAS_TYPES:
        return _types(header, [each for each in rules if each.protocol == header.protocol])
    return [Case(0, 0, 0)]


def _ports(port: int | tuple[int, int] | None, rules: Iterable[Ports], protocol: int) -> list[Case]:
    if isinstance(port, int):
        return [Case(port, port, 0)]
    first, last = port or (0, _LAST_PORT)
    edges = {edge for each in rules if each.protocol == protocol for edge in (each.first, each.last + 1)}
    starts = sorted({first, *(edge for edge in edges if first < edge <= last)})
    return [Case(start, following - 1, 0) for start, following in zip(starts, [*starts[1:], last + 1], strict=True)]


def _types(header: Header, rules: list[Ports]) -> list[Case]:
    types, codes = [header.icmp_type], [header.icmp_code]
    if header.icmp_type is None:
        named = {each.first for each in rules if each.first == each.last}
        types = [*sorted(named), *_one_more(named)]
    if header.icmp_code is None:
        named = {each.code for each in rules} - {_ANY_CODE}
        codes = [*sorted(named), *_one_more(named)]
    return [Case(kind, kind, code) for kind in types for code in codes if kind is not None and code is not None]


def _one_more(named: set[int]) -> list[int]:
    """Return a type or code that no rule names: it stands for all of those."""
    return [number for number in range(_LAST_TYPE + 1) if number not in named][:1]
