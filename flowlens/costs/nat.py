"""What went through NAT gateways: for whom, to where, and how much of it, each byte once.

A packet from a client is logged where it leaves the client (client to far end), where it comes in at the gateway (its
packet has both real ends) and where it leaves it (gateway to far end, the client no longer told); answers likewise.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-nat
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlens.costs.scene import EGRESS, GATEWAY_LOG, INGRESS, NAT, NOBODY, NOWHERE, TGW, Scene

__all__ = ["Translated", "translated"]

_PAIR = ["nat", "out", "client", "far"]

#: Paths that lead elsewhere than to a NAT gateway: all that are told but that within the VPC.
_WITHIN_VPC = (0, 1)


@dataclass(frozen=True, slots=True)
class Translated:
    """What went through NAT gateways.

    Attributes
    ----------
    pairs
        `nat` (a place), `out` (or else in), `client`, `far` (addresses, or `NOBODY`), `bytes`.
    unsolicited
        Bytes from outside that no client asked for; the gateway drops them.
    rest
        The sightings that are not explained by this.
    """

    pairs: pd.DataFrame
    unsolicited: int
    rest: pd.DataFrame


def translated(scene: Scene) -> Translated:
    """Find what went through NAT gateways."""
    rows = scene.rows
    at_nat = scene.kinds[rows["place"]] == NAT
    inside, outside = _sides(scene, rows[at_nat])
    elsewhere = rows[~at_nat]
    at_client = _told_by_next_hop(elsewhere)
    at_client = pd.concat([at_client, _matched(scene, elsewhere.drop(at_client.index), inside, outside)])
    # A transit gateway on the way has a price of its own, so what it saw or was sent stays.
    passed_on = (at_client["next_hop"] == TGW) | np.isin(scene.kinds[at_client["place"]], (TGW, GATEWAY_LOG))
    pairs = _largest(scene, inside, at_client)
    outside, unsolicited = _solicited(outside, pairs)
    pairs = pd.concat([pairs, _seen_outside_only(pairs, outside)], ignore_index=True)
    return Translated(pairs[pairs["bytes"] > 0], unsolicited, elsewhere.drop(at_client.index[~passed_on]))


def _sides(scene: Scene, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what NAT gateways saw on the side of the clients, by client and far end, and outside, by far end."""
    way = rows["way"].to_numpy().copy()
    # Records of a regional gateway have the real ends, so that its own address tells nothing.
    open_ = way < 0
    way[open_] = np.where(scene.internal[rows["src"]][open_], INGRESS, EGRESS)
    out = way == INGRESS
    remote = np.where(out, rows["src"], rows["dst"])
    behind = np.where(out, rows["real_dst"], rows["real_src"])
    replaced = behind != np.where(out, rows["dst"], rows["src"])
    regional = np.array([place.startswith("nat-") for place in scene.places], bool)[rows["place"]]
    told = "pkt_dstaddr" in scene.columns and "pkt_srcaddr" in scene.columns
    inner = replaced | (scene.internal[remote] & (regional | (not told)))
    seen = pd.DataFrame(
        {
            "nat": rows["place"].to_numpy(),
            "out": out == inner,
            "client": np.where(inner, remote, NOBODY),
            "far": np.where(inner, np.where(replaced | regional, behind, NOBODY), remote),
            "bytes": rows["bytes"].to_numpy(),
        }
    )
    return _summed(seen[inner]), _summed(seen[~inner])


