"""What people hold instead of the files on S3: flow log records as other services and tools wrap them.

Every builder takes records (dicts, see `formats`) and gives the bytes of one file, without the help of flowlens. Shapes
are those of the API references and of the tools' sources:

- `aws logs tail`: https://github.com/aws/aws-cli/blob/v2/awscli/customizations/logs/tail.py
- events: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
- subscriptions: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
- what Lambda gets: https://github.com/aws/aws-lambda-go/tree/main/events/testdata (`kinesis-event.json`,
  `kinesis-firehose-event.json`, `cloudwatch-logs-event.json`)
- what Firehose posts to HTTP endpoints: https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html
- parseVPC: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Transformation-Processors.html
- Athena's bootstrap names: https://github.com/awslabs/aws-security-analytics-bootstrap
"""

from __future__ import annotations

import base64
import bz2
import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pyarrow as pa
from formats import DEFAULT, NUMBERS, TIMES, gz, line, names_of, text

Record = Mapping[str, str | int | None]
Records = Sequence[Record]

STREAM = "eni-1235b8ca123456789-all"

#: How Logs Insights spells the fields that it discovers, and parseVPC those that it writes
INSIGHTS = {
    "account_id": "accountId", "interface_id": "interfaceId", "srcaddr": "srcAddr", "dstaddr": "dstAddr",
    "srcport": "srcPort", "dstport": "dstPort", "start": "startTime", "end": "endTime", "log_status": "logStatus",
}  # fmt: skip
PARSE_VPC = {**INSIGHTS, "start": "start", "end": "end"}
#: https://github.com/awslabs/aws-security-analytics-bootstrap, table vpcflow
BOOTSTRAP = {
    "account_id": "account", "interface_id": "interfaceid", "srcaddr": "sourceaddress",
    "dstaddr": "destinationaddress", "srcport": "sourceport", "dstport": "destinationport", "packets": "numpackets",
    "bytes": "numbytes", "start": "starttime", "end": "endtime", "log_status": "logstatus",
}  # fmt: skip
#: Elastic Common Schema, with what has no place there below aws.vpcflow
ELASTIC = {
    "srcaddr": "source.ip", "dstaddr": "destination.ip", "srcport": "source.port", "dstport": "destination.port",
    "protocol": "network.iana_number", "packets": "network.packets", "bytes": "network.bytes", "start": "event.start",
    "end": "event.end",
}  # fmt: skip


# --- Compression and encoding ---


def zstd(data: bytes) -> bytes:
    """Compress as one zstd stream, as `zstd` and Kafka tools do."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gz,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "gzip twice": lambda data: gz(gz(data)),
}


def utf16(data: bytes) -> bytes:
    """Encode as Windows PowerShell's ``>`` does: UTF-16 with a mark, and lines that end with CR and LF."""
    return b"\xff\xfe" + data.decode().replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-16-le")


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "blank lines around": lambda data: b"\r\n\n" + data + b"\n\n",
    "UTF-16 of PowerShell": utf16,
    "UTF-16, big end first": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
}


# --- Lines and events of CloudWatch Logs ---


def lines(records: Records, names: Sequence[str] = DEFAULT) -> list[str]:
    """Return records as lines."""
    return [line(rec, names) for rec in records]


def seconds(rec: Record) -> int:
    """Return when the record starts, in Unix seconds; of none, some moment."""
    start = int(rec.get("start") or 1_773_151_200)
    return start // 1000 if start >= 10**11 else start


def moment(rec: Record) -> dt.datetime:
    """Return when the record starts."""
    return dt.datetime.fromtimestamp(seconds(rec), dt.UTC)


def events(records: Records, names: Sequence[str] = DEFAULT, *, stream: bool = True) -> list[dict[str, object]]:
    """Return records as events of FilterLogEvents, or, without stream, of GetLogEvents."""
    return [
        {
            **({"logStreamName": STREAM} if stream else {}),
            "timestamp": seconds(rec) * 1000,
            "message": message,
            "ingestionTime": seconds(rec) * 1000 + 97_123,
            **({"eventId": f"{36_928_192_735_481_823_718_234 + number:056d}"} if stream else {}),
        }
        for number, (rec, message) in enumerate(zip(records, lines(records, names), strict=True))
    ]


def export_to_s3(records: Records, names: Sequence[str] = DEFAULT) -> bytes:
    """Write what CreateExportTask puts into a bucket: each line after the time of its event."""
    stamped = [
        f"{moment(rec):%Y-%m-%dT%H:%M:%S}.000Z {message}"
        for rec, message in zip(records, lines(records, names), strict=True)
    ]
    return "".join(f"{row}\n" for row in stamped).encode()


