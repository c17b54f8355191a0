"""The ground of the detectors: who sought whom and what came of it, each case worked out by hand."""

from __future__ import annotations

from functools import partial

import ibis
import pytest
from formats import DEFAULT, START, frame, nodata, record, rows

import flowlens as fl
from flowlens.detect.places import places
from flowlens.engine import Ground
from flowlens.enrich.scopes import internal_networks
from flowlens.reduce.contacts import ENDS, FACTS, contacts, events, located

CLIENT, SERVER, OUTSIDE = "10.0.0.5", "10.0.1.9", "203.0.113.7"
FIN, SYN, RST, SYN_ACK = 1, 2, 4, 18
UDP, ICMP = 17, 1


def request(window=0, width=60, **changes):
    """A record from the client, in one of the windows."""
    start = START + width * window
    return record(**{"start": start, "end": start + width - 1, "tcp_flags": SYN, **changes})


def reply(window=0, width=60, **changes):
    turned = {"srcaddr": SERVER, "dstaddr": CLIENT, "srcport": 443, "dstport": 49152, "tcp_flags": SYN_ACK}
    return request(window, width, **{**turned, **changes})


def without(field, *records):
    return [{name: value for name, value in rec.items() if name != field} for rec in records]


def ground_of(*records, internal=None, topology=None):
    """Return the contacts and the events, as the engine gives them to detectors."""
    flow = frame(*records).flow
    ground = Ground(
        made=partial(contacts, verb="findings"),
        located=located,
        ends=ENDS,
        facts=FACTS,
        places=partial(
            places,
            internal=internal_networks(internal),
            own=flow._own_addresses("findings", internal, topology),
            topology=topology,
            indicators=None,
        ),
    )
    tables = flow._on_ground(
        "findings",
        ground,
        {
            "contacts": lambda _, ground: ground.order_by(["first", "src", "sport", "dport"]),
            "events": lambda flows, ground: events(flows, ground, "findings").order_by(["src", "dst", "dport", "time"]),
        },
    )
    return rows(tables["contacts"]), rows(tables["events"])


def contacts_of(*records, **options):
    return ground_of(*records, **options)[0]


def one(*records, **options):
    (contact,) = contacts_of(*records, **options)
    return contact


def outcome(contact):
    """Return what a contact came to, in a word."""
    told = [name for name in ("refused", "answered", "reset") if contact[name]]
    assert len(told) <= 1
    return told[0] if told else "silent"


def happened(*records, **options):
    """Return the events as tuples: minutes since the start, and which begin a contact."""
    return [((event["time"] - START) / 60, event["opens"]) for event in ground_of(*records, **options)[1]]


# --- One row a contact ---


def test_windows_and_directions_of_a_conversation_are_one_contact():
    contact = one(
        request(0, packets=5, bytes=500),
        reply(0, packets=4, bytes=4000),
        request(1, packets=3, bytes=300, tcp_flags=0),
        reply(2, packets=2, bytes=2000, tcp_flags=FIN),
    )
    assert contact == {
        "src": CLIENT, "dst": SERVER, "sport": 49152, "dport": 443, "protocol": 6,
        "interface_id": "eni-1235b8ca123456789", "first": START, "last": START + 179, "records": 4,
        "packets_out": 8, "packets_in": 6, "bytes_out": 800, "bytes_in": 6000, "sure": True, "refused": False,
        "answered": True, "reset": False, "resolution": 60, "from_inside": True, "to_inside": True,
        "to_special": False, "to_dark": False, "listed": False, "provoked": False,
    }  # fmt: skip


def test_what_both_interfaces_logged_counts_once():
    contact = one(
        *(request(0, packets=5, interface_id=eni) for eni in ("eni-a", "eni-b")),
        *(reply(0, packets=4, interface_id=eni) for eni in ("eni-a", "eni-b")),
    )
    assert (contact["packets_out"], contact["packets_in"], contact["records"]) == (5, 4, 4)
    assert contact["interface_id"] == "eni-a"


def test_a_long_silence_begins_another_contact():
    found = contacts_of(request(0), request(1), request(20))
    assert [(contact["first"] - START, contact["records"]) for contact in found] == [(0, 2), (1200, 1)]


