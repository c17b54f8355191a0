"""From evidence to the table of refused conversations."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from flowlens.diagnose.cases import cases_of
from flowlens.diagnose.configured import configured
from flowlens.diagnose.crowds import collapsed, gathered, unsolicited
from flowlens.diagnose.evidence import Evidence, Found
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.homes import Homes
from flowlens.diagnose.outcomes import Question, nothing_logged, of_this, outcomes
from flowlens.diagnose.remedies import remedies
from flowlens.diagnose.report import RULE_COLUMNS, report, with_rules
from flowlens.diagnose.verdicts import rulings_of
from flowlens.topology import Topology

__all__ = ["Scope", "diagnose", "diagnose_conversation"]

Scope = Literal["internal", "all"]


_ORDER = ["first", "interface_id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "direction", "last"]


def diagnose(found: Found, *, topology: Topology | None, scope: Scope, labels: pd.Index | None) -> pd.DataFrame:
    """Do what `Analyses.diagnose` promises; `labels` are those of the records where they are in a frame."""
    evidence = Evidence(found)
    cases = cases_of(evidence)
    facts = Facts(cases, evidence, Homes.of(evidence, topology))
    ruling = rulings_of(facts)
    unasked = unsolicited(facts, ruling, topology)
    table = _table(facts, ruling, labels, topology, wanted=~unasked)
    if scope == "internal":
        table = collapsed(table, unasked)
    return table.sort_values(_ORDER, kind="stable", ignore_index=True)


def _table(
    facts: Facts,
    ruling: np.ndarray,
    labels: pd.Index | None,
    topology: Topology | None,
    *,
    wanted: np.ndarray,
) -> pd.DataFrame:
    """Return the table of cases, with what the rules say where there are some."""
    if topology is None:
        return report(facts, ruling, labels)
    found = configured(facts, ruling, topology, wanted=wanted)
    table = report(facts, found.ruling, labels)
    return with_rules(table, ruling, found, remedies(facts, found.ruling, wanted, topology))


def diagnose_conversation(
    found: Found, question: Question, *, topology: Topology | None, labels: pd.Index | None
) -> pd.DataFrame:
    """Do what `Judgements.diagnose_conversation` promises; `found.related` has all records of the two hosts."""
    evidence = Evidence(found)
    evidence.related = of_this(evidence, question)
    cases = cases_of(evidence)
    homes = Homes.of(evidence, topology)
    facts = Facts(cases, evidence, homes)
    wanted = np.ones(len(cases), bool)
    refused = _table(facts, rulings_of(facts), labels, topology, wanted=wanted)
    others = outcomes(evidence, homes, question, labels)
    if evidence.related.empty:
        others = nothing_logged(question, topology)
    both = [part for part in (refused, _typed_as(others, refused)) if len(part)]
    causes = [gathered(part)[0].sort_values(_ORDER, kind="stable") for part in both]
    return pd.concat(causes, ignore_index=True)


def _typed_as(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table in the types of another one; those of tuples are no matter."""
    for name in RULE_COLUMNS[:-1]:
        if name in other:
            table[name] = [[] for _ in range(len(table))]
    plain = [name for name in other.columns if other[name].dtype != object]
    return table.reindex(columns=other.columns).astype({name: other[name].dtype for name in plain})
