"""Floods: many packets a second that nobody answers, or small questions with large answers.

What makes a flood is a rate and a burst. The burst is MIDAS's chi-square of a minute against the hour before (Bhatia et
al. 2020), with MIDAS-F's care for the baseline: a burst is not merged into it, so that an attack does not become usual
by lasting. MIDAS counts connections. Packets come in thousands, of which any small change is significant, so that it
also counts how much of the minute is above the usual.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings
from flowlens.detect.scene import Scene
from flowlens.detect.scores import saturating_log
from flowlens.reduce.contacts import spread
from flowlens.service import TCP, UDP, protocol_name

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["FLOODS"]

_TICK = 60
_TICKS_BEFORE = 60
#: Packets are counted in thousandths: sums of whole numbers are the same in whatever order an engine adds them.
_THOUSANDTHS = 1_000
#: Answers that are larger than their questions by so much make a reflector of a host.
_AMPLIFIED = 10
#: https://www.cisa.gov/news-events/alerts/2014/01/17/udp-based-amplification-attacks
_REFLECTING = (17, 19, 53, 111, 123, 137, 161, 389, 520, 1900, 5353, 11211)
#: A direction with so many times the packets of the other is one that nobody answers.
_ONE_SIDED = 10
#: A minute of which this is above the usual, significantly, is a burst.
_BURST = 0.5
#: TCP that nobody answers is no stream of anything, as syslog or video of UDP are: however long it has lasted.
_NEVER_USUAL = 0.5
#: One that sends so much of a flood is its source; around it goes on what always goes on.
_MOST = 0.9

_UNIT = ["victim", "protocol", "reflected", "from_us", "to_us"]


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:
    """Return one row a minute of each victim that may be flooded."""
    one_sided = _one_sided(ground, at["flood.rate"])
    s = spread(flows, one_sided, _TICK, "floods", [*_UNIT, "other", "interface_id", "dport"])
    s = s.mutate(
        packets_sent=s.reflected.ifelse(s.packets_in, s.packets_out),
        bytes_sent=s.reflected.ifelse(s.bytes_in, s.bytes_out),
    )
    of_source = s.group_by([*_UNIT, "step", "other"]).agg(
        interface_id=s.interface_id.min(),
        packets=(s.packets_sent * (_TICK * _THOUSANDTHS) // s.lasts).sum().cast("!int64"),
        sent=(s.bytes_sent * (_TICK * _THOUSANDTHS) // s.lasts).sum().cast("!int64"),
        bytes=(s.bytes_sent * s.once).sum().cast("!int64"),
        flows=s.opens.sum(),
        ports=s.dport.nunique(),
    )
    most = ibis.window(group_by=[*_UNIT, "step"], order_by=[ibis.desc("packets"), "other"])
    o = of_source.mutate(first_of_all=ibis.row_number().over(most) == 0)
    ticks = o.group_by([*_UNIT, "step"]).agg(
        interface_id=o.interface_id.min(),
        source=o.other.min(where=o.first_of_all),
        of_source=o.packets.max(),
        sources=o.count(),
        ports=o.ports.max(),
        packets=o.packets.sum().cast("!int64"),
        sent=o.sent.sum().cast("!int64"),
        bytes=o.bytes.sum().cast("!int64"),
        flows=o.flows.sum(),
    )
    peaked = ticks.mutate(peak=ticks.packets.max().over(ibis.window(group_by=_UNIT)))
    line = int(at["flood.rate"] * _TICK * _THOUSANDTHS)
    return peaked.filter(peaked.peak >= line).drop("peak").rename(dstaddr="victim")


def _one_sided(ground: ir.Table, rate: float) -> ir.Table:
    """Return the contacts that a flood can consist of: `victim`, the `other` one, and what that one sent."""
    t = ground.filter(~ground.to_special)
    unanswered = ibis.ifelse(t.protocol == TCP, ~t.answered, t.packets_out > _ONE_SIDED * t.packets_in)
    amplified = (
        (t.protocol == UDP)
        & (t.dport.isin(_REFLECTING) | t.sport.isin(_REFLECTING))
        & (t.bytes_in > _AMPLIFIED * t.bytes_out)
    )
    # A reflector floods the one that seems to have asked. One of ours that gets answers did ask, or is a victim.
    reflected = amplified & (t.to_inside | (t.packets_in > _ONE_SIDED * t.packets_out))
    t = t.mutate(
        victim=reflected.ifelse(t.src, t.dst),
        other=reflected.ifelse(t.dst, t.src),
        reflected=reflected,
        from_us=reflected.ifelse(t.to_inside, t.from_inside),
        to_us=reflected.ifelse(t.from_inside, t.to_inside),
    ).filter(unanswered | reflected)
    # Who got less in all than one minute of a flood was not flooded. Most are gone by that.
    in_all = t.group_by(_UNIT).agg(packets=t.reflected.ifelse(t.packets_in, t.packets_out).sum())
    return t.semi_join(in_all.filter(in_all.packets >= int(rate * _TICK)), _UNIT)


def _judge(ticks: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if ticks.empty:
        return no_findings()
    at = scene.thresholds
    unit = ["dstaddr", *_UNIT[1:]]
    ticks = ticks.sort_values([*unit, "step"], kind="stable").reset_index(drop=True)
    number = ticks.groupby(unit, dropna=False, sort=False).ngroup().to_numpy()
    packets = ticks["packets"].to_numpy(np.int64) / _THOUSANDTHS
    rate = saturating_log(packets / _TICK, at["flood.rate"], at["flood.high_rate"])
    chi, burst, before = _bursts(number, ticks, _begun(number, ticks, scene), at["flood.burst"])
    steady = np.where((ticks["protocol"] == TCP).fillna(False).to_numpy(bool), _NEVER_USUAL, 0.0)
    term = np.maximum(burst, steady)
    score = np.where(packets / _TICK >= at["flood.rate"], (0.4 + 0.6 * rate) * term, 0.0)
    worst = _firsts(number, np.lexsort((ticks["step"], -score.round(12), number)))
    # When it was: minutes that were bursts, and the worst in any case.
    counts = (burst >= _BURST) & (score > 0)
    counts[worst] = True
    sums = ticks[counts].groupby(number[counts]).agg(
        began=("step", "min"), ended=("step", "max"), flows=("flows", "sum"), bytes=("bytes", "sum"),
        minutes=("step", "size"), sources=("sources", "max"),
    )  # fmt: skip
    found = ticks.loc[worst].reset_index(drop=True).drop(columns=["flows", "bytes", "sources"])
    found = found.join(sums.reset_index(drop=True))
    alone = (found["of_source"] >= _MOST * found["packets"]).to_numpy(bool)
    source = found["source"].astype(object).where(alone, None)
    found = found.assign(
        srcaddr=source, from_inside=found["from_us"], to_inside=found["to_us"],
        first=pd.to_datetime(found["began"] * _TICK, unit="s", utc=True),
        last=pd.to_datetime((found["ended"] + 1) * _TICK, unit="s", utc=True),
    )  # fmt: skip
    ours, reflected = found["from_us"].to_numpy(bool), found["reflected"].to_numpy(bool)
    kinds = [
        "answers of reflectors" if mirrored else f"{protocol_name(protocol)} packets that nobody answers"
        for mirrored, protocol in zip(reflected, found["protocol"], strict=True)
    ]
    highest = packets[worst] / _TICK
    return finding_rows(
        "flood",
        with_context(found, scene, "flood"),
        scene,
        subject=np.where(ours & alone, source, found["dstaddr"].astype(object)),
        terms={"rate": rate[worst], "burst": term[worst]},
        score=score[worst],
        evidence={
            "packets_a_second": highest,
            "usual": before[worst],
            "chi_square": chi[worst],
            "minutes": found["minutes"].to_numpy(),
            "sources": found["sources"].to_numpy(),
            "ports": found["ports"].to_numpy(),
            "bytes_a_packet": found["sent"].to_numpy(float) / found["packets"].to_numpy(float),
            "kind": kinds,
        },
        why=[
            f"{dst} got {n:,.0f} {kind} a second from {src if one else f'{many:,} sources'}, "
            + ("in the first minute of the log" if np.isnan(usual) else f"before that {usual:,.0f}")
            for dst, n, kind, src, one, many, usual in zip(
                found["dstaddr"], highest.tolist(), kinds, source, alone.tolist(), found["sources"],
                before[worst].tolist(), strict=True,
            )
        ],
        technique=np.where(reflected, "T1498.002", "T1498.001").tolist(),
        guardduty=[
            _guardduty(protocol) if one else None for protocol, one in zip(found["protocol"], ours, strict=True)
        ],
    )  # fmt: skip


def _begun(number: np.ndarray, ticks: pd.DataFrame, scene: Scene) -> np.ndarray:
    """Return the first minute in which each unit could have been seen: that of the log of its interface."""
    since = np.array([scene.since.get(interface, scene.span[0]) for interface in ticks["interface_id"]], np.int64)
    first: np.ndarray = (pd.Series(since).groupby(number).transform("min") // _TICK).to_numpy(np.int64)
    return first


def _firsts(number: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the places of what comes first of each number."""
    first: np.ndarray = order[np.flatnonzero(np.diff(number[order], prepend=-1))]
    return first


