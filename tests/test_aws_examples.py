"""The example records of the AWS documentation, read to the values that the text says they show.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html
"""

from __future__ import annotations

from formats import DTYPES, NUMBERS, TIMES, check, columns, read, rows

P = b"3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 eni-1235b8ca123456789 123456789010 IPv4 "
FLAGS_FORMAT = (
    "${version} ${vpc-id} ${subnet-id} ${instance-id} ${interface-id} ${account-id} ${type} ${srcaddr} ${dstaddr} "
    "${srcport} ${dstport} ${pkt-srcaddr} ${pkt-dstaddr} ${protocol} ${bytes} ${packets} ${start} ${end} ${action} "
    "${tcp-flags} ${log-status}"
)
#: As published: the last line has a double space behind its port.
FLAGS = (
    P + b"52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2 OK\n"
    + P + b"10.0.0.62 52.213.180.42 5001 43416 10.0.0.62 52.213.180.42 6 376 7 1566848875 1566848933 ACCEPT 18 OK\n"
    + P + b"52.213.180.42 10.0.0.62 43418 5001 52.213.180.42 10.0.0.62 6 100701 70 1566848875 1566848933 ACCEPT 2 OK\n"
    + P + b"10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 632 12 1566848875 1566848933 ACCEPT 18 OK\n"
    + P + b"10.0.0.62 52.213.180.42 5001 43418 10.0.0.62 52.213.180.42 6 63388 1219 1566848933 1566849113 ACCEPT 1 OK\n"
    + P + b"52.213.180.42 10.0.0.62 43418 5001 52.213.180.42 10.0.0.62 6 23294588 15774 1566848933 1566849113 "
    b"ACCEPT 1 OK\n"
    + P + b"52.213.180.42 10.0.0.62 43638 5001 52.213.180.42 10.0.0.62 6 1260 17 1566933133 1566933193 ACCEPT 3 OK\n"
    + P + b"10.0.0.62 52.213.180.42 5001 43638  10.0.0.62 52.213.180.42 6 967 14 1566933133 1566933193 ACCEPT 19 OK\n"
)  # fmt: skip


def dtypes_hold(df):
    for name, dtype in df.dtypes.items():
        kind = "datetime64[s, UTC]" if name in TIMES else DTYPES[NUMBERS[name]] if name in NUMBERS else "category"
        assert dtype == kind, name
    return True


def example(lines: bytes, fields):
    """Read an example; the same lines must also be free of bad ones."""
    df = read(lines, fields=fields)
    assert check(lines, fields=fields).empty
    assert dtypes_hold(df)
    return rows(df)


COMMON = {
    "version": 2, "account_id": "123456789010", "interface_id": "eni-1235b8ca123456789", "protocol": 6, "packets": 20,
    "bytes": 4249, "start": 1418530010, "end": 1418530070, "log_status": "OK",
}  # fmt: skip


def test_accepted_and_rejected_traffic():
    lines = (
        b"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 "
        b"ACCEPT OK\n"
        b"2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 "
        b"REJECT OK\n"
    )
    ssh = {"srcaddr": "172.31.16.139", "dstaddr": "172.31.16.21", "srcport": 20641, "dstport": 22, "action": "ACCEPT"}
    rdp = {"srcaddr": "172.31.9.69", "dstaddr": "172.31.9.12", "srcport": 49761, "dstport": 3389, "action": "REJECT"}
    assert example(lines, "default") == example(lines, None) == [COMMON | ssh, COMMON | rdp]
    df = read(lines)
    assert rows(df.flow.rejected()) == [COMMON | rdp]
    assert rows(df.flow.select(dst_port="ssh")) == [COMMON | ssh]


def test_no_data_and_skipped_records():
    lines = (
        b"2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA\n"
        b"2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA\n"
    )
    nothing = dict.fromkeys(("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action"))
    times = {"version": 2, "account_id": "123456789010", "start": 1431280876, "end": 1431280934}
    assert example(lines, None) == [
        nothing | times | {"interface_id": "eni-1235b8ca123456789", "log_status": "NODATA"},
        nothing | times | {"interface_id": "eni-11111111aaaaaaaaa", "log_status": "SKIPDATA"},
    ]
    covered = read(lines).flow.coverage().set_index("interface_id")
    assert covered["nodata"].to_dict() == {"eni-1235b8ca123456789": 1, "eni-11111111aaaaaaaaa": 0}
    assert covered["skipdata"].to_dict() == {"eni-1235b8ca123456789": 0, "eni-11111111aaaaaaaaa": 1}


PING = (
    b"2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK\n"
    b"2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 4 336 1432917094 1432917142 REJECT OK\n"
)


