"""Files to tables of records, in their order, on all cores, never much more than is being parsed in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from queue import Full, Queue
from threading import Event
from typing import IO, TYPE_CHECKING, NoReturn

from flowlens.errors import BadLine
from flowlens.parse import Parsed, Reading, RefusedError, parse, parse_in_pieces, parse_together
from flowlens.source import InputFile

if TYPE_CHECKING:
    from tqdm.auto import tqdm

__all__ = ["bar", "parsed_files"]

_BATCH_BYTES = 1 << 20  # stored bytes of small files that are read as one
_LARGE_BYTES = 8 << 20  # stored bytes of a file that is read in pieces: about 100 MB of text where it is compressed
_PIECES_AHEAD = 2  # of one batch that wait for their turn
_NOTICED_AFTER = 0.1  # seconds
_PROGRESS_AFTER = 2.0  # seconds: shorter work needs no bar


def parsed_files(
    files: Sequence[InputFile], reading: Reading, progress: bool | None
) -> Generator[tuple[Parsed, float]]:
    """Parse files on all cores and yield what they hold in their order, with the share of all bytes read so far.

    Decompression and parsing both run outside Python's global lock. Work is begun only a little ahead of what is taken,
    so that a slow taker does not fill the memory.
    """
    cores = os.cpu_count() or 1
    batches = _batches(files)
    reading = replace(reading, threads=len(batches) < cores)
    stop = Event()
    pool = ThreadPoolExecutor(cores)
    total, before = sum(file.size for file in files), 0
    try:
        with bar(total, "B", progress) as shown:
            for work in _ahead((_Work(batch, reading, stop) for batch in batches), pool, 2 * cores):
                read = 0
                for parsed, place in work:
                    done = before + place
                    yield parsed, min(done / total, 1.0) if done else 1.0
                    shown.update(place - read)
                    read = place
                before += read
    finally:
        # After an interruption, files not begun yet are not begun any more.
        stop.set()
        pool.shutdown(cancel_futures=True)


def _ahead(works: Iterable[_Work], pool: ThreadPoolExecutor, most: int) -> Iterator[_Work]:
    """Begin so much work ahead of what is taken, and yield it in its order."""
    begun: deque[_Work] = deque()
    for work in works:
        pool.submit(work.do)
        begun.append(work)
        if len(begun) > most:
            yield begun.popleft()
    yield from begun


def _batches(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Group neighbouring small files: AWS delivers one every five minutes, often of a few kilobytes."""
    batches: list[list[InputFile]] = []
    room = 0
    for file in files:
        if not batches or file.size > room:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(file)
        room -= file.size
    return batches


class _Work:
    """The files of one batch, parsed by one thread and taken by another: a few pieces wait between them."""

    def __init__(self, files: list[InputFile], reading: Reading, stop: Event) -> None:
        self._files, self._reading, self._stop = files, reading, stop
        self._done: Queue[tuple[Parsed, int] | Exception | None] = Queue(_PIECES_AHEAD)

    def do(self) -> None:
        try:
            for piece in _parse_batch(self._files, self._reading):
                if not self._put(piece):
                    return
        except Exception as error:  # belongs to who takes
            self._put(error)
        else:
            self._put(None)

    def _put(self, item: tuple[Parsed, int] | Exception | None) -> bool:
        """Wait until there is room; False where nobody takes any more."""
        while not self._stop.is_set():
            with suppress(Full):
                self._done.put(item, timeout=_NOTICED_AFTER)
                return True
        return False

    def __iter__(self) -> Iterator[tuple[Parsed, int]]:
        """Yield what was parsed, and how many stored bytes of the batch that took."""
        while (item := self._done.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


def _parse_batch(files: Sequence[InputFile], reading: Reading) -> Iterator[tuple[Parsed, int]]:
    if len(files) > 1:
        with suppress(OSError):  # one of them cannot be opened
            together = parse_together([file.read() for file in files], reading)
            if together is not None:
                yield together, sum(file.size for file in files)
                return
    before = 0
    for file in files:
        for parsed, place in _parse_file(file, replace(reading, file=file.name)):
            yield parsed, before + place
        before += file.size


def _parse_file(file: InputFile, reading: Reading) -> Iterator[tuple[Parsed, int]]:
    try:
        if file.size < _LARGE_BYTES:
            yield parse(file.read(), reading), file.size
        else:
            yield from _parse_large_file(file, replace(reading, threads=True))
    except RefusedError as refused:
        yield Parsed([], [BadLine(file.name, refused.line, refused.text, refused.reason)]), file.size
    except OSError as error:
        problem = f"the file cannot be opened: {error.strerror or error}"
        yield Parsed([], [BadLine(file.name, 1, "", problem)]), file.size


def _parse_large_file(file: InputFile, reading: Reading) -> Iterator[tuple[Parsed, int]]:
    opened: list[IO[bytes]] = []

    def open_file() -> IO[bytes]:
        opened.append(file.open())
        return opened[-1]

    for parsed in parse_in_pieces(open_file, file.size, reading):
        yield parsed, file.size if opened[-1].closed else opened[-1].tell()


def bar(total: int, unit: str, progress: bool | None) -> tqdm[NoReturn]:
    """Return a bar of progress, which shows itself when work is long, or as the user asked."""
    from tqdm.auto import tqdm
    from tqdm.std import tqdm as terminal

    # tqdm hides itself where there is no terminal; its notebook bar cannot tell, and is wanted there.
    hidden = None if progress is None and tqdm.__mro__[1] is terminal else progress is False
    return tqdm(
        total=total,
        unit=unit,
        unit_scale=True,
        desc="reading",
        disable=hidden,
        delay=0 if progress else _PROGRESS_AFTER,
        leave=False,
    )
