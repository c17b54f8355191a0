"""Records of a key on a time line, asked about many stretches of time at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["NEVER", "Numbers", "Spans", "Truths", "shared_ids"]

Numbers = NDArray[np.int64]
Truths = NDArray[np.bool_]

#: What is returned for a time where there is none.
NEVER = -1

_TIMES = 1 << 33  # Unix seconds are below for a while.
#: So that two of them can be multiplied.
_MOST_VALUES = 1 << 32
_MOST_CODES = 1 << 63


def shared_ids(*tables: Sequence[np.ndarray]) -> list[Numbers]:
    """Number the combinations of values, alike in each table; each is given by its columns, in the same order."""
    codes, count = np.zeros(sum(len(table[0]) for table in tables), np.int64), 1
    for columns in zip(*tables, strict=True):
        values, span = _from_zero(np.concatenate(columns))
        if count * span > _MOST_CODES:
            # To look values up takes longer than to count with them, so that it is done where there is no room only.
            codes, distinct = pd.factorize(codes)
            count = len(distinct)
        codes = codes * span + values
        count *= span
    return np.split(pd.factorize(codes)[0], np.cumsum([len(table[0]) for table in tables])[:-1])


def _from_zero(values: np.ndarray) -> tuple[Numbers, int]:
    """Return values as numbers from 0, and how many numbers that may be."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if high - low >= _MOST_VALUES:
        codes, distinct = pd.factorize(values)
        return codes, len(distinct)
    # Halves of IPv6 addresses may be too large for signed numbers.
    signed = values if values.dtype == np.uint64 else values.astype(np.int64)
    return (signed - low).astype(np.int64), high - low + 1


class Spans:
    """Stretches of time, each of a key.

    Parameters
    ----------
    key
        Numbers from 0.
    start, end
        Unix seconds; both belong to the stretch.
    """

    def __init__(self, key: Numbers, start: Numbers, end: Numbers) -> None:
        starts, ends = key * _TIMES + start, key * _TIMES + end
        self._order = np.argsort(starts, kind="stable")
        self._starts = starts[self._order]
        # In the order of their starts they are nearly in that of their ends, which is sooner found.
        self._end_order = self._order[np.argsort(ends[self._order], kind="stable")]
        self._ends = ends[self._end_order]
        self._end = end
        self._is_there = np.zeros(int(key.max(initial=-1)) + 1, bool)
        self._is_there[key[key >= 0]] = True

    def _found(self, key: Numbers) -> Numbers:
        """Return the places of the keys that have a stretch at all: of most there is nothing to search for."""
        inside = (key >= 0) & (key < len(self._is_there))
        found: Numbers = np.flatnonzero(inside)
        return found[self._is_there[key[found]]]

    def count(self, key: Numbers, first: Numbers, last: Numbers, which: Truths | None = None) -> Numbers:
        """Count the stretches of a key that have a second between two times in them; of some of them, where given."""
        counted: Numbers = np.zeros(len(key), np.int64)
        places = self._found(key)
        key, first, last = key[places] * _TIMES, first[places], last[places]
        begun = np.searchsorted(self._starts, key + last, side="right")
        over = np.searchsorted(self._ends, key + first, side="left")
        if which is not None:
            begun = np.append(0, np.cumsum(which[self._order]))[begun]
            over = np.append(0, np.cumsum(which[self._end_order]))[over]
        # Both count all stretches of lower keys.
        counted[places] = begun - over
        return counted

    def last_end(self, key: Numbers, until: Numbers) -> Numbers:
        """Return when the last of those ended that began until a time, or `NEVER`."""
        if not len(self._starts):
            return np.full(len(key), NEVER, np.int64)
        latest = self._starts // _TIMES * _TIMES + self._end[self._order]
        # Keys come in order, so that the running maximum begins anew with each.
        latest = np.maximum.accumulate(latest)
        place = np.searchsorted(self._starts, key * _TIMES + until, side="right") - 1
        found = latest[np.maximum(place, 0)]
        there = (place >= 0) & (found // _TIMES == key)
        return np.where(there, found % _TIMES, NEVER)

    def nearest(self, key: Numbers, until: Numbers) -> Numbers:
        """Return the place of the last that began until a time, else of the first of the key; `NEVER` for none."""
        if not len(self._starts):
            return np.full(len(key), NEVER, np.int64)
        place = np.searchsorted(self._starts, key * _TIMES + until, side="right") - 1
        before = (place >= 0) & (self._starts[np.maximum(place, 0)] // _TIMES == key)
        place = np.where(before, place, place + 1)
        there = (place < len(self._starts)) & (self._starts[np.minimum(place, len(self._starts) - 1)] // _TIMES == key)
        return np.where(there, self._order[np.minimum(place, len(self._starts) - 1)], NEVER)
