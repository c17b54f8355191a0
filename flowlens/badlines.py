"""What becomes of lines that cannot be read: an error, a warning, or nothing, as the user asked."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Literal

from flowlens.errors import BadLine, ParseError

__all__ = ["OnBadLines", "checked", "report"]

OnBadLines = Literal["error", "warn", "skip"]

_ADVICE = "fl.check(source) lists all bad lines; with on_bad_lines='warn' the good ones are read."


def checked(on_bad_lines: OnBadLines) -> OnBadLines:
    """Return what the user asked for.

    Raises
    ------
    ValueError
        If there is no such way.
    """
    if on_bad_lines not in {"error", "warn", "skip"}:
        raise ValueError(f"on_bad_lines is {on_bad_lines!r}; it can be 'error', 'warn' or 'skip'")
    return on_bad_lines


def report(bad_lines: Sequence[BadLine], on_bad_lines: OnBadLines, *, nothing_read: bool = False) -> None:
    """Raise or warn of lines that could not be read.

    Raises
    ------
    ParseError
        If the user asked for that, or nothing else was read.
    """
    if bad_lines and (on_bad_lines == "error" or nothing_read):
        raise ParseError(bad_lines, "Nothing could be read." if nothing_read else _ADVICE)
    if bad_lines and on_bad_lines == "warn":
        warnings.warn(_summary(bad_lines), stacklevel=_depth_of_the_user())


def _summary(bad_lines: Sequence[BadLine]) -> str:
    first = "\n".join(f"  {line}" for line in bad_lines[:3])
    plural = "line" if len(bad_lines) == 1 else "lines"
    return (
        f"{len(bad_lines):,} {plural} could not be read and {'is' if len(bad_lines) == 1 else 'are'} left out:\n{first}"
    )


def _depth_of_the_user() -> int:
    """Return how many calls above the warning the code of the user stands: a warning points there."""
    depth, frame = 1, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("flowlens."):
        depth, frame = depth + 1, frame.f_back
    return depth
