"""Labelled traffic of a small VPC: flow log records with the truth about every conversation.

A `World` is data: subnets, interfaces, security groups, network ACLs and planned traffic. `simulate` plays it packet by
packet through the filters and writes the records that AWS would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd

from flowlens.simulate.actors import conversations
from flowlens.simulate.capture import Capture
from flowlens.simulate.company import company
from flowlens.simulate.describe import describe
from flowlens.simulate.hosts import play
from flowlens.simulate.lines import choose_fields, records
from flowlens.simulate.network import Link, Network
from flowlens.simulate.result import Simulation
from flowlens.simulate.world import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Conversation,
    Host,
    Interface,
    NetworkAcl,
    Repeat,
    Rule,
    SecurityGroup,
    SkippedWindow,
    Step,
    Subnet,
    Visits,
    World,
)

__all__ = [
    "ALL",
    "ICMP",
    "ICMPV6",
    "TCP",
    "UDP",
    "AclEntry",
    "Conversation",
    "Host",
    "Interface",
    "NetworkAcl",
    "Repeat",
    "Rule",
    "SecurityGroup",
    "Simulation",
    "SkippedWindow",
    "Step",
    "Subnet",
    "Visits",
    "World",
    "company",
    "simulate",
]


def simulate(
    world: World | None = None,
    *,
    seed: int = 0,
    start: str = "2026-03-10",
    hours: float = 1.0,
    interval: int = 60,
    fields: str | Sequence[str] | None = None,
) -> Simulation:
    """Play the traffic of a VPC and return the flow log records together with the truth.

    Parameters
    ----------
    world : World, optional
        The network, its filters and its traffic. By default `company()`, the small company's VPC of the shipped
        sample, whose story takes 24 hours from midnight.
    seed : int
        Two runs with the same arguments give the same records.
    start : str
        When the simulation begins, UTC.
    hours : float
        How long it lasts. Traffic planned for later is not played.
    interval : {60, 600}
        Length of a capture window in seconds. Nitro instances always have 60.
    fields : str or list of str, optional
        What a record holds: a LogFormat (``"${version} ${account-id} ..."``), a list of AWS field names or
        ``"default"``. By default the 29 fields of versions 2 to 5.

    Returns
    -------
    Simulation
        ``records``, the frame that `fl.read` gives; ``truth``, one row per conversation: ``conversation, initiator,
        responder, initiator_port, responder_port, protocol, start, blocked_by, blocked_at, interface_id, rule_number,
        cause, label, note``; ``topology``, the describe-* documents; and ``write(folder)``.

    See Also
    --------
    World : what can be simulated.

    Notes
    -----
    Filters follow https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html, records follow
    https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html. Traffic that AWS does not log (the VPC
    resolver, instance metadata, DHCP, time sync) is not played.

    Examples
    --------
    >>> from flowlens.simulate import simulate
    >>> sim = simulate(hours=0.25)
    >>> sim.truth["label"].dropna().unique().tolist()
    ['background_scan']
    """
    if interval not in {60, 600}:
        raise ValueError(f"interval is 60 or 600 seconds, as AWS offers them, not {interval!r}")
    if not hours > 0:
        raise ValueError(f"hours is how long the simulation lasts and must be above 0, not {hours!r}")
    world = company() if world is None else world
    names = choose_fields(fields)
    began = pd.Timestamp(start)
    began = began.tz_localize("UTC") if began.tzinfo is None else began.tz_convert("UTC")
    epoch = int(began.timestamp())
    phases = {i.id: int(_stream(seed, i.id).integers(interval)) for i in world.interfaces}
    capture = Capture(world.interfaces, phases=phases, interval=interval, seconds=hours * 3_600)
    network = Network(world, capture)
    played: list[tuple[Conversation, Link]] = []
    for number, conversation in enumerate(conversations(world.traffic, seed=seed, seconds=hours * 3_600)):
        link = network.link(conversation, number)
        play(conversation, link)
        played.append((conversation, link))
    written = records(
        world, capture.windows(world.skipped), epoch=epoch, fields=names, random=_stream(seed, "skipped windows")
    )
    return Simulation(
        world=world,
        fields=names,
        lines=tuple(written),
        truth=_truth(played, epoch),
        topology=describe(world, fields=names, interval=interval, began=began),
    )


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def _truth(played: list[tuple[Conversation, Link]], epoch: int) -> pd.DataFrame:
    rows = [
        (
            number,
            *link.route.request[:2],
            *link.route.request[2:],
            conversation.protocol,
            epoch + int(conversation.start),
            *(link.refusal or (None,) * 5),
            conversation.label,
            conversation.note or None,
        )
        for number, (conversation, link) in enumerate(played)
    ]
    columns = {
        "conversation": "int64",
        "initiator": "str",
        "responder": "str",
        "initiator_port": "UInt16",
        "responder_port": "UInt16",
        "protocol": "UInt8",
        "start": "int64",
        "blocked_by": "str",
        "blocked_at": "str",
        "interface_id": "str",
        "cause": "str",
        "rule_number": "Int64",
        "label": "str",
        "note": "str",
    }
    truth = pd.DataFrame(rows, columns=list(columns))
    text = {name: "category" if kind == "str" else kind for name, kind in columns.items()}
    truth = truth.astype(text)
    truth["start"] = pd.to_datetime(truth["start"], unit="s", utc=True).astype("datetime64[s, UTC]")
    return truth
