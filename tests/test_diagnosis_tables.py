"""Who refused it? One case for every rule that follows from what AWS documents, each with its true cause in a comment.

A case is a few records (`flow_lines` says how they are written), the filter that truly refused the one with the star,
and what may be said about it. Where two answers are defensible both are listed; the truth is never among `excluded`.
Names of cases: S responder alone, C initiator alone, P both ends, M accepted and refused, G guards, N protocols,
K when "certain" is allowed, V the default format.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import pytest
from diagnosis_contract import assert_consistent
from flow_lines import ADDRESS, DEFAULT, FULL, WITH_TYPE, log

import flowlens as fl
from flowlens.errors import MissingFieldError

B_IN, B_OUT = ("SG_IN@eni-b", "NACL_IN@subnet-2"), ("SG_OUT@eni-b", "NACL_OUT@subnet-2")
A_IN, A_OUT = ("SG_IN@eni-a", "NACL_IN@subnet-1"), ("SG_OUT@eni-a", "NACL_OUT@subnet-1")


@dataclass(frozen=True, kw_only=True)
class Case:
    """``verdict`` and ``certainty`` list what is right, separated by blanks; candidates have an order where likely.

    ``candidates`` None: nothing is asked, because the verdict is no layer. ``excluded`` must be among those of the row.
    """

    name: str
    records: str
    truth: str
    verdict: str
    certainty: str
    candidates: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()
    layout: tuple[str, ...] = FULL
    topology: dict = field(default_factory=dict)


RESPONDER = (
    # The security group of B has no rule for 443; a network ACL without an entry would look the same.
    Case(name="S1 a lone SYN", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous", candidates=B_IN,
         records="*+5 B in X:50000 > B:443 SYN REJECT"),
    Case(name="S1 the same, by the network ACL", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN",
         certainty="ambiguous", candidates=B_IN, records="*+5..36 B in X:50000 > B:443 SYN REJECT packets=6 bytes=360"),
    Case(name="S1 IPv6", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous", candidates=B_IN,
         records="*+5 B in X6:50000 > B6:443 SYN REJECT bytes=80"),
    Case(name="S1 flags are not logged", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN, records="*+5 B in X:50000 > B:443 REJECT",
         layout=tuple(f for f in FULL if f != "tcp_flags")),
    # C and B share a subnet, where no network ACL is asked.
    Case(name="S2 from the same subnet", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""*+5 B in C:50000 > B:443 SYN REJECT
                    +20 C in X:50001 > C:22 SYN REJECT"""),
    # A NAT gateway has no security group; its subnet's network ACL refuses the answer of the internet host.
    Case(name="S3 at a NAT gateway, by the type of the interface", truth="NACL_IN@subnet-0", verdict="NACL_IN",
         certainty="certain", candidates=("NACL_IN@subnet-0",), excluded=("SG_IN@eni-n",), layout=WITH_TYPE,
         records="*+5 N in X:50000 > N:443 SYN REJECT"),
    Case(name="S3 at what looks like a NAT gateway", truth="NACL_IN@subnet-0", verdict="NACL_IN", certainty="likely",
         candidates=("NACL_IN@subnet-0", "SG_IN@eni-n"),
         records="""+2 N in A:40000 > N:443 SYN ACCEPT pkt-dstaddr=Z
                    +2 N out N:7000 > Z:443 SYN ACCEPT
                    *+5 N in X:50000 > N:8443 SYN REJECT"""),
    # The neighbour C gets the same remote, protocol and port through the same network ACL.
    Case(name="S4 accepted at a neighbour", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 C in X:50001 > C:443 SYN+FIN ACCEPT packets=6 bytes=600
                    +20 C out C:443 > X:50001 SYNACK+FIN ACCEPT packets=5 bytes=900"""),
    # An empty network ACL: whatever comes is refused, whoever it is for.
    Case(name="S5 the whole subnet refuses everything", truth="NACL_IN@subnet-2", verdict="NACL_IN",
         certainty="likely", candidates=B_IN[::-1],
         records="""*+5 B in A:50000 > B:443 SYN REJECT
                    +6 C in X:50001 > C:22 SYN REJECT
                    +7 D in Y:50002 > D:5432 SYN REJECT
                    +8 B in Z:50003 > B:8080 SYN REJECT
                    +9 C in A:50004 > C:3306 SYN REJECT
                    +10 D in X:50005 > D:25 SYN REJECT"""),
    # A log of refused traffic: that no subnet accepts anything is no sign of two network ACLs.
    Case(name="S5 every subnet refuses everything", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN",
         certainty="ambiguous", candidates=B_IN,
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +6 C in X:50001 > C:22 SYN REJECT
                    +7 A in Y:50002 > A:5432 SYN REJECT
                    +8 E in Z:50003 > E:8080 SYN REJECT"""),
    # Entry 90 denies 203.0.113.5/32; the numbers around it come through.
    Case(name="S6 a hole for one address", truth="NACL_IN@subnet-2", verdict="NACL_IN", certainty="likely",
         candidates=B_IN[::-1],
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +6 C in X:50001 > C:443 SYN REJECT
                    +7 B in V:50002 > B:443 SYN ACCEPT
                    +7 B out B:443 > V:50002 SYNACK ACCEPT
                    +8 C in V:50003 > C:443 SYN ACCEPT
                    +8 C out C:443 > V:50003 SYNACK ACCEPT
                    +9 B in W:50004 > B:443 SYN ACCEPT
                    +9 B out B:443 > W:50004 SYNACK ACCEPT
                    +10 C in W:50005 > C:443 SYN ACCEPT
                    +10 C out C:443 > W:50005 SYNACK ACCEPT"""),
    # B has no rule for 443, C serves it to others.
    Case(name="S7 closed for all here, open next door", truth="SG_IN@eni-b", verdict="SG_IN", certainty="likely",
         candidates=B_IN,
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +6 B in Y:50001 > B:443 SYN REJECT
                    +7 B in A:50002 > B:443 SYN REJECT
                    +8 C in Z:50003 > C:443 SYN+FIN ACCEPT packets=6 bytes=600
                    +8 C out C:443 > Z:50003 SYNACK+FIN ACCEPT packets=5 bytes=900
                    +9 C in W:50004 > C:443 SYN+FIN ACCEPT packets=6 bytes=600
                    +9 C out C:443 > W:50004 SYNACK+FIN ACCEPT packets=5 bytes=900"""),
    # Somebody attacked X with B's address as the sender; B never asked.
    Case(name="S8 an answer to nobody", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN,
         records="""*+5 B in X:443 > B:40000 SYNACK REJECT
                    +6 B out B:41000 > Z:443 SYN+FIN ACCEPT packets=5 bytes=500
                    +6 B in Z:443 > B:41000 SYNACK+FIN ACCEPT packets=4 bytes=900"""),
    # Ephemeral ports are missing outbound. The security group knows the connection and lets the answer pass.
    Case(name="S9 the answer to an accepted SYN", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="certain",
         candidates=("NACL_OUT@subnet-2",), excluded=("SG_OUT@eni-b",),
         records="""+5..36 B in X:50000 > B:443 SYN ACCEPT packets=6 bytes=360
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=11 bytes=660"""),
    Case(name="S9 IPv6", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="certain",
         candidates=("NACL_OUT@subnet-2",), excluded=("SG_OUT@eni-b",),
         records="""+5 B in X6:50000 > B6:443 SYN ACCEPT bytes=80
                    *+5..36 B out B6:443 > X6:50000 SYNACK REJECT packets=6 bytes=480"""),
    # A SYN that is repeated in the next windows is one attempt, and its answers are refused in each of them.
    Case(name="S9 over several windows", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="certain",
         candidates=("NACL_OUT@subnet-2",),
         records="""+40..56 B in X:50000 > B:443 SYN ACCEPT packets=5 bytes=300
                    *+40..56 B out B:443 > X:50000 SYNACK REJECT packets=8 bytes=480
                    +71 B in X:50000 > B:443 SYN ACCEPT
                    +71 B out B:443 > X:50000 SYNACK REJECT packets=2 bytes=120"""),
    # A window has the flags of all its packets together. Here B asks first, from 443, which its group refuses.
    Case(name="S9 a request of its own in the record of the answer", truth="SG_OUT@eni-b", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@subnet-2", "SG_OUT@eni-b"),
         records="""+25 B in X:50000 > B:443 SYN ACCEPT
                    *+5..56 B out B:443 > X:50000 SYNACK REJECT packets=9 bytes=540"""),
    # And here two minutes later, when nobody answers X any more.
    Case(name="S9 for longer than a host answers", truth="SG_OUT@eni-b", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@subnet-2", "SG_OUT@eni-b"),
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +135..150 B out B:443 > X:50000 SYNACK REJECT packets=5 bytes=300"""),
    Case(name="S9 just as long as a host answers", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="certain", candidates=("NACL_OUT@subnet-2",),
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +68 B out B:443 > X:50000 SYNACK REJECT"""),
    # B asks on these ports at another time: who knows whether it does in that record, too?
    Case(name="S9 asked on the same ports itself", truth="SG_OUT@eni-b", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@subnet-2", "SG_OUT@eni-b"),
         records="""+5 B out B:443 > X:50000 SYN REJECT
                    +600 B in X:50000 > B:443 SYN ACCEPT
                    *+600..631 B out B:443 > X:50000 SYNACK REJECT packets=7 bytes=420"""),
    Case(name="S9 asked on the same ports itself, and got through", truth="SG_OUT@eni-b", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@subnet-2", "SG_OUT@eni-b"),
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=7 bytes=420
                    +700 B out B:443 > X:50000 SYN ACCEPT"""),
    Case(name="S10 default format, the request carried data", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@eni-b", "SG_OUT@eni-b"), layout=DEFAULT,
         records="""+5..30 B in X:50000 > B:443 ACCEPT packets=9 bytes=5000
                    *+5..36 B out B:443 > X:50000 REJECT packets=6 bytes=360"""),
    # Every packet has the size of a SYN: whether that is proof is a question of taste.
    Case(name="S10 default format, only handshakes", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="likely certain", layout=DEFAULT,
         records="""+5..36 B in X:50000 > B:443 ACCEPT packets=6 bytes=360
                    *+5..36 B out B:443 > X:50000 REJECT packets=11 bytes=660"""),
    # The request came in on another way, so B's security group never heard of it; no network ACL inside a subnet.
    Case(name="S11 same subnet", truth="SG_OUT@eni-b", verdict="SG_STATE ASYMMETRIC_PATH", certainty="likely",
         candidates=("SG_OUT@eni-b",), excluded=("NACL_OUT@subnet-2",),
         records="""+5 B in C:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > C:50000 SYNACK REJECT packets=6 bytes=360
                    +50 C in Y:50000 > C:8080 SYN REJECT"""),
    # Both sides have closed; B repeats its FIN because the answer to it got lost.
    Case(name="S12 after the close", truth="SG_OUT@eni-b", verdict="LATE_PACKET", certainty="certain",
         records="""+5..8 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..8 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+88 B out B:443 > X:50000 FIN REJECT bytes=52"""),
    # Ten quiet minutes on an instance that forgets after 350 s, and no rule that lets B speak first.
    Case(name="S13 after a long silence", truth="SG_OUT@eni-b", verdict="CONNTRACK_EXPIRED", certainty="likely",
         records="""+5..20 B in X:50000 > B:5432 SYN ACCEPT packets=9 bytes=900
                    +5..20 B out B:5432 > X:50000 SYNACK ACCEPT packets=8 bytes=4000
                    *+620..629 B out B:5432 > X:50000 ACK REJECT packets=6 bytes=600"""),
    Case(name="S13 and the timeout of the interface is known", truth="SG_OUT@eni-b", verdict="CONNTRACK_EXPIRED",
         certainty="certain likely",
         topology={"NetworkInterfaces": [{"NetworkInterfaceId": "eni-b", "SubnetId": "subnet-2", "VpcId": "vpc-1",
                                          "PrivateIpAddress": ADDRESS["B"], "Groups": [{"GroupId": "sg-b"}],
                                          "ConnectionTrackingConfiguration": {"TcpEstablishedTimeout": 350}}]},
         records="""+5..20 B in X:50000 > B:5432 SYN ACCEPT packets=9 bytes=900
                    +5..20 B out B:5432 > X:50000 SYNACK ACCEPT packets=8 bytes=4000
                    *+620..629 B out B:5432 > X:50000 ACK REJECT packets=6 bytes=600"""),
    # Somebody put a deny into the network ACL while the connection was busy.
    Case(name="S14 in the middle of a busy connection", truth="NACL_OUT@subnet-2", verdict="RULE_CHANGED",
         certainty="ambiguous", candidates=B_OUT,
         records="""+5..55 B in X:50000 > B:443 SYN ACCEPT packets=90 bytes=9000
                    +5..55 B out B:443 > X:50000 SYNACK ACCEPT packets=80 bytes=40000
                    *+70..80 B out B:443 > X:50000 ACK REJECT packets=6 bytes=6000
                    +65..80 B in X:50000 > B:443 ACK ACCEPT packets=4 bytes=208"""),
    Case(name="S19 a log of rejects only", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=B_OUT[::-1],
         records="""*+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +9 B in Y:50000 > B:23 SYN REJECT"""),
    Case(name="S20 a log of rejects only, default format", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="likely", candidates=("NACL_OUT@eni-b", "SG_OUT@eni-b"), layout=DEFAULT,
         records="""*+5..36 B out B:443 > X:50000 REJECT packets=6 bytes=360
                    +9 B in Y:50000 > B:23 REJECT"""),
    # The same ports again, long after: in between somebody took the rule out of the group. Or closed the network ACL.
    Case(name="S21 ports used again", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN,
         records="""+5..8 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..8 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+1500 B in X:50000 > B:443 SYN REJECT"""),
    # B is the client: its own SYN went out, the answer is refused at its subnet.
    Case(name="S22 the responder is the client", truth="NACL_IN@subnet-2", verdict="NACL_IN", certainty="certain",
         candidates=("NACL_IN@subnet-2",), excluded=("SG_IN@eni-b",),
         records="""*+5..36 B in X:443 > B:40000 SYNACK REJECT packets=6 bytes=360
                    +5 B out B:40000 > X:443 SYN ACCEPT"""),
)  # fmt: skip

INITIATOR = (
    Case(name="C1 a lone SYN", truth="NACL_OUT@subnet-1", verdict="SG_OR_NACL_OUT", certainty="ambiguous",
         candidates=A_OUT, records="*+5 A out A:40000 > X:443 SYN REJECT packets=6 bytes=360"),
    Case(name="C2 to the same subnet", truth="SG_OUT@eni-a", verdict="SG_OUT", certainty="certain",
         candidates=("SG_OUT@eni-a",), excluded=("NACL_OUT@subnet-1",),
         records="""*+5 A out A:40000 > E:443 SYN REJECT
                    +30 E in A:40001 > E:22 SYN ACCEPT"""),
    Case(name="C3 a neighbour reaches it", truth="SG_OUT@eni-a", verdict="SG_OUT", certainty="certain",
         candidates=("SG_OUT@eni-a",), excluded=("NACL_OUT@subnet-1",),
         records="""*+5 A out A:40000 > X:443 SYN REJECT
                    +30 E out E:40001 > X:443 SYN ACCEPT
                    +30 E in X:443 > E:40001 SYNACK ACCEPT"""),
    Case(name="C4 nobody gets out of the subnet", truth="NACL_OUT@subnet-1", verdict="NACL_OUT", certainty="likely",
         candidates=A_OUT[::-1],
         records="""*+5 A out A:40000 > X:443 SYN REJECT
                    +6 E out E:40001 > Y:443 SYN REJECT
                    +7 A out A:40002 > Z:80 SYN REJECT
                    +8 E out E:40003 > X:80 SYN REJECT
                    +9 A out A:40004 > Y:22 SYN REJECT
                    +10 E out E:40005 > Z:5432 SYN REJECT"""),
    Case(name="C5 the answer to its own SYN", truth="NACL_IN@subnet-1", verdict="NACL_IN", certainty="certain",
         candidates=("NACL_IN@subnet-1",), excluded=("SG_IN@eni-a",),
         records="""+5 A out A:40000 > X:443 SYN ACCEPT
                    *+5..36 A in X:443 > A:40000 SYNACK REJECT packets=6 bytes=360"""),
    # The answer may be a reset instead: the SYN was let out all the same.
    Case(name="C5 the reset to its own SYN", truth="NACL_IN@subnet-1", verdict="NACL_IN", certainty="certain likely",
         candidates=None,
         records="""+5..36 A out A:40000 > X:444 SYN ACCEPT packets=6 bytes=360
                    *+5..36 A in X:444 > A:40000 RST REJECT packets=6 bytes=240"""),
    Case(name="C6 default format", truth="NACL_IN@subnet-1", verdict="NACL_IN", certainty="likely",
         candidates=("NACL_IN@eni-a", "SG_IN@eni-a"), layout=DEFAULT,
         records="""+5..30 A out A:40000 > X:443 ACCEPT packets=9 bytes=5000
                    *+5..36 A in X:443 > A:40000 REJECT packets=6 bytes=360"""),
    Case(name="C7 same subnet", truth="SG_IN@eni-a", verdict="SG_STATE ASYMMETRIC_PATH", certainty="likely",
         candidates=("SG_IN@eni-a",), excluded=("NACL_IN@subnet-1",),
         records="""+5 A out A:40000 > E:443 SYN ACCEPT
                    *+5..36 A in E:443 > A:40000 SYNACK REJECT packets=6 bytes=360
                    +50 E in Y:50000 > E:8080 SYN REJECT"""),
    Case(name="C8 after the close", truth="SG_IN@eni-a", verdict="LATE_PACKET", certainty="certain",
         records="""+5..8 A out A:40000 > X:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..8 A in X:443 > A:40000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+88 A in X:443 > A:40000 FIN REJECT bytes=52"""),
    Case(name="C8 after a long silence", truth="SG_IN@eni-a", verdict="CONNTRACK_EXPIRED", certainty="likely",
         records="""+5..20 A out A:40000 > X:443 SYN ACCEPT packets=9 bytes=900
                    +5..20 A in X:443 > A:40000 SYNACK ACCEPT packets=8 bytes=4000
                    *+620..629 A in X:443 > A:40000 ACK REJECT packets=6 bytes=600"""),
    Case(name="C9 UDP, at once", truth="NACL_IN@subnet-1", verdict="NACL_IN", certainty="likely",
         candidates=A_IN[::-1],
         records="""+5 A out A:40000 > X:53 udp ACCEPT bytes=68
                    *+5 A in X:53 > A:40000 udp REJECT bytes=148"""),
    # A resolver that takes two minutes: the group has forgotten the question after 30 s.
    Case(name="C10 UDP, much later", truth="SG_IN@eni-a", verdict="SG_STATE SG_OR_NACL_IN", certainty="ambiguous",
         candidates=A_IN,
         records="""+5 A out A:40000 > X:53 udp ACCEPT bytes=68
                    *+130 A in X:53 > A:40000 udp REJECT bytes=148"""),
)  # fmt: skip

BOTH = (
    Case(name="P1 refused where it leaves", truth="SG_OUT@eni-a", verdict="SG_OR_NACL_OUT", certainty="ambiguous",
         candidates=A_OUT, excluded=B_IN,
         records="""*+5 A out A:40000 > B:443 SYN REJECT
                    +9 B out B:41000 > Z:80 SYN ACCEPT
                    +9 B in Z:80 > B:41000 SYNACK ACCEPT"""),
    Case(name="P1 same subnet", truth="SG_OUT@eni-c", verdict="SG_OUT", certainty="certain",
         candidates=("SG_OUT@eni-c",), excluded=("NACL_OUT@subnet-2",),
         records="""*+5 C out C:40000 > B:443 SYN REJECT
                    +40 B in X:50000 > B:22 SYN REJECT"""),
    Case(name="P2 refused where it arrives", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN, excluded=A_OUT,
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    *+5 B in A:40000 > B:443 SYN REJECT"""),
    Case(name="P2 same subnet", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""+5 C out C:40000 > B:443 SYN ACCEPT
                    *+5 B in C:40000 > B:443 SYN REJECT"""),
    Case(name="P3 the answer is refused where it leaves", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="certain", candidates=("NACL_OUT@subnet-2",), excluded=("SG_OUT@eni-b",),
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    +5 B in A:40000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > A:40000 SYNACK REJECT packets=6 bytes=360"""),
    Case(name="P3 same subnet", truth="SG_OUT@eni-b", verdict="SG_STATE ASYMMETRIC_PATH", certainty="likely",
         candidates=("SG_OUT@eni-b",), excluded=("NACL_OUT@subnet-2",),
         records="""+5 C out C:40000 > B:443 SYN ACCEPT
                    +5 B in C:40000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > C:40000 SYNACK REJECT packets=6 bytes=360"""),
    Case(name="P4 the answer is refused where it arrives", truth="NACL_IN@subnet-1", verdict="NACL_IN",
         certainty="certain", candidates=("NACL_IN@subnet-1",), excluded=("SG_IN@eni-a",),
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    +5 B in A:40000 > B:443 SYN ACCEPT
                    +5..36 B out B:443 > A:40000 SYNACK ACCEPT packets=6 bytes=360
                    *+5..36 A in B:443 > A:40000 SYNACK REJECT packets=6 bytes=360"""),
    Case(name="P4 same subnet", truth="SG_IN@eni-c", verdict="SG_STATE ASYMMETRIC_PATH", certainty="likely",
         candidates=("SG_IN@eni-c",), excluded=("NACL_IN@subnet-2",),
         records="""+5 C out C:40000 > B:443 SYN ACCEPT
                    +5 B in C:40000 > B:443 SYN ACCEPT
                    +5..36 B out B:443 > C:40000 SYNACK ACCEPT packets=6 bytes=360
                    *+5..36 C in B:443 > C:40000 SYNACK REJECT packets=6 bytes=360"""),
    # The first SYN of two was refused, then the rule came. B has seen the second.
    Case(name="P9 refused at home and yet it arrived", truth="SG_OUT@eni-a",
         verdict="RULE_CHANGED ASYMMETRIC_PATH SG_OR_NACL_OUT", certainty="ambiguous none",
         records="""*+5 A out A:40000 > B:443 SYN REJECT
                    +6 B in A:40000 > B:443 SYN ACCEPT
                    +6 B out B:443 > A:40000 SYNACK ACCEPT"""),
    # The lower port misleads: B asked from 443 on. Its subnet refuses the answer.
    Case(name="P10 the other one asked", truth="NACL_IN@subnet-2", verdict="NACL_IN", certainty="certain",
         candidates=("NACL_IN@subnet-2",), excluded=("SG_IN@eni-b",),
         records="""+5 B out B:443 > A:40000 SYN ACCEPT
                    +5 A in B:443 > A:40000 SYN ACCEPT
                    +5..36 A out A:40000 > B:443 SYNACK ACCEPT packets=6 bytes=360
                    *+5..36 B in A:40000 > B:443 SYNACK REJECT packets=6 bytes=360"""),
    # The rule came between the two attempts; both filters passed the second.
    Case(name="P11 refused, then accepted", truth="SG_IN@eni-b", verdict="RULE_CHANGED", certainty="ambiguous",
         candidates=B_IN,
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    *+5 B in A:40000 > B:443 SYN REJECT
                    +95 A out A:40000 > B:443 SYN ACCEPT packets=4 bytes=400
                    +95 B in A:40000 > B:443 SYN ACCEPT packets=4 bytes=400
                    +95 B out B:443 > A:40000 SYNACK ACCEPT packets=4 bytes=900
                    +95 A in B:443 > A:40000 SYNACK ACCEPT packets=4 bytes=900"""),
    Case(name="P12 the initiator does not log", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN",
         certainty="ambiguous", candidates=B_IN, records="*+5 B in A:40000 > B:443 SYN REJECT"),
    Case(name="P12 and is known to be in the same subnet", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         topology={"NetworkInterfaces": [
             {"NetworkInterfaceId": f"eni-{n.lower()}", "SubnetId": "subnet-2", "VpcId": "vpc-1",
              "InterfaceType": "interface", "PrivateIpAddress": ADDRESS[n], "Groups": [{"GroupId": f"sg-{n.lower()}"}]}
             for n in "BC"]},
         records="*+5 B in C:40000 > B:443 SYN REJECT"),
)  # fmt: skip

