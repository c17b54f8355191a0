"""Refused conversations: what was refused at an interface, and what of the same conversation passed there.

Records of both directions of a conversation share addresses and ports as they stand in the packet. Those are the key,
so that it holds behind NAT gateways, and at an interface with several addresses. AWS's own example of a network ACL,
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-security-groups, is
such a pair: a ping that came in, and its answer that was refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.conversations import default_idle
from flowlens.reduce.initiator import ends_in_order
from flowlens.reduce.records import are_codes, known, real_ends, remembered, says, traffic
from flowlens.service import ACK, FIN, RST, SYN, TCP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "LAG", "PLACE", "RETRANSMISSION", "accepted_alike", "course", "reject_pairs", "related",
]  # fmt: skip

_FLAGS = (1, 2, 4, 8, 16, 32)

#: Seconds by which the times of a record may lag behind its packets.
#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
LAG = 60
#: The longest pause between two retransmissions of one packet that still is the same attempt: Linux waits 1, 2, 4, ...
#: 64 s. https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html (tcp_syn_retries)
RETRANSMISSION = 64

_NO_PORT = -1

#: A conversation at an interface: `a` is the lower end.
_KEY = ["interface_id", "a", "a_port", "b", "b_port", "protocol"]
#: A number that a frame gives to its records, so that those behind a verdict can be named.
PLACE = "place_in_frame"
_EXTRA = ["reject_reason", "flow_direction", PLACE]


@remembered
def reject_pairs(flows: ir.Table, *, tolerance: int | None, interval: int) -> ir.Table:
    reach = interval + LAG + RETRANSMISSION if tolerance is None else tolerance
    records = _records(flows, "reject_pairs", [])
    t = _numbered(_of_refused(records), interval)
    refused = t.filter(t.rejected)
    conversations = refused.group_by([*_KEY, "number", "forward"]).agg(
        first=refused.start.min(),
        last=refused.end.max(),
        attempts=refused.attempt.nunique(),
        records=refused.count(),
        packets=refused.packets.sum().cast("!int64"),
        # All of a group have the same ones.
        srcport=refused.srcport.max(),
        dstport=refused.dstport.max(),
        **_flags_of(refused, "tcp_flags"),
    )
    paired = _beside(conversations, t.filter(~t.rejected), reach)
    src, dst = paired.forward.ifelse(paired.a, paired.b), paired.forward.ifelse(paired.b, paired.a)
    columns = {
        "interface_id": paired.interface_id,
        "protocol": paired.protocol,
        "srcaddr": src,
        "srcport": paired.srcport,
        "dstaddr": dst,
        "dstport": paired.dstport,
        **{
            name: paired[name]
            for name in paired.columns
            if name not in {*_KEY, "number", "forward", "srcport", "dstport"}
        },
    }
    order = ["first", "interface_id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "last"]
    return paired.select(**columns).order_by(order)


def _beside(conversations: ir.Table, accepted: ir.Table, reach: int) -> ir.Table:
    """Put beside each refused conversation what was accepted the other way, so far from it at most."""
    other = accepted.select(
        **{f"own_{name}": accepted[name] for name in [*_KEY, "forward"]},
        **{f"own_{name}": accepted[name] for name in ("start", "end", "packets", "tcp_flags") if name in accepted},
    )
    conversation = [*_KEY, "number", "forward"]
    c = conversations.select(*conversation, "first", "last")
    meets = [c[name] == other[f"own_{name}"] for name in _KEY]
    meets += [c.forward != other.own_forward, other.own_start <= c["last"] + reach, other.own_end >= c["first"] - reach]
    joined = c.inner_join(other, meets)
    partners = joined.group_by(conversation).agg(
        accepted=joined.count(),
        accepted_packets=joined.own_packets.sum().cast("!int64"),
        accepted_first=joined.own_start.min(),
        accepted_last=joined.own_end.max(),
        **_flags_of(joined, "accepted_tcp_flags", "own_tcp_flags"),
    )
    both = conversations.left_join(partners, conversation)
    counts = {name: both[name].fill_null(0).cast("!int64") for name in ("accepted", "accepted_packets")}
    beside = {name: both[name] for name in partners.columns if name not in conversation}
    return both.select(*conversations.columns, **(beside | counts))


def _flags_of(t: ir.Table, name: str, column: str | None = None) -> dict[str, ir.Value]:
    """Return the flags that any record has. Not every engine has a bitwise OR over rows, so each bit is looked at."""
    column = column or name
    if column not in t.columns:
        return {}
    return {name: sum((t[column] & bit).max() for bit in _FLAGS)}


@remembered
def related(flows: ir.Table, *, interval: int) -> ir.Table:
    """Return the records of all conversations of which a packet was refused anywhere, each with its place among them.

    `number` counts the conversations of a key, `attempt` the attempts among what was refused in one direction: both
    from 0. `place_in_frame` is there where the records had it.
    """
    return _with_way(_numbered(_of_refused(_records(flows, "diagnose", _EXTRA)), interval))


def course(
    flows: ir.Table,
    verb: str,
    *,
    ends: tuple[str, str],
    ports: tuple[int | None, int | None],
    protocol: int,
    interval: int,
) -> ir.Table:
    """Return the same of both directions between two ports, None for any, and `srcaddr` and `dstaddr` as logged.

    Where addresses are codes, those of other hosts are among them: what the codes mean is known to the caller.
    """
    t = _records(flows, verb, [*_EXTRA, "srcaddr", "dstaddr"])
    src_port, dst_port = t.forward.ifelse(t.a_port, t.b_port), t.forward.ifelse(t.b_port, t.a_port)
    src, dst = t.forward.ifelse(t.a, t.b), t.forward.ifelse(t.b, t.a)
    names = (None, None) if are_codes(flows) else ends
    wanted = [(*ports, *names), (*reversed(ports), *reversed(names))]
    pairs = [zip((src_port, dst_port, src, dst), way, strict=True) for way in wanted]
    ways = [[value == asked for value, asked in way if asked is not None] for way in pairs]
    of_both = t.protocol == protocol
    if all(ways):
        of_both &= ibis.or_(*(ibis.and_(*way) for way in ways))
    return _with_way(_numbered(t.filter(of_both, t.start.notnull() & t.end.notnull()), interval))


def _with_way(t: ir.Table) -> ir.Table:
    """Return 1 for what left the interface, 0 for what arrived, and -1 where that is not known, as `egress`."""
    if "flow_direction" in t.columns:
        way = ibis.cases((says(t, "flow_direction", "egress"), 1), (says(t, "flow_direction", "ingress"), 0), else_=-1)
        return t.mutate(egress=way).drop("flow_direction", "srcport", "dstport")
    return t.mutate(egress=ibis.literal(-1, "int64")).drop("srcport", "dstport")


def _records(flows: ir.Table, verb: str, extra: list[str]) -> ir.Table:
    """Return the records with the key of their conversations."""
    optional = ["tcp_flags", "pkt_srcaddr", "pkt_dstaddr", *extra]
    needed = ["interface_id", "dstaddr", "srcport", "dstport", "protocol", "start", "end", "action", "packets"]
    t = traffic(flows, verb, *needed, optional=optional)
    ends, forward = ends_in_order(t)
    return t.select(
        "interface_id",
        a=ends["a"],
        a_port=ends["a_port"].cast("int64").fill_null(_NO_PORT),
        b=ends["b"],
        b_port=ends["b_port"].cast("int64").fill_null(_NO_PORT),
        protocol=t.protocol,
        forward=forward,
        rejected=says(t, "action", "REJECT"),
        srcport=t.srcport,
        dstport=t.dstport,
        start=t.start,
        end=t.end,
        packets=t.packets,
        **{name: known(t, name) for name in ("tcp_flags", *extra) if name in t.columns},
    )


def _of_refused(records: ir.Table) -> ir.Table:
    """Leave the conversations of which a packet was refused at some interface."""
    conversation = _KEY[1:]
    return records.semi_join(records.filter(records.rejected).select(*conversation).distinct(), conversation)


def _numbered(records: ir.Table, interval: int) -> ir.Table:
    """Tell conversations on the same ports apart, and the attempts in each.

    A SYN after a close begins a new one, and so does anything after long silence, but for a refused packet that opens
    nothing: it belongs to what was there before.
    """
    t = records
    before = ibis.window(group_by=_KEY, order_by="start", rows=(None, -1))
    # What began earlier than this record; of those that begin together it does not matter which is looked at first.
    earlier = ibis.window(group_by=_KEY, order_by="start", range=(None, -1))
    so_far = ibis.window(group_by=_KEY, order_by="start", range=(None, 0))
    silent = t.start - t.end.max().over(before) > default_idle(t, interval)
    begins = silent
    if "tcp_flags" in t.columns:
        flags = t.tcp_flags.fill_null(0)
        opens = (t.protocol == TCP) & ((flags & (SYN | ACK)) == SYN)
        is_tail = (t.protocol == TCP) & t.rejected & t.tcp_flags.notnull() & ((flags & SYN) == 0)
        closed = t.start.max(where=(flags & (FIN | RST)) > 0).over(earlier)
        opened = t.start.max(where=opens).over(earlier)
        begins = (silent & ~is_tail) | (opens & (closed >= opened.fill_null(0)).fill_null(False))
    t = t.mutate(begins=begins.fill_null(False).cast("int64"))
    same_way = ibis.window(group_by=[*_KEY, "forward", "rejected"], order_by="start", rows=(None, -1))
    pause = t.start - t.end.max().over(same_way) > interval + RETRANSMISSION
    t = t.mutate(
        number=t.begins.sum().over(so_far).cast("int64"), tries=(t.rejected & pause.fill_null(False)).cast("int64")
    )
    same_way = ibis.window(group_by=[*_KEY, "forward", "rejected"], order_by="start", range=(None, 0))
    return t.mutate(attempt=t.tries.sum().over(same_way).cast("int64")).drop("begins", "tries")


@remembered
def accepted_alike(flows: ir.Table, *, interval: int) -> ir.Table:
    """Return what was accepted with the values of something refused, once for each interface and time.

    Those values are all that a network ACL looks at: direction, protocol, remote address and destination port.
    https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
    """
    optional = ["tcp_flags", "pkt_srcaddr", "pkt_dstaddr", "flow_direction", PLACE]
    needed = ["interface_id", "dstaddr", "srcport", "dstport", "protocol", "start", "end", "action"]
    t = traffic(flows, "diagnose", *needed, optional=optional)
    src, dst = real_ends(t)
    egress = says(t, "flow_direction", "egress")
    flags = t.tcp_flags.fill_null(0) if "tcp_flags" in t.columns else ibis.literal(0, "int64")
    t = t.select(
        "interface_id",
        egress=egress.cast("int64"),
        remote=egress.ifelse(dst, src),
        protocol=t.protocol,
        dstport=t.dstport.cast("int64").fill_null(_NO_PORT),
        known_way=egress | says(t, "flow_direction", "ingress"),
        rejected=says(t, "action", "REJECT"),
        start=t.start,
        end=t.end,
        opens=((t.protocol == TCP) & ((flags & (SYN | ACK)) == SYN)).cast("int64"),
        # Of those that began together, the same whatever the order of the records.
        rank=t.start * (1 << 16) + t.srcport.cast("int64").fill_null(0),
        **{name: t[name] for name in (PLACE,) if name in t.columns},
    )
    t = t.filter(t.known_way)
    values = ["egress", "remote", "protocol", "dstport"]
    alike = t.filter(~t.rejected).semi_join(t.filter(t.rejected).select(*values).distinct(), values)
    # Of one window it does not matter how many there were.
    alike = alike.mutate(window=(alike.start // interval).cast("int64"))
    return alike.group_by(["interface_id", *values, "window"]).agg(
        start=alike.start.min(),
        end=alike.end.max(),
        opens=alike.opens.max(),
        **{name: alike[name].argmin(alike.rank) for name in (PLACE,) if name in alike.columns},
    )
