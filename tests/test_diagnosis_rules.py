"""Diagnoses with the rules of a topology: right about the filter, and about what opens the way and nothing else."""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from functools import cache

import pandas as pd
import pytest
from applied import (
    BESIDE_THE_ARGUMENTS,
    after,
    arguments,
    blockers,
    covers,
    is_narrow,
    planned,
    refused_by_rules,
    routes,
)
from diagnosis_contract import LAYERS, assert_consistent
from flow_lines import ADDRESS, log
from judging import LAYOUTS, judge, rows_with_truth, seen_in
from worlds import HOURS, random_world

import flowlens as fl
from flowlens.simulate import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    AclEntry,
    Conversation,
    Interface,
    NetworkAcl,
    Rule,
    SecurityGroup,
    Simulation,
    Subnet,
    World,
    simulate,
)

#: How many conversations each world plans; from 200 on answers take other interfaces.
SIZES = {0: 200, 2: 300, 4: 200, 13: 300, 31: 500, 33: 500, 34: 500}
CROSSED = {200: 300, 204: 300, 206: 300, 228: 500, 229: 500}
INTERVALS = (60, 600)
LOGS = (
    *itertools.product((0, 4, 200), INTERVALS, LAYOUTS),
    # What has been wrong: pings both ways, ports the other way round, records that were lost, answers beside requests.
    (2, 600, "29 fields"), (13, 60, "default"), (31, 60, "29 fields"), (33, 60, "29 fields"), (34, 60, "29 fields"),
    (204, 60, "without pkt"), (206, 60, "29 fields"), (228, 60, "29 fields"), (229, 600, "29 fields"),
)  # fmt: skip
OF_STATE = {"LATE_PACKET", "CONNTRACK_EXPIRED", "SG_STATE"}
RULE_COLUMNS = ["blocked_by", "surfaces_after_fix", "fix", "aws_code"]
#: https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
AWS_CODES = {"ENI_SG_RULES_MISMATCH", "SG_HAS_NO_RULES", "SUBNET_ACL_RESTRICTION", "ELB_ACL_RESTRICTION",
             "VPC_BLOCK_PUBLIC_ACCESS_ENABLED"}  # fmt: skip


@cache
def played(seed: int, interval: int = 60, size: int = 0) -> Simulation:
    conversations = size or (SIZES | CROSSED)[seed]
    world = random_world(seed, conversations=conversations, asymmetric=seed in CROSSED)
    return simulate(world, seed=seed, hours=HOURS, interval=interval)


@cache
def rules_of(sim_key: tuple[int, int, int]) -> fl.Topology:
    return fl.Topology.from_describe(played(*sim_key).topology)


def is_icmp(row) -> bool:
    return row.protocol in {ICMP, ICMPV6}


# --- certain is right, and nearly everything is certain ---------------------------------------------------------------


@pytest.mark.parametrize(("seed", "interval", "layout"), LOGS)
def test_with_all_rules_the_verdict_is_the_truth(seed, interval, layout):
    sim, topology = played(seed, interval), rules_of((seed, interval, 0))
    judged = judge(sim, layout, interval=interval, topology=topology)
    assert not judged.broken, "\n".join(judged.broken[:20])
    words = {verdict for verdict, _ in judged.rows}
    assert not words & {"CONFIG_DISAGREES", "SG_IN_UNRESOLVED", "INSUFFICIENT_DATA", "RULE_CHANGED"}, judged.rows
    assert not {word for word in words if word.startswith("SG_OR_NACL")}, judged.rows
    # By flags, who is request and who is reply can be seen; without them two filters that refuse both may be meant. Of
    # pings that is never seen.
    others = judged.refused - judged.pings
    assert others["certain"] / others.total() >= (0.9 if layout != "default" else 0.7), judged.refused


@pytest.mark.parametrize(
    ("seed", "interval", "layout"),
    [*itertools.product((0,), INTERVALS, LAYOUTS), (4, 60, "29 fields"), (4, 60, "default")],
)
def test_the_true_filter_comes_first(seed, interval, layout):
    wrong, count = [], Counter()
    sim, topology = played(seed, interval), rules_of((seed, interval, 0))
    for row, refusals, names in rows_with_truth(sim, layout, interval=interval, topology=topology):
        causes = {refused.refusal.cause for refused in refusals}
        if not refusals:
            continue  # the window in which it began was lost
        if len(names) == 1 and row.candidates[:1] != (*names,):
            count[row.certainty] += 1
            if row.certainty == "certain":
                wrong.append(f"{names}: {row}")
        elif row.certainty == "certain" and causes <= {"closed", "expired"}:
            # The security group it is in any case; why it did not know the connection, flags and order tell.
            told = row.verdict in OF_STATE or (layout == "default" and row.verdict in LAYERS)
            wrong += [] if told or not is_tcp_with_flags(row, layout) else [f"{causes}: {row}"]
        count["right"] += 1
    assert not wrong, "\n".join(map(str, wrong[:10]))
    assert count["likely"] <= 0.1 * count["right"], count


def is_tcp_with_flags(row, layout) -> bool:
    return row.protocol == TCP and layout != "default"


# --- a fix opens the way and nothing else -----------------------------------------------------------------------------

SMALL = dict.fromkeys((0, 1, 2, 4, 10), 100)


