"""One finding as the paragraph to paste in a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flowlens.amounts import in_si
from flowlens.detect.advice import NEXT, TECHNIQUES
from flowlens.detect.rows import COLUMNS, text_of_port, text_of_time

__all__ = [
    "explanation", "find_records", "headline", "named_numbers", "next_step", "row_of_findings", "techniques", "terms",
    "when", "where_and_how_much",
]  # fmt: skip

Row = Mapping[str, Any] | pd.Series

#: Numbers behind a score that are bytes, or seconds; the others are counts, shares and words.
_IN_BYTES = {
    "bytes_in", "bytes_out", "bytes_an_hour", "bytes_in_that_hour", "bytes_a_packet", "bytes_a_second", "size_median",
    "size_mad",
}  # fmt: skip
_IN_SECONDS = {
    "period", "minimum_period", "window", "gap_mad", "seconds", "longest_seconds", "total_seconds", "median", "mad",
}  # fmt: skip
#: Words in the names of numbers that say more in other words.
_WORDS = {"seconds": "time", "mad": "median deviation"}
#: What a list names before it counts.
_MOST_NAMES = 10


def row_of_findings(row: Row) -> None:
    """Make sure that it is a whole row of a detector.

    Raises
    ------
    ValueError
        If it is none.
    """
    example = "write df.flow.explain(found.loc[0]) with found = df.flow.findings()"
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        raise ValueError(
            f"explain takes a whole row of findings() or a detector; this one lacks {', '.join(missing)}; {example}"
        )
    if row["kind"] not in NEXT:
        raise ValueError(f"explain knows no finding of the kind {row['kind']!r}; {example}")
    for name in ("parts", "evidence"):
        if not isinstance(row[name], Mapping):
            raise ValueError(  # noqa: TRY004 - the value is no row, of whatever type
                f"explain takes a row as findings() returned it, where {name} is a dict and not "
                f"a {type(row[name]).__name__}; {example}"
            )


def explanation(row: Row) -> str:
    """Return the paragraph for a row of `findings` or of a detector.

    Raises
    ------
    ValueError
        If it is none.
    """
    row_of_findings(row)
    made_of = ", ".join(f"{name} {value:.2f}" for name, value in terms(row))
    numbers = ", ".join(f"{name} {value}" for name, value in named_numbers(row))
    records = find_records(row)
    parts = [
        f"{headline(row)}: {_sentence(row['why'])}",
        where_and_how_much(row),
        f"The score is made of {made_of}." if made_of else "",
        f"The numbers behind: {numbers}." if numbers else "",
        f"To mind: {_sentence(row['caveat'])}" if _text(row["caveat"]) else "",
        f"Nearest {' and '.join(f'in {catalogue} {name}' for catalogue, name in techniques(row))}.",
        f"Next: {next_step(row)}",
        f"Its records: `{records}`." if records else "",
    ]
    return " ".join(part for part in parts if part)


def headline(row: Row) -> str:
    """Return what it is and its score."""
    return f"{str(row['kind']).replace('_', ' ').capitalize()}, score {row['score']:.2f} of 1"


def terms(row: Row) -> list[tuple[str, float]]:
    """Return the terms of the score by name; a detector may have terms that do not apply."""
    return [(_name(name), float(value)) for name, value in row["parts"].items() if value is not None]


def named_numbers(row: Row) -> list[tuple[str, str]]:
    """Return the numbers behind the score, each with its unit."""
    return [(_name(name), _number(name, value)) for name, value in row["evidence"].items()]


def where_and_how_much(row: Row) -> str:
    """Say at which interface it was seen, when, and how much."""
    counts: list[str] = []
    if not pd.isna(row["flows"]):
        counts.append(f"{row['flows']:,} contact{'' if row['flows'] == 1 else 's'}")
    if not pd.isna(row["bytes"]):
        counts.append(f"{in_si(int(row['bytes']), 'B')} of the source")
    place = f" at {row['interface_id']}" if _text(row["interface_id"]) else ""
    return f"Seen{place} {when(row)}{': ' if counts else ''}{', '.join(counts)}."


def when(row: Row) -> str:
    """Return the first and the last time."""
    return f"between {row['first']:%Y-%m-%d %H:%M:%S} and {row['last']:%Y-%m-%d %H:%M:%S} UTC"


def techniques(row: Row) -> list[tuple[str, str]]:
    """Return what comes nearest in the catalogues that people know: the catalogue and its name there."""
    technique = str(row["technique"])
    found = [("ATT&CK", f"{technique} ({TECHNIQUES[technique]})" if technique in TECHNIQUES else technique)]
    return found + ([("GuardDuty", str(row["guardduty"]))] if _text(row["guardduty"]) else [])


def next_step(row: Row) -> str:
    """Say what to do next, with the names of this finding."""
    port: str = "its ports" if pd.isna(row["protocol"]) else text_of_port(row["dstport"], row["protocol"])
    source, target = (_text(row[name]) for name in ("srcaddr", "dstaddr"))
    return NEXT[row["kind"]].format(
        source=source or "the sources",
        target=target or "the targets",
        port=port,
        interface=_text(row["interface_id"]) or "the interface",
    )


def find_records(row: Row) -> str:
    """Return the Python code that finds the records behind, as far as addresses or the interface tell."""
    source, target, interface = (_text(row[name]) for name in ("srcaddr", "dstaddr", "interface_id"))
    if source and target:
        return f"df.flow.between({source!r}, {target!r})"
    if source or target:
        return f"df.flow.host({source or target!r})"
    return f"df.flow.select(interface={interface!r})" if interface else ""


def _name(name: str) -> str:
    return " ".join(_WORDS.get(word, word) for word in name.split("_"))


def _number(name: str, value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _with_unit(name, value)
    if isinstance(value, str):
        return value
    values = list(value)  # type: ignore[call-overload]
    more = f" and {len(values) - _MOST_NAMES:,} more" if len(values) > _MOST_NAMES else ""
    return ", ".join(map(str, values[:_MOST_NAMES])) + more if values else "none"


def _with_unit(name: str, number: float) -> str:
    if name in _IN_BYTES:
        return in_si(number, "B/s" if name.endswith("a_second") else "B")
    if name in _IN_SECONDS:
        return text_of_time(number)
    return f"{number:,.0f}" if abs(number) >= 1000 or float(number).is_integer() else f"{number:.3g}"


def _sentence(words: object) -> str:
    text = _text(words)
    return text if text.endswith(".") else f"{text}."


def _text(value: object) -> str:
    return "" if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]