def _told_by_next_hop(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the sightings that name a NAT gateway as the next hop: the one sent to, or the one it came from."""
    told = rows[(rows["next_hop"] == NAT) & (rows["way"] >= 0)]
    return _of_client(told, told["next_hop_id"].to_numpy(), (told["way"] == EGRESS).to_numpy())


def _matched(scene: Scene, rows: pd.DataFrame, inside: pd.DataFrame, outside: pd.DataFrame) -> pd.DataFrame:
    """Return the sightings between a client of a NAT gateway and a far end that it spoke to for somebody.

    Where both ends are internal, they may as well speak without it, so that the gateway has to have seen the pair.
    """
    rows = rows[rows["path"].isin(_WITHIN_VPC) & (rows["next_hop"] != NAT)]
    if inside.empty or rows.empty:
        return _of_client(rows[:0], np.empty(0, int), np.empty(0, bool))
    homes = scene.rows[scene.kinds[scene.rows["place"]] == NAT].groupby("place")["vpc"].max()
    inside = inside.assign(vpc=homes.reindex(inside["nat"]).to_numpy())
    pairs = inside[inside["far"] != NOBODY]
    clients = inside[["nat", "vpc", "client"]].drop_duplicates()
    peers = pd.concat([outside, pairs])[["nat", "far"]].drop_duplicates()
    near, far = scene.internal[rows["real_src"]], scene.internal[rows["real_dst"]]
    found = []
    for out, among in ((True, near), (False, far)):
        ends = _of_client(rows[among], NOWHERE, np.full(int(among.sum()), out))
        ends = ends[ends["client"].isin(clients["client"]) & ends["far"].isin(peers["far"])]
        exact = _by_pair(ends, pairs[["nat", "vpc", "client", "far"]])
        others = ends.drop(exact.index)
        others = others[~scene.internal[others["far"]]]
        by_end = _by_pair(others, clients.merge(peers, on="nat")) if len(others) else others
        found += [exact, by_end]
    return pd.concat(found)


def _by_pair(ends: pd.DataFrame, gateways: pd.DataFrame) -> pd.DataFrame:
    """Return the sightings of pairs that a gateway has, with the gateway: that of the same VPC, else the first."""
    found = ends[:0]
    for keys in (["client", "far", "vpc"], ["client", "far"]):
        one = gateways.sort_values([*keys, "nat"]).drop_duplicates(keys)[[*keys, "nat"]]
        rest = ends.drop(found.index).drop(columns="nat").reset_index()
        found = pd.concat([found, rest.merge(one, on=keys).set_index("index")[list(ends.columns)]])
    return found


def _of_client(rows: pd.DataFrame, nat: np.ndarray | int, out: np.ndarray) -> pd.DataFrame:
    client = np.where(out, rows["real_src"], rows["real_dst"])
    far = np.where(out, rows["real_dst"], rows["real_src"])
    return rows.assign(nat=nat, out=out, client=client, far=far)


def _largest(scene: Scene, inside: pd.DataFrame, at_client: pd.DataFrame) -> pd.DataFrame:
    """Join what the gateway and others saw of each pair: the largest, since they saw the same packets.

    Clients of one address add up where the next hop tells that it is this gateway; else they may be those of another.

    What the gateway saw without the far end is that of other pairs, as far as these are known.
    """
    stage = np.where(at_client["next_hop"] == NAT, scene.stages(at_client), at_client["place"])
    elsewhere = _sum(at_client.assign(stage=stage), [*_PAIR, "stage", "way"])[[*_PAIR, "bytes"]]
    told = inside[inside["far"] != NOBODY]
    pairs: pd.DataFrame = pd.concat([told, elsewhere]).groupby(_PAIR, as_index=False).agg(bytes=("bytes", "max"))
    bare = inside[inside["far"] == NOBODY]
    known = elsewhere.groupby(_PAIR, as_index=False)["bytes"].max().merge(told[_PAIR], how="left", indicator=True)
    known = known[known["_merge"] == "left_only"].groupby(_PAIR[:3])["bytes"].sum()
    explained = known.reindex(pd.MultiIndex.from_frame(bare[_PAIR[:3]]), fill_value=0).to_numpy()
    left = bare.assign(bytes=(bare["bytes"].to_numpy() - explained).clip(0))
    return pd.concat([pairs, left], ignore_index=True)[[*_PAIR, "bytes"]]


def _solicited(outside: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Leave out what came from where nothing was sent to, and return how much that is."""
    both = pd.concat([outside, pairs])
    sent = both.loc[both["out"].to_numpy(bool), ["nat", "far"]].drop_duplicates()
    known = outside.merge(sent, how="left", indicator=True)["_merge"].to_numpy() == "both"
    return outside[known], int(outside["bytes"][~known].sum())


def _seen_outside_only(pairs: pd.DataFrame, outside: pd.DataFrame) -> pd.DataFrame:
    """Return what left a gateway for a far end, or came from it, beyond what is known of the clients.

    Where bytes of clients have no far end, those are the same bytes seen from the other side.
    """
    known = pairs.groupby(["nat", "out", "far"])["bytes"].sum()
    keys = pd.MultiIndex.from_frame(outside[["nat", "out", "far"]])
    left = outside.assign(bytes=(outside["bytes"].to_numpy() - known.reindex(keys, fill_value=0).to_numpy()).clip(0))
    bare = pairs[pairs["far"] == NOBODY].groupby(["nat", "out"])["bytes"].sum()
    without_end = bare.reindex(pd.MultiIndex.from_frame(left[["nat", "out"]]), fill_value=0).to_numpy()
    apart = left[without_end == 0]
    together = _sum(left[without_end > 0], ["nat", "out"])
    same = bare.reindex(pd.MultiIndex.from_frame(together[["nat", "out"]]), fill_value=0).to_numpy()
    together = together.assign(client=NOBODY, far=NOBODY, bytes=(together["bytes"].to_numpy() - same).clip(0))
    added: pd.DataFrame = pd.concat([apart, together], ignore_index=True)
    return added[[*_PAIR, "bytes"]]


def _summed(seen: pd.DataFrame) -> pd.DataFrame:
    return _sum(seen, _PAIR)


def _sum(seen: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    summed: pd.DataFrame = seen.groupby(list(keys), as_index=False).agg(bytes=("bytes", "sum"))
    return summed
