"""What is known of each address: internal or not, for a purpose of its own, and whether anybody has it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses
from flowlens.indicators import Indicators
from flowlens.topology import Topology

__all__ = ["places"]

#: Nobody out there has these: https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry.
_SPECIAL = (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128",
    "fe80::/10", "ff00::/8",
)  # fmt: skip


def places(
    words: pd.Index,
    *,
    internal: Collection[str],
    own: Collection[str],
    topology: Topology | None,
    indicators: Indicators | None,
) -> pd.DataFrame:
    """Return one row an address, in their order: `internal`, `special`, `dark`, `listed`.

    Parameters
    ----------
    internal
        Prefixes.
    own
        Addresses that interfaces of the log have; they are internal, too.
    topology
        Of an address inside one of its subnets that none of its interfaces has, it tells that it is dark.
    indicators
        A list that some of them may be on.
    """
    addresses = Addresses.parse(words)
    special = addresses.within(_SPECIAL)
    inside = (addresses.within(internal) | np.asarray(words.isin(list(own)))) & ~special
    dark = np.zeros(len(words), bool)
    if topology is not None:
        subnets = [cidr for subnet in topology.subnets.values() for cidr in subnet.cidrs]
        owned = {
            address
            for interface in topology.interfaces.values()
            for address in (*interface.addresses, *interface.addresses6)
        }
        delegated = [prefix for interface in topology.interfaces.values() for prefix in interface.prefixes]
        dark = addresses.within(subnets) & ~addresses.within(delegated) & ~np.asarray(words.isin(list(owned)))
        inside |= addresses.within(subnets) & ~special
    listed = np.zeros(len(words), bool)
    if indicators is not None:
        listed[indicators.match(words)["address"].to_numpy()] = True
    return pd.DataFrame({"internal": inside, "special": special, "dark": dark, "listed": listed})
