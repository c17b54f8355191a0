"""Where interfaces and their peers are: subnets, and whether a security group is there at all.

A log tells it in part, a topology the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import netaddr
import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import UNKNOWN, Evidence
from flowlens.diagnose.spans import Numbers, Truths
from flowlens.topology import Topology
from flowlens.topology.parts import WITHOUT_GROUPS, Interface

__all__ = ["Homes"]

#: No subnet is smaller or larger: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_SMALLEST, _LARGEST = {4: 28, 6: 64}, {4: 16, 6: 44}


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """What is known of each interface, by its place in `Evidence.interfaces`.

    Attributes
    ----------
    subnet
        Place in `subnets`, or `UNKNOWN`.
    subnets
        Ids.
    ranges
        For each subnet, the prefixes that surely lie in it.
    has_no_group
        No security group: told by the topology, or by the kind of interface where that is logged.
    may_have_no_group
        None, it seems: an interface of no instance that passes on what is for others, as a NAT gateway does.
    may_be_classic_balancer
        An interface of no instance, of which nothing is known: at those of Classic Load Balancers network ACLs count
        even inside a subnet.
    is_nat_gateway
        The interface of a NAT gateway, told by the topology.
    instance
        Place of the instance in a list, or `UNKNOWN`.
    has_sibling
        The instance has another interface.
    has_way_round
        The instance has another interface in another subnet, by which it may send.
    security_groups
        Ids, by the topology.
    groups
        Place of the set of security groups in a list, or `UNKNOWN`.
    idle_timeout
        Seconds after which the interface forgets an idle TCP connection, where somebody has set them, or `UNKNOWN`.
    is_known
        Whether the topology has the interface.
    """

    subnet: Numbers
    subnets: tuple[str, ...]
    ranges: tuple[tuple[str, ...], ...]
    has_no_group: Truths
    may_have_no_group: Truths
    may_be_classic_balancer: Truths
    is_nat_gateway: Truths
    instance: Numbers
    has_sibling: Truths
    has_way_round: Truths
    security_groups: tuple[tuple[str, ...], ...]
    groups: Numbers
    idle_timeout: Numbers
    is_known: Truths

    @classmethod
    def of(cls, evidence: Evidence, topology: Topology | None) -> Homes:
        """Find them in the log and the topology; where both tell, the topology counts."""
        interfaces, residents = evidence.interfaces, evidence.residents
        known = [None if topology is None else topology.interfaces.get(id_) for id_ in interfaces]
        logged = _of_interface(residents, "subnet_id", len(interfaces))
        ids = [home.subnet if home and home.subnet else subnet for home, subnet in zip(known, logged, strict=True)]
        subnet, subnets = pd.factorize(np.array(ids, object))
        instance = pd.factorize(np.array(_instances(residents, known), object))[0]
        managed = np.full(len(interfaces), "instance_id" in residents.columns) & (instance < 0)
        passes_on = np.zeros(len(interfaces), bool)
        passes_on[residents["interface"][residents["passes_on"] > 0]] = True
        is_known = np.array([home is not None for home in known], bool)
        without_group = [kind in WITHOUT_GROUPS for kind in _of_interface(residents, "interface_type", len(interfaces))]
        groups = [frozenset(home.security_groups) or None if home else None for home in known]
        return cls(
            subnet=subnet,
            subnets=tuple(subnets),
            ranges=_ranges(subnet, tuple(subnets), evidence, topology),
            has_no_group=np.array(
                [
                    home.lists_groups and not home.security_groups if home else none
                    for home, none in zip(known, without_group, strict=True)
                ],
                bool,
            ),
            may_have_no_group=managed & passes_on & ~is_known,
            may_be_classic_balancer=np.array(
                [
                    alone if home is None else home.kind == "ELB" and str(home.name).endswith("(classic)")
                    for home, alone in zip(known, managed, strict=True)
                ],
                bool,
            ),
            is_nat_gateway=np.array([home is not None and home.kind == "NAT gateway" for home in known], bool),
            instance=instance,
            has_sibling=(instance >= 0) & (np.bincount(instance + 1, minlength=1)[instance + 1] > 1),
            has_way_round=_has_way_round(instance, subnet),
            security_groups=tuple(home.security_groups if home else () for home in known),
            groups=pd.factorize(np.array(groups, object))[0],
            idle_timeout=np.array([home.tcp_idle_timeout or UNKNOWN if home else UNKNOWN for home in known], np.int64),
            is_known=is_known,
        )

    def names(self, interface: int, *, egress: bool, evidence: Evidence) -> tuple[str, ...]:
        """Return the two filters of an interface in one direction, as ``LAYER@id``."""
        return tuple(self.name(kind, interface, egress=egress, evidence=evidence) for kind in ("SG", "NACL"))

    def name(self, kind: str, interface: int, *, egress: bool, evidence: Evidence) -> str:
        """Return a filter as ``LAYER@id``: a network ACL by its subnet, or by the interface where that is not known."""
        home = self.subnet[interface]
        place = self.subnets[home] if kind == "NACL" and home >= 0 else str(evidence.interfaces[interface])
        return f"{kind}_{'OUT' if egress else 'IN'}@{place}"

    def reaches(self, address: Numbers, subnet: Numbers, evidence: Evidence) -> Truths:
        """Tell for each pair whether the instance that has the address has an interface in the subnet."""
        interface = np.append(evidence.interface_of, UNKNOWN)[address]
        instance = np.append(self.instance, UNKNOWN)[interface]
        width = len(self.subnets) + 1
        there = np.unique(self.instance * width + self.subnet)
        reaches: Truths = (instance >= 0) & (subnet >= 0) & np.isin(instance * width + subnet, there)
        return reaches

    def holds(self, subnet: Numbers, address: Numbers, evidence: Evidence) -> Truths:
        """Tell for each pair of a subnet and an address whether the address surely is in the subnet."""
        inside: Truths = np.zeros(len(subnet), bool)
        for place, prefixes in enumerate(self.ranges):
            asked = np.flatnonzero(subnet == place)
            distinct, back = np.unique(address[asked], return_inverse=True)
            inside[asked] = evidence.numbers.take(distinct).within(prefixes)[back]
        return inside


def _instances(residents: pd.DataFrame, known: Sequence[Interface | None]) -> list[str | None]:
    logged = _of_interface(residents, "instance_id", len(known))
    return [home.instance if home and home.instance else id_ for home, id_ in zip(known, logged, strict=True)]


def _has_way_round(instance: Numbers, subnet: Numbers) -> Truths:
    homes = pd.DataFrame({"instance": instance, "subnet": subnet})
    several: Truths = homes.groupby("instance")["subnet"].transform("nunique").to_numpy() > 1
    return several & (instance >= 0)


def _of_interface(residents: pd.DataFrame, column: str, count: int) -> list[str | None]:
    """Return what the records of each interface have in a column; of no interface, as they may be of several."""
    values: list[str | None] = [None] * count
    if column in residents.columns:
        told = residents[residents[column].notna() & (residents["interface"] < count - 1)]
        for place, value in zip(told["interface"], told[column].astype(str), strict=True):
            values[place] = value
    return values


def _ranges(
    subnet: np.ndarray, subnets: Sequence[str], evidence: Evidence, topology: Topology | None
) -> tuple[tuple[str, ...], ...]:
    found = []
    local, place = evidence.residents["local"].to_numpy(), subnet[evidence.residents["interface"].to_numpy()]
    for number, id_ in enumerate(subnets):
        home = None if topology is None else topology.subnets.get(id_)
        if home is not None and home.cidrs:
            found.append(home.cidrs)
        else:
            found.append(_hulls(evidence.addresses[np.unique(local[place == number])]))
    return tuple(found)


def _hulls(addresses: pd.Index) -> tuple[str, ...]:
    """Return what of a subnet is sure when some of its addresses are known: the smallest prefix around them.

    Nothing, where one subnet cannot have them all. Groups of multicast are no addresses of an interface, and addresses
    of the link are in no subnet.
    """
    parsed = [each for each in map(netaddr.IPAddress, addresses) if not (each.is_multicast() or each.is_link_local())]
    hulls = []
    for version, smallest in _SMALLEST.items():
        numbers = [int(address) for address in parsed if address.version == version]
        if numbers:
            width = 32 if version == 4 else 128
            length = min(smallest, width - (min(numbers) ^ max(numbers)).bit_length())
            if length >= _LARGEST[version]:
                hulls.append(f"{netaddr.IPAddress(min(numbers), version)}/{length}")
    return tuple(hulls)
