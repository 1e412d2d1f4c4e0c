"""What a student gives `testbed lab check`: words, or evidence made from a file or a command."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from testbed.errors import InputError, printable

if TYPE_CHECKING:
    from testbed.labs.answers import Task
    from testbed.labs.evidencekinds import DetectorEvidence
    from testbed.labs.grading import Again
    from testbed.labs.labfile import Assignment
    from testbed.labs.workbook import Workbook

_WAYS: Final = {
    "capture": ("--capture FILE", "capture"),
    "detector": ("--file FILE.py", "file"),
    "command": ("-- COMMAND", "command"),
}


@dataclass(frozen=True, slots=True)
class Handed:
    """What stood behind the task."""

    answer: str | None = None
    capture: Path | None = None
    file: Path | None = None
    command: tuple[str, ...] = ()


def answer_of(workbook: "Workbook", assignment: "Assignment", task: "Task", handed: Handed) -> str:
    """The answer as it is kept and judged.

    Errors: InputError for an answer of another kind, or what is no evidence; UnsupportedError if this machine
    lacks a feature.
    """
    way, field = _WAYS.get(task.kind, ("ANSWER", "answer"))
    given = {name: getattr(handed, name) for name in ("answer", "capture", "file", "command")}
    if [name for name, value in given.items() if value] != [field]:
        if field == "answer" and handed.answer is not None:
            return handed.answer
        raise InputError.at(
            "ANSWER", f"{task.name} is answered by {way}", f"testbed lab check {task.name} {way}"
        )
    if task.kind == "interval":
        _must_be_sampled(workbook, str(handed.answer))
    if handed.capture:
        return _capture(workbook, task, handed.capture)
    if handed.file:
        return _detector(assignment, handed.file)
    if handed.command:
        return _command(assignment, handed.command)
    return str(handed.answer)


def _must_be_sampled(workbook: "Workbook", answer: str) -> None:
    """InputError if nothing was sampled at an end of the interval: what is known of it then?"""
    from testbed.labs.answers import ends_of_interval
    from testbed.labs.workbook import without_sample

    try:
        ends = ends_of_interval(answer.strip())
    except ValueError:
        return  # the judge has words for it
    if missing := without_sample(ends, workbook.sampled()):
        message = f"you have no sample at {' and '.join(f'{one:g}' for one in missing)} h"
        raise InputError.at(
            "ANSWER", message, "give the last sample before and the first one after; see testbed lab watch"
        )


def _capture(workbook: "Workbook", task: "Task", path: Path) -> str:
    from testbed.labs.collecting import captured
    from testbed.labs.evidencekinds import written
    from testbed.labs.opening import flows_met

    return written(captured(path, task.wanted["name"], flows_met(workbook)))


def _detector(assignment: "Assignment", path: Path) -> str:
    from secrets import token_hex

    from testbed.labs.detecting import read_program
    from testbed.labs.evidencekinds import written

    return written(_tried(assignment, path.name, read_program(path), token_hex(8)))


def trying_again(seed: str | None) -> "Again":
    """What tries each program once more, in a world that is drawn by `seed` (None: a new one for each)."""
    from secrets import token_hex

    known: dict[tuple[str, str], DetectorEvidence] = {}

    def again(assignment: "Assignment", one: "DetectorEvidence") -> "DetectorEvidence":
        key = assignment.student, one.text
        if key not in known:
            click.echo(printable(f"{assignment.student}: {one.file}"), err=True)
            known[key] = _tried(assignment, one.file, one.text, seed or token_hex(8))
        return known[key]

    return again


def _tried(assignment: "Assignment", name: str, text: str, seed: str) -> "DetectorEvidence":
    from testbed.labs.detecting import tried

    with click.progressbar(length=1000, label="in a new world", file=sys.stderr) as bar:

        def say(done: int, total: int) -> None:
            bar.update(max(0, 1000 * done // max(1, total) - bar.pos))

        return tried(assignment, name, text, seed, say)


def _command(assignment: "Assignment", words: tuple[str, ...]) -> str:
    from testbed.labs.collecting import commanded
    from testbed.labs.evidencekinds import written

    return written(commanded(assignment, words))
