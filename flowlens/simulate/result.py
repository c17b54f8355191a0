"""The outcome of a simulation, in memory and as the files AWS would deliver."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from flowlens.simulate.network import Refused
from flowlens.simulate.world import World

__all__ = ["Record", "Simulation"]

_SLOT = 300  # seconds; AWS delivers to S3 every five minutes


class Record(NamedTuple):
    """One line, and the second (Unix time) at which its record ends: the delivery slot follows from it."""

    end: int
    line: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Simulation:
    """Flow log records of a simulated VPC, with the truth behind them.

    Attributes
    ----------
    world : World
        What was played.
    fields : tuple of str
        AWS names of the fields of a record, in order.
    lines : tuple of Record
        The records as text, in the order of delivery.
    truth : DataFrame
        One row per conversation. ``blocked_by`` is the first filter that refused a packet of it (SG_IN, SG_OUT,
        NACL_IN, NACL_OUT, seen from the filter; missing when none did), ``blocked_at`` the interface of that security
        group or the subnet of that network ACL, ``interface_id`` the interface whose records say REJECT,
        ``rule_number`` the deciding entry of the network ACL. ``cause`` is ``rules``, or, where a security group no
        longer knew the connection, ``expired`` or ``closed``. ``label`` is missing for ordinary traffic.
    refusals : tuple of Refused
        Every refusal, also those after the first of a conversation: which filter refused its packets, when and where.
    topology : dict
        The documents that ``aws ec2 describe-*`` would print, by name: ``network-interfaces``, ``subnets``, ...
    """

    world: World
    fields: tuple[str, ...]
    lines: tuple[Record, ...]
    truth: pd.DataFrame
    refusals: tuple[Refused, ...]
    topology: dict[str, dict[str, Any]]

    def __repr__(self) -> str:
        return f"<Simulation: {len(self.lines):,} records of {len(self.truth):,} conversations>"

    @property
    def text(self) -> str:
        """The records as one text with a header line, as in a file that AWS delivers."""
        return _text(self.fields, self.lines)

    @cached_property
    def records(self) -> pd.DataFrame:
        """The records as the typed frame that `fl.read` gives."""
        # Reading needs more of the library than simulating does.
        from flowlens.load import read

        return read(BytesIO(self.text.encode()))

    def write(self, folder: str | Path) -> Path:
        """Write the records as AWS delivers them to S3, the describe-* documents and the truth; return the folder.

        Parameters
        ----------
        folder : path
            Receives ``AWSLogs/...``, ``describe/describe-*.json`` and ``truth.csv``. Made where it does not exist;
            files of the same names are replaced.

        Examples
        --------
        >>> import tempfile
        >>> from flowlens.simulate import simulate
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(path.name for path in simulate(hours=0.1).write(folder).iterdir())
        ['AWSLogs', 'describe', 'truth.csv']
        """
        target = Path(folder)
        for slot, group in groupby(self.lines, key=lambda record: record.end // _SLOT):
            self._write_slot(target, slot * _SLOT, tuple(group))
        described = target / "describe"
        described.mkdir(parents=True, exist_ok=True)
        for name, document in self.topology.items():
            path = described / f"describe-{name}.json"
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8", newline="\n")
        with (target / "truth.csv").open("w", encoding="utf-8", newline="") as file:
            self.truth.to_csv(file, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")
        return target

    def _write_slot(self, target: Path, slot: int, lines: tuple[Record, ...]) -> None:
        # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3.html: the time in the name is that of the slot,
        # and a record is in the slot in which it ends.
        time = datetime.fromtimestamp(slot, UTC)
        account, region = self.world.account, self.world.region
        folder = target / f"AWSLogs/{account}/vpcflowlogs/{region}/{time:%Y/%m/%d}"
        text = _text(self.fields, lines).encode()
        name = (
            f"{account}_vpcflowlogs_{region}_{self.world.flow_log}_{time:%Y%m%dT%H%MZ}_{sha256(text).hexdigest()[:8]}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        # No time and no name in the gzip header: the same records give the same bytes.
        with (
            (folder / f"{name}.log.gz").open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as file,
        ):
            file.write(text)


def _text(fields: tuple[str, ...], lines: tuple[Record, ...]) -> str:
    return "\n".join([" ".join(fields), *(record.line for record in lines), ""])
