"""Transit gateway records: what was lost, what does not apply to them and why, and what other analyses make of them.

The truth is worked out by hand, or by a loop over the records. Fields and flags are those of
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html
"""

from __future__ import annotations

import io
from collections import defaultdict

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from formats import ALL_TGW, NUMBERS, START, TGW, TIMES, columns, frame, names_of, read, record, rows, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

import flowlens as fl

CLIENT, SERVER = "10.1.0.4", "10.2.0.9"
AT_CLIENT, AT_SERVER, INSPECTION = "tgw-attach-a", "tgw-attach-b", "tgw-attach-i"
LOST = {
    "packets_lost_no_route": "no route",
    "packets_lost_blackhole": "blackhole",
    "packets_lost_mtu_exceeded": "MTU exceeded",
    "packets_lost_ttl_expired": "TTL expired",
}
NO_ROUTE, BLACKHOLE, MTU, TTL = LOST
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

_ORDINARY = {
    **dict.fromkeys(ALL_TGW),
    "version": 6,
    "resource_type": "TransitGateway",
    "account_id": "123456789010",
    "tgw_id": "tgw-0123",
    "tgw_attachment_id": AT_CLIENT,
    "tgw_pair_attachment_id": AT_SERVER,
    "tgw_src_vpc_id": "vpc-a",
    "tgw_dst_vpc_id": "vpc-b",
    "srcaddr": CLIENT,
    "dstaddr": SERVER,
    "srcport": 49152,
    "dstport": 443,
    "protocol": 6,
    "packets": 10,
    "bytes": 840,
    "start": START,
    "end": START + 59,
    "log_status": "OK",
    "type": "IPv4",
    **dict.fromkeys(LOST, 0),
    "tcp_flags": 0,
    "region": "eu-west-1",
    "flow_direction": "ingress",
}
TURNED = {
    "srcaddr": SERVER,
    "dstaddr": CLIENT,
    "srcport": 443,
    "dstport": 49152,
    "tgw_attachment_id": AT_SERVER,
    "tgw_pair_attachment_id": AT_CLIENT,
    "tgw_src_vpc_id": "vpc-b",
    "tgw_dst_vpc_id": "vpc-a",
}


def request(window=0, **changes):
    """A record of the client's packets where they come in, in one of the one-minute windows."""
    start = START + 60 * window
    return {**_ORDINARY, "start": start, "end": start + 59, **changes}


def reply(window=0, **changes):
    return request(window, **{**TURNED, **changes})


def leaving(rec):
    """The record of the same packets at the attachment where they leave."""
    places = {"tgw_attachment_id": rec["tgw_pair_attachment_id"], "tgw_pair_attachment_id": rec["tgw_attachment_id"]}
    return {**rec, **places, "flow_direction": "egress"}


def no_traffic(status, **changes):
    empty = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "tcp_flags", *LOST)
    return request(**{**dict.fromkeys(empty), "log_status": status, **changes})


def lost(*records, **options):
    return tuples(frame(*records).flow.losses(**options))


def one(*records):
    (conversation,) = rows(frame(*records).flow.conversations())
    return conversation


# --- losses ---


def test_each_cause_of_a_record_is_a_row_of_its_own():
    found = frame(
        request(0, packets=90, **{NO_ROUTE: 5, MTU: 2}),
        request(3, packets=70, **{NO_ROUTE: 1}),
        reply(1, packets=40, **{BLACKHOLE: 40, TTL: 3}),
        request(2, packets=1000),
    ).flow.losses()
    assert rows(found) == [
        {"cause": "blackhole", "srcaddr": SERVER, "dstaddr": CLIENT, "flows": 1, "packets_lost": 40, "packets": 40,
         "first": START + 60, "last": START + 119},
        {"cause": "no route", "srcaddr": CLIENT, "dstaddr": SERVER, "flows": 2, "packets_lost": 6, "packets": 160,
         "first": START, "last": START + 239},
        {"cause": "TTL expired", "srcaddr": SERVER, "dstaddr": CLIENT, "flows": 1, "packets_lost": 3, "packets": 40,
         "first": START + 60, "last": START + 119},
        {"cause": "MTU exceeded", "srcaddr": CLIENT, "dstaddr": SERVER, "flows": 1, "packets_lost": 2, "packets": 90,
         "first": START, "last": START + 59},
    ]  # fmt: skip


@pytest.mark.parametrize(("column", "cause"), LOST.items())
def test_every_counter_has_a_cause(column, cause):
    assert lost(request(**{column: 7}), keys=()) == [(cause, 1, 7, 10, START, START + 59)]


