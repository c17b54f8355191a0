"""Why can A not reach B? One row about the weakest point of a conversation, also where nothing was refused.

The cases are written as in `test_diagnosis_tables`: S the responder's records, C the initiator's, P those of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from diagnosis_contract import COLUMNS, faults
from flow_lines import ADDRESS, DEFAULT, FULL, log

import flowlens as fl

ALL_FILTERS = {"SG_OUT@eni-a", "NACL_OUT@subnet-1", "NACL_IN@subnet-2", "SG_IN@eni-b"}
RESOLVER = "10.0.0.2"
NETWORK = {
    "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16",
              "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}]}],
    "NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-n", "SubnetId": "subnet-0", "VpcId": "vpc-1", "InterfaceType": "nat_gateway",
         "PrivateIpAddress": ADDRESS["N"], "Groups": []}],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who asks whom, and which verdicts and certainties are right, separated by blanks."""

    name: str
    records: str
    verdict: str
    certainty: str
    src: str = "X"
    dst: str = "B"
    dst_port: int = 443
    protocol: str = "tcp"
    excluded: frozenset[str] = frozenset()
    candidates: frozenset[str] | None = None
    layout: tuple[str, ...] = FULL
    topology: dict = field(default_factory=dict)


CASES = (
    Case(name="S15 answered", verdict="OK", certainty="certain",
         records="""+5 B in X:50000 > B:443 SYN ACCEPT packets=9 bytes=900
                    +5 B out B:443 > X:50000 SYNACK ACCEPT packets=8 bytes=4000"""),
    Case(name="S15 answered and closed within the window", verdict="OK", certainty="certain",
         records="""+5 B in X:50000 > B:443 SYN+FIN ACCEPT packets=9 bytes=900
                    +5 B out B:443 > X:50000 SYNACK+FIN ACCEPT packets=8 bytes=4000"""),
    # Nothing listens on the port: the host itself says no, all filters of AWS were passed.
    Case(name="S16 refused by the host", verdict="REFUSED", certainty="certain",
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    +5 B out B:443 > X:50000 RST ACCEPT bytes=40"""),
    Case(name="S16 a reset with an acknowledgement", verdict="REFUSED", certainty="certain",
         records="""+5 B in X:50000 > B:443 SYN ACCEPT
                    +5 B out B:443 > X:50000 ACCEPT bytes=40 tcp-flags=20"""),
    # The firewall of the host swallows it.
    Case(name="S17 silence", verdict="NO_RESPONSE", certainty="likely",
         records="""+5..36 B in X:50000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +40 B in Y:50000 > B:22 SYN ACCEPT packets=5 bytes=500
                    +40 B out B:22 > Y:50000 SYNACK ACCEPT packets=5 bytes=900"""),
    # Syslog over UDP gets no answer and needs none.
    Case(name="S18 one way", verdict="OK", certainty="none likely", dst_port=514, protocol="udp",
         records="+5..50 B in X:40000 > B:514 udp ACCEPT packets=9 bytes=900"),
    Case(name="C11 answered", verdict="OK", certainty="certain", src="A", dst="X",
         records="""+5 A out A:40000 > X:443 SYN ACCEPT packets=9 bytes=900
                    +5 A in X:443 > A:40000 SYNACK ACCEPT packets=8 bytes=4000"""),
    Case(name="C12 refused by the other host", verdict="REFUSED", certainty="certain", src="A", dst="X",
         records="""+5 A out A:40000 > X:443 SYN ACCEPT
                    +5 A in X:443 > A:40000 RST ACCEPT bytes=40"""),
    # A route, a filter or the host at the far end; here everything was let out.
    Case(name="C13 silence", verdict="NO_RESPONSE", certainty="likely", src="A", dst="X",
         excluded=frozenset({"SG_OUT@eni-a", "NACL_OUT@subnet-1"}),
         records="""+5..36 A out A:40000 > X:443 SYN ACCEPT packets=6 bytes=360
                    +40 A out A:40001 > Y:443 SYN ACCEPT packets=5 bytes=500
                    +40 A in Y:443 > A:40001 SYNACK ACCEPT packets=5 bytes=900"""),
    # The user has the wrong interface, or the process never sent anything.
    Case(name="C14 nothing at all", verdict="INSUFFICIENT_DATA NOT_LOGGED", certainty="none", src="A", dst="X",
         records="+5 A out A:40000 > Y:80 SYN ACCEPT"),
    Case(name="P1 refused where it leaves", verdict="SG_OR_NACL_OUT", certainty="ambiguous", src="A",
         candidates=frozenset({"SG_OUT@eni-a", "NACL_OUT@subnet-1"}),
         records="""+5 A out A:40000 > B:443 SYN REJECT
                    +9 B out B:41000 > Z:80 SYN ACCEPT
                    +9 B in Z:80 > B:41000 SYNACK ACCEPT"""),
    Case(name="P4 the answer is refused where it arrives", verdict="NACL_IN", certainty="certain", src="A",
         candidates=frozenset({"NACL_IN@subnet-1"}),
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    +5 B in A:40000 > B:443 SYN ACCEPT
                    +5..36 B out B:443 > A:40000 SYNACK ACCEPT packets=6 bytes=360
                    +5..36 A in B:443 > A:40000 SYNACK REJECT packets=6 bytes=360"""),
    Case(name="P5 answered", verdict="OK", certainty="certain", src="A",
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    +5 B in A:40000 > B:443 SYN ACCEPT
                    +5 B out B:443 > A:40000 SYNACK ACCEPT
                    +5 A in B:443 > A:40000 SYNACK ACCEPT"""),
    Case(name="P5 refused by the host", verdict="REFUSED", certainty="certain", src="A",
         records="""+5 A out A:40000 > B:443 SYN ACCEPT
                    +5 B in A:40000 > B:443 SYN ACCEPT
                    +5 B out B:443 > A:40000 RST ACCEPT
                    +5 A in B:443 > A:40000 RST ACCEPT"""),
    # No route from A's subnet, or a black hole: A let it go, B logs and saw nothing.
    Case(name="P6 lost on the way there", verdict="PATH_LOSS", certainty="likely ambiguous none", src="A",
         excluded=frozenset(ALL_FILTERS),
         records="""+5..36 A out A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +2..58 B out B:41000 > Z:80 SYN ACCEPT packets=20 bytes=2000
                    +2..58 B in Z:80 > B:41000 SYNACK ACCEPT packets=20 bytes=2000"""),
    Case(name="P7 the host is silent", verdict="NO_RESPONSE", certainty="likely", src="A",
         records="""+5..36 A out A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +5..36 B in A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +40 B in Y:50000 > B:22 SYN ACCEPT packets=5 bytes=500
                    +40 B out B:22 > Y:50000 SYNACK ACCEPT packets=5 bytes=900"""),
    Case(name="P8 lost on the way back", verdict="PATH_LOSS", certainty="likely ambiguous none", src="A",
         records="""+5..36 A out A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +5..36 B in A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +5..36 B out B:443 > A:40000 SYNACK ACCEPT packets=11 bytes=660"""),
    # Silence in a window whose records are lost says nothing.
    Case(name="G1 lost records", verdict="INSUFFICIENT_DATA", certainty="none", src="A",
         records="""+5..36 A out A:40000 > B:443 SYN ACCEPT packets=6 bytes=360
                    +0..60 A SKIPDATA
                    +0..60 B SKIPDATA"""),
    # Nothing but what was refused is logged; then silence is what an accepted conversation looks like.
    Case(name="G1 a log of rejects only", verdict="INSUFFICIENT_DATA", certainty="none", src="A",
         records="+5 B in X:50000 > B:23 SYN REJECT"),
    Case(name="G3 the metadata service", verdict="NOT_LOGGED", certainty="likely certain", src="A",
         dst="169.254.169.254", dst_port=80, records="+5 A out A:40000 > X:443 SYN ACCEPT"),
    Case(name="G3 what is probably the resolver", verdict="NOT_LOGGED INSUFFICIENT_DATA", certainty="likely none",
         src="A", dst=RESOLVER, dst_port=53, protocol="udp", records="+5 A out A:40000 > X:443 SYN ACCEPT"),
    Case(name="G3 the resolver", verdict="NOT_LOGGED", certainty="certain", topology=NETWORK,
         src="A", dst=RESOLVER, dst_port=53, protocol="udp", records="+5 A out A:40000 > X:443 SYN ACCEPT"),
    # Accepted by the network ACL, dropped by the gateway, which nobody asked.
    Case(name="an unasked packet at a NAT gateway", verdict="UNSOLICITED_AT_NAT", certainty="certain", dst="N",
         dst_port=8_443, topology=NETWORK, records="+5..36 N in X:50000 > N:8443 SYN ACCEPT packets=6 bytes=360"),
    Case(name="an unasked packet at what looks like a NAT gateway", verdict="UNSOLICITED_AT_NAT", certainty="likely",
         dst="N", dst_port=8_443,
         records="""+5..36 N in X:50000 > N:8443 SYN ACCEPT packets=6 bytes=360
                    +2 N in A:40000 > N:443 SYN ACCEPT pkt-dstaddr=Z
                    +2 N out N:7000 > Z:443 SYN ACCEPT
                    +2 N in Z:443 > N:7000 SYNACK ACCEPT
                    +2 N out N:443 > A:40000 SYNACK ACCEPT pkt-srcaddr=Z"""),
    Case(name="V answered", verdict="OK", certainty="likely certain", layout=DEFAULT,
         records="""+5 B in X:50000 > B:443 ACCEPT packets=9 bytes=900
                    +5 B out B:443 > X:50000 ACCEPT packets=8 bytes=4000"""),
    # A reset and a SYN-ACK of one small packet look alike without flags.
    Case(name="V a small answer", verdict="OK REFUSED INSUFFICIENT_DATA", certainty="likely ambiguous none",
         layout=DEFAULT,
         records="""+5 B in X:50000 > B:443 ACCEPT bytes=60
                    +5 B out B:443 > X:50000 ACCEPT bytes=40"""),
)  # fmt: skip


def asked(case: Case):
    df, _ = log(case.records, case.layout)
    topology = fl.Topology.from_describe(case.topology) if case.topology else None
    ends = (ADDRESS.get(end, end) for end in (case.src, case.dst))
    return df.flow.diagnose_conversation(
        *ends, dst_port=case.dst_port, protocol=case.protocol, topology=topology
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case):
    table = asked(case)
    assert {*COLUMNS} <= {*table.columns}
    (row,) = table.itertuples()
    said = f"{row.verdict}, {row.certainty}, {row.candidates}, not {row.excluded}: {row.why}"
    assert row.verdict in case.verdict.split(), said
    assert row.certainty in case.certainty.split(), said
    assert case.excluded <= {*row.excluded}, said
    if case.candidates is not None:
        assert {*row.candidates} == case.candidates, said
    # Where nothing was seen there are no records, times and attempts to show.
    spoken = [fault for fault in faults(row) if fault not in {"no record behind it", "no attempt"}]
    assert not spoken, said


def test_columns_are_those_of_diagnose():
    df, _ = log("+5 B in X:50000 > B:443 SYN REJECT")
    about = df.flow.diagnose_conversation(ADDRESS["X"], ADDRESS["B"], dst_port=443)
    assert about.columns.tolist() == df.flow.diagnose(scope="all").columns.tolist()


def test_other_conversations_do_not_matter():
    df, _ = log("""
        +5 B in X:50000 > B:443 SYN ACCEPT
        +5 B out B:443 > X:50000 SYNACK ACCEPT
        +6 B in X:50001 > B:22 SYN REJECT
        +7 B in Y:50002 > B:443 SYN REJECT""")
    about = df.flow.diagnose_conversation(ADDRESS["X"], ADDRESS["B"], dst_port=443)
    assert about.verdict.tolist() == ["OK"]


def test_each_conversation_is_a_row():
    df, _ = log("""
        +5 B in X:50000 > B:443 SYN ACCEPT packets=9 bytes=900
        +5 B out B:443 > X:50000 SYNACK ACCEPT packets=8 bytes=4000
        +6 B in X:50001 > B:443 SYN ACCEPT
        +6 B out B:443 > X:50001 RST ACCEPT bytes=40""")
    about = df.flow.diagnose_conversation(ADDRESS["X"], ADDRESS["B"], dst_port=443)
    assert sorted(about.verdict) == ["OK", "REFUSED"]


def test_a_refused_conversation_says_what_diagnose_says():
    df, _ = log("""
        +5..36 B in X:50000 > B:443 SYN ACCEPT packets=6 bytes=360
        +5..36 B out B:443 > X:50000 SYNACK REJECT packets=11 bytes=660""")
    names = ["interface_id", "verdict", "certainty", "candidates", "excluded"]
    about = df.flow.diagnose_conversation(ADDRESS["X"], ADDRESS["B"], dst_port=443)
    assert about[names].to_numpy().tolist() == df.flow.diagnose(scope="all")[names].to_numpy().tolist()


def test_what_is_not_logged_is_certain_only_where_the_network_tells():
    df, topology = fl.sample(), fl.sample_topology()

    def said(dst: str, port: int, topology: fl.Topology | None = None) -> tuple[str, str]:
        (row,) = df.flow.diagnose_conversation("10.20.10.31", dst, dst_port=port, topology=topology).itertuples()
        return row.verdict, row.certainty

    assert said("10.20.0.2", 53) == ("NOT_LOGGED", "likely")
    assert said("10.20.0.2", 53, topology) == ("NOT_LOGGED", "certain")
    assert said("169.254.169.254", 80) == ("NOT_LOGGED", "likely")
    assert said("169.254.169.254", 80, topology) == ("NOT_LOGGED", "certain")
    assert said("10.20.10.1", 443, topology) == ("NOT_LOGGED", "certain")
    # AWS keeps these addresses, and says nothing of what is sent to them.
    assert said("10.20.10.3", 443, topology) == ("NOT_LOGGED", "likely")
    assert said("10.20.10.255", 443, topology) == ("NOT_LOGGED", "likely")
    assert said("10.20.0.2", 443) == ("INSUFFICIENT_DATA", "none")
    # Nothing in the topology has these addresses; it may not be all there is.
    assert said("10.99.0.9", 443, topology)[1] != "certain"
