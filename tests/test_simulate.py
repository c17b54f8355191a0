"""The simulator against records worked out by hand from the AWS documentation."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlens import schema
from flowlens.errors import TopologyError
from flowlens.simulate import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Conversation,
    Host,
    Interface,
    NetworkAcl,
    Repeat,
    Rule,
    RuleChange,
    SecurityGroup,
    SkippedWindow,
    Subnet,
    World,
    simulate,
)

A, B, C, NAT = "eni-a", "eni-b", "eni-c", "eni-nat"
IP_A, IP_B, IP_C, IP_NAT = "10.0.1.5", "10.0.2.6", "10.0.1.7", "10.0.0.220"
IP6_A, IP6_B = "2001:db8:0:1::5", "2001:db8:0:2::6"
OUTSIDE = "203.0.113.5"
SHORT = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes action tcp-flags flow-direction"

ANY = (Rule(protocol=ALL, peer="0.0.0.0/0"), Rule(protocol=ALL, peer="::/0"))
OPEN = (
    AclEntry(number=100, action="allow", protocol=ALL, cidr="0.0.0.0/0"),
    AclEntry(number=101, action="allow", protocol=ALL, cidr="::/0"),
)
EPHEMERAL = AclEntry(number=90, action="deny", protocol=TCP, cidr="0.0.0.0/0", ports=(32_768, 65_535))
POSTGRES = AclEntry(number=90, action="deny", protocol=TCP, cidr="0.0.0.0/0", ports=(5_432, 5_432))


def tiny(
    *traffic,
    in_a=(),
    out_a=ANY,
    in_b=ANY,
    out_b=(),
    acl_in_a=(),
    acl_out_a=(),
    acl_in_b=(),
    acl_out_b=(),
    skipped=(),
    timeout=432_000,
):
    """A, C in subnet 1 and B in subnet 2; A and C share a group. Everything is open that is not said to be closed.

    Security groups hold what a client and a server need: A may send all and receives nothing unasked, B the reverse.
    """
    return World(
        cidr="10.0.0.0/16",
        cidr6="2001:db8::/56",
        subnets=(
            Subnet(id="subnet-0", name="public", cidr="10.0.0.0/24", network_acl="acl-0", az="x-1a", az_id="x1-az1"),
            Subnet(id="subnet-1", name="one", cidr="10.0.1.0/24", cidr6="2001:db8:0:1::/64", network_acl="acl-1",
                   az="x-1a", az_id="x1-az1", nat_gateway=NAT, gateway_endpoints=("S3",)),
            Subnet(id="subnet-2", name="two", cidr="10.0.2.0/24", cidr6="2001:db8:0:2::/64", network_acl="acl-2",
                   az="x-1b", az_id="x1-az2"),
        ),
        security_groups=(
            SecurityGroup(id="sg-a", name="a", ingress=in_a, egress=out_a),
            SecurityGroup(id="sg-b", name="b", ingress=in_b, egress=out_b),
        ),
        network_acls=(
            NetworkAcl(id="acl-0", name="0", ingress=OPEN, egress=OPEN),
            NetworkAcl(id="acl-1", name="1", ingress=(*acl_in_a, *OPEN), egress=(*acl_out_a, *OPEN)),
            NetworkAcl(id="acl-2", name="2", ingress=(*acl_in_b, *OPEN), egress=(*acl_out_b, *OPEN)),
        ),
        interfaces=(
            Interface(id=A, name="a", subnet="subnet-1", address=IP_A, address6=IP6_A, security_groups=("sg-a",),
                      instance="i-a", tcp_idle_timeout=timeout),
            Interface(id=C, name="c", subnet="subnet-1", address=IP_C, security_groups=("sg-b",), instance="i-c"),
            Interface(id=B, name="b", subnet="subnet-2", address=IP_B, address6=IP6_B, security_groups=("sg-b",),
                      instance="i-b", public_address="198.51.100.6", tcp_idle_timeout=timeout),
            Interface(id=NAT, name="nat", subnet="subnet-0", address=IP_NAT, security_groups=(), kind="nat_gateway",
                      public_address="198.51.100.1"),
        ),
        hosts=(Host(address="198.51.100.240", name="S3", aws_service="S3"),),
        traffic=traffic,
        skipped=skipped,
    )  # fmt: skip


def call(**changes):
    """One short TCP conversation from A to B, at second 300; retransmissions off."""
    plan = Conversation(start=300.0, initiator=A, responder=B, responder_port=5_432, initiator_port=40_000,
                        bytes_up=100, bytes_down=1_000, syn_retries=0)  # fmt: skip
    return replace(plan, **changes)


def lines(world, *, fields=SHORT, interval=600, **options):
    """The records with traffic, as strings, sorted."""
    sim = simulate(world, fields=f"{fields} log-status", interval=interval, **options)
    return sorted(r.line.removesuffix(" OK") for r in sim.lines if r.line.endswith(" OK"))


def blocked(world):
    row = simulate(world).truth.iloc[0]
    return None if pd.isna(row.blocked_by) else (row.blocked_by, row.blocked_at, row.interface_id)


# A sends SYN 60, ACK 52, 100 of data in 152, FIN 52, ACK 52: 5 packets, 368 bytes, flags SYN and FIN.
# B sends SYN-ACK 60, ACK 52, 1000 of data in 1052, FIN 52: 4 packets, 1216 bytes, flags SYN-ACK and FIN.
A_SENDS = f"{A} {IP_A} {IP_B} 40000 5432 6 5 368 ACCEPT 3 egress"
B_HEARS = f"{B} {IP_A} {IP_B} 40000 5432 6 5 368 ACCEPT 3 ingress"
B_SENDS = f"{B} {IP_B} {IP_A} 5432 40000 6 4 1216 ACCEPT 19 egress"
A_HEARS = f"{A} {IP_B} {IP_A} 5432 40000 6 4 1216 ACCEPT 19 ingress"


def syn(interface, action, direction):
    return f"{interface} {IP_A} {IP_B} 40000 5432 6 1 60 {action} 2 {direction}"


def syn_acks(interface, action, direction):
    # Nobody acknowledges: the SYN-ACK and its five repetitions.
    return f"{interface} {IP_B} {IP_A} 5432 40000 6 6 360 {action} 18 {direction}"


class TestFilters:
    def test_allowed_conversation_shows_in_four_records(self):
        world = tiny(call())
        assert lines(world) == sorted([A_SENDS, B_HEARS, B_SENDS, A_HEARS])
        assert blocked(world) is None

    def test_security_group_refuses_in(self):
        world = tiny(call(), in_b=())
        assert lines(world) == sorted([syn(A, "ACCEPT", "egress"), syn(B, "REJECT", "ingress")])
        assert blocked(world) == ("SG_IN", B, B)

    def test_security_group_refuses_out(self):
        world = tiny(call(), out_a=())
        assert lines(world) == [syn(A, "REJECT", "egress")]
        assert blocked(world) == ("SG_OUT", A, A)

    def test_network_acl_refuses_in(self):
        world = tiny(call(), acl_in_b=(POSTGRES,))
        assert lines(world) == sorted([syn(A, "ACCEPT", "egress"), syn(B, "REJECT", "ingress")])
        assert blocked(world) == ("NACL_IN", "subnet-2", B)

    def test_network_acl_refuses_out(self):
        world = tiny(call(), acl_out_a=(POSTGRES,))
        assert lines(world) == [syn(A, "REJECT", "egress")]
        assert blocked(world) == ("NACL_OUT", "subnet-1", A)

    def test_network_acl_refuses_the_reply_where_it_leaves(self):
        world = tiny(call(), acl_out_b=(EPHEMERAL,))
        expected = [syn(A, "ACCEPT", "egress"), syn(B, "ACCEPT", "ingress"), syn_acks(B, "REJECT", "egress")]
        assert lines(world) == sorted(expected)
        assert blocked(world) == ("NACL_OUT", "subnet-2", B)

    def test_network_acl_refuses_the_reply_where_it_arrives(self):
        world = tiny(call(), acl_in_a=(EPHEMERAL,))
        expected = [
            syn(A, "ACCEPT", "egress"),
            syn(B, "ACCEPT", "ingress"),
            syn_acks(B, "ACCEPT", "egress"),
            syn_acks(A, "REJECT", "ingress"),
        ]
        assert lines(world) == sorted(expected)
        assert blocked(world) == ("NACL_IN", "subnet-1", A)

    def test_security_group_is_asked_first_on_the_way_out_and_last_on_the_way_in(self):
        assert blocked(tiny(call(), out_a=(), acl_out_a=(POSTGRES,)))[0] == "SG_OUT"
        assert blocked(tiny(call(), in_b=(), acl_in_b=(POSTGRES,)))[0] == "NACL_IN"

    def test_same_subnet_skips_network_acls(self):
        world = tiny(call(responder=C), acl_in_a=(POSTGRES, replace(EPHEMERAL, number=91)), acl_out_a=(POSTGRES,))
        assert len(lines(world)) == 4
        assert blocked(world) is None

    def test_group_reference_means_the_addresses_of_its_members(self):
        by_member = (Rule(protocol=TCP, peer="sg-a", ports=(5_432, 5_432)),)
        assert blocked(tiny(call(), in_b=by_member)) is None
        # C carries another group.
        assert blocked(tiny(call(initiator=C, initiator_port=0), in_b=by_member, out_b=ANY)) == ("SG_IN", B, B)

    def test_lowest_number_decides_whatever_the_order_of_writing(self):
        allow = AclEntry(number=80, action="allow", protocol=TCP, cidr="10.0.1.0/24", ports=(5_000, 6_000))
        assert blocked(tiny(call(), acl_in_b=(POSTGRES, allow))) is None
        assert blocked(tiny(call(), acl_in_b=(POSTGRES, replace(allow, number=95)))) == ("NACL_IN", "subnet-2", B)

    @pytest.mark.parametrize(("ipv6", "number"), [(False, 32_767), (True, 32_768)])
    def test_truth_names_the_entry_that_decided(self, ipv6, number):
        world = tiny(call(ipv6=ipv6))
        closed = tuple(replace(acl, ingress=()) if acl.id == "acl-2" else acl for acl in world.network_acls)
        assert simulate(replace(world, network_acls=closed)).truth.rule_number.tolist() == [number]
        assert simulate(tiny(call(), acl_in_b=(POSTGRES,))).truth.rule_number.tolist() == [90]

    def test_ports_mean_nothing_for_protocols_without_them(self):
        gre = call(protocol=47, initiator_port=0, responder_port=0)
        assert blocked(tiny(gre, in_b=(Rule(protocol=47, peer="0.0.0.0/0", ports=(1, 1)),))) is None

    def test_icmp_rule_looks_at_the_type(self):
        ping = call(protocol=ICMP)
        assert blocked(tiny(ping, in_b=(Rule(protocol=ICMP, peer="0.0.0.0/0", ports=(8, -1)),))) is None
        assert blocked(tiny(ping, in_b=(Rule(protocol=ICMP, peer="0.0.0.0/0", ports=(0, -1)),))) == ("SG_IN", B, B)
        no_reply = AclEntry(number=90, action="deny", protocol=ICMP, cidr="0.0.0.0/0", ports=(0, -1))
        assert blocked(tiny(ping, acl_out_b=(no_reply,))) == ("NACL_OUT", "subnet-2", B)
        assert blocked(tiny(ping, acl_in_b=(no_reply,))) is None


class TestTracking:
    @pytest.mark.parametrize(("pause", "expected"), [(340.0, None), (400.0, ("SG_OUT", B, B))])
    def test_idle_connection_is_forgotten_after_the_timeout(self, pause, expected):
        world = tiny(call(pause=pause), timeout=350)
        assert blocked(world) == expected
        assert simulate(world).truth.cause.dropna().tolist() == ([] if expected is None else ["expired"])

    def test_packet_after_the_close_is_refused_without_a_rule(self):
        world = tiny(call(late=80.0), out_b=ANY)
        assert blocked(world) == ("SG_IN", A, A)
        assert simulate(world).truth.cause.tolist() == ["closed"]
        late = f"{IP_B} {IP_A} 5432 40000 6 1 52"
        assert {f"{A} {late} REJECT 1 ingress", A_HEARS, A_SENDS} <= set(lines(world))

    @pytest.mark.parametrize(("wait", "layer"), [(20.0, None), (40.0, "SG_IN")])
    def test_udp_answer_from_symmetric_ports_is_part_of_the_conversation_for_30_seconds(self, wait, layer):
        up = call(protocol=UDP, responder_port=500, initiator_port=500, bytes_down=0)
        back = replace(up, start=up.start + wait, initiator=B, responder=A)
        truth = simulate(tiny(up, back, out_b=ANY)).truth
        assert truth.blocked_by.astype(object).where(truth.blocked_by.notna(), None).tolist() == [None, layer]

    def test_protocols_without_ports_have_none_and_are_known_by_their_addresses(self):
        there = call(protocol=47, initiator_port=0, responder_port=9)
        got = lines(tiny(there), fields="interface-id srcport dstport protocol action")
        assert got == sorted([f"{A} 0 0 47 ACCEPT"] * 2 + [f"{B} 0 0 47 ACCEPT"] * 2)
        for wait, layer in ((500.0, None), (700.0, "SG_IN")):
            back = replace(there, start=there.start + wait, initiator=B, responder=A)
            truth = simulate(tiny(there, back, out_b=ANY)).truth
            assert truth.blocked_by.astype(object).where(truth.blocked_by.notna(), None).tolist() == [None, layer]

    def test_ping_the_other_way_is_a_conversation_of_its_own(self):
        there = call(protocol=ICMP, exchanges=30, duration=29.0)
        back = replace(there, start=310.0, initiator=B, responder=A)
        assert simulate(tiny(there, back, out_b=ANY)).truth.blocked_by.astype(object).tolist()[1] == "SG_IN"


class TestChanges:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html."""

    long = call(duration=300.0, exchanges=30, bytes_up=3_000, bytes_down=30_000)

    def test_tracked_connection_outlives_its_rule_and_the_next_does_not_begin(self):
        closing = RuleChange(at=400.0, security_group=SecurityGroup(id="sg-b", name="b"))
        world = replace(tiny(self.long, call(start=500.0, initiator_port=40_001)), changes=(closing,))
        truth = simulate(world).truth
        assert truth.blocked_by.astype(object).fillna("").tolist() == ["", "SG_IN"]
        assert truth.cause.astype(object).fillna("").tolist() == ["", "rules"]

    @pytest.mark.parametrize(
        ("left", "expected"),
        [({"egress": ANY}, ("SG_IN", B, B)), ({"ingress": ANY}, ("SG_OUT", B, B)), ({}, ("SG_IN", B, B))],
    )
    def test_connection_that_is_open_to_all_both_ways_is_not_tracked_and_cut_with_its_rules(self, left, expected):
        closing = RuleChange(at=400.0, security_group=SecurityGroup(id="sg-b", name="b", **left))
        world = replace(tiny(self.long, out_b=ANY), changes=(closing,))
        assert blocked(world) == expected
        assert simulate(world).truth.cause.tolist() == ["rules"]

    def test_the_sender_repeats_what_is_cut_and_gives_up(self):
        closing = RuleChange(at=400.0, security_group=SecurityGroup(id="sg-b", name="b", ingress=ANY))
        records = simulate(replace(tiny(self.long, out_b=ANY), changes=(closing,)), fields=f"{SHORT} start").records
        refused = records[records.action == "REJECT"]
        assert (refused.interface_id.unique().tolist(), refused.packets.sum()) == ([B], 6)
        assert not (records.tcp_flags.fillna(0) % 2).any(), "nobody says goodbye"

    def test_nobody_answers_a_goodbye_that_does_not_arrive(self):
        closing = RuleChange(at=300.2015, network_acl=NetworkAcl(id="acl-2", name="2", ingress=(POSTGRES, *OPEN),
                                                              egress=OPEN))  # fmt: skip
        got = lines(replace(tiny(call()), changes=(closing,)), fields="interface-id packets action tcp-flags")
        assert got == sorted([f"{A} 9 ACCEPT 3", f"{B} 3 ACCEPT 2", f"{B} 6 REJECT 1",
                              f"{B} 3 ACCEPT 18", f"{A} 3 ACCEPT 18"])  # fmt: skip

    @pytest.mark.parametrize("rules", [{"ports": (0, 65_535)}, {"ports": (1_024, 65_535)}])
    def test_answers_to_every_port_make_a_connection_untracked(self, rules):
        out = (Rule(protocol=TCP, peer="0.0.0.0/0", **rules),)
        closing = RuleChange(at=400.0, security_group=SecurityGroup(id="sg-b", name="b", egress=out))
        world = replace(tiny(self.long, out_b=out), changes=(closing,))
        assert blocked(world) == (("SG_IN", B, B) if rules["ports"][0] == 0 else None)

    def test_what_goes_through_a_nat_gateway_is_always_tracked(self):
        closing = RuleChange(at=400.0, security_group=SecurityGroup(id="sg-a", name="a"))
        world = tiny(replace(self.long, responder=OUTSIDE), in_a=ANY)
        assert blocked(replace(world, changes=(closing,))) is None
        assert blocked(replace(tiny(self.long, in_a=ANY), changes=(closing,))) == ("SG_OUT", A, A)

    def test_network_acl_cuts_every_connection(self):
        for out in ((), ANY):
            closing = RuleChange(at=400.0, network_acl=NetworkAcl(id="acl-2", name="2", ingress=(POSTGRES, *OPEN),
                                                                  egress=OPEN))  # fmt: skip
            world = replace(tiny(self.long, out_b=out), changes=(closing,))
            assert blocked(world) == ("NACL_IN", "subnet-2", B)

    def test_pings_are_answered_until_the_change(self):
        no_reply = AclEntry(number=90, action="deny", protocol=ICMP, cidr="0.0.0.0/0", ports=(0, -1))
        closing = RuleChange(at=310.5, network_acl=NetworkAcl(id="acl-2", name="2", ingress=OPEN,
                                                              egress=(no_reply, *OPEN)))  # fmt: skip
        world = replace(tiny(call(protocol=ICMP, exchanges=21, duration=20.0)), changes=(closing,))
        got = lines(world, fields="interface-id flow-direction packets action")
        assert got == sorted([f"{A} egress 21 ACCEPT", f"{B} ingress 21 ACCEPT", f"{B} egress 11 ACCEPT",
                              f"{B} egress 10 REJECT", f"{A} ingress 11 ACCEPT"])  # fmt: skip

    def test_repaired_between_two_tries(self):
        opening = RuleChange(at=302.0, security_group=SecurityGroup(id="sg-b", name="b", ingress=ANY))
        world = replace(tiny(call(syn_retries=3), in_b=()), changes=(opening,))
        heard = [line for line in lines(world) if line.startswith(f"{B} {IP_A}")]
        assert [line.split()[6::2] for line in heard] == [["2", "REJECT", "ingress"], ["5", "ACCEPT", "ingress"]]
        assert [refused.refusal.layer for refused in simulate(world).refusals] == ["SG_IN", "SG_IN"]

    def test_every_refusal_is_told_with_its_filter_and_time(self):
        moved = (
            RuleChange(at=302.0, security_group=SecurityGroup(id="sg-b", name="b", ingress=ANY)),
            RuleChange(at=302.0, network_acl=NetworkAcl(id="acl-2", name="2", ingress=(POSTGRES, *OPEN), egress=OPEN)),
        )
        sim = simulate(replace(tiny(call(syn_retries=2), in_b=()), changes=moved), start="1970-01-01")
        assert [(r.at, r.key.egress, r.refusal.layer) for r in sim.refusals] == [
            (300.0, False, "SG_IN"), (301.0, False, "SG_IN"), (303.0, False, "NACL_IN"),
        ]  # fmt: skip

    def test_a_change_replaces_one_filter_that_there_is(self):
        with pytest.raises(TopologyError, match="one filter"):
            RuleChange(at=1.0)
        with pytest.raises(TopologyError, match="sg-x"):
            replace(tiny(), changes=(RuleChange(at=1.0, security_group=SecurityGroup(id="sg-x", name="x")),))
        with pytest.raises(TopologyError, match="acl-x"):
            replace(tiny(), changes=(RuleChange(at=1.0, network_acl=NetworkAcl(id="acl-x", name="x")),))

    def test_ports_used_again_are_a_new_connection(self):
        again = call(start=600.0)
        world = tiny(call(), again)
        assert simulate(world).truth.blocked_by.isna().all()
        assert len(lines(world, interval=60)) == 8
        closing = RuleChange(at=500.0, security_group=SecurityGroup(id="sg-b", name="b"))
        truth = simulate(replace(world, changes=(closing,))).truth
        assert truth.cause.astype(object).fillna("").tolist() == ["", "rules"]


