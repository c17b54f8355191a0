"""Scans, probes, guesses and intrusions in logs written by hand, with scores worked out by hand."""

from __future__ import annotations

import math
from itertools import product

import describe
import numpy as np
import pandas as pd
import pytest
from formats import START, frame, plain, record

import flowlens as fl

US, NEIGHBOUR, THIRD, SERVER = "10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.2.4"
STRANGER, OTHER = "203.0.113.9", "198.51.100.7"
US6, STRANGER6 = "2001:db8:0:1::4", "2001:db8:c0::1"
ICMP, TCP, UDP = 1, 6, 17
HOUR = 3600
T = fl.thresholds()["value"]


def contact(src, dst, dport, *, sport=50_000, at=0, lasts=1, out=1, back=0, protocol=TCP, refused=False, reset=False,
            here=None, window=60, **fields):  # fmt: skip
    """The records of one contact at the interface of `here`, one of its ends: a direction and a window each."""
    here = here or (dst if src in {STRANGER, OTHER, STRANGER6} else src)
    begins = START + at // window * window
    records = []
    for number in range((at % window + max(lasts, 1) - 1) // window + 1):
        span = {"start": begins + window * number, "end": begins + window * (number + 1) - 1}
        common = {"protocol": protocol, "interface_id": f"eni-{here}", **span, **fields}
        syn = 2 if protocol == TCP and number == 0 else 0
        records.append(
            record(
                srcaddr=src, dstaddr=dst, srcport=sport, dstport=dport, packets=out, bytes=60 * out, tcp_flags=syn,
                action="REJECT" if refused else "ACCEPT", **common,
            )
            | {"flow_direction": "egress" if here == src else "ingress"}
        )  # fmt: skip
        if back or reset:
            flags = (4 if reset else 18) if syn else 0
            records.append(
                record(
                    srcaddr=dst, dstaddr=src, srcport=dport, dstport=sport, packets=max(back, 1),
                    bytes=60 * max(back, 1), tcp_flags=flags, **common,
                )
                | {"flow_direction": "ingress" if here == src else "egress"}
            )  # fmt: skip
    return records


def later(contacts, seconds):
    """The same contacts some time later."""
    return [
        [{**one, "start": one["start"] + seconds, "end": one["end"] + seconds} for one in records]
        for records in contacts
    ]


def log(*contacts, without=()):
    """A frame of contacts, without some of the fields."""
    records = [one for some in contacts for one in some]
    return frame(*({name: value for name, value in one.items() if name not in without} for one in records))


def grown(value, low, high):
    """From 0 at `low` to 1 at `high`, by factors."""
    return min(1.0, max(0.0, math.log(value / low) / math.log(high / low)))


def one(found):
    """The only finding, as plain values."""
    assert len(found) == 1, found[["subject", "dstaddr", "dstport", "score"]]
    return {name: plain(value) for name, value in found.iloc[0].items()}


def empty(found):
    assert list(found.columns[:3]) == ["kind", "subject", "srcaddr"]
    return found.empty


# --- port scans


def scan(ports, src=NEIGHBOUR, dst=SERVER, **options):
    return [contact(src, dst, port, sport=60_000 - port % 20_000, **options) for port in ports]


def test_a_port_scan_with_the_numbers_that_make_its_score():
    found = one(log(*scan(range(1, 21)), *scan(range(21, 26), back=1)).flow.port_scans())
    # 25 ports between 5 and 100, 20 of them failed.
    breadth, failed = math.log(25 / 5) / math.log(100 / 5), 20 / 25
    assert found["score"] == pytest.approx(breadth * (0.3 + 0.7 * failed))
    assert found["parts"] == pytest.approx({"breadth": breadth, "failed": failed, "passing": 1.0, "context": 1.0})
    assert found["evidence"] == {"ports": 25, "open_ports": 5, "refused": 0, "packets_a_contact": 1.0, "seconds": 59.0}
    assert (found["kind"], found["subject"], found["srcaddr"], found["dstaddr"]) == (
        "port_scan", NEIGHBOUR, NEIGHBOUR, SERVER,
    )  # fmt: skip
    assert (found["dstport"], found["protocol"], found["flows"], found["bytes"]) == (None, TCP, 25, 1500)
    assert (found["technique"], found["guardduty"], found["caveat"]) == ("T1046", "Recon:EC2/Portscan", "")
    assert found["why"] == f"{NEIGHBOUR} tried 25 TCP ports of {SERVER} in 59 s; 5 answered"


def test_five_ports_are_no_scan_and_each_more_counts():
    assert empty(log(*scan(range(1, 6))).flow.port_scans())
    scores = [one(log(*scan(range(1, 1 + n))).flow.port_scans())["score"] for n in (6, 20, 100, 300)]
    assert scores == pytest.approx([math.log(6 / 5) / math.log(20), math.log(4) / math.log(20), 1.0, 1.0])


def test_a_port_scan_that_fails_more_scores_more():
    def score(failed):
        return one(log(*scan(range(1, 1 + failed)), *scan(range(1 + failed, 51), back=2)).flow.port_scans())["score"]

    scores = [score(failed) for failed in (0, 10, 25, 50)]
    assert scores == sorted(set(scores))
    assert scores[0] == pytest.approx(0.3 * math.log(10) / math.log(20))  # passive FTP: all data ports answer


@pytest.mark.parametrize("how", [{"refused": True}, {"reset": True}, {}], ids=["refused", "reset", "silent"])
def test_refused_reset_and_silent_ports_failed_all_the_same(how):
    found = one(log(*scan(range(1, 51), **how)).flow.port_scans())
    assert found["parts"]["failed"] == 1.0
    assert found["evidence"]["refused"] == (50 if "refused" in how else 0)


@pytest.mark.parametrize(
    "without", [(), ("tcp_flags",), ("flow_direction",), ("tcp_flags", "flow_direction", "action")]
)
def test_a_server_that_answers_many_clients_ports_scans_nobody(without):
    asked = [contact(STRANGER, SERVER, 443, sport=sport, back=3) for sport in range(33_000, 33_200)]
    assert empty(log(*asked, without=without).flow.port_scans())
    replies = [records[1:] for records in asked]  # the log has no SYN
    assert empty(log(*replies, without=without).flow.port_scans())


def test_late_packets_of_a_server_at_a_high_port_are_no_scan_of_a_load_balancer():
    # A load balancer has ports from 1024 on, and nothing else is left of these connections.
    asked = [contact(NEIGHBOUR, SERVER, 8080, sport=1100, back=5, here=SERVER)]
    sent = [contact(SERVER, NEIGHBOUR, port, sport=8080, at=HOUR, refused=True) for port in range(2000, 2100)]
    late = [[{**fin, "tcp_flags": 1} for fin in records] for records in sent]
    assert empty(log(*asked, *late).flow.port_scans())
    assert one(log(*late).flow.port_scans())["subject"] == SERVER  # nobody knows of the service


def test_what_both_interfaces_logged_counts_once():
    at_source = log(*scan(range(1, 51), out=2)).flow.port_scans()
    both = log(*scan(range(1, 51), out=2), *scan(range(1, 51), out=2, here=SERVER)).flow.port_scans()
    assert one(both)["score"] == one(at_source)["score"]
    assert one(both)["evidence"] == one(at_source)["evidence"]
    assert (one(both)["flows"], one(both)["bytes"]) == (50, 6000)


def test_refused_at_one_interface_and_accepted_at_the_other_is_refused_once():
    let_out, refused = scan(range(1, 51)), scan(range(1, 51), here=SERVER, refused=True)
    evidence = one(log(*let_out, *refused).flow.port_scans())["evidence"]
    assert (evidence["ports"], evidence["open_ports"], evidence["refused"]) == (50, 0, 50)


def test_a_port_that_is_refused_first_and_answers_later_is_open():
    first, later = scan(range(1, 51), refused=True), scan(range(1, 51), at=600, back=1)
    evidence = one(log(*first, *later).flow.port_scans())["evidence"]
    assert (evidence["ports"], evidence["open_ports"], evidence["refused"]) == (50, 50, 50)


@pytest.mark.parametrize("window", [60, 600])
def test_windows_of_any_length_give_the_same_score(window):
    found = one(log(*scan(range(1, 51), window=window)).flow.port_scans())
    assert found["score"] == pytest.approx(math.log(10) / math.log(20))


def test_interfaces_of_a_minute_and_of_ten_in_one_log():
    mixed = log(*scan(range(1, 51)), *scan(range(1, 51), here=SERVER, window=600)).flow.port_scans()
    assert (one(mixed)["flows"], one(mixed)["score"]) == (50, pytest.approx(math.log(10) / math.log(20)))


def test_a_long_connection_is_one_contact():
    ftp = log(*scan(range(1001, 1011), lasts=1800, back=1)).flow.port_scans()
    assert (one(ftp)["flows"], one(ftp)["parts"]["passing"]) == (10, 1.0)


def test_who_comes_back_all_day_is_rather_a_client_than_a_scanner():
    def score(rounds):
        checks = [scan(range(30_001, 30_051), at=round_ * 600) for round_ in range(rounds)]
        return one(log(*(contact for some in checks for contact in some)).flow.port_scans())

    assert score(10)["parts"]["passing"] == 1.0
    # 40 times each: between 10 and 100, where one half is left.
    assert score(40)["parts"]["passing"] == pytest.approx(1 - 0.5 * math.log(4) / math.log(10))
    assert score(40)["score"] == pytest.approx(score(1)["score"] * score(40)["parts"]["passing"])


def test_from_outside_a_scan_is_less_and_says_so():
    inbound = log(*scan(range(1, 51), src=STRANGER, refused=True)).flow.port_scans()
    found = one(inbound)
    assert found["score"] == pytest.approx(T["port_scan.inbound"] * math.log(10) / math.log(20))
    assert (found["technique"], found["guardduty"], found["caveat"]) == ("T1595.001", None, "from outside: x 0.8")
    # GuardDuty has a finding for ports that nothing blocks only.
    opened = log(*scan(range(1, 51), src=STRANGER), contact(STRANGER, SERVER, 443, back=1)).flow.port_scans()
    assert one(opened)["guardduty"] == "Recon:EC2/PortProbeUnprotectedPort"


def test_scans_over_udp_and_ipv6():
    udp = one(log(*scan(range(1, 51), protocol=UDP)).flow.port_scans())
    assert (udp["protocol"], udp["why"].split(" in ")[0]) == (UDP, f"{NEIGHBOUR} tried 50 UDP ports of {SERVER}")
    six = one(log(*scan(range(1, 51), src=US6, dst=STRANGER6)).flow.port_scans())
    assert (six["srcaddr"], six["technique"], six["score"]) == (US6, "T1046", udp["score"])


def test_traceroute_is_lowered_with_its_reason():
    found = one(log(*scan(range(33_434, 33_504), protocol=UDP)).flow.port_scans())
    assert (found["caveat"], found["parts"]["context"]) == ("traceroute: x 0.3", 0.3)
    beyond = log(*scan(range(33_434, 33_504), protocol=UDP), contact(NEIGHBOUR, SERVER, 40_000, protocol=UDP))
    assert one(beyond.flow.port_scans())["caveat"] == ""


@pytest.mark.parametrize(
    "without",
    [("tcp_flags",), ("flow_direction",), ("action",), ("interface_id", "action", "flow_direction", "tcp_flags")],
)
def test_fields_that_are_not_there_do_not_matter_where_ports_tell(without):
    with_all = one(log(*scan(range(1, 51))).flow.port_scans())
    found = one(log(*scan(range(1, 51)), without=without).flow.port_scans())
    assert (found["score"], found["subject"]) == (with_all["score"], NEIGHBOUR)


def skipped(address, minutes):
    """Records of an interface that lost what it saw in some minutes."""
    nothing = dict.fromkeys(("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action"))
    return [
        record(**nothing, interface_id=f"eni-{address}", log_status="SKIPDATA", tcp_flags=None,
               start=START + 60 * minute, end=START + 60 * minute + 59) | {"flow_direction": None}
        for minute in minutes
    ]  # fmt: skip


def test_lost_records_lower_the_score_and_are_named():
    found = one(log(*scan(range(1, 51)), skipped(NEIGHBOUR, [1, 2, 3])).flow.port_scans())
    # One window of four is whole.
    assert (found["parts"]["kept"], found["score"]) == (0.25, pytest.approx(0.25 * math.log(10) / math.log(20)))
    assert found["caveat"] == "records were lost at this interface (SKIPDATA)"


# --- port sweeps


def hosts(n, network="10.0.2"):
    return [f"{network}.{number}" for number in range(10, 10 + n)]


def sweep(targets, src=US, port=445, **options):
    return [contact(src, dst, port, sport=40_000 + number, **options) for number, dst in enumerate(targets)]


def swept(n, failed, dark=0):
    """Posterior and score of a walk over `n` hosts."""
    odds = math.log(0.8 / 0.2) * (2 * failed + dark - n) + math.log(0.01 / 0.99)
    posterior = 1 / (1 + math.exp(-odds))
    return posterior, posterior * (0.4 + 0.6 * grown(n, 4, 40))


def test_a_port_sweep_with_the_numbers_that_make_its_score():
    found = one(log(*sweep(hosts(12)), *sweep(hosts(3, "10.0.3"), back=2)).flow.port_sweeps())
    posterior, score = swept(15, 12)
    assert found["score"] == pytest.approx(score)
    breadth = math.log(15 / 4) / math.log(10)
    assert found["parts"] == pytest.approx({"posterior": posterior, "breadth": breadth, "passing": 1.0, "context": 1.0})
    walk = math.log(4) * (12 - 3)
    assert found["evidence"] == {
        "hosts": 15, "failed": 12, "dark": 0, "refused": 0, "log_likelihood_ratio": pytest.approx(walk),
        "seconds": 59.0,
    }  # fmt: skip
    assert (found["srcaddr"], found["dstaddr"], found["dstport"], found["protocol"]) == (US, None, 445, TCP)
    assert (found["technique"], found["guardduty"]) == ("T1018", "Impact:EC2/PortSweep")
    assert found["why"] == f"{US} sought 445/tcp on 15 hosts in 59 s; 12 did not answer"


def test_more_hosts_and_more_failures_score_more():
    by_hosts = [one(log(*sweep(hosts(n))).flow.port_sweeps())["score"] for n in (4, 8, 20, 40, 60)]
    assert by_hosts == pytest.approx([swept(n, n)[1] for n in (4, 8, 20, 40, 60)])
    assert by_hosts == sorted(by_hosts)
    assert empty(log(*sweep(hosts(3))).flow.port_sweeps())

    def score(failed):
        answer, do_not = hosts(10)[failed:], hosts(10)[:failed]
        return one(log(*sweep(do_not), *sweep(answer, back=1)).flow.port_sweeps())["score"]

    by_failed = [score(failed) for failed in (6, 7, 8, 10)]
    assert by_failed == pytest.approx([swept(10, failed)[1] for failed in (6, 7, 8, 10)])
    assert by_failed == sorted(by_failed)


def test_a_client_of_many_servers_that_answer_sweeps_nothing():
    assert empty(log(*sweep(hosts(30), back=5)).flow.port_sweeps())


def test_a_host_that_answers_later_was_not_ready():
    # A load balancer checks containers while they start.
    starting, ready = sweep(hosts(20), reset=True), sweep(hosts(20), at=60, back=3)
    assert empty(log(*starting, *ready).flow.port_sweeps())


def test_replies_to_many_clients_are_no_sweep():
    asked = [contact(dst, US, 443, sport=50_000, back=2, here=US) for dst in hosts(30)]
    assert empty(log(*asked).flow.port_sweeps())
    assert empty(log(*(records[1:] for records in asked)).flow.port_sweeps())


def test_errors_that_a_scanned_host_sends_are_no_sweep():
    strangers = hosts(30, "203.0.113")
    scanned = [contact(dst, US, 9000 + n, protocol=UDP, here=US) for n, dst in enumerate(strangers)]
    errors = [contact(US, dst, 0, sport=0, protocol=ICMP) for dst in strangers]
    found = log(*scanned, *errors).flow.port_sweeps()
    assert empty(found[found["srcaddr"] == US])
    pings = one(log(*errors).flow.port_sweeps())
    assert (pings["protocol"], pings["score"]) == (ICMP, pytest.approx(swept(30, 30)[1]))


def test_equals_over_udp_answer_with_contacts_of_their_own():
    # VXLAN: each side sends to port 4789 from any port.
    there = sweep(hosts(20), port=4789, protocol=UDP)
    back = [contact(dst, US, 4789, sport=20_000 + n, protocol=UDP, here=US) for n, dst in enumerate(hosts(20))]
    assert empty(log(*there, *back).flow.port_sweeps())
    assert one(log(*there).flow.port_sweeps())["evidence"]["failed"] == 20


def test_one_internal_host_or_one_group_of_multicast_does_not_change_what_a_sweep_is():
    outside = one(log(*sweep(hosts(30, "203.0.113"))).flow.port_sweeps())
    mixed = one(log(*sweep([*hosts(30, "203.0.113"), NEIGHBOUR, "239.1.1.1"])).flow.port_sweeps())
    assert (outside["technique"], mixed["technique"], mixed["caveat"]) == ("T1046", "T1046", "")
    assert mixed["score"] > outside["score"] > 0.9
    groups = one(log(*sweep([f"239.1.1.{n}" for n in range(30)], protocol=UDP)).flow.port_sweeps())
    assert groups["caveat"] == "multicast or link-local: x 0.3"


def test_addresses_that_nobody_has_count_twice():
    topology = describe.network([describe.eni(1, US)])
    dark = one(log(*sweep(hosts(5))).flow.port_sweeps(topology=topology))
    assert (dark["evidence"]["dark"], dark["score"]) == (5, pytest.approx(swept(5, 5, dark=5)[1]))
    assert dark["why"].endswith("5 did not answer, 5 of them are addresses that nobody has")
    light = one(log(*sweep(hosts(5))).flow.port_sweeps())
    assert (light["evidence"]["dark"], light["score"]) == (0, pytest.approx(swept(5, 5)[1]))
    there = describe.network([describe.eni(n, address) for n, address in enumerate([US, *hosts(5)])])
    assert one(log(*sweep(hosts(5))).flow.port_sweeps(topology=there))["score"] == light["score"]


def test_who_sweeps_from_outside_and_over_ipv6():
    inbound = one(log(*sweep(hosts(10), src=STRANGER, refused=True)).flow.port_sweeps())
    assert inbound["score"] == pytest.approx(T["port_sweep.inbound"] * swept(10, 10)[1])
    assert (inbound["technique"], inbound["guardduty"], inbound["evidence"]["refused"]) == ("T1595.002", None, 10)
    six = one(log(*sweep([f"2001:db8:c0::{n}" for n in range(1, 11)], src=US6)).flow.port_sweeps())
    assert (six["srcaddr"], six["score"]) == (US6, pytest.approx(swept(10, 10)[1]))


def test_clients_of_the_web_whose_filters_are_shut_are_lowered_with_the_reason():
    found = one(log(*sweep(hosts(40, "203.0.113"), port=443, refused=True)).flow.port_sweeps())
    assert (found["score"], found["caveat"]) == (pytest.approx(0.5 * swept(40, 40)[1]), "clients of the web: x 0.5")
    inside = one(log(*sweep(hosts(40), port=443, refused=True)).flow.port_sweeps())
    assert (inside["score"], inside["caveat"]) == (pytest.approx(swept(40, 40)[1]), "")


def test_monitoring_of_hosts_that_are_gone_comes_back():
    rounds = [sweep(hosts(10), port=9100, at=600 * n) for n in range(100)]
    found = one(log(*(contact for some in rounds for contact in some)).flow.port_sweeps())
    assert (found["parts"]["passing"], found["score"]) == (0.5, pytest.approx(0.5 * swept(10, 10)[1]))


def test_time_servers_are_lowered_and_stay():
    found = one(log(*sweep(hosts(10, "203.0.113"), port=123, protocol=UDP)).flow.port_sweeps())
    assert (found["caveat"], found["parts"]["context"]) == ("NTP: x 0.3", 0.3)


def test_what_a_nat_gateway_does_for_others_is_theirs():
    gateway = "10.0.0.220"
    targets = hosts(30, "203.0.113")
    legs = [
        records
        for number, dst in enumerate(targets)
        for records in (
            contact(US, dst, 445, sport=40_000 + number, pkt_srcaddr=US, pkt_dstaddr=dst),
            contact(US, gateway, 445, sport=40_000 + number, here=gateway, pkt_srcaddr=US, pkt_dstaddr=dst),
            contact(gateway, dst, 445, sport=20_000 + number, pkt_srcaddr=gateway, pkt_dstaddr=dst),
        )
    ]
    found = log(*legs).flow.port_sweeps()
    assert found["srcaddr"].tolist() == [US, gateway]
    assert found["score"].tolist() == pytest.approx([swept(30, 30)[1], 0.3 * swept(30, 30)[1]])
    assert found["caveat"].tolist() == ["", f"{gateway} passes on for hosts that are rated by themselves: x 0.3"]


# --- probes


def strangers(n):
    return [f"203.0.{113 + number // 200}.{1 + number % 200}" for number in range(n)]


def probed(sources, port, **options):
    return [contact(src, US, port, sport=40_000 + number, here=US, **options) for number, src in enumerate(sources)]


def reach(sources):
    return 0.3 + 0.7 * grown(max(sources, 3), 3, 300)


def test_probes_are_rows_of_ports_with_all_who_tried():
    refused = probed(strangers(4), 23, refused=True) + probed(strangers(2), 2323, refused=True)
    silent = probed(strangers(5)[2:], 9999) + probed(strangers(1), 9998)
    answers = probed(strangers(30), 22, back=9) + probed(strangers(20), 443, back=9)
    over_udp = probed(strangers(3), 5555, refused=True, protocol=UDP)
    found = log(*refused, *silent, *answers, *over_udp).flow.probes()
    rows = dict(zip(found["subject"], found.to_dict("records"), strict=True))
    assert found["subject"].tolist() == [
        f"{US} 22/tcp", f"{US} 443/tcp", f"{US} unanswered ports", f"{US} refused ports", f"{US} 5555/udp",
    ]  # fmt: skip
    scores = [reach(30) * 0.85, reach(20) * 0.4, reach(4) * 0.4 * 0.6, reach(4) * 0.2 * 0.85, reach(3) * 0.2 * 0.6]
    assert found["score"].tolist() == pytest.approx(scores)
    assert found["srcaddr"].isna().all()
    assert found["technique"].unique().tolist() == ["T1595"]
    evidence = {subject: row["evidence"] for subject, row in rows.items()}
    assert evidence[f"{US} refused ports"] == {
        "state": "refused", "source_count": 4, "answered": 0, "refused": 4, "ports": (23, 2323),
        "sources": tuple(sorted(strangers(4))),
    }  # fmt: skip
    assert evidence[f"{US} unanswered ports"]["sources"] == tuple(sorted({*strangers(5)[2:], *strangers(1)}))
    assert rows[f"{US} 22/tcp"]["parts"] == pytest.approx(
        {"reach": grown(30, 3, 300), "openness": 1.0, "sensitivity": 0.85, "context": 1.0}
    )
    assert plain(rows[f"{US} refused ports"]["guardduty"]) is None
    assert rows[f"{US} 22/tcp"]["why"] == (
        f"30 sources outside tried {US} at 22/tcp: it answered 30 of them, which nobody should offer to the internet"
    )


def test_more_sources_a_day_reach_further():
    scores = [one(log(*probed(strangers(n), 22, back=9)).flow.probes())["score"] for n in (3, 30, 300, 350)]
    assert scores == pytest.approx([0.3 * 0.85, (0.3 + 0.7 * 0.5) * 0.85, 0.85, 0.85])
    over_days = [
        contact(src, US, 22, back=9, at=number * 86_400 // 15, here=US) for number, src in enumerate(strangers(61))
    ]
    assert one(log(*over_days).flow.probes())["parts"]["reach"] == pytest.approx(grown(61 / 4, 3, 300), abs=1e-3)


def test_a_port_that_filters_keep_for_a_few_is_not_exposed():
    def found(meant, others):
        sources = strangers(meant + others)
        return one(log(*probed(sources[:meant], 22, back=9), *probed(sources[meant:], 22, refused=True)).flow.probes())

    bastion = found(1, 299)
    assert bastion["parts"]["openness"] == pytest.approx(1 / 300 + 299 / 300 * 0.2)
    assert bastion["score"] < 0.2
    assert bastion["why"].endswith("it answered 1 of them, filters refused 299")
    scores = [found(meant, 100 - meant)["score"] for meant in (1, 50, 99, 100)]
    assert scores == sorted(set(scores))


def test_what_filters_refused_of_a_port_that_nobody_answers_at_is_said():
    sources = strangers(5)
    records = [*probed(sources[:4], 5432, refused=True), *probed(sources[4:], 5432)]
    found = one(log(*records).flow.probes())
    assert found["why"].endswith("at 5432/tcp: filters refused 4 of them, nobody answered the others")
    assert (found["evidence"]["state"], found["evidence"]["refused"]) == ("unanswered", 4)
    assert found["parts"]["openness"] == pytest.approx(1 / 5 * 0.4 + 4 / 5 * 0.2)
    several = one(log(*records, *probed(sources[:3], 5433, refused=True), *probed(sources[3:], 5433)).flow.probes())
    assert several["why"].endswith("filters refused at least 4 of them, nobody answered the others")
    unknown = one(log(*records).drop(columns="action").flow.probes())
    assert unknown["why"].endswith("nobody answered, and the log does not say what filters did (action)")


def test_nobody_is_accused_by_probes():
    df = log(*probed(strangers(300), 22, back=9))
    assert one(df.flow.findings(kinds="probe"))["srcaddr"] is None
    assert US not in set(df.flow.host_scores()["address"])


def test_own_hosts_do_not_probe_and_replies_are_no_probes():
    inside = [contact(NEIGHBOUR, SERVER, 22, back=9, here=SERVER)]
    outbound = [contact(US, STRANGER, 443, sport=40_000 + n, back=3) for n in range(20)]
    assert empty(log(*inside, *outbound).flow.probes())
    assert empty(log(*(records[1:] for records in outbound)).flow.probes())


def test_infrastructure_is_exposed_where_it_answers_the_internet():
    resolver = one(log(*probed(strangers(3), 53, back=9, protocol=UDP)).flow.probes())
    assert (resolver["score"], resolver["caveat"]) == (pytest.approx(0.3 * 0.6), "")
    refused = one(log(*probed(strangers(3), 53, refused=True, protocol=UDP)).flow.probes())
    assert (refused["score"], refused["caveat"]) == (pytest.approx(0.3 * 0.2 * 0.6 * 0.3), "DNS: x 0.3")


def test_probes_by_ping_and_over_ipv6():
    ping = one(log(contact(STRANGER, US, 0, sport=0, protocol=ICMP, refused=True)).flow.probes())
    assert (ping["subject"], ping["why"]) == (
        f"{US} icmp",
        f"1 source outside tried {US} at icmp: filters refused all of it",
    )
    assert one(log(contact(STRANGER6, US6, 22, back=9)).flow.probes())["dstaddr"] == US6


# --- guessing


def guesses(n, src=STRANGER, dst=US, port=22, packets=20, every=10, sports=40_000, **options):
    return [
        contact(src, dst, port, sport=sports + number, at=every * number, out=packets, back=packets, **options)
        for number in range(n)
    ]


def volume(tries):
    return 0.65 * tries / 10 if tries < 10 else 0.65 + 0.35 * grown(tries, 10, 100)


def test_guessing_with_the_numbers_that_make_its_score():
    found = one(log(*guesses(40)).flow.brute_force())
    assert found["score"] == pytest.approx(volume(40))
    assert found["parts"] == pytest.approx(
        {"volume": volume(40), "in_band": 1.0, "alike": 1.0, "port": 1.0, "most": 1.0, "success": 0.0, "context": 1.0}
    )
    assert found["evidence"] == {
        "tries": 40, "tries_in_an_hour": 40, "connections": 40, "packets_median": 20.0, "packets_mad": 0.0,
        "largest": 20, "role": "target", "possible_success": False,
    }  # fmt: skip
    assert (found["srcaddr"], found["dstaddr"], found["dstport"], found["protocol"]) == (STRANGER, US, 22, TCP)
    assert (found["technique"], found["guardduty"]) == ("T1110.001", "UnauthorizedAccess:EC2/SSHBruteForce")
    assert found["caveat"] == "our host is the target, not the actor"
    assert found["why"] == (
        f"{STRANGER} opened 40 connections to {US} at 22/tcp, 40 of them as short as a failed login, "
        "20 packets in the median"
    )


@pytest.mark.parametrize("tries", [3, 9, 10, 40, 100, 300])
def test_more_tries_score_more_and_few_never_much(tries):
    found = one(log(*guesses(tries)).flow.brute_force())
    assert found["score"] == pytest.approx(volume(tries))
    assert (found["score"] < 0.9) == (tries < 52)


def test_a_job_from_outside_that_logs_in_once_an_hour_is_no_alarm():
    found = one(log(*guesses(120, every=3_600)).flow.brute_force())
    assert found["score"] == 0.85
    assert "no more than 1 try in an hour: a job that logs in by the clock looks the same" in found["caveat"]
    assert one(log(*guesses(120, every=3_600)).flow.brute_force(thresholds={"brute_force.slow": 1}))["score"] == 1.0


def test_fewer_than_ten_never_reach_an_alarm_even_with_a_session_after_them():
    session = contact(STRANGER, US, 22, sport=30_000, at=300, lasts=600, out=500, back=500)
    assert one(log(*guesses(9), session).flow.brute_force())["score"] < 0.6
    assert empty(log(*guesses(2)).flow.brute_force())


def test_connections_outside_of_the_band_or_unlike_the_others_lower():
    def found(*others):
        return one(log(*guesses(40), *others).flow.brute_force())

    looks = [contact(STRANGER, US, 22, sport=30_000 + n, out=3, back=3) for n in range(40)]
    parts = found(*looks)["parts"]
    # Half have 20 packets and half 3: none is within half of the median, 11.5.
    assert (parts["in_band"], parts["alike"]) == (0.5, 0.0)
    assert found(*looks)["score"] == pytest.approx(volume(40) * (0.25 + 0.05))
    unlike = guesses(10, packets=50, sports=33_000)
    parts = found(*unlike)["parts"]
    assert (parts["in_band"], parts["alike"]) == (1.0, 0.8)
    assert found(*unlike)["score"] == pytest.approx(volume(50) * (0.9 + 0.05))


def test_a_session_after_many_tries_may_be_a_right_guess():
    session = contact(STRANGER, US, 22, sport=30_000, at=600, lasts=120, out=300, back=300)
    found = one(log(*guesses(20), session).flow.brute_force())
    alone = volume(20) * min(1, (20 / 21 + 20 / 21) / 2 + 0.05)
    assert found["score"] == pytest.approx(alone * 1.2)
    assert (found["parts"]["success"], found["evidence"]["possible_success"]) == (0.2, True)
    assert found["evidence"]["largest"] == 600  # 300 in each of two windows
    assert found["why"].endswith("one has 600 packets: a guess may have been right")


def test_a_session_before_the_tries_is_no_right_guess():
    session = contact(STRANGER, US, 22, sport=30_000, lasts=60, out=300, back=300)
    found = one(log(session, *later(guesses(20), 600)).flow.brute_force())
    assert (found["parts"]["success"], found["evidence"]["possible_success"]) == (0.0, False)
    assert "guess may" not in found["why"]


@pytest.mark.parametrize("window", [60, 600])
def test_tries_and_session_in_one_window_cannot_be_put_in_order(window):
    session = contact(STRANGER, US, 22, sport=30_000, at=30, lasts=1, out=300, back=300, window=window)
    found = one(log(*guesses(12, every=1, window=window), session).flow.brute_force())
    assert found["evidence"]["possible_success"]


@pytest.mark.parametrize(
    ("src", "dst", "port", "factor"),
    [
        (STRANGER, US, 22, 1.0),
        (STRANGER, US, 3389, 1.0),
        (STRANGER, US, 3306, 1.0),
        (STRANGER, US, 993, T["brute_force.other_port"]),  # a telephone that looks for mail
        (STRANGER, US, 5432, 1.0),
        (STRANGER, US, 135, T["brute_force.other_port"]),  # tells at which port to go on
        (STRANGER, US, 7777, T["brute_force.other_port"]),
        (STRANGER, US, 443, T["brute_force.web_port"]),
        (US, STRANGER, 22, 1.0),
        (US, STRANGER, 587, T["brute_force.own_service"]),  # an application that sends mail
        (US, STRANGER, 7777, T["brute_force.other_port"]),
        (US, SERVER, 22, 1.0),
        (US, SERVER, 5432, T["brute_force.own_service"]),
        (US, SERVER, 389, T["brute_force.own_service"]),  # a member of a directory
        (US, SERVER, 50_051, T["brute_force.own_service"]),  # one service calls another
        (US, SERVER, 443, T["brute_force.web_port"]),
    ],
)
def test_what_a_port_means(src, dst, port, factor):
    found = one(log(*guesses(100, src=src, dst=dst, port=port)).flow.brute_force())
    internal = T["brute_force.internal"] if (src, dst) == (US, SERVER) else 1.0
    assert (found["parts"]["port"], found["parts"]["context"]) == (factor, internal)
    assert found["score"] == pytest.approx(factor * internal)
    role, caveat = {
        STRANGER: ("target", "our host is the target, not the actor"),
        US: ("actor", "between internal hosts: x 0.7" if internal < 1 else ""),
    }[src]
    assert (found["evidence"]["role"], found["caveat"]) == (role, caveat)


def test_of_our_own_hosts_the_busiest_hour_counts_since_jobs_come_by_the_clock():
    job = guesses(24 * 12, src=US, dst=STRANGER, every=300)
    found = one(log(*job).flow.brute_force())
    assert (found["evidence"]["tries"], found["evidence"]["tries_in_an_hour"]) == (288, 12)
    assert found["score"] == pytest.approx(volume(12))
    stranger = one(log(*guesses(24 * 12, every=300)).flow.brute_force())
    assert stranger["score"] == 1.0  # nobody out there has a job here


def test_tries_split_over_windows_or_logged_twice_are_whole():
    tries = {"src": NEIGHBOUR, "dst": SERVER, "every": 60, "packets": 6, "lasts": 61}
    found = one(log(*guesses(20, **tries), *guesses(20, **tries, here=SERVER)).flow.brute_force())
    # Two windows of 6 packets each, at two interfaces.
    assert (found["evidence"]["connections"], found["evidence"]["packets_median"]) == (20, 12.0)
    assert found["score"] == pytest.approx(0.7 * volume(20))


@pytest.mark.parametrize("how", [{"refused": True}, {"reset": True}], ids=["refused", "reset"])
def test_connections_that_never_were_are_no_guesses(how):
    tried = [contact(STRANGER, US, 22, sport=40_000 + n, out=20, **how) for n in range(40)]
    assert empty(log(*tried).flow.brute_force())


@pytest.mark.parametrize("without", [("tcp_flags",), ("flow_direction", "action"), ("interface_id", "action")])
def test_guessing_without_some_fields(without):
    assert one(log(*guesses(40), without=without).flow.brute_force())["score"] == pytest.approx(volume(40))


def test_guessing_over_ipv6_and_who_is_neither_ours():
    six = one(log(*guesses(40, src=STRANGER6, dst=US6)).flow.brute_force())
    assert (six["evidence"]["role"], six["score"]) == ("target", pytest.approx(volume(40)))
    foreign = log(*guesses(40, src=STRANGER, dst=OTHER), without=("flow_direction",)).flow.brute_force()
    assert (one(foreign)["evidence"]["role"], one(foreign)["caveat"]) == ("neither", "")


def test_a_load_balancer_is_lowered_with_the_reason():
    topology = describe.network(
        [describe.eni(1, NEIGHBOUR, InterfaceType="network_load_balancer"), describe.eni(2, US)]
    )
    found = one(log(*guesses(100, src=NEIGHBOUR)).flow.brute_force(topology=topology))
    assert found["score"] == pytest.approx(0.3 * 0.7)
    assert found["caveat"].startswith("health checks and requests of a load balancer: x 0.3; between internal hosts")


# --- lateral movement


def session(src, dst, at=0, *, port=22, sport=45_000, lasts=300, out=40, **options):
    return contact(src, dst, port, sport=sport, at=at, lasts=lasts, out=out, back=out, **options)


def moved(*, hours=1, chain=0.0, fan_out=0.0):
    rare = 1 - grown(hours, 1, 24)
    return 0.25 + 0.15 * rare + 0.6 * max(chain, 0.6 * fan_out) * (0.5 + 0.5 * rare)


def way(found, src, dst):
    return one(found[(found["srcaddr"] == src) & (found["dstaddr"] == dst)])


def test_a_guesser_who_comes_in_and_goes_on():
    df = log(*guesses(60), session(STRANGER, US, 660), session(US, SERVER, 900))
    found = one(df.flow.lateral_movement())
    assert found["score"] == pytest.approx(moved(chain=1.0)) == 1.0
    assert found["parts"] == pytest.approx({"rare": 1.0, "chain": 1.0, "fan_out": 0.0, "context": 1.0})
    assert found["evidence"] == {
        "came_from": STRANGER, "tries_in_an_hour": 60, "from_outside": True, "hours": 1, "hosts_in_an_hour": 1,
    }  # fmt: skip
    assert (found["srcaddr"], found["dstaddr"], found["dstport"], found["technique"]) == (US, SERVER, 22, "T1021.004")
    assert found["why"] == (
        f"{US} opened a session with {SERVER} at 22/tcp, up to 30 min after {STRANGER} had come in, who tried 60 times "
        "in an hour"
    )


def test_who_tried_more_often_weighs_more():
    scores = []
    for tries in (1, 2, 5, 10, 20):
        df = log(*guesses(tries), session(US, SERVER, 900))
        scores.append(one(df.flow.lateral_movement())["score"])
    chains = [0.3 + 0.7 * min(1, (tries - 1) / 9) for tries in (1, 2, 5, 10, 20)]
    assert scores == pytest.approx([moved(chain=chain) for chain in chains])
    assert scores == sorted(scores)


def test_a_session_alone_is_little_and_a_usual_one_less():
    assert one(log(session(US, SERVER)).flow.lateral_movement())["score"] == pytest.approx(moved()) == 0.4
    hourly = log(*(session(US, SERVER, HOUR * n, sport=45_000 + n) for n in range(24)))
    assert one(hourly.flow.lateral_movement())["score"] == pytest.approx(0.25)


def test_administrators_who_come_in_every_hour_are_old_acquaintances():
    # Ten of them behind one address, with long sessions, and a tool beside them that is there all day.
    office = [
        session(OTHER, US, HOUR * hour + 10 * n, sport=30_000 + 100 * hour + n, out=200)
        for hour, n in product(range(24), range(10))
    ]
    on = [session(US, SERVER, HOUR * hour + 900, sport=45_000 + hour) for hour in range(24)]
    found = one(log(*office, *on).flow.lateral_movement())
    assert (found["evidence"]["came_from"], found["evidence"]["tries_in_an_hour"]) == (OTHER, 0)
    assert found["score"] == pytest.approx(moved(hours=24, chain=0.3)) == 0.34


def test_who_guesses_afterwards_was_no_guesser_before():
    came = session(STRANGER, US, 0, lasts=60, out=100)
    on = session(US, SERVER, 120)
    found = one(log(came, on, *later(guesses(60), 2 * HOUR)).flow.lateral_movement())
    assert (found["evidence"]["tries_in_an_hour"], found["score"]) == (0, pytest.approx(moved(chain=0.3)))


def test_health_checks_and_scans_of_a_port_are_no_logins():
    checks = [contact(NEIGHBOUR, US, 22, sport=30_000 + n, at=10 * n, out=3, back=3) for n in range(100)]
    found = log(*checks, session(US, SERVER, 600)).flow.lateral_movement()
    assert one(found)["evidence"]["came_from"] is None


def test_an_internal_chain():
    df = log(session(NEIGHBOUR, US, 0), session(US, SERVER, 600), session(SERVER, THIRD, 1200, here=SERVER))
    found = df.flow.lateral_movement()
    assert way(found, NEIGHBOUR, US)["score"] == pytest.approx(moved())
    for src, dst, by in ((US, SERVER, NEIGHBOUR), (SERVER, THIRD, US)):
        step = way(found, src, dst)
        assert (step["evidence"]["came_from"], step["score"]) == (by, pytest.approx(moved(chain=0.3)))
        assert not step["evidence"]["from_outside"]


@pytest.mark.parametrize(("minutes", "chained"), [(10, True), (34, True), (37, False)])
def test_the_time_from_coming_in_to_going_on(minutes, chained):
    # The session before lasts until 4:59.
    df = log(session(NEIGHBOUR, US), session(US, SERVER, 60 * minutes))
    assert (way(df.flow.lateral_movement(), US, SERVER)["evidence"]["came_from"] is not None) == chained
    longer = df.flow.lateral_movement(thresholds={"lateral_movement.minutes": 60})
    assert way(longer, US, SERVER)["evidence"]["came_from"] == NEIGHBOUR


def test_back_to_where_one_came_from_and_before_anybody_came_is_no_chain():
    back = log(session(NEIGHBOUR, US, 0), session(US, NEIGHBOUR, 300, sport=46_000)).flow.lateral_movement()
    assert way(back, US, NEIGHBOUR)["evidence"]["came_from"] is None
    before = log(session(US, SERVER, 0), session(NEIGHBOUR, US, 600)).flow.lateral_movement()
    assert way(before, US, SERVER)["evidence"]["came_from"] is None


def test_windows_of_two_interfaces_do_not_hide_who_was_first():
    # On the way in the window begins 30 s later than on the way out, whatever happened first.
    came = later([session(STRANGER, US, lasts=60)], 30)
    found = one(log(*came, session(US, SERVER)).flow.lateral_movement())
    assert found["evidence"]["came_from"] == STRANGER


def test_many_hosts_in_an_hour_count_by_themselves():
    def score(n):
        df = log(*(session(US, dst, sport=45_000 + i) for i, dst in enumerate(hosts(n))))
        found = df.flow.lateral_movement()
        assert len(found) == n
        assert len(set(found["score"])) == 1
        return found["score"].iloc[0], found["why"].iloc[0]

    scores = [score(n)[0] for n in (2, 3, 10, 20, 30)]
    assert scores == pytest.approx([moved(fan_out=grown(n, 3, 20)) for n in (2, 3, 10, 20, 30)])
    assert scores[-1] == pytest.approx(0.76)  # tools that manage all hosts do the same
    assert score(10)[1].endswith("; it sought up to 10 hosts in an hour")


def test_of_several_who_came_in_the_one_who_tried_most_counts_and_ties_are_by_address():
    often = [session(THIRD, US, 60 * n, sport=30_000 + n, lasts=1) for n in range(4)]
    both = log(session(NEIGHBOUR, US, 0), *often, session(US, SERVER, 600)).flow.lateral_movement()
    assert way(both, US, SERVER)["evidence"]["came_from"] == THIRD
    tied = [session(NEIGHBOUR, US, 0), session(THIRD, US, 0), session(US, SERVER, 600), session(US, "10.0.2.5", 600)]
    forward, backward = log(*tied).flow.lateral_movement(), log(*tied[::-1]).flow.lateral_movement()
    assert way(forward, US, SERVER)["evidence"]["came_from"] == NEIGHBOUR
    assert forward.drop(columns="evidence").equals(backward.drop(columns="evidence"))
    assert forward["evidence"].tolist() == backward["evidence"].tolist()


@pytest.mark.parametrize(
    ("port", "technique"),
    [(22, "T1021.004"), (3389, "T1021.001"), (135, "T1021.003"), (445, "T1021.002"), (5900, "T1021.005"),
     (5985, "T1021.006")],
)  # fmt: skip
def test_techniques_by_port(port, technique):
    assert one(log(session(US, SERVER, port=port)).flow.lateral_movement())["technique"] == technique


def test_what_is_no_lateral_movement():
    assert empty(log(session(US, SERVER, port=443)).flow.lateral_movement())
    assert empty(log(session(US, STRANGER)).flow.lateral_movement())  # to the outside
    assert empty(log(session(STRANGER, US)).flow.lateral_movement())  # only came in
    assert empty(log(contact(US, SERVER, 22, out=40, refused=True)).flow.lateral_movement())


@pytest.mark.parametrize("without", [("tcp_flags",), ("flow_direction", "action", "interface_id")])
@pytest.mark.parametrize("window", [60, 600])
def test_lateral_movement_in_any_log(window, without):
    df = log(*guesses(60, window=window), session(US, SERVER, 1200, window=window), without=without)
    assert one(df.flow.lateral_movement())["score"] == 1.0


# --- what holds for all


ALL = ("port_scans", "port_sweeps", "probes", "brute_force", "lateral_movement")


def busy():
    """A log in which each detector finds something."""
    return log(
        *scan(range(1, 31)), *sweep(hosts(12)), *probed(strangers(12), 23, refused=True), *guesses(30),
        session(US, SERVER, 900), *scan(range(1, 21), src=STRANGER, dst=US6), skipped(US, [40]),
    )  # fmt: skip


@pytest.mark.parametrize("verb", ALL)
def test_order_of_records_and_traffic_of_others_change_nothing(verb):
    df = busy()
    found = getattr(df.flow, verb)()
    assert len(found)
    assert found["score"].between(0, 1).all()
    for row in found.to_dict("records"):
        assert row["why"]
        assert row["technique"].startswith("T1")
        assert row["evidence"]
        assert all(0 <= value <= 1 for value in row["parts"].values())
    again = getattr(df.sample(frac=1, random_state=5, ignore_index=True).flow, verb)()
    assert again.drop(columns=["parts", "evidence"]).equals(found.drop(columns=["parts", "evidence"]))
    assert again["evidence"].tolist() == found["evidence"].tolist()
    others = log(*(contact("10.77.0.1", "10.77.0.2", 443, sport=40_000 + n, back=4) for n in range(20)))
    with_others = getattr(pd.concat([df, others], ignore_index=True).flow, verb)()
    assert np.allclose(with_others["score"], found["score"], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("verb", "thresholds"),
    [
        ("port_scans", {"port_scan.ports": 10, "port_scan.many_ports": 30}),
        ("port_sweeps", {"port_sweep.hosts": 6, "port_sweep.scanners": 0.5}),
        ("probes", {"probe.sources": 1, "probe.many_sources": 12, "probe.refused": 1.0}),
        ("brute_force", {"brute_force.tries": 5, "brute_force.many_tries": 30}),
        ("lateral_movement", {"lateral_movement.tries": 2}),
    ],
)
def test_thresholds_are_those_that_are_given(verb, thresholds):
    usual, moved_ones = (getattr(busy().flow, verb)(**how) for how in ({}, {"thresholds": thresholds}))
    assert moved_ones["score"].between(0, 1).all()
    assert usual["score"].tolist() != moved_ones["score"].tolist() or verb == "lateral_movement"


@pytest.mark.parametrize(
    "thresholds",
    [{"port_sweep.benign_succeeds": 1.0}, {"port_sweep.scanners": 0}, {"port_sweep.scanner_succeeds": 0.8}],
)
def test_a_walk_that_knows_everything_beforehand_is_refused(thresholds):
    with pytest.raises(ValueError, match=r"port_sweep\."):
        busy().flow.port_sweeps(thresholds=thresholds)


@pytest.mark.parametrize("verb", ALL)
def test_a_transit_gateway_logs_enough(verb):
    names = {"interface_id", "action", "log_status"}
    df = busy()
    records = (
        df[df["srcaddr"].notna()].drop(columns=list(names)).assign(tgw_id="tgw-1", tgw_attachment_id="tgw-attach-1")
    )
    assert len(getattr(records.flow, verb)())


@pytest.mark.parametrize("verb", ALL)
def test_a_log_without_traffic_has_no_findings(verb):
    assert empty(getattr(log(skipped(US, [0, 1])).flow, verb)())
