"""Spans and widths of time as users write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from numbers import Real
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

__all__ = ["TimeSpan", "Zone", "time_span", "timestamp", "utc", "whole_seconds", "width_in_seconds"]

#: A time without a zone is UTC, a number is Unix seconds.
Moment = str | datetime | np.datetime64 | int | float

#: Half-open ``[start, end)``; None leaves a side open.
TimeSpan = tuple[Moment | None, Moment | None]

_FAR_OFF = 5000  # the year in which milliseconds taken for seconds are
_EVER = (-(1 << 62), 1 << 62)


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone to show times in.

    Attributes
    ----------
    name
        What to call it beside the times.
    info
        What tells its offset from UTC at any time.
    """

    name: str
    info: tzinfo

    @classmethod
    def of(cls, tz: str) -> Zone:
        """Find a zone by its IANA name; ``"local"`` is that of the machine.

        Raises
        ------
        ValueError
            If there is no such zone.
        """
        if tz == "local":
            return cls._of_the_machine()
        try:
            return cls(tz, ZoneInfo(tz))
        # A folder of the database, a path out of it, or no text at all.
        except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise ValueError(
                f"tz={tz!r} is no time zone; give an IANA name like 'Europe/Berlin' or 'UTC', or 'local' for the zone "
                "of this machine"
            ) from error

    @classmethod
    def _of_the_machine(cls) -> Zone:
        # zoneinfo does not know which zone that is, and the standard library only its offset now, without summer time.
        from dateutil.tz import gettz, tzlocal

        info = gettz() or tzlocal()
        year = datetime.now(info).year
        names = dict.fromkeys(str(datetime(year, month, 1, tzinfo=info).tzname()) for month in (1, 7))
        return cls(f"local time ({'/'.join(names)})", info)

    def in_words(self, moment: pd.Timestamp) -> str:
        """Return a time to the second as it is there."""
        return f"{moment.tz_convert(self.info):%Y-%m-%d %H:%M:%S}"


def time_span(span: TimeSpan) -> tuple[int, int]:
    """Return ``[start, end)`` in Unix seconds.

    Raises
    ------
    ValueError
        If `span` is no pair of times, or ends before it starts.
    """
    if not isinstance(span, tuple | list) or len(span) != 2:
        raise ValueError(f"time={span!r} is no pair (start, end), like ('2026-03-10 14:00', '2026-03-10 15:00')")
    start, end = (side if moment is None else _seconds(moment) for moment, side in zip(span, _EVER, strict=True))
    if end < start:
        raise ValueError(f"time={span!r} ends before it starts")
    return start, end


def width_in_seconds(freq: str) -> int:
    """Return how long a width like ``"5min"`` or ``"h"`` is.

    Raises
    ------
    ValueError
        If it is no fixed width, or not a whole number of seconds.
    """
    try:
        width = pd.Timedelta(freq if freq[:1].isdigit() else f"1{freq}")
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"freq={freq!r} is no fixed width of time like '5min', '1h' or '1D'") from error
    seconds = int(width.total_seconds())
    if seconds < 1 or seconds != width.total_seconds():
        raise ValueError(f"freq={freq!r} is not a whole number of seconds; records are timed to the second")
    return seconds


def whole_seconds(length: float | str) -> int:
    """Return a length of time that is given in seconds or as ``"10min"``."""
    if isinstance(length, int | float):
        return int(length)
    return int(pd.Timedelta(length).total_seconds())


def timestamp(moment: Moment) -> pd.Timestamp:
    """Return a time as the user writes it, with its zone where it has one.

    Raises
    ------
    ValueError
        If it is no time.
    """
    is_number = isinstance(moment, Real)
    try:
        stamp = pd.Timestamp(moment, unit="s") if is_number else pd.Timestamp(moment)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{moment!r} is no time; write it like '2026-03-10 14:00' or in Unix seconds") from error
    if pd.isna(stamp):
        raise ValueError(f"{moment!r} is no time; None leaves that side open")
    if is_number and stamp.year >= _FAR_OFF:
        raise ValueError(f"{moment!r} would be in the year {stamp.year}; numbers are Unix seconds, not milliseconds")
    return stamp


def utc(moment: Moment) -> pd.Timestamp:
    """Return a time as the user writes it in UTC, which it is taken for where it has no zone."""
    stamp = timestamp(moment)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _seconds(moment: Moment) -> int:
    stamp = utc(moment)
    # A record's times are whole seconds: one at 14:00:01 is not before 14:00:00.5, so a part of a second rounds up.
    return -(-stamp.value // 10**9)
