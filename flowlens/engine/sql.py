"""Ibis expressions over flow records: the table they are written for, and their text in the SQL of an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.operations as ops
import sqlglot
from ibis.backends.sql import compilers
from ibis.common.exceptions import OperationNotDefinedError, UnsupportedOperationError
from ibis.config import Config

from flowlens.errors import EngineError
from flowlens.schema import BY_COLUMN, field_for

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.sql.compilers.base import SQLGlotCompiler

__all__ = [
    "GROUND",
    "MADE",
    "NAME",
    "NUMBERS",
    "PLACES",
    "condition",
    "duckdb_sql",
    "flows_of_words",
    "lacks",
    "named",
    "sql",
    "table_named",
    "used_columns",
]

NAME = "flows"

#: Names of what is computed once for several analyses: what is made of the records, what is known of its addresses, and
#: both together, which the analyses stand on.
MADE, PLACES, GROUND = "made", "places", "ground"

_KEPT = {MADE, PLACES, GROUND}

#: Columns that records have not, and filters may be about.
_ADDED_WORDS = ("src_group", "dst_group", "verdict", "certainty", "kind")

NUMBERS = {"uint8": "uint8", "uint16": "uint16", "int64": "int64", "time": "int64"}

_ADVICE = "DuckDB has all there is: read the records with fl.read or fl.scan, or print sql('duckdb')."

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


def table_named(name: str, types: Mapping[str, object]) -> ir.Table:
    """Return a table for expressions, the same object for the same columns.

    So expressions that are remembered are found without comparing them, which Ibis does not do well in two threads.
    """
    return _table_named(name, tuple((column, str(dtype)) for column, dtype in types.items()))


@lru_cache(maxsize=128)
def _table_named(name: str, types: tuple[tuple[str, str], ...]) -> ir.Table:
    return ibis.table(dict(types), name=name)


def named(expression: ir.Table, name: str) -> ir.Table:
    """Return the table that the result of an expression will be, for what stands on it."""
    return table_named(name, expression.schema())


def used_columns(expression: ir.Expr) -> list[str]:
    """Return the columns of the records that an expression names; one that gives whole records has to name them all."""
    return list(_used_columns(expression.op()))


@lru_cache(maxsize=128)
def _used_columns(operation: ops.Node) -> tuple[str, ...]:
    fields = operation.find(ops.Field)
    return tuple(sorted({field.name for field in fields if _is_of_records(_origin(field.rel))}))


def _is_of_records(relation: ops.Relation) -> bool:
    return isinstance(relation, ops.UnboundTable) and relation.name not in _KEPT


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
        raise EngineError(verb, engine, named[1] if named else str(error), _ADVICE) from error
    except TypeError as error:
        # What Ibis says of Polars.
        if "Only equality join predicates" not in str(error):
            raise
        raise EngineError(verb, engine, "joins other than by equality", _ADVICE) from error


def sql(expression: ir.Table, dialect: str) -> str:
    """Print an expression in the SQL of an engine.

    Raises
    ------
    ValueError
        If Ibis has no such dialect.
    """
    compiler = _compiler(dialect)
    return str(compiler.to_sqlglot(expression).sql(dialect=compiler.dialect, pretty=True))


def condition(predicate: Callable[[ir.Table], ir.BooleanValue], dialect: str) -> str:
    """Print a condition on the records of a table as AWS defines it: what stands behind WHERE.

    Raises
    ------
    ValueError
        If Ibis has no such dialect.
    """
    compiler = _compiler(dialect)
    table = table_named(NAME, {**flows_of_words([*BY_COLUMN, *_ADDED_WORDS]).schema(), "score": "float64"})
    query = compiler.to_sqlglot(table.filter(predicate(table)))
    where = query.find(sqlglot.exp.Where)
    if where is None:  # nothing is left out
        return "TRUE"
    return str(_by_hand(where.this).sql(dialect=compiler.dialect))


def _by_hand(where: Any) -> Any:  # noqa: ANN401 - sqlglot is typed in part
    """Write a condition as one would: columns of whatever table it is put behind, and no needless brackets."""
    for column in where.find_all(sqlglot.exp.Column):
        column.set("table", None)
    for brackets in reversed(list(where.find_all(sqlglot.exp.Paren))):
        inner = brackets.this
        mixed = isinstance(inner, sqlglot.exp.Connector) and type(brackets.parent) is not type(inner)
        if not mixed:
            brackets.replace(inner)
    bare = where.unnest()
    return sqlglot.exp.Paren(this=bare) if isinstance(bare, sqlglot.exp.Or) else bare  # so that AND can follow


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
