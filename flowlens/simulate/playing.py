"""Plays a world: from planned traffic to records and truth."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import pandas as pd

from flowlens.simulate.actors import conversations
from flowlens.simulate.capture import Capture
from flowlens.simulate.describe import describe
from flowlens.simulate.hosts import play
from flowlens.simulate.lines import choose_fields, records
from flowlens.simulate.network import Link, Network, Refused
from flowlens.simulate.result import Simulation
from flowlens.simulate.world import Conversation, World

__all__ = ["play_world"]


def play_world(
    world: World, *, seed: int, start: str, hours: float, interval: int, fields: str | Sequence[str] | None
) -> Simulation:
    """Do what `flowlens.simulate.simulate` promises."""
    if interval not in {60, 600}:
        raise ValueError(f"interval is 60 or 600 seconds, as AWS offers them, not {interval!r}")
    if not hours > 0:
        raise ValueError(f"hours is how long the simulation lasts and must be above 0, not {hours!r}")
    names = choose_fields(fields)
    began = pd.Timestamp(start)
    began = began.tz_localize("UTC") if began.tzinfo is None else began.tz_convert("UTC")
    epoch = int(began.timestamp())
    phases = {i.id: int(_stream(seed, i.id).integers(interval)) for i in world.interfaces}
    capture = Capture(world.interfaces, phases=phases, interval=interval, seconds=hours * 3_600)
    network = Network(world, capture)
    played: list[tuple[Conversation, Link]] = []
    for number, conversation in enumerate(conversations(world.traffic, seed=seed, seconds=hours * 3_600)):
        link = network.link(conversation, number)
        play(conversation, link)
        played.append((conversation, link))
    written = records(
        world, capture.windows(world.skipped), epoch=epoch, fields=names, random=_stream(seed, "skipped windows")
    )
    return Simulation(
        world=world,
        fields=names,
        lines=tuple(written),
        truth=_truth(played, epoch),
        refusals=tuple(
            Refused(number, epoch + at, key, refusal)
            for number, (_, link) in enumerate(played)
            for at, key, refusal in link.refusals
        ),
        topology=describe(world, fields=names, interval=interval, began=began),
    )


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(name.encode())])


def _truth(played: list[tuple[Conversation, Link]], epoch: int) -> pd.DataFrame:
    rows = [
        (
            number,
            *link.route.request[:2],
            *link.route.request[2:],
            conversation.protocol,
            epoch + int(conversation.start),
            *(link.refusal or (None,) * 5),
            conversation.label,
            conversation.note or None,
        )
        for number, (conversation, link) in enumerate(played)
    ]
    columns = {
        "conversation": "int64",
        "initiator": "str",
        "responder": "str",
        "initiator_port": "UInt16",
        "responder_port": "UInt16",
        "protocol": "UInt8",
        "start": "int64",
        "blocked_by": "str",
        "blocked_at": "str",
        "interface_id": "str",
        "cause": "str",
        "rule_number": "Int64",
        "label": "str",
        "note": "str",
    }
    truth = pd.DataFrame(rows, columns=list(columns))
    text = {name: "category" if kind == "str" else kind for name, kind in columns.items()}
    truth = truth.astype(text)
    truth["start"] = pd.to_datetime(truth["start"], unit="s", utc=True).astype("datetime64[s, UTC]")
    return truth
