"""The formulas of scanners, guessing and volume that other systems publish, by hand on conversations and records.

Each function returns one row per unit: the addresses, port and protocol that the system speaks of, `score`, and the
number behind it as `number`.

Windows of minutes and hours are those of the clock, one after the other: so do Zeek's SumStats, the hour of a Panther
schedule, and the time windows of Slips. A burst that lies across an edge counts half in each, as it does there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.detection_units import (
    Floats,
    Integers,
    as_findings,
    most_distinct,
    of_threshold,
    seconds_of,
    uncrossed,
)

__all__ = [
    "midas_r",
    "panther_port_scanning",
    "sentinel_beaconing",
    "silk_blr",
    "slips_horizontal",
    "slips_long_connection",
    "slips_ssh",
    "slips_upload",
    "slips_vertical",
    "sshcure_band",
    "tailpipe",
    "trw",
    "zeek_address_scan",
    "zeek_port_scan",
]

_MINUTE, _HOUR = 60, 3600
_ICMP, _TCP, _UDP = 1, 6, 17
_SSH, _RDP = 22, 3389


# Beacons

_PRIVATE = [ipaddress.ip_network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def sentinel_beaconing(conversations: pd.DataFrame) -> pd.DataFrame:
    """Sentinel's "possible beaconing": one exact gap makes 80 % of more than 30 events; the number is these events.

    Azure-Sentinel, PaloAlto-NetworkBeaconing.yaml. The gap is that to the next event of the same source, whoever it
    calls then; gaps of up to 25 s are dropped; counted by hour, source, destination and port; public destinations only.
    """
    order = ["initiator", "first", "responder", "responder_port", "protocol"]
    events = conversations.assign(seconds=seconds_of(conversations["first"])).sort_values(order)
    events["gap"] = events.groupby("initiator")["seconds"].shift(-1) - events["seconds"]
    public = [address for address in events["responder"].unique() if not _is_private(address)]
    events = events[(events["gap"] > 25) & events["responder"].isin(public)]
    unit = ["initiator", "responder", "responder_port", "protocol"]
    hour = [*unit, "hour"]
    gaps = events.assign(hour=events["seconds"] // _HOUR).groupby([*hour, "gap"]).size().rename("count").reset_index()
    hours = gaps.groupby(hour)["count"].agg(number="sum", most="max").reset_index()
    hours["share"] = hours["most"] / hours["number"]
    hours["score"] = of_threshold((hours["number"], 31), (hours["share"], 0.8))
    best = hours.sort_values(["score", "number"], kind="stable").drop_duplicates(unit, keep="last")
    return as_findings(best, "beacon", best["score"], ["share"])


def _is_private(address: str) -> bool:
    """Tell what KQL's ipv4_is_private does: RFC 1918 and nothing else."""
    return any(ipaddress.ip_address(address) in network for network in _PRIVATE)


# Scans


def zeek_address_scan(contacts: pd.DataFrame) -> pd.DataFrame:
    """Zeek's policy/misc/scan: more than 25 distinct hosts fail on one port in 5 minutes, which is the number.

    Only TCP. A reset before any data, which Zeek counts too, cannot be told from a short exchange in a flow log.
    """
    failed = contacts[contacts["failed"] & (contacts["protocol"] == _TCP)]
    units = most_distinct(failed, ["initiator", "responder_port", "protocol"], "responder", 5 * _MINUTE)
    return as_findings(units, "port_sweep", of_threshold((units["number"], 26)))


def zeek_port_scan(contacts: pd.DataFrame) -> pd.DataFrame:
    """Zeek's policy/misc/scan: 15 distinct ports of one host fail in 5 minutes, which is the number."""
    failed = contacts[contacts["failed"] & (contacts["protocol"] == _TCP)]
    units = most_distinct(failed, ["initiator", "responder", "protocol"], "responder_port", 5 * _MINUTE)
    return as_findings(units, "port_scan", of_threshold((units["number"], 15)))


