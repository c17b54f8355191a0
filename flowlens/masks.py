"""The clauses of a selection as pandas answers them: work on distinct values, not on rows, where it can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.clauses import direction_columns, port_range, time_column
from flowlens.columns import missing_field, typed
from flowlens.service import protocol_number
from flowlens.timespan import TimeSpan, time_span

__all__ = ["MASKS"]


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
        numbers = typed(df, name).to_numpy(np.int32, na_value=-1)
        found = np.zeros(len(df), bool)
        for first, last in map(port_range, ports):
            found |= numbers == first if first == last else (numbers >= first) & (numbers <= last)
        return found

    return mask


def _protocols(df: pd.DataFrame, protocols: tuple[str | int, ...]) -> np.ndarray:
    numbers = typed(df, "protocol").to_numpy(np.int16, na_value=-1)
    found = np.zeros(len(df), bool)
    for protocol in protocols:
        found |= numbers == protocol_number(protocol)
    return found


def _time(df: pd.DataFrame, time: TimeSpan) -> np.ndarray:
    start, end = time_span(time)
    # A missing time is the least integer, before any span.
    seconds = pd.DatetimeIndex(typed(df, time_column(df.columns))).as_unit("s").asi8
    return (seconds >= start) & (seconds < end)


def _direction(df: pd.DataFrame, wanted: tuple[str, ...]) -> np.ndarray:
    first, *second = direction_columns(df.columns)
    mask = _words(first)(df, wanted)
    for column in second:
        mask |= _words(column)(df, wanted) & typed(df, first).isna().to_numpy()
    return mask


def _score(df: pd.DataFrame, least: float) -> np.ndarray:
    if "score" not in df.columns:
        raise missing_field("score", "this selection", df.columns)
    return df["score"].ge(least).to_numpy(bool, na_value=False)


def _either(
    one: Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray],
    other: Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray],
) -> Callable[[pd.DataFrame, tuple[str, ...]], np.ndarray]:
    return lambda df, values: one(df, values) | other(df, values)


#: For each clause, what tells for each record of a frame whether it holds.
MASKS: dict[str, Callable[[pd.DataFrame, Any], np.ndarray]] = {
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
    "src_group": _words("src_group"),
    "dst_group": _words("dst_group"),
    "verdict": _words("verdict"),
    "certainty": _words("certainty"),
    "kind": _words("kind"),
    "min_score": _score,
}
