"""Text too large to hold: pieces of whole lines, each read in the layout that the header above it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from flowlens.errors import BadLine
from flowlens.parse.compression import DamagedError
from flowlens.parse.layout import Layout, header_layout, header_problem
from flowlens.parse.lines import line_at, lines_below_bad_header, unix_lines
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.text import opening_of, read_text

__all__ = ["read_text_in_pieces"]

_PIECE = 16 << 20  # bytes

# As in `text.py`, but with the end of the line before, which is found five times as fast as the begin of a line.
_MAYBE_HEADER = re.compile(rb"\n([a-z][a-z0-9_-]*(?:[ \t]+[a-z][a-z0-9_-]*)*[ \t]*(?:#[^\n]*)?)(?=\n)")


def read_text_in_pieces(chunks: Iterator[bytes], reading: Reading) -> Iterator[Parsed]:
    """Read text as `read_text` does, from chunks that may end anywhere, some megabytes at a time.

    Raises
    ------
    RefusedError
        If the layout of the lines is not known: no header, none given, and not the default format.
    """
    layout: Layout | None = None
    header, problem = 0, None  # the line of a header that names a field twice, and what to say of it
    line = 1
    for piece, damage in _pieces(chunks):
        if damage:
            yield Parsed([], [BadLine(reading.file, line, piece.decode("utf-8", "replace"), damage)])
            return
        text = unix_lines(piece)
        headers = _headers(text)
        if layout is None:
            opening = opening_of(text, reading)
            layout = opening and opening[0]
        begin = 0
        if problem:
            begin = headers[0][0] if headers else len(text)
            yield Parsed([], lines_below_bad_header(text[:begin], line, problem, reading.file, header))
        above = line + text.count(b"\n", 0, begin)
        try:
            yield read_text(text[begin:], replace(reading, layout=layout)).below(above - 1)
        except RefusedError as refused:
            # All headers in this piece are bad.
            yield Parsed([], lines_below_bad_header(text[begin:], above, refused.reason, reading.file, above))
        if headers:
            place, layout = headers[-1]
            header, problem = line + text.count(b"\n", 0, place), header_problem(layout)
        line += text.count(b"\n")


def _headers(text: bytes) -> list[tuple[int, Layout]]:
    """Return where header lines begin, and the layouts they give."""
    places = [0, *(found.start(1) for found in _MAYBE_HEADER.finditer(text))]
    layouts = [(place, header_layout(line_at(text, place))) for place in places]
    return [(place, layout) for place, layout in layouts if layout]


def _pieces(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, str | None]]:
    """Yield pieces of whole lines; and what is behind them where the stream is damaged, with how that is."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= _PIECE:
                text = b"".join(parts)
                whole = text.rfind(b"\n") + 1
                yield text[:whole], None
                parts, size = [text[whole:]], 0
    except DamagedError as damaged:
        # The last line may be cut anywhere, even inside a number: only whole lines are believed.
        text = b"".join(parts)
        whole = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        yield text[:whole], None
        yield text[whole:], str(damaged)
    else:
        yield b"".join(parts), None
