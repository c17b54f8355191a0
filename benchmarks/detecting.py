"""Time the detectors: ``python -m benchmarks.detecting``.

`findings` by its seconds, its growth and its memory; the contacts that all detectors stand on, and what each detector
asks of them, against the same written by hand in SQL, over the same tables of codes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import duckdb
import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

import flowlens as fl
from benchmarks.detecting_by_hand import CONTACTS, units
from benchmarks.measuring import FLOWLENS, Row, growth_row, peak_memory, row_of, say, say_table, take_turns
from benchmarks.records import flow_log_files
from benchmarks.scanning_by_hand import quiet_duckdb
from flowlens.detect import DETECTORS, checked_thresholds
from flowlens.detect.places import places
from flowlens.engine.frames import flows_of_frame
from flowlens.engine.sql import GROUND, PLACES, duckdb_sql, named
from flowlens.enrich.scopes import internal_networks
from flowlens.indicators import Indicators
from flowlens.reduce.contacts import FACTS, contacts, located
from flowlens.schema import VOCABULARIES

__all__ = ["with_fields"]

_ROUNDS = 5
_BY_HAND = "DuckDB SQL"
#: Seconds that five million records may take.
_SECONDS = 30.0
#: Ports of the services in the records; the other side is a client.
_SERVICES = [443, 80, 22, 53, 3389, 5432, 6379, 8080]
#: One address in so many is on a list of bad ones.
_ADDRESSES_A_LISTED_ONE = 100
#: Rows of one of DuckDB's row groups, as flowlens hands records over.
_BATCH = 122_880

# The log is eight hours of small talk: with these every detector has units to look at. No sum of rates is 10.001: where
# one is just a threshold, it depends on the order of adding whether it is reached.
_THRESHOLDS = {"new_peer.history": 0.1, "volume_spike.bytes": 2e6, "flood.rate": 10.001}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detecting", description=__doc__)
    parser.add_argument("--small", action="store_true", help="100,000 and 200,000 records: does it all run?")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="of each comparison by hand")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    arguments = parser.parse_args()
    few, many = (100_000, 200_000) if arguments.small else (500_000, 5_000_000)
    rounds = 1 if arguments.small else arguments.rounds
    folder = flow_log_files(many, many // 50_000, arguments.data)
    say(f"# {few:,} and {many:,} records, {pa.cpu_count()} cores, flowlens {fl.__version__}\n")
    paths = sorted(folder.rglob("*.log.gz"))
    say_table(_rows(paths[: few // 50_000], paths, rounds), too_few_for=5_000_000 if arguments.small else None)


def _rows(few: list[Path], many: list[Path], rounds: int) -> Iterator[Row]:
    less, more = (with_fields(fl.read(paths, progress=False)) for paths in (few, many))
    of_all_cores: list[float] = []

    def findings_of_many() -> pd.DataFrame:
        begin = time.process_time()
        found = more.flow.findings()
        of_all_cores.append(time.process_time() - begin)
        return found

    seconds = take_turns({"few": less.flow.findings, "many": findings_of_many}, min(rounds, 3))
    spent = seconds["many"]
    what, note = f"findings, {len(more):,} records", f"{min(of_all_cores):.1f} s of CPU, over all cores"
    yield Row(f"seconds of {what}", "", median(spent), min(spent), max(spent), min(spent), _SECONDS, note)
    yield growth_row("findings", seconds["few"], spent, (len(less), len(more)))
    yield from _memory(many, len(more))
    yield from _sql(more, rounds)


# --- The records ---


def with_fields(df: pd.DataFrame) -> pd.DataFrame:
    """Make records more like those of a real log: with flags and direction, connections that stay open, and a gap.

    One pair in eight uses its port again and again; one record in a hundred is of one of a hundred connections that
    are open all the time. So there is something to stitch. An interface has no records for half an hour.
    """
    made = _kept_open(df)
    asks = made["dstport"].isin(_SERVICES).fillna(False).to_numpy(bool)
    ends = [made[name].cat.codes.to_numpy(np.int64) for name in ("srcaddr", "dstaddr")]
    again = ((ends[0] + ends[1]) % 8 == 0) & (ends[0] >= 0)
    of_tcp = (made["protocol"] == 6).fillna(False).to_numpy(bool)
    refused = (made["action"] == "REJECT").fillna(False).to_numpy(bool)
    egress = np.append(_inside(made["srcaddr"]), False)[ends[0]]
    direction = pd.Series(np.where(egress, "egress", "ingress")).where(ends[0] >= 0)
    made = made.assign(
        srcport=made["srcport"].mask(again & asks, 40_000),
        dstport=made["dstport"].mask(again & ~asks, 40_000),
        tcp_flags=pd.array(np.where(asks, np.where(refused, 2, 3), 18) * of_tcp, dtype="UInt8"),
        flow_direction=pd.Categorical(direction),
    )
    first = made["start"].min() + pd.Timedelta("10min")
    silent = (made["interface_id"].cat.codes == 150) & made["start"].between(first, first + pd.Timedelta("30min"))
    return made[~silent].reset_index(drop=True)


def _kept_open(df: pd.DataFrame) -> pd.DataFrame:
    place = np.arange(len(df))
    chosen = (place % 100 == 0) & df["srcaddr"].notna().to_numpy()
    number, asks = place // 100 % 100, place // 10_000 % 2 == 0
    inside = _inside(df["srcaddr"])
    here, there = (np.flatnonzero(of)[:100][number] for of in (inside, ~inside))
    changed = {
        "srcaddr": np.where(asks, here, there),
        "dstaddr": np.where(asks, there, here),
        "interface_id": number,
    }
    words = {
        name: pd.Categorical.from_codes(np.where(chosen, codes, df[name].cat.codes), dtype=df[name].dtype)
        for name, codes in changed.items()
    }
    ports = {
        "srcport": df["srcport"].mask(chosen & asks, 40_001).mask(chosen & ~asks, 443),
        "dstport": df["dstport"].mask(chosen & ~asks, 40_001).mask(chosen & asks, 443),
    }
    return df.assign(**words, **ports, protocol=df["protocol"].mask(chosen, 6))


def _inside(addresses: pd.Series) -> np.ndarray:
    return np.asarray(addresses.cat.categories.str.startswith("10."), bool)


def _memory(paths: list[Path], records: int) -> Iterator[Row]:
    prepare = f"""
