"""DNS over HTTPS (RFC 8484) as an ASGI application."""

import base64
import binascii
import html
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from testbed.internet.pages import Application, Receive, Scope, Send, pages, refuse, reply
from testbed.internet.transports import Respond

PATH = "/dns-query"
MESSAGE = "application/dns-message"
MAX_QUERY = 65535  # bytes, of any DNS message


def resolver_pages(name: str, respond: Respond) -> Application:
    """`/dns-query` by GET and POST for the resolver `name`; the rest is an ordinary web server."""
    title = html.escape(name)
    page = f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    others = pages(page.encode())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await _resolve(scope, receive, send, respond)
        else:
            await others(scope, receive, send)

    return application


async def _resolve(scope: Scope, receive: Receive, send: Send, respond: Respond) -> None:
    body = await _read(receive)
    method = scope["method"]
    if method not in {"GET", "HEAD", "POST"}:
        return await refuse(send, 405, "only GET and POST here", allow="GET, HEAD, POST")
    if len(body) > MAX_QUERY:
        return await refuse(send, 413, f"a DNS message has at most {MAX_QUERY} bytes")
    if method == "POST":
        if _header(scope, b"content-type") != MESSAGE.encode():
            return await refuse(send, 415, f"the content type must be {MESSAGE}")
        query = body
    else:
        query = _from_url(scope["query_string"])
    found = respond(query)
    if found is None:
        return await refuse(send, 400, "not a DNS query: POST one, or GET ?dns= with one in base64url")
    return await reply(send, 200, found, MESSAGE, cache_control="max-age=300")


def _from_url(query_string: bytes) -> bytes:
    text = parse_qs(query_string.decode("latin-1")).get("dns", [""])[0]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _header(scope: Mapping[str, Any], key: bytes) -> bytes:
    return next((value.strip() for name, value in scope["headers"] if name == key), b"")


async def _read(receive: Receive) -> bytes:
    """The body, and of one that is too long the first part; to its end in any case (see `pages`)."""
    body, more = b"", True
    while more:
        message = await receive()
        if len(body) <= MAX_QUERY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