class TestTwoInterfaces:
    @staticmethod
    def world(plan, **changes):
        world = tiny(plan, **changes)
        second = Interface(id="eni-b2", name="b2", subnet="subnet-0", address="10.0.0.9", security_groups=("sg-b",),
                           instance="i-b")  # fmt: skip
        return replace(world, interfaces=(*world.interfaces, second))

    def test_group_of_the_second_interface_has_not_seen_the_request(self):
        assert blocked(self.world(call(reply_from="eni-b2"))) == ("SG_OUT", "eni-b2", "eni-b2")

    def test_reply_shows_the_second_interface_and_the_address_that_was_asked(self):
        world = self.world(call(reply_from="eni-b2"), out_b=ANY)
        assert blocked(world) is None
        got = lines(world, fields="interface-id instance-id flow-direction srcaddr pkt-srcaddr")
        assert f"eni-b2 i-b egress 10.0.0.9 {IP_B}" in got
        assert f"{A} i-a ingress {IP_B} {IP_B}" in got
        assert not [line for line in got if line.startswith(f"{B} i-b egress")]

    def test_network_acl_is_that_of_the_subnet_that_is_left(self):
        world = self.world(call(reply_from="eni-b2"), out_b=ANY, acl_out_b=(EPHEMERAL,))
        assert blocked(world) is None
        closed = replace(world.network_acls[0], egress=(EPHEMERAL, *OPEN))
        world = replace(world, network_acls=(closed, *world.network_acls[1:]))
        assert blocked(world) == ("NACL_OUT", "subnet-0", "eni-b2")

    @pytest.mark.parametrize("plan", [{"reply_from": "eni-x"}, {"reply_from": "eni-b2", "responder": OUTSIDE}])
    def test_second_interface_must_be_there_and_belong_to_a_responder(self, plan):
        with pytest.raises(TopologyError, match="Replies from"):
            simulate(self.world(call(**plan)))


