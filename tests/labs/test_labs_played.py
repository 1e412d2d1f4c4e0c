"""Each lab played by its solution, in the world that the student gets."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.labs.labfile import load_lab, names
from tests.acceptance.conftest import TESTBED
from tests.inprocess import run_here_as_text

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


def play(lab: str, student: str, home: Path) -> dict[str, dict[str, int]]:
    """What the student has after answering all that the solution found."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "XDG_STATE_HOME": str(home)}
    solution = load_lab(lab).folder.resolve() / "solution/solve.py"
    line = [
        TESTBED,
        "lab",
        "start",
        lab,
        "--student",
        student,
        "--class",
        "spring",
        "--",
        sys.executable,
        solution,
    ]
    done = subprocess.run(line, capture_output=True, text=True, env=env, cwd=home, check=False)
    found = re.findall(r"^(\w+) (.+)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stderr
    for task, answer in found:
        if answer.startswith("--"):  # a command or a file, which may need a world
            line = [TESTBED, "lab", "check", task, *shlex.split(answer)]
            said = subprocess.run(line, env=env, check=False, capture_output=True, text=True)
        else:
            said = run_here_as_text("lab", "check", task, answer, cwd=home, env=env)
        if "too busy to measure" in said.stderr:
            pytest.skip(f"{lab}, {task}: {said.stderr.strip()}")
    said = run_here_as_text("lab", "check", "--json", cwd=home, env=env)
    grades: dict[str, dict[str, int]] = json.loads(said.stdout)
    return grades


SLOW = {"03-rate", "05-netblocks", "06-detector"}  # transfers at the rates of 2021; many worlds
PLAYED = [
    pytest.param(
        lab,
        student,
        marks=[pytest.mark.slow, pytest.mark.timeout(1800)] if student != "anna" or lab in SLOW else [],
    )
    for lab in names()
    for student in ("anna", "boris", "vera")
]


@pytest.mark.parametrize(("lab", "student"), PLAYED)
def test_the_solution_gets_all_points(lab: str, student: str, tmp_path: Path) -> None:
    got = {name: (one["points"], one["most"]) for name, one in play(lab, student, tmp_path).items()}
    assert got == {name: (one.points, one.points) for name, one in load_lab(lab).part.tasks.items()}
