"""L2TPv2 over UDP by its header (RFC 2661 §3.1). Inside IPsec, as it mostly runs, none of it can be seen.

How the boxes of 2023 recognised it is not published (N4P#274 names it): the form is the RFC's, our choice.
Data are identified by a few bits, so they count only in a flow that began with a tunnel's request.
"""

from struct import unpack_from
from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message, MessageKind

_CONTROL: Final = 0xC802  # type, length and sequence bits set; version 2
_DATA_FIXED, _DATA = 0xB4FF, 0x0002  # bits that data must have so: no control, reserved ones 0, version 2
_LENGTH, _SEQUENCE, _OFFSET = 0x4000, 0x0800, 0x0200
_HEADER: Final = 12
_MESSAGE_TYPE: Final = b"\x80\x08\0\0\0\0"  # mandatory, 8 bytes, IETF's, attribute 0 (§4.4.1)
_KINDS: Final[dict[int, MessageKind]] = {1: "initiation", 2: "response"}  # SCCRQ, SCCRP


def recognise(payload: bytes) -> Message | Unread:
    """The message in a datagram."""
    if len(payload) < 2:
        return MORE
    (flags,) = unpack_from("!H", payload)
    if flags == _CONTROL:
        return _control(payload)
    if flags & _DATA_FIXED != _DATA:
        return NOT
    least = 6 + 2 * bool(flags & _LENGTH) + 4 * bool(flags & _SEQUENCE) + 2 * bool(flags & _OFFSET)
    return Message("data", weak=True) if len(payload) > least else MORE


def _control(payload: bytes) -> Message | Unread:
    """A control message: its type is its first attribute; one without attributes acknowledges."""
    if len(payload) < _HEADER:
        return MORE
    length, tunnel = unpack_from("!HH", payload, 2)
    if length < _HEADER or len(payload) > length:
        return NOT
    if len(payload) < length:
        return MORE
    if length == _HEADER:
        return Message("control")
    if not payload.startswith(_MESSAGE_TYPE, _HEADER) or length < _HEADER + 8:
        return NOT
    (number,) = unpack_from("!H", payload, _HEADER + 6)
    kind = _KINDS.get(number, "control")
    return NOT if kind == "initiation" and tunnel else Message(kind)  # a request is for a tunnel yet to come