MIXED = (
    Case(name="M1 a late reset", truth="SG_OUT@eni-b", verdict="LATE_PACKET", certainty="certain",
         records="""+5..8 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..8 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+70 B out B:443 > X:50000 RST REJECT bytes=40"""),
    Case(name="M1 a late acknowledgement of the client", truth="SG_IN@eni-b", verdict="LATE_PACKET",
         certainty="certain",
         records="""+5..8 B in X:50000 > B:443 SYN+RST ACCEPT packets=9 bytes=900
                    +5..8 B out B:443 > X:50000 SYNACK ACCEPT packets=8 bytes=4000
                    *+20 B in X:50000 > B:443 ACK REJECT bytes=52"""),
    Case(name="M2 a long silence", truth="SG_IN@eni-b", verdict="CONNTRACK_EXPIRED", certainty="likely",
         records="""+5..20 B in X:50000 > B:22 SYN ACCEPT packets=9 bytes=900
                    +5..20 B out B:22 > X:50000 SYNACK ACCEPT packets=8 bytes=4000
                    *+2000..2009 B in X:50000 > B:22 ACK REJECT packets=6 bytes=600"""),
    Case(name="M3 one direction is cut", truth="NACL_IN@subnet-2", verdict="RULE_CHANGED", certainty="ambiguous",
         candidates=B_IN,
         records="""+5..58 B in X:50000 > B:443 SYN ACCEPT packets=90 bytes=9000
                    +5..58 B out B:443 > X:50000 SYNACK ACCEPT packets=80 bytes=40000
                    *+62..100 B in X:50000 > B:443 ACK REJECT packets=6 bytes=6000
                    +62..80 B out B:443 > X:50000 ACK ACCEPT packets=4 bytes=208"""),
    # A rule was added to the group between two new connections of the same two hosts.
    Case(name="M4 repaired", truth="SG_IN@eni-b", verdict="RULE_CHANGED", certainty="ambiguous", candidates=B_IN,
         records="""*+5..36 B in X:50000 > B:443 SYN REJECT packets=6 bytes=360
                    +100 B in X:50001 > B:443 SYN ACCEPT packets=4 bytes=400
                    +100 B out B:443 > X:50001 SYNACK ACCEPT packets=4 bytes=900"""),
    Case(name="M4 broken", truth="NACL_IN@subnet-2", verdict="RULE_CHANGED", certainty="ambiguous", candidates=B_IN,
         records="""+5 B in X:50001 > B:443 SYN+FIN ACCEPT packets=4 bytes=400
                    +5 B out B:443 > X:50001 SYNACK+FIN ACCEPT packets=4 bytes=900
                    *+70..101 B in X:50000 > B:443 SYN REJECT packets=6 bytes=360"""),
    # The rule is gone; the connection that was open before lives on, the network ACL lets it through.
    Case(name="M5 the old connection flows on", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""+0..55 B in X:50001 > B:443 ACK ACCEPT packets=90 bytes=9000
                    +0..55 B out B:443 > X:50001 ACK ACCEPT packets=80 bytes=40000
                    *+30 B in X:50000 > B:443 SYN REJECT
                    +60..115 B in X:50001 > B:443 ACK ACCEPT packets=90 bytes=9000
                    +60..115 B out B:443 > X:50001 ACK ACCEPT packets=80 bytes=40000"""),
    # A FIN of the old connection and a SYN of a new one on the same ports share a record: two things were refused.
    Case(name="M1 a SYN among late packets", truth="SG_IN@eni-b",
         verdict="RULE_CHANGED SG_OR_NACL_IN LATE_PACKET SG_IN", certainty="ambiguous likely",
         records="""+5..8 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..8 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+70..100 B in X:50000 > B:443 SYN+FIN REJECT packets=3 bytes=172"""),
    # An entry was put into the network ACL at 42 s. B closes for lack of answers; nothing of X's is late.
    Case(name="M3 closed by one side while the other is cut", truth="NACL_IN@subnet-2",
         verdict="RULE_CHANGED SG_OR_NACL_IN LATE_PACKET", certainty="ambiguous likely",
         records="""+5..40 B in X:50000 > B:443 SYN ACCEPT packets=90 bytes=9000
                    +5..58 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=80 bytes=40000
                    *+45..58 B in X:50000 > B:443 FIN REJECT packets=6 bytes=312"""),
    # Echo replies may leave, "unreachable" may not.
    Case(name="M6 ICMP of two types", truth="NACL_OUT@subnet-2", verdict="SG_OR_NACL_OUT", certainty="ambiguous",
         candidates=B_OUT,
         records="""+0..55 B in X > B icmp ACCEPT packets=50 bytes=4200
                    +0..55 B out B > X icmp ACCEPT packets=50 bytes=4200
                    *+10..50 B out B > X icmp REJECT packets=5 bytes=420"""),
)  # fmt: skip

GUARDS = (
    Case(name="G1 lost records change nothing where nothing follows from absence", truth="SG_IN@eni-b",
         verdict="SG_OR_NACL_IN", certainty="ambiguous", candidates=B_IN,
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +0..60 B SKIPDATA"""),
    Case(name="G2 block public access", truth="", verdict="BPA", certainty="certain", candidates=(),
         records="*+5 B in X:50000 > B:443 SYN REJECT reject-reason=BPA"),
    Case(name="G2 goes before everything else", truth="", verdict="BPA", certainty="certain", candidates=(),
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5 B out B:443 > X:50000 SYNACK REJECT reject-reason=BPA"""),
    Case(name="G2 encryption control", truth="", verdict="ENCRYPTION_CONTROL", certainty="certain", candidates=(),
         records="*+5 B in X:50000 > B:443 SYN REJECT reject-reason=EC"),
    Case(name="G2 a reason that AWS has not invented yet", truth="", verdict="OTHER_REASON", certainty="certain",
         candidates=(), records="*+5 B in X:50000 > B:443 SYN REJECT reject-reason=QuantumTax"),
    Case(name="G4 interface without groups", truth="NACL_OUT@subnet-1", verdict="NACL_OUT", certainty="certain",
         candidates=("NACL_OUT@subnet-1",), excluded=("SG_OUT@eni-a",),
         topology={"NetworkInterfaces": [{"NetworkInterfaceId": "eni-a", "SubnetId": "subnet-1", "VpcId": "vpc-1",
                                          "PrivateIpAddress": ADDRESS["A"], "Groups": []}]},
         records="*+5 A out A:40000 > X:443 SYN REJECT"),
    # A database is managed by AWS, too, and has security groups.
    Case(name="G4 managed is not without groups", truth="SG_IN@eni-l", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=("SG_IN@eni-l", "NACL_IN@subnet-2"), records="*+5 L in A:40000 > L:5432 SYN REJECT"),
    # The gateway stands in the same subnet, the sender does not: the packet did cross the edge of a subnet.
    Case(name="G5 a middlebox in the same subnet", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN SG_IN",
         certainty="ambiguous likely",
         records="""*+5 B in L:50000 > B:443 SYN REJECT pkt-srcaddr=Q
                    +9 L in X:50000 > L:443 SYN ACCEPT"""),
    # Classic load balancers ask the network ACL even inside a subnet; this one may be one.
    Case(name="G5 a managed neighbour may be a classic load balancer", truth="NACL_IN@subnet-2",
         verdict="SG_OR_NACL_IN SG_IN", certainty="ambiguous likely",
         records="""*+5 B in L:50000 > B:443 SYN REJECT
                    +5 L out L:50000 > B:443 SYN ACCEPT"""),
    Case(name="G6 the connection of the refused packet was accepted on this interface", truth="SG_IN@eni-b",
         verdict="LATE_PACKET", certainty="certain",
         records="""+5..30 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..30 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+33 B in X:50000 > B:443 FIN REJECT bytes=52"""),
    # Five hours later the network ACL may be another one.
    Case(name="G6 long after the connection was closed", truth="NACL_OUT@subnet-2", verdict="LATE_PACKET",
         certainty="likely",
         records="""+5..30 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5..30 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000
                    *+18000 B out B:443 > X:50000 RST REJECT bytes=52"""),
    # An answer passes the network ACL by the same entries as a request: same remote, same destination port.
    Case(name="G7 an answer is evidence", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""*+5 B in X:50000 > B:8080 SYN REJECT
                    +6 C out C:8080 > X:443 SYN ACCEPT
                    +6 C in X:443 > C:8080 SYNACK ACCEPT"""),
    Case(name="G7 outbound", truth="SG_OUT@eni-a", verdict="SG_OUT", certainty="certain",
         candidates=("SG_OUT@eni-a",), excluded=("NACL_OUT@subnet-1",),
         records="""*+5 A out A:40000 > X:25 udp REJECT
                    +30 E out E:40001 > X:25 udp ACCEPT"""),
    Case(name="G7 IPv6", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""*+5 B in X6:50000 > B6:443 SYN REJECT bytes=80
                    +20 C in X6:50001 > C6:443 SYN ACCEPT bytes=80"""),
    Case(name="G7 at the edge of the window", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), records="""*+5 B in X:50000 > B:443 SYN REJECT
                                                 +180 C in X:50001 > C:443 SYN ACCEPT"""),
    # A quarter of an hour later an entry may have been added.
    Case(name="G7 too late to prove", truth="NACL_IN@subnet-2", verdict="SG_IN SG_OR_NACL_IN",
         certainty="likely ambiguous", candidates=B_IN,
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +905 C in X:50001 > C:443 SYN ACCEPT"""),
    # An entry that denies X was added at +31: it cuts off what is open and refuses what is new.
    Case(name="G7 an open connection is cut off at that time", truth="NACL_IN@subnet-2", verdict="RULE_CHANGED",
         certainty="ambiguous", candidates=("NACL_IN@subnet-2", "SG_IN@eni-b"),
         records="""+5..30 B in X:50000 > B:443 ACCEPT packets=20
                    +5..30 B out B:443 > X:50000 ACCEPT packets=20
                    +31..50 B in X:50000 > B:443 REJECT packets=5
                    *+40 B in X:50001 > B:443 SYN REJECT"""),
    Case(name="G7 an open connection is cut off next door", truth="NACL_IN@subnet-2", verdict="RULE_CHANGED",
         certainty="ambiguous", candidates=("NACL_IN@subnet-2", "SG_IN@eni-b"),
         records="""+5..30 C in X:50000 > C:443 ACCEPT packets=20
                    +5..30 D in X:50000 > D:443 SYN+FIN ACCEPT packets=20
                    +31..50 C in X:50000 > C:443 REJECT packets=5
                    *+40 B in X:50001 > B:443 SYN REJECT"""),
    # What is closed was not cut off.
    Case(name="G7 a late packet at that time", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""+5..30 C in X:50000 > C:443 SYN+FIN ACCEPT packets=20
                    +5..30 C out C:443 > X:50000 SYNACK+FIN ACCEPT packets=20
                    +5..30 D in X:50000 > D:443 SYN+FIN ACCEPT packets=20
                    +31..50 C in X:50000 > C:443 FIN REJECT packets=5
                    *+40 B in X:50001 > B:443 SYN REJECT"""),
    Case(name="G7 from both sides", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain",
         candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""+5 C in X:50001 > C:443 SYN ACCEPT
                    *+1500 B in X:50000 > B:443 SYN REJECT
                    +3000 C in X:50002 > C:443 SYN ACCEPT"""),
    Case(name="G7 from both sides, too far", truth="NACL_IN@subnet-2", verdict="SG_IN SG_OR_NACL_IN",
         certainty="likely ambiguous", candidates=B_IN,
         records="""+5 C in X:50001 > C:443 SYN ACCEPT
                    *+5000 B in X:50000 > B:443 SYN REJECT
                    +10000 C in X:50002 > C:443 SYN ACCEPT"""),
    Case(name="G7 another port", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN SG_IN NACL_IN",
         certainty="ambiguous likely",
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 C in X:50001 > C:444 SYN ACCEPT"""),
    Case(name="G7 another remote", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN SG_IN NACL_IN",
         certainty="ambiguous likely",
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 C in W:50001 > C:443 SYN ACCEPT"""),
    Case(name="G7 another protocol", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN, records="""*+5 B in X:50000 > B:443 SYN REJECT
                                     +20 C in X:50001 > C:443 udp ACCEPT"""),
    Case(name="G7 the other direction", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN, records="""*+5 B in X:50000 > B:443 SYN REJECT
                                     +20 C out C:50001 > X:443 SYN ACCEPT"""),
    Case(name="G7 another subnet", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN SG_IN NACL_IN",
         certainty="ambiguous likely",
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 E in X:50001 > E:443 SYN ACCEPT"""),
    # Ports 443 and 445 are open, 444 is not: network ACLs can have such holes.
    Case(name="G7' between two accepted ports", truth="NACL_IN@subnet-2", verdict="SG_IN SG_OR_NACL_IN",
         certainty="likely ambiguous", candidates=B_IN,
         records="""*+5 B in X:50000 > B:444 SYN REJECT
                    +20 C in X:50001 > C:443 SYN ACCEPT
                    +21 C in X:50002 > C:445 SYN ACCEPT"""),
    # B and A carry the same groups and A lets the same in: the group would have let it in here, too.
    Case(name="G8 the same groups elsewhere", truth="NACL_IN@subnet-2", verdict="NACL_IN", certainty="certain",
         candidates=("NACL_IN@subnet-2",), excluded=("SG_IN@eni-b",),
         topology={"NetworkInterfaces": [
             {"NetworkInterfaceId": f"eni-{n.lower()}", "SubnetId": f"subnet-{s}", "VpcId": "vpc-1",
              "InterfaceType": "interface", "PrivateIpAddress": ADDRESS[n], "Groups": [{"GroupId": "sg-web"}]}
             for n, s in (("A", 1), ("B", 2))]},
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 A in X:50001 > A:443 SYN ACCEPT
                    +20 A out A:443 > X:50001 SYNACK ACCEPT"""),
    Case(name="G8 other groups elsewhere", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN SG_IN NACL_IN",
         certainty="ambiguous likely",
         topology={"NetworkInterfaces": [
             {"NetworkInterfaceId": f"eni-{n.lower()}", "SubnetId": f"subnet-{s}", "VpcId": "vpc-1",
              "InterfaceType": "interface", "PrivateIpAddress": ADDRESS[n], "Groups": [{"GroupId": f"sg-{n.lower()}"}]}
             for n, s in (("A", 1), ("B", 2))]},
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +20 A in X:50001 > A:443 SYN ACCEPT"""),
    # The answer leaves through the second interface, whose group never saw the request and lets nothing out.
    Case(name="G9 the answer takes another interface", truth="SG_OUT@eni-b2", verdict="ASYMMETRIC_PATH",
         certainty="likely ambiguous",
         records="""+5 B in A:40000 > B:443 SYN ACCEPT
                    *+5..36 B2 out B2:443 > A:40000 SYNACK REJECT packets=6 bytes=360 pkt-srcaddr=B"""),
)  # fmt: skip

CROSSED = (
    # The answer has B's address but came through B2: it did cross the edge of C's subnet.
    Case(name="G5 a neighbour that answers from elsewhere", truth="NACL_IN@subnet-2",
         verdict="NACL_IN ASYMMETRIC_PATH SG_OR_NACL_IN", certainty="certain likely ambiguous",
         records="""+5 C out C:40000 > B:443 SYN ACCEPT
                    +5 B in C:40000 > B:443 SYN ACCEPT
                    +5..36 B2 out B2:443 > C:40000 SYNACK ACCEPT packets=6 bytes=360 pkt-srcaddr=B
                    *+5..36 C in B:443 > C:40000 SYNACK REJECT packets=6 bytes=360"""),
    # B forwards for others: it had the SYN come in, and its answer come in as well.
    Case(name="G9 request and answer on the same way", truth="SG_IN@eni-b", verdict="NACL_IN SG_OR_NACL_IN",
         certainty="likely ambiguous", candidates=B_IN[::-1],
         records="""+5 B in X:50000 > B:443 SYN ACCEPT pkt-dstaddr=Q
                    *+5 B in Q:443 > B:50000 SYNACK REJECT pkt-dstaddr=X"""),
    # B forwards for others: both came in, and what is refused on the way out had never passed there.
    Case(name="G9 closed on the other way", truth="NACL_OUT@subnet-2", verdict="SG_OR_NACL_OUT RULE_CHANGED",
         certainty="ambiguous",
         records="""+5..9 B in X:50000 > B:443 SYN+FIN ACCEPT pkt-dstaddr=Q
                    +5..9 B in Q:443 > B:50000 SYNACK+FIN ACCEPT pkt-dstaddr=X
                    *+30 B out B:50000 > Q:443 FIN REJECT pkt-srcaddr=X"""),
    # G heard the same address on the same port, from B2 next door: no network ACL was asked.
    Case(name="G7 evidence that never crossed the edge", truth="NACL_IN@subnet-3",
         verdict="SG_OR_NACL_IN NACL_IN SG_IN", certainty="ambiguous likely",
         records="""*+5 F in B:50000 > F:443 SYN REJECT
                    +5 B out B:50000 > F:443 SYN ACCEPT
                    +20 G out G:443 > B:8080 SYN ACCEPT
                    +20 B in G:443 > B:8080 SYN ACCEPT
                    +20 B2 out B2:8080 > G:443 SYNACK ACCEPT pkt-srcaddr=B
                    +20 G in B:8080 > G:443 SYNACK ACCEPT"""),
)  # fmt: skip

PROTOCOLS = (
    Case(name="N1 ICMP, AWS's example", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=("NACL_OUT@eni-b", "SG_OUT@eni-b"), layout=DEFAULT,
         records="""+5..8 B in X > B icmp ACCEPT packets=4 bytes=336
                    *+5..8 B out B > X icmp REJECT packets=4 bytes=336"""),
    Case(name="N1 ICMP with all fields", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=B_OUT[::-1],
         records="""+5..8 B in X > B icmp ACCEPT packets=4 bytes=336
                    *+5..8 B out B > X icmp REJECT packets=4 bytes=336"""),
    Case(name="N1 ICMPv6", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely", candidates=B_OUT[::-1],
         records="""+5..8 B in X6 > B6 icmpv6 ACCEPT packets=4 bytes=416
                    *+5..8 B out B6 > X6 icmpv6 REJECT packets=4 bytes=416"""),
    # Echo requests come in at C; what B is refused is a "fragmentation needed" of another type.
    Case(name="N2 purity says nothing about ICMP", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN",
         certainty="ambiguous", candidates=B_IN,
         records="""*+5 B in X > B icmp REJECT bytes=56
                    +6 C in X > C icmp ACCEPT packets=4 bytes=336
                    +6 C out C > X icmp ACCEPT packets=4 bytes=336"""),
    Case(name="N3 ICMP from the same subnet", truth="SG_IN@eni-b", verdict="SG_IN", certainty="certain likely",
         excluded=("NACL_IN@subnet-2",),
         records="""+5 C out C > B icmp ACCEPT bytes=84
                    *+5 B in C > B icmp REJECT bytes=84"""),
    Case(name="N4 UDP, the answer leaves", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=B_OUT[::-1],
         records="""+5 B in X:40000 > B:53 udp ACCEPT bytes=68
                    *+5 B out B:53 > X:40000 udp REJECT bytes=148"""),
    # Both use 123: neither port tells who asked, the accepted direction does.
    Case(name="N5 NTP between equal ports", truth="NACL_IN@subnet-1", verdict="NACL_IN", certainty="likely",
         candidates=A_IN[::-1],
         records="""+5 A out A:123 > X:123 udp ACCEPT bytes=76
                    *+5 A in X:123 > A:123 udp REJECT bytes=76"""),
    Case(name="N6 a protocol without ports", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         records="""+5..40 B in X > B gre ACCEPT packets=4 bytes=400
                    *+5..41 B out B > X gre REJECT packets=4 bytes=400"""),
    Case(name="N6 and a lone packet of one", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=B_IN, records="*+5 B in X > B gre REJECT bytes=100"),
    # A router on the way says that a packet was too big. It answers nothing that was asked of it.
    Case(name="N7 an ICMP error from a third address", truth="SG_IN@eni-a", verdict="SG_OR_NACL_IN",
         certainty="ambiguous", candidates=A_IN,
         records="""+5 A out A:40000 > X:443 SYN ACCEPT
                    +5 A in X:443 > A:40000 SYNACK ACCEPT
                    *+6 A in Y > A icmp REJECT bytes=56"""),
)  # fmt: skip

DEGRADED = (
    # Between the two records of C somebody took the entry out: what was true at 443 is not any more.
    Case(name="K1 opposite evidence in the window", truth="NACL_IN@subnet-2", verdict="SG_IN NACL_IN SG_OR_NACL_IN "
         "RULE_CHANGED", certainty="likely ambiguous",
         records="""+5 C in X:50001 > C:443 SYN ACCEPT
                    +5 C out C:443 > X:50001 SYNACK ACCEPT
                    +60 C in X:50002 > C:443 SYN REJECT
                    *+65 B in X:50000 > B:443 SYN REJECT"""),
    Case(name="K2 records of the window are lost", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=B_OUT[::-1],
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +0..60 B SKIPDATA"""),
    # The request is accepted at B, the answer refused at its neighbour's interface: no pair at all.
    Case(name="K3 the request belongs to another interface", truth="SG_OUT@eni-c",
         verdict="SG_OR_NACL_OUT ASYMMETRIC_PATH NACL_OUT SG_OUT SG_STATE", certainty="likely ambiguous",
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 C out C:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +40 C in Y:50000 > C:443 SYN ACCEPT"""),
    # A SYN-ACK without a SYN, although the interface logs what it accepts: it came in somewhere else.
    Case(name="K3 no request on this interface", truth="SG_OUT@eni-b",
         verdict="SG_OR_NACL_OUT ASYMMETRIC_PATH NACL_OUT SG_OUT SG_STATE", certainty="likely ambiguous",
         records="""*+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +8 B in Y:50000 > B:443 SYN ACCEPT
                    +8 B out B:443 > Y:50000 SYNACK ACCEPT"""),
    # The host answered from an address that asked 20 minutes ago: no group remembers a UDP datagram that long.
    Case(name="K4 later than the tracking", truth="SG_OUT@eni-b", verdict="SG_STATE SG_OR_NACL_OUT",
         certainty="ambiguous", candidates=B_OUT,
         records="""+5 B in X:40000 > B:53 udp ACCEPT bytes=68
                    *+100 B out B:53 > X:40000 udp REJECT bytes=148"""),
    Case(name="K5 neither flags nor an order", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         records="""+5..30 B in X:50000 > B:443 ACCEPT packets=9 bytes=5000
                    *+5..36 B out B:443 > X:50000 REJECT packets=6 bytes=360""",
         layout=tuple(f for f in FULL if f != "tcp_flags")),
    Case(name="K6 the instance has another interface", truth="NACL_OUT@subnet-2", verdict="NACL_OUT",
         certainty="likely", candidates=B_OUT[::-1],
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
                    +20 B2 in A:40000 > B2:22 SYN ACCEPT"""),
    # What was refused is no SYN-ACK, and none was accepted: what happened before is not in the log.
    Case(name="K7 a packet without SYN behind an accepted SYN", truth="NACL_OUT@subnet-2",
         verdict="NACL_OUT RULE_CHANGED SG_STATE", certainty="likely ambiguous",
         records="""+5..30 B in X:50000 > B:443 SYN ACCEPT packets=9 bytes=5000
                    *+20..36 B out B:443 > X:50000 ACK REJECT packets=6 bytes=312"""),
    # Ten-minute windows: 700 s apart is near.
    Case(name="K8 the window of proof grows with the interval", truth="SG_IN@eni-b", verdict="SG_IN",
         certainty="certain", candidates=("SG_IN@eni-b",), excluded=("NACL_IN@subnet-2",),
         records="""*+5 B in X:50000 > B:443 SYN REJECT
                    +700 C in X:50001 > C:443 SYN ACCEPT
                    +5..590 D in Y:50000 > D:8080 SYN ACCEPT packets=100 bytes=10000"""),
)  # fmt: skip

