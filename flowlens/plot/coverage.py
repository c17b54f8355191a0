"""What the log covers: one lane for each interface."""

from __future__ import annotations

from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from flowlens.plot.canvas import NO_NAME, axes, in_zone, say_nothing_here
from flowlens.plot.colours import BLUE, ORANGE
from flowlens.timespan import Zone

__all__ = ["draw_coverage"]

#: A gap that is a smaller part of the width than this cannot be seen by itself. Of the others there cannot be many.
_NARROWEST = 1 / 2000
#: Where there are such gaps is shown by so many parts of the width.
_PARTS = 500
#: A lane that is shorter than this part of the width is drawn so long, to be seen at all.
_SHORTEST = 1 / 300
_MINUTE = pd.Timedelta("1min")

Span = tuple[pd.Timestamp, pd.Timestamp]


def draw_coverage(ax: Axes | None, coverage: pd.DataFrame, gaps: pd.DataFrame, n: int, zone: Zone) -> Axes:
    """Draw what `coverage` and `gaps` say of the `n` interfaces that have most records."""
    lanes = coverage.sort_values("records", ascending=False, kind="stable").head(n).reset_index(drop=True)
    ax = axes(ax, 11, 1.5 + 0.4 * max(len(lanes), 1))
    title = f"What the log covers, {_shown(lanes, coverage)}, {zone.name}"
    ax.set_title(title, loc="left", fontsize="medium", pad=22)  # above the legend
    if lanes.empty:
        ax.set(xticks=[], yticks=[], xlabel=zone.name)
        say_nothing_here(ax, "no records")
        return ax
    names = lanes["interface_id"].astype(object).where(lanes["interface_id"].notna(), NO_NAME)
    holes = gaps.assign(lane=_lanes(gaps["interface_id"], names)).dropna(subset="lane").astype({"lane": int})
    span = _span(lanes)
    seen = holes["duration"] >= _NARROWEST * (span[1] - span[0])
    _draw(ax, lanes, holes[seen], _where_short(holes[~seen], lanes, span), span)
    for lane, words in enumerate(_words(lanes, holes, zone)):
        ax.text(1.01, lane, words, transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.set_yticks(range(len(lanes)), names, fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    in_zone(ax, zone)
    ax.set_xlabel(zone.name)
    return ax


def _shown(lanes: pd.DataFrame, coverage: pd.DataFrame) -> str:
    if len(lanes) < len(coverage):
        return f"the {len(lanes):,} busiest of {len(coverage):,} interfaces"
    return f"{len(lanes):,} interface{'' if len(lanes) == 1 else 's'}"


def _lanes(interfaces: pd.Series, names: pd.Series) -> pd.Series:
    """Return the lane of each gap, missing where its interface is not drawn."""
    lane_of = {name: lane for lane, name in enumerate(names)}
    return interfaces.astype(object).where(interfaces.notna(), NO_NAME).map(lane_of)


def _span(lanes: pd.DataFrame) -> Span:
    """Return what the axis below has to hold: something even of one record, or of records without times."""
    begin, end = lanes["first"].min(), lanes["last"].max()
    if pd.isna(begin) or pd.isna(end):
        begin = end = pd.Timestamp(0, tz="UTC") if pd.isna(begin) else begin
    return (begin, end) if end - begin >= _MINUTE else (begin - _MINUTE / 2, end + _MINUTE / 2)


def _where_short(holes: pd.DataFrame, lanes: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return the stretches with gaps too short to be drawn one by one: `lane`, `start`, `end`."""
    begin, part = span[0], (span[1] - span[0]) / _PARTS
    first, last = ((holes[side] - begin) // part for side in ("start", "end"))
    parts = pd.concat([holes[["lane"]].assign(part=side) for side in (first, last)]).drop_duplicates()
    parts = parts.sort_values(["lane", "part"], ignore_index=True)
    run = ((parts["part"].diff() != 1) | (parts["lane"].diff() != 0)).cumsum()
    runs = parts.groupby(run).agg(lane=("lane", "first"), first=("part", "first"), last=("part", "last"))
    starts, ends = begin + runs["first"] * part, begin + (runs["last"] + 1) * part
    # Nothing before the first record or after the last one.
    bounds = lanes.loc[runs["lane"]].set_index(runs.index)
    return pd.DataFrame(
        {
            "lane": runs["lane"],
            "start": starts.where(starts > bounds["first"], bounds["first"]),
            "end": ends.where(ends < bounds["last"], bounds["last"]),
        }
    )


def _draw(ax: Axes, lanes: pd.DataFrame, gaps: pd.DataFrame, short: pd.DataFrame, span: Span) -> None:
    """Draw each lane from its first to its last record, and over it its gaps."""
    begin, end = map(_days, span)
    width = end - begin
    timed = lanes[lanes["first"].notna() & lanes["last"].notna()]
    whole = _bars(timed.index, timed["first"], timed["last"])
    whole["length"] = np.maximum(whole["length"], _SHORTEST * width)
    ground = ax.get_facecolor()
    looks: list[tuple[str, pd.DataFrame, dict[str, Any]]] = [
        ("records", whole, {"facecolor": BLUE}),
        (
            "gaps too short to draw one by one",
            _bars(short["lane"], short["start"], short["end"]),
            {"facecolor": BLUE, "edgecolor": ground, "hatch": "||||", "linewidth": 0},
        ),
        (
            "gap: no record, not even NODATA",
            _bars(gaps["lane"], gaps["start"], gaps["end"]),
            {"facecolor": ground, "edgecolor": ORANGE, "hatch": "xxxx", "linewidth": 0.8},
        ),
    ]
    for label, bars, look in looks:
        if len(bars):
            ax.barh(bars["lane"], bars["length"], left=bars["left"], height=0.5, label=label, **look)
    ax.set_xlim(begin - 0.01 * width, end + 0.01 * width)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, ncols=len(looks), fontsize=8)


def _bars(lanes: pd.Index | pd.Series, starts: pd.Series, ends: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"lane": lanes, "left": _days(starts), "length": _days(ends) - _days(starts)})


def _days(times: pd.Series | pd.Timestamp) -> np.ndarray:
    days: np.ndarray = mdates.date2num(times)
    return days


def _words(lanes: pd.DataFrame, holes: pd.DataFrame, zone: Zone) -> list[str]:
    """Say in numbers what there is of each interface, and from when to when."""
    counts = holes.groupby("lane").size().reindex(lanes.index, fill_value=0)
    return [
        _counted(lane, int(count)) + _from_to(lane, zone)
        for count, (_, lane) in zip(counts, lanes.iterrows(), strict=True)
    ]


def _counted(lane: pd.Series, gaps: int) -> str:
    words = [f"{lane['records']:,} record{'' if lane['records'] == 1 else 's'}"]
    words += [f"{lane[name]:,} {name.upper()}" for name in ("nodata", "skipdata") if lane[name]]
    if gaps:
        words.append(f"{gaps:,} gap{'' if gaps == 1 else 's'}, {str(lane['gap_time']).removeprefix('0 days ')}")
    return ", ".join(words)


def _from_to(lane: pd.Series, zone: Zone) -> str:
    if pd.isna(lane["first"]) or pd.isna(lane["last"]):
        return ""
    return f"\n{zone.in_words(lane['first'])} to {zone.in_words(lane['last'])}"
