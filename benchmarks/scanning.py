"""Compare what is computed from files that were not read before with DuckDB by hand: ``python -m benchmarks.scanning``.

Here a call does everything: it finds the files, reads them and answers. Also: what a call costs where there is next to
nothing to compute, and what storing as Parquet takes.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa

import flowlens as fl
from benchmarks import scanning_by_hand
from benchmarks.by_hand import ANALYSES, CONTENDERS
from benchmarks.measuring import (
    FLOWLENS,
    Row,
    check_same,
    growth_row,
    peak_memory,
    row_of,
    say,
    say_table,
    take_turns,
)
from benchmarks.records import flow_log_files, parquet_of
from flowlens.reductions import Reductions

_RECORDS = 20_000_000
_RECORDS_A_FILE = 50_000
_GIB = 1 << 30

_READ_FIRST = "read, then the verb"
_COPY = "DuckDB COPY"

#: Other verbs than top_talkers, as they are called on a scan and on a frame, and their rounds: some take a minute each.
_VERBS = {"timeline()": 3, "pairs(10)": 3, "fan_out()": 3, "conversations()": 1}


@dataclass(frozen=True)
class Rounds:
    """How often contenders take turns."""

    top_talkers: int
    verbs: Mapping[str, int]
    calls: int
    storing: int


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    if arguments.small:
        records, files, rounds = 200_000, 20, Rounds(1, {"timeline()": 1}, 1, 1)
    else:
        records, rounds = arguments.records, Rounds(arguments.rounds, _VERBS, 15, 2)
        files = max(records // _RECORDS_A_FILE, 20)
    text = flow_log_files(records, files, arguments.data)
    parquet = parquet_of(text)
    say(f"# {records:,} records in {files} gz files, {pa.cpu_count()} cores, flowlens {fl.__version__}\n")
    say_table(_rows(text, parquet, records, rounds), too_few_for=_RECORDS if arguments.small else None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scanning", description=__doc__)
    parser.add_argument("--records", type=int, default=_RECORDS)
    parser.add_argument("--small", action="store_true", help="200,000 records in 20 files: does it all run?")
    parser.add_argument("--rounds", type=int, default=5, help="of top_talkers")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    return parser.parse_args()


def _rows(text: Path, parquet: Path, records: int, rounds: Rounds) -> Iterator[Row]:
    yield from _top_talkers_of_text(text, records, rounds.top_talkers)
    yield from _top_talkers_of_parquet(parquet, rounds.top_talkers)
    for verb, number in rounds.verbs.items():
        yield from _verb(text, verb, number)
    yield from _storing(text, rounds.storing)
    yield from _small_calls(rounds.calls)


# --- top_talkers, against one query of DuckDB ---


def _top_talkers_of_text(text: Path, records: int, rounds: int) -> Iterator[Row]:
    queries = {"DuckDB": scanning_by_hand.of_text, "DuckDB, nothing detected": scanning_by_hand.of_text_undetected}
    files = sorted(text.rglob("*.log.gz"))
    twentieth = files[: len(files) // 20]
    contenders: dict[str, Callable[[], Any]] = {
        FLOWLENS: lambda: fl.scan(text).top_talkers(),
        **{name: partial(scanning_by_hand.top_talkers, of_files(text)) for name, of_files in queries.items()},
        "a twentieth": lambda: fl.scan(twentieth).top_talkers(),
    }
    mine = contenders[FLOWLENS]()
    for name in queries:
        check_same(mine, contenders[name](), name, "top_talkers of text")
    seconds = take_turns(contenders, rounds, warm=True)
    for name in queries:
        yield row_of("top_talkers of text", name, seconds, 1.3)
    few = fl.scan(twentieth).count()
    yield growth_row("top_talkers of text", seconds["a twentieth"], seconds[FLOWLENS], (few, records))
    yield from _peak_of_top_talkers("text", text, "of_text")


def _top_talkers_of_parquet(parquet: Path, rounds: int) -> Iterator[Row]:
    contenders: dict[str, Callable[[], Any]] = {
        FLOWLENS: lambda: fl.scan(parquet).top_talkers(),
        "DuckDB": lambda: scanning_by_hand.top_talkers(scanning_by_hand.of_parquet(parquet)),
    }
    check_same(contenders[FLOWLENS](), contenders["DuckDB"](), "DuckDB", "top_talkers of Parquet")
    yield row_of("top_talkers of Parquet", "DuckDB", take_turns(contenders, rounds, warm=True), 1.2)
    yield from _peak_of_top_talkers("Parquet", parquet, "of_parquet")


def _peak_of_top_talkers(form: str, folder: Path, of_files: str) -> Iterator[Row]:
    mine = peak_memory("import flowlens as fl", f"fl.scan({str(folder)!r}).top_talkers()")
    by_duckdb = f"scanning_by_hand.top_talkers(scanning_by_hand.{of_files}({str(folder)!r}))"
    theirs = peak_memory("from benchmarks import scanning_by_hand", by_duckdb)
    what = f"top_talkers of {form}"
    yield from _peaks(what, "DuckDB", mine, theirs)
    if mine:
        gib = mine[1] / _GIB
        yield Row(f"GiB at the peak of {what}", "", gib, gib, gib, bound=2)


def _peaks(what: str, against: str, mine: tuple[int, int] | None, theirs: tuple[int, int] | None) -> Iterator[Row]:
    """Compare all that the processes hold at their peak: Python and what they imported, too."""
    if mine and theirs:
        ratio = mine[1] / theirs[1]
        note = f"{mine[1] / 1e6:.0f} to {theirs[1] / 1e6:.0f} MB"
        yield Row(f"peak memory of {what}", against, ratio, ratio, ratio, note=note)


# --- Other verbs, against reading everything first ---


def _verb(text: Path, verb: str, rounds: int) -> Iterator[Row]:
    """Compare a verb over a fourth of the files: so much fits into the memory of most machines as a frame, too."""
    files = sorted(text.rglob("*.log.gz"))
    files = files[: len(files) // 4]
    # As text, because the same is done here on the clock and then in processes of their own.
    calls = {FLOWLENS: f"fl.scan(files).{verb}", _READ_FIRST: f"fl.read(files).flow.{verb}"}
    contenders: dict[str, Callable[[], Any]] = {
        name: partial(eval, call, {"fl": fl, "files": files}) for name, call in calls.items()
    }
    pd.testing.assert_frame_equal(contenders[FLOWLENS](), contenders[_READ_FIRST]())
    yield row_of(f"scan.{verb}", _READ_FIRST, take_turns(contenders, rounds, warm=True))
    prepare = f"""
