"""The judges of detectors, on findings and labels made by hand, and RITA's own test vector."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from formats import START, frame, record

# Benchmarks are no part of the package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import detection_formulas as formulas
from benchmarks.detection import BLOCK, Judged, report, written
from benchmarks.detection_peers import EVALUATION, PEERS, Log, logs, peer_findings
from benchmarks.detection_rita import beacon_parts, rita_beacon, rita_long_connection
from benchmarks.detection_scores import (
    UNIT,
    first_place,
    judged,
    markdown,
    precision_at,
    read_truth,
    score_table,
    unit_scores,
)
from benchmarks.detection_scores import recall as recall_of
from benchmarks.detection_units import with_outcomes

HOST, INFECTED = "10.0.0.1", "10.0.0.2"
EVIL, GOOD, CLOCK, STRANGER = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
GUESSER, KNOCKER, BOTH_WAYS = "198.51.100.1", "198.51.100.2", "198.51.100.3"

TRUTH = f"""\
unit,srcaddr,dstaddr,dstport,protocol,label,name,connections,infrastructure,note
host,{HOST},,,,benign,,,,
host,{INFECTED},,,,malicious,,,,
pair,{INFECTED},{EVIL},443,6,malicious,C&C,16,0,
pair,{INFECTED},{GOOD},443,6,benign,,9,0,
pair,{INFECTED},{CLOCK},123,17,benign,,900,1,
pair,{HOST},{GOOD},443,6,benign,,9,0,
pair,{HOST},{CLOCK},123,17,benign,,900,1,
pair,{HOST},{STRANGER},443,6,background,,9,0,
source,{GUESSER},{HOST},22,6,hostile,guessing,40,,
source,{KNOCKER},{HOST},,,hostile,probing,2,,7 ports
source,{BOTH_WAYS},{HOST},,,ambiguous,probing,2,,
"""


@pytest.fixture
def truth(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    return read_truth(tmp_path / "truth.csv")


def findings(*rows):
    """Findings of source, destination, port, protocol and score."""
    return pd.DataFrame(rows, columns=[*UNIT, "score"])


# Is a finding right?


@pytest.mark.parametrize(
    ("unit", "label"),
    [
        ((INFECTED, EVIL, 443, 6), "malicious"),
        ((INFECTED, EVIL, None, None), "malicious"),  # a pair without a port
        ((INFECTED, EVIL, 80, 6), "unknown"),  # another port: an infected host is no proof
        ((EVIL, INFECTED, 443, 6), "unknown"),  # accuses the wrong side
        ((INFECTED, GOOD, 443, 6), "benign"),
        ((INFECTED, None, None, None), "malicious"),
        ((INFECTED, None, 23, 6), "malicious"),  # a sweep by an infected host
        ((INFECTED, None, 443, 6), "malicious"),
        ((INFECTED, None, 123, 17), "benign"),  # all that it does at this port
        ((HOST, GOOD, 443, 6), "benign"),
        ((HOST, STRANGER, 443, 6), "unknown"),  # background
        ((HOST, "192.0.2.9", 25, 6), "benign"),  # nothing is known of the peer: judged by the host
        ((HOST, None, 25, 6), "benign"),
        ((CLOCK, HOST, 123, 17), "benign"),  # who called whom is not always known
        ((GUESSER, HOST, 22, 6), "malicious"),
        ((GUESSER, None, None, None), "malicious"),
        ((GUESSER, HOST, 80, 6), "unknown"),  # the label is about SSH
        ((KNOCKER, HOST, 8080, 6), "malicious"),  # the label names no port
        ((HOST, GUESSER, None, 6), "benign"),  # the answers of a benign host, taken for a scan
        ((BOTH_WAYS, HOST, 443, 6), "unknown"),
        (("192.0.2.9", HOST, 443, 6), "unknown"),
    ],
)
def test_a_finding_is_judged_by_what_it_speaks_of(truth, unit, label):
    assert judged(findings((*unit, 1.0)), truth)["label"].tolist() == [label]


def test_a_pair_that_may_be_several_is_wrong_only_when_all_are_benign(truth):
    more = pd.DataFrame([("pair", HOST, GOOD, 8443, 6, "background")], columns=["unit", *UNIT, "label"])
    mixed = pd.concat([truth, more], ignore_index=True)
    assert judged(findings((HOST, GOOD, None, None, 1.0)), truth)["label"].tolist() == ["benign"]
    assert judged(findings((HOST, GOOD, None, None, 1.0)), mixed)["label"].tolist() == ["unknown"]


def test_infrastructure_is_what_speaks_of_nothing_else(truth):
    spoken = findings(
        (HOST, CLOCK, 123, 17, 1.0),
        (CLOCK, HOST, 123, 17, 1.0),
        (HOST, None, 123, 17, 1.0),
        (HOST, GOOD, None, None, 1.0),
        (HOST, None, 443, 6, 1.0),
        (HOST, None, None, None, 1.0),
    )
    assert judged(spoken, truth)["infrastructure"].tolist() == [True, True, True, False, False, False]


# Places


def place_of(truth, attack, *rows):
    return first_place(judged(findings(*rows), truth), truth, attack)


def test_the_first_malicious_pair_has_a_place_among_the_pairs_of_its_host(truth):
    others = ((INFECTED, GOOD, 443, 6, 0.9), (INFECTED, "192.0.2.9", 25, 6, 0.2), (HOST, GOOD, 443, 6, 1.0))
    assert place_of(truth, "C&C", (INFECTED, EVIL, 443, 6, 0.5), *others) == (2.0, 3)
    assert place_of(truth, "C&C", *others) is None
    assert place_of(truth, "guessing", (GUESSER, HOST, 22, 6, 1.0)) is None  # no pair is to be found


def test_among_equals_the_place_is_that_of_the_average_order(truth):
    # Of three equal pairs one is wanted: place 1, 2 or 3. Of four with two wanted the first comes at 5/3.
    equals = [(INFECTED, f"192.0.2.{n}", 443, 6, 1.0) for n in (1, 2)]
    assert place_of(truth, "C&C", (INFECTED, EVIL, 443, 6, 1.0), *equals) == (2.0, 3)
    assert place_of(truth, "C&C", (INFECTED, EVIL, 443, 6, 1.0), (INFECTED, EVIL, None, None, 1.0), *equals) == (
        pytest.approx(5 / 3),
        4,
    )


def test_findings_of_one_pair_are_one_place(truth):
    twice = [(INFECTED, GOOD, 443, 6, 0.9), (INFECTED, GOOD, 443, 6, 0.8)]
    assert place_of(truth, "C&C", (INFECTED, EVIL, 443, 6, 0.5), *twice) == (2.0, 2)


# Precision


def test_precision_leaves_out_what_labels_do_not_decide(truth):
    verdicts = judged(
        findings(
            (HOST, STRANGER, 443, 6, 1.0),  # background
            (INFECTED, EVIL, 443, 6, 0.9),
            (HOST, GOOD, 443, 6, 0.8),
        ),
        truth,
    )
    assert precision_at(10, verdicts) == 0.5
    assert precision_at(1, verdicts) == 1.0
    assert precision_at(1, verdicts[verdicts["label"] == "unknown"]) is None


def test_precision_among_equals_is_that_of_the_average_order(truth):
    # Two places: one for the only finding above, the other for one of two, of which one is right.
    verdicts = judged(
        findings(
            (INFECTED, EVIL, 443, 6, 1.0),
            (GUESSER, HOST, 22, 6, 0.5),
            (HOST, GOOD, 443, 6, 0.5),
        ),
        truth,
    )
    assert precision_at(2, verdicts) == 0.75


# Recall


def test_recall_counts_what_is_within_the_budget(truth):
    found = findings((HOST, GOOD, 443, 6, 0.9), (GUESSER, HOST, 22, 6, 0.8), (INFECTED, EVIL, None, None, 0.7))
    assert recall_of(found, truth, 1) == {"C&C": 0.0, "guessing": 0.0, "probing": 0.0}
    assert recall_of(found, truth, 2) == {"C&C": 0.0, "guessing": 1.0, "probing": 0.0}
    assert recall_of(found, truth, 9) == {"C&C": 1.0, "guessing": 1.0, "probing": 0.0}


def test_recall_among_equals_is_a_lottery(truth):
    # One finding above, then four equal ones for the two places that are left. Two of them speak of the guesser: it is
    # missed when both places go to the others, in 1 of 6 draws. The knocker has one: found in 1 of 2.
    found = findings(
        (HOST, GOOD, 443, 6, 1.0),
        (GUESSER, HOST, 22, 6, 0.5),
        (GUESSER, None, None, None, 0.5),
        (KNOCKER, HOST, 80, 6, 0.5),
        (HOST, STRANGER, 443, 6, 0.5),
    )
    assert recall_of(found, truth, 3) == pytest.approx({"C&C": 0.0, "guessing": 5 / 6, "probing": 1 / 2})


def test_a_port_speaks_of_all_who_called_it(truth):
    contacts = pd.DataFrame(
        [(GUESSER, HOST, 22, 6), (KNOCKER, HOST, 22, 6), (KNOCKER, HOST, 80, 6)],
        columns=UNIT,
    )
    port = findings((None, HOST, 22, 6, 1.0))
    assert recall_of(port, truth, 1, contacts) == {"C&C": 0.0, "guessing": 1.0, "probing": 1.0}
    assert recall_of(findings((None, HOST, 80, 6, 1.0)), truth, 1, contacts)["guessing"] == 0.0
    assert recall_of(port, truth, 1) == {"C&C": 0.0, "guessing": 0.0, "probing": 0.0}
    assert judged(port, truth, contacts)["label"].tolist() == ["malicious"]
    assert judged(port, truth, contacts)["inside_acts"].tolist() == [False]


# The table


def test_false_alarms_accuse_an_inside_host_of_what_is_benign(truth):
    found = findings(
        (HOST, GOOD, 443, 6, 0.95),  # false
        (HOST, None, 25, 6, 0.9),  # false
        (INFECTED, GOOD, 443, 6, 1.0),  # false: this pair is benign
        (HOST, GOOD, None, None, 0.89),  # no alarm
        (HOST, CLOCK, 123, 17, 1.0),  # infrastructure
        (HOST, STRANGER, 443, 6, 1.0),  # not known
        (GOOD, HOST, None, None, 1.0),  # accuses the other side
        (GUESSER, HOST, 22, 6, 1.0),  # right
    )
    rows = score_table("mine", found, truth, 2.0)
    assert [row.attack for row in rows] == ["C&C", "guessing", "probing"]
    assert {row.false for row in rows} == {1.5}
    assert {row.alarms for row in rows} == {3.5}
    assert {row.findings for row in rows} == {4.0}
    assert [row.by_alarms for row in rows] == [0.0, 1.0, 0.0]


def test_the_order_of_findings_changes_nothing(truth):
    units = [(INFECTED, EVIL, 443, 6), (INFECTED, GOOD, 443, 6), (HOST, CLOCK, 123, 17), (GUESSER, HOST, 22, 6)]
    found = findings(*((*unit, score) for unit in units for score in (1.0, 0.5)))
    rows = score_table("mine", found, truth, 0.3)
    for seed in range(5):
        assert score_table("mine", found.sample(frac=1, random_state=seed), truth, 0.3) == rows


def test_nothing_found_is_said(truth):
    nothing = findings()
    rows = score_table("mine", nothing, truth, 1.0)
    assert [(row.place, row.precision, row.false, row.recall) for row in rows] == [
        (None, None, 0.0, {10: 0, 50: 0})
    ] * 3
    assert "| mine | C&C | 0 | 0 | - | - | - | - | 0 of 1 | 0 of 1 | 0 of 1 | 0 |" in markdown(rows)


# The formulas of the peers

DAY = 86_400


def test_a_perfect_beacon_of_rita():
    times = np.arange(0, DAY + 1, 600)
    parts = beacon_parts(times, [300] * len(times), 0, DAY)
    assert (parts.score, parts.median, parts.mad, parts.skew) == (1.0, 600.0, 0.0, 0.0)


def test_an_uneven_beacon_of_rita_by_hand():
    # Gaps 100, 110 | 200 | 300, 500: quartiles 105, 200, 400, skew (105 + 400 - 400) / 295; deviations 100, 90, 0, 100,
    # 300 with median 100. Half of (1 - 0.356) + (200 - 100) / 200 is 0.572. All in one hour: neither histogram nor
    # duration. Sizes: 40 to 49, an even spread too narrow for a skew; median 44.5, deviations 0.5 to 4.5, median 2.5.
    times = np.cumsum([0, 300, 100, 500, 110, 200])
    parts = beacon_parts(times, [40, 41, 43, 46, 48, 49], 0, DAY)
    assert parts.skew == pytest.approx(105 / 295)
    assert (parts.timestamp, parts.median, parts.mad) == (0.572, 200.0, 100.0)
    assert parts.data_size == round((1 + (44.5 - 3.5) / 44.5) / 2, 3)
    assert (parts.histogram, parts.duration) == (0.0, 0.0)
    assert parts.score == round((0.572 + parts.data_size) / 4, 3)


def conversations(*rows):
    """Conversations by initiator, responder, responder's port, seconds of begin and end; of TCP, 5 packets each way."""
    df = pd.DataFrame(rows, columns=["initiator", "responder", "responder_port", "first", "last"])
    return df.assign(
        initiator_port=50_000 + df.index,
        protocol=6,
        first=pd.to_datetime(df["first"], unit="s", utc=True),
        last=pd.to_datetime(df["last"], unit="s", utc=True),
        records=2, packets_out=5, packets_in=5, bytes_out=300, bytes_in=300, state="closed", initiator_by="flags",
        failed=False, acknowledged=True, backscatter=False,
    )  # fmt: skip


