"""What looks hostile: the rhythm of a beacon, and the highest scores."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from flowlens.detect import Beat
from flowlens.plot.canvas import axes, in_zone, say_nothing_here
from flowlens.plot.colours import BLUE, HATCHES, OTHERS
from flowlens.timespan import Zone

__all__ = ["draw_beacon", "draw_findings"]

_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


def draw_beacon(beat: Beat, zone: Zone, ax: Axes | None) -> Axes:
    """Draw each event by its time and by how long it had been silent before: a rhythm is a line."""
    ax = axes(ax, 9, 3.2)
    ax.set_title(beat.title, loc="left", fontsize="medium")
    gaps = beat.times.diff().dt.total_seconds().to_numpy()[1:]
    if not len(gaps):
        ax.set(xticks=[], yticks=[])
        say_nothing_here(ax, "one event has no rhythm")
        return ax
    evidence = beat.evidence
    period = float(evidence.get("period", evidence.get("median", np.median(gaps))))
    spread = float(evidence.get("gap_mad", evidence.get("mad", 0.0)))
    length, unit = next((length, unit) for length, unit in _UNITS if period >= 2 * length or length == 1)
    ax.scatter(mdates.date2num(beat.times.iloc[1:]), gaps / length, s=12, color=BLUE, label="event", zorder=3)
    ax.axhline(period / length, color="black", linewidth=1, label=f"median, {period / length:.3g} {unit}")
    if spread:
        ax.axhspan(
            (period - spread) / length, (period + spread) / length, color=OTHERS[0], alpha=0.25,
            label="half of the gaps",
        )  # fmt: skip
    shortest = evidence.get("minimum_period", 0.0)
    top = max(np.quantile(gaps, 0.95) * 1.6, 1.5 * shortest, 2 * period) / length
    if evidence.get("window", 1.0) > 1:
        ax.axhspan(
            0, shortest / length, facecolor="none", edgecolor="grey", hatch="///", linewidth=0, alpha=0.5,
            label="hidden by the windows of the log",
        )  # fmt: skip
    beyond = int((gaps / length > top).sum())
    ax.set_ylim(0, top)
    in_zone(ax, zone)
    said = f"{len(beat.times):,} events, {evidence['class']}" if "class" in evidence else f"{len(beat.times):,} events"
    more = f"; {beyond:,} longer silences lie above" if beyond else ""
    ax.set(ylabel=f"silence before, {unit}", xlabel=f"{zone.name}; {said}{more}")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def draw_findings(found: pd.DataFrame, n: int, ax: Axes | None) -> Axes:
    """Draw the highest scores as bars, by kind."""
    shown = found.head(n)
    ax = axes(ax, 9, 0.9 + 0.3 * max(len(shown), 3))
    ax.set(xlim=(0, 1), xlabel="score")
    ax.set_title(f"{len(shown):,} of {len(found):,} findings", loc="left", fontsize="medium")
    if shown.empty:
        ax.set_yticks([])
        say_nothing_here(ax, "nothing was found")
        return ax
    kinds = list(dict.fromkeys(shown["kind"]))
    colours = [BLUE, *OTHERS]
    for number, kind in enumerate(kinds):
        places = np.flatnonzero(shown["kind"] == kind)
        ax.barh(
            places, shown["score"].to_numpy()[places], color=colours[number % len(colours)],
            hatch=HATCHES[number % len(HATCHES)], edgecolor="white", linewidth=0, label=kind.replace("_", " "),
        )  # fmt: skip
    ax.set_yticks(range(len(shown)), _labels(shown))
    ax.invert_yaxis()
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _labels(found: pd.DataFrame) -> list[str]:
    """Say what each finding is about: the subject, and its target where there is one beside it."""
    units = zip(found["subject"], found["dstaddr"], found["dstport"], strict=True)
    return [
        subject
        if pd.isna(target) or target in subject
        else f"{subject} to {target}{'' if pd.isna(port) else f':{port}'}"
        for subject, target, port in units
    ]
