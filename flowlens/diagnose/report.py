"""Cases and rulings as the table that the user sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flowlens.diagnose.cases import EGRESS
from flowlens.diagnose.codes import Certainty, Ruling
from flowlens.diagnose.configured import Configured
from flowlens.diagnose.evidence import UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.remedies import Remedy
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import NEVER, Spans, shared_ids
from flowlens.reduce.rejects import PLACE
from flowlens.schema import BY_COLUMN

__all__ = ["COLUMNS", "RULE_COLUMNS", "report", "with_rules"]

COLUMNS = [
    "interface_id", "direction", "protocol", "srcaddr", "srcport", "dstaddr", "dstport", "verdict", "certainty",
    "candidates", "excluded", "why", "assumptions", "first", "last", "attempts", "packets", "records",
]  # fmt: skip

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
    interfaces = evidence.interfaces[:-1].astype(object)
    egress = cases["egress"].to_numpy()
    table = {
        "interface_id": pd.array(_taken(interfaces, facts.of("interface")), dtype="str"),
        "direction": pd.array(np.array(["ingress", "egress", None], object)[egress], dtype="str"),
        "protocol": cases["protocol"].astype("UInt8").array,
        "srcaddr": pd.array(_taken(evidence.addresses.astype(object), facts.of("src")), dtype="str"),
        "srcport": _port(facts.of("src_port")),
        "dstaddr": pd.array(_taken(evidence.addresses.astype(object), facts.of("dst")), dtype="str"),
        "dstport": _port(facts.of("dst_port")),
        "verdict": pd.array(_verdicts(rulings, kind, egress), dtype="str"),
        "certainty": pd.array(np.array([each.certainty for each in rulings], object)[kind], dtype="str"),
        "candidates": _filters(facts, [each.candidates for each in rulings], kind),
        "excluded": _excluded(facts, rulings, kind),
        "why": pd.array(_reasons(facts, rulings, kind), dtype="str"),
        "assumptions": _objects([each.assumptions for each in rulings])[kind],
        "first": _time(facts.of("first")),
        "last": _time(facts.of("last")),
        "attempts": facts.of("attempts"),
        "packets": facts.of("packets"),
        "records": _records(facts, np.isin(ruling, _BY_VALUES), labels),
    }
    return pd.DataFrame(table, columns=COLUMNS)


def with_rules(
    table: pd.DataFrame, by_log: np.ndarray, found: Configured, opened: Sequence[Remedy | None]
) -> pd.DataFrame:
    """Add what the rules say to the table: the columns `RULE_COLUMNS`, and more in `why`.

    Where the log alone, by its ruling in `by_log`, left one filter, what that assumes is assumed still.
    """
    why = [
        " ".join(filter(None, (text, said, each.why if each else "")))
        for text, said, each in zip(table["why"], found.said, opened, strict=True)
    ]
    return table.assign(
        why=pd.array(why, dtype="str"),
        assumptions=_assumptions(by_log, found.ruling),
        blocked_by=found.blocked_by,
        surfaces_after_fix=_objects([each.surfaces if each else [] for each in opened]),
        fix=_objects([each.calls if each else [] for each in opened]),
        aws_code=pd.array(found.code, dtype="str"),
    )


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
    peer = facts.evidence.interface_of()[facts.of("remote")]
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


def _taken(words: pd.Index, places: np.ndarray) -> np.ndarray:
    values = np.array([*words, None], object)
    taken: np.ndarray = values[places]
    return taken


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
