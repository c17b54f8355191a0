"""The hot paths under pytest-benchmark, to compare two versions of flowlens on one machine; and do the others run?

pytest benchmarks --benchmark-save=before    # then change something
pytest benchmarks --benchmark-compare='*before'
"""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

import flowlens as fl
from benchmarks.by_hand import ANALYSES
from benchmarks.records import flow_log_files
from flowlens.detect import DETECTORS

_RECORDS, _FILES = 200_000, 10


@pytest.fixture(scope="module")
def folder():
    return flow_log_files(_RECORDS, _FILES)


@pytest.fixture(scope="module")
def df(folder) -> pd.DataFrame:
    return fl.read(folder)


def test_read(benchmark, folder):
    assert len(benchmark(fl.read, folder)) == _RECORDS


@pytest.mark.parametrize("analysis", ANALYSES)
def test_analysis(benchmark, df, analysis):
    assert len(benchmark(ANALYSES[analysis], df))


def test_select_by_cidr(benchmark, df):
    chosen = benchmark(lambda: df.flow.select(src="10.0.0.0/22", dst_port=443))
    assert 0 < len(chosen) < len(df)


def test_conversations(benchmark, df):
    assert len(benchmark(df.flow.conversations))


def test_scan(benchmark, folder):
    assert len(benchmark(lambda: fl.scan(folder).top_talkers())) == 10


def test_the_benchmark_of_scans_runs():
    command = [sys.executable, "-m", "benchmarks.scanning", "--small"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "| top_talkers of text | DuckDB |" in printed
    assert "| scan.to_parquet | DuckDB COPY |" in printed


def test_the_laws_of_the_diagnosis_run():
    command = [sys.executable, "-m", "benchmarks.diagnosis_laws", "--conversations", "100", "--worlds", "2"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "| 29 fields | 60 |" in printed
    assert "# answers on other interfaces" in printed


def test_the_benchmark_of_detectors_runs():
    command = [sys.executable, "-m", "benchmarks.detecting", "--small"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "| growth of findings |" in printed
    assert printed.count("| DuckDB SQL |") == 1 + len(DETECTORS)


def test_the_benchmark_of_explorers_runs():
    command = [sys.executable, "-m", "benchmarks.exploring", "--small"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "| seconds of first view, 200,000 records |" in printed
    assert "| kB of the largest message, 200,000 records |" in printed
