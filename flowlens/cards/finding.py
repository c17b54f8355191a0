"""A row of a detector as a card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flowlens.cards.markup import Markup, bar, bold, code, element, paragraph, share_of_one, table
from flowlens.detect.explain import (
    find_records,
    headline,
    named_numbers,
    next_step,
    techniques,
    terms,
    where_and_how_much,
)

__all__ = ["card_of_finding"]


def card_of_finding(row: Mapping[str, Any] | pd.Series) -> Markup:
    """Return the card: what it is, why, what its score is made of, and what to do."""
    records = find_records(row)
    caveat = "" if pd.isna(row["caveat"]) else row["caveat"]
    return element(
        "div",
        paragraph(bold(headline(row)), " ", bar(float(row["score"]))),
        paragraph(row["why"]),
        paragraph(where_and_how_much(row)),
        paragraph(bold("To mind: "), caveat) if caveat else "",
        table(
            "What the score is made of",
            [(name, share_of_one(value)) for name, value in terms(row)],
            head=("term", "0 to 1"),
        ),
        table("The numbers behind", named_numbers(row), head=("number", "value")),
        table("Nearest to it", techniques(row), head=("catalogue", "name there")),
        paragraph(bold("Next: "), next_step(row)),
        paragraph(bold("Its records: "), code(records)) if records else "",
    )
