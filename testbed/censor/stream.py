"""The beginning of one direction of a TCP flow, reassembled from its segments. Bounded."""

from dataclasses import dataclass, field
from typing import Final, Literal

from testbed.censor.packet import SYN, URG, Packet

LIMIT: Final = 16_384  # bytes inspected; our choice: a ClientHello over several records fits
HANDSHAKE: Final = b"\x16"  # a TLS record's type
_ALL: Final = 1 << 32
_HALF: Final = 1 << 31


@dataclass(slots=True)
class Stream:
    """Bytes from the start of a direction. `overlap` says which copy of the same bytes counts.

    What a SYN carries is not part of it: an end host without Fast Open discards that (RFC 7413 §3), and gets
    it again after the handshake.
    """

    overlap: Literal["first", "last"] = "first"
    strips_urgent: bool = False  # as an end host does that reads urgent bytes out of band
    _start: int | None = None  # sequence number of byte 0
    _data: bytearray = field(default_factory=bytearray)
    _known: bytearray = field(default_factory=bytearray)  # 1 for each byte of _data that has arrived
    _urgent: set[int] = field(default_factory=set)  # places that are no data, though they count in sequence

    def begin(self, at: int) -> None:
        """Byte 0 has this sequence number."""
        self._start = at

    def add(self, packet: Packet) -> None:
        """Take a segment. Without a SYN the first data segment is the start."""
        if packet.flags & SYN:
            self._start = (packet.seq + 1) % _ALL
            return
        payload = packet.payload
        if not payload:
            return
        if self._start is None:
            self._start = packet.seq
        at = (packet.seq - self._start) % _ALL
        if self.strips_urgent and packet.flags & URG:
            self._note_urgent(packet, at)
        if at >= _HALF:  # begins before the start: only the bytes after it count
            before = _ALL - at
            payload, at = payload[before:], 0
        self._put(at, payload[: max(0, LIMIT - at)])

    @property
    def prefix(self) -> bytes:
        """The bytes that have arrived without a gap."""
        gap = self._known.find(0)
        data = self._data if gap < 0 else self._data[:gap]
        if not self._urgent:
            return bytes(data)
        return bytes(byte for place, byte in enumerate(data) if place not in self._urgent)

    @property
    def full(self) -> bool:
        """Whether nothing more is inspected."""
        return len(self._data) >= LIMIT

    def _note_urgent(self, packet: Packet, at: int) -> None:
        """The urgent byte is the one before the pointer, in this segment or a later one (RFC 6093 §3.1)."""
        pointer = int.from_bytes(packet.raw[packet.transport_at + 18 : packet.transport_at + 20], "big")
        place = (at + pointer - 1) % _ALL
        if pointer and place < LIMIT:
            self._urgent.add(place)

    def _put(self, at: int, payload: bytes) -> None:
        if not payload:
            return
        grow = at + len(payload) - len(self._data)
        if grow > 0:
            self._data += bytes(grow)
            self._known += bytes(grow)
        if self.overlap == "last" or not any(self._known[at : at + len(payload)]):
            self._data[at : at + len(payload)] = payload
        else:
            for index, byte in enumerate(payload, at):
                if not self._known[index]:
                    self._data[index] = byte
        self._known[at : at + len(payload)] = b"\1" * len(payload)


def whole_hello(prefix: bytes) -> bytes:
    """The handshake records at the beginning of a stream as one record, if several; else `prefix`."""
    body, records = _first_message(prefix)
    return prefix[:3] + len(body).to_bytes(2, "big") + body if records else prefix


def hello_records(prefix: bytes) -> int:
    """How many records the handshake message at the beginning of a stream takes; 0 if it is not whole."""
    return _first_message(prefix)[1]


def _first_message(prefix: bytes) -> tuple[bytes, int]:
    body, at, records = b"", 0, 0
    while prefix[at : at + 1] == HANDSHAKE and len(prefix) >= at + 5:
        size = int.from_bytes(prefix[at + 3 : at + 5], "big")
        if len(prefix) < at + 5 + size:
            break
        body += prefix[at + 5 : at + 5 + size]
        at += 5 + size
        records += 1
        if len(body) >= 4 and len(body) >= 4 + int.from_bytes(body[1:4], "big"):
            return body[: 4 + int.from_bytes(body[1:4], "big")], records
    return b"", 0