DEFAULT_FORMAT = (
    Case(name="V a lone request in", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=("SG_IN@eni-b", "NACL_IN@eni-b"), layout=DEFAULT,
         records="""*+5 B in X:50000 > B:443 REJECT
                    +9 B in A:50001 > B:22 ACCEPT packets=9 bytes=900
                    +9 B out B:22 > A:50001 ACCEPT packets=9 bytes=900"""),
    Case(name="V a lone request out", truth="NACL_OUT@subnet-1", verdict="SG_OR_NACL_OUT", certainty="ambiguous",
         candidates=("SG_OUT@eni-a", "NACL_OUT@eni-a"), layout=DEFAULT,
         records="""*+5 A out A:40000 > X:443 REJECT
                    +9 A in E:50001 > A:22 ACCEPT packets=9 bytes=900
                    +9 A out A:22 > E:50001 ACCEPT packets=9 bytes=900"""),
    # Subnets are not known, so that two near addresses prove nothing.
    Case(name="V the same subnet cannot be seen", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN SG_IN",
         certainty="ambiguous likely", layout=DEFAULT,
         records="""+5 C out C:40000 > B:443 ACCEPT
                    *+5 B in C:40000 > B:443 REJECT
                    +40 B in Y:50000 > B:22 REJECT"""),
    Case(name="V a neighbour cannot be seen to be one", truth="NACL_IN@subnet-2", verdict="SG_OR_NACL_IN SG_IN NACL_IN",
         certainty="ambiguous likely", layout=DEFAULT,
         records="""*+5 B in X:50000 > B:443 REJECT
                    +20 C in X:50001 > C:443 ACCEPT"""),
    # Whether the accepted packets are of a new connection is not logged: the rule may have changed instead.
    Case(name="V accepted on the same interface", truth="SG_IN@eni-b", verdict="SG_IN SG_OR_NACL_IN RULE_CHANGED",
         certainty="likely ambiguous", layout=DEFAULT,
         records="""*+5 B in X:50000 > B:443 REJECT
                    +20 B in X:50001 > B:443 ACCEPT packets=4 bytes=900
                    +20 B out B:443 > X:50001 ACCEPT packets=4 bytes=900"""),
    # No flag says that it had been closed.
    Case(name="V a late packet", truth="SG_IN@eni-a", verdict="LATE_PACKET CONNTRACK_EXPIRED RULE_CHANGED SG_STATE",
         certainty="likely ambiguous", layout=DEFAULT,
         records="""+5..8 A out A:40000 > X:443 ACCEPT packets=9 bytes=900
                    +5..8 A in X:443 > A:40000 ACCEPT packets=8 bytes=4000
                    *+88 A in X:443 > A:40000 REJECT bytes=52"""),
    Case(name="V UDP", truth="NACL_OUT@subnet-2", verdict="NACL_OUT", certainty="likely",
         candidates=("NACL_OUT@eni-b", "SG_OUT@eni-b"), layout=DEFAULT,
         records="""+5 B in X:40000 > B:53 udp ACCEPT bytes=68
                    *+5 B out B:53 > X:40000 udp REJECT bytes=148"""),
    # AWS's example of a refused record: RDP.
    Case(name="V AWS's refused RDP", truth="SG_IN@eni-b", verdict="SG_OR_NACL_IN", certainty="ambiguous",
         candidates=("SG_IN@eni-b", "NACL_IN@eni-b"), layout=DEFAULT,
         records="""+10..70 B in A:20641 > B:22 ACCEPT packets=20 bytes=4249
                    *+10..70 B in E:49761 > B:3389 REJECT packets=20 bytes=4249"""),
)  # fmt: skip

