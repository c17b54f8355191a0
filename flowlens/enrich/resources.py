"""What each address belongs to: the kind and the name of the resource behind its interface."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.cidr import network
from flowlens.columns import typed
from flowlens.enrich.categories import categorical_of, codes_among
from flowlens.enrich.names import PrefixNames
from flowlens.enrichment import Enrichment
from flowlens.topology import Topology, need_topology

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import netaddr

    from flowlens.topology.parts import Interface

    Owners = dict[netaddr.IPNetwork, list[tuple[str | None, str]]]

__all__ = ["Resources"]

_COLUMNS = {"src_resource": "srcaddr", "dst_resource": "dstaddr"}


class Resources(Enrichment):
    """Columns ``src_resource`` and ``dst_resource``.

    An address that only one interface has needs no more. Where the ranges of VPCs overlap, the VPC that the record was
    made in tells which of them is meant: an address of its range belongs to its own interface, or to nobody known.
    """

    verb = "add_resources"
    inputs = {added: (address, "vpc_id", "interface_id") for added, address in _COLUMNS.items()}  # noqa: RUF012

    def __init__(self, topology: Topology) -> None:
        need_topology(topology, self.verb)
        owners = _owners(topology.interfaces.values())
        only = {net: found[0][1] for net, found in owners.items() if len(found) == 1}
        self._everywhere = _names(only)
        self._in_vpc = {
            vpc: _names(
                {net: label for net, label in only.items() if not _inside(net, ranges)}
                | {net: label for net, found in owners.items() for home, label in found if home == vpc}
            )
            for vpc, ranges in _overlapping(topology, owners).items()
        }
        self._interfaces = {
            vpc: sorted(interface.id for interface in topology.interfaces.values() if interface.vpc == vpc)
            for vpc in self._in_vpc
        }

    def takes(self, added: str, columns: Collection[str]) -> Collection[str]:
        if not self._in_vpc:
            return self.inputs[added][:1]
        return [column for column in self.inputs[added] if column in columns]

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        columns = self._everywhere.of_frame(df)
        for vpc, names in self._in_vpc.items():
            here = self._made_in(df, vpc)
            for added, column in names.of_frame(df).items():
                columns[added] = _replaced(columns[added], column, here)
        return columns

    def _made_in(self, df: pd.DataFrame, vpc: str) -> np.ndarray:
        column, values = ("vpc_id", [vpc]) if "vpc_id" in df.columns else ("interface_id", self._interfaces[vpc])
        if column not in df.columns:
            return np.zeros(len(df), bool)
        found = categorical_of(typed(df, column))
        made_here: np.ndarray = np.append(found.categories.isin(values), False)[found.codes]
        return made_here

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        import ibis

        table = self._everywhere.of_table(table, wanted)
        for vpc, names in self._in_vpc.items():
            if "vpc_id" in table.columns:
                here = table.vpc_id == vpc
            elif "interface_id" in table.columns:
                here = table.interface_id.isin(self._interfaces[vpc])
            else:
                break
            everywhere = {added: f"{added}_everywhere" for added in wanted}
            kept = table.mutate(
                here=here.fill_null(False), **{name: table[added] for added, name in everywhere.items()}
            )
            t = names.of_table(kept, wanted)
            chosen = {added: ibis.ifelse(t.here, t[added], t[name]) for added, name in everywhere.items()}
            table = t.mutate(**chosen).drop("here", *everywhere.values())
        return table


def _owners(interfaces: Iterable[Interface]) -> Owners:
    """Return for each address and delegated prefix the VPCs that have it, and what it belongs to there."""
    from flowlens.topology.kinds import resource

    owners: Owners = {}
    for interface in interfaces:
        label = resource(interface)
        if label is None:
            continue
        private = (*interface.addresses, *interface.addresses6, *interface.prefixes)
        for cidr in (*private, *interface.public_addresses):
            found = owners.setdefault(network(cidr).cidr, [])
            if (interface.vpc, label) not in found:
                found.append((interface.vpc, label))
    return owners


def _names(labels: dict[netaddr.IPNetwork, str]) -> PrefixNames:
    return PrefixNames("add_resources", _COLUMNS, list(labels.items()), None)


def _overlapping(topology: Topology, owners: Owners) -> dict[str, list[netaddr.IPNetwork]]:
    """Return the VPCs that have addresses in common with others, and the ranges of each."""
    ranges = {vpc.id: [network(cidr) for cidr in vpc.cidrs] for vpc in topology.vpcs.values()}
    for subnet in topology.subnets.values():
        if subnet.vpc is not None and subnet.vpc not in topology.vpcs:  # the VPCs may not have been described
            ranges.setdefault(subnet.vpc, []).extend(network(cidr) for cidr in subnet.cidrs)
    shared = {vpc for found in owners.values() if len(found) > 1 for vpc, _ in found if vpc is not None}
    return {vpc: ranges.get(vpc, []) for vpc in sorted(shared | _nesting(ranges))}


def _inside(net: netaddr.IPNetwork, ranges: Iterable[netaddr.IPNetwork]) -> bool:
    return any(net.version == one.version and one.first <= net.first <= one.last for one in ranges)


def _nesting(ranges: Mapping[str, Iterable[netaddr.IPNetwork]]) -> set[str]:
    """Return those that have a range in or around one of another: prefixes nest or lie apart, so one pass tells."""
    nets = [(net.version, net.first, -net.last, name) for name, found in ranges.items() for net in found]
    around: list[tuple[int, int, str]] = []  # version, last address and name, outermost first
    nesting: set[str] = set()
    for version, first, last, name in sorted(nets):
        while around and (around[-1][0] != version or around[-1][1] < first):
            around.pop()
        others = {other for _, _, other in around if other != name}
        nesting |= others | ({name} if others else set())
        around.append((version, -last, name))
    return nesting


def _replaced(below: pd.Categorical[str], above: pd.Categorical[str], where: np.ndarray) -> pd.Categorical[str]:
    """Return one column, and another in its place for some rows."""
    words = below.categories.union(above.categories)
    codes = [codes_among(words, column) for column in (above, below)]
    return pd.Categorical.from_codes(np.where(where, *codes), categories=words)
