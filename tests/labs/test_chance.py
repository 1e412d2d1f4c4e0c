"""What a student gets who guesses: computed from each lab's own file."""

from math import comb

import pytest

from testbed.labs.answers import Task, judge
from testbed.labs.evidencekinds import DetectorEvidence, written
from testbed.labs.labfile import assign, load_lab

TASKS = assign(load_lab("6"), "anna", "c").tasks
CASES = load_lab("6").part.cases["first"]
BLOCKED = sum("by:" in str(one["expect"]) for one in CASES if isinstance(one, dict))
FREE = len(CASES) - BLOCKED + 1  # the control


def chance(number: int, some: int, each: float) -> float:
    """Of exactly `some` of `number`."""
    return comb(number, some) * each**some * (1 - each) ** (number - some)


def passes(task: Task, hits: int, alarms: int, named: int) -> bool:
    made = DetectorEvidence("d.py", "", "", hits=hits, blocked=BLOCKED, alarms=alarms, free=FREE, named=named)
    return judge(task, written(made)).right


def by_guessing(task: Task, blocked: float) -> float:
    """The chance to pass within all tries, of a program that says blocked with this probability."""
    once = 0.0
    for hits in range(BLOCKED + 1):
        for alarms in range(FREE + 1):
            for named in range(hits + 1):
                if passes(task, hits, alarms, named):
                    of_hits = chance(BLOCKED, hits, blocked) * chance(FREE, alarms, blocked)
                    once += of_hits * chance(hits, named, 1 / 3)  # one of the three words of the worksheet
    return 1 - (1 - once) ** task.tries


@pytest.mark.parametrize("name", ["detector", "mechanism"])
def test_a_detector_that_guesses_passes_once_in_a_hundred_classes_at_most(name: str) -> None:
    best = max(by_guessing(TASKS[name], share / 50) for share in range(51))
    assert 0 < best < 0.01


def test_with_three_of_seven_cases_it_would_pass() -> None:
    few = Task("d", "?", "detector", "", 6, 8, wanted={"recall": "0.6", "false_alarms": "0.26"})
    once = sum(
        chance(3, hits, 0.42) * chance(4, alarms, 0.42) for hits in (2, 3) for alarms in (0, 1)
    )  # fmt: skip
    assert 1 - (1 - once) ** few.tries > 0.5


@pytest.mark.parametrize(
    ("hits", "alarms", "right"), [(7, 0, True), (6, 1, True), (5, 0, False), (7, 2, False)]
)
def test_what_the_question_says_is_what_is_judged(hits: int, alarms: int, *, right: bool) -> None:
    assert "6 of 7 blocks or more, with 1 false alarm at most at the 10 others" in TASKS["detector"].question
    assert (BLOCKED, FREE) == (7, 10)
    assert passes(TASKS["detector"], hits, alarms, 0) is right
