"""Beacons, long conversations, volumes, floods, new peers and gaps: small logs by hand, scores from the formulas."""

from __future__ import annotations

import statistics
import sys
from math import exp, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from describe import eni, network
from formats import START, frame, nodata, record
from hypothesis import given
from hypothesis import strategies as st

import flowlens as fl
from flowlens.detect.ragged import Ragged, dispersion, skew

# Benchmarks are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.detection_rita import beacon_parts

AT = fl.thresholds()["value"]
HOUR, DAY = 3_600, 86_400
HOST, PEER, EVIL, SITE = "10.0.0.5", "10.0.0.9", "203.0.113.250", "198.51.100.9"
TCP, UDP, GRE = 6, 17, 47
SYN, SYN_ACK = 2, 18


def contact(
    at,
    *,
    src=HOST,
    dst=EVIL,
    dport=443,
    sport=None,
    protocol=TCP,
    window=60,
    phase=0,
    lasts=None,
    out=(5, 400),
    back=(4, 600),
    action="ACCEPT",
    interface=None,
    way=None,
    **more,
):
    """Records of one exchange that begins `at` seconds after START: as windows have it, or exact where `window` is 1.

    `out` and `back` are packets and bytes; nothing comes back where `back` is None.
    """
    begin = at if window == 1 else (at + phase) // window * window - phase
    end = begin + (window - 1 if lasts is None else lasts)
    if sport is None:
        sport = 20_000 + (at * 7 + dport) % 40_000
    inside = src.startswith(("10.", "2001:db8:0:"))
    owner = src if inside else dst
    common = {
        "protocol": protocol, "start": START + begin, "end": START + end, "tcp_flags": 0,
        "interface_id": interface or f"eni-{owner}", **more,
    }  # fmt: skip
    sides = {"egress": "ingress", "ingress": "egress"}
    way = way or ("egress" if inside else "ingress")
    tcp = protocol == TCP
    asked = record(
        **common | {
            "srcaddr": src, "dstaddr": dst, "srcport": sport, "dstport": dport, "packets": out[0], "bytes": out[1],
            "action": action, "flow_direction": way, "tcp_flags": SYN if tcp else 0,
        }
    )  # fmt: skip
    if back is None or action != "ACCEPT":
        return [asked]
    answer = record(
        **common | {
            "srcaddr": dst, "dstaddr": src, "srcport": dport, "dstport": sport, "packets": back[0],
            "bytes": back[1], "flow_direction": sides[way], "tcp_flags": SYN_ACK if tcp else 0,
        }
    )  # fmt: skip
    return [asked, answer]


def made(*records):
    """Return the log of records, and of lists of them."""
    flat = [one for some in records for one in ([some] if isinstance(some, dict) else some)]
    names = dict.fromkeys(name for one in flat for name in one)
    return frame(*({name: one.get(name) for name in names} for one in flat))


def calls(times, **options):
    return [one for at in times for one in contact(at, **options)]


def exact(span=DAY, interface=f"eni-{HOST}"):
    """A record as long as the log: no window is, so that times of this interface are exact."""
    ends = {"srcaddr": PEER, "dstaddr": "10.0.0.77", "srcport": 40_000, "dstport": 8080}
    return record(**ends, start=START, end=START + span, interface_id=interface, tcp_flags=0, flow_direction="egress")


def presence(times, host=HOST, site=SITE, **options):
    """A host that sends next to nothing now and then, so that it is known to be there."""
    return calls(times, src=host, dst=site, **{"out": (5, 1_000), **options})


def only(found, **values):
    """Return the one finding that has these values."""
    for name, value in values.items():
        found = found[found[name] == value]
    assert len(found) == 1, found[["kind", "srcaddr", "dstaddr", "dstport", "score"]]
    return found.iloc[0]


def pair(df, verb="beacons", src=HOST, dst=EVIL, **options):
    return only(getattr(df.flow, verb)(**options), srcaddr=src, dstaddr=dst)


def laws_hold(found):
    """Law 8: scores and terms from 0 to 1, and the numbers and words beside them."""
    assert found["score"].between(0, 1).all()
    for row in found.itertuples():
        assert all(0 <= term <= 1 for term in row.parts.values()), row.parts
        assert row.evidence
        assert row.why
        assert row.technique.startswith("T1")


# Many lists at once

LISTS = st.lists(st.lists(st.integers(0, 50), max_size=9), min_size=1, max_size=6)


@given(LISTS)
def test_statistics_of_many_lists_are_those_of_each(lists):
    ragged = Ragged.of([np.array(some, float) for some in lists])
    quartiles = []
    for some in lists:
        half, ordered = len(some) // 2, sorted(some)
        sides = [ordered[:half], ordered[len(some) - half :]]
        quartiles.append([statistics.median(side) if side else np.nan for side in sides])
    medians = [statistics.median(some) if some else np.nan for some in lists]
    deviations = [
        statistics.median(abs(one - middle) for one in some) if some else np.nan
        for some, middle in zip(lists, medians, strict=True)
    ]
    np.testing.assert_array_equal(ragged.median, medians)
    np.testing.assert_array_equal(np.column_stack(ragged.quartiles), quartiles)
    np.testing.assert_array_equal(ragged.mad, deviations)
    for some, distinct in zip(lists, _lists(ragged.distinct()), strict=True):
        assert distinct == sorted(set(some))
    for some, gaps in zip(lists, _lists(ragged.gaps()), strict=True):
        assert gaps == sorted(np.diff(sorted(some)).tolist())


def _lists(ragged):
    return [part.tolist() for part in np.split(ragged.numbers, np.cumsum(ragged.counts)[:-1])]


@given(LISTS)
def test_skew_and_dispersion_are_shares(lists):
    ragged = Ragged.of([np.array(some, float) for some in lists])
    assert (np.abs(skew(ragged, 10.0)) <= 1).all()
    spread = dispersion(ragged, np.nan_to_num(ragged.mad), 1.0)
    assert ((spread >= 0) & (spread <= 1)).all()


# Beacons as RITA has them


def rita(times, sizes=None, span=DAY):
    sizes = [400] * len(times) if sizes is None else sizes
    records = [
        one
        for at, size in zip(times, sizes, strict=True)
        for one in contact(at, window=1, lasts=1, out=(5, size))
    ]  # fmt: skip
    return made(records, exact(span)).flow.beacons(mode="rita")


def parts_of(*arguments):
    return only(rita(*arguments), srcaddr=HOST, dstaddr=EVIL).parts


