"""STIX 2.0 and 2.1 as JSON: https://docs.oasis-open.org/cti/stix/v2.1/stix-v2.1.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flowlens.errors import BadLine, ParseError
from flowlens.indicators.entries import Entry, LeftOut, Listing, shortened
from flowlens.indicators.patterns import PatternError, meanings
from flowlens.indicators.traffic import Meant
from flowlens.indicators.values import microseconds

__all__ = ["is_stix", "of_stix"]

_ADDRESSES = {"ipv4-addr", "ipv6-addr"}
#: Section 6: what may be observed. Other objects, such as malware or relationships, name nothing to look for.
_OBSERVABLES = {
    "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "mac-addr",
    "mutex", "network-traffic", "process", "software", "url", "user-account", "windows-registry-key",
    "x509-certificate",
}  # fmt: skip

#: Section 3.1: what a type is called. No address looks like that.
_TYPE = re.compile("[a-z0-9-]+")

_Object = Mapping[str, object]


def is_stix(content: object) -> bool:
    """Tell whether JSON holds STIX objects: in a bundle, in what a TAXII server answers, in a list, or one alone."""
    return any(isinstance(each, Mapping) and _TYPE.fullmatch(str(each.get("type", ""))) for each in _objects(content))


def of_stix(file: str, content: object) -> Listing:
    """Return what STIX objects say.

    Raises
    ------
    ParseError
        If there is no STIX.
    """
    if not is_stix(content):
        raise ParseError(
            [BadLine(file, 1, "", "this is JSON without STIX objects")],
            "Give a bundle of STIX 2.0 or 2.1, or write the list as text or as CSV with a header.",
        )
    # Section 3.2: confidence is a number from 0 to 100.
    return Listing(file, "object", _entries(_objects(content)), percent=True)


def _objects(content: object) -> list[object]:
    if isinstance(content, Mapping):
        objects = content.get("objects")
        # STIX 2.0 has objects within observed-data, too; there they are no list.
        return objects if isinstance(objects, list) else [content]
    return content if isinstance(content, list) else []


def _entries(objects: list[object]) -> Iterator[Entry | LeftOut]:
    observed = _observed(objects)
    newest = _newest(objects)
    for place, each in enumerate(objects, 1):
        kind = each.get("type") if isinstance(each, Mapping) else None
        if not isinstance(each, Mapping) or not isinstance(kind, str):
            yield LeftOut(place, shortened(str(each)), "this is no STIX object")
        elif kind == "indicator":
            later = newest.get(str(each.get("id")), place)
            if later != place:
                yield LeftOut(place, _shown(each), f"object {later} is a later version")
            else:
                yield from _of_indicator(place, each)
        elif kind in _ADDRESSES and str(each.get("id")) not in observed:
            yield Entry(place, each.get("value"))
        elif kind in _ADDRESSES or kind == "observed-data":
            yield LeftOut(place, _shown(each), "this was observed; nobody says that it is bad")
        elif kind in _OBSERVABLES:
            yield LeftOut(place, _shown(each), f"flow logs do not have {kind}")


def _of_indicator(place: int, indicator: _Object) -> Iterator[Entry | LeftOut]:
    pattern, language = indicator.get("pattern"), indicator.get("pattern_type") or "stix"
    if indicator.get("revoked") is True:
        yield LeftOut(place, _shown(indicator), "it is revoked")
    elif language != "stix":
        yield LeftOut(place, _shown(indicator), f"the pattern is one of {shortened(str(language))}")
    elif not isinstance(pattern, str):
        yield LeftOut(place, _shown(indicator), "it has no pattern")
    else:
        try:
            alternatives = meanings(pattern)
        except PatternError as error:  # section 9.4: such a pattern matches nothing
            yield LeftOut(place, shortened(pattern), f"the pattern cannot be read: {shortened(str(error))}")
            return
        name = _name(indicator)
        for one in alternatives:
            if isinstance(one, Meant):
                yield Entry(
                    place, one.address, name, one.port, one.protocol, indicator.get("confidence"),
                    indicator.get("valid_from"), indicator.get("valid_until"),
                )  # fmt: skip
            else:
                yield LeftOut(place, one.text, one.reason)


def _name(indicator: _Object) -> str | None:
    """Return the name of an indicator, or else what kind it is, which 2.0 has as labels."""
    name = indicator.get("name")
    if isinstance(name, str) and name.strip():
        return name
    for key in ("indicator_types", "labels"):
        kinds = indicator.get(key)
        if isinstance(kinds, list) and kinds:
            return ", ".join(map(str, kinds))
    return None


def _shown(each: _Object) -> str:
    return shortened(str(next(filter(None, map(each.get, ("pattern", "value", "name", "id"))), each)))


def _observed(objects: list[object]) -> set[str]:
    """Return the ids of what observed-data lists.

    Section 4.14: it conveys what was seen, the victim's own addresses among it. MISP writes attributes as
    observed-data that are not for detection.
    """
    found: set[str] = set()
    for each in objects:
        if isinstance(each, Mapping) and each.get("type") == "observed-data":
            refs = each.get("object_refs")
            found.update(map(str, refs if isinstance(refs, list) else ()))
    return found


def _newest(objects: list[object]) -> dict[str, int]:
    """Return where the latest version of each indicator stands; section 3.6: that which was modified last."""
    newest: dict[str, tuple[int, int]] = {}
    for place, each in enumerate(objects, 1):
        if isinstance(each, Mapping) and each.get("type") == "indicator" and "id" in each:
            version = (_modified(each), place)
            newest[str(each["id"])] = max(newest.get(str(each["id"]), version), version)
    return {identity: place for identity, (_, place) in newest.items()}


def _modified(each: _Object) -> int:
    try:
        return microseconds(each.get("modified")) or 0
    except ValueError:
        return 0
