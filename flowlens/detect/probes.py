"""What the internet tries: one row a port of one's own that is exposed, with all who probe it.

A public address sees thousands of sources a day, most of them once. None of them is worth an alert; the port is, if it
answers and should not. So what is rated is the exposure of the port, and nobody is accused. A port that answers those
for whom it is meant, while filters refuse the others, is not exposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.detect.context import with_context
from flowlens.detect.detector import Detector
from flowlens.detect.rows import finding_rows, no_findings, text_of_port
from flowlens.detect.scene import Scene
from flowlens.detect.scores import saturating_log

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["PROBES"]

# Nobody should offer these to the internet: what logs in, databases and what runs other machines. The first column of
# https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-19, and what stands beside them.
_SENSITIVE = {
    20, 21, 22, 23, 25, 110, 111, 135, 137, 138, 139, 143, 161, 389, 445, 512, 513, 514, 873, 1080, 1433, 1434, 1521,
    2049, 2323, 2375, 2376, 2379, 3000, 3306, 3389, 4333, 5000, 5060, 5432, 5500, 5601, 5900, 5985, 5986, 6379, 6443,
    8080, 8088, 8888, 9042, 9090, 9092, 9200, 9300, 10250, 11211, 15672, 27017, 50070,
}  # fmt: skip
_WEB = {80, 443}
_DAY = 86_400
_SENSITIVITY = {"sensitive": 0.85, "other": 0.6, "web": 0.4}


def _reduce(flows: ir.Table, ground: ir.Table, at: Mapping[str, float]) -> ir.Table:  # noqa: ARG001
    t = ground.filter(ground.sure & ~ground.from_inside & ground.to_inside)
    per_source = t.group_by(["dst", "dport", "protocol", "src"]).agg(
        interface_id=t.interface_id.min(),
        flows=t.count(),
        bytes=t.bytes_out.sum().cast("!int64"),
        first=t["first"].min(),
        last=t["last"].max(),
        answered=t.answered.cast("int64").max(),
        refused=t.refused.cast("int64").min(),
    )
    s = per_source
    ports = s.group_by(["dst", "dport", "protocol"]).agg(
        interface_id=s.interface_id.min(),
        sources=s.src.collect(),
        source_count=s.count(),
        answered=s.answered.sum(),
        refused=s.refused.sum(),
        flows=s.flows.sum(),
        bytes=s.bytes.sum().cast("!int64"),
        first=s["first"].min(),
        last=s["last"].max(),
    )
    return ports.rename(dstaddr="dst", dstport="dport")


def _judge(ports: pd.DataFrame, scene: Scene) -> pd.DataFrame:
    if ports.empty:
        return no_findings()
    answered = ports["answered"].to_numpy() > 0
    refused = ports["refused"].to_numpy() == ports["source_count"].to_numpy()
    state = np.where(answered, "answers", np.where(refused, "refused", "unanswered"))
    ports = ports.assign(
        state=state,
        ports=pd.Series([(port,) for port in ports["dstport"].astype(object)], index=ports.index, dtype=object),
    )
    ports = ports.assign(from_inside=False, to_inside=True)
    # Infrastructure is innocent where it is used; that it answers the internet is an exposure like any other, and worse
    # where an open resolver or time server takes part in floods.
    exposed = ports[answered].assign(context=1.0, notes="")
    shut = with_context(_together(ports[~answered]), scene, "probe")
    units = pd.concat([some for some in (exposed, shut) if len(some)], ignore_index=True)
    at = scene.thresholds
    sources = units["source_count"].to_numpy(float)
    days = np.maximum(1.0, (units["last"] - units["first"]).dt.total_seconds().to_numpy(float) / _DAY)
    reach = saturating_log(sources / days, at["probe.sources"], at["probe.many_sources"])
    let_in = 1 - units["refused"].to_numpy(float) / sources
    open_to_those = np.where(units["state"] == "answers", 1.0, at["probe.unanswered"])
    openness = let_in * open_to_those + (1 - let_in) * at["probe.refused"]
    kind = [_kind(tried) for tried in units["ports"]]
    sensitivity = np.array([_SENSITIVITY[one] for one in kind])
    where = [
        f"{dst} at {f'{len(tried):,} ports' if len(tried) > 1 else text_of_port(port, protocol)}"
        for dst, port, protocol, tried in zip(
            units["dstaddr"], units["dstport"], units["protocol"], units["ports"], strict=True
        )
    ]
    return finding_rows(
        "probe",
        units,
        scene,
        subject=[
            f"{dst} {state} ports" if len(tried) > 1 else f"{dst} {text_of_port(port, protocol)}"
            for dst, port, protocol, tried, state in zip(
                units["dstaddr"], units["dstport"], units["protocol"], units["ports"], units["state"], strict=True
            )
        ],
        terms={"reach": reach, "openness": openness, "sensitivity": sensitivity},
        score=(0.3 + 0.7 * reach) * openness * sensitivity,
        evidence={
            "state": units["state"].tolist(),
            "source_count": units["source_count"].to_numpy(),
            "answered": units["answered"].to_numpy(),
            "refused": units["refused"].to_numpy(),
            "ports": units["ports"].tolist(),
            "sources": [tuple(sorted(map(str, sources))) for sources in units["sources"]],
        },
        why=[
            _why(place, state, counts, one, several=len(tried) > 1, filters="action" in scene.fields)
            for place, state, one, tried, *counts in zip(
                where,
                units["state"],
                kind,
                units["ports"],
                units["source_count"],
                units["answered"],
                units["refused"],
                strict=True,
            )
        ],
        technique="T1595",
        guardduty=["Recon:EC2/PortProbeUnprotectedPort" if one != "refused" else None for one in units["state"]],
    )


def _together(ports: pd.DataFrame) -> pd.DataFrame:
    """Put the ports of a host that do not answer into one row, by whether filters refuse what comes to them."""
    if ports.empty:
        return ports
    unit = ["dstaddr", "protocol", "state"]
    ordered = ports.sort_values("interface_id", kind="stable")
    hosts = ordered.groupby(unit, observed=True, dropna=False)
    rows = hosts.agg(
        interface_id=("interface_id", "first"), dstport=("dstport", "first"), count=("state", "size"),
        flows=("flows", "sum"), bytes=("bytes", "sum"), first=("first", "min"), last=("last", "max"),
        refused=("refused", "max"),
    ).reset_index()  # fmt: skip
    number = hosts.ngroup().to_numpy()
    knocks = ordered["sources"].map(len).to_numpy()
    sources = _distinct(np.repeat(number, knocks), np.concatenate(ordered["sources"].to_list()), len(rows))
    tried = ordered["dstport"].notna().to_numpy(bool)
    numbers = _distinct(number[tried], ordered["dstport"].to_numpy(object)[tried], len(rows))
    count = np.array([len(some) for some in sources], np.int64)
    return rows.assign(
        dstport=rows["dstport"].where(rows["count"] == 1),
        sources=pd.Series(sources, dtype=object),
        source_count=count,
        answered=0,
        # Who was refused at one port may be the one who was at another.
        refused=np.where(rows["state"] == "refused", count, rows["refused"]),
        ports=pd.Series([tuple(some) for some in numbers], dtype=object),
        from_inside=False,
        to_inside=True,
    )[list(ports.columns)]


def _distinct(number: np.ndarray, values: np.ndarray, lists: int) -> list[np.ndarray]:
    """Return what belongs to each number from 0 on, every value once and in order."""
    each = pd.DataFrame({"number": number, "value": values}).drop_duplicates().sort_values(["number", "value"])
    ends = np.cumsum(np.bincount(each["number"], minlength=lists))
    return np.split(each["value"].to_numpy(object), ends[:-1])


def _kind(ports: tuple[int, ...]) -> str:
    """Return what is the most sensitive of some ports."""
    kinds = ["sensitive" if port in _SENSITIVE else "web" if port in _WEB else "other" for port in ports]
    return max(kinds, key=_SENSITIVITY.__getitem__, default="other")


def _why(where: str, state: str, counts: Sequence[int], kind: str, *, several: bool, filters: bool) -> str:
    sources, answered, refused = counts
    tried = f"{sources:,} source{'' if sources == 1 else 's'} outside tried {where}"
    if state == "refused":
        return f"{tried}: filters refused all of it"
    if state == "unanswered":
        if not filters:
            return f"{tried}: nobody answered, and the log does not say what filters did (action)"
        if refused:
            shown = f"{'at least ' if several else ''}{refused:,}"
            return f"{tried}: filters refused {shown} of them, nobody answered the others"
        return f"{tried}: filters let it through, nobody answered"
    told = f"{tried}: it answered {answered:,} of them{f', filters refused {refused:,}' if refused else ''}"
    if 2 * refused > sources:
        return told
    return f"{told}, {'which nobody should offer to the internet' if kind == 'sensitive' else 'as it would anybody'}"


PROBES = Detector(kind="probe", reduce=_reduce, judge=_judge)
