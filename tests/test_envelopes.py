"""Whatever flow logs come wrapped in gives the records of the file on S3, and says of every other item what it is."""

from __future__ import annotations

import bz2
import csv
import io
import json
import random
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from envelopes import (
    COMPRESSIONS,
    ENCODINGS,
    INSIGHTS,
    SPELLINGS,
    STREAM,
    Records,
    athena_csv,
    bootstrap_csv,
    console_csv,
    control_message,
    csv_of,
    elastic,
    events,
    export_to_s3,
    filter_log_events,
    firehose_lines,
    firehose_request,
    firehose_transformation,
    get_log_events,
    get_records,
    insights_csv,
    insights_json,
    insights_messages,
    insights_results,
    json_array,
    json_lines,
    kinesis_event,
    lambda_event,
    line_array,
    lines,
    named,
    pandas_csv,
    parse_vpc,
    payload,
    plain_frame,
    query_results,
    said,
    subscription,
    tail,
    zstd,
)
from formats import (
    ALL_TGW,
    DEFAULT,
    NUMBERS,
    START,
    check,
    gz,
    line,
    log_format,
    nodata,
    parquet,
    parquet_of,
    read,
    record,
    rows,
    text,
)

import flowlens as fl

#: One of each thing that readers get wrong: no traffic, skipped records, ICMP, IPv6, accounts that are no number
RECORDS = [
    record(),
    record(
        srcaddr="10.0.1.9",
        dstaddr="10.0.0.5",
        srcport=443,
        dstport=49152,
        bytes=2**40,
        start=START + 3,
        action="REJECT",
    ),
    nodata(start=START + 5),
    nodata(log_status="SKIPDATA", account_id="unknown"),
    record(account_id="051856882135", srcport=0, dstport=0, protocol=1, packets=0),
    record(
        account_id="000000000012", srcaddr="2001:db8::1", dstaddr="::ffff:10.0.0.1", protocol=58, srcport=0, dstport=0
    ),
]
ON_S3 = read(text(RECORDS))

CUSTOM = [*DEFAULT, "vpc_id", "tcp_flags", "reject_reason", "resource_id", "instance_tag", "quantum_state"]
#: A refusal by Block Public Access has no bytes, a regional NAT gateway no interface; and a field of tomorrow
CUSTOM_RECORDS = [
    record(
        version=8, action="REJECT", bytes=None, reject_reason="BPA", tcp_flags=0, vpc_id="vpc-1", quantum_state="up"
    ),
    record(version=9, interface_id=None, resource_id="nat-0c50d5961bcb2d47b", reject_reason="Accepted", tcp_flags=19),
    nodata(version=11, quantum_state="7"),
    record(version=11, instance_tag="my%2Dapp%20%C3%A9", vpc_id="007", quantum_state="NaN"),
]
CUSTOM_ON_S3 = read(text(CUSTOM_RECORDS, CUSTOM))

TGW_RECORDS = [
    {name: 7 if name in NUMBERS else f"{name}-1" for name in ALL_TGW}
    | {"version": 6, "resource_type": kind, "tgw_id": "tgw-1", "srcaddr": "10.0.0.1", "dstaddr": "10.9.0.1"}
    | {"start": START, "end": START + 60, "log_status": "OK", "flow_direction": "ingress", "tgw_src_vpc_id": None}
    for kind in ("TransitGateway", "TransitGatewayAttachment")
]


def several(wrap: Callable[..., bytes], records: Records, names: list[str]) -> bytes:
    """Wrap records in two parts, as payloads of a subscription."""
    half = len(records) // 2
    return wrap(*(payload(subscription(part, names)) for part in (records[:half], records[half:])))


def one_a_line(*parts: str) -> bytes:
    return "".join(f"{part}\n" for part in parts).encode()


#: Forms that hold lines: records and columns to bytes
LINES: dict[str, Callable[[Records, list[str]], bytes]] = {
    "lines": lambda recs, names: text(recs, names, header=False),
    "export to S3": export_to_s3,
    "aws logs tail": tail,
    "aws logs tail --format short": lambda recs, names: tail(recs, names, form="short"),
    "aws logs tail --format json": lambda recs, names: tail(recs, names, form="json"),
    "filter-log-events": filter_log_events,
    "filter-log-events, compact": lambda recs, names: filter_log_events(recs, names, indent=None),
    "filter-log-events, pages": lambda recs, names: filter_log_events(recs, names, pages=3),
    "filter-log-events, compact pages": lambda recs, names: filter_log_events(recs, names, pages=3, indent=None),
    "get-log-events": get_log_events,
    "get-log-events, compact": lambda recs, names: get_log_events(recs, names, indent=None),
    "get-log-events, pages": lambda recs, names: get_log_events(recs, names, pages=2),
    "events[].message": line_array,
    "events[].message, compact": lambda recs, names: line_array(recs, names, indent=None),
    "console CSV": console_csv,
    "console CSV, line ends in quotes": lambda recs, names: console_csv(recs, names, newline="\n"),
    "console CSV, CRLF in quotes": lambda recs, names: console_csv(recs, names, newline="\r\n"),
    "subscription": subscription,
    "subscription, pretty": lambda recs, names: subscription(recs, names, indent=2),
    "subscription, extracted fields": lambda recs, names: subscription(recs, names, extracted=True),
    "subscription, control message": lambda recs, names: control_message() + b"\n" + subscription(recs, names),
    "subscription, nothing between": lambda recs, names: control_message()
    + subscription(recs[:2], names)
    + subscription(recs[2:], names)
    + control_message(),
    "Lambda event": lambda recs, names: lambda_event(payload(subscription(recs, names))),
    "Kinesis event": lambda recs, names: several(kinesis_event, recs, names),
    "aws kinesis get-records": lambda recs, names: several(get_records, recs, names),
    "Firehose transformation": lambda recs, names: several(firehose_transformation, recs, names),
    "Firehose request": lambda recs, names: firehose_request(*firehose_lines(recs, names).splitlines(keepends=True)),
    "Firehose request, gzip": lambda recs, names: firehose_request(gz(subscription(recs, names))),
    "payload": lambda recs, names: payload(subscription(recs, names)).encode(),
    "payloads": lambda recs, names: several(one_a_line, recs, names),
    "Firehose": firehose_lines,
    "Firehose, nothing between": lambda recs, names: firehose_lines(recs, names, end=""),
    "Firehose, spaces between": lambda recs, names: firehose_lines(recs, names, end=" "),
    "Insights @message": insights_messages,
    "Insights @message, compact": lambda recs, names: insights_messages(recs, names, indent=None),
    "Insights @message CSV": lambda recs, names: csv_of(
        ["@timestamp", "@message", "@logStream", "@log"],
        [["2026-03-10 14:00:00.000", message, STREAM, "123456789010:flows"] for message in lines(recs, names)],
    ),
}  # fmt: skip

#: Forms whose records have names
NAMED: dict[str, Callable[[Records, list[str]], bytes]] = {
    "get-query-results": insights_results,
    "get-query-results, compact": lambda recs, names: insights_results(recs, names, indent=None),
    "Insights CSV": insights_csv,
    "Insights JSON": insights_json,
    "Athena CSV": athena_csv,
    "Athena CSV, dashes": lambda recs, names: athena_csv(recs, names, dashes=True),
    "JSON lines, nothing between": lambda recs, names: json_lines(recs, names, end=""),
    "JSON lines, commas between": lambda recs, names: json_lines(recs, names, end=",\n"),
    "JSON lines, no nulls": lambda recs, names: json_lines(recs, names, drop=True),
    "JSON lines, all text": lambda recs, names: json_lines(recs, names, as_text=True),
    "JSON array, compact": lambda recs, names: json_array(recs, names, indent=None),
    "pandas CSV": lambda recs, names: pandas_csv(plain_frame(recs, names)),
    "pandas CSV, no index": lambda recs, names: pandas_csv(plain_frame(recs, names), index=False),
    "pandas CSV, semicolons": lambda recs, names: pandas_csv(plain_frame(recs, names), sep=";"),
    "CSV, all in quotes": lambda recs, names: csv_of(
        names, [[rec.get(name) for name in names] for rec in recs], quoting=csv.QUOTE_ALL
    ),
    **{
        f"JSON lines, {how}": lambda recs, names, spell=spell: json_lines(recs, names, spelling=spell)
        for how, spell in SPELLINGS.items()
    },
    **{
        f"JSON array, {how}": lambda recs, names, spell=spell: json_array(recs, names, spelling=spell)
        for how, spell in SPELLINGS.items()
    },
}

#: Forms that hold the default format only
DEFAULTS: dict[str, Callable[[Records], bytes]] = {
    "Athena CSV, bootstrap names": bootstrap_csv,
    "Elastic": elastic,
    "hits of a search": lambda recs: json.dumps(
        {
            "took": 3,
            "hits": {"total": {"value": len(recs)}, "hits": [{"_source": {"message": one}} for one in lines(recs)]},
        }
    ).encode(),
    "parseVPC lines": lambda recs: "\n".join(parse_vpc(recs)).encode(),
    "parseVPC events": lambda recs: json.dumps(
        {"events": [{"timestamp": START * 1000, "message": message} for message in parse_vpc(recs)]}, indent=4
    ).encode(),
    "parseVPC through Firehose": lambda recs: "".join(
        json.dumps({"message": message}) for message in parse_vpc(recs)
    ).encode(),
    "parseVPC subscription": lambda recs: lambda_event(
        payload(
            json.dumps(
                {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "message": row} for row in parse_vpc(recs)]}
            ).encode()
        )
    ),
}

