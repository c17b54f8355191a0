"""The narrowest rules that open a way, proved on a copy of the topology. Nothing is ever applied to AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlens.rules.calls import Call, call_for
from flowlens.rules.copies import after
from flowlens.rules.hops import Hop
from flowlens.rules.packets import Outcome
from flowlens.rules.ports import HAS_PORTS, HAS_TYPES
from flowlens.rules.quotas import quota_warning
from flowlens.rules.round_trip import RoundTrip, round_trip
from flowlens.rules.spelling import cli, terraform

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["Fix", "fix"]

# A round trip meets eight filters at most.
_MOST_CALLS = 8


@dataclass(frozen=True, repr=False)
class Fix:
    """What would open a way; true where there is something to propose.

    Attributes
    ----------
    calls : list of dict
        EC2 API calls in the argument names of the API, in the order of the packets. Beside the arguments each has
        `api` (its name), `cli` (the line for the AWS CLI), `terraform` (the resource), `affects` (ids of the
        `interfaces` and `subnets` that the change is in force for) and `why`. Empty where nothing should be proposed.
    why : str
        Why these, or why none.
    warnings : list of str
        Quotas that would be exceeded.
    """

    calls: list[Call]
    why: str
    warnings: list[str]

    def __bool__(self) -> bool:
        return bool(self.calls)

    def __repr__(self) -> str:
        lines = [call["cli"] for call in self.calls] or [self.why]
        return "\n".join((*lines, *(f"# {warning}" for warning in self.warnings)))


def fix(trip: RoundTrip) -> Fix:
    """Propose what opens the way for all of a round trip, and prove it on a copy of the topology.

    Parameters
    ----------
    trip
        One whose outcome is DENY.

    Returns
    -------
    Fix
        Without calls where the way is open, not all of it is known, or an explicit entry refuses.
    """
    current, calls, warnings = trip, list[Call](), list[str]()
    reason = _reason_against(trip)
    while reason is None and current.outcome is not Outcome.ALLOW and len(calls) < _MOST_CALLS:
        hop = next((each for each in current.hops if each.is_denied or each.is_denied_in_part), None)
        if hop is None:
            break
        call = call_for(current, hop)
        if call.get("RuleNumber", 1) is None:
            reason = f"{hop.network_acl} has no number left behind its entries: a human has to renumber them."
            break
        topology = after(current.topology, call)
        calls.append(call | _notes(current, hop, call))
        warnings += quota_warning(topology, call)
        current = round_trip(topology, trip.request, source=trip.source.interface, target=trip.target.interface)
    if reason is None and current.outcome is not Outcome.ALLOW:
        reason = f"What a change would do cannot be told. What is missing: {' '.join(current.unknown)}"
    if reason is not None:
        return Fix([], reason, [])
    return Fix(
        calls, "With these the request and its reply pass every filter; tried on a copy of the topology.", warnings
    )


def _reason_against(trip: RoundTrip) -> str | None:
    """Say why nothing should be proposed."""
    request = trip.request
    if trip.outcome is Outcome.ALLOW:
        return "Every filter lets it through: there is nothing to open."
    if trip.outcome is Outcome.UNKNOWN:
        return f"Nothing is known to refuse it. What is missing: {' '.join(trip.unknown)}"
    if request.protocol in HAS_PORTS and request.dst_port is None:
        return "The destination port is not known, and a rule for all ports would open too much."
    if request.protocol in HAS_TYPES and request.icmp_type is None:
        return "The ICMP type is not known, and a rule for all types would open too much."
    return next(filter(None, map(_on_purpose, trip.hops)), None)


def _on_purpose(hop: Hop) -> str | None:
    """Name the numbered entry of a network ACL that refuses: who wrote it did not want the traffic."""
    if not (hop.is_denied or hop.is_denied_in_part):
        return None
    number = next((part.rule_number for part in hop.parts if part.rule == "explicit deny"), None)
    if number is None:
        return None
    way = "inbound" if hop.direction == "ingress" else "outbound"
    return f"Rule {number} ({way}) of {hop.network_acl} denies it on purpose: a human has to decide."


def _notes(trip: RoundTrip, hop: Hop, call: Call) -> dict[str, Any]:
    """Return what stands beside the arguments of a call."""
    what = f"the {hop.packet} at {hop.direction}"
    if hop.layer == "security_group":
        carriers = [each.id for each in trip.topology.members(call["GroupId"])]
        affects: dict[str, list[str]] = {"interfaces": carriers, "subnets": []}
        why = f"No rule of {', '.join(hop.security_groups)} allows {what}."
    else:
        subnets = _subnets_of(trip.topology, hop)
        interfaces = [each.id for subnet in subnets for each in trip.topology.in_subnet(subnet)]
        affects = {"interfaces": interfaces, "subnets": subnets}
        why = f"No entry of {hop.network_acl} allows {what}, so that its implicit last one refuses it."
    return {"cli": cli(call), "terraform": terraform(call), "affects": affects, "why": why}


def _subnets_of(topology: Topology, hop: Hop) -> list[str]:
    acl = topology.rules.acl_of(hop.subnet)
    return [] if acl is None else list(acl.subnets)
