"""What kind of address each one is: the registries of IANA, and what the user calls internal."""

from __future__ import annotations

import io
import ipaddress

import pandas as pd
import pytest
from formats import frame, nodata, read, record, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import IPV4, IPV6
from test_sql import run, table_of
from test_topology import NETWORK

import flowlens as fl

#: By the first and last address of each range of the registries, and what lies beside it.
SCOPES = {
    "0.0.0.0": "reserved", "0.255.255.255": "reserved", "1.0.0.0": "external",
    "9.255.255.255": "external", "10.0.0.0": "internal", "10.255.255.255": "internal", "11.0.0.0": "external",
    "100.63.255.255": "external", "100.64.0.0": "internal", "100.127.255.255": "internal", "100.128.0.0": "external",
    "126.255.255.255": "external", "127.0.0.0": "loopback", "127.255.255.255": "loopback", "128.0.0.0": "external",
    "169.253.255.255": "external", "169.254.0.0": "link-local", "169.254.169.254": "link-local",
    "169.254.255.255": "link-local", "169.255.0.0": "external",
    "172.15.255.255": "external", "172.16.0.0": "internal", "172.31.255.255": "internal", "172.32.0.0": "external",
    "192.0.0.0": "reserved", "192.0.0.255": "reserved", "192.0.1.0": "external", "192.0.2.1": "external",
    "192.167.255.255": "external", "192.168.0.0": "internal", "192.168.255.255": "internal", "192.169.0.0": "external",
    "198.17.255.255": "external", "198.18.0.0": "reserved", "198.19.255.255": "reserved", "198.20.0.0": "external",
    "198.51.100.7": "external", "203.0.113.9": "external", "8.8.8.8": "external",
    "223.255.255.255": "external", "224.0.0.0": "multicast", "239.255.255.255": "multicast", "240.0.0.0": "reserved",
    "255.255.255.254": "reserved", "255.255.255.255": "broadcast",
    "::": "reserved", "::1": "loopback", "::2": "reserved", "::ffff:10.0.0.5": "reserved",
    "64:ff9b::808:808": "external", "64:ff9b:0:0:0:1::": "reserved", "100::1": "reserved",
    "1fff:ffff::": "reserved", "2000::": "external", "2001:db8::1": "external", "2600:1f18::1": "external",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "external", "4000::": "reserved",
    "fbff:ffff::1": "reserved", "fc00::": "internal", "fd12:3456::1": "internal", "fdff:ffff::1": "internal",
    "fe00::1": "reserved", "fe80::": "link-local", "febf:ffff::1": "link-local", "fec0::1": "reserved",
    "feff::1": "reserved", "ff00::": "multicast", "ff02::1": "multicast",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "multicast",
}  # fmt: skip
DATA = text([record(srcaddr=address, dstaddr="10.0.0.5") for address in SCOPES])
WORDS = {"internal", "external", "multicast", "link-local", "loopback", "broadcast", "reserved"}


def scope(address, internal=None):
    ((found,),) = tuples(frame(record(srcaddr=address)).flow.add_scope(internal=internal), "src_scope")
    return found


def test_every_range_begins_and_ends_where_iana_says():
    found = read(DATA).flow.add_scope()
    assert dict(zip(SCOPES, found["src_scope"], strict=True)) == SCOPES
    assert set(found["dst_scope"]) == {"internal"}


def test_in_a_scan_they_do_too():
    found = fl.scan(io.BytesIO(DATA)).add_scope().collect()
    assert dict(zip(SCOPES, found["src_scope"], strict=True)) == SCOPES


@settings(max_examples=60)
@given(addresses=st.lists(st.one_of(IPV4, IPV6), min_size=1, max_size=30))
def test_every_address_has_one_of_the_scopes_and_python_does_not_disagree(addresses):
    found = frame(*[record(srcaddr=address) for address in addresses]).flow.add_scope()["src_scope"]
    for address, word in zip(addresses, found, strict=True):
        number = ipaddress.ip_address(address)
        assert word in WORDS
        assert (word == "multicast") == number.is_multicast
        assert (word == "loopback") == number.is_loopback
        assert (word == "link-local") == number.is_link_local
        assert number.is_private or word not in {"internal", "broadcast"} or address.startswith("100.")


