"""What the parsers are asked for and what they give back."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from flowlens.errors import BadLine
from flowlens.parse.layout import Layout

__all__ = ["ENVELOPE", "Parsed", "Reading", "RefusedError"]


#: With this begin the names of what CloudWatch Logs writes before a record, which is no field of it.
ENVELOPE = "@"


class RefusedError(Exception):
    """A file that is no flow log, or whose layout cannot be known, is refused as a whole."""

    def __init__(self, line: int, text: str, reason: str) -> None:
        super().__init__(reason)
        self.line, self.text, self.reason = line, text, reason


@dataclass(frozen=True, slots=True)
class Reading:
    """How one file is to be read.

    Attributes
    ----------
    file
        Its name, for messages.
    layout
        The layout of lines that no header precedes, where the user gave it.
    columns
        The columns to read; all where None.
    threads
        Whether to parse this one file on all cores.
    met
        All columns that were found so far, wanted or not, each with the file that had it first.
    """

    file: str
    layout: Layout | None = None
    columns: frozenset[str] | None = None
    threads: bool = False
    met: dict[str, str] = field(default_factory=dict, hash=False)

    def wanted(self, names: Layout) -> list[str]:
        """Return the columns to read; where none of them is here, the first one still counts the records."""
        fields = [name for name in names if not name.startswith(ENVELOPE)]
        for name in fields:
            self.met.setdefault(name, self.file)
        return [name for name in fields if self.columns is None or name in self.columns] or fields[:1]


@dataclass(slots=True)
class Parsed:
    """What a file held: tables in the order of the file, and the lines that could not be read."""

    tables: list[pa.Table] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)

    def below(self, lines: int) -> Parsed:
        """Return the same with its lines counted from so many lines above."""
        return Parsed(self.tables, [bad.renumbered(lambda line: line + lines) for bad in self.bad_lines])