CASES = (*RESPONDER, *INITIATOR, *BOTH, *MIXED, *GUARDS, *CROSSED, *PROTOCOLS, *DEGRADED, *DEFAULT_FORMAT)


def diagnosed(case: Case):
    df, asked = log(case.records, case.layout)
    topology = fl.Topology.from_describe(case.topology) if case.topology else None
    table = df.flow.diagnose(scope="all", topology=topology)
    assert_consistent(table)
    refused = df.loc[asked]
    mine = [
        row
        for row in table.itertuples()
        if row.interface_id == refused.interface_id
        and asked in tuple(row.records)
        and (row.srcport, row.dstport, row.protocol) == (refused.srcport, refused.dstport, refused.protocol)
        and row.srcaddr in {refused.srcaddr, refused.get("pkt_srcaddr")}
    ]
    assert len(mine) == 1, table.to_string()
    return mine[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case):
    row = diagnosed(case)
    said = f"{row.verdict}, {row.certainty}, {row.candidates}, not {row.excluded}: {row.why}"
    assert row.verdict in case.verdict.split(), said
    assert row.certainty in case.certainty.split(), said
    if case.candidates is not None:
        # Two filters of which neither is more likely stand in any order.
        in_order = row.certainty == "likely" and case.certainty == "likely"
        as_asked = tuple if in_order else frozenset
        assert as_asked(row.candidates) == as_asked(case.candidates), said
    assert {*case.excluded} <= {*row.excluded}, said


