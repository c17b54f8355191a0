"""What every table of diagnoses must be, whatever the records were: names, words, and how they fit each other."""

from __future__ import annotations

import pandas as pd

__all__ = ["CERTAINTIES", "COLUMNS", "LAYERS", "VERDICTS", "assert_consistent", "faults"]

COLUMNS = (
    "interface_id", "direction", "protocol", "srcaddr", "srcport", "dstaddr", "dstport", "verdict", "certainty",
    "candidates", "excluded", "why", "assumptions", "first", "last", "attempts", "packets", "records",
)  # fmt: skip
LAYERS = ("SG_IN", "SG_OUT", "NACL_IN", "NACL_OUT")
VERDICTS = {
    *LAYERS, "SG_OR_NACL_IN", "SG_OR_NACL_OUT", "SG_STATE", "SG_IN_UNRESOLVED", "BPA", "ENCRYPTION_CONTROL",
    "OTHER_REASON", "LATE_PACKET", "CONNTRACK_EXPIRED", "RULE_CHANGED", "ASYMMETRIC_PATH", "REFUSED", "NO_RESPONSE",
    "PATH_LOSS", "NOT_LOGGED", "UNSOLICITED_AT_NAT", "INSUFFICIENT_DATA", "CONFIG_DISAGREES", "OK",
}  # fmt: skip
CERTAINTIES = {"certain", "likely", "ambiguous", "none"}
# Nothing of these is a deduction about two filters: a single one of them is never the whole answer.
_NEVER_CERTAIN = {"SG_OR_NACL_IN", "SG_OR_NACL_OUT", "SG_IN_UNRESOLVED", "NO_RESPONSE", "PATH_LOSS",
                  "INSUFFICIENT_DATA", "RULE_CHANGED"}  # fmt: skip


def faults(row: object) -> list[str]:
    """Say what is wrong with one row, by the contract alone."""
    layers = [candidate.partition("@")[0] for candidate in row.candidates]
    wrong = {
        f"unknown verdict {row.verdict}": row.verdict not in VERDICTS,
        f"unknown certainty {row.certainty}": row.certainty not in CERTAINTIES,
        f"candidates is a {type(row.candidates).__name__}": not isinstance(row.candidates, tuple),
        f"excluded is a {type(row.excluded).__name__}": not isinstance(row.excluded, tuple),
        f"no LAYER@id: {row.candidates}": any(layer not in LAYERS or not c.partition("@")[2]
                                              for layer, c in zip(layers, row.candidates, strict=True)),
        f"both candidate and excluded: {row.candidates} {row.excluded}": bool({*row.candidates} & {*row.excluded}),
        f"a candidate twice: {row.candidates}": len({*row.candidates}) < len(row.candidates),
        "SG_OR_NACL is ambiguous and nothing else": row.verdict.startswith("SG_OR_NACL") and (
            row.certainty != "ambiguous" or {layer.split("_")[0] for layer in layers} != {"SG", "NACL"}),
        f"{row.verdict} cannot be certain": row.certainty == "certain" and row.verdict in _NEVER_CERTAIN,
        "certain of one layer with other candidates": row.certainty == "certain" and row.verdict in LAYERS
        and layers != [row.verdict],
        "likely names the first candidate": row.certainty == "likely" and row.verdict in LAYERS
        and layers[:1] != [row.verdict],
        "ambiguous with less than two candidates": row.verdict.startswith("SG_OR_NACL") and len(layers) < 2,
        "first after last": row.first > row.last,
        "no record behind it": len(row.records) == 0,
        "no attempt": pd.isna(row.attempts) or row.attempts < 1,
        "no reason given": not row.why,
    }  # fmt: skip
    return [text for text, is_wrong in wrong.items() if is_wrong]


def assert_consistent(table: pd.DataFrame) -> None:
    """Every row of a table of diagnoses is what the contract says."""
    missing = [column for column in COLUMNS if column not in table.columns]
    assert not missing, missing
    found = [(row.Index, faults(row)) for row in table.itertuples() if faults(row)]
    assert not found, found
