"""Plain lists and tables of indicators."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from flowlens.errors import BadLine
from flowlens.indicators.entries import GIVEN, Entry, Listing, none_if_missing

__all__ = ["of_frame", "of_text"]

#: What columns are called, the first one that is there counts. After our own names those of abuse.ch:
#: https://feodotracker.abuse.ch/blocklist/, https://sslbl.abuse.ch/blacklist/, https://threatfox.abuse.ch/export/.
COLUMNS = {
    "address": ("cidr", "indicator", "ip", "address", "value", "dst_ip", "dstip", "ioc_value"),
    "name": ("name", "label", "malware", "malware_printable"),
    "port": ("port", "dst_port", "dstport"),
    "protocol": ("protocol",),
    "confidence": ("confidence", "confidence_level"),
    "valid_from": ("valid_from",),
    "valid_until": ("valid_until",),
    "source": ("source",),
}
_NO_HEADER = f"a table needs a first line that names its columns, one of them {', '.join(COLUMNS['address'][:5])}"

#: FireHOL and abuse.ch write comments behind '#', Spamhaus behind ';' as in ``192.0.2.0/24 ; SBL123``:
#: https://iplists.firehol.org, https://www.spamhaus.org/blocklists/do-not-route-or-peer/.
_COMMENT = re.compile("[#;]")
_COMMENTS = ("#", ";")


def of_frame(frame: pd.DataFrame) -> Listing:
    """Return what the rows of a frame say.

    Raises
    ------
    ValueError
        If no column holds addresses.
    """
    columns = _columns([str(column) for column in frame.columns])
    if "address" not in columns:
        raise ValueError(
            f"indicators lack a column {', '.join(COLUMNS['address'][:4])} or value; they have "
            f"{', '.join(map(str, frame.columns))}. Rename the column of addresses to cidr."
        )
    # Not by name: several columns may have the same.
    cells = [frame.iloc[:, place].tolist() for place in columns.values()]
    return Listing(
        GIVEN, "row", (_entry(row, columns, values) for row, values in enumerate(zip(*cells, strict=True), 1))
    )


def of_text(file: str, text: str) -> Listing:
    """Return what a text says: a CSV file with a header, or one address a line."""
    header, comment = "", ""
    for line in _lines(text):
        if line.lstrip().startswith(_COMMENTS):
            comment = line.lstrip("#; \t").removeprefix("fields\t")
        elif line.strip():
            header = line
            break
    for said, behind_comments in ((header, False), (comment, True)):
        for delimiter in ",\t;":
            # abuse.ch comments its headers out, too, and Zeek begins them with '#fields' as in
            # https://docs.zeek.org/en/master/frameworks/intel.html. A word alone in a comment is none.
            if (delimiter in said or not behind_comments) and "address" in _columns(_cells(said, delimiter)):
                return Listing(file, "line", _rows(file, text, said, delimiter))
    return Listing(file, "line", _plain(file, text))


def _lines(text: str) -> Iterable[str]:
    return io.StringIO(text, newline=None)


def _plain(file: str, text: str) -> Iterator[Entry | BadLine]:
    for number, line in enumerate(_lines(text), 1):
        said, *comment = _COMMENT.split(line, maxsplit=1)
        words = said.split()
        if len(words) == 1 and ("," not in said or "://" in said):
            yield Entry(number, words[0], none_if_missing(comment[0]) if comment else None)
        elif words:
            problem = (
                _NO_HEADER if "," in said else "there are several words; write one address a line, others behind #"
            )
            yield BadLine(file, number, line.strip(), problem)


def _rows(file: str, text: str, header: str, delimiter: str) -> Iterator[Entry | BadLine]:
    names = _cells(header, delimiter)
    columns = _columns(names)
    # Between ';' a row that begins with one has an empty value there.
    comments = tuple(mark for mark in _COMMENTS if mark != delimiter)
    within_row = False

    def lines() -> Iterator[str]:
        """Yield lines without comments, which are no CSV: a quote in one would begin a value of several lines."""
        nonlocal within_row
        for line in _lines(text):
            says_nothing = not within_row and (line.lstrip().startswith(comments) or line == header)
            within_row = True  # until the reader has its end
            yield "\n" if says_nothing else line

    reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            within_row = False
            if len(cells) > len(names):
                problem = f"there are {len(cells)} values for {len(names)} columns; a value with a comma needs quotes"
                yield BadLine(file, reader.line_num, delimiter.join(cells), problem)
            elif any(map(none_if_missing, cells)):
                filled = cells + [""] * (len(names) - len(cells))
                yield _entry(reader.line_num, columns, [filled[place] for place in columns.values()])
    except csv.Error as error:
        yield BadLine(file, reader.line_num, "", f"this is no CSV: {error}")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _columns(names: Sequence[str]) -> dict[str, int]:
    """Return in which place each column stands that is there."""
    plain = [re.sub(r"[ -]", "_", name.strip().lower()) for name in names]
    return {
        column: plain.index(known[0])
        for column, spellings in COLUMNS.items()
        if (known := [spelling for spelling in spellings if spelling in plain])
    }


def _entry(place: int, columns: Iterable[str], values: Iterable[object]) -> Entry:
    return Entry(place, **dict(zip(columns, map(none_if_missing, values), strict=True)))
