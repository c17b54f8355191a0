"""Which column is which field, in tables whose names came through other tools.

AWS itself writes ``log-status``, ``log_status`` and ``logStatus``; tools that copy flow logs have names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from flowlens.schema import ALIASES, BY_COLUMN, BY_NAME

__all__ = [
    "MOST_NAMES",
    "columns_of",
    "has_addresses",
    "has_computed",
    "known_names",
    "looks_like_results",
    "message_name",
    "names_account",
    "names_interface",
]

#: Names that the records of one file may have together: each is a column, with a value or none for every record.
MOST_NAMES = 1000

# Nested names: Elastic's integration writes aws.vpcflow.*, OpenSearch's catalog aws.vpc.*
_PREFIXES = ("awsvpcflow", "awsvpc")

_EVENT_TIME = "@timestamp"  # of CloudWatch Logs; it is the record's start
_MESSAGES = ("@message", "message")

#: The number of a row in a pandas index that was written to CSV, and what Logs Insights adds to every result.
_BOOKKEEPING = re.compile(r"|Unnamed: \d+|__index_level_\d+__|@.*")

# What a query gives a column that it computed: sum(bytes), _col2; and flowlens to the number of records behind a row.
_COMPUTED = re.compile(r".*\(.*|_col\d+|flows")

# A row with none of these counts many records: queries group by addresses and ports of services.
_TELL_RECORDS = {"start", "end", "srcport", "version", "log_status"}
_GROUPED_BY = {"srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action", "flow_direction"}


def _bare(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()


_COLUMNS = {_bare(name): field.column for name, field in BY_NAME.items()}
_OTHER_WORDS = {word: BY_NAME[name].column for name, words in ALIASES.items() for word in words}


def _meaning(name: str) -> tuple[int, str] | None:
    """Return the flowlens column that a name means, after a number that is lower the surer that is."""
    column = name.replace("-", "_")
    if column in BY_COLUMN:
        return 1, column
    bare = _bare(name)
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    if bare in _COLUMNS:
        return 2, _COLUMNS[bare]
    return (3, _OTHER_WORDS[bare]) if bare in _OTHER_WORDS else None


def names_interface(names: Iterable[str]) -> bool:
    """Tell whether one of the names is AWS's interface-id, however it is spelled."""
    return any(_meaning(name) in {(1, "interface_id"), (2, "interface_id")} for name in names)


def names_account(name: str) -> bool:
    """Tell whether a name means AWS's account-id, however it is spelled."""
    meaning = _meaning(name)
    return meaning is not None and meaning[1] == "account_id"


def has_addresses(names: Iterable[str]) -> bool:
    """Tell whether there are names for both addresses, without which a table holds no records of traffic."""
    return _have_addresses(tuple(names))


@lru_cache(maxsize=256)
def _have_addresses(names: tuple[str, ...]) -> bool:
    return {"srcaddr", "dstaddr"} <= set(columns_of(names, {}))


@lru_cache(maxsize=256)
def _known(names: tuple[str, ...]) -> int:
    return sum(_meaning(name) is not None for name in names)


def known_names(names: Iterable[str]) -> int:
    """Count the names that mean a field of a flow log."""
    return _known(tuple(names))


def message_name(names: Iterable[str]) -> str | None:
    """Return the column that holds whole lines, as in exports of CloudWatch Logs."""
    there = set(names)
    return next((word for word in _MESSAGES if word in there), None)


def columns_of(names: Sequence[str], renames: Mapping[str, str]) -> dict[str, str]:
    """Return for each flowlens column the name that the table has for it, in the table's order.

    A name as AWS writes it goes before another word for the same field, which is then a column of its own.
    """
    meanings = {name: (0, renames[name]) if name in renames else _meaning(name) for name in names}
    sure_first = sorted((meaning, place) for place, name in enumerate(names) if (meaning := meanings[name]))
    taken: dict[str, str] = {}
    for (_, column), place in sure_first:
        taken.setdefault(column, names[place])
    if _EVENT_TIME in meanings:
        taken.setdefault("start", _EVENT_TIME)
    used = set(taken.values())
    others = [name for name in names if name not in used and not _BOOKKEEPING.fullmatch(name)]
    for name in sorted(others, key=lambda name: "-" in name):
        column = name.replace("-", "_")
        taken[name if column in taken else column] = name
    place_of = {name: place for place, name in enumerate(names)}
    return dict(sorted(taken.items(), key=lambda item: place_of[item[1]]))


def has_computed(names: Iterable[str]) -> bool:
    """Tell whether one of the names is that of something computed by a query."""
    return any(_COMPUTED.fullmatch(name) for name in names)


def looks_like_results(columns: Mapping[str, str]) -> bool:
    """Tell whether a table holds the results of a query and not records.

    Records have both addresses, and something that no query groups by; those of no traffic have a time and a status.
    """
    tells = not _TELL_RECORDS.isdisjoint(columns)
    # A sum by 5-tuple, under a name of one's own, has a source port too.
    own = columns.keys() - BY_COLUMN.keys()
    if own and columns.keys() - own <= _GROUPED_BY:
        tells = False
    traffic = {"srcaddr", "dstaddr"} <= set(columns) and tells
    return has_computed(columns.values()) or not (traffic or {"start", "log_status"} <= set(columns))