def test_rita_takes_the_best_day_of_a_longer_log():
    regular = [(HOST, EVIL, 443, t, t) for t in range(0, DAY, 900)]
    later = [(HOST, GOOD, 443, t, t) for t in (2 * DAY, 2 * DAY + 5, 2 * DAY + 700, 2 * DAY + 4000)]
    found = rita_beacon(conversations(*regular, *later)).set_index("dstaddr")
    assert found.loc[EVIL, "score"] > 0.9
    assert found.loc[EVIL, "number"] >= 90
    assert found.loc[GOOD, "number"] == 4


@pytest.mark.parametrize(("hours", "threat"), [(1, 0.2), (4, 0.4), (6, 0.5), (12, 0.8), (20, 0.8)])
def test_long_connections_on_the_scale_of_rita(hours, threat):
    halves = [(HOST, EVIL, 443, 0, hours * 1800), (HOST, EVIL, 80, 0, hours * 1800), (HOST, GOOD, 443, 0, 1800)]
    found = rita_long_connection(conversations(*halves))
    assert found[["dstaddr", "number"]].to_numpy().tolist() == [[EVIL, hours]]
    assert found["threat"].tolist() == pytest.approx([threat])
    assert found["score"].tolist() == pytest.approx([threat / 0.8])


def test_sentinel_wants_one_exact_gap_in_an_hour():
    beats = [(HOST, EVIL, 443, 100 * n, 100 * n) for n in range(33)]
    found = formulas.sentinel_beaconing(conversations(*beats))
    assert found[["score", "number"]].to_numpy().tolist() == [[1.0, 32.0]]
    # Another call of the same source in between makes two gaps of each, of which none is the most frequent.
    noise = [(HOST, GOOD, 443, 100 * n + 40 + n, 100 * n + 40 + n) for n in range(33)]
    found = formulas.sentinel_beaconing(conversations(*beats, *noise))
    assert found["score"].max() < 0.9
    # Private destinations are left out.
    assert formulas.sentinel_beaconing(
        conversations(*[(HOST, INFECTED, 443, 100 * n, 100 * n) for n in range(33)])
    ).empty


