"""What `from_frame` makes of frames that others made: the names, types and values of `read`, and the user's index."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import ipaddress
import json

import numpy as np
import pandas as pd
import pytest
from envelopes import (
    SPELLINGS,
    athena_csv,
    bootstrap_csv,
    console_csv,
    elastic,
    events,
    filter_log_events,
    insights_csv,
    insights_messages,
    insights_results,
    json_array,
    json_lines,
    lines,
    named,
    plain_frame,
    subscription,
)
from formats import (
    ALL_TGW,
    ALL_VPC,
    DEFAULT,
    NUMBERS,
    START,
    TIMES,
    log_format,
    nodata,
    parquet,
    parquet_of,
    read,
    record,
    rows,
    text,
)
from ocsf import SCHEMAS

import flowlens as fl

RECORDS = [
    record(),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, start=START + 3, action="REJECT"),
    nodata(start=START + 5),
    nodata(log_status="SKIPDATA"),
    record(account_id="051856882135", srcport=0, dstport=0, protocol=1),
    record(account_id="000000000012", srcaddr="2001:db8::1", dstaddr="2001:db8::2", protocol=58),
]
ON_S3 = read(text(RECORDS))
PLAIN = plain_frame(RECORDS)

ADDRESSES = {"srcaddr": ["10.0.0.1", "10.0.0.3"], "dstaddr": ["10.0.0.2", "10.0.0.4"]}


def pair(**columns: object) -> pd.DataFrame:
    """Return a frame of two records that have addresses and some more columns."""
    return pd.DataFrame({**ADDRESSES, **columns})


def values(df: pd.DataFrame, name: str) -> list[object]:
    return [row[name] for row in rows(df)]


# --- Names ---

#: formats.md 3.12, one name at a time, with a value
ALIASES = {
    "srcaddr": [
        "src_addr",
        "srcAddr",
        "src_ip",
        "sourceaddress",
        "source",
        "source.ip",
        "src",
        "SrcAddr",
        "source_address",
    ],
    "dstaddr": [
        "dst_addr",
        "dstAddr",
        "dst_ip",
        "destinationaddress",
        "destination",
        "destination.ip",
        "dest_ip",
        "dst",
    ],
    "srcport": ["src_port", "srcPort", "sourceport", "source.port", "source_port", "sport"],
    "dstport": ["dst_port", "dstPort", "destport", "destinationport", "destination.port", "dest_port", "dport"],
    "start": ["start_time", "startTime", "starttime", "windowstart", "window_start", "event.start"],
    "end": ["end_time", "endTime", "endtime", "windowend", "window_end", "event.end"],
    "bytes": ["numbytes", "num_bytes", "network.bytes", "Bytes"],
    "packets": ["numpackets", "num_packets", "network.packets"],
    "protocol": ["proto", "Protocol", "network.iana_number", "protocol_num"],
    "account_id": ["account-id", "accountId", "account", "owner", "interface_account_id", "aws.vpcflow.account_id"],
    "interface_id": ["interface-id", "interfaceId", "interfaceid", "eni", "aws.vpcflow.interface_id"],
    "log_status": ["log-status", "logStatus", "status", "logstatus", "flowlogstatus", "aws.vpcflow.log_status"],
    "tcp_flags": ["tcp-flags", "tcpFlags", "tcpflags", "TCPFlags", "aws.vpcflow.tcp_flags", "aws.vpc.tcp_flags"],
    "flow_direction": ["flow-direction", "flowDirection", "flowdirection"],
    "az_id": ["az-id", "azId", "azid"],
    "vpc_id": ["vpc-id", "vpcId", "vpcid", "VPC ID"],
    "subnet_id": ["subnet-id", "subnetId", "subNetId", "subnetid"],
    "pkt_srcaddr": ["pkt-srcaddr", "pktSrcaddr", "pktSrcAddr", "pkt_src_addr"],
    "next_hop_az_id": ["nextHopAzId", "next-hop-az-id"],
    "instance_tag_2": ["instanceTag2", "instance-tag-2"],
    "type": ["traffictype", "traffic_type", "Type"],
}
SAMPLES: dict[str, list[object]] = {
    **{name: ["192.0.2.7", "192.0.2.8"] for name in ("srcaddr", "dstaddr", "pkt_srcaddr")},
    **{name: [START, START + 1] for name in TIMES},
    **{name: [17, 6] for name in ("srcport", "dstport", "bytes", "packets", "protocol", "tcp_flags")},
    "account_id": ["051856882135", "123456789010"],
    "log_status": ["OK", "SKIPDATA"],
    "flow_direction": ["ingress", "egress"],
    "type": ["IPv4", "IPv6"],
}


@pytest.mark.parametrize(("column", "alias"), [(column, alias) for column, names in ALIASES.items() for alias in names])
def test_every_name_for_a_field_is_known(column, alias):
    sample = SAMPLES.get(column, ["a-1", "b-2"])
    frame = pd.DataFrame({**{name: part for name, part in ADDRESSES.items() if name != column}, alias: sample})
    found = fl.from_frame(frame)
    assert set(found.columns) == {"srcaddr", "dstaddr", column}
    assert values(found, column) == sample
    assert str(found[column].dtype) == str(read(text([record(**{column: None})]))[column].dtype)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_field_of_aws_is_known_in_every_spelling(spelling):
    for fields in (ALL_VPC, ALL_TGW):
        sample = {name: 7 if name in NUMBERS else START if name in TIMES else f"{name}-1" for name in fields}
        sample |= {name: "192.0.2.1" for name in fields if name.endswith("addr")} | {"log_status": "OK"}
        sample |= (
            {"action": "REJECT", "flow_direction": "egress"} if "action" in fields else {"flow_direction": "egress"}
        )
        found = fl.from_frame(pd.DataFrame([named(sample, SPELLINGS[spelling], fields)]))
        assert list(found.columns) == fields
        assert rows(found) == [sample]


def test_a_name_as_aws_writes_it_goes_before_another_for_the_same_field():
    frame = pair(srcAddr=["192.0.2.1"] * 2, src_ip=["192.0.2.2"] * 2, status=["OK"] * 2)
    for columns in (list(frame), list(frame)[::-1]):
        found = fl.from_frame(frame[columns])
        assert values(found, "srcaddr") == ADDRESSES["srcaddr"]
        assert {"srcAddr", "src_ip"} <= set(found.columns)


def test_columns_keep_their_order_and_those_that_are_no_field_are_kept_as_text():
    frame = pair(note=["a", None], count=[1, 2], share=[0.5, None], flag=[True, False], bytes=[5, 6])
    found = fl.from_frame(frame[["note", "bytes", "dstaddr", "count", "srcaddr", "share", "flag"]])
    assert list(found.columns) == ["note", "bytes", "dstaddr", "count", "srcaddr", "share", "flag"]
    assert {str(found[name].dtype) for name in ("note", "count", "share", "flag")} == {"category"}
    assert rows(found[["note", "count", "share", "flag"]]) == [
        {"note": "a", "count": "1", "share": "0.5", "flag": "true"},
        {"note": None, "count": "2", "share": None, "flag": "false"},
    ]


# --- fields= ---


def test_fields_name_what_nobody_can_know():
    theirs = {"Quelle": "srcaddr", "Ziel": "dstaddr", "n": "packets", "wann": "start", "Schicht": "log-status"}
    back = {ours.replace("-", "_"): their for their, ours in theirs.items()}
    found = fl.from_frame(PLAIN.rename(columns=back), fields=theirs)
    pd.testing.assert_frame_equal(found, ON_S3)


def test_fields_go_before_every_other_name():
    frame = pair(bytes_in=[1, 2], numbytes=[3, 4])
    found = fl.from_frame(frame, fields={"bytes_in": "bytes"})
    assert rows(found[["bytes", "numbytes"]]) == [{"bytes": 1, "numbytes": "3"}, {"bytes": 2, "numbytes": "4"}]


def test_fields_may_repeat_what_is_known():
    pd.testing.assert_frame_equal(fl.from_frame(PLAIN, fields={name: name for name in DEFAULT}), ON_S3)
    pd.testing.assert_frame_equal(fl.from_frame(PLAIN, fields={}), ON_S3)


def test_a_name_in_fields_that_is_no_column_is_an_error_with_a_list_of_those_there_are():
    with pytest.raises(ValueError, match=r"'nope', which is no column of the frame: srcaddr, dstaddr"):
        fl.from_frame(pair(), fields={"nope": "bytes"})


def test_a_field_that_the_frame_has_already_is_not_made_twice():
    with pytest.raises(ValueError, match=r"another column 'bytes'.*drop or rename"):
        fl.from_frame(pair(bytes=[1, 2], n=[3, 4]), fields={"n": "bytes"})


def test_two_names_for_one_field_are_refused():
    with pytest.raises(ValueError, match="bytes"):
        fl.from_frame(pair(n=[1, 2], m=[3, 4]), fields={"n": "bytes", "m": "bytes"})


def test_fields_may_swap_two_columns():
    swapped = PLAIN.rename(columns={"srcaddr": "dstaddr", "dstaddr": "srcaddr"})
    found = fl.from_frame(swapped, fields={"srcaddr": "dstaddr", "dstaddr": "srcaddr"})
    assert values(found, "srcaddr") == [rec["srcaddr"] for rec in RECORDS]


def test_fields_may_name_labels_that_are_no_text():
    frame = pd.DataFrame([["10.0.0.1", "10.0.0.2", 443]])
    found = fl.from_frame(frame, fields={0: "srcaddr", 1: "dstaddr", 2: "dstport"})
    assert rows(found) == [{"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "dstport": 443}]


@pytest.mark.parametrize("fields", ["${version} ${account-id}", ["srcaddr", "dstaddr"], 5])
def test_fields_of_another_kind_are_refused_with_what_to_pass(fields):
    with pytest.raises(TypeError, match="their name"):
        fl.from_frame(pair(), fields=fields)


@pytest.mark.parametrize("fields", [{"n": "no such field"}, {"n": ""}, {"n": 5}])
def test_what_can_be_no_field_name_is_refused(fields):
    with pytest.raises(ValueError, match="fields"):
        fl.from_frame(pair(n=[1, 2]), fields=fields)


# --- Types ---

DTYPES = {
    "as pandas made it": PLAIN,
    "object": PLAIN.astype(object),
    "object with None": PLAIN.astype(object).where(PLAIN.notna(), None),
    "nullable": PLAIN.convert_dtypes(),
    "Arrow": PLAIN.convert_dtypes(dtype_backend="pyarrow"),
    "category": PLAIN.astype("category"),
    "text": pd.read_csv(io.BytesIO(athena_csv(RECORDS)), dtype=str),
    "text with dashes": pd.read_csv(io.BytesIO(athena_csv(RECORDS, dashes=True)), dtype=str),
    "text without NaN": pd.read_csv(io.BytesIO(athena_csv(RECORDS)), dtype=str, keep_default_na=False),
    "numbers of all sorts": PLAIN.assign(
        srcport=pd.array([rec["srcport"] for rec in RECORDS], dtype="UInt16"),
        dstport=np.array([rec["dstport"] or np.nan for rec in RECORDS], dtype="float32"),
        dstport_is_zero=0,
        bytes=[None if rec["bytes"] is None else decimal.Decimal(rec["bytes"]) for rec in RECORDS],
        packets=[None if rec["packets"] is None else np.int16(rec["packets"]) for rec in RECORDS],
        protocol=[None if rec["protocol"] is None else f"{rec['protocol']}.0" for rec in RECORDS],
    ),
    "addresses as objects": PLAIN.assign(
        **{
            name: [None if rec[name] is None else ipaddress.ip_address(rec[name]) for rec in RECORDS]
            for name in ("srcaddr", "dstaddr")
        }
    ),
}


@pytest.mark.parametrize("how", [how for how in DTYPES if how != "numbers of all sorts"])
def test_values_of_any_dtype_become_those_of_read(how):
    pd.testing.assert_frame_equal(fl.from_frame(DTYPES[how]), ON_S3)


def test_numbers_of_any_dtype_become_those_of_read():
    found = fl.from_frame(DTYPES["numbers of all sorts"])
    for name in ("srcport", "bytes", "packets", "protocol"):
        pd.testing.assert_series_equal(found[name], ON_S3[name])


TIMES_OF = {
    "seconds": lambda: PLAIN["start"],
    "floats": lambda: PLAIN["start"].astype(float),
    "milliseconds": lambda: PLAIN["start"] * 1000 + 999,
    "text of seconds": lambda: PLAIN["start"].astype(str),
    "naive": lambda: pd.to_datetime(PLAIN["start"], unit="s"),
    "in nanoseconds": lambda: pd.to_datetime(PLAIN["start"], unit="s").astype("datetime64[ns]"),
    "in UTC": lambda: pd.to_datetime(PLAIN["start"], unit="s", utc=True),
    "in Berlin": lambda: pd.to_datetime(PLAIN["start"], unit="s", utc=True).dt.tz_convert("Europe/Berlin"),
    "with microseconds": lambda: pd.to_datetime(PLAIN["start"], unit="s") + pd.Timedelta("250ms"),
    "datetime": lambda: [dt.datetime.fromtimestamp(second, dt.UTC) for second in PLAIN["start"]],
    "naive datetime": lambda: pd.Series(
        [dt.datetime.fromtimestamp(second, dt.UTC).replace(tzinfo=None) for second in PLAIN["start"]], dtype=object
    ),
    "ISO text": lambda: [f"{dt.datetime.fromtimestamp(s, dt.UTC):%Y-%m-%dT%H:%M:%SZ}" for s in PLAIN["start"]],
    "text of Athena": lambda: [
        f"{dt.datetime.fromtimestamp(s, dt.UTC):%Y-%m-%d %H:%M:%S}.000 UTC" for s in PLAIN["start"]
    ],
    "text of pandas": lambda: [
        f"{dt.datetime.fromtimestamp(s, dt.UTC):%Y-%m-%d %H:%M:%S}+00:00" for s in PLAIN["start"]
    ],
}


@pytest.mark.parametrize("how", TIMES_OF)
def test_times_of_any_kind_become_those_of_read(how):
    pd.testing.assert_frame_equal(fl.from_frame(PLAIN.assign(start=TIMES_OF[how]())), ON_S3)


def test_missing_times_stay_missing_whatever_they_are():
    for missing in (None, pd.NaT, np.nan, "-", "", "NaT"):
        frame = pair(start=pd.Series([START, missing], dtype=object))
        assert values(fl.from_frame(frame), "start") == [START, None]
    frame = pair(start=pd.to_datetime([START, None], unit="s"))
    assert values(fl.from_frame(frame), "start") == [START, None]


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ([51856882135, 12], ["051856882135", "000000000012"]),
        ([51856882135.0, None], ["051856882135", None]),
        (pd.array([51856882135, None], dtype="Int64"), ["051856882135", None]),
        (pd.array([51856882135, None], dtype="int64[pyarrow]"), ["051856882135", None]),
        (pd.Series([51856882135, 12], dtype="uint64"), ["051856882135", "000000000012"]),
        (pd.Categorical([51856882135, 123456789010]), ["051856882135", "123456789010"]),
        (["051856882135", "unknown"], ["051856882135", "unknown"]),
        ([51856882135, "unknown"], ["051856882135", "unknown"]),
    ],
    ids=range(8),
)
def test_an_account_that_was_made_a_number_gets_its_zeros_back(accounts, expected):
    assert values(fl.from_frame(pair(account_id=accounts)), "account_id") == expected


def test_percent_signs_in_tags_are_decoded_as_read_does():
    frame = pair(instance_tag=["my%2Dapp%20%C3%A9", "plain"], asg_tag_2=[None, "-"], vpc_id=["a%20b", "c"])
    found = fl.from_frame(frame)
    assert values(found, "instance_tag") == ["my-app é", "plain"]
    assert values(found, "asg_tag_2") == [None, None]
    assert values(found, "vpc_id") == ["a%20b", "c"]


def test_zero_is_a_value_and_a_dash_is_none():
    found = fl.from_frame(pair(srcport=[0, None], tcp_flags=["0", "-"], bytes=[0.0, np.nan], vpc_id=["-", ""]))
    assert rows(found[["srcport", "tcp_flags", "bytes", "vpc_id"]]) == [
        {"srcport": 0, "tcp_flags": 0, "bytes": 0, "vpc_id": None},
        {"srcport": None, "tcp_flags": None, "bytes": None, "vpc_id": None},
    ]


def test_categories_hold_used_words_only_and_all_addresses_share_theirs():
    frame = pair(vpc_id=pd.Categorical(["vpc-1", "vpc-1"], categories=["vpc-0", "vpc-1", "vpc-2"]))
    found = fl.from_frame(frame)
    assert found["vpc_id"].cat.categories.tolist() == ["vpc-1"]
    assert found["srcaddr"].cat.categories.equals(found["dstaddr"].cat.categories)
    assert (found["srcaddr"] == found["dstaddr"]).tolist() == [False, False]


def test_a_number_larger_than_any_integer_is_an_error_and_no_overflow():
    with pytest.raises(fl.ParseError, match="bytes"):
        fl.from_frame(pair(bytes=pd.Series([2**70, 1], dtype=object)))


# --- Frames of others ---


def json_frame(data: bytes, key: str) -> pd.DataFrame:
    return pd.DataFrame(json.loads(data)[key])


FRAMES = {
    "Athena CSV": lambda: pd.read_csv(io.BytesIO(athena_csv(RECORDS))),
    "Athena CSV with dashes": lambda: pd.read_csv(io.BytesIO(athena_csv(RECORDS, dashes=True))),
    "Athena CSV by Arrow": lambda: pd.read_csv(
        io.BytesIO(athena_csv(RECORDS)), engine="pyarrow", dtype_backend="pyarrow"
    ),
    "Athena CSV, bootstrap names": lambda: pd.read_csv(io.BytesIO(bootstrap_csv(RECORDS))),
    "Insights CSV": lambda: pd.read_csv(io.BytesIO(insights_csv(RECORDS))),
    "console CSV": lambda: pd.read_csv(io.BytesIO(console_csv(RECORDS))),
    "JSON array": lambda: pd.read_json(io.BytesIO(json_array(RECORDS))),
    "JSON lines": lambda: pd.read_json(io.BytesIO(json_lines(RECORDS)), lines=True),
    "get-query-results": lambda: pd.DataFrame(
        [{part["field"]: part["value"] for part in row} for row in json.loads(insights_results(RECORDS))["results"]]
    ),
    "@message of Insights": lambda: pd.DataFrame(
        [{part["field"]: part["value"] for part in row} for row in json.loads(insights_messages(RECORDS))["results"]]
    ),
    "events": lambda: json_frame(filter_log_events(RECORDS), "events"),
    "logEvents": lambda: json_frame(subscription(RECORDS), "logEvents"),
    "messages": lambda: pd.DataFrame({"message": lines(RECORDS)}),
    "messages as a category": lambda: pd.DataFrame({"message": pd.Categorical(lines(RECORDS))}),
    "messages with line ends": lambda: pd.DataFrame({"message": [f"{row}\n" for row in lines(RECORDS)]}),
    "Parquet": lambda: pd.read_parquet(io.BytesIO(parquet(RECORDS))),
    "Parquet by Arrow": lambda: pd.read_parquet(io.BytesIO(parquet(RECORDS)), dtype_backend="pyarrow"),
    "Parquet of fl.read": lambda: pd.read_parquet(io.BytesIO(parquet_of(ON_S3))),
    "CSV of fl.read": lambda: pd.read_csv(io.StringIO(ON_S3.to_csv())),
    "space-separated by pandas": lambda: pd.read_csv(io.BytesIO(text(RECORDS)), sep=" "),
}


@pytest.mark.parametrize("how", FRAMES)
def test_frames_of_other_tools_become_the_frame_of_read(how):
    found = fl.from_frame(FRAMES[how]())
    pd.testing.assert_frame_equal(found[DEFAULT], ON_S3)
    assert set(found.columns) - set(DEFAULT) <= {"timestamp", "ingestionTime", "eventId", "logStreamName", "id"}


def test_documents_of_elastic_laid_flat_are_understood():
    frame = pd.json_normalize([json.loads(row) for row in elastic(RECORDS).splitlines()])
    pd.testing.assert_frame_equal(fl.from_frame(frame)[DEFAULT], ON_S3)


def test_what_works_on_read_works_on_it():
    found = fl.from_frame(pd.read_csv(io.BytesIO(athena_csv(RECORDS))))
    pd.testing.assert_frame_equal(found.flow.top_talkers(3), ON_S3.flow.top_talkers(3))


@pytest.mark.parametrize("names", ["message", "@message"])
def test_frames_of_lines_may_have_a_header_and_other_columns(names):
    layout = sorted(DEFAULT)
    data = text(RECORDS, layout).decode().splitlines()
    found = fl.from_frame(pd.DataFrame({"at": range(len(data)), names: data}))
    assert rows(found[DEFAULT]) == RECORDS


def test_the_format_of_lines_in_a_frame_can_be_said_as_the_message_tells():
    layout = [*DEFAULT, "vpc_id"]
    recs = [record(version=3, vpc_id="vpc-1"), record(version=3, vpc_id="vpc-2")]
    frame = pd.DataFrame({"message": lines(recs, layout)}, index=["a", "b"])
    with pytest.raises(fl.ParseError, match=r"Say the format of the lines: fl\.from_frame\(df, fields='\$\{version\}"):
        fl.from_frame(frame)
    for fields in (log_format(layout), layout, {"FlowLogs": [{"FlowLogId": "fl-1", "LogFormat": log_format(layout)}]}):
        found = fl.from_frame(frame, fields=fields)
        assert rows(found) == recs
        assert found.index.tolist() == ["a", "b"]


def test_lines_may_stand_in_a_frame_with_labels_that_are_no_text():
    frame = pd.DataFrame({0: [1, 2], "message": lines(RECORDS[:2])})
    assert rows(fl.from_frame(frame, fields={})) == RECORDS[:2]
    assert rows(fl.from_frame(frame, fields="default")) == RECORDS[:2]


@pytest.mark.parametrize("version", SCHEMAS)
def test_ocsf_records_of_security_lake_are_laid_flat(version):
    account = {"account_uid": "123456789010"} if version == 1 else {"account": {"uid": "123456789010"}}
    rec = {
        "metadata": {"product": {"version": "5", "name": "Amazon VPC", "feature": {"name": "Flowlogs"}}},
        "cloud": {**account, "region": "us-east-1", "zone": "use1-az1", "provider": "AWS"},
        "src_endpoint": {"ip": "10.0.0.5", "port": 49152, "interface_uid": None},
        "dst_endpoint": {"ip": "10.0.1.9", "port": 443, "interface_uid": "eni-1", "vpc_uid": "vpc-1"},
        "connection_info": {"protocol_num": 6, "tcp_flags": 2, "direction": "ingress"},
        "traffic": {"packets": 10, "bytes": 840},
        "time": START * 1000,
        "start_time": START * 1000,
        "end_time": (START + 59) * 1000,
        "class_uid": 4001,
        "status_code": "OK",
        **({"disposition": "Allowed"} if version == 1 else {"action": "Allowed", "action_id": 1}),
    }
    found = fl.from_frame(pd.DataFrame([rec, rec], index=["a", "b"]))
    expected = {
        "version": 5, "account_id": "123456789010", "srcaddr": "10.0.0.5", "dstaddr": "10.0.1.9", "srcport": 49152,
        "dstport": 443, "protocol": 6, "packets": 10, "bytes": 840, "start": START, "end": START + 59,
        "action": "ACCEPT", "log_status": "OK", "vpc_id": "vpc-1", "interface_id": "eni-1", "tcp_flags": 2,
        "region": "us-east-1", "az_id": "use1-az1", "flow_direction": "ingress",
    }  # fmt: skip
    assert rows(found[list(expected)]) == [expected] * 2
    assert found.index.tolist() == ["a", "b"]


# --- The frame that comes in and the one that goes out ---

INDEXES = {
    "labels": list("abcdef"),
    "numbers in disorder": [7, 7, 3, 3, 1, 0],
    "times": pd.date_range("2026-03-10", periods=6, tz="UTC"),
    "two levels": pd.MultiIndex.from_product([["x", "y"], [1, 2, 3]], names=["side", "place"]),
    "a range with a step": pd.RangeIndex(10, 70, 10, name="row"),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_the_index_is_kept(kind):
    found = fl.from_frame(PLAIN.set_axis(INDEXES[kind]))
    pd.testing.assert_frame_equal(found, ON_S3.set_axis(INDEXES[kind]))


def test_the_index_of_part_of_a_frame_is_kept():
    part = PLAIN[PLAIN["log_status"] == "OK"]
    found = fl.from_frame(part)
    assert found.index.tolist() == [0, 1, 4, 5]
    assert rows(found) == [rec for rec in RECORDS if rec["log_status"] == "OK"]


def test_the_index_is_kept_where_a_message_is_missing():
    frame = pd.DataFrame({"message": [None, *lines(RECORDS)]}, index=list("abcdefg"))
    assert fl.from_frame(frame).index.tolist() == list("bcdefg")


def test_a_bad_line_behind_a_missing_one_is_reported_with_its_own_row():
    frame = pd.DataFrame({"message": [None, *lines(RECORDS[:2]), "no record", None, "none either"]})
    with pytest.raises(fl.ParseError) as caught:
        fl.from_frame(frame)
    assert [bad.line for bad in caught.value.bad_lines] == [4, 6]


@pytest.mark.parametrize("how", ["as pandas made it", "object", "category", "Arrow"])
def test_the_frame_is_not_changed(how):
    frame = DTYPES[how].set_axis(list("abcdef"))
    before = frame.copy(deep=True)
    found = fl.from_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    found.loc["a", "srcport"] = 1
    pd.testing.assert_frame_equal(frame, before)


def test_a_frame_of_read_stays_as_it_is():
    everything = {name: 7 if name in NUMBERS else START if name in TIMES else f"{name}-1" for name in ALL_VPC}
    everything |= {name: "192.0.2.1" for name in ALL_VPC if name.endswith("addr")}
    everything |= {"action": "REJECT", "log_status": "OK", "flow_direction": "egress", "quantum_state": "up"}
    for df in (ON_S3, read(text([everything, dict.fromkeys(everything)])), fl.sample().head(500)):
        found = fl.from_frame(df)
        pd.testing.assert_frame_equal(found, read_like(df))
        pd.testing.assert_frame_equal(fl.from_frame(found), found)


def read_like(df: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories are those in use, as `read` would give it of these records alone."""
    out = df.copy()
    for name in out.columns[[dtype == "category" for dtype in out.dtypes]]:
        if name not in ("action", "log_status", "flow_direction", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"):
            out[name] = out[name].cat.remove_unused_categories()
    addresses = [name for name in ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr") if name in out]
    used = sorted({word for name in addresses for word in out[name].dropna().unique()})
    for name in addresses:
        out[name] = out[name].cat.set_categories(used)
    return out


def test_an_empty_frame_has_the_columns_and_types_of_a_full_one():
    for df in (PLAIN.iloc[:0], ON_S3.iloc[:0], PLAIN.astype(object).iloc[:0], pd.DataFrame(columns=DEFAULT)):
        found = fl.from_frame(df)
        assert len(found) == 0
        assert found.dtypes.map(str).to_dict() == ON_S3.dtypes.map(str).to_dict()


def test_labels_that_are_no_text_become_text():
    found = fl.from_frame(pair(x=[1, 2]).rename(columns={"x": 5}))
    assert list(found.columns) == ["srcaddr", "dstaddr", "5"]


# --- Errors ---


@pytest.mark.parametrize(
    ("column", "column_values", "row", "reason"),
    [
        ("srcport", [443, "http"], 2, "srcport is 'http', not a whole number from 0 to 65535"),
        ("srcport", [70_000, 443], 1, "srcport is '70000', not a whole number from 0 to 65535"),
        ("bytes", [5, -1], 2, "bytes is '-1', not a whole number"),
        ("bytes", [1.5, 2], 1, "bytes is '1.5', not a whole number"),
        ("bytes", [float("inf"), 2], 1, "bytes is 'inf', not a whole number"),
        ("start", [START, "noon"], 2, "start is 'noon', not a time"),
        ("pkt_srcaddr", ["10.0.0.1", "10.0.0.256"], 2, "pkt-srcaddr is '10.0.0.256', not an IP address"),
        ("action", ["ALLOW", "ACCEPT"], 1, "action is 'ALLOW', not ACCEPT or REJECT"),
        ("log_status", ["OK", "ok"], 2, "log-status is 'ok', not OK or NODATA or SKIPDATA"),
        ("protocol", ["tcp", "carrier pigeon"], 2, "protocol is 'carrier pigeon', not a whole number from 0 to 255"),
        ("srcport", [443, {"a": 1}], 2, "srcport is \"{'a': 1}\", not a whole number from 0 to 65535"),
    ],
    ids=range(11),
)
def test_a_value_that_cannot_be_is_an_error_with_its_row(column, column_values, row, reason):
    with pytest.raises(fl.ParseError, match="Correct or drop") as caught:
        fl.from_frame(pair(**{column: pd.Series(column_values, dtype=object)}).set_axis(["x", "y"]))
    assert caught.value.reason == reason
    assert caught.value.line == row
    assert caught.value.file == "this frame"
    assert ADDRESSES["srcaddr"][row - 1] in caught.value.text


def test_all_rows_that_cannot_be_are_listed():
    frame = PLAIN.assign(srcport=["a", 2, "c", 4, 99_999, 6])
    with pytest.raises(fl.ParseError, match="and 2 more bad lines") as caught:
        fl.from_frame(frame)
    assert [bad.line for bad in caught.value.bad_lines] == [1, 3, 5]


def test_a_line_that_cannot_be_read_is_an_error_with_its_row():
    frame = pd.DataFrame({"message": [*lines(RECORDS[:2]), "no record", *lines(RECORDS[2:])]})
    with pytest.raises(fl.ParseError, match="2 values where the format has 14 fields") as caught:
        fl.from_frame(frame)
    assert (caught.value.line, caught.value.text) == (3, "no record")


def refused(frame: pd.DataFrame) -> fl.ParseError:
    with pytest.raises(fl.ParseError, match=r"Say which column is which: fl\.from_frame\(df, fields=\{") as caught:
        fl.from_frame(frame)
    assert any(word in caught.value.reason for word in ("no columns of a flow log", "results of a query"))
    return caught.value


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"srcAddr": ["10.0.0.1"], "sum(bytes)": [5]}),
        pd.DataFrame({"dstAddr": ["10.0.0.2"], "bytesTransferred": [5]}),
        pd.DataFrame({"name": ["alice"], "amount": [5]}),
        pd.DataFrame({"srcaddr": ["10.0.0.1"], "packets": [5], "bytes": [9]}),
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
    ],
    ids=range(6),
)
def test_what_are_no_records_is_refused_with_what_to_pass(frame):
    assert refused(frame).file == "this frame"


