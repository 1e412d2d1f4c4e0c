"""The way into a running world, from outside: a process there that keeps the terminal, as `docker exec` does.

A world is known by its first process. The same ordinary user may join it: whoever owns a user namespace has
every right in it. Three processes: the *caller*; the *door*, which moves into the world's namespaces (a PID
namespace takes one's children, not oneself); and the *guest*, which runs the function there. All share the
caller's process group and streams, so that job control works.
"""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.errors import InvalidRunError
from testbed.world import confine, hostsockets, interrupt, linux, netns
from testbed.world.enter import ALL_NAMESPACES
from testbed.world.fork import Slot, die_with, fork, supervise


class WorldEndedError(InvalidRunError):
    """The world has ended, or ended meanwhile."""


@dataclass(frozen=True, slots=True)
class FirstProcess:
    """PID 1 of a world, as processes outside know it."""

    pid: int
    began: int  # clock ticks since the machine's start: no other process of this number has the same

    @classmethod
    def of_this_world(cls) -> "FirstProcess":
        """Called inside a world: its own. Errors: InvalidRunError outside."""
        pid, began = netns.first_process()
        return cls(pid, began)

    def alive(self) -> bool:
        """Whether it still runs, so that `join` can work."""
        return _began(self.pid) == self.began

    def join(self, function: Callable[[], object]) -> int:
        """Run `function` in the world, among its commands; its exit status, as of a shell.

        `function` runs in a process of its own, as root of the world, in the current folder; it may step down
        (`testbed.world.confine`), exec a program or return a status. Ctrl-C is its business; a signal to this
        process alone is passed on.

        Errors: WorldEndedError; InvalidRunError if this user may not join; a TestbedError that `function`
        raised.
        """
        try:
            world = os.pidfd_open(self.pid)
        except ProcessLookupError:
            raise WorldEndedError(f"the world of process {self.pid} has ended") from None
        try:
            if not self.alive():
                raise WorldEndedError(f"the world of process {self.pid} has ended")
            return self._run(world, function)
        finally:
            os.close(world)

    def _run(self, world: int, function: Callable[[], object]) -> int:
        namespaces = ALL_NAMESPACES | (0 if self._shares_users() else linux.CLONE_NEWUSER)
        errors = Slot()
        reachable = hostsockets.bound()
        caller = os.pidfd_open(os.getpid())
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, interrupt.heeded())
        signals = linux.signalfd(interrupt.heeded())
        try:
            body = partial(
                _door, caller, world, namespaces, partial(_guest, reachable, function), signals, errors
            )
            door = fork(body, own_group=False, signals=False, errors=errors)
            code = supervise(door, signals, partial(os.kill, door), terminal=(signal.SIGHUP,))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(signals)
            os.close(caller)
            outcome = errors.take()
        if outcome is not None:
            raise outcome[1]
        status = _shell_status(code)
        if status == 128 + signal.SIGKILL and interrupt.wait([world], 1.0, interruptible=False):
            raise WorldEndedError(f"the world of process {self.pid} ended meanwhile")
        return status

    def _shares_users(self) -> bool:
        """Whether it has our user namespace: a world that root made."""
        try:
            return Path(f"/proc/{self.pid}/ns/user").stat().st_ino == Path("/proc/self/ns/user").stat().st_ino
        except PermissionError:
            raise InvalidRunError(f"the world of process {self.pid} belongs to another user") from None


def _door(
    caller: int,
    world: int,
    namespaces: int,
    guest_body: Callable[[], object],
    signals: int,
    errors: Slot,
) -> int:
    here = Path.cwd()
    try:
        linux.setns(world, namespaces)
    except OSError as error:
        raise InvalidRunError(f"this process may not join the world: {error}") from error
    die_with(caller)  # a change of credentials has cleared it
    os.chdir(here)  # changing the mount namespace has led to the root
    confine.lead_to_commands()
    guest = fork(guest_body, own_group=False, signals=False, errors=errors)
    return _shell_status(supervise(guest, signals, partial(os.kill, guest), terminal=()))


def _guest(reachable: Sequence[hostsockets.BoundSocket], function: Callable[[], object]) -> object:
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    hostsockets.cover_known(reachable)  # those that are newer than the world
    heeded = interrupt.heeded()
    interrupt.default(heeded)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heeded)
    return function()


def _shell_status(code: int) -> int:
    return code if code >= 0 else 128 - code


def _began(pid: int) -> int | None:
    """The 22nd field of proc_pid_stat(5), starttime; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
