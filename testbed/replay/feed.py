"""Bytes of a capture in pieces, so that a file of any size takes the same memory."""

from typing import Protocol

CHUNK = 1 << 18  # bytes asked for at a time; our choice
LARGEST = 1 << 24  # bytes of one record; our choice: 64 times what tcpdump captures of a packet at most


class Source(Protocol):
    """What a raw file and a pipe have in common."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""
        ...


class Feed:
    """A window on the source. `buffer[at:]` has not been used yet."""

    __slots__ = ("_source", "at", "buffer")

    def __init__(self, source: Source) -> None:
        self._source = source
        self.buffer = b""
        self.at = 0

    def fill(self, wanted: int) -> bool:
        """Have `wanted` unused bytes in the buffer, from its beginning; False if the source ends before."""
        pieces = [self.buffer[self.at :]]
        have = len(pieces[0])
        while have < wanted:
            piece = self._source.read(max(CHUNK, wanted - have))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        self.buffer, self.at = b"".join(pieces), 0
        return have >= wanted

    @property
    def left(self) -> int:
        """Bytes that have not been used; after a `fill` that failed, all that there are."""
        return len(self.buffer) - self.at
