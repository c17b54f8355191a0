"""Parquet files: as AWS writes them, as pandas or Spark write them, and those of Security Lake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.parse.compression import most_bytes
from flowlens.parse.lookalikes import refuse_foreign_names
from flowlens.parse.named import read_named, refuse_what_is_no_record
from flowlens.parse.naming import columns_of, has_computed
from flowlens.parse.ocsf import is_ocsf
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.security_lake import read_ocsf
from flowlens.schema import BY_COLUMN

if TYPE_CHECKING:
    import pyarrow.parquet as pq

__all__ = ["PARQUET_MAGIC", "read_parquet", "read_parquet_together"]

PARQUET_MAGIC = b"PAR1"

# A repeated record costs next to nothing in Parquet, so a small file can declare any number of them.
_ANY_ROWS, _ROWS_PER_BYTE = 1_000_000, 50


def read_parquet(data: bytes, reading: Reading) -> Parsed:
    """Read one Parquet file; a record that cannot be right is reported with its row number as its line.

    Raises
    ------
    RefusedError
        If the file is damaged, or its columns are not those of a flow log.
    """
    table, in_file = _table(data, reading)
    if is_ocsf(in_file):
        return read_ocsf(table, reading)
    return read_named(table, columns_of(in_file, {}), reading)


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
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(pa.BufferReader(data))
        _refuse_a_bomb(metadata, len(data))
        schema = metadata.schema.to_arrow_schema()
        _refuse_other_columns(schema.names)
        names = columns_of(schema.names, {})
        wanted = None if is_ocsf(schema.names) else [names[column] for column in reading.wanted(tuple(names))]
        # Words as they are stored, each once: a file of repeated long words would otherwise unpack to anything.
        words = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
        file = pq.ParquetFile(pa.BufferReader(data), metadata=metadata, read_dictionary=words)
        return _with_all_words(file.read(wanted, use_threads=reading.threads)), schema.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for the name of a column
        raise RefusedError(1, "", f"the Parquet file is damaged: {error}") from error


def _refuse_a_bomb(metadata: pq.FileMetaData, stored: int) -> None:
    # Not the sizes of the columns: where statistics are damaged, `RowGroupMetaData.column` ends the whole process.
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if metadata.num_rows > max(_ANY_ROWS, _ROWS_PER_BYTE * stored) or unpacked > most_bytes(stored):
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
