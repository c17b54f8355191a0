"""One column of any frame, in the type that its field has: whatever made the frame, analyses see the same.

Where a column is not there, the error says how to get it, or why this kind of log cannot have it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas as pd

from flowlens.errors import BadLine, MissingFieldError, NotAFlowFrameError, ParseError
from flowlens.schema import BY_COLUMN, TGW_FIELDS, VPC_FIELDS, field_for

__all__ = ["GATEWAY_ONLY", "VPC_ONLY", "Need", "missing_field", "need_addresses", "need_fields", "typed", "why_never"]

#: A column that an analysis needs, or several of which any one will do.
Need = str | tuple[str, ...]

_OF_VPCS = frozenset(field.column for field in VPC_FIELDS)
_OF_GATEWAYS = frozenset(field.column for field in TGW_FIELDS)

#: What records of network interfaces have and records of transit gateways cannot have, and the other way round.
VPC_ONLY, GATEWAY_ONLY = _OF_VPCS - _OF_GATEWAYS, _OF_GATEWAYS - _OF_VPCS

_NOTHING_REFUSED = (
    "security groups and network ACLs do not act at a transit gateway; what it lost is in losses(), "
    "what was refused is in the flow logs of the VPCs"
)

#: Why records of a transit gateway lack a field of VPC records, and what to use instead.
#: https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html
_NOT_AT_A_GATEWAY = {
    "action": _NOTHING_REFUSED,
    "reject_reason": _NOTHING_REFUSED,
    "interface_id": "they are made at attachments; use tgw_attachment_id as a key, or in its place: "
    "df.rename(columns={'tgw_attachment_id': 'interface_id'})",
    "instance_id": "they are made at attachments, not at instances; srcaddr and dstaddr are the real ends",
    "vpc_id": "they tell both VPCs, tgw_src_vpc_id and tgw_dst_vpc_id",
    "subnet_id": "they tell both subnets, tgw_src_subnet_id and tgw_dst_subnet_id",
    "az_id": "they tell both zones, tgw_src_az_id and tgw_dst_az_id",
    "pkt_srcaddr": "a transit gateway leaves addresses as they are, so srcaddr is the real source already",
    "pkt_dstaddr": "a transit gateway leaves addresses as they are, so dstaddr is the real destination already",
    "traffic_path": "the path is that between tgw_attachment_id and tgw_pair_attachment_id",
}

#: What adds the columns that are no fields.
_ADDED_BY = {
    f"{end}_{name}": verb
    for end in ("src", "dst")
    for name, verb in (
        ("group", "add_groups(...)"),
        ("network", "add_networks()"),
        ("scope", "add_scope()"),
        ("resource", "add_resources(topology)"),
    )
}
_ADDED_BY |= dict.fromkeys(("service", "protocol_name", "flags", "path", "aws_service"), "add_services()")
_ADDED_BY |= dict.fromkeys(
    ("direction", "local", "remote", "real_local", "real_remote", "initiator", "initiator_by"), "add_direction()"
)

#: What can be done without a field, by analysis.
_WITHOUT = {("timeline", "action"): " Pass by=None, or another column to split by."}


def why_never(column: str, columns: Collection[str]) -> str:
    """Tell why records with these columns can never have another one; empty where a LogFormat could add it.

    A log that has fields of both kinds mixes records of VPCs and transit gateways, and either kind may lack a field.
    """
    of_gateway = not GATEWAY_ONLY.isdisjoint(columns)
    if column in VPC_ONLY and of_gateway and VPC_ONLY.isdisjoint(columns):
        why = _NOT_AT_A_GATEWAY.get(column, "AWS logs it for network interfaces only")
        return f"transit gateway records have no {column}: {why}"
    if column in GATEWAY_ONLY and not of_gateway:
        if column.startswith("packets_lost"):
            return "only transit gateway records count lost packets; what a VPC refused is in rejected()"
        return f"only transit gateway records have {column}"
    return ""


def missing_field(column: Need, what: str, columns: Collection[str] = ()) -> MissingFieldError:
    """Return the error for a field that is not there: the token that would add it, or why none can.

    Parameters
    ----------
    column
        The field; or several of which one would be enough.
    what
        What needs it.
    columns
        The columns that are there.
    """
    lacking = (column,) if isinstance(column, str) else column
    named = " or ".join(repr(name) for name in lacking)
    otherwise = _WITHOUT.get((what, lacking[0]), "")
    if why := why_never(lacking[0], columns):
        return MissingFieldError(f"{what} needs {named}, but {why}.{otherwise}")
    if lacking[0] in BY_COLUMN:
        tokens = " ".join(f"${{{field_for(name).name}}}" for name in lacking)
        return MissingFieldError(
            f"{what} needs {named}, which this log does not have. Add {tokens} to the LogFormat of the flow log "
            f"(a format is fixed when the flow log is created, so create a new one).{otherwise}"
        )
    added = f" {_ADDED_BY[lacking[0]]} adds it." if lacking[0] in _ADDED_BY else ""
    return MissingFieldError(f"{what} needs the column {named}, which is not there.{added}")


def need_fields(needs: Iterable[Need], what: str, columns: Collection[str]) -> None:
    """Refuse records that lack what something needs.

    Raises
    ------
    MissingFieldError
        With the first field that is missing.
    """
    for need in needs:
        if not any(column in columns for column in ((need,) if isinstance(need, str) else need)):
            raise missing_field(need, what, columns)


def need_addresses(columns: Iterable[object], what: str, records: str, advice: str) -> None:
    """Refuse records that do not tell who talks to whom.

    Raises
    ------
    NotAFlowFrameError
        With the columns that are not there, some of those that are, and what to do.
    """
    names = list(columns)
    missing = {"srcaddr", "dstaddr"}.difference(names)
    if missing:
        raise NotAFlowFrameError(
            f"{what} needs the columns srcaddr and dstaddr; {records} lacks {' and '.join(sorted(missing))} "
            f"and has {', '.join(map(str, names[:8])) or 'no columns'}. {advice}"
        )


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
        raise missing_field(column, "this selection", df.columns)
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
