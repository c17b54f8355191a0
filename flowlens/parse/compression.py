"""Undo gzip, zstd and bzip2, and give the good part of a stream that is damaged, cut short, or larger than it may be.

What is read from the network or from a colleague may be a bomb: a few megabytes that unpack to all the memory there is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import zlib as fast_zlib
else:
    try:
        # The same calls, twice as fast. It has no wheels for some rare machines.
        from isal import isal_zlib as fast_zlib
    except ImportError:
        fast_zlib = zlib

__all__ = ["GZIP_MAGIC", "DamagedError", "decompress", "is_compressed", "most_bytes", "suspicious_bytes", "unpack"]

GZIP_MAGIC = b"\x1f\x8b"
_CODECS = {GZIP_MAGIC: "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_LONGEST_MAGIC = 4  # bytes
_GZIP_WINDOW = 31  # zlib's code for "gzip header and trailer, window of 32 KiB"
_STEP = 1 << 20  # bytes
_SALVAGE_STEP = 512  # bytes
_MOST_AT_ONCE = 16 << 20  # bytes that a step may unpack to
_LARGEST_RATIO = 1032  # of deflate: https://zlib.net/zlib_tech.html

_GZIP_DAMAGED = "the gzip stream is damaged here; what comes after it cannot be read"
_GZIP_CUT = "the gzip stream ends too early: the file is truncated"
_NO_GZIP = "bytes that are not gzip follow the gzip stream"

# Flow logs shrink to a tenth or a twentieth. AWS closes a file at 75 MB of gzip, about 1 GB of text.
_ORDINARY, _SUSPICIOUS_RATIO, _MOST = 256 << 20, 200, 4 << 30


def suspicious_bytes(stored: int) -> int:
    """Return how many bytes a file may unpack to: what is beyond that is no flow log but a bomb."""
    return max(_ORDINARY, _SUSPICIOUS_RATIO * stored)


def most_bytes(stored: int) -> int:
    """Return how many bytes a file that is held whole may unpack to."""
    return min(suspicious_bytes(stored), _MOST)


class DamagedError(Exception):
    """A stream cannot be decompressed any further; the text says why."""


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
    codec = _codec(data)
    if codec == "gzip":
        plain = _undamaged(data, most)
        return _with_care(data, most) if plain is None else (plain, None)
    return (data, None) if codec is None else _streamed(data, codec, most)


def is_compressed(data: bytes) -> bool:
    """Tell whether bytes begin as a compressed stream does."""
    return _codec(data) is not None


def _codec(data: bytes) -> str | None:
    return next((codec for magic, codec in _CODECS.items() if data.startswith(magic)), None)


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
        problem = _NO_GZIP if data else None
    return (members[0] if len(members) == 1 else b"".join(members)), problem


def _member(data: bytes, room: int) -> tuple[bytes, bytes, str | None]:
    """Return one member's plain bytes, what follows it, and what is wrong with it.

    A member that has no room gives one byte more than there is room for.
    """
    stream = fast_zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(data, room + 1)
    except fast_zlib.error:
        return _salvage(data), b"", _GZIP_DAMAGED
    if len(plain) > room:
        return plain, b"", None
    if not stream.eof:
        return _salvage(data), b"", _GZIP_CUT
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


def _how(codec: str, error: OSError) -> str:
    how = "ends too early: the file is truncated" if "runcated" in str(error) else "is damaged here"
    return f"the {codec} stream {how}; what comes after it cannot be read"


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
            problem = _how(codec, error)
        else:
            return bytes(good[:most]), _too_large(most)
    return bytes(good), problem


def unpack(open_file: Callable[[], IO[bytes]], stored: int) -> Iterator[bytes]:
    """Yield the plain bytes of a file that is too large to hold, some megabytes at a time.

    Raises
    ------
    DamagedError
        Behind everything that can be decompressed, where the stream is damaged, cut short or suspiciously large.
    """
    given, sound, problem = 0, 0, ""
    # A step that fails gives nothing, so the way is gone again, in smaller steps from where it failed.
    for step in (_STEP, _SALVAGE_STEP, 1):
        with open_file() as file:
            passed = 0
            try:
                for part in _parts(file, sound, step):
                    passed += len(part)
                    if passed > given:
                        yield part[max(0, len(part) + given - passed) :]
                        given = passed
                    if given > suspicious_bytes(stored):
                        raise DamagedError(_too_large(given))
            except _StoppedError as stopped:
                sound, problem = stopped.place, str(stopped)
            else:
                return
    raise DamagedError(problem)


class _StoppedError(Exception):
    """A step failed; all steps up to the place gave what they could."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place


def _parts(file: IO[bytes], sound: int, step: int) -> Iterator[bytes]:
    """Yield what a file unpacks to, from a place that is known to be reached on in steps of that size."""
    codec = _codec(file.read(_LONGEST_MAGIC))
    file.seek(0)
    if codec == "gzip":
        yield from _gzip_parts(file, sound, step)
    else:
        stream = file if codec is None else pa.CompressedInputStream(file, codec)
        yield from _other_parts(stream, codec or "", sound, step)


def _gzip_parts(file: IO[bytes], sound: int, step: int) -> Iterator[bytes]:
    # Of a stream that breaks off the fast way keeps the last byte back: what is gone over again, is with care.
    codec = fast_zlib if step == _STEP else zlib
    stream, place = None, 0
    while stored := file.read(min(_STEP, sound - place) if place < sound else step):
        rest = stored
        while rest:
            if stream is None:
                rest = rest.lstrip(b"\0")  # gzip allows zero bytes of padding between and after members
                if not rest:
                    break
                if not GZIP_MAGIC.startswith(rest[: len(GZIP_MAGIC)]):
                    raise DamagedError(_NO_GZIP)
                stream = codec.decompressobj(_GZIP_WINDOW)
            try:
                part = stream.decompress(rest, _MOST_AT_ONCE)
            except codec.error as error:
                raise _StoppedError(place, _GZIP_DAMAGED) from error
            yield part
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            stream = None if stream.eof else stream
        place += len(stored)
    if stream is not None:
        raise _StoppedError(place, _GZIP_CUT)


def _other_parts(stream: IO[bytes], codec: str, sound: int, step: int) -> Iterator[bytes]:
    place = 0
    while True:
        try:
            part = stream.read(min(_STEP, sound - place) if place < sound else step)
        except OSError as error:
            raise _StoppedError(place, _how(codec, error)) from error
        if not part:
            return
        yield part
        place += len(part)
