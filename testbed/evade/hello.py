"""What a strategy needs to know of a client's first bytes: where record and host name begin and end. Pure."""

import re
from dataclasses import dataclass
from itertools import cycle

HANDSHAKE, CLIENT_HELLO, SERVER_NAME = 0x16, 1, 0  # RFC 8446 sections 5.1, 4; RFC 6066 section 3
RECORD_HEADER = 5  # bytes: type, version, length
_RANDOM = 32
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n:]+)", re.IGNORECASE)  # RFC 9112 section 3.2


@dataclass(frozen=True, slots=True)
class Hello:
    """The first record of a client, and the place of the server name in it."""

    version: bytes  # of the record, two bytes
    body: bytes  # of the record: the handshake message, or its beginning
    name: tuple[int, int] | None  # where the name begins and ends in `body`; None if there is none
    rest: bytes = b""  # what follows the record

    @classmethod
    def read(cls, data: bytes) -> "Hello | None":
        """The ClientHello at the beginning of `data`; None for anything else, or for less than a record."""
        if len(data) <= RECORD_HEADER or data[0] != HANDSHAKE or data[RECORD_HEADER] != CLIENT_HELLO:
            return None
        end = RECORD_HEADER + int.from_bytes(data[3:5], "big")
        if len(data) < end:
            return None
        body = data[RECORD_HEADER:end]
        return cls(data[1:3], body, _name_in(body), data[end:])


def record(version: bytes, body: bytes) -> bytes:
    """One TLS record of type handshake."""
    return bytes([HANDSHAKE]) + version + len(body).to_bytes(2, "big") + body


def name_within(data: bytes) -> tuple[int, int] | None:
    """Where the host name is in what a client sends first: of a ClientHello, or of an HTTP/1.1 request."""
    if hello := Hello.read(data):
        return hello.name and (RECORD_HEADER + hello.name[0], RECORD_HEADER + hello.name[1])
    found = _HOST.search(data)
    return found.span(1) if found else None


def with_other_name(data: bytes) -> bytes:
    """The same with another name of the same length, which is on no list; zeros where no name is found."""
    if (place := name_within(data)) is None:
        return bytes(len(data))
    begin, end = place
    letters = cycle(b"example")
    *labels, last = data[begin:end].split(b".")
    other = b".".join([*(bytes(next(letters) for _ in label) for label in labels), last])
    return data[:begin] + other + data[end:]


def _name_in(body: bytes) -> tuple[int, int] | None:
    """The place of the server name (RFC 8446 section 4.1.2, RFC 6066 section 3)."""
    at = 4 + 2 + _RANDOM  # message type and length, version
    for width in (1, 2, 1):  # session, cipher suites, compression methods: each with its length before it
        at += width + int.from_bytes(body[at : at + width], "big")
    at += 2  # the length of all extensions
    while at + 4 <= len(body):
        kind, size = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
        if kind == SERVER_NAME:
            begin = at + 4 + 5  # the list's length, the entry's type, the name's length
            end = begin + int.from_bytes(body[begin - 2 : begin], "big")
            return (begin, end) if begin < end <= len(body) else None
        at += 4 + size
    return None
