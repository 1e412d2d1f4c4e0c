"""The ClientHello inside QUIC Initials: CRYPTO frames in any order, over packets and datagrams."""

import re
from dataclasses import dataclass
from typing import Final

from testbed.censor.parsers import MORE, NOT, Unread
from testbed.censor.parsers.quic_packet import DRAFT_29, V1, V2, LongHeader, decrypted, long_header, varint
from testbed.censor.parsers.tls import ClientHello, hello_message

MAX_DATAGRAMS: Final = 16  # our choice, as the next two: a client's first flight is 1 to 3 datagrams
MAX_FRAMES: Final = 512  # CRYPTO frames kept
MAX_CRYPTO: Final = 16_384  # bytes kept

_ZEROS: Final = re.compile(rb"\0+")


@dataclass(frozen=True, slots=True)
class Layouts:
    """Which layouts of a ClientHello a box reads. Every box since mid-2022 reads Chromium's, with CRYPTO
    frames split and shuffled within a datagram (NTC1823 #69, #74).
    """

    versions: tuple[int, ...] = (V1,)  # NTC1823 #69, FOCI26q: version 1; others are not reported
    datagrams: bool = True  # CRYPTO frames over several datagrams are reassembled
    padding_outside: bool = True  # zeros after the last packet of a datagram, as Firefox pads


DEFAULT: Final = Layouts()
ALL: Final = Layouts((V1, DRAFT_29, V2))
LAYOUTS_2022: Final = Layouts(datagrams=False, padding_outside=False)
"""May 2022 on: zeros outside the packet, as Firefox pads, make an Initial unreadable (NTC1823 #32)."""
LAYOUTS_2023: Final = Layouts(datagrams=False, padding_outside=False)
"""Mid 2023: Chromium's and ngtcp2's forms are caught, quiche's and Firefox's are not (NTC1823 #74).

That Firefox's differs by its padding is from NTC1823 #32. How quiche's differs is not published, so it is
caught here as long as it fills one datagram; that the box does not read several datagrams is our choice.
"""


class InitialReader:
    """One flow's way to its ClientHello. Feed the client's datagrams; the answer, once final, stays.

    Keys come from the connection id of the first Initial, so a client's later ones, sent to an id that the
    server chose, are read as well.
    """

    __slots__ = ("_answer", "_datagrams", "_first", "_layouts", "_pieces", "_size")

    def __init__(self, layouts: Layouts = DEFAULT) -> None:
        self._layouts = layouts
        self._first: tuple[int, bytes] | None = None  # version and connection id
        self._pieces: dict[int, bytes] = {}  # CRYPTO data by offset
        self._size = 0
        self._datagrams = 0
        self._answer: ClientHello | Unread = MORE

    def feed(self, datagram: bytes) -> ClientHello | Unread:
        """The ClientHello once it is whole; MORE until then; NOT for what this box does not read.

        NOT: no Initial of a version it knows, decryption fails, a frame that an Initial must not carry, a
        layout it does not read, or more than is kept. The boxes let such flows pass (NTC1823 #69).
        """
        if self._answer is MORE:
            self._datagrams += 1
            self._answer = self._read(datagram) if self._datagrams <= MAX_DATAGRAMS else NOT
        return self._answer

    def _read(self, datagram: bytes) -> ClientHello | Unread:
        at, initials = 0, 0
        while at < len(datagram):
            header = long_header(datagram, at)
            if isinstance(header, Unread):
                break  # padding, or a short header: nothing of the ClientHello comes after
            if header.version not in self._layouts.versions or header.end > len(datagram):
                return NOT
            if header.initial:
                self._first = self._first or (header.version, header.destination)
                frames = decrypted(datagram, at, header, *self._first)
                if frames is None or not self._take(frames):
                    return NOT
                initials += 1
            at = header.end
        if not initials or (at < len(datagram) and not self._layouts.padding_outside):
            return NOT
        hello = hello_message(self._stream())
        return NOT if hello is MORE and not self._layouts.datagrams else hello

    def _take(self, frames: bytes) -> bool:
        """Keep the CRYPTO frames (RFC 9000 §19) of one packet; whether an Initial may carry all of them."""
        at = 0
        while at < len(frames):
            kind = frames[at]
            at += 1
            if kind == 0:  # PADDING
                at = run.end() if (run := _ZEROS.match(frames, at)) else at
            elif kind in (2, 3):  # ACK
                at = _after_ack(frames, at, counts=kind == 3)
            elif kind == 6:  # CRYPTO
                offset, at = varint(frames, at)
                length, at = varint(frames, at)
                if length < 0 or at + length > len(frames) or offset + length > MAX_CRYPTO:
                    return False
                self._keep(offset, frames[at : at + length])
                at += length
            elif kind != 1:  # PING; a closing client sends no ClientHello
                return False
        return at == len(frames) and len(self._pieces) <= MAX_FRAMES and self._size <= MAX_CRYPTO

    def _keep(self, offset: int, data: bytes) -> None:
        known = self._pieces.get(offset, b"")
        if len(data) > len(known):  # a retransmission is the same bytes
            self._pieces[offset] = data
            self._size += len(data) - len(known)

    def _stream(self) -> bytes:
        """The bytes from offset 0 without a gap."""
        parts, end = [], 0
        for offset in sorted(self._pieces):
            if offset > end:
                break
            data = self._pieces[offset][end - offset :]
            parts.append(data)
            end += len(data)
        return b"".join(parts)


def is_initial(datagram: bytes) -> bool:
    """Whether a datagram begins as an Initial of a version whose keys are known, whatever it holds."""
    header = long_header(datagram)
    return isinstance(header, LongHeader) and header.initial


def _after_ack(frames: bytes, at: int, *, counts: bool) -> int:
    """Where an ACK frame ends (RFC 9000 §19.3); past the end if it is cut."""
    _, at = varint(frames, at)
    _, at = varint(frames, at)
    ranges, at = varint(frames, at)
    for _ in range(1 + 2 * min(ranges, len(frames)) + (3 if counts else 0)):
        if at > len(frames):
            break
        _, at = varint(frames, at)
    return at
