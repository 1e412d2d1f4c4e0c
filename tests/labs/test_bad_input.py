"""A student who fills the disk, edits files, starts two labs, submits twice, resets: no answer is lost."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.labs.grading import grade
from testbed.labs.joining import read_folder
from testbed.labs.labfile import assign, load_lab
from testbed.labs.submission import submit
from testbed.labs.workbook import Workbook
from tests.inprocess import run_here_as_text
from tests.labs.answering import right_answer

LAB = "01-where"
ROUTER = right_answer(assign(load_lab(LAB), "anna", "c").tasks["router"])
START = "from testbed.cli.start import main; main()"


def lab(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """`testbed lab WORDS`, as a student types it, which starts no world."""
    environment = {"XDG_STATE_HOME": str(home), "COLUMNS": "200"}
    return run_here_as_text("lab", *words, cwd=home, env=environment)


def begun(home: Path, student: str = "anna", name: str = LAB) -> Workbook:
    """A lab in work."""
    book = Workbook(name, student, "c", home / "testbed/labs")
    book.open()
    return book


SMALL = """\
import json, os, subprocess, sys
from testbed.world import linux
from testbed.world.subordinate import unshare

home = sys.argv[1]
unshare(linux.CLONE_NEWNS)
linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
linux.mount("none", home, "tmpfs", linux.MS_NOSUID, "size=256k,mode=700")


def lab(*words):
    done = subprocess.run(
        [sys.executable, "-c", "from testbed.cli.start import main; main()", "lab", *words],
        env={**os.environ, "XDG_STATE_HOME": home}, cwd=home, capture_output=True, text=True,
    )
    return done.returncode, done.stdout, done.stderr


from testbed.labs.workbook import Workbook

book = Workbook("01-where", "anna", "c", __import__("pathlib").Path(home) / "testbed/labs")
book.open()
found = [lab("check", "router", sys.argv[2])]
answers = str(book.folder / "answers.jsonl")
with open(answers, "a") as file:  # up to the end of its page
    file.write(" " * (4090 - os.stat(answers).st_size) + "\\n")