@pytest.mark.parametrize(
    ("seed", "layout"), [(0, "default"), (1, "default"), (2, "29 fields"), (4, "29 fields"), (10, "29 fields")]
)
def test_every_fix_opens_the_way_and_nothing_else(seed, layout):
    size = SMALL[seed]
    sim, topology = played(seed, 60, size), rules_of((seed, 60, size))
    ways = routes(sim, seed=seed, hours=HOURS)
    before, touched = refused_by_rules(sim), {refused.conversation for refused in sim.refusals}
    replayed: dict[str, Simulation] = {}
    proposed = 0
    for row, refusals, _ in rows_with_truth(sim, layout, interval=60, topology=topology):
        if not row.fix:
            continue
        proposed += 1
        calls = arguments(row.fix)
        assert not any(anybody in json.dumps(calls) for anybody in ("0.0.0.0/0", "::/0"))
        key = json.dumps(calls)
        if key not in replayed:
            again = simulate(after(sim.world, calls), seed=seed, hours=HOURS, interval=60)
            replayed[key] = again
            now = refused_by_rules(again)
            opened = [number for number, at in before.items() if now.get(number) != at]
            beside = [
                number
                for number in opened
                if not any(covers(call, hop, sim.world) for call in calls for way in ways[number] for hop in way)
            ]
            assert not beside, f"{calls} opens {[planned(sim, seed=seed, hours=HOURS)[n] for n in beside]}"
            assert not now.keys() - touched, f"{calls} closes conversations"
        if is_icmp(row) and row.certainty != "certain":
            continue  # request or reply, of two pings: it is open for one of them
        still = refused_by_rules(replayed[key])
        # Apart from TCP, what comes when the state has expired is as good as new.
        own = {each.conversation for each in refusals if each.refusal.cause == "rules" or row.protocol != TCP}
        assert own, f"opened although no rules refused it: {row}"
        for call in calls:
            assert any(is_narrow(call, *ways[number], sim.world) for number in own), f"{call} for {row}"
        assert not own & still.keys(), f"{calls}: {[still[n] for n in own & still.keys()]}, {row}"
    assert proposed >= 5


@pytest.mark.parametrize("seed", SMALL)
def test_a_fix_is_proposed_where_one_may_be_and_nowhere_else(seed):
    size = SMALL[seed]
    sim, topology = played(seed, 60, size), rules_of((seed, 60, size))
    ways, count = routes(sim, seed=seed, hours=HOURS), Counter()
    homes = {address for i in sim.world.interfaces for address in (i.address, i.address6) if address}
    for row, refusals, _ in rows_with_truth(sim, "29 fields", interval=60, topology=topology):
        by_rules = [each for each in refusals if each.refusal.cause == "rules" or row.protocol != TCP]
        if not refusals:
            continue  # the window in which it began was lost
        if row.verdict not in LAYERS:
            assert (row.fix, row.surfaces_after_fix) == ([], []), row
            count["state"] += 1
            continue
        if is_icmp(row) and row.certainty != "certain":
            continue
        (number,) = {refused.conversation for refused in by_rules[:1]}
        found = blockers(sim.world, *ways[number])
        explicit = [entry for _, _, entry in found if entry is not None and entry < 32_767]
        asked_from_outside = ways[number][0][0].key.pkt_srcaddr not in homes
        through_nat = any(hop.interface.kind == "nat_gateway" for way in ways[number] for hop in way)
        if explicit and row.fix:
            # A gateway's network ACL is on the way only perhaps, as far as a topology without routes tells.
            assert through_nat, row
        elif explicit:
            count["on purpose"] += 1
            unasked = asked_from_outside and row.direction == "ingress"
            assert through_nat or unasked or any(f"Rule {entry} " in row.why for entry in explicit), row.why
        elif asked_from_outside and row.direction == "ingress":
            assert not row.fix, f"unsolicited: {row}"
            count["unsolicited"] += 1
        elif not through_nat:
            assert row.fix, f"nothing is proposed against {found}: {row}"
            count["opened"] += 1
    assert count["opened"] >= 5, count
    assert count.total() >= 20, count


def test_scans_are_not_opened_in_either_scope():
    sim, topology = played(200, 60), rules_of((200, 60, 0))
    for scope in ("internal", "all"):
        table = seen_in(sim, "29 fields").flow.diagnose(topology=topology, scope=scope)
        own = {address for i in sim.world.interfaces for address in (i.address, i.address6) if address}
        outside = ~table["srcaddr"].isin(own) & (table["direction"] == "ingress")
        # Where more of it was accepted, somebody here talks to them.
        accepted = set(sim.records.index[sim.records["action"] == "ACCEPT"])
        alone = table["records"].map(accepted.isdisjoint).astype(bool)
        unasked = outside & table["verdict"].isin(LAYERS) & (alone | table["srcaddr"].isna())
        assert unasked.sum() >= (1 if scope == "internal" else 20)
        crowds = table[unasked & table["srcaddr"].isna()] if scope == "internal" else table[unasked]
        assert (crowds["fix"].map(len) == 0).all()


# --- several filters on one way ---------------------------------------------------------------------------------------

