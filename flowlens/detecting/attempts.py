"""Who tries to get in, and where they go on to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowlens.detecting.base import Detections, explained

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.detect import Ignore
    from flowlens.enrich.scopes import Internal
    from flowlens.topology import Topology

__all__ = ["Attempts"]


class Attempts(Detections):
    """Methods that find scans, guesses and intrusions."""

    @explained
    def port_scans(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find hosts that try many ports of another one.

        The score grows with the number of ports (logarithm, from 5 to 100) and with the share of them that did not
        answer: refused, silent or reset. Replies are no tries, however many ports they go to. Who comes back to the
        same ports 10 to 100 times each is rather a client that misses something, or a check: down to one half.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `ports, open_ports` (that answered), `refused` (contacts), `packets_a_contact, seconds`.

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.port_scans()[["srcaddr", "dstaddr", "score", "technique"]].head(1)
                 srcaddr     dstaddr     score  technique
        0  198.51.100.77  10.20.0.10  0.799378  T1595.001
        """
        return self._detected(
            "port_scans", ["port_scan"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def port_sweeps(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find hosts that look for one port on many others.

        Threshold Random Walk: each host that never answers speaks for a scanner, each that does against one; addresses
        of a topology's subnets that no interface has count twice. The score is the probability of a scanner, less for
        few hosts, and for who comes back to the same ones as in `port_scans`. Listed are four hosts or more of which
        most did not answer.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `hosts, failed, dark` (of the failed, those that nobody has), `refused` (hosts),
            `log_likelihood_ratio, seconds`.

        Raises
        ------
        {errors}

        Notes
        -----
        Jung, Paxson, Berger and Balakrishnan, *Fast portscan detection using sequential hypothesis testing*, 2004.

        Examples
        --------
        >>> import flowlens as fl
        >>> sweeps = fl.sample().flow.port_sweeps()
        >>> sweeps.loc[0, "evidence"]["hosts"]
        4
        """
        return self._detected(
            "port_sweeps", ["port_sweep"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def probes(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Rate the ports of one's own that the internet tries, each with all who try it.

        A public address is probed by thousands of sources a day; what matters is which ports answer, and to how many
        of them filters do not refuse it. Ports that do not answer are together in one row a host and protocol, by
        whether filters refuse them. Nobody is accused: the subject is the port, and probes count nothing in the score
        of a host.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `state` (*answers*, *unanswered*, *refused*), `source_count, answered, refused` (sources),
            `ports` (tuple), `sources` (tuple of addresses).

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> probes = fl.sample().flow.probes()
        >>> probes.loc[probes["dstport"] == 22, "why"].item()
        '3 sources outside tried 10.20.0.10 at 22/tcp: it answered 3 of them, which nobody should offer to the internet'
        """
        return self._detected(
            "probes", ["probe"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def brute_force(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find hosts that guess passwords: many short connections alike.

        Counted are connections that were answered and have 8 to 60 packets from the side that tries, over all windows;
        the score grows with their number and with how alike all are. It counts full at ports where people log in, less
        at others and between internal hosts. Timed jobs look like that, so of internal hosts only the busiest hour
        counts, and little where programs log in (databases, mail, directories). A connection far longer after ten of
        them, and not before, is a hint of success.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `evidence`: `tries, tries_in_an_hour, connections, packets_median, packets_mad, largest, role` (*target*
            where our host is guessed at, *actor* where it guesses, *neither*), `possible_success`.

        Raises
        ------
        {errors}

        Notes
        -----
        Hofstede et al., *SSH compromise detection using NetFlow/IPFIX*, 2014, has 11 to 51 packets for SSH.

        Examples
        --------
        >>> import flowlens as fl
        >>> guesses = fl.sample().flow.brute_force()
        >>> guesses.loc[0, "evidence"]["tries"], guesses.loc[0, "evidence"]["possible_success"]
        (712, True)
        """
        return self._detected(
            "brute_force", ["brute_force"], internal=internal, ignore=ignore, topology=topology, thresholds=thresholds
        )

    @explained
    def lateral_movement(
        self,
        *,
        internal: Internal | None = None,
        ignore: Sequence[Ignore] | Ignore | None = None,
        topology: Topology | None = None,
        thresholds: pd.DataFrame | Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Find logins from one internal host to the next.

        Rated is each way to a port where machines are run from (SSH, RDP, WinRM, SMB, ...) by how rare it is, by who
        had come in to the host before it went on, and by how many hosts it sought in an hour. One who had tried many
        times before, as in `brute_force`, weighs most. Connections too short for a login do not count.

        Parameters
        ----------
        {arguments}

        Returns
        -------
        pandas.DataFrame
            {columns}
            `first` and `last` are those of the sessions after somebody came in, where there are any.
            `evidence`: `came_from, tries_in_an_hour` (of that one, until then), `from_outside, hours` (in which the way
            was gone), `hosts_in_an_hour`.

        Raises
        ------
        {errors}

        Examples
        --------
        >>> import flowlens as fl
        >>> moves = fl.sample().flow.lateral_movement()
        >>> moves[["srcaddr", "dstaddr", "score"]].head(2)
              srcaddr      dstaddr  score
        0  10.20.0.10  10.20.11.40  0.901853
        1  10.20.0.10  10.20.11.32  0.844441
        """
        return self._detected(
            "lateral_movement",
            ["lateral_movement"],
            internal=internal,
            ignore=ignore,
            topology=topology,
            thresholds=thresholds,
        )
