"""The duration of `testbed --version` and of a whole `testbed run … -- true`, as the shell sees them."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from bench.result import Budget, Quantity, Result
from testbed.errors import InvalidRunError
from testbed.world import linux

SCENARIO = "twitter-facebook-block-2022-03"
FOUR = ("rostelecom", "mts", "beeline", "megafon")

TESTBED = (sys.executable, "-c", "from testbed.cli.start import main; main()")
# On the command line a command runs as one subscriber, so four operators need the Python API.
_FOUR_OPERATORS = f"""
import sys
from testbed import Job, execute

sys.exit(execute(Job({SCENARIO!r}, vantages={FOUR!r}, command=["true"], out=sys.argv[1])).exit_status)
"""


def measure(*, quick: bool) -> list[Result]:
    """Three lines: the version, and runs of one and of four operators, each with its paired control."""
    times = 3 if quick else 15
    taken: dict[str, list[float]] = {name: [] for name in ("version", "one", "four", "python", "unshare")}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times + 1):
            one, four = (str(Path(folder, f"{name}-{number}")) for name in ("one", "four"))
            commands = {
                "version": [*TESTBED, "--version"],
                "one": [*TESTBED, "run", SCENARIO, "--vantage", "mts", "--quiet", "--out", one, "--", "true"],
                "four": [sys.executable, "-c", _FOUR_OPERATORS, four],
                "python": [sys.executable, "-c", "pass"],
                "unshare": [linux.program("unshare", "util-linux"), "-Urmnpf", "true"],
            }
            for name, command in commands.items():
                seconds = _timed(command)
                if number:  # the first round warms the disk cache
                    taken[name].append(seconds)
    python = Quantity(median(taken["python"]), "s")
    note = (
        f"median of {times} whole processes in turns, {SCENARIO}, its control measured in each; "
        f"`unshare -Urmnpf true` takes {median(taken['unshare']):.3f} s"
    )
    return [
        _result("`testbed --version`", taken["version"], 10, python, f"median of {times} whole processes"),
        _result("run of one operator with `true`", taken["one"], 25, python, note),
        _result(
            "run of four operators with `true`",
            taken["four"],
            40,
            python,
            "the same through the library (a command runs as one subscriber): four operators, their censors "
            "and resolvers, `true` and the control at the first",
        ),
    ]


def _result(what: str, taken: list[float], most: float, python: Quantity, note: str) -> Result:
    """The figure is how many times as long as an empty Python it takes."""
    measured = Quantity(median(taken), "s")
    figure = Quantity(measured.value / python.value)
    spread = f"; {min(taken):.2f}-{max(taken):.2f} s"
    details = {"seconds": [round(seconds, 3) for seconds in taken]}
    return Result(what, measured, python, "python -c pass", figure, Budget(most=most), note + spread, details)


def _timed(command: list[str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise InvalidRunError(f"{command[-1]}: exit status {done.returncode}: {done.stderr.strip()}")
    return seconds
