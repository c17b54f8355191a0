"""The clauses of a selection: what may be given for each, in one spelling, so that equal filters are equal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.cidr import listed, network
from flowlens.service import port_number, protocol_name, protocol_number
from flowlens.timespan import TimeSpan, time_span, utc

if TYPE_CHECKING:
    import netaddr

__all__ = ["Ports", "Words", "direction_columns", "port_range", "spelled", "time_column"]

Words = str | Iterable[str]
Ports = int | str | Iterable[int | str]


def spelled(name: str, value: object) -> object:
    """Return the value of a clause in the one spelling it has.

    Raises
    ------
    ValueError
        If it cannot be understood.
    """
    return _SPELLINGS.get(name, _words_of)(value)


def direction_columns(columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns that tell the direction: AWS's own, and for records without one that of `add_direction`."""
    there = tuple(column for column in ("flow_direction", "direction") if column in columns)
    return there or ("flow_direction",)


def time_column(columns: Collection[str]) -> str:
    """Return the column that a time clause is about: of tables that sum up records, when that began."""
    return "first" if "first" in columns and "start" not in columns else "start"


def port_range(port: object) -> tuple[int, int]:
    """Return the first and last port that a number, a name or a range ``"8000-8100"`` means."""
    text = str(port)
    first, dash, last = text.partition("-")
    if dash and first.isdigit() and last.isdigit():
        span = int(first), int(last)
    else:
        number = int(text) if text.isdigit() else port_number(text)
        span = number, number
    if not 0 <= span[0] <= span[1] <= 65535:
        raise ValueError(f"{port!r} is no port or range of ports from 0 to 65535")
    return span


def _words_of(value: object) -> tuple[str, ...]:
    # Any word may be asked for: another one than AWS writes selects nothing.
    return tuple(sorted({str(word) for word in listed(value)}))


def _prefixes_of(value: object) -> tuple[str, ...]:
    nets = {net.cidr for net in (network(str(part)) for part in listed(value))}
    ordered = sorted(nets, key=lambda net: (net.version, net.first, net.prefixlen))
    return tuple(_prefix(net) for net in ordered)


def _prefix(net: netaddr.IPNetwork) -> str:
    first = str(ip_address(net.network.packed))  # as RFC 5952 writes it, and AWS
    return first if net.size == 1 else f"{first}/{net.prefixlen}"


def _ports_of(value: object) -> tuple[int | str, ...]:
    spans = sorted({port_range(port) for port in listed(value)})
    return tuple(first if first == last else f"{first}-{last}" for first, last in spans)


def _protocols_of(value: object) -> tuple[int | str, ...]:
    numbers = sorted({protocol_number(protocol) for protocol in listed(value)})  # type: ignore[arg-type]
    names = (protocol_name(number) for number in numbers)
    return tuple(number if name.isdigit() else name.lower() for number, name in zip(numbers, names, strict=True))


def _time_of(value: TimeSpan) -> tuple[str | None, str | None]:
    time_span(value)
    start, end = (None if moment is None else _moment(utc(moment)) for moment in value)
    return start, end


def _moment(stamp: pd.Timestamp) -> str:
    # Records are timed to the second: one at 14:00:01 is not before 14:00:00.5.
    stamp = stamp.ceil("s")
    return f"{stamp:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _score_of(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise ValueError(f"min_score={value!r} is no score; those are from 0 to 1")
    return float(value)


_SPELLINGS: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("src", "dst", "host"), _prefixes_of),
    **dict.fromkeys(("src_port", "dst_port", "port"), _ports_of),
    "protocol": _protocols_of,
    "time": _time_of,
    "min_score": _score_of,
}
