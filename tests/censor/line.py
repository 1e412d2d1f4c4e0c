"""A line with a censor on it, for tests that read like a dialogue of packets.

`line.L(...)` sends from the inside host, `line.R(...)` from the outside one. What comes back says what
reached the other end and what the censor itself sent to either side. Packets are made and read by scapy, so
the code under test does not build its own evidence.
"""

import struct
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from testbed.censor.actions.base import AnyAction
from testbed.censor.core import Censor
from testbed.censor.decision import Decision, Direction, Verdict
from testbed.censor.names import NameList
from testbed.censor.policy import Match, Policy, Rule
from testbed.censor.profile import Profile
from testbed.censor.profiles import PROFILES
from testbed.censor.softkernel import SoftKernel

INSIDE = {4: "95.24.0.2", 6: "2a00:1118::2"}
OUTSIDE = {4: "104.244.42.1", 6: "2606:1f80:f000::1"}


def names(*patterns: str) -> NameList:
    """A list of patterns."""
    return NameList(patterns)


def policy(match: Match, action: AnyAction, profile: str | Profile = "t22", **miss: float) -> Policy:
    """A policy of one rule, called "rule"."""
    box = PROFILES[profile] if isinstance(profile, str) else profile
    return Policy("box", box, (Rule("rule", match, action),), miss)


def sni(action: AnyAction, *patterns: str, profile: str | Profile = "t22", **miss: float) -> Policy:
    """A policy of one rule by server name."""
    return policy(Match(tls_sni=names(*(patterns or ("x.com",)))), action, profile, **miss)


def hello(name: str | None = "x.com", *, pad: int = 0, extra: bytes = b"") -> bytes:
    """A ClientHello in one record, without anything that the tests do not need."""
    extensions = b""
    if name is not None:
        host = name.encode()
        entry = b"\0" + len(host).to_bytes(2, "big") + host
        server_names = len(entry).to_bytes(2, "big") + entry
        extensions += b"\0\0" + len(server_names).to_bytes(2, "big") + server_names
    extensions += b"\0\x15" + pad.to_bytes(2, "big") + bytes(pad) + extra
    body = b"\x03\x03" + bytes(32) + b"\x20" + bytes(32) + b"\0\x02\x13\x01" + b"\x01\0"
    body += len(extensions).to_bytes(2, "big") + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(handshake).to_bytes(2, "big") + handshake


@dataclass(frozen=True)
class Result:
    """What one packet led to."""

    octets: bytes | None  # of the packet at the other end
    decision: Decision

    @cached_property
    def arrived(self) -> Packet | None:
        """What reached the other end."""
        return _read(self.octets) if self.octets else None

    @cached_property
    def to_inside(self) -> list[Packet]:
        """What the censor made and sent to the inside host."""
        return self._made(Direction.DOWN)

    @cached_property
    def to_outside(self) -> list[Packet]:
        """What the censor made and sent to the outside host."""
        return self._made(Direction.UP)

    def _made(self, way: Direction) -> list[Packet]:
        return [_read(one.packet) for one in self.decision.inject if one.toward is way]

    @property
    def untouched(self) -> bool:
        """The packet arrived as it was sent, and nothing else happened."""
        return (
            self.decision.verdict is Verdict.PASS and not self.decision.inject and self.decision.rule is None
        )

    @property
    def silent(self) -> bool:
        """Nothing arrived anywhere."""
        return not self.octets and not self.decision.inject

    @property
    def fired(self) -> bool:
        """A rule was triggered by this packet."""
        return any(event.kind == "match" for event in self.decision.events)


