"""Who talks to whom, how much, and when."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from flowlens.cards.markup import paragraph, table
from flowlens.explore.over_time import TimePanel
from flowlens.explore.panels import Panel, Picks
from flowlens.explore.ports import coded_ports, picked_ports, port_clauses, port_label
from flowlens.explore.records import RecordsExplorer
from flowlens.explore.words import clock, in_types
from flowlens.service import protocol_name

__all__ = ["TrafficExplorer"]

_ROWS = 20
_COLUMNS = ("start", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "packets", "bytes", "action", "log_status")


class TrafficExplorer(RecordsExplorer):
    """Flows over time, their largest sources, destinations and service ports, and the first records themselves."""

    name, noun = "traffic", "flows"

    def _make_panels(self) -> Sequence[Panel[Any]]:
        cross, columns = self._cross, self._table.columns
        actions = cross.categories("action") if "action" in columns else None
        bars: list[Panel[Any]] = []
        for title, column, clause in (("Sources", "srcaddr", "src"), ("Destinations", "dstaddr", "dst")):
            bars.append(self._bars(cross.categories(column), title, Picks.of(clause)))
        if {"srcport", "dstport", "protocol"} <= {*columns}:
            picks = Picks(
                clauses=port_clauses, names=picked_ports, own=frozenset({"port", "protocol"}), label=port_label
            )
            bars.append(self._bars(cross.coded(partial(coded_ports, self._table)), "Service ports", picks))
        # Last, as it waits for the names of the actions.
        return [TimePanel(cross, self._choose, actions, "action", self._looks), *bars]

    def _arranged(self) -> Sequence[widgets.Widget]:
        # As high for one row as for all, so that nothing below it moves.
        self._rows = self._looks.scrolled("420px")
        time, *bars = self._panels
        return [time.widget, self._looks.row([panel.widget for panel in bars]), self._copy, self._rows]

    def _show_rows(self) -> None:
        clauses = self.filter.clauses
        shown = in_types(self._cross.first(_ROWS, clauses))
        there = [column for column in _COLUMNS if column in shown.columns]
        rows = [[_cell(column, value, self._view.zone) for column, value in zip(there, row, strict=True)]
                for row in shown[there].itertuples(index=False)]  # fmt: skip
        caption = f"The first {len(rows):,} of {self._cross.total('flows', clauses):,.0f} flows, {self._view.zone}"
        self._rows.value = table(caption, rows, head=there) or paragraph("No flows")


def _cell(column: str, value: Any, zone: str) -> object:  # noqa: ANN401
    if column == "start" and not pd.isna(value):
        return clock(value, zone)
    if column == "protocol" and not pd.isna(value):
        return protocol_name(int(value))
    if column in {"packets", "bytes"} and not pd.isna(value):
        return f"{value:,}"
    return value
