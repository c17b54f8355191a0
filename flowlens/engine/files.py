"""Flow records in files of any size: parsed as they are read, some at a time, into DuckDB.

Lines go through flowlens's own parser, which accounts for every bad one and takes half the time of DuckDB's. Nothing is
kept: each query reads the files again, but only the columns that it uses, and only the files that can hold its times.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.badlines import OnBadLines, report
from flowlens.engine.cursors import cursor_of
from flowlens.engine.ground import Ground, ReductionOfGround
from flowlens.engine.parquet import progress_shown, view_of_parquet
from flowlens.engine.records import Records, Step, prepared
from flowlens.engine.sql import GROUND, MADE, NAME, NUMBERS, PLACES, duckdb_sql, flows_of_words, named, used_columns
from flowlens.errors import BadLine, FlowlensError
from flowlens.parse import Layout, Reading
from flowlens.parse.tags import readable_tags
from flowlens.parse.values import MILLISECONDS_FROM, TEXT
from flowlens.schema import TAG_COLUMNS, field_for
from flowlens.source import InputFile, may_hold
from flowlens.stream import parsed_files

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["FileRecords"]

#: Of the memory that DuckDB would take, four fifths of what the machine or the container has: a notebook holds frames,
#: too. What a query needs beyond this, DuckDB writes to disk. Python and the parser take some 300 MB more.
_SHARE = 0.3

Result = TypeVar("Result")

_BATCH = 122_880  # records: one of DuckDB's row groups


@dataclass(frozen=True)
class FileRecords(Records):
    """The records of files, in the columns that they have together."""

    files: Sequence[InputFile]
    columns: Sequence[str]
    layout: Layout | None
    on_bad_lines: OnBadLines
    progress: bool | None
    #: Whether all are Parquet with the same columns, which have the names and types of AWS's own.
    of_aws: bool

    engine = "DuckDB"

    @property
    def table(self) -> ir.Table:
        """The table that queries are written for; a view or a stream of the files stands in its place."""
        return flows_of_words(self.columns)

    def within(self, span: tuple[int, int]) -> FileRecords:
        return replace(self, files=[file for file in self.files if may_hold(file.name, span)])

    def compute(self, expression: ir.Table) -> pa.Table:
        return self._computed(used_columns(expression), lambda cursor: _result(cursor, expression))

    def compute_on_ground(
        self, flows: ir.Table, ground: Ground, reductions: Mapping[str, ReductionOfGround]
    ) -> dict[str, pa.Table]:
        made = ground.made(flows)
        located = ground.located(named(made, MADE), ground.table_of_places("string"))
        expressions = {name: reduction(flows, named(located, GROUND)) for name, reduction in reductions.items()}
        columns = {column for one in (made, *expressions.values()) for column in used_columns(one)}

        def results(cursor: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
            cursor.execute(f"CREATE TEMPORARY TABLE {MADE} AS {duckdb_sql(made.op())}")
            addresses = _result(cursor, ground.addresses(named(made, MADE)))["address"].combine_chunks()
            cursor.register(PLACES, ground.arrow_places(pd.Index(addresses.to_pandas()), {"address": addresses}))
            cursor.execute(f"CREATE TEMPORARY TABLE {GROUND} AS {duckdb_sql(located.op())}")
            return {name: _result(cursor, expression) for name, expression in expressions.items()}

        return self._computed(sorted(columns), results)

    def _computed(self, columns: Sequence[str], compute: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
        """Let something be computed where the table `flows` stands for the files."""
        if self.of_aws and self.files and not set(TAG_COLUMNS).intersection(columns):
            try:
                with cursor_of(_database()) as cursor:
                    view_of_parquet(
                        cursor, [str(file.content) for file in self.files], columns or self.columns[:1], NAME
                    )
                    with progress_shown(cursor, self.progress):
                        return compute(cursor)
            except duckdb.OutOfMemoryException:  # of disk, too
                raise
            except duckdb.Error:
                pass  # what is odd in a file is found on the way below, and told with its place
        records = _Stream(self, columns)
        with records.cursor() as cursor:
            result = compute(cursor)
        report(records.bad_lines, self.on_bad_lines)
        return result

    def stream(self, expression: ir.Table, rows: int) -> Generator[pa.RecordBatch]:
        records = _Stream(self, used_columns(expression))
        with records.cursor() as cursor:
            yield from cursor.sql(duckdb_sql(expression.op())).to_arrow_reader(rows)
        report(records.bad_lines, self.on_bad_lines)

    def count(self, steps: Sequence[Step]) -> int:
        if self.of_aws:
            return super().count(steps)
        # A line counts if it can be read, in all columns.
        whole = self.compute(prepared(self.table, steps, self.columns).select(*self.columns).count().as_table())
        return int(whole.column(0)[0].as_py())

    def tables(self, verb: str, steps: Sequence[Step], limit: int | None) -> Generator[pa.Table]:
        if steps or limit is not None:
            with closing(super().tables(verb, steps, limit)) as tables:
                yield from tables
            return
        # Nothing is to be computed.
        records = _Stream(self, self.columns)
        with closing(records.tables()) as tables:
            yield from tables
        report(records.bad_lines, self.on_bad_lines)


def _result(cursor: duckdb.DuckDBPyConnection, expression: ir.Table) -> pa.Table:
    return cursor.sql(duckdb_sql(expression.op())).to_arrow_table()


class _Stream:
    """Batches of parsed records for DuckDB, which asks for them anew wherever a query names the table."""

    def __init__(self, source: FileRecords, columns: Sequence[str]) -> None:
        # Where a query only counts records, any column tells how many there are.
        self._source, self._columns = source, columns or source.columns[:1]
        self._passes: list[list[BadLine]] = []
        self._failure: BaseException | None = None

    @property
    def bad_lines(self) -> list[BadLine]:
        """The lines that could not be read, of the pass that came furthest."""
        return max(self._passes, key=len, default=[])

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor for queries over these records."""
        try:
            with cursor_of(_database()) as cursor:
                cursor.register(NAME, self)
                yield cursor
        except duckdb.Error as error:
            # DuckDB passes on no more than the text of what went wrong while reading.
            raise (self._failure or error) from None

    def __arrow_c_schema__(self) -> object:
        return self._schema().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._schema(), self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _schema(self) -> pa.Schema:
        return pa.schema({column: _arrow_type(column) for column in self._columns})

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with closing(self.tables()) as tables:
                for table in tables:
                    yield from _as_in_database(table, self._schema()).to_batches(_BATCH)
        except GeneratorExit:  # no more is asked for
            raise
        except BaseException as error:  # an interruption is none of the Exceptions
            self._failure = error
            raise

    def tables(self) -> Generator[pa.Table]:
        """Yield the records as the parser gives them, once."""
        bad_lines: list[BadLine] = []
        progress = False if self._passes else self._source.progress
        self._passes.append(bad_lines)
        reading = Reading("", self._source.layout, frozenset(self._columns))
        with closing(parsed_files(self._source.files, reading, progress)) as parts:
            for part, _ in parts:
                bad_lines += part.bad_lines
                while part.tables:
                    yield readable_tags(part.tables.pop(0))
        unknown = next((column for column in reading.met if column not in self._source.columns), None)
        if unknown is not None:
            raise FlowlensError(
                f"{reading.met[unknown] or 'one of the files'} has the field {unknown!r}, which fl.scan did not find: "
                "it looks at the beginning of each file, and of files that AWS names after a flow log at one. Scan the "
                "files of each format by themselves, or use fl.read."
            )


def _arrow_type(column: str) -> pa.DataType:
    kind = field_for(column).kind
    return pa.type_for_alias(NUMBERS[kind]) if kind in NUMBERS else TEXT


def _as_in_database(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return parsed records in the types of the table; a column that a file lacks is missing in all its records."""
    return pa.table([_values(table, field) for field in schema], schema)


def _values(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    values = table[field.name].cast(field.type)
    if field_for(field.name).kind == "time":
        values = pc.if_else(pc.greater_equal(values, MILLISECONDS_FROM), pc.divide(values, 1000), values)
    return values


def _database() -> duckdb.DuckDBPyConnection:
    with _OPENING:  # of two threads that ask first, one opens it
        return _opened()


_OPENING = Lock()


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"temp_directory": _folder().name})
    ((all_of_it,),) = connection.sql("SELECT current_setting('memory_limit')").fetchall()
    size, unit = all_of_it.split()
    connection.execute(f"SET memory_limit = '{_SHARE * float(size)} {unit}'")
    return connection


@cache
def _folder() -> TemporaryDirectory[str]:
    """Return the folder for what does not fit into memory; it is removed when Python ends."""
    return TemporaryDirectory(prefix="flowlens-", ignore_cleanup_errors=True)
