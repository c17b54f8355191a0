"""Groups of addresses to take: ``fl.groups``. Each function returns what `add_groups` understands."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from flowlens.cidr import PRIVATE
from flowlens.errors import BadLine, ParseError
from flowlens.topology import Topology, need_topology

if TYPE_CHECKING:
    from flowlens.topology.parts import Subnet, Vpc

__all__ = ["accounts", "aws_ranges", "private", "subnets", "vpcs", "zones"]

#: What AWS lists under these it lists under the service, too, if it belongs to one.
_GENERAL = ("AMAZON", "EC2")


def private() -> pd.DataFrame:
    """Return the address ranges for private networks, as one group.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group` (*private*): RFC 1918, the shared addresses of RFC 6598, and IPv6's of RFC 4193. Take it beside
        others with ``pd.concat``.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.groups.private().head(2)
                cidr    group
    0     10.0.0.0/8  private
    1  172.16.0.0/12  private
    """
    return pd.DataFrame({"cidr": list(PRIVATE), "group": "private"})


def aws_ranges(
    source: str | os.PathLike[str] | Mapping[str, object], *, by: Literal["service", "region"] = "service"
) -> pd.DataFrame:
    """Return the public address ranges of AWS as groups.

    Parameters
    ----------
    source : path or dict
        What AWS publishes at https://ip-ranges.amazonaws.com/ip-ranges.json: the file, or its content as read from
        JSON.
    by : {"service", "region"}
        What the groups are. AWS lists most ranges several times; of services the most special one counts, which is the
        one with the fewest ranges.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group`: *S3*, *EC2*, *AMAZON*, ...; or *eu-west-1*, *GLOBAL*, ...

    Raises
    ------
    ParseError
        If the file is not that JSON.
    ValueError
        If `by` is none of the above.

    Examples
    --------
    >>> import flowlens as fl
    >>> ranges = {"prefixes": [
    ...     {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "AMAZON"},
    ...     {"ip_prefix": "52.95.128.0/21", "region": "ap-southeast-2", "service": "S3"},
    ... ], "ipv6_prefixes": []}
    >>> fl.groups.aws_ranges(ranges)
                 cidr group
    0  52.95.128.0/21    S3
    """
    if by not in {"service", "region"}:
        raise ValueError(f"by={by!r} is none of 'service' and 'region'")
    name, content = _content(source)
    found = [
        (item[key], item[by])
        for part, key in (("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix"))
        for item in _items(content, part, (key, by), name)
    ]
    ranges = Counter(group for _, group in found)

    def special(group: str) -> tuple[int, int, str]:
        return _GENERAL.index(group) if group in _GENERAL else len(_GENERAL), -ranges[group], group

    groups: dict[str, str] = {}
    for cidr, group in found:
        groups[cidr] = max(groups.get(cidr, group), group, key=special)
    return pd.DataFrame({"cidr": list(groups), "group": list(groups.values())}, dtype=str)


def _content(source: str | os.PathLike[str] | Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    if isinstance(source, Mapping):
        return "the ranges", source
    path = Path(source)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _no_ranges(str(path), f"it is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise _no_ranges(str(path), "it is no JSON object")
    return str(path), content


def _items(content: Mapping[str, object], part: str, keys: tuple[str, ...], name: str) -> Iterator[dict[str, str]]:
    items = content.get(part)
    if not isinstance(items, list):
        raise _no_ranges(name, f"it has no list {part!r}")
    for place, item in enumerate(items, 1):
        if not (isinstance(item, dict) and all(isinstance(item.get(key), str) for key in keys)):
            raise _no_ranges(name, f"item {place} of {part!r} lacks {' or '.join(keys)}: {str(item)[:80]}")
        yield item


def _no_ranges(name: str, problem: str) -> ParseError:
    return ParseError(
        [BadLine(name, 1, "", problem)],
        "Give the file that AWS publishes as https://ip-ranges.amazonaws.com/ip-ranges.json.",
    )


def subnets(topology: Topology, *, vpc: str | None = None) -> pd.DataFrame:
    """Return the subnets of a topology as groups.

    Parameters
    ----------
    topology : Topology
        What the describe calls printed.
    vpc : str, optional
        Id of the VPC whose subnets are meant; all by default. VPCs may have the same addresses, which `add_groups`
        refuses: take each by itself then, with its records.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group`: the subnet's Name tag, or its id where it has none; where several have the same name, both.

    Raises
    ------
    TypeError
        If it is no topology.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.groups.subnets(fl.sample_topology()).head(3)
                          cidr     group
    0             10.20.0.0/24  public-a
    1  2001:db8:1234:5600::/64  public-a
    2             10.20.1.0/24  public-b
    """
    there = _subnets(topology, "subnets", vpc)
    named = Counter(subnet.name for subnet in there)
    return _frame((cidr, _name_of(subnet, named)) for subnet in there for cidr in subnet.cidrs)


def vpcs(topology: Topology) -> pd.DataFrame:
    """Return the VPCs of a topology as groups.

    Parameters
    ----------
    topology : Topology
        What the describe calls printed.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group`: the VPC's Name tag, or its id where it has none; where several have the same name, both.

    Raises
    ------
    TypeError
        If it is no topology.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.groups.vpcs(fl.sample_topology())
                          cidr                  group
    0             10.20.0.0/16  vpc-0a1b2c3d4e5f60718
    1  2001:db8:1234:5600::/56  vpc-0a1b2c3d4e5f60718
    """
    need_topology(topology, "groups.vpcs")
    named = Counter(vpc.name for vpc in topology.vpcs.values())
    return _frame((cidr, _name_of(vpc, named)) for vpc in topology.vpcs.values() for cidr in vpc.cidrs)


def zones(topology: Topology, *, vpc: str | None = None) -> pd.DataFrame:
    """Return the availability zones of a topology as groups, each with the prefixes of its subnets.

    Parameters
    ----------
    topology : Topology
        What the describe calls printed.
    vpc : str, optional
        Id of the VPC whose subnets are meant, as for `subnets`.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group`: the zone's id, as in `az_id`: *euw1-az1*. Names like *eu-west-1a* mean another zone in each
        account.

    Raises
    ------
    TypeError
        If it is no topology.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.groups.zones(fl.sample_topology()).head(3)
                          cidr     group
    0             10.20.0.0/24  euw1-az1
    1  2001:db8:1234:5600::/64  euw1-az1
    2             10.20.1.0/24  euw1-az2
    """
    return _frame(
        (cidr, subnet.zone_id or subnet.zone or "unknown zone")
        for subnet in _subnets(topology, "zones", vpc)
        for cidr in subnet.cidrs
    )


def accounts(topology: Topology) -> pd.DataFrame:
    """Return the accounts of a topology as groups, each with the prefixes of its VPCs.

    Parameters
    ----------
    topology : Topology
        What the describe calls printed.

    Returns
    -------
    pandas.DataFrame
        `cidr`, `group`: the account's id.

    Raises
    ------
    TypeError
        If it is no topology.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.groups.accounts(fl.sample_topology())
                          cidr         group
    0             10.20.0.0/16  123456789012
    1  2001:db8:1234:5600::/56  123456789012
    """
    need_topology(topology, "groups.accounts")
    return _frame((cidr, vpc.account or "unknown account") for vpc in topology.vpcs.values() for cidr in vpc.cidrs)


def _subnets(topology: Topology, what: str, vpc: str | None) -> list[Subnet]:
    need_topology(topology, f"groups.{what}")
    return [subnet for subnet in topology.subnets.values() if vpc is None or subnet.vpc == vpc]


def _name_of(part: Subnet | Vpc, named: Counter[str | None]) -> str:
    if not part.name:
        return part.id
    return part.name if named[part.name] == 1 else f"{part.name} ({part.id})"


def _frame(rows: Iterable[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["cidr", "group"], dtype=str)
