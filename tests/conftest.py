"""What all tests share."""

from __future__ import annotations

import os
import shutil
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
    max_examples=15,
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


@pytest.fixture(scope="session")
def spark():
    """Spark itself, on two cores of this machine. It takes some seconds to start, once for all tests."""
    from engines import connect_to_spark

    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.fail("Spark needs Java 17 or newer: apt install default-jre-headless, or brew install openjdk")
    connection = connect_to_spark()
    yield connection
    connection._session.stop()