def test_timestamp_part_by_hand_with_an_even_number_of_sizes_and_an_odd_one_of_gaps():
    # Gaps 100, 110 | 200 | 300, 500: quartiles 105 and 400, skew (105 + 400 - 400) / 295; deviations 100, 90, 0, 100,
    # 300, median 100. Sizes 40, 41, 43 | 46, 48, 49: closer than 10, no skew; median 44.5, deviations 4.5, 3.5, 1.5,
    # 1.5, 3.5, 4.5, median 3.5.
    found = only(rita(np.cumsum([0, 300, 100, 500, 110, 200]), [40, 41, 43, 46, 48, 49]), srcaddr=HOST, dstaddr=EVIL)
    assert found.evidence["skew"] == pytest.approx(105 / 295)
    assert (found.evidence["mad"], found.evidence["median"]) == (100, 200)
    timestamp, size = round((1 - 105 / 295 + 0.5) / 2, 3), round((1 + 41 / 44.5) / 2, 3)
    # All in one hour: one bar is neither even nor lasting.
    assert found.parts == {"timestamp": timestamp, "data_size": size, "histogram": 0, "duration": 0, "context": 1}
    assert found.score == round((timestamp + size) / 4, 3)


@pytest.mark.parametrize(
    ("gaps", "timestamp"),
    [
        # Quartiles closer than 10: no skew. Deviations 5, 0, 4, median 4 of 105.
        ([100, 105, 109], round((1 + 101 / 105) / 2, 3)),
        # The median is the lower quartile: no skew; three of four do not deviate.
        ([100, 100, 100, 500], 1.0),
        # ... the upper quartile: 500, 500, 500 | 100: no skew.
        ([500, 500, 100, 500], 1.0),
        # Quartiles 10 and 100 around 10 and 100 in the middle, 55: no skew by symmetry, deviations 45.
        ([10, 10, 100, 100], round((1 + 10 / 55) / 2, 3)),
    ],
)
def test_skewness_is_zero_where_it_says_nothing(gaps, timestamp):
    assert parts_of(np.cumsum([0, *gaps]))["timestamp"] == timestamp


def test_sizes_of_nothing_have_no_dispersion():
    assert parts_of([0, 100, 200, 300], [0, 0, 0, 0])["data_size"] == 0.5


def test_histogram_counts_evenness_or_two_heights():
    every_hour = [HOUR * hour for hour in range(24)]
    assert parts_of(every_hour)["histogram"] == 1.0
    # Eleven hours: five of one call, five of three, one of two. The two commonest heights hold ten, one is forgiven.
    heights = [1, 3] * 5 + [2]
    times = [HOUR * hour + 100 * n for hour, height in enumerate(heights) for n in range(height)]
    assert parts_of(times)["histogram"] == 1.0
    # Ten hours are too few for that: 1 less the variation of 1 and 3, five each, and 14 empty bars.
    times = [HOUR * hour + 100 * n for hour, height in enumerate(heights[:10]) for n in range(height)]
    assert np.std(heights[:10] + [0] * 14) > np.mean(heights[:10] + [0] * 14)
    assert parts_of(times)["histogram"] == 0.0


def test_duration_goes_around_midnight_and_needs_six_hours():
    # Twelve hours in a row, six at the end of the day and six at its beginning: all of the twelve that count.
    around = [HOUR * hour for hour in (*range(6), *range(18, 24))]
    assert parts_of(around)["duration"] == 1.0
    # Six in a row are half; from the first to the last are five hours of 24.
    assert parts_of([HOUR * hour for hour in range(6)])["duration"] == 0.5
    # Every other hour: one in a row; ten hours of 24 from the first to the last, rounded up.
    assert parts_of([2 * HOUR * n for n in range(6)])["duration"] == 0.417
    assert parts_of([HOUR * hour for hour in range(5)])["duration"] == 0.0


def test_fewer_than_four_times_are_no_beacon():
    assert rita([0, 100, 200]).empty
    assert rita([0, 100, 200, 200]).empty  # two at once
    assert len(rita([0, 100, 200, 300])) == 1


def test_so_many_connections_are_a_strobe(monkeypatch):
    # A real one has 86,400 connections.
    monkeypatch.setattr("flowlens.detect.rita._STROBE", 50)
    same_times = [n % 3 for n in range(50)]
    records = [one for n, at in enumerate(same_times) for one in contact(at, window=1, lasts=1, sport=20_000 + n)]
    found = made(records, exact()).flow.beacons(mode="rita")
    assert only(found, srcaddr=HOST).score == 0.8
    laws_hold(found)


def test_the_scale_of_threat():
    # Each quarter of the score is 1, for 1.0; RITA calls that 0.8.
    assert only(rita(list(range(0, DAY, 600))), srcaddr=HOST).evidence["threat"] == pytest.approx(0.8, abs=0.02)


@given(
    st.lists(st.integers(0, DAY - 2), min_size=4, max_size=60, unique=True),
    st.integers(1, 3_000),
)
def test_parts_are_those_of_the_formulas_restated_elsewhere(times, size):
    times = sorted(times)
    sizes = [40 + (size * n) % 977 for n in range(len(times))]
    found = only(rita(times, sizes), srcaddr=HOST, dstaddr=EVIL)
    expected = beacon_parts(np.array(times) + START, sizes, START, START + DAY)
    assert found.parts["timestamp"] == pytest.approx(expected.timestamp)
    assert found.parts["data_size"] == pytest.approx(expected.data_size)
    assert found.parts["histogram"] == pytest.approx(expected.histogram)
    assert found.parts["duration"] == pytest.approx(expected.duration)
    assert found.score == pytest.approx(expected.score)


def test_modes_have_names():
    with pytest.raises(ValueError, match="neither 'interval' nor 'rita'"):
        made(contact(0)).flow.beacons(mode="RITA")


# Beacons as windows let them be known

EVERY_5_MINUTES = range(0, 2 * HOUR, 300)
#: Of 24 events in two hours, 12 each: all even, two of twelve hours.
PERFECT = (1 + 1 + 1 + 2 / 12) / 4


def evidence(count):
    return count / (count + AT["beacon.half_evidence"])


@pytest.mark.parametrize(
    ("window", "label", "events", "minimum"),
    [(1, "periodic", 24, 2), (60, "periodic", 24, 120), (600, "continuous", 12, 1200)],
)
def test_what_the_windows_can_show(window, label, events, minimum):
    records = calls(EVERY_5_MINUTES, window=window, lasts=1 if window == 1 else None)
    found = pair(made(records, exact() if window == 1 else []))
    assert found.evidence["class"] == label
    assert (found.evidence["events"], found.flows) == (events, 24)
    assert (found.evidence["minimum_period"], found.evidence["window"]) == (minimum, window)
    assert found.evidence["period"] == max(300, window)
    assert found.score == pytest.approx(PERFECT * evidence(events))
    assert (found.bytes, found.evidence["size_median"], found.evidence["connections"]) == (24 * 400, 400, 24)
    assert ("cannot show" in found.why) == (label == "continuous")
    assert bool(found.caveat) == (window > 1)


def test_continuous_is_capped():
    found = pair(made(calls(range(0, DAY, 300), window=600)))
    assert found.evidence["events"] == 144
    assert evidence(144) > 0.9
    assert found.score == AT["beacon.continuous"]


def test_first_and_last_packets_inside_windows_are_as_good_as_edges():
    found = pair(made(calls(EVERY_5_MINUTES, window=1, lasts=7)))  # nothing is as long as a window
    assert (found.evidence["class"], found.evidence["window"], found.evidence["minimum_period"]) == (
        "periodic",
        60,
        120,
    )
    assert found.score == pytest.approx(PERFECT * evidence(24))