class TestTrafficType:
    @pytest.mark.parametrize(("kind", "count"), [("ALL", 6), ("ACCEPT", 5), ("REJECT", 1)])
    def test_log_captures_what_it_was_made_for(self, kind, count):
        denied = AclEntry(number=91, action="deny", protocol=TCP, cidr="0.0.0.0/0", ports=(22, 22))
        world = replace(tiny(call(), call(responder_port=22), acl_in_b=(denied,)), traffic_type=kind)
        sim = simulate(world, interval=600)
        assert len([line for line in sim.lines if line.line.split()[13] == "OK"]) == count
        assert set(sim.records.action.dropna()) == ({"ACCEPT", "REJECT"} if kind == "ALL" else {kind})
        assert sim.topology["flow-logs"]["FlowLogs"][0]["TrafficType"] == kind

    def test_interface_with_nothing_to_capture_says_so(self):
        records = simulate(replace(tiny(call()), traffic_type="REJECT"), interval=600, hours=0.1).records
        assert set(records.log_status) == {"NODATA"}


class TestHosts:
    def test_refused_port_answers_with_a_reset(self):
        expected = [
            syn(A, "ACCEPT", "egress"),
            syn(B, "ACCEPT", "ingress"),
            f"{A} {IP_B} {IP_A} 5432 40000 6 1 40 ACCEPT 4 ingress",
            f"{B} {IP_B} {IP_A} 5432 40000 6 1 40 ACCEPT 4 egress",
        ]
        assert lines(tiny(call(answer="refuse"))) == sorted(expected)

    def test_silent_host_gets_every_retry(self):
        got = lines(tiny(call(answer="silent", syn_retries=6)), hours=1.0)
        assert [line.split()[6:8] for line in got] == [["7", "420"]] * 2

    def test_half_open_scan_sends_syn_and_reset(self):
        got = lines(tiny(call(close="reset", bytes_up=0, bytes_down=0)), fields="interface-id packets tcp-flags")
        assert got == sorted([f"{A} 2 6", f"{B} 2 6", f"{A} 1 18", f"{B} 1 18"])

    def test_every_syn_and_every_timer_brings_a_syn_ack(self):
        # Seven SYNs (the first and six retries) are answered, and five more answers come by themselves.
        world = tiny(call(syn_retries=6), acl_out_b=(EPHEMERAL,))
        records = simulate(world, fields=SHORT).records
        assert records[records.action == "REJECT"].packets.sum() == 12

    def test_connection_without_data(self):
        # SYN 60, ACK 52, FIN 52, ACK 52 against SYN-ACK 60, FIN 52.
        got = lines(tiny(call(bytes_up=0, bytes_down=0)), fields="interface-id packets bytes tcp-flags")
        assert got == [f"{A} 2 112 19", f"{A} 4 216 3", f"{B} 2 112 19", f"{B} 4 216 3"]

    def test_udp(self):
        dns = call(protocol=UDP, responder_port=53, bytes_up=40, bytes_down=120)
        assert lines(tiny(dns)) == sorted(
            [
                f"{A} {IP_A} {IP_B} 40000 53 17 1 68 ACCEPT 0 egress",
                f"{B} {IP_A} {IP_B} 40000 53 17 1 68 ACCEPT 0 ingress",
                f"{B} {IP_B} {IP_A} 53 40000 17 1 148 ACCEPT 0 egress",
                f"{A} {IP_B} {IP_A} 53 40000 17 1 148 ACCEPT 0 ingress",
            ]
        )

    def test_udp_one_way(self):
        assert len(lines(tiny(call(protocol=UDP, responder_port=514, bytes_down=0)))) == 2

    def test_ipv6_headers_are_longer_and_the_type_says_so(self):
        got = lines(tiny(call(ipv6=True)), fields=f"{SHORT} type")
        # 20 bytes more in each of the 5 and 4 packets.
        assert f"{A} {IP6_A} {IP6_B} 40000 5432 6 5 468 ACCEPT 3 egress IPv6" in got
        assert f"{B} {IP6_B} {IP6_A} 5432 40000 6 4 1296 ACCEPT 19 egress IPv6" in got

    def test_icmpv6(self):
        got = lines(tiny(call(protocol=ICMPV6, ipv6=True)), fields="interface-id srcport dstport protocol bytes")
        assert got == [f"{A} 0 0 58 104"] * 2 + [f"{B} 0 0 58 104"] * 2


