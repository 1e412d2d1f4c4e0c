"""The table of a class, from the files that were handed in. Points are judged anew, none is taken over."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Problem, nearest
from testbed.labs.answermark import AnswerMark
from testbed.labs.answers import EVIDENCE, ends_of_interval, explained, judge, points_of, shown
from testbed.labs.evidencekinds import DetectorEvidence, read_detector, substance, written
from testbed.labs.labfile import Assignment, Lab, assign, names
from testbed.labs.submission import SUFFIX, Submission, read_submission
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


def read_folder(folder: Path) -> tuple[list[Submission], list[str]]:
    """Every submission under `folder`, and what is wrong with others. Of a student's several, the longest."""
    found: dict[tuple[str, str], Submission] = {}
    problems, known = [], names()
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        try:
            one = read_submission(path)
        except InputError as error:
            problems += [str(each) for each in error.problems]
            continue
        if one.lab not in known:
            problems.append(
                str(Problem(str(path), f"there is no lab {one.lab[:80]!r}", nearest(one.lab, known)))
            )
            continue
        before = found.get((one.student, one.lab))
        if before is not None:
            kept, left = sorted((before, one), key=lambda each: len(each.entries))[::-1]
            problems.append(
                f"{left.path}: {one.student} handed in {one.lab} twice; {kept.path.name} has more"
            )
            one = kept
        found[one.student, one.lab] = one
    return list(found.values()), problems


def grade(
    submissions: Sequence[Submission], lab: Lab, code: str | None, again: Again | None = None
) -> list[Grade]:
    """The students' grades for one lab. code: the class's; None: the one that each file has.

    `again` tries a detector in a world that is drawn anew; None: what `check` found is taken over, and said.
    """
    mine = [one for one in submissions if one.lab == lab.name]
    assigned = {one.student: assign(lab, one.student, one.code if code is None else code) for one in mine}
    return [
        Grade(
            one.student,
            lab.name,
            tuple(tasks := [_task(one, assigned[one.student], name, again) for name in lab.part.tasks]),
            explained(assigned[one.student].values),
            (*_remarks(one, lab, code, mine, assigned), *_unproven(one, assigned[one.student], tasks, again)),
            one.path,
        )
        for one in mine
    ]


def _task(one: Submission, assignment: Assignment, name: str, again: Again | None) -> TaskGrade:
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
    one: Submission, assignment: Assignment, tasks: Sequence[TaskGrade], again: Again | None
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
            if without_sample(ends_of_interval(right), sampled_of(one.entries)):
                yield f"{each.task} has no sample at its ends"


def _remarks(
    one: Submission, lab: Lab, code: str | None, others: Sequence[Submission], assigned: dict[str, Assignment]
) -> list[str]:
    found = []
    if one.digest != lab.digest:
        found.append("of another version of the lab")
    if code is not None and one.code != code:
        found.append(f"of another class: {one.code!r}")
    for other in others:
        if other.student == one.student:
            continue
        if other.key == one.key:
            found.append(f"the same workbook as {other.student}'s")
        same = [
            name
            for name in lab.part.tasks
            if _anothers(one, name, assigned[one.student], assigned[other.student])
        ]
        if shared := [name for name in lab.part.tasks if _same_evidence(one, other, name, lab)]:
            found.append(f"the same evidence as {other.student}'s: {', '.join(shared)}")
        if len(same) > 1:  # one may be chance: there are five names and three hops
            found.append(f"gave {other.student}'s answers, which are wrong here: {', '.join(same)}")
    return found


def _same_evidence(one: Submission, other: Submission, name: str, lab: Lab) -> bool:
    """Whether two students handed in the same program or packets. There are few ways to write a command."""
    if lab.part.tasks[name].kind not in ("capture", "detector"):
        return False
    return bool(set(map(substance, one.answers(name))) & set(map(substance, other.answers(name))))


def _anothers(one: Submission, name: str, own: Assignment, other: Assignment) -> bool:
    """Whether an answer is wrong for its student and right for another. A choice has too few to tell.

    Of evidence, `_same_evidence` finds what two students share.
    """
    if own.tasks[name].kind in ("choice", *EVIDENCE):
        return False
    return any(
        not judge(own.tasks[name], each).right and judge(other.tasks[name], each).right
        for each in one.answers(name)
    )


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
