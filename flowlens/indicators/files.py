"""Files of indicators; what form they have is told by their content."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flowlens.errors import BadLine, ParseError
from flowlens.indicators.entries import Listing
from flowlens.indicators.lists import of_text
from flowlens.indicators.stix import of_stix

__all__ = ["of_file"]

# A list of 100,000 addresses takes 2 MB, a STIX bundle of as many indicators about 100 MB and ten times that in memory.
_LARGEST = 256 * 1024 * 1024

#: An object or an array. '[' may begin an IPv6 address, too: [2001:db8::7]:443.
_JSON = re.compile(r'\s*(?:\{|\[\s*[\[\]{"])')


def of_file(path: Path) -> Listing:
    """Return what a file says.

    Raises
    ------
    ParseError
        If it is too large, no text, or JSON without STIX.
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    """
    text = _text(path)
    if not _JSON.match(text):
        return of_text(str(path), text)
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise _unreadable(path, 1, "this JSON is nested too deeply for STIX") from error
    except ValueError as error:
        raise _unreadable(path, getattr(error, "lineno", 1), f"this begins like JSON, and is none: {error}") from error
    return of_stix(str(path), content)


def _text(path: Path) -> str:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name one file of indicators")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise _unreadable(path, 1, f"the file has more than {_LARGEST:,} bytes; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unreadable(path, line, "this is no text in UTF-8; unpack it if it is compressed") from error


def _unreadable(path: Path, line: int, problem: str) -> ParseError:
    advice = "Give a text file with one address or prefix a line, CSV with a header, or a bundle of STIX 2."
    return ParseError([BadLine(str(path), line, "", problem)], advice)
