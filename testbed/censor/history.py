"""What a flow's first packets were, for rules that count them."""

from dataclasses import dataclass, field
from typing import Final

from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, SYN, TCP, Packet

MOST_EARLY: Final = 32  # packets with data of one direction that are remembered; our choice


@dataclass(slots=True)
class History:
    """The sizes of a flow's first payloads, and how many packets it had."""

    packets: int = 0  # of both directions, with data or without
    up: list[int] = field(default_factory=list)  # bytes of payload, of the first packets with data
    down: list[int] = field(default_factory=list)
    both: list[int] = field(default_factory=list)

    def add(self, packet: Packet, direction: Direction) -> None:
        """One more packet."""
        self.packets += 1
        if not packet.has_payload:
            return
        size = packet.end - packet.payload_at
        for sizes in (self.up if direction is Direction.UP else self.down, self.both):
            if len(sizes) < MOST_EARLY:
                sizes.append(size)


def opens(packet: Packet, history: History) -> bool:
    """Whether a packet is the one that opens its flow: a SYN, or the first of another protocol."""
    if packet.protocol == TCP:
        return packet.flags & (SYN | ACK) == SYN
    return history.packets == 1
