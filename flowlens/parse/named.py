"""Tables with named columns to the fields of flow logs: Parquet, CSV, JSON records, query results, pandas frames.

Whoever made the table may have kept numbers as text or as floats, times as text, and missing values as ``-``, as an
empty text or as nothing; AWS's own Parquet has ``-`` in strings and null in integers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.errors import BadLine
from flowlens.parse.lookalikes import refuse_foreign_names
from flowlens.parse.naming import columns_of, known_names, looks_like_results
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.values import TEXT, arrow_type, complaint, largest, unix_seconds, with_their_zeros, wrong_words
from flowlens.schema import Field, field_for
from flowlens.service import PROTOCOLS

__all__ = ["read_named", "refuse_what_is_no_record"]

_WORDS_FOR_NOTHING = pa.array(["-", ""])
# What pandas, Python and SQL print for a missing value. Among free text they could be a name.
_PRINTED_FOR_NOTHING = pa.array(["-", "", "nan", "NaN", "NaT", "None", "null", "NULL", "<NA>"])
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"
_SAFE_DIGITS = 18  # of any 64-bit integer
_SHOWN = 1000  # characters of a value in a message


def refuse_what_is_no_record(names: Sequence[str], line: int = 1) -> None:
    """Raise for the columns of anything but flow log records.

    Raises
    ------
    RefusedError
        With the name of what it is, where that is known.
    """
    shown = ", ".join(names)
    refuse_foreign_names(names, line)
    # A spreadsheet leaves columns without a name.
    repeated = next((name for name in names if name and names.count(name) > 1), None)
    if repeated:
        raise RefusedError(line, shown, f"the name {repeated!r} stands over more than one column")
    columns = columns_of(names, {})
    if known_names(names) < 2 and not {"srcaddr", "dstaddr", "interface_id"} & set(columns):
        raise RefusedError(line, shown, "these are no columns of a flow log")
    if looks_like_results(columns):
        raise RefusedError(
            line,
            shown,
            "these are results of a query and not flow log records: a record has srcaddr, dstaddr, and start, end, "
            "version, log_status, or srcport beside names of AWS only. If they are records, fl.from_frame(df, "
            "fields={'their name': 'srcaddr', ...}) takes them as such",
        )


def read_named(
    table: pa.Table, names: Mapping[str, str], reading: Reading, *, numbers: Sequence[int] | None = None
) -> Parsed:
    """Read the records of a table, of which `names` tells the name that each flowlens column has there.

    Those that cannot be right are reported with their number, which is their row where `numbers` does not say.
    """
    wanted = reading.wanted(tuple(names))
    with ThreadPoolExecutor() as pool:
        each = pool.map if reading.threads else map
        found = list(each(lambda column: _values(field_for(column), table[names[column]]), wanted))
    good = pa.table({column: values for column, (values, _) in zip(wanted, found, strict=True)})
    wrong = {column: mask for column, (_, mask) in zip(wanted, found, strict=True) if mask is not None}
    if not wrong:
        return Parsed([good])
    bad = _any(list(wrong.values()))
    rows = pc.indices_nonzero(bad)
    texts = pa.table({name: _encoded(table[name]).take(rows).dictionary_decode() for name in table.column_names})
    masks = pa.table({column: mask.take(rows) for column, mask in wrong.items()})
    bad_lines = []
    for row, values, flags in zip(rows.to_pylist(), texts.to_pylist(), masks.to_pylist(), strict=True):
        column = next(column for column in flags if flags[column])
        line = row + 1 if numbers is None else numbers[row]
        text = " ".join("-" if value is None else value for value in values.values())
        bad_lines.append(BadLine(reading.file, line, text, _reason(field_for(column), values[names[column]])))
    return Parsed([good.filter(pc.invert(bad))], bad_lines)


def _any(masks: Sequence[pa.Array]) -> pa.Array:
    total = masks[0]
    for mask in masks[1:]:
        total = pc.or_(total, mask)
    return total


def _reason(field: Field, value: str | None) -> str:
    shown = (value or "")[:_SHOWN]
    if _NOT_UTF8 in shown:
        return f"{field.name} is not UTF-8 text"
    return complaint(field, shown) or f"{field.name} is {shown!r}"


def _values(field: Field, column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array | None]:
    """Return a column in the type of its field, and for each value whether it cannot be right; None where all can."""
    plain = _plain(field, column)
    if pa.types.is_integer(plain.type):
        ends = pc.min_max(plain).as_py()
        if ends["min"] is None or (ends["min"] >= 0 and ends["max"] <= largest(field)):
            return plain.cast(arrow_type(field)), None
        wrong = pc.fill_null(pc.or_(pc.less(plain, 0), pc.greater(plain, largest(field))), False)
        return pc.if_else(wrong, None, plain).cast(arrow_type(field)), wrong
    words, codes = plain.dictionary, plain.indices
    if field.name == "account-id":
        words = with_their_zeros(words)
    found, unsound = _texts(field, words) if field.kind in {"text", "address"} else _numbers(field, words)
    wrong = pc.fill_null(pc.take(unsound, codes), False) if pc.any(unsound).as_py() else None
    if wrong is not None and not pc.any(wrong).as_py():  # a word that stands in the dictionary and nowhere else
        wrong = None
    if pa.types.is_integer(found.type):
        return pc.take(found, codes), wrong
    return (plain if found is plain.dictionary else pc.take(found, codes).dictionary_encode().cast(TEXT)), wrong


def _plain(field: Field, column: pa.ChunkedArray) -> pa.Array:
    """Return a column as integers where it and its field are numbers, and as dictionary-encoded text otherwise."""
    kind, is_text = column.type, field.kind in {"text", "address"}
    if pa.types.is_timestamp(kind) and field.kind == "time":
        return column.combine_chunks().cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    if pa.types.is_floating(kind):
        column = column.cast(pa.float64())
        column = _whole(pc.floor(column) if field.kind == "time" else column)
        kind = column.type
    if pa.types.is_integer(kind):
        if not is_text:
            return column.combine_chunks().cast(pa.int64(), safe=False)
        words = column.cast(pa.string())
        return _encoded(pc.utf8_lpad(words, 12, "0") if field.name == "account-id" else words)
    numbers = None if is_text or kind != pa.string() else _integers(column)
    return _encoded(column) if numbers is None else numbers


def _integers(words: pa.ChunkedArray) -> pa.Array | None:
    """Return text as integers where nothing else is there: to encode as many words as there are numbers is slow."""
    digits = pc.and_(pc.ascii_is_decimal(words), pc.less_equal(pc.binary_length(words), _SAFE_DIGITS))
    others = words.filter(pc.invert(digits))
    if not pc.all(pc.is_in(others, _WORDS_FOR_NOTHING)).as_py():
        return None
    return pc.if_else(digits, words, None).cast(pa.int64()).combine_chunks()


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return floats as integers where all are whole: pandas makes floats of integers where values are missing."""
    known = pc.if_else(pc.is_nan(column), None, column)
    try:
        return known.cast(pa.int64())
    except pa.ArrowInvalid:
        return known


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    kind = column.type
    if kind == TEXT and all(_are_distinct(chunk.dictionary) for chunk in column.chunks):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = _encoded_anew(column)
    try:
        encoded.dictionary.validate(full=True)
    except pa.ArrowInvalid:  # a string type is no promise of UTF-8
        words = [_text(word) for word in encoded.dictionary.cast(pa.binary()).to_pylist()]
        return pa.array(words, pa.string()).take(encoded.indices).dictionary_encode()
    return encoded