def test_no_traffic_is_no_contact():
    assert contacts_of(nodata(), nodata(log_status="SKIPDATA", start=START + 60, end=START + 119)) == []
    assert len(contacts_of({**nodata(), "tcp_flags": None}, request(1))) == 1


@pytest.mark.parametrize("field", ["srcaddr", "dstaddr", "protocol", "start", "end"])
def test_what_lacks_an_end_a_protocol_or_a_time_is_no_contact(field):
    assert contacts_of(request(**{field: None})) == []


def test_contacts_without_ports_are_one_a_pair():
    ping = {"protocol": ICMP, "srcport": None, "dstport": None, "tcp_flags": 0}
    contact = one(request(0, **ping), reply(0, **ping))
    assert (contact["sport"], contact["dport"], contact["protocol"]) == (None, None, ICMP)


# --- Who began ---


@pytest.mark.parametrize(
    ("records", "began"),
    [
        ([request(0), reply(0)], CLIENT),  # SYN
        ([request(0, srcport=443, dstport=49152), reply(0, srcport=49152, dstport=443)], CLIENT),  # SYN beats ports
        (without("tcp_flags", request(0), reply(0)), CLIENT),  # ports
        (without("tcp_flags", request(3, srcport=8000, dstport=9000), reply(0, srcport=9000, dstport=8000)), SERVER),
        (without("tcp_flags", request(0, srcport=8000, dstport=9000)), CLIENT),  # nobody else was seen
    ],
    ids=["SYN", "SYN against ports", "ports", "order", "one direction"],
)
def test_the_source_is_who_began(records, began):
    contact = one(*records)
    assert (contact["src"], contact["sure"]) == (began, True)
    assert contact["dst"] == ({CLIENT, SERVER} - {began}).pop()


def test_where_nothing_tells_who_began_nobody_is_sure_to():
    alike = {"srcport": 8000, "dstport": 9000}
    turned = {"srcport": 9000, "dstport": 8000}
    assert not one(*without("tcp_flags", request(0, **alike), reply(0, **turned)))["sure"]


@pytest.mark.parametrize("inside", ["10.0.0.5", "240.0.0.5"])
def test_where_nothing_tells_who_began_an_internal_end_did(inside):
    # The addresses in either order: the ends of a conversation are kept in that of their text.
    there = {"srcaddr": inside, "dstaddr": OUTSIDE, "srcport": 8000, "dstport": 9000, "bytes": 70, "packets": 7}
    back = {"srcaddr": OUTSIDE, "dstaddr": inside, "srcport": 9000, "dstport": 8000, "bytes": 900, "packets": 9}
    contact = one(*without("tcp_flags", request(0, **there), reply(0, **back)), internal=[f"{inside}/32"])
    assert not contact["sure"]
    assert (contact["src"], contact["sport"], contact["dst"], contact["dport"]) == (inside, 8000, OUTSIDE, 9000)
    assert (contact["packets_out"], contact["bytes_out"], contact["packets_in"], contact["bytes_in"]) == (7, 70, 9, 900)
    assert (contact["from_inside"], contact["to_inside"]) == (True, False)
    assert outcome(contact) == "answered"


def test_what_is_known_to_have_begun_outside_is_not_turned():
    from_outside = request(srcaddr=OUTSIDE, dstaddr=CLIENT)
    contact = one(from_outside)
    assert (contact["src"], contact["from_inside"], contact["to_inside"]) == (OUTSIDE, False, True)


# --- What came of it ---


@pytest.mark.parametrize(
    ("records", "word"),
    [
        ([request(action="REJECT")], "refused"),
        ([request()], "silent"),
        ([request(), reply()], "answered"),
        ([request(), reply(tcp_flags=RST)], "reset"),
        ([request(), reply(tcp_flags=RST | SYN_ACK)], "answered"),  # it had answered before it said no
        # Refused at the other end, with nothing let back.
        ([request(interface_id="eni-a"), request(interface_id="eni-b", action="REJECT")], "refused"),
        # A retry that was let through.
        ([request(0, action="REJECT"), request(1), reply(1)], "answered"),
        # The answer itself was refused: nothing came back.
        ([request(), reply(action="REJECT")], "silent"),
    ],
)
def test_an_outcome_with_tcp_flags(records, word):
    assert outcome(one(*records)) == word


