"""Holes in the log: an interface of which there is no record for a while, not even that there was nothing.

Instances are stopped, and AWS loses windows. An interface that is silent while others log traffic with it is neither:
somebody may have switched its flow log off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_time
from flowlens.detect.scene import Scene
from flowlens.detect.scores import evidence_of, saturating_log
from flowlens.reduce.contacts import lengths, resolution_by
from flowlens.reduce.coverage import gaps
from flowlens.reduce.records import known, says

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["LOG_GAPS"]

#: Where the log has no record at all of silence, an interface without traffic looks like one without a log.
_SILENCE_IS_NEVER_LOGGED = 0.5
_SHORTEST_WINDOW = 60


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:
    if "interface_id" not in flows.columns:
        return _nothing(flows)
    holes = _holes(flows, int(at["log_gap.minutes"] * 60))
    # Contacts that were answered: both ends had traffic.
    answered = ground.filter(ground.answered)
    spoken = answered.select(address=answered.src, seen_at="interface_id", begun="first", ended="last").union(
        answered.select(address=answered.dst, seen_at="interface_id", begun="first", ended="last")
    )
    own = _own(flows.semi_join(holes, flows.interface_id == holes.hole_at))
    owned = holes.left_join(own, holes.hole_at == own.interface_id).select(*holes.columns, own_address=own.address)
    # Whole contacts: one that began before or went on after it is in the log of the interface, and tells nothing.
    seen = owned.left_join(
        spoken,
        [
            owned.own_address == spoken.address,
            spoken.begun >= owned.hole_start,
            spoken.ended <= owned.hole_end,
            spoken.seen_at != owned.hole_at,
        ],
    )
    found = seen.group_by(["hole_at", "hole_start", "hole_end", "to_the_end", "nodata"]).agg(
        address=seen.own_address.min(), seen=seen.seen_at.count(), heard=seen.ended.max()
    )
    # Instances are terminated every day: silence that does not end is a gap only where somebody still hears the host.
    # It lasts as long as that, and not to the end of a log that may hold other networks.
    heard = (found.heard - found.hole_start >= int(at["log_gap.minutes"] * 60)).fill_null(False)
    found = found.filter(~found.to_the_end | heard)
    return found.select(
        "address", "seen", "to_the_end", "nodata", interface_id=found.hole_at, first=found.hole_start,
        last=found.to_the_end.ifelse(found.heard, found.hole_end),
    )  # fmt: skip


def _nothing(flows: ir.Table) -> ir.Table:
    """Return no gaps: attachments of a transit gateway do not log that they were silent."""
    none = ibis.null("int64")
    return flows.select(
        address=flows.srcaddr, seen=none, to_the_end=ibis.null("boolean"), nodata=none,
        interface_id=ibis.null("string"), first=none, last=none,
    ).limit(0)  # fmt: skip


def _holes(flows: ir.Table, seconds: int) -> ir.Table:
    """Return when interfaces have no record for so long, and for more than two of their windows.

    `nodata` is how many records the interface has that say there was nothing.
    """
    timed = flows.filter(flows.start.notnull() & flows.end.notnull() & flows.interface_id.notnull())
    # The gaps asked for are at least two of these long: none begins and ends among what starts in one of them.
    interval = max(_SHORTEST_WINDOW, seconds // 2)
    # Of a log that does not say it, none is known to.
    nothing = says(timed, "log_status", "NODATA") if "log_status" in flows.columns else timed.start.isnull()
    merged = timed.group_by(["interface_id", (timed.start // interval).name("bin")]).agg(
        start=timed.start.min(), end=timed.end.max(), nodata=nothing.cast("int64").sum(), **lengths(timed)
    )
    m = merged.group_by("interface_id").agg(
        covered=merged.end.max(), nodata=merged.nodata.sum().cast("!int64"), count=merged["count"].sum(),
        long=merged.long.sum(), longest=merged.longest.max(),
    )  # fmt: skip
    interfaces = m.select(seen_at="interface_id", covered="covered", nodata="nodata", resolution=resolution_by(m))
    within = gaps(merged, interval=interval).mutate(to_the_end=ibis.literal(False))
    ends = interfaces.cross_join(interfaces.agg(end=interfaces.covered.max()))
    after = ends.select(
        interface_id=ends.seen_at, start=ends.covered, end=ends.end, duration=ends.end - ends.covered,
        to_the_end=ibis.literal(True),
    )  # fmt: skip
    both = within.union(after)
    both = both.inner_join(interfaces, both.interface_id == interfaces.seen_at)
    both = both.filter(both.duration >= ibis.greatest(seconds, 2 * both.resolution))
    return both.select(
        hole_at=both.interface_id, hole_start=both.start, hole_end=both.end, to_the_end=both.to_the_end,
        nodata=both.nodata,
    )  # fmt: skip


def _own(flows: ir.Table) -> ir.Table:
    """Return the addresses of interfaces, where records say which way they went."""
    if "flow_direction" not in flows.columns:
        return flows.select("interface_id", address=flows.srcaddr).limit(0)
    egress, ingress = (says(flows, "flow_direction", way) for way in ("egress", "ingress"))
    own = ibis.cases((egress, known(flows, "srcaddr")), (ingress, known(flows, "dstaddr")))
    return flows.select("interface_id", address=own).distinct().drop_null(["interface_id", "address"])


def _judge(holes: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if holes.empty:
        return no_findings()
    at = scene.thresholds
    seconds = (holes["last"] - holes["first"]).dt.total_seconds().to_numpy()
    length = saturating_log(seconds / 60, at["log_gap.minutes"], at["log_gap.many_minutes"])
    logged = holes["nodata"].to_numpy() > 0
    least = at["log_gap.uncontradicted"] * np.where(logged, 1.0, _SILENCE_IS_NEVER_LOGGED)
    contradicted = least + (1 - least) * evidence_of(holes["seen"].to_numpy(), at["log_gap.contacts"])
    # The gap itself is what is found: that records are missing there takes nothing off.
    units = holes.drop(columns="interface_id").assign(context=1.0, notes="", dstaddr=holes["address"])
    return finding_rows(
        "log_gap",
        units,
        scene,
        subject=holes["interface_id"],
        terms={"length": length, "contradicted": contradicted},
        score=length * contradicted,
        evidence={
            "seconds": seconds,
            "seen_elsewhere": holes["seen"].to_numpy(),
            "to_the_end": holes["to_the_end"].to_numpy(bool),
        },
        why=[
            f"{interface} has no record for {text_of_time(gap)}{' up to the end of the log' if end else ''}"
            + (f", while other interfaces logged {n:,} contacts with it that were answered" if n else "")
            for interface, gap, end, n in zip(
                holes["interface_id"], seconds.tolist(), holes["to_the_end"], holes["seen"], strict=True
            )
        ],
        technique="T1562.008",
        guardduty=None,
        caveat=[
            "" if one else "there is no NODATA record of this interface: it may have had no traffic" for one in logged
        ],
    ).assign(interface_id=lambda rows: rows["subject"])


def _unscored(scene: Scene) -> str:
    return (
        "" if "interface_id" in scene.fields else "the log does not say which interface a record is of (interface-id)"
    )


LOG_GAPS = Detector(kind="log_gap", reduce=_reduce, judge=_judge, unscored=_unscored)
