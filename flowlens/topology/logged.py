"""is_logged: traffic that flow logs never capture.

The list is that of AWS, https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html, and what follows
from where records are made: at network interfaces, by flow logs that somebody has created.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowlens.topology.network import Topology

__all__ = ["Logged", "is_logged"]


@dataclass(frozen=True, slots=True)
class Logged:
    """Whether flow logs capture some traffic; true where they do, or may.

    Attributes
    ----------
    logged
        False where no record of it can exist.
    reason
        Why, and what remains unknown.
    certain
        Whether AWS says so, or the flow logs there are; otherwise it is concluded from what the topology holds.
    """

    logged: bool
    reason: str
    certain: bool = True

    def __bool__(self) -> bool:
        return self.logged

    def __repr__(self) -> str:
        return f"{'logged' if self.logged else 'not logged'}: {self.reason}"


def is_logged(
    src: str,
    dst: str,
    *,
    dst_port: int | str | None = None,
    protocol: int | str | None = None,
    topology: Topology | None = None,
) -> Logged:
    """Tell whether flow logs capture some traffic, and if not, why not.

    Both directions count: a reply of the VPC resolver is as little captured as a query.

    Parameters
    ----------
    src, dst : str
        Addresses.
    dst_port : int or str, optional
        Destination port, a number or the name of a service. Without it that which is usual there is meant: that of DNS
        at a resolver.
    protocol : int or str, optional
        IANA number or name, or ``"arp"``. Without it that which is usual at the port is meant: UDP at those of DHCP.
    topology : Topology, optional
        Tells the VPC resolver, the reserved addresses of subnets, what interfaces there are, and which of them flow
        logs cover.

    Returns
    -------
    Logged
        True or false in a condition, with the `reason` as a sentence. False where no record can exist; true where one
        can, also where nothing is known against it; the reason says what speaks against it then.

    Raises
    ------
    ValueError
        If an argument is no address, port or protocol.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.is_logged("10.20.10.31", "169.254.169.254")
    not logged: 169.254.169.254 is the instance metadata service, which is never captured.
    >>> topology = fl.sample_topology()
    >>> bool(fl.is_logged("10.20.10.31", "10.20.0.2", dst_port=53, topology=topology))
    False
    >>> fl.is_logged("10.20.10.31", "10.20.20.10", dst_port=5432, protocol="tcp", topology=topology)
    logged: fl-0c0ffee0123456789 covers EC2 web-1 (eni-0efe5de6ec41600c7) and RDS orders-db (eni-0d68be0bfd9137557).
    """
    # Imported here so that `import flowlens` stays light.
    from flowlens.topology.coverage import coverage, elsewhere, uncovered
    from flowlens.topology.given import need_topology
    from flowlens.topology.never import IN_TOPOLOGY, WHEREVER, doubts, doubts_without_topology, reserved
    from flowlens.topology.traffic import traffic_between

    is_arp = isinstance(protocol, str) and protocol.lower() == "arp"
    traffic = traffic_between(src, dst, dst_port, None if is_arp else protocol)
    if is_arp:
        return Logged(False, "ARP is never captured: flow logs are about IP traffic.")
    for check in WHEREVER:
        reason = check(traffic)
        if reason is not None:
            return Logged(False, f"{reason}.")
    if topology is None:
        return Logged(True, " ".join(doubts_without_topology(traffic)))
    need_topology(topology, "is_logged")
    for look in (*IN_TOPOLOGY, elsewhere, uncovered):
        reason = look(traffic, topology)
        if reason is not None:
            return Logged(False, f"{reason}.", certain=look not in (reserved, elsewhere))
    return Logged(True, " ".join((*coverage(traffic, topology), *doubts(traffic, topology))))