@pytest.mark.parametrize(
    ("records", "word"),
    [
        ([request(action="REJECT")], "refused"),
        ([request()], "silent"),
        ([request(), reply(packets=4, bytes=400)], "answered"),
        ([request(), reply(packets=1, bytes=40)], "reset"),  # nothing but headers
        ([request(), reply(packets=3, bytes=120)], "reset"),
    ],
)
def test_an_outcome_without_tcp_flags(records, word):
    assert outcome(one(*without("tcp_flags", *records))) == word


@pytest.mark.parametrize("protocol", [UDP, ICMP])
def test_only_tcp_has_resets(protocol):
    other = {"protocol": protocol, "packets": 1, "bytes": 28}
    assert outcome(one(*without("tcp_flags", request(**other), reply(**other)))) == "answered"


def test_without_actions_nothing_was_refused():
    assert outcome(one(*without("action", request()))) == "silent"


# --- How finely times are known ---


def test_each_interface_has_windows_of_its_own():
    found = contacts_of(
        request(0, interface_id="eni-minute"),
        request(0, width=600, interface_id="eni-ten", srcport=50001),
        request(0, width=1000, interface_id="eni-connections", srcport=50002),
        request(0, interface_id=None, srcport=50003),
    )
    assert {contact["interface_id"]: contact["resolution"] for contact in found} == {
        "eni-minute": 60, "eni-ten": 600, "eni-connections": 1, None: 60,
    }  # fmt: skip


def test_a_window_that_is_long_by_chance_makes_no_interface_one_of_ten_minutes():
    many = [request(place, srcport=50000 + place) for place in range(150)]
    found = contacts_of(*many, request(0, width=120, srcport=49000))
    assert {contact["resolution"] for contact in found} == {60}


def test_a_contact_at_two_interfaces_is_known_as_finely_as_the_coarser_one():
    contact = one(request(0, interface_id="eni-minute"), request(0, width=600, interface_id="eni-ten"))
    assert contact["resolution"] == 600


def test_two_windows_of_silence_end_a_contact_whatever_they_are():
    at = {"interface_id": "eni-ten", "tcp_flags": 0}
    assert len(contacts_of(request(0, 600, **at), request(2, 600, **at))) == 1
    assert len(contacts_of(request(0, 600, **at), request(4, 600, **at))) == 2
    assert len(contacts_of(request(0), request(8))) == 2


# --- Whose addresses are whose ---


def inside(contact):
    return contact["from_inside"], contact["to_inside"]


@pytest.mark.parametrize(
    ("address", "internal", "expected"),
    [
        ("172.16.0.9", None, True),
        ("192.168.0.9", None, True),
        ("fd00::9", None, True),
        ("8.8.8.8", None, False),
        ("2001:db8:1::9", None, False),
        ("8.8.8.8", "8.8.8.0/24", True),
        ("172.16.0.9", "8.8.8.0/24", False),
        ("2001:db8:1::9", ["8.8.8.0/24", "2001:db8::/32"], True),
    ],
)
def test_what_is_internal_is_in_private_ranges_or_said_to_be(address, internal, expected):
    contact = one(request(srcaddr="203.0.113.66", dstaddr=address), internal=internal)
    assert inside(contact) == (False, expected)


def test_public_addresses_of_interfaces_in_the_log_are_internal():
    egress = request(srcaddr="8.8.8.8", dstaddr=OUTSIDE, flow_direction="egress")
    ingress = request(srcaddr=OUTSIDE, dstaddr="2001:db8:1::9", flow_direction="ingress", srcport=50001)
    unknown = request(srcaddr="9.9.9.9", dstaddr="8.8.4.4", flow_direction=None, srcport=50002)
    found = contacts_of(egress, ingress, unknown)
    assert {contact["sport"]: inside(contact) for contact in found} == {
        49152: (True, False), 50001: (False, True), 50002: (False, False),
    }  # fmt: skip


