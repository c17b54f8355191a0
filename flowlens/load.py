"""Read flow logs: the files of a source, parsed on all cores into one typed frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from difflib import get_close_matches

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.badlines import OnBadLines, checked, report
from flowlens.columns import missing_field
from flowlens.errors import BadLine, MissingFieldError
from flowlens.frame import FrameBuilder
from flowlens.parse import DEFAULT, Fields, Reading, layout_of
from flowlens.parse.forms import FORMS
from flowlens.parse.tags import columns_of_tags, readable_tags
from flowlens.parse.values import MILLISECONDS_FROM
from flowlens.schema import BY_COLUMN
from flowlens.source import find, may_hold
from flowlens.source.files import Source
from flowlens.stream import parsed_files
from flowlens.timespan import TimeSpan, time_span

__all__ = ["check", "formats", "read"]


def read(
    source: Source,
    *,
    fields: Fields | None = None,
    time: TimeSpan | None = None,
    columns: Sequence[str] | None = None,
    on_bad_lines: OnBadLines = "error",
    progress: bool | None = None,
    tag_keys: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read VPC or transit gateway flow logs into a typed frame.

    Every form in which flow logs reach people is told by its content (see `formats`), plain or compressed with gzip,
    zstd or bzip2. Files are read on all cores; files of different forms and formats give one frame with the columns of
    all.

    Parameters
    ----------
    source : path, glob, folder, open binary file, or a list of those
        What to read. Folders are read with everything below them, but for names that begin with ``.`` or ``_``. A file
        that is reached in two ways is read once.
    fields : str, list of str or dict, optional
        The format of lines that no header precedes: a LogFormat (``"${version} ${account-id} ..."``), a list of field
        names, ``"default"``, ``"tgw"``, or the answer of DescribeFlowLogs. Files that begin with a header use that.
    time : (start, end), optional
        Keep records whose `start` lies in ``[start, end)``: text, time objects or Unix seconds; without a zone UTC.
        Files whose path tells that they hold none, as in the folders of AWS, are not opened.
    columns : list of str, optional
        Read only these columns, in this order. Only they are checked.
    on_bad_lines : {"error", "warn", "skip"}
        What to do when lines cannot be read: raise, or return all other records with or without a warning.
    progress : bool, optional
        Show a bar, or not. By default on a terminal or in a notebook when reading takes more than two seconds.
    tag_keys : dict, optional
        The keys of the tags that the flow log records, which are not in the log, to name their columns:
        ``{"instance-tag": "team"}``.

    Returns
    -------
    pandas.DataFrame
        One row a record, the columns of the log in its order with ``-`` in names replaced by ``_``. Text and addresses
        are `category`, integers nullable (`UInt8`, `UInt16`, `Int64`), `start` and `end` are `datetime64[s, UTC]`,
        and a value logged as ``-`` is missing. NODATA and SKIPDATA records are rows. Values of tags are decoded.

    Raises
    ------
    ParseError
        If a line cannot be read, with file, line, text and reason; or if nothing tells the format of a file.
    FileNotFoundError
        If there is nothing to read.
    MissingFieldError
        If `columns` asks for a field that no file has, or `time` is given and there are records without `start`.

    Notes
    -----
    Fields: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html

    Examples
    --------
    >>> import io
    >>> import flowlens as fl
    >>> line = b"2 123456789010 eni-1235b8 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK"
    >>> df = fl.read(io.BytesIO(line))
    >>> df[["srcaddr", "dstport", "action"]]
           srcaddr  dstport  action
    0  172.31.9.69     3389  REJECT
    """
    checked(on_bad_lines)
    span = None if time is None else time_span(time)
    layout = None if fields is None else layout_of(fields)
    keys = columns_of_tags(tag_keys or {})
    tag_of = {key: column for column, key in keys.items()}
    if isinstance(columns, str):
        raise TypeError(f"columns={columns!r} is one name; pass a list: [{columns!r}]")
    wanted = None if columns is None else [tag_of.get(column, column.replace("-", "_")) for column in columns]
    needed = None if wanted is None else frozenset(wanted) | ({"start"} if span else frozenset())
    files = [file for file in find(source) if span is None or may_hold(file.name, span)]
    builder = FrameBuilder()
    bad_lines: list[BadLine] = []
    with closing(parsed_files(files, Reading("", layout, needed), progress)) as parts:
        for part, share in parts:
            bad_lines += part.bad_lines
            while part.tables:
                table = readable_tags(part.tables.pop(0))
                builder.add(_within(table, span) if span else table, share)
                del table  # its memory is for the next one
    present = builder.columns
    report(bad_lines, on_bad_lines, nothing_read=not present)
    # Where no file was opened, nobody knows which columns there would have been.
    taken = next((key for key in keys.values() if key in present), None)
    if taken is not None:
        raise ValueError(f"tag_keys gives the name {taken!r}, which the log has a column of")
    present = present or (wanted if wanted and not files else list(layout or DEFAULT))
    if wanted is not None:
        _require(wanted, present)
    return builder.frame(present if wanted is None else wanted).rename(columns=keys)


def check(source: Source, *, fields: Fields | None = None) -> pd.DataFrame:
    r"""List every line that cannot be read.

    Parameters
    ----------
    source, fields
        As for `read`.

    Returns
    -------
    pandas.DataFrame
        Columns `file`, `line` (from 1; in Parquet and JSON the number of the record), `text` and `reason`; empty when
        all lines can be read. A file that is refused as a whole is one row.

    Examples
    --------
    >>> import io
    >>> import flowlens as fl
    >>> bad = fl.check(io.BytesIO(b"version srcaddr dstaddr srcport\n2 10.0.0.1 10.0.0.2 https\n"))
    >>> bad.loc[0, "line"], bad.loc[0, "reason"]
    (np.int64(2), "srcport is 'https', not a whole number from 0 to 65535")
    """
    layout = None if fields is None else layout_of(fields)
    with closing(parsed_files(find(source), Reading("", layout), None)) as parts:
        bad_lines = [line for part, _ in parts for line in part.bad_lines]
    names = ["file", "line", "text", "reason"]
    return pd.DataFrame({name: [getattr(line, name) for line in bad_lines] for name in names}).astype({"line": "int64"})


def formats() -> pd.DataFrame:
    """List the forms of flow logs that `read` reads, each of them plain or compressed with gzip, zstd or bzip2.

    Returns
    -------
    pandas.DataFrame
        `form`, `comes_from` (what makes it), `recognised_by` (what in the content tells it) and `fields_from` (what
        tells which value is which).

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.formats().loc[0, "recognised_by"]
    'a line of field names, in any order'
    """
    return pd.DataFrame([asdict(form) for form in FORMS])


def _within(table: pa.Table, span: tuple[int, int]) -> pa.Table:
    if "start" not in table.column_names:
        raise missing_field("start", "time=")
    start = table["start"].cast(pa.int64())
    start = pc.if_else(pc.greater_equal(start, MILLISECONDS_FROM), pc.divide(start, 1000), start)
    return table.filter(pc.and_(pc.greater_equal(start, span[0]), pc.less(start, span[1])))


def _require(wanted: Iterable[str], present: Sequence[str]) -> None:
    missing = next((name for name in wanted if name not in present), None)
    if missing is not None:
        likely = [] if missing in BY_COLUMN else get_close_matches(missing, BY_COLUMN, n=1)
        raise MissingFieldError(
            f"no file has the field {missing!r}{f'; did you mean {likely[0]!r}?' if likely else ''} "
            "Without columns=, all fields are read, and df.flow.fields lists them."
        )
