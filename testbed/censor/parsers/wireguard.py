"""WireGuard messages by type, reserved zeros and length (the protocol's paper, §5.4).

The boxes go by the initiation's 148 bytes beginning 01 00 00 00 and the response's 92 beginning 02 00 00 00
(ZAP; H).
"""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message, MessageKind

_RESERVED: Final = b"\0\0\0"
_FIXED: Final[dict[int, tuple[int, MessageKind]]] = {
    1: (148, "initiation"),
    2: (92, "response"),
    3: (64, "control"),  # cookie reply
}
_DATA: Final = 4
_SHORTEST_DATA: Final = 32  # a keep-alive: header and tag; data are padded to 16 bytes except at the MTU


def recognise(payload: bytes) -> Message | Unread:
    """The message in a datagram."""
    if not _RESERVED.startswith(payload[1:4]):
        return NOT
    if not payload:
        return MORE
    if payload[0] == _DATA:
        return Message("data") if len(payload) >= _SHORTEST_DATA else MORE
    if payload[0] not in _FIXED:
        return NOT
    length, kind = _FIXED[payload[0]]
    if len(payload) > length:
        return NOT
    return MORE if len(payload) < length else Message(kind)
