"""JSON of one plain shape, as large files of flow logs are, through Arrow and on all cores.

Each function gives None where a file is anything but plain, and then it has to be taken apart document by document.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from flowlens.parse.naming import columns_of, known_names, looks_like_results
from flowlens.schema import BY_COLUMN

__all__ = ["plain_messages", "plain_rows"]

_HEAD = 1 << 16  # bytes in which the first object is looked for
_BLOCK = 1 << 22  # bytes that a core parses at a time where each document has a line
_PIECE = 1 << 25  # bytes of one long list that are worth a core

_EVENTS = pa.list_(pa.struct([("message", pa.string())]))
_OF_MESSAGES = pa.schema(
    [("message", pa.string()), ("events", _EVENTS), ("logEvents", _EVENTS), ("messageType", pa.string())]
)

_LIST_OPENS = re.compile(rb'\s*\{\s*"(?:events|logEvents)"\s*:\s*\[')
# Between two elements of a list of objects. If it stands inside a text, or in a list inside an element, then the parts
# are no sound JSON, which Arrow notices.
_BOUNDARY = re.compile(rb"\}(\s*,\s*)\{")

_decode = json.JSONDecoder().raw_decode


def plain_messages(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the messages of documents that hold nothing else: ``{"message": ...}``, or lists of such."""
    if data[:_HEAD].lstrip().startswith(b"["):
        data = b'{"events":' + data + b"}"
    by_line = _has_a_document_a_line(data)
    pieces = [data] if by_line or not threads else _pieces(data)
    read = partial(_read, schema=_OF_MESSAGES, unexpected="ignore", by_line=by_line, threads=threads)
    try:
        with ThreadPoolExecutor(len(pieces)) as pool:
            tables = list(pool.map(read, pieces))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    found = [_messages(batch) for table in tables for batch in table.to_batches()]
    return None if any(messages is None for messages in found) else pa.chunked_array(found, pa.string())


def _messages(batch: pa.RecordBatch) -> pa.StringArray | None:
    # A subscription says that it is there; that message is no record.
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
    try:
        first, _ = _decode(head[1:].lstrip() if in_list else head)
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict) or known_names(first) < 2 or looks_like_results(columns_of(list(first), {})):
        return None
    # Arrow would take text that looks like a time for one.
    values = [(name, pa.string()) for name, value in first.items() if isinstance(value, str)]
    if in_list:
        data, schema = b'{"rows":' + data + b"}", pa.schema([("rows", pa.list_(pa.struct(values)))])
    else:
        schema = pa.schema(values)
    try:
        table = _read(data, schema, "infer", not in_list and _has_a_document_a_line(data), threads)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if in_list:
        rows = [batch["rows"].flatten() for batch in table.to_batches()]
        table = pa.Table.from_batches([pa.RecordBatch.from_struct_array(part) for part in rows])
    return table if _is_plain(table) else None


def _is_plain(table: pa.Table) -> bool:
    names = columns_of(table.column_names, {})
    if any(pa.types.is_nested(kind) for kind in table.schema.types):
        return False
    foreign = [table[name] for column, name in names.items() if column not in BY_COLUMN]
    if any(pa.types.is_timestamp(column.type) for column in foreign):
        return False
    # An object without a single field of a flow log is no record.
    fields = [table[name] for column, name in names.items() if column in BY_COLUMN]
    empty = pc.is_null(fields[0])
    for field in fields[1:]:
        if not pc.any(empty).as_py():
            break
        empty = pc.and_(empty, pc.is_null(field))
    return not pc.any(empty).as_py()


def _read(data: bytes, schema: pa.Schema, unexpected: str, by_line: bool, threads: bool) -> pa.Table:
    return pa_json.read_json(
        pa.BufferReader(data),
        read_options=pa_json.ReadOptions(
            use_threads=threads and by_line, block_size=_BLOCK if by_line else len(data) + 1
        ),
        parse_options=pa_json.ParseOptions(
            explicit_schema=schema, newlines_in_values=not by_line, unexpected_field_behavior=unexpected
        ),
    )


def _has_a_document_a_line(data: bytes) -> bool:
    first, end, following = data[:_HEAD].partition(b"\n")
    try:
        _decode(first.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return bool(end) and following.lstrip()[:1] == b"{"


def _pieces(data: bytes) -> list[bytes]:
    """Cut a document that is one long list of events into several of the same kind."""
    opening = _LIST_OPENS.match(data)
    if opening is None:
        return [data]
    cuts = [(0, 0)]
    for place in range(_PIECE, len(data) - _PIECE, _PIECE):
        boundary = _BOUNDARY.search(data, place)
        if boundary and boundary.start() > cuts[-1][1]:
            cuts.append(boundary.span(1))
    ends = [begin for begin, _ in cuts[1:]] + [len(data)]
    parts = [memoryview(data)[begin:end] for (_, begin), end in zip(cuts, ends, strict=True)]
    return [
        b"".join([opening[0] if place else b"", part, b"]}" if place < len(parts) - 1 else b""])
        for place, part in enumerate(parts)
    ]
