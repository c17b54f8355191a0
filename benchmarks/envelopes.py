"""Compare reading of envelopes with what people do today, and print the ratios: ``python -m benchmarks.envelopes``.

The same records as S3 text, as a CloudWatch Logs export, as JSON and as CSV: what does the envelope cost, and how does
that compare with flowlogs-reader and with Python line by line? Below 1 flowlens is faster.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from flowlogs_reader import FlowRecord

import flowlens as fl
from benchmarks.measuring import TABLE_HEAD, row_of, say, take_turns
from benchmarks.records import flow_log_files

_COLUMNS = (
    "version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log_status",
)  # fmt: skip
_CAMEL = (
    "version", "accountId", "interfaceId", "srcAddr", "dstAddr", "srcPort", "dstPort", "protocol", "packets", "bytes",
    "startTime", "endTime", "action", "logStatus",
)  # fmt: skip
_TIMES = ("start", "end")
_NUMBERS = ("version", "srcport", "dstport", "protocol", "packets", "bytes")

#: A tenth of the time of flowlogs-reader, a third of that of Python by hand, each with a typed frame in the end as
#: flowlens has; an export half as long again as S3 text.
_BOUNDS = {"flowlogs-reader": 1 / 10, "Python line by line": 1 / 3}
_EXPORT_BOUND = 1.5

_EVENTS_A_BATCH = 300


# --- The forms, each in one file ---


def s3_text(lines: list[str]) -> str:
    return "\n".join([" ".join(_COLUMNS).replace("_", "-"), *lines, ""])


def cloudwatch_export(lines: list[str]) -> str:
    times = pd.to_datetime([int(line.split()[10]) for line in lines], unit="s").strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return "".join(f"{time} {line}\n" for time, line in zip(times, lines, strict=True))


def filter_log_events(lines: list[str]) -> str:
    events = [
        {
            "logStreamName": f"{line.split()[2]}-all",
            "timestamp": int(line.split()[10]) * 1000,
            "message": line,
            "ingestionTime": int(line.split()[10]) * 1000 + 300_000,
            "eventId": str(number).zfill(56),
        }
        for number, line in enumerate(lines)
    ]
    return json.dumps({"events": events, "searchedLogStreams": []}, indent=4)


def firehose(lines: list[str]) -> str:
    return "".join(json.dumps({"message": line}) + "\n" for line in lines)


def json_lines(lines: list[str]) -> str:
    rows = (dict(zip(_COLUMNS, line.split(), strict=True)) for line in lines)
    return "".join(json.dumps({name: _value(name, word) for name, word in row.items()}) + "\n" for row in rows)


def json_array(lines: list[str]) -> str:
    return "[" + ",\n".join(json_lines(lines).splitlines()) + "]"


def subscription(lines: list[str]) -> str:
    """What Firehose writes of a subscription: documents of some hundred events, with nothing between them."""
    batches = (lines[begin : begin + _EVENTS_A_BATCH] for begin in range(0, len(lines), _EVENTS_A_BATCH))
    return "".join(
        json.dumps(
            {
                "messageType": "DATA_MESSAGE",
                "owner": "123456789010",
                "logGroup": "flow-logs",
                "logStream": f"{batch[0].split()[2]}-all",
                "subscriptionFilters": ["all"],
                "logEvents": [
                    {"id": str(number).zfill(56), "timestamp": int(line.split()[10]) * 1000, "message": line}
                    for number, line in enumerate(batch)
                ],
            }
        )
        for batch in batches
    )


def parse_vpc(lines: list[str]) -> str:
    """What Firehose writes where the parseVPC transformer made an object of each line."""
    objects = ({key: int(word) if word.isdecimal() else word for key, word in _camel(line).items()} for line in lines)
    return "".join(json.dumps({"message": json.dumps(row)}) + "\n" for row in objects)


def query_results(lines: list[str]) -> str:
    rows = [
        [
            *({"field": name, "value": word} for name, word in _camel(line).items()),
            {"field": "@ptr", "value": str(number).zfill(60)},
        ]
        for number, line in enumerate(lines)
    ]
    return json.dumps({"results": rows, "statistics": {}, "status": "Complete"}, indent=4)


def _camel(line: str) -> dict[str, str]:
    return dict(zip(_CAMEL, line.split(), strict=True))


def _value(name: str, word: str) -> int | str | None:
    """Return a value as AWS's Parquet has it: no number is null, no word is a dash."""
    if name in _NUMBERS or name in _TIMES:
        return None if word == "-" else int(word)
    return word


def console_csv(lines: list[str]) -> str:
    return "timestamp,message\n" + "".join(f"{line.split()[10]}000,{line}\n" for line in lines)


def athena_csv(lines: list[str]) -> str:
    rows = [_COLUMNS, *(line.split() for line in lines)]
    return "".join(",".join("" if value == "-" else f'"{value}"' for value in row) + "\n" for row in rows)


# --- By hand: the values of each record, from each form ---


def _values_of_events(file: Path) -> Iterable[list[str]]:
    return (event["message"].split() for event in json.loads(file.read_text())["events"])


def _values_of_messages(file: Path) -> Iterable[list[str]]:
    with file.open() as lines:
        for line in lines:
            yield json.loads(line)["message"].split()


def _values_of_objects(file: Path) -> Iterable[list[str]]:
    with file.open() as lines:
        for line in lines:
            row = json.loads(line)
            yield ["-" if row[name] is None else str(row[name]) for name in _COLUMNS]


