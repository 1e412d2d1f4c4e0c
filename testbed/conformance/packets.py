"""Building and parsing packets, independently of the censor's code (a test compares both with scapy)."""

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ICMP, TCP, UDP, FENCE = 1, 6, 17, 253  # 253 is for experiments (RFC 3692); no rule of ours looks for it
MD5: Final = b"\x13\x12" + bytes(range(16)) + b"\1\1"  # the TCP MD5 signature option, padded

_LETTERS: Final = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "U": URG}


@lru_cache(maxsize=64)
def flags(letters: str) -> int:
    """TCP flags from their initials: "SA"."""
    return sum(_LETTERS[letter] for letter in letters)


def letters(bits: int) -> str:
    """The names of TCP flags: "RST/ACK"."""
    names = {SYN: "SYN", FIN: "FIN", RST: "RST", PSH: "PSH", URG: "URG", ACK: "ACK"}
    return "/".join(name for bit, name in names.items() if bits & bit)


_HEADER: Final = struct.Struct("!10H")


@lru_cache(maxsize=64)
def _packed(address: str) -> bytes:
    return IPv4Address(address).packed


@lru_cache(maxsize=64)
def _written(address: int) -> str:
    return str(IPv4Address(address))


def _sum(data: bytes) -> int:
    even = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


@dataclass(frozen=True, slots=True)
class Ip:
    """The IPv4 header of a packet to be sent."""

    source: str
    destination: str
    ttl: int = 64
    ip_id: int = 1
    offset: int = 0  # bytes; for fragments
    more: bool = False

    def around(self, protocol: int, body: bytes) -> bytes:
        """The whole packet."""
        where = self.offset // 8 | (0x2000 if self.more else 0)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), self.ip_id, where, self.ttl, protocol, 0)
        head += _packed(self.source) + _packed(self.destination)
        return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + body

    def pseudo(self, protocol: int, length: int) -> bytes:
        """The pseudo-header that transport checksums cover."""
        ends = _packed(self.source) + _packed(self.destination)
        return ends + struct.pack("!BBH", 0, protocol, length)


@dataclass(frozen=True, slots=True)
class Tcp:
    """The TCP header of a segment to be sent. `wrong_sum` makes the checksum invalid."""

    sport: int
    dport: int
    seq: int = 0
    ack: int = 0
    flags: int = ACK
    window: int = 64240
    options: bytes = b""
    wrong_sum: bool = False

    def segment(self, ip: Ip, payload: bytes) -> bytes:
        """Header and payload, for `ip.around(TCP, …)`."""
        offset = (20 + len(self.options)) // 4 << 4
        urgent = len(payload) if self.flags & URG else 0
        numbers = (self.sport, self.dport, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF)
        head = struct.pack("!HHIIBBHHH", *numbers, offset, self.flags, self.window, 0, urgent)
        body = head + self.options + payload
        right = _sum(ip.pseudo(TCP, len(body)) + body)
        return body[:16] + struct.pack("!H", right ^ 0x5555 if self.wrong_sum else right) + body[18:]


def udp(ip: Ip, sport: int, dport: int, payload: bytes) -> bytes:
    """A UDP header and payload, for `ip.around(UDP, …)`."""
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return body[:6] + struct.pack("!H", _sum(ip.pseudo(UDP, len(body)) + body) or 0xFFFF) + body[8:]


def echo(number: int, *, reply: bool = False) -> bytes:
    """An ICMP echo request or reply, for `Ip.around(ICMP, …)`."""
    body = struct.pack("!BBHHH", 0 if reply else 8, 0, 0, 77, number) + b"abcdefgh" * 4
    return body[:2] + struct.pack("!H", _sum(body)) + body[4:]


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """One packet as it arrived. Transport fields that it lacks are 0."""

    raw: bytes = field(repr=False)
    source: str
    destination: str
    ttl: int
    ip_id: int
    protocol: int
    fragment: bool
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    payload: bytes = field(default=b"", repr=False)

    @property
    def is_reset(self) -> bool:
        """Whether it is a TCP RST/ACK without payload."""
        return self.protocol == TCP and self.flags == RST | ACK and not self.payload

    @property
    def checksums_valid(self) -> bool:
        """Whether its checksums are valid (fragments: only the IP header's)."""
        head, rest = self.raw[:20], self.raw[20:]
        if _sum(head):
            return False
        if self.fragment or self.protocol not in (TCP, UDP):
            return True
        return _sum(Ip(self.source, self.destination).pseudo(self.protocol, len(rest)) + rest) == 0


def read(raw: bytes) -> ReceivedPacket | None:
    """Parse a packet's headers; None if it is not IPv4."""
    if len(raw) < 20 or raw[0] != 0x45:
        return None
    _, _, total, ip_id, where, ttl, protocol, _, source, destination = struct.unpack_from("!BBHHHBBHII", raw)
    raw = raw[:total]  # the rest is padding of the link layer
    ends = (raw, _written(source), _written(destination), ttl, ip_id, protocol)
    if where & 0x3FFF or protocol not in (TCP, UDP):
        return ReceivedPacket(*ends, fragment=bool(where & 0x3FFF), payload=raw[20:])
    if protocol == UDP:
        sport, dport = struct.unpack_from("!HH", raw, 20)
        return ReceivedPacket(*ends, fragment=False, sport=sport, dport=dport, payload=raw[28:])
    sport, dport, seq, ack, offset, bits, window = struct.unpack_from("!HHIIBBH", raw, 20)
    payload = raw[20 + (offset >> 4) * 4 :]
    ports = {"sport": sport, "dport": dport}
    return ReceivedPacket(
        *ends, fragment=False, **ports, seq=seq, ack=ack, flags=bits, window=window, payload=payload
    )


def with_ttl(raw: bytes, ttl: int) -> bytes:
    """The packet as a router forwards it: with this TTL and the matching header checksum."""
    words = _HEADER.unpack_from(raw)
    total = sum(words) - words[4] - words[5] + (ttl << 8 | raw[9])
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return raw[:8] + struct.pack("!BBH", ttl, raw[9], total ^ 0xFFFF) + raw[12:]


def fragments(packet: bytes, count: int) -> list[bytes]:
    """Cut the packet into this many fragments, offsets in order."""
    whole, body = read(packet), packet[20:]
    assert whole is not None
    step = -(-len(body) // count // 8) * 8
    if -(-len(body) // step) != count:
        raise ValueError(f"{len(body)} bytes cannot be cut into {count} fragments of whole 8 bytes")
    made = []
    for at in range(0, len(body), step):
        ip = Ip(whole.source, whole.destination, whole.ttl, whole.ip_id, at, at + step < len(body))
        made.append(ip.around(whole.protocol, body[at : at + step]))
    return made
