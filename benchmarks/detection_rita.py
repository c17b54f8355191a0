"""RITA v5 by hand: its beacon score and its long connections, restated from `analysis/beacons.go` and `analysis.go`.

https://github.com/activecm/rita, read in January 2026. RITA takes connections of Zeek; here they are the rows of
`df.flow.conversations()`. It scores pairs in both directions, as RITA does with `filter_external_to_internal` off; what
it knows of names, hosts and threat lists is not in flow logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.detection_units import Floats, Integers, seconds_of

__all__ = ["BeaconParts", "beacon_parts", "look_backs", "rita_beacon", "rita_long_connection"]

_HOUR, _DAY = 3600, 86_400
_PAIR = ["initiator", "responder"]
_BINS = 24

# Defaults of RITA's configuration.
_DISTINCT_TIMES = 4
_STROBE = 86_400  # connections from which on RITA speaks of a strobe and does not look for a beacon
_HEIGHTS = 0.05  # of the tallest bar: bars of the histogram that differ by less are of one height
_FORGIVEN_BARS, _BARS_FOR_HEIGHTS, _BARS_FOR_DURATION, _CONSTANT_HOURS = 1, 11, 6, 12

#: Hours of connection, and the threat that they are on RITA's scale; from the last on it is as high as it gets.
_LONG_HOURS, _THREAT = (1, 4, 8, 12), (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class BeaconParts:
    """The four parts of a beacon score, equal in weight, and the numbers behind the first."""

    timestamp: float
    data_size: float
    histogram: float
    duration: float
    skew: float
    mad: float
    median: float

    @property
    def score(self) -> float:
        return _rounded((self.timestamp + self.data_size + self.histogram + self.duration) / 4)


def rita_beacon(conversations: pd.DataFrame) -> pd.DataFrame:
    """Score each pair by the four parts of RITA; the driving number is that of its connections.

    RITA looks back 24 hours from the newest connection. Of a longer log, each day is looked at as if it was the last,
    as a user does who imports every day, and a pair keeps its best day.
    """
    times = seconds_of(conversations["first"])
    days = [
        _beacons_of(conversations[(times >= _hour_of(begin)) & (times <= end)], begin, end)
        for begin, end in look_backs(int(times.min()), int(times.max()))
    ]
    found = pd.concat(days, ignore_index=True).sort_values("score", ascending=False, kind="stable")
    return _as_pairs(found.drop_duplicates(_PAIR))


def look_backs(oldest: int, newest: int) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end of each day, counted back from the newest, in seconds."""
    for end in range(newest, oldest - 1, -_DAY):
        yield end - _DAY, end


def _hour_of(seconds: int) -> int:
    """RITA keeps times by the hour, so that a day also holds what came before its begin in the same hour."""
    return seconds // _HOUR * _HOUR


def _as_pairs(found: pd.DataFrame) -> pd.DataFrame:
    return found.rename(columns={"initiator": "srcaddr", "responder": "dstaddr"})


