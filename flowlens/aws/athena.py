"""The statement that makes files in S3 a table of Amazon Athena."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from flowlens.parse.layout import Fields, layout_of
from flowlens.partitions import COLUMNS, Partition
from flowlens.schema import field_for

__all__ = ["athena_ddl"]

Format = Literal["text", "parquet"]

#: An example of a folder that holds days.
_EXAMPLES = {
    "projection": "s3://bucket/AWSLogs/123456789012/vpcflowlogs/eu-west-1/",
    "hive": "s3://bucket/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=eu-west-1/",
}
#: Folders that hold days of the other kind, or lie among the days. Athena would find nothing there, and not say so.
_NO_DAYS_BELOW = {
    "projection": re.compile(r"/(aws-region|year)=[^/]*/|/\d{4}/(\d\d/\d\d/|(\d\d/)?$)|/vpcflowlogs/$|\$\{"),
    "hive": re.compile(r"/year=[^/]*/|/AWSLogs/([^/]+/)+vpcflowlogs/[^/]+/$"),
}

# A bucket, or the alias of an access point, and any folders, without wildcards.
# https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
_LOCATION = re.compile(r"s3://[A-Za-z0-9._-]+(/[^\x00-\x1f*?]*)?")

# Without NULL DEFINED AS, numbers that are '-' would be null, but names and addresses would be dashes.
# https://docs.aws.amazon.com/athena/latest/ug/create-table.html
_STORAGE = {
    "text": "ROW FORMAT DELIMITED\n  FIELDS TERMINATED BY ' '\n  NULL DEFINED AS '-'\nSTORED AS TEXTFILE",
    "parquet": "STORED AS PARQUET",
}
# Files of text begin with the names of the fields, and Athena takes columns by their place.
# https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-create-table-statement.html
_READING = {"text": {"skip.header.line.count": "1"}, "parquet": {}}

_TYPES = {"text": "string", "address": "string", "uint8": "int", "uint16": "int", "int64": "bigint", "time": "bigint"}

# AWS delivers flow logs to S3 since August 2018. A later day would hide older logs, as Athena returns nothing, and no
# error, for days out of the range; an earlier one would only add empty folders to list.
# https://aws.amazon.com/about-aws/whats-new/2018/08/amazon-vpc-flow-logs-can-now-be-delivered-to-s3/
# https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html
_FIRST_DAY = "2018/08/01"


def athena_ddl(
    fields: Fields,
    location: str,
    *,
    table: str = "vpc_flow_logs",
    partition: Partition = "projection",
    format: Format = "text",  # noqa: A002
) -> str:
    """Write the CREATE EXTERNAL TABLE statement that makes flow logs in S3 a table of Amazon Athena.

    Parameters
    ----------
    fields : str, list of str or dict
        What the records hold, as for `flowlens.read`: the LogFormat of the flow log, a list of names, ``"default"``,
        ``"tgw"``, or the answer of DescribeFlowLogs. In text their order is that of the columns in the files.
    location : str
        The folder in S3 that holds the years: ``s3://bucket/prefix/AWSLogs/<account>/vpcflowlogs/<region>/``, or with
        Hive-compatible prefixes the folder ``aws-region=<region>/``.
    table : str
        The name of the table, or ``database.table``.
    partition : {"projection", "hive"}
        How Athena finds the days. ``"projection"`` computes the folders ``2026/03/10/`` from the column `day`, a
        string like ``2026/03/10``; new days are there at once. ``"hive"`` is for the folders
        ``year=2026/month=03/day=10/`` of Hive-compatible prefixes and of ``df.flow.to_parquet``, with a string column
        for each; run ``MSCK REPAIR TABLE <table>`` after creating the table, and again once for each new day.
    format : {"text", "parquet"}
        The format of the files.

    Returns
    -------
    str
        One statement. Columns are named as in a flowlens frame, so ``df.flow.sql("athena", table=...)`` prints queries
        that run on the table. `start` and `end` are Unix seconds.

    Raises
    ------
    ValueError
        If `fields` names no fields, or one whose name the days need; if `location` is no folder in S3 or no such days
        can be below it; if `table`, `partition` or `format` is not possible.

    Notes
    -----
    Without a condition on the days a query lists and reads all of them, by projection since August 2018; add for
    example ``WHERE day >= '2026/03/10'``. Records around midnight can lie in the folder of the next day. Hourly
    folders inside those of projected days are read with them; hourly Hive folders need `hour` in PARTITIONED BY.

    There is no IF NOT EXISTS, as it would keep a table of another layout without a word: drop that one first. In text
    a missing value is null; in AWS's Parquet, a missing string is ``'-'``. Queries of flowlens take both as missing.

    Spark, on EMR or Glue, knows neither projection nor the header of text. Of such tables it can only read those of
    ``partition="hive", format="parquet"``; in one by projection it finds no record, and says nothing.

    AWS's own statements, which this follows, are on these pages and those below them:

    - text: https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-create-table-statement.html
    - days by projection: https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-partition-projection.html
    - Parquet in Hive folders: https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs-parquet.html

    Examples
    --------
    >>> import flowlens as fl
    >>> print(fl.aws.athena_ddl("${srcaddr} ${dstaddr} ${end}", "s3://logs/AWSLogs/123456789012/vpcflowlogs/eu-west-1"))
    CREATE EXTERNAL TABLE `vpc_flow_logs` (
      `srcaddr` string,
      `dstaddr` string,
      `end` bigint
    )
    PARTITIONED BY (`day` string)
    ROW FORMAT DELIMITED
      FIELDS TERMINATED BY ' '
      NULL DEFINED AS '-'
    STORED AS TEXTFILE
    LOCATION 's3://logs/AWSLogs/123456789012/vpcflowlogs/eu-west-1/'
    TBLPROPERTIES (
      'skip.header.line.count' = '1',
      'projection.enabled' = 'true',
      'projection.day.type' = 'date',
      'projection.day.range' = '2018/08/01,NOW',
      'projection.day.format' = 'yyyy/MM/dd',
      'projection.day.interval' = '1',
      'projection.day.interval.unit' = 'DAYS',
      'storage.location.template' = 's3://logs/AWSLogs/123456789012/vpcflowlogs/eu-west-1/${day}/'
    )
    """
    _refuse_unknown("partition", partition, COLUMNS)
    _refuse_unknown("format", format, _STORAGE)
    days = COLUMNS[partition]
    folder = _folder(location, partition)
    properties = {**_READING[format], **(_projected_days(folder) if partition == "projection" else {})}
    clauses = [
        f"CREATE EXTERNAL TABLE {_table_name(table)} (\n  {_columns(fields, days)}\n)",
        # Strings, as AWS declares them: the folder is month=03, and a number would lose the zero.
        f"PARTITIONED BY ({', '.join(f'{_name(day)} string' for day in days)})",
        _STORAGE[format],
        f"LOCATION {_text(folder)}",
    ]
    if properties:
        lines = (f"{_text(key)} = {_text(value)}" for key, value in properties.items())
        clauses.append(f"TBLPROPERTIES (\n  {_listed(lines)}\n)")
    return "\n".join(clauses)


def _columns(fields: Fields, days: tuple[str, ...]) -> str:
    layout = layout_of(fields)
    # https://docs.aws.amazon.com/athena/latest/ug/create-table.html, at PARTITIONED BY
    both = [day for day in days if day in layout]
    if both:
        raise ValueError(
            f"fields={fields!r} has {both[0]!r}, which is also a column of the days, and Athena takes no name twice. "
            "In text, where only the order counts, give that field another name; otherwise take the other partition="
        )
    return _listed(f"{_name(column)} {_type(column)}" for column in layout)


def _type(column: str) -> str:
    # Parquet of VPCs has 32 bits here and that of transit gateways 64. That an int can be read as bigint is documented,
    # the reverse is not, and bigint is what AWS's own statements say.
    # https://docs.aws.amazon.com/athena/latest/ug/updates-changing-column-type.html
    return "bigint" if column == "protocol" else _TYPES[field_for(column).kind]


def _folder(location: str, partition: str) -> str:
    folder = f"{location}".removesuffix("/") + "/"
    if not _LOCATION.fullmatch(folder):
        raise ValueError(f"location={location!r} is no folder in S3; give one like {_EXAMPLES[partition]!r}")
    if _NO_DAYS_BELOW[partition].search(folder):
        raise ValueError(
            f"location={location!r} is not a folder that partition={partition!r} finds days in; give the folder above "
            f"the years, like {_EXAMPLES[partition]!r}, or the partition= that fits"
        )
    return folder


def _projected_days(folder: str) -> Mapping[str, str]:
    # Days are those of UTC, as are the folders; a template has to end with a slash.
    # https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    # https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html
    return {
        "projection.enabled": "true",
        "projection.day.type": "date",
        "projection.day.range": f"{_FIRST_DAY},NOW",
        "projection.day.format": "yyyy/MM/dd",
        "projection.day.interval": "1",
        "projection.day.interval.unit": "DAYS",
        "storage.location.template": f"{folder}${{day}}/",
    }


# --- How Athena writes names and text ---


def _table_name(table: str) -> str:
    names = table.split(".")
    if len(names) > 2 or not all(names) or "`" in table:
        raise ValueError(f"table={table!r} is no name of a table; give 'table' or 'database.table', without backquotes")
    return ".".join(map(_name, names))


def _name(name: str) -> str:
    # Always in backquotes: `end`, `start` and `date` are reserved, and who knows what AWS names the next field.
    # https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
    return f"`{name}`"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _listed(lines: Iterable[str]) -> str:
    return ",\n  ".join(lines)


def _refuse_unknown(argument: str, value: str, possible: Collection[str]) -> None:
    if value not in possible:
        raise ValueError(f"{argument}={value!r} is not possible; give one of {', '.join(map(repr, possible))}")
