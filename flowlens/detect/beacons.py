"""Regular calls: a host that reports to somebody at a rhythm of its own.

Every published formula looks at the gaps between connections. Flow logs have windows instead of times: behind one of a
minute, two of five pairs look perfectly regular, behind one of ten minutes two of three. So gaps are judged only as far
as windows let them be known, a period of up to two windows counts as continuous, and every row says which period it
could have shown at least. The four parts are those of RITA v5 (activecm/rita, analysis/beacon.go), taken over hours
instead of over the data set, so that other traffic in the log does not change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.detect.alike import hosts_alike
from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.ragged import Ragged, dispersion, skew
from flowlens.detect.rows import finding_rows, no_findings, text_of_port, text_of_time
from flowlens.detect.scene import Scene
from flowlens.detect.scores import evidence_of
from flowlens.reduce.contacts import ENDS, PAIR, events
from flowlens.reduce.records import are_codes

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["BEACONS"]

_HOUR = 3_600
_DAY_OF_HOURS = 24
#: A connection that lasts as long without ever being silent has no rhythm to see, and should not go unsaid.
_LASTING = _HOUR
#: Gaps and sizes whose quartiles are closer than this are not skewed, as RITA has it.
_NARROW = 10.0
#: Callers from outside that are as regular count as alike.
_REGULAR = 0.5
#: So many events a connection are a heartbeat within it.
_HEARTBEATS = 4
#: Windows from the beginning of one event to that of the next, without which two cannot be told apart.
_WINDOWS_OF_A_PERIOD = 2
#: What the sentence about a pair needs of it.
_TOLD = (
    "srcaddr", "dstaddr", "dstport", "protocol", "answered", "refused", "events", "longest", "resolution",
)  # fmt: skip


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:
    t = events(flows, ground, "beacons")
    if are_codes(flows):
        t = _of_rated(t, at)
    pairs = t.group_by([*PAIR]).agg(
        interface_id=t.interface_id.min(),
        times=t.time.collect(),
        sizes=t["size"].collect(),
        events=t.count(),
        flows=t.opens.sum(),
        bytes=t["size"].sum().cast("!int64"),
        first=t.time.min(),
        last=t.time.max(),
        longest=t.lasted.max(),
        resolution=t.resolution.max().cast("int64"),
        answered=t.answered.cast("int64").sum(),
        refused=t.refused.cast("int64").sum(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
        provoked=t.provoked.min(),
    )
    return pairs.filter(_is_rated(pairs, at)).rename(srcaddr="src", dstaddr="dst", dstport="dport")


def _is_rated(pairs: ir.Table, at: Mapping[str, float]) -> ir.BooleanValue:
    return (pairs.events >= int(at["beacon.events"])) | (pairs.longest >= _LASTING)


def _of_rated(t: ir.Table, at: Mapping[str, float]) -> ir.Table:
    """Return the events of pairs that are rated. Most pairs have few: to collect those and drop them takes longer."""
    pairs = t.group_by([*PAIR]).agg(events=t.count(), longest=t.lasted.max())
    p = pairs.filter(_is_rated(pairs, at))
    ends = [t[name] == p[name] for name in ENDS]
    return t.semi_join(p, [*ends, t.dport.identical_to(p.dport), t.protocol.identical_to(p.protocol)])


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if pairs.empty:
        return no_findings()
    at = scene.thresholds
    window = pairs["resolution"].to_numpy(float)
    times, sizes = Ragged.of(list(pairs["times"])).distinct(), Ragged.of(list(pairs["sizes"]))
    gaps = times.gaps()
    count = times.counts
    # Half a window is what the edges of windows alone make gaps differ by.
    gap_deviation = np.maximum(0.0, np.nan_to_num(gaps.mad) - np.where(window > 1, window / 2, 0.0))
    timing = 0.5 * (1 - np.abs(skew(gaps, np.maximum(_NARROW, window))) + dispersion(gaps, gap_deviation, 1.0))
    size = 0.5 * (1 - np.abs(skew(sizes, _NARROW)) + dispersion(sizes, np.nan_to_num(sizes.mad), 0.0))
    steadiness, persistence = _over_hours(times, at["beacon.hours"])
    period = np.nan_to_num(gaps.median)
    evidence = evidence_of(count, at["beacon.half_evidence"])
    shortest = np.where(window > 1, _WINDOWS_OF_A_PERIOD * window, 2.0)
    few = count < at["beacon.events"]
    continuous = ~few & (period <= shortest)
    rhythm = np.where(few, 0.0, (timing + size + steadiness + persistence) / 4) * evidence
    rhythm = np.where(continuous, np.minimum(rhythm, at["beacon.continuous"]), rhythm)
    let_through = pairs["refused"].to_numpy(float) < pairs["events"].to_numpy(float)
    passed = np.where(let_through, 1.0, at["beacon.refused"])
    kept_open = pairs["flows"].to_numpy(float) < pairs["events"].to_numpy(float) / _HEARTBEATS
    heartbeat = np.where(kept_open, at["beacon.kept_open"], 1.0)
    # A popular destination is one that internal hosts seek at all; from outside all come to what is offered, and those
    # count that come regularly, as probes of health and clients of an interface do.
    inside = pairs["from_inside"].to_numpy(bool)
    gateways = pairs["srcaddr"].isin(scene.gateways).to_numpy(bool)
    alike = hosts_alike(pairs, (inside & ~gateways) | (~inside & (rhythm >= _REGULAR)))
    common = np.minimum(1.0, at["beacon.common"] / alike)
    terms = {
        "timing": np.where(few, 0.0, timing), "size": np.where(few, 0.0, size),
        "steadiness": np.where(few, 0.0, steadiness), "persistence": np.where(few, 0.0, persistence),
        "evidence": evidence, "passed": passed, "uncommon": common, "own_connections": heartbeat,
    }  # fmt: skip
    label = np.where(few, "insufficient", np.where(continuous, "continuous", "periodic"))
    units = with_context(pairs, scene, "beacon")
    return finding_rows(
        "beacon",
        units,
        scene,
        subject=pairs["srcaddr"],
        terms=terms,
        score=rhythm * passed * common * heartbeat,
        evidence={
            "class": label,
            "events": count,
            "period": period,
            "minimum_period": shortest,
            "window": window,
            "gap_mad": np.nan_to_num(gaps.mad),
            "size_median": np.nan_to_num(sizes.median),
            "size_mad": np.nan_to_num(sizes.mad),
            "connections": pairs["flows"].to_numpy(),
            "answered": pairs["answered"].to_numpy(),
            "hosts_alike": alike,
        },
        why=[
            _why(pair)
            for pair in pairs[[*_TOLD]]
            .assign(label=label, times_active=count, period=period, spread=np.nan_to_num(gaps.mad), shortest=shortest)
            .itertuples()
        ],
        technique=_technique(pairs),
        guardduty="Backdoor:EC2/C&CActivity.B",
        caveat=[
            f"windows of {text_of_time(w)} show no period up to {text_of_time(s)}" if w > 1 else ""
            for w, s in zip(window.tolist(), shortest.tolist(), strict=True)
        ],
    )  # fmt: skip


def _over_hours(times: Ragged, full: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how evenly events spread over the hours from first to last, and how many hours in a row have any."""
    hours = Ragged(np.floor(times.numbers / _HOUR), times.counts)
    each = hours.distinct()
    lists = len(times.counts)
    # How many events each hour has: from one first occurrence of an hour to the next.
    first = np.ones(len(hours.numbers), bool)
    first[1:] = (np.diff(hours.numbers) != 0) | (np.diff(hours.owner) != 0)
    counts = np.diff(np.append(np.flatnonzero(first), len(hours.numbers)))
    total = np.bincount(each.owner, weights=counts, minlength=lists)
    squares = np.bincount(each.owner, weights=counts.astype(float) ** 2, minlength=lists)
    last = each.numbers[np.clip(each.starts + each.counts - 1, 0, None)]
    spread = np.where(each.counts > 0, last - each.numbers[np.clip(each.starts, 0, len(each.numbers) - 1)] + 1, 1.0)
    mean = total / spread
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = np.sqrt(np.maximum(0.0, squares / spread - mean**2)) / mean
    steadiness = np.clip(1 - np.nan_to_num(variation, nan=1.0), 0.0, 1.0)
    run = _longest_run(each)
    persistence = np.minimum(1.0, np.maximum(run / full, each.counts / _DAY_OF_HOURS))
    return steadiness, persistence


