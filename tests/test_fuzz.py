"""What fuzzing found stays mended: each input that once broke a law is read again, and so is each seed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"
REGRESSIONS = sorted((FUZZ / "regressions").iterdir())


@pytest.fixture(scope="module")
def laws():
    sys.path.insert(0, str(FUZZ))
    try:
        import laws
    finally:
        sys.path.remove(str(FUZZ))
    return laws


def test_there_is_something_to_read():
    assert len(REGRESSIONS) >= 5


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.name)
def test_what_once_broke_a_law_keeps_it_now(path, laws):
    laws.examine(path.read_bytes())
