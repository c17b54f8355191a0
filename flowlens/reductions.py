"""The analyses by name. What runs them is up to the subclass; what they return is the same for all."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeVar

from flowlens.alarming import Alarming, Measure
from flowlens.timespan import whole_seconds, width_in_seconds

__all__ = ["Measure", "Reductions"]

Result = TypeVar("Result")
LossMeasure = Literal["packets_lost", "flows", "packets"]


class Reductions(Alarming[Result]):
    """Analyses that turn flow records into a small table."""

    @abstractmethod
    def _interval(self) -> int:
        """Return the aggregation interval of the log in seconds."""

    def top_talkers(self, n: int | None = 10, *, by: Measure = "bytes", key: str = "srcaddr") -> Result:
        """Rank addresses, or the values of any other column, by how much they send.

        Parameters
        ----------
        n : int, optional
            How many rows; all where None.
        by : {"bytes", "packets", "flows"}
            What to rank by. `flows` are records: one a direction, interface and aggregation interval.
        key : str
            The column to rank.

        Returns
        -------
        pandas.DataFrame
            The key, `flows`, `packets`, `bytes`, `peers` (distinct other ends) and `share` (of the total of `by` over
            all records, 0 to 1), largest first, ties by key. Records without a key have no row. Where two interfaces
            log the same traffic both records count.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.top_talkers(3)
               srcaddr  flows  packets        bytes  peers     share
        0  10.20.11.40   1517  9662576  14026907218      8  0.506683
        1    10.20.0.5   1988  6794182   6906177445     12  0.249466
        2  10.20.20.10   8066   778604   5428535436      3  0.196091
        """
        from flowlens.reduce import summary

        return self._reduce("top_talkers", lambda flows: summary.top_talkers(flows, n=n, by=by, key=key))

    def timeline(self, freq: str = "5min", *, by: str | None = "action") -> Result:
        """Count traffic over time.

        Parameters
        ----------
        freq : str
            Width of the bins, as pandas writes it: ``"5min"``, ``"1h"``. Bins are counted from 1970-01-01 00:00 UTC, so
            those that divide a day begin at midnight; a record belongs to the bin of its `start`.
        by : str, optional
            Column that splits each bin; None for no split, as for a transit gateway, which has no `action`.

        Returns
        -------
        pandas.DataFrame
            `start` of the bin, the column named in `by`, `flows`, `packets`, `bytes`. Bins without traffic have no row.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.
        ValueError
            If `freq` is no fixed width of at least a second.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.timeline("12h")
                              start  action  flows   packets        bytes
        0 2026-03-10 00:00:00+00:00  ACCEPT  27733   2481989   6811153853
        1 2026-03-10 00:00:00+00:00  REJECT   2710      3464       212620
        2 2026-03-10 12:00:00+00:00  ACCEPT  39570  20566636  20872141000
        3 2026-03-10 12:00:00+00:00  REJECT   2434      4894       299415
        """
        from flowlens.reduce import summary

        seconds = width_in_seconds(freq)
        return self._reduce("timeline", lambda flows: summary.timeline(flows, seconds=seconds, by=by))

    def pairs(
        self, n: int | None = None, *, by: Measure = "bytes", keys: Sequence[str] = ("srcaddr", "dstaddr")
    ) -> Result:
        """Rank who sends to whom.

        Parameters
        ----------
        n : int, optional
            How many rows; all where None.
        by : {"bytes", "packets", "flows"}
            What to rank by.
        keys : str or sequence of str
            The columns whose combinations are counted.

        Returns
        -------
        pandas.DataFrame
            The keys, `flows`, `packets`, `bytes`, largest first, ties by keys.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.pairs(3)
               srcaddr        dstaddr  flows  packets       bytes
        0    10.20.0.5  198.51.100.23     37  4420585  6629870428
        1  10.20.11.40  198.51.100.23     37  4420585  6629870428
        2  10.20.11.40      10.20.0.5     63  4310938  6446466520
        """
        from flowlens.reduce import summary

        columns = (keys,) if isinstance(keys, str) else tuple(keys)
        if not columns:
            raise ValueError("keys is empty; name the columns whose combinations are to be counted")
        return self._reduce("pairs", lambda flows: summary.pairs(flows, n=n, by=by, keys=columns))

    def ports(self, n: int | None = None, *, by: Measure = "flows") -> Result:
        """Rank service ports, both directions of the traffic counted for the port that offers the service.

        Parameters
        ----------
        n : int, optional
            How many rows; all where None.
        by : {"flows", "packets", "bytes"}
            What to rank by.

        Returns
        -------
        pandas.DataFrame
            `port`, `protocol` (IANA number), `flows`, `packets`, `bytes`, largest first. The port is that of the side
            which answers, told by SYN and SYN-ACK where `tcp_flags` are logged, else the lower one of the two.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.ports(3)
           port  protocol  flows   packets        bytes
        0  5432         6  17753   1293254   5534335362
        1  8080         6  16594    151097    366664531
        2   443         6  10669  21494410  21760374280
        """
        from flowlens.reduce import summary

        return self._reduce("ports", lambda flows: summary.ports(flows, n=n, by=by))

    def losses(
        self, n: int | None = None, *, by: LossMeasure = "packets_lost", keys: Sequence[str] = ("srcaddr", "dstaddr")
    ) -> Result:
        r"""Rank what a transit gateway lost, by cause.

        Parameters
        ----------
        n : int, optional
            How many rows; all where None.
        by : {"packets_lost", "flows", "packets"}
            What to rank by.
        keys : str or sequence of str
            The columns whose combinations are counted: ``("tgw_attachment_id", "dstaddr")``; none for causes alone.

        Returns
        -------
        pandas.DataFrame
            `cause` (*no route*, *blackhole*, *MTU exceeded*, *TTL expired*), the keys, `flows` (records with losses of
            that cause), `packets_lost` and, where logged, `packets` (of those records), `first`, `last`; largest first.

        Raises
        ------
        MissingFieldError
            If the log counts no losses, as that of a VPC, or lacks a key.

        Notes
        -----
        Records of all attachments are summed: a lost packet does not leave, so it should be logged only where it came
        in. AWS does not say so (https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html); `flow_direction` as a
        key shows whether your log counts losses on the way out, too.

        Examples
        --------
        >>> import io, flowlens as fl
        >>> log = b"10.1.0.4 10.2.0.9 5 0\n10.1.0.4 10.3.0.7 40 2\n"
        >>> df = fl.read(io.BytesIO(log), fields="srcaddr dstaddr packets-lost-no-route packets-lost-mtu-exceeded")
        >>> df.flow.losses()
                  cause   srcaddr   dstaddr  flows  packets_lost
        0      no route  10.1.0.4  10.3.0.7      1            40
        1      no route  10.1.0.4  10.2.0.9      1             5
        2  MTU exceeded  10.1.0.4  10.3.0.7      1             2
        """
        from flowlens.reduce import losses

        columns = (keys,) if isinstance(keys, str) else tuple(keys)
        return self._reduce("losses", lambda flows: losses.losses(flows, n=n, by=by, keys=columns))

    def fan_out(self, *, key: str = "srcaddr") -> Result:
        """Count how many peers and ports each address reaches for.

        Parameters
        ----------
        key : str
            The column to count for: ``"srcaddr"`` for fan-out, ``"dstaddr"`` for fan-in.

        Returns
        -------
        pandas.DataFrame
            The key, `peers` (distinct other ends), `ports` (distinct destination ports), `flows`, `rejected` (flows;
            0 where the log has no `action`), most peers first.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> df = fl.sample()
        >>> df.flow.select(time=("2026-03-10 03:00", "2026-03-10 03:30")).flow.fan_out().nlargest(1, "ports")
                  srcaddr  peers  ports  flows  rejected
        24  198.51.100.77      1    901    901       900
        """
        from flowlens.reduce import summary

        return self._reduce("fan_out", lambda flows: summary.fan_out(flows, key=key))

    def conversations(self, *, timeout: float | str | None = None) -> Result:
        """Stitch the records of each two-way conversation into one row.

        Records of both directions, all aggregation intervals and all interfaces that saw the conversation are one row.
        Of what several interfaces saw, each counter is the largest, so that traffic logged at both ends counts once. An
        attachment of a transit gateway is one on the way in and one on the way out (`flow_direction`).

        Parameters
        ----------
        timeout : float or str, optional
            Silence, in seconds or as ``"10min"``, after which the same addresses and ports are a new conversation. By
            default what EC2 security groups use, 350 s for TCP, 180 s for UDP and 600 s otherwise, and at least two
            aggregation intervals.

        Returns
        -------
        pandas.DataFrame
            `initiator`, `responder`, `initiator_port`, `responder_port`, `protocol`, `interface_id`, `first`, `last`,
            `records`, `packets_out`, `packets_in`, `bytes_out`, `bytes_in` (out is from the initiator), `state`,
            `initiator_by`, in order of time.

            `state` is one of *established* (both directions seen), *closed* (and FIN), *reset* (and RST), *unanswered*,
            *rejected* (the request), *reply rejected*, *mixed* (a direction refused while the opposite one answers) and
            *reply only*. `initiator_by` tells how the initiator was found: *flags*, *order*, *ports*, *action* (nobody
            answers what was refused), or *unknown*.
            `interface_id` is the first of those that saw the conversation, missing if it was attachments only.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> ssh = fl.sample().flow.select(port="ssh").flow.conversations()
        >>> ssh[["initiator", "responder", "records", "state", "initiator_by"]].tail(2)
              initiator    responder  records   state initiator_by
        741  192.0.2.66   10.20.0.10      112  closed        flags
        742  10.20.0.10  10.20.11.40      196  closed        flags
        """
        from flowlens.reduce import conversations

        seconds = None if timeout is None else whole_seconds(timeout)
        interval = self._interval()
        return self._reduce(
            "conversations", lambda flows: conversations.conversations(flows, timeout=seconds, interval=interval)
        )

    def reject_pairs(self, *, tolerance: float | str | None = None) -> Result:
        """List what was refused at each interface, beside what of the other direction was accepted there.

        An accepted request beside a refused reply is the sign of a network ACL. `diagnose` draws the conclusions.

        Parameters
        ----------
        tolerance : float or str, optional
            How far accepted records may be from refused ones, in seconds or as ``"3min"``. By default the aggregation
            interval and 124 s, for the lag of records and for retransmissions.

        Returns
        -------
        pandas.DataFrame
            One row a refused conversation, direction and interface: `interface_id`, `protocol`, `srcaddr`, `srcport`,
            `dstaddr`, `dstport` (as in the packet), `first`, `last`, `attempts` (retransmissions over several windows
            being one), `records`, `packets`, `tcp_flags` where logged; then of the other direction `accepted`
            (records), `accepted_packets`, `accepted_first`, `accepted_last`, `accepted_tcp_flags`.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> pairs = fl.sample().flow.reject_pairs()
        >>> pairs.loc[pairs["accepted"] > 0, ["srcaddr", "srcport", "dstaddr", "packets", "accepted_packets"]].head(1)
                 srcaddr  srcport       dstaddr  packets  accepted_packets
        1851  10.20.0.21      443  203.0.113.17        1                24
        """
        from flowlens.reduce import rejects

        seconds = None if tolerance is None else whole_seconds(tolerance)
        interval = self._interval()
        return self._reduce(
            "reject_pairs", lambda flows: rejects.reject_pairs(flows, tolerance=seconds, interval=interval)
        )

    def coverage(self) -> Result:
        """Tell for each interface what the log covers.

        Returns
        -------
        pandas.DataFrame
            `interface_id`, `records`, `first`, `last`, `nodata` and `skipdata` (records), `gap_time` (total time for
            which there is no record, see `gaps`).

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> fl.sample().flow.coverage()[["interface_id", "records", "nodata", "skipdata", "gap_time"]].head(2)
                    interface_id  records  nodata  skipdata gap_time
        0  eni-01b48cc1fa9697e08     8423     309         1   0 days
        1  eni-01cc325cebf49ed5e     8086     307         0   0 days
        """
        from flowlens.reduce import coverage

        return self._reduce("coverage", lambda flows: coverage.coverage(flows, interval=self._interval()))

    def gaps(self) -> Result:
        """List the stretches of time for which an interface has no record, not even NODATA.

        Returns
        -------
        pandas.DataFrame
            `interface_id`, `start`, `end`, `duration`; one row a gap of two aggregation intervals or more. Shorter ones
            cannot be told from quiet edges of two neighbouring intervals.

        Raises
        ------
        MissingFieldError
            If the log lacks a field that is needed.

        Examples
        --------
        >>> import flowlens as fl
        >>> logged = fl.sample().flow.select(interface="eni-057cce22cfe6a8ee3")
        >>> len(logged.flow.gaps()), len(logged.flow.select(status="OK").flow.gaps())  # NODATA records fill the gaps
        (0, 137)
        """
        from flowlens.reduce import coverage

        return self._reduce("gaps", lambda flows: coverage.gaps(flows, interval=self._interval()))
