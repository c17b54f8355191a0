"""What each explorer has of its own: evidence, fixes, prefixes, thresholds, gaps."""

from __future__ import annotations

from functools import cache

import ipywidgets as widgets
import pandas as pd
import pytest
from exploring import EXPLORERS, button, evaluated, images, lists, named, of_kind, pick, status, texts, toggles, typed
from formats import START, frame, record

import flowlens as fl
from flowlens.amounts import in_si
from flowlens.engine import frames

DF = fl.sample()


@cache
def topology() -> fl.Topology:
    return fl.sample_topology()


def shown(explorer) -> str:
    """Return what is said of the row that is picked in the list below the panels."""
    return texts(explorer)[-1] if explorer.name == "findings" else max(texts(explorer), key=len)


def rows(explorer) -> widgets.Select:
    return lists(explorer)["Rows"]


# --- Rejects ---


def test_a_refused_conversation_is_shown_with_its_reasoning_and_its_fix():
    explorer = DF.flow.explore.rejects(topology=topology(), filter=fl.Selection(src="10.20.11.30", verdict="SG_IN"))
    card = shown(explorer)
    assert "Certain: the security group refused it, inbound (SG_IN)" in card
    assert "aws ec2 authorize-security-group-ingress" in card
    assert explorer.code == (
        "df.flow.diagnose(topology=topology, scope='all').flow.select(src='10.20.11.30', verdict='SG_IN')"
    )
    assert evaluated(explorer, DF, topology=topology()).equals(explorer.selection)


def test_both_directions_stand_beside_each_other():
    explorer = DF.flow.explore.rejects(filter=fl.Selection(verdict="NACL_OUT"))
    records = explorer.records
    assert set(records["action"]) == {"ACCEPT", "REJECT"}
    card = shown(explorer)
    assert "The refused direction beside the other one" in card
    row = explorer.selection.loc[rows(explorer).value]
    source, target = f"{row['srcaddr']}:{row['srcport']}", f"{row['dstaddr']}:{row['dstport']}"
    assert f"REJECT {source} to {target} TCP" in card
    assert f"ACCEPT {target} to {source} TCP" in card


def test_another_row_of_the_list_shows_its_own_evidence():
    explorer = DF.flow.explore.rejects()
    first, second = rows(explorer).options[0][1], rows(explorer).options[1][1]
    assert rows(explorer).value == first
    before = shown(explorer)
    rows(explorer).value = second
    assert shown(explorer) != before
    assert explorer.records.index.tolist() == sorted(explorer.selection.loc[second, "records"])
    assert explorer.filter == fl.Selection()  # looking is not picking


def test_the_largest_refused_conversations_come_first_and_the_list_is_bounded():
    explorer = DF.flow.explore.rejects()
    attempts = [explorer.selection.loc[label, "attempts"] for _, label in rows(explorer).options]
    assert attempts == sorted(attempts, reverse=True)
    assert len(attempts) == 50
    assert "Listed are 50 of 4,934 refused conversations." in texts(explorer)


def test_attempts_are_summed_up_by_verdict():
    explorer = DF.flow.explore.rejects()
    found = DF.flow.diagnose(scope="all")
    expected = found.groupby("verdict")["attempts"].sum().sort_values(ascending=False)
    lines = [label.split(" · ")[0] for label, _ in lists(explorer)["Verdicts"].options]
    assert lines == expected.index.tolist()


# --- Groups ---


def test_flows_are_crossed_by_groups_or_by_prefixes_of_any_length():
    explorer = named().flow.explore.groups()
    first = lists(explorer)["From (rows) to (columns)"].options[1][0]
    expected = named().flow.pairs(1, keys=("src_group", "dst_group")).iloc[0]
    assert first.startswith(f"{expected['src_group']} to {expected['dst_group']} · ")

    toggles(explorer, "prefixes").value = "prefixes"
    for length in (16, 8, 24):  # of single addresses the first two tie, as a NAT gateway logs both sides
        of_kind(explorer, widgets.IntSlider)[0].value = length
        networks = DF.flow.add_networks(length).flow.pairs(1, keys=("src_network", "dst_network")).iloc[0]
        first = lists(explorer)["From (rows) to (columns)"].options[1][0]
        assert first.startswith(f"{networks['src_network']} to {networks['dst_network']} · ")
    pick(explorer, "From (rows) to (columns)", 1)
    assert explorer.filter.src is not None
    assert evaluated(explorer, named()).equals(explorer.selection)


