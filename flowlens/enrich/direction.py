"""Which way a record went, seen from its interface, and which end began the conversation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlens.columns import GATEWAY_ONLY, VPC_ONLY, typed
from flowlens.enrich.categories import categorical_of, codes_among
from flowlens.enrichment import Enrichment

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Direction", "Way"]

_EGRESS, _INGRESS = "egress", "ingress"
_WAY = ("flow_direction", "interface_id", "srcaddr", "dstaddr")
_SIDES = (*_WAY, "tgw_attachment_id")
_COURSE = (
    "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "srcport", "dstport", "protocol",
    "start", "tcp_flags", "action",
)  # fmt: skip


class Direction(Enrichment):
    """Columns ``direction``, ``local``, ``remote``, ``initiator``, ``initiator_by``, and the real ends."""

    verb = "add_direction"
    inputs = {  # noqa: RUF012 - nobody changes it
        "direction": _WAY,
        "local": _SIDES,
        "remote": _SIDES,
        "real_local": (*_SIDES, "pkt_srcaddr", "pkt_dstaddr"),
        "real_remote": (*_SIDES, "pkt_srcaddr", "pkt_dstaddr"),
        "initiator": _COURSE,
        "initiator_by": _COURSE,
    }
    needs = (("flow_direction", "interface_id"), "srcaddr", "dstaddr")
    of_one_record = False

    def __init__(self, find_owned: Callable[[], pd.DataFrame], find_interval: Callable[[], int]) -> None:
        """Take what finds the addresses of interfaces, and the aggregation interval: both run over all records."""
        self._find_owned, self._find_interval = find_owned, find_interval

    def added(self, columns: Collection[str]) -> tuple[str, ...]:
        real = {"pkt_srcaddr", "pkt_dstaddr"} <= set(columns)
        return tuple(column for column in self.inputs if real or not column.startswith("real_"))

    def takes(self, added: str, columns: Collection[str]) -> Collection[str]:
        taken = set(self.inputs[added])
        if added.startswith("initiator") and not GATEWAY_ONLY.isdisjoint(columns):
            # What the flags of a record mean depends on whether it is one of a transit gateway.
            taken |= GATEWAY_ONLY | VPC_ONLY
        return taken.intersection(columns)

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        way = _ways_of_frame(df, self._find_owned)
        columns = {"direction": _directions(way), **_sides_of_frame(df, way)}
        return {**columns, **self._initiator_of_frame(df)}

    def _initiator_of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        from flowlens.engine import flows_of_frame, run
        from flowlens.reduce.initiator import ENDS, EVIDENCE, initiators

        taken = [column for column in dict.fromkeys((*_COURSE, *GATEWAY_ONLY, *VPC_ONLY)) if column in df.columns]
        numbered = df[taken].assign(row=np.arange(len(df)))
        interval = self._find_interval() if "start" in taken else 0
        told = run(initiators(flows_of_frame(numbered), interval=interval, kept=("row",)), numbered)
        columns = {}
        for column, source, words in (("initiator", "began", ENDS), ("initiator_by", "evidence", EVIDENCE)):
            codes = np.empty(len(df), np.int8)
            codes[told["row"].to_numpy()] = told[source].to_numpy()
            columns[column] = _sorted(codes, words)
        return columns

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        sided = [column for column in self.added(table.columns) if not column.startswith("initiator")]
        if not set(sided).isdisjoint(wanted):
            table = _ways_of_table(table, self._find_owned)
            table = table.mutate(**{column: _side(table, column) for column in sided[1:] if column in wanted})
        if not {"initiator", "initiator_by"}.isdisjoint(wanted):
            table = self._with_initiator(table)
        return table

    def _with_initiator(self, table: ir.Table) -> ir.Table:
        from flowlens.reduce.initiator import ENDS, EVIDENCE, initiators

        interval = self._find_interval() if "start" in table.columns else 0
        told = initiators(table, interval=interval, kept=tuple(table.columns))
        named = told.mutate(
            initiator=told.began.cases(*enumerate(ENDS)), initiator_by=told.evidence.cases(*enumerate(EVIDENCE))
        )
        return named.drop("began", "evidence")


class Way(Enrichment):
    """The field ``flow_direction``, inferred from addresses where it is not logged: for analyses that stand on it."""

    verb = "diagnose"
    inputs = {"flow_direction": _WAY}  # noqa: RUF012 - nobody changes it
    needs = (("flow_direction", "interface_id"), "srcaddr", "dstaddr")
    of_one_record = False

    def __init__(self, find_owned: Callable[[], pd.DataFrame]) -> None:
        """Take what finds the addresses of interfaces, which runs over all records."""
        self._find_owned = find_owned

    def takes(self, added: str, columns: Collection[str]) -> Collection[str]:
        return set(self.inputs[added]).intersection(columns)

    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        return {"flow_direction": _directions(_ways_of_frame(df, self._find_owned))}

    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        if "flow_direction" not in wanted:
            return table
        told = _ways_of_table(table, self._find_owned)
        return told.mutate(flow_direction=told.direction).drop("direction")


def _directions(way: np.ndarray) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(way, categories=pd.Index([_EGRESS, _INGRESS], dtype=str))


def _ways_of_frame(df: pd.DataFrame, find_owned: Callable[[], pd.DataFrame]) -> np.ndarray:
    """Return 0 for egress and 1 for ingress, -1 where neither is known."""
    way: np.ndarray = np.full(len(df), -1, np.int8)
    if "flow_direction" in df.columns:
        logged = categorical_of(typed(df, "flow_direction"))
        places = pd.Index([_EGRESS, _INGRESS], dtype=str).get_indexer(logged.categories)
        way = np.append(places, -1).astype(np.int8)[logged.codes]
    open_ = np.flatnonzero((way < 0) & typed(df, "srcaddr").notna().to_numpy())
    if not len(open_) or "interface_id" not in df.columns:
        return way
    owned, records = find_owned(), df[["interface_id", "srcaddr", "dstaddr"]]
    if len(open_) < len(df):
        records = records.take(open_)
    own = [_is_own(records, end, owned) for end in ("srcaddr", "dstaddr")]
    way[open_] = np.where(own[0] == own[1], -1, np.where(own[0], 0, 1))
    return way


def _ways_of_table(table: ir.Table, find_owned: Callable[[], pd.DataFrame]) -> ir.Table:
    """Return a table with the column `direction` beside its own."""
    import ibis

    logged = ibis.null("string")
    if "flow_direction" in table.columns:
        logged = ibis.cases((table.flow_direction.isin([_EGRESS, _INGRESS]), table.flow_direction))
    owned = find_owned() if "interface_id" in table.columns else pd.DataFrame()
    if owned.empty:
        return table.mutate(direction=logged)
    # Joined and not looked for in a list, which engines go through from its beginning for each record.
    words = (owned["interface_id"].astype(str) + " " + owned["address"].astype(str)).tolist()
    known = ibis.literal(words, type="array<string>").unnest().name("own").as_table().distinct()
    t = table.mutate(
        direction=logged,
        src_at=table.interface_id + " " + table.srcaddr,
        dst_at=table.interface_id + " " + table.dstaddr,
    )
    src, dst = known.rename(src_own="own"), known.rename(dst_own="own")
    t = t.left_join(src, t.src_at == src.src_own).left_join(dst, t.dst_at == dst.dst_own)
    inferred = ibis.cases(
        (t.src_own.notnull() & t.dst_own.isnull(), _EGRESS), (t.dst_own.notnull() & t.src_own.isnull(), _INGRESS)
    )
    return t.mutate(direction=t.direction.coalesce(inferred)).drop("src_at", "dst_at", "src_own", "dst_own")


def _is_own(df: pd.DataFrame, end: str, owned: pd.DataFrame) -> np.ndarray:
    """Tell for each record whether the address at one end is the interface's own."""
    interface, address = categorical_of(typed(df, "interface_id")), categorical_of(typed(df, end))
    count = len(address.categories)
    interfaces = interface.categories.get_indexer(pd.Index(owned["interface_id"]))
    addresses = address.categories.get_indexer(pd.Index(owned["address"]))
    there = (interfaces >= 0) & (addresses >= 0)
    known = interfaces[there].astype(np.int64) * count + addresses[there]
    keys = interface.codes.astype(np.int64) * count + address.codes
    own: np.ndarray = np.isin(keys, known, kind="table" if len(interface.categories) * count < 1 << 28 else None)
    return own & (interface.codes >= 0) & (address.codes >= 0)


