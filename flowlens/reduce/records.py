"""What every reduction asks of single records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from threading import RLock
from typing import TYPE_CHECKING, TypeVar, cast

import ibis
import ibis.expr.operations as ops

from flowlens.columns import GATEWAY_ONLY, VPC_ONLY, missing_field
from flowlens.schema import VOCABULARIES
from flowlens.service import ACK, SYN

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["are_codes", "chosen", "known", "real_ends", "remembered", "says", "telling_flags", "total", "traffic"]

Reduction = TypeVar("Reduction", bound="Callable[..., ir.Table]")

#: What Ibis keeps of expressions that it compared gets mixed up where several threads share expressions.
_IBIS = RLock()

_SYN_ACK = SYN | ACK

#: What every record of a transit gateway has, if its format holds it.
_GATEWAY_IDS = ("resource_type", "tgw_id", "tgw_attachment_id")


def remembered(reduction: Reduction) -> Reduction:
    """Keep the expressions of a reduction: putting one together takes as long as computing it on a small frame.

    For `conversations` that is 20 ms. Tables of the same columns give the same expression. Those of tables in a
    database are not kept: what Ibis caches there for a while stays as long as an expression refers to it.
    """

    @lru_cache(maxsize=64)
    def of_records(records: tuple[ops.Relation, ...], arguments: tuple[tuple[str, object, type], ...]) -> ir.Table:
        return reduction(*(one.to_expr() for one in records), **{name: value for name, value, _ in arguments})

    @wraps(reduction)
    def of_tables(*tables: ir.Table, **arguments: object) -> ir.Table:
        # With its type: 1.0 and True equal 1, and are no number of rows.
        told = tuple((name, value, type(value)) for name, value in arguments.items())
        records = tuple(table.op() for table in tables)
        try:
            hash(told)
        except TypeError:  # nothing that the reduction takes
            return reduction(*tables, **arguments)
        if any(not isinstance(leaf, ops.UnboundTable) for one in records for leaf in one.find(ops.PhysicalTable)):
            return reduction(*tables, **arguments)
        with _IBIS:
            return of_records(records, told)

    return cast("Reduction", of_tables)


def traffic(flows: ir.Table, verb: str, *columns: str, optional: Sequence[str] = ()) -> ir.Table:
    """Return the records of traffic with the columns that an analysis needs, and no others.

    NODATA and SKIPDATA records have no addresses and are no traffic. Columns in `optional` may be missing; they are
    taken for evidence, so that of `tcp_flags` a SYN remains only where it tells who opened a connection.

    Raises
    ------
    MissingFieldError
        If a column is not there that is not optional.
    """
    there = [column for column in optional if column in flows.columns]
    records = _columns(flows, verb, ["srcaddr", *columns, *there])
    if "tcp_flags" in there:
        records["tcp_flags"] = telling_flags(flows)
    selected = flows.select(**records)
    return selected.filter(selected.srcaddr.notnull())


def chosen(flows: ir.Table, verb: str, *columns: str) -> ir.Table:
    """Return the columns that an analysis needs, and no others.

    Raises
    ------
    MissingFieldError
        If a column is not there.
    """
    return flows.select(**_columns(flows, verb, columns))


def _columns(flows: ir.Table, verb: str, columns: Sequence[str]) -> dict[str, ir.Value]:
    for column in columns:
        if column not in flows.columns:
            raise missing_field(column, verb, flows.columns)
    return {column: known(flows, column) for column in columns}


def known(flows: ir.Table, column: str) -> ir.Value:
    """Return a column in which a missing value is null: AWS's text and Parquet tables have ``-`` in strings for it."""
    value = flows[column]
    return value.nullif("-") if value.type().is_string() else value


def real_ends(t: ir.Table) -> tuple[ir.Value, ir.Value]:
    """Return source and destination as they stand in the packet, where that is logged.

    Those are the real ends behind NAT gateways and transit gateways.
    """
    return tuple(
        known(t, f"pkt_{end}").coalesce(t[end]) if f"pkt_{end}" in t.columns else t[end]
        for end in ("srcaddr", "dstaddr")
    )


def telling_flags(flows: ir.Table) -> ir.IntegerValue:
    """Return TCP flags in which SYN with ACK is a SYN-ACK: in records of a transit gateway, SYN is taken away there.

    Records of VPCs have ACK in a SYN-ACK only, so that SYN with ACK is the side that answers. For transit gateways AWS
    lists ACK as a flag of its own, which is left out where all packets are plain ACKs, and PSH and URG too. Flags being
    OR-ed, both sides of a short connection may read SYN, PSH, ACK, FIN; only a SYN without ACK tells who opened.
    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html#flow-logs-fields
    """
    flags = flows.tcp_flags
    marks = [column for column in flows.columns if column in GATEWAY_ONLY]
    if not marks:
        return flags
    of_either = (flags & _SYN_ACK) == _SYN_ACK
    if not VPC_ONLY.isdisjoint(flows.columns):
        ids = [column for column in marks if column in _GATEWAY_IDS] or marks
        of_either &= ibis.or_(*(known(flows, column).notnull() for column in ids))
    return of_either.ifelse(flags - SYN, flags)


def are_codes(flows: ir.Table) -> bool:
    """Tell whether words are codes, as they are of a frame: its records can be gone over again for next to nothing.

    Anywhere else that means to read files again, in Athena to pay again, so that there one pass is better.
    """
    return bool(flows.srcaddr.type().is_integer())


def says(flows: ir.Table, column: str, word: str) -> ir.BooleanValue:
    """Tell where a column of known words holds this one; a missing value does not."""
    value = flows[column]
    return (value == (word if value.type().is_string() else VOCABULARIES[column].index(word))).fill_null(False)


def total(flows: ir.Table, column: str) -> ir.IntegerScalar:
    """Return the sum of a counter as 64 bits, 0 where no record has it: those of Block Public Access have no bytes."""
    # DuckDB sums 64-bit integers in 128 bits, which makes sorting by them three times as slow. Ibis takes the sum for
    # 64 bits already and would leave out a cast to that; the '!', for not null, makes it write one.
    return flows[column].sum().fill_null(0).cast("!int64")