ANY = "0.0.0.0/0"
OPEN = (AclEntry(number=100, action="allow", protocol=ALL, cidr=ANY),)
#: In the order of the packets: what a connection from A in subnet 1 to B in subnet 2 meets there and back.
WAY = ("SG_OUT@eni-a", "NACL_OUT@subnet-1", "NACL_IN@subnet-2", "SG_IN@eni-b", "NACL_OUT@subnet-2", "NACL_IN@subnet-1")
#: Which of them stand at one interface and see the same packet.
STOPS = {name: place // 2 if place < 4 else place for place, name in enumerate(WAY)}
SUBSETS = [found for count in (1, 2, 5, 6) for found in itertools.combinations(WAY, count)]
#: The two that one outbound, or inbound, network ACL of a subnet decides have different ports.
REQUEST_PORT, CLIENT_PORT = 443, 40_000


def two_hosts(closed: tuple[str, ...]) -> World:
    """A asks B once; of the filters between them some are closed."""

    def entries(request: str, reply: str, *, peer: str) -> tuple[AclEntry, ...]:
        ports = [(REQUEST_PORT, REQUEST_PORT)] * (request not in closed) + [(1_024, 65_535)] * (reply not in closed)
        return tuple(
            AclEntry(number=100 + place, action="allow", protocol=TCP, cidr=peer, ports=each)
            for place, each in enumerate(ports)
        )

    def group(name: str, *, opened: bool, side: str) -> SecurityGroup:
        rule = (Rule(protocol=TCP, peer=ANY, ports=(REQUEST_PORT, REQUEST_PORT)),) if opened else ()
        return SecurityGroup(id=name, name=name, **{side: rule})

    one, two = "10.0.1.0/24", "10.0.2.0/24"
    zone = {"az": "x-1a", "az_id": "x1-az1"}
    return World(
        cidr="10.0.0.0/16",
        subnets=(
            Subnet(id="subnet-1", name="one", cidr=one, network_acl="acl-1", **zone),
            Subnet(id="subnet-2", name="two", cidr=two, network_acl="acl-2", **zone),
        ),
        network_acls=(
            NetworkAcl(id="acl-1", name="one", egress=entries("NACL_OUT@subnet-1", "", peer=two)[:1]
                       if "NACL_OUT@subnet-1" not in closed else (),
                       ingress=() if "NACL_IN@subnet-1" in closed else OPEN),
            NetworkAcl(id="acl-2", name="two", egress=() if "NACL_OUT@subnet-2" in closed else OPEN,
                       ingress=() if "NACL_IN@subnet-2" in closed else OPEN),
        ),
        security_groups=(
            group("sg-a", opened="SG_OUT@eni-a" not in closed, side="egress"),
            group("sg-b", opened="SG_IN@eni-b" not in closed, side="ingress"),
        ),
        interfaces=(
            Interface(id="eni-a", name="a", subnet="subnet-1", address="10.0.1.5", security_groups=("sg-a",),
                      instance="i-a"),
            Interface(id="eni-b", name="b", subnet="subnet-2", address="10.0.2.6", security_groups=("sg-b",),
                      instance="i-b"),
        ),
        traffic=(
            Conversation(start=60.0, initiator="eni-a", responder="eni-b", responder_port=REQUEST_PORT,
                         initiator_port=CLIENT_PORT, bytes_up=100, bytes_down=900),
        ),
    )  # fmt: skip


def named(blocker: dict) -> str:
    """A blocker as LAYER@id."""
    side = {"ingress": "IN", "egress": "OUT"}[blocker["direction"]]
    if blocker["layer"] == "security_group":
        return f"SG_{side}@{blocker['eni']}"
    return f"NACL_{side}@{blocker['subnet']}"


def first_refusal(sim: Simulation) -> str | None:
    return next((f"{r.refusal.layer}@{r.refusal.filter_at}" for r in sim.refusals), None)


@pytest.mark.parametrize("closed", SUBSETS, ids=" ".join)
def test_filters_surface_one_after_the_other_in_the_order_named(closed):
    world = two_hosts(closed)
    sim = simulate(world, hours=0.1)
    assert first_refusal(sim) == closed[0]
    topology = fl.Topology.from_describe(sim.topology)
    (row,) = sim.records.flow.diagnose(topology=topology).itertuples()
    here = [name for name in closed if STOPS[name] == STOPS[closed[0]]]
    assert (row.certainty, row.candidates) == ("certain", (closed[0],))
    assert [named(each) for each in row.blocked_by] == here
    assert [named(each) for each in row.surfaces_after_fix] == [name for name in closed if name not in here]
    calls = arguments(row.fix)
    assert len(calls) == len(closed)
    for done in range(1, len(calls) + 1):
        again = simulate(after(world, calls[:done]), hours=0.1)
        assert first_refusal(again) == (closed[done] if done < len(closed) else None)
    (about,) = (
        sim.records.flow.diagnose_conversation("10.0.1.5", "10.0.2.6", dst_port=REQUEST_PORT, topology=topology)
        .query("verdict == @row.verdict")
        .itertuples()
    )
    assert [getattr(about, name) for name in RULE_COLUMNS] == [getattr(row, name) for name in RULE_COLUMNS]


# --- topologies that lack something, or are wrong ---------------------------------------------------------------------


def documents_of(sim: Simulation) -> dict:
    """What the CLI prints, all in one document."""
    return {section: items for document in copy.deepcopy(sim.topology).values() for section, items in document.items()}


def without(*sections):
    return lambda found: {section: items for section, items in found.items() if section not in sections}


def half(section):
    def cut(found):
        return without("SecurityGroupRules")(found) | {section: found[section][::2]}

    return cut


def behind_prefix_lists(found: dict, *, entries: bool) -> dict:
    """The same rules with their CIDRs in prefix lists, whose entries may not be known."""
    lists = {}
    for group in found["SecurityGroups"]:
        for permission in (*group["IpPermissions"], *group["IpPermissionsEgress"]):
            for cidr in (*permission["IpRanges"], *permission["Ipv6Ranges"]):
                text = cidr.get("CidrIp") or cidr["CidrIpv6"]
                id_ = lists.setdefault(text, f"pl-{len(lists)}")
                permission["PrefixListIds"].append({"PrefixListId": id_})
            permission["IpRanges"], permission["Ipv6Ranges"] = [], []
    told = [{"PrefixListId": id_, "Cidrs": [text]} for text, id_ in lists.items()]
    return without("SecurityGroupRules")(found) | ({"PrefixLists": told} if entries else {})


def without_members(found: dict) -> dict:
    """Nobody of the group sg-0 is known, except by the rules that refer to it."""
    kept = [i for i in found["NetworkInterfaces"] if "sg-0" not in {group["GroupId"] for group in i["Groups"]}]
    return found | {"NetworkInterfaces": kept}


PARTS = {
    "interfaces": without("NetworkInterfaces"),
    "half of the interfaces": half("NetworkInterfaces"),
    "subnets": without("Subnets"),
    "VPCs": without("Vpcs"),
    "subnets and VPCs": without("Subnets", "Vpcs"),
    "security groups": without("SecurityGroups", "SecurityGroupRules"),
    "half of the security groups": half("SecurityGroups"),
    "network ACLs": without("NetworkAcls"),
    "half of the network ACLs": half("NetworkAcls"),
    "entries of prefix lists": lambda found: behind_prefix_lists(found, entries=False),
    "members of a referenced group": without_members,
}
#: The other one of two documents says the same.
SAME = {
    "flat rules": without("SecurityGroupRules"),
    "groups beside flat rules": without("SecurityGroups"),
    "prefix lists with entries": lambda found: behind_prefix_lists(found, entries=True),
}
STRENGTH = {"certain": 3, "likely": 2, "ambiguous": 1, "none": 0}
KEY = ["interface_id", "direction", "protocol", "srcaddr", "srcport", "dstaddr", "dstport", "first"]
PARTIAL = {2: 80, 4: 120}


def diagnosed(sim: Simulation, layout: str, documents: dict | None) -> pd.DataFrame:
    topology = None if documents is None else fl.Topology.from_describe(documents)
    table = seen_in(sim, layout).flow.diagnose(topology=topology, scope="all")
    return table.set_index(KEY).sort_index()


@cache
def with_everything(seed: int, layout: str) -> pd.DataFrame:
    sim = played(seed, 60, PARTIAL[seed])
    return diagnosed(sim, layout, documents_of(sim))


def layers(row) -> set[str]:
    return {name.partition("@")[0] for name in row.candidates}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("seed", "layout"), [(2, "29 fields"), (4, "default")])
