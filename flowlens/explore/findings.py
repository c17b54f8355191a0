"""What looks hostile, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as widgets
import numpy as np
import pandas as pd

from flowlens.cards.markup import Markup
from flowlens.detect import checked_thresholds, thresholds
from flowlens.engine import GroundOfFrame
from flowlens.explore.bars import HistogramPanel
from flowlens.explore.crossfilter import Crossfilter
from flowlens.explore.evidence import drawn, selection_of
from flowlens.explore.judged import JudgedExplorer
from flowlens.explore.over_time import TimePanel
from flowlens.explore.panels import Panel, Picks
from flowlens.explore.ranking import RankingPanel
from flowlens.explore.shown import PngShown
from flowlens.selection import Selection

if TYPE_CHECKING:
    from flowlens.accessor import FlowAccessor

__all__ = ["FindingsExplorer"]

_TENTHS = [f"{tenth / 10:.1f} or more" for tenth in range(10)]
_COLUMNS = (("kind", "Kinds", "kind"), ("srcaddr", "Sources", "src"), ("dstaddr", "Destinations", "dst"))


class FindingsExplorer(JudgedExplorer):
    """Findings by score, kind and host, each with its terms and a picture of its records, and the thresholds."""

    name, noun = "findings", "findings"
    _records_of = "the records that the findings are about; scores are worked out in Python"
    _stands_on: ClassVar[GroundOfFrame | None] = None

    def __init__(self, flow: FlowAccessor, df: pd.DataFrame, given: Mapping[str, Any], start: Selection | None) -> None:
        """Take the records, the arguments of `findings`, and the filter to begin with."""
        self._given = {name: value for name, value in given.items() if value is not None and name != "thresholds"}
        usual = thresholds()["value"]
        self._moved = {name: at for name, at in checked_thresholds(given["thresholds"]).items() if at != usual[name]}
        self._pictures: dict[type[Any], PngShown[Any]] = {}
        # Contacts stay what they are while thresholds move.
        self._ground = GroundOfFrame(df)
        super().__init__(type(flow)(df, self._ground), df, self._call(), start)

    def _found(self, flow: FlowAccessor) -> pd.DataFrame:
        # Widgets live as long as the kernel, and the explorer with them: one at a time keeps its contacts.
        if FindingsExplorer._stands_on is not self._ground:
            if FindingsExplorer._stands_on is not None:
                FindingsExplorer._stands_on.close()
            FindingsExplorer._stands_on = self._ground
        given = {**self._given, "thresholds": self._moved} if self._moved else self._given
        return flow.findings(**given)

    @cached_property
    def _span(self) -> tuple[int, int]:
        """First and last second of the log."""
        first, last = self._flow.window
        return int(first.timestamp()), int(last.timestamp())

    def _call(self) -> str:
        """Return the code that finds the same."""
        arguments = [f"{name}={name}" for name in self._given]
        moved = [f"thresholds={self._moved!r}"] if self._moved else []
        return f"df.flow.findings({', '.join([*arguments, *moved])})"

    def _measures(self) -> dict[str, str | None]:
        return {"findings": None, "flows": "flows", "bytes": "bytes"}

    def _make_panels(self) -> Sequence[Panel[Any]]:
        cross, self.image = self._cross, self._looks.image()
        self._name = widgets.Dropdown(options=list(thresholds().index), description="Threshold")
        self._value = widgets.FloatText(continuous_update=False, layout=widgets.Layout(width="9em"))
        self._meaning = self._looks.words()
        self._name.observe(self._guarded(lambda _: self._show_threshold()), "value")
        self._value.observe(self._guarded(self._move), "value")
        self._show_threshold()
        scores = Picks(clauses=_at_least, names=_tenths, own=frozenset({"min_score"}))
        self._time = TimePanel(cross, self._choose, None, "", self._looks)
        self._ranking = RankingPanel(cross, self._choose, self._table, label=_who, looks=self._looks)
        self._by_score = HistogramPanel(
            cross, self._choose, cross.coded(self._scores), title="Scores", picks=scores, looks=self._looks
        )
        self._by_column = {
            column: self._bars(cross.categories(column), title, Picks.of(clause)) for column, title, clause in _COLUMNS
        }
        return [self._time, self._ranking, self._by_score, *self._by_column.values()]

    def _scores(self) -> tuple[np.ndarray, pd.Index]:
        tenths = np.minimum((self._table["score"].to_numpy(float) * 10 + 1e-9).astype(int), 9)
        return tenths, pd.Index(_TENTHS)

    def _arranged(self) -> Sequence[widgets.Widget]:
        bounds = self._looks.row([self._name, self._value, self._meaning])
        return [
            self._time.widget,
            self._looks.row([self._ranking.widget, self._by_score.widget]),
            self._looks.row([panel.widget for panel in self._by_column.values()]),
            bounds,
            self._copy,
            self._listed,
            self._list,
            self.image,
            self._detail,
        ]

    # --- Thresholds ---

    def _show_threshold(self) -> None:
        at = thresholds().loc[self._name.value]
        self._value.value = self._moved.get(self._name.value, float(at["value"]))
        self._meaning.value = escape(f"{at['unit']}: {at['meaning']}; {at['value']:g} by default")

    def _move(self, change: Mapping[str, Any]) -> None:
        """Score anew with another threshold, and show how the ranking changes."""
        usual = float(thresholds().loc[self._name.value, "value"])
        before, self._moved = self._moved, {**self._moved, self._name.value: change["new"]}
        if change["new"] == usual:
            del self._moved[self._name.value]
        try:
            found = self._found(self._flow)
        except ValueError:
            self._moved = before
            raise
        self._table, self._origin = found, self._call()
        self._cross = Crossfilter(found, self._measures())
        self._time.renew(self._cross, None)
        self._ranking.renew(self._cross, found)
        self._by_score.renew(self._cross, self._cross.coded(self._scores))
        for column, panel in self._by_column.items():
            panel.renew(self._cross, self._cross.categories(column))
        self._refresh()

    # --- One finding ---

    def _ordered(self, found: pd.DataFrame) -> pd.DataFrame:
        return found  # as they are ranked

    def _label(self, row: pd.Series) -> str:
        return f"{row['score']:.2f} {_bar(row['score'])} {_who(row)}"

    @property
    def records(self) -> pd.DataFrame:
        """The records that the finding that is shown is about."""
        row = self._shown_row()
        return self._df.iloc[:0] if row is None else self._df.flow.select(selection_of(row))

    def _evidence(self, row: pd.Series) -> Markup:
        data = drawn(row, self.records, self._span, self._view.zone)
        self._pictures.setdefault(type(data), PngShown(self.image)).show(data, "")
        return Markup()  # the numbers are on its card


def _who(row: pd.Series) -> str:
    """Write what a finding is about."""
    target = "" if pd.isna(row["dstaddr"]) or row["dstaddr"] in row["subject"] else f" to {row['dstaddr']}"
    port = "" if pd.isna(row["dstport"]) else f":{row['dstport']}"
    return f"{row['kind'].replace('_', ' ')} · {row['subject']}{target}{port}"


def _bar(value: float) -> str:
    return "█" * round(float(value) * 10) + "░" * (10 - round(float(value) * 10))


def _at_least(names: Sequence[Any]) -> dict[str, Any]:
    lowest = min((_TENTHS.index(name) for name in names), default=0)
    return {"min_score": lowest / 10 or None}


def _tenths(selection: Selection) -> list[str]:
    least = selection.clauses.get("min_score")
    return [] if least is None else _TENTHS[int(least * 10 + 1e-9) :]
