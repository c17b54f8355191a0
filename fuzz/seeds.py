"""What fuzzing begins with: small inputs of every form, and the words that forms are made of, all made here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import envelopes as made_by
import ocsf
import pandas as pd
from formats import DEFAULT, TGW, columns, gz, nodata, parquet, record, text
from laws import ENVELOPES, LAWS, made

from flowlens.schema import ALIASES, BY_NAME, TAG_COLUMNS

_RECORDS = [
    record(),
    nodata(),
    record(srcaddr="2001:db8::5", dstaddr="::ffff:10.0.0.9", srcport=443, action="REJECT", bytes=None),
]
_SHORT = ["srcaddr", "dstaddr", "srcport", "start", "action", "instance_tag", "hop_count"]
_TAGGED = [record(instance_tag=tag, hop_count="3") for tag in ("web%20%C3%A9", "%2D", None)]
_TGW = dict.fromkeys(columns(TGW)) | {
    **record(version=6, resource_type="TransitGateway", tgw_id="tgw-1"),
    "packets_lost_mtu_exceeded": 3,
}
_FLOW = record(flow_direction="ingress", vpc_id="vpc-1", pkt_srcaddr="10.0.0.5", tcp_flags=18, traffic_path=8)
_OTHERS = [
    b"",
    b"\n",
    b"# nothing\n",
    b"https 2026-03-10T14:00:00 app/lb 10.0.0.1:80 - 0.1\n",
    b'{"a": 1}\n{"a": 2}',
    b'{"Records": [{"eventSource": "s3", "userIdentity": {"type": "x"}}]}',
    b"<!DOCTYPE html><p>403",
    b"a,b\n1,2\n",
    b"PK\x03\x04",
    b"PAR1",
    b"H4sIAAAA",
    b"\x1f\x8b\x08\x00",
    b'{"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": 1.5, "srcport": "0x50", "x": [1, {"y": null}]}',
    b'["2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 3 4 1418530010 1418530070 ACCEPT OK", 3, null, "\\ud800"]',
    b'[{"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": "2026-03-10T14:00:00Z"}, {"srcaddr": 5}]',
]


def _contents() -> Iterator[bytes]:
    """Yield files that need no envelope."""
    lines, mixed = text(_RECORDS, DEFAULT, header=False), text(_RECORDS, DEFAULT)
    yield from (lines, mixed, mixed.replace(b"\n", b"\r\n"), mixed.replace(b" ", b"  "), b"\xef\xbb\xbf" + mixed)
    yield mixed + b"# a comment\n2 3 bad line\n" + text(_TAGGED, _SHORT)
    yield mixed.replace(b"443", b"0x1bb")
    yield text(_TAGGED, _SHORT)
    yield text([_TGW], columns(TGW), header=False)
    yield text([record(start="2026-03-10T14:00:00Z", end="2026-03-10T14:00:59.5+02:00")])
    yield made_by.export_to_s3(_RECORDS)
    for form in ("detailed", "short", "json"):
        yield made_by.tail(_RECORDS[:1], form=form)
    yield made_by.filter_log_events(_RECORDS, pages=2)
    yield made_by.get_log_events(_RECORDS, indent=None)
    yield made_by.line_array(_RECORDS)
    yield made_by.console_csv(_RECORDS)
    yield made_by.console_csv(_RECORDS, newline="\n")
    yield made_by.subscription(_RECORDS[:1], extracted=True)
    yield made_by.subscription(_RECORDS, indent=2) + made_by.control_message()
    yield made_by.firehose_lines(_RECORDS)
    yield made_by.firehose_lines(_RECORDS, end="")
    yield json.dumps([{"message": message} for message in made_by.parse_vpc(_RECORDS)]).encode()
    yield made_by.insights_results(_RECORDS[:2])
    yield made_by.insights_messages(_RECORDS[:2])
    yield made_by.insights_csv(_RECORDS)
    yield made_by.insights_json(_RECORDS[:2])
    yield made_by.athena_csv(_RECORDS)
    yield made_by.bootstrap_csv(_RECORDS)
    yield made_by.json_lines(_RECORDS)
    yield made_by.json_lines(_RECORDS, spelling=made_by.camel, drop=True, end="")
    yield made_by.json_lines(_RECORDS, spelling=made_by.BOOTSTRAP, as_text=True, end=",")
    yield made_by.json_array(_RECORDS, _SHORT)
    yield made_by.elastic(_RECORDS[:2])
    yield made_by.pandas_csv(pd.DataFrame(_RECORDS))
    yield made_by.pandas_csv(pd.DataFrame(_RECORDS), index=False, sep=";")
    yield ocsf.json_lines([_FLOW], 1)
    yield json.dumps([ocsf.as_json(ocsf.row(_FLOW, 2)), ocsf.as_json(ocsf.dns_row(2))]).encode()
    yield parquet(_RECORDS, _SHORT[:5])
    yield from _OTHERS


def seeds() -> list[bytes]:
    """Return inputs for all envelopes and laws."""
    plain = list(_contents())
    found = [made(content, law=list(LAWS)[place % len(LAWS)], number=85) for place, content in enumerate(plain)]
    typed = json.dumps([dict(_RECORDS[0], start=1.5, srcport="80"), _RECORDS[1]]).encode()
    for place, envelope in enumerate(ENVELOPES):
        law = list(LAWS)[place % len(LAWS)]
        found.append(made(text(_RECORDS, DEFAULT, header=False), envelope, law=law, number=200))
        found.append(made(text(_TAGGED, _SHORT, header=False), envelope, fields=3, law=law, number=101))
        found.append(made(text(_RECORDS, _SHORT[:5]), envelope, law="fast and careful agree", number=3))
        found.append(made(typed, envelope, law=law, number=7))
    flow = ocsf.as_json(ocsf.row(dict(_FLOW, resource_id="r", srcaddr="10.0.0.77"), 1))
    pair = [flow, ocsf.as_json(ocsf.row(dict(_FLOW, flow_direction="egress", instance_tag="a"), 1))]
    found += [made(json.dumps([flow]).encode(), "Parquet"), made(ocsf.json_lines([_FLOW], 2).strip(), "Parquet")]
    found += [made(json.dumps(pair).encode(), "typed Parquet", number=number) for number in (0, 85)]
    listed = dict(flow, unmapped=[{"key": "resource_id", "value": "r"}])
    found += [made(json.dumps([dict(listed)]).encode(), "Parquet")]
    for number in range(0, 256, 51):
        found.append(made(typed, "typed Parquet", law=list(LAWS)[number % len(LAWS)], number=number))
    for content in plain[:12]:
        found.append(made(content * 4, law="pieces agree"))
    found.append(made(gz(text(_RECORDS)), "payload"))
    return found


def tokens() -> list[bytes]:
    """Return words that forms are recognised by and records are made of."""
    names = [*BY_NAME, *TAG_COLUMNS, *(word for words in ALIASES.values() for word in words)]
    keys = (
        "message @message @timestamp events logEvents messageType CONTROL_MESSAGE DATA_MESSAGE results field value "
        "Records records awslogs kinesis data Data timestamp class_uid 4001 src_endpoint dst_endpoint ip port "
        "intermediate_ips metadata product version feature name Flowlogs cloud account uid connection_info "
        "protocol_num traffic packets unmapped start_time start_time_dt userIdentity eventSource sum(bytes) _col1"
    ).split()
    values = (
        "- -- 0 00 0x1f 65535 65536 256 9223372036854775807 9223372036854775808 1773151200 1773151200000 99999999999 "
        "100000000000 1e3 1.0 1.5 nan NaN NaT None null true false 10.0.0.1 ::1 fe80::1%eth0 ::ffff:1.2.3.4 ACCEPT "
        "REJECT OK NODATA SKIPDATA ingress egress tcp TCP unknown 2026-03-10T14:00:00Z 2026-03-10T14:00:00.000+00:00 "
        "2026-03-10 0001-01-01T00:00:00Z %20 %2D %FF H4sI # eni-1 vpc-1 tgw-1 TransitGateway"
    ).split()
    signs = [
        b"\n", b"\r", b"\r\n", b" ", b"\t", b"\x0b", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff",
        b"\xc3\xa9", b"\xe3\x80\x80", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\\n",
        b'\\"', b'"',
        b'""', b",", b";", b":", b"{", b"}", b"[", b"]", b"{}", b"[]", b"},{", b'":"', b'","', b'": ', b"PAR1",
        b"\x1f\x8b\x08",
        b"BZh9", b"\x28\xb5\x2f\xfd",
    ]  # fmt: skip
    return [word.encode() for word in (*names, *(f'"{key}":' for key in keys), *keys, *values)] + signs


def write(folder: Path) -> None:
    """Write a folder of seeds and a dictionary, as libFuzzer wants them."""
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / "seeds" / f"{number:03d}").write_bytes(seed)
    quoted = ("".join(f"\\x{byte:02x}" for byte in token) for token in dict.fromkeys(tokens()))
    (folder / "tokens.dict").write_text("".join(f'"{token}"\n' for token in quoted), encoding="ascii")
