"""Clients over TCP, which go through a relay of ours: this Python's OpenSSL, plain HTTP, browsers' stacks."""

import asyncio
import ssl
from functools import cache, partial
from importlib.util import find_spec
from typing import Final

from testbed.matrix.livetry import LIMIT, Fetch, Stopwatch
from testbed.shapes.opensslclient import openssl_client

_HEAD: Final = b"\r\n\r\n"
_BROWSERS: Final = {"chrome": "chrome", "firefox": "firefox", "safari": "safari"}  # curl_cffi's names
_ENCRYPTED: Final = {"ech": True, "ech-off": False}
_PADDING: Final = tuple(f"padding-{number:03}-".ljust(200, "x") for number in range(7))


def lacking(client: str) -> str:
    """Why a client cannot be had here; "" if it can."""
    if client in _BROWSERS:
        return "" if find_spec("curl_cffi") else "curl_cffi is not installed (pip install curl_cffi)"
    return "" if client in CLIENTS else f"live, the clients are {', '.join(CLIENTS)}, quic and voice"


def fetching(client: str) -> Fetch:
    """How a client fetches, by its name."""
    if client in _BROWSERS:
        return partial(_by_browser, _BROWSERS[client])
    if client in _ENCRYPTED:
        return partial(_by_ech, _ENCRYPTED[client])
    return _by_http if client == "http" else partial(_by_tls, client)


async def _by_tls(client: str, port: int, host: str, size: int) -> float:
    reader, writer = await _connected(port, host, 443)
    try:
        await writer.start_tls(_context(client), server_hostname=host)
        writer.write(_request(host, size))
        return await _answer(reader, size)
    finally:
        writer.close()


async def _by_ech(hidden: bool, port: int, host: str, size: int) -> float:  # noqa: FBT001 (bound by name)
    """Through the front: in the inner hello is the site's name, for which the certificate is checked."""
    from testbed.internet.tls13 import DATA
    from testbed.matrix.echclient import PUBLIC_NAME, shaken, trusted_here

    reader, writer = await _connected(port, PUBLIC_NAME, 443)
    try:
        stream = await shaken(reader, writer, host, trusted_here(), hidden=hidden)
        stream.send(DATA, _request(host, size))
        return await _answer(stream.reading(), size)
    finally:
        writer.close()


async def _by_http(port: int, host: str, size: int) -> float:
    reader, writer = await _connected(port, host, 80)
    try:
        writer.write(_request(host, size))
        return await _answer(reader, size)
    finally:
        writer.close()


async def _by_browser(browser: str, port: int, host: str, size: int) -> float:
    """By curl_cffi, whose ClientHello is the browser's own, with a post-quantum key where that has one."""
    from curl_cffi.requests import AsyncSession, RequestsError

    # It speaks HTTP/2 as the browser does; a box sees the same ClientHello.
    async with AsyncSession(
        impersonate=browser,
        proxy=f"socks5h://127.0.0.1:{port}",
        verify=ssl.get_default_verify_paths().cafile or True,  # libcurl takes a file
        timeout=LIMIT,
    ) as session:
        try:
            answer = await session.get(f"https://{host}/bytes/{size}", stream=True)
            watch = Stopwatch()
            body = await answer.acontent()
        except RequestsError as error:
            raise ValueError(str(error).partition(". See ")[0]) from error
        if answer.status_code != 200 or len(body) != size:
            raise ValueError(f"the server says {answer.status_code}, {len(body)} bytes")
        return watch.speed(size)


async def _connected(
    port: int, host: str, server_port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"CONNECT {host}:{server_port} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = await reader.readuntil(_HEAD)
    if not answer.startswith(b"HTTP/1.1 200"):
        writer.close()
        raise ValueError(f"the relay says {answer[9:40]!r}")
    return reader, writer


def _request(host: str, size: int) -> bytes:
    return f"GET /bytes/{size} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader, size: int) -> float:
    """The speed of the answer's body. ValueError for another answer."""
    head = await reader.readuntil(_HEAD)
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(f"the server says {head[9:40]!r}")
    watch = Stopwatch()
    await reader.readexactly(size)
    return watch.speed(size)


@cache  # reading a bundle takes longer than a handshake
def _context(client: str) -> ssl.SSLContext:
    least, most, padding = _FETCHES[client]
    context = openssl_client(None, "http/1.1", *padding)
    context.minimum_version, context.maximum_version = least, most
    return context


_TLS12, _TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
_FETCHES: Final = {
    "openssl": (_TLS12, _TLS13, ()),
    "tls12": (_TLS12, _TLS12, ()),
    "tls13": (_TLS13, _TLS13, ()),
    "padded": (_TLS12, _TLS13, _PADDING),  # longer than a segment, as a browser's with a post-quantum key
}
CLIENTS: Final = (*_FETCHES, *_BROWSERS, *_ENCRYPTED, "http")
