"""Topology.unused_rules and suggest_rules: what counts as use of a rule, and narrower rules proved by a replay."""

from __future__ import annotations

import copy
from dataclasses import replace
from io import BytesIO

import pandas as pd
import pytest
from describe import CLIENT, SERVER, STRANGER, eni, flat, group, network, permission
from hypothesis import assume, given, settings
from rule_worlds import documents_of
from test_evaluate import busy_worlds

import flowlens as fl
from flowlens.rules import Header, Outcome
from flowlens.simulate import TCP, UDP, simulate

FIELDS = (
    "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags "
    "flow-direction pkt-srcaddr pkt-dstaddr"
)
NOON = 1_770_033_600  # 2026-02-02 12:00 UTC
ANYWHERE = "0.0.0.0/0"


def record(src, dst, port, *, src_port=40_000, protocol=6, action="ACCEPT", flags=2, packets=6, size=600, **more):
    """One record of a minute at eni-2: packets that came in, unless it says otherwise."""
    at, way, start = more.get("at", "eni-2"), more.get("way", "ingress"), more.get("start", NOON)
    real_src, real_dst = more.get("really", (src, dst))
    counts = f"{packets} {packets * size} {start} {start + 60}"
    ends = f"{src} {dst} {src_port} {port} {protocol}"
    return f"{at} {ends} {counts} {action} OK {flags} {way} {real_src} {real_dst}"


def served(src, dst, dst_port, **more):
    """A request with data, and the reply to it, at the interface that is asked."""
    reply = {key: value for key, value in more.items() if key in {"at", "start", "protocol", "src_port"}}
    port = reply.pop("src_port", 40_000)
    return [
        record(src, dst, dst_port, **more),
        record(dst, src, port, src_port=dst_port, way="egress", flags=18, **reply),
    ]


def log(*lines):
    flat = [line for each in lines for line in ([each] if isinstance(each, str) else each)]
    return fl.read(BytesIO("\n".join([FIELDS, *flat, ""]).encode()), progress=False)


def server(*rules, out=(), others=(), groups=(), **more):
    """eni-2 with the group sg-s, and eni-1, a client of sg-c."""
    return network(
        [eni(1, CLIENT, "sg-c"), eni(2, SERVER, "sg-s", subnet="subnet-b"), *others],
        [group("sg-c"), group("sg-s", rules, out), *groups],
        **more,
    )


def status(topology, df):
    """The status of the rules of sg-s, by what they say; those that are used are not listed."""
    table = topology.unused_rules(df)
    return dict(table.loc[table["security_group"] == "sg-s", ["text", "status"]].itertuples(index=False))


SSH, WEB = permission("tcp", 22, cidr=ANYWHERE), permission("tcp", 443, cidr=ANYWHERE)
NO_SSH = {"TCP 22 from 0.0.0.0/0": "no evidence"}


def test_a_rule_that_an_accepted_request_needed_is_used():
    assert status(server(SSH, WEB), log(served(STRANGER, SERVER, 443))) == NO_SSH


def test_refused_requests_and_replies_are_no_use():
    lines = [
        served(STRANGER, SERVER, 443),
        record(STRANGER, SERVER, 22, action="REJECT"),
        # eni-2 asks somebody from port 40000; the reply comes in from port 22 and goes to port 40000
        record(SERVER, STRANGER, 22, way="egress"),
        record(STRANGER, SERVER, 40_000, src_port=22, flags=18),
    ]
    high = permission("tcp", 40_000, cidr=ANYWHERE)
    out = [permission("tcp", 22, cidr=ANYWHERE)]
    assert status(server(SSH, WEB, high, out=out), log(*lines)) == NO_SSH | {"TCP 40000 from 0.0.0.0/0": "no evidence"}


def test_the_source_is_compared_too():
    near = permission("tcp", 443, cidr="10.0.0.0/16")
    found = status(server(near, WEB), log(served(STRANGER, SERVER, 443)))
    assert found == {"TCP 443 from 10.0.0.0/16": "no evidence"}


def test_an_outbound_rule_is_about_the_port_that_is_asked_at():
    out = [permission("tcp", 443, cidr=ANYWHERE), permission("tcp", 8080, cidr=ANYWHERE)]
    lines = [
        record(SERVER, STRANGER, 443, src_port=8080, way="egress"),
        record(STRANGER, SERVER, 8080, src_port=443, flags=18),
    ]
    assert status(server(out=out), log(*lines)) == {"TCP 8080 to 0.0.0.0/0": "no evidence"}


