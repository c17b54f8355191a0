"""Patterns over the text of addresses hold for exactly those that netaddr puts into the prefix."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

import duckdb
import netaddr
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowlens.address_text import text_pattern


def in_net(net: netaddr.IPNetwork, address: str) -> bool:
    return re.search(text_pattern(net), address) is not None


def ipv6_text(number: int) -> str:
    """Return the text of RFC 5952: the first of the longest runs of two or more zero groups is left out."""
    groups = [f"{number >> (112 - 16 * place) & 0xFFFF:x}" for place in range(8)]
    for length in range(8, 1, -1):
        for begin in range(9 - length):
            if groups[begin : begin + length] == ["0"] * length:
                return f"{':'.join(groups[:begin])}::{':'.join(groups[begin + length :])}"
    return ":".join(groups)


#: Groups among which runs of zeros, short numbers and the ends of ranges are frequent.
GROUPS = st.lists(
    st.one_of(st.sampled_from([0, 0, 0, 1, 0x0F, 0x10, 0xFF, 0xFFF, 0x1000, 0xFD00, 0xFFFF]), st.integers(0, 0xFFFF)),
    min_size=8,
    max_size=8,
).map(lambda groups: sum(group << (16 * place) for place, group in enumerate(groups)))


@st.composite
def nearby(draw, numbers: st.SearchStrategy, bits: int) -> tuple[int, int, int]:
    """Return a number, one that differs from it at about the end of a prefix, and the length of the prefix."""
    number, length = draw(numbers), draw(st.integers(0, bits))
    flipped = draw(st.one_of(st.just(0), st.integers(0, bits - 1).map(lambda bit: 1 << bit)))
    return number, draw(st.one_of(st.just(number ^ flipped), numbers)), length


@settings(max_examples=600)
@given(nearby(GROUPS, 128))
@example((0, 1, 128))
@example((0, 1 << 127, 1))
def test_ipv6(found):
    number, other, length = found
    net = netaddr.IPNetwork(f"{IPv6Address(number)}/{length}").cidr
    assert in_net(net, ipv6_text(number))
    assert in_net(net, ipv6_text(other)) == (netaddr.IPAddress(other, 6) in net)


@settings(max_examples=400)
@given(nearby(st.integers(0, 2**32 - 1), 32))
def test_ipv4(found):
    number, other, length = found
    net = netaddr.IPNetwork(f"{IPv4Address(number)}/{length}").cidr
    assert in_net(net, str(IPv4Address(number)))
    assert in_net(net, str(IPv4Address(other))) == (netaddr.IPAddress(other, 4) in net)


@given(st.integers(0, 2**32 - 1), GROUPS, st.integers(0, 32))
def test_no_pattern_of_one_family_holds_for_the_other(four, six, length):
    of_four = netaddr.IPNetwork(f"{IPv4Address(four)}/{length}").cidr
    of_six = netaddr.IPNetwork(f"{IPv6Address(six)}/{length}").cidr
    assert not in_net(of_four, ipv6_text(six))
    assert not in_net(of_six, str(IPv4Address(four)))


@pytest.mark.parametrize(
    ("prefix", "pattern"),
    [
        ("10.0.32.0/20", "^10[.]0[.](?:3[2-9]|4[0-7])[.]"),
        ("100.64.0.0/10", "^100[.](?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]"),
        ("10.20.11.128/25", "^10[.]20[.]11[.](?:12[89]|1[3-9][0-9]|2[0-4][0-9]|25[0-5])$"),
        ("2001:db8::/32", "^2001:db8(?::|$)"),
        ("fe80::/10", "^fe[89ab][0-9a-f](?::|$)"),
        ("::/0", ":"),
    ],
)
def test_patterns_read_as_one_would_write_them(prefix, pattern):
    assert text_pattern(netaddr.IPNetwork(prefix)) == pattern


@given(st.lists(nearby(GROUPS, 128), min_size=1, max_size=5))
@settings(max_examples=20)
def test_duckdb_understands_the_patterns_as_python_does(found):
    for number, other, length in found:
        net = netaddr.IPNetwork(f"{IPv6Address(number)}/{length}").cidr
        query = f"SELECT regexp_matches('{ipv6_text(other)}', '{text_pattern(net)}')"
        assert duckdb.sql(query).fetchall() == [(in_net(net, ipv6_text(other)),)]
