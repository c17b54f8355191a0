"""The ground of all detectors: one row a contact, who sought whom and what came of it.

A contact is a conversation (`reduce.conversations`): the records of both directions, all windows and all interfaces
that saw it are one row, which says who began. So replies are no initiations, a long connection is no series of short
ones, and what both ends logged counts once.

Windows are those of the interface: one log may hold interfaces of one minute and of ten, and a table that some other
tool has made of connections has none at all. What happens within a window cannot be told apart, so every contact says
how finely its times are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from flowlens.reduce.conversations import default_idle, records_by_ends, seen_by_initiator, stitched
from flowlens.reduce.initiator import Sign, with_initiator
from flowlens.reduce.records import remembered, traffic
from flowlens.service import ICMP, ICMPV6, TCP

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "ENDS",
    "FACTS",
    "PAIR",
    "contacts",
    "counted",
    "events",
    "lengths",
    "located",
    "present",
    "resolution_by",
    "resolutions",
    "spread",
]

#: The unit of most detectors: who seeks whom at which port.
PAIR = ("src", "dst", "dport", "protocol")

#: What tells contacts apart.
_CONTACT = (*PAIR, "sport", "began")

#: The columns with addresses, and what is known of each address: whether it is internal, one that nobody out there has
#: (multicast, link-local, ...), one inside a subnet that no interface has, and one on a list of the user.
ENDS = ("src", "dst")
FACTS = ("internal", "special", "dark", "listed")

# A minute, or ten: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html. AWS's own examples have
# windows of up to 180 s in a log of one minute; a record that is longer than all windows is that of a whole connection.
_MINUTE, _TEN_MINUTES, _NO_WINDOW = 60, 600, 1
_LONGER_THAN_A_MINUTE, _LONGER_THAN_TEN = 90, 900
_SHARE_OF_LONG = 0.01

#: A header of IPv4 and one of TCP without options: what a RST, and an ACK without data, has at most.
_EMPTY_SEGMENT = 40


def resolutions(records: ir.Table) -> ir.Table:
    """Tell for each interface how many seconds its windows have, 1 where there are none."""
    seen = records.group_by("interface_id").agg(**lengths(records))
    return seen.select(seen_at=seen.interface_id, resolution=resolution_by(seen))


def lengths(records: ir.Table) -> dict[str, ir.Value]:
    """Return what of records tells how long windows are: their `count`, how many are `long`, and the `longest`."""
    span = records.end - records.start
    return {
        "count": span.count(),
        "long": (span > _LONGER_THAN_A_MINUTE).sum().fill_null(0),
        "longest": span.max().fill_null(0),
    }


def resolution_by(seen: ir.Table) -> ir.IntegerValue:
    """Tell by `lengths` how many seconds windows have."""
    return ibis.cases(
        (seen.longest > _LONGER_THAN_TEN, _NO_WINDOW),
        (seen.long > _SHARE_OF_LONG * seen["count"], _TEN_MINUTES),
        else_=_MINUTE,
    )


def _records(flows: ir.Table, verb: str) -> ir.Table:
    records = records_by_ends(flows, verb).drop_null(["a", "b", "protocol", "start", "end"])
    timed = traffic(flows, verb, "start", "end", optional=["interface_id"])
    windows = resolutions(timed if "interface_id" in timed.columns else records)
    # Records of a regional NAT gateway have no interface; they are compared as one.
    joined = records.left_join(windows, records.interface_id.identical_to(windows.seen_at))
    return joined.select(*records.columns, resolution=joined.resolution.fill_null(_TEN_MINUTES))


@remembered
def contacts(flows: ir.Table, *, verb: str) -> ir.Table:
    """Return one row a contact.

    `src` sought `dst` from `sport` at `dport`; `sure` is false where nothing tells who began. Of the request it was
    `refused` (by a filter, and nothing came back), `answered` (something came back that is more than a reset), `reset`
    (the host said no), or none of these: silent. `resolution` is how many seconds the windows have that its times are
    known by. What it came to if the other end began, of which `located` makes use, is in columns that begin with
    `turned_`. Besides these: `protocol, interface_id, first, last, records, packets_out, packets_in, bytes_out,
    bytes_in`. Records of other tools that lack an address, a protocol or a time are no contact.
    """
    records = _records(flows, verb)
    both = stitched(records, default_idle(records, records.resolution), carried=("resolution",))
    t = with_initiator(both, both.resolution)
    with_flags = "tcp_flags" in flows.columns
    outcome, turned = _outcome(t, t.from_a, with_flags), _outcome(t, ~t.from_a, with_flags)
    return t.select(
        src=t.from_a.ifelse(t.a, t.b),
        dst=t.from_a.ifelse(t.b, t.a),
        sport=t.from_a.ifelse(t.a_port, t.b_port),
        dport=t.from_a.ifelse(t.b_port, t.a_port),
        **seen_by_initiator(t),
        sure=t.initiator_by != "unknown",
        **outcome,
        **{f"turned_{name}": value for name, value in turned.items()},
        resolution=t.resolution,
    )


def _outcome(t: ir.Table, from_a: ir.BooleanValue, with_flags: bool) -> dict[str, ir.BooleanValue]:
    """Tell what came of conversations if that end began."""

    def seen(of_a: Sign, of_b: Sign) -> ir.BooleanValue:
        return from_a.ifelse((t.signs & of_a) > 0, (t.signs & of_b) > 0)

    refused = seen(Sign.FORWARD_REJECTED, Sign.BACKWARD_REJECTED)
    replied = seen(Sign.BACKWARD_ACCEPTED, Sign.FORWARD_ACCEPTED)
    if with_flags:
        said_no = seen(Sign.BACKWARD_RESETS, Sign.FORWARD_RESETS) & ~seen(Sign.BACKWARD_ANSWERS, Sign.FORWARD_ANSWERS)
    else:
        packets_in = from_a.ifelse(t.packets_backward, t.packets_forward)
        bytes_in = from_a.ifelse(t.bytes_backward, t.bytes_forward)
        said_no = bytes_in <= _EMPTY_SEGMENT * packets_in
    reset = ((t.protocol == TCP) & replied & said_no).fill_null(False)
    return {"refused": refused & ~replied, "answered": replied & ~reset, "reset": reset}


@remembered
def located(made: ir.Table, places: ir.Table) -> ir.Table:
    """Tell of the contacts which of their ends are internal, and which ones lie in the dark.

    Where nothing tells who began, an internal end is taken for the one that did: what comes in unasked has to pass a
    rule for it. ICMP that nobody answers, between hosts that talk otherwise, is `provoked`: errors about that talk, by
    which nobody sought anybody (https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2). Records do not tell its type.
    """
    made = _with_provoked(made)
    src = places.rename(**{f"src_{name}": name for name in ("address", *FACTS)})
    dst = places.rename(**{f"dst_{name}": name for name in ("address", *FACTS)})
    t = made.left_join(src, made.src == src.src_address)
    t = t.left_join(dst, t.dst == dst.dst_address)
    inside = {name: t[name].fill_null(False) for name in ("src_internal", "dst_internal")}
    turned = ~t.sure & inside["dst_internal"] & ~inside["src_internal"]

    def end(one: str, other: str) -> ir.Value:
        return turned.ifelse(t[other], t[one])

    return t.select(
        src=end("src", "dst"),
        dst=end("dst", "src"),
        sport=end("sport", "dport"),
        dport=end("dport", "sport"),
        packets_out=end("packets_out", "packets_in"),
        packets_in=end("packets_in", "packets_out"),
        bytes_out=end("bytes_out", "bytes_in"),
        bytes_in=end("bytes_in", "bytes_out"),
        from_inside=turned.ifelse(inside["dst_internal"], inside["src_internal"]),
        to_inside=turned.ifelse(inside["src_internal"], inside["dst_internal"]),
        to_special=end("dst_special", "src_special").fill_null(False),
        to_dark=end("dst_dark", "src_dark").fill_null(False),
        listed=t.src_listed.fill_null(False) | t.dst_listed.fill_null(False),
        sure=t.sure & ~t.provoked,
        **{name: end(name, f"turned_{name}") for name in ("refused", "answered", "reset")},
        **{
            name: t[name] for name in ("protocol", "interface_id", "first", "last", "records", "provoked", "resolution")
        },
    )


def _with_provoked(made: ir.Table) -> ir.Table:
    t = made.mutate(a=ibis.least(made.src, made.dst), b=ibis.greatest(made.src, made.dst))
    silent_icmp = t.protocol.isin([ICMP, ICMPV6]) & ~t.answered
    pairs = t.filter(silent_icmp).select("a", "b").distinct()
    talking = t.filter(~t.protocol.isin([ICMP, ICMPV6])).semi_join(pairs, ["a", "b"])
    talking = talking.select(talks_a=talking.a, talks_b=talking.b).distinct()
    none = ibis.null(t.a.type())
    t = t.mutate(a=silent_icmp.ifelse(t.a, none), b=silent_icmp.ifelse(t.b, none))
    joined = t.left_join(talking, [t.a == talking.talks_a, t.b == talking.talks_b])
    return joined.select(*made.columns, provoked=joined.talks_a.notnull())


def events(flows: ir.Table, ground: ir.Table, verb: str) -> ir.Table:
    """Return when the source of each contact became active: at its beginning, and after each silence within it.

    A connection that stays open and is used now and then (a heartbeat, a request of NTP from the same port) is one
    contact and many events. Windows that follow one another are one event: nothing tells what is between them.
    Columns: those of `PAIR`, `interface_id, time, size` (bytes of the source), `opens` (1 where a contact begins),
    `resolution`, and of the contact `lasted, answered, refused, provoked, from_inside, to_inside, to_special`.
    """
    of_contact = ["lasted", "answered", "refused", "provoked", "from_inside", "to_inside", "to_special"]
    traits = ["interface_id", "resolution", *of_contact]
    ground = ground.mutate(lasted=ground["last"] - ground["first"])
    lasting = (ground.lasted > 4 * ground.resolution) & (ground.records > 2)
    short = ground.filter(~lasting).select(*PAIR, *traits, time=ground["first"], size=ground.bytes_out, opens=_one())
    long = ground.filter(lasting)
    windows = _windows(flows, long, verb, traits).rename(size="bytes_out")
    contact = [*_CONTACT, *traits]
    before = ibis.window(group_by=_CONTACT, order_by="record_start", rows=(None, -1))
    so_far = ibis.window(group_by=_CONTACT, order_by="record_start", rows=(None, 0))
    silence = windows.record_start - windows.record_end.max().over(before)
    # Edges of windows touch: one without records lies between records that are a whole window apart.
    begins = windows.mutate(begins=(silence >= windows.resolution).fill_null(False).cast("int64"))
    numbered = begins.mutate(number=begins.begins.sum().over(so_far))
    long_events = numbered.group_by([*contact, "number"]).agg(
        time=numbered.record_start.min(),
        size=numbered["size"].sum().cast("int64"),
    )
    long_events = long_events.mutate(opens=(long_events.number == 0).cast("int64"))
    columns = [*PAIR, *traits, "time", "size", "opens"]
    return short.select(*columns).union(long_events.select(*columns))


def _windows(flows: ir.Table, long: ir.Table, verb: str, kept: Sequence[str]) -> ir.Table:
    """Take contacts apart into the windows of the interface that they are told by.

    Returns the columns of `_CONTACT`, those to be `kept`, `record_start, record_end`, and what was counted in between:
    `packets_out, packets_in, bytes_out, bytes_in`.
    """
    from_a = (long.src < long.dst) | ((long.src == long.dst) & (long.sport <= long.dport).fill_null(True))
    keyed = long.select(
        *_CONTACT[:-1], *kept, told_at="interface_id", began="first", ended="last", from_a=from_a,
        key_a=from_a.ifelse(long.src, long.dst), key_b=from_a.ifelse(long.dst, long.src),
        key_a_port=_joinable(from_a.ifelse(long.sport, long.dport)),
        key_b_port=_joinable(from_a.ifelse(long.dport, long.sport)),
        key_protocol=_joinable(long.protocol),
    )  # fmt: skip
    records = records_by_ends(flows, verb)
    records = records.select(
        record_forward=records.forward, record_start=records.start, record_end=records.end, record_bytes=records.bytes,
        record_packets=records.packets, record_at=records.interface_id, a=records.a, b=records.b,
        a_port=_joinable(records.a_port), b_port=_joinable(records.b_port), of_protocol=_joinable(records.protocol),
    )  # fmt: skip
    joined = keyed.inner_join(
        records,
        [
            keyed.key_a == records.a,
            keyed.key_b == records.b,
            keyed.key_a_port == records.a_port,
            keyed.key_b_port == records.b_port,
            keyed.key_protocol == records.of_protocol,
            records.record_start >= keyed.began,
            records.record_start <= keyed.ended,
            # What several interfaces saw is taken from one: their windows are not the same.
            records.record_at.identical_to(keyed.told_at),
        ],
    )
    out, back = joined.record_forward == joined.from_a, joined.record_forward != joined.from_a
    return joined.group_by([*_CONTACT, *kept, "record_start"]).agg(
        record_end=joined.record_end.max(),
        packets_out=joined.record_packets.sum(where=out).fill_null(0).cast("int64"),
        packets_in=joined.record_packets.sum(where=back).fill_null(0).cast("int64"),
        bytes_out=joined.record_bytes.sum(where=out).fill_null(0).cast("int64"),
        bytes_in=joined.record_bytes.sum(where=back).fill_null(0).cast("int64"),
    )


def present(ground: ir.Table) -> ir.Table:
    """Return when each address is in the log first and last, whoever sought whom: `began` and `ended`."""
    first, second = (ground.select(address=ground[end], first=ground["first"], last=ground["last"]) for end in ENDS)
    seen = first.union(second)
    return seen.group_by("address").agg(began=seen["first"].min(), ended=seen["last"].max())


def spread(flows: ir.Table, ground: ir.Table, step: int, verb: str, kept: Sequence[str]) -> ir.Table:
    """Repeat each contact in every step of time that it fills, with what was counted there.

    One that is longer than a step and than a window is taken apart into its windows; what is longer than a step then, a
    window or the record of a whole connection, has the same rate in each of its steps.

    Returns those columns of contacts that are to be `kept`, `first, last, packets_out, packets_in, bytes_out,
    bytes_in`, and `step`, the number of the step since 1970; `lasts`, the seconds counted or of one step where that is
    longer, so that a counter x step / lasts is a rate; `once`, 1 in one step of what was counted, so that a counter x
    once is not counted twice; and `opens`, 1 in one step of the contact.
    """
    counters = ["packets_out", "packets_in", "bytes_out", "bytes_in"]
    columns = [*kept, *counters, "first", "last", "opens"]
    lasting = ground["last"] - ground["first"] > ibis.greatest(step, ground.resolution)
    whole = {f"whole_{name}": ground[name] for name in counters}
    others = [name for name in kept if name not in _CONTACT]
    windows = _windows(flows, ground.filter(lasting).mutate(**whole), verb, [*others, *whole])
    contact = ibis.window(group_by=_CONTACT)
    windows = windows.mutate(
        first="record_start",
        last="record_end",
        opens=(windows.record_start == windows.record_start.min().over(contact)).cast("int64"),
        # Of what several places saw, as attachments of a transit gateway, the contact has the largest count.
        **{
            name: (windows[name] * (windows[f"whole_{name}"] / windows[name].sum().over(contact).nullif(0)))
            .floor().cast("int64").fill_null(0)
            for name in counters
        },
    )  # fmt: skip
    both = ground.filter(~lasting).mutate(opens=_one()).select(*columns).union(windows.select(*columns))
    lasts = ibis.greatest(both["last"] - both["first"], step)
    t = both.mutate(step=both["first"] // step, lasts=lasts)
    short = t.filter(t.lasts < 2 * step).mutate(once=_one())
    long = t.filter(t.lasts >= 2 * step)
    long = long.mutate(later=ibis.range(0, long.lasts // step).unnest().cast("int64"))
    long = long.mutate(
        step=long.step + long.later, once=(long.later == 0).cast("int64"), opens=(long.later == 0).ifelse(long.opens, 0)
    )
    return short.union(long.select(*short.columns))


def _one() -> ir.IntegerScalar:
    return ibis.literal(1, "int64")


def counted(ground: ir.Table) -> ir.Table:
    """Return one row: how many contacts there are, and of how many nothing tells who began."""
    return ground.agg(contacts=ground.count(), unsure=(~ground.sure).cast("int64").sum().fill_null(0))


def _joinable(number: ir.Value) -> ir.Value:
    """Return a port or protocol in which missing ones are equal."""
    return number.cast("int64").fill_null(-1)
