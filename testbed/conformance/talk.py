"""One dialogue as it is being held: addresses, ports, sequence numbers, and what was heard."""

from dataclasses import dataclass, field

from testbed.conformance.ground import L_ADDRESS, R_ADDRESS, Ground, Who
from testbed.conformance.packets import ICMP, TCP, UDP, Heard, Ip, Tcp, echo, flags, read, udp, with_ttl

_START: dict[Who, int] = {"L": 1000, "R": 9000}


@dataclass(frozen=True, slots=True)
class Header:
    """How a packet differs from the ordinary one."""

    ttl: int = 64
    at: int | None = None  # sequence number relative to the stream's position; None: there
    advance: bool = True  # whether the stream's position moves on
    ip_id: int | None = None
    options: bytes = b""
    wrong_sum: bool = False


@dataclass(slots=True)
class Talk:
    """L's address, R's and the ports of now. Each packet has an IP-ID of its own, by which it is known."""

    ground: Ground
    left: str = L_ADDRESS
    right: str = R_ADDRESS
    port: int = 443
    protocol: int = TCP
    sport: int = 40000
    inward: bool = False  # R's port is the ephemeral one: R is the client
    seq: dict[Who, int] = field(default_factory=lambda: dict(_START))
    ids: dict[Who, int] = field(default_factory=lambda: {"L": 1000, "R": 20000})

    def renew(self, **changes: object) -> None:
        """A new flow: another source port, and what is named."""
        self.sport += 1
        self.seq = dict(_START)
        self.change(**changes)

    def change(self, **changes: object) -> None:
        """The same flow, and what is named."""
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
class Seen:
    """What one packet led to."""

    sent: bytes
    due: bool  # whether its TTL lasts to the other end
    routers: int
    there: tuple[Heard, ...]  # at the other end
    here: tuple[Heard, ...]  # at the sender's

    @property
    def delivered(self) -> bool:
        """It arrived at the other end as it was sent, less the TTL."""
        return any(heard.raw == self._expected for heard in self.there)

    @property
    def untouched(self) -> bool:
        """It arrived so (or could not arrive), and nothing else did."""
        return not self.here and [heard.raw for heard in self.there] == ([self._expected] if self.due else [])

    @property
    def silent(self) -> bool:
        """Nothing arrived anywhere."""
        return not self.there and not self.here

    @property
    def as_reset(self) -> bool:
        """It arrived as RST/ACK: payload gone; TTL, IP-ID, sequence and acknowledgement its own."""
        was = read(self.sent)
        if was is None or self.here or len(self.there) != 1:
            return False
        now = self.there[0]
        own = (was.seq, was.ack, was.ip_id, was.ttl - self.routers, was.sport, was.dport)
        return now.is_reset and own == (now.seq, now.ack, now.ip_id, now.ttl, now.sport, now.dport)

    @property
    def made_there(self) -> tuple[Heard, ...]:
        """What arrived at the other end and is not the packet itself."""
        return tuple(heard for heard in self.there if heard.raw != self._expected)

    @property
    def sums_right(self) -> bool:
        """Whether what was made on the way has right checksums."""
        return all(heard.sums_right for heard in (*self.made_there, *self.here))

    @property
    def _expected(self) -> bytes:
        return with_ttl(self.sent, max(self.sent[8] - self.routers, 0))


def seen(talk: Talk, who: Who, packet: bytes) -> Seen:
    """Send one packet and look."""
    wire = talk.ground.send(who, [packet])
    heard = {end: tuple(view for raw in wire.at[end] if (view := read(raw))) for end in wire.at}
    there, here = (heard["R"], heard["L"]) if who == "L" else (heard["L"], heard["R"])
    return Seen(packet, packet[8] > talk.ground.routers, talk.ground.routers, there, here)
