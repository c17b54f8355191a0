"""Who began a conversation.

The records of both directions share the two addresses and ports as they stand in the packet; those, put in one order,
are the two ends `a` and `b`. What single records tell of the conversation is gathered as signs.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import real_ends, remembered, says, traffic
from flowlens.service import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["ENDS", "EVIDENCE", "Sign", "any_sign", "ends_in_order", "initiators", "signs_of", "with_initiator"]


# Below 1024 are the ports of services; Linux takes those of clients from 32768 on (ip_local_port_range).
_LAST_SERVICE_PORT, _FIRST_EPHEMERAL_PORT = 1023, 32768

ENDS = ("src", "dst")

#: What the initiator can be told by, best first.
EVIDENCE = ("flags", "order", "ports", "action", "unknown")


class Sign(IntFlag):
    """What a record tells of the course of its conversation; forward is from `a` to `b`."""

    A_OPENS = 1
    B_OPENS = 2
    CLOSES = 4
    FORWARD_RESETS = 8
    BACKWARD_RESETS = 16
    FORWARD_ANSWERS = 32
    BACKWARD_ANSWERS = 64
    FORWARD_ACCEPTED = 128
    BACKWARD_ACCEPTED = 256
    FORWARD_REJECTED = 512
    BACKWARD_REJECTED = 1024


def ends_in_order(t: ir.Table) -> tuple[dict[str, ir.Value], ir.BooleanValue]:
    """Return the two ends of each record, the lower address and port as `a`, and whether it goes from there."""
    src, dst = real_ends(t)
    none = ibis.null("uint16")
    srcport, dstport = (t.srcport, t.dstport) if {"srcport", "dstport"} <= set(t.columns) else (none, none)
    forward = (src < dst) | ((src == dst) & (srcport <= dstport).fill_null(True))
    ends = {
        "a": forward.ifelse(src, dst),
        "a_port": forward.ifelse(srcport, dstport),
        "b": forward.ifelse(dst, src),
        "b_port": forward.ifelse(dstport, srcport),
    }
    return ends, forward


def signs_of(t: ir.Table, forward: ir.BooleanValue) -> ir.IntegerValue:
    rejected = says(t, "action", "REJECT") if "action" in t.columns else ibis.literal(False)
    signs = forward.ifelse(
        rejected.ifelse(Sign.FORWARD_REJECTED, Sign.FORWARD_ACCEPTED),
        rejected.ifelse(Sign.BACKWARD_REJECTED, Sign.BACKWARD_ACCEPTED),
    ).cast("int64")
    if "tcp_flags" not in t.columns:
        return signs
    flags = t.tcp_flags.fill_null(0)
    syn, ack = (flags & SYN) > 0, (flags & ACK) > 0
    # SYN comes from the side that opens, SYN-ACK from the other one.
    opener = ibis.cases((syn & (forward != ack), Sign.A_OPENS), (syn, Sign.B_OPENS), else_=0)
    answers = (syn & ack).ifelse(forward.ifelse(Sign.FORWARD_ANSWERS, Sign.BACKWARD_ANSWERS), 0)
    closes = ((flags & FIN) > 0).ifelse(Sign.CLOSES, 0)
    resets = ((flags & RST) > 0).ifelse(forward.ifelse(Sign.FORWARD_RESETS, Sign.BACKWARD_RESETS), 0)
    return signs + opener + answers + closes + resets


def any_sign(t: ir.Table) -> ir.IntegerScalar:
    """Return the signs that any record has.

    Not every engine has a bitwise OR over rows, so each bit is looked at; DuckDB, which has the codes of frames, does,
    and takes half the time for it.
    """
    if t.a.type().is_integer():
        return t.signs.bit_or()
    bits = [1 << place for place in range(Sign.BACKWARD_REJECTED.bit_length())]
    return sum((t.signs & bit).max() for bit in bits)


def with_initiator(both: ir.Table, interval: int) -> ir.Table:
    """Decide who began: by TCP flags, else by who was first, the ports, what was let through; and say by which.

    Start times of one window cannot be compared (they lag by up to 60 s and are often those of the window), so order
    counts only from one window on. Where one direction was accepted and the other refused, the accepted one began, as
    with the ping of AWS's examples: nobody answers what was refused.
    """
    t = both
    a_opens, b_opens = (t.signs & Sign.A_OPENS) > 0, (t.signs & Sign.B_OPENS) > 0
    flags = a_opens != b_opens
    two_sided = t.first_forward.notnull() & t.first_backward.notnull()
    order = two_sided & ((t.first_forward - t.first_backward).abs() > interval)
    low, high = ibis.least(t.a_port, t.b_port), ibis.greatest(t.a_port, t.b_port)
    clients_differ = (high >= _FIRST_EPHEMERAL_PORT) & (low < _FIRST_EPHEMERAL_PORT)
    ports = (low != high) & ((low <= _LAST_SERVICE_PORT) | clients_differ)
    refused = [(t.signs & sign) > 0 for sign in (Sign.FORWARD_REJECTED, Sign.BACKWARD_REJECTED)]
    accepted = [(t.signs & sign) > 0 for sign in (Sign.FORWARD_ACCEPTED, Sign.BACKWARD_ACCEPTED)]
    action = (refused[0] != refused[1]) & (accepted[0] != accepted[1]) & (refused[0] != accepted[0])
    from_a = ibis.cases(
        (flags, a_opens),
        (order, t.first_forward < t.first_backward),
        (ports, t.a_port > t.b_port),
        (~two_sided, t.first_forward.notnull()),
        (action, accepted[0]),
        else_=True,
    )
    by = ibis.cases(
        (flags, "flags"), (order, "order"), (ports, "ports"), (~two_sided, "order"), (action, "action"), else_="unknown"
    )
    return t.mutate(from_a=from_a, initiator_by=by)


@remembered
def initiators(flows: ir.Table, *, interval: int, kept: tuple[str, ...]) -> ir.Table:
    """Return for each record which of its ends began the conversation, with some of its own columns.

    All records with the same ends and ports count as one conversation here: it is rare that the same ports are used
    again in the other direction.

    Parameters
    ----------
    interval
        The aggregation interval in seconds.
    kept
        The columns to keep. Beside them come `began`, the place in `ENDS` of the one that began, and `evidence`, the
        place in `EVIDENCE`; -1 where nothing tells, and where there is no traffic.
    """
    told = _told(flows, interval)
    key = [column for column in told.columns if column not in {"from_a", "evidence"}]
    ends, forward = ends_in_order(flows)
    own = {f"key_{name}": _joinable(name, value) for name, value in (ends | _protocol(flows)).items()}
    own = {name: value for name, value in own.items() if name in key}
    records = flows.select(*kept, **own, key_forward=forward)
    joined = records.left_join(told, key)
    tells = joined.evidence < EVIDENCE.index("unknown")
    end = ibis.cases((tells & (joined.from_a == joined.key_forward), 0), (tells, 1), else_=-1)
    return joined.select(*kept, began=end.cast("int64"), evidence=joined.evidence.fill_null(-1).cast("int64"))


def _joinable(name: str, value: ir.Value) -> ir.Value:
    """Return a part of the key in which missing ports and protocols are equal; without an address there is no key."""
    return value if name in {"a", "b"} else value.cast("int64").fill_null(-1)


def _protocol(flows: ir.Table) -> dict[str, ir.Value]:
    return {"protocol": flows.protocol} if "protocol" in flows.columns else {}


def _told(flows: ir.Table, interval: int) -> ir.Table:
    """Return for each key who began, and by what that can be told."""
    optional = ["srcport", "dstport", "protocol", "start", "tcp_flags", "action", "pkt_srcaddr", "pkt_dstaddr"]
    t = traffic(flows, "add_direction", "dstaddr", optional=optional)
    ends, forward = ends_in_order(t)
    # Of records without times, any that goes this way counts as the first.
    start = t.start if "start" in t.columns else ibis.literal(0, "int64")
    t = t.select(**ends, **_protocol(t), forward=forward, start=start, signs=signs_of(t, forward))
    key = ["a", "b", *_ports(flows), *_protocol(t)]
    seen = t.group_by(key).agg(
        first_forward=t.start.min(where=t.forward), first_backward=t.start.min(where=~t.forward), signs=any_sign(t)
    )
    if not _ports(flows):
        seen = seen.mutate(a_port=ibis.null("uint16"), b_port=ibis.null("uint16"))
    began = with_initiator(seen, interval)
    places = [(began.initiator_by == word, place) for place, word in enumerate(EVIDENCE)]
    return began.select(
        **{f"key_{name}": _joinable(name, began[name]) for name in key},
        from_a=began.from_a,
        evidence=ibis.cases(*places),
    )


def _ports(flows: ir.Table) -> list[str]:
    return ["a_port", "b_port"] if {"srcport", "dstport"} <= set(flows.columns) else []
