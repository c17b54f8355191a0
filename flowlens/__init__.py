"""Read, question and understand AWS VPC Flow Logs in a notebook.

``import flowlens as fl`` registers ``df.flow`` on every pandas frame; there is nothing else to set up.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from pandas.api.extensions import register_dataframe_accessor as _register

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
from flowlens.prices import prices
from flowlens.sample import sample, sample_topology, samples
from flowlens.selection import Selection
from flowlens.simulate import simulate

if _TYPE_CHECKING:
    from flowlens import aws, groups
    from flowlens.detect import Ignore, thresholds
    from flowlens.foreign import from_frame
    from flowlens.load import check, formats, read
    from flowlens.scanning import scan
    from flowlens.topology import Topology, is_logged

__all__ = [
    "EngineError",
    "FlowlensError",
    "Flows",
    "Ignore",
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
    "thresholds",
]

__version__ = "0.1.0"

#: Imported when it is asked for first, so that `import flowlens` stays light.
_LATE = {
    "Ignore": "flowlens.detect",
    "Topology": "flowlens.topology",
    "aws": "",
    "check": "flowlens.load",
    "formats": "flowlens.load",
    "from_frame": "flowlens.foreign",
    "groups": "",
    "is_logged": "flowlens.topology",
    "read": "flowlens.load",
    "scan": "flowlens.scanning",
    "thresholds": "flowlens.detect",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module 'flowlens' has no attribute {name!r}")
    if not _LATE[name]:
        return _import_module(f"flowlens.{name}")
    return getattr(_import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_register("flow")(_FlowAccessor)
