"""What is known of the places and addresses in a log: which way records went, what is internal, in which zone.

Whatever was logged is taken as it is; the topology tells the rest; what neither tells is inferred from the log, as for
`add_direction`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.costs.homes import told_apart
from flowlens.enrich.ownership import owned_addresses
from flowlens.enrich.scopes import internal_networks
from flowlens.reduce.costs import KEYS, PLACES, TOLD
from flowlens.topology import Topology

__all__ = ["EGRESS", "ENDPOINT", "GATEWAY_LOG", "INGRESS", "NAT", "NOBODY", "NOWHERE", "ORDINARY", "TGW", "Scene"]

EGRESS, INGRESS, _UNKNOWN = 1, 0, -1

#: Stands for an address that is not known.
NOBODY = -1

#: Stands for a place that is not there.
NOWHERE = -1

#: Kinds of places. The last one is a transit gateway that logs by itself; the one before has interfaces in VPCs.
ORDINARY, NAT, ENDPOINT, TGW, GATEWAY_LOG = range(5)

#: Values of the fields interface-type and next-hop-interface-type.
#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
_KIND_OF_TYPE = {"nat_gateway": NAT, "regional_nat_gateway": NAT, "transit_gateway": TGW, "vpc_endpoint": ENDPOINT}
_KIND_IN_TOPOLOGY = {"NAT gateway": NAT, "transit gateway": TGW, "endpoint": ENDPOINT}


@dataclass(frozen=True, slots=True)
class Scene:
    """A log as numbers, with what is known of the addresses and places that they stand for.

    Attributes
    ----------
    rows
        `place`, `vpc` (a number, -1 where not logged), `way` (egress, ingress or -1), `src`, `dst`, `real_src`,
        `real_dst`, `bytes`, `path` (0 where not told), `next_hop` (kind) and `next_hop_id` (a place), one row a
        sighting.
    columns
        The columns that the log has.
    places, kinds, zones_of_places, inferred
        Id (empty if not logged), kind, zone (empty if not known) of each place, and whether the kind is inferred.
    owners
        What each place belongs to, by the topology; empty if not known.
    addresses, internal, zones, vpcs, services, endpoints, public, resources
        Of each address: the text, whether it is internal, its zone, VPC and AWS service (empty if
        not known), the place of the endpoint that has it, whether the topology has a public address for it, and what it
        belongs to there (empty if not known). An address that several VPCs have is there once more for each of them.
    """

    rows: pd.DataFrame
    columns: frozenset[str]
    places: np.ndarray
    kinds: np.ndarray
    zones_of_places: np.ndarray
    inferred: np.ndarray
    owners: np.ndarray
    addresses: pd.Index
    internal: np.ndarray
    zones: np.ndarray
    vpcs: np.ndarray
    services: np.ndarray
    endpoints: np.ndarray
    public: np.ndarray
    resources: np.ndarray

    @classmethod
    def of(cls, seen: pd.DataFrame, topology: Topology | None) -> Scene:
        """Look at sightings with the help of a topology."""
        table = seen.assign(**{column: None for column in (*KEYS, *TOLD) if column not in seen.columns})
        columns = frozenset(seen.columns)
        rows, places, addresses = _numbered(table, columns, topology)
        networks = sorted({*internal_networks(None), *(internal_networks(topology) if topology else ())})
        rows["way"] = _way(table, columns, networks, topology)
        internal = Addresses.parse(addresses).within(networks)
        kinds, inferred = _kinds(table, rows, places, internal, topology)
        rows, of = told_apart(rows, _local(rows), len(addresses))
        addresses, internal = addresses[of], internal[of]
        known = _Known(table, rows, kinds, internal)
        internal[known.own] = True
        zones, vpcs = known.of_addresses("az_id"), known.of_addresses("vpc_id")
        zones = np.where((zones == "") & internal, known.zones_of_next_hops(), zones)
        zones_of_places = _zones_of_places(table, rows, len(places))
        endpoints, public = known.endpoints(), np.zeros(len(addresses), bool)
        scene = cls(
            rows, columns, places, kinds, zones_of_places, inferred, np.full(len(places), "", object),
            addresses, internal, zones, vpcs, known.services(), endpoints, public, np.full(len(addresses), "", object),
        )  # fmt: skip
        if topology is not None:
            _ask(topology, scene)
        return scene

    def stages(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the stage of the way at which each sighting was made: a place, or one number for those of the ends.

        Several interfaces may have the address of an end, one after the other or in VPCs of their own. Each of them saw
        packets that the others did not see, so that together they are one stage.
        """
        place, way = rows["place"].to_numpy(), rows["way"].to_numpy()
        shown = _local(rows)
        real = np.where(way == EGRESS, rows["real_src"], rows["real_dst"])
        at_end = (way != _UNKNOWN) & (shown == real) & np.isin(self.kinds[place], (ORDINARY, ENDPOINT))
        numbers: np.ndarray = np.where(at_end, len(self.places), place)
        return numbers


