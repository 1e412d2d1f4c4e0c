"""The whole library of scenarios, one after the other, each measured by the built-in probe."""

import subprocess
import tempfile
import time
from pathlib import Path

from bench.result import Budget, Quantity, Result
from bench.start import TESTBED
from testbed.errors import Exit, InvalidRunError
from testbed.scenario import library

_LONGEST = 900  # seconds for one scenario


def measure(*, quick: bool) -> list[Result]:  # noqa: ARG001 (every benchmark has it)
    """One line: the total; the note has the seconds of each scenario."""
    taken: dict[str, float] = {}
    ended: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in library.names():
            command = [*TESTBED, "run", name, "--out", str(Path(folder, name))]
            begin = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST)
            taken[name], ended[name] = time.perf_counter() - begin, done.returncode
            if done.returncode not in {Exit.OK, Exit.UNEXPECTED}:
                raise InvalidRunError(
                    f"library: {name}: exit status {done.returncode}: {done.stderr[-2000:]}"
                )
    slowest = max(taken, key=lambda name: taken[name])
    total = Quantity(sum(taken.values()) / 60, "min")
    shown = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in taken.items())
    unexpected = [name for name, status in ended.items() if status]
    note = f"default phase of each, one after the other: {shown}"
    if unexpected:
        note += f"; NOT as expected: {', '.join(unexpected)}"
    return [
        Result(
            f"library of {len(taken)} scenarios, built-in probe",
            total,
            Quantity(taken[slowest] / 60, "min"),
            "the slowest one",
            total,
            Budget(most=10.0),  # "minutes, not tens of minutes"
            note,
            {"seconds": taken, "exit_status": ended},
        )
    ]
