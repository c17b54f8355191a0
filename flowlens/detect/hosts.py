"""What all findings say together of each host."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["host_scores"]

_COLUMNS = {"address": "str", "score": "float64", "findings": "int64", "top_kind": "str", "why": "str"}
_CONTRIBUTIONS = 5


def host_scores(findings: pd.DataFrame, at: Mapping[str, float]) -> pd.DataFrame:
    """Return one row a host that some finding is about, by the chance that at least one of them is right.

    Findings are taken for independent reasons: 1 - product of (1 - weight x score). Of one kind the same host can have
    dozens, which are not, so that only the highest of each kind counts.
    """
    acting = findings[findings["srcaddr"].notna() & (findings["score"] > 0)]
    if acting.empty:
        return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in _COLUMNS.items()})
    weight = np.array([at[f"host.{kind}"] for kind in acting["kind"]])
    weighed = acting.assign(contribution=acting["score"] * weight, order=-(acting["score"] * weight))
    weighed = weighed.sort_values(["srcaddr", "order", "kind", "why"], kind="stable")
    highest = weighed[weighed["contribution"] > 0].drop_duplicates(["srcaddr", "kind"])
    told = [f"{kind} {value:.2f}" for kind, value in zip(highest["kind"], highest["contribution"], strict=True)]
    each = highest.assign(told=told, doubt=1.0 - highest["contribution"]).groupby("srcaddr", sort=True)
    found = each.agg(doubt=("doubt", "prod"), top_kind=("kind", "first"), why=("why", "first"))
    parts = each["told"].agg(lambda some: ", ".join(some[:_CONTRIBUTIONS]))
    found = found.assign(
        score=(1.0 - found["doubt"]).round(12),
        findings=weighed.groupby("srcaddr").size(),
        why=parts + ": " + found["why"],
    )
    found = found.rename_axis("address").reset_index()[list(_COLUMNS)].astype(_COLUMNS)
    order = found.assign(score=-found["score"]).sort_values(["score", "address"], kind="stable").index
    return found.loc[order].reset_index(drop=True)
