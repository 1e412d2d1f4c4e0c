"""A world held open: `up` holds it, `start` does so in a process of its own."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from testbed.errors import InputError, InvalidRunError
from testbed.model import OUTSIDE
from testbed.run import worlds
from testbed.run.choose import concerned
from testbed.run.job import Job
from testbed.run.keeper import holding
from testbed.run.records import WorldInfo
from testbed.run.result import RunResult
from testbed.run.session import Session, carry_out
from testbed.world import linux
from testbed.world.fork import Slot, die_with, leave

IDLE = 3600.0  # seconds; the limit of a detached world unless another is given


@dataclass(frozen=True, slots=True)
class Opening:
    """A world about to be opened: everything that can be wrong with the request has been checked."""

    session: Session
    info: WorldInfo
    listener: socket.socket

    @classmethod
    def prepare(cls, job: Job, name: str | None = None, idle: float | None = None) -> "Opening":
        """Choose and reserve. Without vantages, every operator that a phase of the scenario concerns.

        Errors: InputError for what is wrong with the job, or if there is a world of that name.
        """
        if job.runs_program:
            raise InputError.at("job", "a held world has no command of its own", "run it in the world")
        settled, scenario = job.settled()
        if not job.vantages:
            settled = replace(settled, vantages=concerned(scenario))
        name, listener = worlds.listen(name, scenario.name)
        try:
            session = Session.of(settled, scenario, twins=True, switches=True)
        except BaseException:
            worlds.forget(name)
            raise
        vantages = (*session.job.operators, OUTSIDE)
        info = WorldInfo(name, scenario.name, vantages, session.folder.path, os.getpid(), idle)
        return cls(session, info, listener)

    def hold(self, ready: Callable[[], None]) -> RunResult:
        """Build the world and hold it until it is ended; `ready` is called in it, once it is open.

        Errors: UnsupportedError if this machine lacks a feature.
        """
        info = replace(self.info, keeper=os.getpid())
        try:
            return carry_out(self.session, holding(info, self.listener, ready))
        finally:
            self.listener.close()
            worlds.forget(info.name)


@dataclass(frozen=True, slots=True)
class Started:
    """A keeper at work in a process of its own."""

    info: WorldInfo
    process: int
    slot: Slot  # holds its RunResult at the end


def start(opening: Opening, *, detached: bool) -> Started:
    """Hold the world in a child process; return once it is open.

    A detached one goes on when this process ends, and logs to logs/keeper.log; any other dies with it.

    Errors: what `hold` raised; InvalidRunError if the world could not be built.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or the child would write it a second time
    slot = Slot()
    parent = os.pidfd_open(os.getpid())
    reading, writing = os.pipe()
    process = linux.fork()
    if process == 0:
        os.close(reading)
        body = partial(_keep, opening, writing, None if detached else parent)
        leave(lambda: slot.fill(body))
    for file in (writing, parent):
        os.close(file)
    opening.listener.close()
    started = Started(replace(opening.info, keeper=process), process, slot)
    try:
        with os.fdopen(reading, "rb") as report:
            ready = report.read(1)
    except BaseException:  # Ctrl-C: the user will not learn the world's name
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
        raise
    if not ready:
        ended = wait(started)
        raise InvalidRunError("\n".join(ended.problems) or "the world ended at once")
    return started


def wait(started: Started) -> RunResult:
    """Wait for the end of the keeper; its result, or what it raised. Call it once."""
    os.waitpid(started.process, 0)
    outcome = started.slot.take()
    if outcome is None:
        raise InvalidRunError(f"the keeper of world '{started.info.name}' was killed; the world is gone")
    fine, value = outcome
    if not fine:
        raise value
    return value  # type: ignore[no-any-return]


def _keep(opening: Opening, writing: int, parent: int | None) -> RunResult:
    """The life of a keeper's process; it ends with `parent`, if that is given."""
    os.setsid()  # the terminal's Ctrl-C is not meant for it
    if parent is None:
        _own_streams(opening.info.folder / "logs" / "keeper.log")
    else:
        die_with(parent)
    return opening.hold(lambda: _send(writing))


def _send(writing: int) -> None:
    os.write(writing, b"!")
    os.close(writing)


def _own_streams(log: Path) -> None:
    inputs = os.open(os.devnull, os.O_RDONLY)
    outputs = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, file in ((0, inputs), (1, outputs), (2, outputs)):
        os.dup2(file, number)
