"""Indicators, and the addresses that are among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlens.cidr import Addresses, PrefixTable
from flowlens.indicators.given import Source, listing_of
from flowlens.indicators.judging import judged

__all__ = ["Indicators"]

# Two numbers a pair: 800 MB. A list that says 0.0.0.0/0 a hundred times makes so many of half a million addresses.
_MOST_PAIRS = 50_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Indicators:
    """A list of known bad addresses.

    Attributes
    ----------
    table : pandas.DataFrame
        An indicator a row, in the order of the list and each once: `cidr`, `name`, `port`, `protocol`, `confidence`
        (0 to 1), `valid_from`, `valid_until` (UTC, the latter exclusive) and `source`, the list. Missing is what the
        list does not say; `port` is that at the end of the address.
    left_out : pandas.DataFrame
        What flow logs cannot be searched for, such as host names and hashes: `where` it stands, `text`, `reason`.

    Examples
    --------
    >>> bad = Indicators.of({"DROP": ["198.51.100.0/24", "evil.example"], "scanner": "198.51.100.7"})
    >>> bad
    Indicators(2, 1 left out)
    >>> bad.left_out
                   where          text       reason
    0  indicators, row 2  evil.example  a host name
    >>> bad.match(["10.0.0.1", "198.51.100.7"])
       address  indicator
    0        1          1
    1        1          0
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    _prefixes: PrefixTable
    _rows: np.ndarray
    _begins: np.ndarray

    @classmethod
    def of(cls, source: Source) -> Indicators:
        """Read indicators.

        Parameters
        ----------
        source : str, path, list, dict or DataFrame
            An address, a CIDR prefix, several of them, ``{name: cidr or [cidrs]}``, or a frame with a column `cidr`,
            `indicator`, `ip`, `address` or `value` and, if there are any, `name` or `label`, `port`, `protocol`,
            `confidence`, `valid_from`, `valid_until` and `source`. Or the path of a file: an address a line with
            comments behind ``#`` or ``;``, a CSV file with such columns, or STIX 2.0 or 2.1 as JSON. Addresses may be
            defanged, have a port behind ``:``, and be hosts of URLs. Text that reads as an address is one; other text
            is a path.

        Returns
        -------
        Indicators

        Raises
        ------
        ParseError
            With every entry that is meant as an indicator and is none, where it stands and why.
        FileNotFoundError
            If there is no such file.
        ValueError
            If there is not one indicator, or no column of addresses.
        TypeError
            If `source` is nothing of this.
        """
        read = judged(listing_of(source))
        # Several indicators may have one prefix: with other ports, or from other lists.
        codes, prefixes = pd.factorize(read.table["cidr"])
        rows = np.argsort(codes, kind="stable")
        begins = np.searchsorted(codes[rows], np.arange(len(prefixes) + 1))
        table = PrefixTable.of([read.networks[str(cidr)] for cidr in prefixes])
        return cls(read.table, read.left_out, table, rows, begins)

    def match(self, addresses: Sequence[str] | pd.Index) -> pd.DataFrame:
        """Find the indicators that hold each address. Ports and times are left to who has them.

        Parameters
        ----------
        addresses : sequence of str
            Distinct addresses. What is none, such as a dash, is in no indicator.

        Returns
        -------
        pandas.DataFrame
            A row for each address and each indicator that holds it, all of them: the place of the `address` among
            those given and of the `indicator` in `table`; by address, the most specific prefix first.

        Raises
        ------
        ValueError
            If there are too many of them to hold.
        """
        words = addresses if isinstance(addresses, pd.Index) else pd.Index(list(addresses), dtype=object)
        asked, prefix = self._prefixes.holding(Addresses.parse(words))
        begins, counts = self._begins[prefix], np.diff(self._begins)[prefix]
        pairs = int(counts.sum())
        if pairs > _MOST_PAIRS:
            raise ValueError(
                f"{len(addresses):,} addresses are in {pairs:,} indicators together, too many to list; take out "
                "prefixes as large as 0.0.0.0/0, or ask for fewer addresses"
            )
        # The rows of a prefix stand side by side: from where they begin, one step each.
        steps = np.arange(pairs) - np.repeat(np.cumsum(counts) - counts, counts)
        return pd.DataFrame(
            {"address": np.repeat(asked, counts), "indicator": self._rows[np.repeat(begins, counts) + steps]}
        )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Indicators({len(self):,}, {len(self.left_out):,} left out)"
