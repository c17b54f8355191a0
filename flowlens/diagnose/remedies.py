"""What would open the way for a refused conversation, and what one would run into after that.

Only for conversations that somebody here wants: what the internet tries unasked is meant to be refused. Each distinct
conversation is walked through the rules once; client ports that the same return rules are about count as one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import EGRESS, Evidence
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import shared_ids
from flowlens.errors import TopologyError
from flowlens.rules import Request, round_trip
from flowlens.service import ICMP, ICMPV6, TCP, UDP
from flowlens.topology import Topology

__all__ = ["Remedy", "remedies", "to_be_opened"]

_ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}
_HAS_PORTS = (TCP, UDP)

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


def to_be_opened(facts: Facts, ruled: np.ndarray, wanted: np.ndarray) -> pd.DataFrame:
    """Return the cases, with whether a way is to be opened (`to_open`), and whether that is one back (`is_reply`)."""
    names, kind = np.unique(ruled, return_inverse=True)
    refuses = np.array([RULINGS[name].verdict in {"SG", "NACL"} for name in names], bool)[kind]
    # A security group refuses no reply of a connection that it tracks: what its rules refused is a request.
    by_acl = np.array([RULINGS[name].verdict == "NACL" for name in names], bool)[kind]
    return facts.cases.assign(
        to_open=wanted & refuses & facts.homes.is_known[facts.of("interface")] & facts.knows_way,
        is_reply=by_acl & ((facts.other_way_passed & ~facts.opens) | facts.answers),
    )


def remedies(cases: pd.DataFrame, order: np.ndarray, evidence: Evidence, topology: Topology) -> list[Remedy | None]:
    """Return for each of the cases what would open its way, None where nothing is to be opened; `order` is of time."""
    found: list[Remedy | None] = [None] * len(cases)
    places = order[cases["to_open"].to_numpy(bool)[order]]
    if not len(places):
        return found
    asked = cases.iloc[places].reset_index(drop=True)
    is_reply = asked["is_reply"].to_numpy()
    client = np.where(is_reply, asked["dst_port"], asked["src_port"])
    service = np.where(is_reply, asked["src_port"], asked["dst_port"])
    edges = np.union1d(_PORT_EDGES, _edges_of_entries(topology))
    # A port that both ends have is opened alone.
    by_itself = (client < 1024) | (client == service)
    alike = np.where(by_itself, client, -1 - np.searchsorted(edges, client, side="right"))
    columns = [asked[name].to_numpy() for name in ("interface", "egress", "src", "dst", "protocol")]
    ids = shared_ids([*columns, is_reply, service, alike])[0]
    _, first, back, count = np.unique(ids, return_index=True, return_inverse=True, return_counts=True)
    walked = [_NOT_WALKED] * len(first)
    # What is refused most often comes first; of equals what was refused earlier, whatever the order of the records.
    for number in np.lexsort((first, -count))[:_MOST_WALKS].tolist():
        place = first[number]
        ports = int(client[place]), int(service[place])
        walked[number] = _walked(asked.iloc[place], ports, evidence, topology)
    for case, place in zip(places.tolist(), back.tolist(), strict=True):
        found[case] = walked[place]
    return found


def _edges_of_entries(topology: Topology) -> np.ndarray:
    """Return the ports from which on the entries of network ACLs may decide otherwise."""
    entries = (entry for acl in topology.network_acls.values() for entry in acl.get("Entries") or ())
    ranges = [entry["PortRange"] for entry in entries if entry.get("PortRange")]
    firsts = [each["From"] for each in ranges if isinstance(each.get("From"), int)]
    behind = [each["To"] + 1 for each in ranges if isinstance(each.get("To"), int)]
    return np.array([*firsts, *behind], np.int64)


def _walked(case: pd.Series, ports: tuple[int, int], evidence: Evidence, topology: Topology) -> Remedy:
    """Walk a conversation through all filters; `ports` are those of client and service."""
    client, service = ports
    src, dst = (str(evidence.addresses[case[name]]) for name in ("src", "dst"))
    protocol, is_reply = int(case["protocol"]), bool(case["is_reply"])
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
    here = topology.interfaces[str(evidence.interfaces[case["interface"]])]
    leaves = bool(case["egress"] == EGRESS)
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
