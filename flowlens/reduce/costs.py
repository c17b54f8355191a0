"""Who sends how much to whom, and where and on which way it was seen: what paths and prices are told from.

One row is what one place, an interface or a transit gateway, logged between two ends on one way. Prices, zones of
addresses and what the places are come later, of a table that is as small as there are pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlens.columns import missing_field
from flowlens.reduce.records import remembered, says, total, traffic

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["KEYS", "PLACES", "TOLD", "sightings"]

#: What tells where a record was made. A regional NAT gateway has no interface, only the id of the resource.
#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
PLACES = ("interface_id", "resource_id", "tgw_id", "tgw_attachment_id")

_ENDS = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
_WAY = ("flow_direction", "traffic_path", "next_hop_interface_id", "next_hop_interface_type", "next_hop_az_id")

#: Where, who and which way, of the columns that a log has.
KEYS = (*PLACES, *_ENDS, *_WAY)

#: What is the same for all records of a place, or of a pair of ends.
TOLD = (
    "az_id", "vpc_id", "subnet_id", "instance_id", "interface_type", "pkt_src_aws_service", "pkt_dst_aws_service",
)  # fmt: skip


@remembered
def sightings(flows: ir.Table) -> ir.Table:
    """Return the bytes by all of `KEYS` and `TOLD` that the log has; what was rejected went nowhere and is not there.

    The ends of the packet are missing where they are those of the record, or not logged.

    Raises
    ------
    MissingFieldError
        If the log has no bytes, or does not tell where a record was made.
    """
    if not any(column in flows.columns for column in PLACES):
        raise missing_field(PLACES[:2], "costs", flows.columns)
    t = traffic(flows, "costs", "dstaddr", "bytes", optional=("action", *KEYS, *TOLD))
    if "action" in t.columns:
        t = t.filter(~says(t, "action", "REJECT"))
    replaced = {
        f"pkt_{end}": t[f"pkt_{end}"].nullif(t[end]) for end in ("srcaddr", "dstaddr") if f"pkt_{end}" in t.columns
    }
    t = t.mutate(**replaced)
    told = {column: t[column].max() for column in TOLD if column in t.columns}
    seen = t.group_by([column for column in KEYS if column in t.columns]).agg(bytes=total(t, "bytes"), **told)
    return seen.filter(seen.bytes > 0)
