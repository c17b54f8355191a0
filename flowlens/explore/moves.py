"""What the buttons beside the time line do with the span that is chosen: its first edge and last, of so many bins."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["MOVES", "Move"]

Move = Callable[[int, int, int], tuple[int, int]]


def _earlier(first: int, last: int, _: int) -> tuple[int, int]:
    by = min(first, _half(first, last))
    return first - by, last - by


def _later(first: int, last: int, bins: int) -> tuple[int, int]:
    by = min(bins - last, _half(first, last))
    return first + by, last + by


def _narrower(first: int, last: int, _: int) -> tuple[int, int]:
    by = (last - first) // 4
    return first + by, max(last - by - (last - first == 2 + 2 * by), first + by + 1)


def _wider(first: int, last: int, bins: int) -> tuple[int, int]:
    by = _half(first, last)
    return max(first - by, 0), min(last + by, bins)


def _half(first: int, last: int) -> int:
    return max((last - first) // 2, 1)


#: The label of each button, what it does in words, and what it does.
MOVES: tuple[tuple[str, str, Move], ...] = (
    ("◀", "Earlier", _earlier),
    ("▶", "Later", _later),
    ("+", "A shorter time", _narrower),
    ("-", "A longer time", _wider),
)
