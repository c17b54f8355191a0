"""What became of the conversations between two hosts of which nothing was refused.

A chain of up to four places: the request leaves the one host and arrives at the other, the reply leaves that and
arrives back. What is missing in it tells where the conversation ended, as far as each host is in the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import netaddr
import numpy as np
import pandas as pd

from flowlens.diagnose.by_outcome import BY_OUTCOME
from flowlens.diagnose.evidence import EGRESS, INGRESS, UNKNOWN, Evidence
from flowlens.diagnose.homes import Homes
from flowlens.diagnose.report import COLUMNS
from flowlens.diagnose.spans import Spans
from flowlens.reduce.rejects import LAG, PLACE, RETRANSMISSION
from flowlens.service import RST, SYN, TCP
from flowlens.topology import Topology, is_logged

__all__ = ["Question", "nothing_logged", "of_this", "outcomes"]

_DNS = 53


@dataclass(frozen=True, slots=True)
class Question:
    """Why does `src` not reach `dst` at this port? Addresses as they are written in the log."""

    src: str
    dst: str
    dst_port: int
    protocol: int


def of_this(evidence: Evidence, question: Question) -> pd.DataFrame:
    """Return the records of the conversations that are asked about, with `is_request` and `client_port`."""
    t = evidence.related
    src, dst = (_place(evidence, word) for word in (question.src, question.dst))
    forward = t["forward"].to_numpy(bool)
    source, target = np.where(forward, t["a"], t["b"]), np.where(forward, t["b"], t["a"])
    source_port, target_port = np.where(forward, t["a_port"], t["b_port"]), np.where(forward, t["b_port"], t["a_port"])
    there = (source == src) & (target == dst) & (target_port == question.dst_port)
    back = (source == dst) & (target == src) & (source_port == question.dst_port)
    t = t.assign(is_request=there, client_port=np.where(there, source_port, target_port))
    found: pd.DataFrame = t[(there | back) & (t["protocol"] == question.protocol)]
    return found


def _place(evidence: Evidence, address: str) -> int:
    """Return the place of an address, or one that no record has."""
    places = np.flatnonzero(evidence.addresses == address)
    return int(places[0]) if len(places) else UNKNOWN - 1


def outcomes(evidence: Evidence, homes: Homes, question: Question, labels: pd.Index | None) -> pd.DataFrame:
    """Return one row a conversation of which no record says REJECT, in the columns of `report`."""
    records = of_this(evidence, question)
    refused = records.loc[records["rejected"], "client_port"].unique()
    records = records[~records["client_port"].isin(refused)]
    rows = [
        _outcome(of_one, evidence, homes, question, labels) for _, of_one in records.groupby("client_port", sort=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def nothing_logged(question: Question, topology: Topology | None) -> pd.DataFrame:
    """Return the row for a conversation of which there is no record: never logged, or not known why."""
    logged = is_logged(
        question.src, question.dst, dst_port=question.dst_port, protocol=question.protocol, topology=topology
    )
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {
        "protocol": question.protocol, "srcaddr": question.src, "dstaddr": question.dst, "dstport": question.dst_port,
        "candidates": (), "excluded": (), "assumptions": (), "records": (), "attempts": 0, "packets": 0,
    }  # fmt: skip
    if logged and topology is None and _may_ask_resolver(question):
        row |= {"verdict": "NOT_LOGGED", "certainty": "likely"}
        row["why"] = (
            f"There is no record. {question.dst} is most likely the resolver of its VPC (base of the range plus two), "
            "and queries to it are never captured. A topology tells."
        )
    elif logged:
        row |= {"verdict": "INSUFFICIENT_DATA", "certainty": "none"}
        row["why"] = (
            "The log has no record between the two at this port: it was not sent, or through interfaces or at times "
            f"that are not in the log. {logged.reason}"
        )
    else:
        row |= {
            "verdict": "NOT_LOGGED",
            "certainty": "certain" if topology is not None and logged.certain else "likely",
        }
        row["why"] = f"There is no record, and there can be none. {logged.reason}"
    return pd.DataFrame([row], columns=COLUMNS)


def _may_ask_resolver(question: Question) -> bool:
    """Tell whether an address looks like the resolver of a VPC, of which the range is hardly smaller than a /24."""
    address = netaddr.IPAddress(question.dst)
    return question.dst_port == _DNS and address.version == 4 and int(address) % 256 == 2


@dataclass(frozen=True, slots=True)
class _Chain:
    """What was accepted at each of the four places, and whether each host is in the log."""

    left_a: pd.DataFrame
    reached_b: pd.DataFrame
    left_b: pd.DataFrame
    reached_a: pd.DataFrame
    sees_a: bool
    sees_b: bool

    @property
    def sees_both(self) -> bool:
        return self.sees_a and self.sees_b

    @property
    def is_answered(self) -> bool:
        return len(self.left_b) + len(self.reached_a) > 0


def _outcome(
    records: pd.DataFrame, evidence: Evidence, homes: Homes, question: Question, labels: pd.Index | None
) -> dict[str, object]:
    chain = _chain_of(records, evidence, question)
    lost = _lost(records, evidence, question)
    ruling = BY_OUTCOME[_ruling(chain, records, homes, question, lost)]
    end = f"arrived at {question.dst}" if len(chain.reached_b) else f"left {question.src}"
    here = next(part for part in (chain.left_a, chain.reached_b, chain.reached_a, chain.left_b, records) if len(part))
    if ruling.verdict == "NO_RESPONSE" and len(chain.reached_b):
        here = chain.reached_b
    egress = here["egress"].iloc[0]
    return {
        "interface_id": str(evidence.interfaces[here["interface"].iloc[0]]),
        "direction": {EGRESS: "egress", INGRESS: "ingress"}.get(egress),
        "protocol": question.protocol,
        "srcaddr": question.src,
        "srcport": records["client_port"].iloc[0],
        "dstaddr": question.dst,
        "dstport": question.dst_port,
        "verdict": ruling.verdict,
        "certainty": str(ruling.certainty),
        "candidates": ruling.candidates,
        "excluded": _passed(chain, ruling.verdict, evidence, homes, question),
        "why": ruling.why.format(lost=lost, end=end),
        "assumptions": ruling.assumptions,
        "first": pd.to_datetime(records["start"].min(), unit="s", utc=True),
        "last": pd.to_datetime(records["end"].max(), unit="s", utc=True),
        "attempts": 1,
        "packets": 0,
        "records": () if labels is None else tuple(labels[np.sort(records[PLACE].to_numpy())]),
    }


def _chain_of(records: pd.DataFrame, evidence: Evidence, question: Question) -> _Chain:
    request, egress = records["is_request"], records["egress"]
    local = evidence.addresses[evidence.residents["local"].to_numpy()]
    return _Chain(
        left_a=records[request & (egress == EGRESS)],
        reached_b=records[request & (egress == INGRESS)],
        left_b=records[~request & (egress == EGRESS)],
        reached_a=records[~request & (egress == INGRESS)],
        sees_a=question.src in local,
        sees_b=question.dst in local,
    )


def _ruling(chain: _Chain, records: pd.DataFrame, homes: Homes, question: Question, lost: str) -> str:
    """Return the name of the ruling: how far the conversation came."""
    if (records["egress"] == UNKNOWN).all():
        return "no_direction"
    if chain.is_answered:
        returns = not chain.sees_both or len(chain.reached_a)
        return _kind_of_answer(chain, question) if returns else "records_lost" if lost else "lost_back"
    return "records_lost" if lost else _kind_of_silence(chain, homes, question)


def _kind_of_silence(chain: _Chain, homes: Homes, question: Question) -> str:
    """Tell what it may mean that nothing came back."""
    reached = chain.reached_b["interface"].to_numpy()
    if homes.is_nat_gateway[reached].any():
        return "at_gateway"
    if homes.may_have_no_group[reached].any():
        return "perhaps_at_gateway"
    if question.protocol != TCP:
        return "one_way"
    return "lost_there" if chain.sees_both and not len(chain.reached_b) else "silence"


def _kind_of_answer(chain: _Chain, question: Question) -> str:
    """Tell an answer from a refusal by the host, where flags are logged."""
    replies = pd.concat([chain.left_b, chain.reached_a])
    if question.protocol != TCP or "tcp_flags" not in replies.columns:
        return "both_ways"
    flags = replies["tcp_flags"].to_numpy()
    of_any = int(np.bitwise_or.reduce(np.maximum(flags, 0)))
    if (flags < 0).any() or not of_any & (SYN | RST):
        return "both_ways"
    return "answered" if of_any & SYN else "reset"


def _lost(records: pd.DataFrame, evidence: Evidence, question: Question) -> str:
    """Name an interface of the two hosts that lost records at the time of some, or return nothing."""
    losses, residents = evidence.losses, evidence.residents
    ends = residents["local"].isin([_place(evidence, question.src), _place(evidence, question.dst)])
    spans = Spans(*(losses[name].to_numpy() for name in ("interface", "start", "end")))
    reach = evidence.interval + LAG + RETRANSMISSION
    for interface in residents.loc[ends, "interface"].unique():
        first, last = records["start"].min() - reach, records["end"].max() + reach
        if spans.count(np.array([interface]), np.array([first]), np.array([last]))[0]:
            return str(evidence.interfaces[interface])
    return ""


def _passed(chain: _Chain, verdict: str, evidence: Evidence, homes: Homes, question: Question) -> tuple[str, ...]:
    """Name the filters that did not refuse the conversation."""
    places = [
        (int(interface), int(egress))
        for part in (chain.left_a, chain.reached_b, chain.left_b, chain.reached_a)
        for interface, egress in part[["interface", "egress"]].drop_duplicates().itertuples(index=False)
    ]
    if verdict == "PATH_LOSS":
        # Had a filter refused it where it should have arrived, there would be a record of that.
        missed = question.src if len(chain.left_b) else question.dst
        interface = evidence.interface_of[_place(evidence, missed)]
        places += [(int(interface), INGRESS)] if interface != UNKNOWN else []
    names = [homes.names(interface, egress=egress == EGRESS, evidence=evidence) for interface, egress in places]
    return tuple(dict.fromkeys(name for pair in names for name in pair))
