"""Opening a capture: a file, a pipe, or standard input."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from typing import Final

from testbed.capture import pcap, pcapng
from testbed.capture.source import (
    ByteSource,
    ByteWindow,
    DamagedError,
    Record,
    TruncatedError,
    Unzipped,
)
from testbed.errors import InputError

STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"
_COMPRESSED: Final = {b"\x28\xb5": "zstd", b"\xfd7": "xz", b"BZ": "bzip2", b"\x04\x22": "lz4"}
_INCOMPLETE: Final = "everything before it was read; capture again if the rest matters"


class CaptureFile:
    """The packets of a capture, once, in the file's order.

    A truncated or damaged file yields the packets before the fault; `fault` then holds the error.
    """

    def __init__(self, source: ByteSource, name: str, only: str = "") -> None:
        """`only`: the packets of the interface with that name, of pcapng.

        Errors: InputError if the source is neither pcap nor pcapng.
        """
        self.name = "standard input" if name == STDIN else name
        self.fault: InputError | None = None
        self.count = 0  # packets read so far
        self.interfaces: list[str] = []  # names of those met so far, of pcapng
        window = ByteWindow(source)
        window.fill(4)
        magic = window.buffer[:4]
        if magic[:2] == _GZIP:
            window = ByteWindow(Unzipped(window.buffer, source))
            try:
                window.fill(4)
            except (TruncatedError, DamagedError) as error:
                message = f"cannot be decompressed: {str(error) or 'it ends too early'}"
                raise InputError.at(self.name, message, "compress or capture it again") from error
            magic = window.buffer[:4]
        if magic == pcapng.MAGIC:
            self._records = pcapng.read(window, only, self.interfaces)
        elif magic in pcap.MAGICS:
            self._records = pcap.read(window)
        else:
            raise InputError.at(self.name, *_not_a_capture(magic))

    def __iter__(self) -> Iterator[Record]:
        try:
            for self.count, record in enumerate(self._records, 1):  # noqa: B020 - the count is kept
                yield record
        except TruncatedError:
            self.fault = InputError.at(self.name, f"ends in the middle of {self._position}", _INCOMPLETE)
        except DamagedError as damage:
            self.fault = InputError.at(self.name, f"is damaged: {damage} at {self._position}", _INCOMPLETE)

    @property
    def _position(self) -> str:
        return f"packet {self.count + 1}" if self.count else "the file's header or its first packet"


@contextmanager
def open_capture(name: str, only: str = "") -> Iterator[CaptureFile]:
    """Open the capture in the file `name`, or standard input for "-"; see `CaptureFile` for `only`.

    Errors: InputError if the file cannot be read or is not a capture.
    """
    if name == STDIN:
        yield CaptureFile(FileIO(sys.stdin.fileno(), closefd=False), name, only)
        return
    try:
        source = open(name, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed below
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError.at(name, f"cannot be read: {reason}", "name a pcap or pcapng file, or -") from error
    with source:
        yield CaptureFile(source, name, only)


def _not_a_capture(magic: bytes) -> tuple[str, str]:
    if not magic:
        return "is empty", "name a pcap or pcapng file"
    method = _COMPRESSED.get(magic[:2])
    if method:
        return f"is compressed ({method})", f"decompress it and read standard input: {method} -dc FILE | … -"
    return f"is not a capture: it begins with {magic.hex()}", "name a pcap or pcapng file"
