"""Pcapng files: sections, interfaces, and the three kinds of packet block (draft-ietf-opsawg-pcapng §4)."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from testbed.capture.source import LARGEST, ByteWindow, DamagedError, Record, TruncatedError

MAGIC: Final = b"\x0a\x0d\x0d\x0a"  # the section header's block type, the same in both byte orders
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_MOST_INTERFACES: Final = 4096  # our choice: bounds memory
_NAME, _TSRESOL, _TSOFFSET, _END_OF_OPTIONS = 2, 9, 14, 0
_BILLION: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snap: int  # 0: no limit
    nanoseconds: Callable[[int], int]  # since 1970, from ticks
    name: str = ""


def read(  # noqa: C901 - one loop without calls: the hot path
    window: ByteWindow, only: str = "", names: list[str] | None = None
) -> Iterator[Record]:
    """The packets; `only` those of the interface with that name. `names` gets the names of all, as they come.

    Errors: DamagedError; TruncatedError if the file ends inside a block.
    """
    order = "<"
    interfaces: list[_Interface] = []
    head = struct.Struct("<II").unpack_from
    packet = struct.Struct("<5I").unpack_from
    while True:
        buffer, at = window.buffer, window.at
        if len(buffer) - at < 12:
            if not window.fill(12):
                break
            buffer, at = window.buffer, 0
        kind, size = head(buffer, at)
        if kind == _SECTION:
            order = _order(buffer[at + 8 : at + 12])
            head, packet = struct.Struct(f"{order}II").unpack_from, struct.Struct(f"{order}5I").unpack_from
            size, interfaces = head(buffer, at)[1], []
        if not 12 <= size <= LARGEST:
            raise DamagedError(f"a block of {size} bytes")
        step = size + -size % 4
        end = at + step
        if end > len(buffer):
            if not window.fill(step):
                break
            buffer, at, end = window.buffer, 0, step
        window.at = end
        if kind == _PACKET and size >= 32:
            number, high, low, length, wire = packet(buffer, at + 8)
            if number >= len(interfaces) or length > size - 32:
                raise DamagedError(f"a packet of {length} bytes from interface {number}")
            one = interfaces[number]
            if only and one.name != only:
                continue
            data = buffer[at + 28 : at + 28 + length]
            yield one.nanoseconds(high << 32 | low), one.link, data, wire
        elif kind == _INTERFACE:
            if len(interfaces) >= _MOST_INTERFACES:
                raise DamagedError(f"more than {_MOST_INTERFACES} interfaces in one section")
            interfaces.append(_interface(order, buffer[at + 8 : at + size - 4]))
            if names is not None:
                names.append(interfaces[-1].name)
        elif kind in (_SIMPLE, _OLD_PACKET):
            yield _rare(kind, order, buffer[at + 8 : at + size - 4], interfaces)
    if window.unread:
        raise TruncatedError


def _order(magic: bytes) -> str:
    if magic not in _ORDERS:
        raise DamagedError(f"a section with the byte-order magic {magic.hex()}")
    return _ORDERS[magic]


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise DamagedError("an interface description that is too short")
    link, snap = struct.unpack_from(f"{order}HxxI", body)
    resolution, offset, name = 6, 0, ""
    for code, value in _options(order, body[8:]):
        if code == _TSRESOL and len(value) == 1:
            resolution = value[0]
        elif code == _TSOFFSET and len(value) == 8:
            offset = struct.unpack(f"{order}q", value)[0]
        elif code == _NAME:
            name = value.decode("utf-8", "replace")
    return _Interface(link, snap, _clock(resolution, offset * _BILLION), name)


def _clock(resolution: int, offset: int) -> Callable[[int], int]:
    """Ticks to nanoseconds. `resolution`: exponent of a negative power of 10, or of 2 with bit 7 set."""
    if resolution <= 9:
        factor = 10 ** (9 - resolution)
        return lambda ticks: ticks * factor + offset
    if resolution & 0x80:
        shift = resolution & 0x7F
        return lambda ticks: (ticks * _BILLION >> shift) + offset
    divisor: int = 10 ** (resolution - 9)
    return lambda ticks: ticks // divisor + offset


def _options(order: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(f"{order}HH", data, at)
        if code == _END_OF_OPTIONS:
            return
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


def _rare(kind: int, order: str, body: bytes, interfaces: list[_Interface]) -> Record:
    """A simple packet block, which has no time, or the obsolete packet block."""
    if len(body) < (4 if kind == _SIMPLE else 20):
        raise DamagedError("a packet block that is too short")
    number, time = 0, -1
    if kind == _SIMPLE:
        (wire,) = struct.unpack_from(f"{order}I", body)
        length, start = min(wire, len(body) - 4), 4
    else:
        number, high, low, length, wire = struct.unpack_from(f"{order}HxxIIII", body)
        start, time = 20, high << 32 | low
    if number >= len(interfaces) or length > len(body) - start:
        raise DamagedError(f"a packet of {length} bytes from interface {number}")
    one = interfaces[number]
    if kind == _SIMPLE and one.snap:
        length = min(length, one.snap)
    stamp = time if time < 0 else one.nanoseconds(time)
    return stamp, one.link, body[start : start + length], wire
