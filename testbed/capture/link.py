"""Link types: where the IP packet begins in a frame, and framing a packet like another one."""

from collections.abc import Callable
from typing import Final

OffsetFinder = Callable[[bytes], int]
"""From a frame to the offset of its IP header; -1: the frame carries no IP packet."""

ETHERNET, NULL, LOOP, SLL, SLL2 = 1, 0, 108, 113, 276
_RAW: Final = (12, 14, 101, 228, 229)  # DLT_RAW of Linux, of OpenBSD, LINKTYPE_RAW, IPV4, IPV6
_VLAN: Final = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_IP: Final = (b"\x08\x00", b"\x86\xdd")
_MOST_TAGS: Final = 4  # our choice
_SLL_TYPE: Final = {SLL: slice(1, 2), SLL2: slice(10, 11)}  # low byte of SLL's, all of SLL2's
_OPPOSITE: Final = {b"\0": b"\4", b"\4": b"\0"}  # sent to us, sent by us


def offset_finder(link: int) -> OffsetFinder | None:
    """The function that finds the IP header in frames of this link type; None if the type is unknown."""
    if link in _RAW:
        return _raw
    return {ETHERNET: _ethernet, NULL: _null, LOOP: _null, SLL: _sll, SLL2: _sll2}.get(link)


def framed(link: int, head: bytes, packet: bytes, *, reply: bool) -> bytes:
    """`packet` behind the link header `head` of another packet; `reply`: it travels the opposite way."""
    if reply and link == ETHERNET:
        head = head[6:12] + head[:6] + head[12:]
    elif reply and link in _SLL_TYPE:
        at = _SLL_TYPE[link]
        head = head[: at.start] + _OPPOSITE.get(head[at], head[at]) + head[at.stop :]
    return head + packet


def _typed(frame: bytes, at: int, follows: int) -> int:
    """The IP header's offset, given the protocol field at `at` and the header it announces at `follows`."""
    for _ in range(_MOST_TAGS + 1):
        kind = frame[at : at + 2]
        if kind in _IP:
            return follows
        if kind not in _VLAN:
            return -1
        at, follows = follows + 2, follows + 4
    return -1


def _ethernet(frame: bytes) -> int:
    return 14 if frame[12:14] == b"\x08\x00" else _typed(frame, 12, 14)


def _sll(frame: bytes) -> int:
    return _typed(frame, 14, 16)


def _sll2(frame: bytes) -> int:
    return _typed(frame, 0, 20)


def _raw(frame: bytes) -> int:
    return 0 if frame and frame[0] >> 4 in (4, 6) else -1


def _null(frame: bytes) -> int:
    """The address family's number depends on the capturing system, so read the IP version instead."""
    return 4 if len(frame) > 4 and frame[4] >> 4 in (4, 6) else -1
