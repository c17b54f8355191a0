"""The ruling for each case: the decision tables, read from the top; the first that applies counts.

Most of it is what https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html says of the two
filters: a security group remembers connections, a network ACL does not, and inside a subnet there is none.
"""

from __future__ import annotations

import numpy as np

from flowlens.diagnose.around import UDP, UDP_IDLE, USUAL_TCP_IDLE
from flowlens.diagnose.evidence import UNKNOWN
from flowlens.diagnose.facts import STABLE, Facts
from flowlens.diagnose.places import hole, next_door, shared_layer
from flowlens.reduce.rejects import LAG

__all__ = ["rulings_of"]


def rulings_of(facts: Facts) -> np.ndarray:
    """Return the name of the ruling of each case, a key of `rulings.RULINGS`."""
    ruling = np.full(len(facts.cases), "", "<U32")
    for decide in (_reasons, _tails, _mixed, _replies, _answers_alone, _tails_alone, _alone):
        for name, holds in decide(facts):
            ruling[(ruling == "") & holds] = name
    return ruling


def _reasons(f: Facts) -> list[tuple[str, np.ndarray]]:
    """AWS says why."""
    reason = f.of("reason").astype(str)
    return [
        ("public_access", reason == "BPA"),
        ("encryption", reason == "EC"),
        ("other_reason", reason != ""),
        ("no_direction", f.of("egress") == UNKNOWN),
    ]


def _tails(f: Facts) -> list[tuple[str, np.ndarray]]:
    """More packets of a connection that had passed here, none of which opens anything."""
    tail = f.is_tail & f.passed_before
    timeout = f.homes.idle_timeout[f.of("interface")]
    is_set = timeout != UNKNOWN
    # The times of records lag behind the packets by up to a minute.
    forgotten = f.idle - LAG > np.where(is_set, timeout, USUAL_TCP_IDLE)
    filtered = ~f.has_no_group & ~f.may_have_no_group
    tail &= filtered
    return [
        ("long_after_close", tail & f.closed & (f.idle > STABLE)),
        ("after_close", tail & f.closed & ~f.goes_on & ~f.lost_records),
        ("perhaps_after_close", tail & f.closed),
        ("after_idle_timeout", tail & forgotten & is_set & (f.idle <= STABLE) & ~f.lost_records),
        ("long_after_idle_timeout", tail & forgotten & is_set),
        ("after_silence", tail & forgotten),
        ("changed", tail),
    ]


def _mixed(f: Facts) -> list[tuple[str, np.ndarray]]:
    """The very same both accepted and refused, near in time."""
    mixed = f.same_way_passed
    blind = f.is_tcp & ~f.has_flags
    ended = f.other_way_passed & ~f.goes_on
    is_reply = f.of("src_port") < f.of("dst_port")
    return [
        ("icmp_mixed", mixed & f.is_icmp),
        ("perhaps_after_close", mixed & f.answers & f.closed),
        ("fixed_or_changed", mixed & f.opens & f.new_ones_pass_here),
        ("perhaps_late", mixed & blind & ended),
        ("after_silence", blind & f.passed_before & (f.idle > USUAL_TCP_IDLE) & is_reply),
        ("changed", mixed & ~f.opens),
    ]


def _replies(f: Facts) -> list[tuple[str, np.ndarray]]:
    """The other direction passed here, near in time, and this one never did."""
    reply = f.other_way_passed & ~f.opens
    first_answer = reply & (f.answers | f.resets) & f.request_passed & ~f.other_way_ended
    is_udp = f.of("protocol") == UDP
    return [
        ("reply_without_group", reply & f.has_no_group & ~f.same_subnet),
        ("icmp_in_subnet", reply & f.stays_inside & f.is_icmp),
        ("reply_in_subnet", reply & f.stays_inside),
        ("syn_ack_refused_lossy", first_answer & f.lost_records),
        ("syn_ack_refused_sibling", first_answer & f.has_sibling),
        # AWS puts the flags of all packets of a window together: a SYN and a SYN-ACK on the same ports look like one.
        ("syn_ack_refused_both", first_answer & f.asks_too),
        ("syn_ack_refused_strays", first_answer & f.strays_from_request),
        ("syn_ack_refused", first_answer),
        ("reply_passed_acl", reply & f.acl_passes & ~f.has_flags & ~f.may_have_no_group),
        ("reply_too_late", reply & is_udp & (f.other_way_idle > UDP_IDLE)),
        ("reply_refused", reply),
    ]


