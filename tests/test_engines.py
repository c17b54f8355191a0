"""Law 4: the same verb over a frame, a scan of files, a database, and Spark returns the same table."""

from __future__ import annotations

import inspect

import ibis
import pandas as pd
import pytest
from engines import ENGINES
from formats import START, frame, names_of, nodata, read, record, text
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import TRAFFIC
from test_transit_gateway import RECORDS as OF_A_GATEWAY

import flowlens as fl
from flowlens.accessor import FlowAccessor
from flowlens.detecting import Detecting
from flowlens.enriching import Enriching
from flowlens.narrowing import Narrowing
from flowlens.reductions import Reductions

REPLY = {"srcaddr": "10.0.1.9", "dstaddr": "10.0.0.5", "srcport": 443, "dstport": 49152}
SCAN = {"srcaddr": "198.51.100.7", "action": "REJECT", "tcp_flags": 2}
PING = {"srcport": 0, "dstport": 0, "protocol": 58}
QUERY = {"dstport": 53, "protocol": 17}

#: What can happen to a record, and the ties, gaps and missing values on which engines could disagree.
OF_A_VPC = [
    dict(
        made(**{"tcp_flags": 0, **changes}),
        account_id="000123456789",
        flow_direction=direction,
        pkt_srcaddr=changes.get("srcaddr", "10.0.0.5") if made is record else None,
        instance_tag=tag,
    )
    for made, direction, tag, changes in [
        (record, "egress", "web%20shop", {"tcp_flags": 2, "packets": 3}),
        (record, "ingress", None, {**REPLY, "tcp_flags": 18, "bytes": 7000}),
        (record, "egress", "web%20shop", {"start": START + 60, "end": START + 119}),
        (nodata, None, None, {"tcp_flags": None, "start": START + 120, "end": START + 179}),
        (nodata, None, None, {"tcp_flags": None, "log_status": "SKIPDATA", "start": START + 180, "end": START + 239}),
        (record, "ingress", "%C3%A9", {"start": START + 2000, "end": START + 2059, "action": "REJECT", "bytes": None}),
        (record, None, None, {**SCAN, "dstport": 22, "interface_id": None, "start": START + 30}),
        (record, None, None, {**SCAN, "dstport": 23, "tcp_flags": None, "start": START + 40, "end": START + 40}),
        (record, "egress", None, {"srcaddr": "2001:db8::1", "dstaddr": "2001:db8::2", **PING}),
        (record, "egress", None, {"srcaddr": "2001:db8:0:1::", "dstaddr": "fd00::5", **PING}),
        (record, "ingress", None, {**QUERY, "srcport": 53000, "interface_id": "eni-2"}),
        (record, "egress", None, {**QUERY, "srcport": 53000, "interface_id": "eni-3", "packets": 9}),
        (record, None, None, {**QUERY, "srcport": None, "tcp_flags": None, "packets": None}),
        (record, "egress", None, {"srcaddr": "10.0.32.1", "dstport": 8080, "bytes": 2**40, "start": START + 86400}),
    ]
]
LOGS = {"VPC": OF_A_VPC, "transit gateway": OF_A_GATEWAY}

#: Arguments of verbs that cannot do without, and some more by which they do other things.
CALLS = {
    "matrix": [{"rows": "srcaddr", "cols": "action"}, {"rows": "dstport", "cols": "protocol", "values": "packets"}],
    "timeline": [{}, {"freq": "1h", "by": None}, {"by": "protocol"}],
    "top_talkers": [{}, {"n": 2, "by": "packets", "key": "dstport"}, {"n": None, "by": "flows", "key": "instance_tag"}],
    "pairs": [{}, {"n": 3, "by": "flows", "keys": ("dstport", "protocol", "log_status")}],
    "fan_out": [{}, {"key": "dstaddr"}],
    "conversations": [{}, {"timeout": 30}],
    "losses": [{}, {"n": 2, "by": "flows", "keys": ()}],
    "reject_pairs": [{}, {"tolerance": "1h"}, {"tolerance": 0}],
    "rejected_by_port": [{}, {"ports": ["0-1024", "telnet"], "freq": "1min", "threshold": 1}],
    "top_contributors": [
        {},
        {"keys": ("interface_id", "dstport", "action"), "n": 2, "by": "flows"},
        {"keys": ("srcaddr", "flow_direction"), "n": 1, "by": "packets", "freq": "1min"},
        {"keys": "dstport", "n": None, "freq": "1h"},
    ],
}
#: Those for records that have neither interface nor action.
CALLS_AT_A_GATEWAY = {
    **CALLS,
    "timeline": [{"by": None}, {"by": "log_status"}],
    "matrix": [{"rows": "srcaddr", "cols": "dstaddr"}],
    "top_talkers": [{"key": "tgw_attachment_id"}],
    "top_contributors": [{}, {"keys": ("tgw_attachment_id", "dstaddr"), "n": 2, "by": "flows", "freq": "1min"}],
}


