"""Scan flow logs: the files of a source, however large, as records that are read when an analysis asks for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath

from flowlens.badlines import OnBadLines, checked, report
from flowlens.columns import missing_field
from flowlens.errors import BadLine
from flowlens.flows import Flows
from flowlens.parse import DEFAULT, Fields, Reading, RefusedError, columns_in, is_parquet_of_aws, layout_of
from flowlens.source import InputFile, find, may_hold
from flowlens.source.files import Source
from flowlens.timespan import TimeSpan, time_span

__all__ = ["scan"]

# The format of a flow log is fixed when that is created, and files that AWS delivers are named after it.
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
_FLOW_LOG = re.compile(r"_(fl-[0-9a-f]+)_\d{8}T\d{4}Z_")


def scan(
    source: Source,
    *,
    fields: Fields | None = None,
    time: TimeSpan | None = None,
    on_bad_lines: OnBadLines = "error",
    progress: bool | None = None,
) -> Flows:
    """Open flow logs of any size for analyses, without reading them.

    Each analysis reads the files once or twice, on all cores: only the columns that it needs, only the files that can
    hold its times, and never more at a time than fits in memory. DuckDB computes it, and writes to a temporary folder
    what it cannot keep. For logs that do fit into memory, `read` is faster from the second analysis on.

    Parameters
    ----------
    source, fields
        As for `read`: any form that `formats` lists. Text and Parquet are read in pieces whatever their size.
    time : (start, end), optional
        Keep records whose `start` lies in ``[start, end)``: text, time objects or Unix seconds; without a zone UTC.
        Files whose path tells that they hold none, as in the folders of AWS, are never opened.
    on_bad_lines : {"error", "warn", "skip"}
        What an analysis is to do when lines cannot be read: raise when all is read, or leave them out with or without
        a warning. As in ``read(columns=...)``, only the columns that it uses are looked at.
    progress : bool, optional
        Show a bar, or not. By default on a terminal or in a notebook when reading takes more than two seconds.

    Returns
    -------
    Flows
        The records, with the methods of ``df.flow``; `collect` makes the frame of them that `read` would. Their columns
        are looked up in the beginning of each file, for files named by AWS in one of each flow log.

    Raises
    ------
    ParseError
        If nothing can be read. Single bad lines and files are reported by the analysis that meets them.
    MissingFieldError
        If `time` is given and there are records without `start`.
    FileNotFoundError
        If there is nothing to read.
    NotAFlowFrameError
        If the records have no source or no destination address.

    Examples
    --------
    >>> import tempfile, flowlens as fl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = fl.sample().flow.to_parquet(folder)
    ...     log = fl.scan(folder)
    ...     log.select(src="198.51.100.0/24").rejected().top_talkers(2, by="flows")
              srcaddr  flows  packets  bytes  peers     share
    0   198.51.100.77    900      900  54000      1  0.496415
    1  198.51.100.209     20       20   1536      5  0.011031
    """
    from flowlens.engine import FileRecords

    checked(on_bad_lines)
    span = None if time is None else time_span(time)
    layout = None if fields is None else layout_of(fields)
    files = [file for file in find(source) if span is None or may_hold(file.name, span)]
    kinds = _kinds(files)
    of_each = _columns(kinds, Reading("", layout))
    records = FileRecords(
        files=files,
        columns=list(dict.fromkeys(chain.from_iterable(of_each))) or layout or DEFAULT,
        layout=layout,
        on_bad_lines=on_bad_lines,
        progress=progress,
        of_aws=len(set(map(frozenset, of_each))) == 1 and all(_is_parquet_of_aws(alike[0]) for alike in kinds),
    )
    if time is not None and any("start" not in columns for columns in of_each if columns):
        raise missing_field("start", "time=")
    return Flows(records) if time is None else Flows(records).select(time=time)


def _is_parquet_of_aws(file: InputFile) -> bool:
    with suppress(OSError):
        return isinstance(file.content, Path) and is_parquet_of_aws(file.open, file.size)
    return False


def _columns(kinds: Sequence[Sequence[InputFile]], reading: Reading) -> list[list[str]]:
    """Return the columns of the files of each kind.

    Raises
    ------
    ParseError
        If there are files, and none can be read.
    """
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda alike: _columns_of_one(alike, reading), kinds))
    bad_lines = [bad for _, of_kind in found for bad in of_kind]
    report(bad_lines, "skip", nothing_read=not any(columns for columns, _ in found))
    return [columns for columns, _ in found]


def _kinds(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Group files that have the same columns because one flow log wrote them."""
    groups: dict[str, list[InputFile]] = {}
    for file in files:
        flow_log = _FLOW_LOG.search(PurePath(file.name).name)
        groups.setdefault(flow_log[1] if flow_log else file.name, []).append(file)
    return list(groups.values())


def _columns_of_one(alike: Sequence[InputFile], reading: Reading) -> tuple[list[str], list[BadLine]]:
    """Return the columns of the first file that can be read and has any, and why those before it have not."""
    bad_lines: list[BadLine] = []
    for file in alike:
        try:
            columns = columns_in(file.open, file.size, replace(reading, file=file.name))
        except RefusedError as refused:
            bad_lines.append(BadLine(file.name, refused.line, refused.text, refused.reason))
        except OSError as error:
            bad_lines.append(BadLine(file.name, 1, "", f"the file cannot be opened: {error.strerror or error}"))
        else:
            if columns:
                return columns, bad_lines
    return [], bad_lines
