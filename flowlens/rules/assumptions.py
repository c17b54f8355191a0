"""What an answer takes for granted, because a topology does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowlens.rules.addresses import is_ipv6, number_of
from flowlens.rules.clients import ClientPorts
from flowlens.rules.ends import End
from flowlens.rules.hops import Hop
from flowlens.rules.nat import goes_out_through_another
from flowlens.rules.packets import Header, Outcome
from flowlens.rules.ports import ALL
from flowlens.rules.security_groups import GroupRule
from flowlens.rules.walk import Request, is_classic_balancer
from flowlens.service import TCP, UDP

if TYPE_CHECKING:
    from flowlens.rules.evaluate import Rules

__all__ = ["assumptions"]

_ANYWHERE = {False: "0.0.0.0/0", True: "::/0"}


def assumptions(
    rules: Rules,
    request: Request,
    ends: tuple[End, End],
    found: tuple[Hop, ...],
    ports: ClientPorts | None,
) -> tuple[str, ...]:
    """Return what is taken for granted, as sentences."""
    return (
        *_of_client(request, found, ports),
        *_of_path(*ends),
        *_of_tracking(rules, request, *ends),
        "Routes lead there and back, and somebody listens: route tables and hosts are not part of this.",
    )


def _of_client(request: Request, found: tuple[Hop, ...], ports: ClientPorts | None) -> Iterator[str]:
    sees_reply = any(hop.packet == "reply" and hop.layer == "network_acl" for hop in found)
    if request.src_port is None and ports is not None and sees_reply:
        yield f"The client asks from one of the ports {ports.first}-{ports.last}, those of {ports.whose}."


def _of_path(source: End, target: End) -> Iterator[str]:
    for end in (source, target):
        if end.is_outside:
            yield f"{end.asked} is outside the topology: filters on its side are not part of this."
    if goes_out_through_another(source, target):
        yield f"{source} has no public address: a NAT gateway of its VPC, or an endpoint, is on the way."
    if target.interface is not None and target.interface.kind == "NAT gateway":
        yield f"{target} is a NAT gateway: it drops what nobody behind it has asked for, whatever the filters say."
    if source.subnet is not None and source.subnet == target.subnet and not target.is_translated:
        yield f"The traffic stays inside {source.subnet}, so that its network ACL sees nothing of it."
        if is_classic_balancer(source):
            yield "Of a Classic Load Balancer the network ACL sees what leaves it, and not the replies."
    if source.vpc is not None and target.vpc is not None and source.vpc != target.vpc:
        yield (
            f"A peering connection or a transit gateway joins {source.vpc} and {target.vpc}; over a transit gateway, "
            "references to security groups count only where it supports them, and the network ACLs of its own subnets "
            "are not part of this."
        )


def _of_tracking(rules: Rules, request: Request, source: End, target: End) -> Iterator[str]:
    """Say where a connection is not tracked: all the more depends on the rules then.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#untracked-connections
    """
    if request.protocol not in {TCP, UDP}:
        return
    for end, remote, egress in ((source, request.dst, True), (target, source.address, False)):
        if end.interface is None or not end.interface.security_groups:
            continue
        decision = rules.of_groups(end.interface, egress=egress, header=request.going_to(remote))
        reply = Header(request.protocol, remote, (0, 65_535))
        opposite = rules.of_groups(end.interface, egress=not egress, header=reply)
        open_to_all = [rule for rule in decision.rules if _is_open(rule, remote)]
        answers = [rule for rule in opposite.rules if _is_open(rule, remote) and _is_for_all_ports(rule, request)]
        if decision.outcome is Outcome.ALLOW and open_to_all and answers:
            yield (
                f"{end} does not track the connection, as {open_to_all[0].name} and {answers[0].name} are open to all: "
                "removing either of them cuts live connections."
            )


def _is_open(rule: GroupRule, remote: str) -> bool:
    return rule.peer == _ANYWHERE[is_ipv6(number_of(remote))]


def _is_for_all_ports(rule: GroupRule, request: Request) -> bool:
    return rule.ports.protocol in (ALL, request.protocol) and rule.ports.are_all
