"""What security groups and network ACLs say: to one packet, to a connection there and back, and how to open the way.

::

    packets          what filters look at, and what they can answer
    addresses        addresses as numbers
    ports            protocol and ports of a rule; which of them rules tell apart
    security_groups  the rules of groups as values
    network_acls     network ACLs as values
    peers            whose traffic a rule of a group is about
    decisions        what a filter says, and why
    misses           rules that nearly allow a packet
    evaluate         Rules: the filters of a topology, ready to be asked
    ends             which interface, subnet and VPC an address stands for
    clients          the ports that clients ask from
    walk, hops       the filters on the way, in order
    nat              NAT gateways that may be on the way
    assumptions      what an answer takes for granted
    round_trip       RoundTrip: the way there and back
    asked            what Topology.evaluate is asked
    fix              Fix: the narrowest rules that open the way, proved on a copy
    calls, spelling  the EC2 API calls of a fix; the same for the CLI and Terraform
"""

from flowlens.rules.decisions import AclDecision, GroupsDecision, NearMiss
from flowlens.rules.evaluate import Rules
from flowlens.rules.fix import Fix, fix
from flowlens.rules.hops import Hop
from flowlens.rules.packets import Header, Outcome
from flowlens.rules.round_trip import RoundTrip, round_trip
from flowlens.rules.walk import Request

__all__ = [
    "AclDecision",
    "Fix",
    "GroupsDecision",
    "Header",
    "Hop",
    "NearMiss",
    "Outcome",
    "Request",
    "RoundTrip",
    "Rules",
    "fix",
    "round_trip",
]