class TestAwsExamples:
    def test_ping_of_a_server_whose_network_acl_refuses_the_reply(self):
        """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html, security group and ACL."""
        inbound = (Rule(protocol=ICMP, peer="0.0.0.0/0"),)
        no_icmp = AclEntry(number=90, action="deny", protocol=ICMP, cidr="0.0.0.0/0")
        ping = call(initiator=OUTSIDE, protocol=ICMP, exchanges=4, duration=3.0)
        default = "srcaddr dstaddr srcport dstport protocol packets bytes action"
        world = tiny(ping, in_b=inbound, acl_out_b=(no_icmp,))
        assert lines(world, fields=default) == sorted(
            [
                f"{OUTSIDE} {IP_B} 0 0 1 4 336 ACCEPT",
                f"{IP_B} {OUTSIDE} 0 0 1 4 336 REJECT",
            ]
        )
        both = [f"{OUTSIDE} {IP_B} 0 0 1 4 336 ACCEPT", f"{IP_B} {OUTSIDE} 0 0 1 4 336 ACCEPT"]
        assert lines(tiny(ping, in_b=inbound), fields=default) == sorted(both)
        assert lines(tiny(ping, in_b=()), fields=default) == [f"{OUTSIDE} {IP_B} 0 0 1 4 336 REJECT"]

    def test_nat_gateway(self):
        """The same page, traffic through a NAT gateway: six records, the near address and the one in the packet."""
        fields = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr"
        assert lines(tiny(call(responder=OUTSIDE, responder_port=443)), fields=fields) == sorted(
            [
                f"- {NAT} {IP_A} {IP_NAT} {IP_A} {OUTSIDE}",
                f"- {NAT} {IP_NAT} {OUTSIDE} {IP_NAT} {OUTSIDE}",
                f"- {NAT} {OUTSIDE} {IP_NAT} {OUTSIDE} {IP_NAT}",
                f"- {NAT} {IP_NAT} {IP_A} {OUTSIDE} {IP_A}",
                f"i-a {A} {IP_A} {OUTSIDE} {IP_A} {OUTSIDE}",
                f"i-a {A} {OUTSIDE} {IP_A} {OUTSIDE} {IP_A}",
            ]
        )

    def test_unasked_packet_at_a_nat_gateway_is_accepted_and_not_answered(self):
        got = lines(tiny(call(initiator=OUTSIDE, responder=NAT)), fields="interface-id action tcp-flags")
        assert got == [f"{NAT} ACCEPT 2"]

    def test_path_and_service(self):
        fields = "interface-id flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service"
        assert lines(tiny(call(responder="198.51.100.240")), fields=fields) == [
            f"{A} egress 7 - S3",
            f"{A} ingress - S3 -",
        ]
        assert set(lines(tiny(call()), fields=fields)) == {
            f"{i} {d} - -" for i in (A, B) for d in ("egress 1", "ingress -")
        }
        through_nat = lines(tiny(call(responder=OUTSIDE)), fields=fields)
        assert through_nat.count(f"{NAT} egress 8 - -") == 1
        assert f"{A} egress 1 - -" in through_nat

    def test_instance_with_a_public_address_shows_its_private_one(self):
        got = lines(tiny(call(initiator=B, responder=OUTSIDE), out_b=ANY), fields="srcaddr dstaddr traffic-path")
        assert got == [f"{IP_B} {OUTSIDE} 8", f"{OUTSIDE} {IP_B} -"]

    def test_network_acls_along_a_nat_gateway_see_the_internet_host(self):
        deny = AclEntry(number=90, action="deny", protocol=TCP, cidr=f"{OUTSIDE}/32")
        call_out = call(responder=OUTSIDE, responder_port=443)
        assert blocked(tiny(call_out, acl_in_a=(deny,))) == ("NACL_IN", "subnet-1", A)
        world = tiny(call_out)
        nat_acl = replace(world.network_acls[0], ingress=(deny, *OPEN))
        world = replace(world, network_acls=(nat_acl, *world.network_acls[1:]))
        assert blocked(world) == ("NACL_IN", "subnet-0", NAT)


