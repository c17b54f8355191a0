"""The two ends of a connection: which interface, subnet and VPC an address stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowlens.cidr import PRIVATE
from flowlens.errors import TopologyError
from flowlens.rules.addresses import block_of, is_ipv6, number_of
from flowlens.topology.parts import Interface, Subnet

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["End", "both_ends", "may_share_subnet"]


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection.

    Attributes
    ----------
    address
        Its own address.
    asked
        The address that was asked about: a public one where AWS translates it to its own.
    interface, subnet, vpc
        What has it, as far as the topology tells; ids of subnet and VPC.
    is_outside
        Whether no filter of the topology stands there: an address of the internet, or behind a VPN.
    """

    address: str
    asked: str
    interface: Interface | None
    subnet: str | None
    vpc: str | None
    is_outside: bool

    @property
    def is_translated(self) -> bool:
        """Whether the address asked about is a public one of the interface."""
        return self.address != self.asked

    @property
    def public_address(self) -> str | None:
        """The address that it has outside, where AWS translates its own."""
        pairs = () if self.interface is None else self.interface.translations
        return next((public for own, public in pairs if own == self.address), None)

    def __str__(self) -> str:
        return self.interface.id if self.interface is not None else self.asked


def both_ends(
    topology: Topology, src: str, dst: str, source: Interface | None, target: Interface | None
) -> tuple[End, End]:
    """Find both ends; interfaces that are given are those that are meant.

    Raises
    ------
    TopologyError
        If an address may be that of several interfaces, or neither is in the topology.
    """
    sources = (source,) if source is not None else topology.at(src)
    targets = (target,) if target is not None else topology.at(dst)
    if target is None and len(sources) == 1:
        targets = _seen_from(topology, sources[0], dst, targets)
    elif source is None and len(targets) == 1:
        sources = _seen_from(topology, targets[0], src, sources)
    sources, targets = _narrowed(sources, targets), _narrowed(targets, sources)
    one, other = _only(src, sources), _only(dst, targets)
    near_vpc = next((each.vpc for each in (one, other) if each is not None), None)
    ends = _end(topology, src, one, near_vpc), _end(topology, dst, other, near_vpc)
    if all(end.is_outside for end in ends):
        raise TopologyError(
            f"Neither {src} nor {dst} is an address of the topology, so no filter of it can be asked. "
            "Check the addresses, or describe the VPC that has them."
        )
    return ends


def may_share_subnet(topology: Topology, one: End, other: End) -> bool:
    """Tell whether two ends may be in one subnet, though it is not known of one of them in which it is."""
    if one.is_outside or other.is_outside or (one.subnet is not None and other.subnet is not None):
        return False
    pairs = ((one, other), (other, one))
    homes = ((topology.subnets.get(near.subnet or ""), far) for near, far in pairs)
    return not any(home is not None and home.cidrs and not _holds(home.cidrs, far.address) for home, far in homes)


def _seen_from(
    topology: Topology, near: Interface, address: str, found: tuple[Interface, ...]
) -> tuple[Interface, ...]:
    """Keep who can be meant from an interface: a range of its own VPC never leads to another one."""
    if _is_in(topology, near.vpc, address):
        return tuple(each for each in found if each.vpc == near.vpc)
    return found


def _narrowed(found: tuple[Interface, ...], others: tuple[Interface, ...]) -> tuple[Interface, ...]:
    """Of interfaces in several VPCs keep those that share one with the other end, where there are such."""
    vpcs = {each.vpc for each in others}
    return tuple(each for each in found if each.vpc in vpcs) or found


def _only(address: str, found: tuple[Interface, ...]) -> Interface | None:
    if len(found) > 1:
        names = ", ".join(f"{each.id} in {each.vpc}" for each in found)
        raise TopologyError(f"{address} is an address of {names}. Give the id of the interface that is meant.")
    return found[0] if found else None


def _end(topology: Topology, address: str, interface: Interface | None, near_vpc: str | None) -> End:
    if interface is not None:
        own = next((own for own, public in interface.translations if public == address), address)
        return End(own, address, interface, interface.subnet, interface.vpc, is_outside=False)
    home = _subnet(topology, address, near_vpc)
    if home is not None:
        return End(address, address, None, home.id, home.vpc, is_outside=False)
    return End(address, address, None, None, None, is_outside=not _may_be_inside(topology, address, near_vpc))


def _subnet(topology: Topology, address: str, near_vpc: str | None) -> Subnet | None:
    found = topology.subnets_at(address)
    near = [each for each in found if each.vpc == near_vpc]
    return near[0] if near else found[0] if len(found) == 1 else None


def _may_be_inside(topology: Topology, address: str, near_vpc: str | None) -> bool:
    """Tell whether an interface that the topology does not hold may have an address."""
    if any(_is_in(topology, vpc, address) for vpc in topology.vpcs):
        return True
    # Where the ranges of the VPC are not known, a public IPv4 address is hardly one of them; any other may be.
    near = topology.vpcs.get(near_vpc or "")
    return (near is None or not near.cidrs) and (is_ipv6(number_of(address)) or _holds(PRIVATE, address))


def _is_in(topology: Topology, vpc: str | None, address: str) -> bool:
    found = topology.vpcs.get(vpc or "")
    return found is not None and _holds(found.cidrs, address)


def _holds(cidrs: Iterable[str], address: str) -> bool:
    number = number_of(address)
    return any(low <= number <= high for low, high in map(block_of, cidrs))
