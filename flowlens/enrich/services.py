"""What a record is about, in words: the service, the protocol, the TCP flags, the way the traffic takes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.columns import GATEWAY_ONLY, VPC_ONLY, typed
from flowlens.enrich.categories import categorical_of, codes_among
from flowlens.enrichment import Enrichment
from flowlens.service import ACK, FIN, RST, SYN, protocol_name, service_names

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Services", "flag_words"]

#: The protocols that have ports: DCCP and UDPLite beside those that everybody knows.
_WITH_PORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}

_FLAGS = (("FIN", FIN), ("RST", RST), ("PSH", 8), ("URG", 32))

#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html, in fewer words
_PATHS = {
    1: "same VPC",
    2: "internet gateway or gateway endpoint",
    3: "virtual private gateway",
    4: "VPC peering",
    5: "inter-region VPC peering",
    6: "local gateway or zone",
    7: "gateway endpoint",
    8: "internet gateway",
}

_SRC_SERVICE, _DST_SERVICE = "pkt_src_aws_service", "pkt_dst_aws_service"


class Services(Enrichment):
    """Columns ``service``, ``protocol_name``, ``flags``, and ``path`` and ``aws_service`` where the log tells."""

    verb = "add_services"
    inputs = {  # noqa: RUF012 - nobody changes it
        "service": ("srcport", "dstport", "protocol", "tcp_flags"),
        "protocol_name": ("protocol",),
        "flags": ("tcp_flags",),
        "path": ("traffic_path",),
        "aws_service": (_SRC_SERVICE, _DST_SERVICE),
    }
    needs = ("srcport", "dstport", "protocol")

    def added(self, columns: Collection[str]) -> tuple[str, ...]:
        there = {"path": "traffic_path" in columns, "aws_service": {_SRC_SERVICE, _DST_SERVICE} <= set(columns)}
        return tuple(column for column in self.inputs if there.get(column, True))

    def takes(self, added: str, columns: Collection[str]) -> Collection[str]:
        if added == "service" and not GATEWAY_ONLY.isdisjoint(columns):
            # What the flags of a record mean depends on whether it is one of a transit gateway.
            return {*self.inputs[added], *(GATEWAY_ONLY | VPC_ONLY).intersection(columns)}
        return self.inputs[added]

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        columns = {"service": self._services(df)}
        for column, (source, word) in _OF_NUMBERS.items():
            if column in self.added(df.columns):
                numbers = typed(df, source) if source in df.columns else pd.Series(pd.NA, df.index, dtype="UInt8")
                columns[column] = _per_number(numbers, word)
        if "aws_service" in self.added(df.columns):
            columns["aws_service"] = _first_of(typed(df, _DST_SERVICE), typed(df, _SRC_SERVICE))
        return columns

    def _services(self, df: pd.DataFrame) -> pd.Categorical[str]:
        from flowlens.engine import flows_of_frame, run

        flows = flows_of_frame(df)
        ports = run(flows.select(port=_offered(flows)), df)["port"].to_numpy(np.int64)
        protocols = typed(df, "protocol").to_numpy(np.int64, na_value=0)
        known = np.isin(protocols, list(_WITH_PORTS)) & (ports >= 0)
        places, distinct = pd.factorize(np.where(known, ports << 8 | protocols, -1))
        texts = ["" if key < 0 else _service(key >> 8, key & 0xFF) for key in distinct.tolist()]
        words = pd.Index(sorted({*texts} - {""}), dtype=str)
        return pd.Categorical.from_codes(words.get_indexer(pd.Index(texts, dtype=str))[places], categories=words)

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        expressions: dict[str, Callable[[ir.Table], ir.Value]] = {
            "protocol_name": lambda t: _word_of(t.protocol, 256, protocol_name),
            "flags": _flags_of_table,
            "path": lambda t: t.traffic_path.cases(*_PATHS.items()),
            "aws_service": lambda t: t[_DST_SERVICE].nullif("-").coalesce(t[_SRC_SERVICE].nullif("-")),
        }
        added = {name: expression(table) for name, expression in expressions.items() if name in wanted}
        if "service" in wanted:
            return _with_service(table).mutate(**added)
        return table.mutate(**added) if added else table


def _service(port: int, protocol: int) -> str:
    return service_names().get(port) or f"{port}/{_WITH_PORTS[protocol]}"


def _offered(flows: ir.Table) -> ir.IntegerValue:
    """Return the port of the side that offers the service, -1 where there is none."""
    from flowlens.reduce.records import telling_flags
    from flowlens.reduce.summary import service_port

    flags = telling_flags(flows) if "tcp_flags" in flows.columns else None
    port: ir.IntegerValue = service_port(flows, flags).cast("int64").fill_null(-1)
    return port


def _with_service(table: ir.Table) -> ir.Table:
    import ibis

    t = table.mutate(service_port=_offered(table))
    numbered = t.service_port.cast("string") + "/" + t.protocol.cases(*_WITH_PORTS.items())
    named = t.service_port.cases(*service_names().items(), else_=numbered)
    named = ibis.cases(((t.service_port >= 0) & t.protocol.isin(list(_WITH_PORTS)), named))
    return t.mutate(service=named).drop("service_port")


def flag_words(flags: int) -> str:
    """Return the TCP flags of a number in words: ``SYN-ACK FIN``; ``none`` where none is set."""
    opening = "SYN-ACK" if flags & SYN and flags & ACK else "SYN" if flags & SYN else "ACK" if flags & ACK else ""
    return " ".join([*([opening] if opening else []), *(name for name, bit in _FLAGS if flags & bit)]) or "none"


def _flags_of_table(t: ir.Table) -> ir.StringValue:
    import ibis

    if "tcp_flags" not in t.columns:
        return ibis.null("string")
    flags = t.tcp_flags
    syn, ack = (flags & SYN) > 0, (flags & ACK) > 0
    opening = ibis.cases((syn & ack, "SYN-ACK "), (syn, "SYN "), (ack, "ACK "), else_="")
    words = reduce(add, [opening, *(((flags & bit) > 0).ifelse(f"{name} ", "") for name, bit in _FLAGS)]).strip()
    return ibis.cases((flags.notnull() & (words == ""), "none"), (flags.notnull(), words))


def _path(number: int) -> str | None:
    return _PATHS.get(number)


_OF_NUMBERS: dict[str, tuple[str, Callable[[int], str | None]]] = {
    "protocol_name": ("protocol", protocol_name),
    "flags": ("tcp_flags", flag_words),
    "path": ("traffic_path", _path),
}


def _per_number(numbers: pd.Series, word: Callable[[int], str | None]) -> pd.Categorical[str]:
    """Return a word for each number below 256; words that do not occur are no categories."""
    places = numbers.to_numpy(np.int64, na_value=256)
    occurring = np.flatnonzero(np.bincount(places, minlength=257)[:256]).tolist()
    words_of = {number: text for number in occurring if (text := word(number)) is not None}
    words = sorted(set(words_of.values()))
    codes = np.full(257, -1, np.int16)
    for number, text in words_of.items():
        codes[number] = words.index(text)
    return pd.Categorical.from_codes(codes[places], categories=pd.Index(words, dtype=str))


def _word_of(number: ir.IntegerValue, count: int, word: Callable[[int], str]) -> ir.StringValue:
    """Return the words of numbers; those that are their own word need no case."""
    named = [(at, word(at)) for at in range(count) if word(at) != str(at)]
    words: ir.StringValue = number.cases(*named, else_=number.cast("string"))
    return words


def _first_of(first: pd.Series, second: pd.Series) -> pd.Categorical[str]:
    """Return the values of one column of words, and those of another where the first has none."""
    one, other = categorical_of(first), categorical_of(second)
    words = sorted({*one.categories, *other.categories})
    index = pd.Index(words, dtype=str)
    codes = [codes_among(index, column) for column in (one, other)]
    return pd.Categorical.from_codes(np.where(codes[0] >= 0, *codes), categories=index)
