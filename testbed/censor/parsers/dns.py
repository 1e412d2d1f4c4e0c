"""DNS questions, by the wire format's fixed part only (RFC 1035 §4.1): a box needs the name and the type."""

from dataclasses import dataclass
from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread

_LONGEST_NAME: Final = 253
_RESPONSE = 0x80


@dataclass(frozen=True, slots=True)
class Question:
    """The first question of a query."""

    name: str  # without the final dot; labels outside ASCII shown as \\x escapes
    kind: int  # 1 A, 28 AAAA, 65 HTTPS, …


def question(message: bytes) -> Question | Unread:
    """The question of a DNS query over UDP."""
    if len(message) < 12:
        return MORE
    if message[2] & _RESPONSE or (message[2] >> 3) & 0x0F or int.from_bytes(message[4:6], "big") != 1:
        return NOT  # a response, another opcode, or not exactly one question
    labels, at, total = [], 12, 0
    while True:
        if at >= len(message):
            return MORE
        length = message[at]
        if length == 0:
            break
        total += length + 1
        if length > 63 or total > _LONGEST_NAME + 1:
            return NOT
        if at + 1 + length > len(message):
            return MORE
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    if at + 5 > len(message):
        return MORE
    name = b".".join(labels).decode("ascii", "backslashreplace")
    return Question(name, int.from_bytes(message[at + 1 : at + 3], "big"))


def question_over_tcp(payload: bytes) -> Question | Unread:
    """The question of a DNS query in one TCP segment, with its length prefix (RFC 1035 §4.2.2)."""
    if len(payload) < 2:
        return MORE
    length = int.from_bytes(payload[:2], "big")
    if length < 12:
        return NOT
    if len(payload) < 2 + length:
        return MORE
    return question(payload[2 : 2 + length])
