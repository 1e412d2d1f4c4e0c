"""Building packets: what a censor forges, byte for byte, with right checksums."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from testbed.censor.packet import ACK, FIN, ICMP, ICMP6, RST, TCP, UDP, Packet


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of `data`."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data)  # 2**16 is 1 modulo 0xFFFF: the remainder is the sum of all words
    return 0xFFFF - (total % 0xFFFF or 0xFFFF) if total else 0xFFFF


def with_header_checksum(head: bytes) -> bytes:
    """An IPv4 header with its right checksum."""
    return head[:10] + checksum(head[:10] + b"\0\0" + head[12:]).to_bytes(2, "big") + head[12:]


@dataclass(frozen=True, slots=True)
class IpForm:
    """The IP header fields of a forged packet."""

    hop_limit: int = 64
    ip_id: int = 0
    dont_fragment: bool = False


def ip(source: bytes, destination: bytes, protocol: int, body: bytes, form: IpForm) -> bytes:
    """An IP packet of the version of its addresses, around `body`."""
    if len(source) == 16:
        head = struct.pack("!IHBB", 0x60000000, len(body), protocol, form.hop_limit)
        return head + source + destination + body
    flags = 0x4000 if form.dont_fragment else 0
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), form.ip_id, flags, form.hop_limit, protocol, 0)
    head += source + destination
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What transport checksums cover besides the segment of `length` bytes (RFC 9293 §3.1, RFC 8200 §8.1)."""
    if len(source) == 16:
        return source + destination + struct.pack("!IHBB", length, 0, 0, protocol)
    return source + destination + struct.pack("!BBH", 0, protocol, length)


class Endpoints(NamedTuple):
    """Who a forged packet pretends to be, and to whom it goes."""

    source: bytes
    destination: bytes
    sport: int
    dport: int

    @classmethod
    def replying_to(cls, packet: Packet) -> "Endpoints":
        """As the packet's receiver, to its sender."""
        return cls(packet.destination, packet.source, packet.dport, packet.sport)

    @classmethod
    def continuing(cls, packet: Packet) -> "Endpoints":
        """As the packet's sender, to its receiver."""
        return cls(packet.source, packet.destination, packet.sport, packet.dport)


@dataclass(frozen=True, slots=True)
class TcpForm:
    """The TCP header fields of a forged segment (no options)."""

    seq: int
    ack: int
    flags: int
    window: int = 0


def tcp(ends: Endpoints, form: TcpForm, ip_form: IpForm, payload: bytes = b"") -> bytes:
    """A TCP segment without options."""
    head = struct.pack(
        "!HHIIBBHHH",
        ends.sport,
        ends.dport,
        form.seq & 0xFFFFFFFF,
        form.ack & 0xFFFFFFFF,
        5 << 4,
        form.flags,
        form.window,
        0,
        0,
    )
    body = head + payload
    total = checksum(pseudo_header(ends.source, ends.destination, TCP, len(body)) + body)
    body = body[:16] + total.to_bytes(2, "big") + body[18:]
    return ip(ends.source, ends.destination, TCP, body, ip_form)


def udp(ends: Endpoints, payload: bytes, ip_form: IpForm) -> bytes:
    """A UDP datagram."""
    head = struct.pack("!HHHH", ends.sport, ends.dport, 8 + len(payload), 0)
    body = head + payload
    total = checksum(pseudo_header(ends.source, ends.destination, UDP, len(body)) + body) or 0xFFFF
    body = body[:6] + total.to_bytes(2, "big") + body[8:]
    return ip(ends.source, ends.destination, UDP, body, ip_form)


def with_hop_limit(packet: Packet, hop_limit: int) -> bytes:
    """The packet with another TTL or hop limit."""
    raw = bytearray(packet.raw[: packet.end])
    if packet.version == 6:
        raw[7] = hop_limit
        return bytes(raw)
    raw[8] = hop_limit
    raw[10:12] = b"\0\0"
    raw[10:12] = checksum(bytes(raw[: (raw[0] & 0x0F) * 4])).to_bytes(2, "big")
    return bytes(raw)


def without_fragment(packet: Packet) -> bytes:
    """A first fragment as if it were the whole packet."""
    raw = bytearray(packet.raw[: packet.end])
    if packet.version == 6:
        raw[packet.transport_at - 5] &= 0xFE  # the fragment header's last flag: more fragments
        return bytes(raw)
    raw[6] &= 0xDF
    raw[10:12] = b"\0\0"
    raw[10:12] = checksum(bytes(raw[: packet.transport_at])).to_bytes(2, "big")
    return bytes(raw)


