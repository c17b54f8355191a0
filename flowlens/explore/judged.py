"""Explorers of what is deduced from the records."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from flowlens.cards.markup import Markup, joined, paragraph
from flowlens.errors import MissingFieldError
from flowlens.explore.explorer import Explorer
from flowlens.explore.looks import Looks
from flowlens.insights import InsightsText
from flowlens.schema import BY_COLUMN
from flowlens.selection import Selection

if TYPE_CHECKING:
    from flowlens.accessor import FlowAccessor
    from flowlens.sqltext import SqlText

__all__ = ["JudgedExplorer"]

#: Clauses about what is deduced of records, which no engine knows.
_JUDGED = ("verdict", "certainty", "kind", "min_score")

#: What a list of rows shows at most.
_MOST_ROWS = 50


class JudgedExplorer(Explorer):
    """A view of a table that is deduced from the records: each row with its evidence."""

    without: ClassVar = {}
    #: What the records are that a query can keep.
    _records_of: str

    def __init__(self, flow: FlowAccessor, df: pd.DataFrame, origin: str, start: Selection | None) -> None:
        """Take the records, the code that makes the table of them, and the filter to begin with."""
        self._df = df
        self._why_nothing = ""
        try:
            table = self._found(flow)
        except MissingFieldError as error:  # it opens all the same, and says so
            self._why_nothing = error.args[0]
            table = self._found(type(flow)(pd.DataFrame(columns=list(BY_COLUMN))))
        looks = Looks()
        self._list = looks.picked_one(8, "Rows: pick one to see its evidence")
        self._listed = looks.words()
        self._list.observe(self._guarded(lambda _: self._show_evidence()), "value")
        self._detail = looks.scrolled("560px")
        super().__init__(flow, table, origin, start)

    @abstractmethod
    def _found(self, flow: FlowAccessor) -> pd.DataFrame:
        """Return the table that is explored."""

    def _said_to_be_absent(self) -> str:
        return self._why_nothing

    @abstractmethod
    def _ordered(self, found: pd.DataFrame) -> pd.DataFrame:
        """Return rows in the order in which they are listed."""

    @abstractmethod
    def _label(self, row: pd.Series) -> str:
        """Write a row in a line."""

    @abstractmethod
    def _evidence(self, row: pd.Series) -> Markup:
        """Write what a row stands on as HTML."""

    @property
    @abstractmethod
    def records(self) -> pd.DataFrame:
        """The records behind the row that is shown, with their original index."""

    def _query(self, text: SqlText | InsightsText) -> str:
        left_out = {name for name in self.filter.clauses if name in _JUDGED}
        kept = replace(self.filter, **dict.fromkeys(left_out))
        comment = "#" if isinstance(text, InsightsText) else "--"
        return f"{comment} {self._records_of}\n{text.select(kept).records()}"

    def _shown_row(self) -> pd.Series | None:
        """Return the row that is picked in the list; None where there is none."""
        return None if self._list.value is None else self._table.loc[self._list.value]

    def _show_rows(self) -> None:
        found = self._ordered(self.selection)
        options = [(self._label(row), label) for label, row in found.head(_MOST_ROWS).iterrows()]
        if tuple(self._list.options) != tuple(options):
            before = self._list.value
            self._list.options = options
            labels = [label for _, label in options]
            self._list.value = before if before in labels else next(iter(labels), None)
        self._listed.value = escape(f"Listed are {len(options):,} of {len(found):,} {self.noun}.")
        self._show_evidence()

    def _show_evidence(self) -> None:
        row = self._shown_row()
        nothing = paragraph(f"There are no {self.noun} here.")
        self._detail.value = nothing if row is None else joined(self._flow.explain(row).card, self._evidence(row))
