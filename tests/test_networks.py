"""Networks of a fixed size around addresses, each as `ipaddress` writes it."""

from __future__ import annotations

import io
import ipaddress

import numpy as np
import pandas as pd
import pytest
from formats import frame, nodata, read, record, text, tuples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import IPV4, IPV6
from test_sql import run, table_of

import flowlens as fl

ADDRESSES = [
    "0.0.0.0", "255.255.255.255", "10.0.0.5", "172.31.16.139", "192.0.2.129", "9.10.100.0", "::", "::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", "2001:db8:1234:a100:8d6e:3477:df66:f105", "2001:0:0:1::1",
    "2001:0:1:0:1::", "0:1::", "0:0:1::", "0:0:0:1::", "1::", "1:0:0:1::", "a0b:c0d:e0f:1020::", "fe80::1:0:0:0",
    "64:ff9b::c000:221", "2001:db8:0:0:1::",
]  # fmt: skip


def around(address, length, length6):
    """Return the network around an address as `ipaddress` writes it, and None around none."""
    if address is None:
        return None
    return str(ipaddress.ip_network(f"{address}/{length6 if ':' in address else length}", strict=False))


def expected_of(addresses, length, length6):
    return [around(address, length, length6) for address in addresses]


def log_of(addresses):
    return text([record(srcaddr=address, dstaddr="10.9.8.7") for address in addresses])


@pytest.mark.parametrize("length", range(129))
def test_every_length_gives_the_networks_of_ipaddress(length):
    lengths = min(length, 32), length
    found = read(log_of(ADDRESSES)).flow.add_networks(lengths[0], prefixlen6=lengths[1])
    assert found["src_network"].tolist() == expected_of(ADDRESSES, *lengths)
    assert found["dst_network"].tolist() == [around("10.9.8.7", *lengths)] * len(ADDRESSES)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 16, 18, 24, 31, 33, 48, 51, 62, 63, 64])
def test_every_length_gives_them_where_addresses_are_text(length):
    lengths = min(length, 32), length
    found = fl.scan(io.BytesIO(log_of(ADDRESSES))).add_networks(lengths[0], prefixlen6=lengths[1]).collect()
    assert found["src_network"].tolist() == expected_of(ADDRESSES, *lengths)


