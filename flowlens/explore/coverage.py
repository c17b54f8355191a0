"""Whether the log can be trusted: what is there of each interface, what was lost, and what its fields allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets as widgets
import numpy as np
import pandas as pd

from flowlens.abilities import NEEDS, ability
from flowlens.cards.markup import paragraph, table
from flowlens.columns import typed
from flowlens.explore.bars import HistogramPanel
from flowlens.explore.lanes import LanesPanel
from flowlens.explore.over_time import TimePanel
from flowlens.explore.panels import Panel, Picks
from flowlens.explore.records import RecordsExplorer
from flowlens.explore.words import cell, clock
from flowlens.schema import BY_COLUMN
from flowlens.selection import Selection

__all__ = ["CoverageExplorer"]

_MOST_GAPS = 20

#: How long records are, in seconds: what is longer than a minute comes from windows of ten.
_LENGTHS = (0, 10, 30, 60, 90, 300, 600)


class CoverageExplorer(RecordsExplorer):
    """Records over time by status and by interface, gaps, lengths of records, and fields that are missing.

    An absence of flows proves nothing where the log has holes.
    """

    name, noun = "coverage", "records"
    without: ClassVar = {
        "start": "there is no time line",
        "end": "how long records are cannot be told",
        "log_status": "NODATA and SKIPDATA cannot be told",
        "interface_id": "interfaces and their gaps cannot be told",
    }

    def _measures(self) -> dict[str, str | None]:
        return {"records": None}

    def _make_panels(self) -> Sequence[Panel[Any]]:
        cross = self._cross
        statuses = cross.categories("log_status") if cross.has("log_status") else None
        panels: list[Panel[Any]] = [TimePanel(cross, self._choose, statuses, "status", self._looks)]
        if cross.has("interface_id"):
            interfaces = cross.categories("interface_id")
            picks = Picks.of("interface")
            panels.append(
                LanesPanel(cross, self._choose, interfaces, title="Interfaces", picks=picks, looks=self._looks)
            )
        if cross.has("start") and cross.has("end"):
            panels.append(
                HistogramPanel(
                    cross,
                    self._choose,
                    cross.coded(self._lengths),
                    title="Lengths of records",
                    picks=Picks.none(),
                    looks=self._looks,
                )
            )
        return panels

    def _lengths(self) -> tuple[np.ndarray, pd.Index]:
        seconds = (typed(self._table, "end") - typed(self._table, "start")).dt.total_seconds().to_numpy()
        known = ~np.isnan(seconds)
        names = ["0 s", *(f"up to {length} s" for length in _LENGTHS[1:]), f"over {_LENGTHS[-1]} s"]
        codes = np.where(known, np.searchsorted(_LENGTHS, np.where(known, seconds, 0)), -1)
        return codes, pd.Index(names)

    @property
    def gaps(self) -> pd.DataFrame:
        """The gaps of the interfaces that are selected that begin in the selected time, as `df.flow.gaps` has them."""
        clauses = {name: value for name, value in self.filter.clauses.items() if name in {"interface", "time"}}
        return self._all_gaps[Selection(**clauses).mask(self._all_gaps)]

    def _arranged(self) -> Sequence[widgets.Widget]:
        self._gaps = self._looks.scrolled("260px")
        self._fields = self._looks.words(self._said_of_fields())
        none = pd.DataFrame(columns=["interface_id", "start", "end", "duration"])
        self._all_gaps = self._flow.gaps() if self._flow.can("gaps") else none
        time, *others = self._panels
        bars = [panel.widget for panel in others if not isinstance(panel, LanesPanel)]
        lanes = [panel.widget for panel in others if isinstance(panel, LanesPanel)]
        below = self._looks.row([*bars, self._looks.below([self._gaps, self._fields], "66%")])
        return [time.widget, *lanes, self._copy, below]

    def _show_rows(self) -> None:
        able = self._flow.can("gaps")
        if not able:
            self._gaps.value = paragraph(f"Gaps cannot be told: {able}.")
            return
        shown, zone = self.gaps, self._view.zone
        longest = shown.sort_values("duration", ascending=False, kind="stable").head(_MOST_GAPS)
        rows = [
            [cell(interface), *(clock(moment, zone) for moment in ends), str(pd.Timedelta(duration))]
            for interface, *ends, duration in longest.itertuples(index=False)
        ]
        caption = f"The longest {len(rows):,} of {len(shown):,} gaps, {zone}"
        listed = table(caption, rows, head=["interface", "from", "to", "length"])
        self._gaps.value = listed or paragraph("No gaps")

    def _said_of_fields(self) -> str:
        """Say which fields are missing and what cannot be asked without them."""
        columns = [str(column) for column in self._table.columns]
        disabled: dict[str, list[str]] = {}
        for verb in NEEDS:
            able = ability(verb, columns)
            if not able and not able.why:
                for field in able.missing:
                    disabled.setdefault(field, []).append(verb)
        rows = [[f"${{{BY_COLUMN[field].name}}}", ", ".join(verbs)] for field, verbs in disabled.items()]
        there = sum(column in BY_COLUMN for column in columns)
        caption = f"{there} fields; what is missing, and what cannot be asked without it"
        listed = table(caption, rows, head=["add to the LogFormat", "to be able to ask"])
        return listed or paragraph(f"{there} fields; nothing is missing that is asked for")
