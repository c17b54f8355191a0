"""Explorers as tests use them: all of them on one log, and what a user does with them, through their widgets alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import ipywidgets as widgets
import pandas as pd

import flowlens as fl

__all__ = ["EXPLORERS", "button", "controls", "evaluated", "lists", "named", "status", "texts"]


@cache
def named() -> pd.DataFrame:
    """The sample with groups."""
    return fl.sample().flow.add_groups(fl.groups.subnets(fl.sample_topology()))


#: What makes each explorer of a frame.
EXPLORERS: dict[str, Callable] = {
    "traffic": lambda df, **given: df.flow.explore(**given),
    "rejects": lambda df, **given: df.flow.explore.rejects(**given),
    "groups": lambda df, **given: df.flow.explore.groups(**given),
    "findings": lambda df, **given: df.flow.explore.findings(**given),
    "coverage": lambda df, **given: df.flow.explore.coverage(**given),
}


def controls(explorer) -> Iterator[widgets.Widget]:
    """Yield every widget that is shown, in the order of the page."""
    waiting = [explorer.widget]
    while waiting:
        one = waiting.pop(0)
        yield one
        waiting = [*getattr(one, "children", ()), *waiting]


def of_kind(explorer, kind: type) -> list:
    return [one for one in controls(explorer) if type(one) is kind]


def button(explorer, label: str) -> widgets.Button:
    """Return the button with a label or a tooltip."""
    buttons = [one for one in controls(explorer) if isinstance(one, widgets.Button | widgets.ToggleButton)]
    return next(one for one in buttons if label in (one.description, one.tooltip))


def toggles(explorer, option: str) -> widgets.ToggleButtons:
    """Return the row of buttons that has an option."""
    return next(one for one in of_kind(explorer, widgets.ToggleButtons) if option in one.options)


def typed(explorer, text: str) -> None:
    """Type a clause and press Enter."""
    of_kind(explorer, widgets.Combobox)[0].value = text


def slider(explorer) -> widgets.SelectionRangeSlider:
    return of_kind(explorer, widgets.SelectionRangeSlider)[0]


def lists(explorer) -> dict[str, widgets.SelectMultiple | widgets.Select]:
    """Return the lists that can be picked from, by what their tooltips call them."""
    found = [one for one in controls(explorer) if isinstance(one, widgets.SelectMultiple | widgets.Select)]
    return {one.tooltip.split(":")[0]: one for one in found if ":" in one.tooltip}


def pick(explorer, name: str, *places: int) -> None:
    """Pick lines of a list by their place in it."""
    one = lists(explorer)[name]
    values = tuple(one.options[place][1] for place in places)
    one.value = values if isinstance(one, widgets.SelectMultiple) else values[0]


def chips(explorer) -> list[str]:
    """Return the clauses that can be taken away."""
    return [
        one.description.removesuffix(" ✕") for one in of_kind(explorer, widgets.Button) if one.description.endswith("✕")
    ]


def take_away(explorer, chip: str) -> None:
    next(one for one in of_kind(explorer, widgets.Button) if one.description == f"{chip} ✕").click()


def texts(explorer) -> list[str]:
    """Return what is said as text, from the top."""
    return [one.value for one in of_kind(explorer, widgets.HTML)]


def status(explorer) -> str:
    return texts(explorer)[0]


def code_in(explorer, language: str) -> str:
    """Return the text below *Copy as*."""
    toggles(explorer, language).value = language
    return of_kind(explorer, widgets.Textarea)[0].value


def canvases(explorer) -> list[widgets.DOMWidget]:
    """Return what the page draws itself, from the top."""
    return [one for one in controls(explorer) if type(one).__name__ == "Canvas"]


def images(explorer) -> list[bytes]:
    return [bytes(one.value) for one in of_kind(explorer, widgets.Image)]


def evaluated(explorer, df: pd.DataFrame, **names: object) -> pd.DataFrame:
    """Run the code of an explorer in the next cell, so to say."""
    return eval(explorer.code, {"df": df, **names})