class TestWindows:
    def test_flags_of_a_long_connection_split_over_windows(self):
        long = call(start=100.0, duration=150.0, exchanges=40, bytes_up=4_000, bytes_down=4_000)
        records = simulate(tiny(long), fields=f"{SHORT} start end").records
        for interface in (A, B):
            for source, first in ((IP_A, 2), (IP_B, 18)):
                flow = records[(records.interface_id == interface) & (records.srcaddr == source)].sort_values("start")
                assert flow.tcp_flags.tolist() == [first, *[0] * (len(flow) - 2), 1]
                assert len(flow) in {3, 4}

    def test_windows_are_contiguous_and_all_told(self):
        world = tiny()
        records = simulate(world, hours=0.5).records
        assert set(records.log_status) == {"NODATA"}
        for _, own in records.groupby("interface_id", observed=True):
            assert own.start.iloc[0] == pd.Timestamp("2026-03-10", tz="UTC")
            assert own.end.iloc[-1] == pd.Timestamp("2026-03-10 00:30", tz="UTC")
            assert own.start.tolist()[1:] == own.end.tolist()[:-1]
            assert (own.end - own.start).iloc[1:-1].eq(pd.Timedelta("60s")).all()

    def test_interface_has_either_records_or_a_nodata_record_in_a_window(self):
        world = tiny(Repeat(name="x", conversation=call(start=0.0, initiator_port=0), every=97.0))
        records = simulate(world, hours=1.0).records
        quiet = records[(records.log_status == "NODATA") & (records.interface_id == A)]
        busy = records[(records.log_status == "OK") & (records.interface_id == A)]
        for start, end in zip(quiet.start, quiet.end, strict=True):
            assert not ((busy.end >= start) & (busy.start < end)).any()
        assert len(quiet) + busy.start.nunique() >= 60

    def test_nodata_record_keeps_what_belongs_to_the_interface(self):
        sim = simulate(tiny(), hours=0.01, fields=[f.name for f in schema.VPC_FIELDS])
        values = dict(zip(sim.fields, sim.lines[0].line.split(" "), strict=True))
        assert 1_773_100_800 < int(values.pop("end")) <= 1_773_100_836
        filled = {name: value for name, value in values.items() if value != "-"}
        assert filled == {
            "version": "11", "account-id": "123456789012", "interface-id": A, "start": "1773100800",
            "log-status": "NODATA", "vpc-id": "vpc-0a1b2c3d4e5f60718", "subnet-id": "subnet-1", "instance-id": "i-a",
            "region": "eu-west-1", "az-id": "x1-az1", "interface-type": "interface",
        }  # fmt: skip

    def test_skipdata_takes_the_records_of_its_window_and_no_other(self):
        calls = Repeat(name="x", conversation=call(start=0.0, initiator_port=0), every=5.0)
        whole = simulate(tiny(calls), hours=0.25)
        lost = simulate(tiny(calls, skipped=(SkippedWindow(interface=A, at=400.0),)), hours=0.25)
        marks = [r.line for r in lost.lines if " SKIPDATA " in r.line]
        assert len(marks) == 1
        missing = {r.line for r in whole.lines} - {r.line for r in lost.lines}
        start, end = (int(marks[0].split()[lost.fields.index(name)]) for name in ("start", "end"))
        column = lost.fields.index("start")
        assert missing
        assert all(start <= int(line.split()[column]) < end and f" {A} " in line for line in missing)
        part = simulate(tiny(calls, skipped=(SkippedWindow(interface=A, at=400.0, share=0.5),)), hours=0.25)
        assert len(lost.lines) < len(part.lines) < len(whole.lines) + 1

    def test_600_second_windows_hold_what_60_second_windows_hold(self):
        world = tiny(call(duration=900.0, bytes_up=5_000_000, bytes_down=90_000_000))
        sums = [simulate(world, interval=i).records.groupby(["interface_id", "srcaddr"], observed=True)[
            ["packets", "bytes"]].sum() for i in (60, 600)]  # fmt: skip
        pd.testing.assert_frame_equal(*sums)


