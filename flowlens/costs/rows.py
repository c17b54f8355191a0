"""Charges as the user reads them: few rows, who and what, the price, and what would be cheaper."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flowlens.costs.charges import BY_GATEWAY_ENDPOINT, Case, Charges
from flowlens.costs.scene import NOBODY, Scene
from flowlens.prices import GB

__all__ = ["readable"]

_COLUMNS = ["path", "via", "source", "destination", "bytes", "usd", "usd_per_gb", "why", "advice", "missing"]
_MADE = ["path", "via", "source", "destination", "bytes", "why", "zone", "missing"]
_TEXTS = ["path", "via", "source", "destination", "why", "advice"]

#: An address with less than this part of the bytes of its path is not named alone.
_WORTH_NAMING = 0.01

#: How AWS names the range of a service; no address, and none of the groups here, looks like that.
_SERVICE = re.compile(r"[A-Z][A-Z0-9_]*")

#: Ranges of addresses for which there is no interface endpoint: those of instances, and the edge of the network.
_NO_ENDPOINT = ("EC2", "CLOUDFRONT", "CLOUDFRONT_ORIGIN_FACING", "GLOBALACCELERATOR")


def readable(scene: Scene, charges: Charges, prices: Mapping[str, float]) -> pd.DataFrame:
    """Return one row for each path, gateway, source and destination, dearest first."""
    made = [(case, part) for case, part in charges if len(part)]
    worth = {
        path: [_worth_naming(scene, [p for case, p in made if case.path == path], end) for end in ("src", "dst")]
        for path in prices
    }
    rows = [row for case, part in made for row in _rows_of(scene, case, part, worth.get(case.path))]
    table = pd.DataFrame(rows, columns=_MADE)
    table["usd_per_gb"] = table["path"].map(prices).astype("float64")
    table["usd"] = table["bytes"].astype("float64") / GB * table["usd_per_gb"]
    table["advice"] = [_advice(row, prices) for row in table.to_dict("records")]
    order = ["usd", "bytes", *_TEXTS]
    ranked = table.sort_values(order, ascending=[column in _TEXTS for column in order], na_position="last")
    return _typed(ranked.reset_index(drop=True))


def _worth_naming(scene: Scene, parts: Sequence[pd.DataFrame], end: str) -> np.ndarray:
    """Tell which addresses make a good part of the bytes of a path, those of one resource together."""
    of_address: np.ndarray = np.zeros(len(scene.addresses), np.int64)
    everything = 0
    for part in parts:
        everything += int(part["bytes"].sum())
        known = part[part[end] != NOBODY]
        np.add.at(of_address, known[end].to_numpy(), known["bytes"].to_numpy())
    resource, _ = pd.factorize(np.where(scene.resources == "", scene.addresses, scene.resources))
    of_resource = np.zeros(len(of_address), np.int64)
    np.add.at(of_resource, resource, of_address)
    worth: np.ndarray = of_resource[resource] >= max(_WORTH_NAMING * everything, 1)
    return worth


def _rows_of(
    scene: Scene, case: Case, part: pd.DataFrame, worth: Sequence[np.ndarray] | None
) -> list[tuple[object, ...]]:
    """Return the rows of one case; of what is not attributed one."""
    missing = case.lacking(scene)
    if worth is None:
        return [(case.path, None, None, None, int(part["bytes"].sum()), case.why, "", missing)]
    # The far end is somewhere outside, or the gateway itself on the way to it.
    far = "NAT gateway" if case.path == "cross-AZ" else "internet"
    client = np.where((part["dst"] == NOBODY) & (case.path == "cross-AZ"), part["src"], NOBODY)
    keys = {
        "via": _at(np.append(_gateways(scene), ""), part["via"]),
        "source": _at(_names(scene, worth[0], "not in the log"), part["src"]),
        "destination": _at(_names(scene, worth[1], far), part["dst"]),
        "zone": _at(np.append(scene.zones, ""), client),
    }
    sized = pd.DataFrame({**keys, "bytes": part["bytes"].to_numpy()})
    summed: pd.DataFrame = sized.groupby(list(keys), as_index=False, observed=True).agg(bytes=("bytes", "sum"))
    return [
        (case.path, row["via"] or None, row["source"], row["destination"], row["bytes"], case.why, row["zone"], missing)
        for row in summed.to_dict("records")
    ]


def _at(words: np.ndarray, places: pd.Series | np.ndarray) -> pd.Categorical[str]:
    """Return the words at some places; there are few words and many places, of which -1 is the last one."""
    codes, distinct = pd.factorize(words)
    return pd.Categorical.from_codes(codes[np.asarray(places)], categories=pd.Index(distinct))


def _gateways(scene: Scene) -> np.ndarray:
    """Name each place: what it belongs to, and its id."""
    return np.array(
        [
            place if not owner else owner if place in owner else f"{owner} ({place})"
            for place, owner in zip(scene.places, scene.owners, strict=True)
        ],
        object,
    )


def _names(scene: Scene, worth: np.ndarray, nobody: str) -> np.ndarray:
    """Name each address: its service, itself or what it belongs to if that is worth it, else its group; then nobody."""
    group = np.where(
        scene.internal, np.where(scene.zones == "", "internal", "others in " + scene.zones), "internet"
    ).astype(object)
    own = np.where(scene.resources == "", scene.addresses.to_numpy(object), scene.resources)
    named = np.where(worth, own, group)
    named = np.where(scene.services != "", scene.services, named)
    return np.append(named, nobody)


def _advice(row: Mapping[Hashable, Any], prices: Mapping[str, float]) -> str:
    """Return what would be cheaper than what a row says."""
    usd, service = row["usd"], row["destination"]
    if row["zone"]:
        return f"A NAT gateway in {row['zone']} would save {_usd(usd)}; it has a price by the hour, not in the log."
    if row["path"] != "NAT gateway" or not _SERVICE.fullmatch(service):
        return ""
    if service in BY_GATEWAY_ENDPOINT:
        return f"A gateway endpoint for {service} is free and would save {_usd(usd)}, if it is that of the same region."
    by_endpoint = row["bytes"] / GB * prices["interface endpoint"]
    if service in _NO_ENDPOINT or not by_endpoint < usd:
        return ""
    return (
        f"An interface endpoint would process this for {_usd(by_endpoint)} ({prices['interface endpoint']:g} per GB), "
        f"{_usd(usd - by_endpoint)} less, in the same region; it has a price by the hour, not in the log."
    )


def _usd(amount: float) -> str:
    if np.isnan(amount):
        return "the price of these bytes"
    return f"{amount:,.2f} USD" if amount >= 1 else f"{amount:.2g} USD"


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    text = {column: rows[column].astype("str") for column in _TEXTS}
    return rows.assign(**text, bytes=rows["bytes"].astype("Int64"))[_COLUMNS]