@pytest.mark.parametrize(
    ("internal", "expected"),
    [
        ("10.0.0.0/16", {"10.0.0.5": "internal", "10.1.0.5": "external", "fd00::1": "external"}),
        (["10.0.0.0/16", "2600:1f18::/32"], {"2600:1f18::1": "internal", "2600:1f19::1": "external"}),
        (["11.0.0.0/16"], {"11.0.0.1": "internal", "10.0.0.5": "external"}),
        (["10.9.9.9/8"], {"10.0.0.5": "internal", "11.0.0.1": "external"}),
        (["172.16.0.0/11"], {"172.16.0.1": "internal", "172.0.0.1": "internal", "172.32.0.0": "external"}),
        ("0.0.0.0/0", {"10.0.0.5": "internal", "8.8.8.8": "internal", "127.0.0.1": "loopback"}),
        ("0.0.0.0/0", {"224.0.0.1": "multicast", "255.255.255.255": "broadcast"}),
        ("::/0", {"fd00::1": "internal", "2600::1": "internal", "ff02::1": "multicast", "10.0.0.5": "external"}),
        (["198.18.0.0/15"], {"198.18.0.1": "internal"}),
        (["198.19.0.0/16"], {"198.19.0.1": "internal", "198.18.0.1": "reserved"}),
        ([], {"10.0.0.5": "external", "fd00::1": "external", "169.254.1.1": "link-local"}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_internal_is_what_the_user_says(internal, expected):
    assert {address: scope(address, internal) for address in expected} == expected
    data = text([record(srcaddr=address) for address in expected])
    found = fl.scan(io.BytesIO(data)).add_scope(internal=internal).collect()
    assert dict(zip(expected, found["src_scope"], strict=True)) == expected


def test_the_networks_of_a_topology_can_be_what_is_internal():
    topology = fl.Topology.from_describe(NETWORK)
    assert {a: scope(a, topology) for a in ("10.0.0.5", "10.9.0.1", "10.8.0.1", "2001:db8::1", "192.168.0.1")} == {
        "10.0.0.5": "internal", "10.9.0.1": "internal", "10.8.0.1": "external", "2001:db8::1": "internal",
        "192.168.0.1": "external",
    }  # fmt: skip


@pytest.mark.parametrize("make", [list, tuple, iter, pd.Series, set])
def test_prefixes_come_in_any_list(make):
    assert scope("10.0.0.5", make(["10.0.0.0/24"])) == "internal"
    assert scope("10.0.1.5", make(["10.0.0.0/24"])) == "external"


def test_one_network_of_ipaddress_is_one_prefix():
    assert scope("2001:db8::5", ipaddress.ip_network("2001:db8::/32")) == "internal"


@pytest.mark.parametrize("internal", ["x", ["10.0.0.0/8", "10.0.0"], "10.0.0.0/8,172.16.0.0/12", [""]], ids=repr)
def test_what_is_no_prefix_is_refused_at_once(internal):
    for log in (frame(record()).flow, frame(record()).flow.sql(), fl.scan(io.BytesIO(DATA))):
        with pytest.raises(ValueError, match="CIDR prefix"):
            log.add_scope(internal=internal)


def test_records_without_traffic_and_what_is_no_address_have_no_scope():
    df = frame(record(), nodata(), nodata(log_status="SKIPDATA"))
    found = tuples(df.flow.add_scope(), "src_scope", "dst_scope")
    assert found == [("internal", "internal"), (None, None), (None, None)]
    made = pd.DataFrame({"srcaddr": ["x", "-", None, "10.0.0.300"], "dstaddr": "10.0.0.5"})
    assert tuples(made.flow.add_scope(), "src_scope") == [(None,)] * 4
    assert df.iloc[:0].flow.add_scope().columns.tolist() == [*df.columns, "src_scope", "dst_scope"]


def test_a_matrix_of_scopes_is_the_same_in_a_frame_a_scan_and_by_the_printed_text(tmp_path):
    records = [record(srcaddr=address) for address in SCOPES] + [nodata()]
    df = frame(*records)
    df.flow.to_parquet(tmp_path)
    expected = df.flow.add_scope().flow.matrix("src_scope", "dst_scope", values="flows")
    assert expected["internal"].to_dict() == pd.Series(SCOPES.values()).value_counts().to_dict()
    pd.testing.assert_frame_equal(
        fl.scan(tmp_path).add_scope().matrix("src_scope", "dst_scope", values="flows"), expected
    )
    query = df.flow.sql("duckdb").add_scope().matrix("src_scope", "dst_scope", values="flows")
    assert {row: flows for row, _, flows in run(query, table_of(records, "-"))} == expected["internal"].to_dict()


@pytest.mark.parametrize(
    "internal",
    [
        pytest.param(pd.DataFrame({"cidr": ["198.51.100.0/24"], "group": ["lab"]}), id="frame"),
        pytest.param({"lab": "198.51.100.0/24"}, id="dict"),
    ],
)
def test_groups_may_be_what_is_internal(internal):
    df = frame(record(srcaddr="198.51.100.7", dstaddr="10.0.0.5")).flow.add_scope(internal=internal)
    assert tuples(df, "src_scope", "dst_scope") == [("internal", "external")]
