"""A class at work on one server: each student starts a world, solves lab 1 in the terminal and hands it in.

    TESTBED_CLASS=30 TESTBED_CLASS_MINUTES=30 .venv/bin/pytest -m slow tests/labs/test_class_of_thirty.py -s

Until the minutes are over, they go on measuring in their worlds. It prints what it took: docs/teaching.md has
the numbers of one machine.
"""

import os
import random
import resource
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from testbed.console.webapp import ASSETS
from testbed.labs.classworlds import memory_of
from testbed.labs.labfile import load_lab
from tests.acceptance.conftest import TESTBED
from tests.labs.classdriver import ClassBrowser, served

pytestmark = [pytest.mark.world, pytest.mark.slow, pytest.mark.timeout(7200)]

NUMBER = int(os.environ.get("TESTBED_CLASS", "4"))
MINUTES = float(os.environ.get("TESTBED_CLASS_MINUTES", "0.5"))
LAB = "01-where"
TRIED = (  # what a student looks at again, and what must be in the answer
    ("curl -s -o /dev/null -w '%{http_code}\\n' https://vk.com/", "200"),
    ("dig +short vk.com | wc -l", "1"),
    ("testbed lab check | tail -n 1", "11 of 11 points"),
    ("testbed lab check who", "right"),
)
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
        while not self.over.wait(10.0):
            self.most = max(self.most, memory_of(self.pid))


@dataclass
class Diary:
    """What one student met."""

    waited: float = 0.0  # seconds until the world was open
    solved: str = ""  # what the terminal showed
    took: list[float] = field(default_factory=list)  # seconds of each command afterwards, with its terminal
    wrong: list[str] = field(default_factory=list)  # answers that were not as they must be

    def play(self, person: ClassBrowser, until: float) -> None:
        """From the link to the file that is handed in; then at work until that moment."""
        began, dice = time.monotonic(), random.Random(person.place)
        assert person.enter() == 303
        person.start(patience=1800)
        self.waited = time.monotonic() - began
        (person.home / "solve.py").write_text((load_lab(LAB).folder / "solution/solve.py").read_text())
        self.solved = person.run(*STEPS.splitlines(), patience=1800)
        while time.monotonic() < until:
            time.sleep(dice.uniform(5, 25))  # thinks
            command, words = dice.choice(TRIED)
            began = time.monotonic()
            shown = person.run(command, patience=600)
            self.took.append(time.monotonic() - began)
            if words not in shown:
                self.wrong.append(f"{command}: {shown}")


def test_every_student_of_a_class_gets_through(tmp_path: Path) -> None:
    if not (ASSETS / "classroom.html").is_file():
        pytest.skip("the page is not built: make frontend")
    names = [f"student{number:02}" for number in range(1, NUMBER + 1)]
    diaries = {name: Diary() for name in names}
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with served(tmp_path, "1", names, "--class", "thirty", "--idle", "60") as room:
        watch = Watch(room.process.pid)
        watch.start()
        until = began + 60 * MINUTES
        threads = [
            threading.Thread(target=diary.play, args=(room.people[name], until))
            for name, diary in diaries.items()
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        watch.over.set()
        watch.join()
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    waited = [one.waited for one in diaries.values()]
    commands = [one for diary in diaries.values() for one in diary.took]
    print(
        f"\n{NUMBER} students, {took:.0f} s; memory at most {watch.most >> 20} MB, "
        f"{(watch.most >> 20) / NUMBER:.0f} MB each; {seconds / NUMBER:.1f} s of a processor each; "
        f"a world after {min(waited):.0f} to {max(waited):.0f} s; afterwards {len(commands)} commands, "
        f"{median(commands or [0]):.1f} s in the middle, {max(commands, default=0):.1f} s at most"
    )
    assert {name: one.wrong for name, one in diaries.items() if one.wrong} == {}
    graded = subprocess.run(
        [TESTBED, "lab", "grade", room.folder / "handed-in", "--class", "thirty"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    points = {line.split()[0]: " ".join(line.split()[2:5]) for line in graded.stdout.splitlines()}
    assert points == dict.fromkeys(names, "11 of 11"), shlex.quote(diaries[names[0]].solved)
