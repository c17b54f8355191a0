"""Which entries of a list can be used, which are left out, and which are mistakes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from flowlens.errors import BadLine, ParseError
from flowlens.indicators import values
from flowlens.indicators.addresses import address_of
from flowlens.indicators.entries import Entry, LeftOut, Listing, UnusableError, none_if_missing, shortened

if TYPE_CHECKING:
    import netaddr

__all__ = ["Judged", "judged"]

_ADVICE = "Correct these or take them out. Host names, hashes and the like may stay: they are left out, and listed."

_TYPES = {"cidr": "string", "name": "string", "port": "UInt16", "protocol": "UInt8", "confidence": "Float64",
          "source": "string"}  # fmt: skip
_TIMES = ("valid_from", "valid_until")


class _Indicator(NamedTuple):
    """A row of the table; times in microseconds since 1970."""

    cidr: str
    name: str | None
    port: int | None
    protocol: int | None
    confidence: float | None
    valid_from: int | None
    valid_until: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The indicators of a list, what is left out of it, and the network of each `cidr` of the former."""

    table: pd.DataFrame
    left_out: pd.DataFrame
    networks: dict[str, netaddr.IPNetwork]


def judged(listing: Listing) -> Judged:
    """Tell the indicators of a list from what is none.

    Raises
    ------
    ParseError
        With every entry that is meant as an indicator, and is none.
    ValueError
        If there is not one indicator.
    """
    found: list[_Indicator] = []
    networks: dict[str, netaddr.IPNetwork] = {}
    left_out: list[LeftOut] = []
    bad: list[BadLine] = []
    for entry in listing.entries:
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif isinstance(entry, BadLine):
            bad.append(entry)
        else:
            try:
                net, row = _indicator(entry, listing.file)
                networks.setdefault(row.cidr, net)
                found.append(row)
            except UnusableError as error:
                left_out.append(LeftOut(entry.place, shortened(_text(entry.address)), str(error)))
            except ValueError as error:
                bad.append(BadLine(listing.file, entry.place, _shown(entry), str(error), unit=listing.unit))
    if bad:
        raise ParseError(bad, _ADVICE)
    if not found:
        raise ValueError(_nothing(listing.file, left_out))
    where = [f"{listing.file}, {listing.unit} {each.place}" for each in left_out]
    said = {"where": where, "text": [each.text for each in left_out], "reason": [each.reason for each in left_out]}
    return Judged(_table(found, percent=listing.percent), pd.DataFrame(said, dtype="string"), networks)


def _indicator(entry: Entry, file: str) -> tuple[netaddr.IPNetwork, _Indicator]:
    net, port = address_of(_text(entry.address))
    beside = values.port(entry.port)
    if port is not None and beside is not None and port != beside:
        raise ValueError(f"the port is {port} beside the address, and {beside} in its column")
    begin, end = values.microseconds(entry.valid_from), values.microseconds(entry.valid_until)
    row = _Indicator(
        str(net),
        None if entry.name is None else str(entry.name),
        beside if port is None else port,
        values.protocol(entry.protocol),
        values.confidence(entry.confidence),
        begin,
        end,
        file if entry.source is None else str(entry.source),
    )
    if begin is not None and end is not None and end <= begin:
        raise UnusableError(f"it is never valid: from {entry.valid_from} until {entry.valid_until}")
    return net, row


def _text(address: object) -> str:
    said = none_if_missing(address)
    return "" if said is None else str(said)


def _shown(entry: Entry) -> str:
    beside = (entry.name, entry.port, entry.protocol, entry.confidence, entry.valid_from, entry.valid_until)
    return shortened(", ".join([_text(entry.address), *(str(value) for value in beside if value is not None)]))


def _table(found: list[_Indicator], *, percent: bool) -> pd.DataFrame:
    """Return indicators as a frame, each once however often the list says it."""
    rows = pd.DataFrame(list(dict.fromkeys(found)), columns=list(_Indicator._fields), dtype=object)
    table = rows.drop(columns=list(_TIMES)).astype(_TYPES)
    for place, name in enumerate(_Indicator._fields):
        if name in _TIMES:
            table.insert(place, name, _moments(rows[name]))
    # Of percentages that are all below 1 nothing tells that they are some.
    if percent or bool((table["confidence"] > 1).any()):
        table["confidence"] /= 100
    return table


def _moments(microseconds: pd.Series) -> pd.Series:
    stamps = np.array([np.datetime64("NaT") if each is None else each for each in microseconds], "datetime64[us]")
    return pd.Series(stamps, microseconds.index).dt.tz_localize("UTC")


def _nothing(file: str, left_out: list[LeftOut]) -> str:
    wanted = "Flow logs hold addresses: give IP addresses or CIDR prefixes."
    if not left_out:
        return f"{file} lists no indicators. {wanted}"
    reasons = Counter(each.reason for each in left_out).most_common(3)
    why = "; ".join(f"{count:,} {reason}" for reason, count in reasons)
    return f"{file} has no indicator to look for in flow logs: {why}; such as {left_out[0].text!r}. {wanted}"
