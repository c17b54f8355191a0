"""Records stitched into conversations, each case worked out by hand."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from formats import START, frame, names_of, read, record, rows, text
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TRAFFIC

import flowlens as fl

CLIENT, SERVER = "10.0.0.5", "10.0.1.9"
WINDOW = 60
REJECT = {"action": "REJECT"}
PING = {"srcport": 0, "dstport": 0, "protocol": 1}


def request(window=0, **changes):
    """A record from the client, in one of the one-minute windows."""
    start = START + WINDOW * window
    return record(**{"start": start, "end": start + 59, **changes})


def reply(window=0, **changes):
    start = START + WINDOW * window
    turned = {"srcaddr": SERVER, "dstaddr": CLIENT, "srcport": 443, "dstport": 49152}
    return record(**{**turned, "start": start, "end": start + 59, **changes})


def stitch(*records, **options):
    return rows(frame(*records).flow.conversations(**options))


def one(*records, **options):
    (conversation,) = stitch(*records, **options)
    return conversation


def test_both_directions_and_all_windows_are_one_row():
    found = one(
        reply(1, packets=7, bytes=700),
        request(0, packets=1, bytes=60),
        request(2, packets=3, bytes=180),
        reply(0, packets=2, bytes=120),
    )
    assert found == {
        "initiator": CLIENT, "responder": SERVER, "initiator_port": 49152, "responder_port": 443, "protocol": 6,
        "interface_id": "eni-1235b8ca123456789", "first": START, "last": START + 179, "records": 4,
        "packets_out": 4, "packets_in": 9, "bytes_out": 240, "bytes_in": 820,
        "state": "established", "initiator_by": "ports",
    }  # fmt: skip


def test_columns_and_dtypes_are_the_documented_ones():
    found = frame(request()).flow.conversations()
    assert list(found.columns) == [
        "initiator",
        "responder",
        "initiator_port",
        "responder_port",
        "protocol",
        "interface_id",
        "first",
        "last",
        "records",
        "packets_out",
        "packets_in",
        "bytes_out",
        "bytes_in",
        "state",
        "initiator_by",
    ]
    assert found.dtypes[["initiator_port", "protocol", "records", "bytes_in", "first"]].astype(str).tolist() == [
        "UInt16", "UInt8", "int64", "int64", "datetime64[s, UTC]",
    ]  # fmt: skip


def test_what_both_ends_logged_counts_once_even_with_other_windows():
    at_client = [request(interface_id="eni-a", packets=5), reply(interface_id="eni-a", packets=4)]
    at_server = [
        request(interface_id="eni-b", packets=5, start=START + 20, end=START + 79),
        reply(interface_id="eni-b", packets=4, start=START + 20, end=START + 79),
    ]
    found = one(*at_client, *at_server)
    assert (found["packets_out"], found["packets_in"], found["records"]) == (5, 4, 4)
    assert (found["interface_id"], found["first"], found["last"]) == ("eni-a", START, START + 79)


def test_what_one_end_lost_the_other_end_still_counts():
    found = one(request(interface_id="eni-a", packets=5), request(interface_id="eni-b", packets=3))
    assert found["packets_out"] == 5


def test_the_two_legs_of_a_nat_gateway_are_told_apart_by_the_addresses_in_the_packet():
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-nat
    instance, gateway, outside = "10.0.1.5", "10.0.0.220", "203.0.113.5"
    legs = [
        ("eni-instance", instance, outside, instance, outside),
        ("eni-nat", instance, gateway, instance, outside),
        ("eni-nat", gateway, outside, gateway, outside),
    ]
    found = stitch(*(
        request(interface_id=eni, srcaddr=src, dstaddr=dst, pkt_srcaddr=pkt_src, pkt_dstaddr=pkt_dst)
        for eni, src, dst, pkt_src, pkt_dst in legs
    ))  # fmt: skip
    assert [(row["initiator"], row["responder"], row["records"]) for row in found] == [
        (gateway, outside, 1),
        (instance, outside, 2),
    ]


def test_a_missing_packet_address_falls_back_to_the_address():
    found = one(request(pkt_srcaddr=None, pkt_dstaddr=None), reply(pkt_srcaddr=SERVER, pkt_dstaddr=CLIENT))
    assert found["records"] == 2


@pytest.mark.parametrize(
    ("protocol", "idle"), [(6, 350), (17, 180), (1, 600), (47, 600)], ids=["TCP", "UDP", "ICMP", "GRE"]
)
def test_silence_longer_than_ec2_remembers_ends_a_conversation(protocol, idle):
    before = request(protocol=protocol)
    end = START + 59
    within = request(protocol=protocol, start=end + idle, end=end + idle + 1)
    beyond = request(protocol=protocol, start=end + idle + 1, end=end + idle + 2)
    assert len(stitch(before, within)) == 1
    assert len(stitch(before, beyond)) == 2


def test_silence_is_counted_from_the_last_end_and_not_from_the_last_start():
    long = request(end=START + 500)
    inside = reply(1)
    assert len(stitch(long, inside, request(start=START + 500 + 350, end=START + 851), timeout=350)) == 1


def test_other_ports_protocols_and_addresses_are_other_conversations():
    assert len(stitch(request(), request(srcport=49153), request(protocol=17), request(dstaddr="10.0.1.10"))) == 4


@pytest.mark.parametrize("timeout", [100, 100.0, "100s", "1min 40s", pd.Timedelta("100s")])
def test_the_timeout_can_be_chosen(timeout):
    assert len(stitch(request(0), request(2), timeout=timeout)) == 1
    assert len(stitch(request(0), request(3), timeout=timeout)) == 2


def test_in_ten_minute_windows_two_windows_of_silence_are_allowed():
    def window(number):
        return request(start=START + 600 * number, end=START + 600 * number + 599)

    assert len(stitch(window(0), window(2), window(3))) == 1  # 601 s of silence, above TCP's 350 s
    assert len(stitch(window(0), window(3), window(4))) == 2  # 1201 s


@pytest.mark.parametrize(
    ("records", "initiator", "by"),
    [
        # The flags say who sent SYN or SYN-ACK, whatever order and ports suggest.
        ([request(0, tcp_flags=18), reply(5, tcp_flags=2)], SERVER, "flags"),
        ([request(0, tcp_flags=2)], CLIENT, "flags"),
        ([reply(0, tcp_flags=18)], CLIENT, "flags"),
        ([request(0, tcp_flags=3), reply(0, tcp_flags=19)], CLIENT, "flags"),
        # Both sent SYN: the flags decide nothing.
        ([request(0, tcp_flags=2), reply(0, tcp_flags=2)], CLIENT, "ports"),
        ([request(0, tcp_flags=0), reply(0, tcp_flags=0)], CLIENT, "ports"),
        # More than a window apart, the earlier one began.
        ([request(2), reply(0)], SERVER, "order"),
        ([request(1), reply(0)], CLIENT, "ports"),
        # In one window the port of a service tells its side.
        ([request(0), reply(0)], CLIENT, "ports"),
        ([request(0, srcport=40000, dstport=8443), reply(0, srcport=8443, dstport=40000)], CLIENT, "ports"),
        # Neither port is one of a service: the only side that sent, or nobody knows.
        ([reply(0, srcport=50000, dstport=40000)], SERVER, "order"),
        ([request(0, srcport=123, dstport=123, protocol=17), reply(0, srcport=123, dstport=123, protocol=17)],
         CLIENT, "unknown"),
        ([request(0, srcport=0, dstport=0, protocol=1), reply(2, srcport=0, dstport=0, protocol=1)], CLIENT, "order"),
        # Nobody answers what was refused: the accepted direction of a ping began, whichever address is the lower one.
        ([request(**PING), reply(**PING, **REJECT)], CLIENT, "action"),
        ([request(**PING, **REJECT), reply(**PING)], SERVER, "action"),
        # Both refused or both accepted says nothing, nor does a direction that was first let through and then not.
        ([request(**PING, **REJECT), reply(**PING, **REJECT)], CLIENT, "unknown"),
        ([request(**PING), reply(**PING), reply(**PING, **REJECT)], CLIENT, "unknown"),
        # Ports, order and flags come first: late packets of a closed connection are refused as well.
        ([request(0, **REJECT), reply(0)], CLIENT, "ports"),
        ([request(0, **PING, **REJECT), reply(2, **PING)], CLIENT, "order"),
        ([request(0, tcp_flags=2, **REJECT), reply(0, tcp_flags=18)], CLIENT, "flags"),
    ],
)  # fmt: skip
def test_who_began_and_how_that_is_known(records, initiator, by):
    found = one(*records)
    assert (found["initiator"], found["initiator_by"]) == (initiator, by)


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([request(), reply()], "established"),
        ([request(tcp_flags=3), reply(tcp_flags=19)], "closed"),
        ([request(tcp_flags=2), reply(tcp_flags=4)], "reset"),
        ([request()], "unanswered"),
        ([request(**REJECT)], "rejected"),
        ([request(), reply(**REJECT)], "reply rejected"),
        ([reply()], "reply only"),
        ([request(**REJECT), reply()], "mixed"),
        ([request(0), reply(0), reply(1, **REJECT)], "mixed"),
        # Let out at one end and refused at the other is refused.
        ([request(interface_id="eni-a"), request(interface_id="eni-b", **REJECT)], "rejected"),
    ],
)
def test_how_it_went(records, state):
    assert one(*records)["state"] == state


def test_ipv6_and_records_without_traffic():
    a, b = "2001:db8::1", "2001:db8::2"
    found = one(
        record(srcaddr=a, dstaddr=b),
        record(srcaddr=b, dstaddr=a, srcport=443, dstport=49152),
        record(**dict.fromkeys(("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action")),
               log_status="NODATA"),
    )  # fmt: skip
    assert (found["initiator"], found["responder"], found["records"]) == (a, b, 2)


def test_records_without_bytes_count_as_none():
    # Block Public Access records have no bytes.
    assert one(request(bytes=None, reject_reason="BPA", **REJECT))["bytes_out"] == 0


def test_rows_are_in_order_of_time_and_then_of_address():
    found = stitch(request(9, srcport=50005), request(0, srcaddr="10.0.0.9"), request(0, srcaddr="10.0.0.10"))
    assert [row["initiator"] for row in found] == ["10.0.0.10", "10.0.0.9", CLIENT]


def test_logs_without_interface_action_or_flags_still_have_conversations():
    small = {name: value for name, value in request().items() if name not in {"interface_id", "action"}}
    found = one(small)
    assert (found["interface_id"], found["state"]) == (None, "unanswered")


def test_the_flag_example_of_aws_is_three_connections_opened_by_the_client():
    prefix = (
        "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4"
    )
    client, server = "52.213.180.42", "10.0.0.62"

    def row(out, port, size, packets, start, end, flags):
        src, dst = (client, server) if out else (server, client)
        ports = f"{port} 5001" if out else f"5001 {port}"
        return f"{prefix} {src} {dst} {ports} {src} {dst} 6 {size} {packets} {start} {end} ACCEPT {flags} OK"

    lines = [
        row(True, 43416, 568, 8, 1566848875, 1566848933, 2),
        row(False, 43416, 376, 7, 1566848875, 1566848933, 18),
        row(True, 43418, 100701, 70, 1566848875, 1566848933, 2),
        row(False, 43418, 632, 12, 1566848875, 1566848933, 18),
        row(False, 43418, 63388, 1219, 1566848933, 1566849113, 1),
        row(True, 43418, 23294588, 15774, 1566848933, 1566849113, 1),
        row(True, 43638, 1260, 17, 1566933133, 1566933193, 3),
        row(False, 43638, 967, 14, 1566933133, 1566933193, 19),
    ]
    fields = [
        "version",
        "vpc-id",
        "subnet-id",
        "instance-id",
        "interface-id",
        "account-id",
        "type",
        "srcaddr",
        "dstaddr",
        "srcport",
        "dstport",
        "pkt-srcaddr",
        "pkt-dstaddr",
        "protocol",
        "bytes",
        "packets",
        "start",
        "end",
        "action",
        "tcp-flags",
        "log-status",
    ]
    found = read("\n".join(lines).encode(), fields=fields).flow.conversations()
    shown = found[["initiator", "initiator_port", "bytes_out", "packets_in", "state", "initiator_by"]]
    assert [tuple(row.values()) for row in rows(shown)] == [
        (client, 43416, 568, 7, "established", "flags"),
        (client, 43418, 100701 + 23294588, 12 + 1219, "closed", "flags"),
        (client, 43638, 1260, 14, "closed", "flags"),
    ]


def test_a_missing_field_is_named_with_its_token():
    df = frame(request()).drop(columns="srcport")
    with pytest.raises(fl.MissingFieldError, match=r"conversations needs 'srcport'.*\$\{srcport\}"):
        df.flow.conversations()


# --- Random traffic against a loop over records ---


def by_loop(records, idle):
    """Stitch records the slow way: the part of every row that does not depend on who began."""
    keys = defaultdict(list)
    for rec in records:
        if rec["srcaddr"] is not None:
            ends = (rec["srcaddr"], rec["srcport"]), (rec["dstaddr"], rec["dstport"])
            keys[(*sorted(ends), rec["protocol"])].append(rec)
    found = []
    for (low, high, protocol), members in keys.items():
        conversations, last = [], None
        for rec in sorted(members, key=lambda rec: rec["start"]):
            if last is None or rec["start"] - last > idle:
                conversations.append([])
            conversations[-1].append(rec)
            last = max(last or 0, rec["end"])
        for conversation in conversations:
            sums = defaultdict(lambda: {"packets": 0, "bytes": 0})
            for rec in conversation:
                upward = (rec["srcaddr"], rec["srcport"]) == low
                for measure in ("packets", "bytes"):
                    sums[upward, rec["interface_id"]][measure] += rec[measure]
            most = [
                max((seen[measure] for (direction, _), seen in sums.items() if direction is upward), default=0)
                for measure in ("packets", "bytes")
                for upward in (True, False)
            ]
            span = min(rec["start"] for rec in conversation), max(rec["end"] for rec in conversation)
            found.append((low, high, protocol, *span, len(conversation), *most))
    return sorted(found)


def turned(row):
    """Put a row of `conversations` in the order of addresses, whoever began."""
    ends = (row["initiator"], row["initiator_port"]), (row["responder"], row["responder_port"])
    counters = [row["packets_out"], row["packets_in"]], [row["bytes_out"], row["bytes_in"]]
    if ends[0] > ends[1]:
        ends, counters = ends[::-1], tuple(pair[::-1] for pair in counters)
    return (*ends, row["protocol"], row["first"], row["last"], row["records"], *counters[0], *counters[1])


@settings(max_examples=25)
@given(records=TRAFFIC, idle=st.sampled_from([0, 60, 90, 350, 1200]))
def test_on_random_traffic_a_loop_over_the_records_finds_the_same_conversations(records, idle):
    # Which way round is a conversation of a port with itself? Nobody can tell, so none is asked about.
    records = [rec for rec in records if rec["srcaddr"] is None or rec["srcaddr"] != rec["dstaddr"]]
    if not records:
        return
    found = rows(read(text(records, names_of(records))).flow.conversations(timeout=idle))
    assert sorted(map(turned, found)) == by_loop(records, idle)


def test_records_that_start_together_are_one_conversation_whatever_their_order():
    # Engines may put them in another order each time they are asked; among so many, some are.
    ports = np.arange(20_000)
    client = pd.DataFrame({"srcaddr": "10.0.0.1", "dstaddr": "10.9.9.9", "srcport": 1024 + ports, "dstport": 443})
    client = client.assign(protocol=6, packets=1)
    before = client.assign(start=START, end=START + 59, bytes=0)
    together = [client.assign(start=START + 5000, end=START + 5059, bytes=size) for size in range(1, 7)]
    df = pd.concat([before, *together]).sample(frac=1, random_state=3, ignore_index=True)
    assert df.flow.conversations().groupby("records").size().to_dict() == {1: 20_000, 6: 20_000}
