"""Whether a student handed in another's work: what is said of it must not be chance.

What two students share by chance depends on their values, and these are drawn for each anew. So chance
can be measured: others, who are nobody, get values by the same draw; how often are a student's wrong
answers right for them? A remark is made only if such remarks about honest students come once in `1 /
CHANCE` classes at most.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from testbed.labs.answers import EVIDENCE, Task, judge
from testbed.labs.evidencekinds import read_detector, substance
from testbed.labs.labfile import Assignment, Lab, right_answers
from testbed.labs.submission import Submission

CHANCE: Final = 0.05  # remarks by chance that may be expected in a class; our choice
_MOST: Final = 200_000  # students who are nobody; our choice
_ORDINARY: Final = "not right"  # of an answer that no known misunderstanding explains

Workbooks = Sequence[Submission]


def copied(lab: Lab, of: Mapping[str, Workbooks], assigned: Mapping[str, Assignment]) -> dict[str, list[str]]:
    """For each student, the remarks about what others handed in as well."""
    found: dict[str, list[str]] = {student: [] for student in of}
    own = _own_programs(lab)
    worth = {
        student: {name: _worth(some, assigned[student], name) - own for name in lab.part.tasks}
        for student, some in of.items()
    }
    for student, other in ((one, two) for one in of for two in of if one != two):
        if {one.key for one in of[student]} & {one.key for one in of[other]}:
            found[student].append(f"the same workbook as {other}'s")
        shared = [name for name, given in worth[student].items() if given & worth[other][name]]
        if shared:
            found[student].append(f"the same evidence as {other}'s: {', '.join(shared)}")
    for student, other, same in _of_others(lab, of, assigned):
        found[student].append(f"gave {other}'s answers, which are wrong here: {', '.join(same)}")
    return found


def _own_programs(lab: Lab) -> set[str]:
    """What comes with the lab is everybody's."""
    return {"".join(path.read_text("utf-8", "replace").split()) for path in lab.folder.glob("*.py")}


def _worth(workbooks: Workbooks, assignment: Assignment, name: str) -> set[str]:
    """Programs and packets that earn points. There are few ways to write a command, and to fail."""
    task = assignment.tasks[name]
    if task.kind not in ("capture", "detector"):
        return set()
    given = (text for one in workbooks for text in one.answers(name))
    return {_text(text) for text in given if judge(task, text).right}


def _text(given: str) -> str:
    program = read_detector(given)
    return "".join(program.text.split()) if program else substance(given)


def _of_others(
    lab: Lab, of: Mapping[str, Workbooks], assigned: Mapping[str, Assignment]
) -> Iterator[tuple[str, str, list[str]]]:
    """Who gave whose answers, in which tasks."""
    wrong = {student: _wrong(of[student], assigned[student]) for student in of}
    suspects = [student for student in of if len(wrong[student]) > 1]
    pairs = len(suspects) * (len(of) - 1)
    nobodies: dict[str, Counter[tuple[str, ...]]] = {}
    for student in suspects:
        mine = assigned[student]
        fits = _Fits(mine.tasks, wrong[student])
        for other in of:
            theirs = {name: task.answer for name, task in assigned[other].tasks.items()}
            same = fits.names(theirs)
            if other == student or len(same) < 2:
                continue
            if mine.code not in nobodies:
                nobodies[mine.code] = _drawn(lab, mine.code, min(_MOST, round(2 * pairs / CHANCE)))
            if fits.chance(len(same), nobodies[mine.code], tuple(lab.part.tasks)) * pairs <= CHANCE:
                yield student, other, same


def _wrong(workbooks: Workbooks, assignment: Assignment) -> dict[str, list[str]]:
    """By task: wrong answers that nothing explains. A choice has too few; evidence has a rule of its own."""
    found: dict[str, list[str]] = {}
    for name, task in assignment.tasks.items():
        if task.kind not in ("choice", *EVIDENCE):
            given = dict.fromkeys(text for one in workbooks for text in one.answers(name))
            marks = ((text, judge(task, text)) for text in given)
            found[name] = [text for text, mark in marks if mark.counts and mark.words == _ORDINARY]
    return {name: texts for name, texts in found.items() if texts}


class _Fits:
    """Whether one student's wrong answers are right where the right answer is another."""

    def __init__(self, tasks: Mapping[str, Task], wrong: Mapping[str, Sequence[str]]) -> None:
        self._tasks, self._wrong = tasks, wrong
        self._known: dict[tuple[str, str], bool] = {}

    def names(self, answers: Mapping[str, str]) -> list[str]:
        """The tasks in which they are."""
        return [name for name in self._wrong if self._fit(name, answers[name])]

    def chance(self, tasks: int, drawn: "Counter[tuple[str, ...]]", order: Sequence[str]) -> float:
        """How often they are in as many tasks for somebody who is nobody; never 0, which cannot be known."""
        hits = sum(
            number
            for answers, number in drawn.items()
            if len(self.names(dict(zip(order, answers, strict=True)))) >= tasks
        )
        return (hits + 1) / (drawn.total() + 1)

    def _fit(self, name: str, answer: str) -> bool:
        if (name, answer) not in self._known:
            task = replace(self._tasks[name], answer=answer)
            self._known[name, answer] = any(judge(task, text).right for text in self._wrong[name])
        return self._known[name, answer]


def _drawn(lab: Lab, code: str, number: int) -> "Counter[tuple[str, ...]]":
    """The right answers of so many students who are nobody: no student's name has a blank."""
    return Counter(right_answers(lab, f"nobody {one}", code) for one in range(max(number, 1000)))
