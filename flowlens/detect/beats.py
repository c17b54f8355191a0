"""When the source of a beacon was active, for the picture of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from flowlens.detect.places import places
from flowlens.detect.rows import text_of_port
from flowlens.engine import Ground, ReductionOfGround
from flowlens.reduce.contacts import ENDS, FACTS, contacts, events, located
from flowlens.reduce.records import are_codes

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Beat", "Caller"]


@dataclass(frozen=True)
class Beat:
    """The events of a beacon.

    Attributes
    ----------
    title
        Who calls whom.
    times
        When its source became active, in order.
    evidence
        What the finding says of it: `class, period, minimum_period, gap_mad`; of RITA's `median` and `mad`.
    """

    title: str
    times: pd.Series
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """The two hosts that a row of `beacons` is about."""

    src: str
    dst: str
    port: int | None
    protocol: int | None
    score: float
    evidence: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any] | pd.Series) -> Caller:
        """Read a row.

        Raises
        ------
        ValueError
            If it is no row of `beacons`, or of `findings` with that kind.
        """
        kind = row.get("kind") if isinstance(row, pd.Series | Mapping) else None
        if kind != "beacon":
            raise ValueError(
                "plot.beacon draws a row of df.flow.beacons(), like beacons.loc[0]"
                + (f"; this one is a {kind}" if kind is not None else "")
            )
        missing = [
            name for name in ("srcaddr", "dstaddr", "dstport", "protocol", "score", "evidence") if name not in row
        ]
        if missing:
            raise ValueError(f"plot.beacon draws a whole row of df.flow.beacons(); this one lacks {', '.join(missing)}")
        port, protocol = (None if pd.isna(row[name]) else int(row[name]) for name in ("dstport", "protocol"))
        return cls(str(row["srcaddr"]), str(row["dstaddr"]), port, protocol, float(row["score"]), row["evidence"])

    def beat(self, on_ground: Callable[[Ground, Mapping[str, ReductionOfGround]], dict[str, pd.DataFrame]]) -> Beat:
        """Find the events in the records, which may hold those of other hosts.

        Raises
        ------
        ValueError
            If the records have nothing of it.
        """
        ground = Ground(
            made=partial(contacts, verb="plot.beacon"),
            located=located,
            ends=ENDS,
            facts=FACTS,
            # So a contact that nobody knows the beginning of is taken for one of the source.
            places=partial(places, internal=(), own=(self.src,), topology=None, indicators=None),
        )
        found = on_ground(ground, {"beat": self._events})["beat"]
        calls = (found["src"].astype(object) == self.src) & (found["dst"].astype(object) == self.dst)
        seconds = found.loc[calls, "time"]
        if seconds.empty:
            raise ValueError(
                f"these records have nothing of {self.src} and {self.dst}; draw it of those it was found in"
            )
        at = "" if self.protocol is None else f" at {text_of_port(self.port, self.protocol)}"
        times = pd.to_datetime(seconds.drop_duplicates().sort_values(ignore_index=True), unit="s", utc=True)
        return Beat(f"{self.src} to {self.dst}{at}, score {self.score:.2f}", times, self.evidence)

    def _events(self, flows: ir.Table, ground: ir.Table) -> ir.Table:
        # RITA's unit has neither port nor protocol, and one event a connection.
        if self.protocol is None:
            t = ground.mutate(time=ground["first"])
        else:
            t = events(flows, ground, "plot.beacon")
            t = t.filter(
                (t.dport.isnull() if self.port is None else t.dport == self.port) & (t.protocol == self.protocol)
            )
        if not are_codes(flows):
            t = t.filter((t.src == self.src) & (t.dst == self.dst))
        return t.select("src", "dst", "time")
