"""Where bytes come from."""

from flowlens.source.files import InputFile, find

__all__ = ["InputFile", "find"]