import flowlens as fl

files = sorted(Path({str(text)!r}).rglob("*.log.gz"))[: {len(files)}]"""
    peaks = [peak_memory(prepare, calls[name]) for name in (FLOWLENS, _READ_FIRST)]
    yield from _peaks(f"scan.{verb}", _READ_FIRST, *peaks)


# --- Storing ---


def _storing(text: Path, rounds: int) -> Iterator[Row]:
    records = scanning_by_hand.of_text_undetected(text)
    store = {
        FLOWLENS: lambda target: fl.scan(text).to_parquet(target),
        _COPY: lambda target: scanning_by_hand.copy_to_parquet(records, target),
    }

    def stored(name: str) -> TemporaryDirectory[str]:
        """Store in a new folder, which is removed outside the clock: when nobody holds it any more."""
        folder = TemporaryDirectory(ignore_cleanup_errors=True)
        store[name](Path(folder.name, "stored"))
        return folder

    contents, sizes = {}, {}
    for name in store:
        with stored(name) as folder:
            contents[name] = scanning_by_hand.contents(folder)
            sizes[name] = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
    check_same(contents[FLOWLENS], contents[_COPY], _COPY, "to_parquet")
    seconds = take_turns({name: partial(stored, name) for name in store}, rounds, warm=True)
    yield row_of("scan.to_parquet", _COPY, seconds)
    mine, theirs = sizes[FLOWLENS], sizes[_COPY]
    note = f"{mine / 1e6:.0f} to {theirs / 1e6:.0f} MB"
    yield Row("bytes on disk", _COPY, mine / theirs, mine / theirs, mine / theirs, note=note)
    prepare = "from benchmarks import scanning_by_hand"
    with TemporaryDirectory() as folder:
        peaks = [
            peak_memory("import flowlens as fl", f"fl.scan({str(text)!r}).to_parquet({folder + '/mine'!r})"),
            peak_memory(prepare, f"scanning_by_hand.copy_to_parquet({records!r}, {folder + '/theirs'!r})"),
        ]
    yield from _peaks("scan.to_parquet", _COPY, *peaks)


# --- What a call costs by itself ---


def _small_calls(rounds: int) -> Iterator[Row]:
    """Time every verb on a frame so small that only what surrounds the computing is left; here the ratio is in ms."""
    df = fl.sample().head(1000)
    plain = next(contender for contender in CONTENDERS if contender.name == "pandas, plain")
    verbs = [name for name, _ in inspect.getmembers(Reductions, inspect.isfunction) if not name.startswith("_")]
    for verb in filter(df.flow.can, verbs):
        contenders: dict[str, Callable[[], Any]] = {FLOWLENS: lambda verb=verb: getattr(df.flow, verb)()}
        if verb in ANALYSES:
            contenders[plain.name] = partial(plain.queries[verb], df)
            check_same(contenders[FLOWLENS](), contenders[plain.name](), plain.name, f"{verb} of 1,000 records")
        seconds = take_turns(contenders, rounds)
        ms = [1000 * each for each in seconds[FLOWLENS]]
        yield Row(f"ms of {verb}, 1,000 records", "", median(ms), min(ms), max(ms), min(ms), bound=30)
        if verb in ANALYSES:
            yield row_of(f"{verb}, 1,000 records", plain.name, seconds)


if __name__ == "__main__":
    main()
