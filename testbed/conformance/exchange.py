"""One dialogue in progress: addresses, ports, sequence numbers, and what each packet led to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from testbed.conformance.backend import L_ADDRESS, R_ADDRESS, Backend, Who
from testbed.conformance.packets import (
    ICMP,
    TCP,
    UDP,
    Ip,
    ReceivedPacket,
    Tcp,
    echo,
    flags,
    letters,
    read,
    udp,
    with_ttl,
)
from testbed.conformance.payloads import addresses

_START: dict[Who, int] = {"L": 1000, "R": 9000}  # first sequence numbers
_RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Header:
    """How a packet differs from an ordinary one."""

    ttl: int = 64
    at: int | None = None  # sequence number relative to the stream's position; None: at the position
    advance: bool = True  # whether the stream's position advances
    ip_id: int | None = None
    options: bytes = b""
    wrong_sum: bool = False


@dataclass(slots=True)
class Exchange:
    """The current addresses and ports. Each packet has its own IP-ID, which identifies it."""

    backend: Backend
    left: str = L_ADDRESS
    right: str = R_ADDRESS
    port: int = 443
    protocol: int = TCP
    sport: int = 40000
    inward: bool = False  # R is the client: the ephemeral port is R's
    seq: dict[Who, int] = field(default_factory=lambda: dict(_START))
    ids: dict[Who, int] = field(default_factory=lambda: {"L": 1000, "R": 20000})

    def renew(self, **changes: object) -> None:
        """Start a new flow: another source port, and these changes."""
        self.sport += 1
        self.seq = dict(_START)
        self.change(**changes)

    def change(self, **changes: object) -> None:
        """Change fields within the same flow."""
        for name, value in changes.items():
            setattr(self, name, value)

    def packet(self, who: Who, payload: bytes, letters: str, header: Header) -> bytes:
        """The next packet of one side."""
        near, far = (self.left, self.right) if who == "L" else (self.right, self.left)
        ports = (self.sport, self.port) if (who == "L") != self.inward else (self.port, self.sport)
        if header.ip_id is None:
            self.ids[who] = self.ids[who] % 60000 + 1
        ip = Ip(near, far, header.ttl, self.ids[who] if header.ip_id is None else header.ip_id)
        if self.protocol == ICMP:
            return ip.around(ICMP, echo(self.ids[who], reply=who == "R"))
        if self.protocol == UDP:
            return ip.around(UDP, udp(ip, *ports, payload))
        bits = flags(letters)
        ack = self.seq["R" if who == "L" else "L"] if "A" in letters else 0
        seq = self.seq[who] + (header.at or 0)
        segment = Tcp(*ports, seq, ack, bits, options=header.options, wrong_sum=header.wrong_sum)
        if header.advance and header.at is None:
            self.seq[who] += len(payload) + ("S" in letters) + ("F" in letters)
        return ip.around(TCP, segment.segment(ip, payload))


@dataclass(frozen=True, slots=True)
class Observation:
    """What one packet led to at both ends."""

    sent: bytes
    arrives: bool  # whether its TTL lasts to the other end
    routers: int
    at_receiver: tuple[ReceivedPacket, ...]
    at_sender: tuple[ReceivedPacket, ...]

    @property
    def delivered(self) -> bool:
        """It arrived at the other end as it was sent, with a lower TTL."""
        return any(packet.raw == self._expected for packet in self.at_receiver)

    @property
    def untouched(self) -> bool:
        """It arrived so (or its TTL ended first), and nothing else arrived anywhere."""
        arrived = [packet.raw for packet in self.at_receiver]
        return not self.at_sender and arrived == ([self._expected] if self.arrives else [])

    @property
    def silent(self) -> bool:
        """Nothing arrived anywhere."""
        return not self.at_receiver and not self.at_sender

    @property
    def became_reset(self) -> bool:
        """It arrived as RST/ACK without payload; TTL, IP-ID, sequence and acknowledgement unchanged."""
        was = read(self.sent)
        if was is None or self.at_sender or len(self.at_receiver) != 1:
            return False
        now = self.at_receiver[0]
        kept = (was.seq, was.ack, was.ip_id, was.ttl - self.routers, was.sport, was.dport)
        return now.is_reset and kept == (now.seq, now.ack, now.ip_id, now.ttl, now.sport, now.dport)

    @property
    def others_at_receiver(self) -> tuple[ReceivedPacket, ...]:
        """What arrived at the other end and is not the packet itself."""
        return tuple(packet for packet in self.at_receiver if packet.raw != self._expected)

    @property
    def checksums_valid(self) -> bool:
        """Whether all forged or changed packets have valid checksums."""
        return all(packet.checksums_valid for packet in (*self.others_at_receiver, *self.at_sender))

    def __str__(self) -> str:
        """In words: "passed", "lost", "arrived as RST/ACK, …"."""
        if self.untouched:
            return "passed" if self.arrives else "ended on the way (TTL)"
        if self.silent:
            return "lost"
        if self.became_reset:
            return f"arrived as RST/ACK, TTL {self.at_receiver[0].ttl}, its own sequence number and IP-ID"
        parts = ["arrived" if self.delivered else "did not arrive"]
        if self.others_at_receiver:
            parts.append(f"the other end got {_several(self.others_at_receiver)}")
        if self.at_sender:
            parts.append(f"its sender got {_several(self.at_sender)}")
        return ", ".join(parts)

    @property
    def _expected(self) -> bytes:
        return with_ttl(self.sent, max(self.sent[8] - self.routers, 0))


def observe(exchange: Exchange, who: Who, packet: bytes) -> Observation:
    """Send one packet and observe both ends."""
    wire = exchange.backend.send(who, [packet])
    received = {end: tuple(view for raw in wire.at[end] if (view := read(raw))) for end in wire.at}
    there, here = (received["R"], received["L"]) if who == "L" else (received["L"], received["R"])
    routers = exchange.backend.routers
    return Observation(packet, packet[8] > routers, routers, there, here)


def passes_untouched(exchange: Exchange, who: Who, packet: bytes) -> bool:
    """Send one packet; whether it and nothing else arrived: as `observe(…).untouched`, but not parsed."""
    wire = exchange.backend.send(who, [packet])
    there, here = (wire.at["R"], wire.at["L"]) if who == "L" else (wire.at["L"], wire.at["R"])
    if here:
        return False
    routers = exchange.backend.routers
    return there == ([with_ttl(packet, packet[8] - routers)] if packet[8] > routers else [])


def _several(packets: Sequence[ReceivedPacket]) -> str:
    return " and ".join(_short(packet) for packet in packets[:3]) + (" …" if len(packets) > 3 else "")


def _short(packet: ReceivedPacket) -> str:
    if packet.protocol == TCP:
        status = packet.payload[:12].decode("latin-1") if packet.payload.startswith(b"HTTP/1.") else ""
        what = status.replace("HTTP/1.1", "HTTP") or letters(packet.flags)
        return f"{what} (TTL {packet.ttl}, IP-ID {packet.ip_id})"
    if packet.protocol == UDP and packet.sport == 53:
        rcode, found = addresses(packet.payload)
        return f"DNS {', '.join(found) or _RCODES.get(rcode, str(rcode))}"
    return "ICMP" if packet.protocol == ICMP else f"a packet of protocol {packet.protocol}"
