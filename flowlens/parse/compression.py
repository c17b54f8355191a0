"""Undo gzip, and give the good part of a stream that is damaged or cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zlib
else:
    try:
        # The same calls, twice as fast. It has no wheels for some rare machines.
        from isal import isal_zlib as zlib
    except ImportError:
        import zlib

__all__ = ["MAX_BYTES", "decompress"]

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's code for "gzip header and trailer, window of 32 KiB"
_SALVAGE_STEP = 512  # bytes
_LARGEST_RATIO = 1032  # of deflate: https://zlib.net/zlib_tech.html

#: AWS closes a file at 75 MB of gzip, about 1 GB of text. Four times that is no flow log but a bomb.
MAX_BYTES = 4 << 30


def decompress(data: bytes) -> tuple[bytes, str | None]:
    """Return the plain bytes and, where the stream is damaged, a sentence that says how.

    Compression is recognised from the content. A gzip file may hold several members one after the other, as
    concatenated files do.
    """
    if not data.startswith(GZIP_MAGIC):
        return data, None
    plain = _undamaged(data)
    return _with_care(data) if plain is None else (plain, None)


def _undamaged(data: bytes) -> bytes | None:
    """Decompress a file of one sound member, which nearly every file is, in one step; None where it is not that.

    The last four bytes of a member are its plain size: with them the result is written once, into one place.
    """
    size = int.from_bytes(data[-4:], "little")
    # A size of 0 is more likely the padding after a member, or the time in the header of one that was cut short.
    if not 0 < size <= min(MAX_BYTES, _LARGEST_RATIO * len(data)):
        return None
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain: bytes = stream.decompress(data, size + 1)
    except zlib.error:
        return None
    return plain if stream.eof and not stream.unused_data else None


def _with_care(data: bytes) -> tuple[bytes, str | None]:
    members: list[bytes] = []
    room = MAX_BYTES
    while data.startswith(GZIP_MAGIC):
        member, data, problem = _member(data, room)
        members.append(member)
        room -= len(member)
        if problem:
            break
        # gzip allows zero bytes of padding between and after members
        data = data.lstrip(b"\0")
    else:
        problem = "bytes that are not gzip follow the gzip stream" if data else None
    return (members[0] if len(members) == 1 else b"".join(members)), problem


def _member(data: bytes, room: int) -> tuple[bytes, bytes, str | None]:
    """Return one member's plain bytes, what follows it, and what is wrong with it."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(data, room)
    except zlib.error:
        return _salvage(data), b"", "the gzip stream is damaged here; what comes after it cannot be read"
    if stream.unconsumed_tail:
        return plain, b"", f"the file decompresses to more than {MAX_BYTES >> 30} GiB; the rest was not read"
    if not stream.eof:
        return plain, b"", "the gzip stream ends too early: the file is truncated"
    return plain, stream.unused_data, None


def _salvage(data: bytes) -> bytes:
    """Return what can be decompressed before the damage: in small steps, since a failed step gives nothing."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    good = bytearray()
    try:
        for begin in range(0, len(data), _SALVAGE_STEP):
            good += stream.decompress(data[begin : begin + _SALVAGE_STEP])
    except zlib.error:
        pass
    return bytes(good)
