"""What looks hostile, and why: one file a detector, on the contacts that `reduce.contacts` makes of the records."""

from flowlens.detect.beats import Beat, Caller
from flowlens.detect.detector import Detector
from flowlens.detect.explain import explanation
from flowlens.detect.hosts import host_scores
from flowlens.detect.ignore import Ignore, without_ignored
from flowlens.detect.kinds import DETECTORS
from flowlens.detect.rita import RITA
from flowlens.detect.running import Asked, detected
from flowlens.detect.thresholds import checked_thresholds, thresholds

__all__ = [
    "DETECTORS",
    "RITA",
    "Asked",
    "Beat",
    "Caller",
    "Detector",
    "Ignore",
    "checked_thresholds",
    "detected",
    "explanation",
    "host_scores",
    "thresholds",
    "without_ignored",
]