def test_without_directions_an_interface_has_the_address_that_all_its_records_share():
    own = [
        request(0, srcaddr="8.8.8.8", dstaddr=f"203.0.113.{place}", interface_id="eni-a", srcport=50000 + place)
        for place in range(12)
    ]
    assert {inside(contact) for contact in contacts_of(*own)} == {(True, False)}


TOPOLOGY = fl.Topology.from_describe(
    {
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-9", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": SERVER,
                "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
            },
        ],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "dark"), [(SERVER, False), ("10.0.1.177", True), ("10.0.1.65", False), ("10.0.2.177", False)]
)
def test_dark_is_what_no_interface_of_a_subnet_has(address, dark):
    assert one(request(dstaddr=address), topology=TOPOLOGY)["to_dark"] is dark
    assert one(request(dstaddr=address))["to_dark"] is False


def test_a_subnet_is_internal_whatever_its_addresses():
    public = fl.Topology.from_describe(
        {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "198.51.100.0/24"}]}
    )
    contact = one(request(srcaddr=OUTSIDE, dstaddr="198.51.100.9"), topology=public)
    assert (inside(contact), contact["to_dark"]) == ((False, True), True)


@pytest.mark.parametrize(
    ("address", "special"),
    [("224.0.0.251", True), ("255.255.255.255", True), ("169.254.169.254", True), ("ff02::1", True), ("fe80::1", True),
     ("10.0.1.9", False), ("2001:db8::9", False)],
)  # fmt: skip
def test_special_is_what_nobody_out_there_has(address, special):
    contact = one(request(dstaddr=address, protocol=UDP), internal=["0.0.0.0/0", "::/0"])
    assert (contact["to_special"], contact["to_inside"]) == (special, not special)


def test_the_ends_are_those_of_the_packet():
    contact = one(
        request(srcaddr="10.0.9.9", pkt_srcaddr=CLIENT, pkt_dstaddr=None),
        reply(dstaddr="10.0.9.9", pkt_srcaddr=None, pkt_dstaddr=CLIENT),
    )
    assert (contact["src"], contact["dst"], outcome(contact)) == (CLIENT, SERVER, "answered")


# --- When the source was active ---


def test_a_short_contact_is_one_event_with_what_the_source_sent():
    (event,) = ground_of(request(0, bytes=500), reply(0, bytes=4000), request(1, bytes=300, tcp_flags=0))[1]
    assert (event["time"], event["size"], event["opens"], event["resolution"]) == (START, 800, 1, 60)
    assert (event["src"], event["dst"], event["dport"], event["protocol"]) == (CLIENT, SERVER, 443, 6)
    assert (event["answered"], event["refused"], event["from_inside"], event["to_inside"]) == (True, False, True, True)


HEARTBEAT = [0, 5, 10, 15]


def test_each_burst_within_a_lasting_contact_is_an_event():
    records = [rec for window in HEARTBEAT for rec in (request(window, bytes=100), reply(window, bytes=900))]
    (contact,), found = ground_of(*records)
    assert contact["last"] - contact["first"] == 959
    assert [((event["time"] - START) / 60, event["size"], event["opens"]) for event in found] == [
        (0, 100, 1), (5, 100, 0), (10, 100, 0), (15, 100, 0),
    ]  # fmt: skip
    assert {event["lasted"] for event in found} == {959}


def test_windows_that_follow_one_another_are_one_event():
    assert happened(*(request(window) for window in range(12))) == [(0, 1)]
    assert happened(*(request(window) for window in (0, 1, 2, 6, 7))) == [(0, 1), (6, 0)]


def test_an_event_begins_with_the_first_window_of_either_direction():
    assert happened(request(0), reply(5), request(6), request(11)) == [(0, 1), (5, 0), (11, 0)]


def test_contacts_of_the_same_ports_after_a_long_silence_open_anew():
    again = [request(window) for window in HEARTBEAT] + [request(window + 60) for window in HEARTBEAT]
    assert happened(*again) == [
        *((window, int(window == 0)) for window in HEARTBEAT),
        *((window + 60, int(window == 0)) for window in HEARTBEAT),
    ]  # fmt: skip


