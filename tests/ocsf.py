"""Flow log records as Amazon Security Lake stores them, built without the help of flowlens.

Names, nesting and words are typed from the samples of https://github.com/ocsf/examples (`mappings/markdown/AWS`, "VPC
Flowlogs", and `encodings/ilf/example_logs`), the Parquet types from the table definitions that AWS samples publish:
https://github.com/aws-samples/sample-generative-ai-chatbot-for-amazon-security-lake (vpc_flow_2_0). What those do not
show is marked as a guess. A *record* is that of `formats`: column name to text, whole number, Unix seconds, or None.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

_TEXT = pa.string()

_METADATA = pa.struct(
    [
        (
            "product",
            pa.struct(
                [
                    ("version", _TEXT),
                    ("name", _TEXT),
                    ("feature", pa.struct([("name", _TEXT)])),
                    ("vendor_name", _TEXT),
                ]
            ),
        ),
        ("profiles", pa.list_(_TEXT)),
        ("version", _TEXT),
    ]
)
_PLACE = [("region", _TEXT), ("zone", _TEXT), ("provider", _TEXT)]
_ENDPOINT = pa.struct(
    [
        ("port", pa.int32()),
        ("svc_name", _TEXT),
        ("ip", _TEXT),
        ("intermediate_ips", pa.list_(_TEXT)),
        ("interface_uid", _TEXT),
        ("vpc_uid", _TEXT),
        ("instance_uid", _TEXT),
        ("subnet_uid", _TEXT),
    ]
)
_CONNECTION = pa.struct(
    [
        ("protocol_num", pa.int32()),
        ("tcp_flags", pa.int32()),
        ("protocol_ver", _TEXT),
        ("boundary_id", pa.int32()),
        ("boundary", _TEXT),
        ("direction_id", pa.int32()),
        ("direction", _TEXT),
    ]
)
_TRAFFIC = pa.struct([("packets", pa.int64()), ("bytes", pa.int64())])
_EVENT = [
    ("status_code", _TEXT),
    ("severity_id", pa.int32()),
    ("severity", _TEXT),
    ("class_name", _TEXT),
    ("class_uid", pa.int32()),
    ("category_name", _TEXT),
    ("category_uid", pa.int32()),
    ("activity_name", _TEXT),
    ("activity_id", pa.int32()),
]
_UNMAPPED = ("unmapped", pa.map_(_TEXT, _TEXT))
_MOMENT = pa.timestamp("us")

#: Parquet columns by source version: 1 is OCSF 1.0.0-rc.2, 2 is OCSF 1.1.0.
SCHEMAS = {
    1: pa.schema(
        [
            ("metadata", _METADATA),
            ("cloud", pa.struct([("account_uid", _TEXT), *_PLACE])),
            ("src_endpoint", _ENDPOINT),
            ("dst_endpoint", _ENDPOINT),
            ("connection_info", _CONNECTION),
            ("traffic", _TRAFFIC),
            ("time", pa.int64()),
            ("start_time", pa.int64()),
            ("end_time", pa.int64()),
            *_EVENT,
            ("disposition", _TEXT),
            ("disposition_id", pa.int32()),
            ("type_uid", pa.int32()),
            ("type_name", _TEXT),
            _UNMAPPED,
        ]
    ),
    2: pa.schema(
        [
            ("metadata", _METADATA),
            ("cloud", pa.struct([("account", pa.struct([("uid", _TEXT)])), *_PLACE])),
            ("src_endpoint", _ENDPOINT),
            ("dst_endpoint", _ENDPOINT),
            ("connection_info", _CONNECTION),
            ("traffic", _TRAFFIC),
            ("time", pa.int64()),
            ("time_dt", _MOMENT),
            ("start_time_dt", _MOMENT),
            ("end_time_dt", _MOMENT),
            *_EVENT,
            ("action", _TEXT),
            ("action_id", pa.int32()),
            ("disposition", _TEXT),
            ("type_uid", pa.int64()),
            ("type_name", _TEXT),
            ("accountid", _TEXT),
            ("region", _TEXT),
            ("asl_version", _TEXT),
            _UNMAPPED,
            ("observables", pa.list_(pa.struct([("name", _TEXT), ("value", _TEXT), ("type", _TEXT)]))),
        ]
    ),
}

#: https://schema.ocsf.io/1.1.0/objects/network_connection_info: boundary_id and boundary of each traffic path
BOUNDARIES = {
    1: (4, "Same VPC"),
    2: (5, "Internet/VPC Gateway"),
    3: (6, "Virtual Private Gateway"),
    4: (7, "Intra-region VPC"),
    5: (8, "Inter-region VPC"),
    6: (9, "Local Gateway"),
    7: (10, "Gateway VPC"),
    8: (11, "Internet Gateway"),
    None: (99, "-"),
}
# The last one is a guess by what stands for a boundary that is not known.
_DIRECTIONS = {"ingress": (1, "Inbound"), "egress": (2, "Outbound"), None: (99, "-")}
# Activity, action and disposition. The last one is a guess by the defaults of OCSF.
_VERDICTS = {
    "ACCEPT": ((6, "Traffic"), (1, "Allowed"), (1, "Allowed")),
    "REJECT": ((5, "Refuse"), (2, "Denied"), (2, "Blocked")),
    None: ((0, "Unknown"), (0, "Unknown"), (0, "Unknown")),
}

_OF_INTERFACE = {
    "interface_id": "interface_uid",
    "vpc_id": "vpc_uid",
    "instance_id": "instance_uid",
    "subnet_id": "subnet_uid",
}
#: Fields that OCSF has no place for.
UNMAPPED_FIELDS = (
    "sublocation_type", "sublocation_id", "ecs_cluster_arn", "ecs_cluster_name", "ecs_container_instance_arn",
    "ecs_container_instance_id", "ecs_container_id", "ecs_second_container_id", "ecs_service_name",
    "ecs_task_definition_arn", "ecs_task_arn", "ecs_task_id", "reject_reason", "resource_id", "encryption_status",
    "instance_tag", "instance_tag_2", "interface_tag", "interface_tag_2", "asg_tag", "asg_tag_2", "interface_type",
    "next_hop_interface_id", "next_hop_subnet_id", "next_hop_az_id", "next_hop_vpc_id", "next_hop_interface_type",
)  # fmt: skip


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _endpoint(rec: Mapping[str, object], side: str, has_interface: bool) -> dict[str, object]:
    address = rec.get(f"{side}addr")
    in_packet = rec.get(f"pkt_{side}addr", address)
    return {
        "port": rec.get(f"{side}port"),
        "svc_name": _text(rec.get(f"pkt_{side}_aws_service")),
        "ip": _text(in_packet),
        "intermediate_ips": None if in_packet == address else [_text(address)],
        **{uid: _text(rec.get(name)) if has_interface else None for name, uid in _OF_INTERFACE.items()},
    }


def _times(rec: Mapping[str, object], version: int) -> dict[str, object]:
    start, end = rec.get("start"), rec.get("end")
    number = None if start is None else 1000 * start
    if version == 1:
        return {"time": number, "start_time": number, "end_time": None if end is None else 1000 * end}
    start, end = (
        None if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC).replace(tzinfo=None)
        for moment in (start, end)
    )
    return {"time": number, "time_dt": start, "start_time_dt": start, "end_time_dt": end}


def row(rec: Mapping[str, object], version: int, **changes: object) -> dict[str, object]:
    """Return a record as a row of a source version, with some top-level columns changed."""
    direction, account = rec.get("flow_direction"), _text(rec.get("account_id"))
    boundary_id, boundary = BOUNDARIES[rec.get("traffic_path")]
    direction_id, direction_name = _DIRECTIONS[direction]
    (activity_id, activity), (action_id, action), (disposition_id, disposition) = _VERDICTS[rec.get("action")]
    unmapped = {name: _text(rec[name]) for name in UNMAPPED_FIELDS if name in rec}
    if direction is None:
        # A guess by the README of ocsf/examples: what no rule maps is put into `unmapped`.
        unmapped |= {name: _text(rec[name]) for name in _OF_INTERFACE if name in rec}
    made = {
        "metadata": {
            "product": {
                "version": _text(rec.get("version")),
                "name": "Amazon VPC",
                "feature": {"name": "Flowlogs"},
                "vendor_name": "AWS",
            },
            "profiles": ["cloud", "security_control"] + ["datetime"] * (version > 1),
            "version": {1: "1.0.0-rc.2", 2: "1.1.0"}[version],
        },
        "cloud": {
            **({"account_uid": account} if version == 1 else {"account": {"uid": account}}),
            "region": _text(rec.get("region")),
            "zone": _text(rec.get("az_id")),
            "provider": "AWS",
        },
        "src_endpoint": _endpoint(rec, "src", direction == "egress"),
        "dst_endpoint": _endpoint(rec, "dst", direction == "ingress"),
        "connection_info": {
            "protocol_num": rec.get("protocol"),
            "tcp_flags": rec.get("tcp_flags"),
            "protocol_ver": _text(rec.get("type")),
            "boundary_id": boundary_id,
            "boundary": boundary,
            "direction_id": direction_id,
            "direction": direction_name,
        },
        "traffic": {"packets": rec.get("packets"), "bytes": rec.get("bytes")},
        **_times(rec, version),
        "status_code": _text(rec.get("log_status")),
        "severity_id": 1,
        "severity": "Informational",
        "class_name": "Network Activity",
        "class_uid": 4001,
        "category_name": "Network Activity",
        "category_uid": 4,
        "activity_name": activity,
        "activity_id": activity_id,
        **({} if version == 1 else {"action": action, "action_id": action_id}),
        "disposition": disposition,
        **({"disposition_id": disposition_id} if version == 1 else {"asl_version": "2.0"}),
        "type_uid": 400100 + activity_id,
        "type_name": f"Network Activity: {activity}",
        "unmapped": unmapped,
    }
    return {**made, **changes}


def dns_row(version: int) -> dict[str, object]:
    """Return a row of the Route 53 resolver query logs that Security Lake keeps as well."""
    query = {"version": 5, "srcaddr": "10.0.0.5", "srcport": 15083, "protocol": 17, "start": 1_773_151_200}
    made = row(query, version, class_uid=4003, class_name="DNS Activity", type_uid=400302)
    made["metadata"]["product"] |= {"name": "Route 53", "version": "1.100000"}
    made["metadata"]["product"]["feature"] = {"name": "Resolver Query Logs"}
    return made


def table_of(rows: Sequence[Mapping[str, object]], version: int) -> pa.Table:
    """Return rows in the columns and types of a source version."""
    pairs = [{**made, "unmapped": made["unmapped"] and list(made["unmapped"].items())} for made in rows]
    return pa.Table.from_pylist(pairs, SCHEMAS[version])


def table(records: Sequence[Mapping[str, object]], version: int) -> pa.Table:
    """Return records in the columns and types of a source version."""
    return table_of([row(rec, version) for rec in records], version)


def parquet_of(rows: Sequence[Mapping[str, object]], version: int) -> bytes:
    """Write rows as Parquet, compressed inside."""
    file = io.BytesIO()
    pq.write_table(table_of(rows, version), file, compression={1: "gzip", 2: "zstd"}[version])
    return file.getvalue()


def parquet(records: Sequence[Mapping[str, object]], version: int) -> bytes:
    """Write records as one Parquet file of Security Lake."""
    return parquet_of([row(rec, version) for rec in records], version)


def as_json(made: object) -> object:
    """Return a row as it is in JSON: without what is null, times in ISO 8601."""
    if isinstance(made, Mapping):
        return {name: as_json(value) for name, value in made.items() if value is not None}
    if isinstance(made, dt.datetime):
        return made.replace(tzinfo=dt.UTC).isoformat(timespec="milliseconds")
    return [as_json(value) for value in made] if isinstance(made, list) else made


def json_lines(records: Sequence[Mapping[str, object]], version: int) -> bytes:
    """Write records as JSON, one a line."""
    return "".join(f"{json.dumps(as_json(row(rec, version)))}\n" for rec in records).encode()
