"""Diagnoses of a simulated world against what truly happened there, and what its records would have allowed to say."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from math import floor
from typing import Any, NamedTuple

import pandas as pd
from diagnosis_contract import LAYERS, faults
from formats import DEFAULT

from flowlens import Topology
from flowlens.simulate import ICMP, ICMPV6, TCP, UDP, Interface, Simulation
from flowlens.simulate.network import Refused

__all__ = ["LAYOUTS", "Judgement", "judge", "rows_with_truth", "seen_in"]

#: What a flow log shows, by name; None is all 29 fields of versions 2 to 5.
LAYOUTS: dict[str, tuple[str, ...] | None] = {
    "29 fields": None,
    "without pkt": (*DEFAULT, "subnet_id", "instance_id", "tcp_flags", "flow_direction"),
    "default": tuple(DEFAULT),
}

_SEEN = ("interface_id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol")
_STATE_VERDICTS = {"LATE_PACKET", "CONNTRACK_EXPIRED", "SG_STATE"}
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_LAG, _BRACKET = 120, 3_600  # seconds: how near, beside the interval, and between what, a filter counts as the same


@dataclass
class Judgement:
    """What was found out about a log; several add up.

    ``wrong_certain``, ``true_excluded`` and ``other`` say in words what no diagnosis may do; ``unsafe`` what is excused
    because rules changed among the very records that it rests on. ``rows`` counts diagnoses by verdict and certainty,
    ``refused`` conversations by the certainty of the first refusal, ``pings`` those of ICMP among them, ``allowed``
    those that a guard decides, by guard, ``missed`` those among them that were not called certain. ``first_guess``
    counts how often the layer that a likely diagnosis ranks first is the true one.
    """

    wrong_certain: list[str] = field(default_factory=list)
    true_excluded: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    pings: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    first_guess: Counter[bool] = field(default_factory=Counter)

    @property
    def broken(self) -> list[str]:
        """Everything that breaks a law."""
        return [*self.wrong_certain, *self.true_excluded, *self.other]

    def add(self, more: Judgement) -> None:
        """Take in another one."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(more, each.name)
            mine.extend(theirs) if isinstance(mine, list) else mine.update(theirs)


class _Truth(NamedTuple):
    """What one refusal says that the diagnosis of its record has to be."""

    layer: str
    name: str
    cause: str
    other_way: bool
    late: bool


def seen_in(sim: Simulation, layout: str) -> pd.DataFrame:
    """Return the records of a simulation as a flow log of another layout would have them."""
    names = LAYOUTS[layout]
    return sim.records if names is None else sim.records[list(names)]


def judge(sim: Simulation, layout: str, *, interval: int, topology: Topology | None = None) -> Judgement:
    """Diagnose what a simulation wrote, with or without the rules, and compare it with the truth."""
    log = _Log(sim, layout, interval, topology)
    rows = list(log.df.flow.diagnose(topology=topology, scope="all").itertuples())
    result = Judgement(rows=Counter((row.verdict, row.certainty) for row in rows))
    holding = defaultdict(list)
    for number, row in enumerate(rows):
        result.other += [f"{_said(row)}: {fault}" for fault in (*faults(row), *log.strangers(row))]
        for label in row.records:
            holding[label].append(number)
    truths: dict[int, set[_Truth]] = defaultdict(set)
    counted = set()
    for refused in sim.refusals:
        label = log.record_of(refused)
        if label is None:
            continue  # lost with its window
        mine = [n for n in holding[label] if log.is_about(rows[n], label)]
        if not mine:
            result.other.append(f"no row for the refused record {log.text(label)}")
        for number in mine:
            truths[number].add(log.truth_of(refused))
        if mine and refused.conversation not in counted:
            counted.add(refused.conversation)
            certainty, guard = rows[mine[0]].certainty, log.guard(refused, label)
            result.refused[certainty] += 1
            result.pings[certainty] += rows[mine[0]].protocol in {1, 58}
            if guard:
                result.allowed[guard] += 1
                result.missed[guard] += certainty != "certain"
    for number, known in truths.items():
        _compare(rows[number], known, result, log)
    return result


def rows_with_truth(
    sim: Simulation, layout: str, *, interval: int, topology: Topology, scope: str = "all"
) -> list[tuple[Any, list[Refused], set[str]]]:
    """Each row of a diagnosis with the refusals that it is about, and the names of the filters behind them."""
    log = _Log(sim, layout, interval, topology)
    rows = list(log.df.flow.diagnose(topology=topology, scope=scope).itertuples())
    holding = defaultdict(list)
    for number, row in enumerate(rows):
        for label in row.records:
            holding[label].append(number)
    found: list[tuple[Any, list[Refused], set[str]]] = [(row, [], set()) for row in rows]
    for refused in sim.refusals:
        label = log.record_of(refused)
        for number in holding[label] if label is not None else ():
            if log.is_about(rows[number], label):
                found[number][1].append(refused)
                found[number][2].add(log.truth_of(refused).name)
    return found


