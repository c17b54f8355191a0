"""Which way each record went, and who began: the examples of AWS, logs that do not say, and what may not be guessed."""

from __future__ import annotations

import io
from collections import Counter

import ibis
import numpy as np
import pandas as pd
import pytest
import sqlglot
from engines import ENGINES
from formats import DEFAULT, START, TGW, frame, gz, names_of, nodata, read, record, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TRAFFIC, UNRELATED
from test_aws_examples import FLAGS, FLAGS_FORMAT, PING
from test_scan import GARBAGE, folder_of_aws, name_of_aws
from test_sql import in_folders, run, table_of

import flowlens as fl

IN, OUT = "ingress", "egress"
ADDED = ("direction", "local", "remote", "initiator", "initiator_by")
REAL = ("direction", "local", "remote", "real_local", "real_remote")
BACK = {"srcaddr": "10.0.1.9", "dstaddr": "10.0.0.5"}
ELSEWHERE = list(ENGINES)[:3]


def told(df, *columns, **options):
    columns = columns or ADDED
    found = tuples(df.flow.add_direction(**options), *columns)
    return [row[0] for row in found] if len(columns) == 1 else found


def directions(*records, **options):
    return told(frame(*records), "direction", **options)


def talk(interface, own, other, **changes):
    """What an interface logs of a connection that it opens: the way out and the way in."""
    ports = {"srcport": 40000, "dstport": 443}, {"srcport": 443, "dstport": 40000}
    return [
        record(interface_id=interface, srcaddr=own, dstaddr=other, **ports[0], **changes),
        record(interface_id=interface, srcaddr=other, dstaddr=own, **ports[1], **changes),
    ]


# --- The examples of AWS ---


TO_S3_FORMAT = (
    "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id subnet-id "
    "instance-id interface-id region az-id sublocation-type sublocation-id action tcp-flags pkt-srcaddr "
    "pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction log-status"
)


def test_where_the_log_says_the_direction_that_is_it():
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-traffic-path
    place = (
        b"123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 "
        b"ap-southeast-2 apse2-az3 - - ACCEPT "
    )
    lines = (
        b"5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 " + place
        + b"19 52.95.128.179 10.0.0.71 S3 - - ingress OK\n"
        b"5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 " + place
        + b"3 10.0.0.71 52.95.128.179 - S3 8 egress OK\n"
    )  # fmt: skip
    df = read(lines, fields=TO_S3_FORMAT.split())
    expected = [
        (IN, "10.0.0.71", "52.95.128.179", "dst", "flags"),
        (OUT, "10.0.0.71", "52.95.128.179", "src", "flags"),
    ]
    assert told(df) == expected
    # The same is inferred where it does not say.
    assert told(df.drop(columns="flow_direction")) == expected


def test_the_sequence_of_tcp_flags_has_the_direction_and_the_initiator_that_aws_describes():
    df = read(FLAGS, fields=FLAGS_FORMAT)
    came = df["srcaddr"] == "52.213.180.42"
    found = df.flow.add_direction()
    assert found["direction"].tolist() == [IN if arrives else OUT for arrives in came]
    assert set(found["local"]) == {"10.0.0.62"}
    assert set(found["remote"]) == {"52.213.180.42"}
    assert found["initiator"].tolist() == ["src" if arrives else "dst" for arrives in came]
    assert set(found["initiator_by"]) == {"flags"}


def test_a_ping_that_a_network_acl_does_not_let_answer_was_begun_by_what_was_let_in():
    assert told(read(PING)) == [
        (IN, "172.31.16.139", "203.0.113.12", "src", "action"),
        (OUT, "172.31.16.139", "203.0.113.12", "dst", "action"),
    ]


def test_the_accepted_and_the_rejected_example_do_not_tell_their_direction():
    # Both ends are internal and nothing else is known of the interface.
    lines = (
        b"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 "
        b"ACCEPT OK\n"
        b"2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 "
        b"REJECT OK\n"
    )
    assert told(read(lines)) == [(None, None, None, "src", "ports")] * 2


NAT_FORMAT = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr"
NAT = (
    b"- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5\n"
    b"- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5\n"
    b"- eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220\n"
    b"- eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5\n"
    b"i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5\n"
    b"i-01234567890123456 eni-1111aaaa2222bbbb3 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5\n"
)
AT_THE_NAT = [
    (IN, "10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5"),
    (OUT, "10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5"),
    (IN, "10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5"),
    (OUT, "10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5"),
    (OUT, "10.0.1.5", "203.0.113.5", "10.0.1.5", "203.0.113.5"),
    (IN, "10.0.1.5", "203.0.113.5", "10.0.1.5", "203.0.113.5"),
]


def test_at_a_nat_gateway_the_real_ends_are_those_of_the_packet():
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-nat
    df = read(NAT, fields=NAT_FORMAT.split())
    assert told(df, *REAL) == AT_THE_NAT
    # Without times, ports and flags nothing tells who began.
    assert told(df, "initiator", "initiator_by") == [(None, "unknown")] * 6


def test_at_a_nat_gateway_they_are_so_in_a_scan():
    found = fl.scan(io.BytesIO(NAT), fields=NAT_FORMAT.split()).add_direction().collect()
    assert tuples(found, *REAL) == AT_THE_NAT


