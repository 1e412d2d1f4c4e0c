"""Flows that the box has given up on, which a kernel would pass without asking.

The same thing that the middlebox's nft set does live: both directions, for the same time, until the inside
host sends a new SYN; every fragment and whatever has no ports goes to the core. It costs a look-up where
the core costs a packet's whole reading.
"""

from typing import Final

from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, FIN, RST, SYN, TCP, UDP, parse

MOST: Final = 131_072  # elements, two for a flow; our choice. What finds no room is judged by the core
_IPV4_PLAIN: Final = 0x45


class PassedFlows:
    """4-tuples with the time until which they pass."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}

    def passes(self, raw: bytes, direction: Direction, now: float) -> bool:
        """Whether this packet goes on unseen."""
        if raw[0] == _IPV4_PLAIN:
            protocol, tcp_flags = raw[9], 33
            if raw[6] & 0x3F or raw[7]:
                return False
            key = raw[9:10] + raw[12:24]
        else:
            protocol, tcp_flags = raw[6], 53
            key = raw[6:7] + raw[8:44]
        until = self._until.get(key)
        if until is None:
            return False
        opening = (
            protocol == TCP
            and direction is Direction.UP
            and len(raw) > tcp_flags
            and raw[tcp_flags] & (FIN | SYN | RST | ACK) == SYN
        )
        if now < until and not opening:
            return True
        del self._until[key]
        self._until.pop(_reverse(key), None)
        return False

    def add(self, raw: bytes, now: float, seconds: float) -> None:
        """Let the packet's flow pass from now on."""
        packet = parse(raw)
        if packet is None or packet.fragment or packet.protocol not in (TCP, UDP):
            return
        plain = raw[0] == _IPV4_PLAIN if packet.version == 4 else packet.transport_at == 40
        if not plain:
            return
        if len(self._until) >= MOST:
            self._until = {key: until for key, until in self._until.items() if until > now}
            if len(self._until) >= MOST:
                return
        key = raw[9:10] + raw[12:24] if packet.version == 4 else raw[6:7] + raw[8:44]
        self._until[key] = self._until[_reverse(key)] = now + seconds


def _reverse(key: bytes) -> bytes:
    half = (len(key) - 5) // 2
    source, destination = key[1 : 1 + half], key[1 + half : 1 + 2 * half]
    ports = key[1 + 2 * half :]
    return key[:1] + destination + source + ports[2:] + ports[:2]