def test_less_known_never_makes_it_wrong(seed, part, layout):
    sim = played(seed, 60, PARTIAL[seed])
    documents = PARTS[part](documents_of(sim))
    judged = judge(sim, layout, interval=60, topology=fl.Topology.from_describe(documents))
    assert not judged.broken, "\n".join(judged.broken[:20])
    assert not judged.rows["CONFIG_DISAGREES", "none"]
    whole, less = with_everything(seed, layout), diagnosed(sim, layout, documents)
    told = {**dict(zip(less.index, less.itertuples(index=False), strict=True))}
    for key, row in zip(whole.index, whole.itertuples(index=False), strict=True):
        if key not in told:
            assert "pkt_srcaddr" not in seen_in(sim, layout), key
            continue
        other = told[key]
        assert STRENGTH[other.certainty] <= STRENGTH[row.certainty], f"{row} and with less: {other}"
        assert layers(row) <= layers(other), f"{row} and with less: {other}"
        if STRENGTH[other.certainty] < STRENGTH[row.certainty]:
            missing = ("Not known: ", "The topology has no ")
            assert any(text in other.why for text in missing), f"does not say what is missing: {other.why}"


@pytest.mark.parametrize("part", SAME)
@pytest.mark.parametrize("seed", PARTIAL)
def test_the_same_rules_in_another_form_are_the_same(seed, part):
    sim = played(seed, 60, PARTIAL[seed])
    names = ["verdict", "certainty", "candidates", "excluded", "aws_code"]
    whole = with_everything(seed, "29 fields")[names]
    pd.testing.assert_frame_equal(diagnosed(sim, "29 fields", SAME[part](documents_of(sim)))[names], whole)


def renamed(found: dict) -> dict:
    """The same addresses on interfaces of other ids."""
    text = json.dumps(found)
    return json.loads(text.replace('"NetworkInterfaceId": "eni-', '"NetworkInterfaceId": "eni-other-'))


def elsewhere(found: dict) -> dict:
    """Another VPC: nothing of the log is in it."""
    text = json.dumps(found).replace('"10.', '"172.').replace("172.0.", "172.16.").replace("2001:db8:0", "2001:db9:0")
    for kind in ("eni-", "subnet-", "sg-", "acl-", "vpc-", "i-"):
        text = text.replace(f'"{kind}', f'"{kind}other-')
    return json.loads(text.replace("2001:db8::/56", "2001:db9::/56"))


@pytest.mark.parametrize("layout", ["29 fields", "default"])
@pytest.mark.parametrize("stranger", [renamed, elsewhere])
@pytest.mark.parametrize("seed", PARTIAL)
def test_the_topology_of_another_network_changes_no_verdict_and_is_noticed(seed, stranger, layout):
    sim = played(seed, 60, PARTIAL[seed])
    plain, strange = diagnosed(sim, layout, None), diagnosed(sim, layout, stranger(documents_of(sim)))
    names = ["verdict", "certainty", "candidates", "excluded"]
    pd.testing.assert_frame_equal(strange[names], plain[names])
    assert (strange["blocked_by"].map(len) + strange["fix"].map(len) == 0).all()
    for key, why in strange["why"].items():
        assert f"The topology has no {key[0]}" in why