def test_scans_of_zeek_count_failures_of_one_window():
    def failing(count, window):
        hosts = [(HOST, f"192.0.2.{n}", 23, window, window) for n in range(count)]
        ports = [(HOST, EVIL, 100 + n, window, window) for n in range(count)]
        return conversations(*hosts, *ports).assign(failed=True)

    for count in (14, 15, 25, 26):
        contacts = failing(count, 0)
        assert (formulas.zeek_address_scan(contacts)["score"].max() >= 0.9) == (count > 25)
        assert (formulas.zeek_port_scan(contacts)["score"].max() >= 0.9) == (count >= 15)
    split = pd.concat([failing(14, 0), failing(14, 300)])
    assert formulas.zeek_port_scan(split)["score"].max() == 0.89
    assert formulas.zeek_port_scan(split.assign(failed=False)).empty


def test_the_walk_is_decided_by_four_net_failures():
    def walk(*failed):
        contacts = conversations(*((HOST, f"192.0.2.{n}", 23, n, n) for n in range(len(failed))))
        found = formulas.trw(contacts.assign(failed=failed))
        return found["number"].item() / math.log(4), found["score"].item()

    assert walk(True) == (pytest.approx(1), pytest.approx(0.8))
    assert walk(True, True, True) == (pytest.approx(3), 0.89)
    assert walk(True, True, True, True, False) == (pytest.approx(4), pytest.approx(256 / 257))
    assert walk(False, False, False, False, True) == (pytest.approx(-4), pytest.approx(1 / 257))


