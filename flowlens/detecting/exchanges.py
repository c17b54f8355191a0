"""What hosts exchange that they should not: orders, data, floods, with whom and how regularly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from flowlens.detecting.base import Detections, explained

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.detect import Ignore
    from flowlens.enrich.scopes import Internal
    from flowlens.topology import Topology

__all__ = ["Exchanges"]


class Exchanges(Detections):
    """Methods that find what is odd in the traffic that flows."""

    @explained
    def beacons(
        self,
        *,
        mode: Literal["interval", "rita"] = "interval",
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find hosts that call somebody at a rhythm of their own.

        Windows make everything regular, so gaps are judged as far as the aggregation interval lets them be known, and
        a period of up to two windows is *continuous*, at most 0.5. Four terms, as RITA has them (regular gaps, equal
        sizes, evenness over hours, hours in a row), times the evidence n / (n + 12); less where filters refuse all of
        it, where more than four hosts do the same, and for a heartbeat in connections that stay open.

        Parameters
        ----------
        mode : {"interval", "rita"}
            *rita* reproduces the beacon score of RITA v5 for two hosts, whatever their ports: over times as they stand
            in the log, over its whole span, nothing lowered.
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `class` (*insufficient* for fewer than 4 events, *continuous* where the period is not above
            `minimum_period`, else *periodic*; how regular that is, the score says), `events` (also those within
            connections that stay open), `period, minimum_period` (that the windows can show), `window, gap_mad`
            (seconds), `size_median, size_mad, connections, answered` (events), `hosts_alike` (that seek the same port
            there; of those outside, the regular ones). With ``mode="rita"``: `connections, skew, mad, median,
            size_median, threat`, and no port.

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> beacons = fl.sample().flow.beacons()
        >>> beacons[["srcaddr", "dstaddr", "dstport", "score"]].head(1)
               srcaddr        dstaddr  dstport     score
        0  10.20.11.32  203.0.113.250      443  0.911228
        """
        if mode not in ("interval", "rita"):
            raise ValueError(f"mode={mode!r} is neither 'interval' nor 'rita'")
        kind = "beacon" if mode == "interval" else "rita"
        return self._detected(
            "beacons", [kind], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def long_conversations(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find connections that stay open for hours, however many windows they are logged in.

        The score is RITA's scale for the longest: 1, 4, 8 and 12 hours count 0.2, 0.4, 0.6 and 0.8; less between
        internal hosts, from outside, and where more than four hosts do the same.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `longest_seconds, total_seconds, connections, bytes_in, hosts_alike, bytes_a_second`
            (both directions).

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.long_conversations()[["srcaddr", "dstaddr", "dstport", "score"]].head(1)
               srcaddr      dstaddr  dstport  score
        0  10.20.10.31  10.20.20.10     5432   0.32
        """
        return self._detected(
            "long_conversations",
            ["long_conversation"],
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
        )

    @explained
    def volume_spikes(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find hosts that send out far more than usual: exfiltration.

        Looked at is what internal hosts send to each external one in an hour, from 10 MB on, where more goes out than
        comes in. The score is 0.4 x deviation + 0.4 x volume + 0.2 x novelty x volume, times (out - in) / (out + in) of
        that hour. The deviation is from all that the host sends to others, hour by hour. Where the two have a habit,
        three days or from the beginning of the log, that from their own other hours counts if it is less, and nothing
        is new.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `bytes_an_hour, bytes_in_that_hour, bytes_out, bytes_in, deviation_of_host, deviation_of_pair`
            (NaN without a habit), `hours_of_pair, days_of_pair, hours_before` (of the host, in the log). No port: all
            are together.

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.volume_spikes()[["srcaddr", "dstaddr", "score"]].head(1)
               srcaddr        dstaddr    score
        0  10.20.11.40  198.51.100.23  0.96532
        """
        return self._detected(
            "volume_spikes",
            ["volume_spike"],
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
        )

    @explained
    def floods(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find floods, in and out: packets that nobody answers, and answers of reflectors.

        The score grows with the packets a second (from 50 to 5,000) of the worst minute, times how much of it is above
        the hour before; minutes that were bursts are left out of that, so that a flood does not become usual. TCP
        counts half at least, however usual it is. Of others a steady stream counts nothing, nor does what comes in the
        first minute of the log: UDP that nobody answers may be syslog.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `packets_a_second, usual` (in the hour before), `chi_square, minutes` (that were bursts),
            `sources` (the most in one of them), `ports` (the most of one source), `bytes_a_packet, kind`. `srcaddr` is
            missing where no one sent nine of ten packets; `first, last, flows, bytes` are those of the minutes that
            were bursts.

        Raises
        ------
        {errors}

        Notes
        -----
        Bhatia et al., *MIDAS: microcluster-based detector of anomalies in edge streams*, 2020, and MIDAS-F.

        Examples
        --------
        >>> import flowlens as fl
        >>> len(fl.sample().flow.floods())
        0
        """
        return self._detected(
            "floods", ["flood"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def new_peers(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find what a host does for the first time: a port outside, a protocol, an internal peer.

        Each host is compared with its own past. One with less than three days in the log before that has none, and
        nothing of it is listed: on the first day everything is new. Of a log that is shorter than that
        ``attrs["not_scored"]`` says so. What other hosts of the log do, too, at any time, is less rare: records of
        others can lower a score.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `what` (*port*, *protocol*, *peer*), `days_before, hosts` (that do the same, this one included),
            `usual` (how many of that kind the host had before).

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> list(fl.sample().flow.new_peers().attrs["not_scored"])  # the sample is one day
        ['new_peer']
        """
        return self._detected(
            "new_peers", ["new_peer"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )
