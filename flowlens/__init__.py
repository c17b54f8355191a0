"""Read, question and understand AWS VPC Flow Logs in a notebook.

``import flowlens as fl`` registers ``df.flow`` on every pandas frame; there is nothing else to set up.
"""

from pandas.api.extensions import register_dataframe_accessor as _register

from flowlens import aws, groups
from flowlens.accessor import FlowAccessor as _FlowAccessor
from flowlens.errors import (
    EngineError,
    FlowlensError,
    MissingExtraError,
    MissingFieldError,
    NotAFlowFrameError,
    ParseError,
    TopologyError,
)
from flowlens.flows import Flows
from flowlens.foreign import from_frame
from flowlens.load import check, formats, read
from flowlens.prices import prices
from flowlens.sample import sample, sample_topology, samples
from flowlens.scan import scan
from flowlens.selection import Selection
from flowlens.simulate import simulate
from flowlens.topology import Topology, is_logged

__all__ = [
    "EngineError",
    "FlowlensError",
    "Flows",
    "MissingExtraError",
    "MissingFieldError",
    "NotAFlowFrameError",
    "ParseError",
    "Selection",
    "Topology",
    "TopologyError",
    "aws",
    "check",
    "formats",
    "from_frame",
    "groups",
    "is_logged",
    "prices",
    "read",
    "sample",
    "sample_topology",
    "samples",
    "scan",
    "simulate",
]

__version__ = "0.1.0"

_register("flow")(_FlowAccessor)
