"""What the formulas of all peers need: how a conversation went, and rows that are findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.scanning_by_hand import quiet_duckdb

__all__ = [
    "Floats", "Integers", "as_findings", "most_distinct", "of_threshold", "seconds_of", "uncrossed", "with_outcomes",
]  # fmt: skip

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ENDS = {"initiator": "srcaddr", "responder": "dstaddr", "responder_port": "dstport"}
#: The most that counts below a threshold: less than the 0.9 of an alarm, which the system would not raise.
_UNCROSSED = 0.89


def seconds_of(times: pd.Series) -> Integers:
    """Return times as seconds since 1970."""
    return np.asarray(pd.DatetimeIndex(times).as_unit("s").asi8)


# Scores and findings


def of_threshold(*numbers_and_thresholds: tuple[pd.Series, float]) -> Floats:
    """Score what has to reach all thresholds: 1.0 where it does, else the smallest share of one that is reached."""
    shares = [np.asarray(numbers, dtype=np.float64) / threshold for numbers, threshold in numbers_and_thresholds]
    reached = np.asarray(np.minimum.reduce(shares))
    return np.where(reached >= 1, 1.0, uncrossed(reached))


def uncrossed(scores: npt.ArrayLike) -> Floats:
    """Return scores of what the system would not raise an alarm for."""
    return np.minimum(np.asarray(scores, dtype=np.float64), _UNCROSSED)


def as_findings(units: pd.DataFrame, kind: str, score: Floats | pd.Series, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return units and their `number` as findings, in which the one who called is the source."""
    found = units.rename(columns=_ENDS).assign(kind=kind, score=score)
    unit = [name for name in [*_ENDS.values(), "protocol"] if name in found]
    return found[["kind", *unit, "score", "number", *columns]]


def most_distinct(contacts: pd.DataFrame, unit: list[str], counted: str, window: int) -> pd.DataFrame:
    """Count distinct values of a column in each window, and return the largest count of each unit as `number`."""
    windows = contacts.assign(window=seconds_of(contacts["first"]) // window)
    counts = windows.groupby([*unit, "window"])[counted].nunique()
    return counts.groupby(level=unit).max().rename("number").reset_index()


# How a conversation went

# The flags of what came back and of what was sent. They are OR-ed within a window, and a conversation may have several.
_FLAGS = """
    SELECT c.id, coalesce(bit_or(r.tcp_flags) FILTER (r.srcaddr = c.responder), 0) AS back,
           coalesce(bit_or(r.tcp_flags) FILTER (r.srcaddr = c.initiator), 0) AS sent
    FROM conversations c JOIN records r
        ON r.protocol = 6 AND c.protocol = 6 AND r.start >= c.first AND r."end" <= c.last
        AND ((r.srcaddr = c.initiator AND r.dstaddr = c.responder
              AND r.srcport = c.initiator_port AND r.dstport = c.responder_port)
             OR (r.srcaddr = c.responder AND r.dstaddr = c.initiator
                 AND r.srcport = c.responder_port AND r.dstport = c.initiator_port))
    GROUP BY c.id"""
_SYN, _RST, _SYN_ACK = 2, 4, 18


def with_outcomes(conversations: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Add `failed`, `acknowledged` and `backscatter` to `df.flow.conversations()`, from the flags of its records.

    AWS logs of TCP's flags FIN, SYN, RST and SYN-ACK, never a lone ACK. So an attempt has failed when it was rejected,
    or nothing came back, or a RST without a SYN-ACK; it was acknowledged when a SYN-ACK came back, or when it had begun
    before the log; and the one who seems to call only answers (backscatter) when it sends a SYN-ACK, or a RST without
    a SYN.
    """
    connection = quiet_duckdb()
    keys = ["initiator", "responder", "initiator_port", "responder_port", "protocol", "first", "last"]
    numbered = conversations.reset_index(drop=True)
    connection.register("conversations", numbered[keys].rename_axis("id").reset_index())
    wanted = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "start", "end", "tcp_flags"]
    connection.register("records", records[wanted].astype({"srcaddr": "str", "dstaddr": "str"}))
    flags = connection.sql(_FLAGS).df().set_index("id").reindex(numbered.index, fill_value=0)
    back, sent = flags["back"].astype("int64"), flags["sent"].astype("int64")

    answered = (back & _SYN_ACK) == _SYN_ACK
    refused = ((back & _RST) > 0) & ~answered
    silent = numbered["state"].isin(["rejected", "reply rejected", "unanswered"])
    asked = (sent & _SYN) > 0
    return numbered.assign(
        failed=silent | refused,
        acknowledged=answered | ~(silent | refused | asked),
        backscatter=((sent & _SYN_ACK) == _SYN_ACK) | (((sent & _RST) > 0) & ~asked),
    )
