"""Cases and rulings as the table that the user sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flowlens.diagnose.codes import Certainty, Ruling
from flowlens.diagnose.configured import Configured
from flowlens.diagnose.evidence import EGRESS, UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.remedies import Remedy
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import NEVER, Spans, shared_ids
from flowlens.reduce.rejects import PLACE
from flowlens.schema import BY_COLUMN

__all__ = ["COLUMNS", "RULE_COLUMNS", "in_words", "report", "with_fixes", "with_rules"]

COLUMNS = [
    "interface_id", "direction", "protocol", "srcaddr", "srcport", "dstaddr", "dstport", "verdict", "certainty",
    "candidates", "excluded", "why", "assumptions", "first", "last", "attempts", "packets", "records",
]  # fmt: skip

_TEXTS = ("interface_id", "direction", "srcaddr", "dstaddr", "verdict", "certainty", "why", "aws_code")

#: What rules add.
RULE_COLUMNS = ["blocked_by", "surfaces_after_fix", "fix", "aws_code"]

#: Fields by which more could be deduced.
_SHARPENING = ("tcp_flags", "flow_direction", "subnet_id", "pkt_srcaddr", "pkt_dstaddr", "reject_reason")
#: Rulings for which the record with the same values is evidence.
_BY_VALUES = ("passes_acl", "reply_passed_acl", "tail_passed_acl", "passed_acl_once", "is_not_acl")


def report(facts: Facts, ruling: np.ndarray, labels: pd.Index | None) -> pd.DataFrame:
    """Return one row a case; `labels` are those of the frame."""
    cases, evidence = facts.cases, facts.evidence
    names, kind = np.unique(ruling, return_inverse=True)
    rulings = [RULINGS[name] for name in names]
    # Missing where no interface is named.
    interfaces = np.array([*evidence.interfaces[:-1], None], object)
    addresses = evidence.addresses.insert(len(evidence.addresses), None).to_numpy()
    egress = cases["egress"].to_numpy()
    table = {
        "interface_id": interfaces[facts.of("interface")],
        "direction": np.array(["ingress", "egress", None], object)[egress],
        "protocol": cases["protocol"].astype("UInt8").array,
        "srcaddr": addresses[facts.of("src")],
        "srcport": _port(facts.of("src_port")),
        "dstaddr": addresses[facts.of("dst")],
        "dstport": _port(facts.of("dst_port")),
        "verdict": _verdicts(rulings, kind, egress),
        "certainty": np.array([str(each.certainty) for each in rulings], object)[kind],
        "candidates": _filters(facts, [each.candidates for each in rulings], kind),
        "excluded": _excluded(facts, rulings, kind),
        "why": _reasons(facts, rulings, kind),
        "assumptions": _objects([each.assumptions for each in rulings])[kind],
        "first": _time(facts.of("first")),
        "last": _time(facts.of("last")),
        "attempts": facts.of("attempts"),
        "packets": facts.of("packets"),
        "records": _records(facts, np.isin(ruling, _BY_VALUES), labels),
    }
    return pd.DataFrame({name: _untouched(column) for name, column in table.items()}, columns=COLUMNS)


def with_rules(table: pd.DataFrame, by_log: np.ndarray, found: Configured) -> pd.DataFrame:
    """Add what the rules say to the table: `blocked_by` and `aws_code`, and more in `why`.

    Where the log alone, by its ruling in `by_log`, left one filter, what that assumes is assumed still.
    """
    return table.assign(
        why=pd.Series([_together(*texts) for texts in zip(table["why"], found.said, strict=True)], dtype=object),
        assumptions=_assumptions(by_log, found.ruling),
        blocked_by=found.blocked_by,
        aws_code=pd.Series(found.code, dtype=object),
    )


def with_fixes(table: pd.DataFrame, opened: Sequence[Remedy | None]) -> pd.DataFrame:
    """Add what would open the way to a table with rules: `fix` and `surfaces_after_fix`, and why there is none."""
    texts = zip(table["why"], [each.why if each else "" for each in opened], strict=True)
    table = table.assign(
        why=pd.Series([_together(*text) for text in texts], dtype=object),
        surfaces_after_fix=_objects([each.surfaces if each else [] for each in opened]),
        fix=_objects([each.calls if each else [] for each in opened]),
    )
    return table[[*COLUMNS, *RULE_COLUMNS]]


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return the finished table, with texts as such.

    Until then they are objects, of which many are the same one: a text of its own takes room in each row.
    """
    texts = [name for name in _TEXTS if name in table.columns]
    return table.astype(dict.fromkeys(texts, "str"))


