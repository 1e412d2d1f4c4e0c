"""The server's end of a TCP connection as Linux receives it: what it drops, trims and puts together. Pure.

Written from the RFCs and from what Linux does where they leave a choice, apart from the inspector's own
reassembly: the two must not share their mistakes.
"""

import struct
from dataclasses import dataclass, field
from typing import Final, Literal

from testbed.censor.packet import ACK, SYN, URG, Packet
from testbed.censor.wire import tcp_checksum_right

_ALL: Final = 1 << 32
_HALF: Final = 1 << 31
_WINDOW: Final = 65535
_TIMESTAMP, _MD5 = 8, 19

Opinion = Literal["waits", "accepts", "refuses"]


@dataclass(slots=True)
class EndHost:
    """One connection whose first byte of data has sequence number `start`."""

    start: int
    recent: int | None  # the client's last timestamp (TS.Recent, RFC 7323 section 4.3)
    reset: bool = False
    _chunks: list[tuple[int, bytes]] = field(default_factory=list)  # by place, no one within another
    _urgent: set[int] = field(default_factory=set)

    def receive(self, packet: Packet) -> str:
        """Take a segment; why it is dropped, "" if it is taken."""
        given = _options(packet)
        if not tcp_checksum_right(packet):
            return "checksum"
        if _MD5 in given:
            return "MD5 option without a key"  # tcp_inbound_hash()
        stamp = int.from_bytes(given[_TIMESTAMP][:4], "big") if _TIMESTAMP in given else None
        if stamp is not None and self.recent is not None and (stamp - self.recent) % _ALL >= _HALF:
            return "old timestamp (PAWS)"
        if not packet.flags & ACK:
            return "no ACK"
        at = (packet.seq - self.start + _HALF) % _ALL - _HALF
        data = packet.payload
        if data and (at + len(data) <= len(self._ordered()) or at > len(self._ordered()) + _WINDOW):
            return "outside the window"
        if stamp is not None and at <= len(self._ordered()):
            self.recent = stamp
        if packet.flags & URG and not packet.flags & SYN:
            pointer = struct.unpack_from("!H", packet.raw, packet.transport_at + 18)[0]
            self._urgent.add(at + pointer - 1)  # RFC 1122's pointer is not Linux's (tcp_stdurg is off)
        self._take(at, data)
        return ""

    @property
    def stream(self) -> bytes:
        """What the program reads: in order, without urgent bytes."""
        return bytes(byte for place, byte in enumerate(self._ordered()) if place not in self._urgent)

    @property
    def acknowledged(self) -> int:
        """Bytes that have come without a gap."""
        return len(self._ordered())

    def _take(self, at: int, data: bytes) -> None:
        """As tcp_data_queue_ofo(): what is covered is dropped, what it covers goes."""
        ordered = len(self._ordered())
        if at < ordered:
            data, at = data[ordered - at :], ordered
        end = at + len(data)
        if not data or any(begin <= at and end <= begin + len(there) for begin, there in self._chunks):
            return
        kept = [(b, there) for b, there in self._chunks if not (at <= b and b + len(there) <= end)]
        self._chunks = sorted([*kept, (at, data)])

    def _ordered(self) -> bytes:
        """Read in the order of beginnings: where two overlap, the one that begins earlier counts."""
        read = b""
        for begin, data in self._chunks:
            if begin > len(read):
                break
            read += data[len(read) - begin :]
        return read


def opinion_of_tls(stream: bytes, message: bytes) -> Opinion:
    """What a TLS server makes of a stream: it waits for the whole ClientHello `message` alone."""
    body = b""
    while len(stream) >= 5:
        kind, size = stream[0], int.from_bytes(stream[3:5], "big")
        if kind != 0x16:  # OpenSSL: a ChangeCipherSpec before the first hello is unexpected
            return "refuses"
        if len(stream) < 5 + size:
            break
        body, stream = body + stream[5 : 5 + size], stream[5 + size :]
    return _compared(body, message)


def opinion_of_http(stream: bytes, request: bytes) -> Opinion:
    """What an HTTP server makes of it."""
    return _compared(stream, request)


def _compared(got: bytes, wanted: bytes) -> Opinion:
    if got == wanted:
        return "accepts"
    return "waits" if wanted.startswith(got) else "refuses"


def _options(packet: Packet) -> dict[int, bytes]:
    data, found = packet.raw[packet.transport_at + 20 : packet.payload_at], dict[int, bytes]()
    while data and data[0]:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            break
        found[data[0]], data = data[2 : data[1]], data[data[1] :]
    return found
