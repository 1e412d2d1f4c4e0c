"""Asking a resolver for addresses: over UDP or TCP (RFC 1035), TLS (RFC 7858) or HTTPS (RFC 8484)."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from testbed.evade.resolverurl import AskedResolver

if TYPE_CHECKING:
    from dns.message import Message

_WITHIN: Final = 4.0  # seconds for an answer: our choice
_MOST: Final = 65536  # bytes in a read: our choice


async def addresses_from(resolver: AskedResolver, name: str) -> list[str]:
    """Of a name: the IPv4 ones, without any the IPv6 ones. OSError without an answer that has some."""
    from dns.exception import DNSException

    try:
        async with asyncio.timeout(_WITHIN):
            found = await _asked(resolver, name, "A") or await _asked(resolver, name, "AAAA")
    except (DNSException, TimeoutError, EOFError) as error:
        raise OSError(f"{resolver.host} does not say where {name} is: {error}") from error
    if not found:
        raise OSError(f"{resolver.host} says that {name} has no address")
    return found


async def _asked(resolver: AskedResolver, name: str, kind: str) -> list[str]:
    import dns.message

    query = dns.message.make_query(name, kind)
    answer = dns.message.from_wire(await _exchanged(resolver, query))
    if not query.is_response(answer):
        raise OSError(f"{resolver.host} answered something else")
    return [one.address for each in answer.answer for one in each if hasattr(one, "address")]


async def _exchanged(resolver: AskedResolver, query: "Message") -> bytes:
    host, port = resolver.host, resolver.port
    if resolver.scheme == "udp":
        return await _datagram(query.to_wire(), host, port)
    if resolver.scheme == "https":
        query.id = 0  # RFC 8484 section 4.1
    tls = None if resolver.scheme == "tcp" else ssl.create_default_context()
    async with _connected(host, port, tls) as (reader, writer):
        if resolver.scheme == "https":
            return await _posted(reader, writer, query.to_wire(), resolver)
        writer.write(query.to_wire(prepend_length=True))
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


@asynccontextmanager
async def _connected(
    host: str, port: int, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _datagram(query: bytes, host: str, port: int) -> bytes:
    """The first datagram that comes back from there, whoever sent it."""
    loop = asyncio.get_running_loop()
    got: asyncio.Future[bytes] = loop.create_future()

    class Awaiting(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            if not got.done():
                got.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Awaiting, remote_addr=(host, port))
    try:
        transport.sendto(query)
        return await got
    finally:
        transport.close()


async def _posted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query: bytes, resolver: AskedResolver
) -> bytes:
    """Over HTTP/1.1. OSError for another status than 200."""
    import h11

    kind = "application/dns-message"
    headers = [
        ("Host", resolver.host),
        ("Content-Type", kind),
        ("Accept", kind),
        ("Content-Length", str(len(query))),
    ]
    speaker = h11.Connection(h11.CLIENT)
    for event in (
        h11.Request(method="POST", target=resolver.path, headers=headers),
        h11.Data(query),
        h11.EndOfMessage(),
    ):
        writer.write(speaker.send(event) or b"")
    body = b""
    while not isinstance(came := speaker.next_event(), h11.EndOfMessage):
        if came is h11.NEED_DATA:
            speaker.receive_data(await reader.read(_MOST))
        elif isinstance(came, h11.Response) and came.status_code != 200:
            raise OSError(f"{resolver.host} answered with HTTP status {came.status_code}")
        elif isinstance(came, h11.Data):
            body += came.data
        elif isinstance(came, h11.ConnectionClosed):
            raise EOFError("it ended before its answer was whole")
    return body
