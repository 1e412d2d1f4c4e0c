"""DTLS 1.0 and 1.2 records (RFC 6347 §4.1), 1.3's (RFC 9147 §4), and how handshakes of programs differ.

The handshake of 1.3 begins with records of 1.2's form. Its encrypted records are identified by three bits, so
they count only in a flow that began so.

Snowflake was recognised by supported_groups: in the ServerHello (December 2021), later in the ClientHello
(OONI-Tor).
"""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message
from testbed.censor.parsers.tls import ClientHello, read_body, read_extensions

_RECORD: Final = 13  # type, version, epoch and number, length
_MESSAGE: Final = 12  # type, length, number, offset and length of the fragment
_VERSIONS: Final = frozenset({b"\xfe\xff", b"\xfe\xfd"})
_TYPES: Final = frozenset({20, 21, 22, 23, 25})  # 25: with a connection id (RFC 9146)
_HANDSHAKE, _DATA = 22, 23
_CLIENT_HELLO, _SERVER_HELLO, _HELLO_VERIFY = 1, 2, 3
_MAX_RECORD: Final = 16384 + 2048
_GROUPS: Final = 10
_UNIFIED: Final = 0x20
_HANDSHAKE_EPOCH: Final = 2
_TAG: Final = 16  # bytes that every cipher suite of 1.3 adds to at least nothing


def recognise(payload: bytes) -> Message | Unread:
    """The first record of a datagram."""
    if payload[:1] and payload[0] & 0xE0 == _UNIFIED:
        return _encrypted(payload)
    if payload[:1] and (payload[0] not in _TYPES or payload[1:3] not in (_VERSIONS | {b"", b"\xfe"})):
        return NOT
    if len(payload) < _RECORD:
        return MORE
    length = int.from_bytes(payload[11:13], "big")
    if not 0 < length <= _MAX_RECORD:
        return NOT
    end = _RECORD + length
    if len(payload) < end:
        return MORE
    epoch = int.from_bytes(payload[3:5], "big")
    if payload[0] == _HANDSHAKE and epoch == 0:
        return _handshake(payload, _RECORD, end)
    return Message("data" if payload[0] == _DATA else "control")


def _encrypted(payload: bytes) -> Message | Unread:
    """A record of DTLS 1.3 by its unified header: 001, connection id, number and length there, epoch."""
    flags = payload[0]
    header = 2 + bool(flags & 0x08) + 2 * bool(flags & 0x04)  # a connection id's length is not known here
    if len(payload) < header + _TAG:
        return MORE
    if flags & 0x14 == 0x04 and int.from_bytes(payload[header - 2 : header], "big") > len(payload) - header:
        return MORE
    return Message("control" if flags & 0x03 == _HANDSHAKE_EPOCH else "data", weak=True)


def _handshake(data: bytes, at: int, end: int) -> Message | Unread:
    """A plain handshake message, or a fragment of one: its kind shows even so, its content does not."""
    if at + _MESSAGE > end:
        return NOT
    kind, length = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
    offset, part = int.from_bytes(data[at + 6 : at + 9], "big"), int.from_bytes(data[at + 9 : at + 12], "big")
    at += _MESSAGE
    if offset + part > length or at + part > end:
        return NOT
    whole = part == length
    if kind == _CLIENT_HELLO:
        return _client_hello(data, at, at + part) if whole else Message("initiation")
    if kind in (_SERVER_HELLO, _HELLO_VERIFY):
        groups = kind == _SERVER_HELLO and whole and _server_groups(data, at, at + part)
        return Message("response", groups=groups)
    return Message("control")


def _client_hello(data: bytes, at: int, end: int) -> Message | Unread:
    hello = read_body(data, at, end, cookie=True)
    if not isinstance(hello, ClientHello):
        return NOT
    cookie = data[at + 35 + data[at + 34]] > 0  # its length follows the session id
    return Message("initiation", hello, cookie, groups=any(kind == _GROUPS for kind, _ in hello.extensions))


def _server_groups(data: bytes, at: int, end: int) -> bool:
    """Whether a ServerHello carries supported_groups; behind version, random, session id, suite, method."""
    if at + 35 > end:
        return False
    at += 35 + data[at + 34] + 3
    if at + 2 > end or at + 2 + int.from_bytes(data[at : at + 2], "big") != end:
        return False
    return any(kind == _GROUPS for kind, _ in read_extensions(data, at + 2, end) or ())
