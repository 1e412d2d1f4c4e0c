"""IKEv2 by its header (RFC 7296 §3.1), on port 500 or behind the non-ESP marker of port 4500 (RFC 3948 §2.2).

How the boxes of 2023 recognised IPsec is not published (N4P#274 names it): the form is the RFC's, our choice.
ESP has no mark of its own but a number that is not 0, so in UDP it counts only in a flow that began as IKE.
"""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message, MessageKind

_MARKER: Final = bytes(4)
_HEADER: Final = 28
_VERSION: Final = 0x20
_EXCHANGES: Final = range(34, 38)  # IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL
_INIT: Final = 34
_INITIATOR, _RESPONSE = 0x08, 0x20
_SHORTEST_ESP: Final = 36  # numbers, vector and tag of AES-GCM (RFC 4106), one word of data
_KEEP_ALIVE: Final = b"\xff"  # RFC 3948 §2.3


def recognise(payload: bytes) -> Message | Unread:
    """The message in a datagram."""
    if payload == _KEEP_ALIVE:
        return Message("control", weak=True)
    behind = payload.startswith(_MARKER)
    found = _message(payload[4:] if behind else payload)
    if found is not NOT or behind:
        return found
    return Message("data", weak=True) if len(payload) >= _SHORTEST_ESP else NOT


def _message(message: bytes) -> Message | Unread:
    """An IKE message; MORE for the beginning of one."""
    if len(message) < _HEADER:
        return MORE
    initiator, responder = message[:8], message[8:16]
    exchange, flags, number = message[18], message[19], int.from_bytes(message[20:24], "big")
    length = int.from_bytes(message[24:28], "big")
    if message[17] != _VERSION or exchange not in _EXCHANGES or not any(initiator):
        return NOT
    if length < _HEADER or len(message) > length:
        return NOT
    if len(message) < length:
        return MORE
    kind: MessageKind = "control"
    if exchange == _INIT and number == 0:
        first = flags & _INITIATOR and not flags & _RESPONSE and not any(responder)
        kind = "initiation" if first else "response" if flags & _RESPONSE else kind
    return Message(kind)
