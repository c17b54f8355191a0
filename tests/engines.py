"""The same flow log where each engine finds it: in a frame, in files of text and Parquet, in DuckDB, and in Spark."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import ibis
from formats import read, text

import flowlens as fl


def connect_to_spark():
    """Start Spark on two cores of this machine; the session is that of the connection."""
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        # Logs of tests are small: compiling each query, and compiling it well, takes longer than running it.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.adaptive.enabled", "false")
        .getOrCreate()
    )
    return ibis.pyspark.connect(session)


def scanned_text(records: Sequence[dict], names: Sequence[str], folder: Path, spark: object) -> fl.Flows:  # noqa: ARG001
    _write_text(records, names, folder)
    return fl.scan(folder)


def scanned_parquet(records: Sequence[dict], names: Sequence[str], folder: Path, spark: object) -> fl.Flows:  # noqa: ARG001
    read(text(records, names)).flow.to_parquet(folder)
    return fl.scan(folder)


def duckdb_table(records: Sequence[dict], names: Sequence[str], folder: Path, spark: object) -> fl.Flows:  # noqa: ARG001
    (file,) = read(text(records, names)).flow.to_parquet(folder, partition_by=())
    return fl.Flows(ibis.duckdb.connect().read_parquet(file))


def spark_parquet(records: Sequence[dict], names: Sequence[str], folder: Path, spark) -> fl.Flows:
    read(text(records, names)).flow.to_parquet(folder, partition_by=())
    return fl.Flows(spark.read_parquet(folder))


def spark_text(records: Sequence[dict], names: Sequence[str], folder: Path, spark) -> fl.Flows:
    """Leave all as text, dashes for missing values, names with hyphens: as Spark reads AWS's files without a schema."""
    _write_text(records, names, folder)
    return fl.Flows(spark.read_csv(folder, sep=" ", header=True, inferSchema=False, enforceSchema=False))


#: Every one gets records, the names of their fields, an empty folder, and a connection to Spark.
ENGINES: dict[str, Callable] = {
    "scan of text": scanned_text,
    "scan of Parquet": scanned_parquet,
    "DuckDB table": duckdb_table,
    "Spark over Parquet": spark_parquet,
    "Spark over text": spark_text,
}


def _write_text(records: Sequence[dict], names: Sequence[str], folder: Path) -> None:
    """Write records into three files of one day."""
    for place in range(3):
        # Every file has some: Spark infers nothing from a file without lines.
        part = records[place * len(records) // 3 : (place + 1) * len(records) // 3]
        (folder / f"part-{place}.log.gz").write_bytes(gzip.compress(text(part, names)))
