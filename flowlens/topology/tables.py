"""Interfaces and their addresses as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from flowlens.topology.parts import Interface, Subnet

__all__ = ["address_table", "interface_table"]


def interface_table(interfaces: Iterable[Interface], subnets: Mapping[str, Subnet]) -> pd.DataFrame:
    """Return one row an interface."""
    all_of_them = tuple(interfaces)
    names = {id_: subnet.name for id_, subnet in subnets.items()}
    texts = {
        "interface_id": [each.id for each in all_of_them],
        "kind": [each.kind for each in all_of_them],
        "name": [each.name for each in all_of_them],
        "address": [next(iter((*each.addresses, *each.addresses6)), None) for each in all_of_them],
        "vpc_id": [each.vpc for each in all_of_them],
        "subnet_id": [each.subnet for each in all_of_them],
        "subnet": [names.get(each.subnet or "") for each in all_of_them],
        "az": [each.zone for each in all_of_them],
        "az_id": [each.zone_id for each in all_of_them],
        "account_id": [each.account for each in all_of_them],
        "region": [each.region for each in all_of_them],
        "instance_id": [each.instance for each in all_of_them],
        "interface_type": [each.interface_type for each in all_of_them],
    }
    groups = pd.Series([each.security_groups for each in all_of_them], dtype=object)
    return pd.DataFrame(texts, dtype="string").assign(security_groups=groups)


def address_table(interfaces: Iterable[Interface]) -> pd.DataFrame:
    """Return one row an address or delegated prefix of an interface."""
    rows = [(cidr, each.id, each.vpc, role) for each in interfaces for cidr, role in _roles(each)]
    return pd.DataFrame(rows, columns=("cidr", "interface_id", "vpc_id", "role"), dtype="string")


def _roles(interface: Interface) -> Iterator[tuple[str, str]]:
    for place, address in enumerate(interface.addresses):
        yield f"{address}/32", "secondary" if place else "primary"
    for address in interface.addresses6:
        yield f"{address}/128", "ipv6"
    for prefix in interface.prefixes:
        yield prefix, "prefix"
    for address in interface.public_addresses:
        yield f"{address}/32", "public"
