"""One IPv4 or IPv6 packet's headers, as a middlebox reads them: with no checks a box would not make."""

import struct
from dataclasses import dataclass
from typing import Final

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
ICMP6: Final = 58

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

_PORTS = struct.Struct("!HH")
_TCP = struct.Struct("!HHIIBBH")  # ports, seq, ack, offset, flags, window
_IP4 = struct.Struct("!BBHHHBB")
_PLAIN = struct.Struct("!xxHHHBxxx4s4sHHIIBBH")  # IPv4 without options, and TCP
_IP6_LENGTH = struct.Struct("!H")
_EXTENSIONS: Final = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options
_FRAGMENT: Final = 44
_MAX_EXTENSIONS: Final = 8


@dataclass(slots=True)
class Packet:
    """Header fields of one packet. `payload_at` and `end` delimit the transport payload in `raw`.

    Of a fragmented packet only the first fragment has ports, and what it carries of the transport header.
    """

    raw: bytes
    version: int
    source: bytes  # 4 or 16 bytes
    destination: bytes
    hop_limit: int
    ip_id: int  # in IPv6 the fragment header's, else 0
    protocol: int
    transport_at: int  # where the transport header begins
    end: int  # where the IP packet ends (what follows is link padding)
    fragment: bool = False
    later: bool = False  # a fragment that does not begin its packet
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    payload_at: int = 0

    @property
    def payload(self) -> bytes:
        """The transport payload."""
        return self.raw[self.payload_at : self.end]

    @property
    def has_payload(self) -> bool:
        """Whether there is any transport payload."""
        return self.end > self.payload_at

    @property
    def sequence_space(self) -> int:
        """How far this segment moves the TCP sequence number."""
        return self.end - self.payload_at + bool(self.flags & SYN) + bool(self.flags & FIN)


def parse(raw: bytes) -> Packet | None:
    """The packet's headers, or None if they do not fit into `raw` (truncated, wrong lengths)."""
    if len(raw) >= _PLAIN.size and raw[0] == 0x45 and raw[9] == TCP and (plain := _plain(raw)) is not None:
        return plain
    return parse_any(raw)


def parse_any(raw: bytes) -> Packet | None:
    """The same, step by step."""
    if len(raw) < 20:
        return None
    version = raw[0] >> 4
    if version == 4:
        packet = _ipv4(raw)
    elif version == 6 and len(raw) >= 40:
        packet = _ipv6(raw)
    else:
        return None
    if packet is None or not packet.fragment:
        return packet and _transport(packet)
    return packet if packet.later else _beginning(packet)


def _plain(raw: bytes) -> Packet | None:
    """The headers of what nearly all packets are, TCP that is not in fragments, in one go; None of others."""
    (total, ip_id, fragment, ttl, source, destination, sport, dport, seq, ack, offset, flags, window) = (
        _PLAIN.unpack_from(raw)
    )
    at = 20 + (offset >> 4) * 4
    if fragment & 0x3FFF or at < 40 or not at <= total <= len(raw):
        return None
    ip = source, destination, ttl, ip_id, TCP, 20, total, False, False
    return Packet(raw, 4, *ip, sport, dport, seq, ack, flags, window, at)


def _ipv4(raw: bytes) -> Packet | None:
    first, _tos, total, ip_id, offset, ttl, protocol = _IP4.unpack_from(raw)
    header = (first & 0x0F) * 4
    if header < 20 or total < header or total > len(raw):
        return None
    fragment, later = bool(offset & 0x3FFF), bool(offset & 0x1FFF)  # more fragments, or an offset
    ends = raw[12:16], raw[16:20]
    return Packet(raw, 4, *ends, ttl, ip_id, protocol, header, total, fragment, later, payload_at=header)


def _ipv6(raw: bytes) -> Packet | None:
    end = 40 + _IP6_LENGTH.unpack_from(raw, 4)[0]
    if end > len(raw):
        return None
    following, at, fragment, later, ip_id = raw[6], 40, False, False, 0
    for _ in range(_MAX_EXTENSIONS):
        if following == _FRAGMENT:
            if at + 8 > end:
                return None
            offset = _IP6_LENGTH.unpack_from(raw, at + 2)[0]
            fragment, later = bool(offset & 0xFFF9), bool(offset & 0xFFF8)
            ip_id = int.from_bytes(raw[at + 4 : at + 8], "big")
            following, at = raw[at], at + 8
            if fragment:
                break
        elif following in _EXTENSIONS:
            if at + 8 > end:
                return None
            following, at = raw[at], at + 8 * (raw[at + 1] + 1)
            if at > end:
                return None
        else:
            break
    ends = raw[8:24], raw[24:40]
    return Packet(raw, 6, *ends, raw[7], ip_id, following, at, end, fragment, later, payload_at=at)


def _beginning(packet: Packet) -> Packet:
    """A packet's first fragment, with what it shows of the transport header."""
    if _transport(packet) is None:  # cut within the header
        if packet.protocol in (TCP, UDP) and packet.end - packet.transport_at >= 4:
            packet.sport, packet.dport = _PORTS.unpack_from(packet.raw, packet.transport_at)
        packet.payload_at = packet.end
    return packet


def _transport(packet: Packet) -> Packet | None:
    raw, at, end = packet.raw, packet.transport_at, packet.end
    if packet.protocol == TCP:
        if end - at < 20:
            return None
        (packet.sport, packet.dport, packet.seq, packet.ack, offset, packet.flags, packet.window) = (
            _TCP.unpack_from(raw, at)
        )
        header = (offset >> 4) * 4
        if header < 20 or at + header > end:
            return None
        packet.payload_at = at + header
    elif packet.protocol == UDP:
        if end - at < 8:
            return None
        packet.sport, packet.dport = _PORTS.unpack_from(raw, at)
        packet.payload_at = at + 8
    else:
        packet.payload_at = min(at + 8, end)
    return packet
