"""The packets of this host's own interfaces, as the kernel sends and receives them, and segments of our own.

Needs CAP_NET_RAW in this network namespace, which every command of a world has. Linux only (AF_PACKET).
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, Self

from testbed.world import linux

_ALL: Final = 0x0003  # ETH_P_ALL
_OUTGOING: Final = 4  # PACKET_OUTGOING
_LARGEST: Final = 65535
_TIMESTAMPS: Final = 35  # SO_TIMESTAMPNS, also the type of its message (include/uapi/asm-generic/socket.h)
_EXTRA: Final = 64  # bytes for that message
_ROOM: Final = 4 << 20  # bytes of the socket's buffer; our choice
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_LETTERS: Final = (("SYN", SYN), ("FIN", FIN), ("RST", RST), ("PSH", PSH), ("ACK", ACK))
_EXCEEDED: Final = {ICMP: 11, ICMP6: 3}  # ICMP types "time exceeded" (RFC 792, RFC 4443)


@dataclass(frozen=True, slots=True)
class SeenPacket:
    """One IP packet with its TCP, UDP or ICMP header. `at` is monotonic time, seconds."""

    at: float
    outgoing: bool
    source: str
    destination: str
    protocol: int
    ttl: int  # or IPv6's hop limit, as it arrived
    ip_id: int | None  # None: IPv6 has none
    size: int  # bytes of the whole packet
    sport: int = 0  # TCP and UDP
    dport: int = 0
    seq: int = 0  # TCP
    ack: int = 0
    flags: int = 0
    window: int = 0
    options: bytes = b""
    payload: bytes = b""
    icmp_type: int = -1

    @property
    def flag_names(self) -> str:
        """The flags: "SYN+ACK"."""
        return "+".join(name for name, bit in _LETTERS if self.flags & bit)

    @property
    def time_exceeded(self) -> bool:
        """Whether it is a router's answer to a packet whose hop limit ran out."""
        return self.icmp_type == _EXCEEDED.get(self.protocol, -2)

    @property
    def quoted(self) -> "SeenPacket | None":
        """The packet that an ICMP error quotes, as far as it does."""
        return read_packet(self.payload[4:], self.at, outgoing=not self.outgoing) if self.payload else None


def read_packet(raw: bytes, at: float, *, outgoing: bool) -> SeenPacket | None:
    """The packet, None for one that is not IP or is cut within a header. Fragments are not put together."""
    try:
        if raw[0] >> 4 == 4:
            _, _, size, ip_id, _, ttl, protocol, _ = struct.unpack_from("!BBHHHBBH", raw)
            ends = str(ip_address(raw[12:16])), str(ip_address(raw[16:20]))
            head, number, whole = (raw[0] & 15) * 4, ip_id, size
            body = raw[head : max(size, head)]
        else:
            size, protocol, ttl = struct.unpack_from("!HBB", raw, 4)
            ends = str(ip_address(raw[8:24])), str(ip_address(raw[24:40]))
            number, whole, body = None, 40 + size, raw[40 : 40 + size]
        return SeenPacket(at, outgoing, *ends, protocol, ttl, number, whole, **_transport(protocol, body))
    except (IndexError, struct.error, ValueError):
        return None


def _transport(protocol: int, body: bytes) -> dict[str, Any]:
    if protocol == UDP:
        sport, dport = struct.unpack_from("!HH", body)
        return {"sport": sport, "dport": dport, "payload": body[8:]}
    if protocol in (ICMP, ICMP6):
        return {"icmp_type": body[0], "payload": body[4:]}
    if protocol != TCP:
        return {"payload": body}
    if len(body) < 20:  # as an ICMP error quotes it: eight bytes (RFC 792)
        sport, dport, seq = struct.unpack_from("!HHI", body)
        return {"sport": sport, "dport": dport, "seq": seq}
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body)
    start = (offset >> 4) * 4
    return {
        "sport": sport, "dport": dport, "seq": seq, "ack": ack, "flags": flags, "window": window,
        "options": body[20:start], "payload": body[start:],
    }  # fmt: skip


