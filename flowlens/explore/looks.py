"""How controls look: layouts and styles that they share.

A front end makes a model of each: the traffic explorer has 54.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
from ipywidgets.widgets.widget_description import DescriptionStyle
from ipywidgets.widgets.widget_selection import ToggleButtonsStyle
from ipywidgets.widgets.widget_string import HTMLStyle, TextStyle

from flowlens.explore.shown import PngShown, Shown

__all__ = ["Looks", "Marked"]

#: Returns the clauses for the parts of a picture at some places.
Marked = Callable[[Sequence[int]], Mapping[str, Any]]

#: A front end leaves two pixels around each control.
_WIDE = "calc(100% - 4px)"


class Looks:
    """Makes controls that share their looks; one for each explorer."""

    def __init__(self) -> None:
        self._wide = widgets.Layout(width=_WIDE)
        # Nothing below a text moves where it becomes longer.
        self._two_lines = widgets.Layout(width=_WIDE, min_height="58px")
        self._shared: dict[str, widgets.Layout] = {}
        self._narrow = widgets.Layout(width="auto")
        self._plain = widgets.Layout()
        self._wrapped = widgets.Layout(flex_flow="row wrap", min_height="32px")
        self._words, self._button = HTMLStyle(), widgets.ButtonStyle()
        self._choices, self._typed = ToggleButtonsStyle(button_width="auto"), TextStyle()
        self._described = DescriptionStyle()

    def image(self) -> widgets.Image:
        """Return room for a picture."""
        return widgets.Image(format="png", layout=self._wide)

    def shown(self) -> Shown[Any]:
        """Return where a panel is drawn."""
        return PngShown(self.image())

    def markable(self, marked: Marked) -> Shown[Any]:  # noqa: ARG002
        """Return where a panel is drawn, marked where there is a way to; `marked` says what a mark means."""
        return self.shown()

    def words(self, value: str = "") -> widgets.HTML:
        """Return room for words."""
        return widgets.HTML(value, layout=self._wide, style=self._words)

    def twin(self) -> widgets.HTML:
        """Return room for what a picture says in words: up to two lines."""
        return widgets.HTML(layout=self._two_lines, style=self._words)

    def scrolled(self, height: str) -> widgets.HTML:
        """Return room of one height for words that may be many, so that nothing below them moves."""
        return widgets.HTML(layout=widgets.Layout(width=_WIDE, height=height, overflow="auto"), style=self._words)

    def button(self, label: str, tip: str, act: Callable[[Any], None]) -> widgets.Button:
        """Return a button that does something."""
        button = widgets.Button(description=label, tooltip=tip, layout=self._narrow, style=self._button)
        button.on_click(act)
        return button

    def pressed(self, label: str, tip: str) -> widgets.ToggleButton:
        """Return a button that stays pressed."""
        return widgets.ToggleButton(description=label, tooltip=tip, layout=self._narrow)

    def clause(self, placeholder: str, tip: str) -> widgets.Combobox:
        """Return room for a line that is typed, and taken with Enter."""
        return widgets.Combobox(
            placeholder=placeholder, continuous_update=False, tooltip=tip, layout=widgets.Layout(width="19em"),
            style=self._typed,
        )  # fmt: skip

    def code(self, tip: str) -> widgets.Textarea:
        """Return room for code to copy."""
        return widgets.Textarea(rows=3, tooltip=tip, layout=self._wide, style=self._typed)

    def choices(self, options: Sequence[str], tip: str, description: str = "") -> widgets.ToggleButtons:
        """Return a row of buttons of which one is pressed."""
        return widgets.ToggleButtons(
            options=options, tooltip=tip, description=description, layout=self._narrow, style=self._choices
        )

    def picked(self, rows: int, tip: str) -> widgets.SelectMultiple:
        """Return a list of which several lines can be picked."""
        return widgets.SelectMultiple(rows=rows, tooltip=tip, layout=self._listed(rows), style=self._described)

    def picked_one(self, rows: int, tip: str) -> widgets.Select:
        """Return a list of which one line can be picked."""
        return widgets.Select(rows=rows, tooltip=tip, layout=self._listed(rows), style=self._described)

    def _listed(self, rows: int) -> widgets.Layout:
        # As high without lines as with them: else it would be lower, and all below it move.
        return self._once(f"{17 * rows + 6}px", lambda height: widgets.Layout(width=_WIDE, height=height))

    def _once(self, size: str, make: Callable[[str], widgets.Layout]) -> widgets.Layout:
        if size not in self._shared:
            self._shared[size] = make(size)
        return self._shared[size]

    def beside(self, children: Sequence[widgets.Widget]) -> widgets.HBox:
        """Return a row of controls, which goes on below where there is no room."""
        return widgets.HBox(children, layout=self._wrapped)

    def below(self, children: Sequence[widgets.Widget], part: str = "") -> widgets.VBox:
        """Return a column of controls, as wide as there is room or a part of that."""
        return widgets.VBox(
            children, layout=self._once(part, lambda width: widgets.Layout(width=width)) if part else self._plain
        )

    def row(self, children: Sequence[widgets.Widget]) -> widgets.HBox:
        """Return columns beside each other."""
        return widgets.HBox(children, layout=self._plain)
