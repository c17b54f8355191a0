"""Clauses as they are typed into an explorer."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from flowlens.cidr import network
from flowlens.clauses import port_range
from flowlens.selection import Selection
from flowlens.timespan import TimeSpan

__all__ = ["typed_clause"]

_NAMES = [clause.name for clause in fields(Selection)]
_ACTIONS = ("ACCEPT", "REJECT")


def typed_clause(text: str) -> dict[str, Any]:
    """Return the clause that a user typed: ``src=10.0.0.0/8, 10.1.2.3``, or a value that tells by itself what it is.

    A name without a value takes the clause away. An address or prefix by itself is a `host`, a number or service a
    `port`, an id of an interface an `interface`.

    Raises
    ------
    ValueError
        If it is none, or there is no such clause.
    """
    name, equals, words = (part.strip() for part in text.partition("="))
    if not equals:
        return {_clause_of(name): [word.strip() for word in name.split(",")]}
    if name not in _NAMES:
        near = get_close_matches(name, _NAMES, 1)
        raise ValueError(f"{name!r} is no clause; {f'did you mean {near[0]}?' if near else ', '.join(_NAMES)}")
    values = [word.strip().strip("'\"") for word in words.strip("[]()").split(",") if word.strip()]
    if not values:
        return {name: None}
    if name == "time":
        return {name: _span(words)}
    return {name: float(values[0]) if name == "min_score" else values}


def _clause_of(words: str) -> str:
    """Tell by its first word what a value without a name is about."""
    word = words.split(",", maxsplit=1)[0].strip()
    if word in _ACTIONS:
        return "action"
    if word.startswith("eni-"):
        return "interface"
    for name, read in (("port", port_range), ("host", network)):  # a number alone is no address that anybody means
        try:
            read(word)
        except ValueError:
            continue
        return name
    raise ValueError(
        f"{word!r} is no address, prefix, port or action; write name=value, for example src={word or '...'}"
    )


def _span(words: str) -> TimeSpan:
    start, between, end = (part.strip() for part in words.partition(".."))
    if not between:
        raise ValueError(
            f"time={words!r} has no end; write time=2026-03-10 14:00..2026-03-10 15:00, or leave a side open"
        )
    return start or None, end or None