def _beacons_of(conversations: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
    rows = []
    columns = conversations.assign(seconds=seconds_of(conversations["first"]))
    for pair, connections in columns.groupby(_PAIR, sort=True):
        times = np.sort(connections["seconds"].to_numpy())
        if len(np.unique(times)) >= _DISTINCT_TIMES and len(times) < _STROBE:
            parts = beacon_parts(times, connections["bytes_out"].to_numpy(), begin, end)
            rows.append((*pair, parts.score, len(times), *astuple(parts)))
    names = [*_PAIR, "score", "number", *BeaconParts.__dataclass_fields__]
    return pd.DataFrame(rows, columns=names)


def beacon_parts(times: Integers, sizes: npt.ArrayLike, begin: int, end: int) -> BeaconParts:
    """Score one pair by the sorted times and the bytes of its connections, in a data set from `begin` to `end`."""
    gaps = np.diff(times)
    timestamp, skew, mad, median = _evenness(gaps[gaps > 0].astype(np.float64), of_tiny=1.0)
    data_size, *_ = _evenness(np.asarray(sizes, dtype=np.float64), of_tiny=0.0)
    # What lies before the begin counts in the first bar.
    within = np.clip(times, begin, end)
    bars, _ = np.histogram(within, bins=_BINS, range=(begin, end))
    return BeaconParts(
        timestamp, data_size, max(_flatness(bars), _two_heights(bars)), _duration(bars, times, begin, end),
        skew, mad, median,
    )  # fmt: skip


def _evenness(values: Floats, *, of_tiny: float) -> tuple[float, float, float, float]:
    """Return how symmetric and how narrow values lie, with Bowley's skew, the MAD and the median behind it.

    Where the median is below 1, nothing can be divided by it, and narrowness is `of_tiny`.
    """
    low, median, high = _quartiles(np.sort(values))
    spread = high - low
    # A narrow middle has no shape worth a penalty.
    shapeless = spread < 10 or median in (low, high)
    skew = 0.0 if shapeless else (low + high - 2 * median) / spread
    mad = float(np.median(np.abs(values - median)))
    narrow = of_tiny if median < 1 else max(0.0, (median - mad) / median)
    return _rounded((1 - abs(skew) + narrow) / 2), skew, mad, median


def _quartiles(ordered: Floats) -> tuple[float, float, float]:
    """Return the median of the lower half, of all, and of the upper half; of an odd number the middle is in neither."""
    half = len(ordered) // 2
    lower, upper = ordered[:half], ordered[len(ordered) - half :]
    return float(np.median(lower)), float(np.median(ordered)), float(np.median(upper))


def _flatness(bars: Integers) -> float:
    """One less the coefficient of variation of the bars, empty ones included."""
    return _rounded(max(0.0, 1 - float(np.std(bars) / np.mean(bars))))


def _two_heights(bars: Integers) -> float:
    """Return the share of bars that are of the two most common heights, one bar forgiven."""
    filled = bars[bars > 0]
    if len(filled) < _BARS_FOR_HEIGHTS:
        return 0.0
    step = np.ceil(filled.max() * _HEIGHTS)
    _, counts = np.unique(filled // step, return_counts=True)
    return min(1.0, _rounded(float(np.sort(counts)[-2:].sum()) / (len(filled) - _FORGIVEN_BARS)))


def _duration(bars: Integers, times: Integers, begin: int, end: int) -> float:
    """Return the larger of the share of the data set between first and last, and of 12 hours that are all used."""
    if np.count_nonzero(bars) < _BARS_FOR_DURATION:
        return 0.0
    covered = (times[-1] - times[0]) / (end - begin)
    return float(min(1.0, np.ceil(max(covered, _longest_run(bars) / _CONSTANT_HOURS) * 1000) / 1000))


def _longest_run(bars: Integers) -> int:
    """Count the longest run of bars that are not empty, where the last is followed by the first."""
    longest = run = 0
    for filled in [*(bars > 0), *(bars > 0)]:
        run = run + 1 if filled else 0
        longest = max(longest, run)
    return min(longest, len(bars))


def _rounded(value: float) -> float:
    """Round to three places, halves up, as Go does."""
    return float(np.floor(value * 1000 + 0.5) / 1000)


def rita_long_connection(conversations: pd.DataFrame) -> pd.DataFrame:
    """Score each pair by the hours that its connections last in all; the driving number is these hours.

    RITA's scale ends at 0.8, high threat, at 12 hours: here that is 1.0, and what RITA says is `threat`. RITA counts an
    open connection anew with every import; here a conversation is cut where a day ends, and a pair keeps its longest.
    """
    first, last = seconds_of(conversations["first"]), seconds_of(conversations["last"])
    days = []
    for begin, end in look_backs(int(first.min()), int(last.max())):
        lasting = np.minimum(last, end) - np.maximum(first, _hour_of(begin))
        seconds = np.clip(lasting, 0, None)
        days.append(conversations[_PAIR].assign(seconds=seconds).groupby(_PAIR, as_index=False).sum())
    longest = pd.concat(days).groupby(_PAIR, as_index=False).max()
    found = longest[_PAIR].assign(number=longest["seconds"] / _HOUR)
    found = found[found["number"] >= _LONG_HOURS[0]]
    threat = np.interp(found["number"], _LONG_HOURS, _THREAT)
    return _as_pairs(found.assign(threat=threat, score=threat / _THREAT[-1]))
