"""A day in the small company's VPC: ordinary traffic, mistakes and one break-in. Times are seconds from midnight."""

from __future__ import annotations

from flowlens.simulate.world import ICMP, ICMPV6, UDP, Conversation, Host, Repeat, Step, Traffic, Visits

__all__ = ["HOSTS", "SKIPPED", "Places", "day"]

#: Interface ids by the name of what they belong to.
Places = dict[str, str]

_OFFICE = "203.0.113.5"
_PARTNER = tuple(f"203.0.113.{n}" for n in range(64, 70))
_SCANNER, _GUESSER = "198.51.100.77", "192.0.2.66"
_CONTROL, _DROP = "203.0.113.250", "198.51.100.23"
_S3, _PACKAGES, _PAYMENTS = "198.51.100.240", "192.0.2.80", "198.51.100.50"
_NTP, _DNS_UPSTREAM = "192.0.2.123", "192.0.2.53"

HOSTS = (
    Host(address=_OFFICE, name="office"),
    Host(address=_S3, name="s3.eu-west-1", aws_service="S3"),
    Host(address=_PACKAGES, name="package mirror"),
    Host(address=_PAYMENTS, name="payment provider"),
    Host(address=_NTP, name="time server"),
    Host(address=_DNS_UPSTREAM, name="DNS upstream"),
    Host(address=_SCANNER, name="port scanner"),
    Host(address=_GUESSER, name="password guesser"),
    Host(address=_CONTROL, name="control server"),
    Host(address=_DROP, name="drop server"),
)

_CUSTOMERS = (
    *(f"192.0.2.{n}" for n in range(10, 50)),
    *(f"198.51.100.{n}" for n in range(100, 140)),
    *(f"203.0.113.{n}" for n in range(10, 40)),
    *(f"2001:db8:c0:{n:x}::1" for n in range(1, 21)),
)
_BACKGROUND = (
    *(f"192.0.2.{n}" for n in range(140, 255)),
    *(f"198.51.100.{n}" for n in range(141, 230)),
    *(f"203.0.113.{n}" for n in range(128, 240)),
)
_SHOP_HOURS = (
    20,
    14,
    10,
    8,
    8,
    12,
    30,
    70,
    120,
    160,
    180,
    190,
    210,
    190,
    180,
    170,
    160,
    170,
    190,
    210,
    190,
    130,
    80,
    40,
)
_WORK_HOURS = (0,) * 8 + (4,) * 10 + (0,) * 6


def _at(hour: int, minute: int = 0, second: int = 0) -> float:
    return hour * 3_600.0 + minute * 60.0 + second


#: Windows whose records AWS lost, and which share of them: the load balancer at its peak, the NAT gateway at night.
SKIPPED = (("alb-a", _at(12, 31, 30), 1.0), ("nat-a", _at(23, 20, 30), 0.5))


def day(places: Places) -> tuple[Traffic, ...]:
    """Return everything that happens in 24 hours."""
    return (*_customers(places), *_housekeeping(places), *_people(places), *_mistakes(places), *_break_in(places))


def _customers(places: Places) -> tuple[Traffic, ...]:
    balancers, servers = (places["alb-a"], places["alb-b"]), (places["web-1"], places["web-2"])
    shop = (
        Step(responders=balancers, ports=(443,), bytes_up=1_800, bytes_down=45_000, exchanges=4, duration=6.0,
             late_share=0.01),
        Step(responders=servers, ports=(8_080,), bytes_up=2_000, bytes_down=44_000, exchanges=4, duration=5.0),
        Step(responders=(places["orders-db"],), ports=(5_432,), bytes_up=1_500, bytes_down=9_000, exchanges=8,
             duration=1.0),
    )  # fmt: skip
    health = tuple(
        Repeat(
            name=f"health check {a} {b}",
            conversation=Conversation(
                start=7.0 * n, initiator=a, responder=b, responder_port=8_080, bytes_up=130, bytes_down=180
            ),
            every=300.0,
        )
        for n, (a, b) in enumerate((a, b) for a in balancers for b in servers)
    )
    ports = (23, 25, 110, 445, 1_433, 2_323, 3_306, 3_389, 5_900, 6_379, 8_081, 8_443, 9_200, 27_017)
    exposed = tuple(places[name] for name in ("alb-a", "alb-b", "bastion", "nat-a", "partner-api"))
    probe = Step(responders=exposed, ports=ports, syn_retries=0, bytes_up=0, bytes_down=0)
    return (
        Visits(name="shop", initiators=_CUSTOMERS, steps=shop, per_hour=_SHOP_HOURS),
        Visits(name="payments", initiators=servers, per_hour=tuple(rate / 20 for rate in _SHOP_HOURS),
               steps=(Step(responders=(_PAYMENTS,), ports=(443,), bytes_up=2_400, bytes_down=5_200, exchanges=3),)),
        Visits(name="pictures", initiators=servers, per_hour=tuple(rate / 10 for rate in _SHOP_HOURS),
               steps=(Step(responders=(_S3,), ports=(443,), bytes_up=900, bytes_down=180_000, exchanges=2),)),
        *health,
        Visits(name="background scan", initiators=_BACKGROUND, steps=(probe,), per_hour=130, label="background_scan",
               note="one probe of the permanent scanning of the internet"),
        Visits(name="background scan UDP", initiators=_BACKGROUND, per_hour=25, label="background_scan",
               note="one probe of the permanent scanning of the internet",
               steps=(Step(responders=exposed, ports=(53, 161, 1_900, 5_060, 11_211), protocol=UDP, bytes_up=40,
                           bytes_down=0),)),
    )  # fmt: skip