TGW_FORMAT = (
    "version interface-id account-id vpc-id subnet-id instance-id srcaddr dstaddr srcport dstport protocol tcp-flags "
    "type pkt-srcaddr pkt-dstaddr action log-status"
)
SUBNET_1, SUBNET_2 = (f"123456789010 vpc-abcdefab012345678 subnet-{subnet}" for subnet in ("1111aaaa", "2222bbbb"))
THROUGH_A_GATEWAY = "".join(
    f"3 {interface} {place} {instance} {src} {dst} {ports} 6 {flags} IPv4 {pkt} ACCEPT OK\n"
    for interface, place, instance, src, dst, ports, flags, pkt in [
        ("eni-3", SUBNET_2, "i-0", "10.20.33.164", "10.40.2.236", "39812 80", 3, "10.20.33.164 10.40.2.236"),
        ("eni-3", SUBNET_2, "i-0", "10.40.2.236", "10.20.33.164", "80 39812", 19, "10.40.2.236 10.20.33.164"),
        ("eni-1", SUBNET_1, "-", "10.40.1.175", "10.40.2.236", "39812 80", 3, "10.20.33.164 10.40.2.236"),
        ("eni-2", SUBNET_2, "-", "10.40.2.236", "10.40.2.31", "80 39812", 19, "10.40.2.236 10.20.33.164"),
    ]
).encode()
AT_THE_GATEWAY = [
    (IN, "10.40.2.236", "10.20.33.164", "10.40.2.236", "10.20.33.164", "src", "flags"),
    (OUT, "10.40.2.236", "10.20.33.164", "10.40.2.236", "10.20.33.164", "dst", "flags"),
    (OUT, "10.40.1.175", "10.40.2.236", "10.20.33.164", "10.40.2.236", "src", "flags"),
    (IN, "10.40.2.31", "10.40.2.236", "10.20.33.164", "10.40.2.236", "dst", "flags"),
]


def test_at_the_interfaces_of_a_transit_gateway_the_real_ends_are_those_of_the_packet():
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-tgw
    df = read(THROUGH_A_GATEWAY, fields=TGW_FORMAT.split())
    assert told(df, *REAL, "initiator", "initiator_by") == AT_THE_GATEWAY
    found = fl.scan(io.BytesIO(THROUGH_A_GATEWAY), fields=TGW_FORMAT.split()).add_direction().collect()
    assert tuples(found, *REAL, "initiator", "initiator_by") == AT_THE_GATEWAY


# --- Whose address it is, where the log does not say ---


def test_the_internal_end_is_that_of_the_interface():
    assert directions(*talk("eni-a", "10.0.0.5", "198.51.100.7")) == [OUT, IN]
    assert directions(*talk("eni-a", "198.51.100.7", "198.51.100.8")) == [None, None]
    assert directions(*talk("eni-a", "198.51.100.7", "198.51.100.8"), internal="198.51.100.7") == [OUT, IN]
    assert directions(*talk("eni-a", "2600:1f18::5", "2600:1f19::5"), internal=["2600:1f18::/32"]) == [OUT, IN]


@pytest.mark.parametrize("other", ["10.0.0.6", "192.168.7.7", "172.16.0.9"])
def test_an_interface_that_talks_to_one_internal_host_has_no_direction_rather_than_a_guess(other):
    for records in (talk("eni-a", "10.0.0.5", other), talk("eni-a", other, "10.0.0.5"), [record(dstaddr=other)]):
        assert set(directions(*records)) == {None}


def test_the_address_that_meets_all_others_is_that_of_the_interface():
    records = [*talk("eni-a", "10.0.0.5", "10.0.0.6"), *talk("eni-a", "10.0.0.5", "10.0.0.7")]
    assert directions(*records) == [OUT, IN, OUT, IN]
    assert directions(records[0], records[3]) == [OUT, IN]


def test_addresses_of_both_families_are_told_each_by_itself():
    records = [
        record for other in ("6", "7") for record in
        (*talk("eni-a", "10.0.0.5", f"10.0.0.{other}"), *talk("eni-a", "2001:db8::5", f"2001:db8::{other}"))
    ]  # fmt: skip
    assert directions(*records) == [OUT, IN] * 4
    assert directions(*records[:6]) == [OUT, IN, None, None, OUT, IN]


def test_an_interface_with_several_ipv6_addresses_has_no_direction_rather_than_a_guess():
    # Here the address that meets the most others is the server, which is not that of the interface.
    pods = [talk("eni-a", f"2001:db8::a{n}", "2001:db8::53") for n in range(5)]
    busy = talk("eni-a", "2001:db8::a0", "2001:db8::99")
    assert set(directions(*(rec for pair in pods for rec in pair), *busy)) == {None}


def test_a_server_is_not_taken_for_the_interface_of_its_clients_where_it_is_logged_itself():
    clients = [f"2001:db8::a{n}" for n in range(3)]
    at_client = [rec for own in clients[:2] for rec in talk("eni-a", own, "2001:db8::53")]
    at_server = [turned for own in clients for turned in talk("eni-s", "2001:db8::53", own)]
    assert directions(*at_client, *at_server) == [OUT, IN] * 5