FORMS: dict[str, Callable[[Records], bytes]] = {
    form: lambda recs, build=build: build(recs, DEFAULT) for form, build in {**LINES, **NAMED}.items()
} | DEFAULTS
#: Where objects come inside objects, names have no order.
ORDERED = [form for form in FORMS if form != "Elastic"]


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Assert that two frames are equal; columns may stand in another order, which is judged by itself."""
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected)
    assert len(found.columns) == len(expected.columns)


# --- Every form, in every wrapping ---


def test_the_file_to_compare_with_holds_the_records():
    assert rows(ON_S3) == RECORDS
    assert rows(CUSTOM_ON_S3) == [
        {**dict.fromkeys(CUSTOM), **rec, "instance_tag": "my-app é" if rec.get("instance_tag") else None}
        for rec in CUSTOM_RECORDS
    ]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_records_of_the_file_on_s3(form):
    data = FORMS[form](RECORDS)
    same(read(data), ON_S3)
    bad = check(data)
    assert bad.empty
    assert list(bad.columns) == ["file", "line", "text", "reason"]


def files(data: dict[str, bytes]) -> list[io.BytesIO]:
    """Return open files with names for messages."""
    opened = [io.BytesIO(content) for content in data.values()]
    for file, name in zip(opened, data, strict=True):
        file.name = name
    return opened


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_records_of_the_file_on_s3_under_every_compression_and_in_every_encoding(form):
    data = FORMS[form](RECORDS)
    dressed = {name: dress(data) for name, dress in {**COMPRESSIONS, **ENCODINGS}.items()}
    dressed["UTF-16 in gzip"] = gz(ENCODINGS["UTF-16 of PowerShell"](data))
    assert fl.check(files(dressed)).empty
    same(fl.read(files(dressed)), read(text(RECORDS * len(dressed))))


@pytest.mark.parametrize("form", ORDERED)
def test_the_columns_stand_in_the_order_of_the_file(form):
    assert list(read(FORMS[form](RECORDS)).columns) == DEFAULT


@pytest.mark.parametrize("form", FORMS)
def test_one_record_is_enough_for_every_form(form):
    assert rows(read(FORMS[form](RECORDS[:1]))[DEFAULT]) == RECORDS[:1]


@pytest.mark.parametrize("form", FORMS)
def test_only_some_columns_of_some_time_are_read_from_every_form(form):
    span = pd.Timestamp(START + 3, unit="s"), pd.Timestamp(START + 6, unit="s")
    df = read(FORMS[form](RECORDS), columns=["bytes", "log-status"], time=span)
    assert rows(df) == [{"bytes": 2**40, "log_status": "OK"}, {"bytes": None, "log_status": "NODATA"}]


def test_no_columns_still_count_the_records_of_every_form():
    data = files({form: build(RECORDS) for form, build in FORMS.items()})
    assert fl.read(data, columns=[]).shape == (len(FORMS) * len(RECORDS), 0)


@pytest.mark.parametrize("form", LINES)
def test_millisecond_times_are_read_as_times_from_every_form_of_lines(form):
    records = [record(start=START * 1000 + 123, end=(START + 59) * 1000 + 999), record(start=(START + 5) * 1000)]
    found = rows(read(LINES[form](records, DEFAULT)))
    assert [(row["start"], row["end"]) for row in found] == [(START, START + 59), (START + 5, START + 59)]


@pytest.mark.parametrize("form", NAMED)
def test_millisecond_times_are_read_as_times_from_every_form_with_names(form):
    found = rows(read(NAMED[form]([record(start=START * 1000 + 123, end=(START + 59) * 1000)], DEFAULT)))
    assert [(row["start"], row["end"]) for row in found] == [(START, START + 59)]


@pytest.mark.parametrize("form", ["filter-log-events", "Athena CSV", "payload", "aws logs tail"])
@pytest.mark.parametrize("name", ["flows.log.gz", "flows.parquet", "flows.csv", "flows.json", "flows"])
def test_the_name_of_a_file_says_nothing(form, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMS[form](RECORDS))
    same(fl.read(path), ON_S3)


# --- Formats of one's own ---

WAYS_TO_SAY_THE_FORMAT = {
    "LogFormat": log_format(CUSTOM),
    "names": CUSTOM,
    "answer of describe-flow-logs": {
        "FlowLogs": [{"FlowLogId": "fl-1", "LogFormat": log_format(CUSTOM), "TrafficType": "ALL"}]
    },
    "one flow log of it": {
        "FlowLogId": "fl-1",
        "LogFormat": log_format(CUSTOM),
        "LogDestinationType": "cloud-watch-logs",
    },
}


@pytest.mark.parametrize("form", LINES)
def test_lines_of_any_format_are_read_from_every_form_with_fields(form):
    data = LINES[form](CUSTOM_RECORDS, CUSTOM)
    pd.testing.assert_frame_equal(read(data, fields=log_format(CUSTOM)), CUSTOM_ON_S3)
    assert check(data, fields=log_format(CUSTOM)).empty


@pytest.mark.parametrize("fields", WAYS_TO_SAY_THE_FORMAT)
@pytest.mark.parametrize("form", ["filter-log-events", "payload", "console CSV", "Insights @message", "export to S3"])
def test_the_format_can_be_given_in_several_ways(form, fields):
    data = LINES[form](CUSTOM_RECORDS, CUSTOM)
    pd.testing.assert_frame_equal(read(data, fields=WAYS_TO_SAY_THE_FORMAT[fields]), CUSTOM_ON_S3)


@pytest.mark.parametrize("form", ["filter-log-events", "payload", "console CSV", "Insights @message", "export to S3"])
def test_tags_get_their_names_from_every_form_of_lines(form):
    df = read(LINES[form](CUSTOM_RECORDS, CUSTOM), fields=CUSTOM, tag_keys={"instance-tag": "team"})
    assert [row["team"] for row in rows(df)] == [None, None, None, "my-app é"]


def spelled(form: str) -> dict[str, str]:
    """Return the name that a field unknown to AWS keeps: that of the file."""
    for how, spell in SPELLINGS.items():
        if how in form:
            return {spell("quantum_state"): "quantum_state"}
    return {"quantumState": "quantum_state"}


@pytest.mark.parametrize("form", NAMED)
def test_records_with_any_names_are_read_without_fields(form):
    df = read(NAMED[form](CUSTOM_RECORDS, CUSTOM)).rename(columns=spelled(form))
    same(df, CUSTOM_ON_S3)


def test_an_answer_about_several_flow_logs_of_one_format_is_enough_and_of_several_is_not():
    logs = [{"FlowLogId": f"fl-{number}", "LogFormat": log_format(CUSTOM)} for number in range(3)]
    data = filter_log_events(CUSTOM_RECORDS, CUSTOM)
    same(read(data, fields={"FlowLogs": logs}), CUSTOM_ON_S3)
    logs.append({"FlowLogId": "fl-9", "LogFormat": log_format(DEFAULT)})
    with pytest.raises(ValueError, match="fl-9"):
        read(data, fields={"FlowLogs": logs})


@pytest.mark.parametrize("answer", [{}, {"FlowLogs": []}, {"FlowLogs": [{"FlowLogId": "fl-1"}]}, {"FlowLogs": None}])
def test_an_answer_without_a_format_is_refused_with_what_to_pass(answer):
    with pytest.raises(ValueError, match="LogFormat"):
        read(filter_log_events(CUSTOM_RECORDS, CUSTOM), fields=answer)


@pytest.mark.parametrize("form", LINES)
def test_the_default_format_of_transit_gateways_is_known_in_every_form(form):
    data = LINES[form](TGW_RECORDS, ALL_TGW)
    assert rows(read(data)) == TGW_RECORDS
    assert list(read(data, fields="tgw").columns) == ALL_TGW


@pytest.mark.parametrize("form", LINES)
def test_a_format_of_ones_own_is_refused_in_every_form_with_what_to_pass(form):
    names = sorted(DEFAULT)
    with pytest.raises(fl.ParseError, match=r"fields='\$\{version\} .*describe-flow-logs") as caught:
        read(LINES[form](RECORDS, names))
    assert len(caught.value.bad_lines) == 1
    assert len(check(LINES[form](RECORDS, names))) == 1


#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html, the NAT gateway
NAT = [
    {
        "instance_id": instance,
        "interface_id": "eni-1235b8ca123456789",
        "srcaddr": "10.0.1.5",
        "dstaddr": "10.0.0.220",
        "pkt_srcaddr": "10.0.1.5",
        "pkt_dstaddr": "203.0.113.5",
    }
    for instance in (None, "i-01234567890123456")
]


@pytest.mark.parametrize("form", ["export to S3", "aws logs tail", "aws logs tail --format short"])
def test_the_time_of_the_event_is_the_start_where_the_format_has_none(form):
    df = read(LINES[form](NAT, list(NAT[0])), fields=list(NAT[0]))
    assert rows(df) == [{"start": START, **rec} for rec in NAT]


@pytest.mark.parametrize("form", ["filter-log-events", "subscription", "console CSV", "Firehose", "events[].message"])
def test_a_format_without_times_is_read_from_envelopes(form):
    df = read(LINES[form](NAT, list(NAT[0])), fields=list(NAT[0]))
    assert rows(df[list(NAT[0])]) == NAT


# --- Answers without records ---

NOTHING = {
    "no events": b'{"events": [], "searchedLogStreams": []}',
    "no events, pretty": json.dumps({"events": [], "searchedLogStreams": []}, indent=4).encode(),
    "no results": query_results([]),
    "no records of Kinesis": get_records(),
    "no records of Lambda": kinesis_event(),
    "no log events": subscription([]),
    "a control message": control_message(),
    "two control messages": control_message() + control_message(),
    "a control message in a payload": payload(control_message()).encode(),
    "a control message to Lambda": lambda_event(payload(control_message())),
    "an empty list": b"[]",
    "a search without hits": b'{"took": 3, "hits": {"total": {"value": 0}, "hits": []}}',
    "an empty message": b'{"message": ""}',
    "console CSV": console_csv([]),
    "Insights CSV": csv_of(["@timestamp", "@message"], []),
    "Athena CSV": athena_csv([]),
    "pandas CSV": pandas_csv(plain_frame(RECORDS).iloc[:0]),
    "Parquet": parquet([], DEFAULT),
}


@pytest.mark.parametrize("form", NOTHING)
def test_an_answer_without_records_is_an_empty_frame(form):
    df = read(NOTHING[form])
    assert len(df) == 0
    assert list(df.columns) == DEFAULT
    assert df.dtypes.map(str).to_dict() == ON_S3.dtypes.map(str).to_dict()
    assert check(NOTHING[form]).empty


def test_a_page_without_events_between_others_changes_nothing():
    for indent in (4, None):
        data = b'{"events": []}\n'.join(filter_log_events([rec], indent=indent) for rec in RECORDS)
        same(read(data), ON_S3)


# --- Neighbours in one file ---


def test_documents_may_stand_behind_each_other_in_any_way():
    docs = [json.dumps({"message": message}) for message in lines(RECORDS)]
    pretty = json.dumps(json.loads(docs[1]), indent=2)
    for data in (
        f"{docs[0]}\n{docs[1]}{docs[2]}\n{docs[3]}\n{docs[4]} {docs[5]}\n",
        f"{docs[0]}\n{pretty}\n" + "\n".join(docs[2:]),
        f"\n\n{docs[0]}\r\n\r\n{docs[1]}," + ",".join(docs[2:]),
        f"[{','.join(docs[:3])}]\n[{','.join(docs[3:])}]",
    ):
        same(read(data.encode()), ON_S3)


def test_records_with_names_may_stand_behind_each_other_in_any_way():
    docs = json_lines(RECORDS).decode().splitlines()
    for data in (
        f"{docs[0]}\n{docs[1]}{docs[2]}\n{docs[3]}{docs[4]} {docs[5]}\n",
        f"[{','.join(docs[:3])}][{','.join(docs[3:])}]",
        f"{docs[0]}\n" + "\n".join(json.dumps(json.loads(doc), indent=1) for doc in docs[1:]),
    ):
        same(read(data.encode()), ON_S3)


def test_forms_of_json_may_stand_behind_each_other_and_records_with_lines_come_first():
    data = filter_log_events(RECORDS[:2]) + subscription(RECORDS[2:4]) + json_lines(RECORDS[4:])
    same(read(data), ON_S3)


def test_text_lists_of_several_lines_in_one_message_are_read():
    joined = "\n".join(lines(RECORDS))
    for data in ({"message": joined}, {"events": [{"message": joined}]}, [joined], {"message": joined + "\r\n"}):
        same(read(json.dumps(data).encode()), ON_S3)


def test_payloads_may_hold_payloads():
    inner = subscription(RECORDS)
    same(read(lambda_event(payload(lambda_event(payload(inner))))), ON_S3)
    same(read(kinesis_event(payload(gz(inner)))), ON_S3)


def test_logs_insights_gives_the_line_and_some_fields_and_the_line_counts_more():
    found = [
        {
            "@timestamp": "2026-03-10 14:00:00.000",
            "@message": line(rec, DEFAULT),
            "srcAddr": rec["srcaddr"] or "-",
            "dstAddr": rec["dstaddr"] or "-",
        }
        for rec in RECORDS
    ]
    for data in (query_results(found), csv_of(list(found[0]), [list(row.values()) for row in found])):
        same(read(data), ON_S3)


def test_the_line_counts_more_in_the_json_that_the_console_exports_too():
    found = [
        {"@timestamp": "2026-03-10 14:00:00.000", "@message": line(rec, DEFAULT), "srcAddr": "-", "dstAddr": "-"}
        for rec in RECORDS
    ]
    same(read(json.dumps(found).encode()), ON_S3)


def test_of_a_line_in_an_unknown_format_the_fields_beside_it_are_read():
    row = {"@timestamp": "2026-03-10 14:00:00.000", "@message": line(CUSTOM_RECORDS[0], CUSTOM), "@ptr": "Cm"}
    row |= {"srcAddr": "10.0.0.5", "dstAddr": "10.0.1.9", "dstPort": "443"}
    expected = [{"start": START, "srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "dstport": 443}]
    assert rows(read(query_results([row]))) == expected
    assert rows(read(csv_of(list(row), [list(row.values())]))) == expected


def test_the_time_of_the_event_is_the_start_of_a_query_that_did_not_ask_for_it():
    row = {"@timestamp": "2026-03-10 14:00:00.000", "srcAddr": "10.0.0.5", "dstAddr": "10.0.1.9", "srcPort": "0"}
    assert rows(read(query_results([row]))) == [
        {"start": START, "srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "srcport": 0}
    ]


def test_the_pointer_and_other_bookkeeping_of_logs_insights_is_no_column():
    rec = {**said(named(record(), INSIGHTS, DEFAULT)), "@ptr": "Cm", "@log": "1:flows", "@logStream": STREAM}
    rec |= {"@ingestionTime": "1773151297123", "@timestamp": "2026-03-10 14:00:00.000"}
    for data in (query_results([rec]), csv_of(list(rec), [list(rec.values())]), json.dumps([rec]).encode()):
        assert rows(read(data)[DEFAULT]) == [record()]
        assert not [name for name in read(data) if name.startswith("@")]


def test_the_partitions_of_an_athena_table_are_kept_beside_the_fields():
    recs = [{**rec, "date": "2026-03-10", "aws_region": "eu-west-1"} for rec in RECORDS]
    df = read(athena_csv(recs, [*DEFAULT, "date", "aws_region"]))
    same(df[DEFAULT], ON_S3)
    assert rows(df[["date", "aws_region"]]) == [{"date": "2026-03-10", "aws_region": "eu-west-1"}] * len(recs)


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-10T14:00:00Z",
        "2026-03-10T14:00:00.000Z",
        "2026-03-10 14:00:00.000",
        "2026-03-10 14:00:00.999999",
        "2026-03-10 14:00:00.000 UTC",
        "2026-03-10 14:00:00+00:00",
        "2026-03-10T16:00:00+02:00",
        "2026-03-10 09:00:00-05:00",
        "1773151200",
        "1773151200000",
        "1773151200.0",
        " 1773151200 ",
    ],
)
def test_times_are_read_however_they_were_printed(time):
    rec = {**record(), "start": time}
    other = {**record(), "start": "-"}
    for recs in ([rec], [rec, other], [other, rec], [record(), rec]):
        found = [
            rows(read(data)) for data in (csv_of(DEFAULT, [list(r.values()) for r in recs]), json.dumps(recs).encode())
        ]
        expected = [START if r["start"] != "-" else None for r in recs]
        assert [[row["start"] for row in part] for part in found] == [expected, expected]


# --- pandas and Parquet ---


def round_trips() -> dict[str, bytes]:
    """Return a frame of `fl.read`, and one of somebody's own, as pandas writes them."""
    mine, own = ON_S3, plain_frame(RECORDS)
    times = own.assign(**{name: pd.to_datetime(own[name], unit="s") for name in ("start", "end")})
    return {
        "to_csv": pandas_csv(mine),
        "to_csv without index": pandas_csv(mine, index=False),
        "to_csv with a named index": pandas_csv(mine.rename_axis("Unnamed: 0")),
        "to_csv of floats": pandas_csv(own),
        "to_csv of times": pandas_csv(times),
        "to_csv of times with a zone": pandas_csv(times.assign(start=times["start"].dt.tz_localize("UTC"))),
        "to_csv in quotes": pandas_csv(mine, quoting=csv.QUOTE_ALL),
        "to_csv in gzip": gz(pandas_csv(mine)),
        "to_json of records": mine.to_json(orient="records", date_format="iso").encode(),
        "to_json of records, milliseconds": own.assign(start=own["start"] * 1000, end=own["end"] * 1000)
        .to_json(orient="records")
        .encode(),
        "to_json of lines": mine.to_json(orient="records", lines=True, date_format="iso").encode(),
        "to_json of lines, indented": own.to_json(orient="records", indent=2).encode(),
        "to_parquet": parquet_of(mine),
        "to_parquet of floats": parquet_of(own),
        "to_parquet of times": parquet_of(times),
        "to_parquet with an index of labels": parquet_of(mine.set_axis(list("abcdef"))),
    }


