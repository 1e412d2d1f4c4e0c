"""The world of a student's lab: one for each lab, a few built at once, never more than fit into memory."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from testbed.errors import InputError, UnsupportedError
from testbed.labs.clerk import clerk
from testbed.labs.labfile import Assignment
from testbed.labs.workbook import Workbook
from testbed.run.events import events
from testbed.run.job import Job
from testbed.run.laboratory import Laboratory
from testbed.run.program import run_command, run_shell
from testbed.run.result import Findings, RunResult
from testbed.run.session import Session, carry_out

_TICK: Final = 0.2  # seconds; our choice
ROOM: Final = 220 << 20  # bytes that must be available for another world; measured: docs/teaching.md
PATIENCE: Final = 600.0  # seconds that a start waits for its turn; our choice
_TURNS: Final = ".turns"  # no student's name
_FLOWS: Final = "flows"  # of the worlds that have ended: those that a rule met, and nothing of the rule
_PREFIX: Final = "lab-"  # of the folder for a world
CLASS_PREFIX: Final = "class-"  # the same of a class's server
_RUN: Final = "run"  # in it: the record
_WORLD: Final = "world"  # the folder of the world that is open


@contextmanager
def alone(workbook: Workbook) -> Iterator[None]:
    """Hold the lab for this process. InputError if it is open elsewhere."""
    workbook.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (workbook.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"{workbook.lab} is open already, in another terminal"
            raise InputError.at("NAME", message, "go on there, or leave its shell first") from None
        yield


@contextmanager
def turn(base: Path, at_once: int, say: Callable[[str], object]) -> Iterator[Callable[[], None]]:
    """Wait until fewer than `at_once` worlds are being built for this user, and there is memory for another.

    What it gives is to be called, by this process or a child, once the world is built.

    Errors: UnsupportedError if there is no room within `PATIENCE`.
    """
    folder = base / _TURNS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    due, said = time.monotonic() + PATIENCE, False
    while True:
        why = "" if available() > ROOM else f"no memory for another world: {available() >> 20} MB are free"
        held = None if why else _slot(folder, at_once)
        if held is not None:
            break
        why = why or f"{at_once} worlds are being built; yours is next in line"
        if not said:
            say(f"waiting: {why}")
            said = True
        if time.monotonic() > due:
            raise UnsupportedError(f"{why}; your answers are kept, start the lab again later")
        time.sleep(_TICK)
    slot = held
    try:
        yield lambda: fcntl.flock(slot, fcntl.LOCK_UN)
    finally:
        os.close(slot)


def _slot(folder: Path, at_once: int) -> int | None:
    for number in range(at_once):
        file = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
        else:
            return file
    return None


def available(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes of memory that programs can still have (proc(5): MemAvailable)."""
    for line in meminfo.read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 1 << 62  # a kernel without it: nothing is known


def play(
    workbook: Workbook, assignment: Assignment, words: Sequence[str], say: Callable[[str], object]
) -> RunResult:
    """Build the lab's world, and run a command in it, or a shell, until that ends.

    Errors: UnsupportedError if this machine lacks a feature, or room.
    """
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        job = Job(
            assignment.scenario(Path(folder)),
            vantages=(assignment.lab.part.vantage,),
            shell=not words,
            command=tuple(words) or None,
            out=Path(folder) / _RUN,
        )
        session = Session.prepare(job)
        at_once = max(1, (os.cpu_count() or 2) // 2)
        with (
            turn(workbook.base, at_once, say) as built,
            recorded(workbook, Path(folder) / _RUN),
            clerk(workbook.identity),
        ):

            def work(session: Session, laboratory: Laboratory) -> Findings:
                built()
                return (run_command if words else run_shell)(session, laboratory)

            return carry_out(session, work)


@contextmanager
def recorded(workbook: Workbook, run: Path) -> Iterator[None]:
    """While a world is open, where its record is; then, which flows its rules met."""
    pointer = workbook.folder / _WORLD
    tidy(workbook)
    with suppress(OSError):
        pointer.write_text(str(run), "utf-8")
    try:
        yield
    finally:
        with suppress(OSError):  # a full disk: what was answered is kept all the same
            _keep_flows(workbook, run)
            pointer.unlink(missing_ok=True)


def tidy(workbook: Workbook) -> None:
    """Remove what a world left that was killed: it had no time to. None of this lab may be open."""
    pointer = workbook.folder / _WORLD
    with suppress(OSError):
        killed = Path(pointer.read_text("utf-8"))
        _keep_flows(workbook, killed)
        _remove_leftover(killed)
        pointer.unlink()


def _keep_flows(workbook: Workbook, run: Path) -> None:
    with (workbook.folder / _FLOWS).open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(flow)}\n" for flow in sorted(_met(run)))


def _remove_leftover(run: Path) -> None:
    """The folder of a world that was killed; nothing else, whatever was written into the pointer."""
    ours = run.parent.parent == Path(tempfile.gettempdir()) and run.parent.name.startswith(
        (_PREFIX, CLASS_PREFIX)
    )
    if ours and run.name == _RUN:
        shutil.rmtree(run.parent, ignore_errors=True)


def flows_met(workbook: Workbook) -> frozenset[str]:
    """Flows that a rule met, in this lab's open world and in its earlier ones."""
    found: set[str] = set()
    with suppress(OSError):
        found |= _met(Path((workbook.folder / _WORLD).read_text("utf-8")))
    with suppress(OSError):
        for line in (workbook.folder / _FLOWS).read_text("utf-8", "replace").splitlines():
            with suppress(ValueError):
                found.add(str(json.loads(line)))
    return frozenset(found)


def _met(run: Path) -> set[str]:
    try:
        return {one["flow"] for one in events(run / "events.jsonl") if one["kind"] == "match" and one["flow"]}
    except OSError:
        return set()
