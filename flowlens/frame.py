"""The typed frame: Arrow tables in, one pandas frame out, and what a frame of flow records can answer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.parse.values import MILLISECONDS_FROM, arrow_type
from flowlens.schema import VOCABULARIES, Field, field_for

__all__ = ["frame_from_tables"]

_INTEGERS: dict[str, type[np.integer]] = {"uint8": np.uint8, "uint16": np.uint16, "int64": np.int64}


def frame_from_tables(tables: Sequence[pa.Table], columns: Sequence[str]) -> pd.DataFrame:
    """Return one frame with the records of all tables, in their order.

    A table that lacks a column has it missing in all its records. Text becomes `category` with sorted categories, so
    that codes sort as the words do. All address columns share one set of categories: equal addresses have equal codes
    in every column, and `df.srcaddr == df.dstaddr` works.
    """
    fields = [field_for(column) for column in columns]
    chunks = {field.column: [_chunk(table, field) for table in tables] for field in fields}
    records = sum(table.num_rows for table in tables)
    addresses = [field for field in fields if field.kind == "address"]
    # Copying leaves Python's global lock, so columns are copied on all cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        together = pool.submit(_categoricals, [chunks[field.column] for field in addresses], records)
        apart = {
            field.column: pool.submit(_column, field, chunks[field.column], records)
            for field in fields
            if field.kind != "address"
        }
        data: dict[str, object] = {column: result.result() for column, result in apart.items()}
        data.update(zip([field.column for field in addresses], together.result(), strict=True))
    return pd.DataFrame({column: data[column] for column in columns}, index=pd.RangeIndex(records), copy=False)


def _column(field: Field, tables: list[list[pa.Array]], records: int) -> object:
    if field.kind == "time":
        return _times(tables, records)
    if field.kind != "text":
        return _integers(tables, records, _INTEGERS[field.kind])
    words = pa.array(VOCABULARIES.get(field.column, ()), pa.string())
    vocabulary = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), words)
    return _categoricals([[*tables, [vocabulary]]], records)[0]


def _chunk(table: pa.Table, field: Field) -> list[pa.Array]:
    if field.column in table.column_names:
        chunks: list[pa.Array] = table[field.column].chunks
        return chunks
    return [pa.nulls(table.num_rows, arrow_type(field))]


def _integers(tables: Iterable[list[pa.Array]], records: int, dtype: type[np.integer]) -> pd.arrays.IntegerArray:
    values, missing = _filled(tables, records, np.dtype(dtype))
    return pd.arrays.IntegerArray(values, missing)


def _times(tables: Iterable[list[pa.Array]], records: int) -> pd.DatetimeIndex:
    seconds, missing = _filled(tables, records, np.dtype(np.int64))
    milliseconds = seconds >= MILLISECONDS_FROM
    if milliseconds.any():
        seconds[milliseconds] //= 1000
    times = seconds.view("M8[s]")
    if missing.any():
        times[missing] = np.datetime64("NaT")
    return pd.DatetimeIndex(times, tz="UTC", copy=False)


def _filled(tables: Iterable[list[pa.Array]], records: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Copy chunks behind each other: values, with 0 where one is missing, and where that is."""
    values, missing = np.empty(records, dtype), np.zeros(records, bool)
    begin = 0
    for chunk in (chunk for chunks in tables for chunk in chunks):
        end = begin + len(chunk)
        if chunk.null_count:
            values[begin:end] = pc.fill_null(chunk, 0).to_numpy(zero_copy_only=False)
            missing[begin:end] = chunk.is_null().to_numpy(zero_copy_only=False)
        else:
            values[begin:end] = chunk.to_numpy()
        begin = end
    return values, missing


def _categoricals(columns: list[list[list[pa.Array]]], records: int) -> list[pd.Categorical]:
    """Return one categorical a column, all over the same sorted categories."""
    flat = [[chunk for chunks in tables for chunk in chunks] for tables in columns]
    everything = [chunk for chunks in flat for chunk in chunks]
    unified = pa.chunked_array(everything, arrow_type(field_for("srcaddr"))).unify_dictionaries()
    words = unified.chunk(0).dictionary if everything else pa.array([], pa.string())
    order = pc.sort_indices(words)
    dtype = pd.CategoricalDtype(pd.Index(words.take(order).to_pandas()))
    rank = np.empty(len(words), _code_dtype(len(words)))
    rank[order.to_numpy()] = np.arange(len(words))
    categoricals, first = [], 0
    for chunks in flat:
        codes = _codes(unified.chunks[first : first + len(chunks)], rank, records)
        categoricals.append(pd.Categorical.from_codes(codes, dtype=dtype, validate=False))
        first += len(chunks)
    return categoricals


def _code_dtype(words: int) -> np.dtype:
    """Return the smallest integer that holds the codes, which is what pandas keeps."""
    return np.min_scalar_type(-max(words, 1))


def _codes(chunks: list[pa.DictionaryArray], rank: np.ndarray, records: int) -> np.ndarray:
    codes = np.empty(records, rank.dtype)
    begin = 0
    for chunk in chunks:
        end = begin + len(chunk)
        indices = chunk.indices
        if indices.null_count == len(indices):
            codes[begin:end] = -1
        elif indices.null_count:
            np.take(rank, pc.fill_null(indices, 0).to_numpy(), out=codes[begin:end], mode="clip")
            codes[begin:end][indices.is_null().to_numpy(zero_copy_only=False)] = -1
        else:
            np.take(rank, indices.to_numpy(), out=codes[begin:end], mode="clip")
        begin = end
    return codes