def test_the_regression_of_silk_by_hand():
    # 32 SYN that nobody answers, one packet of 40 bytes to one host each.
    contacts = conversations(*((HOST, f"192.0.2.{n}", 23, n, n) for n in range(32)))
    contacts = contacts.assign(acknowledged=False, failed=True, packets_out=1, bytes_out=40)
    expected = -2.8384 + 3.3090 - 0.1570 - 0.00232 + 3.1630
    assert formulas.silk_blr(contacts)["score"].item() == pytest.approx(1 / (1 + math.exp(-expected)))
    pause = contacts.assign(
        first=contacts["first"].where(contacts.index < 16, contacts["first"] + pd.Timedelta("6min"))
    )
    assert formulas.silk_blr(pause).empty


def test_chi_squares_of_midas_by_hand():
    # Ticks of ten minutes: one contact in the first and in the second, eight in the third. The edge in the third: a is
    # 1/4 + 1/2 + 8, s is 10, t is 3. The source and the target have the same counts.
    times = [0, 600, *[1200] * 8]
    found = formulas.midas_r(conversations(*((HOST, EVIL, 443, t, t) for t in times)))
    a, s, t = 8.75, 10, 3
    assert found["number"].item() == pytest.approx((a - s / t) ** 2 * t**2 / (s * (t - 1)))