def tail(records: Records, names: Sequence[str] = DEFAULT, *, form: str = "detailed") -> bytes:
    """Write what ``aws logs tail --format`` prints: detailed, short, or json (whose times have no microseconds)."""
    heads = {
        "detailed": lambda when: f"{when.isoformat(timespec='microseconds')} {STREAM}",
        "short": lambda when: f"{when:%Y-%m-%dT%H:%M:%S}",
        "json": lambda when: f"{when.isoformat()} {STREAM}",
    }
    stamped = zip(records, lines(records, names), strict=True)
    return "".join(f"{heads[form](moment(rec))} {message}\n" for rec, message in stamped).encode()


def filter_log_events(
    records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 4, pages: int = 1
) -> bytes:
    """Write answers of ``aws logs filter-log-events``, one document a page."""
    return _pages(
        records,
        pages,
        indent,
        lambda part: {"events": events(part, names), "searchedLogStreams": [], "nextToken": "Bx"},
    )


def get_log_events(
    records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 4, pages: int = 1
) -> bytes:
    """Write answers of ``aws logs get-log-events``, one document a page."""
    return _pages(
        records,
        pages,
        indent,
        lambda part: {
            "events": events(part, names, stream=False),
            "nextForwardToken": "f/372",
            "nextBackwardToken": "b/371",
        },
    )


def _pages(records: Records, pages: int, indent: int | None, page: Callable[[Records], object]) -> bytes:
    step = max(1, -(-len(records) // pages))
    parts = [records[place : place + step] for place in range(0, len(records), step)]
    return "".join(f"{json.dumps(page(part), indent=indent)}\n" for part in parts).encode()


def line_array(records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 4) -> bytes:
    """Write what ``--query 'events[].message'`` leaves: an array of lines."""
    return json.dumps(lines(records, names), indent=indent).encode()


def console_csv(records: Records, names: Sequence[str] = DEFAULT, *, newline: str = "") -> bytes:
    """Write what the console downloads: `timestamp,message`, perhaps with the end of the line inside the quotes."""
    rows = [[seconds(rec) * 1000, line(rec, names) + newline] for rec in records]
    return csv_of(["timestamp", "message"], rows)


# --- Subscriptions ---


def subscription(
    records: Records, names: Sequence[str] = DEFAULT, *, extracted: bool = False, indent: int | None = None
) -> bytes:
    """Write one object of a subscription, with the fields that a filter pattern extracted or without."""
    log_events = [
        {
            "id": f"{38_373_430_536_198 + number:056d}",
            "timestamp": seconds(rec) * 1000,
            "message": message,
            **({"extractedFields": {name: str(rec.get(name) or "-") for name in names}} if extracted else {}),
        }
        for number, (rec, message) in enumerate(zip(records, lines(records, names), strict=True))
    ]
    return json.dumps(_subscribed("DATA_MESSAGE", log_events), indent=indent).encode()


def control_message() -> bytes:
    """Write what CloudWatch Logs sends to see whether anybody is there."""
    event = {"id": "", "timestamp": 1_773_151_000_000, "message": "CWL CONTROL MESSAGE: Checking health of destination"}
    return json.dumps(_subscribed("CONTROL_MESSAGE", [event])).encode()


def _subscribed(kind: str, log_events: list[dict[str, object]]) -> dict[str, object]:
    return {
        "messageType": kind,
        "owner": "123456789010",
        "logGroup": "vpc-flow-logs",
        "logStream": STREAM,
        "subscriptionFilters": ["all"],
        "logEvents": log_events,
    }


def payload(data: bytes) -> str:
    """Return data as CloudWatch Logs sends it: base64 of gzip."""
    return base64.b64encode(gz(data)).decode()


def lambda_event(data: str) -> bytes:
    """Write the event of a Lambda function that is subscribed to a log group."""
    return json.dumps({"awslogs": {"data": data}}).encode()


def kinesis_event(*data: str) -> bytes:
    """Write the event of a Lambda function that reads a Kinesis stream."""
    return json.dumps(
        {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": "1",
                        "sequenceNumber": f"4959033827149025660855969253836157109592157598913658{number:04d}",
                        "data": part,
                        "approximateArrivalTimestamp": 1607497475.000,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": "shardId-000000000006:4959033827149025660855969253836157",
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-kinesis-role",
                    "awsRegion": "us-east-1",
                    "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream",
                }
                for number, part in enumerate(data)
            ]
        },
        indent=2,
    ).encode()


