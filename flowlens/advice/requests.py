"""The requests of a log, once each: at which interface, from or to whom, on which port, how often and until when.

A security group is asked about the first packet of a connection alone, so replies say nothing of its rules; and its
rules have the port of the destination in both directions, so the source port does not count either.
"""

from __future__ import annotations

import pandas as pd

from flowlens.columns import missing_field, typed
from flowlens.topology import Topology

__all__ = ["as_times", "requests_of"]

_NEEDED = (
    "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end",
    "action", "log_status",
)  # fmt: skip
_KEY = ["interface_id", "direction", "protocol", "remote", "port"]
_WITH_PORTS = (6, 17)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html: what a query returns at most
_MOST_OF_INSIGHTS = 10_000
# Headers of IP and TCP with options take up to 60 bytes in handshakes and acknowledgements.
_HEADERS = 60


def requests_of(df: pd.DataFrame, topology: Topology, what: str) -> pd.DataFrame:
    """Return the distinct requests of a log.

    Parameters
    ----------
    df
        Records.
    topology
        Tells whose address is whose.
    what
        Who asks, for messages.

    Returns
    -------
    pandas.DataFrame
        `interface_id, direction, protocol, remote, port` (missing where the protocol has none), `action`; `records,
        packets, bytes, first, last, active_days`; `is_served` where data flowed: a scan that finds an open port gets an
        answer, and no more.

    Raises
    ------
    MissingFieldError
        If the log lacks a field that is needed.
    ValueError
        If it cannot tell what was not used: records were lost, or are those of refused traffic only.
    """
    _refuse_what_cannot_tell(df, what)
    told = df.flow.add_direction(topology=topology)
    told = told[typed(told, "action").notna() & told["direction"].notna()]
    remote = told["real_remote"].fillna(told["remote"]) if "real_remote" in told else told["remote"]
    has_ports = told["protocol"].isin(_WITH_PORTS)
    is_reply = (told["initiator"] == "dst").fillna(False).astype(bool)
    records = pd.DataFrame(
        {
            "interface_id": told["interface_id"].astype(str),
            "direction": told["direction"].astype(str),
            "protocol": told["protocol"].astype("int64"),
            "remote": remote.astype(str),
            # of a reply the port that was asked at, so that it stands beside the request
            "port": told["dstport"].where(~is_reply, told["srcport"]).where(has_ports).astype("Int64"),
            "action": told["action"].astype(str),
            "packets": told["packets"].astype("int64"),
            "bytes": told["bytes"].astype("int64"),
            "first": told["start"],
            "last": told["end"],
            "day": told["start"].dt.floor("D"),
        }
    )
    requests = _each_once(records[~is_reply])
    return _served(requests, records[is_reply & (records["action"] == "ACCEPT")])


def as_times(values: pd.Series) -> pd.Series:
    """Return times of a result in the type that those of records have; also where there are none."""
    times: pd.Series = pd.to_datetime(values, utc=True).dt.as_unit("s")
    return times


def _refuse_what_cannot_tell(df: pd.DataFrame, what: str) -> None:
    for column in _NEEDED:
        if column not in df.columns:
            raise missing_field(column, what, df.columns)
    lost = df[typed(df, "log_status") == "SKIPDATA"]
    if len(lost):
        raise ValueError(
            f"{what} cannot tell what was not used: records of {len(lost):,} windows were lost (SKIPDATA), the "
            f"first at {lost['start'].min()}. Take a time without them: df.flow.select(time=...)."
        )
    if not (typed(df, "action") == "ACCEPT").any():
        raise ValueError(
            f"{what} goes by accepted traffic, and this log holds none. Create a flow log of traffic type "
            "ALL or ACCEPT."
        )
    if len(df) == _MOST_OF_INSIGHTS:
        raise ValueError(
            f"{what} needs all records, and these are {len(df):,}: as many as a query of Logs Insights returns. "
            "Read the files of the log, or query shorter times."
        )


def _each_once(records: pd.DataFrame) -> pd.DataFrame:
    grouped = records.groupby([*_KEY, "action"], dropna=False, sort=True)
    return grouped.agg(
        records=("packets", "size"),
        packets=("packets", "sum"),
        bytes=("bytes", "sum"),
        first=("first", "min"),
        last=("last", "max"),
        active_days=("day", "nunique"),
    ).reset_index()


def _served(requests: pd.DataFrame, replies: pd.DataFrame) -> pd.DataFrame:
    """Tell which requests were worth it to both sides: data flowed, or what has no replies came more than once."""
    back = replies.assign(direction=replies["direction"].map({"ingress": "egress", "egress": "ingress"}))
    sums = back.groupby(_KEY, dropna=False)[["packets", "bytes"]].sum().add_suffix("_back").reset_index()
    both = requests.merge(sums, on=_KEY, how="left")
    answered = both["packets_back"].notna()
    packets = both["packets"] + both["packets_back"].fillna(0)
    carried = both["bytes"] + both["bytes_back"].fillna(0) > _HEADERS * packets
    is_tcp = both["protocol"] == 6
    served = (answered & carried).where(is_tcp, answered | (both["packets"] > 1))
    return requests.assign(is_served=served.astype(bool) & (requests["action"] == "ACCEPT"))
