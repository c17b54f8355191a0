"""What the comparisons of one STIX observation mean for records of a flow log.

Properties are those of STIX 2.1, section 6: ipv4-addr (6.8), ipv6-addr (6.9), network-traffic (6.12) and url (6.15).
"""

from __future__ import annotations

from dataclasses import dataclass

from flowlens.indicators.addresses import LAST_PORT
from flowlens.indicators.entries import UnusableError, shortened
from flowlens.service import protocol_number

__all__ = ["Comparison", "Meant", "Unusable", "meaning"]

_ADDRESSES = {"ipv4-addr:value", "ipv6-addr:value"}
_TRAFFIC = "network-traffic:"
#: An element of `protocols` that says what the address says.
_FAMILIES = {"ipv4", "ipv6"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: of a property, by `=` or `ISSUBSET` with a value, or by a sign that is not followed further."""

    text: str
    path: str
    sign: str
    value: str | int | None = None


@dataclass(frozen=True, slots=True)
class Meant:
    """An address that is asked for, with the port at its end and the protocol, where they are."""

    address: str
    port: int | None = None
    protocol: int | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A part of a pattern that records of a flow log cannot answer, and why."""

    text: str
    reason: str


def meaning(way: tuple[Comparison, ...]) -> Meant | Unusable:
    """Return what comparisons ask for that have to hold together."""
    try:
        return _meant(way)
    except UnusableError as error:
        return Unusable(shortened(" AND ".join(one.text for one in way)), shortened(str(error)))


def _meant(way: tuple[Comparison, ...]) -> Meant:
    for one in way:
        if one.sign not in {"=", "ISSUBSET"}:
            raise UnusableError(f"{one.sign} cannot be looked up; only =, IN and ISSUBSET can")
    first = way[0]
    if all(one.path.startswith(_TRAFFIC) for one in way):
        return _of_traffic(way)
    # Section 9.5: all that AND joins is about the same object, and an address has nothing but its value here.
    if len(way) > 1:
        raise UnusableError("it asks for several things together")
    # The host of a URL is an address at times; whether it is one turns out where all addresses are read.
    if first.path in _ADDRESSES or (first.path == "url:value" and first.sign == "="):
        if not isinstance(first.value, str):
            raise UnusableError("the address is no text")
        return Meant(first.value)
    raise UnusableError(f"flow logs do not have {first.path}")


def _of_traffic(way: tuple[Comparison, ...]) -> Meant:
    """Return the end of the traffic that is named.

    Source and destination are those of the conversation, whose records in a flow log go both ways: an address is
    looked for at either end of a record. What is asked of the other end cannot be kept apart from it.
    """
    asked: dict[str, list[str | int | None]] = {}
    for one in way:
        if one.sign == "ISSUBSET" and not one.path.endswith("_ref.value"):
            raise UnusableError(f"{one.path} is no address, and has no subsets")
        asked.setdefault(one.path.removeprefix(_TRAFFIC), []).append(one.value)
    protocol = _protocol(asked.pop("protocols[*]", []))
    for end in ("src", "dst"):
        if not set(asked.pop(f"{end}_ref.type", [])) <= {"ipv4-addr", "ipv6-addr"}:
            raise UnusableError("an end of the traffic is no IP address")
    if any(len(set(values)) > 1 for values in asked.values()):
        raise UnusableError("it asks for different values of one property")
    named = [end for end in ("src", "dst") if f"{end}_ref.value" in asked]
    if len(named) != 1:
        raise UnusableError("it asks for both ends of the traffic" if named else "it names no address")
    (address,) = set(asked.pop(f"{named[0]}_ref.value"))
    port = _port(asked.pop(f"{named[0]}_port", []))
    if asked:
        raise UnusableError(f"{', '.join(_TRAFFIC + path for path in asked)} cannot be told of a single address")
    if not isinstance(address, str):
        raise UnusableError("the address is no text")
    return Meant(address, port, protocol)


def _port(values: list[str | int | None]) -> int | None:
    if not values:
        return None
    # MISP writes ports as text: https://github.com/MISP/misp-stix, the mapping of ip-dst|port.
    text = str(values[0])
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= LAST_PORT):
        raise UnusableError(f"{values[0]!r} is no port")
    return int(text)


def _protocol(values: list[str | int | None]) -> int | None:
    """Return the number of the protocol; `protocols` lists all layers from the outermost one inwards."""
    names = {str(value).lower() for value in values} - _FAMILIES
    if len(names) > 1:
        raise UnusableError("it asks for several protocols, of which flow logs have one")
    for name in names:
        try:
            return protocol_number(name)
        except ValueError as error:
            raise UnusableError(f"flow logs do not have the protocol {name}") from error
    return None