def test_an_address_that_is_another_interfaces_leaves_the_other_end():
    hub = [rec for n in range(3) for rec in talk("eni-hub", "10.0.0.5", f"10.0.0.{10 + n}")]
    leaves = [rec for n in range(3) for rec in talk(f"eni-{n}", f"10.0.0.{10 + n}", "10.0.0.5")]
    assert directions(*hub, *leaves) == [OUT, IN] * 6
    assert directions(*leaves) == [None] * 6


def test_a_secondary_address_is_seen_as_the_primary_one_and_by_itself_in_the_packet():
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html: pkt-dstaddr is the secondary address.
    record_in = record(srcaddr="10.0.9.9", dstaddr="10.0.0.5", pkt_srcaddr="10.0.9.9", pkt_dstaddr="10.0.0.77")
    record_out = record(srcaddr="10.0.0.5", dstaddr="10.0.9.9", pkt_srcaddr="10.0.0.77", pkt_dstaddr="10.0.9.9")
    assert told(frame(record_in, record_out), *REAL) == [
        (IN, "10.0.0.5", "10.0.9.9", "10.0.0.77", "10.0.9.9"),
        (OUT, "10.0.0.5", "10.0.9.9", "10.0.0.77", "10.0.9.9"),
    ]


def test_the_real_ends_are_the_others_where_the_packet_has_none():
    df = frame(record(pkt_srcaddr=None, pkt_dstaddr=None, flow_direction=OUT))
    assert told(df, *REAL) == [(OUT, "10.0.0.5", "10.0.1.9", "10.0.0.5", "10.0.1.9")]
    assert "real_local" not in frame(record(flow_direction=OUT)).flow.add_direction().columns


# --- Several VPCs ---


def test_an_interface_in_another_vpc_with_the_same_addresses_tells_nothing():
    elsewhere = talk("eni-a", "10.0.0.5", "198.51.100.7")
    assert directions(*elsewhere, *talk("eni-b", "10.0.0.5", "10.0.0.9")) == [OUT, IN, None, None]
    assert directions(*elsewhere, *talk("eni-b", "10.0.0.9", "10.0.0.5")) == [OUT, IN, None, None]


def test_a_busier_interface_in_another_vpc_with_the_same_address_takes_it_from_nobody():
    at_a = [rec for n in range(4) for rec in talk("eni-a", "10.0.0.5", f"10.0.0.{10 + n}")]
    at_b = [rec for n in range(3) for rec in talk("eni-b", "10.0.0.5", f"10.0.0.{20 + n}")]
    assert directions(*at_a, *at_b) == [OUT, IN] * 7


def test_a_second_range_of_a_vpc_is_not_taken_for_another_network():
    # Pods in 100.64.0.0/16, the database in 10.0.0.0/16 of the same VPC.
    known = talk("eni-a", "10.0.0.5", "198.51.100.7", vpc_id="vpc-1")
    alone = talk("eni-pod", "100.64.0.9", "10.0.0.77", vpc_id="vpc-1")
    other = talk("eni-pod", "100.64.0.9", "10.0.0.78", vpc_id="vpc-1")
    assert directions(*known, *alone) == [OUT, IN, None, None]
    assert directions(*known, *alone, *other) == [OUT, IN] * 3


def test_the_subnet_tells_which_end_is_near():
    known = talk("eni-a", "10.0.0.5", "198.51.100.7", subnet_id="subnet-1")
    peer = talk("eni-b", "10.0.0.9", "10.1.0.5", subnet_id="subnet-1")
    assert directions(*known, *peer) == [OUT, IN, OUT, IN]
    in_another = [{**rec, "subnet_id": "subnet-2"} for rec in peer]
    assert directions(*known, *in_another) == [OUT, IN, None, None]


def test_records_without_a_subnet_are_not_all_in_one():
    known = talk("eni-a", "10.0.0.5", "198.51.100.7", subnet_id=None)
    peer = talk("eni-b", "10.1.0.5", "10.0.0.9", subnet_id=None)
    assert directions(*known, *peer) == [OUT, IN, None, None]


def test_there_may_be_more_subnets_than_addresses():
    records = [record(interface_id=f"eni-{n}", subnet_id=f"subnet-{n}") for n in range(9)]
    assert directions(*records) == [None] * 9


# --- A topology ---

TOPOLOGY = fl.Topology.from_describe({
    "NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-a", "PrivateIpAddress": "10.0.0.5",
         "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "10.0.0.5"}],
         "Ipv6Addresses": [{"Ipv6Address": "2001:DB8:0::5"}]},
        {"NetworkInterfaceId": "eni-public", "PrivateIpAddress": "11.0.0.5"},
    ],
})  # fmt: skip


def test_a_topology_tells_the_addresses_of_its_interfaces_and_others_are_inferred():
    records = [
        *talk("eni-a", "10.0.0.5", "10.0.0.9"),
        *talk("eni-a", "2001:db8::5", "2001:db8::9"),
        *talk("eni-public", "11.0.0.5", "10.0.0.9"),
        *talk("eni-b", "10.0.0.9", "10.0.0.5"),
        *talk("eni-c", "10.0.0.9", "198.51.100.7"),
    ]
    assert directions(*records, topology=TOPOLOGY)[:6] == [OUT, IN] * 3
    assert directions(*records, topology=TOPOLOGY)[8:] == [OUT, IN]
    assert directions(*records)[:2] == [None, None]
    found = fl.scan(io.BytesIO(text(records))).add_direction(topology=TOPOLOGY).collect()
    assert found["direction"].astype(object).where(found["direction"].notna(), None).tolist() == directions(
        *records, topology=TOPOLOGY
    )


