"""Supervision of a world's service processes: censors, servers, the delay line. None may die unnoticed."""

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from testbed.errors import Exit, InvalidRunError, UnsupportedError
from testbed.world import linux
from testbed.world.netns import Namespace, enter

Target = Callable[[Callable[[], None]], None]

_TAIL = 15  # lines of a log shown when its service fails


@dataclass(frozen=True, slots=True)
class Status:
    """How a service ended."""

    name: str
    code: int  # exit status, or minus the signal that killed it
    stopped: bool  # it ran until it was told to stop
    tail: str  # the end of its log

    @property
    def ok(self) -> bool:
        """It ran until it was told to stop, and then stopped as it should."""
        return self.stopped and self.code == 0

    def __str__(self) -> str:
        if self.code < 0:
            how = f"was killed by {signal.Signals(-self.code).name}"
        else:
            how = f"ended with exit status {self.code}"
        when = " when told to stop" if self.stopped else ""
        tail = f"; the end of its log:\n{self.tail}" if self.tail else "; its log is empty"
        return f"service {self.name} {how}{when}{tail}"


@dataclass(slots=True)
class _Service:
    name: str
    pid: int
    watch: int  # pidfd: readable when it has ended
    readiness: int  # pipe: a byte when ready, end of file when dead
    ready: bool = False
    code: int | None = None


class Services:
    """The service processes of one run, logging to LOG_DIR/NAME.log. Leaving the `with` block stops them."""

    def __init__(self, log_dir: Path) -> None:
        self._logs = log_dir
        self._services: list[_Service] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def spawn(self, name: str, target: Target, namespace: Namespace | None = None) -> None:
        """Fork a process that runs `target(ready)` inside `namespace`.

        The target calls `ready()` when it serves, and returns when it is done, which is when SIGTERM comes
        (a SystemExit in it, unless it handles the signal itself, as an asyncio loop does). It ignores Ctrl-C
        and dies with this process.
        """
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        readiness, telling = os.pipe()
        parent = os.getpid()
        # Held back until the child has its own answer to it:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = linux.fork()
        if pid == 0:
            os.close(readiness)
            self._child(name, target, namespace, telling, parent, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(telling)
        self._services.append(_Service(name, pid, os.pidfd_open(pid), readiness))

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until all serve. Errors: InvalidRunError if one dies or is not ready in `timeout` seconds."""
        end = time.monotonic() + timeout
        while waiting := {s.readiness: s for s in self._services if not s.ready}:
            told, _, _ = select.select(list(waiting), [], [], max(0.0, end - time.monotonic()))
            for fd in told:
                waiting[fd].ready = bool(os.read(fd, 1))
                if not waiting[fd].ready:
                    self._await_end([waiting[fd]], 1.0)
                    self.check()
            if not told:
                late = ", ".join(service.name for service in waiting.values())
                words = "".join(f"\n{s.name}: {self._tail(s.name)}" for s in waiting.values())
                raise InvalidRunError(f"services not ready after {timeout:g} s: {late}{words}")

    def check(self) -> None:
        """Raise InvalidRunError with name, exit status and the log's end of each service that has ended.

        A service that ended because this machine lacks a feature says so itself: UnsupportedError.
        """
        self._await_end(self._services, 0.0)
        dead = [self._status(s, stopped=False) for s in self._services if s.code is not None]
        for status in dead:
            if status.code == Exit.UNSUPPORTED:
                raise UnsupportedError(status.tail)
        if dead:
            raise InvalidRunError("\n".join(map(str, dead)))

    def stop(self, timeout: float = 5.0, only: Collection[str] | None = None) -> dict[str, Status]:
        """SIGTERM to all, SIGKILL to what still runs after `timeout` seconds; name -> how it ended.

        `only`: those of these names, while the others go on.
        """
        chosen = [service for service in self._services if only is None or service.name in only]
        self._await_end(chosen, 0.0)
        running = [service for service in chosen if service.code is None]
        for urge, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
            for service in running:
                if service.code is None:
                    os.kill(service.pid, urge)
            self._await_end(running, patience)
        ended = {s.name: self._status(s, stopped=s in running) for s in chosen}
        for service in chosen:
            os.close(service.watch)
            os.close(service.readiness)
            self._services.remove(service)
        return ended

    def _await_end(self, services: list[_Service], timeout: float) -> None:
        """Collect those that end within `timeout` seconds."""
        end = time.monotonic() + timeout
        while running := {s.watch: s for s in services if s.code is None}:
            poll = select.poll()
            for fd in running:
                poll.register(fd, select.POLLIN)
            ended = poll.poll(max(0.0, end - time.monotonic()) * 1000)
            for fd, _ in ended:
                running[fd].code = os.waitstatus_to_exitcode(os.waitpid(running[fd].pid, 0)[1])
            if not ended:
                return

    def _status(self, service: _Service, *, stopped: bool) -> Status:
        return Status(service.name, service.code or 0, stopped, self._tail(service.name))

    def _tail(self, name: str) -> str:
        with contextlib.suppress(OSError):
            lines = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
            return "\n".join(lines[-_TAIL:])
        return ""

    def _child(
        self,
        name: str,
        target: Target,
        namespace: Namespace | None,
        telling: int,
        parent: int,
        before: set[int],
    ) -> NoReturn:
        code = 1
        try:
            linux.die_with_parent()
            if os.getppid() != parent:
                os._exit(1)
            _own_signals(before)
            _own_streams(self._logs / f"{name}.log")
            if namespace:
                enter(namespace)
            target(lambda: _tell(telling))
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
            if isinstance(leaving.code, str):
                print(leaving.code, file=sys.stderr)
        except UnsupportedError as error:
            print(error, file=sys.stderr)
            code = error.exit_status
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code & 0xFF)


def _tell(telling: int) -> None:
    os.write(telling, b"!")


def _own_signals(mask: set[int]) -> None:
    def leave(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGHUP):  # the run decides when services end, not the terminal
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _own_streams(log: Path) -> None:
    writing = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    reading = os.open(os.devnull, os.O_RDONLY)
    os.dup2(reading, 0)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    # The parent's objects may write elsewhere (a test runner's capture).
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
