"""When there is traffic: hours of the day against days."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm

from flowlens.amounts import in_si
from flowlens.plot.canvas import amounts_of, axes, say_nothing_here, write_in_cells
from flowlens.timespan import Zone

__all__ = ["draw_heatmap", "slots_of"]

#: Inches that a number needs to be read in its cell.
_WIDE, _HIGH = 0.38, 0.15
_WIDE_ENOUGH_FOR_AN_HOUR = 0.22
#: Lines between cells of more days would cover these.
_MOST_DAYS_WITH_LINES = 62
#: More labels than this overlap.
_MOST_LABELS = 40
#: The scale spans two decades at least, so that an hour with half as much traffic as another does not look empty.
_LEAST_SPAN = 100
_SECOND = pd.Timedelta(1, unit="s")


def slots_of(window: tuple[pd.Timestamp, pd.Timestamp], zone: Zone) -> str:
    """Return the width of bins of UTC that never lie in two hours of the zone."""
    first, last = window
    if pd.isna(first) or pd.isna(last):
        return "1h"
    # Each day, as summer time is half an hour on some islands. No zone has had other steps than quarters since 1972.
    days = pd.date_range(first, max(last, first) + pd.Timedelta("1D"), freq="1D").tz_convert(zone.info)
    offsets = days.tz_localize(None) - days.tz_convert("UTC").tz_localize(None)
    return "15min" if (offsets % pd.Timedelta("1h")).any() else "1h"


def draw_heatmap(
    ax: Axes | None,
    table: pd.DataFrame,
    window: tuple[pd.Timestamp, pd.Timestamp],
    *,
    slots: str,
    measure: str,
    zone: Zone,
) -> Axes:
    """Draw a table of `timeline` that has bins of the width `slots`, of records of that window."""
    title = f"{measure.capitalize()} by day and hour, {zone.name}"
    if table.empty:
        ax = axes(ax, 12, 1.8)
        say_nothing_here(ax)
        ax.set(title=title, xlabel=f"hour of day, {zone.name}", xticks=[], yticks=[])
        return ax
    by_day = _by_day(table.set_index("start")[measure].astype(float).fillna(0), window, slots, zone)
    ax = axes(ax, 12, min(1.6 + 0.27 * len(by_day), 9))
    _draw(ax, by_day, measure)
    ax.set(title=title, xlabel="\n".join(filter(None, (f"hour of day, {zone.name}", _key(by_day)))), ylabel="day")
    return ax


def _by_day(amounts: pd.Series, window: tuple[pd.Timestamp, pd.Timestamp], slots: str, zone: Zone) -> pd.DataFrame:
    """Return one row a day, one column an hour: its amount, 0 without traffic, missing outside of the records.

    An hour that clocks go through twice is the sum of both; one that they skip is missing.
    """
    first = min(window[0], amounts.index.min())
    # A record that ends at midnight says nothing of the hour after; `end` may be missing.
    last = max(time for time in (first, amounts.index.max(), window[1] - _SECOND) if not pd.isna(time))
    logged = pd.date_range(first.floor(slots), last, freq=slots)
    there = pd.Series(0.0, index=logged).add(amounts, fill_value=0)
    local = pd.DatetimeIndex(there.index).tz_convert(zone.info).tz_localize(None)
    summed = there.groupby([local.normalize(), local.hour]).sum().unstack()
    days = pd.date_range(summed.index.min(), summed.index.max(), freq="1D")
    return summed.reindex(index=days, columns=range(24))


def _draw(ax: Axes, by_day: pd.DataFrame, measure: str) -> None:
    amounts = by_day.to_numpy(float)
    shown = np.ma.masked_where(~(amounts > 0), amounts)  # no traffic is no colour
    scale = _scale(shown)
    ground, line = ax.get_facecolor(), 1.0 if len(by_day) <= _MOST_DAYS_WITH_LINES else 0.0
    # The ground is hatched, and shows where nothing is painted: outside of the records.
    ax.patch.set(hatch="////", edgecolor="lightgrey", linewidth=0)
    logged = np.ma.masked_where(np.isnan(amounts), np.zeros_like(amounts))
    ax.pcolormesh(logged, cmap=ListedColormap([ground]), edgecolors=ground, linewidth=line)
    cells = ax.pcolormesh(shown, norm=scale, cmap="cividis_r", edgecolors=ground, linewidth=line)
    ax.figure.colorbar(cells, ax=ax, format=amounts_of(measure), label=f"{measure} in an hour", pad=0.02)
    rows, days = zip(*_labels(pd.DatetimeIndex(by_day.index)), strict=True)
    ax.set_yticks(np.array(rows) + 0.5, days)
    ax.tick_params(length=0)
    ax.invert_yaxis()
    ax.figure.figure.draw_without_rendering()  # only then the layout is known, and with it the size of a cell
    box, inch = ax.get_window_extent(), ax.figure.dpi
    wide, high = box.width / 24 / inch, box.height / len(by_day) / inch
    hours = np.arange(0, 24, 1 if wide >= _WIDE_ENOUGH_FOR_AN_HOUR else 3)
    ax.set_xticks(hours + 0.5, hours.astype(str))
    if wide >= _WIDE and high >= _HIGH:
        write_in_cells(ax, amounts, scale, lambda amount: in_si(amount).replace(" ", ""), 7)


def _scale(shown: np.ma.MaskedArray[Any, Any]) -> LogNorm:
    if not shown.count():
        return LogNorm(1, 10)
    most = float(shown.max())
    return LogNorm(max(1.0, min(float(shown.min()), most / _LEAST_SPAN)), max(most, 10.0))


def _labels(days: pd.DatetimeIndex) -> Iterator[tuple[int, str]]:
    """Yield the rows to name: each day, or of many days the Mondays, the first of each month, or of each year."""
    choices = (
        np.arange(len(days)),
        np.flatnonzero(days.day_of_week == 0),
        np.flatnonzero(days.day == 1),
        np.flatnonzero(days.day_of_year == 1),
    )
    rows = next((rows for rows in choices if len(rows) <= _MOST_LABELS), choices[-1])
    rows = rows[:: ceil(len(rows) / _MOST_LABELS)]
    for row in rows.tolist():
        yield row, f"{days[row]:%a %Y-%m-%d}"


def _key(by_day: pd.DataFrame) -> str:
    """Say what cells without a colour mean, of those there are."""
    amounts = by_day.to_numpy(float)
    words = []
    if (amounts == 0).any():
        words.append("blank: no traffic")
    if np.isnan(amounts).any():
        words.append("hatched: outside of these records")
    return "; ".join(words)