def test_a_picked_pair_of_prefixes_has_the_sum_of_its_line():
    explorer = DF.flow.explore.groups()
    toggles(explorer, "flows").value = "flows"
    of_kind(explorer, widgets.IntSlider)[0].value = 24
    line = lists(explorer)["From (rows) to (columns)"].options[3][0]
    pick(explorer, "From (rows) to (columns)", 3)
    assert line.split(" · ")[1] == in_si(len(explorer.selection))


def test_addresses_that_have_no_group_are_listed_by_how_much_they_send():
    explorer = named().flow.explore.groups()
    unnamed = named()[named()["src_group"] == "other"]
    expected = unnamed.flow.top_talkers(3)["srcaddr"].tolist()
    assert [label.split(" · ")[0] for label, _ in lists(explorer)["Sources in no group"].options[:3]] == expected


# --- Findings ---


@pytest.fixture(scope="module")
def findings():
    return DF.flow.explore.findings()


def evidence(explorer) -> bytes:
    return images(explorer)[-1]


KINDS = ["brute_force", "volume_spike", "beacon", "lateral_movement", "port_scan", "port_sweep", "probe", "flood",
         "long_conversation", "new_peer"]  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in set(DF.flow.findings()["kind"])])
def test_every_kind_has_a_picture_of_its_records_and_a_card(findings, kind):
    button(findings, "Reset").click()
    typed(findings, f"kind={kind}")
    label = findings.selection.index[0]
    rows(findings).value = label
    row = findings.selection.loc[label]
    assert evidence(findings).startswith(b"\x89PNG")
    assert kind.replace("_", " ").capitalize() in shown(findings)
    records = findings.records
    assert len(records) > 0
    for column, value in (("srcaddr", row["srcaddr"]), ("dstaddr", row["dstaddr"])):
        if not pd.isna(value):
            assert set(records[column]) == {value}


def test_pictures_of_evidence_differ_by_finding(findings):
    button(findings, "Reset").click()
    pictures = set()
    for _, label in rows(findings).options[:6]:
        rows(findings).value = label
        pictures.add(evidence(findings))
    assert len(pictures) == 6


def test_the_highest_scores_come_first_with_their_bars(findings):
    button(findings, "Reset").click()
    assert [label for _, label in rows(findings).options] == findings.selection.index[:50].tolist()
    assert rows(findings).options[0][0].startswith("1.00 ██████████ brute force")


def test_a_threshold_moves_the_ranking_and_is_in_the_code():
    explorer = DF.flow.explore.findings()
    name, value = of_kind(explorer, widgets.Dropdown)[0], of_kind(explorer, widgets.FloatText)[0]
    name.value = "beacon.half_evidence"
    assert value.value == 12
    value.value = 100
    assert explorer.code == "df.flow.findings(thresholds={'beacon.half_evidence': 100.0})"
    assert explorer.selection.equals(DF.flow.findings(thresholds={"beacon.half_evidence": 100}))
    beacon = explorer.selection[explorer.selection["kind"] == "beacon"]["score"].max()
    assert beacon < DF.flow.beacons()["score"].max()
    value.value = 12
    assert explorer.code == "df.flow.findings()"
    assert explorer.selection.equals(DF.flow.findings())


def test_only_what_a_threshold_changes_is_asked_anew(monkeypatch):
    asked = []
    plain = frames.duckdb_sql
    monkeypatch.setattr(frames, "duckdb_sql", lambda expression: asked.append(expression) or plain(expression))
    explorer = DF.flow.explore.findings()
    at_first = len(asked)
    name, value = of_kind(explorer, widgets.Dropdown)[0], of_kind(explorer, widgets.FloatText)[0]
    for threshold, moved in (("port_scan.ports", 3), ("port_sweep.hosts", 2), ("port_scan.ports", 40)):
        before = len(asked)
        name.value, value.value = threshold, moved
        assert len(asked) - before <= 4 < at_first
    both = {"port_scan.ports": 40.0, "port_sweep.hosts": 2.0}
    assert explorer.code == f"df.flow.findings(thresholds={both!r})"
    monkeypatch.undo()
    assert DF.flow.findings(thresholds=both).equals(explorer.selection)


