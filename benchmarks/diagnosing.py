"""Time the diagnosis of refused conversations: ``python -m benchmarks.diagnosing``.

The pairing against the same join by hand in DuckDB, on the frame and on a table of its own; the diagnosis by its
seconds and its growth, in the default format and with the fields that prove more. A tenth of the records is refused.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

import flowlens as fl
from benchmarks.measuring import FLOWLENS, Row, growth_row, row_of, say, say_table, take_turns
from benchmarks.records import flow_log_files
from benchmarks.scanning_by_hand import quiet_duckdb

_ROUNDS = 5
#: Seconds that a million records may take.
_SECONDS = 3.0
_TOLERANCE = 184

_KEYS = "interface_id, protocol, srcaddr, srcport, dstaddr, dstport"
_JOIN = f"""
    WITH refused AS (
        SELECT {_KEYS}, min(start) AS first, max("end") AS last, count(*) AS records, sum(packets)::BIGINT AS packets
        FROM flows WHERE action = 'REJECT' GROUP BY ALL
    )
    SELECT r.*, count(a.start) AS accepted, coalesce(sum(a.packets), 0)::BIGINT AS accepted_packets,
           min(a.start) AS accepted_first, max(a."end") AS accepted_last
    FROM refused r LEFT JOIN flows a
        ON a.action = 'ACCEPT' AND a.interface_id = r.interface_id AND a.protocol = r.protocol
        AND a.srcaddr = r.dstaddr AND a.dstaddr = r.srcaddr AND a.srcport = r.dstport AND a.dstport = r.srcport
        AND a.start <= r.last + INTERVAL {_TOLERANCE} SECOND AND a."end" >= r.first - INTERVAL {_TOLERANCE} SECOND
    GROUP BY ALL ORDER BY first, interface_id, srcaddr, srcport, dstaddr, dstport"""
_COLUMNS = [*_KEYS.split(", "), "start", "end", "packets", "action"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosing", description=__doc__)
    parser.add_argument("--small", action="store_true", help="100,000 and 200,000 records: does it all run?")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    arguments = parser.parse_args()
    few, many = (100_000, 200_000) if arguments.small else (1_000_000, 10_000_000)
    say(f"# {few:,} and {many:,} records, a tenth of them refused, flowlens {fl.__version__}\n")
    less, more = (_with_requests(fl.read(flow_log_files(n, n // 50_000, arguments.data))) for n in (few, many))
    rows = _rows(less, more)
    say_table(rows, too_few_for=1_000_000 if arguments.small else None)


def _rows(few: pd.DataFrame, many: pd.DataFrame) -> Iterator[Row]:
    yield from _pairing(few)
    for name, (less, more) in {
        "default format": (few, many),
        "with flags, direction and subnets": (_with_fields(few), _with_fields(many)),
    }.items():
        seconds = take_turns({"few": less.flow.diagnose, "many": more.flow.diagnose}, 3)
        yield Row(f"seconds of diagnose, {len(less):,} records, {name}", "", *_three(seconds["few"]), bound=_SECONDS)
        yield growth_row(f"diagnose, {name}", seconds["few"], seconds["many"], (len(less), len(more)))


def _with_requests(df: pd.DataFrame) -> pd.DataFrame:
    """Let every third refused record be the answer to a request that was accepted, in place of another record."""
    refused = df[df["action"] == "REJECT"].iloc[::3]
    swapped = {"srcaddr": "dstaddr", "dstaddr": "srcaddr", "srcport": "dstport", "dstport": "srcport"}
    requests = refused.rename(columns=swapped)[df.columns].assign(action="ACCEPT")
    accepted = df[df["action"] == "ACCEPT"].iloc[len(requests) :]
    together = pd.concat([accepted, df[df["action"] != "ACCEPT"], requests], ignore_index=True)
    return together.astype({"action": "category"}).sort_values("start", kind="stable", ignore_index=True)


def _three(seconds: list[float]) -> tuple[float, float, float, float]:
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[0], ordered[-1], ordered[0]


def _pairing(df: pd.DataFrame) -> Iterator[Row]:
    scanned, table = quiet_duckdb(), quiet_duckdb()
    scanned.register("flows", df[_COLUMNS])
    table.register("frame", df[_COLUMNS])
    table.execute("CREATE TABLE flows AS SELECT * FROM frame")
    _check(df, table)
    seconds = take_turns(
        {
            FLOWLENS: df.flow.reject_pairs,
            "DuckDB on the frame": lambda: scanned.sql(_JOIN).df(),
            "DuckDB table": lambda: table.sql(_JOIN).df(),
        },
        _ROUNDS,
    )
    yield row_of(f"reject_pairs, {len(df):,} records", "DuckDB on the frame", seconds, 1.5)
    # The table is made before, which takes longer than the join.
    yield row_of(f"reject_pairs, {len(df):,} records", "DuckDB table", seconds)


def _check(df: pd.DataFrame, table: duckdb.DuckDBPyConnection) -> None:
    """The answers differ in what is one conversation only: the join by hand knows no pauses."""
    mine, theirs = df.flow.reject_pairs(), table.sql(_JOIN).df()
    keys = _KEYS.split(", ")
    counts = mine.groupby(keys, observed=True)[["records", "packets"]].sum()
    expected = theirs.set_index(keys)[["records", "packets"]].sort_index()
    assert counts.sort_index().to_numpy().tolist() == expected.to_numpy().tolist()
    assert (mine["accepted"] > 0).sum() > 0


def _with_fields(df: pd.DataFrame) -> pd.DataFrame:
    """Add the fields that a custom format has, so that more can be proved."""
    inside = df["srcaddr"].cat.categories.str.startswith("10.")
    egress = np.append(inside, False)[df["srcaddr"].cat.codes]
    interfaces = df["interface_id"].cat
    flags = np.where(df["action"] == "REJECT", 2, np.resize([2, 18, 19, 3], len(df)))
    return df.assign(
        flow_direction=pd.Categorical(np.where(egress, "egress", "ingress")),
        tcp_flags=pd.array(flags, dtype="UInt8"),
        subnet_id=pd.Categorical("subnet-" + df["interface_id"].astype(str).str[-1]),
        instance_id=interfaces.rename_categories([f"i-{name[4:]}" for name in interfaces.categories]),
    )


if __name__ == "__main__":
    main()
