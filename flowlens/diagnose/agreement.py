"""The ruling that follows from log and rules together.

The log tells what is possible and the rules tell what is possible: the filter that refused is in both.
"""

from __future__ import annotations

import numpy as np

from flowlens.diagnose.codes import Certainty
from flowlens.diagnose.evidence import UNKNOWN
from flowlens.diagnose.facts import Facts
from flowlens.diagnose.rulings import RULINGS
from flowlens.diagnose.spans import Numbers, Truths
from flowlens.rules import Outcome

__all__ = ["agreed"]

_SG, _NACL = 1, 2
_LAYERS = {"SG": _SG, "NACL": _NACL}

#: Refused although the security group knew the connection, and because it did not.
_TRACKED = ("syn_ack_refused", "syn_ack_refused_lossy", "syn_ack_refused_sibling")
_NOT_TRACKED = ("after_close", "after_idle_timeout", "other_interface")
_OVER = (
    "after_close", "long_after_close", "perhaps_after_close", "perhaps_late", "after_silence", "after_idle_timeout",
    "long_after_idle_timeout",
)  # fmt: skip
#: Rulings that name why the security group did not know the connection.
_STATES = {
    "after_close": "after_close",
    "after_idle_timeout": "after_idle_timeout",
    "long_after_close": "rules_late",
    "long_after_idle_timeout": "rules_idle_timeout",
    "perhaps_after_close": "rules_late",
    "perhaps_late": "rules_late",
    "after_silence": "rules_silence",
    "other_interface": "rules_asymmetric",
}
_STATE_VERDICTS = {"LATE_PACKET", "CONNTRACK_EXPIRED", "SG_STATE", "ASYMMETRIC_PATH"}
_CHANGED = ("changed", "fixed_or_changed", "nothing_left")


def agreed(facts: Facts, ruling: np.ndarray, groups: np.ndarray, acl: np.ndarray, *, is_ping: Truths) -> np.ndarray:
    """Return the name of the ruling for each case.

    Parameters
    ----------
    facts
        What is known of the cases.
    ruling
        That of the log alone.
    groups, acl
        What security groups and network ACL say to a packet without state.
    is_ping
        Whether they say so of a ping only.
    """
    # Whether the network ACL was asked is not known then.
    perhaps_inside = facts.same_subnet & facts.may_cross & (acl == Outcome.DENY)
    acl = np.where(perhaps_inside, Outcome.UNKNOWN, acl)
    names, kind = np.unique(ruling, return_inverse=True)
    by_log = np.array([sum(_LAYERS[layer] for layer in RULINGS[name].candidates) for name in names], np.int64)[kind]
    # What the same groups let in elsewhere was no new connection, perhaps, where their rules refuse it: hosts can ask
    # both ways on the same ports.
    despite = (ruling == "groups_pass") & (groups == Outcome.DENY)
    by_log = np.where(despite, _SG | _NACL, by_log)
    both = by_log & _by_rules(facts, ruling, groups, acl)
    is_certain = np.array([RULINGS[name].certainty is Certainty.CERTAIN for name in names], bool)[kind] & ~despite
    state = np.array([_STATES.get(name, "rules_state") for name in names], "<U32")[kind]
    is_state = np.array([RULINGS[name].verdict in _STATE_VERDICTS for name in names], bool)[kind]
    # What the log takes for a reply because the same values pass here is none where nothing of it ever passed.
    unanswered = ~facts.is_tcp & (facts.other_way_idle == UNKNOWN)
    is_state &= ~unanswered | facts.other_way_passed | (ruling == "other_interface")
    is_reply = (facts.other_way_passed & ~facts.opens) | facts.is_tail | facts.answers | is_state
    changed = np.isin(ruling, _CHANGED)
    # A ping in the other direction has the same key, so that it never is certain what a pair of ICMP is; and so has a
    # request on the same ports the other way round, where the log shows nothing of it until later.
    both_pinged = facts.is_icmp & facts.other_way_passed
    asked_later = facts.other_way_passed & (facts.other_way_idle == UNKNOWN)
    asked_later &= ~(facts.opens | facts.is_tail | facts.answers)
    perhaps_asked = asked_later | (unanswered & facts.lost_records)
    # Without flags, an old connection and a new one on its ports look the same.
    blind = facts.is_tcp & ~facts.has_flags
    perhaps_new = blind & (state == "rules_state") & ((facts.idle != UNKNOWN) | is_reply)
    unresolved = (groups == Outcome.UNKNOWN) & ~is_reply
    by_group, by_acl = both == _SG, both == _NACL
    # The first that holds counts; where both filters are left, what is known for sure goes first.
    choices: list[tuple[str | np.ndarray, Truths]] = [
        # What the log proves needs no rules that are missing.
        (ruling, is_certain & (both == by_log) & ((groups == Outcome.UNKNOWN) | (acl == Outcome.UNKNOWN))),
        ("rules_disagree", both == 0),
        ("rules_acl_first", by_acl & is_ping & (by_log != _NACL)),
        ("rules_group_first", by_group & is_ping & (by_log != _SG)),
        ("rules_acl_left_likely", by_acl & (acl == Outcome.UNKNOWN) & (changed | both_pinged)),
        ("rules_acl_left", by_acl & (acl == Outcome.UNKNOWN)),
        ("rules_acl_likely", by_acl & (changed | both_pinged)),
        ("rules_acl", by_acl),
        ("rules_group_likely", by_group & ~changed & (both_pinged | perhaps_asked)),
        ("rules_group_despite", by_group & despite),
        ("rules_state_or_new", by_group & ~changed & ~unresolved & perhaps_new),
        (state, by_group & ~changed & ~unresolved & is_reply),
        ("rules_state_likely", by_group & changed),
        ("rules_unresolved", by_group & unresolved & ~facts.is_egress),
        ("rules_group_likely", by_group & unresolved),
        ("rules_group", by_group),
        ("rules_group_first", (groups == Outcome.DENY) & ((acl == Outcome.UNKNOWN) | (facts.is_egress & ~is_reply))),
        ("rules_acl_first", acl == Outcome.DENY),
    ]
    open_ = np.ones(len(ruling), bool)
    for name, holds in choices:
        ruling = np.where(open_ & holds, name, ruling)
        open_ &= ~holds
    return ruling


