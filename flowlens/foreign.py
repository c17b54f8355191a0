"""Frames that others made: their columns in the names and types of flow log records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlens.errors import BadLine, ParseError
from flowlens.frame import FrameBuilder
from flowlens.parse import Fields, Parsed, Reading, RefusedError, layout_of, read_table
from flowlens.parse.naming import has_addresses, known_names, message_name
from flowlens.parse.shapes import sound
from flowlens.parse.tags import readable_tags

__all__ = ["from_frame"]

_FILE = "this frame"


def from_frame(df: pd.DataFrame, *, fields: Mapping[str, str] | Fields | None = None) -> pd.DataFrame:
    """Bring any frame of flow log records into canonical names and types, so that ``df.flow`` works on it.

    Results of Athena and Logs Insights, CSV files that pandas read, tables of other tools: names are known however they
    are spelled (``srcAddr``, ``src_ip``, ``sourceaddress``), numbers may be text or floats, times text, Unix seconds or
    milliseconds, missing values ``-``, empty or null. Frames of whole lines, with a column `message`, and OCSF records
    of Security Lake are understood too.

    Parameters
    ----------
    df : pandas.DataFrame
        One row a record.
    fields : dict, optional
        What flowlens cannot know: ``{"their name": "field name"}``; for a frame of lines their format, as for `read`.

    Returns
    -------
    pandas.DataFrame
        The records as from `read`, with the index of `df`. A field in the index is a column, too. Columns that are no
        field are kept as text.

    Raises
    ------
    ParseError
        If a value cannot be right, with the number of its row and what is wrong; or if these are no records.
    TypeError, ValueError
        If `fields` names a column that is not there, or gives one a name that it cannot have.

    Examples
    --------
    >>> import pandas as pd, flowlens as fl
    >>> result = pd.DataFrame({"srcAddr": ["10.0.0.1"], "dstAddr": ["10.0.0.2"], "dstPort": ["443"], "n": [3.0]})
    >>> fl.from_frame(result, fields={"n": "packets"})
        srcaddr   dstaddr  dstport  packets
    0  10.0.0.1  10.0.0.2      443        3
    """
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"from_frame needs a pandas frame, not a {type(df).__name__}; files are read with fl.read(...)")
    table = _arrow(df)
    names = table.column_names
    renaming = isinstance(fields, Mapping) and set(map(str, fields)) <= set(names)
    rows: Sequence[int] = range(1, len(df) + 1)
    message = None if renaming or has_addresses(names) else message_name(names)
    if message is not None:
        # Whole lines: one that is missing is no record.
        there = pc.is_valid(table[message])
        table, df, rows = (
            table.filter(there),
            df[there.to_numpy()],
            [row + 1 for row in pc.indices_nonzero(there).to_pylist()],
        )
        layout, renames = (None if fields is None else layout_of(fields)), {}
    else:
        layout, renames = None, _renames(fields, names)
    parsed = _parsed(table, renames, Reading(_FILE, layout))
    if parsed.bad_lines:
        bad_lines = [replace(bad, line=rows[min(bad.line, len(rows)) - 1]) for bad in parsed.bad_lines]
        raise ParseError(bad_lines, "Correct or drop these rows first.")
    builder = FrameBuilder()
    for part in parsed.tables:
        builder.add(readable_tags(part), 1.0)
    records = builder.frame(builder.columns)
    return records.set_axis(df.index) if len(records) == len(df) else records


def _renames(fields: object, names: list[str]) -> dict[str, str]:
    """Return what the user says that names mean.

    Raises
    ------
    TypeError, ValueError
        If it cannot be that.
    """
    if fields is None:
        return {}
    if not isinstance(fields, Mapping):
        raise TypeError(f"fields={fields!r} says not which column is which; pass {{'their name': 'srcaddr', ...}}")
    renames = dict(zip(map(str, fields), layout_of(list(fields.values())), strict=True)) if fields else {}
    unknown = next((name for name in renames if name not in names), None)
    if unknown is not None:
        raise ValueError(f"fields= names {unknown!r}, which is no column of the frame: {', '.join(names)}")
    taken = next((ours for ours in renames.values() if ours in names and ours not in renames), None)
    if taken is not None:
        raise ValueError(f"fields= makes another column {taken!r}, which the frame has; drop or rename that first")
    return renames


def _parsed(table: pa.Table, renames: Mapping[str, str], reading: Reading) -> Parsed:
    try:
        return read_table(table, renames, reading)
    except RefusedError as refused:
        advice = (
            "Say which column is which: fl.from_frame(df, fields={'their name': 'srcaddr', ...})."
            if message_name(table.column_names) is None
            else "Say the format of the lines: fl.from_frame(df, fields='${version} ...')."
        )
        raise ParseError([BadLine(_FILE, refused.line, refused.text, refused.reason)], advice) from refused


def _arrow(df: pd.DataFrame) -> pa.Table:
    # `start` is often the index, for resampling.
    levels = [name for name in df.index.names if isinstance(name, str) and known_names([name])]
    df = df.reset_index([name for name in levels if name not in df.columns]) if levels else df
    names = df.columns.map(str)
    repeated = names[names.duplicated()]
    if len(repeated):
        raise ValueError(f"the frame has more than one column {repeated[0]!r}")
    return pa.table({name: _array(df.iloc[:, place]) for place, name in enumerate(names)})


def _array(series: pd.Series) -> pa.Array:
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    try:
        if pd.api.types.is_timedelta64_dtype(series.dtype):
            series = series.astype(str)  # the number inside could be taken for a time
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Objects of several types: what each looks like has to do.
        values = zip(series, series.isna(), strict=True)
        return pa.array([None if missing else sound(str(value)) for value, missing in values], pa.string())
