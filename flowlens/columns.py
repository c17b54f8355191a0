"""One column of any frame, in the type that its field has: whatever made the frame, analyses see the same."""

from __future__ import annotations

import pandas as pd

from flowlens.errors import BadLine, MissingFieldError, ParseError
from flowlens.schema import BY_COLUMN, field_for

__all__ = ["missing_field", "typed"]


def missing_field(column: str, what: str) -> MissingFieldError:
    """Return the error for a field that is not there, with the token that would add it."""
    if column in BY_COLUMN:
        return MissingFieldError(
            f"{what} needs {column!r}, which this log does not have. Add ${{{field_for(column).name}}} to the "
            "LogFormat of the flow log (a format is fixed when the flow log is created, so create a new one)."
        )
    return MissingFieldError(f"{what} needs the column {column!r}, which this frame does not have.")


def typed(df: pd.DataFrame, column: str) -> pd.Series:
    """Return a column in the type of its field, values unchanged; a frame that `read` made is passed through.

    Raises
    ------
    MissingFieldError
        If the frame has no such column.
    ParseError
        If a value cannot be of that type, with the row it stands in.
    """
    if column not in df.columns:
        raise missing_field(column, "this selection")
    series: pd.Series = df[column]
    if column not in BY_COLUMN:
        # Text as in a field that AWS has not published yet, where '-' is a missing value too.
        return _words(series) if pd.api.types.infer_dtype(series, skipna=True) in {"string", "categorical"} else series
    kind = BY_COLUMN[column].kind
    if kind in {"text", "address"}:
        return _words(series)
    return _times(series) if kind == "time" else _integers(series, BY_COLUMN[column].dtype)


def _words(series: pd.Series) -> pd.Series:
    if not isinstance(series.dtype, pd.CategoricalDtype):
        series = _text(series).astype("category")
    has_dash = "-" in series.cat.categories
    return series.cat.remove_categories(["-"]) if has_dash else series


def _text(series: pd.Series) -> pd.Series:
    """Return values as text, missing ones still missing."""
    words: pd.Series = series.astype(str)
    return words.where(series.notna() & (series != "-"))


def _integers(series: pd.Series, dtype: str) -> pd.Series:
    if series.dtype == dtype:
        return series
    numbers = _numbers(series)
    wrong = numbers.notna() & ((numbers % 1 != 0) | (numbers < 0))
    if wrong.any():
        raise _cannot_be(series, wrong, "a whole number")
    try:
        integers: pd.Series = numbers.astype(dtype)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError) as error:
        raise _cannot_be(series, numbers > 65535 if dtype == "UInt16" else numbers > 255, f"of type {dtype}") from error
    return integers


def _numbers(series: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series
    words = _text(series)
    numbers = pd.to_numeric(words, errors="coerce")
    wrong = numbers.isna() & words.notna()
    if wrong.any():
        raise _cannot_be(series, wrong, "a number")
    return numbers.convert_dtypes()


def _times(series: pd.Series) -> pd.Series:
    dtype = series.dtype
    if not pd.api.types.is_datetime64_any_dtype(dtype):
        words = _text(series)
        if pd.api.types.is_numeric_dtype(dtype) or words.dropna().str.fullmatch(r"\d+").all():
            return pd.to_datetime(_integers(series, "Int64").astype("object"), unit="s", utc=True).dt.as_unit("s")
        times = pd.to_datetime(words, utc=True, format="ISO8601", errors="coerce")
        wrong = times.isna() & words.notna()
        if wrong.any():
            raise _cannot_be(series, wrong, "a time")
        series = times
    elif not isinstance(dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_localize("UTC")
    return series if series.dt.unit == "s" else series.dt.as_unit("s")


def _cannot_be(series: pd.Series, wrong: pd.Series, what: str) -> ParseError:
    places = wrong.fillna(False).to_numpy(bool).nonzero()[0]
    bad = [
        BadLine(
            "this frame",
            int(place) + 1,
            str(series.iloc[place]),
            f"{series.name} is {series.iloc[place]!r}, not {what}",
        )
        for place in places[:1000]
    ]
    return ParseError(bad, "Correct or drop these rows, or read the log with fl.read(...).")
