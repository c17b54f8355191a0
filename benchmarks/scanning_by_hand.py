"""What `fl.scan` does, by hand: DuckDB over the same files, as someone who knows it would write it.

Nothing else is imported here, so that a process which works by hand holds the memory of that work alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contents", "copy_to_parquet", "of_parquet", "of_text", "of_text_undetected", "quiet_duckdb", "top_talkers"]

_TYPES = {
    "version": "INTEGER", "account_id": "VARCHAR", "interface_id": "VARCHAR", "srcaddr": "VARCHAR",
    "dstaddr": "VARCHAR", "srcport": "INTEGER", "dstport": "INTEGER", "protocol": "INTEGER", "packets": "BIGINT",
    "bytes": "BIGINT", "start": "BIGINT", "end": "BIGINT", "action": "VARCHAR", "log_status": "VARCHAR",
}  # fmt: skip

# Counting distinct peers of all and not of the ten that are shown: to know the ten first, files have to be read twice.
_TOP_TALKERS = """
    SELECT srcaddr, count(*) AS flows, sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes,
           count(DISTINCT dstaddr) AS peers, sum(bytes) / sum(sum(bytes)) OVER () AS share
    FROM {records} WHERE srcaddr IS NOT NULL GROUP BY srcaddr ORDER BY bytes DESC, srcaddr LIMIT 10"""

_START = "make_timestamp(start * 1000000)"
_COPY = f"""
    COPY (
        SELECT *, strftime({_START}, '%Y') AS year, strftime({_START}, '%m') AS month, strftime({_START}, '%d') AS day
        FROM {{records}}
    ) TO '{{target}}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (year, month, day))"""

# A sum, because the order of records is nobody's promise; the folders are columns here.
_CONTENTS = """
    SELECT count(*) AS records, sum(hash(flows))::VARCHAR AS hashes, any_value(typeof(flows)) AS types
    FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true) AS flows"""


def quiet_duckdb() -> duckdb.DuckDBPyConnection:
    """Return a new database that draws no progress bar into the results."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return one database for all queries: connecting counts for nobody."""
    return quiet_duckdb()


def of_text(folder: Path | str) -> str:
    """The records of text files, told what a flow log is: separator, types, and what stands for a missing value."""
    return f"read_csv('{folder}/**/*.log.gz', delim = ' ', header = true, nullstr = '-', columns = {_TYPES})"


def of_text_undetected(folder: Path | str) -> str:
    """The same, told besides that nothing is quoted, so that no file is looked at beforehand."""
    return f"{of_text(folder)[:-1]}, auto_detect = false, quote = '', escape = '')"


def of_parquet(folder: Path | str) -> str:
    """The records of Parquet files."""
    return f"read_parquet('{folder}/**/*.parquet', hive_partitioning = false)"


def top_talkers(records: str) -> pd.DataFrame:
    """Return what `top_talkers()` does, in one query that reads the files once."""
    return _database().sql(_TOP_TALKERS.format(records=records)).df()


def copy_to_parquet(records: str, target: Path | str) -> None:
    """Write records into folders by year, month and day, as `to_parquet` does."""
    _database().execute(_COPY.format(records=records, target=target))


def contents(folder: Path | str) -> pd.DataFrame:
    """Tell what Parquet files and their folders hold, whatever the order of the records."""
    return _database().sql(_CONTENTS.format(folder=folder)).df()