def test_no_data_and_missing_counters_are_no_loss():
    records = [
        no_traffic("NODATA"), no_traffic("SKIPDATA"),
        # No such record is known; without addresses it is no traffic all the same.
        no_traffic("SKIPDATA", **{NO_ROUTE: 9}),
        request(**dict.fromkeys(LOST)), request(**{NO_ROUTE: None, TTL: 4}),
    ]  # fmt: skip
    assert [row[:5] for row in lost(*records)] == [("TTL expired", CLIENT, SERVER, 1, 4)]


def test_where_nothing_is_lost_the_columns_and_dtypes_are_the_same():
    found, nothing = frame(request(**{MTU: 1})).flow.losses(), frame(request()).flow.losses()
    empty = read(b"", fields="tgw").flow.losses()
    assert len(nothing) == len(empty) == 0
    assert list(found.columns) == [
        "cause", "srcaddr", "dstaddr", "flows", "packets_lost", "packets", "first", "last",
    ]  # fmt: skip
    pd.testing.assert_series_equal(nothing.dtypes, found.dtypes)
    pd.testing.assert_series_equal(empty.dtypes, found.dtypes)
    assert found.dtypes[["flows", "packets_lost", "packets"]].tolist() == ["int64"] * 3
    assert found.dtypes[["first", "last"]].astype(str).tolist() == ["datetime64[s, UTC]"] * 2
    assert isinstance(found.index, pd.RangeIndex)


def test_ties_are_broken_by_cause_and_then_by_keys():
    records = [
        request(srcaddr=src, dstaddr=dst, **{column: 3})
        for src, dst, column in [
            ("10.0.0.9", "10.0.0.1", NO_ROUTE),
            ("10.0.0.10", "10.0.0.2", NO_ROUTE),
            ("10.0.0.10", "10.0.0.1", NO_ROUTE),
            ("10.0.0.9", "10.0.0.1", MTU),
            ("::1", "::2", BLACKHOLE),
        ]
    ]
    expected = [
        ("MTU exceeded", "10.0.0.9", "10.0.0.1"),
        ("blackhole", "::1", "::2"),
        ("no route", "10.0.0.10", "10.0.0.1"),
        ("no route", "10.0.0.10", "10.0.0.2"),
        ("no route", "10.0.0.9", "10.0.0.1"),
    ]
    for turned in (records, records[::-1]):
        assert [row[:3] for row in lost(*turned)] == expected
        assert [row[:3] for row in lost(*turned, n=2)] == expected[:2]


def test_what_to_rank_by_and_how_many_rows():
    records = [
        request(packets=5, **{NO_ROUTE: 5}),
        request(packets=1, dstaddr="10.2.0.1", **{NO_ROUTE: 1}),
        request(packets=1, dstaddr="10.2.0.1", **{NO_ROUTE: 1}),
        request(packets=900, dstaddr="10.2.0.2", **{TTL: 1}),
    ]
    first = {by: lost(*records, n=1, by=by)[0][2] for by in ("packets_lost", "flows", "packets")}
    assert first == {"packets_lost": SERVER, "flows": "10.2.0.1", "packets": "10.2.0.2"}
    assert len(lost(*records)) == 3
    assert lost(*records, n=0) == []
    with pytest.raises(ValueError, match="packets_lost, flows, packets"):
        lost(*records, by="bytes")
    with pytest.raises(ValueError, match="n=-1"):
        lost(*records, n=-1)


def test_any_columns_can_split_the_causes():
    records = [
        request(**{NO_ROUTE: 5}),
        request(dstaddr="10.3.0.7", tgw_dst_vpc_id=None, **{NO_ROUTE: 4}),
        reply(**{NO_ROUTE: 2}),
    ]
    by_vpc = lost(*records, keys=("tgw_src_vpc_id", "tgw_dst_vpc_id"))
    assert [row[1:5] for row in by_vpc] == [("vpc-a", "vpc-b", 1, 5), ("vpc-a", None, 1, 4), ("vpc-b", "vpc-a", 1, 2)]
    by_attachment = lost(*records, keys=("tgw_attachment_id", "dstport"))
    assert [row[1:5] for row in by_attachment] == [(AT_CLIENT, 443, 2, 9), (AT_SERVER, 49152, 1, 2)]
    assert [row[1:4] for row in lost(*records, keys="tgw_attachment_id")] == [(AT_CLIENT, 2, 9), (AT_SERVER, 1, 2)]
    assert [row[:3] for row in lost(*records, keys=[])] == [("no route", 3, 11)]