def get_records(*data: str) -> bytes:
    """Write an answer of ``aws kinesis get-records``."""
    records = [
        {
            "SequenceNumber": f"4959033827149025660855969253836157109592157598913658{number:04d}",
            "ApproximateArrivalTimestamp": "2026-03-10T15:00:07.123000+00:00",
            "Data": part,
            "PartitionKey": "1",
        }
        for number, part in enumerate(data)
    ]
    answer = {"Records": records, "NextShardIterator": "AAAAAAAAAAG", "MillisBehindLatest": 0}
    return json.dumps(answer, indent=4).encode()


def firehose_transformation(*data: str) -> bytes:
    """Write the event of a Lambda function that transforms for Firehose."""
    records = [
        {"recordId": f"record{number}", "approximateArrivalTimestamp": 1507217624302, "data": part}
        for number, part in enumerate(data)
    ]
    arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/flows"
    event = {"invocationId": "invoked123", "deliveryStreamArn": arn, "region": "us-east-1", "records": records}
    return json.dumps(event, indent=3).encode()


def firehose_request(*data: bytes) -> bytes:
    """Write what Firehose posts to an HTTP endpoint: base64 of what it was given, which need not be gzip."""
    records = [{"data": base64.b64encode(part).decode()} for part in data]
    return json.dumps({"requestId": "ed1d787c", "timestamp": 1578090901599, "records": records}).encode()


def firehose_lines(records: Records, names: Sequence[str] = DEFAULT, *, end: str = "\n") -> bytes:
    """Write what direct delivery to Firehose leaves in a bucket."""
    return "".join(f"{json.dumps({'message': message})}{end}" for message in lines(records, names)).encode()


# --- Records with names ---


def named(rec: Record, spelling: Mapping[str, str] | Callable[[str], str], names: Sequence[str]) -> dict[str, object]:
    """Return a record under other names."""
    spell = spelling if callable(spelling) else lambda name: spelling.get(name, name)
    return {spell(name): rec.get(name) for name in names}


def hyphenated(name: str) -> str:
    """Spell a column as a LogFormat does."""
    return name.replace("_", "-")


def camel(name: str) -> str:
    """Spell a column as JavaScript does: `log_status` is `logStatus`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def pascal(name: str) -> str:
    """Spell a column as C# does: `log_status` is `LogStatus`."""
    return "".join(word.capitalize() for word in name.split("_"))


def joined(name: str) -> str:
    """Spell a column without separators: `log_status` is `logstatus`."""
    return name.replace("_", "")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "underscored": str,
    "hyphenated": hyphenated,
    "camelCase": camel,
    "PascalCase": pascal,
    "joined": joined,
    "UPPER_CASE": str.upper,
}


def said(rec: Mapping[str, object], missing: str | None = "-") -> dict[str, object]:
    """Return a record with text for all its values, and a word for missing ones."""
    return {name: missing if value is None else str(value) for name, value in rec.items()}


def parse_vpc(records: Records) -> list[str]:
    """Return records as the messages that the parseVPC transformer makes of them."""
    return [
        json.dumps({key: "-" if v is None else v for key, v in named(rec, PARSE_VPC, DEFAULT).items()})
        for rec in records
    ]


def insights_results(records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 4) -> bytes:
    """Write an answer of ``aws logs get-query-results`` for a query of fields."""
    rows = [said(named(rec, lambda name: INSIGHTS.get(name, camel(name)), names)) for rec in records]
    return query_results(
        [{**row, "@ptr": f"CmEKJgoiMTIzNDU2{number}"} for number, row in enumerate(rows)], indent=indent
    )


def insights_messages(records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 4) -> bytes:
    """Write an answer of ``aws logs get-query-results`` for the query that the console begins with."""
    rows = [
        {
            "@timestamp": f"{moment(rec):%Y-%m-%d %H:%M:%S}.000",
            "@message": message,
            "@ptr": f"CmEKJgoiMTIzNDU2{number}",
        }
        for number, (rec, message) in enumerate(zip(records, lines(records, names), strict=True))
    ]
    return query_results(rows, indent=indent)


def query_results(rows: Sequence[Mapping[str, object]], *, indent: int | None = 4) -> bytes:
    """Write rows as an answer of GetQueryResults."""
    results = [[{"field": field, "value": value} for field, value in row.items()] for row in rows]
    statistics = {"recordsMatched": float(len(rows)), "recordsScanned": 1000.0, "bytesScanned": 123456.0}
    answer = {"results": results, "statistics": statistics, "status": "Complete"}
    return f"{json.dumps(answer, indent=indent)}\n".encode()


