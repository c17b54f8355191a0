"""Frames that others made: their columns in the names and types of flow log records."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from flowlens.errors import BadLine, ParseError
from flowlens.frame import FrameBuilder
from flowlens.parse import Parsed, Reading, RefusedError, read_table
from flowlens.parse.shapes import sound
from flowlens.parse.tags import readable_tags

__all__ = ["from_frame"]

_FILE = "this frame"


def from_frame(df: pd.DataFrame, *, fields: Mapping[str, str] | None = None) -> pd.DataFrame:
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
        What flowlens cannot know: ``{"their name": "field name"}``.

    Returns
    -------
    pandas.DataFrame
        The records as from `read`, with the index of `df`. Columns that are no field are kept as text.

    Raises
    ------
    ParseError
        If a value cannot be right, with the number of its row and what is wrong; or if these are no records.
    ValueError
        If `fields` names a column that is not there.

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
    renames = {their: ours.replace("-", "_") for their, ours in (fields or {}).items()}
    unknown = next((name for name in renames if name not in df.columns), None)
    if unknown is not None:
        raise ValueError(
            f"fields= names {unknown!r}, which is no column of the frame: {', '.join(map(str, df.columns))}"
        )
    taken = next((ours for their, ours in renames.items() if ours != their and ours in df.columns), None)
    if taken is not None:
        raise ValueError(
            f"fields= makes another column {taken!r}, which the frame has already; drop or rename that first"
        )
    parsed = _parsed(df, renames)
    if parsed.bad_lines:
        raise ParseError(parsed.bad_lines, "Correct or drop these rows first.")
    builder = FrameBuilder()
    for table in parsed.tables:
        builder.add(readable_tags(table), 1.0)
    records = builder.frame(builder.columns)
    return records.set_axis(df.index) if len(records) == len(df) else records


def _parsed(df: pd.DataFrame, renames: Mapping[str, str]) -> Parsed:
    try:
        return read_table(_arrow(df), renames, Reading(_FILE))
    except RefusedError as refused:
        advice = "Say which column is which: fl.from_frame(df, fields={'their name': 'srcaddr', ...})."
        raise ParseError([BadLine(_FILE, refused.line, refused.text, refused.reason)], advice) from refused


def _arrow(df: pd.DataFrame) -> pa.Table:
    repeated = df.columns[df.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"the frame has more than one column {repeated[0]!r}")
    return pa.table({str(name): _array(df[name]) for name in df.columns})


def _array(series: pd.Series) -> pa.Array:
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # Objects of several types: what each looks like has to do.
        texts = [None if missing else sound(str(value)) for value, missing in zip(series, series.isna(), strict=True)]
        return pa.array(texts, pa.string())
