"""Child processes: call a function in one, or keep several running and notice the end of any.

    value = call(function, namespace=vantage)              # one call, one process, its value

    with Children(folder / "logs") as children:            # services: censors, servers, the delay line
        children.spawn("far", serve, namespaces["far"])    # runs serve(ready) there, logs to logs/far.log
        children.wait_ready()
        ...
        children.check()                                   # InvalidRunError if one has ended

Every child dies with its parent, is killed together with its process group, and has the default answers to
signals. Waiting raises `RunInterrupted` when a signal asks the run to end (see `testbed.world.interrupt`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from testbed.errors import Exit, InvalidRunError, UnsupportedError
from testbed.world import interrupt
from testbed.world.fork import Slot, fork
from testbed.world.netns import Namespace, enter

T = TypeVar("T")
Ready = Callable[[], None]
Body = Callable[[Ready], object]  # what a service process runs: it calls its argument once it serves

_TAIL = 15  # lines of a log shown when its service fails


@dataclass(slots=True)
class Child:
    """A forked process. Killing it kills its process group as well."""

    name: str
    pid: int
    pidfd: int  # readable when it has ended
    log: Path | None = None
    code: int | None = None  # exit status, or minus the signal that killed it; None while it runs

    @classmethod
    def fork(cls, name: str, body: Callable[[], object], log: Path | None = None) -> Self:
        """Fork it; see `testbed.world.fork.fork`."""
        interrupt.check()
        pid = fork(body)
        return cls(name, pid, os.pidfd_open(pid), log)

    def wait(self, timeout: float | None = None, *, interruptible: bool = True) -> int | None:
        """Its code, once it has ended; None if it still runs after `timeout` seconds."""
        await_end([self], timeout, interruptible=interruptible)
        return self.code

    def send(self, number: int) -> None:
        """Send a signal to its process group."""
        if self.code is None:  # until it is reaped, nobody else can have its number
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL; wait for its end and return its code."""
        self.send(signal.SIGKILL)
        self.wait(interruptible=False)
        return self.code or 0

    def reap(self) -> None:
        """Collect its code. It has ended: `pidfd` is readable. What its group left behind is killed."""
        self.send(signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.pidfd)

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return ending_of(self.code or 0)

    @property
    def tail(self) -> str:
        """The last lines of its log."""
        if self.log is not None:
            with contextlib.suppress(OSError):
                lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
                return "\n".join(lines[-_TAIL:])
        return ""


def ending_of(code: int) -> str:
    """An exit code in words: "was killed by SIGSEGV", "ended with exit status 3"."""
    if code >= 0:
        return f"ended with exit status {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def await_end(children: Iterable[Child], timeout: float | None = None, *, interruptible: bool = True) -> None:
    """Wait until all `children` have ended, at most `timeout` seconds, and collect their codes."""
    end = None if timeout is None else time.monotonic() + timeout
    while running := {child.pidfd: child for child in children if child.code is None}:
        left = None if end is None else max(0.0, end - time.monotonic())
        ended = interrupt.wait(running, left, interruptible=interruptible)
        for fd in ended:
            running[fd].reap()
        if not ended:
            return


class Call(Generic[T]):
    """A function at work in a child process; several may run side by side."""

    def __init__(
        self, function: Callable[[], T], *, namespace: Namespace | None = None, name: str = "a call"
    ) -> None:
        self._slot = Slot()

        def body() -> int:
            if namespace:
                enter(namespace)
            return self._slot.fill(function)

        self.child = Child.fork(name, body)

    def result(self, timeout: float | None = None) -> T:
        """Wait, at most `timeout` seconds; the value. Call it once.

        Errors: what the function raised, with its traceback as a note; InvalidRunError if the child was
        killed or is not done in time (it is killed then).
        """
        try:
            self.child.wait(timeout)
        finally:
            late = self.child.code is None
            if late:
                self.child.kill()
            outcome = self._slot.take()
        if late:
            raise InvalidRunError(f"{self.child.name}: not done after {timeout:g} s")
        if outcome is None:
            raise InvalidRunError(f"{self.child.name} {self.child.ending} and left no result")
        fine, value = outcome
        if not fine:
            raise value
        return value  # type: ignore[no-any-return]

    def kill(self) -> None:
        """End it; there will be no result."""
        self.child.kill()
        self._slot.take()


def call(
    function: Callable[[], T],
    *,
    namespace: Namespace | None = None,
    timeout: float | None = None,
    name: str = "a call",
) -> T:
    """Call `function` in a child process, inside `namespace`; see `Call.result` for value and errors."""
    return Call(function, namespace=namespace, name=name).result(timeout)


