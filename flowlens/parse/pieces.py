"""JSON cut into pieces that Arrow parses on all cores.

Whoever cuts may be wrong about where an element ends: then the pieces are no sound JSON, which Arrow notices.
"""

from __future__ import annotations

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

__all__ = ["OddError", "Texts", "taken", "texts_of"]

_HEAD = 1 << 16  # bytes
_PIECE = 1 << 22  # bytes that are parsed at a time: few enough to stay near the core that copies them

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

_Taken = TypeVar("_Taken")
_Text = Callable[[], bytes | memoryview]


class Texts(NamedTuple):
    """Documents in pieces, each made when its turn comes, so that the memory of the one before can serve it."""

    pieces: Sequence[_Text]
    by_line: bool  # whether each document has a line of its own


class OddError(Exception):
    """Something in a document is anything but plain."""


def taken(
    texts: Texts, schema: pa.Schema, take: Callable[[pa.RecordBatch], _Taken], *, unexpected: str, threads: bool
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
            raise OddError  # Arrow 26 crashes where a text begins with null
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
    except (pa.ArrowException, UnicodeDecodeError, OverflowError, OddError):  # Overflow: one document over 2 GiB
        return None


def _without_dashes(text: bytes | memoryview) -> pa.Buffer:
    # Four times as fast as Python, and on all cores.
    whole = pa.Array.from_buffers(
        pa.binary(), 1, [None, pa.py_buffer(np.array([0, len(text)], np.int32)), pa.py_buffer(text)]
    )
    return pc.replace_substring_regex(whole, _DASH, _NULL, memory_pool=pa.system_memory_pool())[0].as_buffer()


def texts_of(data: bytes, list_name: str) -> Texts:
    """Cut a file; a list that is not inside an object becomes one inside an object, under a name."""
    by_line = _has_a_document_a_line(data)
    return Texts(_cut_at_lines(data) if by_line else _cut_between_elements(data, list_name), by_line)


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