def test_which_end_asked_is_told_by_flags_and_not_by_the_larger_port():
    high, low = permission("tcp", 60_000, cidr=ANYWHERE), permission("tcp", 1025, cidr=ANYWHERE)
    lines = served(STRANGER, SERVER, 60_000, src_port=1025)
    assert status(server(high, low), log(lines)) == {"TCP 1025 from 0.0.0.0/0": "no evidence"}


def test_all_rules_that_match_are_credited_and_an_overlap_is_said():
    topology = network(
        [eni(2, SERVER, "sg-s", "sg-t", subnet="subnet-b")],
        [
            group("sg-s", [WEB, permission("tcp", 443, cidr="203.0.113.0/24")]),
            group("sg-t", [permission("-1", cidr=ANYWHERE)]),
        ],
    )
    table = topology.unused_rules(log(served(STRANGER, SERVER, 443), served(STRANGER, SERVER, 80))).set_index("text")
    # The rule for all traffic was needed, for port 80; each of the others could go, as long as that one stays.
    assert table["status"].to_dict() == {
        "TCP 443 from 0.0.0.0/0": "overlapped",
        "TCP 443 from 203.0.113.0/24": "overlapped",
    }
    assert table.loc["TCP 443 from 0.0.0.0/0", "overlapped_by"] == ["sg-s, inbound rule 2", "sg-t, inbound rule 1"]


def test_the_real_address_behind_a_gateway_counts():
    mine = permission("tcp", 443, cidr="203.0.113.0/24")
    balancer = permission("tcp", 443, cidr="10.0.1.0/24")
    lines = [record(CLIENT, SERVER, 443, really=(STRANGER, SERVER))]
    assert status(server(mine, balancer), log(*lines)) == {"TCP 443 from 10.0.1.0/24": "no evidence"}


def test_a_connection_that_began_before_the_log_is_use_of_its_rule():
    lines = [
        record(STRANGER, SERVER, 22, flags=0),
        record(SERVER, STRANGER, 40_000, src_port=22, way="egress", flags=0),
    ]
    assert status(server(SSH), log(*lines)) == {}


def test_ipv6_has_rules_of_its_own():
    topology = network(
        [eni(2, "2001:db8:0:2::4", "sg-s", subnet="subnet-b")],
        [group("sg-s", [WEB, permission("tcp", 443, cidr="::/0")])],
    )
    lines = served("2001:db8:ffff::7", "2001:db8:0:2::4", 443)
    assert status(topology, log(lines)) == {"TCP 443 from 0.0.0.0/0": "no evidence"}


def test_every_icmp_message_may_be_use_of_a_rule_about_icmp():
    ping = permission("icmp", 8, 0, cidr=ANYWHERE)
    lines = [record(STRANGER, SERVER, 0, src_port=0, protocol=1, flags=0)]
    assert status(server(ping, SSH), log(*lines)) == NO_SSH


def test_what_was_seen_when_stands_beside_and_nothing_is_called_safe():
    day = 86_400
    lines = [served(STRANGER, SERVER, 443, start=NOON + n * day) for n in (0, 0, 3)]
    wide = permission("tcp", 443, cidr="203.0.0.0/16")
    table = server(WEB, wide, SSH).unused_rules(log(*lines)).set_index("text")
    row = table.loc["TCP 443 from 203.0.0.0/16"]
    assert (row["requests"], row["active_days"]) == (3, 2)
    assert row["last_seen"] == pd.Timestamp(NOON + 3 * day + 60, unit="s", tz="UTC")
    assert row["window_first"] == pd.Timestamp(NOON, unit="s", tz="UTC")
    assert row["window_last"] == row["last_seen"]
    assert pd.isna(table.loc["TCP 22 from 0.0.0.0/0", "last_seen"])
    assert not table.astype(str).apply(lambda column: column.str.contains("safe|delete")).any(axis=None)


