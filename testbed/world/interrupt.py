"""The signals that end a run, as something to wait for. No exception ever comes out of a signal handler.

A handler that raises loses its exception wherever Python cannot pass one on: in a callback of fork, in a
destructor, in logging. So the main process of a run (see `testbed.world.enter`) has handlers that do nothing;
the C side of Python writes each signal's number to a pipe. Ordinary code looks there: `check` between steps,
`wait` and `sleep` where it blocks. The first signal raises `RunInterrupted`, a KeyboardInterrupt, once; those
that follow do not disturb the clean-up. A blocking call of another library is not interrupted.
"""

import contextlib
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

from testbed.errors import RunInterrupted

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 5.0  # seconds that a command has to end after a signal was passed on to it; our choice
_FORWARDED = 0x80  # added to the number of a signal that the outer process passes on


class _Inbox:
    """The pipe of one process."""

    def __init__(self, reading: int) -> None:
        self.reading = reading
        self.raised = False  # RunInterrupted has been raised: nothing more to say

    def take(self) -> list[tuple[int, bool]]:
        """The signals that have arrived: number, and whether the outer process passed it on."""
        try:
            numbers = os.read(self.reading, 4096)
        except BlockingIOError:
            return []
        signals = [(number & ~_FORWARDED, bool(number & _FORWARDED)) for number in numbers]
        return [(number, forwarded) for number, forwarded in signals if number in ENDING]

    def interrupt(self, number: int) -> None:
        self.raised = True
        raise RunInterrupted(number)


_inbox: _Inbox | None = None


def pipe() -> tuple[int, int]:
    """A pipe for `listening`: reading end, writing end."""
    return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)


def forward(writing: int, number: int) -> None:
    """From another process: pass a signal on to the one that listens at the other end."""
    with contextlib.suppress(BlockingIOError, BrokenPipeError):  # full of signals, or it has ended
        os.write(writing, bytes([number | _FORWARDED]))


@contextlib.contextmanager
def listening(ends: tuple[int, int] | None = None) -> Iterator[None]:
    """For the block, ENDING signals of this process go to the pipe `ends`. Call it from the main thread.

    Does nothing in a process that listens already. A signal that the process ignores stays ignored.
    """
    global _inbox  # noqa: PLW0603 (signals belong to the process)
    if _inbox is not None:
        yield
        return
    reading, writing = ends or pipe()
    before = {number: signal.signal(number, _ignore) for number in heeded()}
    former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    _inbox = _Inbox(reading)
    try:
        yield
    finally:
        _inbox = None
        signal.set_wakeup_fd(former)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, this is not inherited by programs."""


def heeded() -> tuple[signal.Signals, ...]:
    """Those of ENDING that this process does not ignore (as `nohup` and a shell's `&` make it)."""
    return tuple(number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN)


def forget() -> None:
    """In a forked child: no signal is for the parent's pipe."""
    global _inbox  # noqa: PLW0603
    signal.set_wakeup_fd(-1)
    _inbox = None


def default(signals: Iterable[int] = ENDING) -> None:
    """In a forked child: each of `signals` ends the process, as it does by default."""
    for number in signals:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """For the block, signals to this thread wait, but for those that a world takes (`testbed.world.enter`).

    For what follows the end of a run and must be complete.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, heeded())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def drop_held() -> None:
    """Within `held`: drop the signals that wait, because one before them has ended the run already."""
    while signal.sigtimedwait(heeded(), 0):
        pass


def check() -> None:
    """Raise RunInterrupted if a signal has arrived. To be called between steps; costs a system call."""
    inbox = _inbox
    if inbox is not None and not inbox.raised:
        for number, _ in inbox.take():
            inbox.interrupt(number)


def wait(fds: Iterable[int], timeout: float | None = None, *, interruptible: bool = True) -> list[int]:
    """Wait until some of `fds` are readable or hung up, at most `timeout` seconds; those that are.

    Raises RunInterrupted if a signal arrives first. With `interruptible=False` (for clean-up) the signal
    waits for the next `check`.
    """
    inbox = _inbox if interruptible else None
    end = None if timeout is None else time.monotonic() + timeout
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    if inbox is not None and not inbox.raised:
        poll.register(inbox.reading, select.POLLIN)
    while True:
        if inbox is not None:
            check()
        left = None if end is None else max(0.0, end - time.monotonic())
        ready = [fd for fd, _ in poll.poll(None if left is None else math.ceil(left * 1000))]
        if inbox is None or inbox.reading not in ready:
            return ready


def sleep(seconds: float) -> None:
    """Sleep. Raises RunInterrupted if a signal arrives first."""
    wait((), seconds)


def wait_for_command(
    pidfd: int, send: Callable[[int], object], meanwhile: Callable[[], float | None] = lambda: None
) -> None:
    """Wait for the end of the user's command, which shares our terminal and process group.

    Ctrl-C is the command's business: the terminal has sent it there too. A signal that somebody sent to this
    run alone is passed on by `send`, and ends the run: RunInterrupted is raised once the command has ended,
    or has had GRACE seconds and was killed. `meanwhile` is called at once, and again after as many seconds as
    it returned; None: no more.
    """
    inbox = _inbox
    if inbox is None:
        while not wait([pidfd], meanwhile()):
            pass
        return
    while True:
        ended = pidfd in wait([pidfd, inbox.reading], meanwhile(), interruptible=False)
        for number, forwarded in inbox.take():
            if not inbox.raised and (forwarded or number != signal.SIGINT):
                if not ended:
                    send(number)
                    if not wait([pidfd], GRACE, interruptible=False):
                        send(signal.SIGKILL)
                inbox.interrupt(number)
        if ended:
            return


def wait_either(*fds: int) -> list[int]:
    """Wait, without a limit and undisturbed by signals, until one of `fds` is readable."""
    return wait(fds, interruptible=False)
