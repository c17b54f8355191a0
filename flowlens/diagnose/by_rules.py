"""What can be said of a case when the rules of the topology are known. `configured` finds the ruling for each case."""

from __future__ import annotations

from flowlens.diagnose.codes import CERTAIN, EITHER, LIKELY, NONE, Ruling

__all__ = ["BY_RULES"]

_SAME_RULES = "the rules of the topology are those of the time of the records"

#: By name.
BY_RULES: dict[str, Ruling] = {
    "rules_group": Ruling(
        verdict="SG", certainty=CERTAIN, candidates=("SG",),
        why="By the rules the security group refuses it; the network ACL lets it pass, or would be asked only after.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_group_likely": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_group_despite": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. Yet an interface with "
        "the same groups accepted the like near in time: a rule was changed, or that belonged to a connection that "
        "was open the other way round.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_unresolved": Ruling(
        verdict="SG_IN_UNRESOLVED", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it; whether one of its "
        "rules is meant for this source cannot be told.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_group_first": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG", "NACL"),
        why="By the rules the security group refuses it; the network ACL may, too.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_acl": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="By the rules the network ACL refuses it; the security group lets it pass, or would be asked only after.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_acl_left": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="The security group does not refuse it, so that the network ACL did, of which the topology does not tell.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_acl_left_likely": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL",),
        why="The security group does not refuse it, so that the network ACL did, of which the topology does not tell.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_acl_likely": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL",),
        why="By the rules the network ACL refuses it.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_acl_first": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="By the rules the network ACL refuses it; the security group may, too.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_state": Ruling(
        verdict="SG_STATE", certainty=CERTAIN, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. To a connection that"
        " it tracks it would not have: it had forgotten it, or the request came another way.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_state_or_new": Ruling(
        verdict="SG_STATE", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. To the reply of a "
        "connection that it tracks it would not have: it had forgotten it, or this is a request on the same ports, "
        "which cannot be seen without tcp-flags in the log.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_state_likely": Ruling(
        verdict="SG_STATE", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. More of the "
        "conversation was accepted near in time: the group had forgotten it, or its rules were changed.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_late": Ruling(
        verdict="LATE_PACKET", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. The connection was "
        "over, most likely before this packet.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_silence": Ruling(
        verdict="CONNTRACK_EXPIRED", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. The connection had "
        "been silent for longer than security groups keep an idle one on new instances (350 s). A shorter "
        "keep-alive or a longer idle timeout of the interface would help.",
        assumptions=(_SAME_RULES, "the idle timeout of the interface is the usual one"),
    ),
    "rules_idle_timeout": Ruling(
        verdict="CONNTRACK_EXPIRED", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it. The connection had been "
        "silent for longer than the idle timeout that the interface is set to. A shorter keep-alive or a longer "
        "timeout would help.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_asymmetric": Ruling(
        verdict="ASYMMETRIC_PATH", certainty=LIKELY, candidates=("SG",),
        why="By the rules the network ACL lets it pass, so that the security group refused it: the request passed "
        "another interface of the same instance, and that of this one knows nothing of it.",
        assumptions=(_SAME_RULES,),
    ),
    "rules_disagree": Ruling(
        verdict="CONFIG_DISAGREES", certainty=NONE, candidates=EITHER,
        why="The log says that it was refused, and by the rules of the topology it would not have been, or not by a"
        " filter that the log leaves possible: the rules were others at that time, or something is missing from"
        " the topology.",
    ),
}  # fmt: skip
