"""The analyses of flowlens by hand, as someone who knows the tool would write them.

Each contender has a way to take the frame that `flowlens.read` returned into its own form, the queries over that form,
and a way to make a pandas frame of its answer. So the same queries can be timed in two ways (see `run.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from polars import col

from benchmarks.scanning_by_hand import quiet_duckdb

__all__ = ["ANALYSES", "COLUMNS", "CONTENDERS", "Contender"]

_TIMES = ("start", "end")

#: The columns that each analysis needs.
COLUMNS: Mapping[str, list[str]] = {
    "top_talkers": ["srcaddr", "dstaddr", "packets", "bytes"],
    "timeline": ["start", "srcaddr", "action", "packets", "bytes"],
    "fan_out": ["srcaddr", "dstaddr", "dstport", "action"],
    "pairs": ["srcaddr", "dstaddr", "packets", "bytes"],
    "pairs(100)": ["srcaddr", "dstaddr", "packets", "bytes"],
}

#: The calls of flowlens that the contenders have to match.
ANALYSES: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "top_talkers": lambda df: df.flow.top_talkers(),
    "timeline": lambda df: df.flow.timeline(),
    "fan_out": lambda df: df.flow.fan_out(),
    "pairs": lambda df: df.flow.pairs(),
    "pairs(100)": lambda df: df.flow.pairs(100),
}


@dataclass(frozen=True)
class Contender:
    """One way to do the analyses by hand.

    Attributes
    ----------
    name
        For the table of results.
    columns_of_frame
        Take these columns of the frame into the contender's own form, as cheaply as it can be done.
    own_table
        The form that the contender would have chosen for the whole frame, whatever it costs to make.
    queries
        By analysis, over either form.
    to_pandas
        Make a pandas frame of an answer; given the frame for its words.
    """

    name: str
    columns_of_frame: Callable[[pd.DataFrame, list[str]], Any]
    own_table: Callable[[pd.DataFrame], Any]
    queries: Mapping[str, Callable[[Any], Any]]
    to_pandas: Callable[[Any, pd.DataFrame], pd.DataFrame]


def _is_words(df: pd.DataFrame, name: str) -> bool:
    return name in df.columns and isinstance(df[name].dtype, pd.CategoricalDtype)


# Polars

_COUNTERS = {"flows": pl.len(), "packets": col("packets").sum(), "bytes": col("bytes").sum()}


def _polars_top_talkers(flows: pl.DataFrame) -> pl.DataFrame:
    top = (
        flows.lazy()
        .filter(col("srcaddr").is_not_null())
        .group_by("srcaddr")
        .agg(**_COUNTERS)
        .with_columns(share=col("bytes") / col("bytes").sum())
        .sort("bytes", "srcaddr", descending=[True, False])
        .head(10)
        .collect()
    )
    # Distinct peers are dear to count: for the ten that are shown only.
    shown = flows.lazy().filter(col("srcaddr").is_in(top["srcaddr"].implode()))
    peers = shown.group_by("srcaddr").agg(peers=col("dstaddr").n_unique()).collect()
    return top.join(peers, on="srcaddr", how="left", maintain_order="left")


def _polars_timeline(flows: pl.DataFrame) -> pl.DataFrame:
    traffic = flows.lazy().filter(col("srcaddr").is_not_null())
    return traffic.group_by(col("start").dt.truncate("5m"), "action").agg(**_COUNTERS).sort("start", "action").collect()


def _polars_fan_out(flows: pl.DataFrame) -> pl.DataFrame:
    # In the form that is made of codes, REJECT is its code.
    rejected = "REJECT" if flows["action"].dtype == pl.Categorical else 1
    return (
        flows.lazy()
        .filter(col("srcaddr").is_not_null())
        .group_by("srcaddr")
        .agg(
            peers=col("dstaddr").n_unique(),
            ports=col("dstport").n_unique(),
            flows=pl.len(),
            rejected=(col("action") == rejected).sum(),
        )
        .sort("peers", "flows", "srcaddr", descending=[True, True, False])
        .collect()
    )


def _polars_pairs(flows: pl.DataFrame, n: int | None = None) -> pl.DataFrame:
    keys = ["srcaddr", "dstaddr"]
    measured = flows.lazy().filter(col("srcaddr").is_not_null()).group_by(keys).agg(**_COUNTERS)
    ranked = measured.sort("bytes", *keys, descending=[True, False, False])
    return (ranked if n is None else ranked.head(n)).collect()


_POLARS_QUERIES = {
    "top_talkers": _polars_top_talkers,
    "timeline": _polars_timeline,
    "fan_out": _polars_fan_out,
    "pairs": _polars_pairs,
    "pairs(100)": lambda flows: _polars_pairs(flows, 100),
}


def _polars_with_enum(df: pd.DataFrame) -> pl.DataFrame:
    # The addresses are known beforehand, so they can be an Enum, which sorts by code: pairs take a quarter of the time.
    addresses = pl.Enum(df["srcaddr"].cat.categories.to_list())
    return pl.from_pandas(df).with_columns(col("srcaddr", "dstaddr").cast(addresses))


def _polars_codes(df: pd.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Take the codes of categories and the values of nullable integers as they are, without a copy."""
    columns_of_numbers = {}
    for name in columns:
        if _is_words(df, name):
            columns_of_numbers[name] = df[name].cat.codes.to_numpy()
        elif name in _TIMES:
            columns_of_numbers[name] = _polars_times(df[name])
        else:
            # Numbers are missing where the addresses are, and no query looks at those records.
            columns_of_numbers[name] = df[name].to_numpy(df[name].dtype.numpy_dtype, na_value=0)
    codes = pl.DataFrame(columns_of_numbers)
    words = [name for name in columns if _is_words(df, name)]
    return codes.with_columns(pl.when(col(name) >= 0).then(col(name)) for name in words)


