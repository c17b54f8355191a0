"""Take the pictures of the explorers for the README and the docs, in a real browser. Run by ``make screenshots``."""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

# The browser is that of the tests, which are no package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import chromium, lab_server, new_page
from explorer_page import ExplorerPage, NotebookPage

__all__ = ["EXPLORERS", "FOLDER", "MOST_BYTES"]

FOLDER = Path(__file__).with_name("explorers")

#: A page of the README loads them all.
MOST_BYTES = 128 * 1024

_DATA = "import flowlens as fl\ndf = fl.sample()\ntopology = fl.sample_topology()"

#: Each explorer: the code that makes it, and what is picked in it, so that the picture shows what a pick does.
EXPLORERS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "traffic": ("df.flow.explore()", [("Sources", "10.20.0.5")]),
    "brush": ("df.flow.explore.brush(filter=fl.Selection(time=('2026-03-10 07:00', '2026-03-10 12:00')))", []),
    "rejects": ("df.flow.explore.rejects(topology=topology)", [("Verdicts", "SG_IN")]),
    "groups": ("df.flow.add_groups(fl.groups.subnets(topology)).flow.explore.groups()", []),
    "findings": ("df.flow.explore.findings(filter=fl.Selection(min_score=0.7))", []),
    "coverage": ("df.flow.explore.coverage()", []),
}

#: Of the page, which is higher than any explorer.
_WIDTH, _HEIGHT = 1280, 2800


def main() -> None:
    """Take all pictures, or those of the explorers named on the command line."""
    FOLDER.mkdir(exist_ok=True)
    chosen = sys.argv[1:] or list(EXPLORERS)
    with tempfile.TemporaryDirectory() as folder, lab_server(Path(folder) / "lab") as lab, chromium() as browser:
        lab.write("explorers.ipynb", [_DATA, ""])
        notebook = NotebookPage(new_page(browser, width=_WIDTH, height=_HEIGHT), lab, "explorers.ipynb")
        notebook.command("application:toggle-left-area")  # room for what the picture is of
        notebook.run(0)
        for name in chosen:
            path = FOLDER / f"{name}.png"
            path.write_bytes(_small(_picture(notebook, *EXPLORERS[name])))
            print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")  # noqa: T201


def _picture(notebook: NotebookPage, code: str, picks: list[tuple[str, str]]) -> bytes:
    """Return an explorer after its picks as a PNG, and nothing of the page around it."""
    notebook.ask(1, code)
    explorer: ExplorerPage = notebook.explorer(1)
    explorer.wait()
    for panel, name in picks:
        explorer.pick(panel, name)
    return explorer.screenshot()


def _small(picture: bytes) -> bytes:
    """Return a PNG with as many colours as leave it small enough."""
    with Image.open(BytesIO(picture)) as image:
        for colours in (256, 128, 64, 32):
            encoded = BytesIO()
            image.convert("RGB").quantize(colours).save(encoded, "png", optimize=True)
            if encoded.tell() < MOST_BYTES:
                return encoded.getvalue()
    raise ValueError(f"{len(picture):,} bytes do not come below {MOST_BYTES:,}")


if __name__ == "__main__":
    main()
