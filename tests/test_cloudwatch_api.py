"""What the APIs of AWS answer, over HTTP from a moto server, is read as it comes."""

from __future__ import annotations

import io
import json

import boto3
import pandas as pd
import pytest
from formats import START, line, log_format, nodata, record, rows
from moto.server import ThreadedMotoServer

import flowlens as fl

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RECORDS = [record(srcport=49152 + number, start=START + number) for number in range(50)] + [nodata(start=START + 60)]
CUSTOM = ["interface_id", "dstaddr", "srcaddr", "start", "dstport", "bytes", "action"]


@pytest.fixture(scope="module")
def session():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    secret = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    yield lambda service: boto3.client(service, **options, **secret)
    server.stop()


def put(session, group: str, names: list[str]) -> list[dict]:
    """Write the records to a log group and return the pages in which the API gives them back."""
    logs = session("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="eni-1235b8ca123456789-all")
    # The service takes events of the last two weeks; their times are no part of a record that has its own.
    now = int(pd.Timestamp.now("UTC").timestamp() * 1000)
    events = [{"timestamp": now + place, "message": line(rec, names)} for place, rec in enumerate(RECORDS)]
    logs.put_log_events(logGroupName=group, logStreamName="eni-1235b8ca123456789-all", logEvents=events)
    return list(logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 20}))


def test_pages_of_filter_log_events_are_read_as_they_come(session):
    pages = put(session, "default", list(record()))
    assert len(pages) > 1
    assert rows(fl.read(io.BytesIO(json.dumps(pages).encode()))) == RECORDS
    frame = pd.DataFrame([event for page in pages for event in page["events"]])
    assert rows(fl.from_frame(frame)) == RECORDS


def test_the_format_is_taken_from_the_answer_of_describe_flow_logs(session):
    ec2 = session("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName="custom",
        DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow-logs",
        LogFormat=log_format(CUSTOM),
    )
    answer = ec2.describe_flow_logs()
    assert [log["LogFormat"] for log in answer["FlowLogs"]] == [log_format(CUSTOM)]
    answer_of_logs = json.dumps(put(session, "custom", CUSTOM)).encode()
    expected = [{name: rec[name] for name in CUSTOM} for rec in RECORDS]
    assert rows(fl.read(io.BytesIO(answer_of_logs), fields=answer)) == expected
    assert rows(fl.read(io.BytesIO(answer_of_logs), fields=answer["FlowLogs"][0])) == expected


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"FlowLogs": []}, "there is no LogFormat"),
        ({"Vpcs": []}, "there is no LogFormat"),
        (
            {
                "FlowLogs": [
                    {"FlowLogId": "fl-1", "LogFormat": "${version}"},
                    {"FlowLogId": "fl-2", "LogFormat": "${end}"},
                ]
            },
            "fl-1, fl-2, of different formats",
        ),
    ],
)
def test_an_answer_without_one_format_is_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        fl.read(io.BytesIO(b"2 3\n"), fields=answer)
