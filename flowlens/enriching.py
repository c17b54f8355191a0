"""The ways to add columns to records. What holds the records is up to the subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.enrich.groups import Groups
    from flowlens.enrich.scopes import Internal
    from flowlens.enrichment import Enrichment
    from flowlens.topology import Topology

__all__ = ["Enriching"]

Result = TypeVar("Result")


class Enriching(ABC, Generic[Result]):
    """Methods that keep all records and add columns of words to them."""

    @abstractmethod
    def _with(self, enrichment: Enrichment) -> Result:
        """Add the columns of an enrichment."""

    @abstractmethod
    def _interval(self) -> int:
        """Return the aggregation interval of the log in seconds."""

    @abstractmethod
    def _meetings(self, verb: str) -> pd.DataFrame:
        """Return which addresses meet at which interface, as `reduce.ownership.meetings` tells; `verb` asks for it."""

    def add_groups(self, groups: Groups, *, default: str | None = "other") -> Result:
        """Name the ends of each record by the longest prefix around their addresses.

        Parameters
        ----------
        groups : dict, pandas.DataFrame or path
            ``{name: cidr or [cidrs]}``, a frame with the columns `cidr` and `group`, or a CSV file with a header line
            that names those. IPv4 and IPv6 together; prefixes may lie in one another. `flowlens.groups` has more.
        default : str, optional
            The group of addresses in none of the prefixes; None leaves them without one.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns `src_group` and `dst_group`.

        Raises
        ------
        ParseError
            If a prefix is malformed, has no name or two of them; it names the rows.

        Examples
        --------
        >>> import flowlens as fl
        >>> named = fl.sample().flow.add_groups({"vpc": "10.20.0.0/16", "data": "10.20.20.0/24"})
        >>> named.flow.matrix("src_group", "dst_group", values="flows")
        dst_group  data  other    vpc
        src_group
        data          0      0   8271
        other         0   2071  10829
        vpc        9482   6186  35608
        """
        from flowlens.enrich.groups import named_prefixes
        from flowlens.enrich.names import PrefixNames

        columns = {"src_group": "srcaddr", "dst_group": "dstaddr"}
        return self._with(PrefixNames("add_groups", columns, named_prefixes(groups), default))

    def add_networks(self, prefixlen: int = 24, *, prefixlen6: int = 64) -> Result:
        """Put each address into the network of a fixed size around it.

        Parameters
        ----------
        prefixlen : int
            Length of IPv4 networks in bits, 0 to 32.
        prefixlen6 : int
            Length of IPv6 networks in bits, 0 to 128; elsewhere than in a frame to 64.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns `src_network` and `dst_network`.

        Raises
        ------
        ValueError
            If that is no length.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.add_networks(16).flow.pairs(2, keys=("src_network", "dst_network"))
            src_network    dst_network  flows  packets        bytes
        0  10.20.0.0/16  198.51.0.0/16   1620  9535415  14251340419
        1  10.20.0.0/16   10.20.0.0/16  53361  8186276  12637137810
        """
        from flowlens.enrich.networks import Networks

        return self._with(Networks(prefixlen, prefixlen6))

    def add_scope(self, *, internal: Internal | None = None) -> Result:
        """Tell for each address whether it is internal, external, or for a purpose of its own.

        Parameters
        ----------
        internal : str, list of str or Topology, optional
            What is internal: prefixes, or a topology for those of its VPCs. By default the addresses for private use,
            of RFC 1918, 6598 and 4193. IPv6 addresses of a VPC are mostly public ones, so name them here.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns `src_scope` and `dst_scope`: *internal*, *external*, *multicast*,
            *link-local*, *loopback*, *broadcast*, or *reserved*.

        Raises
        ------
        ValueError
            If `internal` is no prefix.

        Examples
        --------
        >>> import flowlens as fl
        >>> scoped = fl.sample().flow.add_scope(internal=["10.20.0.0/16", "2001:db8:1234::/48"])
        >>> scoped.flow.matrix("src_scope", "dst_scope", values="flows")
        dst_scope  external  internal
        src_scope
        external          0     11287
        internal       6647     54513
        """
        from flowlens.enrich.scopes import scopes

        return self._with(scopes(internal))

    def add_services(self) -> Result:
        """Say in words what each record is about: service, protocol, TCP flags, path.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns `service` (of the side that offers it: the name of its port in daily use
            or in the IANA list, or the number as in *8081/tcp*; missing for protocols without ports),
            `protocol_name`, `flags` (*SYN*, *SYN-ACK FIN*, ..., *none*; missing where the log has no `tcp_flags`), and
            where the log has their fields `path` (the way that egress traffic takes: *internet gateway*, ...) and
            `aws_service` (whose address one of the ends has: *S3*, ...).

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.add_services().flow.pairs(3, keys=("service", "path"))
          service              path  flows  packets       bytes
        0   https               NaN   5299  9437866  7101702064
        1   https          same VPC   1173  6793743  6906070855
        2   https  internet gateway   3884  4612803  6818408669
        """
        from flowlens.enrich.services import Services

        return self._with(Services())

    def add_direction(self, *, internal: Internal | None = None, topology: Topology | None = None) -> Result:
        """Tell which way each record went, and which of its ends began the conversation.

        Parameters
        ----------
        internal : str, list of str or Topology, optional
            What is internal, as for `add_scope`. It serves where the log has no `flow_direction`: at an interface, an
            internal address is its own rather than an external one.
        topology : Topology, optional
            Tells the addresses of interfaces, which are inferred from the log otherwise. The text of a query knows
            those of this log.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns

            - `direction`, *ingress* or *egress* seen from the interface: `flow_direction`, else by the addresses that
              the interface owns; missing where neither tells,
            - `local` and `remote`, the interface's side of the record and the other one; missing without a direction,
              and for records of a transit gateway, which has no address,
            - `real_local` and `real_remote` where the log has the packet's addresses: who really spoke on that side.
              They differ from the others behind an interface that passes traffic on (NAT gateway, transit gateway, load
              balancer, firewall), and at one with several addresses, which logs its primary one,
            - `initiator`, *src* or *dst*: the end that began the conversation; missing where it cannot be told,
            - `initiator_by`, what it was told by: *flags* (SYN and SYN-ACK), *order* (one side was first by more than
              an interval, or alone), *ports* (a service's and a client's), *action* (what is refused is not answered),
              or *unknown*.

            Records of NODATA and SKIPDATA have none of these.

        Raises
        ------
        MissingFieldError
            If the log has neither `flow_direction` nor `interface_id`.
        ValueError
            If `internal` is no prefix.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample().flow.add_direction()
        >>> df.flow.pairs(4, by="flows", keys=("direction", "initiator", "initiator_by"))
          direction initiator initiator_by  flows  packets        bytes
        0   ingress       src        flags  18169  4759951   6503412396
        1    egress       dst        flags  13510  2908890   3375551853
        2    egress       src        flags  10626  9900557  14241100470
        3   ingress       dst        flags   9970  5435944   3554681332
        """
        from flowlens.enrich.direction import Direction

        return self._with(Direction(self._owned("add_direction", internal, topology), self._interval))

    def _way(self, verb: str, topology: Topology | None) -> Enrichment:
        """Return what infers the field `flow_direction` where it is not logged."""
        from flowlens.enrich.direction import Way

        return Way(self._owned(verb, None, topology))

    def _owned(self, verb: str, internal: Internal | None, topology: Topology | None) -> Callable[[], pd.DataFrame]:
        """Return what finds the addresses of interfaces, once."""
        from flowlens.enrich.ownership import owned_addresses
        from flowlens.enrich.scopes import internal_networks
        from flowlens.topology import need_topology

        networks = internal_networks(internal)
        if topology is not None:
            need_topology(topology, verb)

        @cache
        def find_owned() -> pd.DataFrame:
            return owned_addresses(self._meetings(verb), networks, topology)

        return find_owned

    def add_resources(self, topology: Topology) -> Result:
        """Tell what each address belongs to: which load balancer, database, gateway, function, instance.

        Parameters
        ----------
        topology : Topology
            The interfaces there are, with their addresses.

        Returns
        -------
        pandas.DataFrame, Flows or text
            The same records with the columns `src_resource` and `dst_resource`, kind and name: *ELB shop
            (application)*, *RDS orders-db*, *NAT gateway nat-a*, *EC2 web-1*, ... Kinds are *ELB*, *RDS*,
            *ElastiCache*, *Redshift*, *WorkSpaces*, *NAT gateway*, *transit gateway*, *Lambda*, *ECS*, *EFS*,
            *endpoint*, *Route 53 Resolver*, *Directory Service*, *EKS*, *EC2* and some more. Missing for addresses
            that no interface of the topology has, and where nothing tells what the interface is for. Of VPCs with the
            same addresses, the one is meant that the record was made in.

        Examples
        --------
        >>> import flowlens as fl
        >>> owned = fl.sample().flow.add_resources(fl.sample_topology())
        >>> owned.flow.pairs(3, keys=("src_resource", "dst_resource"))
                src_resource       dst_resource  flows  packets       bytes
        0          EC2 batch                NaN     79  5055314  7562951938
        1  NAT gateway nat-a                NaN    994  4476361  6633793662
        2          EC2 batch  NAT gateway nat-a     63  4310938  6446466520
        """
        from flowlens.enrich.resources import Resources

        return self._with(Resources(topology))
