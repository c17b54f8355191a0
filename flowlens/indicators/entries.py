"""What a list of indicators says, place by place, before anyone has judged it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from flowlens.errors import BadLine

__all__ = ["GIVEN", "Entry", "LeftOut", "Listing", "UnusableError", "none_if_missing", "shortened"]

#: What indicators are called in messages that are in no file.
GIVEN = "indicators"


class UnusableError(ValueError):
    """Records of a flow log cannot be compared with it; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One indicator as it is written; None where nothing is said.

    Attributes
    ----------
    place
        Its line in a file, otherwise its row or object, from 1.
    address
        An address or a prefix, or whatever stands where one belongs.
    source
        The list it is from, where it says so itself.
    """

    place: int
    address: object
    name: object = None
    port: object = None
    protocol: object = None
    confidence: object = None
    valid_from: object = None
    valid_until: object = None
    source: object = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What no record of a flow log can be compared with."""

    place: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All that one list says.

    Attributes
    ----------
    file
        Its path, or `GIVEN`.
    unit
        What the places of its entries are.
    entries
        What it says, in its order.
    percent
        Whether confidence is out of 100. Where that is not known, numbers above 1 tell.
    """

    file: str
    unit: Literal["line", "row", "object"]
    entries: Iterable[Entry | LeftOut | BadLine]
    percent: bool = False


def none_if_missing(value: object) -> object:
    """Return what stands in a cell, text without space around it; None for the many ways to write nothing."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in {"", "-"} else text
    if value is pd.NA or value is pd.NaT or (isinstance(value, float | np.floating) and np.isnan(value)):
        return None
    return value


def shortened(text: str) -> str:
    """Return text to be shown: of a long one, what it begins with."""
    return text if len(text) <= 200 else f"{text[:197]}..."
