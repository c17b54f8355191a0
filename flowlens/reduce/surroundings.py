"""What is around refused conversations: who lives at an interface, and what passes there and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import known, real_ends, remembered, says, traffic

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["accepted_beside", "losses_at", "port_uses", "residents"]

_OF_THE_INTERFACE = ("subnet_id", "instance_id", "interface_type")


@remembered
def residents(flows: ir.Table) -> ir.Table:
    """Return the addresses that interfaces have in their records, with what else those tell of the interface.

    `passes_on` tells that a packet had another address there, of which the record has the interface's own;
    `accepted_in`, `accepted_out`, `refused_in` and `refused_out` count records, of which `begins` is the first start.
    """
    optional = ["flow_direction", "pkt_srcaddr", "pkt_dstaddr", *_OF_THE_INTERFACE]
    t = traffic(flows, "diagnose", "interface_id", "dstaddr", "start", "action", optional=optional)
    egress, ingress = (says(t, "flow_direction", way) for way in ("egress", "ingress"))
    replaced = ibis.literal(False)
    if {"pkt_srcaddr", "pkt_dstaddr"} <= set(t.columns):
        other = [(known(t, f"pkt_{end}addr") != t[f"{end}addr"]).fill_null(False) for end in ("src", "dst")]
        replaced = egress.ifelse(*other)
    rejected = says(t, "action", "REJECT")
    t = t.select(
        "interface_id",
        local=egress.ifelse(t.srcaddr, t.dstaddr),
        start=t.start,
        passes_on=replaced.cast("int64"),
        accepted_in=(ingress & ~rejected).cast("int64"),
        accepted_out=(egress & ~rejected).cast("int64"),
        refused_in=(ingress & rejected).cast("int64"),
        refused_out=(egress & rejected).cast("int64"),
        known_way=egress | ingress,
        **{name: known(t, name) for name in _OF_THE_INTERFACE if name in t.columns},
    )
    t = t.filter(t.known_way)
    return t.group_by(["interface_id", "local"]).agg(
        begins=t.start.min(),
        passes_on=t.passes_on.max(),
        **{name: t[name].sum() for name in ("accepted_in", "accepted_out", "refused_in", "refused_out")},
        **{name: t[name].max() for name in _OF_THE_INTERFACE if name in t.columns},
    )


@remembered
def port_uses(flows: ir.Table) -> ir.Table:
    """Return what was accepted and refused at each interface by direction, protocol and port.

    Only ports at which something was refused anywhere: `accepted` and `refused` count records.
    """
    t = traffic(flows, "diagnose", "interface_id", "dstport", "protocol", "action", optional=["flow_direction"])
    egress, rejected = says(t, "flow_direction", "egress"), says(t, "action", "REJECT")
    t = t.select(
        "interface_id",
        egress=egress.cast("int64"),
        protocol=t.protocol,
        dstport=t.dstport.cast("int64").fill_null(-1),
        refused=rejected.cast("int64"),
        known_way=egress | says(t, "flow_direction", "ingress"),
    )
    t = t.filter(t.known_way)
    values = ["egress", "protocol", "dstport"]
    t = t.semi_join(t.filter(t.refused == 1).select(*values).distinct(), values)
    return t.group_by(["interface_id", *values]).agg(refused=t.refused.sum(), accepted=(1 - t.refused).sum())


@remembered
def losses_at(flows: ir.Table) -> ir.Table:
    """Return the windows in which records of an interface were lost: SKIPDATA."""
    if "log_status" not in flows.columns:
        # No record tells of any.
        return flows.select("interface_id", start=flows.start, end=flows.end).limit(0)
    return flows.filter(says(flows, "log_status", "SKIPDATA")).select("interface_id", start=flows.start, end=flows.end)


@remembered
def accepted_beside(flows: ir.Table) -> ir.Table:
    """Return which addresses are accepted at ports at which several interfaces refuse one and the same address."""
    optional = ["flow_direction", "pkt_srcaddr", "pkt_dstaddr"]
    t = traffic(flows, "diagnose", "interface_id", "dstaddr", "dstport", "protocol", "action", optional=optional)
    src, dst = real_ends(t)
    egress = says(t, "flow_direction", "egress")
    t = t.select(
        "interface_id",
        egress=egress.cast("int64"),
        protocol=t.protocol,
        dstport=t.dstport.cast("int64").fill_null(-1),
        remote=egress.ifelse(dst, src),
        rejected=says(t, "action", "REJECT"),
        known_way=egress | says(t, "flow_direction", "ingress"),
    )
    t = t.filter(t.known_way)
    values = ["egress", "protocol", "dstport"]
    refused = t.filter(t.rejected).group_by([*values, "remote"]).agg(by=t.interface_id.nunique())
    several = refused.filter(refused.by > 1).select(*values).distinct()
    return t.filter(~t.rejected).semi_join(several, values).select("interface_id", *values, "remote").distinct()
