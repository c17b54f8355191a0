"""Time what gives names to records: ``python -m benchmarks.naming``.

Groups against pytricia, a radix tree in C, and netaddr; the other additions by their growth.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import netaddr
import numpy as np
import pandas as pd
import pytricia

import flowlens as fl
from benchmarks.measuring import FLOWLENS, Row, growth_row, row_of, say, say_table, take_turns
from benchmarks.records import flow_log_files

_IPV4_PREFIXES, _IPV6_PREFIXES = 1_500, 500
_ADDRESSES = 100_000
_BY_NETADDR = 200  # it looks at every prefix for every address
_ROUNDS = 7

#: Seconds that two columns of 10 million rows may take.
_SECONDS = 0.3

Groups = dict[str, list[str]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naming", description=__doc__)
    parser.add_argument("--small", action="store_true", help="200,000 records in 10 files: does it all run?")
    parser.add_argument("--data", type=Path, help="folder to keep the records in; by default in $TMPDIR")
    arguments = parser.parse_args()
    records, files = (200_000, 10) if arguments.small else (5_000_000, 100)
    paths = sorted(flow_log_files(records, files, arguments.data).rglob("*.log.gz"))
    prefixes = f"{_IPV4_PREFIXES:,} IPv4 and {_IPV6_PREFIXES} IPv6 prefixes"
    say(f"# {records:,} records, {prefixes}, flowlens {fl.__version__}\n")
    say_table(_rows(paths), too_few_for=5_000_000 if arguments.small else None)


def _rows(paths: list[Path]) -> Iterator[Row]:
    random = np.random.default_rng(7)
    groups = _groups(random)
    df, few = fl.read(paths), fl.read(paths[: len(paths) // 10])
    twice = pd.concat([df, df], ignore_index=True)
    yield from _of_rows(twice, groups)
    yield from _of_distinct_addresses(random, groups)
    bytes_a_record = df.flow.add_groups(groups)[["src_group", "dst_group"]].memory_usage(deep=True).sum() / len(df)
    yield Row("bytes a record of both groups", "", bytes_a_record, bytes_a_record, bytes_a_record)
    for name, add in _additions(groups).items():
        seconds = take_turns({"few": lambda add=add: add(few), "many": lambda add=add: add(df)}, 3)
        yield growth_row(name, seconds["few"], seconds["many"], (len(few), len(df)))


def _groups(random: np.random.Generator) -> Groups:
    """Make prefixes of all sizes, many in one another, in 200 groups."""
    groups: Groups = {f"group-{number}": [] for number in range(200)}
    seen = set()
    for number in range(_IPV4_PREFIXES + _IPV6_PREFIXES):
        if number < _IPV4_PREFIXES:
            # Half of them in the private network that the records are of.
            first = int(random.integers(10 << 24, 11 << 24)) if number % 2 else int(random.integers(0, 1 << 32))
            net = netaddr.IPNetwork((first, 4)).ip, int(random.integers(8, 33))
        else:
            low, high = (int(half) for half in random.integers(0, 1 << 63, 2))
            net = netaddr.IPAddress(0x2001 << 112 | (high << 64 | low) >> 16, 6), int(random.integers(20, 65))
        prefix = netaddr.IPNetwork(f"{net[0]}/{net[1]}").cidr
        if prefix not in seen:
            seen.add(prefix)
            groups[f"group-{number % 200}"].append(str(prefix))
    return groups


def _of_rows(df: pd.DataFrame, groups: Groups) -> Iterator[Row]:
    contenders: dict[str, Callable[[], Any]] = {
        FLOWLENS: lambda: df.flow.add_groups(groups),
        "pytricia, then codes": lambda: _by_pytricia(df, groups),
    }
    _check(df.flow.add_groups(groups), _by_pytricia(df, groups))
    seconds = take_turns(contenders, _ROUNDS)
    what = f"add_groups, {len(df):,} records"
    yield row_of(what, "pytricia, then codes", seconds, 1.0)
    mine = sorted(seconds[FLOWLENS])
    yield Row(f"seconds of {what}", "", mine[len(mine) // 2], mine[0], mine[-1], mine[0], _SECONDS)


def _by_pytricia(df: pd.DataFrame, groups: Groups) -> pd.DataFrame:
    """Do the same with the radix tree, as well as one can: each distinct address once, and small codes for the rows."""
    name = _finder(groups)
    words = sorted({*groups, "other"})
    codes = {word: code for code, word in enumerate(words)}
    added = {}
    for column, address in (("src_group", "srcaddr"), ("dst_group", "dstaddr")):
        values = df[address].array
        of_categories = np.array([codes[name(word)] for word in values.categories] + [-1], np.int16)
        added[column] = pd.Categorical.from_codes(of_categories[values.codes], categories=words)
    return df.assign(**added)


def _finder(groups: Groups) -> Callable[[str], str]:
    trees = {False: pytricia.PyTricia(32), True: pytricia.PyTricia(128, socket.AF_INET6)}
    for name, prefixes in groups.items():
        for prefix in prefixes:
            trees[":" in prefix][prefix] = name
    return lambda address: trees[":" in address].get(address, "other")


def _of_distinct_addresses(random: np.random.Generator, groups: Groups) -> Iterator[Row]:
    """Look at the addresses alone: one row for each, a tenth of them IPv6."""
    ipv4 = [str(netaddr.IPAddress(int(number), 4)) for number in random.integers(0, 1 << 32, _ADDRESSES * 9 // 10)]
    halves = random.integers(0, 1 << 63, (_ADDRESSES // 10, 2))
    ipv6 = [str(netaddr.IPAddress(0x2001 << 112 | (int(a) << 64 | int(b)) >> 16, 6)) for a, b in halves]
    words = pd.Categorical(ipv4 + ipv6)
    df = pd.DataFrame({"srcaddr": words, "dstaddr": words})
    few = words.categories[:: len(words.categories) // _BY_NETADDR].tolist()
    nets = {netaddr.IPNetwork(prefix): name for name, prefixes in groups.items() for prefix in prefixes}

    def by_netaddr() -> list[str]:
        return [nets.get(netaddr.smallest_matching_cidr(address, nets), "other") for address in few]

    def by_pytricia() -> list[str]:
        name = _finder(groups)
        return [name(address) for address in words.categories]

    seconds = take_turns(
        {FLOWLENS: lambda: df.flow.add_groups(groups), "pytricia": by_pytricia, "netaddr": by_netaddr}, _ROUNDS
    )
    seconds["netaddr"] = [each / len(few) * len(words.categories) for each in seconds["netaddr"]]
    what = f"add_groups, {len(words.categories):,} distinct addresses"
    yield row_of(what, "pytricia", seconds)
    yield row_of(what, "netaddr", seconds, 0.05)


def _check(mine: pd.DataFrame, theirs: pd.DataFrame) -> None:
    for column in ("src_group", "dst_group"):
        same = mine[column].astype(object).fillna("") == theirs[column].astype(object).fillna("")
        if not same.all():
            raise AssertionError(f"pytricia gives other groups in {column}")


def _additions(groups: Groups) -> dict[str, Callable[[pd.DataFrame], pd.DataFrame]]:
    return {
        "add_groups": lambda df: df.flow.add_groups(groups),
        "add_networks": lambda df: df.flow.add_networks(),
        "add_scope": lambda df: df.flow.add_scope(),
        "add_services": lambda df: df.flow.add_services(),
        "add_direction": lambda df: df.flow.add_direction(),
    }


if __name__ == "__main__":
    main()
