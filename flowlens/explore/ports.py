"""The service port of each record, and how a pick of one is written as clauses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from flowlens.columns import GATEWAY_ONLY, VPC_ONLY, typed
from flowlens.selection import Selection
from flowlens.service import ACK, ICMP, ICMPV6, SYN, protocol_name, protocol_number, service_names

__all__ = ["coded_ports", "picked_ports", "port_clauses", "port_label"]

#: A protocol and a port are one number: so those of one protocol are close together in a table of all.
_NO_PORT, _NO_PROTOCOL = 65_536, 256
_PORTS = _NO_PORT + 1

#: So many records at once fit into the cache of a core.
_PIECE = 1 << 17
_NEEDED = {"srcport", "dstport", "protocol", "tcp_flags", *GATEWAY_ONLY, *VPC_ONLY}

#: AWS writes 0 for the ports of these.
_WITHOUT_PORTS = {ICMP, ICMPV6}


def coded_ports(df: pd.DataFrame) -> tuple[np.ndarray, pd.Index]:
    """Return for each record the place of its service port and protocol, -1 for none, and what there is."""
    needed = df[[column for column in df.columns if column in _NEEDED]]
    protocols = typed(df, "protocol").to_numpy(np.int32, na_value=_NO_PROTOCOL)
    used = np.flatnonzero(np.bincount(protocols, minlength=_NO_PROTOCOL + 1))
    ranks = np.zeros(_NO_PROTOCOL + 1, np.int32)
    ranks[used] = np.arange(len(used))
    keys = np.empty(len(df), np.int32)
    # There are so few keys that tables of all are faster than telling them apart by hashing.
    there = np.zeros(len(used) * _PORTS, bool)
    for begin in range(0, len(df), _PIECE):
        piece = slice(begin, begin + _PIECE)
        keys[piece] = ranks[protocols[piece]] * _PORTS + _offered(needed.iloc[piece])
        there[keys[piece]] = True
    found = np.flatnonzero(there)
    names = used[found // _PORTS] * _PORTS + found % _PORTS
    known = int(np.searchsorted(names, _NO_PROTOCOL * _PORTS))
    places = np.full(len(there), -1, np.int32)
    places[found[:known]] = np.arange(known)
    return places[keys], pd.Index(names[:known])


def _offered(df: pd.DataFrame) -> np.ndarray:
    """Return the port of the side that offers the service, by the rule of `reduce.summary.service_port`.

    It is written again for NumPy, as the engine that runs that takes 0.4 s to load, and a first view has one second. A
    test holds both together.
    """
    source, target = (typed(df, port).to_numpy(np.int32, na_value=_NO_PORT) for port in ("srcport", "dstport"))
    lower: np.ndarray = np.minimum(source, target)
    if "tcp_flags" not in df.columns:
        return lower
    flags = typed(df, "tcp_flags").to_numpy(np.int64, na_value=0)
    asks, answers = (flags & SYN) > 0, (flags & ACK) > 0
    marks = [column for column in df.columns if column in GATEWAY_ONLY]
    if marks:  # both sides of a connection through a transit gateway may read SYN and ACK; see `telling_flags`
        of_gateway = np.ones(len(df), bool) if VPC_ONLY.isdisjoint(df.columns) else df[marks].notna().any(axis=1)
        asks &= ~(answers & np.asarray(of_gateway))
    return np.where(asks & ~answers, target, np.where(asks & answers, source, lower))


def port_clauses(keys: Sequence[int]) -> dict[str, Any]:
    """Return the clauses of the port that was picked last: those of several would select what has some of each."""
    if not keys:
        return {"port": None, "protocol": None}
    protocol, port = divmod(int(keys[-1]), _PORTS)
    return {"port": None if port == _NO_PORT or protocol in _WITHOUT_PORTS else port, "protocol": protocol}


def picked_ports(selection: Selection) -> list[int]:
    """Return the ports that the clauses of a selection are the pick of."""
    clauses = selection.clauses
    protocols = [protocol_number(protocol) for protocol in clauses.get("protocol", ())]
    ports = [port for port in clauses.get("port", (0, _NO_PORT)) if isinstance(port, int)]
    return [protocol * _PORTS + port for port in ports for protocol in protocols]


def port_label(key: int) -> str:
    """Write a port with its protocol and the name of the service."""
    protocol, port = divmod(int(key), _PORTS)
    if port == _NO_PORT or protocol in _WITHOUT_PORTS:
        return protocol_name(protocol)
    return f"{port} {protocol_name(protocol)} {service_names().get(port, '')}".strip()
