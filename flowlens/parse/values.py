"""What a value of each field may be: the same rule for a parsed column, for distinct words and for one word."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.schema import Field

__all__ = [
    "MILLISECONDS_FROM",
    "TEXT",
    "arrow_type",
    "column_is_clean",
    "complaint",
    "largest",
    "seconds_of",
    "unix_seconds",
    "with_their_zeros",
    "wrong_words",
]

TEXT = pa.dictionary(pa.int32(), pa.string())
_ARROW_TYPES = {
    "text": TEXT,
    "address": TEXT,
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "int64": pa.uint64(),  # no counter and no time is negative
    "time": pa.uint64(),
}

#: Times from here on are milliseconds (flowlogs-reader PR 30 met them in real data): as seconds it is the year 5138.
MILLISECONDS_FROM = 10**11
_LARGEST = {"uint8": 2**8 - 1, "uint16": 2**16 - 1, "int64": 2**63 - 1, "time": 1000 * MILLISECONDS_FROM - 1}

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"
_IPV4_PATTERN = re.compile(_IPV4 + r"(?!\n)")
_NO_TEXT = r"^$|^#|[ \t\v\f]"  # nothing, a comment, or white space, which splits values
_DIGITS = re.compile(r"[0-9]+")


def arrow_type(field: Field) -> pa.DataType:
    """Return the type a field is parsed into; times are Unix seconds until the frame is built."""
    return _ARROW_TYPES[field.kind]


def largest(field: Field) -> int:
    """Return the largest number that can stand in a numeric field."""
    return _LARGEST[field.kind]


def with_their_zeros(accounts: pa.StringArray) -> pa.StringArray:
    """Return account ids with the zeros they begin with, which they lose where a tool takes them for numbers."""
    numbers = pc.match_substring_regex(accounts, r"^[0-9]{1,11}\.0$|^[0-9]{8,11}$")
    if not pc.any(numbers).as_py():
        return accounts
    return pc.if_else(numbers, pc.utf8_lpad(pc.replace_substring(accounts, ".0", ""), 12, "0"), accounts)


def column_is_clean(field: Field, column: pa.ChunkedArray) -> bool:
    """Tell whether every value of a parsed column can stand in its field.

    Only the dictionary of a text column is looked at, so the cost is that of the distinct values.
    """
    if pa.types.is_dictionary(column.type):
        return all(_words_are_clean(field, chunk.dictionary) for chunk in column.chunks)
    if field.kind in {"int64", "time"}:
        most = pc.max(column).as_py()
        return most is None or most <= largest(field)
    return True


def _words_are_clean(field: Field, words: pa.StringArray) -> bool:
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:  # not UTF-8
        return False
    return not pc.any(wrong_words(field, words)).as_py()


def wrong_words(field: Field, words: pa.StringArray) -> pa.BooleanArray:
    """Tell for each word whether it cannot stand in the field."""
    if field.kind == "address":
        wrong = pc.invert(pc.match_substring_regex(words, _IPV4))
        if pc.any(wrong).as_py():
            wrong = pa.array(
                [
                    unsure and not _is_ipv6(word)
                    for unsure, word in zip(wrong.to_pylist(), words.to_pylist(), strict=True)
                ]
            )
        return wrong
    if field.closed:
        return pc.invert(pc.is_in(words, pa.array(list(field.values))))
    if field.kind == "text":
        return pc.match_substring_regex(words, _NO_TEXT)
    return pa.array([complaint(field, word) is not None for word in words.to_pylist()], pa.bool_())


def seconds_of(word: str) -> int | None:
    """Return the Unix seconds of a time in ISO 8601, UTC where it names no zone, or None where it is none."""
    if "-" not in word[:5]:  # digits alone would be a date to Python
        return None
    try:
        moment = datetime.fromisoformat(word)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < MILLISECONDS_FROM else None


def unix_seconds(words: pa.StringArray) -> pa.UInt64Array:
    """Return the Unix seconds of times in ISO 8601, null for anything else.

    Athena writes ``2026-03-10 14:00:00.000 UTC``, CloudWatch Logs Insights the same without the zone.
    """
    seconds = [None if word is None else seconds_of(word.removesuffix(" UTC")) for word in words.to_pylist()]
    return pa.array(seconds, pa.uint64())


def complaint(field: Field, word: str) -> str | None:
    """Return what is wrong with one value of a field as it stands in the line, or None."""
    if word == "-":
        return None
    if field.kind == "address":
        fits = _IPV4_PATTERN.match(word) or _is_ipv6(word)
        return None if fits else f"{field.name} is {word!r}, not an IP address"
    if field.closed:
        return None if word in field.values else f"{field.name} is {word!r}, not {' or '.join(field.values)}"
    if field.kind == "text":
        return None if word else f"{field.name} is empty"
    if _is_number(field, word) or (field.kind == "time" and seconds_of(word) is not None):
        return None
    wanted = {"int64": "a whole number", "time": "a time"}
    return f"{field.name} is {word!r}, not {wanted.get(field.kind, f'a whole number from 0 to {largest(field)}')}"


def _is_number(field: Field, word: str) -> bool:
    # int() of a very long text is slow and refused by Python; no number here has more than 19 digits.
    return bool(_DIGITS.fullmatch(word)) and len(word.lstrip("0")) <= 19 and int(word) <= largest(field)


def _is_ipv6(word: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, word)
    except (OSError, ValueError):  # ValueError: a NUL or a character that is not ASCII
        return False
    return True
