"""A topology, put together from documents."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from flowlens.topology.documents import Document
from flowlens.topology.inventory import take_stock
from flowlens.topology.kinds import Names
from flowlens.topology.network import Topology
from flowlens.topology.parts import flow_log, interface, subnet, vpc

__all__ = ["built"]


def built(found: Iterable[Document], missing: tuple[str, ...]) -> Topology:
    """Put together what the documents say; `missing` are the calls that were not permitted."""
    stock = take_stock(found)
    items = stock.items
    names = Names.of(items)
    subnets = {id_: subnet(item) for id_, item in items["Subnets"].items()}
    raw = {
        section: {id_: item.raw for id_, item in items[section].items()}
        for section in ("SecurityGroups", "SecurityGroupRules", "NetworkAcls")
    }
    return Topology(
        interfaces=MappingProxyType(
            {id_: interface(item, names, subnets) for id_, item in items["NetworkInterfaces"].items()}
        ),
        subnets=MappingProxyType(subnets),
        vpcs=MappingProxyType({id_: vpc(item, subnets) for id_, item in items["Vpcs"].items()}),
        flow_logs=MappingProxyType({id_: flow_log(item) for id_, item in items["FlowLogs"].items()}),
        security_groups=MappingProxyType(raw["SecurityGroups"]),
        security_group_rules=MappingProxyType(raw["SecurityGroupRules"]),
        network_acls=MappingProxyType(raw["NetworkAcls"]),
        prefix_lists=MappingProxyType(stock.prefix_lists),
        missing=missing,
    )