def _housekeeping(places: Places) -> tuple[Traffic, ...]:
    monitor, dns = places["monitor"], places["dns-1"]
    logging = ("web-1", "web-2", "dns-1", "batch", "reports", "bastion", "partner-api")
    syslog = tuple(
        Repeat(
            name=f"syslog {name}",
            conversation=Conversation(start=11.0 * n, initiator=places[name], responder=monitor, protocol=UDP,
                                      initiator_port=40_514, responder_port=514, bytes_up=1_100, exchanges=5,
                                      duration=3.0),
            every=240.0, jitter=60.0, vary=0.6,
        )
        for n, name in enumerate(logging)
    )  # fmt: skip
    pings = tuple(
        Repeat(
            name=f"ping {name} {protocol}",
            conversation=Conversation(start=30.0, initiator=monitor, responder=places[name], protocol=protocol,
                                      exchanges=3, duration=2.0, ipv6=protocol == ICMPV6),
            every=300.0,
        )
        for name, protocol in (("web-1", ICMP), ("web-2", ICMP), ("bastion", ICMP), ("partner-api", ICMP),
                               ("web-2", ICMPV6))
    )  # fmt: skip
    askers = tuple(places[name] for name in ("web-1", "web-2", "batch", "reports", "monitor", "bastion"))
    lookup = Step(responders=(dns,), ports=(53,), protocol=UDP, bytes_up=42, bytes_down=120)
    upstream = Step(responders=(_DNS_UPSTREAM,), ports=(53,), protocol=UDP, bytes_up=50, bytes_down=160)
    updates = Step(responders=(_PACKAGES,), ports=(443,), bytes_up=2_500, bytes_down=900_000, duration=4.0)
    return (
        *syslog,
        *pings,
        Visits(name="lookups", initiators=askers, steps=(lookup,), per_hour=45),
        Visits(name="lookups not in the cache", initiators=askers, steps=(lookup, upstream), per_hour=15),
        Visits(name="package updates", initiators=askers[:5], steps=(updates,), per_hour=6),
        Repeat(
            name="time",
            conversation=Conversation(start=100.0, initiator=dns, responder=_NTP, protocol=UDP, initiator_port=123,
                                      responder_port=123, bytes_up=48, bytes_down=48),
            every=1_024.0,
        ),
        Repeat(
            name="DNS over TCP",
            conversation=Conversation(start=45.0, initiator=monitor, responder=dns, responder_port=53, answer="refuse",
                                      note="nothing listens there: the resolver answers over UDP only"),
            every=900.0,
        ),
        Conversation(start=_at(0, 5), initiator=places["web-1"], responder=places["orders-db"], responder_port=5_432,
                     bytes_up=9_000_000, bytes_down=60_000_000, exchanges=40_000, duration=_at(20),
                     note="the connection pool of the shop, open for most of the day"),
        Conversation(start=_at(1, 30), initiator=places["batch"], responder=places["orders-db"], responder_port=5_432,
                     bytes_up=400_000, bytes_down=2_600_000_000, duration=_at(0, 25), note="nightly dump"),
        Conversation(start=_at(1, 56), initiator=places["batch"], responder=_S3, responder_port=443,
                     bytes_up=900_000_000, bytes_down=90_000, duration=_at(0, 14), note="nightly backup to S3"),
    )  # fmt: skip


def _people(places: Places) -> tuple[Traffic, ...]:
    bastion = places["bastion"]
    session = Step(
        responders=(bastion,), ports=(22,), bytes_up=22_000, bytes_down=90_000, exchanges=300, duration=700.0
    )
    onward = Step(
        responders=tuple(places[name] for name in ("web-1", "web-2", "batch", "reports", "dns-1")),
        ports=(22,), bytes_up=20_000, bytes_down=85_000, exchanges=280, duration=600.0,
    )  # fmt: skip
    return (
        Visits(name="admins", initiators=(_OFFICE,), steps=(session, onward),
               per_hour=tuple(rate / 3 for rate in _WORK_HOURS)),
        Repeat(
            name="dashboard",
            conversation=Conversation(start=_at(6), initiator=places["reports"], responder=places["analytics-db"],
                                      responder_port=5_432, bytes_up=3_000, bytes_down=250_000, exchanges=6,
                                      duration=4.0),
            every=600.0, jitter=40.0, vary=0.4, last=_at(22),
        ),
    )  # fmt: skip