@pytest.mark.parametrize("how", round_trips())
def test_what_pandas_wrote_reads_back_as_it_was(how):
    same(read(round_trips()[how]), ON_S3)


@pytest.mark.parametrize("word", ["NaN", "nan", "None", "null", "NULL", "<NA>", "NaT", "", "-"])
def test_words_for_nothing_are_nothing_in_numbers_and_times(word):
    empty = dict.fromkeys(("srcport", "bytes", "protocol", "end"), word)
    recs = [record(), {**record(), **empty}, record()]
    expected = [record(), {**record(), **dict.fromkeys(empty)}, record()]
    assert rows(read(csv_of(DEFAULT, [list(rec.values()) for rec in recs]))) == expected
    assert rows(read(json.dumps(recs).encode())[DEFAULT]) == expected


@pytest.mark.parametrize("word", ["NaN", "nan", "None", "null", "NULL", "<NA>", "NaT", "", "-"])
def test_words_for_nothing_are_nothing_in_addresses_and_verdicts(word):
    empty = dict.fromkeys(("srcaddr", "dstaddr", "action"), word)
    recs = [record(), {**record(), **empty}, record()]
    expected = [record(), {**record(), **dict.fromkeys(empty)}, record()]
    assert rows(read(csv_of(DEFAULT, [list(rec.values()) for rec in recs]))) == expected
    assert rows(read(json.dumps(recs).encode())[DEFAULT]) == expected


def test_pandas_may_have_been_told_a_word_for_nothing():
    same(read(pandas_csv(plain_frame(RECORDS), na_rep="NaN")), ON_S3)


def test_python_prints_nan_in_json():
    rec = record(srcport=float("nan"), bytes=float("nan"))
    assert rows(read(json.dumps([rec]).encode())[DEFAULT]) == [record(srcport=None, bytes=None)]


def with_accounts(accounts: list[object], dtype: str) -> pd.DataFrame:
    recs = [record() for _ in accounts]
    return plain_frame(recs).assign(account_id=pd.Series(accounts, dtype=dtype))


ACCOUNTS = {
    "integers": (with_accounts([51856882135, 123456789010], "int64"), ["051856882135", "123456789010"]),
    "floats": (with_accounts([51856882135.0, None], "float64"), ["051856882135", None]),
}


@pytest.mark.parametrize("kind", ACCOUNTS)
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(parquet_of, id="Parquet"),
        pytest.param(lambda frame: frame.to_json(orient="records").encode(), id="JSON array"),
        pytest.param(lambda frame: frame.to_json(orient="records", lines=True).encode(), id="JSON lines"),
        pytest.param(lambda frame: frame.to_json(orient="records").encode() + b"\n[]", id="JSON arrays"),
        pytest.param(lambda frame: frame.to_csv().encode(), id="CSV"),
    ],
)
def test_an_account_that_somebody_made_a_number_gets_its_zeros_back(kind, write):
    frame, expected = ACCOUNTS[kind]
    assert [row["account_id"] for row in rows(read(write(frame)))] == expected


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()), pa.binary()],
    ids=str,
)
def test_parquet_text_of_any_arrow_type_gives_the_records_of_the_file_on_s3(kind):
    table = pa.table(
        {
            name: pa.array([rec[name] for rec in RECORDS])
            if name in NUMBERS or name in ("start", "end")
            else pa.array(["-" if rec[name] is None else rec[name] for rec in RECORDS], pa.string()).cast(kind)
            for name in DEFAULT
        }
    )
    same(read(parquet_of(table)), ON_S3)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_parquet_times_of_any_arrow_type_are_read(unit, zone):
    stored = pa.array([START, None], pa.timestamp("s", "UTC")).cast(pa.timestamp(unit, "UTC"))
    kind = pa.timestamp(unit if unit != "s" else "ms", zone)
    table = pa.table({"srcaddr": ["::1"] * 2, "dstaddr": ["::2"] * 2, "start": stored.cast(kind)})
    assert [row["start"] for row in rows(read(parquet_of(table)))] == [START, None]


# --- Fields that nobody knows, values that somebody changed ---

UNKNOWN = {
    "hop": 5,
    "flag": True,
    "share": 1.5,
    "when": "2026-03-10T14:00:00Z",
    "code": "007",
    "word": "NaN",
    "x-y": "é ,\"'",
}
AS_TEXT = {**UNKNOWN, "hop": "5", "flag": "true", "share": "1.5"}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda recs: json.dumps(recs).encode(), id="array"),
        pytest.param(lambda recs: json.dumps(recs, indent=4).encode(), id="pretty array"),
        pytest.param(lambda recs: "\n".join(json.dumps(rec) for rec in recs).encode(), id="lines"),
        pytest.param(lambda recs: "".join(json.dumps(rec) for rec in recs).encode(), id="nothing between"),
        pytest.param(lambda recs: json.dumps([{**rec, "o": {}} for rec in recs]).encode(), id="with objects"),
    ],
)
def test_json_fields_that_nobody_knows_are_kept_as_text(write):
    df = read(write([{**record(), **UNKNOWN}, {**record(), "hop": 6, "flag": False}]))
    kept = df.rename(columns={"x_y": "x-y"})[[*UNKNOWN]]
    assert rows(kept)[0] == AS_TEXT
    assert rows(kept)[1] == {**dict.fromkeys(UNKNOWN), "hop": "6", "flag": "false"}
    assert {str(dtype) for dtype in kept.dtypes} == {"category"}


