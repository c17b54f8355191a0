"""What a log can answer: the fields that each analysis needs, and what a frame lacks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flowlens.columns import Need, why_never
from flowlens.schema import BY_COLUMN, TGW_FIELDS

__all__ = ["NEEDS", "Ability", "ability"]

_ENDS = ("srcaddr", "dstaddr")
_VOLUME = (*_ENDS, "packets", "bytes")
_PORTS = ("srcport", "dstport", "protocol")
_FIVE_TUPLE = (*_ENDS, *_PORTS)
_CONTACTS = (*_FIVE_TUPLE, "packets", "bytes", "start", "end")
_DETECTORS = (
    "port_scans", "port_sweeps", "probes", "brute_force", "beacons", "long_conversations", "volume_spikes", "floods",
    "new_peers", "lateral_movement", "matches", "findings", "host_scores",
)  # fmt: skip
_LOST = tuple(field.column for field in TGW_FIELDS if field.name.startswith("packets-lost"))

#: The fields without which an analysis cannot run; of those in a tuple of their own, any one is enough. Most analyses
#: do better with more; their documentation says how.
NEEDS: dict[str, tuple[Need, ...]] = {
    "window": ("start", "end"),
    "interval": ("start", "end"),
    "coverage": ("interface_id", "start", "end", "log_status"),
    "gaps": ("interface_id", "start", "end"),
    "accepted": ("action",),
    "rejected": ("action",),
    "between": _ENDS,
    "host": _ENDS,
    "top_talkers": _VOLUME,
    "timeline": (*_VOLUME, "start"),
    "pairs": _VOLUME,
    "matrix": _VOLUME,
    "ports": (*_FIVE_TUPLE, "packets", "bytes"),
    "fan_out": (*_ENDS, "dstport"),
    "rejected_by_port": (*_ENDS, "dstport", "protocol", "packets", "start", "action"),
    "top_contributors": _VOLUME,
    "losses": (*_ENDS, _LOST),
    "costs": (*_ENDS, "bytes", ("interface_id", "resource_id", "tgw_id", "tgw_attachment_id")),
    "conversations": _CONTACTS,
    **dict.fromkeys(_DETECTORS, _CONTACTS),
    "add_groups": _ENDS,
    "add_networks": _ENDS,
    "add_scope": _ENDS,
    "add_services": _PORTS,
    "add_direction": (*_ENDS, ("flow_direction", "interface_id")),
    "add_resources": _ENDS,
    "reject_pairs": (*_FIVE_TUPLE, "interface_id", "start", "end", "action", "packets"),
    "diagnose": (*_FIVE_TUPLE, "interface_id", "start", "end", "action", "packets"),
    "diagnose_conversation": (*_FIVE_TUPLE, "interface_id", "start", "end", "action", "packets"),
}


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether a frame has the fields that an analysis needs; true where it has.

    Attributes
    ----------
    verb
        The analysis.
    missing
        The fields that are not there.
    why
        Why this kind of log cannot have them; empty where a LogFormat could add them.
    """

    verb: str
    missing: tuple[str, ...]
    why: str = ""

    def __bool__(self) -> bool:
        return not self.missing

    def __repr__(self) -> str:
        if self:
            return f"{self.verb}: yes"
        if self.why:
            return f"{self.verb}: no, {self.why}"
        tokens = " ".join(f"${{{BY_COLUMN[column].name}}}" for column in self.missing)
        return f"{self.verb}: no, add {tokens} to the LogFormat"


def ability(verb: str, columns: Collection[str]) -> Ability:
    """Tell whether an analysis can run on these columns.

    Raises
    ------
    ValueError
        If there is no such analysis.
    """
    if verb not in NEEDS:
        raise ValueError(f"{verb!r} is no analysis of flowlens; there are {', '.join(NEEDS)}")
    needs = [(need,) if isinstance(need, str) else need for need in NEEDS[verb]]
    lacking = [need for need in needs if not any(column in columns for column in need)]
    # Of fields any one of which is enough, those that this kind of log can have.
    missing = tuple(
        column for need in lacking for column in [one for one in need if not why_never(one, columns)] or need
    )
    reasons = dict.fromkeys(why_never(column, columns) for column in missing)
    return Ability(verb, missing, "; ".join(reason for reason in reasons if reason))