@pytest.mark.parametrize(
    "verb", ["top_talkers", "timeline", "coverage", "conversations", "ports", "fan_out", "top_contributors"]
)
def test_results_of_flowlens_itself_are_refused_with_what_to_pass(verb):
    assert refused(getattr(ON_S3.flow, verb)()).line == 1


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (pd.json_normalize([{"jsonPayload": {"connection": {"src_ip": "10.0.0.1"}}}]), "Google Cloud"),
        (
            pd.DataFrame([{"ts": 1, "te": 2, "sa": "10.0.0.1", "da": "10.0.0.2", "sp": 1, "dp": 2, "pr": "TCP"}]),
            "nfdump",
        ),
        (pd.json_normalize([{"eventSource": "s3", "userIdentity": {"type": "Root"}}]), "CloudTrail"),
        (pair(**{"eni-id": ["eni-1"] * 2, "vswitch-id": ["vsw-1"] * 2, "start": [1, 2]}), "Alibaba"),
    ],
    ids=["Google", "nfdump", "CloudTrail", "Alibaba"],
)
def test_frames_of_other_logs_are_refused_by_their_name(frame, name):
    with pytest.raises(fl.ParseError, match=name):
        fl.from_frame(frame)


def test_two_columns_of_one_name_are_refused():
    frame = pd.concat([PLAIN, PLAIN[["bytes"]]], axis=1)
    with pytest.raises(ValueError, match="more than one column 'bytes'"):
        fl.from_frame(frame)