def all_open(found: dict) -> dict:
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                   "PrefixListIds": [], "UserIdGroupPairs": []}]  # fmt: skip
    groups = [
        group | {"IpPermissions": everything, "IpPermissionsEgress": everything} for group in found["SecurityGroups"]
    ]
    entries = [
        {"RuleNumber": 100 + place, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", name: cidr}
        for place, (name, cidr) in enumerate((("CidrBlock", ANY), ("Ipv6CidrBlock", "::/0")))
        for egress in (False, True)
    ]
    acls = [acl | {"Entries": entries} for acl in found["NetworkAcls"]]
    return without("SecurityGroupRules")(found) | {"SecurityGroups": groups, "NetworkAcls": acls}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", PARTIAL)
def test_rules_that_allow_what_was_refused_disagree_with_the_log(seed, layout):
    sim = played(seed, 60, PARTIAL[seed])
    table = diagnosed(sim, layout, all_open(documents_of(sim)))
    # What comes after a close, or after a connection was forgotten, is refused whatever the rules.
    table = table[~table["verdict"].isin(["LATE_PACKET", "CONNTRACK_EXPIRED"])]
    assert set(table["verdict"]) == {"CONFIG_DISAGREES"}
    assert set(table["certainty"]) == {"none"}
    assert table["why"].str.contains("by the rules of the topology it would not have been").all()
    assert (table["blocked_by"].map(len) + table["fix"].map(len) + table["surfaces_after_fix"].map(len) == 0).all()
    assert table["aws_code"].isna().all()


HOME = {
    "NetworkInterfaces": [
        {"NetworkInterfaceId": f"eni-{name.lower()}", "VpcId": "vpc-1", "SubnetId": f"subnet-{home}",
         "PrivateIpAddress": ADDRESS[name], "Groups": [{"GroupId": f"sg-{name.lower()}"}]}
        for name, home in (("A", 1), ("B", 2), ("C", 2))
    ],
    "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
    "Subnets": [{"SubnetId": f"subnet-{n}", "VpcId": "vpc-1", "CidrBlock": f"10.0.{n}.0/24"} for n in (1, 2)],
}  # fmt: skip


def rules(*, groups_open: bool, into_subnet_2: list[dict], out_of_subnet_2: list[dict] | None = None) -> dict:
    """A topology of the hosts of `flow_lines` with these rules."""
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}] if groups_open else []
    allow = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": ANY}
    groups = [
        {"GroupId": f"sg-{name}", "VpcId": "vpc-1", "IpPermissions": everything,
         "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]}
        for name in "abc"
    ]  # fmt: skip
    acls = [
        {"NetworkAclId": f"acl-{n}", "VpcId": "vpc-1", "Associations": [{"SubnetId": f"subnet-{n}"}],
         "Entries": [*into, *([allow | {"Egress": True}] if out is None else out)]}
        for n, into, out in ((1, [allow | {"Egress": False}], None), (2, into_subnet_2, out_of_subnet_2))
    ]  # fmt: skip
    return HOME | {"SecurityGroups": groups, "NetworkAcls": acls}


def entry(number: int, action: str, *, egress: bool = False, protocol: str = "-1") -> dict:
    return {"RuleNumber": number, "Egress": egress, "Protocol": protocol, "RuleAction": action, "CidrBlock": ANY}


#: The network ACL lets the same values pass to a neighbour: the security group refused it, by the log alone.
PROVEN_GROUP = """+5 B in X:50000 > B:443 SYN REJECT
                  +20 C in X:50001 > C:443 SYN ACCEPT
                  +20 C out C:443 > X:50001 SYNACK ACCEPT"""
#: The security group let the request in: the network ACL refused the answer, by the log alone.
PROVEN_ACL = """+5 B in X:50000 > B:443 SYN ACCEPT
                +5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360"""


@pytest.mark.parametrize("groups_open", [True, False])
def test_a_network_acl_that_denies_what_it_let_pass_disagrees_with_the_log(groups_open):
    df, _ = log(PROVEN_GROUP)
    (plain,) = df.flow.diagnose(scope="all").itertuples()
    assert (plain.verdict, plain.certainty) == ("SG_IN", "certain")
    topology = fl.Topology.from_describe(rules(groups_open=groups_open, into_subnet_2=[entry(80, "deny")]))
    (row,) = df.flow.diagnose(topology=topology, scope="all").itertuples()
    assert (row.verdict, row.certainty, row.fix) == ("CONFIG_DISAGREES", "none", [])


def test_a_network_acl_that_allows_what_only_it_can_have_refused_disagrees_with_the_log():
    df, _ = log(PROVEN_ACL)
    (plain,) = df.flow.diagnose().itertuples()
    assert (plain.verdict, plain.certainty) == ("NACL_OUT", "certain")
    topology = fl.Topology.from_describe(rules(groups_open=True, into_subnet_2=[entry(100, "allow")]))
    (row,) = df.flow.diagnose(topology=topology).itertuples()
    assert (row.verdict, row.certainty, row.fix) == ("CONFIG_DISAGREES", "none", [])


@pytest.mark.parametrize(
    ("acl", "told"),
    [("allow", ("SG_IN", "likely", ("SG_IN@eni-b",))), ("deny", ("NACL_IN", "certain", ("NACL_IN@subnet-2",))),
     ("unknown", ("SG_IN", "likely", ("SG_IN@eni-b", "NACL_IN@subnet-2")))],
)  # fmt: skip
def test_that_the_same_groups_accepted_it_elsewhere_proves_nothing_against_their_rules(acl, told):
    # A had asked X on these ports, so that its group took the SYN for a part of that; B's refused its own.
    df, _ = log("""+5 B in X:50000 > B:443 SYN REJECT
                   +20 A in X:50001 > A:443 SYN ACCEPT""")
    found = rules(groups_open=False, into_subnet_2=[entry(90, acl)] if acl != "unknown" else [])
    ports = [each | {"Groups": [{"GroupId": "sg-a"}]} for each in found["NetworkInterfaces"]]
    acls = [each for each in found["NetworkAcls"] if acl != "unknown" or each["NetworkAclId"] != "acl-2"]
    topology = fl.Topology.from_describe(found | {"NetworkInterfaces": ports, "NetworkAcls": acls})
    (row,) = df.flow.diagnose(topology=topology, scope="all").itertuples()
    assert (row.verdict, row.certainty, row.candidates) == told


#: Nothing may leave B: neither its security group nor the network ACL has a rule for it.
CLOSED_OUT = rules(groups_open=True, into_subnet_2=[entry(100, "allow")], out_of_subnet_2=[])
CLOSED_OUT["SecurityGroups"][1]["IpPermissionsEgress"] = []


@pytest.mark.parametrize(
    ("around", "certainty"),
    [
        ("", "likely"),
        # The query may have come before the log begins.
        ("+290 B in Q:50000 > B:80 SYN ACCEPT", "likely"),
        ("+0 B in Q:50000 > B:80 SYN REJECT\n+290 B in Q:50000 > B:80 SYN ACCEPT", "certain"),
        ("+0 B in Q:50000 > B:80 SYN REJECT", "likely"),
    ],
    ids=["alone", "the log begins", "the log has it all", "refused traffic only"],
)
def test_a_reply_whose_request_may_not_be_in_the_log_is_not_called_a_request(around, certainty):
    # An answer, which the security group lets pass, and the network ACL refuses.
    df, _ = log(f"+300 B out B:53 > Q:40000 udp REJECT\n{around}")
    table = df.flow.diagnose(topology=fl.Topology.from_describe(CLOSED_OUT))
    (row,) = table[table["protocol"] == 17].itertuples()
    assert (row.verdict, row.certainty) == ("SG_OUT", certainty)
    assert ("NACL_OUT@subnet-2" in row.candidates) == (certainty == "likely")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("+5 B in Q:50000 > B:443 SYN REJECT", ("NACL_IN", "certain")),
        # Of a connection that was over, perhaps, which a security group refuses whatever its rules.
        ("+5 B in Q:50000 > B:443 RST REJECT", ("SG_OR_NACL_IN", "ambiguous")),
    ],
)
def test_a_network_acl_that_is_not_there_is_not_said_to_refuse(record, said):
    df, _ = log(record)
    found = rules(groups_open=True, into_subnet_2=[])
    (row,) = df.flow.diagnose(topology=fl.Topology.from_describe(found | {"NetworkAcls": []})).itertuples()
    assert (row.verdict, row.certainty) == said
    assert "By the rules the network ACL refuses it" not in row.why
    assert row.blocked_by == []


