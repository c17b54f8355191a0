"""Flow records in a table of any engine that Ibis speaks to: DuckDB, Spark, Athena, and others."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import ibis
import pandas as pd
import pyarrow as pa
from ibis.common.exceptions import IbisError
from ibis.util import gen_name

from flowlens.engine.ground import Ground, ReductionOfGround
from flowlens.engine.records import Records
from flowlens.parse.naming import columns_of
from flowlens.parse.tags import readable_tags
from flowlens.parse.values import TEXT
from flowlens.schema import BY_COLUMN, TAG_COLUMNS

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

__all__ = ["TableRecords"]

_NAMES = {"duckdb": "DuckDB", "pyspark": "Spark", "athena": "Athena", "polars": "Polars"}
_ACCOUNT_DIGITS = 12


class TableRecords(Records):
    """The records of an Ibis table, whatever names and types other tools have given to its columns."""

    def __init__(self, table: ir.Table) -> None:
        self.table = table.select(**{column: _field(table[name], column) for column, name in _named(table).items()})

    @property
    def engine(self) -> str:  # type: ignore[override]
        """The name of the engine behind the table."""
        try:
            name: str = self.table.get_backend().name
        except IbisError:
            return "no engine"
        return _NAMES.get(name, name)

    def within(self, span: tuple[int, int]) -> TableRecords:  # noqa: ARG002 - the engine prunes by its own partitions
        return self

    def compute(self, expression: ir.Table) -> pa.Table:
        return _with_readable_tags(expression.to_pyarrow())

    def compute_on_ground(
        self, flows: ir.Table, ground: Ground, reductions: Mapping[str, ReductionOfGround]
    ) -> dict[str, pa.Table]:
        with _kept(ground.made(flows)) as made:
            addresses = ground.addresses(made).to_pyarrow()["address"].combine_chunks()
            known = ground.arrow_places(pd.Index(addresses.to_pandas()), {"address": addresses})
            with _lent(flows.get_backend(), known) as places, _kept(ground.located(made, places)) as table:
                return {name: self.compute(reduction(flows, table)) for name, reduction in reductions.items()}

    def stream(self, expression: ir.Table, rows: int) -> Generator[pa.RecordBatch]:
        backend = expression.get_backend()
        if backend.name == "duckdb":
            # Ibis 12.0 asks DuckDB for batches by a name that DuckDB 2.0 has dropped. Asking for nothing at first gives
            # DuckDB the frames that Ibis keeps for it.
            expression.limit(0).to_pyarrow()
            batches = backend.con.sql(backend.compile(expression)).to_arrow_reader(rows)
        else:
            batches = expression.to_pyarrow_batches(chunk_size=rows)
        for batch in batches:
            yield from _with_readable_tags(pa.Table.from_batches([batch])).to_batches()


@contextmanager
def _kept(table: ir.Table) -> Iterator[ir.Table]:
    """Let the engine keep a table for a while; one that keeps nothing computes it anew wherever it is used."""
    backend = table.get_backend()
    if backend.name == "pyspark":
        # What Spark caches it still plans from the beginning, in each query: that takes longer than all the rest.
        frame = backend._session.sql(backend.compile(table)).localCheckpoint()  # noqa: SLF001 - it has no other way in
        name = gen_name("kept")
        frame.createTempView(name)
        try:
            yield backend.table(name)
        finally:
            backend.drop_view(name, force=True)  # Spark frees the rest once nothing refers to it
        return
    try:
        kept = table.cache()
    except (IbisError, NotImplementedError):
        kept = table
    # Ibis drops it with the last reference: two threads that ask the same share one.
    yield kept


@contextmanager
def _lent(backend: BaseBackend, table: pa.Table) -> Iterator[ir.Table]:
    """Let the engine see a table in memory for a while; Ibis alone would let it do so until Python ends."""
    lent = ibis.memtable(table)
    # Spark has to be told before it plans a view of it; Ibis tells where something is computed.
    backend.to_pyarrow(lent.limit(0))
    try:
        yield lent
    finally:
        if backend.name == "duckdb":
            backend.con.unregister(lent.get_name())
        else:
            backend.drop_view(lent.get_name(), force=True)


def _with_readable_tags(table: pa.Table) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in TAG_COLUMNS:
            table = table.set_column(place, name, table[name].cast(TEXT))
    return readable_tags(table).combine_chunks()


def _named(table: ir.Table) -> dict[str, str]:
    return columns_of(table.columns, {})


def _field(value: ir.Value, column: str) -> ir.Value:
    """Return a column as AWS's own tables have it: whole numbers, Unix seconds, and text."""
    if column not in BY_COLUMN:
        return value
    dtype, kind = value.type(), BY_COLUMN[column].kind
    if kind in {"text", "address"}:
        if dtype.is_string():
            return value
        words = value.cast("string")
        # Tools that take account ids for numbers lose the zeros they begin with.
        return words.lpad(_ACCOUNT_DIGITS, "0") if column == "account_id" and dtype.is_integer() else words
    if dtype.is_integer():
        return value
    if dtype.is_timestamp():
        return value.epoch_seconds()
    return (value.nullif("-") if dtype.is_string() else value).cast("int64")
