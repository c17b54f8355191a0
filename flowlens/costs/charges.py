"""The path that bytes are charged by, how it is known, and what would tell where it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlens.costs.nat import Translated
from flowlens.costs.scene import NOBODY, NOWHERE, Scene

__all__ = ["BY_GATEWAY_ENDPOINT", "UNATTRIBUTED", "Case", "Charges", "of_pairs", "of_translated"]


UNATTRIBUTED = "unattributed"

#: Values of the field traffic-path.
#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
_VPC, _EITHER, _VPN, _PEERING, _REGIONS, _LOCAL, _GATEWAY_ENDPOINT, _INTERNET = range(1, 9)

#: Services that have a gateway endpoint. https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
BY_GATEWAY_ENDPOINT = ("S3", "DYNAMODB")

#: The range that other customers' and one's own public addresses lie in, which is no service to have an endpoint for.
_PUBLIC_ADDRESSES = "EC2"

_ZONES = ("az-id", "next-hop-az-id")
_SERVICES = ("pkt-src-aws-service", "pkt-dst-aws-service")
_REAL_ENDS = ("pkt-srcaddr", "pkt-dstaddr")
_WAY = ("flow-direction", "traffic-path", "next-hop-interface-type")


@dataclass(frozen=True, slots=True)
class Case:
    """A path and how it is known; `missing` are the fields that would tell more."""

    path: str
    why: str
    missing: tuple[str, ...] = ()

    def lacking(self, scene: Scene) -> tuple[str, ...]:
        return tuple(field for field in self.missing if field.replace("-", "_") not in scene.columns)


#: Bytes that are charged alike: the case, and a frame of `via` (a place), `src`, `dst` (addresses) and `bytes`.
Charges = list[tuple[Case, pd.DataFrame]]


def _unknown(why: str, *missing: str) -> Case:
    return Case(UNATTRIBUTED, why, missing)


_PUBLIC = _unknown(
    "One end is a public address of EC2, to which the price depends on its region; no field tells the region of the "
    "other end."
)


def of_pairs(scene: Scene, pairs: pd.DataFrame) -> Charges:
    """Return what is charged for the bytes that went between ends without a NAT gateway."""
    cases = _cases(scene, pairs)
    number = np.select([holds for holds, _ in cases], range(len(cases)), len(cases) - 1)
    via = pairs["transit"].where(pairs["transit"] != NOWHERE, pairs["endpoint"])
    ends = pairs[["src", "dst", "bytes"]].assign(via=via)
    return [(case, ends[number == place]) for place, (_, case) in enumerate(cases)]


def _cases(scene: Scene, pairs: pd.DataFrame) -> list[tuple[np.ndarray, Case]]:
    """Return what may hold for pairs, and what follows; the first that holds counts, and the last one always does."""
    path = pairs["path"].to_numpy()
    transit, endpoint = (pairs[column].to_numpy() != NOWHERE for column in ("transit", "endpoint"))
    zones = _known_and(scene.zones, pairs["src"].to_numpy(), pairs["dst"].to_numpy())
    return [
        (
            transit,
            Case("transit gateway", "It was logged at a transit gateway, or one was the next hop; each byte counts "
            "once, where it was sent into it."),
        ),
        (endpoint, Case("interface endpoint", "An interface endpoint was one end, or the next hop.")),
        (path == _GATEWAY_ENDPOINT, Case("gateway endpoint", "traffic-path 7: by a gateway endpoint.")),
        (path == _VPN, Case("virtual private gateway", "traffic-path 3: by a virtual private gateway, VPN or Direct "
         "Connect, whose price is not one of data transfer in this table.")),
        (path == _REGIONS, Case("inter-region peering", "traffic-path 5: by VPC peering to another region. Each side "
         "pays for what it sends, at the price of its region.")),
        (path == _LOCAL, Case("local gateway or zone", "traffic-path 6: by a local gateway, or to a Local or "
         "Wavelength Zone.")),
        *_peering(path == _PEERING, zones),
        *_by_internet_gateway(scene, pairs),
        *_within(scene, pairs, zones),
        *_unknown_ways(scene, pairs),
    ]  # fmt: skip


def _known_and(words: np.ndarray, src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell where the words of both ends, as their zones, are known and differ, and where they are the same."""
    # As numbers: there are many pairs and few zones. 0 is that none is known.
    numbers = np.unique(np.append(words.astype(str), ""), return_inverse=True)[1][:-1]
    known = (numbers[src] > 0) & (numbers[dst] > 0)
    return known & (numbers[src] != numbers[dst]), known & (numbers[src] == numbers[dst])


