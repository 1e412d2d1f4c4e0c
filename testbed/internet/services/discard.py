"""Discard (RFC 863): reads everything and answers nothing, over TCP and UDP.

A client meets a server that accepts and stays silent: the control for a censor that drops.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

CHUNK = 65536  # bytes read at once


@dataclass(frozen=True, slots=True)
class Discard(Service):
    """No answer, ever."""

    key: ClassVar[str] = "discard"

    port: PortNumber = 9

    def ports(self) -> tuple[Listener, ...]:
        """TCP and UDP: without a UDP socket the kernel would answer with ICMP."""
        return ("tcp", self.port), ("udp", self.port)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Read until the client closes its side."""
        from testbed.internet.transports import new_failure, serve_datagrams, serve_streams

        failure = new_failure()
        await serve_streams(place.sockets["tcp", self.port], _converse, failure)
        await serve_datagrams(place.sockets["udp", self.port], lambda *_: None, failure)
        ready()
        await failure


async def _converse(reader: "StreamReader", _writer: "StreamWriter") -> None:
    while await reader.read(CHUNK):
        pass
