"""All that can be said of a case, by name: data with verdict, certainty, what remains possible, and why."""

from __future__ import annotations

from flowlens.diagnose.by_log import BY_LOG
from flowlens.diagnose.by_rules import BY_RULES
from flowlens.diagnose.codes import Ruling

__all__ = ["RULINGS"]

RULINGS: dict[str, Ruling] = BY_LOG | BY_RULES
