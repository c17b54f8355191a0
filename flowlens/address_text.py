"""Prefixes as patterns over the text of addresses, for engines that have addresses as text and no functions for them.

An IPv6 address has many texts; the patterns know that of RFC 5952, which AWS writes: small letters, no zeros before a
group, and a longest run of zero groups, two at least, as '::'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import netaddr

__all__ = ["text_pattern"]

_DECIMAL, _HEXADECIMAL = "0123456789", "0123456789abcdef"
_GROUPS = 8
_SHORTEST_RUN = 2
_ANY_GROUP = "[0-9a-f]{1,4}"


def text_pattern(net: netaddr.IPNetwork) -> str:
    """Return the regular expression that the texts of a prefix's addresses match, and those of no other address.

    It uses only what RE2 (DuckDB), Joni (Athena) and Java (Spark) understand alike, and no backslashes, which SQL
    dialects escape in different ways.
    """
    if net.version == 4:
        return _ipv4_pattern(net.first, net.prefixlen)
    return _one_of(_ipv6_patterns(net.first, net.prefixlen))


def _one_of(patterns: Iterator[str]) -> str:
    listed = list(patterns)
    return listed[0] if len(listed) == 1 else f"(?:{'|'.join(listed)})"


def _ipv4_pattern(first: int, length: int) -> str:
    octets = [*first.to_bytes(4, "big")]
    whole, rest = divmod(length, 8)
    fixed = "".join(f"{octet}[.]" for octet in octets[:whole])
    if whole == 4:
        return f"^{fixed.removesuffix('[.]')}$"
    if not rest and whole:
        return f"^{fixed}"
    last = _one_of(_numbers(octets[whole], octets[whole] | (0xFF >> rest), _DECIMAL))
    return f"^{fixed}{last}{'[.]' if whole < 3 else '$'}"


def _ipv6_patterns(first: int, length: int) -> Iterator[str]:
    """Yield a pattern for the texts that have the fixed groups in front of any '::', and for each place of one in them.

    A '::' that stands behind the fixed groups needs no pattern of its own.
    """
    whole, rest = divmod(length, 16)
    groups = [first >> (112 - 16 * place) & 0xFFFF for place in range(_GROUPS)]
    patterns = [f"{group:x}" for group in groups[:whole]]
    if rest:
        patterns.append(_one_of(_numbers(groups[whole], groups[whole] | (0xFFFF >> rest), _HEXADECIMAL)))
    fixed = len(patterns)
    if not fixed:
        yield ":"
        return
    yield f"^{':'.join(patterns)}(?::|$)"
    patterns += [_ANY_GROUP] * (_GROUPS - fixed)
    for begin in range(fixed):
        for end in range(begin + _SHORTEST_RUN, _GROUPS + 1):
            if any(groups[begin : min(end, fixed)]):
                break
            # The run is whole: the groups beside it are not zero.
            if "0" not in {*patterns[begin - 1 : begin], *patterns[end : end + 1]}:
                yield f"^{':'.join(patterns[:begin])}::{':'.join(patterns[end:])}$"


def _numbers(first: int, last: int, digits: str) -> Iterator[str]:
    """Yield patterns for the numbers from `first` to `last`, written without zeros in front."""
    base = len(digits)
    length, lowest = 1, 0
    while lowest <= last:
        highest = base**length - 1
        low, high = max(first, lowest), min(last, highest)
        if low <= high:
            yield from _same_length(_written(low, length, digits), _written(high, length, digits), digits)
        length, lowest = length + 1, highest + 1


def _written(number: int, length: int, digits: str) -> str:
    base = len(digits)
    return "".join(digits[number // base**place % base] for place in reversed(range(length)))


def _same_length(low: str, high: str, digits: str) -> Iterator[str]:
    """Yield patterns for the numbers between two of one length."""
    if low == high:
        yield low
        return
    head, behind = low[0], len(low) - 1
    if head == high[0]:
        yield from (head + pattern for pattern in _same_length(low[1:], high[1:], digits))
        return
    full_low, full_high = low[1:] == digits[0] * behind, high[1:] == digits[-1] * behind
    if not full_low:
        yield from (head + pattern for pattern in _same_length(low[1:], digits[-1] * behind, digits))
    between = digits[digits.index(head) + (not full_low) : digits.index(high[0]) + full_high]
    if between:
        yield _class(between) + _class(digits) * behind
    if not full_high:
        yield from (high[0] + pattern for pattern in _same_length(digits[0] * behind, high[1:], digits))


def _class(letters: str) -> str:
    if len(letters) == 1:
        return letters
    runs = re.findall("[0-9]+|[a-f]+", letters)
    return f"[{''.join(run if len(run) < 3 else f'{run[0]}-{run[-1]}' for run in runs)}]"
