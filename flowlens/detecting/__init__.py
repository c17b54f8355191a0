"""What looks hostile in the records, as methods: the detectors by name, and what they say together."""

from flowlens.detecting.ranking import Detecting

__all__ = ["Detecting"]