def _answers_alone(f: Facts) -> list[tuple[str, np.ndarray]]:
    """What answers a request that did not pass here."""
    return [
        ("other_interface", f.request_came_elsewhere & ~f.opens),
        ("no_group", f.answers & f.has_no_group & ~f.same_subnet),
        ("tail_passed_acl", f.answers & (f.stays_inside | f.acl_passes)),
        ("syn_ack_alone_out", f.answers & f.is_egress),
        ("syn_ack_alone_in", f.answers),
    ]


def _tails_alone(f: Facts) -> list[tuple[str, np.ndarray]]:
    in_subnet = f.stays_inside
    return [
        ("no_group", f.is_tail & f.has_no_group & ~in_subnet & ~f.acl_passes),
        ("tail_passed_acl", f.is_tail & (in_subnet | f.acl_passes) & ~f.has_no_group),
        ("tail_alone", f.is_tail & ~f.has_no_group),
    ]


def _alone(f: Facts) -> list[tuple[str, np.ndarray]]:
    """A request of which nothing passed: both filters stand before the place where it is logged."""
    always = np.ones(len(f.cases), bool)
    is_udp = f.of("protocol") == UDP
    # Whether it is a request at all can only be seen from flags, or from what else there is of the conversation.
    is_request = f.opens | (~f.is_tcp & ~f.lost_records & ~f.passed_before & (f.other_way_idle == UNKNOWN))
    in_subnet = f.stays_inside
    passes_acl = f.acl_passes & ~f.may_have_no_group
    only_rejects = always & (not len(f.evidence.residents) or _nothing_accepted(f))
    # That a subnet accepts nothing tells little where no other one does either: many a log has refused traffic only.
    none_elsewhere = only_rejects & (len(f.homes.subnets) > 1)
    return [
        ("nothing_left", f.has_no_group & (in_subnet | f.acl_passes)),
        ("nothing_left", f.may_have_no_group & f.acl_passes),
        ("no_group", f.has_no_group),
        ("nothing_left", f.groups_pass & (in_subnet | f.acl_passes)),
        ("groups_pass", f.groups_pass & ~f.new_ones_pass_here),
        ("fixed_or_changed", f.opens & f.new_ones_pass_here),
        ("passes_acl", passes_acl & f.opens),
        ("in_subnet", in_subnet & is_request),
        ("perhaps_in_subnet", f.same_subnet & f.may_cross & ~passes_acl),
        ("cut_off", f.cut_off & f.opens),
        ("reply_passed_acl", passes_acl & ~f.is_tcp & f.same_values_pass_here),
        ("passes_acl", passes_acl & is_request),
        ("is_not_acl", passes_acl | in_subnet),
        ("perhaps_no_group", f.may_have_no_group),
        ("reply_too_late", is_udp & (f.other_way_idle != UNKNOWN)),
        ("passed_acl_once", f.acl_passed_once & ~f.new_ones_pass_here),
        ("hole", hole(f)),
        ("reply_shape", only_rejects & _looks_like_reply(f)),
        ("shared_layer", shared_layer(f) & ~none_elsewhere),
        ("served_next_door", next_door(f)),
        ("alone", always),
    ]


def _nothing_accepted(f: Facts) -> bool:
    residents = f.evidence.residents
    return bool((residents["accepted_in"] + residents["accepted_out"]).sum() == 0)


def _looks_like_reply(f: Facts) -> np.ndarray:
    """From the port of a service to one that clients take, where no flag tells."""
    service, client = f.of("src_port"), f.of("dst_port")
    shape: np.ndarray = (service > 0) & (service < 1024) & (client >= 1024) & ~f.has_flags & f.is_egress
    return shape