def test_outcomes_from_the_flags_of_records():
    def exchange(port, sent, returned, action="ACCEPT"):
        ends = {"srcaddr": HOST, "dstaddr": EVIL, "srcport": 50_000 + port, "dstport": port}
        back = {"srcaddr": EVIL, "dstaddr": HOST, "srcport": port, "dstport": 50_000 + port}
        times = {"start": START, "end": START + 59}
        asked = record(**ends, **times, tcp_flags=sent, action=action)
        return [asked] if returned is None else [asked, record(**back, **times, tcp_flags=returned)]

    df = frame(
        *exchange(1, 2, 18),  # answered
        *exchange(2, 2, None),  # not answered
        *exchange(3, 2, 4),  # refused
        *exchange(4, 2, 18 | 4),  # answered, then reset
        *exchange(5, 2, None, "REJECT"),
        *exchange(6, 0, 0),  # older than the log
    )
    found = with_outcomes(df.flow.conversations(), df).set_index("responder_port").sort_index()
    assert found["failed"].tolist() == [False, True, True, False, True, False]
    assert found["acknowledged"].tolist() == [True, False, False, True, False, True]
    assert not found["backscatter"].any()


def test_every_peer_returns_findings():
    ends = {"srcaddr": EVIL, "dstaddr": HOST}
    more = {"tcp_flags": 2, "flow_direction": "egress"}
    df = frame(*(record(**ends, **more, start=START + 60 * n, end=START + 60 * n + 59, dstport=22) for n in range(40)))
    contacts = with_outcomes(df.flow.conversations(), df)
    log = Log("by hand", df, contacts, pd.DataFrame(), 1.0)
    for name in PEERS:
        found = peer_findings(name, log)
        assert list(found.columns[:8]) == ["peer", "kind", *UNIT, "score", "number"]
        assert found["score"].between(0, 1).all()
        assert (found["peer"] == name).all()


