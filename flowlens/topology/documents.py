"""Find the describe-* documents behind what a user hands over: files, folders, dicts, or lists of those."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowlens.errors import TopologyError
from flowlens.topology.items import shape

__all__ = ["KNOWN", "Described", "Document", "documents"]

#: A file of describe-* output, a folder of those, the output itself, or a list of those.
Described = str | os.PathLike[str] | Mapping[str, Any] | list[Any]

#: What describe-* calls and get-managed-prefix-list-entries call their results.
KNOWN = frozenset(
    {
        "Entries", "FlowLogs", "LoadBalancers", "NatGateways", "NetworkAcls", "NetworkInterfaces",
        "PrefixLists", "Reservations", "SecurityGroupRules", "SecurityGroups", "Subnets", "TransitGatewayAttachments",
        "TransitGatewayVpcAttachments", "VpcEndpoints", "Vpcs",
    }
)  # fmt: skip

#: How other describe-* calls call their results: RouteTables, DBInstances.
_OTHER_ANSWER = re.compile(r"[A-Z]\w*[a-z]s")

# An interface takes about 1.5 kB; the largest accounts have some 100,000 of them.
_LARGEST_FILE = 512 * 1024 * 1024
_MOST_FILES = 10_000
# A list of pages, by region, by account: deeper nesting is no describe-* output.
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of a describe-* call.

    Attributes
    ----------
    where
        Where it stands, for messages.
    name
        Name of the file, or the key under which it stands; may tell which prefix list it is about.
    content
        The answer.
    region
        The region that gave it, where that is known.
    """

    where: str
    name: str
    content: Mapping[str, Any]
    region: str | None = None


def documents(source: Described) -> list[Document]:
    """Return the documents behind a source, in the order given, files of a folder sorted by name.

    Raises
    ------
    TopologyError
        If a file is not JSON, or something holds no describe-* output.
    """
    found = list(_in_source(source))
    if not found:
        raise TopologyError(
            "This is no output of the calls that describe interfaces, subnets, VPCs or their filters. "
            "Pass that of `aws ec2 describe-network-interfaces` and its like, as JSON, without --query."
        )
    return found


def _in_source(source: Described) -> Iterator[Document]:
    if isinstance(source, str | os.PathLike):
        yield from _in_path(Path(source))
    elif isinstance(source, Mapping):
        yield from _in_value(source, "the dict given", "", _DEEPEST)
    elif isinstance(source, list | tuple) and source:
        for place, part in enumerate(source):
            if isinstance(part, str | os.PathLike):
                yield from _in_path(Path(part))
            else:
                yield from _in_value(part, f"element {place} of the list given", "", _DEEPEST)
    else:
        raise TopologyError(
            f"{shape(source) if source != [] else 'An empty list'} is no describe-* output. "
            "Pass a file, a folder, a dict or a list of those."
        )


def _in_path(path: Path) -> Iterator[Document]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.json") if file.is_file())
        if not files:
            raise TopologyError(f"{path} holds no file *.json. Save the output of `aws ec2 describe-...` there.")
        if len(files) > _MOST_FILES:
            raise TopologyError(
                f"{path} holds {len(files):,} files *.json, more than {_MOST_FILES:,}. "
                "Name a folder that holds describe-* output only."
            )
        for file in files:
            yield from _in_file(file)
    else:
        yield from _in_file(path)


def _in_file(path: Path) -> Iterator[Document]:
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise TopologyError(
            f"{path} has {size:,} bytes, more than {_LARGEST_FILE:,}. Save the answers in several files."
        )
    try:
        data = path.read_bytes()
        # PowerShell's `>` writes UTF-16.
        text = data.decode(json.detect_encoding(data))
        values = list(_values(text))
    except RecursionError as error:
        raise TopologyError(f"{path} is nested too deeply for describe-* output.") from error
    except ValueError as error:
        raise TopologyError(
            f"{path} is not JSON: {error}. Save the output of `aws ec2 describe-... --output json` there."
        ) from error
    if not values:
        raise TopologyError(f"{path} is empty. Save the output of `aws ec2 describe-...` there.")
    for place, value in enumerate(values):
        where = str(path) if len(values) == 1 else f"{path}, document {place + 1}"
        yield from _in_value(value, where, path.name, _DEEPEST)


def _values(text: str) -> Iterator[object]:
    """Yield the JSON values that stand one after the other, as a loop over pages prints them."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        if text[place].isspace():
            place += 1
        else:
            value, place = decoder.raw_decode(text, place)
            yield value


def _in_value(value: object, where: str, name: str, depth: int) -> Iterator[Document]:
    if isinstance(value, Mapping) and not KNOWN.isdisjoint(value):
        yield Document(where, name, value)
    elif isinstance(value, Mapping) and any(_OTHER_ANSWER.fullmatch(str(key)) for key in value):
        return  # the answer of a call that has nothing to tell here, like describe-route-tables
    elif isinstance(value, Mapping) and depth and value and all(isinstance(v, Mapping | list) for v in value.values()):
        for key, part in value.items():
            yield from _in_value(part, f"{where}, {key!r}", str(key), depth - 1)
    elif isinstance(value, list) and depth and value:
        for place, part in enumerate(value):
            yield from _in_value(part, f"{where}, element {place}", name, depth - 1)
    else:
        raise TopologyError(
            f"{where} holds no describe-* output: there is none of {', '.join(sorted(KNOWN))} in it. "
            "Pass what `aws ec2 describe-...` prints as JSON, without --query."
        )