def public(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}


#: Every verb there is: one that is added is compared by existing.
VERBS = sorted(public(Reductions) | {"matrix", "costs"})
#: What gives a frame or text of its own, and no verb.
OTHERS = {"can", "collect", "count", "head", "insights", "sql", "to_parquet"}
#: What is judged, from tables that verbs like the above give. Detectors have tests of their own: test_detect_engines.
JUDGED = {"diagnose", "diagnose_conversation", "explain"} | public(Detecting)


@pytest.fixture(scope="module", params=ENGINES, ids=lambda name: name.replace(" ", "-"))
def held(request, tmp_path_factory, spark):
    """Return the logs as one engine holds them, beside the frames of the same."""
    logs = {}
    for kind, records in LOGS.items():
        names = names_of(records)
        flows = ENGINES[request.param](records, names, tmp_path_factory.mktemp("logs"), spark)
        logs[kind] = (flows, read(text(records, names)))
    return logs


pytestmark = pytest.mark.xdist_group("spark")

#: Text differs from Parquet in how fields are read, which verbs and selections look at; Spark takes minutes for more.
with_spark_once = pytest.mark.parametrize(
    "held",
    [name for name in ENGINES if name != "Spark over text"],
    indirect=True,
    ids=lambda name: name.replace(" ", "-"),
)


def test_a_frame_and_what_holds_more_have_the_same_verbs():
    assert public(FlowAccessor) >= set(VERBS) | public(Narrowing) | public(Enriching)
    assert public(fl.Flows) - public(FlowAccessor) == {"collect", "count", "head"}
    assert public(FlowAccessor) <= public(fl.Flows)
    assert public(fl.Flows) == set(VERBS) | JUDGED | public(Narrowing) | public(Enriching) | OTHERS & public(fl.Flows)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_gives_the_same_table(held, verb):
    compared = 0
    for kind, (flows, df) in held.items():
        if df.flow.can(verb):
            for arguments in (CALLS if kind == "VPC" else CALLS_AT_A_GATEWAY).get(verb, [{}]):
                assert_frame_equal(getattr(flows, verb)(**arguments), getattr(df.flow, verb)(**arguments))
                compared += 1
    assert compared


@with_spark_once
@pytest.mark.parametrize("scope", ["internal", "all"])
def test_a_diagnosis_is_the_same_but_for_the_labels_that_only_a_frame_has(held, scope):
    flows, df = held["VPC"]
    told, expected = flows.diagnose(scope=scope), df.flow.diagnose(scope=scope)
    assert len(expected) > 1
    assert set(told["records"]) == {()}
    assert_frame_equal(told.drop(columns="records"), expected.drop(columns="records"))
    asked = {"src": "198.51.100.7", "dst": "10.0.1.9", "dst_port": 22}
    told, expected = flows.diagnose_conversation(**asked), df.flow.diagnose_conversation(**asked)
    assert len(expected)
    assert_frame_equal(told.drop(columns="records"), expected.drop(columns="records"))


