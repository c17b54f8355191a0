"""What is met beside VPC flow logs and is none is refused by its name, never read into wrong columns."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pytest
from envelopes import (
    COMPRESSIONS,
    ENCODINGS,
    control_message,
    csv_of,
    elastic,
    filter_log_events,
    json_lines,
    kinesis_event,
    lambda_event,
    nested,
    payload,
    query_results,
)
from formats import DEFAULT, START, check, parquet_of, read, record, rows, text

import flowlens as fl

GOOD = [record(packets=0, bytes=number) for number in range(4)]


def jsonl(*documents: object) -> bytes:
    return "".join(f"{json.dumps(document)}\n" for document in documents).encode()


def pretty(document: object) -> bytes:
    return json.dumps(document, indent=2).encode()


# --- Flow logs of other clouds ---

#: https://cloud.google.com/vpc/docs/about-flow-logs-records, values of a record in
#: https://github.com/elastic/integrations/tree/main/packages/gcp/data_stream/vpcflow/_dev/test/pipeline
GCP_PAYLOAD = {
    "bytes_sent": "5300",
    "connection": {
        "dest_ip": "173.255.116.127",
        "dest_port": 443,
        "protocol": 6,
        "src_ip": "10.128.15.212",
        "src_port": 44114,
    },
    "start_time": "2020-05-13T18:10:22.594437852Z",
    "end_time": "2020-05-13T18:10:22.614528620Z",
    "packets_sent": "40",
    "reporter": "SRC",
    "rtt_msec": "0",
    "src_instance": {"project_id": "p", "region": "us-central1", "vm_name": "gke-1", "zone": "us-central1-c"},
    "dest_location": {"asn": 15169, "continent": "America", "country": "usa"},
}
GCP = {
    "insertId": "ut8lbrffooxyw",
    "jsonPayload": GCP_PAYLOAD,
    "logName": "projects/p/logs/compute.googleapis.com%2Fvpc_flows",
    "receiveTimestamp": "2020-05-13T18:10:30.490124Z",
    "resource": {"labels": {"project_id": "p", "subnetwork_name": "default"}, "type": "gce_subnetwork"},
    "timestamp": "2020-05-13T18:10:30.490124Z",
}
#: https://github.com/elastic/integrations/blob/main/packages/gcp/data_stream/vpcflow/sample_event.json
GCP_IN_ELASTIC = {
    "@timestamp": "2019-06-14T03:50:10.845Z",
    "data_stream": {"dataset": "gcp.vpcflow", "namespace": "ep", "type": "logs"},
    "destination": {"address": "67.43.156.13", "ip": "67.43.156.13", "port": 33478},
    "event": {"end": "2019-06-14T03:45:37.301953198Z", "start": "2019-06-14T03:45:37.186193305Z", "kind": "event"},
    "gcp": {"vpcflow": {"reporter": "SRC", "rtt": {"ms": 36}}},
    "network": {"bytes": 1776, "direction": "outbound", "iana_number": "6", "packets": 7},
    "source": {"address": "10.87.40.76", "bytes": 1776, "ip": "10.87.40.76", "packets": 7, "port": 5601},
}
#: https://learn.microsoft.com/en-us/azure/network-watcher/nsg-flow-logs-overview#sample-log-records
AZURE_NSG = {
    "records": [
        {
            "time": "2017-02-16T22:00:32.8950000Z",
            "systemId": "55ff55ff-aa66-bb77-cc88-99dd99dd99dd",
            "category": "NetworkSecurityGroupFlowEvent",
            "resourceId": "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/FABRIKAMRG",
            "operationName": "NetworkSecurityGroupFlowEvents",
            "properties": {
                "Version": 1,
                "flows": [
                    {
                        "rule": "DefaultRule_DenyAllInBound",
                        "flows": [
                            {
                                "mac": "000D3AF8801A",
                                "flowTuples": ["1487282421,42.119.146.95,10.1.0.4,51529,5358,T,I,D"],
                            }
                        ],
                    }
                ],
            },
        }
    ]
}
#: https://github.com/MicrosoftDocs/azure-docs/blob/main/articles/network-watcher/vnet-flow-logs-overview.md
AZURE_VNET = {
    "records": [
        {
            "time": "2022-09-14T09:00:52.5625085Z",
            "flowLogVersion": 4,
            "flowLogGUID": "abcdef01-2345-6789-0abc-def012345678",
            "macAddress": "00224871C205",
            "category": "FlowLogFlowEvent",
            "flowLogResourceID": "/SUBSCRIPTIONS/00000000/FLOWLOGS/VNETFLOWLOG",
            "targetResourceID": "/subscriptions/00000000/virtualNetworks/myVNet",
            "operationName": "FlowLogFlowEvent",
            "flowRecords": {
                "flows": [
                    {
                        "aclID": "00000000-1234-abcd-ef00-c1c2c3c4c5c6",
                        "flowGroups": [
                            {
                                "rule": "DefaultRule_AllowInternetOutBound",
                                "flowTuples": ["1663146003599,10.0.0.6,52.239.184.180,23956,443,6,O,B,NX,0,0,0,0"],
                            }
                        ],
                    }
                ]
            },
        }
    ]
}
#: https://www.alibabacloud.com/help/en/sls/vpc lists the fields
ALIBABA = {
    "version": "1",
    "vswitch-id": "vsw-bp1",
    "vm-id": "i-bp1",
    "vpc-id": "vpc-bp1",
    "account-id": "1210123456123456",
    "eni-id": "eni-bp1",
    "region": "cn-hangzhou",
    "srcaddr": "10.0.0.1",
    "srcport": "5000",
    "dstaddr": "10.0.0.2",
    "dstport": "22",
    "protocol": "6",
    "direction": "in",
    "packets": "10",
    "bytes": "840",
    "start": "1700000000",
    "end": "1700000060",
    "log-status": "OK",
    "action": "ACCEPT",
    "tcp-flags": "2",
}
#: https://github.com/cognetive/VPC-Flow-Logs-Analytics/blob/master/data/data_example.csv
IBM_CSV = (
    b"Unnamed: 0,UUID,Status,Version,Start,Last,src_ip,src_port,dst_ip,dst_port,Protocol,ABBytes,BABytes,ABPackets,"
    b"BAPackets,Action,Total_Packets,Total_Bytes\n"
    b"0,5d095ce8-4545-4d64-a35c-515d0597b628,ENDED,4.2,2019-07-02 17:05:24,2019-07-02 17:05:25,10.132.196.39,1602,"
    b"10.2.163.108,80,TCP,12000000,12000000,7937,7937,ACCEPTED,15874,24000000\n"
)
#: https://cloud.ibm.com/docs/vpc?topic=vpc-fl-analyze
IBM = {
    "version": "0.0.1",
    "collector_crn": "crn:v1:bluemix:public:is:us-south:a/cdef::flow-log-collector:r006-44f7",
    "attached_endpoint_type": "vnic",
    "network_interface_id": "0737-40a0d077",
    "instance_crn": "crn",
    "vpc_crn": "crn",
    "capture_start_time": "2020-07-01T20:28:18Z",
    "capture_end_time": "2020-07-01T20:33:18Z",
    "state": "ok",
    "number_of_flow_logs": 1,
    "flow_logs": [
        {
            "start_time": "2020-07-01T20:30:39Z",
            "end_time": "2020-07-01T20:33:09Z",
            "direction": "O",
            "action": "accepted",
            "initiator_ip": "10.240.128.4",
            "initiator_port": 20033,
            "target_ip": "161.26.0.10",
            "target_port": 80,
            "transport_protocol": 6,
            "ether_type": "IPv4",
            "was_initiated": True,
            "bytes_from_initiator": 12000,
            "packets_from_initiator": 2212,
        }
    ],
}

# --- Other logs of AWS ---

#: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
CLOUDTRAIL = {
    "eventVersion": "1.08",
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "Nikki"},
    "eventTime": "2023-07-19T21:17:28Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "StartInstances",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "aws-cli/2.13.5",
    "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-EXAMPLE56126103cb"}]}},
    "requestID": "e4336db0-149f-4a6b-844d-EXAMPLEb9d16",
    "eventType": "AwsApiCall",
    "recipientAccountId": "123456789012",
}
#: https://github.com/aws/aws-lambda-go/blob/main/events/testdata/s3-event.json
S3_EVENT = {
    "Records": [
        {
            "eventVersion": "2.0",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": "1970-01-01T00:00:00.123Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "EXAMPLE"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "testConfigRule",
                "bucket": {"name": "sourcebucket", "arn": "arn:aws:s3:::mybucket"},
                "object": {"key": "HappyFace.jpg", "size": 1024},
            },
        }
    ]
}
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
S3_TO_EVENTBRIDGE = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2021-11-12T00:00:00Z",
    "region": "ca-central-1",
    "detail": {"version": "0", "bucket": {"name": "amzn-s3-demo-bucket1"}, "object": {"key": "k", "size": 5}},
}
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
ALB = (
    b"http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.000 "
    b'0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:aws:x '
    b'"Root=1-58337262" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"\n'
)
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html
NLB = (
    b"tls 2.0 2018-12-20T02:59:40 net/my-network-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd 72.21.218.154:51341 "
    b"172.100.100.185:443 5 2 98 246 - arn:aws:acm:us-east-2:671290407336:certificate/2a108f19 - ECDHE-RSA tlsv12 - "
    b"my-network-loadbalancer-c6e77e28c25b2234.elb.us-east-2.amazonaws.com - - - 2018-12-20T02:59:30\n"
)
#: https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html
CLB = (
    b"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 "
    b'29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -\n'
)
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
CLOUDFRONT = (
    b"#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status\n"
    b"2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\n"
)
#: https://docs.aws.amazon.com/waf/latest/developerguide/logging-examples.html
WAF = {
    "timestamp": 1592357192516,
    "formatVersion": 1,
    "webaclId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/hello-world/5933d6d9",
    "terminatingRuleId": "Default_Action",
    "action": "ALLOW",
    "httpSourceName": "-",
    "httpRequest": {"clientIp": "1.1.1.1", "country": "US", "headers": [], "uri": "/", "httpMethod": "GET"},
}
#: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-example-json.html
ROUTE53_RESOLVER = {
    "version": "1.100000",
    "account_id": "111122223333",
    "region": "us-east-1",
    "vpc_id": "vpc-7example",
    "query_timestamp": "2021-02-04T17:51:55Z",
    "query_name": "15.3.4.32.in-addr.arpa.",
    "query_type": "PTR",
    "rcode": "NOERROR",
    "answers": [{"Rdata": "203.0.113.9", "Type": "PTR", "Class": "IN"}],
    "srcaddr": "4.5.64.102",
    "srcport": "47512",
    "transport": "UDP",
    "srcids": {"instance": "i-0d15cd0d3example"},
}
#: https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html
NETWORK_FIREWALL = {
    "firewall_name": "firewall",
    "availability_zone": "us-east-1b",
    "event_timestamp": "1601587565",
    "event": {
        "timestamp": "2020-10-01T21:26:05.007515+0000",
        "event_type": "netflow",
        "src_ip": "10.1.3.76",
        "src_port": 22,
        "dest_ip": "198.71.247.91",
        "dest_port": 59324,
        "proto": "TCP",
        "netflow": {"pkts": 1, "bytes": 20, "age": 0},
    },
}

# --- Logs of other tools ---

#: https://docs.zeek.org/en/master/log-formats.html
ZEEK = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n"
    b"1300475167.096535\tCXWv6p3arKYeMETxOg\t141.142.220.202\t5353\t224.0.0.251\t5353\tudp\n"
)
#: https://github.com/phaag/nfdump: nfdump 1.6 and 1.7
NFDUMP = (
    b"Date first seen          Duration Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets  Bytes Flows\n"
    b"2010-09-01 00:00:00.459     0.000 UDP     127.0.0.1:24920   ->  192.168.0.1:22126        1       46     1\n"
)
NFDUMP_CSV = (
    b"ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out\n"
    b"2016-03-18 10:00:01,2016-03-18 10:00:02,1.0,10.0.0.1,10.0.0.2,1,2,TCP,.A....,0,0,1,46,0,0,0,0\n"
)
NFDUMP_17_CSV = (
    b"firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bpp,flows\n"
    b"2024-01-01 00:00:00.000,0.000,TCP,10.0.0.1,1024,10.0.0.2,443,1,46,46,1\n"
)
WEB_SERVER = b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326\n'


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("flows.log", text(GOOD))
    return file.getvalue()


def tarred(mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        member = tarfile.TarInfo("flows.log")
        member.size = len(text(GOOD))
        archive.addfile(member, io.BytesIO(text(GOOD)))
    return file.getvalue()


SURICATA = jsonl(
    {
        "timestamp": "2026-03-10T14:00:00.000+0000", "flow_id": 1, "event_type": "alert", "src_ip": "10.0.0.1",
        "src_port": 1, "dest_ip": "10.0.0.2", "dest_port": 2, "proto": "TCP",
        "alert": {"signature_id": 2, "severity": 1},
    }
)  # fmt: skip

LOOKALIKES = {
    "GCP": (jsonl(GCP), "Google Cloud"),
    "GCP, several": (jsonl(GCP, GCP, GCP), "Google Cloud"),
    "GCP, array": (pretty([GCP, GCP]), "Google Cloud"),
    "GCP, payload alone": (jsonl(GCP_PAYLOAD), "Google Cloud"),
    "GCP, export of the console as CSV": (
        csv_of(
            ["insertId", "jsonPayload.connection.src_ip", "jsonPayload.connection.dest_ip", "jsonPayload.bytes_sent"],
            [["ut8l", "10.0.0.1", "10.0.0.2", "5300"]],
        ),
        "Google Cloud",
    ),
    "GCP, flat CSV": (
        csv_of(
            ["src_ip", "src_port", "dest_ip", "dest_port", "protocol", "bytes_sent", "start_time", "reporter"],
            [["10.0.0.1", 1, "10.0.0.2", 2, 6, 100, "2020-05-13T18:10:22.594437852Z", "SRC"]],
        ),
        "Google Cloud",
    ),
    "GCP, in Elastic": (jsonl(GCP_IN_ELASTIC), "Google Cloud"),
    "Azure, security groups": (pretty(AZURE_NSG), "Azure"),
    "Azure, networks": (pretty(AZURE_VNET), "Azure"),
    "Azure, networks, lines": (jsonl(*AZURE_VNET["records"]), "Azure"),
    "Azure, export of Log Analytics": (
        csv_of(
            [
                "TimeGenerated [UTC]",
                "FlowStartTime_t",
                "SrcIP_s",
                "DestIP_s",
                "DestPort_d",
                "FlowStatus_s",
                "NSGRule_s",
            ],
            [["2020-01-01", "2020-01-01", "10.0.0.1", "10.0.0.2", 443, "A", "x"]],
        ),
        "Azure",
    ),
    "Alibaba, JSON": (jsonl(ALIBABA), "Alibaba"),
    "Alibaba, JSON array": (pretty([ALIBABA, ALIBABA]), "Alibaba"),
    "Alibaba, CSV": (csv_of(list(ALIBABA), [list(ALIBABA.values())]), "Alibaba"),
    "Alibaba, text with header": (f"{' '.join(ALIBABA)}\n{' '.join(ALIBABA.values())}\n".encode(), "Alibaba"),
    "Alibaba, text without header": (f"{' '.join(ALIBABA.values())}\n".encode(), "Alibaba"),
    "Alibaba, Parquet": (
        parquet_of(pa.table({name.replace("-", "_"): [value] for name, value in ALIBABA.items()})),
        "Alibaba",
    ),
    "IBM": (pretty(IBM), "IBM"),
    "IBM, one flow": (jsonl(*IBM["flow_logs"]), "IBM"),
    "IBM, CSV": (IBM_CSV, "IBM"),
    "CloudTrail": (json.dumps({"Records": [CLOUDTRAIL, CLOUDTRAIL]}).encode(), "CloudTrail"),
    "CloudTrail, pretty": (pretty({"Records": [CLOUDTRAIL]}), "CloudTrail"),
    "CloudTrail, lines": (jsonl(CLOUDTRAIL, CLOUDTRAIL), "CloudTrail"),
    "CloudTrail, in a log group": (
        pretty({"events": [{"timestamp": 1, "message": json.dumps(CLOUDTRAIL)}], "searchedLogStreams": []}),
        "CloudTrail",
    ),
    "CloudTrail, in a subscription": (
        lambda_event(
            payload(jsonl({"messageType": "DATA_MESSAGE", "logEvents": [{"message": json.dumps(CLOUDTRAIL)}]}))
        ),
        "CloudTrail",
    ),
    "CloudTrail, lookup-events": (
        pretty({"Events": [{"EventId": "e755", "EventName": "x", "CloudTrailEvent": json.dumps(CLOUDTRAIL)}]}),
        "CloudTrail",
    ),
    "S3 event": (pretty(S3_EVENT), "S3 event notification"),
    "S3 event through EventBridge": (jsonl(S3_TO_EVENTBRIDGE), "S3 event"),
    "ALB": (ALB, "Application Load Balancer"),
    "NLB": (NLB, "Network Load Balancer"),
    "CLB": (CLB, "Classic Load Balancer"),
    "CLB without backend": (CLB.replace(b"10.0.0.1:80 0.000073 0.001048 0.000057", b"- -1 -1 -1"), "Load Balancer"),
    "CloudFront": (CLOUDFRONT, "CloudFront"),
    "WAF": (jsonl(WAF, WAF), "WAF"),
    "Route 53 Resolver": (jsonl(ROUTE53_RESOLVER), "Route 53 Resolver"),
    "Route 53 Resolver, without objects": (
        jsonl({key: value for key, value in ROUTE53_RESOLVER.items() if not isinstance(value, list | dict)}),
        "Route 53 Resolver",
    ),
    "Route 53": (
        b"1.0 2017-12-13T08:16:02.130Z Z123412341234 example.com A NOERROR UDP FRA6 192.168.1.1 -\n",
        "Route 53",
    ),
    "Network Firewall": (jsonl(NETWORK_FIREWALL), "Network Firewall"),
    "Zeek": (ZEEK, "Zeek"),
    "nfdump": (NFDUMP, "nfdump"),
    "nfdump, CSV": (NFDUMP_CSV, "nfdump"),
    "nfdump 1.7, CSV": (NFDUMP_17_CSV, "nfdump"),
    "web server": (WEB_SERVER, "web server"),
    "Suricata": (SURICATA, "Suricata"),
    "get-query-results of Athena": (
        b'{"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "srcaddr"}]}], "ResultSetMetadata": {}}}',
        "CSV file that the query left in S3",
    ),
    "HTML": (b"<!DOCTYPE html><html><body>AccessDenied</body></html>", "HTML"),
    "S3 error": (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>', "XML"),
    "ZIP": (zipped(), "ZIP"),
    "xz": (lzma.compress(text(GOOD)), "xz"),
    "tar": (tarred("w"), "tar archive"),
    "tar.gz": (tarred("w:gz"), "tar archive"),
    "tar.bz2": (tarred("w:bz2"), "tar archive"),
    "pickle": (pickle.dumps(GOOD), "pickle"),
    "pickle of a frame": (pickle.dumps(pd.DataFrame(GOOD)), "pickle"),
    "pickle of protocol 5": (pickle.dumps(GOOD, 5), "pickle"),
    "pickle of Python 2": (pickle.dumps(GOOD, 2), "pickle"),
    "packet capture": (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(32), "packet capture"),
    "Snappy": (b"\xff\x06\x00\x00sNaPpY" + bytes(20), "Snappy"),
    "Avro": (b"Obj\x01\x04\x14avro.codec" + bytes(20), "Avro"),
    "ORC": (b"ORC" + bytes(20), "ORC"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF"),
}


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_what_is_no_vpc_flow_log_is_refused_by_its_name(kind):
    data, name = LOOKALIKES[kind]
    with pytest.raises(fl.ParseError, match=name) as caught:
        read(data)
    error = caught.value
    assert name in error.reason
    assert "this is no" in error.reason
    assert (error.file, len(error.bad_lines)) == ("<open file>", 1)
    bad = check(data)
    assert bad["reason"].tolist() == [error.reason]
    assert bad["line"].tolist() == [error.line]


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_what_is_no_vpc_flow_log_stays_refused_whatever_is_asked_for(kind):
    data = LOOKALIKES[kind][0]
    for options in ({"on_bad_lines": "skip"}, {"columns": ["srcaddr"]}, {"time": (None, None)}, {"fields": "default"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(fl.ParseError):
                read(data, **options)


def test_what_is_no_vpc_flow_log_hides_no_other_file_of_the_folder(tmp_path):
    (tmp_path / "000").write_bytes(text(GOOD))
    for place, kind in enumerate(LOOKALIKES, 1):
        (tmp_path / f"{place:03}").write_bytes(LOOKALIKES[kind][0])
    (tmp_path / "999").write_bytes(filter_log_events(GOOD))
    with pytest.warns(UserWarning, match=f"{len(LOOKALIKES)} lines could not be read"):
        assert rows(fl.read(tmp_path, on_bad_lines="warn")) == GOOD * 2
    bad = fl.check(tmp_path)
    assert bad["file"].tolist() == [str(tmp_path / f"{place:03}") for place in range(1, len(LOOKALIKES) + 1)]
    assert [LOOKALIKES[kind][1] in reason for kind, reason in zip(LOOKALIKES, bad["reason"], strict=True)] == [
        True
    ] * len(LOOKALIKES)


@pytest.mark.parametrize(
    "kind", ["GCP", "Azure, networks", "CloudTrail", "ALB", "Alibaba, CSV", "WAF", "tar", "web server"]
)
def test_what_is_no_vpc_flow_log_is_refused_by_its_name_under_every_compression(kind):
    data, name = LOOKALIKES[kind]
    for compress in COMPRESSIONS.values():
        with pytest.raises(fl.ParseError, match=name):
            read(compress(data))


@pytest.mark.parametrize(
    "kind", ["GCP", "Azure, security groups", "CloudTrail, lines", "CLB", "Alibaba, text with header"]
)
@pytest.mark.parametrize("encoding", ["byte order mark", "CRLF", "UTF-16 of PowerShell"])
def test_what_is_no_vpc_flow_log_is_refused_by_its_name_in_every_encoding(kind, encoding):
    data, name = LOOKALIKES[kind]
    with pytest.raises(fl.ParseError, match=name):
        read(ENCODINGS[encoding](data))


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (json.dumps(CLOUDTRAIL), "CloudTrail"),
        (json.dumps(GCP), "Google Cloud"),
        (json.dumps(WAF), "WAF"),
        (json.dumps(ROUTE53_RESOLVER), "Route 53 Resolver"),
        (" ".join(ALIBABA.values()), "Alibaba"),
        (ALB.decode().strip(), "Application Load Balancer"),
        (WEB_SERVER.decode().strip(), "web server"),
        (json.dumps(NETWORK_FIREWALL), "Network Firewall"),
    ],
    ids=lambda value: value if len(value) < 30 else "",
)
def test_other_logs_of_a_log_group_are_refused_by_their_name_in_every_envelope(message, name):
    events = [{"timestamp": START * 1000, "message": message, "ingestionTime": START * 1000}] * 2
    subscribed = jsonl({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": events})
    for data in (
        pretty({"events": events, "searchedLogStreams": []}),
        jsonl({"events": events}),
        subscribed,
        control_message() + subscribed,
        lambda_event(payload(subscribed)),
        kinesis_event(payload(subscribed), payload(subscribed)),
        jsonl({"message": message}, {"message": message}),
        query_results([{"@timestamp": "2026-03-10 14:00:00.000", "@message": message, "@ptr": "Cm"}]),
        csv_of(["timestamp", "message"], [[START * 1000, message]]),
    ):
        with pytest.raises(fl.ParseError, match=name):
            read(data)


def test_one_event_of_another_service_among_flow_logs_is_reported_and_they_are_read():
    events = [json.loads(row) for row in json_lines(GOOD).decode().splitlines()]
    for odd in (GCP, CLOUDTRAIL, WAF, {"a": 1}):
        data = jsonl(*events[:2], odd, *events[2:])
        bad = check(data)
        assert bad["line"].tolist() == [3]
        assert rows(read(data, on_bad_lines="skip")[DEFAULT]) == GOOD


def test_flow_logs_that_name_such_things_in_their_values_are_read():
    words = [
        "CloudTrail",
        "userIdentity",
        "jsonPayload.connection.src_ip",
        "eni-id",
        "#Version:1",
        "PK",
        "<html>",
        "2.0",
    ]
    recs = [record(vpc_id=word) for word in words if not word.startswith("#")]
    for data in (text(recs), json_lines(recs, [*DEFAULT, "vpc_id"]), elastic(GOOD)):
        assert len(read(data)) in {len(recs), len(GOOD)}


@pytest.mark.parametrize(
    "name", ["eni_id", "macAddress", "eventSource", "query_name", "vswitch_id", "firewall_name", "bpp"]
)
def test_flow_logs_with_a_column_that_somebody_added_are_read(name):
    recs = [{**rec, name: "x"} for rec in GOOD]
    for data in (
        json_lines(recs, [*DEFAULT, name]),
        csv_of([*DEFAULT, name], [list(rec.values()) for rec in recs]),
        parquet_of(pa.Table.from_pylist(recs)),
    ):
        assert rows(read(data)[DEFAULT]) == GOOD


# --- Tables of results ---


def insights(names: Sequence[str], *values: Sequence[object]) -> list[bytes]:
    """Return the results of a query as the AWS CLI prints and as the console exports them."""
    found = [dict(zip(names, map(str, row), strict=True)) for row in values]
    return [query_results(found), csv_of(names, values), pretty(found), jsonl(*found)]


#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-examples.html, queries for VPC Flow Logs;
#: https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs.html
RESULTS = {
    "packets by pair": insights(["srcAddr", "dstAddr", "packetsTransferred"], ["10.0.0.1", "10.0.0.2", 5]),
    "packets by pair, unnamed": insights(["srcAddr", "dstAddr", "sum(packets)"], ["10.0.0.1", "10.0.0.2", 5]),
    "bytes by destination": insights(["dstAddr", "bytesTransferred"], ["10.0.0.2", 5]),
    "UDP by pair": insights(["srcAddr", "dstAddr", "count(*)"], ["10.0.0.1", "10.0.0.2", 5]),
    "skipped by hour": insights(["t", "count(*)"], ["2026-03-10 14:00:00.000", 5]),
    "rejections by source": insights(["srcAddr", "numRejections"], ["10.0.0.1", 5]),
    "bytes by port": insights(["dstPort", "protocol", "sum(bytes)"], [443, 6, 5]),
    "bytes by flow": insights(["srcAddr", "dstAddr", "srcPort", "sum(bytes)"], ["10.0.0.1", "10.0.0.2", 1024, 5]),
    "bytes by flow, named": insights(["srcAddr", "dstAddr", "srcPort", "total"], ["10.0.0.1", "10.0.0.2", 1024, 5]),
    "Athena, a column without name": [csv_of(["srcaddr", "dstaddr", "srcport", "_col3"], [["::1", "::2", 1, 5]])],
    "Athena, packets by destination": [csv_of(["packetcount", "dstaddr"], [[5, "10.0.0.2"]])],
    "Athena, refused TCP": [
        csv_of(
            ["day", "date", "interface_id", "srcaddr", "action", "protocol"],
            [[2, "2026-03-10", "eni-1", "10.0.0.1", "REJECT", 6]],
        )
    ],
    "Athena, count": [b'"_col0"\n"17"\n', b'"count(*)"\n"17"\n'],
}


@pytest.mark.parametrize("query", RESULTS)
def test_results_of_queries_that_are_no_records_are_refused(query):
    for data in RESULTS[query]:
        with pytest.raises(fl.ParseError) as caught:
            read(data)
        assert len(caught.value.bad_lines) == 1
        assert len(check(data)) == 1


@pytest.mark.parametrize("query", [query for query in RESULTS if "pair" in query or "flow" in query])
def test_results_of_queries_about_pairs_are_called_that_and_records_described(query):
    for data in RESULTS[query]:
        with pytest.raises(fl.ParseError, match=r"results of a query.*srcaddr.*dstaddr.*from_frame"):
            read(data)


@pytest.mark.parametrize(
    "verb",
    [
        "top_talkers",
        "pairs",
        "conversations",
        "coverage",
        "ports",
        "timeline",
        "fan_out",
        "rejected_by_port",
        "top_contributors",
    ],
)
def test_results_of_flowlens_itself_are_no_records(verb):
    table = getattr(fl.sample().flow, verb)().head(5)
    assert len(table)
    for data in (
        table.to_csv(index=False).encode(),
        table.to_csv().encode(),
        table.to_json(orient="records", date_format="iso").encode(),
        table.to_json(orient="records", lines=True, date_format="iso").encode(),
    ):
        with pytest.raises(
            fl.ParseError, match=r"results of a query and not flow log records|no columns of a flow log"
        ):
            read(data)


def test_a_source_port_tells_records_beside_names_of_aws():
    for data in insights(
        ["srcAddr", "dstAddr", "srcPort", "dstPort", "action"], ["10.0.0.1", "10.0.0.2", 5, 6, "ACCEPT"]
    ):
        assert read(data)["srcport"].tolist() == [5]


def test_a_number_that_somebody_gave_each_record_makes_it_no_other_log():
    data = jsonl({"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": 5, "flow_id": 1, "event_type": "flow"})
    assert read(data)["flow_id"].tolist() == ["1"]


def test_a_query_for_records_is_no_table_of_results():
    asked = ["srcAddr", "dstAddr", "srcPort", "dstPort", "action"]
    for data in insights(asked, ["10.0.0.1", "10.0.0.2", 1024, 443, "ACCEPT"]):
        assert rows(read(data)) == [
            {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "srcport": 1024, "dstport": 443, "action": "ACCEPT"}
        ]


@pytest.mark.parametrize("indent", [None, 2])
def test_records_of_no_traffic_alone_are_records_even_where_nulls_are_left_out(indent):
    rec = {"version": 2, "account_id": "123456789010", "interface_id": "eni-1", "start": START, "end": START + 59}
    rec["log_status"] = "NODATA"
    for data in (json.dumps([rec, rec], indent=indent).encode(), json.dumps(nested(rec), indent=indent).encode()):
        assert read(data)["log_status"].unique().tolist() == ["NODATA"]


# --- No layout ---

CUSTOM = {
    "alphabetical": sorted(DEFAULT),
    "without account": [name for name in DEFAULT if name != "account_id"],
    "one more field": [*DEFAULT, "vpc_id"],
    "bytes before packets": [*DEFAULT[:8], "bytes", "packets", *DEFAULT[10:]],
    "addresses only": ["srcaddr", "dstaddr"],
}


@pytest.mark.parametrize("names", [name for name in CUSTOM if name != "bytes before packets"])
def test_lines_of_no_known_layout_are_refused_with_what_to_pass(names):
    recs = [record(version=3, vpc_id="vpc-1", bytes=number) for number in range(30)]
    data = text(recs, CUSTOM[names], header=False)
    for form in (data, json.dumps({"events": [{"message": row} for row in data.decode().splitlines()]}).encode()):
        with pytest.raises(
            fl.ParseError, match=r"pass their format: fields='\$\{version\} \$\{account-id\} \.\.\.'"
        ) as caught:
            read(form)
        assert "describe-flow-logs" in caught.value.reason
        assert "LogFormat" in caught.value.reason
        assert caught.value.text == data.decode().splitlines()[0]
        assert len(read(form, fields=CUSTOM[names])) == len(recs)


def test_what_is_compressed_too_often_is_refused_with_what_to_do():
    data = text(GOOD)
    for _ in range(3):
        data = gzip.compress(data)
    with pytest.raises(fl.ParseError, match="compressed more than twice: unpack it first"):
        read(data)


def test_what_is_no_flow_log_and_not_known_either_is_refused_without_a_guess():
    for data in (
        b"name,amount\nalice,5\n",
        b"Mar 10 14:00:00 host sshd[1]: Failed password for root from 10.0.0.1 port 22 ssh2\n",
        b'{"level": "INFO", "text": "started"}\n',
        b'["a", "b"]',
        b"5",
        b"null",
        b"{}",
        jsonl({"srcaddr": "10.0.0.1"}),
    ):
        with pytest.raises(fl.ParseError) as caught:
            read(data)
        assert caught.value.reason
        assert len(check(data)) >= 1
