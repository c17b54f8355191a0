"""What the reductions found in the log, as numbers that can be compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlens.diagnose.spans import shared_ids

__all__ = ["NO_INTERFACE", "UNKNOWN", "Evidence", "Found"]

#: Stands for what is not known in columns of numbers.
UNKNOWN = -1

#: What a log has where it names no interface.
NO_INTERFACE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The tables of `flowlens.reduce.rejects` and `flowlens.reduce.surroundings` about one log.

    Attributes
    ----------
    related, alike, neighbours, residents, port_uses, losses
        What the functions `related` (or `course`), `accepted_alike`, `accepted_beside`, `residents`, `port_uses` and
        `losses_at` return.
    interval
        Aggregation interval in seconds.
    logged
        The columns of the log.
    """

    related: pd.DataFrame
    alike: pd.DataFrame
    neighbours: pd.DataFrame
    residents: pd.DataFrame
    port_uses: pd.DataFrame
    losses: pd.DataFrame
    interval: int
    logged: Sequence[str]


class Evidence:
    """The same with addresses and interfaces as places in one list each, and times as Unix seconds.

    Attributes
    ----------
    addresses, interfaces
        The words behind the places. The last interface, `NO_INTERFACE`, stands for all records that name none.
    related, alike, neighbours, residents, port_uses, losses
        The tables; columns of ids that few need are left as words. `related` has the number of the `conversation`,
        the same wherever it was logged.
    """

    def __init__(self, found: Found) -> None:
        tables = [found.related, found.alike, found.neighbours, found.residents, found.port_uses, found.losses]
        self.interval = found.interval
        self.logged = frozenset(found.logged)
        self.addresses = _words(tables, ("a", "b", "remote", "local"))
        words = _words(tables, ("interface_id",))
        self.interfaces = words.insert(len(words), NO_INTERFACE)
        self.related, self.alike, self.neighbours, self.residents, self.port_uses, self.losses = (
            self._coded(table) for table in tables
        )
        # The key of a conversation as one number, wherever it was logged.
        key = ["a", "a_port", "b", "b_port", "protocol"]
        self.related["conversation"] = shared_ids([self.related[name].to_numpy() for name in key])[0]
        # An engine returns rows in any order, and of equally good evidence the first is named.
        self.alike = self.alike.sort_values(
            ["egress", "remote", "protocol", "dstport", "start", "interface"], kind="stable", ignore_index=True
        )

    @property
    def begins(self) -> int:
        """When the log begins, as far as interfaces are known to have sent or received something."""
        return int(self.residents["begins"].min()) if len(self.residents) else 0

    def interface_of(self) -> np.ndarray:
        """Return for each address the only interface that has it in its records, or `UNKNOWN`."""
        residents = self.residents[["local", "interface"]].drop_duplicates()
        alone = residents[~residents["local"].duplicated(keep=False)]
        found: np.ndarray = np.full(len(self.addresses) + 1, UNKNOWN)
        found[alone["local"]] = alone["interface"]
        return found

    def _coded(self, table: pd.DataFrame) -> pd.DataFrame:
        coded: dict[str, np.ndarray | pd.Series] = {}
        for name in table.columns:
            column = table[name]
            if name in {"a", "b", "remote", "local"}:
                coded[name] = _codes(column, self.addresses)
            elif name == "interface_id":
                places = _codes(column, self.interfaces)
                coded["interface"] = np.where(places == UNKNOWN, len(self.interfaces) - 1, places)
            elif isinstance(column.dtype, pd.DatetimeTZDtype):
                coded[name] = column.astype("int64").to_numpy()
            elif pd.api.types.is_bool_dtype(column.dtype):
                coded[name] = column.to_numpy(bool)
            elif pd.api.types.is_numeric_dtype(column.dtype):
                # Flags are unsigned, and may be missing.
                coded[name] = column.astype("Int64").fillna(UNKNOWN).to_numpy(np.int64)
            else:
                coded[name] = column.astype("category")
        return pd.DataFrame(coded)


def _words(tables: Sequence[pd.DataFrame], names: tuple[str, ...]) -> pd.Index:
    columns = [table[name] for table in tables for name in names if name in table.columns]
    distinct = [column.cat.categories if hasattr(column, "cat") else pd.Index(column.dropna()) for column in columns]
    words = distinct[0]
    for more in distinct[1:]:
        if more is not words and not more.equals(words):
            words = words.union(more)
    return words.unique()


def _codes(column: pd.Series, words: pd.Index) -> np.ndarray:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return words.get_indexer(pd.Index(column))
    places = np.append(words.get_indexer(column.cat.categories), UNKNOWN)
    return places[column.cat.codes.to_numpy()]
