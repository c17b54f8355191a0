"""Stitch the records of one conversation into one row.

One TCP connection is many records: one a direction, an aggregation window and an interface that saw it, in no order.
They share the two addresses and ports as they stand in the packet, so those, put in one order, are the key. Silence
longer than `idle` ends a conversation; the same ports afterwards are a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.records import says, traffic

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["conversations", "default_idle"]

_KEY = ["a", "a_port", "b", "b_port", "protocol"]
_CONVERSATION = [*_KEY, "number"]

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TCP, _UDP = 6, 17

# Below 1024 are the ports of services; Linux takes those of clients from 32768 on (ip_local_port_range).
_LAST_SERVICE_PORT, _FIRST_EPHEMERAL_PORT = 1023, 32768

# Idle times after which EC2 itself forgets a connection: 350 s for TCP on current instances, 180 s for a UDP stream.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
_TCP_IDLE, _UDP_IDLE, _OTHER_IDLE = 350, 180, 600


def default_idle(records: ir.Table, interval: int) -> ir.IntegerValue:
    """Return the seconds of silence that end a conversation: two windows at least, since inside one none is timed."""
    return ibis.cases(
        (records.protocol == _TCP, max(_TCP_IDLE, 2 * interval)),
        (records.protocol == _UDP, max(_UDP_IDLE, 2 * interval)),
        else_=max(_OTHER_IDLE, 2 * interval),
    )


def conversations(flows: ir.Table, *, timeout: int | None, interval: int) -> ir.Table:
    records = _keyed(flows)
    idle = default_idle(records, interval) if timeout is None else ibis.literal(timeout)
    seen = _seen_by_interfaces(_numbered(records, idle))
    both = _best_seen(seen)
    return _directed(both, interval)


def _keyed(flows: ir.Table) -> ir.Table:
    """Give the two directions of a conversation one key: the lower address and port is `a`."""
    t = traffic(
        flows, "conversations", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
        optional=["interface_id", "tcp_flags", "action", "pkt_srcaddr", "pkt_dstaddr"],
    )  # fmt: skip
    # In the packet stand the real ends, behind NAT gateways and transit gateways.
    src = t.pkt_srcaddr.coalesce(t.srcaddr) if "pkt_srcaddr" in t.columns else t.srcaddr
    dst = t.pkt_dstaddr.coalesce(t.dstaddr) if "pkt_dstaddr" in t.columns else t.dstaddr
    forward = (src < dst) | ((src == dst) & (t.srcport <= t.dstport))
    flags = t.tcp_flags.fill_null(0) if "tcp_flags" in t.columns else ibis.literal(0, "uint8")
    syn, ack = (flags & _SYN) > 0, (flags & _ACK) > 0
    return t.select(
        a=forward.ifelse(src, dst),
        a_port=forward.ifelse(t.srcport, t.dstport),
        b=forward.ifelse(dst, src),
        b_port=forward.ifelse(t.dstport, t.srcport),
        protocol=t.protocol,
        interface_id=t.interface_id if "interface_id" in t.columns else ibis.null("string"),
        forward=forward,
        start=t.start,
        end=t.end,
        packets=t.packets.fill_null(0),
        bytes=t.bytes.fill_null(0),
        opens=syn & ~ack,
        answers=syn & ack,
        closes=(flags & _FIN) > 0,
        resets=(flags & _RST) > 0,
        rejected=says(t, "action", "REJECT") if "action" in t.columns else ibis.literal(False),
    )


def _numbered(records: ir.Table, idle: ir.IntegerValue) -> ir.Table:
    """Number the conversations of a key: silence longer than `idle` begins the next one."""
    before = ibis.window(group_by=_KEY, order_by="start", rows=(None, -1))
    so_far = ibis.window(group_by=_KEY, order_by="start", rows=(None, 0))
    timed = records.mutate(silence=records.start - records.end.max().over(before), idle=idle)
    # The first record of a key has nothing before it.
    begun = timed.mutate(begins=(timed.silence > timed.idle).fill_null(False).cast("int64"))
    return begun.mutate(number=begun.begins.sum().over(so_far)).drop("silence", "idle", "begins")


def _seen_by_interfaces(records: ir.Table) -> ir.Table:
    """Sum up what each interface saw of each conversation, apart for the two directions."""
    t = records
    forward, backward = t.forward, ~t.forward
    return t.group_by([*_CONVERSATION, "interface_id"]).agg(
        first=t.start.min(),
        last=t.end.max(),
        records=t.count(),
        first_forward=t.start.min(where=forward),
        first_backward=t.start.min(where=backward),
        packets_forward=t.packets.sum(where=forward).fill_null(0),
        packets_backward=t.packets.sum(where=backward).fill_null(0),
        bytes_forward=t.bytes.sum(where=forward).fill_null(0),
        bytes_backward=t.bytes.sum(where=backward).fill_null(0),
        a_opens=(forward & t.opens | backward & t.answers).cast("int8").max(),
        b_opens=(backward & t.opens | forward & t.answers).cast("int8").max(),
        closed=t.closes.cast("int8").max(),
        was_reset=t.resets.cast("int8").max(),
        accepted_forward=(forward & ~t.rejected).cast("int8").max(),
        accepted_backward=(backward & ~t.rejected).cast("int8").max(),
        rejected_forward=(forward & t.rejected).cast("int8").max(),
        rejected_backward=(backward & t.rejected).cast("int8").max(),
    )


def _best_seen(seen: ir.Table) -> ir.Table:
    """Count each conversation once, as the interface saw it that saw most, although both ends may have logged it.

    What any of them saw of the course of it (who opened, what was refused) is kept.
    """
    t = seen
    everyone = ibis.window(group_by=_CONVERSATION)
    most = ibis.window(
        group_by=_CONVERSATION, order_by=[ibis.desc(t.packets_forward + t.packets_backward), t.interface_id]
    )
    anyone = {name: t[name].max().over(everyone) for name in (
        "a_opens", "b_opens", "closed", "was_reset", "rejected_forward", "rejected_backward",
    )}  # fmt: skip
    # Refused at one end means refused, although the other end had let it out.
    refused_anywhere = t.mutate(
        place=ibis.row_number().over(most),
        records=t.records.sum().over(everyone),
        first=t.first.min().over(everyone),
        last=t["last"].max().over(everyone),
        **anyone,
    )
    return refused_anywhere.filter(refused_anywhere.place == 0).drop("place")


def _directed(both: ir.Table, interval: int) -> ir.Table:
    """Tell initiator from responder, and say how the conversation went."""
    t = _with_initiator(both, interval)
    out_rejected = t.from_a.ifelse(t.rejected_forward, t.rejected_backward) > 0
    out_accepted = t.from_a.ifelse(t.accepted_forward, t.accepted_backward) > 0
    in_rejected = t.from_a.ifelse(t.rejected_backward, t.rejected_forward) > 0
    in_accepted = t.from_a.ifelse(t.accepted_backward, t.accepted_forward) > 0
    state = ibis.cases(
        (out_rejected & in_accepted, "mixed"),
        (out_rejected, "rejected"),
        (in_rejected & in_accepted, "mixed"),
        (in_rejected, "reply rejected"),
        (~in_accepted, "unanswered"),
        (~out_accepted, "reply only"),
        (t.was_reset > 0, "reset"),
        (t.closed > 0, "closed"),
        else_="established",
    )
    return t.select(
        initiator=t.from_a.ifelse(t.a, t.b),
        responder=t.from_a.ifelse(t.b, t.a),
        initiator_port=t.from_a.ifelse(t.a_port, t.b_port),
        responder_port=t.from_a.ifelse(t.b_port, t.a_port),
        protocol=t.protocol,
        interface_id=t.interface_id,
        first=t.first,
        last=t["last"],
        records=t.records,
        packets_out=t.from_a.ifelse(t.packets_forward, t.packets_backward),
        packets_in=t.from_a.ifelse(t.packets_backward, t.packets_forward),
        bytes_out=t.from_a.ifelse(t.bytes_forward, t.bytes_backward),
        bytes_in=t.from_a.ifelse(t.bytes_backward, t.bytes_forward),
        state=state,
        initiator_by=t.initiator_by,
    ).order_by(["first", "initiator", "initiator_port", "responder", "responder_port", "protocol"])


def _with_initiator(both: ir.Table, interval: int) -> ir.Table:
    """Decide who began: by TCP flags, else by who was seen first, else by the ports, and say by which.

    Start times of one window cannot be compared (they lag by up to 60 s and are often those of the window), so order
    counts only from one window on.
    """
    t = both
    flags = (t.a_opens > 0) != (t.b_opens > 0)
    two_sided = t.first_forward.notnull() & t.first_backward.notnull()
    order = two_sided & ((t.first_forward - t.first_backward).abs() > interval)
    low, high = ibis.least(t.a_port, t.b_port), ibis.greatest(t.a_port, t.b_port)
    ports = (low != high) & (
        (low <= _LAST_SERVICE_PORT) | (high >= _FIRST_EPHEMERAL_PORT) & (low < _FIRST_EPHEMERAL_PORT)
    )
    from_a = ibis.cases(
        (flags, t.a_opens > 0),
        (order, t.first_forward < t.first_backward),
        (ports, t.a_port > t.b_port),
        (~two_sided, t.first_forward.notnull()),
        else_=True,
    )
    by = ibis.cases((flags, "flags"), (order, "order"), (ports, "ports"), (~two_sided, "order"), else_="unknown")
    return t.mutate(from_a=from_a, initiator_by=by)
