"""What an interface sees, counted per capture window as AWS counts it.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html: a record holds one direction of one 5-tuple at
one interface in one capture window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil, floor
from typing import NamedTuple

from flowlens.simulate.world import Interface, SkippedWindow

__all__ = ["FIN", "RST", "SYN", "SYN_ACK", "Burst", "Capture", "Counts", "FlowKey", "Window"]

# The only TCP flags that records show, https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
FIN, SYN, RST, SYN_ACK = 1, 2, 4, 18


class Burst(NamedTuple):
    """Packets of one conversation and direction, spread evenly from second ``at`` over ``span`` seconds."""

    at: float
    span: float
    packets: int
    bytes: int
    flags: int = 0

    def cut(self, counts: Iterable[int]) -> Iterator[Burst]:
        """Yield the burst in pieces of so many packets, which it has in all."""
        step, sent = self.span / max(self.packets - 1, 1), 0
        for count in counts:
            if count == self.packets:
                yield self
                return
            upto = sent + count
            octets = self.bytes * upto // self.packets - self.bytes * sent // self.packets
            yield Burst(self.at + sent * step, (count - 1) * step, count, octets, self.flags)
            sent = upto

    def counts_between(self, edges: Iterable[float]) -> tuple[int, ...]:
        """How many packets there are up to each edge in time that lies among them, and behind the last."""
        step = self.span / max(self.packets - 1, 1)
        inside = (edge for edge in edges if self.at < edge <= self.at + self.span)
        ends = sorted({*(ceil((edge - self.at) / step) for edge in inside), self.packets})
        return tuple(end - begin for begin, end in zip((0, *ends), ends, strict=False))


class FlowKey(NamedTuple):
    """What tells one flow at one interface from another, and the two facts that follow from it."""

    interface: str
    egress: bool
    srcaddr: str
    dstaddr: str
    srcport: int
    dstport: int
    protocol: int
    pkt_srcaddr: str
    pkt_dstaddr: str
    traffic_path: int | None


class Counts:
    """One record in the making. Times are seconds after the start of the simulation."""

    __slots__ = ("bytes", "first", "flags", "last", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0
        self.flags = 0
        self.first = float("inf")
        self.last = 0.0


class Window(NamedTuple):
    """A capture window of one interface and the records in it: key, accepted, counts."""

    interface: str
    first: float
    last: float
    flows: tuple[tuple[FlowKey, bool, Counts], ...]
    skipped: float


class Capture:
    """Counts packets per interface and capture window.

    The windows of an interface follow each other without a gap, ``interval`` seconds long, and begin at a second of the
    interface's own: those of two interfaces are not aligned, and none with the minute. The first and the last are cut
    at the edges of the simulation.
    """

    def __init__(
        self,
        interfaces: tuple[Interface, ...],
        *,
        phases: Mapping[str, int],
        interval: int,
        seconds: float,
    ) -> None:
        self._interfaces = interfaces
        # A phase of 7 s means edges at -53, 7, 67, ... so that window 0 holds second 0.
        self._origin = {i.id: (phases[i.id] - interval) if phases[i.id] else 0 for i in interfaces}
        self._interval = interval
        self._seconds = seconds
        self._windows: dict[tuple[str, int], dict[tuple[FlowKey, bool], Counts]] = {}

    def add(self, key: FlowKey, burst: Burst, *, accepted: bool) -> None:
        """Count a burst; packets after the end of the simulation are not captured."""
        if burst.at >= self._seconds:
            return
        origin, last = self._origin[key.interface], burst.at + burst.span
        window = floor((burst.at - origin) / self._interval)
        if last < self._seconds and last < origin + (window + 1) * self._interval:
            self._count(window, key, accepted, burst)
            return
        step = burst.span / max(burst.packets - 1, 1)
        sent = 0
        while sent < burst.packets and burst.at + sent * step < self._seconds:
            window = floor((burst.at + sent * step - origin) / self._interval)
            edge = min(origin + (window + 1) * self._interval, self._seconds)
            upto = burst.packets if step == 0 else min(burst.packets, max(sent + 1, ceil((edge - burst.at) / step)))
            octets = burst.bytes * upto // burst.packets - burst.bytes * sent // burst.packets
            part = Burst(burst.at + sent * step, (upto - 1 - sent) * step, upto - sent, octets, burst.flags)
            self._count(window, key, accepted, part)
            sent = upto

    def _count(self, window: int, key: FlowKey, accepted: bool, burst: Burst) -> None:
        flows = self._windows.setdefault((key.interface, window), {})
        counts = flows.get((key, accepted))
        if counts is None:
            counts = flows[key, accepted] = Counts()
        counts.packets += burst.packets
        counts.bytes += burst.bytes
        counts.flags |= burst.flags
        counts.first = min(counts.first, burst.at)
        counts.last = max(counts.last, burst.at + burst.span)

    def windows(self, skipped: tuple[SkippedWindow, ...]) -> Iterator[Window]:
        """Every window of every interface, the ones without traffic too, by interface and time."""
        lost = {(s.interface, floor((s.at - self._origin[s.interface]) / self._interval)): s.share for s in skipped}
        for interface in self._interfaces:
            origin = self._origin[interface.id]
            for window in range(ceil((self._seconds - origin) / self._interval)):
                flows = self._windows.get((interface.id, window), {})
                first = origin + window * self._interval
                yield Window(
                    interface.id,
                    max(first, 0),
                    min(first + self._interval, self._seconds),
                    tuple((key, accepted, counts) for (key, accepted), counts in flows.items()),
                    lost.get((interface.id, window), 0.0),
                )
