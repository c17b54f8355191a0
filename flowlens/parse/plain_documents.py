"""JSON of one plain shape, as large files of flow logs are, through Arrow and on all cores.

Each function gives None where a file is anything but plain, and then `shapes.py` takes it apart document by document.
It may do so for any file, but must never read what would be reported there: a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.parse.lookalikes import foreign_kind
from flowlens.parse.naming import MOST_NAMES, columns_of, has_addresses, known_names, looks_like_results, message_name
from flowlens.parse.pieces import OddError, Texts, taken, texts_of
from flowlens.schema import BY_COLUMN, field_for

__all__ = ["lines_of", "plain_lines", "plain_messages", "plain_objects", "plain_results", "plain_rows"]

_HEAD = 1 << 16  # bytes in which the first object is looked for
_LOOKED_AT = 100  # messages
_LARGEST_SURE = 2**53  # a float has all digits of whole numbers below
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}

_EVENTS = pa.list_(pa.struct([("message", pa.string())]))
_OF_MESSAGES = pa.schema(
    [("message", pa.string()), ("events", _EVENTS), ("logEvents", _EVENTS), ("messageType", pa.string())]
)

_CELLS = pa.list_(pa.struct([("field", pa.string()), ("value", pa.string())]))
_OF_RESULTS = pa.schema([("results", pa.list_(_CELLS)), ("status", pa.string())])

_OF_LINES = pa.schema([("lines", pa.list_(pa.string()))])

_decode = json.JSONDecoder().raw_decode


def plain_messages(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the messages of documents that hold nothing else: ``{"message": ...}``, or lists of such."""
    if has_addresses(_first_values(data[:_HEAD].decode("utf-8", "replace"))):
        return None  # the message stands beside the fields of a record
    found = taken(texts_of(data, "events"), _OF_MESSAGES, _messages, unexpected="ignore", threads=threads)
    return None if found is None else pa.chunked_array(found, pa.string())


def _messages(documents: pa.RecordBatch) -> pa.StringArray:
    # A subscription says that it is there; that message is no record.
    if documents["messageType"].null_count < len(documents):
        control = pc.equal(documents["messageType"], "CONTROL_MESSAGE")
        documents = documents.filter(pc.invert(pc.fill_null(control, False)))
    places = _OF_MESSAGES.names[:3]
    column = next((name for name in places if not documents[name].null_count), None)
    if column is None or any(documents[name].null_count < len(documents) for name in places if name != column):
        raise OddError
    messages = documents[column] if column == "message" else documents[column].flatten().flatten()[0]
    if messages.null_count:
        raise OddError
    return messages


