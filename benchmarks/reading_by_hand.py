"""Reading flow logs by hand, as someone who knows the tool would write it.

Each reader returns its own table with the same records, typed: small integers, UTC times, `-` as null. `as_arrow` makes
one form of them all, to check that they are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
from pandas.api.types import union_categoricals
from polars import col

from benchmarks.scanning_by_hand import quiet_duckdb

__all__ = ["READERS", "as_arrow"]

_LAYOUT = (
    "version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log_status",
)  # fmt: skip
_WORDS = ("account_id", "interface_id", "srcaddr", "dstaddr", "action", "log_status")
_SMALL = {"version": 8, "srcport": 16, "dstport": 16, "protocol": 8}  # bits; all other numbers have 64
_TIMES = ("start", "end")


def read_polars_text(files: list[Path]) -> pl.DataFrame:
    """Polars, words as strings."""
    return _read_polars(files, pl.String())


def read_polars(files: list[Path]) -> pl.DataFrame:
    """Polars, words as categories."""
    return _read_polars(files, pl.Categorical())


def _read_polars(files: list[Path], word: pl.DataType) -> pl.DataFrame:
    small = {8: pl.UInt8(), 16: pl.UInt16()}
    schema = {name: word if name in _WORDS else small.get(_SMALL.get(name, 64), pl.Int64()) for name in _LAYOUT}
    flows = pl.scan_csv(files, separator=" ", has_header=False, skip_rows=1, schema=schema, null_values="-")
    # Polars has no seconds.
    return flows.with_columns((col(*_TIMES) * 1000).cast(pl.Datetime("ms", "UTC"))).collect()


def read_duckdb(files: list[Path]) -> pa.Table:
    """DuckDB to Arrow, words as strings: faster than a table of its own."""
    return _read_duckdb(quiet_duckdb(), files).to_arrow_table()


def read_duckdb_table(files: list[Path]) -> duckdb.DuckDBPyConnection:
    """DuckDB to an in-memory table of its own, words as strings."""
    connection = quiet_duckdb()
    _read_duckdb(connection, files).create("flows")
    return connection


def _read_duckdb(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> duckdb.DuckDBPyRelation:
    small = {8: "UTINYINT", 16: "USMALLINT", 64: "BIGINT"}
    types = {name: "VARCHAR" if name in _WORDS else small[_SMALL.get(name, 64)] for name in _LAYOUT}
    return connection.sql(f"""
        SELECT * REPLACE (to_timestamp(start) AS start, to_timestamp("end") AS "end")
        FROM read_csv({[str(file) for file in files]}, columns = {types}, auto_detect = false, header = true,
                      delim = ' ', nullstr = '-', quote = '', escape = '')""")


def read_pyarrow(files: list[Path]) -> pa.Table:
    """pyarrow, words as dictionaries that all files share."""
    small = {8: pa.uint8(), 16: pa.uint16()}
    word = pa.dictionary(pa.int32(), pa.string())
    types = {name: word if name in _WORDS else small.get(_SMALL.get(name, 64), pa.int64()) for name in _LAYOUT}

    def read_file(file: Path) -> pa.Table:
        return pa_csv.read_csv(
            file,
            pa_csv.ReadOptions(use_threads=False, column_names=_LAYOUT, skip_rows=1, block_size=1 << 24),
            pa_csv.ParseOptions(delimiter=" ", quote_char=False),
            pa_csv.ConvertOptions(column_types=types, null_values=["-"], strings_can_be_null=True),
        )

    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        table = pa.concat_tables(pool.map(read_file, files)).unify_dictionaries()
    utc = pa.timestamp("s", "UTC")
    return table.cast(pa.schema([(f.name, utc if f.name in _TIMES else f.type) for f in table.schema]))


def read_pandas_tuned(files: list[Path]) -> pd.DataFrame:
    """pandas told every type, one thread a core."""
    types = {
        name: "category" if name in _WORDS else f"UInt{_SMALL[name]}" if name in _SMALL else "Int64" for name in _LAYOUT
    }

    def read_file(file: Path) -> pd.DataFrame:
        return pd.read_csv(
            file, sep=" ", header=None, skiprows=1, names=_LAYOUT, dtype=types, na_values=["-"], keep_default_na=False
        )

    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        parts = list(pool.map(read_file, files))
    columns = {
        name: union_categoricals([part[name] for part in parts])
        if name in _WORDS
        else pd.concat([part[name] for part in parts], ignore_index=True)
        for name in _LAYOUT
    }
    columns |= {name: pd.DatetimeIndex(columns[name].to_numpy(np.int64).view("M8[s]"), tz="UTC") for name in _TIMES}
    return pd.DataFrame(columns, copy=False)


def read_pandas(files: list[Path]) -> pd.DataFrame:
    """pandas as one writes it without thinking: no types but the times."""
    df = pd.concat([pd.read_csv(file, sep=" ", na_values="-") for file in files], ignore_index=True)
    df.columns = df.columns.str.replace("-", "_")
    for name in _TIMES:
        df[name] = pd.to_datetime(df[name], unit="s", utc=True)
    return df


#: By name; those named in the bound first.
READERS: Mapping[str, Callable[[list[Path]], Any]] = {
    "pyarrow": read_pyarrow,
    "DuckDB to Arrow": read_duckdb,
    "DuckDB table": read_duckdb_table,
    "polars, text": read_polars_text,
    "polars, categories": read_polars,
    "pandas, tuned": read_pandas_tuned,
    "pandas, plain": read_pandas,
}


def as_arrow(table: Any) -> pa.Table:
    """Return what a reader returned as an Arrow table, words as they are."""
    if isinstance(table, pl.DataFrame):
        return table.to_arrow()
    if isinstance(table, duckdb.DuckDBPyConnection):
        return table.table("flows").to_arrow_table()
    return pa.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
