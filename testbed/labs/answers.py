"""Whether an answer is right, and what is said of one that is not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal

from testbed.labs.answermark import AnswerMark
from testbed.labs.draws import arithmetic
from testbed.labs.evidencekinds import judged_capture, judged_command, judged_detector, summary_of

AnswerKind = Literal["text", "address", "number", "choice", "interval", "capture", "command", "detector"]
EVIDENCE: Final = {"capture": judged_capture, "command": judged_command, "detector": judged_detector}
"""Kinds whose answer is what the tool has seen, as JSON: `testbed.labs.evidencekinds`."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """An answer that a known misunderstanding leads to, and what to say to it: never the answer."""

    of: str
    say: str


@dataclass(frozen=True, slots=True)
class Task:
    """One question to one student: their own values are in it already."""

    name: str
    question: str
    kind: AnswerKind
    answer: str
    points: int
    tries: int
    within: float = 0.0  # of a number: the share of it that an answer may be off; of an interval: its width
    options: tuple[str, ...] = ()  # of a choice
    hints: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    after: str = ""  # the task that must be done with before this one is shown: its question gives that away
    wanted: Mapping[str, str] = field(default_factory=dict)  # of evidence: what must be in it
    timed: bool = False  # the answer is a speed or a delay: a busy machine makes its own


def judge(task: Task, given: str) -> AnswerMark:
    """The answer against the task's. What is said never gives the right one away."""
    given = given.strip()
    problem = _not_one(task, given)
    if problem:
        return AnswerMark(right=False, words=problem, counts=False)
    if task.kind in EVIDENCE:
        return EVIDENCE[task.kind](task.wanted, given)
    if task.kind == "interval" and (wide := _too_wide(task, given)):
        return AnswerMark(right=False, words=wide, counts=False)
    if _same(task, given, task.answer):
        return AnswerMark(right=True, words="right")
    for one in task.mistakes:
        if _same(task, given, one.of):
            return AnswerMark(right=False, words=one.say)
    return AnswerMark(right=False, words="not right")


def points_of(task: Task, given: Sequence[str]) -> int:
    """The points for these answers in their order: all, if one of the tries that are allowed is right."""
    counted = [found for one in given if (found := judge(task, one)).counts]
    return task.points if any(one.right for one in counted[: task.tries]) else 0


def tries_left(task: Task, given: Sequence[str]) -> int:
    """How many more answers count."""
    return max(0, task.tries - sum(judge(task, one).counts for one in given))


def is_done(task: Task, given: Sequence[str]) -> bool:
    """Whether it is answered rightly, or takes no more answers."""
    return bool(points_of(task, given)) or not tries_left(task, given)


def _not_one(task: Task, given: str) -> str:
    if not given:
        return "the answer is empty"
    if task.kind == "number":
        try:
            _number(given)
        except ValueError:
            return f"{given!r} is no number; write it without a unit: 3, 150, 2.5"
    if task.kind == "interval":
        try:
            ends_of_interval(given)
        except ValueError:
            return f"{given!r} is no interval; write it from the earlier to the later: 3..4.5"
    if task.kind == "address":
        try:
            ip_address(given)
        except ValueError:
            return f"{given!r} is no IP address"
    if task.kind == "choice" and given.casefold() not in map(str.casefold, task.options):
        return f"{given!r} is none of: {', '.join(task.options)}"
    return ""


def _same(task: Task, given: str, wanted: str) -> bool:
    if task.kind == "number":
        value = arithmetic(wanted)
        return abs(_number(given) - value) <= abs(value) * task.within + 1e-9
    if task.kind == "interval":
        low, high = ends_of_interval(given)
        return low - 1e-2 <= arithmetic(wanted) <= high + 1e-2  # hours are written with three digits at most
    if task.kind == "address":
        return ip_address(given) == ip_address(wanted)
    return _words(given) == _words(wanted)


def _words(text: str) -> list[str]:
    """What is compared of a text: of a list with commas the words, in any order; of a URL the name."""
    return sorted(_name(word) for word in text.casefold().split(","))


def _name(word: str) -> str:
    scheme, found, rest = word.strip().partition("://")
    name = rest.partition("/")[0] if found and scheme in ("http", "https", "h3") else word
    return " ".join(name.split()).rstrip(".")


def ends_of_interval(text: str) -> tuple[float, float]:
    """Both ends of "3..4.5". ValueError for anything else."""
    low, dots, high = text.partition("..")
    ends = _number(low), _number(high)
    if not dots or ends[0] > ends[1]:
        raise ValueError(text)
    return ends


def _too_wide(task: Task, given: str) -> str:
    low, high = ends_of_interval(given)
    if high - low <= task.within + 1e-6:
        return ""
    return f"that is {high - low:g} wide, and at most {task.within:g} is asked for: sample again in between"


def shown(task: Task, given: str) -> str:
    """An answer for people: of evidence, what it is."""
    return summary_of(given) if task.kind in EVIDENCE else given


def _number(text: str) -> float:
    found = float(text.replace(",", "."))
    if not -1e12 < found < 1e12:
        raise ValueError(text)
    return found


def explained(values: Mapping[str, str]) -> str:
    """A student's own values, for the lecturer: "hop 3, site_name twitter.com"."""
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))
