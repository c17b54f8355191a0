"""Parquet files that DuckDB reads by itself, in half the time: those with the columns and types of AWS's own.

Types leave little to be wrong with a value. That little is looked for on the way, as far as it costs nothing: a value
that cannot be right ends the query, and the parser has to tell which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from threading import Event, Thread

import duckdb

from flowlens.parse.values import MILLISECONDS_FROM, largest
from flowlens.schema import BY_COLUMN, Field
from flowlens.stream import bar

__all__ = ["progress_shown", "view_of_parquet"]

_NOTICED_AFTER = 0.2  # seconds


def view_of_parquet(cursor: duckdb.DuckDBPyConnection, files: Sequence[str], columns: Sequence[str], name: str) -> None:
    """Make the files, which all have the same columns, a view with those that a query uses.

    Raises
    ------
    duckdb.Error
        If they cannot be read as one table.
    """
    quoted = [escape(file).replace("'", "''") for file in files]  # DuckDB takes names for patterns
    names = ", ".join(f"'{name}'" for name in quoted)
    values = ", ".join(f'"{column}"' for column in columns)
    sound = " AND ".join(_sound(BY_COLUMN[column]) for column in columns)
    # A temporary view is that of the cursor, any other one that of all.
    cursor.execute(
        f"CREATE TEMPORARY VIEW {name} AS SELECT {values} FROM read_parquet([{names}], hive_partitioning = false) "  # noqa: S608
        f"WHERE {sound}"
    )


def _sound(field: Field) -> str:
    """Return the condition that a value is missing or can stand in a field; where it cannot, it is an error."""
    value = f'"{field.column}"'
    # In this order: most values are neither missing nor wrong.
    return f"({_right(field, value)} OR {value} IS NULL OR error('{field.name}'))"


def _right(field: Field, value: str) -> str:
    if field.kind == "address":
        # So do all addresses begin, and '-'. A comparison costs next to nothing, a pattern a tenth of the whole query.
        return f"{value} BETWEEN '-' AND 'g'"
    if field.kind == "text":
        words = ", ".join(f"'{word}'" for word in (*field.values, "-"))
        return f"{value} IN ({words})" if field.closed else f"{value} <> ''"
    if field.kind == "int64":
        return f"{value} >= 0"
    return f"{value} BETWEEN 0 AND {MILLISECONDS_FROM - 1 if field.kind == 'time' else largest(field)}"


@contextmanager
def progress_shown(cursor: duckdb.DuckDBPyConnection, progress: bool | None) -> Iterator[None]:
    """Show a bar of what DuckDB thinks it has done of a query, in percent."""
    cursor.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    done = Event()
    with bar(100, "%", progress) as shown:

        def watch() -> None:
            while not done.wait(_NOTICED_AFTER):
                shown.update(max(cursor.query_progress() - shown.n, 0))

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
