"""Runs what needs a world of its own for a student who sits in one: a world cannot be built inside another.

`testbed lab start` starts it outside. `testbed lab check` and `watch` inside leave their arguments in a
folder that both see, print what appears there, and end with the exit status that is found. Files, because a
world reaches no sockets of the machine. It runs nothing but those two commands.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

from testbed.errors import Exit, InputError
from testbed.foreignjson import json_value

VARIABLE: Final = "TESTBED_LAB_CLERK"
SERVED: Final = "TESTBED_LAB_SERVED"  # in a class on one server: whose shell this is
_MAY: Final = ("check", "watch")
_TESTBED: Final = "from testbed.cli.start import main; main()"
_TICK: Final = 0.1  # seconds; our choice
_PATIENCE: Final = 60.0  # seconds until a request is taken; our choice
NEW, TAKEN, OUT, ERRORS, STATUS, HANDED = "new.json", "taken.json", "out", "errors", "status", "handed"
"""Files of a request. `HANDED`: what goes with it, where the clerk must not open a student's path."""


@contextmanager
def clerk(identity: str) -> Iterator[None]:
    """While this holds, commands that are started from here find a clerk for the workbook `identity`."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        process = subprocess.Popen(
            [sys.executable, "-m", "testbed.labs.clerk", folder],
            stdin=subprocess.DEVNULL,
            env={**environment, "TESTBED_LAB": identity},
            start_new_session=True,
        )
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            process.terminate()
            process.wait()


def is_served() -> bool:
    """Whether this is a student's shell on a class's server, where every command is the clerk's."""
    return SERVED in os.environ


def ask_clerk(words: Sequence[str], handed: Path | None = None) -> int | None:
    """Have `testbed lab WORDS` done outside; its exit status. None without a clerk: this is outside.

    `handed`: the file that they name, which goes with the request to a class's server.

    Errors: InputError if the clerk has ended, or the file cannot be read.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    if handed and is_served() and not handed.is_file():
        raise InputError.at(str(handed), "there is no such file", "see: ls")
    folder = Path(path, f"asked-{token_hex(8)}")
    try:
        folder.mkdir(mode=0o700)
        for name in (OUT, ERRORS):
            (folder / name).touch()
        if handed and is_served():
            shutil.copyfile(handed, folder / HANDED)
        return _answered(words, folder)
    except OSError as error:
        remedy = "leave its shell and start the lab again; your answers are kept"
        raise InputError.at("", f"the lab's helper does not answer: {error.strerror}", remedy) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answered(words: Sequence[str], folder: Path) -> int:
    """Lay the request down, print what is printed, and wait for its end."""
    with (folder / OUT).open("rb") as out, (folder / ERRORS).open("rb") as errors:
        (folder / "asked").write_text(json.dumps({"words": list(words), "folder": str(Path.cwd())}), "utf-8")
        (folder / "asked").rename(folder / NEW)
        due = time.monotonic() + _PATIENCE
        while True:
            ended = (folder / STATUS).exists()  # before the last look at what was printed
            for file, stream in ((out, sys.stdout), (errors, sys.stderr)):
                stream.buffer.write(file.read())
                stream.flush()
            if ended:
                return int((folder / STATUS).read_text("ascii"))
            if (folder / NEW).exists() and time.monotonic() > due:
                raise TimeoutError(0, "it takes no requests")
            time.sleep(_TICK)


def serve(folder: Path) -> None:
    """Take one request after the other, each by a process of its own, until ended or left alone."""
    running: dict[Path, subprocess.Popen[bytes]] = {}
    parent = os.getppid()
    while os.getppid() == parent:  # a lab that is killed ends nobody
        for path in folder.glob(f"*/{NEW}"):
            taken = path.rename(path.with_name(TAKEN))
            started = _started(taken)
            if started is None:
                _end(taken.parent, Exit.INPUT)
            else:
                running[taken.parent] = started
        for place in [place for place, process in running.items() if process.poll() is not None]:
            _end(place, running.pop(place).returncode)
        time.sleep(_TICK)
    shutil.rmtree(folder, ignore_errors=True)


def _started(request: Path) -> "subprocess.Popen[bytes] | None":
    try:
        asked = json_value(request.read_bytes())
        words, folder = [str(word) for word in asked["words"]], str(asked["folder"])
        if words[0] not in _MAY:
            return None
        argv = [sys.executable, "-c", _TESTBED, "lab", *words]
        with (request.parent / OUT).open("ab") as out, (request.parent / ERRORS).open("ab") as errors:
            return subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    except OSError:  # the folder is none outside of the world
        return None


def _end(place: Path, status: int) -> None:
    (place / "ended").write_text(str(int(status)), "ascii")
    (place / "ended").rename(place / STATUS)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