@pytest.mark.parametrize(
    ("rule", "caution"),
    [
        (permission("tcp", 22, cidr=ANYWHERE), "Remote logins"),
        (permission("icmp", 3, 4, cidr=ANYWHERE), "ICMP errors"),
        (permission("udp", 53, cidr=ANYWHERE), "Amazon resolver"),
        (permission("udp", 123, cidr="169.254.169.123/32"), "on the link of the host"),
        (permission("tcp", 8080, cidr=ANYWHERE), None),
        (permission("-1", cidr="10.7.0.0/16"), None),
        (permission("tcp", 0, 65_535, cidr="10.7.0.0/16"), None),
    ],
)
def test_what_may_need_a_rule_nevertheless_is_said(rule, caution):
    table = server(rule).unused_rules(log(record(STRANGER, SERVER, 9)))
    said = table["caution"].iloc[0]
    assert pd.isna(said) if caution is None else caution in said


def test_an_interface_that_is_not_in_the_log_is_no_evidence_of_silence():
    others = [eni(3, "10.0.1.7", "sg-s"), eni(4, "10.0.1.8", "sg-x")]
    topology = server(SSH, others=others, groups=[group("sg-x", [SSH])])
    table = topology.unused_rules(log(served(STRANGER, SERVER, 443))).set_index("security_group")
    assert table["status"].to_dict() == {"sg-s": "no evidence", "sg-x": "not logged"}
    assert table.loc["sg-s", "interfaces"] == ["eni-2", "eni-3"]
    assert table.loc["sg-s", "not_logged"] == ["eni-3"]


def test_a_rule_of_which_the_topology_does_not_know_the_peer_is_not_called_unused():
    lists = [permission("tcp", 443, prefix_list="pl-1"), permission("tcp", 22, prefix_list="pl-1")]
    topology = server(*lists, permission("tcp", 443, group="sg-9"), WEB)
    assert status(topology, log(served(STRANGER, SERVER, 443))) == {
        "TCP 443 from pl-1": "unknown",
        "TCP 443 from sg-9": "unknown",
        "TCP 22 from pl-1": "no evidence",
    }


LOST = "eni-2 - - - - - - - {0} {1} - SKIPDATA - - - -"


@pytest.mark.parametrize("ask", ["unused_rules", "suggest_rules"])
def test_a_log_that_cannot_tell_what_was_not_used_is_refused(ask):
    ask = getattr(server(SSH), ask)
    lost = log(served(STRANGER, SERVER, 22), LOST.format(NOON, NOON + 60))
    with pytest.raises(ValueError, match=r"records of 1 windows were lost \(SKIPDATA\)"):
        ask(lost)
    with pytest.raises(ValueError, match="holds none"):
        ask(log(record(STRANGER, SERVER, 22, action="REJECT")))
    with pytest.raises(fl.MissingFieldError, match="log-status"):
        ask(log(served(STRANGER, SERVER, 22)).drop(columns="log_status"))
    with pytest.raises(ValueError, match="as many as a query of Logs Insights"):
        ask(log([record(STRANGER, SERVER, 22)] * 10_000))


# Suggestions


def suggestions(topology, df):
    table = topology.suggest_rules(df)
    return {row.text: row.suggestion for row in table.itertuples() if row.security_group == "sg-s"}


def test_a_wide_rule_becomes_what_it_was_used_for():
    wide = permission("-1", cidr=ANYWHERE)
    df = log(
        served(CLIENT, SERVER, 443),
        served(STRANGER, SERVER, 443),
        served("203.0.113.10", SERVER, 5432),
    )
    assert suggestions(server(wide), df) == {
        "all traffic from 0.0.0.0/0": [
            "TCP 443 from sg-c",
            "TCP 443 from 203.0.113.9/32",
            "TCP 5432 from 203.0.113.10/32",
        ]
    }
    row = server(wide).suggest_rules(df).iloc[0]
    assert (row["allowed_before"], row["allowed_after"]) == (2**32 * 256 * 65_536, 3)
    assert (row["requests"], row["peers"], row["left_out"], row["active_days"]) == (3, 3, 0, 1)
    assert [call["api"] for call in row["calls"]] == [
        "authorize-security-group-ingress",
        "revoke-security-group-ingress",
    ]
    assert row["calls"][1]["IpPermissions"] == [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]


