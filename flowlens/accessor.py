"""``df.flow``: the analyses on a pandas frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.analyses import Analyses
from flowlens.columns import need_addresses, typed
from flowlens.enriching import Enriching
from flowlens.narrowing import Narrowing
from flowlens.selection import Selection

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from flowlens.engine import Ground, GroundOfFrame, ReductionOfGround
    from flowlens.enrich.scopes import Internal
    from flowlens.enrichment import Enrichment
    from flowlens.explore import Explore
    from flowlens.topology import Topology

__all__ = ["FlowAccessor"]


class FlowAccessor(Analyses, Narrowing[pd.DataFrame], Enriching[pd.DataFrame]):
    """Analyses of a frame of flow log records: ``df.flow``.

    Every method returns a new frame; the frame itself is never changed. pandas makes a new accessor at each access, so
    this one keeps nothing but the frame. Who asks the detectors again and again lends them a ground to stand on.
    """

    def __init__(self, df: pd.DataFrame, ground: GroundOfFrame | None = None) -> None:
        # This runs for every Tab and dir() on any frame: compare names, nothing else.
        need_addresses(
            df.columns,
            "df.flow",
            "this frame",
            "Read flow logs with flowlens.read(...), or rename the columns: "
            "df.rename(columns={'source': 'srcaddr', ...}).",
        )
        self._df, self._ground = df, ground

    def __repr__(self) -> str:
        return f"<flow log records: {len(self._df):,}, {len(self.fields)} fields>"

    @property
    def explore(self) -> Explore:
        """Explorers: ``df.flow.explore()`` for the traffic, and one for each other question.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.explore(filter=fl.Selection(action="REJECT"))
        <traffic explorer: 5,144 of 79,072 flows · 512 kB of 27.7 GB · 2026-03-10 00:00 to 23:59:59 UTC>
        """
        from flowlens.explore import Explore

        return Explore(self, self._df)

    # DuckDB, which runs these, lacks no function, so no error has to name the verb.
    def _reduce(self, verb: str, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:  # noqa: ARG002
        from flowlens.engine import flows_of_frame, run

        return run(reduction(flows_of_frame(self._df)), self._df)

    def _judged(self, reduction: Callable[[ir.Table], ir.Table]) -> pd.DataFrame:
        from flowlens.engine import flows_of_frame, run_categorical

        return run_categorical(reduction(flows_of_frame(self._df)), self._df)

    def _own_addresses(self, verb: str, internal: Internal | None, topology: Topology | None) -> set[str]:
        return self._own(verb, self._owned(verb, internal, topology))

    def _on_ground(
        self,
        verb: str,  # noqa: ARG002 - as for `_reduce`
        ground: Ground,
        reductions: Mapping[str, ReductionOfGround],
    ) -> dict[str, pd.DataFrame]:
        from flowlens.engine import GroundOfFrame

        if self._ground is not None:
            return self._ground.run(ground, reductions)
        with closing(GroundOfFrame(self._df)) as of_its_own:
            return of_its_own.run(ground, reductions)

    def _directed(self, topology: Topology | None) -> FlowAccessor:
        from flowlens.reduce.rejects import PLACE

        numbered = self._df.assign(**{PLACE: np.arange(len(self._df))})
        return FlowAccessor(FlowAccessor(numbered)._with(self._way("diagnose", topology)))

    def _exchange(self, a: str, b: str) -> FlowAccessor:
        # Behind gateways the real ends stand in the packet only.
        ends = [("srcaddr", "dstaddr"), ("pkt_srcaddr", "pkt_dstaddr")]
        logged = [[typed(self._df, end) for end in pair] for pair in ends if {*pair} <= {*self._df.columns}]
        ways = [(src == one) & (dst == other) for src, dst in logged for one, other in ((a, b), (b, a))]
        return FlowAccessor(self._df[np.logical_or.reduce([way.fillna(False).to_numpy(bool) for way in ways])])

    def _labels(self) -> pd.Index:
        return self._df.index

    def _columns(self) -> Sequence[str]:
        return tuple(self._df.columns)

    def _frames(self) -> Generator[pd.DataFrame]:
        yield self._df

    def _where(self, any_of: Sequence[Selection]) -> pd.DataFrame:
        mask = np.logical_or.reduce([selection.mask(self._df) for selection in any_of])
        # Unlike df[mask], this is a frame of its own for pandas 2, which otherwise warns when it is changed.
        return self._df.take(np.flatnonzero(mask))

    def _with(self, enrichment: Enrichment) -> pd.DataFrame:
        enrichment.check(self._df.columns)
        return self._df.assign(**enrichment.of_frame(self._df))
