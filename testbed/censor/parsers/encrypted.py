"""Fully encrypted traffic, by the first packet's bytes alone.

The test is the one measured at China's Great Firewall: Wu, Sippe, Sivakumar, Burg, Anderson, Wang, Bock,
Houmansadr, Levin, Wustrow, *How the Great Firewall of China Detects and Blocks Fully Encrypted Traffic*,
USENIX Security 2023, algorithm 1 (WU23). Russian boxes act on such traffic too (N4P#363), but by
which test is not published: to use this one for them is our choice.
"""

import re
from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.message import Message

_FEWEST, _MOST = 3.4, 4.6  # Ex1: bits set per byte
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_BEGINS_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]{6}")  # Ex2
_LONG_RUN: Final = re.compile(rb"[\x20-\x7e]{21}")  # Ex4: more than 20 together
_KNOWN: Final = re.compile(rb"[\x16\x17]\x03[\x00-\x09]|(GET|PUT|POST|HEAD) ")  # Ex5: TLS, HTTP
_LOOKED_AT: Final = 1500  # our choice: the first packet


def recognise(payload: bytes) -> Message | Unread:
    """`data` for a first payload that none of the five exemptions covers."""
    if not payload:
        return MORE
    payload = payload[:_LOOKED_AT]
    size = len(payload)
    bits = int.from_bytes(payload, "big").bit_count()
    if bits <= _FEWEST * size or bits >= _MOST * size:
        return NOT
    printable = size - len(payload.translate(None, _PRINTABLE))
    if 2 * printable > size:  # Ex3
        return NOT
    if _BEGINS_PRINTABLE.match(payload) or _KNOWN.match(payload) or _LONG_RUN.search(payload):
        return NOT
    return Message("data")
