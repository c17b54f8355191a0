"""What a row of a result says, as text and as a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import pandas as pd

from flowlens.cards.diagnosis import card_of_diagnosis
from flowlens.cards.finding import card_of_finding
from flowlens.cards.markup import Markup
from flowlens.detect import explanation as explanation_of_finding
from flowlens.diagnose import explanation as explanation_of_diagnosis

__all__ = ["Explanation", "explain"]

Row = Mapping[str, Any] | pd.Series


class Explanation(str):
    """The paragraph to paste in a ticket: text like any other, which a notebook shows as a card."""

    __slots__ = ("_card",)
    _card: str

    def __new__(cls, text: str, card: str) -> Self:
        """Take the text, and the card as HTML."""
        explanation = super().__new__(cls, text)
        explanation._card = card
        return explanation

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return str(self), self._card

    @property
    def card(self) -> Markup:
        """The card as HTML."""
        return Markup(self._card)

    def _repr_html_(self) -> str:
        return self._card


def explain(row: Row) -> Explanation:
    """Return what a row of a diagnosis or of a detector says.

    Raises
    ------
    ValueError
        If it is none.
    """
    what = "explain takes one row of diagnose() or diagnose_conversation(), or of findings(), matches() or a detector"
    example = "write df.flow.explain(found.loc[0]) with what one of them found"
    if not isinstance(row, Mapping | pd.Series):
        raise ValueError(f"{what}, and not a {type(row).__name__}; {example}")  # noqa: TRY004
    if "verdict" in row:
        return Explanation(explanation_of_diagnosis(row), card_of_diagnosis(row))
    if "kind" in row:
        return Explanation(explanation_of_finding(row), card_of_finding(row))
    columns = list(map(str, row.keys()))
    named = f"{', '.join(columns[:6])}{', ...' if len(columns) > 6 else ''}" if columns else "nothing"
    raise ValueError(f"{what}, which have a verdict or a kind; this one has {named}; {example}")
