"""Addresses in Ibis as digits that sort as the addresses do: engines that have them as text lack functions for them.

An IPv4 address becomes 12 decimal digits, three an octet, an IPv6 address 32 hexadecimal ones, four a group. Integers
would need to have 128 bits, which hardly an engine has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["digits", "digits_of", "parts_of", "step_of", "with_parts"]

_PARTS = {4: 4, 6: 8}
_WIDTHS = {4: 3, 6: 4}  # digits of an octet and of a group


def with_parts(table: ir.Table, column: str, family: int, name: str) -> ir.Table:
    """Add a column with the addresses of a family, none of their parts left out, a colon between; null for others."""
    address = table[column]
    # Spark takes what it splits by for a pattern, in which a dot is any letter and a colon is a colon.
    whole = _without_gap(address) if family == 6 else address.replace(".", ":")
    of_ipv6 = address.contains(":")
    of_family = of_ipv6 if family == 6 else address.contains(".") & ~of_ipv6
    return table.mutate(**{name: ibis.ifelse(of_family, whole, ibis.null("string"))})


def parts_of(whole: ir.StringColumn, family: int) -> list[ir.StringValue]:
    """Return the octets or groups of addresses in which none is left out."""
    parts = whole.split(":")
    return [parts[place] for place in range(_PARTS[family])]


def digits(whole: ir.StringColumn, family: int) -> ir.StringValue:
    """Return addresses in which no part is left out as digits."""
    width = _WIDTHS[family]
    text: ir.StringValue = reduce(
        add, ((ibis.literal("0" * width) + part).right(width) for part in parts_of(whole, family))
    )
    return text


def digits_of(number: int, family: int) -> str:
    """Return the digits of an address that is given as a number."""
    if family == 6:
        return f"{number:032x}"
    return "".join(f"{octet:03}" for octet in number.to_bytes(4, "big"))


def _without_gap(address: ir.StringValue) -> ir.StringValue:
    """Write out the zeros that '::' stands for."""
    # Where there is a group on both sides of '::', there are as many groups as colons.
    between = address.re_replace("^:", "0:").re_replace(":$", ":0")
    colons = between.length() - between.replace(":", "").length()
    zeros = ibis.literal("0:" * _PARTS[6]).left(2 * (_PARTS[6] - colons))
    whole: ir.StringValue = between.replace("::", ibis.literal(":") + zeros)
    return whole


def step_of(place: ir.StringColumn, edges: Sequence[str], values: Sequence[ir.Value]) -> ir.Value:
    """Return the value of the step that a place lies on: a binary search, written out.

    Parameters
    ----------
    place
        A column: it is looked at a dozen times, so nothing that has to be worked out first.
    edges
        Where the steps begin, in order; the first is below every place.
    values
        The value on each step.
    """
    if len(edges) == 1:
        return values[0]
    middle = len(edges) // 2
    return ibis.ifelse(
        place < edges[middle],
        step_of(place, edges[:middle], values[:middle]),
        step_of(place, edges[middle:], values[middle:]),
    )
