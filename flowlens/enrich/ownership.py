"""Whose address is whose: which of the addresses in an interface's records are its own.

A record of the default format does not say which way it went; it has the interface's own address on one side, and so
does every other record of that interface. That is what tells, with some care for interfaces that talk to one other
host only. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html: an interface that passes traffic on
(NAT gateway, transit gateway) and one with several addresses shows its primary private address.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.topology import Topology

__all__ = ["owned_addresses"]

#: A subnet is no larger than this, so that its interfaces have the first so many bits in common. A VPC can have several
#: ranges, so it says nothing. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_SUBNET_BITS = {4: 16, 6: 44}

#: Each round takes what the one before has found; more than a few bring nothing new.
_ROUNDS = 8


def owned_addresses(meetings: pd.DataFrame, internal: Collection[str], topology: Topology | None) -> pd.DataFrame:
    """Tell which address is whose.

    Parameters
    ----------
    meetings
        `interface_id`, `srcaddr`, `dstaddr`, `src_replaced`, `dst_replaced`, and perhaps `subnet_id`: who meets at an
        interface.
    internal
        The prefixes of internal networks. At an interface, an internal address is its own and an external one is not.
    topology
        Tells the addresses of the interfaces that it has; those of others are searched for.

    Returns
    -------
    pandas.DataFrame
        `interface_id`, `address`. An interface whose own address cannot be told is not there.
    """
    known = _of_topology(topology)
    if meetings.empty:
        return known
    search = _Search(meetings, internal)
    search.take(search.told(known))
    if topology is not None:
        search.take(search.delegated(topology))
    search.take(search.replaced())
    search.take(search.internal_end())
    search.take(search.of_same_subnet())
    for _ in range(_ROUNDS):
        before = len(search.owned)
        if search.is_done():
            break
        search.take(search.other_end_is_elsewhere())
        search.take(search.met_by_all())
        if len(search.owned) == before:
            break
    return pd.concat([known, search.result()], ignore_index=True).drop_duplicates(ignore_index=True)


def _of_topology(topology: Topology | None) -> pd.DataFrame:
    interfaces = () if topology is None else topology.interfaces.values()
    rows = [
        (interface.id, address) for interface in interfaces for address in (*interface.addresses, *interface.addresses6)
    ]
    return pd.DataFrame(rows, columns=["interface_id", "address"], dtype=str)


class _Search:
    """The meetings as codes, and the pairs of interface and address that are known to belong together."""

    def __init__(self, meetings: pd.DataFrame, internal: Collection[str]) -> None:
        interfaces, self._interfaces = pd.factorize(meetings["interface_id"])
        both = pd.concat([meetings["srcaddr"], meetings["dstaddr"]], ignore_index=True)
        codes, self._words = pd.factorize(both)
        self._ends = codes.reshape(2, -1)
        # Who meets whom, whichever way.
        self._pair = pd.factorize(self._ends.min(axis=0) * len(self._words) + self._ends.max(axis=0))[0]
        self._interface = interfaces
        unknown = np.full(len(meetings), -1)
        self._subnet = pd.factorize(meetings["subnet_id"])[0] if "subnet_id" in meetings.columns else unknown
        self._replaced = meetings[["src_replaced", "dst_replaced"]].to_numpy(bool).T
        self._addresses = Addresses.parse(pd.Index(self._words))
        self._internal = self._addresses.within(internal)
        self.owned: np.ndarray = np.empty(0, np.int64)

    def take(self, found: np.ndarray) -> None:
        """Add pairs of interface and address to those that are known."""
        self.owned = np.union1d(self.owned, found)

    def is_done(self) -> bool:
        """Tell whether one end of each meeting is known to be that of the interface."""
        return not self._open().any()

    def result(self) -> pd.DataFrame:
        """Return what was found in words."""
        interface, address = np.divmod(self.owned, len(self._words))
        return pd.DataFrame({"interface_id": self._interfaces[interface], "address": self._words[address]})

    def told(self, known: pd.DataFrame) -> np.ndarray:
        """Return what somebody knows, as far as it is in the log."""
        interface = pd.Index(self._interfaces).get_indexer(pd.Index(known["interface_id"]))
        address = pd.Index(self._words).get_indexer(pd.Index(known["address"]))
        there = (interface >= 0) & (address >= 0)
        keys: np.ndarray = interface[there].astype(np.int64) * len(self._words) + address[there]
        return keys

    def delegated(self, topology: Topology) -> np.ndarray:
        """Return the addresses that an interface has from a prefix of its own, as those of pods are."""
        found = [np.empty(0, np.int64)]
        for place, interface in enumerate(self._interfaces):
            prefixes = topology.interfaces[interface].prefixes if interface in topology.interfaces else ()
            if prefixes:
                of_prefix = np.flatnonzero(self._addresses.within(prefixes))
                found.append(np.intersect1d(place * len(self._words) + of_prefix, self._keys()))
        return np.concatenate(found)

    def replaced(self) -> np.ndarray:
        """Where the packet had another address on one side only, the interface has put in its own."""
        return self._where_one(self._replaced, self._all())

    def internal_end(self) -> np.ndarray:
        """Where one end is internal and the other is not, the interface is that of the internal one.

        Not where an external address meets several internal ones, and all that the interface meets: either the
        interface has several addresses, or its own one is external, in a VPC with a public range.
        """
        found = self._where_one(self._internal[self._ends], self._open())
        interfaces, own = np.unique(found // len(self._words), return_counts=True)
        return found[~np.isin(found // len(self._words), self._disputed(interfaces[own > 1]))]

    def _disputed(self, interfaces: np.ndarray) -> np.ndarray:
        """Return those interfaces at which one external address meets several internal ones, and all others."""
        met = self._met(self._all() & np.isin(self._interface, interfaces))
        meets_all = (met["count"] > 1) & (met["count"] == met["pairs"])
        found: np.ndarray = np.unique(met.loc[meets_all & ~self._internal[met["address"]], "place"] // 2)
        return found

    def of_same_subnet(self) -> np.ndarray:
        """Where one end is near an address that is known to be of the same subnet and the other is not."""
        interface, address = np.divmod(self.owned, len(self._words))
        subnets = np.full(len(self._interfaces), -1)
        subnets[self._interface] = self._subnet
        neighbourhood = self._neighbourhoods()
        count = neighbourhood.max() + 1
        there = subnets[interface] >= 0
        near = np.unique((subnets[interface] * count + neighbourhood[address])[there])
        places = self._subnet * count + neighbourhood[self._ends]
        return self._where_one(np.isin(places, near), self._open() & (self._subnet >= 0))

    def other_end_is_elsewhere(self) -> np.ndarray:
        """Where the two ends meet at another interface, too, which is that of one end, this one is of the other end.

        That somebody has the address is not enough: VPCs may have the same addresses.
        """
        meant = self._pair * len(self._words) + self._ends
        elsewhere = np.isin(meant, meant[np.isin(self._keys(), self.owned)])
        return self._where_one(~elsewhere, self._open())

    def met_by_all(self) -> np.ndarray:
        """Of the addresses at an interface, its own meets all others of its family, of which there are several.

        Where an interface has several addresses, the only one that they talk to would seem to be its own. Where it is
        seen to be another interface's, by the same meetings there, it belongs to the one where it meets the most.
        """
        met = self._met(self._open())
        leading = met[(met["count"] > 1) & (met["count"] == met["pairs"])]
        # Between an external address and internal ones that alone does not tell whose it is.
        leading = leading[self._internal[leading["address"]] | ~leading["internal_others"]]
        meant = leading["pair"] * len(self._words) + leading["address"]
        beaten = leading["count"].to_numpy() <= _most_of_others(meant.to_numpy(), leading["count"].to_numpy())
        keys = (leading["place"] // 2 * len(self._words) + leading["address"]).to_numpy()
        return np.setdiff1d(keys, keys[beaten])

    def _met(self, meetings: np.ndarray) -> pd.DataFrame:
        """Return each end of some meetings, with how many others its address meets there, of all that meet there.

        Columns: `place` (interface and family), `pair`, `address`, `count` (pairs of the address), `pairs` (of the
        place), `internal_others` (whether one of those that the address meets is internal).
        """
        chosen = np.flatnonzero(meetings)
        place = self._interface[chosen] * 2 + (self._addresses.family[self._ends[0][chosen]] == 6)
        # Once, whichever way.
        _, once = np.unique(place * (len(self._pair) + 1) + self._pair[chosen], return_index=True)
        chosen, place = np.tile(chosen[once], 2), np.tile(place[once], 2)
        address, other = self._ends[:, chosen[: len(once)]].ravel(), self._ends[::-1, chosen[: len(once)]].ravel()
        _, at, counts = np.unique(place * len(self._words) + address, return_inverse=True, return_counts=True)
        internal_others = np.bincount(at, weights=self._internal[other], minlength=len(counts)) > 0
        return pd.DataFrame(
            {
                "place": place,
                "pair": self._pair[chosen],
                "address": address,
                "count": counts[at],
                "pairs": (np.bincount(place, minlength=1) // 2)[place],
                "internal_others": internal_others[at],
            },
            copy=False,
        )

    def _all(self) -> np.ndarray:
        different: np.ndarray = self._ends[0] != self._ends[1]
        return different

    def _open(self) -> np.ndarray:
        """Return the meetings at which neither end is known to be that of the interface."""
        answered = np.isin(self._keys(), self.owned)
        still: np.ndarray = self._all() & ~answered[0] & ~answered[1]
        return still

    def _keys(self) -> np.ndarray:
        keys: np.ndarray = self._interface.astype(np.int64) * len(self._words) + self._ends
        return keys

    def _where_one(self, holds: np.ndarray, among: np.ndarray) -> np.ndarray:
        """Return the pairs of those meetings at which something holds for exactly one end."""
        one = (holds[0] != holds[1]) & among
        keys = self._keys()
        found: np.ndarray = np.unique(np.where(holds[0], *keys)[one])
        return found

    def _neighbourhoods(self) -> np.ndarray:
        """Number the addresses that can be in one subnet alike."""
        of = self._addresses
        ipv4 = of.lower >> np.uint64(32 - _SUBNET_BITS[4])
        ipv6 = of.upper >> np.uint64(64 - _SUBNET_BITS[6])
        numbers = np.where(of.family == 4, ipv4, ipv6 + np.uint64(1 << _SUBNET_BITS[4]))
        codes: np.ndarray = np.unique(numbers, return_inverse=True)[1]
        return codes


def _most_of_others(group: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return for each entry the largest count among the others of its group, 0 where it is alone."""
    frame = pd.DataFrame({"group": group, "count": counts})
    grouped = frame.groupby("group")["count"]
    largest = grouped.transform("max")
    ties = (frame["count"] == largest).groupby(frame["group"]).transform("sum")
    second = frame["count"].where(frame["count"] < largest, 0).groupby(frame["group"]).transform("max")
    alone_at_the_top = (frame["count"] == largest) & (ties == 1)
    others: np.ndarray = np.where(alone_at_the_top, second, largest)
    return others
