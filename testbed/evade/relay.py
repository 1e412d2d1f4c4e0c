"""A proxy: SOCKS 5 (RFC 1928, CONNECT alone) and HTTP CONNECT (RFC 9110 section 9.3.6) on one port.

Transparent, it also takes connections that were meant for others, and asks the kernel for whom.

What the client sends first leaves in the pieces of a plan; everything after it passes as it comes.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from testbed.evade.askresolver import addresses_from
from testbed.evade.hello import HANDSHAKE, RECORD_HEADER
from testbed.evade.rawsend import send_flight
from testbed.evade.resolverurl import AskedResolver
from testbed.evade.segment import Flight
from testbed.evade.strategy import EvadePlan

_CHUNK = 65536
_MOST_HEAD = 16384  # bytes of an HTTP head; our choice
_SOCKS = 5
_OK, _FAILED, _NETWORK, _HOST, _REFUSED, _NO_COMMAND, _NO_KIND = 0, 1, 3, 4, 5, 7, 8  # RFC 1928 section 6
_REPLIES = {errno.ENETUNREACH: _NETWORK, errno.EHOSTUNREACH: _HOST, errno.ECONNREFUSED: _REFUSED}
_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h
_FIRST_WITHIN = 2.0  # seconds for a whole first record: our choice

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _RefusedError(Exception):
    """The client asks for something else than a connection; the number of RFC 1928's reply."""


async def serve_relay(
    host: str,
    port: int,
    plan: EvadePlan,
    opened: Callable[[int], None] = lambda _: None,
    sent: Callable[[Flight], None] = lambda _: None,
    *,
    transparent: bool = False,
) -> asyncio.Server:
    """A proxy that listens there and uses `plan` towards servers. OSError if it cannot listen.

    `opened` is called with our port of each connection to a server, `sent` with what left first in it.
    `transparent`: connections that the kernel redirects here go on to where they were meant to go.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given_up = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError)
        with suppress(OSError, ValueError, *given_up):  # asyncio of 3.11 prints a cancelled conversation
            meant = _meant_for(writer) if transparent else None
            await _converse((reader, writer), plan, opened, sent, meant)
        with suppress(OSError):
            writer.close()

    return await asyncio.start_server(converse, host, port, limit=_MOST_HEAD)


async def _converse(
    client: Streams,
    plan: EvadePlan,
    opened: Callable[[int], None],
    sent: Callable[[Flight], None],
    meant: tuple[str, int] | None,
) -> None:
    first = b"" if meant else await client[0].readexactly(1)
    socks = first[:1] == bytes([_SOCKS])
    try:
        host, port = meant or await (_socks_request(client) if socks else _http_request(client, first))
        server = await _open(host, port, None if meant else plan.resolver)
    except _RefusedError as refused:
        await _reply(client[1], refused.args[0], socks=socks)
        return
    except OSError as error:
        if meant:
            return
        await _reply(client[1], _REPLIES.get(error.errno or 0, _FAILED), socks=socks)
        return
    try:
        opened(server[1].get_extra_info("sockname")[1])
        if not meant:
            await _reply(client[1], _OK, socks=socks)
        server[1].get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_up(client[0], server[1], plan, sent), _pump(server[0], client[1]))
    finally:
        server[1].close()


async def _open(host: str, port: int, resolver: AskedResolver | None) -> Streams:
    """A connection to the server, where `resolver` says that it is. OSError of the last address."""
    if resolver is None or _is_address(host):
        return await asyncio.open_connection(host, port)
    *others, last = await addresses_from(resolver, host)
    for address in others:
        with suppress(OSError):
            return await asyncio.open_connection(address, port)
    return await asyncio.open_connection(last, port)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _meant_for(client: asyncio.StreamWriter) -> tuple[str, int] | None:
    """Where a redirected connection was to go (SO_ORIGINAL_DST); None for one that was meant for us."""
    sock: socket.socket = client.get_extra_info("socket")
    six = sock.family == socket.AF_INET6
    try:
        found = sock.getsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP, _ORIGINAL_DST, 28)
    except OSError:  # nothing was redirected
        return None
    address = found[8:24] if six else found[4:8]
    place = str(ip_address(address)), int.from_bytes(found[2:4], "big")
    return None if place == sock.getsockname()[:2] else place


async def _socks_request(client: Streams) -> tuple[str, int]:
    reader, writer = client
    await reader.readexactly((await reader.readexactly(1))[0])  # the methods: whichever, we take none
    writer.write(bytes([_SOCKS, 0]))
    _, command, _, kind = await reader.readexactly(4)
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    elif kind in (1, 4):
        host = str(ip_address(await reader.readexactly(4 if kind == 1 else 16)))
    else:
        raise _RefusedError(_NO_KIND)
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != 1:
        raise _RefusedError(_NO_COMMAND)
    return host, port


async def _http_request(client: Streams, first: bytes) -> tuple[str, int]:
    head = first + await client[0].readuntil(b"\r\n\r\n")
    method, authority, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
    host, _, port = authority.rpartition(":")
    if method != "CONNECT" or not port.isdecimal():
        raise _RefusedError(_NO_COMMAND)
    return host.strip("[]"), int(port)


async def _reply(writer: asyncio.StreamWriter, number: int, *, socks: bool) -> None:
    if socks:
        writer.write(bytes([_SOCKS, number, 0, 1]) + bytes(6))
    else:
        status = {_OK: "200 Connection established", _NO_COMMAND: "405 Method Not Allowed"}
        writer.write(f"HTTP/1.1 {status.get(number, '502 Bad Gateway')}\r\n\r\n".encode())
    await writer.drain()


async def _up(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    plan: EvadePlan,
    sent: Callable[[Flight], None],
) -> None:
    if plan.steps:
        await _send_first(reader, writer, plan, sent)
    await _pump(reader, writer)


async def _send_first(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    plan: EvadePlan,
    sent: Callable[[Flight], None],
) -> None:
    """What the client sends first, as the plan says: each piece a write, or packets of our own making."""
    flight = plan.flight(await _first_of(reader))
    sent(flight)
    if plan.forged:
        send_flight(writer, flight)
        return
    for one in flight:
        writer.write(one.data)
        await writer.drain()


async def _first_of(reader: asyncio.StreamReader) -> bytes:
    """The first read, and if a TLS record begins it, all of that record."""
    data = await reader.read(_CHUNK)
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_WITHIN):
            while data[:1] == bytes([HANDSHAKE]) and len(data) < _length(data):
                if not (more := await reader.read(_CHUNK)):
                    break
                data += more
    return data


def _length(data: bytes) -> int:
    """Of the first record with its header, as far as `data` says."""
    return RECORD_HEADER + (int.from_bytes(data[3:5], "big") if len(data) >= RECORD_HEADER else 0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of one direction; an error of either end ends both."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