def _bursts(
    number: np.ndarray, ticks: pd.DataFrame, begun: np.ndarray, line: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each minute its chi-square, how much of a burst it is, and the packets a second before it.

    Minutes before the log are not known, so that in its first one nothing is a burst.
    """
    chi, burst, usual = np.zeros(len(ticks)), np.zeros(len(ticks)), np.zeros(len(ticks))
    kept: deque[tuple[int, float]] = deque()
    total, current = 0.0, -1
    steps, counts = ticks["step"].tolist(), (ticks["packets"] / _THOUSANDTHS).tolist()
    for place, (unit, step, count, known) in enumerate(
        zip(number.tolist(), steps, counts, begun.tolist(), strict=True)
    ):
        if unit != current:
            kept.clear()
            total, current = 0.0, unit
        while kept and kept[0][0] < step - _TICKS_BEFORE:
            total -= kept.popleft()[1]
        before = max(0, min(_TICKS_BEFORE, step - known))
        mean = max(0.0, total) / before if before else count
        if count > mean:
            chi[place] = _chi_square(count, max(0.0, total), before)
            burst[place] = (1 - np.exp(-chi[place] / line)) * (1 - mean / count)
        usual[place] = mean / _TICK if before else np.nan
        merged = mean if burst[place] >= _BURST else count
        kept.append((step, merged))
        total += merged
    return chi, burst, usual


def _chi_square(count: float, before: float, minutes: int) -> float:
    """Return MIDAS's (a - s/t)² t² / (s (t - 1)): `count` is a, s all that is in t minutes, this one included."""
    everything, length = before + count, minutes + 1
    return (count - everything / length) ** 2 * length**2 / (everything * minutes)


def _guardduty(protocol: int) -> str:
    kind = {TCP: "Tcp", UDP: "Udp"}.get(protocol, "UnusualProtocol")
    return f"Backdoor:EC2/DenialOfService.{kind}"


FLOODS = Detector(kind="flood", reduce=_reduce, judge=_judge)
