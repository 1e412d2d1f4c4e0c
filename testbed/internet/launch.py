"""Running one program of a host: start, readiness, end."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from testbed.internet.listening import listening
from testbed.internet.services.base import Place, ReportReady
from testbed.internet.services.command import Command, Readiness
from testbed.world.confine import children_among_commands, step_down
from testbed.world.linux import CLONE_NEWNS, die_with_parent, unshare

_POLL = 0.02  # seconds between two looks: our choice
_LOOKING = 0.2  # share of a processor for looking: our choice; /proc/net/tcp takes 5 ms
_PATIENCE = 4.0  # seconds that a program has to end when asked to: our choice, below a service's own limit
_AWAITED = {signal.SIGTERM, signal.SIGCHLD}


def run_program(command: Command, place: Place, ready: ReportReady) -> NoReturn:
    """Run `command` until SIGTERM, then ask its process group to end and leave with status 0.

    Calls `ready` once the program shows that it serves. Leaves with status 1 and the reason on stderr, which
    is the program's own log, if the program ends by itself or is not ready in time.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    started = time.time()
    try:
        program = _start(command, place, before)
    except OSError as error:
        _fail(f"cannot start in {command.folder}: {error.strerror}")
    is_ready = _sign(command.ready, Path(command.folder), program.pid, place.log, started)
    deadline = time.monotonic() + command.ready.within
    asked = signal.Signals[command.stop]
    served = False
    while True:
        if program.poll() is not None:
            _end(program, asked)
            when = "" if served else f" before it was ready ({command.ready})"
            _fail(f"the command {_ended(program.returncode)}{when}: {command.run}")
        looked = time.monotonic()
        if not served and is_ready():
            served = True
            ready()
        pause = max(_POLL, (time.monotonic() - looked) / _LOOKING)
        if not served and time.monotonic() > deadline:
            ports = ", ".join(f"{name} {port}" for name, port in sorted(listening(program.pid)))
            _end(program, asked)
            _fail(
                f"not ready after {command.ready.within:g} s: waited until {command.ready}; "
                f"it listens on {ports or 'nothing'}: {command.run}"
            )
        arrived = signal.sigtimedwait(_AWAITED, 3600 if served else pause)
        if arrived and arrived.si_signo == signal.SIGTERM:
            _end(program, asked)
            os._exit(0)


def _start(command: Command, place: Place, mask: set[int]) -> "subprocess.Popen[bytes]":
    def prepare() -> None:
        unshare(CLONE_NEWNS)
        step_down()
        die_with_parent()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # an ignored signal would stay ignored
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    with children_among_commands():
        return subprocess.Popen(
            ["/bin/sh", "-c", command.run],
            cwd=command.folder,
            env=dict(place.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is meant for the program under test
            preexec_fn=prepare,  # noqa: PLW1509 (this process has one thread)
        )


def _sign(
    readiness: Readiness, folder: Path, session: int, log: Path | None, started: float
) -> Callable[[], bool]:
    """The check that is repeated until it holds."""
    if readiness.tcp is not None:
        port = readiness.tcp
        return lambda: ("tcp", port) in listening()
    if readiness.udp is not None:
        port = readiness.udp
        return lambda: ("udp", port) in listening()
    if readiness.file is not None:
        file = folder / readiness.file
        return lambda: _written(file, started)
    if readiness.output is not None and log is not None:
        pattern = re.compile(readiness.output, re.MULTILINE)
        return lambda: pattern.search(log.read_text("utf-8", "replace")) is not None
    return lambda: bool(listening(session))


def _written(file: Path, since: float) -> bool:
    """Whether the file is there and not left over from an earlier run."""
    try:
        return file.stat().st_mtime >= since - 0.01  # file systems' clocks tick in steps of up to 10 ms
    except OSError:
        return False


def _end(program: "subprocess.Popen[bytes]", asked: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, asked)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_PATIENCE)
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def _ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    hint = "; it must stay in the foreground" if code == 0 else ""
    return f"ended with exit status {code}{hint}"


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    os._exit(1)