def test_the_highest_finding_of_what_is_to_be_found(truth):
    found = findings((INFECTED, EVIL, 443, 6, 0.4), (INFECTED, EVIL, None, None, 0.7), (INFECTED, GOOD, 443, 6, 0.9))
    scores = unit_scores(found, truth).set_index("name")["score"]
    assert scores.to_dict() == {"C&C": 0.7, "guessing": 0, "probing": 0}


def test_the_report_of_a_small_log_and_the_page_that_it_is_written_to(truth):
    ends = {"srcaddr": GUESSER, "dstaddr": HOST, "dstport": 22, "tcp_flags": 2, "flow_direction": "ingress"}
    df = frame(
        *(record(**ends, srcport=40_000 + n, start=START + 60 * n, end=START + 60 * n + 59) for n in range(40)),
    )
    log = Log("iot23-8-1 60s", df, with_outcomes(df.flow.conversations(), df), truth, 1.0)
    paragraphs = list(report([Judged.of(log)]))
    glance = next(
        line for text in paragraphs for line in text.splitlines() if line.startswith("| iot23-8-1 60s | guess")
    )
    assert glance.split(" | ")[1] == "guessing, 1"
    assert sum("thresholds were set on it" in text for text in paragraphs) == 1

    begin, end = BLOCK
    page = written(f"before\n\n{begin}\n\nold\n\n{end}\n\nafter\n", paragraphs)
    assert page.startswith(f"before\n\n{begin}\n\nSets marked")
    assert page.endswith(f"</details>\n\n{end}\n\nafter\n")
    assert written(page, paragraphs) == page
    with pytest.raises(ValueError, match="the page has no"):
        written("before", paragraphs)


def test_absent_logs_are_said_to_be_absent(tmp_path):
    with pytest.raises(SystemExit, match="no labelled logs"):
        next(logs(tmp_path))


def test_the_test_vector_of_rita():
    """RITA's own test expects these numbers of its capture; see integration/missing_host_test.go."""
    log = EVALUATION / "droplet" / "flows-raw.log.gz"
    if not log.is_file():
        pytest.skip("the evaluation logs are not beside this checkout")
    found = peer_findings("RITA v5 beacon", Log.read(log))
    pair = found[(found["srcaddr"] == "73.54.23.243") & (found["dstaddr"] == "64.225.56.201")]
    (row,) = pair.to_dict("records")
    assert row["score"] == 0.963
    assert row["number"] == 331
    assert row["skew"] == pytest.approx(-0.145, abs=5e-4)
    assert (row["mad"], row["median"], row["timestamp"]) == (42.0, 276.5, 0.852)
    assert (row["data_size"], row["histogram"], row["duration"]) == (1.0, 1.0, 1.0)
