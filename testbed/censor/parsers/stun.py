"""STUN messages (RFC 8489 §5), and Discord's address query, which does the same in a form of its own."""

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message

_COOKIE = b"\x21\x12\xa4\x42"
_HEADER = 20
_REQUEST, _RESPONSE = b"\0\1\0\x46", b"\0\2\0\x46"  # type and length, 70 bytes
_DISCORD = 74  # bytes: both, a number of the stream, an address as text, a port


def recognise(payload: bytes) -> Message | Unread:
    """A datagram that is one STUN message with the magic cookie."""
    return _message(payload, whole=True)


def recognise_tcp(payload: bytes) -> Message | Unread:
    """A segment that begins with one, as on TCP to a TURN server (RFC 8656)."""
    return _message(payload, whole=False)


def _message(payload: bytes, *, whole: bool) -> Message | Unread:
    beginning = payload[4:8]
    if payload[:1] > b"\x3f" or not _COOKIE.startswith(beginning):
        return NOT
    if len(payload) < _HEADER:
        return MORE
    length = int.from_bytes(payload[2:4], "big")
    if length % 4 or (whole and len(payload) != _HEADER + length):
        return NOT
    kind = int.from_bytes(payload[:2], "big") & 0x0110  # the class: request, indication, success, error
    return Message({0x0000: "initiation", 0x0010: "data"}.get(kind, "response"))  # type: ignore[arg-type]


def recognise_discord(payload: bytes) -> Message | Unread:
    """The query of a voice client for its own address, or the answer: 74 bytes in a datagram (ZAP)."""
    if not any(start.startswith(payload[:4]) for start in (_REQUEST, _RESPONSE)) or len(payload) > _DISCORD:
        return NOT
    if len(payload) < _DISCORD:
        return MORE
    if payload.startswith(_RESPONSE):
        return Message("response")
    return NOT if payload[8:].strip(b"\0") else Message("initiation")
