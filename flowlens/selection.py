"""Selection: one frozen description of which records are meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses, listed, network
from flowlens.columns import typed
from flowlens.service import port_number, protocol_number
from flowlens.timespan import TimeSpan, time_span, timestamp

__all__ = ["Selection"]

Words = str | Iterable[str]
Ports = int | str | Iterable[int | str]


@dataclass(frozen=True, kw_only=True, repr=False)
class Selection:
    """One filter: the records for which every clause holds.

    Parameters
    ----------
    src, dst, host : str or list of str
        Source, destination, or either: an address, a CIDR prefix, or several.
    src_port, dst_port, port : int, str or list of those
        Source, destination or either port: a number, a service name, a range ``"8000-8100"``, or several.
    protocol : int, str or list of those
        IANA number or name: ``6`` or ``"tcp"``.
    action, interface, direction, status, group : str or list of str
        Values of `action`, `interface_id`, `flow_direction` (or, for records that have none, the `direction` that
        `add_direction` adds), `log_status`, and of `src_group` or `dst_group`.
    time : (start, end)
        Records whose `start` lies in ``[start, end)``. Times without a zone are UTC.

    Examples
    --------
    >>> Selection(dst_port="ssh", action="REJECT")
    Selection(dst_port=('ssh',), action=('REJECT',))
    """

    src: Words | None = None
    dst: Words | None = None
    host: Words | None = None
    src_port: Ports | None = None
    dst_port: Ports | None = None
    port: Ports | None = None
    protocol: Ports | None = None
    action: Words | None = None
    interface: Words | None = None
    direction: Words | None = None
    time: TimeSpan | None = None
    status: Words | None = None
    group: Words | None = None

    def __post_init__(self) -> None:
        """Bring every clause into one form, so that equal filters are equal, and find mistakes at once."""
        for clause in fields(self):
            value = getattr(self, clause.name)
            if value is None:
                continue
            if clause.name == "time":
                time_span(value)
                value = tuple(
                    moment if moment is None or isinstance(moment, str) else timestamp(moment).isoformat()
                    for moment in value
                )
            else:
                value = _tuple(value)
                _CHECKS.get(clause.name, _no_check)(value)
            object.__setattr__(self, clause.name, value)

    def __repr__(self) -> str:
        clauses = ((clause.name, getattr(self, clause.name)) for clause in fields(self))
        return f"Selection({', '.join(f'{name}={value!r}' for name, value in clauses if value is not None)})"

    def mask(self, df: pd.DataFrame) -> np.ndarray:
        """Tell for each record of a frame whether it is selected.

        Parameters
        ----------
        df : pandas.DataFrame
            Flow log records.

        Returns
        -------
        numpy.ndarray of bool
            One value a row.

        Raises
        ------
        MissingFieldError
            If a clause needs a field that the frame does not have.
        """
        mask = np.ones(len(df), bool)
        for clause in fields(self):
            value = getattr(self, clause.name)
            if value is not None:
                mask &= _MASKS[clause.name](df, value)
        return mask


def _tuple(value: object) -> tuple[object, ...]:
    return tuple(map(_plain, listed(value)))


def _plain(part: object) -> object:
    """Return a value as Python's own: that of a frame is numpy's, a network may be one of ipaddress or netaddr."""
    if isinstance(part, np.generic):
        return part.item()
    return str(part) if hasattr(part, "prefixlen") else part


def _no_check(values: tuple[object, ...]) -> None:
    """Any word may be asked for: another one than AWS writes selects nothing."""


def _check_addresses(values: tuple[object, ...]) -> None:
    for value in values:
        network(str(value))


def _check_ports(values: tuple[object, ...]) -> None:
    for value in values:
        port_range(value)


def _check_protocols(values: tuple[object, ...]) -> None:
    for value in values:
        protocol_number(value)  # type: ignore[arg-type]


def direction_columns(columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns that tell the direction: AWS's own, and for records without one that of `add_direction`."""
    there = tuple(column for column in ("flow_direction", "direction") if column in columns)
    return there or ("flow_direction",)


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


def _of_categories(column: pd.Series, test: Callable[[pd.Index], np.ndarray]) -> np.ndarray:
    """Apply a test once per distinct value; a missing value never passes."""
    values = column.array if isinstance(column.dtype, pd.CategoricalDtype) else pd.Categorical(column)
    passed = np.append(test(values.categories), False)  # code -1, for a missing value, is the last place
    return np.asarray(passed[values.codes], bool)


def _addresses(name: str) -> Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray]:
    def mask(df: pd.DataFrame, prefixes: tuple[str, ...]) -> np.ndarray:
        return _of_categories(typed(df, name), lambda words: Addresses.parse(words).within(prefixes))

    return mask


def _words(name: str) -> Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray]:
    def mask(df: pd.DataFrame, wanted: tuple[str, ...]) -> np.ndarray:
        return _of_categories(typed(df, name), lambda words: np.asarray(words.isin(wanted)))

    return mask


def _ports(name: str) -> Callable[[pd.DataFrame, tuple[object, ...]], np.ndarray]:
    def mask(df: pd.DataFrame, ports: tuple[object, ...]) -> np.ndarray:
        column = typed(df, name)
        found = np.zeros(len(df), bool)
        for first, last in map(port_range, ports):
            found |= column.between(first, last).to_numpy(bool, na_value=False)
        return found

    return mask


def _protocols(df: pd.DataFrame, protocols: tuple[str | int, ...]) -> np.ndarray:
    numbers = [protocol_number(protocol) for protocol in protocols]
    return typed(df, "protocol").isin(numbers).to_numpy(bool)


def _time(df: pd.DataFrame, time: TimeSpan) -> np.ndarray:
    start, end = time_span(time)
    seconds = pd.DatetimeIndex(typed(df, "start")).asi8  # a missing time is the least integer, before any span
    return (seconds >= start) & (seconds < end)


def _direction(df: pd.DataFrame, wanted: tuple[str, ...]) -> np.ndarray:
    first, *second = direction_columns(df.columns)
    mask = _words(first)(df, wanted)
    for column in second:
        mask |= _words(column)(df, wanted) & typed(df, first).isna().to_numpy()
    return mask


def _either(
    one: Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray],
    other: Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray],
) -> Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray]:
    return lambda df, values: one(df, values) | other(df, values)


_CHECKS: dict[str, Callable[[tuple[object, ...]], None]] = {
    **dict.fromkeys(("src", "dst", "host"), _check_addresses),
    **dict.fromkeys(("src_port", "dst_port", "port"), _check_ports),
    "protocol": _check_protocols,
}

_MASKS: dict[str, Callable[[pd.DataFrame, Any], np.ndarray]] = {
    "src": _addresses("srcaddr"),
    "dst": _addresses("dstaddr"),
    "host": _either(_addresses("srcaddr"), _addresses("dstaddr")),
    "src_port": _ports("srcport"),
    "dst_port": _ports("dstport"),
    "port": _either(_ports("srcport"), _ports("dstport")),
    "protocol": _protocols,
    "action": _words("action"),
    "interface": _words("interface_id"),
    "direction": _direction,
    "time": _time,
    "status": _words("log_status"),
    "group": _either(_words("src_group"), _words("dst_group")),
}
