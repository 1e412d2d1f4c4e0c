"""Asking a resolver for addresses: over UDP or TCP (RFC 1035), TLS (RFC 7858) or HTTPS (RFC 8484)."""

import asyncio
import ssl
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
    from dns.message import make_query

    answer = await _exchanged(resolver, make_query(name, kind))
    return [one.address for each in answer.answer for one in each if hasattr(one, "address")]


async def _exchanged(resolver: AskedResolver, query: "Message") -> "Message":
    from dns import asyncquery

    host, port = resolver.host, resolver.port
    if resolver.scheme == "https":
        return await _over_https(resolver, query)
    [(*_, at), *_] = await asyncio.get_running_loop().getaddrinfo(host, port)
    place = str(at[0])
    if resolver.scheme == "tls":
        return await asyncquery.tls(query, place, port=port, server_hostname=host)
    if resolver.scheme == "tcp":
        return await asyncquery.tcp(query, place, port=port)
    return await asyncquery.udp(query, place, port=port)


async def _over_https(resolver: AskedResolver, query: "Message") -> "Message":
    from dns.message import from_wire

    query.id = 0  # RFC 8484 section 4.1
    tls = ssl.create_default_context()
    reader, writer = await asyncio.open_connection(resolver.host, resolver.port, ssl=tls)
    try:
        answer = from_wire(await _posted(reader, writer, query.to_wire(), resolver))
    finally:
        writer.close()
    if not query.is_response(answer):
        raise OSError(f"{resolver.host} answered something else")
    return answer


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
