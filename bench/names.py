"""A million listed names: load time, memory, and time of a look-up."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.material import listed_names
from bench.result import Budget, Quantity, Result
from testbed.errors import InvalidRunError

COUNT = 1_000_000

# Runs in a fresh process, so that nothing but the list is measured.
_PROGRAM = """
import json, sys, time
from pathlib import Path
from testbed.censor.names import NameMatcher
from testbed.scenario.namelists import read_names

def kilobytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])

path, count = Path(sys.argv[1]), int(sys.argv[2])
start = time.perf_counter()
with path.open(encoding="utf-8") as file:
    for line in file:
        line.strip()
lines = time.perf_counter() - start
before, start = kilobytes("VmRSS"), time.perf_counter()
names, _ = read_names(path, "")
read = time.perf_counter()
matcher = NameMatcher(names.patterns)
end = time.perf_counter()
after, peak = kilobytes("VmRSS"), kilobytes("VmHWM")

def microseconds(queries):
    hits, begin = 0, time.perf_counter()
    for name in queries:
        hits += name in matcher
    return (time.perf_counter() - begin) / len(queries) * 1e6, hits

exact = [name for name in names.patterns[::199] if name[0] != "*"]
below = ["www" + name[1:] for name in names.patterns[1::199] if name[0] == "*"]
none = [f"a{n}.b.unlisted.example.org" for n in range(5000)]
empty = NameMatcher(())
begin = time.perf_counter()
for name in none:
    name in empty
nothing = (time.perf_counter() - begin) / len(none) * 1e6
timed = {"exact": microseconds(exact), "suffix": microseconds(below), "none": microseconds(none)}
right = [timed["exact"][1] == len(exact), timed["suffix"][1] == len(below), timed["none"][1] == 0]
print(json.dumps({
    "load": end - start, "read": read - start, "lines": lines,
    "kept": (after - before) / 1024, "peak": (peak - before) / 1024,
    "lookup": {key: value[0] for key, value in timed.items()}, "empty": nothing,
    "right": all(right) and len(names.patterns) == count,
}))
"""


def measure(*, quick: bool) -> list[Result]:
    """Three lines: load, memory, look-up."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "million.txt"), Path(folder, "hundred.txt")
        path.write_text("\n".join(listed_names(COUNT)) + "\n", "utf-8")
        small.write_text("\n".join(listed_names(100)) + "\n", "utf-8")
        size = path.stat().st_size
        tried = [_fresh(path, COUNT) for _ in range(1 if quick else 5)]
        few = _fresh(small, 100)
    return [*_loading(tried, few, size), _look_up(tried)]


def _fresh(path: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROGRAM, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise InvalidRunError(f"names: the measuring process failed: {done.stderr.strip()}")
    measured: dict[str, Any] = json.loads(done.stdout)
    if not measured["right"]:
        raise InvalidRunError("names: a look-up gave the wrong answer")
    return measured


def _loading(tried: list[dict[str, Any]], few: dict[str, Any], size: int) -> list[Result]:
    seconds = median(one["load"] for one in tried)
    kept = max(one["kept"] for one in tried)
    peak = max(one["peak"] for one in tried)
    reading = median(one["read"] for one in tried)
    load = Quantity(seconds, "s")
    lines = Quantity(median(one["lines"] for one in tried), "s")
    memory = Quantity(kept, "MB")
    return [
        Result(
            "1,000,000 names: load",
            load,
            lines,
            "reading the lines",
            Quantity(seconds / lines.value),
            Budget(),
            f"a file of {size / 1e6:.0f} MB: read and checked in {reading:.2g} s, compiled in "
            f"{seconds - reading:.2g} s; half the names with all their subdomains",
            {"tried": tried},
        ),
        Result(
            "1,000,000 names: memory",
            memory,
            Quantity(few["kept"], "MB"),
            "100 names",
            memory,
            Budget(most=180.0),
            f"resident, list and compiled list together, in a fresh process; at its peak {peak:.0f} MB",
            {"peak": peak},
        ),
    ]


def _look_up(tried: list[dict[str, Any]]) -> Result:
    kinds = {kind: median(one["lookup"][kind] for one in tried) for kind in ("exact", "suffix", "none")}
    worst = max(kinds, key=lambda kind: kinds[kind])
    slowest = Quantity(kinds[worst], "µs")
    shown = ", ".join(f"{kind} {value:.2g}" for kind, value in kinds.items())
    empty = Quantity(median(one["empty"] for one in tried), "µs")
    note = f"mean of about 5,000 names each, µs: {shown}; the slowest kind is judged"
    return Result(
        "1,000,000 names: look-up", slowest, empty, "an empty list", Quantity(slowest.value / empty.value),
        Budget(most=10), note, kinds,
    )  # fmt: skip
