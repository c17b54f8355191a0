"""Panels that the page draws itself, and that are marked there without waiting for the kernel: the extra ``[fast]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, singledispatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import traitlets

from flowlens.explore.looks import Looks, Marked
from flowlens.explore.shown import Shown
from flowlens.plot.colours import BLUE
from flowlens.plot.contents import BarsData, StackData

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CanvasLooks", "Meant"]

#: Returns the clauses that a mark means.
Meant = Callable[[], Mapping[str, Any]]

#: Digits of heights, which are parts of the highest: a canvas has fewer pixels than this can tell apart.
_DIGITS = 4


class CanvasLooks(Looks):
    """Makes the same controls, and canvases where a panel can be marked.

    Parameters
    ----------
    choose, preview
        Called once a mark is set, and while it is being drawn, with what returns the clauses that it means.
    """

    def __init__(self, choose: Callable[[Meant], None], preview: Callable[[Meant], None]) -> None:
        super().__init__()
        self._choose, self._preview = choose, preview

    def markable(self, marked: Marked) -> Shown[Any]:
        """Return a canvas."""
        shown = _CanvasShown(Canvas(layout=self._wide))

        def answer(change: Mapping[str, Any]) -> None:
            number, *marks, settled = change["new"]
            (self._choose if settled else self._preview)(partial(marked, marks))
            shown.widget.answered = number

        shown.widget.observe(answer, "marks")
        return shown


class Canvas(anywidget.AnyWidget):
    """A canvas that draws what the kernel says, and says what is marked on it."""

    _esm = Path(__file__).with_name("canvas.js")

    #: What is drawn: see `_drawn`.
    drawn = traitlets.Dict().tag(sync=True)
    #: A running number; what is marked: two edges of bins, or keys of bars; whether it is settled.
    marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    #: The number of the marks that what is drawn is an answer to, whether they changed anything or not.
    answered = traitlets.Int(0).tag(sync=True)


class _CanvasShown:
    """A canvas, and a picture of the same for those who have no kernel."""

    def __init__(self, canvas: Canvas) -> None:
        self.widget = canvas
        self._data: Any = None

    def show(self, data: Any, said: str) -> None:  # noqa: ANN401
        """Draw it, and let screen readers say what is drawn."""
        self._data = data
        self.widget.drawn = {**_drawn(data), "title": data.title, "said": said, "empty": _is_empty(data)}

    def drawn(self) -> Image:
        """Return what is shown as a picture."""
        from flowlens.plot.panels import Picture

        picture = Picture(type(self._data))
        picture.draw(self._data)
        return picture.drawn()


@singledispatch
def _drawn(data: object) -> dict[str, Any]:
    """Return what a canvas needs to know to draw a panel."""
    raise NotImplementedError(type(data))


@_drawn.register
def _(data: StackData) -> dict[str, Any]:
    first, last = data.edges[0], data.edges[-1]
    stacked = sum(data.series.values(), np.zeros(len(data.edges) - 1))
    top = max(stacked.max(initial=0.0), 0.0 if data.ghost is None else data.ghost.max(initial=0.0))
    looks = {name: data.look_of(name) for name in data.series}
    return {
        "kind": "time",
        "top": data.amount(top) if top else "",
        "series": [
            {"name": name, "colour": looks[name][0], "hatch": looks[name][1][:1], "parts": _parts(amounts, top)}
            for name, amounts in data.series.items()
        ],
        "named": len(data.names) > 1,
        "ghost": None if data.ghost is None else _parts(data.ghost, top),
        "chosen": list(data.chosen or ()),
        "bins": len(data.edges) - 1,
        "ticks": [[(place - first) / (last - first), text] for place, text in data.ticks],
    }


@_drawn.register
def _(data: BarsData) -> dict[str, Any]:
    ghosts = np.zeros(len(data.names)) if data.ghosts is None else data.ghosts
    top = max(data.amounts.max(initial=0.0), ghosts.max(initial=0.0))
    return {
        "kind": "bars",
        "names": list(data.names),
        "keys": list(data.keys),
        "amounts": [data.amount(value) for value in data.amounts],
        "parts": _parts(data.amounts, top),
        "ghosts": _parts(ghosts, top),
        "chosen": [key for key, chosen in zip(data.keys, data.chosen, strict=True) if chosen],
        "colour": BLUE,
    }


def _is_empty(data: StackData | BarsData) -> bool:
    amounts = data.amounts if isinstance(data, BarsData) else [sums.sum() for sums in data.series.values()]
    return not np.any(amounts)


def _parts(amounts: np.ndarray, top: float) -> Sequence[float]:
    """Return amounts as parts of the highest."""
    parts: list[float] = np.round(amounts / (top or 1.0), _DIGITS).tolist()
    return parts
