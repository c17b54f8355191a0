"""What scores are made of: terms from 0 to 1 that grow with what drives them."""

from __future__ import annotations

import numpy as np

__all__ = ["evidence_of", "passing", "saturating", "saturating_log"]

#: Contacts with each from which on somebody comes back, with which it is sure, and what a scan is worth then.
_COMES_BACK, _STAYS, _CLIENT = 10, 100, 0.5


def saturating(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grow from 0 at `low` to 1 at `high`."""
    term: np.ndarray = np.clip((np.asarray(value, float) - low) / (high - low), 0.0, 1.0)
    return term


def saturating_log(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Grow from 0 at `low` to 1 at `high` by factors: from 10 to 100 as much as from 100 to 1,000."""
    counts = np.maximum(np.asarray(value, float), low)
    return saturating(np.log(counts), np.log(low), np.log(high))


def evidence_of(count: np.ndarray, half: float) -> np.ndarray:
    """Grow with the number of observations: one half at `half` of them, never quite 1."""
    counts = np.asarray(count, float)
    term: np.ndarray = counts / (counts + half)
    return term


def passing(contacts: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Fall from 1 to one half for those who seek the same again and again.

    A scanner asks once or a few times and goes on; health checks, monitoring and clients whose server is gone ask what
    does not answer all day (SiLK's scan model weighs destinations by flows for the same reason).
    """
    returns = saturating_log(np.asarray(contacts, float) / np.asarray(targets, float), _COMES_BACK, _STAYS)
    term: np.ndarray = 1.0 - (1.0 - _CLIENT) * returns
    return term
