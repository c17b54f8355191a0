"""What is given as a topology."""

from __future__ import annotations

from flowlens.topology.network import Topology

__all__ = ["need_topology"]


def need_topology(given: object, what: str) -> None:
    """Refuse what is no topology.

    Raises
    ------
    TypeError
        With the way to get one.
    """
    if not isinstance(given, Topology):
        raise TypeError(
            f"{what} takes a Topology and not a {type(given).__name__}; "
            "fl.Topology.from_describe(path) reads what the describe calls of the AWS CLI printed"
        )
