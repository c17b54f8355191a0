"""Beacons exactly as RITA v5 scores them, to compare with what is known from there.

activecm/rita, analysis/beacon.go, as of January 2026: the mean of four parts over all connections of two hosts,
whatever their ports. Its own test expects 0.963 of 73.54.23.243 and 64.225.56.201 in the capture *missing_host*, 331
connections; so do the tests here. On windows of flow logs it finds far too much; `beacons` is what that needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.detector import Detector
from flowlens.detect.ragged import Ragged, dispersion, skew
from flowlens.detect.rows import finding_rows, no_findings, text_of_time
from flowlens.detect.scene import Scene

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["RITA"]

_BINS = 24
_MINIMUM_TIMES = 4
_STROBE = 86_400  # connections: too many for a beacon
_STROBE_SCORE = 0.8
_NARROW = 10.0
_BARS_OF_TWO_HEIGHTS, _HEIGHT_BUCKET = 11, 0.05
_BARS_OF_A_DURATION, _HOURS_IN_A_ROW = 6, 12.0


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground
    pairs = t.group_by(["src", "dst"]).agg(
        times=t["first"].collect(),
        sizes=t.bytes_out.collect(),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        first=t["first"].min(),
        last=t["last"].max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
    )
    return pairs.filter(pairs.flows >= _MINIMUM_TIMES).rename(srcaddr="src", dstaddr="dst")


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    times = Ragged.of(list(pairs["times"])).distinct() if len(pairs) else Ragged.of([])
    enough = (times.counts >= _MINIMUM_TIMES) | (pairs["flows"].to_numpy(np.int64) >= _STROBE)
    pairs = pairs[enough].reset_index(drop=True)
    if pairs.empty:
        return no_findings()
    times, sizes = Ragged.of(list(pairs["times"])).distinct(), Ragged.of(list(pairs["sizes"]))
    gaps = times.gaps()
    skewness, deviation = skew(gaps, _NARROW), gaps.mad
    timing = _rounded(0.5 * (1 - np.abs(skewness) + dispersion(gaps, deviation, 1.0)))
    size = _rounded(0.5 * (1 - np.abs(skew(sizes, _NARROW)) + dispersion(sizes, sizes.mad, 0.0)))
    bars = _bars(times, scene.span)
    histogram, duration = _histogram(bars), _duration(bars, times, scene.span)
    beacon = _rounded((timing + size + histogram + duration) / 4)
    strobe = pairs["flows"].to_numpy(np.int64) >= _STROBE
    score = np.where(strobe, _STROBE_SCORE, beacon)
    return finding_rows(
        "beacon",
        # As RITA has it: nothing is lowered, nor is it known which records an interface lost.
        pairs.assign(context=1.0, notes=""),
        scene,
        subject=pairs["srcaddr"],
        terms={"timestamp": timing, "data_size": size, "histogram": histogram, "duration": duration},
        score=score,
        evidence={
            "connections": pairs["flows"].to_numpy(),
            "skew": skewness,
            "mad": np.nan_to_num(deviation),
            "median": np.nan_to_num(gaps.median),
            "size_median": sizes.median,
            "threat": np.where(strobe, _STROBE_SCORE, _threat(beacon)),
        },
        why=[
            f"{src} to {dst}: {n} connections, every {text_of_time(period)} in the median; RITA's score is {one:g}"
            for src, dst, n, period, one in zip(
                pairs["srcaddr"],
                pairs["dstaddr"],
                pairs["flows"],
                np.nan_to_num(gaps.median).tolist(),
                score.tolist(),
                strict=True,
            )
        ],
        technique="T1071",
        guardduty="Backdoor:EC2/C&CActivity.B",
        caveat=["RITA's formula takes times as exact; windows of a flow log look regular to it"] * len(pairs),
    )


def _bars(times: Ragged, span: tuple[int, int]) -> np.ndarray:
    """Count connections of each pair in 24 equal parts of the log."""
    length = max(1, span[1] - span[0])
    bins = np.clip(((times.numbers - span[0]) / length * _BINS).astype(np.int64), 0, _BINS - 1)
    bars: np.ndarray = np.bincount(times.owner * _BINS + bins, minlength=len(times.counts) * _BINS)
    return bars.reshape(-1, _BINS)


def _rounded(part: np.ndarray) -> np.ndarray:
    """Round to three places, halves up, as Go does."""
    rounded: np.ndarray = np.floor(part * 1000 + 0.5) / 1000
    return rounded


def _histogram(bars: np.ndarray) -> np.ndarray:
    even = np.maximum(0.0, 1 - bars.std(axis=1) / bars.mean(axis=1))
    histogram: np.ndarray = _rounded(np.maximum(even, _two_heights(bars)))
    return histogram


def _two_heights(bars: np.ndarray) -> np.ndarray:
    """Return the share of bars that have one of the two commonest heights; one that has none is forgiven."""
    filled = bars > 0
    step = np.ceil(bars.max(axis=1, initial=0) * _HEIGHT_BUCKET)
    heights = (bars // np.maximum(1.0, step)[:, None]).astype(np.int64)
    # The tallest is at most 1 / 5 % = 20 steps high.
    wide = int(1 / _HEIGHT_BUCKET) + 1
    places = np.arange(len(bars))[:, None] * wide + heights
    counts = np.bincount(places[filled], minlength=len(bars) * wide).reshape(-1, wide)
    common = np.sort(counts, axis=1)[:, -2:].sum(axis=1)
    share = np.minimum(1.0, common / np.maximum(1, filled.sum(axis=1) - 1))
    shares: np.ndarray = np.where(filled.sum(axis=1) >= _BARS_OF_TWO_HEIGHTS, share, 0.0)
    return shares


def _duration(bars: np.ndarray, times: Ragged, span: tuple[int, int]) -> np.ndarray:
    filled = bars > 0
    last = times.numbers[times.starts + times.counts - 1]
    covered = (last - times.numbers[times.starts]) / max(1, span[1] - span[0])
    # A run may go on from the end of the day to its beginning.
    run, longest = np.zeros(len(bars)), np.zeros(len(bars))
    for hour in range(2 * _BINS):
        run = np.where(filled[:, hour % _BINS], run + 1, 0)
        longest = np.maximum(longest, np.minimum(run, _BINS))
    # RITA rounds this part up.
    duration = np.minimum(1.0, np.ceil(np.maximum(covered, longest / _HOURS_IN_A_ROW) * 1000) / 1000)
    return np.where(filled.sum(axis=1) >= _BARS_OF_A_DURATION, duration, 0.0)


def _threat(score: np.ndarray) -> np.ndarray:
    """Return RITA's scale of threat: 0 below a score of 0.5, then 0.2, 0.4, 0.6 and 0.8 at 0.5, 0.7, 0.9 and 1."""
    scale = np.interp(score, [0.5, 0.7, 0.9, 1.0], [0.2, 0.4, 0.6, 0.8])
    threat: np.ndarray = np.where(score < 0.5, 0.0, scale)
    return threat


RITA = Detector(kind="beacon", reduce=_reduce, judge=_judge)
