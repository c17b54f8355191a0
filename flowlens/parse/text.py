"""Lines of text to Arrow tables, every bad line accounted for.

Nearly every file is clean, so a file is first handed to `pyarrow.csv` whole. Only where that meets something odd is the
text cut into pieces, the clean ones read as before and the trouble cornered in pieces so small that reading them line
by line costs nothing. Both ways apply the rules of `values.py`, and a clean line gives the same record either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flowlens.errors import BadLine
from flowlens.parse.headerless import headerless_layout
from flowlens.parse.layout import Layout, header_layout, header_problem
from flowlens.parse.lines import (
    BOM,
    end_of_line,
    line_at,
    lines_below_bad_header,
    may_hold_hexadecimal,
    problem_with,
    tokens_of,
    unix_lines,
)
from flowlens.parse.lookalikes import refuse_foreign_names, refuse_foreign_text
from flowlens.parse.reading import ENVELOPE, Parsed, Reading, RefusedError
from flowlens.parse.values import MILLISECONDS_FROM, arrow_type, column_is_clean, seconds_of
from flowlens.schema import field_for

__all__ = ["opening_of", "read_text", "read_together"]

_PIECES = 8
_SMALL = 16_384  # bytes: about 150 lines, read one by one in a millisecond

_HEAD = 1 << 16  # bytes in which the first record begins, unless somebody put a long comment before it
_BLOCK = 1 << 24  # bytes that Arrow parses at a time
_SHARED_BLOCK = 1 << 22  # the same where all cores parse one file

_LONE_RETURN = re.compile(rb"\r(?!\n)")

_ZONE = re.compile(rb"(?:Z|[+-]\d\d:?\d\d)$")

# A cheap first sieve for header lines in the middle of a file; `header_layout` decides.
_MAYBE_HEADER = re.compile(rb"^[a-z][a-z0-9_-]*(?:[ \t]+[a-z][a-z0-9_-]*)*[ \t]*(?:#[^\n]*)?$", re.MULTILINE)


class _UncleanError(Exception):
    """Something in a piece of text needs a closer look."""


def read_text(text: bytes, reading: Reading) -> Parsed:
    """Read the lines of one file.

    Raises
    ------
    RefusedError
        If the layout of the lines is not known: no header, none given, and not the default format.
    """
    try:
        layout, body = _body(text, reading)
        return Parsed([_clean_table(body, layout, reading)])
    except _UncleanError:
        return _read_with_care(text, reading)


def read_together(texts: Sequence[bytes], reading: Reading) -> Parsed | None:
    """Read small files of one layout as one text, which costs a tenth; None where they are not all clean and alike."""
    layouts: set[Layout] = set()
    bodies: list[memoryview | bytes] = []
    try:
        for text in texts:
            layout, body = _body(text, reading)
            layouts.add(layout)
            bodies += [body, b"\n"]  # Arrow skips empty lines
        if len(layouts) == 1:
            return Parsed([_clean_table(memoryview(b"".join(bodies)), layouts.pop(), reading)])
    except _UncleanError:
        pass
    return None


def _body(text: bytes, reading: Reading) -> tuple[Layout, memoryview]:
    """Return the layout of a text and the part of it that holds records, without copying it."""
    head = text[:_HEAD]
    skipped = len(BOM) if head.startswith(BOM) else 0
    try:
        opening = opening_of(head[skipped:], reading)
    except RefusedError as refused:
        raise _UncleanError from refused
    if opening is None:
        raise _UncleanError
    layout, begin, _ = opening
    if header_problem(layout):
        raise _UncleanError
    # A lone carriage return ends a line too, as on an old Mac; here it would have been taken for white space.
    if _LONE_RETURN.search(head, 0, skipped + begin):
        raise _UncleanError
    return layout, memoryview(text)[skipped + begin :]


def _read_with_care(data: bytes, reading: Reading) -> Parsed:
    data = unix_lines(data)
    opening = opening_of(data, reading)
    if opening is None:
        return Parsed()
    parsed, segments = Parsed(), _segments(data, *opening)
    problems = [header_problem(layout) for layout, *_ in segments]
    if problems[0] and all(problems):
        _, begin, line = opening
        raise RefusedError(line, line_at(data, begin).decode("utf-8", "replace"), problems[0])
    for (layout, begin, end, line), problem in zip(segments, problems, strict=True):
        if problem:
            parsed.bad_lines += lines_below_bad_header(data[begin:end], line, problem, reading.file, line)
        else:
            _corner(data[begin:end], layout, line, reading, parsed)
            # Where no line is good, the header still says which columns there would be.
            parsed.tables.append(_table(memoryview(b""), layout, reading.wanted(layout), reading.threads))
    return parsed


def opening_of(data: bytes, reading: Reading) -> tuple[Layout, int, int] | None:
    """Return the layout of a text, where its first record starts and in which line; None where it holds nothing."""
    begin, line = _first_content(data)
    if begin == len(data):
        return None
    first = line_at(data, begin)
    header = header_layout(first)
    if header:
        refuse_foreign_names(header, line)
        return (header, begin, line) if header_problem(header) else (header, end_of_line(data, begin), line + 1)
    refuse_foreign_text(first, line)
    return headerless_layout(data, begin, line, reading.layout), begin, line


def _first_content(data: bytes) -> tuple[int, int]:
    """Return where the first line that is neither blank nor a comment starts, and its number."""
    begin, number = 0, 1
    while begin < len(data):
        line = line_at(data, begin)
        if line and not line.startswith(b"#"):
            break
        begin, number = end_of_line(data, begin), number + 1
    return begin, number


def _clean_table(text: memoryview, layout: Layout, reading: Reading) -> pa.Table:
    """Read text whose every line is a record, in one go."""
    fields = [column for column in layout if not column.startswith(ENVELOPE)]
    told_by_value = next((column for column in fields if field_for(column).kind != "text"), None)
    if may_hold_hexadecimal(cast("bytes", text.obj)) or (told_by_value is None and _MAYBE_HEADER.search(text)):
        raise _UncleanError
    wanted = reading.wanted(layout)
    # Looked at even where they are not asked for: a comment shows in the first column, a header in the middle of a file
    # in any column that is not text.
    witnesses = {fields[0], told_by_value or fields[0]}
    read = [*wanted, *(column for column in fields if column in witnesses and column not in wanted)]
    try:
        table = _table(text, layout, read, reading.threads)
    except pa.ArrowInvalid as error:
        raise _UncleanError from error
    if not all(column_is_clean(field_for(column), table[column]) for column in read):
        raise _UncleanError
    return table.select(wanted)


def _in_seconds(tokens: list[str], layout: Layout) -> list[str]:
    """Return the values of a line with times in Unix seconds, which Arrow takes for them."""
    times = {place for place, column in enumerate(layout) if field_for(column).kind == "time"}
    iso = {place: seconds_of(tokens[place]) for place in times}
    return [value if iso.get(place) is None else str(iso[place]) for place, value in enumerate(tokens)]


def _table(text: memoryview, layout: Layout, columns: list[str], threads: bool) -> pa.Table:
    types = {column: arrow_type(field_for(column)) for column in columns}
    iso = _iso_times(text, layout, columns)
    if not text:
        return pa.table({column: pa.array([], kind) for column, kind in types.items()})
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(
            column_names=list(layout),
            use_threads=threads,
            block_size=_SHARED_BLOCK if threads else min(len(text) + 1, _BLOCK),
        ),
        parse_options=pa_csv.ParseOptions(delimiter=" ", quote_char=False, double_quote=False),
        # Arrow would check every value; `column_is_clean` checks the distinct ones.
        convert_options=pa_csv.ConvertOptions(
            check_utf8=False,
            column_types={**types, **iso},
            include_columns=columns,
            null_values=["-"],
            strings_can_be_null=True,
        ),
    )
    for column in iso:
        table = table.set_column(table.column_names.index(column), column, _seconds(table[column]))
    return table


def _iso_times(text: memoryview, layout: Layout, columns: list[str]) -> dict[str, pa.TimestampType]:
    """Return how to read the times that are not in Unix seconds, judging by the first line."""
    first = bytes(text[:_SMALL]).partition(b"\n")[0].split()
    if len(first) != len(layout):
        return {}
    tokens = {column: first[layout.index(column)] for column in columns if field_for(column).kind == "time"}
    return {
        column: pa.timestamp("ns", "UTC" if _ZONE.search(token) else None)
        for column, token in tokens.items()
        if b"T" in token
    }


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    seconds = pc.floor_temporal(times, unit="second").cast(pa.timestamp("s", times.type.tz)).cast(pa.int64())
    if pc.any(pc.or_(pc.less(seconds, 0), pc.greater_equal(seconds, MILLISECONDS_FROM))).as_py():
        raise _UncleanError
    return seconds.cast(pa.uint64())


def _segments(data: bytes, layout: Layout, begin: int, line: int) -> list[tuple[Layout, int, int, int]]:
    """Cut the text at header lines in its middle, which concatenated files have.

    Returns layout, first and last byte, and number of the first line of each segment. That is the line below its
    header, or the header where that has a problem.
    """
    segments = []
    for match in _MAYBE_HEADER.finditer(data, begin):
        header = header_layout(match.group().strip())
        if header:
            segments.append((layout, begin, match.start(), line))
            end = match.start() if header_problem(header) else end_of_line(data, match.start())
            line += data.count(b"\n", begin, end)
            layout, begin = header, end
    segments.append((layout, begin, len(data), line))
    return segments


def _corner(text: bytes, layout: Layout, line: int, reading: Reading, parsed: Parsed) -> None:
    """Read text with something odd in it: its clean pieces at once, the others cut further."""
    if len(text) <= _SMALL:
        _line_by_line(text, layout, line, reading, parsed)
        return
    step, begin = len(text) // _PIECES, 0
    while begin < len(text):
        end = end_of_line(text, min(begin + step, len(text) - 1))
        piece = text[begin:end]
        try:
            parsed.tables.append(_clean_table(memoryview(piece), layout, reading))
        except _UncleanError:
            if len(piece) < len(text):
                _corner(piece, layout, line, reading, parsed)
            else:
                _line_by_line(piece, layout, line, reading, parsed)
        line += piece.count(b"\n")
        begin = end


def _line_by_line(text: bytes, layout: Layout, line: int, reading: Reading, parsed: Parsed) -> None:
    good: list[str] = []
    for number, raw in enumerate(text.split(b"\n"), start=line):
        try:
            tokens = tokens_of(raw)
        except UnicodeDecodeError:
            problem: str | None = "the line is not UTF-8 text"
        else:
            if not tokens:
                continue
            problem = problem_with(tokens, layout)
        if problem is None:
            good.append(" ".join(_in_seconds(tokens, layout)))
        else:
            parsed.bad_lines.append(BadLine(reading.file, number, raw.decode("utf-8", "replace"), problem))
    if good:
        records = memoryview("\n".join(good).encode())
        parsed.tables.append(_table(records, layout, reading.wanted(layout), reading.threads))
