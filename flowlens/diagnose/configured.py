"""What the rules of the topology say to each refused packet. Each distinct packet is asked about once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flowlens.diagnose.agreement import agreed
from flowlens.diagnose.evidence import EGRESS, UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import Numbers, Truths, shared_ids
from flowlens.rules import AclDecision, GroupsDecision, Header, Hop, Outcome, Rules
from flowlens.service import ICMP, ICMPV6
from flowlens.topology import Topology
from flowlens.topology.parts import Interface

__all__ = ["Configured", "configured"]

#: Types of an echo request and of the reply to it.
_ECHO = {ICMP: (8, 0), ICMPV6: (128, 129)}

#: Whether it is no ICMP, a ping in this direction, or perhaps the reply to one in the other.
_NO_PING, _PINGED, _BOTH_PINGED = 0, 1, 2

#: What AWS gives a reason for: nothing that rules could tell.
_TOLD = ("public_access", "encryption", "other_reason")
#: What was allowed once is refused for want of a state, not of a rule.
_BY_STATE = {"LATE_PACKET", "CONNTRACK_EXPIRED"}


@dataclass(frozen=True, slots=True)
class Configured:
    """What follows for each case.

    Attributes
    ----------
    ruling
        The ruling by log and rules together.
    blocked_by
        The filters that refuse, as dicts; an empty list where the rules do not tell.
    said
        What the rules say, as sentences.
    code
        What the Reachability Analyzer calls the first refusal, or None.
    """

    ruling: np.ndarray
    blocked_by: np.ndarray
    said: np.ndarray
    code: np.ndarray


@dataclass(frozen=True, slots=True)
class _Answer:
    """What both filters at an interface say to a packet without state; None for a filter that is not asked."""

    groups: GroupsDecision
    acl: AclDecision | None
    is_ping: bool

    @property
    def outcomes(self) -> tuple[Outcome, Outcome]:
        return self.groups.outcome, Outcome.ALLOW if self.acl is None else self.acl.outcome


def configured(facts: Facts, ruling: np.ndarray, topology: Topology, *, wanted: Truths) -> Configured:
    """Ask the rules about each case; of those that somebody wants, near misses are said, too."""
    asked = facts.homes.is_known[facts.of("interface")] & facts.knows_way & ~np.isin(ruling, _TOLD)
    place, answers = _answers(facts, asked, topology)
    groups, acl = (
        np.array([each.outcomes[side] for each in answers] + [Outcome.UNKNOWN], object)[place] for side in (0, 1)
    )
    is_ping = np.array([each.is_ping for each in answers] + [False], bool)[place]
    ruled = np.where(asked, agreed(facts, ruling, groups, acl, is_ping=is_ping), ruling)
    found = Configured(ruled, *(np.empty(len(ruled), object) for _ in range(3)))
    found.blocked_by[:], found.said[:] = [[] for _ in ruled], ""
    _report_answers(found, facts, np.where(asked, place, UNKNOWN), answers, wanted)
    _report_strangers(found, facts)
    found.code[facts.of("reason").astype(str) == "BPA"] = "VPC_BLOCK_PUBLIC_ACCESS_ENABLED"
    return found


def _answers(facts: Facts, asked: Truths, topology: Topology) -> tuple[Numbers, list[_Answer]]:
    """Return the answers to the distinct packets, and for each case the place of its answer, or -1."""
    names = ("interface", "egress", "protocol", "remote", "dst_port")
    pinged = np.where(facts.other_way_passed | facts.request_came_elsewhere, _BOTH_PINGED, _PINGED)
    key = [
        *(facts.of(name) for name in names), facts.stays_inside, np.where(facts.is_icmp, pinged, _NO_PING)
    ]  # fmt: skip
    ids = shared_ids([column[asked] for column in key])[0]
    _, first, back = np.unique(ids, return_index=True, return_inverse=True)
    place: Numbers = np.full(len(asked), UNKNOWN)
    place[asked] = back
    known, words = topology.interfaces, facts.evidence.addresses.astype(object)
    interfaces = {place: known[id_] for place, id_ in enumerate(facts.evidence.interfaces) if id_ in known}
    answers = []
    for values in zip(*(column[asked][first].tolist() for column in key), strict=True):
        interface, egress, protocol, remote, port, is_inside, ping = values
        header = Header(protocol, words[remote], port if port > 0 or protocol in {6, 17} else None)
        at = interfaces[interface], egress == EGRESS, is_inside
        answers.append(_answer(topology.rules, at, header, ping))
    return place, answers


#: An interface, whether the packet leaves it, and whether it stays inside the subnet.
_At = tuple[Interface, bool, bool]


def _answer(rules: Rules, at: _At, header: Header, ping: int) -> _Answer:
    answer = _asked(rules, at, header, is_ping=False)
    if ping == _NO_PING or Outcome.UNKNOWN not in answer.outcomes:
        return answer
    # No record shows the type of ICMP. Where it matters, it is most likely a ping.
    request, reply = (
        _asked(rules, at, header._replace(icmp_type=kind, icmp_code=0), is_ping=True) for kind in _ECHO[header.protocol]
    )
    if ping == _PINGED or request.outcomes == reply.outcomes:
        # What the filters let pass was not refused.
        refused = (each for each in (request, reply) if set(each.outcomes) != {Outcome.ALLOW})
        return next(refused, answer)
    # With pings both ways it may be either.
    return answer


def _asked(rules: Rules, at: _At, header: Header, *, is_ping: bool) -> _Answer:
    interface, egress, is_inside = at
    groups = rules.of_groups(interface, egress=egress, header=header)
    acl = None if is_inside else rules.of_acl(interface.subnet, egress=egress, header=header)
    return _Answer(groups, acl, is_ping)


def _report_answers(
    found: Configured, facts: Facts, place: Numbers, answers: Sequence[_Answer], wanted: Truths
) -> None:
    """Fill in blockers, sentences and codes: once for each answer and ruling."""
    cases = np.flatnonzero(place != UNKNOWN)
    if not len(cases):
        return
    _, kind = np.unique(found.ruling, return_inverse=True)
    # A security group is asked about what begins a connection, and lets the rest of it pass.
    begins = ~((facts.other_way_passed & ~facts.opens) | facts.answers | facts.is_tail)
    alike = [place, kind, facts.of("interface"), facts.of("egress"), begins, wanted]
    ids = shared_ids([column[cases] for column in alike])[0]
    order = np.argsort(ids, kind="stable")
    for group in np.split(cases[order], np.flatnonzero(np.diff(ids[order])) + 1):
        first = int(group[0])
        answer = answers[place[first]]
        hops = _hops(facts, first, answer, str(found.ruling[first]), begins=bool(begins[first]))
        sentences = _sentences(answer, hops, with_misses=bool(wanted[first]))
        for case in group.tolist():
            found.blocked_by[case] = [hop.as_blocker() for hop in hops]
            found.said[case] = sentences
            found.code[case] = hops[0].aws_code if hops else None


def _report_strangers(found: Configured, facts: Facts) -> None:
    """Say of which interfaces the topology knows nothing: it may be that of another VPC."""
    strange = ~facts.homes.is_known[facts.of("interface")] & ~np.isin(found.ruling, _TOLD)
    for case in np.flatnonzero(strange).tolist():
        name = facts.evidence.interfaces[facts.of("interface")[case]]
        found.said[case] = f"The topology has no {name}, so that its rules say nothing of this."


def _hops(facts: Facts, case: int, answer: _Answer, ruling: str, *, begins: bool) -> list[Hop]:
    """Return the filters that refuse at the interface, in the order of the packet."""
    layers = RULINGS[ruling].candidates
    if RULINGS[ruling].verdict in _BY_STATE or not layers:
        return []
    egress = bool(facts.is_egress[case])
    interface, home = facts.of("interface")[case], facts.subnet[case]
    here = Hop(
        position=1,
        packet="request",
        layer="security_group",
        direction="egress" if egress else "ingress",
        interface=str(facts.evidence.interfaces[interface]),
        subnet=facts.homes.subnets[home] if home >= 0 else None,
        outcome=Outcome.DENY,
    )
    found = []
    if answer.groups.outcome is Outcome.DENY and (begins or "SG" in layers):
        code = "ENI_SG_RULES_MISMATCH" if answer.groups.has_rules else "SG_HAS_NO_RULES"
        groups, misses = facts.homes.security_groups[interface], answer.groups.near_misses
        found.append(replace(here, security_groups=groups, rule="missing", near_misses=misses, aws_code=code))
    if answer.acl is not None and answer.acl.outcome is Outcome.DENY:
        code = "ELB_ACL_RESTRICTION" if facts.same_subnet[case] else "SUBNET_ACL_RESTRICTION"
        acl, number, rule = answer.acl.network_acl, answer.acl.rule_number, answer.acl.rule
        found.append(replace(here, layer="network_acl", network_acl=acl, rule=rule, rule_number=number, aws_code=code))
    return found if egress else found[::-1]


def _sentences(answer: _Answer, hops: Sequence[Hop], *, with_misses: bool) -> str:
    texts = []
    for hop in hops:
        if hop.layer == "network_acl":
            kind = "the implicit last entry" if hop.rule == "implicit deny" else f"entry {hop.rule_number}"
            texts.append(f"{kind[0].upper()}{kind[1:]} of {hop.network_acl} refuses it.")
        else:
            near = f" Nearest: {hop.near_misses[0]}." if hop.near_misses and with_misses else ""
            texts.append(f"No rule of {', '.join(hop.security_groups)} allows it.{near}")
    acl = () if answer.acl is None else answer.acl.unknown
    missing = dict.fromkeys((*answer.groups.unknown, *acl))
    texts += [f"Not known: {sentence}" for sentence in missing]
    if answer.is_ping:
        texts.append("The type of ICMP is not logged; this is for a ping.")
    return " ".join(texts)
