"""The describe-* documents from the API, by a boto3 session that the caller has made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from flowlens.errors import TopologyError
from flowlens.topology.documents import Document

__all__ = ["Session", "describe"]


class _Paginator(Protocol):
    @property
    def paginate(self) -> Callable[..., Iterable[Mapping[str, Any]]]: ...


class _Client(Protocol):
    def get_paginator(self, operation_name: str) -> _Paginator: ...


class Session(Protocol):
    """What is used of a boto3 session."""

    @property
    def region_name(self) -> str | None:
        """The region to ask where none is given."""

    @property
    def client(self) -> Callable[..., _Client]:
        """Make a client of a service in a region."""


# "We strongly recommend using only paginated requests", and this many to a page at most:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html
_PAGE = 1_000
_PAGE_OF_PREFIX_LISTS = 100

_INTERFACES = "describe-network-interfaces"
_PREFIX_LISTS = "describe-managed-prefix-lists"
_ENTRIES = "get-managed-prefix-list-entries"
_CALLS = (
    _INTERFACES,
    "describe-subnets",
    "describe-vpcs",
    "describe-security-groups",
    "describe-security-group-rules",
    "describe-network-acls",
    "describe-flow-logs",
    "describe-instances",
    "describe-nat-gateways",
    "describe-vpc-endpoints",
    "describe-transit-gateway-attachments",
    _PREFIX_LISTS,
)


def describe(session: Session, regions: Iterable[str]) -> tuple[list[Document], tuple[str, ...]]:
    """Return the answers of all calls in all regions, and the calls that were denied.

    Raises
    ------
    TopologyError
        If no region lets network interfaces be described.
    """
    found: list[Document] = []
    denied: dict[str, list[str]] = {}
    places = tuple(dict.fromkeys(regions))
    for region in places:
        client = session.client("ec2", region_name=region)
        for call in _CALLS:
            try:
                found.extend(_answers(client, call, region))
            except Exception as error:
                _raise_unless_denied(error)
                denied.setdefault(call, []).append(region)
        try:
            found.extend(
                _entries(client, [d for d in found if d.region == region and "PrefixLists" in d.content], region)
            )
        except Exception as error:
            _raise_unless_denied(error)
            denied.setdefault(_ENTRIES, []).append(region)
    if len(denied.get(_INTERFACES, ())) == len(places):
        raise TopologyError(
            f"The session may not describe network interfaces in {', '.join(places) or 'any region'}, and there is no "
            "topology without them. Allow it the IAM action ec2:DescribeNetworkInterfaces."
        )
    return found, tuple(
        call if len(where) == len(places) else f"{call} ({', '.join(where)})" for call, where in denied.items()
    )


def _answers(client: _Client, call: str, region: str) -> Iterator[Document]:
    size = _PAGE_OF_PREFIX_LISTS if call == _PREFIX_LISTS else _PAGE
    pages = client.get_paginator(call.replace("-", "_")).paginate(PaginationConfig={"PageSize": size})
    for number, page in enumerate(pages):
        yield Document(f"{call} in {region}, page {number + 1}", call, page, region)


def _entries(client: _Client, lists: list[Document], region: str) -> Iterator[Document]:
    paginator = client.get_paginator(_ENTRIES.replace("-", "_"))
    for id_ in [part["PrefixListId"] for page in lists for part in page.content["PrefixLists"] or ()]:
        pages = paginator.paginate(PrefixListId=id_, PaginationConfig={"PageSize": _PAGE_OF_PREFIX_LISTS})
        entries = [entry for page in pages for entry in page["Entries"]]
        yield Document(f"{_ENTRIES} in {region} of {id_}", id_, {"PrefixListId": id_, "Entries": entries}, region)


def _raise_unless_denied(error: Exception) -> None:
    """Let pass only what says that the session may not make the call.

    Of EC2 that is UnauthorizedOperation; gateways and organisations' policies say AccessDenied or
    AccessDeniedException. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    code = str(details.get("Code", "")) if isinstance(details, dict) else ""
    if not code.removeprefix("Client.").startswith(("UnauthorizedOperation", "AccessDenied")):
        raise error