def test_a_log_that_counted_losses_on_the_way_out_too_shows_it_by_direction():
    records = [request(**{MTU: 6}), leaving(request(**{MTU: 6}))]
    assert [row[4] for row in lost(*records)] == [12]
    assert [row[1:4] for row in lost(*records, keys="flow_direction")] == [("egress", 1, 6), ("ingress", 1, 6)]
    assert tuples(frame(*records).flow.select(direction="ingress").flow.losses(), "packets_lost") == [(6,)]


def test_losses_uses_the_counters_and_the_measures_that_the_format_has():
    few = ("srcaddr", "dstaddr", MTU, "end")
    found = read(text([request(**{NO_ROUTE: 5, MTU: 2})], few)).flow.losses()
    assert rows(found) == [
        {
            "cause": "MTU exceeded",
            "srcaddr": CLIENT,
            "dstaddr": SERVER,
            "flows": 1,
            "packets_lost": 2,
            "last": START + 59,
        }
    ]
    two = read(text([request(**{NO_ROUTE: 5, MTU: 2})], ("srcaddr", "dstaddr", NO_ROUTE, MTU))).flow.losses()
    assert tuples(two) == [("no route", CLIENT, SERVER, 1, 5), ("MTU exceeded", CLIENT, SERVER, 1, 2)]
    with pytest.raises(fl.MissingFieldError, match=r"losses needs 'packets'.*\$\{packets\}"):
        read(text([request()], few)).flow.losses(by="packets")
    with pytest.raises(fl.MissingFieldError, match=r"losses needs 'dstport'.*\$\{dstport\}"):
        read(text([request()], few)).flow.losses(keys=("dstport",))


def test_counters_beyond_32_bits_are_added_exactly():
    large = 2**61 - 1
    assert lost(*[request(**{TTL: large})] * 3, keys=())[0][2] == 3 * large


counters = st.fixed_dictionaries(dict.fromkeys(LOST, st.sampled_from([None, 0, 0, 1, 2, 7])))
some = st.builds(
    lambda counts, src, dst, attachment, window, packets: request(
        window, srcaddr=src, dstaddr=dst, tgw_attachment_id=attachment, packets=packets, **counts
    ),
    counters, st.sampled_from([CLIENT, "10.9.0.1", None]), st.sampled_from([SERVER, "::1"]),
    st.sampled_from([AT_CLIENT, AT_SERVER, None]), st.integers(0, 5), st.integers(1, 20),
)  # fmt: skip
KEYS = st.sampled_from([("srcaddr", "dstaddr"), ("tgw_attachment_id", "dstaddr"), ("dstport",), ()])


def by_loop(records, keys):
    sums = defaultdict(lambda: [0, 0, 0])
    for rec in records:
        for column, cause in LOST.items():
            if rec["srcaddr"] is not None and rec[column]:
                row = sums[(cause, *(rec[key] for key in keys))]
                for place, amount in enumerate((1, rec[column], rec["packets"])):
                    row[place] += amount
    order = sorted(sums, key=lambda key: (-sums[key][1], *((part is None, part or "") for part in key)))
    return [(*key, *sums[key]) for key in order]


@settings(max_examples=25)
@given(records=st.lists(some, max_size=12), keys=KEYS, order=st.randoms(use_true_random=False))
def test_losses_are_the_sums_of_a_loop_whatever_the_order_of_records_and_files(tmp_path_factory, records, keys, order):
    names = ["cause", *keys, "flows", "packets_lost", "packets"]
    df = read(text(records, ALL_TGW))
    assert tuples(df.flow.losses(keys=keys), *names) == by_loop(records, keys)
    folder = tmp_path_factory.mktemp("files")
    shuffled = order.sample(records, len(records))
    for number in range(2):
        (folder / f"{number}.log").write_bytes(text(shuffled[number::2], ALL_TGW))
    pd.testing.assert_frame_equal(fl.read(folder).flow.losses(keys=keys), df.flow.losses(keys=keys))
    plain = df.astype({name: "object" for name in df.columns if df[name].dtype == "category"})
    pd.testing.assert_frame_equal(plain.flow.losses(keys=keys), df.flow.losses(keys=keys))


# --- SQL ---

