"""Recordings as the kernel's rings leave them, byte by byte: packet(7), packet_mmap.rst."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

from testbed.run.taps import FOLDER, POINTS
from testbed.world.ring import COUNTS, PACKETS

_MAC = 80  # where a frame begins in its record; the kernel's choice
Sight = tuple[int, str, bool, bytes]  # ns, point, outgoing, IP packet


def write_recording(
    run: Path, points: Sequence[dict], sights: Sequence[Sight], dropped: int = 0, kept: int = 1 << 18
) -> Path:
    """A block for each point; of a frame `kept` bytes."""
    folder = run / FOLDER
    folder.mkdir(parents=True)
    (folder / POINTS).write_text(json.dumps(list(points)))
    counted = [{"received": 5, "dropped": dropped}] + [{"received": 5, "dropped": 0}] * (len(points) - 1)
    (folder / COUNTS).write_text(json.dumps(counted))
    names = [one["name"] for one in points]
    with (folder / PACKETS).open("wb") as file:
        for number, name in enumerate(names):
            block = _block([sight for sight in sights if sight[1] == name], kept)
            file.write(struct.pack("=II", number, len(block)) + block)
    return folder


def _block(sights: Sequence[Sight], kept: int) -> bytes:
    records = b""
    for time, _, outgoing, packet in sights:
        frame = bytes(12) + (b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet
        wire, frame = len(frame), frame[:kept]
        size = (_MAC + len(frame) + 7) // 8 * 8
        seconds, rest = divmod(time, 10**9)
        head = struct.pack("=IIIIIIHH", size, seconds, rest, len(frame), wire, 1, _MAC, _MAC + 14)
        link = struct.pack("=HHiHBB8s", 17, 8, 2, 1, 4 if outgoing else 0, 6, b"")
        record = head.ljust(48, b"\0") + link
        records += (record.ljust(_MAC, b"\0") + frame).ljust(size, b"\0")
    first = 48
    head = struct.pack("=IIIIII", 3, 0, 1, len(sights), first, first + len(records))
    return head.ljust(first, b"\0") + records
