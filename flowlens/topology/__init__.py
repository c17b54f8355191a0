"""The network behind the records: interfaces, subnets and VPCs as `aws ec2 describe-*` prints them.

::

    documents   where describe-* output comes from: files, folders, dicts, several documents in one file
    calls       the same output from the API, by a boto3 session of the caller
    inventory   every item once, by its id
    items       the checked fields of one item
    kinds       what an interface belongs to: kind and name
    parts       interfaces, subnets, VPCs and flow logs as values
    ranges      who has an address
    network     Topology: all of it, and who has which address
    judging     its methods that answer for its rules
    building    a topology, put together from documents
    given       refuses what is given as a topology and is none
    tables      interfaces and addresses as frames
    never, coverage, traffic
                what is_logged asks, one question a function
    logged      is_logged: traffic that flow logs never capture
"""

from flowlens.topology.given import need_topology
from flowlens.topology.logged import Logged, is_logged
from flowlens.topology.network import Topology

__all__ = ["Logged", "Topology", "is_logged", "need_topology"]
