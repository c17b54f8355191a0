"""Services, protocols, flags and paths in words."""

from __future__ import annotations

import contextlib
import io
import socket

import pandas as pd
import pytest
from formats import ALL_TGW, frame, nodata, read, record, text, tuples
from test_sql import run, table_of

import flowlens as fl
from flowlens.service import PROTOCOLS, service_names

ELSEWHERE = {
    "frame": lambda data: read(data).flow.add_services(),
    "scan": lambda data: fl.scan(io.BytesIO(data)).add_services().collect(),
}
everywhere = pytest.mark.parametrize("where", ELSEWHERE)


def services(where, *records, columns=("service",)):
    found = tuples(ELSEWHERE[where](text(records)), *columns)
    return [row[0] for row in found] if len(columns) == 1 else found


# --- The service ---

_TCP, _UDP = 6, 17
OFFERED = [
    # source port, destination port, protocol, flags, service
    (49152, 443, _TCP, None, "https"),
    (443, 49152, _TCP, None, "https"),
    (49152, 5432, _TCP, 2, "postgresql"),
    (5432, 49152, _TCP, 18, "postgresql"),
    (22, 8081, _TCP, 2, "8081/tcp"),
    (8081, 22, _TCP, 18, "8081/tcp"),
    (22, 8081, _TCP, 0, "ssh"),
    (22, 8081, _TCP, 1, "ssh"),
    (40000, 8081, _TCP, 3, "8081/tcp"),
    (8081, 40000, _TCP, 19, "8081/tcp"),
    (53000, 53, _UDP, 0, "dns"),
    (53, 53000, _UDP, None, "dns"),
    (123, 123, _UDP, 0, "ntp"),
    (50000, 60000, _UDP, None, "50000/udp"),
    (40000, 443, 33, None, "https"),
    (40000, 9999, 33, None, "9999/dccp"),
    (40000, 9999, 132, None, "9999/sctp"),
    (40000, 9999, 136, None, "9999/udplite"),
    (0, 0, _TCP, 2, "0/tcp"),
    (65535, 65535, _UDP, None, "65535/udp"),
    (None, 443, _TCP, None, "https"),
    (443, None, _TCP, None, "https"),
    (None, None, _TCP, None, None),
    (0, 0, 1, 0, None),
    (0, 0, 58, 0, None),
    (0, 0, 47, None, None),
    (443, 443, 50, None, None),
    (443, 443, None, None, None),
]


@everywhere
def test_the_service_is_that_of_the_side_that_offers_it(where):
    records = [
        record(srcport=src, dstport=dst, protocol=protocol, tcp_flags=flags) for src, dst, protocol, flags, _ in OFFERED
    ]
    assert services(where, *records) == [service for *_, service in OFFERED]


@everywhere
def test_without_flags_in_the_log_the_lower_port_offers_it(where):
    assert services(where, record(srcport=22, dstport=8081), record(srcport=8081, dstport=22), nodata()) == [
        "ssh", "ssh", None,
    ]  # fmt: skip


@everywhere
def test_of_every_protocol_only_those_with_ports_have_a_service(where):
    records = [record(protocol=number, srcport=40000, dstport=9999) for number in range(256)]
    found = services(where, *records)
    assert {number: service for number, service in enumerate(found) if service is not None} == {
        6: "9999/tcp", 17: "9999/udp", 33: "9999/dccp", 132: "9999/sctp", 136: "9999/udplite",
    }  # fmt: skip


@everywhere
def test_of_every_port_the_name_is_the_known_one_or_the_number(where):
    names = service_names()
    ports = range(65535) if where == "frame" else [*names, 8081, 0, 1, 65534]
    records = [record(srcport=65535, dstport=port) for port in ports]
    assert services(where, *records) == [names.get(rec["dstport"], f"{rec['dstport']}/tcp") for rec in records]


def test_every_name_is_accepted_back_by_a_selection():
    names = service_names()
    df = frame(*[record(srcport=65535, dstport=port) for port in names]).flow.add_services()
    for place, name in enumerate(df["service"]):
        assert df.flow.select(dst_port=name).index.tolist() == [place], name


def test_no_two_ports_have_the_same_name():
    names = list(service_names().values())
    assert len(set(names)) == len(names)
    assert all(0 < port < 65536 for port in service_names())


#: Names in daily use, for which IANA has others: domain, imap2, microsoft-ds, domain-s, ms-sql-s, ms-wbt-server; and
#: those of what everybody runs on ports that IANA gave to somebody else, as 9092 and 9200.
CALLED_OTHERWISE = {
    "dns", "imap", "smb", "dns-tls", "mssql", "rdp", "oracle", "kms", "zookeeper", "etcd", "etcd-peer", "vnc", "winrm",
    "winrm-https", "kubernetes", "https-alt", "consul", "prometheus", "kafka", "node-exporter", "elasticsearch",
    "elasticsearch-peer", "mqtt-tls", "memcached", "docker-tls",
}  # fmt: skip