from benchmarks.detecting import with_fields
import flowlens as fl

df = with_fields(fl.read(sorted(Path({str(paths[0].parents[6])!r}).rglob("*.log.gz")), progress=False))"""
    peaks = peak_memory(prepare, "len(df.flow.findings())")
    if peaks is not None:
        before, after = (peak / records for peak in peaks)
        yield Row("bytes a record at the peak of findings", "", after, after, after, note=f"{before:.0f} before it")


# --- The SQL ---


def _sql(df: pd.DataFrame, rounds: int) -> Iterator[Row]:
    """Compare what Ibis writes with what somebody writes, in one database."""
    database = quiet_duckdb()
    database.register("flows", _codes(df))
    words = df["srcaddr"].cat.categories
    listed = Indicators.of(list(words[::_ADDRESSES_A_LISTED_ONE]))
    facts = places(words, internal=internal_networks(None), own=(), topology=None, indicators=listed)
    database.register(PLACES, pa.table({"address": np.arange(len(words), dtype=np.int32), **facts}))

    flows = flows_of_frame(df)
    of_places = {"address": "int32", **dict.fromkeys(FACTS, "boolean")}
    ground = located(contacts(flows, verb="findings"), ibis.table(of_places, name=PLACES))
    made = _check(database, "contacts", ground, CONTACTS)
    yield _compared(f"contacts: {made:,} of {len(df):,} records", database, ground, CONTACTS, min(rounds, 3))

    database.execute(f"CREATE TEMPORARY TABLE {GROUND} AS {duckdb_sql(ground.op())}")
    at = checked_thresholds(_THRESHOLDS)
    by_hand, others = units(at), []
    for kind, detector in DETECTORS.items():
        mine = detector.reduce(flows, named(ground, GROUND), at)
        try:
            found = _check(database, kind, mine, by_hand[kind])
        except AssertionError as error:
            others.append(str(error))
        else:
            yield _compared(f"{kind}: {found:,} units", database, mine, by_hand[kind], rounds)
    if others:
        raise AssertionError("by hand gives another answer:\n" + "\n".join(others))


def _codes(df: pd.DataFrame) -> pa.Table:
    """Return the records with codes for words, addresses of both ends by one list of words."""
    columns = {}
    for name, series in df.items():
        if isinstance(series.dtype, pd.CategoricalDtype):
            columns[name] = _places_of(series, VOCABULARIES.get(str(name), df["srcaddr"].cat.categories))
        elif isinstance(series.dtype, pd.DatetimeTZDtype):
            columns[name] = pa.array(pd.DatetimeIndex(series).asi8)
        elif pd.api.types.is_integer_dtype(series.dtype):
            columns[name] = pa.array(series.array)
    table = pa.table(columns)
    return pa.Table.from_batches(table.to_batches(max_chunksize=_BATCH), table.schema)


def _places_of(series: pd.Series, words: object) -> pa.Array:
    if series.name in {"srcaddr", "dstaddr"} or series.name in VOCABULARIES:
        codes = np.append(pd.Index(words).get_indexer(series.cat.categories), -1)[series.cat.codes]
    else:
        codes = series.cat.codes.to_numpy()
    return pa.array(codes.astype(np.int32), mask=codes < 0)


def _compared(what: str, database: duckdb.DuckDBPyConnection, mine: ir.Table, by_hand: str, rounds: int) -> Row:
    seconds = take_turns({FLOWLENS: _made(database, duckdb_sql(mine.op())), _BY_HAND: _made(database, by_hand)}, rounds)
    return row_of(what, _BY_HAND, seconds, 1.5)


def _made(database: duckdb.DuckDBPyConnection, sql: str) -> Callable[[], object]:
    return lambda: database.execute(f"CREATE OR REPLACE TEMPORARY TABLE result AS {sql}")


# --- Checking: what gives another answer is no contender ---


def _check(database: duckdb.DuckDBPyConnection, what: str, mine: ir.Table, by_hand: str) -> int:
    """Compare the rows of both, in any order; lists in any order, and floats but for their last digits. Count them."""
    for name, sql in (("mine", duckdb_sql(mine.op())), ("theirs", by_hand)):
        database.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {sql}")
    columns = ", ".join(_comparable(name, dtype) for name, dtype in mine.schema().items())
    counts = [database.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("mine", "theirs")]
    try:
        only = database.sql(f"SELECT {columns} FROM mine EXCEPT ALL SELECT {columns} FROM theirs").df()
    except duckdb.BinderException as error:
        raise AssertionError(f"{what}: {error}") from error
    if counts[0] != counts[1] or len(only):
        raise AssertionError(f"{what}: {counts[0]:,} and {counts[1]:,} rows, {len(only):,} differ\n{only.head()}")
    for name in ("mine", "theirs"):
        database.execute(f"DROP TABLE {name}")
    return int(counts[0])


def _comparable(name: str, dtype: object) -> str:
    column, word = f'"{name}"', str(dtype).removeprefix("!")
    if word.startswith("array<"):
        return f"list_sort(list_transform({column}, lambda one: round(one::DOUBLE, 4))) AS {column}"
    return f"round({column}::DOUBLE, 4) AS {column}" if word != "string" else f"{column}::VARCHAR AS {column}"


if __name__ == "__main__":
    main()
