"""One row of a diagnosis as the paragraph to paste in a ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from flowlens.diagnose.report import COLUMNS
from flowlens.service import protocol_name, service_names

__all__ = [
    "asked_or_refused", "ends", "explanation", "filter_in_words", "how_much", "row_of_diagnosis", "said", "service",
    "source", "target", "when",
]  # fmt: skip

Row = Mapping[str, Any] | pd.Series

_FILTERS = {"SG": "security group", "NACL": "network ACL"}
_SIDES = {"IN": "inbound", "OUT": "outbound"}

#: What each verdict says, in the words of somebody who has not read the manual.
_VERDICTS = {
    "SG_OR_NACL_IN": "the security group or the network ACL refused it, inbound",
    "SG_OR_NACL_OUT": "the security group or the network ACL refused it, outbound",
    "SG_STATE": "the security group did not know the connection",
    "SG_IN_UNRESOLVED": "no inbound rule of the security group is known to allow it",
    "BPA": "VPC Block Public Access refused it",
    "ENCRYPTION_CONTROL": "the encryption controls of the VPC refused it",
    "OTHER_REASON": "it was refused for a reason of its own",
    "LATE_PACKET": "it came after the connection was closed; nothing is to be mended",
    "CONNTRACK_EXPIRED": "the connection had been idle for too long and was forgotten",
    "RULE_CHANGED": "a rule was changed in between",
    "ASYMMETRIC_PATH": "request and reply take different interfaces",
    "REFUSED": "the host refused it",
    "NO_RESPONSE": "the host does not answer",
    "PATH_LOSS": "it is lost on the way",
    "NOT_LOGGED": "flow logs never capture it",
    "UNSOLICITED_AT_NAT": "nobody asked for it, and the NAT gateway drops it",
    "INSUFFICIENT_DATA": "the log does not tell",
    "CONFIG_DISAGREES": "the rules of the topology do not refuse it, and the log says it was refused",
    "OK": "it works",
}


def explanation(row: Row) -> str:
    """Return the paragraph for a row of `diagnose` or `diagnose_conversation`.

    Raises
    ------
    ValueError
        If it is none.
    """
    row_of_diagnosis(row, "explain")
    verdict, why = f"{said(row)}.", str(row["why"]).rstrip()
    parts = [asked_or_refused(row), verdict, why, _assumed(row), _ruled_out(row), _fixed(row), _by(row)]
    return " ".join(part for part in parts if part)


def row_of_diagnosis(row: Row, verb: str) -> None:
    """Make sure that it is a row of `diagnose` or `diagnose_conversation`.

    Raises
    ------
    ValueError
        If it is none.
    """
    example = f"write df.flow.{verb}(found.loc[0]) with found = df.flow.diagnose()"
    if not isinstance(row, Mapping | pd.Series):
        raise ValueError(f"{verb} takes one row of diagnose() and not a {type(row).__name__}; {example}")  # noqa: TRY004
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        raise ValueError(f"{verb} takes a row of diagnose(), which has {', '.join(missing)}; {example}")


def ends(row: Row, *, turned: bool = False) -> str:
    """Return who talks to whom, and how; turned around where the row is about a reply."""
    src, dst = source(row), target(row)
    if turned:
        return f"{dst} to {src} ({service(row, 'srcport')})"
    return f"{src} to {dst} ({service(row)})"


def asked_or_refused(row: Row) -> str:
    """Say who asked whom, whether it was refused, where and when."""
    way = {"ingress": "on the way in at", "egress": "on the way out at"}.get(str(row["direction"]), "at")
    whole = f"{source(row)} to {target(row)} ({service(row)})"
    if _is_missing(row["first"]):
        return f"{whole}."
    if not row["packets"]:
        return f"{whole}: {how_much(row)} seen at {row['interface_id']} between {when(row)}."
    return f"{whole} was refused {way} {row['interface_id']}: {how_much(row)} between {when(row)}."


def when(row: Row) -> str:
    """Return the first and the last time."""
    return f"{_time(row['first'])} and {_time(row['last'])} UTC"


def how_much(row: Row) -> str:
    """Return what was counted."""
    if not row["packets"]:
        return _count(row["attempts"], "conversation")
    return f"{_count(row['attempts'], 'attempt')}, {_count(row['packets'], 'packet')}"


def source(row: Row) -> str:
    """Return who sent the packets that the row is about."""
    return _end(row["srcaddr"], row["srcport"], "the internet")


def target(row: Row) -> str:
    """Return for whom they are."""
    return _end(row["dstaddr"], row["dstport"], "several addresses")


def _end(address: object, port: object, otherwise: str) -> str:
    if _is_missing(address):
        return otherwise
    if _is_missing(port) or port == 0:
        return str(address)
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def service(row: Row, port: str = "dstport") -> str:
    """Return protocol and service."""
    if _is_missing(row["protocol"]):
        return "several protocols"
    number = int(row["protocol"])
    name = protocol_name(number)
    name = f"protocol {name}" if name.isdecimal() else name.upper()
    known = None if _is_missing(row[port]) else service_names().get(int(row[port]))
    return f"{name}, {known}" if known else name


def said(row: Row) -> str:
    """Return the verdict in words, and how certain it is."""
    verdict, certainty = str(row["verdict"]), str(row["certainty"])
    words = _VERDICTS.get(verdict)
    if words is None:
        layer, _, side = verdict.rpartition("_")
        words = f"the {_FILTERS[layer]} refused it, {_SIDES[side]}"
    how = {"certain": "Certain", "likely": "Likely", "ambiguous": "Not decided"}.get(certainty, "Not known")
    return f"{how}: {words} ({verdict})"


def _assumed(row: Row) -> str:
    return f"This assumes that {_joined(row['assumptions'])}." if row["assumptions"] else ""


def _ruled_out(row: Row) -> str:
    named = [f"{filter_in_words(name)}" for name in row["candidates"]]
    excluded = [f"{filter_in_words(name)}" for name in row["excluded"]]
    texts = []
    if len(named) > 1:
        ranked = ", most likely first" if str(row["certainty"]) == "likely" else ""
        texts.append(f"Possible{ranked}: {', '.join(named)}.")
    if excluded and str(row["verdict"]) not in {"OK", "REFUSED"}:
        texts.append(f"Ruled out: {', '.join(excluded)}.")
    return " ".join(texts)


def filter_in_words(name: str) -> str:
    """Return a candidate like ``NACL_OUT@subnet-...`` in words."""
    layer, _, place = name.partition("@")
    kind, _, side = layer.rpartition("_")
    return f"{_FILTERS[kind]} of {place} {_SIDES[side]}"


def _fixed(row: Row) -> str:
    fix = row.get("fix", ())
    if not isinstance(fix, Sequence) or not len(fix):
        return ""
    commands = "; ".join(f"`{step['cli']}`" for step in fix)
    return f"This would open it, checked against a copy of the rules: {commands}."


def _by(row: Row) -> str:
    records = list(row["records"])
    if not records:
        return ""
    shown = ", ".join(map(str, records[:10]))
    more = f" and {len(records) - 10:,} more" if len(records) > 10 else ""
    return f"Records: {shown}{more}."


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _time(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _is_missing(value: object) -> bool:
    return value is None or bool(pd.isna(value))  # type: ignore[call-overload]
