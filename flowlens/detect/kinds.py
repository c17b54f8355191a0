"""The kinds of findings there are."""

from flowlens.detect.beacons import BEACONS
from flowlens.detect.brute_force import BRUTE_FORCE
from flowlens.detect.floods import FLOODS
from flowlens.detect.lateral_movement import LATERAL_MOVEMENT
from flowlens.detect.log_gaps import LOG_GAPS
from flowlens.detect.long_conversations import LONG_CONVERSATIONS
from flowlens.detect.matches import MATCHES
from flowlens.detect.new_peers import NEW_PEERS
from flowlens.detect.port_scans import PORT_SCANS
from flowlens.detect.port_sweeps import PORT_SWEEPS
from flowlens.detect.probes import PROBES
from flowlens.detect.volume_spikes import VOLUME_SPIKES

__all__ = ["DETECTORS"]

#: By kind, in the order in which they are documented.
DETECTORS = {
    detector.kind: detector
    for detector in (
        PORT_SCANS, PORT_SWEEPS, PROBES, BRUTE_FORCE, BEACONS, LONG_CONVERSATIONS, VOLUME_SPIKES, FLOODS, NEW_PEERS,
        LATERAL_MOVEMENT, MATCHES, LOG_GAPS,
    )
}  # fmt: skip
