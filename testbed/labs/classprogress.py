"""How far a class is: each student and task, from the workbooks. Pure but for reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from testbed.labs.answers import Task, points_of, tries_left
from testbed.labs.labfile import Assignment
from testbed.labs.workbook import Workbook

ProgressSign = Literal["done", "failed", "tried", "open"]


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """One task of one student."""

    task: Task
    sign: ProgressSign
    points: int
    tried: int
    left: int
    hints: int
    waits: str = ""  # the task that must be done with before this one is shown

    @property
    def words(self) -> str:
        """For a table: "done, 2 of 2", "tried 3 times"."""
        times = f"{self.tried} {'try' if self.tried == 1 else 'tries'}"
        match self.sign:
            case "done":
                return f"✓ {self.points} ({times})"
            case "failed":
                return f"✗ 0 ({times})"
            case "tried":
                return f"… {times}"
            case _:
                return "–"


@dataclass(frozen=True, slots=True)
class StudentProgress:
    """One student."""

    student: str
    tasks: Mapping[str, TaskProgress]
    latest: float  # seconds since 1970 of the latest entry; 0: there is none

    @property
    def points(self) -> int:
        """The sum."""
        return sum(one.points for one in self.tasks.values())

    @property
    def most(self) -> int:
        """What can be had."""
        return sum(one.task.points for one in self.tasks.values())

    @property
    def done(self) -> int:
        """How many tasks are answered rightly."""
        return sum(one.sign == "done" for one in self.tasks.values())


def progress_of(workbook: Workbook, assignment: Assignment) -> StudentProgress:
    """The student's, now."""
    entries = workbook.entries()
    answers: dict[str, list[str]] = {name: [] for name in assignment.tasks}
    hints = dict.fromkeys(assignment.tasks, 0)
    for one in entries:
        if one.task in answers and one.what == "answer":
            answers[one.task].append(one.text)
        elif one.task in hints and one.what == "hint":
            hints[one.task] += 1
    found: dict[str, TaskProgress] = {}
    for name, task in assignment.tasks.items():
        points, left = points_of(task, answers[name]), tries_left(task, answers[name])
        sign: ProgressSign = (
            "done" if points else "failed" if not left else "tried" if answers[name] else "open"
        )
        found[name] = TaskProgress(task, sign, points, len(answers[name]), left, hints[name])
    for name, each in list(found.items()):
        before = found.get(each.task.after)
        if before and before.sign not in ("done", "failed"):
            found[name] = replace(each, waits=before.task.name)
    return StudentProgress(workbook.student, found, max((one.at for one in entries), default=0.0))
