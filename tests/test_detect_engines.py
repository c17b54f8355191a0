"""Law 4 for detectors: what is found in a frame is found in a scan of files, in a database, and in Spark."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import duckdb
import ibis
import pytest
from engines import ENGINES
from formats import DEFAULT, START, names_of, parquet, read, text
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import HOSTILE, SENSITIVE, of_contact
from test_engines import OF_A_VPC
from test_transit_gateway import RECORDS as OF_A_GATEWAY

import flowlens as fl
from flowlens.detecting import Detecting

pytestmark = pytest.mark.xdist_group("spark")

#: Every detector there is: one that is added is compared by existing.
DETECTORS = sorted(name for name, _ in inspect.getmembers(Detecting, inspect.isfunction) if not name.startswith("_"))
CALLS = {
    "matches": [{"indicators": {"scanner": "198.51.100.0/24", "own": "10.0.1.9"}}],
    "beacons": [{}, {"mode": "rita"}],
    "findings": [{}, {"kinds": ["flood", "probe"], "min_score": 0.1, "internal": ["10.0.0.0/24", "2001:db8::/32"]}],
}

HOST, PEER, OUTSIDE = "10.0.0.5", "10.0.1.9", "198.51.100.7"


def _story() -> list[dict]:
    """Return records with something to find of every kind."""
    inside = {"eni": "eni-1", "inside": True}
    from_outside = {"eni": "eni-1", "inside": False}
    contacts = [
        *(of_contact(OUTSIDE, HOST, 20 + n, start=START, outcome="refused", **from_outside) for n in range(9)),
        *(of_contact(HOST, f"10.0.3.{n}", 445, start=START + 60 * n, outcome="silent", **inside) for n in range(9)),
        *(
            of_contact(
                OUTSIDE, HOST, 22, start=START + 60 * n, outcome="answered", sport=41000 + n, packets=12 + n % 2,
                **from_outside,
            )
            for n in range(12)
        ),
        of_contact(HOST, PEER, 22, start=START + 900, outcome="answered", **inside),
        *(
            of_contact(
                HOST, "203.0.113.9", 8443, start=START + 600 * n, outcome="answered", sport=42000 + n, size=10**n + 500,
                **inside,
            )
            for n in range(8)
        ),
        *(of_contact(HOST, "203.0.113.8", 443, start=START + 240 * n, outcome="answered", **inside) for n in range(9)),
        *(
            of_contact(f"203.0.113.{n}", HOST, 80, start=START + 60, outcome="silent", packets=9000, **from_outside)
            for n in range(5)
        ),
        *(
            of_contact(
                HOST, PEER, 5432, start=START + 600 * n, outcome="answered", sport=44000, window=600, eni="eni-10",
            )
            for n in range(8)
        ),
        of_contact(HOST, "203.0.113.7", 443, start=START + 8_000, outcome="silent", size=9_000_000, **inside),
        of_contact(PEER, HOST, 9000, start=START + 9_000, outcome="reset", eni="eni-2"),
        of_contact("2001:db8::1", "2001:db8:9::9", 6667, start=START + 90, outcome="answered", **inside),
        of_contact("2001:db8::1", "2001:db8:9::9", 25, start=START + 9_000, outcome="answered", **inside),
        of_contact("fd00::5", "2001:db8:9::9", 0, protocol=47, start=START + 9_000, outcome="silent", **inside),
        of_contact("fd00::5", "2001:db8:9::9", 443, start=START, outcome="silent", **inside),
    ]  # fmt: skip
    return [rec for records in contacts for rec in records]


STORY = _story()
LOGS = {
    "VPC": [{**dict.fromkeys(names_of(OF_A_VPC)), **rec} for rec in STORY] + OF_A_VPC,
    "default format": [{name: rec[name] for name in DEFAULT} for rec in STORY],
    "transit gateway": OF_A_GATEWAY,
}


def by_time(records: list[dict]) -> list[dict]:
    return sorted(records, key=lambda rec: rec["start"])


#: Spark plans each of some twenty queries for a second; it is asked for everything at once, below.
QUICK = [name for name in ENGINES if "Spark" not in name]


@pytest.fixture(scope="module", params=QUICK, ids=lambda name: name.replace(" ", "-"))
def held(request, tmp_path_factory):
    """Return the logs as one engine holds them, beside the frames of the same."""
    return {kind: _held(request.param, kind, tmp_path_factory.mktemp("logs"), None) for kind in LOGS}


def _held(engine, kind, folder, spark):
    ordered, names = by_time(LOGS[kind]), names_of(LOGS[kind])
    return ENGINES[engine](ordered, names, folder, spark), read(text(ordered, names))


def same(flows, df, verb="findings", **arguments):
    there, here = (getattr(log, verb)(**{"thresholds": SENSITIVE, **arguments}) for log in (flows, df.flow))
    assert_frame_equal(there, here)
    assert there.attrs == here.attrs
    return here


def test_the_story_has_something_of_every_kind():
    from flowlens.detect import DETECTORS as KINDS

    found = read(text(LOGS["VPC"])).flow.findings(thresholds=SENSITIVE)
    assert set(found["kind"]) >= set(KINDS) - {"match"}


# What the others do differently is how records get into DuckDB, which `findings` shows.
@pytest.mark.parametrize(
    ("held", "verb"),
    [
        (engine, verb)
        for engine in QUICK
        for verb in (DETECTORS if ENGINES[engine] is ENGINES["scan of Parquet"] else ["findings"])
    ],
    indirect=["held"],
)
def test_every_detector_gives_the_same_table(held, verb):
    flows, df = held["VPC"]
    assert flows.can(verb)
    for arguments in CALLS.get(verb, [{}]):
        same(flows, df, verb, **arguments)


@pytest.mark.parametrize("kind", ["default format", "transit gateway"])
def test_of_every_format_findings_are_the_same(held, kind):
    found = same(*held[kind])
    assert len(found) > (20 if kind == "default format" else 0)


def test_after_other_steps_findings_are_the_same(held):
    def narrowed(log):
        log = log.flow.select(time=(START, START + 3000)).flow.add_groups({"corp": "10.0.0.0/8"})
        return log.flow.add_direction().flow.select(group="corp").flow.findings(thresholds=SENSITIVE)

    flows, df = held["VPC"]
    expected = narrowed(df)
    assert len(expected) > 5
    assert_frame_equal(narrowed(flows), expected)


@pytest.fixture(scope="module")
def sample_file(tmp_path_factory):
    (file,) = fl.sample().flow.to_parquet(tmp_path_factory.mktemp("sample"), partition_by=())
    return file


@pytest.mark.parametrize("engine", ["Parquet", "DuckDB"])
def test_in_the_sample_findings_are_the_same(engine, sample_file):
    log = {
        "Parquet": lambda: fl.scan(sample_file),
        "DuckDB": lambda: fl.Flows(ibis.duckdb.connect().read_parquet(sample_file)),
    }[engine]()
    found = same(log, fl.sample(), thresholds=None)
    assert len(found) > 500
    same(log, fl.sample(), "host_scores", thresholds=None)


def test_in_parquet_as_aws_writes_it_findings_are_the_same(tmp_path):
    (tmp_path / "log.parquet").write_bytes(parquet(LOGS["VPC"]))
    assert len(same(fl.scan(tmp_path), read(parquet(LOGS["VPC"])))) > 20


def test_in_spark_findings_are_the_same_and_nothing_is_left_there(tmp_path, spark):
    flows, df = _held("Spark over Parquet", "VPC", tmp_path, spark)
    before = set(spark.list_tables())
    assert set(same(flows, df)["kind"]) > {"beacon", "flood"}
    assert set(spark.list_tables()) == before


def test_in_the_sample_spark_finds_the_same(sample_file, spark):
    flows = fl.Flows(spark.read_parquet(sample_file))
    assert len(same(flows, fl.sample(), thresholds=None)) > 500
    same(flows, fl.sample(), "beacons", mode="rita", thresholds=None)


@settings(max_examples=8)
@given(records=HOSTILE, engine=st.sampled_from(QUICK))
def test_on_random_hostile_traffic_findings_are_the_same(tmp_path_factory, records, engine):
    names = names_of(records)
    flows = ENGINES[engine](records, names, tmp_path_factory.mktemp("logs"), None)
    same(flows, read(text(records, names)))


# --- What is kept for a while is nobody else's ---


def _tables(connection) -> set[tuple[str, str]]:
    kept = connection.sql("SELECT table_name, 'table' FROM duckdb_tables() WHERE table_name <> 'result'").fetchall()
    return {*kept, *connection.sql("SELECT view_name, 'view' FROM duckdb_views() WHERE NOT internal").fetchall()}


def test_nothing_is_left_in_the_database_of_the_user(tmp_path):
    (file,) = read(text(LOGS["VPC"])).flow.to_parquet(tmp_path, partition_by=())
    backend = ibis.duckdb.connect()
    flows = fl.Flows(backend.read_parquet(file))
    before = _tables(backend.con)
    for _ in range(2):
        flows.findings()
        assert _tables(backend.con) == before


def test_nothing_is_left_after_an_error_in_the_middle(tmp_path, monkeypatch):
    from flowlens.detect import DETECTORS as KINDS
    from flowlens.engine import files, frames

    def broken(flows, ground, at):  # noqa: ARG001
        # It can be planned, and fails where it runs.
        return ground.filter((ground.src.cast("string") + "x").cast("int64") > 0).select("src")

    df = read(text(LOGS["VPC"]))
    (file,) = df.flow.to_parquet(tmp_path / "one", partition_by=())
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "log").write_bytes(text(LOGS["VPC"]))
    backend = ibis.duckdb.connect()
    logs = [df.flow, fl.scan(tmp_path / "text"), fl.scan(file), fl.Flows(backend.read_parquet(file))]
    databases = [frames._database(), files._database(), backend.con]
    before = [_tables(database) for database in databases]
    expected = [log.findings() for log in logs]
    with monkeypatch.context() as patch:
        patch.setitem(KINDS, "flood", type(KINDS["flood"])(kind="flood", reduce=broken, judge=KINDS["flood"].judge))
        for log in logs:
            with pytest.raises(duckdb.Error, match="convert"):
                log.floods()
    gc.collect()
    assert [_tables(database) for database in databases] == before
    for log, found in zip(logs, expected, strict=True):
        assert_frame_equal(log.findings(), found)


def test_two_threads_do_not_see_each_other(tmp_path):
    halves = {"one": STORY[: len(STORY) // 2], "two": STORY[len(STORY) // 2 :]}
    frames = {name: read(text(records)) for name, records in halves.items()}
    for name, records in halves.items():
        (tmp_path / name).write_bytes(text(records))
        (tmp_path / f"{name}.parquet").write_bytes(parquet(records))
    logs = {
        (name, kind): log
        for name, df in frames.items()
        for kind, log in {
            "frame": df.flow, "text": fl.scan(tmp_path / name), "Parquet": fl.scan(tmp_path / f"{name}.parquet"),
        }.items()
    }  # fmt: skip
    expected = {name: df.flow.findings(thresholds=SENSITIVE) for name, df in frames.items()}
    assert not expected["one"].equals(expected["two"])
    asked = list(logs) * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda which: logs[which].findings(thresholds=SENSITIVE), asked))
    for (name, _), table in zip(asked, found, strict=True):
        assert_frame_equal(table, expected[name])


INTERRUPTED = """
import os, signal, sys, threading, time
import flowlens as fl
kind, path = sys.argv[1:]
log = {"frame": lambda: fl.read(path).flow, "scan": lambda: fl.scan(path)}[kind]()
def interrupt():
    while True:  # again where the first one met code of others that drops it, as the import of a module may
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    while True:
        try:
            log.findings()
        except Exception as error:
            print("not an interruption:", repr(error))
            break
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("kind", "write"), [("frame", text), ("scan", text), ("scan", parquet)])
def test_an_interruption_is_one(tmp_path, kind, write):
    (tmp_path / "log").write_bytes(write(STORY * 300))
    code = [sys.executable, "-c", INTERRUPTED, kind, str(tmp_path / "log")]
    result = subprocess.run(code, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "interrupted\n", result.stderr


# --- What cannot be read, and what cannot be done ---


@pytest.fixture
def partly(tmp_path):
    """Return a file with lines that cannot be read."""
    lines = text(LOGS["default format"]).decode().splitlines()
    lines[3] = lines[3].replace(" 6 ", " six ", 1)
    lines.insert(5, "not a record")
    (tmp_path / "log").write_text("\n".join(lines))
    return tmp_path / "log"


def test_bad_lines_are_reported_as_by_other_verbs(partly):
    with pytest.raises(fl.ParseError) as by_read:
        fl.read(partly)
    with pytest.raises(fl.ParseError) as by_findings:
        fl.scan(partly).findings()
    assert by_findings.value.bad_lines == by_read.value.bad_lines
    assert len(by_read.value.bad_lines) == 2


def test_bad_lines_are_left_out_with_or_without_a_warning(partly):
    expected = fl.read(partly, on_bad_lines="skip").flow.findings(thresholds=SENSITIVE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_frame_equal(fl.scan(partly, on_bad_lines="skip").findings(thresholds=SENSITIVE), expected)
    with pytest.warns(UserWarning, match="2 lines could not be read") as caught:
        warned = fl.scan(partly, on_bad_lines="warn").findings(thresholds=SENSITIVE)
    assert_frame_equal(warned, expected)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("verb", DETECTORS)
def test_what_an_engine_lacks_is_said_with_the_verb(verb, tmp_path):
    (file,) = read(text(LOGS["default format"])).flow.to_parquet(tmp_path, partition_by=())
    flows = fl.Flows(ibis.polars.connect().read_parquet(file))
    with pytest.raises(fl.EngineError, match=rf"^{verb}\(\) cannot be done by Polars: it has no \w+"):
        getattr(flows, verb)(**CALLS.get(verb, [{}])[0])
