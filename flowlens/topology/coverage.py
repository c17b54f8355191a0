"""Which flow logs cover the interfaces that traffic passes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flowlens.topology.kinds import resource
from flowlens.topology.parts import FlowLog, Interface
from flowlens.topology.traffic import Traffic

if TYPE_CHECKING:
    from flowlens.topology.network import Topology

__all__ = ["coverage", "elsewhere", "joined", "labels", "uncovered"]

_PART = {
    "ACCEPT": ", but records accepted traffic only: what is refused leaves no record",
    "REJECT": ", but records refused traffic only: what is accepted leaves no record",
}


def elsewhere(traffic: Traffic, topology: Topology) -> str | None:
    """Say that no interface of the topology can see the traffic, or return None."""
    if not _is_elsewhere(traffic, topology) or _perhaps_seen(traffic, topology):
        return None
    return f"{_neither(traffic)}, and nothing in it forwards for others"


def uncovered(traffic: Traffic, topology: Topology) -> str | None:
    """Say that there are flow logs but none that can see the traffic, or return None."""
    interfaces = [each for end in traffic.ends for each in topology.at(str(end))]
    watched = any(_logs_of(each, topology) for each in interfaces) or _passing(interfaces, topology)
    if not topology.flow_logs or not interfaces or watched:
        return None
    return f"No active flow log of the topology covers {joined(labels(interfaces))}"


def _is_elsewhere(traffic: Traffic, topology: Topology) -> bool:
    return bool(topology.interfaces) and not any(topology.at(str(end)) for end in traffic.ends)


def _neither(traffic: Traffic) -> str:
    return f"Neither {traffic.src} nor {traffic.dst} is an address of an interface in the topology"


def _perhaps_seen(traffic: Traffic, topology: Topology) -> list[str]:
    """Say who may have seen traffic of which neither end is known."""
    doubts = []
    subnet = next((subnet for end in traffic.ends for subnet in topology.subnets_at(str(end))), None)
    if subnet is not None:
        doubts.append(f"one would be in {subnet.id}, so the interface may be gone, or newer than the topology")
    if _forwarding(topology):
        doubts.append(f"what forwards for others could have seen it: {_named(_forwarding(topology))}")
    return doubts


def _forwarding(topology: Topology) -> list[Interface]:
    """Return the interfaces that pass on what is not for themselves: NAT gateways, firewalls, routers."""
    return [each for each in topology.interfaces.values() if not each.source_dest_check]


def _passing(interfaces: Sequence[Interface], topology: Topology) -> list[Interface]:
    """Return what forwards for others in the VPCs of some interfaces and has a flow log."""
    vpcs = {each.vpc for each in interfaces}
    return [each for each in _forwarding(topology) if each.vpc in vpcs and _logs_of(each, topology)]


def _named(interfaces: Sequence[Interface]) -> str:
    return joined(labels(interfaces[:3]) + (["others"] if len(interfaces) > 3 else []))


def coverage(traffic: Traffic, topology: Topology) -> list[str]:
    """Say which flow logs see the traffic, where, and what they leave out."""
    if not topology.interfaces:
        return ["There is no interface in the topology to tell whose traffic it is."]
    if _is_elsewhere(traffic, topology):
        return [f"{_neither(traffic)}; {'; '.join(_perhaps_seen(traffic, topology))}."]
    interfaces = list(dict.fromkeys(each for end in traffic.ends for each in topology.at(str(end))))
    sentences = [
        f"{end} is on {joined(labels(topology.at(str(end))))}: which of them is meant is not known."
        for end in traffic.ends
        if len(topology.at(str(end))) > 1
    ]
    if not topology.flow_logs:
        where = joined(labels(interfaces))
        return [
            *sentences,
            f"Nothing speaks against it at {where}, but the topology holds no flow logs to tell whether one is there.",
        ]
    seen: dict[FlowLog, list[Interface]] = {}
    for each in interfaces:
        for log in _logs_of(each, topology):
            seen.setdefault(log, []).append(each)
    sentences += [
        f"{log.id} covers {joined(labels(covered))}{_PART.get(log.traffic_type, '')}." for log, covered in seen.items()
    ]
    blind = [each for each in interfaces if not _logs_of(each, topology)]
    if blind:
        sentences.append(f"No active flow log covers {joined(labels(blind))}.")
    if not seen:
        sentences.append(f"It is recorded where it passes {_named(_passing(interfaces, topology))}, if it does.")
    return sentences


def _logs_of(interface: Interface, topology: Topology) -> list[FlowLog]:
    places = {interface.id, interface.subnet, interface.vpc}
    return [log for log in topology.flow_logs.values() if log.active and log.resource in places]


def labels(interfaces: Iterable[Interface]) -> list[str]:
    """Name interfaces for a sentence: what they belong to, and their ids."""
    names = ((resource(each), each.id) for each in interfaces)
    return [f"{label} ({id_})" if label else id_ for label, id_ in names]


def joined(words: Sequence[str]) -> str:
    """Write a list as English does: a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
