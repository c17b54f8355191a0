"""Compare flowlens with the same work by hand and print the ratios: ``python -m benchmarks.run``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import flowlens as fl
from benchmarks.by_hand import ANALYSES, COLUMNS, CONTENDERS
from benchmarks.measuring import (
    FLOWLENS,
    Row,
    Seconds,
    check_same,
    fastest,
    growth_row,
    in_new_process,
    peak_memory,
    row_of,
    say,
    say_table,
    take_turns,
)
from benchmarks.reading_by_hand import READERS, as_arrow
from benchmarks.records import flow_log_files

_PLAIN = "pandas, plain"
#: The tools that the bound on `read` names. Not polars with words as strings: at 16 bytes a word its table takes more
#: than twice the 64 bytes a record that a frame may have.
_READERS_TO_BEAT = ["pyarrow", "DuckDB to Arrow", "DuckDB table", "polars, categories"]


@dataclass(frozen=True)
class Rounds:
    """How often contenders take turns."""

    reading: int
    analyses: int
    imports: int


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    if arguments.small:
        records, files, rounds = 200_000, 10, Rounds(1, 1, 1)
    else:
        records, files, rounds = arguments.records, 100, Rounds(3, arguments.rounds, 7)
    folder = flow_log_files(records, files, arguments.data)
    say(f"# {records:,} records in {files} gz files, {pa.cpu_count()} cores, flowlens {fl.__version__}\n")
    say_table(_rows(folder, records, rounds), too_few_for=5_000_000 if arguments.small else None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--small", action="store_true", help="200,000 records in 10 files: does it all run?")
    parser.add_argument("--rounds", type=int, default=5, help="of each analysis")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    return parser.parse_args()


def _rows(folder: Path, records: int, rounds: Rounds) -> Iterator[Row]:
    paths = sorted(folder.rglob("*.log.gz"))
    df = fl.read(folder)
    _check_readers(df, paths)
    # Made once: what it costs to make them is nobody's work.
    own_tables = {contender.name: contender.own_table(df) for contender in CONTENDERS}
    _check_answers(df, own_tables)
    say("All contenders read the same records and give the same answers.\n")
    yield from _importing(rounds.imports)
    yield from _peak_memory(folder, records)
    bytes_a_record = df.memory_usage(deep=True).sum() / len(df)
    yield Row("bytes a record", "", bytes_a_record, bytes_a_record, bytes_a_record, bound=64)
    yield from _reading(paths, rounds.reading)
    for analysis in ANALYSES:
        yield from _analysis(analysis, df, own_tables, rounds.analyses)
    yield from _growth(paths, df, rounds)


def _reading(paths: list[Path], rounds: int) -> list[Row]:
    contenders = {name: lambda read=read: read(paths) for name, read in READERS.items()}
    seconds = take_turns({FLOWLENS: lambda: fl.read(paths), **contenders}, rounds)
    best = fastest(seconds, _READERS_TO_BEAT)
    return [row_of("read", name, seconds, 1.0 if name == best else None) for name in READERS]


def _analysis(analysis: str, df: pd.DataFrame, own_tables: Mapping[str, Any], rounds: int) -> list[Row]:
    """Time one analysis in two ways: from the frame to a frame, and between tables of the contender's own."""
    from_frame: dict[str, Callable[[], Any]] = {}
    own: dict[str, Callable[[], Any]] = {}
    columns = COLUMNS[analysis]
    for contender in CONTENDERS:
        query = contender.queries[analysis]
        from_frame[contender.name] = lambda c=contender, query=query: c.to_pandas(
            query(c.columns_of_frame(df, columns)), df
        )
        if contender.name != _PLAIN:  # the frame is its own table
            own[f"{contender.name}, own table"] = lambda query=query, table=own_tables[contender.name]: query(table)
    seconds = take_turns({FLOWLENS: lambda: ANALYSES[analysis](df), **from_frame, **own}, rounds)
    by_hand = [name for name in from_frame if name != _PLAIN]
    # The bound is for work over the same frame; tables made beforehand show what that costs.
    best = fastest(seconds, by_hand)
    rows = [row_of(analysis, name, seconds, 1.5 if name == best else None) for name in (*by_hand, *own)]
    return [*rows, row_of(analysis, _PLAIN, seconds, 0.5)]


