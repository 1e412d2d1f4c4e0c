"""Echo (RFC 862): sends back what it receives, over TCP and UDP. For tests of a path without a protocol."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

CHUNK = 65536  # bytes read at once


@dataclass(frozen=True, slots=True)
class Echo(Service):
    """The same bytes back."""

    key: ClassVar[str] = "echo"

    port: PortNumber = 7

    def ports(self) -> tuple[Listener, ...]:
        """TCP and UDP."""
        return ("tcp", self.port), ("udp", self.port)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Echo until the client closes its side."""
        from testbed.internet.transports import new_failure, serve_datagrams, serve_streams

        failure = new_failure()
        await serve_streams(place.sockets["tcp", self.port], _converse, failure)
        await serve_datagrams(place.sockets["udp", self.port], lambda data, _: data, failure)
        ready()
        await failure


async def _converse(reader: "StreamReader", writer: "StreamWriter") -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