def _untouched(column: pd.api.extensions.ExtensionArray | pd.Index | np.ndarray) -> pd.Series:
    """Return a column as it is, where pandas would make texts of objects."""
    return pd.Series(column, dtype=column.dtype)


def _together(*texts: str) -> str:
    return " ".join(filter(None, texts))


def _assumptions(by_log: np.ndarray, ruled: np.ndarray) -> np.ndarray:
    pairs, place = np.unique(np.stack([by_log, ruled]), axis=1, return_inverse=True)
    together = [
        tuple(dict.fromkeys(RULINGS[rule].assumptions + RULINGS[log].assumptions * (len(RULINGS[log].candidates) == 1)))
        for log, rule in pairs.T
    ]
    assumed: np.ndarray = _objects(together)[place.ravel()]
    return assumed


def _verdicts(rulings: Sequence[Ruling], kind: np.ndarray, egress: np.ndarray) -> np.ndarray:
    sided = [
        [f"{each.verdict}_{side}" if each.verdict in {"SG", "NACL", "SG_OR_NACL"} else each.verdict for each in rulings]
        for side in ("IN", "OUT")
    ]
    inward, outward = (np.array(words, object)[kind] for words in sided)
    named: np.ndarray = np.where(egress == EGRESS, outward, inward)
    return named


def _filters(facts: Facts, kinds: Sequence[Sequence[str]], kind: np.ndarray) -> np.ndarray:
    """Name the filters of each case: once for each interface, direction and ruling."""
    asked = [kind, facts.of("interface"), facts.of("egress")]
    ids = shared_ids(asked)[0]
    _, where, back = np.unique(ids, return_index=True, return_inverse=True)
    named = []
    for place in where:
        number, interface, egress = (column[place] for column in asked)
        sides = (False, True) if egress == UNKNOWN else (egress == EGRESS,)
        named.append(
            tuple(
                facts.homes.name(each, interface, egress=side, evidence=facts.evidence)
                for each in kinds[number]
                for side in sides
            )
        )
    named_filters: np.ndarray = _objects(named)[back]
    return named_filters


def _excluded(facts: Facts, rulings: Sequence[Ruling], kind: np.ndarray) -> np.ndarray:
    """Name the filters that did not refuse it: those ruled out here, and those that let the conversation pass."""
    excluded = _filters(facts, [each.excluded for each in rulings], kind)
    decided = np.array([bool(each.candidates) for each in rulings], bool)[kind]
    more: dict[int, tuple[str, ...]] = {}
    homes = facts.homes.subnet
    for places in (_passed_elsewhere(facts), _never_reached(facts)):
        for case, interface, egress in zip(*(column.tolist() for column in places), strict=True):
            if decided[case]:
                names = facts.homes.names(interface, egress=egress == EGRESS, evidence=facts.evidence)
                # Between two interfaces of one subnet its network ACL was not asked.
                inside = homes[interface] != UNKNOWN and homes[interface] == homes[facts.of("interface")[case]]
                more[case] = more.get(case, ()) + (names[:1] if inside else names)
    for case, names in more.items():
        excluded[case] = tuple(dict.fromkeys(excluded[case] + names))
    return excluded