def of_system(look, asked):
    """Return what the system's own data says for TCP and UDP."""
    found = set()
    for protocol in ("tcp", "udp"):
        with contextlib.suppress(OSError):
            found.add(look(asked, protocol))
    return found


def test_names_are_those_of_the_system_but_for_a_few():
    differing, compared = set(), 0
    for port, name in service_names().items():
        there = of_system(socket.getservbyport, port)
        compared += bool(there)
        if there and name not in there:
            differing.add(name)
    assert differing <= CALLED_OTHERWISE
    assert compared > 20


def test_no_name_means_another_port_to_the_system():
    of_old = {"dicom": 104}  # Debian has it as another name of acr-nema, too
    for port, name in service_names().items():
        assert of_system(socket.getservbyname, name) <= {port, of_old.get(name)}, name


# --- Protocol ---


@everywhere
def test_every_protocol_has_its_name_or_its_number(where):
    found = services(where, *[record(protocol=number) for number in range(256)], columns=("protocol_name",))
    names = {number: name for name, number in PROTOCOLS.items()}
    assert found == [names.get(number, str(number)) for number in range(256)]
    assert [found[number] for number in (1, 6, 17, 58, 47, 50)] == ["ICMP", "TCP", "UDP", "ICMPv6", "GRE", "ESP"]


def test_every_protocol_name_is_accepted_back_by_a_selection():
    df = frame(*[record(protocol=number) for number in range(256)]).flow.add_services()
    for number, name in enumerate(df["protocol_name"]):
        assert df.flow.select(protocol=name).index.tolist() == [number]


# --- Flags ---

FLAGS = {
    0: "none", 1: "FIN", 2: "SYN", 3: "SYN FIN", 4: "RST", 5: "FIN RST", 6: "SYN RST", 7: "SYN FIN RST",
    16: "ACK", 18: "SYN-ACK", 19: "SYN-ACK FIN", 22: "SYN-ACK RST", 23: "SYN-ACK FIN RST", 24: "ACK PSH",
    8: "PSH", 32: "URG", 63: "SYN-ACK FIN RST PSH URG", 64: "none", 255: "SYN-ACK FIN RST PSH URG", None: None,
}  # fmt: skip


@everywhere
def test_flags_are_written_out(where):
    found = services(where, *[record(tcp_flags=flags) for flags in FLAGS], columns=("flags",))
    assert found == list(FLAGS.values())


def test_all_flags_are_the_same_in_a_frame_and_a_scan():
    records = [record(tcp_flags=flags) for flags in range(256)]
    assert services("frame", *records, columns=("flags",)) == services("scan", *records, columns=("flags",))


@everywhere
def test_a_log_without_flags_has_a_column_without_any(where):
    found = ELSEWHERE[where](text([record(), nodata()]))
    assert found["flags"].isna().tolist() == [True, True]
    assert "path" not in found.columns
    assert "aws_service" not in found.columns


def gateway(**changes):
    """A record of a transit gateway, which has more flags than one of a VPC."""
    made = dict.fromkeys(ALL_TGW) | record(version=6, resource_type="TransitGateway", tgw_id="tgw-1", tcp_flags=0)
    return {name: (made | changes)[name] for name in ALL_TGW}


@everywhere
def test_at_a_transit_gateway_only_a_syn_without_ack_tells_who_offers(where):
    # Both sides of a short connection may read SYN and ACK there.
    found = services(
        where,
        gateway(srcport=40000, dstport=8081, tcp_flags=27),
        gateway(srcport=8081, dstport=40000, tcp_flags=27),
        gateway(srcport=22, dstport=8081, tcp_flags=2),
        gateway(srcport=22, dstport=8081, tcp_flags=18),
        columns=("service", "flags"),
    )
    assert found == [
        ("8081/tcp", "SYN-ACK FIN PSH"),
        ("8081/tcp", "SYN-ACK FIN PSH"),
        ("8081/tcp", "SYN"),
        ("ssh", "SYN-ACK"),
    ]


@everywhere
def test_in_a_mixed_log_the_flags_of_each_record_mean_what_they_mean_there(where):
    of_gateway = gateway(srcport=22, dstport=8081, tcp_flags=18)
    of_vpc = record(srcport=22, dstport=8081, tcp_flags=18)
    turned = record(srcport=8081, dstport=22, tcp_flags=18)
    assert services(where, of_gateway, of_vpc, turned) == ["ssh", "ssh", "8081/tcp"]


# --- Path and AWS's services ---


@everywhere
def test_every_path_has_words(where):
    found = services(where, *[record(traffic_path=path) for path in [None, *range(10)]], columns=("path",))
    assert found == [
        None, None, "same VPC", "internet gateway or gateway endpoint", "virtual private gateway", "VPC peering",
        "inter-region VPC peering", "local gateway or zone", "gateway endpoint", "internet gateway", None,
    ]  # fmt: skip


