"""HTTP/1 requests as legacy boxes read them: literally, and in one segment."""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread

_METHODS: Final = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE ")
_CONNECT: Final = b"CONNECT "
_HOST: Final = b"\r\nHost: "
_LONGEST: Final = 8192  # our choice: a header beyond this is not looked at


def looks_like_http(payload: bytes) -> bool:
    """Whether the payload begins as an HTTP/1 request, proxy request or response does."""
    return payload.startswith((*_METHODS, _CONNECT, b"HTTP/1."))


def may_become_http(payload: bytes) -> bool:
    """Whether the payload is the beginning of what `looks_like_http` looks for."""
    return any(start.startswith(payload) for start in (*_METHODS, _CONNECT, b"HTTP/1."))


def is_request(payload: bytes) -> bool:
    """Whether the payload begins as a request does, other than one to a proxy."""
    return payload.startswith(_METHODS)


def host(payload: bytes) -> str | Unread:
    """The Host header's name, without a port.

    Only a well-formed request in one segment is read: method, one space, target, `HTTP/1.`, CRLF, and a
    header spelled `Host: `. Lower case, tabs, further spaces and bare LF hide it (GDPI, ZAP; H).
    """
    read = _read(payload)
    return read if isinstance(read, Unread) else _without_port(read[0])


def url(payload: bytes) -> str | Unread:
    """Host and target of such a request, without the scheme: "example.com/page?a=b".

    The host is in lower case and without port 80; the rest is as it was sent.
    """
    read = _read(payload)
    if isinstance(read, Unread):
        return read
    name, target = read
    if target[:7].lower() == "http://":  # absolute-form (RFC 9112 §3.2.2)
        name, slash, rest = target[7:].partition("/")
        target = slash + rest
    return f"{name.lower().removesuffix(':80')}{target or '/'}"


def _read(payload: bytes) -> tuple[str, str] | Unread:
    """The Host header and the request's target."""
    if not payload.startswith(_METHODS):
        return MORE if any(method.startswith(payload) for method in _METHODS) else NOT
    line_end = payload.find(b"\r\n", 0, _LONGEST)
    if line_end < 0:
        return MORE
    parts = payload[:line_end].split(b" ")
    if len(parts) != 3 or not parts[1] or not parts[2].startswith(b"HTTP/1."):
        return NOT
    at = payload.find(_HOST, line_end, _LONGEST)
    if at < 0:
        return MORE if b"\r\n\r\n" not in payload else NOT
    value_end = payload.find(b"\r\n", at + len(_HOST), _LONGEST)
    if value_end < 0:
        return MORE
    name = payload[at + len(_HOST) : value_end]
    if not name or not name.isascii():
        return NOT
    return name.decode("ascii"), parts[1].decode("latin-1")


def _without_port(text: str) -> str:
    head, colon, port = text.rpartition(":")
    return head if colon and port.isdigit() else text
