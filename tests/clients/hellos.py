"""ClientHellos in captures: their shape on the wire, and which of them a box of any model would hit."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed.capture.file import open_capture
from testbed.capture.link import offset_finder
from testbed.censor.core import Censor
from testbed.censor.decision import Direction
from testbed.censor.packet import SYN, TCP, Packet, parse
from testbed.censor.policy import Policy
from testbed.replay.sides import DirectionFinder, Sides
from testbed.scenario.loader import load
from tests.clients.lab import VANTAGE

HANDSHAKE = 22  # a TLS record's type
Crossing = tuple[float, Direction, bytes]
"""Seconds since the first packet, the way it went, the IP packet."""


@dataclass(frozen=True)
class Hello:
    """One ClientHello as it left the client."""

    segments: tuple[bytes, ...]  # payloads, as far as the ClientHello goes
    name: str

    @property
    def size(self) -> int:
        """Bytes in all, record headers included."""
        return sum(map(len, self.segments))

    @property
    def name_in(self) -> int | None:
        """The segment that holds the whole name, from 0; None if it lies across two."""
        where = [number for number, data in enumerate(self.segments) if self.name.encode() in data]
        return where[0] if where else None


def crossings(capture: Path) -> list[Crossing]:
    """The IP packets of a capture, as the box saw them pass."""
    operator = load("free-network").world.operator(VANTAGE)
    compass = DirectionFinder(Sides((operator.prefix4, operator.prefix6), "the world's"))
    found, first = [], None
    with open_capture(str(capture)) as records:
        for time, link, frame, _ in records:
            at = offset_finder(link)(frame)
            direction = compass.direction(frame[at:]) if at >= 0 else None
            if direction is not None:
                first = time if first is None else first
                found.append(((time - first) / 1e9, direction, frame[at:]))
    return found


def hellos(crossed: Iterable[Crossing], name: str) -> list[Hello]:
    """The ClientHello of each TCP flow from inside that begins with a TLS record, in their order."""
    flows: dict[tuple[bytes, int], list[Packet]] = {}
    for _, direction, raw in crossed:
        packet = parse(raw)
        if packet and direction is Direction.UP and packet.protocol == TCP:
            if packet.flags & SYN:
                flows[packet.source, packet.sport] = []
            elif packet.has_payload:
                flows[packet.source, packet.sport].append(packet)
    return [
        Hello(tuple(_first_flight(flow)), name)
        for flow in flows.values()
        if flow and flow[0].payload[0] == HANDSHAKE
    ]


def _first_flight(flow: list[Packet]) -> Iterable[bytes]:
    """Segments until the ClientHello is whole. Nothing is lost here: order is stream order."""
    size, stream = 0, b""
    for packet in flow:
        if size and len(stream) >= size:
            return
        stream += packet.payload
        yield packet.payload
        size = _size(stream)


def _size(stream: bytes) -> int:
    """How long the records are that carry the first handshake message; 0 if that is not known yet."""
    at, wanted, had = 0, 4, 0
    body = b""
    while had < wanted:
        if len(stream) < at + 5 or stream[at] != HANDSHAKE:
            return 0
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        body += stream[at + 5 : at + 5 + length]
        at, had = at + 5 + length, had + length
        if len(body) >= 4:
            wanted = 4 + int.from_bytes(body[1:4], "big")
    return at


def hits(crossed: Iterable[Crossing], policy: Policy, seed: int = 1) -> int:
    """How many flows a box with this policy would match in what crossed it unharmed."""
    box = Censor(policy, seed)
    matched = {
        event.flow
        for now, direction, raw in crossed
        for event in box.process(raw, direction, now).events
        if event.kind == "match"
    }
    return len(matched)
