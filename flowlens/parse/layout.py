"""Which field stands in which place of a line: from a header, or from what the user says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from flowlens.schema import BY_COLUMN, DEFAULT_FIELDS, TGW_FIELDS

__all__ = ["DEFAULT", "TGW", "Fields", "Layout", "header_layout", "header_problem", "layout_of"]

#: What `fields=` accepts: a LogFormat, a list of names, "default", "tgw", or the answer of DescribeFlowLogs.
Fields = str | Iterable[str] | Mapping[str, object]

#: The columns of a line, in their order.
Layout = tuple[str, ...]

DEFAULT: Layout = tuple(field.column for field in DEFAULT_FIELDS)
TGW: Layout = tuple(field.column for field in TGW_FIELDS)

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_CLOSE = 0.85  # like enough to be a slip: srcadr for srcaddr, not a field that AWS adds later
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


def layout_of(fields: Fields) -> Layout:
    """Return the layout that the user describes.

    Raises
    ------
    ValueError
        If a name is no field name, or stands twice.
    """
    if fields == "default":
        return DEFAULT
    if fields == "tgw":
        return TGW
    if isinstance(fields, Mapping):
        fields = _described_format(fields)
    names = _names(fields) if isinstance(fields, str) else list(fields)
    wrong = [name for name in names if not isinstance(name, str) or not _NAME.fullmatch(name)]
    if wrong or not names:
        raise ValueError(
            f"fields={fields!r} names no flow log fields{f': {wrong[0]!r}' if wrong else ''}. Give the LogFormat of "
            "the flow log ('${version} ${account-id} ...', see 'aws ec2 describe-flow-logs'), a list of field names, "
            "'default' or 'tgw'."
        )
    layout = tuple(name.replace("-", "_") for name in names)
    for name in layout:
        likely = [] if name in BY_COLUMN else get_close_matches(name, BY_COLUMN, n=1, cutoff=_CLOSE)
        if likely and likely[0] not in layout:
            raise ValueError(f"fields={fields!r} has {name!r}, which is no field; did you mean {likely[0]!r}?")
    repeated = _repeated(layout)
    if repeated:
        raise ValueError(f"fields={fields!r} names {repeated.replace('_', '-')!r} more than once")
    return layout


def _described_format(answer: Mapping[str, object]) -> str:
    """Return the format in an answer of DescribeFlowLogs, or in one flow log of it."""
    flow_logs = answer.get("FlowLogs", [answer])
    described = [log for log in flow_logs if isinstance(log, Mapping)] if isinstance(flow_logs, list) else []
    formats = {str(log["LogFormat"]): str(log.get("FlowLogId")) for log in described if "LogFormat" in log}
    if len(formats) != 1:
        found = "no LogFormat" if not formats else f"the flow logs {', '.join(formats.values())}, of different formats"
        raise ValueError(f"fields= needs the one flow log that wrote the lines; there is {found}. Pass its 'LogFormat'")
    return next(iter(formats))


def _names(fields: str) -> list[str]:
    return _PLACEHOLDER.findall(fields) or fields.split()


def header_layout(line: bytes) -> Layout | None:
    """Return the layout that a header line gives, or None where the line is no header.

    A header is a line of names, in any order, of which at least two are known, or all where there are fewer. Unknown
    names are fields that AWS added later: asking for known ones only would turn their header into data.
    """
    if not line[:1].islower():
        return None
    try:
        names = [name.decode("ascii") for name in line.partition(b"#")[0].split()]
    except UnicodeDecodeError:
        return None
    if not all(_NAME.fullmatch(name) for name in names):
        return None
    layout = tuple(name.replace("-", "_") for name in names)
    known = sum(column in BY_COLUMN for column in layout)
    return layout if known >= min(2, len(layout)) else None


def header_problem(header: Layout) -> str | None:
    """Return what is wrong with a header, below which no value could be told from another."""
    repeated = _repeated(header)
    return f"the header names the field {repeated.replace('_', '-')!r} more than once" if repeated else None


def _repeated(layout: Layout) -> str | None:
    return next((column for column in layout if layout.count(column) > 1), None)
