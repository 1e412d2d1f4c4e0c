"""Labs other than the first through `testbed lab serve`: captures, programs, samples, commands as answers."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from testbed.console.webapp import ASSETS
from testbed.labs.labfile import load_lab
from tests.acceptance.conftest import TESTBED
from tests.labs.classdriver import served

pytestmark = [pytest.mark.world, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("lab", ["02-reset", "03-rate", "05-netblocks", "06-detector", "08-hide"])
def test_a_student_of_a_class_gets_all_points(lab: str, tmp_path: Path) -> None:
    if not (ASSETS / "classroom.html").is_file():
        pytest.skip("the page is not built: make frontend")
    with served(tmp_path, lab, ["anna"], "--class", "spring") as room:
        anna = room.people["anna"]
        assert anna.enter() == 303
        anna.start(patience=300)
        for program in (load_lab(lab).folder / "solution").glob("*.py"):
            (anna.home / program.name).write_text(program.read_text())
        assert "Traceback" not in anna.run('"$TESTBED_PYTHON" solve.py > found', patience=1500)
        for line in (anna.home / "found").read_text().splitlines():
            task, _, answer = line.partition(" ")
            given = answer if answer.startswith("--") else shlex.quote(answer)
            said = anna.run(f"testbed lab check {task} {given}", patience=600)
            if "too busy to measure" in said:
                pytest.skip(said)
        assert "your lecturer has it" in anna.run("testbed lab submit")
    line = [TESTBED, "lab", "grade", room.folder / "handed-in", "--class", "spring", "--no-worlds", "--json"]
    graded = subprocess.run(line, capture_output=True, text=True, check=True)
    [grade] = json.loads(graded.stdout)
    assert {name: one["points"] for name, one in grade["tasks"].items()} == {
        name: one.points for name, one in load_lab(lab).part.tasks.items()
    }
