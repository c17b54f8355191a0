"""Run an Ibis expression over a pandas frame of flow records.

The table `flows` is made of the frame here: addresses and other words go in as integer codes, so that grouping and
joining them is integer work, and come out as words again. Codes of sorted categories order as the words do, so the
expression means the same as over a table of strings.

DuckDB runs it: `benchmarks/` compares it with polars on these analyses, and files that do not fit need it anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa

from flowlens.columns import typed
from flowlens.engine.cursors import cursor_of
from flowlens.engine.results import result_frame
from flowlens.engine.sql import NAME, NUMBERS, duckdb_sql, used_columns
from flowlens.schema import BY_COLUMN, VOCABULARIES, field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pandas.api.extensions import ExtensionArray

    InWords = Callable[[np.ndarray, pd.Index], ExtensionArray | np.ndarray]

__all__ = ["flows_of_frame", "run", "run_categorical"]

#: Rows of one of DuckDB's row groups: cores share the work by batches, and one batch would be one core's.
_BATCH = 122_880

#: Stands for the words of all addresses: a code in a column that an analysis made is one of these.
_ADDRESSES = ""


def flows_of_frame(df: pd.DataFrame) -> ir.Table:
    """Return the table as `run` makes it of a frame: words as codes, times as Unix seconds."""
    return ibis.table(
        {str(column): _frame_type(df, column) for column in df.columns if isinstance(column, str)}, name=NAME
    )


def _frame_type(df: pd.DataFrame, column: str) -> str:
    if column in BY_COLUMN:
        return NUMBERS.get(BY_COLUMN[column].kind, "int32")
    dtype = df.dtypes[column]
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "int64"
    return "float64" if pd.api.types.is_float_dtype(dtype) else "int32"


def run(expression: ir.Table, df: pd.DataFrame) -> pd.DataFrame:
    """Compute an expression over the records of a frame; only the columns that it uses are looked at."""
    return _run(expression, df, _spelled)


def run_categorical(expression: ir.Table, df: pd.DataFrame) -> pd.DataFrame:
    """Compute an expression as `run` does, words as categories: for results that are judged, which may be long."""
    return _run(expression, df, _category)


def _spelled(codes: np.ndarray, words: pd.Index) -> ExtensionArray | np.ndarray:
    # Of an array, unlike an index, this makes -1 a missing value.
    spelled: ExtensionArray | np.ndarray = words.array.take(codes, allow_fill=True)
    return spelled


def _category(codes: np.ndarray, words: pd.Index) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(codes, categories=words)


def _run(expression: ir.Table, df: pd.DataFrame, in_words: InWords) -> pd.DataFrame:
    used = used_columns(expression)
    series = {column: typed(df, column) for column in used}
    words = {column: _categorical(series[column]) for column in used if _frame_type(df, column) == "int32"}
    dictionaries = _dictionaries(words)
    encoded = {
        column: _codes(words[column], dictionaries[column]) if column in words else _numbers(series[column])
        for column in used
    }
    with cursor_of(_database()) as cursor:
        table = pa.table(encoded)
        cursor.register(NAME, pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH), table.schema))
        # A relation is planned twice, for its columns and for its rows: a quarter of the time on a small frame.
        cursor.execute(f"CREATE TEMPORARY TABLE result AS {duckdb_sql(expression.op())}")
        result = cursor.table("result").to_arrow_table()
    made = set(expression.columns) - {*used}
    return _decoded(result.cast(expression.schema().to_pyarrow()), dictionaries, made, in_words)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def _categorical(series: pd.Series) -> pd.Categorical:
    return series.array if isinstance(series.dtype, pd.CategoricalDtype) else pd.Categorical(series)


def _dictionaries(words: Mapping[str, pd.Categorical]) -> dict[str, pd.Index]:
    """Return the sorted words behind the codes of each column: the same for all addresses."""
    dictionaries = {
        column: _vocabulary(column, categorical.categories)
        if column in VOCABULARIES
        else _union([categorical.categories])
        for column, categorical in words.items()
        if not _is_address(column)
    }
    addresses = {column: categorical for column, categorical in words.items() if _is_address(column)}
    if addresses:
        shared = _union([categorical.categories for categorical in addresses.values()])
        dictionaries.update(dict.fromkeys((*addresses, _ADDRESSES), shared))
    return dictionaries


def _is_address(column: str) -> bool:
    return field_for(column).kind == "address"


def _vocabulary(column: str, words: pd.Index) -> pd.Index:
    """Known words keep their places, which expressions ask for; words that AWS does not write come after them."""
    known = list(VOCABULARIES[column])
    return pd.Index(known + [word for word in words if word not in known])


def _union(indexes: Sequence[pd.Index]) -> pd.Index:
    """All words in order; the frames that `read` makes have them so already."""
    first: pd.Index = indexes[0]
    if first.is_monotonic_increasing and all(index is first or index.equals(first) for index in indexes):
        return first
    words: pd.Index = pd.Index(np.unique(np.concatenate([np.asarray(index) for index in indexes])))
    return words


def _codes(categorical: pd.Categorical, words: pd.Index) -> pa.Array:
    codes = categorical.codes
    if categorical.categories is not words and not categorical.categories.equals(words):
        places = words.get_indexer(categorical.categories)
        codes = np.append(places, -1).astype(np.min_scalar_type(-max(len(words), 1)))[codes]
    missing = codes < 0
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(codes.dtype), len(codes), [validity, pa.py_buffer(np.ascontiguousarray(codes))]
    )


def _numbers(series: pd.Series) -> pa.Array:
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        return pa.array(series.array)
    seconds = pd.DatetimeIndex(series).asi8
    return pa.array(seconds, mask=series.isna().to_numpy() if series.hasnans else None)


def _decoded(
    table: pa.Table, dictionaries: Mapping[str, pd.Index], made: Collection[str], in_words: InWords
) -> pd.DataFrame:
    """Turn codes into words; `made` are the columns that the frame did not have."""
    result = result_frame(table, made)
    for field in table.schema:
        # No number has this type: counters have 64 bits, ports and protocols are unsigned.
        if field.type == pa.int32():
            words = dictionaries[_ADDRESSES if field.name in made else field.name]
            codes = result[field.name].fillna(-1).to_numpy(np.int64)
            result[field.name] = in_words(codes, words)
    return result