def test_a_ping_whose_answer_the_network_acl_drops():
    ping = COMMON | {"srcport": 0, "dstport": 0, "protocol": 1, "packets": 4, "bytes": 336, "end": 1432917142}
    assert example(PING, None) == [
        ping | {"srcaddr": "203.0.113.12", "dstaddr": "172.31.16.139", "start": 1432917027, "action": "ACCEPT"},
        ping | {"srcaddr": "172.31.16.139", "dstaddr": "203.0.113.12", "start": 1432917094, "action": "REJECT"},
    ]


def test_the_two_directions_of_a_ping_are_one_conversation_although_their_windows_differ():
    (row,) = rows(read(PING).flow.conversations())
    # Nobody answers a ping that was refused: the direction that was let through is the request.
    assert (row["initiator"], row["responder"]) == ("203.0.113.12", "172.31.16.139")
    assert (row["state"], row["initiator_by"]) == ("reply rejected", "action")
    assert (row["records"], row["first"], row["last"]) == (2, 1432917027, 1432917142)
    assert (row["packets_out"], row["packets_in"], row["bytes_out"], row["bytes_in"]) == (4, 4, 336, 336)


def test_ipv6():
    lines = (
        b"2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 "
        b"2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK\n"
    )
    (row,) = example(lines, None)
    assert row == COMMON | {
        "srcaddr": "2001:db8:1234:a100:8d6e:3477:df66:f105", "dstaddr": "2001:db8:1234:a102:3304:8879:34cf:4071",
        "srcport": 34892, "dstport": 22, "packets": 54, "bytes": 8855, "start": 1477913708, "end": 1477913820,
        "action": "ACCEPT",
    }  # fmt: skip


def test_tcp_flag_sequence_with_bytes_before_packets_and_a_double_space():
    found = example(FLAGS, FLAGS_FORMAT)
    assert [row["tcp_flags"] for row in found] == [2, 18, 2, 18, 1, 1, 3, 19]
    assert [row["bytes"] for row in found] == [568, 376, 100701, 632, 63388, 23294588, 1260, 967]
    assert [row["packets"] for row in found] == [8, 7, 70, 12, 1219, 15774, 17, 14]
    assert found[7] == {
        "version": 3, "vpc_id": "vpc-abcdefab012345678", "subnet_id": "subnet-aaaaaaaa012345678",
        "instance_id": "i-01234567890123456", "interface_id": "eni-1235b8ca123456789", "account_id": "123456789010",
        "type": "IPv4", "srcaddr": "10.0.0.62", "dstaddr": "52.213.180.42", "srcport": 5001, "dstport": 43638,
        "pkt_srcaddr": "10.0.0.62", "pkt_dstaddr": "52.213.180.42", "protocol": 6, "bytes": 967, "packets": 14,
        "start": 1566933133, "end": 1566933193, "action": "ACCEPT", "tcp_flags": 19, "log_status": "OK",
    }  # fmt: skip


def test_tcp_flag_sequence_is_three_connections_that_52_213_180_42_opened():
    df = read(FLAGS, fields=FLAGS_FORMAT)
    found = rows(df.flow.conversations())
    assert [row["initiator_port"] for row in found] == [43416, 43418, 43638]
    assert {row["initiator"] for row in found} == {"52.213.180.42"}
    assert {row["responder"] for row in found} == {"10.0.0.62"}
    assert {row["responder_port"] for row in found} == {5001}
    assert {row["initiator_by"] for row in found} == {"flags"}
    assert [row["records"] for row in found] == [2, 4, 2]
    assert [row["state"] for row in found] == ["established", "closed", "closed"]
    assert [row["bytes_out"] for row in found] == [568, 100701 + 23294588, 1260]
    assert [row["bytes_in"] for row in found] == [376, 632 + 63388, 967]
    assert [row["packets_out"] for row in found] == [8, 70 + 15774, 17]
    assert [row["packets_in"] for row in found] == [7, 12 + 1219, 14]
    assert [(row["first"], row["last"]) for row in found] == [
        (1566848875, 1566848933), (1566848875, 1566849113), (1566933133, 1566933193),
    ]  # fmt: skip


def test_nat_gateway_lines_without_version_and_with_trailing_comments():
    lines = (
        b"- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5\n"
        b"- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5\n"
        b"- eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220\n"
        b"- eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5\n"
        b"i-01234567890123456 eni-1111aaaa2222bbbb3 10.0.1.5 203.0.113.5 10.0.1.5 203.0.113.5 "
        b"#Traffic from the source instance to host on the internet\n"
        b"i-01234567890123456 eni-1111aaaa2222bbbb3 203.0.113.5 10.0.1.5 203.0.113.5 10.0.1.5 "
        b"#Response traffic from host on the internet to the source instance\n"
    )
    fields = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr"
    nat, instance = (None, "eni-1235b8ca123456789"), ("i-01234567890123456", "eni-1111aaaa2222bbbb3")
    assert [tuple(row.values()) for row in example(lines, fields)] == [
        (*nat, "10.0.1.5", "10.0.0.220", "10.0.1.5", "203.0.113.5"),
        (*nat, "10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5"),
        (*nat, "203.0.113.5", "10.0.0.220", "203.0.113.5", "10.0.0.220"),
        (*nat, "10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5"),
        (*instance, "10.0.1.5", "203.0.113.5", "10.0.1.5", "203.0.113.5"),
        (*instance, "203.0.113.5", "10.0.1.5", "203.0.113.5", "10.0.1.5"),
    ]


