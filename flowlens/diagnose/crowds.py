"""Scans of the internet: ten thousand refused attempts are one line, which says that this is as it should be."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.cidr import PRIVATE
from flowlens.diagnose.evidence import INGRESS, UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.report import RULE_COLUMNS
from flowlens.topology import Topology

if TYPE_CHECKING:
    from pandas.api.typing import DataFrameGroupBy

__all__ = ["collapsed", "gathered", "unsolicited"]

#: What does not leave the link.
_LINK = ("169.254.0.0/16", "fe80::/10")


def unsolicited(facts: Facts, ruling: np.ndarray, topology: Topology | None) -> np.ndarray:
    """Tell which cases are packets from the internet that no one here had asked for."""
    cases = facts.cases
    inside = [*PRIVATE, *_LINK] + ([] if topology is None else [c for vpc in topology.vpcs.values() for c in vpc.cidrs])
    remote, back = np.unique(cases["remote"].to_numpy(), return_inverse=True)
    own = np.isin(remote, facts.evidence.residents["local"].to_numpy())
    external = (~facts.evidence.numbers.take(remote).within(inside) & ~own & (remote >= 0))[back]
    arrives = cases["egress"].to_numpy() == INGRESS
    nothing_passed = (facts.idle == UNKNOWN) & ~facts.other_way_passed & ~facts.same_way_passed
    unasked: np.ndarray = external & ~facts.same_subnet & arrives & nothing_passed & (ruling != "other_interface")
    return unasked


def collapsed(crowd: pd.DataFrame) -> pd.DataFrame:
    """Put the unsolicited packets of an interface into one row for each verdict and certainty."""
    rows, groups = gathered(crowd)
    rows["why"] = [
        why
        if count == 1
        else f"{_number(attempts, 'attempt')} from {_number(source, 'internet address')} at {_number(port, 'port')}, "
        f"which nobody here had asked for: refusing them is what the filters are for. {why}"
        for why, count, attempts, source, port in zip(
            rows["why"],
            groups.size(),
            rows["attempts"],
            groups["srcaddr"].nunique(),
            groups["dstport"].nunique(),
            strict=True,
        )
    ]
    return rows


def gathered(table: pd.DataFrame) -> tuple[pd.DataFrame, DataFrameGroupBy[Any, Any]]:
    """Put rows of one interface and cause together, and return them with the groups they are made of.

    What the rows of a group have in common is kept, counts are added up.
    """
    # What opens one of them may not open another one: return rules are about ranges of ports.
    opened = [table[name].map(str) for name in ("surfaces_after_fix", "fix") if name in table.columns]
    cause = ["interface_id", "direction", "verdict", "certainty", "why"]
    groups = table.groupby([*(table[name] for name in cause), *opened], sort=True, dropna=False)
    firsts = ["candidates", "assumptions", *(name for name in RULE_COLUMNS if name in table.columns)]
    rows = groups.agg(
        {
            **dict.fromkeys(firsts, "first"),
            **dict.fromkeys(("attempts", "packets"), "sum"),
            "first": "min",
            "last": "max",
            "excluded": _in_all,
            "records": _chained,
        }
    )
    for name in ("protocol", "srcaddr", "srcport", "dstaddr", "dstport"):
        values = groups[name]
        rows[name] = values.first().where(values.nunique(dropna=False).eq(1))
    rows = rows.reset_index(level=list(range(len(cause)))).reset_index(drop=True)[table.columns]
    plain = [name for name in table.columns if table[name].dtype != object]
    return rows.astype({name: table[name].dtype for name in plain}), groups


def _chained(values: pd.Series) -> tuple[Any, ...]:
    return tuple(chain.from_iterable(values))


def _in_all(values: pd.Series) -> tuple[str, ...]:
    common = set(values.iloc[0]).intersection(*set(values))
    return tuple(name for name in values.iloc[0] if name in common)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"