def _values_of_array(file: Path) -> Iterable[list[str]]:
    for row in json.loads(file.read_text()):
        yield ["-" if row[name] is None else str(row[name]) for name in _COLUMNS]


def _values_of_documents(file: Path) -> Iterable[list[str]]:
    text, place, decode = file.read_text(), 0, json.JSONDecoder().raw_decode
    while place < len(text):
        document, place = decode(text, place)
        for event in document["logEvents"]:
            yield event["message"].split()


def _values_of_objects_in_messages(file: Path) -> Iterable[list[str]]:
    with file.open() as lines:
        for line in lines:
            row = json.loads(json.loads(line)["message"])
            yield [str(row[name]) for name in _CAMEL]


def _values_of_results(file: Path) -> Iterable[list[str]]:
    for cells in json.loads(file.read_text())["results"]:
        row = {cell["field"]: cell["value"] for cell in cells}
        yield [row[name] for name in _CAMEL]


def _values_of_console(file: Path) -> Iterable[list[str]]:
    with file.open() as lines:
        for row in csv.DictReader(lines):
            yield row["message"].split()


def _values_of_rows(file: Path) -> Iterable[list[str]]:
    with file.open() as lines:
        for row in csv.DictReader(lines):
            yield [row[name] or "-" for name in _COLUMNS]


FORMS: dict[str, tuple[Callable[[list[str]], str], Callable[[Path], Iterable[list[str]]]]] = {
    "filter-log-events JSON": (filter_log_events, _values_of_events),
    "Firehose JSON": (firehose, _values_of_messages),
    "subscription JSON": (subscription, _values_of_documents),
    "parseVPC JSON": (parse_vpc, _values_of_objects_in_messages),
    "Logs Insights JSON": (query_results, _values_of_results),
    "JSON lines": (json_lines, _values_of_objects),
    "JSON array": (json_array, _values_of_array),
    "console CSV": (console_csv, _values_of_console),
    "Athena CSV": (athena_csv, _values_of_rows),
}


def python_line_by_line(values: Callable[[Path], Iterable[list[str]]], file: Path) -> pd.DataFrame:
    """Split each line, make a frame, give the columns types."""
    return _typed(pd.DataFrame(values(file), columns=_COLUMNS).replace("-", None))


def flowlogs_reader(values: Callable[[Path], Iterable[list[str]]], file: Path) -> pd.DataFrame:
    """Make its record of each line, of those a frame, and give the columns types."""
    records = (record.to_dict() for record in flowlogs_reader_records(values, file))
    return _typed(pd.DataFrame(records, columns=_COLUMNS))


def flowlogs_reader_records(values: Callable[[Path], Iterable[list[str]]], file: Path) -> list[FlowRecord]:
    """Make its record of each line, and no frame."""
    return [FlowRecord(dict(zip(_COLUMNS, row, strict=True))) for row in values(file)]


def _typed(df: pd.DataFrame) -> pd.DataFrame:
    for name in _COLUMNS:
        if name in _NUMBERS:
            df[name] = pd.to_numeric(df[name]).astype("Int64")
        elif name not in _TIMES:
            df[name] = df[name].astype("category")
        elif not pd.api.types.is_datetime64_dtype(df[name]):
            df[name] = pd.to_datetime(pd.to_numeric(df[name]), unit="s", utc=True)
        else:
            df[name] = df[name].dt.tz_localize("UTC")
    return df


_BY_HAND: dict[str, Callable[..., Any]] = {
    "flowlogs-reader": flowlogs_reader,
    "flowlogs-reader, records only": flowlogs_reader_records,
    "Python line by line": python_line_by_line,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.envelopes", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--form", choices=FORMS, nargs="*", default=list(FORMS), help="only these forms")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    arguments = parser.parse_args()
    lines = _lines(arguments.records, arguments.data)
    say(f"# {len(lines):,} records in one file a form, flowlens {fl.__version__}\n")
    say(TABLE_HEAD)
    with tempfile.TemporaryDirectory() as folder:
        text, export = Path(folder, "s3.log"), Path(folder, "export.log")
        text.write_text(s3_text(lines))
        export.write_text(cloudwatch_export(lines))
        pd.testing.assert_frame_equal(fl.read(text), fl.read(export))
        readers = {"flowlens": partial(fl.read, export), "S3 text": partial(fl.read, text)}
        say(row_of("CloudWatch export", "S3 text", take_turns(readers, arguments.rounds), _EXPORT_BOUND))
        for form in arguments.form:
            write, values = FORMS[form]
            file = Path(folder, "form")
            file.write_text(write(lines))
            contenders: dict[str, Callable[[], Any]] = {
                "flowlens": partial(fl.read, file),
                **{name: partial(read, values, file) for name, read in _BY_HAND.items()},
            }
            mine = fl.read(file)
            pd.testing.assert_frame_equal(mine, fl.read(text))
            for name in _BOUNDS:
                _check(mine, contenders[name](), name)
            seconds = take_turns(contenders, arguments.rounds)
            for name in _BY_HAND:
                say(row_of(form, name, seconds, _BOUNDS.get(name)))


def _lines(records: int, cache: Path | None) -> list[str]:
    files = sorted(flow_log_files(records, 20, cache).rglob("*.log.gz"))
    return [line for file in files for line in gzip.decompress(file.read_bytes()).decode().splitlines()[1:]]


def _check(mine: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    for column in mine.columns:
        same = mine[column].astype("str") == other[column].astype("str")
        if not (same | (mine[column].isna() & other[column].isna())).all():
            raise AssertionError(f"{name} reads other values in {column} than flowlens")


if __name__ == "__main__":
    main()