RECORDS = [
    request(tcp_flags=SYN, **{NO_ROUTE: 5, MTU: 2}), leaving(request(tcp_flags=SYN)),
    reply(tcp_flags=SYN | ACK, **{TTL: 1}), leaving(reply(tcp_flags=SYN | ACK)),
    request(1, tcp_flags=None, srcport=50000, **{BLACKHOLE: 5, NO_ROUTE: None}), no_traffic("NODATA"),
    request(tcp_flags=SYN | ACK | PSH | FIN, srcport=5001, dstport=40000), request(tgw_dst_vpc_id=None, **{MTU: 1}),
]  # fmt: skip
MIXED = [
    *RECORDS,
    *(record(interface_id=eni, srcaddr=CLIENT, dstaddr=SERVER, tcp_flags=18) for eni in ("eni-a", "eni-b")),
]
SQL_VERBS = {
    "losses": lambda to: to.losses(),
    "losses of VPCs": lambda to: to.losses(2, by="flows", keys=("tgw_src_vpc_id", "tgw_dst_vpc_id")),
    "causes": lambda to: to.losses(keys=()),
    "conversations": lambda to: to.conversations(),
    "ports": lambda to: to.ports(),
}


def table_of(records, missing):
    """Return records as a database holds them: words as text, Unix seconds, something for what is missing."""
    return pa.table({
        name: pa.array([rec.get(name) for rec in records], pa.int64())
        if name in NUMBERS or name in TIMES
        else pa.array([missing if rec.get(name) is None else rec[name] for rec in records], pa.string())
        for name in names_of(records)
    })  # fmt: skip


@pytest.mark.parametrize("verb", SQL_VERBS)
@pytest.mark.parametrize("dialect", ["duckdb", "athena", "spark"])
@pytest.mark.parametrize("missing", ["-", None], ids=["dashes", "nulls"])
@pytest.mark.parametrize("records", [RECORDS, MIXED], ids=["transit gateway", "mixed"])
def test_the_text_means_the_same_in_every_dialect(verb, dialect, missing, records):
    df = frame(*records)
    query = SQL_VERBS[verb](df.flow.sql(dialect))
    (statement,) = sqlglot.parse(query, dialect=dialect)
    assert isinstance(statement, exp.Query)
    with duckdb.connect() as connection:
        connection.register("flows", table_of(records, missing))
        found = connection.sql(statement.sql("duckdb")).fetchall()
    assert found == tuples(SQL_VERBS[verb](df.flow))


def test_the_text_of_losses_reads_the_table_once_and_no_column_that_it_does_not_need():
    query = sqlglot.parse_one(frame(*RECORDS).flow.sql("athena", table="tgw").losses(), dialect="athena")
    assert [table.name for table in query.find_all(exp.Table)].count("tgw") == 1
    named = {column.name for column in query.find_all(exp.Column)}
    assert named & set(ALL_TGW) == {"srcaddr", "dstaddr", "packets", "start", "end", *LOST}


# --- What does not apply, and why ---

TGW_FRAME = frame(*RECORDS)
VPC_FRAME = frame(record())

WHY = [
    ("accepted", lambda flow: flow.accepted(), ["'action'", "security groups", "network ACLs", "losses()", "VPCs"]),
    ("rejected", lambda flow: flow.rejected(), ["'action'", "losses()"]),
    ("select action", lambda flow: flow.select(action="REJECT"), ["'action'", "losses()"]),
    ("timeline", lambda flow: flow.timeline(), ["timeline", "'action'", "losses()", "Pass by=None"]),
    ("plot.timeline", lambda flow: flow.plot.timeline(), ["'action'", "Pass by=None"]),
    ("plot", lambda flow: flow.plot(), ["'action'", "Pass by=None"]),
    ("sql timeline", lambda flow: flow.sql("athena").timeline(), ["'action'", "Pass by=None"]),
    ("select interface", lambda flow: flow.select(interface="eni-a"), ["'interface_id'", "tgw_attachment_id"]),
    ("coverage", lambda flow: flow.coverage(), ["coverage", "'interface_id'", "attachments", "tgw_attachment_id"]),
    ("gaps", lambda flow: flow.gaps(), ["gaps", "'interface_id'", "tgw_attachment_id"]),
    ("interface", lambda flow: flow.top_talkers(key="interface_id"), ["attachments", "tgw_attachment_id"]),
    ("source in the packet", lambda flow: flow.pairs(keys="pkt_srcaddr"), ["srcaddr is the real source"]),
    ("destination in the packet", lambda flow: flow.pairs(keys="pkt_dstaddr"), ["dstaddr is the real destination"]),
    ("vpc", lambda flow: flow.pairs(keys="vpc_id"), ["tgw_src_vpc_id", "tgw_dst_vpc_id"]),
    ("subnet", lambda flow: flow.pairs(keys="subnet_id"), ["tgw_src_subnet_id", "tgw_dst_subnet_id"]),
    ("zone", lambda flow: flow.pairs(keys="az_id"), ["tgw_src_az_id", "tgw_dst_az_id"]),
    ("instance", lambda flow: flow.pairs(keys="instance_id"), ["not at instances", "srcaddr"]),
    ("path", lambda flow: flow.pairs(keys="traffic_path"), ["tgw_pair_attachment_id"]),
    ("reason", lambda flow: flow.pairs(keys="reject_reason"), ["losses()"]),
    ("task", lambda flow: flow.pairs(keys="ecs_task_id"), ["network interfaces only"]),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "words"), [case[1:] for case in WHY], ids=[case[0] for case in WHY])
