"""The folder of a class on one server: what each student has, and what a student's shell may see of it.

code             the class's, which students never learn: their values follow from it
lock             held by the server
testbed/labs/    the workbooks, as on a laptop
students/NAME/      home and tmp of a student's shell, and the desk on which requests are laid
handed-in/       what `submit` wrote
"""

import fcntl
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.errors import InputError
from testbed.labs.clerk import SERVED, VARIABLE
from testbed.labs.labfile import HIDDEN, LAB, SCENARIO, Lab, folders, lab_variables
from testbed.labs.submission import SUFFIX
from testbed.labs.workbook import Workbook, must_be_code
from testbed.vantage.seclusion import Seclusion, needed

MEMORY: Final = 1 << 30  # bytes of addresses of one program of a student's; our choice
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_PLAIN: Final = ("LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A class that works on one lab."""

    path: Path
    lab: Lab
    code: str

    @classmethod
    def open(cls, path: Path, lab: Lab, code: str | None) -> "ClassFolder":
        """Make it, or go on with it. Without `code`: the one that it has, or a new one.

        Errors: InputError if it has another code; OSError.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        kept = path / "code"
        known = kept.read_text("utf-8").strip() if kept.exists() else ""
        if code is not None and known and code != known:
            remedy = "leave --class out to go on with it, or name another --folder"
            raise InputError.at("--class", f"the class in {path} has another code", remedy)
        code = code or known or secrets.token_urlsafe(12)
        must_be_code(code)
        kept.touch(mode=0o600)
        kept.write_text(f"{code}\n", "utf-8")
        for name in ("students", "handed-in"):
            (path / name).mkdir(exist_ok=True)
        return cls(path.resolve(), lab, code)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the class for this process. InputError if another serves it."""
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                message = "the class is served already, by another process"
                raise InputError.at(
                    str(self.path), message, "end that first, or name another --folder"
                ) from None
            yield

    def workbook(self, student: str) -> Workbook:
        """What the student has answered."""
        return Workbook(self.lab.name, student, self.code, self.path / "testbed/labs")

    def room(self, student: str) -> Path:
        """The student's room, with its folders."""
        room = self.path / "students" / student
        for name in ("home", "tmp", "desk"):
            (room / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        return room

    def submission(self, student: str) -> Path:
        """Where the student's file is handed in."""
        return self.path / "handed-in" / f"{self.lab.name}-{student}{SUFFIX}"

    def seclusion(self, student: str) -> Seclusion:
        """What the student's programs may see: no other folder, no workbook, no rule of any world."""
        room = self.room(student)
        lab = str(self.lab.folder.resolve())
        return Seclusion(
            home=str(room / "home"),
            tmp=str(room / "tmp"),
            open=(str(room / "desk"),),
            shown=(*needed(), lab),
            hidden=tuple(self._answers()),
            memory=MEMORY,
        )

    def _answers(self) -> Iterator[str]:
        """Files that say what is right: of this lab, and the whole folders of the others."""
        mine = self.lab.folder.resolve()
        yield from (str(mine / name) for name in ("solution", LAB, SCENARIO, HIDDEN))
        for folder in folders():
            yield from (str(one) for one in folder.resolve().iterdir() if one != mine)

    def variables(self, student: str) -> dict[str, str]:
        """The environment of the student's shell: nothing of the server's, nor the class's code."""
        home = str(self.room(student) / "home")
        kept = {name: os.environ[name] for name in _PLAIN if name in os.environ}
        plain = {"HOME": home, "USER": student, "LOGNAME": student, "SHELL": "/bin/bash", "TMPDIR": "/tmp"}
        own = {SERVED: student, VARIABLE: str(self.room(student) / "desk")}
        variables = lab_variables(self.lab, _PATH)
        return {**kept, **plain, **variables, **own}

    def checking(self, student: str) -> dict[str, str]:
        """The environment of a process of the server's that judges what this student gave."""
        own = {
            "XDG_STATE_HOME": str(self.path),
            "TESTBED_LAB": self.workbook(student).identity,
            "TESTBED_SECLUSION": self.seclusion(student).text(),
            "PATH": f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path(sys.executable).parent}",
        }
        left = {name: value for name, value in os.environ.items() if name not in (VARIABLE, SERVED)}
        return {**left, **own}

    def homes(self) -> Iterator[Path]:
        """Folders that are there."""
        return (self.path / "students").iterdir()


def space(room: Path, most_files: int = 20_000) -> int:
    """Bytes that a student's files take on the disk. It stops counting at `most_files`."""
    total, number, waiting = 0, 0, [room]
    while waiting and number < most_files:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    number += 1
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except OSError:
            continue
    return total if number < most_files else max(total, 1 << 62)
