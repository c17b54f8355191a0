"""Names for addresses by their longest prefix."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.cidr import NOWHERE, Addresses, PrefixTable
from flowlens.columns import typed
from flowlens.enrich.categories import categorical_of, per_category
from flowlens.enrichment import Enrichment

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import netaddr

__all__ = ["PrefixNames"]


class PrefixNames(Enrichment):
    """Columns that hold, for an address, the name of the longest prefix around it."""

    def __init__(
        self,
        verb: str,
        columns: Mapping[str, str],
        prefixes: Sequence[tuple[netaddr.IPNetwork, str]],
        default: str | None,
    ) -> None:
        """Take the columns to add with those of the addresses, and the name for what no prefix holds."""
        self.verb = verb
        self.inputs = {added: (address,) for added, address in columns.items()}
        self.needs = tuple(columns.values())
        self._names = [name for _, name in prefixes]
        if not (default is None or isinstance(default, str)):
            raise TypeError(f"default={default!r} is no name of a group; give text, or None for no group")
        self._default = default
        self._table = PrefixTable.of([net for net, _ in prefixes])

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        words = sorted({*self._names, *([] if self._default is None else [self._default])})
        codes = {word: code for code, word in enumerate(words)}
        otherwise = -1 if self._default is None else codes[self._default]
        codes_of_places = np.array([*(codes[name] for name in self._names), otherwise])
        longest: dict[int, np.ndarray] = {}  # src and dst of a frame that was read have the same addresses

        def names(addresses: pd.Index) -> np.ndarray:
            if id(addresses) not in longest:
                places = self._table.longest(Addresses.parse(addresses))
                longest[id(addresses)] = codes_of_places[places]  # the last one, at -1, is for NOWHERE
            return longest[id(addresses)]

        columns = {added: categorical_of(typed(df, address)) for added, (address,) in self.inputs.items()}
        return {added: per_category(column, names(column.categories), words) for added, column in columns.items()}

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        import ibis

        from flowlens.enrich.addresses import digits, digits_of, step_of, with_parts

        families = [family for family, places in self._table.places.items() if (places != NOWHERE).any()]
        for added, (address,) in self.inputs.items():
            if added not in wanted:
                continue
            t, named = table, []
            for family in families:
                t = with_parts(t, address, family, f"{address}_parts")
                place = f"{address}_ipv{family}"
                t = t.mutate(**{place: digits(t[f"{address}_parts"], family)}).drop(f"{address}_parts")
                named.append((place, family))
            steps = [
                (
                    t[place].notnull(),
                    step_of(
                        t[place], [digits_of(edge, family) for edge in self._table.edges[family]], self._values(family)
                    ),
                )
                for place, family in named
            ]
            nowhere = t[address].notnull() & (t[address] != "-")
            name = ibis.cases(*steps, (nowhere, self._value(NOWHERE)))
            table = t.mutate(**{added: name}).drop(*(place for place, _ in named))
        return table

    def _values(self, family: int) -> list[ir.StringScalar]:
        return [self._value(int(place)) for place in self._table.places[family]]

    def _value(self, place: int) -> ir.StringScalar:
        import ibis

        name = self._default if place == NOWHERE else self._names[place]
        return ibis.null("string") if name is None else ibis.literal(name)
