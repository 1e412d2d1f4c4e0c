"""A class at work on one server: each student starts a world, solves lab 1 in the terminal and hands it in.

    TESTBED_CLASS=30 .venv/bin/pytest -m slow tests/labs/test_class_of_thirty.py -s

prints what it took: docs/teaching.md has the numbers of one machine.
"""

import os
import resource
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testbed.console.webapp import ASSETS
from testbed.labs.classworlds import memory_of
from testbed.labs.labfile import load_lab
from tests.acceptance.conftest import TESTBED
from tests.labs.classdriver import ClassBrowser, served

pytestmark = [pytest.mark.world, pytest.mark.slow, pytest.mark.timeout(3600)]

NUMBER = int(os.environ.get("TESTBED_CLASS", "4"))
LAB = "01-where"
STEPS = """\
"$TESTBED_PYTHON" solve.py > found
while read -r task answer; do testbed lab check "$task" "$answer" < /dev/null; done < found
testbed lab submit
"""


@dataclass
class Watch(threading.Thread):
    """Looks at the memory of a server with all its worlds."""

    pid: int
    most: int = 0  # bytes, PSS
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Every few seconds."""
        while not self.over.wait(3.0):
            self.most = max(self.most, memory_of(self.pid))


def play(person: ClassBrowser, said: dict[str, str], waited: dict[str, float]) -> None:
    """One student, from the link to the file that is handed in."""
    began = time.monotonic()
    assert person.enter() == 303
    person.start(patience=1800)
    waited[person.place] = time.monotonic() - began
    (person.home / "solve.py").write_text((load_lab(LAB).folder / "solution/solve.py").read_text())
    said[person.place] = person.run(*STEPS.splitlines(), patience=1800)


def test_every_student_of_a_class_gets_through(tmp_path: Path) -> None:
    if not (ASSETS / "classroom.html").is_file():
        pytest.skip("the page is not built: make frontend")
    names = [f"student{number:02}" for number in range(1, NUMBER + 1)]
    said: dict[str, str] = {}
    waited: dict[str, float] = {}
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with served(tmp_path, "1", names, "--class", "thirty", "--at-once", "2", "--idle", "60") as room:
        watch = Watch(room.process.pid)
        watch.start()
        threads = [threading.Thread(target=play, args=(room.people[name], said, waited)) for name in names]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        watch.over.set()
        watch.join()
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"\n{NUMBER} students, {took:.0f} s; memory at most {watch.most >> 20} MB, "
        f"{(watch.most >> 20) / NUMBER:.0f} MB each; {seconds / NUMBER:.1f} s of a processor each; "
        f"a world after {min(waited.values()):.0f} to {max(waited.values()):.0f} s"
    )
    graded = subprocess.run(
        [TESTBED, "lab", "grade", room.folder / "handed-in", "--class", "thirty"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    points = {line.split()[0]: " ".join(line.split()[2:5]) for line in graded.stdout.splitlines()}
    assert points == dict.fromkeys(names, "11 of 11"), shlex.quote(next(iter(said.values()), ""))
