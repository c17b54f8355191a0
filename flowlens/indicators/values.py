"""What stands beside an address in a list: ports, protocols, confidence and times, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from numbers import Real

from flowlens.indicators.addresses import LAST_PORT
from flowlens.indicators.entries import shortened
from flowlens.service import protocol_number
from flowlens.timespan import timestamp

__all__ = ["confidence", "microseconds", "port", "protocol"]

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TOO_LARGE = 10**20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND = 100_000_000  # in 1973, which is before there were lists of addresses


def port(value: object) -> int | None:
    """Return the number of a port.

    Raises
    ------
    ValueError
        If it is none.
    """
    number = _number(value)
    if value is not None and (number is None or number > LAST_PORT or not number.is_integer()):
        raise ValueError(f"{shortened(repr(value))} is no port; give a number up to {LAST_PORT}")
    return None if number is None else int(number)


def protocol(value: object) -> int | None:
    """Return the number of a protocol that is given by number or name.

    Raises
    ------
    ValueError
        If it is none.
    """
    if value is None:
        return None
    number = _number(value)
    return protocol_number(shortened(str(value)) if number is None or not number.is_integer() else int(number))


def confidence(value: object) -> float | None:
    """Return a confidence as it is given, out of 1 or out of 100.

    Raises
    ------
    ValueError
        If it is neither.
    """
    number = _number(value)
    if value is not None and (number is None or number > 100):
        raise ValueError(
            f"{shortened(repr(value))} is no confidence; give a number from 0 to 1, or from 0 to 100 in all of the list"
        )
    return number


def _number(value: object) -> float | None:
    """Return a number that is not negative; columns with gaps have whole numbers as fractions."""
    if isinstance(value, Real) and not isinstance(value, bool):
        # No number of these is larger; JSON has whole numbers that no fraction can hold.
        return float(value) if 0 <= value < _TOO_LARGE else None  # type: ignore[operator]  # Real is compared
    return float(value) if isinstance(value, str) and len(value) < 20 and _NUMBER.fullmatch(value) else None


def microseconds(value: object) -> int | None:
    """Return a time in microseconds since 1970. Without a zone it is in UTC, a number is Unix seconds.

    Raises
    ------
    ValueError
        If it is no time.
    """
    if value is None:
        return None
    try:
        moment = _moment(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"{shortened(repr(value))} is no time; write it like '2026-03-10 14:00' or in Unix seconds"
        ) from error


def _moment(value: object) -> datetime:
    number = _number(value)
    # 20260310 is a date, and seconds from 1970 only as a number.
    if isinstance(value, str) and (number is None or len(value) == len("20260310")):
        # abuse.ch writes '2026-03-10 14:00:00 UTC' at times.
        return datetime.fromisoformat(value.removesuffix("UTC").rstrip())
    if isinstance(value, str | Real):
        if number is None or number < _FIRST_SECOND:
            raise ValueError("this is a year or a date, or nothing at all")
        return timestamp(number)
    return timestamp(value)  # type: ignore[arg-type]  # refuses what is no time
