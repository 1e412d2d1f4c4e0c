"""OpenVPN packets by their first byte, opcode and key id, and the little that must follow it.

The wire form is that of OpenVPN's own protocol description (doc/man-sections and ssl_pkt.h): over TCP each
packet has a length in front. Only the two resets are distinctive; a rule should believe the other kinds on
flows that began with one.
"""

from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Kind, Message

_KINDS: Final[dict[int, Kind]] = {
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
_RESETS: Final = frozenset({7, 8, 10})
_ACK: Final = 5
_PLAIN_RESET: Final = 14  # opcode, session id, no acknowledged packets, packet id
_LONGEST_RESET: Final = 1200  # our choice: with tls-crypt-v2 the client's key is inside, up to 1 KiB
_SHORTEST: Final = {"control": 14, "data": 21}  # data: opcode, packet id and a 16-byte tag
_SHORTEST_ACK: Final = 22  # session ids, one acknowledged packet
_LONGEST: Final = 2048  # our choice for one packet over TCP; tunnels have an MTU near 1500


def recognise(payload: bytes) -> Message | Unread:
    """The packet in a datagram."""
    if not payload:
        return MORE
    opcode, key = payload[0] >> 3, payload[0] & 7
    kind = _KINDS.get(opcode)
    if kind is None or (opcode in _RESETS and (key or len(payload) > _LONGEST_RESET)):
        return NOT
    if opcode in _RESETS:
        least = _PLAIN_RESET
        if opcode == 7 and len(payload) == least and any(payload[9:14]):
            return NOT  # a client's first packet acknowledges none, and is its packet 0
    else:
        least = _SHORTEST_ACK if opcode == _ACK else _SHORTEST[kind]
    return Message(kind) if len(payload) >= least else MORE


def recognise_tcp(payload: bytes) -> Message | Unread:
    """The first packet in a TCP segment that begins with one."""
    if len(payload) < 3:
        return MORE
    length = int.from_bytes(payload[:2], "big")
    found = recognise(payload[2 : 2 + length])
    if not 0 < length <= _LONGEST or found is NOT:
        return NOT
    if len(payload) < 2 + length:
        return MORE
    return NOT if found is MORE else found
