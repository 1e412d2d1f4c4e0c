"""Evidence judged without a world; the page of a class; the order of starts."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.utils import wrpcap

from testbed.detectors.trials import Trial
from testbed.detectors.verdicts import ToolVerdict
from testbed.errors import InputError, UnsupportedError
from testbed.labs import opening
from testbed.labs.answers import Task, judge
from testbed.labs.clerk import ask_clerk, clerk
from testbed.labs.collecting import captured
from testbed.labs.detecting import counted, read_program
from testbed.labs.evidencekinds import CaptureEvidence, read_detector, written
from testbed.labs.grading import as_csv, grade
from testbed.labs.joining import read_folder
from testbed.labs.labfile import assign, load_lab
from testbed.labs.submission import submit
from testbed.labs.workbook import Workbook
from testbed.report.gradepage import grade_page
from tests.labs.answering import CLIENT, DETECTOR, SERVER, connection, right_answer

NAME = "www.bbc.com"
FLOW = f"tcp {CLIENT}:40000 > {SERVER}:443"
FORGED = Task("forged", "?", "capture", "", 2, 3, wanted={"name": NAME, "flags": "RST", "ttl": "60"})
OTHERS = "a RST is there, and not the one that the box sent: look at its hop limit"
FOREIGN = "this world has no record of such a connection: capture in a world of your own lab"
NO_HELLO = f"it has no ClientHello for {NAME}: only with 1 for other names"


def in_file(path: Path, packets: tuple[str, ...]) -> Path:
    wrpcap(str(path), [IP(bytes.fromhex(one)) for one in packets])
    return path


@pytest.mark.parametrize(
    ("packets", "known", "words", "counts"),
    [
        (connection(NAME), {FLOW}, "right", True),
        (connection(NAME, ttl=51), {FLOW}, OTHERS, True),
        (connection(NAME, "SA"), {FLOW}, "the connection is there, and no RST comes back", False),
        (connection(NAME), set(), FOREIGN, False),
        (connection("vk.com"), {FLOW}, NO_HELLO, False),
    ],
)  # fmt: skip
def test_a_capture_is_compared_with_what_the_world_recorded(
    packets: tuple[str, ...], known: set[str], words: str, *, counts: bool, tmp_path: Path
) -> None:
    found = captured(in_file(tmp_path / "x.pcap", packets), NAME, known)
    mark = judge(FORGED, written(found))
    assert (mark.words, mark.counts, mark.right) == (words, counts, words == "right")


def test_what_is_no_capture_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_text("no packets")
    with pytest.raises(InputError, match=r"x\.pcap"):
        captured(path, NAME, ())


@pytest.mark.parametrize(
    "given", ["", "{}", "[]", '{"file": 1}', "yes", written(CaptureEvidence("x", ("zz",), recorded=True))]
)
def test_evidence_that_the_tool_did_not_make_is_none(given: str) -> None:
    assert judge(FORGED, given).right is False


def trial(outcome: str, said: str, *mechanisms: str, **more: object) -> Trial:
    verdict = ToolVerdict("https://x/", said, mechanisms)
    values = {"by": "r" if outcome.startswith("tls") else "", "verdict": verdict, **more}
    return Trial(scenario="s", phase="p", vantage="mts", target="https://x/", outcome=outcome, **values)


def test_a_detector_is_counted_and_learns_kinds_of_cases_only() -> None:
    met = {"acted": ("mts/box/r",)}
    trials = [
        trial("tls.sni.rst", "blocked", "tls.sni.rst", **met),
        trial("tls.sni.drop", "blocked", "tls.sni.rst", **met),
        trial("tls.sni.drop", "free", **met),
        trial("broken", "blocked"),
        trial("ok", "free"),
        trial("refused", "free", ending="hung"),
    ]
    found = counted("d.py", "", "seed", trials)
    assert (found.hits, found.blocked, found.alarms, found.free, found.named) == (2, 3, 2, 3, 1)
    assert found.wrong == (
        "a block of the layer tls",
        "a fault of the server's own",
        "a server that refuses (hung)",
    )


def test_a_laboratory_that_failed_uses_up_no_try() -> None:
    trials = [trial("ok", "free", lab_error="a timer was late")] * 2 + [trial("ok", "free")]
    task = Task("d", "?", "detector", "", 4, 3, wanted={"recall": "0.5"})
    mark = judge(task, written(counted("d.py", "", "seed", trials)))
    assert (mark.counts, mark.words) == (
        False, "the laboratory could not try it: a timer was late; try again",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"), [("print(", "it is no Python program"), ("#" * 200_000, "200000 bytes")]
)
def test_what_is_no_program_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "d.py"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_program(path)


def class_of(folder: Path, *students: str) -> None:
    """Students of lab 6 who handed in everything right, and each the same program."""
    for student in students:
        book = Workbook("06-detector", student, "c", folder / student)
        for task in assign(load_lab("6"), student, "c").tasks.values():
            book.add("answer", task.name, right_answer(task))
        submit(book, load_lab("6"), folder / f"{student}.lab")


def test_a_detector_is_graded_by_what_it_does_in_another_world(tmp_path: Path) -> None:
    class_of(tmp_path, "anna")
    found, _ = read_folder(tmp_path)
    lucky = [grade(found, load_lab("6"), "c", lambda _, one: replace(one, seed="anew", alarms=2))[0]]
    sure = [grade(found, load_lab("6"), "c", lambda _, one: replace(one, seed="anew"))[0]]
    unsure = [grade(found, load_lab("6"), "c", lambda _, one: replace(one, failed="no machine"))[0]]
    untried = [grade(found, load_lab("6"), "c")[0]]
    assert [one.points for some in (lucky, sure, unsure, untried) for one in some] == [3, 13, 13, 13]
    assert untried[0].remarks == ("detector was not tried anew", "mechanism was not tried anew")
    assert "could not be tried anew" in unsure[0].remarks[0]
    assert lucky[0].tasks[0].judged[0].words.startswith("tried anew: found 3 of 3 blocks, 2 false alarms")


def test_the_same_program_of_two_students_is_seen(tmp_path: Path) -> None:
    class_of(tmp_path, "anna", "boris")
    found, _ = read_folder(tmp_path)
    remarks = {one.student: one.remarks[0] for one in grade(found, load_lab("6"), "c")}
    assert remarks["anna"] == "the same evidence as boris's: detector, mechanism"


def test_the_page_of_a_class_loads_nothing_and_escapes_everything(tmp_path: Path) -> None:
    book = Workbook("01-where", "anna", "c", tmp_path / "a")
    book.add("answer", "who", "<script>alert(1)</script>")
    book.add("answer", "hop", "\" onmouseover='x'")
    submit(book, load_lab("1"), tmp_path / "anna.lab")
    found, _ = read_folder(tmp_path)
    page = grade_page(grade(found, load_lab("1"), "c"), ["<b>broken.lab</b>"])
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;broken.lab&lt;/b&gt;" in page
    assert re.findall(r"(?:src|href)=|url\(|@import", page) == []
    for needed in ('<html lang="en">', "<caption>", 'scope="row"', 'scope="col"', "<main>", "<title>"):
        assert needed in page


def test_a_cell_of_the_table_is_no_formula(tmp_path: Path) -> None:
    book = Workbook("01-where", "anna", "c", tmp_path / "a")
    submit(book, load_lab("1"), tmp_path / "anna.lab")
    one = grade(read_folder(tmp_path)[0], load_lab("1"), "c")[0]
    assert "'=cmd" in as_csv([replace(one, remarks=("=cmd|' /C calc'!A0",))])


def test_an_interval_without_samples_is_remarked(tmp_path: Path) -> None:
    tasks = assign(load_lab("5"), "anna", "c").tasks
    for student, sampled in (("anna", True), ("boris", False)):
        book = Workbook("05-netblocks", student, "c", tmp_path / student)
        answer = right_answer(
            tasks["block"] if student == "anna" else assign(load_lab("5"), student, "c").tasks["block"]
        )
        if sampled:
            book.add("sampled", "", answer.replace("..", " "))
        book.add("answer", "block", answer)
        submit(book, load_lab("5"), tmp_path / f"{student}.lab")
    found = {one.student: one for one in grade(read_folder(tmp_path)[0], load_lab("5"), "c")}
    assert {name: one.remarks for name, one in found.items()} == {
        "anna": (), "boris": ("block has no sample at its ends",),
    }  # fmt: skip
    assert found["anna"].points == found["boris"].points == 3


def test_a_lab_is_open_once(tmp_path: Path) -> None:
    book, other = Workbook("01-where", "anna", "c", tmp_path), Workbook("02-reset", "anna", "c", tmp_path)
    with opening.alone(book):
        with (
            pytest.raises(InputError, match="01-where is open already, in another terminal"),
            opening.alone(book),
        ):
            pass
        with opening.alone(other):
            pass
    with opening.alone(book):
        pass


def test_thirty_starts_at_once_are_built_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_TICK", 0.01)
    building, most, said = [0], [0], []
    lock = threading.Lock()

    def start() -> None:
        with opening.turn(tmp_path, 2, said.append) as built:
            with lock:
                building[0] += 1
                most[0] = max(most[0], building[0])
            time.sleep(0.02)
            with lock:
                building[0] -= 1
            built()

    threads = [threading.Thread(target=start) for _ in range(30)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert most == [2]
    assert set(said) == {"waiting: 2 worlds are being built; yours is next in line"}


def test_a_world_that_has_been_built_holds_up_nobody(tmp_path: Path) -> None:
    with opening.turn(tmp_path, 1, print) as built:
        built()
        with opening.turn(tmp_path, 1, pytest.fail):
            pass


def test_no_room_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "available", lambda: 90 << 20)
    monkeypatch.setattr(opening, "PATIENCE", 0.0)
    with (
        pytest.raises(
            UnsupportedError, match="no memory for another world: 90 MB are free; your answers are kept"
        ),
        opening.turn(tmp_path, 1, lambda _: None),
    ):
        pass


def test_the_clerk_does_outside_what_is_asked_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert ask_clerk(["check"]) is None  # nobody is there
    book = Workbook("01-where", "anna", "c")
    book.open()
    with clerk(book.identity):
        code = "import sys; from testbed.labs.clerk import ask_clerk; sys.exit(ask_clerk(sys.argv[1:]))"
        run = [sys.executable, "-c", code]
        done = subprocess.run(
            [*run, "check", "--json"], capture_output=True, text=True, check=False, timeout=120
        )
        assert (done.returncode, min(json.loads(done.stdout))) == (0, "encrypted")
        done = subprocess.run(
            [*run, "check", "nothing"], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 2
        assert done.stderr.startswith("testbed: TASK: there is no task 'nothing'; there are: encrypted, hop")
        done = subprocess.run([*run, "start", "1"], capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stdout) == (2, "")  # only what needs a world of its own
    assert "TESTBED_LAB_CLERK" not in os.environ


def test_a_detectors_own_words_survive(tmp_path: Path) -> None:
    assert read_detector(written(DETECTOR)) == DETECTOR
    assert read_detector("{}") is None