class TestFormats:
    def test_default_and_custom_order(self):
        world = tiny(call())
        fields = "${end} ${dstport} ${bytes}"
        sim = simulate(world, fields=fields, interval=600)
        assert sim.text.splitlines()[0] == "end dstport bytes"
        assert sim.topology["flow-logs"]["FlowLogs"][0]["LogFormat"] == fields
        assert len(simulate(world, fields="default").fields) == 14
        assert len(simulate(world).fields) == 29

    @pytest.mark.parametrize(("fields", "version"), [(["version", "bytes"], "2"), (["az-id", "version"], "4"),
                                                     (["version", "interface-type", "tcp-flags"], "11")])  # fmt: skip
    def test_version_is_the_highest_of_the_chosen_fields(self, fields, version):
        sim = simulate(tiny(), fields=fields, hours=0.1)
        assert sim.lines[0].line.split()[sim.fields.index("version")] == version

    def test_every_line_has_one_token_per_field(self):
        sim = simulate(hours=0.2, fields=[f.name for f in schema.VPC_FIELDS])
        assert {len(r.line.split(" ")) for r in sim.lines} == {54}

    def test_mistakes_are_named(self):
        with pytest.raises(ValueError, match="bites"):
            simulate(tiny(), fields="version bites")
        with pytest.raises(ValueError, match="60 or 600"):
            simulate(tiny(), interval=300)
        with pytest.raises(ValueError, match="above 0"):
            simulate(tiny(), hours=0)

    def test_repr_counts(self):
        assert repr(simulate(tiny(call()), interval=600, hours=0.1)).endswith("records of 1 conversations>")

    def test_records_are_what_read_gives(self):
        records = simulate(tiny(call())).records
        assert str(records.start.dtype) == "datetime64[s, UTC]"
        assert str(records.bytes.dtype) == "Int64"
        assert records.action.dtype == "category"


