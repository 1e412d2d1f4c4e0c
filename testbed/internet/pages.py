"""What a site answers over HTTP, whatever the version: one ASGI application."""

import hashlib
import html
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from testbed.model import Host

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BLOCK = bytes(range(256)) * 1024  # byte i of /bytes/N is i mod 256; 256 KiB a write keeps the server fast
MAX_BYTES = 1 << 30
MAX_BYTES_HTTP3 = 64 << 20  # hypercorn holds a whole HTTP/3 answer in memory

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


def host_pages(host: Host, addresses: Sequence[str]) -> Application:
    """`/`, `/bytes/N` and `/upload` of one host; 404 for the rest."""
    return pages(_welcome(host, host.names or tuple(addresses)))


def pages(welcome: bytes) -> Application:
    """The pages of a server that has `welcome` as HTML at `/`."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            await _answer(scope, receive, send, welcome)
        else:  # a WebSocket handshake
            await send({"type": "websocket.close"})

    return application


async def _answer(scope: Scope, receive: Receive, send: Send, welcome: bytes) -> None:
    path, method = scope["path"], scope["method"]
    # Every body is read to its end, needed or not: a client that is not read from looks censored.
    count, digest = await _read(receive, keep_digest=path == "/upload")
    if path == "/upload":
        if method not in {"PUT", "POST"}:
            return await refuse(send, 405, "only PUT and POST here", allow="PUT, POST")
        body = json.dumps({"bytes": count, "sha256": digest}).encode() + b"\n"
        return await reply(send, 200, body, "application/json")
    if path != "/" and not path.startswith("/bytes/"):
        return await refuse(send, 404, "no such page")
    if method not in {"GET", "HEAD"}:
        return await refuse(send, 405, "only GET and HEAD here", allow="GET, HEAD")
    if path == "/":
        return await reply(send, 200, welcome, HTML)
    return await _send_bytes(send, path.removeprefix("/bytes/"), scope)


async def _send_bytes(send: Send, number: str, scope: Scope) -> None:
    limit = MAX_BYTES_HTTP3 if scope["http_version"] == "3" else MAX_BYTES
    # isdecimal alone would let in other scripts' digits, and int() any number of them.
    if not (number.isascii() and number.isdecimal() and len(number) <= 20 and int(number) <= limit):
        return await refuse(send, 400, f"/bytes/N takes a whole number N from 0 to {limit}")
    count = int(number)
    await _start(send, 200, count, "application/octet-stream")
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


def _welcome(host: Host, names: Sequence[str]) -> bytes:
    name = html.escape(names[0])
    listed = "".join(f"<li>{html.escape(other)}</li>" for other in names)
    page = (
        f"<!doctype html><html><head><title>{name}</title></head><body><h1>{name}</h1>"
        f"<p>The site {name} of the emulated Internet, AS{host.asn}, {html.escape(host.country)}.</p>"
        f"<ul>{listed}</ul></body></html>\n"
    )
    return page.encode()
