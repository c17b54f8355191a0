"""Records of Amazon Security Lake: what of a flow log they hold, in both source versions and in every form."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from formats import START, nodata, record
from hypothesis import given
from hypothesis import strategies as st
from ocsf import BOUNDARIES, UNMAPPED_FIELDS, as_json, dns_row, row, table, table_of
from strategies import values

from flowlens.parse.ocsf import complaints, flow_columns, is_ocsf
from flowlens.schema import BY_COLUMN

BOTH = pytest.mark.parametrize("version", [1, 2])

EGRESS = record(
    version=5,
    vpc_id="vpc-abcdefab012345678",
    subnet_id="subnet-aaaaaaaa012345678",
    instance_id="i-0c50d5961bcb2d47b",
    tcp_flags=3,
    type="IPv4",
    pkt_srcaddr="10.0.0.5",
    pkt_dstaddr="10.0.1.9",
    region="ap-southeast-2",
    az_id="apse2-az3",
    sublocation_type=None,
    sublocation_id=None,
    pkt_src_aws_service=None,
    pkt_dst_aws_service="S3",
    flow_direction="egress",
    traffic_path=8,
)
INGRESS = {**EGRESS, "flow_direction": "ingress", "traffic_path": None, "pkt_dst_aws_service": None}


def records_of(rows: pa.Table) -> list[dict[str, object]]:
    """Return what is read of a table. With `formats.rows(formats.read(parquet))` here, the tests are of `fl.read`."""
    return [{name: _value(name, value) for name, value in flat.items()} for flat in flow_columns(rows).to_pylist()]


def _value(name: str, value: object) -> object:
    if value is None or value == "-":
        return None
    kind = BY_COLUMN[name].kind
    if kind in {"text", "address"}:
        return str(value)
    if kind == "time" and str(value).isdecimal() is False:
        return int(pd.Timestamp(value).timestamp())
    number = int(value)
    return number // 1000 if kind == "time" and number >= 10**11 else number


def from_json(*rows: dict[str, object]) -> pa.Table:
    """Return rows as Arrow makes a table of JSON: types by what is there."""
    plain = [as_json(made) for made in rows]
    names = dict.fromkeys(name for made in plain for name in made)
    return pa.table({name: [made.get(name) for made in plain] for name in names})


def test_ocsf_is_known_by_its_columns():
    assert is_ocsf(["metadata", "class_uid", "src_endpoint", "dst_endpoint"])
    assert is_ocsf(("class_uid", "dst_endpoint"))
    assert not is_ocsf(["class_uid", "actor", "api"])
    assert not is_ocsf(["src_endpoint", "dst_endpoint"])
    assert not is_ocsf(iter(["version", "account_id", "srcaddr"]))


# --- A record, field by field ---


@BOTH
@pytest.mark.parametrize("rec", [EGRESS, INGRESS], ids=["egress", "ingress"])
def test_every_field_comes_back_under_its_own_name(rec, version):
    (read,) = records_of(table([rec], version))
    assert read == rec


@BOTH
def test_json_says_the_same_as_parquet(version):
    rows = from_json(row(EGRESS, version), row(INGRESS, version))
    assert records_of(rows) == [EGRESS, INGRESS]


def test_the_columns_are_those_for_which_there_is_a_source():
    rows = pa.table({"class_uid": [4001], "src_endpoint": [{"ip": "10.0.0.1", "port": 22}], "dst_endpoint": [{}]})
    assert flow_columns(rows).column_names == ["srcaddr", "srcport", "pkt_srcaddr"]
    assert flow_columns(table([EGRESS], 2)).column_names == [name for name in BY_COLUMN if name in EGRESS]


@BOTH
def test_the_address_of_the_interface_is_the_intermediate_one(version):
    # The records of the NAT gateway in the AWS guide, 4.6 in formats.md.
    out = {**EGRESS, "srcaddr": "10.0.0.220", "dstaddr": "203.0.113.5", "pkt_srcaddr": "10.0.0.220"}
    out |= {"pkt_dstaddr": "203.0.113.5"}
    to_nat = {**INGRESS, "srcaddr": "10.0.1.5", "dstaddr": "10.0.0.220", "pkt_srcaddr": "10.0.1.5"}
    to_nat |= {"pkt_dstaddr": "203.0.113.5"}
    back = {**EGRESS, "srcaddr": "10.0.0.220", "dstaddr": "10.0.1.5", "pkt_srcaddr": "203.0.113.5"}
    back |= {"pkt_dstaddr": "10.0.1.5"}
    rows = [row(rec, version) for rec in (out, to_nat, back)]
    assert [(made["src_endpoint"]["ip"], made["dst_endpoint"]["ip"]) for made in rows] == [
        ("10.0.0.220", "203.0.113.5"),
        ("10.0.1.5", "203.0.113.5"),
        ("203.0.113.5", "10.0.1.5"),
    ]
    assert records_of(table_of(rows, version)) == [out, to_nat, back]


@BOTH
@pytest.mark.parametrize("nothing", [None, [], ["-"], [None]])
def test_without_an_intermediate_address_the_one_in_the_packet_is_that_of_the_interface(version, nothing):
    made = row(EGRESS, version)
    made["src_endpoint"]["intermediate_ips"] = nothing
    for rows in (table_of([made, row(INGRESS, version)], version), pa.Table.from_pylist([made])):
        assert records_of(rows)[0]["srcaddr"] == "10.0.0.5"


@BOTH
@pytest.mark.parametrize("status", ["NODATA", "SKIPDATA"])
def test_a_record_of_no_traffic_has_its_times_its_interface_and_its_status(version, status):
    rec = {**dict.fromkeys(EGRESS), **nodata(log_status=status), "version": 5}
    (read,) = records_of(table([rec], version))
    assert read == rec
    assert (read["start"], read["end"], read["log_status"]) == (START, START + 59, status)
    assert read["interface_id"] == "eni-1235b8ca123456789"
    assert read["srcaddr"] is read["pkt_dstaddr"] is read["action"] is read["packets"] is None


@BOTH
def test_icmp_has_port_0_and_not_no_port(version):
    rec = {**EGRESS, "protocol": 1, "srcport": 0, "dstport": 0, "tcp_flags": 0}
    assert records_of(table([rec], version)) == [rec]


@BOTH
def test_a_refused_record_is_a_reject(version):
    rec = {**INGRESS, "action": "REJECT"}
    made = row(rec, version)
    assert made["disposition"] == "Blocked"
    assert made.get("action") == {1: None, 2: "Denied"}[version]
    assert records_of(table_of([made], version)) == [rec]


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ({"action": "Allowed", "action_id": 1, "disposition": "Allowed"}, "ACCEPT"),
        ({"action": "Denied", "action_id": 2, "disposition": "Blocked"}, "REJECT"),
        ({"action": "DENIED"}, "REJECT"),
        ({"action": "ACCEPT"}, "ACCEPT"),
        ({"action": "REJECT"}, "REJECT"),
        ({"action_id": 1}, "ACCEPT"),
        ({"action_id": 2.0}, "REJECT"),
        ({"action": None, "action_id": None, "disposition": "Blocked"}, "REJECT"),
        ({"action": "-", "action_id": 0, "disposition": "Dropped"}, "REJECT"),
        ({"action": "Unknown", "disposition": "Rejected"}, "REJECT"),
        ({"disposition": "Allowed", "disposition_id": 1}, "ACCEPT"),
        ({"disposition_id": 2}, "REJECT"),
        ({"disposition_id": 6}, "REJECT"),
        ({"disposition": "No Action", "disposition_id": 16}, None),
        ({"action": "Other", "action_id": 99, "disposition": "Logged", "disposition_id": 17}, None),
        ({"action": "Observed", "action_id": 3}, None),
        ({"action": "", "disposition": None}, None),
    ],
)
def test_every_way_to_say_what_became_of_the_traffic(said, action):
    rows = pa.Table.from_pylist([{"class_uid": 4001, "src_endpoint": {"ip": "10.0.0.1"}, **said}])
    assert records_of(rows)[0]["action"] == action


@BOTH
def test_boundaries_are_traffic_paths_under_other_numbers(version):
    paths = [path for path in BOUNDARIES if path]
    assert paths == [1, 2, 3, 4, 5, 6, 7, 8]
    rows = [row({**EGRESS, "traffic_path": path}, version) for path in paths]
    assert [made["connection_info"]["boundary_id"] for made in rows] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert [read["traffic_path"] for read in records_of(table_of(rows, version))] == paths


@pytest.mark.parametrize("boundary", [0, 1, 2, 3, 12, 99, None])
def test_boundaries_that_are_no_traffic_path_are_none(boundary):
    made = row(EGRESS, 2)
    made["connection_info"]["boundary_id"] = boundary
    assert records_of(table_of([made], 2))[0]["traffic_path"] is None


@pytest.mark.parametrize(
    ("said", "direction"),
    [
        ({"direction": "Inbound", "direction_id": 1}, "ingress"),
        ({"direction": "Outbound", "direction_id": 2}, "egress"),
        ({"direction": None, "direction_id": 2}, "egress"),
        ({"direction": "Inbound", "direction_id": None}, "ingress"),
        ({"direction": "egress", "direction_id": None}, "egress"),
        ({"direction": "Lateral", "direction_id": 3}, None),
        ({"direction": "Unknown", "direction_id": 0}, None),
        ({"direction": "-", "direction_id": 99}, None),
    ],
)
def test_every_way_to_say_the_direction(said, direction):
    made = row(EGRESS, 2)
    made["connection_info"] |= said
    assert records_of(table_of([made], 2))[0]["flow_direction"] == direction


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"protocol_ver": "IPv6"}, "IPv6"),
        ({"protocol_ver": "EFA"}, "EFA"),
        ({"protocol_ver": "Internet Protocol version 6 (IPv6)", "protocol_ver_id": 6}, "IPv6"),
        ({"protocol_ver_id": 4}, "IPv4"),
        ({"protocol_ver": "-", "protocol_ver_id": 0}, None),
        ({"protocol_ver": "1.4"}, None),
    ],
)
def test_every_way_to_say_the_kind_of_traffic(said, kind):
    rows = pa.Table.from_pylist([{"class_uid": 4001, "connection_info": said}])
    assert records_of(rows)[0]["type"] == kind


# --- Whose interface it is ---


@pytest.mark.parametrize(
    ("direction_id", "src", "dst", "interface"),
    [
        (2, "eni-1", None, "eni-1"),
        (1, None, "eni-2", "eni-2"),
        (2, "eni-1", "eni-2", "eni-1"),
        (1, "eni-1", "eni-2", "eni-2"),
        (2, "-", "eni-2", "eni-2"),
        (1, "eni-1", "", "eni-1"),
        (99, "eni-1", None, "eni-1"),
        (99, "-", "eni-2", "eni-2"),
        (None, None, "eni-2", "eni-2"),
        (None, "-", None, None),
    ],
)
def test_the_interface_is_on_the_side_of_the_direction_or_on_the_only_one_that_has_any(
    direction_id, src, dst, interface
):
    made = row({**EGRESS, "flow_direction": None, "interface_id": None}, 2)
    made["connection_info"] |= {"direction_id": direction_id, "direction": None}
    made["src_endpoint"]["interface_uid"], made["dst_endpoint"]["interface_uid"] = src, dst
    assert records_of(table_of([made], 2))[0]["interface_id"] == interface


def test_directions_are_those_of_each_record():
    out, into = ({**rec, "interface_id": f"eni-{number}"} for number, rec in enumerate([EGRESS, INGRESS]))
    rows = pa.concat_tables([table([out, into], 2), table([into], 2), table([], 2), table([out], 2)])
    assert records_of(rows) == [out, into, into, out]


# --- What OCSF has no place for ---

ECS = {**EGRESS, "version": 8, "ecs_cluster_name": "shop", "ecs_task_id": "k5iv", "ecs_service_name": None}
ECS |= {"reject_reason": "BPA", "sublocation_type": "outpost", "encryption_status": 1}


@BOTH
def test_fields_without_a_place_are_found_in_unmapped(version):
    plain = {**EGRESS, "reject_reason": None}
    first, second = records_of(table([ECS, plain], version))
    assert first == ECS
    assert second == {**dict.fromkeys(ECS), **plain}


@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda unmapped: [list(pair) for pair in unmapped.items()],
        lambda unmapped: list(unmapped.items()),
        lambda unmapped: [{"name": name, "value": value} for name, value in unmapped.items()],
        lambda unmapped: [{"value": value, "key": name} for name, value in unmapped.items()],
        lambda unmapped: {name.replace("_", "-"): value for name, value in unmapped.items()},
        lambda unmapped: [[name.replace("_", "-"), value] for name, value in unmapped.items()],
    ],
    ids=["object", "pairs", "tuples", "names", "keys", "hyphens", "hyphened pairs"],
)
def test_unmapped_is_read_in_every_form(form):
    rows = [row(rec, 2) for rec in (EGRESS, ECS, EGRESS)]
    for made in rows:
        made["unmapped"] = form(made["unmapped"])
    rows[0]["unmapped"] = None
    reads = records_of(from_json(*rows).slice(1))
    assert reads[0] == ECS
    assert reads[1] == {**dict.fromkeys(ECS), **EGRESS}


@pytest.mark.parametrize(
    "unmapped",
    [["reject_reason"], [["reject_reason"]], [[1, 2]], [[]], "reject_reason=BPA", 7, [{"a": "b"}], [None], {}],
)
def test_an_unmapped_that_is_no_list_of_fields_is_left_alone(unmapped):
    plain = {name: value for name, value in EGRESS.items() if not name.startswith("sublocation")}
    rows = from_json({**row(plain, 2), "unmapped": unmapped})
    assert records_of(rows) == [plain]


# --- Types ---


def test_the_same_values_in_other_types_are_the_same_records():
    rows = table([EGRESS, INGRESS], 1)
    endpoint = pa.struct(
        [
            ("port", pa.uint16()),
            ("svc_name", pa.dictionary(pa.int8(), pa.string())),
            ("ip", pa.large_string()),
            ("intermediate_ips", pa.large_list(pa.large_string())),
            ("interface_uid", pa.dictionary(pa.int32(), pa.string())),
            ("vpc_uid", pa.binary()),
            ("instance_uid", pa.large_binary()),
            ("subnet_uid", pa.string()),
        ]
    )
    cast = {"src_endpoint": endpoint, "class_uid": pa.int64(), "disposition": pa.dictionary(pa.int8(), pa.string())}
    for name, kind in cast.items():
        place = rows.schema.get_field_index(name)
        column = pa.chunked_array([pa.array(rows[name].to_pylist(), kind)])
        rows = rows.set_column(place, name, column)
    rows = rows.set_column(rows.schema.get_field_index("time"), "time", pa.array([0.5, float("nan")]))
    assert records_of(rows) == [EGRESS, INGRESS]
    assert complaints(rows).null_count == 2


@BOTH
def test_a_frame_of_dicts_as_parquet_is_in_pandas(version):
    frame = table([EGRESS, ECS, nodata(version=5)], version).to_pandas()
    assert isinstance(frame["src_endpoint"][0], dict)
    reads = records_of(pa.Table.from_pandas(frame))
    nothing = dict.fromkeys(reads[0])
    assert reads == [{**nothing, **rec} for rec in (EGRESS, ECS, nodata(version=5))]


def test_rows_of_both_versions_in_one_table():
    frame = pd.concat([table([EGRESS], 1).to_pandas(), table([INGRESS], 2).to_pandas()])
    assert records_of(pa.Table.from_pandas(frame)) == [EGRESS, INGRESS]


@pytest.mark.parametrize(
    "times",
    [
        {"start_time": START * 1000, "end_time": (START + 59) * 1000},
        {"start_time": START, "end_time": START + 59},
        {"time": START * 1000, "end_time_dt": "2026-03-10T14:00:59.000Z"},
        {"start_time": None, "time": START * 1000, "end_time": (START + 59) * 1000.0},
        {"start_time_dt": "2026-03-10 14:00:00+00:00", "time": 7, "end_time_dt": "2026-03-10T10:00:59.000-04:00"},
        {"start_time_dt": pd.Timestamp("2026-03-10 14:00"), "end_time_dt": pd.Timestamp("2026-03-10 14:00:59")},
        {
            "time_dt": pd.Timestamp("2026-03-10 15:00", tz="Europe/Berlin"),
            "end_time_dt": pd.Timestamp("2026-03-10 14:00:59", tz="UTC"),
        },
        {"start_time": str(START * 1000), "end_time": str(START + 59)},
        {"start_time": "-", "start_time_dt": "", "time": START, "end_time": "", "end_time_dt": START + 59},
    ],
)
def test_times_in_every_form(times):
    (read,) = records_of(pa.Table.from_pylist([{"class_uid": 4001, "src_endpoint": {"ip": "10.0.0.1"}, **times}]))
    assert (read["start"], read["end"]) == (START, START + 59)


@pytest.mark.parametrize("version", ["5", "11", 5])
def test_the_version_of_the_product_is_that_of_the_record(version):
    rows = from_json(row(EGRESS, 2, metadata={"product": {"version": version}}))
    assert records_of(rows)[0]["version"] == int(version)


@pytest.mark.parametrize("version", ["1.100000", "v5", "", "-", "5.0.0", "2023-10", None])
def test_a_version_that_is_no_number_is_none(version):
    rows = pa.Table.from_pylist([row(EGRESS, 2, metadata={"product": {"version": version}})])
    assert records_of(rows)[0]["version"] in {None, ""}


def test_a_protocol_that_iana_does_not_define_is_none():
    made = row(EGRESS, 2)
    made["connection_info"]["protocol_num"] = -1
    assert records_of(table_of([made, row(INGRESS, 2)], 2))[0]["protocol"] is None


def test_null_and_missing_objects_are_missing_values():
    made = row(EGRESS, 2, src_endpoint=None, connection_info=None, traffic=None, cloud=None, metadata=None)
    reads = records_of(table_of([made, row(INGRESS, 2)], 2))
    assert reads[1] == INGRESS
    known = ("dstaddr", "pkt_dstaddr", "dstport", "start", "end", "action", "log_status", "pkt_dst_aws_service")
    assert {name for name, value in reads[0].items() if value is not None} == set(known)

    bare = from_json({name: made[name] for name in ("class_uid", "dst_endpoint", "time")})
    assert records_of(bare)[0]["dstaddr"] == "10.0.1.9"
    assert complaints(bare).to_pylist() == [None]


def test_columns_of_null_are_columns_of_missing_values():
    made = {"class_uid": 4001, "src_endpoint": {"ip": None, "port": None}, "time": None, "unmapped": None}
    assert (
        records_of(pa.Table.from_pylist([made, made]))
        == [{"srcaddr": None, "srcport": None, "start": None, "pkt_srcaddr": None}] * 2
    )


# --- What is no flow log ---


@BOTH
def test_flow_logs_are_not_complained_about(version):
    rows = table([EGRESS, nodata(), {**INGRESS, "action": "REJECT"}], version)
    assert complaints(rows).to_pylist() == [None] * 3
    assert complaints(rows.slice(0, 0)).to_pylist() == []


@BOTH
def test_a_row_of_another_class_is_complained_about(version):
    rows = table_of([row(EGRESS, version), dns_row(version)], version)
    assert complaints(rows).to_pylist() == [None, "class_uid 4003 is DNS Activity, not Network Activity"]
    assert flow_columns(rows).num_rows == 2


def test_a_class_without_a_name_and_a_row_without_a_class_are_complained_about():
    rows = [row(EGRESS, 2, class_uid=3005, class_name=None), row(EGRESS, 2, class_uid=None)]
    assert complaints(table_of(rows, 2)).to_pylist() == [
        "class_uid 3005 is not Network Activity (4001)",
        "class_uid is missing, it would be 4001 for Network Activity",
    ]


def test_network_activity_of_another_feature_is_complained_about():
    made = row(EGRESS, 2)
    made["metadata"]["product"]["feature"]["name"] = "Network Firewall"
    without = row(EGRESS, 2)
    without["metadata"]["product"]["feature"] = None
    assert complaints(table_of([made, without, row(EGRESS, 2)], 2)).to_pylist() == [
        "metadata.product.feature.name is Network Firewall, not Flowlogs",
        None,
        None,
    ]


@pytest.mark.parametrize("feature", ["Flowlogs", "FlowLogs", "Flow Logs", "VPC Flow Logs", "-", ""])
def test_spellings_of_the_feature(feature):
    rows = from_json(row(EGRESS, 2, metadata={"product": {"feature": {"name": feature}}}))
    assert complaints(rows).to_pylist() == [None]


# --- Any record, and anything at all ---

RECORDS = st.fixed_dictionaries(
    {name: values(name) for name in (*EGRESS, *UNMAPPED_FIELDS)}
    | {
        "version": st.integers(2, 11),
        "srcaddr": values("srcaddr").filter(bool),
        "dstaddr": values("dstaddr").filter(bool),
        "type": st.sampled_from(["IPv4", "IPv6", "EFA", None]),
        "traffic_path": st.sampled_from(list(BOUNDARIES)),
        "start": st.integers(10**9, 4 * 10**9),
        "end": st.integers(10**9, 4 * 10**9),
    }
)


@given(st.lists(RECORDS, min_size=1, max_size=5), st.sampled_from([1, 2]))
def test_what_security_lake_made_of_a_record_is_read_as_that_record(records, version):
    assert records_of(table(records, version)) == records


def _unreadable(raw: bytes) -> pa.Array:
    offsets = pa.array([0, len(raw), len(raw), len(raw)], pa.int32())
    return pa.StringArray.from_buffers(3, offsets.buffers()[1], pa.py_buffer(raw))


LEAVES = st.sampled_from(
    [
        *(pa.nulls(3, kind) for kind in (pa.null(), pa.string(), pa.int64(), pa.duration("s"), pa.time32("s"))),
        *(pa.array([0, 2, None], kind) for kind in (pa.int8(), pa.uint64(), pa.float64(), pa.date32(), pa.date64())),
        *(pa.array([0, -1, 2**62], pa.timestamp(unit)) for unit in ("s", "ms", "ns")),
        pa.array([4001, 2**64 - 1, 2**63], pa.uint64()),
        pa.array([float("nan"), float("inf"), 1e300]),
        pa.array([0.5, 443.0, None]),
        pa.array([1, 2, 3], pa.float32()).cast(pa.float16()),
        pa.array([1, None, 10**30], pa.decimal128(38, 0)),
        pa.array([True, False, None]),
        pa.array(["4001", "-", ""]),
        pa.array(["4001", "Inbound", "10.0.0.1"], pa.large_string()),
        pa.array(["2026-99-99T99:99:99Z", None, "x" * 100], pa.string_view()),
        pa.array([b"\xff\xfe", b"Allowed", None]),
        pa.array([b"\xff\xfe", b"OK", None], pa.binary_view()),
        pa.array([b"abcd"] * 3, pa.binary(4)),
        pa.array(["4003", "Denied", "4003"]).dictionary_encode(),
        pa.array([1, 2, 1]).dictionary_encode(),
        _unreadable(b"\xff\xfe\x80"),
    ]
)
KEYS = st.sampled_from([
    "version", "product", "feature", "name", "account", "uid", "account_uid", "ip", "port", "intermediate_ips", "0",
    "interface_uid", "direction_id", "direction", "boundary_id", "protocol_num", "protocol_ver", "packets", "bytes",
    "key", "value", "reject_reason", "ecs-task-id",
])  # fmt: skip


def _lists(child: pa.Array) -> list[pa.Array]:
    keys = pa.array(["reject_reason", "ecs-task-id", "0"])
    return [
        pa.ListArray.from_arrays(pa.array([0, 2, None, 3], pa.int32()), child),
        pa.LargeListArray.from_arrays(pa.array([0, 0, 1, 3], pa.int64()), child),
        pa.FixedSizeListArray.from_arrays(child, 1),
        pa.MapArray.from_arrays(pa.array([0, 2, 2, 3], pa.int32()), keys, child),
    ]


ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda child, which: _lists(child)[which], inner, st.integers(0, 3)),
        st.builds(
            lambda fields, mask: pa.StructArray.from_arrays(
                list(fields.values()), list(fields), mask=pa.array([mask, False, False])
            ),
            st.dictionaries(KEYS, inner, min_size=1, max_size=4),
            st.booleans(),
        ),
    ),
    max_leaves=8,
)
ROOTS = st.sampled_from([
    "metadata", "cloud", "src_endpoint", "dst_endpoint", "connection_info", "traffic", "time", "start_time", "end_time",
    "start_time_dt", "class_name", "status_code", "action", "disposition_id", "region", "accountid", "unmapped",
])  # fmt: skip


@given(
    st.dictionaries(ROOTS, ANYTHING, max_size=6),
    ANYTHING,
    st.integers(0, 3),
    st.lists(st.tuples(ROOTS, ANYTHING), max_size=2),
)
def test_whatever_the_types_are_there_are_plain_columns_and_a_word_on_every_row(columns, uid, skipped, again):
    arrays, names = [uid, *columns.values()], ["class_uid", *columns]
    for name, column in again:  # the same name may stand twice
        names.append(name)
        arrays.append(column)
    rows = pa.Table.from_arrays(arrays, names).slice(skipped)
    flat = flow_columns(rows)
    assert flat.num_rows == rows.num_rows
    assert set(flat.column_names) <= set(BY_COLUMN)
    assert all(pa.types.is_string(kind) or pa.types.is_integer(kind) for kind in flat.schema.types)
    assert len(complaints(rows).to_pylist()) == rows.num_rows
