"""The rows that every detector returns: a finding with its score, what it is made of, and the numbers behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from flowlens.detect.scene import Scene
from flowlens.service import protocol_name

__all__ = ["COLUMNS", "finding_rows", "no_findings", "ranked", "text_of_port", "text_of_time"]

COLUMNS = (
    "kind", "subject", "srcaddr", "dstaddr", "dstport", "protocol", "interface_id", "score", "why", "parts",
    "evidence", "first", "last", "flows", "bytes", "technique", "guardduty", "caveat",
)  # fmt: skip

_DTYPES = {
    "kind": "str", "subject": "str", "srcaddr": "str", "dstaddr": "str", "dstport": "UInt16", "protocol": "UInt8",
    "interface_id": "str", "score": "float64", "why": "str", "parts": "object", "evidence": "object",
    "first": "datetime64[s, UTC]", "last": "datetime64[s, UTC]", "flows": "Int64", "bytes": "Int64",
    "technique": "str", "guardduty": "str", "caveat": "str",
}  # fmt: skip


def no_findings() -> pd.DataFrame:
    """Return a frame of findings without any."""
    return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in _DTYPES.items()})


def finding_rows(
    kind: str,
    units: pd.DataFrame,
    scene: Scene,
    *,
    subject: Iterable[object],
    terms: Mapping[str, np.ndarray],
    score: np.ndarray,
    evidence: Mapping[str, Sequence[object] | np.ndarray],
    why: Sequence[str],
    technique: str | Sequence[str],
    guardduty: str | Sequence[str | None] | None,
    caveat: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the findings of one detector, highest score first.

    Parameters
    ----------
    units
        One row a unit, with those of `srcaddr, dstaddr, dstport, protocol, interface_id, first, last, flows, bytes`
        that belong to it, and `context`, `notes` as `Context` makes them.
    terms
        What the score is made of, each from 0 to 1.
    score
        Before what the interface lost is taken off.
    """
    there = scene.kept_share(units["interface_id"]) if "interface_id" in units.columns else np.ones(len(units))
    parts = _dicts({**terms, "context": units["context"].to_numpy(float)})
    for place in np.flatnonzero(there < 1):
        parts[place]["kept"] = float(there[place])
    reached = np.asarray(score, float) * units["context"].to_numpy(float) * there
    # Twelve digits: sums of floats differ in the last ones by the order of records, and equal scores are to stay equal.
    final = np.round(np.clip(np.nan_to_num(reached), 0.0, 1.0), 12)
    lost = ["records were lost at this interface (SKIPDATA)" if share < 1 else "" for share in there]
    notes = [units["notes"], lost, caveat if caveat is not None else [""] * len(units)]
    columns = {
        **{name: units[name] if name in units.columns else pd.Series(pd.NA, index=units.index) for name in COLUMNS},
        "kind": kind,
        "subject": pd.Series(list(map(str, subject)), index=units.index, dtype=object),
        "score": final,
        "why": pd.Series(list(why), index=units.index, dtype=object),
        "parts": pd.Series(parts, index=units.index, dtype=object),
        "evidence": pd.Series(_dicts(evidence), index=units.index, dtype=object),
        "technique": technique,
        "guardduty": pd.NA if guardduty is None else guardduty,
        "caveat": ["; ".join(filter(None, some)) for some in zip(*notes, strict=True)],
    }
    rows = pd.DataFrame(columns, index=units.index, columns=list(COLUMNS))
    for name in ("srcaddr", "dstaddr", "interface_id", "guardduty"):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), None)
    return ranked(rows.astype(_DTYPES))


def ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Put findings in order: highest score first, ties by what they are about, so that the order is always the same."""
    keys = ["kind", "subject", "srcaddr", "dstaddr", "dstport", "protocol", "interface_id", "first", "last", "why"]
    order = rows.assign(score=-rows["score"]).sort_values(["score", *keys], kind="stable").index
    return rows.loc[order].reset_index(drop=True)


def _dicts(columns: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return one dict a row, of plain Python values, so that they can be written as JSON: None where there is none."""
    names = list(columns)
    values = [_values(column) for column in columns.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _values(column: Any) -> list[object]:  # noqa: ANN401 - an array or a sequence of anything
    values = column.tolist() if hasattr(column, "tolist") else list(column)
    return [None if value is pd.NA or (isinstance(value, float) and isnan(value)) else value for value in values]


def text_of_port(port: object, protocol: object) -> str:
    """Return a port as people write it: ``22/tcp``, or the protocol where there is none."""
    name = "" if protocol is pd.NA or protocol is None else protocol_name(int(protocol)).lower()  # type: ignore[call-overload]
    if port is pd.NA or port is None or name not in {"tcp", "udp", "sctp", "dccp", "udplite"}:
        return name or "any port"
    return f"{int(port)}/{name}"  # type: ignore[call-overload]


def text_of_time(seconds: float) -> str:
    """Return a duration as people say it."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}" if seconds >= 1_000 * length else f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
