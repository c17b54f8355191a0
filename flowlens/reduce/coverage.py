"""What the log covers: its span of time, its aggregation interval, and the holes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import chosen, remembered, says

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["coverage", "gaps", "interval_signs", "window"]

#: A record longer than this does not come from one-minute windows: those last a minute, give or take the log's lag.
_LONGER_THAN_A_MINUTE = 90


@remembered
def window(flows: ir.Table) -> ir.Table:
    """Return one row: the first `start` and the last `end`, as `first` and `last`."""
    t = chosen(flows, "window", "start", "end")
    return t.agg(first=t.start.min(), last=t.end.max())


@remembered
def interval_signs(flows: ir.Table) -> ir.Table:
    """Return one row: how many records there are with times, and how many of them are longer than a minute."""
    t = chosen(flows, "interval", "start", "end")
    span = t.end - t.start
    return t.agg(records=span.count(), long=(span > _LONGER_THAN_A_MINUTE).sum().fill_null(0))


@remembered
def gaps(flows: ir.Table, *, interval: int) -> ir.Table:
    t = chosen(flows, "gaps", "interface_id", "start", "end")
    t = t.filter(t.start.notnull() & t.end.notnull())
    # A gap is at least two intervals long, so none begins and ends among records that start in one interval: of those,
    # the first start and the last end are enough.
    merged = t.group_by(["interface_id", (t.start - t.start % interval).name("bin")]).agg(
        start=t.start.min(), end=t.end.max()
    )
    before = ibis.window(group_by="interface_id", order_by="start", rows=(None, -1))
    silent = merged.select("interface_id", covered=merged.end.max().over(before), next=merged.start)
    # Two records in neighbouring windows can lie almost two intervals apart with nothing missing between them.
    silent = silent.filter(silent.next - silent.covered >= 2 * interval)
    found = silent.select("interface_id", start=silent.covered, end=silent.next, duration=silent.next - silent.covered)
    return found.order_by(["interface_id", "start"])


@remembered
def coverage(flows: ir.Table, *, interval: int) -> ir.Table:
    t = chosen(flows, "coverage", "interface_id", "start", "end", "log_status")
    per_interface = t.group_by("interface_id").agg(
        records=t.count(),
        first=t.start.min(),
        last=t.end.max(),
        nodata=says(t, "log_status", "NODATA").cast("int64").sum(),
        skipdata=says(t, "log_status", "SKIPDATA").cast("int64").sum(),
    )
    holes = gaps(flows, interval=interval)
    summed = holes.group_by("interface_id").agg(gap_time=holes.duration.sum())
    # Interfaces are compared as equal when both are missing: records of a regional NAT gateway have none.
    joined = per_interface.left_join(summed, per_interface.interface_id.identical_to(summed.interface_id))
    listed = joined.select(*per_interface.columns, gap_time=joined.gap_time.fill_null(0))
    return listed.order_by("interface_id")
