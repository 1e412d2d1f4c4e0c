"""Bytes that are sent until they are acknowledged: TCP's and QUIC's loss recovery, as far as it matters.

Slow start from ten segments, halving on loss, fast retransmission after three duplicates, and a timer that
doubles (RFC 5681, RFC 6298). Numbers that are not the RFCs' are our choice.
"""

from collections.abc import Callable
from typing import Final

from testbed.dryrun.agenda import Agenda

_FIRST: Final = 10  # segments (RFC 6928)
_LEAST, _MOST = 0.2, 60.0  # seconds of the timer: Linux's bounds
_MOST_WINDOW: Final = 256  # segments; bounds what is in flight

_Transmit = Callable[[int, bytes], None]  # offset and data


class Outbox:
    """One direction of a stream. Offsets count from 0."""

    def __init__(self, agenda: Agenda, transmit: _Transmit, segment: int) -> None:
        """`segment`: bytes of data in a packet, at most."""
        self.segment, self.limit = segment, 1 << 30  # `limit`: the peer's window, bytes
        self.done = 0  # bytes acknowledged
        self.closed = False
        self._agenda, self._transmit = agenda, transmit
        self._data = bytearray()
        self._base = 0  # offset of the first byte of `_data`
        self._next = 0  # of the first byte never sent
        self._window, self._threshold = float(_FIRST), float(_MOST_WINDOW)
        self._duplicates, self._timer, self._backoff = 0, 0, 1
        self._recover = 0  # what was sent when the last loss was noticed
        self._sent_at: dict[int, float] = {}
        self._lengths: dict[int, int] = {}  # of segments as they were first sent, by offset
        self._round_trip = 0.0

    @property
    def end(self) -> int:
        """The offset after the last byte that was given to it."""
        return self._base + len(self._data)

    @property
    def sent(self) -> int:
        """The offset after the last byte that was sent."""
        return self._next

    def put(self, data: bytes) -> None:
        """Send these bytes, too."""
        self._data += data
        self._push()

    def close(self) -> None:
        """Send nothing more."""
        self.closed = True
        self._timer += 1

    def acknowledge(self, offset: int, *, duplicate: bool) -> None:
        """The peer has everything before `offset`. `duplicate`: it said so before, without any news."""
        if self.closed:
            return
        if offset > self.done:
            self._advance(offset)
        elif duplicate and self._next > self.done:
            self._duplicates += 1
            if self._duplicates == 3 and self.done >= self._recover:
                self._lost()
                self._again(self.done)
        self._push()

    def _advance(self, offset: int) -> None:
        sent_at, lengths = self._sent_at, self._lengths  # both in the order of offsets
        while sent_at and (at := next(iter(sent_at))) < offset:
            self._round_trip = max(self._agenda.now - sent_at.pop(at), 0.0)
        while lengths and (at := next(iter(lengths))) < offset:
            del lengths[at]
        grown = (offset - self.done) / self.segment
        self._window += grown if self._window < self._threshold else grown / self._window
        self._window = min(self._window, _MOST_WINDOW)
        del self._data[: offset - self._base]
        self._base = self.done = offset
        self._duplicates, self._backoff = 0, 1
        if offset < self._recover:
            self._again(offset)  # the next hole
        self._arm()

    def _lost(self) -> None:
        in_flight = (self._next - self.done) / self.segment
        self._threshold = max(in_flight / 2, 2.0)
        self._window, self._recover = self._threshold, self._next

    def _again(self, offset: int) -> None:
        self._sent_at.clear()  # what is sent again measures no round trip (RFC 6298 §3)
        if piece := self._piece(offset, self._next)[: self._lengths.get(offset)]:
            self._transmit(offset, piece)
        self._arm()

    def _push(self) -> None:
        while not self.closed and self._next < (end := self._base + len(self._data)):
            room = min(int(self._window) * self.segment, self.limit) - (self._next - self.done)
            if room <= 0:
                break
            piece = self._piece(self._next, end)[:room]
            if room < self.segment and len(piece) < min(self.segment, self.limit, end - self._next):
                break
            at, self._next = self._next, self._next + len(piece)
            self._sent_at[at], self._lengths[at] = self._agenda.now, len(piece)
            self._transmit(at, piece)
            if self._next - self.done == len(piece):
                self._arm()

    def _piece(self, offset: int, end: int) -> bytes:
        start = offset - self._base
        return bytes(self._data[start : start + min(self.segment, end - offset)])

    def _arm(self) -> None:
        self._timer += 1
        if self._next > self.done and not self.closed:
            number = self._timer
            seconds = min(max(_LEAST, 3 * self._round_trip) * self._backoff, _MOST)
            self._agenda.after(seconds, lambda: self._expired(number))

    def _expired(self, number: int) -> None:
        if number != self._timer or self.closed:
            return
        self._lost()
        self._window, self._backoff = 1.0, self._backoff * 2
        self._again(self.done)
