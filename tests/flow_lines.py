"""Flow log records written as sentences: ``+5 B in X:50000 > B:443 SYN REJECT``.

Seconds after the start (``+5`` or ``+5..50``), the interface that logs, the direction, both ends of the packet, then in
any order a protocol (TCP where none stands), TCP flags, the action and ``field=value`` for everything else. A star in
front marks the refused record that a test asks about. ``+0..60 B SKIPDATA`` and ``NODATA`` are records without traffic.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from formats import DEFAULT, START, columns, read, text

__all__ = ["ADDRESS", "DEFAULT", "FULL", "WITH_TYPE", "Log", "log"]

#: What shows all that a diagnosis can use, and the same with the kind of interface that version 11 brought.
FULL = (*DEFAULT, *columns("vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr flow-direction"),
        "reject_reason")  # fmt: skip
WITH_TYPE = (*FULL, "interface_type")

# Neighbours are A and E; B, C and D; F, G and B2, the second interface of B's instance. N is a NAT gateway, L a load
# balancer in B's subnet. M is a group of multicast. X, Y and Z are hosts on the internet, V and W the numbers around X.
_HOME = {"A": 1, "E": 1, "B": 2, "C": 2, "D": 2, "L": 2, "B2": 3, "F": 3, "G": 3, "N": 0}
_INSTANCE = {"N": None, "L": None, "B2": "i-b"}
ADDRESS = {
    "A": "10.0.1.5", "E": "10.0.1.8", "B": "10.0.2.6", "C": "10.0.2.7", "D": "10.0.2.8", "L": "10.0.2.20",
    "B2": "10.0.3.6", "F": "10.0.3.7", "G": "10.0.3.8", "N": "10.0.0.220",
    "A6": "2001:db8:0:1::5", "B6": "2001:db8:0:2::6", "C6": "2001:db8:0:2::7", "X6": "2001:db8:c0::1",
    "V": "203.0.113.4", "X": "203.0.113.5", "W": "203.0.113.6", "Y": "198.51.100.40", "Z": "192.0.2.80",
    "Q": "10.9.0.5", "M": "239.1.1.1", "BROADCAST": "255.255.255.255", "LINK6": "fe80::5", "LINK6B": "fe80::6",
}  # fmt: skip
_FLAGS = {"ACK": 0, "FIN": 1, "SYN": 2, "SYN+FIN": 3, "RST": 4, "SYN+RST": 6, "SYNACK": 18, "SYNACK+FIN": 19}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "gre": 47}
_SENTENCE = re.compile(
    r"(?P<star>\*?)\s*\+(?P<start>\d+)(\.\.(?P<end>\d+))?\s+(?P<eni>\w+)\s+"
    r"((?P<status>NODATA|SKIPDATA)|(?P<way>in|out)\s+(?P<src>\w+)(:(?P<sport>\d+))?\s*>\s*(?P<dst>\w+)(:(?P<dport>\d+))?"
    r"(?P<rest>.*))"
)


class Log(NamedTuple):
    """The frame, and the label of the record with the star (None where no record has one)."""

    df: object
    asked: int | None


def log(sentences: str, layout: tuple[str, ...] = FULL) -> Log:
    """Write records of the given fields and read them with flowlens."""
    lines = [line.strip() for line in sentences.strip().splitlines()]
    stars = [number for number, line in enumerate(lines) if line.startswith("*")]
    return Log(read(text([_record(line) for line in lines], layout)), stars[0] if stars else None)


def _record(sentence: str) -> dict[str, object]:
    found = _SENTENCE.fullmatch(sentence)
    if found is None:
        raise ValueError(f"Not a record: {sentence!r}")
    eni, start = found["eni"], int(found["start"])
    record: dict[str, object] = {
        "version": 8, "account_id": "123456789010", "interface_id": f"eni-{eni.lower()}", "vpc_id": "vpc-1",
        "subnet_id": f"subnet-{_HOME[eni]}", "instance_id": _INSTANCE.get(eni, f"i-{eni.lower()}"),
        "interface_type": "nat_gateway" if eni == "N" else "interface",
        "start": START + start, "end": START + int(found["end"] or start), "log_status": found["status"] or "OK",
    }  # fmt: skip
    if found["status"]:
        return record
    src, dst = ADDRESS[found["src"]], ADDRESS[found["dst"]]
    record |= {
        "srcaddr": src, "dstaddr": dst, "srcport": int(found["sport"] or 0), "dstport": int(found["dport"] or 0),
        "protocol": 6, "packets": 1, "bytes": 60, "flow_direction": "ingress" if found["way"] == "in" else "egress",
        "type": "IPv6" if ":" in src else "IPv4", "tcp_flags": 0, "pkt_srcaddr": src, "pkt_dstaddr": dst,
    }  # fmt: skip
    for word in found["rest"].split():
        name, _, value = word.partition("=")
        if value:
            record[name.replace("-", "_")] = ADDRESS.get(value, value)
        elif word in _FLAGS:
            record["tcp_flags"] = _FLAGS[word]
        elif word in _PROTOCOLS:
            record["protocol"] = _PROTOCOLS[word]
        else:
            record["action"] = {"ACCEPT": "ACCEPT", "REJECT": "REJECT"}[word]
    return record
