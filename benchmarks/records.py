"""Make flow log files to measure with: default format, gzip, in the folders AWS writes, the same bytes each time."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["flow_log_files", "parquet_of"]

_ACCOUNT = "123456789010"
_REGION = "us-east-1"
_BEGIN = datetime(2023, 11, 14, 22, 15, tzinfo=UTC)
_FILE_SECONDS = 300  # AWS closes a file every five minutes
_HEADER = (
    b"version account-id interface-id srcaddr dstaddr srcport dstport protocol "
    b"packets bytes start end action log-status\n"
)

_INTERFACES = 200
_INSIDE = 2_000
_OUTSIDE = 100_000
_REJECTED = 0.10
_NODATA = 0.002
_OPENED_FROM_INSIDE = 0.7
_REGULAR = 0.5  # of the traffic is between pairs that talk all day
_REGULAR_PAIRS = 20_000

_SERVICES = np.array([443, 80, 22, 53, 3389, 5432, 6379, 8080])
_SERVICE_SHARES = [0.5, 0.2, 0.05, 0.1, 0.05, 0.05, 0.02, 0.03]

#: Part of the folder's name, so that a change of the records makes new files.
_EDITION = 1


def flow_log_files(records: int, files: int, cache: Path | None = None) -> Path:
    """Return a folder with so many records in so many files; it is made where it is not there yet.

    Parameters
    ----------
    records, files
        How many. The first `k` files of a set hold the same records whatever the number of files that follow.
    cache
        The folder to keep the files in; by default ``flowlens-benchmarks`` in ``$TMPDIR``.
    """
    cache = cache or Path(tempfile.gettempdir()) / "flowlens-benchmarks"
    folder = cache / f"{records}-records-in-{files}-files-{_EDITION}"
    if folder.is_dir():
        return folder
    # Made beside its place and renamed at the end: after an interruption there is no half a folder.
    unfinished = folder.with_name(f"{folder.name}.unfinished-{os.getpid()}")
    sizes = [records // files + (number < records % files) for number in range(files)]
    try:
        with ProcessPoolExecutor() as pool:
            list(pool.map(_write_file, [unfinished] * files, range(files), sizes))
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def parquet_of(folder: Path) -> Path:
    """Return a folder with the same records in the Parquet that flowlens writes; made beside the text, once."""
    import flowlens as fl

    parquet = folder.with_name(f"{folder.name}-parquet")
    if not parquet.is_dir():
        unfinished = parquet.with_name(f"{parquet.name}.unfinished-{os.getpid()}")
        try:
            fl.scan(folder).to_parquet(unfinished)
            unfinished.rename(parquet)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return parquet


def _write_file(folder: Path, number: int, records: int) -> None:
    begin = _BEGIN + timedelta(seconds=number * _FILE_SECONDS)
    day = folder / "AWSLogs" / _ACCOUNT / "vpcflowlogs" / _REGION / f"{begin:%Y/%m/%d}"
    day.mkdir(parents=True, exist_ok=True)
    name = f"{_ACCOUNT}_vpcflowlogs_{_REGION}_fl-0123456789abcdef0_{begin:%Y%m%dT%H%MZ}_{number:08x}.log.gz"
    lines = _lines(np.random.default_rng(number), records, int(begin.timestamp()))
    # mtime=0: gzip writes the time of day into its header, and the bytes shall not depend on it.
    (day / name).write_bytes(gzip.compress(_HEADER + lines, compresslevel=6, mtime=0))


def _lines(random: np.random.Generator, records: int, begin: int) -> bytes:
    """Return the lines of one file: requests that are answered, in both directions, and requests that are refused."""
    rejected = round(records * _REJECTED)
    answered = (records - rejected) // 2
    requests = records - answered  # those behind `answered` are the refused ones

    inside, outside = _ends(random, requests)
    regular_inside, regular_outside = _ends(np.random.default_rng(1), _REGULAR_PAIRS)
    regular = np.where(random.random(requests) < _REGULAR, random.integers(0, _REGULAR_PAIRS, requests), -1)
    inside = np.where(regular < 0, inside, regular_inside[regular])
    outside = np.where(regular < 0, outside, regular_outside[regular])
    from_inside = random.random(requests) < _OPENED_FROM_INSIDE
    client_port = random.integers(1024, 65_536, requests)
    service_port = random.choice(_SERVICES, requests, p=_SERVICE_SHARES)
    start = begin + random.integers(0, 240, requests)
    interface = inside % _INTERFACES

    # Addresses as numbers: inside ones first, then those outside.
    here, there = inside, _INSIDE + outside
    source, destination = np.where(from_inside, here, there), np.where(from_inside, there, here)
    protocol = np.where(service_port == 53, 17, 6)

    def with_replies(of_request: np.ndarray, of_reply: np.ndarray) -> np.ndarray:
        return np.concatenate([of_request, of_reply[:answered]])

    place = np.arange(records)
    packets = random.integers(1, 200, records)
    start = with_replies(start, start)
    columns = {
        "interface": with_replies(interface, interface),
        "source": with_replies(source, destination),
        "destination": with_replies(destination, source),
        "source_port": with_replies(client_port, service_port),
        "destination_port": with_replies(service_port, client_port),
        "protocol": with_replies(protocol, protocol),
        "packets": packets,
        "bytes": packets * random.integers(40, 1400, records),
        "start": start,
        "end": start + random.integers(1, 60, records),
        "accepted": (place < answered) | (place >= requests),
    }
    order = np.argsort(columns["end"] + random.integers(0, 20, records), kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    return _text(columns, random.random(records) < _NODATA)


def _ends(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw addresses inside and outside; a few of those outside have most of the traffic, most are seen a few times."""
    return random.integers(0, _INSIDE, count), (random.pareto(0.8, count) * 300).astype(np.int64) % _OUTSIDE


def _text(columns: dict[str, np.ndarray], nodata: np.ndarray) -> bytes:
    interfaces, addresses = _names()

    def traffic(values: pa.Array) -> pa.Array:
        """Write '-' where there is no traffic to tell of."""
        return pc.if_else(pa.array(nodata), "-", values.cast(pa.string()))

    lines = pc.binary_join_element_wise(
        f"2 {_ACCOUNT}",
        interfaces.take(pa.array(columns["interface"])),
        traffic(addresses.take(pa.array(columns["source"]))),
        traffic(addresses.take(pa.array(columns["destination"]))),
        *(traffic(pa.array(columns[name])) for name in ("source_port", "destination_port", "protocol", "packets")),
        traffic(pa.array(columns["bytes"])),
        *(pa.array(columns[name]).cast(pa.string()) for name in ("start", "end")),
        traffic(pc.if_else(pa.array(columns["accepted"]), "ACCEPT", "REJECT")),
        pc.if_else(pa.array(nodata), "NODATA", "OK"),
        " ",
    )
    return "\n".join(lines.to_pylist()).encode() + b"\n"


def _names() -> tuple[pa.Array, pa.Array]:
    """Return the interfaces and the addresses, those inside first; the same in every file."""
    random = np.random.default_rng(0)
    interfaces = [f"eni-{number:017x}" for number in random.integers(1 << 52, 1 << 60, _INTERFACES)]
    inside = [f"10.0.{number // 250}.{number % 250 + 4}" for number in range(_INSIDE)]
    # A first octet from 11: none of them is inside, and none is in 10.0.0.0/8.
    octets = random.integers([11, 0, 0, 1], [224, 256, 256, 255], (_OUTSIDE, 4))
    return pa.array(interfaces), pa.array([*inside, *(".".join(map(str, row)) for row in octets.tolist())])
