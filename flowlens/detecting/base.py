"""What all detectors have in common as methods: their arguments, their columns, and how they are run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from flowlens.detect import Beat, Ignore
    from flowlens.engine import Ground, ReductionOfGround
    from flowlens.enrich.scopes import Internal
    from flowlens.indicators import Source
    from flowlens.topology import Topology

__all__ = ["Detections", "explained"]

Method = TypeVar("Method", bound="Callable[..., object]")

# What is the same for all of them; each says what is its own.
_ARGUMENTS = """internal : str, list of str or Topology, optional
            What is internal, as for `add_scope`; addresses of interfaces in the log always are.
        ignore : Ignore or list of Ignore, optional
            Findings to leave out of the view, with reasons; ``attrs["ignored"]`` counts them.
        topology : Topology, optional
            Tells which addresses nobody has, and what gateways and load balancers are.
        thresholds : pandas.DataFrame or dict, optional
            The table of `flowlens.thresholds`, edited, or some of its values by name."""

_COLUMNS = """`kind, subject` (whom or what it is about), `srcaddr, dstaddr, dstport, protocol, interface_id` (missing
            where they are not part of the unit), `score` (0 to 1), `why` (a sentence), `parts` (dict: the terms of the
            score, 0 to 1 each, with `context`, by which infrastructure and the like lower it, and `kept` where windows
            lost records), `evidence` (dict: the numbers behind), `first, last, flows` (contacts), `bytes` (of the
            source), `technique` (MITRE ATT&CK), `guardduty` (the finding type nearest to it, missing where there is
            none), `caveat`; highest score first.
            `attrs` counts `contacts`, those of them that are `unsure` (nothing tells who began, or ICMP without an
            answer between hosts that talk otherwise, so that scans and guesses leave them out), and what was
            `ignored`; ``attrs["not_scored"]`` says of kinds that this log is too short or too poor for, why that is
            so."""

_ERRORS = """MissingFieldError
            If the log lacks a field that is needed. tcp-flags tell best who began; flow-direction whose address is
            whose, pkt-srcaddr and pkt-dstaddr who is behind gateways.
        ValueError
            If a threshold or `internal` is none."""


def explained(method: Method) -> Method:
    """Fill in what the documentation of all detectors has in common."""
    text = method.__doc__ or ""
    for name, words in (("{arguments}", _ARGUMENTS), ("{columns}", _COLUMNS), ("{errors}", _ERRORS)):
        text = text.replace(name, words)
    method.__doc__ = text
    return method


class Detections(ABC):
    """Methods that score what hosts do to each other.

    All stand on contacts: conversations with the one who began, each once, however many windows and interfaces logged
    it.
    """

    @abstractmethod
    def _columns(self) -> Sequence[str]:
        """Return the columns of the records."""

    @abstractmethod
    def _own_addresses(self, verb: str, internal: Internal | None, topology: Topology | None) -> Collection[str]:
        """Return the addresses that interfaces have, as records and topology tell."""

    @abstractmethod
    def _on_ground(
        self, verb: str, ground: Ground, reductions: Mapping[str, ReductionOfGround]
    ) -> dict[str, pd.DataFrame]:
        """Compute reductions that stand on one table made of the records."""

    @abstractmethod
    def _exchange(self, a: str, b: str) -> Detections:
        """Leave out what can be seen at once not to be between two addresses."""

    def _beat(self, row: pd.Series | Mapping[str, Any]) -> Beat:
        """Return when the source of a row of `beacons` was active."""
        from flowlens.detect import Caller

        caller = Caller.of(row)
        return caller.beat(partial(self._exchange(caller.src, caller.dst)._on_ground, "plot.beacon"))

    def _detected(
        self,
        verb: str,
        kinds: Sequence[str] | None,
        *,
        internal: Internal | None,
        ignore: Sequence[Ignore] | Ignore | None,
        topology: Topology | None,
        thresholds: pd.DataFrame | Mapping[str, float] | None,
        indicators: Source | None = None,
        min_score: float = 0.0,
    ) -> pd.DataFrame:
        from flowlens.abilities import NEEDS
        from flowlens.columns import need_fields
        from flowlens.detect import DETECTORS, RITA, Asked, checked_thresholds, detected, without_ignored
        from flowlens.enrich.scopes import internal_networks
        from flowlens.indicators import Indicators
        from flowlens.topology import need_topology

        need_fields(NEEDS[verb], verb, self._columns())
        if topology is not None:
            need_topology(topology, verb)
        asked = Asked(
            verb=verb,
            thresholds=checked_thresholds(thresholds),
            internal=internal_networks(internal),
            own=self._own_addresses(verb, internal, topology),
            fields=frozenset(self._columns()),
            topology=topology,
            indicators=None if indicators is None else Indicators.of(indicators),
        )
        if kinds is None:  # all that can be looked for
            kinds = [kind for kind in DETECTORS if kind != "match" or indicators is not None]
        detectors = [RITA if kind == "rita" else DETECTORS[kind] for kind in kinds]
        found = detected(detectors, partial(self._on_ground, verb), asked)
        if asked.indicators is not None:
            found.attrs["left_out"] = asked.indicators.left_out.to_dict("records")
        high = found[found["score"] >= min_score].reset_index(drop=True)
        high.attrs = found.attrs
        return without_ignored(high, ignore)