SELECTIONS = {
    "address": lambda to: to.select(src="10.0.0.5"),
    "octets": lambda to: to.select(dst="10.0.0.0/16"),
    "bits": lambda to: to.select(host=["10.0.0.0/19", "2001:db8::/48", "fd00::/8"]),
    "all of IPv6": lambda to: to.select(src="::/0"),
    "ports": lambda to: to.select(port=["https", "20-23", 53]),
    "source port": lambda to: to.select(src_port="1-65535"),
    "protocol": lambda to: to.select(protocol=["udp", 58]),
    "action": lambda to: to.rejected(),
    "dash": lambda to: to.select(interface=["-", "eni-2"]),
    "status": lambda to: to.select(status=["NODATA", "SKIPDATA"]),
    "direction": lambda to: to.select(direction="egress"),
    "time": lambda to: to.select(time=(START + 60, START + 2000)),
    "from a time on": lambda to: to.select(time=(START + 60, None)),
    "with a time": lambda to: to.select(time=(None, None)),
    "both ways": lambda to: to.between("10.0.0.5", "10.0.1.0/24"),
    "host": lambda to: to.host("198.51.100.7"),
    "two clauses": lambda to: to.select(dst_port=443, action="ACCEPT"),
    "nothing": lambda to: to.select(),
    "no record": lambda to: to.select(src="203.0.113.1"),
}


#: Every way to add columns there is: one that is added is compared by existing.
ADDITIONS = sorted(public(Enriching))
NETS = {"corp": ["10.0.0.0/19", "fd00::/8"], "odd": ["0.0.0.0/1", "10.0.0.5"], "v6": "2001:db8::/48", "one": "::1/128"}
TOPOLOGY = fl.Topology.from_describe(
    {
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": f"eni-{number}",
                "VpcId": vpc,
                "PrivateIpAddress": address,
                "Attachment": {"InstanceId": f"i-{number}"},
            }
            for number, (vpc, address) in enumerate(
                [("vpc-1", "10.0.0.5"), ("vpc-2", "10.0.0.5"), ("vpc-1", "10.0.1.9")]
            )
        ]
    }
)
CALLS_THAT_ADD = {
    "add_groups": [{"groups": NETS}, {"groups": {"some": "10.0.0.0/23"}, "default": None}],
    "add_networks": [{}, {"prefixlen": 13, "prefixlen6": 47}, {"prefixlen": 0, "prefixlen6": 0}],
    "add_scope": [{}, {"internal": ["198.51.100.0/24", "2001:db8::/32"]}],
    "add_resources": [{"topology": TOPOLOGY}],
}


def words(df: pd.DataFrame) -> pd.DataFrame:
    """Return records in an order of their own, and as text: a selection of a frame keeps its categories and index."""
    as_text = df.astype("string")
    return as_text.sort_values(list(as_text.columns), ignore_index=True)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_keeps_the_same_records(held, selection):
    flows, df = held["VPC"]
    assert_frame_equal(words(SELECTIONS[selection](flows).collect()), words(SELECTIONS[selection](df.flow)))


@with_spark_once
@pytest.mark.parametrize("addition", ADDITIONS)
def test_every_column_that_is_added_is_the_same(held, addition):
    compared = 0
    for flows, df in held.values():
        for arguments in CALLS_THAT_ADD.get(addition, [{}]):
            if df.flow.can(addition):
                there, here = (getattr(log, addition)(**arguments) for log in (flows, df.flow))
                assert_frame_equal(words(there.collect()), words(here))
                added = here.columns.difference(df.columns)
                assert_frame_equal(there.pairs(keys=added), here.flow.pairs(keys=added))
                compared += 1
    assert compared


def test_directions_are_inferred_alike(held):
    flows, df = held["VPC"]
    without = fl.Flows(flows._records.table.drop("flow_direction")) if not hasattr(flows._records, "files") else None
    if without is not None:
        here = df.drop(columns="flow_direction").flow.add_direction()
        assert_frame_equal(words(without.add_direction().collect()), words(here))
        assert set(here["direction"].dropna()) == {"ingress", "egress"}


def test_a_column_that_has_the_name_of_one_that_is_added_is_replaced():
    df = frame(record(tcp_flags=2), record(tcp_flags=18, **REPLY)).assign(flags=7, direction=1.5)
    there = fl.Flows(ibis.memtable(pd.DataFrame({**_plain(df), "flags": 7, "direction": 1.5})))
    keys = ("flags", "direction")
    assert_frame_equal(
        there.add_services().add_direction().pairs(keys=keys),
        df.flow.add_services().flow.add_direction().flow.pairs(keys=keys),
    )