# --- what is not to be opened -----------------------------------------------------------------------------------------

ALLOWED = entry(100, "allow")


@pytest.mark.parametrize(
    ("records", "found", "verdict", "said"),
    [
        ("+5 B in A:40000 > B:443 SYN REJECT", rules(groups_open=True, into_subnet_2=[entry(80, "deny"), ALLOWED]),
         "NACL_IN", "Rule 80 "),
        # The first filter could be opened; the one behind it refuses on purpose.
        ("+5 B in A:40000 > B:443 SYN REJECT",
         rules(groups_open=False, into_subnet_2=[ALLOWED], out_of_subnet_2=[entry(70, "deny", egress=True)]),
         "SG_IN", "Rule 70 "),
        ("+5 B in X:50000 > B:443 SYN REJECT reject-reason=BPA", rules(groups_open=False, into_subnet_2=[ALLOWED]),
         "BPA", "Block Public Access"),
        ("+5 B in X:50000 > B:23 SYN REJECT", rules(groups_open=False, into_subnet_2=[ALLOWED]), "SG_IN", ""),
        ("""+5..8 A out A:40000 > X:443 SYN+FIN ACCEPT packets=9 bytes=900
            +5..8 A in X:443 > A:40000 SYNACK+FIN ACCEPT packets=8 bytes=4000
            +88 A in X:443 > A:40000 FIN REJECT bytes=52""", rules(groups_open=False, into_subnet_2=[ALLOWED]),
         "LATE_PACKET", "closed"),
    ],
    ids=["an explicit deny", "an explicit deny behind", "BPA", "a scan", "a late packet"],
)  # fmt: skip
def test_nothing_is_proposed_where_nothing_should_be_opened(records, found, verdict, said):
    df, _ = log(records)
    (row,) = df.flow.diagnose(topology=fl.Topology.from_describe(found)).itertuples()
    assert row.verdict == verdict, row.why
    assert row.fix == []
    assert said in row.why
    if verdict == "BPA":
        assert (row.blocked_by, row.aws_code) == ([], "VPC_BLOCK_PUBLIC_ACCESS_ENABLED")


