"""What alarms of CloudWatch look at: how often a port was refused, and who contributes most."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING

import ibis

from flowlens.clauses import Ports
from flowlens.predicates import matching
from flowlens.reduce.records import remembered, says, total, traffic
from flowlens.reduce.summary import in_bins, need_measure, ranked, share, volumes
from flowlens.selection import Selection

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["at_least_one", "contributor_keys", "rejected_by_port", "tcp_to", "top_contributors"]

#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContributorInsights-RuleSyntax.html
_MOST_KEYS = 4
_COUNTED = ("flows", "packets", "bytes", "share", "contributors")


def at_least_one(argument: str, value: int) -> int:
    """Return a number of things as an integer.

    Raises
    ------
    ValueError
        If it is no whole number, or less than one.
    """
    try:
        number = index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{argument}={value!r} is no whole number from 1 on")
    return number


def tcp_to(ports: Ports) -> Selection:
    """Return what selects TCP to some ports.

    Raises
    ------
    ValueError
        If there are none, or one is no port.
    """
    selection = Selection(dst_port=ports, protocol="tcp")
    if not selection.dst_port:
        raise ValueError("ports is empty; name the destination ports at which refused records are to be counted")
    return selection


def contributor_keys(keys: str | Sequence[str], *, timed: bool) -> tuple[str, ...]:
    """Return the columns that tell contributors apart.

    Parameters
    ----------
    timed
        Whether they are ranked in periods, so that `start` is the start of a period.

    Raises
    ------
    ValueError
        If there are none or too many, or the result has another column of that name.
    """
    columns = (keys,) if isinstance(keys, str) else tuple(keys)
    if not 1 <= len(columns) <= _MOST_KEYS:
        raise ValueError(
            f"keys={columns!r} are {len(columns)} columns; Contributor Insights takes 1 to {_MOST_KEYS}, "
            "and pairs(keys=...) any number"
        )
    taken = {*_COUNTED, "start"} if timed else {*_COUNTED}
    for place, column in enumerate(columns):
        if column in taken or column in columns[:place]:
            raise ValueError(f"keys={columns!r}: the result has a column {column!r} already")
    return columns


@remembered
def rejected_by_port(flows: ir.Table, *, ports: Selection, seconds: int, threshold: int) -> ir.Table:
    records = traffic(flows, "rejected_by_port", "dstaddr", "dstport", "protocol", "packets", "start", "action")
    refused = in_bins(matching(records, [ports]).filter(says(records, "action", "REJECT")), seconds)
    counted = refused.group_by(["start", refused.dstport.name("port")]).agg(
        flows=refused.count(),
        packets=total(refused, "packets"),
        sources=refused.srcaddr.nunique(),
        targets=refused.dstaddr.nunique(),
    )
    return counted.mutate(alarm=counted.flows >= threshold).order_by(["start", "port"])


@remembered
def top_contributors(flows: ir.Table, *, keys: Sequence[str], n: int | None, by: str, seconds: int | None) -> ir.Table:
    need_measure("top_contributors", "by", by)
    period = [] if seconds is None else ["start"]
    records = traffic(flows, "top_contributors", *period, *keys, "packets", "bytes")
    t = volumes(records if seconds is None else in_bins(records, seconds), [*period, *keys])
    t = t.mutate(share=share(t, by, period), contributors=t.count().over(ibis.window(group_by=period)))
    if seconds is None:
        return ranked(t, by, keys, n)
    rank = [ibis.desc(by), *(t[key].asc() for key in keys)]
    if n is not None:
        t = t.filter(ibis.row_number().over(ibis.window(group_by=period, order_by=rank)) < n)
    return t.order_by([*period, *rank])
