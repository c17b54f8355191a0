"""Contacts with addresses on a list that somebody made: the hardest evidence there is, as good as the list.

What came of the contact decides how much it means: an answered call to a listed address is an incident, a refused knock
from one is the internet as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port
from flowlens.detect.scene import Scene

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["MATCHES"]


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.listed)
    pairs = t.group_by(["src", "dst", "dport", "protocol"]).agg(
        interface_id=t.interface_id.min(),
        answered=t.answered.cast("int64").sum(),
        refused=t.refused.cast("int64").sum(),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        bytes_in=t.bytes_in.sum().cast("!int64"),
        first=t["first"].min(),
        last=t["last"].max(),
        from_inside=t.from_inside.max(),
        to_inside=t.to_inside.max(),
        to_special=t.to_special.max(),
    )
    return pairs.rename(srcaddr="src", dstaddr="dst", dstport="dport")


def _judge(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    found = _listed(pairs, scene)
    if found.empty:
        return no_findings()
    at = scene.thresholds
    confidence = found["confidence"].astype("Float64").fillna(at["match.confidence"]).to_numpy(float)
    flows = found["flows"].to_numpy(float)
    outcome = np.where(
        found["answered"].to_numpy() > 0,
        1.0,
        np.where(found["refused"].to_numpy(float) == flows, at["match.refused"], at["match.unanswered"]),
    )
    valid = np.where(found["valid"].to_numpy(bool), 1.0, at["match.expired"])
    called = found["end"].to_numpy() == "dstaddr"
    listed = np.where(called, found["dstaddr"].astype(object), found["srcaddr"].astype(object))
    names = [name if isinstance(name, str) and name else "a list" for name in found["name"]]
    return finding_rows(
        "match",
        with_context(found, scene, "match"),
        scene,
        subject=found["srcaddr"],
        terms={"confidence": confidence, "outcome": outcome, "valid": valid},
        score=confidence * outcome * valid,
        evidence={
            "listed": listed,
            "name": names,
            "cidr": found["cidr"].to_numpy(),
            "lists": found["lists"].to_numpy(),
            "answered": found["answered"].to_numpy(),
            "refused": found["refused"].to_numpy(),
            "bytes_in": found["bytes_in"].to_numpy(),
        },
        why=[_why(row) for row in found.assign(listed=listed, list_name=names).itertuples()],
        technique=np.where(called, "T1071", "T1595").tolist(),
        guardduty="UnauthorizedAccess:EC2/MaliciousIPCaller.Custom",
        caveat=["" if one else "the indicator had expired before" for one in found["valid"]],
    )


def _why(row: Any) -> str:  # noqa: ANN401 - a row of itertuples
    times = f"{row.flows:,} time{'' if row.flows == 1 else 's'}, {row.answered:,} of them answered"
    between = f"{row.srcaddr} called {row.dstaddr} at {text_of_port(row.dstport, row.protocol)}"
    return f"{between} {times}; {row.listed} is in {row.cidr} ({row.list_name})"


def _listed(pairs: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    """Return the pairs with the most telling indicator of either end, and how many there are of both.

    An indicator that names a port means what is called at that port, and no other.
    """
    indicators = scene.indicators
    if indicators is None or pairs.empty:
        return pairs.iloc[:0]
    hits = pd.concat([_hits(pairs, end, indicators.match) for end in ("dstaddr", "srcaddr")], ignore_index=True)
    table = indicators.table.reset_index(drop=True)
    both = hits.join(table[["cidr", "name", "port", "protocol", "confidence", "valid_until"]], on="indicator")
    units = pairs.iloc[both["pair"]].reset_index(drop=True)
    meant = both["port"].isna() | ((both["end"] == "dstaddr") & (both["port"] == units["dstport"]))
    meant &= both["protocol"].isna() | (both["protocol"] == units["protocol"])
    # Lists of bad addresses hold private ranges, too (FireHOL, level 1); a host of one's own is meant by itself.
    inside = pd.Series(np.where(both["end"] == "dstaddr", units["to_inside"], units["from_inside"]), dtype=bool)
    meant &= ~inside | both["cidr"].str.fullmatch(r"[\d.]+/32|[\da-f:]+/128")
    # What was published later is what one searches old logs for; what has expired may be somebody else by now.
    both["valid"] = both["valid_until"].isna() | (both["valid_until"] > units["first"])
    both = both[meant.fillna(False).to_numpy(bool)]
    # Those that were valid first, then the surest, then as they stand in the list.
    order = both.assign(surety=both["confidence"].astype("Float64").fillna(scene.thresholds["match.confidence"]))
    order = order.sort_values(["pair", "valid", "surety", "indicator"], ascending=[True, False, False, True])
    best = order.drop_duplicates("pair").set_index("pair")
    chosen = pairs.iloc[best.index].reset_index(drop=True)
    return chosen.assign(
        **{name: best[name].to_numpy() for name in ("end", "cidr", "valid")},
        name=best["name"].astype(object).to_numpy(),
        confidence=best["confidence"].astype("Float64").array,
        lists=order.groupby("pair")["indicator"].nunique().reindex(best.index).to_numpy(),
    )


def _hits(pairs: pd.DataFrame, end: str, match: object) -> pd.DataFrame:
    codes, addresses = pd.factorize(pairs[end])
    found = match(pd.Index(addresses, dtype=object))  # type: ignore[operator]
    # A pair for each address that it has, and each indicator of that.
    of_address = pd.DataFrame({"address": codes, "pair": np.arange(len(pairs))})
    return of_address.merge(found, on="address")[["pair", "indicator"]].assign(end=end)


def _unscored(scene: Scene) -> str:
    return "" if scene.indicators is not None else "there is no list to match: give indicators="


MATCHES = Detector(kind="match", reduce=_reduce, judge=_judge, unscored=_unscored)
