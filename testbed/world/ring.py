"""Recording packets at interfaces: the kernel's rings (TPACKET_V3), copied to a file block by block.

Nothing is done per packet, so that recording costs little and keeps up: a block of the ring holds hundreds of
packets with their times, and goes to the file as it is. What the kernel could not put into a ring is counted
by it. While more comes by than two processors can copy beside their work, less is asked for:
`testbed.world.capturedetail`. packet(7), and Documentation/networking/packet_mmap.rst of the kernel.
"""

import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from testbed.world.capturedetail import CALM, FAST, CaptureDetail, CapturePace
from testbed.world.children import Body
from testbed.world.netns import Namespace, inside

_EVERY: Final = socket.htons(3)  # ETH_P_ALL
_SOL_PACKET, _RX_RING, _STATISTICS, _VERSION, _V3 = 263, 5, 6, 10, 2
_BLOCK: Final = 1 << 18  # bytes; our choice
_ALL_RINGS: Final = 96 << 20  # bytes of kernel memory for all rings together; our choice
_FEWEST, _MOST = 4, 64  # blocks of a ring
_FRAME: Final = 2048  # bytes; only a unit of the kernel's account here
_RETIRE: Final = 40  # ms until a block that is not full is handed over; our choice
_RECEIVED, _SENT = 1, 9  # columns of net/dev: packets
_STATUS, _PACKETS, _FIRST, _LENGTH = 8, 12, 16, 20  # offsets in a block
_READY: Final = 1  # TP_STATUS_USER
_PACKET: Final = struct.Struct("=IIIIIIHH")  # tpacket3_hdr up to tp_net
_TYPE_AT: Final = 58  # sll_pkttype of the sockaddr_ll behind it
_OUTGOING: Final = 4
_HEAD: Final = struct.Struct("=II")  # of a block in the file: point, bytes
PACKETS, COUNTS = "packets.ring", "counts.json"


@dataclass(frozen=True, slots=True)
class CapturePoint:
    """An interface at which packets are recorded."""

    name: str  # in the capture: "mts.tspu.before"
    description: str
    namespace: Namespace
    interface: str


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """One packet at one point."""

    time: int  # ns since 1970, by the kernel
    point: int  # its index
    outgoing: bool  # the interface sent it; otherwise it arrived
    frame: bytes  # from the Ethernet header on
    wire: int  # its length on the wire, bytes

    @property
    def cut(self) -> bool:
        """Whether only its headers were recorded."""
        return len(self.frame) < self.wire


