"""The table of a class, from the files that were handed in. Points are judged anew, none is taken over."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from testbed.labs.answermark import AnswerMark
from testbed.labs.answers import ends_of_interval, explained, judge, points_of, shown
from testbed.labs.copying import copied
from testbed.labs.evidencekinds import DetectorEvidence, read_detector, written
from testbed.labs.labfile import Assignment, Lab, assign
from testbed.labs.submission import Submission
from testbed.labs.workbook import sampled_of, without_sample

Again = Callable[[Assignment, DetectorEvidence], DetectorEvidence]


@dataclass(frozen=True, slots=True)
class TaskGrade:
    """One task of one student."""

    task: str
    points: int
    most: int
    answers: tuple[str, ...]  # all of them, the first one first
    judged: tuple[AnswerMark, ...]
    hints: int

    @property
    def judged_answers(self) -> tuple[tuple[str, AnswerMark], ...]:
        """Each answer with what it came to."""
        return tuple(zip(self.answers, self.judged, strict=True))


@dataclass(frozen=True, slots=True)
class Grade:
    """One student's lab. `remarks`: what the lecturer should look at."""

    student: str
    lab: str
    tasks: tuple[TaskGrade, ...]
    values: str
    remarks: tuple[str, ...]
    path: Path

    @property
    def points(self) -> int:
        """The sum."""
        return sum(one.points for one in self.tasks)

    @property
    def most(self) -> int:
        """What can be had."""
        return sum(one.most for one in self.tasks)


def grade(
    submissions: Sequence[Submission], lab: Lab, code: str | None, again: Again | None = None
) -> list[Grade]:
    """The students' grades for one lab. code: the class's; None: the one that each file has.

    Of a student's several workbooks each task counts where it is best, and that is remarked.

    `again` tries a detector in a world that is drawn anew; None: what `check` found is taken over, and said.
    """
    all_of: dict[str, list[Submission]] = {}
    for one in submissions:
        if one.lab == lab.name:
            all_of.setdefault(one.student, []).append(one)
    of = {student: _of_one_class(some, lab, code) for student, some in all_of.items()}
    assigned = {
        student: assign(lab, student, some[0].code if code is None else code) for student, some in of.items()
    }
    shared = copied(lab, of, assigned)
    made = []
    for student, some in of.items():
        mine = assigned[student]
        tasks = tuple(_task(some, mine, name, again) for name in lab.part.tasks)
        remarks = (*_remarks(some, all_of[student], lab, code), *shared[student])
        unproven = _unproven(some, mine, tasks, again)
        made.append(
            Grade(student, lab.name, tasks, explained(mine.values), (*remarks, *unproven), some[0].path)
        )
    return made


def _of_one_class(workbooks: Sequence[Submission], lab: Lab, code: str | None) -> list[Submission]:
    """Those of the class `code`; if there are none, or no `code`, those of the code with the most points."""
    found: dict[str, list[Submission]] = {}
    for one in workbooks:
        found.setdefault(one.code, []).append(one)
    if code in found:
        return found[code]

    def points(some: Sequence[Submission]) -> int:
        tasks = assign(lab, some[0].student, some[0].code if code is None else code).tasks
        return sum(max(points_of(task, one.answers(name)) for one in some) for name, task in tasks.items())

    return max(found.values(), key=points)


def _task(
    workbooks: Sequence[Submission], assignment: Assignment, name: str, again: Again | None
) -> TaskGrade:
    """The task in the workbook in which it is best, with the hints of all."""
    made = [_task_in(one, assignment, name, again) for one in workbooks]
    best = max(made, key=lambda one: (one.points, len(one.answers)))
    return replace(best, hints=sum(one.hints for one in made))


def _task_in(one: Submission, assignment: Assignment, name: str, again: Again | None) -> TaskGrade:
    task, answers = assignment.tasks[name], one.answers(name)
    hints = sum((each.what, each.task) == ("hint", name) for each in one.entries)
    points = points_of(task, answers)
    judged = [judge(task, each) for each in answers]
    if points and again and task.kind == "detector":
        best = next(place for place, mark in enumerate(judged) if mark.right)
        tried = read_detector(answers[best])
        assert tried is not None, "it is right"
        anew = judge(task, written(again(assignment, tried)))
        if anew.counts:  # the laboratory could try it
            judged[best] = replace(anew, words=f"tried anew: {anew.words}")
            points = task.points if anew.right else 0
    given = tuple(shown(task, each) for each in answers)
    return TaskGrade(name, points, task.points, given, tuple(judged), hints)


def _unproven(
    workbooks: Sequence[Submission], assignment: Assignment, tasks: Sequence[TaskGrade], again: Again | None
) -> Iterator[str]:
    """What a lecturer should know of points that were given."""
    for each in tasks:
        task = assignment.tasks[each.task]
        if each.points and task.kind == "detector":
            if again is None:
                yield f"{each.task} was not tried anew"
            elif not any(mark.words.startswith("tried anew") for mark in each.judged):
                yield f"{each.task} could not be tried anew: the laboratory failed"
        if each.points and task.kind == "interval":
            right = next(text for text, mark in zip(each.answers, each.judged, strict=True) if mark.right)
            entries = [entry for one in workbooks for entry in one.entries]
            if without_sample(ends_of_interval(right), sampled_of(entries)):
                yield f"{each.task} has no sample at its ends"


def _remarks(
    workbooks: Sequence[Submission], handed: Sequence[Submission], lab: Lab, code: str | None
) -> Iterator[str]:
    """Which files these are."""
    if any(one.digest != lab.digest for one in workbooks):
        yield "of another version of the lab"
    if code is not None and workbooks[0].code != code:
        yield f"of another class: {workbooks[0].code!r}"
    if others := [one for one in handed if one not in workbooks]:
        codes = ", ".join(dict.fromkeys(repr(one.code) for one in others))
        yield f"also handed in for another class, which does not count: {codes}"
    if len(workbooks) > 1:
        files = ", ".join(one.path.name for one in workbooks)
        several = [name for name in lab.part.tasks if sum(bool(one.answers(name)) for one in workbooks) > 1]
        both = f"; answered in more than one: {', '.join(several)}" if several else ""
        yield f"{len(workbooks)} workbooks, and each task counts where it is best: {files}{both}"


def as_json(grades: Sequence[Grade]) -> list[dict[str, Any]]:
    """The table as data."""
    return [
        {
            "student": one.student,
            "lab": one.lab,
            "points": one.points,
            "most": one.most,
            "tasks": {
                each.task: {
                    "points": each.points,
                    "most": each.most,
                    "hints": each.hints,
                    "answers": [
                        {
                            "answer": text,
                            "right": judged.right,
                            "words": judged.words,
                            "counts": judged.counts,
                        }
                        for text, judged in zip(each.answers, each.judged, strict=True)
                    ],
                }
                for each in one.tasks
            },
            "values": one.values,
            "remarks": list(one.remarks),
            "file": one.path.name,
        }
        for one in grades
    ]


def as_csv(grades: Sequence[Grade]) -> str:
    """A line per student, as learning platforms import them. No cell is a formula for a spreadsheet."""
    out = io.StringIO()
    tasks = list(dict.fromkeys(each.task for one in grades for each in one.tasks))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "lab", "points", "most", *tasks, "hints", "remarks"])
    for one in grades:
        points = {each.task: each.points for each in one.tasks}
        hints = sum(each.hints for each in one.tasks)
        cells = [one.student, one.lab, one.points, one.most, *(points[name] for name in tasks), hints]
        writer.writerow([*cells, _plain("; ".join(one.remarks))])
    return out.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
