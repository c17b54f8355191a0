"""JSON of one plain shape, as large files of flow logs are, through Arrow and on all cores.

Each function gives None where a file is anything but plain, and then it has to be taken apart document by document.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from flowlens.parse.lookalikes import foreign_kind
from flowlens.parse.naming import columns_of, has_addresses, known_names, looks_like_results, message_name
from flowlens.schema import BY_COLUMN, field_for

__all__ = ["plain_messages", "plain_results", "plain_rows"]

_HEAD = 1 << 16  # bytes in which the first object is looked for
_BLOCK = 1 << 22  # bytes that a core parses at a time where each document has a line
_PIECE = 1 << 22  # bytes of one long list that are parsed at a time: few enough to stay near the core that copies them
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}

_EVENTS = pa.list_(pa.struct([("message", pa.string())]))
_OF_MESSAGES = pa.schema(
    [("message", pa.string()), ("events", _EVENTS), ("logEvents", _EVENTS), ("messageType", pa.string())]
)

_CELLS = pa.list_(pa.struct([("field", pa.string()), ("value", pa.string())]))
_OF_RESULTS = pa.schema([("results", pa.list_(_CELLS)), ("status", pa.string())])

_LIST_OPENS = re.compile(
    rb'\s*(\{\s*(?:"\w+"\s*:\s*"[^"\\]*"\s*,\s*)*"(?:events|logEvents|results)"\s*:\s*)?\[\s*(?=([{\[]))'
)
# Between two elements of a list, told by how the first one opens. If it stands inside a text, or in a list inside an
# element, then the parts are no sound JSON, which Arrow notices.
_BOUNDARIES = {b"{": re.compile(rb"\}(\s*,\s*)\{"), b"[": re.compile(rb"\](\s*,\s*)\[")}
_FIRST_KEY = re.compile(rb'\s*(\{\s*"\w+"\s*:)')

_decode = json.JSONDecoder().raw_decode


def plain_messages(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the messages of documents that hold nothing else: ``{"message": ...}``, or lists of such."""
    tables = _tables(data, "events", _OF_MESSAGES, unexpected="ignore", threads=threads)
    if tables is None:
        return None
    found = [_messages(batch) for table in tables for batch in table.to_batches()]
    return None if any(messages is None for messages in found) else pa.chunked_array(found, pa.string())


def _messages(batch: pa.RecordBatch) -> pa.StringArray | None:
    # A subscription says that it is there; that message is no record.
    if batch["messageType"].null_count < len(batch):
        control = pc.equal(batch["messageType"], "CONTROL_MESSAGE")
        batch = batch.filter(pc.invert(pc.fill_null(control, False)))
    column = next((name for name in ("message", "events", "logEvents") if not batch[name].null_count), None)
    if column is None or any(batch[name].null_count < len(batch) for name in _OF_MESSAGES.names[:3] if name != column):
        return None
    messages = batch[column] if column == "message" else batch[column].flatten().flatten()[0]
    return None if messages.null_count else messages


