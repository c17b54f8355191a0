"""What an engine returned as the frame that the user sees: the same types whatever computed it."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import pyarrow as pa

from flowlens.schema import field_for

__all__ = ["in_categories", "result_frame"]

_SMALL = {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype()}
_TIMES = ("first", "last", "accepted_first", "accepted_last")
_FLAGS = ("tcp_flags", "accepted_tcp_flags")
_DURATIONS = ("duration", "gap_time")


def result_frame(table: pa.Table, made: Collection[str]) -> pd.DataFrame:
    """Return a result as a frame, Unix seconds as times; `made` are the columns that the records did not have."""
    result: pd.DataFrame = table.to_pandas(types_mapper=_SMALL.get)
    for column in table.column_names:
        if field_for(column).kind == "time" or (column in made and column in _TIMES):
            result[column] = pd.to_datetime(result[column], unit="s", utc=True).dt.as_unit("s")
        elif column in _FLAGS:
            result[column] = result[column].astype("UInt8")
        elif column in made and column in _DURATIONS:
            result[column] = pd.to_timedelta(result[column], unit="s").dt.as_unit("s")
    return result


def in_categories(result: pd.DataFrame) -> pd.DataFrame:
    """Return a result with its words as categories."""
    words = [column for column in result.columns if pd.api.types.is_string_dtype(result[column].dtype)]
    return result.astype(dict.fromkeys(words, "category"))
