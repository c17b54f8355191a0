"""All numbers that the detectors go by, in one table to read and to change."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import pandas as pd

__all__ = ["checked_thresholds", "thresholds"]

_TABLE = (
    ("port_scan.ports", 5, "ports", "so many ports of one host begin to look like a scan"),
    ("port_scan.many_ports", 100, "ports", "so many are one without doubt"),
    ("port_scan.inbound", 0.8, "factor", "for scans from outside, which every public address gets"),
    ("port_sweep.hosts", 4, "hosts", "so many hosts sought at one port begin to look like a sweep"),
    ("port_sweep.many_hosts", 40, "hosts", "so many are one without doubt, if they do not answer"),
    ("port_sweep.benign_succeeds", 0.8, "share", "of first contacts of a benign source that are answered (TRW)"),
    ("port_sweep.scanner_succeeds", 0.2, "share", "of first contacts of a scanner that are answered (TRW)"),
    ("port_sweep.scanners", 0.01, "share", "of sources that are scanners, before anything is seen"),
    ("port_sweep.inbound", 0.6, "factor", "for sweeps from outside"),
    ("port_sweep.web", 0.5, "factor", "for web ports outside, where shut filters make all clients look alike"),
    ("probe.sources", 3, "sources a day", "so few that probe a port are nothing"),
    ("probe.many_sources", 300, "sources a day", "so many are as bad as it gets"),
    ("probe.refused", 0.2, "factor", "for ports that the filters keep shut"),
    ("probe.unanswered", 0.4, "factor", "for ports that the filters let through, where nobody answers"),
    ("brute_force.tries", 10, "connections", "so many alike begin to look like guessing"),
    ("brute_force.many_tries", 100, "connections", "so many are guessing without doubt"),
    ("brute_force.packets", 8, "packets", "a try has at least so many from the side that guesses"),
    ("brute_force.many_packets", 60, "packets", "and at most so many"),
    ("brute_force.other_port", 0.6, "factor", "for ports of which nobody knows that one logs in there"),
    ("brute_force.web_port", 0.3, "factor", "for web ports, where many short requests are usual"),
    ("brute_force.own_service", 0.3, "factor", "for databases, mail and the like that our own hosts log in to"),
    ("brute_force.slow", 0.85, "score", "of others at most, who try less often an hour than looks like guessing"),
    ("brute_force.internal", 0.7, "factor", "between internal hosts, where jobs log in by the clock"),
    ("beacon.events", 4, "events", "fewer have no rhythm"),
    ("beacon.half_evidence", 12, "events", "so many count half"),
    ("beacon.continuous", 0.5, "score", "at most, where the period is too short for the windows of the log"),
    ("beacon.hours", 12, "hours", "of activity in a row that count full"),
    ("beacon.common", 4, "hosts", "more that do the same make it look like a service that all use"),
    ("beacon.inbound", 0.9, "factor", "for hosts outside that call in regularly"),
    ("beacon.internal", 0.5, "factor", "between internal hosts"),
    ("beacon.kept_open", 0.8, "factor", "for a heartbeat in connections that stay open"),
    ("beacon.refused", 0.3, "factor", "where filters let nothing through"),
    ("long_conversation.common", 4, "hosts", "more that do the same make it look like a service that all use"),
    ("long_conversation.internal", 0.4, "factor", "between internal hosts, which keep connections open"),
    ("long_conversation.inbound", 0.7, "factor", "for connections from outside"),
    ("volume_spike.bytes", 10_000_000, "bytes an hour", "less is not looked at"),
    ("volume_spike.many_bytes", 1_000_000_000, "bytes an hour", "as much counts full"),
    ("volume_spike.deviation", 2, "deviations", "from the usual hours (robust z of the logarithm) that count nothing"),
    ("volume_spike.large_deviation", 8, "deviations", "count full"),
    ("flood.rate", 50, "packets a second", "less is no flood"),
    ("flood.high_rate", 5_000, "packets a second", "count full"),
    ("flood.burst", 50, "chi-square", "of a minute against the hour before that counts two thirds"),
    ("new_peer.history", 3, "days", "without which nothing is new"),
    ("new_peer.spam_port", 0.8, "score", "of the first mail that a host sends by itself"),
    ("lateral_movement.minutes", 30, "minutes", "from coming in to going on"),
    ("lateral_movement.tries", 10, "connections", "of who came in that make it an intruder"),
    ("match.confidence", 0.95, "score", "of an indicator that does not say how sure it is"),
    ("match.inbound", 0.7, "factor", "for contacts that a listed host began"),
    ("match.unanswered", 0.7, "factor", "where nothing came back"),
    ("match.refused", 0.4, "factor", "where filters let nothing through"),
    ("match.expired", 0.5, "factor", "for indicators that had expired before"),
    ("log_gap.uncontradicted", 0.4, "factor", "where no other interface logged traffic with the silent one"),
    ("log_gap.contacts", 5, "contacts", "of other interfaces with the silent one that count half"),
    ("log_gap.minutes", 10, "minutes", "shorter gaps are nothing"),
    ("log_gap.many_minutes", 240, "minutes", "count full"),
    ("context.infrastructure", 0.3, "factor", "for time, names, addresses, discovery, health checks and AWS services"),
    ("context.provoked", 0.3, "factor", "for ICMP that nobody answers between hosts that talk otherwise: errors"),
    ("context.gateway", 0.3, "factor", "for what a gateway does for hosts that are in the log themselves"),
    ("context.ping", 0.5, "factor", "for ICMP between internal hosts"),
    ("host.port_scan", 1.0, "weight", "of the highest port scan in the score of a host"),
    ("host.port_sweep", 1.0, "weight", "of the highest port sweep in the score of a host"),
    ("host.brute_force", 1.0, "weight", "of the highest brute force in the score of a host"),
    ("host.beacon", 1.0, "weight", "of the highest beacon in the score of a host"),
    ("host.long_conversation", 1.0, "weight", "of the highest long conversation in the score of a host"),
    ("host.volume_spike", 1.0, "weight", "of the highest volume spike in the score of a host"),
    ("host.flood", 1.0, "weight", "of the highest flood in the score of a host"),
    ("host.new_peer", 1.0, "weight", "of the highest new peer in the score of a host"),
    ("host.lateral_movement", 1.0, "weight", "of the highest lateral movement in the score of a host"),
    ("host.match", 1.0, "weight", "of the highest match in the score of a host"),
)  # fmt: skip

#: More of anything does not fit into the numbers of an engine, counted in thousandths a minute.
_MOST = 1e12

#: Terms are divided by these, or grow from such a number on.
_ABOVE = {
    "beacon.half_evidence": 0, "beacon.hours": 0, "flood.burst": 0, "lateral_movement.tries": 1, "log_gap.contacts": 0,
}  # fmt: skip

_COLUMNS = ["name", "value", "unit", "meaning"]


def thresholds() -> pd.DataFrame:
    """Return the numbers that the detectors go by, to read, and to edit and pass to ``df.flow.findings``.

    They were set on four labelled logs and are the same for all; docs/detection.md has what that gives on others.

    Returns
    -------
    pandas.DataFrame
        One row a threshold, by `name` (kind and what of it): `value`, `unit` and `meaning`. A new frame each time.

    Examples
    --------
    >>> import flowlens as fl
    >>> thresholds = fl.thresholds()
    >>> thresholds.loc["port_scan.ports", "value"] = 20
    >>> thresholds.loc["port_scan.ports", "unit"]
    'ports'
    >>> scans = fl.sample().flow.port_scans(thresholds=thresholds)
    """
    return pd.DataFrame(list(_TABLE), columns=_COLUMNS).astype({"value": "float64"}).set_index("name")


def checked_thresholds(given: pd.DataFrame | Mapping[str, float] | None) -> dict[str, float]:
    """Return all thresholds by name, with those that a user has changed.

    Raises
    ------
    ValueError
        If there is no such threshold, or its value is no number from 0 up, or a factor is above 1, or a share is all or
        nothing.
    """
    values = {name: float(value) for name, value, *_ in _TABLE}
    units = {name: unit for name, _, unit, _ in _TABLE}
    if isinstance(given, pd.DataFrame):
        if given.index.name != "name" and "name" in given.columns:
            given = given.set_index("name")
        if "value" not in given.columns:
            raise ValueError("thresholds has no column 'value'; fl.thresholds() returns a table that has it")
        given = dict(zip(map(str, given.index), given["value"], strict=True))
    if not isinstance(given, Mapping | None):
        raise TypeError(f"thresholds takes the table of fl.thresholds(), or a dict, and no {type(given).__name__}")
    for name, value in (given or {}).items():
        if name not in values:
            likely = get_close_matches(str(name), values, n=3)
            hint = f"; did you mean {' or '.join(likely)}?" if likely else "."
            raise ValueError(f"{name!r} is no threshold{hint} fl.thresholds() lists all {len(values)}.")
        values[name] = _number(name, value, units[name])
    _ordered(values)
    return values


def _number(name: str, value: object, unit: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"threshold {name}: {value!r} is no number of {unit}") from error
    highest = 1.0 if unit in {"factor", "share", "score", "weight"} else _MOST
    if unit == "share" and not 0 < number < 1:
        raise ValueError(f"threshold {name}: {value!r} is no share of some; it has to be above 0 and below 1")
    if not 0 <= number <= highest:
        raise ValueError(f"threshold {name}: {value!r} {unit}; it has to be between 0 and {highest:g}")
    return number


def _ordered(values: Mapping[str, float]) -> None:
    """Refuse a range that ends where it begins: a term grows from one to the other."""
    if values["port_sweep.scanner_succeeds"] >= values["port_sweep.benign_succeeds"]:
        raise ValueError("threshold port_sweep.scanner_succeeds has to be below port_sweep.benign_succeeds")
    for name, least in _ABOVE.items():
        if values[name] <= least:
            raise ValueError(f"threshold {name} is {values[name]:g}; it has to be above {least}")
    for name, value in values.items():
        kind, _, what = name.partition(".")
        for prefix in ("many_", "large_", "high_"):
            low = f"{kind}.{what.removeprefix(prefix)}"
            if what.startswith(prefix) and values[low] == 0:
                raise ValueError(f"threshold {low} is 0; it has to be above 0, as the score grows by factors of it")
            if what.startswith(prefix) and not values[low] < value:
                raise ValueError(f"threshold {name} is {value:g}; it has to be above {low}, {values[low]:g}")
