"""Reading stays within bounds: of memory with a bomb, of time with an interruption."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import os
import subprocess
import sys
import textwrap
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import check, gz, read, record, rows, text

import flowlens as fl

LINES = text([record()], header=False)
#: 262 of these are more than any flow log of a few hundred kilobytes unpacks to, and take no time to make.
MEBIBYTE = LINES * ((1 << 20) // len(LINES))
FIT = 256 * (1 << 20) // len(LINES)


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def payload(data: bytes) -> bytes:
    return json.dumps({"awslogs": {"data": base64.b64encode(data).decode()}}).encode()


BOMBS = {
    "gzip": gz(MEBIBYTE) * 262,
    "zstd": zstd(MEBIBYTE) * 262,
    "bzip2": bz2.compress(MEBIBYTE) * 262,
    "gzip of gzip": gz(gz(MEBIBYTE) * 262),
    "payload": payload(gz(MEBIBYTE) * 262),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_read_up_to_the_limit_and_reported(kind):
    assert len(BOMBS[kind]) < 2_000_000
    with pytest.warns(UserWarning, match="1 line could not be read.*\n.*unpacks to more than 256 MiB"):
        df = read(BOMBS[kind], on_bad_lines="warn", columns=["srcport"])
    assert FIT - 2 <= len(df) <= FIT
    assert (df["srcport"] == record()["srcport"]).all()


def test_the_memory_that_a_bomb_takes_is_bounded(tmp_path):
    # 4 GiB of zeros in 4 MB, and 40 of them one in the other
    path = tmp_path / "bomb.log.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"\0" * (1 << 28), 9) * 160, 9))
    code = textwrap.dedent(f"""
        import resource, flowlens as fl
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(len(fl.check({str(path)!r})), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
    """)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    bad_lines, mebibytes = map(int, printed.split())
    assert bad_lines >= 1
    assert mebibytes < 1500


def test_a_parquet_file_that_declares_more_rows_than_it_can_hold_is_refused():
    table = pa.table({"srcaddr": pa.array(["10.0.0.1"]), "dstaddr": ["10.0.0.2"]})
    sink = io.BytesIO()
    many = pa.concat_tables([table] * 1000).combine_chunks()
    with pq.ParquetWriter(sink, table.schema, compression="gzip") as writer:
        writer.write_table(pa.concat_tables([many] * 3000).combine_chunks(), row_group_size=3_000_000)
    with pytest.raises(fl.ParseError, match=r"3,000,000 rows.*no flow log shrinks like that"):
        read(sink.getvalue())


def test_a_long_word_repeated_in_parquet_takes_the_memory_of_one():
    word = "x" * 100_000
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), [word])
    table = pa.table({"srcaddr": ["10.0.0.1"] * 20_000, "dstaddr": ["10.0.0.2"] * 20_000, "instance_id": words})
    sink = io.BytesIO()
    pq.write_table(table, sink, store_schema=False)
    df = read(sink.getvalue())
    assert df["instance_id"].unique().tolist() == [word]
    assert df.memory_usage(deep=True).sum() < 1_000_000


@pytest.mark.parametrize("form", ["rows", "results"])
@pytest.mark.parametrize("piece", [1 << 22, 3000])
def test_records_of_ever_new_names_are_read_up_to_a_limit(form, piece, monkeypatch):
    monkeypatch.setattr("flowlens.parse.pieces._PIECE", piece)
    # Each name is a column with a value for every record: without a limit memory grows with the square of the file.
    many = [{"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": "5", f"k{number}": "1"} for number in range(3000)]
    if form == "rows":
        data = "\n".join(map(json.dumps, many)).encode()
    else:
        cells = [[{"field": name, "value": value} for name, value in row.items()] for row in many]
        data = json.dumps({"results": cells}).encode()
    bad = check(data)
    assert bad["line"].tolist() == list(range(998, 3001))
    assert set(bad["reason"]) == {"the records have more than 1,000 different names"}
    assert len(read(data, on_bad_lines="skip")) == 997


def test_an_interrupted_read_stops_at_once_and_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    data = gz(text([record(srcport=number % 60_000) for number in range(40_000)]))
    for number in range(400):
        (folder / f"{number:03}.log.gz").write_bytes(data)
    code = textwrap.dedent(f"""
        import os, signal, threading, flowlens as fl
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            fl.read({str(folder)!r}, progress=True)
        except KeyboardInterrupt:
            print("interrupted", [thread.name for thread in threading.enumerate() if "ThreadPool" in thread.name])
    """)
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "interrupted []\n"
    assert time.monotonic() - begin < 20
    assert not list((tmp_path / "tmp").iterdir())
    assert len(list(folder.iterdir())) == 400


def test_the_bar_counts_stored_bytes(tmp_path, capsys):
    data = gz(text([record()] * 1000))
    for number in range(3):
        (tmp_path / f"{number}.log.gz").write_bytes(data)
    assert len(rows(fl.read(tmp_path, progress=True))) == 3000
    assert f"/{3 * len(data) / 1000:.2f}k" in capsys.readouterr().err.replace("kB", "k")
