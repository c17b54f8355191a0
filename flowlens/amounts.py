"""Amounts as people write them: ``1.5 GB``, ``12 k``. Prefixes are those of SI: a GB is 10**9 bytes."""

from __future__ import annotations

__all__ = ["in_si"]

_PREFIXES = (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def in_si(value: float, unit: str = "", *, digits: int = 3) -> str:
    """Return an amount with the prefix that fits, and so many digits at most.

    Examples
    --------
    >>> in_si(1_500_000_000, "B"), in_si(999_999), in_si(0, "B")
    ('1.5 GB', '1 M', '0 B')
    """
    for prefix, size in _PREFIXES:
        written = f"{value / size:.{digits}g}"
        # What is written decides: 999,999 with three digits is 1 M, and not 1e+03 k.
        if abs(float(written)) >= 1:
            return f"{written} {prefix}{unit}"
    return f"{value:.{digits}g} {unit}".strip()