def _longest_run(hours: Ragged) -> np.ndarray:
    """Return the longest stretch of consecutive hours of each list."""
    follows = np.zeros(len(hours.numbers), bool)
    follows[1:] = (np.diff(hours.numbers) == 1) & (np.diff(hours.owner) == 0)
    place = np.arange(len(hours.numbers))
    begun = np.maximum.accumulate(np.where(follows, 0, place))
    longest: np.ndarray = np.zeros(len(hours.counts))
    np.maximum.at(longest, hours.owner, place - begun + 1)
    return longest


def _technique(pairs: pd.DataFrame) -> list[str]:
    # Non-standard port, or an application protocol at its own one: https://attack.mitre.org/techniques/T1571/
    usual = pairs["dstport"].isin([80, 443, 53, 22, 25, 123, 993, 587]).to_numpy(bool)
    return ["T1071" if one else "T1571" for one in usual]


def _why(pair: Any) -> str:  # noqa: ANN401 - a row of itertuples
    between = f"{pair.srcaddr} to {pair.dstaddr} at {text_of_port(pair.dstport, pair.protocol)}"
    silent = "" if pair.answered else ", refused each time" if pair.refused >= pair.events else ", never answered"
    if pair.label == "insufficient":
        seen = f"active {pair.times_active} time{'' if pair.times_active == 1 else 's'}"
        kept = f", the longest without silence for {text_of_time(pair.longest)}" if pair.longest >= _LASTING else ""
        return f"{between}: {seen}{kept}{silent}: no period can be told; see long_conversations"
    if pair.label == "continuous":
        blind = f", which windows of {text_of_time(pair.resolution)} cannot show" if pair.resolution > 1 else ""
        often = ", mostly in each window or every other one" if pair.resolution > 1 else ""
        return (
            f"{between}: active {pair.times_active} times{often}{silent}: its period is not above "
            f"{text_of_time(pair.shortest)}{blind}"
        )
    period, spread = text_of_time(pair.period), text_of_time(pair.spread)
    return (
        f"{between}: {pair.times_active} times, every {period} in the median (half of the gaps within {spread} of it)"
        f"{silent}"
    )


BEACONS = Detector(kind="beacon", reduce=_reduce, judge=_judge)
