"""The shipped data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from flowlens.topology import Topology

__all__ = ["sample", "sample_topology", "samples"]

_PACKAGE = Path(__file__).parent
# In an installed package the data lies inside it; in a checkout beside it, at the top level.
_FOLDERS = (_PACKAGE / "sample_data", _PACKAGE.parent / "sample_data")


def samples() -> tuple[str, ...]:
    """Return the names of the shipped data sets.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.samples()
    ('vpc',)
    """
    return tuple(sorted(folder.name for folder in _folder().iterdir() if (folder / "AWSLogs").is_dir()))


def sample(name: str = "vpc") -> pd.DataFrame:
    """Read a shipped data set: by default one day of a small company's VPC, with things to find in it.

    Parameters
    ----------
    name : str
        One of `samples()`.

    Returns
    -------
    pandas.DataFrame
        As from `read`: 29 fields of version 5, one row a record.

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> import flowlens as fl
    >>> df = fl.sample()
    >>> df.flow.interval
    60
    """
    # Reading needs more than `import flowlens` should wait for.
    from flowlens.load import read

    return read(_sample(name) / "AWSLogs", progress=False)


def sample_topology(name: str = "vpc") -> Topology:
    """Read what the describe calls of the AWS CLI would print of the network behind a shipped data set.

    Parameters
    ----------
    name : str
        One of `samples()`.

    Returns
    -------
    Topology
        As from `Topology.from_describe`.

    Raises
    ------
    ValueError
        If there is no such data set.

    Examples
    --------
    >>> import flowlens as fl
    >>> fl.sample_topology()
    <Topology: 14 interfaces, 6 subnets, 1 VPC, 11 security groups, 4 network ACLs, 1 flow log>
    """
    from flowlens.topology import Topology

    return Topology.from_describe(_sample(name) / "describe")


def _sample(name: str) -> Path:
    if name not in samples():
        raise ValueError(f"there is no sample {name!r}; there are {', '.join(samples())}")
    return _folder() / name


def _folder() -> Path:
    return next(folder for folder in _FOLDERS if folder.is_dir())
