"""The packets of a vantage during one test: a program there that writes pcapng, and what a test reads of it.

The program runs as the subscriber, as any command of a test does: python -m testbed.testing.capturing FILE
"""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from testbed.capture.file import open_capture
from testbed.capture.link import SLL
from testbed.capture.writer import PcapngWriter
from testbed.errors import InvalidRunError
from testbed.world import linux

_ANY_PROTOCOL, _OUTGOING = 3, 4  # ETH_P_ALL, PACKET_OUTGOING: packet(7)
_TIMESTAMP = 35  # SO_TIMESTAMPNS
_BUFFER = 8 << 20  # bytes; our choice
_COOKED = struct.Struct(">HHH8sH")  # of LINKTYPE_LINUX_SLL, whose first field is the direction
_LONGEST = 65_535
_READY = b"capturing\n"
_WITHIN = 60  # seconds for the program to start and to end; our choice, generous for machines under load


@dataclass(frozen=True, slots=True)
class VantagePacket:
    """One packet at the subscriber's interface."""

    t: float  # seconds since the epoch, by the kernel
    up: bool  # from the subscriber
    raw: bytes  # from the IP header on


class VantageCapture:
    """The packets of one vantage while a test runs. `file` is a pcapng file."""

    def __init__(self, file: Path, program: "subprocess.Popen[bytes]") -> None:
        self.file = file
        self._program = program

    def __call__(self) -> tuple[VantagePacket, ...]:
        """End capturing; the packets that passed until now. Errors: InvalidRunError if the capture failed."""
        self.end()
        if self._program.returncode:
            raise InvalidRunError(f"capturing ended with {self._program.returncode}: {self.file}")
        return tuple(_packets(self.file))

    def end(self) -> None:
        """Stop the program, which writes what the kernel still has for it."""
        if self._program.poll() is None:
            self._program.send_signal(signal.SIGTERM)
            self._program.communicate(timeout=_WITHIN)


@contextmanager
def capturing(world: str, vantage: str, file: Path) -> Iterator[VantageCapture]:
    """Capture at a vantage of the world of that name. InvalidRunError if the program does not start."""
    begin = "from testbed.cli.start import main; main()"
    line = [sys.executable, "-c", begin, "exec", world, "--vantage", vantage, "-q", "--"]
    line += [sys.executable, "-m", __name__, str(file)]
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as program:
        found = VantageCapture(file, program)
        try:
            assert program.stdout is not None
            if program.stdout.readline() != _READY:
                raise InvalidRunError(f"capturing at {vantage} did not begin")
            yield found
        finally:
            found.end()


def _packets(file: Path) -> Iterator[VantagePacket]:
    with open_capture(str(file)) as records:
        for time, _, frame, _ in records:
            way = _COOKED.unpack_from(frame)[0]
            yield VantagePacket(time / 1e9, up=way == _OUTGOING, raw=frame[_COOKED.size :])


def main() -> int:
    """Write packets into the file until SIGTERM."""
    stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    taken = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ANY_PROTOCOL))
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    taken.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
    taken.setblocking(False)  # noqa: FBT003
    with Path(sys.argv[1]).open("wb") as file, taken:
        writer = PcapngWriter(file)
        os.write(1, _READY)
        while not stopping:
            linux.Poller([taken.fileno(), waking]).wait()
            _write(taken, writer)
        _write(taken, writer)
    return 0


def _write(taken: socket.socket, writer: PcapngWriter) -> None:
    """Write what the kernel has. Packets over loopback are nobody else's, and ARP is no IP."""
    while True:
        try:
            raw, controls, _, address = taken.recvmsg(_LONGEST, 64)
        except BlockingIOError:
            return
        if address[0] == "lo" or not raw or raw[0] >> 4 not in (4, 6):
            continue
        seconds, nanoseconds = struct.unpack("@ll", controls[0][2][:16])
        frame = _COOKED.pack(address[2], 1, 0, b"", address[1]) + raw
        writer.packet(address[0], SLL, seconds * 10**9 + nanoseconds, frame, len(frame))


if __name__ == "__main__":
    sys.exit(main())
