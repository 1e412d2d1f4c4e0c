"""Classic pcap files: microseconds or nanoseconds, either byte order (draft-ietf-opsawg-pcap §4-5)."""

import struct
from collections.abc import Iterator
from typing import Final

from testbed.capture.source import LARGEST, ByteWindow, DamagedError, Record, TruncatedError

MAGICS: Final = {  # first four bytes -> byte order, nanoseconds in a tick
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_FILE_HEADER: Final = 24
_BILLION: Final = 1_000_000_000


def read(window: ByteWindow) -> Iterator[Record]:
    """The packets.

    Errors: DamagedError; TruncatedError if the file ends inside a record.
    """
    if not window.fill(_FILE_HEADER):
        raise TruncatedError
    order, tick = MAGICS[window.buffer[:4]]
    major, link = struct.unpack_from(f"{order}4xH14xI", window.buffer)
    if major != 2:
        raise DamagedError(f"pcap version {major} is unknown")
    link &= 0xFFFF  # the upper bits describe frame check sequences
    head = struct.Struct(f"{order}IIII").unpack_from
    window.at = _FILE_HEADER
    while True:
        buffer, at = window.buffer, window.at
        if len(buffer) - at < 16:
            if not window.fill(16):
                break
            buffer, at = window.buffer, 0
        seconds, ticks, size, wire = head(buffer, at)
        if size > LARGEST:
            raise DamagedError(f"a packet of {size} bytes")
        end = at + 16 + size
        if end > len(buffer):
            if not window.fill(16 + size):
                break
            buffer, at, end = window.buffer, 0, 16 + size
        window.at = end
        yield seconds * _BILLION + ticks * tick, link, buffer[at + 16 : end], wire
    if window.unread:
        raise TruncatedError
