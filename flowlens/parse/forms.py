"""The forms of flow logs that are read, as data: `flowlens.formats` shows them, and the docs are printed from it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMS", "Form"]


@dataclass(frozen=True, slots=True)
class Form:
    """One form in which flow logs reach people.

    Attributes
    ----------
    form
        What it is called.
    comes_from
        Which service or command makes it.
    recognised_by
        What in the content tells it.
    fields_from
        What tells which value is which.
    """

    form: str
    comes_from: str
    recognised_by: str
    fields_from: str


_LINES = "fields=, or a default format that fits"
_NAMES = "names, however spelled"

FORMS: tuple[Form, ...] = (
    Form("text with header", "delivery to S3", "a line of field names, in any order", "the header"),
    Form("text without header", "lines taken from CloudWatch Logs", "lines that fit field by field", _LINES),
    Form("text with event times", "export of CloudWatch Logs to S3", "an ISO 8601 time before each record", _LINES),
    Form("aws logs tail", "aws logs tail", "a time and a log stream before each record", _LINES),
    Form("Parquet", "delivery to S3, to_parquet, pandas, Spark", "PAR1", "column names"),
    Form("Security Lake Parquet", "Amazon Security Lake, both versions", "OCSF class 4001", "the OCSF mapping"),
    Form("filter-log-events JSON", "aws logs filter-log-events", '{"events": [{"message"', _LINES),
    Form("get-log-events JSON", "aws logs get-log-events", '{"events": [{"message"', _LINES),
    Form("console CSV", "download in the CloudWatch console", "a column message", _LINES),
    Form("subscription JSON", "subscription of a log group, through Firehose", '{"messageType", "logEvents"', _LINES),
    Form("subscription payload", "subscription of a log group, to Lambda", '{"awslogs": {"data"', _LINES),
    Form("Kinesis records", "subscription of a log group, to Kinesis", '{"Records": [{"kinesis" or "Data"', _LINES),
    Form("bare payload", "one of those payloads, saved", "base64 of gzip", _LINES),
    Form("Firehose JSON", "delivery to Firehose", '{"message": ...} one after the other', _LINES),
    Form("parseVPC JSON", "the parseVPC transformer of CloudWatch Logs", "an object in each message", _NAMES),
    Form("Logs Insights JSON", "aws logs get-query-results", '{"results": [[{"field", "value"}', _NAMES),
    Form("Logs Insights CSV", "export of query results in the console", "names with commas", _NAMES),
    Form("Athena CSV", "results of Athena queries", "names with commas", _NAMES),
    Form("pandas CSV", "DataFrame.to_csv", "names with commas", _NAMES),
    Form("JSON lines", "jq, Vector, Fluent Bit, pandas, Spark", "objects with field names", _NAMES),
    Form("JSON array", "jq, pandas, scripts", "a list of objects, or of lines", _NAMES),
)
