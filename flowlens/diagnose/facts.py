"""What is known around each case: its own conversation, and what was accepted with the same values elsewhere.

A network ACL sees direction, protocol, remote address and destination port (or ICMP type and code) of a packet, and
nothing else: https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html. So one packet that it let pass in the
subnet tells what it makes of all others with these values.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from flowlens.diagnose.around import USUAL_TCP_IDLE, Around
from flowlens.diagnose.evidence import UNKNOWN
from flowlens.diagnose.spans import Numbers, Spans, Truths, shared_ids

__all__ = ["STABLE", "Facts"]

#: A change of rules takes effect within this time, so that what was accepted so near tells of the rules at the refusal.
_PROPAGATION = 120
#: Rules that were the same before and after are taken for the same in between, over this time.
STABLE = 3600


class Facts(Around):
    """All that is known of each case."""

    @cached_property
    def _doubtful(self) -> Truths:
        """Tell of what was accepted alike whether its own interface refused the same near in time: a rule changed."""
        alike, related = self.evidence.alike, self.evidence.related
        refused = related[related["rejected"]]
        values = [
            *(refused[name].to_numpy() for name in ("interface", "egress", "remote", "protocol")),
            np.where(refused["forward"], refused["b_port"], refused["a_port"]),
        ]
        told = [alike[name].to_numpy() for name in ("interface", "egress", "remote", "protocol", "dstport")]
        told_id, refused_id = shared_ids(told, values)
        spans = Spans(refused_id, refused["start"].to_numpy(), refused["end"].to_numpy())
        first, last = alike["start"].to_numpy() - self._near, alike["end"].to_numpy() + self._near
        return spans.count(told_id, first, last) > 0

    @property
    def _near(self) -> int:
        """Seconds from a refusal within which rules are the same, unless something speaks against it."""
        return self.evidence.interval + _PROPAGATION

    def _alike(self, asked_place: Numbers, told_place: Numbers) -> tuple[Numbers, Spans]:
        """Number what a network ACL sees, together with a place."""
        alike, values = self.evidence.alike, ["egress", "remote", "protocol"]
        asked = [asked_place, *(self.of(name) for name in values), self.of("dst_port")]
        told = [told_place, *(alike[name].to_numpy() for name in values), alike["dstport"].to_numpy()]
        asked_id, told_id = shared_ids(asked, told)
        return asked_id, Spans(told_id, alike["start"].to_numpy(), alike["end"].to_numpy())

    @cached_property
    def _alike_in_subnet(self) -> tuple[Numbers, Spans]:
        return self._alike(
            self._acl_of(self.of("interface")), self._acl_of(self.evidence.alike["interface"].to_numpy())
        )

    @cached_property
    def _alike_here(self) -> tuple[Numbers, Spans]:
        return self._alike(self.of("interface"), self.evidence.alike["interface"].to_numpy())

    def _acl_of(self, interface: Numbers) -> Numbers:
        """Number the subnets; an interface of which the subnet is not known stands for itself."""
        subnet = self.homes.subnet[interface]
        return np.where(subnet >= 0, subnet, len(self.homes.subnets) + interface)

    @property
    def _opens_alike(self) -> Truths:
        opens: Truths = self.evidence.alike["opens"].to_numpy() > 0
        return opens

    def _told_by_others(self, first: Numbers, last: Numbers) -> Truths:
        """Tell whether the network ACL let the values pass between two times.

        New connections at the interface itself do not count: they show that its rules changed, whichever. Nor does what
        is doubtful elsewhere; at the interface itself it is the refusal in question that makes it so.
        """
        (ids, spans), (here_ids, here) = self._alike_in_subnet, self._alike_here
        doubtful, opens = self._doubtful, self._opens_alike
        sound = spans.count(ids, first, last, ~doubtful) - here.count(here_ids, first, last, ~doubtful & opens)
        return (sound > 0) | (here.count(here_ids, first, last, doubtful & ~opens) > 0)

    @cached_property
    def acl_passes(self) -> Truths:
        """Packets with these values were accepted in this subnet, so near that the rules were the same.

        Proof for what the network ACL can tell apart by the values logged, which is not so for ICMP.
        """
        first, last = self.of("first"), self.of("last")
        beside = self._told_by_others(first - self._near, last + self._near)
        around = self._told_by_others(first - STABLE, first) & self._told_by_others(last, last + STABLE)
        # Whoever has an interface in the subnet may have sent by that one, past the network ACL.
        passes_by = self.homes.reaches(self.of("remote"), self.subnet, self.evidence)
        return (beside | around) & ~passes_by & ~self.is_icmp & self.knows_way & ~self.cut_off

    @cached_property
    def cut_off(self) -> Truths:
        """An open connection with these values was refused in this subnet, near in time: a rule changed.

        What such connections had accepted before tells nothing of the rules after.
        """
        timeout = self.homes.idle_timeout[self.of("interface")]
        remembered = self.idle <= np.where(timeout == UNKNOWN, USUAL_TCP_IDLE, timeout)
        cut = self.is_tail & self.passed_before & ~self.closed & remembered
        values = [self._acl_of(self.of("interface")), *(self.of(n) for n in ("egress", "remote", "protocol"))]
        ids = shared_ids([*values, self.of("dst_port")])[0]
        first, last = self.of("first"), self.of("last")
        return Spans(ids, first, last).count(ids, first - self._near, last + self._near, cut) > 0

    @cached_property
    def acl_passed_once(self) -> Truths:
        """The same elsewhere in the subnet, at any time of the log: rules may have changed since, so it is a hint."""
        ids, spans = self._alike_in_subnet
        here_ids, here = self._alike_here
        never, always = np.zeros(len(ids), np.int64), np.full(len(ids), 1 << 32)
        elsewhere = spans.count(ids, never, always) - here.count(here_ids, never, always, self._opens_alike)
        return (elsewhere > 0) & ~self.is_icmp & self.knows_way

    @cached_property
    def alike_record(self) -> Numbers:
        """The place in `alike` of what is nearest, or `NEVER`."""
        ids, spans = self._alike_in_subnet
        return spans.nearest(ids, self.of("last"))

    @cached_property
    def new_ones_pass_here(self) -> Truths:
        """At this very interface, SYNs with these values are accepted, near in time: its rules let them in."""
        ids, spans = self._alike_here
        opened: Truths = self._opens_alike
        return spans.count(ids, self.of("first") - self._near, self.of("last") + self._near, opened) > 0

    @cached_property
    def same_values_pass_here(self) -> Truths:
        """At this very interface, packets with these values are accepted, near in time, be they new or not."""
        ids, spans = self._alike_here
        return spans.count(ids, self.of("first") - self._near, self.of("last") + self._near) > 0

    @cached_property
    def groups_pass(self) -> Truths:
        """An interface with the very same security groups accepted new connections with these values, so near."""
        groups = self.homes.groups
        mine, theirs = groups[self.of("interface")], groups[self.evidence.alike["interface"].to_numpy()]
        if (mine == UNKNOWN).all():
            return np.zeros(len(mine), bool)
        ids, spans = self._alike(mine, theirs)
        sound = self._opens_alike & ~self._doubtful
        passes = spans.count(ids, self.of("first") - self._near, self.of("last") + self._near, sound) > 0
        found: Truths = passes & (mine != UNKNOWN) & self.opens & ~self.cut_off
        return found
