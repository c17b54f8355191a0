"""How good is a detector? Findings of any origin beside labelled traffic.

A finding is a row with `srcaddr, dstaddr, dstport, protocol` (missing where they do not belong to what was found) and a
`score` from 0 to 1: what flowlens's own detectors return, and what `benchmarks.detection_peers` makes of other systems.
Labels are the `truth.csv` of the evaluation logs, whose README says what they mean. So every detector is judged by the
same functions.

Many scores are equal: a threshold that is crossed is 1.0, however far. A list of equal scores has no order, and any
that is made up would judge the making up. So all numbers here are what one gets on average over all orders of equals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = [
    "ALARM",
    "BUDGETS",
    "UNIT",
    "Row",
    "first_place",
    "judged",
    "markdown",
    "precision_at",
    "read_truth",
    "recall",
    "score_table",
    "unit_scores",
]

#: What a finding is about.
UNIT = ["srcaddr", "dstaddr", "dstport", "protocol"]
#: From here on a finding is one that somebody is woken for.
ALARM = 0.9
#: Findings a day that somebody has the time to look at.
BUDGETS = (10, 50)

_BAD = {"malicious", "hostile"}
_ENDS = ["srcaddr", "dstaddr"]


@dataclass(frozen=True)
class Row:
    """How one detector did against one kind of attack in one log.

    Attributes
    ----------
    detector, attack
        Names; the attack is in the words of the labels.
    findings, alarms
        Findings a day, and those of them that score `ALARM` or more. Whether they are right or wrong.
    place, place_aside
        Where the first malicious pair stands among the pairs of its host, and the same without those pairs that are
        infrastructure; and how many pairs were scored. None where none was found.
    precision, precision_aside
        The share of the first ten findings that is right, of those which labels allow to judge; without infrastructure.
    recall
        By findings a day: how many of the attacks are among that many findings, infrastructure included. `attacks` is
        how many there are. Where a log has fewer findings than that, all count, however low their score.
    by_alarms
        How many of the attacks are among the alarms.
    false
        Alarms a day that accuse an inside host of what is benign, infrastructure left aside.
    """

    detector: str
    attack: str
    attacks: int
    findings: float
    alarms: float
    place: tuple[float, int] | None
    place_aside: tuple[float, int] | None
    precision: float | None
    precision_aside: float | None
    recall: dict[int, float]
    by_alarms: float
    false: float


def read_truth(path: Path | str) -> pd.DataFrame:
    """Read a `truth.csv`; what is empty is missing."""
    types = {"dstport": "Int64", "protocol": "Int64", "connections": "Int64", "infrastructure": "Int64"}
    words = ["unit", "srcaddr", "dstaddr", "label", "name", "note"]
    return pd.read_csv(path, dtype={**types, **dict.fromkeys(words, "str")})


def score_table(
    name: str, findings: pd.DataFrame, truth: pd.DataFrame, days: float, contacts: pd.DataFrame | None = None
) -> list[Row]:
    """Judge the findings of a detector: one row for each kind of attack that the labels name.

    Parameters
    ----------
    name
        Of the detector, for the table.
    findings
        Columns `UNIT` and `score`, others are not looked at.
    truth
        What `read_truth` returned.
    days
        The span of the log.
    contacts
        Who called whom, columns `UNIT`: tells which sources a finding speaks of that names a port of a host only.
    """
    verdicts = judged(findings, truth, contacts)
    alarms = verdicts["score"] >= ALARM
    false = alarms & (verdicts["label"] == "benign") & verdicts["inside_acts"] & ~verdicts["infrastructure"]
    by_alarms = recall(findings, truth, int(alarms.sum()), contacts)
    found = {budget: recall(findings, truth, round(budget * days), contacts) for budget in BUDGETS}
    aside = verdicts[~verdicts["infrastructure"]]
    return [
        Row(
            detector=name,
            attack=attack,
            attacks=len(units),
            findings=len(verdicts) / days,
            alarms=int(alarms.sum()) / days,
            place=first_place(verdicts, truth, attack),
            place_aside=first_place(aside, truth, attack),
            precision=precision_at(10, verdicts),
            precision_aside=precision_at(10, aside),
            recall={budget: shares[attack] for budget, shares in found.items()},
            by_alarms=by_alarms[attack],
            false=int(false.sum()) / days,
        )
        for attack, units in _attacks(truth).items()
    ]


def _attacks(truth: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the pairs and sources to be found, by the name of the attack; infected hosts act through their pairs."""
    bad = truth[truth["label"].isin(_BAD) & truth["unit"].isin(["pair", "source"])]
    return {str(name): units for name, units in bad.groupby("name", sort=True)}