def test_what_a_transit_gateway_cannot_log_is_explained_with_what_to_use_instead(verb, words):
    with pytest.raises(fl.MissingFieldError) as caught:
        verb(TGW_FRAME.flow)
    message = str(caught.value)
    assert "transit gateway records have no" in message
    for word in words:
        assert word in message
    assert "LogFormat" not in message


@pytest.mark.parametrize(
    ("verb", "missing", "word"),
    [
        ("accepted", ("action",), "losses()"),
        ("rejected", ("action",), "losses()"),
        ("coverage", ("interface_id",), "tgw_attachment_id"),
        ("gaps", ("interface_id",), "tgw_attachment_id"),
        ("reject_pairs", ("interface_id", "action"), "losses()"),
        ("diagnose", ("interface_id", "action"), "losses()"),
    ],
)
def test_can_says_why_a_verb_does_not_apply_to_a_transit_gateway(verb, missing, word):
    ability = TGW_FRAME.flow.can(verb)
    assert not ability
    assert ability.missing == missing
    assert word in ability.why
    assert repr(ability) == f"{verb}: no, {ability.why}"
    assert "LogFormat" not in repr(ability)


def test_can_names_the_tokens_where_another_format_would_do():
    ability = TGW_FRAME.drop(columns=["packets", "start"]).flow.can("timeline")
    assert (ability.missing, ability.why) == (("packets", "start"), "")
    assert repr(ability) == "timeline: no, add ${packets} ${start} to the LogFormat"


@pytest.mark.parametrize("verb", ["window", "interval", "between", "host", "top_talkers", "timeline", "pairs", "matrix",
                                  "ports", "fan_out", "top_contributors", "conversations", "losses"])  # fmt: skip
def test_what_applies_to_a_transit_gateway_can_be_asked(verb):
    assert TGW_FRAME.flow.can(verb)
    assert TGW_FRAME.flow.can(verb).missing == ()
    assert repr(TGW_FRAME.flow.can(verb)) == f"{verb}: yes"


def test_losses_of_a_vpc_are_refused_with_the_reason_and_not_with_a_token_that_it_cannot_have():
    ability = VPC_FRAME.flow.can("losses")
    assert not ability
    assert ability.missing == tuple(LOST)
    why = "only transit gateway records count lost packets; what a VPC refused is in rejected()"
    assert (ability.why, repr(ability)) == (why, f"losses: no, {why}")
    for call in (VPC_FRAME.flow.losses, VPC_FRAME.flow.sql("spark").losses):
        assert _error(call).endswith(f"'packets_lost_ttl_expired', but {why}.")


def _error(call):
    with pytest.raises(fl.MissingFieldError) as caught:
        call()
    return str(caught.value)


def test_other_fields_of_transit_gateways_are_not_offered_to_a_vpc_either():
    refusal = _error(lambda: VPC_FRAME.flow.pairs(keys=("tgw_attachment_id", "dstaddr")))
    assert refusal == "pairs needs 'tgw_attachment_id', but only transit gateway records have tgw_attachment_id."


@pytest.mark.parametrize("kept", [[], [MTU], [NO_ROUTE, TTL], list(LOST)], ids=len)
def test_any_counter_is_enough_for_losses_and_without_one_all_are_named(kept):
    df = TGW_FRAME.drop(columns=[column for column in LOST if column not in kept])
    assert bool(df.flow.can("losses")) is bool(kept)
    if kept:
        assert set(df.flow.losses()["cause"]) == {LOST[column] for column in kept}
        return
    for refusal in (repr(df.flow.can("losses")), _error(df.flow.losses)):
        for token in ("no-route", "blackhole", "mtu-exceeded", "ttl-expired"):
            assert f"${{packets-lost-{token}}}" in refusal
        assert "LogFormat" in refusal


def test_a_frame_of_both_kinds_is_told_the_token_that_either_kind_could_have():
    mixed = frame(*MIXED)
    assert "${action}" in repr(mixed.drop(columns="action").flow.can("accepted"))
    assert "${packets-lost-blackhole}" in repr(mixed.drop(columns=list(LOST)).flow.can("losses"))
    assert "${tcp-flags}" in _error(lambda: TGW_FRAME.drop(columns="tcp_flags").flow.pairs(keys="tcp_flags"))


