"""Write records as AWS delivers Parquet: Hive folders by time, AWS's names and types.

What reads AWS's files (Athena, Spark, DuckDB, `flowlens.read`) reads these. The types are those of AWS's field tables:
32-bit integers, 64-bit ones for counters and times in Unix seconds, and strings, with null for a missing value.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from operator import itemgetter
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flowlens.columns import missing_field, typed
from flowlens.errors import FlowlensError
from flowlens.schema import BY_COLUMN, TAG_COLUMNS, field_for

__all__ = ["write_parquet"]

#: What folders can be made of, with the digits that AWS writes: year=2026/month=03/day=10/hour=14
_DIGITS = {"year": 4, "month": 2, "day": 2, "hour": 2}
#: The value that Hive gives to records which have none; DuckDB, Spark and Athena read it as null.
_NO_TIME = "__HIVE_DEFAULT_PARTITION__"

#: A tag whose value is a dash reads like this even where tags are decoded, because '-' is a missing value.
_DASH = "%2D"

#: AWS's types. Of protocol, its table for VPCs says 32 bits and the one for transit gateways 64; one type is better.
_INTEGERS = {"uint8": pa.int32(), "uint16": pa.int32(), "int64": pa.int64(), "time": pa.int64()}

#: Rows that are compressed together. Engines read in parallel and skip by these; so many take some 15 MB.
_ROW_GROUP = 1_000_000

# A million records of the sample take 10 MB and 0.6 s with zstd, 16 MB and 0.5 s with snappy, and with gzip, which AWS
# uses, 10 MB and 6 s. Athena from version 3, Spark, DuckDB and pandas read zstd.
_COMPRESSION = "zstd"
_DICTIONARY_BYTES = 8 << 20  # by default one: fewer than 100,000 addresses

_FILES_AT_ONCE = min(os.cpu_count() or 1, 4)  # each takes the memory of its row group
_MOST_OPEN = 64  # files; systems give a process 256 and more

# More than one letter, because one is a drive; one slash, because Path("s3://logs") has lost the other.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def write_parquet(
    frames: Generator[pd.DataFrame], target: str | os.PathLike[str], partition_by: Sequence[str]
) -> list[Path]:
    """Write frames of records below a folder and return the files; nothing is overwritten and nothing half written.

    All frames have the same columns; what belongs into one folder makes one file, in the order of the frames.

    Raises
    ------
    ValueError
        If folders cannot be made by `partition_by`, or columns cannot be told apart by their names.
    MissingFieldError
        If folders by time are wanted of a log without `start`.
    ParseError
        If a value cannot be of the type of its field.
    FileExistsError
        If files are already where these would be written.
    NotADirectoryError
        If `target` is a file.
    FlowlensError
        If `target` is a URL.
    """
    keys = _keys(partition_by)
    folder = _folder(target)
    # Closed also where something fails: the files that are being read would otherwise stay open with the traceback.
    with closing(frames), _Files(folder, keys) as files:
        for frame in frames:
            records = _as_aws_names(frame, keys)
            if keys and "start" not in records.columns:
                raise missing_field("start", f"making folders by {', '.join(keys)} (partition_by=() makes none)")
            if records.empty and keys and _first_file(folder):
                continue  # there is a table already, and nothing to add to it
            parts = _parts(records, keys)
            files.check(parts)
            files.write(pa.table({name: _column(records, name) for name in records.columns}), parts)
    return files.written


# --- What is asked for ---


def _keys(partition_by: Sequence[str]) -> tuple[str, ...]:
    keys = tuple(partition_by) if isinstance(partition_by, tuple | list) else ("",)
    if len(set(keys)) < len(keys) or not set(keys) <= set(_DIGITS):
        raise ValueError(
            f"partition_by={partition_by!r} is not possible; give each of {', '.join(map(repr, _DIGITS))} at most "
            "once, like ('year', 'month', 'day') or ('year', 'month', 'day', 'hour'), or () for one file and no folders"
        )
    return keys


def _folder(target: str | os.PathLike[str]) -> Path:
    name = os.fspath(target)
    if _URL.match(name):
        raise FlowlensError(
            f"{name}: URLs cannot be written yet. Write to a folder here, for example 'logs', and copy it with "
            f"'aws s3 sync logs/ s3://...'."
        )
    folder = Path(name).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"{folder} is a file; to_parquet needs a folder to write files into. Give another name."
        )
    return folder


def _as_aws_names(df: pd.DataFrame, keys: Collection[str]) -> pd.DataFrame:
    """Return the frame with the names that its columns have in AWS Parquet, each of them once."""
    labels = list(df.columns)
    odd = [label for label in labels if not isinstance(label, str)]
    if odd:
        raise ValueError(
            f"a column of a Parquet file needs a name, and {odd[0]!r} is no text; rename it, for example with "
            f"df.rename(columns={{{odd[0]!r}: 'name'}})"
        )
    names = [label.replace("-", "_") for label in labels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"more than one column would be named {twice[0]!r} in the file; drop or rename all but one")
    both = [key for key in keys if key in names]
    if both:
        raise ValueError(
            f"the folders {both[0]}=... would hide the column {both[0]!r}; drop or rename it, or leave {both[0]!r} out "
            "of partition_by"
        )
    return df if names == labels else df.set_axis(names, axis=1)


# --- Which records go where ---


def _parts(df: pd.DataFrame, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Return for each folder below the target the places of its rows, folders and rows in order."""
    if not keys or df.empty:
        return {"": np.arange(len(df))}
    # Dates are looked at once an hour and not once a record.
    hours = pd.DatetimeIndex(typed(df, "start")).floor("h")
    hour_of_row, distinct = hours.factorize(use_na_sentinel=False)
    # Numbers have a fixed width, so names sort as times do, and no time comes last: also the order of reading.
    part_of_hour, places = pd.factorize(np.array([_place(hour, keys) for hour in distinct], object), sort=True)
    # NumPy sorts small integers in linear time.
    part_of_row = part_of_hour.astype(np.min_scalar_type(len(places)))[hour_of_row]
    rows = np.split(
        np.argsort(part_of_row, kind="stable"), np.bincount(part_of_row, minlength=len(places)).cumsum()[:-1]
    )
    return dict(zip(places, rows, strict=True))


