"""Amounts and times as the explorers write them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from flowlens.amounts import in_si
from flowlens.columns import typed
from flowlens.schema import BY_COLUMN
from flowlens.timespan import Zone

__all__ = [
    "ZONES",
    "amount",
    "clock",
    "edges_of",
    "in_types",
    "in_zone",
    "length",
    "share",
    "short",
    "span",
    "ticks",
    "touched",
    "width_of",
]

#: The zone of each name that is offered.
ZONES = {name: Zone.of(name) for name in ("UTC", "local")}

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: What people divide time by.
_WIDTHS = (
    1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR,
    2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY,
)  # fmt: skip
_MOST_BINS = 160


def short(value: float, measure: str) -> str:
    """Write an amount in three digits: 12.3 k, 1.5 GB."""
    return in_si(value, "B" if measure == "bytes" else "")


def amount(value: float, measure: str) -> str:
    """Write an amount with its unit: 12,345 flows, 1.5 GB."""
    return short(value, measure) if measure == "bytes" else f"{value:,.0f} {measure}"


def share(part: float, whole: float) -> str:
    """Write a part of a whole in percent."""
    if not whole:
        return ""
    return f"{part / whole:.0%}" if part / whole >= 0.005 else "<1%"


def in_zone(seconds: float, zone: str) -> pd.Timestamp:
    """Return Unix seconds as a time in one of the zones."""
    return pd.Timestamp(int(seconds), unit="s", tz="UTC").tz_convert(ZONES[zone].info)


def clock(moment: pd.Timestamp, zone: str) -> str:
    """Write a time to the second."""
    return f"{moment.tz_convert(ZONES[zone].info):%Y-%m-%d %H:%M:%S}"


def span(begin: int, end: int, zone: str) -> str:
    """Write a span of time."""
    first, last = in_zone(begin, zone), in_zone(end, zone)
    name = "UTC" if zone == "UTC" else first.tzname()
    same_day = first.date() == last.date()
    return f"{_clock(first, '%Y-%m-%d %H:%M')} to {_clock(last, '%H:%M' if same_day else '%Y-%m-%d %H:%M')} {name}"


def _clock(moment: pd.Timestamp, form: str) -> str:
    return moment.strftime(f"{form}:%S" if moment.second else form)


def width_of(begin: int, end: int) -> int:
    """Return how wide the bins of a span are, so that they can be told apart."""
    length = max(end - begin, 1)
    return next((width for width in _WIDTHS if length / width <= _MOST_BINS), -(-length // _MOST_BINS // _DAY) * _DAY)


def edges_of(begin: int, end: int, width: int) -> np.ndarray:
    """Return the edges of bins that hold a span, its last second among it, on whole multiples of their width."""
    first = begin - begin % width
    return np.arange(first, end - end % width + 2 * width, width)


def touched(edges: np.ndarray, begin: int, end: int) -> tuple[int, int]:
    """Return the first bin that ``[begin, end)`` touches and the one behind the last; at least one bin."""
    first = int(np.clip(np.searchsorted(edges, begin, side="right") - 1, 0, len(edges) - 2))
    return first, int(np.clip(np.searchsorted(edges, end, side="left"), first + 1, len(edges) - 1))


def ticks(edges: np.ndarray, zone: str, most: int = 9) -> list[tuple[float, str]]:
    """Return where to write which times below a picture; the day stands with the first time of each.

    They are full hours, or what people divide time by at that width, on the clocks of the zone.
    """
    width, whole = int(edges[1] - edges[0]), int(edges[-1] - edges[0])
    usual = (step for step in _WIDTHS if whole <= most * step and step % width == 0)
    step = next(usual, -(-whole // most // width) * width)
    written, day = [], None
    for edge in edges:
        moment = in_zone(edge, zone)
        # Clocks may be half an hour off where bins are an hour wide.
        ahead = int((moment.utcoffset() or timedelta()).total_seconds()) // width * width
        if (int(edge) + ahead) % step == 0:
            text = _clock(moment, "%H:%M")
            if step >= _DAY:
                text = f"{moment:%Y-%m-%d}" if text == "00:00" else f"{moment:%Y-%m-%d} {text}"
            elif moment.date() != day:
                text = f"{moment:%m-%d} {text}"
            written.append((float(edge), text))
            day = moment.date()
    return written


def length(seconds: int) -> str:
    """Write the width of a bin."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = seconds // unit
            return name if count == 1 else f"{count} {name}s"
    raise AssertionError(seconds)


def in_types(records: pd.DataFrame) -> pd.DataFrame:
    """Return records with their fields in the types that those have, whatever made the frame."""
    return pd.DataFrame({column: typed(records, column) for column in records.columns if column in BY_COLUMN})


def cell(value: object) -> object:
    """Return a value as it stands in a table: nothing where it is missing."""
    return "" if pd.isna(value) else value  # type: ignore[call-overload]
