"""A class on one server: two students and their lecturer, from outside, as browsers are."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.console.webapp import ASSETS
from tests.console.wsclient import SocketRefusedError
from tests.labs.classdriver import ServedClass, served, tasks

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedClass]:
    """Lab 1 for anna and boris, all three entered, and anna's world open."""
    if not (ASSETS / "classroom.html").is_file():
        pytest.skip("the page is not built: make frontend")
    folder = tmp_path_factory.mktemp("class")
    with served(folder, "1", ["anna", "boris"], "--class", "spring", "--at-once", "2") as made:
        assert [one.enter() for one in made.people.values()] == [303, 303, 303]
        made.people["anna"].start()
        yield made


def test_a_link_opens_one_page_once_and_no_other(room: ServedClass) -> None:
    anna, boris, lecturer = (room.people[one] for one in ("anna", "boris", "lecturer"))
    assert anna.enter() == 403  # the link is used up
    assert anna.get()[0] == 200
    assert [anna.get(at=place)[0] for place in (boris.place, lecturer.place)] == [403, 403]
    assert anna.get("world/stop", at=boris.place, post=True)[0] == 403
    for path in ("live", "terminal/mts"):
        with pytest.raises(SocketRefusedError), anna.socket(path, at=boris.place):
            pass
    assert lecturer.get(at=anna.place)[0] == 403
    assert anna.get("link?student=boris", at=lecturer.place)[0] == 403


def test_a_shell_sees_neither_others_nor_the_truth(room: ServedClass) -> None:
    anna = room.people["anna"]
    boris = room.folder / "students/boris/home"
    boris.mkdir(parents=True, exist_ok=True)
    (boris / "notes").write_text("boris-was-here")
    seen = anna.run(
        "whole=$(cat ~/../../boris/home/notes ~/../../../code ~/../../../links.csv 2>&1); echo $whole",
        "find / -name answers.jsonl -o -name scenario.json -o -path '*solution/solve.py' 2>/dev/null",
        "cat $TESTBED_LAB_FOLDER/*.yaml $TESTBED_LAB_FOLDER/../*/*.yaml 2>&1; ls $TESTBED_LAB_FOLDER",
        f"ls {room.folder} {room.folder}/students; ls -A /root /home 2>/dev/null",
        "env | grep -c spring; touch /usr/mine; echo kept > ~/mine; echo too > /tmp/mine",
        'python3 -c "import os; os.setns" 2>/dev/null; umount -l /home 2>&1 | head -n 1; testbed worlds',
    )
    assert "boris-was-here" not in seen
    assert "spring" not in seen
    assert seen.count("No such file") == 3  # boris's notes, the code, the links
    assert not re.search(r"answers\.jsonl|scenario\.json|solve\.py|boris$", seen)
    assert not re.search(r"answer: |tls\.sni: |profile: t2", seen), "the lab's own files say what is right"
    assert "worksheet.md" in seen
    assert "Read-only file system" in seen
    assert (room.folder / "students/anna/home/mine").read_text() == "kept\n"
    assert (room.folder / "students/anna/tmp/mine").read_text() == "too\n"


def test_answers_reach_the_lecturer_and_the_hidden_file(room: ServedClass) -> None:
    anna, lecturer = room.people["anna"], room.people["lecturer"]
    said = anna.run(
        "testbed lab check router 9.9.9.9", "testbed lab check who 'a box on the way'",
        "testbed lab hint hop", "testbed lab check lie --file /etc/passwd", "testbed lab start 1",
        "testbed lab submit",
    )  # fmt: skip
    assert "✗ that is where the packet goes; a router on the way is asked for; 4 tries left" in said
    assert "lie is answered by ANSWER" in said
    assert "you are in your lab's world already" in said
    assert "handed in: your lecturer has it" in said
    shown = tasks(anna.wait_for("ready"))
    assert (shown["router"], shown["who"], shown["lie"]) == ("… 1 try", "✓ 2 (1 try)", "–")
    page = lecturer.get()[1]
    row = re.search(r'<th scope="row">anna</th>.*?</tr>', page, re.DOTALL)
    assert row
    for words in ("2 of 11", "… 1 try", "✓ 2 (1 try)", "1 hint", "ready", "MB", "yes"):
        assert words in row[0], words
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "refresh" not in lecturer.get("?still")[1]
    assert (room.folder / "handed-in/01-where-anna.lab").is_file()


def test_a_world_that_is_killed_is_started_again_and_answers_are_kept(room: ServedClass) -> None:
    anna = room.people["anna"]
    before = tasks(anna.wait_for("ready"))
    keeper = next(
        int(one.name)
        for one in Path("/proc").iterdir()
        if one.name.isdigit() and _parent(one) == room.process.pid and b"classworld" in _command(one)
    )
    os.kill(keeper, signal.SIGKILL)
    stopped = anna.wait_for("stopped")
    assert stopped["words"] == "your world was killed; your answers are kept"
    assert tasks(stopped) == before
    assert "not open" in _refused(room)
    assert tasks(anna.start()) == before
    assert anna.run("cat ~/mine").strip() == "kept"


def test_a_new_link_takes_the_page_over(room: ServedClass) -> None:
    anna, lecturer = room.people["anna"], room.people["lecturer"]
    link = lecturer.get("link?student=anna")[1].split()[1]
    with anna.socket("live") as page:
        page.next_message()
        other = replace(anna, link=link, cookie="")
        assert other.enter() == 303
        assert page.to_the_end()[0] == 4001
    assert (anna.get()[0], other.get()[0]) == (403, 200)
    anna.cookie = other.cookie


def _refused(room: ServedClass) -> str:
    with room.people["anna"].socket("terminal/mts") as terminal:
        return terminal.to_the_end()[1]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
