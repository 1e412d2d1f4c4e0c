"""The lecturer's page of a class on one server: a table that renews itself, without scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from testbed.labs.classprogress import StudentProgress
from testbed.labs.labfile import Lab
from testbed.report.gradepage import rendered

_TEMPLATE: Final = "classpage.html.j2"
RENEWED: Final = 5  # seconds; our choice


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One student."""

    student: str
    progress: StudentProgress
    state: str  # of the world
    line: str  # the same as the student reads it
    used: str  # memory
    ago: str  # the latest answer or hint
    handed: bool  # a file was handed in


def class_page(lab: Lab, rows: Sequence[ClassRow], *, still: bool) -> str:
    """The page. UnsupportedError without Jinja2."""
    done = {name: sum(row.progress.tasks[name].sign == "done" for row in rows) for name in lab.part.tasks}
    return rendered(
        _TEMPLATE, lab=lab, rows=rows, done=done, renewed=0 if still else RENEWED,
        open_=sum(row.state == "ready" for row in rows),
        waiting=sum(row.state == "waiting" for row in rows),
    )  # fmt: skip
