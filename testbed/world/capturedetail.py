"""How much of what comes by a recorder asks the kernel for: whole packets, headers, or headers of a part.

A processor that copies packets does not forward any. So the more comes by, the less is asked for, by a
classic BPF program of the socket (bpf(4), and Documentation/networking/filter.rst of the kernel).
"""

import ctypes
import socket
import struct
from collections.abc import Sequence
from enum import IntEnum
from math import inf
from typing import Final

HEADERS: Final = 128  # bytes: Ethernet, IPv6 and TCP with all its options have 114
SHARE: Final = 16  # of this many segments that only carry a stream on, one is recorded; our choice
FAST: Final = 60e6
"""Bytes per second at all points together above which less is asked for; our choice: more than a download at
100 Mbit/s leaves at four points."""
_WINDOW: Final = 0.1  # s over which that is measured; our choice
CALM: Final = 1.0  # s over which it is measured whether more can be asked for again; our choice

_ATTACH_FILTER: Final = 26  # SO_ATTACH_FILTER
_STEP: Final = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, if false, k
_WHOLE: Final = 1 << 18  # bytes of a packet, at most
_SPECIAL: Final = 0x0F  # TCP's FIN, SYN, RST, PSH
_LDH, _LDB, _LD, _LDB_X, _LD_X, _HEADER_TO_X, _ST, _LDX_M, _ADD_X, _RSH, _AND, _JEQ, _JSET, _JA, _RET = (
    0x28, 0x30, 0x20, 0x50, 0x40, 0xB1, 0x02, 0x61, 0x0C, 0x74, 0x54, 0x15, 0x45, 0x05, 0x06,
)  # fmt: skip
_KEEP: Final = 27
# The same segments at every point: which ones is read from their numbers, so that a packet that is recorded
# at one point and not at the next did not come there. Targets of jumps are lines, as tcpdump -d prints them.
_SAMPLE: Final = (
    (_LDH, 0, 0, 12),  # 0: the frame's type
    (_JEQ, 2, 10, 0x86DD),
    (_LDB, 0, 0, 20),  # 2: IPv6's next header
    (_JEQ, 4, _KEEP, 6),
    (_LDB, 0, 0, 54 + 13),
    (_JSET, _KEEP, 6, _SPECIAL),
    (_LD, 0, 0, 54 + 4),  # 6: sequence number
    (_ST, 0, 0, 0),
    (_LD, 0, 0, 54 + 8),
    (_JA, 0, 0, 21),
    (_JEQ, 11, _KEEP, 0x0800),
    (_LDB, 0, 0, 23),  # 11: IPv4's protocol
    (_JEQ, 13, _KEEP, 6),
    (_LDH, 0, 0, 20),  # 13: its fragment offset, and whether more follow
    (_JSET, _KEEP, 15, 0x3FFF),
    (_HEADER_TO_X, 0, 0, 14),  # 15: its header's length
    (_LDB_X, 0, 0, 14 + 13),
    (_JSET, _KEEP, 18, _SPECIAL),
    (_LD_X, 0, 0, 14 + 4),  # 18: sequence number
    (_ST, 0, 0, 0),
    (_LD_X, 0, 0, 14 + 8),
    (_LDX_M, 0, 0, 0),  # 21: with the acknowledgement number
    (_ADD_X, 0, 0, 0),
    (_RSH, 0, 0, 4),
    (_AND, 0, 0, SHARE - 1),
    (_JEQ, _KEEP, 26, 0),
    (_RET, 0, 0, 0),
    (_RET, 0, 0, HEADERS),
)


class CaptureDetail(IntEnum):
    """What is recorded."""

    WHOLE = 0
    HEADERS = 1  # of every packet
    SAMPLE = 2  # headers; of TCP segments without FIN, SYN, RST and PSH only one in `SHARE`


def program(detail: CaptureDetail) -> bytes:
    """The filter that asks for this much, as an array of struct sock_filter."""
    most = _WHOLE if detail is CaptureDetail.WHOLE else HEADERS
    lines = _SAMPLE if detail is CaptureDetail.SAMPLE else ((_RET, 0, 0, most),)
    return b"".join(_encoded(number, *line) for number, line in enumerate(lines))


def _encoded(number: int, code: int, true: int, false: int, k: int) -> bytes:
    if code in (_JEQ, _JSET):
        return _STEP.pack(code, true - number - 1, false - number - 1, k)
    return _STEP.pack(code, 0, 0, k - number - 1 if code == _JA else k)


def attach(one: socket.socket, filter_: bytes) -> None:
    """Have a socket get what a `program` asks for, from its next packet on."""
    held = ctypes.create_string_buffer(filter_, len(filter_))
    described = struct.pack("HP", len(filter_) // _STEP.size, ctypes.addressof(held))  # struct sock_fprog
    one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)


_MOST: Final = {CaptureDetail.WHOLE: 1.0, CaptureDetail.HEADERS: 1 / 3}
"""Shares of `FAST` above which less is asked for; our choice: copies of 20 MB/s of headers, 100,000 packets,
take a twentieth of two processors."""
_LEAST: Final = {CaptureDetail.HEADERS: 1 / 10, CaptureDetail.SAMPLE: 1 / 100}
"""Shares below which more can be: whole packets have about eight times the bytes of headers, and all headers
up to 16 times those of a part. Our choice: a step up must not be followed by one down."""


class CapturePace:
    """Asks for less while much comes by, and for more once little does."""

    def __init__(self, sockets: Sequence[socket.socket], fast: float, now: float) -> None:
        """`fast`: bytes per second at all sockets together, see `FAST`."""
        self._sockets, self._fast = sockets, fast
        self._short, self._long = (0, now), (0, now)  # bytes, and since when
        self.detail = CaptureDetail.WHOLE
        self.sampled = False  # whether it ever was a part

    def note(self, taken: int, now: float) -> None:
        """So many bytes were taken since the last time."""
        self._short = self._short[0] + taken, self._short[1]
        self._long = self._long[0] + taken, self._long[1]
        most, least = _MOST.get(self.detail, inf), _LEAST.get(self.detail, 0.0)
        if self._short[0] > self._fast * most * _WINDOW:
            self._turn(self.detail + 1, now)
        elif now - self._short[1] >= _WINDOW:
            self._short = 0, now
        if now - self._long[1] >= CALM:
            if self._long[0] < self._fast * least * (now - self._long[1]):
                self._turn(self.detail - 1, now)
            self._long = 0, now

    def _turn(self, detail: int, now: float) -> None:
        self.detail = CaptureDetail(detail)
        self._short = self._long = 0, now
        self.sampled |= self.detail is CaptureDetail.SAMPLE
        asked = program(self.detail)
        for one in self._sockets:
            attach(one, asked)