def test_a_rule_that_is_narrow_already_stays():
    assert suggestions(server(permission("tcp", 443, group="sg-c")), log(served(CLIENT, SERVER, 443))) == {}
    assert suggestions(server(permission("tcp", 443, cidr="10.0.1.4/32")), log(served(CLIENT, SERVER, 443))) == {}
    # Without any use there is nothing to go by.
    assert suggestions(server(WEB), log(record(STRANGER, SERVER, 80, action="ACCEPT"))) == {}


def test_who_got_nothing_is_left_out():
    scanner, handshake = "198.51.100.66", {"packets": 1, "size": 44}
    scan = [
        record(scanner, SERVER, 22, **handshake),
        record(SERVER, scanner, 40_000, src_port=22, way="egress", flags=18, **handshake),
    ]
    silent = [record("198.51.100.67", SERVER, 22, packets=3, size=60)]
    df = log(served(STRANGER, SERVER, 22), scan, silent)
    assert suggestions(server(SSH), df) == {"TCP 22 from 0.0.0.0/0": ["TCP 22 from 203.0.113.9/32"]}
    assert server(SSH).suggest_rules(df)["left_out"].tolist() == [2]


def test_datagrams_that_nobody_answers_are_use_where_they_come_again():
    syslog = permission("udp", 514, cidr=ANYWHERE)
    again = record(STRANGER, SERVER, 514, protocol=17, flags=0, packets=9)
    once = record("203.0.113.10", SERVER, 514, protocol=17, flags=0, packets=1)
    assert suggestions(server(syslog), log(again, once)) == {"UDP 514 from 0.0.0.0/0": ["UDP 514 from 203.0.113.9/32"]}


def test_many_addresses_stay_one_rule_and_many_ports_one_span():
    wide = permission("tcp", 0, 65_535, cidr=ANYWHERE)
    many = log(*(served(f"203.0.113.{n}", SERVER, 443) for n in range(1, 12)))
    assert suggestions(server(wide), many) == {"TCP all ports from 0.0.0.0/0": ["TCP 443 from 0.0.0.0/0"]}
    few = log(*(served(f"203.0.113.{n}", SERVER, 443) for n in range(1, 11)))
    assert len(suggestions(server(wide), few)["TCP all ports from 0.0.0.0/0"]) == 10
    ports = log(*(served(STRANGER, SERVER, 8000 + n) for n in range(5)))
    assert len(suggestions(server(wide), ports)["TCP all ports from 0.0.0.0/0"]) == 5
    ports = log(*(served(STRANGER, SERVER, 8000 + n) for n in range(6)))
    assert suggestions(server(wide), ports) == {"TCP all ports from 0.0.0.0/0": ["TCP 8000-8005 from 203.0.113.9/32"]}


def test_a_group_is_only_suggested_where_the_wide_rule_allows_all_its_members():
    subnet_only = permission("tcp", 0, 65_535, cidr="10.0.1.0/24")
    elsewhere = [eni(5, "10.0.2.9", "sg-c", subnet="subnet-b")]
    df = log(served(CLIENT, SERVER, 443))
    assert suggestions(server(subnet_only), df) == {"TCP all ports from 10.0.1.0/24": ["TCP 443 from sg-c"]}
    wider = server(subnet_only, others=elsewhere)
    assert suggestions(wider, df) == {"TCP all ports from 10.0.1.0/24": ["TCP 443 from 10.0.1.4/32"]}


@pytest.mark.parametrize(
    ("instead", "is_proposed"),
    [
        ("203.0.113.9/32", True),
        ("203.0.113.10/32", False),  # what was served would be cut
        ("203.0.112.0/23", False),  # what was refused would pass
    ],
)
def test_a_suggestion_that_the_replay_does_not_prove_is_none(monkeypatch, instead, is_proposed):
    monkeypatch.setattr(
        "flowlens.advice.suggested.narrower", lambda _topology, rule, _used: [replace(rule, peer=instead)]
    )
    df = log(served(STRANGER, SERVER, 443), record("203.0.112.1", SERVER, 443, action="REJECT"))
    topology = server(permission("tcp", 443, cidr="203.0.113.0/24"))
    assert bool(suggestions(topology, df)) == is_proposed


def test_groups_of_which_only_the_rules_were_described_get_suggestions_too():
    listed = [flat("sgr-1", "sg-s", "tcp", 0, 65_535, CidrIpv4=ANYWHERE)]
    topology = network([eni(2, SERVER, "sg-s", subnet="subnet-b")], SecurityGroupRules=listed)
    table = topology.suggest_rules(log(served(STRANGER, SERVER, 443)))
    assert table["rule"].tolist() == ["sgr-1"]
    assert table["suggestion"].tolist() == [["TCP 443 from 203.0.113.9/32"]]