@settings(max_examples=60)
@given(
    addresses=st.lists(st.one_of(IPV4, IPV6), min_size=1, max_size=20),
    length=st.integers(0, 32),
    length6=st.integers(0, 128),
)
@example(["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], 31, 127)
@example(["1:2:3:4:5:6:7:8", "1:2:3:4::"], 24, 65)
def test_any_addresses_have_the_networks_of_ipaddress(addresses, length, length6):
    found = read(log_of(addresses)).flow.add_networks(length, prefixlen6=length6)
    assert found["src_network"].tolist() == expected_of(addresses, length, length6)


@settings(max_examples=10)
@given(
    addresses=st.lists(st.one_of(IPV4, IPV6), min_size=1, max_size=20),
    length=st.integers(0, 32),
    length6=st.integers(0, 64),
)
def test_any_addresses_have_them_where_addresses_are_text(addresses, length, length6):
    found = fl.scan(io.BytesIO(log_of(addresses))).add_networks(length, prefixlen6=length6).collect()
    assert found["src_network"].tolist() == expected_of(addresses, length, length6)


def test_one_network_has_one_text_however_its_addresses_are_written():
    spellings = ["2001:db8::1", "2001:0DB8:0:0:0:0:0:2", "2001:db8:0:0::3", "2001:db8::10.0.0.5"]
    assert read(log_of(spellings)).flow.add_networks()["src_network"].tolist() == ["2001:db8::/64"] * 4


def test_an_address_in_the_mixed_notation_does_not_stop_a_scan():
    data = log_of(["10.0.0.5", "64:ff9b::192.0.2.33"])
    assert fl.scan(io.BytesIO(data)).add_networks(17).collect()["src_network"].tolist()[0] == "10.0.0.0/17"


def test_networks_of_24_and_64_bits_are_what_comes_unasked():
    df = frame(record(srcaddr="10.0.77.5"), record(srcaddr="2001:db8:1:2:3::4"), nodata())
    assert df.flow.add_networks()["src_network"].astype(object).tolist()[:2] == ["10.0.77.0/24", "2001:db8:1:2::/64"]
    assert df.flow.add_networks()["src_network"].isna().tolist() == [False, False, True]


def test_the_columns_are_categories_and_the_frame_is_otherwise_as_it_was():
    df = frame(record(), record(srcaddr="10.0.77.5"), nodata()).set_index(pd.Index([7, 7, 7]))
    before = df.copy(deep=True)
    found = df.flow.add_networks(16)
    pd.testing.assert_frame_equal(df, before)
    pd.testing.assert_frame_equal(found.drop(columns=["src_network", "dst_network"]), before)
    assert found["src_network"].cat.categories.tolist() == ["10.0.0.0/16"]


@pytest.mark.parametrize("length", [np.int64(16), np.uint8(16), 16])
def test_a_length_may_come_out_of_an_array(length):
    assert frame(record()).flow.add_networks(length, prefixlen6=length)["src_network"].tolist() == ["10.0.0.0/16"]


@pytest.mark.parametrize("length", [-1, 33, 24.0, "24", None, True, "/24"], ids=repr)
def test_what_is_no_length_is_refused_at_once(length):
    df = frame(record())
    for log in (df.flow, df.flow.sql(), fl.scan(io.BytesIO(log_of(["10.0.0.5"])))):
        with pytest.raises(ValueError, match="prefixlen"):
            log.add_networks(length)
        with pytest.raises(ValueError, match="prefixlen6"):
            log.add_networks(prefixlen6=129 if length == 33 else length)


def test_longer_ipv6_networks_are_refused_by_name_where_addresses_are_text():
    data = log_of(["2001:db8::1"])
    with pytest.raises(NotImplementedError, match=r"/65.*a frame"):
        fl.scan(io.BytesIO(data)).add_networks(prefixlen6=65).collect()
    assert read(data).flow.add_networks(prefixlen6=128)["src_network"].tolist() == ["2001:db8::1/128"]


def test_frames_made_by_hand_or_without_traffic_get_the_columns():
    made = pd.DataFrame({"srcaddr": ["10.0.0.5", "-", None, "2001:db8::5"], "dstaddr": ["x", "", None, "10.0.0.300"]})
    expected = [("10.0.0.0/24", None), (None, None), (None, None), ("2001:db8::/64", None)]
    for df in (made, made.astype("str"), made.astype("string"), made.astype("category"), made.astype(object)):
        assert tuples(df.flow.add_networks(), "src_network", "dst_network") == expected
    for df in (made.iloc[:0], pd.DataFrame(columns=["srcaddr", "dstaddr"]), frame(nodata())):
        assert df.flow.add_networks()["src_network"].isna().all()


def test_pairs_of_networks_are_the_same_in_a_frame_a_scan_and_by_the_printed_text(tmp_path):
    records = [record(srcaddr=address, bytes=100 + place) for place, address in enumerate(ADDRESSES)] + [nodata()]
    df = frame(*records)
    df.flow.to_parquet(tmp_path)
    keys = ("src_network", "dst_network")
    expected = df.flow.add_networks(12, prefixlen6=36).flow.pairs(keys=keys)
    assert expected["bytes"].sum() == df["bytes"].sum()
    scanned = fl.scan(tmp_path).add_networks(12, prefixlen6=36)
    pd.testing.assert_frame_equal(scanned.pairs(keys=keys), expected)
    query = df.flow.sql("duckdb").add_networks(12, prefixlen6=36).pairs(keys=keys)
    for missing in ("-", None):
        assert run(query, table_of(records, missing)) == tuples(expected)
