"""Vertical scans: one host tries many ports of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.context import lowered, with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_time
from flowlens.detect.scene import Scene
from flowlens.detect.scores import passing, saturating_log
from flowlens.service import TCP, UDP, protocol_name

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["PORT_SCANS"]

#: What many ports count for where all of them answer: a host may well offer many services.
_ALL_ANSWERED = 0.3

#: Where traceroute sends its packets, another port for each: https://man7.org/linux/man-pages/man8/traceroute.8.html
_TRACEROUTE = 33434, 33434 + 3 * 64


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    # Only who is known to have begun: replies go to as many ports as there were requests.
    t = ground.filter(ground.sure & ground.protocol.isin([TCP, UDP]) & ground.dport.notnull())
    # A late packet of a server, after the connection is forgotten, is a contact that nothing else is known of. It comes
    # from the port at which others find the server; load balancers and NAT gateways have any port from 1024 on.
    # https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports
    served = ground.filter(ground.sure & ground.answered).select(server="dst", service="dport", over="protocol")
    t = t.anti_join(served.distinct(), [t.src == served.server, t.sport == served.service, t.protocol == served.over])
    # Port by port first: distinct ones to be counted would be kept apart for each pair.
    p = t.group_by(["src", "dst", "protocol", "dport"]).agg(
        interface_id=t.interface_id.min(),
        answered=t.answered.cast("int64").max(),
        refused=t.refused.cast("int64").sum(),
        flows=t.count(),
        bytes=t.bytes_out.sum(),
        packets=t.packets_out.sum(),
        first=t["first"].min(),
        last=t["last"].max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
    )
    pairs = p.group_by(["src", "dst", "protocol"]).agg(
        interface_id=p.interface_id.min(),
        ports=p.count(),
        open_ports=p.answered.sum(),
        refused=p.refused.sum(),
        flows=p.flows.sum(),
        bytes=p.bytes.sum().cast("!int64"),
        packets=p.packets.sum().cast("!int64"),
        lowest=p.dport.min(),
        highest=p.dport.max(),
        first=p["first"].min(),
        last=p["last"].max(),
        from_inside=p.from_inside.max(),
        to_inside=p.to_inside.max(),
        to_special=p.to_special.max(),
    )
    return pairs.filter(pairs.ports > at["port_scan.ports"]).rename(srcaddr="src", dstaddr="dst")


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if pairs.empty:
        return no_findings()
    at = scene.thresholds
    ports, answered = pairs["ports"].to_numpy(float), pairs["open_ports"].to_numpy(float)
    breadth = saturating_log(ports, at["port_scan.ports"], at["port_scan.many_ports"])
    failed = 1 - answered / ports
    once = passing(pairs["flows"].to_numpy(float), ports)
    seconds = (pairs["last"] - pairs["first"]).dt.total_seconds().to_numpy()
    inside = pairs["from_inside"].to_numpy(bool)
    traced = (pairs["protocol"] == UDP) & (pairs["lowest"] >= _TRACEROUTE[0]) & (pairs["highest"] < _TRACEROUTE[1])
    units = with_context(pairs, scene, "port_scan")
    return finding_rows(
        "port_scan",
        lowered(units, traced.to_numpy(bool), at["context.infrastructure"], "traceroute"),
        scene,
        subject=pairs["srcaddr"],
        terms={"breadth": breadth, "failed": failed, "passing": once},
        score=breadth * (_ALL_ANSWERED + (1 - _ALL_ANSWERED) * failed) * once,
        evidence={
            "ports": pairs["ports"].to_numpy(),
            "open_ports": pairs["open_ports"].to_numpy(),
            "refused": pairs["refused"].to_numpy(),
            "packets_a_contact": pairs["packets"].to_numpy(float) / pairs["flows"].to_numpy(float),
            "seconds": seconds,
        },
        why=[
            f"{src} tried {total:,} {protocol_name(protocol)} ports of {dst} in {text_of_time(length)}; "
            f"{open_:,} answered"
            for src, dst, protocol, total, open_, length in zip(
                pairs["srcaddr"], pairs["dstaddr"], pairs["protocol"], pairs["ports"], pairs["open_ports"],
                seconds.tolist(), strict=True,
            )
        ],
        technique=np.where(inside, "T1046", "T1595.001").tolist(),
        guardduty=[
            "Recon:EC2/Portscan" if ours else "Recon:EC2/PortProbeUnprotectedPort" if open_ else None
            for ours, open_ in zip(inside.tolist(), pairs["open_ports"].tolist(), strict=True)
        ],
    )  # fmt: skip


PORT_SCANS = Detector(kind="port_scan", reduce=_reduce, judge=_judge)