def test_clients_whose_ports_an_entry_tells_apart_are_told_apart():
    df, _ = log("""+5 B in A:40000 > B:443 SYN REJECT
                   +5 B in A:46000 > B:443 SYN REJECT
                   +5 B in A:443 > B:443 SYN REJECT""")
    hole = entry(70, "deny", egress=True, protocol="6") | {"PortRange": {"From": 45_000, "To": 50_000}}
    own = entry(100, "allow", egress=True, protocol="6") | {"PortRange": {"From": 1_024, "To": 65_535}}
    topology = fl.Topology.from_describe(
        rules(groups_open=False, into_subnet_2=[ALLOWED], out_of_subnet_2=[hole, own])
    )  # fmt: skip
    rows = {row.srcport: row for row in df.flow.diagnose(topology=topology).itertuples()}
    apis = {port: [call["api"] for call in row.fix] for port, row in rows.items()}
    group, acl = "authorize-security-group-ingress", "create-network-acl-entry"
    assert apis == {40_000: [group], 46_000: [], 443: [group, acl]}
    assert rows[443].fix[1]["PortRange"] == {"From": 443, "To": 443}
    numbers = {port: [each["rule_number"] for each in row.surfaces_after_fix] for port, row in rows.items()}
    assert numbers == {40_000: [], 46_000: [70], 443: [32_767]}


# --- the columns ------------------------------------------------------------------------------------------------------

GROUP_KEYS = {"layer", "direction", "eni", "security_groups", "rule", "near_misses"}
ACL_KEYS = {"layer", "direction", "subnet", "network_acl", "rule_number", "rule"}
CALL_KEYS = {
    "authorize-security-group-ingress": ({"api", "GroupId", "IpPermissions"}, set()),
    "authorize-security-group-egress": ({"api", "GroupId", "IpPermissions"}, set()),
    "create-network-acl-entry": (
        {"api", "NetworkAclId", "RuleNumber", "Egress", "Protocol", "RuleAction"},
        {"CidrBlock", "Ipv6CidrBlock", "PortRange", "IcmpTypeCode"},
    ),
}


def assert_rule_columns(row, world: World) -> None:
    """The four columns that rules add are what the contract says."""
    assert all(isinstance(getattr(row, name), list) for name in RULE_COLUMNS[:-1]), row
    for blocker in (*row.blocked_by, *row.surfaces_after_fix):
        if blocker["layer"] == "security_group":
            assert blocker.keys() == GROUP_KEYS
            assert isinstance(blocker["near_misses"], list)
            assert blocker["rule"] == "missing"
            (interface,) = (each for each in world.interfaces if each.id == blocker["eni"])
            assert blocker["security_groups"] == list(interface.security_groups)
        else:
            assert blocker["layer"] == "network_acl"
            assert blocker.keys() == ACL_KEYS
            (subnet,) = (each for each in world.subnets if each.id == blocker["subnet"])
            assert blocker["network_acl"] == subnet.network_acl
            implicit = blocker["rule_number"] in {32_767, 32_768}
            assert blocker["rule"] == ("implicit deny" if implicit else "explicit deny")
    for blocker in row.blocked_by:
        assert blocker["direction"] == row.direction
        assert blocker["layer"] == "network_acl" or blocker["eni"] == row.interface_id
    if row.blocked_by and row.certainty == "certain":
        assert named(row.blocked_by[0]) == row.candidates[0]
    for call in row.fix:
        needed, more = CALL_KEYS[call["api"]]
        assert needed | BESIDE_THE_ARGUMENTS <= call.keys() <= needed | more | BESIDE_THE_ARGUMENTS
        assert call["cli"].startswith(f"aws ec2 {call['api']} ")
    assert pd.isna(row.aws_code) or row.aws_code in AWS_CODES
    assert pd.isna(row.aws_code) == (not row.blocked_by)


@pytest.mark.parametrize(("seed", "layout"), [(0, "29 fields"), (4, "default"), (204, "without pkt")])
def test_columns_keep_the_contract(seed, layout):
    sim, topology = played(seed), rules_of((seed, 60, 0))
    df = seen_in(sim, layout)
    for scope in ("all", "internal"):
        table = df.flow.diagnose(topology=topology, scope=scope)
        assert_consistent(table)
        assert [*df.flow.diagnose(scope=scope).columns, *RULE_COLUMNS] == [*table.columns]
        for row in table.itertuples():
            assert_rule_columns(row, sim.world)
            assert row.blocked_by or row.verdict not in LAYERS or row.certainty != "certain", row
    fixed = table[table["fix"].map(len) > 0]
    assert len(fixed) >= 5
    for place in fixed.index[:5]:
        text = df.flow.explain(table.loc[place])
        assert all(call["cli"] in text for call in table.loc[place, "fix"])


def test_without_a_topology_the_columns_are_not_there():
    assert not set(RULE_COLUMNS) & set(played(0).records.flow.diagnose().columns)


def test_nothing_given_is_changed():
    sim = played(0)
    documents = documents_of(sim)
    kept, df = copy.deepcopy(documents), sim.records.copy()
    topology = fl.Topology.from_describe(documents)
    first = sim.records.flow.diagnose(topology=topology, scope="all")
    row = first[first["fix"].map(len) > 0].iloc[0]
    sim.records.flow.diagnose_conversation(
        row["srcaddr"], row["dstaddr"], dst_port=row["dstport"] or None, protocol=int(row["protocol"]),
        topology=topology,
    )  # fmt: skip
    assert documents == kept
    pd.testing.assert_frame_equal(sim.records, df)
    pd.testing.assert_frame_equal(sim.records.flow.diagnose(topology=topology, scope="all"), first)


