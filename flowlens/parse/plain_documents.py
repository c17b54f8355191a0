"""JSON of one plain shape, as large files of flow logs are, through Arrow and on all cores.

Each function gives None where a file is anything but plain, and then `shapes.py` takes it apart document by document.
It may do so for any file, but must never read what would be reported there: a test compares the two.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from flowlens.parse.lookalikes import foreign_kind
from flowlens.parse.naming import MOST_NAMES, columns_of, has_addresses, known_names, looks_like_results, message_name
from flowlens.schema import BY_COLUMN, field_for

__all__ = ["lines_of", "plain_lines", "plain_messages", "plain_objects", "plain_results", "plain_rows"]

_HEAD = 1 << 16  # bytes in which the first object is looked for
_LOOKED_AT = 100  # messages
_PIECE = 1 << 22  # bytes that are parsed at a time: few enough to stay near the core that copies them
_LARGEST_SURE = 2**53  # a float has all digits of whole numbers below
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64()}

_EVENTS = pa.list_(pa.struct([("message", pa.string())]))
_OF_MESSAGES = pa.schema(
    [("message", pa.string()), ("events", _EVENTS), ("logEvents", _EVENTS), ("messageType", pa.string())]
)

_CELLS = pa.list_(pa.struct([("field", pa.string()), ("value", pa.string())]))
_OF_RESULTS = pa.schema([("results", pa.list_(_CELLS)), ("status", pa.string())])

_OF_LINES = pa.schema([("lines", pa.list_(pa.string()))])

_LIST_OPENS = re.compile(
    rb'\s*(?:\{\s*(?:"\w+"\s*:\s*"[^"\\]*"\s*,\s*)*"(?P<key>events|results)"\s*:\s*)?\[\s*(?=(?P<element>[{\["]))'
)
# Between two elements of a list, told by how the first one opens. If it stands inside a text, or in a list inside an
# element, then the parts are no sound JSON, which Arrow notices.
_BOUNDARIES = {
    b"{": re.compile(rb"\}(\s*,\s*)\{"),
    b"[": re.compile(rb"\](\s*,\s*)\["),
    b'"': re.compile(rb'"(\s*,\s*)"'),
}
# A value that is a dash. Inside a text its quotes would be escaped, or, in one that is damaged, be followed by others.
_DASH, _NULL = r':(\s*)"-"(\s*,\s*"|\s*})', r":\1null\2"
_FIRST_KEY = re.compile(rb'\s*(\{\s*"[^"\\]+"\s*:)')

_decode = json.JSONDecoder().raw_decode

_Taken = TypeVar("_Taken")
_Text = Callable[[], bytes | memoryview]


class _Texts(NamedTuple):
    """Documents in pieces, each made when its turn comes, so that the memory of the one before can serve it."""

    pieces: Sequence[_Text]
    by_line: bool  # whether each document has a line of its own


class _OddError(Exception):
    """Something in a document is anything but plain."""


def plain_messages(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the messages of documents that hold nothing else: ``{"message": ...}``, or lists of such."""
    if has_addresses(_first_values(data[:_HEAD].decode("utf-8", "replace"))):
        return None  # the message stands beside the fields of a record
    found = _taken(_texts(data, "events"), _OF_MESSAGES, _messages, unexpected="ignore", threads=threads)
    return None if found is None else pa.chunked_array(found, pa.string())


def _messages(documents: pa.RecordBatch) -> pa.StringArray:
    # A subscription says that it is there; that message is no record.
    if documents["messageType"].null_count < len(documents):
        control = pc.equal(documents["messageType"], "CONTROL_MESSAGE")
        documents = documents.filter(pc.invert(pc.fill_null(control, False)))
    places = _OF_MESSAGES.names[:3]
    column = next((name for name in places if not documents[name].null_count), None)
    if column is None or any(documents[name].null_count < len(documents) for name in places if name != column):
        raise _OddError
    messages = documents[column] if column == "message" else documents[column].flatten().flatten()[0]
    if messages.null_count:
        raise _OddError
    return messages


def plain_lines(data: bytes, *, threads: bool) -> pa.ChunkedArray | None:
    """Return the texts of a list of nothing else, as ``aws logs ... --query 'events[].message'`` prints."""
    found = _taken(_texts(data, "lines"), _OF_LINES, _texts_of_list, unexpected="error", threads=threads)
    return None if found is None else pa.chunked_array(found, pa.string())