def _peering(peered: np.ndarray, zones: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, Case]]:
    across, same = zones
    why = "traffic-path 4: by VPC peering within the region"
    return [
        (peered & across, Case("VPC peering, cross-AZ", f"{why}, and the zones of the ends differ.")),
        (peered & same, Case("VPC peering, same zone", f"{why}, within one zone, which is free.")),
        (peered, _unknown(f"{why}, of which the price depends on the zones; that of one end is not known.", *_ZONES)),
    ]


def _by_internet_gateway(scene: Scene, pairs: pd.DataFrame) -> list[tuple[np.ndarray, Case]]:
    path, src, dst = (pairs[column].to_numpy() for column in ("path", "src", "dst"))
    near = scene.internal[src]
    one_outside = near != scene.internal[dst]
    own = np.where(near, src, dst)
    public = (path == 0) & one_outside & scene.public[own]
    told = np.isin(path, (_EITHER, _INTERNET))
    of_service, of_ec2, of_gateway = (
        _of_either(scene.services, among, src, dst)
        for among in (set(scene.services) - {""}, {_PUBLIC_ADDRESSES}, set(BY_GATEWAY_ENDPOINT))
    )
    # The sender's interface told the path; that of what comes in is told by the opposite direction.
    leaves = np.where(told, ~pairs["mirrored"].to_numpy(bool), near)
    by_gateway = told | public
    perhaps = (path == _EITHER) & ~np.full(len(pairs), _told_services(scene))
    perhaps |= (path == _EITHER) & of_gateway
    out = by_gateway & leaves
    return [
        (by_gateway & of_ec2, _PUBLIC),
        (perhaps & of_service, Case("AWS service", "traffic-path 2: perhaps by a gateway endpoint, perhaps by an "
         "internet gateway; both are free where the service is in the same region, which no field tells.")),
        (by_gateway & of_service, Case("AWS service", "By an internet gateway to or from an AWS service: free "
         "within the region. The log does not tell the region of the other end.")),
        (out & perhaps, Case("internet egress", "traffic-path 2: perhaps by an internet gateway, perhaps by a gateway "
         "endpoint, which would be free.", _SERVICES)),
        (out & public, Case("internet egress", "The topology has a public address for the source, so it leaves by an "
         "internet gateway.", (*_SERVICES, "traffic-path"))),
        (out & told, Case("internet egress", "By an internet gateway, told by traffic-path.", _SERVICES)),
        (by_gateway, Case("internet ingress", "Comes in by an internet gateway, which is free.")),
    ]  # fmt: skip


def _of_either(services: np.ndarray, among: set[str], src: np.ndarray, dst: np.ndarray) -> np.ndarray:
    """Tell which pairs have an end that is of some services."""
    has = np.array([service in among for service in services], bool)
    either: np.ndarray = has[src] | has[dst]
    return either


def _told_services(scene: Scene) -> bool:
    return {"pkt_src_aws_service", "pkt_dst_aws_service"} <= scene.columns


def _within(scene: Scene, pairs: pd.DataFrame, zones: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, Case]]:
    path, src, dst = (pairs[column].to_numpy() for column in ("path", "src", "dst"))
    both = scene.internal[src] & scene.internal[dst]
    told = both & (path == _VPC)
    differ, equal = _known_and(scene.vpcs, src, dst)
    elsewhere = both & (path == 0) & differ
    one = told | (both & (path == 0) & equal)
    perhaps = both & (path == 0) & ~differ & ~equal
    across, same = zones
    return [
        (elsewhere, _unknown("Between two VPCs of the log, by peering or by a transit gateway.", *_WAY[1:])),
        (one & across, Case("cross-AZ", "Within a VPC, and the zones of the ends differ.")),
        (one & same, Case("same zone", "Within a VPC and a zone, which is free.")),
        (perhaps & across, Case("cross-AZ", "The zones of the ends differ. The way is not told; by a transit gateway "
         "it would be charged otherwise.", _WAY[1:])),
        (perhaps & same, Case("same zone", "Within one zone, which is free unless it went by a transit gateway; the "
         "way is not told.", _WAY[1:])),
        (both, _unknown("Between internal addresses, the zone of one of which is not known.", *_ZONES)),
    ]  # fmt: skip


