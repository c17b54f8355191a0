"""What a user says about findings: which to see, which to ignore and why, and the numbers they go by."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect

import pandas as pd
import pytest
from formats import START, frame, names_of, nodata, record
from pandas.testing import assert_frame_equal
from strategies import SENSITIVE, of_contact

import flowlens as fl
from flowlens.detect import DETECTORS as KINDS
from flowlens.detecting import Detecting

VERBS = sorted(name for name, _ in inspect.getmembers(Detecting, inspect.isfunction) if not name.startswith("_"))
SCANNER, GUESSER, HOST, HOST6 = "198.51.100.77", "192.0.2.66", "10.0.0.5", "2001:db8::5"


def _log() -> pd.DataFrame:
    from_outside = {"eni": "eni-a", "inside": False}
    contacts = [
        *(of_contact(SCANNER, HOST, 20 + n, start=START, outcome="refused", **from_outside) for n in range(9)),
        *(
            of_contact(
                GUESSER, HOST, 22, start=START + 60 * n, outcome="answered", sport=41000 + n, packets=12, **from_outside
            )
            for n in range(20)
        ),
        *(
            of_contact(
                HOST6, "2001:db8:9::9", 8443, start=START + 300 * n, outcome="answered", sport=42000 + n, protocol=17,
                eni="eni-b",
            )
            for n in range(9)
        ),
        *(
            of_contact(HOST, f"10.0.7.{n}", 445, start=START + 60 * n, outcome="silent", sport=43000 + n, eni="eni-a")
            for n in range(9)
        ),
    ]  # fmt: skip
    return frame(*(rec for records in contacts for rec in records))


@pytest.fixture(scope="module")
def df():
    return _log()


@pytest.fixture(scope="module")
def everything(df):
    found = df.flow.findings()
    # The scan, the guesses, the beacon, the sweep, and the ports that were tried.
    assert {"port_scan", "brute_force", "beacon", "port_sweep", "probe"} <= set(found["kind"])
    return found


# --- Ignore ---

#: Each clause, and which findings it holds for.
CLAUSES = {
    "kind": ({"kind": "probe"}, lambda row: row.kind == "probe"),
    "kinds": ({"kind": ["probe", "beacon"]}, lambda row: row.kind in {"probe", "beacon"}),
    "src": ({"src": SCANNER}, lambda row: row.srcaddr == SCANNER),
    "sources": ({"src": [SCANNER, GUESSER]}, lambda row: row.srcaddr in {SCANNER, GUESSER}),
    "src in a prefix": ({"src": "192.0.2.0/24"}, lambda row: row.srcaddr == GUESSER),
    "IPv6": ({"src": "2001:db8::/48"}, lambda row: row.srcaddr == HOST6),
    "dst": ({"dst": HOST}, lambda row: row.dstaddr == HOST),
    "host": ({"host": HOST}, lambda row: HOST in {row.srcaddr, row.dstaddr}),
    "dst_port": ({"dst_port": 22}, lambda row: row.dstport == 22),
    "service": ({"dst_port": "ssh"}, lambda row: row.dstport == 22),
    "ports": ({"dst_port": ["8000-9000", 445]}, lambda row: row.dstport in {8443, 445}),
    "protocol": ({"protocol": "udp"}, lambda row: row.protocol == 17),
    "interface": ({"interface": "eni-b"}, lambda row: row.interface_id == "eni-b"),
    "two clauses": ({"host": HOST, "kind": "brute_force"}, lambda row: row.kind == "brute_force"),
    "three": ({"src": GUESSER, "dst": HOST, "dst_port": 22}, lambda row: row.srcaddr == GUESSER and row.dstport == 22),
    "clauses that never hold together": ({"src": SCANNER, "kind": "beacon"}, lambda row: False),  # noqa: ARG005
    "nobody": ({"src": "203.0.113.200"}, lambda row: False),  # noqa: ARG005
}


@pytest.mark.parametrize("name", CLAUSES)
def test_a_finding_is_left_out_where_every_clause_holds(df, everything, name):
    clauses, holds = CLAUSES[name]
    meant = [bool(holds(row)) for row in everything.fillna({"dstport": 0, "protocol": 0}).itertuples()]
    seen = df.flow.findings(ignore=fl.Ignore(reason="known", **clauses))
    assert sum(meant) < len(everything)
    if name not in {"nobody", "clauses that never hold together"}:
        assert sum(meant)
    left = everything[[not one for one in meant]].reset_index(drop=True)
    assert_frame_equal(seen, left)
    assert seen.attrs["ignored"] == {"known": sum(meant)}


def test_a_clause_about_what_a_finding_does_not_have_does_not_hold(df, everything):
    sweeps = everything[everything["kind"] == "port_sweep"]
    assert sweeps["dstaddr"].isna().all()
    seen = df.flow.findings(ignore=[fl.Ignore(dst=["0.0.0.0/0", "::/0"], reason="any destination")])
    assert set(seen["kind"]) >= {"port_sweep"}
    assert len(seen) == everything["dstaddr"].isna().sum()


def test_several_rules_are_counted_apart_and_each_finding_once(df, everything):
    rules = [
        fl.Ignore(kind="probe", reason="seen"),
        fl.Ignore(host=HOST, reason="a lab"),
        fl.Ignore(kind="probe", reason="b"),
    ]
    seen = df.flow.findings(ignore=rules)
    ignored = seen.attrs["ignored"]
    assert ignored["seen"] == (everything["kind"] == "probe").sum()
    assert ignored["b"] == 0
    assert sum(ignored.values()) == len(everything) - len(seen)
    together = [dataclasses.replace(rule, reason="same") for rule in rules]
    assert df.flow.findings(ignore=together).attrs["ignored"] == {"same": sum(ignored.values())}


def test_without_rules_nothing_is_counted(everything, df):
    assert everything.attrs["ignored"] == {}
    assert df.flow.findings(ignore=[]).attrs["ignored"] == {}
    assert df.flow.findings(ignore=fl.Ignore(kind="flood", reason="none")).attrs["ignored"] == {"none": 0}


def test_what_goes_on_after_the_last_day_is_seen_again(df):
    (last,) = df.flow.brute_force()["last"]

    def hidden(until):
        return df.flow.brute_force(ignore=fl.Ignore(src=GUESSER, reason="our own test", until=until)).empty

    assert not hidden(last)
    assert hidden(last + pd.Timedelta("1s"))
    assert hidden("2027-01-01")
    assert not hidden("2026-03-10 14:00")
    # Times without a zone are UTC; others are those of theirs.
    later = (last + pd.Timedelta("1s")).tz_convert("Asia/Tokyo")
    assert hidden(later)
    assert hidden(later.isoformat())
    assert not hidden(last.tz_convert("Asia/Tokyo"))
    assert hidden(int(last.timestamp()) + 1)


def test_every_detector_takes_rules_and_so_do_scores_of_hosts(df):
    rule = fl.Ignore(host=[HOST, HOST6, SCANNER, GUESSER], reason="all of it")
    for verb in VERBS:
        asked = {"indicators": [HOST, SCANNER]} if verb == "matches" else {}
        seen = getattr(df.flow, verb)(ignore=rule, thresholds=SENSITIVE, **asked)
        assert len(seen) == 0 or not {HOST, HOST6} & set(seen.get("srcaddr", []))
        assert seen.attrs["ignored"]["all of it"] >= 0
    hosts = df.flow.host_scores(ignore=fl.Ignore(src=GUESSER, reason="known"))
    assert GUESSER not in set(hosts["address"])
    assert hosts.attrs["ignored"]["known"] > 0


def test_the_scores_of_others_stay_as_they_are(df, everything):
    seen = df.flow.findings(ignore=fl.Ignore(src=SCANNER, reason="known"))
    left = everything[everything["srcaddr"] != SCANNER].reset_index(drop=True)
    assert_frame_equal(seen, left)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reason": "x"}, "would hide every finding"),
        ({"reason": "x", "kind": []}, "would hide every finding"),
        ({"reason": "x", "until": "2026-04-01"}, "would hide every finding"),
        ({"reason": "", "src": HOST}, "needs a reason"),
        ({"reason": "  ", "src": HOST}, "needs a reason"),
        ({"reason": None, "src": HOST}, "needs a reason"),
        ({"reason": "x", "src": "10.0.0.300"}, "10.0.0.300"),
        ({"reason": "x", "dst_port": "nonsense"}, "nonsense"),
        ({"reason": "x", "protocol": "nonsense"}, "nonsense"),
        ({"reason": "x", "kind": 5}, "kind=5"),
        ({"reason": "x", "kind": "beacn"}, "kind='beacn' is no kind of finding; there are .* beacon"),
        ({"reason": "x", "kind": ["beacon", 5]}, "kind=5"),
        ({"reason": "x", "src": HOST, "until": "tea time"}, "tea time"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fl.Ignore(**arguments)


@pytest.mark.parametrize("ignore", ["198.51.100.77", [None], {"src": SCANNER}, 5])
def test_what_is_no_rule_is_refused(df, ignore):
    with pytest.raises(TypeError, match=r"ignore takes fl\.Ignore\(\.\.\., reason=\.\.\.\) and no (str|NoneType|int)"):
        df.flow.findings(ignore=ignore)


def test_a_reason_has_to_be_given():
    with pytest.raises(TypeError, match="reason"):
        fl.Ignore(src=HOST)


def test_equal_rules_are_equal_and_can_be_in_a_set():
    one = fl.Ignore(src=HOST, kind="beacon", dst_port=22, reason="x", until="2026-04-01")
    same = fl.Ignore(src=[HOST], kind=["beacon"], dst_port=[22], reason="x", until=pd.Timestamp("2026-04-01", tz="UTC"))
    other = fl.Ignore(src=HOST, reason="x")
    assert one == same
    assert {one, same, other} == {one, other}
    assert repr(one) == repr(same)
    assert repr(one).startswith("Ignore(reason='x', kind=('beacon',), src=('10.0.0.5',)")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.reason = "y"
    assert dataclasses.replace(one, reason="y").src == (HOST,)


# --- Thresholds ---


def test_thresholds_are_a_table_of_ones_own():
    table = fl.thresholds()
    assert list(table.columns) == ["value", "unit", "meaning"]
    assert table.index.name == "name"
    assert table.index.is_unique
    assert (table["meaning"].str.len() > 5).all()
    assert {name.split(".")[0] for name in table.index} <= {*KINDS, "context", "host", "match"}
    table.loc["port_scan.ports", "value"] = 99
    assert fl.thresholds().loc["port_scan.ports", "value"] != 99


def test_those_of_the_table_are_what_detectors_go_by(df, everything):
    assert_frame_equal(df.flow.findings(thresholds=fl.thresholds()), everything)
    assert_frame_equal(df.flow.findings(thresholds={}), everything)


def test_an_edited_table_and_a_dict_say_the_same(df):
    table = fl.thresholds()
    table.loc["port_scan.ports", "value"] = 3
    edited, told = (df.flow.port_scans(thresholds=given) for given in (table, {"port_scan.ports": 3}))
    assert_frame_equal(edited, told)
    assert edited.loc[0, "score"] > df.flow.port_scans().loc[0, "score"]
    # A part of the table will do.
    assert_frame_equal(df.flow.port_scans(thresholds=table.loc[["port_scan.ports"]]), told)
    assert df.flow.port_scans(thresholds={"port_scan.ports": 9}).empty


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nonsense": 3}, r"'nonsense' is no threshold\. fl\.thresholds"),
        ({"port_scan.prots": 3}, "'port_scan.prots' is no threshold; did you mean port_scan.ports.*fl.thresholds"),
        ({"port_scan.ports": "many"}, "port_scan.ports: 'many' is no number of ports"),
        ({"port_scan.ports": None}, "port_scan.ports: None is no number"),
        ({"port_scan.ports": float("nan")}, "nan"),
        ({"port_scan.ports": float("inf")}, "inf"),
        ({"port_scan.ports": -1}, "-1"),
        ({"port_scan.ports": 0}, "port_scan.ports is 0; it has to be above 0"),
        ({"port_scan.inbound": 1.5}, "between 0 and 1"),
        ({"port_scan.ports": 1e17}, "between 0 and 1e\\+12"),
        ({"host.beacon": 2}, "between 0 and 1"),
        ({"port_scan.ports": 100}, "many_ports is 100; it has to be above port_scan.ports, 100"),
        ({"port_scan.many_ports": 2}, "it has to be above port_scan.ports, 5"),
        ({"flood.rate": 6000}, "flood.high_rate"),
        ({"volume_spike.large_deviation": 1}, "volume_spike.deviation"),
        ({"port_sweep.scanners": 0}, "above 0 and below 1"),
        ({"port_sweep.benign_succeeds": 1}, "above 0 and below 1"),
        ({"flood.burst": 0}, "above 0"),
        ({"beacon.hours": 0}, "above 0"),
        ({"log_gap.contacts": 0}, "above 0"),
        ({"lateral_movement.tries": 1}, "above 1"),
        (fl.thresholds().drop(columns="value"), "no column 'value'"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(df, given, message):
    for verb in ("findings", "port_scans", "host_scores"):
        with pytest.raises(ValueError, match=message):
            getattr(df.flow, verb)(thresholds=given)


def test_the_table_may_have_lost_its_index(df):
    changed = fl.thresholds().reset_index()
    changed.loc[changed["name"] == "port_scan.ports", "value"] = 90
    expected = df.flow.port_scans(thresholds={"port_scan.ports": 90})
    assert_frame_equal(df.flow.port_scans(thresholds=changed), expected)


def test_weights_of_kinds_change_the_scores_of_hosts(df, everything):
    acting = everything[everything["srcaddr"].notna() & (everything["score"] > 0)]
    for kind in sorted(set(acting["kind"])):
        without = df.flow.host_scores(thresholds={f"host.{kind}": 0})
        others = acting[acting["kind"] != kind].groupby(["srcaddr", "kind"])["score"].max()
        expected = 1 - (1 - others).groupby("srcaddr").prod()
        assert without.set_index("address")["score"].to_dict() == pytest.approx(expected.to_dict())


def test_without_a_list_nothing_can_match(df):
    with pytest.raises(TypeError, match="matches needs a list"):
        df.flow.matches(None)
    assert "indicators=" in df.flow.findings(kinds="match").attrs["not_scored"]["match"]
    assert "match" not in df.flow.findings().attrs["not_scored"]


def test_what_is_left_out_of_a_list_is_listed(df):
    found = df.flow.matches([GUESSER, "evil.example.com"])
    (left,) = found.attrs["left_out"]
    assert left["text"] == "evil.example.com"


def test_what_is_no_table_of_thresholds_is_refused(df):
    with pytest.raises(TypeError, match=r"table of fl\.thresholds\(\)"):
        df.flow.findings(thresholds=5)


@pytest.mark.parametrize("name", fl.thresholds().index)
# Beside those of the table, or the low ones: with one of them a range may end where it begins.
@pytest.mark.parametrize(("factor", "others"), [(0.5, {}), (2, SENSITIVE)], ids=["half", "twice among low ones"])
def test_every_threshold_can_be_changed_and_scores_stay_scores(df, name, factor, others):
    kind = name.partition(".")[0]
    row = fl.thresholds().loc[name]
    highest = {"factor": 1.0, "score": 1.0, "weight": 1.0, "share": 0.9}.get(row["unit"], float("inf"))
    changed = {name: min(highest, row["value"] * factor)}
    with contextlib.suppress(ValueError):
        found = df.flow.findings(kinds=kind if kind in KINDS else None, thresholds={**others, **changed})
        assert found["score"].between(0, 1).all()


# --- Kinds and scores ---


@pytest.mark.parametrize("kind", KINDS)
def test_findings_of_one_kind_are_those_among_all(df, kind):
    every, one = df.flow.findings(thresholds=SENSITIVE), df.flow.findings(kinds=kind, thresholds=SENSITIVE)
    assert_frame_equal(one, every[every["kind"] == kind].reset_index(drop=True))


def test_kinds_are_one_or_several_each_once(df, everything):
    two = everything[everything["kind"].isin(["beacon", "probe"])].reset_index(drop=True)
    assert_frame_equal(df.flow.findings(kinds=["beacon", "probe", "beacon"]), two)
    assert_frame_equal(df.flow.findings(kinds=iter(("probe", "beacon"))), two)
    assert_frame_equal(df.flow.findings(kinds=[]), everything.iloc[:0])


@pytest.mark.parametrize("kinds", ["beacons", ["beacon", "beacons"], "", [None], 5, "beacon,probe"])
def test_what_is_no_kind_is_refused_with_those_that_are(df, kinds):
    with pytest.raises(ValueError, match=f"is no kind of finding; there are .*{', '.join(list(KINDS)[:3])}"):
        df.flow.findings(kinds=kinds)


def test_the_least_score_is_kept(df, everything):
    least = everything["score"].iloc[2]
    assert_frame_equal(
        df.flow.findings(min_score=least), everything[everything["score"] >= least].reset_index(drop=True)
    )
    # What is below that would not have been seen anyway.
    for kind, lowest in everything.groupby("kind")["score"].min().items():
        seen = df.flow.findings(min_score=least, ignore=fl.Ignore(kind=kind, reason="x")).attrs["ignored"]["x"]
        assert seen == ((everything["kind"] == kind) & (everything["score"] >= least)).sum(), (kind, lowest)


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan"), "high", None])
def test_what_is_no_score_is_refused(df, least):
    with pytest.raises(ValueError, match="min_score"):
        df.flow.findings(min_score=least)


def test_a_mode_of_beacons_that_there_is_not_is_refused(df):
    with pytest.raises(ValueError, match="'zeek' is neither 'interval' nor 'rita'"):
        df.flow.beacons(mode="zeek")


# --- What the log lacks ---

#: What a verb cannot be called without.
ASKED = {"matches": {"indicators": "192.0.2.1"}}

NEEDED = {
    "srcport": "srcport", "dstport": "dstport", "protocol": "protocol", "packets": "packets", "bytes": "bytes",
    "start": "start", "end": "end",
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("field", NEEDED)
def test_a_missing_field_is_named_with_its_token(verb, field):
    df = frame(record(), record()).drop(columns=field)
    with pytest.raises(fl.MissingFieldError, match=rf"{verb} needs '{field}'.*\$\{{{NEEDED[field]}\}}"):
        getattr(df.flow, verb)(**ASKED.get(verb, {}))
    ability = df.flow.can(verb)
    assert not ability
    assert ability.missing == (field,)


@pytest.mark.parametrize("verb", VERBS)
def test_ends_ports_counters_and_times_are_enough(verb):
    df = frame(record(), record())[["srcaddr", "dstaddr", *NEEDED]]
    assert df.flow.can(verb)
    assert len(getattr(df.flow, verb)(**ASKED.get(verb, {}))) == 0


def test_a_frame_without_addresses_is_none():
    with pytest.raises(AttributeError, match="srcaddr"):
        frame(record()).drop(columns="srcaddr").flow.findings()


@pytest.mark.parametrize("internal", ["nonsense", ["10.0.0.0/8", "10.0.0.300"]])
def test_what_is_no_network_is_refused(df, internal):
    with pytest.raises(ValueError, match="neither an IP address nor a CIDR prefix"):
        df.flow.findings(internal=internal)


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_topology_is_refused_with_the_verb(df, verb):
    with pytest.raises(TypeError, match=f"{verb} takes a Topology"):
        getattr(df.flow, verb)(topology={"Subnets": []}, **ASKED.get(verb, {}))


def test_records_of_nodata_beside_others_change_nothing(df, everything):
    silent = [
        {**dict.fromkeys(names_of([record()])), **nodata(interface_id=eni, start=START + 60, end=START + 119)}
        for eni in ("eni-a", "eni-b")
    ]
    more = pd.concat([df, frame(*({**rec, "tcp_flags": None, "flow_direction": None} for rec in silent))])
    assert_frame_equal(more.flow.findings(), everything)
