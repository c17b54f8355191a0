"""The refused conversations: one case for each, at each interface that refused it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import EGRESS, UNKNOWN, Evidence
from flowlens.service import ACK, SYN

if TYPE_CHECKING:
    from pandas.api.typing import DataFrameGroupBy

__all__ = ["cases_of", "in_time"]

_IN_TIME = ["first", "interface", "src", "src_port", "dst", "dst_port", "protocol", "egress", "last", "flags"]
_CASE = ["interface", "a", "a_port", "b", "b_port", "protocol", "number", "forward", "egress"]


def cases_of(evidence: Evidence) -> pd.DataFrame:
    """Return the cases.

    Columns of the cases, all numbers: `interface`, `egress` (1 for what left, 0 for what arrived, -1 where that is not
    known), `protocol`, `src`, `src_port`, `dst`, `dst_port`, `local`, `remote` (places of addresses, -1 where the
    direction is not known), `number` of the conversation, `first`, `last`, `attempts`, `packets`, `flags` (of all
    records, -1 where they are not logged), and `reason`, words.
    """
    refused = evidence.related[evidence.related["is_case"]]
    # An engine returns rows in any order. What is looked up for cases of one peer lies together, as they do.
    order = ["egress", "remote", "protocol", "a_port", "b_port", "start", *_CASE]
    refused = refused.iloc[np.lexsort([refused[name].to_numpy() for name in reversed(order)])]
    case = refused.assign(answers=_answers_beside_requests(refused)).groupby([*_CASE, "answers"], sort=False).ngroup()
    grouped = refused.assign(case=case).groupby("case")
    cases = grouped[[*_CASE, "conversation"]].first()
    cases["first"], cases["last"] = grouped["start"].min(), grouped["end"].max()
    cases["attempts"] = grouped["attempt"].nunique()
    cases["packets"] = grouped["packets"].sum()
    cases["flags"] = _all_flags(refused["tcp_flags"], case) if "tcp_flags" in refused.columns else UNKNOWN
    cases["reason"] = _reasons(grouped) if "reject_reason" in refused.columns else ""
    forward, egress = cases["forward"].to_numpy(bool), cases["egress"].to_numpy()
    for name, (near, far) in {"src": ("a", "b"), "dst": ("b", "a")}.items():
        cases[name] = np.where(forward, cases[near], cases[far])
        cases[f"{name}_port"] = np.where(forward, cases[f"{near}_port"], cases[f"{far}_port"])
    known = egress != UNKNOWN
    cases["local"] = np.where(known, np.where(egress == EGRESS, cases["src"], cases["dst"]), UNKNOWN)
    cases["remote"] = np.where(known, np.where(egress == EGRESS, cases["dst"], cases["src"]), UNKNOWN)
    return cases


def in_time(cases: pd.DataFrame) -> np.ndarray:
    """Return the order of cases that the user sees: that of time, and of words among those that begin together."""
    order: np.ndarray = np.lexsort([cases[name].to_numpy() for name in reversed(_IN_TIME)])
    return order


def _answers_beside_requests(refused: pd.DataFrame) -> np.ndarray:
    """Tell of each record whether it answers a request, where requests on the same ports were refused, too.

    Who sends both is the client of one connection and the server of another one.
    """
    if "tcp_flags" not in refused.columns:
        return np.zeros(len(refused), bool)
    handshake = refused["tcp_flags"].to_numpy() & (SYN | ACK)
    logged = refused["tcp_flags"].to_numpy() >= 0
    asks = refused.assign(asks=logged & (handshake == SYN)).groupby(_CASE, sort=False)["asks"].transform("any")
    answers: np.ndarray = logged & (handshake == (SYN | ACK)) & asks.to_numpy(bool)
    return answers


def _all_flags(flags: pd.Series, case: pd.Series) -> np.ndarray:
    """Return the flags that any record of a case has; unknown where one has none logged."""
    values, places = flags.to_numpy(), case.to_numpy()
    found = np.zeros(places.max() + 1 if len(places) else 0, np.int64)
    np.bitwise_or.at(found, places, np.maximum(values, 0))
    found[places[values < 0]] = UNKNOWN
    return found


def _reasons(grouped: DataFrameGroupBy[Any, Any]) -> pd.Series:
    """Return why AWS says that a packet was refused, if it was neither security group nor network ACL."""
    first = grouped["reject_reason"].first()
    return first.astype(object).where(first.notna(), "").astype(str)
