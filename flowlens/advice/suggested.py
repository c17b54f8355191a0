"""Narrower rules as a table, proved by a replay of the log: what was used passes, what was refused does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from flowlens.advice.credit import credit, each_request, every_rule
from flowlens.advice.narrower import allowed, narrower, permission_of
from flowlens.advice.requests import as_times, requests_of
from flowlens.rules import Outcome
from flowlens.rules.security_groups import GroupRule
from flowlens.rules.spelling import cli, terraform
from flowlens.topology import Topology

__all__ = ["suggest_rules"]

_PERMISSIONS = {False: "IpPermissions", True: "IpPermissionsEgress"}
_COLUMNS = (
    "security_group", "direction", "rule", "text", "suggestion", "calls", "allowed_before", "allowed_after", "requests",
    "peers", "left_out", "active_days", "first", "last", "interfaces", "without_evidence",
)  # fmt: skip
_TEXTS = ("security_group", "direction", "rule", "text")
_NUMBERS = ("requests", "peers", "left_out", "active_days")


@dataclass(frozen=True, slots=True)
class _Suggestion:
    wide: GroupRule
    narrow: tuple[GroupRule, ...]
    used: pd.DataFrame
    left_out: int


def suggest_rules(topology: Topology, df: pd.DataFrame) -> pd.DataFrame:
    """Do the work of `Topology.suggest_rules`."""
    requests = requests_of(df, topology, "suggest_rules")
    found = credit(topology, requests)
    suggestions = []
    for rule in every_rule(topology):
        every = requests.loc[found.requests.get(rule, [])]
        used = every[every["is_served"]]
        narrow = narrower(topology, rule, used) if len(used) else []
        if narrow:
            suggestions.append(_Suggestion(rule, tuple(narrow), used, len(every) - len(used)))
    failed = _groups_that_fail(topology, suggestions, requests)
    rows = [_row(topology, each) for each in suggestions if each.wide.security_group not in failed]
    # Objects first: Python's integers, as an IPv6 rule allows more than 64 bits can count.
    table = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)
    table = table.astype(dict.fromkeys(_TEXTS, "string") | dict.fromkeys(_NUMBERS, "int64"))
    first, last = df.flow.window
    return table.assign(
        first=as_times(table["first"]), last=as_times(table["last"]), window_first=first, window_last=last
    )


def _groups_that_fail(topology: Topology, suggestions: list[_Suggestion], requests: pd.DataFrame) -> set[str]:
    """Replay the log on a copy with all suggestions; return the groups at whose interfaces an answer is wrong."""
    after = _rewritten(topology, suggestions)
    changed = {each.wide.security_group for each in suggestions}
    failed: set[str] = set()
    for asked in each_request(requests):
        interface = topology.interfaces.get(asked.interface)
        if interface is None or changed.isdisjoint(interface.security_groups):
            continue
        was, is_now = (
            each.rules.of_groups(interface, egress=asked.egress, header=asked.header).outcome
            for each in (topology, after)
        )
        is_lost = asked.is_served and was is not is_now
        if is_lost or (was is Outcome.DENY and is_now is not Outcome.DENY):
            failed.update(interface.security_groups)
    return failed


def _rewritten(topology: Topology, suggestions: Iterable[_Suggestion]) -> Topology:
    """Return a copy of a topology with narrow rules in the place of the wide ones."""
    groups: dict[str, Mapping[str, Any]] = dict(topology.security_groups)
    instead = {each.wide: each.narrow for each in suggestions}
    for group, egress in {(rule.security_group, rule.egress) for rule in instead}:
        rules = topology.rules.of_group(group, egress=egress) or ()
        kept = [one for rule in rules for one in instead.get(rule, (rule,))]
        groups[group] = {**groups.get(group, {}), _PERMISSIONS[egress]: [permission_of(rule) for rule in kept]}
    return replace(topology, security_groups=groups)


def _row(topology: Topology, suggestion: _Suggestion) -> dict[str, Any]:
    rule, used = suggestion.wide, suggestion.used
    carriers = [each.id for each in topology.members(rule.security_group)]
    seen = sorted(used["interface_id"].unique())
    return {
        "security_group": rule.security_group,
        "direction": "egress" if rule.egress else "ingress",
        "rule": rule.name,
        "text": str(rule),
        "suggestion": [str(each) for each in suggestion.narrow],
        "calls": _calls(suggestion),
        "allowed_before": allowed(topology, rule),
        "allowed_after": sum(allowed(topology, each) for each in suggestion.narrow),
        "requests": int(used["records"].sum()),
        "peers": used["remote"].nunique(),
        "left_out": suggestion.left_out,
        "active_days": int(used["active_days"].max()),
        "first": used["first"].min(),
        "last": used["last"].max(),
        "interfaces": seen,
        "without_evidence": [each for each in carriers if each not in seen],
    }


def _calls(suggestion: _Suggestion) -> list[dict[str, Any]]:
    """Return the calls that put the narrow rules in place and then take the wide one away, so that nothing is cut."""
    rule = suggestion.wide
    direction = "egress" if rule.egress else "ingress"
    added: dict[str, Any] = {
        "api": f"authorize-security-group-{direction}",
        "GroupId": rule.security_group,
        "IpPermissions": [permission_of(each) for each in suggestion.narrow],
    }
    removed: dict[str, Any] = {
        "api": f"revoke-security-group-{direction}",
        "GroupId": rule.security_group,
        "IpPermissions": [permission_of(rule)],
    }
    return [added | {"cli": cli(added), "terraform": terraform(added)}, removed | {"cli": cli(removed)}]