@everywhere
def test_the_service_of_aws_is_that_of_either_end_and_first_of_the_destination(where):
    ends = [("S3", None), (None, "DYNAMODB"), ("EC2", "S3"), (None, None), ("A_NEW_ONE", None)]
    records = [record(pkt_src_aws_service=src, pkt_dst_aws_service=dst) for src, dst in ends] + [nodata()]
    assert services(where, *records, columns=("aws_service",)) == ["S3", "DYNAMODB", "S3", None, "A_NEW_ONE", None]


@everywhere
def test_the_example_of_aws_is_about_http_at_s3_by_the_internet_gateway(where):
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html#flow-log-example-traffic-path
    s3, host = {"srcaddr": "52.95.128.179", "srcport": 80}, {"dstaddr": "10.0.0.71", "dstport": 34210}
    answer = record(**s3, **host, tcp_flags=19, pkt_src_aws_service="S3", pkt_dst_aws_service=None, traffic_path=None)
    asked = record(
        srcaddr="10.0.0.71", srcport=34210, dstaddr="52.95.128.179", dstport=80, tcp_flags=3, pkt_src_aws_service=None,
        pkt_dst_aws_service="S3", traffic_path=8,
    )  # fmt: skip
    columns = ("service", "protocol_name", "flags", "path", "aws_service")
    assert services(where, answer, asked, columns=columns) == [
        ("http", "TCP", "SYN-ACK FIN", None, "S3"),
        ("http", "TCP", "SYN FIN", "internet gateway", "S3"),
    ]


# --- Frames, scans and text ---


def test_records_without_traffic_have_no_words():
    df = frame(record(tcp_flags=2, traffic_path=1), nodata(tcp_flags=None, traffic_path=None))
    found = df.flow.add_services()
    assert found[["service", "protocol_name", "flags", "path"]].iloc[1].isna().all()
    assert found.columns.tolist() == [*df.columns, "service", "protocol_name", "flags", "path"]
    assert df.iloc[:0].flow.add_services().columns.tolist() == found.columns.tolist()
    assert (df.iloc[1:].flow.add_services()["service"].isna()).all()


def test_words_are_categories_of_what_occurs():
    found = frame(record(tcp_flags=2), record(tcp_flags=18, srcport=443, dstport=50000)).flow.add_services()
    assert found["service"].cat.categories.tolist() == ["https"]
    assert found["flags"].cat.categories.tolist() == ["SYN", "SYN-ACK"]
    assert found["protocol_name"].cat.categories.tolist() == ["TCP"]


def test_a_frame_may_be_made_by_hand():
    made = pd.DataFrame({
        "srcaddr": ["10.0.0.5", "-", None], "dstaddr": ["10.0.1.9", "-", None], "srcport": [40000.0, None, None],
        "dstport": ["443", "-", None], "protocol": ["6", None, "-"],
    }, index=[1, 1, 1])  # fmt: skip
    for df in (made, made.astype(object), made.astype("str"), made.astype("string")):
        found = tuples(df.flow.add_services(), "service", "protocol_name")
        assert found == [("https", "TCP"), (None, None), (None, None)]
    with pytest.raises(fl.ParseError, match="srcport"):
        made.assign(srcport=["x", None, None]).flow.add_services()


@pytest.mark.parametrize("field", ["srcport", "dstport", "protocol"])
def test_a_missing_field_is_named(field):
    df = frame(record()).drop(columns=field)
    assert not df.flow.can("add_services")
    for log in (df.flow, df.flow.sql()):
        with pytest.raises(fl.MissingFieldError, match=field):
            log.add_services()


def test_pairs_of_services_are_the_same_in_a_frame_a_scan_and_by_the_printed_text(tmp_path):
    records = [
        record(srcport=src, dstport=dst, protocol=protocol, tcp_flags=flags, bytes=100 + place)
        for place, (src, dst, protocol, flags, _) in enumerate(OFFERED)
    ] + [nodata(tcp_flags=None)]
    df = frame(*records)
    df.flow.to_parquet(tmp_path)
    keys = ("service", "protocol_name", "flags")
    expected = df.flow.add_services().flow.pairs(keys=keys)
    assert expected["flows"].sum() == len(OFFERED)
    pd.testing.assert_frame_equal(fl.scan(tmp_path).add_services().pairs(keys=keys), expected)
    query = df.flow.sql("duckdb").add_services().pairs(keys=keys)
    for missing in ("-", None):
        assert run(query, table_of(records, missing)) == tuples(expected)


def test_only_what_is_asked_for_is_worked_out():
    bad = b"2 123456789010 eni-1 10.0.0.5 10.0.1.9 not-a-port 443 6 10 840 1773151200 1773151259 ACCEPT OK\n"
    scanned = fl.scan(io.BytesIO(text([record()]) + bad)).add_services()
    assert scanned.pairs(keys=("protocol_name",))["flows"].tolist() == [2]
    with pytest.raises(fl.ParseError, match="not-a-port"):
        scanned.pairs(keys=("service",))
