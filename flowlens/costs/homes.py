"""Addresses that several VPCs have: within each, another host."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["told_apart"]

_ENDS = ("src", "dst", "real_src", "real_dst")


def told_apart(rows: pd.DataFrame, local: np.ndarray, count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Give an address that interfaces of several VPCs have another number for each VPC, in what went within it.

    What has an address of its own VPC for its destination does not leave it, so the far end is known, too. Of what goes
    from one VPC to another, only the VPC of the interface is logged; both ends keep their numbers, so that what was
    logged at either stays together.

    Parameters
    ----------
    rows
        The sightings, with their ends as numbers below `count`, and their VPC, -1 where it is not logged.
    local
        The number of the address that the interface has, -1 where that is not known.

    Returns
    -------
    rows : pandas.DataFrame
        The sightings with the new numbers, which begin at `count`.
    of : numpy.ndarray
        For each number, old and new, the old one, which is that of the address.
    """
    home = rows["vpc"].to_numpy()
    owned = np.sort(pd.unique((home * count + local)[(home >= 0) & (local >= 0)]))
    address = owned % count if count else owned
    several = np.bincount(address, minlength=count) > 1
    apart = owned[several[address]]
    keys = {end: home * count + rows[end].to_numpy() for end in _ENDS}
    within = (home >= 0) & np.isin(keys["real_src"], owned) & np.isin(keys["real_dst"], owned)
    numbers = {
        end: np.where(within & np.isin(key, apart), count + np.searchsorted(apart, key), rows[end])
        for end, key in keys.items()
    }
    return rows.assign(**numbers), np.append(np.arange(count), address[several[address]])