def tcp_checksum_right(packet: Packet) -> bool:
    """Whether a TCP segment's checksum is right."""
    segment = packet.raw[packet.transport_at : packet.end]
    return checksum(pseudo_header(packet.source, packet.destination, TCP, len(segment)) + segment) == 0


def reset_sender(packet: Packet, ip_form: IpForm, window: int = 0, ack_error: int = 0) -> bytes:
    """RST/ACK to the sender of `packet`, as if its receiver had refused (RFC 9293 §3.10.7.1).

    `ack_error` is added to the acknowledgement number.
    """
    seq = packet.ack if packet.flags & ACK else 0
    form = TcpForm(seq, packet.seq + packet.sequence_space + ack_error, RST | ACK, window)
    return tcp(Endpoints.replying_to(packet), form, ip_form)


def reset_receiver(
    packet: Packet, ip_form: IpForm, window: int = 0, ack_error: int = 0, *, delivered: bool
) -> bytes:
    """RST/ACK to the receiver of `packet`, as if its sender had given up.

    `delivered` says whether the receiver also gets the packet itself, which moves the sequence number.
    `ack_error` is added to the acknowledgement number.
    """
    seq = packet.seq + (packet.sequence_space if delivered else 0)
    form = TcpForm(seq, packet.ack + ack_error, RST | ACK, window)
    return tcp(Endpoints.continuing(packet), form, ip_form)


def rewritten_as_reset(packet: Packet) -> bytes:
    """The packet with flags RST|ACK and no payload; TTL, IP-ID, seq, ack and options kept (CP22 Fig. 6)."""
    raw, at = packet.raw, packet.transport_at
    segment = bytearray(raw[at : packet.payload_at])
    segment[13] = RST | ACK
    segment[16:18] = b"\0\0"
    total = checksum(pseudo_header(packet.source, packet.destination, TCP, len(segment)) + bytes(segment))
    segment[16:18] = total.to_bytes(2, "big")
    head = bytearray(raw[:at])
    if packet.version == 4:
        head[2:4] = (at + len(segment)).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
    else:
        head[4:6] = (at - 40 + len(segment)).to_bytes(2, "big")
    return bytes(head) + bytes(segment)


def data_to_sender(
    packet: Packet, payload: bytes, ip_form: IpForm, *, fin: bool, mss: int = 1380
) -> list[bytes]:
    """`payload` as TCP segments from the packet's receiver to its sender, the last with FIN if asked."""
    ends, ack, window = Endpoints.replying_to(packet), packet.seq + packet.sequence_space, 65535
    segments = []
    for at in range(0, max(len(payload), 1), mss):
        piece = payload[at : at + mss]
        last = at + mss >= len(payload)
        flags = ACK | 0x08 | (FIN if fin and last else 0)
        segments.append(tcp(ends, TcpForm(packet.ack + at, ack, flags, window), ip_form, piece))
    return segments


ICMP_CODES = {  # name -> (ICMPv4 code of type 3, ICMPv6 code of type 1)
    "net-unreachable": (0, 0),
    "host-unreachable": (1, 3),
    "port-unreachable": (3, 4),
    "admin-prohibited": (13, 1),
}


def icmp_unreachable(packet: Packet, code: str, ip_form: IpForm) -> bytes:
    """An ICMP destination-unreachable error to the packet's sender, from the address it wanted to reach.

    The box has no address of its own (ASBI: layer-2 transparent), so it borrows the destination's.
    Quotes as much of the packet as the RFCs ask (RFC 1812 §4.3.2.3: up to 576 bytes in all; RFC 4443: 1,280).
    """
    four, six = ICMP_CODES[code]
    return _icmp_error(packet, (3, four) if packet.version == 4 else (1, six), packet.destination, ip_form)


def icmp_time_exceeded(packet: Packet, router: bytes, ip_form: IpForm) -> bytes:
    """What the router where a packet's hop limit ends tells its sender."""
    return _icmp_error(packet, (11 if packet.version == 4 else 3, 0), router, ip_form)


def _icmp_error(packet: Packet, kind: tuple[int, int], source: bytes, ip_form: IpForm) -> bytes:
    """An ICMP error of this type and code to the packet's sender."""
    destination = packet.source
    if packet.version == 4:
        body = struct.pack("!BBHI", *kind, 0, 0) + packet.raw[: min(packet.end, 548)]
        body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
        return ip(source, destination, ICMP, body, ip_form)
    body = struct.pack("!BBHI", *kind, 0, 0) + packet.raw[: min(packet.end, 1232)]
    total = checksum(pseudo_header(source, destination, ICMP6, len(body)) + body)
    body = body[:2] + total.to_bytes(2, "big") + body[4:]
    return ip(source, destination, ICMP6, body, ip_form)
