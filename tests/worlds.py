"""Random small VPCs in which as much as possible goes wrong, each made from a seed alone.

They are made to mislead: network ACLs with holes and denies in random order, shared or not, groups that refer to each
other, ports and addresses from so small a choice that conversations meet and repeat, connections that are forgotten,
closed and spoken into, pings both ways, and windows whose records are lost. Half of the conversations are refused.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from flowlens.simulate import (
    ALL,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AclEntry,
    Conversation,
    Interface,
    NetworkAcl,
    Rule,
    RuleChange,
    SecurityGroup,
    SkippedWindow,
    Subnet,
    World,
)

__all__ = ["HOURS", "random_world"]

HOURS = 0.75
_SECONDS = HOURS * 3_600
_GRE, _ESP = 47, 50
_PORTS = (22, 53, 80, 123, 443, 444, 445, 5_432, 8_080, 40_000)
_REUSED = (123, 500, 40_001, 40_002)
_RANGES = ((0, 1_023), (80, 443), (443, 443), (440, 450), (1_024, 65_535), (32_768, 61_000), (49_152, 65_535),
           (0, 65_535))  # fmt: skip
#: Neighbours in number, strangers, and hosts that only speak IPv6.
_OUTSIDE = (*(f"203.0.113.{n}" for n in (4, 5, 6, 7)), "198.51.100.40", "192.0.2.80", "192.0.2.123")
_OUTSIDE6 = ("2001:db8:c0::1", "2001:db8:c0::2", "2001:db8:c1::1")
_ANY, _ANY6, _VPC, _VPC6 = "0.0.0.0/0", "::/0", "10.0.0.0/16", "2001:db8::/56"


def random_world(seed: int, *, conversations: int = 300, changing: bool = False, asymmetric: bool = False) -> World:
    """Make a world; ``changing`` ones have rules that are edited, ``asymmetric`` ones answers on other interfaces."""
    return _Maker(Random(seed)).world(conversations, changing=changing, asymmetric=asymmetric)


class _Maker:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._chance = lambda share: random.random() < share
        self._cidrs: list[str] = []
        self._group_ids = [f"sg-{n}" for n in range(random.randint(2, 5))]

    def world(self, conversations: int, *, changing: bool, asymmetric: bool) -> World:
        random = self._random
        acl_ids = [f"acl-{n}" for n in range(random.randint(1, 4))]
        subnets = self._subnets(acl_ids)
        interfaces = self._interfaces(subnets, asymmetric=asymmetric)
        self._cidrs = [
            _ANY, _ANY, _ANY6, _VPC, _VPC6, "203.0.113.0/24", "203.0.113.5/32", "198.51.100.0/24", "192.0.2.123/32",
            "2001:db8:c0::/48", *(s.cidr for s in subnets), *(s.cidr6 for s in subnets if s.cidr6),
            *(f"{i.address}/32" for i in interfaces[:4]),
        ]  # fmt: skip
        groups = tuple(self._group(name) for name in self._group_ids)
        acls = tuple(self._acl(name) for name in acl_ids)
        return World(
            cidr=_VPC,
            cidr6=_VPC6,
            subnets=subnets,
            security_groups=groups,
            network_acls=acls,
            interfaces=interfaces,
            traffic=tuple(self._traffic(interfaces, subnets, conversations, asymmetric=asymmetric)),
            skipped=self._skipped(interfaces),
            changes=tuple(self._changes(groups, acls)) if changing else (),
        )

    def _subnets(self, acl_ids: list[str]) -> tuple[Subnet, ...]:
        random = self._random
        return tuple(
            Subnet(
                id=f"subnet-{n}",
                name=f"subnet-{n}",
                cidr=f"10.0.{n}.0/24",
                cidr6=f"2001:db8:0:{n + 1}::/64" if self._chance(0.6) else None,
                network_acl=random.choice(acl_ids),
                az=f"x-1{'ab'[n % 2]}",
                az_id=f"x1-az{n % 2 + 1}",
                nat_gateway="eni-nat" if n and self._chance(0.4) else None,
            )
            for n in range(random.randint(2, 5))
        )

    def _interfaces(self, subnets: tuple[Subnet, ...], *, asymmetric: bool) -> tuple[Interface, ...]:
        random = self._random
        found = []
        for n in range(random.randint(4, 11)):
            home = random.choice(subnets)
            kind = random.choice(("instance",) * 5 + ("load_balancer", "database", "endpoint"))
            groups = random.sample(self._group_ids, min(len(self._group_ids), random.choice((1, 1, 1, 2, 3))))
            if kind == "load_balancer" and self._chance(0.4):
                groups = []  # a network load balancer that was made without one
            number = home.id.partition("-")[2]
            found.append(
                Interface(
                    id=f"eni-{n}",
                    name=f"host-{n}",
                    subnet=home.id,
                    address=f"10.0.{number}.{10 + n}",
                    address6=f"2001:db8:0:{int(number) + 1}::{n + 16:x}" if home.cidr6 and self._chance(0.8) else None,
                    security_groups=tuple(groups),
                    kind=kind,
                    instance=f"i-{n}" if kind == "instance" else None,
                    public_address=None if home.nat_gateway else f"198.18.0.{n + 1}",
                    tcp_idle_timeout=random.randint(60, 400) if self._chance(0.6) else 432_000,
                )
            )
        if asymmetric:
            pairs = [i for i in found if i.kind == "instance"]
            for one, other in zip(pairs[::2], pairs[1::2], strict=False):
                found[found.index(other)] = replace(other, instance=one.instance)
        nat = Interface(id="eni-nat", name="nat", subnet="subnet-0", address="10.0.0.220", security_groups=(),
                        kind="nat_gateway", public_address="198.18.0.250")  # fmt: skip
        return (*found, nat)

    # --- filters ------------------------------------------------------------------------------------------------------

    def _what(self) -> tuple[int, tuple[int, int] | None]:
        """Protocol and ports of a rule or an entry."""
        random = self._random
        protocol = random.choice((TCP, TCP, TCP, UDP, UDP, ICMP, ICMPV6, ALL, ALL, _GRE))
        if protocol in {TCP, UDP}:
            port = random.choice(_PORTS)
            return protocol, random.choice(((port, port), (port, port), random.choice(_RANGES), None))
        if protocol in {ICMP, ICMPV6}:
            return protocol, random.choice((None, (-1, -1), (8, -1), (0, -1), (128, -1), (129, -1)))
        return protocol, None

    def _group(self, name: str) -> SecurityGroup:
        random = self._random
        peers = (*self._cidrs, *self._group_ids, name)

        def rules(most: int) -> list[Rule]:
            made = ((*self._what(), random.choice(peers)) for _ in range(random.randint(0, most)))
            return [Rule(protocol=protocol, ports=ports, peer=peer) for protocol, ports, peer in made]

        both = [Rule(protocol=ALL, peer=_ANY), Rule(protocol=ALL, peer=_ANY6)]
        egress = both if self._chance(0.6) else rules(6)
        ingress = [*rules(6), *(both if self._chance(0.35) else [])]
        return SecurityGroup(id=name, name=name, ingress=tuple(ingress), egress=tuple(egress))

    def _acl(self, name: str) -> NetworkAcl:
        return NetworkAcl(id=name, name=name, ingress=self._entries(), egress=self._entries())

    def _entries(self) -> tuple[AclEntry, ...]:
        random = self._random
        numbers = random.sample(range(1, 400), 9)
        found = []
        for number in numbers[: random.randint(0, 6)]:
            protocol, ports = self._what()
            found.append(
                AclEntry(number=number, action=random.choice(("allow", "deny")), protocol=protocol, ports=ports,
                         cidr=random.choice(self._cidrs))
            )  # fmt: skip
        if self._chance(0.25):  # the answers to some ports find no way
            hole = random.choice(((32_768, 40_000), (45_000, 65_535), (1_024, 49_151)))
            found.append(AclEntry(number=numbers[7], action="deny", protocol=TCP, cidr=_ANY, ports=hole))
        if self._chance(0.4):  # pings may be asked for but not answered, or the other way round
            (protocol, kind), cidr = random.choice((((ICMP, 8), _ANY), ((ICMP, 0), _ANY), ((ICMPV6, 129), _ANY6)))
            entry = AclEntry(number=numbers[8], action="deny", protocol=protocol, cidr=cidr, ports=(kind, -1))
            found.append(entry)
        if self._chance(0.85):
            found += [
                AclEntry(number=500 + n, action="allow", protocol=ALL, cidr=cidr)
                for n, cidr in enumerate((_ANY, _ANY6))
            ]
        random.shuffle(found)
        return tuple(found)

    def _changes(self, groups: tuple[SecurityGroup, ...], acls: tuple[NetworkAcl, ...]) -> list[RuleChange]:
        random = self._random
        found = []
        for _ in range(random.randint(1, 5)):
            at = random.uniform(100.0, _SECONDS - 300)
            if self._chance(0.5):
                old = random.choice(groups)
                new = self._group(old.id)
                part = random.choice(({"ingress": new.ingress}, {"egress": new.egress}))
                found.append(RuleChange(at=at, security_group=replace(old, **part)))
            else:
                acl = random.choice(acls)
                new = self._acl(acl.id)
                part = random.choice(({"ingress": new.ingress}, {"egress": new.egress}))
                found.append(RuleChange(at=at, network_acl=replace(acl, **part)))
        return found

    # --- traffic ------------------------------------------------------------------------------------------------------

    def _traffic(
        self, interfaces: tuple[Interface, ...], subnets: tuple[Subnet, ...], count: int, *, asymmetric: bool
    ) -> list[Conversation]:
        found: list[Conversation] = []
        homes = {s.id: s for s in subnets}
        while len(found) < count:
            ends = self._ends(interfaces, homes)
            if ends is None:
                continue
            plan = self._plan(*ends)
            if asymmetric and self._chance(0.5):
                plan = replace(plan, reply_from=self._second(interfaces, plan))
            found.append(plan)
            found.extend(self._echoes(plan, interfaces, homes))
        return found[:count]

    def _ends(
        self, interfaces: tuple[Interface, ...], homes: dict[str, Subnet]
    ) -> tuple[Interface | str, Interface | str, bool] | None:
        """Return two hosts that can speak to each other, and whether they do so over IPv6."""
        random = self._random
        one = random.choice(interfaces)
        if self._chance(0.55):
            if one.kind == "nat_gateway":
                return None
            other = random.choice(interfaces)
            ipv6 = self._chance(0.25) and bool(one.address6 and other.address6)
            return None if other is one else (one, other, ipv6)
        if one.address6 and self._chance(0.35):
            ends = (one, random.choice(_OUTSIDE6), True)
        else:
            ends = (one, random.choice(_OUTSIDE), False)
        if self._chance(0.4) and one.kind != "nat_gateway":
            return ends  # outwards
        return None if homes[one.subnet].nat_gateway else (ends[1], one, ends[2])

    def _plan(self, one: Interface | str, other: Interface | str, ipv6: bool) -> Conversation:
        random = self._random
        ends = {
            "initiator": one if isinstance(one, str) else one.id,
            "responder": other if isinstance(other, str) else other.id,
            "start": round(random.uniform(0.0, _SECONDS - 200), 3),
            "ipv6": ipv6 and not isinstance(one, str) and not isinstance(other, str),
        }
        protocol = random.choices((TCP, UDP, ICMPV6 if ipv6 else ICMP, _GRE, _ESP), (58, 20, 16, 4, 2))[0]
        if protocol == TCP:
            return self._tcp(ends)
        exchanges = random.choice((1, 1, 2, 5, 20))
        plan = Conversation(
            **ends,
            protocol=protocol,
            exchanges=exchanges,
            duration=random.choice((1.0, 25.0, 100.0)),
            bytes_up=random.randint(20, 900),
            bytes_down=random.choice((0, 120, 4_000)),
            answer=random.choice(("serve", "serve", "serve", "silent")),
        )
        if protocol != UDP:
            return plan
        port = random.choice(_PORTS)
        own = port if port == 123 or self._chance(0.1) else self._own_port()
        return replace(plan, responder_port=port, initiator_port=own)

    def _own_port(self) -> int:
        return self._random.choice(_REUSED) if self._chance(0.25) else 0

    def _tcp(self, ends: dict[str, object]) -> Conversation:
        random = self._random
        return Conversation(
            **ends,
            responder_port=random.choice(_PORTS),
            initiator_port=self._own_port(),
            bytes_up=random.choice((0, 100, 3_000, 60_000)),
            bytes_down=random.choice((0, 500, 40_000)),
            exchanges=random.choice((1, 3, 30)),
            duration=random.choice((0.2, 2.0, 40.0, 150.0)),
            answer=random.choice(("serve",) * 6 + ("refuse", "silent")),
            close=random.choice(("fin", "fin", "fin", "reset")),
            syn_retries=random.choice((0, 1, 3, 6)),
            pause=random.choice((0.0, 0.0, 0.0, 70.0, 250.0, 420.0, 900.0)),
            late=random.choice((None, None, None, 3.0, 30.0, 80.0, 200.0)),
        )

    @staticmethod
    def _second(interfaces: tuple[Interface, ...], plan: Conversation) -> str | None:
        """The other interface of the responder's instance, if it speaks the same version of IP."""
        asked = next((i for i in interfaces if i.id == plan.responder and i.instance), None)
        ipv6 = plan.ipv6 or ":" in plan.initiator
        others = [
            i.id for i in interfaces
            if asked and i.instance == asked.instance and i.id not in {asked.id, plan.initiator}
        ]  # fmt: skip
        return next((o for o in others if not ipv6 or next(i for i in interfaces if i.id == o).address6), None)

    def _echoes(
        self, plan: Conversation, interfaces: tuple[Interface, ...], homes: dict[str, Subnet]
    ) -> list[Conversation]:
        """What makes a conversation harder to read: the same again, the other way round, or from a neighbour."""
        random = self._random
        found = []
        later = round(plan.start + random.choice((20.0, 45.0, 130.0, 400.0, 1_300.0)), 3)
        if self._chance(0.15):  # again, now and then on the same ports
            found.append(replace(plan, start=later))
        if self._chance(0.2) and plan.responder.startswith("eni") and plan.responder != "eni-nat":
            back = replace(plan, start=later, initiator=plan.responder, responder=plan.initiator, reply_from=None)
            if plan.protocol in {TCP, UDP}:
                back = replace(back, initiator_port=plan.responder_port, responder_port=plan.initiator_port or 500)
            if back.responder.startswith("eni") or self._goes_out(plan.responder, interfaces, homes, back.responder):
                found.append(back)
        if self._chance(0.3) and plan.responder.startswith("eni"):  # to a neighbour in the same subnet
            asked = next(i for i in interfaces if i.id == plan.responder)
            near = [
                i for i in interfaces
                if i.subnet == asked.subnet and i.id not in {asked.id, plan.initiator} and (i.address6 or not plan.ipv6)
                and (":" not in plan.initiator or i.address6)
            ]  # fmt: skip
            if near:
                found.append(replace(plan, start=later, responder=random.choice(near).id, initiator_port=0,
                                     reply_from=None))  # fmt: skip
        return found

    @staticmethod
    def _goes_out(sender: str, interfaces: tuple[Interface, ...], homes: dict[str, Subnet], receiver: str) -> bool:
        own = next(i for i in interfaces if i.id == sender)
        return ":" in receiver or bool(own.public_address or homes[own.subnet].nat_gateway)

    def _skipped(self, interfaces: tuple[Interface, ...]) -> tuple[SkippedWindow, ...]:
        random = self._random
        return tuple(
            SkippedWindow(interface=random.choice(interfaces).id, at=random.uniform(0, _SECONDS - 1),
                          share=random.choice((0.5, 1.0)))
            for _ in range(random.choice((0, 0, 1, 2)))
        )  # fmt: skip
