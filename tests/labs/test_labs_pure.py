"""Draws, answers, workbooks, submissions and grades, without a world."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from testbed.cli.lab import command
from testbed.errors import InputError
from testbed.labs import opening
from testbed.labs.answermark import AnswerMark
from testbed.labs.answers import EVIDENCE, Mistake, Task, judge, points_of, tries_left
from testbed.labs.calm import restless_at
from testbed.labs.draws import arithmetic, drawn, filled
from testbed.labs.grading import as_csv, grade
from testbed.labs.joining import read_folder
from testbed.labs.labfile import assign, load_lab, names
from testbed.labs.submission import read_submission, submit
from testbed.labs.workbook import Workbook, is_student, last
from tests.labs.answering import right_answer, wrong_ways

STUDENTS = [f"student{number}" for number in range(60)]
CODE = "class-1"


RIGHT, WRONG = AnswerMark(right=True, words="right"), AnswerMark(right=False, words="not right")
MISTAKES = (Mistake("3", "that is the hop"),)
NO_NUMBER = "is no number; write it without a unit: 3, 150, 2.5"


def no_answer(words: str) -> AnswerMark:
    """An answer that uses up no try."""
    return AnswerMark(right=False, words=words, counts=False)


def task(kind="number", answer="3", **given) -> Task:
    return Task("t", "How many?", kind, answer, given.pop("points", 2), given.pop("tries", 2), **given)


def test_the_same_student_always_gets_the_same_and_students_differ() -> None:
    names = [{"name": "a.com"}, {"name": "b.com"}, {"name": "c.com"}]
    draws = {"first": names, "second": names, "hop": ["1", "2", "3", "4"]}
    made = [drawn(draws, CODE, "lab", student) for student in STUDENTS]
    assert made == [drawn(draws, CODE, "lab", student) for student in STUDENTS]
    assert len({tuple(one.items()) for one in made}) > 15
    assert all(one["first_name"] != one["second_name"] for one in made)  # two of one list
    assert drawn(draws, "another class", "lab", "student1") != made[1]


@pytest.mark.parametrize(("text", "value"), [("65 - 3", 62), ("-(2 + 3) * 4 / 2", -10), ("0.5", 0.5)])
def test_arithmetic(text: str, value: float) -> None:
    assert arithmetic(text) == value


@pytest.mark.parametrize(
    "text", ["", "2 **  9", "open('x')", "a", "1/0", "True", "(" * 500 + "1" + ")" * 500]
)
def test_nothing_but_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be calculated|is no number"):
        arithmetic(text)


def test_names_are_filled_in() -> None:
    assert filled("is $site_name at $$5?", {"site_name": "vk.com"}) == "is vk.com at $5?"
    with pytest.raises(KeyError):
        filled("$other", {})


@pytest.mark.parametrize(
    ("one", "given", "judged"),
    [
        (task(), "3", RIGHT),
        (task(), "4", WRONG),
        (task(), "three", no_answer(f"'three' {NO_NUMBER}")),
        (task(answer="100", within=0.1), "109,5", RIGHT),
        (task(answer="100", within=0.1), "111", WRONG),
        (task(answer="65 - 3", mistakes=MISTAKES), "3", AnswerMark(right=False, words="that is the hop")),
        (task("address", "2001:db8::1"), "2001:DB8:0::1", RIGHT),
        (task("address", "192.0.2.1"), "192.0.2", no_answer("'192.0.2' is no IP address")),
        (task("text", "twitter.com"), " Twitter.com. ", RIGHT),
        (task("text", "twitter.com"), "https://Twitter.com/", RIGHT),
        (task("text", "twitter.com"), "https://twitter.com.example/", WRONG),
        (task("text", "low-ttl, out-of-band, records"), "low-ttl,out-of-band,records", RIGHT),
        (task("text", "low-ttl, out-of-band, records"), "records,  Out-of-band , low-ttl", RIGHT),
        (task("text", "low-ttl, out-of-band, records"), "low-ttl, records", WRONG),
        (task("text", "low-ttl, records"), "low-ttl, records, records", WRONG),
        (task("choice", "both", options=("both", "none")), "Both", RIGHT),
        (task("choice", "both", options=("both", "none")), "x", no_answer("'x' is none of: both, none")),
        (task(), "", no_answer("the answer is empty")),
        (task(), "nan", no_answer(f"'nan' {NO_NUMBER}")),
    ],
)  # fmt: skip
def test_judging(one: Task, given: str, judged: AnswerMark) -> None:
    assert judge(one, given) == judged


def test_tries_are_counted_and_what_comes_after_the_last_is_worth_nothing() -> None:
    one = task()
    assert (points_of(one, ["1", "x", "3"]), tries_left(one, ["1", "x"])) == (2, 1)
    assert (points_of(one, ["1", "2", "3"]), tries_left(one, ["1", "2", "3"])) == (0, 0)


def test_a_workbook_keeps_what_a_cut_off_line_leaves(tmp_path: Path) -> None:
    book = Workbook("lab", "anna", CODE, tmp_path)
    book.add("answer", "hop", "3")
    path = book.folder / "answers.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at": 12, "what": "ans')
    book.add("hint", "hop")
    book.add("answer", "hop", "4")
    assert (book.answers("hop"), book.hints("hop"), book.unreadable()) == (["3", "4"], 1, 1)


def test_answers_to_one_class_are_none_to_another(tmp_path: Path) -> None:
    small, capital = (Workbook("lab", "anna", code, tmp_path) for code in ("kurs", "KURS"))
    small.add("answer", "hop", "3")
    assert (small.answers("hop"), capital.answers("hop")) == (["3"], [])
    assert (small.other_classes(), capital.other_classes()) == (False, True)
    capital.add("answer", "hop", "4")
    assert (small.answers("hop"), capital.answers("hop")) == (["3"], ["4"])


@pytest.mark.parametrize("code", ["", "\udcff", "a\nb", "x" * 201])
def test_what_is_no_code_of_a_class_is_refused(code: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be a class's code"):
        Workbook("lab", "anna", code, tmp_path)


@pytest.mark.parametrize("student", ["last", "last.new", "turns", ".last", "key"])
def test_no_students_name_is_one_of_the_programs_own(student: str, tmp_path: Path) -> None:
    Workbook("lab", "anna", CODE, tmp_path).open()
    with opening.turn(tmp_path, 1, print):
        pass
    if not is_student(student):
        return
    book = Workbook("lab", student, CODE, tmp_path)
    book.open()
    with opening.alone(book), opening.turn(tmp_path, 1, print):
        book.add("answer", "hop", "3")
    again = last(tmp_path)
    assert again is not None
    assert (again.student, again.answers("hop")) == (student, ["3"])


@pytest.mark.parametrize("student", ["", "../x", "a/b", "-x", "x" * 65])
def test_a_students_name_is_no_path(student: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be a student's name"):
        Workbook("lab", student, CODE, tmp_path)


def handed_in(
    folder: Path, student: str, answers: dict[str, str], lab: str = "01-where", base: str = ""
) -> Path:
    """The file of a student who answered so."""
    book = Workbook(lab, student, CODE, folder / (base or student))
    for name, text in answers.items():
        book.add("answer", name, text)
    path = folder / f"{lab}-{student}.lab"
    submit(book, load_lab(lab), path)
    return path


def all_right(student: str, lab: str = "01-where") -> dict[str, str]:
    """The right answers, calculated."""
    return {one.name: right_answer(one) for one in assign(load_lab(lab), student, CODE).tasks.values()}


def test_a_class_is_graded(tmp_path: Path) -> None:
    handed_in(tmp_path, "anna", all_right("anna"))
    handed_in(tmp_path, "boris", all_right("boris") | {"lie": "192.0.2.99", "router": "9.9.9.9"})
    found, problems = read_folder(tmp_path)
    grades = {one.student: one for one in grade(found, load_lab("1"), CODE)}
    assert problems == []
    assert {name: (one.points, one.most, one.remarks) for name, one in grades.items()} == {
        "anna": (11, 11, ()), "boris": (9, 11, ()),
    }  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(as_csv([*grades.values()]))))
    assert [(row["student"], row["points"], row["lie"], row["hop"]) for row in rows] == [
        ("anna", "11", "1", "3"), ("boris", "9", "0", "3"),
    ]  # fmt: skip


def other_values(student: str) -> str:
    """A student whose right answers to two tasks at least are wrong for the other."""
    mine = all_right(student)
    return next(
        one
        for one in STUDENTS
        if sum(all_right(one)[name] != mine[name] for name in ("router", "lie", "right", "hop", "encrypted"))
        > 3
    )


def test_who_copies_gives_anothers_answers(tmp_path: Path) -> None:
    copied = other_values("anna")
    handed_in(tmp_path, copied, all_right(copied))
    handed_in(tmp_path, "anna", all_right(copied))
    found, _ = read_folder(tmp_path)
    remarks = {one.student: one.remarks for one in grade(found, load_lab("1"), CODE)}
    assert remarks[copied] == ()
    assert [one.partition(":")[0] for one in remarks["anna"]] == [
        f"gave {copied}'s answers, which are wrong here"
    ]


def test_one_workbook_for_two_students_is_seen(tmp_path: Path) -> None:
    handed_in(tmp_path, "anna", {}, base="shared")
    key = tmp_path / "shared/anna/key"
    (tmp_path / "shared/boris").mkdir()
    (tmp_path / "shared/boris/key").write_bytes(key.read_bytes())
    handed_in(tmp_path, "boris", {}, base="shared")
    found, _ = read_folder(tmp_path)
    assert {one.student: one.remarks for one in grade(found, load_lab("1"), CODE)} == {
        "anna": ("the same workbook as boris's",), "boris": ("the same workbook as anna's",),
    }  # fmt: skip


def test_what_is_not_as_it_was_written_is_refused(tmp_path: Path) -> None:
    path = handed_in(tmp_path, "anna", {"hop": "9"})
    whole = path.read_text()
    path.write_text(whole.replace('"9"', '"3"'))
    with pytest.raises(InputError, match="it was edited after it was written"):
        read_submission(path)
    path.write_text(whole[:-40])
    with pytest.raises(InputError, match="is cut short"):
        read_submission(path)
    path.write_text(whole)
    assert read_submission(path).answers("hop") == ["9"]
    handed_in(tmp_path, "boris", {})
    (tmp_path / "broken.lab").write_text("{}")
    found, problems = read_folder(tmp_path)
    assert ({one.student for one in found}, len(problems)) == ({"anna", "boris"}, 1)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbook:
    """Lab 2 in work, in a home of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    book = Workbook("02-reset", "anna", CODE)
    book.open()
    return book


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, words, standalone_mode=False)
    if isinstance(done.exception, InputError):
        return 2, str(done.exception)
    assert done.exception is None, done.exception
    return int(done.return_value or 0), done.output


