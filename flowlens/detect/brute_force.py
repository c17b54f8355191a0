"""Guessing passwords: many short connections alike to one port, each as long as a failed login.

SSHCure (Hofstede et al. 2014) found that a guess has a stable number of packets, 11 to 51 for SSH. Here the band is
wider, for other protocols, and what is rated is how alike the tries are. Records are stitched before packets are
counted, since a window would cut a try in two. A connection that breaks out of the band after many that did not may be
the right guess.

Timed jobs look the same: a login that is right and short has as many packets as one that is wrong. They come by the
clock, though, all day, and a guesser does not wait. So of our own hosts the busiest hour counts; those out there have
no jobs here, and all their tries count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.ragged import Ragged
from flowlens.detect.rows import finding_rows, no_findings, text_of_port
from flowlens.detect.scene import Scene
from flowlens.detect.scores import saturating_log
from flowlens.service import TCP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["ADMIN_PORTS", "BRUTE_FORCE"]

#: Where people log in to run a machine, or run it from another one (135: DCOM).
ADMIN_PORTS = frozenset({22, 23, 135, 139, 445, 2222, 3389, 5900, 5985, 5986})

# 135 only tells at which port to go on.
_SHELLS = ADMIN_PORTS - {135}
# Where programs log in, in short connections and many of them: nobody out there should at databases, files and
# proxies; mail, telephony and directories are there for that.
_INNER = frozenset({21, 1080, 1433, 1521, 3306, 5432, 6379, 9042, 27017})
_OUTER = frozenset({25, 110, 143, 389, 465, 587, 636, 993, 995, 5060})
_WEB = frozenset({80, 443, 8000, 8080, 8443, 8888})
_HOUR = 3_600

#: With fewer there is nothing that could be alike.
_FEWEST = 3
#: Between the fewest tries that count and many of them the score grows from here.
_FEW = 0.65
#: So much may be otherwise: networks lose packets.
_SLACK = 0.05
#: Packets of a session that a login began, as multiples of those of a guess.
_BREAKS_OUT = 3
_SUCCESS_BONUS = 0.2


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.sure & (ground.protocol == TCP) & ground.answered)
    within = (t.packets_out >= at["brute_force.packets"]) & (t.packets_out <= at["brute_force.many_packets"])
    unit = ["src", "dst", "dport", "protocol"]
    t = t.mutate(within=within, hour=t["first"] // _HOUR, far=t.packets_out > at["brute_force.many_packets"])
    pairs = t.group_by(unit).agg(
        interface_id=t.interface_id.min(),
        packets=t.packets_out.collect(),
        tries=t.within.cast("int64").sum(),
        largest=t.packets_out.max(),
        first_far=t["first"].min(where=t.far),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        first=t["first"].min(),
        last=t["last"].max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
    )
    pairs = pairs.filter(pairs.tries >= _FEWEST)
    tries = t.filter(t.within).inner_join(pairs.select(*unit, "first_far"), unit)
    # What begins in one window cannot be put in order.
    before = (tries["first"] <= tries.first_far).cast("int64")
    hourly = tries.group_by([*unit, "hour"]).agg(tries=tries.count(), before=before.sum())
    counted = hourly.group_by(unit).agg(
        tries_in_an_hour=hourly.tries.max(), tries_before=hourly.before.sum().fill_null(0)
    )
    found = pairs.inner_join(counted, unit)
    return found.select(
        srcaddr=pairs.src, dstaddr=pairs.dst, dstport=pairs.dport,
        **{name: pairs[name] for name in pairs.columns if name not in {"src", "dst", "dport"}},
        tries_in_an_hour=found.tries_in_an_hour, tries_before=found.tries_before,
    )  # fmt: skip


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if pairs.empty:
        return no_findings()
    at = scene.thresholds
    packets = Ragged.of(list(pairs["packets"]))
    flows, tries = pairs["flows"].to_numpy(float), pairs["tries"].to_numpy(float)
    middle = packets.median
    alike = (
        np.bincount(
            packets.owner,
            weights=np.abs(packets.numbers - middle[packets.owner]) <= np.maximum(3, 0.5 * middle[packets.owner]),
            minlength=len(flows),
        )
        / flows
    )
    inside, within_ours = pairs["from_inside"].to_numpy(bool), pairs["to_inside"].to_numpy(bool)
    few = at["brute_force.tries"]
    counted = np.where(inside, pairs["tries_in_an_hour"].to_numpy(float), tries)
    grown = saturating_log(counted, few, at["brute_force.many_tries"])
    volume = np.where(counted < few, _FEW * counted / few, _FEW + (1 - _FEW) * grown)
    in_band = tries / flows
    stability = np.minimum(1.0, (in_band + alike) / 2 + _SLACK)
    port = _port_factor(pairs, at)
    # A job from outside logs in by the clock, and so does one who takes care not to be noticed.
    slow = ~inside & (pairs["tries_in_an_hour"].to_numpy(float) < few)
    most = np.where(slow, at["brute_force.slow"], 1.0)
    # Who had long sessions before is an acquaintance, in whose name a job logs in now and then.
    broke_out = (pairs["largest"].to_numpy(float) > _BREAKS_OUT * middle) & (pairs["tries_before"].to_numpy() >= few)
    success = np.where(broke_out, _SUCCESS_BONUS, 0.0)
    role = np.where(inside, "actor", np.where(within_ours, "target", "neither"))
    return finding_rows(
        "brute_force",
        with_context(pairs, scene, "brute_force"),
        scene,
        subject=pairs["srcaddr"],
        terms={"volume": volume, "in_band": in_band, "alike": alike, "port": port, "most": most, "success": success},
        score=np.minimum(most, np.minimum(1.0, volume * stability * (1 + success)) * port),
        evidence={
            "tries": pairs["tries"].to_numpy(),
            "tries_in_an_hour": pairs["tries_in_an_hour"].to_numpy(),
            "connections": pairs["flows"].to_numpy(),
            "packets_median": middle,
            "packets_mad": packets.mad,
            "largest": pairs["largest"].to_numpy(),
            "role": role.tolist(),
            "possible_success": broke_out.tolist(),
        },
        why=[
            f"{src} opened {n:,} connections to {dst} at {text_of_port(dport, protocol)}, {within:,} of them as short "
            f"as a failed login, {half:g} packets in the median"
            + (f"; one has {most:,} packets: a guess may have been right" if out else "")
            for src, dst, dport, protocol, n, within, half, most, out in zip(
                pairs["srcaddr"], pairs["dstaddr"], pairs["dstport"], pairs["protocol"], pairs["flows"], pairs["tries"],
                middle.tolist(), pairs["largest"], broke_out.tolist(), strict=True,
            )
        ],
        technique="T1110.001",
        guardduty=[_guardduty(port) for port in pairs["dstport"]],
        caveat=[
            "; ".join(
                ["our host is the target, not the actor"] * (one == "target")
                + [f"no more than {_tries(n)} in an hour: a job that logs in by the clock looks the same"] * gently
            )
            for one, n, gently in zip(role.tolist(), pairs["tries_in_an_hour"], slow.tolist(), strict=True)
        ],
    )  # fmt: skip


def _tries(count: int) -> str:
    return f"{count:,} {'try' if count == 1 else 'tries'}"


def _port_factor(pairs: pd.DataFrame, at: Mapping[str, float]) -> np.ndarray:
    """Return what it means that somebody opens many short connections to a port.

    Our own hosts do at those of databases and mail, wherever these are, and at whatever port our applications have.
    Others do at those of mail: each server that delivers any, each telephone that looks for some.
    """
    inside = pairs["from_inside"].to_numpy(bool)
    among_ours = inside & pairs["to_inside"].to_numpy(bool)
    factors = []
    for port, ours, internal in zip(pairs["dstport"], inside.tolist(), among_ours.tolist(), strict=True):
        if port in _SHELLS:
            factors.append(1.0)
        elif port in _WEB:
            factors.append(at["brute_force.web_port"])
        elif internal or (ours and port in _INNER | _OUTER):
            factors.append(at["brute_force.own_service"])
        else:
            factors.append(1.0 if port in _INNER else at["brute_force.other_port"])
    return np.array(factors)


def _guardduty(port: int) -> str | None:
    return {
        22: "UnauthorizedAccess:EC2/SSHBruteForce",
        3389: "UnauthorizedAccess:EC2/RDPBruteForce",
        5985: "Impact:EC2/WinRMBruteForce",
        5986: "Impact:EC2/WinRMBruteForce",
    }.get(port)


BRUTE_FORCE = Detector(kind="brute_force", reduce=_reduce, judge=_judge)
