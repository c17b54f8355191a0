"""A row of a diagnosis as a card: what the paragraph says, for the eye."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from flowlens.cards.markup import Markup, bold, code, element, joined, listed, paragraph, table
from flowlens.diagnose.explain import (
    asked_or_refused,
    filter_in_words,
    how_much,
    said,
    service,
    source,
    target,
    when,
)

__all__ = ["card_of_diagnosis"]

Row = Mapping[str, Any] | pd.Series

_TRUST = {
    "certain": "deduced, not weighed",
    "likely": "ranked first; others are possible",
    "ambiguous": "the log allows all that are named as possible",
    "none": "what would tell is not in the log",
}
_WAYS = {"ingress": ("way in", "way out"), "egress": ("way out", "way in")}
#: The side of a filter that sees a direction, and the one that sees the opposite direction.
_SIDES = {"ingress": ("IN", "OUT"), "egress": ("OUT", "IN")}
_LAYERS = {"security_group": "security group", "network_acl": "network ACL"}
#: Longer lists would hide what is below.
_MOST = 10


def card_of_diagnosis(row: Row) -> Markup:
    """Return the card: the verdict, both directions, the filters, why, and what would open the way."""
    return element(
        "div",
        paragraph(bold(said(row)), f": {_TRUST[str(row['certainty'])]}"),
        paragraph(asked_or_refused(row)),
        paragraph(bold("Why: "), row["why"]),
        _directions(row),
        table("Filters on the way", _filters(row), head=("filter", "what this says of it")),
        table("Refused by", _blockers(row, "blocked_by"), head=("filter", "place", "rule")),
        table("Would refuse it after that", _blockers(row, "surfaces_after_fix"), head=("filter", "place", "rule")),
        _fixes(row),
        joined(paragraph(bold("This assumes")), listed(row["assumptions"])) if len(row["assumptions"]) else "",
        _records(row),
    )


def _directions(row: Row) -> Markup:
    """Put the direction that the row is about beside the opposite one, as far as the row tells."""
    way, back = _WAYS.get(str(row["direction"]), ("way", "way back"))
    place = _at(row)
    rows: list[tuple[object, ...]] = [
        ("from", source(row), target(row)),
        ("to", target(row), source(row)),
        ("protocol", service(row), service(row, "srcport")),
        ("on the", f"{way}{place}", f"{back}{place}"),
    ]
    if not pd.isna(row["first"]):
        # What was accepted of a refused conversation is in another table, and not in this row.
        other = joined("see ", code("df.flow.reject_pairs()")) if row["packets"] else ""
        rows.append(("seen", f"{how_much(row)}, between {when(row)}", other))
    rows += _filters_here(row)
    return table("Both directions", rows, head=("", "refused" if row["packets"] else "asked", "opposite direction"))


def _at(row: Row) -> str:
    return "" if pd.isna(row["interface_id"]) else f" at {row['interface_id']}"


def _filters_here(row: Row) -> Iterator[tuple[object, ...]]:
    """Say of both filters at this interface what the row says of them in each direction."""
    if str(row["direction"]) not in _SIDES:
        return
    side, back = _SIDES[str(row["direction"])]
    said_of = dict(_named(row))
    for layer, words in (("SG", "security group"), ("NACL", "network ACL")):
        places = [name.partition("@")[2] for name in said_of if name.startswith(f"{layer}_{side}@")]
        both = (f"{layer}_{way}@{places[0] if places else ''}" for way in (side, back))
        yield words, *(said_of.get(name, "not told by this row") for name in both)


def _filters(row: Row) -> Iterator[tuple[object, ...]]:
    """List all filters that are named, of other interfaces on the way, too."""
    for name, what in _named(row):
        yield filter_in_words(name), what


def _named(row: Row) -> Iterator[tuple[str, str]]:
    """Say of each filter that is named whether it refused, may have refused, or did not refuse."""
    certainty, candidates = str(row["certainty"]), list(row["candidates"])
    for place, name in enumerate(candidates):
        if certainty == "certain" and len(candidates) == 1:
            yield name, "refused it"
        elif certainty == "likely" and place == 0:
            yield name, "refused it, most likely"
        else:
            yield name, "may have refused it"
    for name in row["excluded"]:
        yield name, "let it pass" if str(row["verdict"]) == "OK" else "ruled out"


def _blockers(row: Row, column: str) -> Iterator[tuple[object, ...]]:
    for one in _some(row, column):
        layer = f"{_LAYERS.get(one['layer'], one['layer'])}, {one['direction']}"
        if one["layer"] == "network_acl":
            number = "" if one.get("rule_number") is None else f"entry {one['rule_number']}: "
            yield layer, joined(code(one["network_acl"]), " of ", code(one["subnet"])), f"{number}{one['rule']}"
            continue
        groups = joined(*map(code, one["security_groups"]), by=", ")
        near = [
            joined(code(miss["rule"]), f" ({miss['text']}) differs in {miss['differs_in']}")
            for miss in one["near_misses"][:_MOST]
        ]
        rule = joined(one["rule"], *(("; nearest: ", joined(*near, by="; ")) if near else ()))
        yield layer, joined(groups, " of ", code(one["eni"])), rule


def _fixes(row: Row) -> Markup:
    """Return the calls that would open the way."""
    steps = _some(row, "fix")
    if not steps:
        return Markup()
    calls = [
        joined(paragraph(step["why"]), element("pre", code(step["cli"])), _affected(step["affects"])) for step in steps
    ]
    return joined(paragraph(bold("This would open it, checked against a copy of the rules:")), *calls)


def _affected(affects: Mapping[str, Sequence[str]]) -> Markup:
    affected = [place for places in affects.values() for place in places]
    if not affected:
        return Markup()
    more = f" and {len(affected) - _MOST:,} more" if len(affected) > _MOST else ""
    return paragraph("It takes effect at ", joined(*map(code, affected[:_MOST]), by=", "), more, ".")


def _records(row: Row) -> Markup:
    """Return the code that finds the records behind the verdict, in a frame."""
    labels = list(row["records"])
    if not labels:
        return Markup()
    shown = ", ".join(map(repr, labels[:_MOST]))
    if len(labels) <= _MOST:
        return paragraph(bold("Its records: "), code(f"df.loc[[{shown}]]"))
    return paragraph(bold("Its records: "), code(f"{shown}, ..."), f", {len(labels):,} in all")


def _some(row: Row, column: str) -> Sequence[Mapping[str, Any]]:
    """Return a list of dicts of a row of a diagnosis with a topology, without which it has none."""
    value = row.get(column)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