def plain_lines(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the texts of a list of nothing else, as ``aws logs ... --query 'events[].message'`` prints."""
    found = taken(texts_of(data, "lines"), _OF_LINES, _texts_of_list, unexpected="error", threads=threads)
    return None if found is None else pa.chunked_array(found, pa.string())


def _texts_of_list(documents: pa.RecordBatch) -> pa.StringArray:
    texts = documents["lines"].flatten()
    if texts.null_count:
        raise OddError
    return texts


def plain_rows(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the records of objects whose values are neither objects nor lists, one behind the other or in a list."""
    return _plain_rows(data[:_HEAD].decode("utf-8", "replace"), texts_of(data, "rows"), threads=threads)


def plain_objects(messages: pa.ChunkedArray, *, threads: bool) -> pa.Table | None:
    """Return the records of messages that are an object each, as the parseVPC transformer makes them."""
    texts = Texts([partial(lines_of, chunk) for chunk in messages.chunks], by_line=True)
    head = "".join(bytes(lines_of(chunk[:_LOOKED_AT])).decode("utf-8", "replace") for chunk in messages.chunks[:1])
    if not head.startswith("{") or not pc.all(pc.starts_with(messages, "{")).as_py():
        return None
    table = _plain_rows(head, texts, threads=threads)
    # As many objects as messages that begin one: each holds one.
    return table if table is not None and table.num_rows == len(messages) else None


def lines_of(texts: pa.StringArray) -> memoryview:
    """Return texts as lines: Arrow keeps them in one buffer anyway."""
    lines = pc.binary_join_element_wise(texts, "", "\n")
    return memoryview(lines.buffers()[2] or b"")[: pc.sum(pc.binary_length(lines)).as_py() or 0]


def _plain_rows(head: str, texts: Texts, *, threads: bool) -> pa.Table | None:
    head = head.lstrip()
    in_list = head.startswith("[")
    first = _first_values(head)
    if message_name(first) or len(first) > MOST_NAMES or not _name_records(list(first)):
        return None
    if any("\0" in name for name in first):  # where Arrow would end the name
        return None
    # Nothing is left for Arrow to guess: it would take text for times, large integers for floats, and fall over deep
    # nesting. What has another type, or a name that did not come up yet, is no plain file.
    values = [(name, _type(name, value)) for name, value in first.items()]
    try:
        schema = pa.schema([("rows", pa.list_(pa.struct(values)))] if in_list else values)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    take = _rows_of_list if in_list else _rows
    table = _one_table(taken(texts, schema, take, unexpected="error", threads=threads))
    return table if table is not None and _is_plain(table) else None


def _rows_of_list(documents: pa.RecordBatch) -> pa.Table:
    return _rows(pa.RecordBatch.from_struct_array(documents["rows"].flatten()))


def _rows(records: pa.RecordBatch) -> pa.Table:
    for column in records.columns:
        if pa.types.is_floating(column.type) and (pc.max(pc.abs(column)).as_py() or 0) >= _LARGEST_SURE:
            raise OddError
    return pa.table(records)


def plain_results(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the rows of results of Logs Insights, each a list of fields with their values, as text."""
    table = _one_table(taken(texts_of(data, "results"), _OF_RESULTS, _pivoted, unexpected="ignore", threads=threads))
    if table is None:
        return None
    message = message_name(table.column_names)
    if message is not None:
        return None if has_addresses(table.column_names) or table[message].null_count else table
    return table if _name_records(table.column_names) and _is_plain(table) else None


def _pivoted(answers: pa.RecordBatch) -> pa.Table:
    """Return rows of cells as a table."""
    if answers["results"].null_count or pc.any(pc.not_equal(answers["status"], "Complete")).as_py():
        raise OddError
    rows = answers["results"].flatten()
    names, values = rows.flatten().flatten()
    if rows.null_count or names.null_count or values.null_count:
        raise OddError
    encoded = names.dictionary_encode()
    if len(encoded.dictionary) > MOST_NAMES:
        raise OddError
    codes = encoded.indices.to_numpy()
    row_of_cell = np.repeat(np.arange(len(rows)), pc.list_value_length(rows).to_numpy(zero_copy_only=False))
    columns = {}
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        cells = np.flatnonzero(codes == code)
        cell_of_row = np.full(len(rows), -1)
        cell_of_row[row_of_cell[cells]] = cells
        if np.count_nonzero(cell_of_row >= 0) < len(cells):  # a row has a field twice
            raise OddError
        columns[name] = values.take(pa.array(cell_of_row, mask=cell_of_row < 0))
    return pa.table(columns)


def _one_table(tables: list[pa.Table] | None) -> pa.Table | None:
    names = {name for table in tables or [] for name in table.column_names}
    if tables is None or not 0 < len(names) <= MOST_NAMES:
        return None
    try:
        return pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException:
        return None


def _name_records(names: Sequence[str]) -> bool:
    """Tell whether these are names of flow log records, and of nothing that has to be looked at more closely."""
    return known_names(names) >= 2 and not looks_like_results(columns_of(names, {})) and not foreign_kind(names)


def _first_values(head: str) -> dict[str, object]:
    """Return the names in the first objects, each with its first value that is not missing."""
    found: dict[str, object] = {}
    place = len(head) - len(head.lstrip("[ \t\r\n"))
    try:
        while place < len(head):
            document, place = _decode(head, place)
            if not isinstance(document, dict):
                break
            for name, value in document.items():
                if found.get(name) is None or found[name] == "-":
                    found[name] = value
            place += len(head[place:]) - len(head[place:].lstrip(", \t\r\n"))
    except (ValueError, RecursionError):  # the head ends inside an object
        pass
    return found


def _type(name: str, value: object) -> pa.DataType:
    """Return the type of a value, or where it is null the one that its field has."""
    is_text = field_for(next(iter(columns_of([name], {})), name)).kind in {"text", "address"}
    if value is None:
        return pa.string() if is_text else pa.int64()
    if is_text and isinstance(value, float):
        return pa.null()
    return _TYPES.get(type(value), pa.null())


def _is_plain(table: pa.Table) -> bool:
    """Tell whether each object has two fields of a flow log: one with fewer may be no record."""
    names = columns_of(table.column_names, {})
    known = np.zeros(len(table), np.uint8)
    for column, name in names.items():
        if column in BY_COLUMN:
            known += table[name].is_valid().to_numpy()
            if known.min(initial=2) >= 2:
                return True
    return False