def test_labels_that_are_the_same_as_text_are_refused_and_not_merged():
    frame = pair(**{"5": [1, 2]})
    frame[5] = [3, 4]
    with pytest.raises(ValueError, match="more than one column '5'"):
        fl.from_frame(frame)


@pytest.mark.parametrize("what", [RECORDS, RECORDS[0], ON_S3["srcaddr"], "flows.csv", None, io.BytesIO(b"")])
def test_what_is_no_pandas_frame_is_a_type_error_that_says_what_to_call(what):
    with pytest.raises(TypeError, match=r"needs a pandas frame, not a .*fl\.read"):
        fl.from_frame(what)


def test_frames_of_other_libraries_are_a_type_error_that_says_what_to_call():
    import polars as pl
    import pyarrow as pa

    for what in (pl.DataFrame(ADDRESSES), pa.table(ADDRESSES)):
        with pytest.raises(TypeError, match="pandas"):
            fl.from_frame(what)


def test_columns_of_two_levels_are_refused():
    with pytest.raises(fl.ParseError, match="no columns of a flow log"):
        fl.from_frame(pd.concat({"flows": PLAIN}, axis=1))


def test_a_parse_error_of_a_frame_gives_no_advice_about_files():
    with pytest.raises(fl.ParseError) as caught:
        fl.from_frame(pair(srcport=["http", 443]))
    assert "fl.read" not in str(caught.value)
    assert "on_bad_lines" not in str(caught.value)


