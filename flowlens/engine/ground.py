"""What several analyses stand on: one table made of the records, with what is known of the addresses in it.

It is computed once and kept by the engine as long as they run. What is known of addresses is worked out beside the
engine, once for each distinct one, and joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from flowlens.engine.sql import PLACES, table_named

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Ground", "ReductionOfGround"]

#: Takes the records and the ground made of them.
ReductionOfGround = Callable[["ir.Table", "ir.Table"], "ir.Table"]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """How the table is made.

    Attributes
    ----------
    made
        Makes it of the records, with the addresses in the columns `ends`.
    located
        Joins it with the places: a table of `address` and `facts`.
    ends
        The columns with addresses.
    facts
        The names of what is known of each address: truth values.
    places
        Returns the facts of some addresses, one row each, in their order.
    """

    made: Callable[[ir.Table], ir.Table]
    located: Callable[[ir.Table, ir.Table], ir.Table]
    ends: tuple[str, ...]
    facts: tuple[str, ...]
    places: Callable[[pd.Index], pd.DataFrame]

    def table_of_places(self, address: str) -> ir.Table:
        """Return the table of places for expressions; `address` is the type of addresses in this engine."""
        return table_named(PLACES, {"address": address, **dict.fromkeys(self.facts, "boolean")})

    def addresses(self, made: ir.Table) -> ir.Table:
        """Return each address that occurs, once."""
        first, *others = (made.select(address=made[end]) for end in self.ends)
        return first.union(*others, distinct=True).drop_null("address")

    def arrow_places(self, words: pd.Index, address: Mapping[str, pa.Array]) -> pa.Table:
        """Return the places of some addresses, beside the column that stands for them in this engine."""
        facts = self.places(words)
        return pa.table({**address, **{name: pa.array(facts[name].to_numpy(bool)) for name in self.facts}})