def csv_of(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    quoting: int = csv.QUOTE_MINIMAL,
    end: str = "\n",
    delimiter: str = ",",
) -> bytes:
    """Write CSV."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator=end, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def insights_csv(records: Records, names: Sequence[str] = DEFAULT) -> bytes:
    """Write what Logs Insights exports as CSV."""
    rows = [said(named(rec, lambda name: INSIGHTS.get(name, camel(name)), names)) for rec in records]
    return csv_of(list(rows[0]), [list(row.values()) for row in rows])


def insights_json(records: Records, names: Sequence[str] = DEFAULT, *, indent: int | None = 2) -> bytes:
    """Write what Logs Insights exports as JSON: an array of objects whose values are text."""
    rows = [said(named(rec, lambda name: INSIGHTS.get(name, camel(name)), names)) for rec in records]
    return json.dumps(rows, indent=indent).encode()


def athena_csv(records: Records, names: Sequence[str] = DEFAULT, *, dashes: bool = False) -> bytes:
    """Write the result file of an Athena query: all in quotes, and nothing, not even quotes, for null.

    Athena's tables of text logs have the dashes of text fields in them, and null where a number was expected.
    """
    return _athena(list(names), [[_athena_value(rec, name, dashes) for name in names] for rec in records])


def bootstrap_csv(records: Records) -> bytes:
    """Write the result of a query of the table of AWS's security analytics bootstrap, with times as Athena prints."""
    rows = []
    for rec in records:
        row: list[object] = [_athena_value(rec, name, False) for name in DEFAULT]
        for name in TIMES:
            place = DEFAULT.index(name)
            row[place] = (
                row[place] and f"{dt.datetime.fromtimestamp(int(row[place]), dt.UTC):%Y-%m-%d %H:%M:%S}.000 UTC"
            )
        rows.append(row)
    return _athena([BOOTSTRAP.get(name, name) for name in DEFAULT], rows)


def _athena_value(rec: Record, name: str, dashes: bool) -> object:
    value = rec.get(name)
    is_text = name not in NUMBERS and name not in TIMES
    return "-" if value is None and dashes and is_text else value


def _athena(names: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    shown = [",".join("" if value is None else f'"{value}"' for value in row) for row in [names, *rows]]
    return "".join(f"{row}\n" for row in shown).encode()


def json_lines(
    records: Records,
    names: Sequence[str] = DEFAULT,
    *,
    spelling: Mapping[str, str] | Callable[[str], str] = str,
    end: str = "\n",
    drop: bool = False,
    as_text: bool = False,
) -> bytes:
    """Write records as objects, with null for what is missing, or without its key, or all as text with dashes."""
    objects = [named(rec, spelling, names) for rec in records]
    if drop:
        objects = [{key: value for key, value in row.items() if value is not None} for row in objects]
    if as_text:
        objects = [said(row) for row in objects]
    return "".join(f"{json.dumps(row)}{end}" for row in objects).encode()


def json_array(
    records: Records,
    names: Sequence[str] = DEFAULT,
    *,
    spelling: Mapping[str, str] | Callable[[str], str] = str,
    indent: int | None = 2,
) -> bytes:
    """Write records as an array of objects, with null for what is missing."""
    return json.dumps([named(rec, spelling, names) for rec in records], indent=indent).encode()


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    """Return a dict of dotted names as objects inside each other."""
    out: dict[str, object] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        inside = out
        for key in path:
            inside = inside.setdefault(key, {})  # type: ignore[assignment]
        inside[last] = value
    return out


def elastic(records: Records, names: Sequence[str] = DEFAULT) -> bytes:
    """Write records as Elastic's integration stores them: what is missing is not there."""
    rows = []
    for rec in records:
        flat = {ELASTIC.get(name, f"aws.vpcflow.{name}"): rec.get(name) for name in names}
        for key in ("event.start", "event.end"):
            if flat.get(key) is not None:
                flat[key] = f"{dt.datetime.fromtimestamp(int(str(flat[key])), dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        rows.append(nested({key: value for key, value in flat.items() if value is not None}))
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


# --- pandas ---


def plain_frame(records: Records, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return records as somebody's own frame: numbers are floats where one is missing, as pandas does by itself."""
    names = names_of(records) if names is None else names
    return pd.DataFrame({name: pd.Series([rec.get(name) for rec in records]) for name in names})


def pandas_csv(frame: pd.DataFrame, **options: object) -> bytes:
    """Write a frame with to_csv."""
    return frame.to_csv(**options).encode()


def s3_text(records: Records, names: Sequence[str] = DEFAULT) -> bytes:
    """Write the same records as the file on S3, to compare with."""
    return text(records, names)
