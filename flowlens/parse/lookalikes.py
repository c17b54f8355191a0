"""Logs that are met beside VPC flow logs and must not be read as such: refused by name.

Each kind is known by something that no flow log has: a name among its columns or JSON keys, or how a line looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from flowlens.parse.naming import names_interface
from flowlens.parse.reading import RefusedError

__all__ = ["foreign_kind", "refuse_foreign_bytes", "refuse_foreign_names", "refuse_foreign_text"]

# Nested JSON keys are joined by dots; the elements of a list count as its own.
_BY_NAME = {
    "Google Cloud VPC flow logs": r"connection\.(src|dest)_ip|jsonPayload\..*|bytes_sent|rtt_msec|gcp\..*",
    "Azure flow logs": r"(records\.)?(properties\.flows|flowRecords|flowLogGUID|macAddress)(\..*)?|NSGRule_s",
    "flow logs of Alibaba Cloud or Tencent Cloud": r"(eni|vswitch)[-_]?id",
    "IBM Cloud flow logs": r"(.*\.)?(collector_crn|initiator_ip|.*bytes_from_initiator)|ABBytes",
    "an S3 event notification: read the files it names": r"(Records\.)?s3\.bucket(\..*)?|detail\.bucket\.name",
    "CloudTrail events": r"(Records\.)?userIdentity(\..*)?|(Records\.)?eventSource|CloudTrailEvent",
    "GuardDuty findings": r"(detail\.)?(Findings\.)?service\.(action|detectorId)(\..*)?",
    "AWS WAF logs": r"webaclId|httpRequest(\..*)?",
    "Route 53 Resolver query logs": r"query_name|query_timestamp",
    "AWS Network Firewall logs": r"firewall_name|event\.netflow(\..*)?",
    "events of EventBridge": r"detail-type",
    "nfdump output": r"sa|da|bpp",
    "Suricata events": r"in_iface|app_proto|alert\.signature(_id)?|flow\.pkts_to(server|client)",
    "an answer of Athena's get-query-results: read the CSV file that the query left in S3": r"ResultSet\..*",
}  # fmt: skip

_BY_LINE = {
    "text output of the AWS CLI: save it with --output json": r"(EVENTS|RESULTS|SEARCHEDLOGSTREAMS|QUERYRESULTS)\t",
    "YAML output of the AWS CLI: save it with --output json": r"(events|results|searchedLogStreams):\s*$",
    "a pointer of Git LFS: fetch the file with 'git lfs pull'": r"version https://git-lfs",
    "Application Load Balancer access logs": r"(https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT",
    "Network Load Balancer access logs": r"tls 2\.0 \d{4}-",
    "Classic Load Balancer access logs": r"\d{4}-\d\d-\d\dT\S+ \S+ [0-9.]+:\d+ ",
    "access logs in the W3C format, as CloudFront writes them": r"#Version: \d",
    "Zeek logs": r"#separator ",
    "nfdump output": r"Date first seen ",
    "S3 access logs": r"[0-9a-f]{64} \S+ \[",
    "access logs of a web server": r"\S+ \S+ \S+ \[\d\d/\w{3}/\d{4}:",
    "Route 53 query logs": r"1\.0 \d{4}-\d\d-\d\dT\S+ Z",
    "flow logs of Alibaba Cloud": r"\d+ vsw-\S+ ",
    "XML or HTML, perhaps the page of an error": r"<[?!a-zA-Z]",
}

_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_BY_BYTES = {
    b"\x1f\x8b": "compressed more than twice: unpack it first",
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it first",
    b"7z\xbc\xaf": "a 7-Zip archive: unpack it first",
    b"\xff\x06\x00\x00sNaPpY": "compressed with Snappy: let Firehose deliver gzip, or unpack it first",
    b"\x04\x22\x4d\x18": "compressed with LZ4: unpack it first",
    b"ORC": "an ORC file: write Parquet instead",
    b"Obj\x01": "an Avro file: write Parquet instead",
    b"ARROW1": "an Arrow or Feather file: write Parquet instead",
    b"FEA1": "a Feather file: write Parquet instead",
    b"\xd4\xc3\xb2\xa1": "a packet capture, not a flow log",
    b"\x0a\x0d\x0d\x0a": "a packet capture, not a flow log",
    b"%PDF": "a PDF file",
    b"SQLite format 3": "a SQLite database",
    **dict.fromkeys(_PICKLES, "a Python pickle, which can run code when it is opened: flowlens never opens one"),
}
_TAR_MARK, _TAR_PLACE = b"ustar", 257


def foreign_kind(names: Iterable[str]) -> str | None:
    """Return the kind of log that one of the names gives away, if any does.

    None of those has AWS's interface-id. Where that is, a telling name is a column that somebody added.
    """
    names = list(names)
    if names_interface(names):
        return None
    return next((kind for kind, name in _BY_NAME.items() if any(re.fullmatch(name, one) for one in names)), None)


def refuse_foreign_names(names: Iterable[str], line: int) -> None:
    """Raise if one of the names tells that this is another kind of log."""
    names = list(names)
    kind = foreign_kind(names)
    if kind is not None:
        raise _refused(", ".join(names), kind, line)


def refuse_foreign_text(line: bytes, number: int) -> None:
    """Raise if a line tells that this is another kind of log."""
    text = line[:1000].decode("utf-8", "replace")
    for kind, pattern in _BY_LINE.items():
        if re.match(pattern, text):
            raise _refused(text, kind, number)


def refuse_foreign_bytes(beginning: bytes) -> None:
    """Raise if a file is no text at all."""
    text = beginning[:80].decode("utf-8", "replace")
    for magic, what in _BY_BYTES.items():
        if beginning.startswith(magic):
            raise RefusedError(1, text, f"this is no flow log: the file is {what}")
    if beginning.startswith(_TAR_MARK, _TAR_PLACE):
        raise RefusedError(1, text, "this is no flow log: the file is a tar archive: unpack it first")
    # Further on it is damage, which costs the line that it is in.
    if b"\0" in beginning.partition(b"\n")[0]:
        raise RefusedError(1, text, "this is no flow log: the file is neither text, compressed text, nor Parquet")


def _refused(text: str, kind: str, line: int) -> RefusedError:
    return RefusedError(line, text, f"this is no VPC flow log: it looks like {kind}")
