"""Who talks to whom, with a brush that answers while it is drawn."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from flowlens.explore.canvas import CanvasLooks, Meant
from flowlens.explore.crossfilter import POOL
from flowlens.explore.traffic import TrafficExplorer

__all__ = ["BrushExplorer"]


class BrushExplorer(TrafficExplorer):
    """The traffic explorer, whose time line and bars are drawn in the page and brushed there.

    While a mark is drawn the canvases and the status line follow. All else, and `filter`, follow once it is set.
    """

    name = "brush"

    def _make_looks(self) -> CanvasLooks:
        return CanvasLooks(self._guarded(self._settle), self._guarded(self._preview))

    def _settle(self, meant: Meant) -> None:
        selection = replace(self.filter, **meant())
        if selection == self.filter:
            self._refresh()  # drawn back to where it was: panels may show what was on the way
        else:
            self._go(selection)

    def _preview(self, meant: Meant) -> None:
        clauses = meant()
        view = replace(self._view, filter=replace(self.filter, **clauses))
        # A panel is not filtered by its own clauses, and the page draws the mark itself.
        panels = [panel for panel in self._panels if not panel.own >= clauses.keys()]
        looks = [POOL.submit(panel.look, view) for panel in panels]
        for panel, look in zip(panels, looks, strict=True):
            data, more = look.result()
            panel.shown.show(data, panel.said(data, more, view))
            panel.forget()
        self._status.value = escape(self._said(view))
