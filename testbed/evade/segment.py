"""The packets in which a client's first bytes leave, without addresses and sequence numbers yet. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

SegmentFault = Literal["checksum", "md5", "timestamp", "ack"]
"""Why an end host drops a segment: RFC 9293 section 3.10.7.4, RFC 2385, RFC 7323 section 5 (PAWS)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment. Its place is counted from the first byte of the data, and may be negative."""

    at: int
    data: bytes
    decoy: int = 0  # so many bytes at the beginning of `data` are not the client's
    fault: SegmentFault | None = None
    hop_limit: int = 0  # 0: the sender's usual
    urgent: int = 0  # the urgent pointer, counted from `at`; 0: none

    @property
    def real(self) -> bytes:
        """What of it is the client's."""
        return self.data[self.decoy :]

    def __str__(self) -> str:
        """For people: "decoy of 517 bytes at 0, hop limit 6"."""
        kind = (
            "data" if not self.decoy else "decoy" if not self.real else f"{self.decoy} decoy bytes and data"
        )
        notes = [f"bad {self.fault}" if self.fault in ("checksum", "timestamp") else ""]
        notes += ["MD5 option" if self.fault == "md5" else "without ACK" if self.fault == "ack" else ""]
        notes += [f"hop limit {self.hop_limit}" if self.hop_limit else "", "urgent" if self.urgent else ""]
        said = f"{kind}, {len(self.data)} bytes at {self.at}"
        return ", ".join([said, *filter(None, notes)])


Flight = tuple[Segment, ...]
"""What leaves, in this order."""


def lay_out(pieces: Iterable[bytes]) -> Flight:
    """Plain segments, one piece after the other."""
    made, at = [], 0
    for piece in pieces:
        made.append(Segment(at, piece))
        at += len(piece)
    return tuple(made)


def in_sequence(flight: Flight) -> bytes:
    """The bytes that the flight puts into the connection, as sequence numbers count them."""
    return b"".join(one.real for one in sorted(flight, key=lambda one: one.at + one.decoy) if one.real)


def is_plain(flight: Flight) -> bool:
    """Whether an ordinary socket sends exactly this, a piece a write."""
    return flight == lay_out(one.data for one in flight)


def fitted(flight: Flight, most: int) -> Flight:
    """The flight with segments of at most so many bytes: longer ones are cut, in their order."""
    return tuple(piece for one in flight for piece in _cut(one, most))


def _cut(one: Segment, most: int) -> Flight:
    if len(one.data) <= most:
        return (one,)
    starts = range(0, len(one.data), most)
    return tuple(
        replace(one, at=one.at + begin, data=one.data[begin : begin + most], decoy=_within(one, begin, most))
        for begin in starts
    )


def _within(one: Segment, begin: int, most: int) -> int:
    return min(max(one.decoy - begin, 0), len(one.data[begin : begin + most]))