def trw(contacts: pd.DataFrame, destination: Sequence[str] = ("responder",)) -> pd.DataFrame:
    """Threshold random walk over first contacts with each destination: the probability that the source scans.

    Jung, Paxson, Berger, Balakrishnan 2004, with SiLK's constants: a benign source succeeds with 0.8, a scanner with
    0.2, so a failure adds ln 4 to the log of the ratio and a success takes it away; decided at ±ln 99, that is after
    four net failures or successes, and final then. The number is the logarithm. Undecided sources are no alarm.

    With one host visible a source has one destination and can never be decided. A `destination` with the port counts
    each port of it as one more contact, as bro-simple-scan does.
    """
    tcp = contacts[contacts["protocol"] == _TCP]
    # Of contacts in the same second or window the successful one counts, to the advantage of the source.
    key = ["initiator", *destination]
    firsts = tcp.sort_values(["first", "failed", *key]).drop_duplicates(key)
    step = np.log(4) * np.where(firsts["failed"], 1, -1)
    walk = firsts[["initiator"]].assign(number=step)
    walk["number"] = walk.groupby("initiator")["number"].cumsum()
    walk["decided"] = walk["number"].abs() >= np.log(99)
    final = walk.drop_duplicates("initiator", keep="last")
    crossed = walk[walk["decided"]].drop_duplicates("initiator")
    ends = pd.concat([crossed, final[~final["initiator"].isin(crossed["initiator"])]])
    posterior = 1 / (1 + np.exp(-ends["number"]))
    return as_findings(ends, "port_sweep", np.where(ends["decided"], posterior, uncrossed(posterior)))


def silk_blr(contacts: pd.DataFrame) -> pd.DataFrame:
    """SiLK's rwscan, Bayesian logistic regression for TCP: P(scan) of the worst event; the number is its flows.

    An event are flows of one source without a pause of more than 300 s, at least 32 of them. "Without ACK" has to be
    replaced, since AWS does not log it: nothing came back, or no SYN-ACK. Coefficients are SiLK's, fitted to true ACKs.
    """
    flows = contacts[contacts["protocol"] == _TCP].sort_values(["initiator", "first", "last"], ignore_index=True)
    begin, end = pd.Series(seconds_of(flows["first"])), pd.Series(seconds_of(flows["last"]))
    before = end.groupby(flows["initiator"]).cummax().groupby(flows["initiator"]).shift()
    pause = (begin - before > 300).astype("int64")
    flows["event"] = pause.groupby(flows["initiator"]).cumsum()
    flows["small"] = flows["packets_out"] < 3
    flows["payload"] = flows["bytes_out"] >= 60 * flows["packets_out"].clip(lower=1)
    flows["no_ack"] = ~flows["acknowledged"]
    events = flows.groupby(["initiator", "event"]).agg(
        number=("event", "size"),
        no_ack=("no_ack", "mean"),
        small=("small", "mean"),
        payload=("payload", "mean"),
        backscatter=("backscatter", "mean"),
        ports=("initiator_port", "nunique"),
        hosts=("responder", "nunique"),
    )
    events = events[events["number"] >= 32]
    x = (
        -2.8384
        + 3.3090 * events["no_ack"]
        - 0.1570 * events["small"]
        - 0.00232 * events["ports"] / events["hosts"]
        - 1.0474 * events["payload"]
        + 3.1630 * events["hosts"] / events["number"]
        - 3.2603 * events["backscatter"]
    )
    events = events.assign(score=1 / (1 + np.exp(-x))).reset_index().sort_values(["score", "number"])
    worst = events.drop_duplicates("initiator", keep="last")
    return as_findings(worst.assign(protocol=_TCP), "port_sweep", worst["score"])


def panther_port_scanning(records: pd.DataFrame) -> pd.DataFrame:
    """Panther's scheduled query: 10 distinct ports of a pair in an hour, egress records only; the number is the ports.

    panther-analysis, anomalous_vpc_port_activity_query.yml. Records of replies are egress, too, and count.
    """
    left_out = [443, 80, 2049, 123, 445, 53, 853]
    wanted = (records["flow_direction"] == "egress") & ~records["srcport"].isin(left_out)
    egress = records[wanted & ~records["dstport"].isin(left_out) & records["dstport"].notna()]
    ends = {"srcaddr": "initiator", "dstaddr": "responder", "start": "first"}
    named = egress[[*ends, "dstport"]].rename(columns=ends).astype({"initiator": "str", "responder": "str"})
    units = most_distinct(named, ["initiator", "responder"], "dstport", _HOUR)
    return as_findings(units, "port_scan", of_threshold((units["number"], 10)))


