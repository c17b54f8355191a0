"""Rules of security groups that no accepted request of a log needed.

AWS has no hit counter on rules. A log that is silent about a rule is no proof that nobody needs it: it may be shorter
than the rhythm of the business, and some traffic is never logged.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from flowlens.advice.credit import Credit, credit, every_rule
from flowlens.advice.requests import as_times, requests_of
from flowlens.rules.security_groups import GroupRule
from flowlens.topology import Topology

__all__ = ["unused_rules"]

_TEXTS = ("security_group", "direction", "rule", "text", "status", "caution")
_NUMBERS = ("requests", "active_days")
_LISTS = ("interfaces", "not_logged", "overlapped_by")

# Protocols, ports where these matter, and why silence says little. What is never logged:
# https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
_CAUTIONS = (
    ({6}, (22, 3389), "Remote logins in an emergency may need it."),
    ({1, 58}, (), "ICMP errors, such as those that tell the largest packet of a path, may need it."),
    ({6, 17}, (53,), "Queries to the Amazon resolver are never logged; no security group filters them."),
    ({6, 17}, (123, 1688), "Time and licences of Amazon are never logged; no security group filters them."),
)


def unused_rules(topology: Topology, df: pd.DataFrame) -> pd.DataFrame:
    """Do the work of `Topology.unused_rules`."""
    requests = requests_of(df, topology, "unused_rules")
    found = credit(topology, requests)
    seen = set(df["interface_id"].dropna().astype(str))
    rows = [_row(topology, rule, requests, found, seen) for rule in every_rule(topology)]
    table = pd.DataFrame([row for row in rows if row is not None], columns=[*_TEXTS, *_NUMBERS, "last_seen", *_LISTS])
    table = table.astype(dict.fromkeys(_TEXTS, "string") | dict.fromkeys(_NUMBERS, "int64"))
    first, last = df.flow.window
    return table.assign(last_seen=as_times(table["last_seen"]), window_first=first, window_last=last)


def _row(
    topology: Topology, rule: GroupRule, requests: pd.DataFrame, found: Credit, seen: set[str]
) -> dict[str, Any] | None:
    carriers = [each.id for each in topology.members(rule.security_group)]
    not_logged = [each for each in carriers if each not in seen]
    used = requests.loc[found.requests.get(rule, [])]
    status = _status(rule, found, is_logged=len(not_logged) < len(carriers))
    if status == "used":
        return None
    return {
        "security_group": rule.security_group,
        "direction": "egress" if rule.egress else "ingress",
        "rule": rule.name,
        "text": str(rule),
        "status": status,
        "caution": " ".join(_cautions(rule)) or None,
        "requests": int(used["records"].sum()),
        "active_days": int(used["active_days"].max()) if len(used) else 0,
        "last_seen": used["last"].max() if len(used) else pd.NaT,
        "interfaces": carriers,
        "not_logged": not_logged,
        "overlapped_by": sorted(other.name for other in found.overlaps.get(rule, ())),
    }


def _status(rule: GroupRule, found: Credit, *, is_logged: bool) -> str:
    if not is_logged:
        return "not logged"
    if rule in found.requests:
        return "used" if rule in found.alone else "overlapped"
    return "unknown" if rule in found.doubtful else "no evidence"


def _cautions(rule: GroupRule) -> list[str]:
    said = [
        caution
        for protocols, ports, caution in _CAUTIONS
        if rule.ports.protocol in protocols and (not ports or any(_is_for(rule, port) for port in ports))
    ]
    if rule.peer_kind == "address" and rule.peer.startswith("169.254."):
        said.append("Traffic on the link of the host is never logged; no security group filters it.")
    return said


def _is_for(rule: GroupRule, port: int) -> bool:
    # A rule for all ports covers each of them: that says nothing of what it is for.
    return not rule.ports.are_all and rule.ports.first <= port <= rule.ports.last