def test_csv_fields_that_nobody_knows_are_kept_as_text():
    values = ["1.50", "007", "True", "2026-03-10T14:00:00Z", 'a "b", c', "NaN"]
    names = ["share", "code", "flag", "when", "words", "word"]
    df = read(csv_of([*DEFAULT, *names], [[*record().values(), *values], [*record().values(), "", "-", *values[2:]]]))
    assert rows(df[names]) == [
        dict(zip(names, values, strict=True)),
        dict(zip(names, [None, None, *values[2:]], strict=True)),
    ]


def test_lists_and_objects_inside_a_record_are_kept_as_text():
    rec = {**record(), "tags": {"team": "a", "more": {"deep": 1}}, "list": [1, "b"], "nothing": None, "empty": {}}
    found = rows(read(json.dumps([rec]).encode()))[0]
    assert (found["tags.team"], found["tags.more.deep"], found["list"]) == ("a", "1", '[1, "b"]')


def test_a_number_that_nobody_knows_keeps_all_its_digits():
    rec = {**record(), "sequence": 12345678901234567890}
    assert rows(read(json.dumps(rec).encode()))[0]["sequence"] == str(rec["sequence"])


@pytest.mark.parametrize("name", ["instance_tag", "vpc_id", "ecs_service_name"])
def test_text_that_looks_like_a_date_stays_as_it_was(name):
    recs = [record(**{name: None}), record(**{name: "2026-03-10"})]
    for data in (json_lines(recs, [*DEFAULT, name]), json_array(recs, [*DEFAULT, name])):
        assert [row[name] for row in rows(read(data))] == [None, "2026-03-10"]


def test_a_name_as_aws_writes_it_goes_before_another_word_for_the_same_field():
    rec = {"src_ip": "192.0.2.1", **record(), "srcAddr": "192.0.2.2"}
    df = read(json.dumps(rec).encode())
    assert rows(df[["srcaddr", "src_ip", "srcAddr"]]) == [
        {"srcaddr": "10.0.0.5", "src_ip": "192.0.2.1", "srcAddr": "192.0.2.2"}
    ]


def test_values_of_json_may_be_of_several_types():
    recs = [record(), record(srcport="443", bytes=840.0, start="2026-03-10T14:00:00Z"), record(srcport=443.0, end="-")]
    expected = [record(), record(srcport=443), record(srcport=443, end=None)]
    for data in (json.dumps(recs), "\n".join(map(json.dumps, recs))):
        assert rows(read(data.encode())[DEFAULT]) == expected


def test_protocols_may_have_names_in_records_with_names():
    recs = [record(protocol=name) for name in ("TCP", "udp", "icmp", "6")]
    for data in (json.dumps(recs).encode(), csv_of(DEFAULT, [list(rec.values()) for rec in recs])):
        assert [row["protocol"] for row in rows(read(data))] == [6, 17, 1, 6]


# --- Published samples ---


def test_what_elastic_publishes_as_a_sample_event_is_read():
    # https://github.com/elastic/integrations/blob/main/packages/aws/data_stream/vpcflow/sample_event.json
    event = {
        "destination": {"port": 22, "address": "2001:db8:1234:a102::4071", "ip": "2001:db8:1234:a102::4071"},
        "source": {"address": "2001:db8::f105", "port": 34892, "bytes": 8855, "packets": 54, "ip": "2001:db8::f105"},
        "tags": ["preserve_original_event"],
        "network": {"transport": "tcp", "type": "ipv6", "bytes": 8855, "iana_number": "6", "packets": 54},
        "cloud": {"provider": "aws", "account": {"id": "123456789010"}},
        "@timestamp": "2016-10-31T11:37:00.000Z",
        "event": {"kind": "event", "start": "2016-10-31T11:35:08.000Z", "end": "2016-10-31T11:37:00.000Z"},
        "aws": {
            "vpcflow": {
                "action": "ACCEPT",
                "account_id": "123456789010",
                "log_status": "OK",
                "interface_id": "eni-1235b8ca123456789",
                "version": "2",
            }
        },
    }
    expected = record(
        srcaddr="2001:db8::f105",
        dstaddr="2001:db8:1234:a102::4071",
        srcport=34892,
        dstport=22,
        packets=54,
        bytes=8855,
        start=1477913708,
        end=1477913820,
    )
    for indent in (4, None):
        assert rows(read(json.dumps(event, indent=indent).encode())[DEFAULT]) == [expected]


def test_what_the_firehose_endpoint_of_coralogix_gets_is_read():
    # Base64 of JSON, not of gzip; the test is in https://github.com/coralogix (decode_and_decompress)
    data = (
        "eyJtZXNzYWdlIjoiMiAwNTg2OTQ4NTY0NzYgZW5pLTAzYzBmNWJhNzlhNjZlZjE3IDEwLjMuMTY2LjcxIDEwLjMuMTQxLjIwOSA0NDMg"
        "Mzg2MzQgNiAxMDMgNDI5MjYgMTY4MDgzODU1NiAxNjgwODM4NTc4IEFDQ0VQVCBPSyJ9Cg=="
    )
    found = rows(read(json.dumps({"requestId": "a", "timestamp": 1, "records": [{"data": data}] * 2}).encode()))
    assert [(row["account_id"], row["dstport"], row["bytes"]) for row in found] == [("058694856476", 38634, 42926)] * 2


#: https://github.com/open-telemetry/opentelemetry-collector-contrib, awslogsencodingextension, testdata of vpc-flow-log
OTEL_CUSTOM = (
    b'{"messageType":"DATA_MESSAGE","owner":"123456789012","logGroup":"/aws/vpc/flowlogs","logStream":"eni-1234567890",'
    b'"subscriptionFilters":["MyFlowLogFilter"],"logEvents":[{"id":"35601","timestamp":1733430000000,'
    b'"message":"2 eni-1235b8ca123456789 172.31.16.139 172.31.16.21"},{"id":"35602","timestamp":1733430001000,'
    b'"message":"2 eni-1235b8ca123456789 172.31.9.69 172.31.9.12"}]}'
)


def test_a_short_format_of_version_2_is_refused_without_fields_and_read_with_them():
    with pytest.raises(fl.ParseError, match="fields="):
        read(OTEL_CUSTOM)
    found = read(OTEL_CUSTOM, fields="${version} ${interface-id} ${srcaddr} ${dstaddr}")
    assert [row["dstaddr"] for row in rows(found)] == ["172.31.16.21", "172.31.9.12"]


def test_a_custom_format_of_a_transit_gateway_is_refused_and_not_guessed():
    # valid_tgw_flow_cw.json of the same folder: 25 of the 36 fields
    message = (
        "6 123456789012 tgw-0abc12345def67890 tgw-attach-0abc12345def67890 vpc-0abc12345def67890 vpc-0def12345abc67890 "
        "subnet-0abc12345def67890 subnet-0def12345abc67890 eni-0abc12345def67890 eni-0def12345abc67890 use1-az1 "
        "use1-az2 tgw-attach-0def12345abc67890 10.0.0.1 10.0.1.1 12345 443 6 10 1000 1700000000 1700000060 OK IPv4 2 "
        "ingress us-east-1"
    )
    data = {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "timestamp": 1700000060000, "message": message}]}
    with pytest.raises(fl.ParseError, match="fields="):
        read(json.dumps(data).encode())


# --- Several files ---


def test_a_folder_of_all_forms_gives_the_records_of_all_in_the_order_of_the_files(tmp_path):
    forms = {**FORMS, "text": text, "Parquet": parquet}
    for place, build in enumerate(forms.values()):
        compress = list(COMPRESSIONS.values())[place % len(COMPRESSIONS)]
        (tmp_path / f"{place:03}.dat").write_bytes(
            compress(build([record(packets=0, bytes=place), nodata(start=START + place)]))
        )
    df = fl.read(tmp_path)
    assert df["bytes"].tolist()[::2] == list(range(len(forms)))
    assert df["log_status"].tolist() == ["OK", "NODATA"] * len(forms)
    assert [row["start"] - START for row in rows(df)][1::2] == list(range(len(forms)))
    assert fl.check(tmp_path).empty


def test_one_call_reads_lines_of_a_custom_format_beside_forms_with_names(tmp_path):
    for place, data in enumerate(
        (
            filter_log_events(CUSTOM_RECORDS, CUSTOM),
            text(RECORDS),
            athena_csv(RECORDS),
            export_to_s3(CUSTOM_RECORDS, CUSTOM),
        )
    ):
        (tmp_path / f"{place}.dat").write_bytes(data)
    df = fl.read(tmp_path, fields=log_format(CUSTOM))
    counts = len(CUSTOM_RECORDS), len(RECORDS)
    assert len(df) == 2 * sum(counts)
    assert rows(df.iloc[counts[0] : counts[0] + counts[1]][DEFAULT]) == RECORDS
    assert rows(df.iloc[-counts[0] :][["vpc_id"]]) == [{"vpc_id": rec.get("vpc_id")} for rec in CUSTOM_RECORDS]


LARGE: dict[str, Callable[[Records], bytes]] = {
    "Firehose": firehose_lines,
    "Firehose, nothing between": lambda recs: firehose_lines(recs, end=""),
    "filter-log-events": filter_log_events,
    "filter-log-events, compact pages": lambda recs: filter_log_events(recs, pages=9, indent=None),
    "events[].message": line_array,
    "subscriptions": lambda recs: b"".join(subscription(recs[place : place + 7]) for place in range(0, len(recs), 7)),
    "parseVPC events": DEFAULTS["parseVPC events"],
    "parseVPC through Firehose": DEFAULTS["parseVPC through Firehose"],
    "JSON lines": json_lines,
    "JSON lines, dashes": lambda recs: b"".join(f"{row}\n".encode() for row in parse_vpc(recs)),
    "JSON lines, nothing between": lambda recs: json_lines(recs, end=""),
    "JSON array": json_array,
    "JSON array, compact": lambda recs: json_array(recs, indent=None),
    "get-query-results": insights_results,
    "get-query-results, compact": lambda recs: insights_results(recs, indent=None),
    "Insights @message": insights_messages,
    "Athena CSV": athena_csv,
    "export to S3": lambda recs: export_to_s3(recs, DEFAULT),
}


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("form", LARGE)
def test_large_files_are_read_in_pieces_and_give_the_same_records(form, threads, tmp_path, monkeypatch):
    monkeypatch.setattr("flowlens.parse.pieces._PIECE", 3000)
    records = [
        record(bytes=number, srcport=number % 65536) if number % 50 else nodata(start=START + number)
        for number in range(1, 700)
    ]
    data = LARGE[form](records)
    assert len(data) > 20 * 3000
    # One file is read on all cores; of several, each on one.
    paths = [tmp_path / f"{copy}" for copy in range(1 if threads else 3)]
    for path in paths:
        path.write_bytes(data)
    expected = read(text(records))
    same(fl.read(paths), pd.concat([expected] * len(paths), ignore_index=True))