def _unknown_ways(scene: Scene, pairs: pd.DataFrame) -> list[tuple[np.ndarray, Case]]:
    path = pairs["path"].to_numpy()
    comes, leaves = (scene.internal[pairs[end]] for end in ("dst", "src"))
    # Of what is answered the answers would have told the path.
    unanswered = np.full(len(pairs), "traffic_path" in scene.columns) & comes & ~leaves & (path == 0)
    return [
        (path == _VPC, _unknown("Between an internal and an external address by something else in the VPC, such as a "
         "NAT gateway or a firewall, of which there are no records.", "next-hop-interface-type",
         "next-hop-interface-id")),
        (unanswered, Case("internet ingress", "Comes in from an external address, and no answer tells the way; what "
         "comes from the internet is free.")),
        (comes | leaves, _unknown("Between an internal and an external address; nothing tells whether by an internet "
         "gateway, a NAT gateway, an endpoint or a VPN. A topology tells which interfaces are gateways.", *_WAY)),
        (np.full(len(pairs), True), _unknown("Neither end is known to be an internal address. A topology tells which "
         "are.", *_WAY)),
    ]  # fmt: skip


def of_translated(scene: Scene, through: Translated, pairs: pd.DataFrame) -> Charges:
    """Return what is charged for the bytes that went through NAT gateways.

    That is up to three times: for the processing, for what leaves to the internet, and for the way between the client
    and a gateway in another zone.
    """
    ends = through.pairs.rename(columns={"nat": "via", "client": "src", "far": "dst"})
    far = ends["dst"].to_numpy()
    service = np.where(far == NOBODY, "", scene.services[far]) if len(far) else np.empty(0, object)
    leaves = ends["out"].to_numpy(bool) & ((far == NOBODY) | ~_at(scene.internal, far))
    inferred = _at(scene.inferred, ends["via"].to_numpy())
    egress = Case("internet egress", "Left for the internet behind a NAT gateway, beside the price of its processing. "
        "Ranges of AWS services are not counted here.", _SERVICES)  # fmt: skip
    across = Case("cross-AZ", "Between a client and a NAT gateway in another zone, in both directions, beside the "
        "price of its processing.")  # fmt: skip
    dropped = _unknown("Came to a NAT gateway from outside without having been asked for; it drops that.")
    unsolicited = pd.DataFrame([[NOWHERE, NOBODY, NOBODY, through.unsolicited]], columns=["via", "src", "dst", "bytes"])
    return [
        (_PROCESSED, ends[~inferred]),
        (_PERHAPS_PROCESSED, ends[inferred]),
        (egress, ends[leaves & (service == "")]),
        (_PUBLIC, ends[leaves & (service == _PUBLIC_ADDRESSES)]),
        (across, ends[_across(scene, ends, pairs)].assign(dst=NOBODY)),
        (dropped, unsolicited[unsolicited["bytes"] > 0]),
    ]


_PROCESSED = Case(
    "NAT gateway", "Processed by a NAT gateway, in both directions, each byte once.", (*_REAL_ENDS, *_SERVICES)
)
_PERHAPS_PROCESSED = Case(
    "NAT gateway",
    "Processed by what looks like a NAT gateway: it belongs to no instance and has packets of internal clients for "
    "external ends, in both directions, each byte once. A load balancer that preserves client addresses would look "
    "alike; a topology tells.",
    (*_REAL_ENDS, *_SERVICES, "interface-type"),
)


def _at(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the values at some places, of which there may be none."""
    found: np.ndarray = values[numbers] if len(values) else np.zeros(len(numbers), bool)
    return found


def _across(scene: Scene, ends: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Tell what passed between a client and a gateway in another zone.

    By way of a transit gateway that is free.
    https://aws.amazon.com/about-aws/whats-new/2022/04/aws-data-transfer-price-reduction-privatelink-transit-gateway-client-vpn-services/
    """
    if ends.empty:
        return np.zeros(0, bool)
    gateway, client = scene.zones_of_places[ends["via"]], scene.zones[ends["src"]]
    known = (gateway != "") & (client != "") & (ends["src"] != NOBODY).to_numpy()
    transit = pairs[pairs["transit"] != NOWHERE]
    by_transit = ends["src"].isin({*transit["src"], *transit["dst"]}).to_numpy()
    across: np.ndarray = known & (gateway != client) & ~by_transit
    return across