@dataclass(frozen=True, slots=True)
class Status:
    """How a service ended."""

    name: str
    code: int  # exit status, or minus the signal that killed it
    stopped: bool  # it ran until it was asked to stop
    tail: str  # the end of its log

    @property
    def ok(self) -> bool:
        """It ran until it was asked to stop, and then ended by itself or by that request."""
        return self.stopped and self.code in (0, -signal.SIGTERM)

    def __str__(self) -> str:
        when = " when asked to stop" if self.stopped else ""
        tail = f"; the end of its log:\n{self.tail}" if self.tail else "; its log is empty"
        return f"service {self.name} {ending_of(self.code)}{when}{tail}"


class Children:
    """The service processes of a run. Leaving the `with` block stops them.

    Each logs to LOG_DIR/NAME.log, or without `log_dir` to the streams of this process.
    """

    def __init__(self, log_dir: Path | None = None) -> None:
        self._logs = log_dir
        self._children: dict[str, Child] = {}
        self._waiting: dict[str, int] = {}  # name -> pipe: a byte when it is ready, end of file when it ended
        if log_dir is not None:
            log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def names(self) -> frozenset[str]:
        """Of all that have not been stopped."""
        return frozenset(self._children)

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def spawn(self, name: str, body: Body, namespace: Namespace | None = None) -> Child:
        """Fork a process that runs `body(ready)` inside `namespace`; `name` is new.

        `body` calls `ready()` when it serves, and runs until SIGTERM, which ends it unless it handles it.
        """
        if name in self._children:
            raise ValueError(f"there is a service {name} already")
        log = self._logs / f"{name}.log" if self._logs else None
        readiness, report = os.pipe()

        def run() -> None:
            if log:
                _write_to(log)
            if namespace:
                enter(namespace)
            body(lambda: _report_ready(report))

        try:
            child = Child.fork(name, run, log)
        except BaseException:
            os.close(readiness)
            raise
        finally:
            os.close(report)
        self._children[name], self._waiting[name] = child, readiness
        return child

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until all serve. Errors: InvalidRunError if one ends or is not ready in `timeout` seconds."""
        end = time.monotonic() + timeout
        while waiting := {fd: name for name, fd in self._waiting.items()}:
            running = [child.pidfd for child in self._children.values() if child.code is None]
            readable = interrupt.wait([*waiting, *running], max(0.0, end - time.monotonic()))
            for fd in waiting.keys() & set(readable):
                if os.read(fd, 1):
                    os.close(self._waiting.pop(waiting[fd]))
                else:  # it has closed its pipe: it is about to end
                    self._children[waiting[fd]].wait(1.0)
            self.check()
            if not readable:
                late = ", ".join(waiting.values())
                tails = "".join(f"\n{name}: {self._children[name].tail}" for name in waiting.values())
                raise InvalidRunError(f"services not ready after {timeout:g} s: {late}{tails}")

    def wait_any(self) -> None:
        """Wait until a service ends."""
        ended = interrupt.wait(child.pidfd for child in self._children.values() if child.code is None)
        for child in self._children.values():
            if child.code is None and child.pidfd in ended:
                child.reap()

    def check(self) -> None:
        """Raise InvalidRunError with name, exit status and the log's end of each service that has ended.

        A service that ended because this machine lacks a feature has named it: UnsupportedError.
        """
        await_end(self._children.values(), 0.0)
        dead = [_status(child, stopped=False) for child in self._children.values() if child.code is not None]
        for status in dead:
            if status.code == Exit.UNSUPPORTED:
                raise UnsupportedError(status.tail)
        if dead:
            raise InvalidRunError("\n".join(map(str, dead)))

    def stop(self, timeout: float = 5.0, only: Collection[str] | None = None) -> dict[str, Status]:
        """SIGTERM to all, SIGKILL to what still runs after `timeout` seconds; name -> how it ended.

        `only`: those of these names, while the others go on. A signal to this process does not disturb it.
        """
        children = [child for child in self._children.values() if only is None or child.name in only]
        await_end(children, 0.0, interruptible=False)
        running = [child for child in children if child.code is None]
        for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
            for child in running:
                child.send(number)
            await_end(running, patience, interruptible=False)
        for child in children:
            del self._children[child.name]
            if child.name in self._waiting:
                os.close(self._waiting.pop(child.name))
        return {child.name: _status(child, stopped=child in running) for child in children}


def _status(child: Child, *, stopped: bool) -> Status:
    return Status(child.name, child.code or 0, stopped, child.tail)


def _report_ready(report: int) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(report, b"!")


def _write_to(log: Path) -> None:
    writing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    reading = os.open(os.devnull, os.O_RDONLY)
    os.dup2(reading, 0)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    # The parent's objects may write elsewhere (a test runner's capture).
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


def run_program(argv: Sequence[str], what: str, text: str | None = None) -> str:
    """Run a program to its end with `text` on its standard input; its standard output.

    Errors: InvalidRunError "WHAT: PROGRAM: its standard error" if it fails. Ctrl-C does not reach it.
    """
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False, process_group=0)
    if done.returncode:
        interrupt.check()
        reason = done.stderr.strip() or ending_of(done.returncode)
        raise InvalidRunError(f"{what}: {Path(argv[0]).name}: {reason}")
    return done.stdout