@pytest.mark.parametrize("place", [0, 77, 698])
@pytest.mark.parametrize("form", [form for form in LARGE if form not in {"Athena CSV", "export to S3"}])
def test_a_bad_value_in_a_large_file_is_reported_with_its_number(form, place, monkeypatch):
    monkeypatch.setattr("flowlens.parse.pieces._PIECE", 3000)
    records = [record(bytes=number) for number in range(699)]
    data = LARGE[form]([*records[:place], record(srcaddr="10.0.0.256"), *records[place + 1 :]])
    bad = check(data)
    assert bad["line"].tolist() == [place + 1]
    assert bad["reason"].tolist() == ["srcaddr is '10.0.0.256', not an IP address"]
    rest = read(data, on_bad_lines="skip")
    same(rest, read(text(records[:place] + records[place + 1 :])))


def test_rows_of_results_may_lack_fields_and_have_them_in_any_order():
    rng = random.Random(7)
    answer = []
    for number in range(200):
        cells = [
            *(
                {"field": name, "value": str(value)}
                for name, value in [("srcAddr", "10.0.0.1"), ("dstAddr", "10.0.0.2"), ("srcPort", number)]
            ),
            *({"field": "bytes", "value": str(2**40 + number)} for _ in range(number % 3 > 0)),
        ]
        rng.shuffle(cells)
        answer.append(cells)
    df = read(json.dumps({"results": answer, "status": "Complete"}).encode())
    assert df["srcport"].tolist() == list(range(200))
    counts = [2**40 + number if number % 3 else None for number in range(200)]
    assert df["bytes"].astype("object").where(df["bytes"].notna(), None).tolist() == counts


@pytest.mark.parametrize("form", ["{0}", "[{0}]", '{{"message": {1}}}', '{{"events": [{{"message": {1}}}]}}'])
def test_a_dash_stands_for_a_missing_number_and_is_kept_inside_texts(form):
    row = {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": START, "srcport": 5, "note": 'a: "-", b:"-" \\'}
    rows_of_json = [json.dumps(row), json.dumps({**row, "srcport": "-", "note": "-"}), json.dumps(row)]
    df = read("\n".join(form.format(one, json.dumps(one)) for one in rows_of_json).encode())
    assert df["srcport"].tolist() == [5, pd.NA, 5]
    assert df["note"].tolist()[::2] == [row["note"]] * 2
    assert df["note"].isna().tolist() == [False, True, False]


SMALL = {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": START, "srcport": 1}


@pytest.mark.parametrize("wrap", ["{0}", '{{"message": {1}}}'])
@pytest.mark.parametrize("odd", ["null", "5", '"x"', "[]", "{}"])
def test_a_piece_of_a_file_may_begin_with_anything(odd, wrap, monkeypatch):
    # Arrow crashes on a text that begins with null.
    monkeypatch.setattr("flowlens.parse.pieces._PIECE", 3000)
    good = json.dumps(SMALL)
    for before in range(20, 60):
        rows_of_json = [*[good] * before, odd, *[good] * 100]
        data = "".join(f"{wrap.format(one, json.dumps(one))}\n" for one in rows_of_json).encode()
        assert len(read(data, on_bad_lines="skip")) == before + 100


@pytest.mark.parametrize("order", ["control first", "control between", "type behind the events"])
def test_control_messages_hide_no_record_of_a_large_file(order, monkeypatch):
    monkeypatch.setattr("flowlens.parse.pieces._PIECE", 3000)

    def document(kind: str, count: int) -> str:
        events_of = {
            "logEvents": [{"id": "1", "message": line(record(bytes=number), DEFAULT)} for number in range(count)]
        }
        said_first = {"messageType": kind, "owner": "123456789010"}
        return json.dumps({**events_of, **said_first} if "behind" in order else {**said_first, **events_of})

    control, data = document("CONTROL_MESSAGE", 1), document("DATA_MESSAGE", 400)
    body = {"control first": control + data * 3, "control between": data + control + data * 2}.get(order, data * 3)
    assert read(body.encode())["bytes"].tolist() == list(range(400)) * 3


@pytest.mark.parametrize("column", ["bytes", "packets", "start"])
@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 2**64, 10**30])
def test_a_number_larger_than_a_counter_is_a_bad_value_in_every_form(column, number):
    forms = [
        json.dumps({**SMALL, column: number}),
        json.dumps({**SMALL, column: str(number)}),
        json.dumps({"results": [[{"field": name, "value": str(v)} for name, v in {**SMALL, column: number}.items()]]}),
        ",".join({**SMALL, column: 1}) + "\n" + ",".join(map(str, {**SMALL, column: number}.values())) + "\n",
    ]
    for form in forms:
        bad = check(form.encode())
        assert len(bad) == 1, form
        assert str(number)[:10] in bad["text"][0]


def cells(**values: object) -> list[dict[str, object]]:
    return [{"field": name, "value": str(value)} for name, value in values.items()]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "a lone JSON value is no flow log record"),
        ([*cells(**SMALL), {"field": "packets", "vlue": "41"}], "a field of this row has no value"),
        (
            [*cells(**SMALL), {"field": "srcaddr", "value": "9.9.9.9"}],
            "a field stands in this row more than once, with different values",
        ),
    ],
)
def test_an_odd_row_of_results_is_reported_as_one_and_costs_no_other(row, reason):
    data = json.dumps({"results": [cells(**SMALL), row, cells(**SMALL)], "status": "Complete"}).encode()
    bad = check(data)
    assert bad[["line", "reason"]].to_numpy().tolist() == [[2, reason]]
    assert len(read(data, on_bad_lines="skip")) == 2


def test_a_cell_of_results_may_say_more_and_repeat_itself():
    row = [{**cell, "type": "text"} for cell in cells(**SMALL)]
    assert len(read(json.dumps({"results": [row, [*row, row[0]], cells(**SMALL)]}).encode())) == 3


def test_half_of_a_surrogate_pair_in_a_name_is_read():
    df = read(json.dumps({**SMALL, "\ud800": 1}).encode())
    assert df["\N{REPLACEMENT CHARACTER}"].tolist() == ["1"]


def test_damage_beside_a_dash_is_not_mended():
    good = json.dumps({**SMALL, "note": "x"}) + "\n"
    for note in ('"a: "-" b"', '"a: "-", b"', '"a: "-"'):
        damaged = f'{json.dumps({**SMALL, "srcport": "-"})[:-1]}, "note": {note}}}\n'
        data = (good * 2 + damaged + good).encode()
        assert check(data)["line"].tolist() == [3]
        assert len(read(data, on_bad_lines="skip")) == 3


@pytest.mark.parametrize("other", [1, True])
def test_an_object_with_one_field_is_no_record_whatever_stands_beside_it(other):
    objects = [SMALL, {"srcaddr": "10.0.0.1"}, {"srcport": other}]
    assert check("\n".join(map(json.dumps, objects)).encode())["line"].tolist() == [2, 3]


def test_a_float_beside_large_integers_costs_no_digit_and_text_keeps_its_own():
    data = "\n".join(json.dumps({**SMALL, "bytes": value, "note": 1.0}) for value in (1.0, 2**53 + 1)).encode()
    df = read(data)
    assert df["bytes"].tolist() == [1, 2**53 + 1]
    assert df["note"].tolist() == ["1.0", "1.0"]


@pytest.mark.parametrize("beside", [{}, {"account_id": "unknown"}])
@pytest.mark.parametrize("account", [0, 12, 1_234_567, 51_856_882_135])
def test_an_account_that_is_a_number_gets_its_zeros_whatever_stands_beside_it(account, beside):
    data = "\n".join(json.dumps(row) for row in ({**SMALL, "account_id": account}, {**SMALL, **beside})).encode()
    assert read(data)["account_id"][0] == str(account).zfill(12)


def test_a_message_beside_the_fields_of_a_record_is_a_field():
    df = read("\n".join([json.dumps({**SMALL, "message": "flow seen"})] * 3).encode())
    assert df["srcport"].tolist() == [1, 1, 1]
    assert df["message"].tolist() == ["flow seen"] * 3


@pytest.mark.parametrize(
    "damage", ['{"a"' + "\n" * 200_000, '{"a\n' * 100_000, json.dumps(SMALL)[:-5] + "\n \n" * 50_000]
)
def test_much_damage_takes_no_long_time(damage):
    begin = time.monotonic()
    assert len(check((json.dumps(SMALL) + "\n" + damage).encode())) >= 1
    assert time.monotonic() - begin < 20  # a hundred times what it takes; it was hours


# --- One bad item among good ones ---

GOOD = [record(packets=0, bytes=number, srcport=40_000 + number, start=START + number) for number in range(6)]
PLACES = {"in the middle, two together": [2, 2], "at both ends": [0, 6]}


def with_bad(bad: dict[str, object], places: list[int]) -> tuple[list[dict[str, object]], list[int]]:
    """Return the good records with bad ones before those at some places, and where the bad ones then are."""
    records = list(GOOD)
    for place in reversed(places):
        records.insert(place, bad)
    return records, [number for number, rec in enumerate(records) if rec is bad]


def line_of(form: str, place: int) -> int:
    """Return the number that a record has in a form: that of its line, or its own."""
    if "quotes" in form and "console" in form:
        return 2 * place + 2
    return place + (2 if "CSV" in form else 1)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_a_bad_value_is_reported_with_its_place_and_all_others_are_read(form, where):
    records, places = with_bad(record(srcport="http", start=START + 50), PLACES[where])
    data = FORMS[form](records)
    bad = check(data)
    assert bad["line"].tolist() == [line_of(form, place) for place in places]
    assert set(bad["reason"]) == {"srcport is 'http', not a whole number from 0 to 65535"}
    assert all("http" in shown and "10.0.0.5" in shown for shown in bad["text"])
    with pytest.warns(UserWarning, match=r"^2 lines could not be read"):
        kept = read(data, on_bad_lines="warn")
    assert rows(kept[DEFAULT]) == GOOD
    # Law 2: what is read and what is reported is all there is.
    assert len(kept) + len(bad) == len(records)


