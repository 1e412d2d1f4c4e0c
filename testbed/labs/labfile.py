"""A lab's folder: `lab.yaml`, the scenario that it fills in, the worksheet."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, Final

from pydantic import Field

from testbed.errors import InputError, nearest
from testbed.labs.answers import EVIDENCE, AnswerKind, Mistake, Task
from testbed.labs.draws import Choice, arithmetic, drawn, filled
from testbed.labs.taskfaults import faults_of
from testbed.labs.workbook import is_student
from testbed.model import Scenario
from testbed.scenario.document import Document, read
from testbed.scenario.part import Part, parse
from testbed.scenario.problems import Problems
from testbed.scenario.values import Key, ParsedShare, Text

_PACKAGE: Final = Path(__file__).resolve().parents[1]
LAB: Final = "lab.yaml"
SCENARIO: Final = "scenario.yaml"
HIDDEN: Final = "hidden.yaml"
_STUDENTS: Final = 40  # for whom a lab's file is checked; our choice
_TAKEN: Final = ("key",)  # a file of each workbook's
_TRIES: Final = 5  # our choice; of a choice, one

Value = str | int | float
Several = Annotated[dict[str, Value], Field(min_length=1)]


class _MistakePart(Part):
    of: Value = Field(description="an answer that a known misunderstanding leads to")
    say: Text = Field(description="what is said to it")


class _TaskPart(Part):
    question: Text
    kind: AnswerKind = "text"
    answer: Value | Several = Field(
        description="with $names; of a number, what may be calculated; of evidence, what it must show"
    )
    points: int = Field(1, ge=1, le=100)
    tries: int = Field(0, ge=0, le=50, description="0: 5, of a choice 1")
    within: ParsedShare = Field(0.0, description="how far off a number may be: 10 %")
    width: float = Field(0.0, ge=0, description="of an interval, how wide it may be")
    options: list[Text] = Field([], description="of a choice")
    hints: list[Text] = Field([])
    mistakes: list[_MistakePart] = Field([])
    after: str = Field("", description="the task that must be done with before this one is shown")
    timed: bool = Field(
        default=False, description="the answer is a speed or a delay: a busy machine makes its own"
    )


class LabPart(Part):
    """The file `lab.yaml`."""

    title: Text
    minutes: int = Field(ge=5, le=240)
    vantage: Key
    draws: dict[str, list[Value | Several]] = Field(
        {}, description="name: what one is drawn of for a student"
    )
    values: dict[str, Value] = Field({}, description="name: calculated from draws: 65 - $hop")
    samples: int = Field(0, ge=0, le=2000, description="instants for `testbed lab watch`; 0: there is none")
    cases: dict[str, list[Value | Several]] = Field(
        {}, description="draws of hidden.yaml, the world in which a detector is tried; anew for each try"
    )
    tasks: dict[Key, _TaskPart] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab as it is written, for nobody in particular."""

    name: str
    part: LabPart
    folder: Path
    digest: str  # of lab.yaml, sha256

    @property
    def worksheet(self) -> Path:
        """What a student reads."""
        return self.folder / "worksheet.md"

    def scenario_text(self, name: str = SCENARIO) -> str:
        """The scenario, with the names of draws and values in it."""
        return (self.folder / name).read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A lab for one student: the values drawn, the tasks and the scenario with them."""

    lab: Lab
    student: str
    code: str  # the class's
    values: Mapping[str, str]
    tasks: Mapping[str, Task]

    def scenario(self, folder: Path, secret: str = "") -> Scenario:
        """The scenario to build, written into `folder` for as long as it takes to load it.

        `secret`: what $secret stands for, on a page of a site; "": something that nobody knows.
        """
        from testbed.scenario.loader import load

        path = self.write_scenario(folder, secret)
        try:
            return load(path)
        finally:
            path.unlink()

    def write_scenario(self, folder: Path, secret: str = "") -> Path:
        """The scenario as a file in `folder`."""
        path = folder / f"{self.lab.name}.yaml"
        found = {**self.values, "secret": secret or token_hex(8)}
        path.write_text(filled(self.lab.scenario_text(), found), "utf-8")
        return path

    def write_hidden(self, path: Path, seed: str) -> None:
        """The world in which a detector is tried, drawn by `seed`."""
        found = drawn(_choices(self.lab.part.cases), seed, self.lab.name, self.student)
        path.write_text(filled(self.lab.scenario_text(HIDDEN), found), "utf-8")


def lab_variables(lab: Lab, path: str = "") -> dict[str, str]:
    """What the commands of a lab find in their environment, in its shell and in worlds that a check opens."""
    path = path or os.environ.get("PATH", os.defpath)
    return {
        "PATH": f"{path}{os.pathsep}{Path(sys.executable).parent}",  # `testbed` is found inside
        "TESTBED_PYTHON": sys.executable,  # as recipes find it
        "TESTBED_LAB_FOLDER": str(lab.folder.resolve()),
    }


def folders() -> list[Path]:
    """Search path: ./labs, the checkout's labs/, those inside the wheel."""
    candidates = (Path("labs"), _PACKAGE.parent / "labs", _PACKAGE / "_labs")
    return [folder for folder in candidates if folder.is_dir()]