def _are_distinct(words: pa.StringArray) -> bool:
    distinct: int = pc.count_distinct(words).as_py()
    return words.null_count == 0 and distinct == len(words)


def _encoded_anew(column: pa.ChunkedArray) -> pa.DictionaryArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pa.chunked_array(
            [_strings(chunk.dictionary).take(chunk.indices) for chunk in column.chunks], pa.string()
        )
    elif kind != pa.string():
        column = pa.chunked_array([_strings(chunk) for chunk in column.chunks], pa.string())
    return pa.chunked_array(column.dictionary_encode(), TEXT).unify_dictionaries().combine_chunks()


def _strings(values: pa.Array) -> pa.StringArray:
    if not pa.types.is_nested(values.type):
        with suppress(pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return values.cast(pa.string())
    return pa.array([None if value is None else _text(value) for value in values.to_pylist()], pa.string())


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _texts(field: Field, words: pa.StringArray) -> tuple[pa.Array, pa.BooleanArray]:
    free = field.kind == "text" and not field.closed
    nothing = pc.is_in(words, _WORDS_FOR_NOTHING if free else _PRINTED_FOR_NOTHING)
    # White space may stand in a name that came through another tool; only in a line of text it parts two values.
    unsound = pc.match_substring(words, _NOT_UTF8) if free else pc.and_not(wrong_words(field, words), nothing)
    missing = pc.or_(nothing, unsound)
    return (pc.if_else(missing, None, words) if pc.any(missing).as_py() else words), unsound


def _numbers(field: Field, words: pa.StringArray) -> tuple[pa.Array, pa.BooleanArray]:
    # Zeek and Python time to fractions of a second; no counter has any.
    fraction = r"^([0-9]+)\.[0-9]*$" if field.kind == "time" else r"^([0-9]+)\.0*$"
    words = pc.replace_substring_regex(pc.utf8_trim_whitespace(words), fraction, r"\1")
    nothing = pc.is_in(words, _PRINTED_FOR_NOTHING)
    digits = pc.match_substring_regex(words, "^[0-9]{1,19}$")
    numbers = pc.if_else(digits, words, None).cast(pa.uint64())
    odd = pc.invert(pc.or_(digits, nothing))
    if field.kind == "time" and pc.any(odd).as_py():
        numbers = pc.coalesce(numbers, unix_seconds(pc.if_else(odd, words, None)))
    if field.name == "protocol" and pc.any(odd).as_py():
        numbers = pc.coalesce(numbers, _protocols(words))
    sound = pc.fill_null(pc.less_equal(numbers, pa.scalar(largest(field), pa.uint64())), False)
    return pc.if_else(sound, numbers, None).cast(arrow_type(field)), pc.and_not(pc.invert(sound), nothing)


def _protocols(words: pa.StringArray) -> pa.UInt64Array:
    place = pc.index_in(pc.utf8_lower(words), pa.array([name.lower() for name in PROTOCOLS]))
    return pc.take(pa.array(PROTOCOLS.values(), pa.uint64()), place)
