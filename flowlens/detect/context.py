"""What makes a finding likely to be innocent: infrastructure, health checks, traffic among one's own hosts.

It lowers a score, with the reason beside it, and never drops anything: a control server that listens at port 123 is
still in the list.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flowlens.detect.scene import Scene
from flowlens.service import ICMP, ICMPV6, TCP, UDP

__all__ = ["lowered", "with_context"]

#: What runs the network itself: names by port and protocol.
_INFRASTRUCTURE = {
    (UDP, 53): "DNS", (TCP, 53): "DNS", (UDP, 67): "DHCP", (UDP, 68): "DHCP", (UDP, 123): "NTP",
    (UDP, 137): "NetBIOS", (UDP, 138): "NetBIOS", (UDP, 546): "DHCPv6", (UDP, 547): "DHCPv6", (UDP, 1900): "SSDP",
    (UDP, 3702): "WS-Discovery", (UDP, 5353): "mDNS", (UDP, 5355): "LLMNR",
}  # fmt: skip

# Addresses of these are rented to anybody, or pass on what anybody publishes: they speak for nobody.
# https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html
_RENTED = {"EC2", "AMAZON", "CLOUDFRONT", "GLOBALACCELERATOR", "API_GATEWAY", "MEDIA_PACKAGE_V2", "IVS_REALTIME"}


def with_context(units: pd.DataFrame, scene: Scene, kind: str) -> pd.DataFrame:
    """Add `context`, a factor, and `notes`, the reasons for it.

    Parameters
    ----------
    units
        Has `srcaddr, dstaddr, from_inside, to_inside` and, where they belong to the unit, `dstport, protocol,
        to_special`.
    kind
        The detector: its thresholds ``internal`` and ``inbound`` say what those cases count.
    """
    at = scene.thresholds
    inside, within = units["from_inside"].to_numpy(bool), units["to_inside"].to_numpy(bool)
    reasons = _infrastructure(units, scene)
    units = units.assign(context=1.0, notes=pd.Series("", index=units.index, dtype=object))
    units = lowered(units, [reason != "" for reason in reasons], at["context.infrastructure"], reasons)
    if f"{kind}.internal" in at:
        units = lowered(units, inside & within, at[f"{kind}.internal"], "between internal hosts")
    if f"{kind}.inbound" in at:
        units = lowered(units, ~inside & within, at[f"{kind}.inbound"], "from outside")
    if "protocol" in units.columns:
        ping = units["protocol"].isin([ICMP, ICMPV6]).to_numpy(bool) & inside & within
        units = lowered(units, ping, at["context.ping"], "ICMP between internal hosts")
    if "provoked" in units.columns:
        units = lowered(units, units["provoked"], at["context.provoked"], "errors of ICMP about other traffic")
    if "srcaddr" in units.columns:
        passes_on = [f"{address} passes on for hosts that are rated by themselves" for address in units["srcaddr"]]
        units = lowered(units, units["srcaddr"].isin(scene.gateways), at["context.gateway"], passes_on)
        units = units.assign(notes=_joined(units["notes"], scene.tags(units["srcaddr"])))
    return units


def lowered(
    units: pd.DataFrame, where: Sequence[bool] | np.ndarray | pd.Series, by: float, reasons: str | Sequence[str]
) -> pd.DataFrame:
    """Lower some units by a factor, for one reason or for one each."""
    there = np.asarray(where, bool)
    if not there.any():
        return units
    each = [reasons] * len(units) if isinstance(reasons, str) else reasons
    told = [f"{reason}: x {by:g}" if one else "" for reason, one in zip(each, there.tolist(), strict=True)]
    return units.assign(
        context=np.where(there, units["context"] * by, units["context"]), notes=_joined(units["notes"], told)
    )


def _joined(notes: pd.Series, more: Sequence[str]) -> pd.Series:
    joined = ["; ".join(filter(None, pair)) for pair in zip(notes, more, strict=True)]
    return pd.Series(joined, index=notes.index, dtype=object)


def _infrastructure(units: pd.DataFrame, scene: Scene) -> list[str]:
    """Return what each unit is of the infrastructure, empty where it is none."""
    reasons = [""] * len(units)
    if {"dstport", "protocol"} <= set(units.columns):
        protocols = units["protocol"].astype("Int64").fillna(-1).to_numpy(np.int64)
        ports = units["dstport"].astype("Int64").fillna(-1).to_numpy(np.int64)
        reasons = [
            _INFRASTRUCTURE.get((protocol, port), "")
            for protocol, port in zip(protocols.tolist(), ports.tolist(), strict=True)
        ]
    special = units["to_special"].to_numpy(bool) if "to_special" in units.columns else np.zeros(len(units), bool)
    sources, targets = (
        list(units[end]) if end in units.columns else [""] * len(units) for end in ("srcaddr", "dstaddr")
    )
    services = [scene.services.get(address, "") for address in targets]
    callers = [scene.services.get(address, "") for address in sources]
    balancers = scene.kinds(sources)
    inside = units["to_inside"].to_numpy(bool)
    for place, (is_special, service, caller, kind) in enumerate(
        zip(special, services, callers, balancers, strict=True)
    ):
        if reasons[place]:
            continue
        if is_special:
            reasons[place] = "multicast or link-local"
        elif caller == "ROUTE53_HEALTHCHECKS" or (kind == "ELB" and inside[place]):
            reasons[place] = "health checks and requests of a load balancer" if kind else "Route 53 health checks"
        elif service and service not in _RENTED and not inside[place]:
            reasons[place] = f"the AWS service {service}"
    return reasons