def _plain(df: pd.DataFrame) -> dict[str, list]:
    """Return columns as a database has them."""
    times = {name: pd.DatetimeIndex(df[name]).asi8.tolist() for name in ("start", "end")}
    return {name: df[name].tolist() for name in df.columns} | times


@with_spark_once
def test_what_is_added_can_be_selected_and_enriched_again(held):
    def named(log):
        log = log.flow.add_groups(NETS).flow.select(group=["corp", "v6"]).flow.add_services()
        return log.flow.add_direction().flow.select(time=(START, START + 3000)).flow.add_groups({"x": "10.0.0.0/8"})

    flows, df = held["VPC"]
    assert_frame_equal(words(named(flows).collect()), words(named(df)))
    keys = ("src_group", "service", "initiator")
    assert_frame_equal(named(flows).pairs(keys=keys), named(df).flow.pairs(keys=keys))
    assert named(flows).count() == len(named(df)) > 0


def test_selections_in_a_row_all_hold_and_so_do_those_of_a_verb(held):
    flows, df = held["VPC"]
    narrowed = flows.accepted().between("10.0.0.0/8", "10.0.0.0/8").select(time=(START, START + 300))
    same = df.flow.accepted().flow.between("10.0.0.0/8", "10.0.0.0/8").flow.select(time=(START, START + 300))
    assert_frame_equal(narrowed.conversations(), same.flow.conversations())
    assert_frame_equal(narrowed.top_talkers(key="dstport"), same.flow.top_talkers(key="dstport"))
    assert narrowed.count() == len(same) > 0


def test_code_written_for_a_frame_runs_as_it_is(held):
    def peers_of_clients(log):
        return log.flow.accepted().flow.select(dst_port=[443, 53]).flow.fan_out()

    flows, df = held["VPC"]
    assert_frame_equal(peers_of_clients(flows), peers_of_clients(df))
    assert flows.flow is flows


@pytest.mark.parametrize("kind", LOGS)
def test_what_is_known_of_the_records_is_the_same(held, kind):
    flows, df = held[kind]
    assert flows.fields == df.flow.fields
    assert flows.window == df.flow.window
    assert flows.interval == df.flow.interval
    assert flows.count() == len(df)
    assert bool(flows.can("losses")) == bool(df.flow.can("losses"))


def test_the_collected_frame_is_that_of_read(held):
    for flows, df in held.values():
        assert_frame_equal(words(flows.collect()), words(df))
        assert flows.collect().dtypes.astype(str).tolist() == df.dtypes.astype(str).tolist()
        first = words(flows.head(3))
        assert len(first) == 3
        assert len(first.merge(words(df))) >= 3


def test_what_is_stored_is_what_would_be_stored_of_a_frame(held, tmp_path):
    flows, df = held["VPC"]
    files = flows.to_parquet(tmp_path / "flows")
    same = df.flow.to_parquet(tmp_path / "frame")
    folders = [
        [file.parent.relative_to(base) for file in found]
        for base, found in [(tmp_path / "flows", files), (tmp_path / "frame", same)]
    ]
    assert folders[0] == folders[1]
    assert_frame_equal(words(fl.read(tmp_path / "flows")), words(fl.read(tmp_path / "frame")))


def test_a_missing_field_is_named_as_for_a_frame(held):
    flows, _ = held["transit gateway"]
    with pytest.raises(fl.MissingFieldError, match="transit gateway records have no action"):
        flows.rejected().count()
    with pytest.raises(fl.MissingFieldError, match="interface_id"):
        flows.gaps()


@settings(max_examples=10)
@given(
    records=TRAFFIC,
    verb=st.sampled_from([verb for verb in VERBS if verb != "losses"]),
    engine=st.sampled_from(list(ENGINES)[:3]),
)
def test_on_random_traffic_every_verb_gives_the_same_table(tmp_path_factory, records, verb, engine):
    names = names_of(records)
    flows = ENGINES[engine](records, names, tmp_path_factory.mktemp("logs"), None)
    df = read(text(records, names))
    for arguments in CALLS.get(verb, [{}]):
        if not {"instance_tag", "flow_direction"} & {arguments.get("key"), *arguments.get("keys", ())}:
            assert_frame_equal(getattr(flows, verb)(**arguments), getattr(df.flow, verb)(**arguments))
