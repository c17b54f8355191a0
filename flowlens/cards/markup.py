"""HTML by its meaning: tables with headings, bold words, code. Hosts strip styles and scripts, so there are none.

What is not `Markup` is text, and escaped: addresses, names of groups and tags, and lists come from others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["Markup", "bar", "bold", "code", "element", "joined", "listed", "paragraph", "share_of_one", "table"]

_CELLS = 10


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def joined(*content: object, by: str = "") -> Markup:
    """Put HTML and text together."""
    return Markup(by.join(part if isinstance(part, Markup) else escape(str(part)) for part in content))


def element(name: str, *content: object) -> Markup:
    """Return an element with its content."""
    return Markup(f"<{name}>{joined(*content)}</{name}>")


def paragraph(*content: object) -> Markup:
    """Return a paragraph."""
    return element("p", *content)


def bold(text: object) -> Markup:
    """Return important words."""
    return element("b", text)


def code(text: object) -> Markup:
    """Return what a machine reads."""
    return element("code", text)


def listed(items: Iterable[object]) -> Markup:
    """Return a list of points."""
    return element("ul", *(element("li", item) for item in items))


def table(caption: str, rows: Iterable[Sequence[object]], *, head: Sequence[str] = ()) -> Markup:
    """Return a table of which the first cell names each row; nothing where there are no rows."""
    lines = [_row(row) for row in rows]
    if not lines:
        return Markup()
    names = element("tr", *(Markup(f'<th scope="col">{escape(name)}</th>') for name in head)) if head else Markup()
    return element("table", element("caption", bold(caption)), element("thead", names) if head else "", *lines)


def _row(cells: Sequence[object]) -> Markup:
    name, *values = cells
    return element("tr", Markup(f'<th scope="row">{joined(name)}</th>'), *(element("td", value) for value in values))


def share_of_one(share: float) -> Markup:
    """Return a share of 1 as a number, and as a bar."""
    return joined(f"{share:.2f} ", bar(share))


def bar(share: float) -> Markup:
    """Return a share of 1 as a bar, which is for the eye alone: the number stands beside it."""
    full = round(_CELLS * min(max(share, 0.0), 1.0))
    return Markup(f'<span aria-hidden="true">{"█" * full}{"░" * (_CELLS - full)}</span>')
