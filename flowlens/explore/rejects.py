"""Which filter refused it, and what would open the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flowlens.cards.markup import Markup, table
from flowlens.explore.judged import JudgedExplorer
from flowlens.explore.matrix import Crossed, MatrixPanel
from flowlens.explore.over_time import TimePanel
from flowlens.explore.panels import Panel, Picks
from flowlens.explore.words import clock, in_types
from flowlens.selection import Selection
from flowlens.service import protocol_name

if TYPE_CHECKING:
    import ipywidgets as widgets

    from flowlens.accessor import FlowAccessor
    from flowlens.topology import Topology

__all__ = ["RejectsExplorer"]

_MOST_RECORDS = 12


class RejectsExplorer(JudgedExplorer):
    """Refused conversations over time, by verdict and by pair, and each with its evidence and its fix."""

    name, noun = "rejects", "refused conversations"
    _records_of = "the refused records that the verdicts are about"

    def __init__(
        self, flow: FlowAccessor, df: pd.DataFrame, topology: Topology | None, start: Selection | None
    ) -> None:
        """Take the records, the rules where they are known, and the filter to begin with."""
        self._topology = topology
        rules = "" if topology is None else "topology=topology, "
        super().__init__(flow, df, f"df.flow.diagnose({rules}scope='all')", start)

    def _found(self, flow: FlowAccessor) -> pd.DataFrame:
        return flow.diagnose(topology=self._topology, scope="all")  # one by one: the panels sum up themselves

    def _measures(self) -> dict[str, str | None]:
        return {"attempts": "attempts", "packets": "packets", "conversations": None}

    def _make_panels(self) -> Sequence[Panel[Any]]:
        cross = self._cross
        certainties = cross.categories("certainty")
        return [
            TimePanel(cross, self._choose, certainties, "certainty", self._looks),
            self._bars(cross.categories("verdict"), "Verdicts", Picks.of("verdict")),
            MatrixPanel(cross, self._choose, self._pairs(), title="From (rows) to (columns)", looks=self._looks),
        ]

    def _pairs(self) -> Crossed:
        found = self._table
        ports = found["dstport"].astype("Int64").astype(str).where(found["dstport"].notna(), "")
        targets = found["dstaddr"].astype(object).where(found["dstaddr"].notna()) + ":" + ports
        services = pd.Categorical(targets.where(targets.isna() | ~targets.str.endswith(":"), targets.str[:-1]))
        rows = self._cross.categories("srcaddr")
        columns = self._cross.coded(lambda: (services.codes, services.categories))

        def clauses(row: str, column: str) -> dict[str, Any]:
            address, _, port = column.rpartition(":") if column in _with_port else (column, "", "")
            return {"src": row, "dst": address, "dst_port": port or None}

        _with_port = set(targets[found["dstport"].notna() & targets.notna()])

        def picked(selection: Selection) -> tuple[str, str] | None:
            sides = [selection.clauses.get(name, ()) for name in ("src", "dst", "dst_port")]
            if [len(side) for side in sides] not in ([1, 1, 1], [1, 1, 0]):
                return None
            return sides[0][0], ":".join([sides[1][0], *map(str, sides[2])])

        return Crossed(
            rows=rows, columns=columns, clauses=clauses, names=picked, own=frozenset({"src", "dst", "dst_port"})
        )

    def _arranged(self) -> Sequence[widgets.Widget]:
        time, verdicts, pairs = self._panels
        return [
            time.widget,
            self._looks.row([verdicts.widget, pairs.widget]),
            self._copy,
            self._listed,
            self._list,
            self._detail,
        ]

    def _ordered(self, found: pd.DataFrame) -> pd.DataFrame:
        return found.sort_values(["attempts", "packets"], ascending=False, kind="stable")

    def _label(self, row: pd.Series) -> str:
        source = "many" if pd.isna(row["srcaddr"]) else row["srcaddr"]
        target = "many" if pd.isna(row["dstaddr"]) else row["dstaddr"]
        port = "" if pd.isna(row["dstport"]) else f":{row['dstport']}"
        return f"{source} to {target}{port} · {row['verdict']} · {row['certainty']} · {row['attempts']:,} attempts"

    @property
    def records(self) -> pd.DataFrame:
        """The records behind the verdict that is shown."""
        row = self._shown_row()
        return self._df[self._df.index.isin([] if row is None else list(row["records"]))]

    def _evidence(self, row: pd.Series) -> Markup:
        """Write the records behind a verdict, those of the refused direction beside those of the other one."""
        records = in_types(self.records)
        back = np.zeros(len(records), bool)
        if not pd.isna(row["srcaddr"]):
            back = records["srcaddr"].ne(row["srcaddr"]).to_numpy(bool, na_value=True)
        lines = list(zip_longest(self._lines(records[~back]), self._lines(records[back]), fillvalue=""))
        counts = f"{np.count_nonzero(~back):,} records beside {np.count_nonzero(back):,}"
        caption = f"The refused direction beside the other one: {counts}, {self._view.zone}"
        return table(caption, lines, head=["refused direction", "other direction"])

    def _lines(self, records: pd.DataFrame) -> list[str]:
        ordered = records.sort_values("start", kind="stable") if len(records) else records
        return [self._line(record) for _, record in ordered.head(_MOST_RECORDS).iterrows()]

    def _line(self, record: pd.Series) -> str:
        ends = "to".join(f" {record[f'{end}addr']}:{record[f'{end}port']} " for end in ("src", "dst"))
        protocol = "" if pd.isna(record["protocol"]) else protocol_name(int(record["protocol"]))
        return (
            f"{clock(record['start'], self._view.zone)} {record['action']}{ends}{protocol} "
            f"{record['packets']} packets, {record['interface_id']}"
        )
