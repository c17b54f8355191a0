"""What flow logs never capture, by addresses, port and protocol.

Each check returns the reason as a sentence without its full stop, or None where it does not apply. The list is that of
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlens.cidr import PRIVATE, network
from flowlens.service import UDP
from flowlens.topology.coverage import joined, labels
from flowlens.topology.parts import Subnet
from flowlens.topology.traffic import Traffic

if TYPE_CHECKING:
    import netaddr

    from flowlens.topology.network import Topology

__all__ = ["IN_TOPOLOGY", "WHEREVER", "doubts", "doubts_without_topology", "reserved"]

_DNS_IS_NOT = "queries to the Amazon DNS server are never captured; those to a DNS server of your own are"

# Services that every host reaches over its own link. Addresses:
# https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html (253),
# the proxy settings of EC2Config and the routes of EC2Launch in the guide of EC2 for Windows (250, 251),
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (254),
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html (123),
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html (170.2),
# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html (170.23)
_ON_THE_LINK = {
    ("169.254.169.253", "fd00:ec2::253"): f"is the Amazon DNS server: {_DNS_IS_NOT}",
    ("169.254.169.250", "169.254.169.251", "fd00:ec2::250"): "is where Windows instances activate their licence, "
    "which is never captured",
    ("169.254.169.254", "fd00:ec2::254"): "is the instance metadata service, which is never captured",
    ("169.254.169.123", "fd00:ec2::123"): "is the Amazon Time Sync Service, which is never captured; "
    "its public servers, time.aws.com, are",
    ("169.254.170.2",): "is the metadata and credentials endpoint of ECS tasks, which never leaves the host",
    ("169.254.170.23", "fd00:ec2::23"): "is the EKS Pod Identity agent, which never leaves the host",
}
_SERVICES = {address: sentence for addresses, sentence in _ON_THE_LINK.items() for address in addresses}

_DHCP_PORTS = {4: (67, 68), 6: (546, 547)}
_VXLAN = 4789
_ROUTER = "the address of the default VPC router"


def _service(traffic: Traffic) -> str | None:
    return next((f"{end} {_SERVICES[str(end)]}" for end in traffic.ends if str(end) in _SERVICES), None)


def _inside_host(traffic: Traffic) -> str | None:
    if traffic.src == traffic.dst:
        return f"What {traffic.src} sends to itself stays inside the host and passes no network interface"
    loopback = next((end for end in traffic.ends if end.is_loopback()), None)
    return f"{loopback} is a loopback address: its traffic stays inside the host" if loopback else None


def _link_local(traffic: Traffic) -> str | None:
    end = next((end for end in traffic.ends if end.is_link_local()), None)
    return (
        f"{end} is a link-local address: its traffic stays between the host and what serves it, and is never captured"
        if end
        else None
    )


def _dhcp(traffic: Traffic) -> str | None:
    if traffic.may_be(UDP) and traffic.dst_port in _DHCP_PORTS[traffic.dst.version]:
        return f"Port {traffic.dst_port} of UDP is DHCP, which is never captured"
    return None


def _resolver(traffic: Traffic, topology: Topology) -> str | None:
    for near, far, port in traffic.both_ways():
        vpcs = _resolves_for(far, topology)
        if vpcs and traffic.may_be_dns(port) and _homes(near, topology) <= vpcs:
            return (
                f"{far} is the resolver of {joined(sorted(vpcs))} (base of the primary range plus two): {_DNS_IS_NOT}"
            )
    return None


def _router(traffic: Traffic, topology: Topology) -> str | None:
    return _kept_address(traffic, topology, only_router=True)


def reserved(traffic: Traffic, topology: Topology) -> str | None:
    """Find an address that AWS keeps in every subnet, other than that of the router.

    The limitations do not name them: at these there is nothing that could answer.
    """
    return _kept_address(traffic, topology, only_router=False)


def _kept_address(traffic: Traffic, topology: Topology, *, only_router: bool) -> str | None:
    """Find an address that AWS keeps in every subnet.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html. In another VPC than the sender's nobody can be
    sure: the packet then leaves the sender's interface as any other.
    """
    for near, far, _ in traffic.both_ways():
        if _resolves_for(far, topology):
            continue
        purposes = {
            subnet.vpc or "": (subnet, purpose)
            for subnet in topology.subnets_at(str(far))
            if (purpose := _purpose(far, subnet)) and (purpose == _ROUTER or not only_router)
        }
        if purposes and _homes(near, topology) <= purposes.keys():
            subnet, purpose = next(iter(purposes.values()))
            return f"{far} is {purpose} of {subnet.id}, which AWS reserves: traffic with it is never captured"
    return None


def _inside_interface(traffic: Traffic, topology: Topology) -> str | None:
    one, other = (set(topology.holders(str(end))) for end in traffic.ends)
    if one and one == other:
        return f"Both addresses are on {joined(labels(one))}: what stays inside one interface is never captured"
    return None


def _private_link(traffic: Traffic, topology: Topology) -> str | None:
    one, other = (topology.at(str(end)) for end in traffic.ends)
    for endpoints, balancers in ((one, other), (other, one)):
        if (
            endpoints
            and balancers
            and all(each.kind == "endpoint" for each in endpoints)
            and all(each.kind == "ELB" and str(each.name).endswith("(network)") for each in balancers)
        ):
            return "Traffic between the interface of an endpoint and that of a Network Load Balancer is never captured"
    return None


def doubts(traffic: Traffic, topology: Topology) -> list[str]:
    """Say, of traffic that may be logged, what speaks against it all the same."""
    return [*_other_resolver(traffic, topology), *_mirrored(traffic)]


def _other_resolver(traffic: Traffic, topology: Topology) -> list[str]:
    found = []
    for near, far, port in traffic.both_ways():
        vpcs, unknown = _resolves_for(far, topology), _homes(near, topology) - topology.vpcs.keys()
        if traffic.may_be_dns(port) and vpcs:
            found.append(f"{far} is the resolver of {joined(sorted(vpcs))}, which answers that VPC only.")
        elif traffic.may_be_dns(port) and unknown and _may_be_resolver(far):
            found.append(
                f"{far} may be the resolver of {joined(sorted(unknown))}: {_DNS_IS_NOT}. "
                "Add the output of `aws ec2 describe-vpcs` to the topology."
            )
    return found


def doubts_without_topology(traffic: Traffic) -> list[str]:
    """Say what an address may be that only a topology can tell."""
    found = []
    for _, far, port in traffic.both_ways():
        if _may_be_resolver(far) and traffic.may_be_dns(port):
            found.append(f"{far} may be the resolver of its VPC: {_DNS_IS_NOT}.")
        elif _may_be_of_vpc(far) and int(far) % 16 == 1:
            found.append(f"{far} may be the reserved address of the default router, whose traffic is never captured.")
    if not found:
        found = ["Nothing in the addresses, port and protocol speaks against it."]
    return [
        *found,
        "Pass a topology to know resolvers, reserved addresses and what flow logs cover.",
        *_mirrored(traffic),
    ]


def _mirrored(traffic: Traffic) -> list[str]:
    # https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-packet-formats.html
    if traffic.dst_port == _VXLAN and traffic.may_be(UDP):
        return ["UDP 4789 is VXLAN: mirrored traffic is captured at the mirror target only, never at its source."]
    return []


def _resolves_for(address: netaddr.IPAddress, topology: Topology) -> set[str]:
    """Return the VPCs whose resolver an address is; it stands in the primary IPv4 range.

    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    primary = {vpc.id: network(vpc.cidrs[0]) for vpc in topology.vpcs.values() if vpc.cidrs}
    return {
        id_ for id_, net in primary.items() if net.version == 4 == address.version and net.first + 2 == int(address)
    }


