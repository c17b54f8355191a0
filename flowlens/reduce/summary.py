"""Who talks, to whom, on which port, when, how much."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import are_codes, remembered, says, total, traffic

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "fan_out", "in_bins", "matrix", "need_measure", "number_of_rows", "pairs", "peer_of", "ports", "ranked",
    "service_port", "share", "timeline", "top_talkers", "volumes",
]  # fmt: skip

_MEASURES = ("flows", "packets", "bytes")


def need_measure(verb: str, argument: str, by: str, allowed: Sequence[str] = _MEASURES) -> None:
    if by not in allowed:
        raise ValueError(f"{verb}: {argument}={by!r} is none of {', '.join(allowed)}")


def volumes(flows: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Return `flows`, `packets` and `bytes` of every combination of keys."""
    return flows.group_by(list(keys)).agg(**_measures(flows))


def _measures(flows: ir.Table) -> dict[str, ir.IntegerScalar]:
    return {"flows": flows.count(), "packets": total(flows, "packets"), "bytes": total(flows, "bytes")}


def ranked(table: ir.Table, by: str, keys: Sequence[str], n: int | None) -> ir.Table:
    """Order by a measure, largest first, ties by key, so that every engine returns the same rows, and take `n`."""
    ordered = table.order_by([ibis.desc(by), *(table[key].asc() for key in keys)])
    return ordered if n is None else ordered.limit(number_of_rows(n))


def number_of_rows(n: int) -> int:
    """Return `n` as an integer.

    Raises
    ------
    ValueError
        If it is no number of rows.
    """
    try:
        rows = index(n)
    except TypeError:
        rows = -1
    if rows < 0:
        raise ValueError(f"n={n!r} is no number of rows; give one from 0 on, or None for all")
    return rows


def peer_of(key: str) -> str:
    """Return the column of the ends that an end of this kind talks to."""
    sides = {"local": "remote", "remote": "local", "real_local": "real_remote", "real_remote": "real_local"}
    return sides.get(key, "srcaddr" if key.startswith(("dst", "pkt_dst")) else "dstaddr")


@remembered
def top_talkers(flows: ir.Table, *, n: int | None, by: str, key: str) -> ir.Table:
    need_measure("top_talkers", "by", by)
    columns = [key, *_MEASURES, "peers", "share"]
    if not are_codes(flows):
        records = traffic(flows, "top_talkers", key, "packets", "bytes", peer_of(key))
        measured = records.group_by(key).agg(**_measures(records), peers=records[peer_of(key)].nunique())
        return ranked(_with_share(measured, by, key).select(columns), by, [key], n)
    # Two tables of records and not one with all columns: what is asked twice, DuckDB would copy first.
    counted, met = (
        traffic(flows, "top_talkers", key, "packets", "bytes"),
        _with(flows, "top_talkers", key, peer_of(key)),
    )
    top = ranked(_with_share(volumes(counted, [key]), by, key), by, [key], n)
    # Distinct peers are dear to count, so they are counted for the rows that are shown and no others.
    shown = met.inner_join(top.select(key), key)
    peers = shown.group_by(key).agg(peers=shown[peer_of(key)].nunique())
    return ranked(top.join(peers, key).select(columns), by, [key], None)


def _with_share(measured: ir.Table, by: str, key: str) -> ir.Table:
    """Add the share of all there is, that of records without a key among it, which have no row."""
    shared = measured.mutate(share=share(measured, by))
    return shared.filter(shared[key].notnull())


def share(measured: ir.Table, by: str, within: Sequence[str] = ()) -> ir.FloatingValue:
    """Return what part of the total of a measure each row has; where `within` names keys, of the total of its own."""
    return measured[by] / measured[by].sum().over(ibis.window(group_by=list(within))).nullif(0)


@remembered
def timeline(flows: ir.Table, *, seconds: int, by: str | None) -> ir.Table:
    keys = [] if by is None else [by]
    binned = in_bins(traffic(flows, "timeline", "start", "packets", "bytes", *keys), seconds)
    return volumes(binned, ["start", *keys]).order_by(["start", *keys])


def in_bins(records: ir.Table, seconds: int) -> ir.Table:
    """Return the records that have a time, with the `start` of their bin as their own."""
    timed = records.filter(records.start.notnull())
    return timed.mutate(start=timed.start - timed.start % seconds)


@remembered
def pairs(flows: ir.Table, *, n: int | None, by: str, keys: Sequence[str]) -> ir.Table:
    need_measure("pairs", "by", by)
    return ranked(volumes(traffic(flows, "pairs", *keys, "packets", "bytes"), keys), by, keys, n)


@remembered
def matrix(flows: ir.Table, *, rows: str, cols: str, values: str) -> ir.Table:
    need_measure("matrix", "values", values)
    measured = volumes(traffic(flows, "matrix", rows, cols, "packets", "bytes"), [rows, cols])
    return measured.select(rows, cols, values).order_by([rows, cols])


@remembered
def ports(flows: ir.Table, *, n: int | None, by: str) -> ir.Table:
    need_measure("ports", "by", by)
    records = traffic(flows, "ports", "srcport", "dstport", "protocol", "packets", "bytes", optional=["tcp_flags"])
    flags = records.tcp_flags if "tcp_flags" in records.columns else None
    records = records.mutate(port=service_port(records, flags))
    return ranked(volumes(records, ["port", "protocol"]), by, ["port", "protocol"], n)


def service_port(records: ir.Table, flags: ir.IntegerValue | None) -> ir.IntegerValue:
    """Return the port of the side that offers the service, told by SYN and SYN-ACK where logged, else the lower one."""
    # The least of a number and a missing one is the number to DuckDB and Spark, and missing to Athena.
    lower = ibis.least(records.srcport.coalesce(records.dstport), records.dstport.coalesce(records.srcport))
    if flags is None:
        return lower
    syn, ack = (flags & 2) > 0, (flags & 16) > 0
    return ibis.cases((syn & ~ack, records.dstport), (syn & ack, records.srcport), else_=lower)


@remembered
def fan_out(flows: ir.Table, *, key: str) -> ir.Table:
    distinct = {"peers": peer_of(key), "ports": "dstport"}
    if are_codes(flows):
        sent = _with(flows, "fan_out", key, optional=["action"])
        counted = sent.group_by(key).agg(**_refused(sent))
        # Each distinct count by itself, over a table no wider than it needs: DuckDB counts one fast and two slowly.
        for name, column in distinct.items():
            reached = _with(flows, "fan_out", key, column)
            counted = counted.join(reached.group_by(key).agg(reached[column].nunique().name(name)), key)
    else:
        sent = _with(flows, "fan_out", key, *distinct.values(), optional=["action"])
        counted = sent.group_by(key).agg(
            **_refused(sent), **{name: sent[column].nunique() for name, column in distinct.items()}
        )
    ordered = counted.select(key, "peers", "ports", "flows", "rejected")
    return ordered.order_by([ibis.desc("peers"), ibis.desc("flows"), key])


def _refused(records: ir.Table) -> dict[str, ir.IntegerScalar]:
    rejected = says(records, "action", "REJECT") if "action" in records.columns else ibis.literal(False)
    return {"flows": records.count(), "rejected": records.count(where=rejected)}


def _with(flows: ir.Table, verb: str, key: str, *columns: str, optional: Sequence[str] = ()) -> ir.Table:
    """Return the records that have a key, narrowed to it and a few columns."""
    records = traffic(flows, verb, key, *columns, optional=optional)
    return records.filter(records[key].notnull())
