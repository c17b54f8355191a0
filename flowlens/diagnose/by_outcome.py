"""What can be said of a conversation of which nothing was refused. `outcomes` finds the ruling for each."""

from __future__ import annotations

from flowlens.diagnose.codes import CERTAIN, LIKELY, NONE, Ruling

__all__ = ["BY_OUTCOME"]

_BOTH_LOG_ALL = "both interfaces log all traffic"

#: By name; ``{lost}`` stands for an interface, ``{end}`` for what became of the request.
BY_OUTCOME: dict[str, Ruling] = {
    "no_direction": Ruling(
        verdict="INSUFFICIENT_DATA", certainty=NONE, candidates=(),
        why="The log does not tell which way the packets went, and neither do the addresses of the interface. Add "
        "${{flow-direction}} to the LogFormat, or pass a topology.",
    ),
    "answered": Ruling(
        verdict="OK", certainty=CERTAIN, candidates=(),
        why="The request was accepted, and so was its answer (SYN-ACK).",
    ),
    "both_ways": Ruling(
        verdict="OK", certainty=LIKELY, candidates=(),
        why="Both directions were accepted.",
    ),
    "one_way": Ruling(
        verdict="OK", certainty=NONE, candidates=(),
        why="The requests were accepted and nothing came back, which is no fault by itself: syslog, metrics and "
        "other traffic of this kind is never answered.",
    ),
    "reset": Ruling(
        verdict="REFUSED", certainty=CERTAIN, candidates=(),
        why="Every filter let the request and its answer pass. The answer is a reset: nothing listens at the port, "
        "or a firewall of the host refuses it.",
    ),
    "silence": Ruling(
        verdict="NO_RESPONSE", certainty=LIKELY, candidates=(),
        why="The request {end}, and nothing answered: a host firewall that drops it, a host that is down, a route, "
        "or a reply that takes another interface. The filters at this interface let it pass.",
        assumptions=("the log has all traffic of the interface",),
    ),
    "lost_there": Ruling(
        verdict="PATH_LOSS", certainty=NONE, candidates=(),
        why="The request left its interface and did not arrive at the other one: a route, something in between that"
        " drops it, or a lost record. Neither security groups nor network ACLs refused it.",
        assumptions=(_BOTH_LOG_ALL,),
    ),
    "lost_back": Ruling(
        verdict="PATH_LOSS", certainty=NONE, candidates=(),
        why="The reply left its interface and did not arrive back: a route, something in between that drops it, or "
        "a lost record. Neither security groups nor network ACLs refused it.",
        assumptions=(_BOTH_LOG_ALL,),
    ),
    "at_gateway": Ruling(
        verdict="UNSOLICITED_AT_NAT", certainty=CERTAIN, candidates=(),
        why="It arrived at a NAT gateway, which had not asked for it and drops it. The network ACL lets it in, "
        "which does not make it an open port.",
    ),
    "perhaps_at_gateway": Ruling(
        verdict="UNSOLICITED_AT_NAT", certainty=LIKELY, candidates=(),
        why="It arrived at an interface that looks like that of a NAT gateway, which had not asked for it and drops"
        " it.",
    ),
    "records_lost": Ruling(
        verdict="INSUFFICIENT_DATA", certainty=NONE, candidates=(),
        why="AWS lost records of {lost} at that time (SKIPDATA), so that what is missing means nothing. The request"
        " {end}.",
    ),
}  # fmt: skip