def _place(hour: pd.Timestamp, keys: Sequence[str]) -> str:
    if pd.isna(hour):
        return "/".join(f"{key}={_NO_TIME}" for key in keys)
    return "/".join(f"{key}={getattr(hour, key):0{_DIGITS[key]}}" for key in keys)


# --- What is there already ---


def _refuse_doubling(folder: Path) -> None:
    there = _first_file(folder)
    if there:
        raise FileExistsError(
            f"{folder} already holds data ({there.relative_to(folder)}), and its records may be the same. Nothing was "
            "written. Delete that folder to write it anew, or give another target."
        )


def _refuse_other_layouts(folder: Path, place: str, keys: Sequence[str]) -> None:
    """Refuse to write into a table that has other folders: records could double, and engines cannot read such a mix."""
    for key, name in zip(keys, place.split("/"), strict=False):
        other = next((entry for entry in _entries(folder) if _is_laid_out_otherwise(entry, key)), None)
        if other:
            raise FileExistsError(
                f"{folder} already holds {other.name}, so it is not laid out by {', '.join(keys)} as these records "
                "would be. Nothing was written. Give another target, or the partition_by that was used there."
            )
        folder /= name


def _is_laid_out_otherwise(entry: Path, key: str) -> bool:
    if entry.is_dir():
        return "=" in entry.name and not entry.name.startswith(f"{key}=") and _first_file(entry) is not None
    return entry.suffix == ".parquet"


def _first_file(folder: Path) -> Path | None:
    files = (_first_file(entry) if entry.is_dir() else entry for entry in _entries(folder))
    return next(filter(None, files), None)


def _entries(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder; names that begin with '.' or '_' are bookkeeping, as for Spark and Hive."""
    if folder.is_dir():
        yield from sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))


# --- Columns ---


def _column(df: pd.DataFrame, name: str) -> pa.Array:
    kind = field_for(name).kind
    series = typed(df, name)
    if kind == "time":
        return pa.array(pd.DatetimeIndex(series).asi8, mask=series.isna().to_numpy())
    if kind in _INTEGERS:
        return pa.array(series.array).cast(_INTEGERS[kind])
    if not isinstance(series.dtype, pd.CategoricalDtype):
        return _own_type(series)
    categories = series.array.categories
    if name in TAG_COLUMNS:
        words = pa.array([_percent_encoded(str(word)) for word in categories], pa.string())
    else:
        words = _strings(categories) if name in BY_COLUMN else _own_type(categories)
    codes = series.array.codes
    encoded = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), words)
    return encoded if pa.types.is_string(words.type) else encoded.dictionary_decode()


def _percent_encoded(tag: str) -> str:
    """Return the value of a tag as AWS logs it: only letters and digits of ASCII stand for themselves."""
    if tag == _DASH:
        return tag
    return re.sub(rb"[^A-Za-z0-9]", lambda byte: b"%%%02X" % ord(byte[0]), tag.encode()).decode("ascii")


def _own_type(values: pd.Series | pd.Index) -> pa.Array:
    """Return values of a column that is no field: truth values, numbers and times as they are, all else as text."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError):  # of mixed types, or of none that Arrow knows
        return _strings(values)
    kind = array.type
    if pa.types.is_timestamp(kind):
        return _microseconds(array)
    if pa.types.is_float16(kind):  # new in Parquet: most engines read 32 bits or more
        return _whole(array).cast(pa.float32())
    keeps = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_date)
    return _whole(array) if any(is_kind(kind) for is_kind in keeps) else _strings(values)


def _microseconds(times: pa.Array) -> pa.Array:
    # pandas 2 makes nanoseconds of everything, which Spark refuses to read.
    try:
        return _whole(times).cast(pa.timestamp("us", times.type.tz))
    except pa.ArrowInvalid:
        return _whole(times)