@pytest.mark.parametrize("form", LINES)
def test_a_parse_error_names_the_first_bad_item_of_every_form_and_counts_the_others(form):
    records, places = with_bad(record(srcport="http"), [3, 5])
    with pytest.raises(fl.ParseError, match=r"srcport is 'http'(.|\n)*and 1 more bad line") as caught:
        read(LINES[form](records, DEFAULT))
    assert caught.value.line == line_of(form, places[0])
    assert len(caught.value.bad_lines) == 2


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize(
    ("bad", "count"),
    [
        ("2 123456789010 eni-1 10.0.0.5", 4),
        (line(GOOD[0], DEFAULT) + " more", 15),
    ],
)
def test_a_bad_line_is_reported_with_its_text_and_all_others_are_read(form, bad, count):
    records = [{"line": line(rec, DEFAULT), "start": rec["start"]} for rec in GOOD]
    records.insert(3, {"line": bad, "start": START})
    data = LINES[form](records, ["line"])
    found = check(data)
    before = 2 if "tail" in form and "short" not in form else 1 if "tail" in form or form == "export to S3" else 0
    assert found["line"].tolist() == [line_of(form, 3)]
    assert found.loc[0, "text"].endswith(bad)
    assert found.loc[0, "reason"] == f"{count + before} values where the format has {14 + before} fields"
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == GOOD


@pytest.mark.parametrize(
    "form",
    ["get-query-results", "Insights CSV", "Athena CSV", "JSON lines, hyphenated", "JSON array, compact", "pandas CSV"],
)
@pytest.mark.parametrize(
    ("column", "value"),
    [("dstaddr", "nowhere"), ("action", "MAYBE"), ("bytes", "-1"), ("protocol", "300"), ("start", "noon")],
)
def test_a_bad_value_of_any_field_is_reported_with_the_name_of_aws(form, column, value):
    records, _ = with_bad(record(**{column: value}), [2])
    bad = check(NAMED[form](records, DEFAULT))
    assert bad["line"].tolist() == [line_of(form, 2)]
    assert bad.loc[0, "reason"].startswith(f"{column} is {value!r}")
    assert rows(read(NAMED[form](records, DEFAULT), on_bad_lines="skip")[DEFAULT]) == GOOD


def test_bad_items_of_several_files_are_named_with_their_files_in_order(tmp_path):
    bad = record(srcport="http")
    paths = []
    for place, form in enumerate(FORMS):
        paths.append(tmp_path / f"{place:03}.dat")
        paths[-1].write_bytes(FORMS[form]([*GOOD[:2], bad, *GOOD[2:]] if place % 2 else GOOD))
    found = fl.check(tmp_path)
    assert found["file"].tolist() == [str(path) for path in paths[1::2]]
    assert found["line"].tolist() == [line_of(form, 2) for form in list(FORMS)[1::2]]
    assert rows(fl.read(tmp_path, on_bad_lines="skip")[DEFAULT]) == GOOD * len(FORMS)


def test_one_file_in_an_unknown_format_hides_no_other(tmp_path):
    (tmp_path / "a.json").write_bytes(filter_log_events(GOOD))
    (tmp_path / "b.json").write_bytes(filter_log_events(GOOD, sorted(DEFAULT)))
    (tmp_path / "c.csv").write_bytes(athena_csv(GOOD))
    with pytest.warns(UserWarning, match=r"b\.json.*fields="):
        assert rows(fl.read(tmp_path, on_bad_lines="warn")) == GOOD * 2
    assert fl.check(tmp_path)["file"].tolist() == [str(tmp_path / "b.json")]


def test_a_message_that_is_json_but_no_record_is_reported_and_the_lines_beside_it_are_read():
    odd = {"level": "INFO", "text": "subscribed"}
    found = [*events(GOOD[:2]), {"message": json.dumps(odd)}, *events(GOOD[2:])]
    data = json.dumps({"events": found}, indent=4).encode()
    assert check(data)["line"].tolist() == [3]
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == GOOD


@pytest.mark.parametrize("value", ["5", "null", "true", '"words"', "[]", "{}", '{"a": 1}'])
def test_a_value_among_records_that_is_none_is_reported_or_empty(value):
    docs = json_lines(GOOD).decode().splitlines()
    data = f"[{','.join([*docs[:2], value, *docs[2:]])}]".encode()
    bad = check(data)
    assert bad["line"].tolist() == ([] if value == "[]" else [3])
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == GOOD


# --- Damage ---

BYTES_LOST = {"quote": b'"', "comma": b",", "colon": b":"}
LISTS: dict[str, Callable[[Records], bytes]] = {
    form: FORMS[form]
    for form in (
        "filter-log-events", "filter-log-events, compact", "get-log-events", "subscription", "subscription, pretty",
        "subscription, extracted fields", "get-query-results", "get-query-results, compact", "Insights @message",
        "Insights JSON", "JSON array, underscored", "JSON array, compact", "Firehose", "Firehose, nothing between",
        "JSON lines, underscored", "JSON lines, nothing between", "Elastic", "parseVPC events",
    )
}  # fmt: skip
MANY = [record(packets=0, bytes=number, srcport=40_000 + number, start=START + number) for number in range(30)]


@pytest.mark.parametrize(
    ("form", "lost"),
    [
        (form, lost)
        for form in LISTS
        for lost in BYTES_LOST
        # Where the line is the last value of its object, only its quote stands between it and the end.
        if lost == "quote" or not form.startswith(("Firehose", "subscription")) or "extracted" in form
    ],
)
def test_a_byte_lost_in_one_element_of_a_list_costs_that_record_only(form, lost):
    data = LISTS[form](MANY)
    within = data.index(b"40017")
    # What is lost stands behind the number, before the element ends.
    place = data.index(BYTES_LOST[lost], within)
    damaged = data[:place] + data[place + 1 :]
    owner = [number for number, rec in enumerate(MANY) if data.find(str(rec["srcport"]).encode()) <= place][-1]
    bad = check(damaged)
    assert bad["line"].tolist() == [owner + 1]
    assert "JSON" in bad.loc[0, "reason"]
    assert rows(read(damaged, on_bad_lines="skip")[DEFAULT]) == [rec for rec in MANY if rec is not MANY[owner]]


def test_a_quote_lost_in_a_list_of_lines_is_reported_and_no_line_before_it_is_lost():
    # What comes behind it reads as texts where there are commas, and the other way round.
    data = line_array(MANY)
    place = data.index(b'"', data.index(b"40017"))
    damaged = data[:place] + data[place + 1 :]
    kept = rows(read(damaged, on_bad_lines="skip"))
    assert kept[:17] == MANY[:17]
    assert all(rec in MANY for rec in kept)
    assert not check(damaged).empty


@pytest.mark.parametrize("form", ["filter-log-events", "filter-log-events, compact", "subscription"])
def test_a_brace_lost_before_an_element_of_a_list_is_reported(form):
    data = LISTS[form](MANY)
    place = data.rindex(b"{", 0, data.index(b"40017"))
    damaged = data[:place] + data[place + 1 :]
    kept, bad = read(damaged, on_bad_lines="skip"), check(damaged)
    assert rows(kept) == [rec for rec in MANY if rec is not MANY[17]]
    assert bad["line"].tolist()[0] == 18


@pytest.mark.parametrize("bracket", [b"[", b"]"])
def test_a_bracket_lost_around_a_row_of_results_is_reported_and_costs_no_other_row(bracket):
    data = insights_results(MANY)
    place = data.rindex(b"[", 0, data.index(b"40017")) if bracket == b"[" else data.index(b"]", data.index(b"40017"))
    damaged = data[:place] + data[place + 1 :]
    assert rows(read(damaged, on_bad_lines="skip")[DEFAULT]) == [rec for rec in MANY if rec is not MANY[17]]
    assert not check(damaged).empty


@pytest.mark.parametrize("which", ["opening", "closing"])
def test_a_quote_lost_beside_a_message_with_a_line_end_costs_no_other_row(which):
    data = console_csv(MANY, newline="\n")
    within = data.index(b"40017")
    place = data.rindex(b'"', 0, within) if which == "opening" else data.index(b'"', within)
    damaged = data[:place] + data[place + 1 :]
    kept = rows(read(damaged, on_bad_lines="skip"))
    assert [rec for rec in MANY if rec not in kept] in ([], [MANY[17]])
    assert not check(damaged).empty


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("compress", [bytes, gz], ids=["plain", "gzip"])
def test_json_cut_short_inside_a_record_gives_the_records_before_it_and_says_so(form, compress):
    whole = LISTS[form](MANY)
    data = compress(whole[: whole.index(b"40017") + 3])
    bad = check(data)
    assert bad["line"].tolist() == [18]
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == MANY[:17]


@pytest.mark.parametrize(
    "form", [form for form in LISTS if not form.startswith(("Firehose", "Elastic", "JSON lines", "subscription"))]
)
def test_json_cut_short_between_two_records_says_so(form):
    whole = LISTS[form](MANY)
    closing = b"]" if "query-results" in form or form == "Insights @message" else b"}"
    data = whole[: whole.rindex(closing, 0, whole.index(b"40017")) + 1]
    kept = rows(read(data, on_bad_lines="skip")[DEFAULT])
    assert kept == MANY[: len(kept)]
    assert 0 < len(kept) < len(MANY)
    assert not check(data).empty


@pytest.mark.parametrize("compression", ["gzip", "zstd", "bzip2"])
@pytest.mark.parametrize("form", ["filter-log-events", "Firehose", "Athena CSV", "console CSV", "export to S3"])
def test_a_compressed_file_cut_short_is_reported_and_what_is_read_of_it_is_right(form, compression):
    many = [record(bytes=number * 7919 % 104_729, srcport=number, start=START + number) for number in range(1500)]
    data = COMPRESSIONS[compression](FORMS[form](many))
    for length in (len(data) // 3, len(data) - 9):
        found = check(data[:length])
        assert "truncated" in found["reason"].iloc[-1]
        try:
            kept = rows(read(data[:length], on_bad_lines="skip")[DEFAULT])
        except fl.ParseError:
            kept = []
        assert kept == many[: len(kept)]
        if compression == "gzip":
            assert len(kept) > len(many) // 4


@pytest.mark.parametrize("before", ["", "  ", "\t"], ids=["nothing", "spaces", "tab"])
def test_an_object_in_a_message_is_seen_behind_white_space_and_other_messages(before):
    messages = [line(GOOD[0], DEFAULT), *(f"{before}{one}" for one in parse_vpc(GOOD[1:]))]
    df = read(json.dumps({"events": [{"message": message} for message in messages]}).encode())
    assert sorted(df["bytes"].dropna()) == sorted(rec["bytes"] for rec in GOOD if rec["bytes"] is not None)
    assert len(df) == len(GOOD)


def test_of_a_damaged_gzip_every_record_before_the_damage_is_kept():
    many = [record(bytes=number * 7919 % 104_729, srcport=number, start=START + number) for number in range(3000)]
    stream = zlib.compressobj(wbits=31)
    sound = stream.compress(text(many)) + stream.flush(zlib.Z_FULL_FLUSH)
    broken = b"\x06" * 1000  # where the next block begins: one of the type that deflate does not have
    found = check(sound + broken)
    assert "damaged" in found["reason"].iloc[-1]
    assert rows(read(sound + broken, on_bad_lines="skip")[DEFAULT]) == many


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["Unix", "Windows", "old Mac"])
def test_of_a_gzip_cut_short_the_cut_line_is_named_whatever_ends_lines(end):
    many = [record(bytes=number * 7919 % 104_729, srcport=number, start=START + number) for number in range(200)]
    stream = zlib.compressobj(wbits=31)
    cut = f"{end.join(text(many).decode().splitlines())}{end}2 123456789010 eni-"
    data = stream.compress(cut.encode()) + stream.flush(zlib.Z_FULL_FLUSH)
    bad = check(data)
    assert bad["line"].tolist() == [202]
    assert bad["text"].tolist() == ["2 123456789010 eni-"]
    assert "truncated" in bad["reason"][0]
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == many


