"""What a student did in a lab of a class: a folder of their own, in which nothing is ever overwritten.

The class is part of the folder's name: other values belong to another code, and an answer to one says
nothing of the other. Names that begin with a dot are the program's own; no student has one.

`answers.jsonl` has one line for each answer and hint. A line that was cut off by a full disk or a closed
laptop is passed over and counted; the others stay.
"""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from testbed.errors import InputError
from testbed.foreignjson import json_value

_STUDENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LAST: Final = ".last"
_LONGEST_CODE: Final = 200  # our choice
_ANSWERS: Final = "answers.jsonl"


EntryKind = Literal["answer", "hint", "sampled"]


@dataclass(frozen=True, slots=True)
class WorkEntry:
    """One line: an answer to a task, a hint that was shown, or the instants of a sampling."""

    at: float  # seconds since 1970
    what: EntryKind
    task: str
    text: str = ""


_WORK_ENTRY: Final = TypeAdapter(WorkEntry)


def home() -> Path:
    """Where workbooks are kept: $XDG_STATE_HOME/testbed/labs, or ~/.local/state/testbed/labs."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local/state"
    return base / "testbed/labs"


def is_student(name: str) -> bool:
    """Whether a student can have this name."""
    return bool(_STUDENT.fullmatch(name))


def must_be_code(code: str) -> None:
    """InputError for what cannot be a class's code."""
    if not code or len(code) > _LONGEST_CODE or not code.isprintable():
        remedy = f"use letters, digits and signs, {_LONGEST_CODE} at most"
        raise InputError.at("--class", f"{code[:80]!r} cannot be a class's code", remedy)


class Workbook:
    """The folder of one student, one lab and one class; made on the first entry."""

    def __init__(self, lab: str, student: str, code: str, base: Path | None = None) -> None:
        if not is_student(student):
            remedy = "use letters, digits, '.', '_' and '-', 64 at most"
            raise InputError.at("--student", f"{student[:80]!r} cannot be a student's name", remedy)
        must_be_code(code)
        self.lab, self.student, self.code = lab, student, code
        self.base = base or home()
        self._lab_folder = self.base / student / lab
        self.folder = self._lab_folder / _name_of(code)
        self._path = self.folder / _ANSWERS
        self.desk = self.folder / "desk"  # what a student may empty: captures, samples, programs

    @property
    def identity(self) -> str:
        """Whose lab of which class, for $TESTBED_LAB."""
        return json.dumps({"lab": self.lab, "student": self.student, "class": self.code})

    def open(self) -> None:
        """Make the folder and remember it as the one in work. OSError if it cannot be."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(self.base / _LAST, self.identity)

    def other_classes(self) -> bool:
        """Whether the student has answers to the same lab under another class code."""
        return any(path.parent != self.folder for path in self._lab_folder.glob(f"*/{_ANSWERS}"))

    def add(self, what: EntryKind, task: str, text: str = "") -> None:
        """Add a line, on the disk when this returns. OSError if there is no room: the others stay."""
        line = json.dumps({"at": time.time(), "what": what, "task": task, "text": text}) + "\n"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            if file.tell() and not self._ends_with_a_line():
                line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[WorkEntry]:
        """The lines, in their order; those that cannot be read are left out."""
        return [one for one in self._lines() if isinstance(one, WorkEntry)]

    def unreadable(self) -> int:
        """How many lines cannot be read."""
        return sum(one is None for one in self._lines())

    def answers(self, task: str) -> list[str]:
        """The answers to a task, the first one first."""
        return [one.text for one in self.entries() if (one.what, one.task) == ("answer", task)]

    def hints(self, task: str) -> int:
        """How many hints were shown for a task."""
        return sum((one.what, one.task) == ("hint", task) for one in self.entries())

    def sampled(self) -> list[float]:
        """The instants that were sampled, in hours from the scenario's beginning."""
        return sampled_of(self.entries())

    def _ends_with_a_line(self) -> bool:
        return self._path.read_bytes().endswith(b"\n")

    def _lines(self) -> Iterator[WorkEntry | None]:
        try:
            text = self._path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            if line:
                yield _entry(line)


def _entry(line: str) -> WorkEntry | None:
    try:
        return entry_from(json_value(line))
    except ValueError:
        return None


def entry_from(found: object) -> WorkEntry:
    """An entry from what `json_value` made of it. ValueError for what no lab writes."""
    one: WorkEntry = _WORK_ENTRY.validate_python(found)
    if one.what == "sampled" and not all(map(math.isfinite, _hours(one))):
        raise ValueError("an instant is no number")
    return one


def sampled_of(entries: Iterable[WorkEntry]) -> list[float]:
    """Every instant that these entries say was sampled, in hours from the scenario's beginning."""
    return sorted({hour for one in entries if one.what == "sampled" for hour in _hours(one)})


def _hours(one: WorkEntry) -> list[float]:
    return [float(hour) for hour in one.text.split()]


def without_sample(interval: tuple[float, float], sampled: Sequence[float]) -> list[float]:
    """The ends of an interval at which nothing was sampled."""
    return [end for end in interval if not any(abs(end - hour) < 0.02 for hour in sampled)]


def last(base: Path | None = None) -> Workbook | None:
    """The workbook of the lab whose shell this is, or that was started last; None if none was."""
    base = base or home()
    try:
        found = json.loads(os.environ.get("TESTBED_LAB") or (base / _LAST).read_text("utf-8"))
        return Workbook(found["lab"], found["student"], found["class"], base)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _name_of(code: str) -> str:
    """A folder's name for a class: readable, and another one for every other code."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", code)[:24].strip("-")
    return f"{plain or 'class'}-{hashlib.sha256(code.encode()).hexdigest()[:10]}"


def _replace(path: Path, text: str) -> None:
    """Write a file as a whole: it is the old one or the new one, whatever happens."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, "utf-8")
    beside.replace(path)