def test_transit_gateway_interfaces_in_a_format_without_times_and_counters():
    fields = (
        "version interface-id account-id vpc-id subnet-id instance-id srcaddr dstaddr srcport dstport protocol "
        "tcp-flags type pkt-srcaddr pkt-dstaddr action log-status"
    )
    lines = (
        b"3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb i-01234567890123456 "
        b"10.20.33.164 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK\n"
        b"3 eni-33333333333333333 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb i-01234567890123456 "
        b"10.40.2.236 10.20.33.164 80 39812 6 19 IPv4 10.40.2.236 10.20.33.164 ACCEPT OK\n"
        b"3 eni-11111111111111111 123456789010 vpc-abcdefab012345678 subnet-11111111aaaaaaaaa - "
        b"10.40.1.175 10.40.2.236 39812 80 6 3 IPv4 10.20.33.164 10.40.2.236 ACCEPT OK\n"
        b"3 eni-22222222222222222 123456789010 vpc-abcdefab012345678 subnet-22222222bbbbbbbbb - "
        b"10.40.2.236 10.40.2.31 80 39812 6 19 IPv4 10.40.2.236 10.20.33.164 ACCEPT OK\n"
    )
    found = example(lines, fields)
    assert list(found[0]) == columns(fields)
    assert [(row["srcaddr"], row["pkt_srcaddr"], row["pkt_dstaddr"]) for row in found] == [
        ("10.20.33.164", "10.20.33.164", "10.40.2.236"),
        ("10.40.2.236", "10.40.2.236", "10.20.33.164"),
        ("10.40.1.175", "10.20.33.164", "10.40.2.236"),
        ("10.40.2.236", "10.40.2.236", "10.20.33.164"),
    ]
    assert [row["instance_id"] for row in found] == ["i-01234567890123456"] * 2 + [None] * 2
    assert [row["tcp_flags"] for row in found] == [3, 19, 3, 19]
    df = read(lines, fields=fields)
    assert df.flow.can("conversations").missing == ("packets", "bytes", "start", "end")
    assert "${packets}" in repr(df.flow.can("conversations"))


def test_service_name_traffic_path_and_direction():
    fields = (
        "version srcaddr dstaddr srcport dstport protocol start end type packets bytes account-id vpc-id subnet-id "
        "instance-id interface-id region az-id sublocation-type sublocation-id action tcp-flags pkt-srcaddr "
        "pkt-dstaddr pkt-src-aws-service pkt-dst-aws-service traffic-path flow-direction log-status"
    )
    lines = (
        b"5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 123456789012 vpc-abcdefab012345678 "
        b"subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 19 "
        b"52.95.128.179 10.0.0.71 S3 - - ingress OK\n"
        b"5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 123456789012 vpc-abcdefab012345678 "
        b"subnet-aaaaaaaa012345678 i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - ACCEPT 3 "
        b"10.0.0.71 52.95.128.179 - S3 8 egress OK\n"
    )
    ingress, egress = example(lines, fields)
    assert ingress == {
        "version": 5, "srcaddr": "52.95.128.179", "dstaddr": "10.0.0.71", "srcport": 80, "dstport": 34210,
        "protocol": 6, "start": 1616729292, "end": 1616729349, "type": "IPv4", "packets": 14, "bytes": 15044,
        "account_id": "123456789012", "vpc_id": "vpc-abcdefab012345678", "subnet_id": "subnet-aaaaaaaa012345678",
        "instance_id": "i-0c50d5961bcb2d47b", "interface_id": "eni-1235b8ca123456789", "region": "ap-southeast-2",
        "az_id": "apse2-az3", "sublocation_type": None, "sublocation_id": None, "action": "ACCEPT", "tcp_flags": 19,
        "pkt_srcaddr": "52.95.128.179", "pkt_dstaddr": "10.0.0.71", "pkt_src_aws_service": "S3",
        "pkt_dst_aws_service": None, "traffic_path": None, "flow_direction": "ingress", "log_status": "OK",
    }  # fmt: skip
    assert (egress["traffic_path"], egress["flow_direction"]) == (8, "egress")
    assert (egress["pkt_src_aws_service"], egress["pkt_dst_aws_service"]) == (None, "S3")
    (connection,) = rows(read(lines, fields=fields).flow.conversations())
    assert (connection["initiator"], connection["responder_port"], connection["state"]) == ("10.0.0.71", 80, "closed")
