"""How good are the detectors, beside those of others? On labelled logs: ``python -m benchmarks.detection``.

Prints what `docs/detection.md` shows; ``--write docs/detection.md`` puts it there. Nothing is timed, and nothing in it
depends on the machine.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.detection_peers import EVALUATION, PEERS, Log, logs, peer_findings, who_called
from benchmarks.detection_scores import ALARM, UNIT, Row, markdown, score_table, unit_scores
from benchmarks.measuring import say

__all__ = ["BLOCK", "TUNED", "Judged", "report", "written"]

#: The sets that thresholds were set on; all others were only looked at.
TUNED = frozenset({"iot23-8-1", "iot23-20-1", "ctu50-008", "droplet"})

#: What stands around the tables in the page.
BLOCK = ("<!-- python -m benchmarks.detection -->", "<!-- end -->")

_FINDINGS = "flowlens `findings`"
_BY_NAME = "flowlens `findings` without `probes`"
_BEACONS = "flowlens `beacons`"
#: The detectors of flowlens by the name of their method, and the kind of their findings.
_KINDS = {
    _BEACONS: "beacon",
    "flowlens `long_conversations`": "long_conversation",
    "flowlens `brute_force`": "brute_force",
    "flowlens `probes`": "probe",
    "flowlens `port_scans`": "port_scan",
    "flowlens `port_sweeps`": "port_sweep",
    "flowlens `volume_spikes`": "volume_spike",
    "flowlens `floods`": "flood",
    "flowlens `new_peers`": "new_peer",
    "flowlens `lateral_movement`": "lateral_movement",
}
_INTERVALS = {"raw": "true times", "60s": "60 s", "600s": "600 s"}
#: Scores that differ by more than this are different.
_NOTABLE = 0.1
#: From here on somebody who reads the list from the top would look at a source.
_SEEN = 0.5


@dataclass(frozen=True)
class Judged:
    """What all detectors found in one log, and how good that is.

    Attributes
    ----------
    set, variant
        Of the log.
    title
        One line about it.
    rows
        One for each detector and kind of attack.
    units
        By detector, what was to be found and its score, see `detection_scores.unit_scores`.
    classes
        By the number of a pair in the labels, the class that `beacons` gives it.
    regularity
        How regular pairs look: a line of the table, without the log's name.
    """

    set: str
    variant: str
    title: str
    rows: list[Row]
    units: dict[str, pd.DataFrame]
    classes: dict[int, str]
    regularity: tuple[str, ...]

    @classmethod
    def of(cls, log: Log) -> Judged:
        name, variant = log.name.split(" ")
        found, contacts = _found(log), who_called(log)
        rows = [row for one, rows in found.items() for row in score_table(one, rows, log.truth, log.days, contacts)]
        return cls(
            set=name,
            variant=variant,
            title=f"{log.name}: {len(log.records):,} records, {log.days:.2f} days, {_purpose(name)}",
            rows=rows,
            units={one: unit_scores(rows, log.truth, contacts) for one, rows in found.items()},
            classes=_classes(found[_BEACONS], log.truth),
            regularity=_regularity(found[_BEACONS], found["RITA v5 beacon"]),
        )

    @property
    def name(self) -> str:
        return f"{self.set} {self.variant}{'' if self.set in TUNED else ' *'}"


def _purpose(name: str) -> str:
    return "thresholds were set on it" if name in TUNED else "only looked at"


def _found(log: Log) -> dict[str, pd.DataFrame]:
    """Return the findings of each detector; those of flowlens are judged one by one, so a kind is a detector."""
    mine = log.records.flow.findings()
    return {
        _FINDINGS: mine,
        _BY_NAME: mine[mine["kind"] != "probe"],
        **{name: mine[mine["kind"] == kind] for name, kind in _KINDS.items()},
        **{name: peer_findings(name, log) for name in PEERS},
    }


def _classes(beacons: pd.DataFrame, truth: pd.DataFrame) -> dict[int, str]:
    known = {tuple(unit): row["class"] for *unit, row in beacons[[*UNIT, "evidence"]].itertuples(index=False)}
    pairs = truth[truth["unit"] == "pair"]
    classes = {place: known.get(tuple(unit)) for place, *unit in pairs[UNIT].itertuples()}
    return {place: label for place, label in classes.items() if label is not None}


def _regularity(mine: pd.DataFrame, rita: pd.DataFrame) -> tuple[str, ...]:
    timing = np.array([parts["timing"] for parts in mine["parts"]])
    label = np.array([evidence["class"] for evidence in mine["evidence"]])
    with_period = label != "insufficient"
    return (
        f"{len(rita):,}",
        _percent(rita["timestamp"] == 1),
        f"{(rita['score'] >= ALARM).sum():,}",
        f"{with_period.sum():,}",
        _percent(timing[with_period] == 1),
        f"{(label == 'periodic').sum():,}",
        f"{(mine['score'] >= ALARM).sum():,}",
    )


def _percent(which: pd.Series | np.ndarray) -> str:
    return f"{100 * np.mean(which):.0f} %" if len(which) else "-"


# --- The tables ---


def report(judged: Sequence[Judged]) -> Iterator[str]:
    """Return paragraphs and tables, in the order of the page."""
    yield "Sets marked * were only looked at; on the others the thresholds were set."
    yield "### At a glance"
    yield (
        "What all detectors of flowlens say together, and beside it, in brackets, the best that any single other "
        "system has in the same log: another one for each number. One finding of `probes` speaks of all who tried a "
        "port, which finds hundreds at once; so sources have a second line, in which it does not count."
    )
    yield _glance(judged)
    yield "### The same capture behind other windows"
    yield from _intervals(judged)
    yield "How regular pairs look:"
    yield _table(
        [
            "log", "pairs that RITA scores", "perfect timestamp part", f"≥ {ALARM}",
            "pairs of `beacons` with a period", "perfect timing part", "called periodic", f"≥ {ALARM}",
        ],
        [(one.name, *one.regularity) for one in judged],
    )  # fmt: skip
    yield "### Every detector"
    for one in judged:
        yield f"<details><summary>{one.title}</summary>"
        yield from _every(one.rows)
        yield "</details>"


def _glance(judged: Iterable[Judged]) -> str:
    found = (f"found {of}" for of in ("at 10 a day", "at 50 a day", f"≥ {ALARM}"))
    head = ["log", "attack", "first pair", "infrastructure aside", "precision@10", "infrastructure aside", *found,
            f"false ≥ {ALARM} a day"]  # fmt: skip
    lines = []
    for one in judged:
        for attack in dict.fromkeys(_attacks(one.rows)):
            lines.append(_line(one, attack, _FINDINGS))
            if attack in _of_sources(one):
                lines.append(_line(one, attack, _BY_NAME))
    return _table(head, lines)


def _of_sources(one: Judged) -> set[str]:
    units = one.units[_FINDINGS]
    return set(units.loc[units["unit"] == "source", "name"])


def _attacks(rows: Iterable[Row]) -> Iterator[str]:
    return (row.attack for row in rows)


def _line(one: Judged, attack: str, detector: str) -> tuple[str, ...]:
    rows = [row for row in one.rows if row.attack == attack]
    (mine,) = [row for row in rows if row.detector == detector]
    others = [row for row in rows if row.detector in PEERS]
    return (
        one.name,
        f"{attack}, {mine.attacks:,}" + ("" if detector == _FINDINGS else ", without `probes`"),
        _place_beside(mine, others, lambda row: row.place),
        _place_beside(mine, others, lambda row: row.place_aside),
        _beside(mine, others, lambda row: row.precision, "{:.2f}"),
        _beside(mine, others, lambda row: row.precision_aside, "{:.2f}"),
        *(_beside(mine, others, lambda row, n=budget: row.recall[n]) for budget in mine.recall),
        _beside(mine, others, lambda row: row.by_alarms),
        _number(mine.false),
    )


def _beside(mine: Row, others: Iterable[Row], number, how: str | None = None) -> str:
    """Show a number and the highest that another one has; the first of equals."""
    theirs = [row for row in others if number(row)]
    best = max(theirs, key=number, default=None)
    own, other = (None if row is None else number(row) for row in (mine, best))
    shown = ["-" if one is None else how.format(one) if how else _number(one) for one in (own, other)]
    return f"{shown[0]} ({shown[1]}{'' if best is None else f', {best.detector}'})"


def _place_beside(mine: Row, others: Iterable[Row], place) -> str:
    """Show a place and the first that another one has; the first of equals."""
    theirs = [row for row in others if place(row) is not None]
    best = min(theirs, key=place, default=None)
    own, other = ("-" if row is None else _place(place(row)) for row in (mine, best))
    return f"{own} ({other}{'' if best is None else f', {best.detector}'})"


def _place(place: tuple[float, int] | None) -> str:
    return "-" if place is None else f"{_number(place[0])} of {place[1]:,}"


def _number(number: float) -> str:
    """One decimal, and none where it would be 0."""
    return f"{number:,.1f}".removesuffix(".0")


def _intervals(judged: Sequence[Judged]) -> Iterator[str]:
    """Put what one capture gives behind several windows side by side: single pairs, and sources together."""
    pairs, sources = [], []
    for name in dict.fromkeys(one.set for one in judged):
        by_interval = {one.variant: one for one in judged if one.set == name and one.variant in _INTERVALS}
        if len(by_interval) > 1:
            marked = next(iter(by_interval.values())).name.replace(f" {next(iter(by_interval))}", "")
            pairs += [(marked, *cells) for cells in _pairs_of(by_interval)]
            sources += [(marked, *cells) for cells in _sources_of(by_interval)]
    yield (
        "The score of each pair to be found. *Change* is between the highest and the lowest; a pair that is not scored "
        f"has 0. Detectors are left out that never give {_SEEN}. *insufficient* and *continuous* is what `beacons` "
        "says in place of a period."
    )
    yield _table(["set", "pair", "detector", *_INTERVALS.values(), "change"], pairs)
    yield (
        f"Sources to be found: the mean of their scores, how many have {_SEEN} or more, and how many change by more "
        f"than {_NOTABLE} from one window to the other."
    )
    yield _table(["set", "attack", "detector", *_INTERVALS.values(), f"change by more than {_NOTABLE}"], sources)


def _pairs_of(by_interval: dict[str, Judged]) -> Iterator[tuple[str, ...]]:
    some = next(iter(by_interval.values())).units
    pairs = some[_FINDINGS][some[_FINDINGS]["unit"] == "pair"]
    for place, pair in pairs.iterrows():
        for detector in (name for name in some if name != _BY_NAME):
            scores = {name: one.units[detector].loc[place, "score"] for name, one in by_interval.items()}
            if max(scores.values()) < _SEEN and detector not in {_FINDINGS, _BEACONS}:
                continue
            cells = {
                name: f"{score:.2f} {by_interval[name].classes.get(place, '') if detector == _BEACONS else ''}".rstrip()
                for name, score in scores.items()
            }
            yield (
                f"{pair['srcaddr']} to {pair['dstaddr']}, {pair['dstport']}",
                detector,
                *(cells.get(name, "") for name in _INTERVALS),
                f"{max(scores.values()) - min(scores.values()):.2f}",
            )


def _sources_of(by_interval: dict[str, Judged]) -> Iterator[tuple[str, ...]]:
    some = next(iter(by_interval.values()))
    for detector, units in some.units.items():
        for attack, of_attack in units[units["unit"] == "source"].groupby("name"):
            scores = pd.DataFrame(
                {name: one.units[detector].loc[of_attack.index, "score"] for name, one in by_interval.items()}
            )
            if not (scores >= _SEEN).to_numpy().any():
                continue
            changed = (scores.max(axis=1) - scores.min(axis=1)) > _NOTABLE
            cells = {name: f"{own.mean():.2f}, {(own >= _SEEN).sum():,}" for name, own in scores.items()}
            yield (
                f"{attack}, {len(of_attack):,}",
                detector,
                *(cells.get(name, "") for name in _INTERVALS),
                f"{changed.sum():,}",
            )


def _every(rows: Sequence[Row]) -> Iterator[str]:
    """Show who finds or accuses anything, and name the others."""
    telling = [row for row in rows if row.place or row.by_alarms or row.false or any(row.recall.values())]
    yield markdown(telling)
    for attack in dict.fromkeys(_attacks(rows)):
        silent = [row.detector for row in rows if row.attack == attack and row not in telling]
        if silent:
            yield f"Nothing of {attack}, and no false alarm: {'; '.join(silent)}."


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))


# --- The page ---


def written(page: str, paragraphs: Iterable[str]) -> str:
    """Return a page with the paragraphs between its two comments, in place of what stands there.

    Raises
    ------
    ValueError
        If it has no such comments.
    """
    begin, end = BLOCK
    block = re.compile(f"({re.escape(begin)}\n\n).*?({re.escape(end)})", re.DOTALL)
    if not block.search(page):
        raise ValueError(f"the page has no {begin} with a line between it and {end}")
    text = "".join(f"{paragraph}\n\n" for paragraph in paragraphs)
    return block.sub(lambda found: found[1] + text + found[2], page)


def _order(one: Judged) -> tuple[object, ...]:
    """Sets in their order, and in each true times, short windows and long ones."""
    interval, _, more = one.variant.partition("-")
    return one.set, list(_INTERVALS).index(interval), more


def main() -> None:
    """Judge and print, or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--data", type=Path, default=EVALUATION, help="folder of the labelled logs")
    parser.add_argument("--only", default="", help="logs whose path holds this, such as droplet/ or 600s")
    parser.add_argument("--write", type=Path, help="the page to put the tables in")
    arguments = parser.parse_args()
    judged = sorted((Judged.of(log) for log in logs(arguments.data, arguments.only)), key=_order)
    paragraphs = list(report(judged))
    if arguments.write:
        page = arguments.write.read_text(encoding="utf-8")
        arguments.write.write_text(written(page, paragraphs), encoding="utf-8")
    else:
        say("\n\n".join(paragraphs))


if __name__ == "__main__":
    main()