# --- Transit gateway logs, and mixed ones ---


def test_addresses_of_a_prefix_that_an_interface_has_are_its_own():
    of_a_node = {"NetworkInterfaceId": "eni-node", "PrivateIpAddress": "10.0.0.5"}
    prefixes = {"Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:1::/80"}], "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.9.0/28"}]}
    topology = fl.Topology.from_describe({"NetworkInterfaces": [{**of_a_node, **prefixes}]})
    pods = talk("eni-node", "2001:db8:0:1::7", "2001:db8:0:2::9"), talk("eni-node", "10.0.9.3", "10.0.7.7")
    records = [*pods[0], *pods[1], *talk("eni-node", "10.0.8.8", "10.0.7.7")]
    assert directions(*records, topology=topology) == [OUT, IN, OUT, IN, None, None]


def test_what_the_topology_knows_of_one_interface_tells_of_the_other_end():
    topology = fl.Topology.from_describe(
        {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.5"}]}
    )
    records = [*talk("eni-1", "10.0.0.5", "10.0.0.9"), *talk("eni-2", "10.0.0.5", "10.0.0.9")]
    assert directions(*records) == [None] * 4
    assert directions(*records, topology=topology) == [OUT, IN, IN, OUT]


@pytest.mark.parametrize("verb", ["add_direction", "costs"])
def test_what_is_no_topology_is_refused(verb):
    with pytest.raises(TypeError, match=rf"{verb} takes a Topology and not a dict; .*from_describe"):
        getattr(frame(record()).flow, verb)(topology={"NetworkInterfaces": []})


def test_records_without_ports_have_the_initiator_of_their_conversation():
    records = [
        record(srcport=None, dstport=None, action=action, **ends) for action, ends in [("ACCEPT", {}), ("REJECT", BACK)]
    ]
    (conversation,) = frame(*records).flow.conversations().to_dict("records")
    assert (conversation["initiator"], conversation["initiator_by"]) == ("10.0.0.5", "action")
    assert told(frame(*records), "initiator", "initiator_by") == [("src", "action"), ("dst", "action")]


def at_gateway(**changes):
    made = {
        **record(), "resource_type": "TransitGateway", "tgw_id": "tgw-1", "tgw_attachment_id": "tgw-attach-1",
        "flow_direction": IN, "tcp_flags": 2,
    }  # fmt: skip
    return {name: {**made, **changes}.get(name) for name in TGW.replace("-", "_").split()}


def test_records_of_a_transit_gateway_have_a_direction_and_no_sides():
    log = [at_gateway(), at_gateway(flow_direction=OUT), at_gateway(log_status="NODATA", srcaddr=None, dstaddr=None,
           srcport=None, dstport=None, protocol=None, tcp_flags=None, flow_direction=None)]  # fmt: skip
    expected = [(IN, None, None, "src", "flags"), (OUT, None, None, "src", "flags"), (None,) * 5]
    assert told(frame(*log)) == expected
    assert tuples(fl.scan(io.BytesIO(text(log))).add_direction().collect(), *ADDED) == expected


def test_in_a_mixed_log_each_record_has_what_its_kind_has():
    of_vpc = talk("eni-a", "10.0.0.5", "198.51.100.7", flow_direction=None)
    log = [at_gateway(srcaddr="10.0.0.5", dstaddr="10.0.7.7"), *of_vpc]
    expected = [(IN, None, None), (OUT, "10.0.0.5", "198.51.100.7"), (IN, "10.0.0.5", "198.51.100.7")]
    assert told(frame(*log), *ADDED[:3]) == expected
    assert tuples(fl.scan(io.BytesIO(text(log))).add_direction().collect(), *ADDED[:3]) == expected


def test_of_logs_in_two_formats_both_have_a_direction_and_both_are_selected(tmp_path):
    new = talk("eni-a", "10.0.0.5", "198.51.100.7", vpc_id="vpc-1")
    new = [{**rec, "flow_direction": way} for rec, way in zip(new, [OUT, IN], strict=True)]
    old = talk("eni-b", "10.0.0.6", "198.51.100.8")
    (tmp_path / "new").write_bytes(text(new))
    (tmp_path / "old").write_bytes(text(old))
    df = fl.read(tmp_path).flow.add_direction()
    assert Counter(df["direction"]) == {OUT: 2, IN: 2}
    for selected in (df.flow.select(direction=OUT), fl.scan(tmp_path).add_direction().select(direction=OUT).collect()):
        assert set(selected["srcaddr"]) == {"10.0.0.5", "10.0.0.6"}
    assert set(fl.read(tmp_path).flow.select(direction=OUT)["srcaddr"]) == {"10.0.0.5"}


def test_what_aws_logged_is_not_overruled():
    wrong_way = record(srcaddr="198.51.100.7", dstaddr="10.0.0.5", flow_direction=OUT)
    assert told(frame(wrong_way), "direction", "local") == [(OUT, "198.51.100.7")]


def test_a_word_that_is_no_direction_is_none_and_the_direction_is_inferred():
    records = [{**rec, "flow_direction": "Egress"} for rec in talk("eni-a", "10.0.0.5", "198.51.100.7")]
    df = frame(*talk("eni-a", "10.0.0.5", "198.51.100.7")).assign(flow_direction="Egress")
    assert told(df, "direction") == [OUT, IN]
    flows = fl.Flows(ibis.duckdb.connect().create_table("logs", table_of(records, "-")))
    assert flows.add_direction().pairs(keys=("direction",))["direction"].tolist() == [OUT, IN]


def test_a_selection_of_directions_needs_the_log_to_say_it_or_an_enrichment():
    df = frame(*talk("eni-a", "10.0.0.5", "198.51.100.7"))
    with pytest.raises(fl.MissingFieldError, match="flow-direction"):
        df.flow.select(direction=OUT)
    assert df.flow.add_direction().flow.select(direction=OUT).index.tolist() == [0]
    assert fl.scan(io.BytesIO(text(talk("eni-a", "10.0.0.5", "198.51.100.7")))).add_direction().select(
        direction=OUT
    ).count() == 1  # fmt: skip


# --- Who began ---


def began(*records):
    return told(frame(*records), "initiator", "initiator_by")


A_TO_B = {"srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "srcport": 49152, "dstport": 443}
B_TO_A = {"srcaddr": "10.0.1.9", "dstaddr": "10.0.0.5", "srcport": 443, "dstport": 49152}
ODD = {"srcport": 50000, "dstport": 50001}
ODD_BACK = {"srcport": 50001, "dstport": 50000}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record(**A_TO_B, tcp_flags=2), record(**B_TO_A, tcp_flags=18)], [("src", "flags"), ("dst", "flags")]),
        ([record(**A_TO_B, tcp_flags=18), record(**B_TO_A, tcp_flags=2)], [("dst", "flags"), ("src", "flags")]),
        ([record(**A_TO_B, tcp_flags=2), record(**B_TO_A, tcp_flags=2)], [("src", "ports"), ("dst", "ports")]),
        ([record(**A_TO_B, tcp_flags=0), record(**B_TO_A, tcp_flags=1)], [("src", "ports"), ("dst", "ports")]),
        ([record(**A_TO_B), record(**B_TO_A)], [("src", "ports"), ("dst", "ports")]),
        ([record(**{**A_TO_B, **ODD}), record(**{**B_TO_A, **ODD_BACK})], [(None, "unknown")] * 2),
        ([record(**{**A_TO_B, **ODD})], [("src", "order")]),
        (
            [record(**{**A_TO_B, **ODD}, start=START + 700, end=START + 759), record(**{**B_TO_A, **ODD_BACK})],
            [("dst", "order"), ("src", "order")],
        ),
        (
            [record(**{**A_TO_B, **ODD}, action="REJECT"), record(**{**B_TO_A, **ODD_BACK})],
            [("dst", "action"), ("src", "action")],
        ),
        ([record(**A_TO_B, tcp_flags=2), nodata(tcp_flags=None)], [("src", "flags"), (None, None)]),
    ],
    ids=[
        "SYN and SYN-ACK", "turned", "both SYN", "no SYN", "no flags", "nothing", "alone", "later", "refused", "NODATA",
    ],
)  # fmt: skip
def test_who_began_is_told_by_the_best_sign_there_is(records, expected):
    assert began(*records) == expected
    scanned = fl.scan(io.BytesIO(text(records))).add_direction().collect()
    assert tuples(scanned, "initiator", "initiator_by") == expected


