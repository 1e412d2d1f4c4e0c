"""The proxy between a client and a server on loopback: what arrives, and what the client is told."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from testbed.evade.relay import serve_relay
from testbed.evade.strategy import parse_plan

from .hellos import hello

HELLO = hello()


def talk(ask: Callable[[int], bytes], *texts: str) -> tuple[bytes, list[bytes]]:
    """Send what `ask` makes of the server's port, then a hello, through the proxy.

    What the client got, and what the server read, one entry for each segment as it came.
    """
    arrived: list[bytes] = []

    async def run() -> bytes:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while sum(map(len, arrived)) < len(HELLO):
                arrived.append(await reader.read(1 << 16))
                await asyncio.sleep(0)
            writer.write(b"welcome")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        relay = await serve_relay("127.0.0.1", 0, parse_plan(texts))
        port, at = (one.sockets[0].getsockname()[1] for one in (server, relay))
        async with server, relay:
            got = await _client(at, ask(port))
            await _idle()
        return got

    return asyncio.run(run()), arrived


async def _idle() -> None:
    """Until no conversation goes on."""
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # transports close one turn of the loop later


async def _client(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    writer.write(HELLO)
    found = await asyncio.wait_for(reader.read(-1), 20)
    writer.close()
    return found


def socks(port: int) -> bytes:
    return b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2, "big")


def by_name(port: int) -> bytes:
    return b"\x05\x01\x00" + b"\x05\x01\x00\x03\x09localhost" + port.to_bytes(2, "big")


def connect(port: int) -> bytes:
    return f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize("ask", [socks, by_name])
def test_socks(ask):
    got, arrived = talk(ask)
    assert got == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6) + b"welcome"
    assert b"".join(arrived) == HELLO


def test_http_connect():
    got, arrived = talk(connect)
    assert got == b"HTTP/1.1 200 Connection established\r\n\r\nwelcome"
    assert b"".join(arrived) == HELLO


def test_a_strategy_is_used_towards_the_server():
    _, arrived = talk(socks, "records")
    assert b"".join(arrived) == parse_plan(["records"]).flight(HELLO)[0].data
    assert b"".join(arrived) != HELLO


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda port: socks(closed_port()), b"\x05\x00\x05\x05\x00\x01"),  # refused
        (lambda port: b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x05\x00\x05\x07"),  # BIND
        (lambda port: connect(closed_port()), b"HTTP/1.1 502 Bad Gateway"),
        (lambda port: b"GET / HTTP/1.1\r\nHost: x:1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
    ],
)
def test_what_cannot_be_is_said(ask: Callable[[int], bytes], said: bytes):
    async def run() -> bytes:
        relay = await serve_relay("127.0.0.1", 0, parse_plan([]))
        async with relay:
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.sockets[0].getsockname()[1])
            writer.write(ask(0))
            found = await asyncio.wait_for(reader.read(-1), 20)
            writer.close()
            await _idle()
            return found

    waiting: Awaitable[bytes] = run()
    assert asyncio.run(waiting).startswith(said)