def test_the_advice_that_is_given_works():
    assert TGW_FRAME.flow.timeline(by=None)["flows"].sum() == 7
    assert TGW_FRAME.flow.plot.timeline(by=None).get_title() == "Flows per 5min, UTC"
    assert tuples(TGW_FRAME.flow.timeline(by="tgw_attachment_id"), "tgw_attachment_id", "flows") == [
        (AT_CLIENT, 5),
        (AT_SERVER, 2),
    ]
    attachments = TGW_FRAME.rename(columns={"tgw_attachment_id": "interface_id"})
    assert tuples(attachments.flow.coverage(), "interface_id", "records", "nodata") == [
        (AT_CLIENT, 6, 1),
        (AT_SERVER, 2, 0),
    ]
    assert attachments.flow.gaps().empty
    assert len(attachments.flow.select(interface=AT_SERVER)) == 2


# --- The other analyses ---


def test_a_file_of_the_default_format_is_read_and_reduced():
    lines = text(RECORDS, columns(TGW), header=False)
    df = fl.read(io.BytesIO(lines), fields="tgw")
    assert df.flow.fields == tuple(ALL_TGW)
    pd.testing.assert_frame_equal(df.flow.losses(), TGW_FRAME.flow.losses())


def test_sums_count_both_attachments_and_one_direction_counts_once():
    both = frame(request(), leaving(request()), reply(bytes=50), leaving(reply(bytes=50)))
    assert tuples(both.flow.top_talkers(), "srcaddr", "bytes") == [(CLIENT, 1680), (SERVER, 100)]
    incoming = both.flow.select(direction="ingress")
    assert tuples(incoming.flow.pairs(), "srcaddr", "dstaddr", "bytes") == [(CLIENT, SERVER, 840), (SERVER, CLIENT, 50)]
    assert tuples(both.flow.top_talkers(key="tgw_attachment_id"), "tgw_attachment_id", "bytes", "peers") == [
        (AT_CLIENT, 890, 2),
        (AT_SERVER, 890, 2),
    ]


def test_window_and_interval_are_those_of_one_minute_records():
    df = frame(request(0), request(5))
    assert df.flow.interval == 60
    assert [int(moment.timestamp()) for moment in df.flow.window] == [START, START + 359]


def test_fan_out_has_no_refused_flows_to_count():
    assert tuples(frame(request(), request(dstport=80)).flow.fan_out()) == [(CLIENT, 1, 2, 2, 0)]


# --- Conversations ---


def test_a_conversation_logged_at_both_attachments_counts_once():
    ways = [request(packets=5, bytes=500), request(1, packets=2, bytes=90), reply(packets=4, bytes=4000)]
    found = one(*ways, *map(leaving, ways))
    assert found == {
        "initiator": CLIENT, "responder": SERVER, "initiator_port": 49152, "responder_port": 443, "protocol": 6,
        "interface_id": None, "first": START, "last": START + 119, "records": 6,
        "packets_out": 7, "packets_in": 4, "bytes_out": 590, "bytes_in": 4000,
        "state": "established", "initiator_by": "ports",
    }  # fmt: skip


def test_through_an_inspection_vpc_and_back_a_conversation_counts_once():
    # In from the client, out to the inspection VPC, in from there, out to the server: four records of one packet.
    there = request(packets=5, tgw_pair_attachment_id=INSPECTION)
    onward = request(packets=5, tgw_attachment_id=INSPECTION)
    found = one(there, leaving(there), onward, leaving(onward))
    assert (found["packets_out"], found["bytes_out"], found["records"]) == (5, 840, 4)


def test_packets_lost_on_the_way_count_as_sent_and_the_conversation_is_unanswered():
    lossy = request(packets=5, **{BLACKHOLE: 5})
    found = one(lossy, request(1, packets=3, **{BLACKHOLE: 3}))
    assert (found["packets_out"], found["packets_in"], found["state"]) == (8, 0, "unanswered")


def test_without_attachments_in_the_format_nothing_tells_the_two_records_of_a_packet_apart():
    names = [name for name in ALL_TGW if name != "tgw_attachment_id"]
    (found,) = rows(read(text([request(packets=5), leaving(request(packets=5))], names)).flow.conversations())
    assert found["packets_out"] == 10


def test_without_direction_attachments_alone_are_the_places():
    names = [name for name in ALL_TGW if name != "flow_direction"]
    (found,) = rows(read(text([request(packets=5), leaving(request(packets=5))], names)).flow.conversations())
    assert found["packets_out"] == 5


