"""DNS over HTTPS as an ASGI application: messages (RFC 8484) and JSON."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from testbed.internet.dnsjson import json_of, question_of
from testbed.internet.pages import Application, Receive, Scope, Send, page, pages, refuse, reply
from testbed.internet.transports import Respond, settled

PATH = "/dns-query"
JSON_PATH = "/resolve"  # Google's; others answer JSON at PATH to a question by name
MESSAGE, JSON = "application/dns-message", "application/dns-json"
# The second one is of the drafts before RFC 8484; old clients send it. A reply has the type of its query.
MESSAGES = (MESSAGE, "application/dns-udpwireformat")
MAX_QUERY = 65535  # bytes, of any DNS message
CACHED = "max-age=300"


def resolver_pages(name: str, respond: Respond) -> Application:
    """`/dns-query` and `/resolve` of the resolver `name`; the rest is an ordinary web server."""
    others = pages(lambda: page(name))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in {PATH, JSON_PATH}:
            await _resolve(scope, receive, send, respond)
        else:
            await others(scope, receive, send)

    return application


async def _resolve(scope: Scope, receive: Receive, send: Send, respond: Respond) -> None:
    body = await _read(receive)
    method, parameters = scope["method"], parse_qs(scope["query_string"].decode("latin-1"))
    as_json = scope["path"] == JSON_PATH or "name" in parameters
    if method not in {"GET", "HEAD"} and (as_json or method != "POST"):
        allowed = "GET, HEAD" if as_json else "GET, HEAD, POST"
        return await refuse(send, 405, f"only {allowed} here", allow=allowed)
    if as_json:
        return await _resolve_json(parameters, send, respond)
    if len(body) > MAX_QUERY:
        return await refuse(send, 413, f"a DNS message has at most {MAX_QUERY} bytes")
    kind = _header(scope, b"content-type") if method == "POST" else parameters.get("ct", [MESSAGE])[0]
    if kind not in MESSAGES:
        return await refuse(send, 415, f"the content type must be {MESSAGE}")
    query = body if method == "POST" else _from_url(parameters.get("dns", [""])[0])
    found = await settled(respond(query))
    if found is None:
        return await refuse(send, 400, "not a DNS query: POST one, or GET ?dns= with one in base64url")
    return await reply(send, 200, found, kind, cache_control=CACHED)


async def _resolve_json(parameters: Mapping[str, list[str]], send: Send, respond: Respond) -> None:
    try:
        query = question_of(parameters)
    except ValueError as error:
        return await refuse(send, 400, str(error))
    found = await settled(respond(query))
    assert found is not None, "a whole query has a reply"
    return await reply(send, 200, json_of(found), JSON, cache_control=CACHED)


def _from_url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _header(scope: Mapping[str, Any], key: bytes) -> str:
    found = next((value for name, value in scope["headers"] if name == key), b"")
    return found.strip().decode("latin-1")


async def _read(receive: Receive) -> bytes:
    """The body, and of one that is too long the first part; to its end in any case (see `pages`)."""
    body, more = b"", True
    while more:
        message = await receive()
        if len(body) <= MAX_QUERY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
