"""Which rules of security groups allowed which requests: all that match, for any of them would have been enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from flowlens.rules import Header
from flowlens.rules.security_groups import GroupRule
from flowlens.topology import Topology

__all__ = ["Asked", "Credit", "credit", "each_request", "every_rule"]


class Asked(NamedTuple):
    """One row of the table of requests, as the groups at an interface saw it; `place` is its label."""

    place: int
    interface: str
    egress: bool
    header: Header
    is_served: bool


@dataclass(frozen=True, slots=True)
class Credit:
    """What each rule allowed: the labels of those requests, those that it alone allowed, and who allowed the others.

    `doubtful` are the rules that may have allowed some: the topology does not tell whose traffic they are about.
    """

    requests: dict[GroupRule, list[int]]
    alone: dict[GroupRule, list[int]]
    overlaps: dict[GroupRule, set[GroupRule]]
    doubtful: set[GroupRule]


def credit(topology: Topology, requests: pd.DataFrame) -> Credit:
    """Ask the groups at every interface about every accepted request."""
    found = Credit({}, {}, {}, set())
    for asked in each_request(requests[requests["action"] == "ACCEPT"]):
        interface = topology.interfaces.get(asked.interface)
        if interface is None:
            continue
        decision = topology.rules.of_groups(interface, egress=asked.egress, header=asked.header)
        found.doubtful.update(decision.doubtful)
        for rule in decision.rules:
            found.requests.setdefault(rule, []).append(asked.place)
            found.overlaps.setdefault(rule, set()).update(other for other in decision.rules if other != rule)
            if len(decision.rules) == 1:
                found.alone.setdefault(rule, []).append(asked.place)
    return found


def each_request(requests: pd.DataFrame) -> Iterator[Asked]:
    """Yield the rows of the table of requests."""
    names = ("interface_id", "direction", "protocol", "remote", "port", "is_served")
    columns = (requests[name] for name in names)
    for place, interface, direction, protocol, remote, port, served in zip(requests.index, *columns, strict=True):
        header = Header(int(protocol), remote, None if pd.isna(port) else int(port))
        yield Asked(int(place), interface, direction == "egress", header, bool(served))


def every_rule(topology: Topology) -> Iterator[GroupRule]:
    """Yield the rules of all groups of a topology that interfaces carry, group by group."""
    groups = {group for interface in topology.interfaces.values() for group in interface.security_groups}
    for group in sorted(groups):
        for egress in (False, True):
            yield from topology.rules.of_group(group, egress=egress) or ()
