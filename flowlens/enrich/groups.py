"""Groups as users write them down, read into prefixes with a name each."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from flowlens.cidr import listed, network
from flowlens.errors import BadLine, ParseError

if TYPE_CHECKING:
    import netaddr

__all__ = ["Groups", "named_prefixes"]

#: ``{name: cidr or cidrs}``, a frame with the columns `cidr` and `group`, or the path of a CSV file with those.
Groups = Mapping[str, str | Iterable[str]] | pd.DataFrame | str | os.PathLike[str]

#: A prefix, its group and where they stand: the line in a file, otherwise the place among the rows or prefixes.
_Row = tuple[str, str, int]


#: What groups are called in messages that are in no file.
_GIVEN = "groups"


def named_prefixes(groups: Groups) -> list[tuple[netaddr.IPNetwork, str]]:
    """Read groups.

    Raises
    ------
    ParseError
        With every row that has no name, no CIDR prefix, or a prefix that another row has given another name.
    """
    source, rows = _rows(groups)
    unit: Literal["line", "row"] = "row" if source == _GIVEN else "line"
    bad: list[BadLine] = []
    names: dict[netaddr.IPNetwork, tuple[str, int]] = {}
    for cidr, group, place in rows:
        try:
            net = network(cidr).cidr
        except ValueError as error:
            problem = str(error)
        else:
            problem = "" if group else "the group has no name"
            name, earlier = names.setdefault(net, (group, place)) if group else ("", 0)
            if name != group:
                problem = f"{net} is in {group!r}, and in {name!r} by {unit} {earlier}"
        if problem:
            bad.append(BadLine(source, place, f"{cidr}, {group}", problem, unit=unit))
    if bad:
        advice = "Give each prefix one name; prefixes may lie in one another, the longest counts."
        raise ParseError(bad, f"Names come first, then their prefixes. {advice}" if _swapped(groups) else advice)
    return [(net, name) for net, (name, _) in names.items()]


def _swapped(groups: Groups) -> bool:
    """Tell whether a dict has prefixes where names belong."""
    try:
        return isinstance(groups, Mapping) and all(network(str(name)) for name in groups)
    except ValueError:
        return False


def _rows(groups: Groups) -> tuple[str, list[_Row]]:
    if isinstance(groups, pd.DataFrame):
        return _GIVEN, _rows_of_frame(groups)
    if isinstance(groups, Mapping):
        pairs = [(cidr, name) for name, cidrs in groups.items() for cidr in listed(cidrs)]
        return _GIVEN, [(_text(cidr), _text(name), place) for place, (cidr, name) in enumerate(pairs, 1)]
    if isinstance(groups, str | os.PathLike):
        return os.fspath(groups), list(_rows_of_file(Path(groups)))
    raise TypeError(
        "groups are a dict {name: cidr or [cidrs]}, a frame with the columns cidr and group, or the path of a CSV file "
        f"with those, and not a {type(groups).__name__}; fl.groups.subnets(topology) makes groups of a topology"
    )


def _rows_of_frame(frame: pd.DataFrame) -> list[_Row]:
    lacking = [column for column in ("cidr", "group") if column not in frame.columns]
    if lacking:
        raise ValueError(
            f"groups lack the column {' and '.join(lacking)}; they have {', '.join(map(str, frame.columns))}. "
            "Rename the columns to cidr and group."
        )
    return [
        (_text(cidr), _text(group), place)
        for place, (cidr, group) in enumerate(zip(frame["cidr"], frame["group"], strict=True), 1)
    ]


def _text(value: object) -> str:
    """Return what stands in a cell without space around it; a missing value, which may be a dash, as nothing."""
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - not a number
        return ""
    text = str(value).strip()
    return "" if text == "-" else text


def _rows_of_file(path: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(_content(path), newline=""), skipinitialspace=True)
    header: list[str] | None = None
    for cells in reader:
        row = [_text(cell) for cell in cells]
        if not any(row) or row[0].startswith("#"):
            continue
        if header is None:
            header = [cell.lower() for cell in row]
            if not {"cidr", "group"} <= set(header):
                raise _no_table(path, reader.line_num, cells, "the header names no cidr and group")
        elif len(row) > len(header):
            problem = f"there are {len(row)} values for {len(header)} columns; a name with a comma needs quotes"
            raise _no_table(path, reader.line_num, cells, problem)
        else:
            named = dict(zip(header, row, strict=False))
            yield named.get("cidr", ""), named.get("group", ""), reader.line_num
    if header is None:
        raise _no_table(path, 1, [], "the file is empty")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _no_table(path, line, [], "this is no text in UTF-8") from error


def _no_table(path: Path, line: int, cells: list[str], problem: str) -> ParseError:
    advice = "Write the groups as CSV in UTF-8, with a first line that says: cidr,group"
    return ParseError([BadLine(str(path), line, ",".join(cells), problem)], advice)
