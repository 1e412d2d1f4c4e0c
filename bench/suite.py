"""The benchmarks by name, and running some of them."""

import importlib
import sys
import traceback
from collections.abc import Callable, Sequence

from bench.result import BenchFailure, Result
from testbed.errors import TestbedError

Benchmark = Callable[..., list[Result]]  # measure(*, quick: bool)

# In the order of the table. The module's `measure(quick=…)` does the work; only the chosen are imported.
NAMES = (
    "throughput",
    "recording",
    "tls",
    "latency",
    "core",
    "policer",
    "replay",
    "start",
    "names",
    "networks",
    "memory",
    "flows",
    "classroom",
    "operators",
    "sweep",
    "library",
    "soak",
)
NOT_QUICK = ("operators", "library")  # minutes
ONLY_NAMED = ("soak",)  # as long as somebody wants


def run(names: Sequence[str], *, quick: bool) -> tuple[list[Result], list[BenchFailure]]:
    """Run these benchmarks one after the other; a failure does not stop the others."""
    results: list[Result] = []
    failures: list[BenchFailure] = []
    for number, name in enumerate(names, 1):
        if sys.stderr.isatty():
            print(f"bench {number}/{len(names)}: {name}", file=sys.stderr)
        try:
            measure: Benchmark = importlib.import_module(f"bench.{name}").measure
            results += measure(quick=quick)
        except TestbedError as error:
            failures.append(BenchFailure(name, str(error)))
        except Exception as error:  # a bug in one benchmark is reported, and the others still run
            traceback.print_exc()
            failures.append(BenchFailure(name, f"{type(error).__name__}: {error}"))
    return results, failures
