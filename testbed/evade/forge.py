"""Segments as packets: byte for byte, with the faults that a strategy asks for. Pure.

Not the censor's own code: what is tested must not make its evidence.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from testbed.evade.segment import Segment

FIN, SYN, PSH, ACK, URG = 0x01, 0x02, 0x08, 0x10, 0x20
HOP_LIMIT: Final = 64  # Linux
_TCP: Final = 6
_MD5: Final = b"\1\1\x13\x12" + bytes(range(16))  # RFC 2385 section 3.0, with two no-ops before it
_PAST: Final = 600_000  # ms that an old timestamp lies back, as nfqws's --dpi-desync-ts-increment
_ALL: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class SenderFlow:
    """One direction of an open connection, as its sender knows it. Addresses are text, of either version."""

    source: str
    destination: str
    sport: int
    dport: int
    start: int  # the sequence number of the first byte of data
    ack: int
    stamp: int | None = None  # the sender's timestamp now, ms; None: the connection has none

    def packet(self, segment: Segment) -> bytes:
        """The segment, PSH and ACK set."""
        flags = PSH | (0 if segment.fault == "ack" else ACK) | (URG if segment.urgent else 0)
        return self.forged(
            flags, segment.at, segment.data, self._options(segment), hop_limit=segment.hop_limit or HOP_LIMIT,
            urgent=segment.urgent, wrong=segment.fault == "checksum",
        )  # fmt: skip

    def forged(
        self,
        flags: int,
        at: int = 0,
        data: bytes = b"",
        options: bytes = b"",
        *,
        hop_limit: int = HOP_LIMIT,
        urgent: int = 0,
        wrong: bool = False,
    ) -> bytes:
        """An IP packet with a TCP segment whose data begins at place `at`; `wrong`: its checksum is."""
        seq, ack = (self.start + at) % _ALL, self.ack % _ALL if flags & ACK else 0
        offset = (20 + len(options)) // 4 << 4
        head = struct.pack("!HHIIBBHHH", self.sport, self.dport, seq, ack, offset, flags, 65535, 0, urgent)
        body = head + options + data
        ends = _packed(self.source) + _packed(self.destination)
        right = _sum(ends + struct.pack("!II", len(body), _TCP) + body)
        body = body[:16] + struct.pack("!H", right ^ 0x5555 if wrong else right) + body[18:]
        if len(ends) == 32:
            return struct.pack("!IHBB", 6 << 28, len(body), _TCP, hop_limit) + ends + body
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, hop_limit, _TCP, 0) + ends
        return ip[:10] + struct.pack("!H", _sum(ip)) + ip[12:] + body

    def _options(self, segment: Segment) -> bytes:
        if segment.fault == "md5":
            return _MD5  # both do not fit beside each other and selective acknowledgements; one is enough
        return self.stamped(_PAST if segment.fault == "timestamp" else 0)

    def stamped(self, past: int = 0) -> bytes:
        """The timestamp option, so many ms back; nothing on a connection without timestamps."""
        if self.stamp is None:
            return b""
        return struct.pack("!BBBBII", 1, 1, 8, 10, (self.stamp - past) % _ALL, 0)


@lru_cache(maxsize=64)
def _packed(address: str) -> bytes:
    return ip_address(address).packed


def _sum(data: bytes) -> int:
    """RFC 1071; the pseudo-header of both versions adds up to the same with 32-bit fields."""
    even = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
