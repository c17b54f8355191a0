"""Undo gzip, zstd and bzip2, and give the good part of a stream that is damaged, cut short, or larger than it may be.

What is read from the network or from a colleague may be a bomb: a few megabytes that unpack to all the memory there is.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import zlib as fast_zlib
else:
    try:
        # The same calls, twice as fast. It has no wheels for some rare machines.
        from isal import isal_zlib as fast_zlib
    except ImportError:
        fast_zlib = zlib

__all__ = ["GZIP_MAGIC", "decompress", "most_bytes"]

GZIP_MAGIC = b"\x1f\x8b"
_CODECS = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_GZIP_WINDOW = 31  # zlib's code for "gzip header and trailer, window of 32 KiB"
_STEP = 1 << 20  # bytes
_SALVAGE_STEP = 512  # bytes
_LARGEST_RATIO = 1032  # of deflate: https://zlib.net/zlib_tech.html

# Flow logs shrink to a tenth or a twentieth. AWS closes a file at 75 MB of gzip, about 1 GB of text.
_ORDINARY, _SUSPICIOUS_RATIO, _MOST = 256 << 20, 200, 4 << 30


def most_bytes(stored: int) -> int:
    """Return how many bytes a file may unpack to: what is beyond that is no flow log but a bomb."""
    return min(max(_ORDINARY, _SUSPICIOUS_RATIO * stored), _MOST)


def decompress(data: bytes, *, most: int | None = None) -> tuple[bytes, str | None]:
    """Return the plain bytes and, where the stream is damaged, a sentence that says how.

    What unpacks to more than `most` bytes, by default `most_bytes` of it, is given up to there.

    Compression is recognised from the content. A file may hold several streams one after the other, as concatenated
    files do, and a stream may hold another one: CloudWatch Logs compresses what Firehose compresses again.
    """
    most = most_bytes(len(data)) if most is None else most
    plain, problem = _once(data, most)
    return (plain, problem) if plain is data or problem else _once(plain, most)


def _once(data: bytes, most: int) -> tuple[bytes, str | None]:
    if data.startswith(GZIP_MAGIC):
        plain = _undamaged(data, most)
        return _with_care(data, most) if plain is None else (plain, None)
    codec = next((codec for magic, codec in _CODECS.items() if data.startswith(magic)), None)
    return (data, None) if codec is None else _streamed(data, codec, most)


def _too_large(most: int) -> str:
    return f"the file unpacks to more than {most >> 20:,} MiB, as no flow log of its size does; the rest was not read"


def _undamaged(data: bytes, most: int) -> bytes | None:
    """Decompress a file of one sound member, which nearly every file is, in one step; None where it is not that.

    The last four bytes of a member are its plain size: with them the result is written once, into one place.
    """
    size = int.from_bytes(data[-4:], "little")
    # A size of 0 is more likely the padding after a member, or the time in the header of one that was cut short.
    if not 0 < size <= min(most, _LARGEST_RATIO * len(data)):
        return None
    stream = fast_zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain: bytes = stream.decompress(data, size + 1)
    except fast_zlib.error:
        return None
    return plain if stream.eof and not stream.unused_data else None


def _with_care(data: bytes, most: int) -> tuple[bytes, str | None]:
    members: list[bytes] = []
    room = most
    while data.startswith(GZIP_MAGIC):
        member, data, problem = _member(data, room)
        members.append(member)
        room -= len(member)
        if room < 0:
            problem = _too_large(most)
        if problem:
            break
        # gzip allows zero bytes of padding between and after members
        data = data.lstrip(b"\0")
    else:
        problem = "bytes that are not gzip follow the gzip stream" if data else None
    return (members[0] if len(members) == 1 else b"".join(members)), problem


def _member(data: bytes, room: int) -> tuple[bytes, bytes, str | None]:
    """Return one member's plain bytes, what follows it, and what is wrong with it.

    A member that has no room gives one byte more than there is room for.
    """
    stream = fast_zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(data, room + 1)
    except fast_zlib.error:
        return _salvage(data), b"", "the gzip stream is damaged here; what comes after it cannot be read"
    if len(plain) > room:
        return plain, b"", None
    if not stream.eof:
        return _salvage(data), b"", "the gzip stream ends too early: the file is truncated"
    return plain, stream.unused_data, None


def _salvage(data: bytes) -> bytes:
    """Return what can be decompressed before the damage: in ever smaller steps, since a failed step gives nothing.

    Not the fast way: of a stream that breaks off it keeps the last byte back, which may be the end of a good line.
    """
    sound, good = 0, bytearray()
    for step in (_STEP, _SALVAGE_STEP, 1):
        stream = zlib.decompressobj(_GZIP_WINDOW)
        good = bytearray(stream.decompress(data[:sound]))
        try:
            while sound < len(data):
                good += stream.decompress(data[sound : sound + step])
                sound += step
        except zlib.error:
            continue
        break
    return bytes(good)


def _streamed(data: bytes, codec: str, most: int) -> tuple[bytes, str | None]:
    """Decompress with Arrow's codecs, which read streams one after the other."""
    good, problem = bytearray(), ""
    for step in (_STEP, _SALVAGE_STEP, 1):
        stream = pa.CompressedInputStream(pa.BufferReader(data), codec)
        good = bytearray(stream.read(len(good)))
        try:
            while len(good) <= most:
                part = stream.read(step)
                if not part:
                    return bytes(good), None
                good += part
        except OSError as error:
            how = "ends too early: the file is truncated" if "runcated" in str(error) else "is damaged here"
            problem = f"the {codec} stream {how}; what comes after it cannot be read"
        else:
            return bytes(good[:most]), _too_large(most)
    return bytes(good), problem