def without_subnet(filter_at: str) -> str:
    """Where no subnet is logged a network ACL is named by the interface; every case knows only one."""
    return filter_at.partition("@")[0]


@pytest.mark.parametrize("case", [case for case in CASES if case.truth], ids=lambda case: case.name)
def test_the_true_filter_is_a_candidate_and_not_excluded(case):
    row = diagnosed(case)
    strip = (lambda filter_at: filter_at) if "subnet_id" in case.layout else without_subnet
    assert strip(case.truth) not in {strip(filter_at) for filter_at in row.excluded}
    assert not row.candidates or strip(case.truth) in {strip(filter_at) for filter_at in row.candidates}


def test_every_case_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES)


def table_of(records, layout=FULL, **options):
    df, _ = log(records, layout)
    return df, df.flow.diagnose(**options)


def test_unknown_reason_is_passed_on():
    _, table = table_of("*+5 B in X:50000 > B:443 SYN REJECT reject-reason=QuantumTax")
    assert "QuantumTax" in table.why.iloc[0]


def test_assumptions_that_failed_are_named_where_certainty_is_lost():
    whole = """+5 B in X:50000 > B:443 SYN ACCEPT
               *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360"""
    _, sure = table_of(whole)
    _, unsure = table_of(whole + "\n+0..60 B SKIPDATA")
    assert (sure.certainty.iloc[0], unsure.certainty.iloc[0]) == ("certain", "likely")
    assert len(sure.assumptions.iloc[0]) > 0
    assert str(sure.assumptions.iloc[0]) + sure.why.iloc[0] != str(unsure.assumptions.iloc[0]) + unsure.why.iloc[0]


