"""Horizontal scans: one host looks for a port on many others.

Threshold Random Walk (Jung, Paxson, Berger and Balakrishnan 2004): a scanner's contacts with new hosts mostly fail, a
benign source's mostly succeed, so each host that does not answer speaks for a scanner and each that does against one.
Here the walk is not stopped at a line: what all hosts say together is a probability. Nor does it go by first contacts:
with the whole log at hand, a host that answers later was only not ready, as a container is that starts while a load
balancer checks it. Private addresses that no interface has count twice, as for bro-simple-scan's dark addresses: nobody
has a reason to seek them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.context import lowered, with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port, text_of_time
from flowlens.detect.scene import Scene
from flowlens.detect.scores import passing, saturating_log
from flowlens.service import TCP, UDP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["PORT_SWEEPS"]

#: What a sure scanner of a few hosts counts: to be looked at, not to wake somebody.
_FEW_HOSTS = 0.4

_WEB = (80, 443)


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.sure & ground.dport.notnull())
    unit = ["src", "dport", "protocol"]
    hosts = t.group_by([*unit, "dst"]).agg(
        interface_id=t.interface_id.min(),
        began=t["first"].min(),
        answered=t.answered.max(),
        ended=t["last"].max(),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        refused=t.refused.cast("int64").max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
        to_dark=t.to_dark.max(),
    )
    heard = _heard(hosts).rename(**{f"heard_{name}": name for name in [*unit, "dst"]})
    h = hosts.left_join(heard, [hosts[name] == heard[f"heard_{name}"] for name in [*unit, "dst"]])
    failed = ~(h.answered | h.heard_src.notnull())
    h = h.mutate(failed=failed.cast("int64"), dark=(h.to_dark & failed).cast("int64"))
    sweeps = h.group_by(unit).agg(
        interface_id=h.interface_id.min(),
        hosts=h.count(),
        failed=h.failed.sum(),
        dark=h.dark.sum(),
        refused=(h.refused * h.failed).sum(),
        flows=h.flows.sum(),
        bytes=h.bytes.sum().cast("!int64"),
        first=h.began.min(),
        last=h.ended.max(),
        from_inside=h.from_inside.max(),
        # What is true of one of the hosts is not of the sweep.
        to_inside=h.to_inside.min(),
        to_special=h.to_special.min(),
    )
    enough = (sweeps.hosts >= at["port_sweep.hosts"]) & (2 * sweeps.failed + 2 * sweeps.dark > sweeps.hosts)
    return sweeps.filter(enough).rename(srcaddr="src", dstport="dport")


def _heard(hosts: ir.Table) -> ir.Table:
    """Return which hosts the source has heard of otherwise, so that silence in these contacts is no failure.

    Tunnels (VXLAN) and some clusters over UDP answer from another port: the answer is a contact of its own, to the same
    port.
    """
    key = ["src", "dst", "dport", "protocol"]
    udp = hosts.filter(hosts.protocol == UDP).select(*key)
    back = udp.rename(back_src="src", back_dst="dst", back_port="dport", back_protocol="protocol")
    return udp.semi_join(back, [udp.src == back.back_dst, udp.dst == back.back_src, udp.dport == back.back_port])


def _judge(sweeps: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if sweeps.empty:
        return no_findings()
    at = scene.thresholds
    hosts, failed, dark = (sweeps[name].to_numpy(float) for name in ("hosts", "failed", "dark"))
    benign, scanner = at["port_sweep.benign_succeeds"], at["port_sweep.scanner_succeeds"]
    for_scanner = np.log((1 - scanner) / (1 - benign)) * (failed + dark)
    for_benign = np.log(benign / scanner) * (hosts - failed)
    prior = np.log(at["port_sweep.scanners"] / (1 - at["port_sweep.scanners"]))
    walk = for_scanner - for_benign
    posterior = 1 / (1 + np.exp(-np.clip(walk + prior, -500, 500)))
    breadth = saturating_log(hosts, at["port_sweep.hosts"], at["port_sweep.many_hosts"])
    seconds = (sweeps["last"] - sweeps["first"]).dt.total_seconds().to_numpy()
    once = passing(sweeps["flows"].to_numpy(float), hosts)
    inside, within = sweeps["from_inside"].to_numpy(bool), sweeps["to_inside"].to_numpy(bool)
    web = sweeps["protocol"].isin([TCP, UDP]) & sweeps["dstport"].isin(_WEB)
    units = with_context(sweeps, scene, "port_sweep")
    return finding_rows(
        "port_sweep",
        lowered(units, web.to_numpy(bool) & inside & ~within, at["port_sweep.web"], "clients of the web"),
        scene,
        subject=sweeps["srcaddr"],
        terms={"posterior": posterior, "breadth": breadth, "passing": once},
        score=posterior * (_FEW_HOSTS + (1 - _FEW_HOSTS) * breadth) * once,
        evidence={
            "hosts": sweeps["hosts"].to_numpy(),
            "failed": sweeps["failed"].to_numpy(),
            "dark": sweeps["dark"].to_numpy(),
            "refused": sweeps["refused"].to_numpy(),
            "log_likelihood_ratio": walk,
            "seconds": seconds,
        },
        why=[
            f"{src} sought {text_of_port(port, protocol)} on {n:,} hosts in {text_of_time(length)}; {bad:,} did not "
            f"answer{f', {unused:,} of them are addresses that nobody has' if unused else ''}"
            for src, port, protocol, n, bad, unused, length in zip(
                sweeps["srcaddr"], sweeps["dstport"], sweeps["protocol"], sweeps["hosts"], sweeps["failed"],
                sweeps["dark"], seconds.tolist(), strict=True,
            )
        ],
        technique=np.where(inside & within, "T1018", np.where(inside, "T1046", "T1595.002")).tolist(),
        guardduty=["Impact:EC2/PortSweep" if one else None for one in inside.tolist()],
    )  # fmt: skip


PORT_SWEEPS = Detector(kind="port_sweep", reduce=_reduce, judge=_judge)
