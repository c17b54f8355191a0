"""Laws of the diagnosis over random worlds: certain is right, the truth is never excluded, order does not matter."""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest
from judging import LAYOUTS, judge, seen_in
from worlds import HOURS, random_world

import flowlens as fl
from flowlens.diagnose import evidence
from flowlens.simulate import Simulation, simulate

INTERVALS = (60, 600)
#: How many conversations each world plans: in small ones nothing helps, in large ones records contradict each other.
PLAIN = {0: 40, 1: 120, 2: 400, 3: 500, 4: 600, 5: 700, 6: 800, 7: 800}
EDITED, CROSSED = {100: 300, 101: 500, 102: 700}, {200: 300, 201: 500, 202: 700, 203: 700}


@cache
def played(seed: int, interval: int) -> Simulation:
    sizes = PLAIN | EDITED | CROSSED
    world = random_world(seed, conversations=sizes[seed], changing=seed in EDITED, asymmetric=seed in CROSSED)
    return simulate(world, seed=seed, hours=HOURS, interval=interval)


def test_there_is_enough_to_judge():
    refused = [played(seed, interval).truth.blocked_by.notna().sum() for seed in PLAIN for interval in INTERVALS]
    assert sum(refused) * len(LAYOUTS) >= 2_000
    assert sum(refused) / len(INTERVALS) >= 2_000, "of different conversations"


def test_worlds_are_made_of_their_seed_alone():
    assert random_world(3) == random_world(3)
    assert random_world(3) != random_world(4)


def test_worlds_hold_what_they_are_made_for():
    truth = pd.concat([played(seed, 60).truth for seed in PLAIN])
    refused = truth.blocked_by.notna()
    assert 0.35 <= refused.mean() <= 0.75
    assert set(truth.blocked_by.dropna()) == {"SG_IN", "SG_OUT", "NACL_IN", "NACL_OUT"}
    assert truth.blocked_by.value_counts(normalize=True).min() > 0.05
    assert set(truth.cause.dropna()) == {"rules", "closed", "expired"}
    assert set(truth.protocol) == {1, 6, 17, 47, 50, 58}
    assert truth[["initiator", "responder", "initiator_port", "responder_port", "protocol"]].duplicated().any()
    statuses = pd.concat([played(seed, 60).records.log_status for seed in PLAIN])
    assert set(statuses) == {"OK", "NODATA", "SKIPDATA"}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("seed", PLAIN)
def test_certain_is_right_and_the_truth_is_never_excluded(seed, interval, layout):
    judged = judge(played(seed, interval), layout, interval=interval)
    assert not judged.broken, "\n".join(judged.broken[:20])
    assert not judged.unsafe


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", [2, 4, 6])
def test_the_same_holds_where_the_network_is_known(seed, layout):
    sim = played(seed, 60)
    topology = fl.Topology.from_describe(list(sim.topology.values()))
    judged = judge(sim, layout, interval=60, topology=topology)
    assert not judged.broken, "\n".join(judged.broken[:20])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("seed", CROSSED)
def test_an_answer_on_another_interface_misleads_nobody(seed, interval, layout):
    judged = judge(played(seed, interval), layout, interval=interval)
    assert not judged.broken, "\n".join(judged.broken[:20])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("seed", EDITED)
def test_only_a_change_among_the_records_of_a_diagnosis_can_mislead_it(seed, interval, layout):
    judged = judge(played(seed, interval), layout, interval=interval)
    assert not judged.broken, "\n".join(judged.broken[:20])


# --- the order of records, the files they lie in, and what else there is ---------------------------------------------


def certain_rows(df: pd.DataFrame) -> pd.DataFrame:
    table = df.flow.diagnose(scope="all")
    sure = table[table["certainty"] == "certain"].drop(columns=["records", "why", "assumptions"])
    sure = sure.astype({name: object for name in sure.columns if sure[name].dtype == "category"})
    keys = ["interface_id", "protocol", "srcaddr", "srcport", "dstaddr", "dstport", "first", "last"]
    return sure.sort_values(keys, ignore_index=True)


@pytest.fixture(params=[(2, 60, "29 fields"), (3, 600, "without pkt")], ids=str)
def log(request):
    seed, interval, layout = request.param
    return seen_in(played(seed, interval), layout)


def test_order_of_records_changes_nothing(log):
    shuffled, expected = log.sample(frac=1.0, random_state=7), certain_rows(log)
    assert len(expected) > 10
    pd.testing.assert_frame_equal(certain_rows(shuffled), expected)


def test_diagnoses_are_about_the_same_refused_records_in_any_order(log):
    refused = set(log.index[(log["action"] == "REJECT").fillna(False)])

    def pointed(df):
        table = df.flow.diagnose(scope="all").query("certainty == 'certain'")
        keys = table[["interface_id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "first"]].astype(str)
        return {
            tuple(key): refused & {label for label in labels if _is_of(log.loc[label], key)}
            for key, labels in zip(keys.to_numpy(), table.records, strict=True)
        }

    assert pointed(log.sample(frac=1.0, random_state=8)) == pointed(log)


def _is_of(record: pd.Series, key: list[str]) -> bool:
    return [str(record[name]) for name in ("interface_id", "srcport", "dstport", "protocol")] == [
        key[0], key[2], key[4], key[5]
    ]  # fmt: skip


@pytest.mark.parametrize("scope", ["internal", "all"])
@pytest.mark.parametrize("known", [False, True], ids=["log alone", "with the rules"])
@pytest.mark.parametrize("seed", [4, 201])
def test_how_many_cases_are_looked_at_together_changes_nothing(seed, known, scope, monkeypatch):
    simulation = played(seed, 60)
    log = seen_in(simulation, "29 fields")
    topology = fl.Topology.from_describe(simulation.topology) if known else None
    together = log.flow.diagnose(topology=topology, scope=scope)
    monkeypatch.setattr(evidence, "_ROWS_AT_ONCE", 20)
    pd.testing.assert_frame_equal(log.flow.diagnose(topology=topology, scope=scope), together)


def test_splitting_over_files_changes_nothing(tmp_path):
    sim = played(2, 60)
    sim.write(tmp_path)
    files = sorted(tmp_path.glob("AWSLogs/**/*.gz"), reverse=True)
    assert len(files) > 1
    pd.testing.assert_frame_equal(certain_rows(fl.read(files)), certain_rows(sim.records))


def test_unrelated_flows_change_nothing(log):
    names = ["interface_id", "srcaddr", "dstaddr", "subnet_id", "instance_id", "pkt_srcaddr", "pkt_dstaddr"]
    others = log.astype({name: object for name in log.columns if log[name].dtype == "category"})
    for name in set(names) & set(log.columns):
        # Another network with the same life in it: no interface, subnet, instance or address is shared.
        others[name] = others[name].where(others[name].isna(), "f" + others[name].astype(str))
    for name in {"srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"} & set(log.columns):
        others[name] = others[name].map(elsewhere, na_action="ignore")
    both = fl.from_frame(pd.concat([log.astype(others.dtypes), others], ignore_index=True))
    found = certain_rows(both)
    own = found[~found["interface_id"].str.startswith("f")].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, certain_rows(log))


@cache
def elsewhere(marked: str) -> str:
    address = marked.removeprefix("f")
    if ":" in address:
        return address.replace("2001:db8:", "2001:db9:")
    first, rest = address.split(".", 1)
    return f"{ {'10': '172', '203': '31', '198': '33', '192': '34'}[first] }.{rest}".replace(" ", "")
