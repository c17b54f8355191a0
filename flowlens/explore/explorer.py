"""What all explorers have in common: a filter that every panel stands on, and the ways in and out of it."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as widgets
import pandas as pd

from flowlens.errors import FlowlensError
from flowlens.explore.bars import BarsPanel
from flowlens.explore.crossfilter import POOL, Categories, Crossfilter
from flowlens.explore.looks import Looks
from flowlens.explore.panels import Panel, Picks, View
from flowlens.explore.typing_in import typed_clause
from flowlens.explore.words import ZONES, amount, span
from flowlens.selection import Selection
from flowlens.timespan import time_span

if TYPE_CHECKING:
    from flowlens.accessor import FlowAccessor
    from flowlens.insights import InsightsText
    from flowlens.plot.panels import Figure
    from flowlens.sqltext import SqlText

__all__ = ["Explorer"]

_LANGUAGES = ("Python", "DuckDB", "Athena", "Insights")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Put off collecting garbage: a great many objects are made here, and hardly one is let go of.

    Each time that many are new Python looks at all there are: 8 % of a first view where a notebook has little else.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Explorer(ABC):
    """A view of flow logs to look at and to pick from, which gives back what it shows.

    Evaluate it in a notebook to see it. Panels are linked: each is filtered by every clause but its own.
    """

    #: What it is called, and what its rows are.
    name: str
    noun: str
    #: What is not shown without a field.
    without: ClassVar[Mapping[str, str]]

    def __init__(self, flow: FlowAccessor, table: pd.DataFrame, origin: str, start: Selection | None) -> None:
        """Take the records, the table that is explored, the code that makes it, and the filter to begin with."""
        if start is not None and not isinstance(start, Selection):
            raise TypeError(f"filter takes an fl.Selection and no {type(start).__name__}")
        self._flow, self._table, self._origin, self._looks = flow, table, origin, self._make_looks()
        self._start = start or Selection()
        self._start.mask(table.iloc[:0])  # a clause about something that is not there is told at once
        self._cross = Crossfilter(table, self._measures())
        self._view = View(filter=self._start, measure=self._cross.measures[0])
        self._before: list[Selection] = []
        self._busy = False
        with _uncollected():
            self._build()
            # matplotlib takes a third of a second to load: the page makes its models meanwhile, and other threads put
            # the rows in order.
            import_module("flowlens.plot.panels")
            self._refresh()
        self._cross.prepare()

    # --- What it gives back ---

    @property
    def filter(self) -> Selection:
        """What is selected, to select by elsewhere or to come back to: ``df.flow.explore(filter=...)``."""
        return self._view.filter

    @property
    def selection(self) -> pd.DataFrame:
        """The rows that are selected, with their original index."""
        # Of everything a frame of its own, too: what is done to it is not done to the log.
        return self._table.flow.select(self.filter) if self.filter.clauses else self._table.copy(deep=False)

    @property
    def code(self) -> str:
        """The Python that gives `selection`."""
        return self.filter.code.replace("df", self._origin, 1) if self.filter.clauses else self._origin

    @property
    def widget(self) -> widgets.VBox:
        """What is shown, to put into a layout of your own."""
        return self._widget

    def figure(self) -> Figure:
        """Draw the same panels as one figure.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from flowlens.plot.panels import figure_of

        return figure_of([panel.data(self._view) for panel in self._panels], self._said(self._view))

    def __repr__(self) -> str:
        return f"<{self.name} explorer: {self._said(self._view)}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the widgets, and a picture for readers of the notebook who have no kernel."""
        from flowlens.plot.panels import picture_of

        # What ipywidgets would say of its text is long, and not read by anybody.
        view = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        picture = picture_of([panel.shown.drawn() for panel in self._panels])
        return {"text/plain": repr(self), "image/png": picture, "application/vnd.jupyter.widget-view+json": view}

    # --- What each explorer is made of ---

    @abstractmethod
    def _measures(self) -> dict[str, str | None]:
        """Return what can be summed up: the column of each measure, None for the number of rows."""

    def _make_looks(self) -> Looks:
        return Looks()

    @abstractmethod
    def _make_panels(self) -> Sequence[Panel[Any]]:
        """Return the panels in their order, the one over time first."""

    @abstractmethod
    def _arranged(self) -> Sequence[widgets.Widget]:
        """Return the panels as they are laid out."""

    @abstractmethod
    def _show_rows(self) -> None:
        """Bring up to date what is beside the panels."""

    def _said(self, view: View) -> str:
        """Say how much of everything is selected."""
        clauses, cross = view.filter.clauses, self._cross
        rows = next(name for name, column in self._measures().items() if column is None)
        parts = [f"{cross.total(rows, clauses):,.0f} of {len(cross):,} {self.noun}"]
        if "bytes" in cross.measures:
            parts.append(
                f"{amount(cross.total('bytes', clauses), 'bytes')} of {amount(cross.total('bytes', {}), 'bytes')}"
            )
        whole = cross.span()
        if whole is not None:
            begin, end = time_span(view.filter.time or (None, None))
            begin, end = max(begin, whole[0]), min(end, whole[1])
            parts.append(span(begin, end, view.zone) if begin <= end else "none of the time of the log")
        return " · ".join(parts)

    def _said_to_be_absent(self) -> str:
        """Say what this log cannot show, and the fields that it lacks for that."""
        lacking = {field: what for field, what in self.without.items() if field not in self._flow.fields}
        return "; ".join(f"this log has no {field}, so {what}" for field, what in lacking.items())

    # --- Widgets ---

    def _build(self) -> None:
        looks = self._looks
        self._status = looks.words()
        absent = self._said_to_be_absent()
        self._chips = looks.beside([])
        self._measure = looks.choices(self._cross.measures, "What is summed up")
        self._zone = looks.choices(list(ZONES), "In which zone times are written")
        self._measure.observe(self._guarded(lambda change: self._look(measure=change["new"])), "value")
        self._zone.observe(self._guarded(lambda change: self._look(zone=change["new"])), "value")
        self._undo = looks.button("Undo", "Take the last change back", self._guarded(self._go_back))
        self._reset = looks.button("Reset", "Go back to the beginning", self._guarded(self._start_again))
        self._compare = looks.pressed("Compare", "Keep what is selected now in grey behind what comes")
        self._compare.observe(self._guarded(self._pin), "value")
        self._words = looks.clause(
            "add: 10.1.2.3, ssh, src=10.0.0.0/8",
            "A clause, then Enter: an address, a port, or name=value, value; name= takes one away",
        )
        self._words.observe(self._guarded(self._typed), "value")
        self._language = looks.choices(_LANGUAGES, "The language of the text below", "Copy as")
        self._language.observe(self._guarded(lambda _: self._show_code()), "value")
        self._text = looks.code("What is selected, as code")
        self._copy = looks.below([self._language, self._text])
        self._panels = list(self._make_panels())
        tools = [self._measure, self._zone, self._undo, self._reset, self._compare, self._words]
        self._widget = looks.below(
            [
                self._status,
                *([looks.words(escape(absent))] if absent else []),
                looks.beside(tools),
                self._chips,
                *self._arranged(),
            ]
        )

    def _guarded(self, act: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a callback that says in the status line what went wrong: else it would be in a log nobody reads."""

        def callback(change: Any) -> None:  # noqa: ANN401
            if self._busy:  # set from here, and by nobody
                return
            self._busy = True
            try:
                act(change)
            except Exception as error:
                self._complain(error)
            finally:
                self._busy = False

        return callback

    def _complain(self, error: Exception) -> None:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        kind = "" if isinstance(error, FlowlensError | ValueError) else f"{type(error).__name__}: "
        self._status.value = f"<b>Not done.</b> {escape(f'{kind}{said}')}"

    def _choose(self, clauses: Mapping[str, Any]) -> None:
        self._guarded(lambda _: self._go(replace(self.filter, **clauses)))(None)

    def _go(self, selection: Selection) -> None:
        if selection != self.filter:
            selection.mask(self._table.iloc[:0])
            self._before.append(self.filter)
            self._look(filter=selection)

    def _go_back(self, _: object) -> None:
        if self._before:
            self._look(filter=self._before.pop())

    def _start_again(self, _: object) -> None:
        self._compare.value = False
        self._view = replace(self._view, compared=None)
        self._go(self._start)
        self._refresh()

    def _pin(self, change: Mapping[str, Any]) -> None:
        self._look(compared=self.filter if change["new"] else None)

    def _typed(self, change: Mapping[str, Any]) -> None:
        if change["new"].strip():
            self._go(replace(self.filter, **typed_clause(change["new"])))
            self._words.value = ""

    def _look(self, **changes: Any) -> None:  # noqa: ANN401
        self._view = replace(self._view, **changes)
        self._refresh()

    def _refresh(self) -> None:
        was_busy, self._busy = self._busy, True
        try:
            # Sums leave Python's lock, so those of one panel are worked out while another is drawn.
            stale = [panel for panel in self._panels if panel.is_stale(self._view)]
            looks = [POOL.submit(panel.look, self._view) for panel in stale]
            for panel, look in zip(stale, looks, strict=True):
                panel.show(*look.result(), self._view)
            self._show_chips()
            self._show_rows()
            self._show_code()
            self._undo.disabled = not self._before
            self._status.value = escape(self._said(self._view))
        finally:
            self._busy = was_busy

    def _bars(self, categories: Categories, title: str, picks: Picks) -> BarsPanel:
        return BarsPanel(self._cross, self._choose, categories, title=title, picks=picks, looks=self._looks)

    def _show_chips(self) -> None:
        kept = {chip.tooltip: chip for chip in self._chips.children}
        chips = []
        for name, value in self.filter.clauses.items():
            said = Selection(**{name: value}).code.partition("(")[2][:-1]
            tip = f"Take away {said}"
            if tip not in kept:
                label = said if len(said) <= 48 else f"{said[:47]}…"
                kept[tip] = self._looks.button(f"{label} ✕", tip, self._guarded(partial(self._take_away, name)))
            chips.append(kept[tip])
        if tuple(chips) != tuple(self._chips.children):
            self._chips.children = chips

    def _take_away(self, name: str, _: object) -> None:
        self._go(replace(self.filter, **{name: None}))

    def _show_code(self) -> None:
        self._text.value = self._written(self._language.value)

    @abstractmethod
    def _query(self, text: SqlText | InsightsText) -> str:
        """Return the query for what is selected."""

    def _written(self, language: str) -> str:
        """Return what is selected in a language, or why it cannot be said in it."""
        if language == "Python":
            return self.code
        try:
            if language == "Insights":
                return self._query(self._flow.insights())
            dialect, name = {"DuckDB": ("duckdb", "flows"), "Athena": ("athena", "vpc_flow_logs")}[language]
            return self._query(self._flow.sql(dialect, table=name))
        except (FlowlensError, ValueError) as error:
            return f"{language} cannot say this: {error.args[0]}"
