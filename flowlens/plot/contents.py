"""What the panels of the explorers show, before anything is drawn: without matplotlib, which takes a while to load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flowlens.plot.colours import BLUE, GHOST, OTHERS, ROLES

__all__ = ["BarsData", "CellsData", "DotsData", "LanesData", "StackData", "WideBarsData"]

#: Colour and hatch of series that are neither accepted nor refused.
_LOOKS = ((BLUE, ""), (OTHERS[2], "///"), (OTHERS[0], "..."), (OTHERS[1], "xxx"), (OTHERS[3], "\\\\\\"), (GHOST, "++"))


@dataclass(frozen=True)
class StackData:
    """Amounts over time.

    Attributes
    ----------
    edges
        Of the bins, as they are written below, one more than bins.
    series
        Amounts by bin for each name, stacked in this order.
    names
        All there may be, in an order that gives each its look.
    ghost
        All of what is compared with; None where nothing is.
    chosen
        The first bin that is chosen and the one behind the last; None where all are.
    title, ticks, amount
        What it shows, where and what to write below, and how to write an amount.
    """

    edges: np.ndarray
    series: dict[str, np.ndarray]
    names: Sequence[str]
    ghost: np.ndarray | None
    chosen: tuple[int, int] | None
    title: str
    ticks: Sequence[tuple[float, str]]
    amount: Callable[[float], str]

    def look_of(self, name: str) -> tuple[str, str]:
        """Return the colour and the hatch of a series."""
        return ROLES.get(name) or _LOOKS[self.names.index(name) % len(_LOOKS)]


@dataclass(frozen=True)
class BarsData:
    """Amounts by name, largest first.

    Attributes
    ----------
    names, amounts
        What is ranked.
    keys
        What stands for each where it is picked.
    chosen
        Which of them are; none where all are.
    ghosts
        Those of what is compared with; None where nothing is.
    title, amount
        What it shows, and how to write an amount.
    """

    #: How many there is room for.
    most: ClassVar = 10

    names: Sequence[str]
    amounts: np.ndarray
    keys: Sequence[int]
    chosen: Sequence[bool]
    ghosts: np.ndarray | None
    title: str
    amount: Callable[[float], str]


class WideBarsData(BarsData):
    """The same with long names."""


@dataclass(frozen=True)
class CellsData:
    """Amounts that two things have in common.

    Attributes
    ----------
    rows, columns, amounts
        Names, and the amount of each row and column.
    chosen
        The places of rows and columns that are chosen.
    title, amount
        What it shows, and how to write an amount.
    """

    #: How many rows and columns there is room for.
    most: ClassVar = 8

    rows: Sequence[str]
    columns: Sequence[str]
    amounts: np.ndarray
    chosen: Sequence[tuple[int, int]]
    title: str
    amount: Callable[[float], str]


@dataclass(frozen=True)
class LanesData:
    """What there is of each name over time.

    Attributes
    ----------
    names
        Of the lanes, from the top.
    edges
        Of the bins, as they are written below, one more than bins.
    present, lost
        Amounts by lane and bin: of what is there, and of what is known to be lost.
    chosen
        Which lanes are; none where all are.
    title, ticks
        What it shows, and where and what to write below.
    """

    #: How many lanes there is room for.
    most: ClassVar = 16

    names: Sequence[str]
    edges: np.ndarray
    present: np.ndarray
    lost: np.ndarray
    chosen: Sequence[bool]
    title: str
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class DotsData:
    """Events by their time and something else.

    Attributes
    ----------
    times, heights
        One of each an event.
    span
        First and last time to show.
    title, ticks, levels
        What it shows, and where and what to write below and on the left: numbers where there are no levels.
    """

    times: np.ndarray
    heights: np.ndarray
    span: tuple[float, float]
    title: str
    ticks: Sequence[tuple[float, str]]
    levels: Sequence[tuple[float, str]]
