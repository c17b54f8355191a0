"""reject_pairs: what was refused at an interface, beside what of the other direction was accepted there."""

from __future__ import annotations

import pandas as pd
import pytest
from flow_lines import ADDRESS, DEFAULT, log
from formats import START

import flowlens as fl

A, B, X = ADDRESS["A"], ADDRESS["B"], ADDRESS["X"]


def pairs_of(sentences: str, layout: tuple[str, ...] | None = None, **arguments: object) -> pd.DataFrame:
    df = log(sentences).df if layout is None else log(sentences, layout).df
    return df.flow.reject_pairs(**arguments)


def at(second: int) -> pd.Timestamp:
    return pd.Timestamp(START + second, unit="s", tz="UTC")


def test_a_refused_answer_stands_beside_its_request():
    (pair,) = pairs_of("""
        +5..36 B in X:50000 > B:443 SYN ACCEPT packets=6 bytes=360
        +5..40 B out B:443 > X:50000 SYNACK REJECT packets=11 bytes=660""").to_dict("records")
    assert pair == {
        "interface_id": "eni-b", "protocol": 6, "srcaddr": B, "srcport": 443, "dstaddr": X, "dstport": 50000,
        "first": at(5), "last": at(40), "attempts": 1, "records": 1, "packets": 11, "tcp_flags": 18,
        "accepted": 1, "accepted_packets": 6, "accepted_first": at(5), "accepted_last": at(36),
        "accepted_tcp_flags": 2,
    }  # fmt: skip


def test_what_has_no_partner_is_listed_too():
    (pair,) = pairs_of("+5 B in X:50000 > B:443 SYN REJECT").to_dict("records")
    assert (pair["accepted"], pair["accepted_packets"]) == (0, 0)
    assert pd.isna(pair["accepted_first"])
    assert pd.isna(pair["accepted_last"])
    assert pd.isna(pair["accepted_tcp_flags"])


def test_only_the_other_direction_at_the_same_interface_is_a_partner():
    pairs = pairs_of("""
        +5 A out A:40000 > B:443 SYN ACCEPT
        +5 B in A:40000 > B:443 SYN ACCEPT
        +6 B in A:40000 > B:443 SYN REJECT
        +7 B out B:444 > A:40000 ACCEPT
        +8 B out B:443 > X:40000 ACCEPT""")
    assert pairs["accepted"].tolist() == [0]


@pytest.mark.parametrize(("second", "accepted"), [(184, 1), (185, 0)])
def test_the_tolerance_is_the_interval_and_what_lag_and_retransmissions_take(second, accepted):
    # 60 s of the window, 60 s of lag, 64 s between retransmissions.
    pairs = pairs_of(f"""
        +0 B in X:50000 > B:443 SYN ACCEPT
        +{second} B out B:443 > X:50000 SYNACK REJECT""")
    assert pairs["accepted"].tolist() == [accepted]


@pytest.mark.parametrize(("tolerance", "accepted"), [(9, 0), (10, 1), ("10s", 1), ("1min", 1), (0, 0)])
def test_another_tolerance(tolerance, accepted):
    pairs = pairs_of(
        """+0 B in X:50000 > B:443 SYN ACCEPT
           +10 B out B:443 > X:50000 SYNACK REJECT""",
        tolerance=tolerance,
    )
    assert pairs["accepted"].tolist() == [accepted]


def test_the_tolerance_counts_from_the_edges_of_both():
    pairs = pairs_of(
        """+0..50 B in X:50000 > B:443 SYN ACCEPT
           +55..90 B out B:443 > X:50000 SYNACK REJECT""",
        tolerance=5,
    )
    assert pairs["accepted"].tolist() == [1]


def test_retransmissions_over_several_windows_are_one_attempt():
    # A SYN goes out after 0, 1, 3, 7, 15, 31 and 63 s: the last of them two windows later.
    (pair,) = pairs_of("""
        +40..55 A out A:40000 > X:443 SYN REJECT packets=5 bytes=300
        +71 A out A:40000 > X:443 SYN REJECT
        +103 A out A:40000 > X:443 SYN REJECT""").to_dict("records")
    assert (pair["attempts"], pair["records"], pair["packets"]) == (1, 3, 7)
    assert (pair["first"], pair["last"]) == (at(40), at(103))


def test_the_same_ports_after_a_pause_are_another_attempt_and_after_a_long_one_another_conversation():
    pairs = pairs_of("""
        +0 B in X:123 > B:123 udp REJECT
        +124 B in X:123 > B:123 udp REJECT
        +300 B in X:123 > B:123 udp REJECT
        +1000 B in X:123 > B:123 udp REJECT""")
    # 124 s is one pause of a retransmission, 176 s is not; UDP is forgotten after 180 s.
    assert pairs[["attempts", "records"]].to_numpy().tolist() == [[2, 3], [1, 1]]


def test_the_real_addresses_are_the_key_where_they_are_logged():
    # An interface with two addresses shows the first of them in every record.
    pairs = pairs_of("""
        +5 B in X:50000 > B:443 SYN ACCEPT pkt-dstaddr=C
        +5 B out B:443 > X:50000 SYNACK REJECT pkt-srcaddr=C
        +5 B out B:443 > X:50001 SYNACK REJECT
        +5 B in X:50001 > B:443 SYN ACCEPT pkt-dstaddr=C""")
    assert pairs[["srcaddr", "accepted"]].to_numpy().tolist() == [[B, 0], [ADDRESS["C"], 1]]


def test_the_default_format_is_enough():
    (pair,) = pairs_of(
        """+5 B in X:50000 > B:443 ACCEPT packets=9 bytes=5000
           +6 B out B:443 > X:50000 REJECT""",
        DEFAULT,
    ).to_dict("records")
    assert pair["accepted_packets"] == 9
    assert "tcp_flags" not in pair
    assert "accepted_tcp_flags" not in pair


def test_ping_and_ipv6():
    pairs = pairs_of("""
        +5 B in X6:0 > B6:0 icmpv6 ACCEPT packets=4
        +5 B out B6:0 > X6:0 icmpv6 REJECT packets=4""")
    assert pairs[["srcaddr", "srcport", "dstport", "accepted_packets"]].to_numpy().tolist() == [
        [ADDRESS["B6"], 0, 0, 4]
    ]


def test_the_order_of_records_changes_nothing():
    df = fl.sample()
    told = df.flow.reject_pairs()
    pd.testing.assert_frame_equal(df.sample(frac=1, random_state=1).flow.reject_pairs(), told)
    assert len(told) == 4934
    # The sample's 169 answers of the partner's interface that its network ACL refuses, and 22 late packets.
    assert (told["accepted"] > 0).sum() == 169 + 22


def test_what_a_log_without_action_lacks_is_named():
    df = fl.sample().drop(columns="action")
    with pytest.raises(fl.MissingFieldError, match="action"):
        df.flow.reject_pairs()
