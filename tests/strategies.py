"""Random flow log records that the schema can express, and random traffic that hangs together."""

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
