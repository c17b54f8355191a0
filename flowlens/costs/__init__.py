"""What traffic costs, by the path it takes: judged on the table of `reduce.costs`.

In turn: what is known of places and addresses (`scene`, and `homes` for those of several VPCs), what went through NAT
gateways (`nat`), what went between other ends (`pairs`), by which path that is charged (`charges`), and the rows that
the user reads (`rows`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from flowlens.costs.charges import of_pairs, of_translated
from flowlens.costs.nat import translated
from flowlens.costs.pairs import passed
from flowlens.costs.rows import readable
from flowlens.costs.scene import Scene
from flowlens.topology import Topology

__all__ = ["costs"]


def costs(seen: pd.DataFrame, prices: Mapping[str, float], topology: Topology | None) -> pd.DataFrame:
    """Return what the traffic of `reduce.costs.sightings` costs at these prices by path, as `df.flow.costs` says."""
    scene = Scene.of(seen, topology)
    through = translated(scene)
    pairs = passed(scene, through.rest)
    return readable(scene, [*of_translated(scene, through, pairs), *of_pairs(scene, pairs)], prices)