def _texts_of_list(documents: pa.RecordBatch) -> pa.StringArray:
    texts = documents["lines"].flatten()
    if texts.null_count:
        raise _OddError
    return texts


def plain_rows(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the records of objects whose values are neither objects nor lists, one behind the other or in a list."""
    return _plain_rows(data[:_HEAD].decode("utf-8", "replace"), _texts(data, "rows"), threads=threads)


def plain_objects(messages: pa.ChunkedArray, *, threads: bool) -> pa.Table | None:
    """Return the records of messages that are an object each, as the parseVPC transformer makes them."""
    texts = _Texts([partial(lines_of, chunk) for chunk in messages.chunks], by_line=True)
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


def _plain_rows(head: str, texts: _Texts, *, threads: bool) -> pa.Table | None:
    head = head.lstrip()
    in_list = head.startswith("[")
    first = _first_values(head)
    if message_name(first) or len(first) > MOST_NAMES or not _name_records(list(first)):
        return None
    # Nothing is left for Arrow to guess: it would take text for times, large integers for floats, and fall over deep
    # nesting. What has another type, or a name that did not come up yet, is no plain file.
    values = [(name, _type(name, value)) for name, value in first.items()]
    try:
        schema = pa.schema([("rows", pa.list_(pa.struct(values)))] if in_list else values)
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
    take = _rows_of_list if in_list else _rows
    table = _one_table(_taken(texts, schema, take, unexpected="error", threads=threads))
    return table if table is not None and _is_plain(table) else None


def _rows_of_list(documents: pa.RecordBatch) -> pa.Table:
    return _rows(pa.RecordBatch.from_struct_array(documents["rows"].flatten()))


def _rows(records: pa.RecordBatch) -> pa.Table:
    for column in records.columns:
        if pa.types.is_floating(column.type) and (pc.max(pc.abs(column)).as_py() or 0) >= _LARGEST_SURE:
            raise _OddError
    return pa.table(records)


def plain_results(data: bytes, *, threads: bool) -> pa.Table | None:
    """Return the rows of results of Logs Insights, each a list of fields with their values, as text."""
    table = _one_table(_taken(_texts(data, "results"), _OF_RESULTS, _pivoted, unexpected="ignore", threads=threads))
    if table is None:
        return None
    message = message_name(table.column_names)
    if message is not None:
        return None if has_addresses(table.column_names) or table[message].null_count else table
    return table if _name_records(table.column_names) and _is_plain(table) else None


def _pivoted(answers: pa.RecordBatch) -> pa.Table:
    """Return rows of cells as a table."""
    if answers["results"].null_count or pc.any(pc.not_equal(answers["status"], "Complete")).as_py():
        raise _OddError
    rows = answers["results"].flatten()
    names, values = rows.flatten().flatten()
    if rows.null_count or names.null_count or values.null_count:
        raise _OddError
    encoded = names.dictionary_encode()
    if len(encoded.dictionary) > MOST_NAMES:
        raise _OddError
    codes = encoded.indices.to_numpy()
    row_of_cell = np.repeat(np.arange(len(rows)), pc.list_value_length(rows).to_numpy(zero_copy_only=False))
    columns = {}
    for code, name in enumerate(encoded.dictionary.to_pylist()):
        cells = np.flatnonzero(codes == code)
        cell_of_row = np.full(len(rows), -1)
        cell_of_row[row_of_cell[cells]] = cells
        if np.count_nonzero(cell_of_row >= 0) < len(cells):  # a row has a field twice
            raise _OddError
        columns[name] = values.take(pa.array(cell_of_row, mask=cell_of_row < 0))
    return pa.table(columns)


def _one_table(tables: list[pa.Table] | None) -> pa.Table | None:
    try:
        table = None if tables is None else pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException:
        return None
    return table if table is not None and table.num_columns else None


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
    if value is None:
        column = next(iter(columns_of([name], {})), name)
        return pa.string() if field_for(column).kind in {"text", "address"} else pa.int64()
    if isinstance(value, float) and field_for(next(iter(columns_of([name], {})), name)).kind in {"text", "address"}:
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


def _taken(
    texts: _Texts, schema: pa.Schema, take: Callable[[pa.RecordBatch], _Taken], *, unexpected: str, threads: bool
) -> list[_Taken] | None:
    """Parse documents piece by piece and return what `take` makes of each; None where one is anything but plain."""
    options = pa_json.ParseOptions(
        explicit_schema=schema, newlines_in_values=not texts.by_line, unexpected_field_behavior=unexpected
    )

    def parsed(text: bytes | memoryview) -> pa.Table:
        blocks = pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1)
        return pa_json.read_json(pa.BufferReader(text), read_options=blocks, parse_options=options)

    has_dashes = False

    def read(make_text: _Text) -> list[_Taken]:
        nonlocal has_dashes
        text, known = make_text(), has_dashes
        if not bytes(text[:_HEAD]).lstrip().startswith(b"{"):
            raise _OddError  # Arrow 26 crashes where a text begins with null
        try:
            table = parsed(_without_dashes(text) if known else text)
        except pa.ArrowInvalid:
            # A dash for a missing number is the one thing that many a log has and Arrow does not take.
            if known:
                raise
            table = parsed(_without_dashes(text))
            has_dashes = True
        return [take(batch) for batch in table.to_batches()]

    try:
        with ThreadPoolExecutor(os.cpu_count() if threads else 1) as pool:
            return [taken for part in pool.map(read, texts.pieces) for taken in part]
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, _OddError):  # Overflow: one document over 2 GiB
        return None


def _without_dashes(text: bytes | memoryview) -> pa.Buffer:
    # Four times as fast as Python, and on all cores.
    return pc.replace_substring_regex(pa.scalar(text, pa.binary()), _DASH, _NULL).as_buffer()


def _texts(data: bytes, list_name: str) -> _Texts:
    """Cut a file; a list that is not inside an object becomes one inside an object, under a name."""
    by_line = _has_a_document_a_line(data)
    return _Texts(_cut_at_lines(data) if by_line else _cut_between_elements(data, list_name), by_line)


def _cut_at_lines(data: bytes) -> list[_Text]:
    cuts = {data.find(b"\n", place) + 1 for place in range(_PIECE, len(data) - _PIECE, _PIECE)} | {0, len(data)}
    return [partial(_between, data, begin, end) for begin, end in pairwise(sorted(cuts))]


def _between(data: bytes, begin: int, end: int) -> memoryview:
    return memoryview(data)[begin:end]


def _has_a_document_a_line(data: bytes) -> bool:
    # Without a comma between them, the brackets belong to two documents.
    end = data.find(b"\n")
    before, behind = data[max(end - _HEAD, 0) : max(end, 0)], data[end : end + _HEAD]
    return before.rstrip().endswith(b"}") and behind.lstrip().startswith(b"{")


def _cut_between_elements(data: bytes, list_name: str) -> list[_Text]:
    """Cut a document that is one long list into several, each an object with a list.

    Documents behind each other are cut where another one begins as the first one does. So are those of subscriptions,
    of which none is long: what stands beside their list says what it is.
    """
    opening = _LIST_OPENS.match(data)
    if opening is None:
        return _cut_between_documents(data)
    key = opening["key"] or list_name.encode()
    head, end = b'{"' + key + b'":[', b"]}"
    first, last = (opening[0], b"") if opening["key"] else (head, b"}")
    cuts = [opening.span(), *_cuts(data, _BOUNDARIES[opening["element"]], opening.end()), (len(data), len(data))]
    parts = [memoryview(data)[begin:stop] for (_, begin), (stop, _) in pairwise(cuts)]
    heads, ends = [first] + [head] * (len(parts) - 1), [end] * (len(parts) - 1) + [last]
    return [partial(b"".join, piece) for piece in zip(heads, parts, ends, strict=True)]


def _cut_between_documents(data: bytes) -> list[_Text]:
    first = _FIRST_KEY.match(data)
    boundary = re.compile(rb"\}(\s*)" + re.escape(first[1])) if first else None
    cuts = [0, *(end for _, end in _cuts(data, boundary, 0))] if boundary else [0]
    return [partial(_between, data, begin, end) for begin, end in pairwise([*cuts, len(data)])]


def _cuts(data: bytes, boundary: re.Pattern[bytes], begin: int) -> list[tuple[int, int]]:
    """Return where to cut, about every so many bytes: the ends of what stands between two pieces."""
    cuts: list[tuple[int, int]] = []
    for place in range(_PIECE, len(data) - _PIECE, _PIECE):
        found = boundary.search(data, max(place, begin))
        if found is None:
            break
        if not cuts or found.start() > cuts[-1][1]:
            cuts.append(found.span(1))
    return cuts