def _may_be_resolver(address: netaddr.IPAddress) -> bool:
    # Ranges of VPCs and subnets hold 16 addresses at least, and begin at multiples of their size.
    return _may_be_of_vpc(address) and int(address) % 16 == 2


def _may_be_of_vpc(address: netaddr.IPAddress) -> bool:
    return address.version == 4 and any(address in network(prefix) for prefix in PRIVATE)


def _homes(address: netaddr.IPAddress, topology: Topology) -> set[str]:
    """Return the VPCs in which an address may be: those of its interfaces, else of the subnets with that range."""
    placed = topology.at(str(address)) or topology.subnets_at(str(address))
    return {each.vpc for each in placed if each.vpc is not None}


def _purpose(address: netaddr.IPAddress, subnet: Subnet) -> str | None:
    """Say for what AWS reserves an address of a subnet, the first four and the last."""
    net = next(net for net in map(network, subnet.cidrs) if address in net)
    purposes = {
        net.first: "the network address",
        net.first + 1: _ROUTER,
        net.first + 2: "the address kept for DNS",
        net.first + 3: "the address kept for future use",
        net.last: "the broadcast address" if net.version == 4 else "the last address",
    }
    return purposes.get(int(address))


#: Checks that need addresses, port and protocol only.
WHEREVER = (_service, _inside_host, _link_local, _dhcp)
#: Checks that need to know the network.
IN_TOPOLOGY = (_resolver, _router, reserved, _inside_interface, _private_link)
