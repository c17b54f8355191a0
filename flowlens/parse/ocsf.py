"""Amazon Security Lake: OCSF Network Activity records laid flat, under the names of the flow log fields behind them.

What stands where was read in what AWS and others publish:

- source version 1 is OCSF 1.0.0-rc.2, the sample is
  https://github.com/ocsf/examples/blob/main/mappings/markdown/AWS/VPC%20Flowlogs/samples/vpcflowlog.ocsf
- source version 2 is OCSF 1.1.0, the samples are
  https://github.com/ocsf/examples/blob/main/encodings/ilf/example_logs/1_1_0_vpcflowlog.ocsf and, of 1.5.0 with the raw
  record beside it, https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS/v1.5.0/VPC%20Flowlogs/samples
- its Parquet types are in amazon_security_lake_table_us_east_1_vpc_flow_2_0.json of
  https://github.com/aws-samples/sample-generative-ai-chatbot-for-amazon-security-lake
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.schema import VPC_FIELDS

__all__ = ["complaints", "flow_columns", "is_ocsf"]

# Where a field is, in the order to try; 0 is the first of a list. Any field can be in `unmapped` as well.
_PATHS: Mapping[str, tuple[str, ...]] = {
    "version": ("metadata.product.version",),
    "account_id": ("cloud.account.uid", "cloud.account_uid", "accountid"),
    # `ip` is the address in the packet. Where the interface has another one, that is the intermediate address.
    "srcaddr": ("src_endpoint.intermediate_ips.0", "src_endpoint.intermediate_ips", "src_endpoint.ip"),
    "dstaddr": ("dst_endpoint.intermediate_ips.0", "dst_endpoint.intermediate_ips", "dst_endpoint.ip"),
    "pkt_srcaddr": ("src_endpoint.ip",),
    "pkt_dstaddr": ("dst_endpoint.ip",),
    "srcport": ("src_endpoint.port",),
    "dstport": ("dst_endpoint.port",),
    "protocol": ("connection_info.protocol_num",),
    "tcp_flags": ("connection_info.tcp_flags",),
    "packets": ("traffic.packets",),
    "bytes": ("traffic.bytes",),
    # Version 1 has start_time and end_time. Version 2 has timestamps of both, and the start as `time`.
    "start": ("start_time", "start_time_dt", "time", "time_dt"),
    "end": ("end_time", "end_time_dt"),
    "log_status": ("status_code",),
    "region": ("cloud.region", "region"),
    "az_id": ("cloud.zone",),
    "pkt_src_aws_service": ("src_endpoint.svc_name",),
    "pkt_dst_aws_service": ("dst_endpoint.svc_name",),
}

_SIDED = ("interface_id", "vpc_id", "subnet_id", "instance_id")  # at dst_endpoint of ingress, src_endpoint of egress

_REJECTED = ("denied", "blocked", "dropped", "rejected", "reject")
_VERDICTS = dict.fromkeys(("allowed", "accept"), "ACCEPT") | dict.fromkeys(_REJECTED, "REJECT")
_DIRECTIONS = {"inbound": "ingress", "outbound": "egress", "ingress": "ingress", "egress": "egress"}

# Fields for which OCSF has words or numbers of its own: by path, what they mean. Any other word means: not known.
_WORDS: Mapping[str, Mapping[str, Mapping[str, str | int]]] = {
    "action": {
        "action": _VERDICTS,
        "action_id": {"1": "ACCEPT", "2": "REJECT"},
        "disposition": _VERDICTS,
        "disposition_id": {"1": "ACCEPT", "2": "REJECT", "6": "REJECT"},
    },
    "flow_direction": {
        "connection_info.direction_id": {"1": "ingress", "2": "egress"},
        "connection_info.direction": _DIRECTIONS,
    },
    # OCSF counts three boundaries before those of a VPC: path 1 is boundary 4, and so on to 8 and 11.
    "traffic_path": {"connection_info.boundary_id": {str(path + 3): path for path in range(1, 9)}},
    "type": {
        "connection_info.protocol_ver": {"ipv4": "IPv4", "ipv6": "IPv6", "efa": "EFA"},
        "connection_info.protocol_ver_id": {"4": "IPv4", "6": "IPv6"},
    },
}

_FLOW_LOGS = r"(?i)^(vpc[ _-]?)?flow[ _-]?logs?$"
_NOTHING = pa.array(["", "-"])


def is_ocsf(names: Iterable[str]) -> bool:
    """Tell from the names of its columns whether a table holds OCSF records of what went between two endpoints."""
    have = set(names)
    return "class_uid" in have and not have.isdisjoint({"src_endpoint", "dst_endpoint"})


def flow_columns(table: pa.Table) -> pa.Table:
    """Return the records of a table, in their order, with a column for every flow log field that is found in them.

    Values stay as they stand: what may be in a field, and that ``-`` is nothing, is for `named.py` to say.
    """
    table = _with_open_unmapped(table)
    flat = table.select([])
    for field in VPC_FIELDS:
        with suppress(pa.ArrowException):  # types that cannot be brought together
            column = _first(_candidates(table, field.column))
            if column is not None:
                flat = flat.append_column(field.column, column)
    return flat


def complaints(table: pa.Table) -> pa.StringArray:
    """Return for every record why it is no VPC flow log record, null where it is one."""
    uid, feature = _text_at(table, "class_uid"), _text_at(table, "metadata.product.feature.name")
    activity = pc.fill_null(pc.equal(uid, "4001"), False)
    right = pc.and_(activity, pc.fill_null(pc.match_substring_regex(feature, _FLOW_LOGS), True))
    if pc.all(right).as_py():
        return pa.nulls(table.num_rows, pa.string())
    name = _text_at(table, "class_name")
    wrong_class = pc.coalesce(
        pc.binary_join_element_wise("class_uid ", uid, " is ", name, ", not Network Activity", ""),
        pc.binary_join_element_wise("class_uid ", uid, " is not Network Activity (4001)", ""),
        "class_uid is missing, it would be 4001 for Network Activity",
    )
    wrong_feature = pc.binary_join_element_wise("metadata.product.feature.name is ", feature, ", not Flowlogs", "")
    return pc.if_else(right, None, pc.if_else(activity, wrong_feature, wrong_class)).combine_chunks()


def _candidates(table: pa.Table, name: str) -> list[pa.ChunkedArray]:
    """Return the columns in which a field can stand, the best first."""
    words = _WORDS.get(name, {})
    found = _sides(table, name.replace("_id", "_uid")) if name in _SIDED else []
    for path in (*words, *_PATHS.get(name, ()), f"unmapped.{name}", f"unmapped.{name.replace('_', '-')}"):
        column = _at(table, path)
        if column is not None:
            found.append(_meaning(column, words[path]) if path in words else _fitting(name, column))
    return found


def _sides(table: pa.Table, uid: str) -> list[pa.ChunkedArray]:
    ends = [end for side in ("dst", "src") if (end := _at(table, f"{side}_endpoint.{uid}")) is not None]
    direction = _first(_candidates(table, "flow_direction"))
    if len(ends) < 2 or direction is None:
        return ends
    dst, src = _alike(ends)
    egress = pc.fill_null(pc.equal(direction, "egress"), False)
    return [pc.if_else(egress, src, dst), pc.if_else(egress, dst, src)]


def _with_open_unmapped(table: pa.Table) -> pa.Table:
    """Return a table in which fields have columns of their own where `unmapped` is a map; paths enter an object."""
    places = table.schema.get_all_field_indices("unmapped")
    chunks = table.column(places[0]).chunks if places else []
    spelled = {spelling: field.column for field in VPC_FIELDS for spelling in (field.column, field.name)}
    with suppress(pa.ArrowException, ValueError):  # no pairs of a name and a value, or no rows
        maps = pa.chunked_array([_map_of(chunk) for chunk in chunks])
        names = pc.unique(pa.chunked_array([chunk.keys for chunk in maps.chunks]))
        for name in pa.array(spelled).filter(pc.is_in(pa.array(spelled), value_set=names)).to_pylist():
            table = table.append_column(f"unmapped.{spelled[name]}", pc.map_lookup(maps, pa.scalar(name), "first"))
    return table


def _map_of(rows: pa.Array) -> pa.MapArray:
    if pa.types.is_map(rows.type):
        return rows.cast(pa.map_(pa.string(), rows.type.item_type))
    pairs = pc.list_flatten(rows)  # what tools make of a map: objects of key, or name, and value; or lists of both
    if pa.types.is_struct(pairs.type):
        names = pc.struct_field(pairs, "key" if pairs.type.get_field_index("key") >= 0 else "name")
        values = pc.struct_field(pairs, "value")
    else:
        names, values = pc.list_element(pairs, 0), pc.list_element(pairs, 1)
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(rows), 0)).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.MapArray.from_arrays(offsets, pc.fill_null(names.cast(pa.string()), ""), values)


def _at(table: pa.Table, path: str) -> pa.ChunkedArray | None:
    """Return what stands at a path as text or whole numbers; None where it is nothing of the kind."""
    root, *keys = [path] if path in table.column_names else path.split(".")
    places = table.schema.get_all_field_indices(root)
    column = table.column(places[0]) if places else None
    with suppress(pa.ArrowException):  # types that Arrow cannot convert
        for key in keys:
            column = None if column is None else _child(column, key)
        return None if column is None else _plain(column)
    return None


def _child(column: pa.ChunkedArray, key: str) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_struct(kind):
        places = kind.get_all_field_indices(key)
        return pc.struct_field(column, [places[0]]) if places else None
    if key == "0" and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return pc.list_element(pc.list_slice(column, 0, 1, return_fixed_size_list=True), 0)  # null of an empty list
    return None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms", kind.tz), safe=False).cast(pa.int64())
    if pa.types.is_floating(kind):  # pandas makes floats of integers where values are missing
        numbers = column.cast(pa.float64())
        numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
        whole = pc.and_(pc.equal(numbers, pc.trunc(numbers)), pc.less(pc.abs(numbers), 2.0**63))
        return numbers.cast(pa.int64() if pc.all(whole).as_py() else pa.string())
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind):
        return None
    return column if pa.types.is_integer(kind) or pa.types.is_null(kind) else column.cast(pa.string())


def _text_at(table: pa.Table, path: str) -> pa.ChunkedArray:
    """Return text to be shown; null where there is nothing, and everywhere if anything is not UTF-8."""
    column, nothing = _at(table, path), pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    with suppress(pa.ArrowException):
        text = _said((nothing if column is None else column).cast(pa.string()))
        text.validate(full=True)
        return text
    return nothing


def _meaning(column: pa.ChunkedArray, words: Mapping[str, str | int]) -> pa.ChunkedArray:
    """Return what words mean, null for others; each distinct one is looked up once."""
    known, meanings = pa.array(words), pa.array(words.values())

    def meaning_of(chunk: pa.Array) -> pa.Array:
        said = chunk.dictionary_encode()
        places = pc.index_in(pc.ascii_lower(said.dictionary.cast(pa.string())), value_set=known)
        return pc.take(pc.take(meanings, places), said.indices)

    return pa.chunked_array([meaning_of(chunk) for chunk in column.chunks], meanings.type)


def _fitting(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with null for what OCSF lets stand there and says nothing of a flow."""
    if name == "version" and pa.types.is_string(column.type):  # of a product: it can be anything
        return pc.if_else(pc.match_substring_regex(column, r"^[0-9]{1,2}$"), column, None)
    if name == "protocol" and pa.types.is_signed_integer(column.type):  # -1: IANA does not define it
        return pc.if_else(pc.equal(column, -1), None, column)
    return column


def _first(candidates: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray | None:
    alike = _alike(candidates)
    return pc.coalesce(*map(_said, alike)) if len(alike) > 1 else next(iter(alike), None)


def _said(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_in(column, value_set=_NOTHING), None, column) if column.type == pa.string() else column


def _alike(columns: Sequence[pa.ChunkedArray]) -> list[pa.ChunkedArray]:
    kinds = {column.type for column in columns} - {pa.null()}
    if len(kinds) != 1:
        kinds = {pa.int64() if kinds and all(map(pa.types.is_integer, kinds)) else pa.string()}
    return [column.cast(*kinds) for column in columns]
