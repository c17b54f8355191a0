"""Bytes to Arrow tables: recognise the form from the content, find the layout, parse, account for every bad line.

A new form is one more file here that turns bytes into `Parsed`, one more line in `parse`, and one in `forms.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import IO

import pyarrow as pa

from flowlens.errors import BadLine
from flowlens.parse.compression import DamagedError, decompress, is_compressed, unpack
from flowlens.parse.delimited import csv_header, read_csv
from flowlens.parse.documents import read_json, read_messages, read_payloads
from flowlens.parse.large import read_text_in_pieces
from flowlens.parse.layout import DEFAULT, Fields, Layout, layout_of
from flowlens.parse.lines import BOM, line_ends
from flowlens.parse.lookalikes import refuse_foreign_bytes, refuse_foreign_names, refuse_foreign_text
from flowlens.parse.named import read_named, refuse_what_is_no_record
from flowlens.parse.naming import columns_of, message_name
from flowlens.parse.ocsf import is_ocsf
from flowlens.parse.parquet import (
    PARQUET_MAGIC,
    as_aws_writes_it,
    parquet_columns,
    read_parquet,
    read_parquet_in_pieces,
    read_parquet_together,
)
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.security_lake import read_ocsf
from flowlens.parse.text import read_text, read_together

__all__ = [
    "DEFAULT",
    "Fields",
    "Layout",
    "Parsed",
    "Reading",
    "RefusedError",
    "columns_in",
    "is_parquet_of_aws",
    "layout_of",
    "parse",
    "parse_in_pieces",
    "parse_together",
    "read_table",
]

_LOOKED_AT = 4096  # bytes: enough to tell one form from another
_BEGINNING = 1 << 16  # bytes: enough to tell the fields of lines
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")  # what '>' in Windows PowerShell writes
_EXCEL_SEPARATOR = re.compile(rb'\A"?sep=[,;]"?\s*')
_GZIP_IN_BASE64 = b"H4sI"


def parse(data: bytes, reading: Reading) -> Parsed:
    """Read one file as it is stored, in whatever form it has.

    Raises
    ------
    RefusedError
        If the file is no flow log, or its layout cannot be known.
    """
    plain, damage = decompress(data)
    if plain.startswith(PARQUET_MAGIC):
        return read_parquet(plain, reading)
    plain = _utf8(plain)
    refuse_foreign_bytes(plain[:_LOOKED_AT])
    if damage is None:
        return _read(plain, reading)
    # The last line may be cut anywhere, even inside a number: only whole lines are believed. JSON tells by itself where
    # it is whole.
    whole = len(plain) if _is_json(plain) else max(plain.rfind(b"\n"), plain.rfind(b"\r")) + 1
    parsed = _read(plain[:whole], reading)
    cut = plain[whole:].decode("utf-8", "replace")
    parsed.bad_lines.append(BadLine(reading.file, _number_behind(parsed, plain), cut, damage))
    return parsed


def _number_behind(parsed: Parsed, plain: bytes) -> int:
    """Return the number of what would have come next: a line, or a record where records need no line of their own."""
    if _is_json(plain) or _is_payload(plain):
        records: int = sum(table.num_rows for table in parsed.tables) + len(parsed.bad_lines)
        return max(records, *(bad.line for bad in parsed.bad_lines), 0) + 1
    return line_ends(plain) + 1


def parse_in_pieces(open_file: Callable[[], IO[bytes]], stored: int, reading: Reading) -> Iterator[Parsed]:
    """Read a file that may be too large to hold: lines and row groups a few megabytes at a time, other forms whole.

    Raises
    ------
    RefusedError
        If the file is no flow log, or its layout cannot be known.
    """
    with open_file() as file:
        if file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            yield from read_parquet_in_pieces(file, stored, reading)
            return
    chunks = unpack(open_file, stored)
    with suppress(DamagedError):  # at once
        first = next(chunks, b"")
        if _is_text(first) and not is_compressed(first):
            yield from read_text_in_pieces(chain([first], chunks), reading)
            return
    with open_file() as file:
        yield parse(file.read(), reading)


def columns_in(open_file: Callable[[], IO[bytes]], stored: int, reading: Reading) -> list[str]:
    """Return the columns of a file, looking no further into it than its form demands.

    Raises
    ------
    RefusedError
        If the file is no flow log, or its layout cannot be known.
    """
    with open_file() as file:
        if file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            return parquet_columns(file, stored, reading)
    first = b""
    with suppress(DamagedError):
        first = next(unpack(open_file, stored), b"")
    if _is_text(first) and not is_compressed(first):
        parsed = read_text(first[: first.rfind(b"\n", 0, _BEGINNING) + 1] or first, reading)
    else:
        with open_file() as file:
            parsed = parse(file.read(), reading)
    return list(dict.fromkeys(name for table in parsed.tables for name in table.column_names))


def is_parquet_of_aws(open_file: Callable[[], IO[bytes]], stored: int) -> bool:
    """Tell whether a file is Parquet with the columns and types that AWS writes, so that any engine can read it."""
    with open_file() as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC and as_aws_writes_it(file, stored)


def parse_together(files: Sequence[bytes], reading: Reading) -> Parsed | None:
    """Read small files as one; None where that cannot be done, and each has to be read by itself."""
    if all(data.startswith(PARQUET_MAGIC) for data in files):
        return read_parquet_together(files, reading)
    texts = []
    for data in files:
        plain, damage = decompress(data)
        if damage or not _is_text(plain):
            return None
        texts.append(plain)
    return read_together(texts, reading)


def read_table(table: pa.Table, renames: Mapping[str, str], reading: Reading) -> Parsed:
    """Read records that are in memory already; `renames` says what names mean that nobody else knows.

    Raises
    ------
    RefusedError
        If the columns are not those of records.
    """
    names = table.column_names
    if is_ocsf(names):
        return read_ocsf(table, reading)
    columns = columns_of(names, renames)
    message = message_name(names)
    if {"srcaddr", "dstaddr"} <= set(columns):
        refuse_foreign_names([name for name in names if name not in renames], 1)
        return read_named(table, columns, reading)
    if message is None:
        refuse_what_is_no_record(names)
    return read_messages(table[message].cast(pa.string()), reading)


def _read(plain: bytes, reading: Reading) -> Parsed:
    if _is_json(plain):
        return read_json(plain.removeprefix(BOM), reading)
    if _is_payload(plain):
        return read_payloads(plain.removeprefix(BOM), reading)
    text = _EXCEL_SEPARATOR.sub(b"", plain.removeprefix(BOM).lstrip(b"\r\n"), count=1)
    first = _first_line(text)
    refuse_foreign_text(first, 1)
    if not csv_header(first):
        return read_text(plain, reading)
    return read_csv(text, reading).below(line_ends(plain, len(plain) - len(text)))


def _is_text(plain: bytes) -> bool:
    beginning = plain[:_LOOKED_AT]
    other = plain.startswith((PARQUET_MAGIC, *_UTF16_BOMS)) or b"\0" in beginning  # is looked at by itself
    return not other and not _is_json(plain) and not _is_payload(plain) and csv_header(_first_line(beginning)) is None


def _is_json(plain: bytes) -> bool:
    return plain[:_LOOKED_AT].removeprefix(BOM).lstrip()[:1] in {b"{", b"["}


def _is_payload(plain: bytes) -> bool:
    return plain[:_LOOKED_AT].removeprefix(BOM).lstrip().startswith(_GZIP_IN_BASE64)


def _first_line(text: bytes) -> bytes:
    return text[:_LOOKED_AT].lstrip().split(b"\n", 1)[0].split(b"\r", 1)[0]


def _utf8(plain: bytes) -> bytes:
    return plain.decode("utf-16", "replace").encode("utf-8", "replace") if plain.startswith(_UTF16_BOMS) else plain
