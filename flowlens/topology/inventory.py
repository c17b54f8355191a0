"""Every item of the documents once, by its id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from flowlens.errors import TopologyError
from flowlens.topology.documents import Document
from flowlens.topology.items import Item

__all__ = ["Inventory", "take_stock"]

#: The key that identifies an item, by the list in which it stands. Load balancers are not here: the name of one stands
#: in the description of its interfaces.
_IDENTITIES = {
    "FlowLogs": "FlowLogId",
    "Instances": "InstanceId",
    "NatGateways": "NatGatewayId",
    "NetworkAcls": "NetworkAclId",
    "NetworkInterfaces": "NetworkInterfaceId",
    "SecurityGroupRules": "SecurityGroupRuleId",
    "SecurityGroups": "GroupId",
    "Subnets": "SubnetId",
    "TransitGatewayAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayVpcAttachments": "TransitGatewayAttachmentId",
    "VpcEndpoints": "VpcEndpointId",
    "Vpcs": "VpcId",
}
# Counts that change with every interface, so that two accounts of one subnet hardly ever agree on them.
_FLEETING = {"AvailableIpAddressCount"}
_PREFIX_LIST_IN_NAME = re.compile(r"(?<![a-z0-9])pl-[0-9a-z]+")


@dataclass(slots=True)
class _Entries:
    """What is known of a prefix list so far: its prefixes, where they stand, and whether more pages belong to it."""

    cidrs: tuple[str, ...]
    where: str
    is_page: bool


@dataclass(slots=True)
class Inventory:
    """Items by the list in which they stand and by id; the prefixes of managed prefix lists."""

    items: dict[str, dict[str, Item]] = field(default_factory=lambda: {section: {} for section in _IDENTITIES})
    entries: dict[str, _Entries] = field(default_factory=dict)

    @property
    def prefix_lists(self) -> dict[str, tuple[str, ...]]:
        """The prefixes of each managed prefix list of which they are known."""
        return {id_: entries.cidrs for id_, entries in self.entries.items()}


def take_stock(documents: Iterable[Document]) -> Inventory:
    """Gather the items of documents.

    Raises
    ------
    TopologyError
        If an item has no id, or one id stands for two different items.
    """
    found = Inventory()
    for document in documents:
        whole = Item.of(document.content, document.where, document.region)
        for section in _IDENTITIES:
            _keep_all(found.items[section], whole, section)
        for reservation in whole.parts("Reservations"):
            _keep_all(found.items["Instances"], reservation, "Instances")
        for prefix_list in whole.parts("PrefixLists"):
            # describe-prefix-lists prints the prefixes at once, describe-managed-prefix-lists does not.
            id_ = prefix_list.identity("PrefixListId")
            if prefix_list.raw.get("Cidrs") is not None:
                cidrs = tuple(_cidrs(prefix_list))
                _keep_entries(found.entries, id_, _Entries(cidrs, prefix_list.where, is_page=False))
        if document.content.get("Entries") is not None:
            cidrs = tuple(dict.fromkeys(entry.prefix("Cidr") or "" for entry in whole.parts("Entries")))
            is_page = whole.text("NextToken") is not None
            id_ = _prefix_list_of(document, whole)
            _keep_entries(found.entries, id_, _Entries(tuple(filter(None, cidrs)), document.where, is_page))
    return found


def _keep_all(kept: dict[str, Item], whole: Item, section: str) -> None:
    identity = _IDENTITIES[section]
    for item in whole.parts(section):
        id_ = item.identity(identity)
        named = Item(f"{item.where} ({id_})", item.raw, item.region)
        known = kept.setdefault(id_, named)
        key = _first_difference(known, named)
        if key is not None:
            raise TopologyError(
                f"{id_} is described in two ways: {key} differs between {known.where} and {named.where}. "
                "Keep the newer of the two documents."
            )


def _first_difference(one: Item, other: Item) -> str | None:
    keys = [key for key in {**one.raw, **other.raw} if key not in _FLEETING]
    return next((key for key in keys if one.raw.get(key) != other.raw.get(key)), None)


def _cidrs(prefix_list: Item) -> Iterable[str]:
    value = prefix_list.raw["Cidrs"]
    wrapped = [{"Cidr": cidr} for cidr in value] if isinstance(value, list | tuple) else value
    for entry in Item(prefix_list.where, {"Cidrs": wrapped}).parts("Cidrs"):
        cidr = entry.prefix("Cidr")
        if cidr is not None:
            yield cidr


def _prefix_list_of(document: Document, whole: Item) -> str:
    """Return which prefix list the entries belong to: the answer of get-managed-prefix-list-entries does not say."""
    id_ = whole.text("PrefixListId")
    in_name = _PREFIX_LIST_IN_NAME.search(document.name)
    if id_ is None and in_name is None:
        raise TopologyError(
            f"{document.where}: Entries do not say to which prefix list they belong. "
            "Name the file after it, like prefix-list-pl-0123456789abcdef0.json, "
            "or add its PrefixListId beside Entries."
        )
    return id_ or in_name[0]  # type: ignore[index]


def _keep_entries(kept: dict[str, _Entries], id_: str, entries: _Entries) -> None:
    known = kept.setdefault(id_, entries)
    if known is entries or set(known.cidrs) == set(entries.cidrs):
        return
    if not (known.is_page or entries.is_page):
        raise TopologyError(
            f"{id_} is described in two ways: Entries differ between {known.where} and {entries.where}. "
            "Keep the newer of the two documents."
        )
    # The last page has no token; after it the list is whole.
    together = tuple(dict.fromkeys(known.cidrs + entries.cidrs))
    kept[id_] = _Entries(together, known.where, is_page=known.is_page and entries.is_page)
