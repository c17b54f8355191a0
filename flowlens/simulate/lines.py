"""Flow log records as lines of text, in any LogFormat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import floor

import numpy as np

from flowlens import schema
from flowlens.simulate.capture import Counts, FlowKey, Window
from flowlens.simulate.result import Record
from flowlens.simulate.world import TCP, Interface, World

__all__ = ["choose_fields", "interface_type", "records"]

_MISSING = "-"


def choose_fields(fields: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names of the fields to write: from a LogFormat string, a list of names, ``"default"``, or versions 2 to 5."""
    if fields is None:
        return tuple(f.name for f in schema.VPC_FIELDS if f.version <= 5)
    if fields == "default":
        return tuple(f.name for f in schema.DEFAULT_FIELDS)
    names = tuple(re.sub(r"[${}]", "", fields).split() if isinstance(fields, str) else fields)
    known = {f.name for f in schema.VPC_FIELDS}
    unknown = [n for n in names if n not in known]
    if unknown or not names:
        raise ValueError(
            f"Not a field of VPC flow logs: {unknown or fields!r}. flowlens.schema.VPC_FIELDS lists them all"
        )
    return names


def records(
    world: World, windows: Iterator[Window], *, epoch: int, fields: tuple[str, ...], random: np.random.Generator
) -> list[Record]:
    """Write the records of all windows, in the order in which AWS would deliver them."""
    writer = _Writer(world, epoch, fields)
    found: list[tuple[int, int, int, Record]] = []
    for number, window in enumerate(windows):
        # A window in which nothing of the wanted kind happened is written like one in which nothing happened at all.
        captured = (flow for flow in window.flows if world.traffic_type in {"ALL", "ACCEPT" if flow[1] else "REJECT"})
        flows = sorted(captured, key=lambda flow: (flow[2].first, flow[0][:-1], flow[1]))
        if window.skipped:
            kept = random.random(len(flows)) >= window.skipped
            flows = [flow for flow, keep in zip(flows, kept, strict=True) if keep]
            found.append(_ordered(writer.without_data(window, "SKIPDATA"), number, len(found)))
        elif not flows:
            found.append(_ordered(writer.without_data(window, "NODATA"), number, len(found)))
        for key, accepted, counts in flows:
            found.append(_ordered(writer.with_data(key, counts, accepted=accepted), number, len(found)))
    found.sort(key=lambda entry: entry[:3])
    return [entry[3] for entry in found]


def _ordered(record: Record, window: int, position: int) -> tuple[int, int, int, Record]:
    # Five-minute files by the end of the record; within one, interface by interface and window by window.
    return record.end // 300, window, position, record


class _Writer:
    """Fills in the fields of records of one world."""

    def __init__(self, world: World, epoch: int, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._epoch = epoch
        self._services = {h.address: h.aws_service or _MISSING for h in world.hosts}
        version = max((f.version for f in schema.VPC_FIELDS if f.name in fields), default=2)
        subnets = {s.id: s for s in world.subnets}
        self._own = {
            i.id: {
                **dict.fromkeys(fields, _MISSING),
                "version": str(version),
                "account-id": world.account,
                "interface-id": i.id,
                "vpc-id": world.vpc,
                "subnet-id": i.subnet,
                "instance-id": i.instance or _MISSING,
                "region": world.region,
                "az-id": subnets[i.subnet].az_id,
                "interface-type": interface_type(i),
            }
            for i in world.interfaces
        }

    def without_data(self, window: Window, status: str) -> Record:
        """Write a NODATA or SKIPDATA record: the interface, the edges of the window and nothing else."""
        start, end = self._epoch + floor(window.first), self._epoch + floor(window.last)
        values = {**self._own[window.interface], "start": str(start), "end": str(end), "log-status": status}
        return Record(end, " ".join([values[f] for f in self._fields]))

    def with_data(self, key: FlowKey, counts: Counts, *, accepted: bool) -> Record:
        """Write a record of traffic; start and end are the times of its first and last packet."""
        end = self._epoch + floor(counts.last)
        values = {
            **self._own[key.interface],
            "srcaddr": key.srcaddr,
            "dstaddr": key.dstaddr,
            "srcport": str(key.srcport),
            "dstport": str(key.dstport),
            "protocol": str(key.protocol),
            "packets": str(counts.packets),
            "bytes": str(counts.bytes),
            "start": str(self._epoch + floor(counts.first)),
            "end": str(end),
            "action": "ACCEPT" if accepted else "REJECT",
            "log-status": "OK",
            "tcp-flags": str(counts.flags) if key.protocol == TCP else "0",
            "type": "IPv6" if ":" in key.pkt_srcaddr else "IPv4",
            "pkt-srcaddr": key.pkt_srcaddr,
            "pkt-dstaddr": key.pkt_dstaddr,
            "pkt-src-aws-service": self._services.get(key.pkt_srcaddr, _MISSING),
            "pkt-dst-aws-service": self._services.get(key.pkt_dstaddr, _MISSING),
            "flow-direction": "egress" if key.egress else "ingress",
            "traffic-path": _MISSING if key.traffic_path is None else str(key.traffic_path),
        }
        return Record(end, " ".join([values[f] for f in self._fields]))


def interface_type(interface: Interface) -> str:
    """Return the InterfaceType of the EC2 API: HTTP load balancers and databases have an ordinary interface."""
    return {"nat_gateway": "nat_gateway", "endpoint": "vpc_endpoint"}.get(interface.kind, "interface")
