"""What the readers of both formats share: a window on the file's bytes, the record, and what can be wrong."""

import zlib
from typing import Final, Protocol

_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS  # with gzip's header and checksum
CHUNK: Final = 1 << 18  # bytes read at a time; our choice
LARGEST: Final = 1 << 24  # bytes of one record; our choice: 64 times tcpdump's largest snap length

Record = tuple[int, int, bytes, int]
"""Time (ns since 1970; -1: the file has none), link type (a LINKTYPE number), frame, length on the wire."""


class DamagedError(Exception):
    """A length or a version in the file is impossible. `CaptureFile` reports it with the file's name."""


class TruncatedError(Exception):
    """The file ends in the middle of a record. `CaptureFile` reports it with the file's name."""


class ByteSource(Protocol):
    """What a raw file and a pipe have in common."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""
        ...


class Unzipped:
    """What a gzip file holds (RFC 1952), one member or several, in memory that does not grow with it."""

    def __init__(self, head: bytes, source: ByteSource) -> None:
        """`head`: what was read of the source already."""
        self._source = source
        self._packed = head
        self._member = zlib.decompressobj(_GZIP_FORMAT)

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end. Errors: DamagedError; TruncatedError."""
        while True:
            if self._member.eof:
                self._packed = self._member.unused_data or self._source.read(CHUNK) or b""
                if not self._packed.strip(b"\0"):  # padding after the last member
                    return b""
                self._member = zlib.decompressobj(_GZIP_FORMAT)
            try:
                piece = self._member.decompress(self._packed, size)
            except zlib.error as error:
                raise DamagedError(f"gzip: {error}") from error
            self._packed = self._member.unconsumed_tail
            if piece:
                return piece
            if not self._packed and not self._member.eof:
                self._packed = self._source.read(CHUNK) or b""
                if not self._packed:
                    raise TruncatedError


class ByteWindow:
    """A window on a source, so that any file takes the same memory. `buffer[at:]` is still unread."""

    __slots__ = ("_source", "at", "buffer")

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.buffer = b""
        self.at = 0

    def fill(self, size: int) -> bool:
        """Read until the buffer holds `size` unread bytes, from index 0. False if the source ends before."""
        pieces = [self.buffer[self.at :]]
        have = len(pieces[0])
        while have < size:
            piece = self._source.read(max(CHUNK, size - have))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self.buffer, self.at = b"".join(pieces), 0
        return have >= size

    @property
    def unread(self) -> int:
        """Bytes in the buffer that are still unread; after a `fill` that failed, all that remain."""
        return len(self.buffer) - self.at
