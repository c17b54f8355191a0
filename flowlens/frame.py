"""The typed frame: Arrow tables in, one pandas frame out, and what a frame of flow records can answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.parse.values import MILLISECONDS_FROM, TEXT
from flowlens.schema import VOCABULARIES, Field, field_for

__all__ = ["FrameBuilder"]

_INTEGERS: dict[str, type[np.integer]] = {"uint8": np.uint8, "uint16": np.uint16, "int64": np.int64, "time": np.int64}

_SPARE = 1.1  # times the records that the share so far lets expect
_MOST_ROOM = 16  # times the records there are


class FrameBuilder:
    """Gather the records of Arrow tables into one frame as they come, so that each table can be let go.

    A table that lacks a column has it missing in all its records. Text becomes `category` with sorted categories, so
    that codes sort as the words do. All address columns share one set of categories: equal addresses have equal codes
    in every column, and `df.srcaddr == df.dstaddr` works.
    """

    def __init__(self) -> None:
        self._records = 0
        self._columns: dict[str, _Numbers | _Words] = {}

    @property
    def columns(self) -> list[str]:
        """The columns seen so far, in the order in which they came."""
        return list(self._columns)

    def add(self, table: pa.Table, share: float) -> None:
        """Append the records of a table, which ends at this share of all that will come, as far as one can tell."""
        for name in table.column_names:
            if name not in self._columns:
                self._columns[name] = _column(field_for(name), self._records)
        self._records += table.num_rows
        # Memory that is asked for and never written to costs nothing; growing costs a copy of what there is.
        likely = int(self._records * min(_SPARE / share, _MOST_ROOM))
        for name, column in self._columns.items():
            if isinstance(column, _Numbers):
                column.reserve(self._records, likely)
            if name in table.column_names:
                column.add(table[name].chunks)
            else:
                column.add_missing(table.num_rows)

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the frame of these columns; one that no table had is empty."""
        gathered = {name: self._columns.get(name) or _column(field_for(name), self._records) for name in columns}
        addresses = {name: column for name, column in gathered.items() if field_for(name).kind == "address"}
        # Copying leaves Python's global lock, so columns are made on all cores.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            together = pool.submit(
                _categoricals, [column.chunks for column in addresses.values() if isinstance(column, _Words)]
            )
            apart = {
                name: pool.submit(_series, field_for(name), column)
                for name, column in gathered.items()
                if name not in addresses
            }
            data: dict[str, object] = {name: result.result() for name, result in apart.items()}
            data.update(zip(addresses, together.result(), strict=True))
        return pd.DataFrame({name: data[name] for name in columns}, index=pd.RangeIndex(self._records), copy=False)


def _column(field: Field, records: int) -> _Numbers | _Words:
    """Return a column that is missing in the records so far."""
    column = _Numbers(_INTEGERS[field.kind]) if field.kind in _INTEGERS else _Words()
    if isinstance(column, _Numbers):
        column.reserve(records, records)
    column.add_missing(records)
    return column


class _Numbers:
    """Integers behind each other, 0 where one is missing, and where that is."""

    def __init__(self, dtype: type[np.integer]) -> None:
        self._room = np.empty(0, dtype)
        self._used = 0
        self._gaps: list[tuple[int, np.ndarray | bool, int]] = []

    @property
    def values(self) -> np.ndarray:
        return self._room[: self._used]

    def reserve(self, records: int, likely: int) -> None:
        """Make room for so many records in all, and for as many as are likely to come where it has to grow."""
        if records > len(self._room):
            room = np.empty(max(records, likely), self._room.dtype)
            room[: self._used] = self.values
            self._room = room

    def add(self, chunks: Sequence[pa.Array]) -> None:
        for chunk in chunks:
            begin, self._used = self._used, self._used + len(chunk)
            if chunk.null_count:
                self.values[begin:] = pc.fill_null(chunk, 0).to_numpy(zero_copy_only=False)
                self._gaps.append((begin, chunk.is_null().to_numpy(zero_copy_only=False), self._used))
            else:
                self.values[begin:] = chunk.to_numpy()

    def add_missing(self, records: int) -> None:
        begin, self._used = self._used, self._used + records
        self.values[begin:] = 0
        self._gaps.append((begin, True, self._used))

    def missing(self) -> np.ndarray:
        mask = np.zeros(self._used, bool)
        for begin, where, end in self._gaps:
            mask[begin:end] = where
        return mask


class _Words:
    """Dictionary-encoded text behind each other, each chunk with a dictionary of its own."""

    def __init__(self) -> None:
        self.chunks: list[pa.DictionaryArray] = []

    def add(self, chunks: Sequence[pa.DictionaryArray]) -> None:
        self.chunks += chunks

    def add_missing(self, records: int) -> None:
        self.chunks.append(pa.nulls(records, TEXT))


def _series(field: Field, column: _Numbers | _Words) -> object:
    if isinstance(column, _Words):
        words = pa.array(VOCABULARIES.get(field.column, ()), pa.string())
        vocabulary = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), words)
        return _categoricals([[*column.chunks, vocabulary]])[0]
    if field.kind == "time":
        return _times(column.values, column.missing())
    return pd.arrays.IntegerArray(column.values, column.missing())


def _times(seconds: np.ndarray, missing: np.ndarray) -> pd.DatetimeIndex:
    milliseconds = seconds >= MILLISECONDS_FROM
    if milliseconds.any():
        seconds[milliseconds] //= 1000
    times = seconds.view("M8[s]")
    if missing.any():
        times[missing] = np.datetime64("NaT")
    return pd.DatetimeIndex(times, tz="UTC", copy=False)


def _categoricals(columns: list[list[pa.DictionaryArray]]) -> list[pd.Categorical]:
    """Return one categorical a column, all over the same sorted categories."""
    everything = [chunk for chunks in columns for chunk in chunks]
    unified = pa.chunked_array(everything, TEXT).unify_dictionaries()
    words = unified.chunk(0).dictionary if everything else pa.array([], pa.string())
    order = pc.sort_indices(words)
    dtype = pd.CategoricalDtype(pd.Index(words.take(order).to_pandas()))
    rank = np.empty(len(words), _code_dtype(len(words)))
    rank[order.to_numpy()] = np.arange(len(words))
    categoricals, first = [], 0
    for chunks in columns:
        codes = _codes(unified.chunks[first : first + len(chunks)], rank)
        categoricals.append(pd.Categorical.from_codes(codes, dtype=dtype, validate=False))
        first += len(chunks)
    return categoricals


def _code_dtype(words: int) -> np.dtype:
    """Return the smallest integer that holds the codes, which is what pandas keeps."""
    return np.min_scalar_type(-max(words, 1))


def _codes(chunks: list[pa.DictionaryArray], rank: np.ndarray) -> np.ndarray:
    codes = np.empty(sum(map(len, chunks)), rank.dtype)
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
