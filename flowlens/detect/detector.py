"""What a detector is: a reduction of the contacts, and a judgement of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from flowlens.detect.scene import Scene

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Detector"]


def _scored(_: Scene) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """One kind of finding.

    Attributes
    ----------
    kind
        Its name in the results.
    reduce
        Takes the records, the contacts and the thresholds, and returns one row a unit that is worth a look.
    judge
        Scores what the reduction returned.
    unscored
        Says why nothing of this kind can be scored in such a log, or nothing where it can.
    """

    kind: str
    reduce: Callable[[ir.Table, ir.Table, Mapping[str, float]], ir.Table]
    judge: Callable[[pd.DataFrame, Scene], pd.DataFrame]
    unscored: Callable[[Scene], str] = _scored
