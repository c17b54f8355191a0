"""What a host does for the first time: a port, a protocol, an internal peer.

On the first day everything is new. So each host has a history of its own, and without days of that nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pandas as pd

from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port
from flowlens.detect.scene import Scene
from flowlens.detect.scores import evidence_of
from flowlens.reduce.contacts import present
from flowlens.service import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["NEW_PEERS"]

_DAY = 86_400
_SMTP = 25
_BASE = {"port": 0.6, "protocol": 0.7, "peer": 0.5}
_TECHNIQUES = {"port": "T1571", "protocol": "T1095", "peer": "T1021"}
_USUAL_PROTOCOLS = (ICMP, TCP, UDP, ICMPV6)
#: So many ports or peers that a host had before make one more only half as remarkable.
_HALF_HABIT = 20
_HALF_EVIDENCE = 2


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.from_inside & ground.sure & ~ground.to_special)
    ports = _seen(t.filter(~t.to_inside & t.protocol.isin([TCP, UDP])), ["dport", "protocol"], "port")
    protocols = _seen(t.filter(~t.protocol.isin(_USUAL_PROTOCOLS)), ["protocol"], "protocol")
    peers = _seen(t.filter(t.to_inside & t.answered), ["dst"], "peer")
    seen = ports.union(protocols, peers)
    # A server that only ever answered has a history, too: that it begins to ask is what is new.
    hosts = present(ground)
    s = seen.inner_join(hosts, seen.src == hosts.address)
    so_far = ibis.window(group_by=["src", "what"], order_by="first")
    s = s.mutate(history=s["first"] - s.began, usual=ibis.rank().over(so_far).cast("int64"))
    found = s.filter(s.history >= int(at["new_peer.history"] * _DAY))
    return found.select(
        srcaddr=found.src, dstaddr=found.dst, dstport=found.dport,
        **{name: found[name] for name in (
            "protocol", "what", "interface_id", "flows", "bytes", "first", "last", "history", "hosts", "from_inside",
            "to_inside", "usual",
        )},
    )  # fmt: skip


def _seen(t: ir.Table, unit: list[str], what: str) -> ir.Table:
    """Return what each host did, and how many hosts did the same."""
    each = t.group_by(["src", *unit]).agg(
        interface_id=t.interface_id.min(), flows=t.count(), bytes=t.bytes_out.sum().cast("!int64"),
        first=t["first"].min(), last=t["last"].max(), from_inside=t.from_inside.max(), to_inside=t.to_inside.max(),
    )  # fmt: skip
    alike = each.group_by(unit).agg(hosts=each.count())
    both = each.inner_join(alike, unit)
    # Most engines have no unsigned integers.
    own = {"dst": t.src.type(), "dport": t.dport.type(), "protocol": t.protocol.type()}
    counted = ("interface_id", "flows", "bytes", "first", "last", "hosts", "from_inside", "to_inside")
    return both.select(
        "src",
        **{name: both[name].cast(dtype) if name in unit else ibis.null(dtype) for name, dtype in own.items()},
        what=ibis.literal(what),
        **{name: both[name] for name in counted},
    )


def _judge(found: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if found.empty:
        return no_findings()
    what = found["what"].astype(str)
    spam = (what == "port") & (found["dstport"] == _SMTP).fillna(False) & (found["protocol"] == TCP)
    base = np.where(spam, scene.thresholds["new_peer.spam_port"], what.map(_BASE).to_numpy(float))
    rarity = 1 / found["hosts"].to_numpy(float)
    # However many other ports a host uses: one that begins to send mail by itself is as remarkable.
    habit = np.where(spam, 1.0, _HALF_HABIT / (_HALF_HABIT + found["usual"].to_numpy(float)))
    evidence = evidence_of(found["flows"].to_numpy(), _HALF_EVIDENCE)
    return finding_rows(
        "new_peer",
        with_context(found, scene, "new_peer"),
        scene,
        subject=found["srcaddr"],
        terms={"base": base, "rarity": rarity, "habit": habit, "evidence": evidence},
        score=base * rarity * habit * evidence,
        evidence={
            "what": what.tolist(),
            "days_before": found["history"].to_numpy(float) / _DAY,
            "hosts": found["hosts"].to_numpy(),
            "usual": found["usual"].to_numpy(),
        },
        why=[_why(row) for row in found.itertuples()],
        technique=np.where(spam, "T1048", what.map(_TECHNIQUES)).tolist(),
        guardduty=[
            "Backdoor:EC2/Spambot" if mail else "Behavior:EC2/NetworkPortUnusual" if one == "port" else None
            for mail, one in zip(spam.tolist(), what, strict=True)
        ],
    )  # fmt: skip


def _why(row: Any) -> str:  # noqa: ANN401 - a row of itertuples
    thing = {
        "port": f"used {text_of_port(row.dstport, row.protocol)} outside",
        "protocol": f"used {text_of_port(pd.NA, row.protocol)}",
        "peer": f"talked to {row.dstaddr}",
    }[row.what]
    alike = "no other host does" if row.hosts == 1 else f"so do {row.hosts - 1:,} other hosts"
    return f"{row.srcaddr} {thing} for the first time after {row.history / _DAY:.1f} days in the log; {alike}"


def _unscored(scene: Scene) -> str:
    days, needed = (scene.span[1] - scene.span[0]) / _DAY, scene.thresholds["new_peer.history"]
    if days >= needed:
        return ""
    return (
        f"what a host does is new only after it has been in the log for {needed:g} days (threshold new_peer.history), "
        f"and this log covers {days:.2g}"
    )


NEW_PEERS = Detector(kind="new_peer", reduce=_reduce, judge=_judge, unscored=_unscored)
