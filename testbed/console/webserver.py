"""The console's server: on loopback only, until its worlds have ended or a signal ends it."""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from testbed.console.seats import Seats
from testbed.console.webapp import app, require_assets
from testbed.console.worldfeed import WorldFeed, first_glance
from testbed.errors import InputError

ADDRESS: Final = "127.0.0.1"
_LONGEST_MESSAGE: Final = 65_536  # bytes of a WebSocket message; our choice: what a person pastes
_FAREWELL: Final = 1.5  # seconds in which pages learn that their world has ended; our choice


@dataclass(frozen=True, slots=True)
class Served:
    """How a console came to its end."""

    ended: bool  # the world ended, rather than the console
    words: str


def serve_worlds(names: Sequence[str], port: int, tell: Callable[[str], object]) -> Served:
    """Serve the page of each world until all have ended, or a signal comes. `tell` is given lines to print.

    Each line of standard input asks for new links, which take a page over from another browser.

    Errors: InputError for a world that does not exist, or a port that cannot be had; UnsupportedError if the
    page is not built.
    """
    require_assets()
    listener = listener_at(ADDRESS, port)
    with listener:
        return asyncio.run(_serve(names, listener, tell))


def listener_at(address: str, port: int) -> socket.socket:
    """A socket that listens there. InputError if it cannot."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((address, port))
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError.at(
                "--listen", f"{address}: {error.strerror}", "give an address of this machine"
            ) from error
        raise InputError.at("--port", f"{port}: {error.strerror}", "leave it out, or name another") from error
    made.listen(64)
    return made


async def _serve(names: Sequence[str], listener: socket.socket, tell: Callable[[str], object]) -> Served:
    port = listener.getsockname()[1]
    feeds = {name: await first_glance(name) for name in names}
    seats = Seats()
    over = asyncio.Event()
    web = app(feeds, seats, [f"{ADDRESS}:{port}", f"localhost:{port}"], over.set)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)

    def links() -> None:
        for name in names:
            tell(f"http://{ADDRESS}:{port}/w/{name}/enter?token={seats.issue(name)}")

    tell("open this link; it works once, for one browser:")
    links()
    with suppress(OSError, ValueError):
        _on_line(loop, links)
    watching = asyncio.create_task(_until_ended(list(feeds.values()), over))
    try:
        await hypercorn_serve(web, quiet_config(listener), shutdown_trigger=over.wait, mode="asgi")  # type: ignore[arg-type]
    finally:
        watching.cancel()
    ended = all(feed.ended is not None for feed in feeds.values())
    words = [f"world {one.name} has ended by {one.ended['by']}" for one in feeds.values() if one.ended]
    return Served(ended, "; ".join(words))


def _on_line(loop: asyncio.AbstractEventLoop, links: Callable[[], object]) -> None:
    """Whenever Enter is pressed, new links."""
    if not sys.stdin.isatty():
        return
    number = sys.stdin.fileno()

    def read() -> None:
        if os.read(number, 4096):
            links()
        else:
            loop.remove_reader(number)

    loop.add_reader(number, read)


async def _until_ended(feeds: Sequence[WorldFeed], over: asyncio.Event) -> None:
    while not all(feed.ended is not None for feed in feeds):
        await asyncio.sleep(0.2)
    await asyncio.sleep(_FAREWELL)
    over.set()


def quiet_config(listener: socket.socket) -> Config:
    """Hypercorn's settings for a page of ours: no log of links, short waits at the end."""
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.include_server_header = False
    config.accesslog = None
    config.loglevel = "ERROR"
    config.websocket_max_message_size = _LONGEST_MESSAGE
    config.h11_max_incomplete_size = 16_384
    config.graceful_timeout = 0.5
    config.shutdown_timeout = 1.0
    return config
