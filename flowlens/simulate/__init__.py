"""Labelled traffic of a small VPC: flow log records with the truth about every conversation.

A `World` is data: subnets, interfaces, security groups, network ACLs and planned traffic. `simulate` plays it packet by
packet through the filters and writes the records that AWS would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        RuleChange,
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
    "RuleChange",
    "SecurityGroup",
    "Simulation",
    "SkippedWindow",
    "Step",
    "Subnet",
    "Visits",
    "World",
    "simulate",
]


def __getattr__(name: str) -> object:
    """Load what a world is made of when it is asked for: ``import flowlens`` should not wait for it."""
    if name == "Simulation":
        return import_module("flowlens.simulate.result").Simulation
    if name in __all__:
        return getattr(import_module("flowlens.simulate.world"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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
        The network, its filters and its traffic. By default `company.company()`, the small company's VPC of the shipped
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
        cause, label, note``; ``refusals``, every refusal in turn; ``topology``, the describe-* documents; and
        ``write(folder)``.

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
    # The machinery stays out of ``import flowlens``.
    from flowlens.simulate.company import company
    from flowlens.simulate.playing import play_world

    world = company() if world is None else world
    return play_world(world, seed=seed, start=start, hours=hours, interval=interval, fields=fields)
