"""Turns planned traffic into single conversations, each actor with a stream of random numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np

from flowlens.simulate.world import Conversation, Repeat, Step, Traffic, Visits

__all__ = ["conversations"]

# Sizes of web requests and answers are long-tailed: a log-normal spread of this sigma around the planned value.
_SIZE_SIGMA = 0.8
_HOUR = 3_600.0


def conversations(traffic: tuple[Traffic, ...], *, seed: int, seconds: float) -> list[Conversation]:
    """List the conversations that start within ``seconds``, in the order of their start."""
    found: list[Conversation] = []
    for actor in traffic:
        if isinstance(actor, Conversation):
            found.append(actor)
            continue
        # Seeded by name: adding or moving an actor changes nothing for the others.
        random = np.random.default_rng([seed, crc32(actor.name.encode())])
        found.extend(
            _repeated(actor, random, seconds) if isinstance(actor, Repeat) else _visits(actor, random, seconds)
        )
    return sorted((c for c in found if c.start < seconds), key=lambda c: c.start)


def _repeated(actor: Repeat, random: np.random.Generator, seconds: float) -> Iterator[Conversation]:
    plan = actor.conversation
    at = plan.start
    while at < min(seconds, actor.last):
        if actor.vary:
            factor = random.uniform(1 - actor.vary, 1 + actor.vary)
            yield replace(
                plan,
                start=at,
                bytes_up=round(plan.bytes_up * factor),
                bytes_down=round(plan.bytes_down * factor),
                exchanges=max(1, round(plan.exchanges * factor)),
                duration=plan.duration * factor,
            )
        else:
            yield replace(plan, start=at)
        at += actor.every + (random.uniform(-actor.jitter, actor.jitter) if actor.jitter else 0.0)


def _visits(actor: Visits, random: np.random.Generator, seconds: float) -> Iterator[Conversation]:
    rates = actor.per_hour if isinstance(actor.per_hour, tuple) else (actor.per_hour,)
    for hour in range(int(-(-seconds // _HOUR))):
        # All random numbers of an hour are drawn, also those after the end: a longer run begins like a shorter one.
        count = int(random.poisson(rates[hour % len(rates)]))
        for second in np.sort(random.uniform(0.0, _HOUR, count)):
            yield from _visit(actor, random, hour * _HOUR + float(second))


def _visit(actor: Visits, random: np.random.Generator, at: float) -> Iterator[Conversation]:
    initiator = actor.initiators[int(random.integers(len(actor.initiators)))]
    for step in actor.steps:
        responder = step.responders[int(random.integers(len(step.responders)))]
        yield _stepped(actor, step, random, at, ends=(initiator, responder))
        initiator, at = responder, at + 0.02


def _stepped(
    actor: Visits, step: Step, random: np.random.Generator, at: float, *, ends: tuple[str, str]
) -> Conversation:
    size_up, size_down = (float(np.exp(random.normal(0.0, _SIZE_SIGMA))) for _ in range(2))
    late = float(random.uniform(70.0, 110.0)) if random.random() < step.late_share else None
    return Conversation(
        start=at,
        initiator=ends[0],
        responder=ends[1],
        protocol=step.protocol,
        responder_port=step.ports[int(random.integers(len(step.ports)))],
        bytes_up=round(step.bytes_up * size_up),
        bytes_down=round(step.bytes_down * size_down),
        exchanges=step.exchanges,
        duration=step.duration * float(random.uniform(0.5, 1.5)),
        answer=step.answer,
        syn_retries=step.syn_retries,
        late=late,
        label=actor.label,
        note=actor.note,
    )
