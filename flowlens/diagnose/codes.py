"""The words of a diagnosis: verdicts, certainties, and what a ruling is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["AMBIGUOUS", "CERTAIN", "EITHER", "LIKELY", "NONE", "Certainty", "Ruling", "Verdict"]

_LAYERS = ("SG", "NACL")


class Verdict(StrEnum):
    """What became of a conversation. IN and OUT is the direction seen from the filter."""

    SG_IN = "SG_IN"
    SG_OUT = "SG_OUT"
    NACL_IN = "NACL_IN"
    NACL_OUT = "NACL_OUT"
    SG_OR_NACL_IN = "SG_OR_NACL_IN"
    SG_OR_NACL_OUT = "SG_OR_NACL_OUT"
    SG_STATE = "SG_STATE"
    SG_IN_UNRESOLVED = "SG_IN_UNRESOLVED"
    BPA = "BPA"
    ENCRYPTION_CONTROL = "ENCRYPTION_CONTROL"
    OTHER_REASON = "OTHER_REASON"
    LATE_PACKET = "LATE_PACKET"
    CONNTRACK_EXPIRED = "CONNTRACK_EXPIRED"
    RULE_CHANGED = "RULE_CHANGED"
    ASYMMETRIC_PATH = "ASYMMETRIC_PATH"
    REFUSED = "REFUSED"
    NO_RESPONSE = "NO_RESPONSE"
    PATH_LOSS = "PATH_LOSS"
    NOT_LOGGED = "NOT_LOGGED"
    UNSOLICITED_AT_NAT = "UNSOLICITED_AT_NAT"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    CONFIG_DISAGREES = "CONFIG_DISAGREES"
    OK = "OK"


class Certainty(StrEnum):
    """How far a verdict can be trusted."""

    CERTAIN = "certain"
    LIKELY = "likely"
    AMBIGUOUS = "ambiguous"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """One thing that can be said.

    Attributes
    ----------
    verdict
        A `Verdict`; ``"SG"``, ``"NACL"`` and ``"SG_OR_NACL"`` get the direction of the packet.
    candidates
        The filters that may have refused it, most likely first; the others of the interface are excluded.
    why
        The deduction, as a sentence.
    assumptions
        What it stands on besides the records.
    """

    verdict: str
    certainty: Certainty
    candidates: tuple[str, ...]
    why: str
    assumptions: tuple[str, ...] = ()

    @property
    def excluded(self) -> tuple[str, ...]:
        """The filters that it rules out: those that are no candidates, where there are any."""
        return tuple(layer for layer in _LAYERS if layer not in self.candidates) if self.candidates else ()


CERTAIN, LIKELY, AMBIGUOUS, NONE = Certainty.CERTAIN, Certainty.LIKELY, Certainty.AMBIGUOUS, Certainty.NONE

#: Candidates where either filter may have refused it.
EITHER = _LAYERS
