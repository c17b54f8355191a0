"""What kind of address each one is: internal, external, or one that is for a purpose of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from flowlens.cidr import PRIVATE, listed, network
from flowlens.enrich.groups import Groups, named_prefixes
from flowlens.enrich.names import PrefixNames
from flowlens.topology import Topology

__all__ = ["Internal", "internal_networks", "scopes"]

#: Networks that are internal: prefixes, groups of them, or those of the VPCs of a topology.
Internal = str | Iterable[str] | Groups | Topology

#: https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry. Ranges for documentation
#: count as external: they stand for somebody's in every example.
_SPECIAL = {
    "0.0.0.0/0": "external",
    "0.0.0.0/8": "reserved",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "192.0.0.0/24": "reserved",
    "198.18.0.0/15": "reserved",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "255.255.255.255/32": "broadcast",
    "::/0": "reserved",
    "2000::/3": "external",
    "64:ff9b::/96": "external",  # IPv4 hosts behind NAT64
    "::1/128": "loopback",
    "fc00::/7": "external",  # unless it is internal
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}


def internal_networks(internal: Internal | None) -> list[str]:
    """Return the prefixes of what is internal; by default all addresses for private use."""
    if internal is None:
        return list(PRIVATE)
    if isinstance(internal, Topology):
        return [cidr for vpc in internal.vpcs.values() for cidr in vpc.cidrs]
    if isinstance(internal, Mapping | pd.DataFrame):
        return [str(net) for net, _ in named_prefixes(internal)]
    networks = [str(prefix) for prefix in listed(internal)]
    for prefix in networks:
        network(prefix)
    return networks


def scopes(internal: Internal | None) -> PrefixNames:
    """Return what adds the columns ``src_scope`` and ``dst_scope``."""
    inside = [network(prefix) for prefix in internal_networks(internal)]
    special = [(network(prefix), scope) for prefix, scope in _SPECIAL.items()]
    # What is external lies outside of what is internal, what is for a purpose of its own may lie in it.
    outside = [(net, scope) for net, scope in special if scope != "external" or not any(net in one for one in inside)]
    prefixes = [*outside, *((net, "internal") for net in inside)]
    return PrefixNames("add_scope", {"src_scope": "srcaddr", "dst_scope": "dstaddr"}, prefixes, None)