class TestWorld:
    def test_contradictions_are_named(self):
        world = tiny()
        with pytest.raises(TopologyError, match="subnet-9"):
            replace(world, interfaces=(replace(world.interfaces[0], subnet="subnet-9"),))
        first, *others = world.interfaces
        with pytest.raises(TopologyError, match="outside"):
            replace(world, interfaces=(replace(first, address="10.9.9.9"), *others))
        with pytest.raises(TopologyError, match="2001:db8:0:1::5"):
            replace(world, interfaces=(replace(first, address6="2001:db8:0:1:0:0:0:5"), *others))
        with pytest.raises(TopologyError, match="unique"):
            tiny(acl_in_a=(POSTGRES, EPHEMERAL))

    @pytest.mark.parametrize(
        ("ends", "message"),
        [
            ({"initiator": OUTSIDE, "responder": "203.0.113.9"}, "Neither"),
            ({"initiator": OUTSIDE, "responder": A}, "no public address"),
            ({"initiator": C, "responder": B, "ipv6": True}, "IPv6"),
            ({"responder": "eni-x"}, "eni-x"),
            ({"initiator": NAT, "responder": OUTSIDE}, "no public address"),
        ],
    )
    def test_impossible_conversations_are_named(self, ends, message):
        world = tiny(call(**ends))
        hidden = tuple(replace(i, public_address=None) if i.id == NAT else i for i in world.interfaces)
        with pytest.raises(TopologyError, match=message):
            simulate(replace(world, interfaces=hidden))


def test_same_seed_same_records_and_a_longer_run_begins_like_a_shorter_one():
    one, two, other = (simulate(seed=seed, hours=0.3) for seed in (1, 1, 2))
    assert one.lines == two.lines
    pd.testing.assert_frame_equal(one.truth, two.truth)
    assert one.lines != other.lines
    longer = simulate(seed=1, hours=0.6)
    assert longer.truth.start.tolist()[: len(one.truth)] == one.truth.start.tolist()


def test_adding_an_actor_changes_no_other():
    first = Repeat(name="first", conversation=call(initiator_port=0), every=50.0, jitter=20.0, vary=0.5)
    second = Repeat(name="second", conversation=call(initiator=C, initiator_port=0), every=40.0, jitter=9.0)
    alone = simulate(tiny(first)).truth
    together = simulate(tiny(second, first)).truth
    assert together[together.initiator == IP_A].start.tolist() == alone.start.tolist()


# --- any small world -------------------------------------------------------------------------------------------------

CIDRS = ("0.0.0.0/0", "10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/24", f"{IP_A}/32", f"{IP_B}/32")
PORTS = (None, (22, 22), (443, 5_432), (0, 32_767), (32_768, 65_535))
PROTOCOLS = (TCP, UDP, ALL)

