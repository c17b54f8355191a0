"""Where bytes come from."""

from flowlens.source.files import InputFile, find
from flowlens.source.slots import may_hold

__all__ = ["InputFile", "find", "may_hold"]
