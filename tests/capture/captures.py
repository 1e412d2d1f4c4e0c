"""Captures for the tests: packets made by scapy, files written byte by byte as the formats' drafts say.

The code under test reads and writes these formats itself, so the tests do not use it to make their evidence.
"""

import struct
from dataclasses import dataclass, field

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from tests.censor.line import hello

CLIENT, SERVER = "192.168.1.10", "104.244.42.1"
BEGIN = 1_646_395_200_000_000_000  # ns
ETHERNET = 1


@dataclass
class Session:
    """One TCP connection, as the subscriber's line shows it: (time in ns, IP packet)."""

    name: str | None = "x.com"
    sport: int = 40000
    begin: int = BEGIN
    client: str = CLIENT
    server: str = SERVER
    kind: type[Packet] = IP
    packets: list[tuple[int, Packet]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seq = {"up": 100, "down": 900}

    def send(self, way: str, flags: str, payload: bytes = b"", after: int = 1_000_000) -> "Session":
        """One segment, `after` ns later than the one before."""
        up = way == "up"
        ends = (self.client, self.server, self.sport, 443)
        source, destination, sport, dport = ends if up else (ends[1], ends[0], ends[3], ends[2])
        ack = self.seq["down" if up else "up"] if "A" in flags else 0
        segment = TCP(sport=sport, dport=dport, flags=flags, seq=self.seq[way], ack=ack)
        at = self.packets[-1][0] + after if self.packets else self.begin
        self.packets.append((at, self.kind(src=source, dst=destination) / segment / Raw(payload)))
        self.seq[way] += len(payload) + ("S" in flags)
        return self

    def whole(self, replies: int = 2) -> "Session":
        """Handshake, ClientHello, so many segments of the server's, one acknowledgement."""
        self.send("up", "S").send("down", "SA").send("up", "A").send("up", "PA", hello(self.name))
        for _ in range(replies):
            self.send("down", "PA", b"\x16\x03\x03\x00\x7a" + bytes(122))
        return self.send("up", "A")

    def frames(self) -> list[tuple[int, bytes]]:
        """On Ethernet."""
        return [(at, bytes(ether(packet))) for at, packet in self.packets]


def ether(packet: Packet) -> Packet:
    up = packet.src == CLIENT
    return Ether(src="02:00:00:00:00:0a" if up else "02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet


def pcap(
    frames: list[tuple[int, bytes]],
    *,
    order: str = "<",
    nano: bool = False,
    link: int = 1,
    snap: int = 262144,
) -> bytes:
    """A classic file."""
    data = struct.pack(f"{order}IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for at, frame in frames:
        ticks = at % 10**9 // (1 if nano else 1000)
        cut = frame[:snap]
        data += struct.pack(f"{order}IIII", at // 10**9, ticks, len(cut), len(frame)) + cut
    return data


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", link: int = 1, resolution: int | None = None, offset: int = 0) -> bytes:
    body = struct.pack(f"{order}HHI", link, 0, 0)
    if resolution is not None:
        body += struct.pack(f"{order}HHB3x", 9, 1, resolution)
    if offset:
        body += struct.pack(f"{order}HHq", 14, 8, offset)
    return block(order, 1, body + bytes(4))


def enhanced(ticks: int, frame: bytes, *, order: str = "<", number: int = 0, snap: int = 262144) -> bytes:
    cut = frame[:snap]
    head = struct.pack(f"{order}5I", number, ticks >> 32, ticks & 0xFFFFFFFF, len(cut), len(frame))
    return block(order, 6, head + cut + bytes(-len(cut) % 4))


def pcapng(frames: list[tuple[int, bytes]], *, order: str = "<", nano: bool = False, link: int = 1) -> bytes:
    """One section, one interface."""
    head = section(order) + interface(order, link, 9 if nano else None)
    return head + b"".join(enhanced(at // (1 if nano else 1000), frame, order=order) for at, frame in frames)