# Slips: hours; thresholds of the shipped configuration and of modules/network_discovery


def slips_vertical(contacts: pd.DataFrame) -> pd.DataFrame:
    """Slips: 5 ports of one host in an hour, established and not established apart, which is the number."""
    asked = contacts[contacts["protocol"].isin([_TCP, _UDP])]
    unit = ["initiator", "responder", "protocol"]
    apart = most_distinct(asked, [*unit, "failed"], "responder_port", _HOUR)
    units = apart.groupby(unit)["number"].max().reset_index()
    return as_findings(units, "port_scan", of_threshold((units["number"], 5)))


def slips_horizontal(contacts: pd.DataFrame) -> pd.DataFrame:
    """Slips: 6 hosts in an hour that do not answer on one port, which is the number."""
    failed = contacts[contacts["failed"] & contacts["protocol"].isin([_TCP, _UDP])]
    units = most_distinct(failed, ["initiator", "responder_port", "protocol"], "responder", _HOUR)
    return as_findings(units, "port_sweep", of_threshold((units["number"], 6)))


def slips_long_connection(conversations: pd.DataFrame) -> pd.DataFrame:
    """Slips: a connection lasts 1,500 s; the number is the seconds of the longest."""
    lasting = seconds_of(conversations["last"]) - seconds_of(conversations["first"])
    unit = ["initiator", "responder", "responder_port", "protocol"]
    units = conversations[unit].assign(number=lasting).groupby(unit, dropna=False)["number"].max().reset_index()
    units = units[units["number"] > 0]
    return as_findings(units, "long_conversation", of_threshold((units["number"], 1500)))


