"""What a site answers over HTTP, whatever the version: one ASGI application."""

import hashlib
import html
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any
from zlib import crc32

from testbed.internet.repository import repository_file
from testbed.model import Host

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
FileAt = Callable[[str], bytes | None]  # a file by its path, None if there is none

BLOCK = bytes(range(256)) * 1024  # byte i of /bytes/N is i mod 256; 256 KiB a write keeps the server fast
MAX_BYTES = 1 << 30
MAX_BYTES_HTTP3 = 64 << 20  # hypercorn holds a whole HTTP/3 answer in memory

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
BINARY = "application/octet-stream"
JSON = "application/json"

# Our choice: more than what the freeze of 2025 lets pass (16 KB), as most pages have.
_SMALLEST, _SPREAD = 24_000, 32_000  # bytes
_SENTENCE = "The quick page describes what its readers came for, and a little more besides.\n"


def host_pages(host: Host, addresses: Sequence[str]) -> Application:
    """`/`, `/bytes/N` and `/upload` of one host, 404 for the rest; or its operator's block page for all."""
    if host.block_body:
        return _block_pages(host.block_body.encode())
    names = host.names or tuple(addresses)
    given = host.behaviour

    @cache  # made when it is first asked for: a world has many sites
    def welcome() -> bytes:
        return page(given.title or names[0], _about(host, names), given.size or ordinary_size(names[0]))

    status = given.status or (302 if given.redirect else 200)
    further = {path: text.encode() + b"\n" for path, _, text in (one.partition(" ") for one in given.pages)}

    def file_at(path: str) -> bytes | None:
        found = further.get(path)
        return repository_file(path) if found is None and given.repositories else found

    return pages(welcome, status, given.redirect, file_at)


def ordinary_size(name: str) -> int:
    """Bytes of a site's page, between 24 and 56 kB."""
    return _SMALLEST + crc32(name.encode()) % _SPREAD


def page(title: str, body: str = "", size: int = 0) -> bytes:
    """An HTML page, filled up with text to `size` bytes if it is shorter."""
    shown = html.escape(title)
    head = f"<!doctype html><html><head><title>{shown}</title></head><body><h1>{shown}</h1>{body}"
    lead, tail = f"{head}<p>".encode(), b"</p></body></html>\n"
    missing = size - len(lead) - len(tail)
    if missing <= 0:
        return f"{head}</body></html>\n".encode()
    text = _SENTENCE * (missing // len(_SENTENCE) + 1)
    return lead + text[:missing].encode() + tail


def _no_file(_: str) -> None:
    """A server has no files."""


def pages(
    welcome: Callable[[], bytes], status: int = 200, redirect: str = "", file_at: FileAt = _no_file
) -> Application:
    """The pages of a server that answers `/` with `status`, and `welcome()` as HTML or a redirect."""
    location = {"location": redirect} if redirect else {}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        # Every body is read to its end, needed or not: a client that is not read from looks censored.
        count, digest = await _read(receive, keep_digest=path == "/upload")
        if path == "/upload":
            if method not in {"PUT", "POST"}:
                return await refuse(send, 405, "only PUT and POST here", allow="PUT, POST")
            body = json.dumps({"bytes": count, "sha256": digest}).encode() + b"\n"
            return await reply(send, 200, body, JSON)
        file = file_at(path)
        if file is None and path != "/" and not path.startswith("/bytes/"):
            return await refuse(send, 404, "no such page")
        if method not in {"GET", "HEAD"}:
            return await refuse(send, 405, "only GET and HEAD here", allow="GET, HEAD")
        if file is not None:
            kind = JSON if file[:1] in (b"{", b"[") else TEXT if file.isascii() else BINARY
            return await reply(send, 200, file, kind)
        if path == "/":
            return await reply(send, status, page(f"{status}") if redirect else welcome(), HTML, **location)
        return await _send_bytes(send, path.removeprefix("/bytes/"), scope)

    return _application(answer)


def _block_pages(body: bytes) -> Application:
    """The block page under every path. Without Content-Length, which would make it resemble other answers:
    OONI compares the names of headers.
    """

    async def answer(_: Scope, receive: Receive, send: Send) -> None:
        await _read(receive, keep_digest=False)
        headers = [(b"content-type", HTML.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return _application(answer)


def _application(answer: Application) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            await answer(scope, receive, send)
        else:  # a WebSocket handshake
            await send({"type": "websocket.close"})

    return application


async def _send_bytes(send: Send, number: str, scope: Scope) -> None:
    limit = MAX_BYTES_HTTP3 if scope["http_version"] == "3" else MAX_BYTES
    # isdecimal alone would let in other scripts' digits, and int() any number of them.
    if not (number.isascii() and number.isdecimal() and len(number) <= 20 and int(number) <= limit):
        return await refuse(send, 400, f"/bytes/N takes a whole number N from 0 to {limit}")
    count = int(number)
    await _start(send, 200, count, BINARY)
    if scope["method"] == "HEAD":
        count = 0
    while count > len(BLOCK):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
        count -= len(BLOCK)
    return await send({"type": "http.response.body", "body": BLOCK[:count]})


async def _read(receive: Receive, *, keep_digest: bool) -> tuple[int, str]:
    count, digest, more = 0, hashlib.sha256(), True
    while more:
        message = await receive()
        part = message.get("body", b"")
        count += len(part)
        if keep_digest:
            digest.update(part)
        more = message.get("more_body", False)
    return count, digest.hexdigest()


async def reply(send: Send, status: int, body: bytes, kind: str, **headers: str) -> None:
    """Send a whole answer. The server leaves the body out for HEAD."""
    await _start(send, status, len(body), kind, **headers)
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, reason: str, **headers: str) -> None:
    """Send an error with its reason as text."""
    await reply(send, status, f"{reason}\n".encode(), TEXT, **headers)


async def _start(send: Send, status: int, length: int, kind: str, **headers: str) -> None:
    fields = {"content-type": kind, "content-length": str(length)} | headers
    encoded = [(name.encode().replace(b"_", b"-"), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge lifespan events."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _about(host: Host, names: Sequence[str]) -> str:
    listed = "".join(f"<li>{html.escape(other)}</li>" for other in names)
    place = f"AS{host.asn}, {html.escape(host.country)}"
    return f"<p>The site {html.escape(names[0])} of the emulated Internet, {place}.</p><ul>{listed}</ul>"
