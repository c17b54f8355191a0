"""CSV with a header: results of Athena and Logs Insights, downloads of the CloudWatch console, what pandas wrote.

A file with a column of whole lines, as the console's ``timestamp,message``, is read as those lines.
"""

from __future__ import annotations

import csv
import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flowlens.errors import BadLine
from flowlens.parse.documents import read_messages
from flowlens.parse.lines import line_ends, lines_below_bad_header, may_hold_hexadecimal
from flowlens.parse.lookalikes import foreign_kind
from flowlens.parse.named import read_named, refuse_what_is_no_record
from flowlens.parse.naming import columns_of, known_names, message_name
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.values import arrow_type, column_is_clean, with_their_zeros
from flowlens.schema import Field, field_for

__all__ = ["csv_header", "read_csv"]

_DELIMITERS = ",;"
_BLOCK = 1 << 22  # bytes that Arrow parses at a time
_LONGEST_HEADER = 1 << 16  # bytes
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"
# A row that begins with a name; `csv_header` decides.
_MAYBE_HEADER = re.compile(rb'^"?[A-Za-z@][^\n]*$', re.MULTILINE)
_BLANK = " \t\v\f"
_MOST_LINES = 20  # of one record, where a value holds line ends


def csv_header(line: bytes) -> tuple[list[str], str] | None:
    """Return the names in the header of a CSV file and what parts them, or None where the line is no such header."""
    text = line[:_LONGEST_HEADER].decode("utf-8", "replace")
    if message_name([text.strip('"')]):
        return [text.strip('"')], _DELIMITERS[0]
    delimiter = max(_DELIMITERS, key=text.count)
    if delimiter not in text:
        return None
    names = [name.strip() for name in _values(text, delimiter)]
    return (names, delimiter) if known_names(names) or message_name(names) or foreign_kind(names) else None


def read_csv(data: bytes, reading: Reading) -> Parsed:
    """Read a file of CSV, or of several behind each other, each with its header.

    Raises
    ------
    RefusedError
        If its columns are not those of records.
    """
    header = _first_line(data)
    names, delimiter = csv_header(header) or ([], "")
    if b"\n" + header in data and len(_headers(data)) > 1:
        return _read_apart(data, reading)
    try:
        return _read_below(names, delimiter, data, reading)
    except RefusedError:
        if len(_headers(data)) == 1:
            raise
        return _read_apart(data, reading)


def _read_below(names: list[str], delimiter: str, data: bytes, reading: Reading) -> Parsed:
    """Read a file by the names in its first line."""
    message = message_name(names)
    if message and names.count(message) == 1:
        try:
            return _read_lines(data, names, message, delimiter, reading)
        except RefusedError:
            # Beside a line in a format that is not known, Logs Insights gives the fields that it found in it.
            if not {"srcaddr", "dstaddr"} <= set(columns_of(names, {})):
                raise
    refuse_what_is_no_record(names)
    columns = columns_of(names, {})
    wanted = reading.wanted(tuple(columns))
    types = {columns[column]: arrow_type(field_for(column)) for column in wanted}
    # Arrow reads hexadecimal numbers.
    hexadecimal = may_hold_hexadecimal(data)
    table = None if hexadecimal else _table(data, names, types, delimiter, threads=reading.threads)
    if table is not None and all(_is_clean(field_for(column), table[columns[column]]) for column in wanted):
        return Parsed([table.rename_columns(wanted)])
    if len(_headers(data)) > 1:
        return _read_apart(data, reading)
    rows, numbers, bad_lines = _rows(data, names, delimiter, reading.file)
    texts = {name: pa.array(values, pa.string()) for name, values in zip(names, rows, strict=True)}
    parsed = read_named(pa.table(texts), columns, reading, numbers=numbers)
    return Parsed(parsed.tables, sorted([*bad_lines, *parsed.bad_lines], key=lambda bad: bad.line))


def _headers(data: bytes) -> list[int]:
    """Return where the lines begin that are headers."""
    headers = [0]
    for found in _MAYBE_HEADER.finditer(data, 1):
        names, _ = csv_header(found[0].rstrip(b"\r")) or ([], "")
        if known_names(names) > 1 or message_name(names):
            headers.append(found.start())
    return headers


def _first_line(data: bytes) -> bytes:
    return re.split(rb"[\r\n]", data[:_LONGEST_HEADER], maxsplit=1)[0]


