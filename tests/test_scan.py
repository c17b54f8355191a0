"""A scan opens what it has to, reads what it needs, reports what `read` would report, and keeps to its memory."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import DEFAULT, START, gz, log_format, parquet, read, record, text
from hypothesis import given, settings
from pandas.testing import assert_frame_equal
from strategies import LAYOUTS, logs
from test_large_files import in_pieces

import flowlens as fl
from flowlens.engine import files as engine_files
from flowlens.engine.cursors import cursor_of
from flowlens.engine.parquet import view_of_parquet

# 2026-03-10 14:00 UTC
RECORDS = [record(srcport=49152 + place, start=START + 60 * place, end=START + 60 * place + 59) for place in range(6)]
BAD = b"2 123456789010 eni-1 10.0.0.5 10.0.1.9 not-a-port 443 6 10 840 1773151200 1773151259 ACCEPT OK\n"
GARBAGE = b"\x00\x01\x02 this is no flow log"


def folder_of_aws(root: Path, day: str = "2026/03/10") -> Path:
    folder = root / "AWSLogs/123456789010/vpcflowlogs/eu-west-1" / day
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def name_of_aws(time: str, flow_log: str = "fl-0123456789abcdef0", ending: str = "log.gz") -> str:
    return f"123456789010_vpcflowlogs_eu-west-1_{flow_log}_{time}Z_0a1b2c3d.{ending}"


@pytest.fixture
def delivered(tmp_path):
    """Return a folder as AWS fills it: an hour of records, and beside it what nobody may open."""
    (folder_of_aws(tmp_path) / name_of_aws("20260310T1400")).write_bytes(gz(text(RECORDS[:3])))
    (folder_of_aws(tmp_path) / name_of_aws("20260310T1405")).write_bytes(gz(text(RECORDS[3:])))
    (folder_of_aws(tmp_path, "2026/03/11") / name_of_aws("20260311T0900")).write_bytes(GARBAGE)
    return tmp_path


@settings(max_examples=30)
@given(found=logs(LAYOUTS.map(lambda layout: list(dict.fromkeys(["srcaddr", "dstaddr", *layout])))))
def test_a_scan_collects_what_read_reads(found):
    layout, records = found
    data = text(records, layout)
    scanned, df = fl.scan(io.BytesIO(data)), read(data)
    collected = scanned.collect()
    assert_frame_equal(collected.astype(object), df.astype(object))
    assert collected.dtypes.map(str).tolist() == df.dtypes.map(str).tolist()
    assert scanned.count() == len(df)


# --- Only what is needed ---


def test_files_of_other_times_are_not_opened(delivered):
    day = ("2026-03-10", "2026-03-11")
    assert fl.scan(delivered, time=day).count() == 6
    assert fl.scan(delivered).select(time=day).count() == 6
    with pytest.raises(fl.ParseError, match="20260311T0900"):
        fl.scan(delivered).count()


def test_a_time_selects_records_and_not_files(delivered):
    narrow = fl.scan(delivered, time=(START + 60, START + 180))
    assert narrow.count() == 2
    assert narrow.pairs()["flows"].tolist() == [2]
    assert narrow.select(time=(START + 120, None)).count() == 1


def test_a_time_without_files_is_an_empty_log(delivered):
    empty = fl.scan(delivered, time=("2020-01-01", "2020-01-02"))
    assert empty.fields == tuple(DEFAULT)
    assert empty.count() == 0
    assert empty.top_talkers().empty
    assert len(empty.collect()) == 0


def test_a_time_needs_a_start_as_it_does_when_reading(tmp_path):
    (tmp_path / "log").write_bytes(b"srcaddr dstaddr packets bytes\n10.0.0.1 10.0.0.2 1 60\n")
    with pytest.raises(fl.MissingFieldError, match="start"):
        fl.scan(tmp_path, time=("2026-03-10", None)).count()


def test_the_format_of_a_flow_log_is_looked_up_in_one_of_its_files(delivered):
    # The garbage is of the same flow log and is opened only by what reads it.
    assert fl.scan(delivered).fields == tuple(DEFAULT)
    (folder_of_aws(delivered) / name_of_aws("20260310T1410", "fl-0fedcba9876543210")).write_bytes(
        gz(text([record(tcp_flags=2)]))
    )
    assert fl.scan(delivered, time=("2026-03-10", "2026-03-11")).fields == (*DEFAULT, "tcp_flags")


def test_columns_that_an_analysis_does_not_use_are_not_looked_at(tmp_path):
    (tmp_path / "log").write_bytes(text(RECORDS) + BAD)
    scanned = fl.scan(tmp_path)
    assert scanned.top_talkers()["flows"].tolist() == [7]
    with pytest.raises(fl.ParseError, match="srcport is 'not-a-port'"):
        scanned.ports()


def test_a_line_that_cannot_be_read_is_not_counted(tmp_path):
    (tmp_path / "log").write_bytes(text(RECORDS) + BAD)
    assert fl.scan(tmp_path, on_bad_lines="skip").count() == 6
    assert fl.scan(tmp_path, on_bad_lines="skip").accepted().count() == 6
    with pytest.raises(fl.ParseError, match="not-a-port"):
        fl.scan(tmp_path).count()


def test_nothing_is_read_before_an_analysis_asks(tmp_path):
    file = tmp_path / "log"
    file.write_bytes(text(RECORDS))
    narrow = fl.scan(tmp_path).accepted().host("10.0.0.5").select(time=(START, START + 61))
    file.write_bytes(text(RECORDS[:1]))
    assert narrow.count() == 1


def test_the_first_records_are_found_without_reading_on(tmp_path):
    (tmp_path / "1.log").write_bytes(text(RECORDS))
    for number in range(2, 60):
        (tmp_path / f"{number}.log").write_bytes(text(RECORDS) * 200)
    (tmp_path / "zz.log").write_bytes(GARBAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_frame_equal(fl.scan(tmp_path).head(3).astype(object), read(text(RECORDS)).head(3).astype(object))


# --- Files of every kind ---


def test_files_of_different_formats_give_the_columns_of_all(tmp_path):
    (tmp_path / "1.log").write_bytes(text(RECORDS))
    (tmp_path / "2.parquet").write_bytes(parquet([record(tcp_flags=18), record(tcp_flags=None)]))
    (tmp_path / "3.json").write_bytes(
        b'{"srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "version": 2, "bytes": 7, "team": "red"}\n'
    )
    scanned = fl.scan(tmp_path)
    assert_frame_equal(scanned.collect().astype(object), fl.read(tmp_path).astype(object))
    assert scanned.top_talkers(key="team", by="flows")["team"].tolist() == ["red"]
    assert_frame_equal(scanned.ports(), fl.read(tmp_path).flow.ports())


def test_lines_without_a_header_need_their_format(tmp_path):
    lines = text([record(tcp_flags=2)], header=False)
    (tmp_path / "log").write_bytes(lines)
    with pytest.raises(fl.ParseError, match="Nothing could be read"):
        fl.scan(tmp_path)
    scanned = fl.scan(tmp_path, fields=log_format([*DEFAULT, "tcp_flags"]))
    assert scanned.fields == (*DEFAULT, "tcp_flags")
    assert scanned.count() == 1


def test_an_open_file_can_be_scanned_over_and_over():
    scanned = fl.scan(io.BytesIO(gz(text(RECORDS))))
    assert scanned.count() == scanned.count() == 6


def test_milliseconds_are_seconds_as_they_are_when_reading(tmp_path):
    late = [dict(rec, start=rec["start"] * 1000, end=rec["end"] * 1000) for rec in RECORDS]
    (tmp_path / "log").write_bytes(text(late))
    assert_frame_equal(fl.scan(tmp_path).timeline("1min"), read(text(RECORDS)).flow.timeline("1min"))
    table = pa.table({name: [rec[name] for rec in late] for name in DEFAULT})
    pq.write_table(table, tmp_path / "log")
    assert_frame_equal(fl.scan(tmp_path).timeline("1min"), read(text(RECORDS)).flow.timeline("1min"))


def test_a_file_without_start_is_refused_where_a_time_is_asked_for(tmp_path):
    (tmp_path / "1.log").write_bytes(text(RECORDS))
    (tmp_path / "2.log").write_bytes(b"srcaddr dstaddr packets bytes\n10.0.0.1 10.0.0.2 1 60\n")
    with pytest.raises(fl.MissingFieldError, match="start"):
        fl.scan(tmp_path, time=("2026-03-10", None))
    assert fl.scan(tmp_path).count() == 7


@pytest.mark.parametrize("n", [-1, 2.5, "three"])
def test_a_head_has_a_number_of_rows(n):
    with pytest.raises(ValueError, match="is no number of rows"):
        fl.scan(io.BytesIO(text(RECORDS))).head(n)


@pytest.mark.parametrize("table", ["logs", pd.DataFrame({"srcaddr": ["a"]})])
def test_what_is_no_table_of_ibis_is_told_where_to_go(table):
    with pytest.raises(TypeError, match=r"fl\.scan\(path\)"):
        fl.Flows(table)


def test_a_log_that_names_no_addresses_is_refused_at_once(tmp_path):
    (tmp_path / "log").write_bytes(b"interface-id start end\neni-1 1 2\n")
    with pytest.raises(fl.NotAFlowFrameError, match="lacks dstaddr and srcaddr"):
        fl.scan(tmp_path)


def test_a_source_that_is_not_there_is_refused_as_when_reading(tmp_path):
    with pytest.raises(FileNotFoundError):
        fl.scan(tmp_path / "nothing")
    with pytest.raises(ValueError, match="on_bad_lines"):
        fl.scan(tmp_path, on_bad_lines="ignore")


# --- What cannot be read ---


@pytest.fixture
def partly(tmp_path):
    (tmp_path / "1.log").write_bytes(text(RECORDS[:2]) + b"2 too short\n" + text(RECORDS[2:3], header=False))
    (tmp_path / "2.log.gz").write_bytes(gz(text(RECORDS * 50))[:-30])
    (tmp_path / "3.bin").write_bytes(GARBAGE)
    (tmp_path / "4.parquet").write_bytes(parquet(RECORDS)[:-9] + b"PAR1")
    (tmp_path / "5.log").write_bytes(text(RECORDS[3:]))
    return tmp_path


def test_what_cannot_be_read_is_listed_as_by_read(partly):
    with pytest.raises(fl.ParseError) as by_read:
        fl.read(partly)
    with pytest.raises(fl.ParseError) as by_scan:
        fl.scan(partly).count()
    assert by_scan.value.bad_lines == by_read.value.bad_lines
    assert str(by_scan.value) == str(by_read.value)
    assert len(by_scan.value.bad_lines) == 4


def test_the_good_lines_are_counted_with_or_without_a_warning(partly):
    with pytest.warns(UserWarning, match="4 lines could not be read") as caught:
        warned = fl.scan(partly, on_bad_lines="warn").pairs()
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        skipped = fl.scan(partly, on_bad_lines="skip").pairs()
        assert_frame_equal(skipped, fl.read(partly, on_bad_lines="skip").flow.pairs())
    assert_frame_equal(warned, skipped)


def test_a_query_that_names_the_records_twice_reports_each_line_once(partly):
    with pytest.raises(fl.ParseError) as error:
        fl.scan(partly).coverage()
    assert len(error.value.bad_lines) == 4


def test_a_file_that_has_gone_is_reported(tmp_path):
    for name in ("1.log", "2.log"):
        (tmp_path / name).write_bytes(text(RECORDS))
    scanned = fl.scan(tmp_path)
    (tmp_path / "2.log").unlink()
    with pytest.raises(fl.ParseError, match=r"2\.log, line 1: the file cannot be opened"):
        scanned.count()


@pytest.mark.parametrize(
    ("field", "value"),
    [("srcaddr", "unknown"), ("action", "MAYBE"), ("dstport", 70000), ("bytes", -1), ("interface_id", "")],
)
def test_a_value_that_cannot_be_right_in_parquet_is_told_with_its_place(tmp_path, field, value):
    (tmp_path / "log.parquet").write_bytes(parquet([*RECORDS, dict(RECORDS[0], **{field: value})]))
    wanted = None if value == "" else fl.ParseError
    scanned = fl.scan(tmp_path)
    if wanted is None:  # a missing value, after all
        assert scanned.pairs(keys=(field,))["flows"].sum() == 7
        return
    with pytest.raises(fl.ParseError, match=rf"log\.parquet, line 7: {field} is '?{value}") as error:
        scanned.pairs(keys=("action", "dstport")) if field in {"action", "dstport"} else scanned.pairs()
    assert [bad.line for bad in error.value.bad_lines] == [7]


def test_parquet_of_other_names_and_types_is_read_by_the_parser(tmp_path):
    table = pa.table(
        {
            "version": [2],
            "sourceaddress": ["10.0.0.5"],
            "destinationaddress": ["10.0.1.9"],
            "numbytes": ["840"],
            "numpackets": [2.0],
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    assert fl.scan(tmp_path).top_talkers()["bytes"].tolist() == [840]


def test_parquet_files_of_different_columns_are_one_table(tmp_path):
    (tmp_path / "1.parquet").write_bytes(parquet(RECORDS))
    (tmp_path / "2.parquet").write_bytes(parquet([record(tcp_flags=2)]))
    assert_frame_equal(fl.scan(tmp_path).ports(), fl.read(tmp_path).flow.ports())
    assert_frame_equal(fl.scan(tmp_path).fan_out(), fl.read(tmp_path).flow.fan_out())


@pytest.mark.parametrize("name", ["a[1].parquet", "it's.parquet", "a*b.parquet", "ä ö.parquet", "x=1.parquet"])
def test_names_of_files_mean_nothing(tmp_path, name):
    (tmp_path / name).write_bytes(parquet(RECORDS))
    assert fl.scan(tmp_path).count() == 6


@pytest.mark.parametrize("write", [text, parquet], ids=["text", "parquet"])
def test_a_path_is_that_of_the_folder_in_which_it_was_given(tmp_path, monkeypatch, write):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "1").write_bytes(write(RECORDS))
    monkeypatch.chdir(tmp_path)
    scanned = fl.scan("logs")
    monkeypatch.chdir("/")
    assert scanned.ports()["flows"].tolist() == [6]


def test_names_of_files_are_no_patterns(tmp_path):
    (tmp_path / "a1.parquet").write_bytes(parquet(RECORDS))
    (tmp_path / "a[1].parquet").write_bytes(parquet(RECORDS[:1]))
    (tmp_path / "a*.parquet").write_bytes(parquet(RECORDS[:2]))
    assert fl.scan(tmp_path).pairs()["flows"].tolist() == [9]
    assert fl.scan(tmp_path / "a[1].parquet").pairs()["flows"].tolist() == [1]


def test_scans_in_threads_do_not_see_each_others_files(tmp_path):
    for name, count in (("one", 1), ("two", 2)):
        (tmp_path / name).write_bytes(parquet(RECORDS[:count]))
    views = [engine_files._database().cursor() for _ in range(2)]
    for cursor, name in zip(views, ("one", "two"), strict=True):
        view_of_parquet(cursor, [str(tmp_path / name)], ["srcaddr"], "flows")
    assert [cursor.sql("SELECT count(*) FROM flows").fetchall() for cursor in views] == [[(1,)], [(2,)]]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda name: fl.scan(tmp_path / name).pairs()["flows"].sum(), ["one", "two"] * 20))
    assert counts == [1, 2] * 20


INTERRUPTED = """
import os, signal, sys, threading
import flowlens as fl
kind, path = sys.argv[1:]
df = fl.read(path)
ask = {"frame": df.flow.fan_out, "scan": fl.scan(path).fan_out}[kind]
ask()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        try:
            ask()
        except Exception as error:
            print("not an interruption:", repr(error))
            break