def _polars_times(times: pd.Series) -> pl.Series:
    # Polars has no seconds.
    return pl.Series(pd.DatetimeIndex(times).asi8 * 1000).cast(pl.Datetime("ms", "UTC"))


def _words_of_codes(answer: pl.DataFrame, df: pd.DataFrame) -> pd.DataFrame:
    columns = {
        name: pd.Categorical.from_codes(values.to_numpy(), dtype=df[name].dtype)
        if _is_words(df, name)
        else values.to_pandas()
        for name, values in answer.to_dict().items()
    }
    return pd.DataFrame(columns)


# DuckDB

# Sums of DuckDB are 128 bits wide, which pandas would make Python objects of.
_SQL_COUNTERS = "count(*) AS flows, sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes"
_SQL_PAIRS = f"""
    SELECT srcaddr, dstaddr, {_SQL_COUNTERS} FROM flows WHERE srcaddr IS NOT NULL
    GROUP BY ALL ORDER BY bytes DESC, srcaddr, dstaddr"""
_SQL = {
    "top_talkers": f"""
        WITH measured AS (SELECT srcaddr, {_SQL_COUNTERS} FROM flows WHERE srcaddr IS NOT NULL GROUP BY srcaddr),
        top AS (
            SELECT *, bytes / (SELECT sum(bytes) FROM measured) AS share FROM measured
            ORDER BY bytes DESC, srcaddr LIMIT 10
        ),
        peers AS (
            SELECT srcaddr, count(DISTINCT dstaddr) AS peers FROM flows
            WHERE srcaddr IN (SELECT srcaddr FROM top) GROUP BY srcaddr
        )
        SELECT * FROM top JOIN peers USING (srcaddr) ORDER BY bytes DESC, srcaddr""",
    # epoch_ms is a third faster than time_bucket.
    "timeline": f"""
        SELECT epoch_ms(start) // 300000 AS start, action, {_SQL_COUNTERS} FROM flows WHERE srcaddr IS NOT NULL
        GROUP BY ALL ORDER BY ALL""",
    "fan_out": """
        SELECT srcaddr, count(DISTINCT dstaddr) AS peers, count(DISTINCT dstport) AS ports, count(*) AS flows,
               count(*) FILTER (action = 'REJECT') AS rejected
        FROM flows WHERE srcaddr IS NOT NULL GROUP BY srcaddr ORDER BY peers DESC, flows DESC, srcaddr""",
    "pairs": _SQL_PAIRS,
    "pairs(100)": _SQL_PAIRS + " LIMIT 100",
}