def recorder(points: Sequence[CapturePoint], folder: Path, fast: float = FAST) -> Body:
    """A service that records at all points until SIGTERM, into `folder`.

    `fast`: bytes per second at all of them above which less is recorded, until little comes again.
    The sockets are opened here: packets count from now on. OSError if the kernel refuses one.
    """
    blocks = max(_FEWEST, min(_MOST, _ALL_RINGS // _BLOCK // max(1, len(points))))
    sockets = [_opened(point, blocks) for point in points]
    passing = [_Passing(point) for point in points]

    def serve(ready: Callable[[], None]) -> None:
        rings = [mmap.mmap(one.fileno(), blocks * _BLOCK) for one in sockets]
        stopping, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        ready()
        with (folder / PACKETS).open("wb", buffering=1 << 20) as file:
            places = [0] * len(points)
            pace = CapturePace(sockets, fast, time.monotonic())
            _until(stopping, sockets, pace, rings, places, blocks, file)
            time.sleep(2 * _RETIRE / 1000)  # what is in a block that is not full
            _take(rings, places, blocks, file)
        found = [_counts(one, by if pace.sampled else None) for one, by in zip(sockets, passing, strict=True)]
        (folder / COUNTS).write_text(json.dumps(found))

    return serve


def _opened(point: CapturePoint, blocks: int) -> socket.socket:
    with inside(point.namespace):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # no protocol yet: nothing is received
        one.setsockopt(_SOL_PACKET, _VERSION, _V3)
        request = struct.pack(
            "=7I", _BLOCK, blocks, _FRAME, _BLOCK // _FRAME * blocks, _RETIRE, 0, 0
        )  # tpacket_req3
        one.setsockopt(_SOL_PACKET, _RX_RING, request)
        one.bind((point.interface, socket.ntohs(_EVERY)))
    return one


def _until(
    stopping: int,
    sockets: Sequence[socket.socket],
    pace: CapturePace,
    rings: Sequence[mmap.mmap],
    places: list[int],
    blocks: int,
    file: BinaryIO,
) -> None:
    poll = select.poll()
    poll.register(stopping, select.POLLIN)
    for one in sockets:
        poll.register(one.fileno(), select.POLLIN | select.POLLERR)
    while True:
        found = poll.poll(None if pace.detail is CaptureDetail.WHOLE else 1000 * CALM)
        pace.note(_take(rings, places, blocks, file), time.monotonic())
        if any(fd == stopping for fd, _ in found):
            return


def _take(rings: Sequence[mmap.mmap], places: list[int], blocks: int, file: BinaryIO) -> int:
    """Copy every block that the kernel has handed over, then return it to the kernel; the bytes."""
    taken = 0
    for number, ring in enumerate(rings):
        while True:
            at = places[number] * _BLOCK
            if not int.from_bytes(ring[at + _STATUS : at + _STATUS + 4], sys.byteorder) & _READY:
                break
            size = int.from_bytes(ring[at + _LENGTH : at + _LENGTH + 4], sys.byteorder)
            file.write(_HEAD.pack(number, size))
            file.write(memoryview(ring)[at : at + size])
            taken += size
            ring[at + _STATUS : at + _STATUS + 4] = bytes(4)
            places[number] = (places[number] + 1) % blocks
    return taken


class _Passing:
    """How many packets an interface sends and receives from now on, by its own counters."""

    def __init__(self, point: CapturePoint) -> None:
        self._name = f"{point.interface}:"
        with inside(point.namespace):  # an open file goes on to speak of it
            self._file = Path("/proc/thread-self/net/dev").open(encoding="ascii")  # noqa: SIM115
        self._before = self._read()

    def number(self) -> int:
        return self._read() - self._before

    def _read(self) -> int:
        self._file.seek(0)
        for line in self._file:
            name, *columns = line.split()
            if name == self._name:
                return int(columns[_RECEIVED]) + int(columns[_SENT])
        return 0


def _counts(one: socket.socket, passing: _Passing | None) -> dict[str, int]:
    passed = passing.number() if passing else 0
    packets, drops, _ = struct.unpack("=3I", one.getsockopt(_SOL_PACKET, _STATISTICS, 12))
    left_out = max(0, passed - packets)
    return {"received": packets, "dropped": drops, "left_out": left_out}


def counts(folder: Path, points: int) -> list[dict[str, int]]:
    """Packets that each point's ring received and dropped, and those left out."""
    try:
        found = json.loads((folder / COUNTS).read_text("utf-8"))
    except (OSError, ValueError):
        found = []
    return found if len(found) == points else [{} for _ in range(points)]


def recorded(folder: Path, points: int) -> list[Iterator[RecordedFrame]]:
    """The packets of each point, in the order in which the kernel had them; a file cut short up to there."""
    path = folder / PACKETS
    if not path.exists() or not path.stat().st_size:
        return [iter(()) for _ in range(points)]
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    places: list[list[int]] = [[] for _ in range(points)]
    at = 0
    while at + _HEAD.size <= len(data):
        point, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if point >= points or at + size > len(data):
            break
        places[point].append(at)
        at += size
    return [_frames(data, blocks, point) for point, blocks in enumerate(places)]


def _frames(data: mmap.mmap, blocks: Sequence[int], point: int) -> Iterator[RecordedFrame]:
    for block in blocks:
        number = int.from_bytes(data[block + _PACKETS : block + _PACKETS + 4], sys.byteorder)
        at = block + int.from_bytes(data[block + _FIRST : block + _FIRST + 4], sys.byteorder)
        for _ in range(number):
            following, seconds, nanoseconds, size, wire, _status, mac, _net = _PACKET.unpack_from(data, at)
            outgoing = data[at + _TYPE_AT] == _OUTGOING
            frame = data[at + mac : at + mac + size]
            yield RecordedFrame(seconds * 10**9 + nanoseconds, point, outgoing, frame, wire)
            at += following
