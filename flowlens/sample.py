"""The shipped data sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flowlens.load import read

__all__ = ["sample", "samples"]

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
    if name not in samples():
        raise ValueError(f"there is no sample {name!r}; there are {', '.join(samples())}")
    return read(_folder() / name / "AWSLogs", progress=False)


def _folder() -> Path:
    return next(folder for folder in _FOLDERS if folder.is_dir())
