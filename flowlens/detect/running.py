"""Run detectors on the same ground: contacts made of the records once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from flowlens.detect.detector import Detector
from flowlens.detect.places import places
from flowlens.detect.rows import no_findings, ranked
from flowlens.detect.scene import Scene
from flowlens.engine import Ground, ReductionOfGround
from flowlens.indicators import Indicators
from flowlens.reduce import scenery
from flowlens.reduce.contacts import ENDS, FACTS, contacts, counted, located
from flowlens.reduce.records import remembered
from flowlens.topology import Topology

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Asked", "detected"]

#: Computes reductions on a ground where the records are.
OnGround = Callable[[Ground, Mapping[str, ReductionOfGround]], dict[str, pd.DataFrame]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a question to the detectors is made of.

    Attributes
    ----------
    verb
        The method that asks.
    thresholds
        All of them by name.
    internal, own
        Prefixes of internal networks, and the addresses of interfaces, which are internal, too.
    fields
        The columns of the records.
    topology, indicators
        What the user knows of the network, and of others.
    """

    verb: str
    thresholds: Mapping[str, float]
    internal: Collection[str]
    own: Collection[str]
    fields: frozenset[str]
    topology: Topology | None
    indicators: Indicators | None


def detected(detectors: Sequence[Detector], on_ground: OnGround, asked: Asked) -> pd.DataFrame:
    """Return what some detectors find, highest score first.

    `attrs` counts `contacts`, and those of them that are `unsure`; ``not_scored`` says which kinds could not be scored.

    Parameters
    ----------
    on_ground
        Computes reductions where the records are.
    """
    known = partial(
        places, internal=asked.internal, own=asked.own, topology=asked.topology, indicators=asked.indicators
    )
    ground = Ground(made=partial(contacts, verb=asked.verb), located=located, ends=ENDS, facts=FACTS, places=known)
    tables = on_ground(ground, {**_SCENERY, **{one.kind: _with(one, asked.thresholds) for one in detectors}})
    scene = _scene(tables, asked, known)
    found = [one.judge(_plain(tables[one.kind]), scene) for one in detectors]
    found = [rows for rows in found if len(rows)]
    together = ranked(pd.concat(found, ignore_index=True)) if found else no_findings()
    # Detectors of scans and guesses leave out contacts of which nothing tells who began.
    counts = {name: int(count) for name, count in tables[".counted"].iloc[0].items()}
    together.attrs = {**counts, "not_scored": {one.kind: why for one in detectors if (why := one.unscored(scene))}}
    return together


def _with(detector: Detector, at: Mapping[str, float]) -> ReductionOfGround:
    return lambda flows, ground: _reduced(flows, ground, detector=detector, at=tuple(at.items()))


@remembered
def _reduced(flows: ir.Table, ground: ir.Table, *, detector: Detector, at: tuple[tuple[str, float], ...]) -> ir.Table:
    return detector.reduce(flows, ground, dict(at))


def _on_records(reduction: Callable[[ir.Table], ir.Table]) -> ReductionOfGround:
    return lambda flows, _: reduction(flows)


#: No interface has more addresses of a family.
_MOST_ADDRESSES = 50

#: What the scene is made of; the names cannot be those of a kind.
_SCENERY: dict[str, ReductionOfGround] = {
    ".span": _on_records(scenery.span),
    ".since": _on_records(scenery.logged_since),
    ".lost": _on_records(scenery.lost_windows),
    ".src": _on_records(partial(scenery.aws_services, end="src")),
    ".dst": _on_records(partial(scenery.aws_services, end="dst")),
    ".stand_ins": _on_records(scenery.stand_ins),
    ".counted": lambda _, ground: counted(ground),
}


def _scene(tables: Mapping[str, pd.DataFrame], asked: Asked, known: Callable[[pd.Index], pd.DataFrame]) -> Scene:
    span, lost = tables[".span"].iloc[0], _plain(tables[".lost"])
    services = {
        address: service
        for end in ("src", "dst")
        for address, service in _plain(tables[f".{end}"])[["address", f"pkt_{end}_aws_service"]].itertuples(index=False)
    }
    begins, ends = (0 if pd.isna(span[name]) else int(span[name]) for name in ("begins", "ends"))
    return Scene(
        thresholds=asked.thresholds,
        fields=asked.fields,
        span=(begins, ends),
        since={interface: int(first) for interface, first in _plain(tables[".since"]).itertuples(index=False)},
        lost=dict(zip(lost["interface_id"], lost["lost"] / lost["windows"], strict=True)),
        services=services,
        gateways=_gateways(_plain(tables[".stand_ins"]), known),
        topology=asked.topology,
        indicators=asked.indicators,
    )


def _gateways(stand_ins: pd.DataFrame, known: Callable[[pd.Index], pd.DataFrame]) -> frozenset[str]:
    """Return the addresses of what passes traffic on: they stand for addresses outside, or for many.

    An interface with several addresses of its own shows the primary one for all of them, too; those are internal and
    few: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html
    """
    if stand_ins.empty:
        return frozenset()
    inside = known(pd.Index(stand_ins["example"], dtype=str))["internal"].to_numpy(bool)
    passes_on = ~inside | (stand_ins["others"].to_numpy() > _MOST_ADDRESSES)
    return frozenset(stand_ins["address"][passes_on])


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a result with its words as plain ones: few are left, and they go into sentences."""
    words = [name for name, dtype in table.dtypes.items() if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)]
    return table.astype(dict.fromkeys(words, object))
