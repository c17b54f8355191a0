"""Contacts with listed addresses: which end, which port, when, and what came of it."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from flow_lines import ADDRESS, log
from formats import START

import flowlens as fl

# B calls X, which answers; Y knocks at B and is refused; Z is never heard of by anybody but B, who gets no answer.
LOG = log("""
    +0..50 B out B:50000 > X:443 SYN+FIN ACCEPT packets=10 bytes=1000
    +0..50 B in X:443 > B:50000 SYNACK+FIN ACCEPT packets=10 bytes=9000
    +60..70 B in Y:40000 > B:22 SYN REJECT packets=2 bytes=80
    +120..170 B out B:50001 > Z:8080 SYN ACCEPT packets=3 bytes=180
    +240..250 A out A:50002 > B:5432 SYN+FIN ACCEPT packets=5 bytes=300
    +240..250 A in B:5432 > A:50002 SYNACK+FIN ACCEPT packets=5 bytes=300
""").df
B, X, Y, Z = (ADDRESS[name] for name in "BXYZ")


def only(indicators: object, **options: object) -> pd.Series:
    found = LOG.flow.matches(indicators, **options)
    assert len(found) == 1
    return found.iloc[0]


def test_an_answered_call_to_a_listed_address_has_the_confidence_of_the_list():
    row = only({"control": X})
    assert (row["srcaddr"], row["dstaddr"], row["dstport"], row["subject"]) == (B, X, 443, B)
    assert row["score"] == 0.95
    assert row["parts"] == {"confidence": 0.95, "outcome": 1.0, "valid": 1.0, "context": 1.0}
    assert row["evidence"] == {
        "listed": X, "name": "control", "cidr": f"{X}/32", "lists": 1, "answered": 1, "refused": 0, "bytes_in": 9000,
    }  # fmt: skip
    assert row["why"] == f"{B} called {X} at 443/tcp 1 time, 1 of them answered; {X} is in {X}/32 (control)"
    assert (row["technique"], row["guardduty"]) == ("T1071", "UnauthorizedAccess:EC2/MaliciousIPCaller.Custom")


def test_what_came_of_it_decides():
    # From outside (x 0.7) and refused (x 0.4); out and unanswered (x 0.7).
    assert only(Y)["score"] == pytest.approx(0.95 * 0.7 * 0.4)
    assert only(Y)["technique"] == "T1595"
    assert "from outside" in only(Y)["caveat"]
    assert only(Z)["score"] == pytest.approx(0.95 * 0.7)


def test_the_confidence_of_the_list_counts_and_the_surest_indicator_is_told():
    listed = pd.DataFrame(
        {
            "cidr": ["203.0.113.0/24", X, "203.0.113.0/28"],
            "name": ["net", "host", "part"],
            "confidence": [0.3, 0.6, 0.5],
        }
    )
    row = only(listed)
    assert row["score"] == 0.6
    assert (row["evidence"]["name"], row["evidence"]["lists"]) == ("host", 3)


def test_an_indicator_with_a_port_means_what_is_called_there():
    assert len(LOG.flow.matches(pd.DataFrame({"cidr": [X], "port": [443]}))) == 1
    assert LOG.flow.matches(pd.DataFrame({"cidr": [X], "port": [80]})).empty
    assert LOG.flow.matches(pd.DataFrame({"cidr": [X], "port": [443], "protocol": ["udp"]})).empty
    # Y is the one who called, and no service of it was.
    assert LOG.flow.matches(pd.DataFrame({"cidr": [Y], "port": [22]})).empty


def test_an_indicator_that_had_expired_counts_less_and_one_that_came_later_does_not():
    before, later = (pd.Timestamp(START + days * 86_400, unit="s", tz="UTC") for days in (-1, 30))
    row = only(pd.DataFrame({"cidr": [X], "valid_until": [before]}))
    assert row["score"] == pytest.approx(0.95 * 0.5)
    assert "expired" in row["caveat"]
    assert only(pd.DataFrame({"cidr": [X], "valid_from": [later]}))["score"] == 0.95
    assert only(pd.DataFrame({"cidr": [X, X], "valid_until": [before, None]}))["score"] == 0.95


def test_a_bundle_of_stix_is_read_from_its_file(tmp_path):
    indicator = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": "indicator--11111111-1111-4111-8111-111111111111",
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        "name": "drop zone",
        "pattern_type": "stix",
        "pattern": f"[ipv4-addr:value = '{X}']",
        "valid_from": "2020-01-01T00:00:00Z",
        "confidence": 80,
    }
    bundle = {"type": "bundle", "id": "bundle--11111111-1111-4111-8111-111111111112", "objects": [indicator]}
    (tmp_path / "list.json").write_text(json.dumps(bundle))
    row = only(tmp_path / "list.json")
    assert (row["score"], row["evidence"]["name"]) == (0.8, "drop zone")


def test_ipv6_and_several_pairs_of_one_address():
    df = log("""
        +0..50 B out B6:50000 > X6:443 SYN ACCEPT packets=3 bytes=300
        +100..150 B out B6:50001 > X6:8443 SYN ACCEPT packets=3 bytes=300
    """).df
    found = df.flow.matches("2001:db8:c0::/48", internal="2001:db8:0::/48")
    assert found["dstport"].tolist() == [443, 8443]
    assert found["score"].tolist() == pytest.approx([0.95 * 0.7] * 2)


def test_a_range_does_not_mean_hosts_of_ones_own_but_an_address_does():
    assert LOG.flow.matches("10.0.0.0/8").empty
    assert set(LOG.flow.matches(B)["srcaddr"]) == {B, Y, ADDRESS["A"]}


def test_without_a_hit_the_table_is_empty_and_whole():
    found = LOG.flow.matches("192.0.2.1")
    assert found.empty
    assert list(found.columns) == list(LOG.flow.matches(X).columns)


def test_findings_have_matches_only_with_a_list():
    assert "match" not in set(LOG.flow.findings()["kind"])
    assert "match" in set(LOG.flow.findings(indicators=X)["kind"])
    hosts = LOG.flow.host_scores(indicators=X)
    assert hosts["address"].iloc[0] == B
    assert "match 0.95" in hosts["why"].iloc[0]


def test_a_list_that_cannot_be_used_is_refused():
    with pytest.raises(FileNotFoundError):
        LOG.flow.matches("no such file.csv")
    with pytest.raises(fl.ParseError, match=r"10\.0\.0\.300"):
        LOG.flow.matches(["10.0.0.300", X])
