"""Cursors of DuckDB, closed after use; Ctrl-C while one is used is what it is everywhere in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

__all__ = ["cursor_of", "interruptible"]


@contextmanager
def cursor_of(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts a query.
    """
    cursor = database.cursor()
    try:
        with interruptible():
            yield cursor
    finally:
        cursor.close()


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise what the user meant where a query is interrupted.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupts a query.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (RuntimeError, duckdb.Error) as error:
        # So DuckDB's Python says what its library calls an interruption, and what interrupted it while it asked for
        # records of a frame.
        if str(error) == "Query interrupted" or "failed: KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from None
        raise