def _strings(values: pd.Series | pd.Index) -> pa.Array:
    words = _whole(pa.array(values.astype(str), from_pandas=True)).cast(pa.string())
    missing = np.asarray(values.isna())
    return pc.if_else(pa.array(missing), None, words) if missing.any() else words


def _whole(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


# --- Files ---


class _Files:
    """One file a folder, under names that no reader looks at until all of them are complete."""

    def __init__(self, target: Path, keys: Sequence[str]) -> None:
        self._target, self._keys = target, keys
        # The name is of this call alone: folders of two accounts can be copied into one without losing a file.
        self._name = f"flow-logs-{uuid4().hex}"
        #: Of each folder the file that is written, the one that waits longest first.
        self._open: dict[str, pq.ParquetWriter] = {}
        #: All files, by the hidden name that each has until all are complete.
        self._files: dict[Path, Path] = {}
        self._places: Counter[str] = Counter()
        self._made: list[Path] = []
        self._pool = ThreadPoolExecutor(_FILES_AT_ONCE)
        #: The files, when they are complete.
        self.written: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(cancel_futures=failed is not None)
        try:
            self._close(len(self._open))
            if failed is None:
                for hidden, path in sorted(self._files.items(), key=itemgetter(1)):
                    self.written.append(hidden.rename(path))
        except BaseException:
            self._remove()
            raise
        if failed is not None:
            self._remove()

    def check(self, places: Iterable[str]) -> None:
        """Refuse to write where files are already, or where folders are made otherwise."""
        for place in places:
            if place not in self._places:
                _refuse_other_layouts(self._target, place, self._keys)
                _refuse_doubling(self._target / place)

    def write(self, table: pa.Table, parts: Mapping[str, np.ndarray]) -> None:
        """Append the rows of a table, of each part to the file of its folder."""
        schema = _with_used_words(table.slice(0, 0)).schema
        for some in _some_at_a_time(list(parts)):
            # Those that are written now go behind those that wait.
            going_on = {place: self._open.pop(place) for place in some if place in self._open}
            self._close(len(self._open) + len(some) - _MOST_OPEN)
            self._open |= {place: going_on.get(place) or self._new(place, schema) for place in some}
            for _ in self._pool.map(lambda place: _append(self._open[place], table, parts[place]), some):
                pass  # only to raise what one of them raised

    def _close(self, count: int) -> None:
        """Close the files that wait longest."""
        for place in list(self._open)[: max(count, 0)]:
            self._open.pop(place).close()

    def _new(self, place: str, schema: pa.Schema) -> pq.ParquetWriter:
        folder = self._target / place
        self._made += [path for path in (*reversed(folder.parents), folder) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        # Records of a folder that come back after its file was closed make another one.
        self._places[place] += 1
        name = f"{self._name}.parquet" if self._places[place] == 1 else f"{self._name}-{self._places[place]}.parquet"
        # DuckDB's "*.parquet" would match a name that only begins with a dot.
        hidden = folder / f".{name}.unfinished"
        self._files[hidden] = folder / name
        # Counters and times repeat too rarely for a dictionary to save anything.
        repeats = [
            field.name for field in schema if pa.types.is_dictionary(field.type) or pa.types.is_int32(field.type)
        ]
        return pq.ParquetWriter(
            hidden,
            schema,
            compression=_COMPRESSION,
            use_dictionary=repeats,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            store_schema=False,  # of Arrow, which would tell readers to make dictionaries where others see strings
        )

    def _remove(self) -> None:
        for path in (*self._files, *self._files.values()):
            with suppress(OSError):  # it was not written yet
                path.unlink()
        for folder in reversed(self._made):
            with suppress(OSError):  # not empty: somebody else has written there
                folder.rmdir()


def _some_at_a_time(places: list[str]) -> Iterator[list[str]]:
    return (places[begin : begin + _MOST_OPEN] for begin in range(0, len(places), _MOST_OPEN))


def _append(file: pq.ParquetWriter, table: pa.Table, rows: np.ndarray) -> None:
    # A file without records holds the columns.
    for begin in range(0, len(rows), _ROW_GROUP):
        file.write_table(_with_used_words(table.take(pa.array(rows[begin : begin + _ROW_GROUP]))), _ROW_GROUP)


def _with_used_words(table: pa.Table) -> pa.Table:
    """Drop words that none of these records has: a file holds its dictionaries whole."""
    columns = [_compact(column.combine_chunks()) for column in table.columns]
    return pa.table(columns, table.column_names)


def _compact(array: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(array.type):
        return array
    if len(array) < len(array.dictionary):
        return array.dictionary_decode().dictionary_encode()
    used = np.zeros(len(array.dictionary), bool)
    used[array.indices.drop_null().to_numpy()] = True
    places = pa.array(np.cumsum(used, dtype=np.int32) - 1, pa.int32())
    return pa.DictionaryArray.from_arrays(pc.take(places, array.indices), array.dictionary.filter(pa.array(used)))