def test_what_was_interrupted_is_asked_for_anew(monkeypatch):
    plain = frames.duckdb_sql
    ground = frames.GroundOfFrame(DF)
    monkeypatch.setattr(frames, "GroundOfFrame", lambda _: ground)
    monkeypatch.setattr(frames, "duckdb_sql", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        DF.flow.findings()
    asked = []
    monkeypatch.setattr(frames, "duckdb_sql", lambda expression: asked.append(expression) or plain(expression))
    kept = type(DF.flow)(DF, ground)
    first = kept.findings()
    once = len(asked)
    assert first.equals(kept.findings())
    assert len(asked) < once * 1.2  # of addresses something is asked besides
    assert kept.findings(kinds=["port_scan"]).equals(first[first["kind"] == "port_scan"].reset_index(drop=True))


def test_one_explorer_at_a_time_keeps_its_contacts():
    first, second = DF.flow.explore.findings(), DF.flow.explore.findings()
    for explorer in (first, second, first):
        value = of_kind(explorer, widgets.FloatText)[0]
        value.value += 1
        assert explorer.selection.equals(evaluated(explorer, DF))
    assert [one._ground._made is not None for one in (first, second)] == [True, False]


def test_thresholds_that_are_given_stay_where_another_one_is_moved():
    explorer = DF.flow.explore.findings(thresholds={"beacon.internal": 0.9})
    assert explorer.code == "df.flow.findings(thresholds={'beacon.internal': 0.9})"
    of_kind(explorer, widgets.Dropdown)[0].value = "beacon.internal"
    assert of_kind(explorer, widgets.FloatText)[0].value == 0.9
    of_kind(explorer, widgets.Dropdown)[0].value = "port_scan.inbound"
    of_kind(explorer, widgets.FloatText)[0].value = 1
    both = {"beacon.internal": 0.9, "port_scan.inbound": 1.0}
    assert explorer.code == f"df.flow.findings(thresholds={both!r})"
    assert DF.flow.findings(thresholds=both).equals(explorer.selection)


def test_a_threshold_that_is_none_is_said_and_nothing_changes():
    explorer = DF.flow.explore.findings()
    name, value = of_kind(explorer, widgets.Dropdown)[0], of_kind(explorer, widgets.FloatText)[0]
    name.value = "beacon.internal"
    value.value = -3
    assert "beacon.internal" in status(explorer)
    assert explorer.code == "df.flow.findings()"


def test_arguments_of_findings_are_taken_and_are_in_the_code():
    ignore = fl.Ignore(kind="beacon", reason="known")
    explorer = DF.flow.explore.findings(ignore=ignore, internal="10.20.0.0/16")
    assert "beacon" not in set(explorer.selection["kind"])
    assert explorer.code == "df.flow.findings(internal=internal, ignore=ignore)"
    found = evaluated(explorer, DF, ignore=ignore, internal="10.20.0.0/16")
    assert found.equals(explorer.selection)


def test_scores_are_picked_from_a_tenth_on(findings):
    button(findings, "Reset").click()
    scores = lists(findings)["Scores"]
    assert [label.split(" · ")[0] for label, _ in scores.options] == sorted(
        label.split(" · ")[0] for label, _ in scores.options
    )
    scores.value = (scores.options[-1][1],)
    assert findings.code == "df.flow.findings().flow.select(min_score=0.9)"
    assert findings.selection["score"].min() >= 0.9


# --- Coverage ---


def test_records_are_told_by_status_interface_and_length():
    explorer = EXPLORERS["coverage"](DF)
    counts = "NODATA 6,623 records, OK 72,447 records, SKIPDATA 2 records"
    assert any(counts in text for text in texts(explorer))
    coverage = DF.flow.coverage().set_index("interface_id")["records"]
    for label, _ in lists(explorer)["Interfaces"].options:
        name, count, _ = label.split(" · ")
        assert count == f"{coverage[name]:,} records"


def test_a_silent_interface_has_empty_bins():
    df = frame(
        *[record(start=START + 600 * n, end=START + 600 * n + 59, interface_id="eni-1") for n in range(30)],
        *[record(start=START + 600 * n, end=START + 600 * n + 59, interface_id="eni-2") for n in (0, 29)],
    )
    explorer = EXPLORERS["coverage"](df)
    present = explorer._panels[1].data(explorer._view).present
    assert (present[0] > 0).sum() == 30
    assert (present[1] > 0).sum() == 2
