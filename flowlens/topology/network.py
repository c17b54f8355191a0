"""Topology: interfaces, subnets, VPCs and rules as they were when somebody asked, and who has which address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from flowlens.errors import TopologyError
from flowlens.topology.judging import Judging

# What builds a topology and answers from it is imported where that happens, so that `import flowlens` stays light.
if TYPE_CHECKING:
    from flowlens.topology.calls import Session
    from flowlens.topology.documents import Described
    from flowlens.topology.parts import FlowLog, Interface, Subnet, Vpc
    from flowlens.topology.ranges import Ranges

__all__ = ["Topology"]

Placed = TypeVar("Placed", "Interface", "Subnet")


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Topology(Judging):
    """The network behind the records, as ``aws ec2 describe-*`` prints it.

    Attributes
    ----------
    interfaces, subnets, vpcs, flow_logs : mapping
        By id.
    security_groups, security_group_rules, network_acls : mapping of dict
        The documents by id, as AWS gave them.
    prefix_lists : mapping of tuple of str
        The prefixes of managed prefix lists by id, of those lists whose entries are there.
    missing : tuple of str
        Calls that the session was not permitted to make, followed by the regions where it was only some of them.
    """

    interfaces: Mapping[str, Interface]
    subnets: Mapping[str, Subnet]
    vpcs: Mapping[str, Vpc]
    flow_logs: Mapping[str, FlowLog]
    security_groups: Mapping[str, Mapping[str, Any]]
    security_group_rules: Mapping[str, Mapping[str, Any]]
    network_acls: Mapping[str, Mapping[str, Any]]
    prefix_lists: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...] = ()

    @classmethod
    def from_describe(cls, source: Described) -> Topology:
        """Build a topology from the output of describe-* calls.

        Parameters
        ----------
        source : path, dict or list of those
            A JSON file, a folder of them, or their content. A file may hold several documents one after the other, a
            document several lists (``NetworkInterfaces``, ``Subnets``, ...); regions and accounts may be mixed. The
            output of get-managed-prefix-list-entries does not say of which list it is: its file has the id in its name.

        Returns
        -------
        Topology
            All of it together.

        Raises
        ------
        TopologyError
            If something is not describe-* output, or two documents contradict each other.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> topology.at("10.20.10.31")[0].name
        'web-1'
        """
        from flowlens.topology.building import built
        from flowlens.topology.documents import documents

        return built(documents(source), ())

    @classmethod
    def from_boto3(cls, session: Session, *, regions: Iterable[str] | None = None) -> Topology:
        """Build a topology from the API.

        Calls that the session may not make are left out, and named in `missing`; the one for network interfaces has to
        be permitted.

        Parameters
        ----------
        session : boto3.Session
            Made by the caller, with the credentials to use.
        regions : list of str, optional
            Where to ask; by default the region of the session.

        Returns
        -------
        Topology
            All regions together.

        Raises
        ------
        TopologyError
            If there is no region, or network interfaces may not be described in any.

        Examples
        --------
        With the credentials of a profile::

            import boto3

            session = boto3.Session(profile_name="audit")
            topology = fl.Topology.from_boto3(session, regions=["eu-west-1", "us-east-1"])
        """
        from flowlens.topology.building import built
        from flowlens.topology.calls import describe

        if regions is None:
            regions = [session.region_name] if session.region_name else []
        places = [regions] if isinstance(regions, str) else list(regions)
        if not places:
            raise TopologyError("There is no region to ask. Pass regions=['eu-west-1'], or give the session one.")
        found, missing = describe(session, places)
        return built(found, missing)

    def __repr__(self) -> str:
        counts = (
            (len(self.interfaces), "interface"),
            (len(self.subnets), "subnet"),
            (len(self.vpcs), "VPC"),
            (len(self.security_groups), "security group"),
            (len(self.network_acls), "network ACL"),
            (len(self.flow_logs), "flow log"),
        )
        words = (f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s" for count, noun in counts)
        return f"<Topology: {', '.join(words)}>"

    def at(self, address: str, *, vpc: str | None = None) -> tuple[Interface, ...]:
        """Return the interfaces that have an address: private, IPv6, public, or within a delegated prefix.

        Parameters
        ----------
        address : str
            An IP address.
        vpc : str, optional
            Id of the VPC to look in; addresses of VPCs may overlap.

        Returns
        -------
        tuple of Interface
            More than one where VPCs overlap; empty where no interface has the address.

        Raises
        ------
        ValueError
            If it is no address.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> [interface.kind for interface in topology.at("10.20.0.21")]
        ['ELB']
        """
        from flowlens.topology.ranges import ip

        found = dict.fromkeys((*self._holders.of(address), *self._publicly.get(str(ip(address)), ())))
        return _in_vpc(tuple(found), vpc)

    def holders(self, address: str, *, vpc: str | None = None) -> tuple[Interface, ...]:
        """Return the interfaces whose own address it is: as `at`, without those that it is only translated to.

        Parameters
        ----------
        address : str
            An IP address.
        vpc : str, optional
            Id of the VPC to look in; addresses of VPCs may overlap.

        Returns
        -------
        tuple of Interface
            More than one where VPCs overlap; empty where no interface has the address.

        Raises
        ------
        ValueError
            If it is no address.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> len(topology.at("198.51.100.14")), len(topology.holders("198.51.100.14"))  # a public address
        (1, 0)
        """
        return _in_vpc(self._holders.of(address), vpc)

    def members(self, group_id: str) -> tuple[Interface, ...]:
        """Return the interfaces that carry a security group.

        Parameters
        ----------
        group_id : str
            Id of the security group.

        Returns
        -------
        tuple of Interface
            Empty where none carries it.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> [interface.name for interface in topology.members("sg-06104cc3beea33c24")]
        ['shop (application)', 'shop (application)']
        """
        return self._members.get(group_id, ())

    def in_subnet(self, subnet_id: str) -> tuple[Interface, ...]:
        """Return the interfaces in a subnet.

        Parameters
        ----------
        subnet_id : str
            Id of the subnet.

        Returns
        -------
        tuple of Interface
            Empty where none is there.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> [interface.name for interface in topology.in_subnet("subnet-0aa9eb9cfc9be81f1")]
        ['orders-db', 'analytics-db']
        """
        return self._in_subnet.get(subnet_id, ())

    def subnet_of(self, address: str, *, vpc: str | None = None) -> Subnet | None:
        """Return the subnet whose range holds an address.

        Parameters
        ----------
        address : str
            An IP address.
        vpc : str, optional
            Id of the VPC to look in; ranges of VPCs may overlap.

        Returns
        -------
        Subnet or None
            None where there is none, and where several VPCs have one: `subnets_at` gives them all.

        Raises
        ------
        ValueError
            If it is no address.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> topology.subnet_of("10.20.10.31").zone
        'eu-west-1a'
        """
        found = self.subnets_at(address, vpc=vpc)
        return found[0] if len(found) == 1 else None

    def subnets_at(self, address: str, *, vpc: str | None = None) -> tuple[Subnet, ...]:
        """Return the subnets whose range holds an address.

        Parameters
        ----------
        address : str
            An IP address.
        vpc : str, optional
            Id of the VPC to look in; ranges of VPCs may overlap.

        Returns
        -------
        tuple of Subnet
            One a VPC at most.

        Raises
        ------
        ValueError
            If it is no address.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> [subnet.name for subnet in topology.subnets_at("10.20.10.31")]
        ['app-a']
        """
        return _in_vpc(self._ranges.of(address), vpc)

    def frame(self) -> pd.DataFrame:
        """Return the interfaces as a table.

        Returns
        -------
        pandas.DataFrame
            One row an interface: `interface_id, kind, name, address, vpc_id, subnet_id, subnet, az, az_id, account_id,
            region, instance_id, interface_type, security_groups`. `subnet` is the name of the subnet, `address` the
            primary one, `security_groups` a tuple of ids.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> topology.frame().loc[:2, ["kind", "name", "address", "az"]]
                  kind                name     address          az
        0          ELB  shop (application)  10.20.0.21  eu-west-1a
        1          ELB  shop (application)  10.20.1.21  eu-west-1b
        2  NAT gateway               nat-a   10.20.0.5  eu-west-1a
        """
        from flowlens.topology.tables import interface_table

        return interface_table(self.interfaces.values(), self.subnets)

    def addresses(self) -> pd.DataFrame:
        """Return the addresses of the interfaces as a table.

        Returns
        -------
        pandas.DataFrame
            One row an address or delegated prefix of an interface: `cidr` (an address is ``10.0.0.5/32``),
            `interface_id, vpc_id, role`, which is primary, secondary, ipv6, prefix or public.

        Examples
        --------
        >>> import flowlens as fl
        >>> topology = fl.sample_topology()
        >>> topology.addresses()["role"].value_counts().to_dict()
        {'primary': 14, 'ipv6': 5, 'public': 5}
        """
        from flowlens.topology.tables import address_table

        return address_table(self.interfaces.values())

    @cached_property
    def _holders(self) -> Ranges[Interface]:
        from flowlens.topology.ranges import Ranges

        return Ranges(
            (cidr, each)
            for each in self.interfaces.values()
            for cidr in (*each.addresses, *each.addresses6, *each.prefixes)
        )

    @cached_property
    def _publicly(self) -> dict[str, tuple[Interface, ...]]:
        from flowlens.topology.ranges import grouped

        return grouped((address, each) for each in self.interfaces.values() for address in each.public_addresses)

    @cached_property
    def _ranges(self) -> Ranges[Subnet]:
        from flowlens.topology.ranges import Ranges

        return Ranges((cidr, each) for each in self.subnets.values() for cidr in each.cidrs)

    @cached_property
    def _members(self) -> dict[str, tuple[Interface, ...]]:
        from flowlens.topology.ranges import grouped

        return grouped((group, each) for each in self.interfaces.values() for group in each.security_groups)

    @cached_property
    def _in_subnet(self) -> dict[str, tuple[Interface, ...]]:
        from flowlens.topology.ranges import grouped

        return grouped((each.subnet, each) for each in self.interfaces.values() if each.subnet is not None)


def _in_vpc(found: tuple[Placed, ...], vpc: str | None) -> tuple[Placed, ...]:
    return found if vpc is None else tuple(each for each in found if each.vpc == vpc)
