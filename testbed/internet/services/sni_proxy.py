"""A transparent proxy for TLS: reads the name in the ClientHello, connects to that site, and passes bytes.

Where a lie in DNS leads to one, everything works, with the site's own certificate: only the address is
false.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from testbed.internet.services.base import Listener, Place, PortNumber, ReportReady, Service

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_CHUNK = 65536  # bytes read at once
_RECORD_HEADER = 5  # bytes; the last two are the record's length (RFC 8446 5.1)


@dataclass(frozen=True, slots=True)
class SniProxy(Service):
    """The sites of the world by their names, over IPv4."""

    key: ClassVar[str] = "sni-proxy"

    port: PortNumber = 443
    onward: PortNumber = 443  # of the sites

    def ports(self) -> tuple[Listener, ...]:
        """TCP."""
        return (("tcp", self.port),)

    async def serve(self, place: Place, ready: ReportReady) -> None:
        """Pass each connection on. One that names no site of the world is closed."""
        import asyncio

        from testbed.censor.parsers.tls import ClientHello, client_hello, looks_like_tls
        from testbed.internet.transports import new_failure, serve_streams

        names = place.zone().addresses

        async def converse(reader: "StreamReader", writer: "StreamWriter") -> None:
            header = await reader.readexactly(_RECORD_HEADER)
            if not looks_like_tls(header):
                return
            first = header + await reader.readexactly(int.from_bytes(header[3:], "big"))
            hello = client_hello(first)
            addresses = names.get(hello.server_name or "", ()) if isinstance(hello, ClientHello) else ()
            if not addresses:
                return
            behind, ahead = await asyncio.open_connection(addresses[0], self.onward)
            ahead.write(first)
            try:
                await asyncio.gather(_pass(reader, ahead), _pass(behind, writer))
            finally:
                ahead.close()

        failure = new_failure()
        await serve_streams(place.sockets["tcp", self.port], converse, failure)
        ready()
        await failure


async def _pass(source: "StreamReader", to: "StreamWriter") -> None:
    while data := await source.read(_CHUNK):
        to.write(data)
        await to.drain()
    to.write_eof()
