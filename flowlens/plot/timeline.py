"""Traffic over time: bins as stacked bars, as wide as a picture can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

import matplotlib.dates as mdates
import pandas as pd
from matplotlib.axes import Axes

from flowlens.plot.canvas import amounts_of, axes, few_ticks, in_zone, is_together, others_together, say_nothing_here
from flowlens.plot.colours import BLUE, HATCHES, OTHERS, REST, ROLES
from flowlens.timespan import Zone, width_in_seconds

__all__ = ["draw_timeline", "need_few_bars", "width_of_bins"]

#: A bar is thinner than a pixel long before; beyond this a picture takes longer than anybody waits.
_MOST_BARS = 6_000
#: So many bins can be told from each other.
_READABLE = 600
#: Widths that people count in.
_WIDTHS = (
    "1s", "5s", "10s", "30s", "1min", "2min", "5min", "10min", "15min", "30min", "1h", "2h", "3h", "6h", "12h", "1D",
    "7D", "28D",
)  # fmt: skip
_FINEST_BY_ITSELF = "5min"
#: Names of their own in a legend: as many as there are colours. Others are summed up.
_MOST_NAMES = 1 + len(OTHERS)

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def width_of_bins(freq: str | None, find_hours: Callable[[], pd.Series]) -> str:
    """Return the width that is asked for, or the finest from five minutes on with which bins can be told apart.

    Parameters
    ----------
    freq
        What is asked for, if anything.
    find_hours
        Finds the hours that have records, which takes another look at all of them: not done where few bins are certain
        enough to count them when they are there.

    Raises
    ------
    ValueError
        If it is no width, or would make too many bars, as far as whole hours tell.
    """
    if freq is not None and width_in_seconds(freq) >= _MINUTE:
        return freq
    hours = find_hours()
    if freq is None:
        return _finest(_length(hours), _READABLE, _WIDTHS[_WIDTHS.index(_FINEST_BY_ITSELF) :])
    # Records may begin at the end of the first hour and end at the beginning of the last one.
    need_few_bars(freq, hours, length=_length(hours) - 2 * _HOUR)
    return freq


def need_few_bars(freq: str, starts: pd.Series, *, length: float | None = None, series: int = 1) -> None:
    """Refuse a width of which there would be too many bars, and name one that works.

    Parameters
    ----------
    length
        Seconds that bins have to cover; by default those between the first and the last of `starts`.
    series
        Into how many each bin is split.

    Raises
    ------
    ValueError
        If there would be, or it is no width.
    """
    seconds = width_in_seconds(freq)
    length = _length(starts, seconds) if length is None else length
    bars = max(ceil(length / seconds), 1) * series
    if bars > _MOST_BARS:
        first, last = f"{starts.min():%Y-%m-%d %H:%M}", f"{starts.max():%Y-%m-%d %H:%M}"
        wider = _finest(length, _MOST_BARS // (_MOST_NAMES + 1), _WIDTHS)  # whatever splits them
        raise ValueError(
            f"freq={freq!r} makes about {bars:,} bars of these records, which lie between {first} and {last} UTC; a "
            f"picture has room for {_MOST_BARS:,}. freq={wider!r} fits, select(time=...) takes a part of them, and "
            f"df.flow.timeline({freq!r}) has the numbers"
        )


def _length(starts: pd.Series, width: int = _HOUR) -> float:
    return (starts.max() - starts.min()).total_seconds() + width if len(starts) else 0.0


def _finest(length: float, bins: int, widths: tuple[str, ...]) -> str:
    fitting = (width for width in widths if length <= bins * width_in_seconds(width))
    return next(fitting, f"{ceil(length / bins / _DAY)}D")


def draw_timeline(ax: Axes | None, table: pd.DataFrame, *, freq: str, by: str | None, measure: str, zone: Zone) -> Axes:
    """Draw a table of `timeline`.

    Raises
    ------
    ValueError
        If there would be too many bars.
    """
    split = _split(table, by, measure)
    if len(table):
        need_few_bars(freq, table["start"], series=split.shape[1])
    ax = axes(ax, 9, 2.6)
    if len(table):
        _draw(ax, split, by, width_in_seconds(freq))
        in_zone(ax, zone)
        ax.yaxis.set_major_formatter(amounts_of(measure))
        ax.yaxis.set_major_locator(few_ticks())
    else:
        say_nothing_here(ax)
        ax.set(xticks=[], yticks=[])
    ax.set(
        title=f"{measure.capitalize()} per {freq}, {zone.name}",
        ylabel=measure,
        xlabel=zone.name + _shifted(table["start"], width_in_seconds(freq), zone),
    )
    return ax


def _split(table: pd.DataFrame, by: str | None, measure: str) -> pd.DataFrame:
    """Return one row a bin that has traffic, one column a name, by name."""
    amounts = table[measure].astype(float).fillna(0)
    if by is None:
        return amounts.groupby(table["start"]).sum().to_frame(measure)
    names = others_together(table[by], amounts, _MOST_NAMES)
    split: pd.DataFrame = amounts.groupby([table["start"], names], observed=True).sum().unstack(fill_value=0)
    split.columns = split.columns.astype(object)
    return split[sorted(split.columns, key=lambda name: (is_together(name), str(name) if is_together(name) else name))]


def _draw(ax: Axes, split: pd.DataFrame, by: str | None, seconds: int) -> None:
    bins = pd.date_range(split.index.min(), split.index.max(), freq=pd.Timedelta(seconds, unit="s"), unit="s")
    split = split.reindex(bins).fillna(0)
    looks = _looks()
    floor = pd.Series(0.0, index=bins)
    for name in split.columns:
        if by is None:
            colour, hatch = BLUE, ""
        elif is_together(name):
            colour, hatch = REST, ""
        else:
            colour, hatch = ROLES.get(str(name)) or next(looks)
        ax.bar(
            mdates.date2num(bins), split[name], bottom=floor, width=seconds / _DAY, align="edge",
            color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=str(name),
        )  # fmt: skip
        floor = floor + split[name]
    if by is not None:
        ax.legend(title=by, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _looks() -> Iterator[tuple[str, str]]:
    """Yield a colour and a hatch for each name; one more than there are colours may have a name."""
    yield from zip((*OTHERS, BLUE, REST), HATCHES, strict=False)


def _shifted(starts: pd.Series, seconds: int, zone: Zone) -> str:
    """Say that bins begin at other times than a reader of the zone expects."""
    if starts.empty:
        return ""
    offsets = [starts.iloc[place].tz_convert(zone.info).utcoffset().total_seconds() for place in (0, -1)]
    return "; bins begin where they do in UTC" if any(offset % min(seconds, _DAY) for offset in offsets) else ""
