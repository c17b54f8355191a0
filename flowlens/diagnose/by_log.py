"""What can be said of a case from the log alone. `verdicts` finds the ruling for each case."""

from __future__ import annotations

from flowlens.diagnose.codes import AMBIGUOUS, CERTAIN, EITHER, LIKELY, NONE, Ruling

__all__ = ["BY_LOG"]

_RULES_STABLE = "the rules did not change between the records"
_ONE_INTERFACE = "request and reply pass the same interface"
_NO_CLASSIC = "neither end is a Classic Load Balancer"
_NO_MIDDLEBOX = "nothing that forwards for others stands between the two"
_NO_OTHER_USE = "this side did not begin a connection on the same ports in the same window"
_ALL_LOGGED = "no record of the conversation is missing"

_UNDECIDED = (
    "Security group or network ACL; the log does not say which. Supply describe-security-groups and "
    "describe-network-acls to decide."
)

#: By name, in no order: `verdicts` has that.
BY_LOG: dict[str, Ruling] = {
    "public_access": Ruling(
        verdict="BPA", certainty=CERTAIN, candidates=(),
        why="The record says why: VPC Block Public Access.",
    ),
    "encryption": Ruling(
        verdict="ENCRYPTION_CONTROL", certainty=CERTAIN, candidates=(),
        why="The record says why: the encryption controls of the VPC enforce encryption in transit.",
    ),
    "other_reason": Ruling(
        verdict="OTHER_REASON", certainty=CERTAIN, candidates=(),
        why="The record gives a reason that is neither security group nor network ACL.",
    ),
    "no_direction": Ruling(
        verdict="INSUFFICIENT_DATA", certainty=NONE, candidates=EITHER,
        why="The log does not tell which way the packet went, and neither do the addresses of the interface. Add "
        "${flow-direction} to the LogFormat, or pass a topology.",
    ),
    "after_close": Ruling(
        verdict="LATE_PACKET", certainty=CERTAIN, candidates=("SG",),
        why="The connection had been closed, and this packet came after: the security group no longer knew it. The "
        "network ACL had let the same pass before.",
        assumptions=(_RULES_STABLE, _ALL_LOGGED),
    ),
    "long_after_close": Ruling(
        verdict="LATE_PACKET", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The connection had been closed more than an hour before: the security group no longer knew it. The "
        "network ACL had let the same pass then.",
        assumptions=(_RULES_STABLE, _ALL_LOGGED),
    ),
    "perhaps_after_close": Ruling(
        verdict="LATE_PACKET", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The connection was closed in the same window, most likely before this packet: the security group no "
        "longer knew it. Records of one window have no order.",
        assumptions=(_RULES_STABLE,),
    ),
    "after_silence": Ruling(
        verdict="CONNTRACK_EXPIRED", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The connection had been silent for longer than security groups keep an idle one on new instances (350 "
        "s), and was forgotten. A shorter keep-alive or a longer idle timeout of the interface would help.",
        assumptions=(_RULES_STABLE, "the idle timeout of the interface is the usual one"),
    ),
    "after_idle_timeout": Ruling(
        verdict="CONNTRACK_EXPIRED", certainty=CERTAIN, candidates=("SG",),
        why="The connection had been silent for longer than the idle timeout that the interface is set to, and was "
        "forgotten. A shorter keep-alive or a longer timeout would help.",
        assumptions=(_RULES_STABLE, _ALL_LOGGED),
    ),
    "long_after_idle_timeout": Ruling(
        verdict="CONNTRACK_EXPIRED", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The connection had been silent for longer than the idle timeout that the interface is set to, and was "
        "forgotten. A shorter keep-alive or a longer timeout would help.",
        assumptions=(_RULES_STABLE, _ALL_LOGGED),
    ),
    "perhaps_late": Ruling(
        verdict="LATE_PACKET", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The same had been accepted before, both ways, and nothing was afterwards: the last packets of a "
        "connection that had been closed. Without tcp-flags in the log that cannot be seen.",
        assumptions=(_RULES_STABLE,),
    ),
    "changed": Ruling(
        verdict="RULE_CHANGED", certainty=AMBIGUOUS, candidates=("NACL", "SG"),
        why="The same was accepted before, the connection was neither closed nor silent, and now it is refused: a "
        "network ACL was changed, or the security group of a connection that it does not track.",
    ),
    "fixed_or_changed": Ruling(
        verdict="RULE_CHANGED", certainty=AMBIGUOUS, candidates=("NACL", "SG"),
        why="The same is both refused and accepted as a new connection at this interface, near in time: a rule was "
        "changed in between. The times of refusal and acceptance tell when.",
    ),
    "cut_off": Ruling(
        verdict="RULE_CHANGED", certainty=AMBIGUOUS, candidates=("NACL", "SG"),
        why="An open connection with the same direction, protocol, remote address and destination port was cut off in "
        "this subnet at that time, and this new one was refused: a rule was changed, of the network ACL, or of a "
        "security group that does not track these connections.",
    ),
    "icmp_mixed": Ruling(
        verdict="SG_OR_NACL", certainty=AMBIGUOUS, candidates=EITHER,
        why="ICMP between the two is both accepted and refused here: of different types, perhaps, which no record "
        "shows. "
        + _UNDECIDED,
    ),
    "syn_ack_refused": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="The request was accepted at this interface, so that its security group tracks the connection and lets "
        "the answer pass; yet the answer was refused. Only the network ACL can do that.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE, _NO_OTHER_USE),
    ),
    "syn_ack_refused_lossy": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The request was accepted at this interface, so that its security group tracks the connection and lets "
        "the answer pass; yet the answer was refused. AWS lost records of the interface at that time "
        "(SKIPDATA), so that more may have happened than is seen.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE, _ALL_LOGGED),
    ),
    "syn_ack_refused_sibling": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The request was accepted at this interface, so that its security group tracks the connection and lets "
        "the answer pass; yet the answer was refused. The instance has another interface, by which some of the "
        "conversation may have gone.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE),
    ),
    "syn_ack_refused_both": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The request was accepted at this interface, so that its security group tracks the connection and lets the "
        "answer pass; yet the answer was refused. This side has asked on the very same ports, too, so that the record "
        "may hold a request of its own.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE),
    ),
    "syn_ack_refused_strays": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The request was accepted at this interface, so that its security group tracks the connection and lets the "
        "answer pass; yet the answer was refused. Some of it was sent before the request came, or longer after than a "
        "host answers, so that the record may hold something else on the same ports, too.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE),
    ),
    "reply_refused": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The other direction was accepted at this interface and this one refused. If this is the reply, the "
        "security group lets it pass, and the network ACL refused it.",
        assumptions=(_RULES_STABLE, _ONE_INTERFACE, "the accepted direction is the request"),
    ),
    "reply_without_group": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="The interface has no security group, so that the network ACL refused it.",
        assumptions=("the topology is that of the time of the records",),
    ),
    "reply_in_subnet": Ruling(
        verdict="SG_STATE", certainty=LIKELY, candidates=("SG",),
        why="A reply within one subnet, where no network ACL counts: the security group did not know the "
        "connection, because it had forgotten it, or because the request came another way.",
        assumptions=(_NO_CLASSIC, _NO_MIDDLEBOX),
    ),
    "icmp_in_subnet": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG",),
        why="Within one subnet no network ACL counts, and a security group lets the answers to a ping pass: this is"
        " ICMP of its own that the rules refuse.",
        assumptions=(_NO_CLASSIC, _NO_MIDDLEBOX),
    ),
    "reply_too_late": Ruling(
        verdict="SG_OR_NACL", certainty=AMBIGUOUS, candidates=EITHER,
        why="A reply that came later than security groups remember a single UDP packet (30 s), so that either "
        "filter may have refused it. "
        + _UNDECIDED,
    ),
    "reply_passed_acl": Ruling(
        verdict="SG_STATE", certainty=LIKELY, candidates=("SG",),
        why="Packets with the same values pass the network ACL of this subnet, so that the security group refused "
        "this one: it did not know the connection, or had forgotten it.",
        assumptions=(_RULES_STABLE,),
    ),
    "other_interface": Ruling(
        verdict="ASYMMETRIC_PATH", certainty=LIKELY, candidates=("SG", "NACL"),
        why="The request passed another interface of the same instance. The security group of this one knows "
        "nothing of it and treats the reply as something new.",
    ),
    "syn_ack_alone_out": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="A host answers only what arrived, so that its request must have been let in; the reply was refused.",
        assumptions=(_ONE_INTERFACE, "the record of the request is missing or not logged"),
    ),
    "syn_ack_alone_in": Ruling(
        verdict="SG_OR_NACL", certainty=AMBIGUOUS, candidates=EITHER,
        why="An answer to a request that this interface did not send, such as comes back when somebody forges "
        "addresses. "
        + _UNDECIDED,
    ),
    "tail_alone": Ruling(
        verdict="SG_OR_NACL", certainty=AMBIGUOUS, candidates=EITHER,
        why="A packet from the middle or the end of a connection of which the log has nothing else. "
        + _UNDECIDED,
    ),
    "tail_passed_acl": Ruling(
        verdict="SG_STATE", certainty=LIKELY, candidates=("SG",),
        why="A packet from the middle or the end of a connection of which the log has nothing else. The network ACL"
        " does not refuse it, so that the security group did not know the connection.",
        assumptions=(_RULES_STABLE,),
    ),
    "alone": Ruling(
        verdict="SG_OR_NACL", certainty=AMBIGUOUS, candidates=EITHER,
        why="A new conversation was refused before any of it passed. "
        + _UNDECIDED,
    ),
    "in_subnet": Ruling(
        verdict="SG", certainty=CERTAIN, candidates=("SG",),
        why="Both ends are in one subnet, inside which no network ACL counts: the security group refused it.",
        assumptions=(_NO_CLASSIC, _NO_MIDDLEBOX),
    ),
    "perhaps_in_subnet": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG", "NACL"),
        why="Both ends are in one subnet, inside which no network ACL counts. There are two exceptions, and one of "
        "them may apply here: a Classic Load Balancer, and an instance that sends by an interface in another "
        "subnet.",
        assumptions=(_NO_MIDDLEBOX,),
    ),
    "passes_acl": Ruling(
        verdict="SG", certainty=CERTAIN, candidates=("SG",),
        why="Packets with the same direction, protocol, remote address and destination port were accepted in this "
        "subnet at that time. A network ACL sees nothing else, so that it lets these pass, too: the security "
        "group refused it.",
        assumptions=(_RULES_STABLE,),
    ),
    "is_not_acl": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG",),
        why="The network ACL does not refuse this, so that the security group did: its rules, or because it no "
        "longer knew the connection, which the log cannot tell.",
        assumptions=(_RULES_STABLE, _NO_CLASSIC),
    ),
    "no_group": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="The interface has no security group: the network ACL refused it.",
        assumptions=("the topology is that of the time of the records",),
    ),
    "groups_pass": Ruling(
        verdict="NACL", certainty=CERTAIN, candidates=("NACL",),
        why="An interface with the same security groups accepted new connections with the same protocol, remote "
        "address and destination port at that time, so that the groups let this one pass, too: the network ACL "
        "refused it.",
        assumptions=(_RULES_STABLE, "the topology is that of the time of the records"),
    ),
    "hole": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="Several interfaces of the subnet refuse this address and accept its neighbours on both sides. A "
        "security group cannot leave out one address of a range; an entry of a network ACL that denies it can.",
    ),
    "perhaps_no_group": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The interface belongs to no instance and passes on what is for others, as NAT gateways do, which have "
        "no security group: the network ACL refused it.",
    ),
    "passed_acl_once": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG", "NACL"),
        why="At another time, packets with the same values were accepted in this subnet. If the network ACL is "
        "still the same, the security group refused it.",
        assumptions=(_RULES_STABLE,),
    ),
    "shared_layer": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="Every interface of the subnet refuses this direction, on several ports, and none accepts anything: one"
        " network ACL explains all of it, and as many security groups would have to agree.",
    ),
    "served_next_door": Ruling(
        verdict="SG", certainty=LIKELY, candidates=("SG", "NACL"),
        why="Nobody reaches this port here, while another interface of the subnet serves it: a network ACL would "
        "have to single out the remote addresses.",
    ),
    "reply_shape": Ruling(
        verdict="NACL", certainty=LIKELY, candidates=("NACL", "SG"),
        why="The log has refused traffic only. From the port of a service to that of a client it looks like the "
        "reply to a request that was let in.",
        assumptions=("the packet is a reply",),
    ),
    "nothing_left": Ruling(
        verdict="RULE_CHANGED", certainty=AMBIGUOUS, candidates=("NACL", "SG"),
        why="The records contradict each other: neither filter can have refused this under the rules that the other"
        " records show. A rule was changed in between, or times are off.",
    ),
}  # fmt: skip
