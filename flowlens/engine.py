"""Run an Ibis expression over a pandas frame of flow records.

Every analysis is written over one table, `flows`. Here that table is made of the frame: addresses and other words go in
as integer codes, so that grouping and joining them is integer work, and come out as words again. Codes of sorted
categories order as the words do, so the expression means the same as over a table of strings.

DuckDB runs it: for a frame in memory it is within a fifth of polars on these analyses (see `benchmarks/`), and it is here
anyway for files that do not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import ibis
import ibis.expr.operations as ops
import numpy as np
import pandas as pd
import pyarrow as pa

from flowlens.columns import typed
from flowlens.schema import BY_COLUMN, VOCABULARIES, field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["flows_of_frame", "flows_of_words", "run", "sql"]

_NAME = "flows"

#: Rows of one of DuckDB's row groups: cores share the work by batches, and one batch would be one core's.
_BATCH = 122_880

#: Results that are addresses though no field bears their name.
_ADDRESS_RESULTS = ("initiator", "responder", "local", "remote")

_WORDS = ("text", "address")
_NUMBERS = {"uint8": "uint8", "uint16": "uint16", "int64": "int64", "time": "int64"}
_TIMES = ("start", "end", "first", "last")


def flows_of_words(columns: Iterable[str], *, name: str = _NAME) -> ir.Table:
    """Return the table as a database holds it: words as strings, times as Unix seconds."""
    kinds = {column: field_for(column).kind for column in columns}
    return ibis.table({column: _NUMBERS.get(kind, "string") for column, kind in kinds.items()}, name=name)


def flows_of_frame(df: pd.DataFrame) -> ir.Table:
    """Return the table as `run` makes it of a frame: words as codes, times as Unix seconds."""
    return ibis.table({str(column): _frame_type(df, column) for column in df.columns if isinstance(column, str)}, name=_NAME)


def _frame_type(df: pd.DataFrame, column: str) -> str:
    if column in BY_COLUMN:
        return _NUMBERS.get(BY_COLUMN[column].kind, "int32")
    dtype = df.dtypes[column]
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(dtype):
        return "int64"
    return "float64" if pd.api.types.is_float_dtype(dtype) else "int32"


def sql(expression: ir.Table, dialect: str) -> str:
    """Print an expression in the SQL of an engine."""
    return str(ibis.to_sql(expression, dialect=dialect))


def run(expression: ir.Table, df: pd.DataFrame) -> pd.DataFrame:
    """Compute an expression over the records of a frame; only the columns that it uses are looked at."""
    used = sorted({field.name for field in expression.op().find(ops.Field) if isinstance(field.rel, ops.UnboundTable)})
    series = {column: typed(df, column) for column in used}
    words = {column: _categorical(series[column]) for column in used if _frame_type(df, column) == "int32"}
    dictionaries = _dictionaries(words)
    encoded = {
        column: _codes(words[column], dictionaries[column]) if column in words else _numbers(series[column]) for column in used
    }
    cursor = _database().cursor()
    try:
        cursor.register(_NAME, pa.Table.from_batches(pa.table(encoded).to_batches(max_chunksize=_BATCH)))
        result = cursor.sql(sql(expression, "duckdb")).to_arrow_table()
    finally:
        cursor.close()
    return _decoded(result.cast(expression.schema().to_pyarrow()), dictionaries)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def _categorical(series: pd.Series) -> pd.Categorical:
    return series.array if isinstance(series.dtype, pd.CategoricalDtype) else pd.Categorical(series)


def _dictionaries(words: Mapping[str, pd.Categorical]) -> dict[str, pd.Index]:
    """Return the sorted words behind the codes of each column: the same for all addresses."""
    dictionaries = {
        column: _sorted_union([pd.Index(VOCABULARIES.get(column, ())), categorical.categories])
        for column, categorical in words.items()
        if not _is_address(column)
    }
    addresses = {column: categorical for column, categorical in words.items() if _is_address(column)}
    if addresses:
        shared = _sorted_union([categorical.categories for categorical in addresses.values()])
        dictionaries.update(dict.fromkeys((*addresses, *_ADDRESS_RESULTS), shared))
    return dictionaries


def _is_address(column: str) -> bool:
    return field_for(column).kind == "address"


def _sorted_union(indexes: Sequence[pd.Index]) -> pd.Index:
    """Return all words in order; those of a vocabulary keep their places before words that AWS does not write."""
    first = next((index for index in indexes if len(index)), indexes[-1])
    others = [index for index in indexes if index is not first and len(index) and not index.isin(first).all()]
    if not others and first.is_monotonic_increasing:
        return first
    return pd.Index(np.unique(np.concatenate([np.asarray(index) for index in (first, *others)])))


def _codes(categorical: pd.Categorical, words: pd.Index) -> pa.Array:
    codes = categorical.codes
    if categorical.categories is not words and not categorical.categories.equals(words):
        places = words.get_indexer(categorical.categories)
        codes = np.append(places, -1).astype(np.min_scalar_type(-max(len(words), 1)))[codes]
    missing = codes < 0
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(pa.from_numpy_dtype(codes.dtype), len(codes), [validity, pa.py_buffer(np.ascontiguousarray(codes))])


def _numbers(series: pd.Series) -> pa.Array:
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        return pa.array(series.array)
    seconds = pd.DatetimeIndex(series).asi8
    return pa.array(seconds, mask=series.isna().to_numpy() if series.hasnans else None)


def _decoded(table: pa.Table, dictionaries: Mapping[str, pd.Index]) -> pd.DataFrame:
    small = {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype()}
    result = table.to_pandas(types_mapper=small.get)
    for column in result.columns:
        if column in dictionaries:
            codes = result[column].fillna(-1).to_numpy(np.int64)
            result[column] = dictionaries[column].take(codes, allow_fill=True, fill_value=None) if len(codes) else dictionaries[column][:0]
        elif column in _TIMES:
            result[column] = pd.to_datetime(result[column], unit="s", utc=True).dt.as_unit("s")
    return result


def check_dialect(dialect: str) -> str:
    """Return the name of a dialect that Ibis can print.

    Raises
    ------
    ValueError
        If it knows none of that name.
    """
    import ibis.backends.sql.dialects as dialects
    from sqlglot.dialects import Dialect

    name = {"spark": "pyspark"}.get(dialect, dialect)
    if dialects is None or Dialect.get(name) is None:
        raise ValueError(f"{dialect!r} is no SQL dialect that Ibis can print; try 'duckdb', 'athena' or 'spark'")
    return name
