"""A conversation on a time line: one lane for each place and direction."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from flowlens.diagnose import Course
from flowlens.plot.canvas import axes, in_zone, say_nothing_here
from flowlens.plot.colours import ROLES
from flowlens.timespan import Zone

__all__ = ["draw_conversation"]

#: More bars could not be told apart, nor what is written beside them be read.
_MOST_RECORDS, _MOST_ROWS = 60, 6
#: So many records have words beside them, more have numbers.
_WITH_WORDS = 16
#: Shares of the width: the least of a bar, a letter beside it, and the space around.
_BAR, _LETTER, _SPACE = 0.006, 0.0085, 0.02
_SECOND = 1 / 86400


def draw_conversation(course: Course, zone: Zone, ax: Axes | None) -> Axes:
    """Draw all records of a conversation, or those nearest to the time of the diagnosis that fit."""
    if course.records.empty:
        ax = axes(ax, 11, 1.5)
        ax.set_title(course.title, loc="left", fontsize="medium")
        ax.set(xticks=[], yticks=[])
        say_nothing_here(ax, "these records have nothing of this conversation")
        return ax
    records = _nearest(course)
    if len(records) > _WITH_WORDS:
        records["note"] = records["note"].str.replace(r" packets?\b,?", "", regex=True)
    records = _placed(records)
    heights = [int(records.loc[records["lane"] == lane, "row"].max()) + 1 for lane in range(len(course.lanes))]
    ax = axes(ax, 11, 1.5 + 0.42 * max(sum(heights), len(heights) * 1.4, 2))
    _draw(ax, records, np.cumsum([0, *heights]), course.lanes)
    in_zone(ax, zone)
    ax.set_title(course.title, loc="left", fontsize="medium")
    ax.set_xlabel(_below(course, records, zone))
    return ax


def _nearest(course: Course) -> pd.DataFrame:
    """Return of each lane the records nearest to the time that the diagnosis is about, by time, which is in days."""
    records = course.records
    before = (course.first - records["end"]).dt.total_seconds()
    after = (records["start"] - course.last).dt.total_seconds()
    distance = np.maximum(np.maximum(before, after), 0)
    nearest = records.loc[distance.sort_values(kind="stable").index]
    if len(nearest) > _MOST_RECORDS:
        nearest = nearest.groupby("lane").head(max(_MOST_RECORDS // len(course.lanes), 1))
    chosen: pd.DataFrame = nearest.sort_index()
    return chosen.assign(**{name: mdates.date2num(chosen[name]) for name in ("start", "end")})


def _placed(records: pd.DataFrame) -> pd.DataFrame:
    """Give each bar its width, and a row in its lane where it and what stands beside it cover no other."""
    letters = (records["note"].str.len().to_numpy(float) + 2) * _LETTER
    start, end = records["start"].to_numpy(float), records["end"].to_numpy(float)
    first = start.min()
    # The width of the picture in days, so that the last words fit, too.
    shares = 1 - np.minimum(letters, 0.6) - _BAR - 2 * _SPACE
    width = max(((end - first) / shares).max(), 20 * _SECOND)
    bar = np.maximum(end - start, _BAR * width)
    taken: dict[tuple[int, int], float] = {}
    rows = []
    for lane, begins, ends in zip(records["lane"], start, start + bar + letters * width, strict=True):
        row = next(row for row in range(len(records)) if taken.get((lane, row), -np.inf) <= begins)
        taken[lane, row] = ends
        rows.append(row)
    placed = records.assign(width=bar, row=rows, right=width)
    return placed[placed["row"] < _MOST_ROWS]


def _draw(ax: Axes, records: pd.DataFrame, tops: np.ndarray, lanes: tuple[str, ...]) -> None:
    """Draw each lane below the one before, bars and words."""
    places = tops[records["lane"]] + records["row"].to_numpy() + 0.5
    for action, of_action in (("ACCEPT", ~records["refused"]), ("REJECT", records["refused"])):
        chosen = records[of_action]
        if len(chosen):
            colour, hatch = ROLES[action]
            ax.barh(
                places[of_action], chosen["width"], left=chosen["start"], height=0.5, color=colour, hatch=hatch,
                edgecolor="white", linewidth=0, label=action,
            )  # fmt: skip
    width = float(records["right"].iloc[0])
    for place, (_, record) in zip(places, records.iterrows(), strict=True):
        beside = record["start"] + record["width"] + _BAR * width
        ax.text(beside, place, record["note"], va="center", fontsize=8, clip_on=True)
    for top in tops[1:-1]:
        ax.axhline(top, color="lightgrey", linewidth=0.8, zorder=0)
    first = records["start"].min()
    ax.set_xlim(first - _SPACE * width, first + (1 - _SPACE) * width)
    ax.set_ylim(tops[-1], 0)
    ax.set_yticks((tops[:-1] + tops[1:]) / 2, lanes, fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.legend(title="action", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _below(course: Course, drawn: pd.DataFrame, zone: Zone) -> str:
    """Say what the axis is, and how much of the conversation is not drawn."""
    words = zone.name + ("" if len(drawn) <= _WITH_WORDS else "; beside each bar its packets and TCP flags")
    more = len(course.records) - len(drawn)
    if not more:
        return words
    begin, end = course.records["start"].min(), course.records["end"].max()
    whole = f"the whole lasts from {zone.in_words(begin)} to {zone.in_words(end)}"
    return f"{words}\n{more:,} more record{'' if more == 1 else 's'} of this conversation not drawn; {whole}"
