"""Lines of text to Arrow tables, every bad line accounted for.

Nearly every file is clean, so a file is first handed to `pyarrow.csv` whole. Only where that meets something odd is the
text cut into pieces, the clean ones read as before and the trouble cornered in pieces so small that reading them line
by line costs nothing. Both ways apply the rules of `values.py`, and a clean line gives the same record either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv

from flowlens.errors import BadLine
from flowlens.parse.layout import DEFAULT, Layout, header_layout, repeated_field
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.values import arrow_type, column_is_clean, complaint
from flowlens.schema import field_for

__all__ = ["read_text", "read_together"]

_BOM = b"\xef\xbb\xbf"
_PIECES = 8
_SMALL = 16_384  # bytes: about 150 lines, read one by one in a millisecond
_TRIED_FOR_DEFAULT = 20  # lines

# Comments, and white space other than one space and the end of a line.
_ODD_BYTES = (b"#", b"\t", b"\v", b"\f")

# Arrow's number parser takes hexadecimal for numbers; a flow log has none. Looking for the letter first costs nothing.
_HEXADECIMAL = {b"x": b"0x", b"X": b"0X"}
_BLOCK = 1 << 22  # bytes that one core parses at a time when one file is parsed on all

# A cheap first sieve for header lines in the middle of a file; `header_layout` decides.
_MAYBE_HEADER = re.compile(rb"^[a-z][a-z0-9_-]*(?:[ \t]+[a-z][a-z0-9_-]*)*[ \t]*(?:#[^\n]*)?$", re.MULTILINE)


class _UncleanError(Exception):
    """Something in a piece of text needs a closer look."""


def read_text(data: bytes, reading: Reading) -> Parsed:
    """Read the lines of one file.

    Raises
    ------
    RefusedError
        If the layout of the lines is not known: no header, none given, and not the default format.
    """
    data = _unix_lines(data)
    opening = _opening(data, reading)
    if opening is None:
        return Parsed()
    layout, begin, line = opening
    parsed = Parsed()
    try:
        parsed.tables.append(_clean_table(data[begin:], layout, reading))
    except _UncleanError:
        for segment_layout, start, stop, number in _segments(data, layout, begin, line):
            _corner(data[start:stop], segment_layout, number, reading, parsed)
        # Where no line is good, the header still says which columns there would be.
        parsed.tables.append(_table(b"", layout, reading.wanted(layout), reading.threads))
    return parsed


def read_together(texts: Sequence[bytes], reading: Reading) -> Parsed | None:
    """Read small files of one layout as one text, which costs a tenth; None where they are not all clean and alike."""
    layouts, bodies = set(), []
    for text in texts:
        data = _unix_lines(text)
        try:
            opening = _opening(data, reading)
        except RefusedError:
            return None
        if opening is not None:
            layout, begin, _ = opening
            layouts.add(layout)
            bodies.append(data[begin:] if data.endswith(b"\n") else data[begin:] + b"\n")
    if len(layouts) != 1:
        return None
    try:
        return Parsed([_clean_table(b"".join(bodies), layouts.pop(), reading)])
    except _UncleanError:
        return None


def _opening(data: bytes, reading: Reading) -> tuple[Layout, int, int] | None:
    """Return the layout of a text, where its first record starts and in which line; None where it holds nothing."""
    begin, line = _first_content(data)
    if begin == len(data):
        return None
    first = _line_at(data, begin)
    header = header_layout(first)
    if header:
        repeated = repeated_field(header)
        if repeated:
            raise RefusedError(line, first.decode("ascii"), f"the header names the field {repeated!r} more than once")
        return header, _end_of_line(data, begin), line + 1
    return reading.layout or _default_if_it_fits(data, begin, line), begin, line


def _unix_lines(data: bytes) -> bytes:
    data = data.removeprefix(_BOM)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _end_of_line(data: bytes, begin: int) -> int:
    """Return where the line after the one at `begin` starts."""
    return data.find(b"\n", begin) + 1 or len(data)


def _line_at(data: bytes, begin: int) -> bytes:
    return data[begin : _end_of_line(data, begin)].strip()


def _first_content(data: bytes) -> tuple[int, int]:
    """Return where the first line that is neither blank nor a comment starts, and its number."""
    begin, number = 0, 1
    while begin < len(data):
        line = _line_at(data, begin)
        if line and not line.startswith(b"#"):
            break
        begin, number = _end_of_line(data, begin), number + 1
    return begin, number


def _default_if_it_fits(data: bytes, begin: int, line: int) -> Layout:
    """Return the default layout if one of the first lines is a record of it, field by field.

    Fourteen values alone prove nothing: a custom format can have fourteen fields too.
    """
    first = _line_at(data, begin).decode("utf-8", "replace")
    for _ in range(_TRIED_FOR_DEFAULT):
        tokens = _tokens(_line_at(data, begin))
        # Version 2 is the default format: with other fields the version is higher.
        if tokens and tokens[0] == "2" and _complaint(tokens, DEFAULT) is None and tokens[-1] != "-":
            return DEFAULT
        begin = _end_of_line(data, begin)
    raise RefusedError(
        line,
        first,
        "the file has no header line and its lines are not in the default format, so nothing says which value is "
        "which. If these are flow log records, pass their format: fields='${version} ${account-id} ...' as 'aws ec2 "
        "describe-flow-logs' prints it under LogFormat",
    )


def _clean_table(text: bytes, layout: Layout, reading: Reading) -> pa.Table:
    """Read text whose every line is a record, in one go."""
    if any(mark in text for mark in _ODD_BYTES) or any(
        letter in text and mark in text for letter, mark in _HEXADECIMAL.items()
    ):
        raise _UncleanError
    wanted, witness = reading.wanted(layout), _witness(layout)
    if witness is None and _MAYBE_HEADER.search(text):
        raise _UncleanError
    read = wanted if witness is None or witness in wanted else [*wanted, witness]
    try:
        table = _table(text, layout, read, reading.threads)
    except pa.ArrowInvalid as error:
        raise _UncleanError from error
    if not all(column_is_clean(field_for(column), table[column]) for column in read):
        raise _UncleanError
    return table.select(wanted)


def _witness(layout: Layout) -> str | None:
    """Return a column that can tell a record from a header in the middle of a file: text could be either."""
    return next((column for column in layout if field_for(column).kind != "text"), None)


def _table(text: bytes, layout: Layout, columns: list[str], threads: bool) -> pa.Table:
    types = {column: arrow_type(field_for(column)) for column in columns}
    if not text:
        return pa.table({column: pa.array([], kind) for column, kind in types.items()})
    return pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(
            column_names=list(layout),
            use_threads=threads,
            block_size=_BLOCK if threads else len(text) + 1,
        ),
        parse_options=pa_csv.ParseOptions(delimiter=" ", quote_char=False, double_quote=False),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, include_columns=columns, null_values=["-"], strings_can_be_null=True
        ),
    )


def _segments(data: bytes, layout: Layout, begin: int, line: int) -> list[tuple[Layout, int, int, int]]:
    """Cut the text at header lines in its middle, which concatenated files have.

    Returns layout, first and last byte, and number of the first line of each segment.
    """
    segments = []
    for match in _MAYBE_HEADER.finditer(data, begin):
        header = header_layout(match.group().strip())
        if header:
            segments.append((layout, begin, match.start(), line))
            line += data.count(b"\n", begin, match.end()) + 1
            layout, begin = header, min(match.end() + 1, len(data))
    segments.append((layout, begin, len(data), line))
    return segments


def _corner(text: bytes, layout: Layout, line: int, reading: Reading, parsed: Parsed) -> None:
    """Read text with something odd in it: its clean pieces at once, the others cut further."""
    if len(text) <= _SMALL:
        _line_by_line(text, layout, line, reading, parsed)
        return
    step, begin = len(text) // _PIECES, 0
    while begin < len(text):
        end = _end_of_line(text, min(begin + step, len(text) - 1))
        piece = text[begin:end]
        try:
            parsed.tables.append(_clean_table(piece, layout, reading))
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
            tokens = _tokens(raw)
        except UnicodeDecodeError:
            problem: str | None = "the line is not UTF-8 text"
        else:
            if not tokens:
                continue
            problem = _complaint(tokens, layout)
        if problem is None:
            good.append(" ".join(tokens))
        else:
            parsed.bad_lines.append(BadLine(reading.file, number, raw.decode("utf-8", "replace"), problem))
    if good:
        parsed.tables.append(_table("\n".join(good).encode(), layout, reading.wanted(layout), reading.threads))


def _tokens(line: bytes) -> list[str]:
    """Return the values of a line; runs of white space count as one and a '#' value starts a comment.

    AWS's own examples have both: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
    """
    tokens = [token.decode("utf-8") for token in line.split()]
    comment = next((place for place, token in enumerate(tokens) if token.startswith("#")), len(tokens))
    return tokens[:comment]


def _complaint(tokens: list[str], layout: Layout) -> str | None:
    """Return the first thing that is wrong with the values of a line."""
    if len(tokens) != len(layout):
        return f"{len(tokens)} values where the format has {len(layout)} fields"
    for column, token in zip(layout, tokens, strict=True):
        problem = complaint(field_for(column), token)
        if problem:
            return problem
    return None
