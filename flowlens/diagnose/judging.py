"""From evidence to the table of refused conversations."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from flowlens.diagnose.cases import cases_of, in_time
from flowlens.diagnose.configured import configured
from flowlens.diagnose.crowds import collapsed, gathered, unsolicited
from flowlens.diagnose.evidence import Evidence, Found
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.homes import Homes
from flowlens.diagnose.outcomes import Question, nothing_logged, of_this, outcomes
from flowlens.diagnose.remedies import remedies, to_be_opened
from flowlens.diagnose.report import RULE_COLUMNS, in_words, report, with_fixes, with_rules
from flowlens.diagnose.verdicts import rulings_of
from flowlens.topology import Topology

__all__ = ["Scope", "diagnose", "diagnose_conversation"]

Scope = Literal["internal", "all"]


_ORDER = ["first", "interface_id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "direction", "last"]


def diagnose(found: Found, *, topology: Topology | None, scope: Scope, labels: pd.Index | None) -> pd.DataFrame:
    """Do what `Judgements.diagnose` promises; `labels` are those of the records where they are in a frame."""
    evidence = Evidence.of(found)
    table, unasked, order = _judged(evidence, Homes.of(evidence, topology), labels, topology, are_asked_for=False)
    if scope == "internal" and unasked.any():
        of_crowd = unasked[order]
        crowds = collapsed(table.take(order[of_crowd]))
        order = np.append(order[~of_crowd], len(table) + np.arange(len(crowds)))
        table = pd.concat([table, crowds], ignore_index=True)
        order = order[np.argsort(table["first"].astype("int64").to_numpy()[order], kind="stable")]
    return in_words(table.take(order).reset_index(drop=True))


class _Judged(NamedTuple):
    """The table of cases as they were looked at, which of them nobody here had asked for, and their order in time."""

    table: pd.DataFrame
    unasked: np.ndarray
    order: np.ndarray


def _judged(
    evidence: Evidence, homes: Homes, labels: pd.Index | None, topology: Topology | None, *, are_asked_for: bool
) -> _Judged:
    """Judge all cases. Those that the user asks for are wanted, whoever began them."""
    parts = []
    for part in evidence.parts():
        facts = Facts(cases_of(part), part, homes)
        ruling = rulings_of(facts)
        unasked = unsolicited(facts, ruling, topology) & (not are_asked_for)
        parts.append((*_with_table(facts, ruling, labels, topology, wanted=~unasked), unasked))
    tables, of_parts, crowds = zip(*parts, strict=True)
    table, cases = (pd.concat(each, ignore_index=True) for each in (tables, of_parts))
    order = in_time(cases)
    if topology is not None:
        table = with_fixes(table, remedies(cases, order, evidence, topology))
    return _Judged(table, np.concatenate(crowds), order)


def _with_table(
    facts: Facts, ruling: np.ndarray, labels: pd.Index | None, topology: Topology | None, *, wanted: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of cases, with what the rules say where there are some, and the cases."""
    if topology is None:
        return report(facts, ruling, labels), facts.cases
    found = configured(facts, ruling, topology, wanted=wanted)
    table = with_rules(report(facts, found.ruling, labels), ruling, found)
    return table, to_be_opened(facts, found.ruling, wanted)


def diagnose_conversation(
    found: Found, question: Question, *, topology: Topology | None, labels: pd.Index | None
) -> pd.DataFrame:
    """Do what `Judgements.diagnose_conversation` promises; `found.related` has all records of the two hosts."""
    evidence = Evidence.of(found)
    evidence = replace(evidence, related=of_this(evidence, question))
    homes = Homes.of(evidence, topology)
    judged = _judged(evidence, homes, labels, topology, are_asked_for=True)
    refused = judged.table.take(judged.order)
    others = outcomes(evidence, homes, question, labels)
    if evidence.related.empty:
        others = nothing_logged(question, topology)
    both = [part for part in (refused, _typed_as(others, refused)) if len(part)]
    causes = [gathered(part)[0].sort_values(_ORDER, kind="stable") for part in both]
    return in_words(pd.concat(causes, ignore_index=True))


def _typed_as(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table in the types of another one; those of tuples are no matter."""
    for name in RULE_COLUMNS[:-1]:
        if name in other:
            table[name] = [[] for _ in range(len(table))]
    plain = [name for name in other.columns if other[name].dtype != object]
    return table.reindex(columns=other.columns).astype({name: other[name].dtype for name in plain})