def test_of_several_interfaces_one_tells_the_events():
    # The other one has windows that begin a little later.
    records = [
        rec
        for window in HEARTBEAT
        for rec in (
            request(window, bytes=100, interface_id="eni-a"),
            request(
                window, bytes=100, interface_id="eni-b", start=START + 60 * window + 25, end=START + 60 * window + 84
            ),
        )
    ]  # fmt: skip
    found = ground_of(*records)[1]
    assert [((event["time"] - START) / 60, event["size"]) for event in found] == [(w, 100) for w in HEARTBEAT]
    assert {event["interface_id"] for event in found} == {"eni-a"}


def test_a_contact_that_was_turned_round_has_its_events():
    there = {"srcaddr": OUTSIDE, "dstaddr": CLIENT, "srcport": 9000, "dstport": 8000, "bytes": 900}
    back = {"srcaddr": CLIENT, "dstaddr": OUTSIDE, "srcport": 8000, "dstport": 9000, "bytes": 70}
    records = [rec for window in HEARTBEAT for rec in (request(window, **there), request(window, **back))]
    found = ground_of(*without("tcp_flags", *records))[1]
    assert [(event["src"], event["dst"], event["size"]) for event in found] == [(CLIENT, OUTSIDE, 70)] * 4


def test_events_without_ports_or_interfaces_are_found_too():
    ping = {"protocol": ICMP, "srcport": None, "dstport": None, "tcp_flags": 0, "interface_id": None}
    assert happened(*(request(window, **ping) for window in (0, 8, 16, 24))) == [(0, 1), (8, 0), (16, 0), (24, 0)]


# --- What the records say beyond contacts ---


def gateways(*records, **options):
    """Return the sources of findings that are said to pass traffic on."""
    found = frame(*records).flow.port_scans(thresholds={"port_scan.ports": 2}, **options)
    return set(found.loc[found["caveat"].str.contains("passes on"), "srcaddr"])


def test_what_stands_for_others_outside_is_a_gateway():
    # Without the addresses of the packet, hosts behind it scan in its name.
    def scan(source, **changes):
        return [
            request(srcaddr=source, dstaddr=OUTSIDE, dstport=port, srcport=50000 + port, **changes) for port in range(9)
        ]

    packets = {"pkt_srcaddr": None, "pkt_dstaddr": None}
    at_gateway = request(srcaddr=OUTSIDE, dstaddr="10.0.9.9", pkt_srcaddr=OUTSIDE, pkt_dstaddr="198.51.100.9")
    assert gateways(at_gateway, *scan("10.0.9.9", **packets)) == {"10.0.9.9"}
    # An interface with several addresses of its own shows the first of them for all.
    several = [
        request(srcaddr=OUTSIDE, dstaddr="10.0.9.9", pkt_srcaddr=OUTSIDE, pkt_dstaddr=f"10.0.9.{place}")
        for place in range(10, 20)
    ]
    assert gateways(*several, *scan("10.0.9.9", **packets)) == set()
    assert gateways(*scan("10.0.9.9", **packets)) == set()


def test_windows_without_records_are_lost_where_the_log_says_so():
    scan = [request(dstport=port, srcport=50000 + port) for port in range(20)]
    skipped = {**nodata(log_status="SKIPDATA", start=START + 60, end=START + 119), "tcp_flags": None}
    silent = {**nodata(start=START + 60, end=START + 119), "tcp_flags": None}
    whole, kept, part = (frame(*scan, *more).flow.port_scans().loc[0] for more in ([], [silent], [skipped]))
    assert part["score"] == pytest.approx(whole["score"] / 2)
    assert (part["parts"]["kept"], "kept" in whole["parts"]) == (0.5, False)
    assert "SKIPDATA" in part["caveat"]
    assert kept["score"] == whole["score"]


def test_a_table_of_the_default_format_gives_the_same_contacts():
    records = without("tcp_flags", request(0), reply(0), request(9, action="REJECT"))
    assert list(records[0]) == DEFAULT
    flows = fl.Flows(
        ibis.memtable(frame(*records).astype({"start": "int64", "end": "int64"}).astype(object).to_dict("list"))
    )
    assert flows.findings().equals(frame(*records).flow.findings())
