"""Narrowing a frame: every clause against `ipaddress`, netaddr and pandas by hand."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket

import netaddr
import numpy as np
import pandas as pd
import pytest
from formats import START, frame, nodata, record, tuples
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import IPV4, IPV6

from flowlens import Selection, sample

RECORDS = [
    record(srcaddr="10.0.0.5", dstaddr="10.0.1.9", srcport=49152, dstport=443, flow_direction="egress"),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, flow_direction="ingress"),
    record(srcaddr="198.51.100.7", dstaddr="10.0.0.5", srcport=40000, dstport=22, action="REJECT", start=START + 60),
    record(srcaddr="10.0.0.5", dstaddr="10.0.0.2", srcport=53124, dstport=53, protocol=17, start=START + 61),
    record(srcaddr="2001:db8::1", dstaddr="2001:db8:0:1::2", srcport=0, dstport=0, protocol=58, interface_id="eni-6"),
    record(srcaddr="10.0.0.255", dstaddr="10.0.1.0", srcport=8000, dstport=8100, start=START + 3600),
    record(srcaddr="10.0.0.6", dstaddr=None, srcport=None, dstport=None, protocol=None, action=None),
    nodata(start=None, end=None),
    nodata(log_status="SKIPDATA", interface_id=None),
]
DF = frame(*RECORDS)
LABELS = pd.Index([3, 1, 4, 1, 5, 9, 2, 6, 5])


def places(selected: pd.DataFrame, df: pd.DataFrame = DF) -> list[int]:
    """Return where the selected records stood; the frame must carry its row numbers as index."""
    pd.testing.assert_frame_equal(selected, df.loc[selected.index])
    return selected.index.tolist()


def holds(address: str | None, *prefixes: str) -> bool:
    """Tell by `ipaddress` whether a prefix holds an address."""
    if address is None:
        return False
    number = ipaddress.ip_address(address)
    return any(number in ipaddress.ip_network(prefix, strict=False) for prefix in prefixes)


def where(condition) -> list[int]:
    return [place for place, rec in enumerate(RECORDS) if condition(rec)]


PREFIXES = [
    "10.0.0.5", "10.0.0.5/32", "10.0.0.0/24", "10.0.0.9/24", "10.0.0.0/23", "10.0.0.0/8", "0.0.0.0/0", "::/0",
    "2001:db8::/64", "2001:db8::/32", "2001:db8::1", "2001:DB8:0:0::1/128", "192.0.2.0/24", "10.0.0.254/31",
]  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_address_clause_holds_what_the_prefix_holds(prefix):
    src, dst = where(lambda r: holds(r["srcaddr"], prefix)), where(lambda r: holds(r["dstaddr"], prefix))
    assert places(DF.flow.select(src=prefix)) == src
    assert places(DF.flow.select(dst=prefix)) == dst
    assert places(DF.flow.select(host=prefix)) == places(DF.flow.host(prefix)) == sorted({*src, *dst})


@pytest.mark.parametrize("make", [list, tuple, set, iter, pd.Series, np.array, pd.Index])
def test_several_prefixes_are_any_of_them(make):
    prefixes = ["10.0.1.0/24", "198.51.100.7", "2001:db8::/48"]
    assert places(DF.flow.select(src=make(prefixes))) == where(lambda r: holds(r["srcaddr"], *prefixes))


def test_an_empty_list_selects_nothing():
    assert (
        places(DF.flow.select(src=[])) == places(DF.flow.select(dst_port=[])) == places(DF.flow.select(action=[])) == []
    )


@pytest.mark.parametrize("a", ["10.0.0.5", "10.0.0.0/24", ["10.0.0.5", "198.51.100.0/24"], "2001:db8::1"])
@pytest.mark.parametrize("b", ["10.0.1.9", "10.0.0.0/16", ["2001:db8::/32", "10.0.0.2"]])
def test_between_is_both_directions(a, b):
    one, other = ([side] if isinstance(side, str) else side for side in (a, b))
    expected = where(
        lambda r: (
            (holds(r["srcaddr"], *one) and holds(r["dstaddr"], *other))
            or (holds(r["srcaddr"], *other) and holds(r["dstaddr"], *one))
        )
    )
    assert places(DF.flow.between(a, b)) == places(DF.flow.between(b, a)) == expected


def test_between_takes_lists_that_can_be_read_only_once():
    assert places(DF.flow.between(iter(["10.0.0.5"]), iter(["10.0.1.9"]))) == [0, 1]


@given(
    addresses=st.lists(st.one_of(IPV4, IPV6), min_size=1, max_size=15),
    prefix=st.one_of(st.tuples(IPV4, st.integers(0, 32)), st.tuples(IPV6, st.integers(0, 128))).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    ),
    anchor=st.integers(0, 14),
    length=st.integers(0, 128),
)
@example(["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], "255.255.255.255/32", 3, 128)
@example(["::", "::ffff:10.0.0.1", "10.0.0.1"], "::ffff:0:0/96", 1, 96)
@example(["::1:0:0:0:0", "::ffff:ffff:ffff:ffff"], "::/64", 0, 64)
def test_a_prefix_holds_the_addresses_that_netaddr_says(addresses, prefix, anchor, length):
    df = frame(*[record(srcaddr=address, dstaddr=address) for address in addresses])
    near = addresses[anchor % len(addresses)]
    for cidr in (prefix, f"{near}/{min(length, 128 if ':' in near else 32)}"):
        network = netaddr.IPNetwork(cidr)
        expected = [
            place
            for place, address in enumerate(map(netaddr.IPAddress, addresses))
            if address.version == network.version and network.first <= int(address) <= network.last
        ]
        assert df.flow.select(src=cidr).index.tolist() == expected
        assert df.flow.host(cidr).index.tolist() == expected


# --- Ports and protocols ---


def port_in(*spans: tuple[int, int]):
    return lambda port: port is not None and any(first <= port <= last for first, last in spans)


@pytest.mark.parametrize(
    ("clause", "spans"),
    [
        (443, [(443, 443)]),
        ("443", [(443, 443)]),
        (np.int64(443), [(443, 443)]),
        (np.uint16(22), [(22, 22)]),
        ("https", [(443, 443)]),
        ("HTTPS", [(443, 443)]),
        ("ssh", [(22, 22)]),
        ("dns", [(53, 53)]),
        ("rdp", [(3389, 3389)]),
        ("8000-8100", [(8000, 8100)]),
        ("8001-8099", [(8001, 8099)]),
        ("0-65535", [(0, 65535)]),
        (0, [(0, 0)]),
        ([22, "https", "8000-8050"], [(22, 22), (443, 443), (8000, 8050)]),
        (range(50, 60), [(50, 59)]),
        (np.array([53, 22]), [(53, 53), (22, 22)]),
    ],
    ids=str,
)
def test_a_port_clause_takes_numbers_names_ranges_and_lists(clause, spans):
    fits = port_in(*spans)
    src, dst = where(lambda r: fits(r["srcport"])), where(lambda r: fits(r["dstport"]))
    assert places(DF.flow.select(src_port=clause)) == src
    assert places(DF.flow.select(dst_port=clause)) == dst
    assert places(DF.flow.select(port=clause)) == sorted({*src, *dst})


@pytest.mark.parametrize(
    "name", ["ssh", "telnet", "smtp", "domain", "http", "ntp", "ldap", "https", "mysql", "postgresql", "ldaps"]
)
def test_service_names_mean_the_ports_that_the_system_knows(name):
    try:
        port = socket.getservbyname(name)
    except OSError:
        pytest.skip(f"/etc/services on this machine does not know {name}")
    df = frame(record(dstport=port), record(dstport=port + 1))
    assert df.flow.select(dst_port=name).index.tolist() == [0]


@pytest.mark.parametrize(
    ("clause", "numbers"),
    [
        (6, {6}), ("6", {6}), ("tcp", {6}), ("TCP", {6}), ("udp", {17}), ("icmp", {1}), ("icmpv6", {58}),
        (np.uint8(17), {17}), (["tcp", 17], {6, 17}), (0, {0}), ("gre", {47}), ("esp", {50}), (255, {255}),
    ],
    ids=str,
)  # fmt: skip
def test_a_protocol_clause_takes_numbers_and_names(clause, numbers):
    assert places(DF.flow.select(protocol=clause)) == where(lambda r: r["protocol"] in numbers)


# --- Words and time ---


@pytest.mark.parametrize(
    ("clause", "column", "wanted"),
    [
        ({"action": "ACCEPT"}, "action", {"ACCEPT"}),
        ({"action": ["REJECT", "ACCEPT"]}, "action", ["ACCEPT", "REJECT"]),
        ({"action": "DENY"}, "action", {"DENY"}),
        ({"interface": "eni-6"}, "interface_id", {"eni-6"}),
        ({"interface": ["eni-6", "eni-none"]}, "interface_id", {"eni-6"}),
        ({"direction": "ingress"}, "flow_direction", {"ingress"}),
        ({"status": "OK"}, "log_status", {"OK"}),
        ({"status": ["NODATA", "SKIPDATA"]}, "log_status", ["NODATA", "SKIPDATA"]),
    ],
    ids=str,
)
def test_a_word_clause_holds_where_the_value_is_one_of_the_words(clause, column, wanted):
    assert places(DF.flow.select(**clause)) == where(lambda r: r.get(column) in wanted)


def test_a_dash_never_selects_what_is_missing():
    assert places(DF.flow.select(interface="-")) == places(DF.flow.select(action="-")) == []


def test_accepted_and_rejected_leave_out_records_without_action():
    assert places(DF.flow.accepted()) == where(lambda r: r["action"] == "ACCEPT")
    assert places(DF.flow.rejected()) == where(lambda r: r["action"] == "REJECT") == [2]
    assert len(DF.flow.accepted()) + len(DF.flow.rejected()) == len(DF) - 3


@pytest.mark.parametrize(
    ("start", "end"), [(0, 60), (0, 61), (60, 61), (60, 62), (1, 60), (61, 3600), (61, 3601), (None, 1), (3600, None)]
)
def test_a_time_clause_is_half_open_on_the_start(start, end):
    def moment(second):
        return None if second is None else pd.Timestamp(START + second, unit="s", tz="UTC")

    low, high = -1 if start is None else START + start, 2**62 if end is None else START + end
    expected = where(lambda r: r["start"] is not None and low <= r["start"] < high)
    assert places(DF.flow.select(time=(moment(start), moment(end)))) == expected
    if None not in (start, end):
        words = tuple(moment(second).strftime("%Y-%m-%d %H:%M:%S") for second in (start, end))
        assert places(DF.flow.select(time=words)) == expected


def test_a_time_clause_never_selects_a_record_without_start():
    assert 7 not in places(DF.flow.select(time=(None, None)))


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-10 14:01",
        "2026-03-10T15:01:00+01:00",
        dt.datetime(2026, 3, 10, 14, 1, tzinfo=dt.UTC),
        np.datetime64("2026-03-10T14:01"),
        pd.Timestamp("2026-03-10 14:01"),
        pd.Timestamp("2026-03-10 07:01", tz="US/Pacific"),
    ],
)
def test_a_moment_may_be_text_or_any_time_object(moment):
    assert places(DF.flow.select(time=(moment, None))) == [2, 3, 5]


def test_a_group_clause_looks_at_both_group_columns():
    df = DF.assign(src_group=list("aabbcccca"), dst_group=list("xyaxyxyxb"))
    assert df.flow.select(group="a").index.tolist() == [0, 1, 2, 8]
    assert df.flow.select(group=["x", "b"]).index.tolist() == [0, 2, 3, 5, 7, 8]


# --- All clauses together, and the frame that comes back ---


def test_every_clause_has_to_hold():
    selected = DF.flow.select(
        host="10.0.0.5", protocol="tcp", port=443, action="ACCEPT", direction="ingress", status="OK"
    )
    assert places(selected) == [1]
    assert places(DF.flow.select(src="10.0.0.0/16", dst="2001:db8::/32")) == []


def test_no_clause_keeps_everything():
    pd.testing.assert_frame_equal(DF.flow.select(), DF)


def test_columns_dtypes_and_the_original_index_stay():
    df = DF.assign(note="x").set_axis(LABELS, axis=0).rename_axis("label")
    selected = df.flow.select(src="10.0.0.0/24")
    pd.testing.assert_frame_equal(selected, df.iloc[[0, 3, 5, 6]])
    assert selected.index.tolist() == [3, 1, 9, 2]
    assert selected.index.name == "label"


def test_what_is_selected_can_be_changed_without_a_warning_and_leaves_the_log_alone():
    df = DF.copy()
    selected = df.flow.rejected()
    selected["note"] = "seen"
    selected.loc[2, "bytes"] = 0
    pd.testing.assert_frame_equal(df, DF)


def test_selections_can_be_chained():
    assert places(DF.flow.host("10.0.0.5").flow.rejected().flow.select(dst_port="ssh")) == [2]


@given(data=st.data())
def test_clauses_select_what_their_masks_have_in_common(data):
    clauses = {
        "src": data.draw(st.sampled_from([None, *PREFIXES])),
        "host": data.draw(st.sampled_from([None, *PREFIXES])),
        "port": data.draw(st.sampled_from([None, 443, "0-1024", "https"])),
        "protocol": data.draw(st.sampled_from([None, 6, "udp"])),
        "status": data.draw(st.sampled_from([None, "OK", "NODATA"])),
    }
    masks = [Selection(**{name: value}).mask(DF) for name, value in clauses.items()]
    assert Selection(**clauses).mask(DF).tolist() == np.logical_and.reduce(masks).tolist()


# --- Mistakes ---

NONSENSE = [
    *[(name, value) for name in ("src", "dst", "host") for value in (
        "10.0.0.256", "10.0.0", "10", "", "10.0.0.0/33", "2001:db8::/129", "eni-1", "10.0.0.1-10.0.0.9",
        ["10.0.0.1", "x"], "010.0.0.1", "0x0a000001", " 10.0.0.1", "10.0.0.0/", "/8", "fe80::1%eth0",
    )],
    *[(name, value) for name in ("src_port", "dst_port", "port") for value in (
        -1, 65536, "70000", "8100-8000", "80-", "-80", "80-99999", "no-such-service", "", [80, "nope"], "1-2-3", 1.5,
        "80.0",
    )],
    *[("protocol", value) for value in (-1, 256, "nope", "", "300", ["tcp", "x"], 6.5)],
    *[("time", value) for value in (
        "2026-03-10", ("2026-03-10",), ("2026-03-11", "2026-03-10"), ("tea", None), ("2026-03-10", "2026-03-11", None),
        5,
    )],
]  # fmt: skip


@pytest.mark.parametrize(("clause", "value"), NONSENSE, ids=str)
def test_nonsense_is_refused_at_once_and_not_taken_for_nothing_found(clause, value):
    with pytest.raises((ValueError, TypeError)) as caught:
        DF.flow.select(**{clause: value})
    assert str(caught.value)
    with pytest.raises((ValueError, TypeError)):
        Selection(**{clause: value})


@pytest.mark.parametrize("value", [5, 10.0])
def test_an_address_that_is_a_number_is_refused(value):
    with pytest.raises((ValueError, TypeError)):
        DF.flow.host(value)


@pytest.mark.parametrize("clause", ["source", "dstport", "interface_id"])
def test_a_clause_that_does_not_exist_is_a_type_error(clause):
    with pytest.raises(TypeError, match=clause):
        DF.flow.select(**{clause: "x"})


def test_clauses_are_named_only():
    with pytest.raises(TypeError):
        DF.flow.select("10.0.0.5")


# --- Selection ---

SELECTIONS = [
    Selection(),
    Selection(src="10.0.0.0/8"),
    Selection(dst=["10.0.0.1", "::1"], dst_port=["ssh", 443, "8000-8100"], protocol="tcp"),
    Selection(time=("2031-05-10 14:00", None), action="REJECT"),
    Selection(time=(pd.Timestamp("2031-05-10 14:00", tz="Europe/Vienna"), np.datetime64("2031-05-11"))),
    Selection(time=(dt.datetime(2026, 3, 10, tzinfo=dt.UTC), None)),
    Selection(dst_port=np.int64(80), src_port=np.array([1, 2], "uint16"), protocol=np.uint8(6)),
    Selection(dst_port=DF["dstport"].dropna().unique(), src=DF["srcaddr"].dropna().unique()),
    Selection(interface="eni-'quoted'", group=["a\\b", "c d"], status="OK", direction="egress"),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
def test_a_selection_is_what_its_repr_evaluates_to(selection):
    again = eval(repr(selection), {"Selection": Selection})
    assert again == selection
    assert hash(again) == hash(selection)
    df = DF.assign(src_group="a", dst_group="b")
    assert again.mask(df).tolist() == selection.mask(df).tolist()


def test_a_selection_is_frozen():
    with pytest.raises(AttributeError):
        Selection(src="10.0.0.1").src = "10.0.0.2"


def test_equal_filters_are_equal_however_they_are_written():
    assert Selection(src="10.0.0.1", dst_port=[22]) == Selection(dst_port=22, src=["10.0.0.1"])
    assert Selection(src="10.0.0.1") != Selection(dst="10.0.0.1")
    assert len({Selection(action="ACCEPT"), Selection(action=["ACCEPT"]), Selection(action="REJECT")}) == 2


def test_a_list_that_changes_later_does_not_change_the_selection():
    hosts = ["10.0.0.5"]
    selection = Selection(src=hosts)
    hosts.append("0.0.0.0/0")
    assert selection.mask(DF).tolist() == Selection(src="10.0.0.5").mask(DF).tolist()


def test_a_mask_is_a_boolean_array_as_long_as_the_frame():
    mask = Selection(src="10.0.0.0/8").mask(DF)
    assert isinstance(mask, np.ndarray)
    assert (mask.dtype, mask.shape) == (bool, (len(DF),))
    assert Selection().mask(DF.iloc[:0]).tolist() == []


def test_select_and_selection_agree():
    clauses = {"src": "10.0.0.0/16", "port": ["https", "dns"], "protocol": ["tcp", "udp"]}
    assert places(DF.flow.select(**clauses)) == np.flatnonzero(Selection(**clauses).mask(DF)).tolist()


def test_selection_shows_only_the_clauses_that_were_given():
    assert repr(Selection(dst_port="ssh", action="REJECT")) == "Selection(dst_port=22, action='REJECT')"


def test_addresses_with_the_same_number_in_another_family_are_not_taken_for_each_other():
    df = frame(record(srcaddr="::a00:5"), record(srcaddr="10.0.0.5"))
    assert tuples(df.flow.select(src="10.0.0.5"), "srcaddr") == [("10.0.0.5",)]
    assert tuples(df.flow.select(src="::a00:5"), "srcaddr") == [("::a00:5",)]


def test_a_frame_of_many_rows_is_narrowed_by_its_distinct_addresses():
    df = frame(*[record(srcaddr=f"10.0.{n % 4}.{n % 9}") for n in range(500)])
    expected = [n for n in range(500) if holds(f"10.0.{n % 4}.{n % 9}", "10.0.2.0/29")]
    assert df.flow.select(src="10.0.2.0/29").index.tolist() == expected


def test_numbers_are_unix_seconds():
    df = sample()
    by_text = Selection(time=("2026-03-10 14:00", "2026-03-10 15:00"))
    for numbers in ((1773151200, 1773154800), (1773151200.0, np.int64(1773154800))):
        selection = Selection(time=numbers)
        assert 0 < selection.mask(df).sum() == by_text.mask(df).sum()
        assert eval(repr(selection), {"Selection": Selection}) == selection


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (1773151200000, "milliseconds"),
        (float("nan"), "None leaves that side open"),
        (pd.NaT, "None leaves"),
        ("x", "no time"),
    ],
)
def test_what_is_no_time_is_refused(moment, words):
    for span in ((moment, None), (None, moment)):
        with pytest.raises(ValueError, match=words):
            Selection(time=span)


def test_a_network_of_ipaddress_or_netaddr_is_one_prefix():
    for net in (ipaddress.ip_network("2001:db8::/32"), netaddr.IPNetwork("2001:db8::/32"), ["2001:db8::/32"]):
        assert Selection(src=net) == Selection(src="2001:db8::/32")
