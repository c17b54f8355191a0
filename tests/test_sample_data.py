"""The shipped sample: what it holds, that it can be made again, and that its files fit each other."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from flowlens.load import read
from flowlens.simulate import simulate
from flowlens.simulate.company import company

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "vpc"
LOGS = SAMPLE / "AWSLogs"
IDS = {i.name: i.id for i in company().interfaces}
SUBNETS = {s.name: s.id for s in company().subnets}


@pytest.fixture(scope="module")
def records():
    return read(LOGS)


@pytest.fixture(scope="module")
def truth():
    return pd.read_csv(SAMPLE / "truth.csv", parse_dates=["start"])


def files_below(folder):
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def test_sample_is_small_enough_to_ship():
    assert sum(p.stat().st_size for p in files_below(SAMPLE).values()) <= 4_000_000


def test_sample_is_made_again_as_it_is(tmp_path):
    subprocess.run([sys.executable, "-m", "flowlens.simulate", str(tmp_path)], check=True)
    shipped, made = files_below(SAMPLE), files_below(tmp_path)
    assert list(shipped) == list(made)
    for name, path in shipped.items():
        old, new = path.read_bytes(), made[name].read_bytes()
        if name.endswith(".gz"):
            # Another build of zlib may compress otherwise; what is inside may not differ.
            old, new = gzip.decompress(old), gzip.decompress(new)
        assert old == new, name


def test_files_are_where_and_what_aws_delivers():
    pattern = re.compile(
        r"123456789012/vpcflowlogs/eu-west-1/2026/03/1[01]/"
        r"123456789012_vpcflowlogs_eu-west-1_fl-[0-9a-f]{17}_(\d{8}T\d{4}Z)_[0-9a-f]{8}\.log\.gz"
    )
    for name, path in files_below(LOGS).items():
        slot = datetime.strptime(pattern.fullmatch(name)[1], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp()
        raw = path.read_bytes()
        assert raw[4:8] == bytes(4), "the gzip header holds a time"
        header, *lines = gzip.decompress(raw).decode().splitlines()
        end = header.split(" ").index("end")
        assert lines
        assert all(slot <= int(line.split(" ")[end]) < slot + 300 for line in lines), name


def test_the_day_has_everything_in_it(records, truth):
    assert 60_000 <= len(records) <= 100_000
    assert set(records.log_status) == {"OK", "NODATA", "SKIPDATA"}
    assert {1, 6, 17, 58} == set(records.protocol.dropna())
    assert set(records.type.dropna()) == {"IPv4", "IPv6"}
    assert set(records.tcp_flags.dropna()) >= {0, 1, 2, 3, 4, 18, 19}
    assert set(records.pkt_dst_aws_service.dropna()) == {"S3"}
    assert set(records.traffic_path.dropna()) == {1, 7, 8}
    assert set(truth.label.dropna()) == {
        "background_scan", "beacon", "brute_force", "exfiltration", "intrusion", "lateral_movement",
        "missing_egress_rule", "missing_sg_rule", "nacl_ephemeral", "port_scan",
    }  # fmt: skip


def test_every_address_is_reserved_for_documentation_or_private(records):
    addresses = pd.unique(pd.concat([records[c].astype(object) for c in ("pkt_srcaddr", "pkt_dstaddr")]).dropna())
    allowed = ("10.20.", "192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    assert all(address.startswith(allowed) for address in addresses)


def test_reports_is_refused_by_the_security_group_and_the_network_acl_can_be_ruled_out(records, truth):
    mistakes = truth[truth.label == "missing_sg_rule"]
    assert set(mistakes.blocked_by) == {"SG_IN"}
    assert set(mistakes.blocked_at) == {IDS["orders-db"]}
    arrived = records[
        (records.srcaddr == "10.20.11.30") & (records.dstport == 5_432) & (records.flow_direction == "ingress")
    ]
    verdicts = arrived.groupby("interface_id", observed=True).action.agg(lambda a: sorted(set(a)))
    # Same subnet, same remote, same port: accepted at the other database, so not the network ACL.
    assert verdicts.to_dict() == {IDS["orders-db"]: ["REJECT"], IDS["analytics-db"]: ["ACCEPT"]}


def test_partner_requests_are_accepted_and_answers_refused(records, truth):
    mistakes = truth[truth.label == "nacl_ephemeral"]
    assert set(mistakes.blocked_by) == {"NACL_OUT"}
    assert set(mistakes.blocked_at) == {SUBNETS["partner-a"]}
    own = records[(records.interface_id == IDS["partner-api"]) & ((records.srcport == 443) | (records.dstport == 443))]
    assert set(own[own.flow_direction == "ingress"].action) == {"ACCEPT"}
    assert set(own[own.flow_direction == "egress"].action) == {"REJECT"}
    assert set(own[own.flow_direction == "egress"].tcp_flags) == {18}


def test_break_in_can_be_followed(records, truth):
    first = truth.groupby("label").start.min()
    order = ["port_scan", "brute_force", "lateral_movement", "beacon", "intrusion", "exfiltration"]
    assert first[order].is_monotonic_increasing
    beacon = truth[truth.label == "beacon"].start
    assert beacon.diff().dropna().dt.total_seconds().between(279, 321).all()
    upload = records[(records.dstaddr == "198.51.100.23") & (records.interface_id == IDS["batch"])]
    assert upload["bytes"].sum() > 6_400_000_000
    guesses = records[(records.srcaddr == "192.0.2.66") & (records.tcp_flags == 3)]
    assert guesses.packets.between(11, 21).all()


def test_blocked_conversations_and_no_others_have_rejects(records, truth):
    refused = records[records.action == "REJECT"].astype({"srcaddr": object, "dstaddr": object, "interface_id": object})
    seen = set(
        zip(refused.interface_id, refused.srcaddr, refused.dstaddr, refused.srcport, refused.dstport, strict=True)
    )
    lost = records[(records.log_status == "SKIPDATA")]
    for row in truth.itertuples():
        up = (row.initiator, row.responder, row.initiator_port, row.responder_port)
        down = (row.responder, row.initiator, row.responder_port, row.initiator_port)
        if isinstance(row.blocked_by, str):
            own = lost[lost.interface_id == row.interface_id]
            # Retransmissions and late packets may fall into the lost window up to two minutes after the start.
            excused = any(s - pd.Timedelta("150s") <= row.start < e for s, e in zip(own.start, own.end, strict=True))
            late = row.start > pd.Timestamp("2026-03-10 23:57", tz="UTC")
            assert {(row.interface_id, *up), (row.interface_id, *down)} & seen or excused or late
        else:
            assert not {(i, *way) for i in IDS.values() for way in (up, down)} & seen


def test_describe_documents_match_the_records(records):
    documents = {
        p.stem.removeprefix("describe-"): json.loads(p.read_text("utf-8")) for p in SAMPLE.glob("describe/*.json")
    }
    assert set(documents) == {
        "flow-logs", "network-acls", "network-interfaces", "security-group-rules", "security-groups", "subnets", "vpcs",
    }  # fmt: skip
    interfaces = documents["network-interfaces"]["NetworkInterfaces"]
    assert {i["NetworkInterfaceId"] for i in interfaces} == set(records.interface_id)
    # On egress the source of a record is the interface's own address.
    leaving = records[records.flow_direction == "egress"]
    own = {
        (i["NetworkInterfaceId"], a)
        for i in interfaces
        for a in (i["PrivateIpAddress"], *(v["Ipv6Address"] for v in i["Ipv6Addresses"]))
    }
    assert set(zip(leaving.interface_id, leaving.srcaddr, strict=True)) <= own
    acls = documents["network-acls"]["NetworkAcls"]
    associated = [a["SubnetId"] for acl in acls for a in acl["Associations"]]
    assert sorted(associated) == sorted(s["SubnetId"] for s in documents["subnets"]["Subnets"])
    assert all({32_767, 32_768} <= {e["RuleNumber"] for e in acl["Entries"]} for acl in acls)
    groups = documents["security-groups"]["SecurityGroups"]
    count = sum(
        len(p["IpRanges"]) + len(p["Ipv6Ranges"]) + len(p["UserIdGroupPairs"])
        for g in groups
        for p in (*g["IpPermissions"], *g["IpPermissionsEgress"])
    )
    assert count == len(documents["security-group-rules"]["SecurityGroupRules"])
    identifiers = [r["SecurityGroupRuleId"] for r in documents["security-group-rules"]["SecurityGroupRules"]]
    assert len(set(identifiers)) == len(identifiers)


def test_600_second_windows_tell_the_same_day_in_fewer_records(records):
    coarse = simulate(seed=2026, hours=1.0, interval=600).records
    fine = simulate(seed=2026, hours=1.0).records
    assert len(coarse) < len(fine)
    assert coarse["bytes"].sum() == fine["bytes"].sum()
    assert len(fine) < len(records)