@dataclass
class Line:
    """The line: two hosts, one 4-tuple at a time, a clock."""

    policy: Policy
    version: int = 4
    seed: int = 1
    now: float = 0.0
    sport: int = 40000
    dport: int = 443
    udp: bool = False
    time_scale: float = 1.0
    kernel: bool = True  # False: the core is asked about every packet, whatever it has handed over
    seq: dict[str, int] = field(default_factory=lambda: {"L": 1000, "R": 9000})

    def __post_init__(self) -> None:
        self.censor = Censor(self.policy, self.seed, time_scale=self.time_scale)
        self.box = SoftKernel(self.censor, self.policy, time_scale=self.time_scale)

    def wait(self, seconds: float) -> None:
        """Let the censor's clock run."""
        self.now += seconds

    def new_port(self) -> None:
        """The client connects again from another source port."""
        self.sport += 1
        self.seq = {"L": 1000, "R": 9000}

    def L(self, flags: str = "PA", payload: bytes = b"", **fields: object) -> Result:  # noqa: N802
        """The inside host sends."""
        return self._send("L", flags, payload, fields)

    def R(self, flags: str = "PA", payload: bytes = b"", **fields: object) -> Result:  # noqa: N802
        """The outside host sends."""
        return self._send("R", flags, payload, fields)

    def handshake(self) -> None:
        """SYN, SYN/ACK, ACK; all must pass untouched."""
        assert self.L("S").untouched
        assert self.R("SA").untouched
        assert self.L("A").untouched

    def raw(self, packet: bytes, direction: Direction = Direction.UP) -> Result:
        """Any bytes."""
        decision = self._decide(packet, direction)
        arrived = {Verdict.PASS: packet, Verdict.DROP: None, Verdict.REPLACE: decision.packet}
        return Result(arrived[decision.verdict], decision)

    def _decide(self, packet: bytes, direction: Direction) -> Decision:
        if self.kernel:
            return self.box.process(packet, direction, self.now).decision
        return self.censor.process(packet, direction, self.now)

    def send(self, packet: Packet, direction: Direction = Direction.UP) -> Result:
        """Any packet of scapy's, of other hosts and 4-tuples as well."""
        return self.raw(bytes(packet), direction)

    def _send(self, who: str, flags: str, payload: bytes, fields: dict[str, object]) -> Result:
        ports = (self.sport, self.dport) if who == "L" else (self.dport, self.sport)
        numbers = (0, 0)
        if not self.udp:
            numbers = (self.seq[who], self.seq["R" if who == "L" else "L"] if "A" in flags else 0)
            self.seq[who] += len(payload) + ("S" in flags) + ("F" in flags)
        kind = Kind(who, self.version, None if self.udp else flags, payload, tuple(sorted(fields.items())))
        packet = numbered(kind, ports, numbers)
        return self.raw(packet, Direction.UP if who == "L" else Direction.DOWN)


class Kind(NamedTuple):
    """What packets have in common that differ in their ports and sequence numbers only."""

    who: str  # sends it: L, R
    version: int
    flags: str | None  # None: UDP
    payload: bytes
    fields: tuple[tuple[str, Any], ...]


def numbered(kind: Kind, ports: tuple[int, int], numbers: tuple[int, int] = (0, 0)) -> bytes:
    """A packet with these ports and, if TCP, sequence and acknowledgment numbers.

    scapy makes one of each kind, with zeros there; it takes a hundred times longer than to fill them in.
    """
    packet = bytearray(_with_zeros(kind))
    at = 4 * (packet[0] & 0xF) if kind.version == 4 else 40
    filled = struct.pack("!HH", *ports)
    place = at + 6
    if kind.flags is not None:
        filled += struct.pack("!II", *numbers)
        place = at + 16
    packet[at : at + len(filled)] = filled
    total = (packet[place] << 8 | packet[place + 1]) ^ 0xFFFF  # RFC 1624, equation 3, of words that were 0
    total += sum(struct.unpack(f"!{len(filled) // 2}H", filled))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    checksum = total ^ 0xFFFF
    if kind.flags is None and not checksum:
        checksum = 0xFFFF  # RFC 768
    packet[place : place + 2] = checksum.to_bytes(2, "big")
    return bytes(packet)


@lru_cache(maxsize=256)
def _with_zeros(kind: Kind) -> bytes:
    return made_by_scapy(kind, (0, 0), (0, 0))


def made_by_scapy(kind: Kind, ports: tuple[int, int], numbers: tuple[int, int]) -> bytes:
    """As `numbered`, with scapy alone."""
    near, far = (INSIDE, OUTSIDE) if kind.who == "L" else (OUTSIDE, INSIDE)
    fields = dict(kind.fields)
    urgent = fields.pop("urgptr", 0)
    layer = (IP if kind.version == 4 else IPv6)(src=near[kind.version], dst=far[kind.version], **fields)
    if kind.flags is None:
        return bytes(layer / UDP(sport=ports[0], dport=ports[1]) / Raw(kind.payload))
    seq, ack = numbers
    transport = TCP(sport=ports[0], dport=ports[1], flags=kind.flags, seq=seq, ack=ack, urgptr=urgent)
    return bytes(layer / transport / Raw(kind.payload))


def opened(with_policy: Policy, version: int = 4, **fields: object) -> Line:
    """A line with an open connection; `fields` are the line's."""
    line = Line(with_policy, version, **fields)  # type: ignore[arg-type]
    line.handshake()
    return line


def _read(packet: bytes) -> Packet:
    return (
        (IP if packet[0] >> 4 == 4 else IPv6)(packet) if packet and packet[0] >> 4 in (4, 6) else Raw(packet)
    )


def checksums_right(packet: Packet) -> bool:
    """Whether scapy, computing them afresh, gets the same IP and transport checksums."""
    again = packet.copy()
    for layer in (IP, TCP, UDP):
        if again.haslayer(layer):
            del again[layer].chksum
    return bytes(again) == bytes(packet)
