"""Read what no test author would think of: coverage-guided fuzzing of `flowlens.read`, with atheris (libFuzzer).

    fuzz/fuzz_read.py                        fuzz for a minute
    fuzz/fuzz_read.py --seconds 3600         fuzz for an hour
    fuzz/fuzz_read.py fuzz/crashes/crash-1   read inputs once more and say what they do, without atheris

Every distinct failure leaves one input in `fuzz/crashes`, and the exit code is 1. What was found belongs, once it is
mended, into `fuzz/regressions`, where `tests/test_fuzz.py` reads it at every run.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
CRASHES, WORK = HERE / "crashes", HERE / ".work"

_MOST_BYTES = 2048  # of an input
_TIMEOUT = 25  # seconds that an input may take; a slow one takes a tenth of one on a busy machine
_MOST_MEMORY = 2048  # MB of the process; it begins with 200

sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]  # for the builders of tests


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="*", type=Path, help="read these once, instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of chance; 0 takes another one each time")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inputs:
        return _read_once(chosen.inputs)
    if importlib.util.find_spec("atheris") is None:
        return _without_atheris()
    if chosen.inside:
        _fuzz(chosen.seconds, chosen.seed)
    return _watched(chosen.seconds, chosen.seed)


def _without_atheris() -> int:
    """Fail where atheris should be there, and say so where it cannot be."""
    wanted = [Requirement(line) for line in importlib.metadata.requires("vpc-flowlens") or []]
    marker = next((need.marker for need in wanted if need.name == "atheris"), None)
    if marker is None or marker.evaluate({"extra": "dev"}):
        print("fuzz: atheris is not installed, and it is there for this platform: pip install -e '.[dev]'")
        return 1
    print(f"fuzz: NOT RUN. There is no atheris for this platform, only where {marker}.")
    print("fuzz: what it found before is read by tests/test_fuzz.py, here too.")
    return 0


def _watched(seconds: int, seed: int) -> int:
    """Fuzz in a process of its own, which a hang, a lack of memory or a fault in native code may end."""
    import seeds

    CRASHES.mkdir(exist_ok=True)
    (WORK / "corpus").mkdir(parents=True, exist_ok=True)
    seeds.write(WORK)
    before = set(CRASHES.iterdir())
    command = [sys.executable, str(HERE / "fuzz_read.py"), "--inside", "--seconds", str(seconds), "--seed", str(seed)]
    code = subprocess.run(command, check=False).returncode
    found = sorted(set(CRASHES.iterdir()) - before)
    for path in found:
        print(f"fuzz: {path.relative_to(HERE.parent)} breaks a law; see it with: {sys.executable} {__file__} {path}")
    if code or found:
        print(f"fuzz: FAILED, {len(found)} inputs in {CRASHES}, exit code {code}")
        return 1
    print("fuzz: nothing found")
    return 0


class _AtOnce:
    """An executor that runs things as they come: three times faster for small inputs, and the same every time."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> _AtOnce:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: Callable[..., object], *items: Iterable[object]) -> Iterable[object]:
        return map(function, *items)

    def submit(self, function: Callable[..., object], *items: object) -> concurrent.futures.Future:
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.set_result(function(*items))
        return future

    def shutdown(self, **_: object) -> None:
        pass


def _fuzz(seconds: int, seed: int) -> None:
    """Hand over to libFuzzer, which ends the process."""
    import atheris

    concurrent.futures.ThreadPoolExecutor = _AtOnce  # before flowlens takes it from there
    with atheris.instrument_imports(include=["flowlens"]):
        import laws

    # What is done at once is done before anything is taken: it all has to wait.
    laws.stream._PIECES_AHEAD = 0
    known: set[str] = set()

    def examine(data: bytes) -> None:
        try:
            # New ways through the parsers are found five times faster by looking only; every fourth input is enough.
            laws.examine(data, thoroughly=zlib.crc32(data) % 4 == 0)
        except Exception as error:
            where = _signature(error)
            if where not in known:
                known.add(where)
                _keep(data, error, where)

    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": _MOST_BYTES,
        "timeout": _TIMEOUT,
        "rss_limit_mb": _MOST_MEMORY,
        "dict": WORK / "tokens.dict",
        "artifact_prefix": f"{CRASHES}/",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(WORK / "corpus"), str(WORK / "seeds")], examine)
    atheris.Fuzz()


def _signature(error: Exception) -> str:
    """Return what tells one failure from another: the law, or the line of flowlens, and not the values in it."""
    import laws

    if isinstance(error, laws.BrokenLawError):
        return str(error).partition(":")[0]
    frames = [
        f"{Path(file).name}:{line}"
        for file, line, *_ in traceback.extract_tb(error.__traceback__)
        if "flowlens" in Path(file).parts
    ]
    return f"{type(error).__name__} {frames[-1] if frames else ''}"


def _keep(data: bytes, error: Exception, where: str) -> None:
    import laws

    path = CRASHES / f"{type(error).__name__}-{hashlib.sha1(data, usedforsecurity=False).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"\n=== {path}\n=== {where}\n{laws.told(data)}")
    traceback.print_exception(error, limit=-6, file=sys.stdout)
    sys.stdout.flush()


def _read_once(paths: list[Path]) -> int:
    import laws

    code = 0
    for path in paths:
        data = path.read_bytes()
        print(f"{path}\n{laws.told(data)}")
        begin = time.monotonic()
        try:
            laws.examine(data)
        except Exception:
            code = 1
            traceback.print_exc(file=sys.stdout)
        print(f"{time.monotonic() - begin:.2f} s\n")
    return code


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
