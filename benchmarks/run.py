"""Compare flowlens with the same work by hand and print the ratios: ``python -m benchmarks.run``.

Machines differ and are shared, so no time is judged by itself: contenders take turns in every round, each round gives
one ratio, and the median of the ratios counts.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import flowlens as fl
from benchmarks.by_hand import ANALYSES, COLUMNS, CONTENDERS
from benchmarks.reading_by_hand import READERS, as_arrow
from benchmarks.records import flow_log_files

_FLOWLENS = "flowlens"
_PLAIN = "pandas, plain"
#: The tools that the bound on `read` names. Not polars with words as strings: at 16 bytes a word its table takes more
#: than twice the 64 bytes a record that a frame may have.
_READERS_TO_BEAT = ["pyarrow", "DuckDB to Arrow", "DuckDB table", "polars, categories"]
#: Linear means that ten times the records take ten times as long; this much more is noise and cache.
_LINEAR = 1.2

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Row:
    """One line of the table: a ratio, its range over the rounds, that of the best times, and what it may be."""

    what: str
    against: str
    ratio: float
    low: float
    high: float
    of_best: float | None = None
    bound: float | None = None
    note: str = ""

    @property
    def over(self) -> bool:
        return self.bound is not None and self.ratio > self.bound

    def __str__(self) -> str:
        verdict = "" if self.bound is None else "**over**" if self.over else "ok"
        bound = "" if self.bound is None else f"≤ {self.bound:g}"
        spread = "" if self.low == self.high else f"{self.low:.2f} to {self.high:.2f}"
        of_best = "" if self.of_best is None else f"{self.of_best:.2f}"
        cells = (self.what, self.against, f"{self.ratio:.2f}", spread, of_best, bound, verdict, self.note)
        return f"| {' | '.join(cells)} |"


TABLE_HEAD = """\
| what | against | ratio | min to max | of best times | bound | | best times |
|---|---|--:|---|--:|---|---|---|"""


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
    over = []
    for row in _rows(folder, records, rounds):
        say(row)
        over += [row] if row.over else []
    if arguments.small:
        say("\nSo few records show that everything runs. The bounds are meant for 5,000,000: below, fixed costs count.")
    else:
        names = "; ".join(f"{row.what} {row.ratio:.2f} ({row.against})" for row in over)
        say(f"\nOver the bound: {names or 'nothing'}.")


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
    say(TABLE_HEAD)
    yield from _importing(rounds.imports)
    yield from _peak_memory(folder, records)
    bytes_a_record = df.memory_usage(deep=True).sum() / len(df)
    yield Row("bytes a record", "", bytes_a_record, bytes_a_record, bytes_a_record, bound=64)
    yield from _reading(paths, rounds.reading)
    for analysis in ANALYSES:
        yield from _analysis(analysis, df, own_tables, rounds.analyses)
    yield from _growth(paths, df, rounds)


def say(line: object) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


# --- Measuring ---


def take_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> Seconds:
    """Return the seconds of each contender in each round, after a round that does not count."""
    seconds: Seconds = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, call in contenders.items():
            gc.collect()
            begin = time.perf_counter()
            result = call()
            end = time.perf_counter()
            del result  # outside the clock
            if number:
                seconds[name].append(end - begin)
    return seconds


def row_of(what: str, against: str, seconds: Seconds, bound: float | None = None) -> Row:
    mine, theirs = seconds[_FLOWLENS], seconds[against]
    ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
    note = f"{min(mine):.3f} s to {min(theirs):.3f} s"
    return Row(what, against, median(ratios), min(ratios), max(ratios), min(mine) / min(theirs), bound, note)


def _best(seconds: Seconds, names: list[str]) -> str:
    return min(names, key=lambda name: min(seconds[name]))


def _reading(paths: list[Path], rounds: int) -> list[Row]:
    contenders = {name: lambda read=read: read(paths) for name, read in READERS.items()}
    seconds = take_turns({_FLOWLENS: lambda: fl.read(paths), **contenders}, rounds)
    best = _best(seconds, _READERS_TO_BEAT)
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
    seconds = take_turns({_FLOWLENS: lambda: ANALYSES[analysis](df), **from_frame, **own}, rounds)
    by_hand = [name for name in from_frame if name != _PLAIN]
    # The bound is for work over the same frame; tables made beforehand show what that costs.
    best = _best(seconds, by_hand)
    rows = [row_of(analysis, name, seconds, 1.5 if name == best else None) for name in (*by_hand, *own)]
    return [*rows, row_of(analysis, _PLAIN, seconds, 0.5)]


def _growth(paths: list[Path], df: pd.DataFrame, rounds: Rounds) -> Iterator[Row]:
    """Tell how much longer ten times the records take, as a share of ten."""
    tenth = paths[: len(paths) // 10]
    small = fl.read(tenth)
    more = len(df) / len(small)
    calls: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "read": (lambda: fl.read(tenth), lambda: fl.read(paths))
    }
    for analysis, call in ANALYSES.items():
        calls[analysis] = (lambda call=call: call(small), lambda call=call: call(df))
    for name, (few, many) in calls.items():
        seconds = take_turns({"few": few, "many": many}, rounds.reading if name == "read" else rounds.analyses)
        ratios = [many / few / more for few, many in zip(seconds["few"], seconds["many"], strict=True)]
        best = min(seconds["many"]) / min(seconds["few"]) / more
        note = f"{min(seconds['few']):.3f} s, {min(seconds['many']):.3f} s"
        against = f"{len(small):,} to {len(df):,} records"
        yield Row(f"growth of {name}", against, median(ratios), min(ratios), max(ratios), best, _LINEAR, note)


_TIMED_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def _importing(rounds: int) -> list[Row]:
    # Each in a new process, timed inside it: the start of Python is no part of the import.
    contenders = {_FLOWLENS: "flowlens", "import pandas": "pandas"}
    seconds: Seconds = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, module in contenders.items():
            printed = _in_new_process(_TIMED_IMPORT.format(module))
            if number:
                seconds[name].append(float(printed))
    return [row_of("import", "import pandas", seconds, 1.3)]


# VmHWM is the peak of this program alone; getrusage() would count what the parent held when it forked.
_PEAK = """
from pathlib import Path
from benchmarks.reading_by_hand import READERS
import flowlens as fl

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

