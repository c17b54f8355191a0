"""Ibis expressions over flow records: the table they are written for, and their text in the SQL of an engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import ibis
import ibis.expr.operations as ops
from ibis.backends.sql import compilers
from ibis.common.exceptions import OperationNotDefinedError, UnsupportedOperationError
from ibis.config import Config

from flowlens.errors import EngineError
from flowlens.schema import field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.sql.compilers.base import SQLGlotCompiler

__all__ = ["NAME", "NUMBERS", "duckdb_sql", "flows_of_words", "lacks", "sql", "used_columns"]

NAME = "flows"
NUMBERS = {"uint8": "uint8", "uint16": "uint16", "int64": "int64", "time": "int64"}

_OPERATION = re.compile(r"(\w+)'")  # "rule for 'RegexSearch' operation", "rule for <class '...WindowFunction'>"


def flows_of_words(columns: Iterable[str], *, name: str = NAME) -> ir.Table:
    """Return the table as a database holds it: words as strings, times as Unix seconds.

    Parameters
    ----------
    name
        Its name there, which may be that of a database and a table, with a dot between.
    """
    kinds = {column: field_for(column).kind for column in columns if isinstance(column, str)}
    parts = name.split(".")
    if not all(parts) or len(parts) > 3:
        raise ValueError(f"table={name!r} is no name of a table; write it like 'flow_logs' or 'database.flow_logs'")
    catalog, database, table = [None, None, *parts][-3:]
    types = {column: NUMBERS.get(kind, "string") for column, kind in kinds.items()}
    return ibis.table(types, name=table, catalog=catalog, database=database)


def used_columns(expression: ir.Expr) -> list[str]:
    """Return the columns of the records that an expression names; one that gives whole records has to name them all."""
    return list(_used_columns(expression.op()))


@lru_cache(maxsize=128)
def _used_columns(operation: ops.Node) -> tuple[str, ...]:
    fields = operation.find(ops.Field)
    return tuple(sorted({field.name for field in fields if isinstance(_origin(field.rel), ops.UnboundTable)}))


def _origin(relation: ops.Relation) -> ops.Relation:
    """Return where the columns of a relation come from, behind what only leaves records out."""
    while isinstance(relation, ops.Filter | ops.JoinReference | ops.Limit):
        relation = relation.parent
    return relation


@contextmanager
def lacks(verb: str, engine: str) -> Iterator[None]:
    """Say of an analysis that cannot be put into the words of an engine what that engine does not have.

    Raises
    ------
    EngineError
        With the analysis, the engine and the operation.
    """
    try:
        yield
    except (OperationNotDefinedError, UnsupportedOperationError) as error:
        named = _OPERATION.search(str(error))
        function = named[1] if named else str(error)
        advice = "DuckDB has all there is: read the records with fl.read or fl.scan, or print sql('duckdb')."
        raise EngineError(verb, engine, function, advice) from error


def sql(expression: ir.Table, dialect: str) -> str:
    """Print an expression in the SQL of an engine.

    Raises
    ------
    ValueError
        If Ibis has no such dialect.
    """
    compiler = _compiler(dialect)
    return str(compiler.to_sqlglot(expression).sql(dialect=compiler.dialect, pretty=True))


@lru_cache(maxsize=128)
def duckdb_sql(operation: ops.Node) -> str:
    """Print in the SQL of DuckDB: that takes 10 ms, for conversations 180, and the same is often asked again."""
    return sql(operation.to_expr(), "duckdb")


def _compiler(dialect: str) -> SQLGlotCompiler:
    # The compilers need no driver of their engine; ibis.to_sql() would import it.
    found = getattr(compilers, {"spark": "pyspark"}.get(dialect, dialect), None)
    if found is None or not hasattr(found, "compiler"):
        raise ValueError(f"{dialect!r} is no SQL dialect that Ibis can print; try 'duckdb', 'athena' or 'spark'")
    if dialect in {"spark", "pyspark"} and ibis.options.pyspark is None:
        # The Spark compiler reads this option, which is only set once pyspark has been imported.
        ibis.options.pyspark = _SparkOptions()
    return found.compiler


class _SparkOptions(Config):  # type: ignore[misc]
    """What Ibis's Spark backend would set: a NaN is a value."""

    treat_nan_as_null: bool = False
