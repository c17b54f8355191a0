"""What a transit gateway lost, by cause.

AWS counts losses in four fields of a record and says no more of them than the cause
(https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html#flow-logs-fields). A packet that gets through is logged
twice: at the attachment where it comes in and at the one where it leaves. A lost packet does not leave, and where no
route was found there is no attachment to leave by. So records are summed as they are, and nothing is halved on a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import ibis

from flowlens.columns import missing_field
from flowlens.reduce.records import remembered, total, traffic
from flowlens.reduce.summary import need_measure, ranked

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["CAUSES", "losses"]

#: The counter of each cause, and its name in the result.
CAUSES = {
    "packets_lost_no_route": "no route",
    "packets_lost_blackhole": "blackhole",
    "packets_lost_mtu_exceeded": "MTU exceeded",
    "packets_lost_ttl_expired": "TTL expired",
}

_MEASURES = ("packets_lost", "flows", "packets")


@remembered
def losses(flows: ir.Table, *, n: int | None, by: str, keys: Sequence[str]) -> ir.Table:
    need_measure("losses", "by", by, _MEASURES)
    counters = {column: cause for column, cause in CAUSES.items() if column in flows.columns}
    if not counters:
        raise missing_field(tuple(CAUSES), "losses", flows.columns)
    if by == "packets" and by not in flows.columns:
        raise missing_field(by, "losses", flows.columns)
    t = _by_cause(traffic(flows, "losses", *keys, *counters, optional=["packets", "start", "end"]), counters)
    measures = {"flows": t.count(), "packets_lost": total(t, "packets_lost")}
    if "packets" in t.columns:
        measures["packets"] = total(t, "packets")
    if "start" in t.columns:
        measures["first"] = t.start.min()
    if "end" in t.columns:
        measures["last"] = t.end.max()
    return ranked(t.group_by(["cause", *keys]).agg(**measures), by, ["cause", *keys], n)


def _by_cause(records: ir.Table, counters: Mapping[str, str]) -> ir.Table:
    """Return a row for each cause that a record counts losses of: `cause` and `packets_lost`."""
    losing = records.filter(ibis.or_(*(records[column] > 0 for column in counters)))
    # Joined with a table of the causes, records are read once; a union of one query a cause would read them as often.
    first, *others = (ibis.literal(cause).name("cause").as_table() for cause in counters.values())
    t = losing.cross_join(first.union(*others) if others else first)
    t = t.mutate(packets_lost=ibis.cases(*((t.cause == cause, t[column]) for column, cause in counters.items())))
    return t.filter(t.packets_lost > 0)
