"""What the filters of a topology make of a connection: the request there, and the reply back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from flowlens.rules.addresses import block_of, number_of
from flowlens.rules.assumptions import assumptions
from flowlens.rules.clients import ClientPorts, ports_of_client
from flowlens.rules.ends import End, both_ends, may_share_subnet
from flowlens.rules.hops import Hop
from flowlens.rules.nat import refusals_of_gateways
from flowlens.rules.packets import Outcome
from flowlens.rules.ports import HAS_PORTS
from flowlens.rules.walk import Leg, Request, hops, is_classic_balancer
from flowlens.service import protocol_name
from flowlens.topology.parts import Interface

if TYPE_CHECKING:
    from flowlens.rules.fix import Fix
    from flowlens.topology import Topology

__all__ = ["RoundTrip", "round_trip"]

# The hosts behind these are reached over the link itself: metadata, time, DNS, licences.
_ON_THE_LINK = ("169.254.0.0/16", "fd00:ec2::/32", "fe80::/10")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class RoundTrip:
    """What the filters make of a connection, hop by hop, as `Topology.evaluate` returns it.

    It is neither true nor false: the `outcome` may be unknown.

    Attributes
    ----------
    request : Request
        What was asked: addresses, protocol and ports.
    source, target : End
        Interface, subnet and VPC of either end, as far as they are known.
    hops : tuple of Hop
        The decision of every filter there and back, in the order of the packets.
    assumptions : tuple of str
        What was taken for granted, as sentences.
    doubts : tuple of str
        What may stop it beside these filters, because a topology does not tell which way it takes, as sentences.
    topology : Topology
        What was asked.
    """

    request: Request
    source: End
    target: End
    hops: tuple[Hop, ...]
    assumptions: tuple[str, ...]
    topology: Topology
    doubts: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """DENY where any filter refuses, ALLOW where all of them allow and nothing is in doubt, UNKNOWN otherwise."""
        found = _together(self.hops)
        return Outcome.UNKNOWN if found is Outcome.ALLOW and self.doubts else found

    @property
    def arrives(self) -> Outcome:
        """The same of the hops of the request alone, whatever becomes of the reply."""
        return _together(hop for hop in self.hops if hop.packet == "request")

    @property
    def blocked_by(self) -> list[dict[str, Any]]:
        """The filters that refuse where the first refusal is: both of one interface, if both do.

        Of security groups `layer, direction, eni, security_groups`, `rule` (always ``"missing"``, as groups only allow)
        and `near_misses`: rules that fail on one attribute, with their `security_group, rule, text` and `differs_in`.
        Of network ACLs `layer, direction, subnet, network_acl, rule_number` and `rule`, the kind of the entry.
        """
        return [hop.as_blocker() for hop in self.denials if hop.stop == self.denials[0].stop]

    @property
    def surfaces_after_fix(self) -> list[dict[str, Any]]:
        """The filters further on that refuse, too: what one runs into once `blocked_by` is mended."""
        return [hop.as_blocker() for hop in self.denials if hop.stop != self.denials[0].stop]

    @property
    def denials(self) -> tuple[Hop, ...]:
        """All hops that refuse, in the order of the packets."""
        return tuple(hop for hop in self.hops if hop.is_denied)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is missing to tell, as sentences."""
        return tuple(dict.fromkeys((*(each for hop in self.hops for each in hop.unknown), *self.doubts)))

    @property
    def aws_code(self) -> str | None:
        """What the Reachability Analyzer calls the first refusal; None where there is none."""
        return self.denials[0].aws_code if self.denials else None

    def frame(self) -> pd.DataFrame:
        """Return the hops as a table.

        Returns
        -------
        pandas.DataFrame
            One row a hop: `position, packet, direction, layer, interface_id, subnet_id, filter` (ids of the groups, or
            that of the network ACL), `outcome, rule, rule_number, unknown`.
        """
        columns = {
            "position": pd.Series([hop.position for hop in self.hops], dtype="int64"),
            "packet": [hop.packet for hop in self.hops],
            "direction": [hop.direction for hop in self.hops],
            "layer": [hop.layer for hop in self.hops],
            "interface_id": [hop.interface for hop in self.hops],
            "subnet_id": [hop.subnet for hop in self.hops],
            "filter": [hop.network_acl or ", ".join(hop.security_groups) or None for hop in self.hops],
            "outcome": [hop.outcome.value for hop in self.hops],
            "rule": [hop.rule for hop in self.hops],
            "rule_number": pd.Series([hop.rule_number for hop in self.hops], dtype="Int64"),
            "unknown": [" ".join(hop.unknown) or None for hop in self.hops],
        }
        table = pd.DataFrame(columns)
        texts = [name for name in table if name not in {"position", "rule_number"}]
        return table.astype(dict.fromkeys(texts, "string"))

    def fix(self) -> Fix:
        """Return the narrowest rules that would open the way, proved on a copy of the topology; nothing is applied.

        Returns
        -------
        Fix
            `calls`, a list of EC2 API calls as dicts, empty where none should be proposed, with the reason in `why`.
        """
        from flowlens.rules.fix import fix

        return fix(self)

    def __bool__(self) -> bool:
        raise TypeError(
            'a round trip is neither true nor false; compare its .outcome with "allow", "deny" or "unknown"'
        )

    def __repr__(self) -> str:
        request = self.request
        name = protocol_name(request.protocol).lower()
        port = "" if request.dst_port is None else f" port {request.dst_port}"
        lines = [f"<RoundTrip {name} {request.src} to {request.dst}{port}: {self.outcome.name}"]
        lines += [f"  {hop}" for hop in self.hops if hop.outcome is not Outcome.ALLOW]
        return "\n".join(lines) + ">"


