"""Tries in a world, made as its subscriber: a request through a relay of our own with a strategy's plan."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from testbed.evade.relay import serve_relay
from testbed.evade.strategy import EvadePlan

LIMIT: Final = 8.0  # seconds for one try: our choice; a policer needs one, a reset a tenth
_PORT: Final = 443
_HEAD: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class LiveTry:
    """What a request came to. `speed` is in bits per second, of the answer's body; 0 for a failure."""

    problem: str  # "" if the whole answer came
    ports: tuple[int, ...]  # ours, of the connections to the server
    speed: float = 0.0


def try_all(plans: Sequence[EvadePlan], host: str, size: int, jobs: int) -> list[LiveTry]:
    """Fetch `size` bytes from a host by each plan, so many at once. In the network of this process."""
    return asyncio.run(_all(plans, host, size, jobs))


async def _all(plans: Sequence[EvadePlan], host: str, size: int, jobs: int) -> list[LiveTry]:
    turn = asyncio.Semaphore(jobs)
    context = ssl.create_default_context()

    async def one(plan: EvadePlan) -> LiveTry:
        async with turn:
            return await _try(plan, host, size, context)

    return await asyncio.gather(*map(one, plans))


async def _try(plan: EvadePlan, host: str, size: int, context: ssl.SSLContext) -> LiveTry:
    ports: list[int] = []
    server = await serve_relay("127.0.0.1", 0, plan, ports.append)
    async with server:
        try:
            async with asyncio.timeout(LIMIT):
                speed = await _fetch(server.sockets[0].getsockname()[1], host, size, context)
        except TimeoutError:
            return LiveTry(f"nothing more within {LIMIT:g} s", tuple(ports))
        except (OSError, EOFError, ValueError) as error:
            return LiveTry(str(error) or type(error).__name__, tuple(ports))
    return LiveTry("", tuple(ports), speed)


async def _fetch(port: int, host: str, size: int, context: ssl.SSLContext) -> float:
    """The speed of the answer's body. ValueError for another answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"CONNECT {host}:{_PORT} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        if not (answer := await reader.readuntil(_HEAD)).startswith(b"HTTP/1.1 200"):
            raise ValueError(f"the relay says {answer[9:40]!r}")
        await writer.start_tls(context, server_hostname=host)
        request = f"GET /bytes/{size} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        head = await reader.readuntil(_HEAD)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(f"the server says {head[9:40]!r}")
        begun = time.monotonic()
        await reader.readexactly(size)
        return 8 * size / max(time.monotonic() - begun, 1e-3)
    finally:
        writer.close()