def test_jitter_is_judged_as_far_as_windows_let_it_be_known():
    # Gaps 180, 240, 300, 360: median 270, quartiles 210 and 330, no skew; deviations 90, 30, 30, 90, median 60.
    times = np.cumsum([0, 240, 360, 180, 300]).tolist()
    timing = {1: (1 + 210 / 270) / 2, 60: (1 + (270 - 30) / 270) / 2}  # half a window is forgiven
    for window, expected in timing.items():
        records = calls(times, window=window, lasts=1 if window == 1 else None)
        found = pair(made(records, exact() if window == 1 else []))
        assert found.evidence["gap_mad"] == 60
        assert found.parts["timing"] == pytest.approx(expected)
        # One hour: even, and one of twelve.
        assert found.score == pytest.approx((expected + 1 + 1 + 1 / 12) / 4 * evidence(5))


def test_more_jitter_and_fewer_events_score_less():
    rng = np.random.default_rng(7)
    scores = [
        pair(made(calls((np.arange(0, 4 * HOUR, 300) + rng.integers(0, jitter + 1, 48)).tolist()))).score
        for jitter in (0, 120, 290)
    ]
    assert scores == sorted(scores, reverse=True)
    by_count = [pair(made(calls(range(0, 300 * n, 300)))).score for n in (4, 6, 12, 48, 200)]
    assert by_count == sorted(by_count)


def test_few_events_are_insufficient():
    assert made(calls([0, 300, 600])).flow.beacons().empty
    # Four connections in two windows: two times.
    found = pair(made(calls([0, 10, 300, 310], sport=None)))
    assert (found.evidence["class"], found.score) == ("insufficient", 0)
    assert "no period can be told" in found.why


def heartbeat(period, beats, *, touching=False, **options):
    lasts = 60 if touching else 59
    return calls(range(0, period * beats, period), sport=50_000, lasts=lasts, **options)


def test_a_heartbeat_within_a_connection_is_many_events_of_one_contact():
    found = pair(made(heartbeat(300, 20)))
    # 12 in the first hour, 8 in the second: mean 10, deviation 2.
    rhythm = (1 + 1 + (1 - 2 / 10) + 2 / 12) / 4 * evidence(20)
    assert (found.evidence["events"], found.evidence["connections"], found.flows) == (20, 1, 1)
    assert (found.evidence["class"], found.evidence["period"]) == ("periodic", 300)
    assert found.score == pytest.approx(rhythm * AT["beacon.kept_open"])


def test_windows_whose_edges_touch_are_apart_where_one_is_between():
    found = pair(made(heartbeat(120, 20, touching=True)))
    assert (found.evidence["events"], found.evidence["class"]) == (20, "continuous")
    assert pair(made(heartbeat(60, 70, touching=True))).evidence["events"] == 1


def test_requests_of_time_from_one_port_are_events_and_infrastructure():
    clock = heartbeat(180, 20, protocol=UDP, dport=123, out=(1, 76), back=(1, 76))
    clock = [{**one, "srcport": 123, "dstport": 123} for one in clock]
    found = pair(made(clock))
    rhythm = (1 + 1 + 1 + 1 / 12) / 4 * evidence(20)
    assert (found.evidence["events"], found.evidence["connections"]) == (20, 1)
    assert found.score == pytest.approx(rhythm * AT["beacon.kept_open"] * AT["context.infrastructure"])
    assert found.caveat.startswith("NTP: x 0.3")


def test_what_both_interfaces_log_is_one_beacon():
    at_source = calls(EVERY_5_MINUTES, dst=PEER)
    at_target = calls(EVERY_5_MINUTES, dst=PEER, phase=25, interface=f"eni-{PEER}", way="ingress")
    both, one = (pair(made(*records), dst=PEER) for records in ([at_source, at_target], [at_source]))
    for found in (both, one):
        assert (found.evidence["events"], found.evidence["period"], found.bytes) == (24, 300, 24 * 400)
    assert one.score == pytest.approx(PERFECT * evidence(24) * AT["beacon.internal"])
    # Windows of the target begin 25 seconds earlier, in the hour before, too.
    assert both.parts["timing"] == one.parts["timing"] == 1


def test_never_answered_is_as_bad_and_refused_is_not():
    answered = pair(made(calls(EVERY_5_MINUTES)))
    silent = pair(made(calls(EVERY_5_MINUTES, back=None)))
    refused = pair(made(calls(EVERY_5_MINUTES, action="REJECT")))
    assert silent.score == answered.score
    assert refused.score == pytest.approx(answered.score * AT["beacon.refused"])
    assert ("never answered" in silent.why, "refused each time" in refused.why) == (True, True)
    assert (silent.evidence["answered"], answered.evidence["answered"]) == (0, 24)


INFRASTRUCTURE = AT["context.infrastructure"]


@pytest.mark.parametrize(
    ("options", "more", "factor", "reason"),
    [
        ({"dport": 53, "protocol": UDP}, {}, INFRASTRUCTURE, "DNS: x 0.3"),
        ({"dst": "239.1.1.1", "protocol": UDP, "back": None}, {}, INFRASTRUCTURE, "multicast or link-local: x 0.3"),
        ({}, {"pkt_dst_aws_service": "S3"}, INFRASTRUCTURE, "the AWS service S3: x 0.3"),
        ({}, {"pkt_dst_aws_service": "EC2"}, 1, "windows of 60 s"),  # rented to anybody
        ({"src": EVIL, "dst": HOST}, {}, AT["beacon.inbound"], "from outside: x 0.9"),
        ({"dst": PEER}, {}, AT["beacon.internal"], "between internal hosts: x 0.5"),
        ({"src": EVIL, "dst": HOST}, {"pkt_src_aws_service": "ROUTE53_HEALTHCHECKS"}, INFRASTRUCTURE * 0.9, "Route 53"),
    ],
)
def test_what_is_likely_to_be_innocent_is_lowered_with_the_reason(options, more, factor, reason):
    records = calls(EVERY_5_MINUTES, **options)
    named = [one | more for one in records if one["srcaddr"] == options.get("src", HOST)]
    others = [one for one in records if one["srcaddr"] != options.get("src", HOST)]
    (found,) = made(named, others).flow.beacons().itertuples()
    assert found.score == pytest.approx(PERFECT * evidence(24) * factor)
    assert found.parts["context"] == pytest.approx(factor)
    assert reason in found.caveat


def test_health_checks_of_a_load_balancer_are_known_by_the_topology():
    balancer, web = "10.0.1.20", "10.0.1.9"
    described = {"InterfaceType": "network_load_balancer", "Description": "ELB net/front/50dc6c495c0c9188"}
    home = network([eni(1, balancer, **described), eni(2, web)])
    found = pair(made(calls(EVERY_5_MINUTES, src=balancer, dst=web, dport=8080)), src=balancer, dst=web, topology=home)
    assert "load balancer" in found.caveat
    assert found.parts["context"] == pytest.approx(INFRASTRUCTURE * AT["beacon.internal"])


