"""What would open the way for a refused conversation, and what one would run into after that.

Only for conversations that somebody here wants: what the internet tries unasked is meant to be refused. Each distinct
conversation is walked through the rules once; client ports that the same return rules are about count as one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from flowlens.diagnose.evidence import UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import shared_ids
from flowlens.errors import TopologyError
from flowlens.rules import Request, round_trip
from flowlens.topology import Topology

__all__ = ["Remedy", "remedies"]

_ECHO_REQUEST = {1: 8, 58: 128}
_HAS_PORTS = (6, 17)

#: Where the ranges of client ports begin and end that return rules are written for: services, other clients, Linux,
#: Windows. https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports
_PORT_EDGES = np.array([1024, 32_768, 49_152, 61_000])

_BETWEEN = (
    "NAT gateway {} passes it on, and the network ACL of its subnet is asked on either side and both ways: that all of "
    "the way would be open cannot be proved, so that no fix is proposed."
)


class Remedy(NamedTuple):
    """What follows from the walk of a conversation through all filters."""

    surfaces: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    why: str


#: A walk with its fix takes some milliseconds, and more different ones nobody reads.
_MOST_WALKS = 500

_NOT_WALKED = Remedy(
    [],
    [],
    f"A fix was worked out for the {_MOST_WALKS} conversations that are refused most often only: "
    "topology.evaluate(...).fix() works out this one.",
)


def remedies(facts: Facts, ruled: np.ndarray, wanted: np.ndarray, topology: Topology) -> list[Remedy | None]:
    """Return for each case what would open its way; None where nothing is to be opened."""
    names, kind = np.unique(ruled, return_inverse=True)
    refuses = np.array([RULINGS[name].verdict in {"SG", "NACL"} for name in names], bool)[kind]
    cases = np.flatnonzero(
        wanted & refuses & facts.homes.is_known[facts.of("interface")] & (facts.of("egress") != UNKNOWN)
    )
    found: list[Remedy | None] = [None] * len(ruled)
    if not len(cases):
        return found
    # A security group refuses no reply of a connection that it tracks: what its rules refused is a request.
    by_acl = np.array([RULINGS[name].verdict == "NACL" for name in names], bool)[kind]
    is_reply = (by_acl & ((facts.other_way_passed & ~facts.opens) | facts.answers))[cases]
    client = np.where(is_reply, facts.of("dst_port")[cases], facts.of("src_port")[cases])
    service = np.where(is_reply, facts.of("src_port")[cases], facts.of("dst_port")[cases])
    edges = np.union1d(_PORT_EDGES, _edges_of_entries(topology))
    # A port that both ends have is opened alone.
    by_itself = (client < 1024) | (client == service)
    alike = np.where(by_itself, client, -1 - np.searchsorted(edges, client, side="right"))
    columns = [facts.of(name)[cases] for name in ("interface", "egress", "src", "dst", "protocol")]
    ids = shared_ids([*columns, is_reply, service, alike])[0]
    _, first, back, count = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)
    walked = [_NOT_WALKED] * len(first)
    # What is refused most often comes first; of equals what was refused earlier, whatever the order of the records.
    for number in np.lexsort((first, -count))[:_MOST_WALKS].tolist():
        place = first[number]
        ports = int(client[place]), int(service[place])
        walked[number] = _walked(facts, int(cases[place]), ports, topology, is_reply=bool(is_reply[place]))
    for case, place in zip(cases.tolist(), back.tolist(), strict=True):
        found[case] = walked[place]
    return found


def _edges_of_entries(topology: Topology) -> np.ndarray:
    """Return the ports from which on the entries of network ACLs may decide otherwise."""
    entries = (entry for acl in topology.network_acls.values() for entry in acl.get("Entries") or ())
    ranges = [entry["PortRange"] for entry in entries if entry.get("PortRange")]
    firsts = [each["From"] for each in ranges if isinstance(each.get("From"), int)]
    behind = [each["To"] + 1 for each in ranges if isinstance(each.get("To"), int)]
    return np.array([*firsts, *behind], np.int64)


def _walked(facts: Facts, case: int, ports: tuple[int, int], topology: Topology, *, is_reply: bool) -> Remedy:
    """Walk a conversation through all filters; `ports` are those of client and service."""
    client, service = ports
    words = facts.evidence.addresses
    src, dst = (str(words[facts.of(name)[case]]) for name in ("src", "dst"))
    protocol = int(facts.of("protocol")[case])
    has_ports = protocol in _HAS_PORTS
    ping = _ECHO_REQUEST.get(protocol)
    request = Request(
        src=dst if is_reply else src,
        dst=src if is_reply else dst,
        protocol=protocol,
        dst_port=service if has_ports else None,
        src_port=client if has_ports else None,
        icmp_type=ping,
        icmp_code=None if ping is None else 0,
    )
    here = topology.interfaces[str(facts.evidence.interfaces[facts.of("interface")[case]])]
    leaves = bool(facts.is_egress[case])
    is_source = leaves != is_reply
    if here.kind == "NAT gateway":
        # Neither end of the way: the network ACL here is asked four times, of which this is one.
        return Remedy([], [], _BETWEEN.format(here.id))
    try:
        trip = round_trip(topology, request, source=here if is_source else None, target=None if is_source else here)
    except (TopologyError, ValueError) as error:
        return Remedy([], [], f"The way through the other filters cannot be told: {error}")
    stop = ("reply" if is_reply else "request", "egress" if leaves else "ingress")
    surfaces = [hop.as_blocker() for hop in trip.denials if hop.stop != stop]
    fix = trip.fix()
    return Remedy(surfaces, fix.calls, "" if fix.calls else fix.why)
