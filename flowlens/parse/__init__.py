"""Bytes to Arrow tables: recognise the envelope from the content, find the layout, parse, account for every bad line.

A new envelope is one more file here that turns bytes into `Parsed`, and one more line in `parse`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowlens.errors import BadLine
from flowlens.parse.compression import decompress
from flowlens.parse.layout import DEFAULT, Fields, Layout, layout_of
from flowlens.parse.parquet import PARQUET_MAGIC, read_parquet
from flowlens.parse.reading import Parsed, Reading, RefusedError
from flowlens.parse.text import read_text, read_together

__all__ = ["DEFAULT", "Fields", "Layout", "Parsed", "Reading", "RefusedError", "layout_of", "parse", "parse_together"]

_LOOKED_AT = 4096  # bytes: enough to tell text from anything else


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
    _refuse_what_is_no_log(plain[:_LOOKED_AT], reading)
    return read_text(plain, reading) if damage is None else _read_damaged(plain, damage, reading)


def _read_damaged(plain: bytes, damage: str, reading: Reading) -> Parsed:
    # The last line may be cut anywhere, even inside a number: only whole lines are believed.
    whole = plain.rfind(b"\n") + 1
    parsed = read_text(plain[:whole], reading)
    cut = plain[whole:].decode("utf-8", "replace")
    parsed.bad_lines.append(BadLine(reading.file, plain.count(b"\n") + 1, cut, damage))
    return parsed


def parse_together(files: Sequence[bytes], reading: Reading) -> Parsed | None:
    """Read small text files as one; None where that cannot be done, and each has to be read by itself."""
    texts = []
    for data in files:
        plain, damage = decompress(data)
        if damage or plain.startswith(PARQUET_MAGIC) or b"\0" in plain[:_LOOKED_AT]:
            return None
        texts.append(plain)
    return read_together(texts, reading)


def _refuse_what_is_no_log(beginning: bytes, reading: Reading) -> None:
    text = beginning[:80].decode("utf-8", "replace")
    if b"\0" in beginning:
        raise RefusedError(1, text, "this is no flow log: the file is neither text, gzip of text, nor Parquet")
    if reading.layout is None and beginning.lstrip()[:1] in {b"{", b"["}:
        raise RefusedError(1, text, "this is JSON; flowlens reads flow logs as text and as Parquet")