def _growth(paths: list[Path], df: pd.DataFrame, rounds: Rounds) -> Iterator[Row]:
    """Tell how much longer ten times the records take, as a share of ten."""
    tenth = paths[: len(paths) // 10]
    small = fl.read(tenth)
    calls: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "read": (lambda: fl.read(tenth), lambda: fl.read(paths))
    }
    for analysis, call in ANALYSES.items():
        calls[analysis] = (lambda call=call: call(small), lambda call=call: call(df))
    for name, (few, many) in calls.items():
        seconds = take_turns({"few": few, "many": many}, rounds.reading if name == "read" else rounds.analyses)
        yield growth_row(name, seconds["few"], seconds["many"], (len(small), len(df)))


_TIMED_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def _importing(rounds: int) -> list[Row]:
    # Each in a new process, timed inside it: the start of Python is no part of the import.
    contenders = {FLOWLENS: "flowlens", "import pandas": "pandas"}
    seconds: Seconds = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, module in contenders.items():
            printed = in_new_process(_TIMED_IMPORT.format(module))
            if number:
                seconds[name].append(float(printed))
    return [row_of("import", "import pandas", seconds, 1.3)]


def _peak_memory(folder: Path, records: int) -> Iterator[Row]:
    peak = {}
    for name in (FLOWLENS, *READERS):
        prepare = f"""
from benchmarks.reading_by_hand import READERS
import flowlens as fl

paths = sorted(Path({str(folder)!r}).rglob("*.log.gz"))
read = {{"flowlens": fl.read, **READERS}}[{name!r}]"""
        peaks = peak_memory(prepare, "read(paths)")
        if peaks is None:
            return
        before, after = peaks
        peak[name] = after - before
    mine = peak[FLOWLENS]
    for name in READERS:
        ratio = mine / peak[name]
        note = f"{mine / records:.0f} to {peak[name] / records:.0f} bytes a record"
        yield Row("peak memory of read", name, ratio, ratio, ratio, note=note)


# --- Checking: what gives another answer is no contender ---


def _check_readers(df: pd.DataFrame, paths: list[Path]) -> None:
    for name, read in READERS.items():
        table = as_arrow(read(paths))
        if table.num_rows != len(df):
            raise AssertionError(f"{name} reads {table.num_rows:,} records, flowlens {len(df):,}")
        for column in df.columns:
            if not np.array_equal(_numbers_of_arrow(table[column], df[column]), _numbers_of_frame(df[column])):
                raise AssertionError(f"{name} reads other values in {column} than flowlens")


def _numbers_of_frame(series: pd.Series) -> np.ndarray:
    """Return codes, seconds or values; -1 where one is missing."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.cat.codes.to_numpy().astype(np.int64)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(series).asi8
    return series.to_numpy(np.int64, na_value=-1)


def _numbers_of_arrow(column: pa.ChunkedArray, like: pd.Series) -> np.ndarray:
    if isinstance(like.dtype, pd.CategoricalDtype):
        if not pa.types.is_dictionary(column.type):
            # Plain pandas takes the account id for a number.
            column = column.cast(pa.string()).dictionary_encode()
        codes = []
        for chunk in column.chunks:
            places = np.append(like.cat.categories.get_indexer(chunk.dictionary.to_pandas().astype(str)), -1)
            codes.append(places[pc.fill_null(chunk.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)])
        return np.concatenate(codes)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz))
    return pc.fill_null(column.cast(pa.int64()), -1).to_numpy()


def _check_answers(df: pd.DataFrame, own_tables: Mapping[str, Any]) -> None:
    for analysis, call in ANALYSES.items():
        mine = call(df)
        for contender in CONTENDERS:
            for table in (contender.columns_of_frame(df, COLUMNS[analysis]), own_tables[contender.name]):
                theirs = contender.to_pandas(contender.queries[analysis](table), df)
                check_same(mine, theirs, contender.name, analysis)


if __name__ == "__main__":
    main()
