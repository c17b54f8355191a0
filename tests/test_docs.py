"""The pages in docs/ say what the code does: tables printed from it are current, and what they claim has a test."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

_LINK = re.compile(r"\[test\]\(\.\./tests/(\w+\.py) \"(\w+)\"\)")
_PEERS = 14


def rows_of_peers() -> list[list[str]]:
    lines = PAGE.partition("## Beside other readers")[2].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def test_the_table_of_forms_is_the_one_in_the_code():
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.rendered(PAGE) == PAGE, "run 'make docs'"
    assert "| Athena CSV |" in PAGE


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
