"""Write the shipped sample again: ``python -m flowlens.simulate [folder]``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from flowlens.simulate import simulate

_SHIPPED = Path("sample_data/vpc")  # in the root of a checkout, where this is meant to be run


def main() -> None:
    """Simulate the small company's day and replace the sample with it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _SHIPPED
    # Names of the log files depend on their content: old ones would stay beside the new.
    for part in ("AWSLogs", "describe"):
        shutil.rmtree(folder / part, ignore_errors=True)
    simulate(seed=2026, hours=24).write(folder)


if __name__ == "__main__":
    main()
