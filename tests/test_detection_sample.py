"""The sample's day: all that was planted is found, and next to nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import flowlens as fl

TRUTH = Path(__file__).parents[1] / "sample_data" / "vpc" / "truth.csv"
BASTION, WEB_2, BATCH = "10.20.0.10", "10.20.11.32", "10.20.11.40"
SCANNER, GUESSER, CONTROL, DROP = "198.51.100.77", "192.0.2.66", "203.0.113.250", "198.51.100.23"
PLANTED = {
    ("port_scan", SCANNER, BASTION),
    ("brute_force", GUESSER, BASTION),
    ("lateral_movement", BASTION, WEB_2),
    ("lateral_movement", BASTION, BATCH),
    ("beacon", WEB_2, CONTROL),
    ("volume_spike", BATCH, DROP),
}


@pytest.fixture(scope="module", params=[False, True], ids=["log alone", "with topology"])
def found(request):
    return fl.sample().flow.findings(topology=fl.sample_topology() if request.param else None)


def test_all_that_was_planted_is_found(found):
    high = found[found["score"] >= 0.7]
    assert set(zip(high["kind"], high["srcaddr"], high["dstaddr"], strict=True)) >= PLANTED


def test_at_most_one_other_finding_is_as_sure(found):
    sure = found[found["score"] >= 0.9]
    others = [unit for unit in zip(sure["kind"], sure["srcaddr"], sure["dstaddr"], strict=True) if unit not in PLANTED]
    assert len(others) <= 1


def test_the_guess_that_was_right_is_a_hint_of_success(found):
    guesses = found[(found["kind"] == "brute_force") & (found["srcaddr"] == GUESSER)].iloc[0]
    assert guesses["evidence"]["possible_success"]
    assert guesses["evidence"]["role"] == "target"
    assert "a guess may have been right" in guesses["why"]


def test_the_background_scan_is_in_the_probes_and_nobody_is_accused(found):
    truth = pd.read_csv(TRUTH)
    probes = found[found["kind"] == "probe"]
    assert probes["srcaddr"].isna().all()
    assert (probes["score"] < 0.7).all()
    probing = set(truth.loc[truth["label"] == "background_scan", "initiator"])
    assert len(probing) > 100
    assert probing <= set().union(*(row["sources"] for row in probes["evidence"]))


def test_the_backup_the_health_checks_and_the_time_are_lowered_with_a_reason(found):
    backup = found[(found["kind"] == "volume_spike") & (found["dstaddr"] == "198.51.100.240")].iloc[0]
    assert backup["score"] < 0.5
    assert "S3" in backup["caveat"]
    time = found[(found["kind"] == "beacon") & (found["dstport"] == 123)].iloc[0]
    assert time["score"] < 0.5
    assert "NTP" in time["caveat"]


def test_the_gateway_is_not_rated_for_what_hosts_do_behind_it(found):
    gateway = found[(found["srcaddr"] == "10.20.0.5") & (found["dstaddr"] == CONTROL) & (found["kind"] == "beacon")]
    assert (gateway["score"] < 0.5).all()
    assert gateway["caveat"].str.contains("passes on for hosts").all()


def test_the_host_that_was_broken_into_is_among_the_first():
    hosts = fl.sample().flow.host_scores()["address"].head(5)
    assert set(hosts) >= {GUESSER, BASTION, WEB_2, BATCH}
