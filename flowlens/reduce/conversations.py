"""Stitch the records of one conversation into one row.

One TCP connection is many records: one a direction, an aggregation window and a place that saw it (an interface, or an
attachment of a transit gateway), in no order. They share the two addresses and ports as they stand in the packet, so
those, put in one order, are the key. Silence longer than `idle` ends a conversation; the same ports afterwards are a
new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.initiator import Sign, any_sign, ends_in_order, signs_of, with_initiator
from flowlens.reduce.records import remembered, traffic
from flowlens.service import TCP, UDP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["CONVERSATION_KEY", "conversations", "default_idle", "records_by_ends", "seen_by_initiator", "stitched"]

#: What the records of both directions of a conversation share.
CONVERSATION_KEY = ("a", "a_port", "b", "b_port", "protocol")

_KEY = list(CONVERSATION_KEY)
_CONVERSATION = [*_KEY, "number"]
_PLACE = ["interface_id", "attachment", "way"]


# Idle times after which EC2 itself forgets a connection: 350 s for TCP on current instances, 180 s for a UDP stream.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
_TCP_IDLE, _UDP_IDLE, _OTHER_IDLE = 350, 180, 600


def default_idle(records: ir.Table, interval: int | ir.IntegerValue) -> ir.IntegerValue:
    """Return the seconds of silence that end a conversation: two windows at least, since inside one none is timed."""
    idle = ibis.cases((records.protocol == TCP, _TCP_IDLE), (records.protocol == UDP, _UDP_IDLE), else_=_OTHER_IDLE)
    return ibis.greatest(idle, 2 * interval)


@remembered
def conversations(flows: ir.Table, *, timeout: int | None, interval: int) -> ir.Table:
    records = records_by_ends(flows, "conversations")
    idle = default_idle(records, interval) if timeout is None else ibis.literal(timeout)
    return _directed(stitched(records, idle), interval)


def records_by_ends(flows: ir.Table, verb: str) -> ir.Table:
    """Give the two directions of a conversation one key: the lower address and port is `a`."""
    of_gateway = ["tgw_attachment_id", "flow_direction"] if "tgw_attachment_id" in flows.columns else []
    t = traffic(
        flows, verb, "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
        optional=["interface_id", "tcp_flags", "action", "pkt_srcaddr", "pkt_dstaddr", *of_gateway],
    )  # fmt: skip
    ends, forward = ends_in_order(t)
    return t.select(
        **ends,
        protocol=t.protocol,
        **_places(t),
        forward=forward,
        start=t.start,
        end=t.end,
        packets=t.packets.fill_null(0),
        bytes=t.bytes.fill_null(0),
        signs=signs_of(t, forward),
    )


def _places(t: ir.Table) -> dict[str, ir.Value]:
    """Return where a record was made: at an interface, or at an attachment on the way in or out.

    A transit gateway logs a packet where it comes in and where it leaves. Both can be at one attachment, as with an
    inspection VPC, which gets packets and sends them back.
    """
    places = {"interface_id": t.interface_id if "interface_id" in t.columns else ibis.null("string")}
    if "tgw_attachment_id" in t.columns:
        places["attachment"] = t.tgw_attachment_id
        if "flow_direction" in t.columns:
            # An interface that passes traffic on is one place, as it is in logs of VPCs alone.
            places["way"] = t.tgw_attachment_id.notnull().ifelse(t.flow_direction, ibis.null(t.flow_direction.type()))
    return places


def stitched(records: ir.Table, idle: ir.IntegerValue, *, carried: tuple[str, ...] = ()) -> ir.Table:
    """Return one row a conversation, in which nothing tells yet who began it.

    Parameters
    ----------
    idle
        The seconds of silence that end a conversation.
    carried
        Further columns of the records, of which a conversation has the largest value.
    """
    return _counted_once(_seen_by_place(_numbered(records, idle), carried), carried)


def _numbered(records: ir.Table, idle: ir.IntegerValue) -> ir.Table:
    """Number the conversations of a key: silence longer than `idle` begins the next one.

    Most keys do not last as long as that, so only the records of those that do are put in order.
    """
    timed = records.mutate(idle=idle)
    spans = timed.group_by(_KEY).agg(span=timed.end.max() - timed.start.min(), idle=timed.idle.max())
    lasting = spans.filter(spans.span > spans.idle)
    short = timed.anti_join(lasting, _KEY).mutate(number=ibis.literal(0, "int64"))
    # Of the same table in two joins, Ibis would write the query twice; of what two tables come from, once.
    long = timed.semi_join(lasting.select(*_KEY), _KEY)
    before = ibis.window(group_by=_KEY, order_by="start", rows=(None, -1))
    # A range: of records that start together one begins the conversation, and the others belong to it in any order.
    so_far = ibis.window(group_by=_KEY, order_by="start", range=(None, 0))
    # The first record of a key has nothing before it.
    begun = long.mutate(begins=(long.start - long.end.max().over(before) > long.idle).fill_null(False).cast("int64"))
    numbered = begun.mutate(number=begun.begins.sum().over(so_far).cast("int64")).drop("begins")
    return short.union(numbered).drop("idle")


def _seen_by_place(records: ir.Table, carried: tuple[str, ...]) -> ir.Table:
    """Sum up what was seen of each conversation at each place, apart for the two directions."""
    t = records
    forward, backward = t.forward, ~t.forward
    return t.group_by([*_CONVERSATION, *(column for column in _PLACE if column in t.columns)]).agg(
        last=t.end.max(),
        records=t.count(),
        first_forward=t.start.min(where=forward),
        first_backward=t.start.min(where=backward),
        packets_forward=t.packets.sum(where=forward).fill_null(0),
        packets_backward=t.packets.sum(where=backward).fill_null(0),
        bytes_forward=t.bytes.sum(where=forward).fill_null(0),
        bytes_backward=t.bytes.sum(where=backward).fill_null(0),
        signs=any_sign(t),
        **{name: t[name].max() for name in carried},
    )


def _counted_once(seen: ir.Table, carried: tuple[str, ...]) -> ir.Table:
    """Join what was seen at several places: each counter is the largest of theirs, since they saw the same packets.

    Smaller ones come from records that were lost, and from packets refused or lost before they reached the place.
    """
    t = seen
    largest = {
        name: t[name].max().cast("int64")
        for name in ("packets_forward", "packets_backward", "bytes_forward", "bytes_backward")
    }
    return t.group_by(_CONVERSATION).agg(
        interface_id=t.interface_id.min(),
        last=t["last"].max(),
        records=t.records.sum(),
        first_forward=t.first_forward.min(),
        first_backward=t.first_backward.min(),
        signs=any_sign(t),
        **{name: t[name].max() for name in carried},
        **largest,
    )


def _directed(both: ir.Table, interval: int) -> ir.Table:
    """Tell initiator from responder, and say how the conversation went."""
    t = with_initiator(both, interval)
    return t.select(
        initiator=t.from_a.ifelse(t.a, t.b),
        responder=t.from_a.ifelse(t.b, t.a),
        initiator_port=t.from_a.ifelse(t.a_port, t.b_port),
        responder_port=t.from_a.ifelse(t.b_port, t.a_port),
        **seen_by_initiator(t),
        state=_state(t),
        initiator_by=t.initiator_by,
    ).order_by(["first", "initiator", "initiator_port", "responder", "responder_port", "protocol"])


def seen_by_initiator(t: ir.Table) -> dict[str, ir.Value]:
    """Return what was counted of conversations, out being the way from the one who began."""
    return {
        "protocol": t.protocol,
        "interface_id": t.interface_id,
        "first": ibis.least(t.first_forward.coalesce(t.first_backward), t.first_backward.coalesce(t.first_forward)),
        "last": t["last"],
        "records": t.records,
        "packets_out": t.from_a.ifelse(t.packets_forward, t.packets_backward),
        "packets_in": t.from_a.ifelse(t.packets_backward, t.packets_forward),
        "bytes_out": t.from_a.ifelse(t.bytes_forward, t.bytes_backward),
        "bytes_in": t.from_a.ifelse(t.bytes_backward, t.bytes_forward),
    }


def _state(t: ir.Table) -> ir.StringValue:
    def seen(sign: Sign) -> ir.BooleanValue:
        return (t.signs & sign) > 0

    out_rejected = t.from_a.ifelse(seen(Sign.FORWARD_REJECTED), seen(Sign.BACKWARD_REJECTED))
    out_accepted = t.from_a.ifelse(seen(Sign.FORWARD_ACCEPTED), seen(Sign.BACKWARD_ACCEPTED))
    in_rejected = t.from_a.ifelse(seen(Sign.BACKWARD_REJECTED), seen(Sign.FORWARD_REJECTED))
    in_accepted = t.from_a.ifelse(seen(Sign.BACKWARD_ACCEPTED), seen(Sign.FORWARD_ACCEPTED))
    return ibis.cases(
        (out_rejected & in_accepted, "mixed"),
        # Refused at one end means refused, although the other end had let it out.
        (out_rejected, "rejected"),
        (in_rejected & in_accepted, "mixed"),
        (in_rejected, "reply rejected"),
        (~in_accepted, "unanswered"),
        (~out_accepted, "reply only"),
        (seen(Sign.FORWARD_RESETS | Sign.BACKWARD_RESETS), "reset"),
        (seen(Sign.CLOSES), "closed"),
        else_="established",
    )
