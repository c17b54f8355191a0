"""What the other interfaces of a subnet tell, where nothing is proved: counted, not weighed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import EGRESS, INGRESS
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.spans import shared_ids

__all__ = ["hole", "next_door", "shared_layer"]


def shared_layer(f: Facts) -> np.ndarray:
    """All interfaces of the subnet refuse this direction, on several ports, and none accepts anything."""
    residents = f.evidence.residents.assign(subnet=f.homes.subnet[f.evidence.residents["interface"].to_numpy()])
    residents = residents[residents["subnet"] >= 0]
    uses = _uses(f)
    found = np.zeros(len(f.cases), bool)
    for side, way in ((INGRESS, "in"), (EGRESS, "out")):
        of_interface = residents.groupby(["subnet", "interface"])[[f"accepted_{way}", f"refused_{way}"]].sum()
        refuse = of_interface[f"refused_{way}"].gt(0).groupby("subnet")
        none_accepts = of_interface[f"accepted_{way}"].groupby("subnet").sum().eq(0)
        subnets = none_accepts.index[none_accepts & refuse.all() & refuse.size().ge(2)]
        ports = uses[(uses["egress"] == side) & (uses["refused"] > 0)].groupby("subnet")["dstport"].nunique()
        several = ports.index[ports >= 2]
        found |= (f.of("egress") == side) & np.isin(f.subnet, subnets.intersection(several))
    shared: np.ndarray = found & (f.subnet >= 0) & ~f.is_icmp
    return shared


def next_door(f: Facts) -> np.ndarray:
    """Nothing is accepted at this port here, and another interface of the subnet accepts it."""
    uses = _uses(f)
    values = ["egress", "protocol", "dstport"]
    here = uses.groupby(["interface", *values])["accepted"].sum()
    around = uses.groupby(["subnet", *values])["accepted"].sum()
    port = (f.of("egress"), f.of("protocol"), f.of("dst_port"))
    accepted_here = here.reindex(pd.MultiIndex.from_arrays((f.of("interface"), *port)), fill_value=0).to_numpy()
    accepted_around = around.reindex(pd.MultiIndex.from_arrays((f.subnet, *port)), fill_value=0).to_numpy()
    found: np.ndarray = (accepted_here == 0) & (accepted_around > 0) & ~f.is_egress & ~f.is_icmp
    return found


def _uses(f: Facts) -> pd.DataFrame:
    """Return what was accepted and refused at interfaces of which the subnet is known, by port, with the `subnet`."""
    uses = f.evidence.port_uses.assign(subnet=f.homes.subnet[f.evidence.port_uses["interface"].to_numpy()])
    return uses[uses["subnet"] >= 0]


def hole(f: Facts) -> np.ndarray:
    """Several interfaces of the subnet refuse an address, and accept addresses just below and above it."""
    uses, values = f.evidence.neighbours, ["egress", "protocol"]
    asked = [f.of("interface"), *(f.of(name) for name in values), f.of("dst_port")]
    told = [*(uses[name].to_numpy() for name in ("interface", *values, "dstport"))]
    remotes = f.of("remote"), uses["remote"].to_numpy()
    here = np.zeros(len(f.cases), bool)
    if uses.empty or not (remotes[0] >= 0).any():
        return here
    network, family, number = f.evidence.network, f.evidence.numbers.family, f.evidence.numbers.lower
    groups = shared_ids(
        *([*columns, network[remote], family[remote]] for columns, remote in zip((asked, told), remotes, strict=True))
    )
    numbers = np.concatenate([number[remote] for remote in remotes])
    here = _between(np.concatenate(groups), numbers, np.arange(len(numbers)) >= len(here))[: len(here)]
    here &= (f.subnet >= 0) & ~f.is_icmp & (remotes[0] >= 0)
    same = shared_ids([f.subnet, *asked[1:], remotes[0]])[0]
    several = pd.DataFrame({"at": asked[0], "same": same})[here].groupby("same")["at"].nunique()
    found: np.ndarray = here & np.isin(same, several.index[several >= 2])
    return found


def _between(group: np.ndarray, number: np.ndarray, is_told: np.ndarray) -> np.ndarray:
    """Tell which numbers have some that are told of in their group both below and above them."""
    order = np.lexsort((number, group))
    table = pd.DataFrame({"group": group[order], "told": is_told[order]})
    below = table.groupby("group")["told"].cummax()
    above = table[::-1].groupby("group")["told"].cummax()[::-1]
    found = np.zeros(len(group), bool)
    found[order] = (below & above).to_numpy()
    return found
