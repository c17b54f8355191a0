"""Explorers: ``df.flow.explore``. The only room that imports ipywidgets.

::

    traffic            who talks to whom, how much, and when
    brush              the same, marked in the page itself
    rejects            which filter refused it, and what would open the way
    groups             what crosses between groups of addresses
    findings           what looks hostile, and why
    coverage           whether the log can be trusted
    records, judged    explorers of records, and of what is deduced from them
    explorer           what all have in common: the filter, and the ways in and out of it
    typing_in          clauses as they are typed
    panels             what a panel is, and how it is picked from
    over_time, bars, matrix, lanes, ranking    the panels there are
    looks              layouts and styles that controls share
    shown, canvas      where a panel is drawn: by the kernel as a picture, or by the page
    patience           doing once what is asked for many times in a moment
    moves              what the buttons beside the time line do
    evidence           how the records of a finding are drawn
    ports              the service port of each record
    crossfilter        sums of a table under many filters at once
    words              amounts and times as they are written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from flowlens.errors import MissingExtraError
from flowlens.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowlens.accessor import FlowAccessor
    from flowlens.detect import Ignore
    from flowlens.enrich.scopes import Internal
    from flowlens.explore.brush import BrushExplorer
    from flowlens.explore.coverage import CoverageExplorer
    from flowlens.explore.findings import FindingsExplorer
    from flowlens.explore.groups import GroupsExplorer
    from flowlens.explore.rejects import RejectsExplorer
    from flowlens.explore.traffic import TrafficExplorer
    from flowlens.indicators import Source
    from flowlens.topology import Topology

__all__ = ["Explore"]


class Explore:
    """Explorers of a frame of flow log records. Each is shown where it is evaluated in a notebook."""

    def __init__(self, flow: FlowAccessor, df: pd.DataFrame) -> None:
        """Take the records."""
        self._flow, self._df = flow, df

    def __call__(self, *, filter: Selection | None = None) -> TrafficExplorer:  # noqa: A002
        """Explore who talks to whom, how much, and when.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with.

        Returns
        -------
        TrafficExplorer
            `selection` are the records, `code` the Python and `filter` the `Selection` for them, `figure()` a picture.

        Raises
        ------
        MissingFieldError
            If the filter needs a field that the log does not have.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> explorer = df.flow.explore(filter=fl.Selection(dst_port="postgres", action="REJECT"))
        >>> explorer.code
        "df.flow.select(dst_port=5432, action='REJECT')"
        >>> len(explorer.selection)
        605
        """
        from flowlens.explore.traffic import TrafficExplorer

        return TrafficExplorer(self._flow, self._df, filter)

    def brush(self, *, filter: Selection | None = None) -> BrushExplorer:  # noqa: A002
        """Explore the same with a time line and bars that follow the mouse: needs the extra ``[fast]``.

        Drawn in the page by anywidget, which not every notebook front end can show; `explore` itself needs nothing.
        Drag over the time line, or press the arrow keys there; click bars, or go to them with arrows and press Space.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with.

        Returns
        -------
        BrushExplorer
            `selection` are the records, `code` the Python and `filter` the `Selection` for them, `figure()` a picture.

        Raises
        ------
        MissingExtraError
            If anywidget is not installed.
        MissingFieldError
            If the filter needs a field that the log does not have.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.explore.brush(filter=fl.Selection(dst_port="postgres", action="REJECT"))
        <brush explorer: 605 of 79,072 flows · 132 kB of 27.7 GB · 2026-03-10 00:00 to 23:59:59 UTC>
        """
        try:
            from flowlens.explore.brush import BrushExplorer
        except ModuleNotFoundError as error:
            if error.name != "anywidget":
                raise
            raise MissingExtraError("the brush is drawn by anywidget: pip install 'vpc-flowlens[fast]'") from None
        return BrushExplorer(self._flow, self._df, filter)

    def rejects(self, *, filter: Selection | None = None, topology: Topology | None = None) -> RejectsExplorer:  # noqa: A002
        """Explore what was refused: by which filter, between whom, on what evidence, and what would open the way.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with, of what `diagnose` returns: ``fl.Selection(verdict="NACL_OUT")``.
        topology : Topology, optional
            As for `diagnose`, which names the rules with it, and the fix.

        Returns
        -------
        RejectsExplorer
            `selection` are rows of `diagnose`, `records` the records behind the one that is shown.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that `diagnose` needs, or a clause is about something that it does not return.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> explorer = df.flow.explore.rejects(filter=fl.Selection(verdict="NACL_OUT"))
        >>> explorer.code
        "df.flow.diagnose(scope='all').flow.select(verdict='NACL_OUT')"
        >>> int(explorer.selection["attempts"].sum())
        169
        """
        from flowlens.explore.rejects import RejectsExplorer

        return RejectsExplorer(self._flow, self._df, topology, filter)

    def groups(self, *, filter: Selection | None = None) -> GroupsExplorer:  # noqa: A002
        """Explore what crosses between groups: those of `add_groups` where the log has them, or prefixes of a length.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with.

        Returns
        -------
        GroupsExplorer
            `selection` are the records.

        Raises
        ------
        MissingFieldError
            If the filter needs a field that the log does not have.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample().flow.add_groups(fl.groups.subnets(fl.sample_topology()))
        >>> df.flow.explore.groups(filter=fl.Selection(src_group="app-a", dst_group="data-a"))
        <groups explorer: 5,130 of 79,072 flows · 32 MB of 27.7 GB · 2026-03-10 00:00 to 23:59:59 UTC>
        """
        from flowlens.explore.groups import GroupsExplorer

        return GroupsExplorer(self._flow, self._df, filter)

    def findings(
        self,
        *,
        filter: Selection | None = None,  # noqa: A002
        indicators: Source | None = None,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> FindingsExplorer:
        """Explore what looks hostile: the ranking, each finding with its terms and its records, and the thresholds.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with, of what `findings` returns: ``fl.Selection(kind="beacon", min_score=0.7)``.
        indicators, internal, ignore, topology, thresholds
            As for `findings`.

        Returns
        -------
        FindingsExplorer
            `selection` are rows of `findings`, `records` the records that the one that is shown is about.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that `findings` needs, or a clause is about something that it does not return.
        ValueError
            If a threshold or `internal` is none.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> explorer = df.flow.explore.findings(filter=fl.Selection(min_score=0.9))
        >>> explorer.code
        'df.flow.findings().flow.select(min_score=0.9)'
        >>> explorer.selection["kind"].tolist()
        ['brute_force', 'volume_spike', 'beacon', 'lateral_movement']
        """
        from flowlens.explore.findings import FindingsExplorer

        given = {
            "indicators": indicators, "internal": internal, "ignore": ignore, "topology": topology,
            "thresholds": thresholds,
        }  # fmt: skip
        return FindingsExplorer(self._flow, self._df, given, filter)

    def coverage(self, *, filter: Selection | None = None) -> CoverageExplorer:  # noqa: A002
        """Explore what the log covers: which interfaces, which times, what was lost, and which fields are missing.

        Parameters
        ----------
        filter : Selection, optional
            What is selected to begin with.

        Returns
        -------
        CoverageExplorer
            `selection` are the records, `gaps` the gaps of the interfaces that are selected.

        Raises
        ------
        MissingFieldError
            If the filter needs a field that the log does not have.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.explore.coverage(filter=fl.Selection(status=["NODATA", "SKIPDATA"])).code
        "df.flow.select(status=['NODATA', 'SKIPDATA'])"
        """
        from flowlens.explore.coverage import CoverageExplorer

        return CoverageExplorer(self._flow, self._df, filter)
