"""The IP packet of a frame: whether it is whole, and its length where an offload left 0."""

from typing import Final

from testbed.censor.packet import TCP
from testbed.censor.wire import with_header_checksum

_JUMBO: Final = b"\xc2\x04"  # RFC 2675, as Linux writes it: alone in a hop-by-hop header of 8 bytes
_LARGEST_LENGTH: Final = 0xFFFF
_HOP_BY_HOP: Final = 0
_UNSET: Final = b"\0\0"


def ip_packet(data: bytes, at: int, wire: int) -> tuple[bytes, str]:
    """The IP packet at this place of a frame, and "" or why it cannot be judged: a key of NOT_JUDGED.

    `wire` is the frame's length on the wire. A frame may be cut and its IP packet whole: then padding, a
    trailer or a frame check sequence was not captured.
    """
    if at < 0:
        return b"", "not_ip"
    raw, cut = data[at:], len(data) < wire
    missing = "cut" if cut else "unreadable"
    version = raw[0] >> 4 if raw else 0
    if version not in (4, 6) or len(raw) < (20 if version == 4 else 40):
        return raw, missing
    if _has_no_length(raw, version):
        if cut:
            return raw, "cut"
        raw = _with_length(raw, version)
    size = int.from_bytes(raw[4:6], "big") + 40 if version == 6 else int.from_bytes(raw[2:4], "big")
    if size > len(raw):
        return raw, missing
    return raw, "" if size >= 20 else "unreadable"


def _has_no_length(raw: bytes, version: int) -> bool:
    """Whether an offload left 0 (an IPv6 packet may be empty: that takes another next header)."""
    if version == 4:
        return raw[2:4] == _UNSET
    return raw[4:6] == _UNSET and raw[6] in (TCP, _HOP_BY_HOP) and len(raw) > 40


def _with_length(raw: bytes, version: int) -> bytes:
    """The packet with the length that its frame shows; beyond 65,535, with that and all its bytes."""
    if version == 4:
        header = (raw[0] & 15) * 4
        head = raw[:2] + min(len(raw), _LARGEST_LENGTH).to_bytes(2, "big") + raw[4:header]
        return (with_header_checksum(head) if header >= 20 else head) + raw[len(head) :]
    if raw[6] == _HOP_BY_HOP and raw[42:44] == _JUMBO:
        raw = raw[:6] + raw[40:41] + raw[7:40] + raw[48:]
    return raw[:4] + min(len(raw) - 40, _LARGEST_LENGTH).to_bytes(2, "big") + raw[6:]