def test_retransmissions_over_windows_are_one_attempt():
    df, table = table_of("""
        *+40..56 A out A:40000 > X:443 SYN REJECT packets=5 bytes=300
        +63..71 A out A:40000 > X:443 SYN REJECT packets=2 bytes=120""")
    assert table[["attempts", "packets"]].to_numpy().tolist() == [[1, 7]]
    assert sorted(table.records.iloc[0]) == [0, 1]
    assert (table["first"].iloc[0], table["last"].iloc[0]) == (df.start.min(), df.end.max())


def test_the_same_ports_much_later_are_another_attempt():
    _, table = table_of("""
        *+5..36 A out A:40000 > X:443 SYN REJECT packets=6 bytes=360
        +900..931 A out A:40000 > X:443 SYN REJECT packets=6 bytes=360""")
    assert (table.attempts.sum(), table.packets.sum()) == (2, 12)


def test_other_ports_are_other_conversations():
    _, table = table_of("""
        *+5 A out A:40000 > X:443 SYN REJECT
        +5 A out A:40001 > X:443 SYN REJECT
        +5 A out A:40002 > X:444 SYN REJECT""")
    assert len(table) == table.attempts.sum() == 3


def test_the_same_conversation_refused_at_two_interfaces_is_two_rows():
    # The SYN is refused at B; later, with the rule repaired, the answer is refused at A.
    _, table = table_of("""
        +5 A out A:40000 > B:443 SYN ACCEPT
        *+5 B in A:40000 > B:443 SYN REJECT
        +300 A out A:40000 > B:443 SYN ACCEPT
        +300 B in A:40000 > B:443 SYN ACCEPT
        +300..331 B out B:443 > A:40000 SYNACK ACCEPT packets=6 bytes=360
        +300..331 A in B:443 > A:40000 SYNACK REJECT packets=6 bytes=360""")
    assert sorted(table.interface_id) == ["eni-a", "eni-b"]
    assert_consistent(table)


