"""What other systems find in the labelled logs, by their published formulas: ``python -m benchmarks.detection_peers``.

Prints one table a log, as `benchmarks/README.md` explains. flowlens's own detectors can be put beside it: they return
frames of findings, and `detection_scores.score_table` takes those.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import flowlens as fl
from benchmarks import detection_formulas as formulas
from benchmarks.detection_rita import rita_beacon, rita_long_connection
from benchmarks.detection_scores import UNIT, Row, markdown, read_truth, score_table
from benchmarks.detection_units import with_outcomes

__all__ = ["EVALUATION", "PEERS", "Log", "logs", "peer_findings", "who_called"]

#: Labelled logs, which are no part of the repository: beside the checkout.
EVALUATION = Path(__file__).resolve().parents[2] / "shared" / "evaluation"


@dataclass(frozen=True)
class Log:
    """One labelled log.

    Attributes
    ----------
    name
        Of the set and the variant.
    records
        The frame of `fl.read`.
    contacts
        `df.flow.conversations()` and how each went, see `detection_units.with_outcomes`.
    truth
        The labels of the set.
    days
        The span of the log.
    """

    name: str
    records: pd.DataFrame
    contacts: pd.DataFrame
    truth: pd.DataFrame
    days: float

    @classmethod
    def read(cls, path: Path) -> Log:
        records = fl.read(path, progress=False)
        first, last = records.flow.window
        return cls(
            name=f"{path.parent.name} {path.name.removeprefix('flows-').removesuffix('.log.gz')}",
            records=records,
            contacts=with_outcomes(records.flow.conversations(), records),
            truth=read_truth(path.parent / "truth.csv"),
            days=(last - first) / pd.Timedelta(days=1),
        )


#: The formulas by name, each a function of a log.
PEERS: Mapping[str, Callable[[Log], pd.DataFrame]] = {
    "RITA v5 beacon": lambda log: rita_beacon(log.contacts).assign(kind="beacon"),
    "RITA v5 long connection": lambda log: rita_long_connection(log.contacts).assign(kind="long_conversation"),
    "Sentinel beaconing": lambda log: formulas.sentinel_beaconing(log.contacts),
    "Zeek address scan": lambda log: formulas.zeek_address_scan(log.contacts),
    "Zeek port scan": lambda log: formulas.zeek_port_scan(log.contacts),
    "TRW, addresses": lambda log: formulas.trw(log.contacts),
    "TRW, addresses and ports": lambda log: formulas.trw(log.contacts, ("responder", "responder_port")),
    "SiLK BLR, TCP": lambda log: formulas.silk_blr(log.contacts),
    "SSHCure band": lambda log: formulas.sshcure_band(log.contacts),
    "Slips vertical scan": lambda log: formulas.slips_vertical(log.contacts),
    "Slips horizontal scan": lambda log: formulas.slips_horizontal(log.contacts),
    "Slips SSH": lambda log: formulas.slips_ssh(log.contacts),
    "Slips long connection": lambda log: formulas.slips_long_connection(log.contacts),
    "Slips upload": lambda log: formulas.slips_upload(log.contacts),
    "Panther port scanning": lambda log: formulas.panther_port_scanning(log.records),
    "Tailpipe, six filters": lambda log: formulas.tailpipe(log.records),
    "MIDAS-R, 10 minutes": lambda log: formulas.midas_r(log.contacts),
}

_COLUMNS = ["peer", "kind", *UNIT, "score", "number"]


def peer_findings(name: str, log: Log) -> pd.DataFrame:
    """Return what a peer finds: `peer, kind`, the unit (missing where not part of it), `score`, `number`, and more."""
    found = PEERS[name](log).assign(peer=name)
    more = [column for column in found if column not in _COLUMNS]
    return found.reindex(columns=[*_COLUMNS, *more]).reset_index(drop=True)


def who_called(log: Log) -> pd.DataFrame:
    """Return the contacts of a log in the names of findings."""
    names = {"initiator": "srcaddr", "responder": "dstaddr", "responder_port": "dstport"}
    return log.contacts[[*names, "protocol"]].rename(columns=names).drop_duplicates()


def logs(folder: Path = EVALUATION, only: str = "") -> Iterator[Log]:
    """Read the labelled logs whose path holds `only`, one after the other."""
    paths = sorted(folder.glob("*/flows-*.log.gz"))
    if not paths:
        raise SystemExit(
            f"There are no labelled logs in {folder}: they are not part of the repository. Put them beside the "
            "checkout as shared/evaluation, or name their folder with --data."
        )
    for path in paths:
        if only in str(path.relative_to(folder)):
            yield Log.read(path)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection_peers", description=__doc__)
    parser.add_argument("--data", type=Path, default=EVALUATION, help="folder of the labelled logs")
    parser.add_argument("--only", default="", help="logs whose path holds this, such as droplet/ or 600s")
    arguments = parser.parse_args()
    for log in logs(arguments.data, arguments.only):
        print(f"## {log.name}: {len(log.records):,} records, {log.days:.2f} days\n")
        print(markdown(_rows(log)), flush=True)
        print()


def _rows(log: Log) -> Iterator[Row]:
    contacts = who_called(log)
    for name in PEERS:
        yield from score_table(name, peer_findings(name, log), log.truth, log.days, contacts)


if __name__ == "__main__":
    main()