def plain_rows(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the records of objects whose values are neither objects nor lists, one behind the other or in a list."""
    head = data[:_HEAD].decode("utf-8", "replace").lstrip()
    in_list = head.startswith("[")
    first = _first_values(head)
    if message_name(first) or not _name_records(list(first)):
        return None
    # Nothing is left for Arrow to guess: it would take text for times, large integers for floats, and fall over deep
    # nesting. What has another type, or a name that did not come up yet, is no plain file.
    values = [(name, _type(name, value)) for name, value in first.items()]
    schema = pa.schema([("rows", pa.list_(pa.struct(values)))] if in_list else values)
    tables = _tables(data, "rows", schema, unexpected="error", threads=threads)
    if tables is None:
        return None
    try:
        table = _one_table(tables, in_list=in_list)
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table if _is_plain(table) else None


def plain_results(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the rows of results of Logs Insights, each a list of fields with their values, as text."""
    tables = _tables(data, "results", _OF_RESULTS, unexpected="ignore", threads=threads)
    if tables is None:
        return None
    try:
        parts = [_pivoted(batch) for table in tables for batch in table.to_batches()]
        if any(part is None for part in parts):
            return None
        table = pa.concat_tables(parts, promote_options="default")
        names = table.column_names
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    if message_name(names):
        return table if not has_addresses(names) and not table[message_name(names)].null_count else None
    return table if _name_records(names) and _is_plain(table) else None


def _pivoted(results: pa.RecordBatch) -> pa.Table | None:
    """Return rows of cells as a table; None where a row has a field twice, or the query had not ended."""
    if results["results"].null_count or pc.any(pc.not_equal(results["status"], "Complete")).as_py():
        return None
    rows = results["results"].flatten()
    names, values = rows.flatten().flatten()
    if names.null_count:
        return None
    encoded = names.dictionary_encode()
    codes = encoded.indices.to_numpy()
    row_of_cell = np.repeat(np.arange(len(rows)), pc.list_value_length(rows).to_numpy(zero_copy_only=False))
    columns = {}
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        cells = np.flatnonzero(codes == code)
        cell_of_row = np.full(len(rows), -1)
        cell_of_row[row_of_cell[cells]] = cells
        if np.count_nonzero(cell_of_row >= 0) < len(cells):
            return None
        columns[name] = values.take(pa.array(cell_of_row, mask=cell_of_row < 0))
    return pa.table(columns)


def _name_records(names: Sequence[str]) -> bool:
    """Tell whether these are names of flow log records, and of nothing that has to be looked at more closely."""
    return known_names(names) >= 2 and not looks_like_results(columns_of(names, {})) and not foreign_kind(names)


def _first_values(head: str) -> dict[str, object]:
    """Return the names in the first objects, each with its first value that is not null."""
    found: dict[str, object] = {}
    place = len(head) - len(head.lstrip("[ \t\r\n"))
    try:
        while place < len(head):
            document, place = _decode(head, place)
            if not isinstance(document, dict):
                break
            for name, value in document.items():
                if found.get(name) is None:
                    found[name] = value
            place += len(head[place:]) - len(head[place:].lstrip(", \t\r\n"))
    except (ValueError, RecursionError):  # the head ends inside an object
        pass
    return found


def _type(name: str, value: object) -> pa.DataType:
    """Return the type of a value, or where it is null the one that its field has."""
    if value is None:
        column = next(iter(columns_of([name], {})), name)
        return pa.string() if field_for(column).kind in {"text", "address"} else pa.int64()
    return _TYPES.get(type(value), pa.null())


def _one_table(tables: list[pa.Table], *, in_list: bool) -> pa.Table:
    if in_list:
        rows = [batch["rows"].flatten() for table in tables for batch in table.to_batches()]
        tables = [pa.Table.from_batches([pa.RecordBatch.from_struct_array(part)]) for part in rows]
    return pa.concat_tables(tables, promote_options="default")


def _is_plain(table: pa.Table) -> bool:
    """Tell whether each object has a field of a flow log: one without any is no record."""
    names = columns_of(table.column_names, {})
    fields = [table[name] for column, name in names.items() if column in BY_COLUMN]
    empty = pc.is_null(fields[0])
    for field in fields[1:]:
        if not pc.any(empty).as_py():
            break
        empty = pc.and_(empty, pc.is_null(field))
    return not pc.any(empty).as_py()


def _tables(data: bytes, list_name: str, schema: pa.Schema, *, unexpected: str, threads: bool) -> list[pa.Table] | None:
    """Read documents; a list that is not inside an object is read as one inside an object, under a name."""
    by_line = _has_a_document_a_line(data)
    pieces = [(data,)] if by_line else _pieces(data, list_name)
    options = pa_json.ParseOptions(
        explicit_schema=schema, newlines_in_values=not by_line, unexpected_field_behavior=unexpected
    )

    def read(piece: Iterable[bytes | memoryview]) -> pa.Table:
        text = data if by_line else b"".join(piece)
        blocks = pa_json.ReadOptions(use_threads=threads and by_line, block_size=_BLOCK if by_line else len(text) + 1)
        return pa_json.read_json(pa.BufferReader(text), read_options=blocks, parse_options=options)

    try:
        with ThreadPoolExecutor(os.cpu_count() if threads else 1) as pool:
            return list(pool.map(read, pieces))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _has_a_document_a_line(data: bytes) -> bool:
    first, end, following = data[:_HEAD].partition(b"\n")
    try:
        _decode(first.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return bool(end) and following.lstrip()[:1] == b"{"


def _pieces(data: bytes, list_name: str) -> list[tuple[bytes | memoryview, ...]]:
    """Cut a document that is one long list into several, each an object with a list, and in parts to be joined.

    Documents behind each other are cut where another one begins as the first one does.
    """
    opening = _LIST_OPENS.match(data)
    if opening:
        head, tail = (opening[0], b"") if opening[1] else (f'{{"{list_name}":['.encode(), b"}")
        end = b"]}"
        boundary = _BOUNDARIES[opening[2]]
    else:
        first = _FIRST_KEY.match(data)
        if first is None:
            return [(data,)]
        head = tail = end = b""
        boundary = re.compile(rb"\}(\s*)" + re.escape(first[1]))
    cuts = [opening.span() if opening else (0, 0)]
    for place in range(_PIECE, len(data) - _PIECE, _PIECE):
        found = boundary.search(data, place)
        if found and found.start() > cuts[-1][1]:
            cuts.append(found.span(1))
    ends = [begin for begin, _ in cuts[1:]] + [len(data)]
    parts = [memoryview(data)[begin:end] for (_, begin), end in zip(cuts, ends, strict=True)]
    return [(head, part, end if part is not parts[-1] else tail) for part in parts]
