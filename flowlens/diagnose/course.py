"""The course of a conversation: all that was logged of it, at every interface, on the way there and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import EGRESS, INGRESS, UNKNOWN
from flowlens.diagnose.explain import ends, row_of_diagnosis, said
from flowlens.enrich.services import flag_words
from flowlens.reduce.rejects import LAG, RETRANSMISSION
from flowlens.service import ACK, SYN

__all__ = ["Asked", "Course"]

_WITH_PORTS = (6, 17)
#: Ports that clients take; the end at the other port offers the service.
_EPHEMERAL = 32768

_RECORDS = ["lane", "start", "end", "packets", "refused", "note"]


@dataclass(frozen=True, slots=True)
class Course:
    """All records of a conversation.

    Attributes
    ----------
    title
        Who asked whom, and the verdict with its certainty.
    lanes
        What is to be said of each place and direction: requests first.
    records
        One row a record: `lane`, `start`, `end`, `packets`, `refused` and what to note beside it, by time.
    first, last
        The time that the diagnosis is about; NaT where nothing was logged.
    """

    title: str
    lanes: tuple[str, ...]
    records: pd.DataFrame
    first: pd.Timestamp
    last: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Asked:
    """The conversation that a row of `diagnose` or `diagnose_conversation` is about."""

    row: Mapping[str, Any] | pd.Series
    hosts: tuple[str, str]
    ports: tuple[int | None, int | None]
    protocol: int

    @classmethod
    def by(cls, row: Mapping[str, Any] | pd.Series) -> Asked:
        """Read a row.

        Raises
        ------
        ValueError
            If it is no such row, or one that stands for conversations of several hosts or ports.
        """
        row_of_diagnosis(row, "plot.conversation")
        missing = [name for name in ("srcaddr", "dstaddr", "protocol") if pd.isna(row[name])]
        ports = [None if pd.isna(row[name]) else int(row[name]) for name in ("srcport", "dstport")]
        has_ports = not missing and int(row["protocol"]) in _WITH_PORTS
        if has_ports and ports == [None, None] and int(row["attempts"]) > 1:
            missing = ["srcport", "dstport"]
        if missing:
            raise ValueError(
                f"this row stands for many conversations ({row['attempts']:,} attempts, several values of "
                f'{", ".join(missing)}) and cannot be drawn; df.flow.diagnose(scope="all") has a row for each of them'
            )
        if not has_ports:
            ports = [None, None]
        return cls(row, (str(row["srcaddr"]), str(row["dstaddr"])), (ports[0], ports[1]), int(row["protocol"]))

    @property
    def was_logged(self) -> bool:
        """Whether the row is about records."""
        return not pd.isna(self.row["first"])

    def without_records(self) -> Course:
        """Return the course of what was not logged."""
        records = pd.DataFrame(columns=_RECORDS)
        return Course(self._title(turned=False), (), records, pd.NaT, pd.NaT)  # type: ignore[arg-type]

    def course(self, both: pd.DataFrame, interval: int) -> Course:
        """Find the conversation among the records of `reduce.rejects.course`.

        Raises
        ------
        ValueError
            If it is not among them.
        """
        t = self._around(self._between(both), interval)
        turned = self._is_reply(t)
        t = t.assign(reply=t["there"] == turned, way=self._ways(t))
        t = t.assign(lane=_lanes(t))
        t = t.sort_values(["start", "end", "lane", "packets"], kind="stable", ignore_index=True)
        order = {INGRESS: 1, EGRESS: 0, UNKNOWN: 2}
        ranks = t.assign(rank=t["way"].map(order)).sort_values(["reply", "rank", "start", "lane"], kind="stable")
        lanes = tuple(dict.fromkeys(ranks["lane"]))
        records = pd.DataFrame(
            {
                "lane": t["lane"].map({lane: number for number, lane in enumerate(lanes)}),
                "start": t["start"],
                "end": t["end"],
                "packets": t["packets"].astype("Int64"),
                "refused": t["rejected"].astype(bool),
                "note": _notes(t),
            }
        )
        return Course(self._title(turned=turned), lanes, records, self.row["first"], self.row["last"])

    def _title(self, *, turned: bool) -> str:
        return f"{ends(self.row, turned=turned)}\n{said(self.row)}"

    def _between(self, both: pd.DataFrame) -> pd.DataFrame:
        """Return the records between the two hosts, and whether each goes the way of the row, as `there`."""
        forward = both["forward"].to_numpy(bool)
        a, b = (both[name].astype(object).to_numpy() for name in ("a", "b"))
        src, dst = np.where(forward, a, b), np.where(forward, b, a)
        a_port, b_port = (both[name].to_numpy(np.int64) for name in ("a_port", "b_port"))
        src_port, dst_port = np.where(forward, a_port, b_port), np.where(forward, b_port, a_port)
        t = both.assign(src=src, dst=dst, src_port=src_port, dst_port=dst_port)
        there, back = (
            (src == asked[0]) & (dst == asked[1]) & _is(src_port, ports[0]) & _is(dst_port, ports[1])
            for asked, ports in ((self.hosts, self.ports), (self.hosts[::-1], self.ports[::-1]))
        )
        between: pd.DataFrame = t.assign(there=there)[there | back]
        return between

    def _around(self, t: pd.DataFrame, interval: int) -> pd.DataFrame:
        """Leave the conversation that the row is about, of those on the same ports, and what other interfaces saw."""
        first, last = self.row["first"], self.row["last"]
        here = (t["interface_id"].astype(object) == self.row["interface_id"]).to_numpy(bool)
        meant = here & (t["start"] <= last).to_numpy(bool) & (t["end"] >= first).to_numpy(bool)
        number = pd.MultiIndex.from_frame(t[["a_port", "b_port", "number"]])
        whole = here & number.isin(number[meant])
        if not whole.any():
            raise ValueError(
                f"these records have nothing of {ends(self.row)} at {self.row['interface_id']} between "
                f"{self.row['first']:%Y-%m-%d %H:%M:%S} and {self.row['last']:%Y-%m-%d %H:%M:%S} UTC: draw the row "
                "with the log that it was diagnosed from"
            )
        reach = pd.Timedelta(interval + LAG + RETRANSMISSION, unit="s")
        begin, end = t.loc[whole, "start"].min() - reach, t.loc[whole, "end"].max() + reach
        elsewhere = ~here & (t["start"] <= end).to_numpy(bool) & (t["end"] >= begin).to_numpy(bool)
        around: pd.DataFrame = t[whole | elsewhere]
        return around

    def _is_reply(self, t: pd.DataFrame) -> bool:
        """Tell whether what the row is about answers a request, as far as that can be seen."""
        if not self.row["packets"]:
            return False  # a row of `diagnose_conversation` where nothing was refused is about who asked
        if "tcp_flags" in t.columns and self.protocol == _WITH_PORTS[0]:
            flags = t["tcp_flags"].fillna(0).to_numpy(np.int64)
            opens, answers = (flags & (SYN | ACK)) == SYN, (flags & (SYN | ACK)) == (SYN | ACK)
            for told, turned in ((opens, False), (answers, True)):
                ways = t.loc[told, "there"].unique()
                if len(ways) == 1:
                    return bool(ways[0]) == turned
        source, target = self.ports
        if source is not None and target is not None and (source < _EPHEMERAL) != (target < _EPHEMERAL):
            return source < target
        other = t[~t["there"]]
        if other.empty:
            return False
        # What is answered was accepted; of two that were, the one that came first.
        own = t[t["there"]]
        if own["rejected"].all() and not other["rejected"].any():
            return True
        return bool(other["start"].min() < own["start"].min())

    def _ways(self, t: pd.DataFrame) -> np.ndarray:
        """Return which way each record went; where it cannot be told from the log, as the row says."""
        way = t["egress"].to_numpy(np.int64)
        told = {"egress": EGRESS, "ingress": INGRESS}.get(str(self.row["direction"]), UNKNOWN)
        if told == UNKNOWN or not self.row["packets"]:
            return way
        here = (t["interface_id"].astype(object) == self.row["interface_id"]).to_numpy(bool)
        return np.where((way == UNKNOWN) & here, np.where(t["there"], told, 1 - told), way)


def _is(ports: np.ndarray, asked: int | None) -> np.ndarray:
    return np.ones(len(ports), bool) if asked is None else ports == asked


def _lanes(t: pd.DataFrame) -> list[str]:
    """Say of each record where it was, which way it went, and whether it asks or answers."""
    columns = ("reply", "way", "interface_id", "src", "dst", "srcaddr", "dstaddr")
    lanes = []
    for reply, way, interface, src, dst, own_src, own_dst in zip(*(t[name] for name in columns), strict=True):
        word = "reply" if reply else "request"
        if way == EGRESS:
            text = f"{word} leaves {own_src}" + (f", sent by {src}" if own_src != src else "")
        elif way == INGRESS:
            text = f"{word} arrives at {own_dst}" + (f", meant for {dst}" if own_dst != dst else "")
        else:
            text = f"{word} from {src} to {dst}"
        lanes.append(f"{text}\nat {'an interface that is not logged' if pd.isna(interface) else interface}")
    return lanes


def _notes(t: pd.DataFrame) -> list[str]:
    packets = t["packets"].astype("Int64")
    texts = ["" if pd.isna(count) else f"{count:,} packet{'' if count == 1 else 's'}" for count in packets]
    if "tcp_flags" not in t.columns:
        return texts
    flags = ["" if pd.isna(value) or not value else flag_words(int(value)) for value in t["tcp_flags"]]
    return [", ".join(filter(None, pair)) for pair in zip(texts, flags, strict=True)]
