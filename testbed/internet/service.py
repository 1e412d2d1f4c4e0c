"""How every server of the far side runs: until SIGTERM, then exit status 0 at once."""

import asyncio
import os
import signal
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from testbed.world.linux import die_with_parent

Ready = Callable[[], None]
Run = Callable[[Ready], None]
Serve = Callable[[Ready], Awaitable[None]]


def run_service(serve: Serve, ready: Ready) -> NoReturn:
    """Run `serve(ready)` until SIGTERM, then leave the process with status 0.

    `serve` calls `ready` once everything listens and then serves for ever. If it ends or raises, the process
    leaves with status 1 and the traceback on stderr: a server that is gone makes the run invalid. SIGINT is
    ignored, for Ctrl-C at the user's terminal is meant for the program under test.
    """
    status = 1
    try:
        # The loop is never closed: that would wait for every client's TLS close_notify.
        asyncio.new_event_loop().run_until_complete(_until_terminated(serve, ready))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(status)


async def _until_terminated(serve: Serve, ready: Ready) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.set_exception_handler(_log_unless_broken_connection)
    serving = asyncio.ensure_future(serve(ready))
    terminated = asyncio.ensure_future(stop.wait())
    await asyncio.wait({serving, terminated}, return_when=asyncio.FIRST_COMPLETED)
    if not terminated.done():
        serving.result()  # raises what went wrong
        raise RuntimeError("the server ended without being asked to")


def _log_unless_broken_connection(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Connections that censors or clients break are what this laboratory is for; the rest goes to the log."""
    if not isinstance(context.get("exception"), OSError | ssl.SSLError | TimeoutError):
        loop.default_exception_handler(context)


def run_together(runs: dict[str, Run], ready: Ready) -> NoReturn:
    """Run each of them in a child process; call `ready` when all are ready; end when told, or when one ends.

    The children get SIGTERM with the parent, and SIGKILL if it dies otherwise.
    """
    told, tell = os.pipe()
    children = {_fork(run, told, tell): name for name, run in runs.items()}
    os.close(tell)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _end(children, 0))
    missing = len(children)
    while missing and (told_now := os.read(told, missing)):
        missing -= len(told_now)
    if not missing:
        ready()
    child, status = os.wait()
    name = children.pop(child)
    print(f"{name}: ended with status {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
    _end(children, 1)


def _fork(run: Run, told: int, tell: int) -> int:
    parent = os.getpid()
    if child := os.fork():
        return child
    try:
        die_with_parent()
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        os.close(told)
        run(lambda: _tell(tell))
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(1)


def _tell(tell: int) -> None:
    os.write(tell, b".")
    os.close(tell)


def _end(children: dict[int, str], status: int) -> NoReturn:
    for child in children:
        os.kill(child, signal.SIGTERM)
    _leave(status)


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
