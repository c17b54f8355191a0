"""How many hosts do the same: what all do is a service, and no host is remarkable for it."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["hosts_alike"]


def hosts_alike(pairs: pd.DataFrame, counts: np.ndarray) -> np.ndarray:
    """Count for each pair the hosts on its side, internal or not, that seek the same destination at the same port.

    Parameters
    ----------
    pairs
        `srcaddr, dstaddr, dstport, protocol, from_inside`, each source once a destination and port.
    counts
        Which of them count.
    """
    unit = [pairs[name] for name in ("dstaddr", "dstport", "protocol", "from_inside")]
    alike = pd.Series(counts.astype(int), index=pairs.index).groupby(unit, observed=True, dropna=False)
    hosts: np.ndarray = np.maximum(1.0, alike.transform("sum").to_numpy(float))
    return hosts
