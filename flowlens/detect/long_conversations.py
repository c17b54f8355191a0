"""Connections that stay open for hours: tunnels, remote control, or a pool of a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.alike import hosts_alike
from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port, text_of_time
from flowlens.detect.scene import Scene

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["LONG_CONVERSATIONS"]

#: RITA v5's scale for what a long connection means: 1, 4, 8 and 12 hours.
_HOURS, _SCALE = (1.0, 4.0, 8.0, 12.0), (0.2, 0.4, 0.6, 0.8)
_SECONDS = 3_600


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.mutate(lasted=ground["last"] - ground["first"])
    t = t.filter(t.answered)
    pairs = t.group_by(["src", "dst", "dport", "protocol"]).agg(
        interface_id=t.interface_id.min(),
        longest=t.lasted.max(),
        total=t.lasted.sum().cast("!int64"),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        bytes_in=t.bytes_in.sum().cast("!int64"),
        first=t["first"].min(),
        last=t["last"].max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
    )
    return pairs.filter(pairs.longest >= _SECONDS).rename(srcaddr="src", dstaddr="dst", dstport="dport")


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if pairs.empty:
        return no_findings()
    longest = pairs["longest"].to_numpy(float)
    duration = np.interp(longest / _SECONDS, _HOURS, _SCALE)
    # Agents of all hosts stay connected to where they report.
    alike = hosts_alike(pairs, np.ones(len(pairs), bool))
    uncommon = np.minimum(1.0, scene.thresholds["long_conversation.common"] / alike)
    both = pairs["bytes"].to_numpy(float) + pairs["bytes_in"].to_numpy(float)
    return finding_rows(
        "long_conversation",
        with_context(pairs, scene, "long_conversation"),
        scene,
        subject=pairs["srcaddr"],
        terms={"duration": duration, "uncommon": uncommon},
        score=duration * uncommon,
        evidence={
            "longest_seconds": pairs["longest"].to_numpy(),
            "total_seconds": pairs["total"].to_numpy(),
            "connections": pairs["flows"].to_numpy(),
            "bytes_in": pairs["bytes_in"].to_numpy(),
            "hosts_alike": alike,
            "bytes_a_second": both / np.maximum(1, pairs["total"].to_numpy(float)),
        },
        why=[
            f"{src} kept a connection to {dst} at {text_of_port(port, protocol)} open for {text_of_time(length)}"
            f"{f' ({n:,} connections in all)' if n > 1 else ''}"
            for src, dst, port, protocol, length, n in zip(
                pairs["srcaddr"], pairs["dstaddr"], pairs["dstport"], pairs["protocol"], longest.tolist(),
                pairs["flows"], strict=True,
            )
        ],
        technique="T1572",
        guardduty=None,
    )  # fmt: skip


LONG_CONVERSATIONS = Detector(kind="long_conversation", reduce=_reduce, judge=_judge)