paths = sorted(Path({folder!r}).rglob("*.log.gz"))
read = {{"flowlens": fl.read, **READERS}}[{reader!r}]
before = peak()
table = read(paths)
print(peak() - before)
"""


def _peak_memory(folder: Path, records: int) -> list[Row]:
    if not Path("/proc/self/status").exists():
        return []
    readers = (_FLOWLENS, *READERS)
    code = {name: _PEAK.format(folder=str(folder), reader=name) for name in readers}
    peak = {name: int(_in_new_process(code[name])) * 1024 for name in readers}
    mine = peak[_FLOWLENS]
    return [
        Row(
            "peak memory of read", name, mine / peak[name], mine / peak[name], mine / peak[name],
            note=f"{mine / records:.0f} to {peak[name] / records:.0f} bytes a record",
        )
        for name in READERS
    ]  # fmt: skip


def _in_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


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
        mine = _plain(call(df))
        for contender in CONTENDERS:
            for table in (contender.columns_of_frame(df, COLUMNS[analysis]), own_tables[contender.name]):
                theirs = _plain(contender.to_pandas(contender.queries[analysis](table), df))
                try:
                    pd.testing.assert_frame_equal(mine, theirs[list(mine)], check_dtype=False)
                except (AssertionError, KeyError) as error:
                    raise AssertionError(f"{contender.name} gives another answer for {analysis}") from error


def _plain(answer: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as they are, times as seconds and words as text, so that only values are compared."""
    columns = {}
    for name, series in answer.reset_index(drop=True).items():
        if isinstance(series.dtype, pd.DatetimeTZDtype):
            columns[name] = series.dt.as_unit("s").dt.tz_convert("UTC")
        elif isinstance(series.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(series.dtype):
            columns[name] = series.astype("str")
        else:
            columns[name] = series.astype("float64" if pd.api.types.is_float_dtype(series.dtype) else "int64")
    return pd.DataFrame(columns)


if __name__ == "__main__":
    main()
