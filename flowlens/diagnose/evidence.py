"""What the reductions found in the log, as numbers that can be compared with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.diagnose.spans import shared_ids

__all__ = ["EGRESS", "INGRESS", "NO_INTERFACE", "UNKNOWN", "Evidence", "Found"]

#: Stands for what is not known in columns of numbers.
UNKNOWN = -1

#: Whether a packet leaves the interface.
EGRESS, INGRESS = 1, 0

#: What a log has where it names no interface.
NO_INTERFACE = "-"

#: Rows that are looked at together: their columns are some megabytes each.
_ROWS_AT_ONCE = 500_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The same with addresses and interfaces as places in one list each, and times as Unix seconds.

    Attributes
    ----------
    addresses, interfaces
        The words behind the places, in order. The last interface, `NO_INTERFACE`, stands for all records that name
        none.
    numbers, network
        The addresses as numbers, and the network of their neighbours: of IPv4 a /24, of IPv6 a /64.
    interface_of
        For each address the only interface that has it in its records, or `UNKNOWN`.
    related, alike, neighbours, residents, port_uses, losses
        The tables; columns of ids that few need are left as words. `related` has the number of the `conversation`, the
        same wherever it was logged, the peer of the interface as `remote`, and whether it `is_case`: refused, and to
        be judged here.
    interval, logged
        As in `Found`.
    """

    addresses: pd.Index
    interfaces: pd.Index
    numbers: Addresses
    network: np.ndarray
    interface_of: np.ndarray
    related: pd.DataFrame
    alike: pd.DataFrame
    neighbours: pd.DataFrame
    residents: pd.DataFrame
    port_uses: pd.DataFrame
    losses: pd.DataFrame
    interval: int
    logged: frozenset[str]

    @classmethod
    def of(cls, found: Found) -> Evidence:
        """Write what was found as numbers."""
        tables = [found.related, found.alike, found.neighbours, found.residents, found.port_uses, found.losses]
        addresses, interfaces = _words(tables, ("a", "b", "remote", "local")), _words(tables, ("interface_id",))
        interfaces = interfaces.insert(len(interfaces), NO_INTERFACE)
        related, alike, neighbours, residents, port_uses, losses = (
            _coded(table, addresses, interfaces) for table in tables
        )
        numbers = Addresses.parse(addresses)
        return cls(
            addresses=addresses,
            interfaces=interfaces,
            numbers=numbers,
            network=np.where(numbers.family == 4, numbers.lower >> np.uint64(8), numbers.upper),
            interface_of=_interface_of(residents, len(addresses)),
            related=_with_conversations(related),
            alike=alike,
            neighbours=neighbours,
            residents=residents,
            port_uses=port_uses,
            losses=losses,
            interval=found.interval,
            logged=frozenset(found.logged),
        )

    @property
    def begins(self) -> int:
        """When the log begins, as far as interfaces are known to have sent or received something."""
        return int(self.residents["begins"].min()) if len(self.residents) else 0

    def parts(self) -> Iterator[Evidence]:
        """Deal the cases out by the networks of their peers, each part with all that tells something of its cases.

        That is what there is of their own conversations, and of the same peers and their neighbours. Parts are of a
        size at which what is looked up is found in the caches of a processor: all at once, ten times the records would
        take seventeen times as long.
        """
        count = 1 + (len(self.related) + len(self.alike)) // _ROWS_AT_ONCE
        # Packets of which the peer is not known are in the first.
        part = np.append(self.network % np.uint64(count), 0).astype(np.int64)
        refused = self.related["rejected"].to_numpy()
        at = part[self.related["remote"].to_numpy()]
        wanted = pd.DataFrame({"conversation": self.related["conversation"], "part": at})[refused].drop_duplicates()
        related = self.related.assign(at=at).merge(wanted, on="conversation")
        related["is_case"] = related["rejected"] & (related.pop("at") == related["part"])
        dealt = [
            _dealt(related, related.pop("part").to_numpy(), count),
            *(_dealt(table, part[table["remote"].to_numpy()], count) for table in (self.alike, self.neighbours)),
        ]
        for related, alike, neighbours in zip(*dealt, strict=True):
            yield replace(self, related=related, alike=alike, neighbours=neighbours)


def _with_conversations(related: pd.DataFrame) -> pd.DataFrame:
    """Add the number of the conversation, the peer, and that all that was refused is to be judged."""
    key = ["a", "a_port", "b", "b_port", "protocol"]
    egress, forward = related["egress"].to_numpy(), related["forward"].to_numpy()
    peer = np.where((egress == EGRESS) == forward, related["b"], related["a"])
    return related.assign(
        conversation=shared_ids([related[name].to_numpy() for name in key])[0],
        remote=np.where(egress == UNKNOWN, UNKNOWN, peer),
        is_case=related["rejected"],
    )


def _interface_of(residents: pd.DataFrame, count: int) -> np.ndarray:
    residents = residents[["local", "interface"]].drop_duplicates()
    alone = residents[~residents["local"].duplicated(keep=False)]
    found: np.ndarray = np.full(count + 1, UNKNOWN)
    found[alone["local"]] = alone["interface"]
    return found


def _dealt(table: pd.DataFrame, part: np.ndarray, count: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of each part."""
    # An engine returns rows in any order, and of equally good evidence the last is named.
    place = part * (table["interface"].max() + 1) + table["interface"].to_numpy() if len(table) else part
    # Numpy sorts numbers of two bytes in a fraction of the time.
    order = np.argsort(place.astype(np.min_scalar_type(place.max(initial=0))), kind="stable")
    bounds = np.append(0, np.cumsum(np.bincount(part, minlength=count)))
    for begin, end in pairwise(bounds.tolist()):
        yield table.take(order[begin:end]).reset_index(drop=True)


def _coded(table: pd.DataFrame, addresses: pd.Index, interfaces: pd.Index) -> pd.DataFrame:
    coded: dict[str, np.ndarray | pd.Series] = {}
    for name in table.columns:
        column = table[name]
        if name in {"a", "b", "remote", "local"}:
            coded[name] = _codes(column, addresses)
        elif name == "interface_id":
            places = _codes(column, interfaces)
            coded["interface"] = np.where(places == UNKNOWN, len(interfaces) - 1, places)
        elif isinstance(column.dtype, pd.DatetimeTZDtype):
            coded[name] = column.astype("int64").to_numpy()
        elif pd.api.types.is_bool_dtype(column.dtype):
            coded[name] = column.to_numpy(bool)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            # Flags are unsigned, and may be missing.
            coded[name] = column.astype("Int64").fillna(UNKNOWN).to_numpy(np.int64)
        else:
            coded[name] = column.astype("category")
    return pd.DataFrame(coded, copy=False)


def _words(tables: Sequence[pd.DataFrame], names: tuple[str, ...]) -> pd.Index:
    columns = [table[name] for table in tables for name in names if name in table.columns]
    distinct = [column.cat.categories if hasattr(column, "cat") else pd.Index(column.dropna()) for column in columns]
    words = distinct[0]
    for more in distinct[1:]:
        if more is not words and not more.equals(words):
            words = words.union(more)
    return words.unique().sort_values().astype(object)


def _codes(column: pd.Series, words: pd.Index) -> np.ndarray:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return words.get_indexer(pd.Index(column))
    places = np.append(words.get_indexer(column.cat.categories), UNKNOWN)
    return places[column.cat.codes.to_numpy()]
