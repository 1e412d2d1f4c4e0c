"""Eight worlds at once on two processors: each verdict is right, or its run is invalid; none is false."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.errors import Exit
from tests.acceptance.conftest import TESTBED
from tests.acceptance.test_honesty import TWO_RULES

pytestmark = pytest.mark.world
TOGETHER = 8
SWAPPED = "swapped.yaml"
RIGHT = {SWAPPED: Exit.UNEXPECTED}  # its expectations name each other's rules; all others' hold
EVERYWHERE = ("twitter-throttling-2021", "twitter-facebook-block-2022-03", "twitter-facebook-2022-02")


@dataclass(frozen=True)
class Ended:
    """One of the runs."""

    scenario: str
    status: int
    reasons: tuple[str, ...]  # why it is invalid, as its summary has them

    @property
    def verdict(self) -> str:
        """Right, invalid with a reason, or false."""
        if self.status == RIGHT.get(self.scenario, Exit.OK):
            return "right"
        return "invalid" if self.status == Exit.INVALID and any(self.reasons) else "false"


def at_once(scenarios: Sequence[str], options: Sequence[str], folder: Path) -> list[Ended]:
    """Run these at the same time, on the same two processors."""
    two = sorted(os.sched_getaffinity(0))[:2]
    folder.mkdir()
    (folder / SWAPPED).write_text(TWO_RULES.format(first="other", second="one"))
    running = [
        subprocess.Popen(
            [TESTBED, "run", name, *(options if name != SWAPPED else ()), "--out", f"run{number}"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, two),
        )
        for number, name in enumerate(scenarios)
    ]
    ended = []
    for number, (name, process) in enumerate(zip(scenarios, running, strict=True)):
        process.communicate(timeout=600)
        summary = json.loads((folder / f"run{number}" / "summary.json").read_text("utf-8"))
        assert summary["exit_status"] == process.returncode
        ended.append(Ended(name, process.returncode, tuple(summary["problems"])))
    return ended


def check(ended: Sequence[Ended]) -> None:
    """None is false; what was seen goes to the report of the test."""
    print(dict(Counter(one.verdict for one in ended)))
    print(*sorted({one.reasons[0][:150] for one in ended if one.verdict == "invalid"}), sep="\n")
    assert [one for one in ended if one.verdict == "false"] == []


def test_each_verdict_is_right_or_the_run_is_invalid(tmp_path: Path) -> None:
    """One round, one operator each."""
    names = (*EVERYWHERE, SWAPPED) * 2
    assert len(names) == TOGETHER
    check(at_once(names, ("--vantage", "mts"), tmp_path / "round"))


def test_one_alone_is_right(tmp_path: Path) -> None:
    """Its twin: on a machine that is not busy there is a verdict."""
    for number, name in enumerate((EVERYWHERE[1], SWAPPED)):
        [one] = at_once((name,), ("--vantage", "mts"), tmp_path / str(number))
        assert one.verdict == "right" or "was busy" in str(one.reasons), one


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_rounds_of_all_operators(tmp_path: Path) -> None:
    """Half of them with every operator of the scenario: far more than two processors can measure."""
    ended = []
    for number in range(20):
        names = (*EVERYWHERE, SWAPPED) * 2
        options = () if number % 2 else ("--vantage", "mts", "--vantage", "beeline")
        ended += at_once(names, options, tmp_path / str(number))
    check(ended)
