"""Run an Ibis expression over a pandas frame of flow records.

The table `flows` is made of the frame here: addresses and other words go in as integer codes, so that grouping and
joining them is integer work, and come out as words again. Codes of sorted categories order as the words do, so the
expression means the same as over a table of strings.

DuckDB runs it: `benchmarks/` compares it with polars on these analyses, and files that do not fit need it anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from flowlens.columns import typed
from flowlens.engine.cursors import cursor_of, interruptible
from flowlens.engine.ground import Ground, ReductionOfGround
from flowlens.engine.results import result_frame
from flowlens.engine.sql import GROUND, NAME, NUMBERS, PLACES, duckdb_sql, named, table_named, used_columns
from flowlens.schema import BY_COLUMN, VOCABULARIES, field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from pandas.api.extensions import ExtensionArray

    InWords = Callable[[np.ndarray, pd.Index], ExtensionArray | np.ndarray]

__all__ = ["GroundOfFrame", "flows_of_frame", "run", "run_categorical"]

#: Rows of one of DuckDB's row groups: cores share the work by batches, and one batch would be one core's.
_BATCH = 122_880

#: Stands for the words of all addresses: a code in a column that an analysis made is one of these.
_ADDRESSES = ""


def flows_of_frame(df: pd.DataFrame) -> ir.Table:
    """Return the table as `run` makes it of a frame: words as codes, times as Unix seconds."""
    return table_named(NAME, {str(column): _frame_type(df, column) for column in df.columns if isinstance(column, str)})


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
    encoded = _Encoded(df, used_columns(expression))
    return encoded.decoded(encoded.computed(expression), _spelled)


def run_categorical(expression: ir.Table, df: pd.DataFrame) -> pd.DataFrame:
    """Compute an expression as `run` does, words as categories: for results that are judged, which may be long."""
    encoded = _Encoded(df, used_columns(expression))
    return encoded.decoded(encoded.computed(expression), _category)


class GroundOfFrame:
    """Computes analyses that stand on one table made of the records of a frame, words as categories.

    It keeps the table until it is closed, and what was computed until something else is asked for: with another
    threshold only what that changes is computed anew. What is known of addresses has to stay the same.
    """

    def __init__(self, df: pd.DataFrame) -> None:
        self._df, self._flows = df, flows_of_frame(df)
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._made: tuple[object, _Encoded] | None = None
        self._computed: dict[object, pd.DataFrame] = {}

    def close(self) -> None:
        """Let go of all that is kept; what is asked for later is made anew."""
        if self._cursor is not None:
            self._cursor.close()
        self._cursor, self._made, self._computed = None, None, {}

    def run(self, ground: Ground, reductions: Mapping[str, ReductionOfGround]) -> dict[str, pd.DataFrame]:
        """Compute some analyses, those that were computed before excepted."""
        located = ground.located(ground.made(self._flows), ground.table_of_places("int32"))
        asked = {name: reduction(self._flows, named(located, GROUND)) for name, reduction in reductions.items()}
        with interruptible():
            cursor, encoded = self._stand_on(ground, located, asked.values())
            tables = {name: self._once(cursor, encoded, expression) for name, expression in asked.items()}
        self._computed = {one.op(): tables[name] for name, one in asked.items()}
        return tables

    def _once(self, cursor: duckdb.DuckDBPyConnection, encoded: _Encoded, expression: ir.Table) -> pd.DataFrame:
        before = self._computed.get(expression.op())
        return encoded.decoded(_result(cursor, expression), _category) if before is None else before

    def _stand_on(
        self, ground: Ground, located: ir.Table, expressions: Iterable[ir.Table]
    ) -> tuple[duckdb.DuckDBPyConnection, _Encoded]:
        """Return a cursor that sees the ground, and the records as the engine has them."""
        used = {column for one in (located, *expressions) for column in used_columns(one)}
        if self._cursor is not None and self._made is not None:
            made_of, encoded = self._made
            if made_of == located.op() and used <= encoded.columns:
                return self._cursor, encoded
        self.close()
        self._cursor, encoded = _database().cursor(), _Encoded(self._df, sorted(used))
        encoded.register(self._cursor)
        words, codes = encoded.addresses()
        self._cursor.register(PLACES, ground.arrow_places(words, {"address": codes}))
        self._cursor.execute(f"CREATE TEMPORARY TABLE {GROUND} AS {duckdb_sql(located.op())}")
        self._made = located.op(), encoded  # not before: whoever interrupts it asks for all of it the next time
        return self._cursor, encoded


def _spelled(codes: np.ndarray, words: pd.Index) -> ExtensionArray | np.ndarray:
    # Of an array, unlike an index, this makes -1 a missing value.
    spelled: ExtensionArray | np.ndarray = words.array.take(codes, allow_fill=True)
    return spelled


def _category(codes: np.ndarray, words: pd.Index) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(codes, categories=words)


class _Encoded:
    """Columns of a frame as DuckDB gets them, words as codes."""

    def __init__(self, df: pd.DataFrame, used: Sequence[str]) -> None:
        series = {column: typed(df, column) for column in used}
        words = {column: _categorical(series[column]) for column in used if _frame_type(df, column) == "int32"}
        self._dictionaries = _dictionaries(words)
        self._table = pa.table(
            {
                column: _codes(words[column], self._dictionaries[column])
                if column in words
                else _numbers(series[column])
                for column in used
            }
        )

    @property
    def columns(self) -> set[str]:
        """The columns that the engine gets."""
        return {*self._table.column_names}

    def addresses(self) -> tuple[pd.Index, pa.Array]:
        """Return all addresses and their codes."""
        words = self._dictionaries[_ADDRESSES]
        return words, pa.array(np.arange(len(words), dtype=np.int32))

    def register(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let a cursor see the records."""
        cursor.register(NAME, pa.Table.from_batches(self._table.to_batches(max_chunksize=_BATCH), self._table.schema))

    def computed(self, expression: ir.Table) -> pa.Table:
        with cursor_of(_database()) as cursor:
            self.register(cursor)
            return _result(cursor, expression)

    def decoded(self, table: pa.Table, in_words: InWords) -> pd.DataFrame:
        """Turn codes into words."""
        made = {*table.column_names} - self.columns
        result = result_frame(table, made)
        for field in table.schema:
            # No number has this type: counters have 64 bits, ports and protocols are unsigned.
            if field.type == pa.int32():
                words = self._dictionaries[_ADDRESSES if field.name in made else field.name]
                codes = result[field.name].fillna(-1).to_numpy(np.int64)
                result[field.name] = in_words(codes, words)
            elif field.type == pa.list_(pa.int32()):
                # Words that were collected are those of addresses.
                spelled = np.asarray(self._dictionaries[_ADDRESSES], object)
                result[field.name] = [spelled[codes] for codes in result[field.name]]
        return result


def _result(cursor: duckdb.DuckDBPyConnection, expression: ir.Table) -> pa.Table:
    # A relation is planned twice, for its columns and for its rows: a quarter of the time on a small frame.
    cursor.execute(f"CREATE OR REPLACE TEMPORARY TABLE result AS {duckdb_sql(expression.op())}")
    return cursor.table("result").to_arrow_table().cast(expression.schema().to_pyarrow())


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
