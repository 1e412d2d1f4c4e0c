"""OpenVPN packets by their first byte, opcode and key id, and what must follow it.

The wire form is that of OpenVPN's own protocol description (doxygen, "OpenVPN's network protocol"); over TCP
each packet has a length prefix. Only a client's first packet is distinctive; the others are identified by one
byte, so trust them only on flows that began with one (`registry.opening`).
"""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message, MessageKind

_KINDS: Final[dict[int, MessageKind]] = {
    3: "control",  # P_CONTROL_SOFT_RESET_V1
    4: "control",  # P_CONTROL_V1
    5: "control",  # P_ACK_V1
    6: "data",  # P_DATA_V1
    7: "initiation",  # P_CONTROL_HARD_RESET_CLIENT_V2
    8: "response",  # P_CONTROL_HARD_RESET_SERVER_V2
    9: "data",  # P_DATA_V2
    10: "initiation",  # P_CONTROL_HARD_RESET_CLIENT_V3
    11: "control",  # P_CONTROL_WKC_V1
}
_CLIENT_RESETS: Final = frozenset({7, 10})
_ACK: Final = 5

# A client's first packet: opcode, session id, no acknowledged packets, packet id 0. With tls-auth an HMAC and
# a replay counter come before the last two; with tls-crypt a counter and a tag, and the rest is encrypted.
_PLAIN_RESET: Final = 14
_AUTH_RESETS: Final = frozenset(_PLAIN_RESET + 8 + digest for digest in (16, 20, 28, 32, 48, 64))
_CRYPT_RESET: Final = 54
_V2_RESET: Final = range(_CRYPT_RESET + 290, 1200)  # the client's wrapped key behind it, 290 bytes to 1 KiB
_COUNTERS: Final = frozenset({b"\0\0\0", b"\x0f\0\0"})  # all but its last byte; 0f: an offer of tls-crypt-v2

_SHORTEST: Final = {"response": 26, "control": 14, "data": 21}  # data: opcode, packet id and a 16-byte tag
_SHORTEST_ACK: Final = 22  # session ids, one acknowledged packet
_LONGEST: Final = 2048  # our choice for one packet over TCP; tunnels have an MTU near 1500


def recognise(payload: bytes) -> Message | Unread:
    """The packet in a datagram."""
    if not payload:
        return MORE
    opcode = payload[0] >> 3
    kind = _KINDS.get(opcode)
    if kind is None or (kind in ("initiation", "response") and payload[0] & 7):
        return NOT
    if opcode in _CLIENT_RESETS:
        if len(payload) < _PLAIN_RESET:
            return MORE
        return Message(kind) if _is_reset(payload, opcode) else NOT
    least = _SHORTEST_ACK if opcode == _ACK else _SHORTEST[kind]
    return Message(kind, weak=True) if len(payload) >= least else MORE


def _is_reset(payload: bytes, opcode: int) -> bool:
    """Whether the rest of a client's first packet is as it must be."""
    counter = payload[9:12] in _COUNTERS
    if opcode == 10:
        return counter and len(payload) in _V2_RESET
    if len(payload) == _PLAIN_RESET or len(payload) in _AUTH_RESETS:
        return not any(payload[-5:]) or (counter and len(payload) == _CRYPT_RESET)
    return False


def recognise_tcp(payload: bytes) -> Message | Unread:
    """The first packet in a TCP segment that begins with one."""
    if len(payload) < 3:
        return MORE
    length = int.from_bytes(payload[:2], "big")
    if not 0 < length <= _LONGEST or payload[2] >> 3 not in _KINDS:
        return NOT
    if len(payload) < 2 + length:
        return MORE
    found = recognise(payload[2 : 2 + length])
    return NOT if found is MORE else found