def test_frames_of_events_may_hold_other_columns_beside_the_lines():
    frame = pd.DataFrame(events(RECORDS)).assign(timestamp=lambda df: pd.to_datetime(df["timestamp"], unit="ms"))
    pd.testing.assert_frame_equal(fl.from_frame(frame)[DEFAULT], ON_S3)


ENDS = {"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.2"]}


def test_periods_are_read_as_their_start():
    periods = pd.period_range("2026-03-10 14:00", periods=1, freq="h")
    assert fl.from_frame(pd.DataFrame(ENDS | {"start": periods}))["start"][0] == pd.Timestamp("2026-03-10 14:00Z")


def test_a_duration_is_no_time_and_no_number():
    for column in ("start", "bytes"):
        with pytest.raises(fl.ParseError, match=f"{column} is '0 days 05:00:00'"):
            fl.from_frame(pd.DataFrame(ENDS | {column: pd.to_timedelta([5], unit="h")}))


def test_a_field_in_the_index_is_a_column_and_the_index_stays():
    frame = pd.DataFrame(ENDS, index=pd.DatetimeIndex(["2026-03-10 14:00"], name="start"))
    df = fl.from_frame(frame)
    assert df["start"].tolist() == [pd.Timestamp("2026-03-10 14:00Z")]
    assert df.index.equals(frame.index)
    both = fl.from_frame(frame.assign(start=pd.Timestamp("2026-03-10 15:00")))
    assert both["start"].tolist() == [pd.Timestamp("2026-03-10 15:00Z")]
