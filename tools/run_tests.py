"""Run the tests: python tools/run_tests.py [-m MARKS] [--jobs N] [pytest options].

First the pure ones, on every core; then those that build worlds, one after another, because they measure
times. The last line has the sums of both, in pytest's form.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

NOTHING_COLLECTED: Final = 5  # pytest's exit status
INTERRUPTED: Final = 2
_COUNTS: Final = ("failures", "errors", "skipped", "tests")


def main(arguments: Sequence[str]) -> int:
    """Both parts; pytest's exit status of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("-m", dest="marks", default="", help="pytest's marks, of both parts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for the pure tests")
    own, options = parser.parse_known_args(arguments)
    began, counts, statuses = time.monotonic(), Counter[str](), list[int]()
    parallel = ["-n", str(own.jobs)] if own.jobs > 1 else []
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        for part, more in (("not world", parallel), ("world", [])):
            marks = f"({own.marks}) and {part}" if own.marks else part
            report = Path(folder, "report.xml")
            command = [
                "pytest",
                "-m",
                marks,
                f"--junitxml={report}",
                "-o",
                "junit_logging=no",
                *more,
                *options,
            ]
            statuses.append(subprocess.run([sys.executable, "-m", *command], check=False).returncode)
            counts += _counts(report)
            if statuses[-1] == INTERRUPTED:
                break
    print(closing_line(counts, time.monotonic() - began))
    return status_of(statuses)


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


def _counts(report: Path) -> Counter[str]:
    """Of a JUnit report; none if there is none."""
    if not report.exists():
        return Counter()
    found = Counter[str]()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        found.update({name: int(suite.get(name, 0)) for name in _COUNTS})
    report.unlink()
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
