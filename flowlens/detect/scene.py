"""What the detectors know beside the contacts: whose addresses are whose, what was lost, what each number means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from flowlens.indicators import Indicators
from flowlens.topology import Topology

__all__ = ["Scene"]

_SHARED = {"NAT gateway", "transit gateway", "ELB"}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The log as a whole, for judging single findings.

    Attributes
    ----------
    thresholds
        The thresholds by name.
    fields
        The columns of the records.
    span
        The first and last second of the log.
    since
        When the log of an interface begins, by its id: other interfaces of the same log may be there for longer.
    lost
        The share of the windows of an interface that lost records, by its id, where there are any.
    services
        The AWS service that an address belongs to, where the log tells.
    gateways
        Addresses of what passes traffic on, as records tell: they stand there for others of the packet.
    topology
        What is known of the network.
    indicators
        The list of the user, for matches.
    """

    thresholds: Mapping[str, float]
    fields: frozenset[str]
    span: tuple[int, int]
    since: Mapping[str, int]
    lost: Mapping[str, float]
    services: Mapping[str, str]
    gateways: frozenset[str]
    topology: Topology | None
    indicators: Indicators | None

    def kept_share(self, interfaces: pd.Series) -> np.ndarray:
        """Return for each interface which share of its records is there: what SKIPDATA lost is missing, not zero."""
        return np.array([1.0 - self.lost.get(interface, 0.0) for interface in interfaces], float)

    @cached_property
    def _kinds(self) -> dict[str, str]:
        interfaces = () if self.topology is None else self.topology.interfaces.values()
        return {
            address: interface.kind
            for interface in interfaces
            if interface.kind is not None
            for address in (*interface.addresses, *interface.addresses6)
        }

    def kinds(self, addresses: Iterable[str]) -> list[str]:
        """Return what kind of thing has each address, as the topology knows, else empty."""
        return [self._kinds.get(address, "") for address in addresses]

    def tags(self, addresses: pd.Series) -> list[str]:
        """Say of each address that others are behind it, where the topology knows."""
        return [
            f"{address} is that of a {kind}: several hosts may be behind it" if kind in _SHARED else ""
            for address, kind in zip(addresses, self.kinds(addresses), strict=True)
        ]