@pytest.mark.parametrize(
    ("records", "initiator", "by"),
    [
        # SYN without ACK is of the side that opens, whatever else is OR-ed into it.
        ([request(tcp_flags=SYN)], CLIENT, "flags"),
        ([reply(tcp_flags=SYN)], SERVER, "flags"),
        ([request(tcp_flags=SYN | FIN), reply(tcp_flags=SYN | ACK | FIN)], CLIENT, "flags"),
        ([request(tcp_flags=SYN | PSH), reply(tcp_flags=SYN | PSH | ACK)], CLIENT, "flags"),
        ([reply(tcp_flags=SYN), request(tcp_flags=SYN | ACK)], SERVER, "flags"),
        # A SYN sent again, and in the next window the rest of a short connection: that of the client, not a SYN-ACK.
        ([reply(0, tcp_flags=SYN), reply(1, tcp_flags=27), request(1, tcp_flags=27)], SERVER, "flags"),
        # Both sides of a short connection read SYN, PSH, ACK, FIN, which is no evidence.
        ([request(tcp_flags=27), reply(tcp_flags=27)], CLIENT, "ports"),
        ([request(tcp_flags=26), reply(tcp_flags=26)], CLIENT, "ports"),
        ([request(2, tcp_flags=27), reply(0, tcp_flags=27)], SERVER, "order"),
        # Nor is it where one side only was logged, as with a way back that does not pass the gateway.
        ([request(tcp_flags=27)], CLIENT, "ports"),
        ([request(tcp_flags=18)], CLIENT, "ports"),
        ([request(tcp_flags=27, dstport=50000)], CLIENT, "order"),
        # Neither are plain ACKs (0), data (24), nor urgent data (48).
        ([request(tcp_flags=0), reply(tcp_flags=24)], CLIENT, "ports"),
        ([request(tcp_flags=48), reply(tcp_flags=17)], CLIENT, "ports"),
    ],
)  # fmt: skip
def test_who_began_is_told_by_flags_only_where_they_tell(records, initiator, by):
    for seen in (records, [*records, *map(leaving, records)], list(map(leaving, records))):
        found = one(*seen)
        assert (found["initiator"], found["initiator_by"]) == (initiator, by)


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ((27, 27), "closed"),
        ((18, 18), "established"),
        ((30, 18), "reset"),
        ((24, 25), "closed"),
        ((0, 24), "established"),
    ],
)
def test_fin_and_rst_are_seen_among_other_flags(flags, state):
    assert one(request(tcp_flags=flags[0]), reply(tcp_flags=flags[1]))["state"] == state


@pytest.mark.parametrize(
    ("flags", "port"), [(SYN, 50000), (SYN | PSH, 50000), (27, 1024), (18, 1024), (24, 1024), (None, 1024)]
)
def test_the_service_port_is_told_by_a_syn_alone(flags, port):
    # From 1024 to 50000: SYN says that 50000 is the service; SYN with ACK could be either side's, so the lower port is.
    df = frame(request(srcport=1024, dstport=50000, tcp_flags=flags))
    assert tuples(df.flow.ports(), "port", "flows") == [(port, 1)]
    df = frame(request(srcport=50000, dstport=1024, tcp_flags=27))
    assert tuples(df.flow.ports(), "port") == [(1024,)]


def test_flags_as_a_key_are_those_that_were_logged():
    assert tuples(frame(request(tcp_flags=27)).flow.pairs(keys="tcp_flags"), "tcp_flags") == [(27,)]


