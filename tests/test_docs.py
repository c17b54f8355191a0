"""The pages in docs/ say what the code does: tables printed from it are current, and what they claim has a test."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import flowlens as fl
from flowlens.detect import DETECTORS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
DETECTION = (ROOT / "docs" / "detection.md").read_text(encoding="utf-8")

_LINK = re.compile(r"\[test\]\(\.\./tests/(\w+\.py) \"(\w+)\"\)")
_PEERS = 14


def rows_of_peers() -> list[list[str]]:
    lines = PAGE.partition("## Beside other readers")[2].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def script_of(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_tables_are_those_of_the_code():
    render = script_of("render")
    for page in render.PAGES:
        text = page.read_text(encoding="utf-8")
        assert render.rendered(text) == text, "run 'make docs'"
    assert "| Athena CSV |" in PAGE
    assert "| `beacon.half_evidence` | 12 |" in DETECTION


def test_every_explorer_has_a_picture_that_loads_fast():
    screenshots = script_of("screenshots")
    for name in screenshots.EXPLORERS:
        assert 10_000 < (screenshots.FOLDER / f"{name}.png").stat().st_size < screenshots.MOST_BYTES


def test_every_feature_of_other_readers_is_there_and_flowlens_has_it():
    rows = rows_of_peers()
    assert len(rows) == 24
    for feature, mine, *peers in rows:
        assert mine.startswith("Y"), feature
        assert len(peers) == _PEERS, feature


@pytest.mark.parametrize(("file", "test"), sorted(set(_LINK.findall(PAGE))))
def test_what_is_claimed_has_a_test(file, test):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert test in functions
    marks = " ".join(ast.unparse(decorator) for decorator in functions[test].decorator_list)
    assert "xfail" not in marks
    assert "skip" not in marks


def test_every_feature_and_every_claim_beyond_links_to_its_test():
    claims = PAGE.partition("And what we found in none of them:")[2].splitlines()
    for claim in [mine for _, mine, *_ in rows_of_peers()] + [line for line in claims if line.startswith("- ")]:
        assert _LINK.search(claim), claim


def section_of(kind: str) -> str:
    return re.search(rf"^## [^\n]*: `{kind}`\n(.*?)^## ", DETECTION, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_detector_is_explained(kind):
    section = section_of(kind)
    assert "> score = " in section
    assert "Evidence: " in section
    assert "Not seen: " in section


def test_terms_evidence_and_techniques_are_explained():
    found = fl.sample().flow.findings()
    rows = {line.split("`")[1]: line for line in DETECTION.splitlines() if line.startswith("| `")}
    for kind, own in found.groupby("kind"):
        section = section_of(kind)
        terms = set().union(*own["parts"]) - {"context", "kept"}
        for name in terms | set().union(*own["evidence"]):
            assert f"`{name}`" in section, f"{kind}: {name}"
        for technique in own["technique"].unique():
            assert technique.split(".")[0] in rows[kind], f"{kind}: {technique}"


def test_the_code_about_detection_runs():
    blocks = re.findall(r"^```python\n(.*?)^```$", DETECTION, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    exec("\n".join(blocks), {})