def round_trip(
    topology: Topology, request: Request, *, source: Interface | None = None, target: Interface | None = None
) -> RoundTrip:
    """Ask all filters between two ends, there and back.

    Parameters
    ----------
    topology
        What is known of the network.
    request
        The first packet.
    source, target
        The interfaces that are meant, where addresses alone do not tell; one may be enough.

    Raises
    ------
    TopologyError
        If an address may be that of several interfaces, neither is in the topology, or a document cannot be read.
    ValueError
        If an end is no address, or both are the same.
    """
    if number_of(request.src) == number_of(request.dst):
        raise ValueError(f"{request.src} is both ends; what a host sends to itself passes no filter")
    free = _unfiltered(topology, request, source or target)
    if free is not None:
        one, other = (End(each, each, None, None, None, is_outside=True) for each in (request.src, request.dst))
        return RoundTrip(request=request, source=one, target=other, hops=(), assumptions=(free,), topology=topology)
    one, other = both_ends(topology, request.src, request.dst, source, target)
    ports = None
    if request.protocol in HAS_PORTS:
        ports = ports_of_client(one.interface, is_outside=one.is_outside)
        if request.src_port is not None:
            ports = ClientPorts(request.src_port, request.src_port, "this client")
    found = hops(topology.rules, request, *_legs(topology, one, other), ports)
    return RoundTrip(
        request=request,
        source=one,
        target=other,
        hops=found,
        assumptions=assumptions(topology.rules, request, (one, other), found, ports),
        topology=topology,
        doubts=refusals_of_gateways(topology, request, one, other, ports),
    )


def _legs(topology: Topology, source: End, target: End) -> tuple[Leg, Leg]:
    perhaps = not target.is_translated and may_share_subnet(topology, source, target)
    stays = source.subnet is not None and source.subnet == target.subnet and not target.is_translated
    both = frozenset[Any]() if stays else frozenset[Any]({"request", "reply"})
    # "even if it's destined for a target in the same subnet as the load balancer", of what it sends out:
    # https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
    leaving = frozenset[Any]({"request"}) if stays and is_classic_balancer(source) else both
    seen: str | None = source.address
    missing = ""
    if target.is_translated and not source.is_outside:
        # To a public address one goes out of the VPC, and comes back as whom one is outside.
        seen = source.public_address
        if seen is None:
            missing = f"The public address that {source} has on its way to {target.asked}: that of a NAT gateway."
    return (
        Leg(source, target.asked, leaving, is_same_subnet=stays, may_be_same_subnet=perhaps),
        Leg(target, seen, both, missing=missing, is_same_subnet=stays, may_be_same_subnet=perhaps),
    )


def _together(found: Iterable[Hop]) -> Outcome:
    outcomes = {hop.outcome for hop in found}
    return next((each for each in (Outcome.DENY, Outcome.UNKNOWN) if each in outcomes), Outcome.ALLOW)


def _unfiltered(topology: Topology, request: Request, near: Interface | None) -> str | None:
    """Say that no filter sees some traffic: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html."""
    for address in (request.src, request.dst):
        number = number_of(address)
        if any(low <= number <= high for low, high in map(block_of, _ON_THE_LINK)):
            return f"{address} is on the link of the host: neither security groups nor network ACLs filter it."
    vpcs = topology.vpcs.values() if near is None else [each for each in topology.vpcs.values() if each.id == near.vpc]
    bases = {block_of(cidr)[0] for vpc in vpcs for cidr in vpc.cidrs[:1]}
    if request.dst_port == 53 and number_of(request.dst) - 2 in bases:
        return f"{request.dst} is the resolver of the VPC: neither security groups nor network ACLs filter it."
    return None