def test_of_a_gzip_cut_short_every_byte_that_can_be_unpacked_is_kept():
    many = [record(bytes=number * 7919 % 104_729, srcport=number, start=START + number) for number in range(300)]
    data = gz(text(many))
    for cut in range(300, len(data) - 8, 37):
        *whole, rest = zlib.decompressobj(wbits=31).decompress(data[:cut]).decode().split("\n")
        assert check(data[:cut])["text"].tolist() == [rest]
        assert len(read(data[:cut], on_bad_lines="skip")) == len(whole) - 1


def test_of_a_bzip2_cut_short_all_that_can_be_unpacked_is_kept():
    many = [record(bytes=number * 7919 % 104_729, srcport=number, start=START + number) for number in range(3000)]
    cut = bz2.compress(text(many), compresslevel=1)[:-50]
    unpacked = bz2.BZ2Decompressor().decompress(cut)
    kept = rows(read(cut, on_bad_lines="skip")[DEFAULT])
    assert kept == many[: unpacked.count(b"\n") - 1]
    assert len(kept) > 500


def test_of_a_gzip_without_its_trailer_all_records_of_json_are_kept_and_the_damage_is_reported():
    data = gz(filter_log_events(GOOD))[:-8]
    assert "truncated" in check(data).loc[0, "reason"]
    assert rows(read(data, on_bad_lines="skip")) == GOOD


def test_the_damage_of_a_file_of_records_is_counted_as_its_records_are():
    data = b"[\n7, 8, 9]" + b"x" * 10_000
    bad = check(gz(data)[:-8])
    assert bad["line"].is_monotonic_increasing
    assert bad["line"].iloc[-1] > 3
    assert "truncated" in bad["reason"].iloc[-1]
    many = [record(srcport=number) for number in range(20)]
    bad = check(gz(json.dumps(parse_vpc(many)).encode())[:-8])
    assert bad["line"].tolist() == [21]


def test_a_quote_that_does_not_end_is_reported_in_a_csv_of_messages():
    cut = f'timestamp,message\n1773151200000,"{line(GOOD[0], DEFAULT)}\n'.encode()
    bad = check(cut)
    assert bad["line"].tolist() == [2]
    assert bad["reason"].tolist() == ["its quotes do not match"]


def test_a_quote_inside_a_value_takes_no_record_below_it_away():
    messages = [f"1773151200000,{line(one, DEFAULT)}" for one in GOOD]
    stray = f'17731512","00000,{line(GOOD[0], DEFAULT)}'
    for place in range(len(messages) + 1):
        lines = [*messages[:place], stray, *messages[place:]]
        data = "\n".join(["timestamp,message", *lines, ""]).encode()
        bad = check(data)
        assert bad["line"].tolist() == [place + 2]
        assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == GOOD


def test_blank_lines_of_csv_count_as_lines():
    data = f"timestamp,message\n1773151200000,{line(GOOD[0], DEFAULT)}\n\n\n1773151200000,nonsense\n".encode()
    assert check(data)["line"].tolist() == [5]


def test_messages_of_an_unknown_format_are_refused_with_the_place_of_the_first():
    two_lines = "10.0.0.5 10.0.1.9 49152 1773151200\n10.0.0.5 10.0.1.9 49152 1773151260"
    bad = check(json.dumps(["", "", two_lines]).encode())
    assert "nothing says which value is which" in bad["reason"][0]
    assert bad["line"].tolist() == [3]


def test_a_default_line_behind_many_empty_messages_tells_the_format():
    messages = ["a message", *[""] * 100, line(GOOD[0], DEFAULT)]
    data = json.dumps({"events": [{"message": message} for message in messages]}).encode()
    assert check(data)["line"].tolist() == [1]
    assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == [GOOD[0]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["Unix", "Windows", "old Mac"])
def test_lines_of_csv_are_counted_alike_above_and_below_a_second_header(end):
    header = "srcaddr,dstaddr,srcport,start,action"
    lines = [header, "a,b", "10.0.0.1,10.0.0.2,1,1773151200,ACCEPT", f"c,d\n{header}\ne,f"]
    bad = check(end.join(lines).encode())
    assert bad["line"].tolist() == [2, 4, 6]
    assert bad["text"].tolist() == ["a,b", "c,d", "e,f"]


PAYLOADS = [payload(subscription(GOOD[place : place + 2])) for place in (0, 2, 4)]
DAMAGED_PAYLOADS = {
    "cut short": PAYLOADS[1][: len(PAYLOADS[1]) // 2 | 3],
    "a character that is none of base64": PAYLOADS[1][:20] + "*" + PAYLOADS[1][21:],
    "a character lost": PAYLOADS[1][:40] + PAYLOADS[1][41:],
    "another byte": PAYLOADS[1][:60] + ("A" if PAYLOADS[1][60] != "A" else "B") + PAYLOADS[1][61:],
    "no padding": PAYLOADS[1].rstrip("=") + "A",
}


@pytest.mark.parametrize(
    "wrap", [kinesis_event, get_records, firehose_transformation, one_a_line], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("damage", DAMAGED_PAYLOADS)
def test_a_damaged_payload_is_reported_and_those_beside_it_are_read(wrap, damage):
    data = wrap(PAYLOADS[0], DAMAGED_PAYLOADS[damage], PAYLOADS[2])
    bad = check(data)
    assert len(bad) >= 1
    assert bad.loc[0, "line"] == 3
    assert any(word in bad.loc[0, "reason"] for word in ("base64", "gzip", "JSON"))
    assert [row["bytes"] for row in rows(read(data, on_bad_lines="skip"))][:2] == [0, 1]
    assert [row["bytes"] for row in rows(read(data, on_bad_lines="skip"))][-2:] == [4, 5]


def test_a_payload_alone_that_is_damaged_is_refused_and_says_so():
    for damaged in DAMAGED_PAYLOADS.values():
        with pytest.raises(fl.ParseError, match=r"base64|gzip|JSON"):
            read(lambda_event(damaged))


def test_a_payload_that_base64_broke_into_lines_is_read():
    # `base64` of GNU and `base64.encodebytes` of Python break lines after 76 characters.
    whole = payload(subscription(RECORDS))
    wrapped = "".join(f"{whole[place : place + 76]}\n" for place in range(0, len(whole), 76))
    same(read(wrapped.encode()), ON_S3)


CSVS = {
    "Athena CSV": athena_csv(GOOD).decode().splitlines(),
    "pandas CSV": pandas_csv(plain_frame(GOOD), index=False).decode().splitlines(),
    "Insights CSV": insights_csv(GOOD).decode().splitlines(),
    "console CSV": console_csv(GOOD).decode().splitlines(),
}


@pytest.mark.parametrize("form", CSVS)
@pytest.mark.parametrize("place", [1, 7])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda row: row.rsplit(",", 1)[0], id="too short"),
        pytest.param(lambda row: row + ",more", id="too long"),
        pytest.param(lambda row: row + ",,", id="commas at the end"),
        pytest.param(lambda row: row.replace("10.0.0.5", '"10.0.0.5', 1), id="a quote too many"),
        pytest.param(lambda row: "no record at all" if row.count(",") > 1 else "no record, at all, no", id="prose"),
    ],
)
def test_a_damaged_row_of_csv_is_reported_with_its_line_and_all_others_are_read(form, place, damage):
    rows_of_csv = CSVS[form]
    bad_row = damage(rows_of_csv[1])
    data = "\n".join([*rows_of_csv[:place], bad_row, *rows_of_csv[place:], ""]).encode()
    bad = check(data)
    assert bad["line"].tolist() == [place + 1]
    assert rows(read(data, on_bad_lines="skip")) == GOOD


@pytest.mark.parametrize("place", [1, 3, 7])
def test_a_row_whose_last_quote_is_missing_is_reported(place):
    rows_of_csv = CSVS["Athena CSV"]
    data = "\n".join([*rows_of_csv[:place], rows_of_csv[1][:-1], *rows_of_csv[place:], ""]).encode()
    assert check(data)["line"].tolist() == [place + 1]


@pytest.mark.parametrize("compress", [bytes, zstd, bz2.compress], ids=["plain", "zstd", "bzip2"])
def test_a_value_cut_short_with_the_file_is_not_believed(compress):
    recs = [record(vpc_id="vpc-0123456789abcdef0") for _ in range(3)]
    data = athena_csv(recs, [*DEFAULT, "vpc_id"])
    cut = data[: -len('def0"\n')]
    assert cut.endswith(b'"vpc-0123456789abc')
    kept = read(compress(cut), on_bad_lines="skip")
    assert kept["vpc_id"].tolist() == ["vpc-0123456789abcdef0"] * len(kept)
    assert not check(compress(cut)).empty


def test_a_message_over_several_lines_does_not_hide_the_rows_behind_it():
    rows_of_csv = CSVS["console CSV"]
    odd = '1773151200000,"one\ntwo, three\nfour"'
    data = "\n".join([*rows_of_csv[:3], odd, *rows_of_csv[3:], ""]).encode()
    bad = check(data)
    assert bad["line"].tolist() == [4, 5, 6]
    assert bad["text"].tolist() == ["one", "two, three", "four"]
    assert rows(read(data, on_bad_lines="skip")) == GOOD


def test_a_quote_that_never_closes_does_not_eat_the_file():
    rows_of_csv = pandas_csv(plain_frame(MANY * 4), index=False).decode().splitlines()
    rows_of_csv[10] = rows_of_csv[10].replace("10.0.0.5", '"10.0.0.5', 1)
    data = "\n".join([*rows_of_csv, ""]).encode()
    assert check(data)["line"].tolist() == [11]
    assert len(read(data, on_bad_lines="skip")) == len(MANY) * 4 - 1


