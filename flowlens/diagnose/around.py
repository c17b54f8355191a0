"""What is known of each case from its own conversation: one function for each question, over all cases at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from flowlens.diagnose.evidence import EGRESS, UNKNOWN, Evidence
from flowlens.diagnose.homes import Homes
from flowlens.diagnose.spans import NEVER, Numbers, Spans, Truths, shared_ids
from flowlens.reduce.rejects import LAG, RETRANSMISSION
from flowlens.service import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP, service_names

__all__ = ["UDP", "UDP_IDLE", "USUAL_TCP_IDLE", "Around"]

_FIRST_CLIENT_PORT = 1024

#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html: after how many
#: seconds an idle TCP connection is forgotten on new instances, and UDP of one packet.
USUAL_TCP_IDLE, UDP_IDLE = 350, 30
#: The longest that anything else than TCP is remembered for, but for what has no ports.
_UDP_STREAM_IDLE = 180


@dataclass(frozen=True)
class Around:
    """Answers for each case, as arrays in the order of the cases."""

    cases: pd.DataFrame
    evidence: Evidence
    homes: Homes

    def of(self, column: str) -> Numbers:
        return self._columns[column]

    @cached_property
    def _columns(self) -> dict[str, Numbers]:
        return {str(name): self.cases[name].to_numpy() for name in self.cases.columns}

    # --- The packet itself ---

    @cached_property
    def is_egress(self) -> Truths:
        egress: Truths = self.of("egress") == EGRESS
        return egress

    @cached_property
    def knows_way(self) -> Truths:
        """The direction is logged, or could be inferred."""
        known: Truths = self.of("egress") != UNKNOWN
        return known

    @cached_property
    def is_tcp(self) -> Truths:
        tcp: Truths = self.of("protocol") == TCP
        return tcp

    @cached_property
    def is_icmp(self) -> Truths:
        return np.isin(self.of("protocol"), [ICMP, ICMPV6])

    @cached_property
    def has_flags(self) -> Truths:
        """TCP flags are logged."""
        flags: Truths = self.is_tcp & (self.of("flags") != UNKNOWN)
        return flags

    @cached_property
    def opens(self) -> Truths:
        """A SYN: the request for a connection."""
        syn: Truths = self.has_flags & ((self.of("flags") & (SYN | ACK)) == SYN)
        return syn

    @cached_property
    def answers(self) -> Truths:
        """A SYN-ACK: the answer to such a request."""
        syn_ack: Truths = self.has_flags & ((self.of("flags") & (SYN | ACK)) == (SYN | ACK))
        return syn_ack

    @cached_property
    def resets(self) -> Truths:
        """A reset and no SYN: how a host refuses a connection."""
        rst: Truths = self.has_flags & ((self.of("flags") & (SYN | RST)) == RST)
        return rst

    @cached_property
    def goes_to_service(self) -> Truths:
        """The destination port is that of a service, as the port of a client hardly is."""
        port = self.of("dst_port")
        return (port < _FIRST_CLIENT_PORT) | np.isin(port, list(service_names()))

    @cached_property
    def is_tail(self) -> Truths:
        """A packet of TCP that opens nothing and answers no opening."""
        tail: Truths = self.has_flags & ((self.of("flags") & SYN) == 0)
        return tail

    # --- The interface and the peer ---

    @cached_property
    def subnet(self) -> Numbers:
        return self.homes.subnet[self.of("interface")]

    @cached_property
    def lost_records(self) -> Truths:
        """Records of the interface were lost around the time, so that absence tells nothing."""
        losses = self.evidence.losses
        spans = Spans(*(losses[name].to_numpy() for name in ("interface", "start", "end")))
        reach = self.reach
        return spans.count(self.of("interface"), self.of("first") - reach, self.of("last") + reach) > 0

    @cached_property
    def may_begin_unseen(self) -> Truths:
        """What passed before may not be in the log: it begins at that time, or has nothing accepted of the interface.

        Many a flow log has refused traffic only.
        """
        residents = self.evidence.residents
        accepted = residents["interface"][residents["accepted_in"] + residents["accepted_out"] > 0]
        at_once = self.of("first") - self.evidence.begins <= _UDP_STREAM_IDLE + LAG
        return at_once | ~np.isin(self.of("interface"), accepted)

    @cached_property
    def has_no_group(self) -> Truths:
        """The interface has no security group."""
        return self.homes.has_no_group[self.of("interface")]

    @cached_property
    def may_have_no_group(self) -> Truths:
        """Guessed: the interface seems to be one of those that have no security group."""
        return self.homes.may_have_no_group[self.of("interface")]

    @cached_property
    def same_subnet(self) -> Truths:
        """The peer is in the subnet of the interface, inside which network ACLs do not count."""
        return (self.of("remote") >= 0) & self.homes.holds(self.subnet, self.of("remote"), self.evidence)

    @cached_property
    def may_cross(self) -> Truths:
        """Although the peer is in the subnet, a network ACL may have been asked.

        At Classic Load Balancers network ACLs count inside a subnet, too, and an instance that has an interface in
        another subnet may send by that one.
        """
        odd = self.homes.may_be_classic_balancer
        residents = self.evidence.residents
        there = residents["interface"].to_numpy()
        at = residents.loc[odd[there] | self.homes.has_way_round[there], "local"].unique()
        return odd[self.of("interface")] | np.isin(self.of("remote"), at)

    @cached_property
    def stays_inside(self) -> Truths:
        """No network ACL was asked."""
        return self.same_subnet & ~self.may_cross

    @cached_property
    def has_sibling(self) -> Truths:
        """The instance has another interface, by which half of the conversation may go."""
        return self.homes.has_sibling[self.of("interface")]

    # --- The rest of the conversation at this interface ---

    @cached_property
    def reach(self) -> int:
        """Seconds between request and reply records at most."""
        return self.evidence.interval + LAG + RETRANSMISSION

    @cached_property
    def _accepted(self) -> pd.DataFrame:
        related = self.evidence.related
        return related[~related["rejected"]]

    @cached_property
    def _refused(self) -> pd.DataFrame:
        related = self.evidence.related
        return related[related["is_case"]]

    @cached_property
    def _all_ids(self) -> list[Numbers]:
        """Number conversations at interfaces by direction.

        Of the cases, of their other direction, of what passed, of the records refused, of their other direction.
        """
        tables = []
        for table in (self.cases, self._accepted, self._refused):
            key = [table[name].to_numpy().astype(np.int64) for name in ("interface", "conversation", "forward")]
            tables.append((key, [*key[:-1], 1 - key[-1]]))
        (same, other), (passed, _), (refused, answered) = tables
        return shared_ids(same, other, passed, refused, answered)

    @property
    def _ids(self) -> tuple[Numbers, Numbers, Numbers]:
        same, other, passed, *_ = self._all_ids
        return same, other, passed

    @cached_property
    def _passed(self) -> Spans:
        return Spans(self._ids[2], self._accepted["start"].to_numpy(), self._accepted["end"].to_numpy())

    def _flagged(self, test: Callable[[Numbers], Truths]) -> Truths:
        """Tell of each accepted record whether its flags are logged and pass a test."""
        if "tcp_flags" not in self._accepted.columns:
            return np.zeros(len(self._accepted), bool)
        flags = self._accepted["tcp_flags"].to_numpy()
        return (flags >= 0) & test(flags)

    def _passed_near(self, ids: Numbers, which: Truths | None = None) -> Truths:
        first, last = self.of("first") - self.reach, self.of("last") + self.reach
        return self._passed.count(ids, first, last, which) > 0

    @cached_property
    def other_way_passed(self) -> Truths:
        """The other direction was accepted at this interface, near in time."""
        return self._passed_near(self._ids[1])

    @cached_property
    def request_passed(self) -> Truths:
        """A SYN of the other direction was accepted, near in time, on the way that is the reverse of this one's.

        Whoever forwards for others has the same SYN on both ways at one interface, or comes by it on one of them only.
        """
        syn = self._flagged(_is_request)
        way = self._accepted["egress"].to_numpy()
        passed = [self._passed_near(self._ids[1], syn & (way == side)) for side in (1 - EGRESS, EGRESS)]
        return np.where(self.is_egress, *passed)

    @cached_property
    def asks_too(self) -> Truths:
        """The very same has a SYN at this interface at another time: the host is client and server on the same ports.

        Both may be in one record.
        """
        ever = np.zeros(len(self.cases), np.int64), np.full(len(self.cases), 1 << 32)
        passed = self._passed.count(self._ids[0], *ever, self._flagged(_is_request)) > 0
        if "tcp_flags" not in self._refused.columns:
            return passed
        refused = Spans(self._all_ids[3], *(self._refused[name].to_numpy() for name in ("start", "end")))
        asks = _is_request(self._refused["tcp_flags"].to_numpy())
        return passed | (refused.count(self._ids[0], *ever, asks) > 0)

    @cached_property
    def strays_from_request(self) -> Truths:
        """Some of it came before a SYN of the other direction was accepted, or too late to answer one.

        A host sends its SYN-ACK again for about a minute, as tcp_synack_retries of Linux says:
        https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html. What else comes on the same ports is
        something else.
        """
        *_, refused, answered = self._all_ids
        start, end = (self._refused[name].to_numpy() for name in ("start", "end"))
        syn = self._flagged(_is_request)
        requests = Spans(self._ids[2][syn], *(self._accepted[name].to_numpy()[syn] for name in ("start", "end")))
        alone = [at - requests.last_end(answered, at) > RETRANSMISSION + LAG for at in (start, end)]
        spans = Spans(refused, start, end)
        return spans.count(self._ids[0], self.of("first"), self.of("last"), alone[0] | alone[1]) > 0

    @cached_property
    def other_way_ended(self) -> Truths:
        """The other direction was accepted with a FIN or reset, near in time."""
        return self._passed_near(self._ids[1], self._flagged(lambda flags: (flags & (FIN | RST)) > 0))

    @cached_property
    def same_way_passed(self) -> Truths:
        """The very same was accepted at this interface, near in time."""
        return self._passed_near(self._ids[0])

    @cached_property
    def passed_before(self) -> Truths:
        """The very same was accepted at this interface, on the same way, at any time before.

        Whoever forwards for others has it come in and go out, past other rules.
        """
        way, ever = self._accepted["egress"].to_numpy(), np.zeros(len(self.cases), np.int64)
        passed = [
            self._passed.count(self._ids[0], ever, self.of("first"), way == side) > 0 for side in (EGRESS, 1 - EGRESS)
        ]
        return np.where(self.is_egress, *passed)

    @cached_property
    def idle(self) -> Numbers:
        """Seconds for which nothing of the conversation had passed before the refusal; -1 where nothing ever had."""
        latest = np.maximum(*(self._passed.last_end(ids, self.of("first")) for ids in self._ids[:2]))
        return np.where(latest == NEVER, UNKNOWN, np.maximum(self.of("first") - latest, 0))

    @cached_property
    def other_way_idle(self) -> Numbers:
        """Seconds since the other direction was accepted; -1 where it never was."""
        latest = self._passed.last_end(self._ids[1], self.of("first"))
        return np.where(latest == NEVER, UNKNOWN, np.maximum(self.of("first") - latest, 0))

    @cached_property
    def closed(self) -> Truths:
        """Both sides had sent a FIN, or one a reset, and these were accepted, until the refusal."""
        # On the same ports there may have been a connection before, which was closed too.
        number = self.of("number"), self._accepted["number"].to_numpy()
        same, other, passed = shared_ids(
            [self._ids[0], number[0]], [self._ids[1], number[0]], [self._ids[2], number[1]]
        )
        spans = Spans(passed, self._accepted["start"].to_numpy(), self._accepted["end"].to_numpy())
        always, until = np.zeros(len(self.cases), np.int64), self.of("last")
        fin, rst = self._flagged(lambda flags: (flags & FIN) > 0), self._flagged(lambda flags: (flags & RST) > 0)
        fins = [spans.count(ids, always, until, fin) > 0 for ids in (same, other)]
        rsts = [spans.count(ids, always, until, rst) > 0 for ids in (same, other)]
        return (fins[0] & fins[1]) | rsts[0] | rsts[1]

    @cached_property
    def goes_on(self) -> Truths:
        """The conversation is still accepted in some direction after the refusal had begun."""
        first, last = self.of("first") + 1, self.of("last") + self.reach
        return np.logical_or(*(self._passed.count(ids, first, last) > 0 for ids in self._ids[:2]))

    # --- Another interface of the instance ---

    @cached_property
    def request_came_elsewhere(self) -> Truths:
        """The other direction was accepted at another interface of the same instance, near in time."""
        instance = self.homes.instance
        accepted = self._accepted
        asked = [
            instance[self.of("interface")],
            self.of("conversation"),
            1 - self.of("forward").astype(np.int64),
        ]
        told = [
            instance[accepted["interface"].to_numpy()],
            accepted["conversation"].to_numpy(),
            accepted["forward"].to_numpy(np.int64),
        ]
        asked_id, told_id = shared_ids(asked, told)
        way = accepted["egress"].to_numpy()
        spans = Spans(told_id, accepted["start"].to_numpy(), accepted["end"].to_numpy())
        first, last = self.of("first") - self.reach, self.of("last") + self.reach
        came = [spans.count(asked_id, first, last, way == side) > 0 for side in (EGRESS, 1 - EGRESS)]
        elsewhere = np.where(self.is_egress, came[1], came[0])
        known: Truths = elsewhere & ~self.other_way_passed & (instance[self.of("interface")] >= 0)
        return known


def _is_request(flags: Numbers) -> Truths:
    asks: Truths = (flags >= 0) & ((flags & (SYN | ACK)) == SYN)
    return asks
