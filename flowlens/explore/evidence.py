"""The records that a finding is about, and how they are drawn, by its kind."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.columns import typed
from flowlens.explore.words import edges_of, length, short, ticks, touched, width_of
from flowlens.plot.contents import DotsData, StackData
from flowlens.selection import Selection

__all__ = ["drawn", "selection_of"]

#: Kinds that are about many destinations or ports, and what their dots show.
_TARGETS = {"port_scan": "dstport", "port_sweep": "dstaddr", "probe": "srcaddr"}
_MOST_LEVELS = 5
_MOST_DOTS = 20_000


def selection_of(row: pd.Series) -> Selection:
    """Return what keeps the records that a finding is about: those of its source and destination, if it has them."""
    there = {
        clause: row[column]
        for clause, column in (
            ("src", "srcaddr"),
            ("dst", "dstaddr"),
            ("dst_port", "dstport"),
            ("protocol", "protocol"),
        )
        if not pd.isna(row[column])
    }
    if row["kind"] == "log_gap" or not there:
        return Selection(interface=row["interface_id"])
    return Selection(**there)


def drawn(row: pd.Series, records: pd.DataFrame, span: tuple[int, int], zone: str) -> DotsData | StackData:
    """Return what to draw of a finding.

    Parameters
    ----------
    row
        Of `findings`.
    records
        Those that it is about.
    span
        First and last second of the log.
    zone
        In which times are written.
    """
    starts = pd.DatetimeIndex(typed(records, "start")).as_unit("s").asi8.astype(float)
    kind = row["kind"]
    if kind == "beacon":
        return _silences(np.sort(starts), span, zone)
    if kind in _TARGETS:
        reached = typed(records, _TARGETS[kind])
        return _reached(pd.DataFrame({"start": starts, reached.name: reached.array}), _TARGETS[kind], span, zone)
    return _course(row, records, starts, span, zone)


def _silences(starts: np.ndarray, span: tuple[int, int], zone: str) -> DotsData:
    """Show each record by how long it had been silent before: a rhythm is a line."""
    return DotsData(
        times=starts[1:][-_MOST_DOTS:], heights=np.diff(starts)[-_MOST_DOTS:], span=_wide(span), levels=(),
        title=f"Seconds of silence before each record, {zone}", ticks=_ticks(span, zone),
    )  # fmt: skip


def _reached(records: pd.DataFrame, column: str, span: tuple[int, int], zone: str) -> DotsData:
    """Show when what was reached for."""
    known = records[records[column].notna()].tail(_MOST_DOTS)
    if column == "dstport":
        heights, levels = known[column].to_numpy(float), []
    else:
        names = pd.Categorical(known[column].astype(str)).remove_unused_categories()
        addresses = Addresses.parse(names.categories)
        order = np.lexsort((addresses.lower, addresses.upper, addresses.family))
        ranks = np.argsort(order)
        heights = ranks[names.codes].astype(float)
        some = np.linspace(0, max(len(order) - 1, 0), min(_MOST_LEVELS, len(order))).astype(int)
        levels = [(float(place), names.categories[order[place]]) for place in some]
    what = {"dstport": "Ports", "dstaddr": "Hosts", "srcaddr": "Sources"}[column]
    return DotsData(
        times=known["start"].to_numpy(float), heights=heights, span=_wide(span), levels=levels,
        title=f"{what} of each record, {zone}", ticks=_ticks(span, zone),
    )  # fmt: skip


def _course(row: pd.Series, records: pd.DataFrame, starts: np.ndarray, span: tuple[int, int], zone: str) -> StackData:
    """Show the bytes over the whole log, so that what is usual stands beside what was found."""
    measure = "flows" if row["kind"] in {"brute_force", "log_gap"} or "bytes" not in records.columns else "bytes"
    edges = edges_of(*span, width_of(*span))
    amounts = None if measure == "flows" else typed(records, "bytes").to_numpy(float, na_value=0.0)
    known = starts >= edges[0]
    sums, _ = np.histogram(starts[known], edges, weights=None if amounts is None else amounts[known])
    known_span = not pd.isna(row["first"]) and not pd.isna(row["last"])
    ends = (int(row["first"].timestamp()), int(row["last"].timestamp()) + 1) if known_span else None
    return StackData(
        edges=edges.astype(float), series={"all": sums.astype(float)}, names=["all"], ghost=None,
        chosen=None if ends is None else touched(edges, *ends),
        title=f"{measure.capitalize()} per {length(int(edges[1] - edges[0]))}, {zone}", ticks=ticks(edges, zone),
        amount=partial(short, measure=measure),
    )  # fmt: skip


def _wide(span: tuple[int, int]) -> tuple[float, float]:
    return float(span[0]), float(max(span[1], span[0] + 1))


def _ticks(span: tuple[int, int], zone: str) -> list[tuple[float, str]]:
    edges = edges_of(*span, width_of(*span))
    return [(place, text) for place, text in ticks(edges, zone) if span[0] <= place <= span[1]]
