"""What every panel is: what it shows of the rows that all clauses but its own leave, and how it is picked from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from flowlens.explore.crossfilter import Crossfilter
from flowlens.explore.shown import Shown
from flowlens.selection import Selection

__all__ = ["Choose", "Panel", "Picks", "View"]

Data = TypeVar("Data")

#: Called with the clauses that a pick changes, None for those that it takes back.
Choose = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class View:
    """What all panels of an explorer show.

    Attributes
    ----------
    measure
        What is summed up.
    filter
        What is selected.
    zone
        In which zone times are written.
    compared
        What is shown behind it for comparison.
    """

    measure: str
    filter: Selection = field(default_factory=Selection)
    zone: str = "UTC"
    compared: Selection | None = None


class Panel(ABC, Generic[Data]):
    """One picture with what it takes to pick from it and to read it."""

    #: Names of the clauses that picks here make.
    own: frozenset[str]
    widget: widgets.Widget
    #: Where it is drawn.
    shown: Shown[Data]
    #: The same in words.
    twin: widgets.HTML

    def __init__(self, cross: Crossfilter, choose: Choose) -> None:
        self.cross, self.choose = cross, choose
        self._seen: object = None

    @abstractmethod
    def look(self, view: View) -> tuple[Data, Any]:
        """Return what to draw, and what else is to be said of it: work for any thread."""

    @abstractmethod
    def said(self, data: Data, more: Any, view: View) -> str:  # noqa: ANN401
        """Say in words what is drawn."""

    def show(self, data: Data, more: Any, view: View) -> None:  # noqa: ANN401
        """Draw it, write what is drawn, and bring the controls up to date."""
        said = self.said(data, more, view)
        self.shown.show(data, said)
        self.twin.value = escape(said)
        self._show_controls(data, more, view)

    @abstractmethod
    def _show_controls(self, data: Data, more: Any, view: View) -> None:  # noqa: ANN401
        """Bring what is picked from up to date."""

    def data(self, view: View) -> Data:
        """Return what to draw."""
        return self.look(view)[0]

    def is_stale(self, view: View) -> bool:
        """Tell whether something has changed that the panel shows, and take note of it."""
        key = (view.filter, view.measure, view.zone, view.compared)
        stale = self._seen != key
        self._seen = key
        return stale

    def forget(self) -> None:
        """Show everything anew the next time, as something else than the view has changed."""
        self._seen = None

    def others(self, selection: Selection) -> dict[str, Any]:
        """Return the clauses that are not the panel's own."""
        return {name: value for name, value in selection.clauses.items() if name not in self.own}


@dataclass(frozen=True, kw_only=True)
class Picks:
    """How picks of a panel are written as clauses.

    Attributes
    ----------
    clauses
        Returns the clauses that mean some names.
    names
        Returns the names that the clauses of a selection mean.
    own
        The names of these clauses.
    label
        Writes a name for people.
    """

    clauses: Callable[[Sequence[Any]], Mapping[str, Any]]
    names: Callable[[Selection], Sequence[Any]]
    own: frozenset[str]
    label: Callable[[Any], str] = str

    @classmethod
    def of(cls, clause: str) -> Picks:
        """Return how values of one clause are picked."""
        return cls(
            clauses=lambda names: {clause: [str(name) for name in names] or None},
            names=lambda selection: list(selection.clauses.get(clause, ())),
            own=frozenset({clause}),
        )

    @classmethod
    def none(cls) -> Picks:
        """Return that nothing can be picked."""
        return cls(clauses=lambda _: {}, names=lambda _: [], own=frozenset())
