"""Write into the docs what only the code knows: the table of `flowlens.formats`. Run by ``make docs``."""

from __future__ import annotations

import re
from pathlib import Path

import flowlens as fl

__all__ = ["DOC", "rendered"]

DOC = Path(__file__).with_name("formats.md")

_BLOCK = re.compile(r"(<!-- fl\.formats\(\) -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)


def rendered(text: str) -> str:
    """Return the text of the page with the table as the code has it now."""
    return _BLOCK.sub(lambda found: found[1] + _table() + found[2], text)


def _table() -> str:
    forms = fl.formats()
    head = ["form", "comes from", "recognised by", "which value is which"]
    rows = [head, ["---"] * len(head), *forms.itertuples(index=False)]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


if __name__ == "__main__":
    DOC.write_text(rendered(DOC.read_text(encoding="utf-8")), encoding="utf-8")
