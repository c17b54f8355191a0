"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before anything imports pyplot: no test may open a window.
os.environ["MPLBACKEND"] = "Agg"

# pytest's importlib mode leaves sys.path alone; the helper modules `formats` and `strategies` lie beside this file.
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "flowlens",
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    # Explaining a failure takes minutes where an example takes a query.
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
settings.load_profile("flowlens")


@pytest.fixture(autouse=True)
def _every_figure_is_closed():
    """No test hands figures on to the next; pyplot warns from 20 open ones on, and warnings are errors."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
