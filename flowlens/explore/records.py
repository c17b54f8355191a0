"""Explorers of the records themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from flowlens.explore.explorer import Explorer
from flowlens.selection import Selection

if TYPE_CHECKING:
    from flowlens.accessor import FlowAccessor
    from flowlens.insights import InsightsText
    from flowlens.sqltext import SqlText

__all__ = ["RecordsExplorer"]


class RecordsExplorer(Explorer):
    """A view of the records themselves."""

    def __init__(self, flow: FlowAccessor, df: pd.DataFrame, start: Selection | None) -> None:
        """Take the records, and the filter to begin with."""
        super().__init__(flow, df, "df", start)

    without: ClassVar = {
        "start": "there is no time line",
        "action": "what was refused cannot be told",
        "bytes": "flows are counted",
    }

    def _measures(self) -> dict[str, str | None]:
        return {"bytes": "bytes", "packets": "packets", "flows": None}

    def _query(self, text: SqlText | InsightsText) -> str:
        return text.select(self.filter).records()

    def _show_rows(self) -> None:
        pass
