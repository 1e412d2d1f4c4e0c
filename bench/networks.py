"""300,000 listed addresses and prefixes: load time, memory, and time of a look-up."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from bench.result import Budget, Quantity, Result
from testbed.errors import InvalidRunError

COUNT = 300_000

# Runs in a fresh process, so that nothing but the list is measured.
_PROGRAM = """
import json, random, sys, time
from pathlib import Path
from testbed.censor.match.address import Networks
from testbed.scenario.namelists import read_networks

def kilobytes(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])

start = time.perf_counter()
with Path(sys.argv[1]).open(encoding="utf-8") as file:
    for line in file:
        line.strip()
lines = time.perf_counter() - start
before, start = kilobytes("VmRSS"), time.perf_counter()
networks, _ = read_networks(Path(sys.argv[1]), "")
read = time.perf_counter()
table = Networks(networks)
end = time.perf_counter()
after, peak = kilobytes("VmRSS"), kilobytes("VmHWM")

def microseconds(queries):
    begin = time.perf_counter()
    hits = sum(address in table for address in queries)
    return (time.perf_counter() - begin) / len(queries) * 1e6, hits

rng = random.Random(7)
four = microseconds([rng.getrandbits(32).to_bytes(4, "big") for _ in range(20000)])
six = microseconds([rng.getrandbits(128).to_bytes(16, "big") for _ in range(20000)])
listed = [network.network_address.packed for network in networks[::29]]
known = microseconds(listed)
print(json.dumps({
    "load": end - start, "read": read - start, "lines": lines,
    "kept": (after - before) / 1024, "peak": (peak - before) / 1024,
    "lookup": {"IPv4": four[0], "IPv6": six[0], "listed": known[0]},
    "right": known[1] == len(listed) and len(networks) == int(sys.argv[2]),
}))
"""


def measure(*, quick: bool) -> list[Result]:
    """Three lines: load, memory, look-up."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder, "many.txt"), Path(folder, "hundred.txt")
        path.write_text("\n".join(prefixes(COUNT)) + "\n", "utf-8")
        small.write_text("\n".join(prefixes(100)) + "\n", "utf-8")
        tried = [_fresh(path, COUNT) for _ in range(1 if quick else 5)]
        few = _fresh(small, 100)
    return _results(tried, few)


def prefixes(count: int) -> list[str]:
    """Half single IPv4 addresses, three in ten IPv4 prefixes of /8 to /31, the rest IPv6 of /16 to /128."""
    made = []
    for number in range(count):
        seed = number * 0x9E3779B97F4A7C15 & (1 << 64) - 1  # spread evenly, and each one once
        if number % 10 < 8:
            bits = 32 if number % 10 < 5 else 8 + number % 24
            value = (seed >> 32) >> (32 - bits) << (32 - bits)
            made.append(".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{bits}")
        else:
            bits = 16 + number % 113
            value = (seed << 64 | seed ^ number) >> (128 - bits) << (128 - bits)
            groups = (f"{value >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))
            made.append(f"{':'.join(groups)}/{bits}")
    return made


def _fresh(path: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROGRAM, str(path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise InvalidRunError(f"networks: the measuring process failed: {done.stderr.strip()}")
    measured: dict[str, Any] = json.loads(done.stdout)
    if not measured["right"]:
        raise InvalidRunError("networks: a look-up gave the wrong answer")
    return measured


def _results(tried: list[dict[str, Any]], few: dict[str, Any]) -> list[Result]:
    load = Quantity(median(one["load"] for one in tried), "s")
    lines = Quantity(median(one["lines"] for one in tried), "s")
    memory = Quantity(max(one["kept"] for one in tried), "MB")
    kinds = {kind: median(one["lookup"][kind] for one in tried) for kind in ("IPv4", "IPv6", "listed")}
    slowest = Quantity(max(kinds.values()), "µs")
    reading = median(one["read"] for one in tried)
    peak = max(one["peak"] for one in tried)
    shown = ", ".join(f"{kind} {value:.2g}" for kind, value in kinds.items())
    few_look_up = Quantity(max(few["lookup"].values()), "µs")
    return [
        Result(
            "300,000 prefixes: load", load, lines, "reading the lines", Quantity(load.value / lines.value),
            Budget(),
            f"read and checked in {reading:.2g} s; half IPv4 addresses, 30 % IPv4 prefixes, 20 % IPv6",
            {"tried": tried},
        ),
        Result(
            "300,000 prefixes: memory", memory, Quantity(few["kept"], "MB"), "100 prefixes", memory,
            Budget(most=250.0), f"resident, list and table together; at its peak {peak:.0f} MB",
        ),
        Result(
            "300,000 prefixes: look-up", slowest, few_look_up, "100 prefixes",
            Quantity(slowest.value / few_look_up.value), Budget(most=2),
            f"mean of 10,000 and more addresses each, µs: {shown}; the slowest kind is judged", kinds,
        ),
    ]  # fmt: skip
