"""A class on this machine: the worlds of several students at once, each played by its lab's solution."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from bench.result import Budget, Quantity, Result
from bench.start import TESTBED
from bench.treememory import tree_pss
from testbed.errors import InvalidRunError
from testbed.labs.labfile import load_lab

_LAB: Final = "01-where"
_STUDENTS: Final = int(os.environ.get("TESTBED_CLASS", "3"))
_QUICK: Final = 2
_LIMIT: Final = 1800.0  # seconds for one student on a busy machine; our choice
_TICK: Final = 1.0  # seconds between two looks at the memory; our choice


class _Student(threading.Thread):
    """One student, who starts the lab, answers by its solution and submits."""

    def __init__(self, name: str, home: Path) -> None:
        super().__init__()
        self.student, self._home = name, home
        self.process: subprocess.Popen[str] | None = None
        self.points, self.most, self.failed = 0, 0, ""

    def run(self) -> None:
        """Play."""
        env = {**os.environ, "XDG_STATE_HOME": str(self._home), "HOME": str(self._home)}
        solution = load_lab(_LAB).folder.resolve() / "solution" / "solve.py"
        start = [*TESTBED, "lab", "start", _LAB, "--student", self.student, "--class", "bench"]
        self.process = subprocess.Popen(
            [*start, "--", sys.executable, str(solution)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=env, cwd=self._home, text=True,
        )  # fmt: skip
        try:
            said, errors = self.process.communicate(timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.failed = f"{self.student}: not done in {_LIMIT:.0f} s"
            return
        if self.process.returncode:
            self.failed = f"{self.student}: exit status {self.process.returncode}: {errors.strip()[-200:]}"
            return
        for task, answer in re.findall(r"^(\w+) (.+)$", said, re.MULTILINE):
            words = shlex.split(answer) if answer.startswith("--") else [answer]
            line = [*TESTBED, "lab", "check", task, *words]
            subprocess.run(line, env=env, check=False, capture_output=True)
        shown = subprocess.run(
            [*TESTBED, "lab", "check", "--json"], env=env, check=True, capture_output=True
        ).stdout
        marks = json.loads(shown).values()
        self.points, self.most = sum(one["points"] for one in marks), sum(one["most"] for one in marks)


def measure(*, quick: bool) -> list[Result]:
    """Proportional memory (PSS) of a student's world, and how many students had all points."""
    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        students = []
        for number in range(_QUICK if quick else _STUDENTS):
            home = Path(folder, str(number))
            home.mkdir()
            students.append(_Student(f"student{number}", home))
        began = time.monotonic()
        for one in students:
            one.start()
        worlds, most = [0.0], 0
        while any(one.is_alive() for one in students):
            sizes = [size for one in students if one.process and (size := tree_pss(one.process.pid)) > 0]
            if sizes and max(sizes) > max(worlds):
                worlds = sizes
            most = max(most, len(sizes))
            time.sleep(_TICK)
        took = time.monotonic() - began
    failed = [one.failed for one in students if one.failed]
    if failed:
        raise InvalidRunError(f"class: {len(failed)} of {len(students)} students failed; {failed[0]}")
    right = sum(one.points == one.most for one in students)
    largest = Quantity(max(worlds), "MB")
    note = (
        f"PSS of all processes of a student's lab, at most; {most} at once of {len(students)}, {took:.0f} s "
        f"for all; {right} of {len(students)} had all points of {_LAB}"
    )
    return [
        Result(
            "a student's world",
            largest,
            Quantity(min(worlds), "MB"),
            "the smallest one then",
            largest,
            Budget(),
            note,
            {"worlds": worlds, "right": right, "students": len(students), "seconds": took},
        )
    ]