def slips_upload(conversations: pd.DataFrame) -> pd.DataFrame:
    """Slips: 500 MB go to one address in an hour; the number is the bytes of the largest hour."""
    hours = conversations.assign(hour=seconds_of(conversations["first"]) // _HOUR)
    sent = hours.groupby(["initiator", "responder", "hour"])["bytes_out"].sum()
    units = sent.groupby(level=["initiator", "responder"]).max().rename("number").reset_index()
    units = units[units["number"] > 0]
    return as_findings(units, "volume_spike", of_threshold((units["number"], 500_000_000)))


def slips_ssh(conversations: pd.DataFrame) -> pd.DataFrame:
    """Slips: 9 connections to SSH of one host in an hour, which is the number."""
    ssh = _to_ssh(conversations)
    hours = ssh.assign(hour=seconds_of(ssh["first"]) // _HOUR)
    unit = ["initiator", "responder", "responder_port", "protocol"]
    counts = hours.groupby([*unit, "hour"]).size()
    units = counts.groupby(level=unit).max().rename("number").reset_index()
    return as_findings(units, "brute_force", of_threshold((units["number"], 9)))


# Guessing


def sshcure_band(conversations: pd.DataFrame) -> pd.DataFrame:
    """SSHCure's band: 80 % of 10 or more connections have 11 to 51 packets; the number is the connections.

    The labels of SSH guessing in the evaluation logs were made by this band, so on raw connections it finds all of it
    by construction; what windows take from it is what can be learned here.
    """
    ssh = _to_ssh(conversations)
    unit = ["initiator", "responder", "responder_port", "protocol"]
    inside = ssh.assign(inside=ssh["packets_out"].between(11, 51))
    units = inside.groupby(unit)["inside"].agg(number="size", share="mean").reset_index()
    score = of_threshold((units["number"], 10), (units["share"], 0.8))
    found = as_findings(units, "brute_force", score, ["share"])
    return found[found["score"] > 0]


def _to_ssh(conversations: pd.DataFrame) -> pd.DataFrame:
    return conversations[(conversations["protocol"] == _TCP) & (conversations["responder_port"] == _SSH)]


# Filters of records

# Aurora, SQL Server, Oracle, MySQL, PostgreSQL, CouchDB, Redis, Cassandra, ArangoDB, Memcached, MongoDB.
_DATABASES = [
    1150, 1433, 1434, 1521, 1522, 1526, 3306, 3307, 5432, 5433, 5984, 6379, 6380, 6381, 6382, 6383, 7000, 7001, 9042,
    9160, 8529, 11211, 27017, 27018, 27019,
]  # fmt: skip


def tailpipe(records: pd.DataFrame) -> pd.DataFrame:
    """The six filters of Tailpipe's aws-vpc-flow-log-detections; the number is the records that pass one.

    Tailpipe shows a row per record. Here they are one row per filter, addresses, port and protocol, which is the
    kindest reading: nobody counts the records of one connection as so many alarms.
    """
    accepted = records["action"] == "ACCEPT"
    port = records["dstport"]
    filters = {
        "large_data_transfer": accepted & (records["bytes"] > 500_000_000),
        "high_packet_traffic": accepted & (records["packets"] > 10_000),
        "ssh_traffic": port == _SSH,
        "rdp_traffic": port == _RDP,
        "database_traffic": accepted & port.isin(_DATABASES),
        "traffic_with_unusual_protocols": accepted & ~records["protocol"].isin([_ICMP, _TCP, _UDP]),
    }
    unit = ["srcaddr", "dstaddr", "dstport", "protocol"]
    found = [
        records.loc[passes.fillna(False).astype(bool), unit].astype({"srcaddr": "str", "dstaddr": "str"})
        .groupby(unit, dropna=False).size().rename("number").reset_index().assign(kind=kind)
        for kind, passes in filters.items()
    ]  # fmt: skip
    together = pd.concat(found, ignore_index=True)
    return together.assign(score=1.0)[["kind", *unit, "score", "number"]]


# Bursts


def midas_r(conversations: pd.DataFrame, tick: int = 10 * _MINUTE) -> pd.DataFrame:
    """MIDAS-R with exact counts in place of sketches; the number is the largest chi-square of edge, source or target.

    Bhatia, Hooi, Yoon, Shin, Faloutsos 2020. In tick t with a contacts, halved from tick to tick and added to, and s in
    all: (a - s/t)² t² / (s (t - 1)). An edge has the largest of its own, its source's and its destination's in the
    ticks in which it is used. MIDAS-R has no threshold: the score puts 1,000, the line above which MIDAS-F keeps a tick
    out of the past, at one half.
    """
    ticks = seconds_of(conversations["first"]) // tick
    ticks = ticks - ticks.min()
    edges = conversations.groupby(["initiator", "responder"], sort=True)
    edge = edges.ngroup().to_numpy()
    source, target = (pd.factorize(conversations[name])[0] for name in ("initiator", "responder"))
    chi = np.maximum.reduce([_chi_squares(nodes.astype(np.int64), ticks) for nodes in (edge, source, target)])
    units = pd.DataFrame(list(edges.groups), columns=["initiator", "responder"])
    units["number"] = pd.Series(chi).groupby(edge).max()
    return as_findings(units, "volume_spike", units["number"] / (units["number"] + 1000))


def _chi_squares(nodes: Integers, ticks: Integers) -> Floats:
    """Return for each contact the chi-square of its node at the end of its tick."""
    count = int(nodes.max()) + 1
    recent, in_all = np.zeros(count), np.zeros(count)
    scores = np.zeros(len(nodes))
    order = np.argsort(ticks, kind="stable")
    edges_of_ticks = np.searchsorted(ticks[order], np.arange(ticks.max() + 2))
    for t in range(1, int(ticks.max()) + 2):
        here = order[edges_of_ticks[t - 1] : edges_of_ticks[t]]
        new = np.bincount(nodes[here], minlength=count)
        recent = recent / 2 + new
        in_all += new
        if t > 1 and len(here):
            a, s = recent[nodes[here]], in_all[nodes[here]]
            scores[here] = (a - s / t) ** 2 * t**2 / (s * (t - 1))
    return scores