def names() -> list[str]:
    """Every lab, in the order of its number."""
    return sorted({path.parent.name for folder in folders() for path in folder.glob(f"*/{LAB}")})


def load_lab(name: str) -> Lab:
    """The lab of this name, number ("1", "01") or folder. InputError with all that is wrong with it."""
    if "/" in name and (Path(name) / LAB).is_file():
        return _read(Path(name))
    known = names()
    fits = [one for one in known if one == name or one.partition("-")[0].lstrip("0") == name.lstrip("0")]
    if not fits:
        raise InputError.at("", f"there is no lab {name[:80]!r}", nearest(name, known))
    return _read(next(path for folder in folders() if (path := folder / fits[0] / LAB).is_file()).parent)


def _read(folder: Path) -> Lab:
    problems = Problems()
    document = read(folder / LAB)
    part = parse(LabPart, document, problems)
    if part is not None:
        _check(part, document, problems, folder)
    problems.raise_if_any()
    assert part is not None
    return Lab(folder.resolve().name, part, folder, document.digest)


def _check(part: LabPart, document: Document, problems: Problems, folder: Path) -> None:
    """Every name is drawn, and every task can be answered, and not by everything, with whatever is drawn."""
    name = folder.resolve().name
    if not is_student(name) or name in _TAKEN:
        problems.add(document, (), f"{name!r} cannot be a lab's name", "name its folder as 10-name")
    try:
        values = _values(part, "check", "check", "check")
    except ValueError as error:
        problems.add(document, ("values",), str(error), "write numbers, $names, + - * / and brackets")
        return
    except KeyError as error:
        problems.add(document, ("values",), f"nothing named {error} is drawn", nearest(error, part.draws))
        return
    scenario = _text_of(folder, values, document, problems)
    for name, task in part.tasks.items():
        loc: tuple[str | int, ...] = ("tasks", name)
        _check_after(part, name, document, problems)
        if (task.kind == "choice") != bool(task.options):
            problems.add(document, loc, "options belong to kind 'choice', and only there")
        elif (task.kind in EVIDENCE) != isinstance(task.answer, dict):
            remedy = "write what evidence must show, as KEY: VALUE"
            problems.add(document, (*loc, "answer"), f"of kind {task.kind!r}", remedy)
        else:
            _check_answer(part, name, scenario, document, problems)


def _check_after(part: LabPart, name: str, document: Document, problems: Problems) -> None:
    loc, before = ("tasks", name, "after"), part.tasks[name].after
    if before and before not in part.tasks:
        problems.add(document, loc, f"there is no task {before!r}", nearest(before, part.tasks))
    if name in _before(part, name):
        problems.add(document, loc, f"{name} comes after itself", "let the first one come after none")