def test_all_records_of_a_conversation_say_the_same():
    later = [record(**{**way, "tcp_flags": 0, "start": START + 60, "end": START + 119}) for way in (A_TO_B, B_TO_A)]
    opening = record(**B_TO_A, tcp_flags=2)
    assert began(*later, opening) == [("dst", "flags"), ("src", "flags"), ("src", "flags")]


@settings(max_examples=40)
@given(records=TRAFFIC)
def test_the_initiator_is_that_of_the_conversation_where_that_occurs_once(records):
    df = frame(*records)
    ends = ["initiator", "initiator_port", "responder", "responder_port"]
    rows = tuples(df.flow.conversations(), *ends, "protocol", "initiator_by")
    times = Counter(key(*row[:5]) for row in rows)
    expected = {key(*row[:5]): (row[:2], row[5]) for row in rows if times[key(*row[:5])] == 1}
    tuple_of = ("srcaddr", "srcport", "dstaddr", "dstport", "protocol")
    for src, srcport, dst, dstport, protocol, initiator, by in tuples(
        df.flow.add_direction(), *tuple_of, "initiator", "initiator_by"
    ):
        here = key(src, srcport, dst, dstport, protocol)
        if here in expected and (src, srcport) != (dst, dstport):
            initiating, told_by = expected[here]
            assert by == told_by
            assert initiator == (None if by == "unknown" else "src" if (src, srcport) == initiating else "dst")


def key(one, one_port, other, other_port, protocol):
    return frozenset([(one, one_port), (other, other_port)]), protocol


def test_an_address_that_talks_to_itself_has_neither_side():
    df = frame(record(srcaddr="10.0.0.5", dstaddr="10.0.0.5"), *talk("eni-a", "10.0.0.5", "198.51.100.7"))
    assert told(df, "direction", "local", "remote")[0] == (None, None, None)


