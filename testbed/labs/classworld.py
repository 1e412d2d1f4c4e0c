"""The world of one student of a class: a process of its own, which the class's server starts and ends.

It reads one line of JSON: the lab, the student, the class's code and folder, and the world's name. It prints
"ready" once the world is open, and then nothing until it ends: by SIGTERM, or with the server.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from testbed.errors import TestbedError
from testbed.labs.classfolder import ClassFolder
from testbed.labs.labfile import assign, load_lab
from testbed.labs.opening import CLASS_PREFIX, recorded
from testbed.run.job import Job
from testbed.run.standing import Opening
from testbed.world import linux

READY: Final = "ready"


def hold(folder: ClassFolder, student: str, name: str) -> str:
    """Hold the student's world until it is ended; why it failed, or "".

    Errors: InputError for a name that is taken; UnsupportedError if this machine lacks a feature.
    """
    workbook = folder.workbook(student)
    workbook.open()
    with tempfile.TemporaryDirectory(prefix=CLASS_PREFIX) as place:
        assignment = assign(folder.lab, student, folder.code)
        job = Job(
            assignment.scenario(Path(place)),
            vantages=(folder.lab.part.vantage,),
            out=Path(place) / "run",
        )
        opening = Opening.prepare(job, name)
        with recorded(workbook, Path(place) / "run"):
            result = opening.hold(lambda: print(READY, flush=True))
        return "" if result.valid else result.problems[0]


def main() -> None:
    """One world."""
    server = os.getppid()
    linux.die_with_parent()
    if os.getppid() != server:
        return
    given = json.loads(sys.stdin.readline())
    folder = ClassFolder(Path(given["folder"]), load_lab(given["lab"]), given["code"])
    tmp = folder.room(given["student"]) / "tmp"
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(mode=0o700)
    try:
        why = hold(folder, given["student"], given["name"])
    except TestbedError as error:
        why = str(error)
    print(why, flush=True)


if __name__ == "__main__":
    main()
