"""What all detectors say together: one ranked table, and one score a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowlens.detecting.attempts import Attempts
from flowlens.detecting.base import explained
from flowlens.detecting.exchanges import Exchanges

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.detect import Ignore
    from flowlens.enrich.scopes import Internal
    from flowlens.indicators import Source
    from flowlens.topology import Topology

__all__ = ["Detecting"]


class Detecting(Attempts, Exchanges):
    """Methods that score what hosts do to each other."""

    @explained
    def findings(
        self,
        *,
        kinds: Sequence[str] | str | None = None,
        min_score: float = 0.0,
        indicators: Source | None = None,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Rank what all detectors find in one table.

        Parameters
        ----------
        kinds : str or list of str, optional
            ``"beacon"``, ``"port_scan"``, ...; all where None.
        min_score : float
            Findings with less are left out.
        indicators : str, path, list, dict or DataFrame, optional
            As for `matches`, which are among the findings then.
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns} Besides the kinds that have a
            method of their own there is `log_gap`: an interface without any record for a while, not even of NODATA,
            worse where others logged whole contacts with it; `evidence`: `seconds, seen_elsewhere` (contacts that
            others logged), `to_the_end` (of the log).

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> found = fl.sample().flow.findings(min_score=0.7)
        >>> found[["kind", "subject", "dstaddr", "score"]]
                       kind        subject        dstaddr     score
        0       brute_force     192.0.2.66     10.20.0.10  1.000000
        1      volume_spike    10.20.11.40  198.51.100.23  0.965320
        2            beacon    10.20.11.32  203.0.113.250  0.911228
        3  lateral_movement     10.20.0.10    10.20.11.40  0.901853
        4  lateral_movement     10.20.0.10    10.20.11.32  0.844441
        5         port_scan  198.51.100.77     10.20.0.10  0.799378
        """
        from flowlens.cidr import listed
        from flowlens.detect import DETECTORS

        wanted = None if kinds is None else list(dict.fromkeys(map(str, listed(kinds))))
        if not isinstance(min_score, int | float) or not 0 <= min_score <= 1:
            raise ValueError(f"min_score={min_score!r} is no score; those are from 0 to 1")
        for kind in wanted or ():
            if kind not in DETECTORS:
                raise ValueError(f"{kind!r} is no kind of finding; there are {', '.join(DETECTORS)}")
        return self._detected(
            "findings",
            wanted,
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
            indicators=indicators,
            min_score=min_score,
        )

    @explained
    def matches(
        self,
        indicators: Source,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find contacts with addresses on a list of yours.

        The score is the confidence of the indicator (0.95 where it has none), less where nothing came back, where
        filters refused it, where the listed host began, and where the indicator had expired before. One with a port
        means what is called there. A prefix that holds hosts of your own does not mean those; an address does.

        Parameters
        ----------
        indicators : str, path, list, dict or DataFrame
            An address, a CIDR prefix, several of them, ``{name: cidr or [cidrs]}``, or a frame with a column `cidr`,
            `indicator`, `ip`, `address` or `value`, and perhaps `name`, `port`, `protocol`, `confidence`,
            `valid_from`, `valid_until`. Or the path of a file: an address a line, CSV with such columns, or STIX 2 in
            JSON. Host names and hashes are left out, as flow logs have none; ``attrs["left_out"]`` lists them.
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `listed` (the address), `name, cidr` (of the indicator), `lists` (how many indicators hold
            either end), `answered, refused` (contacts), `bytes_in`.

        Raises
        ------
        ParseError
            If an entry of the list is meant as an address and is none; it names all of them.
        FileNotFoundError
            If there is no such file.
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> hits = fl.sample().flow.matches({"drop zone": "198.51.100.16/28"})
        >>> hits[["srcaddr", "dstaddr", "dstport", "score"]].head(1)
               srcaddr        dstaddr  dstport  score
        0  10.20.11.40  198.51.100.23      443   0.95
        """
        if indicators is None:
            raise TypeError("matches needs a list to look for: addresses, CIDR prefixes, or the path of a file of them")
        return self._detected(
            "matches",
            ["match"],
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
            indicators=indicators,
        )

    @explained
    def host_scores(
        self,
        *,
        indicators: Source | None = None,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Rank hosts by what all findings say of them together.

        Parameters
        ----------
        indicators : str, path, list, dict or DataFrame, optional
            As for `findings`.
        {arguments}

        Returns
        -------
        pandas.DataFrame
            `address` (of who acted, inside or outside; what has no source, as probes and gaps, counts for nobody),
            `score` (1 - product of 1 - score over the highest finding of each kind, as for independent reasons),
            `findings` (how many), `top_kind`, `why` (what each kind contributes, and the first reason), highest first.

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.host_scores()[["address", "score", "top_kind"]].head(4)
               address     score          top_kind
        0   192.0.2.66  1.000000       brute_force
        1  10.20.11.40  0.977093      volume_spike
        2   10.20.0.10  0.938988  lateral_movement
        3  10.20.11.32  0.929870            beacon
        """
        from flowlens.detect import checked_thresholds, host_scores

        found = self._detected(
            "host_scores",
            None,
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
            indicators=indicators,
        )
        scores = host_scores(found, checked_thresholds(thresholds))
        scores.attrs = found.attrs
        return scores