def test_a_record_without_interface_is_not_laid_to_another_one():
    # C is in the subnet of B, which is not the interface of the second record.
    _, table = table_of("""+5 B in X:50000 > B:80 SYN ACCEPT
                           +5 B in C:50000 > B:443 SYN REJECT interface-id=- subnet-id=- instance-id=-""")
    (row,) = table.itertuples()
    assert pd.isna(row.interface_id)
    assert (row.verdict, row.certainty) == ("SG_OR_NACL_IN", "ambiguous")
    assert row.candidates == ("SG_IN@-", "NACL_IN@-")


@pytest.mark.parametrize("group", ["M", "BROADCAST"])
def test_what_is_sent_to_many_does_not_widen_the_subnet(group):
    _, table = table_of(f"""+5 B in C:5000 > {group}:5000 udp ACCEPT
                            +5 B in X:50000 > B:443 SYN REJECT
                            +5 B in C:50000 > B:443 SYN REJECT""", scope="all")  # fmt: skip
    said = dict(zip(table.srcaddr, table.verdict + " " + table.certainty, strict=True))
    assert said[ADDRESS["X"]] == "SG_OR_NACL_IN ambiguous"
    if group == "M":
        assert said[ADDRESS["C"]] == "SG_IN certain"


def test_nothing_refused_gives_no_row():
    _, table = table_of("+5 B in X:50000 > B:443 SYN ACCEPT")
    assert len(table) == 0