rules = st.lists(
    st.builds(Rule, protocol=st.sampled_from(PROTOCOLS), peer=st.sampled_from((*CIDRS, "sg-a", "sg-b")),
              ports=st.sampled_from(PORTS)),
    max_size=3,
).map(tuple)  # fmt: skip
entries = st.lists(
    st.builds(AclEntry, number=st.integers(1, 99), action=st.sampled_from(("allow", "deny")),
              protocol=st.sampled_from(PROTOCOLS), cidr=st.sampled_from(CIDRS), ports=st.sampled_from(PORTS)),
    max_size=4, unique_by=lambda e: e.number,
).map(tuple)  # fmt: skip
plans = st.builds(
    Conversation,
    start=st.floats(0, 500),
    initiator=st.sampled_from((A, B, C)),
    responder=st.sampled_from((A, B, C)),
    protocol=st.sampled_from((TCP, UDP)),
    responder_port=st.sampled_from((22, 443, 5_432, 8_080)),
    bytes_up=st.integers(0, 100_000),
    bytes_down=st.integers(0, 1_000_000),
    exchanges=st.integers(1, 20),
    duration=st.floats(0, 400),
    answer=st.sampled_from(("serve", "refuse", "silent")),
).filter(lambda plan: plan.initiator != plan.responder)
worlds = st.builds(
    lambda traffic, sg, acl: tiny(
        *traffic, in_a=sg[0], out_a=sg[1], in_b=sg[2], out_b=sg[3],
        acl_in_a=acl[0], acl_out_a=acl[1], acl_in_b=acl[2], acl_out_b=acl[3],
    ),
    st.lists(plans, min_size=1, max_size=4), st.tuples(*[rules] * 4), st.tuples(*[entries] * 4),
)  # fmt: skip
slow_is_fine = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def first_refusal(world, row):
    """The filter that refuses a conversation first, from the AWS documentation and nothing of the simulator."""
    by_address = {i.address: i for i in world.interfaces}
    subnets = {s.id: s for s in world.subnets}
    groups = {g.id: g for g in world.security_groups}
    acls = {a.id: a for a in world.network_acls}
    members = {g: {i.address for i in world.interfaces if g in i.security_groups} for g in groups}

    def fits(thing, protocol, peer, remote, port):
        inside = remote in members[peer] if peer in members else ip_address(remote) in ip_network(peer)
        right = thing.protocol == ALL or (
            thing.protocol == protocol and (thing.ports is None or thing.ports[0] <= port <= thing.ports[1])
        )
        return inside and right

    def group_lets(interface, side, remote, port):
        found = [r for g in interface.security_groups for r in getattr(groups[g], side)]
        return any(fits(r, row.protocol, r.peer, remote, port) for r in found)

    def acl_lets(interface, side, remote, port):
        acl = acls[subnets[interface.subnet].network_acl]
        for entry in sorted(getattr(acl, side), key=lambda e: e.number):
            if ip_network(entry.cidr).version == 4 and fits(entry, row.protocol, entry.cidr, remote, port):
                return entry.action == "allow"
        return False

    a, b = by_address[row.initiator], by_address[row.responder]
    far = a.subnet != b.subnet
    there, back = (row.responder, row.responder_port), (row.responder, row.initiator_port)
    steps = [
        ("SG_OUT", a.id, lambda: group_lets(a, "egress", *there)),
        ("NACL_OUT", a.subnet, lambda: not far or acl_lets(a, "egress", *there)),
        ("NACL_IN", b.subnet, lambda: not far or acl_lets(b, "ingress", row.initiator, row.responder_port)),
        ("SG_IN", b.id, lambda: group_lets(b, "ingress", row.initiator, row.responder_port)),
    ]
    if row.answers:
        steps += [
            ("NACL_OUT", b.subnet, lambda: not far or acl_lets(b, "egress", row.initiator, row.initiator_port)),
            ("NACL_IN", a.subnet, lambda: not far or acl_lets(a, "ingress", *back)),
        ]
    return next(((layer, where) for layer, where, passes in steps if not passes()), (None, None))


@slow_is_fine
@given(worlds)
def test_truth_is_what_the_documentation_says(world):
    sim = simulate(world, hours=0.5)
    ordered = sorted(world.traffic, key=lambda plan: plan.start)
    for plan, row in zip(ordered, sim.truth.itertuples(), strict=True):
        replies = plan.answer != "silent" if plan.protocol == TCP else plan.answer == "serve" and plan.bytes_down > 0
        asked = pd.Series(row._asdict() | {"answers": replies})
        found = (None, None) if pd.isna(row.blocked_by) else (row.blocked_by, row.blocked_at)
        assert found == first_refusal(world, asked)


KEY = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol"]


@slow_is_fine
@given(worlds)
def test_packets_that_leave_are_the_packets_that_arrive(world):
    records = simulate(world, hours=0.5).records
    records = records[records.log_status == "OK"]
    records = records.astype(dict.fromkeys(("srcaddr", "dstaddr", "flow_direction", "action"), object))
    sums = records.groupby(["flow_direction", "action", *KEY], observed=True)[["packets", "bytes"]].sum().reset_index()
    left = sums[(sums.flow_direction == "egress") & (sums.action == "ACCEPT")].set_index(KEY)
    arrived = sums[sums.flow_direction == "ingress"].set_index(KEY)
    pd.testing.assert_frame_equal(left[["packets", "bytes"]].sort_index(), arrived[["packets", "bytes"]].sort_index())
    stopped = sums[(sums.flow_direction == "egress") & (sums.action == "REJECT")].set_index(KEY)
    assert stopped.index.intersection(arrived.index).empty


@slow_is_fine
@given(worlds)
def test_refused_conversations_and_no_others_have_rejects(world):
    sim = simulate(world, hours=0.5)
    rejects = sim.records[sim.records.action == "REJECT"]
    for row in sim.truth.itertuples():
        up = (row.initiator, row.responder, row.initiator_port, row.responder_port)
        down = (row.responder, row.initiator, row.responder_port, row.initiator_port)
        own = rejects[
            [
                key in {up, down}
                for key in zip(rejects.srcaddr, rejects.dstaddr, rejects.srcport, rejects.dstport, strict=True)
            ]
        ]
        assert set(own.get("interface_id", ())) == (set() if pd.isna(row.blocked_by) else {row.interface_id})
