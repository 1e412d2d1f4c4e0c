"""Tries in a world, made as its subscriber: a client through a relay with a strategy's plan, or over UDP."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from testbed.evade.relay import serve_relay
from testbed.evade.segment import Flight
from testbed.evade.strategy import EvadePlan
from testbed.matrix.contender import LineKind

LIMIT: Final = 8.0  # seconds for one try: our choice; a policer needs one, a reset a tenth


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, and how: a client of `testbed.matrix.tcpclients`, or a form of QUIC or of a call."""

    kind: LineKind = "tls"
    client: str = "openssl"
    how: str = ""  # of quic and voice
    plan: EvadePlan = field(default_factory=EvadePlan)


@dataclass(frozen=True, slots=True)
class LiveTry:
    """What a try came to. `speed` is in bits per second, of what came back; 0 for a failure."""

    problem: str  # "" if the whole answer came
    ports: tuple[int, ...]  # ours, of the connections to the server
    speed: float = 0.0
    flights: tuple[Flight, ...] = ()  # what left first in each connection


def try_all(asks: Sequence[Ask], host: str, size: int, jobs: int) -> list[LiveTry]:
    """Ask a host for `size` bytes in each way, so many at once. In the network of this process."""
    return asyncio.run(_all(asks, host, size, jobs))


async def _all(asks: Sequence[Ask], host: str, size: int, jobs: int) -> list[LiveTry]:
    turn = asyncio.Semaphore(jobs)

    async def one(ask: Ask) -> LiveTry:
        async with turn:
            ports: list[int] = []
            flights: list[Flight] = []
            try:
                async with asyncio.timeout(LIMIT):
                    speed = await _asked(ask, host, size, ports.append, flights.append)
            except TimeoutError:
                return LiveTry(f"nothing more within {LIMIT:g} s", tuple(ports), 0.0, tuple(flights))
            except (OSError, EOFError, ValueError) as error:
                return LiveTry(_said(error), tuple(ports), 0.0, tuple(flights))
            return LiveTry("", tuple(ports), speed, tuple(flights))

    return await asyncio.gather(*map(one, asks))


def _said(error: Exception) -> str:
    if isinstance(error, ConnectionResetError):
        return "reset"
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection ended before the answer was whole"
    return str(error) or type(error).__name__


async def _asked(
    ask: Ask, host: str, size: int, opened: Callable[[int], None], sent: Callable[[Flight], None]
) -> float:
    """The speed of what came. OSError, EOFError or ValueError for a failure, TimeoutError for silence."""
    if ask.kind == "quic":
        from testbed.matrix.quicclient import fetch_quic

        return await fetch_quic(ask.how, host, size, opened)
    if ask.kind == "voice":
        from testbed.matrix.voicecall import call

        return await call(ask.how, opened)
    from testbed.matrix.tcpclients import fetching

    server = await serve_relay("127.0.0.1", 0, ask.plan, opened, sent)
    async with server:
        return await fetching(ask.client)(server.sockets[0].getsockname()[1], host, size)


class Stopwatch:
    """Bits per second since it was made."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def speed(self, size: int) -> float:
        """Of so many bytes."""
        return 8 * size / max(time.monotonic() - self._begun, 1e-3)


Fetch = Callable[[int, str, int], Awaitable[float]]
"""Of the relay's port, a host and a size: the speed."""
