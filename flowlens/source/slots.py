"""Which time the records of a file can have, told by its path, so that others need not be opened.

AWS names folders and files after the five minutes in which the *end* of a record lies, in UTC: a file
``..._20260310T1420Z_...`` holds records that end from 14:20:00 to 14:24:59 and begin up to an aggregation interval
earlier.
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["EARLIER", "may_hold"]

_FILE = re.compile(r"_vpcflowlogs_[^/\\]*_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)Z_[^/\\]*$")
# Plain, organisation and Hive layouts, by day or by hour: .../vpcflowlogs/<region>/2026/03/10/14/ and
# .../aws-service=vpcflowlogs/aws-region=<region>/year=2026/month=03/day=10/hour=14/
_FOLDERS = re.compile(
    r"vpcflowlogs[/\\][^/\\]+[/\\](?:year=)?(\d{4})[/\\](?:month=)?(\d\d)[/\\](?:day=)?(\d\d)"
    r"(?:[/\\](?:hour=)?(\d\d))?[/\\][^/\\]*$"
)
# What `to_parquet` writes, by the start of records. Others may part by local days, or by the time of arrival.
_PARTITIONS = re.compile(
    r"[/\\]year=(\d{4})[/\\]month=(\d\d)[/\\]day=(\d\d)(?:[/\\]hour=(\d\d))?[/\\]flow-logs-[^/\\]*\.parquet$"
)

_SLOT, _HOUR, _DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)

#: So much earlier than its folder says a record may start: the longest aggregation interval, and as much for delivery.
EARLIER = timedelta(minutes=20)


def may_hold(path: str, span: tuple[int, int]) -> bool:
    """Tell whether a file can hold records that start in ``[start, end)``, in Unix seconds; it can if nothing tells."""
    first_and_last = _starts(path)
    return first_and_last is None or (first_and_last[0] < span[1] and first_and_last[1] > span[0])


def _starts(path: str) -> tuple[float, float] | None:
    """Return between which moments the records of a file start, the second excluded."""
    slot = _slot(_FILE.search(path), _SLOT) or _slot(_FOLDERS.search(path))
    earlier = EARLIER
    if slot is None:
        slot, earlier = _slot(_PARTITIONS.search(path)), timedelta(0)
    return None if slot is None else ((slot[0] - earlier).timestamp(), slot[1].timestamp())


def _slot(found: re.Match[str] | None, width: timedelta | None = None) -> tuple[datetime, datetime] | None:
    if found is None:
        return None
    numbers = [int(number) for number in found.groups() if number is not None]
    try:
        begin = datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:  # thirteenth month: no date after all
        return None
    return begin, begin + (width or (_HOUR if len(numbers) > 3 else _DAY))
