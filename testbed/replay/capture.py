"""Opening a capture: a file, a pipe, or standard input."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from typing import Final

from testbed.errors import InputError
from testbed.replay import pcap, pcapng
from testbed.replay.feed import Feed, Source
from testbed.replay.record import Damaged, Record, Truncated

STDIN: Final = "-"
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd", b"\xfd7": "xz", b"BZ": "bzip2"}
_CUT_SHORT: Final = "capture it again, or do without what is missing: everything before was replayed"


class Capture:
    """The packets of a capture, once, in the file's order.

    A file that ends inside a record or has a damaged one gives what comes before; `fault` then says so.
    """

    def __init__(self, source: Source, name: str) -> None:
        """InputError if this is not a capture."""
        self.name = "standard input" if name == STDIN else name
        self.fault: InputError | None = None
        self.count = 0  # packets read so far
        self._feed = Feed(source)
        self._feed.fill(4)
        magic = self._feed.buffer[:4]
        if magic == pcapng.MAGIC:
            self._records = pcapng.read(self._feed)
        elif magic in pcap.MAGICS:
            self._records = pcap.read(self._feed)
        else:
            raise InputError.at(self.name, *_strange(magic))

    def __iter__(self) -> Iterator[Record]:
        try:
            for self.count, record in enumerate(self._records, 1):  # noqa: B020 - the count is kept
                yield record
        except Truncated:
            self.fault = InputError.at(self.name, f"ends in the middle of {self._after}", _CUT_SHORT)
        except Damaged as damage:
            self.fault = InputError.at(self.name, f"is damaged: {damage} at {self._after}", _CUT_SHORT)

    @property
    def _after(self) -> str:
        return f"packet {self.count + 1}" if self.count else "the file's header or its first packet"


@contextmanager
def opened(name: str) -> Iterator[Capture]:
    """The capture in the file `name`, or on standard input for "-". InputError if there is none."""
    if name == STDIN:
        yield Capture(FileIO(sys.stdin.fileno(), closefd=False), name)
        return
    try:
        source = open(name, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed below
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError.at(name, f"cannot be read: {reason}", "name a pcap or pcapng file, or -") from error
    with source:
        yield Capture(source, name)


def _strange(magic: bytes) -> tuple[str, str]:
    if not magic:
        return "is empty", "name a pcap or pcapng file"
    kind = _COMPRESSED.get(magic[:2])
    if kind:
        return f"is compressed ({kind})", "uncompress it: gzip -dc FILE | testbed replay - …"
    return f"is not a capture: it begins with {magic.hex()}", "pcap and pcapng are read"