def test_answers_at_the_command_line(started: Workbook) -> None:
    right = all_right("anna", "02-reset")
    assert said("check", "hop") == (
        2,
        "TASK: hop comes after watched; answer that first: testbed lab check watched",
    )
    assert said("check", "watched", right["rewritten"]) == (
        1, "✗ that name is reset, but nothing of the server comes with it; 1 try left\n",
    )  # fmt: skip
    assert said("check", "watched", right["watched"]) == (0, "✓ right\n")
    assert said("check", "watched", "vk.com") == (0, "answered already, and rightly\n")
    assert said("check", "hop", "far") == (
        1,
        "✗ 'far' is no number; write it without a unit: 3, 150, 2.5; 2 tries left\n",
    )
    assert said("check", "watchd")[1] == "TASK: there is no task 'watchd'; did you mean 'watched'?"
    for _ in range(2):
        said("check", "hop", "77")
    assert said("check", "hop", right["hop"])[1] == "no tries are left for this task\n"
    assert said("check")[1].splitlines()[-1].startswith("2 of 14 points")
    assert json.loads(said("check", "--json")[1])["watched"] == {"points": 2, "most": 2, "tries_left": 0}


def test_a_rate_is_not_judged_on_a_busy_machine_unless_that_is_wanted(
    started: Workbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab3 = Workbook("03-rate", "anna", CODE)
    lab3.open()
    right = all_right("anna", "03-rate")["police"]
    said("check", "dropped", all_right("anna", "03-rate")["dropped"], "--anyway")
    monkeypatch.setattr("os.getloadavg", lambda: (3.0, 900.0, 1.0))
    for answer in ("77", right):
        status, words = said("check", "police", answer)
        assert (status, "too busy to measure" in words, "it did not count" in words) == (1, True, True)
    assert lab3.answers("police") == []
    assert said("check", "trigger", "the server's address")[1] == "✗ not right; 0 tries left\n"
    assert said("check", "police", right, "--anyway") == (0, "✓ right\n")
    monkeypatch.setattr("os.getloadavg", lambda: (3.0, 1.0, 900.0))
    assert said("check", "queued", all_right("anna", "03-rate")["queued"]) == (0, "✓ right\n")


@pytest.mark.parametrize(
    ("load", "processors", "why"),
    [(16, 2, ""), (40, 2, "20 processes waited for each processor"), (40, 8, "")],
)
def test_what_a_busy_machine_is(load: float, processors: int, why: str) -> None:
    assert restless_at(load, processors) == why


def test_hints_come_one_by_one(started: Workbook) -> None:
    assert said("hint", "watched")[1].count("\n") == 1
    assert said("hint", "watched")[1].count("\n") == 3  # two, and that there are no more
    assert started.hints("watched") == 2


def test_submit_and_grade_at_the_command_line(started: Workbook, tmp_path: Path) -> None:
    right = all_right("anna", "02-reset")
    said("check", "watched", right["watched"])
    (tmp_path / "in").mkdir()
    assert said("submit", "in/anna.lab")[0] == 0
    tasks = "watched 2/2, rewritten 0/2, arrives 0/2, hop 0/3, forged 0/2, servers 0/2, unseen 0/1"
    table = f"anna            02-reset                2 of 14   {tasks}\n"
    assert said("grade", "in", "--csv", "points.csv") == (0, table)
    assert (tmp_path / "points.csv").read_text().splitlines()[1].startswith("anna,02-reset,2,14,2,0,")


def test_submit_overwrites_nothing_but_an_earlier_submission(started: Workbook, tmp_path: Path) -> None:
    (tmp_path / "detector.py").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.lab").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    handed_in(tmp_path, "boris", {}, "02-reset")
    for name in ("detector.py", "folder", "link.lab", "pipe", "02-reset-boris.lab", "/dev/null"):
        status, words = said("submit", name)
        assert (status, "it is there already" in words) == (2, True), words
    assert (tmp_path / "detector.py").read_text() == "precious"
    assert read_submission(tmp_path / "02-reset-boris.lab").student == "boris"
    other = Workbook("02-reset", "anna", "another class")
    submit(other, load_lab("2"), tmp_path / "other.lab")
    assert said("submit", "other.lab")[0] == 2
    assert [said("submit")[0], said("submit")[0]] == [0, 0]


def test_nothing_in_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert said("check") == (2, "no lab is in work; start one: testbed lab start NAME")
    assert said("start", "9")[1].startswith("there is no lab '9'; there are: 01-where")


@pytest.mark.parametrize("name", names())
def test_every_student_gets_a_scenario_that_holds_and_tasks_that_can_be_answered(
    name: str, tmp_path: Path
) -> None:
    lab = load_lab(name)
    assert lab.worksheet.is_file()
    for student in STUDENTS[:20]:
        assignment = assign(lab, student, CODE)
        scenario = assignment.scenario(tmp_path)
        assert lab.part.vantage in {one.key for one in scenario.world.operators}
        for one in assignment.tasks.values():
            assert judge(one, right_answer(one)).right, one
            for given in wrong_ways(one):  # a known mistake is no right answer, and is named
                assert judge(one, given).words != "not right", (one.name, given)
            choices_listed = "(" in one.question or one.kind in ("number", "interval", *EVIDENCE)
            assert choices_listed or one.answer not in one.question, one


@pytest.mark.parametrize("student", ["anna", "boris", "vera"])
@pytest.mark.parametrize("name", names())
def test_three_wrong_ways_are_named_in_each_lab(name: str, student: str) -> None:
    tasks = assign(load_lab(name), student, CODE).tasks.values()
    marks = [judge(one, given) for one in tasks for given in wrong_ways(one)]
    named = {mark.words for mark in marks if not mark.right}
    assert len(named) >= 3, named
    assert "not right" not in named


def test_the_right_addresses_are_those_of_the_world(tmp_path: Path) -> None:
    lab = load_lab("1")
    sites = assign(lab, "anna", CODE).scenario(tmp_path).world.sites
    known = {name: site.ipv4 for site in sites for name in site.names}
    drawn_of = lab.part.draws["lied"]
    assert drawn_of == [{"name": one["name"], "right": known[one["name"]]} for one in drawn_of]
