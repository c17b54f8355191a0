"""One line of text at a time: its values, what is wrong with them, and which lines are next to each other."""

from __future__ import annotations

import re
from itertools import takewhile

from flowlens.errors import BadLine
from flowlens.parse.layout import Layout
from flowlens.parse.values import complaint
from flowlens.schema import field_for

__all__ = [
    "BOM",
    "end_of_line",
    "line_at",
    "line_ends",
    "lines_below_bad_header",
    "may_hold_hexadecimal",
    "problem_with",
    "tokens_of",
    "unix_lines",
]

BOM = b"\xef\xbb\xbf"
_HEXADECIMAL = re.compile(rb"0[xX]")


def end_of_line(data: bytes, begin: int) -> int:
    """Return where the line after the one at `begin` starts."""
    return data.find(b"\n", begin) + 1 or len(data)


def unix_lines(data: bytes) -> bytes:
    """Return a text without its mark of byte order, lines ended as Unix does."""
    data = data.removeprefix(BOM)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def line_ends(data: bytes, end: int | None = None) -> int:
    """Count the lines that end in the bytes before `end`, as Unix, Windows or an old Mac ends them."""
    return data.count(b"\n", 0, end) + data.count(b"\r", 0, end) - data.count(b"\r\n", 0, end)


def line_at(data: bytes, begin: int) -> bytes:
    """Return the line at `begin` without white space around it."""
    return data[begin : end_of_line(data, begin)].strip()


def tokens_of(line: bytes) -> list[str]:
    """Return the values of a line; runs of white space count as one and a '#' value starts a comment.

    AWS's own examples have both: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    """
    return [token.decode("utf-8") for token in takewhile(lambda token: not token.startswith(b"#"), line.split())]


def lines_below_bad_header(text: bytes, line: int, reason: str, file: str, header: int) -> list[BadLine]:
    """Report the lines of a text below a bad header, and that one: which value is which field's is not known.

    Parameters
    ----------
    line, header
        The number of the first line of the text, and of the header.
    """
    return [
        BadLine(file, number, raw.decode("utf-8", "replace"), reason, None if number == header else header)
        for number, raw in enumerate(unix_lines(text).split(b"\n"), start=line)
        if raw.strip() and not raw.lstrip().startswith(b"#")
    ]


def may_hold_hexadecimal(text: bytes) -> bool:
    """Tell whether a text may hold hexadecimal numbers: Arrow would read them, and a flow log has none."""
    # Looking for a letter that few logs have costs nothing; only where it is there, look closer.
    return (b"x" in text or b"X" in text) and _HEXADECIMAL.search(text) is not None


def problem_with(tokens: list[str], layout: Layout) -> str | None:
    """Return the first thing that is wrong with the values of a line."""
    if len(tokens) != len(layout):
        return f"{len(tokens)} values where the format has {len(layout)} fields"
    for column, token in zip(layout, tokens, strict=True):
        problem = complaint(field_for(column), token)
        if problem:
            return problem
    return None