@pytest.mark.parametrize(
    "data",
    [
        b"srcaddr,dstaddr,start,srcaddr\n10.0.0.1,10.0.0.2,1,10.0.0.3\n",
        b'"version","srcaddr","dstaddr","start","version"\n"2","10.0.0.1","10.0.0.2","1","2"\n',
        b"timestamp,message,message\n1,a,b\n",
        b"srcaddr;dstaddr;start;start\n10.0.0.1;10.0.0.2;1;2\n",
    ],
    ids=range(4),
)
def test_a_name_over_two_columns_is_refused_by_name(data):
    with pytest.raises(fl.ParseError, match=r"stands over more than one column") as caught:
        read(data)
    assert caught.value.line == 1
    assert len(check(data)) == 1


ONE = b"srcaddr,dstaddr,srcport,start\n10.0.0.1,10.0.0.2,443,5\n"
REFUSED = {
    "a name twice": b"srcaddr,dstaddr,start,start\n10.0.0.1,10.0.0.2,1,5\n",
    "results": b"srcaddr,dstaddr,dstport,sum(bytes)\n10.0.0.1,10.0.0.2,443,5\n",
    "lines of no known layout": b"timestamp,message\n5,what is this\n",
}


@pytest.mark.parametrize("order", ["refused first", "refused between"])
@pytest.mark.parametrize("refused", REFUSED)
def test_of_csv_files_behind_each_other_only_what_is_refused_is_not_read(refused, order):
    parts = [REFUSED[refused], ONE, ONE] if order == "refused first" else [ONE, REFUSED[refused], ONE]
    bad = check(b"".join(parts))
    assert bad["line"].tolist() == ([1, 2] if order == "refused first" else [3, 4])
    assert bad["text"].tolist() == REFUSED[refused].decode().splitlines()
    assert bad["reason"][0] in bad["reason"][1]
    same(read(b"".join(parts), on_bad_lines="skip"), read(ONE * 2))
    assert len(check(REFUSED[refused] * 2)) == 1


def test_the_line_of_a_refused_header_is_that_in_the_file():
    data = b"sep=,\n\n" + ONE + REFUSED["a name twice"] + ONE
    why = "the name 'start' stands over more than one column"
    assert check(data)[["line", "reason"]].to_numpy().tolist() == [[5, why], [6, f"{why} (line 5)"]]
    messages = ["", "srcaddr start", "10.0.0.1 5", "", "srcaddr start start", "10.0.0.1 5 6"]
    data = json.dumps({"events": [{"message": message} for message in [*messages, "a\nb"]]}).encode()
    why = "the header names the field 'start' more than once"
    below = f"{why} (line 5)"
    assert check(data)[["line", "reason"]].to_numpy().tolist() == [[5, why], [6, below], [7, below], [8, below]]


@pytest.mark.parametrize("damage", ["", "1,10.0.0.5,x,10.0.1.9,443,https,,\n"], ids=["whole", "with a bad row"])
def test_columns_without_a_name_between_the_others_move_no_value(damage):
    data = f",srcaddr,,dstaddr,srcport,dstport,,\n0,10.0.0.5,x,10.0.1.9,49152,443,,\n{damage}".encode()
    found = rows(read(data, on_bad_lines="skip"))
    assert found == [{"srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "srcport": 49152, "dstport": 443}]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_spaces_behind_the_commas_of_csv_are_no_part_of_a_value(quoting):
    data = csv_of(DEFAULT, [list(rec.values()) for rec in GOOD], quoting=quoting, delimiter="\x01")
    assert rows(read(data.replace(b"\x01", b", "))) == GOOD


def test_two_names_that_are_one_column_are_both_kept_or_refused():
    data = csv_of([*DEFAULT, "x-y", "x_y"], [[*rec.values(), "a", "b"] for rec in GOOD])
    try:
        found = read(data)
    except fl.ParseError as error:
        assert "x" in error.reason  # noqa: PT017
    else:
        assert len(found.columns) == len(DEFAULT) + 2


def test_a_csv_with_other_names_than_fields_beside_them_reads_the_fields():
    rec = {"": 0, "id": 17, "note": "x", **record(), "lat": 1.5}
    df = read(csv_of(list(rec), [list(rec.values())]))
    assert rows(df[DEFAULT]) == [record()]
    assert "" not in df.columns
    assert rows(df[["id", "note", "lat"]]) == [{"id": "17", "note": "x", "lat": "1.5"}]


NOT_UTF8 = [
    "export to S3", "aws logs tail", "filter-log-events", "filter-log-events, compact", "events[].message",
    "console CSV", "subscription", "Firehose", "Firehose, nothing between", "Insights @message", "get-query-results",
    "Insights CSV", "Insights JSON", "Athena CSV", "JSON lines, underscored", "JSON array, underscored", "pandas CSV",
]  # fmt: skip


@pytest.mark.parametrize("form", NOT_UTF8)
def test_a_record_that_is_not_utf8_is_reported_and_all_others_are_read(form):
    data = FORMS[form](GOOD)
    place = data.rindex(b"10.0.0.5", 0, data.index(b"40002"))
    damaged = data[: place + 3] + b"\xff" + data[place + 3 :]
    assert check(damaged)["line"].tolist() == [line_of(form, 2)]
    assert rows(read(damaged, on_bad_lines="skip")[DEFAULT]) == [rec for rec in GOOD if rec is not GOOD[2]]


def test_only_a_parse_error_leaves_the_reader_whatever_byte_is_lost_where():
    for form in ("subscription", "get-query-results", "Athena CSV", "JSON array, compact", "payload", "Kinesis event"):
        data = FORMS[form](GOOD)
        for place in range(0, len(data), 307):
            cut, lost, other = data[:place], data[:place] + data[place + 1 :], data[:place] + b"\0" + data[place + 1 :]
            for damaged in (cut, lost, other):
                assert check(damaged).columns.tolist() == ["file", "line", "text", "reason"]


# --- The list of forms ---


def test_every_form_that_is_listed_has_a_test_here():
    covered = {
        "text with header": "text",
        "text without header": "lines",
        "text with event times": "export to S3",
        "aws logs tail": "aws logs tail",
        "Parquet": "Parquet",
        "Security Lake Parquet": "tests/test_ocsf.py",
        "filter-log-events JSON": "filter-log-events",
        "get-log-events JSON": "get-log-events",
        "console CSV": "console CSV",
        "subscription JSON": "subscription",
        "subscription payload": "Lambda event",
        "Kinesis records": "Kinesis event",
        "bare payload": "payload",
        "Firehose JSON": "Firehose",
        "parseVPC JSON": "parseVPC events",
        "Logs Insights JSON": "get-query-results",
        "Logs Insights CSV": "Insights CSV",
        "Athena CSV": "Athena CSV",
        "pandas CSV": "pandas CSV",
        "JSON lines": "JSON lines, underscored",
        "JSON array": "JSON array, underscored",
    }
    assert fl.formats()["form"].tolist() == list(covered)
    assert set(covered.values()) - set(FORMS) == {"text", "Parquet", "tests/test_ocsf.py"}


def test_the_list_of_forms_says_what_tells_each_of_them():
    listed = fl.formats()
    assert list(listed.columns) == ["form", "comes_from", "recognised_by", "fields_from"]
    assert listed.notna().all().all()
    assert not (listed == "").any().any()
    assert listed["form"].is_unique


def test_the_list_of_forms_is_a_new_one_each_time():
    listed = fl.formats()
    listed.loc[0, "form"] = "changed"
    assert fl.formats().loc[0, "form"] == "text with header"


def test_an_open_file_of_any_form_is_named_in_messages(tmp_path):
    path = Path(tmp_path, "events.json")
    path.write_bytes(filter_log_events([record(srcport="http")]))
    with path.open("rb") as file, pytest.raises(fl.ParseError) as caught:
        fl.read(file)
    assert caught.value.file == str(path)
    with pytest.raises(fl.ParseError) as caught:
        fl.read(io.BytesIO(path.read_bytes()))
    assert caught.value.file == "<open file>"


# --- What reviewers found ---


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("excel", ["", "sep=,"])
def test_csv_files_behind_each_other_are_read_each_by_its_header(end, excel):
    there = "srcaddr,dstaddr,start,packets,bytes"
    other = "start,dstaddr,srcaddr,bytes,packets"
    lines_of_file = [there, "10.0.0.1,10.0.0.2,5,1,40", other, "6,10.0.0.4,10.0.0.3,80,2", "6,10.0.0.4,x,80,2",
                     other, "7,10.0.0.6,10.0.0.5,120,3"]  # fmt: skip
    if excel:
        lines_of_file.insert(0, excel)
    data = end.join([*lines_of_file, ""]).encode()
    df = read(data, on_bad_lines="skip")
    assert rows(df) == [
        {"srcaddr": f"10.0.0.{2 * n - 1}", "dstaddr": f"10.0.0.{2 * n}", "start": n + 4, "packets": n, "bytes": 40 * n}
        for n in (1, 2, 3)
    ]
    bad = check(data)
    assert bad["line"].tolist() == [data[: data.index(b",x,")].count(b"\n") + 1]


def test_downloads_of_the_console_behind_each_other_are_one_log():
    data = console_csv(GOOD[:3]) + console_csv(GOOD[3:])
    assert rows(read(data)) == GOOD
    assert check(data).empty


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("name", ["message", "@message"])
def test_a_column_of_messages_may_stand_alone(name, quote):
    body = "".join(f"{quote}{message}{quote}\n" for message in lines(GOOD, DEFAULT))
    assert rows(read(f"{quote}{name}{quote}\n{body}".encode())) == GOOD


def test_a_file_of_csv_that_ends_before_its_last_message_is_reported():
    data = console_csv(GOOD) + b"1773151200000,"
    bad = check(data)
    assert (bad["line"].tolist(), bad["reason"].tolist()) == ([8], ["the file ends before its last message"])
    assert rows(read(data, on_bad_lines="skip")) == GOOD
    assert rows(read(data + b"\n")) == GOOD  # a blank event


def test_pairs_of_time_and_message_are_read():
    pairs = [[seconds * 1000, message] for seconds, message in enumerate(lines(GOOD, DEFAULT))]
    assert rows(read(json.dumps(pairs).encode())) == GOOD
    assert rows(read(json.dumps([pair[::-1] for pair in pairs], indent=2).encode())) == GOOD


@pytest.mark.parametrize("status", ["Running", "Failed", "Timeout", "Cancelled", "Scheduled", "Unknown"])
@pytest.mark.parametrize("count", [0, 6])
def test_results_of_a_query_that_has_not_ended_are_read_and_reported(status, count):
    answer = json.loads(insights_messages(GOOD[:count])) | {"status": status}
    data = json.dumps(answer).encode()
    bad = check(data)
    assert bad["text"].tolist() == [f'"status": "{status}"']
    if count:
        assert rows(read(data, on_bad_lines="skip")) == GOOD
    assert check(json.dumps(answer | {"status": "Complete"}).encode()).empty
