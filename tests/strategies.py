"""Random flow log records that the schema can express, random traffic that hangs together, and hostile traffic."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from formats import ADDRESSES, ALL_VPC, NUMBERS, START, TIMES, nodata, record
from hypothesis import strategies as st

#: A token that no white space cuts, that is not '-' and does not start a comment.
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12).filter(
    lambda word: word != "-" and not word.startswith("#")
)
#: Tag values are percent-encoded UTF-8: a literal '-' is written %2D.
TAGS = st.text(min_size=1, max_size=6, alphabet=st.characters(codec="utf-8")).map(
    lambda tag: "".join(f"%{byte:02X}" for byte in tag.encode())
)
IPV4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
IPV6 = st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
SECONDS = st.integers(0, 10**11 - 1)

_CLOSED = {
    "action": ["ACCEPT", "REJECT"],
    "log_status": ["OK", "NODATA", "SKIPDATA"],
    "flow_direction": ["ingress", "egress"],
}
_TYPICAL = {
    "account_id": ["123456789010", "051856882135", "unknown"],
    "type": ["IPv4", "IPv6", "EFA"],
    "reject_reason": ["BPA", "EC", "Accepted"],
}


def values(column: str) -> st.SearchStrategy:
    """Return what can stand in a column, None for ``-`` included."""
    if column in ADDRESSES:
        known = st.one_of(IPV4, IPV6)
    elif column in TIMES:
        known = SECONDS
    elif column in NUMBERS:
        known = st.one_of(st.integers(0, NUMBERS[column]), st.sampled_from([0, NUMBERS[column]]))
    elif column in _CLOSED:
        return st.sampled_from([*_CLOSED[column], None])
    elif "tag" in column:
        known = TAGS
    else:
        known = st.one_of(WORDS, st.sampled_from(_TYPICAL.get(column, ["x"])))
    return st.one_of(known, known, st.none())


#: Any choice of fields in any order, now and then one that AWS has not invented yet. A header needs two known names.
LAYOUTS = st.builds(
    lambda known, future: known + future,
    st.lists(st.sampled_from(ALL_VPC), min_size=2, max_size=20, unique=True),
    st.lists(st.sampled_from(["hop_count", "tls_version", "v12_field_2"]), max_size=2, unique=True),
).flatmap(st.permutations)


@st.composite
def logs(draw: st.DrawFn, layouts: st.SearchStrategy = LAYOUTS, min_size: int = 0, max_size: int = 12) -> tuple:
    """Return a layout and records of it."""
    layout = draw(layouts)
    one = st.fixed_dictionaries({column: values(column) for column in layout})
    return layout, draw(st.lists(one, min_size=min_size, max_size=max_size))


def _traffic(hosts: list[str]) -> st.SearchStrategy:
    address = st.sampled_from(hosts)
    start = st.integers(0, 40).map(lambda minutes: START + 60 * minutes)
    made = st.builds(
        lambda src, dst, srcport, dstport, protocol, packets, size, start, action, eni, flags: record(
            srcaddr=src,
            dstaddr=dst,
            srcport=srcport,
            dstport=dstport,
            protocol=protocol,
            packets=packets,
            bytes=size,
            start=start,
            end=start + 59,
            action=action,
            interface_id=eni,
            tcp_flags=flags,
        ),
        address,
        address,
        st.sampled_from([22, 443, 40000, 50000, 0]),
        st.sampled_from([22, 443, 40000, 50000, 0]),
        st.sampled_from([1, 6, 17]),
        st.integers(1, 5),
        st.integers(40, 400),
        start,
        st.sampled_from(["ACCEPT", "ACCEPT", "REJECT"]),
        st.sampled_from([f"eni-{hosts[0]}", f"eni-{hosts[1]}", None]),
        st.sampled_from([0, 1, 2, 18, 19, 3, 4, None]),
    )
    silent = st.builds(
        lambda start, eni, status: nodata(
            start=start, end=start + 59, interface_id=eni, log_status=status, tcp_flags=None
        ),
        start,
        st.sampled_from([f"eni-{hosts[0]}", f"eni-{hosts[1]}"]),
        st.sampled_from(["NODATA", "SKIPDATA"]),
    )
    return st.one_of(made, made, made, silent)


#: Records between few hosts and ports, so that they meet in groups, pairs and conversations. One-minute windows.
TRAFFIC = st.lists(_traffic(["10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1"]), min_size=1, max_size=25)

#: The same between hosts that have nothing to do with those.
UNRELATED = st.lists(_traffic(["192.168.7.1", "192.168.7.2", "2001:db8:ffff::9"]), max_size=12)


def of_contact(
    src: str,
    dst: str,
    dport: int,
    *,
    start: int,
    outcome: str,
    eni: str | None,
    window: int = 60,
    sport: int = 40000,
    protocol: int = 6,
    packets: int = 3,
    size: int = 180,
    flags: bool = True,
    inside: bool = True,
) -> list[dict]:
    """Return the records of one contact: what was sent, and what came back if it was answered or reset."""
    tcp = protocol == 6 and flags
    common = {"protocol": protocol, "interface_id": eni, "start": start, "end": start + window - 1}
    ways = ("egress", "ingress") if inside else ("ingress", "egress")
    sent = record(
        **common, srcaddr=src, dstaddr=dst, srcport=sport, dstport=dport, packets=packets, bytes=size,
        action="REJECT" if outcome == "refused" else "ACCEPT", tcp_flags=2 if tcp else 0, flow_direction=ways[0],
    )  # fmt: skip
    if outcome in {"refused", "silent"}:
        return [sent]
    got = record(
        **common, srcaddr=dst, dstaddr=src, srcport=dport, dstport=sport, packets=1 if outcome == "reset" else packets,
        bytes=40 if outcome == "reset" else 2 * size, tcp_flags=(4 if outcome == "reset" else 18) if tcp else 0,
        flow_direction=ways[1],
    )  # fmt: skip
    return [sent, got]


def _hostile(inside: list[str], outside: list[str], enis: list[str], ports: list[int]) -> st.SearchStrategy:
    """Return what an attacker does for a while, or what looks like it: each a list of records."""
    outcomes = st.sampled_from(["refused", "silent", "reset", "answered", "answered"])
    minutes = st.integers(0, 300).map(lambda minute: START + 60 * minute)
    eni = st.sampled_from(enis)

    @st.composite
    def contacts(draw: st.DrawFn) -> list[dict]:
        kind = draw(
            st.sampled_from(["scan", "sweep", "guess", "beacon", "heartbeat", "spike", "flood", "chain", "long", "gap"])
        )
        here, there = draw(st.sampled_from(inside)), draw(st.sampled_from(outside))
        to_here = draw(st.booleans())
        src, dst = (there, here) if to_here else (here, there)
        at, start, flags = draw(eni), draw(minutes), draw(st.booleans())
        count, port = draw(st.integers(2, 12)), draw(st.sampled_from(ports))
        common = {"eni": at, "flags": flags, "inside": not to_here}
        if kind == "scan":
            tried = range(port, port + count)
            return [r for p in tried for r in of_contact(src, dst, p, start=start, outcome=draw(outcomes), **common)]
        if kind == "sweep":
            base = dst.rsplit(".", 1)[0] if "." in dst else inside[0].rsplit(".", 1)[0]
            hosts = [f"{base}.{100 + place}" for place in range(count)]
            return [
                r for one in hosts for r in of_contact(src, one, port, start=start, outcome=draw(outcomes), **common)
            ]
        if kind == "guess":
            sizes = draw(st.lists(st.sampled_from([9, 10, 11, 200]), min_size=count, max_size=count))
            return [
                r for place, packets in enumerate(sizes)
                for r in of_contact(
                    src, dst, port, start=start + 60 * place, outcome="answered", sport=41000 + place, packets=packets,
                    size=60 * packets, **common,
                )
            ]  # fmt: skip
        if kind in {"beacon", "heartbeat"}:
            period, outcome = 60 * draw(st.integers(2, 12)), draw(outcomes)
            return [
                r for place in range(count)
                for r in of_contact(
                    src, dst, port, start=start + period * place, outcome=outcome,
                    sport=42000 if kind == "heartbeat" else 42000 + place, protocol=draw(st.sampled_from([6, 6, 17])),
                    **common,
                )
            ]  # fmt: skip
        if kind == "spike":
            loads = draw(st.lists(st.integers(1, 8), min_size=count, max_size=count))
            return [
                r for hour, load in enumerate(loads)
                for r in of_contact(
                    here, there, ports[0], start=start + 3600 * hour, outcome="answered", sport=43000 + hour,
                    size=10**load, eni=at, flags=flags,
                )
            ]  # fmt: skip
        if kind == "flood":
            proto = draw(st.sampled_from([6, 17]))
            base = (outside if to_here else inside)[0].rsplit(".", 1)[0]
            return [
                r for place in range(count)
                for r in of_contact(
                    f"{base}.{place}", dst, port, start=start + 60 * (place // 4), outcome="silent", packets=2000,
                    protocol=proto, **common,
                )
            ]  # fmt: skip
        if kind == "chain":
            came = of_contact(
                there, here, ports[-1], start=start, outcome="answered", eni=at, flags=flags, inside=False
            )
            onwards = [one for one in inside if one != here]
            return came + [
                r
                for one in onwards
                for r in of_contact(here, one, ports[-1], start=start + 300, outcome="answered", **common)
            ]
        if kind == "long":
            return [
                r for place in range(count)
                for r in of_contact(
                    src, dst, port, start=start + 600 * place, outcome="answered", window=600, sport=44000,
                    **{**common, "eni": f"{at}-of-ten-minutes"},
                )
            ]  # fmt: skip
        silence = draw(st.sampled_from(["NODATA", "SKIPDATA"]))
        return [
            nodata(
                start=start + 60 * place, end=start + 60 * place + 59, interface_id=at, log_status=silence,
                tcp_flags=None, flow_direction=None,
            )
            for place in (0, 1, count + 10)
        ]  # fmt: skip

    return st.lists(contacts(), min_size=1, max_size=5).map(lambda lists: [rec for one in lists for rec in one])


#: Scans, guesses, beacons, floods and the like between few hosts.
HOSTILE = _hostile(
    ["10.0.0.1", "10.0.0.2", "2001:db8::1"],
    ["203.0.113.5", "198.51.100.9", "2001:db8:9::9"],
    ["eni-a", "eni-b"],
    [443, 5432, 8081, 53, 22],
)

#: The same between hosts that have nothing to do with those, at other interfaces and ports: what many hosts of a log
#: do is less remarkable of one.
UNRELATED_HOSTILE = _hostile(
    ["192.168.7.1", "192.168.7.2", "fd00:7::1"],
    ["192.0.2.77", "192.0.2.78", "2001:db8:77::9"],
    ["eni-y", "eni-z"],
    [6000, 27017, 9500, 1900, 3389],
)

#: Thresholds so low that little traffic gives findings of every kind.
SENSITIVE = {
    "port_scan.ports": 1, "port_scan.many_ports": 8, "port_sweep.hosts": 2, "port_sweep.many_hosts": 8,
    "probe.sources": 1, "probe.many_sources": 5, "brute_force.tries": 2, "brute_force.many_tries": 8,
    "brute_force.packets": 1, "beacon.events": 3, "beacon.half_evidence": 3, "volume_spike.bytes": 1_000,
    "volume_spike.many_bytes": 10_000_000, "volume_spike.deviation": 0.5, "volume_spike.large_deviation": 3,
    "flood.rate": 0.05, "flood.high_rate": 50, "flood.burst": 1, "new_peer.history": 0.02,
    "lateral_movement.tries": 2, "log_gap.minutes": 1, "log_gap.many_minutes": 60,
}  # fmt: skip
