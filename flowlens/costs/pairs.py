"""What went from one end to another, each byte once, and the way that it took.

The interfaces of both ends log the same packets, and so does what passes them on. Each stage of the way saw all of
them, so the largest sum of any stage and direction is what went.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from flowlens.costs.scene import EGRESS, ENDPOINT, GATEWAY_LOG, INGRESS, NOWHERE, ORDINARY, TGW, Scene

__all__ = ["passed"]

#: More than there are paths.
_PATHS = 16


def passed(scene: Scene, rows: pd.DataFrame) -> pd.DataFrame:
    """Return how much went between two ends on each way.

    Returns
    -------
    pandas.DataFrame
        `src`, `dst` (the real ends), `bytes`, `path` (0 where not told), `mirrored` (told by the opposite direction),
        `transit` (place of the transit gateway, itself or its interface) and `endpoint` (that of the endpoint), both
        `NOWHERE` where there is none.
    """
    count = len(scene.addresses)
    seen = rows.assign(pair=rows["real_src"].to_numpy() * count + rows["real_dst"].to_numpy())
    total = _largest(scene, seen)
    parts = _by_path(total, _told_paths(scene, seen), count)
    src, dst = np.divmod(parts["pair"].to_numpy(), count)
    transit = _told_of(_transit(scene, seen), parts["pair"], count)
    endpoint = _told_of(_next_hop_endpoints(seen), parts["pair"], count)
    for end in (src, dst):
        endpoint = np.where(endpoint == NOWHERE, scene.endpoints[end], endpoint)
    return parts.assign(src=src, dst=dst, transit=transit, endpoint=endpoint)


def _largest(scene: Scene, seen: pd.DataFrame) -> pd.Series:
    """Return for each pair the largest of what was seen at any stage of the way, apart for the two directions."""
    spot = scene.stages(seen) * 3 + seen["way"].to_numpy() + 1
    spots = int(spot.max()) + 1 if len(spot) else 1
    by_spot = seen["bytes"].groupby(seen["pair"].to_numpy() * spots + spot, sort=False).sum()
    return by_spot.groupby(by_spot.index.to_numpy() // spots, sort=False).max()


def _told_paths(scene: Scene, seen: pd.DataFrame) -> pd.DataFrame:
    """Return the paths that the sender's interface told, with the bytes, the largest of a pair first.

    What passes packets on tells its own way and not that of the sender.
    """
    told = seen[(seen["path"] > 0) & (scene.kinds[seen["place"]] == ORDINARY)]
    keys = told["pair"].to_numpy() * _PATHS + told["path"].to_numpy()
    summed = told["bytes"].groupby(keys, sort=False).sum()
    pair, path = np.divmod(summed.index.to_numpy(), _PATHS)
    paths = pd.DataFrame({"pair": pair, "path": path, "bytes": summed.to_numpy()})
    several = paths["pair"].duplicated(keep=False)
    ranked = paths[several].sort_values(["pair", "bytes", "path"], ascending=[True, False, True])
    return pd.concat([paths[~several], ranked], ignore_index=True)


def _by_path(total: pd.Series, told: pd.DataFrame, count: int) -> pd.DataFrame:
    """Share out what went between two ends to the paths that were told.

    Where another place saw more than the sender told the path of, that goes to its main one. A direction whose path
    was not told, as that of what comes in, takes the main path of the opposite direction.
    """
    parts = pd.DataFrame({"pair": total.index.to_numpy(), "bytes": total.to_numpy()})
    if told.empty:
        return parts.assign(path=0, mirrored=False)
    main = told.drop_duplicates("pair")
    others = told.drop(main.index)
    elsewhere = others.groupby("pair")["bytes"].sum()
    parts["bytes"] -= elsewhere.reindex(parts["pair"], fill_value=0).to_numpy()
    paths = main.set_index("pair")["path"]
    own = paths.reindex(parts["pair"], fill_value=0).to_numpy()
    opposite = paths.reindex(_opposite(parts["pair"].to_numpy(), count), fill_value=0).to_numpy()
    parts = parts.assign(path=np.where(own > 0, own, opposite), mirrored=(own == 0) & (opposite > 0))
    parts = pd.concat([parts, others.assign(mirrored=False)], ignore_index=True)
    return parts[parts["bytes"] > 0]


def _transit(scene: Scene, seen: pd.DataFrame) -> pd.DataFrame:
    """Return the transit gateway of each pair that went through one: its id, else the interface that it came in by."""
    kind, next_hop = scene.kinds[seen["place"]], (seen["next_hop"] == TGW).to_numpy()
    through = seen[np.isin(kind, (TGW, GATEWAY_LOG)) | next_hop]
    kind = scene.kinds[through["place"]]
    at_gateway = np.isin(kind, (TGW, GATEWAY_LOG))
    came_in = (through["way"] == np.where(at_gateway, INGRESS, EGRESS)).to_numpy()
    via = np.where(at_gateway, through["place"], through["next_hop_id"])
    rank = np.where(kind == GATEWAY_LOG, 0, np.where(came_in, 1, 2))
    named = pd.DataFrame({"pair": through["pair"].to_numpy(), "rank": rank, "via": via})
    return named.sort_values(["pair", "rank", "via"]).drop_duplicates("pair")


def _next_hop_endpoints(seen: pd.DataFrame) -> pd.DataFrame:
    through = seen[seen["next_hop"] == ENDPOINT]
    named = through[["pair", "next_hop_id"]].rename(columns={"next_hop_id": "via"})
    return named.sort_values(["pair", "via"]).drop_duplicates("pair")


def _told_of(named: pd.DataFrame, pairs: pd.Series, count: int) -> np.ndarray:
    """Return what is told for each pair, or else for the opposite direction; `NOWHERE` where nothing is."""
    if named.empty:
        return np.full(len(pairs), NOWHERE)
    via = named.set_index("pair")["via"]
    own = via.reindex(pairs, fill_value=NOWHERE).to_numpy()
    opposite = via.reindex(_opposite(pairs.to_numpy(), count), fill_value=NOWHERE).to_numpy()
    return np.where(own != NOWHERE, own, opposite)


def _opposite(pairs: np.ndarray, count: int) -> np.ndarray:
    src, dst = np.divmod(pairs, max(count, 1))
    opposite: np.ndarray = dst * count + src
    return opposite
