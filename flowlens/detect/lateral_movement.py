"""Going on from one host to the next: somebody comes in, and from there logs in to others.

Administrators, and what manages machines for them, do the same every day. What tells them apart is who came in,
somebody who guessed before or an old acquaintance, and whether the way on is one that is often gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from flowlens.detect.brute_force import ADMIN_PORTS
from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port, text_of_time
from flowlens.detect.scene import Scene
from flowlens.detect.scores import saturating, saturating_log

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["LATERAL_MOVEMENT"]

_HOUR = 3_600
#: How much it counts that a way leads to an administration port at all, that it is rare, and who came in before.
_ADMIN, _RARE, _CHAIN = 0.25, 0.15, 0.6
#: In so many hours a way is as usual as can be, and a chain over it counts half.
_USUAL, _HALF = 24, 0.5
#: Of a chain that somebody began who did not guess.
_ORDERLY = 0.3
#: So many hosts sought within an hour are a movement without anybody seen to come in, or a tool that manages them all.
_FEW_HOSTS, _MANY_HOSTS, _SPREAD = 3, 20, 0.6


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.sure & ground.answered & ground.to_inside & ground.dport.isin(sorted(ADMIN_PORTS)))
    # Fewer packets are no login, but a look whether the port is open: a health check, a scan.
    t = t.filter(t.packets_out >= at["brute_force.packets"]).mutate(hour=t["first"] // _HOUR)
    way = ["src", "dst", "dport", "protocol"]
    on = t.filter(t.from_inside)
    # Who came in to the host that goes on, before and not long ago; of one who tries often, the busiest hour until then
    # counts. Tries are as short as those of `brute_force`: ten administrators behind one address have longer sessions.
    short = t.packets_out <= at["brute_force.many_packets"]
    hourly = t.group_by(["src", "dst", "hour"]).agg(tries=short.cast("int64").sum())
    until_then = ibis.window(group_by=["src", "dst"], order_by="hour", rows=(None, 0))
    tries = hourly.mutate(tries=hourly.tries.max().over(until_then))
    came = t.inner_join(tries, ["src", "dst", "hour"]).select(
        by=t.src, host=t.dst, came_first=t["first"], came_last=t["last"], tries=tries.tries, outside=~t.from_inside
    )
    steps = on.inner_join(
        came,
        [
            on.src == came.host,
            # Two interfaces have windows of their own, whose edges say who was first no better than that.
            came.came_first <= on["first"] + on.resolution,
            came.came_last + int(at["lateral_movement.minutes"] * 60) >= on["first"],
            on.dst != came.by,
        ],
    )
    by_whom = steps.group_by([*way, "by"]).agg(
        tries=steps.tries.max(),
        outside=steps.outside.max(),
        steps=steps.count(),
        went_on=steps["first"].min(),
        until=steps["last"].max(),
    )
    # Of several who came in, the one who tried most often.
    b = by_whom.mutate(weight=2 * by_whom.tries + by_whom.outside.cast("int64"))
    heaviest = b.group_by(way).agg(heaviest=b.weight.max())
    b = b.inner_join(heaviest, way)
    b = b.filter(b.weight == b.heaviest)
    chains = b.group_by(way).agg(
        tries=b.tries.max(),
        outside=b.outside.max(),
        by=b.by.min(),
        steps=b.steps.sum().cast("int64"),
        went_on=b.went_on.min(),
        until=b.until.max(),
    )
    fan = on.group_by(["src", "hour"]).agg(hosts=on.dst.nunique())
    fans = fan.group_by("src").agg(hosts=fan.hosts.max())
    edges = on.group_by(way).agg(
        interface_id=on.interface_id.min(),
        hours=on.hour.nunique(),
        flows=on.count(),
        bytes=on.bytes_out.sum().cast("!int64"),
        first=on["first"].min(),
        last=on["last"].max(),
        from_inside=on.from_inside.max(),
        to_inside=on.to_inside.max(),
        to_special=on.to_special.max(),
    )
    found = edges.left_join(chains, way).left_join(fans, edges.src == fans.src)
    return found.select(
        srcaddr=edges.src, dstaddr=edges.dst, dstport=edges.dport,
        # Of a way that administrators go every day, those times count that somebody went on after coming in.
        first=found.went_on.coalesce(edges["first"]), last=found.until.coalesce(edges["last"]),
        **{name: edges[name] for name in edges.columns if name not in {"src", "dst", "dport", "first", "last"}},
        tries=found.tries.fill_null(0), outside=found.outside.fill_null(False), by=found.by,
        steps=found.steps.fill_null(0), hosts=fans.hosts,
    )  # fmt: skip


def _judge(edges: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if edges.empty:
        return no_findings()
    at = scene.thresholds
    rare = 1 - saturating_log(edges["hours"].to_numpy(float), 1, _USUAL)
    # One session is no guess.
    intruder = saturating(edges["tries"].to_numpy(float), 1, at["lateral_movement.tries"])
    came = edges["steps"].to_numpy() > 0
    chain = np.where(came, _ORDERLY + (1 - _ORDERLY) * intruder, 0.0)
    fan_out = saturating_log(edges["hosts"].to_numpy(float), _FEW_HOSTS, _MANY_HOSTS)
    return finding_rows(
        "lateral_movement",
        with_context(edges, scene, "lateral_movement"),
        scene,
        subject=edges["srcaddr"],
        terms={"rare": rare, "chain": chain, "fan_out": fan_out},
        score=_ADMIN + _RARE * rare + _CHAIN * np.maximum(chain, _SPREAD * fan_out) * (_HALF + (1 - _HALF) * rare),
        evidence={
            "came_from": [None if pd.isna(by) else by for by in edges["by"]],
            "tries_in_an_hour": edges["tries"].to_numpy(),
            "from_outside": edges["outside"].to_numpy(bool),
            "hours": edges["hours"].to_numpy(),
            "hosts_in_an_hour": edges["hosts"].to_numpy(),
        },
        why=[
            f"{src} opened a session with {dst} at {text_of_port(port, protocol)}"
            + (
                f", up to {text_of_time(60 * at['lateral_movement.minutes'])} after {by} had come in"
                f"{', who tried ' + str(tries) + ' times in an hour' if tries >= at['lateral_movement.tries'] else ''}"
                if seen
                else ""
            )
            + (f"; it sought up to {hosts:,} hosts in an hour" if hosts >= _FEW_HOSTS else "")
            for src, dst, port, protocol, by, tries, seen, hosts in zip(
                edges["srcaddr"], edges["dstaddr"], edges["dstport"], edges["protocol"], edges["by"], edges["tries"],
                came.tolist(), edges["hosts"], strict=True,
            )
        ],
        technique=[_technique(port) for port in edges["dstport"]],
        guardduty=None,
    )  # fmt: skip


def _technique(port: int) -> str:
    return {3389: "T1021.001", 135: "T1021.003", 139: "T1021.002", 445: "T1021.002", 5900: "T1021.005",
            5985: "T1021.006", 5986: "T1021.006"}.get(port, "T1021.004")  # fmt: skip


LATERAL_MOVEMENT = Detector(kind="lateral_movement", reduce=_reduce, judge=_judge)
