"""Lists of known bad addresses, as users have them: read, accounted for, and looked up for many addresses at once.

What is given becomes a `Listing` of entries in `given.py`, `files.py`, `lists.py` and `stix.py`, whose patterns
`patterns.py` reads; `addresses.py` says what one entry means, `judging.py` which entries can be used, and
`known.py` finds addresses among them.
"""

from flowlens.indicators.given import Source
from flowlens.indicators.known import Indicators

__all__ = ["Indicators", "Source"]
