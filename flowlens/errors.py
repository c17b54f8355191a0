"""The errors flowlens raises.

::

    FlowlensError
    ├── ParseError            (ValueError)      a file or a line cannot be read as flow log records
    ├── NotAFlowFrameError    (AttributeError)  df.flow on a frame that holds no flow records
    ├── MissingFieldError     (KeyError)        the analysis needs a field that this log does not have
    ├── EngineError           (NotImplementedError)  an engine lacks what the analysis needs
    ├── MissingExtraError     (ImportError)     an optional dependency is not installed
    └── TopologyError         (ValueError)      describe-* output contradicts itself or cannot be used

Each also derives from the built-in error a user would catch for the same mistake, and its text says what is wrong,
where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "BadLine",
    "EngineError",
    "FlowlensError",
    "MissingExtraError",
    "MissingFieldError",
    "NotAFlowFrameError",
    "ParseError",
    "TopologyError",
]


class FlowlensError(Exception):
    """Root of every error that flowlens raises on purpose."""

    # KeyError prints the repr of its argument; a sentence for the user should be printed as it is.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that could not be read: where it stands, how it reads and what is wrong with it.

    Attributes
    ----------
    file, line, text
        Its file, its number there and the line itself.
    problem
        What is wrong with it, or with the header above it.
    header
        The line of that header, where it is that.
    unit
        What is numbered: the lines of a file, the rows of a table, or the objects of a JSON document.
    """

    file: str
    line: int
    text: str
    problem: str
    header: int | None = None
    unit: Literal["line", "row", "object"] = "line"

    @property
    def reason(self) -> str:
        """What is wrong, and where."""
        return self.problem if self.header is None else f"{self.problem} (line {self.header})"

    def renumbered(self, number_of: Callable[[int], int]) -> BadLine:
        """Return the same with the numbers that lines have in the whole file."""
        header = None if self.header is None else number_of(self.header)
        return replace(self, line=number_of(self.line), header=header)

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 160 else f"{self.text[:157]}..."
        return f"{self.file}, {self.unit} {self.line}: {self.reason}\n    {shown}"


class ParseError(FlowlensError, ValueError):
    """The input cannot be read as flow log records.

    Attributes
    ----------
    bad_lines : tuple of BadLine
        Every line that could not be read, in the order of the input.
    file, line, text, reason
        Those of the first one.
    """

    def __init__(self, bad_lines: Sequence[BadLine], advice: str) -> None:
        first, others = bad_lines[0], len(bad_lines) - 1
        count = f"and {others:,} more bad {first.unit}{'s' if others > 1 else ''}. " if others else ""
        super().__init__(f"{first}\n{count}{advice}")
        self.bad_lines = tuple(bad_lines)
        self.file, self.line, self.text, self.reason = first.file, first.line, first.text, first.reason


class NotAFlowFrameError(FlowlensError, AttributeError):
    """The frame has no source and destination address, so ``df.flow`` has nothing to work on."""


class MissingFieldError(FlowlensError, KeyError):
    """The log lacks a field that the analysis needs; the text names the LogFormat token that would add it."""


class EngineError(FlowlensError, NotImplementedError):
    """An engine lacks what an analysis needs.

    Attributes
    ----------
    verb
        The analysis.
    engine
        What was to run it, or to have its query printed.
    function
        What the engine does not have.
    """

    def __init__(self, verb: str, engine: str, function: str, advice: str) -> None:
        super().__init__(f"{verb}() cannot be done by {engine}: it has no {function}. {advice}")
        self.verb, self.engine, self.function = verb, engine, function


class MissingExtraError(FlowlensError, ImportError):
    """An optional dependency is not installed; the text holds the pip command that installs it."""


class TopologyError(FlowlensError, ValueError):
    """Output of the describe-* calls contradicts itself or lacks what was asked of it."""
