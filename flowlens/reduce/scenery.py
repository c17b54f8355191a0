"""What detectors ask of the log as a whole: its span, what it lost, whose addresses are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import known, remembered, says

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["aws_services", "logged_since", "lost_windows", "own_addresses", "span", "stand_ins"]


@remembered
def span(flows: ir.Table) -> ir.Table:
    """Return one row: the first start and the last end, as Unix seconds."""
    return flows.agg(begins=flows.start.min(), ends=flows.end.max())


@remembered
def logged_since(flows: ir.Table) -> ir.Table:
    """Return when the log of each interface begins, as Unix seconds."""
    if "interface_id" not in flows.columns:
        return flows.select(interface_id=ibis.null("string"), since=flows.start).limit(0)
    timed = flows.filter(flows.interface_id.notnull() & flows.start.notnull())
    return timed.group_by("interface_id").agg(since=timed.start.min())


@remembered
def lost_windows(flows: ir.Table) -> ir.Table:
    """Return for each interface that lost records in how many windows, and how many windows it has at all."""
    if not {"log_status", "interface_id"} <= set(flows.columns):
        return flows.select(interface_id=ibis.null("string"), windows=flows.start, lost=flows.start).limit(0)
    seen = flows.group_by(["interface_id", flows.start.name("begun")]).agg(
        lost=says(flows, "log_status", "SKIPDATA").cast("int64").max()
    )
    each = seen.group_by("interface_id").agg(windows=seen.count(), lost=seen.lost.sum())
    return each.filter((each.lost > 0) & each.interface_id.notnull())


@remembered
def own_addresses(flows: ir.Table) -> ir.Table:
    """Return the addresses on the interface's side of the records that say which way they went."""
    if "flow_direction" not in flows.columns:
        return flows.select(address=flows.srcaddr).limit(0)
    egress, ingress = (says(flows, "flow_direction", way) for way in ("egress", "ingress"))
    if "tgw_attachment_id" in flows.columns:
        of_interface = known(flows, "tgw_attachment_id").isnull()
        egress, ingress = egress & of_interface, ingress & of_interface
    own = ibis.cases((egress, known(flows, "srcaddr")), (ingress, known(flows, "dstaddr")))
    return flows.select(address=own).distinct().drop_null("address")


@remembered
def aws_services(flows: ir.Table, *, end: str) -> ir.Table:
    """Return which sources, or destinations, the log says to be addresses of an AWS service."""
    column = f"pkt_{end}_aws_service"
    if column not in flows.columns:
        return flows.select(address=flows.srcaddr, **{column: ibis.null("string")}).limit(0)
    told = flows.select(address=_real(flows, end), **{column: known(flows, column)}).drop_null(["address", column])
    return told.group_by("address").agg(told[column].min().name(column))


@remembered
def stand_ins(flows: ir.Table) -> ir.Table:
    """Return the addresses that stood in records for others of the packet: `others` of them, `example` is one."""
    found = [
        flows.select(address=flows[f"{end}addr"], other=known(flows, f"pkt_{end}addr")).filter(
            flows[f"{end}addr"] != known(flows, f"pkt_{end}addr")
        )
        for end in ("src", "dst")
        if f"pkt_{end}addr" in flows.columns
    ]
    if not found:
        found = [flows.select(address=flows.srcaddr, other=flows.dstaddr).limit(0)]
    both = found[0].union(*found[1:]) if len(found) > 1 else found[0]
    return both.group_by("address").agg(others=both.other.nunique(), example=both.other.min())


def _real(flows: ir.Table, end: str) -> ir.Value:
    own = known(flows, f"{end}addr")
    return known(flows, f"pkt_{end}addr").coalesce(own) if f"pkt_{end}addr" in flows.columns else own