@pytest.mark.parametrize("seed", [0, 2])
def test_one_conversation_says_what_the_table_says(seed):
    sim, topology = played(seed), rules_of((seed, 60, 0))
    table = sim.records.flow.diagnose(topology=topology, scope="all")
    asked = table[table["protocol"].isin([6, 17]) & table["verdict"].isin(["SG_IN", "SG_OUT"])]
    assert len(asked) >= 20
    for row in asked.iloc[:: max(1, len(asked) // 12)].itertuples():
        about = sim.records.flow.diagnose_conversation(
            row.srcaddr, row.dstaddr, dst_port=int(row.dstport), protocol=int(row.protocol), topology=topology
        )
        for each in about.itertuples():
            assert all(isinstance(getattr(each, name), list) for name in RULE_COLUMNS[:-1])
        same = [
            each
            for each in about.itertuples()
            if (each.interface_id, each.verdict, each.certainty) == (row.interface_id, row.verdict, row.certainty)
        ]
        assert same, (row, about.to_string())
        assert row.blocked_by in [each.blocked_by for each in same]


def test_a_conversation_that_works_or_was_not_seen_has_nothing_to_mend():
    df, _ = log("""+5 B in A:40000 > B:443 SYN ACCEPT
                   +5 B out B:443 > A:40000 SYNACK ACCEPT""")
    topology = fl.Topology.from_describe(rules(groups_open=True, into_subnet_2=[ALLOWED]))
    for port, verdict in ((443, "OK"), (8_443, "INSUFFICIENT_DATA")):
        (row,) = df.flow.diagnose_conversation(
            ADDRESS["A"], ADDRESS["B"], dst_port=port, topology=topology
        ).itertuples()
        assert row.verdict == verdict
        assert [getattr(row, name) for name in RULE_COLUMNS[:-1]] == [[], [], []]
        assert pd.isna(row.aws_code)


# --- the order of records and the files they lie in -------------------------------------------------------------------


def certain_rows(df: pd.DataFrame, topology: fl.Topology, labels: pd.Index | None = None) -> list[str]:
    """Every certain row in words, its records by their original labels."""
    table = df.flow.diagnose(topology=topology, scope="all")
    sure = table[table["certainty"] == "certain"].drop(columns=["why", "assumptions"])
    if labels is not None:
        sure = sure.assign(records=[tuple(int(labels[label]) for label in found) for found in sure["records"]])
    sure = sure.assign(records=[tuple(sorted(found)) for found in sure["records"]])
    return sorted(str(row) for row in sure.itertuples(index=False))


@pytest.mark.parametrize(
    ("seed", "interval", "layout"), [(2, 60, "29 fields"), (4, 600, "without pkt"), (4, 60, "default")]
)
def test_order_of_records_changes_nothing(seed, interval, layout):
    df, topology = seen_in(played(seed, interval), layout), rules_of((seed, interval, 0))
    found = certain_rows(df, topology)
    assert len(found) >= 50
    assert certain_rows(df.sample(frac=1.0, random_state=11), topology) == found
    assert certain_rows(df.iloc[::-1], topology) == found


def test_splitting_over_files_changes_nothing(tmp_path):
    sim, topology = played(2), rules_of((2, 60, 0))
    sim.write(tmp_path)
    files = sorted(tmp_path.glob("AWSLogs/**/*.gz"), reverse=True)
    assert len(files) > 1
    split = fl.read(files)
    words = [tuple(map(str, record)) for record in sim.records.itertuples(index=False)]
    places = dict(zip(words, sim.records.index, strict=True))
    labels = pd.Series([places[tuple(map(str, record))] for record in split.itertuples(index=False)], split.index)
    assert certain_rows(split, topology, labels) == certain_rows(sim.records, topology)


# --- what a row of several conversations keeps ------------------------------------------------------------------------


def test_what_the_log_assumes_is_assumed_with_the_rules_too():
    df, _ = log(PROVEN_ACL)
    alone = df.flow.diagnose().iloc[0]
    topology = fl.Topology.from_describe(rules(groups_open=True, into_subnet_2=[ALLOWED], out_of_subnet_2=[]))
    with_rules = df.flow.diagnose(topology=topology).iloc[0]
    assert (alone.verdict, with_rules.verdict) == ("NACL_OUT", "NACL_OUT")
    assert "this side did not begin a connection on the same ports in the same window" in alone.assumptions
    assert {*alone.assumptions} < {*with_rules.assumptions}


def test_conversations_that_different_rules_open_are_rows_of_their_own():
    # The answers go to a port of Linux, and to one below all ranges that clients take.
    df, _ = log("""
        +5 B in X:40000 > B:443 SYN ACCEPT
        +5 B out B:443 > X:40000 SYNACK REJECT
        +6 B in X:900 > B:443 SYN ACCEPT
        +6 B out B:443 > X:900 SYNACK REJECT""")
    topology = fl.Topology.from_describe(rules(groups_open=True, into_subnet_2=[ALLOWED], out_of_subnet_2=[]))
    found = df.flow.diagnose_conversation(ADDRESS["X"], ADDRESS["B"], dst_port=443, topology=topology)
    ranges = [row.fix[0]["PortRange"] for row in found.itertuples()]
    assert len(found) == 2
    assert {"From": 900, "To": 900} in ranges
    assert any(each["From"] <= 40_000 <= each["To"] for each in ranges)