def _sides_of_frame(df: pd.DataFrame, way: np.ndarray) -> dict[str, pd.Categorical[str]]:
    src, dst = (categorical_of(typed(df, end)) for end in ("srcaddr", "dstaddr"))
    at_interface = way.copy()
    if "tgw_attachment_id" in df.columns:
        at_interface[typed(df, "tgw_attachment_id").notna().to_numpy()] = -1
    sides = {"local": _chosen(at_interface, src, dst), "remote": _chosen(at_interface, dst, src)}
    if {"pkt_srcaddr", "pkt_dstaddr"} <= set(df.columns):
        real_src, real_dst = (
            _chosen(np.where(real.codes >= 0, 0, 1), real, shown)
            for real, shown in (
                (categorical_of(typed(df, f"pkt_{end}")), one) for end, one in (("srcaddr", src), ("dstaddr", dst))
            )
        )
        sides |= {
            "real_local": _chosen(at_interface, real_src, real_dst),
            "real_remote": _chosen(at_interface, real_dst, real_src),
        }
    return sides


def _chosen(place: np.ndarray, *columns: pd.Categorical[str]) -> pd.Categorical[str]:
    """Return the value of one of two columns for each row: the first where 0, the second where 1, none where -1."""
    first, second = columns
    words = first.categories
    if not words.equals(second.categories):
        words = words.union(second.categories)
    codes = [codes_among(words, column) for column in columns]
    return pd.Categorical.from_codes(
        np.where(place == 0, codes[0], np.where(place == 1, codes[1], -1)), categories=words
    )


def _side(table: ir.Table, column: str) -> ir.StringValue:
    import ibis

    ends = ["srcaddr", "dstaddr"] if column.endswith("local") else ["dstaddr", "srcaddr"]
    near, far = (
        table[f"pkt_{end}"].nullif("-").coalesce(table[end]) if column.startswith("real_") else table[end]
        for end in ends
    )
    side = ibis.cases((table.direction == _EGRESS, near), (table.direction == _INGRESS, far))
    if "tgw_attachment_id" in table.columns:
        return ibis.cases((table.tgw_attachment_id.nullif("-").isnull(), side))
    return side


def _sorted(codes: np.ndarray, words: tuple[str, ...]) -> pd.Categorical[str]:
    """Return words, as categories in order, for codes that are their places."""
    order = sorted(range(len(words)), key=words.__getitem__)
    ranks = np.append(np.argsort(order), -1)
    return pd.Categorical.from_codes(ranks[codes], categories=pd.Index(sorted(words), dtype=str))
