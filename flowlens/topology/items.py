"""One item of a describe-* document, its fields checked as they are read.

What AWS leaves out or prints as null is missing and fine; what has another shape than AWS prints is an error that says
where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowlens.cidr import network
from flowlens.errors import TopologyError

if TYPE_CHECKING:
    import netaddr

__all__ = ["Item", "shape"]

_AS_PRINTED = "Pass what `aws ec2 describe-...` prints as JSON, unchanged."


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a document: where it stands, for messages, and what it holds."""

    where: str
    raw: Mapping[str, Any]
    region: str | None = None

    @classmethod
    def of(cls, value: object, where: str, region: str | None = None) -> Item:
        """Take a value that has to be an object.

        Raises
        ------
        TopologyError
            If it is none.
        """
        if not isinstance(value, Mapping):
            raise TopologyError(f"{where} is {shape(value)} where an object has to be. {_AS_PRINTED}")
        return cls(where, value, region)

    def text(self, key: str) -> str | None:
        """Return a text, or None where there is none."""
        value = self.raw.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, value, "text")
        return value or None

    def identity(self, key: str) -> str:
        """Return the text that identifies the item; it has to be there."""
        value = self.text(key)
        if value is None:
            raise TopologyError(f"{self.where} has no {key}. {_AS_PRINTED}")
        return value

    def flag(self, key: str) -> bool | None:
        """Return true or false, or None where there is neither."""
        value = self.raw.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def number(self, key: str) -> int | None:
        """Return a whole number, or None where there is none."""
        value = self.raw.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self._wrong(key, value, "a whole number")
        return value

    def part(self, key: str) -> Item:
        """Return the object below a key, an empty one where there is none."""
        value = self.raw.get(key)
        return Item.of({} if value is None else value, f"{self.where}, {key}", self.region)

    def parts(self, key: str) -> list[Item]:
        """Return the objects in the list below a key."""
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self._wrong(key, value, "a list")
        return [Item.of(part, f"{self.where}, {key}[{place}]", self.region) for place, part in enumerate(value)]

    def address(self, key: str) -> str | None:
        """Return an IP address in its canonical spelling, or None where there is none."""
        text = self.text(key)
        return None if text is None else str(self._network(key, text, is_prefix=False).ip)

    def prefix(self, key: str) -> str | None:
        """Return a CIDR prefix in its canonical spelling, or None where there is none."""
        text = self.text(key)
        return None if text is None else str(self._network(key, text, is_prefix=True).cidr)

    def tags(self, key: str) -> dict[str, str]:
        """Return the values of tags by their key."""
        return {tag.text("Key") or "": tag.text("Value") or "" for tag in self.parts(key)}

    def _network(self, key: str, text: str, *, is_prefix: bool) -> netaddr.IPNetwork:
        if ("/" in text) != is_prefix:
            raise self._wrong(key, text, "a prefix like '10.0.0.0/16'" if is_prefix else "an address without a prefix")
        try:
            return network(text)
        except ValueError as error:
            raise TopologyError(f"{self.where}: {key}: {error}. {_AS_PRINTED}") from error

    def _wrong(self, key: str, value: object, wanted: str) -> TopologyError:
        return TopologyError(f"{self.where}: {key} is {shape(value)} where {wanted} has to be. {_AS_PRINTED}")


def shape(value: object) -> str:
    """Name what a JSON value is, for messages."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
