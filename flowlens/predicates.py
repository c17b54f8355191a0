"""A selection as an Ibis predicate: what any engine can filter by, as text of addresses and numbers of ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from ipaddress import ip_address
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from flowlens.address_text import text_pattern
from flowlens.cidr import network
from flowlens.clauses import direction_columns, port_range, time_column
from flowlens.columns import missing_field
from flowlens.selection import Selection
from flowlens.service import protocol_number
from flowlens.timespan import TimeSpan, time_span

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import netaddr

__all__ = ["matching", "predicate"]


def matching(table: ir.Table, any_of: Sequence[Selection]) -> ir.Table:
    """Return the records of a table for which at least one of the selections holds.

    Raises
    ------
    MissingFieldError
        If a clause needs a column that the table does not have.
    """
    if not all(selection.clauses for selection in any_of):  # a selection without clauses holds for all
        return table
    return table.filter(reduce(or_, [predicate(table, selection) for selection in any_of]))


def predicate(table: ir.Table, selection: Selection) -> ir.BooleanValue:
    """Return the condition that a record of a table is selected.

    Raises
    ------
    MissingFieldError
        If a clause needs a column that the table does not have.
    """
    import ibis

    parts = [_PREDICATES[name](table, value) for name, value in selection.clauses.items()]
    return reduce(and_, parts) if parts else ibis.literal(True)


def _column(table: ir.Table, name: str) -> ir.Column:
    if name not in table.columns:
        raise missing_field(name, "this selection", table.columns)
    return table[name]


def _any(predicates: Iterable[ir.BooleanValue]) -> ir.BooleanValue:
    """Return whether one of the predicates holds; none of none."""
    import ibis

    listed = list(predicates)
    return reduce(or_, listed) if listed else ibis.literal(False)


def _among(column: ir.Column, values: Sequence[object]) -> ir.BooleanValue:
    """Return whether a column has one of the values, as one would write it by hand."""
    return column == values[0] if len(values) == 1 else column.isin(values)


def _addresses(name: str) -> Callable[[ir.Table, tuple[str, ...]], ir.BooleanValue]:
    def predicate(table: ir.Table, prefixes: tuple[str, ...]) -> ir.BooleanValue:
        address = _column(table, name)
        nets = [network(prefix) for prefix in prefixes]
        single = [str(ip_address(net.ip.packed)) for net in nets if net.size == 1]
        among = [_among(address, single)] if single else []
        return _any([*among, *(_within(address, net) for net in nets if net.size > 1)])

    return predicate


def _within(address: ir.StringColumn, net: netaddr.IPNetwork) -> ir.BooleanValue:
    whole, rest = divmod(net.prefixlen, 8)
    if net.version == 4 and whole and not rest:  # as one would write it by hand
        return address.like(".".join([*str(net.network).split(".")[:whole], "%"]))
    return address.re_search(text_pattern(net))


def _words(name: str) -> Callable[[ir.Table, tuple[str, ...]], ir.BooleanValue]:
    def predicate(table: ir.Table, wanted: tuple[str, ...]) -> ir.BooleanValue:
        # In AWS's tables '-' is a missing value, and a missing value is never what was asked for.
        return _among(_column(table, name), [word for word in wanted if word != "-"])

    return predicate


def _ports(name: str) -> Callable[[ir.Table, tuple[object, ...]], ir.BooleanValue]:
    def predicate(table: ir.Table, ports: tuple[object, ...]) -> ir.BooleanValue:
        port, spans = _column(table, name), [port_range(port) for port in ports]
        single = [first for first, last in spans if first == last]
        among = [_among(port, single)] if single else []
        return _any([*among, *(port.between(first, last) for first, last in spans if first < last)])

    return predicate


def _protocols(table: ir.Table, protocols: tuple[str | int, ...]) -> ir.BooleanValue:
    return _among(_column(table, "protocol"), [protocol_number(protocol) for protocol in protocols])


def _time(table: ir.Table, time: TimeSpan) -> ir.BooleanValue:
    start = _column(table, time_column(table.columns))
    (first, last), (opens, closes) = time_span(time), time
    sides = [*([start >= first] if opens is not None else []), *([start < last] if closes is not None else [])]
    return reduce(and_, sides) if sides else start.notnull()


def _direction(table: ir.Table, wanted: tuple[str, ...]) -> ir.BooleanValue:
    first, *second = direction_columns(table.columns)
    without = table[first].nullif("-").isnull() if second else None
    return _any([_words(first)(table, wanted), *(_words(column)(table, wanted) & without for column in second)])


Predicate = Callable[[Any, Any], Any]


def _either(one: Predicate, other: Predicate) -> Predicate:
    return lambda table, values: one(table, values) | other(table, values)


_PREDICATES: dict[str, Predicate] = {
    "src": _addresses("srcaddr"),
    "dst": _addresses("dstaddr"),
    "host": _either(_addresses("srcaddr"), _addresses("dstaddr")),
    "src_port": _ports("srcport"),
    "dst_port": _ports("dstport"),
    "port": _either(_ports("srcport"), _ports("dstport")),
    "protocol": _protocols,
    "action": _words("action"),
    "interface": _words("interface_id"),
    "direction": _direction,
    "time": _time,
    "status": _words("log_status"),
    "group": _either(_words("src_group"), _words("dst_group")),
    "src_group": _words("src_group"),
    "dst_group": _words("dst_group"),
    "verdict": _words("verdict"),
    "certainty": _words("certainty"),
    "kind": _words("kind"),
    "min_score": lambda table, least: _column(table, "score") >= least,
}
