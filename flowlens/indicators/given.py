"""What a user gives as indicators: addresses themselves, or a file of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from flowlens.cidr import listed
from flowlens.errors import BadLine
from flowlens.indicators.addresses import address_of
from flowlens.indicators.entries import GIVEN, Entry, Listing, UnusableError, none_if_missing
from flowlens.indicators.files import of_file
from flowlens.indicators.lists import of_frame
from flowlens.indicators.stix import is_stix, of_stix

__all__ = ["Source", "listing_of"]

#: An address or a prefix, several of them, `{name: cidr or cidrs}`, a frame, or the path of a list.
Source = str | os.PathLike[str] | Iterable[str] | Mapping[str, str | Iterable[str]] | pd.DataFrame


def listing_of(source: Source) -> Listing:
    """Return what a user gives as a list of entries.

    Raises
    ------
    ParseError
        If a file cannot be read as a list.
    FileNotFoundError
        If text is neither an address nor a file.
    TypeError
        If it is something else.
    """
    if isinstance(source, pd.DataFrame):
        return of_frame(source)
    if isinstance(source, Mapping | list) and is_stix(source):
        return of_stix(GIVEN, source)
    if isinstance(source, Mapping):
        return Listing(GIVEN, "row", _named(source))
    if isinstance(source, str):
        return _of_text(source)
    if isinstance(source, os.PathLike):
        return of_file(Path(source))
    if _is_address(source) or (isinstance(source, Iterable) and not isinstance(source, bytes | bytearray)):
        addresses = listed(source)
        # A set has no order; what comes of it should have one.
        addresses = sorted(addresses, key=str) if isinstance(source, set | frozenset) else addresses
        return Listing(GIVEN, "row", _addresses((None, address) for address in addresses))
    raise TypeError(
        "indicators are an address or CIDR prefix, several of them, a dict {name: cidr or [cidrs]}, a frame with a "
        f"column cidr, or the path of a text, CSV or STIX file, and not a {type(source).__name__}"
    )


def _of_text(text: str) -> Listing:
    """Return an address, or the list in a file; what is malformed as the one may be the name of the other."""
    try:
        address_of(text)
    except ValueError as error:
        if _exists(text):
            return of_file(Path(text))
        if isinstance(error, UnusableError):
            raise FileNotFoundError(
                f"{text[:200]!r} is neither an IP address, nor a CIDR prefix, nor a file. Give several as a list."
            ) from error
    return Listing(GIVEN, "row", [Entry(1, text)])


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a character that none has
        return False


def _named(groups: Mapping[str, str | Iterable[str]]) -> Iterator[Entry | BadLine]:
    return _addresses((name, address) for name, addresses in groups.items() for address in listed(addresses))


def _addresses(named: Iterable[tuple[object, object]]) -> Iterator[Entry | BadLine]:
    for place, (name, address) in enumerate(named, 1):
        if none_if_missing(address) is None or isinstance(address, str) or _is_address(address):
            yield Entry(place, address, none_if_missing(name))
        else:
            problem = f"a {type(address).__name__} is no address; paths are given one at a time, and alone"
            yield BadLine(GIVEN, place, str(address), problem, unit="row")


def _is_address(value: object) -> bool:
    """Tell whether it is an address or a network of netaddr or ipaddress."""
    return hasattr(value, "version") and (hasattr(value, "prefixlen") or hasattr(value, "packed"))
