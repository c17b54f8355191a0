"""What filters look at, and what they can answer."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Header", "Outcome"]


class Outcome(StrEnum):
    """What filters say; UNKNOWN where the topology does not hold all that they depend on.

    Each equals its name in small letters, as it stands in tables.
    """

    ALLOW = "allow"
    DENY = "deny"
    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return self.name


class Header(NamedTuple):
    """All of a packet that a filter looks at: neither the source port nor the local address is part of it.

    Attributes
    ----------
    protocol
        IANA number.
    remote
        The address of the far end: the source of what arrives, the destination of what leaves.
    port
        Destination port, of what arrives and of what leaves; the first and the last of those among which it is; None
        where it is not known or the protocol has none.
    icmp_type, icmp_code
        None where they are not known; flow logs do not have them.
    """

    protocol: int
    remote: str
    port: int | tuple[int, int] | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