def _mistakes(places: Places) -> tuple[Traffic, ...]:
    partners = tuple(
        Repeat(
            name=f"partner {address}",
            conversation=Conversation(start=_at(9, 2 * n), initiator=address, responder=places["partner-api"],
                                      responder_port=443, bytes_up=4_000, bytes_down=9_000, label="nacl_ephemeral",
                                      note="the subnet's network ACL has no egress entry for ephemeral ports"),
            every=1_500.0, jitter=200.0, last=_at(18),
        )
        for n, address in enumerate(_PARTNER)
    )  # fmt: skip
    return (
        Repeat(
            name="reports to the orders database",
            conversation=Conversation(start=_at(10, 15), initiator=places["reports"], responder=places["orders-db"],
                                      responder_port=5_432, bytes_up=2_000, bytes_down=90_000, syn_retries=3,
                                      label="missing_sg_rule",
                                      note="orders-db-sg allows 5432 from web-sg and batch-sg, not from reports-sg"),
            every=90.0, jitter=15.0,
        ),
        *partners,
        Repeat(
            name="shop to the partner API",
            conversation=Conversation(start=_at(9, 5), initiator=places["web-1"], responder=places["partner-api"],
                                      responder_port=443, bytes_up=700, bytes_down=1_200, syn_retries=3,
                                      label="nacl_ephemeral",
                                      note="the subnet's network ACL has no egress entry for ephemeral ports"),
            every=900.0, jitter=30.0, last=_at(18),
        ),
        Repeat(
            name="bastion updates over HTTP",
            conversation=Conversation(start=_at(6, 20), initiator=places["bastion"], responder=_PACKAGES,
                                      responder_port=80, bytes_up=300, bytes_down=50_000, syn_retries=4,
                                      label="missing_egress_rule",
                                      note="bastion-sg lets 443 out to the internet, not 80"),
            every=_at(4), jitter=600.0,
        ),
    )  # fmt: skip


def _break_in(places: Places) -> tuple[Traffic, ...]:
    bastion = places["bastion"]
    # 900 ports in an order that looks random; none is scanned twice.
    ports = [1 + n * 1_031 % 9_973 for n in range(900)] + [22]
    scan = tuple(
        Conversation(start=_at(3, 12) + 0.47 * n, initiator=_SCANNER, responder=bastion, initiator_port=54_321,
                     responder_port=port, syn_retries=0, close="reset",
                     answer="serve" if port == 22 else "refuse", label="port_scan", note="half-open scan")
        for n, port in enumerate(ports)
    )  # fmt: skip
    guessing = Repeat(
        name="password guessing",
        conversation=Conversation(start=_at(4, 30), initiator=_GUESSER, responder=bastion, responder_port=22,
                                  bytes_up=1_900, bytes_down=2_600, exchanges=9, duration=2.4, label="brute_force",
                                  note="a wrong password"),
        every=3.2, jitter=1.4, vary=0.25, last=_at(5, 8),
    )  # fmt: skip
    beacon = Repeat(
        name="beacon",
        conversation=Conversation(start=_at(5, 36), initiator=places["web-2"], responder=_CONTROL, responder_port=443,
                                  bytes_up=620, bytes_down=1_150, exchanges=3, duration=0.6, label="beacon",
                                  note="asks for orders about every five minutes"),
        every=300.0, jitter=20.0, vary=0.05,
    )  # fmt: skip
    return (
        *scan,
        guessing,
        Conversation(start=_at(5, 8, 20), initiator=_GUESSER, responder=bastion, responder_port=22, bytes_up=31_000,
                     bytes_down=120_000, exchanges=420, duration=_at(0, 31), label="brute_force",
                     note="the password that worked"),
        Conversation(start=_at(5, 20), initiator=bastion, responder=places["web-2"], responder_port=22,
                     bytes_up=260_000, bytes_down=40_000, exchanges=180, duration=_at(0, 14),
                     label="lateral_movement", note="the intruder installs the beacon"),
        beacon,
        Conversation(start=_at(22, 50), initiator=_GUESSER, responder=bastion, responder_port=22, bytes_up=24_000,
                     bytes_down=90_000, exchanges=300, duration=_at(0, 55), label="intrusion",
                     note="the intruder comes back with the guessed password"),
        Conversation(start=_at(22, 55), initiator=bastion, responder=places["batch"], responder_port=22,
                     bytes_up=21_000, bytes_down=70_000, exchanges=260, duration=_at(0, 48),
                     label="lateral_movement", note="the intruder goes on to the batch worker"),
        Conversation(start=_at(23, 5), initiator=places["batch"], responder=_DROP, responder_port=443,
                     bytes_up=6_400_000_000, bytes_down=2_000_000, duration=_at(0, 36), label="exfiltration",
                     note="the database dump leaves"),
    )  # fmt: skip
