"""docs/engines.md: its code compiles, and what needs no service of others runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import flowlens as fl

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")

#: Headings under which the code runs where somebody else runs Spark.
HOSTED = {"Amazon EMR", "AWS Glue", "Databricks"}

_PART = re.compile(r"^#+ (?P<heading>[^\n]+)$|^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(\s*([^)#\s]+)")


def blocks() -> list[tuple[str, str]]:
    """Return the blocks of code with the headings above them, without the magics of notebooks."""
    found, heading = [], ""
    for part in _PART.finditer(PAGE):
        if part["heading"]:
            heading = part["heading"]
        else:
            found.append((heading, re.sub(r"^%.*$", "", part["code"], flags=re.MULTILINE)))
    return found


def test_there_is_code_for_every_service():
    headings = [heading for heading, _ in blocks()]
    assert set(headings) >= HOSTED
    assert len(headings) == PAGE.count("```python")


@pytest.mark.parametrize(("heading", "code"), blocks())
def test_the_code_compiles(heading, code):
    assert compile(code, heading, "exec")


@pytest.mark.parametrize("heading", sorted(HOSTED))
def test_a_session_of_others_takes_few_lines_and_no_pyspark_of_ours(heading):
    code = "\n".join(code for place, code in blocks() if place == heading)
    assert "[spark]" not in code
    assert "fl.Flows(connection." in code
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 5


@pytest.mark.xdist_group("spark")
def test_what_runs_on_this_machine_runs_as_it_stands(spark, tmp_path, monkeypatch, capsys):  # noqa: ARG001
    df = fl.sample()
    df.flow.to_parquet(tmp_path / "logs")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    engines = []
    for heading, code in blocks():
        if heading not in HOSTED:
            exec(compile(code, heading, "exec"), names)
            if "log" in names:
                engines.append(repr(names["log"]).split(",")[0])
                assert names["refused_services"](names["log"]).equals(names["refused_services"](df))
    assert len([engine for engine in engines if "Spark" in engine]) == 2
    printed = capsys.readouterr().out
    assert "CREATE EXTERNAL TABLE `vpc_flow_logs`" in printed
    assert '"t0"."day" = \'2026/03/10\'' in printed or "\"day\" <= '2026/03/11'" in printed
    assert "| stats count(*)" in printed


@pytest.mark.xdist_group("spark")
def test_spark_reads_text_as_the_page_says(spark, tmp_path):
    arguments = re.search(r'read_csv\("[^"]+", (.+?)\)`', PAGE)[1]
    assert _answer(spark, tmp_path, ["srcaddr dstaddr action", "srcaddr dstaddr action"], arguments) == ["10.0.0.1"]


@pytest.mark.xdist_group("spark")
def test_spark_takes_columns_by_place_unless_told_otherwise(spark, tmp_path):
    headers = ["srcaddr dstaddr action", "dstaddr srcaddr action"]
    arguments = re.search(r'read_csv\("[^"]+", (.+?)\)`', PAGE)[1]
    assert len(_answer(spark, tmp_path, headers, arguments.replace("enforceSchema=False, ", ""))) == 2
    with pytest.raises(Exception, match="CSV header does not conform to the schema"):
        _answer(spark, tmp_path, headers, arguments)


@pytest.mark.xdist_group("spark")
def test_spark_folders_are_filtered_before_flowlens_gets_the_table(spark, tmp_path):
    fl.sample().flow.to_parquet(tmp_path)
    table = spark.read_parquet(str(tmp_path))
    plan = spark._session.sql(spark.compile(table.filter(table.month == 3, table.day == 10)))
    assert "(day#" in re.search(r"PartitionFilters: \[(.*?)\], ", plan._jdf.queryExecution().toString())[1]


def _answer(spark, folder: Path, headers: list[str], arguments: str) -> list[str]:
    """Return the sources in two files of one record each, which is from 10.0.0.1 in both."""
    for number, header in enumerate(headers):
        values = {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "action": "ACCEPT"}
        line = " ".join(values[name] for name in header.split())
        (folder / f"{number}.log").write_text(f"{header}\n{line}\n")
    table = spark.read_csv(str(folder), **eval(f"dict({arguments})"))
    return sorted(fl.Flows(table).collect()["srcaddr"].unique())


def test_links_to_files_lead_somewhere():
    for target in _LINK.findall(PAGE):
        if "://" not in target:
            assert (ROOT / "docs" / target).resolve().exists(), target


def test_the_readme_links_to_it():
    assert "(docs/engines.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
