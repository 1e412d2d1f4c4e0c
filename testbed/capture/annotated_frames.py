"""Reading a capture of our own with what `file` leaves out: interfaces by name, directions, comments."""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_INTERFACE, _PACKET = 1, 6
_COMMENT, _NAME, _FLAGS = 1, 2, 2
_SMALLEST: Final = 12  # bytes of a block


@dataclass(frozen=True, slots=True)
class AnnotatedFrame:
    """One packet of a capture that `PcapngWriter` wrote."""

    number: int  # from 1
    time: int  # ns since 1970
    interface: str
    outgoing: bool
    frame: bytes
    comment: str


def annotated_frames(path: Path) -> Iterator[AnnotatedFrame]:
    """Every packet, in the file's order; of a file cut short those before. Unknown blocks are passed over."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        interfaces: list[str] = []
        at = number = 0
        while at + _SMALLEST <= len(data):
            kind, size = struct.unpack_from("<II", data, at)
            if size < _SMALLEST or at + size > len(data):
                return
            if kind == _INTERFACE:
                interfaces.append(_options(data, at + 16, at + size - 4).get(_NAME, b"").decode())
            elif kind == _PACKET:
                number += 1
                where, high, low, length, _ = struct.unpack_from("<IIIII", data, at + 8)
                begin = at + 28
                found = _options(data, begin + length + -length % 4, at + size - 4)
                flags = int.from_bytes(found.get(_FLAGS, b"\0"), "little")
                name = interfaces[where] if where < len(interfaces) else ""
                comment = found.get(_COMMENT, b"").decode(errors="replace")
                frame = data[begin : begin + length]
                yield AnnotatedFrame(number, high << 32 | low, name, flags & 3 == 2, frame, comment)
            at += size


def _options(data: mmap.mmap, at: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at + 4 <= end:
        code, size = struct.unpack_from("<HH", data, at)
        if not code:
            break
        found[code] = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
    return found
