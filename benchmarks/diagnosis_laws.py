"""Is a certain diagnosis right, and how often is there one? Random worlds by the hundred, judged by their truth.

python -m benchmarks.diagnosis_laws                          # 100,000 refused conversations: some minutes
python -m benchmarks.diagnosis_laws --conversations 5000     # a minute

Every world is played with windows of one and of ten minutes, and each log is read with all fields, without the fields
pkt-srcaddr and pkt-dstaddr, and in the default format. A conversation counts once in each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Worlds and judgement are those of the tests, which are no package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from judging import LAYOUTS, Judgement, judge
from worlds import HOURS, random_world

from flowlens.simulate import simulate

_INTERVALS = (60, 600)
_SIZES = (40, 150, 300, 600, 900)  # conversations of a world: quiet and crowded ones
_SHOWN = 20
_KINDS = {
    "rules that stay": {},
    "rules that change": {"changing": True},
    "answers on other interfaces": {"asymmetric": True},
}

Judgements = dict[tuple[int, str], Judgement]


def main() -> None:
    options = _options()
    kinds = {name: flags for name, flags in _KINDS.items() if options.kind in {"all", name}}
    broken = 0
    with ProcessPoolExecutor(options.processes) as pool:
        for kind in kinds:
            began = time.perf_counter()
            # The laws are about rules that stay; the other kinds of worlds show where logs alone mislead.
            wanted = options.conversations if kind == "rules that stay" else options.conversations // 10
            found, worlds, refused = _judged(kind, wanted, options, pool)
            print(f"\n# {kind}: {refused:,} refused conversations of {worlds:,} worlds", end="")
            print(f", {time.perf_counter() - began:,.0f} s\n")
            _print(found)
            broken += sum(len(judged.broken) for judged in found.values())
    if broken:
        sys.exit(f"{broken:,} diagnoses break a law")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100_000, help="refused ones, of worlds whose rules stay")
    parser.add_argument("--kind", choices=("all", *_KINDS), default="all")
    parser.add_argument("--seed", type=int, default=1_000, help="of the first world")
    parser.add_argument("--worlds", type=int, default=20, help="how many are played before the next look at the count")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _judged(
    kind: str, wanted: int, options: argparse.Namespace, pool: ProcessPoolExecutor
) -> tuple[Judgements, int, int]:
    found: Judgements = defaultdict(Judgement)
    worlds = refused = 0
    while refused < wanted:
        seeds = range(options.seed + worlds, options.seed + worlds + options.worlds)
        for count, judgements in pool.map(_world, [kind] * len(seeds), seeds):
            refused += count
            worlds += 1
            for key, judged in judgements.items():
                found[key].add(judged)
    return found, worlds, refused


def _world(kind: str, seed: int) -> tuple[int, Judgements]:
    world = random_world(seed, conversations=_SIZES[seed % len(_SIZES)], **_KINDS[kind])
    sims = {interval: simulate(world, seed=seed, hours=HOURS, interval=interval) for interval in _INTERVALS}
    judged = {(i, layout): judge(sim, layout, interval=i) for i, sim in sims.items() for layout in LAYOUTS}
    return int(sims[_INTERVALS[0]].truth.blocked_by.notna().sum()), judged


def _print(found: Judgements) -> None:
    print("| fields | interval | seen | certain | guards allow | likely (first is true) | ambiguous | none |"
          " wrong certain | true excluded | other | excused |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for (interval, layout), judged in found.items():
        seen = judged.refused.total()
        certain, likely, ambiguous, none = (
            _share(judged.refused[word], seen) for word in ("certain", "likely", "ambiguous", "none")
        )
        first = _share(judged.first_guess[True], judged.first_guess.total())
        counts = (len(x) for x in (judged.wrong_certain, judged.true_excluded, judged.other, judged.unsafe))
        cells = (layout, interval, f"{seen:,}", certain, _share(judged.allowed.total(), seen), f"{likely} ({first})",
                 ambiguous, none, *counts)  # fmt: skip
        print("|", " | ".join(str(cell) for cell in cells), "|")
    for (interval, layout), judged in found.items():
        print(f"\n## {layout}, {interval} s")
        print("allowed by:", _listed(judged.allowed.items(), judged.refused.total()))
        print("of these not certain:", _listed(judged.missed.items(), judged.allowed.total()))
        said = ((" ".join(words), count) for words, count in judged.rows.items())
        print("diagnoses:", _listed(said, judged.rows.total()))
        for text in judged.broken[:_SHOWN]:
            print("BROKEN", text)
        for text in judged.unsafe[:_SHOWN]:
            print("excused", text)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _listed(counts: Iterable[tuple[str, int]], whole: int) -> str:
    ordered = sorted((item for item in counts if item[1]), key=lambda item: -item[1])
    return ", ".join(f"{name} {_share(count, whole)}" for name, count in ordered) or "nothing"


if __name__ == "__main__":
    main()
