"""JSON in which flow logs travel: answers of CloudWatch Logs, subscriptions, Firehose, query results, records.

A document holds *messages*, which are the lines of a log and are read as its text, or *rows*, which are records with
named values. Large files are of one plain shape, and Arrow reads those; `shapes.py` takes whatever else there is apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from flowlens.errors import BadLine
from flowlens.parse.named import read_named, refuse_what_is_no_record
from flowlens.parse.naming import MOST_NAMES, columns_of, known_names, message_name, names_account
from flowlens.parse.ocsf import is_ocsf
from flowlens.parse.plain_documents import (
    lines_of,
    plain_lines,
    plain_messages,
    plain_objects,
    plain_results,
    plain_rows,
)
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.security_lake import read_ocsf
from flowlens.parse.shapes import Gathered, gather, gather_payloads, gather_texts, sound
from flowlens.parse.text import read_text

__all__ = ["read_json", "read_messages", "read_payloads"]

_HEAD = 1 << 16  # bytes in which the word is looked for
_JSON_OR_PAYLOAD = re.compile(rb"^[ \t\v\f]*(?:[{\[]|H4sI)", re.MULTILINE)
_DEEPEST = 12  # objects inside objects


def read_json(data: bytes, reading: Reading) -> Parsed:
    """Read a file of one JSON document, or of many one after the other.

    Raises
    ------
    RefusedError
        If what it holds are no flow log records.
    """
    head = data[:_HEAD]
    is_list_of_texts = re.match(rb'\s*\[\s*"', head) is not None
    if is_list_of_texts or b'"message"' in head:
        plain_texts = plain_lines if is_list_of_texts else plain_messages
        messages = plain_texts(data, threads=reading.threads)
        if messages is not None:
            return read_messages(messages, reading)
    else:
        plain_table = plain_results if b'"field"' in head else plain_rows
        table = plain_table(data, threads=reading.threads)
        if table is not None:
            return _read_table(table, reading)
    return _read_gathered(gather(data, reading.file), reading)


def _read_table(table: pa.Table, reading: Reading, *, numbers: Sequence[int] | None = None) -> Parsed:
    message = message_name(table.column_names)
    if message is not None:
        return read_messages(table[message], reading, numbers=numbers)
    return read_named(table, columns_of(table.column_names, {}), reading, numbers=numbers)


def read_payloads(data: bytes, reading: Reading) -> Parsed:
    """Read payloads of CloudWatch Logs subscriptions as Kinesis and Lambda get them, base64 of gzip, one a line."""
    return _read_gathered(gather_payloads(data, reading.file), reading)


def read_messages(messages: pa.ChunkedArray, reading: Reading, *, numbers: Sequence[int] | None = None) -> Parsed:
    """Read the lines of a log that came as texts; a bad one is reported with its number, by default its place.

    Raises
    ------
    RefusedError
        If the layout of the lines is not known.
    """
    # A text can be JSON itself, where a transformer of CloudWatch Logs made an object of each line, or several lines.
    table = plain_objects(messages, threads=reading.threads)
    if table is not None:
        return _read_table(table, reading, numbers=numbers)
    with ThreadPoolExecutor() as pool:
        lines = b"".join(pool.map(lines_of, messages.chunks))
    if lines.count(b"\n") > len(messages) or b"\r" in lines or _holds_documents(lines):
        texts = messages.cast(pa.binary()).to_pylist()
        return _read_gathered(gather_texts(texts, numbers, reading.file), reading)
    return _read_numbered(lines, reading, numbers)


def _holds_documents(lines: bytes) -> bool:
    """Tell whether a line begins as JSON or a payload does."""
    # To look for their first byte alone is a tenth of the work, and most lines of a log have none.
    return any(first in lines for first in (b"{", b"[", b"H")) and _JSON_OR_PAYLOAD.search(lines) is not None


def _read_numbered(lines: bytes, reading: Reading, numbers: Sequence[int] | None) -> Parsed:
    """Read lines which have other numbers in their file."""
    if numbers is None:
        return read_text(lines, reading)
    try:
        parsed = read_text(lines, reading)
    except RefusedError as refused:
        raise RefusedError(numbers[refused.line - 1], refused.text, refused.reason) from None
    return Parsed(parsed.tables, [bad.renumbered(lambda line: numbers[line - 1]) for bad in parsed.bad_lines])


def _read_gathered(gathered: Gathered, reading: Reading) -> Parsed:
    parts = [Parsed([], gathered.bad_lines)]
    if gathered.messages:
        parts.append(_read_gathered_messages(gathered, reading))
    if gathered.rows:
        parts += _read_rows(gathered.rows, gathered.row_numbers, reading, alone=not gathered.messages)
    tables = [table for part in parts for table in part.tables]
    return Parsed(tables, sorted((bad for part in parts for bad in part.bad_lines), key=lambda bad: bad.line))


def _read_gathered_messages(gathered: Gathered, reading: Reading) -> Parsed:
    text = "\n".join(gathered.messages).encode("utf-8", "surrogatepass")
    try:
        return _read_numbered(text, reading, gathered.message_numbers)
    except RefusedError as refused:
        if not gathered.rows:
            raise
        # Among records, texts that are no lines of a log do not hide those.
        items = zip(gathered.message_numbers, gathered.messages, strict=True)
        return Parsed([], [BadLine(reading.file, number, sound(text), refused.reason) for number, text in items])


def _read_rows(rows: list[dict[str, object]], numbers: list[int], reading: Reading, *, alone: bool) -> list[Parsed]:
    """Read records of any keys and values; one that is no record is reported, and refused where all are none."""
    ocsf = [place for place, row in enumerate(rows) if is_ocsf(row)]
    flat = {place: _flat(row) for place, row in enumerate(rows) if not is_ocsf(row)}
    plain, too_wide = _of_not_too_many_names({place: row for place, row in flat.items() if known_names(row) >= 2})
    if alone and not ocsf and not plain:
        refuse_what_is_no_record(list(flat[0]), numbers[0])
    parts = []
    if ocsf:
        try:
            parts.append(_read_ocsf([rows[place] for place in ocsf], [numbers[place] for place in ocsf], reading))
        except RefusedError as refused:
            if alone and not plain:
                raise
            parts.append(
                Parsed([], [BadLine(reading.file, numbers[place], "an OCSF event", refused.reason) for place in ocsf])
            )
    if plain:
        table = _table([flat[place] for place in plain])
        refuse_what_is_no_record(table.column_names, numbers[plain[0]])
        names = columns_of(table.column_names, {})
        parts.append(read_named(table, names, reading, numbers=[numbers[place] for place in plain]))
    bad = [
        BadLine(
            reading.file,
            numbers[place],
            json.dumps(rows[place]),
            f"the records have more than {MOST_NAMES:,} different names"
            if place in too_wide
            else "this is no flow log record",
        )
        for place in flat.keys() - set(plain)
    ]
    return [*parts, Parsed([], bad)]


def _of_not_too_many_names(rows: Mapping[int, Mapping[str, object]]) -> tuple[list[int], set[int]]:
    """Return the rows that one table can hold, and those with whose names it would get too wide."""
    names: set[str] = set()
    plain, too_wide = [], set()
    for place, row in rows.items():
        if len(names) + len(row.keys() - names) > MOST_NAMES:
            too_wide.add(place)
        else:
            names |= row.keys()
            plain.append(place)
    return plain, too_wide


def _read_ocsf(rows: list[dict[str, object]], numbers: list[int], reading: Reading) -> Parsed:
    try:
        return read_ocsf(pa.Table.from_struct_array(pa.array(rows)), reading, numbers=numbers)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
        raise RefusedError(
            numbers[0], json.dumps(rows[0]), f"these OCSF records do not fit together: {error}"
        ) from error


def _table(rows: list[dict[str, str | None]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def _flat(row: Mapping[str, object], prefix: str = "", depth: int = 0) -> dict[str, str | None]:
    """Return a record with the keys of objects inside it joined by dots, and its values as text."""
    flat: dict[str, str | None] = {}
    for key, value in row.items():
        name = sound(f"{prefix}{key}")
        if isinstance(value, dict) and depth < _DEEPEST:
            flat.update(_flat(value, f"{name}.", depth + 1))
        elif value is None or isinstance(value, str):
            flat[name] = value if value is None else sound(value)
        else:
            text = json.dumps(value)
            flat[name] = text.zfill(12) if type(value) is int and names_account(key) else text
    return flat