# What a finding speaks of


def _tidied(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that count, numbered, in types that compare with those of labels."""
    tidy = findings[[*UNIT, "score"]].reset_index(drop=True).rename_axis("finding")
    addresses = tidy[_ENDS].astype("str").mask(tidy[_ENDS].isna())
    return tidy.assign(**addresses).astype({"dstport": "Int64", "protocol": "Int64", "score": "float64"})


def _agree(left: pd.Series, right: pd.Series) -> pd.Series:
    """Tell where two values are equal, or one of them is not part of what is meant."""
    return (left == right).fillna(True).astype(bool)


def _meant(tidy: pd.DataFrame, truth: pd.DataFrame, contacts: pd.DataFrame | None) -> pd.DataFrame:
    """Return which labels each finding speaks of: columns `finding` and `truth`, numbers of rows."""
    labels = truth.rename_axis("truth").reset_index()
    pairs, sources = labels[labels["unit"] == "pair"], labels[labels["unit"] == "source"]
    named = tidy.reset_index()
    both = named.dropna(subset=_ENDS)
    of_source = named[named["srcaddr"].notna() & named["dstaddr"].isna()]
    of_port = named[named["srcaddr"].isna() & named["dstaddr"].notna()]
    found = [
        _joined(both, pairs, _ENDS),
        _joined(both, sources, _ENDS),
        _joined(of_source, sources, ["srcaddr"]),
    ]
    if contacts is not None and len(of_port):
        # Who knocked at a port is in the log; that it was one of these the finding says by naming the port.
        knocks = contacts[UNIT].astype({"dstport": "Int64", "protocol": "Int64", **dict.fromkeys(_ENDS, "str")})
        knocks = knocks.drop_duplicates()
        held = _joined(of_port[["finding", "dstaddr", "dstport", "protocol"]], knocks, ["dstaddr"], keep=UNIT)
        found.append(_joined(held, sources, _ENDS))
    return pd.concat([rows[["finding", "truth"]] for rows in found]).drop_duplicates()


def _joined(
    left: pd.DataFrame, right: pd.DataFrame, on: list[str], *, keep: Iterable[str] = ("truth",)
) -> pd.DataFrame:
    """Join by addresses, where port and protocol agree or one side does not name them."""
    joined = left.merge(right, on=on, suffixes=("", "_right"))
    agree = _agree(joined["dstport"], joined["dstport_right"]) & _agree(joined["protocol"], joined["protocol_right"])
    joined = joined[agree]
    right_side = {f"{name}_right": name for name in keep if f"{name}_right" in joined}
    kept = joined.drop(columns=list(right_side.values())).rename(columns=right_side)
    return kept[["finding", *keep]]


def _reversed(tidy: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the labelled pairs that a finding speaks of with the ends exchanged, whatever the port.

    Which side called is not always known: NTP uses one port on both sides, and windows hide who came first.
    """
    pairs = truth[(truth["unit"] == "pair") & ~truth["label"].isin(_BAD)].rename_axis("truth").reset_index()
    turned = pairs.rename(columns={"srcaddr": "dstaddr", "dstaddr": "srcaddr"})
    joined = tidy.reset_index().dropna(subset=_ENDS).merge(turned, on=_ENDS, suffixes=("", "_right"))
    return joined.loc[_agree(joined["protocol"], joined["protocol_right"]), ["finding", "truth"]]


def judged(findings: pd.DataFrame, truth: pd.DataFrame, contacts: pd.DataFrame | None = None) -> pd.DataFrame:
    """Say of each finding whether it is right.

    Returns
    -------
    DataFrame
        `UNIT`, `score`, and `label`: malicious (whatever the labels call it), benign, or unknown, which does not count
        either way; `attacks`, the names of the attacks that it speaks of; `infrastructure`, when all it speaks of is;
        `inside_acts`, when the one it accuses is a labelled inside host.

    Notes
    -----
    A finding may speak of several labelled things, as one of a pair does which names no port. It is right when one of
    them is bad, and wrong only when all of them are benign. Where nothing that it speaks of is labelled, it is judged
    by the host that it accuses.
    """
    tidy = _tidied(findings)
    meant = _meant(tidy, truth, contacts)
    turned = _reversed(tidy, truth)
    meant = pd.concat([meant, turned[~turned["finding"].isin(meant["finding"])]])
    spoken = meant.join(truth[["unit", "label", "name", "infrastructure"]], on="truth")
    bad = spoken["label"].isin(_BAD)
    unknown = ~bad & (spoken["label"] != "benign")

    hosts = truth[truth["unit"] == "host"].set_index("srcaddr")["label"]
    actor = tidy["srcaddr"].map(hosts)
    # An infected host also does what it did before: that it acts says nothing of a pair, nor of a port that is benign.
    accused = (actor == "malicious").fillna(False) & tidy["dstaddr"].isna() & ~_of_port(tidy, truth, "label", "benign")
    label = np.select(
        [
            tidy.index.isin(spoken.loc[bad, "finding"]),
            tidy.index.isin(spoken.loc[unknown, "finding"]),
            tidy.index.isin(spoken["finding"]),
            (actor == "benign").fillna(False) | _of_port(tidy, truth, "label", "benign"),
            accused,
        ],
        ["malicious", "unknown", "benign", "benign", "malicious"],
        default="unknown",
    )
    attacks = {finding: frozenset(rows["name"]) for finding, rows in spoken[bad].groupby("finding")}
    return tidy.assign(
        label=label,
        attacks=pd.Series([attacks.get(finding, frozenset()) for finding in tidy.index], dtype="object"),
        infrastructure=_infrastructure(tidy, spoken, truth),
        inside_acts=actor.notna(),
    )


def _infrastructure(tidy: pd.DataFrame, spoken: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    pairs = spoken[spoken["unit"] == "pair"]
    all_is = (pairs["infrastructure"] == 1).groupby(pairs["finding"]).all()
    return _of_port(tidy, truth, "infrastructure", 1) | tidy.index.isin(all_is[all_is].index)


def _of_port(tidy: pd.DataFrame, truth: pd.DataFrame, column: str, value: object) -> pd.Series:
    """Tell which findings name a source and a port without a peer, and all labelled pairs of these two have a value."""
    pairs = truth[truth["unit"] == "pair"]
    all_have = (pairs[column] == value).groupby([pairs["srcaddr"], pairs["dstport"]]).all().rename("all_have")
    found = tidy.join(all_have, on=["srcaddr", "dstport"])["all_have"]
    return tidy["dstaddr"].isna() & found.fillna(False).astype(bool)


# Numbers


def first_place(verdicts: pd.DataFrame, truth: pd.DataFrame, attack: str) -> tuple[float, int] | None:
    """Return where the first pair of an attack stands among the pairs of its host, and how many pairs were scored.

    A pair that several findings speak of stands where the highest of them does. Of `t` pairs with one score, `k` of
    them of the attack, the first comes on average at place (t + 1) / (k + 1).
    """
    wanted = _attacks(truth)[attack]
    ends = wanted.loc[wanted["unit"] == "pair", _ENDS].to_numpy().ravel()
    hosts = truth.loc[truth["unit"] == "host", "srcaddr"]
    best: tuple[float, int] | None = None
    for host in hosts[hosts.isin(ends)]:
        of_host = verdicts[verdicts[_ENDS].notna().all(axis=1) & (verdicts[_ENDS] == host).any(axis=1)]
        ours = np.array([attack in names for names in of_host["attacks"]], dtype=bool)
        pairs = of_host.assign(ours=ours).groupby(UNIT, dropna=False).agg(score=("score", "max"), ours=("ours", "any"))
        if not pairs["ours"].any():
            continue
        top = pairs.loc[pairs["ours"], "score"].max()
        equal = pairs[pairs["score"] == top]
        place = int((pairs["score"] > top).sum()) + (len(equal) + 1) / (int(equal["ours"].sum()) + 1)
        if best is None or place < best[0]:
            best = (place, len(pairs))
    return best


def precision_at(count: int, verdicts: pd.DataFrame) -> float | None:
    """Return the share that is right of the first findings whose labels count; None where there are none."""
    counted = verdicts[verdicts["label"] != "unknown"]
    places = min(count, len(counted))
    if not places:
        return None
    right, left = 0.0, places
    by_score = (counted["label"] == "malicious").groupby(counted["score"]).agg(["sum", "size"]).iloc[::-1]
    for bad, size in by_score.itertuples(index=False):
        taken = min(left, int(size))
        right += taken * int(bad) / int(size)
        left -= taken
    return right / places


def recall(
    findings: pd.DataFrame, truth: pd.DataFrame, alerts: int, contacts: pd.DataFrame | None = None
) -> dict[str, float]:
    """Return how many units of each attack are among the `alerts` highest findings, by the name of the attack.

    A unit is found when one finding that speaks of it is among them. Where the budget ends among `t` findings of one
    score with `s` places left, a unit that `k` of them speak of is found unless all places go to others:
    1 - C(t - k, s) / C(t, s).
    """
    tidy = _tidied(findings)
    meant = _meant(tidy, truth, contacts).join(tidy["score"], on="finding")
    speaking = meant.groupby(["truth", "score"]).size().rename("speaking").reset_index()
    best = speaking.sort_values("score").drop_duplicates("truth", keep="last").set_index("truth")
    ordered = np.sort(tidy["score"].to_numpy())
    below, up_to = (np.searchsorted(ordered, best["score"].to_numpy(), side) for side in ("left", "right"))
    chances = pd.Series(
        [
            _chance(int(equal), int(speak), alerts - int(above))
            for equal, speak, above in zip(up_to - below, best["speaking"], len(ordered) - up_to, strict=True)
        ],
        index=best.index,
        dtype="float64",
    )
    return {name: float(chances.reindex(units.index).sum()) for name, units in _attacks(truth).items()}


def unit_scores(findings: pd.DataFrame, truth: pd.DataFrame, contacts: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the pairs and sources to be found, with the `score` of the highest finding that speaks of each, else 0.

    The index is that of the labels, so that what two logs of one capture give can be put beside each other.
    """
    tidy = _tidied(findings)
    highest = _meant(tidy, truth, contacts).join(tidy["score"], on="finding").groupby("truth")["score"].max()
    wanted = pd.concat(_attacks(truth).values())
    return wanted.assign(score=highest.reindex(wanted.index, fill_value=0.0))


def _chance(equal: int, speaking: int, places: int) -> float:
    if places <= 0:
        return 0.0
    if places >= equal:
        return 1.0
    return 1.0 - math.comb(equal - speaking, places) / math.comb(equal, places)


# The table


def markdown(rows: Iterable[Row]) -> str:
    """Return a table of the rows."""
    head = ["detector", "attack", "findings a day", f"≥ {ALARM} a day", "first pair", "infrastructure aside",
            "precision@10", "infrastructure aside", *(f"found at {budget} a day" for budget in BUDGETS),
            f"found ≥ {ALARM}", f"false ≥ {ALARM} a day"]  # fmt: skip
    lines = [head, ["---", "---", *["--:"] * (len(head) - 2)]]
    for row in rows:
        found = (f"{_short(units)} of {row.attacks:,}" for units in [*row.recall.values(), row.by_alarms])
        lines.append([
            row.detector, row.attack, _short(row.findings), _short(row.alarms), _place(row.place),
            _place(row.place_aside), _share(row.precision), _share(row.precision_aside), *found, _short(row.false),
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _short(number: float) -> str:
    """One decimal, and none where it would be 0."""
    return f"{number:,.1f}".removesuffix(".0")


def _place(place: tuple[float, int] | None) -> str:
    return "-" if place is None else f"{_short(place[0])} of {place[1]:,}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"