SCANS = """
    *+5 B in X:50000 > B:23 SYN REJECT
    +6 B in Y:50001 > B:2323 SYN REJECT
    +7 B in Z:50002 > B:3389 SYN REJECT packets=3 bytes=180
    +8 C in X:50003 > C:23 SYN REJECT
    +9 B in X:443 > B:40000 SYNACK REJECT
    +10 B in A:40000 > B:443 SYN REJECT
    +11 A out A:40001 > X:443 SYN REJECT
    +12 B in Y:50004 > B:80 SYN ACCEPT
    +12..43 B out B:80 > Y:50004 SYNACK REJECT packets=6 bytes=360"""


def test_scans_from_the_internet_are_one_line_an_interface_and_verdict():
    df, table = table_of(SCANS)
    assert_consistent(table)
    _, single = table_of(SCANS, scope="all")
    assert len(single) == 8
    scanned = {"eni-b": [0, 1, 2], "eni-c": [3]}
    for interface, labels in scanned.items():
        (line,) = (row for row in table.itertuples() if {*labels} <= {*row.records} and row.interface_id == interface)
        assert line.verdict == "SG_OR_NACL_IN"
        refused = df.loc[[*line.records]].query("action == 'REJECT'")
        assert (line.attempts, line.packets) == (len(refused), refused.packets.sum())
    # Everything else stays by itself: from inside, towards the internet, and answers on their way out.
    alone = [row for row in table.itertuples() if {5, 6, 8} & {*row.records}]
    assert sorted(row.interface_id for row in alone) == ["eni-a", "eni-b", "eni-b"]
    assert table.attempts.sum() == single.attempts.sum()


def test_internal_conversations_are_listed_one_by_one_in_either_scope():
    records = "\n".join(f"+{n} B in A:{40000 + n} > B:443 SYN REJECT" for n in range(5))
    assert [len(table_of(records, scope=scope)[1]) for scope in ("internal", "all")] == [5, 5]


def test_an_ipv6_neighbour_in_the_subnet_is_not_the_internet():
    _, table = table_of("""+5 B in C6:50000 > B6:443 SYN REJECT
                           +5 B in C6:50001 > B6:444 SYN REJECT""")
    assert list(table.srcaddr) == [ADDRESS["C6"]] * 2
    assert not table.why.str.contains("internet").any()


def test_addresses_of_the_link_are_neither_the_internet_nor_a_subnet():
    _, table = table_of("""+5 B in LINK6:50000 > LINK6B:443 SYN REJECT
                           +5 B in LINK6:50001 > LINK6B:444 SYN REJECT
                           +5 B in C6:50001 > B6:444 SYN REJECT""")
    assert not table.why.str.contains("internet").any()
    said = dict(zip(table.srcaddr, table.verdict + " " + table.certainty, strict=True))
    assert said[ADDRESS["C6"]] == "SG_IN certain"


def test_scope_is_one_of_two():
    with pytest.raises(ValueError, match="scope"):
        table_of(SCANS, scope="everything")


def test_without_records_to_judge_by_the_missing_field_is_named():
    df, _ = log("*+5 B in X:50000 > B:443 SYN REJECT", tuple(f for f in FULL if f != "action"))
    with pytest.raises(MissingFieldError, match="action"):
        df.flow.diagnose()


def test_reject_pairs_set_the_refused_answer_beside_its_request():
    df, _ = log("""
        +5 B in X:50000 > B:443 SYN ACCEPT
        *+5..36 B out B:443 > X:50000 SYNACK REJECT packets=6 bytes=360
        +9 C in Y:50000 > C:22 SYN ACCEPT
        +9 C out C:22 > Y:50000 SYNACK ACCEPT""")
    pairs = df.flow.reject_pairs()
    assert pairs.interface_id.tolist() == ["eni-b"]


def test_names_of_certain_filters_are_those_of_the_interface_and_the_subnet():
    case = next(case for case in CASES if case.name.startswith("S9 the answer"))
    assert diagnosed(case).candidates == ("NACL_OUT@subnet-2",)
    assert diagnosed(case).excluded == ("SG_OUT@eni-b",)


def test_a_hole_among_private_addresses_of_ipv6():
    remotes = {"fd00::5": "REJECT", "fd00::4": "ACCEPT", "fd00::6": "ACCEPT"}
    rows = [
        {
            "interface_id": eni, "subnet_id": "subnet-1", "instance_id": f"i-{eni}", "srcaddr": remote,
            "dstaddr": f"fd00:0:0:1::{eni[-1]}", "srcport": 50_000, "dstport": 443, "protocol": 6, "packets": 1,
            "bytes": 80, "start": 1_773_100_800, "end": 1_773_100_801, "action": action, "log_status": "OK",
            "tcp_flags": 2, "flow_direction": "ingress",
        }
        for eni in ("eni-a", "eni-b")
        for remote, action in remotes.items()
    ]  # fmt: skip
    table = fl.from_frame(pd.DataFrame(rows)).flow.diagnose()
    assert table.verdict.tolist() == ["NACL_IN", "NACL_IN"]
    assert table.candidates.tolist() == [("NACL_IN@subnet-1", f"SG_IN@{eni}") for eni in ("eni-a", "eni-b")]
