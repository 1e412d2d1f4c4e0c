"""Files of a class as they come: several of one student, of two places, under other names, by others."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from testbed.cli.lab import command
from testbed.labs.answers import EVIDENCE
from testbed.labs.evidencekinds import written
from testbed.labs.grading import Grade, grade
from testbed.labs.joining import passed_over, read_folder
from testbed.labs.labfile import assign, load_lab
from testbed.labs.submission import submit
from testbed.labs.workbook import Workbook
from tests.labs.answering import DETECTOR, right_answer

CODE = "class-1"


def right(student: str, lab: str, code: str = CODE) -> dict[str, str]:
    return {one.name: right_answer(one) for one in assign(load_lab(lab), student, code).tasks.values()}


def handed(
    folder: Path, name: str, student: str, answers: dict[str, str], lab: str = "01-where",
    code: str = CODE, state: str = "",
) -> Path:  # fmt: skip
    """A file `name` of a student who answered so in the workbook of the place `state`."""
    book = Workbook(lab, student, code, folder.parent / f"state-{state or student}")
    for task, text in answers.items():
        book.add("answer", task, text)
    folder.mkdir(exist_ok=True)
    submit(book, load_lab(lab), folder / name)
    return folder / name


def graded(folder: Path, lab: str = "01-where", code: str | None = CODE) -> dict[str, Grade]:
    found, problems = read_folder(folder)
    assert problems == []
    return {one.student: one for one in grade(found, load_lab(lab), code)}


def test_wrong_answers_in_a_second_workbook_take_nothing_away(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    handed(folder, "anna.lab", "anna", right("anna", "01-where"))
    for number in range(5):
        wrong = {"hop": str(70 + number), "lie": f"192.0.2.{number + 1}"}
        handed(folder, "other.lab", "anna", wrong, state="another")
    found = graded(folder)["anna"]
    assert found.points == found.most == 11
    assert found.remarks == (
        (
            "2 workbooks, and each task counts where it is best: anna.lab, other.lab; "
            "answered in more than one: lie, hop"
        ),
    )


def test_what_was_begun_at_one_place_is_gone_on_with_at_another(tmp_path: Path) -> None:
    mine, folder = right("anna", "01-where"), tmp_path / "in"
    here = {name: mine[name] for name in ("router", "lie", "right")}
    handed(folder, "university.lab", "anna", here, state="university")
    handed(folder, "home.lab", "anna", {name: mine[name] for name in mine if name not in here}, state="home")
    found = graded(folder)["anna"]
    assert found.points == 11
    assert found.remarks == ("2 workbooks, and each task counts where it is best: home.lab, university.lab",)


def test_files_of_one_workbook_are_one(tmp_path: Path) -> None:
    mine, folder = right("anna", "01-where"), tmp_path / "in"
    handed(folder, "early.lab", "anna", {"router": mine["router"]})
    late = handed(folder, "late.lab", "anna", {"hop": mine["hop"]})
    (folder / "late (1).lab").write_bytes(late.read_bytes())
    found = graded(folder)["anna"]
    assert (found.points, found.remarks) == (4, ())
    assert [one.answers for one in found.tasks if one.task == "hop"] == [(mine["hop"],)]


def test_tries_are_not_won_by_handing_in_early(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    handed(folder, "one.lab", "anna", {"hop": "70"})
    for number in range(71, 76):
        handed(folder, "two.lab", "anna", {"hop": str(number)})
    handed(folder, "three.lab", "anna", {"hop": right("anna", "01-where")["hop"]})
    assert graded(folder)["anna"].points == 0


@pytest.mark.parametrize(("code", "points"), [(CODE, 11), ("class-2", 1), (None, 11)])
def test_files_for_another_class_do_not_count_and_are_remarked(
    code: str | None, points: int, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    handed(folder, "one.lab", "anna", right("anna", "01-where"))
    handed(
        folder, "two.lab", "anna", {"router": right("anna", "01-where", "class-2")["router"]}, code="class-2"
    )
    found = graded(folder, code=code)["anna"]
    other = CODE if code == "class-2" else "class-2"
    assert (found.points, found.remarks) == (
        points, (f"also handed in for another class, which does not count: {other!r}",),
    )  # fmt: skip


def test_files_under_other_names_are_read_and_others_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, student in (("a.lab.txt", "anna"), ("B.LAB", "boris"), ("c", "clara"), ("d/d.lab (1)", "dora")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        handed(folder, name, student, right(student, "01-where"))
    (folder / "notes.txt").write_text("no submission")
    (folder / "all.zip").write_bytes(b"PK")
    for name in (".DS_Store", "labs/mine/lab.yaml", ".git/config"):  # nobody handed them in
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("something else")
    assert set(graded(folder)) == {"anna", "boris", "clara", "dora"}
    assert [path.name for path in passed_over(folder)] == ["all.zip", "notes.txt"]
    done = CliRunner().invoke(command, ["grade", str(folder)], standalone_mode=False)
    assert "no submissions, and passed over: all.zip, notes.txt\n" in done.output
    assert done.return_value == 0


def test_the_labs_own_program_and_what_earns_nothing_is_nobodys(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    own = (load_lab("6").folder / "detector.py").read_text()
    for student in ("anna", "boris"):
        book = Workbook("06-detector", student, CODE, tmp_path / student)
        book.add("answer", "detector", written(replace(DETECTOR, text=own, hits=1)))  # as the worksheet says
        book.add("answer", "detector", written(replace(DETECTOR, text=own)))  # it is lucky
        book.add("answer", "detector", written(replace(DETECTOR, text="print(1)", hits=0)))
        book.add("answer", "mechanism", written(replace(DETECTOR, text=f"# {student}")))
        folder.mkdir(exist_ok=True)
        submit(book, load_lab("6"), folder / f"{student}.lab")
    remarks = [remark for one in graded(folder, "06-detector").values() for remark in one.remarks]
    assert [one for one in remarks if "evidence" in one] == []


def test_who_copies_is_remarked_in_a_class_of_twenty(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    students = [f"s{number}" for number in range(20)]
    for student in students[1:]:
        handed(folder, f"{student}.lab", student, right(student, "01-where"))
    kinds = assign(load_lab("1"), "s0", CODE).tasks
    names = [name for name, one in kinds.items() if one.kind not in ("choice", *EVIDENCE)]
    mine = right("s0", "01-where")
    theirs = {one: right(one, "01-where") for one in students[1:]}
    model = next(one for one in theirs if all(theirs[one][name] != mine[name] for name in names))
    handed(folder, "s0.lab", "s0", right(model, "01-where"))
    remarks = graded(folder)["s0"].remarks
    assert f"gave {model}'s answers, which are wrong here: {', '.join(names)}" in remarks


def test_an_honest_mistake_is_no_copy(tmp_path: Path) -> None:
    """One of twenty takes the two boxes of lab 2 for each other, then answers rightly: forty classes."""
    for number in range(40):
        code, folder = f"class {number}", tmp_path / f"{number}/in"
        folder.parent.mkdir()
        for student in [f"s{one}" for one in range(20)]:
            mine = right(student, "02-reset", code)
            first = {"watched": mine["rewritten"], "rewritten": mine["watched"]} if student == "s7" else {}
            book = Workbook("02-reset", student, code, folder.parent / student)
            for answers in (first, mine):
                for task, text in answers.items():
                    book.add("answer", task, text)
            folder.mkdir(exist_ok=True)
            submit(book, load_lab("2"), folder / f"{student}.lab")
        found = grade(read_folder(folder)[0], load_lab("2"), code)
        assert [one.student for one in found if any("gave" in remark for remark in one.remarks)] == []


def test_who_guesses_is_no_copy(tmp_path: Path) -> None:
    """Five of twenty guess wildly, among what can be right: remarks come in one class of twenty at most."""
    lab, chance, remarked = load_lab("2"), random.Random(5), 0
    students = [f"s{one}" for one in range(20)]
    names = [one["name"] for one in lab.part.draws["watched"] if isinstance(one, dict)]
    for number in range(10):
        code, folder = f"class {number}", tmp_path / f"{number}/in"
        folder.parent.mkdir()
        for place, student in enumerate(students):
            mine = right(student, "02-reset", code)
            if place < 5:
                mine |= {"watched": str(chance.choice(names)), "rewritten": str(chance.choice(names))}
                mine |= {"hop": str(chance.randint(3, 5)), "arrives": str(chance.choice([62, 61, 126, 253]))}
            handed(folder, f"{student}.lab", student, mine, "02-reset", code)
        found = grade(read_folder(folder)[0], lab, code)
        remarked += any("gave" in remark for one in found for remark in one.remarks)
    assert remarked <= 2
