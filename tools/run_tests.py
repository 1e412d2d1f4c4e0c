"""Run the tests: python tools/run_tests.py [-m MARKS] [--jobs N] [pytest options].

First the pure ones, three processes for two cores, then those that build worlds, three for each core: a world
waits for its clocks half of its time. Neighbours disturb what measures times: a test that fails is repeated,
with the same seed, when nothing else runs, and has failed if it fails again. Every repeated test is named.
The last line has the sums, in pytest's form.

Python's byte code is kept even if the environment says not to: pytest rewrites the assertions of every test
file otherwise, in each process of both parts, and each program that a test starts is compiled again.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

SEED: Final = "TESTBED_SEED"
PART: Final = "TESTBED_PART"  # the marks of the part that runs; conftest.py then leaves out other files
NO_BYTE_CODE: Final = "PYTHONDONTWRITEBYTECODE"
FAILED: Final = 1  # pytest's exit statuses
INTERRUPTED: Final = 2
NOTHING_COLLECTED: Final = 5
# Processes for each core. Measured on two: with 1 and 2, a fifth of the time was idle, with these a tenth.
_PURE: Final = 1.5
_WORLDS: Final = 3
_COUNTS: Final = ("failures", "errors", "skipped", "tests")


@dataclass(frozen=True, slots=True)
class PytestCall:
    """What one call of pytest came to."""

    status: int
    counts: Counter[str] = field(default_factory=Counter)
    failed: tuple[str, ...] = ()  # the tests that did, as JUnit names them

    def after(self, repeat: "PytestCall") -> "PytestCall":
        """This part when those that failed have run once more: what failed twice has failed."""
        counts = self.counts.copy()
        for name in ("failures", "errors"):
            counts[name] = repeat.counts[name]
        return PytestCall(repeat.status, counts, repeat.failed)


def main(arguments: Sequence[str]) -> int:
    """Run both parts. pytest's exit status of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("-m", dest="marks", default="", help="pytest's marks, of both parts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cores; 1: one process")
    own, options = parser.parse_known_args(arguments)
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(2**32)))
    os.environ.pop(NO_BYTE_CODE, None)
    began = time.monotonic()
    parts = list[PytestCall]()
    for part, each in (("not world", _PURE), ("world", _WORLDS)):
        # Neighbours share what they make, a world or a table, so that each process gets a part in one piece;
        # who has done its own takes from the end of another's.
        processes = round(each * own.jobs)
        parallel = ["-n", str(processes), "--dist", "worksteal"] if own.jobs > 1 else []
        parts.append(run_part(own.marks, part, parallel, options))
        if parts[-1].status == INTERRUPTED:
            break
    print(closing_line(sum((part.counts for part in parts), Counter()), time.monotonic() - began))
    return status_of([part.status for part in parts])


def run_part(marks: str, part: str, parallel: Sequence[str], options: Sequence[str]) -> PytestCall:
    """One part, and once more those of its tests that failed beside others."""
    with tempfile.TemporaryDirectory(prefix="tests-") as cache:
        kept = ["-o", f"cache_dir={cache}", *options]
        call = run(marks, part, [*parallel, *kept])
        if call.status != FAILED or not parallel:
            return call
        print(
            f"{len(call.failed)} tests failed beside others and run again, alone:", *call.failed, sep="\n  "
        )
        repeat = run(marks, part, ["--last-failed", "--last-failed-no-failures=none", *kept])
        if repeat.counts["tests"] < len({*call.failed}):
            print("not all of them could be repeated: they have failed")
            return call
        for test in sorted({*call.failed} - {*repeat.failed}):
            print(f"passed alone: {test}")
        return call.after(repeat)


def run(marks: str, part: str, options: Sequence[str]) -> PytestCall:
    """Call pytest once."""
    selected = f"({marks}) and {part}" if marks else part
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        report = Path(folder, "report.xml")
        command = ["pytest", "-m", selected, f"--junitxml={report}", "-o", "junit_logging=no", *options]
        environment = {**os.environ, PART: part}
        status = subprocess.run([sys.executable, "-m", *command], check=False, env=environment).returncode
        return read_report(report, status)


def read_report(report: Path, status: int) -> PytestCall:
    """What a JUnit report says; nothing if there is none."""
    counts, failed = Counter[str](), list[str]()
    if report.exists():
        root = ElementTree.parse(report).getroot()
        for suite in root.iter("testsuite"):
            counts.update({name: int(suite.get(name, 0)) for name in _COUNTS})
        for case in root.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(f"{case.get('classname')}::{case.get('name')}")
    return PytestCall(status, counts, tuple(failed))


def status_of(statuses: Sequence[int]) -> int:
    """The first that is bad; a part without tests is no failure unless both have none."""
    if set(statuses) == {NOTHING_COLLECTED}:
        return NOTHING_COLLECTED
    return next((status for status in statuses if status not in (0, NOTHING_COLLECTED)), 0)


def closing_line(counts: Counter[str], seconds: float) -> str:
    """Such as "===== 2 failed, 4711 passed, 3 skipped in 201.50s =====", as pytest writes it."""
    bad = counts["failures"] + counts["errors"] + counts["skipped"]
    words = {
        "failed": counts["failures"],
        "passed": counts["tests"] - bad,
        "skipped": counts["skipped"],
        "errors": counts["errors"],
    }
    said = ", ".join(f"{number} {word}" for word, number in words.items() if number) or "no tests ran"
    return f"{'=' * 20} {said} in {seconds:.2f}s {'=' * 20}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
