"""Classic pcap files: microseconds or nanoseconds, either byte order (draft-ietf-opsawg-pcap §4-5)."""

import struct
from collections.abc import Iterator
from typing import Final

from testbed.replay.feed import LARGEST, Feed
from testbed.replay.record import Damaged, Record, Truncated

MAGICS: Final = {  # first four bytes -> byte order, nanoseconds in a tick
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_FILE_HEADER: Final = 24
_BILLION: Final = 1_000_000_000


def read(feed: Feed) -> Iterator[Record]:
    """The packets. Raises Damaged, or Truncated if the file ends inside a record."""
    if not feed.fill(_FILE_HEADER):
        raise Truncated
    order, tick = MAGICS[feed.buffer[:4]]
    major, link = struct.unpack_from(f"{order}4xH14xI", feed.buffer)
    if major != 2:
        raise Damaged(f"pcap version {major} is not known")
    link &= 0xFFFF  # the upper bits tell of frame check sequences
    head = struct.Struct(f"{order}IIII").unpack_from
    feed.at = _FILE_HEADER
    while True:
        buffer, at = feed.buffer, feed.at
        if len(buffer) - at < 16:
            if not feed.fill(16):
                break
            buffer, at = feed.buffer, 0
        seconds, ticks, size, wire = head(buffer, at)
        if size > LARGEST:
            raise Damaged(f"a packet of {size} bytes")
        end = at + 16 + size
        if end > len(buffer):
            if not feed.fill(16 + size):
                break
            buffer, at, end = feed.buffer, 0, 16 + size
        feed.at = end
        yield seconds * _BILLION + ticks * tick, link, buffer[at + 16 : end], wire
    if feed.left:
        raise Truncated
