"""What a box keeps of a TCP direction's sequence numbers.

Which stretches it has judged; and, for hardened inspectors (Dv, Rv, Rvm), whether a receiver would accept a
segment.
"""

from dataclasses import dataclass, field
from typing import Final

from testbed.censor.decision import Direction
from testbed.censor.packet import ACK, SYN, Packet
from testbed.censor.wire import tcp_checksum_right

_WINDOW: Final = 1 << 20  # bytes ahead of the last one that are still plausible; our choice
_MD5: Final = 19  # RFC 2385
_TIMESTAMP: Final = 8  # RFC 7323
_STRETCHES: Final = 8  # of one direction, judged out of order; our choice
_HALF: Final = 1 << 31
_ALL: Final = 1 << 32


@dataclass(slots=True)
class Facts:
    """What is known of one direction of a flow."""

    hop_limit: int | None = None  # of the first packet
    following: int | None = None  # the sequence number after the last byte that came without a gap
    timestamp: int | None = None  # of the last valid segment


@dataclass(slots=True)
class FlowFacts:
    """Both directions."""

    up: Facts = field(default_factory=Facts)
    down: Facts = field(default_factory=Facts)

    def of(self, direction: Direction) -> Facts:
        """One direction."""
        return self.up if direction is Direction.UP else self.down


@dataclass(slots=True)
class Judged:
    """Stretches of one direction's sequence numbers that have been read and did not match.

    What is sent again is not read again: a box that has seen a decoy does not look at the request that
    follows it on the same sequence numbers (GDPI, ZAP: fake packets with a low TTL).
    """

    _stretches: list[tuple[int, int]] = field(default_factory=list)  # half-open, the newest last

    def begins(self, packet: Packet) -> bool:
        """Whether the segment begins with a byte that was judged."""
        return any((packet.seq - begin) % _ALL < (end - begin) % _ALL for begin, end in self._stretches)

    def add(self, packet: Packet) -> None:
        """Take the segment's bytes as judged; those in order make one stretch."""
        end = (packet.seq + packet.end - packet.payload_at) % _ALL
        if self._stretches and self._stretches[-1][1] == packet.seq:
            self._stretches[-1] = self._stretches[-1][0], end
            return
        del self._stretches[: len(self._stretches) - _STRETCHES + 1]
        self._stretches.append((packet.seq, end))


def options(packet: Packet) -> dict[int, bytes]:
    """The TCP options by kind, as far as they are well-formed."""
    data, at, found = packet.raw[packet.transport_at + 20 : packet.payload_at], 0, {}
    while at < len(data) and data[at] != 0:
        if data[at] == 1:
            at += 1
            continue
        if at + 1 >= len(data) or data[at + 1] < 2 or at + data[at + 1] > len(data):
            break
        found[data[at]] = data[at + 2 : at + data[at + 1]]
        at += data[at + 1]
    return found


def valid(packet: Packet, facts: Facts, checks: frozenset[str]) -> bool:
    """Whether the segment passes the checks. Valid ones are taken into the facts."""
    given = options(packet)
    stamp = given.get(_TIMESTAMP, b"")[:4]
    timestamp = int.from_bytes(stamp, "big") if len(stamp) == 4 else None
    failed = {
        "checksum": not tcp_checksum_right(packet) if "checksum" in checks else False,
        "md5": _MD5 in given,
        "ack": not packet.flags & (ACK | SYN),
        "hop limit": facts.hop_limit is not None and packet.hop_limit < facts.hop_limit,
        "timestamp": _older(timestamp, facts.timestamp),
        "window": _outside_window(packet, facts.following),
    }
    if any(failed[check] for check in checks):
        return False
    _learn(packet, facts, timestamp)
    return True


def _outside_window(packet: Packet, following: int | None) -> bool:
    """Whether nothing in the segment is new, or it lies too far ahead."""
    if following is None or packet.flags & SYN or not packet.has_payload:
        return False
    end = (packet.seq + packet.sequence_space - following) % _ALL
    return end == 0 or end > _WINDOW


def _older(timestamp: int | None, known: int | None) -> bool:
    return timestamp is not None and known is not None and (timestamp - known) % _ALL >= _HALF


def _learn(packet: Packet, facts: Facts, timestamp: int | None) -> None:
    if facts.hop_limit is None:
        facts.hop_limit = packet.hop_limit
    if timestamp is not None:
        facts.timestamp = timestamp
    taken = 1 if packet.flags & SYN else packet.sequence_space  # what a SYN carries is discarded
    following = (packet.seq + taken) % _ALL
    if facts.following is None or packet.flags & SYN:
        facts.following = following
    elif (facts.following - packet.seq) % _ALL < _HALF and (following - facts.following) % _ALL < _HALF:
        facts.following = following  # a segment ahead of a gap does not move it
