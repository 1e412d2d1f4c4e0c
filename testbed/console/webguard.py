"""What every request and WebSocket has to pass: the right Host, no foreign Origin; headers of each answer.

A page of another site can make a browser send requests here. A foreign name that resolves to this address
(DNS rebinding) is refused by its Host, a foreign page by its Origin or by what the browser says of the site.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_SAFE: Final = ("GET", "HEAD")
LONGEST_BODY: Final = 4096  # bytes of a request; our choice: a change of a box has some hundred


def refusal(scope: Mapping[str, Any], hosts: Collection[str]) -> str:
    """Why a request is refused, a sentence; "" if it is not. `hosts`: "127.0.0.1:8080", all that this is."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    host = headers.get("host", [])
    if len(host) != 1 or host[0].lower() not in hosts:
        return "this is not the console's address"
    origin = headers.get("origin", [])
    if origin and (len(origin) != 1 or origin[0].lower() != f"{_scheme(scope)}://{host[0].lower()}"):
        return "a page of another site may not ask this"
    needs_origin = scope["type"] == "websocket" or scope.get("method") not in _SAFE
    if needs_origin and not origin:
        return "the request does not say which page it comes from"
    if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
        return "a page of another site may not ask this"
    return ""


def _scheme(scope: Mapping[str, Any]) -> str:
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


class WebGuard:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 403, or pass on; each answer has the headers."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        why = refusal(scope, self._hosts)
        if scope["type"] == "websocket":
            if why:
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": why})
            else:
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_raw(HEADERS.items())]}
            await send(message)

        if why:
            await with_headers({"type": "http.response.start", "status": 403,
                                "headers": [(b"content-type", b"text/plain; charset=utf-8")]})  # fmt: skip
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})
            return
        await self._app(scope, receive, with_headers)


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]