def test_what_many_hosts_do_is_a_service():
    def fleet(size):
        return made(*(calls(EVERY_5_MINUTES, src=f"10.0.0.{n}") for n in range(10, 10 + size)))

    alone, few, many = (only(fleet(n).flow.beacons(), srcaddr="10.0.0.10") for n in (1, 4, 5))
    assert [found.evidence["hosts_alike"] for found in (alone, few, many)] == [1, 4, 5]
    assert few.score == alone.score == pytest.approx(PERFECT * evidence(24))
    assert many.score == pytest.approx(alone.score * AT["beacon.common"] / 5)


def test_clients_from_outside_are_alike_where_they_are_regular():
    def clients(number, times):
        return [calls(times, src=f"203.0.113.{n}", dst=HOST) for n in range(1, 1 + number)]

    regular = made(*clients(8, range(0, 4 * HOUR, 300)), calls([0, 70, 5 * HOUR, 9 * HOUR], src="192.0.2.1", dst=HOST))
    found = regular.flow.beacons()
    assert set(found["evidence"].map(lambda one: one["hosts_alike"])) == {8}
    once = made(*clients(1, range(0, 4 * HOUR, 300)), *(calls([0, 70, 5 * HOUR, 9 * HOUR], src=f"192.0.2.{n}", dst=HOST)
                for n in range(1, 9)))  # fmt: skip
    assert pair(once, src="203.0.113.1", dst=HOST).evidence["hosts_alike"] == 1


def test_beacons_of_the_other_address_family():
    mine, other = "2001:db8:0:1::5", "2001:db8:c0::1"
    found = pair(made(calls(EVERY_5_MINUTES, src=mine, dst=other)), src=mine, dst=other)
    assert found.score == pytest.approx(PERFECT * evidence(24))


def test_the_default_format_is_enough():
    df = made(calls(EVERY_5_MINUTES))
    plain = df.drop(columns=["tcp_flags", "flow_direction"])
    assert pair(plain).score == pair(df).score
    assert pair(plain.drop(columns=["interface_id", "action", "log_status"])).score == pair(df).score


def test_a_field_that_is_needed_is_named():
    with pytest.raises(fl.MissingFieldError, match="start"):
        made(calls(EVERY_5_MINUTES)).drop(columns="start").flow.beacons()


# Long conversations


def kept_open(hours, *, begin=0, window=600, **options):
    times = range(begin, begin + int(hours * HOUR), window)
    return calls(times, window=window, lasts=window, sport=50_000, **options)


@pytest.mark.parametrize(("hours", "score"), [(1, 0.2), (4, 0.4), (6, 0.5), (8, 0.6), (12, 0.8), (20, 0.8)])
def test_long_conversations_are_stitched_over_windows(hours, score):
    found = pair(made(kept_open(hours)), "long_conversations")
    assert found.evidence["longest_seconds"] == hours * HOUR
    assert found.score == pytest.approx(score)
    assert (found.flows, found.bytes) == (1, 400 * hours * 6)
    assert found.evidence["bytes_a_second"] == pytest.approx(1000 / 600)


def test_long_conversations_of_less_than_an_hour_and_unanswered_ones_are_none():
    assert made(kept_open(5 / 6)).flow.long_conversations().empty
    assert made(kept_open(5, back=None)).flow.long_conversations().empty


def test_long_conversations_within_and_from_outside_count_less():
    inside = pair(made(kept_open(12, dst=PEER)), "long_conversations", dst=PEER)
    inbound = pair(made(kept_open(12, src=EVIL, dst=HOST)), "long_conversations", src=EVIL, dst=HOST)
    assert inside.score == pytest.approx(0.8 * AT["long_conversation.internal"])
    assert inbound.score == pytest.approx(0.8 * AT["long_conversation.inbound"])


def test_agents_of_all_hosts_stay_connected():
    fleet = made(*(kept_open(12, src=f"10.0.0.{n}") for n in range(10, 18)))
    found = fleet.flow.long_conversations()
    assert len(found) == 8
    assert found["score"].tolist() == pytest.approx([0.8 * AT["long_conversation.common"] / 8] * 8)
    laws_hold(found)


# Volumes


