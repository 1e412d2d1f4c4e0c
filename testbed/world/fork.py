"""The primitives of a forked process: how it starts, how it ends, how its result comes back.

Most code uses `testbed.world.children`; `enter` and `join` build processes with special roles on this.
"""

import contextlib
import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from testbed.errors import Exit, RunInterrupted, TestbedError
from testbed.world import interrupt, linux

_MACHINERY = {f"testbed.world.{name}" for name in ("fork", "children", "enter", "join")}

_Body = Callable[[], object]  # what a child runs; an int that it returns is its exit status, None is 0


def fork(body: _Body, *, own_group: bool = True, signals: bool = True, errors: "Slot | None" = None) -> int:
    """Fork a child that runs `body` and ends with its exit status; return the child's number.

    The child is killed when the calling thread ends, and begins with the default answers to SIGINT, SIGTERM
    and SIGHUP. No signal gets lost on the way: they are blocked around the fork. With `signals=False` the
    child has the mask and the answers of this process. `own_group` makes it the leader of a process group,
    out of the terminal's reach. An error of the testbed goes into `errors`, without it to stderr.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # or the child would write it a second time
    parent = os.pidfd_open(os.getpid())
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, interrupt.ENDING)
    try:
        pid = linux.fork()
        if pid == 0:
            leave(lambda: _begin(body, parent, mask, own_group=own_group, signals=signals), errors)
        if own_group:
            with contextlib.suppress(OSError):  # it may have ended
                os.setpgid(pid, pid)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(parent)


def _begin(body: _Body, parent: int, mask: set[int], *, own_group: bool, signals: bool) -> object:
    die_with(parent)
    os.close(parent)
    if own_group:
        os.setpgid(0, 0)
    interrupt.forget()
    if signals:
        interrupt.default()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return body()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, also if it has ended already (its pidfd).

    MUST be called again after a change of credentials (a new user namespace), which clears it.
    """
    linux.die_with_parent()
    ended = select.poll()
    ended.register(parent, select.POLLIN)
    if ended.poll(0):
        os._exit(Exit.INVALID)


def leave(body: _Body, errors: "Slot | None" = None) -> NoReturn:
    """End this forked process with the status of `body`: the frames of the caller MUST NOT run twice."""
    status: int = Exit.INVALID
    try:
        result = body()
        status = result if isinstance(result, int) else 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            _print(leaving.code)
    except KeyboardInterrupt as error:
        status = 128 + (error.number if isinstance(error, RunInterrupted) else signal.SIGINT)
    except TestbedError as error:
        status = error.exit_status
        if errors is None:
            _print(str(error))
        else:
            errors.put(error)
    except BaseException as error:
        _print(_traceback(error))
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status & 0xFF)


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")


def _traceback(error: BaseException) -> str:
    """Without the frames of the machinery that started the child."""
    frame = error.__traceback__
    while frame and frame.tb_next and frame.tb_frame.f_globals.get("__name__") in _MACHINERY:
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame)).rstrip()


def supervise(child: int, signals: int, pass_on: Callable[[int], object], terminal: Collection[int]) -> int:
    """Wait for `child`; its exit code. Meanwhile `pass_on` the signals that arrive at the signalfd `signals`.

    What the terminal sent has gone to the whole group, and is not passed on, but for those in `terminal`. If
    the waiting itself ends by an exception (of a caller's own signal handler), the child is killed.
    """
    pidfd = os.pidfd_open(child)
    try:
        while pidfd not in interrupt.wait([pidfd, signals], interruptible=False):
            for number, by_terminal in linux.read_signals(signals):
                if not by_terminal or number in terminal:
                    pass_on(number)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code


class Slot:
    """Where a child leaves a value or an exception for its parent: a file in memory, read afterwards."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("slot")

    def fill(self, function: Callable[[], object]) -> int:
        """In the child: call `function` and leave what it returns or raises. Returns the exit status."""
        try:
            value = function()
        except SystemExit as error:  # raised again in the parent it would end that one, as if all were well
            ended = RuntimeError(f"sys.exit({error.code!r}) was called")
            self.put(ended.with_traceback(error.__traceback__))
            return 1
        except BaseException as error:
            self.put(error)
            return 1
        return self._write((True, value))

    def put(self, error: BaseException) -> None:
        """In the child: leave an exception, with its traceback as a note."""
        error.add_note(_traceback(error))
        self._write((False, error))

    def take(self) -> tuple[bool, Any] | None:
        """In the parent, once: (True, value) or (False, exception); None if the child left nothing."""
        with os.fdopen(self._fd, "rb") as file:
            file.seek(0)
            data = file.read()
        return pickle.loads(data) if data else None

    def _write(self, outcome: tuple[bool, object]) -> int:
        try:
            data = pickle.dumps(outcome)
            if not outcome[0]:
                pickle.loads(data)  # an exception with a constructor of its own may fail only here
        except Exception as reason:
            notes = "".join(getattr(outcome[1], "__notes__", ()))
            error = RuntimeError(f"cannot be pickled: {outcome[1]!r} ({reason})\n{notes}".rstrip())
            data = pickle.dumps((False, error))
        with os.fdopen(os.dup(self._fd), "wb") as file:
            file.write(data)
        return 0