except KeyboardInterrupt:
    print("interrupted")
"""


class Interrupted:
    """Records that somebody interrupts while they are handed over."""

    def __arrow_c_schema__(self):
        return pa.schema([("bytes", pa.int64())]).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema=None):
        raise KeyboardInterrupt


def test_an_interruption_while_records_are_handed_over_is_one():
    def asked():
        with cursor_of(duckdb.connect()) as cursor:
            cursor.register("flows", Interrupted())
            return cursor.sql("SELECT bytes FROM flows").fetchall()

    with pytest.raises(KeyboardInterrupt):
        asked()


@pytest.mark.parametrize(("kind", "write"), [("frame", text), ("scan", text), ("scan", parquet)])
def test_an_interruption_is_one(tmp_path, kind, write):
    (tmp_path / "log").write_bytes(write(RECORDS * 20_000))
    code = [sys.executable, "-c", INTERRUPTED, kind, str(tmp_path / "log")]
    result = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "interrupted\n", result.stderr


# --- Fields that were not found ---


def test_a_field_that_comes_up_further_down_is_no_field_that_is_left_out(tmp_path):
    (tmp_path / "log").write_bytes(text(RECORDS * 200) + text([record(tcp_flags=18)]))
    with pytest.raises(fl.FlowlensError, match=r"log has the field 'tcp_flags', which fl\.scan did not find"):
        fl.scan(tmp_path).ports()
    with pytest.raises(fl.FlowlensError, match="tcp_flags"):
        fl.scan(tmp_path).to_parquet(tmp_path / "stored")
    assert not (tmp_path / "stored").exists()


def test_another_format_in_a_file_of_the_same_flow_log_is_told(delivered):
    (folder_of_aws(delivered) / name_of_aws("20260310T1410")).write_bytes(gz(text([record(tcp_flags=2)])))
    with pytest.raises(fl.FlowlensError, match=r"20260310T1410.*'tcp_flags'"):
        fl.scan(delivered, time=("2026-03-10", "2026-03-11")).ports()


# --- Memory, disk, progress ---


@pytest.fixture
def many_pairs(tmp_path):
    """Return a file with more pairs of addresses than DuckDB gets memory for."""
    lines = "".join(
        f"10.{a}.{b}.1 10.{b}.{a}.{c} 1 {c}0\n" for a in range(250) for b in range(250) for c in range(10, 26)
    )
    (tmp_path / "log.gz").write_bytes(gz(b"srcaddr dstaddr packets bytes\n" + lines.encode()))
    return tmp_path / "log.gz"


def test_what_does_not_fit_into_memory_goes_to_disk(many_pairs, monkeypatch, tmp_path):
    database = duckdb.connect(
        config={"memory_limit": "60MB", "temp_directory": str(tmp_path / "spilled"), "threads": 1}
    )
    monkeypatch.setattr(engine_files, "_database", lambda: database)
    assert_frame_equal(fl.scan(many_pairs).pairs(3), fl.read(many_pairs).flow.pairs(3))
    no_disk = duckdb.connect(config={"memory_limit": "60MB", "temp_directory": "", "threads": 1})
    monkeypatch.setattr(engine_files, "_database", lambda: no_disk)
    with pytest.raises(duckdb.OutOfMemoryException):
        fl.scan(many_pairs).pairs(3)


def test_the_memory_of_queries_is_bounded_and_their_folder_is_temporary():
    query = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    ((memory, folder),) = engine_files._database().sql(query).fetchall()
    ((all_of_it, _),) = duckdb.connect().sql(query).fetchall()
    assert memory.split()[1] == all_of_it.split()[1]
    assert float(memory.split()[0]) == pytest.approx(0.3 * float(all_of_it.split()[0]), rel=0.05)
    assert Path(folder).name.startswith("flowlens-")


def test_progress_is_shown_when_asked_for(tmp_path, capsys):
    (tmp_path / "log").write_bytes(text(RECORDS))
    fl.scan(tmp_path, progress=True).count()
    assert "reading" in capsys.readouterr().err
    (tmp_path / "log").write_bytes(parquet(RECORDS))
    fl.scan(tmp_path, progress=True).count()
    assert "reading" in capsys.readouterr().err
    fl.scan(tmp_path, progress=False).count()
    fl.scan(tmp_path).count()
    assert capsys.readouterr().err == ""


# --- Storing ---


def test_storing_does_not_need_all_records_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("flowlens.engine.records._BATCH", 1000)
    spread = [record(start=START + 3600 * (place % 50), end=START + 3600 * (place % 50) + 59) for place in range(9000)]
    (tmp_path / "log").write_bytes(text(spread))
    with in_pieces(100_000):
        files = fl.scan(tmp_path / "log").to_parquet(tmp_path / "stored")
    assert [file.parent.name for file in files] == ["day=10", "day=11", "day=12"]
    assert pq.ParquetFile(files[1]).metadata.num_row_groups > 3
    stored = fl.read(tmp_path / "stored").sort_values(["start", "srcport"], ignore_index=True)
    assert_frame_equal(
        stored.astype(object), read(text(spread)).sort_values(["start", "srcport"], ignore_index=True).astype(object)
    )


def test_few_files_are_open_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("flowlens.store._MOST_OPEN", 3)
    monkeypatch.setattr("flowlens.engine.records._BATCH", 1000)
    days = [record(start=START + 86400 * (place % 10), end=START + 86400 * (place % 10)) for place in range(4000)]
    df = read(text(days))
    assert len(df.flow.to_parquet(tmp_path / "frame")) == 10
    (tmp_path / "log").write_bytes(text(days))
    with in_pieces(100_000):
        files = fl.scan(tmp_path / "log").to_parquet(tmp_path / "scan")
    assert len(files) > 10
    assert len({file.parent for file in files}) == 10
    assert fl.scan(tmp_path / "scan").timeline("1D")["flows"].tolist() == [400] * 10


def test_what_reads_the_files_stops_where_storing_fails(tmp_path):
    (tmp_path / "stored" / "year=2026" / "month=03" / "day=10").mkdir(parents=True)
    (tmp_path / "stored" / "year=2026" / "month=03" / "day=10" / "x.parquet").write_bytes(b"")
    (tmp_path / "log").write_bytes(text(RECORDS * 2000))
    with in_pieces(3000), pytest.raises(FileExistsError):
        fl.scan(tmp_path / "log").to_parquet(tmp_path / "stored")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_nothing_is_left_of_what_could_not_be_stored_whole(tmp_path):
    (tmp_path / "log").write_bytes(text(RECORDS) + BAD)
    with pytest.raises(fl.ParseError):
        fl.scan(tmp_path / "log").to_parquet(tmp_path / "stored")
    assert not (tmp_path / "stored").exists()
    stored = fl.scan(tmp_path / "log", on_bad_lines="skip").to_parquet(tmp_path / "stored")
    assert fl.scan(stored[0]).count() == 6
    with pytest.raises(FileExistsError):
        fl.scan(tmp_path / "log", on_bad_lines="skip").to_parquet(tmp_path / "stored")


def test_an_empty_selection_is_stored_as_the_columns(tmp_path):
    (tmp_path / "log").write_bytes(text(RECORDS))
    (file,) = fl.scan(tmp_path / "log").rejected().to_parquet(tmp_path / "stored")
    assert fl.read(file).columns.tolist() == DEFAULT


# --- Tables of other engines ---


def test_names_and_types_of_other_tools_are_understood():
    table = ibis.memtable(
        pd.DataFrame(
            {
                "accountId": [123456789, 123456789012],
                "srcAddr": ["10.0.0.5", "-"],
                "dstAddr": ["10.0.1.9", "-"],
                "srcPort": ["49152", "-"],
                "dstPort": [443.0, None],
                "protocol": ["6", "-"],
                "packets": ["10", "-"],
                "bytes": ["840", "-"],
                "startTime": pd.to_datetime([START, START + 60], unit="s"),
                "end": [START + 59, START + 119],
                "log-status": ["OK", "NODATA"],
            }
        )
    )
    flows = fl.Flows(table)
    assert flows.fields == (
        "account_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
        "log_status",
    )  # fmt: skip
    assert flows.ports().to_numpy().tolist() == [[443, 6, 1, 10, 840]]
    assert flows.window == (pd.Timestamp(START, unit="s", tz="UTC"), pd.Timestamp(START + 119, unit="s", tz="UTC"))
    collected = flows.collect()
    assert collected["account_id"].tolist() == ["000123456789", "123456789012"]
    assert collected["srcaddr"].isna().tolist() == [False, True]
    assert str(collected["dstport"].dtype) == "UInt16"


def test_columns_that_are_no_fields_keep_their_types():
    ends = {"srcaddr": ["10.0.0.1"] * 2, "dstaddr": ["10.0.0.2"] * 2}
    table = ibis.memtable({**ends, "packets": [1, 2], "bytes": [3, 4], "rack": [7, 8], "load": [0.5, 0.5]})
    flows = fl.Flows(table)
    assert flows.pairs(keys=("rack", "load"))["rack"].tolist() == [8, 7]
    assert flows.top_talkers(key="load")["load"].tolist() == [0.5]
    df = table.to_pandas()
    assert_frame_equal(flows.pairs(keys=("rack",)), df.flow.pairs(keys=("rack",)))


@pytest.mark.parametrize(("names", "lacks"), [("srcaddr bytes", "dstaddr"), ("bytes packets", "dstaddr and srcaddr")])
def test_a_table_without_addresses_is_refused_by_what_it_lacks(names, lacks):
    with pytest.raises(fl.NotAFlowFrameError, match=f"this table lacks {lacks} and has {names.replace(' ', ', ')}"):
        fl.Flows(ibis.table(dict.fromkeys(names.split(), "string"), name="t"))


def test_what_an_analysis_lacks_is_named_before_the_engine_is_asked():
    flows = fl.Flows(ibis.table({"srcaddr": "string", "dstaddr": "string"}, name="t"))
    with pytest.raises(fl.MissingFieldError, match=re.escape("${packets}")):
        flows.sql("athena").top_talkers()


def test_a_table_of_no_engine_has_texts_only():
    flows = fl.Flows(ibis.table({**dict.fromkeys(DEFAULT, "string"), "bytes": "int64"}, name="t"))
    assert repr(flows) == "<flow log records in no engine, 14 fields>"
    assert "SUM" in flows.sql("athena").top_talkers()
    assert "stats" in flows.insights().top_talkers()


def test_filters_of_flows_are_in_queries_of_logs_insights():
    flows, df = fl.scan(io.BytesIO(text(RECORDS))), read(text(RECORDS))
    assert (
        flows.rejected().host("10.0.0.5").insights().pairs() == df.flow.insights().rejected().host("10.0.0.5").pairs()
    )


def test_an_engine_that_lacks_a_function_is_told_with_the_verb_and_the_function():
    polars = ibis.polars.connect().create_table("t", pd.DataFrame({name: ["1"] for name in DEFAULT}))
    flows = fl.Flows(polars)
    with pytest.raises(
        fl.EngineError, match=r"top_talkers\(\) cannot be done by Polars: it has no WindowFunction"
    ) as error:
        flows.top_talkers()
    assert (error.value.verb, error.value.engine, error.value.function) == ("top_talkers", "Polars", "WindowFunction")
    with pytest.raises(fl.EngineError, match=r"pairs\(\) cannot be done by mssql: it has no RegexSearch"):
        flows.sql("mssql").select(src="10.0.0.0/12").pairs()


def test_flows_say_what_they_are():
    flows = fl.scan(io.BytesIO(text(RECORDS))).rejected().between("10.0.0.5", "10.0.1.9")
    assert repr(flows) == (
        "<flow log records in DuckDB, 14 fields, where Selection(action='REJECT'), "
        "where Selection(src='10.0.0.5', dst='10.0.1.9') or Selection(src='10.0.1.9', dst='10.0.0.5')>"
    )


def test_a_picture_of_flows_is_that_of_the_frame():
    flows, df = fl.scan(io.BytesIO(text(RECORDS))), read(text(RECORDS))
    mine, theirs = flows.plot.ports(), df.flow.plot.ports()
    assert [bar.get_width() for bar in mine.patches] == [bar.get_width() for bar in theirs.patches]