def _read_apart(data: bytes, reading: Reading) -> Parsed:
    """Read each header with the rows below it by itself; what is refused is only that."""
    headers = _headers(data)
    parsed, refusals = Parsed(), []
    for begin, end in zip(headers, [*headers[1:], len(data)], strict=True):
        first = line_ends(data, begin) + 1
        try:
            part = read_csv(data[begin:end], reading).below(first - 1)
        except RefusedError as refused:
            refusals.append(refused)
            part = Parsed([], lines_below_bad_header(data[begin:end], first, refused.reason, reading.file, first))
        parsed.tables += part.tables
        parsed.bad_lines += part.bad_lines
    if len(refusals) == len(headers):
        raise refusals[0]
    return parsed


def _read_lines(data: bytes, names: list[str], message: str, delimiter: str, reading: Reading) -> Parsed:
    table = _table(data, names, {message: pa.string()}, delimiter, threads=reading.threads)
    # Line numbers are those of rows, unless a message runs over several lines or lines are blank.
    if table is not None and not table[message].null_count and table.num_rows == _lines_below_header(data):
        return read_messages(table[message], reading, numbers=range(2, table.num_rows + 2))
    rows, numbers, bad_lines = _rows(data, names, delimiter, reading.file)
    messages = pa.chunked_array([rows[names.index(message)]], pa.string())
    parsed = read_messages(messages, reading, numbers=numbers)
    if len(messages) and not messages[-1].as_py() and not data.endswith((b"\n", b"\r")):
        bad_lines.append(BadLine(reading.file, numbers[-1], "", f"the file ends before its last {message}"))
    return Parsed(parsed.tables, sorted([*bad_lines, *parsed.bad_lines], key=lambda bad: bad.line))


def _table(
    data: bytes, names: list[str], types: dict[str, pa.DataType], delimiter: str, *, threads: bool
) -> pa.Table | None:
    """Read columns of a CSV file in which every row is as it should be; None where one is not."""
    if data.count(b'"') % 2:  # Arrow takes the end of the file for that of a quoted value
        return None
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=threads, block_size=_BLOCK),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(types), null_values=["", "-"], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Quotes that do not match in two places make one value of all that is between them.
    return table if b'"' not in data or table.num_rows == _lines_below_header(data) else None


def _lines_below_header(data: bytes) -> int:
    return line_ends(data) - data.endswith((b"\n", b"\r"))


def _is_clean(field: Field, column: pa.ChunkedArray) -> bool:
    if field.name == "account-id":
        return all(with_their_zeros(chunk.dictionary) is chunk.dictionary for chunk in column.chunks)
    if field.kind == "text" and not field.closed:
        # White space parts values in a line of text only; Arrow has looked at the encoding.
        around = (pc.match_substring_regex(chunk.dictionary, r"^\s|\s$") for chunk in column.chunks)
        return not any(pc.any(words).as_py() for words in around)
    return column_is_clean(field, column)


def _rows(data: bytes, names: list[str], delimiter: str, file: str) -> tuple[list[list[str]], list[int], list[BadLine]]:
    """Return the values of each column, the line in which each row begins, and the lines that are no row."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    bad_lines: list[BadLine] = []
    lines = re.split(r"\r\n|\r|\n", data.decode("utf-8", "replace"))
    number = 1
    while number < len(lines):
        line, values = _row(lines, number, delimiter, len(names))
        if _NOT_UTF8 in line:
            bad_lines.append(BadLine(file, number + 1, line, "the line is not UTF-8 text"))
        elif len(values) == len(names):
            rows.append(values)
            numbers.append(number + 1)
        elif line.strip(_BLANK):
            reason = (
                f"{len(values)} values where the header has {len(names)} names" if values else "its quotes do not match"
            )
            bad_lines.append(BadLine(file, number + 1, line, reason))
        number += line.count("\n") + 1
    columns = [[row[place] for row in rows] for place in range(len(names))]
    return columns, numbers, bad_lines


def _row(lines: list[str], number: int, delimiter: str, width: int) -> tuple[str, list[str]]:
    """Return the text and the values of the row that begins in a line; a quoted value may run over several lines."""
    line = lines[number]
    if line.count('"') % 2:
        for end in range(number + 2, min(number + _MOST_LINES, len(lines)) + 1):
            if lines[end - 1].count('"') % 2:
                text = "\n".join(lines[number:end])
                values = _values(text, delimiter)
                return (text, values) if len(values) == width else (line, [])
    return line, _values(line, delimiter)


def _values(line: str, delimiter: str) -> list[str]:
    """Return the values of a line, none where it cannot be parted."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return []