def _duckdb_scan(df: pd.DataFrame, columns: list[str]) -> duckdb.DuckDBPyConnection:
    connection = quiet_duckdb()
    connection.register("flows", df[columns])
    return connection


def _duckdb_table(df: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    """Copy the frame into a table; categories become ENUMs."""
    connection = quiet_duckdb()
    connection.register("frame", df)
    connection.execute("CREATE TABLE flows AS SELECT * FROM frame")
    return connection


def _duckdb_query(analysis: str) -> Callable[[duckdb.DuckDBPyConnection], pa.Table]:
    return lambda connection: connection.sql(_SQL[analysis]).to_arrow_table()


def _frame_of_arrow(answer: pa.Table, _: pd.DataFrame) -> pd.DataFrame:
    df = answer.to_pandas()
    if "start" in df:
        df["start"] = pd.to_datetime(df["start"] * 300, unit="s", utc=True)
    return df


# pandas

_NAMED = {"packets": ("packets", "sum"), "bytes": ("bytes", "sum")}


def _pandas_top_talkers(df: pd.DataFrame) -> pd.DataFrame:
    by_source = df.groupby("srcaddr", observed=True)
    top = by_source.agg(flows=("packets", "size"), **_NAMED, peers=("dstaddr", "nunique")).reset_index()
    top["share"] = top["bytes"] / top["bytes"].sum()
    return top.sort_values(["bytes", "srcaddr"], ascending=[False, True]).head(10)


def _pandas_timeline(df: pd.DataFrame) -> pd.DataFrame:
    by_bin = df.groupby([df["start"].dt.floor("5min"), "action"], observed=True)
    return by_bin.agg(flows=("packets", "size"), **_NAMED).reset_index()


def _pandas_fan_out(df: pd.DataFrame) -> pd.DataFrame:
    by_source = df.assign(rejected=df["action"] == "REJECT").groupby("srcaddr", observed=True)
    counted = by_source.agg(
        peers=("dstaddr", "nunique"),
        ports=("dstport", "nunique"),
        flows=("dstport", "size"),
        rejected=("rejected", "sum"),
    )
    return counted.reset_index().sort_values(["peers", "flows", "srcaddr"], ascending=[False, False, True])


def _pandas_pairs(df: pd.DataFrame, n: int | None = None) -> pd.DataFrame:
    by_pair = df.groupby(["srcaddr", "dstaddr"], observed=True)
    pairs = by_pair.agg(flows=("packets", "size"), **_NAMED).reset_index()
    return pairs.sort_values(["bytes", "srcaddr", "dstaddr"], ascending=[False, True, True]).head(n or len(pairs))


# numpy: the columns of traffic as arrays, words as codes, and counting instead of grouping where that works

_Arrays = dict[str, np.ndarray]


def _arrays(df: pd.DataFrame, columns: list[str]) -> _Arrays:
    traffic = df["srcaddr"].cat.codes.to_numpy() >= 0
    arrays = {"sources": np.array([len(df["srcaddr"].cat.categories)])}
    for name in columns:
        if _is_words(df, name):
            values = df[name].cat.codes.to_numpy()
        elif name in _TIMES:
            values = pd.DatetimeIndex(df[name]).asi8
        else:
            values = df[name].to_numpy(df[name].dtype.numpy_dtype, na_value=0)
        arrays[name] = values[traffic]
    return arrays


def _sums(flows: _Arrays, groups: np.ndarray, count: int) -> dict[str, np.ndarray]:
    # Weights are floats: exact up to 2 ** 53, nine petabytes.
    sums = {name: np.bincount(groups, flows[name], count).astype(np.int64) for name in ("packets", "bytes")}
    return {"flows": np.bincount(groups, minlength=count), **sums}


def _distinct(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Count distinct values in each group."""
    width = int(values.max(initial=0)) + 1
    return np.bincount(pd.unique(groups.astype(np.int64) * width + values) // width, minlength=count)


def _numpy_top_talkers(flows: _Arrays) -> pd.DataFrame:
    count = int(flows["sources"][0])
    table = pd.DataFrame(_sums(flows, flows["srcaddr"], count)).rename_axis("srcaddr").reset_index()
    table["share"] = table["bytes"] / table["bytes"].sum()
    top = table[table["flows"] > 0].sort_values(["bytes", "srcaddr"], ascending=[False, True]).head(10)
    shown = np.isin(np.arange(count), top["srcaddr"])[flows["srcaddr"]]
    return top.assign(peers=_distinct(flows["srcaddr"][shown], flows["dstaddr"][shown], count)[top["srcaddr"]])


def _numpy_timeline(flows: _Arrays) -> pd.DataFrame:
    bins = flows["start"] // 300
    first = bins.min()
    actions = int(flows["action"].max()) + 1
    groups = (bins - first) * actions + flows["action"]
    table = pd.DataFrame(_sums(flows, groups, int(groups.max()) + 1))
    start = pd.to_datetime((table.index // actions + first) * 300, unit="s", utc=True)
    return table.assign(start=start, action=table.index % actions)[table["flows"] > 0]


def _numpy_fan_out(flows: _Arrays) -> pd.DataFrame:
    source, count = flows["srcaddr"], int(flows["sources"][0])
    table = pd.DataFrame(
        {
            "srcaddr": np.arange(count),
            "peers": _distinct(source, flows["dstaddr"], count),
            "ports": _distinct(source, flows["dstport"], count),
            "flows": np.bincount(source, minlength=count),
            "rejected": np.bincount(source[flows["action"] == 1], minlength=count),
        }
    )
    return table[table["flows"] > 0].sort_values(["peers", "flows", "srcaddr"], ascending=[False, False, True])


def _numpy_pairs(flows: _Arrays, n: int | None = None) -> pd.DataFrame:
    width = int(flows["sources"][0])
    groups, pairs = pd.factorize(flows["srcaddr"].astype(np.int64) * width + flows["dstaddr"])
    sums = _sums(flows, groups, len(pairs))
    if n is not None:
        # Only what is at least as large as the n-th can be shown.
        large = sums["bytes"] >= np.partition(sums["bytes"], max(len(pairs) - n, 0))[max(len(pairs) - n, 0)]
        pairs, sums = pairs[large], {name: values[large] for name, values in sums.items()}
    order = np.lexsort([pairs, -sums["bytes"]])[:n]
    table = pd.DataFrame({name: values[order] for name, values in sums.items()})
    return table.assign(srcaddr=pairs[order] // width, dstaddr=pairs[order] % width)


def _words_of_arrays(answer: pd.DataFrame, df: pd.DataFrame) -> pd.DataFrame:
    words = [name for name in answer if _is_words(df, name)]
    return answer.assign(**{name: pd.Categorical.from_codes(answer[name], dtype=df[name].dtype) for name in words})


CONTENDERS = (
    Contender(
        "polars",
        lambda df, columns: pl.from_pandas(df[columns]),
        _polars_with_enum,
        _POLARS_QUERIES,
        lambda answer, _: answer.to_pandas(),
    ),
    Contender(
        "polars on codes",
        _polars_codes,
        lambda df: _polars_codes(df, list(df.columns)),
        _POLARS_QUERIES,
        _words_of_codes,
    ),
    Contender(
        "DuckDB", _duckdb_scan, _duckdb_table, {analysis: _duckdb_query(analysis) for analysis in _SQL}, _frame_of_arrow
    ),
    Contender(
        "numpy on codes",
        _arrays,
        lambda df: _arrays(df, list(df.columns)),
        {
            "top_talkers": _numpy_top_talkers,
            "timeline": _numpy_timeline,
            "fan_out": _numpy_fan_out,
            "pairs": _numpy_pairs,
            "pairs(100)": lambda flows: _numpy_pairs(flows, 100),
        },
        _words_of_arrays,
    ),
    Contender(
        "pandas, plain",
        lambda df, columns: df[columns],
        lambda df: df,
        {
            "top_talkers": _pandas_top_talkers,
            "timeline": _pandas_timeline,
            "fan_out": _pandas_fan_out,
            "pairs": _pandas_pairs,
            "pairs(100)": lambda df: _pandas_pairs(df, 100),
        },
        lambda answer, _: answer,
    ),
)
