"""Guards against the ways in which a notebook passes nbval although nothing was compared."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

BANNED = {
    "clear_output": "nbval ignores it and compares a stale output",
    "Output(": "what an Output widget holds is never compared",
    "%matplotlib widget": "needs a front end of its own",
    "display_id": "nbval ignores updates of a display",
}
DOCUMENTATION_ACCOUNTS = {"123456789012", "123456789010", "111122223333"}


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def test_every_cell_was_run_in_order(code):
    # nbval compares nothing in a cell that was never run.
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


def test_sizes_stay_small(path, code):
    assert path.stat().st_size <= 500 * 1024
    for cell in code:
        assert len(json.dumps(cell["outputs"])) <= 128 * 1024, source(cell)


def test_all_notebooks_together_stay_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) <= 3 * 1024 * 1024


def test_no_widget_state_and_no_timings_are_stored(notebook, code):
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert not any("execution" in cell["metadata"] for cell in code)


def test_no_output_is_beyond_what_nbval_compares(code):
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error", source(cell)
            kinds = set(output.get("data", {}))
            assert not kinds & {"application/json", "image/svg+xml", "application/vnd.jupyter.widget-view+json"}


def test_no_banned_call(code):
    for cell in code:
        for word, why in BANNED.items():
            assert word not in source(cell), why
        assert not source(cell).rstrip().endswith(";"), "a trailing ; hides nothing since nbval 0.10"


def test_an_output_that_is_not_compared_is_followed_by_one_that_is(code):
    tags = [cell["metadata"].get("tags", []) for cell in code]
    for place, cell_tags in enumerate(tags):
        if "nbval-ignore-output" in cell_tags:
            assert place + 1 < len(code), "the last cell is not compared"
            assert "nbval-ignore-output" not in tags[place + 1]
            assert code[place + 1]["outputs"], "nothing is compared after the picture"


def test_nothing_private_is_in_it(path):
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![0-9])[0-9]{12}(?![0-9])", text)) <= DOCUMENTATION_ACCOUNTS
    assert not re.search(r"/(home|root|Users|work|tmp)/", text)


def test_the_readme_lists_it(path):
    assert f"notebooks/{path.name}" in (ROOT / "README.md").read_text(encoding="utf-8")
