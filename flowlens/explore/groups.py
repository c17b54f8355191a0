"""What crosses between groups of addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from flowlens.enrich.networks import Networks
from flowlens.explore.crossfilter import Categories
from flowlens.explore.matrix import Crossed, MatrixPanel
from flowlens.explore.over_time import TimePanel
from flowlens.explore.panels import Panel, Picks
from flowlens.explore.records import RecordsExplorer
from flowlens.selection import Selection

__all__ = ["GroupsExplorer"]

_SHORTEST, _USUAL, _LONGEST = 8, 16, 32

#: What `add_groups` calls addresses that no prefix of the user holds.
_UNNAMED = "other"


class GroupsExplorer(RecordsExplorer):
    """Flows between groups as a matrix, those of a pair over time, and addresses that have no group."""

    name, noun = "groups", "flows"

    def _make_panels(self) -> Sequence[Panel[Any]]:
        cross = self._cross
        self._named = cross.has("src_group") and cross.has("dst_group")
        self._length = widgets.IntSlider(
            _USUAL, _SHORTEST, _LONGEST, description="Prefix /", continuous_update=False, tooltip="Length of prefixes"
        )
        self._by = self._looks.choices(["groups", "prefixes"] if self._named else ["prefixes"], "What is crossed")
        self._matrix = MatrixPanel(
            cross, self._choose, self._crossed(), title="From (rows) to (columns)", looks=self._looks
        )
        self._length.observe(self._guarded(self._cross_anew), "value")
        self._by.observe(self._guarded(self._cross_anew), "value")
        actions = cross.categories("action") if cross.has("action") else None
        title = "{} in no group" if self._named else "{}"
        return [
            TimePanel(cross, self._choose, actions, "action", self._looks),
            self._matrix,
            self._bars(self._unnamed("src"), title.format("Sources"), Picks.of("src")),
            self._bars(self._unnamed("dst"), title.format("Destinations"), Picks.of("dst")),
        ]

    def _cross_anew(self, _: object) -> None:
        self._matrix.cross_by(self._crossed())
        self._refresh()

    def _crossed(self) -> Crossed:
        if self._by.value == "groups":
            rows, columns, names = (
                self._cross.categories("src_group"),
                self._cross.categories("dst_group"),
                ("src_group", "dst_group"),
            )
        else:
            networks = Networks(self._length.value, _ipv6(self._length.value)).of_frame(self._table)
            rows, columns = (self._cross.coded(partial(_parts, side)) for side in networks.values())
            names = ("src", "dst")

        def clauses(row: object, column: object) -> Mapping[str, Any]:
            return {names[0]: row, names[1]: column}

        def picked(selection: Selection) -> tuple[Any, Any] | None:
            sides = [selection.clauses.get(name, ()) for name in names]
            return (sides[0][0], sides[1][0]) if [len(side) for side in sides] == [1, 1] else None

        return Crossed(rows=rows, columns=columns, clauses=clauses, names=picked, own=frozenset(names))

    def _unnamed(self, end: str) -> Categories:
        """Return the addresses of an end where they have no group; all of them where there are no groups."""
        addresses = self._cross.categories(f"{end}addr")
        if not self._named:
            return addresses
        groups = self._cross.categories(f"{end}_group")

        def unnamed() -> tuple[np.ndarray, pd.Index]:
            kept = np.append(groups.names == _UNNAMED, True)[groups.codes]
            return np.where(kept, addresses.codes, addresses.count).astype(np.int32), addresses.names

        return Categories(unnamed, lambda codes, _: codes)

    def _arranged(self) -> Sequence[widgets.Widget]:
        time, matrix, *bars = self._panels
        by = self._looks.beside([self._by, self._length])
        return [time.widget, by, matrix.widget, self._looks.row([panel.widget for panel in bars]), self._copy]


def _parts(categorical: pd.Categorical[Any]) -> tuple[np.ndarray, pd.Index]:
    return categorical.codes, categorical.categories


def _ipv6(length: int) -> int:
    """Return the length of IPv6 prefixes that are about as large a part of a network as IPv4 ones of this length."""
    return 128 if length == _LONGEST else min(2 * length + 16, 64)
