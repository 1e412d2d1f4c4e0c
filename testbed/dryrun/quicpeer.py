"""One end of a QUIC connection, as far as a censor can tell: the forms of its datagrams, and loss recovery.

The first flight is real bytes; what follows is a stream in datagrams whose headers are QUIC's (RFC 9000
section 17) and whose contents are hidden, because no censor reads them.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from testbed.dryrun.agenda import Agenda
from testbed.dryrun.outbox import Outbox
from testbed.shapes.initials import DCID

_DATA: Final = 1150  # bytes of stream in a datagram; our choice
_TRIES: Final = 7  # of the first flight
_FIRST_WAIT: Final = 0.3  # seconds until it is sent again, then doubled (RFC 9002 §6.2.2: three round trips)
_DELAYED: Final = 0.025  # seconds that an acknowledgement may wait (RFC 9000 §18.2)
_HEAD: Final = struct.Struct("!IIH")
_SERVER_LONG: Final = b"\xe3\0\0\0\1\0\x08" + DCID  # Handshake packets, version 1
_CLIENT_LONG: Final = b"\xe3\0\0\0\1\x08" + DCID + b"\0"
_SHORT: Final = b"\x43"

_Send = Callable[[bytes], None]


def hidden(data: bytes) -> bytes:
    """Bytes in which nobody finds what is in `data`; the same again gives it back."""
    return data.translate(_XOR)


_XOR: Final = bytes(byte ^ 0xA5 for byte in range(256))


class QuicPeer:
    """A connection. `flight` are the client's first datagrams, () for a server."""

    def __init__(self, agenda: Agenda, send: _Send, flight: Sequence[bytes] = ()) -> None:
        self.received = bytearray()
        self.total = 0  # bytes of datagrams that came
        self.datagrams = 0
        self.failure = ""
        self.on_data: Callable[[], None] = lambda: None
        self._agenda, self._send, self._flight = agenda, send, tuple(flight)
        self._client = bool(flight)
        self._outbox = Outbox(agenda, self._transmit, _DATA)
        self._expected, self._early = 0, dict[int, bytes]()
        self._unacked = 0
        self.established = False  # short headers from now on

    def connect(self) -> None:
        """_Send the first flight until an answer comes."""
        self._try(0)

    def put(self, data: bytes) -> None:
        """_Send these bytes of the stream."""
        self._outbox.put(data)

    def take(self) -> bytes:
        """What has come of the stream."""
        data = bytes(self.received)
        self.received.clear()
        return data

    def drop(self) -> None:
        """Forget the connection."""
        self._outbox.close()
        self.failure = self.failure or "closed"

    def unreachable(self) -> None:
        """An ICMP error about it."""
        if not self.failure:
            self.failure = "unreachable"
            self._outbox.close()
            self.on_data()

    def receive(self, datagram: bytes) -> None:
        """A datagram of the stream."""
        if self.failure:
            return None
        self.datagrams += 1
        self.total += len(datagram)
        at = len(_SHORT) + len(DCID) if datagram[0] < 0x80 else len(_CLIENT_LONG)
        if len(datagram) < at + _HEAD.size:
            return self.on_data()
        offset, acknowledged, length = _HEAD.unpack(hidden(datagram[at : at + _HEAD.size]))
        data = hidden(datagram[at + _HEAD.size : at + _HEAD.size + length])
        self._outbox.acknowledge(acknowledged, duplicate=not data)
        if data:
            self._take(offset, data)
        return self.on_data()

    def _take(self, offset: int, data: bytes) -> None:
        if offset >= self._expected:
            self._early.setdefault(offset, data)
        gap = offset != self._expected
        while (piece := self._early.pop(self._expected, None)) is not None:
            self.received += piece
            self._expected += len(piece)
        self._unacked += 1
        if gap or self._unacked >= 2:
            self._ack()
        else:
            waiting = self._unacked
            self._agenda.after(_DELAYED, lambda: self._ack_late(waiting))

    def _try(self, number: int) -> None:
        if self.datagrams or self.failure or number >= _TRIES:
            return
        for datagram in self._flight:
            self._send(datagram)
        self._agenda.after(_FIRST_WAIT * 2**number, lambda: self._try(number + 1))

    def _transmit(self, offset: int, data: bytes) -> None:
        self._unacked = 0
        long = _CLIENT_LONG if self._client else _SERVER_LONG
        head = _SHORT + DCID if self.established else long
        self._send(head + hidden(_HEAD.pack(offset, self._expected, len(data))) + hidden(data))

    def _ack_late(self, waiting: int) -> None:
        if self._unacked == waiting:
            self._ack()

    def _ack(self) -> None:
        self._transmit(self._outbox.sent, b"")
