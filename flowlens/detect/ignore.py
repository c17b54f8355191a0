"""Findings that somebody has looked at and need not see again: with a reason, and for as long as it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from flowlens.cidr import listed
from flowlens.clauses import Ports, Words
from flowlens.detect.kinds import DETECTORS
from flowlens.selection import Selection
from flowlens.timespan import Moment, utc

__all__ = ["Ignore", "without_ignored"]


@dataclass(frozen=True, kw_only=True)
class Ignore:
    """Findings to leave out of the view; the scores of others stay as they are.

    A finding is left out where every clause holds for it. A clause about something that the finding does not have, as
    a destination of a port sweep, does not hold.

    Parameters
    ----------
    reason : str
        Why: it is counted with what it hid, in ``attrs["ignored"]`` of the result.
    kind : str or list of str
        Kinds of findings: ``"beacon"``.
    src, dst, host : str or list of str
        Source, destination, or either, of the finding: an address, a CIDR prefix, or several.
    dst_port, port, protocol : int, str or list of those
        As for ``df.flow.select``; the port of a finding is that of the destination.
    interface : str or list of str
        Interface ids.
    until : str or datetime, optional
        Findings that go on after that are seen again. Times without a zone are UTC.

    Raises
    ------
    ValueError
        If there is no clause, no reason, or a clause that cannot be read.

    Examples
    --------
    >>> import flowlens as fl
    >>> scanner = fl.Ignore(src="198.51.100.77", reason="our own yearly test", until="2026-04-01")
    >>> seen = fl.sample().flow.findings(ignore=[scanner], min_score=0.7)
    >>> "198.51.100.77" in set(seen["srcaddr"]), seen.attrs["ignored"]
    (False, {'our own yearly test': 1})
    """

    reason: str
    kind: Words | None = None
    src: Words | None = None
    dst: Words | None = None
    host: Words | None = None
    dst_port: Ports | None = None
    port: Ports | None = None
    protocol: Ports | None = None
    interface: Words | None = None
    until: Moment | None = None

    def __post_init__(self) -> None:
        """Find mistakes at once."""
        if not isinstance(self.reason, str) or not self.reason.strip():
            raise ValueError("fl.Ignore needs a reason: a sentence that says why this may be left out")
        object.__setattr__(self, "until", None if self.until is None else utc(self.until))
        selection = self._selection()
        wrong = [] if self.kind is None else [kind for kind in listed(self.kind) if kind not in DETECTORS]
        if wrong:
            raise ValueError(f"kind={wrong[0]!r} is no kind of finding; there are {', '.join(DETECTORS)}")
        if not any(name != "kind" or kinds for name, kinds in selection.clauses.items()):
            raise ValueError("fl.Ignore without a clause would hide every finding; say which: src=..., kind=...")
        # In its form, one value or a list: so that rules can be compared and be in a set.
        for clause in {clause.name for clause in fields(selection)} & {clause.name for clause in fields(self)}:
            object.__setattr__(self, clause, getattr(selection, clause))

    def _selection(self) -> Selection:
        clauses = {clause.name for clause in fields(Selection)} & {clause.name for clause in fields(self)}
        chosen = {name: getattr(self, name) for name in clauses - {"port"}}
        if self.port is not None and self.dst_port is not None:
            raise ValueError("fl.Ignore has port and dst_port, which mean the same of a finding; give one of them")
        return Selection(**{**chosen, "dst_port": self.dst_port if self.port is None else self.port})

    def hides(self, findings: pd.DataFrame) -> np.ndarray:
        """Tell for each finding whether it is left out."""
        hidden = self._selection().mask(findings)
        if self.until is not None:
            hidden &= (findings["last"] < self.until).to_numpy(bool)
        return hidden


def without_ignored(findings: pd.DataFrame, ignore: Sequence[Ignore] | Ignore | None) -> pd.DataFrame:
    """Leave findings out; ``attrs["ignored"]`` counts them by reason.

    Raises
    ------
    TypeError
        If something in the list is no `Ignore`.
    """
    rules = [] if ignore is None else listed(ignore)
    hidden = np.zeros(len(findings), bool)
    counts: dict[str, int] = {}
    for rule in rules:
        if not isinstance(rule, Ignore):
            raise TypeError(f"ignore takes fl.Ignore(..., reason=...) and no {type(rule).__name__}")
        found = rule.hides(findings) & ~hidden
        counts[rule.reason] = counts.get(rule.reason, 0) + int(found.sum())
        hidden |= found
    kept = findings[~hidden].reset_index(drop=True)
    kept.attrs = {**findings.attrs, "ignored": counts}
    return kept