def _compare(row: Any, known: set[_Truth], result: Judgement, log: _Log) -> None:
    """Judge one row by all that was truly refused in the records it is about."""
    for truth in known:
        said = f"{_said(row)}, in truth {truth.name}, {truth.cause}"
        broken = []
        if row.certainty == "certain" and not _is_right(row, truth):
            broken.append(result.wrong_certain)
        if truth.name in row.excluded or (row.candidates and truth.name not in row.candidates):
            broken.append(result.true_excluded)
        if broken and log.changes_within(row):
            broken = [result.unsafe]
        for law in broken:
            law.append(said)
        if row.certainty == "likely" and row.verdict in LAYERS:
            result.first_guess[row.verdict == truth.layer] += 1


def _is_right(row: Any, truth: _Truth) -> bool:
    if row.verdict == truth.layer:
        return row.candidates == (truth.name,)
    if truth.other_way and row.verdict in {"ASYMMETRIC_PATH", "SG_STATE"}:
        return truth.layer.startswith("SG")
    if truth.late and row.verdict == "LATE_PACKET":
        return True  # whichever filter it was that refused it
    return truth.cause in {"closed", "expired"} and row.verdict in _STATE_VERDICTS


def _said(row: Any) -> str:
    ends = f"{row.srcaddr}:{row.srcport} > {row.dstaddr}:{row.dstport} protocol {row.protocol} at {row.interface_id}"
    return f"{ends}: {row.verdict}, {row.certainty}, {row.candidates}, not {row.excluded} ({row.why})"


