"""Input files as AWS delivers them, built without the help of flowlens, and frames taken apart again.

A *record* here is a dict of column name to plain Python value: text, whole number, Unix seconds, or None for ``-``.
The field tables are typed from the AWS pages, so they also judge `flowlens.schema`.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import flowlens as fl

#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, by the version that added the fields
VPC = {
    2: "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
    "log-status",
    3: "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr",
    4: "region az-id sublocation-type sublocation-id",
    5: "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path",
    7: "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
    "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id",
    8: "reject-reason",
    9: "resource-id",
    10: "encryption-status",
    11: "instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type "
    "next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type",
}

#: https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html, in default order
TGW = (
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id "
    "tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id "
    "tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status "
    "type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags "
    "region flow-direction pkt-src-aws-service pkt-dst-aws-service"
)


def columns(names: str | Iterable[str]) -> list[str]:
    """Return column names of AWS field names."""
    return [name.replace("-", "_") for name in (names.split() if isinstance(names, str) else names)]


def log_format(names: Iterable[str]) -> str:
    """Return the LogFormat string of columns or fields."""
    return " ".join(f"${{{name.replace('_', '-')}}}" for name in names)


ALL_VPC = columns(" ".join(VPC.values()))
ALL_TGW = columns(TGW)
DEFAULT = columns(VPC[2])

#: Columns that hold numbers, with the largest value each can have. All others hold text.
NUMBERS = {
    **dict.fromkeys(("version", "protocol", "tcp_flags", "traffic_path", "encryption_status"), 255),
    **dict.fromkeys(("srcport", "dstport"), 65535),
    **dict.fromkeys(("packets", "bytes"), 2**63 - 1),
    **dict.fromkeys((name for name in ALL_TGW if name.startswith("packets_lost")), 2**63 - 1),
}
TIMES = ("start", "end")
ADDRESSES = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
DTYPES = {255: "UInt8", 65535: "UInt16", 2**63 - 1: "Int64"}

#: 2026-03-10 14:00 UTC
START = 1_773_151_200

_ORDINARY = {
    "version": 2,
    "account_id": "123456789010",
    "interface_id": "eni-1235b8ca123456789",
    "srcaddr": "10.0.0.5",
    "dstaddr": "10.0.1.9",
    "srcport": 49152,
    "dstport": 443,
    "protocol": 6,
    "packets": 10,
    "bytes": 840,
    "start": START,
    "end": START + 59,
    "action": "ACCEPT",
    "log_status": "OK",
}


def record(**changes: str | int | None) -> dict[str, str | int | None]:
    """Return an ordinary record of the default format with some values changed or added."""
    return {**_ORDINARY, **changes}


def nodata(**changes: str | int | None) -> dict[str, str | int | None]:
    """Return a NODATA record: times and interface, no traffic."""
    empty = dict.fromkeys(("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action"))
    return record(**{**empty, "log_status": "NODATA", **changes})


def names_of(records: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the columns of records in the order in which they come up."""
    return list(dict.fromkeys(name for rec in records for name in rec))


def line(rec: Mapping[str, object], names: Sequence[str]) -> str:
    """Write one record as a line."""
    return " ".join("-" if rec.get(name) is None else str(rec[name]) for name in names)


def text(
    records: Sequence[Mapping[str, object]], names: Sequence[str] | None = None, *, header: bool = True, end: str = "\n"
) -> bytes:
    """Write records as the text of one file."""
    names = names_of(records) if names is None else names
    lines = [line(rec, names) for rec in records]
    if header:
        lines.insert(0, " ".join(name.replace("_", "-") for name in names))
    return "".join(f"{row}{end}" for row in lines).encode()


def gz(data: bytes) -> bytes:
    """Compress as one gzip member."""
    return gzip.compress(data, mtime=0)


def parquet(
    records: Sequence[Mapping[str, object]],
    names: Sequence[str] | None = None,
    *,
    protocol: pa.DataType | None = None,
) -> bytes:
    """Write records as AWS writes Parquet: ``-`` in strings, null in integers, INT32 but for counters and times."""
    names = names_of(records) if names is None else names
    arrays = {}
    for name in names:
        values = [rec.get(name) for rec in records]
        if name in NUMBERS or name in TIMES:
            wide = name in TIMES or NUMBERS[name] > 65535
            kind = pa.int64() if wide else pa.int32()
            arrays[name] = pa.array(values, protocol if protocol and name == "protocol" else kind)
        else:
            arrays[name] = pa.array(["-" if value is None else value for value in values], pa.string())
    return parquet_of(pa.table(arrays))


def parquet_of(table: pa.Table | pd.DataFrame) -> bytes:
    """Write any table as Parquet, compressed inside as AWS does."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table)
    file = io.BytesIO()
    pq.write_table(table, file, compression="gzip")
    return file.getvalue()


def read(data: bytes, **options: object) -> pd.DataFrame:
    """Read one file's bytes with `flowlens.read`."""
    return fl.read(io.BytesIO(data), **options)


def check(data: bytes, **options: object) -> pd.DataFrame:
    """List the bad lines of one file's bytes with `flowlens.check`."""
    return fl.check(io.BytesIO(data), **options)


def frame(*records: Mapping[str, object]) -> pd.DataFrame:
    """Return a typed frame of records."""
    return read(text(records))


def plain(value: object) -> object:
    """Return a value of a frame as plain Python: None where missing, Unix seconds for times."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, pd.Timestamp):
        return int(value.timestamp())
    if isinstance(value, pd.Timedelta):
        return int(value.total_seconds())
    return value.item() if hasattr(value, "item") else value


def rows(df: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows of a frame as records: the inverse of writing and reading them."""
    lists = {str(name): [plain(value) for value in df[name]] for name in df.columns}
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def as_read(rec: Mapping[str, object]) -> dict[str, object]:
    """Return a record with the values of its tags decoded, but for those that would look like a missing value."""
    decoded = {name: unquote(str(rec[name])) for name in rec if re.search("_tag(_2)?$", name) and rec[name] is not None}
    return {**rec, **{name: value for name, value in decoded.items() if value != "-"}}


def tuples(df: pd.DataFrame, *names: str) -> list[tuple[object, ...]]:
    """Return the rows of a frame as tuples of some columns, or of all."""
    return [tuple(row.values()) for row in rows(df[list(names)] if names else df)]