def _never_reached(facts: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of a case and the peer's interface, inbound, where the packet was refused before it left."""
    peer = facts.evidence.interface_of[facts.of("remote")]
    case = np.flatnonzero(facts.is_egress & (peer != UNKNOWN) & (peer != facts.of("interface")))
    return case, peer[case], np.full(len(case), 1 - EGRESS)


def _passed_elsewhere(facts: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of a case and another interface and direction at which the conversation was accepted meanwhile."""
    related = facts.evidence.related
    accepted = related[~related["rejected"] & (related["egress"] != UNKNOWN)]
    places = accepted[["conversation"]].assign(at=accepted["interface"], side=accepted["egress"])
    asked = pd.DataFrame({"conversation": facts.of("conversation"), "case": np.arange(len(facts.cases))})
    pairs = asked.merge(places.drop_duplicates(), on="conversation")
    pairs = pairs[pairs["at"] != facts.of("interface")[pairs["case"]]]
    ids = [[frame[name].to_numpy() for name in ("conversation", "at", "side")] for frame in (pairs, places)]
    pair_ids, place_ids = shared_ids(*ids)
    spans = Spans(place_ids, accepted["start"].to_numpy(), accepted["end"].to_numpy())
    number = pairs["case"].to_numpy()
    first, last = facts.of("first")[number] - facts.reach, facts.of("last")[number] + facts.reach
    pairs = pairs[spans.count(pair_ids, first, last) > 0].sort_values(["case", "at", "side"])
    return pairs["case"].to_numpy(), pairs["at"].to_numpy(), pairs["side"].to_numpy()


def _reasons(facts: Facts, rulings: Sequence[Ruling], kind: np.ndarray) -> np.ndarray:
    lacking = [column for column in _SHARPENING if column not in facts.evidence.logged]
    tokens = " ".join(f"${{{BY_COLUMN[column].name}}}" for column in lacking)
    more = f" Add {tokens} to the LogFormat to know more." if lacking else ""
    sentences = [
        each.why + (more if each.certainty in {Certainty.LIKELY, Certainty.AMBIGUOUS} else "") for each in rulings
    ]
    why: np.ndarray = np.array(sentences, object)[kind]
    other = np.flatnonzero(np.array([each.verdict == "OTHER_REASON" for each in rulings], bool)[kind])
    why[other] = [f"{why[place]} It is {facts.of('reason')[place]!r}." for place in other]
    return why


def _records(facts: Facts, by_values: np.ndarray, labels: pd.Index | None) -> np.ndarray:
    """Return the labels of the records of the conversation at the interface, and of the evidence elsewhere."""
    related = facts.evidence.related
    if labels is None or PLACE not in related.columns:
        return _objects([()] * len(facts.cases))
    key = ["interface", "conversation", "number"]
    cases, all_ = shared_ids([facts.of(name) for name in key], [related[name].to_numpy() for name in key])
    order = np.lexsort((related[PLACE].to_numpy(), all_))
    places, ids = related[PLACE].to_numpy()[order], all_[order]
    begins, ends = np.searchsorted(ids, cases, side="left"), np.searchsorted(ids, cases, side="right")
    words = labels.take(places).tolist()
    found = [tuple(words[begin:end]) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    proved = np.flatnonzero(by_values & (facts.alike_record != NEVER))
    evidence = labels.take(facts.evidence.alike[PLACE].to_numpy()[facts.alike_record[proved]]).tolist()
    for number, label in zip(proved.tolist(), evidence, strict=True):
        found[number] += (label,)
    return _objects(found)


def _port(values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    return (
        pd.array(np.where(values < 0, 0, values).astype(np.uint16), dtype="UInt16")
        if (values >= 0).all()
        else (pd.Series(values).astype("Int64").mask(values < 0).astype("UInt16").array)
    )


def _time(seconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.to_datetime(seconds, unit="s", utc=True).as_unit("s")


def _objects(values: Sequence[object]) -> np.ndarray:
    """Return an array that has tuples for values."""
    array = np.empty(len(values), object)
    # One by one: numpy takes a list of lists for an array of two dimensions.
    for place, value in enumerate(values):
        array[place] = value
    return array