class _Log:
    """Records as they are in the log, for quick questions about single ones."""

    def __init__(self, sim: Simulation, layout: str, interval: int, topology: Topology | None = None) -> None:
        self.df = seen_in(sim, layout)
        known = () if topology is None else topology.interfaces
        self._subnets = {i.id: i.subnet for i in sim.world.interfaces if i.id in known}
        self._near = interval + _LAG
        self._sim = sim
        self._homes: dict[str, Interface] = {}
        for interface in sim.world.interfaces:
            self._homes |= {a: interface for a in (interface.address, interface.address6) if a}
        self._reply_from = {
            (c.responder, c.reply_from) for c in sim.world.traffic if getattr(c, "reply_from", None) is not None
        }
        # Every window is written, also an empty one: the first begins with the simulation.
        self._began = sim.records["start"].min().timestamp()
        self._edits = [self._began + change.at for change in sim.world.changes]
        self._plans = sorted(sim.world.traffic, key=lambda plan: plan.start)  # as they are numbered
        plain = self.df.astype({n: object for n in self.df.columns if self.df[n].dtype == "category"})
        plain[["start", "end"]] = plain[["start", "end"]].astype("int64")
        for name, kind in plain.dtypes.items():
            if str(kind).startswith(("Int", "UInt")):
                plain[name] = plain[name].astype(object).where(plain[name].notna(), None)
        self._records = dict(zip(plain.index, plain.to_dict("records"), strict=True))
        self._refused = defaultdict(list)
        self._accepted: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
        self._flags: dict[tuple[Any, ...], list[tuple[int, int, int]]] = defaultdict(list)
        self._lost: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for label, record in self._records.items():
            if record["action"] == "REJECT":
                self._refused[self._seen(record)].append(label)
            elif record["action"] == "ACCEPT":
                self._accepted[self._values(record)].append((record["start"], record["end"]))
                self._flags[self._seen(record)].append((record["start"], record["end"], record.get("tcp_flags") or 0))
            elif record["log_status"] == "SKIPDATA":
                self._lost[record["interface_id"]].append((record["start"], record["end"]))

    @staticmethod
    def _seen(record: Any) -> tuple[Any, ...]:
        return tuple(record[name] for name in _SEEN)

    def _values(self, record: Any) -> tuple[Any, ...]:
        """All that a network ACL looks at, and which one it is."""
        place, way = record.get("subnet_id") or record["interface_id"], record.get("flow_direction")
        far = "src" if way == "ingress" else "dst"
        return place, way, record["protocol"], record.get(f"pkt_{far}addr") or record[f"{far}addr"], record["dstport"]

    def _place(self, record: Any) -> Any:
        return record.get("subnet_id") or self._subnets.get(record["interface_id"], record["interface_id"])

    def text(self, label: Any) -> str:
        return " ".join(str(value) for value in self._records[label].values())

    def record_of(self, refused: Any) -> Any:
        """The label of the record that holds a refused packet; None where records of its window were lost."""
        key, at = refused.key, floor(refused.at)
        wanted = (key.interface, key.srcaddr, key.srcport, key.dstaddr, key.dstport, key.protocol)
        found = (n for n in self._refused[wanted] if self._records[n]["start"] <= at <= self._records[n]["end"])
        return next(found, None)

    def is_about(self, row: Any, label: Any) -> bool:
        """Whether a row is the diagnosis of a record, and does not only refer to it."""
        record = self._records[label]
        return (
            (row.interface_id, row.srcport, row.dstport, row.protocol)
            == tuple(record[name] for name in ("interface_id", "srcport", "dstport", "protocol"))
            and row.srcaddr in {record["srcaddr"], record.get("pkt_srcaddr")}
            and row.dstaddr in {record["dstaddr"], record.get("pkt_dstaddr")}
            and row.first.timestamp() <= record["start"]
            and record["end"] <= row.last.timestamp()
        )

    def truth_of(self, refused: Any) -> _Truth:
        layer, filter_at, interface, cause, _ = refused.refusal
        named = layer.startswith("SG") or "subnet_id" in self.df or interface in self._subnets
        shown = filter_at if named else interface
        asked = self._homes.get(refused.key.pkt_srcaddr)
        other_way = asked is not None and (asked.id, interface) in self._reply_from
        return _Truth(layer, f"{layer}@{shown}", cause, other_way, self._is_late(refused))

    def _is_late(self, refused: Any) -> bool:
        plan = self._plans[refused.conversation]
        if plan.late is None or refused.key.srcport != plan.responder_port:
            return False
        return refused.at - self._began - plan.start >= plan.duration + plan.pause + plan.late

    def strangers(self, row: Any) -> list[str]:
        """Say what is wrong with the records that a row refers to."""
        unknown = [label for label in row.records if label not in self._records]
        if unknown:
            return [f"no such records: {unknown}"]
        own = [n for n in row.records if self._records[n]["action"] == "REJECT" and self.is_about(row, n)]
        ends = {row.srcaddr, row.dstaddr}
        subnets = {self._place(self._records[n]) for n in own}
        far = [
            self.text(label)
            for label in row.records
            for record in (self._records[label],)
            if self._place(record) not in subnets
            and not ends & {record["srcaddr"], record["dstaddr"], record.get("pkt_srcaddr"), record.get("pkt_dstaddr")}
        ]
        return ([] if own else ["no refused record behind it"]) + [f"has nothing to do with it: {far}"] * bool(far)

    def changes_within(self, row: Any) -> bool:
        """Whether rules changed between the first and the last record that a row refers to."""
        times = [self._records[n][edge] for n in row.records if n in self._records for edge in ("start", "end")]
        return any(min(times) - 1 <= at <= max(times) + 1 for at in self._edits)

    def guard(self, refused: Any, label: Any) -> str | None:
        """Which deduction the records allow, by the truth about the packets and not by reading the log again.

        Not where records were lost that would have to be seen, not where one window has no order, and not for pairs of
        ICMP, as pings in the other direction look the same.
        """
        record, layer, cause = self._records[label], refused.refusal.layer, refused.refusal.cause
        if "subnet_id" not in record or "tcp_flags" not in record:
            return None  # neither who shares a network ACL nor what began a connection can be seen
        ends = [self._homes.get(address) for address in (refused.key.pkt_srcaddr, refused.key.pkt_dstaddr)]
        inside = None not in ends and ends[0].subnet == ends[1].subnet
        if inside and cause == "rules" and ends[0].instance and ends[1].instance:
            return "same subnet"
        flags = record["tcp_flags"] or 0
        answered = tuple(record[n] for n in ("interface_id", "dstaddr", "dstport", "srcaddr", "srcport", "protocol"))
        if record["protocol"] in {ICMP, ICMPV6} and self._flags[answered]:
            return None
        if layer.startswith("NACL") and record["protocol"] == TCP and flags & _SYN and flags & _ACK:
            asked = [start for start, _, seen in self._flags[answered] if seen & _SYN and not seen & _ACK]
            is_near = any(record["start"] - self._near <= at <= record["end"] for at in asked)
            return "answer to a SYN" if is_near and not self._lost_near(record) else None
        if cause == "closed" and not flags & _SYN:
            closed = [
                start
                for key in (self._seen(record), answered)
                for start, end, seen in self._flags[key]
                if seen & (_FIN | _RST) and end <= record["start"]
            ]
            if closed:
                return "closed before"
        is_sg = layer.startswith("SG") and record["protocol"] in {TCP, UDP}
        return "purity" if is_sg and not inside and self._proven(record) else None

    def _lost_near(self, record: Any) -> bool:
        first, last = record["start"] - self._near, record["end"] + self._near
        return any(start <= last and end >= first for start, end in self._lost[record["interface_id"]])

    def _proven(self, record: Any) -> bool:
        times = sorted(self._accepted[self._values(record)])
        near = any(s - record["end"] <= self._near and record["start"] - e <= self._near for s, e in times)
        after = bisect_left(times, (record["end"], 0))
        return near or (
            any(0 <= record["start"] - e <= _BRACKET for _, e in times)
            and any(s - record["end"] <= _BRACKET for s, _ in times[after:])
        )
