"""Exfiltration: a host sends out far more than it usually does, to somebody new, and gets little back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from flowlens.amounts import in_si
from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.ragged import Ragged
from flowlens.detect.rows import finding_rows, no_findings
from flowlens.detect.scene import Scene
from flowlens.detect.scores import saturating, saturating_log
from flowlens.reduce.contacts import present, spread

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["VOLUME_SPIKES"]

_HOUR, _DAY_OF_HOURS = 3_600, 24
#: How much each term counts.
_DEVIATION, _VOLUME, _NOVELTY = 0.4, 0.4, 0.2
#: Hours of a host in the log, without which nothing of it is unusual or new.
_HOURS_OF_HISTORY = 3
#: A pair has a habit from so many days on. Hours in a row are none: a theft that lasts would become usual by that.
_DAYS_OF_HABIT = 3
#: The deviation of a normal distribution from its MAD, and the least deviation that hours have: a factor of e.
_SIGMA, _LEAST_DEVIATION = 1.4826, 1.0


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:
    # Rates are whole bytes: their sums are the same in whatever order an engine adds them.
    outward = ground.filter(ground.from_inside & ~ground.to_inside & ~ground.to_special)
    s = spread(flows, outward, _HOUR, "volume_spikes", ["src", "dst", "interface_id"])
    hourly = s.group_by(["src", "dst", "step"]).agg(
        interface_id=s.interface_id.min(),
        rate=(s.bytes_out * _HOUR // s.lasts).sum().cast("!int64"),
        rate_in=(s.bytes_in * _HOUR // s.lasts).sum().cast("!int64"),
        bytes=(s.bytes_out * s.once).sum().cast("!int64"),
        bytes_in=(s.bytes_in * s.once).sum().cast("!int64"),
        flows=s.opens.sum(),
        first=s["first"].min(),
        last=s["last"].max(),
    )
    # Few pairs ever send so much: only their hours are put in order.
    spikes = hourly.filter(hourly.rate >= int(at["volume_spike.bytes"])).select("src", "dst").distinct()
    highest = ibis.window(group_by=["src", "dst"], order_by=[ibis.desc("rate"), "step"])
    p = hourly.semi_join(spikes, ["src", "dst"]).mutate(peak=ibis.row_number().over(highest) == 0)
    pairs = p.group_by(["src", "dst"]).agg(
        interface_id=p.interface_id.min(),
        rates=p.rate.collect(),
        peak=p.rate.max(),
        peak_in=p.rate_in.max(where=p.peak),
        began=p.step.min(),
        days=(p.step // _DAY_OF_HOURS).nunique(),
        bytes=p.bytes.sum().cast("!int64"),
        bytes_in=p.bytes_in.sum().cast("!int64"),
        flows=p.flows.sum(),
        first=p["first"].min(),
        last=p["last"].max(),
    )
    # One who downloads sends acknowledgements, and many of them.
    large = pairs.filter(pairs.peak > pairs.peak_in)
    hosts = present(ground).rename(host="address", host_began="began", host_ended="ended")
    known = large.inner_join(hosts, large.src == hosts.host).drop("host")
    others = _to_others(hourly, large)
    joined = known.left_join(others, [known.src == others.from_host, known.dst == others.beside])
    return joined.drop("from_host", "beside").rename(srcaddr="src", dstaddr="dst")


def _to_others(hourly: ir.Table, large: ir.Table) -> ir.Table:
    """Return for each large pair what its source sent to everybody else, hour by hour.

    So a transfer of many hours is not compared with itself.
    """
    of_host = hourly.group_by(["src", "step"]).agg(all_rate=hourly.rate.sum().cast("!int64"))
    large = large.select(from_host="src", beside="dst")
    beside = large.inner_join(of_host, large.from_host == of_host.src).drop("src")
    own = hourly.select(own_src="src", own_dst="dst", own_step="step", own_rate="rate")
    both = beside.left_join(
        own, [beside.from_host == own.own_src, beside.beside == own.own_dst, beside.step == own.own_step]
    )
    rest = both.select("from_host", "beside", rest=both.all_rate - both.own_rate.fill_null(0))
    return rest.group_by(["from_host", "beside"]).agg(rest=rest.rest.collect())


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if pairs.empty:
        return no_findings()
    at = scene.thresholds
    peak, peak_in = pairs["peak"].to_numpy(float), pairs["peak_in"].to_numpy(float)
    host_began = pairs["host_began"].to_numpy(np.int64) // _HOUR
    hours_of_host = pairs["host_ended"].to_numpy(np.int64) // _HOUR - host_began + 1
    hours_of_pair = np.array([len(rates) for rates in pairs["rates"]])
    history = pairs["began"].to_numpy(np.int64) - host_began
    of_host = _deviation(_with_silence(list(pairs["rest"]), hours_of_host), peak)
    of_pair = _deviation([np.sort(rates)[:-1] for rates in pairs["rates"]], peak)
    # One that was there from the beginning is not new either; of that, hours are enough.
    habit = (pairs["days"].to_numpy() >= _DAYS_OF_HABIT) | (
        (hours_of_pair > _HOURS_OF_HISTORY) & (history < _HOURS_OF_HISTORY)
    )
    deviation = np.where(habit, np.minimum(of_host, of_pair), of_host)
    unusual = saturating(deviation, at["volume_spike.deviation"], at["volume_spike.large_deviation"])
    one_way = np.maximum(0.0, (peak - peak_in) / np.maximum(1.0, peak + peak_in))
    novelty = np.where(habit, 0.0, saturating(history, 0, _HOURS_OF_HISTORY))
    volume = saturating_log(peak, at["volume_spike.bytes"], at["volume_spike.many_bytes"])
    known = hours_of_host >= _HOURS_OF_HISTORY
    return finding_rows(
        "volume_spike",
        with_context(pairs.assign(from_inside=True, to_inside=False), scene, "volume_spike"),
        scene,
        subject=pairs["srcaddr"],
        terms={"deviation": unusual, "volume": volume, "novelty": novelty, "one_way": one_way},
        score=(_DEVIATION * unusual + _VOLUME * volume + _NOVELTY * novelty * volume) * one_way,
        evidence={
            "bytes_an_hour": peak,
            "bytes_in_that_hour": peak_in,
            "bytes_out": pairs["bytes"].to_numpy(),
            "bytes_in": pairs["bytes_in"].to_numpy(),
            "deviation_of_host": of_host,
            "deviation_of_pair": np.where(habit, of_pair, np.nan),
            "hours_of_pair": hours_of_pair,
            "days_of_pair": pairs["days"].to_numpy(),
            "hours_before": history,
        },
        why=[
            f"{src} sent {dst} {in_si(total, 'B')} ({in_si(rate, 'B')} in one hour), {_against(z, told, used)}, and "
            f"got {in_si(got, 'B')} back{'; it had not talked to it before' if new >= 1 else ''}"
            for src, dst, total, rate, z, told, used, got, new in zip(
                pairs["srcaddr"], pairs["dstaddr"], pairs["bytes"].tolist(), peak.tolist(), deviation.tolist(),
                known.tolist(), habit.tolist(), pairs["bytes_in"].tolist(), novelty.tolist(), strict=True,
            )
        ],
        technique="T1048",
        guardduty="Behavior:EC2/TrafficVolumeUnusual",
        caveat=[
            "the host is in the log for too short a time to know what is usual"
            if not told
            else f"these two talked on {days} days; from {_DAYS_OF_HABIT} on it would be a habit"
            if 1 < days < _DAYS_OF_HABIT and not used
            else ""
            for told, days, used in zip(known.tolist(), pairs["days"].tolist(), habit.tolist(), strict=True)
        ],
    )  # fmt: skip


def _against(deviation: float, known: bool, habit: bool) -> str:
    if not known:
        return "of a host whose usual hours are not known"
    return f"{deviation:.1f} deviations from the usual hours of {'these two' if habit else 'this host'}"


def _with_silence(rates: Sequence[np.ndarray], hours: np.ndarray) -> list[np.ndarray]:
    """Add the hours in which a host sent nothing outside."""
    return [
        np.append(some, np.zeros(max(0, total - len(some))))
        for some, total in zip(rates, hours.tolist(), strict=True)
    ]  # fmt: skip


def _deviation(hours: Sequence[np.ndarray], peak: np.ndarray) -> np.ndarray:
    """Return how far a peak is from hours in robust deviations of their logarithms, 0 from too few of them."""
    lists = Ragged.of([np.log1p(np.asarray(some, float)) for some in hours])
    away = np.log1p(peak) - np.nan_to_num(lists.median)
    spread_of = np.maximum(_LEAST_DEVIATION, _SIGMA * np.nan_to_num(lists.mad))
    return np.where(lists.counts >= _HOURS_OF_HISTORY, away / spread_of, 0.0)


VOLUME_SPIKES = Detector(kind="volume_spike", reduce=_reduce, judge=_judge)