def sends(hour, size, *, connections=1, records=1, back=None, **options):
    """Bytes sent in one hour, over connections of several windows each."""
    share = size // (connections * records)
    return [
        one
        for c in range(connections)
        for r in range(records)
        for one in contact(
            hour * HOUR + 60 * r, sport=30_000 + c, out=(1 + share // 1400, share),
            back=(share // 3000, 40) if back is None else (100, back // (connections * records)), **options
        )
    ]  # fmt: skip


HOURLY = range(0, DAY, HOUR)


def volume(size):
    return min(1, log(size / AT["volume_spike.bytes"]) / log(100))


def spike(*records, **options):
    return pair(made(*records), "volume_spikes", **options)


@pytest.mark.parametrize(("connections", "records"), [(1, 1), (20, 1), (1, 40), (10, 20)])
def test_a_theft_in_pieces_is_one_theft(connections, records):
    found = spike(presence(HOURLY), sends(10, 100_000_000, connections=connections, records=records, back=0))
    # 10 to 1,000 MB: 100 MB are half way. Log of 100 MB over that of 1 kB is 11.5, above 8; new after ten hours.
    assert found.evidence["deviation_of_host"] == pytest.approx(log(100_000_001 / 1_001))
    assert found.score == pytest.approx(0.4 + 0.4 * 0.5 + 0.2 * 0.5)
    assert found.flows == connections
    assert found.bytes == 100_000_000


def test_more_bytes_score_more_and_few_are_not_looked_at():
    scores = [spike(presence(HOURLY), sends(10, int(size))).score for size in (2e7, 2e8, 2e9)]
    assert scores == sorted(scores)
    assert scores[0] < scores[1] < scores[2]
    assert made(presence(HOURLY), sends(10, 9_000_000)).flow.volume_spikes().empty


def test_a_nightly_backup_is_a_habit_and_the_first_one_is_not():
    known = presence(range(0, 5 * DAY, HOUR))
    nights = [sends(24 * day + 12, 1_000_000_000, back=0) for day in range(5)]
    habit = spike(known, *nights)
    assert habit.evidence["days_of_pair"] == 5
    assert habit.evidence["deviation_of_pair"] == pytest.approx(0)
    assert habit.score == pytest.approx(0.4)  # its volume is what remains
    assert spike(known, nights[2]).score == pytest.approx(1)


@pytest.mark.parametrize("opened", [0, 4, 12, 19])
def test_what_leaves_in_a_connection_that_was_open_before_counts_in_the_hours_in_which_it_left(opened):
    quiet, loud = (5, 300), (50_000, 50_000_000)
    theft = [
        contact(minute * MINUTE, sport=55_555, out=loud if 1_200 <= minute < 1_240 else quiet)
        for minute in range(opened * 60, 24 * 60)
    ]
    df = made(presence(range(0, DAY, HOUR)), *theft)
    found = pair(df, "volume_spikes")
    assert found.evidence["bytes_an_hour"] == 40 * 50_000_000 + 20 * 300
    assert found.bytes == 40 * 50_000_000 + ((24 - opened) * 60 - 40) * 300
    assert found.flows == 1
    assert "(2 GB in one hour)" in found.why
    assert found.score > (0.5 if opened < 3 else 0.9)


def test_what_two_attachments_of_a_transit_gateway_saw_counts_once_an_hour():
    def seen(attachment, minute, size):
        return {
            **record(
                srcaddr=HOST, dstaddr=EVIL, srcport=55_555, dstport=443, protocol=TCP, packets=size // 1_000,
                bytes=size, start=START + minute * MINUTE, end=START + minute * MINUTE + 59,
            ),
            "interface_id": None, "tgw_attachment_id": attachment, "resource_type": "TransitGateway",
        }  # fmt: skip

    sizes = [(minute, 50_000_000 if 600 <= minute < 640 else 1_000) for minute in range(720)]
    df = made(*(seen(f"tgw-attach-{n}", minute, size) for n in (1, 2) for minute, size in sizes))
    found = pair(df, "volume_spikes")
    assert found.evidence["bytes_an_hour"] == 40 * 50_000_000 + 20 * 1_000
    assert found.bytes == sum(size for _, size in sizes)


def test_a_terabyte_is_said_as_one():
    df = made(presence(range(0, DAY, HOUR)), contact(20 * HOUR, out=(10**9, 3 * 10**12)))
    assert "sent 203.0.113.250 3 TB (3 TB in one hour)" in pair(df, "volume_spikes").why


def test_a_backup_in_its_second_night_says_when_it_would_be_a_habit():
    nights = calls([2 * HOUR, DAY + 2 * HOUR], out=(10**6, 3 * 10**9))
    found = pair(made(presence(range(0, 2 * DAY, HOUR)), nights), "volume_spikes")
    assert found.caveat == "these two talked on 2 days; from 3 on it would be a habit"


def test_far_more_than_the_habit_is_a_spike():
    known = presence(range(0, 5 * DAY, HOUR))
    nights = [sends(24 * day + 12, 20_000_000, back=0) for day in range(4)]
    found = spike(known, *nights, sends(24 * 4 + 12, 20_000_000_000, back=0))
    # A thousand times: 6.9 deviations of 2 to 8.
    assert found.parts["deviation"] == pytest.approx((log(1000) - 2) / 6, abs=1e-6)
    assert found.score == pytest.approx(0.4 * found.parts["deviation"] + 0.4)


def test_a_theft_that_lasts_does_not_become_usual():
    one = spike(presence(HOURLY), sends(10, 1_000_000_000, back=0))
    eight = spike(presence(HOURLY), *(sends(10 + n, 1_000_000_000, back=0) for n in range(8)))
    assert one.score == pytest.approx(1)
    assert eight.score == pytest.approx(1)


def test_a_stream_in_one_connection_is_in_all_its_hours():
    stream = contact(0, window=1, lasts=DAY, out=(10**6, 24 * 10**9), back=None)
    found = spike(presence(HOURLY, window=1, lasts=1), stream)
    assert (found.evidence["hours_of_pair"], found.evidence["bytes_an_hour"]) == (24, 10**9)
    # There from the beginning, every hour the same: nothing but its volume.
    assert found.score == pytest.approx(0.4)


def test_what_comes_back_speaks_against_a_theft():
    found = spike(presence(HOURLY), sends(10, 1_000_000_000, back=250_000_000))
    assert found.parts["one_way"] == pytest.approx(0.6)
    assert found.score == pytest.approx(0.6)
    # A download of 10 GB, acknowledged with 200 MB.
    assert made(presence(HOURLY), sends(10, 200_000_000, back=10_000_000_000)).flow.volume_spikes().empty
    # Downloads on other days do not hide an upload.
    downloads = [sends(20 + n, 1_000_000, back=10_000_000_000) for n in range(3)]
    assert spike(presence(HOURLY), sends(10, 1_000_000_000, back=0), *downloads).score == pytest.approx(1)


def test_the_history_of_the_host_counts():
    quiet = spike(presence(HOURLY), sends(10, 1_000_000_000, back=0))
    others = presence(HOURLY, out=(1000, 100_000_000))
    busy = spike(others, sends(10, 1_000_000_000, back=0))
    # Ten times what it sends to others every hour: 2.3 deviations of 2 to 8.
    assert busy.parts["deviation"] == pytest.approx((log(10) - 2) / 6, abs=1e-6)
    assert busy.score < quiet.score


def test_a_server_that_only_ever_answered_has_a_history():
    asked = calls(HOURLY, src=PEER, dst=HOST, dport=5432)
    found = spike(asked, sends(10, 1_000_000_000, back=0))
    assert found.evidence["hours_before"] == 10
    assert found.score == pytest.approx(1)


def test_of_little_history_only_the_volume_counts():
    found = spike(sends(0, 1_000_000_000, back=0))
    assert (found.parts["deviation"], found.parts["novelty"]) == (0, 0)
    assert found.score == pytest.approx(0.4)
    assert "too short" in found.caveat
    assert "not known" in found.why


def test_uploads_to_s3_are_lowered_and_listed():
    upload = [
        one | ({"pkt_dst_aws_service": "S3"} if one["srcaddr"] == HOST else {})
        for one in sends(10, 1_000_000_000, back=0)
    ]
    found = spike(presence(HOURLY), upload)
    assert found.score == pytest.approx(INFRASTRUCTURE)
    assert "the AWS service S3" in found.caveat


def test_what_stays_inside_and_what_comes_in_is_no_theft():
    df = made(presence(HOURLY), sends(10, 10**9, dst=PEER), sends(10, 10**9, src=EVIL, dst=HOST))
    assert df.flow.volume_spikes().empty


# Floods

MINUTE = 60


def flood(minutes, rate, *, src=EVIL, dst=HOST, sources=1, dport=443, protocol=TCP, size=60, sport=None, **options):
    """Packets that nobody answers, every minute anew."""
    packets = rate * MINUTE // sources
    return [
        one
        for minute in minutes
        for n in range(sources)
        for one in contact(
            minute * MINUTE, src=src if sources == 1 else f"203.0.113.{n + 1}", dst=dst, dport=dport,
            sport=sport or 20_000 + minute, protocol=protocol, out=(packets, packets * size), back=None, **options
        )
    ]  # fmt: skip


def rate_term(rate):
    return 0.4 + 0.6 * min(1, log(rate / AT["flood.rate"]) / log(100))


QUIET = presence(range(0, 2 * HOUR, 10 * MINUTE))


def test_a_syn_flood_from_one():
    found = only(made(QUIET, flood(range(30, 35), 1_000)).flow.floods(), dstaddr=HOST)
    assert found.score == pytest.approx(rate_term(1_000))
    assert (found.subject, found.srcaddr, found.technique) == (HOST, EVIL, "T1498.001")
    assert pd.isna(found.guardduty)  # which names what goes out
    assert found.evidence["packets_a_second"] == 1_000
    assert (found.evidence["minutes"], found.evidence["usual"], found.evidence["bytes_a_packet"]) == (5, 0, 60)
    assert found["first"] == pd.Timestamp(START + 30 * MINUTE, unit="s", tz="UTC")
    assert found["last"] == pd.Timestamp(START + 35 * MINUTE, unit="s", tz="UTC")
    assert found.bytes == 5 * 1_000 * 60 * 60


@pytest.mark.parametrize("before", [0, 2, 20])
def test_a_flood_in_flows_that_were_there_before_is_one(before):
    trickle = flood(range(before * 60), 1, protocol=UDP, sport=123, dport=123)
    loud = flood(range(before * 60, before * 60 + 10), 10_000, protocol=UDP, sport=123, dport=123)
    quiet = calls(range(0, 22 * HOUR, HOUR), src=EVIL, dst=HOST, dport=443) if before else QUIET
    found = only(made(quiet, trickle, loud).flow.floods(), dstaddr=HOST, protocol=UDP)
    assert found.evidence["packets_a_second"] == 10_000
    if before:
        assert found.score == pytest.approx(1, abs=0.01)
        assert "before that 1" in found.why


def test_before_the_first_minute_of_the_log_nothing_is_known():
    found = only(made(flood(range(5), 1_000)).flow.floods(), dstaddr=HOST)
    assert found.why.endswith(f"a second from {EVIL}, in the first minute of the log")
    assert found.evidence["usual"] is None


def test_many_sources_are_said_and_none_is_accused():
    found = only(made(QUIET, flood(range(30, 33), 1_000, sources=100)).flow.floods(), dstaddr=HOST)
    assert pd.isna(found.srcaddr)
    assert found.subject == HOST
    assert found.evidence["sources"] == 100
    assert "100 sources" in found.why
    # One that sends nearly all of it is named, whoever else knocks.
    noise = [contact(31 * MINUTE, src="192.0.2.9", dst=HOST, dport=22, back=None)]
    assert only(made(QUIET, *noise, flood(range(30, 33), 1_000)).flow.floods(), dstaddr=HOST).srcaddr == EVIL


def test_a_udp_flood_that_goes_out_accuses_the_host():
    found = only(made(QUIET, flood([40], 5_000, src=HOST, dst=EVIL, protocol=UDP)).flow.floods(), dstaddr=EVIL)
    assert (found.subject, found.srcaddr) == (HOST, HOST)
    assert found.guardduty == "Backdoor:EC2/DenialOfService.Udp"
    assert found.score == pytest.approx(1)


def test_the_victim_of_reflectors():
    answers = [
        one
        for n in range(20)
        for one in contact(
            30 * MINUTE, src=f"198.51.100.{n + 1}", dst=HOST, dport=40_000, sport=123, protocol=UDP,
            out=(3_000, 3_000 * 468), back=None,
        )
    ]  # fmt: skip
    found = only(made(QUIET, answers).flow.floods(), dstaddr=HOST)
    assert (found.technique, found.evidence["kind"]) == ("T1498.002", "answers of reflectors")
    assert (found.evidence["sources"], found.evidence["packets_a_second"]) == (20, 1_000)
    assert found.score == pytest.approx(rate_term(1_000))


def test_a_host_that_reflects_is_accused_and_the_one_who_seems_to_ask_is_the_victim():
    asked = contact(
        30 * MINUTE, src=EVIL, dst=HOST, dport=123, sport=40_000, protocol=UDP, out=(6_000, 6_000 * 48),
        back=(60_000, 60_000 * 468),
    )  # fmt: skip
    found = only(made(QUIET, asked).flow.floods(), dstaddr=EVIL)
    assert (found.subject, found.srcaddr, found.technique) == (HOST, HOST, "T1498.002")
    assert found.score == pytest.approx(rate_term(1_000))


def test_large_answers_to_questions_of_our_own_are_no_flood():
    asked = contact(
        30 * MINUTE, src=HOST, dst=SITE, dport=53, protocol=UDP, out=(6_000, 6_000 * 60), back=(12_000, 12_000 * 1_200)
    )
    assert made(QUIET, asked).flow.floods().empty


def test_the_chi_square_by_hand():
    # Ten minutes of 3,000 packets, then one of 3,300 and one of 9,000. The log begins with the first of them.
    steady = flood(range(10), 50, protocol=UDP, dport=514)
    more = only(made(steady, flood([10], 55, protocol=UDP, dport=514)).flow.floods(), dstaddr=HOST)
    chi = (3_300 - 33_300 / 11) ** 2 * 11**2 / (33_300 * 10)
    assert more.evidence["chi_square"] == pytest.approx(chi)
    assert more.parts["burst"] == pytest.approx((1 - exp(-chi / AT["flood.burst"])) * (1 - 50 / 55))
    much = only(made(steady, flood([10], 150, protocol=UDP, dport=514)).flow.floods(), dstaddr=HOST)
    chi = (9_000 - 39_000 / 11) ** 2 * 11**2 / (39_000 * 10)
    assert much.evidence["chi_square"] == pytest.approx(chi)
    assert much.parts["burst"] == pytest.approx(2 / 3)
    assert much.score == pytest.approx(rate_term(150) * 2 / 3)
    assert much.evidence["usual"] == pytest.approx(50)


def test_an_attack_that_lasts_does_not_become_its_own_baseline():
    # Three hours; in the last minute, twice as much. All are bursts over the 10 packets a second before.
    before = flood(range(60), 10, protocol=UDP, dport=514)
    lasting = flood(range(60, 240), 1_000, protocol=UDP, dport=514)
    found = only(made(before, lasting, flood([240], 2_000, protocol=UDP, dport=514)).flow.floods(), dstaddr=HOST)
    assert (found.evidence["minutes"], found.evidence["packets_a_second"]) == (181, 2_000)
    assert found.evidence["usual"] == pytest.approx(10)


def test_a_steady_stream_of_udp_is_no_flood_and_one_of_syn_is():
    udp = only(made(flood(range(120), 1_000, protocol=UDP, dport=514)).flow.floods(), dstaddr=HOST)
    assert udp.score == pytest.approx(0)
    syn = only(made(flood(range(120), 1_000)).flow.floods(), dstaddr=HOST)
    assert syn.score == pytest.approx(rate_term(1_000) / 2)
    # One long record of it, as of a connection: the same in all its minutes.
    one = contact(0, src=HOST, dst=SITE, protocol=UDP, dport=514, window=1, lasts=4 * HOUR, out=(14_400_000, 10**9),
                  back=None)  # fmt: skip
    again = contact(5 * HOUR, src=HOST, dst=SITE, protocol=UDP, dport=514, window=1, lasts=60, out=(60_000, 10**7),
                    back=None)  # fmt: skip
    assert only(made(one).flow.floods(), dstaddr=SITE).score == pytest.approx(0)
    pause = only(made(one, again).flow.floods(), dstaddr=SITE)
    assert pause.evidence["usual"] == 0  # an hour of silence: that it begins again is a burst


def test_ordinary_variation_of_a_stream_is_small():
    rates = [1_000 + (70 * n) % 130 for n in range(100)]
    stream = [flood([n], rate, protocol=UDP, dport=514) for n, rate in enumerate(rates)]
    assert only(made(*stream).flow.floods(), dstaddr=HOST).score < 0.15


def test_downloads_and_backups_are_no_floods():
    download = contact(30 * MINUTE, src=HOST, dst=SITE, out=(100_000, 5_000_000), back=(600_000, 900_000_000))
    backup = contact(
        40 * MINUTE, src=HOST, dst=SITE, sport=30_001, out=(600_000, 900_000_000), back=(60_000, 3_000_000)
    )
    assert made(QUIET, download, backup).flow.floods().empty
    assert made(QUIET, flood([30], 40)).flow.floods().empty  # below 50 a second


def test_higher_rates_score_more():
    scores = [only(made(QUIET, flood([30], rate)).flow.floods(), dstaddr=HOST).score for rate in (60, 600, 6_000)]
    assert scores == sorted(scores)
    assert scores[2] == pytest.approx(1)


# New peers

DAILY = range(0, 5 * DAY, 6 * HOUR)


def new(*records, **values):
    return only(made(*records).flow.new_peers(), **{"srcaddr": HOST, **values})


def later(day, n=4, **options):
    return calls([day * DAY + 900 * k for k in range(n)], **options)


def test_a_new_port_outside_by_hand():
    found = new(presence(DAILY), later(4, dport=6667), dstport=6667)
    # One port before, four contacts: half of the evidence is two.
    assert found.parts == {
        "base": 0.6, "rarity": 1, "habit": pytest.approx(20 / 21), "evidence": pytest.approx(4 / 6), "context": 1,
    }  # fmt: skip
    assert found.score == pytest.approx(0.6 * 20 / 21 * 4 / 6)
    assert (found.evidence["days_before"], found.evidence["usual"], found.evidence["hosts"]) == (4, 1, 1)
    assert found.guardduty == "Behavior:EC2/NetworkPortUnusual"


def test_a_protocol_and_an_internal_peer_are_new_too():
    log_of = [presence(DAILY), later(4, protocol=GRE, dport=0, sport=1), later(4, dst=PEER, dport=22, back=(9, 900))]
    protocol, peer = new(*log_of, protocol=GRE), new(*log_of, dstaddr=PEER)
    assert protocol.score == pytest.approx(0.7 * 4 / 6)
    assert peer.score == pytest.approx(0.5 * 4 / 6)
    # A peer that does not answer is none.
    assert made(presence(DAILY), later(4, dst=PEER, dport=22, back=None)).flow.new_peers().empty


def test_the_first_mail_counts_more_however_many_ports_a_host_uses():
    ports = [presence(DAILY, dport=port) for port in (443, 80, 8443)]
    found = new(*ports, later(4, dport=25, n=10), dstport=25)
    assert found.score == pytest.approx(AT["new_peer.spam_port"] * 10 / 12)
    assert found.guardduty == "Backdoor:EC2/Spambot"


def test_habit_and_company_make_it_less_remarkable():
    ports = [presence([0], dport=port) for port in range(9000, 9020)]
    used = new(presence(DAILY), *ports, later(4, dport=6667), dstport=6667)
    assert used.parts["habit"] == pytest.approx(20 / 41)
    others = [presence(DAILY, host=f"10.0.0.{n}") for n in (50, 51)]
    shared = [later(4, src=f"10.0.0.{n}", dport=6667) for n in (50, 51)]
    common = new(presence(DAILY), *others, later(4, dport=6667), *shared, dstport=6667)
    assert common.parts["rarity"] == pytest.approx(1 / 3)
    assert "2 other hosts" in common.why
    # What came after the first days counts for what comes later still.
    late = new(presence(DAILY), *(later(4, dport=port, n=1) for port in range(9000, 9020)),
               calls([4 * DAY + 10 * HOUR], dport=6667), dstport=6667)  # fmt: skip
    assert late.evidence["usual"] == 21


def test_each_host_has_a_history_of_its_own():
    young = "10.0.0.60"
    df = made(presence(DAILY), calls(range(3 * DAY, 5 * DAY, 6 * HOUR), src=young), later(4, src=young, dport=6667))
    assert young not in set(df.flow.new_peers()["srcaddr"])
    server = "10.0.0.61"
    asked = made(calls(DAILY, src=PEER, dst=server), later(4, src=server, dport=6667))
    assert only(asked.flow.new_peers(), srcaddr=server).evidence["days_before"] == 4


@pytest.mark.parametrize("verb", ["new_peers", "findings", "host_scores"])
def test_a_short_log_says_that_nothing_of_it_can_be_new(verb):
    short, longer = made(calls(EVERY_5_MINUTES)), made(presence(DAILY))
    told = getattr(short.flow, verb)().attrs["not_scored"]
    assert set(told) == {"new_peer"}
    assert "3 days" in told["new_peer"]
    assert getattr(longer.flow, verb)().attrs["not_scored"] == {}


def test_the_days_are_a_threshold():
    df = made(presence(range(0, 2 * DAY, 6 * HOUR)), later(1, dport=6667))
    assert df.flow.new_peers().empty
    found = df.flow.new_peers(thresholds={"new_peer.history": 1})
    assert set(found["dstport"]) == {6667}
    assert found.attrs["not_scored"] == {}


def test_what_needs_interfaces_is_not_scored_without():
    df = made(calls(EVERY_5_MINUTES)).drop(columns="interface_id")
    found = df.flow.findings()
    assert "interface-id" in found.attrs["not_scored"]["log_gap"]
    assert "beacon" in set(found["kind"])


# Gaps


def windows(interface, times, status="NODATA"):
    return [
        nodata(interface_id=interface, start=START + t, end=START + t + 59, log_status=status, flow_direction=None,
               tcp_flags=None)
        for t in times
    ]  # fmt: skip


ALL_DAY = range(0, 4 * HOUR, MINUTE)
BEFORE, AFTER = range(0, HOUR, MINUTE), range(2 * HOUR, 4 * HOUR, MINUTE)
SILENT, AWAKE = f"eni-{PEER}", f"eni-{HOST}"
SEEN = presence(range(0, HOUR, 600), host=PEER, interface=SILENT)


def gap_of(*records):
    return only(made(*records).flow.findings(kinds="log_gap"), interface_id=SILENT)


def test_a_silent_interface_with_and_without_contradiction():
    silent = [windows(SILENT, BEFORE), windows(SILENT, AFTER), SEEN, windows(AWAKE, ALL_DAY)]
    # The last window before ends a second early: 60 minutes and 1 second.
    length = log(3_601 / 60 / AT["log_gap.minutes"]) / log(AT["log_gap.many_minutes"] / AT["log_gap.minutes"])
    alone = gap_of(*silent)
    assert alone.evidence == {"seconds": 3_601, "seen_elsewhere": 0, "to_the_end": False}
    assert alone.score == pytest.approx(length * AT["log_gap.uncontradicted"])
    spoke = calls(range(HOUR + 600, HOUR + 1_500, 180), dst=PEER, interface=AWAKE)
    contradicted = gap_of(*silent, spoke)
    assert contradicted.evidence["seen_elsewhere"] == 5
    assert contradicted.score == pytest.approx(length * (0.4 + 0.6 * 0.5))
    assert "5 contacts" in contradicted.why
    # Who was not answered proves nothing: nobody may be there.
    assert gap_of(*silent, calls(range(HOUR + 600, HOUR + 1_500, 180), dst=PEER, interface=AWAKE, back=None)).score == (
        pytest.approx(alone.score)
    )


def test_a_contact_over_the_edge_of_a_gap_contradicts_nothing():
    silent = [windows(SILENT, BEFORE), windows(SILENT, AFTER), SEEN, windows(AWAKE, ALL_DAY)]
    edge = [
        one
        for t in (HOUR - MINUTE, 2 * HOUR - MINUTE)
        for one in calls([t], dst=PEER, interface=AWAKE, lasts=90, sport=44_000)
    ]
    assert gap_of(*silent, edge).evidence["seen_elsewhere"] == 0


def test_windows_without_data_and_lost_ones_are_no_gap():
    for status in ("NODATA", "SKIPDATA"):
        middle = windows(SILENT, range(HOUR, 2 * HOUR, MINUTE), status)
        df = made(windows(SILENT, BEFORE), middle, windows(SILENT, AFTER), SEEN)
        assert df.flow.findings(kinds="log_gap").empty


def test_windows_that_lost_records_lower_what_is_found_there():
    whole = made(calls(EVERY_5_MINUTES), windows(AWAKE, range(2 * HOUR, 3 * HOUR, MINUTE)))
    lost = made(calls(EVERY_5_MINUTES), windows(AWAKE, range(2 * HOUR, 2 * HOUR + 24 * MINUTE, MINUTE), "SKIPDATA"))
    # 24 windows with records and as many that lost some.
    found = pair(lost)
    assert found.parts["kept"] == pytest.approx(0.5)
    assert found.score == pytest.approx(pair(whole).score / 2)
    assert "SKIPDATA" in found.caveat


def test_a_log_that_does_not_say_its_status_has_gaps_too():
    df = made(presence([*range(0, HOUR, 60), *range(3 * HOUR, 4 * HOUR, 60)]))
    assert "log_status" in df
    without = df.drop(columns="log_status")
    found = only(without.flow.findings(kinds="log_gap"), subject=f"eni-{HOST}")
    assert found.evidence["seconds"] == pytest.approx(2 * HOUR, abs=120)
    assert "no NODATA record" in found.caveat
    assert set(without.flow.findings()["kind"]) == set(df.flow.findings()["kind"])


def test_short_gaps_are_nothing_and_longer_ones_are_worse():
    def silent_for(minutes):
        rest = range(HOUR + minutes * MINUTE, 9 * HOUR, MINUTE)
        return made(windows(SILENT, BEFORE), windows(SILENT, rest), SEEN).flow.findings(kinds="log_gap")

    assert silent_for(9).empty
    scores = [silent_for(minutes)["score"].item() for minutes in (15, 60, 240, 400)]
    assert scores == sorted(scores)
    assert scores[2] == scores[3] == pytest.approx(AT["log_gap.uncontradicted"])


def test_an_interface_that_falls_silent_for_good_is_found_where_it_is_still_heard():
    gone = [windows(SILENT, BEFORE), SEEN, windows(AWAKE, ALL_DAY)]
    assert made(*gone).flow.findings(kinds="log_gap").empty  # terminated, most likely
    found = gap_of(*gone, calls(range(HOUR + 600, HOUR + 1_500, 180), dst=PEER, interface=AWAKE))
    assert (found.evidence["to_the_end"], found.evidence["seen_elsewhere"]) == (True, 5)
    assert "up to the end of the log" in found.why


def test_without_any_record_of_silence_it_may_have_been_quiet():
    quiet = presence([0, 600, 1_200, HOUR + 1_200, HOUR + 1_800], host=PEER, interface=SILENT)
    found = gap_of(quiet)
    length = log((HOUR - 59) / 60 / 10) / log(24)
    assert found.score == pytest.approx(length * AT["log_gap.uncontradicted"] / 2)
    assert "NODATA" in found.caveat


def test_the_windows_of_ten_minutes_are_no_gaps():
    ten = [one for t in range(0, 6 * HOUR, 1_200) for one in contact(t, window=600, src=PEER, dst=SITE, sport=50_000)]
    assert made(ten).flow.findings(kinds="log_gap").empty


# All together


def everything():
    return made(
        presence(HOURLY),
        calls(range(0, DAY, 300)),
        kept_open(12, window=600, dst="192.0.2.44", dport=8443),
        sends(10, 1_000_000_000, back=0, dst="192.0.2.45"),
        flood(range(600, 610), 2_000, src=HOST, dst="192.0.2.46", protocol=UDP),
    )


def test_hosts_add_up_what_findings_say_of_them():
    df = everything()
    found, scores = df.flow.findings(), df.flow.host_scores()
    highest = found[found["srcaddr"] == HOST].groupby("kind")["score"].max()
    assert {"beacon", "long_conversation", "volume_spike", "flood"} <= set(highest[highest > 0].index)
    host = only(scores, address=HOST)
    assert host.score == pytest.approx(1 - np.prod(1 - highest.to_numpy()))
    assert host.top_kind == highest.idxmax()
    for kind in highest[highest > 0].index[:5]:
        assert f"{kind} {highest[kind]:.2f}" in host.why
    assert host.findings == ((found["srcaddr"] == HOST) & (found["score"] > 0)).sum()
    # Of several of a kind the highest counts once.
    twice = made(calls(EVERY_5_MINUTES), calls(EVERY_5_MINUTES, dst=SITE, dport=444))
    assert only(twice.flow.host_scores(), address=HOST).score == pytest.approx(PERFECT * evidence(24))


def test_the_order_of_records_changes_nothing():
    df = everything()
    found = df.flow.findings()
    laws_hold(found)
    for seed in range(3):
        again = df.sample(frac=1, random_state=seed).flow.findings()
        assert again["why"].tolist() == found["why"].tolist()
        np.testing.assert_allclose(again["score"], found["score"], rtol=0, atol=1e-12)


def test_nothing_is_found_in_nothing():
    nothing = made(calls(EVERY_5_MINUTES)).iloc[:0]
    for verb in ("beacons", "long_conversations", "volume_spikes", "floods", "new_peers", "findings", "host_scores"):
        assert getattr(nothing.flow, verb)().empty
    assert nothing.flow.beacons(mode="rita").empty
    silent = made(windows(AWAKE, ALL_DAY))
    assert silent.flow.findings().empty
