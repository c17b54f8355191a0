"""The layout of lines that no header precedes, as CloudWatch Logs has them.

It is the one that the user gives, or a default of AWS where lines fit that field by field; the number of values alone
proves nothing. Before the record may stand what CloudWatch Logs adds: the time of the event in exports to S3
(``2018-09-22T20:28:14.000Z 2 6331...``), the time and the log stream in what ``aws logs tail`` prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from flowlens.parse.layout import DEFAULT, TGW, Layout
from flowlens.parse.lines import end_of_line, line_at, problem_with, tokens_of
from flowlens.parse.reading import RefusedError

__all__ = ["headerless_layout"]

_TRIED = 20  # lines
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

# The time of an event is the start of its record, so it stands in where the format has no start.
_EVENT_TIME, _STREAM = "@timestamp", "@logStream"

_UNKNOWN = (
    "nothing says which value is which: no header names the fields, and the lines are not in the default format. If "
    "these are flow log records, pass their format: fields='${version} ${account-id} ...' as 'aws ec2 "
    "describe-flow-logs' prints it under LogFormat"
)

_UNLIKELY = (
    "these are not lines in the default format, though they look like it: none has as many bytes as packets, or none "
    "ends after its start. Pass their format: fields='${version} ${account-id} ...' as 'aws ec2 describe-flow-logs' "
    "prints it under LogFormat"
)


def headerless_layout(data: bytes, begin: int, line: int, given: Layout | None) -> Layout:
    """Return the layout of the lines from `begin` on.

    Raises
    ------
    RefusedError
        If no layout is given and none of AWS's defaults fits one of the first lines.
    """
    first = line_at(data, begin).decode("utf-8", "replace")
    lines = list(_first_lines(data, begin))
    for tokens in lines:
        for envelope in _envelopes(tokens):
            record = tokens[len(envelope) :]
            layout = _default(record) if given is None else given
            if layout is not None and problem_with(record, layout) is None:
                whole = _with_envelope(envelope, layout)
                if given is None and _contradict(lines, whole):
                    raise RefusedError(line, first, _UNLIKELY)
                return whole
    if given is None:
        raise RefusedError(line, first, _UNKNOWN)
    return given


def _contradict(lines: list[list[str]], layout: Layout) -> bool:
    """Tell whether lines have the values of a layout, but no line in an order that makes sense.

    A packet has bytes, and nothing ends before it starts; formats exist that differ from the default in just that.
    """
    records = [dict(zip(layout, tokens, strict=True)) for tokens in lines if len(tokens) == len(layout)]
    return any(_always_less(records, less, more) for less, more in (("bytes", "packets"), ("end", "start")))


def _always_less(records: list[dict[str, str]], less: str, more: str) -> bool:
    numbers = [(record[less], record[more]) for record in records]
    known = [(int(a), int(b)) for a, b in numbers if a.isdecimal() and b.isdecimal()]
    return bool(known) and all(a < b for a, b in known)


def _first_lines(data: bytes, begin: int) -> Iterator[list[str]]:
    tried = 0
    while tried < _TRIED and begin < len(data):
        line = line_at(data, begin)
        begin = end_of_line(data, begin)
        if line and not line.startswith(b"#"):
            tried += 1
            with suppress(UnicodeDecodeError):
                yield tokens_of(line)


def _envelopes(tokens: list[str]) -> list[Layout]:
    """Return what may stand before the record, nothing first."""
    return [(), (_EVENT_TIME,), (_EVENT_TIME, _STREAM)] if _TIME.match(tokens[0]) else [()]


def _default(tokens: list[str]) -> Layout | None:
    """Return the default layout that values can be in, told by what no other layout has in that place."""
    # Version 2 is the default format of a VPC: with other fields the version is higher.
    if tokens[:1] == ["2"] and tokens[-1] != "-":
        return DEFAULT
    # Transit gateways have version 6 to themselves.
    is_tgw = tokens[:1] == ["6"] and len(tokens) > 3 and tokens[1].startswith("TransitGateway")
    return TGW if is_tgw and tokens[3].startswith("tgw-") else None


def _with_envelope(envelope: Layout, layout: Layout) -> Layout:
    if envelope and "start" not in layout:
        envelope = ("start", *envelope[1:])
    return (*envelope, *layout)
