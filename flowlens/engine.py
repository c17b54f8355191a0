"""Run an Ibis expression over a pandas frame of flow records.

Every analysis is written over one table, `flows`. Here that table is made of the frame: addresses and other words go in
as integer codes, so that grouping and joining them is integer work, and come out as words again. Codes of sorted
categories order as the words do, so the expression means the same as over a table of strings.

DuckDB runs it: `benchmarks/` compares it with polars on these analyses, and files that do not fit need it anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import duckdb
import ibis
import ibis.expr.operations as ops
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.backends.sql import compilers
from ibis.config import Config

from flowlens.columns import typed
from flowlens.schema import BY_COLUMN, VOCABULARIES, field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.sql.compilers.base import SQLGlotCompiler

__all__ = ["flows_of_frame", "flows_of_words", "run", "sql"]

_NAME = "flows"

#: Rows of one of DuckDB's row groups: cores share the work by batches, and one batch would be one core's.
_BATCH = 122_880

#: Stands for the words of all addresses: a code in a column that an analysis made is one of these.
_ADDRESSES = ""

_WORDS = ("text", "address")
_NUMBERS = {"uint8": "uint8", "uint16": "uint16", "int64": "int64", "time": "int64"}
_TIMES = ("first", "last")
_DURATIONS = ("duration", "gap_time")


def flows_of_words(columns: Iterable[str], *, name: str = _NAME) -> ir.Table:
    """Return the table as a database holds it: words as strings, times as Unix seconds."""
    kinds = {column: field_for(column).kind for column in columns if isinstance(column, str)}
    return ibis.table({column: _NUMBERS.get(kind, "string") for column, kind in kinds.items()}, name=name)


def flows_of_frame(df: pd.DataFrame) -> ir.Table:
    """Return the table as `run` makes it of a frame: words as codes, times as Unix seconds."""
    return ibis.table(
        {str(column): _frame_type(df, column) for column in df.columns if isinstance(column, str)}, name=_NAME
    )


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
    """Print an expression in the SQL of an engine.

    Raises
    ------
    ValueError
        If Ibis has no such dialect.
    """
    compiler = _compiler(dialect)
    return str(compiler.to_sqlglot(expression).sql(dialect=compiler.dialect, pretty=True))


def _compiler(dialect: str) -> SQLGlotCompiler:
    # The compilers need no driver of their engine; ibis.to_sql() would import it.
    found = getattr(compilers, {"spark": "pyspark"}.get(dialect, dialect), None)
    if found is None or not hasattr(found, "compiler"):
        raise ValueError(f"{dialect!r} is no SQL dialect that Ibis can print; try 'duckdb', 'athena' or 'spark'")
    if dialect in {"spark", "pyspark"} and ibis.options.pyspark is None:
        # The Spark compiler reads this option, which is only set once pyspark has been imported.
        ibis.options.pyspark = _SparkOptions()
    return found.compiler


class _SparkOptions(Config):  # type: ignore[misc]
    """What Ibis's Spark backend would set: a NaN is a value."""

    treat_nan_as_null: bool = False


def run(expression: ir.Table, df: pd.DataFrame) -> pd.DataFrame:
    """Compute an expression over the records of a frame; only the columns that it uses are looked at."""
    used = sorted({field.name for field in expression.op().find(ops.Field) if isinstance(field.rel, ops.UnboundTable)})
    series = {column: typed(df, column) for column in used}
    words = {column: _categorical(series[column]) for column in used if _frame_type(df, column) == "int32"}
    dictionaries = _dictionaries(words)
    encoded = {
        column: _codes(words[column], dictionaries[column]) if column in words else _numbers(series[column])
        for column in used
    }
    cursor = _database().cursor()
    try:
        table = pa.table(encoded)
        cursor.register(_NAME, pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH), table.schema))
        result = cursor.sql(_duckdb_sql(expression.op())).to_arrow_table()
    finally:
        cursor.close()
    return _decoded(result.cast(expression.schema().to_pyarrow()), dictionaries, made=set(expression.columns) - {*used})


@lru_cache(maxsize=128)
def _duckdb_sql(operation: ops.Relation) -> str:
    # Printing takes 10 ms, for conversations 180; the same question is often asked again.
    return sql(operation.to_expr(), "duckdb")


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


def _decoded(table: pa.Table, dictionaries: Mapping[str, pd.Index], made: Collection[str]) -> pd.DataFrame:
    """Turn codes into words and Unix seconds into times; `made` are the columns that the frame did not have."""
    small = {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype()}
    result: pd.DataFrame = table.to_pandas(types_mapper=small.get)
    for column in table.column_names:
        # No number has this type: counters have 64 bits, ports and protocols are unsigned.
        if table.schema.field(column).type == pa.int32():
            words = dictionaries[_ADDRESSES if column in made else column]
            codes = result[column].fillna(-1).to_numpy(np.int64)
            # Of an array, unlike an index, this makes -1 a missing value.
            result[column] = words.array.take(codes, allow_fill=True)
        elif field_for(column).kind == "time" or (column in made and column in _TIMES):
            result[column] = pd.to_datetime(result[column], unit="s", utc=True).dt.as_unit("s")
        elif column in made and column in _DURATIONS:
            result[column] = pd.to_timedelta(result[column], unit="s").dt.as_unit("s")
    return result