with open(f"{home}/film", "wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError as full:
        found.append(full.errno)
found += [lab("check", "who", "the resolver"), lab("hint", "who"), lab("submit")]
found.append(lab("start", "1", "--student", "b", "--", "true"))
found.append(json.loads(lab("check", "--json")[1]))
os.unlink(f"{home}/film")
found += [lab("check", "who", "a box on the way"), lab("submit")]
print(json.dumps(found))
"""


def test_a_full_disk_costs_the_answer_that_is_not_kept_and_no_other(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(tmp_path), ROUTER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    right, full, wrong, hint, handed, start, marks, later, submitted = json.loads(done.stdout)
    assert right == [0, "✓ right\n", ""]
    assert full == errno.ENOSPC
    for status, _, said in (wrong, hint, handed, start):
        assert (status, said.count("\n"), "No space left on device" in said) == (2, 1, True), said
    assert wrong[2].endswith("make room; it did not count\n")
    assert (marks["router"]["points"], marks["who"]["tries_left"]) == (1, 1)
    assert (later[0], submitted[0]) == (0, 0)


@pytest.mark.world
def test_two_labs_side_by_side_and_reset_lose_nothing(tmp_path: Path) -> None:
    first, second = begun(tmp_path), begun(tmp_path, name="02-reset")
    first.add("answer", "router", ROUTER)
    second.desk.mkdir(parents=True)
    (second.desk / "samples-1.csv").touch()
    second.add("answer", "watched", "vk.com")
    own = {"TESTBED_LAB": first.identity}
    done = subprocess.run(
        [sys.executable, "-c", START, "lab", "check", "--json"], capture_output=True, text=True, check=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), **own},
    )  # fmt: skip
    assert json.loads(done.stdout)["router"]["points"] == 1  # in the first one's shell
    assert (
        json.loads(lab(tmp_path, "check", "--json").stdout)["watched"]["tries_left"] == 1
    )  # the last one started
    line = [sys.executable, "-c", START, "lab", "start", "2", "--student", "anna", "--class", "c"]
    subprocess.run(
        [*line, "--reset", "--", "false"], env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}, check=False
    )
    assert not second.desk.exists()
    assert (first.answers("router"), second.answers("watched")) == ([ROUTER], ["vk.com"])


@pytest.mark.parametrize(
    "damage",
    [b"\0" * 4096 + b"\n", b"not json\n", b'{"at": 1}\n[]\n"x"\n', b'{"at": "x", "what": "answer"}\n'],
)  # fmt: skip
def test_an_edited_workbook_keeps_the_lines_that_can_be_read(damage: bytes, tmp_path: Path) -> None:
    book = begun(tmp_path)
    book.add("answer", "router", ROUTER)
    path = book.folder / "answers.jsonl"
    path.write_bytes(damage + path.read_bytes())
    assert json.loads(lab(tmp_path, "check", "--json").stdout)["router"]["points"] == 1
    done = lab(tmp_path, "check", "who", "a box on the way")
    assert (done.returncode, done.stdout) == (0, "✓ right\n")


@pytest.mark.parametrize(
    "content", ["", "{", '{"lab": "none", "student": "x", "class": "c"}', '{"lab": "01-where"}']
)
def test_a_damaged_note_of_the_lab_in_work_is_one_line(content: str, tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "testbed/labs/.last").write_text(content)
    done = lab(tmp_path, "check")
    assert (done.returncode, done.stderr.count("\n"), "Traceback" in done.stderr) == (2, 1, False), (
        done.stderr
    )


def test_of_several_submissions_nothing_is_lost(tmp_path: Path) -> None:
    book, handed = begun(tmp_path), tmp_path / "in"
    handed.mkdir()
    submit(book, load_lab(LAB), handed / "early.lab")
    book.add("answer", "router", ROUTER)
    submit(book, load_lab(LAB), handed / "late.lab")
    (handed / "late (1).lab").write_bytes((handed / "late.lab").read_bytes())  # as a browser saves it again
    found, problems = read_folder(handed)
    assert [(one.student, one.points) for one in grade(found, load_lab(LAB), "c")] == [("anna", 1)]
    assert (len(found), problems) == (1, [])


def test_a_lost_key_is_a_new_one_and_the_answers_stay(tmp_path: Path) -> None:
    book = begun(tmp_path)
    book.add("answer", "router", ROUTER)
    submit(book, load_lab(LAB), tmp_path / "one.lab")
    (book.base / "anna/key").write_text("edited")
    submit(book, load_lab(LAB), tmp_path / "two.lab")
    found, _ = read_folder(tmp_path)
    assert [one.points for one in grade(found, load_lab(LAB), "c")] == [1]


@pytest.mark.world
def test_a_lab_that_is_killed_leaves_nothing_behind_and_can_be_started_again(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    book = begun(home)
    book.add("answer", "router", ROUTER)
    line = [sys.executable, "-c", START, "lab", "start", "1", "--student", "anna", "--class", "c", "--"]
    variables = {**os.environ, "XDG_STATE_HOME": str(home), "TMPDIR": str(temporary)}
    killed = subprocess.Popen(
        [*line, "sh", "-c", "echo open; sleep 600"], env=variables, stdout=subprocess.PIPE
    )
    assert killed.stdout is not None
    with killed, killed.stdout as said:
        assert said.readline() == b"open\n"
        assert len(list(temporary.glob("lab-*"))) == 2  # the world's record, and the helper's requests
        killed.kill()
    again = subprocess.run([*line, "true"], env=variables, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    due = time.monotonic() + 60
    while list(temporary.glob("lab-*")) and time.monotonic() < due:
        time.sleep(0.1)
    assert list(temporary.glob("lab-*")) == []
    assert book.answers("router") == [ROUTER]


@pytest.mark.world
def test_a_machine_that_gives_no_more_namespaces_is_one_line(tmp_path: Path) -> None:
    book = begun(tmp_path)
    book.add("answer", "router", ROUTER)
    start = 'exec "$0" -c "$1" lab start 1 --student anna --class c -- true'
    script = f"echo 0 > /proc/sys/user/max_user_namespaces; {start}"
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script, sys.executable, START],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "namespace" in done.stderr
    assert "remedy: " in done.stderr
    assert book.answers("router") == [ROUTER]
