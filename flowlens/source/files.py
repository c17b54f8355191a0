"""Find the files that a user means by a path, a glob, a folder, a list of those or an open file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from flowlens.errors import FlowlensError

__all__ = ["InputFile", "Source", "find"]

Source = str | os.PathLike[str] | IO[bytes] | Iterable[str | os.PathLike[str] | IO[bytes]]


@runtime_checkable
class _Readable(Protocol):
    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read: its name for messages, its size in bytes as stored, and where its bytes are."""

    name: str
    size: int
    content: Path | bytes

    def read(self) -> bytes:
        """Return the bytes as stored, compressed or not."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    def open(self) -> IO[bytes]:
        """Return the bytes as stored to be read piece by piece."""
        return self.content.open("rb") if isinstance(self.content, Path) else BytesIO(self.content)


def find(source: Source) -> list[InputFile]:
    """Return the files behind `source`, in the order given, folders and globs sorted by name.

    A file that is reached in several ways, by links or because it is named beside its folder, is one file.
    """
    files: dict[object, InputFile] = {}
    for path in _named(source):
        if isinstance(path, Path):
            status = path.stat()
            files.setdefault((status.st_dev, status.st_ino), InputFile(str(path), status.st_size, path.absolute()))
        else:
            files[len(files)] = _open_file(path)
    return list(files.values())


def _named(source: object) -> Iterator[Path | _Readable]:
    if isinstance(source, str | os.PathLike):
        yield from _paths(os.fspath(source))
    elif isinstance(source, _Readable):
        yield source
    elif isinstance(source, bytes | bytearray | memoryview):
        raise TypeError("bytes are read from an open file: fl.read(io.BytesIO(data))")
    elif isinstance(source, Iterable) and not hasattr(source, "columns"):
        parts = list(source)
        if not parts:
            raise FileNotFoundError("the list of files to read is empty")
        for part in parts:
            yield from _named(part)
    else:
        frame = "; a frame of records is made canonical by fl.from_frame(df)" if hasattr(source, "columns") else ""
        raise TypeError(
            f"cannot read flow logs from a {type(source).__name__}; give a path, a list of paths or an open file{frame}"
        )


def _open_file(file: _Readable) -> InputFile:
    content = file.read()
    name = str(getattr(file, "name", "<open file>"))
    if isinstance(content, str):
        raise TypeError(f"{name} is open as text; open it as binary: open({name!r}, 'rb')")
    return InputFile(name, len(content), content)


def _paths(source: str) -> list[Path]:
    if "\n" in source:
        raise FileNotFoundError(
            "this text is no path; records in a text are read with fl.read(io.BytesIO(text.encode()))"
        )
    if "://" in source:
        how = f"aws s3 sync {source} logs/" if source.startswith("s3:") else f"curl --remote-name {source}"
        raise FlowlensError(
            f"{source}: URLs cannot be read yet. Copy the files first, as with '{how}', and read those."
        )
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(_below(path, set()))
        if not found:
            raise FileNotFoundError(f"there is no file below the folder {source}")
        return found
    # The recursive flag makes '**' cross folders, as in a shell with globstar.
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    found = [match for match in matches if match.is_file()]
    if not found:
        raise FileNotFoundError(f"no file matches {source} (working folder: {Path.cwd()})")
    return found


def _below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the data files below a folder, without bookkeeping.

    That is names that begin with '.' or '_', as for Spark and Hive, and what CloudWatch Logs writes to see whether it
    may export. A link to a folder that was `seen` leads around in a circle.
    """
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in folder.iterdir():
        if entry.name.startswith((".", "_")) or entry.name == "aws-logs-write-test":
            continue
        if entry.name.endswith(".csv.metadata"):  # which Athena writes beside each result
            continue
        if entry.is_dir():
            yield from _below(entry, seen)
        elif entry.is_file():
            yield entry
