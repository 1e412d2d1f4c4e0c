"""TLS records and the ClientHello's server name, with the strictness measured in 2021 (IMC21 §6.2)."""

from dataclasses import dataclass
from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread

HANDSHAKE: Final = 22
_RECORD_TYPES: Final = frozenset({20, 21, 22, 23, 24})
_MAX_RECORD: Final = 16384 + 2048  # RFC 5246 §6.2.3
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ECH: Final = 0xFE0D


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a box takes from a ClientHello."""

    server_name: str | None
    ech: bool = False  # the encrypted_client_hello extension is there (outer name above)


def looks_like_tls(payload: bytes) -> bool:
    """Whether the payload begins with a TLS record header."""
    return (
        len(payload) >= 5
        and payload[0] in _RECORD_TYPES
        and payload[1] == 3
        and 0 < int.from_bytes(payload[3:5], "big") <= _MAX_RECORD
    )


def client_hello(payload: bytes) -> ClientHello | Unread:
    """The ClientHello, if the payload's first record holds exactly one, whole.

    A record before it in the same segment, a wrong type or length anywhere, or a cut (TCP or record)
    hides it from the box (IMC21 §6.2, CP21: content type, handshake type, extension type, name type, record,
    handshake, session-id and cipher lengths all count).
    """
    if not payload or payload[0] != HANDSHAKE:
        return NOT
    if not looks_like_tls(payload):
        return MORE if len(payload) < 5 else NOT
    record = int.from_bytes(payload[3:5], "big")
    if record < 4:
        return NOT
    if len(payload) < 5 + record:
        return MORE
    if payload[5] != _CLIENT_HELLO or int.from_bytes(payload[6:9], "big") != record - 4:
        return NOT
    return _body(payload, 9, 5 + record)


def _body(data: bytes, at: int, end: int) -> ClientHello | Unread:
    """The handshake body: version, random, session id, cipher suites, compression, extensions."""
    at += 34
    for width, step, least in ((1, 1, 0), (2, 2, 2), (1, 1, 1)):
        if at + width > end:
            return NOT
        length = int.from_bytes(data[at : at + width], "big")
        at += width + length
        if length < least or length % step or at > end:
            return NOT
    if at == end:
        return ClientHello(None)  # no extensions
    if at + 2 > end or at + 2 + int.from_bytes(data[at : at + 2], "big") != end:
        return NOT
    return _extensions(data, at + 2, end)


def _extensions(data: bytes, at: int, end: int) -> ClientHello | Unread:
    name, ech = None, False
    while at < end:
        if at + 4 > end:
            return NOT
        kind = int.from_bytes(data[at : at + 2], "big")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
        if at + length > end:
            return NOT
        if kind == _SERVER_NAME:
            name = _server_name(data[at : at + length])
            if name is None:
                return NOT
        ech = ech or kind == _ECH
        at += length
    return ClientHello(name, ech)


def _server_name(extension: bytes) -> str | None:
    """The first entry of the list (RFC 6066 §3), None unless it is a host name of the right length."""
    if len(extension) < 5 or extension[2] != 0:
        return None
    if int.from_bytes(extension[:2], "big") != len(extension) - 2:
        return None
    length = int.from_bytes(extension[3:5], "big")
    name = extension[5 : 5 + length]
    if not name or len(name) != length or not name.isascii():
        return None
    return name.decode("ascii")
