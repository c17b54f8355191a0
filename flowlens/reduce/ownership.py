"""Which addresses meet at which interface: what tells later whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import known, remembered, says, traffic

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["meetings"]


@remembered
def meetings(flows: ir.Table) -> ir.Table:
    """Return one row for each source and destination that meet at an interface in records that have no direction.

    Besides them it has `subnet_id` where the log has it, and `src_replaced` and `dst_replaced`: the packet had another
    address there, for which the record has one of the interface.
    """
    optional = ["subnet_id", "pkt_srcaddr", "pkt_dstaddr", "flow_direction"]
    t = traffic(flows, "add_direction", "interface_id", "dstaddr", optional=optional)
    t = t.filter(t.interface_id.notnull())
    if "flow_direction" in t.columns:
        t = t.filter(~(says(t, "flow_direction", "ingress") | says(t, "flow_direction", "egress")))
    replaced = {
        f"{end}_replaced": (known(t, f"pkt_{end}addr") != t[f"{end}addr"]).fill_null(False)
        if f"pkt_{end}addr" in t.columns
        else ibis.literal(False)
        for end in ("src", "dst")
    }
    where = [column for column in ("interface_id", "subnet_id") if column in t.columns]
    return t.select(*where, "srcaddr", "dstaddr", **replaced).distinct()