class Wiretap:
    """Sees every packet from when it is entered. PermissionError without CAP_NET_RAW."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        self._sock.settimeout(0)
        self.seen: list[SeenPacket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def watch(
        self, seconds: float, until: Callable[[SeenPacket], bool] = lambda _: False
    ) -> list[SeenPacket]:
        """The packets of the next `seconds`, or up to the one that `until` accepts, which is the last."""
        due, found = time.monotonic() + seconds, list[SeenPacket]()
        while True:
            for packet in self._waiting():
                self.seen.append(packet)
                found.append(packet)
                if until(packet):
                    return found
            left = due - time.monotonic()
            if left <= 0:
                return found
            linux.Poller([self._sock.fileno()]).wait(left)

    def _waiting(self) -> Iterator[SeenPacket]:
        while True:
            try:
                raw, extra, _, address = self._sock.recvmsg(_LARGEST, _EXTRA)
            except BlockingIOError:
                return
            packet = read_packet(raw, _monotonic(extra), outgoing=address[2] == _OUTGOING)
            if packet is not None:
                yield packet


def _monotonic(extra: list[tuple[int, int, bytes]]) -> float:
    """When the kernel saw the packet: on a busy machine it may be read much later."""
    now, clock = time.monotonic(), time.time()
    for level, kind, stamp in extra:
        if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMPS):
            seconds, nanoseconds = struct.unpack_from("@ll", stamp)
            age: float = clock - seconds - nanoseconds / 1e9
            return now - max(0.0, age)
    return now


@dataclass(frozen=True, slots=True)
class TcpFlow:
    """A connection of the kernel's, as its handshake shows it: where the next byte of ours goes."""

    near: tuple[str, int]
    far: tuple[str, int]
    seq: int  # of our next byte
    ack: int  # of the peer's next byte
    synack: SeenPacket  # the peer's own header fields

    def owns(self, packet: SeenPacket) -> bool:
        """Whether the packet belongs to it, in either direction."""
        ends = {(packet.source, packet.sport), (packet.destination, packet.dport)}
        return packet.protocol == TCP and ends == {self.near, self.far}

    def about(self, packet: SeenPacket) -> bool:
        """Whether it is an ICMP error about a packet of this flow."""
        quoted = packet.quoted if packet.protocol in (ICMP, ICMP6) and not packet.outgoing else None
        return quoted is not None and (quoted.source, quoted.sport) == self.near

    def send(self, payload: bytes, ttl: int, *, most: int = 1400) -> None:
        """Send bytes at `seq` in segments of our own, with this hop limit; the kernel does not know of them.

        `most`: payload bytes a segment.
        """
        six = ":" in self.far[0]
        family = socket.AF_INET6 if six else socket.AF_INET
        with socket.socket(family, socket.SOCK_RAW, TCP) as sock:
            set_ttl(sock, ttl, six=six)
            sock.bind((self.near[0], 0))
            for at in range(0, len(payload), most):
                sock.sendto(self._segment(payload[at : at + most], self.seq + at), (self.far[0], 0))

    def _segment(self, payload: bytes, seq: int) -> bytes:
        head = struct.pack(
            "!HHIIBBHHH", self.near[1], self.far[1], seq & 0xFFFFFFFF, self.ack, 5 << 4, PSH | ACK, 502, 0, 0
        )
        ends = ip_address(self.near[0]).packed + ip_address(self.far[0]).packed
        pseudo = ends + struct.pack("!II", len(head) + len(payload), TCP)  # RFC 9293 3.1, RFC 8200 8.1
        total = _checksum(pseudo + head + payload)
        return head[:16] + total.to_bytes(2, "big") + head[18:] + payload


def set_ttl(sock: socket.socket, ttl: int, *, six: bool) -> None:
    """The hop limit of a socket's packets."""
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
