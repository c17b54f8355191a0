"""Statistics of many short lists of numbers at once: those of the times and sizes of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Ragged", "dispersion", "skew"]


@dataclass(frozen=True)
class Ragged:
    """Lists of numbers, each sorted.

    Attributes
    ----------
    numbers
        The numbers, list after list.
    counts
        How many each list has.
    """

    numbers: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[np.ndarray]) -> Ragged:
        """Take lists in any order of their numbers."""
        counts = np.fromiter(map(len, lists), np.int64, len(lists))
        numbers = np.concatenate([*lists, np.empty(0)]).astype(float)
        return cls.sorted(numbers, np.repeat(np.arange(len(counts)), counts), len(counts))

    @classmethod
    def sorted(cls, numbers: np.ndarray, owner: np.ndarray, lists: int) -> Ragged:
        """Take numbers, none of them NaN, with the place of the list that each belongs to."""
        # Complex ones are ordered by their real part, then by the other: that sorts values, lexsort twice their places.
        both = np.empty(len(numbers), np.complex128)
        both.real, both.imag = owner, numbers
        both.sort()
        return cls(both.imag.copy(), np.bincount(owner, minlength=lists))

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each list begins among the numbers."""
        starts: np.ndarray = np.cumsum(self.counts) - self.counts
        return starts

    @cached_property
    def owner(self) -> np.ndarray:
        """The place of the list that each value belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def median(self) -> np.ndarray:
        """The median of each list, NaN of an empty one."""
        return self._middle(self.starts, self.counts)

    @cached_property
    def quartiles(self) -> tuple[np.ndarray, np.ndarray]:
        """The medians of the lower and of the upper half, without the middle one of an odd number."""
        half = self.counts // 2
        return self._middle(self.starts, half), self._middle(self.starts + self.counts - half, half)

    @cached_property
    def mad(self) -> np.ndarray:
        """The median absolute deviation from the median."""
        deviation = np.abs(self.numbers - self.median[self.owner])
        return Ragged.sorted(deviation, self.owner, len(self.counts)).median

    def distinct(self) -> Ragged:
        """Return each list with every number once."""
        first = np.ones(len(self.numbers), bool)
        first[1:] = (np.diff(self.numbers) != 0) | (np.diff(self.owner) != 0)
        return Ragged(self.numbers[first], np.bincount(self.owner[first], minlength=len(self.counts)))

    def gaps(self) -> Ragged:
        """Return the differences of neighbours in each list, sorted."""
        gaps, within = np.diff(self.numbers), np.diff(self.owner) == 0
        return Ragged.sorted(gaps[within], self.owner[1:][within], len(self.counts))

    def _middle(self, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if not len(self.numbers):
            return np.full(len(counts), np.nan)
        last = len(self.numbers) - 1
        lower = np.clip(starts + (counts - 1) // 2, 0, last)
        upper = np.clip(starts + counts // 2, 0, last)
        middle: np.ndarray = np.where(counts > 0, (self.numbers[lower] + self.numbers[upper]) / 2, np.nan)
        return middle


def skew(lists: Ragged, narrow: np.ndarray | float) -> np.ndarray:
    """Return Bowley's skewness of the quartiles, 0 where they are closer than `narrow` or one is the median."""
    low, high = lists.quartiles
    middle, width = lists.median, high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        bowley = (high + low - 2 * middle) / width
    flat = ~(width >= narrow) | (middle == low) | (middle == high)
    skewness: np.ndarray = np.where(flat, 0.0, bowley)
    return skewness


def dispersion(lists: Ragged, deviation: np.ndarray, where_small: float) -> np.ndarray:
    """Return how closely lists lie around their median, from 0 to 1; `where_small` for a median below 1."""
    middle = lists.median
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.maximum(0.0, (middle - deviation) / middle)
    closeness: np.ndarray = np.nan_to_num(np.where(middle < 1, where_small, share))
    return closeness