def test_records_without_an_interface_have_no_direction():
    assert directions(*talk(None, "10.0.0.5", "198.51.100.7")) == [None, None]
    assert directions(*talk("-", "10.0.0.5", "198.51.100.7")) == [None, None]


# --- Law 6: order, files and other records ---

FACTS = ["direction", "local", "remote", "initiator", "initiator_by"]


def facts(df):
    """Return what is said of each record, by the record itself."""
    found = df.flow.add_direction()
    return Counter(tuples(found, *DEFAULT, "tcp_flags", *FACTS))


@settings(max_examples=25)
@given(records=TRAFFIC, data=st.data())
def test_neither_the_order_of_records_nor_their_files_matter(records, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    shuffled = data.draw(st.permutations(records))
    cut = data.draw(st.integers(0, len(records)))
    for place, part in enumerate((shuffled[:cut], shuffled[cut:])):
        (folder / f"{place}").write_bytes(text(part, names_of(records)))
    expected = facts(frame(*records))
    assert facts(frame(*shuffled)) == expected
    assert facts(fl.read(folder)) == expected
    assert Counter(tuples(fl.scan(folder).add_direction().collect(), *DEFAULT, "tcp_flags", *FACTS)) == expected


@settings(max_examples=40)
@given(records=TRAFFIC, others=UNRELATED)
def test_traffic_of_other_hosts_changes_nothing(records, others):
    alone, together = facts(frame(*records)), facts(frame(*others, *records))
    assert alone <= together


@settings(max_examples=60)
@given(
    mine=st.lists(st.tuples(st.integers(5, 8), st.integers(5, 12)), min_size=1, max_size=8),
    foreign=st.lists(st.tuples(st.integers(5, 8), st.integers(13, 20)), max_size=12),
)
def test_a_vpc_with_the_same_addresses_makes_no_direction_wrong(mine, foreign):
    """Interfaces are named after the address that they own, in either VPC: hosts of the other have other peers."""

    def log(vpc, pairs):
        return [rec for own, other in pairs if own != other for rec in talk(f"eni-{vpc}-{own}", f"10.0.0.{own}",
                                                                            f"10.0.0.{other}")]  # fmt: skip

    records = log("mine", mine) + log("foreign", foreign)
    if records:
        found = frame(*records).flow.add_direction()
        for interface, local in tuples(found, "interface_id", "local"):
            assert local in {None, f"10.0.0.{interface.rsplit('-', 1)[1]}"}


# --- Simulated worlds ---


@pytest.fixture(scope="module", params=[(0, None, 60), (1, "default", 60), (2, None, 600)], ids=str)
def world(request):
    seed, fields, interval = request.param
    with_direction = fl.simulate(seed=seed, hours=1.5, interval=interval).records
    columns = DEFAULT if fields else [column for column in with_direction.columns if column != "flow_direction"]
    return with_direction, with_direction[columns]


def test_in_a_simulated_world_the_direction_is_never_wrong_and_hardly_ever_missing(world):
    logged, without = world
    traffic = logged["srcaddr"].notna()
    found = without.flow.add_direction()["direction"].astype(object)
    given_there = found.notna()
    assert given_there[traffic].mean() > 0.97
    assert not given_there[~traffic].any()
    assert (found[given_there] == logged["flow_direction"].astype(object)[given_there]).all()


def test_with_the_topology_of_a_simulated_world_no_direction_is_missing_or_wrong(world):
    logged, without = world
    topology = fl.Topology.from_describe(fl.simulate(hours=0.1).topology)
    found = without.flow.add_direction(topology=topology)
    traffic = logged["srcaddr"].notna()
    assert found["direction"][traffic].astype(str).tolist() == logged["flow_direction"][traffic].astype(str).tolist()


def test_in_a_simulated_world_the_initiator_is_never_wrong_by_its_flags():
    sim = fl.simulate(hours=1)
    truth = {key(*row[:4], row[4]): row[:2] for row in tuples(
        sim.truth, "initiator", "initiator_port", "responder", "responder_port", "protocol")}  # fmt: skip
    found = sim.records.flow.add_direction()
    ends = ("pkt_srcaddr", "srcport", "pkt_dstaddr", "dstport", "protocol", "initiator", "initiator_by")
    compared = 0
    for src, srcport, dst, dstport, protocol, initiator, by in tuples(found, *ends):
        began_there = truth.get(key(src, srcport, dst, dstport, protocol))
        if began_there is not None and by == "flags":
            assert initiator == ("src" if (src, srcport) == tuple(began_there) else "dst")
            compared += 1
    assert compared > 500


# --- Frames, scans and text ---

VARIED = [
    *talk("eni-a", "10.0.0.5", "198.51.100.7", tcp_flags=None),
    *talk("eni-hub", "10.0.0.6", "10.0.0.7", tcp_flags=0, bytes=100),
    *talk("eni-hub", "10.0.0.6", "10.0.0.8", tcp_flags=2, start=START + 60),
    *talk("eni-leaf", "10.0.0.8", "10.0.0.6", tcp_flags=None),
    *talk("eni-lonely", "10.0.7.7", "10.0.7.8", tcp_flags=None),
    *talk("eni-six", "2001:db8::5", "fd00::5", tcp_flags=None),
    nodata(tcp_flags=None), nodata(log_status="SKIPDATA", interface_id=None, tcp_flags=None),
]  # fmt: skip
WAYS = [OUT, IN] * 4 + [None, None, IN, OUT, None, None]


def test_the_frame_of_the_comparisons_has_these_directions():
    assert directions(*VARIED) == WAYS


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_scan_says_what_a_frame_says(kind, tmp_path):
    df = frame(*VARIED)
    flows = ENGINES[kind](VARIED, names_of(VARIED), tmp_path, None).add_direction()
    found = flows.collect()
    key_of = [*DEFAULT, "tcp_flags", *FACTS]
    assert Counter(tuples(found, *key_of)) == Counter(tuples(df.flow.add_direction(), *key_of))
    for keys in (("direction", "local"), ("initiator", "initiator_by")):
        pd.testing.assert_frame_equal(flows.pairs(keys=keys), df.flow.add_direction().flow.pairs(keys=keys))


@pytest.mark.parametrize("missing", ["-", None], ids=["dashes", "nulls"])
@pytest.mark.parametrize("keys", [("direction", "local", "remote"), ("initiator", "initiator_by"), ("direction",)])
def test_the_printed_text_returns_the_pairs_of_directions(keys, missing):
    df = frame(*VARIED)
    query = df.flow.sql("duckdb").add_direction().pairs(keys=keys)
    expected = tuples(df.flow.add_direction().flow.pairs(keys=keys))
    assert run(query, table_of(VARIED, missing)) == expected
    assert sum(row[len(keys)] for row in expected) == 12


def test_the_columns_are_added_at_the_end_and_nothing_else_is_changed():
    df = frame(*VARIED).set_index(pd.Index([7] * len(VARIED)))
    before = df.copy(deep=True)
    found = df.flow.add_direction()
    assert found.columns.tolist() == [*df.columns, *ADDED]
    pd.testing.assert_frame_equal(found[df.columns.tolist()], before)
    pd.testing.assert_frame_equal(df, before)
    assert {str(dtype) for dtype in found[list(ADDED)].dtypes} == {"category"}
    pd.testing.assert_frame_equal(found.flow.add_direction(), found)


def test_a_frame_may_be_made_by_hand_and_lack_all_but_the_ends():
    made = pd.DataFrame({
        "srcaddr": ["10.0.0.5", "198.51.100.7", "-", None], "dstaddr": ["198.51.100.7", "10.0.0.5", "-", None],
        "interface_id": ["eni-a", "eni-a", "eni-a", None],
    })  # fmt: skip
    for df in (made, made.astype(object), made.astype("str"), made.astype("string"), made.astype("category")):
        assert told(df, *ADDED[:3]) == [
            (OUT, "10.0.0.5", "198.51.100.7"), (IN, "10.0.0.5", "198.51.100.7"), (None,) * 3, (None,) * 3,
        ]  # fmt: skip
    only_way = made.drop(columns="interface_id").assign(flow_direction=[OUT, IN, None, None])
    assert told(only_way, "direction", "local")[:2] == [(OUT, "10.0.0.5"), (IN, "10.0.0.5")]


def test_columns_that_are_called_as_those_on_the_way_do_no_harm():
    df = frame(*VARIED)
    named = df.assign(row=1, began="x", evidence=2, key_a="k", from_a=True, direction="mine", local=0)
    pd.testing.assert_frame_equal(named.flow.add_direction()[list(ADDED)], df.flow.add_direction()[list(ADDED)])
    table = table_of(VARIED, "-")
    for column in ("row", "began", "evidence"):
        table = table.append_column(column, [["x"] * len(VARIED)])
    flows = fl.Flows(ibis.duckdb.connect().create_table("logs", table))
    found = flows.add_direction().pairs(keys=("initiator", "initiator_by"))
    pd.testing.assert_frame_equal(found, df.flow.add_direction().flow.pairs(keys=("initiator", "initiator_by")))


def test_frames_without_records_or_without_traffic_get_the_columns():
    empty = pd.DataFrame(columns=["srcaddr", "dstaddr", "interface_id"])
    for df in (frame(*VARIED).iloc[:0], frame(nodata()), empty, empty.astype("str")):
        found = df.flow.add_direction()
        assert found.columns.tolist() == [*df.columns, *ADDED]
        assert found[list(ADDED)].isna().all(axis=None)


def test_without_direction_and_interface_the_missing_fields_are_named():
    df = frame(record())[["srcaddr", "dstaddr"]]
    assert not df.flow.can("add_direction")
    for log in (df.flow, df.flow.sql()):
        with pytest.raises(fl.MissingFieldError, match=r"flow-direction.*interface-id"):
            log.add_direction()


@pytest.mark.parametrize("internal", ["x", ["10.0.0.0/8", "10.0.0"]], ids=repr)
def test_what_is_no_prefix_is_refused_at_once(internal):
    with pytest.raises(ValueError, match="CIDR prefix"):
        frame(record()).flow.add_direction(internal=internal)


def test_internal_may_be_a_list_that_can_be_read_only_once():
    assert directions(*talk("eni-a", "11.0.0.5", "198.51.100.7"), internal=iter(["11.0.0.0/8"])) == [OUT, IN]


def test_the_sample_has_the_direction_that_is_logged_there():
    df = fl.sample()
    found = df.flow.add_direction()
    assert found["direction"].astype(str).tolist() == df["flow_direction"].astype(str).tolist()
    inferred = df.drop(columns="flow_direction").flow.add_direction()["direction"]
    there = inferred.notna()
    assert (inferred[there].astype(str) == df["flow_direction"][there].astype(str)).all()
    assert there[df["srcaddr"].notna()].mean() > 0.97
    ours = np.isin(found["local"].dropna().unique(), found["srcaddr"].cat.categories)
    assert ours.all()


# --- Files of other times ---

HUB = "10.0.0.6"


@pytest.fixture
def delivered(tmp_path):
    """Return a folder as AWS fills it: of one hour only the first half tells which address is the interface's."""
    early = [*talk("eni-hub", HUB, "10.0.0.7"), *talk("eni-hub", HUB, "10.0.0.8")]
    late = [{**rec, "start": START + 1800, "end": START + 1859} for rec in talk("eni-hub", HUB, "10.0.0.7")]
    (folder_of_aws(tmp_path) / name_of_aws("20260310T1400")).write_bytes(gz(text(early)))
    (folder_of_aws(tmp_path) / name_of_aws("20260310T1430")).write_bytes(gz(text(late)))
    return tmp_path


LATE = (START + 1800, START + 3600)


def test_a_time_that_is_selected_afterwards_does_not_change_directions(delivered):
    whole = fl.scan(delivered).add_direction().select(time=LATE)
    assert whole.collect()["direction"].tolist() == [OUT, IN]
    assert whole.pairs(keys=("local",)).iloc[0].tolist()[:2] == [HUB, 2]
    df = fl.read(delivered).flow.add_direction().flow.select(time=LATE)
    assert df["direction"].tolist() == [OUT, IN]


def test_a_time_that_is_selected_before_is_all_there_is_and_prunes_files(delivered):
    before = fl.scan(delivered).select(time=LATE).add_direction()
    assert before.collect()["direction"].isna().all()
    (folder_of_aws(delivered, "2026/03/11") / name_of_aws("20260311T0900")).write_bytes(GARBAGE)
    assert before.collect()["direction"].isna().all()
    assert fl.scan(delivered).select(time=LATE).add_direction().count() == 2
    with pytest.raises(fl.ParseError, match="20260311T0900"):
        fl.scan(delivered).add_direction().select(time=LATE).collect()


def test_a_time_after_what_looks_at_single_records_only_prunes_files(delivered):
    (folder_of_aws(delivered, "2026/03/11") / name_of_aws("20260311T0900")).write_bytes(GARBAGE)
    named = fl.scan(delivered).add_groups({"hub": HUB}).add_services().add_scope().add_networks().select(time=LATE)
    assert named.count() == 2
    with pytest.raises(fl.ParseError, match="20260311T0900"):
        fl.scan(delivered).add_direction().add_groups({"hub": HUB}).select(time=LATE).count()


def test_a_partition_of_another_day_that_tells_who_began_is_not_left_out_of_the_text():
    opening = record(**{**A_TO_B, **ODD}, tcp_flags=2, start=START - 86400, end=START - 86341)
    later = [record(**{**A_TO_B, **ODD}, tcp_flags=0), record(**{**B_TO_A, **ODD_BACK}, tcp_flags=0)]
    records, keys, time = [opening, *later], ("initiator", "initiator_by"), (START, START + 60)
    df = frame(*records)
    partitioned = df.flow.sql("athena", table="flows", partition="projection")
    for log, expected in [
        (partitioned.add_direction().select(time=time), df.flow.add_direction().flow.select(time=time)),
        (partitioned.select(time=time).add_direction(), df.flow.select(time=time).flow.add_direction()),
    ]:
        (query,) = sqlglot.transpile(log.pairs(keys=keys), read="athena", write="duckdb")
        assert run(query, in_folders(records)) == tuples(expected.flow.pairs(keys=keys))


def test_a_log_that_says_its_direction_is_not_gone_over_for_addresses():
    records = [record(flow_direction=OUT, interface_id="eni-a")]
    scanned = fl.scan(io.BytesIO(text(records)))
    assert scanned.add_direction().pairs(keys=("direction", "local"))["local"].tolist() == ["10.0.0.5"]


# --- What is internal is a guess of its own ---


def test_an_external_address_that_meets_several_internal_ones_only_is_nobodys():
    # Either a VPC with a public range, or an interface with several addresses that all talk to one host.
    records = [each for n in range(1, 5) for each in talk("eni-p", "100.200.0.5", f"10.1.1.{n}")]
    assert directions(*records) == [None] * 8
    assert directions(*records, internal="100.200.0.0/16") == [OUT, IN] * 4
    assert directions(*records, internal="10.1.0.0/16") == [None] * 8


def test_an_internal_address_beside_others_is_still_the_interfaces():
    records = [*talk("eni-1", "10.0.0.5", "198.51.100.7"), *talk("eni-1", "10.0.0.5", "198.51.100.8")]
    assert directions(*records, *talk("eni-1", "10.0.0.5", "10.0.0.9")) == [OUT, IN] * 3
