"""The commands of a query, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowlens.errors import EngineError
from flowlens.insights.log import ENGINE

__all__ = ["limit", "period", "saying", "sort", "stats"]

#: What a query returns at most. One without `limit` returns 10,000 and does not say that there are more.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Limit.html
_MOST_ROWS = 100_000

#: The periods of `bin`, longest first: their unit, its seconds, and how many of it there can be. More are taken for
#: that many, without a word: ``bin(300s)`` counts by minutes.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-datetime
_PERIODS = (("d", 86400, 1), ("h", 3600, 24), ("m", 60, 60), ("s", 1, 60))
_DAY = 86400


def stats(counted: Mapping[str, str], keys: Sequence[str]) -> str:
    return f"stats {', '.join(f'{how} as {name}' for name, how in counted.items())}\n    by {', '.join(keys)}"


def sort(largest: Sequence[str], keys: Sequence[str], *, within: Sequence[str] = ()) -> str:
    """Return the order of rows: what is largest first, ties by keys, all of that within other keys."""
    order = [*(f"{key} asc" for key in within), *(f"{name} desc" for name in largest), *(f"{key} asc" for key in keys)]
    return f"sort {', '.join(order)}"


def limit(verb: str, n: int | None = None) -> str:
    from flowlens.reduce.summary import number_of_rows

    rows = _MOST_ROWS if n is None else number_of_rows(n)
    if rows > _MOST_ROWS:
        raise EngineError(verb, ENGINE, f"result of more than {_MOST_ROWS:,} rows", "Ask for fewer.")
    return f"limit {rows}"


def saying(field: str, word: str) -> str:
    """Return how many records say a word in a field of few words; `strcontains` is 1 or 0."""
    return f'sum(strcontains({field}, "{word}"))'


def period(verb: str, seconds: int) -> str:
    """Return the key that puts records into bins of a width, as `start`."""
    for unit, size, most in _PERIODS:
        # Where bins begin is plain for those that divide a day.
        if seconds % size == 0 and seconds // size <= most and _DAY % seconds == 0:
            return f"bin({seconds // size}{unit}) as start"
    raise EngineError(
        verb,
        ENGINE,
        f"bin() of {seconds:,} seconds",
        "Its bins are up to 60 seconds, 60 minutes or 24 hours; pass such a part of a day: '5min', '1h', '1D'.",
    )