def _numbered(
    table: pd.DataFrame, columns: Collection[str], topology: Topology | None
) -> tuple[pd.DataFrame, np.ndarray, pd.Index]:
    """Return the sightings as numbers, with the places and addresses in order that the numbers stand for."""
    there = [column for column in PLACES if column in columns]
    place = table[there[0]] if there else pd.Series(None, table.index, dtype="str")
    for column in there[1:]:
        place = place.fillna(table[column])
    if "tgw_attachment_id" in there:
        # Records of an attachment without direction stand for themselves: in and out cannot be told apart.
        apart = table["flow_direction"].isna() & table["tgw_attachment_id"].notna()
        place = place.mask(apart, table["tgw_attachment_id"])
    endpoints = [interface.id for interface in topology.interfaces.values()] if topology else []
    (number, next_hop_id), places = _codes([place, table["next_hop_interface_id"]], ["", *endpoints])
    ends = [column for column in ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr") if column in columns]
    codes, addresses = _codes([table[column] for column in ends], [])
    shown = dict(zip(ends, codes, strict=True))
    src, dst = shown["srcaddr"], shown["dstaddr"]
    pkt_src, pkt_dst = shown.get("pkt_srcaddr", src), shown.get("pkt_dstaddr", dst)
    unnamed = int(places.searchsorted(""))
    rows = {
        "place": np.where(number >= 0, number, unnamed),
        "vpc": pd.factorize(table["vpc_id"])[0].astype(np.int64),
        "src": src,
        "dst": dst,
        "real_src": np.where(pkt_src >= 0, pkt_src, src),
        "real_dst": np.where(pkt_dst >= 0, pkt_dst, dst),
        "bytes": table["bytes"].to_numpy("int64"),
        "path": _numbers(table["traffic_path"], {path: path for path in range(1, 9)}),
        "next_hop": _numbers(table["next_hop_interface_type"], _KIND_OF_TYPE),
        "next_hop_id": np.where(next_hop_id >= 0, next_hop_id, unnamed),
    }
    return pd.DataFrame(rows), places.to_numpy(object), addresses


def _codes(columns: Sequence[pd.Series], others: Sequence[str]) -> tuple[np.ndarray, pd.Index]:
    """Return columns of words, and some others, as numbers of words in order; -1 where a value is missing."""
    found = [pd.factorize(column) for column in columns]
    words = pd.Index(sorted({*others, *(word for _, uniques in found for word in uniques)}), dtype="str")
    return np.array([np.append(words.get_indexer(uniques), -1)[codes] for codes, uniques in found]), words


def _numbers(column: pd.Series, meanings: Mapping[Any, int]) -> np.ndarray:
    """Return what the values of a column mean, 0 where they are missing or mean nothing."""
    codes, uniques = pd.factorize(column)
    numbers: np.ndarray = np.array([*(meanings.get(value, 0) for value in uniques), 0], np.int64)[codes]
    return numbers


def _way(table: pd.DataFrame, columns: Collection[str], networks: list[str], topology: Topology | None) -> np.ndarray:
    """Tell the way of each sighting, seen from its place: what is logged, else by the addresses that the place owns."""
    logged = _numbers(table["flow_direction"], {"egress": 1, "ingress": 2})
    way: np.ndarray = np.array([_UNKNOWN, EGRESS, INGRESS])[logged]
    still = (way == _UNKNOWN) & table["interface_id"].notna().to_numpy()
    # Without these, the direction would tell nothing about the path.
    telling = {"az_id", "pkt_dstaddr", "pkt_srcaddr", "interface_type"}.intersection(columns)
    if not still.any() or not (telling or topology):
        return way
    owned = owned_addresses(_meetings(table[still] if telling else table[:0]), networks, topology)
    pairs = pd.MultiIndex.from_frame(owned[["interface_id", "address"]])
    own = [
        pd.MultiIndex.from_arrays([table.loc[still, "interface_id"], table.loc[still, end]]).isin(pairs)
        for end in ("srcaddr", "dstaddr")
    ]
    way[still] = np.where(own[0] == own[1], _UNKNOWN, np.where(own[0], EGRESS, INGRESS))
    return way


def _meetings(table: pd.DataFrame) -> pd.DataFrame:
    """Return who meets at which interface, as `reduce.ownership.meetings` tells of records."""
    replaced = {f"{end}_replaced": table[f"pkt_{end}addr"].notna() for end in ("src", "dst")}
    return table[["interface_id", "subnet_id", "srcaddr", "dstaddr"]].assign(**replaced).drop_duplicates()


def _kinds(
    table: pd.DataFrame, rows: pd.DataFrame, places: np.ndarray, internal: np.ndarray, topology: Topology | None
) -> tuple[np.ndarray, np.ndarray]:
    """Tell what each place is: by the topology, else by what is logged, else by what it does with addresses."""
    types = _most(rows["place"], table["interface_type"], len(places))
    kinds = np.array([_KIND_OF_TYPE.get(kind, ORDINARY) for kind in types])
    inferred = np.zeros(len(places), bool)
    of_gateway = _any(rows["place"], table["tgw_id"].notna() | table["tgw_attachment_id"].notna(), len(places))
    passing = _passing_on(table, rows, internal, len(places))
    for number, place in enumerate(places):
        interface = topology.interfaces.get(place) if topology else None
        if of_gateway[number]:
            kinds[number] = GATEWAY_LOG
        elif interface is not None:
            kinds[number] = _KIND_IN_TOPOLOGY.get(interface.kind or "", ORDINARY)
        elif place.startswith("nat-"):
            kinds[number] = NAT
        elif not types[number] and passing[number] and place:
            kinds[number], inferred[number] = passing[number], True
    return kinds, inferred


def _passing_on(table: pd.DataFrame, rows: pd.DataFrame, internal: np.ndarray, count: int) -> np.ndarray:
    """Tell what a place of no instance does: put its own address for others' as a NAT gateway, or pass packets on.

    Both have packets for an end that is not the own one. A NAT gateway then speaks to that end itself.
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-nat
    """
    egress, ingress = rows["way"] == EGRESS, rows["way"] == INGRESS
    replaced = (egress & (rows["real_src"] != rows["src"])) | (ingress & (rows["real_dst"] != rows["dst"]))
    behind = np.where(egress, rows["real_src"], rows["real_dst"])
    remote = np.where(egress, rows["dst"], rows["src"])
    without = ~_any(rows["place"], table["instance_id"].notna(), count) & table["instance_id"].notna().any()
    for_outside = _any(rows["place"], replaced & internal[remote] & ~internal[behind], count)
    to_outside = _any(rows["place"], (egress | ingress) & ~replaced & ~internal[remote], count)
    translates, passes = (
        without & for_outside & to_outside,
        without & _any(rows["place"], replaced, count) & ~to_outside,
    )
    return np.where(translates, NAT, np.where(passes, TGW, ORDINARY))


def _zones_of_places(table: pd.DataFrame, rows: pd.DataFrame, count: int) -> np.ndarray:
    """Return the zone of each place: as it is logged there, else as those tell that send to a NAT gateway there."""
    logged = _most(rows["place"], table["az_id"], count)
    to_gateway = (rows["next_hop"] == NAT).to_numpy()
    told = _only(rows["next_hop_id"][to_gateway].to_numpy(), table["next_hop_az_id"][to_gateway], count)
    return np.where(logged == "", told, logged)


def _local(rows: pd.DataFrame) -> np.ndarray:
    """Return the address that the interface of each sighting has, `NOBODY` where the way is not known."""
    way = rows["way"].to_numpy()
    local: np.ndarray = np.select([way == EGRESS, way == INGRESS], [rows["src"], rows["dst"]], NOBODY)
    return local


class _Known:
    """What sightings tell of addresses: where there are two answers, none."""

    def __init__(self, table: pd.DataFrame, rows: pd.DataFrame, kinds: np.ndarray, internal: np.ndarray) -> None:
        egress, ingress = (rows["way"] == EGRESS).to_numpy(), (rows["way"] == INGRESS).to_numpy()
        kind = kinds[rows["place"]]
        self._at_interface = (egress | ingress) & (kind != GATEWAY_LOG)
        regional = table["interface_id"].isna().to_numpy() & (kind == NAT)
        self._at_interface &= ~regional
        self._local = np.where(egress, rows["src"], rows["dst"])
        # At an ordinary interface, also the other internal addresses that it has are its own, as those of pods.
        real = np.where(egress, rows["real_src"], rows["real_dst"])
        self._real_local = np.where((kind == ORDINARY) & internal[real], real, self._local)
        self._remote = np.where(egress, rows["real_dst"], rows["real_src"])
        self._table, self._rows, self._kind, self._count = table, rows, kind, len(internal)

    @property
    def own(self) -> np.ndarray:
        """The numbers of the addresses that interfaces have."""
        return pd.unique(np.append(self._local[self._at_interface], self._real_local[self._at_interface]))

    def of_addresses(self, column: str) -> np.ndarray:
        """Return what the interface of each address has in a column."""
        other = self._at_interface & (self._real_local != self._local)
        local = np.append(self._local[self._at_interface], self._real_local[other])
        values = self._table[column]
        return _only(local, pd.concat([values[self._at_interface], values[other]]), self._count)

    def zones_of_next_hops(self) -> np.ndarray:
        """Return the zone of the interface that an address was reached at, where that does not pass packets on."""
        reached = self._at_interface & (self._kind == ORDINARY) & (self._rows["next_hop"] == ORDINARY).to_numpy()
        return _only(self._remote[reached], self._table["next_hop_az_id"][reached], self._count)

    def services(self) -> np.ndarray:
        """Return the AWS service of each address."""
        ends = np.concatenate([self._rows["real_src"], self._rows["real_dst"]])
        told = pd.concat([self._table["pkt_src_aws_service"], self._table["pkt_dst_aws_service"]])
        return _most(pd.Series(ends), told, self._count)

    def endpoints(self) -> np.ndarray:
        """Return the place of the endpoint that has each address."""
        there = self._at_interface & (self._kind == ENDPOINT)
        found: np.ndarray = np.full(self._count, NOWHERE)
        found[self._local[there]] = self._rows["place"][there]
        return found


def _ask(topology: Topology, scene: Scene) -> None:
    """Fill in what the topology knows of the addresses and interfaces."""
    from flowlens.topology.kinds import resource

    place_of = {place: number for number, place in enumerate(scene.places)}
    for number in np.flatnonzero(scene.internal).tolist():
        address = scene.addresses[number]
        vpc = scene.vpcs[number] or None
        holders = topology.holders(address, vpc=vpc)
        homes = holders or topology.subnets_at(address, vpc=vpc)
        if len(homes) == 1:
            scene.zones[number] = scene.zones[number] or homes[0].zone_id or ""
            scene.vpcs[number] = scene.vpcs[number] or homes[0].vpc or ""
        owners = {resource(holder) for holder in holders}
        scene.resources[number] = (owners.pop() or "") if len(owners) == 1 else ""
        if len(holders) == 1:
            scene.public[number] = any(own == address for own, _ in holders[0].translations)
            if holders[0].kind == "endpoint":
                scene.endpoints[number] = place_of[holders[0].id]
    for number, place in enumerate(scene.places):
        if place in topology.interfaces:
            interface = topology.interfaces[place]
            scene.zones_of_places[number] = scene.zones_of_places[number] or interface.zone_id or ""
            scene.owners[number] = resource(interface) or ""


def _any(places: pd.Series, holds: pd.Series | np.ndarray, count: int) -> np.ndarray:
    """Tell for each place whether something holds for any of its sightings."""
    found: np.ndarray = np.zeros(count, bool)
    found[places[np.asarray(holds, bool)]] = True
    return found


def _told(numbers: pd.Series | np.ndarray, words: pd.Series) -> pd.DataFrame:
    """Return each number with each word that is told for it, once."""
    codes, uniques = pd.factorize(words)
    there = codes >= 0
    keys = pd.unique(np.asarray(numbers)[there] * max(len(uniques), 1) + codes[there])
    number, code = np.divmod(keys.astype(np.int64), max(len(uniques), 1))
    return pd.DataFrame({"number": number, "word": np.asarray(uniques, object)[code]})


def _most(numbers: pd.Series, words: pd.Series, count: int) -> np.ndarray:
    """Return the word that is told for each number, the first in order if several are; empty where none is."""
    found: np.ndarray = np.full(count, "", object)
    told = _told(numbers, words).sort_values(["number", "word"], ascending=False)
    found[told["number"]] = told["word"]
    return found


def _only(numbers: np.ndarray, words: pd.Series, count: int) -> np.ndarray:
    """Return the word that is told for each number; empty where none or more than one is."""
    found: np.ndarray = np.full(count, "", object)
    told = _told(numbers, words).drop_duplicates("number", keep=False)
    found[told["number"]] = told["word"]
    return found
