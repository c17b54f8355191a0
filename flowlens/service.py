"""Names of ports and protocols."""

from __future__ import annotations

import socket

__all__ = ["PROTOCOLS", "port_number", "protocol_name", "protocol_number"]

#: https://www.iana.org/assignments/protocol-numbers, those that flow logs show
PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "ospf": 89,
    "sctp": 132,
}

# Names in daily use that the IANA list spells differently or that a small system does not know.
_PORTS = {
    "ssh": 22, "telnet": 23, "smtp": 25, "dns": 53, "domain": 53, "http": 80, "ntp": 123, "ldap": 389, "https": 443,
    "smb": 445, "syslog": 514, "ldaps": 636, "mssql": 1433, "oracle": 1521, "nfs": 2049, "mysql": 3306, "rdp": 3389,
    "postgres": 5432, "postgresql": 5432, "amqp": 5672, "winrm": 5985, "redis": 6379, "kafka": 9092,
    "elasticsearch": 9200, "memcached": 11211, "mongodb": 27017,
}  # fmt: skip


def port_number(name: str) -> int:
    """Return the port of a service.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    known = _PORTS.get(name.lower())
    if known is not None:
        return known
    try:
        return socket.getservbyname(name.lower())
    except OSError as error:
        raise ValueError(f"{name!r} is no service with a known port; give the number") from error


def protocol_number(protocol: str | int) -> int:
    """Return the IANA number of a protocol given by name or number.

    Raises
    ------
    ValueError
        If the name is not known, or the number not between 0 and 255.
    """
    text = str(protocol)
    number = int(text) if text.isdecimal() and len(text) <= 3 else PROTOCOLS.get(text.lower(), 256)
    if number > 255:
        raise ValueError(f"{protocol!r} is no protocol; give its IANA number or one of {', '.join(PROTOCOLS)}")
    return number


def protocol_name(number: int) -> str:
    """Return the upper-case name of a protocol, or its number as text."""
    return next((name.upper() for name, known in PROTOCOLS.items() if known == number), str(number))