def _by_rules(facts: Facts, ruling: np.ndarray, groups: np.ndarray, acl: np.ndarray) -> Numbers:
    """Return who can be the first to refuse each packet by the rules: security group, network ACL, or both."""
    # Where the other direction was open on the same ports, a SYN may belong to what the security group tracks already.
    other_way_was_open = facts.other_way_passed | (facts.other_way_idle != UNKNOWN)
    # Only TCP has a state that flags show; anything else that is alone in the log is a request, if one would be there.
    alone = ~facts.is_tcp & ~other_way_was_open & ~facts.lost_records & ~facts.may_begin_unseen
    may_be_tracked = ~((facts.opens & ~other_way_was_open) | alone) & ~np.isin(ruling, _NOT_TRACKED)
    may_be_new = ~np.isin(ruling, _TRACKED)
    found: Numbers = _if_new(groups, acl, facts.is_egress) * may_be_new | _if_tracked(acl) * may_be_tracked
    # A connection may have been over, whose packets are refused whatever the rules allow. REJECT stands for what
    # arrives after the close, too: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
    perhaps_over = facts.is_tail & (acl == Outcome.UNKNOWN) & ~facts.has_no_group
    return found | np.where(perhaps_over, _SG, 0)


def _if_tracked(acl: np.ndarray) -> Numbers:
    """Return who can refuse a packet of a connection that the security group knows: only the network ACL."""
    found: Numbers = np.where(acl == Outcome.ALLOW, 0, _NACL)
    return found


def _if_new(groups: np.ndarray, acl: np.ndarray, is_egress: Truths) -> Numbers:
    """Return who can be the first to refuse a packet that belongs to no known connection."""
    group_may, acl_may = groups != Outcome.ALLOW, acl != Outcome.ALLOW
    group_must, acl_must = groups == Outcome.DENY, acl == Outcome.DENY
    by_group: Numbers = np.where(group_may & (is_egress | ~acl_must), _SG, 0)
    by_acl: Numbers = np.where(acl_may & (~is_egress | ~group_must), _NACL, 0)
    return by_group | by_acl
