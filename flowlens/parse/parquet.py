"""AWS Parquet files: underscored names, ``-`` in strings and null in integers for a missing value.

AWS does not say this in so many words; four readers that meet such files agree on it. Files that pandas wrote, with
numbers as text or as floats, read as well.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.errors import BadLine
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.values import arrow_type, complaint, largest, wrong_words
from flowlens.schema import BY_COLUMN, Field, field_for

__all__ = ["PARQUET_MAGIC", "read_parquet"]

PARQUET_MAGIC = b"PAR1"


def read_parquet(data: bytes, reading: Reading) -> Parsed:
    """Read one Parquet file; a record that cannot be right is reported with its row number as its line."""
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        names = {name.replace("-", "_"): name for name in file.schema_arrow.names}
        if not names or sum(name in BY_COLUMN for name in names) < min(2, len(names)):
            raise RefusedError(1, ", ".join(names), "this Parquet file has no columns of a flow log")
        wanted = reading.wanted(tuple(names))
        table = file.read([names[name] for name in wanted], use_threads=reading.threads)
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(1, "", f"the Parquet file is damaged: {error}") from error
    columns: dict[str, pa.Array] = {}
    wrong: dict[str, pa.Array] = {}
    for name in wanted:
        columns[name], wrong[name] = _values(field_for(name), _plain(table[names[name]].combine_chunks()))
    good = pa.table(columns)
    bad = _any(list(wrong.values()))
    if not pc.any(bad).as_py():
        return Parsed([good])
    rows = pc.indices_nonzero(bad).to_pylist()
    bad_lines = [
        _bad_row(table, row, {name: wrong[name][row].as_py() for name in wanted}, reading.file) for row in rows
    ]
    return Parsed([good.filter(pc.invert(bad))], bad_lines)


def _any(masks: list[pa.Array]) -> pa.Array:
    total = masks[0]
    for mask in masks[1:]:
        total = pc.or_(total, mask)
    return total


def _bad_row(table: pa.Table, row: int, wrong: dict[str, bool], file: str) -> BadLine:
    record = table.slice(row, 1).to_pylist()[0]
    name = next(name for name in wrong if wrong[name])
    field = field_for(name)
    value = str(record.get(name, record.get(field.name)))
    return BadLine(
        file, row + 1, " ".join(map(str, record.values())), complaint(field, value) or f"{field.name} is {value!r}"
    )


def _plain(column: pa.Array) -> pa.Array:
    """Return a column as integers or as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    if pa.types.is_floating(kind):
        # pandas makes floats of integers where values are missing
        column = pc.if_else(pc.is_nan(column), None, column)
        return (
            column.cast(pa.int64()) if pc.all(pc.equal(column, pc.trunc(column))).as_py() else column.cast(pa.string())
        )
    if pa.types.is_nested(kind):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    return column if pa.types.is_integer(kind) else column.cast(pa.string())


def _values(field: Field, column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return a column in the type of its field, and for each value whether it cannot be right."""
    if pa.types.is_integer(column.type) and field.kind not in {"text", "address"}:
        numbers = column.cast(pa.int64(), safe=False)
        wrong = pc.fill_null(pc.or_(pc.less(numbers, 0), pc.greater(numbers, largest(field))), False)
        return pc.if_else(wrong, None, numbers).cast(arrow_type(field)), wrong
    words = pc.if_else(pc.equal(column.cast(pa.string()), "-"), None, column.cast(pa.string()))
    if field.kind not in {"text", "address"}:
        # pandas makes floats of integers where values are missing: 443.0
        words = pc.replace_substring_regex(words, r"\.0$", "")
    words = words.dictionary_encode()
    wrong_here = wrong_words(field, words.dictionary)
    wrong = pc.fill_null(pc.take(wrong_here, words.indices), False)
    if field.kind in {"text", "address"}:
        return words, wrong
    numbers = pc.if_else(wrong_here, None, words.dictionary).cast(arrow_type(field))
    return pc.take(numbers, words.indices), wrong