@settings(max_examples=25)
@given(records=st.lists(
    st.builds(
        lambda side, window, flags, packets, port: side(window, tcp_flags=flags, packets=packets, **port),
        st.sampled_from([request, reply]), st.integers(0, 12), st.sampled_from([None, 0, 1, 2, 10, 18, 24, 27]),
        st.integers(1, 9), st.sampled_from([{}, {"protocol": 17}]),
    ),
    min_size=1, max_size=10,
), order=st.randoms(use_true_random=False))  # fmt: skip
def test_the_second_record_of_each_packet_changes_nothing_but_the_number_of_records(records, order):
    once = frame(*records).flow.conversations()
    both = [*records, *map(leaving, records)]
    twice = frame(*order.sample(both, len(both))).flow.conversations()
    pd.testing.assert_frame_equal(twice.assign(records=twice["records"] // 2), once)


# --- Records of VPCs and of a transit gateway in one frame ---


def at_interface(rec, eni, action="ACCEPT", **changes):
    """The record of the same packets in the flow log of a VPC."""
    shared = {name: rec[name] for name in rec if name in record()}
    return {**record(), **shared, "version": 2, "interface_id": eni, "action": action,
            "tcp_flags": rec["tcp_flags"], **changes}  # fmt: skip


def test_a_conversation_seen_by_interfaces_and_attachments_counts_once():
    out, back = request(packets=5, tcp_flags=27), reply(packets=4, tcp_flags=27)
    found = one(
        *(at_interface(out, eni, tcp_flags=3) for eni in ("eni-client", "eni-server")),
        *(at_interface(back, eni, tcp_flags=19) for eni in ("eni-client", "eni-server")),
        *(out, leaving(out), back, leaving(back)),
    )
    assert (found["packets_out"], found["packets_in"], found["records"]) == (5, 4, 8)
    assert (found["interface_id"], found["initiator"], found["initiator_by"]) == ("eni-client", CLIENT, "flags")


def test_syn_ack_of_an_interface_tells_and_that_of_an_attachment_does_not():
    # The server uses the higher port, so that ports alone would take the client for the server.
    ports = {"srcport": 443, "dstport": 50000}
    at_gateway, elsewhere = request(tcp_flags=18, **ports), request(tcp_flags=18, dstaddr="10.2.0.77", **ports)
    found = rows(frame(at_interface(at_gateway, "eni-a"), elsewhere).flow.conversations())
    assert [(row["initiator"], row["responder"], row["initiator_by"]) for row in found] == [
        ("10.2.0.77", CLIENT, "ports"),
        (SERVER, CLIENT, "flags"),
    ]
    mirrored = {"srcport": 50000, "dstport": 443}
    vpc, tgw = (rec | mirrored for rec in (at_interface(at_gateway, "eni-a"), elsewhere))
    found = rows(frame(vpc, tgw).flow.conversations())
    assert [(row["initiator"], row["responder"], row["initiator_by"]) for row in found] == [
        (CLIENT, "10.2.0.77", "ports"),
        (SERVER, CLIENT, "flags"),
    ]


@pytest.mark.parametrize("ids", [["resource_type"], ["tgw_id"], ["tgw_src_vpc_id", "tgw_dst_vpc_id"]], ids="-".join)
def test_records_of_a_transit_gateway_are_told_apart_by_what_their_format_has(ids):
    tgw = request(tcp_flags=27, srcport=50000, tgw_src_vpc_id=None)
    vpc = at_interface(tgw, "eni-a", dstaddr="10.2.0.77")
    names = [*record(), "tcp_flags", *ids]
    found = rows(read(text([tgw, vpc], names)).flow.conversations())
    assert [(row["responder"], row["initiator_by"]) for row in found] == [(SERVER, "ports"), (CLIENT, "flags")]


def test_refused_in_the_vpc_is_refused_though_the_gateway_let_it_through():
    out = request(packets=3, tcp_flags=SYN)
    found = one(out, leaving(out), at_interface(out, "eni-server", action="REJECT"))
    assert (found["state"], found["packets_out"]) == ("rejected", 3)


def test_in_a_mixed_frame_every_verb_works_on_the_records_that_have_its_fields():
    out = request(packets=3, **{NO_ROUTE: 2})
    refused = at_interface(out, "eni-server", action="REJECT", dstport=22)
    df = frame(out, at_interface(out, "eni-client"), refused)
    assert [row[:5] for row in tuples(df.flow.losses())] == [("no route", CLIENT, SERVER, 1, 2)]
    assert df.flow.rejected().index.tolist() == [2]
    assert df.flow.accepted().index.tolist() == [1]
    assert tuples(df.flow.timeline(), "action", "flows") == [("ACCEPT", 1), ("REJECT", 1), (None, 1)]
    assert tuples(df.flow.coverage(), "interface_id", "records") == [("eni-client", 1), ("eni-server", 1), (None, 1)]
    assert tuples(df.flow.fan_out(), "srcaddr", "flows", "rejected") == [(CLIENT, 3, 1)]
    for verb in ("accepted", "coverage", "diagnose", "losses", "conversations"):
        assert df.flow.can(verb)


def test_a_transit_gateway_log_beside_that_of_a_vpc_changes_nothing_for_the_vpc():
    # An appliance passes packets on: its interface sees them twice, with the same addresses in the packet.
    inside = [
        record(flow_direction=way, tcp_flags=2, srcaddr="10.8.0.1", dstaddr="10.8.0.2") for way in ("ingress", "egress")
    ]
    alone, beside = frame(*inside).flow.conversations(), frame(*inside, request(5)).flow.conversations()
    assert tuples(beside)[0] == tuples(alone)[0]
