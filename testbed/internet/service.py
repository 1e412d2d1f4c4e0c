"""How every server of the far side runs: until SIGTERM, then exit status 0 at once."""

import asyncio
import os
import signal
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from testbed.errors import RunInterrupted, TestbedError
from testbed.world import interrupt
from testbed.world.children import Body, Children, Ready

__all__ = ["Ready", "Serve", "run_service", "run_together"]

Serve = Callable[[Ready], Awaitable[None]]

_START = 60.0  # seconds until all are ready; our choice: whoever waits for us gives up sooner
_STOP = 3.0  # seconds until all have ended; our choice: less than whoever stops us waits


def run_service(serve: Serve, ready: Ready) -> NoReturn:
    """Run `serve(ready)` until SIGTERM, then leave the process with status 0.

    `serve` calls `ready` once everything listens and then serves forever. If it ends or raises, the process
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


def run_together(
    bodies: Mapping[str, Body], ready: Ready, later: Callable[[Children], object] = lambda _: None
) -> NoReturn:
    """Run each of `bodies` in a child process; call `ready` when all are; leave at SIGTERM or if one ends.

    `later` is called after that; it may wait, and have more such processes.

    The children are stopped first. The status is 0 only if all of them ended as asked; stderr names those
    that did not.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = 1
    with interrupt.listening(), Children() as children:
        try:
            for name, body in bodies.items():
                children.spawn(name, body)
            children.wait_ready(_START)
            ready()
            later(children)
            children.wait_any()
        except RunInterrupted:
            status = 0
        except TestbedError as error:
            print(error, file=sys.stderr)
        ended = children.stop(_STOP)
        for failed in (one for one in ended.values() if not one.ok):
            print(failed, file=sys.stderr)
            status = 1
    _leave(status)


def _leave(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