def _check_answer(part: LabPart, name: str, scenario: str, document: Document, problems: Problems) -> None:
    loc, values = ("tasks", name), dict[str, str]()
    try:
        for number in range(_STUDENTS):
            values = _values(part, "check", "check", f"check {number}")
            made = _task(name, part.tasks[name], values)
            text = filled(scenario, {**values, "secret": ""}) if made.kind in EVIDENCE else ""
            for message, remedy in faults_of(made, text):
                problems.add(document, (*loc, "answer"), message, remedy)
                return
    except KeyError as error:
        problems.add(document, loc, f"nothing named {error} is drawn", nearest(error, values))
    except ValueError as error:
        problems.add(document, loc, str(error), "write $$ for a dollar sign")


def _text_of(folder: Path, values: Mapping[str, str], document: Document, problems: Problems) -> str:
    """The scenario's text; "" if it is not there, or names in it are not drawn, which are problems."""
    try:
        text = (folder / SCENARIO).read_text("utf-8")
        filled(text, {**values, "secret": ""})
    except OSError as error:
        problems.add(document, (), f"{SCENARIO} beside it cannot be read: {error.strerror}", "write it")
    except KeyError as error:
        problems.add(document, (), f"{SCENARIO}: nothing named {error} is drawn", nearest(error, values))
    except ValueError as error:  # also of a text that is not UTF-8
        problems.add(document, (), f"{SCENARIO}: {error}", "write $$ for a dollar sign")
    else:
        return text
    return ""


def _before(part: LabPart, name: str) -> set[str]:
    """The tasks that must be done with before this one; itself among them if they go in a circle."""
    found: set[str] = set()
    after = part.tasks[name].after
    while after in part.tasks and after not in found:
        found.add(after)
        after = part.tasks[after].after
    return found


def assign(lab: Lab, student: str, code: str) -> Assignment:
    """The lab with this student's own values. The same on every machine."""
    values = _values(lab.part, code, lab.name, student)
    tasks = {name: _task(name, task, values) for name, task in lab.part.tasks.items()}
    return Assignment(lab, student, code, values, tasks)


def right_answers(lab: Lab, student: str, code: str) -> tuple[str, ...]:
    """The right answer to each task for this student, in their order; of evidence there is none: ""."""
    values = _values(lab.part, code, lab.name, student)
    return tuple(
        "" if isinstance(one.answer, dict) else filled(str(one.answer), values)
        for one in lab.part.tasks.values()
    )


def _values(part: LabPart, code: str, lab: str, student: str) -> dict[str, str]:
    found = drawn(_choices(part.draws), code, lab, student)
    for name, text in part.values.items():
        found[name] = f"{arithmetic(filled(str(text), found)):g}"
    return found


def _choices(draws: Mapping[str, list[Value | Several]]) -> dict[str, list[Choice]]:
    return {name: [_choice(one) for one in some] for name, some in draws.items()}


def _choice(written: Any) -> Choice:
    if isinstance(written, dict):
        return {key: str(value) for key, value in written.items()}
    return str(written)


def _task(name: str, part: _TaskPart, values: Mapping[str, str]) -> Task:
    return Task(
        name,
        filled(part.question, values),
        part.kind,
        "" if isinstance(part.answer, dict) else filled(str(part.answer), values),
        part.points,
        part.tries or (1 if part.kind == "choice" else _TRIES),
        part.width if part.kind == "interval" else part.within,
        tuple(part.options),
        tuple(filled(hint, values) for hint in part.hints),
        tuple(Mistake(filled(str(one.of), values), filled(one.say, values)) for one in part.mistakes),
        part.after,
        {key: filled(str(one), values) for key, one in part.answer.items()}
        if isinstance(part.answer, dict)
        else {},
        part.timed,
    )
