"""Parquet files: as AWS writes them, as pandas or Spark write them, and those of Security Lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.errors import BadLine
from flowlens.parse.compression import suspicious_bytes
from flowlens.parse.lookalikes import refuse_foreign_names
from flowlens.parse.named import read_named, refuse_what_is_no_record
from flowlens.parse.naming import columns_of, has_computed
from flowlens.parse.ocsf import is_ocsf
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.security_lake import read_ocsf
from flowlens.schema import BY_COLUMN

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = [
    "PARQUET_MAGIC",
    "as_aws_writes_it",
    "parquet_columns",
    "read_parquet",
    "read_parquet_in_pieces",
    "read_parquet_together",
]

PARQUET_MAGIC = b"PAR1"

_PIECE = 16 << 20  # bytes of row groups, unpacked

_INTEGERS = (pa.int32(), pa.int64())
_AWS_TYPES = {
    **dict.fromkeys(("text", "address"), (pa.string(),)),
    **dict.fromkeys(("uint8", "uint16", "int64", "time"), _INTEGERS),
}

# A repeated record costs next to nothing in Parquet, so a small file can declare any number of them.
_ANY_ROWS, _ROWS_PER_BYTE = 1_000_000, 50


def read_parquet(data: bytes, reading: Reading) -> Parsed:
    """Read one Parquet file; a record that cannot be right is reported with its row number as its line.

    Raises
    ------
    RefusedError
        If the file is damaged, or its columns are not those of a flow log.
    """
    return _read(*_table(data, reading), reading)


def read_parquet_in_pieces(file: IO[bytes], stored: int, reading: Reading) -> Iterator[Parsed]:
    """Read a Parquet file of any size as `read_parquet` does, some row groups at a time."""
    opened, names = _opened(pa.PythonFile(file, "r"), stored)
    rows = 0
    for groups in _some_at_a_time(opened.metadata):
        try:
            yield _read(_groups(opened, groups, names, reading), names, reading).below(rows)
        except RefusedError as refused:
            yield Parsed([], [BadLine(reading.file, rows + 1, refused.text, refused.reason)])
        rows += sum(opened.metadata.row_group(group).num_rows for group in groups)


def parquet_columns(file: IO[bytes], stored: int, reading: Reading) -> list[str]:
    """Return the columns that the records of a Parquet file have.

    Raises
    ------
    RefusedError
        If the file is damaged, or its columns are not those of a flow log.
    """
    opened, names = _opened(pa.PythonFile(file, "r"), stored)
    if is_ocsf(names):  # which events there are tells what the records have
        groups = range(min(1, opened.metadata.num_row_groups))
        return [
            name
            for table in _read(_groups(opened, groups, names, reading), names, reading).tables
            for name in table.column_names
        ]
    return reading.wanted(tuple(columns_of(names, {})))


def as_aws_writes_it(file: IO[bytes], stored: int) -> bool:
    """Tell whether the columns of a Parquet file have the names and types of AWS's own."""
    with suppress(RefusedError):
        opened, _ = _opened(pa.PythonFile(file, "r"), stored)
        schema = opened.metadata.schema.to_arrow_schema()
        return all(field.name in BY_COLUMN and field.type in _AWS_TYPES[BY_COLUMN[field.name].kind] for field in schema)
    return False


def _some_at_a_time(metadata: pq.FileMetaData) -> Iterator[list[int]]:
    """Yield neighbouring row groups that are large enough together, as their numbers."""
    groups: list[int] = []
    size = 0
    for group in range(metadata.num_row_groups):
        groups.append(group)
        size += metadata.row_group(group).total_byte_size
        if size >= _PIECE:
            yield groups
            groups, size = [], 0
    if groups or not metadata.num_row_groups:
        yield groups


def _read(table: pa.Table, names: list[str], reading: Reading) -> Parsed:
    return read_ocsf(table, reading) if is_ocsf(names) else read_named(table, columns_of(names, {}), reading)


def read_parquet_together(files: Sequence[bytes], reading: Reading) -> Parsed | None:
    """Read small files of the same columns as one; None where that cannot be done."""
    try:
        (first, names), *others = [_table(data, reading) for data in files]
        if is_ocsf(names) or any(in_file != names for _, in_file in others):
            return None
        parsed = read_named(pa.concat_tables([first, *(table for table, _ in others)]), columns_of(names, {}), reading)
    except (RefusedError, pa.ArrowException):
        return None
    return None if parsed.bad_lines else parsed


def _table(data: bytes, reading: Reading) -> tuple[pa.Table, list[str]]:
    """Return the columns that are asked for, and the names of all."""
    file, names = _opened(pa.BufferReader(data), len(data))
    return _groups(file, range(file.metadata.num_row_groups), names, reading), names


def _opened(source: pa.NativeFile, stored: int) -> tuple[pq.ParquetFile, list[str]]:
    """Return a file that holds flow log records, and the names of its columns."""
    import pyarrow.parquet as pq

    with _damage_refused():
        metadata = pq.read_metadata(source)
        _refuse_a_bomb(metadata, stored)
        schema = metadata.schema.to_arrow_schema()
        _refuse_other_columns(schema.names)
        # Words as they are stored, each once: a file of repeated long words would otherwise unpack to anything.
        words = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
        return pq.ParquetFile(source, metadata=metadata, read_dictionary=words), schema.names


def _groups(file: pq.ParquetFile, groups: Sequence[int], names: list[str], reading: Reading) -> pa.Table:
    """Return the columns that are asked for, of some row groups."""
    columns = columns_of(names, {})
    wanted = None if is_ocsf(names) else [columns[column] for column in reading.wanted(tuple(columns))]
    with _damage_refused():
        return _with_all_words(file.read_row_groups(groups, wanted, use_threads=reading.threads))


@contextmanager
def _damage_refused() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for the name of a column
        raise RefusedError(1, "", f"the Parquet file is damaged: {error}") from error


def _refuse_a_bomb(metadata: pq.FileMetaData, stored: int) -> None:
    # Not the sizes of the columns: where statistics are damaged, `RowGroupMetaData.column` ends the whole process.
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > max(_ANY_ROWS, _ROWS_PER_BYTE * stored) or unpacked > suspicious_bytes(stored):
        raise RefusedError(
            1,
            "",
            f"the Parquet file of {stored:,} bytes says that it holds {metadata.num_rows:,} rows, {unpacked:,} bytes: "
            "no flow log shrinks like that",
        )


def _with_all_words(table: pa.Table) -> pa.Table:
    """Return the table, unless a value stands for a word that the dictionary of a damaged file does not have."""
    for chunk in (chunk for column in table.columns for chunk in column.chunks if pa.types.is_dictionary(column.type)):
        ends = pc.min_max(chunk.indices).as_py()
        if ends["max"] is not None and not 0 <= ends["min"] <= ends["max"] < len(chunk.dictionary):
            raise pa.ArrowIndexError("a value is in no dictionary")
    return table


def _refuse_other_columns(names: list[str]) -> None:
    refuse_foreign_names(names, 1)
    # As AWS delivers them, the fields are any that the user chose, even without addresses.
    as_aws_writes_them = sum(name.replace("-", "_") in BY_COLUMN for name in names)
    sound = names and as_aws_writes_them >= min(2, len(names)) and len(set(names)) == len(names)
    if not is_ocsf(names) and (not sound or has_computed(names)):
        refuse_what_is_no_record(names)