def test_who_else_carries_the_group_is_said():
    topology = server(WEB, others=[eni(3, "10.0.1.7", "sg-s")])
    row = topology.suggest_rules(log(served(STRANGER, SERVER, 443))).iloc[0]
    assert (row["interfaces"], row["without_evidence"]) == (["eni-2"], ["eni-3"])


PEERS = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "UserIdGroupPairs": "GroupId", "PrefixListIds": "PrefixListId"}


def same(one, other):
    def told(rule):
        peers = tuple((key, each[name]) for key, name in PEERS.items() for each in rule.get(key, ()))
        return rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), peers

    return told(one) == told(other)


def applied(documents, calls):
    """Do to documents what the API would do."""
    after = copy.deepcopy(documents)
    for call in calls:
        (target,) = (each for each in after["SecurityGroups"] if each["GroupId"] == call["GroupId"])
        key = "IpPermissions" if call["api"].endswith("ingress") else "IpPermissionsEgress"
        if call["api"].startswith("authorize"):
            target[key] += call["IpPermissions"]
        else:
            (gone,) = call["IpPermissions"]
            left = [each for each in target[key] if not same(each, gone)]
            assert len(left) == len(target[key]) - 1
            target[key] = left
    return after


def replayed(documents, df):
    """Return a topology as it is, and as it would be with all suggestions; and the suggestions."""
    before = fl.Topology.from_describe(documents)
    table = before.suggest_rules(df)
    assert (table["allowed_after"] < table["allowed_before"]).all()
    after = fl.Topology.from_describe(applied(documents, [call for calls in table["calls"] for call in calls]))
    return before, after, table


def answers(df, before, after):
    """Yield each distinct request of a log with what the groups say to it before and after."""
    told = df.flow.add_direction(topology=before)
    told = told[told["action"].notna() & (told["initiator"] != "dst")]
    columns = ["interface_id", "direction", "protocol", "remote", "dstport"]
    for interface, direction, protocol, remote, port in told[columns].drop_duplicates().itertuples(index=False):
        header = Header(int(protocol), remote, int(port) if protocol in {TCP, UDP} else None)
        yield tuple(
            each.rules.of_groups(each.interfaces[interface], egress=direction == "egress", header=header).outcome
            for each in (before, after)
        )


def test_a_replay_of_the_sample_lets_all_pass_that_was_served_and_nothing_that_was_refused():
    df = fl.sample().flow.select(time=("2026-03-10", "2026-03-10 12:00"))
    sample = fl.simulate(hours=0.1).topology
    documents = {section: items for document in sample.values() for section, items in document.items()}
    before, after, table = replayed(documents, df)
    pairs = list(answers(df, before, after))
    assert len(pairs) > 1_000
    assert len(table) == 14
    # What is lost was let in and got no data: it is counted, not forgotten.
    lost = [pair for pair in pairs if pair[0] is Outcome.ALLOW and pair[1] is not Outcome.ALLOW]
    assert 0 < len(lost) <= table["left_out"].sum()
    assert not [pair for pair in pairs if pair[0] is Outcome.DENY and pair[1] is not Outcome.DENY]


@given(busy_worlds())
@settings(max_examples=25)
def test_suggestions_keep_what_was_answered_and_open_nothing(world):
    simulation = simulate(world, hours=0.05)
    df = simulation.records
    assume((df["action"] == "ACCEPT").any())
    before, after, _ = replayed(documents_of(world), df)
    for was, is_now in answers(df, before, after):
        assert was is not Outcome.DENY or is_now is Outcome.DENY
    # Every host of these worlds answers datagrams, so that what nothing blocked was served.
    truth = simulation.truth
    for row in truth[(truth["protocol"] == UDP) & truth["blocked_by"].isna()].itertuples():
        for near, far, egress in ((row.initiator, row.responder, True), (row.responder, row.initiator, False)):
            (interface,) = after.at(near)
            header = Header(UDP, far, int(row.responder_port))
            assert after.rules.of_groups(interface, egress=egress, header=header).outcome is Outcome.ALLOW
