"""How an address is written in a list of indicators, and what stands there instead of one.

Analysts *defang* addresses so that nobody clicks on them: ``1[.]2[.]3[.]4``, ``hxxp://1.2.3.4``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowlens.cidr import network
from flowlens.indicators.entries import UnusableError, shortened

if TYPE_CHECKING:
    import netaddr

__all__ = ["LAST_PORT", "address_of"]

LAST_PORT = 65535

_FANG = re.compile(r"[\[({](\.|dot|://|:|/)[\])}]|\\(?=\.)", re.IGNORECASE)
_FANGS = {"dot": "."}

#: RFC 3986, section 3: a scheme, then an authority that may begin with a user. `hxxp` is a scheme like any other here.
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)", re.IGNORECASE)

#: [2001:db8::7]:443, 198.51.100.7:443, and 198.51.100.7|443 as MISP writes it.
_WITH_PORT = tuple(map(re.compile, (r"\[(.+)\](?::([0-9]+))?", r"([^:]+):([0-9]+)", r"([^|]+)\|([0-9]+)")))

#: What begins like an address was meant as one, unless it turns out to be something else.
_LIKE_AN_ADDRESS = re.compile(r"[0-9]+\.[0-9]|[0-9a-f]*:[0-9a-f.]*:", re.IGNORECASE)

_HOST_NAME = r"(?:\*\.)?(?:[\w-]+\.)+[^\W\d][\w-]*\.?"
_OTHERS = {
    "a hash": re.compile("|".join(f"[0-9a-f]{{{length}}}" for length in (32, 40, 56, 64, 96, 128)), re.IGNORECASE),
    "a MAC address": re.compile(r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}", re.IGNORECASE),
    "an autonomous system": re.compile(r"ASN?[0-9]+", re.IGNORECASE),
    "an e-mail address": re.compile(r"[^@/]+@[^@/]+"),
    "a host name": re.compile(_HOST_NAME),
    "a URL with a host name": re.compile(_HOST_NAME + "/.*"),
}


def address_of(written: str) -> tuple[netaddr.IPNetwork, int | None]:
    """Return the prefix that an indicator names, and its port where one is written beside it.

    A URL stands for its host: whoever asked for it was in contact with that address.

    Raises
    ------
    UnusableError
        If it is a host name, a hash or something else that is not meant as an address.
    ValueError
        If it is meant as one, and is none.
    """
    text = _FANG.sub(lambda fang: _FANGS.get(str(fang[1]).lower(), fang[1] or ""), written.strip())
    url = _URL.match(text)
    host, port = _host_and_port(url[1] if url else text)
    like_an_address = _LIKE_AN_ADDRESS.match(host)
    if like_an_address:
        try:
            return network(host).cidr, port
        except ValueError:
            pass
    for kind, form in _OTHERS.items():
        if form.fullmatch(host):
            raise UnusableError("a URL with a host name" if url else kind)
    if like_an_address:
        raise ValueError(f"{shortened(written)!r} is neither an IP address nor a CIDR prefix like '198.51.100.0/24'")
    raise UnusableError("no address" if text else "nothing stands there")


def _host_and_port(text: str) -> tuple[str, int | None]:
    found = next(filter(None, (form.fullmatch(text) for form in _WITH_PORT)), None)
    if found is None:
        return text, None
    host, port = found.groups()
    if port is None:
        return host, None
    if len(port) > len(str(LAST_PORT)) or int(port) > LAST_PORT:
        raise ValueError(f"{shortened(port)} is no port; ports go up to {LAST_PORT}")
    return host, int(port)
