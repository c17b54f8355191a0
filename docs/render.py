"""Write into the docs what only the code knows: `flowlens.formats` and `thresholds`. Run by ``make docs``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import flowlens as fl

__all__ = ["PAGES", "rendered"]

#: The pages that have such a table.
PAGES = [Path(__file__).with_name(name) for name in ("formats.md", "detection.md")]

_BLOCK = re.compile(r"(<!-- fl\.(formats|thresholds)\(\) -->\n\n).*?(<!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """Return the text of a page with its tables as the code has them now."""
    return _BLOCK.sub(lambda found: f"{found[1]}{_TABLES[found[2]]()}\n\n{found[3]}", text)


def _formats() -> str:
    rows = fl.formats().itertuples(index=False)
    return _table(["form", "comes from", "recognised by", "which value is which"], rows)


def _thresholds() -> str:
    rows = fl.thresholds().reset_index().itertuples(index=False)
    return _table(
        ["name", "value", "unit", "meaning"],
        [(f"`{name}`", f"{value:,.6g}", unit, meaning) for name, value, unit, meaning in rows],
    )


def _table(head: list[str], rows: Iterable[Iterable[object]]) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in [head, ["---"] * len(head), *rows])


_TABLES = {"formats": _formats, "thresholds": _thresholds}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")
