"""Link types: where the IP packet begins in a frame, and framing a packet like another one.

Numbers: https://www.tcpdump.org/linktypes.html. Below Ethernet and its like, VLAN tags (IEEE 802.1Q), PPPoE
sessions (RFC 2516) and MPLS labels (RFC 3032, 5332) are passed over; PPP is that of RFC 1661 and 1662.
"""

from collections.abc import Callable
from typing import Final

OffsetFinder = Callable[[bytes], int]
"""From a frame to the offset of its IP header; -1: the frame carries no IP packet."""

ETHERNET, NULL, LOOP, SLL, SLL2 = 1, 0, 108, 113, 276
_PPP, _PPP_SERIAL, _PPP_ETHER, _PPP_DIRECTED, _PPP_PPPD = 9, 50, 51, 204, 166
_CISCO_HDLC, _MPLS = 104, 219
_RAW: Final = (12, 14, 101, 228, 229)  # DLT_RAW of Linux, of OpenBSD, LINKTYPE_RAW, IPV4, IPV6
_VLAN: Final = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_PPPOE: Final = b"\x88\x64"
_MPLS_TYPES: Final = (b"\x88\x47", b"\x88\x48")
_IP: Final = (b"\x08\x00", b"\x86\xdd")
_SESSION: Final = b"\x11\x00"  # PPPoE version 1, type 1, session data
_MOST_TAGS: Final = 4  # our choice
_MOST_LABELS: Final = 8  # our choice
_SLL_TYPE: Final = {SLL: slice(1, 2), SLL2: slice(10, 11)}  # low byte of SLL's, all of SLL2's
_OPPOSITE: Final = {b"\0": b"\4", b"\4": b"\0"}  # sent to us, sent by us
_DIRECTED: Final = {b"\0": b"\1", b"\1": b"\0"}  # received, sent


def offset_finder(link: int) -> OffsetFinder | None:
    """The function that finds the IP header in frames of this link type; None if the type is unknown."""
    return _FINDERS.get(link)


def framed(link: int, head: bytes, packet: bytes, *, reply: bool) -> bytes:
    """`packet` behind the link header `head` of another packet; `reply`: it travels the opposite way."""
    if reply and link == ETHERNET:
        head = head[6:12] + head[:6] + head[12:]
    elif reply and link in _SLL_TYPE:
        at = _SLL_TYPE[link]
        head = head[: at.start] + _OPPOSITE.get(head[at], head[at]) + head[at.stop :]
    elif reply and link in (_PPP_DIRECTED, _PPP_PPPD):
        head = _DIRECTED.get(head[:1], head[:1]) + head[1:]
    return _with_session_length(link, head, len(packet)) + packet


def _with_session_length(link: int, head: bytes, size: int) -> bytes:
    """The link header; a PPPoE header in it states the length for a packet of `size` bytes."""
    at = 0 if link == _PPP_ETHER else head.rfind(_PPPOE + _SESSION) + 2
    if link != _PPP_ETHER and (at < 2 or not 1 <= len(head) - at - 6 <= 2):
        return head
    length = len(head) - at - 6 + size
    return head[: at + 4] + min(length, 0xFFFF).to_bytes(2, "big") + head[at + 6 :]


def _typed(frame: bytes, at: int, follows: int) -> int:
    """The IP header's offset, given the protocol field at `at` and the header it announces at `follows`."""
    for _ in range(_MOST_TAGS + 1):
        kind = frame[at : at + 2]
        if kind in _IP:
            return follows
        if kind == _PPPOE:
            return _pppoe(frame, follows)
        if kind in _MPLS_TYPES:
            return _labelled(frame, follows)
        if kind not in _VLAN:
            return -1
        at, follows = follows + 2, follows + 4
    return -1


def _pppoe(frame: bytes, at: int = 0) -> int:
    return _ppp(frame, at + 6) if frame[at : at + 2] == _SESSION else -1


def _ppp(frame: bytes, at: int = 0) -> int:
    """The protocol field has one byte if that is odd (RFC 1661 section 2); FF 03 before it may be absent."""
    if frame[at : at + 2] == b"\xff\x03":
        at += 2
    first = frame[at : at + 1]
    if first in (b"\x21", b"\x57"):
        return at + 1
    kind = frame[at : at + 2]
    if kind in (b"\x00\x21", b"\x00\x57"):
        return at + 2
    return _labelled(frame, at + 2) if kind in (b"\x02\x81", b"\x02\x83") else -1


def _labelled(frame: bytes, at: int = 0) -> int:
    """Behind MPLS labels: the last has the bottom-of-stack bit; what follows says by itself what it is."""
    for _ in range(_MOST_LABELS):
        label = frame[at : at + 4]
        at += 4
        if len(label) == 4 and label[2] & 1:
            return at if at < len(frame) and frame[at] >> 4 in (4, 6) else -1
    return -1


def _ethernet(frame: bytes) -> int:
    return 14 if frame[12:14] == b"\x08\x00" else _typed(frame, 12, 14)


def _sll(frame: bytes) -> int:
    return _typed(frame, 14, 16)


def _sll2(frame: bytes) -> int:
    return _typed(frame, 0, 20)


def _cisco_hdlc(frame: bytes) -> int:
    return _typed(frame, 2, 4)


def _serial(frame: bytes) -> int:
    """PPP in frames like HDLC's, or Cisco's own protocol, whose address is another."""
    return _cisco_hdlc(frame) if frame[:1] in (b"\x0f", b"\x8f") else _ppp(frame)


def _directed(frame: bytes) -> int:
    return _ppp(frame, 1)


def _raw(frame: bytes) -> int:
    return 0 if frame and frame[0] >> 4 in (4, 6) else -1


def _null(frame: bytes) -> int:
    """The address family's number depends on the capturing system, so read the IP version instead."""
    return 4 if len(frame) > 4 and frame[4] >> 4 in (4, 6) else -1


_FINDERS: Final[dict[int, OffsetFinder]] = {
    **dict.fromkeys(_RAW, _raw),
    ETHERNET: _ethernet,
    NULL: _null,
    LOOP: _null,
    SLL: _sll,
    SLL2: _sll2,
    _PPP: _ppp,
    _PPP_SERIAL: _serial,
    _PPP_ETHER: _pppoe,
    _PPP_DIRECTED: _directed,
    _PPP_PPPD: _directed,
    _CISCO_HDLC: _cisco_hdlc,
    _MPLS: _labelled,
}
