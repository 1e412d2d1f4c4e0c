"""What a web server does beside answering: refusals by country, further headers, delays, early answers.

Wrapped around the pages of a host; see `testbed.model.Behaviour`.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from testbed.internet.pages import Application, Receive, Scope, Send, refuse
from testbed.model import Behaviour, Host

CountryOf = Callable[[str], str]  # the country of a client's address, "" if unknown

_STEP = 0.1  # seconds between two pieces of a paced body: our choice

# Names that OONI's comparison calls uncommon, so that a page without them differs (web_connectivity).
_ORDINARY = {"server": "nginx", "referrer-policy": "strict-origin-when-cross-origin"}


def behaving(pages: Application, host: Host, country_of: CountryOf) -> Application:
    """`pages` as the web servers of `host` serve them."""
    given, headers = host.behaviour, _headers(host)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await pages(scope, receive, send)
        answer = _sender(given, headers, send)
        if given.wait:
            await asyncio.sleep(given.wait)
        if _refused(given, scope["client"][0], country_of):
            return await refuse(answer, given.refusal, "not available in your country")
        if given.early_answer and scope["method"] in {"PUT", "POST"}:
            return await _answer_early(given.early_answer, scope, receive, answer)
        return await pages(scope, receive, answer)

    return application


def _refused(given: Behaviour, client: str, country_of: CountryOf) -> bool:
    if not given.refuses and not given.serves:
        return False
    country = country_of(client)
    return country in given.refuses or bool(given.serves and country not in given.serves)


async def _answer_early(status: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, then read what still comes: closing at once would reset the connection and lose the answer."""
    closing = {"connection": "close"} if scope["http_version"] == "1.1" else {}

    async def unfinished(message: dict[str, Any]) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await refuse(unfinished, status, "no uploads here", **closing)
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.body", "body": b""})


def _headers(host: Host) -> list[tuple[bytes, bytes]]:
    """What every answer has, by the names in lower case. A block page has nothing of this."""
    request_id = str(uuid5(NAMESPACE_DNS, host.names[0] if host.names else host.key))
    found = {} if host.block_body else {**_ORDINARY, "x-request-id": request_id}
    for line in host.behaviour.headers:
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip()
    return [(name.encode(), value.encode()) for name, value in found.items()]


def _sender(given: Behaviour, headers: list[tuple[bytes, bytes]], send: Send) -> Send:
    """`send` with the headers added, and bodies cut into pieces that keep the pace."""
    replaced = {name for name, _ in headers}
    added = [(name, value) for name, value in headers if value]

    async def answer(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = [(name, value) for name, value in message["headers"] if name not in replaced]
            await send({**message, "headers": [*own, *added]})
        elif given.pace and message["type"] == "http.response.body":
            await _paced(message, max(round(given.pace / 8 * _STEP), 1), send)
        else:
            await send(message)

    return answer


async def _paced(message: dict[str, Any], size: int, send: Send) -> None:
    body, more = message.get("body", b""), message.get("more_body", False)
    for at in range(0, len(body), size):
        await send({"type": "http.response.body", "body": body[at : at + size], "more_body": True})
        await asyncio.sleep(_STEP)
    await send({"type": "http.response.body", "body": b"", "more_body": more})
