"""The numbers behind alarms: those of AWS's metric filter and of Contributor Insights, on logs counted by hand."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from formats import DEFAULT, START, frame, line, nodata, read, record, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TRAFFIC

import flowlens as fl

HOUR = 3600


def refused(second: int = 0, **changes) -> dict:
    """Return a record of one refused attempt to reach SSH, so many seconds after 14:00."""
    attempt = {"srcaddr": "198.51.100.7", "dstaddr": "10.0.0.5", "dstport": 22, "packets": 1, "bytes": 60}
    start = START + second
    return record(**{**attempt, "action": "REJECT", "start": start, "end": start + 30, **changes})


# --- rejected_by_port ---


def test_ten_refused_records_in_an_hour_are_an_alarm_and_nine_are_none():
    df = frame(*[refused(60 * n) for n in range(10)], *[refused(HOUR + 60 * n) for n in range(9)])
    assert tuples(df.flow.rejected_by_port()) == [
        # start, port, flows, packets, sources, targets, alarm
        (START, 22, 10, 10, 1, 1, True),
        (START + HOUR, 22, 9, 9, 1, 1, False),
    ]


@pytest.mark.parametrize(("threshold", "alarms"), [(1, [True, True]), (2, [True, False]), (3, [False, False])])
def test_the_threshold_is_reached_by_as_many_records(threshold, alarms):
    df = frame(refused(), refused(1, dstport=3389), refused(2))
    assert df.flow.rejected_by_port(threshold=threshold)["alarm"].tolist() == alarms


def test_a_record_on_the_full_hour_belongs_to_the_hour_that_it_begins():
    df = frame(refused(-1), refused(0), refused(HOUR - 1), refused(HOUR))
    assert tuples(df.flow.rejected_by_port("ssh"), "start", "flows") == [
        (START - HOUR, 1),
        (START, 2),
        (START + HOUR, 1),
    ]


def test_a_record_belongs_to_the_period_of_its_start_however_long_it_lasts():
    df = frame(refused(HOUR - 1, end=START + HOUR + 598))
    assert tuples(df.flow.rejected_by_port("ssh"), "start", "flows") == [(START, 1)]


def test_records_on_both_sides_of_the_full_hour_are_no_alarm_of_either():
    # All within twelve minutes, so a window that slides would hold ten; these are aligned.
    df = frame(*[refused(-60 * n) for n in range(1, 6)], *[refused(60 * n) for n in range(5)])
    assert tuples(df.flow.rejected_by_port(), "start", "flows", "alarm") == [
        (START - HOUR, 5, False),
        (START, 5, False),
    ]
    assert tuples(df.flow.rejected_by_port(freq="1D"), "start", "flows", "alarm") == [(START - 14 * HOUR, 10, True)]


def test_what_the_pattern_of_the_metric_filter_does_not_match_is_not_counted():
    df = frame(
        refused(protocol=17),
        refused(protocol=1, srcport=0),
        refused(protocol=58, srcaddr="2001:db8::1", dstaddr="2001:db8::2"),
        refused(action="ACCEPT"),
        refused(action=None),
        refused(dstport=2222),
        refused(srcport=22, dstport=49152),  # the refused reply of a server
        nodata(),
        nodata(log_status="SKIPDATA"),
    )
    assert len(df.flow.rejected_by_port()) == 0
    assert len(df.flow.rejected_by_port("0-65535")) == 2  # the ports 2222 and 49152


def test_sources_and_targets_are_distinct_addresses_of_both_families_and_packets_a_sum():
    df = frame(
        refused(packets=3),
        refused(dstaddr="10.0.0.6", packets=4),
        refused(srcaddr="2001:db8::1", dstaddr="2001:db8::2"),
        refused(srcaddr="2001:db8::1", dstaddr="2001:db8::3", packets=None, bytes=None),
        refused(interface_id=None),
    )
    assert tuples(df.flow.rejected_by_port()) == [(START, 22, 5, 9, 2, 4, False)]


@pytest.mark.parametrize(
    ("ports", "counted"),
    [
        ("ssh", [(22, 2)]),
        (22, [(22, 2)]),
        (np.int64(22), [(22, 2)]),
        ("22", [(22, 2)]),
        (["telnet", 3389], [(23, 1), (3389, 1)]),
        ("22-23", [(22, 2), (23, 1)]),
        (["22-3389", "SSH", 22], [(22, 2), (23, 1), (3389, 1)]),
        (("ssh", "rdp"), [(22, 2), (3389, 1)]),
        ("https", []),
    ],
)
def test_ports_are_spelled_as_in_a_selection_and_each_is_counted_by_itself(ports, counted):
    df = frame(refused(), refused(1), refused(dstport=23), refused(dstport=3389), refused(dstport=3390))
    assert tuples(df.flow.rejected_by_port(ports), "port", "flows") == counted
    one_by_one = df.flow.select(dst_port=ports).flow.timeline("1h", by="dstport")
    assert tuples(one_by_one, "dstport", "flows") == counted


def test_ssh_and_rdp_are_looked_at_by_default_and_rows_are_in_order_of_time_and_port():
    df = frame(refused(HOUR), refused(dstport=3389), refused(), refused(dstport=23))
    assert tuples(df.flow.rejected_by_port(), "start", "port") == [(START, 22), (START, 3389), (START + HOUR, 22)]


def test_a_record_without_a_time_is_in_no_period():
    assert len(frame(refused(start=None, end=None)).flow.rejected_by_port()) == 0


def test_what_was_selected_before_is_all_that_is_counted():
    df = frame(refused(interface_id="eni-1"), refused(interface_id="eni-2"), refused(1, interface_id="eni-2"))
    assert tuples(df.flow.select(interface="eni-2").flow.rejected_by_port(), "flows") == [(2,)]


def test_a_log_without_action_is_refused_with_the_token_and_that_of_a_gateway_with_the_reason():
    with pytest.raises(fl.MissingFieldError, match=r"^rejected_by_port needs 'action'.*\$\{action\}"):
        frame(refused()).drop(columns="action").flow.rejected_by_port()
    gateway = frame({**{name: value for name, value in refused().items() if name != "action"}, "tgw_id": "tgw-1"})
    gateway = gateway.drop(columns="interface_id")
    assert gateway.flow.can("rejected_by_port").missing == ("action",)
    with pytest.raises(fl.MissingFieldError, match="transit gateway records have no action"):
        gateway.flow.rejected_by_port()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ports": "sssh"}, "'sssh' is no service with a known port"),
        ({"ports": 65536}, "65536 is no port"),
        ({"ports": "23-22"}, "'23-22' is no port or range"),
        ({"ports": []}, "ports is empty"),
        ({"freq": "soon"}, "freq='soon' is no fixed width"),
        ({"freq": "1ME"}, "freq='1ME' is no fixed width"),
        ({"freq": "0h"}, "freq='0h' is not a whole number of seconds"),
        ({"threshold": 0}, "threshold=0 is no whole number from 1 on"),
        ({"threshold": 9.5}, r"threshold=9\.5 is no whole number from 1 on"),
        ({"threshold": "10"}, "threshold='10' is no whole number from 1 on"),
    ],
)
def test_a_question_about_ports_that_is_none_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        frame(refused()).flow.rejected_by_port(**arguments)


@settings(max_examples=20)
@given(records=TRAFFIC)
def test_on_random_traffic_the_sum_is_that_of_the_filter_pattern_over_the_lines(records):
    # [version, account, eni, source, destination, srcport, destport="22", protocol="6", packets, bytes, windowstart,
    #  windowend, action="REJECT", flowlogstatus]
    metric: dict[int, int] = defaultdict(int)
    for rec in records:
        values = line(rec, DEFAULT).split(" ")
        if (values[6], values[7], values[12]) == ("22", "6", "REJECT"):
            metric[int(values[10]) // 600 * 600] += 1
    found = read(text(records, DEFAULT)).flow.rejected_by_port("ssh", freq="10min", threshold=2)
    assert tuples(found, "start", "flows", "alarm") == [
        (time, metric[time], metric[time] >= 2) for time in sorted(metric)
    ]


# --- top_contributors ---

FIRST, SECOND, THIRD = "10.0.0.1", "10.0.0.2", "2001:db8::3"
#: In the hour from 14:00 the first sends 600 bytes, the second 300 and the third 100; in that from 15:00 the second
#: 400 and the first 100.
SENT = [
    record(srcaddr=FIRST, packets=1, bytes=500),
    record(srcaddr=FIRST, packets=1, bytes=100, start=START + HOUR - 1),
    record(srcaddr=SECOND, packets=9, bytes=300),
    record(srcaddr=THIRD, dstaddr="2001:db8::9", packets=1, bytes=100),
    nodata(),
    record(srcaddr=SECOND, packets=4, bytes=400, start=START + HOUR),
    record(srcaddr=FIRST, packets=5, bytes=100, start=START + HOUR + 60),
]


def test_contributors_are_ranked_with_their_share_and_how_many_there_are():
    found = frame(*SENT).flow.top_contributors(n=2)
    assert list(found.columns) == ["srcaddr", "flows", "packets", "bytes", "share", "contributors"]
    # Of 1500 bytes by three.
    assert tuples(found) == [
        (FIRST, 3, 7, 700, pytest.approx(7 / 15), 3),
        (SECOND, 2, 13, 700, pytest.approx(7 / 15), 3),
    ]


def test_by_flows_counts_records_as_a_rule_without_a_value_does():
    found = frame(*SENT).flow.top_contributors(n=1, by="flows")
    assert tuples(found, "srcaddr", "flows", "share") == [(FIRST, 3, pytest.approx(3 / 6))]
    by_packets = frame(*SENT).flow.top_contributors(n=1, by="packets")
    assert tuples(by_packets, "srcaddr", "packets", "share") == [(SECOND, 13, pytest.approx(13 / 21))]


def test_with_periods_each_has_its_own_ranking_shares_and_number_of_contributors():
    found = frame(*SENT).flow.top_contributors(n=2, freq="1h")
    assert list(found.columns) == ["start", "srcaddr", "flows", "packets", "bytes", "share", "contributors"]
    assert tuples(found, "start", "srcaddr", "bytes", "share", "contributors") == [
        (START, FIRST, 600, pytest.approx(0.6), 3),
        (START, SECOND, 300, pytest.approx(0.3), 3),
        (START + HOUR, SECOND, 400, pytest.approx(0.8), 2),
        (START + HOUR, FIRST, 100, pytest.approx(0.2), 2),
    ]
    leaders = frame(*SENT).flow.top_contributors(n=1, freq="1h")
    assert tuples(leaders, "start", "srcaddr") == [(START, FIRST), (START + HOUR, SECOND)]
    everyone = frame(*SENT).flow.top_contributors(n=None, freq="1h")
    assert tuples(everyone, "start", "srcaddr")[2:3] == [(START, THIRD)]
    assert len(everyone) == 5


def test_contributors_that_tie_are_in_order_of_their_keys_within_each_period():
    tied = [record(srcaddr=f"10.0.0.{n}", start=START + hour * HOUR) for n in (2, 1, 3) for hour in (1, 0)]
    for records in (tied, tied[::-1]):
        found = frame(*records).flow.top_contributors(n=2, freq="1h")
        assert tuples(found, "start", "srcaddr") == [
            (START + hour * HOUR, f"10.0.0.{n}") for hour in (0, 1) for n in (1, 2)
        ]


def test_a_missing_key_is_a_contributor_and_nodata_is_none():
    df = frame(record(interface_id=None, bytes=30), record(bytes=10), nodata())
    found = df.flow.top_contributors("interface_id")
    assert tuples(found, "interface_id", "share", "contributors") == [
        (None, 0.75, 2),
        ("eni-1235b8ca123456789", 0.25, 2),
    ]


def test_the_sample_rule_for_rejected_tcp_connections():
    # Keys: interface and source, filters: protocol 6 and action REJECT, aggregated on Count.
    df = frame(
        *[refused(n) for n in range(3)],
        *[refused(n, interface_id="eni-2") for n in range(2)],
        refused(srcaddr="2001:db8::1", dstaddr="2001:db8::2"),
        refused(protocol=17),
        refused(action="ACCEPT"),
    )
    rule = df.flow.select(protocol="tcp", action="REJECT").flow
    found = rule.top_contributors(("interface_id", "srcaddr"), by="flows")
    assert tuples(found, "interface_id", "srcaddr", "flows", "contributors") == [
        ("eni-1235b8ca123456789", "198.51.100.7", 3, 3),
        ("eni-2", "198.51.100.7", 2, 3),
        ("eni-1235b8ca123456789", "2001:db8::1", 1, 3),
    ]


def test_ten_contributors_are_shown_by_default_and_as_many_as_there_are_counted():
    df = frame(*[record(srcaddr=f"10.0.0.{n}", bytes=n) for n in range(1, 13)])
    found = df.flow.top_contributors()
    assert found["bytes"].tolist() == [*range(12, 2, -1)]
    assert set(found["contributors"]) == {12}
    assert len(df.flow.top_contributors(n=None)) == 12


def test_columns_that_were_added_are_keys_like_any_other():
    named = frame(*SENT).flow.add_groups({"desk": "10.0.0.0/24"})
    found = named.flow.top_contributors("src_group", by="packets")
    assert tuples(found, "src_group", "packets") == [("desk", 20), ("other", 1)]


def test_a_share_of_nothing_is_missing():
    assert frame(record(bytes=0)).flow.top_contributors()["share"].isna().tolist() == [True]


def test_start_is_a_key_where_there_are_no_periods():
    found = frame(*SENT).flow.top_contributors("start", n=1)
    assert tuples(found, "start", "bytes", "contributors") == [(START, 900, 4)]


def test_periods_need_a_time_and_one_ranking_does_not():
    df = frame(*SENT).drop(columns="start")
    assert len(df.flow.top_contributors()) == 3
    with pytest.raises(fl.MissingFieldError, match=r"^top_contributors needs 'start'"):
        df.flow.top_contributors(freq="1h")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keys": ()}, "are 0 columns; Contributor Insights takes 1 to 4"),
        ({"keys": ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")}, "are 5 columns; .* pairs"),
        ({"keys": ("srcaddr", "srcaddr")}, "the result has a column 'srcaddr' already"),
        ({"keys": "bytes"}, "the result has a column 'bytes' already"),
        ({"keys": "start", "freq": "1h"}, "the result has a column 'start' already"),
        ({"n": 0}, "n=0 is no whole number from 1 on"),
        ({"n": -1}, "n=-1 is no whole number from 1 on"),
        ({"n": 2.5}, r"n=2\.5 is no whole number from 1 on"),
        ({"by": "share"}, "by='share' is none of flows, packets, bytes"),
        ({"freq": "month"}, "freq='month' is no fixed width"),
        ({"freq": ""}, "freq=''"),
    ],
)
def test_a_question_about_contributors_that_is_none_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        frame(*SENT).flow.top_contributors(**arguments)


def test_a_key_that_is_not_there_is_named():
    with pytest.raises(fl.MissingFieldError, match=r"\$\{vpc-id\}"):
        frame(*SENT).flow.top_contributors(("srcaddr", "vpc_id"))


@settings(max_examples=20)
@given(
    records=TRAFFIC,
    keys=st.sampled_from([("srcaddr",), ("interface_id", "srcaddr"), ("dstport", "protocol", "action")]),
    by=st.sampled_from(["flows", "packets", "bytes"]),
    n=st.sampled_from([1, 2, None]),
)
def test_on_random_traffic_every_period_is_ranked_as_that_period_alone(records, keys, by, n):
    df = read(text(records, DEFAULT))
    found = df.flow.top_contributors(keys, n=n, by=by, freq="10min")
    periods = sorted({rec["start"] // 600 * 600 for rec in records if rec["srcaddr"] is not None})
    assert sorted(set(found["start"].map(lambda time: int(time.timestamp())))) == periods
    for period in periods:
        alone = df.flow.select(time=(period, period + 600)).flow
        in_it = found[found["start"].map(lambda time: int(time.timestamp())) == period]
        assert tuples(in_it.drop(columns="start")) == tuples(alone.top_contributors(keys, n=n, by=by))
        assert tuples(in_it, *keys, "flows", "packets", "bytes") == tuples(alone.pairs(n, by=by, keys=keys))
        assert set(in_it["contributors"]) == {len(alone.pairs(keys=keys))}
        if n is None:
            assert in_it["share"].sum() == pytest.approx(1)
